/* kernel/ht_decode.h: what the HT block decoders share, and the variants.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_DECODE_H
#define MTM_KERNEL_HT_DECODE_H

#include "ht.h"
#include "ht_tables.h"

void mtm_ht_decode_c(mtm_block *blocks, int32_t n, void *scratch);

#if defined(__x86_64__)
void mtm_ht_decode_avx2(mtm_block *blocks, int32_t n, void *scratch);
void mtm_ht_decode_avx512(mtm_block *blocks, int32_t n, void *scratch);
void mtm_ht_decode_vbmi2(mtm_block *blocks, int32_t n, void *scratch);
#endif

/* What decoding one block plainly needs of the scratch. */
enum { MTM_HT_REFERENCE_BYTES = 48 << 10 };

/* One block; the variants give it the blocks that are not for them: deep ones, odd ones, damaged ones. */
void mtm_ht_decode_one_c(mtm_block *b, void *scratch);

/* Whether a block's passes, segments and planes go together (it has passes). */
bool mtm_ht_block_valid(const mtm_block *b);

void mtm_ht_fill_zero(const mtm_block *b);

#endif
