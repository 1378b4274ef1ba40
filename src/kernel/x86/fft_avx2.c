/* kernel/x86/fft_avx2.c: Fourier transforms on 32-byte vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#define FFT_VECTOR 32
#include "kernel/fft_body.h"

void mtm_fft_kernels_avx2(mtm_fft_kernels *k)
{
    fill_table(k);
}
