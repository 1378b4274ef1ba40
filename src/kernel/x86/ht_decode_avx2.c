/* kernel/x86/ht_decode_avx2.c: the HT block decoder in 32-bit lanes of AVX2, for magnitudes of up to 22 bits.
 *
 * Step 2 takes 2 quads (8 coefficients) at a time: each has 16 bytes of MagSgn, of which a byte shuffle makes 4 double
 * words that begin no more than 7 bits before their coefficient.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_decode_x86.h"

enum { COLS = 16, QUADS = 8, MAX_BOUND = 23 };

/* The block. */
typedef struct samples {
    const mtm_block *block;
    const ht_lane *lane;
    const uint8_t *magsgn;
    uint64_t at;        /* bits of it taken */
    __m256i max;        /* magnitudes less 1 */
    uint32_t *below[2]; /* magnitudes less 1 of the lower row of quads: of the row above, and of this one */
    uint8_t *row;
    ptrdiff_t pitch;
    int32_t limit;
    bool fits; /* no bound is above the limit */
} samples;

/* The even double words of a and b, then those of the next ones. */
static inline __m256i evens(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(
        _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88)), 0xD8);
}

static inline __m256i odds(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(
        _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xDD)), 0xD8);
}

static inline __m256i load(const uint32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* U_q of 8 quads (T.814 7.3.7). The length of what lies above, by the exponent of a float: it is below 2^23. */
static inline __m256i bounds(__m256i quads, const uint32_t *us, const uint32_t *below, bool first_row)
{
    const __m256i one = _mm256_set1_epi32(1), low = _mm256_set1_epi32(0xFF);
    const __m128i pairs = _mm_loadu_si128((const __m128i *)us);
    const __m256i twice =
        _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(pairs), _mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0));
    const __m256i u =
        _mm256_and_si256(_mm256_srlv_epi32(twice, _mm256_set_epi32(16, 8, 16, 8, 16, 8, 16, 8)), low);
    __m256i kappa = one;

    if (!first_row) {
        const __m256i a = _mm256_or_si256(load(below - 1), load(below + 1));
        const __m256i b = _mm256_or_si256(load(below + 7), load(below + 9));
        const __m256i any = _mm256_or_si256(evens(a, b), odds(a, b));
        const __m256i exponent = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(any)), 23);
        const __m256i length = _mm256_sub_epi32(exponent, _mm256_set1_epi32(126));

        /* MTM_HT_INFO_SEVERAL is the highest bit */
        kappa = _mm256_max_epi32(one, _mm256_and_si256(length, _mm256_srai_epi32(quads, 31)));
    }
    return _mm256_add_epi32(kappa, u);
}

/* All ones in the double words where bit n of info is set, n from `first` on for the 4 samples of a quad. */
static inline __m256i sample_mask(__m256i info, int first)
{
    const __m256i place = _mm256_set_epi32(28, 29, 30, 31, 28, 29, 30, 31);

    return _mm256_srai_epi32(_mm256_sllv_epi32(info, _mm256_sub_epi32(place, _mm256_set1_epi32(first))), 31);
}

/* Coefficients of quads 2·pair and 2·pair + 1 of 8 with their signs. */
static inline __m256i coefficients(samples *s, __m256i quads, __m256i bound, int pair)
{
    const __m256i one = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
    const __m256i quad =
        _mm256_add_epi32(_mm256_set_epi32(1, 1, 1, 1, 0, 0, 0, 0), _mm256_set1_epi32(2 * pair));
    const __m256i info = _mm256_permutevar8x32_epi32(quads, quad);
    const __m256i rho = sample_mask(info, MTM_HT_VLC_INFO_SHIFT);
    const __m256i e_k = sample_mask(info, MTM_HT_VLC_INFO_SHIFT + MTM_HT_INFO_E_K_SHIFT);
    const __m256i e_1 = sample_mask(info, MTM_HT_VLC_INFO_SHIFT + MTM_HT_INFO_E_1_SHIFT);
    const __m256i m = _mm256_add_epi32(_mm256_and_si256(_mm256_permutevar8x32_epi32(bound, quad), rho), e_k);
    __m256i sums = _mm256_add_epi32(m, _mm256_slli_si256(m, 4));

    sums = _mm256_add_epi32(sums, _mm256_slli_si256(sums, 8));
    const uint64_t first = s->at, second = first + (uint32_t)_mm256_extract_epi32(sums, 3);
    const __m256i bits =
        _mm256_set_m128i(_mm_set1_epi32((int)(second & 7)), _mm_set1_epi32((int)(first & 7)));
    const __m256i bytes = _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(s->magsgn + (second >> 3))),
                                           _mm_loadu_si128((const __m128i *)(s->magsgn + (first >> 3))));
    const __m256i start = _mm256_add_epi32(_mm256_sub_epi32(sums, m), bits);
    const __m256i order = _mm256_add_epi32(
        _mm256_shuffle_epi8(
            _mm256_srli_epi32(start, 3),
            _mm256_broadcastsi128_si256(_mm_set_epi8(12, 12, 12, 12, 8, 8, 8, 8, 4, 4, 4, 4, 0, 0, 0, 0))),
        _mm256_set1_epi32(0x03020100));
    const __m256i x =
        _mm256_srlv_epi32(_mm256_shuffle_epi8(bytes, order), _mm256_and_si256(start, _mm256_set1_epi32(7)));
    const __m256i high = _mm256_sllv_epi32(one, m);
    const __m256i v =
        _mm256_or_si256(_mm256_and_si256(x, _mm256_sub_epi32(high, one)), _mm256_and_si256(high, e_1));
    const __m256i less = _mm256_srli_epi32(v, 1), mu = _mm256_and_si256(_mm256_add_epi32(less, one), rho);
    const __m256i sign = _mm256_sub_epi32(zero, _mm256_and_si256(v, one));

    s->at = second + (uint32_t)_mm256_extract_epi32(sums, 7);
    s->max = _mm256_max_epu32(s->max, less);
    return _mm256_sub_epi32(_mm256_xor_si256(mu, sign), sign);
}

/* v2, and half of it. */
static inline __m256i half_units(__m256i x, int32_t plane)
{
    const __m256i sign = _mm256_sign_epi32(_mm256_set1_epi32(1), x);

    return _mm256_sll_epi32(_mm256_add_epi32(_mm256_add_epi32(x, x), sign), _mm_cvtsi32_si128(plane));
}

static inline __m256i halve(__m256i v2)
{
    return _mm256_srai_epi32(_mm256_add_epi32(v2, _mm256_srli_epi32(v2, 31)), 1);
}

/* Stores 16 columns of a row at p: a, then b. */
static inline void store_columns(const mtm_block *b, uint8_t *p, __m256i left, __m256i right)
{
    __m256i x[2] = {left, right};

    for (int i = 0; i < 2 && (b->plane || b->type == MTM_COEF_F32); i++) {
        x[i] = half_units(x[i], b->plane);
        if (b->type == MTM_COEF_F32)
            x[i] =
                _mm256_castps_si256(_mm256_mul_ps(_mm256_cvtepi32_ps(x[i]), _mm256_set1_ps(0.5f * b->step)));
        else
            x[i] = halve(x[i]);
    }
    if (b->type == MTM_COEF_I16) {
        _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(_mm256_packs_epi32(x[0], x[1]), 0xD8));
    } else {
        _mm256_storeu_si256((__m256i *)p, x[0]);
        _mm256_storeu_si256((__m256i *)(p + 32), x[1]);
    }
}

/* Two rows of 16 columns from column col; those beyond the block are left out. */
static inline void store_rows(samples *s, const __m256i x[4], int32_t col, bool lower)
{
    const mtm_block *const b = s->block;
    const __m256i one = _mm256_set1_epi32(1);
    const int32_t columns = b->width - col < COLS ? b->width - col : COLS;
    const size_t size = b->type == MTM_COEF_I16 ? 2 : 4;
    const __m256i bottom[2] = {odds(x[0], x[1]), odds(x[2], x[3])};
    uint8_t *const at[2] = {s->row + (size_t)col * size, s->row + s->pitch + (size_t)col * size};

    for (int i = 0; i < 2; i++) {
        const __m256i mu = _mm256_abs_epi32(bottom[i]);

        _mm256_storeu_si256((__m256i *)(s->below[1] + col + 8 * i),
                            _mm256_sub_epi32(_mm256_max_epi32(mu, one), one));
    }
    if (columns == COLS) {
        store_columns(b, at[0], evens(x[0], x[1]), evens(x[2], x[3]));
        if (lower)
            store_columns(b, at[1], bottom[0], bottom[1]);
    } else {
        uint8_t rows[2][64];

        store_columns(b, rows[0], evens(x[0], x[1]), evens(x[2], x[3]));
        store_columns(b, rows[1], bottom[0], bottom[1]);
        memcpy(at[0], rows[0], (size_t)columns * size);
        if (lower)
            memcpy(at[1], rows[1], (size_t)columns * size);
    }
}

/* Up to 8 quads from quad q of row y. Those above the limit count as insignificant. */
static inline void decode_piece(samples *s, int32_t y, int32_t q)
{
    const int32_t wide = (s->block->width + 1) / 2;
    const __m256i number = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const __m256i there = _mm256_cmpgt_epi32(_mm256_set1_epi32(wide - q), number);
    const __m256i entries = _mm256_and_si256(load(s->lane->quads + 16 + y * (wide + 1) + q), there);
    const __m256i bound = _mm256_and_si256(
        bounds(entries, s->lane->us + y * ((wide + 1) / 2) + q / 2, s->below[0] + 2 * q, y == 0), there);
    const __m256i over = _mm256_cmpgt_epi32(bound, _mm256_set1_epi32(s->limit));
    const __m256i quads = _mm256_andnot_si256(over, entries);
    __m256i x[4];

    s->fits &= _mm256_testz_si256(over, over);
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; pair++)
        x[pair] = coefficients(s, quads, bound, pair);
    store_rows(s, x, 2 * q, 2 * y + 1 < s->block->height);
}

/* Step 2 of lane k. False: for the reference. */
static bool finish_lane(ht_work *w, int k)
{
    const mtm_block *const b = w->lanes[k].block;
    const int32_t room = b->type == MTM_COEF_I16 ? 15 - b->plane : MAX_BOUND;
    const uint32_t most = b->n_planes < MAX_BOUND ? (1u << b->n_planes) - 2 : INT32_MAX;
    const int64_t bits = ht_unstuff_forward(w->magsgn[k], b->data, w->lanes[k].pcup);
    samples s = {.block = b,
                 .lane = &w->lanes[k],
                 .magsgn = w->magsgn[k],
                 .max = _mm256_setzero_si256(),
                 .fits = true};

    s.row = b->dst, s.pitch = b->stride * (ptrdiff_t)mtm_coef_bytes((mtm_coef)b->type);
    s.limit = b->n_planes + 1 < room ? b->n_planes + 1 : room;
    s.limit = s.limit < 30 - b->plane ? s.limit : 30 - b->plane;
    memset(w->wide_below, 0, sizeof w->wide_below);
    s.below[0] = w->wide_below[0] + HT_PAD / 2, s.below[1] = w->wide_below[1] + HT_PAD / 2;
    for (int32_t y = 0; bits >= 0 && s.fits && 2 * y < b->height; y++) {
        for (int32_t q = 0; 2 * q < b->width; q += QUADS)
            decode_piece(&s, y, q);
        uint32_t *const above = s.below[0];

        s.below[0] = s.below[1], s.below[1] = above;
        s.row += 2 * s.pitch;
    }
    const __m256i over = _mm256_cmpgt_epi32(s.max, _mm256_set1_epi32((int32_t)most));

    return bits >= 0 && s.fits && (int64_t)s.at <= bits + 8 && _mm256_testz_si256(over, over);
}

static void finish_lanes(ht_work *w, int n, bool *done)
{
    for (int k = 0; k < n; k++)
        done[k] = finish_lane(w, k);
}

void mtm_ht_decode_avx2(mtm_block *blocks, int32_t n, void *scratch)
{
    ht_decode_batches(scratch, blocks, n, finish_lanes);
}
