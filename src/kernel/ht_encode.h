/* kernel/ht_encode.h: what the variants of the HT block encoder share with the reference, ht_encode.c; no one else's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_ENCODE_H
#define MTM_KERNEL_HT_ENCODE_H

#include "ht.h"

/* Room for the MEL and VLC bytes of one block: at most 1230 quads (5 × 819 coefficients) of 19 VLC bits, which stuffing
 * makes 3340 bytes, and as many MEL symbols of 6 bits. */
enum { MTM_HT_MEL_BYTES = 2048, MTM_HT_VLC_BYTES = 4096 };

/* The bits that the MEL and VLC coders hold when all symbols are coded; the encoders differ in how they get there. */
typedef struct mtm_ht_tail {
    const uint8_t *mel; /* the first byte */
    uint8_t *mel_at;    /* where the next byte goes; one more is writable */
    int mel_byte;       /* the bits begun, left-aligned */
    int mel_free;       /* bits still free below them: 8, or 7 after a byte 0xFF, when there are none */
    uint8_t *vlc_end;   /* one after the last byte, which is the first in coding order */
    uint8_t *vlc_at;    /* where the next byte goes (they go downwards); one more is writable */
    int vlc_byte, vlc_used;
} mtm_ht_tail;

/* Joins MagSgn bytes, that end at magsgn_end in b->out, and the tail to a cleanup segment (T.814 7.1.1); fills in the
 * block's results. */
void mtm_ht_finish(mtm_block_input *b, uint8_t *magsgn_end, mtm_ht_tail *t);

/* The results of a block of zeros, or of one that cannot be coded. */
void mtm_ht_no_block(mtm_block_input *b, mtm_block_status status);

void mtm_ht_encode_c(mtm_block_input *blocks, int32_t n, void *scratch);
#if defined(__x86_64__)
void mtm_ht_encode_avx2(mtm_block_input *blocks, int32_t n, void *scratch);
void mtm_ht_encode_avx512(mtm_block_input *blocks, int32_t n, void *scratch);
void mtm_ht_encode_vbmi2(mtm_block_input *blocks, int32_t n, void *scratch);
#endif

#endif
