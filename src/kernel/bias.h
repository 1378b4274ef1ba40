/* kernel/bias.h: rows of a picture times the exponential of a polynomial.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_BIAS_H
#define MTM_KERNEL_BIAS_H

#include <stddef.h>
#include <stdint.h>

typedef struct mtm_bias_kernels {
    /* dst[i] = src[i]·exp(Σ c[k]·x[i]^k), k = 0 … degree; dst may be src. The exponent is clamped to [−87, 88]. */
    void (*row)(float *dst, const float *src, const float *x, const float *c, int32_t degree, size_t n);
} mtm_bias_kernels;

void mtm_bias_kernels_init(mtm_bias_kernels *k, unsigned cpu);

#if defined(__x86_64__)
void mtm_bias_kernels_avx2(mtm_bias_kernels *k);
void mtm_bias_kernels_avx512(mtm_bias_kernels *k);
#endif

#endif
