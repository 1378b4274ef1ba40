/* kernel/mq.h: the MQ coder, an adaptive binary arithmetic coder (T.800 annex C), and the raw bits that may take its
 * place (T.800 D.6). The states are in mq_tables.c. Below ebcot_decode.c and ebcot_encode.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_MQ_H
#define MTM_KERNEL_MQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MTM_MQ_STATES = 94 };

/* Table C.2. State 2·index + mps, so that one byte says both. */
typedef struct mtm_mq_state {
    uint16_t qe;                /* width of the less probable symbol's interval */
    uint8_t next_mps, next_lps; /* the state after a renormalisation */
} mtm_mq_state;

extern const mtm_mq_state mtm_mq_states[MTM_MQ_STATES];

/* A segment's bits without what was stuffed in: after 0xFF a byte has seven bits of its own, and its eighth is a carry
 * into those before (MQ; C.3.4), or nothing (raw, D.6). A marker, 0xFF and more than 0x8F, ends it like its last byte:
 * from there on a decoder is fed 1s. Writes whole bytes, filled up with 1s, and reads of src all but what is past room.
 * Returns the number of bits; bytes up to MTM_MQ_PLAIN_PAD after them are scribbled on. */
enum { MTM_MQ_PLAIN_PAD = 16 };
uint32_t mtm_mq_unstuff(uint8_t *plain, size_t room, const uint8_t *src, size_t size_bytes, bool raw);

typedef struct mtm_mq_decoder {
    const uint8_t *plain;
    uint32_t at, n; /* bits */
    uint32_t a, c;  /* c: what figure C.15 calls Chigh */
} mtm_mq_decoder;

static inline uint32_t mtm_mq_plain_bit(const uint8_t *plain, uint32_t at, uint32_t n)
{
    return at < n ? plain[at / 8] >> (7 - at % 8) & 1 : 1;
}

/* INITDEC, figure C.20: fifteen bits. */
static inline void mtm_mq_decode_begin(mtm_mq_decoder *q, const uint8_t *plain, uint32_t n)
{
    *q = (mtm_mq_decoder){.plain = plain, .n = n, .a = 0x8000};
    while (q->at < 15)
        q->c = q->c << 1 | mtm_mq_plain_bit(plain, q->at++, n);
}

/* DECODE, figures C.15 … C.18. *state is the context's; returns the decision. */
static inline unsigned mtm_mq_decode(mtm_mq_decoder *q, uint8_t *state)
{
    const mtm_mq_state s = mtm_mq_states[*state];
    const unsigned mps = *state & 1;
    bool less; /* the less probable symbol */

    q->a -= s.qe;
    if (q->c >= s.qe) {
        q->c -= s.qe;
        if (q->a & 0x8000)
            return mps;
        less = q->a < s.qe;
    } else {
        less = q->a >= s.qe;
        q->a = s.qe;
    }
    *state = less ? s.next_lps : s.next_mps;
    do { /* RENORMD */
        q->a <<= 1;
        q->c = q->c << 1 | mtm_mq_plain_bit(q->plain, q->at++, q->n);
    } while (!(q->a & 0x8000));
    return mps ^ less;
}

/* Whether `taken` of n bits are too few for a segment that ended predictably: its encoder writes no more than its
 * registers hold. */
static inline bool mtm_mq_bits_left(uint32_t taken, uint32_t n)
{
    return n > taken + 24;
}

/* Writes codeword segments. `at` is the byte that a carry may still reach (B of figure C.8); before the first byte of a
 * segment it is the byte before out, whose value is kept. */
typedef struct mtm_mq_encoder {
    uint8_t *at;
    uint32_t a, c;
    int32_t ct;
} mtm_mq_encoder;

/* INITENC, figure C.10. before: the byte that the segment's first will follow; the caller keeps its value. */
static inline void mtm_mq_encode_begin(mtm_mq_encoder *q, uint8_t *before)
{
    *q = (mtm_mq_encoder){.at = before, .a = 0x8000, .ct = 12};
}

/* BYTEOUT, figure C.8: after 0xFF only seven bits, so that a carry stops there. */
static inline void mtm_mq_byte_out(mtm_mq_encoder *q)
{
    if (*q->at != 0xFF && q->c >= 0x8000000) {
        ++*q->at;
        q->c &= 0x7FFFFFF;
    }
    if (*q->at == 0xFF) {
        *++q->at = (uint8_t)(q->c >> 20);
        q->c &= 0xFFFFF, q->ct = 7;
    } else {
        *++q->at = (uint8_t)(q->c >> 19);
        q->c &= 0x7FFFF, q->ct = 8;
    }
}

/* ENCODE, figures C.3 … C.7. */
static inline void mtm_mq_encode(mtm_mq_encoder *q, uint8_t *state, unsigned d)
{
    const mtm_mq_state s = mtm_mq_states[*state];
    const unsigned less = d ^ (*state & 1);

    q->a -= s.qe;
    if (!less && q->a & 0x8000) {
        q->c += s.qe;
        return;
    }
    if ((q->a < s.qe) == less) /* the wider interval is the upper one's */
        q->c += s.qe;
    else
        q->a = s.qe;
    *state = less ? s.next_lps : s.next_mps;
    do { /* RENORME */
        q->a <<= 1, q->c <<= 1;
        if (--q->ct == 0)
            mtm_mq_byte_out(q);
    } while (!(q->a & 0x8000));
}

/* FLUSH, figures C.11 and C.12: as many 1s as the interval allows. Returns the end of the segment's bytes. */
static inline uint8_t *mtm_mq_encode_end(mtm_mq_encoder *q)
{
    const uint32_t top = q->c + q->a;

    q->c |= 0xFFFF;
    if (q->c >= top)
        q->c -= 0x8000;
    for (int i = 0; i < 2; i++) {
        q->c <<= q->ct;
        mtm_mq_byte_out(q);
    }
    return q->at + (*q->at != 0xFF);
}

/* The same for predictable termination (D.4.2): only the bits that the last decisions need. */
static inline uint8_t *mtm_mq_encode_end_predictable(mtm_mq_encoder *q)
{
    for (int32_t bits = 12 - q->ct; bits > 0; bits -= q->ct) {
        q->c <<= q->ct, q->ct = 0;
        mtm_mq_byte_out(q);
    }
    return q->at + (*q->at != 0xFF);
}

#endif
