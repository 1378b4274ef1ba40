/* kernel/ebcot_decode.c: the C reference of the EBCOT block decoder (T.800 annex D): coding passes over bit-planes, one
 * coefficient at a time. Above mq.h and ebcot_model.h; the variants in x86 equal it, and are several times as fast.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ebcot_kernels.h"
#include "ebcot_model.h"
#include "mq.h"

typedef struct decode_scratch {
    int64_t v2[MTM_BLOCK_MAX_SAMPLES];
    uint8_t map[EBCOT_MAP_BYTES];
    uint8_t plain[EBCOT_PLAIN_BYTES + MTM_MQ_PLAIN_PAD];
} decode_scratch;

_Static_assert(sizeof(decode_scratch) <= MTM_EBCOT_SCRATCH_BYTES, "the decoder's scratch");

typedef struct decoder {
    ebcot_map map;
    mtm_mq_decoder mq;
    bool raw; /* this segment is bits without the MQ coder, read at mq.at */
    uint8_t contexts[EBCOT_CONTEXTS];
    int64_t *v2;    /* [height, width] magnitudes as MTM_COEF_V2 */
    uint8_t *plain; /* the segment's bits */
    int32_t plane;
} decoder;

static unsigned decide(decoder *d, unsigned context)
{
    if (d->raw)
        return mtm_mq_plain_bit(d->mq.plain, d->mq.at++, d->mq.n);
    return mtm_mq_decode(&d->mq, d->contexts + context);
}

/* D.3.2; raw signs are not predicted (D.6). The magnitude becomes the middle of [1, 2)·2^plane. */
static void decode_sign(decoder *d, int32_t x, int32_t y)
{
    const mtm_ebcot_sign_context c = ebcot_sign_context(&d->map, x, y);
    const unsigned negative = decide(d, c.context) ^ (d->raw ? 0 : c.flip);

    d->map.at[y * d->map.stride + x] |= EBCOT_SIGNIFICANT | (negative ? EBCOT_NEGATIVE : 0);
    d->v2[y * d->map.width + x] = INT64_C(3) << d->plane;
}

/* D.3.1: insignificant coefficients with a significant neighbour. */
static void propagate(decoder *d, int32_t x, int32_t y)
{
    uint8_t *const state = d->map.at + y * d->map.stride + x;

    if (*state & EBCOT_SIGNIFICANT || !ebcot_has_neighbour(&d->map, x, y))
        return;
    *state |= EBCOT_VISITED;
    if (decide(d, ebcot_zero_context(&d->map, x, y)))
        decode_sign(d, x, y);
}

/* D.3.3: coefficients that were significant before this bit-plane. */
static void refine(decoder *d, int32_t x, int32_t y)
{
    uint8_t *const state = d->map.at + y * d->map.stride + x;

    if ((*state & (EBCOT_SIGNIFICANT | EBCOT_VISITED)) != EBCOT_SIGNIFICANT)
        return;
    d->v2[y * d->map.width + x] +=
        (decide(d, ebcot_refine_context(&d->map, x, y)) ? INT64_C(1) : -1) * (INT64_C(1) << d->plane);
    *state |= EBCOT_REFINED;
}

/* D.3.4: a column of a stripe: what the other passes left. The bit-plane ends here. */
static void clean_up(decoder *d, int32_t x, int32_t y0, int32_t y1)
{
    int32_t y = y0;
    bool known = false; /* that the first to decode is significant */

    if (ebcot_is_run(&d->map, x, y0)) {
        if (!decide(d, EBCOT_RUN))
            return;
        y += (int32_t)decide(d, EBCOT_UNIFORM) << 1;
        y += (int32_t)decide(d, EBCOT_UNIFORM);
        known = true;
    }
    for (; y < y1; y++, known = false) {
        uint8_t *const state = d->map.at + y * d->map.stride + x;

        if (!(*state & (EBCOT_SIGNIFICANT | EBCOT_VISITED)) &&
            (known || decide(d, ebcot_zero_context(&d->map, x, y))))
            decode_sign(d, x, y);
    }
    for (y = y0; y < y1; y++)
        d->map.at[y * d->map.stride + x] &= (uint8_t)~EBCOT_VISITED;
}

static void decode_pass(decoder *d, int kind)
{
    for (int32_t y0 = 0; y0 < d->map.height; y0 += EBCOT_STRIPE) {
        const int32_t y1 = y0 + EBCOT_STRIPE < d->map.height ? y0 + EBCOT_STRIPE : d->map.height;

        for (int32_t x = 0; x < d->map.width; x++) {
            if (kind == EBCOT_CLEANUP) {
                clean_up(d, x, y0, y1);
                continue;
            }
            for (int32_t y = y0; y < y1; y++)
                kind == EBCOT_PROPAGATION ? propagate(d, x, y) : refine(d, x, y);
        }
    }
}

/* D.5: 1010 after each cleanup pass. */
static bool segmentation_symbol(decoder *d)
{
    unsigned symbol = 0;

    for (int i = 0; i < 4; i++)
        symbol = symbol << 1 | decide(d, EBCOT_UNIFORM);
    return symbol == 0xA;
}

/* One codeword segment, from pass number `pass` to before `end`. */
static bool decode_segment(decoder *d, const mtm_block *b, const uint8_t *data, uint32_t size, int32_t pass,
                           int32_t end)
{
    const bool complete = mtm_ebcot_segment_ends(b->style, end - 1);

    d->raw = ebcot_pass_raw(b->style, pass);
    mtm_mq_decode_begin(&d->mq, d->plain, mtm_mq_unstuff(d->plain, EBCOT_PLAIN_BYTES, data, size, d->raw));
    if (d->raw)
        d->mq.at = 0;
    for (; pass < end; pass++) {
        const int kind = ebcot_pass_kind(pass);

        d->plane = ebcot_pass_plane(b->n_planes, pass);
        decode_pass(d, kind);
        if (kind == EBCOT_CLEANUP && b->style & MTM_BLOCK_SEGSYM && !segmentation_symbol(d) &&
            mtm_ebcot_pass_secured(b, pass))
            return false;
        if (b->style & MTM_BLOCK_RESET)
            ebcot_contexts_reset(d->contexts);
    }
    return !(b->style & MTM_BLOCK_PREDICTABLE && complete && !d->raw && mtm_mq_bits_left(d->mq.at, d->mq.n));
}

static bool decode_passes(decoder *d, const mtm_block *b)
{
    const uint8_t *data = b->data;
    int32_t pass = 0;

    ebcot_contexts_reset(d->contexts);
    for (int32_t i = 0; i < b->n_segments; i++) {
        const mtm_segment *const s = b->segments + i;

        if (s->n_passes && !decode_segment(d, b, data, s->size_bytes, pass, pass + s->n_passes))
            return false;
        data += s->size_bytes, pass += s->n_passes;
    }
    return true;
}

static mtm_block_status store_row(const mtm_block *b, int32_t y, const int64_t *v2, const uint8_t *state)
{
    mtm_block_status status = MTM_BLOCK_OK;

    for (int32_t x = 0; x < b->width; x++) {
        const int64_t twice = state[x] & EBCOT_NEGATIVE ? -v2[x] : v2[x], whole = twice / 2;
        const ptrdiff_t at = y * b->stride + x;

        switch ((mtm_coef)b->type) {
        case MTM_COEF_I16:
            ((int16_t *)b->dst)[at] = (int16_t)whole;
            if (whole != (int16_t)whole)
                status = MTM_BLOCK_TOO_LARGE;
            break;
        case MTM_COEF_I32: ((int32_t *)b->dst)[at] = (int32_t)whole; break;
        case MTM_COEF_I64: ((int64_t *)b->dst)[at] = whole; break;
        case MTM_COEF_F32: ((float *)b->dst)[at] = (float)twice * 0.5f * b->step; break;
        case MTM_COEF_V2: ((int64_t *)b->dst)[at] = twice; break;
        }
    }
    return status;
}

static mtm_block_status decode_block(mtm_block *b, decode_scratch *scratch)
{
    decoder d = {.v2 = scratch->v2, .plain = scratch->plain};
    mtm_block_status status = MTM_BLOCK_OK;

    ebcot_map_begin(&d.map, scratch->map, b->width, b->height, b->style, b->band);
    memset(d.v2, 0, (size_t)b->width * (size_t)b->height * sizeof *d.v2);
    if (!mtm_ebcot_segments_valid(b) || !decode_passes(&d, b))
        status = MTM_BLOCK_CORRUPT;
    for (int32_t y = 0; y < b->height; y++) {
        const mtm_block_status stored = store_row(b, y, d.v2 + y * b->width, d.map.at + y * d.map.stride);

        status = status == MTM_BLOCK_OK ? stored : status;
    }
    return status;
}

void mtm_ebcot_decode_c(mtm_block *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i++)
        blocks[i].status = decode_block(blocks + i, scratch);
}
