/* kernel/x86/resample_avx512.c: resample's row kernels with AVX-512. Equal to kernel/resample.c but for fused products.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/resample.h"
#include "resample_x86.h"
#include "rows_avx512.h"

/* ---- along Z and Y ------------------------------------------------------------------------------------ */

/* 64 outputs at a time hide the latency of the sums; the rest 16 at a time, masked. */
#define DEFINE_COMBINE(name)                                                                                 \
    void mtm_combine_##name##_avx512(float *out, const void *const *rows, const float *weight, int32_t taps, \
                                     int64_t n)                                                              \
    {                                                                                                        \
        int64_t x = 0;                                                                                       \
                                                                                                             \
        for (; x + 64 <= n; x += 64) {                                                                       \
            __m512 w = _mm512_set1_ps(weight[0]), a[4];                                                      \
                                                                                                             \
            for (int i = 0; i < 4; i++)                                                                      \
                a[i] = _mm512_mul_ps(w, load_##name(rows[0], x + 16 * i, 0xffff));                           \
            for (int32_t j = 1; j < taps; j++) {                                                             \
                w = _mm512_set1_ps(weight[j]);                                                               \
                for (int i = 0; i < 4; i++)                                                                  \
                    a[i] = _mm512_fmadd_ps(w, load_##name(rows[j], x + 16 * i, 0xffff), a[i]);               \
            }                                                                                                \
            for (int i = 0; i < 4; i++)                                                                      \
                _mm512_storeu_ps(out + x + 16 * i, a[i]);                                                    \
        }                                                                                                    \
        for (; x < n; x += 16) {                                                                             \
            const __mmask16 m = n - x < 16 ? (__mmask16)((1u << (n - x)) - 1) : 0xffff;                      \
            __m512 a = _mm512_mul_ps(_mm512_set1_ps(weight[0]), load_##name(rows[0], x, m));                 \
                                                                                                             \
            for (int32_t j = 1; j < taps; j++)                                                               \
                a = _mm512_fmadd_ps(_mm512_set1_ps(weight[j]), load_##name(rows[j], x, m), a);               \
            _mm512_mask_storeu_ps(out + x, m, a);                                                            \
        }                                                                                                    \
    }
DEFINE_COMBINE(u8)
DEFINE_COMBINE(i8)
DEFINE_COMBINE(u16)
DEFINE_COMBINE(i16)
DEFINE_COMBINE(f32)

/* ---- along X ------------------------------------------------------------------------------------------ */

/* 16 outputs whose taps lie within 32 (64) voxels: two (four) registers hold them, and each tap is a permutation. */
static inline __m512 block_32(const float *row, const float *weight, __m512i index, int32_t taps)
{
    const __m512 a = _mm512_loadu_ps(row), b = _mm512_loadu_ps(row + 16);
    const __m512i one = _mm512_set1_epi32(1);
    __m512 sum = _mm512_setzero_ps();

    for (int32_t j = 0; j < taps; j++, weight += MTM_RESAMPLE_LANES) {
        const __m512 w = _mm512_load_ps(weight);
        const __mmask16 m = _mm512_cmp_ps_mask(w, _mm512_setzero_ps(), _CMP_NEQ_OQ);

        sum = _mm512_mask3_fmadd_ps(w, _mm512_permutex2var_ps(a, index, b), sum, m);
        index = _mm512_add_epi32(index, one);
    }
    return sum;
}

static inline __m512 block_64(const float *row, const float *weight, __m512i index, int32_t taps)
{
    const __m512 a = _mm512_loadu_ps(row), b = _mm512_loadu_ps(row + 16);
    const __m512 c = _mm512_loadu_ps(row + 32), d = _mm512_loadu_ps(row + 48);
    const __m512i one = _mm512_set1_epi32(1), upper = _mm512_set1_epi32(32);
    __m512 sum = _mm512_setzero_ps();

    for (int32_t j = 0; j < taps; j++, weight += MTM_RESAMPLE_LANES) {
        const __m512 w = _mm512_load_ps(weight);
        const __mmask16 m = _mm512_cmp_ps_mask(w, _mm512_setzero_ps(), _CMP_NEQ_OQ);
        const __m512 v =
            _mm512_mask_blend_ps(_mm512_test_epi32_mask(index, upper), _mm512_permutex2var_ps(a, index, b),
                                 _mm512_permutex2var_ps(c, index, d));

        sum = _mm512_mask3_fmadd_ps(w, v, sum, m);
        index = _mm512_add_epi32(index, one);
    }
    return sum;
}

static inline __m512 block_any(const float *row, const float *weight, __m512i index, int32_t taps)
{
    const __m512i one = _mm512_set1_epi32(1);
    __m512 sum = _mm512_setzero_ps();

    for (int32_t j = 0; j < taps; j++, weight += MTM_RESAMPLE_LANES) {
        const __m512 w = _mm512_load_ps(weight);
        const __mmask16 m = _mm512_cmp_ps_mask(w, _mm512_setzero_ps(), _CMP_NEQ_OQ);

        sum = _mm512_mask3_fmadd_ps(w, _mm512_mask_i32gather_ps(sum, m, index, row, 4), sum, m);
        index = _mm512_add_epi32(index, one);
    }
    return sum;
}

#define DEFINE_ACROSS(name, block)                                                                           \
    static void name(float *out, const float *row, const mtm_resample_line *x)                               \
    {                                                                                                        \
        const float *weight = x->lane_weight;                                                                \
                                                                                                             \
        for (int64_t i = 0, b = 0; i < x->count; i += MTM_RESAMPLE_LANES, b++) {                             \
            const __mmask16 m = x->count - i < 16 ? (__mmask16)((1u << (x->count - i)) - 1) : 0xffff;        \
            const __m512i index = _mm512_load_si512(x->index + i);                                           \
                                                                                                             \
            _mm512_mask_storeu_ps(out + i, m, block(row + x->base[b], weight, index, x->taps));              \
            weight += (int64_t)x->taps * MTM_RESAMPLE_LANES;                                                 \
        }                                                                                                    \
    }
DEFINE_ACROSS(across_32, block_32)
DEFINE_ACROSS(across_64, block_64)
DEFINE_ACROSS(across_any, block_any)

void mtm_across_avx512(float *out, const float *row, const mtm_resample_line *x)
{
    if (x->span <= 32)
        across_32(out, row, x);
    else if (x->span <= 64)
        across_64(out, row, x);
    else
        across_any(out, row, x);
}
