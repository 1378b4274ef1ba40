/* kernel/vmath.h: elementary functions over float32 lanes. A template: include one of lanes_c.h, x86/lanes_avx2.h and
 * x86/lanes_avx512.h first. All three fuse the same multiplications and additions, so they give the same bits (plain C
 * pays for that with calls of fmaf where the processor has no such instruction). Logarithm and power of two by eight
 * centres and short polynomials (tools/fit_vmath.py); exp, sin and cos with the polynomials of Cephes (S. L. Moshier,
 * single precision: expf, sinf, cosf).
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

/* log2(x / 2^e) and e, x normal and positive: the mantissa is divided by about the centre 1 + j/8 next to it, by a number
 * whose logarithm is nearly a float32 (S. Gal, An accurate elementary mathematical library, 1991); exact at 1. |error| ≤
 * 6e-8 absolute. */
static inline vf v_log2_parts(vf x, vf *e)
{
    static const float inverse[8] = {1,           0.888918102f, 0.800030828f, 0.727235019f,
                                     0.66669631f, 0.615443945f, 0.571420968f, 0.533386052f};
    static const float log2_centre[8] = {
        0, 0.169877589f, 0.321872503f, 0.459506422f, 0.584898353f, 0.700300634f, 0.80737412f, 0.906747997f};
    const vu t = vu_sub(v_bits(x), vu_set1(0x3F800000 - (1u << 19))), j = vu_shr(t, 20);
    const vf m = v_float(vu_sub(v_bits(x), vu_and(t, vu_set1(0xFF800000))));
    const vf r = v_fms(m, v_lookup(inverse, j), v_set1(1));
    vf p = v_fma(v_set1(-0.343797803f), r, v_set1(0.481116146f));

    p = v_fma(p, r, v_set1(-0.721362054f));
    p = v_fma(p, r, v_set1(1.44269502f));
    *e = v_from_int(vu_sar(t, 23));
    return v_fma(p, r, v_lookup(log2_centre, j));
}

/* 2^(k + f) for multiples k of 1/8, |k| < 2¹⁹, the low bits of n8 those of 8·k, and |f| ≤ 1/16; overflows to Inf,
 * underflows gradually. */
static inline vf v_exp2_parts(vf k, vu n8, vf f)
{
    static const float table[8] = {1,           1.09050775f, 1.18920708f, 1.29683959f,
                                   1.41421354f, 1.54221082f, 1.68179286f, 1.8340081f};
    vf p = v_fma(v_set1(0.0555041097f), f, v_set1(0.240254685f));

    p = v_fma(p, f, v_set1(0.693147182f));
    p = v_fma(p, f, v_set1(1));
    return v_scale(v_mul(p, v_lookup(table, n8)), k);
}

/* 2^n for integers in [−126, 127]. */
static inline vf v_pow2(vu n)
{
    return v_float(vu_shl(vu_add(n, vu_set1(127)), 23));
}

/* e^x, x clamped to [−87, 88]; NaN stays. */
static inline vf v_exp(vf x)
{
    static const float c[6] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                               4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    const vf y = v_min(v_set1(88), v_max(v_set1(-87), x));
    vu n;
    const vf k = v_round(v_mul(y, v_set1(1.44269504f)), &n);
    const vf r = v_fma(k, v_set1(2.12194440e-4f), v_fma(k, v_set1(-0.693359375f), y));
    vf p = v_set1(c[0]);

    for (int i = 1; i < 6; i++)
        p = v_fma(p, r, v_set1(c[i]));
    p = v_add(v_fma(v_mul(r, r), p, r), v_set1(1));
    return v_mul(p, v_pow2(n));
}

/* A power's exponent, 0 ≤ c ≤ 1000, prepared. */
typedef struct v_power {
    vf c, of_zero, of_inf;
} v_power;

static inline v_power v_power_of(float c)
{
    return (v_power){v_set1(c), v_set1(c == 0 ? 1.0f : 0.0f), v_set1(c == 0 ? 1.0f : INFINITY)};
}

/* 2^(e + log2_m) to the power of c. The multiple of 1/8 next to the exponent is taken off the exact c·e, so the error does
 * not grow with log x. */
static inline vf v_pow_of_log2(const v_power *k, vf e, vf log2_m)
{
    const vf magic = v_set1(0x1.8p20f); /* its unit in the last place is 1/8 */
    const vf rest = v_mul(k->c, log2_m), t = v_add(v_fma(k->c, e, rest), magic), y = v_sub(t, magic);

    return v_exp2_parts(y, v_bits(t), v_add(v_fms(k->c, e, y), rest));
}

/* Lanes with subnormals, infinities and NaN among them. */
static __attribute__((noinline, unused)) vf v_pow_unusual(const v_power *k, vf x)
{
    const vm tiny = v_lt(x, v_set1(0x1p-126f));
    vf e;
    const vf log2_m = v_log2_parts(v_select(tiny, v_mul(x, v_set1(0x1p24f)), x), &e);
    const vf p = v_pow_of_log2(k, v_sub(e, v_select(tiny, v_set1(24), v_set1(0))), log2_m);
    const vf q = v_select(v_eq(x, v_set1(INFINITY)), k->of_inf, v_select(v_eq(x, x), p, x));

    return v_select(v_eq(x, v_set1(0)), k->of_zero, q);
}

/* x^c of lanes among which is nothing unusual. */
static inline vf v_pow_usual(const v_power *k, vf x)
{
    vf e;
    const vf log2_m = v_log2_parts(x, &e);

    return v_select(v_eq(x, v_set1(0)), k->of_zero, v_pow_of_log2(k, e, log2_m));
}

/* x^c for x ≥ 0 (−0 is 0), NaN stays; |error| ≤ 5e-7 relative for c ≤ 5. */
static inline vf v_pow(const v_power *k, vf x)
{
    return __builtin_expect(v_any_unusual(x), 0) ? v_pow_unusual(k, x) : v_pow_usual(k, x);
}

#endif
