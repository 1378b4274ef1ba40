/* kernel/x86/pointwise_avx2.c: pointwise programs, eight voxels at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/pointwise.h"

#include "lanes_avx2.h"
#include "philox_avx2.h"

#include "kernel/pointwise_body.h"

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

    philox_pairs(k->seed, k->stream, block, &w0, &w1);
    noise_pair(w0, w1, &z0, &z1);
    interleave(z0, z1, out);
}

static inline void noise_words(const noise_key *k, uint64_t block, vu out[NOISE_VECTORS])
{
    vf z[NOISE_VECTORS];
    vu w0, w1;

    philox_pairs(k->seed, k->stream, block, &w0, &w1);
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
