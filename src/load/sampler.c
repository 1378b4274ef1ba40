/* load/sampler.c: order of an epoch (as it comes, by class, by weight), shards of equal length, batches.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/sampler.h"

#include <math.h>

#include "base/rng.h"
#include "base/size.h"

/* Streams of random numbers beside the shuffle's, which is UINT32_MAX. */
enum { CLASS_STREAM = 0x40000000, REST_STREAM = 0x3FFFFFFF, WEIGHT_STREAM = 0x3FFFFFFE };

/* ---- classes ------------------------------------------------------------------------------------------ */

static mtm_status find_classes(mtm_sampler *s, const int64_t *of, mtm_error *err)
{
    int64_t most = 0, at = 0;

    for (int64_t i = 0; i < s->n_items; i++) {
        if (of[i] < 0 || of[i] >= s->n_items)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "item %" PRId64 " is of class %" PRId64
                            "; classes are numbered from 0 without gaps",
                            i, of[i]);
        s->n_classes = mtm_max_i64(s->n_classes, of[i] + 1);
    }
    s->classes = mtm_alloc_zero((size_t)s->n_classes, sizeof *s->classes);
    s->members = mtm_alloc_zero((size_t)s->n_items, sizeof *s->members);
    if (!s->classes || !s->members)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < s->n_items; i++)
        s->classes[of[i]].n++;
    for (int64_t c = 0; c < s->n_classes; c++) {
        if (!s->classes[c].n)
            return mtm_fail(err, MTM_E_INVAL, -1, "no item is of class %" PRId64, c);
        most = mtm_max_i64(most, s->classes[c].n);
        s->classes[c].first = at;
        at += s->classes[c].n, s->classes[c].n = 0;
    }
    for (int64_t i = 0; i < s->n_items; i++) {
        mtm_sampler_class *const c = &s->classes[of[i]];

        s->members[c->first + c->n++] = i;
    }
    s->scratch = mtm_alloc_zero((size_t)most, sizeof *s->scratch);
    return s->scratch ? MTM_OK : MTM_NOMEM(err);
}

/* How many places each class has: of all, as many as the smallest or the largest has, or an equal part of as many places as there
 * are items (those left over by the division go to other classes in every epoch). */
static mtm_status plan_classes(mtm_sampler *s, mtm_error *err)
{
    int64_t least = INT64_MAX, most = 0;

    for (int64_t c = 0; c < s->n_classes; c++) {
        least = mtm_min_i64(least, s->classes[c].n);
        most = mtm_max_i64(most, s->classes[c].n);
    }
    for (int64_t c = 0; c < s->n_classes; c++)
        s->classes[c].want = s->sampling == MTM_SAMPLE_UNDER  ? least
                             : s->sampling == MTM_SAMPLE_OVER ? most
                                                              : s->n_items / s->n_classes;
    s->n_order = s->n_items;
    if (s->sampling != MTM_SAMPLE_EQUAL &&
        __builtin_mul_overflow(s->n_classes, s->classes[0].want, &s->n_order))
        return mtm_fail(err, MTM_E_LIMIT, -1, "more samples than 64-bit numbers");
    return MTM_OK;
}

static mtm_status plan_weights(mtm_sampler *s, const double *weights, mtm_error *err)
{
    double sum = 0;

    s->cumulative = mtm_alloc_zero((size_t)s->n_items, sizeof *s->cumulative);
    if (!s->cumulative)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < s->n_items; i++) {
        if (!(weights[i] >= 0) || isinf(weights[i]))
            return mtm_fail(err, MTM_E_INVAL, -1, "the weight of item %" PRId64 " is %g; 0 or more is wanted",
                            i, weights[i]);
        sum += weights[i];
        s->cumulative[i] = sum;
    }
    if (s->n_items && (!(sum > 0) || isinf(sum)))
        return mtm_fail(err, MTM_E_INVAL, -1, "the weights sum to %g; above 0 is wanted", sum);
    return MTM_OK;
}

static mtm_status plan_sampling(mtm_sampler *s, const mtm_loader_options *opt, mtm_error *err)
{
    s->n_order = s->n_items;
    switch (s->sampling) {
    case MTM_SAMPLE_ALL: return MTM_OK;
    case MTM_SAMPLE_EQUAL:
    case MTM_SAMPLE_UNDER:
    case MTM_SAMPLE_OVER:
        if (!opt->classes)
            return mtm_fail(err, MTM_E_INVAL, -1, "sampling by class needs the items' classes");
        MTM_TRY(find_classes(s, opt->classes, err));
        return s->n_items ? plan_classes(s, err) : MTM_OK;
    case MTM_SAMPLE_WEIGHTED:
        if (!opt->weights)
            return mtm_fail(err, MTM_E_INVAL, -1, "sampling by weight needs the items' weights");
        return plan_weights(s, opt->weights, err);
    }
    return mtm_fail(err, MTM_E_INVAL, -1, "sampling %d is unknown", (int)s->sampling);
}

static void count_batches(mtm_sampler *s, const mtm_loader_options *opt, int64_t samples)
{
    const int64_t all = samples / s->batch_size + (!opt->drop_last && samples % s->batch_size != 0);

    s->batches = all > s->part ? (all - s->part - 1) / s->parts + 1 : 0;
}

mtm_status mtm_sampler_init(mtm_sampler *s, int64_t n_items, const mtm_loader_options *opt, mtm_error *err)
{
    int64_t samples, all;

    *s = (mtm_sampler){.n_items = n_items,
                       .samples_per_item = opt->samples_per_item,
                       .seed = opt->seed,
                       .batch_size = opt->batch_size,
                       .rank = opt->rank,
                       .world = opt->world,
                       .part = opt->part,
                       .parts = opt->parts,
                       .sampling = (mtm_sampling)opt->sampling,
                       .shuffle = opt->shuffle,
                       .epoch = -1};
    MTM_TRY(plan_sampling(s, opt, err));
    /* As torch's DistributedSampler: the tail is dropped, or filled by beginning anew. */
    s->items = s->n_order ? (opt->drop_last ? s->n_order / s->world : (s->n_order - 1) / s->world + 1) : 0;
    /* The numbers of samples count an item's appearances too: at most n_order of each. */
    if (__builtin_mul_overflow(s->items, s->samples_per_item, &samples) ||
        __builtin_mul_overflow(n_items, s->samples_per_item, &all) ||
        (s->sampling && __builtin_mul_overflow(all, s->n_order, &all)))
        return mtm_fail(err, MTM_E_LIMIT, -1, "more samples than 64-bit numbers");
    count_batches(s, opt, samples);
    s->order = mtm_alloc_zero((size_t)s->n_order, sizeof *s->order);
    s->copies = mtm_alloc_zero((size_t)n_items, sizeof *s->copies);
    return s->order && s->copies ? MTM_OK : MTM_NOMEM(err);
}

void mtm_sampler_clear(mtm_sampler *s)
{
    mtm_free(s->order);
    mtm_free(s->copies);
    mtm_free(s->classes);
    mtm_free(s->members);
    mtm_free(s->scratch);
    mtm_free(s->cumulative);
    *s = (mtm_sampler){.epoch = -1};
}

/* ---- an epoch ----------------------------------------------------------------------------------------- */

/* Fisher–Yates, of which only the first `want` places are needed. */
static void choose(mtm_rng *r, int64_t *items, int64_t n, int64_t want)
{
    for (int64_t i = 0; i < want; i++) {
        const int64_t j = i + (int64_t)mtm_rng_below(r, (uint64_t)(n - i)), t = items[i];

        items[i] = items[j], items[j] = t;
    }
}

/* `want` places of a class: every item as often as goes into it whole, the rest without replacement. */
static int64_t *order_class(mtm_sampler *s, int64_t epoch, int64_t c, int64_t want, int64_t *out)
{
    const mtm_sampler_class *const k = &s->classes[c];
    const int64_t *const members = s->members + k->first;
    mtm_rng r = mtm_rng_at(s->seed, epoch, -1 - c, CLASS_STREAM);

    for (; want >= k->n; want -= k->n, out += k->n)
        memcpy(out, members, (size_t)k->n * sizeof *out);
    memcpy(s->scratch, members, (size_t)k->n * sizeof *members);
    choose(&r, s->scratch, k->n, want);
    memcpy(out, s->scratch, (size_t)want * sizeof *out);
    return out + want;
}

static void order_classes(mtm_sampler *s, int64_t epoch)
{
    const int64_t rest = s->sampling == MTM_SAMPLE_EQUAL ? s->n_items % s->n_classes : 0;
    mtm_rng r = mtm_rng_at(s->seed, epoch, -1, REST_STREAM);
    int64_t *out = s->order, left = rest;

    for (int64_t c = 0; c < s->n_classes; c++) { /* each `rest` of the classes as likely */
        const bool more = (int64_t)mtm_rng_below(&r, (uint64_t)(s->n_classes - c)) < left;

        out = order_class(s, epoch, c, s->classes[c].want + more, out);
        left -= more;
    }
}

static void order_weighted(mtm_sampler *s, int64_t epoch)
{
    mtm_rng r = mtm_rng_at(s->seed, epoch, -1, WEIGHT_STREAM);

    for (int64_t i = 0; i < s->n_order; i++) {
        const double u = (double)(mtm_rng_u64(&r) >> 11) * 0x1p-53 * s->cumulative[s->n_items - 1];
        int64_t lo = 0, hi = s->n_items - 1;

        while (lo < hi) { /* the first item whose sum lies above u */
            const int64_t middle = lo + (hi - lo) / 2;

            if (s->cumulative[middle] > u)
                hi = middle;
            else
                lo = middle + 1;
        }
        s->order[i] = lo;
    }
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* An item that comes again is a sample of its own, with draws of its own. */
static void number_copies(mtm_sampler *s)
{
    memset(s->copies, 0, (size_t)s->n_items * sizeof *s->copies);
    for (int64_t i = 0; i < s->n_order; i++)
        s->order[i] += s->copies[s->order[i]]++ * s->n_items;
}

static void order_epoch(mtm_sampler *s, int64_t epoch)
{
    if (s->epoch == epoch)
        return;
    if (s->sampling == MTM_SAMPLE_ALL)
        for (int64_t i = 0; i < s->n_order; i++)
            s->order[i] = i;
    else if (s->sampling == MTM_SAMPLE_WEIGHTED)
        order_weighted(s, epoch);
    else
        order_classes(s, epoch);
    if (s->shuffle)
        mtm_rng_shuffle(s->seed, epoch, s->order, s->n_order);
    else
        qsort(s->order, (size_t)s->n_order, sizeof *s->order, by_number);
    number_copies(s);
    s->epoch = epoch;
}

int64_t mtm_sampler_batch(mtm_sampler *s, int64_t epoch, int64_t batch, int64_t *samples)
{
    const int64_t first = (batch * s->parts + s->part) * s->batch_size;
    const int64_t n = mtm_min_i64(s->batch_size, s->items * s->samples_per_item - first);

    order_epoch(s, epoch);
    for (int64_t i = 0; i < n; i++) {
        const int64_t slot = (first + i) / s->samples_per_item, crop = (first + i) % s->samples_per_item;
        const int64_t item = s->order[(s->rank + slot * s->world) % s->n_order];

        samples[i] = item * s->samples_per_item + crop;
    }
    return n;
}
