/* kernel/x86/ht_decode_avx512.c: the HT block decoder in 16-bit lanes: magnitudes of at most 14 bits, whatever the depth
 * that the codestream declares. Deeper blocks, and those of several passes, go to other decoders.
 *
 * Step 2 takes 8 quads (32 coefficients) at a time: their bounds U_q give the bits of each, prefix sums of these the
 * positions, and two word permutes of 64 bytes of MagSgn fetch them all.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_decode_x86.h"

enum { COLS = 16, QUADS = 16, MAX_BOUND = 15 };

/* ---- step 2 ------------------------------------------------------------------------------------------------ */

/* U_q of 16 quads, one in a double word: kappa from the row above (T.814 7.3.7) plus u. below: the magnitudes less 1 of the
 * row above, [column]. */
static inline __m512i bounds(__m512i quads, __m512i us, const uint16_t *below, bool first_row)
{
    const __m512i one = _mm512_set1_epi32(1);
    __m512i kappa = one;

    if (!first_row) {
        const __m512i any = _mm512_or_si512(_mm512_loadu_si512(below - 1), _mm512_loadu_si512(below + 1));
        const __m512i zeros = _mm512_lzcnt_epi32(_mm512_or_si512(any, _mm512_slli_epi32(any, 16)));
        const __mmask16 several =
            _mm512_test_epi32_mask(quads, _mm512_set1_epi32(MTM_HT_INFO_SEVERAL << MTM_HT_VLC_INFO_SHIFT));

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

/* Bits before each of the 4 words of each of 8 quads, in words, from the bits m of each; *total: of all. */
static inline __m512i positions(__m512i m, int64_t *total)
{
    const __m512i pairs = _mm512_add_epi16(m, _mm512_slli_epi64(m, 16));
    const __m512i sums = _mm512_add_epi16(pairs, _mm512_slli_epi64(pairs, 32));
    const __m128i quads = _mm512_cvtepi64_epi16(_mm512_srli_epi64(sums, 48));
    __m128i before = _mm_add_epi16(quads, _mm_slli_si128(quads, 2));

    before = _mm_add_epi16(before, _mm_slli_si128(before, 4));
    before = _mm_add_epi16(before, _mm_slli_si128(before, 8));
    *total = _mm_extract_epi16(before, 7);
    const __m512i each =
        _mm512_set_epi64(0x0007000700070007, 0x0006000600060006, 0x0005000500050005, 0x0004000400040004,
                         0x0003000300030003, 0x0002000200020002, 0x0001000100010001, 0);
    const __m512i base = _mm512_permutexvar_epi16(each, _mm512_castsi128_si512(_mm_sub_epi16(before, quads)));

    return _mm512_add_epi16(base, _mm512_slli_epi64(sums, 16));
}

/* The words at 32 bit positions (of at most 495) after p; more than 15 bits may be anything. */
static inline __m512i fetch(const uint8_t *p, __m512i at)
{
    const __m512i word = _mm512_srli_epi16(at, 4), shift = _mm512_and_si512(at, _mm512_set1_epi16(15));
    const __m512i low = _mm512_permutexvar_epi16(word, _mm512_loadu_si512(p));
    const __m512i high = _mm512_permutexvar_epi16(word, _mm512_loadu_si512(p + 2));

    return _mm512_or_si512(_mm512_srlv_epi16(low, shift),
                           _mm512_sllv_epi16(high, _mm512_sub_epi16(_mm512_set1_epi16(16), shift)));
}

/* Coefficients of 8 quads. info, bound: of each quad in all its 4 words. Gives them with their signs; *at goes on. */
static inline __m512i coefficients(const uint8_t *magsgn, int64_t *at, __m512i info, __m512i bound,
                                   __m512i *max)
{
    const __m512i one = _mm512_set1_epi16(1);
    const __m512i sample = _mm512_set1_epi64(0x0008000400020001);
    const __mmask32 rho = _mm512_test_epi16_mask(info, sample);
    const __mmask32 e_k = _mm512_test_epi16_mask(info, _mm512_slli_epi16(sample, MTM_HT_INFO_E_K_SHIFT));
    const __mmask32 e_1 = _mm512_test_epi16_mask(info, _mm512_slli_epi16(sample, MTM_HT_INFO_E_1_SHIFT));
    __m512i m = _mm512_maskz_mov_epi16(rho, bound);

    m = _mm512_mask_sub_epi16(m, e_k, m, one);
    int64_t total;
    const __m512i before = positions(m, &total);
    const __m512i start = _mm512_add_epi16(before, _mm512_set1_epi16((int16_t)(*at & 7)));
    const __m512i x = fetch(magsgn + (*at >> 3), start);
    const __m512i high = _mm512_sllv_epi16(one, m);
    __m512i v = _mm512_and_si512(x, _mm512_sub_epi16(high, one));

    v = _mm512_mask_add_epi16(v, e_1, v, high);
    const __m512i less = _mm512_srli_epi16(v, 1), mu = _mm512_maskz_add_epi16(rho, less, one);

    *at += total;
    *max = _mm512_max_epu16(*max, less);
    return _mm512_mask_sub_epi16(mu, _mm512_test_epi16_mask(v, one), _mm512_setzero_si512(), mu);
}

/* Where a row of quads goes. */
typedef struct row_target {
    uint8_t *rows[2]; /* [1] NULL: outside the block */
    uint8_t type;
    int32_t plane;
    float half_step;
} row_target;

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

/* Stores 16 columns from column `col`, or those in `keep`. */
static inline void store_columns(const row_target *t, uint8_t *row, int32_t col, __m256i x, __mmask16 keep)
{
    switch (t->type) {
    case MTM_COEF_I16:
        if (t->plane)
            x = _mm512_cvtepi32_epi16(halve(half_units(x, t->plane)));
        _mm256_mask_storeu_epi16((int16_t *)row + col, keep, x);
        break;
    case MTM_COEF_I32:
        _mm512_mask_storeu_epi32((int32_t *)row + col, keep,
                                 t->plane ? halve(half_units(x, t->plane)) : _mm512_cvtepi16_epi32(x));
        break;
    default:
        _mm512_mask_storeu_ps(
            (float *)row + col, keep,
            _mm512_mul_ps(_mm512_cvtepi32_ps(half_units(x, t->plane)), _mm512_set1_ps(t->half_step)));
    }
}

/* One row of quads: entries and u in, two rows of coefficients out. below: as in bounds(), of the row above and for the
 * next. False: a bound is above the limit. */
static inline __attribute__((always_inline)) bool decode_row(const uint8_t *magsgn, int64_t *at,
                                                             const uint32_t *quads, const uint32_t *us,
                                                             const uint16_t *below, uint16_t *below_next,
                                                             int32_t width, bool first_row,
                                                             const row_target *t, int32_t limit, __m512i *max)
{
    const __m512i columns = _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 30,
                                             28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i word =
        _mm512_set_epi64(0x000E000E000E000E, 0x000C000C000C000C, 0x000A000A000A000A, 0x0008000800080008,
                         0x0006000600060006, 0x0004000400040004, 0x0002000200020002, 0);
    const int32_t wide = (width + 1) / 2;

    for (int32_t q = 0; q < wide; q += QUADS) {
        const int32_t left = wide - q;
        const __mmask16 there = (__mmask16)(left >= QUADS ? 0xFFFF : (1u << left) - 1);
        const __m512i info = _mm512_maskz_loadu_epi32(there, quads + q);
        const __m256i u = _mm256_maskz_loadu_epi32(
            (__mmask8)(left >= QUADS ? 0xFF : (1u << (left + 1) / 2) - 1), us + q / 2);
        const __m512i bound = bounds(info, spread_u(u), below + 2 * q, first_row);

        if (_mm512_cmpgt_epi32_mask(bound, _mm512_set1_epi32(limit)))
            return false;
        for (int32_t half = 0; half < 2 && 8 * half < left; half++) {
            const __m512i low = _mm512_add_epi16(word, _mm512_set1_epi16((int16_t)(16 * half)));
            const __m512i infos = _mm512_permutexvar_epi16(_mm512_add_epi16(low, _mm512_set1_epi16(1)), info);
            const __m512i x = coefficients(magsgn, at, infos, _mm512_permutexvar_epi16(low, bound), max);
            const __m512i split = _mm512_permutexvar_epi16(columns, x);
            const __m256i top = _mm512_castsi512_si256(split), bottom = _mm512_extracti64x4_epi64(split, 1);
            const int32_t col = 2 * q + COLS * half, more = width - col;
            const __mmask16 keep = (__mmask16)(more >= COLS ? 0xFFFF : (1u << more) - 1);

            _mm256_storeu_si256((__m256i *)(below_next + col),
                                _mm256_subs_epu16(_mm256_abs_epi16(bottom), _mm256_set1_epi16(1)));
            store_columns(t, t->rows[0], col, top, keep);
            if (t->rows[1])
                store_columns(t, t->rows[1], col, bottom, keep);
        }
    }
    return true;
}

/* Step 2 of a block whose MagSgn lies in w. False: not for 16-bit lanes, or corrupt; *max: magnitudes less 1. */
static inline __attribute__((always_inline)) bool step2(ht_work *w, const ht_lane *l, int64_t *at,
                                                        __m512i *max, const uint8_t type, const int32_t plane)
{
    const mtm_block *const b = l->block;
    const int32_t wide = (b->width + 1) / 2, high = (b->height + 1) / 2;
    const ptrdiff_t pitch = b->stride * (ptrdiff_t)mtm_ht_element_bytes(b);
    row_target t = {.type = type, .plane = plane, .half_step = 0.5f * b->step};
    const int32_t room = type == MTM_COEF_I16 ? MAX_BOUND - plane : MAX_BOUND;
    const int32_t limit = b->n_planes + 1 < room ? b->n_planes + 1 : room;

    for (int32_t y = 0; y < high; y++) {
        t.rows[0] = (uint8_t *)b->dst + 2 * y * pitch;
        t.rows[1] = 2 * y + 1 < b->height ? t.rows[0] + pitch : NULL;
        uint16_t *const below = w->below[y & 1] + HT_PAD / 2, *const next = w->below[~y & 1] + HT_PAD / 2;

        if (!decode_row(w->magsgn, at, l->quads + 16 + y * (wide + 1), l->us + y * ((wide + 1) / 2), below,
                        next, b->width, y == 0, &t, limit, max))
            return false;
    }
    return true;
}

/* A block whose step 1 is done. False: for the reference. */
static bool finish_block(ht_work *w, const ht_lane *l)
{
    const mtm_block *const b = l->block;
    const size_t columns = (size_t)b->width + HT_PAD;
    const int64_t bits = ht_unstuff_forward(w->magsgn, b->data, l->pcup);
    __m512i max = _mm512_setzero_si512();
    int64_t at = 0;
    bool done = false;

    if (bits < 0)
        return false;
    memset(w->below[0], 0, columns * sizeof w->below[0][0]);
    memset(w->below[1], 0, columns * sizeof w->below[0][0]);
    if (b->type == MTM_COEF_I16 && b->plane == 0)
        done = step2(w, l, &at, &max, MTM_COEF_I16, 0);
    else
        done = step2(w, l, &at, &max, b->type, b->plane);
    const int32_t most = b->n_planes < MAX_BOUND ? (1 << b->n_planes) - 1 : INT16_MAX;

    return done && at <= bits + 8 && !_mm512_cmpge_epu16_mask(max, _mm512_set1_epi16((int16_t)most));
}

void mtm_ht_decode_avx512(mtm_block *blocks, int32_t n, void *scratch)
{
    ht_decode_batches(scratch, blocks, n, finish_block);
}
