/* kernel/x86/window_avx2.c: window sums with AVX2. Equal to kernel/window.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/window_body.h"

void mtm_window_kernels_avx2(mtm_window_kernels *k)
{
    window_kernels_set(k);
}
