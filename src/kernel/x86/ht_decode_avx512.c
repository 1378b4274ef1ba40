/* kernel/x86/ht_decode_avx512.c: the HT block decoder of ht_decode_512.h for AVX-512 F, BW, CD, DQ and VL.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_decode_512.h"

void mtm_ht_decode_avx512(mtm_block *blocks, int32_t n, void *scratch)
{
    ht_decode_batches(scratch, blocks, n, finish_lanes);
}
