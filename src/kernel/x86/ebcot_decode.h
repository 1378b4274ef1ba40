/* kernel/x86/ebcot_decode.h: a block of the fast EBCOT decoder, over masks (kernel/ebcot_columns.h), and its passes, which
 * are in ebcot_passes_avx2.c. Above: ebcot_decode_body.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_EBCOT_DECODE_H
#define MTM_KERNEL_X86_EBCOT_DECODE_H

#include <immintrin.h>
#include <stddef.h>

#include "kernel/ebcot_columns.h"
#include "kernel/ebcot_kernels.h"

enum {
    GAP = 16, /* words between the columns of one stripe and those of the next */
    /* 256 stripes are the most; one above and one below them */
    COLUMN_WORDS = (EBCOT_MAX_WORDS + 2) * (EBCOT_COLUMNS + GAP) + GAP,
    REFINE_AT_ONCE = MTM_BLOCK_MAX_SAMPLES + 64
};

static const uint64_t ROW = UINT64_C(0x1111111111111111); /* of a stripe in a word of bits */
static const uint64_t QE = UINT64_C(0xFFFF) << 48;

/* The MQ decoder's registers: A and Chigh in the upper 16 bits; below Chigh the bits that follow it, then a 1 and 0s. */
typedef struct mq_registers {
    uint64_t a, c;
} mq_registers;

/* All of a block in one place, so that one register leads to every table. */
typedef struct fast_block {
    uint64_t contexts[24];
    uint64_t steps[2][MTM_MQ_STATES];
    uint8_t zero[256], sign[256], flip[256];
    mtm_ebcot_spread spread[4]; /* by row; `beyond` in words of near */
    mq_registers mq;
    uint32_t plain_at, plain_bytes;
    int32_t width, height, stripes, words; /* words of bits in a stripe */
    ptrdiff_t stride;                      /* words of near from stripe to stripe */
    uint64_t *plane;                       /* bits of the bit-plane */
    int32_t n_refined;                     /* decisions of a refinement pass */
    _Alignas(64) uint32_t near[COLUMN_WORDS];
    uint32_t minus[COLUMN_WORDS];
    uint64_t valid[EBCOT_MAX_WORDS]; /* coefficients within the block */
    uint64_t significant[EBCOT_MAX_WORDS], visited[EBCOT_MAX_WORDS], refined[EBCOT_MAX_WORDS],
        negative[EBCOT_MAX_WORDS];
    uint64_t planes[MTM_BLOCK_MAX_PLANES][EBCOT_MAX_WORDS]; /* the magnitudes' bits */
    uint8_t refine[REFINE_AT_ONCE];                         /* contexts, then decisions */
    uint8_t plain[EBCOT_PLAIN_BYTES + MTM_MQ_PLAIN_PAD];
} fast_block;

enum { PAIR = 2 }; /* blocks decoded side by side */

_Static_assert(PAIR * sizeof(fast_block) <= MTM_EBCOT_SCRATCH_BYTES, "the decoder's scratch");

/* The coding passes (T.800 D.3, D.6). */
void mtm_ebcot_propagate_avx2(fast_block *s);
void mtm_ebcot_clean_up_avx2(fast_block *s);
void mtm_ebcot_propagate_raw_avx2(fast_block *s);
void mtm_ebcot_refine_raw_avx2(fast_block *s);
/* Decides what is listed in s->refine, from number `from` on; and all of two blocks, in turn. */
void mtm_ebcot_refine_from_avx2(fast_block *s, int32_t from);
void mtm_ebcot_refine_two_avx2(fast_block *s, fast_block *t);
/* D.5: 1010 after each cleanup pass. */
bool mtm_ebcot_segmentation_symbol_avx2(fast_block *s);

#endif
