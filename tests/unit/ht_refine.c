/* tests/unit/ht_refine.c: see ht_refine.h. Written for reading, not for speed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_refine.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096, MAX_SIDE = MTM_BLOCK_MAX_SIDE };

/* Bits from the least significant up. SigProp: the byte after 0xFF has 7. MagRef, whose bytes go backwards: after a byte
 * above 0x8F, a byte is full with seven 1 bits; the first byte counts as after one. */
typedef struct bits {
    uint8_t bytes[ROOM];
    int32_t n; /* bytes */
    unsigned byte, used, last;
} bits;

static void put_sigprop(bits *w, unsigned bit)
{
    w->byte |= bit << w->used++;
    if (w->used == (w->last == 0xFF ? 7u : 8u))
        w->bytes[w->n++] = (uint8_t)(w->last = w->byte), w->byte = w->used = 0;
}

static void put_magref(bits *w, unsigned bit)
{
    w->byte |= bit << w->used++;
    if (w->used == 8 || (w->used == 7 && w->last > 0x8F && w->byte == 0x7F))
        w->bytes[w->n++] = (uint8_t)(w->last = w->byte), w->byte = w->used = 0;
}

static void flush(bits *w)
{
    if (w->used)
        w->bytes[w->n++] = (uint8_t)(w->last = w->byte);
}

typedef struct block {
    const int64_t *q;
    int64_t *v2;
    int32_t width, height;
    bool causal;
    bool *found; /* [height, width]: significant, so far */
} block;

static bool found_at(const block *b, int32_t y, int32_t x)
{
    return y >= 0 && y < b->height && x >= 0 && x < b->width && b->found[y * b->width + x];
}

static bool has_neighbour(const block *b, int32_t y, int32_t x)
{
    for (int32_t dy = -1; dy <= 1; dy++)
        for (int32_t dx = -1; dx <= 1; dx++) {
            if (b->causal && (y & 3) == 3 && dy == 1)
                continue;
            if ((dy || dx) && found_at(b, y + dy, x + dx))
                return true;
        }
    return false;
}

/* Stripes of 4 rows, in steps of 4 columns: 16 coefficients' significance by column, then the signs of the new ones. */
static void sigprop(bits *w, block *b)
{
    for (int32_t y0 = 0; y0 < b->height; y0 += 4)
        for (int32_t x0 = 0; x0 < b->width; x0 += 4) {
            int32_t fresh[16], n = 0;

            for (int32_t x = x0; x < x0 + 4 && x < b->width; x++)
                for (int32_t y = y0; y < y0 + 4 && y < b->height; y++) {
                    const int32_t i = y * b->width + x;

                    if (b->found[i] || !has_neighbour(b, y, x))
                        continue;
                    put_sigprop(w, b->q[i] != 0);
                    b->found[i] = b->q[i] != 0;
                    if (b->found[i])
                        fresh[n++] = i;
                }
            for (int32_t k = 0; k < n; k++) {
                put_sigprop(w, b->q[fresh[k]] < 0);
                b->v2[fresh[k]] = 3 * b->q[fresh[k]]; /* ±1 */
            }
        }
}

/* The last bit of all that the cleanup pass found, in the same stripes. */
static void magref(bits *w, block *b)
{
    for (int32_t y0 = 0; y0 < b->height; y0 += 4)
        for (int32_t x = 0; x < b->width; x++)
            for (int32_t y = y0; y < y0 + 4 && y < b->height; y++) {
                const int32_t i = y * b->width + x;

                if (llabs(b->q[i]) < 2)
                    continue;
                put_magref(w, (unsigned)llabs(b->q[i]) & 1);
                b->v2[i] = b->q[i] * 2 + (b->q[i] < 0 ? -1 : 1);
            }
}

/* The cleanup pass of q / 2. */
static bool cleanup(mtm_block_input *in, block *b)
{
    _Alignas(64) static uint8_t scratch[MTM_HT_SCRATCH_BYTES];
    static int64_t half[MTM_BLOCK_MAX_SAMPLES];
    mtm_ht_kernels k;

    for (int32_t i = 0; i < b->width * b->height; i++) {
        half[i] = b->q[i] / 2;
        b->found[i] = half[i] != 0;
        b->v2[i] = half[i] * 4 + (half[i] > 0 ? 2 : half[i] < 0 ? -2 : 0); /* (2m + 1) · 2 */
    }
    in->src = half;
    mtm_ht_kernels_init(&k, 0);
    k.encode(in, 1, scratch);
    return in->status == MTM_BLOCK_OK && in->n_passes == 1;
}

bool ht_refine_encode(ht_refined *result, int64_t *v2, uint8_t *out, const int64_t *q, int32_t width,
                      int32_t height, int32_t n_planes, int32_t passes, uint8_t style)
{
    static bool found[MTM_BLOCK_MAX_SAMPLES];
    block b = {q, v2, width, height, (style & MTM_BLOCK_CAUSAL) != 0, found};
    mtm_block_input in = {.stride = width,
                          .width = width,
                          .height = height,
                          .style = style,
                          .type = MTM_COEF_I64,
                          .n_planes = n_planes - 1,
                          .out = out,
                          .room_bytes = mtm_ht_encode_bound(width, height, n_planes - 1)};
    bits forward = {.n = 0}, backward = {.last = 0xFF};

    if (n_planes < 2 || !cleanup(&in, &b))
        return false;
    if (passes > 1)
        sigprop(&forward, &b), flush(&forward);
    if (passes > 2)
        magref(&backward, &b), flush(&backward);
    if (forward.last == 0xFF && passes == 2) /* a segment does not end in 0xFF */
        forward.bytes[forward.n++] = 0;
    memcpy(out + in.size_bytes, forward.bytes, (size_t)forward.n);
    for (int32_t i = 0; i < backward.n; i++)
        out[in.size_bytes + (uint32_t)(forward.n + i)] = backward.bytes[backward.n - 1 - i];
    *result = (ht_refined){
        .segments = {{in.size_bytes, 1}, {(uint32_t)(forward.n + backward.n), (uint16_t)(passes - 1)}},
        .zero_planes = in.zero_planes};
    return true;
}
