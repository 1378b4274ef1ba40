/* tests/check/check_stats.c: moments and brackets of every variant against the C reference.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/size.h"

typedef struct values { /* one case's input in both precisions */
    float *f32;
    double *f64;
    uint8_t *keep; /* or NULL */
    bool skip_zero;
} values;

static values draw(mtm_check *c, int i, size_t n)
{
    const double offset = i % 5 == 4 ? 1e6 : 0;
    values v = {mtm_check_alloc(c, n * 4, 4), mtm_check_alloc(c, n * 8, 8), NULL, i % 3 == 1};

    mtm_check_fill_f32(c, v.f32, n, offset - 50, offset + 200, i % 4 == 3);
    for (size_t k = 0; k < n; k++) {
        if (mtm_check_below(c, 4) == 0)
            v.f32[k] = 0;
        if (fabsf(v.f32[k]) > 1e20f && isfinite(v.f32[k])) /* squares of 1e38 swamp every other sum */
            v.f32[k] = 1e4f;
        v.f64[k] = (double)v.f32[k];
    }
    if (i % 2) {
        v.keep = mtm_check_alloc(c, n, 1);
        for (size_t k = 0; k < n; k++)
            v.keep[k] = (uint8_t)(v.keep[k] > 100 ? v.keep[k] : 0);
    }
    return v;
}

/* Counts and ends equal; sums within 1e-12 of the sums of magnitudes. */
static void compare(mtm_check *c, const mtm_moments *a, const mtm_moments *b)
{
    const double bound = 1e-12 * (a->sum2 + (double)a->count);

    mtm_check_i64(c, "count", a->count, b->count);
    mtm_check_i64(c, "non-finite", a->non_finite, b->non_finite);
    mtm_check_f64(c, "min", &a->min, &b->min, 1, 0, 0);
    mtm_check_f64(c, "max", &a->max, &b->max, 1, 0, 0);
    mtm_check_f64(c, "shift", &a->shift, &b->shift, 1, 0, 0);
    mtm_check_f64(c, "sum", &a->sum, &b->sum, 1, 0, bound);
    mtm_check_f64(c, "sum of squares", &a->sum2, &b->sum2, 1, 0, bound);
}

static void check_moments(mtm_check *c, bool doubles)
{
    for (int i = 0; i < 4 * MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i % MTM_CHECK_SIZES);
        const values v = draw(c, i, n);
        mtm_moments a = mtm_moments_none(), b = a;

        for (int twice = 0; twice < 2; twice++) { /* once from nothing, once onto what is there */
            if (doubles) {
                c->ref.stats.moments_f64(&a, v.f64, v.keep, v.skip_zero, n);
                c->now.stats.moments_f64(&b, v.f64, v.keep, v.skip_zero, n);
            } else {
                c->ref.stats.moments_f32(&a, v.f32, v.keep, v.skip_zero, n);
                c->now.stats.moments_f32(&b, v.f32, v.keep, v.skip_zero, n);
            }
            compare(c, &a, &b);
        }
        mtm_check_case_end(c);
    }
    const values v = draw(c, 0, 4096);
    mtm_moments a = mtm_moments_none(), b = a;
    if (doubles)
        mtm_check_bench(c, 4096, c->ref.stats.moments_f64(&a, v.f64, NULL, false, 4096),
                        c->now.stats.moments_f64(&b, v.f64, NULL, false, 4096));
    else
        mtm_check_bench(c, 4096, c->ref.stats.moments_f32(&a, v.f32, NULL, false, 4096),
                        c->now.stats.moments_f32(&b, v.f32, NULL, false, 4096));
}

static void check_bracket(mtm_check *c, bool doubles)
{
    static const float ends[][4] = {
        {-10, 5, 20, 21}, {0, 0, 150, 150}, {-INFINITY, 0, 100, INFINITY}, {1e4f, 1e4f, -INFINITY, INFINITY}};

    const size_t size = doubles ? 8 : 4;

    for (int i = 0; i < 4 * MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i % MTM_CHECK_SIZES);
        const values v = draw(c, i, n);
        const int64_t room = i % 7 ? (int64_t)n : (int64_t)n / 16;
        mtm_bracket a[2], b[2];

        for (int k = 0; k < 2; k++) {
            const float *const e = ends[mtm_check_below(c, 4)] + 2 * k;
            a[k] = b[k] = (mtm_bracket){.lo = e[0], .hi = e[1], .room = room};
            a[k].found = mtm_check_alloc(c, (size_t)(room + 15) * size, size);
            b[k].found = mtm_check_alloc(c, (size_t)(room + 15) * size, size);
        }
        if (doubles)
            c->ref.select.bracket_f64(a, v.f64, v.keep, n), c->now.select.bracket_f64(b, v.f64, v.keep, n);
        else
            c->ref.select.bracket_f32(a, v.f32, v.keep, n), c->now.select.bracket_f32(b, v.f32, v.keep, n);
        for (int k = 0; k < 2; k++) {
            mtm_check_i64(c, "below", a[k].below, b[k].below);
            mtm_check_i64(c, "at lo", a[k].at_lo, b[k].at_lo);
            mtm_check_i64(c, "inside", a[k].inside, b[k].inside);
            mtm_check_i64(c, "at hi", a[k].at_hi, b[k].at_hi);
            mtm_check_bytes(c, "found", a[k].found, b[k].found,
                            (size_t)mtm_min_i64(a[k].inside, room) * size);
        }
        mtm_check_case_end(c);
    }
    if (doubles)
        return;
    const values v = draw(c, 0, 4096);
    float found[2][4096 + 16];
    mtm_bracket b[2] = {{.lo = -50, .hi = -45, .found = found[0]}, {.lo = 195, .hi = 200, .found = found[1]}};
    mtm_check_bench(c, 4096, c->ref.select.bracket_f32(b, v.f32, NULL, 4096),
                    c->now.select.bracket_f32(b, v.f32, NULL, 4096));
}

static void check_range(mtm_check *c)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        float *const x = mtm_check_alloc(c, n * sizeof *x, sizeof *x);
        mtm_moments a = mtm_moments_none(), b = a;

        mtm_check_fill_f32(c, x, n, -100, 100, i % 2);
        c->ref.stats.range_f32(&a, x, n), c->now.stats.range_f32(&b, x, n);
        mtm_check_i64(c, "count", a.count, b.count);
        mtm_check_i64(c, "non_finite", a.non_finite, b.non_finite);
        mtm_check_f64(c, "min", &a.min, &b.min, 1, 0, 0);
        mtm_check_f64(c, "max", &a.max, &b.max, 1, 0, 0);
        mtm_check_case_end(c);
    }
}

void check_stats(mtm_check *c)
{
    if (mtm_check_kernel(c, "range float32", c->ref.stats.range_f32, c->now.stats.range_f32))
        check_range(c);
    if (mtm_check_kernel(c, "moments float32", c->ref.stats.moments_f32, c->now.stats.moments_f32))
        check_moments(c, false);
    if (mtm_check_kernel(c, "moments float64", c->ref.stats.moments_f64, c->now.stats.moments_f64))
        check_moments(c, true);
    if (mtm_check_kernel(c, "bracket float32", c->ref.select.bracket_f32, c->now.select.bracket_f32))
        check_bracket(c, false);
    if (mtm_check_kernel(c, "bracket float64", c->ref.select.bracket_f64, c->now.select.bracket_f64))
        check_bracket(c, true);
}
