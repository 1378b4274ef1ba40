/* kernel/x86/pointwise_avx512.c: pointwise programs, 32 voxels at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/pointwise.h"

#include "lanes_avx512.h"
#include "philox_avx512.h"

#include "kernel/pointwise_body.h"

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

    philox_pairs(k->seed, k->stream, block, &w0.lo, &w1.lo);
    philox_pairs(k->seed, k->stream, block + 8, &w0.hi, &w1.hi);
    noise_pair(w0, w1, &z0, &z1);
    interleave(z0, z1, out);
}

static inline void noise_words(const noise_key *k, uint64_t block, vu out[NOISE_VECTORS])
{
    vf z[NOISE_VECTORS];
    vu w0, w1;

    philox_pairs(k->seed, k->stream, block, &w0.lo, &w1.lo);
    philox_pairs(k->seed, k->stream, block + 8, &w0.hi, &w1.hi);
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
