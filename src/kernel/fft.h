/* kernel/fft.h: discrete Fourier transforms of any length, of 16 lines side by side. Forward is followed by a multiplication
 * and inverse here, never looked at in order, so the frequencies stay in the order that the in-place transform leaves
 * them in: no bit reversal, and a line never leaves the first cache. Radices 4, 2 and odd primes, decimation in frequency
 * forwards and in time backwards (W. M. Gentleman, G. Sande, Fast Fourier transforms, 1966); lengths with a prime factor
 * above MTM_FFT_MOST_RADIX as a convolution (L. I. Bluestein, A linear filtering approach, 1970).
 * All variants give the same bits: they do the same operations on more lanes at once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_FFT_H
#define MTM_KERNEL_FFT_H

#include "base/error.h"

enum {
    MTM_FFT_LANES = 16,                 /* lines side by side */
    MTM_FFT_FLOATS = 2 * MTM_FFT_LANES, /* of one point: the lanes' real parts, then their imaginary parts */
    MTM_FFT_MOST_RADIX = 31,
    MTM_FFT_MOST_STAGES = 40
};

/* Blocks of radix·m points become radix blocks of m points each, m the product of the radices that follow. */
typedef struct mtm_fft_stage {
    int64_t radix, m;
    const float *twiddle; /* [m][radix − 1] pairs cos, sin of 2π·j·k / (radix·m), k from 1 */
    const float *trig;    /* odd radices: [radix] cosines, [radix] sines of 2π·j / radix */
} mtm_fft_stage;

typedef struct mtm_fft_plan {
    int64_t n;      /* of a line */
    int64_t length; /* of the stages: n; with a chirp, at least 2n − 1 */
    int64_t n_stages;
    mtm_fft_stage stages[MTM_FFT_MOST_STAGES];
    const int64_t *frequency;     /* [n] that stands at each position after forward, 0 … n − 1 */
    const int64_t *position;      /* [n] of each frequency */
    const float *chirp;           /* [n] pairs cos, −sin of π·j² / n; NULL: none is needed */
    const float *chirp_transform; /* [length] pairs, of its conjugate, divided by length */
} mtm_fft_plan;

/* Memory of a plan for lines of n points, n ≥ 1, and of one call's scratch. Both want 64-byte alignment. */
size_t mtm_fft_plan_bytes(int64_t n);
size_t mtm_fft_scratch_bytes(int64_t n);
void mtm_fft_plan_make(mtm_fft_plan *p, int64_t n, void *memory);

/* x: [n][MTM_FFT_FLOATS], 64-byte aligned, in place; scratch as above. */
typedef struct mtm_fft_kernels {
    /* Σ x[j]·exp(−2πi·j·k / n) of every lane; frequency k to position[k]. */
    void (*forward)(const mtm_fft_plan *p, float *x, float *scratch);
    /* Σ X[k]·exp(+2πi·j·k / n), not divided by n, from what forward leaves. */
    void (*inverse)(const mtm_fft_plan *p, float *x, float *scratch);
    /* x[j]·w[j] of every lane, n points. */
    void (*weigh)(float *x, const float *w, int64_t n);
    /* Where real parts a and imaginary parts b are lines of real numbers: twice the transforms of a and of b at frequency k,
     * 0 ≤ k ≤ n/2, to a and b (MTM_FFT_FLOATS each). */
    void (*split)(const mtm_fft_plan *p, const float *x, int64_t k, float *a, float *b);
    /* The other way: sets frequencies k and n − k of x from the transforms at k of two lines of real numbers. */
    void (*join)(const mtm_fft_plan *p, float *x, int64_t k, const float *a, const float *b);
} mtm_fft_kernels;

void mtm_fft_kernels_init(mtm_fft_kernels *k, unsigned cpu);

#if defined(__x86_64__)
void mtm_fft_kernels_avx2(mtm_fft_kernels *k);
void mtm_fft_kernels_avx512(mtm_fft_kernels *k);
#endif

#endif
