/* kernel/x86/ht_encode_avx512.c: the HT block encoder of ht_encode_512.h for AVX-512.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_encode_512.h"

void mtm_ht_encode_avx512(mtm_block_input *blocks, int32_t n, void *scratch)
{
    encode_blocks(blocks, n, scratch);
}
