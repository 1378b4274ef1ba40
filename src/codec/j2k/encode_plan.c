/* codec/j2k/encode_plan.c: from mtm_encode_params to a checked plan: every field is refused with a sentence of its own, or
 * holds for the rest of the encoder.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "base/size.h"
#include "encode.h"

enum { USUAL_LEVELS = 5, LEAST_BASE = 8, MOST_BASE = 64 /* of the shorter side, DICOM PS3.5 10.18 */ };
enum { MAX_BITS = 32, MAX_SIDE = 1024, LOG2_MAX_BLOCK = 12, MAX_COMMENT = 65531 };

static const int64_t MAX_GRID = UINT32_MAX; /* Xsiz and Ysiz, T.800 table A.9 */

static int32_t log2_exact(int64_t x)
{
    return x > 0 && (x & (x - 1)) == 0 ? 63 - __builtin_clzll((uint64_t)x) : -1;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* ---- components (SIZ) --------------------------------------------------------------------------------- */

static mtm_status component_check(j2k_component_size *c, const mtm_array *plane, const mtm_encode_params *p,
                                  int32_t i, mtm_error *err)
{
    const int32_t dtype_bits = 8 * (int32_t)mtm_dtype_size(plane->dtype);
    const int32_t dy = p->subsampling ? p->subsampling[i][0] : 1,
                  dx = p->subsampling ? p->subsampling[i][1] : 1;

    if (plane->dtype < MTM_U8 || plane->dtype > MTM_I32)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "JPEG 2000 is written from integers of 8 to 32 bits, not from %s",
                        mtm_dtype_name(plane->dtype));
    if (plane->device != MTM_DEVICE_CPU || plane->ndim != 2 || plane->shape[0] < 1 || plane->shape[1] < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "plane %d is no [Y, X] array of pixels in memory", (int)i);
    if (dx < 1 || dx > 255 || dy < 1 || dy > 255)
        return mtm_fail(err, MTM_E_INVAL, -1, "subsampling %d, %d of plane %d is not within 1 … 255", (int)dy,
                        (int)dx, (int)i);
    *c = (j2k_component_size){
        .bits = (uint8_t)(p->bits ? p->bits : dtype_bits), .dx = (uint8_t)dx, .dy = (uint8_t)dy};
    c->is_signed = plane->dtype == MTM_I8 || plane->dtype == MTM_I16 || plane->dtype == MTM_I32;
    return MTM_OK;
}

/* The end of the image on the reference grid, one axis: the greatest that gives plane i its extent n (equation B-1), and the
 * least, joined with those of the planes before. */
static bool extent_join(int64_t *least, int64_t *greatest, int64_t origin, int64_t n, int32_t d)
{
    const int64_t last = ceil_div(origin, d) + n;

    *greatest = mtm_min_i64(*greatest, last * d);
    *least = mtm_max_i64(*least, (last - 1) * d + 1);
    return *least <= *greatest && *least <= MAX_GRID;
}

static mtm_status image_check(j2k_size *s, const mtm_array *planes, const mtm_encode_params *p,
                              mtm_error *err)
{
    int64_t least_y = 1, least_x = 1, greatest_y = MAX_GRID, greatest_x = MAX_GRID;

    if (p->origin[0] < 0 || p->origin[1] < 0 || p->origin[0] >= MAX_GRID || p->origin[1] >= MAX_GRID)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the image's origin (%" PRId64 ", %" PRId64 ") is not on the reference grid",
                        p->origin[0], p->origin[1]);
    for (int32_t i = 0; i < s->n_components; i++)
        if (planes[i].shape[0] > MAX_GRID || planes[i].shape[1] > MAX_GRID ||
            !extent_join(&least_y, &greatest_y, p->origin[0], planes[i].shape[0], s->components[i].dy) ||
            !extent_join(&least_x, &greatest_x, p->origin[1], planes[i].shape[1], s->components[i].dx))
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "plane %d of %" PRId64 " x %" PRId64
                            " pixels fits no image whose other planes and subsampling are these",
                            (int)i, planes[i].shape[0], planes[i].shape[1]);
    s->image = (j2k_rect){p->origin[1], p->origin[0], greatest_x, greatest_y};
    return MTM_OK;
}

static mtm_status tiles_check(j2k_size *s, const mtm_encode_params *p, mtm_error *err)
{
    const int64_t ty = p->tile_origin[0], tx = p->tile_origin[1];
    const int64_t h = p->tile[0] ? p->tile[0] : s->image.y1 - ty,
                  w = p->tile[1] ? p->tile[1] : s->image.x1 - tx;

    if (ty < 0 || tx < 0 || ty > s->image.y0 || tx > s->image.x0)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the tiles' origin (%" PRId64 ", %" PRId64 ") is not above and left of the image's",
                        ty, tx);
    if (h < 1 || w < 1 || h > MAX_GRID || w > MAX_GRID)
        return mtm_fail(err, MTM_E_INVAL, -1, "tiles of %" PRId64 " x %" PRId64 " pixels", p->tile[0],
                        p->tile[1]);
    if (ty + h <= s->image.y0 || tx + w <= s->image.x0)
        return mtm_fail(err, MTM_E_INVAL, -1, "the first tile holds no pixel of the image");
    s->tile = (j2k_rect){tx, ty, tx + w, ty + h};
    s->tiles_x = ceil_div(s->image.x1 - tx, w), s->tiles_y = ceil_div(s->image.y1 - ty, h);
    if (s->tiles_x > J2K_MAX_TILES || s->tiles_y > J2K_MAX_TILES || s->tiles_x * s->tiles_y > J2K_MAX_TILES)
        return mtm_fail(err, MTM_E_INVAL, -1, "%" PRId64 " x %" PRId64 " tiles are more than 65535",
                        s->tiles_y, s->tiles_x);
    return MTM_OK;
}

static mtm_status size_make(j2k_size *s, const mtm_array *planes, int32_t n_planes,
                            const mtm_encode_params *p, j2k_arena *arena, mtm_error *err)
{
    if (n_planes < 1 || n_planes > J2K_MAX_COMPONENTS)
        return mtm_fail(err, MTM_E_INVAL, -1, "%d planes are not within 1 … 16384", (int)n_planes);
    if (p->bits < 0 || p->bits > MAX_BITS)
        return mtm_fail(err, MTM_E_INVAL, -1, "a precision of %d bits is not within 1 … 32", (int)p->bits);
    *s = (j2k_size){.n_components = n_planes};
    s->components = j2k_arena_take_zero(arena, (size_t)n_planes, sizeof *s->components);
    if (!s->components)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n_planes; i++)
        MTM_TRY(component_check(&s->components[i], &planes[i], p, i, err));
    MTM_TRY(image_check(s, planes, p, err));
    return tiles_check(s, p, err);
}

/* ---- coding style (COD) ------------------------------------------------------------------------------- */

static mtm_status levels_check(j2k_coding *c, const j2k_size *s, const mtm_encode_params *p, mtm_error *err)
{
    const int64_t side = mtm_min_i64(s->image.x1 - s->image.x0, s->image.y1 - s->image.y0);
    int32_t levels = 0;

    if (p->levels < -1 || p->levels > J2K_MAX_LEVELS)
        return mtm_fail(err, MTM_E_INVAL, -1, "%d decomposition levels are not within 0 … 32, or -1",
                        (int)p->levels);
    while (ceil_div(side, (int64_t)1 << levels) > (levels < USUAL_LEVELS ? LEAST_BASE : MOST_BASE))
        levels++;
    c->levels = (uint8_t)(p->levels >= 0 ? p->levels : levels);
    return MTM_OK;
}

static mtm_status block_check(j2k_coding *c, const mtm_encode_params *p, mtm_error *err)
{
    const int32_t h = p->block[0] ? p->block[0] : 64, w = p->block[1] ? p->block[1] : 64;
    const int32_t lh = log2_exact(h), lw = log2_exact(w);

    if (lh < 2 || lw < 2 || h > MAX_SIDE || w > MAX_SIDE || lh + lw > LOG2_MAX_BLOCK)
        return mtm_fail(
            err, MTM_E_INVAL, -1,
            "code-blocks of %d x %d: sides are powers of two, 4 … 1024, and their product at most 4096",
            (int)h, (int)w);
    c->block_h = (uint8_t)lh, c->block_w = (uint8_t)lw;
    return MTM_OK;
}

/* From the highest resolution down, the last one repeated. */
static mtm_status precincts_check(j2k_coding *c, const mtm_encode_params *p, mtm_error *err)
{
    if (p->n_precincts < 0 || p->n_precincts > c->levels + 1 || (p->n_precincts > 0 && !p->precincts))
        return mtm_fail(err, MTM_E_INVAL, -1, "%d precinct sizes for %d resolutions", (int)p->n_precincts,
                        c->levels + 1);
    for (int32_t r = 0; r <= c->levels; r++) {
        const int32_t i = (int32_t)mtm_min_i64(c->levels - r, p->n_precincts - 1);
        const int32_t h = i < 0 ? 1 << 15 : p->precincts[i][0], w = i < 0 ? 1 << 15 : p->precincts[i][1];
        const int32_t lh = log2_exact(h), lw = log2_exact(w), least = r > 0; /* T.800 table A.21 */

        if (lh < least || lw < least || lh > 15 || lw > 15)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "precincts of %d x %d at resolution %d: sides are powers of two, %d … 32768",
                            (int)h, (int)w, (int)r, 1 << least);
        c->precinct_h[r] = (uint8_t)lh, c->precinct_w[r] = (uint8_t)lw;
    }
    return MTM_OK;
}

static mtm_status progression_check(j2k_encode_plan *plan, const mtm_encode_params *p, mtm_error *err)
{
    static const char *const names[] = {"LRCP", "RLCP", "RPCL", "PCRL", "CPRL"};
    const char *const name = p->progression ? p->progression : "RPCL";
    int32_t i = 0;

    while (i < 5 && strcmp(name, names[i]))
        i++;
    if (i == 5)
        return mtm_fail(err, MTM_E_INVAL, -1, "progression \"%s\" is not LRCP, RLCP, RPCL, PCRL or CPRL",
                        name);
    plan->params.progression = (uint8_t)i;
    plan->by_resolution = p->tile_parts && !strcmp(p->tile_parts, "R");
    if (p->tile_parts && *p->tile_parts && !plan->by_resolution)
        return mtm_fail(err, MTM_E_INVAL, -1, "tile-parts \"%s\" are neither \"R\" nor \"\"", p->tile_parts);
    if (plan->by_resolution && i != 1 && i != 2)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "tile-parts by resolution need progression RPCL or RLCP, not %s", name);
    return MTM_OK;
}

/* The first three planes of one size, precision and sign (T.800 G.2.1, G.3.1). */
static mtm_status mct_check(j2k_encode_plan *plan, const mtm_encode_params *p, mtm_error *err)
{
    const j2k_component_size *const c = plan->size.components;
    bool fits = plan->size.n_components >= 3;

    for (int32_t i = 1; fits && i < 3; i++)
        fits = c[i].bits == c[0].bits && c[i].is_signed == c[0].is_signed && c[i].dx == c[0].dx &&
               c[i].dy == c[0].dy && plan->planes[i].dtype == plan->planes[0].dtype;
    if (p->mct < -1 || p->mct > 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "mct %d is not -1, 0 or 1", (int)p->mct);
    if (p->mct == 1 && !fits)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "a component transform needs three planes of one size, element type and precision");
    plan->params.mct = p->mct == 1 || (p->mct < 0 && fits && !(p->color && !strcmp(p->color, "sycc")));
    return MTM_OK;
}

/* ---- what only one of the codecs has ------------------------------------------------------------------ */

static mtm_status codec_check(j2k_encode_plan *plan, const mtm_encode_params *p, mtm_error *err)
{
    const char *const codec = p->codec ? p->codec : "htj2k";

    plan->ht = !strcmp(codec, "htj2k");
    if (!plan->ht && strcmp(codec, "j2k"))
        return mtm_fail(err, MTM_E_INVAL, -1, "codec \"%s\" is neither \"htj2k\" nor \"j2k\"", codec);
    if (p->layers < 0 || p->layers > J2K_MAX_LAYERS)
        return mtm_fail(err, MTM_E_INVAL, -1, "%d quality layers are not within 1 … 65535", (int)p->layers);
    if (p->style < 0 || p->style > 63)
        return mtm_fail(err, MTM_E_INVAL, -1, "code-block style %d has bits that mean nothing",
                        (int)p->style);
    if (!isfinite(p->rate) || p->rate < 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "a rate of %g bits per pixel", p->rate);
    if (plan->ht && (p->layers > 1 || p->style || p->rate > 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "%s needs codec \"j2k\": a high-throughput block is one pass",
                        p->layers > 1 ? "layers"
                        : p->rate > 0 ? "a rate"
                                      : "a code-block style");
    plan->rate = p->rate;
    plan->params.layers = (uint16_t)(p->layers ? p->layers : 1);
    return MTM_OK;
}

static mtm_status lossy_check(j2k_encode_plan *plan, const mtm_encode_params *p, mtm_error *err)
{
    plan->lossy = p->lossy;
    if (!p->lossy && (p->quality != 0 || p->step != 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "%s is given without lossy",
                        p->quality != 0 ? "quality" : "step");
    if (p->quality != 0 && p->step != 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "quality and step are both given");
    if (p->quality != 0 && !(p->quality >= 1 && p->quality <= 100))
        return mtm_fail(err, MTM_E_INVAL, -1, "quality %g is not within 1 … 100", p->quality);
    if (p->step != 0 && !(p->step > 0 && p->step <= 1))
        return mtm_fail(err, MTM_E_INVAL, -1, "step %g is not a part of the range", p->step);
    return MTM_OK;
}

/* T.800 I.2: JP2 holds Part 1; T.814 annex D: JPH holds HTJ2K. */
static mtm_status container_check(j2k_encode_plan *plan, const mtm_encode_params *p, mtm_error *err)
{
    static const struct {
        const char *name;
        uint32_t enum_cs;
        int32_t channels;
    } colors[] = {{"gray", J2K_CS_GRAY, 1}, {"srgb", J2K_CS_SRGB, 3}, {"sycc", J2K_CS_SYCC, 3}};
    const char *const name = p->container ? p->container : "codestream";
    const char *const color = p->color ? p->color : plan->size.n_components >= 3 ? "srgb" : "gray";
    int32_t i = 0;

    plan->container = !strcmp(name, "jp2") ? J2K_JP2 : !strcmp(name, "jph") ? J2K_JPH : J2K_CODESTREAM;
    if (plan->container == J2K_CODESTREAM && strcmp(name, "codestream"))
        return mtm_fail(err, MTM_E_INVAL, -1, "container \"%s\" is not codestream, jp2 or jph", name);
    if ((plan->container == J2K_JP2 && plan->ht) || (plan->container == J2K_JPH && !plan->ht))
        return mtm_fail(err, MTM_E_INVAL, -1, "container \"%s\" holds codec \"%s\"", name,
                        plan->ht ? "j2k" : "htj2k");
    while (i < 3 && strcmp(color, colors[i].name))
        i++;
    if (i == 3 || plan->size.n_components < colors[i].channels)
        return mtm_fail(err, MTM_E_INVAL, -1, "color \"%s\" is not gray, srgb or sycc with planes for it",
                        color);
    plan->enum_cs = colors[i].enum_cs;
    return MTM_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------------- */

/* Tile columns and rows are looked at once each: a tile-component's columns depend on its column of tiles alone. */
static j2k_singles singles_of(const j2k_size *size, int32_t component, int32_t levels)
{
    j2k_singles s = {.x = {false}};

    for (int64_t i = 0; i < size->tiles_x || i < size->tiles_y; i++) {
        const int64_t column = mtm_min_i64(i, size->tiles_x - 1), row = mtm_min_i64(i, size->tiles_y - 1);
        const j2k_rect tile = j2k_tile_rect(size, row * size->tiles_x + column);

        j2k_singles_add(&s, levels, j2k_component_rect(size, component, 0, tile));
    }
    return s;
}

static bool same_grid(const j2k_component_size *a, const j2k_component_size *b)
{
    return a->dx == b->dx && a->dy == b->dy;
}

/* Where a rate limits the picture, the quantiser shall not. */
static double base_step(const mtm_encode_params *p, int32_t bits)
{
    return p->quality != 0 ? j2k_quality_step(p->quality, bits)
           : p->step != 0  ? p->step
           : p->rate > 0   ? ldexp(1, -bits)
                           : 1.0 / 256;
}

static mtm_status coding_make(j2k_encode_plan *plan, const mtm_encode_params *p, j2k_arena *arena,
                              mtm_error *err)
{
    j2k_coding c = {.reversible = !plan->lossy, .style = (uint8_t)(plan->ht ? MTM_BLOCK_HT : p->style)};

    MTM_TRY(levels_check(&c, &plan->size, p, err));
    MTM_TRY(block_check(&c, p, err));
    MTM_TRY(precincts_check(&c, p, err));
    plan->params.components =
        j2k_arena_take_zero(arena, (size_t)plan->size.n_components, sizeof *plan->params.components);
    if (!plan->params.components)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < plan->size.n_components; i++)
        plan->params.components[i].coding = c;
    return MTM_OK;
}

static mtm_status comment_make(j2k_encode_plan *plan, const mtm_encode_params *p, j2k_arena *arena,
                               mtm_error *err)
{
    const size_t n = p->comment ? strlen(p->comment) : 0;
    char *const text = j2k_arena_take(arena, n + 1);

    if (n > MAX_COMMENT)
        return mtm_fail(err, MTM_E_INVAL, -1, "a comment of %zu bytes is longer than 65531", n);
    if (!text)
        return MTM_NOMEM(err);
    memcpy(text, p->comment ? p->comment : "", n + 1);
    plan->comment = text;
    return MTM_OK;
}

/* How far apart the pixels of each plane are; values beyond the precision are refused here. */
static mtm_status ranges_make(j2k_encode_plan *plan, j2k_arena *arena, mtm_error *err)
{
    j2k_range *const ranges = j2k_arena_take(arena, (size_t)plan->size.n_components * sizeof *ranges);

    if (!ranges)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < plan->size.n_components; i++)
        MTM_TRY(j2k_encode_look(&ranges[i], plan, i, err));
    plan->ranges = ranges;
    return MTM_OK;
}

/* Bits of the precision that the spread of the pixels leaves unused in every component, in steps of three: fewer bit-planes
 * make shorter packet headers and tell decoders that int16 will do, and the frames of a series still have few different
 * main headers between them. */
static int32_t unused_bits(const j2k_encode_plan *plan)
{
    int32_t least = MTM_BLOCK_MAX_PLANES;

    for (int32_t i = 0, n = plan->params.mct ? 3 : 1; i < plan->size.n_components; i += n, n = 1) {
        const j2k_range r = j2k_encode_range(plan, i, n);
        const int32_t needed = r.lo == r.hi ? 0 : 64 - __builtin_clzll((uint64_t)(r.hi - r.lo));
        const int32_t unused = plan->size.components[i].bits - needed;

        least = unused < least ? unused : least;
    }
    return least / 3 * 3;
}

/* Exponents and steps of each component (QCD, QCC). */
static mtm_status quant_make(j2k_encode_plan *plan, const mtm_encode_params *p, mtm_error *err)
{
    const j2k_component_size *const c = plan->size.components;
    const int32_t levels = plan->params.components[0].coding.levels;
    const int32_t unused = plan->lossy ? 0 : unused_bits(plan);
    j2k_singles s;

    for (int32_t i = 0; i < plan->size.n_components; i++) {
        j2k_quant *const q = &plan->params.components[i].quant;
        const double step = base_step(p, c[i].bits);

        if (i == 0 || !same_grid(&c[i], &c[i - 1]))
            s = singles_of(&plan->size, i, levels);
        if (plan->lossy)
            MTM_TRY(j2k_quant_irreversible(q, levels, &s, step, err));
        else
            j2k_quant_reversible(q, levels, &s, c[i].bits, c[i].bits - unused, plan->params.mct && i < 3);
    }
    return MTM_OK;
}

mtm_status j2k_encode_plan_make(j2k_encode_plan *plan, const mtm_array *planes, int32_t n_planes,
                                const mtm_encode_params *p, const mtm_kernels *k, j2k_arena *arena,
                                mtm_error *err)
{
    *plan = (j2k_encode_plan){.planes = planes, .kernels = k, .plt = !p->no_plt, .tlm = !p->no_tlm};
    plan->params.sop = p->sop, plan->params.eph = p->eph;
    MTM_TRY(codec_check(plan, p, err));
    MTM_TRY(lossy_check(plan, p, err));
    MTM_TRY(size_make(&plan->size, planes, n_planes, p, arena, err));
    MTM_TRY(progression_check(plan, p, err));
    MTM_TRY(mct_check(plan, p, err));
    MTM_TRY(container_check(plan, p, err));
    MTM_TRY(comment_make(plan, p, arena, err));
    MTM_TRY(coding_make(plan, p, arena, err));
    MTM_TRY(ranges_make(plan, arena, err));
    MTM_TRY(quant_make(plan, p, err));
    plan->tile_parts = plan->by_resolution ? plan->params.components[0].coding.levels + 1 : 1;
    return MTM_OK;
}
