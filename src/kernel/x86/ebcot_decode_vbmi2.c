/* kernel/x86/ebcot_decode_vbmi2.c: the EBCOT block decoder with masks from AVX-512 and bytes compressed by VBMI2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ebcot_block.h"

/* The contexts of a word's refinements, in order, at `to`: of coefficients refined again, and of others, some beside
 * significant ones. Returns their end. */
static inline uint8_t *list_contexts(uint8_t *to, uint64_t left, uint64_t again, uint64_t beside)
{
    const __m512i first =
        _mm512_mask_blend_epi8(beside, _mm512_set1_epi8(EBCOT_REFINE), _mm512_set1_epi8(EBCOT_REFINE + 1));
    const __m512i all = _mm512_mask_blend_epi8(again, first, _mm512_set1_epi8(EBCOT_REFINE + 2));

    _mm512_storeu_si512(to, _mm512_maskz_compress_epi8(left, all));
    return to + _mm_popcnt_u64(left);
}

/* A row of a word's columns as v2 (kernel/block.h), at most 30 bit-planes: the magnitudes' bits from the top down.
 * planes: the word's bits of bit-plane 0, EBCOT_MAX_WORDS further those of the next. */
static inline void twice_32(int32_t twice[EBCOT_COLUMNS], const uint64_t *planes, int row, uint32_t has,
                            uint32_t negative, int32_t top, int32_t last)
{
    const uint64_t columns = UINT64_C(0x1111111111111111) << row;
    const __m512i one = _mm512_set1_epi32(1), zero = _mm512_setzero_si512();
    __m512i m = zero;

    for (int32_t p = top; p >= last; p--) {
        const __mmask16 bits = (__mmask16)_pext_u64(planes[p * EBCOT_MAX_WORDS], columns);

        m = _mm512_add_epi32(m, m);
        m = _mm512_mask_add_epi32(m, bits, m, one);
    }
    const __m512i two =
        _mm512_mask_sub_epi32(_mm512_set1_epi32(2), (__mmask16)has, _mm512_set1_epi32(2), one);
    const __m512i v =
        _mm512_sll_epi32(_mm512_add_epi32(_mm512_add_epi32(m, m), two), _mm_cvtsi32_si128(last));
    const __m512i v2 = _mm512_maskz_mov_epi32(_mm512_test_epi32_mask(m, m), v);

    _mm512_store_si512(twice, _mm512_mask_sub_epi32(v2, (__mmask16)negative, zero, v2));
}

#include "ebcot_decode_body.h"

void mtm_ebcot_decode_vbmi2(mtm_block *blocks, int32_t n, void *scratch)
{
    decode_blocks(blocks, n, scratch);
}
