/* kernel/x86/displace_avx512.c: the displace family with AVX-512.
 * SPDX-License-Identifier: Apache-2.0 */
#include "displace_x86.h"
#include "lanes_avx512.h"
#include "philox_avx512.h"

#include "kernel/displace_body.h"

static inline void uniform_words(uint64_t seed, uint32_t stream, uint64_t block, vu out[WORDS_VECTORS])
{
    const __m512i even = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(8));
    const uint32_t streams[3] = {stream, 0, 0};
    vu w0, w1;

    philox_pairs(seed, streams, block, &w0.lo, &w1.lo);
    philox_pairs(seed, streams, block + 8, &w0.hi, &w1.hi);
    out[0].lo = _mm512_permutex2var_epi32(w0.lo, even, w1.lo);
    out[0].hi = _mm512_permutex2var_epi32(w0.lo, odd, w1.lo);
    out[1].lo = _mm512_permutex2var_epi32(w0.hi, even, w1.hi);
    out[1].hi = _mm512_permutex2var_epi32(w0.hi, odd, w1.hi);
}

void mtm_displace_uniform_avx512(uint64_t seed, uint32_t stream, int64_t first, float *out, int64_t n)
{
    displace_uniform(seed, stream, first, out, n);
}

void mtm_displace_spline_avx512(const mtm_displace_row *row, const float *const control[3], int32_t n,
                                float *const out[3])
{
    displace_spline(row, control, n, out);
}

void mtm_displace_turn_avx512(const float m[9], const float *const d[3], int32_t n, float *const out[3])
{
    displace_turn(m, d, n, out);
}
