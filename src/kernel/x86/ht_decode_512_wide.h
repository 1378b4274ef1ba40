/* kernel/x86/ht_decode_512_wide.h: step 2 of the HT block decoder in 32-bit lanes, for what ht_decode_512.h found too deep
 * for 16: magnitudes of up to 29 bits, one block at a time, 4 quads beside 4 others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_DECODE_512_WIDE_H
#define MTM_KERNEL_HT_DECODE_512_WIDE_H

#include "ht_decode_x86.h"

enum { WIDE_COLS = 8, WIDE_QUADS = 8, WIDE_BOUND = 30 };

/* The block. */
typedef struct wide_samples {
    const uint8_t *magsgn;
    uint64_t at;
    __m512i max;        /* magnitudes less 1 */
    uint32_t *below[2]; /* magnitudes less 1 of the lower row of quads: of the row above, and of this one */
    uint8_t *row;
    ptrdiff_t pitch;
    int32_t limit;
    bool fits; /* no bound is above the limit */
} wide_samples;

/* U_q of 8 quads, one in a quad word, as bounds() of ht_decode_512.h. pairs: u of 4 pairs. */
static inline __m512i wide_bounds(__m512i quads, __m128i pairs, const uint32_t *below, bool first_row)
{
    const __m512i one = _mm512_set1_epi64(1);
    const __m512i twice = _mm512_permutexvar_epi32(
        _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0), _mm512_castsi128_si512(pairs));
    const __m512i us = _mm512_and_si512(
        _mm512_srlv_epi64(twice, _mm512_set_epi64(16, 8, 16, 8, 16, 8, 16, 8)), _mm512_set1_epi64(0xFF));
    __m512i kappa = one;

    if (!first_row) {
        const __m512i any = _mm512_or_si512(_mm512_loadu_si512(below - 1), _mm512_loadu_si512(below + 1));
        const __m512i four = _mm512_or_si512(any, _mm512_srli_epi64(any, 32));
        const __m512i zeros = _mm512_lzcnt_epi64(_mm512_slli_epi64(four, 32));
        const __mmask8 several = _mm512_test_epi64_mask(
            quads, _mm512_set1_epi64((int64_t)MTM_HT_INFO_SEVERAL << MTM_HT_VLC_INFO_SHIFT));

        kappa = _mm512_mask_max_epi64(one, several, one, _mm512_sub_epi64(_mm512_set1_epi64(32), zeros));
    }
    return _mm512_add_epi64(kappa, us);
}

/* The double words at 16 bit positions (of at most 480) after p; more than 31 bits may be anything. */
static inline __m512i wide_fetch(const uint8_t *p, __m512i at)
{
    const __m512i word = _mm512_srli_epi32(at, 5);
    const __m512i low = _mm512_permutexvar_epi32(word, _mm512_loadu_si512(p));
    const __m512i high = _mm512_permutexvar_epi32(word, _mm512_loadu_si512(p + 4));
    const __m512i shift = _mm512_and_si512(at, _mm512_set1_epi32(31));

    return _mm512_or_si512(_mm512_srlv_epi32(low, shift),
                           _mm512_sllv_epi32(high, _mm512_sub_epi32(_mm512_set1_epi32(32), shift)));
}

/* Coefficients of 4 quads with their signs, from the entries and bounds of 8. */
static inline __m512i wide_coefficients(wide_samples *s, __m512i quads, __m512i bounds, int half)
{
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i sample =
        _mm512_slli_epi32(_mm512_broadcast_i32x4(_mm_set_epi32(8, 4, 2, 1)), MTM_HT_VLC_INFO_SHIFT);
    const __m512i quad = _mm512_add_epi32(_mm512_set_epi32(6, 6, 6, 6, 4, 4, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0),
                                          _mm512_set1_epi32(8 * half));
    const __m512i info = _mm512_permutexvar_epi32(quad, quads);
    const __mmask16 rho = _mm512_test_epi32_mask(info, sample);
    const __mmask16 e_k = _mm512_test_epi32_mask(info, _mm512_slli_epi32(sample, MTM_HT_INFO_E_K_SHIFT));
    const __mmask16 e_1 = _mm512_test_epi32_mask(info, _mm512_slli_epi32(sample, MTM_HT_INFO_E_1_SHIFT));
    __m512i m = _mm512_maskz_permutexvar_epi32(rho, quad, bounds);

    m = _mm512_mask_sub_epi32(m, e_k, m, one);
    __m512i sums = _mm512_add_epi32(m, _mm512_bslli_epi128(m, 4));

    sums = _mm512_add_epi32(sums, _mm512_bslli_epi128(sums, 8));
    const __m512i total = _mm512_shuffle_epi32(sums, _MM_PERM_DDDD), zero = _mm512_setzero_si512();
    __m512i before = _mm512_alignr_epi32(total, zero, 12);

    before = _mm512_add_epi32(before, _mm512_alignr_epi32(before, zero, 12));
    before = _mm512_add_epi32(_mm512_alignr_epi32(total, zero, 12), _mm512_alignr_epi32(before, zero, 12));
    const __m512i start = _mm512_add_epi32(_mm512_add_epi32(before, _mm512_sub_epi32(sums, m)),
                                           _mm512_set1_epi32((int32_t)(s->at & 7)));
    const __m512i high = _mm512_sllv_epi32(one, m);
    __m512i v = _mm512_and_si512(wide_fetch(s->magsgn + (s->at >> 3), start), _mm512_sub_epi32(high, one));

    v = _mm512_mask_add_epi32(v, e_1, v, high);
    const __m512i less = _mm512_srli_epi32(v, 1), mu = _mm512_maskz_add_epi32(rho, less, one);

    s->at += (uint32_t)_mm_extract_epi32(_mm512_extracti32x4_epi32(_mm512_add_epi32(before, total), 3), 3);
    s->max = _mm512_max_epu32(s->max, less);
    return _mm512_mask_sub_epi32(mu, _mm512_test_epi32_mask(v, one), zero, mu);
}

/* Stores 8 columns of a row, or those in `keep`. */
static inline void wide_store(const mtm_block *b, uint8_t *row, int32_t col, __m256i x, __mmask8 keep)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i sign =
        _mm256_or_si256(_mm256_srai_epi32(x, 31), _mm256_maskz_set1_epi32(_mm256_test_epi32_mask(x, x), 1));
    const __m256i v2 =
        _mm256_sll_epi32(_mm256_add_epi32(_mm256_add_epi32(x, x), sign), _mm_cvtsi32_si128(b->plane));
    const __m256i half = _mm256_srai_epi32(_mm256_sub_epi32(v2, _mm256_cmpgt_epi32(zero, v2)), 1);

    if (b->type == MTM_COEF_F32)
        _mm256_mask_storeu_ps((float *)row + col, keep,
                              _mm256_mul_ps(_mm256_cvtepi32_ps(v2), _mm256_set1_ps(0.5f * b->step)));
    else if (b->type == MTM_COEF_I32)
        _mm256_mask_storeu_epi32((int32_t *)row + col, keep, half);
    else
        _mm_mask_storeu_epi16((int16_t *)row + col, keep, _mm256_cvtepi32_epi16(half));
}

/* Up to 8 quads from quad q of row y. */
static inline void wide_piece(wide_samples *s, const ht_lane *l, int32_t y, int32_t q)
{
    const mtm_block *const b = l->block;
    const int32_t wide = (b->width + 1) / 2, more = wide - q, left = more < WIDE_QUADS ? more : WIDE_QUADS;
    const __m256i entries =
        _mm256_maskz_loadu_epi32((__mmask8)((1u << left) - 1), l->quads + 16 + y * (wide + 1) + q);
    const __m128i pairs =
        _mm_maskz_loadu_epi32((__mmask8)((1u << (left + 1) / 2) - 1), l->us + y * ((wide + 1) / 2) + q / 2);
    const __m512i quads = _mm512_cvtepu32_epi64(entries);
    const __m512i bound = wide_bounds(quads, pairs, s->below[0] + 2 * q, y == 0);
    const __mmask8 fits = _mm512_cmple_epi64_mask(bound, _mm512_set1_epi64(s->limit));

    s->fits &= fits == 0xFF;
    for (int half = 0; half < 2; half++) {
        const __m512i x = wide_coefficients(s, _mm512_maskz_mov_epi64(fits, quads), bound, half);
        const __m512i rows = _mm512_permutexvar_epi32(
            _mm512_set_epi32(15, 13, 11, 9, 7, 5, 3, 1, 14, 12, 10, 8, 6, 4, 2, 0), x);
        const __m256i top = _mm512_castsi512_si256(rows), bottom = _mm512_extracti64x4_epi64(rows, 1);
        const int32_t col = 2 * q + WIDE_COLS * half, cols = b->width - col;
        const __mmask8 keep = (__mmask8)(cols >= WIDE_COLS ? 0xFF : cols > 0 ? (1u << cols) - 1 : 0);
        const __m256i mu = _mm256_abs_epi32(bottom);

        _mm256_storeu_si256(
            (__m256i *)(s->below[1] + col),
            _mm256_mask_sub_epi32(mu, _mm256_test_epi32_mask(mu, mu), mu, _mm256_set1_epi32(1)));
        wide_store(b, s->row, col, top, keep);
        if (2 * y + 1 < b->height)
            wide_store(b, s->row + s->pitch, col, bottom, keep);
    }
}

/* Step 2 of lane k. False: for the reference. */
static bool wide_finish(ht_work *w, int k)
{
    const ht_lane *const l = &w->lanes[k];
    const mtm_block *const b = l->block;
    const int32_t room = WIDE_BOUND - b->plane;
    const int64_t deepest = b->n_planes < WIDE_BOUND ? ((int64_t)1 << b->n_planes) - 1 : INT32_MAX;
    const int64_t most =
        b->type == MTM_COEF_I16 && deepest > (INT16_MAX >> b->plane) ? INT16_MAX >> b->plane : deepest;
    wide_samples s = {.magsgn = w->magsgn[k], .max = _mm512_setzero_si512(), .row = b->dst, .fits = true};

    s.pitch = b->stride * (ptrdiff_t)mtm_coef_bytes((mtm_coef)b->type);
    s.limit = b->n_planes + 1 < room ? b->n_planes + 1 : room;
    memset(w->wide_below, 0, sizeof w->wide_below);
    s.below[0] = w->wide_below[0] + HT_PAD / 2, s.below[1] = w->wide_below[1] + HT_PAD / 2;
    for (int32_t y = 0; 2 * y < b->height && s.fits; y++) {
        for (int32_t q = 0; 2 * q < b->width; q += WIDE_QUADS)
            wide_piece(&s, l, y, q);
        uint32_t *const above = s.below[0];

        s.below[0] = s.below[1], s.below[1] = above;
        s.row += 2 * s.pitch;
    }
    return s.fits && (int64_t)s.at <= w->magsgn_bits[k] + 8 &&
           !_mm512_cmpge_epu32_mask(s.max, _mm512_set1_epi32((int32_t)most));
}

#endif
