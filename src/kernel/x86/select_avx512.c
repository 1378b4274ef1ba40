/* kernel/x86/select_avx512.c: brackets around order statistics, 16 (8) numbers at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/select.h"

enum { NOT_FINITE = 0x99 }; /* vfpclass: quiet and signalling NaN, ±inf */

/* The few numbers of a vector that lie in [lo, hi]. Compressed in a register: to memory the instruction is slow on Zen 4. */
static inline void take_f32(mtm_bracket *p, __m512 v, __m512 lo, __m512 hi, __mmask16 near)
{
    const __mmask16 at_lo = _mm512_mask_cmp_ps_mask(near, v, lo, _CMP_EQ_OQ);
    const __mmask16 at_hi = _mm512_mask_cmp_ps_mask(near & (__mmask16)~at_lo, v, hi, _CMP_EQ_OQ);
    const __mmask16 inside = near & (__mmask16) ~(at_lo | at_hi);

    p->at_lo += __builtin_popcount(at_lo), p->at_hi += __builtin_popcount(at_hi);
    if (p->inside < p->room)
        _mm512_storeu_ps((float *)p->found + p->inside, _mm512_maskz_compress_ps(inside, v));
    p->inside += __builtin_popcount(inside);
}

static void bracket_f32(mtm_bracket b[2], const float *x, const uint8_t *keep, size_t n)
{
    const __m512 lo0 = _mm512_set1_ps((float)b[0].lo), hi0 = _mm512_set1_ps((float)b[0].hi);
    const __m512 lo1 = _mm512_set1_ps((float)b[1].lo), hi1 = _mm512_set1_ps((float)b[1].hi);
    mtm_bracket b0 = b[0], b1 = b[1]; /* counters in registers */

    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 valid = n - i >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << (n - i)) - 1);
        const __m512 v = _mm512_maskz_loadu_ps(valid, x + i);
        __mmask16 good = valid & (__mmask16)~_mm512_fpclass_ps_mask(v, NOT_FINITE);

        if (keep) {
            const __m128i k = _mm_maskz_loadu_epi8(valid, keep + i);
            good &= _mm_test_epi8_mask(k, k);
        }
        const __mmask16 below0 = _mm512_mask_cmp_ps_mask(good, v, lo0, _CMP_LT_OQ);
        const __mmask16 below1 = _mm512_mask_cmp_ps_mask(good, v, lo1, _CMP_LT_OQ);
        const __mmask16 near0 = _mm512_mask_cmp_ps_mask(good & (__mmask16)~below0, v, hi0, _CMP_LE_OQ);
        const __mmask16 near1 = _mm512_mask_cmp_ps_mask(good & (__mmask16)~below1, v, hi1, _CMP_LE_OQ);
        b0.below += __builtin_popcount(below0), b1.below += __builtin_popcount(below1);
        if (near0)
            take_f32(&b0, v, lo0, hi0, near0);
        if (near1)
            take_f32(&b1, v, lo1, hi1, near1);
    }
    b[0] = b0, b[1] = b1;
}

static inline void take_f64(mtm_bracket *p, __m512d v, __m512d lo, __m512d hi, __mmask8 near)
{
    const __mmask8 at_lo = _mm512_mask_cmp_pd_mask(near, v, lo, _CMP_EQ_OQ);
    const __mmask8 at_hi = _mm512_mask_cmp_pd_mask(near & (__mmask8)~at_lo, v, hi, _CMP_EQ_OQ);
    const __mmask8 inside = near & (__mmask8) ~(at_lo | at_hi);

    p->at_lo += __builtin_popcount(at_lo), p->at_hi += __builtin_popcount(at_hi);
    if (p->inside < p->room)
        _mm512_storeu_pd((double *)p->found + p->inside, _mm512_maskz_compress_pd(inside, v));
    p->inside += __builtin_popcount(inside);
}

static void bracket_f64(mtm_bracket b[2], const double *x, const uint8_t *keep, size_t n)
{
    const __m512d lo0 = _mm512_set1_pd(b[0].lo), hi0 = _mm512_set1_pd(b[0].hi);
    const __m512d lo1 = _mm512_set1_pd(b[1].lo), hi1 = _mm512_set1_pd(b[1].hi);
    mtm_bracket b0 = b[0], b1 = b[1];

    for (size_t i = 0; i < n; i += 8) {
        const __mmask8 valid = n - i >= 8 ? (__mmask8)0xFF : (__mmask8)((1u << (n - i)) - 1);
        const __m512d v = _mm512_maskz_loadu_pd(valid, x + i);
        __mmask8 good = valid & (__mmask8)~_mm512_fpclass_pd_mask(v, NOT_FINITE);

        if (keep) {
            const __m128i k = _mm_maskz_loadu_epi8(valid, keep + i);
            good &= (__mmask8)_mm_test_epi8_mask(k, k);
        }
        const __mmask8 below0 = _mm512_mask_cmp_pd_mask(good, v, lo0, _CMP_LT_OQ);
        const __mmask8 below1 = _mm512_mask_cmp_pd_mask(good, v, lo1, _CMP_LT_OQ);
        const __mmask8 near0 = _mm512_mask_cmp_pd_mask(good & (__mmask8)~below0, v, hi0, _CMP_LE_OQ);
        const __mmask8 near1 = _mm512_mask_cmp_pd_mask(good & (__mmask8)~below1, v, hi1, _CMP_LE_OQ);
        b0.below += __builtin_popcount(below0), b1.below += __builtin_popcount(below1);
        if (near0)
            take_f64(&b0, v, lo0, hi0, near0);
        if (near1)
            take_f64(&b1, v, lo1, hi1, near1);
    }
    b[0] = b0, b[1] = b1;
}

void mtm_select_kernels_avx512(mtm_select_kernels *k)
{
    k->bracket_f32 = bracket_f32, k->bracket_f64 = bracket_f64;
}
