/* kernel/x86/ht_decode_vbmi2.c: the HT block decoder of ht_decode_512.h for AVX-512 with VBMI2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_decode_512.h"

void mtm_ht_decode_vbmi2(mtm_block *blocks, int32_t n, void *scratch)
{
    ht_decode_batches(scratch, blocks, n, finish_lanes);
}
