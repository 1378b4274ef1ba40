/* tests/check/check_fft.c: Fourier transforms of 16 lines: every variant gives the reference's bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/mem.h"

static const int64_t lengths[] = {1,  2,   3,   4,   5,   6,   7,   8,   9,   11,  12,  13,
                                  15, 16,  20,  25,  29,  31,  36,  37,  49,  53,  64,  77,
                                  96, 100, 121, 127, 128, 131, 160, 169, 192, 200, 256, 257};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* Two copies of the same points. */
static void fill_pair(mtm_check *c, float *a, float *b, size_t n)
{
    mtm_check_fill_f32(c, a, n, -100, 100, false);
    memcpy(b, a, n * sizeof *a);
}

typedef void transform_fn(const mtm_fft_plan *p, float *x, float *scratch);

static void check_transform(mtm_check *c, const char *what, transform_fn *ref, transform_fn *now)
{
    for (int i = 0; i < LENGTHS; i++) {
        const size_t n = (size_t)lengths[i] * MTM_FFT_FLOATS;
        float *const a = mtm_check_alloc(c, n * sizeof *a, 64), *const b =
                                                                    mtm_check_alloc(c, n * sizeof *b, 64);
        float *const scratch = mtm_check_alloc(c, mtm_fft_scratch_bytes(lengths[i]), 64);
        mtm_fft_plan plan;

        mtm_fft_plan_make(&plan, lengths[i], mtm_check_alloc(c, mtm_fft_plan_bytes(lengths[i]), 64));
        fill_pair(c, a, b, n);
        ref(&plan, a, scratch), now(&plan, b, scratch);
        mtm_check_bytes(c, what, a, b, n * sizeof *a);
        if (lengths[i] == 128 || lengths[i] == 127 || lengths[i] == 96)
            mtm_check_bench(c, n / 2, ref(&plan, a, scratch), now(&plan, b, scratch));
        mtm_check_case_end(c);
    }
}

static void check_weigh(mtm_check *c)
{
    for (int i = 0; i < 40; i++) {
        const size_t n = mtm_check_size(c, i), floats = n * MTM_FFT_FLOATS;
        float *const a = mtm_check_alloc(c, floats * sizeof *a, 64), *const b = mtm_check_alloc(
                                                                         c, floats * sizeof *b, 64);
        float *const w = mtm_check_alloc(c, n * sizeof *w, sizeof *w);

        mtm_check_fill_f32(c, w, n, -2, 2, true);
        fill_pair(c, a, b, floats);
        c->ref.fft.weigh(a, w, (int64_t)n), c->now.fft.weigh(b, w, (int64_t)n);
        mtm_check_f32(c, "weigh", a, b, floats, 0, 0);
        mtm_check_case_end(c);
    }
}

static void check_halves(mtm_check *c, bool joining)
{
    for (int i = 0; i < LENGTHS; i++) {
        const size_t n = (size_t)lengths[i] * MTM_FFT_FLOATS, point = MTM_FFT_FLOATS * sizeof(float);
        const int64_t k = mtm_check_below(c, lengths[i] / 2 + 1);
        float *const x = mtm_check_alloc(c, n * sizeof *x, 64), *const y =
                                                                    mtm_check_alloc(c, n * sizeof *y, 64);
        float *h[4];
        mtm_fft_plan plan;

        mtm_fft_plan_make(&plan, lengths[i], mtm_check_alloc(c, mtm_fft_plan_bytes(lengths[i]), 64));
        fill_pair(c, x, y, n);
        for (int j = 0; j < 4; j++)
            h[j] = mtm_check_alloc(c, point, 64);
        fill_pair(c, h[0], h[2], MTM_FFT_FLOATS), fill_pair(c, h[1], h[3], MTM_FFT_FLOATS);
        if (joining)
            c->ref.fft.join(&plan, x, k, h[0], h[1]), c->now.fft.join(&plan, y, k, h[2], h[3]);
        else
            c->ref.fft.split(&plan, x, k, h[0], h[1]), c->now.fft.split(&plan, y, k, h[2], h[3]);
        mtm_check_bytes(c, "a", h[0], h[2], point);
        mtm_check_bytes(c, "b", h[1], h[3], point);
        mtm_check_bytes(c, "x", x, y, n * sizeof *x);
        mtm_check_case_end(c);
    }
}

void check_fft(mtm_check *c)
{
    if (mtm_check_kernel(c, "forward", c->ref.fft.forward, c->now.fft.forward))
        check_transform(c, "forward", c->ref.fft.forward, c->now.fft.forward);
    if (mtm_check_kernel(c, "inverse", c->ref.fft.inverse, c->now.fft.inverse))
        check_transform(c, "inverse", c->ref.fft.inverse, c->now.fft.inverse);
    if (mtm_check_kernel(c, "weigh", c->ref.fft.weigh, c->now.fft.weigh))
        check_weigh(c);
    if (mtm_check_kernel(c, "split", c->ref.fft.split, c->now.fft.split))
        check_halves(c, false);
    if (mtm_check_kernel(c, "join", c->ref.fft.join, c->now.fft.join))
        check_halves(c, true);
}
