/* kernel/x86/stats_avx2.c: moments of float32, 8 numbers at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernel/stats.h"

/* One number; also sets the shift. */
static inline void add_one(mtm_moments *m, float v, bool kept, bool skip_zero)
{
    if (!kept || (skip_zero && v == 0))
        return;
    if (!isfinite(v)) {
        m->non_finite++;
        return;
    }
    if (m->count++ == 0)
        m->shift = (double)v;
    const double d = (double)v - m->shift;
    m->sum += d, m->sum2 += d * d;
    m->min = fmin(m->min, (double)v), m->max = fmax(m->max, (double)v);
}

static inline double add_lanes(__m256d v)
{
    const __m128d h = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));

    return _mm_cvtsd_f64(_mm_add_sd(h, _mm_unpackhi_pd(h, h)));
}

/* keep and skip_zero are constants at every call: the compiler makes four loops. n is a multiple of 8. */
static inline void sum_f32(mtm_moments *m, const float *x, const uint8_t *keep, bool skip_zero, size_t n)
{
    const __m256d shift = _mm256_set1_pd(m->shift);
    const __m256 inf = _mm256_set1_ps(INFINITY), none = _mm256_set1_ps(-INFINITY);
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
    __m256d s0 = _mm256_setzero_pd(), s1 = s0, q0 = s0, q1 = s0;
    __m256 lo = inf, hi = none;
    int64_t count = 0, wanted = 0;
    float lanes[2][8];

    for (size_t i = 0; i < n; i += 8) {
        const __m256 v = _mm256_loadu_ps(x + i);
        __m256 w = _mm256_castsi256_ps(_mm256_set1_epi32(-1));

        if (keep) {
            const __m256i k =
                _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(keep + i)));
            w = _mm256_castsi256_ps(_mm256_cmpgt_epi32(k, _mm256_setzero_si256()));
        }
        if (skip_zero)
            w = _mm256_and_ps(w, _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NEQ_UQ));
        const __m256 good = _mm256_and_ps(w, _mm256_cmp_ps(_mm256_and_ps(v, magnitude), inf, _CMP_LT_OQ));
        const __m256i g = _mm256_castps_si256(good);
        const __m256d g0 = _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(g)));
        const __m256d g1 = _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(g, 1)));
        const __m256d d0 =
            _mm256_and_pd(g0, _mm256_sub_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(v)), shift));
        const __m256d d1 =
            _mm256_and_pd(g1, _mm256_sub_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)), shift));

        wanted += __builtin_popcount((unsigned)_mm256_movemask_ps(w));
        count += __builtin_popcount((unsigned)_mm256_movemask_ps(good));
        lo = _mm256_min_ps(lo, _mm256_blendv_ps(inf, v, good));
        hi = _mm256_max_ps(hi, _mm256_blendv_ps(none, v, good));
        s0 = _mm256_add_pd(s0, d0), s1 = _mm256_add_pd(s1, d1);
        q0 = _mm256_fmadd_pd(d0, d0, q0), q1 = _mm256_fmadd_pd(d1, d1, q1);
    }
    m->sum += add_lanes(_mm256_add_pd(s0, s1)), m->sum2 += add_lanes(_mm256_add_pd(q0, q1));
    m->count += count, m->non_finite += wanted - count;
    _mm256_storeu_ps(lanes[0], lo), _mm256_storeu_ps(lanes[1], hi);
    for (int i = 0; i < 8; i++)
        m->min = fmin(m->min, (double)lanes[0][i]), m->max = fmax(m->max, (double)lanes[1][i]);
}

static void moments_f32(mtm_moments *m, const float *x, const uint8_t *keep, bool skip_zero, size_t n)
{
    size_t i = 0;

    while (i < n && (m->count == 0 || (n - i) % 8))
        add_one(m, x[i], !keep || keep[i], skip_zero), i++;
    if (keep && skip_zero)
        sum_f32(m, x + i, keep + i, true, n - i);
    else if (keep)
        sum_f32(m, x + i, keep + i, false, n - i);
    else if (skip_zero)
        sum_f32(m, x + i, NULL, true, n - i);
    else
        sum_f32(m, x + i, NULL, false, n - i);
}

static void range_f32(mtm_moments *m, const float *x, size_t n)
{
    const __m256 inf = _mm256_set1_ps(INFINITY), less = _mm256_set1_ps(-INFINITY),
                 sign = _mm256_set1_ps(-0.0f);
    __m256 lo = inf, hi = less;
    float some[8] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN}, low[8], high[8];
    int64_t count = 0;

    for (size_t i = 0; i < n; i += 8) {
        if (n - i < 8)
            memcpy(some, x + i, (n - i) * sizeof *x);
        const __m256 v = _mm256_loadu_ps(n - i < 8 ? some : x + i);
        const __m256 good = _mm256_cmp_ps(_mm256_andnot_ps(sign, v), inf, _CMP_LT_OQ);

        lo = _mm256_min_ps(lo, _mm256_blendv_ps(inf, v, good));
        hi = _mm256_max_ps(hi, _mm256_blendv_ps(less, v, good));
        count += __builtin_popcount((unsigned)_mm256_movemask_ps(good));
    }
    _mm256_storeu_ps(low, lo), _mm256_storeu_ps(high, hi);
    for (int i = 0; i < 8; i++)
        m->min = fmin(m->min, (double)low[i]), m->max = fmax(m->max, (double)high[i]);
    m->count += count, m->non_finite += (int64_t)n - count;
}

void mtm_stats_kernels_avx2(mtm_stats_kernels *k)
{
    k->moments_f32 = moments_f32, k->range_f32 = range_f32;
}
