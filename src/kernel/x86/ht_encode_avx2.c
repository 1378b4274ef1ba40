/* kernel/x86/ht_encode_avx2.c: the HT block encoder in 32-bit lanes, one per quad, 8 quads at a time; as
 * ht_encode_avx512.c, which gives this one the blocks that are too deep for 16 bits. Magnitudes below 2^30 fit; deeper
 * blocks are the reference's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_encode_x86.h"

enum { QUADS = 8, COLUMNS = 16, MOST = (1 << 30) - 1 };

typedef struct quads {
    __m256i t[4]; /* 2µ − 1, 0 if insignificant; upper left, lower left, upper right, lower right */
    __m256i v[4]; /* 2(µ − 1) + s, whatever where insignificant */
    __m256i rho;
    __m256i index;    /* of the codeword: c_q << 8 | rho << 4 | eps */
    __m256i bound, u; /* U and its excess over the prediction */
} quads;

/* ---- lanes -------------------------------------------------------------------------------------------- */

static inline __m256i splat(int x)
{
    return _mm256_set1_epi32(x);
}

/* x where a is not 0. */
static inline __m256i where_not_0(__m256i a, __m256i x)
{
    return _mm256_andnot_si256(_mm256_cmpeq_epi32(a, _mm256_setzero_si256()), x);
}

static inline uint32_t mask_not_0(__m256i a)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(where_not_0(a, splat(-1))));
}

/* Bits of x < 2^31: the exponent of the float, which the bits below the highest are kept from rounding up. */
static inline __m256i bits_of(__m256i x)
{
    const __m256i f =
        _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_andnot_si256(_mm256_srli_epi32(x, 1), x)));

    return _mm256_max_epi32(_mm256_sub_epi32(_mm256_srli_epi32(f, 23), splat(126)), _mm256_setzero_si256());
}

/* Lane i of the result is lane i − 1 of x; lane 0 the last of before. */
static inline __m256i from_left(__m256i x, __m256i before)
{
    return _mm256_alignr_epi8(x, _mm256_permute2x128_si256(before, x, 0x21), 12);
}

/* ---- from coefficients to what the streams hold ------------------------------------------------------- */

/* The even and the odd of 16 columns; magnitudes of F32 are floors. n columns, the others 0. */
static inline void load_line(__m256i *even, __m256i *odd, const mtm_block_input *b, const uint8_t *line,
                             int n)
{
    const size_t element = b->type == MTM_COEF_I16 ? 2 : 4;
    uint8_t padded[COLUMNS * 4] = {0};

    if (n < COLUMNS)
        line = memcpy(padded, line, element * (size_t)n);
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)line);
    if (b->type == MTM_COEF_I16) {
        *even = _mm256_srai_epi32(_mm256_slli_epi32(x, 16), 16), *odd = _mm256_srai_epi32(x, 16);
        return;
    }
    const __m256 low = _mm256_castsi256_ps(x),
                 high = _mm256_loadu_ps((const float *)(const void *)(line + 32));
    *even = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88)), 0xD8);
    *odd = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xDD)), 0xD8);
}

/* One of a quad's four: its part of q. False: a magnitude is greater than most. */
static inline __m256i take(quads *q, const mtm_block_input *b, int n, __m256i x)
{
    __m256i magnitude = _mm256_abs_epi32(x);

    if (b->type == MTM_COEF_F32) {
        const __m256 f = _mm256_and_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(splat(INT32_MAX)));

        magnitude = _mm256_cvttps_epi32(_mm256_mul_ps(f, _mm256_set1_ps(b->inverse_step)));
    }
    const __m256i twice = _mm256_add_epi32(magnitude, magnitude);
    q->t[n] = where_not_0(magnitude, _mm256_sub_epi32(twice, splat(1)));
    q->v[n] = _mm256_or_si256(_mm256_sub_epi32(twice, splat(2)), _mm256_srli_epi32(x, 31));
    return magnitude;
}

/* Columns x … x + n − 1 of a line, or of two. Returns the magnitudes or'ed. */
static inline __m256i load_quads(quads *q, const mtm_block_input *b, const uint8_t *upper,
                                 const uint8_t *lower, int n)
{
    __m256i left, right, any;

    load_line(&left, &right, b, upper, n);
    any = _mm256_or_si256(take(q, b, 0, left), take(q, b, 2, right));
    if (lower)
        load_line(&left, &right, b, lower, n);
    else
        left = right = _mm256_setzero_si256();
    return _mm256_or_si256(any, _mm256_or_si256(take(q, b, 1, left), take(q, b, 3, right)));
}

/* Significance of the neighbours, in bits 8 … 10 (T.814 equations 1 and 2). above: what the row above left for this
 * quad and, next, for the one to the right; l: t of the quads to the left. */
static inline __m256i contexts(bool first, const __m256i *t, const __m256i *l, __m256i above, __m256i next)
{
    __m256i a = above, b, c = next;

    if (first) {
        a = from_left(_mm256_or_si256(t[0], t[1]), _mm256_or_si256(l[0], l[1]));
        b = from_left(t[2], l[2]), c = from_left(t[3], l[3]);
    } else {
        b = from_left(_mm256_or_si256(t[2], t[3]), _mm256_or_si256(l[2], l[3]));
    }
    return _mm256_or_si256(where_not_0(a, splat(0x100)),
                           _mm256_or_si256(where_not_0(b, splat(0x200)), where_not_0(c, splat(0x400))));
}

/* Fills in rho, index, bound and u. */
static inline void predict(quads *q, bool first, const __m256i *l, __m256i above, __m256i next)
{
    const __m256i *const t = q->t;
    const __m256i all = _mm256_or_si256(_mm256_or_si256(t[0], t[1]), _mm256_or_si256(t[2], t[3]));
    const __m256i most = bits_of(all), last = _mm256_sub_epi32(most, splat(1));
    __m256i predicted = splat(1),
            eps = _mm256_srlv_epi32(t[3], last); /* t >> last: 1 where it has the top bit */

    q->rho = _mm256_or_si256(_mm256_or_si256(where_not_0(t[0], splat(1)), where_not_0(t[1], splat(2))),
                             _mm256_or_si256(where_not_0(t[2], splat(4)), where_not_0(t[3], splat(8))));
    if (!first) {
        const __m256i several = _mm256_and_si256(q->rho, _mm256_sub_epi32(q->rho, splat(1)));
        const __m256i least = _mm256_sub_epi32(bits_of(_mm256_or_si256(above, next)), splat(1));

        predicted = _mm256_max_epi32(predicted, where_not_0(several, least));
    }
    q->bound = _mm256_max_epi32(most, predicted);
    q->u = _mm256_sub_epi32(q->bound, predicted);
    for (int n = 2; n >= 0; n--)
        eps = _mm256_add_epi32(_mm256_add_epi32(eps, eps), _mm256_srlv_epi32(t[n], last));
    q->index = _mm256_or_si256(_mm256_or_si256(_mm256_slli_epi32(q->rho, 4), where_not_0(q->u, eps)),
                               contexts(first, t, l, above, next));
}

/* ---- words -------------------------------------------------------------------------------------------- */

static inline __m256i low32(__m256i x)
{
    return _mm256_and_si256(x, _mm256_set1_epi64x(0xFFFFFFFF));
}

static inline __m256i high32(__m256i x)
{
    return _mm256_srli_epi64(x, 32);
}

typedef struct field { /* bits in 64-bit lanes, and their number */
    __m256i bits, n;
} field;

static inline field join(field lo, field hi)
{
    return (field){_mm256_or_si256(lo.bits, _mm256_sllv_epi64(hi.bits, lo.n)), _mm256_add_epi64(lo.n, hi.n)};
}

static inline field even_of(field f)
{
    return (field){low32(f.bits), low32(f.n)};
}

static inline field odd_of(field f)
{
    return (field){high32(f.bits), high32(f.n)};
}

/* Lanes 0 and 1, and 2 and 3, joined, and stored to words[0] and [1]. */
static inline void store_neighbours(uint64_t *words, uint64_t *bits, field f)
{
    const field right = {_mm256_unpackhi_epi64(f.bits, f.bits), _mm256_unpackhi_epi64(f.n, f.n)},
                both = join(f, right);
    const __m128i w0 = _mm256_castsi256_si128(both.bits), w1 = _mm256_extracti128_si256(both.bits, 1);
    const __m128i n0 = _mm256_castsi256_si128(both.n), n1 = _mm256_extracti128_si256(both.n, 1);

    _mm_store_si128((__m128i *)(void *)words, _mm_unpacklo_epi64(w0, w1));
    _mm_store_si128((__m128i *)(void *)bits, _mm_unpacklo_epi64(n0, n1));
}

static inline void store_words(ht_chunk *c, int word, int group, field f)
{
    _mm256_store_si256((__m256i *)(void *)&c->magsgn[word][group], f.bits);
    _mm256_store_si256((__m256i *)(void *)&c->magsgn_bits[word][group], f.n);
}

static inline field load_words(const ht_chunk *c, int word, int group)
{
    return (field){_mm256_load_si256((const __m256i *)(const void *)&c->magsgn[word][group]),
                   _mm256_load_si256((const __m256i *)(const void *)&c->magsgn_bits[word][group])};
}

/* The codewords and u codes of 8 quads, 4 quads in a word. */
static inline void put_vlc_words(ht_chunk *c, int at, const uint32_t *u_table, const quads *q, __m256i words)
{
    const field quad = {_mm256_srli_epi32(words, 8), _mm256_and_si256(_mm256_srli_epi32(words, 4), splat(7))};
    const __m256i both =
        _mm256_and_si256(_mm256_or_si256(q->u, _mm256_srli_epi64(q->u, 27)), _mm256_set1_epi64x(0x3FF));
    const __m256i u =
        _mm256_cvtepu32_epi64(_mm256_i64gather_epi32((const int *)(const void *)u_table, both, 4));
    const field excess = {_mm256_and_si256(u, _mm256_set1_epi64x(0xFFFF)), _mm256_srli_epi64(u, 16)};

    store_neighbours(c->vlc + at, c->vlc_bits + at, join(join(even_of(quad), odd_of(quad)), excess));
}

/* Coefficient n's bits, in 32-bit lanes: U of them, less one where e_k says so, none where insignificant. */
static inline field magsgn_field(const quads *q, __m256i words, int n)
{
    const __m256i known = _mm256_and_si256(_mm256_srli_epi32(words, n), splat(1));
    const __m256i bits = where_not_0(q->t[n], _mm256_sub_epi32(q->bound, known));

    return (field){_mm256_andnot_si256(_mm256_sllv_epi32(splat(-1), bits), q->v[n]), bits};
}

/* MagSgn bits of 8 quads, half a quad in a word, and how many at most a word of a quad, of two and of four needs. */
static inline void put_magsgn_halves(ht_chunk *c, int at, const quads *q, __m256i words, __m256i *most)
{
    const field f0 = magsgn_field(q, words, 0), f1 = magsgn_field(q, words, 1);
    const field f2 = magsgn_field(q, words, 2), f3 = magsgn_field(q, words, 3);
    const __m256i n = _mm256_add_epi32(_mm256_add_epi32(f0.n, f1.n), _mm256_add_epi32(f2.n, f3.n));
    const __m256i n2 = _mm256_add_epi32(n, _mm256_shuffle_epi32(n, 0xB1));

    store_words(c, 0, at, join(even_of(f0), even_of(f1))),
        store_words(c, 1, at, join(even_of(f2), even_of(f3)));
    store_words(c, 2, at, join(odd_of(f0), odd_of(f1))), store_words(c, 3, at, join(odd_of(f2), odd_of(f3)));
    most[0] = _mm256_max_epi32(most[0], n);
    most[1] = _mm256_max_epi32(most[1], n2);
    most[2] = _mm256_max_epi32(most[2], _mm256_add_epi32(n2, _mm256_shuffle_epi32(n2, 0x4E)));
}

static inline bool any_above(__m256i n, int most)
{
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(n, splat(most))) != 0;
}

/* Joins halves to words of one, two or four quads, if they stay short enough in the whole chunk: that is one decision,
 * which the processor has to guess, for many words. */
static inline void join_magsgn(ht_chunk *c, int columns, const __m256i *most)
{
    const int pairs = (columns + 3) / 4;

    c->magsgn_groups = pairs, c->magsgn_long = any_above(most[0], HT_WORD_BITS);
    c->magsgn_words = c->magsgn_long ? 4 : any_above(most[1], HT_WORD_BITS) ? 2 : 1;
    if (c->magsgn_long)
        return;
    const bool fours = !any_above(most[2], HT_WORD_BITS);
    for (int at = 0; at < pairs; at += 4) {
        const field even = join(load_words(c, 0, at), load_words(c, 1, at));
        const field odd = join(load_words(c, 2, at), load_words(c, 3, at));

        if (fours)
            store_neighbours(&c->magsgn[0][at / 2], &c->magsgn_bits[0][at / 2], join(even, odd));
        else if (c->magsgn_words == 1)
            store_words(c, 0, at, join(even, odd));
        else
            store_words(c, 0, at, even), store_words(c, 1, at, odd);
    }
    if (fours)
        c->magsgn_groups = (pairs + 1) / 2;
}

/* ---- rows --------------------------------------------------------------------------------------------- */

/* One row of quads, from t of the quads to the left on. */
typedef struct row {
    const mtm_block_input *block;
    const uint8_t *upper, *lower; /* lower: NULL below the last line */
    __m256i left[4], any;         /* any: magnitudes or'ed */
    __m256i most[3];              /* put_magsgn_halves, of a chunk */
} row;

/* The 8 quads from column x of the row and x + 2 · at of the chunk on. */
static inline __attribute__((always_inline)) void encode_quads(ht_encoder *k, bool first, row *r, int x,
                                                               int at)
{
    const ptrdiff_t from = x * (r->block->type == MTM_COEF_I16 ? 2 : 4);
    const int n = r->block->width - x < COLUMNS ? r->block->width - x : COLUMNS;
    const __m256i valid = _mm256_cmpgt_epi32(splat((n + 1) >> 1), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i *const above = (__m256i *)(void *)(k->above.u32 + x / 2);
    quads q;

    r->any = _mm256_or_si256(r->any,
                             load_quads(&q, r->block, r->upper + from, r->lower ? r->lower + from : NULL, n));
    predict(&q, first, r->left, _mm256_loadu_si256(above),
            _mm256_loadu_si256((const __m256i *)(const void *)(k->above.u32 + x / 2 + 1)));
    const __m256i alone = _mm256_and_si256(valid, _mm256_cmpgt_epi32(splat(0x100), q.index));
    const __m256i great = _mm256_cmpgt_epi32(q.u, splat(2));
    ht_put_row_symbols(&k->mel, first, (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(alone)),
                       mask_not_0(q.rho), mask_not_0(q.u),
                       (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(great)));
    __m256i words = _mm256_i32gather_epi32((const int *)(const void *)mtm_ht_vlc_encode[!first], q.index, 2);
    words = _mm256_and_si256(words, _mm256_and_si256(valid, splat(0xFFFF)));
    put_vlc_words(k->chunk, at / 4, mtm_ht_u_encode[!first], &q, words);
    put_magsgn_halves(k->chunk, at / 2, &q, words, r->most);
    _mm256_storeu_si256(above, _mm256_or_si256(q.t[1], from_left(q.t[3], r->left[3])));
    for (int i = 0; i < 4; i++)
        r->left[i] = q.t[i];
}

/* False: a magnitude is too great; nothing of it was written. */
static inline __attribute__((always_inline)) bool
encode_row(ht_encoder *k, bool first, const mtm_block_input *b, const uint8_t *upper, const uint8_t *lower)
{
    const __m256i zero = _mm256_setzero_si256();
    row r = {b, upper, lower, {zero, zero, zero, zero}, zero, {zero, zero, zero}};
    int x = 0;

    while (x < b->width) {
        const int begin = x, end = x + HT_CHUNK_COLUMNS < b->width ? x + HT_CHUNK_COLUMNS : b->width;

        r.most[0] = r.most[1] = r.most[2] = zero;
        for (; x < end; x += COLUMNS)
            encode_quads(k, first, &r, x, (x - begin) / 2);
        if (any_above(r.any, k->most) || _mm256_movemask_ps(_mm256_castsi256_ps(r.any)))
            return false;
        ht_put_chunk_vlc(&k->vlc, k->before);
        join_magsgn(k->chunk, end - begin, r.most);
        k->chunk->n_vlc = (end - begin + 7) / 8;
        ht_put_chunk_magsgn(&k->magsgn, k->before);
        ht_next_chunk(k);
    }
    _mm256_storeu_si256((__m256i *)(void *)(k->above.u32 + x / 2), from_left(zero, r.left[3]));
    k->some |= !_mm256_testz_si256(r.any, r.any);
    return true;
}

static bool encode_first_row(ht_encoder *k, const mtm_block_input *b, const uint8_t *upper,
                             const uint8_t *lower)
{
    return encode_row(k, true, b, upper, lower);
}

static bool encode_next_row(ht_encoder *k, const mtm_block_input *b, const uint8_t *upper,
                            const uint8_t *lower)
{
    return encode_row(k, false, b, upper, lower);
}

/* ---- blocks ------------------------------------------------------------------------------------------- */

/* False: not with these lanes. */
static bool encode_block(mtm_block_input *b, void *scratch)
{
    ht_encoder *const k = scratch;
    uint8_t *const mel = (uint8_t *)scratch + sizeof *k;
    uint8_t *const vlc_end = mel + MTM_HT_MEL_BYTES + MTM_HT_VLC_BYTES;
    const ptrdiff_t element = b->type == MTM_COEF_I16 ? 2 : 4, stride_bytes = b->stride * element;

    if (b->type == MTM_COEF_I64 || b->room_bytes < mtm_ht_encode_bound(b->width, b->height, b->n_planes))
        return false;
    ht_encoder_begin(k, b, vlc_end, MOST);
    for (int32_t y = 0; y < b->height; y += 2) {
        const uint8_t *const upper = (const uint8_t *)b->src + y * stride_bytes;
        const uint8_t *const lower = y + 1 < b->height ? upper + stride_bytes : NULL;

        if (y + 3 < b->height)
            ht_prefetch_lines(upper + 2 * stride_bytes, stride_bytes, b->width * (int32_t)element);
        if (!(y ? encode_next_row : encode_first_row)(k, b, upper, lower))
            return false;
    }
    ht_encoder_end(k, b, mel, vlc_end);
    return true;
}

void mtm_ht_encode_avx2(mtm_block_input *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i++)
        if (!encode_block(&blocks[i], scratch))
            mtm_ht_encode_c(&blocks[i], 1, scratch);
}
