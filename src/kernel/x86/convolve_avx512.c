/* kernel/x86/convolve_avx512.c: convolve's row kernel with AVX-512. Equal to kernel/convolve.c but for fused products.
 * SPDX-License-Identifier: Apache-2.0 */
#include "convolve_x86.h"
#include "rows_avx512.h"

/* 64 outputs at a time hide the latency of the sums; the rest 16 at a time, masked. */
#define DEFINE_PAIRS(name)                                                                                   \
    void mtm_pairs_##name##_avx512(float *out, const void *const *rows, const float *weight, int32_t radius, \
                                   int64_t n)                                                                \
    {                                                                                                        \
        const void *const *const centre = rows + radius;                                                     \
        int64_t x = 0;                                                                                       \
                                                                                                             \
        for (; x + 64 <= n; x += 64) {                                                                       \
            __m512 w = _mm512_set1_ps(weight[0]), s[4];                                                      \
                                                                                                             \
            for (int i = 0; i < 4; i++)                                                                      \
                s[i] = _mm512_mul_ps(w, load_##name(centre[0], x + 16 * i, 0xffff));                         \
            for (int32_t j = 1; j <= radius; j++) {                                                          \
                const void *const a = centre[-j], *const b = centre[j];                                      \
                                                                                                             \
                w = _mm512_set1_ps(weight[j]);                                                               \
                for (int i = 0; i < 4; i++)                                                                  \
                    s[i] = _mm512_fmadd_ps(w,                                                                \
                                           _mm512_add_ps(load_##name(a, x + 16 * i, 0xffff),                 \
                                                         load_##name(b, x + 16 * i, 0xffff)),                \
                                           s[i]);                                                            \
            }                                                                                                \
            for (int i = 0; i < 4; i++)                                                                      \
                _mm512_storeu_ps(out + x + 16 * i, s[i]);                                                    \
        }                                                                                                    \
        for (; x < n; x += 16) {                                                                             \
            const __mmask16 m = n - x < 16 ? (__mmask16)((1u << (n - x)) - 1) : 0xffff;                      \
            __m512 s = _mm512_mul_ps(_mm512_set1_ps(weight[0]), load_##name(centre[0], x, m));               \
                                                                                                             \
            for (int32_t j = 1; j <= radius; j++)                                                            \
                s = _mm512_fmadd_ps(                                                                         \
                    _mm512_set1_ps(weight[j]),                                                               \
                    _mm512_add_ps(load_##name(centre[-j], x, m), load_##name(centre[j], x, m)), s);          \
            _mm512_mask_storeu_ps(out + x, m, s);                                                            \
        }                                                                                                    \
    }
DEFINE_PAIRS(u8)
DEFINE_PAIRS(i8)
DEFINE_PAIRS(u16)
DEFINE_PAIRS(i16)
DEFINE_PAIRS(f32)
