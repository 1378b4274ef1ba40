/* kernel/bias.c: bias fields in plain C.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/lanes_c.h"

#include "kernel/bias_body.h"

#include "base/error.h"

void mtm_bias_kernels_init(mtm_bias_kernels *k, unsigned cpu)
{
    k->row = bias_row;
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2)
        mtm_bias_kernels_avx2(k);
    if (cpu & MTM_CPU_AVX512)
        mtm_bias_kernels_avx512(k);
#endif
}
