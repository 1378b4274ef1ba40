/* kernel/x86/ebcot_decode_avx2.c: the EBCOT block decoder with masks from AVX2 and bit counts from BMI.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ebcot_block.h"

/* The contexts of a word's refinements, in order, at `to`: of coefficients refined again, and of others, some beside
 * significant ones. Returns their end. */
static inline uint8_t *list_contexts(uint8_t *to, uint64_t left, uint64_t again, uint64_t beside)
{
    if (!(left & ~again)) {
        memset(to, EBCOT_REFINE + 2, 64);
        return to + _mm_popcnt_u64(left);
    }
    for (; left; left = _blsr_u64(left)) {
        const uint64_t i = _tzcnt_u64(left);

        *to++ = (uint8_t)(EBCOT_REFINE + 2 * (again >> i & 1) + (beside >> i & 1));
    }
    return to;
}

/* Lanes of -1 where bits 0 … 7 are set. */
static inline __m256i lanes_of(uint32_t bits)
{
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);

    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lane), lane);
}

/* (2m + 2 - has) << plane where m is not 0, with its sign. */
static inline __m256i twice_of(__m256i m, uint32_t has, uint32_t negative, int32_t plane)
{
    const __m256i sign = lanes_of(negative), two = _mm256_add_epi32(_mm256_set1_epi32(2), lanes_of(has));
    const __m256i v = _mm256_slli_epi32(_mm256_add_epi32(_mm256_add_epi32(m, m), two), plane);
    const __m256i v2 = _mm256_andnot_si256(_mm256_cmpeq_epi32(m, _mm256_setzero_si256()), v);

    return _mm256_sub_epi32(_mm256_xor_si256(v2, sign), sign);
}

/* A row of a word's columns as v2 (kernel/block.h), at most 30 bit-planes: the magnitudes' bits from the top down.
 * planes: the word's bits of bit-plane 0, EBCOT_MAX_WORDS further those of the next. */
static inline void twice_32(int32_t twice[EBCOT_COLUMNS], const uint64_t *planes, int row, uint32_t has,
                            uint32_t negative, int32_t top, int32_t last)
{
    const uint64_t columns = UINT64_C(0x1111111111111111) << row;
    __m256i m = _mm256_setzero_si256(), n = m;

    for (int32_t p = top; p >= last; p--) {
        const uint32_t bits = (uint32_t)_pext_u64(planes[p * EBCOT_MAX_WORDS], columns);

        m = _mm256_sub_epi32(_mm256_add_epi32(m, m), lanes_of(bits));
        n = _mm256_sub_epi32(_mm256_add_epi32(n, n), lanes_of(bits >> 8));
    }
    _mm256_store_si256((__m256i *)twice, twice_of(m, has, negative, last));
    _mm256_store_si256((__m256i *)(twice + 8), twice_of(n, has >> 8, negative >> 8, last));
}

#include "ebcot_decode_body.h"

void mtm_ebcot_decode_avx2(mtm_block *blocks, int32_t n, void *scratch)
{
    decode_blocks(blocks, n, scratch);
}
