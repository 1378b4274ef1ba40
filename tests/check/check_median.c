/* tests/check/check_median.c: medians of every variant against the C reference: rows of networks, rows of ranks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>
#include <string.h>

/* Keys of random values, readable behind the n that count. */
static int32_t *draw_keys(mtm_check *c, size_t n, int i)
{
    float *const x = mtm_check_alloc(c, (n + MTM_MEDIAN_PAD) * sizeof *x, sizeof *x);
    int32_t *const keys = mtm_check_alloc(c, (n + MTM_MEDIAN_PAD) * sizeof *keys, sizeof *keys);

    mtm_check_fill_f32(c, x, n + MTM_MEDIAN_PAD, -3, 3, i % 2);
    for (size_t k = 0; k < n && i % 3 == 0; k++) /* many equal values */
        x[k] = truncf(x[k]);
    c->ref.median.keys(keys, x, n + MTM_MEDIAN_PAD);
    return keys;
}

static void check_keys(mtm_check *c)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        float *const x = mtm_check_alloc(c, n * sizeof *x, sizeof *x);
        int32_t *const a = mtm_check_alloc(c, n * sizeof *a, sizeof *a);
        int32_t *const b = mtm_check_alloc(c, n * sizeof *b, sizeof *b);

        mtm_check_fill_f32(c, x, n, -3, 3, true);
        c->ref.median.keys(a, x, n);
        c->now.median.keys(b, x, n);
        mtm_check_bytes(c, "keys", a, b, n * sizeof *a);
        mtm_check_case_end(c);
    }
}

static void run_box(const mtm_median_kernels *k, int rows, float *out, const int32_t *const *keys,
                    int32_t *temp, size_t pitch, size_t n)
{
    if (rows == 9)
        k->box27(out, keys, temp, pitch, n);
    else
        k->box9(out, keys, temp, pitch, n);
}

static void check_box(mtm_check *c, int rows)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i), pitch = n + MTM_MEDIAN_PAD;
        float *const a = mtm_check_alloc(c, n * sizeof *a, sizeof *a);
        float *const b = mtm_check_alloc(c, n * sizeof *b, sizeof *b);
        int32_t *const temp = mtm_check_alloc(c, (size_t)rows * pitch * sizeof *temp, sizeof *temp);
        const int32_t *keys[9];

        for (int k = 0; k < rows; k++)
            keys[k] = draw_keys(c, n + 2, i);
        if (n) {
            run_box(&c->ref.median, rows, a, keys, temp, pitch, n);
            run_box(&c->now.median, rows, b, keys, temp, pitch, n);
        }
        mtm_check_f32(c, "box", a, b, n, 0, 0);
        mtm_check_case_end(c);
    }
    enum { N = 512, PITCH = N + MTM_MEDIAN_PAD };
    const int32_t *keys[9];
    int32_t *const temp = mtm_check_alloc(c, 9 * PITCH * sizeof *temp, 64);
    float *const a = mtm_check_alloc(c, N * sizeof *a, 64);

    for (int k = 0; k < 9; k++)
        keys[k] = draw_keys(c, N + 2, 1);
    mtm_check_bench(c, N, run_box(&c->ref.median, rows, a, keys, temp, PITCH, N),
                    run_box(&c->now.median, rows, a, keys, temp, PITCH, N));
    mtm_check_case_end(c);
}

/* A permutation as ranks, and ascending keys. */
static void check_slide(mtm_check *c)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i) % 300;
        mtm_median_slide s = {.box = {1 + 2 * (i % 2), 1 + 2 * (i % 3), 1 + 2 * (i % 5)}};
        const size_t wide = n + (size_t)s.box[2], total = wide * (size_t)(s.box[0] * s.box[1]);
        uint32_t *const ranks = mtm_check_alloc(c, total * sizeof *ranks, sizeof *ranks);
        int32_t *const sorted = mtm_check_alloc(c, total * sizeof *sorted, sizeof *sorted);
        float *const a = mtm_check_alloc(c, n * sizeof *a, sizeof *a);
        float *const b = mtm_check_alloc(c, n * sizeof *b, sizeof *b);

        s.blocks = total / MTM_MEDIAN_BLOCK + 1;
        s.bits = mtm_check_alloc(c, s.blocks * MTM_MEDIAN_BLOCK / 8, 8);
        s.counts = mtm_check_alloc(c, s.blocks * sizeof *s.counts, sizeof *s.counts);
        s.ranks = ranks, s.sorted = sorted, s.row = wide, s.plane = wide * (size_t)s.box[1];
        for (size_t k = 0; k < total; k++) {
            const size_t other = (size_t)mtm_check_below(c, (int64_t)k + 1);

            ranks[k] = ranks[other], ranks[other] = (uint32_t)k;
            sorted[k] = (int32_t)k * 3 - 500;
        }
        c->ref.median.slide(a, &s, n);
        c->now.median.slide(b, &s, n);
        mtm_check_f32(c, "slide", a, b, n, 0, 0);
        mtm_check_case_end(c);
    }
}

void check_median(mtm_check *c)
{
    if (mtm_check_kernel(c, "keys", c->ref.median.keys, c->now.median.keys))
        check_keys(c);
    if (mtm_check_kernel(c, "box27", c->ref.median.box27, c->now.median.box27))
        check_box(c, 9);
    if (mtm_check_kernel(c, "box9", c->ref.median.box9, c->now.median.box9))
        check_box(c, 3);
    if (mtm_check_kernel(c, "slide", c->ref.median.slide, c->now.median.slide))
        check_slide(c);
}
