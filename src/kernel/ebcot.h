/* kernel/ebcot.h: the block coder of JPEG 2000 Part 1 (T.800 annexes C and D): bit-plane passes over the MQ coder.
 * The C reference is ebcot_decode.c and ebcot_encode.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_EBCOT_H
#define MTM_KERNEL_EBCOT_H

#include "block.h"

/* Scratch of one worker, from the caller; 64-byte aligned, contents undefined before and after. */
enum { MTM_EBCOT_SCRATCH_BYTES = 640 << 10 };

typedef struct mtm_ebcot_kernels {
    /* Decodes n blocks (n ≥ 0, any mix) and fills each status. Variants may decode several at a time. */
    void (*decode)(mtm_block *blocks, int32_t n, void *scratch);
    /* Encodes n blocks, all bit-planes. With MTM_BLOCK_TERMALL or BYPASS the passes' lengths are the segments'. */
    void (*encode)(mtm_block_input *blocks, int32_t n, void *scratch);
} mtm_ebcot_kernels;

void mtm_ebcot_kernels_init(mtm_ebcot_kernels *k, unsigned cpu);

/* Room for a codeword; a longer one, which only coefficients made up to that end have, makes the status TOO_LARGE. */
uint32_t mtm_ebcot_encode_bound(int32_t width, int32_t height, int32_t n_planes);

/* Whether a codeword segment ends after pass number `pass` (0-based; pass 0 is the cleanup of the first bit-plane) of a
 * block of this style (T.800 D.4.2, D.6, table D.9). The packet reader and the encoder share it. */
bool mtm_ebcot_segment_ends(uint8_t style, int32_t pass);

#endif
