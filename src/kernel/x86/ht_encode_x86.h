/* kernel/x86/ht_encode_x86.h: what the HT block encoders for x86 share: bit-streams that take whole words. A variant
 * computes 32 quads at a time into an ht_chunk, and these write it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_HT_ENCODE_X86_H
#define MTM_KERNEL_X86_HT_ENCODE_X86_H

#include <immintrin.h>
#include <string.h>

#include "kernel/ht_encode.h"
#include "kernel/ht_tables.h"

enum { HT_CHUNK_QUADS = 32, HT_CHUNK_COLUMNS = 64, HT_WORD_BITS = 56 /* that fit behind 7 others */ };

/* Bits of the two streams for some quads of a row. A MagSgn word holds half a quad, one, two or four; it comes after
 * those of its group to its left and those of all groups above: magsgn[0][0], magsgn[1][0], …, magsgn[0][1], … */
typedef struct ht_chunk {
    _Alignas(64) uint64_t magsgn[4][16]; /* [word of the group][group]; bits above its number do not matter */
    uint64_t magsgn_bits[4][16];
    uint64_t vlc[8], vlc_bits[8];    /* of 4 quads */
    int magsgn_groups, magsgn_words; /* words of a group: 1, 2, 4 */
    int n_vlc;
    bool magsgn_long; /* some words have more than HT_WORD_BITS */
} ht_chunk;

/* MagSgn bytes go up; acc holds n < 8 bits that are no byte yet, which takes only 7 after a byte 0xFF. Then acc has
 * HT_AFTER_FF too, which makes the next word look as if it had a byte 0xFF itself. */
#define HT_AFTER_FF ((uint64_t)0xFF << 56)
typedef struct ht_forward {
    uint8_t *at;
    uint64_t acc;
    unsigned n;
} ht_forward;

/* VLC bytes go down. */
typedef struct ht_backward {
    uint8_t *at;
    uint64_t acc;
    unsigned n;
} ht_backward;

/* MEL symbols in order, coded when all are known. */
typedef struct ht_symbols {
    uint64_t bits[32]; /* 1230 quads and 256 pairs at most; zeros beyond n */
    unsigned n;
} ht_symbols;

typedef struct ht_encoder {
    ht_forward magsgn;
    ht_backward vlc;
    ht_symbols mel;
    ht_chunk chunks[2];
    ht_chunk *chunk, *before; /* being filled; the one before, which is written meanwhile */
    bool some;                /* coefficients are not 0 */
    int most;                 /* magnitude */
    /* What the row above leaves for each quad: 2µ − 1 of its lower left or'ed with its left neighbour's lower right. */
    union {
        _Alignas(64) uint16_t u16[MTM_BLOCK_MAX_SIDE / 2 + 2 * HT_CHUNK_QUADS];
        uint32_t u32[MTM_BLOCK_MAX_SIDE / 2 + 2 * HT_CHUNK_QUADS];
    } above;
} ht_encoder;

/* ---- MagSgn ------------------------------------------------------------------------------------------- */

static inline bool ht_after_ff(const ht_forward *w)
{
    return w->acc >> 56 == 0xFF;
}

/* Byte by byte, as a byte 0xFF is among them or just before. By value, so that the callers' stay in registers. */
__attribute__((noinline, cold)) static ht_forward ht_forward_stuffed(ht_forward w, uint64_t word,
                                                                     unsigned bits)
{
    uint64_t acc = _bzhi_u64(w.acc, w.n) | _bzhi_u64(word, bits) << w.n;
    unsigned room = ht_after_ff(&w) ? 7 : 8;

    for (w.n += bits; w.n >= room;) {
        const uint8_t byte = (uint8_t)_bzhi_u64(acc, room);

        *w.at++ = byte;
        acc >>= room, w.n -= room;
        room = byte == 0xFF ? 7 : 8;
    }
    w.acc = room == 7 ? acc | HT_AFTER_FF : acc;
    return w;
}

/* bits ≤ HT_WORD_BITS. Writes 8 bytes. */
static inline __attribute__((always_inline)) void ht_put_magsgn(ht_forward *w, uint64_t word, unsigned bits)
{
    const uint64_t acc = w->acc | _bzhi_u64(word, bits) << w->n;
    const unsigned n = w->n + bits;

    if (__builtin_expect(((~acc - 0x0101010101010101) & acc & 0x8080808080808080) != 0,
                         0)) { /* a byte 0xFF */
        *w = ht_forward_stuffed(*w, word, bits);
        return;
    }
    memcpy(w->at, &acc, 8);
    w->at += n >> 3;
    w->acc = acc >> (n & 56);
    w->n = n & 7;
}

/* n words per group. */
static inline __attribute__((always_inline)) void ht_put_groups(ht_forward *to, const ht_chunk *c, int n)
{
    ht_forward w = *to;

    for (int group = 0; group < c->magsgn_groups; group++)
#pragma GCC unroll 4
        for (int i = 0; i < n; i++)
            ht_put_magsgn(&w, c->magsgn[i][group], (unsigned)c->magsgn_bits[i][group]);
    *to = w;
}

static inline void ht_put_long(ht_forward *w, const ht_chunk *c)
{
    for (int i = 0; i < c->magsgn_words * c->magsgn_groups; i++) {
        const uint64_t word = c->magsgn[i % c->magsgn_words][i / c->magsgn_words];
        const unsigned bits = (unsigned)c->magsgn_bits[i % c->magsgn_words][i / c->magsgn_words];
        const unsigned low = bits < 32 ? bits : 32;

        ht_put_magsgn(w, word, low);
        ht_put_magsgn(w, word >> 32, bits - low);
    }
}

static inline void ht_put_chunk_magsgn(ht_forward *w, const ht_chunk *c)
{
    if (__builtin_expect(c->magsgn_long, 0))
        ht_put_long(w, c);
    else if (c->magsgn_words == 1)
        ht_put_groups(w, c, 1);
    else if (c->magsgn_words == 2)
        ht_put_groups(w, c, 2);
    else
        ht_put_groups(w, c, 4);
}

/* Returns the end of the bytes. As in the reference, end_magsgn. */
static inline uint8_t *ht_end_magsgn(ht_forward *w)
{
    if (!w->n)
        return ht_after_ff(w) ? w->at - 1 : w->at;
    const unsigned byte = ((unsigned)w->acc | 0xFFu << w->n) & (ht_after_ff(w) ? 0x7F : 0xFF);
    if (byte != 0xFF)
        *w->at++ = (uint8_t)byte;
    return w->at;
}

/* ---- VLC ---------------------------------------------------------------------------------------------- */

/* Byte by byte, as seven 1 bits are where a byte begins. */
__attribute__((noinline, cold)) static ht_backward ht_backward_stuffed(ht_backward w)
{
    for (bool after_8f = w.at[1] > 0x8F;; after_8f = w.at[1] > 0x8F) {
        const unsigned room = after_8f && w.n >= 7 && (w.acc & 0x7F) == 0x7F ? 7 : 8;

        if (w.n < room)
            return w;
        *w.at-- = (uint8_t)_bzhi_u64(w.acc, room);
        w.acc >>= room, w.n -= room;
    }
}

/* bits ≤ HT_WORD_BITS, zeros above. Writes 8 bytes. */
static inline __attribute__((always_inline)) void ht_put_vlc(ht_backward *w, uint64_t word, unsigned bits)
{
    w->acc |= word << w->n;
    w->n += bits;
    const uint64_t sevens = 0x7F7F7F7F7F7F7F7F;
    const uint64_t missing = (~w->acc & sevens) + sevens; /* 0x80 in a byte without seven 1 bits */
    if (__builtin_expect((~missing & ~sevens) != 0, 0)) {
        *w = ht_backward_stuffed(*w);
        return;
    }
    const uint64_t bytes = __builtin_bswap64(w->acc);
    memcpy(w->at - 7, &bytes, 8);
    w->at -= w->n >> 3;
    w->acc >>= w->n & 56;
    w->n &= 7;
}

static inline __attribute__((always_inline)) void ht_put_chunk_vlc(ht_backward *to, const ht_chunk *c)
{
    ht_backward w = *to;

    for (int i = 0; i < c->n_vlc; i++) {
        unsigned bits = (unsigned)c->vlc_bits[i];
        uint64_t word = c->vlc[i];

        if (__builtin_expect(bits > HT_WORD_BITS, 0)) {
            ht_put_vlc(&w, word & 0xFFFFFFFF, 32);
            word >>= 32, bits -= 32;
        }
        ht_put_vlc(&w, word, bits);
    }
    *to = w;
}

/* ---- MEL ---------------------------------------------------------------------------------------------- */

/* n ≤ 64 symbols, the first in bit 0. */
static inline void ht_put_symbols(ht_symbols *s, uint64_t symbols, unsigned n)
{
    const unsigned at = s->n >> 6, shift = s->n & 63;

    s->bits[at] |= symbols << shift;
    if (shift + n >= 64)
        s->bits[at + 1] = shift ? symbols >> (64 - shift) : 0;
    s->n += n;
}

/* The symbols of a row's next quads, 32 or fewer: whether those without significant neighbours (`alone`) are significant
 * (`some`), and, in the first row, whether both u of a pair are great where both are not 0 (T.814 7.3.3, 7.3.6). */
static inline void ht_put_row_symbols(ht_symbols *s, bool first, uint32_t alone, uint32_t some,
                                      uint32_t has_u, uint32_t great_u)
{
    const uint32_t even = 0x55555555;

    if (first) {
        const uint64_t slot = 0x0000249249249249; /* every third bit: 16 pairs */
        const uint64_t there = _pdep_u64(_pext_u32(alone, even), slot) |
                               _pdep_u64(_pext_u32(alone, ~even), slot << 1) |
                               _pdep_u64(_pext_u32(has_u & has_u >> 1, even), slot << 2);
        const uint64_t value = _pdep_u64(_pext_u32(some, even), slot) |
                               _pdep_u64(_pext_u32(some, ~even), slot << 1) |
                               _pdep_u64(_pext_u32(great_u & great_u >> 1, even), slot << 2);

        ht_put_symbols(s, _pext_u64(value, there), (unsigned)_mm_popcnt_u64(there));
    } else if (alone) {
        ht_put_symbols(s, _pext_u32(some, alone), (unsigned)_mm_popcnt_u32(alone));
    }
}

/* Bits from the most significant down. */
typedef struct ht_mel {
    uint8_t *at;
    unsigned acc, n, room; /* n bits in acc; the byte takes room */
} ht_mel;

static inline void ht_put_mel(ht_mel *w, unsigned bits, unsigned n)
{
    w->acc = w->acc << n | bits, w->n += n;
    while (w->n >= w->room) {
        const unsigned byte = w->acc >> (w->n -= w->room);

        *w->at++ = (uint8_t)byte;
        w->acc = _bzhi_u32(w->acc, w->n);
        w->room = byte == 0xFF ? 7 : 8;
    }
}

/* Codes all symbols (T.814 7.3.3). */
static inline void ht_code_symbols(ht_mel *w, const ht_symbols *s)
{
    unsigned state = 0, left = s->n; /* symbols left */
    uint64_t word = s->bits[0];
    unsigned in_word = 64, at = 0, run = 0;

    while (left) {
        unsigned zeros = word ? (unsigned)_tzcnt_u64(word) : in_word;
        const bool one = zeros < in_word && zeros < left;

        zeros = zeros < in_word ? zeros : in_word;
        zeros = zeros < left ? zeros : left;
        left -= zeros + one, in_word -= zeros + one;
        word = zeros + one < 64 ? word >> (zeros + one) : 0;
        for (run += zeros; run >= 1u << mtm_ht_mel_exponent[state]; state += state < 12) {
            run -= 1u << mtm_ht_mel_exponent[state];
            ht_put_mel(w, 1, 1);
        }
        if (one) {
            ht_put_mel(w, run, 1 + mtm_ht_mel_exponent[state]); /* a 0, then the run that it ends */
            state -= state > 0, run = 0;
        }
        if (!in_word)
            word = s->bits[++at], in_word = 64;
    }
    if (run)
        ht_put_mel(w, 1, 1);
}

/* ---- the block ---------------------------------------------------------------------------------------- */

/* most: the greatest magnitude that fits the lanes. */
static inline void ht_encoder_begin(ht_encoder *k, mtm_block_input *b, uint8_t *vlc_end, int most)
{
    k->magsgn = (ht_forward){.at = b->out};
    vlc_end[-1] = 0xFF;
    k->vlc = (ht_backward){.at = vlc_end - 2, .acc = 0xF, .n = 4}; /* T.814 7.1.4 */
    k->mel.n = 0, k->mel.bits[0] = 0;
    k->chunk = &k->chunks[0], k->before = &k->chunks[1];
    k->before->n_vlc = k->before->magsgn_groups = 0, k->before->magsgn_words = 1,
    k->before->magsgn_long = false;
    k->some = false;
    k->most = b->n_planes < 31 && (1 << b->n_planes) - 1 < most ? (1 << b->n_planes) - 1 : most;
}

/* Two lines that come next; strides are too great for the processor to guess them. */
static inline void ht_prefetch_lines(const void *line, ptrdiff_t stride_bytes, int32_t bytes)
{
    for (int32_t i = 0; i < bytes; i += 64) {
        _mm_prefetch((const char *)line + i, _MM_HINT_T0);
        _mm_prefetch((const char *)line + stride_bytes + i, _MM_HINT_T0);
    }
}

/* The chunk is filled: it is the next to be written. A variant fills one while it writes the one before, since the first
 * keeps the vector units busy and the second the others. */
static inline void ht_next_chunk(ht_encoder *k)
{
    ht_chunk *const filled = k->chunk;

    k->chunk = k->before, k->before = filled;
}

static inline void ht_encoder_end(ht_encoder *k, mtm_block_input *b, uint8_t *mel_bytes, uint8_t *vlc_end)
{
    ht_mel mel = {.at = mel_bytes, .room = 8};

    if (!k->some) {
        mtm_ht_no_block(b, MTM_BLOCK_OK);
        return;
    }
    ht_put_chunk_vlc(&k->vlc, k->before);
    ht_put_chunk_magsgn(&k->magsgn, k->before);
    ht_code_symbols(&mel, &k->mel);
    mtm_ht_tail t = {.mel = mel_bytes,
                     .mel_at = mel.at,
                     .mel_byte = (int)(mel.acc << (mel.room - mel.n)),
                     .mel_free = (int)(mel.room - mel.n),
                     .vlc_end = vlc_end,
                     .vlc_at = k->vlc.at,
                     .vlc_byte = (int)k->vlc.acc,
                     .vlc_used = (int)k->vlc.n};
    mtm_ht_finish(b, ht_end_magsgn(&k->magsgn), &t);
}

#endif
