/* load/memory.h: what a loader has learnt about its items and would otherwise find anew in every epoch: small tables, without
 * which the whole of a label map would be read to cut a corner out of it. Nothing is ever dropped, so what is found stays valid
 * as long as the loader; when the room is used up, nothing more is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_MEMORY_H
#define MTM_LOAD_MEMORY_H

#include "base/mem.h"

typedef enum mtm_memory_kind {
    MTM_MEMORY_LABELS,    /* mtm_label_table */
    MTM_MEMORY_OBJECTS,   /* mtm_object_table; parameter: the background */
    MTM_MEMORY_FOREGROUND /* int64_t[6]: start and size; parameter: the threshold's bits */
} mtm_memory_kind;

/* What it is known of: a field of an item as the chain's deterministic prefix leaves it. */
typedef struct mtm_memory_key {
    int64_t item, parameter;
    int32_t field;
    mtm_memory_kind kind;
} mtm_memory_key;

typedef struct mtm_memory mtm_memory; /* any thread */

mtm_status mtm_memory_new(mtm_memory **out, uint64_t room_bytes, mtm_error *err);
void mtm_memory_free(mtm_memory *m);
MTM_DEFINE_AUTO(mtm_memory, mtm_memory_free)

/* NULL: not known. m may be NULL. */
const void *mtm_memory_find(mtm_memory *m, const mtm_memory_key *key);
/* Keeps a block of mtm_alloc, which is then the memory's. False: no room, or another thread was first: it stays the
 * caller's. */
bool mtm_memory_keep(mtm_memory *m, const mtm_memory_key *key, void *value, uint64_t bytes);
uint64_t mtm_memory_bytes(mtm_memory *m); /* kept by now */

#endif
