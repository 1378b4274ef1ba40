/* kernel/ht.h: the high-throughput block coder of T.814 (HTJ2K): cleanup, SigProp and MagRef passes.
 * The C reference is ht_decode.c and ht_encode.c; the variants only equal it. Tables: ht_tables.c, made by
 * tools/gen_ht_tables.py.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_H
#define MTM_KERNEL_HT_H

#include "block.h"

/* Scratch of one worker, from the caller; 64-byte aligned, contents undefined before and after. */
enum { MTM_HT_SCRATCH_BYTES = 448 << 10 };

typedef struct mtm_ht_kernels {
    /* Decodes n blocks (n ≥ 0, any mix of sizes) and fills each status. Variants may decode several at a time. */
    void (*decode)(mtm_block *blocks, int32_t n, void *scratch);
    /* Encodes n blocks with one cleanup pass each. Not wanted: passes. TOO_LARGE also where room_bytes is less than
     * mtm_ht_encode_bound. */
    void (*encode)(mtm_block_input *blocks, int32_t n, void *scratch);
} mtm_ht_kernels;

void mtm_ht_kernels_init(mtm_ht_kernels *k, unsigned cpu);

/* Bytes that a cleanup pass of width × height coefficients of at most n_planes bits can never exceed. */
uint32_t mtm_ht_encode_bound(int32_t width, int32_t height, int32_t n_planes);

#endif
