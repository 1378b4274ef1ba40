/* kernel/x86/philox_avx512.h: Philox 4×32-10 with AVX-512; base/rng.c is what it equals.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_PHILOX_AVX512_H
#define MTM_KERNEL_X86_PHILOX_AVX512_H

#include <immintrin.h>
#include <stdint.h>

/* The words of eight counters, one per 64-bit lane (see philox_avx2.h), as first and second words of 16 pairs. */
static inline void philox_pairs(uint64_t seed, const uint32_t stream[3], uint64_t block, __m512i *first,
                                __m512i *second)
{
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    __m512i c0 =
        _mm512_add_epi64(_mm512_set1_epi64((int64_t)block), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    __m512i c1 =
        _mm512_xor_si512(_mm512_set1_epi64(stream[0]), _mm512_slli_epi64(_mm512_srli_epi64(c0, 32), 16));
    __m512i c2 = _mm512_set1_epi64(stream[1]), c3 = _mm512_set1_epi64(stream[2]);

    for (int i = 0; i < 10; i++) {
        const __m512i p0 = _mm512_mul_epu32(c0, m0), p1 = _mm512_mul_epu32(c2, m1);

        c0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c1, _mm512_set1_epi64(k0), 0x96);
        c2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c3, _mm512_set1_epi64(k1), 0x96);
        c1 = p1, c3 = p0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    *first = _mm512_mask_blend_epi32(0xAAAA, c0, _mm512_slli_epi64(c2, 32));
    *second = _mm512_mask_blend_epi32(0xAAAA, c1, _mm512_slli_epi64(c3, 32));
}

#endif
