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

/* Reads one codeword segment. Past its end, and from a marker on, it is fed 1s (C.3.4). */
typedef struct mtm_mq_decoder {
    const uint8_t *at, *end; /* at: the byte that C took last (BP), perhaps beyond the end */
    uint32_t a, c;
    int32_t ct; /* shifts until the next byte */

} mtm_mq_decoder;

static inline uint32_t mtm_mq_byte(const mtm_mq_decoder *q, ptrdiff_t ahead)
{
    return ahead < q->end - q->at ? q->at[ahead] : 0xFF;
}

/* BYTEIN, figure C.19. */
static inline void mtm_mq_byte_in(mtm_mq_decoder *q)
{
    const uint32_t next = mtm_mq_byte(q, 1);

    if (mtm_mq_byte(q, 0) != 0xFF) {
        q->at++;
        q->c += next << 8, q->ct = 8;
    } else if (next <= 0x8F) {
        q->at++;
        q->c += next << 9, q->ct = 7;
    } else {
        q->c += 0xFF00, q->ct = 8;
    }
}

/* INITDEC, figure C.20. */
static inline void mtm_mq_decode_begin(mtm_mq_decoder *q, const uint8_t *data, size_t size_bytes)
{
    *q = (mtm_mq_decoder){.at = data, .end = data + size_bytes};
    q->c = mtm_mq_byte(q, 0) << 16;
    mtm_mq_byte_in(q);
    q->c <<= 7, q->ct -= 7;
    q->a = 0x8000;
}

/* DECODE, figures C.15 … C.18. *state is the context's; returns the decision. */
static inline unsigned mtm_mq_decode(mtm_mq_decoder *q, uint8_t *state)
{
    const mtm_mq_state s = mtm_mq_states[*state];
    unsigned less; /* the less probable symbol */

    q->a -= s.qe;
    if (q->c >> 16 >= s.qe) {
        q->c -= (uint32_t)s.qe << 16;
        if (q->a & 0x8000)
            return *state & 1;
        less = q->a < s.qe;
    } else {
        less = q->a >= s.qe;
        q->a = s.qe;
    }
    const unsigned d = (*state & 1) ^ less;
    *state = less ? s.next_lps : s.next_mps;
    do { /* RENORMD */
        if (q->ct == 0)
            mtm_mq_byte_in(q);
        q->a <<= 1, q->c <<= 1, q->ct--;
    } while (!(q->a & 0x8000));
    return d;
}

/* Whether the encoder wrote more than these decisions take: they are all decoded, and the registers hold two bytes more
 * than they need. */
static inline bool mtm_mq_bytes_left(const mtm_mq_decoder *q)
{
    return q->end - q->at > 2;
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
