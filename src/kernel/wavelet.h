/* kernel/wavelet.h: one row's share of the 5/3 and 9/7 wavelet transforms (T.800 annex F), both ways. Along a row,
 * low and high samples are planar: the inverse interleaves them, the forward separates them. Across rows, lifting
 * steps run in place. The rolling rows are codec/j2k/lifting.c's, for synthesis.c and analysis.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_WAVELET_H
#define MTM_KERNEL_WAVELET_H

#include "block.h"

/* Index of a row's type: I16, I32, I64 (5/3) and F32 (9/7) of mtm_coef. */
enum { MTM_WAVELET_TYPES = 4 };

/* Lifting steps in the order in which they run. Inverse: step 0 changes the even rows, 1 the odd ones, and so on
 * in turns; forward: step 0 changes the odd rows. */
enum { MTM_WAVELET_STEPS_53 = 2, MTM_WAVELET_STEPS_97 = 4 };

/* K of T.800 table F.4: how the 9/7's low-pass (K) and high-pass (1/K) samples are scaled before the inverse
 * lifting steps. */
#define MTM_WAVELET_K 1.230174104914001

/* Least and greatest int16 met. */
typedef struct mtm_range16 {
    int16_t lo, hi;
} mtm_range16;

/* The same over several lanes, of which each kernel uses as many as it likes: the least of lo, the greatest of hi. */
enum { MTM_SEEN_LANES = 32 };
typedef struct mtm_seen16 {
    _Alignas(64) int16_t lo[MTM_SEEN_LANES];
    int16_t hi[MTM_SEEN_LANES];
} mtm_seen16;

/* Integers wrap around at every addition, as two's complement does, in all variants alike. While every int16 that
 * a transform was given and has made lies in [MTM_WAVELET_LEAST16, MTM_WAVELET_MOST16], none has wrapped: h0 + h1
 * + 2 and e0 + e1 of such numbers fit, ⌊/4⌋ of the one and ⌊/2⌋ of the other are at most 2¹³ and 2¹⁴ in magnitude,
 * so that a result is at most 2¹⁵ − 2 before it is stored, and what was stored is the true result. By induction
 * over the steps all are true. */
enum { MTM_WAVELET_LEAST16 = -16384, MTM_WAVELET_MOST16 = 16382 };

/* `odd`: the row's first coordinate is odd, so that it begins with a high-pass sample. Rows are aligned to their
 * element only, and have 64 bytes behind their end that may be read and, in what is written, overwritten; rows of
 * one call do not overlap unless said. n: samples of the joined row, ≥ 1. Floats: a lifting step is x + k · (a +
 * b) with the sum rounded and the rest fused (one rounding), so that all variants are equal to the bit. */
typedef struct mtm_wavelet_kernels {
    /* dst[n] from low[⌈n/2⌉] and high[⌊n/2⌋], odd: low[⌊n/2⌋] and high[⌈n/2⌉] (T.800 F.3.6 … F.3.8). n = 1: even
     * copies, odd halves. F32: all of it times `scale`; others ignore it. */
    void (*inverse_row[MTM_WAVELET_TYPES])(void *dst, const void *low, const void *high, size_t n, bool odd,
                                           float scale);
    /* The way back (T.800 F.4.6 … F.4.8). n = 1: even copies, odd doubles. */
    void (*forward_row[MTM_WAVELET_TYPES])(void *low, void *high, const void *src, size_t n, bool odd,
                                           float scale);
    /* One step of one row: row[i] changes by a[i] and b[i], its neighbours above and below; a may be b. */
    void (*inverse_step[MTM_WAVELET_TYPES])(void *row, const void *a, const void *b, size_t n, int step);
    void (*forward_step[MTM_WAVELET_TYPES])(void *row, const void *a, const void *b, size_t n, int step);
    /* All steps at once, each on a row of its own: rows[0] is the lowest of neighbouring rows, rows[1] the one
     * above it, …; step s changes rows[s + 1] by rows[s] and rows[s + 2], in the order of the steps. */
    void (*inverse_steps[MTM_WAVELET_TYPES])(void *const *rows, size_t n);
    void (*forward_steps[MTM_WAVELET_TYPES])(void *const *rows, size_t n);
    /* inverse_row and inverse_steps of int16 that widen *seen by all that they were given and have made (steps:
     * made). */
    void (*inverse_row_seen)(int16_t *dst, const int16_t *low, const int16_t *high, size_t n, bool odd,
                             mtm_seen16 *seen);
    void (*inverse_steps_seen)(void *const *rows, size_t n, mtm_seen16 *seen);
    void (*range16)(const int16_t *row, size_t n, mtm_range16 *seen); /* widens *seen by a row */
} mtm_wavelet_kernels;

#if defined(__x86_64__)
void mtm_wavelet_kernels_avx2(mtm_wavelet_kernels *k);
void mtm_wavelet_kernels_avx512(mtm_wavelet_kernels *k);
#endif
void mtm_wavelet_kernels_init(mtm_wavelet_kernels *k, unsigned cpu);

#endif
