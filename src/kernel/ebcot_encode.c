/* kernel/ebcot_encode.c: the C reference of the EBCOT block encoder (T.800 annex D): coding passes over bit-planes, one
 * coefficient at a time, with the lengths and the gains in quality that rate control needs (T.800 annex J.13). Above
 * mq.h and ebcot_model.h; the variants in x86 equal it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ebcot_encode.h"
#include "ebcot_kernels.h"
#include "ebcot_model.h"
#include "mq.h"

/* Bits of a raw segment, most significant first; after 0xFF a byte has seven (D.6). */
typedef struct raw_writer {
    uint8_t *at; /* the next byte */
    uint32_t byte;
    int32_t left, room; /* bits of byte still free, and at first */
} raw_writer;

typedef struct encoder {
    ebcot_map map;
    mtm_mq_encoder mq;
    raw_writer bits;
    bool raw; /* this segment */
    uint8_t contexts[EBCOT_CONTEXTS];
    uint64_t *magnitude; /* [height, width] */
    int32_t plane;
    ebcot_gain gain;
} encoder;

static void raw_begin(raw_writer *w, uint8_t *at)
{
    *w = (raw_writer){.at = at, .left = 8, .room = 8};
}

static void raw_bit(raw_writer *w, unsigned bit)
{
    w->byte |= bit << --w->left;
    if (w->left)
        return;
    *w->at++ = (uint8_t)w->byte;
    w->left = w->room = w->byte == 0xFF ? 7 : 8;
    w->byte = 0;
}

/* Fills the last byte with 0, 1, 0 … (D.6), and drops a last 0xFF, which a decoder supplies. */
static uint8_t *raw_end(raw_writer *w, const uint8_t *first)
{
    for (unsigned bit = 0; w->left < w->room; bit ^= 1)
        raw_bit(w, bit);
    return w->at - (w->at > first && w->at[-1] == 0xFF);
}

static void put(encoder *e, unsigned context, unsigned decision)
{
    if (e->raw)
        raw_bit(&e->bits, decision);
    else
        mtm_mq_encode(&e->mq, e->contexts + context, decision);
}

static uint64_t magnitude_at(const encoder *e, int32_t x, int32_t y)
{
    return e->magnitude[y * e->map.width + x];
}

static unsigned bit_at(const encoder *e, int32_t x, int32_t y)
{
    return magnitude_at(e, x, y) >> e->plane & 1;
}

/* D.3.2; raw signs are not predicted (D.6). */
static void encode_sign(encoder *e, int32_t x, int32_t y)
{
    uint8_t *const state = e->map.at + y * e->map.stride + x;
    const mtm_ebcot_sign_context c = ebcot_sign_context(&e->map, x, y);

    put(e, c.context, !!(*state & EBCOT_NEGATIVE) ^ (e->raw ? 0 : c.flip));
    *state |= EBCOT_SIGNIFICANT;
    ebcot_gain_significant(&e->gain, magnitude_at(e, x, y), e->plane);
}

/* D.3.1. */
static void propagate(encoder *e, int32_t x, int32_t y)
{
    uint8_t *const state = e->map.at + y * e->map.stride + x;

    if (*state & EBCOT_SIGNIFICANT || !ebcot_has_neighbour(&e->map, x, y))
        return;
    *state |= EBCOT_VISITED;
    put(e, ebcot_zero_context(&e->map, x, y), bit_at(e, x, y));
    if (bit_at(e, x, y))
        encode_sign(e, x, y);
}

/* D.3.3. */
static void refine(encoder *e, int32_t x, int32_t y)
{
    uint8_t *const state = e->map.at + y * e->map.stride + x;

    if ((*state & (EBCOT_SIGNIFICANT | EBCOT_VISITED)) != EBCOT_SIGNIFICANT)
        return;
    put(e, ebcot_refine_context(&e->map, x, y), bit_at(e, x, y));
    *state |= EBCOT_REFINED;
    ebcot_gain_refined(&e->gain, magnitude_at(e, x, y), e->plane);
}

/* D.3.4. */
static void clean_up(encoder *e, int32_t x, int32_t y0, int32_t y1)
{
    int32_t y = y0;
    bool known = false; /* that the first to encode is significant */

    if (ebcot_is_run(&e->map, x, y0)) {
        while (y < y1 && !bit_at(e, x, y))
            y++;
        known = y < y1;
        put(e, EBCOT_RUN, known);
        if (!known)
            return;
        put(e, EBCOT_UNIFORM, (unsigned)(y - y0) >> 1);
        put(e, EBCOT_UNIFORM, (unsigned)(y - y0) & 1);
    }
    for (; y < y1; y++, known = false) {
        if (e->map.at[y * e->map.stride + x] & (EBCOT_SIGNIFICANT | EBCOT_VISITED))
            continue;
        if (!known)
            put(e, ebcot_zero_context(&e->map, x, y), bit_at(e, x, y));
        if (bit_at(e, x, y))
            encode_sign(e, x, y);
    }
    for (y = y0; y < y1; y++)
        e->map.at[y * e->map.stride + x] &= (uint8_t)~EBCOT_VISITED;
}

static void encode_pass(encoder *e, int kind)
{
    for (int32_t y0 = 0; y0 < e->map.height; y0 += EBCOT_STRIPE) {
        const int32_t y1 = y0 + EBCOT_STRIPE < e->map.height ? y0 + EBCOT_STRIPE : e->map.height;

        for (int32_t x = 0; x < e->map.width; x++) {
            if (kind == EBCOT_CLEANUP) {
                clean_up(e, x, y0, y1);
                continue;
            }
            for (int32_t y = y0; y < y1; y++)
                kind == EBCOT_PROPAGATION ? propagate(e, x, y) : refine(e, x, y);
        }
    }
}

/* Magnitudes and signs into the model. Returns the magnitudes' bits all OR-ed, or UINT64_MAX: one is not a number. */
static uint64_t load(encoder *e, const mtm_block_input *b)
{
    uint64_t any = 0;

    for (int32_t y = 0; y < b->height; y++)
        for (int32_t x = 0; x < b->width; x++) {
            const ptrdiff_t at = y * b->stride + x;
            bool negative;
            const uint64_t m = ebcot_input_magnitude(b, at, &negative);

            any |= m;
            e->magnitude[y * b->width + x] = m;
            e->map.at[y * e->map.stride + x] = negative ? EBCOT_NEGATIVE : 0;
        }
    return any;
}

static void begin_segment(encoder *e, ebcot_codeword *w)
{
    ebcot_codeword_begin(w);
    if (e->raw)
        raw_begin(&e->bits, w->first);
    else
        mtm_mq_encode_begin(&e->mq, w->first - 1);
}

static void end_segment(encoder *e, ebcot_codeword *w, uint8_t style)
{
    if (e->raw)
        ebcot_codeword_end(w, raw_end(&e->bits, w->first), false);
    else if (style & MTM_BLOCK_PREDICTABLE)
        ebcot_codeword_end(w, mtm_mq_encode_end_predictable(&e->mq), false);
    else
        ebcot_codeword_end(w, mtm_mq_encode_end(&e->mq), true);
}

static void encode_passes(encoder *e, ebcot_codeword *w, const mtm_block_input *b, int32_t n_planes)
{
    const int32_t n_passes = 3 * n_planes - 2;
    bool open = false;

    ebcot_contexts_reset(e->contexts);
    for (int32_t pass = 0; pass < n_passes; pass++) {
        const int kind = ebcot_pass_kind(pass);
        const bool ends = pass + 1 == n_passes || mtm_ebcot_segment_ends(b->style, pass);

        if (!open) {
            e->raw = ebcot_pass_raw(b->style, pass);
            begin_segment(e, w);
        }
        e->plane = ebcot_pass_plane(n_planes, pass);
        e->gain = ebcot_gain_begin(b->type, e->plane);
        encode_pass(e, kind);
        if (kind == EBCOT_CLEANUP && b->style & MTM_BLOCK_SEGSYM)
            for (unsigned i = 0; i < 4; i++)
                put(e, EBCOT_UNIFORM, 0xA >> (3 - i) & 1);
        ebcot_codeword_pass(w, e->raw ? NULL : &e->mq,
                            e->raw ? e->bits.at + (e->bits.left < e->bits.room) : NULL,
                            ebcot_gain_total(&e->gain, e->plane));
        if (ebcot_codeword_full(w))
            return;
        if (ends)
            end_segment(e, w, b->style);
        open = !ends;
        if (b->style & MTM_BLOCK_RESET)
            ebcot_contexts_reset(e->contexts);
    }
}

static void encode_block(mtm_block_input *b, ebcot_encode_scratch *s)
{
    encoder e = {.magnitude = s->magnitude};

    ebcot_map_begin(&e.map, s->map, b->width, b->height, b->style, b->band);
    const int32_t n_planes = ebcot_result_begin(b, load(&e, b));
    if (n_planes == 0)
        return;
    ebcot_codeword_init(&s->codeword);
    encode_passes(&e, &s->codeword, b, n_planes);
    ebcot_result_end(b, &s->codeword);
}

void mtm_ebcot_encode_c(mtm_block_input *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i++)
        encode_block(blocks + i, scratch);
}
