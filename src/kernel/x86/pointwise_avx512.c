/* kernel/x86/pointwise_avx512.c: pointwise programs, 32 voxels at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/pointwise.h"

#include "lanes_avx512.h"

#include "kernel/pointwise_body.h"

/* The words of eight counters, one per 64-bit lane (see pointwise_avx2.c), as first and second words of 16 pairs. */
static inline void philox_pairs(const noise_key *k, uint64_t block, __m512i *first, __m512i *second)
{
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57);
    uint32_t k0 = (uint32_t)k->seed, k1 = (uint32_t)(k->seed >> 32);
    __m512i c0 =
        _mm512_add_epi64(_mm512_set1_epi64((int64_t)block), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    __m512i c1 =
        _mm512_xor_si512(_mm512_set1_epi64(k->stream[0]), _mm512_slli_epi64(_mm512_srli_epi64(c0, 32), 16));
    __m512i c2 = _mm512_set1_epi64(k->stream[1]), c3 = _mm512_set1_epi64(k->stream[2]);

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

/* first[0] second[0] first[1] second[1] … */
static inline void interleave(vf z0, vf z1, vf out[NOISE_VECTORS])
{
    const __m512i even = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(8));

    out[0] = (vf){_mm512_permutex2var_ps(z0.lo, even, z1.lo), _mm512_permutex2var_ps(z0.lo, odd, z1.lo)};
    out[1] = (vf){_mm512_permutex2var_ps(z0.hi, even, z1.hi), _mm512_permutex2var_ps(z0.hi, odd, z1.hi)};
}

static inline void noise_group(const noise_key *k, uint64_t block, vf out[NOISE_VECTORS])
{
    vu w0, w1;
    vf z0, z1;

    philox_pairs(k, block, &w0.lo, &w1.lo);
    philox_pairs(k, block + 8, &w0.hi, &w1.hi);
    noise_pair(w0, w1, &z0, &z1);
    interleave(z0, z1, out);
}

static inline void noise_words(const noise_key *k, uint64_t block, vu out[NOISE_VECTORS])
{
    vf z[NOISE_VECTORS];
    vu w0, w1;

    philox_pairs(k, block, &w0.lo, &w1.lo);
    philox_pairs(k, block + 8, &w0.hi, &w1.hi);
    interleave(v_float(w0), v_float(w1), z);
    for (int j = 0; j < NOISE_VECTORS; j++)
        out[j] = v_bits(z[j]);
}

void mtm_pointwise_map_avx512(const mtm_pointwise *p, int32_t channel, int64_t first, const float *src,
                              float *dst, size_t n)
{
    run_program(p, channel, first, src, dst, n);
}

void mtm_pointwise_run_avx512(const mtm_pointwise *p, int32_t channel, int64_t first, float *x, size_t n)
{
    mtm_pointwise_map_avx512(p, channel, first, x, x, n);
}
