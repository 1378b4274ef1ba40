/* kernel/x86/philox_avx2.h: Philox 4×32-10 with AVX2; base/rng.c is what it equals.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_PHILOX_AVX2_H
#define MTM_KERNEL_X86_PHILOX_AVX2_H

#include <immintrin.h>
#include <stdint.h>

/* The words of four counters (block + i, stream[0] ^ the upper bits of block, stream[1], stream[2]) as first and second words
 * of eight pairs. One counter per 64-bit lane: the products' low halves are next round's words, and what lies above bit 32
 * of a word is never looked at, so no shuffle is needed between the rounds. */
static inline void philox_pairs(uint64_t seed, const uint32_t stream[3], uint64_t block, __m256i *first,
                                __m256i *second)
{
    const __m256i m0 = _mm256_set1_epi64x(0xD2511F53), m1 = _mm256_set1_epi64x(0xCD9E8D57);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    __m256i c0 = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)block), _mm256_setr_epi64x(0, 1, 2, 3));
    __m256i c1 =
        _mm256_xor_si256(_mm256_set1_epi64x(stream[0]), _mm256_slli_epi64(_mm256_srli_epi64(c0, 32), 16));
    __m256i c2 = _mm256_set1_epi64x(stream[1]), c3 = _mm256_set1_epi64x(stream[2]);

    for (int i = 0; i < 10; i++) {
        const __m256i p0 = _mm256_mul_epu32(c0, m0), p1 = _mm256_mul_epu32(c2, m1);

        c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c1), _mm256_set1_epi64x(k0));
        c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c3), _mm256_set1_epi64x(k1));
        c1 = p1, c3 = p0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    *first = _mm256_blend_epi32(c0, _mm256_slli_epi64(c2, 32), 0xAA);
    *second = _mm256_blend_epi32(c1, _mm256_slli_epi64(c3, 32), 0xAA);
}

#endif
