/* kernel/ebcot_columns.h: how the variants of the EBCOT block coder keep a block: a stripe's coefficients in coding order,
 * column by column, 64 (16 columns) to a word of bits, and what each knows of its neighbours in a byte, four of them, a
 * column of a stripe, to a word of memory. Whatever a pass visits is then a mask, and its next coefficient a count of
 * zeros. The tables are in mq_tables.c. Between ebcot_model.h and x86/ebcot_*_body.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_EBCOT_COLUMNS_H
#define MTM_KERNEL_EBCOT_COLUMNS_H

#include "ebcot_model.h"
#include "mq.h"

enum {
    EBCOT_COLUMNS = 16,   /* of a stripe in one word of bits */
    EBCOT_MAX_WORDS = 256 /* of bits, of one kind: 256 stripes of up to 16 columns are the most */
};

/* A context's state in one number: bits 48 … 63 Qe, 8 … 15 the index into mtm_mq_states, 0 … 7 the more probable symbol;
 * and by [decision][index] the one that follows if the interval is renormalised. */
extern const uint64_t mtm_ebcot_steps[2][MTM_MQ_STATES];

static inline uint64_t ebcot_state(unsigned index)
{
    return (uint64_t)mtm_mq_states[index].qe << 48 | index << 8 | (index & 1);
}

/* Of a coefficient's neighbours: bits 0 … 3 which of those at the corners (NW, NE, SW, SE) are significant, 4 … 7 which of
 * N, S, W, E; in a second byte, 4 … 7, which of these are negative. */
extern const uint8_t mtm_ebcot_zero_columns[4][256]; /* [band][first byte]: the context of zero coding */
/* [0][first byte >> 4 | second byte]: the context of the sign; [1]: whether it is flipped. */
extern const uint8_t mtm_ebcot_sign_columns[2][256];

/* What becomes of the neighbours when a coefficient becomes significant: bits for the columns left of it, its own, right
 * of it. */
typedef struct mtm_ebcot_spread {
    uint32_t near[3];        /* first bytes */
    uint32_t near_beyond[3]; /* the same in the stripe above or below */
    uint32_t minus[3];       /* second bytes, if it is negative */
    uint32_t minus_beyond;   /* of its own column */
    int32_t beyond;          /* -1 the stripe above, 1 below, 0 neither */
} mtm_ebcot_spread;
extern const mtm_ebcot_spread mtm_ebcot_spreads[2][4]; /* [causal][row] */

#endif
