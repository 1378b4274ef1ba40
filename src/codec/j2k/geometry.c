/* codec/j2k/geometry.c: where everything lies: tiles, components, resolutions, subbands, precincts and
 * code-blocks on their grids (T.800 annex B), and the windows of them that a region needs. All in 64-bit
 * integers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/size.h"
#include "j2k.h"

enum {
    REACH_REVERSIBLE =
        2, /* samples on each side that one sample of the inverse 5/3 filter depends on: F.3.8.2 */
    REACH_IRREVERSIBLE = 4, /* the same for 9/7: F.3.8.1 */
    /* What a layout may hold before the input's length must account for it. */
    FREE_RESOLUTIONS = 1 << 16,
    RESOLUTIONS_PER_BYTE = 2, /* each that is not empty has a packet of at least one byte */
    FREE_BLOCKS = 1 << 22,
    BLOCKS_PER_BYTE = 64 /* empty packets tell of many blocks in one byte */
};

/* ⌈a / 2^n⌉ for any sign of a. */
static int64_t ceil_shift(int64_t a, int32_t n)
{
    return (a + ((INT64_C(1) << n) - 1)) >> n;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static bool rect_empty(j2k_rect r)
{
    return r.x1 <= r.x0 || r.y1 <= r.y0;
}

static j2k_rect rect_meet(j2k_rect a, j2k_rect b)
{
    return (j2k_rect){mtm_max_i64(a.x0, b.x0), mtm_max_i64(a.y0, b.y0), mtm_min_i64(a.x1, b.x1),
                      mtm_min_i64(a.y1, b.y1)};
}

j2k_rect j2k_component_rect(const j2k_size *s, int32_t c, int32_t reduce, j2k_rect region)
{
    const int64_t dx = (int64_t)s->components[c].dx << reduce, dy = (int64_t)s->components[c].dy << reduce;

    return (j2k_rect){ceil_div(region.x0, dx), ceil_div(region.y0, dy), ceil_div(region.x1, dx),
                      ceil_div(region.y1, dy)};
}

j2k_rect j2k_tile_rect(const j2k_size *s, int64_t index)
{
    const int64_t w = s->tile.x1 - s->tile.x0, h = s->tile.y1 - s->tile.y0;
    const int64_t x = s->tile.x0 + index % s->tiles_x * w, y = s->tile.y0 + index / s->tiles_x * h;

    return rect_meet(s->image, (j2k_rect){x, y, x + w, y + h});
}

/* Band of orientation `orient` after n decompositions: T.800 equation B-15. */
static j2k_rect band_rect(j2k_rect tc, uint8_t orient, int32_t n)
{
    const int64_t half = n > 0 ? INT64_C(1) << (n - 1) : 0;
    const int64_t ox = orient & MTM_BAND_HL ? half : 0, oy = orient & MTM_BAND_LH ? half : 0;

    return (j2k_rect){ceil_shift(tc.x0 - ox, n), ceil_shift(tc.y0 - oy, n), ceil_shift(tc.x1 - ox, n),
                      ceil_shift(tc.y1 - oy, n)};
}

/* The part of a band whose coefficients lie, interleaved (F.3.3), inside `made`. */
static j2k_rect band_window(j2k_rect made, uint8_t orient)
{
    const int64_t low_x = orient & MTM_BAND_HL ? 0 : 1, low_y = orient & MTM_BAND_LH ? 0 : 1;

    return (j2k_rect){(made.x0 + low_x) >> 1, (made.y0 + low_y) >> 1, (made.x1 + low_x) >> 1,
                      (made.y1 + low_y) >> 1};
}

/* Mb and Δb: T.800 equations E-2, E-3 and, for derived quantisation, E-5. n: the band's decomposition
 * level. */
static void band_quantiser(j2k_band *b, const j2k_component_params *p, uint8_t bits, int32_t r, int32_t n)
{
    const j2k_quant *const q = &p->quant;
    const int32_t gain = (b->orient & 1) + (b->orient >> 1);
    const int32_t entry = q->style == 1 ? 0 : r == 0 ? 0 : 3 * (r - 1) + b->orient;
    const int32_t e = q->exponent[entry] - (q->style == 1 ? p->coding.levels - n : 0);
    const int32_t planes = q->guard + e - 1;

    b->n_planes = (uint8_t)(planes > 0 ? planes : 0);
    b->step =
        p->coding.reversible ? 1.0f : ldexpf(1.0f + (float)q->mantissa[entry] / 2048.0f, bits + gain - e);
}

static void band_layout(j2k_band *b, const j2k_tile_component *tc, int32_t r, uint8_t orient, uint8_t bits)
{
    const j2k_coding *const k = &tc->params->coding;
    const j2k_resolution *const res = &tc->resolutions[r];
    const int32_t n = r == 0 ? tc->levels : tc->levels - r + 1;
    const int32_t halved = r > 0;

    b->orient = orient;
    b->full = band_rect(tc->full, orient, n);
    band_quantiser(b, tc->params, bits, r, n);
    b->win = r > tc->top || rect_empty(res->made)
                 ? (j2k_rect){b->full.x0, b->full.y0, b->full.x0, b->full.y0}
                 : rect_meet(b->full, r == 0 ? res->need : band_window(res->made, orient));
    b->block_w = (uint8_t)mtm_min_i64(k->block_w, res->precinct_w - halved);
    b->block_h = (uint8_t)mtm_min_i64(k->block_h, res->precinct_h - halved);
    if (rect_empty(b->win)) {
        b->win = (j2k_rect){b->full.x0, b->full.y0, b->full.x0, b->full.y0};
        return;
    }
    b->block_x0 = b->win.x0 >> b->block_w, b->block_y0 = b->win.y0 >> b->block_h;
    b->blocks_wide = ceil_shift(b->win.x1, b->block_w) - b->block_x0;
    b->blocks_high = ceil_shift(b->win.y1, b->block_h) - b->block_y0;
}

/* What resolution r must make so that `need` comes out right; for r = 0 there is no filter. */
static j2k_rect widen(j2k_rect need, j2k_rect full, bool reversible)
{
    const int64_t reach = reversible ? REACH_REVERSIBLE : REACH_IRREVERSIBLE;

    return rect_meet(full, (j2k_rect){need.x0 - reach, need.y0 - reach, need.x1 + reach, need.y1 + reach});
}

/* `need` and `made` of all resolutions, from the top one down. */
static void windows_layout(j2k_tile_component *tc, j2k_rect top_need)
{
    j2k_rect need = top_need;

    for (int32_t r = tc->levels; r >= 0; r--) {
        j2k_resolution *const res = &tc->resolutions[r];
        const j2k_rect none = {res->full.x0, res->full.y0, res->full.x0, res->full.y0};

        if (r > tc->top) {
            res->need = res->made = none;
            continue;
        }
        res->need = rect_meet(res->full, need);
        if (rect_empty(res->need))
            res->need = none;
        res->made = r == 0 || rect_empty(res->need)
                        ? res->need
                        : widen(res->need, res->full, tc->params->coding.reversible);
        need = rect_empty(res->made) ? res->made : band_window(res->made, MTM_BAND_LL);
    }
}

static void resolution_layout(j2k_tile_component *tc, int32_t r, uint8_t bits)
{
    j2k_resolution *const res = &tc->resolutions[r];
    const j2k_coding *const k = &tc->params->coding;

    res->precinct_w = k->precinct_w[r], res->precinct_h = k->precinct_h[r];
    if (!rect_empty(res->full)) {
        res->precincts_wide = ceil_shift(res->full.x1, res->precinct_w) - (res->full.x0 >> res->precinct_w);
        res->precincts_high = ceil_shift(res->full.y1, res->precinct_h) - (res->full.y0 >> res->precinct_h);
    }
    res->n_bands = r == 0 ? 1 : 3;
    for (int32_t i = 0; i < res->n_bands; i++)
        band_layout(&res->bands[i], tc, r, (uint8_t)(r == 0 ? MTM_BAND_LL : MTM_BAND_HL + i), bits);
}

static mtm_status component_layout(j2k_tile_component *tc, const j2k_tile *t, const j2k_size *s, int32_t c,
                                   const j2k_want *want, j2k_arena *arena, mtm_error *err)
{
    const int32_t reduce = want ? want->reduce : 0;
    j2k_rect need = {0, 0, 0, 0};

    tc->params = &t->params->components[c];
    tc->levels = tc->params->coding.levels;
    tc->full = j2k_component_rect(s, c, 0, t->full);
    tc->top = -1;
    tc->resolutions = j2k_arena_take_zero(arena, (size_t)tc->levels + 1, sizeof *tc->resolutions);
    if (!tc->resolutions)
        return MTM_NOMEM(err);
    if (tc->wanted) {
        if (reduce > tc->levels)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "reduce is %" PRId32 ", but tile %" PRId64 " allows %" PRId32 " at most", reduce,
                            t->index, tc->levels);
        tc->top = tc->levels - reduce;
        need = j2k_component_rect(s, c, reduce,
                                  want && !want->whole ? rect_meet(want->region, t->full) : t->full);
    }
    for (int32_t r = 0; r <= tc->levels; r++) /* T.800 equation B-14 */
        tc->resolutions[r].full = band_rect(tc->full, MTM_BAND_LL, tc->levels - r);
    windows_layout(tc, need);
    for (int32_t r = 0; r <= tc->levels; r++)
        resolution_layout(tc, r, s->components[c].bits);
    return MTM_OK;
}

/* Arrays of code-blocks and precincts, once their number is known to be one that the input can account
 * for. */
static mtm_status take_arrays(j2k_tile *t, uint64_t bytes, const mtm_limits *lim, j2k_arena *arena,
                              mtm_error *err)
{
    const uint64_t most = bytes > UINT64_MAX / BLOCKS_PER_BYTE - FREE_BLOCKS
                              ? UINT64_MAX
                              : FREE_BLOCKS + bytes * BLOCKS_PER_BYTE;
    uint64_t n = 0, n_bytes = 0;

    for (int32_t c = 0; c < t->n_components; c++) {
        for (int32_t r = 0; r <= t->components[c].levels; r++) {
            j2k_resolution *const res = &t->components[c].resolutions[r];
            const uint64_t precincts = (uint64_t)res->precincts_wide * (uint64_t)res->precincts_high;

            n += precincts, n_bytes += precincts * sizeof *res->precincts;
            for (int32_t i = 0; i < res->n_bands; i++) {
                j2k_band *const b = &res->bands[i];
                const uint64_t blocks = (uint64_t)b->blocks_wide * (uint64_t)b->blocks_high;

                n += blocks, n_bytes += blocks * sizeof *b->blocks;
                if (n > most || n_bytes > lim->max_bytes)
                    return mtm_fail(err, MTM_E_LIMIT, -1,
                                    "tile %" PRId64 " has more code-blocks and precincts than %" PRIu64
                                    " bytes can fill",
                                    t->index, bytes);
                b->blocks = blocks ? j2k_arena_take_zero(arena, blocks, sizeof *b->blocks) : NULL;
                if (blocks && !b->blocks)
                    return MTM_NOMEM(err);
            }
            if (n > most || n_bytes > lim->max_bytes)
                return mtm_fail(err, MTM_E_LIMIT, -1,
                                "tile %" PRId64 " has more precincts than %" PRIu64 " bytes can fill",
                                t->index, bytes);
            res->precincts = j2k_arena_take_zero(arena, precincts, sizeof *res->precincts);
            if (!res->precincts)
                return MTM_NOMEM(err);
        }
    }
    return MTM_OK;
}

/* Components that are reconstructed: those wanted, and their partners in the component transform (T.800
 * G.1). */
static void mark_wanted(j2k_tile *t, const j2k_want *want)
{
    bool partners = false;

    for (int32_t c = 0; c < t->n_components; c++) {
        t->components[c].wanted = !want || !want->components || want->components[c];
        partners |= c < 3 && t->components[c].wanted;
    }
    for (int32_t c = 0; c < 3 && c < t->n_components && t->params->mct && partners; c++)
        t->components[c].wanted = true;
}

mtm_status j2k_tile_layout(j2k_tile *t, const j2k_size *s, const j2k_params *p, int64_t index,
                           const j2k_want *want, uint64_t bytes, const mtm_limits *lim, j2k_arena *arena,
                           mtm_error *err)
{
    const mtm_limits limits = lim ? *lim : mtm_limits_default();
    uint64_t resolutions = 0;

    for (int32_t c = 0; c < s->n_components; c++)
        resolutions += (uint64_t)p->components[c].coding.levels + 1;
    if (resolutions > FREE_RESOLUTIONS && (resolutions - FREE_RESOLUTIONS) / RESOLUTIONS_PER_BYTE > bytes)
        return mtm_fail(err, MTM_E_LIMIT, -1,
                        "%" PRIu64 " resolutions in a tile are more than %" PRIu64 " bytes can fill",
                        resolutions, bytes);
    *t = (j2k_tile){
        .index = index, .full = j2k_tile_rect(s, index), .params = p, .n_components = s->n_components};
    t->components = j2k_arena_take_zero(arena, (size_t)t->n_components, sizeof *t->components);
    if (!t->components)
        return MTM_NOMEM(err);
    mark_wanted(t, want);
    for (int32_t c = 0; c < t->n_components; c++)
        MTM_TRY(component_layout(&t->components[c], t, s, c, want, arena, err));
    return take_arrays(t, bytes, &limits, arena, err);
}
