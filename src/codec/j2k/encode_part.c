/* codec/j2k/encode_part.c: a tile's packets in their order, cut into tile-parts: SOT, PLT, SOD and the packets: T.800 A.4,
 * A.7.3, A.8, B.12.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

enum { SOT = 0xFF90, SOP = 0xFF91, EPH = 0xFF92, SOD = 0xFF93, PLT = 0xFF58 };
enum {
    SOT_BYTES = 12,
    SOP_BYTES = 6,
    EPH_BYTES = 2,
    PLT_HEAD_BYTES = 5,
    PLT_ROOM = 65535 - 3,
    PLT_SEGMENTS = 256
};

typedef struct packet {
    j2k_packet_id id;
    size_t header_at;
    uint32_t header_bytes;
    uint64_t body_bytes;
} packet;

/* All packets of the tile, and their headers' bits one after the other. */
struct j2k_packets {
    packet *all;
    int64_t n;
    j2k_header_bits bits;
};

static int64_t count_packets(const j2k_tile *t)
{
    int64_t n = 0;

    for (int32_t c = 0; c < t->n_components; c++)
        for (int32_t r = 0; r <= t->components[c].levels; r++) {
            const j2k_resolution *const res = &t->components[c].resolutions[r];

            n += res->precincts_wide * res->precincts_high * t->params->layers;
        }
    return n;
}

static mtm_status packets_new(j2k_packets **out, const j2k_encoder *e, const j2k_tile *t, mtm_error *err)
{
    j2k_packets *const p = j2k_arena_take_zero(e->arena, 1, sizeof *p);

    if (!p || !(p->all = j2k_arena_take(e->arena, (size_t)count_packets(t) * sizeof *p->all)))
        return MTM_NOMEM(err);
    p->bits.arena = e->arena;
    *out = p;
    return MTM_OK;
}

mtm_status j2k_packets_make(j2k_encoder *e, j2k_encode_tile *t, mtm_error *err)
{
    j2k_packets *p;
    j2k_walk *walk;
    j2k_packet_id id;

    if (!t->packets)
        MTM_TRY(packets_new(&t->packets, e, &t->tile, err));
    p = t->packets, p->n = 0, p->bits.size_bytes = 0, p->bits.left = 8;
    t->round++;
    MTM_TRY(j2k_walk_new(&walk, &t->tile, &e->plan->size, e->arena, err));
    while (j2k_walk_next(walk, &id)) {
        packet *const k = &p->all[p->n++];

        *k = (packet){.id = id, .header_at = p->bits.size_bytes};
        MTM_TRY(j2k_packet_header(e, t, &id, &p->bits, &k->body_bytes, err));
        k->header_bytes = (uint32_t)(p->bits.size_bytes - k->header_at);
    }
    return MTM_OK;
}

static uint64_t packet_bytes(const j2k_encode_plan *plan, const packet *k)
{
    return (plan->params.sop ? SOP_BYTES : 0) + k->header_bytes + (plan->params.eph ? EPH_BYTES : 0) +
           k->body_bytes;
}

/* ---- packet lengths (T.800 A.7.3) --------------------------------------------------------------------- */

static int32_t length_bytes(uint64_t length) /* seven bits a byte */
{
    return length ? (70 - __builtin_clzll(length)) / 7 : 1;
}

/* Bytes of the PLT segments for these packets; an entry does not cross segments. */
static uint64_t plt_bytes(const j2k_encode_plan *plan, const packet *all, int64_t n, int64_t *segments)
{
    uint64_t bytes = 0, filled = PLT_ROOM;

    *segments = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t one = (uint64_t)length_bytes(packet_bytes(plan, &all[i]));

        if (filled + one > PLT_ROOM)
            ++*segments, bytes += PLT_HEAD_BYTES, filled = 0;
        filled += one, bytes += one;
    }
    return bytes;
}

static void write_plt(mtm_bytes *b, const j2k_encode_plan *plan, const packet *all, int64_t n)
{
    size_t head = 0;
    uint64_t filled = PLT_ROOM, number = 0;

    for (int64_t i = 0; i < n; i++) {
        const uint64_t length = packet_bytes(plan, &all[i]);
        const int32_t one = length_bytes(length);

        if (filled + (uint64_t)one > PLT_ROOM) {
            head = b->size_bytes, filled = 0;
            j2k_put(b, PLT, 2), j2k_put(b, 0, 2), j2k_put(b, number++, 1);
        }
        for (int32_t k = one - 1; k >= 0; k--)
            j2k_put(b, (length >> 7 * k & 127) | (k ? 128 : 0), 1);
        filled += (uint64_t)one;
        b->data[head + 2] = (uint8_t)((filled + 3) >> 8), b->data[head + 3] = (uint8_t)(filled + 3);
    }
}

/* ---- one tile-part ------------------------------------------------------------------------------------ */

typedef struct part {
    int32_t number;
    int64_t first, n; /* packets */
    uint64_t bytes;   /* from SOT on */
    int64_t plt_segments;
} part;

/* The tile-part behind `last` (number −1: the first one). */
static part next_part(const j2k_encode_plan *plan, const j2k_packets *p, const part *last)
{
    part w = {.number = last->number + 1, .first = last->first + last->n, .bytes = SOT_BYTES + 2};

    while (w.first + w.n < p->n && (!plan->by_resolution || p->all[w.first + w.n].id.resolution == w.number))
        w.bytes += packet_bytes(plan, &p->all[w.first + w.n++]);
    if (plan->plt)
        w.bytes += plt_bytes(plan, p->all + w.first, w.n, &w.plt_segments);
    return w;
}

uint64_t j2k_tile_parts_bytes(const j2k_encoder *e, const j2k_encode_tile *t)
{
    part w = {.number = -1};
    uint64_t bytes = 0;

    for (int32_t i = 0; i < e->plan->tile_parts; i++) {
        w = next_part(e->plan, t->packets, &w);
        bytes += w.bytes;
    }
    return bytes;
}

static void write_packets(j2k_encoder *e, const j2k_encode_tile *t, const part *w)
{
    mtm_bytes *const b = e->out;

    for (int64_t i = w->first; i < w->first + w->n; i++) {
        const packet *const k = &t->packets->all[i];

        if (e->plan->params.sop) /* T.800 A.8.1: Nsop counts the tile's packets */
            j2k_put(b, SOP, 2), j2k_put(b, 4, 2), j2k_put(b, (uint64_t)i & 0xFFFF, 2);
        memcpy(b->data + b->size_bytes, t->packets->bits.data + k->header_at, k->header_bytes);
        b->size_bytes += k->header_bytes;
        if (e->plan->params.eph)
            j2k_put(b, EPH, 2);
        b->size_bytes = (size_t)(j2k_packet_body(t, &k->id, b->data + b->size_bytes) - b->data);
    }
}

static mtm_status write_part(j2k_encoder *e, const j2k_encode_tile *t, const part *w, mtm_error *err)
{
    const j2k_encode_plan *const plan = e->plan;

    if (w->plt_segments > PLT_SEGMENTS)
        return mtm_fail(err, MTM_E_INVAL, -1, "%" PRId64 " packets of a tile-part are more than PLT can list",
                        w->n);
    if (w->bytes > UINT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1,
                        "a tile-part of %" PRIu64 " bytes is longer than 4 GiB: use tiles", w->bytes);
    j2k_put(e->out, SOT, 2), j2k_put(e->out, 10, 2), j2k_put(e->out, (uint64_t)t->tile.index, 2);
    j2k_put(e->out, w->bytes, 4), j2k_put(e->out, (uint64_t)w->number, 1),
        j2k_put(e->out, (uint64_t)plan->tile_parts, 1);
    if (plan->plt)
        write_plt(e->out, plan, t->packets->all + w->first, w->n);
    j2k_put(e->out, SOD, 2);
    write_packets(e, t, w);
    if (plan->tlm)
        j2k_write_tlm_entry(e, t->tile.index, (uint32_t)w->bytes);
    return MTM_OK;
}

mtm_status j2k_encode_tile_parts(j2k_encoder *e, j2k_encode_tile *t, mtm_error *err)
{
    const uint64_t bytes = j2k_tile_parts_bytes(e, t);
    part w = {.number = -1};

    if (bytes > SIZE_MAX / 2)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_bytes_reserve(e->out, (size_t)bytes, err));
    for (int32_t i = 0; i < e->plan->tile_parts; i++) {
        w = next_part(e->plan, t->packets, &w);
        MTM_TRY(write_part(e, t, &w, err));
    }
    return MTM_OK;
}
