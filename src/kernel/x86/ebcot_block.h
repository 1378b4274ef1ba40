/* kernel/x86/ebcot_block.h: a block under the fast EBCOT coders, over masks (kernel/ebcot_columns.h), and the decoder's
 * passes, which are in ebcot_passes_avx2.c. Above: ebcot_decode_body.h, ebcot_encode_avx2.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_EBCOT_BLOCK_H
#define MTM_KERNEL_X86_EBCOT_BLOCK_H

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
    uint64_t steps[2][128]; /* mtm_ebcot_steps */
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

static inline void fast_contexts_reset(fast_block *s)
{
    uint8_t states[EBCOT_CONTEXTS];

    ebcot_contexts_reset(states);
    for (int i = 0; i < EBCOT_CONTEXTS; i++)
        s->contexts[i] = ebcot_state(states[i]);
}

/* An empty block of this shape: bit-planes last_plane … n_planes - 1. */
static inline void fast_block_begin(fast_block *s, int32_t width, int32_t height, uint8_t style, uint8_t band,
                                    int32_t last_plane, int32_t n_planes)
{
    s->width = width, s->height = height;
    s->stripes = (height + EBCOT_STRIPE - 1) / EBCOT_STRIPE;
    s->words = (width + EBCOT_COLUMNS - 1) / EBCOT_COLUMNS;
    s->stride = s->words * EBCOT_COLUMNS + GAP;
    fast_contexts_reset(s);
    for (int decision = 0; decision < 2; decision++)
        memcpy(s->steps[decision], mtm_ebcot_steps[decision], sizeof mtm_ebcot_steps[decision]);
    memcpy(s->zero, mtm_ebcot_zero_columns[band], sizeof s->zero);
    memcpy(s->sign, mtm_ebcot_sign_columns[0], sizeof s->sign);
    memcpy(s->flip, mtm_ebcot_sign_columns[1], sizeof s->flip);
    memcpy(s->spread, mtm_ebcot_spreads[!!(style & MTM_BLOCK_CAUSAL)], sizeof s->spread);
    for (int row = 0; row < EBCOT_STRIPE; row++)
        s->spread[row].beyond *= (int32_t)s->stride;

    const size_t columns = (size_t)((s->stripes + 2) * s->stride + GAP) * sizeof(uint32_t);
    memset(s->near, 0, columns), memset(s->minus, 0, columns);
    const int32_t n = s->stripes * s->words, right = width % EBCOT_COLUMNS, below = height % EBCOT_STRIPE;
    const size_t bytes = (size_t)n * sizeof(uint64_t);
    memset(s->significant, 0, bytes), memset(s->visited, 0, bytes);
    memset(s->refined, 0, bytes), memset(s->negative, 0, bytes);
    for (int32_t p = last_plane; p < n_planes; p++)
        memset(s->planes[p], 0, bytes);
    for (int32_t at = 0; at < n; at++) {
        s->valid[at] = right && at % s->words == s->words - 1 ? (UINT64_C(1) << 4 * right) - 1 : UINT64_MAX;
        if (below && at / s->words == s->stripes - 1)
            s->valid[at] &= ROW * ((1u << below) - 1);
    }
}

/* Which of 64 bytes are not 0. */
static inline uint64_t nonzero_bytes(const void *near)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i a = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)near), zero);
    const __m256i b = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)near + 1), zero);

    return ~((uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32 | (uint32_t)_mm256_movemask_epi8(a));
}

static inline unsigned byte_at(const uint32_t *columns, unsigned i)
{
    return ((const uint8_t *)columns)[i];
}

/* Tells the neighbours of coefficient i that it became significant. This does not wait for its sign. */
static inline void spread_near(const fast_block *s, uint32_t *near, unsigned i)
{
    const mtm_ebcot_spread *const m = s->spread + i % 4;
    uint32_t *const own = near + i / 4, *const beyond = own + m->beyond;

    own[-1] |= m->near[0], own[0] |= m->near[1], own[1] |= m->near[2];
    beyond[-1] |= m->near_beyond[0], beyond[0] |= m->near_beyond[1], beyond[1] |= m->near_beyond[2];
}

/* The words of `minus` beside those of near. */
static inline uint32_t *minus_of(const uint32_t *near)
{
    return (uint32_t *)((uintptr_t)near + offsetof(fast_block, minus) - offsetof(fast_block, near));
}

static inline void spread_minus(const fast_block *s, uint32_t *minus, unsigned i, uint8_t sign)
{
    const mtm_ebcot_spread *const m = s->spread + i % 4;
    const uint32_t all = 0 - (uint32_t)sign;
    uint32_t *const own = minus + i / 4;

    own[-1] |= m->minus[0] & all, own[0] |= m->minus[1] & all, own[1] |= m->minus[2] & all;
    own[m->beyond] |= m->minus_beyond & all;
}

/* The significant and negative neighbours of coefficient i, for its sign. */
static inline unsigned sign_neighbours(const uint32_t *near, unsigned i)
{
    const uint8_t *const at = (const uint8_t *)near + i;

    return at[0] >> 4 | at[offsetof(fast_block, minus) - offsetof(fast_block, near)];
}

/* Coefficients after number i in coding order beside which it lies. */
static inline uint64_t later_neighbours(unsigned i)
{
    return (UINT64_C(0x183A3A32) >> 8 * (i % 4) & 0xFF) << i;
}

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
