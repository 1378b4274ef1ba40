/* kernel/x86/bias_avx2.c: bias fields, several voxels at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lanes_avx2.h"

#include "kernel/bias_body.h"

void mtm_bias_kernels_avx2(mtm_bias_kernels *k)
{
    k->row = bias_row;
}
