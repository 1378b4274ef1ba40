/* kernel/x86/color_vbmi2.c: rows to pixels and back, in vectors of 512 bits whose bytes are permuted at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "color_rows.h"

void mtm_color_kernels_vbmi2(mtm_color_kernels *k)
{
    *k = (mtm_color_kernels){.store = store, .load = load};
}
