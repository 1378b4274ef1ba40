/* codec/j2k/tile_part.c: finds the tile-parts, from SOT to SOT, and reads their headers (T.800 A.4, A.7).
 * Where the next SOT is not there (a prefix, or ranges of a file), TLM says where it would be. A tile-part
 * that lies about its length, as DICOM files have them, is followed to the next marker: no code-block data
 * contains one (T.800 B.10.1, D.4.1).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "markers.h"

enum { MAX_TILE_PART_MARKERS = 4096 };

/* ---- segments that are numbered: PPM, PPT, PLM, PLT, TLM ---------------------------------------------- */

typedef struct numbered {
    int32_t n;
    uint64_t bytes;
    bool there[256];
    mtm_reader body[256]; /* behind the number */
} numbered;

static void numbered_begin(numbered *all)
{
    all->n = 0, all->bytes = 0;
    memset(all->there, 0, sizeof all->there);
}

static mtm_status numbered_add(numbered *all, j2k_segment *s, mtm_error *err)
{
    uint8_t z = 0;

    MTM_TRY(mtm_read_u8(&s->body, &z, err));
    if (all->there[z])
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->offset, "a second %s with number %d",
                        j2k_marker_rule_of(s->code)->name, z);
    all->there[z] = true, all->body[z] = s->body;
    all->n++, all->bytes += mtm_reader_left(&s->body);
    return MTM_OK;
}

/* All of them in order as one run of bytes: the input's own when there is but one. */
static mtm_status numbered_join(const numbered *all, const uint8_t **out, j2k_arena *arena, mtm_error *err)
{
    uint8_t *joined = NULL, *to;

    *out = NULL;
    if (all->n > 1 && !(joined = j2k_arena_take(arena, all->bytes)))
        return MTM_NOMEM(err);
    to = joined;
    for (int z = 0; z < 256; z++) {
        if (!all->there[z])
            continue;
        *out = all->body[z].data + all->body[z].at;
        if (joined)
            memcpy(to, *out, mtm_reader_left(&all->body[z])), to += mtm_reader_left(&all->body[z]);
    }
    if (joined)
        *out = joined;
    return MTM_OK;
}

/* ---- what the main header says of tile-parts: TLM, PLM, PPM ------------------------------------------- */

typedef struct tlm_entry {
    uint32_t tile, size_bytes;
} tlm_entry;

typedef struct pointers { /* pointer marker segments of the main header, T.800 A.7 */
    numbered ppm, plm, tlm;
    tlm_entry *entries;
    int64_t n_entries;
} pointers;

/* Entries of TLM (T.800 A.7.1) in order. What is odd makes them useless, not the codestream. */
static mtm_status tlm_read(pointers *p, j2k_arena *arena, j2k_notes *notes, mtm_error *err)
{
    p->entries = j2k_arena_take(arena, p->tlm.bytes / 2 * sizeof *p->entries);
    if (!p->entries)
        return MTM_NOMEM(err);
    for (int z = 0; z < 256; z++) {
        mtm_reader *const b = &p->tlm.body[z];
        uint8_t form = 0, v[6];
        size_t index_bytes, length_bytes;

        if (!p->tlm.there[z])
            continue;
        if (mtm_read_u8(b, &form, NULL) != MTM_OK)
            form = 0x30;
        index_bytes = form >> 4 & 3, length_bytes = form >> 6 & 1 ? 4 : 2;
        if (index_bytes == 3 || mtm_reader_left(b) % (index_bytes + length_bytes)) {
            j2k_note(notes, "TLM breaks its own form and is ignored");
            p->n_entries = 0;
            return MTM_OK;
        }
        while (mtm_read_bytes(b, v, index_bytes + length_bytes, NULL) == MTM_OK) {
            tlm_entry *const e = &p->entries[p->n_entries];

            *e = (tlm_entry){.tile = index_bytes ? 0 : (uint32_t)p->n_entries};
            for (size_t i = 0; i < index_bytes; i++)
                e->tile = e->tile << 8 | v[i];
            for (size_t i = 0; i < length_bytes; i++)
                e->size_bytes = e->size_bytes << 8 | v[index_bytes + i];
            p->n_entries++;
        }
    }
    return MTM_OK;
}

static mtm_status pointers_read(pointers *p, const j2k_input *in, const j2k_header *h, j2k_arena *arena,
                                j2k_notes *notes, mtm_error *err)
{
    uint64_t at = h->offset + 2;
    j2k_segment s;

    numbered_begin(&p->ppm), numbered_begin(&p->plm), numbered_begin(&p->tlm);
    p->n_entries = 0;
    if (!h->has_tlm && !h->has_plm && !h->has_ppm)
        return MTM_OK;
    while (at < h->sot) {
        MTM_TRY(j2k_segment_next(&s, in, &at, h->sot, err));
        if (s.code == J2K_PPM)
            MTM_TRY(numbered_add(&p->ppm, &s, err));
        else if (s.code == J2K_PLM)
            MTM_TRY(numbered_add(&p->plm, &s, err));
        else if (s.code == J2K_TLM)
            MTM_TRY(numbered_add(&p->tlm, &s, err));
    }
    return p->tlm.n ? tlm_read(p, arena, notes, err) : MTM_OK;
}

/* Hands every tile-part its packet headers: PPM is Nppm, Ippm for one tile-part after the other (T.800
 * A.7.4), split into marker segments anywhere. */
static mtm_status ppm_hand_out(const pointers *p, j2k_tile_part *const *parts, int32_t n, uint64_t offset,
                               j2k_arena *arena, mtm_error *err)
{
    const uint8_t *all;
    mtm_reader r;

    MTM_TRY(numbered_join(&p->ppm, &all, arena, err));
    r = mtm_reader_over(all, p->ppm.bytes, 0), r.big_endian = true;
    for (int32_t i = 0; i < n; i++) {
        uint32_t size_bytes = 0;

        if (mtm_read_u32(&r, &size_bytes, NULL) != MTM_OK || size_bytes > mtm_reader_left(&r))
            return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset,
                            "PPM ends inside the packet headers of tile-part %" PRId32, i);
        parts[i]->ppm = r.data + r.at, parts[i]->ppm_bytes = size_bytes;
        r.at += size_bytes;
    }
    return MTM_OK;
}

/* Hands every tile-part its packet lengths: PLM is Nplm, Iplm for one tile-part after the other (T.800
 * A.7.2). One byte of Nplm does not suffice for long ones, and writers differ then; what does not come out
 * even is ignored. */
static mtm_status plm_hand_out(const pointers *p, j2k_tile_part *const *parts, int32_t n, j2k_arena *arena,
                               j2k_notes *notes, mtm_error *err)
{
    const uint8_t *all;
    uint64_t at = 0;
    int32_t groups = 0;

    MTM_TRY(numbered_join(&p->plm, &all, arena, err));
    for (; at < p->plm.bytes; at += 1 + (uint64_t)all[at])
        groups++;
    if (at != p->plm.bytes || groups != n) {
        j2k_note(notes, "PLM does not fit the tile-parts and is ignored");
        return MTM_OK;
    }
    at = 0;
    for (int32_t i = 0; i < n; at += 1 + (uint64_t)all[at], i++)
        parts[i]->plm = all + at + 1, parts[i]->plm_bytes = all[at];
    return MTM_OK;
}

/* ---- from SOT to SOT ---------------------------------------------------------------------------------- */

typedef struct scan {
    j2k_stream *s;
    const pointers *p;
    j2k_tile_part **last;  /* [n_tiles] */
    j2k_tile_part **parts; /* in the order of the codestream; grows */
    int32_t room;
    bool use_tlm;
    j2k_arena *arena;
    j2k_notes *notes;
} scan;

static mtm_status part_add(scan *k, int64_t tile, uint64_t offset, uint64_t end, mtm_error *err)
{
    j2k_stream *const s = k->s;
    j2k_tile_part *const part = j2k_arena_take(k->arena, sizeof *part);

    if (s->n_tile_parts == k->room) {
        const int32_t room = k->room ? 2 * k->room : 16;
        j2k_tile_part **const more = j2k_arena_take(k->arena, (size_t)room * sizeof *more);

        if (!more)
            return MTM_NOMEM(err);
        if (k->room)
            memcpy(more, k->parts, (size_t)k->room * sizeof *more);
        k->parts = more, k->room = room;
    }
    if (!part)
        return MTM_NOMEM(err);
    *part = (j2k_tile_part){.offset = offset, .end = end, .number = (uint32_t)s->n_tile_parts};
    k->parts[s->n_tile_parts++] = part;
    if (k->last[tile])
        k->last[tile]->next = part;
    else
        s->tiles[tile] = part;
    k->last[tile] = part;
    return MTM_OK;
}

/* The first SOT or EOC from `at` on; 0: none. */
static uint64_t marker_find(const scan *k, uint64_t at)
{
    const j2k_input *const in = k->s->in;
    const uint64_t end = k->s->header->end;

    if (at >= end || !j2k_input_has(in, at, end - at))
        return 0;
    for (const uint8_t *p; (p = memchr(in->data + at, 0xFF, end - at)); at++) {
        at = (uint64_t)(p - in->data);
        if (end - at < 2)
            return 0;
        if (j2k_u16_at(in, at) == J2K_EOC)
            return at;
        if (j2k_u16_at(in, at) == J2K_SOT && end - at >= J2K_SOT_BYTES && j2k_u16_at(in, at + 2) == 10 &&
            j2k_u16_at(in, at + 4) < k->s->n_tiles)
            return at;
        if (at + 1 == end)
            return 0;
    }
    return 0;
}

/* Behind the SOD of the tile-part at `at`; behind its SOT when its header cannot be walked. */
static uint64_t data_find(const scan *k, uint64_t at)
{
    uint64_t next = at;
    j2k_segment s;

    while (j2k_segment_next(&s, k->s->in, &next, k->s->header->end, NULL) == MTM_OK)
        if (s.code == J2K_SOD)
            return next;
    return at + J2K_SOT_BYTES;
}

/* Where the tile-part at `at` ends: Psot (T.800 A.4.2) if a marker or the end follows there, else the next
 * marker. */
static uint64_t part_end(scan *k, uint64_t at, uint32_t psot)
{
    const j2k_input *const in = k->s->in;
    const uint64_t end = k->s->header->end, by_psot = at + psot;
    const bool inside = psot >= J2K_SOT_BYTES + 2 && by_psot <= end;
    uint64_t found;

    if (inside && (end - by_psot < 2 || !j2k_input_has(in, by_psot, 2) ||
                   j2k_u16_at(in, by_psot) == J2K_SOT || j2k_u16_at(in, by_psot) == J2K_EOC))
        return by_psot;
    found = marker_find(k, data_find(k, at));
    if (found && psot)
        j2k_note(k->notes,
                 "the tile-part at byte %" PRIu64 " says that it has %" PRIu32 " bytes, but has %" PRIu64, at,
                 psot, found - at);
    if (found)
        return found;
    if (!psot)
        return end;
    if (!inside)
        k->s->truncated = true;
    return psot >= J2K_SOT_BYTES + 2 ? by_psot : end;
}

/* The tile-part that TLM says is at `at`, where the bytes are not there. */
static mtm_status part_by_tlm(scan *k, uint64_t *at, bool *more, mtm_error *err)
{
    const tlm_entry *e;

    *more = k->use_tlm && k->s->n_tile_parts < k->p->n_entries;
    if (!*more)
        return MTM_OK;
    e = &k->p->entries[k->s->n_tile_parts];
    *more = e->tile < k->s->n_tiles && e->size_bytes >= J2K_SOT_BYTES + 2;
    if (!*more)
        return MTM_OK;
    MTM_TRY(part_add(k, e->tile, *at, *at + e->size_bytes, err));
    *at += e->size_bytes;
    return MTM_OK;
}

/* The tile-part at `at`, which begins with SOT. */
static mtm_status part_by_sot(scan *k, uint64_t *at, bool *more, mtm_error *err)
{
    const j2k_input *const in = k->s->in;
    const uint16_t tile = j2k_u16_at(in, *at + 4);
    const uint32_t psot = j2k_u32_at(in, *at + 6);
    const int32_t number = k->s->n_tile_parts;
    const uint64_t end = part_end(k, *at, psot);

    *more = true;
    if (tile >= k->s->n_tiles) {
        if (!in->partial)
            return mtm_fail(err, MTM_E_CORRUPT, (int64_t)*at + 4,
                            "tile-part of tile %d, but there are %" PRId64, tile, k->s->n_tiles);
        j2k_note(k->notes, "a tile-part of tile %d, which does not exist, is left out", tile);
        *at = end;
        return MTM_OK;
    }
    if (k->use_tlm && (number >= k->p->n_entries || k->p->entries[number].tile != tile ||
                       k->p->entries[number].size_bytes != end - *at)) {
        j2k_note(k->notes, "TLM does not fit tile-part %" PRId32 " and is ignored", number);
        k->use_tlm = false;
    }
    MTM_TRY(part_add(k, tile, *at, end, err));
    *at = end;
    return MTM_OK;
}

static mtm_status parts_find(scan *k, mtm_error *err)
{
    j2k_stream *const s = k->s;
    const j2k_input *const in = s->in;
    const uint64_t end = s->header->end;
    uint64_t at = s->header->sot;

    for (bool more = true; more;) {
        if (at < end && end - at >= 2 && j2k_input_has(in, at, 2) && j2k_u16_at(in, at) == J2K_EOC)
            return MTM_OK;
        if (at == end) {
            j2k_note(k->notes, "the codestream ends without EOC");
            return MTM_OK;
        }
        if (at > end || end - at < J2K_SOT_BYTES || !j2k_input_has(in, at, J2K_SOT_BYTES)) {
            MTM_TRY(part_by_tlm(k, &at, &more, err));
            if (!more)
                s->truncated = true, s->need_bytes = at + J2K_SOT_BYTES;
        } else if (j2k_u16_at(in, at) == J2K_SOT && j2k_u16_at(in, at + 2) == 10) {
            MTM_TRY(part_by_sot(k, &at, &more, err));
        } else {
            if (!s->n_tile_parts)
                return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at + 2, "SOT has a length of %u",
                                j2k_u16_at(in, at + 2));
            j2k_note(k->notes, "neither SOT nor EOC follows the last tile-part: what does is ignored");
            more = false;
        }
    }
    return MTM_OK;
}

/* ---- lists for info ----------------------------------------------------------------------------------- */

static void marker_list(j2k_stream *s, const j2k_segment *g)
{
    const j2k_marker_rule *const rule = j2k_marker_rule_of(g->code);

    s->markers[s->n_markers++] = (mtm_codec_marker){.code = g->code,
                                                    .name = rule ? rule->name : "",
                                                    .offset_bytes = (int64_t)g->offset,
                                                    .size_bytes = g->size_bytes};
}

static mtm_status markers_list(j2k_stream *s, j2k_tile_part *const *parts, j2k_arena *arena, mtm_error *err)
{
    const uint64_t end = s->header->end;
    uint64_t at = s->header->offset;
    int32_t n_main = 0;
    j2k_segment g;

    while (at < s->header->sot && j2k_segment_next(&g, s->in, &at, end, NULL) == MTM_OK)
        n_main++;
    s->markers = j2k_arena_take(arena, (size_t)(n_main + MAX_TILE_PART_MARKERS) * sizeof *s->markers);
    if (!s->markers)
        return MTM_NOMEM(err);
    at = s->header->offset;
    while (at < s->header->sot && j2k_segment_next(&g, s->in, &at, end, NULL) == MTM_OK)
        marker_list(s, &g);
    for (int32_t i = 0; i < s->n_tile_parts; i++) {
        at = parts[i]->offset;
        while (at < end && j2k_segment_next(&g, s->in, &at, end, NULL) == MTM_OK) {
            s->has_plt |= g.code == J2K_PLT;
            if (s->n_markers < n_main + MAX_TILE_PART_MARKERS)
                marker_list(s, &g);
            if (g.code == J2K_SOD)
                break;
        }
    }
    return MTM_OK;
}

mtm_status j2k_stream_open(j2k_stream *s, const j2k_input *in, const j2k_header *h, bool with_markers,
                           j2k_arena *arena, j2k_notes *notes, mtm_error *err)
{
    pointers p;
    scan k = {.s = s, .p = &p, .arena = arena, .notes = notes};

    *s = (j2k_stream){.in = in, .header = h, .n_tiles = h->size.tiles_x * h->size.tiles_y};
    s->has_tlm = h->has_tlm;
    s->tiles = j2k_arena_take_zero(arena, (size_t)s->n_tiles, sizeof(void *));
    k.last = j2k_arena_take_zero(arena, (size_t)s->n_tiles, sizeof(void *));
    if (!s->tiles || !k.last)
        return MTM_NOMEM(err);
    MTM_TRY(pointers_read(&p, in, h, arena, notes, err));
    k.use_tlm = p.n_entries > 0;
    MTM_TRY(parts_find(&k, err));
    if (!s->n_tile_parts && !in->partial)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)h->sot,
                        "the codestream ends before its first tile-part");
    if (p.ppm.n && s->n_tile_parts)
        MTM_TRY(ppm_hand_out(&p, k.parts, s->n_tile_parts, h->offset, arena, err));
    if (p.plm.n && s->n_tile_parts)
        MTM_TRY(plm_hand_out(&p, k.parts, s->n_tile_parts, arena, notes, err));
    return with_markers ? markers_list(s, k.parts, arena, err) : MTM_OK;
}

/* ---- headers of a tile -------------------------------------------------------------------------------- */

typedef struct tile_headers {
    const j2k_stream *s;
    int64_t index;
    j2k_params_reader reader;
    j2k_params params; /* the changed copy */
    numbered plt, ppt; /* of one tile-part */
} tile_headers;

/* A copy of the main header's parameters, made when the first marker segment wants to change them. */
static mtm_status params_copy(tile_headers *t, mtm_error *err)
{
    const j2k_params *const from = &t->s->header->params;
    const size_t n = (size_t)t->s->header->size.n_components;

    if (t->reader.params)
        return MTM_OK;
    t->params = *from;
    t->params.components = j2k_arena_take(t->reader.arena, n * sizeof *from->components);
    t->reader.seen = j2k_arena_take_zero(t->reader.arena, n, 1);
    if (!t->params.components || !t->reader.seen)
        return MTM_NOMEM(err);
    memcpy(t->params.components, from->components, n * sizeof *from->components);
    t->reader.params = &t->params;
    return MTM_OK;
}

static mtm_status tile_segment(tile_headers *t, j2k_segment *g, mtm_error *err)
{
    const j2k_marker_rule *const rule = j2k_marker_rule_of(g->code);

    if (!rule)
        return MTM_OK; /* T.800 A.1.3: skipped by its length */
    if (rule->traits & J2K_REFUSED)
        return mtm_fail(err, MTM_E_UNSUPPORTED, (int64_t)g->offset,
                        "%s is an extension of Part 2 that is not decoded", rule->name);
    if (!(rule->where & J2K_IN_TILE_PART))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)g->offset, "%s does not belong into a tile-part header",
                        rule->name);
    if (g->code == J2K_PLT)
        return numbered_add(&t->plt, g, err);
    if (g->code == J2K_PPT)
        return numbered_add(&t->ppt, g, err);
    if (!(rule->traits & J2K_KEYED))
        return MTM_OK;
    MTM_TRY(params_copy(t, err));
    return j2k_params_apply(&t->reader, g, err);
}

/* One tile-part's header, from SOT to SOD. */
static mtm_status tile_part_header(tile_headers *t, j2k_tile_part *part, mtm_error *err)
{
    const j2k_input *const in = t->s->in;
    uint64_t at = part->offset;
    const uint64_t end = mtm_min_i64((int64_t)part->end, (int64_t)in->size_bytes);
    j2k_segment g;

    part->data_offset = 0;
    part->headers = part->ppm, part->headers_bytes = part->ppm_bytes;
    part->lengths = part->plm, part->lengths_bytes = part->plm_bytes;
    numbered_begin(&t->plt), numbered_begin(&t->ppt);
    t->reader.seen_once = 0;
    MTM_TRY(j2k_segment_next(&g, in, &at, end, err));
    if (g.code != J2K_SOT || g.size_bytes != J2K_SOT_BYTES || j2k_u16_at(in, part->offset + 4) != t->index)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)part->offset,
                        "no tile-part of tile %" PRId64 " is where TLM says", t->index);
    for (;;) {
        MTM_TRY(j2k_segment_next(&g, in, &at, end, err));
        if (g.code == J2K_SOD)
            break;
        if (g.code == J2K_SOT || g.code == J2K_EOC)
            return mtm_fail(err, MTM_E_CORRUPT, (int64_t)g.offset, "a tile-part's header ends without SOD");
        MTM_TRY(tile_segment(t, &g, err));
    }
    part->data_offset = at;
    if (t->plt.n) {
        MTM_TRY(numbered_join(&t->plt, &part->lengths, t->reader.arena, err));
        part->lengths_bytes = t->plt.bytes;
    }
    if (t->ppt.n && t->s->header->has_ppm)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)part->offset, "PPT in a codestream that has PPM");
    if (t->ppt.n) {
        MTM_TRY(numbered_join(&t->ppt, &part->headers, t->reader.arena, err));
        part->headers_bytes = t->ppt.bytes;
    }
    return MTM_OK;
}

/* Packet headers of the whole tile, one tile-part's after the other, into its first tile-part: a header
 * may stand in an earlier tile-part than its packet (T.800 A.7.5). */
static mtm_status packed_headers_join(j2k_tile_part *first, j2k_arena *arena, mtm_error *err)
{
    uint64_t bytes = 0;
    bool any = false;
    uint8_t *to;

    for (const j2k_tile_part *p = first; p; p = p->next)
        any |= p->headers != NULL, bytes += p->headers_bytes;
    if (!any || !first->next)
        return MTM_OK;
    if (!(to = j2k_arena_take(arena, bytes)))
        return MTM_NOMEM(err);
    bytes = 0;
    for (const j2k_tile_part *p = first; p; p = p->next) {
        if (p->headers_bytes)
            memcpy(to + bytes, p->headers, p->headers_bytes);
        bytes += p->headers_bytes;
    }
    first->headers = to, first->headers_bytes = bytes;
    return MTM_OK;
}

mtm_status j2k_tile_params(const j2k_params **out, const j2k_stream *s, int64_t index, j2k_arena *arena,
                           j2k_notes *notes, mtm_error *err)
{
    tile_headers t;
    j2k_tile_part *const first = s->tiles[index];
    j2k_params *changed;

    *out = &s->header->params;
    t.s = s, t.index = index;
    t.reader = (j2k_params_reader){
        .size = &s->header->size, .tile = true, .orders_fresh = true, .arena = arena, .notes = notes};
    for (j2k_tile_part *p = first; p; p = p->next) {
        const bool whole = p->end >= p->offset && j2k_input_has(s->in, p->offset, p->end - p->offset);
        const mtm_status status = tile_part_header(&t, p, err);

        if (status != MTM_OK && (status != MTM_E_CORRUPT || (whole && !s->in->partial)))
            return status;
        if (status != MTM_OK && whole)
            j2k_note(notes, "the header of a tile-part of tile %" PRId64 " is damaged", index);
    }
    if (first)
        MTM_TRY(packed_headers_join(first, arena, err));
    if (!t.reader.params)
        return MTM_OK;
    MTM_TRY(j2k_params_check(&t.params, &s->header->size, first->offset, notes, err));
    if (!(changed = j2k_arena_take(arena, sizeof *changed)))
        return MTM_NOMEM(err);
    *changed = t.params;
    *out = changed;
    return MTM_OK;
}
