/* kernel/x86/ht_decode_x86.h: what the vector HT decoders share: the streams without their stuffed bits, and step 1, the
 * serial part of the cleanup pass (significances and u of every quad), for several blocks of one size in lockstep.
 *
 * A stream is unstuffed once into a flat buffer; a fetch is then a load at a bit position. Step 1 of one block is a chain
 * of table look-ups (about 40 cycles for a pair of quads, whose 55 instructions take 13), hence the lockstep.
 *
 * Cycles per sample on Zen 4, lossless CT at 5.6 bits (AVX-512): step 1 1.9, step 2 with MagSgn's unstuffing 1.1, VLC's
 * unstuffing and the rest 0.2; ultrasound at 1.5 bits: 2.4 in all. AVX2 needs 1.5 more in step 2.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_DECODE_X86_H
#define MTM_KERNEL_HT_DECODE_X86_H

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "ht_refine_x86.h"

enum {
    HT_SEGMENT = 32,     /* quads */
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

/* The MEL stream, T.814 7.1.3 and 7.3.3. */
typedef struct ht_mel {
    const uint8_t *at, *end;
    uint64_t window; /* bits from the highest down */
    int32_t bits;    /* of window */
    uint32_t last, k;
    int64_t made; /* symbols */
} ht_mel;

/* One block in lockstep. */
typedef struct ht_lane {
    mtm_block *block;
    int64_t vlc_bits;       /* that there are */
    int64_t vlc_at, mel_at; /* positions in bits */
    ht_mel mel_reader;
    uint32_t pcup;                                     /* bytes of MagSgn */
    uint8_t vlc[HT_VLC_BYTES], mel[HT_MEL_BYTES];      /* mel: symbols, one bit each */
    uint32_t quads[16 + HT_ENTRIES], us[HT_MAX_PAIRS]; /* results: [row][quad], from [16]; [row][pair] */
    uint32_t above[HT_SEGMENT]; /* what the row above says of the contexts of some quads */
} ht_lane;

typedef struct ht_work {
    ht_lane lanes[HT_LANES];
    uint8_t magsgn[HT_LANES][HT_MAGSGN_BYTES + HT_PAD];
    int64_t magsgn_bits[HT_LANES]; /* that there are, without the ones after them; −1: corrupt */
    uint16_t below[HT_LANES][2]
                  [HT_PAD / 2 + MTM_BLOCK_MAX_SIDE + HT_PAD / 2]; /* of the rows of quads, by column */
    uint32_t wide_below[2][HT_PAD / 2 + MTM_BLOCK_MAX_SIDE + HT_PAD / 2]; /* for 32-bit lanes */
    ht_refine refine[HT_LANES];
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

/* At least 12 bits into an ht_mel's window; the byte before the last one ends in ones, and ones follow. */
static inline void ht_mel_fill(ht_mel *m)
{
    while (m->bits <= 56 - 8) {
        const uint32_t size = m->last == 0xFF ? 7 : 8;

        m->last = m->at < m->end - 2 ? *m->at : m->at == m->end - 2 ? *m->at | 0x0Fu : 0xFFu;
        m->at += m->at < m->end;
        m->window |= (uint64_t)(m->last & (0xFFu >> (8 - size))) << (64 - m->bits - (int32_t)size);
        m->bits += (int32_t)size;
    }
}

/* Makes symbols, one bit each, until there are n. Where MEL ends and VLC begins is not known, so that it is made no
 * sooner than needed. */
static inline void ht_mel_make(uint8_t *out, ht_mel *mel, int64_t n)
{
    ht_mel m = *mel;

    while (m.made < n) {
        if (m.bits < 16)
            ht_mel_fill(&m);
        const uint32_t exponent = mtm_ht_mel_exponent[m.k], full = m.window >> 63;
        const uint32_t part = (uint32_t)(m.window << 1 >> 1 >> (63 - exponent)),
                       size = full ? 1 : exponent + 1;

        m.made += full ? 1u << exponent : part;
        out[m.made >> 3] |= (uint8_t)((full ^ 1) << (m.made & 7));
        m.made += full ^ 1;
        m.k = full ? m.k + (m.k < 12) : m.k - (m.k > 0);
        m.window <<= size, m.bits -= (int32_t)size;
    }
    *mel = m;
}

/* Bits from position `at`: at least 57. */
static inline uint64_t ht_peek(const uint8_t *flat, uint64_t at)
{
    uint64_t w;

    memcpy(&w, flat + (at >> 3), sizeof w);
    return w >> (at & 7);
}

/* Cuts and unstuffs VLC and MEL of a block. False: CORRUPT. */
static inline bool ht_lane_open(ht_lane *l, mtm_block *b)
{
    const uint32_t lcup = b->segments[0].size_bytes;
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
    memset(l->mel, 0, sizeof l->mel);
    l->mel_reader = (ht_mel){.at = d + l->pcup, .end = d + lcup};
    l->vlc_at = l->mel_at = 0;
    memset(l->above, 0, sizeof l->above);
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

enum { HT_MEL_NEXT = 8 << MTM_HT_VLC_CONTEXT_SHIFT };

/* Where a pair of quads is in the lanes: one register for each array of all of them. */
typedef struct ht_cursor {
    uint8_t *base, *quads, *us, *above; /* of the first lane */
    const uint8_t *tables;
} ht_cursor;

static inline uint32_t ht_load(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

/* One quad after the entry `left`: its entry. mel: the next symbol is bit 12, where the table wants it. */
static inline __attribute__((always_inline)) uint32_t ht_quad(uint64_t *mel, uint64_t *w, uint32_t left,
                                                              const uint8_t *above, const uint8_t *table)
{
    const uint32_t context = (left & MTM_HT_VLC_CONTEXT) | ht_load(above) | (*mel & HT_MEL_NEXT);
    const uint32_t entry = ht_load(table + 4 * (*w & 0x7F) + context);

    *w >>= entry & MTM_HT_VLC_LENGTH;
    *mel >>= (entry >> MTM_HT_VLC_MEL_SHIFT | entry << (32 - MTM_HT_VLC_MEL_SHIFT)) & 0x3F; /* rorx */
    return entry;
}

/* A pair of quads, or the last single one. */
static inline __attribute__((always_inline)) void ht_pair(uint64_t *at, uint64_t *mel, const ht_cursor *c,
                                                          size_t lane, bool first_row, bool single)
{
    const uint8_t *const table = c->tables + (first_row ? 0 : sizeof mtm_ht_decode_tables.vlc[0]);
    uint64_t w = ht_peek(c->base + lane + offsetof(ht_lane, vlc), *at);
    const uint32_t first = ht_quad(mel, &w, ht_load(c->quads + lane - 4), c->above + lane, table);
    const uint32_t second = single ? 0 : ht_quad(mel, &w, first, c->above + lane + 4, table);
    uint32_t mode = (first + 2 * second) & 3 * MTM_HT_VLC_U_OFF;

    memcpy(c->quads + lane, &first, 4);
    __asm__("" ::: "memory"); /* two stores: to join them takes longer */
    memcpy(c->quads + lane + 4, &second, 4);
    if (first_row && mode == 3 * MTM_HT_VLC_U_OFF) {
        mode = MTM_HT_VLC_U_OFF * (MTM_HT_U_FIRST_ROW + (*mel / HT_MEL_NEXT & 1));
        *mel >>= 1;
    }
    uint32_t u = ht_load(c->tables + 1024 / MTM_HT_VLC_U_OFF * (size_t)mode + 4 * (w & 0xFF) +
                         offsetof(struct mtm_ht_decode_tables, u));

    if (__builtin_expect((u & MTM_HT_U_MORE) != 0, 0))
        u = ht_u_long(w, mode / MTM_HT_VLC_U_OFF);
    memcpy(c->us + lane, &u, 4);
    *at += (first + second + u) & 0x3F;
}

/* What the row above says of the contexts of HT_SEGMENT quads, T.814 equation 2; e: the entry above the first of them. */
static inline void ht_contexts(uint32_t *above, const uint32_t *e)
{
    for (int32_t q = 0; q < HT_SEGMENT; q++)
        above[q] = (e[q] >> 11 & 0xA00) | (e[q - 1] >> 13 & 0x200) | (e[q + 1] >> 9 & 0x800);
}

/* Quads [q0, q1) of row y of n blocks, at most HT_SEGMENT: they take no more than 48 MEL symbols. What the row above says of
 * the contexts is worked out just before, when its entries have left the store queue. */
static inline __attribute__((always_inline)) void ht_step1_quads(ht_lane *lanes, const int n, int32_t q0,
                                                                 int32_t q1, int32_t y, const bool first_row)
{
    const int32_t wide = (lanes[0].block->width + 1) / 2, pairs = (wide + 1) / 2;
    ht_cursor c = {(uint8_t *)lanes, (uint8_t *)(lanes[0].quads + 16 + y * (wide + 1) + q0),
                   (uint8_t *)(lanes[0].us + y * pairs + q0 / 2), (uint8_t *)lanes[0].above,
                   (const uint8_t *)&mtm_ht_decode_tables};
    uint64_t mel[HT_LANES]; /* bit 63 counts the symbols */
    uint64_t at[HT_LANES];
    int32_t q = q0;

    for (int k = 0; k < n; k++) {
        ht_lane *const l = &lanes[k];

        ht_mel_make(l->mel, &l->mel_reader, l->mel_at + 48);
        mel[k] = ht_peek(l->mel, (uint64_t)l->mel_at) * HT_MEL_NEXT | (uint64_t)1 << 63;
        at[k] = (uint64_t)l->vlc_at;
    }
    for (int k = 0; k < n && !first_row; k++)
        ht_contexts(lanes[k].above, lanes[k].quads + 16 + (y - 1) * (wide + 1) + q0);
    for (; q + 1 < q1; q += 2) {
        __asm__(""
                : "+r"(c.base), "+r"(c.quads), "+r"(c.us), "+r"(c.above),
                  "+r"(c.tables)); /* keeps one of each */
#pragma GCC unroll 4
        for (int k = 0; k < n; k++)
            ht_pair(&at[k], &mel[k], &c, (size_t)k * sizeof *lanes, first_row, false);
        c.quads += 8, c.above += 8, c.us += 4;
    }
    for (int k = 0; k < n; k++) {
        if (q < q1)
            ht_pair(&at[k], &mel[k], &c, (size_t)k * sizeof *lanes, first_row, true);
        lanes[k].vlc_at = (int64_t)at[k], lanes[k].mel_at += __builtin_clzll(mel[k]);
    }
}

/* Step 1 of n blocks of one size. */
static inline __attribute__((always_inline)) void ht_step1(ht_lane *lanes, const int n)
{
    const mtm_block *const b = lanes[0].block;
    const int32_t wide = (b->width + 1) / 2, high = (b->height + 1) / 2;

    for (int32_t y = 0; y < high; y++) {
        for (int32_t q = 0; q < wide; q += HT_SEGMENT) {
            const int32_t end = q + HT_SEGMENT < wide ? q + HT_SEGMENT : wide;

            if (y == 0)
                ht_step1_quads(lanes, n, q, end, y, true);
            else
                ht_step1_quads(lanes, n, q, end, y, false);
        }
        for (int k = 0; k < n; k++)
            lanes[k].quads[16 + y * (wide + 1) + wide] = 0;
    }
}

/* ---- batches ------------------------------------------------------------------------------------------------ */

/* Whether a block of one cleanup pass is for the vector decoders: lanes of 16 or 32 bits. */
static inline bool ht_suits_lanes(const mtm_block *b)
{
    return b->n_passes == 1 && b->n_segments > 0 && b->type != MTM_COEF_I64 && b->type != MTM_COEF_V2 &&
           b->plane <= 14 && b->segments[0].size_bytes <= HT_MAGSGN_BYTES;
}

/* The same of one of several passes: its magnitudes fit int32. */
static inline bool ht_suits_refine(const mtm_block *b)
{
    return b->n_passes > 1 && b->n_segments > 0 && mtm_ht_block_valid(b) && b->n_planes <= 30 &&
           b->segments[0].size_bytes <= HT_MAGSGN_BYTES;
}

static inline bool ht_alike(const mtm_block *a, const mtm_block *b)
{
    return a->width == b->width && a->height == b->height && a->type == b->type && a->plane == b->plane;
}

/* Some blocks like the first of `todo` (a bit for each of blocks[0 … 63]); gives them, and takes them out of todo. Five are
 * three and two: a block alone is slow. */
static inline int ht_gather(mtm_block *blocks, uint64_t *todo, mtm_block *found[HT_LANES])
{
    const mtm_block *const first = &blocks[__builtin_ctzll(*todo)];
    uint64_t alike = 0;
    int n = 0;

    for (uint64_t rest = *todo; rest; rest &= rest - 1)
        if (ht_alike(&blocks[__builtin_ctzll(rest)], first))
            alike |= rest & -rest;
    const int all = __builtin_popcountll(alike), groups = (all + HT_LANES - 1) / HT_LANES;

    for (; n < (all + groups - 1) / groups; alike &= alike - 1) {
        found[n++] = &blocks[__builtin_ctzll(alike)];
        *todo &= ~(alike & -alike);
    }
    return n;
}

static void ht_lockstep(ht_lane *lanes, int n)
{
    switch (n) {
    case 1: ht_step1(lanes, 1); break;
    case 2: ht_step1(lanes, 2); break;
    case 3: ht_step1(lanes, 3); break;
    default: ht_step1(lanes, HT_LANES);
    }
}

/* Decodes blocks that are alike. finish: step 2 of n lanes; not done: for the reference. */
static inline void ht_decode_alike(ht_work *w, mtm_block **blocks, int n,
                                   void (*finish)(ht_work *w, int n, bool *done))
{
    bool done[HT_LANES] = {false};
    int n_lanes = 0;

    for (int i = 0; i < n; i++)
        if (ht_lane_open(&w->lanes[n_lanes], blocks[i]))
            n_lanes++;
        else
            mtm_ht_decode_one_c(blocks[i], w->reference);
    if (n_lanes == 0)
        return;
    ht_lockstep(w->lanes, n_lanes);
    finish(w, n_lanes, done);
    for (int i = 0; i < n_lanes; i++) {
        mtm_block *const b = w->lanes[i].block;

        if (done[i] && w->lanes[i].vlc_at <= w->lanes[i].vlc_bits)
            b->status = MTM_BLOCK_OK;
        else
            mtm_ht_decode_one_c(b, w->reference);
    }
}

/* The same for blocks of several passes. */
static inline void ht_decode_refined(ht_work *w, mtm_block **blocks, int n,
                                     void (*finish)(ht_work *w, int n, bool *done))
{
    mtm_block cleanup[HT_LANES], *alike[HT_LANES];

    for (int i = 0; i < n; i++) {
        cleanup[i] = ht_refine_cleanup(&w->refine[i], blocks[i]);
        alike[i] = &cleanup[i];
    }
    ht_decode_alike(w, alike, n, finish);
    for (int i = 0; i < n; i++) {
        if (cleanup[i].status == MTM_BLOCK_OK && ht_refine_finish(&w->refine[i], blocks[i]))
            blocks[i]->status = MTM_BLOCK_OK;
        else
            mtm_ht_decode_one_c(blocks[i], w->reference);
    }
}

/* Decodes any blocks: those that suit in lanes, the others, and those that the lanes refuse, by the reference. */
static inline void ht_decode_batches(ht_work *w, mtm_block *blocks, int32_t n,
                                     void (*finish)(ht_work *w, int n, bool *done))
{
    for (int32_t base = 0; base < n; base += 64) {
        uint64_t todo = 0, refined = 0;

        for (int32_t i = base; i < n && i < base + 64; i++)
            if (ht_suits_lanes(&blocks[i]))
                todo |= (uint64_t)1 << (i - base);
            else if (ht_suits_refine(&blocks[i]))
                refined |= (uint64_t)1 << (i - base);
            else
                mtm_ht_decode_one_c(&blocks[i], w->reference);
        for (mtm_block *found[HT_LANES]; todo;)
            ht_decode_alike(w, found, ht_gather(blocks + base, &todo, found), finish);
        for (mtm_block *found[HT_LANES]; refined;)
            ht_decode_refined(w, found, ht_gather(blocks + base, &refined, found), finish);
    }
}

#endif
