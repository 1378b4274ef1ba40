/* tests/unit/j2k_write.h: writes codestreams with random code-block bytes, as a naive reading of T.800 annex
 * B says, and keeps what it wrote, so that the packet reader can be held to it. Only the order of packets and
 * the grids come from the library; both have tests of their own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_J2K_WRITE_H
#define MTM_TESTS_J2K_WRITE_H

#include "base/rng.h"
#include "codec/j2k/markers.h"
#include "kernel/ebcot.h"
#include "unit.h"

typedef struct w_bytes {
    uint8_t *p;
    size_t n, room;
} w_bytes;

static inline void w_add(w_bytes *b, const void *p, size_t n)
{
    if (b->n + n > b->room) {
        b->room = 2 * (b->n + n) + 256;
        b->p = mtm_realloc(b->p, b->room);
        assert_non_null(b->p);
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}

/* The n lowest bytes of x, big endian. */
static inline void w_put(w_bytes *b, uint64_t x, int n)
{
    while (n-- > 0) {
        const uint8_t v = (uint8_t)(x >> 8 * n);

        w_add(b, &v, 1);
    }
}

static inline void w_set(w_bytes *b, size_t at, uint64_t x, int n)
{
    for (int i = 0; i < n; i++)
        b->p[at + (size_t)i] = (uint8_t)(x >> 8 * (n - 1 - i));
}

/* ---- what is written ---------------------------------------------------------------------------------- */

typedef enum w_packed { W_IN_PLACE, W_PPM, W_PPT } w_packed;

typedef struct w_spec {
    j2k_rect image, tile; /* tile: the first one */
    int32_t n_components;
    uint8_t dx[4], dy[4];
    uint8_t levels, block_w, block_h, style;
    uint8_t precinct[33]; /* as in SPcod: h << 4 | w */
    uint8_t progression;
    uint16_t layers;
    bool reversible, mct, sop, eph, plt, tlm;
    w_packed packed;
    int32_t parts; /* tile-parts per tile */
    int32_t n_orders;
    j2k_order orders[4];
    uint8_t guard, exponent;
    uint64_t seed;
} w_spec;

enum { W_SEGMENTS = 64, W_LAYERS = 16 };

/* A code-block: what it has said so far, and all of it for the comparison. */
typedef struct w_block {
    int32_t first_layer, zero_planes, placeholders; /* placeholders: HT, in passes */
    bool ht;
    int32_t n_passes, lblock, most_passes;
    w_bytes data;
    int32_t n_segments;
    mtm_segment segments[W_SEGMENTS];
    int32_t passes_by_layer[W_LAYERS]; /* up to and with that layer */
    uint32_t bytes_by_layer[W_LAYERS];
} w_block;

typedef struct w_tile {
    j2k_tile layout;
    w_block *blocks;        /* of all bands, one after the other */
    int64_t base[4][33][3]; /* first block of a band */
    int64_t n_blocks;
} w_tile;

typedef struct w_stream {
    w_bytes out;
    j2k_size size;
    j2k_params params;
    j2k_arena arena;
    w_tile *tiles;
    int64_t n_tiles;
    uint64_t main_bytes;
} w_stream;

static inline uint32_t w_below(mtm_rng *r, uint32_t n)
{
    return (uint32_t)mtm_rng_below(r, n);
}

/* ---- main header -------------------------------------------------------------------------------------- */

static inline size_t w_begin(w_bytes *b, uint16_t marker)
{
    w_put(b, marker, 2), w_put(b, 0, 2);
    return b->n - 2;
}

static inline void w_end(w_bytes *b, size_t length_at)
{
    w_set(b, length_at, b->n - length_at, 2);
}

static inline void w_siz(w_bytes *b, const w_spec *s)
{
    const size_t at = w_begin(b, J2K_SIZ);

    w_put(b, s->style & MTM_BLOCK_HT ? 0x4000 : 0, 2);
    w_put(b, (uint64_t)s->image.x1, 4), w_put(b, (uint64_t)s->image.y1, 4);
    w_put(b, (uint64_t)s->image.x0, 4), w_put(b, (uint64_t)s->image.y0, 4);
    w_put(b, (uint64_t)(s->tile.x1 - s->tile.x0), 4), w_put(b, (uint64_t)(s->tile.y1 - s->tile.y0), 4);
    w_put(b, (uint64_t)s->tile.x0, 4), w_put(b, (uint64_t)s->tile.y0, 4);
    w_put(b, (uint64_t)s->n_components, 2);
    for (int c = 0; c < s->n_components; c++)
        w_put(b, 7, 1), w_put(b, s->dx[c], 1), w_put(b, s->dy[c], 1);
    w_end(b, at);
}

static inline void w_cap(w_bytes *b)
{
    const size_t at = w_begin(b, J2K_CAP);

    w_put(b, 1u << 17, 4), w_put(b, 0, 2);
    w_end(b, at);
}

static inline void w_cod(w_bytes *b, const w_spec *s)
{
    const size_t at = w_begin(b, J2K_COD);

    w_put(b, 1 | s->sop << 1 | s->eph << 2, 1);
    w_put(b, s->progression, 1), w_put(b, s->layers, 2), w_put(b, s->mct, 1);
    w_put(b, s->levels, 1), w_put(b, s->block_w - 2u, 1), w_put(b, s->block_h - 2u, 1);
    w_put(b, s->style, 1), w_put(b, s->reversible, 1);
    for (int r = 0; r <= s->levels; r++)
        w_put(b, s->precinct[r], 1);
    w_end(b, at);
}

static inline void w_qcd(w_bytes *b, const w_spec *s)
{
    const size_t at = w_begin(b, J2K_QCD);

    w_put(b, (uint64_t)s->guard << 5 | (s->reversible ? 0 : 2), 1);
    for (int i = 0; i < 3 * s->levels + 1; i++)
        w_put(b, s->reversible ? (uint64_t)s->exponent << 3 : (uint64_t)s->exponent << 11,
              s->reversible ? 1 : 2);
    w_end(b, at);
}

static inline void w_poc(w_bytes *b, const w_spec *s)
{
    const size_t at = w_begin(b, J2K_POC);

    for (int i = 0; i < s->n_orders; i++) {
        const j2k_order *const o = &s->orders[i];

        w_put(b, o->res0, 1), w_put(b, o->comp0, 1), w_put(b, o->layer1, 2);
        w_put(b, o->res1, 1), w_put(b, o->comp1, 1), w_put(b, o->progression, 1);
    }
    w_end(b, at);
}

static inline void w_main_header(w_bytes *b, const w_spec *s)
{
    w_put(b, J2K_SOC, 2);
    w_siz(b, s);
    if (s->style & MTM_BLOCK_HT)
        w_cap(b);
    w_cod(b, s);
    w_qcd(b, s);
    if (s->n_orders)
        w_poc(b, s);
}

/* ---- packet headers ----------------------------------------------------------------------------------- */

typedef struct w_bits {
    w_bytes out;
    uint32_t byte;
    int n;
} w_bits;

static inline void w_bit(w_bits *b, uint32_t bit)
{
    const int room = b->out.n && b->out.p[b->out.n - 1] == 0xFF ? 7 : 8;

    b->byte = b->byte << 1 | (bit & 1);
    if (++b->n == room)
        w_put(&b->out, b->byte, 1), b->byte = 0, b->n = 0;
}

static inline void w_number(w_bits *b, uint32_t x, int n)
{
    while (n-- > 0)
        w_bit(b, x >> n);
}

static inline void w_flush(w_bits *b)
{
    while (b->n)
        w_bit(b, 0);
    if (b->out.n && b->out.p[b->out.n - 1] == 0xFF)
        w_put(&b->out, 0, 1);
}

/* A tag tree as B.10.2 draws it: every node holds the least of its children. */
typedef struct w_tree {
    int levels, wide[16], high[16];
    int *value[16], *said[16]; /* said: value is known to be at least this; −1: known */
} w_tree;

static inline w_tree w_tree_new(int wide, int high, j2k_arena *a)
{
    w_tree t = {0};

    for (int l = 0;; l++) {
        t.wide[l] = wide, t.high[l] = high, t.levels = l + 1;
        t.value[l] = j2k_arena_take(a, (size_t)(wide * high) * sizeof(int));
        t.said[l] = j2k_arena_take_zero(a, (size_t)(wide * high), sizeof(int));
        for (int i = 0; i < wide * high; i++)
            t.value[l][i] = 1 << 20;
        if (wide * high == 1)
            return t;
        wide = (wide + 1) / 2, high = (high + 1) / 2;
    }
}

static inline void w_tree_set(w_tree *t, int x, int y, int value)
{
    for (int l = 0; l < t->levels; l++) {
        int *const v = &t->value[l][(y >> l) * t->wide[l] + (x >> l)];

        *v = value < *v ? value : *v;
    }
}

static inline void w_tree_say(w_bits *b, w_tree *t, int x, int y, int limit)
{
    int low = 0;

    for (int l = t->levels - 1; l >= 0; l--) {
        const int i = (y >> l) * t->wide[l] + (x >> l), value = t->value[l][i];
        int *const said = &t->said[l][i];

        if (*said < 0) {
            low = value;
            continue;
        }
        low = *said > low ? *said : low;
        for (; low < limit; low++) {
            w_bit(b, value == low);
            if (value == low) {
                *said = -1;
                break;
            }
        }
        if (*said >= 0)
            *said = low;
    }
}

static inline int w_log2(uint32_t n)
{
    return 31 - __builtin_clz(n);
}

static inline void w_passes(w_bits *b, uint32_t n)
{
    if (n == 1)
        w_number(b, 0, 1);
    else if (n == 2)
        w_number(b, 2, 2);
    else if (n <= 5)
        w_number(b, 12 | (n - 3), 4);
    else if (n <= 36)
        w_number(b, 0x1E0 | (n - 6), 9);
    else
        w_number(b, 0xFF80 | (n - 37), 16);
}

/* Lengths with their Lblock: sizes[i] bytes for passes[i] passes, and at least `least` for Lblock. */
static inline void w_lengths(w_bits *b, w_block *k, int n, const uint32_t *sizes, const int *passes,
                             int least)
{
    int lblock = k->lblock > least ? k->lblock : least;

    for (int i = 0; i < n; i++) {
        const int bits = sizes[i] ? w_log2(sizes[i]) + 1 : 0;

        lblock = bits - w_log2((uint32_t)passes[i]) > lblock ? bits - w_log2((uint32_t)passes[i]) : lblock;
    }
    for (; k->lblock < lblock; k->lblock++)
        w_bit(b, 1);
    w_bit(b, 0);
    for (int i = 0; i < n; i++)
        w_number(b, sizes[i], lblock + w_log2((uint32_t)passes[i]));
}

static inline void w_body(w_block *k, mtm_rng *r, w_bytes *body, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        const uint8_t v = (uint8_t)w_below(r, 128);

        w_add(body, &v, 1), w_add(&k->data, &v, 1);
    }
}

/* n passes more of a Part 1 block; whole: with one length only, as a mixed block that is not HT begins. */
static inline void w_block_ebcot(w_block *k, uint8_t style, int n, bool whole, mtm_rng *r, w_bits *b,
                                 w_bytes *body)
{
    uint32_t sizes[W_SEGMENTS] = {0};
    int passes[W_SEGMENTS] = {0}, count = 0, least = 3;

    for (int left = n, at = k->n_passes; left > 0; count++) {
        const bool opens = at == 0 || mtm_ebcot_segment_ends(style, at - 1);
        int m = 1;

        while (m < left && (whole || !mtm_ebcot_segment_ends(style, at + m - 1)))
            m++;
        sizes[count] = 1 + w_below(r, w_below(r, 4) ? 40 : 600), passes[count] = m;
        if (whole) /* told from HT by Lblock 3, or by a length without leading zero */
            while (sizes[count] >> (3 + w_log2((uint32_t)m)))
                sizes[count] >>= 1;
        if (opens)
            k->segments[k->n_segments++] = (mtm_segment){0};
        k->segments[k->n_segments - 1].size_bytes += sizes[count];
        k->segments[k->n_segments - 1].n_passes = (uint16_t)(k->segments[k->n_segments - 1].n_passes + m);
        left -= m, at += m;
    }
    w_lengths(b, k, count, sizes, passes, least);
    for (int i = 0; i < count; i++)
        w_body(k, r, body, sizes[i]);
    k->n_passes += n;
}

/* n passes more of an HT block (T.814 annex B). */
static inline void w_block_ht(w_block *k, bool mixed, int n, mtm_rng *r, w_bits *b, w_bytes *body)
{
    uint32_t sizes[W_SEGMENTS] = {0};
    int passes[W_SEGMENTS] = {0}, count = 0, at = k->n_passes, left = n, least = 3;

    while (left > 0) {
        int m = at % 3 == 1 && left > 1 ? 2 : 1;

        if (at <= k->placeholders) { /* placeholders, up to the first cleanup pass if it is among them */
            const bool cleanup = at + left > k->placeholders;

            m = cleanup ? k->placeholders - at + 1 : left;
            sizes[count] = cleanup ? 2 + w_below(r, 300) : 0;
            if (cleanup && mixed) { /* a leading zero, and Lblock above 3 */
                least = 4;
                while (w_log2(sizes[count]) + 2 - w_log2((uint32_t)m) > least)
                    least++;
            }
        } else {
            sizes[count] = 2 + w_below(r, 60);
        }
        passes[count++] = m;
        at += m, left -= m;
    }
    w_lengths(b, k, count, sizes, passes, least);
    at = k->n_passes;
    for (int i = 0; i < count; at += passes[i++]) {
        const int last = at + passes[i] - 1;

        if (sizes[i] && last % 3 == 0) { /* a cleanup pass: what came before no longer counts */
            k->data.n = 0, k->n_segments = 1;
            k->segments[0] = (mtm_segment){sizes[i], 1}, k->segments[1] = (mtm_segment){0};
        } else if (sizes[i]) {
            k->n_segments = 2;
            k->segments[1].size_bytes += sizes[i];
            k->segments[1].n_passes = (uint16_t)(k->segments[1].n_passes + passes[i]);
        }
        w_body(k, r, body, sizes[i]);
    }
    k->n_passes += n;
}

/* Trees of one band of one precinct. */
typedef struct w_precinct_band {
    bool made;
    int64_t x0, y0; /* first block */
    int wide, high;
    w_tree inclusion, planes;
} w_precinct_band;

typedef struct w_packet {
    w_bytes header, body;
    j2k_packet_id id;
} w_packet;

/* The blocks of a band that a precinct holds: by looking at each. */
static inline void w_precinct_find(w_precinct_band *p, w_tile *t, const j2k_packet_id *id, int32_t band,
                                   j2k_arena *a)
{
    const j2k_resolution *const res = &t->layout.components[id->component].resolutions[id->resolution];
    const j2k_band *const b = &res->bands[band];
    const int64_t px = (res->full.x0 >> res->precinct_w) + id->precinct % res->precincts_wide;
    const int64_t py = (res->full.y0 >> res->precinct_h) + id->precinct / res->precincts_wide;
    const int shift_x = res->precinct_w - (id->resolution > 0) - b->block_w;
    const int shift_y = res->precinct_h - (id->resolution > 0) - b->block_h;

    *p = (w_precinct_band){.made = true};
    for (int64_t y = 0; y < b->blocks_high; y++) {
        for (int64_t x = 0; x < b->blocks_wide; x++) {
            if ((b->block_x0 + x) >> shift_x != px || (b->block_y0 + y) >> shift_y != py)
                continue;
            if (!p->wide)
                p->x0 = x, p->y0 = y;
            p->wide = (int)(x - p->x0) + 1, p->high = (int)(y - p->y0) + 1;
        }
    }
    if (!p->wide)
        return;
    p->inclusion = w_tree_new(p->wide, p->high, a), p->planes = w_tree_new(p->wide, p->high, a);
    for (int y = 0; y < p->high; y++)
        for (int x = 0; x < p->wide; x++) {
            const w_block *const k = &t->blocks[t->base[id->component][id->resolution][band] +
                                                (p->y0 + y) * b->blocks_wide + p->x0 + x];

            w_tree_set(&p->inclusion, x, y, k->first_layer);
            w_tree_set(&p->planes, x, y, k->zero_planes);
        }
}

static inline void w_block_write(w_block *k, const w_spec *s, int layer, mtm_rng *r, w_bits *b, w_bytes *body)
{
    const bool mixed = s->style & MTM_BLOCK_HT_MIXED;
    const bool first = k->n_passes == 0;
    int n = 1 + (int)w_below(r, 9);

    if (k->n_passes + n > k->most_passes)
        n = k->most_passes - k->n_passes;
    if (k->ht && k->n_passes <= k->placeholders && k->n_passes + n > k->placeholders + 3)
        n = k->placeholders + 3 - k->n_passes;
    w_passes(b, (uint32_t)n);
    if (k->ht)
        w_block_ht(k, mixed, n, r, b, body);
    else
        w_block_ebcot(k, s->style, n, mixed && first, r, b, body);
    for (int l = layer; l < W_LAYERS; l++)
        k->passes_by_layer[l] = k->n_passes, k->bytes_by_layer[l] = (uint32_t)k->data.n;
}

/* One packet: B.9, B.10. */
static inline void w_packet_write(w_packet *out, w_tile *t, const w_spec *s, w_precinct_band *bands,
                                  mtm_rng *r, j2k_arena *a)
{
    const j2k_packet_id *const id = &out->id;
    const j2k_resolution *const res = &t->layout.components[id->component].resolutions[id->resolution];
    w_bits b = {0};
    bool empty = w_below(r, 8) == 0;

    for (int32_t i = 0; i < res->n_bands; i++) /* blocks that must begin here allow no empty packet */
        for (int64_t k = 0; k < res->bands[i].blocks_wide * res->bands[i].blocks_high; k++)
            empty &= t->blocks[t->base[id->component][id->resolution][i] + k].first_layer != id->layer;
    w_bit(&b, !empty);
    for (int32_t i = 0; i < res->n_bands && !empty; i++) {
        w_precinct_band *const p = &bands[i];

        if (!p->made)
            w_precinct_find(p, t, id, i, a);
        for (int y = 0; y < p->high; y++) {
            for (int x = 0; x < p->wide; x++) {
                w_block *const k = &t->blocks[t->base[id->component][id->resolution][i] +
                                              (p->y0 + y) * res->bands[i].blocks_wide + p->x0 + x];
                bool there = k->first_layer == id->layer;

                if (k->first_layer >= id->layer) {
                    w_tree_say(&b, &p->inclusion, x, y, id->layer + 1);
                } else {
                    there = k->n_passes < k->most_passes && w_below(r, 2);
                    w_bit(&b, there);
                }
                if (!there)
                    continue;
                if (k->first_layer == id->layer)
                    for (int limit = 1; limit <= k->zero_planes + 1; limit++)
                        w_tree_say(&b, &p->planes, x, y, limit);
                w_block_write(k, s, id->layer, r, &b, &out->body);
            }
        }
    }
    w_flush(&b);
    out->header = b.out;
    if (s->eph)
        w_put(&out->header, J2K_EPH, 2);
}

/* ---- tiles -------------------------------------------------------------------------------------------- */

static inline void w_tile_begin(w_tile *t, w_stream *w, const w_spec *s, int64_t index, mtm_rng *r)
{
    const int32_t planes = s->guard + s->exponent - 1;
    mtm_error err = {0};
    int64_t n = 0;

    assert_ok(
        j2k_tile_layout(&t->layout, &w->size, &w->params, index, NULL, UINT64_MAX, NULL, &w->arena, &err));
    for (int32_t c = 0; c < s->n_components; c++)
        for (int32_t i = 0; i <= s->levels; i++)
            for (int32_t k = 0; k < t->layout.components[c].resolutions[i].n_bands; k++) {
                const j2k_band *const b = &t->layout.components[c].resolutions[i].bands[k];

                t->base[c][i][k] = n, n += b->blocks_wide * b->blocks_high;
            }
    t->n_blocks = n;
    t->blocks = j2k_arena_take_zero(&w->arena, (size_t)n, sizeof *t->blocks);
    for (int64_t i = 0; i < n; i++) {
        w_block *const k = &t->blocks[i];

        k->first_layer = (int32_t)w_below(r, s->layers + 1u); /* layers: never */
        k->zero_planes = (int32_t)w_below(r, w_below(r, 5) ? 3 : 7);
        k->lblock = 3;
        k->ht = (s->style & MTM_BLOCK_HT) && (!(s->style & MTM_BLOCK_HT_MIXED) || w_below(r, 2));
        k->placeholders = k->ht ? 3 * (int32_t)w_below(r, 3) : 0;
        k->most_passes = k->ht ? 3 * (planes - k->zero_planes) - 3 : 3 * (planes - k->zero_planes) - 2;
        if (k->most_passes > 40)
            k->most_passes = 40;
    }
}

/* All packets of a tile, in order. */
static inline w_packet *w_tile_packets(w_tile *t, w_stream *w, const w_spec *s, mtm_rng *r, int64_t *n)
{
    w_packet *all = NULL;
    w_precinct_band *bands[4][33] = {{0}};
    j2k_packet_id id;
    j2k_walk *walk;
    mtm_error err = {0};

    *n = 0;
    assert_ok(j2k_walk_new(&walk, &t->layout, &w->size, &w->arena, &err));
    while (j2k_walk_next(walk, &id)) {
        const j2k_resolution *const res = &t->layout.components[id.component].resolutions[id.resolution];
        w_precinct_band **const at = &bands[id.component][id.resolution];

        if (!*at)
            *at = j2k_arena_take_zero(&w->arena, (size_t)(res->precincts_wide * res->precincts_high),
                                      3 * sizeof **at);
        all = mtm_realloc(all, (size_t)(*n + 1) * sizeof *all);
        assert_non_null(all);
        all[*n] = (w_packet){.id = id};
        w_packet_write(&all[*n], t, s, *at + 3 * id.precinct, r, &w->arena);
        ++*n;
    }
    return all;
}

static inline void w_varint(w_bytes *b, uint64_t x)
{
    for (int shift = 35; shift > 0; shift -= 7)
        if (x >> shift)
            w_put(b, (x >> shift & 127) | 128, 1);
    w_put(b, x & 127, 1);
}

/* One tile-part with packets [lo, hi). */
static inline void w_tile_part(w_bytes *out, const w_spec *s, int64_t tile, int part, const w_packet *packets,
                               int64_t lo, int64_t hi, w_bytes *ppm, uint32_t *sop)
{
    const size_t sot = out->n;
    w_bytes packed = {0};

    w_put(out, J2K_SOT, 2), w_put(out, 10, 2), w_put(out, (uint64_t)tile, 2), w_put(out, 0, 4);
    w_put(out, (uint64_t)part, 1), w_put(out, (uint64_t)s->parts, 1);
    if (s->plt) {
        const size_t at = w_begin(out, J2K_PLT);

        w_put(out, 0, 1);
        for (int64_t i = lo; i < hi; i++)
            w_varint(out, packets[i].body.n + (s->packed ? 0 : packets[i].header.n) + (s->sop ? 6 : 0));
        w_end(out, at);
    }
    for (int64_t i = lo; i < hi; i++)
        w_add(&packed, packets[i].header.p, packets[i].header.n);
    if (s->packed == W_PPT) {
        const size_t at = w_begin(out, J2K_PPT);

        w_put(out, s->seed & 1 ? 0 : (uint64_t)part, 1); /* numbered by tile-part or, as some do, by tile */
        w_add(out, packed.p, packed.n);
        w_end(out, at);
    }
    if (s->packed == W_PPM)
        w_put(ppm, packed.n, 4), w_add(ppm, packed.p, packed.n);
    mtm_free(packed.p);
    w_put(out, J2K_SOD, 2);
    for (int64_t i = lo; i < hi; i++) {
        if (s->sop)
            w_put(out, J2K_SOP, 2), w_put(out, 4, 2), w_put(out, (*sop)++ & 0xFFFF, 2);
        if (!s->packed)
            w_add(out, packets[i].header.p, packets[i].header.n);
        w_add(out, packets[i].body.p, packets[i].body.n);
    }
    w_set(out, sot + 6, out->n - sot, 4);
}

/* PPM in several segments, the first of which ends inside what it tells of. */
static inline void w_ppm(w_bytes *out, const w_bytes *ppm)
{
    int z = 0;

    for (size_t at = 0; at < ppm->n; at += 60000, z++) {
        const size_t n = ppm->n - at < 60000 ? ppm->n - at : 60000;
        const size_t half = z == 0 && n > 7 ? 7 : n;
        size_t length_at = w_begin(out, J2K_PPM);

        w_put(out, (uint64_t)(2 * z), 1), w_add(out, ppm->p + at, half), w_end(out, length_at);
        if (half < n) {
            length_at = w_begin(out, J2K_PPM);
            w_put(out, (uint64_t)(2 * z + 1), 1), w_add(out, ppm->p + at + half, n - half),
                w_end(out, length_at);
        }
    }
}

static inline void w_params_of(w_stream *w, const w_spec *s)
{
    w_bytes b = {0};
    j2k_header h;
    mtm_error err = {0};
    j2k_boxes boxes = {0};
    j2k_input in;

    w_main_header(&b, s);
    w_put(&b, J2K_SOT, 2), w_put(&b, 10, 2), w_put(&b, 0, 8);
    in = (j2k_input){.data = b.p, .size_bytes = b.n};
    boxes.codestream_bytes = b.n;
    assert_ok(j2k_header_read(&h, &in, &boxes, NULL, &w->arena, NULL, &err));
    w->size = h.size, w->params = h.params;
    w->n_tiles = h.size.tiles_x * h.size.tiles_y;
    mtm_free(b.p);
}

/* The whole codestream; tile-parts of all tiles take turns. */
static inline w_stream w_stream_new(const w_spec *s)
{
    w_stream w = {0};
    mtm_rng r = mtm_rng_at(s->seed, 0, 0, 0);
    w_bytes parts = {0}, ppm = {0}, tlm = {0};
    w_packet **packets;
    int64_t *n;
    uint32_t *sop;

    w_params_of(&w, s);
    w.tiles = j2k_arena_take_zero(&w.arena, (size_t)w.n_tiles, sizeof *w.tiles);
    packets = j2k_arena_take_zero(&w.arena, (size_t)w.n_tiles, sizeof *packets);
    n = j2k_arena_take_zero(&w.arena, (size_t)w.n_tiles, sizeof *n);
    sop = j2k_arena_take_zero(&w.arena, (size_t)w.n_tiles, sizeof *sop);
    for (int64_t t = 0; t < w.n_tiles; t++) {
        w_tile_begin(&w.tiles[t], &w, s, t, &r);
        packets[t] = w_tile_packets(&w.tiles[t], &w, s, &r, &n[t]);
    }
    for (int p = 0; p < s->parts; p++)
        for (int64_t t = 0; t < w.n_tiles; t++) {
            const size_t before = parts.n;

            w_tile_part(&parts, s, t, p, packets[t], n[t] * p / s->parts, n[t] * (p + 1) / s->parts, &ppm,
                        &sop[t]);
            w_put(&tlm, (uint64_t)t, 1), w_put(&tlm, parts.n - before, 4);
        }
    w_main_header(&w.out, s);
    if (s->tlm) {
        const size_t at = w_begin(&w.out, J2K_TLM);

        w_put(&w.out, 0, 1), w_put(&w.out, 0x50, 1), w_add(&w.out, tlm.p, tlm.n), w_end(&w.out, at);
    }
    w_ppm(&w.out, &ppm);
    w.main_bytes = w.out.n;
    w_add(&w.out, parts.p, parts.n);
    w_put(&w.out, J2K_EOC, 2);
    for (int64_t t = 0; t < w.n_tiles; t++) {
        for (int64_t i = 0; i < n[t]; i++)
            mtm_free(packets[t][i].header.p), mtm_free(packets[t][i].body.p);
        mtm_free(packets[t]);
    }
    mtm_free(parts.p), mtm_free(ppm.p), mtm_free(tlm.p);
    return w;
}

static inline void w_stream_free(w_stream *w)
{
    for (int64_t t = 0; w->tiles && t < w->n_tiles; t++)
        for (int64_t i = 0; i < w->tiles[t].n_blocks; i++)
            mtm_free(w->tiles[t].blocks[i].data.p);
    mtm_free(w->out.p);
    j2k_arena_free(&w->arena);
}

#endif
