/* codec/jpegls/bits.h: the coded bits of one restart interval. They are first copied without their stuffing (T.87 A.1), zeros behind them,
 * so that taking bits never looks for 0xFF; running over the end is noticed afterwards, by jls_bits_over.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEGLS_BITS_H
#define MTM_JPEGLS_BITS_H

#include "marker.h"

enum {
    JLS_BEYOND = 16,           /* bytes behind the last one that may be taken: all zero */
    JLS_PAD = JLS_BEYOND + 16, /* zeros behind an interval */
    JLS_SEE = 32               /* zeros that are counted at once */
};

/* The bits not taken yet are the upper `count` ones of buf, and what is behind p; below them lie bits that are there twice. */
typedef struct jls_bits {
    uint64_t buf;
    uint32_t count;
    uint32_t bad;            /* all values decoded, one over the other: none has more than 17 bits */
    const uint8_t *p, *last; /* last: p goes no farther */
    const uint8_t *start;
    uint64_t total; /* bits from start */
    size_t from;    /* of the interval in the stream, for messages */
} jls_bits;

/* The coded bytes from s->at to the next marker, without stuffing, into `clean`, which has room for all of the stream and JLS_PAD more.
 * s->at is then at that marker, or at the end of the data. */
void jls_bits_begin(jls_bits *b, jls_stream *s, uint8_t *clean);
/* The byte of the stream where b stands. */
int64_t jls_bits_offset(const jls_bits *b, const jls_stream *s);
/* The bits left, once the picture is whole, may fill their byte, and zero bytes may follow (NEMA's WG04 images have one). Errors:
 * MTM_E_CORRUPT. */
mtm_status jls_bits_end(const jls_bits *b, const jls_stream *s, mtm_error *err);

/* At least 56 bits. */
static inline __attribute__((always_inline)) void jls_bits_fill(jls_bits *b)
{
    uint64_t x;

    memcpy(&x, b->p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    b->buf |= x >> b->count;
    b->p += (63 - b->count) >> 3;
    b->count |= 56;
    if (__builtin_expect(b->p > b->last, 0))
        b->p = b->last;
}

/* n ≤ 63. */
static inline __attribute__((always_inline)) void jls_bits_drop(jls_bits *b, uint32_t n)
{
    b->buf <<= n, b->count -= n;
}

/* n ≤ 32 bits, of those that are there. */
static inline __attribute__((always_inline)) uint32_t jls_bits_take(jls_bits *b, uint32_t n)
{
    const uint32_t x = (uint32_t)(b->buf >> 1 >> (63 - n));

    jls_bits_drop(b, n);
    return x;
}

/* Bits taken from start; more than there are once p has come to `last`. */
static inline __attribute__((always_inline)) uint64_t jls_bits_taken(const jls_bits *b)
{
    return (uint64_t)(b->p - b->start) * 8 - b->count;
}

/* Whether more bits were taken than there are, or something that is no code. */
static inline __attribute__((always_inline)) bool jls_bits_over(const jls_bits *b)
{
    return b->bad >> 17 || jls_bits_taken(b) > b->total;
}

/* A code of many zeros: see jls_golomb. */
uint32_t jls_golomb_long(jls_bits *b, uint32_t k, uint32_t most, uint32_t escape_bits);

/* The next value of the limited Golomb code (A.5.3): k ≤ 16; most: zeros in front of a value of escape_bits bits. Below 2^22, in a sound
 * stream below 2^17. */
static inline __attribute__((always_inline)) uint32_t jls_golomb(jls_bits *b, uint32_t k, uint32_t most,
                                                                 uint32_t escape_bits)
{
    jls_bits_fill(b);
    const uint32_t zeros = (uint32_t)__builtin_clzll(b->buf | 1);
    uint32_t value;

    if (__builtin_expect(zeros >= most || zeros >= JLS_SEE, 0)) {
        jls_bits copy = *b; /* so that only the copy has to be in memory */

        value = jls_golomb_long(&copy, k, most, escape_bits);
        *b = copy;
    } else {
        b->buf <<= zeros + 1;
        value = zeros << k | (uint32_t)(b->buf >> 1 >> (63 - k));
        b->buf <<= k;
        b->count -= zeros + 1 + k;
    }
    b->bad |= value;
    return value;
}

#endif
