/* kernel/mq.c: takes the stuffing out of a codeword segment, for the decoders of mq.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mq.h"

#include <string.h>

typedef struct bit_writer {
    uint8_t *at;
    uint32_t pending; /* the last n bits, 0 … 7 of them */
    int32_t n;
} bit_writer;

/* Adds a carry to the bits so far; one past the first is lost. */
static void carry(bit_writer *w, const uint8_t *first)
{
    uint8_t *at = w->at;

    if (++w->pending >> w->n == 0)
        return;
    w->pending = 0;
    while (at > first && ++*--at == 0)
        continue;
}

static void append(bit_writer *w, uint32_t bits, int32_t n)
{
    w->pending = w->pending << n | bits, w->n += n;
    if (w->n >= 8) {
        w->n -= 8;
        *w->at++ = (uint8_t)(w->pending >> w->n);
        w->pending &= (1u << w->n) - 1;
    }
}

/* Eight bytes, none of them 0xFF. */
static void append_eight(bit_writer *w, uint64_t big_endian)
{
    const uint64_t x = __builtin_bswap64(big_endian);
    const uint64_t out = __builtin_bswap64((w->n ? (uint64_t)w->pending << (64 - w->n) : 0) | x >> w->n);

    memcpy(w->at, &out, 8);
    w->at += 8;
    w->pending = (uint32_t)x & ((1u << w->n) - 1);
}

static bool has_ff(uint64_t x)
{
    const uint64_t inverse = ~x; /* whose byte is zero */

    return (inverse - UINT64_C(0x0101010101010101)) & x & UINT64_C(0x8080808080808080);
}

uint32_t mtm_mq_unstuff(uint8_t *plain, size_t room, const uint8_t *src, size_t size_bytes, bool raw)
{
    const size_t n = size_bytes < room ? size_bytes : room;
    bit_writer w = {.at = plain};
    uint32_t last = 0;

    for (size_t i = 0; i < n;) {
        uint64_t eight = UINT64_MAX;

        if (last != 0xFF && n - i >= 8)
            memcpy(&eight, src + i, 8);
        if (!has_ff(eight)) {
            append_eight(&w, eight);
            i += 8, last = 0;
            continue;
        }
        const uint32_t byte = src[i++];
        if (last == 0xFF && byte > 0x8F)
            break;
        if (last != 0xFF) {
            append(&w, byte, 8);
        } else {
            if (byte & 0x80 && !raw)
                carry(&w, plain);
            append(&w, byte & 0x7F, 7);
        }
        last = byte;
    }
    const uint32_t bits = (uint32_t)(w.at - plain) * 8 + (uint32_t)w.n;
    if (w.n)
        append(&w, (1u << (8 - w.n)) - 1, 8 - w.n);
    memset(w.at, 0xFF, MTM_MQ_PLAIN_PAD - 8);
    return bits;
}
