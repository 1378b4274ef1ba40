/* tests/unit/loader_set.h: a small data set in memory, a chain and a loader of it, and digests of what comes out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_LOADER_SET_H
#define MTM_TESTS_LOADER_SET_H

#include "unit.h"

#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/rng.h"
#include "microtome/load.h"

/* ---- a small data set in memory ------------------------------------------------------------------------- */

enum { N = 11, Z = 9, Y = 10, X = 13, VOXELS = Z * Y * X };

typedef struct data_set {
    float image[N][VOXELS];
    uint8_t label[N][VOXELS];
    mtm_field fields[N][3];
    mtm_item items[N];
} data_set;

static inline data_set *data_new(void)
{
    data_set *const d = calloc(1, sizeof *d);
    const int64_t shape[3] = {Z, Y, X};

    for (int i = 0; i < N; i++) {
        mtm_rng r = mtm_rng_at(7, 0, i, 0);

        for (int v = 0; v < VOXELS; v++) {
            d->image[i][v] = mtm_rng_uniform(&r) * 100;
            d->label[i][v] = (uint8_t)mtm_rng_below(&r, 3);
        }
        d->fields[i][0] = (mtm_field){.name = "image",
                                      .kind = MTM_FIELD_ARRAY,
                                      .array = mtm_array_wrap(d->image[i], MTM_F32, 3, shape)};
        d->fields[i][1] = (mtm_field){
            .name = "label", .kind = MTM_FIELD_ARRAY, .array = mtm_array_wrap(d->label[i], MTM_U8, 3, shape)};
        d->fields[i][2] =
            (mtm_field){.name = "age", .kind = MTM_FIELD_NUMBER, .number = 40 + i, .integer = true};
        d->items[i] = (mtm_item){.fields = d->fields[i], .n_fields = 3};
    }
    return d;
}

static inline mtm_arg number(const char *name, const double *v, int n)
{
    return (mtm_arg){.name = name, .kind = MTM_ARG_NUMBERS, .n = n, .scalar = n == 1, .numbers = v};
}

/* scale, then a crop, a flip and noise. */
static inline mtm_chain *chain_new(void)
{
    static const double size[3] = {4, 5, 6}, half = 0.5, sigma[2] = {0.1, 0.2}, one = 1;
    const mtm_arg crop[] = {number("size", size, 3)}, flip[] = {number("p", &half, 1)},
                  noise[] = {number("sigma", sigma, 2), number("p", &one, 1)};
    mtm_error err = {0};
    mtm_chain *c;

    assert_ok(mtm_chain_new(&c, &err));
    assert_ok(mtm_chain_add(c, "scale", NULL, 0, NULL, 0, &err));
    assert_ok(mtm_chain_add(c, "random_crop", NULL, 0, crop, 1, &err));
    assert_ok(mtm_chain_add(c, "random_flip", NULL, 0, flip, 1, &err));
    assert_ok(mtm_chain_add(c, "random_gaussian_noise", NULL, 0, noise, 2, &err));
    return c;
}

static inline mtm_loader_options options(void)
{
    mtm_loader_options o = mtm_loader_options_default();

    o.batch_size = 3, o.shuffle = true, o.seed = 42, o.threads = 2;
    return o;
}

static inline mtm_loader *loader_new(const data_set *d, const mtm_chain *c, const mtm_loader_options *o)
{
    mtm_error err = {0};
    mtm_loader *l;

    assert_ok(mtm_loader_new(&l, d->items, N, c, o, &err));
    return l;
}

static inline mtm_batch *next(mtm_loader *l)
{
    mtm_error err = {0};
    mtm_batch *b;
    bool late;

    assert_ok(mtm_loader_next(l, -1, &b, &late, &err));
    assert_false(late);
    return b;
}

/* All that a batch says, in one number. */
static inline uint64_t digest(const mtm_batch *b, uint64_t h)
{
    h = mtm_hash64(b->index, (size_t)b->n * sizeof *b->index, h + (uint64_t)b->number);
    h = mtm_hash64(b->affines, (size_t)b->n * (size_t)b->n_fields * 16 * sizeof(double), h);
    for (int32_t f = 0; f < b->n_fields; f++) {
        const mtm_array *const a = &b->fields[f].array;

        for (int32_t i = 0; b->fields[f].ragged && i < b->n; i++) {
            const mtm_array *const e = &b->fields[f].each[i];
            h = mtm_hash64(e->data, (size_t)mtm_array_count(e) * mtm_dtype_size(e->dtype), h);
        }
        if (a->data)
            h = mtm_hash64(a->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype), h);
    }
    return h;
}

/* The rest of an epoch. */
static inline uint64_t epoch_digest(mtm_loader *l, int *batches)
{
    uint64_t h = 1;
    int n = 0;

    for (mtm_batch *b; (b = next(l)); n++) {
        h = digest(b, h);
        mtm_batch_release(b);
    }
    if (batches)
        *batches = n;
    return h;
}

static inline void make_ragged(data_set *d)
{
    for (int i = 0; i < N; i++)
        d->fields[i][0].array.shape[0] = Z - i % 3;
}

#endif
