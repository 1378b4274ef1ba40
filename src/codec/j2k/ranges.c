/* codec/j2k/ranges.c: mtm_j2k_plan: which bytes of a file a region, a resolution, some components or layers
 * need. From TLM, PLT and PLM where there are any; else packet headers are read, as decoding will.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "markers.h"

enum { FIRST_BYTES = 64 << 10 }; /* asked for when not even the headers are there */

typedef struct plan {
    mtm_j2k_ranges base; /* first: the handle is a pointer to it */
    int64_t room;
} plan;

void mtm_j2k_ranges_free(mtm_j2k_ranges *r)
{
    if (!r)
        return;
    mtm_free(r->ranges);
    mtm_free(r);
}

static void plan_free(plan *p)
{
    mtm_j2k_ranges_free(&p->base);
}

MTM_DEFINE_AUTO(plan, plan_free)

static void arena_drop(j2k_arena *a)
{
    j2k_arena_free(a);
}

/* Adds a range; in most cases it follows the last one. */
static bool plan_add(void *user, uint64_t offset, uint64_t end)
{
    plan *const p = user;
    mtm_byte_range *const last = p->base.n ? &p->base.ranges[p->base.n - 1] : NULL;

    if (last && offset >= last->offset && offset <= last->offset + last->size_bytes) {
        last->size_bytes = mtm_max_i64((int64_t)last->size_bytes, (int64_t)(end - last->offset));
        return true;
    }
    if (p->base.n == p->room) {
        const int64_t room = p->room ? 2 * p->room : 64;
        mtm_byte_range *const more = mtm_realloc(p->base.ranges, (size_t)room * sizeof *more);

        if (!more)
            return false;
        p->base.ranges = more, p->room = room;
    }
    p->base.ranges[p->base.n++] = (mtm_byte_range){offset, end - offset};
    return true;
}

static int range_compare(const void *a, const void *b)
{
    mtm_byte_range x, y;

    memcpy(&x, a, sizeof x), memcpy(&y, b, sizeof y);
    return x.offset < y.offset ? -1 : x.offset > y.offset;
}

/* Ascending, disjoint, joined, and inside the file. */
static void plan_finish(plan *p, uint64_t total_bytes)
{
    mtm_byte_range *const all = p->base.ranges;
    const int64_t n = p->base.n;

    if (!n)
        return;
    qsort(all, (size_t)n, sizeof *all, range_compare);
    p->base.n = 0;
    for (int64_t i = 0; i < n; i++) {
        const mtm_byte_range r = all[i];
        const uint64_t end = r.offset + r.size_bytes < total_bytes ? r.offset + r.size_bytes : total_bytes;

        if (r.offset < end)
            (void)plan_add(p, r.offset, end); /* has room: it writes no further than it reads */
    }
}

static bool rects_meet(j2k_rect a, j2k_rect b)
{
    return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
}

/* The bytes of one tile. */
static mtm_status tile_plan(plan *p, const j2k_stream *s, const j2k_want *want, int64_t index,
                            uint64_t total_bytes, const mtm_limits *lim, j2k_arena *arena, mtm_error *err)
{
    j2k_range_sink sink = {
        .add = plan_add, .user = p, .exact = p->base.exact, .need_bytes = p->base.need_bytes};
    const j2k_params *params;
    j2k_tile t;

    if (!s->tiles[index]) {
        if (s->need_bytes > p->base.need_bytes)
            p->base.need_bytes = s->need_bytes;
        p->base.exact &= !s->truncated;
        return MTM_OK;
    }
    MTM_TRY(j2k_tile_params(&params, s, index, arena, NULL, err));
    MTM_TRY(j2k_tile_layout(&t, &s->header->size, params, index, want, total_bytes, lim, arena, err));
    MTM_TRY(j2k_tile_ranges(&t, s, want, &sink, arena, err));
    p->base.exact = sink.exact, p->base.need_bytes = sink.need_bytes;
    return MTM_OK;
}

static mtm_status tiles_plan(plan *p, const j2k_stream *s, const j2k_want *want, uint64_t total_bytes,
                             const mtm_limits *lim, mtm_error *err)
{
    __attribute__((cleanup(arena_drop))) j2k_arena arena = {0};

    for (int64_t t = 0; t < s->n_tiles; t++) {
        if (rects_meet(j2k_tile_rect(&s->header->size, t), want->region))
            MTM_TRY(tile_plan(p, s, want, t, total_bytes, lim, &arena, err));
        /* Without TLM the way to a tile-part leads over all before it. */
        for (const j2k_tile_part *part = s->tiles[t]; part && !s->has_tlm; part = part->next)
            if (!plan_add(p, part->offset, part->offset + J2K_SOT_BYTES))
                return MTM_NOMEM(err);
        j2k_arena_reset(&arena);
    }
    return MTM_OK;
}

/* Headers first. *too_short: they go on behind the data. */
static mtm_status plan_make(plan *p, const j2k_input *in, const mtm_decode_params *params, bool *too_short,
                            j2k_arena *arena, mtm_error *err)
{
    const mtm_limits *const lim = params ? params->limits : NULL;
    const uint64_t total = in->total_bytes;
    const j2k_channel *channels;
    int32_t n_channels;
    j2k_boxes b;
    j2k_header h;
    j2k_stream s;
    j2k_want want;

    *too_short = in->size_bytes < total;
    MTM_TRY(j2k_boxes_read(&b, in, arena, NULL, err));
    MTM_TRY(j2k_header_read(&h, in, &b, lim, arena, NULL, err));
    *too_short = false;
    MTM_TRY(j2k_channels_make(&channels, &n_channels, &b, &h, arena, NULL, err));
    MTM_TRY(j2k_want_make(&want, &h, channels, n_channels, params, false, arena, err));
    MTM_TRY(j2k_stream_open(&s, in, &h, false, arena, NULL, err));
    /* The main header ends where SOT is seen. */
    if (!plan_add(p, 0, h.sot + J2K_SOT_BYTES) ||
        !plan_add(p, b.header_offset, b.header_offset + b.header_bytes))
        return MTM_NOMEM(err);
    return tiles_plan(p, &s, &want, total, lim, err);
}

mtm_status mtm_j2k_plan(mtm_j2k_ranges **out, const void *data, size_t size_bytes, uint64_t total_bytes,
                        const mtm_decode_params *p, mtm_error *err)
{
    const uint64_t total = total_bytes > size_bytes ? total_bytes : size_bytes;
    const j2k_input in = {.data = data, .size_bytes = size_bytes, .total_bytes = total, .partial = true};
    __attribute__((cleanup(arena_drop))) j2k_arena arena = {0};
    MTM_AUTO(plan) made = mtm_alloc_zero(1, sizeof *made);
    bool too_short = false;
    mtm_status status;

    if (!made)
        return MTM_NOMEM(err);
    if (total > INT64_MAX)
        return mtm_fail(err, MTM_E_INVAL, -1, "total_bytes is %" PRIu64, total);
    made->base.exact = true;
    status = plan_make(made, &in, p, &too_short, &arena, err);
    if (status == MTM_E_CORRUPT && too_short) { /* perhaps the data merely ended */
        const uint64_t more = 2 * (uint64_t)size_bytes > FIRST_BYTES ? 2 * (uint64_t)size_bytes : FIRST_BYTES;

        made->base.need_bytes = more < total ? more : total;
        made->base.exact = false;
    } else if (status != MTM_OK) {
        return status;
    }
    if (made->base.need_bytes > total) /* the file itself ends too early: more of it cannot be had */
        made->base.need_bytes = total > size_bytes ? total : 0;
    plan_finish(made, total);
    *out = &plan_steal(&made)->base;
    return MTM_OK;
}
