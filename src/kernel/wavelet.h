/* kernel/wavelet.h: one row's share of the 5/3 and 9/7 wavelet transforms (T.800 annex F), both ways. Low and high rows
 * are planar: the inverse interleaves them, the forward separates them. The rolling rows are codec/j2k/synthesis.c's and
 * analysis.c's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_WAVELET_H
#define MTM_KERNEL_WAVELET_H

#include "block.h"

/* Index of a row's type: I16, I32, I64 (5/3) and F32 (9/7) of mtm_coef. */
enum { MTM_WAVELET_TYPES = 4 };

/* The contract of each function is written at its reference in wavelet.c. n: samples of the joined row, ≥ 1; odd: the row
 * begins with a high-pass sample (its first coordinate is odd). Rows are aligned to their element only, and have 64 bytes
 * behind their end that may be read and, in dst, written; rows of one call do not overlap unless said.
 * I16 rows wrap silently; where the bound does not prove that nothing wraps, `range` is asked. */
typedef struct mtm_wavelet_kernels {
    /* One row: dst[n] from low[⌈n/2⌉ or ⌊n/2⌋] and high (T.800 F.3.6 … F.3.8). n = 1: even copies, odd halves. */
    void (*inverse_row[MTM_WAVELET_TYPES])(void *dst, const void *low, const void *high, size_t n, bool odd);
    void (*forward_row[MTM_WAVELET_TYPES])(void *low, void *high, const void *src, size_t n, bool odd);
    /* Columns, 5/3: one lifting step of whole rows. dst may be `row`.
     * inverse: even = low − ⌊(h0 + h1 + 2)/4⌋, odd = high + ⌊(e0 + e1)/2⌋; forward has the other signs. */
    void (*lift53_even[MTM_COEF_I64 + 1])(void *dst, const void *row, const void *h0, const void *h1,
                                          size_t n, bool forward);
    void (*lift53_odd[MTM_COEF_I64 + 1])(void *dst, const void *row, const void *e0, const void *e1, size_t n,
                                         bool forward);
    /* Columns, 5/3 inverse, fused: even row e1 = low − ⌊(h0 + h1 + 2)/4⌋ and the odd row between e0 and e1,
     * odd = h0 + ⌊(e0 + e1)/2⌋. */
    void (*inverse53_pair[MTM_COEF_I64 + 1])(void *odd, void *e1, const void *e0, const void *low,
                                             const void *h0, const void *h1, size_t n);
    /* Columns, 9/7: dst = row + k · (a + b), one rounding (fused multiply-add). dst may be `row`. */
    void (*lift97)(float *dst, const float *row, const float *a, const float *b, float k, size_t n);
    void (*scale97)(float *dst, const float *src, float k, size_t n); /* dst may be src */
    /* Least and greatest of a row of int16, joined into lo[0] and hi[0]. */
    void (*range16)(const int16_t *row, size_t n, int16_t *lo, int16_t *hi);
} mtm_wavelet_kernels;

void mtm_wavelet_kernels_init(mtm_wavelet_kernels *k, unsigned cpu);

#endif
