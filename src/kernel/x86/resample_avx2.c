/* kernel/x86/resample_avx2.c: resample's row kernels with AVX2 and FMA. Equal to kernel/resample.c but for fused products.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/resample.h"
#include "resample_x86.h"
#include "rows_avx2.h"

/* ---- along Z and Y ------------------------------------------------------------------------------------ */

#define DEFINE_COMBINE(name, type)                                                                           \
    void mtm_combine_##name##_avx2(float *out, const void *const *rows, const float *weight, int32_t taps,   \
                                   int64_t n)                                                                \
    {                                                                                                        \
        int64_t x = 0;                                                                                       \
                                                                                                             \
        for (; x + 32 <= n; x += 32) {                                                                       \
            __m256 w = _mm256_set1_ps(weight[0]), a[4];                                                      \
                                                                                                             \
            for (int i = 0; i < 4; i++)                                                                      \
                a[i] = _mm256_mul_ps(w, load_##name(rows[0], x + 8 * i));                                    \
            for (int32_t j = 1; j < taps; j++) {                                                             \
                w = _mm256_set1_ps(weight[j]);                                                               \
                for (int i = 0; i < 4; i++)                                                                  \
                    a[i] = _mm256_fmadd_ps(w, load_##name(rows[j], x + 8 * i), a[i]);                        \
            }                                                                                                \
            for (int i = 0; i < 4; i++)                                                                      \
                _mm256_storeu_ps(out + x + 8 * i, a[i]);                                                     \
        }                                                                                                    \
        for (; x + 8 <= n; x += 8) {                                                                         \
            __m256 a = _mm256_mul_ps(_mm256_set1_ps(weight[0]), load_##name(rows[0], x));                    \
                                                                                                             \
            for (int32_t j = 1; j < taps; j++)                                                               \
                a = _mm256_fmadd_ps(_mm256_set1_ps(weight[j]), load_##name(rows[j], x), a);                  \
            _mm256_storeu_ps(out + x, a);                                                                    \
        }                                                                                                    \
        for (; x < n; x++) {                                                                                 \
            float a = weight[0] * (float)((const type *)rows[0])[x];                                         \
                                                                                                             \
            for (int32_t j = 1; j < taps; j++)                                                               \
                a = __builtin_fmaf(weight[j], (float)((const type *)rows[j])[x], a);                         \
            out[x] = a;                                                                                      \
        }                                                                                                    \
    }
DEFINE_COMBINE(u8, uint8_t)
DEFINE_COMBINE(i8, int8_t)
DEFINE_COMBINE(u16, uint16_t)
DEFINE_COMBINE(i16, int16_t)
DEFINE_COMBINE(f32, float)

/* ---- along X ------------------------------------------------------------------------------------------ */

/* Half a block: 8 outputs by gathers. */
static inline __m256 half_block(const float *row, const float *weight, __m256i index, int32_t taps)
{
    const __m256i one = _mm256_set1_epi32(1);
    const __m256 zero = _mm256_setzero_ps();
    __m256 sum = zero;

    for (int32_t j = 0; j < taps; j++, weight += MTM_RESAMPLE_LANES) {
        const __m256 w = _mm256_load_ps(weight), taken = _mm256_cmp_ps(w, zero, _CMP_NEQ_OQ);

        sum = _mm256_fmadd_ps(w, _mm256_mask_i32gather_ps(zero, row, index, taken, 4), sum);
        index = _mm256_add_epi32(index, one);
    }
    return sum;
}

void mtm_across_avx2(float *out, const float *row, const mtm_resample_line *x)
{
    for (int64_t i = 0; i < x->count; i += 8) {
        const int64_t b = i / MTM_RESAMPLE_LANES;
        const float *const weight =
            x->lane_weight + b * x->taps * MTM_RESAMPLE_LANES + i % MTM_RESAMPLE_LANES;
        const __m256i index = _mm256_load_si256((const __m256i *)(x->index + i));
        float last[8];

        if (x->count - i >= 8) {
            _mm256_storeu_ps(out + i, half_block(row + x->base[b], weight, index, x->taps));
            continue;
        }
        _mm256_storeu_ps(last, half_block(row + x->base[b], weight, index, x->taps));
        for (int64_t j = 0; i + j < x->count; j++)
            out[i + j] = last[j];
    }
}
