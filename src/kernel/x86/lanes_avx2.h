/* kernel/x86/lanes_avx2.h: eight lanes of AVX2; see kernel/lanes_c.h, which defines what each function does.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_LANES_AVX2_H
#define MTM_KERNEL_X86_LANES_AVX2_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { V_LANES = 8 };

typedef __m256 vf;
typedef __m256i vu;
typedef __m256 vm; /* sign bit of each lane */

static inline vf v_set1(float x)
{
    return _mm256_set1_ps(x);
}
static inline vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}
static inline vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf v_fms(vf a, vf b, vf c)
{
    return _mm256_fmsub_ps(a, b, c);
}
static inline vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
static inline vf v_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}
static inline vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
static inline vf v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
static inline vm v_eq(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
static inline vm v_lt(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
static inline bool v_all(vm m)
{
    return _mm256_movemask_ps(m) == 0xFF;
}
static inline bool v_any(vm m)
{
    return _mm256_movemask_ps(m) != 0;
}
static inline vf v_select(vm m, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, m);
}
static inline vu v_bits(vf a)
{
    return _mm256_castps_si256(a);
}
static inline vf v_float(vu u)
{
    return _mm256_castsi256_ps(u);
}
static inline vf v_from_int(vu a)
{
    return _mm256_cvtepi32_ps(a);
}
static inline vf v_lookup(const float table[8], vu index)
{
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
}
static inline vf v_scale(vf p, vf k)
{
    const vf magic = _mm256_set1_ps(0x1.8p20f); /* its unit in the last place is 1/8 */
    const vu n8 = _mm256_sub_epi32(v_bits(_mm256_add_ps(k, magic)), v_bits(magic));
    const vu bias = _mm256_set1_epi32(127), n = _mm256_srai_epi32(n8, 3);
    const vu m = _mm256_max_epi32(_mm256_min_epi32(n, _mm256_set1_epi32(252)), _mm256_set1_epi32(-252));
    const vu half = _mm256_srai_epi32(m, 1), other = _mm256_sub_epi32(m, half);
    const vf q = _mm256_mul_ps(p, v_float(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));

    return _mm256_mul_ps(q, v_float(_mm256_slli_epi32(_mm256_add_epi32(other, bias), 23)));
}
static inline bool v_any_unusual(vf x)
{
    const vu u =
        _mm256_sub_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(1)); /* 0 and −0 become the signed ends */
    const vu low = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x007FFFFF), u);
    const vu high = _mm256_cmpgt_epi32(u, _mm256_set1_epi32(0x7F7FFFFE));

    return !_mm256_testz_si256(_mm256_or_si256(_mm256_andnot_si256(u, low), high),
                               _mm256_set1_epi32(INT32_MIN));
}
static inline vu vu_set1(uint32_t a)
{
    return _mm256_set1_epi32((int32_t)a);
}
static inline vu vu_add(vu a, vu b)
{
    return _mm256_add_epi32(a, b);
}
static inline vu vu_sub(vu a, vu b)
{
    return _mm256_sub_epi32(a, b);
}
static inline vu vu_and(vu a, vu b)
{
    return _mm256_and_si256(a, b);
}
static inline vu vu_or(vu a, vu b)
{
    return _mm256_or_si256(a, b);
}
static inline vu vu_xor(vu a, vu b)
{
    return _mm256_xor_si256(a, b);
}
static inline vm vu_any_bit(vu a, vu mask)
{
    const vu none = _mm256_cmpeq_epi32(_mm256_and_si256(a, mask), _mm256_setzero_si256());
    return _mm256_castsi256_ps(_mm256_xor_si256(none, _mm256_set1_epi32(-1)));
}
#define vu_shl(a, n) _mm256_slli_epi32((a), (n))
#define vu_shr(a, n) _mm256_srli_epi32((a), (n))
#define vu_sar(a, n) _mm256_srai_epi32((a), (n))

#endif
