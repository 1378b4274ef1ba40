/* kernel/x86/convolve_avx2.c: convolve's row kernel with AVX2 and FMA. Equal to kernel/convolve.c but for fused products.
 * SPDX-License-Identifier: Apache-2.0 */
#include "convolve_x86.h"
#include "rows_avx2.h"

/* 16 outputs of both rows at a time. A step further from the centre loads one row on each side; the ones of the step before
 * are the second output's. */
#define DEFINE_PAIRS(name, type)                                                                             \
    static void pairs_block_##name(float *const out[2], const void *const *centre, const float *weight,      \
                                   int32_t radius, int64_t x)                                                \
    {                                                                                                        \
        __m256 w = _mm256_set1_ps(weight[0]), s[2][2], before[2], after[2];                                  \
                                                                                                             \
        for (int i = 0; i < 2; i++) {                                                                        \
            before[i] = load_##name(centre[0], x + 8 * i);                                                   \
            after[i] = load_##name(centre[1], x + 8 * i);                                                    \
            s[0][i] = _mm256_mul_ps(w, before[i]);                                                           \
            s[1][i] = _mm256_mul_ps(w, after[i]);                                                            \
        }                                                                                                    \
        for (int32_t j = 1; j <= radius; j++) {                                                              \
            w = _mm256_set1_ps(weight[j]);                                                                   \
            for (int i = 0; i < 2; i++) {                                                                    \
                const __m256 a = load_##name(centre[-j], x + 8 * i);                                         \
                const __m256 b = load_##name(centre[j + 1], x + 8 * i);                                      \
                                                                                                             \
                s[0][i] = _mm256_fmadd_ps(w, _mm256_add_ps(a, after[i]), s[0][i]);                           \
                s[1][i] = _mm256_fmadd_ps(w, _mm256_add_ps(before[i], b), s[1][i]);                          \
                before[i] = a, after[i] = b;                                                                 \
            }                                                                                                \
        }                                                                                                    \
        for (int i = 0; i < 2; i++) {                                                                        \
            _mm256_storeu_ps(out[0] + x + 8 * i, s[0][i]);                                                   \
            _mm256_storeu_ps(out[1] + x + 8 * i, s[1][i]);                                                   \
        }                                                                                                    \
    }                                                                                                        \
    static float pairs_one_##name(const void *const *centre, const float *weight, int32_t radius, int64_t x) \
    {                                                                                                        \
        float s = weight[0] * (float)((const type *)centre[0])[x];                                           \
                                                                                                             \
        for (int32_t j = 1; j <= radius; j++)                                                                \
            s = __builtin_fmaf(                                                                              \
                weight[j], (float)((const type *)centre[-j])[x] + (float)((const type *)centre[j])[x], s);   \
        return s;                                                                                            \
    }                                                                                                        \
    void mtm_pairs_##name##_avx2(float *const out[2], const void *const *rows, const float *weight,          \
                                 int32_t radius, int64_t n)                                                  \
    {                                                                                                        \
        int64_t x = 0;                                                                                       \
                                                                                                             \
        for (; x + 16 <= n; x += 16)                                                                         \
            pairs_block_##name(out, rows + radius, weight, radius, x);                                       \
        for (; x < n; x++) {                                                                                 \
            out[0][x] = pairs_one_##name(rows + radius, weight, radius, x);                                  \
            out[1][x] = pairs_one_##name(rows + radius + 1, weight, radius, x);                              \
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
