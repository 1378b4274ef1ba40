/* kernel/x86/warp_avx512.c: the warp family with AVX-512, where that beats AVX2: coordinates and the prefilter. Gathering
 * is bound by its loads, whatever the width.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/warp_fold.h"

static inline __m512d floor8(__m512d x)
{
    return _mm512_roundscale_pd(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

static inline __m512d fold8(__m512d s, const mtm_warp_fold *f)
{
    if (f->period > 0) {
        const __m512d period = _mm512_set1_pd(f->period), shift = _mm512_set1_pd(f->shift);

        s = _mm512_add_pd(s, shift);
        s = _mm512_sub_pd(s, _mm512_mul_pd(period, floor8(_mm512_div_pd(s, period))));
        if (f->mirrors)
            s = _mm512_min_pd(s, _mm512_sub_pd(period, s));
        s = _mm512_sub_pd(s, shift);
    }
    return _mm512_max_pd(_mm512_min_pd(s, _mm512_set1_pd(f->hi)), _mm512_set1_pd(f->lo));
}

/* An axis' numbers in every lane. */
typedef struct axis8 {
    __m512d at, step, stride, top, inside_lo, inside_hi;
} axis8;

/* The loop for constant `bend` (NULL or not), `nearest` and `folds`, so that what is not wanted costs nothing. Bent: whether
 * all are inside. */
__attribute__((always_inline)) static inline bool locate(const mtm_warp_grid *g, const mtm_warp_row *row,
                                                         int64_t x0, int32_t n, const float *const *bend,
                                                         mtm_warp_taps *t, bool nearest, bool folds)
{
    const __m512d first = _mm512_set1_pd((double)g->first);
    __m512d x = _mm512_add_pd(_mm512_set1_pd((double)x0 + 0.5), _mm512_set_pd(7, 6, 5, 4, 3, 2, 1, 0));
    mtm_warp_fold fold[3];
    axis8 axis[3];
    unsigned out = 0;

    for (int a = 0; a < 3; a++) {
        fold[a] = g->fold[a];
        axis[a].at = _mm512_set1_pd(row->at[a] - (nearest ? 0 : 0.5));
        axis[a].step = _mm512_set1_pd(row->step[a]);
        axis[a].stride = _mm512_set1_pd((double)g->stride[a]);
        axis[a].top = _mm512_set1_pd(g->fold[a].top);
        axis[a].inside_lo = _mm512_set1_pd(g->fold[a].inside_lo);
        axis[a].inside_hi = _mm512_set1_pd(g->fold[a].inside_hi);
        if (!folds)
            fold[a].period = 0;
    }
    for (int32_t i = 0; i < n; i += 8, x = _mm512_add_pd(x, _mm512_set1_pd(8))) {
        const unsigned wanted = n - i < 8 ? (1u << (n - i)) - 1 : 255;
        __m512d offset = first;

        for (int a = 0; a < 3; a++) {
            __m512d s = _mm512_add_pd(axis[a].at, _mm512_mul_pd(x, axis[a].step)), tap;

            if (bend) {
                s = _mm512_add_pd(s, _mm512_cvtps_pd(_mm256_loadu_ps(bend[a] + i)));
                out |= wanted & (_mm512_cmp_pd_mask(s, axis[a].inside_lo, _CMP_NGE_UQ) |
                                 _mm512_cmp_pd_mask(s, axis[a].inside_hi, _CMP_NLE_UQ));
            }
            if (nearest) {
                tap = fold8(floor8(s), &fold[a]);
            } else {
                s = fold8(s, &fold[a]);
                tap = _mm512_min_pd(floor8(s), axis[a].top);
                _mm256_store_ps(t->f[a] + i, _mm512_cvtpd_ps(_mm512_sub_pd(s, tap)));
            }
            offset = _mm512_fmadd_pd(tap, axis[a].stride, offset); /* whole, < 2⁵³: exact */
        }
        _mm512_store_si512(t->offset + i, _mm512_cvttpd_epi64(offset));
    }
    mtm_warp_taps_pad(t, n);
    return !out;
}

/* Eight taps along one axis of which every voxel's coordinate is given; fractions, unless nearest. */
__attribute__((always_inline)) static inline __m512d tap8(__m512d s, const mtm_warp_fold *fold, bool nearest,
                                                          __m256 *f)
{
    const __m512d at = fold8(nearest ? floor8(s) : s, fold);
    __m512d tap;

    if (nearest)
        return at;
    tap = _mm512_min_pd(floor8(at), _mm512_set1_pd(fold->top));
    *f = _mm512_cvtpd_ps(_mm512_sub_pd(at, tap));
    return tap;
}

/* As locate, of a row that stays on one line of the input and meets no folds: y and z are found once. */
__attribute__((always_inline)) static inline void locate_straight(const mtm_warp_grid *g,
                                                                  const mtm_warp_row *row, int64_t x0,
                                                                  int32_t n, mtm_warp_taps *t, bool nearest)
{
    const double half = nearest ? 0 : 0.5;
    const __m512d step = _mm512_set1_pd(row->step[0]), at = _mm512_set1_pd(row->at[0] - half);
    __m512d x = _mm512_add_pd(_mm512_set1_pd((double)x0 + 0.5), _mm512_set_pd(7, 6, 5, 4, 3, 2, 1, 0));
    __m512d first = _mm512_set1_pd((double)g->first);
    __m256 f[3];
    mtm_warp_fold fold[3];

    for (int a = 0; a < 3; a++)
        fold[a] = g->fold[a], fold[a].period = 0;
    for (int a = 1; a < 3; a++) /* whole numbers below 2⁵³: exact in any order */
        first = _mm512_fmadd_pd(tap8(_mm512_set1_pd(row->at[a] - half), &fold[a], nearest, &f[a]),
                                _mm512_set1_pd((double)g->stride[a]), first);
    for (int32_t i = 0; i < n; i += 8, x = _mm512_add_pd(x, _mm512_set1_pd(8))) {
        const __m512d s = _mm512_add_pd(at, _mm512_mul_pd(x, step));
        const __m512d tap = tap8(s, &fold[0], nearest, &f[0]);

        for (int a = 0; a < 3 && !nearest; a++)
            _mm256_store_ps(t->f[a] + i, f[a]);
        _mm512_store_si512(t->offset + i, _mm512_cvttpd_epi64(_mm512_fmadd_pd(
                                              tap, _mm512_set1_pd((double)g->stride[0]), first)));
    }
    mtm_warp_taps_pad(t, n);
}

static inline bool has_folds(const mtm_warp_grid *g)
{
    return g->fold[0].period > 0 || g->fold[1].period > 0 || g->fold[2].period > 0;
}

void mtm_warp_locate_avx512(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                            mtm_warp_taps *t)
{
    const bool nearest = g->interp == MTM_NEAREST;

    if (!mtm_warp_row_is_near(row, x0, n))
        mtm_warp_locate_c(g, row, x0, n, t);
    else if (!has_folds(g) && row->step[1] == 0 && row->step[2] == 0)
        nearest ? locate_straight(g, row, x0, n, t, true) : locate_straight(g, row, x0, n, t, false);
    else if (has_folds(g))
        nearest ? locate(g, row, x0, n, NULL, t, true, true) : locate(g, row, x0, n, NULL, t, false, true);
    else
        nearest ? locate(g, row, x0, n, NULL, t, true, false) : locate(g, row, x0, n, NULL, t, false, false);
}

bool mtm_warp_locate_bent_avx512(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                                 const float *const bend[3], mtm_warp_taps *t)
{
    const bool nearest = g->interp == MTM_NEAREST;

    if (!mtm_warp_row_is_near(row, x0, n))
        return mtm_warp_locate_bent_c(g, row, x0, n, bend, t);
    if (has_folds(g))
        return nearest ? locate(g, row, x0, n, bend, t, true, true)
                       : locate(g, row, x0, n, bend, t, false, true);
    return nearest ? locate(g, row, x0, n, bend, t, true, false)
                   : locate(g, row, x0, n, bend, t, false, false);
}

void mtm_spline_avx512(float *samples, int64_t n)
{
    const float pole = MTM_SPLINE_POLE, steady = 1 / (1 - pole);
    const __m512 z = _mm512_set1_ps(pole), six = _mm512_set1_ps(6);
    __m512 s[2];

    for (int j = 0; j < 2; j++)
        s[j] = _mm512_mul_ps(_mm512_loadu_ps(samples + 16 * j), _mm512_set1_ps(6 * steady));
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < 2; j++) {
            float *const p = samples + i * MTM_SPLINE_LANES + 16 * j;

            s[j] = _mm512_fmadd_ps(z, s[j], _mm512_mul_ps(six, _mm512_loadu_ps(p)));
            _mm512_storeu_ps(p, s[j]);
        }
    for (int j = 0; j < 2; j++)
        s[j] = _mm512_mul_ps(s[j], _mm512_set1_ps(-pole * steady));
    for (int64_t i = n - 1; i >= 0; i--)
        for (int j = 0; j < 2; j++) {
            float *const p = samples + i * MTM_SPLINE_LANES + 16 * j;

            s[j] = _mm512_fmsub_ps(z, s[j], _mm512_mul_ps(z, _mm512_loadu_ps(p)));
            _mm512_storeu_ps(p, s[j]);
        }
}
