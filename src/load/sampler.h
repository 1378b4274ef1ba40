/* load/sampler.h: which samples make up batch number b of an epoch: a pure function of the seed, the epoch, the shard and what
 * the items are drawn by.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_SAMPLER_H
#define MTM_LOAD_SAMPLER_H

#include "base/mem.h"
#include "microtome/load.h"

/* One class of items, in the order of the items. */
typedef struct mtm_sampler_class {
    int64_t first, n; /* in `members` */
    int64_t want;     /* places of an epoch, where that is the same in every one */
} mtm_sampler_class;

typedef struct mtm_sampler {
    int64_t n_items, n_order; /* items; places of an epoch */
    int64_t samples_per_item, batch_size;
    int64_t items, batches; /* of this shard and part, per epoch: places; batches */
    int64_t rank, world, part, parts;
    uint64_t seed;
    bool shuffle;
    mtm_sampling sampling;
    int64_t n_classes;
    mtm_sampler_class *classes;
    int64_t *members;   /* items, class by class */
    int64_t *scratch;   /* room for the largest class */
    double *cumulative; /* WEIGHTED: sums of the weights up to and with each item */
    int64_t epoch;      /* that `order` is of; −1: none */
    int64_t *
        order; /* the epoch's places before sharding: item + copy · n_items, `copy` counting an item's appearances */
    int64_t *copies; /* per item, while an epoch is ordered */
} mtm_sampler;

mtm_status mtm_sampler_init(mtm_sampler *s, int64_t n_items, const mtm_loader_options *opt, mtm_error *err);
void mtm_sampler_clear(mtm_sampler *s);

/* The sample numbers of a batch into `samples` (room for batch_size); returns how many. */
int64_t mtm_sampler_batch(mtm_sampler *s, int64_t epoch, int64_t batch, int64_t *samples);

#endif
