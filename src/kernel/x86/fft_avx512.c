/* kernel/x86/fft_avx512.c: Fourier transforms on 64-byte vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#define FFT_VECTOR 64
#include "kernel/fft_body.h"

void mtm_fft_kernels_avx512(mtm_fft_kernels *k)
{
    fill_table(k);
}
