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

/* How many quads a word of MagSgn bits holds. */
typedef enum ht_per_word {
    HT_LONG_QUADS /* one, of up to 64 bits */,
    HT_QUADS,
    HT_PAIRS,
    HT_FOURS
} ht_per_word;

/* Bits of the two streams for up to 32 quads of a row, in groups of 4. */
typedef struct ht_chunk {
    _Alignas(
        64) uint64_t magsgn[4][8]; /* [word of the group][group]; what is above its bits does not matter */
    uint16_t magsgn_bits[8][4];    /* [group][its first quad] */
    uint64_t vlc[8], vlc_bits[8];  /* of a group */
    int n_groups;
    ht_per_word per_word;
} ht_chunk;

/* MagSgn bytes go up; acc holds n < 8 bits that are no byte yet. after_ff: that byte takes only 7. */
typedef struct ht_forward {
    uint8_t *at;
    uint64_t acc;
    unsigned n, after_ff;
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
    ht_chunk chunk;
    int n_quads; /* per row */
    bool some;   /* coefficients are not 0 */
    int most;    /* magnitude */
    _Alignas(64) uint16_t above[MTM_BLOCK_MAX_SIDE / 2 + 2 * HT_CHUNK_QUADS];
} ht_encoder;

/* ---- MagSgn ------------------------------------------------------------------------------------------- */

/* Byte by byte, as a byte 0xFF is among them or just before. */
__attribute__((noinline, cold)) static void ht_forward_stuffed(ht_forward *w)
{
    unsigned room = w->after_ff ? 7 : 8;

    while (w->n >= room) {
        const uint8_t byte = (uint8_t)_bzhi_u64(w->acc, room);

        *w->at++ = byte;
        w->acc >>= room, w->n -= room;
        room = byte == 0xFF ? 7 : 8;
    }
    w->after_ff = room == 7;
}

/* bits ≤ HT_WORD_BITS. Writes 8 bytes. */
static inline __attribute__((always_inline)) void ht_put_magsgn(ht_forward *w, uint64_t word, unsigned bits)
{
    w->acc |= _bzhi_u64(word, bits) << w->n;
    w->n += bits;
    const uint64_t ff = (~w->acc - 0x0101010101010101) & w->acc & 0x8080808080808080;
    if (__builtin_expect((ff | w->after_ff) != 0, 0)) {
        ht_forward_stuffed(w);
        return;
    }
    memcpy(w->at, &w->acc, 8);
    w->at += w->n >> 3;
    w->acc >>= w->n & 56;
    w->n &= 7;
}

/* n words per group. */
static inline __attribute__((always_inline)) void ht_put_groups(ht_forward *to, const ht_chunk *c, int n)
{
    ht_forward w = *to;

    for (int group = 0; group < c->n_groups; group++)
#pragma GCC unroll 4
        for (int i = 0; i < n; i++)
            ht_put_magsgn(&w, c->magsgn[i][group], c->magsgn_bits[group][i * 4 / n]);
    *to = w;
}

static inline void ht_put_long(ht_forward *w, const ht_chunk *c)
{
    for (int i = 0; i < 4 * c->n_groups; i++) {
        const uint64_t word = c->magsgn[i % 4][i / 4];
        const unsigned bits = c->magsgn_bits[i / 4][i % 4], low = bits < 32 ? bits : 32;

        ht_put_magsgn(w, word, low);
        ht_put_magsgn(w, word >> 32, bits - low);
    }
}

static inline void ht_put_chunk_magsgn(ht_forward *w, const ht_chunk *c)
{
    switch (c->per_word) {
    case HT_FOURS: ht_put_groups(w, c, 1); break;
    case HT_PAIRS: ht_put_groups(w, c, 2); break;
    case HT_QUADS: ht_put_groups(w, c, 4); break;
    case HT_LONG_QUADS: ht_put_long(w, c);
    }
}

/* Returns the end of the bytes. As in the reference, end_magsgn. */
static inline uint8_t *ht_end_magsgn(ht_forward *w)
{
    if (!w->n)
        return w->after_ff ? w->at - 1 : w->at;
    const unsigned byte = ((unsigned)w->acc | 0xFFu << w->n) & (w->after_ff ? 0x7F : 0xFF);
    if (byte != 0xFF)
        *w->at++ = (uint8_t)byte;
    return w->at;
}

/* ---- VLC ---------------------------------------------------------------------------------------------- */

/* Byte by byte, as seven 1 bits are where a byte begins. */
__attribute__((noinline, cold)) static void ht_backward_stuffed(ht_backward *w)
{
    bool after_8f = w->at[1] > 0x8F;

    for (;;) {
        const unsigned room = after_8f && w->n >= 7 && (w->acc & 0x7F) == 0x7F ? 7 : 8;

        if (w->n < room)
            return;
        *w->at-- = (uint8_t)_bzhi_u64(w->acc, room);
        after_8f = w->at[1] > 0x8F;
        w->acc >>= room, w->n -= room;
    }
}

/* bits ≤ HT_WORD_BITS, zeros above. Writes 8 bytes. */
static inline __attribute__((always_inline)) void ht_put_vlc(ht_backward *w, uint64_t word, unsigned bits)
{
    w->acc |= word << w->n;
    w->n += bits;
    const uint64_t sevens = 0x7F7F7F7F7F7F7F7F,
                   missing = (~w->acc & sevens) + sevens; /* 0x80 where not all are 1 */
    if (__builtin_expect((~missing & ~sevens) != 0, 0)) {
        ht_backward_stuffed(w);
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

    for (int i = 0; i < c->n_groups; i++) {
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

static inline void ht_encoder_begin(ht_encoder *k, mtm_block_input *b, uint8_t *vlc_end)
{
    k->magsgn = (ht_forward){.at = b->out};
    vlc_end[-1] = 0xFF;
    k->vlc = (ht_backward){.at = vlc_end - 2, .acc = 0xF, .n = 4}; /* T.814 7.1.4 */
    k->mel.n = 0, k->mel.bits[0] = 0;
    k->n_quads = (b->width + 1) >> 1;
    k->some = false;
    k->most = b->n_planes < 16 ? (1 << b->n_planes) - 1 : UINT16_MAX;
}

static inline void ht_encoder_end(ht_encoder *k, mtm_block_input *b, uint8_t *mel_bytes, uint8_t *vlc_end)
{
    ht_mel mel = {.at = mel_bytes, .room = 8};

    if (!k->some) {
        mtm_ht_no_block(b, MTM_BLOCK_OK);
        return;
    }
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
