/* kernel/vmath.h: elementary functions over float32 lanes. A template: include one of lanes_c.h, x86/lanes_avx2.h and
 * x86/lanes_avx512.h first. No fused multiply-add, so that all three give the same bits. Polynomials are those of
 * Cephes (S. L. Moshier, single precision: logf, exp2f, expf, sinf, cosf).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_VMATH_H
#define MTM_KERNEL_VMATH_H

#include <math.h>
#include <string.h>

/* The nearest integer, ties to even, as a float and as lanes of int32; |x| < 2²². */
static inline vf v_round(vf x, vu *as_int)
{
    const vf magic = v_set1(0x1.8p23f), t = v_add(x, magic);

    *as_int = vu_sub(v_bits(t), v_bits(magic));
    return v_sub(t, magic);
}

/* x = 2^e · (1 + f), f in [√½ − 1, √2 − 1); x positive and finite, subnormals included. */
static inline vf v_split(vf x, vf *e)
{
    const vm tiny = v_lt(x, v_set1(0x1p-126f));
    const vu half = vu_set1(0x3F3504F3); /* √½ */
    const vf y = v_select(tiny, v_mul(x, v_set1(0x1p24f)), x);
    const vu n = vu_sar(vu_sub(v_bits(y), half), 23);

    *e = v_sub(v_from_int(n), v_select(tiny, v_set1(24), v_set1(0)));
    return v_sub(v_float(vu_sub(v_bits(y), vu_shl(n, 23))), v_set1(1));
}

/* ln(1 + f) − f for f of v_split; |error| ≤ 6e-8. */
static inline vf v_log1p_rest(vf f)
{
    static const float c[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                               -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                               2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
    const vf f2 = v_mul(f, f);
    vf p = v_set1(c[0]);

    for (int i = 1; i < 9; i++)
        p = v_add(v_mul(p, f), v_set1(c[i]));
    return v_sub(v_mul(v_mul(p, f), f2), v_mul(v_set1(0.5f), f2));
}

/* ln x, x positive and finite. */
static inline vf v_log(vf x)
{
    vf e;
    const vf f = v_split(x, &e);
    const vf low = v_add(v_log1p_rest(f), v_mul(e, v_set1(-2.12194440e-4f)));

    return v_add(v_add(low, f), v_mul(e, v_set1(0.693359375f)));
}

/* 2^n for integers in [−126, 127]. */
static inline vf v_pow2(vu n)
{
    return v_float(vu_shl(vu_add(n, vu_set1(127)), 23));
}

/* 2^f, |f| ≤ ½ and a little. */
static inline vf v_exp2_part(vf f)
{
    static const float c[6] = {1.535336188319500e-4f, 1.339887440266574e-3f, 9.618437357674640e-3f,
                               5.550332471162809e-2f, 2.402264791363012e-1f, 6.931472028550421e-1f};
    vf p = v_set1(c[0]);

    for (int i = 1; i < 6; i++)
        p = v_add(v_mul(p, f), v_set1(c[i]));
    return v_add(v_mul(p, f), v_set1(1));
}

/* e^x, x clamped to [−87, 88]; NaN stays. */
static inline vf v_exp(vf x)
{
    static const float c[6] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                               4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    const vf y = v_min(v_set1(88), v_max(v_set1(-87), x));
    vu n;
    const vf k = v_round(v_mul(y, v_set1(1.44269504f)), &n);
    const vf r = v_sub(v_sub(y, v_mul(k, v_set1(0.693359375f))), v_mul(k, v_set1(-2.12194440e-4f)));
    vf p = v_set1(c[0]);

    for (int i = 1; i < 6; i++)
        p = v_add(v_mul(p, r), v_set1(c[i]));
    p = v_add(v_add(v_mul(v_mul(r, r), p), r), v_set1(1));
    return v_mul(p, v_pow2(n));
}

/* A power's exponent, 0 ≤ c ≤ 1000, prepared: high has 12 significant bits, so that high · e is exact. */
typedef struct v_power {
    vf c, high, low, of_zero, of_inf;
} v_power;

static inline v_power v_power_of(float c)
{
    uint32_t u;
    float high;

    memcpy(&u, &c, sizeof u);
    u &= 0xFFFFF000u;
    memcpy(&high, &u, sizeof high);
    return (v_power){v_set1(c), v_set1(high), v_set1(c - high), v_set1(c == 0 ? 1.0f : 0.0f),
                     v_set1(c == 0 ? 1.0f : INFINITY)};
}

/* x^c for x ≥ 0 (−0 is 0), NaN stays; |error| ≤ 4e-7 relative for c ≤ 4 and c·|log2 x| < 126. The integral part of c·e
 * is taken off exactly before anything is rounded, so the error does not grow with log x. */
static inline vf v_pow(const v_power *k, vf x)
{
    vf e;
    vu n0, n1, n, half;
    const vf f = v_split(x, &e), z = v_log1p_rest(f);
    const vf log2_m = v_add(v_mul(v_add(z, f), v_set1(0.44269504088896340736f)), v_add(z, f));
    const vf whole = v_mul(k->high, e), k0 = v_round(whole, &n0);
    const vf rest = v_add(v_sub(whole, k0), v_add(v_mul(k->low, e), v_mul(k->c, log2_m)));
    const vf k1 = v_round(rest, &n1), p = v_exp2_part(v_sub(rest, k1));
    const vf sum = v_max(v_set1(-252), v_min(v_set1(252), v_add(k0, k1)));

    v_round(sum, &n);
    half = vu_sar(n, 1);
    return v_select(
        v_eq(x, v_set1(0)), k->of_zero,
        v_select(v_eq(x, v_set1(INFINITY)), k->of_inf,
                 v_select(v_eq(x, x), v_mul(v_mul(p, v_pow2(half)), v_pow2(vu_sub(n, half))), x)));
}

#endif
