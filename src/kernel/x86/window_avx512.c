/* kernel/x86/window_avx512.c: window sums with AVX-512. Equal to kernel/window.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/window_body.h"

void mtm_window_kernels_avx512(mtm_window_kernels *k)
{
    window_kernels_set(k);
}
