/* kernel/x86/ebcot_decode_avx2.c: the EBCOT block decoder with masks from AVX2 and bit counts from BMI.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <stdint.h>

/* Which of 64 bytes are not 0. */
static inline uint64_t has_neighbours(const uint32_t *near)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i a = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)near), zero);
    const __m256i b = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(near + 8)), zero);

    return ~((uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32 | (uint32_t)_mm256_movemask_epi8(a));
}

#include "ebcot_decode_body.h"

void mtm_ebcot_decode_avx2(mtm_block *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i++)
        blocks[i].status = decode_block(blocks + i, scratch);
}
