/* tests/check/check_convolve.c: convolve's row kernels: every variant against the C reference, within the rounding of fused
 * products.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>

#include "base/mem.h"
#include "base/size.h"

enum { MAX_RADIUS = 40 };

static const size_t row_bytes[] = {
    [MTM_ROW_U8] = 1, [MTM_ROW_I8] = 1, [MTM_ROW_U16] = 2, [MTM_ROW_I16] = 2, [MTM_ROW_F32] = 4};
static const double row_most[] = {
    [MTM_ROW_U8] = 255, [MTM_ROW_I8] = 128, [MTM_ROW_U16] = 65535, [MTM_ROW_I16] = 32768, [MTM_ROW_F32] = 1};

static void random_weights(mtm_check *c, float *w, int32_t radius)
{
    mtm_gaussian_weights(0.3 + radius / 4.0, radius, w);
    w[0] += (float)mtm_check_below(c, 3) - 1;
}

/* 2 ulp of Σ|weight · value|. */
static double bound(const float *w, int32_t radius, double most)
{
    double sum = fabs(w[0]);

    for (int32_t j = 1; j <= radius; j++)
        sum += 2 * fabs(w[j]);
    return 2 * sum * most * 0x1p-23;
}

static void check_pairs(mtm_check *c, mtm_row_type t)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        const int32_t radius = (int32_t)mtm_check_below(c, 9);
        float *const a[2] = {mtm_check_alloc(c, n * 4, 4), mtm_check_alloc(c, n * 4, 4)};
        float *const b[2] = {mtm_check_alloc(c, n * 4, 4), mtm_check_alloc(c, n * 4, 4)};
        const void *rows[18];
        float w[9];

        random_weights(c, w, radius);
        for (int32_t j = 0; j <= 2 * radius + 1; j++) {
            void *const row = mtm_check_alloc(c, n * row_bytes[t], row_bytes[t]);

            if (t == MTM_ROW_F32)
                mtm_check_fill_f32(c, row, n, -1, 1, false);
            rows[j] = row;
        }
        c->ref.convolve.pairs[t](a, rows, w, radius, (int64_t)n);
        c->now.convolve.pairs[t](b, rows, w, radius, (int64_t)n);
        for (int j = 0; j < 2; j++)
            mtm_check_f32(c, "pairs", a[j], b[j], n, 0, bound(w, radius, row_most[t]));
        mtm_check_case_end(c);
    }
}

static void check_along(mtm_check *c)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        const int32_t radius = (int32_t)mtm_check_below(c, MAX_RADIUS + 1);
        const size_t margin = (size_t)mtm_convolve_margin(radius),
                     room = ((n + 15) & ~(size_t)15) + 2 * margin;
        float *const a = mtm_check_alloc(c, n * sizeof *a, sizeof *a);
        float *const b = mtm_check_alloc(c, n * sizeof *b, sizeof *b);
        MTM_AUTO_MEM float *row = mtm_alloc_aligned(room * sizeof *row);
        float w[MAX_RADIUS + 1];

        random_weights(c, w, radius);
        for (size_t j = 0; j < room; j++) /* what `along` may read but not use */
            row[j] = NAN;
        mtm_check_fill_f32(c, row + margin - radius, n + 2 * (size_t)radius, -1, 1, false);
        c->ref.convolve.along(a, row + margin, w, radius, (int64_t)n);
        c->now.convolve.along(b, row + margin, w, radius, (int64_t)n);
        mtm_check_f32(c, "along", a, b, n, 0, bound(w, radius, 1));
        mtm_check_case_end(c);
    }
}

static void bench_rows(mtm_check *c, bool along)
{
    enum { N = 1024, RADIUS = 12 };
    const int64_t margin = mtm_convolve_margin(RADIUS);
    float *const out = mtm_check_alloc(c, N * sizeof *out, 64), *const both[2] = {
                                                                    out, mtm_check_alloc(c, N * 4, 64)};
    float *const rows = mtm_check_alloc(c, (size_t)((2 * RADIUS + 2) * N + 2 * margin) * sizeof *rows, 64);
    const void *taps[2 * RADIUS + 2];
    float w[RADIUS + 1];

    mtm_gaussian_weights(3, RADIUS, w);
    mtm_check_fill_f32(c, rows, (size_t)((2 * RADIUS + 2) * N + 2 * margin), -1, 1, false);
    for (int j = 0; j <= 2 * RADIUS + 1; j++)
        taps[j] = rows + j * N;
    if (along)
        mtm_check_bench(c, N, c->ref.convolve.along(out, rows + margin, w, RADIUS, N),
                        c->now.convolve.along(out, rows + margin, w, RADIUS, N));
    else
        mtm_check_bench(c, 2 * N, c->ref.convolve.pairs[MTM_ROW_F32](both, taps, w, RADIUS, N),
                        c->now.convolve.pairs[MTM_ROW_F32](both, taps, w, RADIUS, N));
    mtm_check_case_end(c);
}

void check_convolve(mtm_check *c)
{
    static const char *const names[] = {"pairs_u8", "pairs_i8", "pairs_u16", "pairs_i16", "pairs_f32"};

    for (int t = 0; t < MTM_N_ROW_TYPES; t++)
        if (mtm_check_kernel(c, names[t], c->ref.convolve.pairs[t], c->now.convolve.pairs[t])) {
            check_pairs(c, (mtm_row_type)t);
            if (t == MTM_ROW_F32)
                bench_rows(c, false);
        }
    if (mtm_check_kernel(c, "along", c->ref.convolve.along, c->now.convolve.along)) {
        check_along(c);
        bench_rows(c, true);
    }
}
