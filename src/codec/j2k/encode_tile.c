/* codec/j2k/encode_tile.c: a tile's pixels, row by row, through level shift and component transform (kernel/color.h) into
 * the wavelet transform (analysis.h), whose subband rows are collected until they are a row of code-blocks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "encode.h"

enum {
    PAD_BYTES = 64 /* behind each row, for kernels that write whole vectors */
};

/* One component's rows on their way through the transform: the user of its analysis. */
typedef struct feed {
    j2k_encoder *e;
    j2k_encode_component *component;
    j2k_analysis *analysis;
    mtm_range16 *hh; /* of HH coefficients met, where int16 was not proven for them; else NULL */
} feed;

/* ---- subband rows → strips ----------------------------------------------------------------------------- */

static void *band_place(void *user, int32_t resolution, int32_t band, int64_t v)
{
    const feed *const f = user;
    const j2k_encode_band *const b = &f->component->bands[resolution][band];
    const j2k_encode_strip *const s = &b->strips[b->filling];

    return s->rows + (size_t)(v - s->first_row) * b->stride_bytes;
}

/* The last row of a row of code-blocks: code it, and go on in the same memory. */
static mtm_status band_done(void *user, int32_t resolution, int32_t band, int64_t v, mtm_error *err)
{
    const feed *const f = user;
    j2k_encode_band *const b = &f->component->bands[resolution][band];
    const int64_t row = v >> b->band->block_h;

    if (f->hh && b->band->orient == MTM_BAND_HH)
        f->e->kernels->wavelet.range16(band_place(user, resolution, band, v),
                                       (size_t)(b->band->full.x1 - b->band->full.x0), f->hh);
    if (v + 1 < b->band->full.y1 && (v + 1) >> b->band->block_h == row)
        return MTM_OK;
    MTM_TRY(j2k_block_coder_row(f->e->blocks, f->component, b, row - b->band->block_y0, err));
    b->strips[b->filling].first_row = v + 1;
    return MTM_OK;
}

/* ---- memory ------------------------------------------------------------------------------------------- */

static mtm_status strips_new(j2k_encode_band *eb, int32_t n, j2k_arena *arena, mtm_error *err)
{
    const j2k_band *const b = eb->band;
    const int64_t high = mtm_min_i64(b->full.y1 - b->full.y0, (int64_t)1 << b->block_h);

    eb->strips = j2k_arena_take_zero(arena, (size_t)n, sizeof *eb->strips);
    if (!eb->strips)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n; i++) {
        eb->strips[i].first_row = b->full.y0;
        eb->strips[i].rows = j2k_arena_take(arena, (size_t)high * eb->stride_bytes);
        if (!eb->strips[i].rows)
            return MTM_NOMEM(err);
    }
    return MTM_OK;
}

static mtm_status band_new(j2k_encode_band *eb, const j2k_encoder *e, const j2k_encode_component *c,
                           const j2k_band *b, int32_t level, mtm_error *err)
{
    const int64_t wide = b->full.x1 - b->full.x0;

    *eb = (j2k_encode_band){.band = b, .type = c->fit.type, .inverse_step = 1 / b->step};
    if (c->fit.offset && b->orient == MTM_BAND_LL)
        eb->type = MTM_COEF_I32;
    eb->weight = b->step * j2k_synthesis_norm(c->tc->params->coding.reversible, level, b->orient);
    eb->weight *= eb->weight;
    if (wide <= 0 || b->full.y0 >= b->full.y1)
        return MTM_OK;
    eb->stride_bytes = ((size_t)wide * mtm_coef_bytes(eb->type) + 2 * PAD_BYTES - 1) / PAD_BYTES * PAD_BYTES;
    eb->blocks = j2k_arena_take_zero(e->arena, (size_t)(b->blocks_wide * b->blocks_high), sizeof *eb->blocks);
    if (!eb->blocks)
        return MTM_NOMEM(err);
    return strips_new(eb, j2k_block_coder_strips(e->blocks), e->arena, err);
}

static mtm_status component_new(j2k_encode_component *c, const j2k_encoder *e, const j2k_tile_component *tc,
                                j2k_fit fit, mtm_error *err)
{
    const size_t n = (size_t)tc->levels + 1;

    *c = (j2k_encode_component){.tc = tc, .fit = fit, .style = tc->params->coding.style};
    c->bands = j2k_arena_take_zero(e->arena, n, sizeof *c->bands);
    c->precincts = j2k_arena_take_zero(e->arena, n, sizeof *c->precincts);
    if (!c->bands || !c->precincts)
        return MTM_NOMEM(err);
    for (int32_t r = 0; r <= tc->levels; r++) {
        const j2k_resolution *const res = &tc->resolutions[r];
        const size_t precincts = (size_t)(res->precincts_wide * res->precincts_high);

        c->precincts[r] = j2k_arena_take_zero(e->arena, precincts, sizeof *c->precincts[r]);
        if (!c->precincts[r])
            return MTM_NOMEM(err);
        for (int32_t i = 0; i < res->n_bands; i++)
            MTM_TRY(
                band_new(&c->bands[r][i], e, c, &res->bands[i], r ? tc->levels - r + 1 : tc->levels, err));
    }
    return MTM_OK;
}

/* ---- rows --------------------------------------------------------------------------------------------- */

/* Pixels of n components that go through together: one, or three that the component transform joins. */
typedef struct pixels {
    mtm_array planes[3]; /* of the tile */
    mtm_color_store how;
    ptrdiff_t pixel_stride; /* of all of them */
    uint8_t *gathered[3];   /* a row of each, where their strides differ; else NULL */
} pixels;

static mtm_status pixels_begin(pixels *p, const j2k_encoder *e, const feed *feeds, int32_t first, int32_t n,
                               mtm_error *err)
{
    const j2k_component_size *const c = &e->plan->size.components[first];
    const size_t elem_bytes = mtm_dtype_size(e->plan->planes[first].dtype);
    bool alike = true;

    *p = (pixels){.how = {.n = (uint8_t)n,
                          .type = (uint8_t)feeds[0].component->fit.type,
                          .transform = n == 1           ? MTM_COLOR_NONE
                                       : e->plan->lossy ? MTM_COLOR_ICT
                                                        : MTM_COLOR_RCT,
                          .offset = {feeds[0].component->fit.offset},
                          .dtype = e->plan->planes[first].dtype}};
    for (int32_t i = 0; i < n; i++) {
        p->how.bits[i] = c[i].bits, p->how.is_signed[i] = c[i].is_signed;
        p->planes[i] = j2k_tile_plane(e, feeds[i].component->tc, first + i);
        alike = alike && p->planes[i].stride[1] == p->planes[0].stride[1];
    }
    p->pixel_stride = alike ? p->planes[0].stride[1] : (ptrdiff_t)elem_bytes;
    for (int32_t i = 0; i < n && !alike; i++)
        if (!(p->gathered[i] = j2k_arena_take(e->arena, (size_t)p->planes[i].shape[1] * elem_bytes)))
            return MTM_NOMEM(err);
    return MTM_OK;
}

static const void *pixel_row(const pixels *p, int32_t i, int64_t y)
{
    const mtm_array *const a = &p->planes[i];
    const char *const row = (const char *)a->data + y * a->stride[0];
    const size_t elem_bytes = mtm_dtype_size(a->dtype);

    if (!p->gathered[i])
        return row;
    for (int64_t x = 0; x < a->shape[1]; x++)
        memcpy(p->gathered[i] + (size_t)x * elem_bytes, row + x * a->stride[1], elem_bytes);
    return p->gathered[i];
}

static mtm_status push_rows(j2k_encoder *e, feed *feeds, int32_t first, int32_t n, mtm_error *err)
{
    pixels p;

    MTM_TRY(pixels_begin(&p, e, feeds, first, n, err));
    for (int64_t y = 0; y < p.planes[0].shape[0]; y++) {
        const void *src[3];
        void *rows[3];

        for (int32_t i = 0; i < n; i++) {
            src[i] = pixel_row(&p, i, y);
            rows[i] = j2k_analysis_row(feeds[i].analysis);
        }
        e->kernels->color.load(&p.how, rows, src, p.pixel_stride, (size_t)p.planes[0].shape[1]);
        for (int32_t i = 0; i < n; i++)
            MTM_TRY(j2k_analysis_push(feeds[i].analysis, err));
    }
    return MTM_OK;
}

/* *hh receives the HH coefficients' range; NULL: not wanted. */
static mtm_status code_as(j2k_encoder *e, j2k_encode_tile *t, int32_t first, int32_t n, j2k_fit fit,
                          mtm_range16 *hh, mtm_error *err)
{
    feed feeds[3];

    for (int32_t i = 0; i < n; i++) {
        const j2k_tile_component *const tc = &t->tile.components[first + i];
        j2k_encode_component *const c = &t->components[first + i];

        MTM_TRY(component_new(c, e, tc, fit, err));
        feeds[i] = (feed){.e = e, .component = c, .hh = hh};
        if (tc->full.x0 >= tc->full.x1 || tc->full.y0 >= tc->full.y1)
            continue;
        MTM_TRY(j2k_analysis_new(&feeds[i].analysis, tc, fit.type, &e->kernels->wavelet,
                                 (j2k_analysis_sink){band_place, band_done, &feeds[i]}, e->arena, err));
        j2k_analysis_offset(feeds[i].analysis, fit.offset);
    }
    return feeds[0].analysis ? push_rows(e, feeds, first, n, err) : MTM_OK;
}

static mtm_status code_components(j2k_encoder *e, j2k_encode_tile *t, int32_t first, int32_t n,
                                  mtm_error *err)
{
    mtm_range16 hh = {0, 0};
    const j2k_fit fit = j2k_encode_fit(e->plan, &t->tile, first, n);

    MTM_TRY(code_as(e, t, first, n, fit, fit.if_hh ? &hh : NULL, err));
    if (hh.lo >= MTM_WAVELET_LEAST16 && hh.hi <= MTM_WAVELET_MOST16)
        return MTM_OK;
    MTM_TRY(j2k_block_coder_finish(e->blocks, err)); /* tasks still read what is made anew */
    return code_as(e, t, first, n, (j2k_fit){.type = MTM_COEF_I32}, NULL, err);
}

mtm_status j2k_encode_tile_blocks(j2k_encoder *e, j2k_encode_tile *t, mtm_error *err)
{
    const int32_t n = t->tile.n_components;
    int32_t first = 0;

    t->components = j2k_arena_take_zero(e->arena, (size_t)n, sizeof *t->components);
    if (!t->components)
        return MTM_NOMEM(err);
    if (e->plan->params.mct) {
        MTM_TRY(code_components(e, t, 0, 3, err));
        first = 3;
    }
    for (; first < n; first++)
        MTM_TRY(code_components(e, t, first, 1, err));
    return j2k_block_coder_finish(e->blocks, err);
}
