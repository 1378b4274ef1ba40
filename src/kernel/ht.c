/* kernel/ht.c: fills the table of the HT block coder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht.h"

#include "ht_decode.h"
#include "ht_encode.h"

void mtm_ht_kernels_init(mtm_ht_kernels *k, unsigned cpu)
{
    (void)cpu;
    *k = (mtm_ht_kernels){.decode = mtm_ht_decode_c, .encode = mtm_ht_encode_c};
}
