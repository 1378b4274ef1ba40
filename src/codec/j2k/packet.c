/* codec/j2k/packet.c: the packets of a tile (T.800 B.9, B.10): in which order, which of them are wanted,
 * where their headers and bodies lie, and which code-blocks get which bytes. Packets that nobody wants are
 * skipped by their length where PLT or PLM gives one, and reading ends with the last wanted one. Bytes stay
 * where they are: code-blocks get pieces that point at them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "packet.h"
#include "base/size.h"
#include "markers.h"

enum {
    PIECES_AT_ONCE = 128,
    /* Code-blocks with a state, wanted or not, before the input's length must account for them; as in
     * geometry.c. */
    FREE_STATES = 1 << 22,
    STATES_PER_BYTE = 64,
    SOP_BYTES = 6,
    MOST_HEADER_GUESS = 4096 /* bytes asked for when a tile-part's header is not there */
};

/* What is wanted of one resolution of one component. */
typedef struct lane_want {
    int64_t column0, column1, row0, row1; /* precincts that meet the windows */
    int64_t left;                         /* packets that did not come yet */
} lane_want;

typedef enum outcome {
    PACKET_READ,
    PACKET_MISSING, /* some of its bytes are not there */
    PACKET_DAMAGED, /* it breaks the rules */
    PACKET_FATAL    /* out of memory, or a limit: err is filled */
} outcome;

typedef struct packet_reader {
    j2k_tile *tile;
    const j2k_stream *s;
    const j2k_input *in;
    j2k_counts *counts;
    j2k_arena *arena;
    j2k_notes *notes;
    mtm_error *err;
    int32_t layers; /* wanted */
    int64_t *first_lane;
    lane_want *lanes; /* [first_lane[c] + r] */
    int64_t left;     /* of all lanes */
    j2k_packet_header header;
    /* Where we are. */
    const j2k_tile_part *part; /* NULL: behind the last one */
    uint64_t at, end;          /* in its body */
    uint64_t there;            /* bytes are present from `at` to here */
    const uint8_t *lengths, *lengths_end;
    bool use_lengths, skipped, lengths_wrong;
    bool packed;
    const uint8_t *packed_at, *packed_end;
    /* Memory. */
    j2k_piece *pieces;
    int32_t pieces_left;
    j2k_precinct once; /* state of the precinct, when it has one layer only */
    void *memory;      /* of it */
    size_t memory_bytes;
    uint64_t states; /* code-blocks that were given one */
    const char *wrong;
    uint64_t wrong_at;
    j2k_range_sink *plan; /* only collect ranges; NULL: read */
} packet_reader;

/* ---- what is wanted ----------------------------------------------------------------------------------- */

/* Precincts of a resolution that meet a band's window: columns and rows as numbers in the resolution. */
static void lane_window(lane_want *l, const j2k_resolution *res)
{
    bool any = false;

    for (int32_t i = 0; i < res->n_bands; i++) {
        const j2k_band *const b = &res->bands[i];
        const int32_t halved = b->orient != MTM_BAND_LL;
        const int32_t pw = res->precinct_w - halved, ph = res->precinct_h - halved;
        const int64_t x = res->full.x0 >> res->precinct_w, y = res->full.y0 >> res->precinct_h;
        lane_want w;

        if (!b->blocks_wide || !b->blocks_high)
            continue;
        w = (lane_want){(b->win.x0 >> pw) - x, ((b->win.x1 - 1) >> pw) - x + 1, (b->win.y0 >> ph) - y,
                        ((b->win.y1 - 1) >> ph) - y + 1, 0};
        if (any) {
            w.column0 = mtm_min_i64(w.column0, l->column0), w.column1 = mtm_max_i64(w.column1, l->column1);
            w.row0 = mtm_min_i64(w.row0, l->row0), w.row1 = mtm_max_i64(w.row1, l->row1);
        }
        *l = w, any = true;
    }
}

static mtm_status wants_make(packet_reader *r, const j2k_want *want)
{
    const j2k_tile *const t = r->tile;
    int64_t n = 0;

    r->layers = t->params->layers;
    if (want && want->layers && want->layers < r->layers)
        r->layers = want->layers;
    for (int32_t c = 0; c < t->n_components; c++)
        n += t->components[c].levels + 1;
    r->first_lane = j2k_arena_take(r->arena, (size_t)t->n_components * sizeof *r->first_lane);
    r->lanes = j2k_arena_take_zero(r->arena, (size_t)n, sizeof *r->lanes);
    if (!r->first_lane || !r->lanes)
        return MTM_NOMEM(r->err);
    n = 0;
    for (int32_t c = 0; c < t->n_components; c++) {
        const j2k_tile_component *const tc = &t->components[c];

        r->first_lane[c] = n;
        for (int32_t i = 0; i <= tc->top && tc->wanted; i++) {
            lane_want *const l = &r->lanes[n + i];

            lane_window(l, &tc->resolutions[i]);
            l->left = (l->column1 - l->column0) * (l->row1 - l->row0) * r->layers;
            r->left += l->left;
        }
        n += tc->levels + 1;
    }
    return MTM_OK;
}

static lane_want *lane_of(const packet_reader *r, const j2k_packet_id *id)
{
    return &r->lanes[r->first_lane[id->component] + id->resolution];
}

static bool packet_wanted(const packet_reader *r, const j2k_packet_id *id)
{
    const j2k_resolution *const res = &r->tile->components[id->component].resolutions[id->resolution];
    const lane_want *const l = lane_of(r, id);
    int64_t column, row;

    if (id->layer >= r->layers || l->column1 == l->column0)
        return false;
    column = id->precinct % res->precincts_wide, row = id->precinct / res->precincts_wide;
    return column >= l->column0 && column < l->column1 && row >= l->row0 && row < l->row1;
}

/* ---- tile-parts --------------------------------------------------------------------------------------- */

static void part_enter(packet_reader *r, const j2k_tile_part *part)
{
    r->part = part;
    if (!part)
        return;
    r->at = part->data_offset, r->end = part->end;
    r->there = r->at;
    r->lengths = part->lengths;
    r->lengths_end = part->lengths ? part->lengths + part->lengths_bytes : NULL;
}

/* Goes on to the tile-part that the next packet is in; false: there is none, or one whose packets cannot
 * be counted. */
static bool part_ready(packet_reader *r)
{
    while (r->part && r->part->data_offset && r->at >= r->end)
        part_enter(r, r->part->next);
    if (!r->part || !r->part->data_offset)
        return false;
    if (r->there <= r->at) {
        const uint64_t run = j2k_input_run(r->in, r->at);

        r->there = run < r->end ? run : r->end;
    }
    return true;
}

/* The next packet's length by PLT or PLM (T.800 A.7.2, A.7.3: 7 bits a byte, the last one below 128); 0:
 * not known. */
static uint64_t length_next(packet_reader *r)
{
    uint64_t v = 0;

    if (!r->use_lengths || !r->lengths || r->packed)
        return 0;
    while (r->lengths < r->lengths_end) {
        const uint8_t byte = *r->lengths++;

        if (v >> 40)
            break;
        v = v << 7 | (byte & 127);
        if (byte < 128) {
            if (v && v <= r->end - r->at)
                return v;
            break;
        }
    }
    r->lengths_wrong = true;
    return 0;
}

/* ---- one packet --------------------------------------------------------------------------------------- */

static outcome damaged(packet_reader *r, uint64_t at, const char *wrong)
{
    r->wrong = wrong, r->wrong_at = at;
    return PACKET_DAMAGED;
}

/* The state of the packet's precinct, kept between its layers if there are several; NULL: out of memory or
 * over a limit, and err is filled. */
static j2k_precinct *precinct_of(packet_reader *r, const j2k_resolution *res, const j2k_packet_id *id)
{
    const bool once = r->tile->params->layers == 1;
    const uint64_t bytes = r->s->header->end - r->s->header->offset;
    j2k_precinct *s = &r->once;

    if (!once && res->precincts[id->precinct])
        return res->precincts[id->precinct];
    j2k_precinct_shape(s, res, id->precinct);
    r->states += (uint64_t)s->n_blocks;
    if (r->states > FREE_STATES + STATES_PER_BYTE * bytes) {
        mtm_fail(r->err, MTM_E_LIMIT, (int64_t)r->at,
                 "tile %" PRId64 " has more code-blocks than %" PRIu64 " bytes can fill", r->tile->index,
                 bytes);
        return NULL;
    }
    if (!once || s->size_bytes > r->memory_bytes) {
        r->memory_bytes = s->size_bytes;
        r->memory = j2k_arena_take(r->arena, s->size_bytes);
        s = once ? s : j2k_arena_take(r->arena, sizeof *s);
        if (!r->memory || !s) {
            (void)MTM_NOMEM(r->err);
            return NULL;
        }
    }
    if (!once)
        *s = r->once, res->precincts[id->precinct] = s;
    j2k_precinct_begin(s, r->memory);
    return s;
}

static j2k_piece *piece_take(packet_reader *r)
{
    if (!r->pieces_left) {
        r->pieces = j2k_arena_take(r->arena, PIECES_AT_ONCE * sizeof *r->pieces);
        if (!r->pieces)
            return NULL;
        r->pieces_left = PIECES_AT_ONCE;
    }
    r->pieces_left--;
    return r->pieces++;
}

static void bytes_used(packet_reader *r, uint64_t end)
{
    if (r->counts && end > r->counts->bytes_used)
        r->counts->bytes_used = end;
}

/* Hangs one contribution, whose bytes begin at `at`, onto its code-block. */
static outcome piece_hang(packet_reader *r, const j2k_contribution *c, uint64_t at)
{
    j2k_codeblock *const b = c->block;
    j2k_piece *const p = piece_take(r);

    if (!p) {
        (void)MTM_NOMEM(r->err);
        return PACKET_FATAL;
    }
    if (c->size_bytes > INT32_MAX - b->total_bytes)
        return damaged(r, at, "a code-block of more than 2 GiB");
    *p = (j2k_piece){
        .data = r->in->data + at, .size_bytes = c->size_bytes, .n_passes = c->n_passes, .opens = c->opens};
    if (!b->first)
        b->first = p, r->counts->blocks_coded++;
    else
        b->last->next = p;
    b->last = p;
    b->n_passes = (uint16_t)(b->n_passes + c->n_passes);
    b->ht = c->mode == J2K_BLOCK_HT;
    b->total_bytes += c->size_bytes;
    bytes_used(r, at + c->size_bytes);
    return PACKET_READ;
}

/* The packet's body, from r->at on: T.800 B.9. */
static outcome body_read(packet_reader *r)
{
    const j2k_packet_header *const h = &r->header;
    uint64_t at = r->at;

    if (h->body_bytes > r->end - r->at)
        return damaged(r, r->at, "its body goes on behind the tile-part");
    r->at += h->body_bytes;
    for (int64_t i = 0; i < h->n; i++) {
        const j2k_contribution *const c = &h->list[i];

        if (c->block) {
            outcome o;

            if (at + c->size_bytes > r->there && !j2k_input_has(r->in, at, c->size_bytes))
                return PACKET_MISSING;
            if ((o = piece_hang(r, c, at)) != PACKET_READ)
                return o;
        }
        at += c->size_bytes;
    }
    return PACKET_READ;
}

/* Whether the header tells of as many bytes as PLT; where data may be damaged, PLT is believed. */
static outcome length_compare(packet_reader *r, uint64_t start, uint64_t length)
{
    if (!length || r->at + r->header.body_bytes == start + length)
        return PACKET_READ;
    if (r->in->partial)
        return damaged(r, start, "its header contradicts its length in PLT");
    r->lengths_wrong = true;
    return PACKET_READ;
}

/* Reads the packet at r->at; length: by PLT, or 0. */
static outcome packet_read(packet_reader *r, const j2k_packet_id *id, bool wanted, uint64_t length)
{
    const uint64_t start = r->at;
    const j2k_tile_component *const tc = &r->tile->components[id->component];
    const j2k_resolution *const res = &tc->resolutions[id->resolution];
    const uint8_t *const data = r->in->data;
    j2k_precinct *state;
    const uint8_t *from, *end;
    const char *wrong;
    bool overrun;
    outcome o;

    if (r->there > r->at && r->there - r->at >= SOP_BYTES) {
        if (data[r->at] == 0xFF && data[r->at + 1] == (J2K_SOP & 255))
            r->at += SOP_BYTES; /* T.800 A.8.1 */
    } else if (r->packed && r->tile->params->sop && r->there < r->end) {
        return PACKET_MISSING; /* whether there is one cannot be seen */
    }
    from = r->packed ? r->packed_at : data + r->at;
    end = r->packed ? r->packed_end : data + r->there;
    if (from >= end)
        return r->packed ? damaged(r, r->at, "the packed packet headers ended before it") : PACKET_MISSING;
    state = r->tile->params->layers == 1 ? NULL : res->precincts[id->precinct];
    if (state && state->broken)
        return PACKET_MISSING;
    if (!state && *from & 0x80 && !(state = precinct_of(r, res, id))) /* not empty: B.10.3 */
        return PACKET_FATAL;
    wrong = j2k_packet_header_read(&r->header, tc, res, state, id->layer, wanted, from, end, &overrun);
    if (r->header.out_of_memory) {
        (void)MTM_NOMEM(r->err);
        return PACKET_FATAL;
    }
    if (wrong) {
        return overrun && !r->packed && r->there < r->end ? PACKET_MISSING : damaged(r, r->at, wrong);
    }
    if (r->packed)
        r->packed_at = r->header.end;
    else
        r->at = (uint64_t)(r->header.end - data);
    if (!r->packed && wanted)
        bytes_used(r, r->at);
    if (r->packed && r->header.body_bytes && !part_ready(r))
        return damaged(r, r->at, "its body goes on behind the tile-part");
    o = length_compare(r, start, length);
    return o == PACKET_READ ? body_read(r) : o;
}

/* Marks the precinct of a packet that could not be read: what follows in it depends on it. */
static void packet_lost(packet_reader *r, const j2k_packet_id *id)
{
    const j2k_resolution *const res = &r->tile->components[id->component].resolutions[id->resolution];
    j2k_precinct *const state = r->tile->params->layers == 1 ? NULL : precinct_of(r, res, id);

    if (state)
        state->broken = true;
    r->counts->incomplete = true;
}

/* ---- all packets -------------------------------------------------------------------------------------- */

static mtm_status packet_fail(const packet_reader *r, const j2k_packet_id *id, outcome o, uint64_t start)
{
    const uint64_t at = o == PACKET_DAMAGED ? r->wrong_at : r->there;

    return mtm_fail(r->err, MTM_E_CORRUPT, (int64_t)at,
                    "the packet at byte %" PRIu64 " (tile %" PRId64 ", component %" PRId32
                    ", resolution %" PRId32 ", precinct %" PRId64 ", layer %" PRId32 "): %s",
                    start, r->tile->index, id->component, id->resolution, id->precinct, id->layer,
                    o == PACKET_DAMAGED ? r->wrong : "the data ends in it");
}

/* One packet, in whatever way. *go_on false: nothing behind it can be found. */
static mtm_status packet_pass(packet_reader *r, const j2k_packet_id *id, bool *go_on)
{
    const bool wanted = packet_wanted(r, id);
    const uint64_t start = r->at, length = length_next(r);
    outcome o;

    r->counts->packets++;
    if (r->lengths_wrong && r->skipped)
        return MTM_OK; /* read again, without lengths */
    if (length && !wanted) {
        r->at += length, r->skipped = true, r->counts->packets_skipped++;
        return MTM_OK;
    }
    o = packet_read(r, id, wanted, length);
    if (o == PACKET_FATAL)
        return r->err->code;
    if (o == PACKET_DAMAGED && r->skipped && !r->in->partial)
        r->lengths_wrong = true; /* or the data: without lengths we shall see */
    if (r->lengths_wrong && r->skipped)
        return MTM_OK;
    if (o == PACKET_READ) {
        if (wanted)
            lane_of(r, id)->left--, r->left--;
        return MTM_OK;
    }
    if (!r->in->partial)
        return packet_fail(r, id, o, start);
    packet_lost(r, id);
    *go_on = length > 0;
    if (*go_on)
        r->at = start + length;
    return MTM_OK;
}

/* The tile's data ended with wanted packets not read. */
static mtm_status packets_missing(const packet_reader *r)
{
    const j2k_tile_part *last = r->s->tiles[r->tile->index];
    uint64_t end;

    while (last && last->next)
        last = last->next;
    end = last ? last->end : r->s->header->end;
    if (!r->in->partial)
        return mtm_fail(r->err, MTM_E_CORRUPT, mtm_min_i64((int64_t)end, (int64_t)r->in->size_bytes),
                        "tile %" PRId64 " ends, but %" PRId64 " of its packets are missing", r->tile->index,
                        r->left);
    r->counts->incomplete = true;
    return MTM_OK;
}

/* The reduce at which nothing is missing: report->levels. */
static void complete_reduce(const packet_reader *r)
{
    for (int32_t c = 0; c < r->tile->n_components; c++) {
        const j2k_tile_component *const tc = &r->tile->components[c];
        int32_t whole = 0; /* resolutions from the lowest up */

        if (!tc->wanted || r->counts->reduce < 0)
            continue;
        while (whole <= tc->top && !r->lanes[r->first_lane[c] + whole].left)
            whole++;
        if (!whole)
            r->counts->reduce = -1;
        else if (tc->levels - (whole - 1) > r->counts->reduce)
            r->counts->reduce = tc->levels - (whole - 1);
    }
}

/* Whether packets may be skipped by their lengths. A skipped one leaves no state for the next layer's packet of its precinct,
 * which therefore must have a length, too: in all tile-parts or in none. */
static bool lengths_suffice(const packet_reader *r, const j2k_tile_part *first)
{
    for (const j2k_tile_part *p = first; p && r->tile->params->layers > 1; p = p->next)
        if (p->data_offset && p->end > p->data_offset && !p->lengths)
            return false;
    return true;
}

static void packets_begin(packet_reader *r, const j2k_tile_part *first)
{
    r->use_lengths &= lengths_suffice(r, first);
    part_enter(r, first);
    r->packed = first && first->headers;
    r->packed_at = first ? first->headers : NULL;
    r->packed_end = r->packed ? r->packed_at + first->headers_bytes : NULL;
}

static mtm_status packets_walk(packet_reader *r, const j2k_want *want)
{
    j2k_tile *const t = r->tile;
    const j2k_tile_part *const first = r->s->tiles[t->index];
    bool go_on = true, ended = false;
    j2k_packet_id id;
    j2k_walk *w;

    MTM_TRY(wants_make(r, want));
    if (!r->left)
        return MTM_OK;
    MTM_TRY(j2k_walk_new(&w, t, &r->s->header->size, r->arena, r->err));
    packets_begin(r, first);
    while (r->left && go_on && !(r->lengths_wrong && r->skipped) && j2k_walk_next(w, &id)) {
        if (!part_ready(r) && !(r->packed && r->packed_at < r->packed_end)) {
            ended = true;
            break;
        }
        MTM_TRY(packet_pass(r, &id, &go_on));
        if (r->lengths_wrong)
            r->use_lengths = false;
    }
    if (r->lengths_wrong && r->skipped)
        return MTM_OK;
    if (ended)
        MTM_TRY(packets_missing(r));
    if (ended || !go_on || r->counts->incomplete)
        complete_reduce(r);
    return MTM_OK;
}

static int64_t blocks_of(const j2k_tile *t)
{
    int64_t n = 0;

    for (int32_t c = 0; c < t->n_components; c++)
        for (int32_t r = 0; r <= t->components[c].top; r++)
            for (int32_t i = 0; i < t->components[c].resolutions[r].n_bands; i++) {
                const j2k_band *const b = &t->components[c].resolutions[r].bands[i];

                n += b->blocks_wide * b->blocks_high;
            }
    return n;
}

/* ---- ranges instead of packets ------------------------------------------------------------------------ */

static mtm_status range_add(const packet_reader *r, uint64_t offset, uint64_t end)
{
    return offset >= end || r->plan->add(r->plan->user, offset, end) ? MTM_OK : MTM_NOMEM(r->err);
}

/* All that is left of the tile from r->at on, since it cannot be told apart; more of the input's beginning
 * would help. */
static mtm_status rest_add(const packet_reader *r)
{
    const uint64_t size = r->in->size_bytes;
    uint64_t need = r->s->need_bytes;

    r->plan->exact = false;
    if (r->part && !r->part->data_offset)
        need = r->part->offset + MOST_HEADER_GUESS < r->part->end ? r->part->offset + MOST_HEADER_GUESS
                                                                  : r->part->end;
    else if (r->part)
        need = r->end;
    if (need > size && need > r->plan->need_bytes)
        r->plan->need_bytes = need;
    if (r->part && r->part->data_offset)
        MTM_TRY(range_add(r, r->at, r->end));
    for (const j2k_tile_part *p = !r->part               ? NULL
                                  : r->part->data_offset ? r->part->next
                                                         : r->part;
         p; p = p->next)
        MTM_TRY(range_add(r, p->offset, p->end));
    return MTM_OK;
}

/* One packet's bytes: by its length, else by its header, which reading needs, too. */
static mtm_status packet_plan(packet_reader *r, const j2k_packet_id *id, bool *go_on)
{
    const bool wanted = packet_wanted(r, id);
    const uint64_t start = r->at, length = length_next(r);
    outcome o = PACKET_READ;

    r->use_lengths &= !r->lengths_wrong;
    if (length)
        r->at += length;
    else if ((o = packet_read(r, id, false, 0)) == PACKET_FATAL)
        return r->err->code;
    if (o != PACKET_READ) {
        *go_on = false;
        r->at = start;
        return rest_add(r);
    }
    if (wanted)
        lane_of(r, id)->left--, r->left--;
    if (!length && !r->packed)
        r->plan->exact = false;
    if (!wanted && r->packed) /* of its body, what tells where the next one is */
        return range_add(r, start, r->at - r->header.body_bytes);
    return wanted || !length ? range_add(r, start, r->at) : MTM_OK;
}

static mtm_status packets_plan(packet_reader *r, const j2k_want *want)
{
    const j2k_tile_part *const first = r->s->tiles[r->tile->index], *entered = NULL;
    bool go_on = true;
    j2k_packet_id id;
    j2k_walk *w;

    MTM_TRY(wants_make(r, want));
    if (!r->left)
        return MTM_OK;
    MTM_TRY(j2k_walk_new(&w, r->tile, &r->s->header->size, r->arena, r->err));
    packets_begin(r, first);
    while (r->left && go_on && j2k_walk_next(w, &id)) {
        const bool ready = part_ready(r);

        for (const j2k_tile_part *p = entered ? entered->next : first; ready && entered != r->part;
             p = p->next) {
            MTM_TRY(range_add(r, p->offset, p->data_offset));
            entered = p;
        }
        if (!ready && !(r->packed && r->packed_at < r->packed_end))
            return rest_add(r);
        MTM_TRY(packet_plan(r, &id, &go_on));
    }
    return MTM_OK;
}

mtm_status j2k_tile_ranges(j2k_tile *t, const j2k_stream *s, const j2k_want *want, j2k_range_sink *sink,
                           j2k_arena *arena, mtm_error *err)
{
    mtm_error unused;
    packet_reader r = {.tile = t, .s = s, .in = s->in, .arena = arena, .plan = sink, .use_lengths = true};

    r.err = err ? err : &unused;
    r.header.arena = arena;
    return packets_plan(&r, want);
}

mtm_status j2k_tile_packets(j2k_tile *t, const j2k_stream *s, const j2k_want *want, j2k_counts *counts,
                            j2k_arena *arena, j2k_notes *notes, mtm_error *err)
{
    const j2k_counts before = *counts;
    mtm_error unused;
    packet_reader r = {.tile = t, .s = s, .in = s->in, .counts = counts, .arena = arena, .notes = notes};

    r.err = err ? err : &unused;
    r.header.arena = arena;
    r.use_lengths = true;
    MTM_TRY(packets_walk(&r, want));
    if (r.lengths_wrong)
        j2k_note(notes, "the packet lengths (PLT, PLM) of tile %" PRId64 " are wrong and ignored", t->index);
    if (r.lengths_wrong && r.skipped) { /* again from the start, without them */
        *counts = before;
        j2k_tile_reset(t);
        r = (packet_reader){.tile = t, .s = s, .in = s->in, .counts = counts, .arena = arena, .notes = notes};
        r.err = err ? err : &unused;
        r.header.arena = arena;
        MTM_TRY(packets_walk(&r, want));
    }
    counts->blocks += blocks_of(t);
    return MTM_OK;
}

void j2k_tile_reset(j2k_tile *t)
{
    for (int32_t c = 0; c < t->n_components; c++) {
        for (int32_t i = 0; i <= t->components[c].levels; i++) {
            j2k_resolution *const res = &t->components[c].resolutions[i];

            memset(res->precincts, 0,
                   (size_t)(res->precincts_wide * res->precincts_high) * sizeof *res->precincts);
            for (int32_t b = 0; b < res->n_bands; b++)
                if (res->bands[b].blocks)
                    memset(res->bands[b].blocks, 0,
                           (size_t)(res->bands[b].blocks_wide * res->bands[b].blocks_high) *
                               sizeof *res->bands[b].blocks);
        }
    }
}
