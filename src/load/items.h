/* load/items.h: the loader's own copy of its items' names and fields; arrays stay borrowed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_ITEMS_H
#define MTM_LOAD_ITEMS_H

#include "base/mem.h"
#include "microtome/load.h"

/* The paths of one field, in memory of the loader's. */
typedef struct mtm_uri_list {
    char **at; /* [n] */
    int64_t n;
} mtm_uri_list;

typedef struct mtm_items {
    mtm_item *at;
    int64_t n;
    int32_t n_fields;
    mtm_field *fields;  /* n · n_fields */
    mtm_uri_list *uris; /* n · n_fields: copies of the fields' */
    char **names;       /* n_fields */
    bool *integral;     /* per field: numbers, all of them integers */
} mtm_items;

/* All items must have the same fields in the same order. Errors: MTM_E_INVAL with the item's number. */
mtm_status mtm_items_copy(mtm_items *out, const mtm_item *items, int64_t n, mtm_error *err);
void mtm_items_clear(mtm_items *items);

/* What errors call an image field: its file, or the first of its files. */
const char *mtm_field_place(const mtm_field *f);

/* Makes an error speak of the item: `where` becomes its file (or "item 7"), the former `where` begins the sentence. */
void mtm_items_blame(mtm_error *err, const mtm_item *item, int64_t number);

#endif
