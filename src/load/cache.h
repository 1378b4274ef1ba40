/* load/cache.h: items that are kept decoded, or as the chain's deterministic prefix left them, up to a byte limit. Filled
 * until it is full; nothing is evicted, as every item is used once per epoch. An item is made by one worker while the
 * others that want it wait. Items with several crops are held while those are made, even without room.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_CACHE_H
#define MTM_LOAD_CACHE_H

#include "load/sample.h"

typedef struct mtm_cache mtm_cache;

typedef struct mtm_cached {
    mtm_cache *cache;
    int64_t item;
    mtm_array
        *arrays; /* one per field, C order [C, Z, Y, X]; borrowed where the item's own array is unchanged */
    mtm_spec *specs;
    mtm_image_stats *stats; /* of the whole file; known where stats_known */
    bool *stats_known;
    int32_t *point_axes;      /* of fields that hold points, whose arrays are [N, 3] float64 */
    mtm_label_table **tables; /* guarded by the cache's lock; never replaced once set */
    uint64_t bytes;           /* counted in the cache */
    int32_t n_fields;
    int users;    /* guarded by the cache's lock, as all below */
    int64_t left; /* not kept: uses still to come */
    bool keep;
    struct mtm_cached *next; /* in the list of those that are not kept */
} mtm_cached;

typedef enum mtm_cache_answer {
    MTM_CACHE_HIT,  /* *out is held; mtm_cache_leave it */
    MTM_CACHE_MAKE, /* the caller makes it, then calls mtm_cache_put or mtm_cache_give_up */
    MTM_CACHE_NONE  /* there is no room for it */
} mtm_cache_answer;

/* uses: how often an item is used in an epoch; above 1, items are shared even without room. */
mtm_status mtm_cache_new(mtm_cache **out, int64_t n_items, int32_t n_fields, uint64_t limit_bytes,
                         int64_t uses, mtm_error *err);
void mtm_cache_free(mtm_cache *c);
MTM_DEFINE_AUTO(mtm_cache, mtm_cache_free)

mtm_cache_answer mtm_cache_get(mtm_cache *c, int64_t item, mtm_cached **out);
/* Runs the prefix of an opened sample into an entry that the caller then holds. *out NULL: there is no room, and the
 * item is marked so. Ends the MAKE that mtm_cache_get answered, also on failure. */
mtm_status mtm_cache_fill(mtm_cache *c, mtm_sample *s, int64_t item, mtm_cached **out, mtm_error *err);
void mtm_cache_give_up(mtm_cache *c, int64_t item);
void mtm_cache_leave(mtm_cache *c, mtm_cached *e);
/* Drops what is held without room and not in use: another place in the order begins. */
void mtm_cache_forget(mtm_cache *c);

/* Sources and plan of `s` as the entry has them. Errors: MTM_E_NOMEM. */
mtm_status mtm_cache_open(mtm_cached *e, mtm_sample *s, const mtm_item *item, mtm_error *err);

/* Bytes kept; *held: those of items without room. */
uint64_t mtm_cache_bytes(mtm_cache *c, uint64_t *held);

#endif
