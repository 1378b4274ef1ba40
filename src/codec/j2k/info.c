/* codec/j2k/info.c: what a codestream and its container say of themselves, for people and for mtm_codec_info.
 * Only headers are read.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "stream.h"

typedef struct j2k_info {
    mtm_codec_info base; /* first: the handle is a pointer to it */
    j2k_arena arena;
    j2k_notes notes;
    const char *warnings[J2K_NOTES];
} j2k_info;

void j2k_info_free(mtm_codec_info *i)
{
    j2k_info *const own = (j2k_info *)(void *)i;

    if (!own)
        return;
    j2k_arena_free(&own->arena);
    mtm_free(own);
}

static void info_drop(j2k_info *i)
{
    j2k_info_free(&i->base);
}

MTM_DEFINE_AUTO(j2k_info, info_drop)

/* The container's colour space, or what the codestream suggests. */
static const char *color_name(const j2k_boxes *b, const j2k_header *h, int32_t n_channels)
{
    static const struct {
        uint32_t number;
        const char *name;
    } spaces[] = {{J2K_CS_CMYK, "cmyk"},
                  {J2K_CS_CIELAB, "cielab"},
                  {J2K_CS_SRGB, "srgb"},
                  {J2K_CS_GRAY, "gray"},
                  {J2K_CS_SYCC, "sycc"}};
    const j2k_component_size *const s = h->size.components;

    if (b->icc)
        return "icc";
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (b->enum_cs == spaces[i].number)
            return spaces[i].name;
    if (b->has_color)
        return "unknown";
    if (n_channels < 3)
        return "gray";
    if (h->size.n_components == 3 && (s[1].dx > s[0].dx || s[1].dy > s[0].dy))
        return "sycc";
    return h->params.mct || n_channels == 3 ? "srgb" : "unknown";
}

static mtm_status components_make(mtm_codec_info *i, const j2k_header *h, j2k_arena *arena, mtm_error *err)
{
    mtm_codec_component *const all = j2k_arena_take(arena, (size_t)h->size.n_components * sizeof *all);

    if (!all)
        return MTM_NOMEM(err);
    for (int32_t c = 0; c < h->size.n_components; c++) {
        const j2k_component_size *const s = &h->size.components[c];
        const j2k_coding *const k = &h->params.components[c].coding;
        const j2k_rect r = j2k_component_rect(&h->size, c, 0, h->size.image);

        all[c] = (mtm_codec_component){.width = r.x1 - r.x0,
                                       .height = r.y1 - r.y0,
                                       .dx = s->dx,
                                       .dy = s->dy,
                                       .bits = s->bits,
                                       .is_signed = s->is_signed,
                                       .levels = k->levels,
                                       .block = {1 << k->block_h, 1 << k->block_w},
                                       .reversible = k->reversible};
    }
    i->components = all, i->n_components = h->size.n_components;
    return MTM_OK;
}

/* Precincts of component 0, unless they are all the largest, which stands for none. */
static mtm_status precincts_make(mtm_codec_info *i, const j2k_header *h, j2k_arena *arena, mtm_error *err)
{
    const j2k_coding *const k = &h->params.components[0].coding;
    int32_t (*const all)[2] = j2k_arena_take(arena, (size_t)(k->levels + 1) * sizeof *all);
    bool largest = true;

    if (!all)
        return MTM_NOMEM(err);
    for (int32_t r = 0; r <= k->levels; r++) {
        all[r][0] = k->precinct_h[r], all[r][1] = k->precinct_w[r];
        largest &= k->precinct_h[r] == 15 && k->precinct_w[r] == 15;
    }
    i->precincts = largest ? NULL : (const int32_t (*)[2])all;
    return MTM_OK;
}

/* What a tile's parameters add: fewest levels, and whether all is reversible and not quantised. */
static void params_count(mtm_codec_info *i, const j2k_params *p)
{
    for (int32_t c = 0; c < i->n_components; c++) {
        const j2k_component_params *const k = &p->components[c];

        i->min_levels = (int32_t)mtm_min_i64(i->min_levels, k->coding.levels);
        i->reversible &= k->coding.reversible;
        i->lossless_capable &= k->coding.reversible && k->quant.style == 0;
    }
}

static mtm_status tiles_count(j2k_info *i, const j2k_stream *s, mtm_error *err)
{
    j2k_arena arena = {0};
    mtm_status status = MTM_OK;

    for (int64_t t = 0; t < s->n_tiles && status == MTM_OK; t++) {
        const j2k_params *p;

        if (!s->tiles[t])
            continue;
        status = j2k_tile_params(&p, s, t, &arena, &i->notes, err);
        if (status == MTM_OK && p != &s->header->params)
            params_count(&i->base, p);
        j2k_arena_reset(&arena);
    }
    j2k_arena_free(&arena);
    return status;
}

static void header_fill(mtm_codec_info *i, const j2k_header *h, const j2k_boxes *b)
{
    static const char *const containers[] = {"codestream", "jp2", "jph"};
    static const char *const progressions[] = {"LRCP", "RLCP", "RPCL", "PCRL", "CPRL"};
    const j2k_size *const s = &h->size;

    i->codec = h->ht ? "htj2k" : "j2k", i->container = containers[b->container];
    i->width = s->image.x1 - s->image.x0, i->height = s->image.y1 - s->image.y0;
    i->x0 = s->image.x0, i->y0 = s->image.y0;
    i->tile_width = s->tile.x1 - s->tile.x0, i->tile_height = s->tile.y1 - s->tile.y0;
    i->tiles_x = (int32_t)s->tiles_x, i->tiles_y = (int32_t)s->tiles_y;
    i->palette_entries = b->palette.n_entries;
    i->levels = i->min_levels = h->params.components[0].coding.levels;
    i->layers = h->params.layers, i->progression = progressions[h->params.progression];
    i->mct = h->params.mct, i->ht = h->ht, i->reversible = i->lossless_capable = true;
    i->codestream_offset = (int64_t)h->offset, i->codestream_bytes = (int64_t)(h->end - h->offset);
}

static mtm_status info_read(j2k_info *i, const j2k_input *in, const mtm_limits *lim, mtm_error *err)
{
    const j2k_channel *channels;
    j2k_boxes b;
    j2k_header h;
    j2k_stream s;

    MTM_TRY(j2k_boxes_read(&b, in, &i->arena, &i->notes, err));
    MTM_TRY(j2k_header_read(&h, in, &b, lim, &i->arena, &i->notes, err));
    MTM_TRY(j2k_channels_make(&channels, &i->base.n_channels, &b, &h, &i->arena, &i->notes, err));
    MTM_TRY(j2k_stream_open(&s, in, &h, true, &i->arena, &i->notes, err));
    header_fill(&i->base, &h, &b);
    i->base.color = color_name(&b, &h, i->base.n_channels);
    MTM_TRY(components_make(&i->base, &h, &i->arena, err));
    MTM_TRY(precincts_make(&i->base, &h, &i->arena, err));
    params_count(&i->base, &h.params);
    MTM_TRY(tiles_count(i, &s, err));
    i->base.markers = s.markers, i->base.n_markers = s.n_markers;
    i->base.n_tile_parts = s.n_tile_parts, i->base.has_plt = s.has_plt, i->base.has_tlm = s.has_tlm;
    for (int32_t k = 0; k < J2K_NOTES; k++)
        i->warnings[k] = i->notes.text[k];
    i->base.n_warnings = (int32_t)mtm_min_i64(i->notes.n, J2K_NOTES), i->base.warnings = i->warnings;
    return MTM_OK;
}

mtm_status j2k_info_new(mtm_codec_info **out, const uint8_t *data, size_t size_bytes, const mtm_limits *lim,
                        mtm_error *err)
{
    /* Damage behind the main header is told of, not refused. */
    const j2k_input in = {.data = data, .size_bytes = size_bytes, .partial = true};
    MTM_AUTO(j2k_info) i = mtm_alloc_zero(1, sizeof *i);

    if (!i)
        return MTM_NOMEM(err);
    MTM_TRY(info_read(i, &in, lim, err));
    *out = &j2k_info_steal(&i)->base;
    return MTM_OK;
}
