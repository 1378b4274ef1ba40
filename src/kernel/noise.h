/* kernel/noise.h: random numbers by logical voxel number: Philox 4×32-10 counters, then Box–Muller (Box, Muller: A note on
 * the generation of random normal deviates. Ann. Math. Stat. 1958) or inversion. A template on top of vmath.h; whoever
 * includes it defines noise_group and noise_words. Voxels 4b … 4b + 3 come from counter b: a word each, or normals, of
 * which words 0 and 1 make the first two, 2 and 3 the others.
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
/* The words of the same voxels. */
static inline void noise_words(const noise_key *k, uint64_t block, vu out[NOISE_VECTORS]);

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

/* What a drawn step needs, its numbers spread over the lanes. */
typedef struct noise_values {
    noise_key key;
    vf a, b, c, d;
} noise_values;

/* The same seed's numbers of another kind: counter word 2, in which no step's own stream differs. */
static inline noise_key noise_other(const noise_key *k, uint32_t which)
{
    return (noise_key){k->seed, {k->stream[0], k->stream[1] ^ which, k->stream[2]}};
}

/* [0, 1): top 24 bits · 2⁻²⁴. */
static inline vf noise_uniform(vu word)
{
    return v_mul(v_from_int(vu_shr(word, 8)), v_set1(0x1p-24f));
}

/* Each noise_… below changes the group of voxels that begins at voxel 4·block, x[NOISE_VECTORS], in place. */
static inline void noise_normal(const noise_values *k, uint64_t block, vf *x)
{
    vf z[NOISE_VECTORS];

    noise_group(&k->key, block, z);
    for (int j = 0; j < NOISE_VECTORS; j++)
        x[j] = v_add(x[j], v_mul(k->a, z[j]));
}

static inline void noise_rician(const noise_values *k, uint64_t block, vf *x)
{
    const noise_key other = noise_other(&k->key, 1);
    vf z[NOISE_VECTORS], w[NOISE_VECTORS];

    noise_group(&k->key, block, z);
    noise_group(&other, block, w);
    for (int j = 0; j < NOISE_VECTORS; j++) {
        const vf re = v_add(x[j], v_mul(k->a, z[j])), im = v_mul(k->a, w[j]);

        x[j] = v_sqrt(v_add(v_mul(re, re), v_mul(im, im)));
    }
}

static inline void noise_salt_pepper(const noise_values *k, uint64_t block, vf *x)
{
    vu w[NOISE_VECTORS];

    noise_words(&k->key, block, w);
    for (int j = 0; j < NOISE_VECTORS; j++) {
        const vf u = noise_uniform(w[j]);

        x[j] = v_select(v_lt(u, k->a), k->c, v_select(v_lt(u, k->b), k->d, x[j]));
    }
}

/* ---- Poisson ------------------------------------------------------------------------------------------ */

enum { POISSON_MOST = 64 }; /* beyond it the mass of a mean below POISSON_LARGE is less than 1e-20 */
#define POISSON_LARGE 16.0f
#define POISSON_LEAST 0x1p-25f /* below every probability before the mode, so the search ends behind it */

/* How many of the first POISSON_MOST cumulative probabilities are ≤ u: inversion by sequential search. The rounded sum may
 * stay below the largest u, so it counts as 1 where nothing worth mentioning is added. */
static inline vf poisson_small(vf mean, vf u)
{
    const vf one = v_set1(1), zero = v_set1(0);
    vf p = v_exp(v_sub(zero, mean)), sum = p, n = zero;

    for (int i = 1; i <= POISSON_MOST; i++) {
        const vm below = v_lt(u, v_select(v_lt(p, v_set1(POISSON_LEAST)), one, sum));

        n = v_add(n, v_select(below, zero, one));
        if (v_all(below))
            break;
        p = v_mul(v_mul(p, mean), v_set1(1.0f / (float)i));
        sum = v_add(sum, p);
    }
    return n;
}

/* The quantile at a normal deviate by its expansion about a large mean, rounded down (M. B. Giles, Algorithm 955:
 * approximation of the inverse Poisson cumulative distribution function, ACM TOMS 2016, section 2.2). */
static inline vf poisson_large(vf mean, vf z)
{
    const vf z2 = v_mul(z, z), root = v_sqrt(mean), zero = v_set1(0);
    const vf first = v_fma(z2, v_set1(1.0f / 6), v_set1(1.0f / 3));
    const vf second = v_mul(z, v_fma(z2, v_set1(-1.0f / 72), v_set1(-1.0f / 36)));
    const vf third = v_fma(v_fma(z2, v_set1(1.0f / 270), v_set1(7.0f / 810)), z2, v_set1(-8.0f / 405));
    const vf q = v_add(v_add(v_fma(root, z, mean), first), v_div(v_add(second, v_div(third, root)), root));
    const vf y = v_max(zero, v_min(v_set1(0x1p22f), q));
    vu ignored;
    const vf near = v_round(y, &ignored), down = v_sub(near, v_select(v_lt(y, near), v_set1(1), zero));

    return v_select(v_lt(q, v_set1(0x1p22f)), down, q); /* beyond: float32 has hardly a fraction */
}

static inline void noise_shot(const noise_values *k, uint64_t block, vf *x)
{
    const noise_key other = noise_other(&k->key, 1);
    const vf zero = v_set1(0), large = v_set1(POISSON_LARGE);
    vf mean[NOISE_VECTORS], n[NOISE_VECTORS], z[NOISE_VECTORS];
    vu w[NOISE_VECTORS];
    bool any_small = false, any_large = false;

    for (int j = 0; j < NOISE_VECTORS; j++) {
        const vm small = v_lt(v_div(x[j], k->a), large);

        mean[j] = v_max(zero, v_div(x[j], k->a));
        any_small |= v_any(small);
        any_large |= !v_all(small);
        n[j] = zero;
    }
    if (any_small) {
        noise_words(&k->key, block, w);
        for (int j = 0; j < NOISE_VECTORS; j++)
            n[j] = poisson_small(v_select(v_lt(mean[j], large), mean[j], zero), noise_uniform(w[j]));
    }
    if (any_large) {
        noise_group(&other, block, z);
        for (int j = 0; j < NOISE_VECTORS; j++)
            n[j] = v_select(v_lt(mean[j], large), n[j], poisson_large(mean[j], z[j]));
    }
    for (int j = 0; j < NOISE_VECTORS; j++)
        x[j] = v_select(v_lt(mean[j], v_set1(INFINITY)), v_mul(n[j], k->a), x[j]);
}

/* ---- over rows ---------------------------------------------------------------------------------------- */

/* A few voxels that lie inside one group. */
__attribute__((always_inline)) static inline void
noise_some(void (*step)(const noise_values *, uint64_t, vf *), const noise_values *k, uint64_t first,
           const float *src, float *dst, size_t n)
{
    vf x[NOISE_VECTORS];
    float all[NOISE_GROUP] = {0};

    memcpy(all + (first & 3), src, n * sizeof *src);
    for (int j = 0; j < NOISE_VECTORS; j++)
        x[j] = v_load(all + j * V_LANES);
    step(k, first >> 2, x);
    for (int j = 0; j < NOISE_VECTORS; j++)
        v_store(all + j * V_LANES, x[j]);
    memcpy(dst, all + (first & 3), n * sizeof *dst);
}

/* dst[i] = step of src[i], voxel number first + i; src and dst may be the same. Inlined with a constant `step`. */
__attribute__((always_inline)) static inline void
noise_each(void (*step)(const noise_values *, uint64_t, vf *), const noise_values *k, uint64_t first,
           const float *src, float *dst, size_t n)
{
    const size_t head = (size_t)(-first & 3) < n ? (size_t)(-first & 3) : n;
    size_t i = head;

    if (head > 0)
        noise_some(step, k, first, src, dst, head);
    for (; n - i >= NOISE_GROUP; i += NOISE_GROUP) {
        vf x[NOISE_VECTORS];

        for (int j = 0; j < NOISE_VECTORS; j++)
            x[j] = v_load(src + i + j * V_LANES);
        step(k, (first + i) >> 2, x);
        for (int j = 0; j < NOISE_VECTORS; j++)
            v_store(dst + i + j * V_LANES, x[j]);
    }
    if (i < n)
        noise_some(step, k, first + i, src + i, dst + i, n - i);
}

#endif
