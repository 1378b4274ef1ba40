/* kernel/x86/convert_avx512.c: row conversions as the compiler vectorises them for AVX-512.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/convert_rows.h"

void mtm_convert_kernels_avx512(mtm_convert_kernels *k)
{
    fill_rows(k);
}
