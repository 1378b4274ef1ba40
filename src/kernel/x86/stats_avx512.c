/* kernel/x86/stats_avx512.c: moments, 16 (8) numbers at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <math.h>

#include "kernel/stats.h"

enum { NOT_FINITE = 0x99 }; /* vfpclass: quiet and signalling NaN, ±inf */

/* Numbers are added one at a time until the shift is set: their count. */
static size_t start_f32(mtm_moments *m, const float *x, const uint8_t *keep, bool skip_zero, size_t n)
{
    size_t i = 0;

    for (; i < n && m->count == 0; i++) {
        if ((keep && !keep[i]) || (skip_zero && x[i] == 0))
            continue;
        if (!isfinite(x[i]))
            m->non_finite++;
        else
            m->count = 1, m->shift = m->min = m->max = (double)x[i];
    }
    return i;
}

static size_t start_f64(mtm_moments *m, const double *x, const uint8_t *keep, bool skip_zero, size_t n)
{
    size_t i = 0;

    for (; i < n && m->count == 0; i++) {
        if ((keep && !keep[i]) || (skip_zero && x[i] == 0))
            continue;
        if (!isfinite(x[i]))
            m->non_finite++;
        else
            m->count = 1, m->shift = m->min = m->max = x[i];
    }
    return i;
}

static inline __mmask16 want_f32(__m512 v, const uint8_t *keep, __mmask16 valid, bool skip_zero)
{
    __mmask16 w = valid;

    if (keep) {
        const __m128i k = _mm_maskz_loadu_epi8(valid, keep);
        w = _mm_test_epi8_mask(k, k);
    }
    return skip_zero ? _mm512_mask_cmp_ps_mask(w, v, _mm512_setzero_ps(), _CMP_NEQ_UQ) : w;
}

/* keep, skip_zero and careful are constants at every call: the compiler makes a loop for each. Not careful: nothing is added, and
 * false comes back, where a wanted number is not finite. Squares of float32 do not overflow: only such a number spoils their sum. */
static inline bool sum_f32(mtm_moments *m, const float *x, const uint8_t *keep, bool skip_zero, bool careful,
                           size_t n)
{
    const __m512d shift = _mm512_set1_pd(m->shift);
    __m512d s0 = _mm512_setzero_pd(), s1 = s0, q0 = s0, q1 = s0;
    __m512 lo = _mm512_set1_ps(INFINITY), hi = _mm512_set1_ps(-INFINITY);
    int64_t count = 0, wanted = 0;

    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 valid = n - i >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << (n - i)) - 1);
        const __m512 v = _mm512_maskz_loadu_ps(valid, x + i);
        const __mmask16 w = want_f32(v, keep ? keep + i : NULL, valid, skip_zero);
        const __mmask16 good = careful ? w & (__mmask16)~_mm512_fpclass_ps_mask(v, NOT_FINITE) : w;
        const __m512d a = _mm512_cvtps_pd(_mm512_castps512_ps256(v));
        const __m512d b = _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
        const __m512d d0 = _mm512_maskz_sub_pd((__mmask8)good, a, shift);
        const __m512d d1 = _mm512_maskz_sub_pd((__mmask8)(good >> 8), b, shift);

        wanted += careful ? __builtin_popcount(w) : 0, count += __builtin_popcount(good);
        lo = _mm512_mask_min_ps(lo, good, lo, v), hi = _mm512_mask_max_ps(hi, good, hi, v);
        s0 = _mm512_add_pd(s0, d0), s1 = _mm512_add_pd(s1, d1);
        q0 = _mm512_fmadd_pd(d0, d0, q0), q1 = _mm512_fmadd_pd(d1, d1, q1);
    }
    const double sum2 = _mm512_reduce_add_pd(_mm512_add_pd(q0, q1));
    if (!careful && !isfinite(sum2))
        return false;
    m->sum += _mm512_reduce_add_pd(_mm512_add_pd(s0, s1));
    m->sum2 += sum2;
    m->count += count, m->non_finite += careful ? wanted - count : 0;
    m->min = fmin(m->min, (double)_mm512_reduce_min_ps(lo));
    m->max = fmax(m->max, (double)_mm512_reduce_max_ps(hi));
    return true;
}

static inline void try_f32(mtm_moments *m, const float *x, const uint8_t *keep, bool skip_zero, size_t n)
{
    if (!sum_f32(m, x, keep, skip_zero, false, n))
        sum_f32(m, x, keep, skip_zero, true, n);
}

static void moments_f32(mtm_moments *m, const float *x, const uint8_t *keep, bool skip_zero, size_t n)
{
    const size_t i = m->count ? 0 : start_f32(m, x, keep, skip_zero, n);

    x += i, n -= i;
    if (keep && skip_zero)
        try_f32(m, x, keep + i, true, n);
    else if (keep)
        try_f32(m, x, keep + i, false, n);
    else if (skip_zero)
        try_f32(m, x, NULL, true, n);
    else
        try_f32(m, x, NULL, false, n);
}

static void moments_f64(mtm_moments *m, const double *x, const uint8_t *keep, bool skip_zero, size_t n)
{
    size_t i = m->count ? 0 : start_f64(m, x, keep, skip_zero, n);
    const __m512d shift = _mm512_set1_pd(m->shift);
    __m512d s = _mm512_setzero_pd(), q = s, lo = _mm512_set1_pd(INFINITY), hi = _mm512_set1_pd(-INFINITY);
    int64_t count = 0, wanted = 0;

    for (; i < n; i += 8) {
        const __mmask8 valid = n - i >= 8 ? (__mmask8)0xFF : (__mmask8)((1u << (n - i)) - 1);
        const __m512d v = _mm512_maskz_loadu_pd(valid, x + i);
        __mmask8 w = valid;

        if (keep) {
            const __m128i k = _mm_maskz_loadu_epi8(valid, keep + i);
            w = (__mmask8)_mm_test_epi8_mask(k, k);
        }
        if (skip_zero)
            w = _mm512_mask_cmp_pd_mask(w, v, _mm512_setzero_pd(), _CMP_NEQ_UQ);
        const __mmask8 good = w & (__mmask8)~_mm512_fpclass_pd_mask(v, NOT_FINITE);
        const __m512d d = _mm512_maskz_sub_pd(good, v, shift);
        wanted += __builtin_popcount(w), count += __builtin_popcount(good);
        lo = _mm512_mask_min_pd(lo, good, lo, v), hi = _mm512_mask_max_pd(hi, good, hi, v);
        s = _mm512_add_pd(s, d), q = _mm512_fmadd_pd(d, d, q);
    }
    m->sum += _mm512_reduce_add_pd(s), m->sum2 += _mm512_reduce_add_pd(q);
    m->count += count, m->non_finite += wanted - count;
    m->min = fmin(m->min, _mm512_reduce_min_pd(lo)), m->max = fmax(m->max, _mm512_reduce_max_pd(hi));
}

static void range_f32(mtm_moments *m, const float *x, size_t n)
{
    __m512 lo = _mm512_set1_ps(INFINITY), hi = _mm512_set1_ps(-INFINITY);
    int64_t count = 0;

    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 valid = n - i >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << (n - i)) - 1);
        const __m512 v = _mm512_maskz_loadu_ps(valid, x + i);
        const __mmask16 good = valid & (__mmask16)~_mm512_fpclass_ps_mask(v, NOT_FINITE);

        lo = _mm512_mask_min_ps(lo, good, lo, v), hi = _mm512_mask_max_ps(hi, good, hi, v);
        count += __builtin_popcount(good);
    }
    m->count += count, m->non_finite += (int64_t)n - count;
    m->min = fmin(m->min, (double)_mm512_reduce_min_ps(lo));
    m->max = fmax(m->max, (double)_mm512_reduce_max_ps(hi));
}

void mtm_stats_kernels_avx512(mtm_stats_kernels *k)
{
    k->moments_f32 = moments_f32, k->moments_f64 = moments_f64;
    k->range_f32 = range_f32;
}
