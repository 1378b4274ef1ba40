/* kernel/x86/convolve_avx512.c: convolve's row kernel with AVX-512. Equal to kernel/convolve.c but for fused products.
 * SPDX-License-Identifier: Apache-2.0 */
#include "convolve_x86.h"
#include "rows_avx512.h"

/* `vectors` · 16 outputs of both rows from x on. A step further from the centre loads one row on each side; the ones of the
 * step before are the second output's. */
#define PAIRS_BLOCK(name, vectors, mask)                                                                     \
    do {                                                                                                     \
        __m512 w = _mm512_set1_ps(weight[0]), s[2][vectors], before[vectors], after[vectors];                \
                                                                                                             \
        for (int i = 0; i < vectors; i++) {                                                                  \
            before[i] = load_##name(centre[0], x + 16 * i, mask);                                            \
            after[i] = load_##name(centre[1], x + 16 * i, mask);                                             \
            s[0][i] = _mm512_mul_ps(w, before[i]);                                                           \
            s[1][i] = _mm512_mul_ps(w, after[i]);                                                            \
        }                                                                                                    \
        for (int32_t j = 1; j <= radius; j++) {                                                              \
            w = _mm512_set1_ps(weight[j]);                                                                   \
            for (int i = 0; i < vectors; i++) {                                                              \
                const __m512 a = load_##name(centre[-j], x + 16 * i, mask);                                  \
                const __m512 b = load_##name(centre[j + 1], x + 16 * i, mask);                               \
                                                                                                             \
                s[0][i] = _mm512_fmadd_ps(w, _mm512_add_ps(a, after[i]), s[0][i]);                           \
                s[1][i] = _mm512_fmadd_ps(w, _mm512_add_ps(before[i], b), s[1][i]);                          \
                before[i] = a, after[i] = b;                                                                 \
            }                                                                                                \
        }                                                                                                    \
        for (int i = 0; i < vectors; i++) {                                                                  \
            _mm512_mask_storeu_ps(out[0] + x + 16 * i, mask, s[0][i]);                                       \
            _mm512_mask_storeu_ps(out[1] + x + 16 * i, mask, s[1][i]);                                       \
        }                                                                                                    \
    } while (0)

#define DEFINE_PAIRS(name)                                                                                   \
    void mtm_pairs_##name##_avx512(float *const out[2], const void *const *rows, const float *weight,        \
                                   int32_t radius, int64_t n)                                                \
    {                                                                                                        \
        const void *const *const centre = rows + radius;                                                     \
        int64_t x = 0;                                                                                       \
                                                                                                             \
        for (; x + 64 <= n; x += 64)                                                                         \
            PAIRS_BLOCK(name, 4, 0xffff);                                                                    \
        for (; x < n; x += 16) {                                                                             \
            const __mmask16 m = n - x < 16 ? (__mmask16)((1u << (n - x)) - 1) : 0xffff;                      \
                                                                                                             \
            PAIRS_BLOCK(name, 1, m);                                                                         \
        }                                                                                                    \
    }
DEFINE_PAIRS(u8)
DEFINE_PAIRS(i8)
DEFINE_PAIRS(u16)
DEFINE_PAIRS(i16)
DEFINE_PAIRS(f32)

/* 64 sums go on over the distances first + 1 … first + count ≤ first + 16. The row is loaded aligned, and every distance
 * is a permutation of two neighbouring registers: a load that crosses a cache line costs twice as much. */
static inline void along_part(__m512 s[4], const float *row, const float *weight, int32_t first,
                              int32_t count)
{
    const __m512i one = _mm512_set1_epi32(1);
    __m512i forward = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i back = _mm512_add_epi32(forward, _mm512_set1_epi32(16));
    __m512 a[5], b[5];

    for (int i = 0; i < 5; i++) {
        a[i] = _mm512_load_ps(row - first - 16 + 16 * i);
        b[i] = _mm512_load_ps(row + first + 16 * i);
    }
    for (int32_t j = 1; j <= count; j++) {
        const __m512 w = _mm512_set1_ps(weight[first + j]);

        back = _mm512_sub_epi32(back, one);
        forward = _mm512_add_epi32(forward, one);
        for (int i = 0; i < 4; i++)
            s[i] = _mm512_fmadd_ps(w,
                                   _mm512_add_ps(_mm512_permutex2var_ps(a[i], back, a[i + 1]),
                                                 _mm512_permutex2var_ps(b[i], forward, b[i + 1])),
                                   s[i]);
    }
}

void mtm_along_avx512(float *out, const float *row, const float *weight, int32_t radius, int64_t n)
{
    for (int64_t x = 0; x < n; x += 64) {
        __m512 s[4];

        for (int i = 0; i < 4; i++)
            s[i] = _mm512_mul_ps(_mm512_set1_ps(weight[0]), _mm512_load_ps(row + x + 16 * i));
        for (int32_t first = 0; first < radius; first += 16)
            along_part(s, row + x, weight, first, radius - first < 16 ? radius - first : 16);
        for (int i = 0; i < 4; i++) {
            const int64_t rest = n - x - 16 * i;
            const __mmask16 m = rest >= 16 ? 0xffff : rest > 0 ? (__mmask16)((1u << rest) - 1) : 0;

            _mm512_mask_storeu_ps(out + x + 16 * i, m, s[i]);
        }
    }
}
