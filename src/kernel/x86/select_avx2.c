/* kernel/x86/select_avx2.c: brackets around order statistics, 8 numbers at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <math.h>

#include "kernel/select.h"

static inline void take(mtm_bracket *p, const float *x, unsigned near)
{
    for (; near; near &= near - 1) {
        const float v = x[__builtin_ctz(near)];
        float *const found = p->found;

        if ((double)v == p->lo) {
            p->at_lo++;
        } else if ((double)v == p->hi) {
            p->at_hi++;
        } else {
            if (p->inside < p->room)
                found[p->inside] = v;
            p->inside++;
        }
    }
}

/* Bits of the lanes in [lo, hi]; counts those below. */
static inline unsigned near_bits(mtm_bracket *p, __m256 v, unsigned good)
{
    const unsigned below =
        (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_set1_ps((float)p->lo), _CMP_LT_OQ));
    const unsigned upto =
        (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_set1_ps((float)p->hi), _CMP_LE_OQ));

    p->below += __builtin_popcount(below & good);
    return upto & ~below & good;
}

static void bracket_f32(mtm_bracket b[2], const float *x, const uint8_t *keep, size_t n)
{
    const __m256 inf = _mm256_set1_ps(INFINITY),
                 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));

    for (size_t i = 0; i < n; i += 8) {
        float tail[8] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
        uint8_t kept[8] = {0};
        const float *p = x + i;

        for (size_t j = 0; n - i < 8 && j < n - i; j++)
            tail[j] = x[i + j], kept[j] = !keep || keep[i + j];
        if (n - i < 8)
            p = tail;
        const __m256 v = _mm256_loadu_ps(p);
        unsigned good =
            (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_and_ps(v, magnitude), inf, _CMP_LT_OQ));
        if (keep) {
            const __m128i k = _mm_loadl_epi64((const __m128i *)(const void *)(n - i < 8 ? kept : keep + i));
            good &= ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(k, _mm_setzero_si128()));
        }
        take(&b[0], p, near_bits(&b[0], v, good));
        take(&b[1], p, near_bits(&b[1], v, good));
    }
}

void mtm_select_kernels_avx2(mtm_select_kernels *k)
{
    k->bracket_f32 = bracket_f32;
}
