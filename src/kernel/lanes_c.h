/* kernel/lanes_c.h: one lane of plain C. With x86/lanes_avx2.h and x86/lanes_avx512.h it gives the templates (vmath.h,
 * noise.h, pointwise_body.h) their arithmetic, so that every variant runs the same sequence of IEEE operations.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_LANES_C_H
#define MTM_KERNEL_LANES_C_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { V_LANES = 1 };

typedef float vf;    /* float32 lanes */
typedef uint32_t vu; /* uint32 lanes */
typedef bool vm;     /* one truth value per lane */

static inline vf v_set1(float x)
{
    return x;
}
static inline vf v_load(const float *p)
{
    return *p;
}
static inline void v_store(float *p, vf x)
{
    *p = x;
}
static inline vf v_add(vf a, vf b)
{
    return a + b;
}
static inline vf v_sub(vf a, vf b)
{
    return a - b;
}
static inline vf v_mul(vf a, vf b)
{
    return a * b;
}
static inline vf v_fma(vf a, vf b, vf c) /* a·b + c, rounded once */
{
    return fmaf(a, b, c);
}
static inline vf v_fms(vf a, vf b, vf c) /* a·b − c, rounded once */
{
    return fmaf(a, b, -c);
}
static inline vf v_div(vf a, vf b)
{
    return a / b;
}
static inline vf v_sqrt(vf a)
{
    return sqrtf(a);
}
static inline vf v_max(vf a, vf b) /* a > b ? a : b; a NaN in b stays */
{
    return a > b ? a : b;
}
static inline vf v_min(vf a, vf b) /* a < b ? a : b; a NaN in b stays */
{
    return a < b ? a : b;
}
static inline vm v_eq(vf a, vf b) /* false with NaN */
{
    return a == b;
}
static inline vm v_lt(vf a, vf b)
{
    return a < b;
}
static inline bool v_all(vm m)
{
    return m;
}
static inline bool v_any(vm m)
{
    return m;
}
static inline vf v_select(vm m, vf yes, vf no)
{
    return m ? yes : no;
}
static inline vu v_bits(vf a)
{
    vu u;
    memcpy(&u, &a, sizeof u);
    return u;
}
static inline vf v_float(vu u)
{
    vf a;
    memcpy(&a, &u, sizeof a);
    return a;
}
static inline vf v_from_int(vu a) /* two's complement */
{
    return (float)(int32_t)a;
}
static inline vf v_lookup(const float table[8], vu index) /* by the low three bits */
{
    return table[index & 7];
}
static inline vf v_scale(vf p, vf k) /* p · 2^⌊k⌋, rounded once; |k| < 2¹⁹ a multiple of 1/8 */
{
    const int32_t n = (int32_t)(v_bits(k + 0x1.8p20f) - 0x49C00000) >> 3;
    const int32_t m = n < -252 ? -252 : n > 252 ? 252 : n, half = m >> 1;

    return p * v_float((uint32_t)(half + 127) << 23) * v_float((uint32_t)(m - half + 127) << 23);
}
static inline bool v_any_unusual(vf x) /* a lane ≥ 0 that is subnormal, infinite or NaN */
{
    const uint32_t u = v_bits(x) - 1;
    return u < 0x007FFFFF || (u >= 0x7F7FFFFF && u < 0x7FFFFFFF);
}
static inline vu vu_set1(uint32_t a)
{
    return a;
}
static inline vu vu_add(vu a, vu b)
{
    return a + b;
}
static inline vu vu_sub(vu a, vu b)
{
    return a - b;
}
static inline vu vu_and(vu a, vu b)
{
    return a & b;
}
static inline vu vu_or(vu a, vu b)
{
    return a | b;
}
static inline vu vu_xor(vu a, vu b)
{
    return a ^ b;
}
static inline vm vu_any_bit(vu a, vu mask) /* (a & mask) ≠ 0 */
{
    return (a & mask) != 0;
}
#define vu_shl(a, n) ((vu)((a) << (n)))
#define vu_shr(a, n) ((vu)((a) >> (n)))
#define vu_sar(a, n) ((vu)((int32_t)(a) >> (n)))

#endif
