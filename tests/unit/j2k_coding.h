/* tests/unit/j2k_coding.h: what the tests of the encoder begin with: contexts, planes of any depth, filled in several ways.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_J2K_CODING_H
#define MTM_TESTS_J2K_CODING_H

#include "unit.h"

#include <math.h>

#include "base/pool.h"
#include "base/rng.h"
#include "codec/j2k/encode.h"

enum { MOST_SIDE = 300, MOST_PLANES = 4 };

/* Planes of one image, of any sizes. */
typedef struct picture {
    mtm_array planes[MOST_PLANES];
    int32_t n;
} picture;

typedef struct fixture {
    mtm_codec_ctx *ctx;
    mtm_pool *pool;
    mtm_bytes out;
} fixture;

static inline int setup(void **state)
{
    static fixture f;
    mtm_error err;

    f = (fixture){.ctx = NULL};
    *state = &f;
    return mtm_codec_ctx_new(&f.ctx, &err) || mtm_pool_new(&f.pool, 2, &err);
}

static inline int teardown(void **state)
{
    fixture *const f = *state;

    mtm_bytes_drop(&f->out);
    mtm_pool_free(f->pool);
    mtm_codec_ctx_free(f->ctx);
    return 0;
}

/* ---- pictures ----------------------------------------------------------------------------------------- */

static inline void put(const mtm_array *a, int64_t y, int64_t x, int64_t value)
{
    char *const at = (char *)a->data + y * a->stride[0] + x * a->stride[1];

    memcpy(at, &value, mtm_dtype_size(a->dtype)); /* little endian */
}

static inline int64_t get(const mtm_array *a, int64_t y, int64_t x)
{
    const char *const at = (const char *)a->data + y * a->stride[0] + x * a->stride[1];
    int64_t value = 0;

    memcpy(&value, at, mtm_dtype_size(a->dtype));
    if (a->dtype == MTM_I8 || a->dtype == MTM_I16 || a->dtype == MTM_I32) {
        const int shift = 64 - 8 * (int)mtm_dtype_size(a->dtype);

        value = (int64_t)((uint64_t)value << shift) >> shift;
    }
    return value;
}

static inline mtm_dtype dtype_for(int32_t bits, bool is_signed)
{
    return bits <= 8    ? (is_signed ? MTM_I8 : MTM_U8)
           : bits <= 16 ? (is_signed ? MTM_I16 : MTM_U16)
                        : (is_signed ? MTM_I32 : MTM_U32);
}

static inline mtm_array plane_new(int64_t h, int64_t w, mtm_dtype dtype)
{
    mtm_error err;
    mtm_array a;

    assert_ok(mtm_array_new(&a, dtype, 2, (int64_t[]){h, w}, NULL, &err));
    return a;
}

static inline void picture_drop(picture *p)
{
    for (int32_t i = 0; i < p->n; i++)
        mtm_array_drop(&p->planes[i]);
}

/* 0: noise; 1: a smooth surface; 2: only the ends of the range; 3: one value; 4: a few pixels. */
static inline void fill(const mtm_array *a, int32_t bits, int kind, mtm_rng *r)
{
    const bool is_signed = a->dtype == MTM_I8 || a->dtype == MTM_I16 || a->dtype == MTM_I32;
    const int64_t lo = is_signed ? -(INT64_C(1) << (bits - 1)) : 0, range = INT64_C(1) << bits;
    const int64_t one = (int64_t)mtm_rng_below(r, (uint64_t)range);

    for (int64_t y = 0; y < a->shape[0]; y++)
        for (int64_t x = 0; x < a->shape[1]; x++) {
            const double surface = 0.5 + 0.45 * sin((double)x / 17 + (double)y / 29);
            const int64_t v = kind == 0   ? (int64_t)mtm_rng_below(r, (uint64_t)range)
                              : kind == 1 ? (int64_t)(surface * (double)(range - 1))
                              : kind == 2 ? (mtm_rng_below(r, 2) ? range - 1 : 0)
                              : kind == 3
                                  ? one
                                  : (mtm_rng_below(r, 40) ? 0 : (int64_t)mtm_rng_below(r, (uint64_t)range));

            put(a, y, x, lo + v);
        }
}

static inline void assert_planes_equal(const mtm_array *a, const mtm_array *b)
{
    assert_int_equal(a->shape[0], b->shape[0]);
    assert_int_equal(a->shape[1], b->shape[1]);
    for (int64_t y = 0; y < a->shape[0]; y++)
        for (int64_t x = 0; x < a->shape[1]; x++) {
            if (get(a, y, x) != get(b, y, x))
                fail_msg("row %d, column %d: %lld instead of %lld", (int)y, (int)x, (long long)get(b, y, x),
                         (long long)get(a, y, x));
        }
}

#endif
