/* codec/jpeg/huffman.h: Huffman decoding of one restart interval. The interval's bytes are first copied without their stuffing, zeros
 * behind them, so that taking bits never looks for 0xFF; running over the end is noticed afterwards, at most JPEG_RUN bytes later.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEG_HUFFMAN_H
#define MTM_JPEG_HUFFMAN_H

#include "marker.h"

enum {
    JPEG_RUN = 1024,          /* bytes that may be taken between two calls of jpeg_bits_over */
    JPEG_PAD = JPEG_RUN + 64, /* zeros behind an interval */
    JPEG_LOOK = 12,           /* bits that the first look-up sees */
    JPEG_LONGEST = 16 + 16    /* bits of a code and what follows it */
};

/* ---- bits ---------------------------------------------------------------------------------------------- */

/* The bits not taken yet are the upper `count` ones of buf, and what is behind p; below them lie bits that are there twice. */
typedef struct jpeg_bits {
    uint64_t buf;
    uint32_t count;
    const uint8_t *p;
    const uint8_t *start, *end; /* of the clean bytes */
    size_t from;                /* of the interval in the stream, for messages */
    bool bad;                   /* met bits that are no code */
} jpeg_bits;

/* The entropy-coded bytes from s->at to the next marker, without stuffing, into `clean`, which has room for all of the stream and
 * JPEG_PAD more. s->at is then at that marker. */
void jpeg_bits_begin(jpeg_bits *b, jpeg_stream *s, uint8_t *clean);
/* The byte of the stream where b stands. */
int64_t jpeg_bits_offset(const jpeg_bits *b, const jpeg_stream *s);

static inline uint64_t jpeg_be64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

/* At least 56 bits. */
static inline void jpeg_bits_fill(jpeg_bits *b)
{
    b->buf |= jpeg_be64(b->p) >> b->count;
    b->p += (63 - b->count) >> 3;
    b->count |= 56;
}

/* n ≤ 63. */
static inline void jpeg_bits_drop(jpeg_bits *b, uint32_t n)
{
    b->buf <<= n, b->count -= n;
}

/* n ≤ 16 bits, of those that are there. */
static inline uint32_t jpeg_bits_take(jpeg_bits *b, uint32_t n)
{
    const uint32_t x = (uint32_t)(b->buf >> 1 >> (63 - n));

    jpeg_bits_drop(b, n);
    return x;
}

/* Whether more bits were taken than there are, or something that is no code. */
static inline bool jpeg_bits_over(const jpeg_bits *b)
{
    return b->bad || (b->p > b->end && (uint64_t)(b->p - b->end) * 8 > b->count);
}

/* ---- codes --------------------------------------------------------------------------------------------- */

typedef struct jpeg_code {
    uint32_t limit[17]; /* codes of length ≤ l, left-justified in 16 bits, lie below limit[l] */
    int32_t offset[17]; /* index of a code of length l: offset + (its bits) */
    uint8_t values[256];
} jpeg_code;

/* What follows a code that the first look-up does not tell: its length, *length, and value; at most 16 bits of b are looked at. Bits that
 * are no code: −1, b->bad. */
int jpeg_code_long(const jpeg_code *c, jpeg_bits *b, uint32_t *length);

/* Codes of differences (DC, lossless): a category and as many bits (T.81 F.2.2.1, H.1.2.2). */
typedef struct jpeg_diff_code {
    uint16_t fast[1 << JPEG_LOOK]; /* bits of code and difference, bits of the code << 8; 0: the long way */
    jpeg_code code;
} jpeg_diff_code;

/* Codes of AC coefficients: a run of zeros and a category. */
typedef struct jpeg_run_code {
    uint16_t fast[1 << JPEG_LOOK]; /* run << 4 | category, bits of the code << 8; 0: the long way */
    jpeg_code code;
} jpeg_run_code;

/* `most`: greatest category. Errors: MTM_E_CORRUPT (no such table, category). */
mtm_status jpeg_diff_code_make(jpeg_diff_code *d, const jpeg_huffman *h, unsigned number, unsigned most,
                               int64_t scan_offset, mtm_error *err);
mtm_status jpeg_run_code_make(jpeg_run_code *d, const jpeg_huffman *h, unsigned number, int64_t scan_offset,
                              mtm_error *err);

/* The signed number of n ≤ 16 bits at the top of x (T.81 F.12): those that begin with 0 are negative. */
static inline int32_t jpeg_extend(uint64_t x, uint32_t n)
{
    const uint64_t neg = ~(uint64_t)((int64_t)x >> 63);

    return (int32_t)(((x ^ neg) >> 1 >> (63 - n) ^ neg) - neg);
}

/* A code that is longer than JPEG_LOOK, or category 16. Fills before and after. */
int32_t jpeg_diff_long(const jpeg_diff_code *d, jpeg_bits *b);

/* The next difference: two of them may be taken after jpeg_bits_fill. */
static inline int32_t jpeg_diff(const jpeg_diff_code *d, jpeg_bits *b)
{
    const uint32_t e = d->fast[b->buf >> (64 - JPEG_LOOK)], code = e >> 8, all = e & 255;
    int32_t diff;

    if (__builtin_expect(e == 0, 0)) {
        jpeg_bits copy = *b; /* so that only the copy has to be in memory */

        diff = jpeg_diff_long(d, &copy);
        *b = copy;
        return diff;
    }
    diff = jpeg_extend(b->buf << code, all - code);
    jpeg_bits_drop(b, all);
    return diff;
}

#endif
