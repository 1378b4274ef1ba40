/* codec/j2k/encode_packet.c: packet headers: tag trees, inclusion, zero bit-planes, passes, lengths; and packet bodies: T.800
 * B.10, T.814 annex B.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"
#include "kernel/ebcot.h"

enum { MAX_DEPTH = 16 }; /* of tag trees: a precinct has at most 2^13 code-blocks a side */

/* ---- bits (T.800 B.10.1) ------------------------------------------------------------------------------ */

static bool bits_room(j2k_header_bits *b, size_t more_bytes)
{
    uint8_t *data;

    if (b->size_bytes + more_bytes <= b->room_bytes)
        return true;
    b->room_bytes = 2 * (b->size_bytes + more_bytes) + 1024;
    data = j2k_arena_take(b->arena, b->room_bytes);
    if (!data) {
        b->failed = true;
        return false;
    }
    if (b->size_bytes)
        memcpy(data, b->data, b->size_bytes);
    b->data = data;
    return true;
}

static void bits_flush_byte(j2k_header_bits *b)
{
    b->data[b->size_bytes++] = (uint8_t)b->byte;
    b->left = b->byte == 0xFF ? 7 : 8;
    b->byte = 0;
}

/* The n low bits of value, highest first; n ≤ 32. There is room. */
static void bits_put(j2k_header_bits *b, uint32_t value, int32_t n)
{
    while (n > 0) {
        const int32_t k = n < b->left ? n : b->left;

        n -= k, b->left -= k;
        b->byte |= (value >> n & ((1u << k) - 1)) << b->left;
        if (b->left == 0)
            bits_flush_byte(b);
    }
}

/* Ends a header: whole bytes, and none of them 0xFF at the end. */
static void bits_end(j2k_header_bits *b)
{
    if (b->left < 8) /* bits in the byte, or 0xFF before it */
        bits_flush_byte(b);
    b->left = 8, b->byte = 0;
}

/* ---- tag trees (T.800 B.10.2) ------------------------------------------------------------------------- */

typedef struct tag_node {
    uint16_t value, low; /* the decoder knows: value ≥ low */
    bool known;          /* and: value = low */
} tag_node;

typedef struct tag_tree {
    tag_node *nodes; /* level by level from the leaves */
    int32_t n, depth;
    int32_t wide[MAX_DEPTH], offset[MAX_DEPTH];
} tag_tree;

static void tag_clear(tag_tree *t)
{
    for (int32_t i = 0; i < t->n; i++)
        t->nodes[i] = (tag_node){.value = UINT16_MAX};
}

static bool tag_new(tag_tree *t, int32_t wide, int32_t high, j2k_arena *arena)
{
    for (t->depth = 0;; t->depth++, wide = (wide + 1) / 2, high = (high + 1) / 2) {
        t->wide[t->depth] = wide, t->offset[t->depth] = t->n;
        t->n += wide * high;
        if (wide <= 1 && high <= 1)
            break;
    }
    t->depth++;
    t->nodes = j2k_arena_take(arena, (size_t)t->n * sizeof *t->nodes);
    return t->nodes != NULL;
}

static tag_node *tag_at(const tag_tree *t, int32_t level, int32_t x, int32_t y)
{
    return &t->nodes[t->offset[level] + (y >> level) * t->wide[level] + (x >> level)];
}

/* A node holds the least of what is below it. */
static void tag_set(tag_tree *t, int32_t x, int32_t y, uint16_t value)
{
    for (int32_t level = 0; level < t->depth && value < tag_at(t, level, x, y)->value; level++)
        tag_at(t, level, x, y)->value = value;
}

/* Tells the decoder whether the leaf is below threshold, and what it is then. */
static void tag_put(tag_tree *t, int32_t x, int32_t y, uint32_t threshold, j2k_header_bits *b)
{
    uint16_t low = 0;

    for (int32_t level = t->depth - 1; level >= 0; level--) {
        tag_node *const node = tag_at(t, level, x, y);

        low = node->low > low ? node->low : low;
        while (!node->known && low < threshold) {
            node->known = low >= node->value;
            bits_put(b, node->known, 1);
            low += !node->known;
        }
        node->low = low;
    }
}

/* ---- precincts ---------------------------------------------------------------------------------------- */

typedef struct block_state {
    uint32_t sent_bytes;
    uint16_t sent_passes;
    uint8_t length_bits; /* Lblock */
} block_state;

/* The part of a band in a precinct: a rectangle of its grid of code-blocks. */
typedef struct precinct_band {
    j2k_coded *blocks;   /* the upper left one */
    int64_t blocks_wide; /* of the whole band: from row to row */
    int32_t wide, high;
    block_state *states;
    tag_tree inclusion, zero_planes;
} precinct_band;

typedef struct j2k_packet_precinct {
    int32_t round; /* of j2k_packets_make for which the states hold */
    int32_t n_bands;
    precinct_band bands[3];
} j2k_packet_precinct;

static int64_t clip(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* The grid's columns (or rows) of code-blocks that [x0, x1) touches: T.800 B.7. */
static void block_range(int64_t x0, int64_t x1, int32_t log2_block, int64_t *first, int32_t *n)
{
    *first = x0 >> log2_block;
    *n = x1 > x0 ? (int32_t)(((x1 - 1) >> log2_block) + 1 - *first) : 0;
}

static uint16_t passes_until(const j2k_coded *k, int32_t layer)
{
    return k->ends ? k->ends[layer] : k->n_passes;
}

static uint16_t first_layer(const j2k_coded *k, int32_t layers)
{
    int32_t layer = 0;

    while (layer < layers && passes_until(k, layer) == 0)
        layer++;
    return (uint16_t)layer;
}

static bool band_new(precinct_band *p, const j2k_encode_band *eb, j2k_rect r, j2k_arena *arena)
{
    const j2k_band *const b = eb->band;
    int64_t bx, by;

    block_range(clip(r.x0, b->full.x0, b->full.x1), clip(r.x1, b->full.x0, b->full.x1), b->block_w, &bx,
                &p->wide);
    block_range(clip(r.y0, b->full.y0, b->full.y1), clip(r.y1, b->full.y0, b->full.y1), b->block_h, &by,
                &p->high);
    if (p->wide == 0 || p->high == 0) {
        p->wide = p->high = 0;
        return true;
    }
    p->blocks_wide = b->blocks_wide;
    p->blocks = eb->blocks + (by - b->block_y0) * b->blocks_wide + (bx - b->block_x0);
    p->states = j2k_arena_take(arena, (size_t)p->wide * (size_t)p->high * sizeof *p->states);
    return p->states && tag_new(&p->inclusion, p->wide, p->high, arena) &&
           tag_new(&p->zero_planes, p->wide, p->high, arena);
}

/* Nothing was sent yet. */
static void band_begin(precinct_band *p, int32_t layers)
{
    tag_clear(&p->inclusion), tag_clear(&p->zero_planes);
    for (int32_t y = 0; y < p->high; y++)
        for (int32_t x = 0; x < p->wide; x++) {
            const j2k_coded *const k = &p->blocks[y * p->blocks_wide + x];
            const uint16_t first = first_layer(k, layers);

            tag_set(&p->inclusion, x, y, first);
            if (first < layers)
                tag_set(&p->zero_planes, x, y, k->zero_planes);
            p->states[y * p->wide + x] = (block_state){.length_bits = 3};
        }
}

static j2k_packet_precinct *precinct_new(j2k_encoder *e, const j2k_encode_component *c,
                                         const j2k_packet_id *id)
{
    const j2k_resolution *const res = &c->tc->resolutions[id->resolution];
    const int32_t half = id->resolution > 0; /* bands have half the resolution's grid (T.800 B.6, B.7) */
    const int32_t lw = res->precinct_w - half, lh = res->precinct_h - half;
    const int64_t px = (res->full.x0 >> res->precinct_w) + id->precinct % res->precincts_wide;
    const int64_t py = (res->full.y0 >> res->precinct_h) + id->precinct / res->precincts_wide;
    const j2k_rect r = {px << lw, py << lh, (px + 1) << lw, (py + 1) << lh};
    j2k_packet_precinct *const p = j2k_arena_take_zero(e->arena, 1, sizeof *p);

    if (!p)
        return NULL;
    p->n_bands = res->n_bands;
    for (int32_t i = 0; i < res->n_bands; i++)
        if (!band_new(&p->bands[i], &c->bands[id->resolution][i], r, e->arena))
            return NULL;
    return p;
}

/* The packet's precinct, made when first met and begun anew in each round. NULL: out of memory. */
static j2k_packet_precinct *precinct_get(j2k_encoder *e, const j2k_encode_tile *t, const j2k_packet_id *id)
{
    const j2k_encode_component *const c = &t->components[id->component];
    j2k_packet_precinct **const slot = &c->precincts[id->resolution][id->precinct];

    if (!*slot)
        *slot = precinct_new(e, c, id);
    if (*slot && (*slot)->round != t->round) {
        (*slot)->round = t->round;
        for (int32_t i = 0; i < (*slot)->n_bands; i++)
            band_begin(&(*slot)->bands[i], e->plan->params.layers);
    }
    return *slot;
}

/* ---- one code-block in a header ----------------------------------------------------------------------- */

static void put_passes(j2k_header_bits *b, uint32_t n) /* T.800 table B.4 */
{
    if (n == 1)
        bits_put(b, 0, 1);
    else if (n == 2)
        bits_put(b, 2, 2);
    else if (n <= 5)
        bits_put(b, 3 << 2 | (n - 3), 4);
    else if (n <= 36)
        bits_put(b, 15 << 5 | (n - 6), 9);
    else
        bits_put(b, 511 << 7 | (n - 37), 16);
}

static uint32_t end_of_pass(const j2k_coded *k, int32_t passes)
{
    return passes == 0 ? 0 : passes == k->n_passes ? k->size_bytes : k->passes[passes - 1].size_bytes;
}

static int32_t floor_log2(uint32_t x)
{
    return 31 - __builtin_clz(x);
}

/* The lengths of the codeword segments' parts that passes [from, to) are (T.800 B.10.7). Gives how many bits of Lblock they
 * miss; b NULL: nothing is put. */
static int32_t put_segments(j2k_header_bits *b, const j2k_coded *k, uint8_t style, int32_t from, int32_t to,
                            int32_t length_bits)
{
    int32_t missing = 0;

    for (int32_t first = from, i = from; i < to; i++) {
        int32_t bits, needed;
        uint32_t bytes;

        if (i + 1 < to && ((style & MTM_BLOCK_HT) || !mtm_ebcot_segment_ends(style, i)))
            continue;
        bytes = end_of_pass(k, i + 1) - end_of_pass(k, first);
        bits = length_bits + floor_log2((uint32_t)(i + 1 - first));
        needed = bytes ? floor_log2(bytes) + 1 : 1;
        missing = needed - bits > missing ? needed - bits : missing;
        if (b)
            bits_put(b, bytes, bits);
        first = i + 1;
    }
    return missing;
}

static void put_block(j2k_header_bits *b, const j2k_coded *k, block_state *s, uint8_t style, uint16_t upto)
{
    const int32_t missing = put_segments(NULL, k, style, s->sent_passes, upto, s->length_bits);

    put_passes(b, (uint32_t)(upto - s->sent_passes));
    for (int32_t i = 0; i < missing; i++)
        bits_put(b, 1, 1);
    bits_put(b, 0, 1);
    s->length_bits += (uint8_t)missing;
    put_segments(b, k, style, s->sent_passes, upto, s->length_bits);
}

/* What a header says of one band; the body's bytes are added up. */
static bool put_band(j2k_header_bits *b, precinct_band *p, uint8_t style, int32_t layer, uint64_t *body_bytes)
{
    for (int32_t y = 0; y < p->high; y++)
        for (int32_t x = 0; x < p->wide; x++) {
            const j2k_coded *const k = &p->blocks[y * p->blocks_wide + x];
            block_state *const s = &p->states[y * p->wide + x];
            const uint16_t upto = passes_until(k, layer);

            if (!bits_room(b, 256 + (size_t)layer / 8 + 8 * (size_t)(upto - s->sent_passes)))
                return false;
            if (s->sent_passes == 0)
                tag_put(&p->inclusion, x, y, (uint32_t)layer + 1, b);
            else
                bits_put(b, upto > s->sent_passes, 1);
            if (upto == s->sent_passes)
                continue;
            if (s->sent_passes == 0)
                tag_put(&p->zero_planes, x, y, (uint32_t)k->zero_planes + 1, b);
            put_block(b, k, s, style, upto);
            *body_bytes += end_of_pass(k, upto) - s->sent_bytes;
            s->sent_passes = upto, s->sent_bytes = end_of_pass(k, upto);
        }
    return true;
}

static bool has_news(const j2k_packet_precinct *p, int32_t layer)
{
    for (int32_t i = 0; i < p->n_bands; i++)
        for (int32_t y = 0; y < p->bands[i].high; y++)
            for (int32_t x = 0; x < p->bands[i].wide; x++)
                if (passes_until(&p->bands[i].blocks[y * p->bands[i].blocks_wide + x], layer) >
                    p->bands[i].states[y * p->bands[i].wide + x].sent_passes)
                    return true;
    return false;
}

mtm_status j2k_packet_header(j2k_encoder *e, j2k_encode_tile *t, const j2k_packet_id *id,
                             j2k_header_bits *bits, uint64_t *body_bytes, mtm_error *err)
{
    const j2k_encode_component *const c = &t->components[id->component];
    j2k_packet_precinct *const p = precinct_get(e, t, id);
    bool news;

    *body_bytes = 0;
    if (!p || !bits_room(bits, 16))
        return MTM_NOMEM(err);
    news = has_news(p, id->layer);
    bits_put(bits, news, 1);
    for (int32_t i = 0; news && i < p->n_bands; i++)
        if (!put_band(bits, &p->bands[i], c->style, id->layer, body_bytes))
            return MTM_NOMEM(err);
    bits_end(bits);
    return MTM_OK;
}

uint8_t *j2k_packet_body(const j2k_encode_tile *t, const j2k_packet_id *id, uint8_t *to)
{
    const j2k_packet_precinct *const p = t->components[id->component].precincts[id->resolution][id->precinct];

    for (int32_t i = 0; i < p->n_bands; i++)
        for (int32_t y = 0; y < p->bands[i].high; y++)
            for (int32_t x = 0; x < p->bands[i].wide; x++) {
                const j2k_coded *const k = &p->bands[i].blocks[y * p->bands[i].blocks_wide + x];
                const uint32_t from = id->layer ? end_of_pass(k, passes_until(k, id->layer - 1)) : 0;
                const uint32_t upto = end_of_pass(k, passes_until(k, id->layer));

                if (upto > from)
                    memcpy(to, k->data + from, upto - from);
                to += upto - from;
            }
    return to;
}
