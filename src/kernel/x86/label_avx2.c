/* kernel/x86/label_avx2.c: where runs of one label end, by comparing 32 bytes with those one element before.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/label.h"

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* Positions i + k of the set bits k. */
static inline size_t note(int32_t *at, size_t m, size_t i, uint32_t bits)
{
    for (; bits; bits &= bits - 1)
        at[m++] = (int32_t)i + __builtin_ctz(bits);
    return m;
}

static inline uint32_t differ_8(const uint8_t *x)
{
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(x), load(x - 1)));
}

/* Packing works within halves of 16 bytes; the permutation puts them in order. */
static inline uint32_t differ_16(const uint16_t *x)
{
    const __m256i a = _mm256_cmpeq_epi16(load(x), load(x - 1));
    const __m256i b = _mm256_cmpeq_epi16(load(x + 16), load(x + 15));

    return ~(uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xD8));
}

static inline uint32_t differ_32(const uint32_t *x)
{
    uint32_t bits = 0;

    for (int k = 0; k < 4; k++) {
        const __m256i e = _mm256_cmpeq_epi32(load(x + 8 * k), load(x + 8 * k - 1));

        bits |= (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(e)) << 8 * k;
    }
    return ~bits;
}

static inline uint32_t differ_64(const uint64_t *x)
{
    uint32_t bits = 0;

    for (int k = 0; k < 8; k++) {
        const __m256i e = _mm256_cmpeq_epi64(load(x + 4 * k), load(x + 4 * k - 1));

        bits |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(e)) << 4 * k;
    }
    return ~bits;
}

#define CHANGES(bits)                                                                                        \
    static size_t changes_u##bits(int32_t *at, const void *p, size_t n)                                      \
    {                                                                                                        \
        const uint##bits##_t *const x = p;                                                                   \
        size_t m = 0, i = 1;                                                                                 \
                                                                                                             \
        for (; i + 32 <= n; i += 32)                                                                         \
            m = note(at, m, i, differ_##bits(x + i));                                                        \
        for (; i < n; i++)                                                                                   \
            if (x[i] != x[i - 1])                                                                            \
                at[m++] = (int32_t)i;                                                                        \
        return m;                                                                                            \
    }
CHANGES(8)
CHANGES(16)
CHANGES(32)
CHANGES(64)

void mtm_label_kernels_avx2(mtm_label_kernels *k)
{
    k->changes[0] = changes_u8;
    k->changes[1] = changes_u16;
    k->changes[2] = changes_u32;
    k->changes[3] = changes_u64;
}
