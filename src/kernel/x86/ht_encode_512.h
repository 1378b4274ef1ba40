/* kernel/x86/ht_encode_512.h: the HT block encoder in 16-bit lanes, one per quad, 32 quads at a time. Everything but
 * the bits' places depends on coefficients only, not on what was coded before, so all of it runs in lanes; what is left
 * for scalar code is writing words of up to 56 bits (ht_encode_x86.h). Magnitudes ≤ 32768 fit: 2µ − 1 takes 16 bits, an
 * exponent is ≤ 16, and u ≤ 15. Deeper blocks are ht_encode_avx2.c's. The body of ht_encode_avx512.c and
 * ht_encode_vbmi2.c.
 * Cycles per coefficient on Zen 4, lossless 16-bit CT: lanes 1.4, look-ups 0.5, writing MagSgn 1.2 and VLC 0.3; 2.9 in
 * all, since lanes and writing overlap.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_HT_ENCODE_512_H
#define MTM_KERNEL_X86_HT_ENCODE_512_H

#include "ht_encode_x86.h"

enum { MOST = 1 << 15 };

typedef struct quads {
    __m512i v[4];      /* 2(µ − 1) + s, whatever where insignificant */
    __mmask32 some[4]; /* significant */
    __m512i index;     /* of the codeword: c_q << 8 | rho << 4 | eps */
    __m512i bound, u;  /* U and its excess over the prediction */
} quads;

/* The chunk to the left: 2µ − 1 of its quads' coefficients. */
typedef struct left {
    __m512i t[4];
} left;

/* ---- lanes -------------------------------------------------------------------------------------------- */

static inline __m512i splat16(int x)
{
    return _mm512_set1_epi16((short)x);
}

/* Leading zeros of 16-bit lanes; 16 of 0. */
static inline __m512i leading_zeros(__m512i x)
{
    const __m512i low = _mm512_set1_epi32(0xFFFF);
    const __m512i of_high = _mm512_lzcnt_epi32(_mm512_or_si512(x, low));
    const __m512i of_low = _mm512_lzcnt_epi32(_mm512_or_si512(_mm512_slli_epi32(x, 16), low));

    return _mm512_or_si512(of_low, _mm512_slli_epi32(of_high, 16));
}

/* Lane i of the result is lane i − 1 of x; lane 0 the last of before. */
static inline __m512i from_left(__m512i x, __m512i before)
{
    const __m512i order = _mm512_set_epi16(30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14,
                                           13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 63);

    return _mm512_permutex2var_epi16(x, order, before);
}

/* lo's low bits, their number in the lowest 5 or 6 bits of each lane, below hi; what hi has above its own stays. */
#if defined(__AVX512VBMI2__)
static inline __m512i join32(__m512i lo, __m512i hi, __m512i bits)
{
    return _mm512_shldv_epi32(hi, _mm512_rorv_epi32(lo, bits), bits);
}

static inline __m512i join64(__m512i lo, __m512i hi, __m512i bits)
{
    return _mm512_shldv_epi64(hi, _mm512_rorv_epi64(lo, bits), bits);
}
#else
static inline __m512i join32(__m512i lo, __m512i hi, __m512i bits)
{
    const __m512i n = _mm512_and_si512(bits, _mm512_set1_epi32(31));
    const __m512i above = _mm512_sllv_epi32(_mm512_set1_epi32(-1), n);

    return _mm512_ternarylogic_epi32(above, lo, _mm512_sllv_epi32(hi, n), 0xAE); /* (lo & ~above) | … */
}

static inline __m512i join64(__m512i lo, __m512i hi, __m512i bits)
{
    const __m512i n = _mm512_and_si512(bits, _mm512_set1_epi64(63));
    const __m512i above = _mm512_sllv_epi64(_mm512_set1_epi64(-1), n);

    return _mm512_ternarylogic_epi32(above, lo, _mm512_sllv_epi64(hi, n), 0xAE);
}
#endif

/* ---- from coefficients to what the streams hold ------------------------------------------------------- */

/* One of a quad's four: 2µ − 1 (0 if insignificant) into t, and its part of q. */
static inline void take(quads *q, __m512i *t, __m512i *any, int n, __m512i x)
{
    const __m512i magnitude = _mm512_abs_epi16(x);

    q->some[n] = _mm512_test_epi16_mask(x, x);
    *any = _mm512_or_si512(*any, magnitude);
    t[n] = _mm512_maskz_sub_epi16(q->some[n], _mm512_add_epi16(magnitude, magnitude), splat16(1));
    q->v[n] = _mm512_ternarylogic_epi32(t[n], splat16(1), _mm512_srli_epi16(x, 15), 0xBE); /* (t ^ 1) | s */
}

/* 64 columns of two lines, or as many as the masks say. */
static inline void load_quads(quads *q, __m512i *t, __m512i *any, const int16_t *const *lines,
                              const uint64_t *columns)
{
    const __m512i even = _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30,
                                          28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_or_si512(even, splat16(1));

#pragma GCC unroll 2
    for (int n = 0; n < 2; n++) {
        const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)columns[n], lines[n]);
        const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(columns[n] >> 32), lines[n] + 32);

        take(q, t, any, n, _mm512_permutex2var_epi16(a, even, b));
        take(q, t, any, n + 2, _mm512_permutex2var_epi16(a, odd, b));
    }
}

/* Significance of the neighbours, in bits 8 … 10 (T.814 equations 1 and 2). above: what the row above left for this
 * quad and, next, for the one to the right. */
static inline __m512i contexts(bool first, const __m512i *t, const left *l, __m512i above, __m512i next)
{
    __m512i a = above, b, c = next;

    if (first) {
        a = from_left(_mm512_or_si512(t[0], t[1]), _mm512_or_si512(l->t[0], l->t[1]));
        b = from_left(t[2], l->t[2]), c = from_left(t[3], l->t[3]);
    } else {
        b = from_left(_mm512_or_si512(t[2], t[3]), _mm512_or_si512(l->t[2], l->t[3]));
    }
    __m512i o = _mm512_maskz_mov_epi16(_mm512_test_epi16_mask(a, a), splat16(0x100));
    o = _mm512_mask_add_epi16(o, _mm512_test_epi16_mask(b, b), o, splat16(0x200));
    return _mm512_mask_add_epi16(o, _mm512_test_epi16_mask(c, c), o, splat16(0x400));
}

/* Fills in index, bound and u. */
static inline void predict(quads *q, bool first, const __m512i *t, const left *l, __m512i above, __m512i next)
{
    const __m512i all = _mm512_or_si512(_mm512_or_si512(t[0], t[1]), _mm512_or_si512(t[2], t[3]));
    const __m512i zeros = leading_zeros(all), top = _mm512_srlv_epi16(splat16((short)0x8000), zeros);
    __m512i rho = _mm512_maskz_mov_epi16(q->some[0], splat16(0x10)), eps, predicted = splat16(1);

    rho = _mm512_mask_add_epi16(rho, q->some[1], rho, splat16(0x20));
    rho = _mm512_mask_add_epi16(rho, q->some[2], rho, splat16(0x40));
    rho = _mm512_mask_add_epi16(rho, q->some[3], rho, splat16(0x80));
    if (!first) {
        const __mmask32 several = _mm512_test_epi16_mask(rho, _mm512_sub_epi16(rho, splat16(0x10)));
        const __m512i most = _mm512_subs_epu16(splat16(15), leading_zeros(_mm512_or_si512(above, next)));

        predicted = _mm512_mask_max_epu16(predicted, several, most, predicted);
    }
    q->bound = _mm512_max_epu16(_mm512_sub_epi16(splat16(16), zeros), predicted);
    q->u = _mm512_sub_epi16(q->bound, predicted);
    const __mmask32 exceeds = _mm512_test_epi16_mask(q->u, q->u);
    eps = _mm512_maskz_mov_epi16(_mm512_mask_test_epi16_mask(exceeds, t[0], top), splat16(1));
    eps = _mm512_mask_add_epi16(eps, _mm512_mask_test_epi16_mask(exceeds, t[1], top), eps, splat16(2));
    eps = _mm512_mask_add_epi16(eps, _mm512_mask_test_epi16_mask(exceeds, t[2], top), eps, splat16(4));
    eps = _mm512_mask_add_epi16(eps, _mm512_mask_test_epi16_mask(exceeds, t[3], top), eps, splat16(8));
    q->index = _mm512_or_si512(_mm512_or_si512(rho, eps), contexts(first, t, l, above, next));
}

/* Codewords of 32 quads as in mtm_ht_vlc_encode. */
static inline __m512i look_up(const uint16_t *table, __m512i index)
{
    const __m512i even = _mm512_i32gather_epi32(_mm512_and_si512(index, _mm512_set1_epi32(0xFFFF)), table, 2);
    const __m512i odd = _mm512_i32gather_epi32(_mm512_srli_epi32(index, 16), table, 2);

    return _mm512_mask_blend_epi16(0xAAAAAAAA, even, _mm512_slli_epi32(odd, 16));
}

/* ---- words -------------------------------------------------------------------------------------------- */

/* Joins the codewords and u codes of 4 quads each. */
static inline void put_vlc_words(ht_chunk *c, const uint32_t *u_table, const quads *q, __m512i words)
{
    const __m512i low = _mm512_set1_epi32(0xFFFF);
    const __m512i bits = _mm512_and_si512(_mm512_srli_epi16(words, 4), splat16(7));
    const __m512i code = _mm512_srli_epi16(words, 8), bits0 = _mm512_and_si512(bits, low);
    const __m512i both =
        _mm512_and_si512(_mm512_or_si512(q->u, _mm512_srli_epi32(q->u, 11)), _mm512_set1_epi32(0x3FF));
    const __m512i u = _mm512_i32gather_epi32(both, u_table, 4);
    __m512i n = _mm512_add_epi32(bits0, _mm512_srli_epi32(bits, 16)), pair;

    pair =
        _mm512_or_si512(_mm512_and_si512(code, low), _mm512_sllv_epi32(_mm512_srli_epi32(code, 16), bits0));
    pair = _mm512_or_si512(pair, _mm512_sllv_epi32(_mm512_and_si512(u, low), n));
    n = _mm512_add_epi32(n, _mm512_srli_epi32(u, 16));

    const __m512i low64 = _mm512_set1_epi64(0xFFFFFFFF), n0 = _mm512_and_si512(n, low64);
    const __m512i second = _mm512_sllv_epi64(_mm512_srli_epi64(pair, 32), n0);
    _mm512_store_si512(c->vlc, _mm512_or_si512(_mm512_and_si512(pair, low64), second));
    _mm512_store_si512(c->vlc_bits, _mm512_add_epi64(n0, _mm512_srli_epi64(n, 32)));
}

/* Bits of each coefficient: U, less one where e_k says so, none where insignificant. */
static inline __m512i magsgn_bits(const quads *q, __m512i words, int n)
{
    const __m512i known = _mm512_and_si512(_mm512_srli_epi16(words, (unsigned)n), splat16(1));

    return _mm512_maskz_sub_epi16(q->some[n], q->bound, known);
}

/* Joins MagSgn bits of a quad, and of two or four quads where that stays short enough in the whole chunk. */
static inline void put_magsgn_words(ht_chunk *c, const quads *q, __m512i words)
{
    const __m512i m0 = magsgn_bits(q, words, 0), m1 = magsgn_bits(q, words, 1);
    const __m512i m2 = magsgn_bits(q, words, 2), m3 = magsgn_bits(q, words, 3);
    const __m512i n01 = _mm512_add_epi16(m0, m1), n = _mm512_add_epi16(n01, _mm512_add_epi16(m2, m3));
    /* two of a quad in 32-bit lanes: first the even quads, then the odd */
    const __m512i even01 = join32(q->v[0], q->v[1], m0), even23 = join32(q->v[2], q->v[3], m2);
    const __m512i odd01 =
        join32(_mm512_srli_epi32(q->v[0], 16), _mm512_srli_epi32(q->v[1], 16), _mm512_srli_epi32(m0, 16));
    const __m512i odd23 =
        join32(_mm512_srli_epi32(q->v[2], 16), _mm512_srli_epi32(q->v[3], 16), _mm512_srli_epi32(m2, 16));
    /* quads 4i … 4i + 3 in 64-bit lanes */
    const __m512i w0 = join64(even01, even23, n01);
    const __m512i w1 = join64(odd01, odd23, _mm512_srli_epi64(n01, 16));
    const __m512i w2 =
        join64(_mm512_srli_epi64(even01, 32), _mm512_srli_epi64(even23, 32), _mm512_srli_epi64(n01, 32));
    const __m512i w3 =
        join64(_mm512_srli_epi64(odd01, 32), _mm512_srli_epi64(odd23, 32), _mm512_srli_epi64(n01, 48));
    const __m512i low = _mm512_set1_epi64(0xFFFF), most = _mm512_set1_epi64(HT_WORD_BITS);
    const __m512i n0 = _mm512_and_si512(n, low), n1 = _mm512_and_si512(_mm512_srli_epi64(n, 16), low);
    const __m512i n2 = _mm512_and_si512(_mm512_srli_epi64(n, 32), low), n3 = _mm512_srli_epi64(n, 48);
    const __m512i first = _mm512_add_epi64(n0, n1), second = _mm512_add_epi64(n2, n3);
    const __m512i four = _mm512_add_epi64(first, second);

    c->magsgn_long = false;
    if (_mm512_cmpgt_epu64_mask(_mm512_max_epu64(first, second), most)) {
        c->magsgn_words = 4, c->magsgn_long = _mm512_cmpgt_epu16_mask(n, splat16(HT_WORD_BITS)) != 0;
        _mm512_store_si512(c->magsgn[0], w0), _mm512_store_si512(c->magsgn_bits[0], n0);
        _mm512_store_si512(c->magsgn[1], w1), _mm512_store_si512(c->magsgn_bits[1], n1);
        _mm512_store_si512(c->magsgn[2], w2), _mm512_store_si512(c->magsgn_bits[2], n2);
        _mm512_store_si512(c->magsgn[3], w3), _mm512_store_si512(c->magsgn_bits[3], n3);
        return;
    }
    const __m512i pair0 = join64(w0, w1, n0), pair1 = join64(w2, w3, n2);
    if (_mm512_cmpgt_epu64_mask(four, most)) {
        c->magsgn_words = 2;
        _mm512_store_si512(c->magsgn[0], pair0), _mm512_store_si512(c->magsgn_bits[0], first);
        _mm512_store_si512(c->magsgn[1], pair1), _mm512_store_si512(c->magsgn_bits[1], second);
        return;
    }
    c->magsgn_words = 1;
    _mm512_store_si512(c->magsgn[0], join64(pair0, pair1, first));
    _mm512_store_si512(c->magsgn_bits[0], four);
}

static inline void put_mel_symbols(ht_symbols *s, bool first, const quads *q, __mmask32 valid)
{
    const uint32_t alone = _mm512_mask_cmplt_epu16_mask(valid, q->index, splat16(0x100));
    const uint32_t some = q->some[0] | q->some[1] | q->some[2] | q->some[3];

    ht_put_row_symbols(s, first, alone, some, _mm512_test_epi16_mask(q->u, q->u),
                       _mm512_cmpgt_epu16_mask(q->u, splat16(2)));
}

/* ---- rows --------------------------------------------------------------------------------------------- */

/* False: a magnitude is too great; nothing of it was written. */
static inline __attribute__((always_inline)) bool encode_row(ht_encoder *k, bool first, const int16_t *upper,
                                                             const int16_t *lower, int width)
{
    const __m512i zero = _mm512_setzero_si512();
    __m512i any = zero;
    left l = {{zero, zero, zero, zero}};

    for (int x = 0; x < width; x += HT_CHUNK_COLUMNS) {
        const int n = width - x < HT_CHUNK_COLUMNS ? width - x : HT_CHUNK_COLUMNS;
        const uint64_t columns = _bzhi_u64(~(uint64_t)0, (unsigned)n);
        const __mmask32 valid = _bzhi_u32(~0u, (unsigned)(n + 1) >> 1);
        uint16_t *const above = k->above.u16 + x / 2;
        __m512i t[4];
        quads q;

        load_quads(&q, t, &any, (const int16_t *const[]){upper + x, lower ? lower + x : upper},
                   (const uint64_t[]){columns, lower ? columns : 0});
        if (_mm512_cmpgt_epu16_mask(any, splat16(k->most)))
            return false;
        predict(&q, first, t, &l, _mm512_loadu_si512(above), _mm512_loadu_si512(above + 1));
        ht_put_chunk_vlc(&k->vlc, k->before);
        put_mel_symbols(&k->mel, first, &q, valid);
        const __m512i words = _mm512_maskz_mov_epi16(valid, look_up(mtm_ht_vlc_encode[!first], q.index));
        put_vlc_words(k->chunk, mtm_ht_u_encode[!first], &q, words);
        put_magsgn_words(k->chunk, &q, words);
        _mm512_storeu_si512(above, _mm512_or_si512(t[1], from_left(t[3], l.t[3])));
        for (int i = 0; i < 4; i++)
            l.t[i] = t[i];
        k->chunk->n_vlc = k->chunk->magsgn_groups = (n + 7) / 8;
        ht_put_chunk_magsgn(&k->magsgn, k->before);
        ht_next_chunk(k);
    }
    const int end = (width + HT_CHUNK_COLUMNS - 1) / HT_CHUNK_COLUMNS * HT_CHUNK_QUADS;
    _mm512_storeu_si512(k->above.u16 + end, from_left(zero, l.t[3]));
    k->some |= _mm512_test_epi16_mask(any, any) != 0;
    return true;
}

static bool encode_first_row(ht_encoder *k, const int16_t *upper, const int16_t *lower, int width)
{
    return encode_row(k, true, upper, lower, width);
}

static bool encode_next_row(ht_encoder *k, const int16_t *upper, const int16_t *lower, int width)
{
    return encode_row(k, false, upper, lower, width);
}

/* ---- blocks ------------------------------------------------------------------------------------------- */

/* Coefficients as int16 where they fit; else NULL. */
static const int16_t *narrow(mtm_block_input *b, int16_t *out, ptrdiff_t *stride)
{
    const __m512 inverse_step = _mm512_set1_ps(b->inverse_step);
    __m512i any = _mm512_setzero_si512();

    *stride = (b->width + 31) & ~31;
    for (int32_t y = 0; y < b->height; y++)
        for (int32_t x = 0; x < b->width; x += 16) {
            const __mmask16 columns = b->width - x < 16 ? (__mmask16)((1u << (b->width - x)) - 1) : 0xFFFF;
            const void *const from = (const int32_t *)b->src + y * b->stride + x;
            __m512i c = _mm512_maskz_loadu_epi32(columns, from);

            if (b->type == MTM_COEF_F32) {
                const __m512 f = _mm512_castsi512_ps(c);
                const __m512i i = _mm512_cvttps_epi32(_mm512_mul_ps(_mm512_abs_ps(f), inverse_step));

                any = _mm512_or_si512(any, i);
                c = _mm512_mask_sub_epi32(i, _mm512_movepi32_mask(c), _mm512_setzero_si512(), i);
            } else {
                any = _mm512_or_si512(any, _mm512_abs_epi32(c));
            }
            _mm256_storeu_si256((__m256i *)(void *)(out + y * *stride + x), _mm512_cvtepi32_epi16(c));
        }
    return _mm512_cmpgt_epu32_mask(any, _mm512_set1_epi32(INT16_MAX)) ? NULL : out;
}

/* False: not with these lanes. */
static bool encode_block(mtm_block_input *b, void *scratch)
{
    ht_encoder *const k = scratch;
    uint8_t *const mel = (uint8_t *)scratch + sizeof *k;
    uint8_t *const vlc_end = mel + MTM_HT_MEL_BYTES + MTM_HT_VLC_BYTES;
    const int16_t *src = b->src;
    ptrdiff_t stride = b->stride;

    if (b->type == MTM_COEF_I32 || b->type == MTM_COEF_F32)
        src = narrow(b, (int16_t *)(void *)vlc_end, &stride);
    if (b->type == MTM_COEF_I64 || !src ||
        b->room_bytes < mtm_ht_encode_bound(b->width, b->height, b->n_planes))
        return false;
    ht_encoder_begin(k, b, vlc_end, MOST);
    for (int32_t y = 0; y < b->height; y += 2) {
        const int16_t *const upper = src + y * stride;
        const int16_t *const lower = y + 1 < b->height ? upper + stride : NULL;

        if (y + 3 < b->height)
            ht_prefetch_lines(upper + 2 * stride, 2 * stride, 2 * b->width);
        if (!(y ? encode_next_row : encode_first_row)(k, upper, lower, b->width))
            return false;
    }
    ht_encoder_end(k, b, mel, vlc_end);
    return true;
}

static inline void encode_blocks(mtm_block_input *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i++)
        if (!encode_block(&blocks[i], scratch))
            mtm_ht_encode_avx2(&blocks[i], 1, scratch);
}

#endif
