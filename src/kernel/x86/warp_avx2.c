/* kernel/x86/warp_avx2.c: the warp family with AVX2 and FMA.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <string.h>

#include "kernel/warp_fold.h"

/* ---- coordinates --------------------------------------------------------------------------------------- */

static inline __m256d fold4(__m256d s, const mtm_warp_fold *f)
{
    if (f->period > 0) {
        const __m256d period = _mm256_set1_pd(f->period), shift = _mm256_set1_pd(f->shift);

        s = _mm256_add_pd(s, shift);
        s = _mm256_sub_pd(s, _mm256_mul_pd(period, _mm256_floor_pd(_mm256_div_pd(s, period))));
        if (f->mirrors)
            s = _mm256_min_pd(s, _mm256_sub_pd(period, s));
        s = _mm256_sub_pd(s, shift);
    }
    return _mm256_max_pd(_mm256_min_pd(s, _mm256_set1_pd(f->hi)), _mm256_set1_pd(f->lo));
}

/* An axis' numbers in every lane. */
typedef struct axis4 {
    __m256d at, step, stride, top, inside_lo, inside_hi;
} axis4;

/* The loop for constant `bend` (NULL or not), `nearest` and `folds`, so that what is not wanted costs nothing. Bent: whether
 * all are inside. */
__attribute__((always_inline)) static inline bool locate(const mtm_warp_grid *g, const mtm_warp_row *row,
                                                         int64_t x0, int32_t n, const float *const *bend,
                                                         mtm_warp_taps *t, bool nearest, bool folds)
{
    const __m256d magic = _mm256_set1_pd(0x1.8p52); /* its low bits then hold a whole number */
    const __m256d first = _mm256_set1_pd((double)g->first);
    __m256d x = _mm256_add_pd(_mm256_set1_pd((double)x0 + 0.5), _mm256_set_pd(3, 2, 1, 0));
    mtm_warp_fold fold[3];
    axis4 axis[3];
    unsigned out = 0;

    for (int a = 0; a < 3; a++) {
        fold[a] = g->fold[a];
        axis[a].at = _mm256_set1_pd(row->at[a] - (nearest ? 0 : 0.5));
        axis[a].step = _mm256_set1_pd(row->step[a]);
        axis[a].stride = _mm256_set1_pd((double)g->stride[a]);
        axis[a].top = _mm256_set1_pd(g->fold[a].top);
        axis[a].inside_lo = _mm256_set1_pd(g->fold[a].inside_lo);
        axis[a].inside_hi = _mm256_set1_pd(g->fold[a].inside_hi);
        if (!folds)
            fold[a].period = 0;
    }
    for (int32_t i = 0; i < n; i += 4, x = _mm256_add_pd(x, _mm256_set1_pd(4))) {
        const unsigned wanted = n - i < 4 ? (1u << (n - i)) - 1 : 15;
        __m256d offset = first;

        for (int a = 0; a < 3; a++) {
            __m256d s = _mm256_add_pd(axis[a].at, _mm256_mul_pd(x, axis[a].step)), tap;

            if (bend) {
                const __m256d low = axis[a].inside_lo, high = axis[a].inside_hi;

                s = _mm256_add_pd(s, _mm256_cvtps_pd(_mm_loadu_ps(bend[a] + i)));
                out |= wanted & (unsigned)_mm256_movemask_pd(_mm256_or_pd(
                                    _mm256_cmp_pd(s, low, _CMP_NGE_UQ), _mm256_cmp_pd(s, high, _CMP_NLE_UQ)));
            }
            if (nearest) {
                tap = fold4(_mm256_floor_pd(s), &fold[a]);
            } else {
                s = fold4(s, &fold[a]);
                tap = _mm256_min_pd(_mm256_floor_pd(s), axis[a].top);
                _mm_store_ps(t->f[a] + i, _mm256_cvtpd_ps(_mm256_sub_pd(s, tap)));
            }
            offset = _mm256_fmadd_pd(tap, axis[a].stride, offset); /* whole, < 2⁵³: exact */
        }
        const __m256i whole =
            _mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(offset, magic)), _mm256_castpd_si256(magic));
        _mm256_store_si256((__m256i *)(t->offset + i), whole);
    }
    mtm_warp_taps_pad(t, n);
    return !out;
}

static inline bool has_folds(const mtm_warp_grid *g)
{
    return g->fold[0].period > 0 || g->fold[1].period > 0 || g->fold[2].period > 0;
}

void mtm_warp_locate_avx2(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                          mtm_warp_taps *t)
{
    const bool nearest = g->interp == MTM_NEAREST;

    if (!mtm_warp_row_is_near(row, x0, n))
        mtm_warp_locate_c(g, row, x0, n, t);
    else if (has_folds(g))
        nearest ? locate(g, row, x0, n, NULL, t, true, true) : locate(g, row, x0, n, NULL, t, false, true);
    else
        nearest ? locate(g, row, x0, n, NULL, t, true, false) : locate(g, row, x0, n, NULL, t, false, false);
}

bool mtm_warp_locate_bent_avx2(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
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

/* ---- linear -------------------------------------------------------------------------------------------- */

/* Both x taps of voxels 0, 1 | 4, 5 (k = 0) or 2, 3 | 6, 7 (k = 2). Each pair is one 64-bit load, which beats the gather
 * instruction more than twice on Zen 4. */
static __m256 pairs(const float *p, const int64_t *offset, int k)
{
    __m128 lo = _mm_castsi128_ps(_mm_loadl_epi64((const void *)(p + offset[k])));
    __m128 hi = _mm_castsi128_ps(_mm_loadl_epi64((const void *)(p + offset[k + 4])));

    lo = _mm_loadh_pi(lo, (const __m64 *)(const void *)(p + offset[k + 1]));
    hi = _mm_loadh_pi(hi, (const __m64 *)(const void *)(p + offset[k + 5]));
    return _mm256_set_m128(hi, lo);
}

static __m256 mix8(__m256 a, __m256 b, __m256 f)
{
    return _mm256_fmadd_ps(f, _mm256_sub_ps(b, a), a);
}

/* The four rows around four voxels, mixed along y and z: pairs along x remain. */
static __m256 rows(const float *p, const int64_t *offset, const int64_t pair[3], int k, __m256 fy, __m256 fz)
{
    const float *const q = p + pair[2];

    return mix8(mix8(pairs(p, offset, k), pairs(p + pair[1], offset, k), fy),
                mix8(pairs(q, offset, k), pairs(q + pair[1], offset, k), fy), fz);
}

static void store_some(float *out, __m256 v, int32_t n)
{
    if (n >= 8)
        _mm256_storeu_ps(out, v);
    else
        _mm256_maskstore_ps(
            out, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0)), v);
}

void mtm_warp_linear_avx2(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t pair[3],
                          float *out)
{
    if (pair[0] == 0) { /* there is no second tap to load with the first */
        mtm_warp_linear_c(data, t, n, pair, out);
        return;
    }
    for (int32_t i = 0; i < n; i += 8) {
        const __m256 fy = _mm256_load_ps(t->f[1] + i), fz = _mm256_load_ps(t->f[2] + i);
        const __m256 a =
            rows(data, t->offset + i, pair, 0, _mm256_unpacklo_ps(fy, fy), _mm256_unpacklo_ps(fz, fz));
        const __m256 b =
            rows(data, t->offset + i, pair, 2, _mm256_unpackhi_ps(fy, fy), _mm256_unpackhi_ps(fz, fz));

        store_some(
            out + i,
            mix8(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd), _mm256_load_ps(t->f[0] + i)),
            n - i);
    }
}

/* Eight of the four rows around the row, mixed along y and z. */
static __m256 rows8(const float *p, const int64_t pair[3], __m256 fy, __m256 fz)
{
    const float *const q = p + pair[2];

    return mix8(mix8(_mm256_loadu_ps(p), _mm256_loadu_ps(p + pair[1]), fy),
                mix8(_mm256_loadu_ps(q), _mm256_loadu_ps(q + pair[1]), fy), fz);
}

void mtm_warp_straight_avx2(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t pair[3],
                            float *out)
{
    const int64_t a = t->offset[0], b = t->offset[n - 1], lo = a < b ? a : b;
    const int64_t span = (a < b ? b - a : a - b) + 2;
    _Alignas(32) float row[MTM_WARP_SPAN + 2];
    const __m256 fy = _mm256_set1_ps(t->f[1][0]), fz = _mm256_set1_ps(t->f[2][0]);

    if (span < 8) { /* nothing beyond the taps may be read */
        mtm_warp_linear_avx2(data, t, n, pair, out);
        return;
    }
    for (int64_t k = 0; k + 8 <= span; k += 8)
        _mm256_storeu_ps(row + k, rows8(data + lo + k, pair, fy, fz));
    if (span % 8)
        _mm256_storeu_ps(row + span - 8, rows8(data + lo + span - 8, pair, fy, fz));
    for (int32_t i = 0; i < n; i += 8) {
        int64_t at[8];

        for (int k = 0; k < 8; k++)
            at[k] = t->offset[i + k] - lo;
        const __m256 even = pairs(row, at, 0), odd = pairs(row, at, 2);

        store_some(out + i,
                   mix8(_mm256_shuffle_ps(even, odd, 0x88), _mm256_shuffle_ps(even, odd, 0xdd),
                        _mm256_load_ps(t->f[0] + i)),
                   n - i);
    }
}

/* ---- cubic --------------------------------------------------------------------------------------------- */

/* Weights of taps −1 … +2 for eight voxels; kernel/warp.c has the formulas. */
static void weights8(const float *f, __m256 w[4])
{
    const __m256 t = _mm256_load_ps(f), u = _mm256_sub_ps(_mm256_set1_ps(1), t);
    const __m256 sixth = _mm256_set1_ps(1.0f / 6), half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1);
    const __m256 tt = _mm256_mul_ps(t, t), uu = _mm256_mul_ps(u, u);

    w[0] = _mm256_mul_ps(_mm256_mul_ps(uu, u), sixth);
    w[1] = _mm256_fnmadd_ps(tt, _mm256_fnmadd_ps(half, t, one), _mm256_set1_ps(2.0f / 3));
    w[2] = _mm256_fnmadd_ps(uu, _mm256_fnmadd_ps(half, u, one), _mm256_set1_ps(2.0f / 3));
    w[3] = _mm256_mul_ps(_mm256_mul_ps(tt, t), sixth);
}

/* The 16 rows of four coefficients around one voxel, summed along y and z: four x taps remain. */
static __m128 column(const float *p, const int64_t stride[3], const float wy[4][8], const float wz[4][8],
                     int lane)
{
    const __m128 y0 = _mm_set1_ps(wy[0][lane]), y1 = _mm_set1_ps(wy[1][lane]);
    const __m128 y2 = _mm_set1_ps(wy[2][lane]), y3 = _mm_set1_ps(wy[3][lane]);
    __m128 sum = _mm_setzero_ps();

    for (int z = 0; z < 4; z++, p += stride[2]) {
        __m128 r = _mm_mul_ps(y0, _mm_loadu_ps(p));

        r = _mm_fmadd_ps(y1, _mm_loadu_ps(p + stride[1]), r);
        r = _mm_fmadd_ps(y2, _mm_loadu_ps(p + 2 * stride[1]), r);
        r = _mm_fmadd_ps(y3, _mm_loadu_ps(p + 3 * stride[1]), r);
        sum = _mm_fmadd_ps(_mm_set1_ps(wz[z][lane]), r, sum);
    }
    return sum;
}

void mtm_warp_cubic_avx2(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t stride[3],
                         float *out)
{
    const float *const first = data - stride[2] - stride[1] - 1;
    _Alignas(32) float wy[4][8], wz[4][8];
    __m256 w[4];

    for (int32_t i = 0; i < n; i += 8) {
        __m128 c[8];

        weights8(t->f[1] + i, w);
        for (int k = 0; k < 4; k++)
            _mm256_store_ps(wy[k], w[k]);
        weights8(t->f[2] + i, w);
        for (int k = 0; k < 4; k++)
            _mm256_store_ps(wz[k], w[k]);
        weights8(t->f[0] + i, w);
        for (int k = 0; k < 8; k++)
            c[k] = column(first + t->offset[i + k], stride, wy, wz, k);
        _MM_TRANSPOSE4_PS(c[0], c[1], c[2], c[3]);
        _MM_TRANSPOSE4_PS(c[4], c[5], c[6], c[7]);
        const __m256 low = _mm256_fmadd_ps(w[1], _mm256_set_m128(c[5], c[1]),
                                           _mm256_mul_ps(w[0], _mm256_set_m128(c[4], c[0])));
        const __m256 high = _mm256_fmadd_ps(w[3], _mm256_set_m128(c[7], c[3]),
                                            _mm256_mul_ps(w[2], _mm256_set_m128(c[6], c[2])));
        store_some(out + i, _mm256_add_ps(low, high), n - i);
    }
}

/* ---- B-spline prefilter -------------------------------------------------------------------------------- */

void mtm_spline_avx2(float *samples, int64_t n)
{
    const float pole = MTM_SPLINE_POLE, steady = 1 / (1 - pole);
    const __m256 z = _mm256_set1_ps(pole), six = _mm256_set1_ps(6);
    __m256 s[4];

    for (int j = 0; j < 4; j++)
        s[j] = _mm256_mul_ps(_mm256_loadu_ps(samples + 8 * j), _mm256_set1_ps(6 * steady));
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < 4; j++) {
            float *const p = samples + i * MTM_SPLINE_LANES + 8 * j;

            s[j] = _mm256_fmadd_ps(z, s[j], _mm256_mul_ps(six, _mm256_loadu_ps(p)));
            _mm256_storeu_ps(p, s[j]);
        }
    for (int j = 0; j < 4; j++)
        s[j] = _mm256_mul_ps(s[j], _mm256_set1_ps(-pole * steady));
    for (int64_t i = n - 1; i >= 0; i--)
        for (int j = 0; j < 4; j++) {
            float *const p = samples + i * MTM_SPLINE_LANES + 8 * j;

            s[j] = _mm256_fmsub_ps(z, s[j], _mm256_mul_ps(z, _mm256_loadu_ps(p)));
            _mm256_storeu_ps(p, s[j]);
        }
}

static void transpose8(const __m256 r[8], __m256 out[8])
{
    __m256 a[8], b[8];

    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        out[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        out[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

/* Samples k … k + 7 of eight lanes, which lie side by side in each row. */
static void load_tile(const float *const *row, int32_t at, float *out)
{
    __m256 r[8], c[8];

    for (int i = 0; i < 8; i++)
        r[i] = _mm256_loadu_ps(row[i] + at);
    transpose8(r, c);
    for (int i = 0; i < 8; i++)
        _mm256_storeu_ps(out + i * MTM_SPLINE_LANES, c[i]);
}

void mtm_spline_load_avx2(const float *const rows_in[MTM_SPLINE_LANES], int32_t lanes, const int32_t *map,
                          int64_t n, float value, float *out)
{
    const int32_t whole = lanes / 8 * 8;

    for (int64_t k = 0; k < n;) {
        const bool tile =
            k + 8 <= n && map[k] >= 0 && map[k + 7] == map[k] + 7; /* a border repeats or turns */
        const int64_t end = tile ? k + 8 : k + 1;

        for (int32_t j = 0; tile && j < whole; j += 8)
            load_tile(rows_in + j, map[k], out + k * MTM_SPLINE_LANES + j);
        for (int64_t i = k; i < end; i++)
            for (int32_t j = tile ? whole : 0; j < MTM_SPLINE_LANES; j++)
                out[i * MTM_SPLINE_LANES + j] = j >= lanes ? 0 : map[i] < 0 ? value : rows_in[j][map[i]];
        k = end;
    }
}

void mtm_spline_store_avx2(const float *in, int64_t n, float *const rows_out[MTM_SPLINE_LANES], int32_t lanes)
{
    const int32_t whole = lanes / 8 * 8;
    const int64_t tiled = n / 8 * 8;

    for (int32_t j = 0; j < whole; j += 8)
        for (int64_t k = 0; k < tiled; k += 8) {
            __m256 r[8], c[8];

            for (int i = 0; i < 8; i++)
                r[i] = _mm256_loadu_ps(in + (k + i) * MTM_SPLINE_LANES + j);
            transpose8(r, c);
            for (int i = 0; i < 8; i++)
                _mm256_storeu_ps(rows_out[j + i] + k, c[i]);
        }
    for (int32_t j = 0; j < lanes; j++)
        for (int64_t k = j < whole ? tiled : 0; k < n; k++)
            rows_out[j][k] = in[k * MTM_SPLINE_LANES + j];
}
