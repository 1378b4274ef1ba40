/* kernel/noise.h: normal deviates by logical voxel number: Philox 4×32-10 counters, then Box–Muller (Box, Muller: A note on
 * the generation of random normal deviates. Ann. Math. Stat. 1958). A template on top of vmath.h; whoever includes it
 * defines noise_group. Voxels 4b … 4b + 3 come from counter b: words 0 and 1 make the first two, 2 and 3 the others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_NOISE_H
#define MTM_KERNEL_NOISE_H

#include <stddef.h>

#include "vmath.h"

/* One counter is four voxels, so the plain version makes four lanes at a time, the others two vectors. */
enum { NOISE_GROUP = V_LANES == 1 ? 4 : 2 * V_LANES, NOISE_VECTORS = NOISE_GROUP / V_LANES };

typedef struct noise_key {
    uint64_t seed;
    uint32_t stream[3];
} noise_key;

/* Counter words 0 and 1 of block b; the bits of b above 32 go to the upper half of word 1. */
static inline uint32_t noise_word1(const noise_key *k, uint64_t block)
{
    return k->stream[0] ^ (uint32_t)(block >> 32) << 16;
}

/* Normals of the voxels 4·block … 4·block + NOISE_GROUP − 1, in their order. */
static inline void noise_group(const noise_key *k, uint64_t block, vf out[NOISE_VECTORS]);

/* Two independent normals from two words each: u1 = 1 − (word >> 8)·2⁻²⁴ in (0, 1], so |z| ≤ 5.77; the angle is
 * reduced exactly, in integers, to the nearest quarter turn. |error| ≤ 2e-7 · max(1, r). */
static inline void noise_pair(vu w0, vu w1, vf *z_cos, vf *z_sin)
{
    const vu one = vu_set1(1);
    const vf u1 = v_mul(v_from_int(vu_sub(vu_set1(1u << 24), vu_shr(w0, 8))), v_set1(0x1p-24f));
    vf e;
    const vf log2_m = v_log2_parts(u1, &e),
             r = v_sqrt(v_mul(v_set1(-1.38629436f), v_add(e, log2_m))); /* −2 ln u1 */
    const vu turn = vu_shr(w1, 8), q = vu_shr(vu_add(turn, vu_set1(1u << 21)), 22);
    const vf t = v_mul(v_from_int(vu_sub(turn, vu_shl(q, 22))), v_set1(6.28318530717958648f * 0x1p-24f));
    const vf t2 = v_mul(t, t);
    vf s = v_fma(v_set1(-1.9515295891e-4f), t2, v_set1(8.3321608736e-3f));
    vf c = v_fma(v_set1(2.443315711809948e-5f), t2, v_set1(-1.388731625493765e-3f));
    vm odd;

    s = v_fma(s, t2, v_set1(-1.6666654611e-1f));
    s = v_fma(v_mul(s, t2), t, t);
    c = v_fma(c, t2, v_set1(4.166664568298827e-2f));
    c = v_fma(v_fma(c, t2, v_set1(-0.5f)), t2, v_set1(1));
    odd = vu_any_bit(q, one);
    *z_cos = v_mul(
        r, v_float(vu_xor(v_bits(v_select(odd, s, c)), vu_shl(vu_and(vu_add(q, one), vu_set1(2)), 30))));
    *z_sin = v_mul(r, v_float(vu_xor(v_bits(v_select(odd, c, s)), vu_shl(vu_and(q, vu_set1(2)), 30))));
}

/* dst[i] = src[i] + sigma · normal(first + i) for a few voxels that lie inside one group. */
static inline void noise_add_some(const noise_key *k, float sigma, uint64_t first, const float *src,
                                  float *dst, size_t n)
{
    vf z[NOISE_VECTORS];
    float all[NOISE_GROUP];

    noise_group(k, first >> 2, z);
    for (int j = 0; j < NOISE_VECTORS; j++)
        v_store(all + j * V_LANES, z[j]);
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] + sigma * all[(first & 3) + i];
}

/* dst[i] = src[i] + sigma · normal(first + i); src and dst may be the same. */
static inline void noise_add(const noise_key *k, float sigma, uint64_t first, const float *src, float *dst,
                             size_t n)
{
    const vf s = v_set1(sigma);
    const size_t head = (size_t)(-first & 3) < n ? (size_t)(-first & 3) : n;
    size_t i = head;

    if (head > 0)
        noise_add_some(k, sigma, first, src, dst, head);
    for (; n - i >= NOISE_GROUP; i += NOISE_GROUP) {
        vf z[NOISE_VECTORS];

        noise_group(k, (first + i) >> 2, z);
        for (int j = 0; j < NOISE_VECTORS; j++) {
            const size_t at = i + (size_t)(j * V_LANES);

            v_store(dst + at, v_add(v_load(src + at), v_mul(s, z[j])));
        }
    }
    if (i < n)
        noise_add_some(k, sigma, first + i, src + i, dst + i, n - i);
}

#endif
