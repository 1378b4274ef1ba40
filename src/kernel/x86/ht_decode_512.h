/* kernel/x86/ht_decode_512.h: the HT block decoder in 16-bit lanes: magnitudes of at most 14 bits, whatever the depth that
 * the codestream declares. Included by ht_decode_avx512.c and ht_decode_vbmi2.c, which has a better shift. Deeper
 * blocks go to 32-bit lanes.
 *
 * Step 2 takes 8 quads (32 coefficients) at a time: their bounds U_q give the bits of each, prefix sums of these the
 * positions, and two word permutes of 64 bytes of MagSgn fetch them all. A row of quads waits for the row above, hence
 * here too several blocks in lockstep.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_DECODE_512_H
#define MTM_KERNEL_HT_DECODE_512_H

#include "ht_decode_512_wide.h"

enum { COLS = 16, QUADS = 16, MAX_BOUND = 15 };

/* U_q of 16 quads, one in a double word: kappa from the row above (T.814 7.3.7) plus u. below: the magnitudes less 1 of the
 * row above, [column]. */
static inline __m512i bounds(__m512i quads, __m512i us, const uint16_t *below, bool first_row)
{
    const __m512i one = _mm512_set1_epi32(1);
    __m512i kappa = one;

    if (!first_row) {
        const __m512i any = _mm512_or_si512(_mm512_loadu_si512(below - 1), _mm512_loadu_si512(below + 1));
        const __m512i zeros = _mm512_lzcnt_epi32(_mm512_or_si512(any, _mm512_slli_epi32(any, 16)));
        const __mmask16 several = _mm512_movepi32_mask(quads); /* MTM_HT_INFO_SEVERAL is the highest bit */

        kappa = _mm512_mask_max_epi32(one, several, one, _mm512_sub_epi32(_mm512_set1_epi32(16), zeros));
    }
    return _mm512_add_epi32(kappa, us);
}

/* u of 16 quads from the entries of 8 pairs. */
static inline __m512i spread_u(__m256i pairs)
{
    const __m512i order =
        _mm512_broadcast_i32x4(_mm_set_epi8(-1, -1, -1, 10, -1, -1, -1, 9, -1, -1, -1, 2, -1, -1, -1, 1));

    return _mm512_shuffle_epi8(_mm512_cvtepu32_epi64(pairs), order);
}

/* The words at 32 bit positions (of at most 495) after p; more than 15 bits may be anything. */
static inline __m512i fetch(const uint8_t *p, __m512i at)
{
    const __m512i word = _mm512_srli_epi16(at, 4);
    const __m512i low = _mm512_permutexvar_epi16(word, _mm512_loadu_si512(p));
    const __m512i high = _mm512_permutexvar_epi16(word, _mm512_loadu_si512(p + 2));

#if defined(__AVX512VBMI2__)
    return _mm512_shrdv_epi16(low, high, at);
#else
    const __m512i shift = _mm512_and_si512(at, _mm512_set1_epi16(15));

    return _mm512_or_si512(_mm512_srlv_epi16(low, shift),
                           _mm512_sllv_epi16(high, _mm512_sub_epi16(_mm512_set1_epi16(16), shift)));
#endif
}

/* One block in step 2. */
typedef struct samples {
    const uint8_t *magsgn;
    uint64_t at; /* bits of it taken */
    __m512i max; /* magnitudes less 1 */
    const ht_lane *lane;
    uint16_t *below[2]; /* magnitudes less 1 of the lower row of quads: of the row above, and of this one */
    uint8_t *row;       /* of dst */
    ptrdiff_t pitch;    /* bytes between its rows */
    float half_step;
    int32_t limit;  /* of U_q */
    __mmask16 fits; /* no bound is above the limit */
} samples;

/* v2 of 16 coefficients μ of bit-plane p: (2μ + 1)·2^p, with the sign. */
static inline __m512i half_units(__m256i x, int32_t plane)
{
    const __m512i wide = _mm512_cvtepi16_epi32(x);
    const __m512i sign = _mm512_or_si512(_mm512_srai_epi32(wide, 31),
                                         _mm512_maskz_set1_epi32(_mm512_test_epi32_mask(wide, wide), 1));

    return _mm512_sll_epi32(_mm512_add_epi32(_mm512_add_epi32(wide, wide), sign), _mm_cvtsi32_si128(plane));
}

/* Half of it, towards zero. */
static inline __m512i halve(__m512i v2)
{
    return _mm512_srai_epi32(_mm512_add_epi32(v2, _mm512_srli_epi32(v2, 31)), 1);
}

/* Stores 16 columns of a row, or those in `keep`. */
static inline __attribute__((always_inline)) void store_columns(uint8_t *row, int32_t col, __m256i x,
                                                                bool all, __mmask16 keep, uint8_t type,
                                                                int32_t plane, float half_step)
{
    __m512i wide;

    switch (type) {
    case MTM_COEF_I16:
        if (plane)
            x = _mm512_cvtepi32_epi16(halve(half_units(x, plane)));
        if (all)
            _mm256_storeu_si256((__m256i *)((int16_t *)row + col), x);
        else
            _mm256_mask_storeu_epi16((int16_t *)row + col, keep, x);
        return;
    case MTM_COEF_I32: wide = plane ? halve(half_units(x, plane)) : _mm512_cvtepi16_epi32(x); break;
    default:
        wide = _mm512_castps_si512(
            _mm512_mul_ps(_mm512_cvtepi32_ps(half_units(x, plane)), _mm512_set1_ps(half_step)));
    }
    if (all)
        _mm512_storeu_si512((int32_t *)row + col, wide);
    else
        _mm512_mask_storeu_epi32((int32_t *)row + col, keep, wide);
}

/* What stays the same in a group of blocks. */
typedef struct group {
    int32_t width, height, plane;
    uint8_t type;
} group;

enum { CHAINS = 4 }; /* groups of 8 quads side by side: the halves of 16 quads of two blocks */

/* 8 quads on their way; words of the quads' samples in the order of rho. */
typedef struct chain {
    __m512i info, m, sums, start, v, mu;
    __mmask32 rho, e_1;
    __m128i totals; /* bits of the quads up to each */
} chain;

/* Bits m of each sample, from the words of 16 quads and their bounds. */
static inline __attribute__((always_inline)) void chain_open(chain *c, __m512i info, __m512i bound, int half)
{
    const __m512i sample =
        _mm512_slli_epi16(_mm512_set1_epi64(0x0008000400020001), MTM_HT_VLC_INFO_SHIFT - 16);
    const __m512i word = _mm512_add_epi16(
        _mm512_set_epi64(0x000E000E000E000E, 0x000C000C000C000C, 0x000A000A000A000A, 0x0008000800080008,
                         0x0006000600060006, 0x0004000400040004, 0x0002000200020002, 0),
        _mm512_set1_epi16((int16_t)(16 * half)));

    c->info = _mm512_permutexvar_epi16(_mm512_add_epi16(word, _mm512_set1_epi16(1)), info);
    c->rho = _mm512_test_epi16_mask(c->info, sample);
    c->e_1 = _mm512_test_epi16_mask(c->info, _mm512_slli_epi16(sample, MTM_HT_INFO_E_1_SHIFT));
    const __mmask32 e_k = _mm512_test_epi16_mask(c->info, _mm512_slli_epi16(sample, MTM_HT_INFO_E_K_SHIFT));

    c->m = _mm512_maskz_permutexvar_epi16(c->rho, word, bound);
    c->m = _mm512_mask_sub_epi16(c->m, e_k, c->m, _mm512_set1_epi16(1));
}

/* Sums of m: inside quads, and of quads. */
static inline __attribute__((always_inline)) void chain_sum_samples(chain *c)
{
    const __m512i pairs = _mm512_add_epi16(c->m, _mm512_slli_epi64(c->m, 16));

    c->sums = _mm512_add_epi16(pairs, _mm512_slli_epi64(pairs, 32));
    c->totals = _mm512_cvtepi64_epi16(_mm512_srli_epi64(c->sums, 48));
}

static inline __attribute__((always_inline)) void chain_sum_quads(chain *c)
{
    c->totals = _mm_add_epi16(c->totals, _mm_slli_si128(c->totals, 2));
    c->totals = _mm_add_epi16(c->totals, _mm_slli_si128(c->totals, 4));
    c->totals = _mm_add_epi16(c->totals, _mm_slli_si128(c->totals, 8));
}

/* Where each sample begins, in bits after byte at / 8 of MagSgn; then `at` goes on. */
static inline __attribute__((always_inline)) void chain_place(chain *c, samples *s, const uint8_t **from)
{
    const __m512i each =
        _mm512_set_epi64(0x0007000700070007, 0x0006000600060006, 0x0005000500050005, 0x0004000400040004,
                         0x0003000300030003, 0x0002000200020002, 0x0001000100010001, 0);
    const __m128i bit = _mm_set1_epi16((int16_t)(s->at & 7));
    const __m128i before = _mm_add_epi16(_mm_slli_si128(c->totals, 2), bit);

    *from = s->magsgn + (s->at >> 3);
    s->at += (uint32_t)_mm_extract_epi16(c->totals, 7);
    c->start = _mm512_add_epi16(_mm512_permutexvar_epi16(each, _mm512_castsi128_si512(before)),
                                _mm512_slli_epi64(c->sums, 16));
}

/* v = 2(μ − 1) + s: the bits that are there, and the one that e_1 says. */
static inline __attribute__((always_inline)) void chain_value(chain *c)
{
    const __m512i one = _mm512_set1_epi16(1), high = _mm512_sllv_epi16(one, c->m);

    c->v = _mm512_and_si512(c->v, _mm512_sub_epi16(high, one));
    c->v = _mm512_mask_add_epi16(c->v, c->e_1, c->v, high);
}

/* μ with the sign; and the larger of max and μ − 1. */
static inline __attribute__((always_inline)) void chain_sign(chain *c, __m512i *max)
{
    const __m512i one = _mm512_set1_epi16(1), less = _mm512_srli_epi16(c->v, 1);
    const __m512i mu = _mm512_maskz_add_epi16(c->rho, less, one);

    *max = _mm512_max_epu16(*max, less);
    c->mu = _mm512_mask_sub_epi16(mu, _mm512_test_epi16_mask(c->v, one), _mm512_setzero_si512(), mu);
}

/* Into rows. */
static inline __attribute__((always_inline)) void
chain_store(const chain *c, const samples *s, const group *g, int32_t col, bool lower, bool all)
{
    const __m512i columns = _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 30,
                                             28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i split = _mm512_permutexvar_epi16(columns, c->mu);
    const __m256i top = _mm512_castsi512_si256(split), bottom = _mm512_extracti64x4_epi64(split, 1);
    const int32_t left = g->width > col ? g->width - col : 0;
    const __mmask16 keep = all ? 0xFFFF : (__mmask16)_bzhi_u32(0xFFFF, (uint32_t)left);

    _mm256_storeu_si256((__m256i *)(s->below[1] + col),
                        _mm256_subs_epu16(_mm256_abs_epi16(bottom), _mm256_set1_epi16(1)));
    store_columns(s->row, col, top, all, keep, g->type, g->plane, s->half_step);
    if (lower)
        store_columns(s->row + s->pitch, col, bottom, all, keep, g->type, g->plane, s->half_step);
}

/* 16 quads from quad q of row y of `lanes` blocks: entry words and bounds. Quads above the limit count as insignificant. */
static inline __attribute__((always_inline)) void open_pieces(samples *s, const int lanes, const group *g,
                                                              int32_t y, int32_t q, bool all, chain *c)
{
    const int32_t wide = (g->width + 1) / 2;
    const uint32_t left = all ? QUADS : (uint32_t)(wide - q); /* at most */

    for (int k = 0; k < lanes; k++) {
        const uint32_t *const quads = s[k].lane->quads + 16 + y * (wide + 1) + q;
        const uint32_t *const us = s[k].lane->us + y * ((wide + 1) / 2) + q / 2;
        const __m512i info = _mm512_maskz_loadu_epi32((__mmask16)_bzhi_u32(0xFFFF, left), quads);
        const __m256i u = _mm256_maskz_loadu_epi32((__mmask8)_bzhi_u32(0xFF, (left + 1) / 2), us);
        const __m512i bound = bounds(info, spread_u(u), s[k].below[0] + 2 * q, y == 0);
        const __mmask16 fits = _mm512_cmple_epi32_mask(bound, _mm512_set1_epi32(s[k].limit));
        const __m512i kept = _mm512_maskz_mov_epi32(fits, info);

        s[k].fits &= fits;
        chain_open(&c[2 * k], kept, bound, 0);
        chain_open(&c[2 * k + 1], kept, bound, 1);
    }
}

/* 16 quads from quad q of row y of one or two blocks, stage by stage. */
static inline __attribute__((always_inline)) void decode_pieces(samples *s, const int lanes, const group *g,
                                                                int32_t y, int32_t q, const bool all)
{
    chain c[CHAINS];
    const uint8_t *from[CHAINS];

    open_pieces(s, lanes, g, y, q, all, c);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * lanes; i++)
        chain_sum_samples(&c[i]);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * lanes; i++)
        chain_sum_quads(&c[i]);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * lanes; i++)
        chain_place(&c[i], &s[i / 2], &from[i]);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * lanes; i++)
        c[i].v = fetch(from[i], c[i].start);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * lanes; i++)
        chain_value(&c[i]);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * lanes; i++)
        chain_sign(&c[i], &s[i / 2].max);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * lanes; i++)
        chain_store(&c[i], &s[i / 2], g, 2 * q + (i % 2) * COLS, 2 * y + 1 < g->height, all);
}

static inline __attribute__((always_inline)) void decode_row(samples *s, const int lanes, const group *g,
                                                             int32_t y)
{
    int32_t q = 0;

    for (; 2 * q + 2 * COLS <= g->width; q += QUADS)
        decode_pieces(s, lanes, g, y, q, true);
    if (2 * q < g->width)
        decode_pieces(s, lanes, g, y, q, false);
    for (int k = 0; k < lanes; k++) {
        uint16_t *const above = s[k].below[0];

        s[k].below[0] = s[k].below[1], s[k].below[1] = above;
        s[k].row += 2 * s[k].pitch;
    }
}

/* Step 2 of n blocks. */
static inline __attribute__((always_inline)) void step2(samples *s, int n, const group *g)
{
    for (int k = 0; k < n; k += 2)
        for (int32_t y = 0; 2 * y < g->height; y++)
            if (n - k > 1)
                decode_row(s + k, 2, g, y);
            else
                decode_row(s + k, 1, g, y);
}

/* Unstuffs MagSgn of a lane. */
static void open_samples(samples *s, ht_work *w, int k)
{
    const ht_lane *const l = &w->lanes[k];
    const mtm_block *const b = l->block;
    const size_t columns = (size_t)b->width + HT_PAD;
    const int32_t room = b->type == MTM_COEF_I16 ? MAX_BOUND - b->plane : MAX_BOUND;

    *s = (samples){
        .magsgn = w->magsgn[k], .max = _mm512_setzero_si512(), .lane = l, .row = b->dst, .fits = 0xFFFF};
    s->pitch = b->stride * (ptrdiff_t)mtm_coef_bytes((mtm_coef)b->type);
    s->half_step = 0.5f * b->step;
    s->limit = b->n_planes + 1 < room ? b->n_planes + 1 : room;
    for (int i = 0; i < 2; i++) {
        s->below[i] = w->below[k][i] + HT_PAD / 2;
        memset(w->below[k][i], 0, columns * sizeof *s->below[i]);
    }
    w->magsgn_bits[k] = ht_unstuff_forward(w->magsgn[k], b->data, l->pcup);
}

/* Whether lane k is right. */
static bool close_samples(const samples *s, const ht_work *w, int k)
{
    const int32_t n_planes = s->lane->block->n_planes;
    const int32_t most = n_planes < MAX_BOUND ? (1 << n_planes) - 1 : INT16_MAX;

    return (int64_t)s->at <= w->magsgn_bits[k] + 8 &&
           !_mm512_cmpge_epu16_mask(s->max, _mm512_set1_epi16((int16_t)most));
}

/* Step 2 of n lanes, whose blocks are alike. done[k] false: for the reference. */
static void finish_lanes(ht_work *w, int n, bool *done)
{
    const mtm_block *const b = w->lanes[0].block;
    samples s[HT_LANES];

    for (int k = 0; k < n; k++)
        open_samples(&s[k], w, k);
    if (b->type == MTM_COEF_I16 && b->plane == 0)
        step2(s, n, &(group){b->width, b->height, 0, MTM_COEF_I16});
    else
        step2(s, n, &(group){b->width, b->height, b->plane, b->type});
    for (int k = 0; k < n; k++)
        if (w->magsgn_bits[k] < 0)
            done[k] = false;
        else
            done[k] = s[k].fits == 0xFFFF ? close_samples(&s[k], w, k) : wide_finish(w, k);
}

#endif
