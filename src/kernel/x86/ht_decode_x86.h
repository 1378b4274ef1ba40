/* kernel/x86/ht_decode_x86.h: what the vector HT decoders share: the streams without their stuffed bits, and step 1, the
 * serial part of the cleanup pass (significances and u of every quad), for several blocks of one size in lockstep.
 *
 * A stream is unstuffed once into a flat buffer; a fetch is then a load at a bit position. Step 1 of one block is a chain
 * of table look-ups (about 40 cycles for a pair of quads, in which 3 would fit), hence the lockstep.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_DECODE_X86_H
#define MTM_KERNEL_HT_DECODE_X86_H

#include <immintrin.h>
#include <string.h>

#include "kernel/ht_decode.h"

enum {
    HT_LANES = 4,        /* blocks in lockstep */
    HT_MAX_QUADS = 1300, /* of a block: 1 + w/2 by 1 + h/2, w·h ≤ 4096 */
    HT_MAX_PAIRS = 1024, /* of a block */
    HT_VLC_BYTES = 4224, /* Scup < 4080, or 38 bits for each of 820 pairs */
    HT_MEL_BYTES =
        512, /* a symbol for each quad, and for each pair of the first row, and what is read beyond */
    HT_ENTRIES = 2048,          /* a row has one more entry than quads */
    HT_MAGSGN_BYTES = 24 << 10, /* 33 bits for each sample of HT_MAX_QUADS, and what is read beyond */
    HT_PAD = 128
};

/* One block in lockstep. */
typedef struct ht_lane {
    mtm_block *block;
    int64_t vlc_bits;                                  /* that there are */
    int64_t vlc_at, mel_at;                            /* positions in bits */
    uint32_t pcup;                                     /* bytes of MagSgn */
    uint8_t vlc[HT_VLC_BYTES], mel[HT_MEL_BYTES];      /* mel: symbols, one bit each */
    uint32_t quads[16 + HT_ENTRIES], us[HT_MAX_PAIRS]; /* results: [row][quad], from [16]; [row][pair] */
    uint32_t above[MTM_BLOCK_MAX_SIDE / 2 + 16]; /* what the row above says of the contexts in this one */
} ht_lane;

typedef struct ht_work {
    ht_lane lanes[HT_LANES];
    uint8_t magsgn[HT_MAGSGN_BYTES + HT_PAD];
    uint16_t below[2][HT_PAD / 2 + MTM_BLOCK_MAX_SIDE + HT_PAD / 2]; /* of the row above, by column */
    _Alignas(64) uint8_t reference[MTM_HT_REFERENCE_BYTES];
} ht_work;

_Static_assert(sizeof(ht_work) <= MTM_HT_SCRATCH_BYTES, "the work fits into the scratch");

/* ---- streams ---------------------------------------------------------------------------------------------- */

/* Bytes to which a stream without stuffing is written, bit by bit upwards. */
typedef struct ht_flat {
    uint8_t *at;
    uint32_t used, byte; /* bits of *at, and what they are */
} ht_flat;

#if defined(__AVX512BW__)
enum { HT_CHUNK = 64 };
typedef __m512i ht_bytes;
#define ht_bytes_load(p) _mm512_loadu_si512(p)

/* x behind the bits that there are. */
static inline void ht_flat_store(const ht_flat *f, ht_bytes x)
{
    const __m512i carry = _mm512_set1_epi64((int64_t)((uint64_t)f->byte << 1 << (63 - f->used)));
    const __m512i before = _mm512_alignr_epi64(x, carry, 7);
    const __m128i left = _mm_cvtsi32_si128((int)f->used), right = _mm_cvtsi32_si128((int)(64 - f->used));

    _mm512_storeu_si512(f->at, _mm512_or_si512(_mm512_sll_epi64(x, left), _mm512_srl_epi64(before, right)));
}

static inline uint64_t ht_bytes_equal(ht_bytes x, int c)
{
    return _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8((char)c));
}

static inline uint64_t ht_bytes_above(ht_bytes x, int c)
{
    return _mm512_cmpgt_epu8_mask(x, _mm512_set1_epi8((char)c));
}

static inline ht_bytes ht_bytes_reverse(ht_bytes x)
{
    const __m512i order =
        _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m512i r = _mm512_shuffle_epi8(x, order);

    return _mm512_shuffle_i64x2(r, r, 0x1B);
}

static inline ht_bytes ht_bytes_low7(ht_bytes x)
{
    return _mm512_and_si512(x, _mm512_set1_epi8(0x7F));
}
#else
enum { HT_CHUNK = 32 };
typedef __m256i ht_bytes;
#define ht_bytes_load(p) _mm256_loadu_si256((const __m256i *)(p))

static inline void ht_flat_store(const ht_flat *f, ht_bytes x)
{
    const __m256i carry = _mm256_set1_epi64x((int64_t)((uint64_t)f->byte << 1 << (63 - f->used)));
    const __m256i before = _mm256_blend_epi32(_mm256_permute4x64_epi64(x, 0x90), carry, 3);
    const __m128i left = _mm_cvtsi32_si128((int)f->used), right = _mm_cvtsi32_si128((int)(64 - f->used));

    _mm256_storeu_si256((__m256i *)f->at,
                        _mm256_or_si256(_mm256_sll_epi64(x, left), _mm256_srl_epi64(before, right)));
}

static inline uint64_t ht_bytes_equal(ht_bytes x, int c)
{
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_set1_epi8((char)c)));
}

static inline uint64_t ht_bytes_above(ht_bytes x, int c)
{
    const __m256i least = _mm256_set1_epi8((char)(c + 1));

    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(x, least), x));
}

static inline ht_bytes ht_bytes_reverse(ht_bytes x)
{
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));

    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(x, order), 0x4E);
}

static inline ht_bytes ht_bytes_low7(ht_bytes x)
{
    return _mm256_and_si256(x, _mm256_set1_epi8(0x7F));
}
#endif

/* After a store of n bytes, the last of which is `last` and has `size` bits. */
static inline void ht_flat_advance(ht_flat *f, int64_t n, uint32_t last, uint32_t size)
{
    const uint32_t end = f->used + size, bits = (last << f->used) & ((1u << end) - 1);

    f->byte = end < 8 ? bits : bits >> 8;
    f->at += n - (end < 8);
    f->used = end < 8 ? end : end - 8;
}

/* MagSgn, T.814 7.1.2: after 0xFF a byte has 7 bits. n bytes of d, then ones. Gives the bits before them; −1: a stuffed
 * bit is 1. */
static inline int64_t ht_unstuff_forward(uint8_t *out, const uint8_t *d, int64_t n)
{
    ht_flat f = {.at = out};
    uint64_t after = 0; /* whether the byte before this chunk is 0xFF */

    for (int64_t i = 0; i < n;) {
        const int64_t left = n - i, chunk = left < HT_CHUNK ? left : HT_CHUNK;
        const ht_bytes x = ht_bytes_load(d + i);
        const uint64_t ones = ht_bytes_equal(x, 0xFF), stuffed = ones << 1 | after;
        const int64_t first = stuffed ? __builtin_ctzll(stuffed) : HT_CHUNK;
        const bool cut = first < chunk;
        const int64_t taken = cut ? first + 1 : chunk;

        ht_flat_store(&f, x);
        if (cut && d[i + first] > 0x7F)
            return -1;
        ht_flat_advance(&f, taken, d[i + taken - 1], cut ? 7 : 8);
        after = ones >> (taken - 1) & 1;
        i += taken;
    }
    const int64_t bits = 8 * (f.at - out) + f.used;

    memset(f.at, 0xFF, HT_PAD);
    *f.at = (uint8_t)(f.byte | 0xFFu << f.used);
    return bits;
}

/* VLC, T.814 7.1.4: the bytes from end − 1 down to d; before a byte above 0x8F, one that ends in 7 ones has 7 bits. The
 * flat bits begin with those of `first`, which has n_first. Then zeros. Gives the bits before them. */
static inline int64_t ht_unstuff_backward(uint8_t *out, const uint8_t *d, const uint8_t *end, uint32_t last,
                                          uint32_t first, uint32_t n_first)
{
    ht_flat f = {.at = out, .used = n_first, .byte = first};
    uint64_t after = last > 0x8F;

    while (end > d) {
        const int64_t left = end - d, chunk = left < HT_CHUNK ? left : HT_CHUNK;
        const ht_bytes x = ht_bytes_reverse(ht_bytes_load(end - HT_CHUNK));
        const uint64_t above = ht_bytes_above(x, 0x8F);
        const uint64_t stuffed = (above << 1 | after) & ht_bytes_equal(ht_bytes_low7(x), 0x7F);
        const int64_t cut = stuffed ? __builtin_ctzll(stuffed) : HT_CHUNK;
        const int64_t taken = cut < chunk ? cut + 1 : chunk;

        ht_flat_store(&f, x);
        ht_flat_advance(&f, taken, end[-taken], cut < chunk ? 7 : 8);
        after = above >> (taken - 1) & 1;
        end -= taken;
    }
    memset(f.at, 0, HT_PAD);
    *f.at = (uint8_t)f.byte;
    return 8 * (f.at - out) + f.used;
}

/* MEL, T.814 7.1.3 and 7.3.3: at least n symbols, one bit each. The bytes end in ones. */
static inline void ht_expand_mel(uint8_t *out, const uint8_t *d, const uint8_t *end, int64_t n)
{
    uint64_t window = 0; /* bits from the highest down */
    uint32_t last = 0, k = 0;
    int32_t bits = 0;
    int64_t at = 0;

    memset(out, 0, (size_t)(n >> 3) + 16);
    while (at < n) {
        while (bits <= 48) {
            const uint32_t size = last == 0xFF ? 7 : 8;

            last = d < end - 2 ? *d : d == end - 2 ? *d | 0x0Fu : 0xFFu;
            d += d < end;
            window |= (uint64_t)(last & (0xFFu >> (8 - size))) << (64 - bits - (int32_t)size);
            bits += (int32_t)size;
        }
        const uint32_t exponent = mtm_ht_mel_exponent[k];

        if (window >> 63) {
            at += 1 << exponent, k += k < 12;
            window <<= 1, bits--;
        } else {
            at += (int64_t)(window << 1 >> 1 >> (63 - exponent));
            k -= k > 0;
            window <<= exponent + 1, bits -= (int32_t)exponent + 1;
            out[at >> 3] |= (uint8_t)(1u << (at & 7));
            at++;
        }
    }
}

/* Bits from position `at`: at least 57. */
static inline uint64_t ht_peek(const uint8_t *flat, int64_t at)
{
    uint64_t w;

    memcpy(&w, flat + (at >> 3), sizeof w);
    return w >> (at & 7);
}

/* Cuts and unstuffs VLC and MEL of a block. False: CORRUPT. */
static inline bool ht_lane_open(ht_lane *l, mtm_block *b)
{
    const uint32_t lcup = b->segments[0].size_bytes;
    const int32_t wide = (b->width + 1) / 2, high = (b->height + 1) / 2;
    const uint8_t *const d = b->data;

    l->block = b;
    if (!mtm_ht_block_valid(b) || lcup < 2)
        return false;
    const uint32_t scup = (uint32_t)d[lcup - 1] << 4 | (d[lcup - 2] & 0xFu);

    if (scup < 2 || scup > lcup || scup > 4079)
        return false;
    l->pcup = lcup - scup;
    const uint32_t first = d[lcup - 2] >> 4, n_first = (first & 7) == 7 ? 3 : 4;

    l->vlc_bits = ht_unstuff_backward(l->vlc, d + l->pcup, d + lcup - 2, d[lcup - 2] | 0xFu,
                                      first & ((1u << n_first) - 1), n_first);
    ht_expand_mel(l->mel, d + l->pcup, d + lcup, (int64_t)wide * high + wide / 2);
    l->vlc_at = l->mel_at = 0;
    memset(l->above, 0, sizeof *l->above * (size_t)(wide + 2));
    l->quads[15] = 0;
    return true;
}

/* ---- step 1 ------------------------------------------------------------------------------------------------ */

/* u of a pair, code by code, T.814 7.3.6; mode: see ht_tables.h. */
static uint32_t ht_u_long(uint64_t w, uint32_t mode)
{
    static const uint8_t lengths[8] = {3, 1, 2, 1, 3, 1, 2, 1}, values[8] = {5, 1, 2, 1, 3, 1, 2, 1};
    uint32_t used = 0, prefix[2] = {0, 0}, suffix[2] = {0, 0}, u[2];

    for (uint32_t i = 0; i < 2; i++) {
        if (mode < MTM_HT_U_FIRST_ROW && !(mode >> i & 1))
            continue;
        if (mode == MTM_HT_U_FIRST_ROW && i == 1 && prefix[0] > 2) {
            prefix[1] = 1 + (uint32_t)(w >> used & 1);
            used++;
        } else {
            prefix[i] = values[w >> used & 7];
            used += lengths[w >> used & 7];
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t bits = prefix[i] < 3 ? 0 : prefix[i] == 3 ? 1 : 5;

        suffix[i] = (uint32_t)(w >> used) & ((1u << bits) - 1);
        used += bits;
    }
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t bits = suffix[i] < 28 ? 0 : 4, extension = (uint32_t)(w >> used) & ((1u << bits) - 1);

        u[i] = prefix[i] + suffix[i] + 4 * extension + (mode > MTM_HT_U_FIRST_ROW ? 2 : 0);
        used += bits;
    }
    return used | u[0] << MTM_HT_U_FIRST_SHIFT | u[1] << MTM_HT_U_SECOND_SHIFT;
}

/* One block's step 1 inside a row. */
typedef struct ht_step {
    uint64_t
        mel; /* the next symbol is bit 12: a byte offset of context 8, which has no codeword; bit 63 counts */
    uint32_t left; /* the entry of the quad before */
} ht_step;

enum { HT_MEL_SHIFT = 12 };

static inline __attribute__((always_inline)) uint32_t ht_quad(ht_step *s, uint64_t *w, uint32_t above,
                                                              const uint32_t (*table)[128])
{
    uint32_t context = (s->left & MTM_HT_VLC_CONTEXT) | above;
    const bool none = context == 0;

    context = none ? (uint32_t)~s->mel & 1u << HT_MEL_SHIFT : context;
    s->mel >>= none;
    uint32_t entry;

    memcpy(&entry, (const uint8_t *)table + context + 4 * (*w & 0x7F), sizeof entry);
    *w >>= entry & MTM_HT_VLC_LENGTH;
    s->left = entry;
    return entry;
}

/* A pair of quads, or the last single one. */
static inline __attribute__((always_inline)) void ht_pair(ht_lane *l, ht_step *s, const uint32_t *above,
                                                          uint32_t *quads, uint32_t *us, bool first_row,
                                                          bool single)
{
    const uint32_t (*const table)[128] = mtm_ht_vlc_decode[!first_row];
    uint64_t w = ht_peek(l->vlc, l->vlc_at);
    const uint32_t first = ht_quad(s, &w, above[0], table);
    const uint32_t second = single ? 0 : ht_quad(s, &w, above[1], table);

    quads[0] = first, quads[1] = second;
    uint32_t mode = (first & MTM_HT_VLC_U_OFF) + 2 * (second & MTM_HT_VLC_U_OFF);

    if (first_row && mode == 3 * MTM_HT_VLC_U_OFF) {
        mode = 256 * (MTM_HT_U_FIRST_ROW + (s->mel >> HT_MEL_SHIFT & 1));
        s->mel >>= 1;
    }
    uint32_t u = (&mtm_ht_u_decode[0][0])[mode + (w & 0xFF)];

    if (__builtin_expect((u & MTM_HT_U_MORE) != 0, 0))
        u = ht_u_long(w, mode / 256);
    *us = u;
    l->vlc_at += (first + second + u) & 0x3F;
}

/* Quads [q0, q1) of row y of n blocks, at most 32: that takes 48 MEL symbols or fewer. */
static inline __attribute__((always_inline)) void ht_step1_quads(ht_lane *lanes, ht_step *s, const int n,
                                                                 int32_t q0, int32_t q1, int32_t y,
                                                                 const bool first_row)
{
    const int32_t wide = (lanes[0].block->width + 1) / 2, pairs = (wide + 1) / 2;
    const int32_t at = 16 + y * (wide + 1), u_at = y * pairs;
    int32_t q = q0;

    for (int k = 0; k < n; k++)
        s[k].mel = ht_peek(lanes[k].mel, lanes[k].mel_at) << HT_MEL_SHIFT | (uint64_t)1 << 63;
    for (; q + 1 < q1; q += 2)
#pragma GCC unroll 4
        for (int k = 0; k < n; k++)
            ht_pair(&lanes[k], &s[k], lanes[k].above + q, lanes[k].quads + at + q, lanes[k].us + u_at + q / 2,
                    first_row, false);
    for (int k = 0; k < n; k++) {
        if (q < q1)
            ht_pair(&lanes[k], &s[k], lanes[k].above + q, lanes[k].quads + at + q, lanes[k].us + u_at + q / 2,
                    first_row, true);
        lanes[k].mel_at += __builtin_clzll(s[k].mel);
    }
}

/* What a row of quads says of the contexts below, T.814 equation 2. */
static inline void ht_contexts_below(ht_lane *l, int32_t y, int32_t wide)
{
    uint32_t *const e = l->quads + 16 + y * (wide + 1);

    e[wide] = 0;
    for (int32_t q = 0; q < wide; q++)
        l->above[q] = (e[q] >> 8 & 0xA00) | (e[q - 1] >> 10 & 0x200) | (e[q + 1] >> 6 & 0x800);
}

/* Step 1 of n blocks of one size. */
static inline __attribute__((always_inline)) void ht_step1(ht_lane *lanes, const int n)
{
    const mtm_block *const b = lanes[0].block;
    const int32_t wide = (b->width + 1) / 2, high = (b->height + 1) / 2;
    ht_step s[HT_LANES];

    for (int32_t y = 0; y < high; y++) {
        for (int k = 0; k < n; k++)
            s[k].left = 0;
        for (int32_t q = 0; q < wide; q += 32) {
            const int32_t end = q + 32 < wide ? q + 32 : wide;

            if (y == 0)
                ht_step1_quads(lanes, s, n, q, end, y, true);
            else
                ht_step1_quads(lanes, s, n, q, end, y, false);
        }
        for (int k = 0; k < n; k++)
            ht_contexts_below(&lanes[k], y, wide);
    }
}

/* ---- batches ------------------------------------------------------------------------------------------------ */

/* Whether a block is for the vector decoders: one cleanup pass, and lanes of 16 or 32 bits. */
static inline bool ht_block_suits(const mtm_block *b)
{
    return b->n_passes == 1 && b->n_segments > 0 && b->type != MTM_COEF_I64 && b->type != MTM_COEF_V2 &&
           b->plane <= 14 && b->segments[0].size_bytes <= HT_MAGSGN_BYTES;
}

/* Up to HT_LANES blocks of the size of the first of `todo` (a bit for each of blocks[0 … 63]); gives them, and takes them
 * out of todo. */
static inline int ht_gather(mtm_block *blocks, uint64_t *todo, mtm_block *found[HT_LANES])
{
    int n = 0;

    for (uint64_t rest = *todo; rest && n < HT_LANES; rest &= rest - 1) {
        const int i = __builtin_ctzll(rest);
        mtm_block *const b = &blocks[i];

        if (n && (b->width != found[0]->width || b->height != found[0]->height))
            continue;
        found[n++] = b;
        *todo &= ~((uint64_t)1 << i);
    }
    return n;
}

static void ht_lockstep(ht_lane *lanes, int n)
{
    int done = 0;

    for (; n - done >= 4; done += 4)
        ht_step1(lanes + done, 4);
    if (n - done >= 2)
        ht_step1(lanes + done, 2), done += 2;
    if (n - done == 1)
        ht_step1(lanes + done, 1);
}

/* Decodes any blocks: those that suit by lanes, the others, and those that `finish` refuses, by the reference. */
static inline void ht_decode_batches(ht_work *w, mtm_block *blocks, int32_t n,
                                     bool (*finish)(ht_work *w, const ht_lane *l))
{
    for (int32_t base = 0; base < n; base += 64) {
        uint64_t todo = 0;

        for (int32_t i = base; i < n && i < base + 64; i++)
            if (ht_block_suits(&blocks[i]))
                todo |= (uint64_t)1 << (i - base);
            else
                mtm_ht_decode_one_c(&blocks[i], w->reference);
        while (todo) {
            mtm_block *found[HT_LANES];
            const int n_found = ht_gather(blocks + base, &todo, found);
            int n_lanes = 0;

            for (int i = 0; i < n_found; i++)
                if (ht_lane_open(&w->lanes[n_lanes], found[i]))
                    n_lanes++;
                else
                    mtm_ht_decode_one_c(found[i], w->reference);
            ht_lockstep(w->lanes, n_lanes);
            for (int i = 0; i < n_lanes; i++) {
                mtm_block *const b = w->lanes[i].block;

                if (w->lanes[i].vlc_at <= w->lanes[i].vlc_bits && finish(w, &w->lanes[i]))
                    b->status = MTM_BLOCK_OK;
                else
                    mtm_ht_decode_one_c(b, w->reference);
            }
        }
    }
}

#endif
