/* kernel/x86/bias_avx512.c: bias fields, several voxels at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lanes_avx512.h"

#include "kernel/bias_body.h"

void mtm_bias_kernels_avx512(mtm_bias_kernels *k)
{
    k->row = bias_row;
}
