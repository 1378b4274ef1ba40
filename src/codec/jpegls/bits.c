/* codec/jpegls/bits.c: see bits.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bits.h"

static uint64_t be64(uint64_t x)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

/* ---- stuffing, T.87 A.1 -------------------------------------------------------------------------------- */

/* Bytes being written with `count` < 8 bits of one begun: the upper ones of `begun`. */
typedef struct packer {
    uint8_t *to;
    uint8_t begun;
    uint32_t count;
} packer;

static void put_bytes(packer *k, const uint8_t *p, size_t n)
{
    if (k->count == 0) {
        memcpy(k->to, p, n);
        k->to += n;
        return;
    }
    for (; n >= 8; n -= 8, p += 8, k->to += 8) {
        uint64_t x, out;

        memcpy(&x, p, 8);
        x = be64(x);
        out = be64((uint64_t)k->begun << 56 | x >> k->count);
        memcpy(k->to, &out, 8);
        k->begun = (uint8_t)(x << (8 - k->count));
    }
    for (; n; n--, p++) {
        *k->to++ = (uint8_t)(k->begun | *p >> k->count);
        k->begun = (uint8_t)(*p << (8 - k->count));
    }
}

/* The lower seven bits of x < 128. */
static void put_seven(packer *k, uint8_t x)
{
    const uint32_t all = (uint32_t)k->begun << 8 | (uint32_t)x << 1 << (8 - k->count);

    k->begun = (uint8_t)(all >> 8), k->count += 7;
    if (k->count >= 8) {
        *k->to++ = k->begun;
        k->begun = (uint8_t)all, k->count -= 8;
    }
}

void jls_bits_begin(jls_bits *b, jls_stream *s, uint8_t *clean)
{
    packer k = {.to = clean};
    size_t at = s->at;

    *b = (jls_bits){.p = clean, .start = clean, .from = s->at};
    while (at < s->n) {
        const uint8_t *const ff = memchr(s->in + at, 0xFF, s->n - at);
        const size_t n = (ff ? (size_t)(ff - s->in) : s->n) - at;

        put_bytes(&k, s->in + at, n);
        at += n;
        if (s->n - at < 2 || s->in[at + 1] >= 0x80)
            break; /* a marker, or the end */
        put_bytes(&k, s->in + at, 1);
        put_seven(&k, s->in[at + 1]);
        at += 2;
    }
    s->at = at;
    b->total = (uint64_t)(k.to - clean) * 8 + k.count;
    *k.to++ = k.begun;
    memset(k.to, 0, JLS_PAD - 1);
    b->last = k.to + JLS_BEYOND - 1;
}

/* ---- where it ends -------------------------------------------------------------------------------------- */

int64_t jls_bits_offset(const jls_bits *b, const jls_stream *s)
{
    uint64_t bits = jls_bits_taken(b);
    size_t at = b->from;

    for (bool after_ff = false; at < s->at; at++) {
        const uint64_t here = after_ff ? 7 : 8;

        if (bits < here)
            break;
        bits -= here;
        after_ff = s->in[at] == 0xFF;
    }
    return (int64_t)at;
}

mtm_status jls_bits_end(const jls_bits *b, const jls_stream *s, mtm_error *err)
{
    if (b->total - jls_bits_taken(b) < 8)
        return MTM_OK;
    const size_t used = (size_t)jls_bits_offset(b, s);
    size_t at = s->at;

    while (at > used && s->in[at - 1] == 0)
        at--;
    if (at > used + 1)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)used + 1,
                        "%zu coded bytes are left behind the last sample", at - used - 1);
    return MTM_OK;
}

/* ---- long codes ----------------------------------------------------------------------------------------- */

uint32_t jls_golomb_long(jls_bits *b, uint32_t k, uint32_t most, uint32_t escape_bits)
{
    uint32_t zeros = 0, more;

    while ((more = (uint32_t)__builtin_clzll(b->buf | 1)) >= JLS_SEE && zeros <= most) {
        zeros += JLS_SEE;
        jls_bits_drop(b, JLS_SEE);
        jls_bits_fill(b);
    }
    if (zeros + more > most) { /* no code: A.5.3 has at most so many */
        b->bad = UINT32_MAX;
        return 0;
    }
    zeros += more;
    jls_bits_drop(b, more + 1);
    jls_bits_fill(b);
    if (zeros == most)
        return jls_bits_take(b, escape_bits) + 1;
    return zeros << k | jls_bits_take(b, k);
}
