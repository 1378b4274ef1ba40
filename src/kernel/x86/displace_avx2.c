/* kernel/x86/displace_avx2.c: the displace family with AVX2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "displace_x86.h"
#include "lanes_avx2.h"
#include "philox_avx2.h"

#include "kernel/displace_body.h"

static inline void uniform_words(uint64_t seed, uint32_t stream, uint64_t block, vu out[WORDS_VECTORS])
{
    vu first, second;

    philox_pairs(seed, (const uint32_t[3]){stream, 0, 0}, block, &first, &second);
    const vu low = _mm256_unpacklo_epi32(first, second), high = _mm256_unpackhi_epi32(first, second);

    out[0] = _mm256_permute2x128_si256(low, high, 0x20);
    out[1] = _mm256_permute2x128_si256(low, high, 0x31);
}

void mtm_displace_uniform_avx2(uint64_t seed, uint32_t stream, int64_t first, float *out, int64_t n)
{
    displace_uniform(seed, stream, first, out, n);
}

void mtm_displace_spline_avx2(const mtm_displace_row *row, const float *const control[3], int32_t n,
                              float *const out[3])
{
    displace_spline(row, control, n, out);
}

void mtm_displace_turn_avx2(const float m[9], const float *const d[3], int32_t n, float *const out[3])
{
    displace_turn(m, d, n, out);
}
