/* kernel/x86/pointwise_avx2.c: pointwise programs, eight voxels at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/pointwise.h"

#include "lanes_avx2.h"

#include "kernel/pointwise_body.h"

/* The words of four counters as first and second words of eight pairs. One counter per 64-bit lane: the products' low halves are next round's words, and what lies above bit 32 of a word
 * is never looked at, so no shuffle is needed between the rounds. */
static inline void philox_pairs(const noise_key *k, uint64_t block, vu *first, vu *second)
{
    const __m256i m0 = _mm256_set1_epi64x(0xD2511F53), m1 = _mm256_set1_epi64x(0xCD9E8D57);
    uint32_t k0 = (uint32_t)k->seed, k1 = (uint32_t)(k->seed >> 32);
    __m256i c0 = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)block), _mm256_setr_epi64x(0, 1, 2, 3));
    __m256i c1 =
        _mm256_xor_si256(_mm256_set1_epi64x(k->stream[0]), _mm256_slli_epi64(_mm256_srli_epi64(c0, 32), 16));
    __m256i c2 = _mm256_set1_epi64x(k->stream[1]), c3 = _mm256_set1_epi64x(k->stream[2]);

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

/* first[0] second[0] first[1] second[1] … */
static inline void interleave(vf z0, vf z1, vf out[NOISE_VECTORS])
{
    const vf low = _mm256_unpacklo_ps(z0, z1), high = _mm256_unpackhi_ps(z0, z1);

    out[0] = _mm256_permute2f128_ps(low, high, 0x20);
    out[1] = _mm256_permute2f128_ps(low, high, 0x31);
}

static inline void noise_group(const noise_key *k, uint64_t block, vf out[NOISE_VECTORS])
{
    vu w0, w1;
    vf z0, z1;

    philox_pairs(k, block, &w0, &w1);
    noise_pair(w0, w1, &z0, &z1);
    interleave(z0, z1, out);
}

static inline void noise_words(const noise_key *k, uint64_t block, vu out[NOISE_VECTORS])
{
    vf z[NOISE_VECTORS];
    vu w0, w1;

    philox_pairs(k, block, &w0, &w1);
    interleave(v_float(w0), v_float(w1), z);
    for (int j = 0; j < NOISE_VECTORS; j++)
        out[j] = v_bits(z[j]);
}

void mtm_pointwise_map_avx2(const mtm_pointwise *p, int32_t channel, int64_t first, const float *src,
                            float *dst, size_t n)
{
    run_program(p, channel, first, src, dst, n);
}

void mtm_pointwise_run_avx2(const mtm_pointwise *p, int32_t channel, int64_t first, float *x, size_t n)
{
    mtm_pointwise_map_avx2(p, channel, first, x, x, n);
}
