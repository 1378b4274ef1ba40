/* load/sampler.c: order of an epoch, shards of equal length, batches.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/sampler.h"

#include "base/rng.h"
#include "base/size.h"

mtm_status mtm_sampler_init(mtm_sampler *s, int64_t n_items, const mtm_loader_options *opt, mtm_error *err)
{
    int64_t samples;

    *s = (mtm_sampler){.n_items = n_items,
                       .samples_per_item = opt->samples_per_item,
                       .seed = opt->seed,
                       .batch_size = opt->batch_size,
                       .rank = opt->rank,
                       .world = opt->world,
                       .shuffle = opt->shuffle,
                       .epoch = -1};
    /* As torch's DistributedSampler: the tail is dropped, or filled by beginning anew. */
    s->items = n_items ? (opt->drop_last ? n_items / s->world : (n_items - 1) / s->world + 1) : 0;
    if (__builtin_mul_overflow(s->items, s->samples_per_item, &samples) ||
        __builtin_mul_overflow(n_items, s->samples_per_item, &(int64_t){0}))
        return mtm_fail(err, MTM_E_LIMIT, -1, "more samples than 64-bit numbers");
    s->batches = samples / s->batch_size + (!opt->drop_last && samples % s->batch_size != 0);
    s->order = mtm_alloc_zero((size_t)n_items, sizeof *s->order);
    return s->order ? MTM_OK : MTM_NOMEM(err);
}

void mtm_sampler_clear(mtm_sampler *s)
{
    mtm_free(s->order);
    s->order = NULL;
}

static void order_epoch(mtm_sampler *s, int64_t epoch)
{
    if (s->epoch == epoch)
        return;
    for (int64_t i = 0; i < s->n_items; i++)
        s->order[i] = i;
    if (s->shuffle)
        mtm_rng_shuffle(s->seed, epoch, s->order, s->n_items);
    s->epoch = epoch;
}

int64_t mtm_sampler_batch(mtm_sampler *s, int64_t epoch, int64_t batch, int64_t *samples)
{
    const int64_t first = batch * s->batch_size;
    const int64_t n = mtm_min_i64(s->batch_size, s->items * s->samples_per_item - first);

    order_epoch(s, epoch);
    for (int64_t i = 0; i < n; i++) {
        const int64_t slot = (first + i) / s->samples_per_item, crop = (first + i) % s->samples_per_item;
        const int64_t item = s->order[(s->rank + slot * s->world) % s->n_items];

        samples[i] = item * s->samples_per_item + crop;
    }
    return n;
}
