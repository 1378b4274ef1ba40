/* load/items.h: the loader's own copy of its items' names and fields; arrays stay borrowed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_ITEMS_H
#define MTM_LOAD_ITEMS_H

#include "base/mem.h"
#include "microtome/load.h"

typedef struct mtm_items {
    mtm_item *at;
    int64_t n;
    int32_t n_fields;
    mtm_field *fields; /* n · n_fields */
    char **uris;       /* n · n_fields, NULL where a field has none */
    char **names;      /* n_fields */
    bool *integral;    /* per field: numbers, all of them integers */
} mtm_items;

/* All items must have the same fields in the same order. Errors: MTM_E_INVAL with the item's number. */
mtm_status mtm_items_copy(mtm_items *out, const mtm_item *items, int64_t n, mtm_error *err);
void mtm_items_clear(mtm_items *items);

/* Makes an error speak of the item: `where` becomes its file (or "item 7"), the former `where` begins the sentence. */
void mtm_items_blame(mtm_error *err, const mtm_item *item, int64_t number);

#endif
