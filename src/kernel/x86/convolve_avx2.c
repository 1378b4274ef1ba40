/* kernel/x86/convolve_avx2.c: convolve's row kernel with AVX2 and FMA. Equal to kernel/convolve.c but for fused products.
 * SPDX-License-Identifier: Apache-2.0 */
#include "convolve_x86.h"
#include "rows_avx2.h"

#define DEFINE_PAIRS(name, type)                                                                             \
    void mtm_pairs_##name##_avx2(float *out, const void *const *rows, const float *weight, int32_t radius,   \
                                 int64_t n)                                                                  \
    {                                                                                                        \
        const void *const *const centre = rows + radius;                                                     \
        int64_t x = 0;                                                                                       \
                                                                                                             \
        for (; x + 32 <= n; x += 32) {                                                                       \
            __m256 w = _mm256_set1_ps(weight[0]), s[4];                                                      \
                                                                                                             \
            for (int i = 0; i < 4; i++)                                                                      \
                s[i] = _mm256_mul_ps(w, load_##name(centre[0], x + 8 * i));                                  \
            for (int32_t j = 1; j <= radius; j++) {                                                          \
                const void *const a = centre[-j], *const b = centre[j];                                      \
                                                                                                             \
                w = _mm256_set1_ps(weight[j]);                                                               \
                for (int i = 0; i < 4; i++)                                                                  \
                    s[i] = _mm256_fmadd_ps(                                                                  \
                        w, _mm256_add_ps(load_##name(a, x + 8 * i), load_##name(b, x + 8 * i)), s[i]);       \
            }                                                                                                \
            for (int i = 0; i < 4; i++)                                                                      \
                _mm256_storeu_ps(out + x + 8 * i, s[i]);                                                     \
        }                                                                                                    \
        for (; x < n; x++) {                                                                                 \
            float s = weight[0] * (float)((const type *)centre[0])[x];                                       \
                                                                                                             \
            for (int32_t j = 1; j <= radius; j++)                                                            \
                s = __builtin_fmaf(                                                                          \
                    weight[j], (float)((const type *)centre[-j])[x] + (float)((const type *)centre[j])[x],   \
                    s);                                                                                      \
            out[x] = s;                                                                                      \
        }                                                                                                    \
    }
DEFINE_PAIRS(u8, uint8_t)
DEFINE_PAIRS(i8, int8_t)
DEFINE_PAIRS(u16, uint16_t)
DEFINE_PAIRS(i16, int16_t)
DEFINE_PAIRS(f32, float)

void mtm_along_avx2(float *out, const float *row, const float *weight, int32_t radius, int64_t n)
{
    int64_t x = 0;

    for (; x + 32 <= n; x += 32) {
        __m256 w = _mm256_set1_ps(weight[0]), s[4];

        for (int i = 0; i < 4; i++)
            s[i] = _mm256_mul_ps(w, _mm256_load_ps(row + x + 8 * i));
        for (int32_t j = 1; j <= radius; j++) {
            w = _mm256_set1_ps(weight[j]);
            for (int i = 0; i < 4; i++) {
                const float *const at = row + x + 8 * i;

                s[i] =
                    _mm256_fmadd_ps(w, _mm256_add_ps(_mm256_loadu_ps(at - j), _mm256_loadu_ps(at + j)), s[i]);
            }
        }
        for (int i = 0; i < 4; i++)
            _mm256_storeu_ps(out + x + 8 * i, s[i]);
    }
    for (; x < n; x++) {
        float s = weight[0] * row[x];

        for (int32_t j = 1; j <= radius; j++)
            s = __builtin_fmaf(weight[j], row[x - j] + row[x + j], s);
        out[x] = s;
    }
}
