/* kernel/x86/lanes_avx512.h: sixteen lanes of AVX-512; see kernel/lanes_c.h, which defines what each function does.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_LANES_AVX512_H
#define MTM_KERNEL_X86_LANES_AVX512_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { V_LANES = 16 };

typedef __m512 vf;
typedef __m512i vu;
typedef __mmask16 vm;

static inline vf v_set1(float x)
{
    return _mm512_set1_ps(x);
}
static inline vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}
static inline vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
static inline vf v_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}
static inline vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
static inline vf v_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
static inline vm v_eq(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
static inline vm v_lt(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
static inline vf v_select(vm m, vf yes, vf no)
{
    return _mm512_mask_blend_ps(m, no, yes);
}
static inline vu v_bits(vf a)
{
    return _mm512_castps_si512(a);
}
static inline vf v_float(vu u)
{
    return _mm512_castsi512_ps(u);
}
static inline vf v_from_int(vu a)
{
    return _mm512_cvtepi32_ps(a);
}
static inline vu vu_set1(uint32_t a)
{
    return _mm512_set1_epi32((int32_t)a);
}
static inline vu vu_add(vu a, vu b)
{
    return _mm512_add_epi32(a, b);
}
static inline vu vu_sub(vu a, vu b)
{
    return _mm512_sub_epi32(a, b);
}
static inline vu vu_and(vu a, vu b)
{
    return _mm512_and_si512(a, b);
}
static inline vu vu_or(vu a, vu b)
{
    return _mm512_or_si512(a, b);
}
static inline vu vu_xor(vu a, vu b)
{
    return _mm512_xor_si512(a, b);
}
static inline vm vu_any_bit(vu a, vu mask)
{
    return _mm512_test_epi32_mask(a, mask);
}
#define vu_shl(a, n) _mm512_slli_epi32((a), (n))
#define vu_shr(a, n) _mm512_srli_epi32((a), (n))
#define vu_sar(a, n) _mm512_srai_epi32((a), (n))

#endif
