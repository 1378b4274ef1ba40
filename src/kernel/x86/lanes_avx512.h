/* kernel/x86/lanes_avx512.h: 32 lanes in two AVX-512 registers: two independent chains of operations hide each other's
 * latency, which for the long polynomials of vmath.h is worth more than the registers. See kernel/lanes_c.h, which defines
 * what each function does.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_LANES_AVX512_H
#define MTM_KERNEL_X86_LANES_AVX512_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { V_LANES = 32 };

typedef struct vf {
    __m512 lo, hi;
} vf;
typedef struct vu {
    __m512i lo, hi;
} vu;
typedef struct vm {
    __mmask16 lo, hi;
} vm;

static inline vf v_set1(float x)
{
    return (vf){_mm512_set1_ps(x), _mm512_set1_ps(x)};
}
static inline vf v_load(const float *p)
{
    return (vf){_mm512_loadu_ps(p), _mm512_loadu_ps(p + 16)};
}
static inline void v_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x.lo);
    _mm512_storeu_ps(p + 16, x.hi);
}
static inline vf v_add(vf a, vf b)
{
    return (vf){_mm512_add_ps(a.lo, b.lo), _mm512_add_ps(a.hi, b.hi)};
}
static inline vf v_sub(vf a, vf b)
{
    return (vf){_mm512_sub_ps(a.lo, b.lo), _mm512_sub_ps(a.hi, b.hi)};
}
static inline vf v_mul(vf a, vf b)
{
    return (vf){_mm512_mul_ps(a.lo, b.lo), _mm512_mul_ps(a.hi, b.hi)};
}
static inline vf v_fma(vf a, vf b, vf c)
{
    return (vf){_mm512_fmadd_ps(a.lo, b.lo, c.lo), _mm512_fmadd_ps(a.hi, b.hi, c.hi)};
}
static inline vf v_fms(vf a, vf b, vf c)
{
    return (vf){_mm512_fmsub_ps(a.lo, b.lo, c.lo), _mm512_fmsub_ps(a.hi, b.hi, c.hi)};
}
static inline vf v_div(vf a, vf b)
{
    return (vf){_mm512_div_ps(a.lo, b.lo), _mm512_div_ps(a.hi, b.hi)};
}
static inline vf v_sqrt(vf a)
{
    return (vf){_mm512_sqrt_ps(a.lo), _mm512_sqrt_ps(a.hi)};
}
static inline vf v_max(vf a, vf b)
{
    return (vf){_mm512_max_ps(a.lo, b.lo), _mm512_max_ps(a.hi, b.hi)};
}
static inline vf v_min(vf a, vf b)
{
    return (vf){_mm512_min_ps(a.lo, b.lo), _mm512_min_ps(a.hi, b.hi)};
}
static inline vm v_eq(vf a, vf b)
{
    return (vm){_mm512_cmp_ps_mask(a.lo, b.lo, _CMP_EQ_OQ), _mm512_cmp_ps_mask(a.hi, b.hi, _CMP_EQ_OQ)};
}
static inline vm v_lt(vf a, vf b)
{
    return (vm){_mm512_cmp_ps_mask(a.lo, b.lo, _CMP_LT_OQ), _mm512_cmp_ps_mask(a.hi, b.hi, _CMP_LT_OQ)};
}
static inline bool v_all(vm m)
{
    return (m.lo & m.hi) == 0xFFFF;
}
static inline bool v_any(vm m)
{
    return (m.lo | m.hi) != 0;
}
static inline vf v_select(vm m, vf yes, vf no)
{
    return (vf){_mm512_mask_blend_ps(m.lo, no.lo, yes.lo), _mm512_mask_blend_ps(m.hi, no.hi, yes.hi)};
}
static inline vu v_bits(vf a)
{
    return (vu){_mm512_castps_si512(a.lo), _mm512_castps_si512(a.hi)};
}
static inline vf v_float(vu a)
{
    return (vf){_mm512_castsi512_ps(a.lo), _mm512_castsi512_ps(a.hi)};
}
static inline vf v_from_int(vu a)
{
    return (vf){_mm512_cvtepi32_ps(a.lo), _mm512_cvtepi32_ps(a.hi)};
}
static inline vf v_lookup(const float table[8], vu index)
{
    const __m512 t = _mm512_broadcast_f32x8(_mm256_loadu_ps(table));
    return (vf){_mm512_permutexvar_ps(index.lo, t), _mm512_permutexvar_ps(index.hi, t)};
}
static inline vf v_scale(vf p, vf k)
{
    return (vf){_mm512_scalef_ps(p.lo, k.lo), _mm512_scalef_ps(p.hi, k.hi)};
}
static inline bool v_any_unusual(vf x)
{
    enum { NAN_INF_SUBNORMAL = 0x01 | 0x80 | 0x20 | 0x08 | 0x10 };
    return !_kortestz_mask16_u8(_mm512_fpclass_ps_mask(x.lo, NAN_INF_SUBNORMAL),
                                _mm512_fpclass_ps_mask(x.hi, NAN_INF_SUBNORMAL));
}
static inline vu vu_set1(uint32_t a)
{
    return (vu){_mm512_set1_epi32((int32_t)a), _mm512_set1_epi32((int32_t)a)};
}
static inline vu vu_add(vu a, vu b)
{
    return (vu){_mm512_add_epi32(a.lo, b.lo), _mm512_add_epi32(a.hi, b.hi)};
}
static inline vu vu_sub(vu a, vu b)
{
    return (vu){_mm512_sub_epi32(a.lo, b.lo), _mm512_sub_epi32(a.hi, b.hi)};
}
static inline vu vu_and(vu a, vu b)
{
    return (vu){_mm512_and_si512(a.lo, b.lo), _mm512_and_si512(a.hi, b.hi)};
}
static inline vu vu_or(vu a, vu b)
{
    return (vu){_mm512_or_si512(a.lo, b.lo), _mm512_or_si512(a.hi, b.hi)};
}
static inline vu vu_xor(vu a, vu b)
{
    return (vu){_mm512_xor_si512(a.lo, b.lo), _mm512_xor_si512(a.hi, b.hi)};
}
static inline vm vu_any_bit(vu a, vu mask)
{
    return (vm){_mm512_test_epi32_mask(a.lo, mask.lo), _mm512_test_epi32_mask(a.hi, mask.hi)};
}
static inline vu vu_shl(vu a, unsigned n)
{
    return (vu){_mm512_slli_epi32(a.lo, n), _mm512_slli_epi32(a.hi, n)};
}
static inline vu vu_shr(vu a, unsigned n)
{
    return (vu){_mm512_srli_epi32(a.lo, n), _mm512_srli_epi32(a.hi, n)};
}
static inline vu vu_sar(vu a, unsigned n)
{
    return (vu){_mm512_srai_epi32(a.lo, n), _mm512_srai_epi32(a.hi, n)};
}

#endif
