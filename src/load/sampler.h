/* load/sampler.h: which samples make up batch number b of an epoch: a pure function of the seed, the epoch and the shard.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_SAMPLER_H
#define MTM_LOAD_SAMPLER_H

#include "base/mem.h"
#include "microtome/load.h"

typedef struct mtm_sampler {
    int64_t n_items, samples_per_item, batch_size;
    int64_t items, batches; /* of this shard, per epoch */
    int64_t rank, world;
    uint64_t seed;
    bool shuffle;
    int64_t epoch;  /* that `order` is of; −1: none */
    int64_t *order; /* the items of the whole epoch, before sharding */
} mtm_sampler;

mtm_status mtm_sampler_init(mtm_sampler *s, int64_t n_items, const mtm_loader_options *opt, mtm_error *err);
void mtm_sampler_clear(mtm_sampler *s);

/* The sample numbers of a batch into `samples` (room for batch_size); returns how many. */
int64_t mtm_sampler_batch(mtm_sampler *s, int64_t epoch, int64_t batch, int64_t *samples);

#endif
