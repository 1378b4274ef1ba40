/* codec/j2k/tile.c: one tile: which number type its coefficients need, strips and inverse transforms per component, and rows
 * of component groups through the component transform into the planes.
 *
 * The 5/3 runs in int16 when the bit-planes prove that nothing can leave it, and otherwise on trial: the block decoders say
 * when a coefficient does not fit, the transform when a sum came near the end of the range. Then the tile begins again in
 * int32, and so do later tiles and frames of this header. Nearly all medical images of up to 14 bits pass.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "decode.h"
#include "lifting.h"

/* Magnitudes that the transforms can give without leaving the type, in their inner sums too (kernel/wavelet.h); the RCT's
 * v + y − ⌊(u + v)/4⌋ (T.800 G.2) is at most 5/2 of the largest. */
enum { MOST_I16 = MTM_WAVELET_MOST16, MOST_I16_RCT = INT16_MAX / 5 * 2, MOST_I32 = 1 << 29, TRIAL_ROWS = 16 };
enum { TRIAL_BITS = 16 }; /* most precision for which int16 is tried */

static bool rect_empty(j2k_rect r)
{
    return r.x1 <= r.x0 || r.y1 <= r.y0;
}

/* ---- number types ------------------------------------------------------------------------------------- */

/* What a component's 5/3 can give at the most, when every coefficient is as large as its bit-planes allow: along each axis
 * even samples are L − ⌊(H + H + 2)/4⌋, odd ones H + ⌊(even + even)/2⌋, at most L + 3/2 H + 1 (T.800 F.3.8.2). */
static double largest_sample(const j2k_tile_component *tc, int32_t *planes)
{
    double m = 0;

    for (int32_t r = 0; r <= tc->top; r++) {
        double band[3] = {0};

        for (int32_t i = 0; i < tc->resolutions[r].n_bands; i++) {
            const j2k_band *const b = &tc->resolutions[r].bands[i];

            band[i] = ldexp(1, b->n_planes);
            *planes = b->n_planes > *planes ? b->n_planes : *planes;
        }
        m = r == 0 ? band[0] : m + 1.5 * band[0] + 1 + 1.5 * (band[1] + 1.5 * band[2] + 1) + 1;
    }
    return m;
}

static void choose_type(j2k_tile_decoder *d, bool proven)
{
    const bool wide = atomic_load(&d->job->wide);
    const j2k_component_size *const size = d->job->plan->header.size.components;
    double most = 0;
    int32_t planes = 0, bits = 0;
    bool roi = false;

    for (int32_t c = 0; c < d->tile.n_components; c++) {
        const j2k_tile_component *const tc = &d->tile.components[c];

        if (tc->top < 0 || !tc->params->coding.reversible)
            continue;
        most = fmax(most, largest_sample(tc, &planes));
        bits = size[c].bits > bits ? size[c].bits : bits;
        roi |= tc->params->roi_shift > 0;
    }
    d->check = false;
    if (!wide && most <= (d->tile.params->mct ? MOST_I16_RCT : MOST_I16))
        d->type = MTM_COEF_I16;
    else if (!wide && !proven && !roi && planes <= 31 && bits <= TRIAL_BITS)
        d->type = MTM_COEF_I16, d->check = true;
    else
        d->type = planes <= 31 && most <= MOST_I32 ? MTM_COEF_I32 : MTM_COEF_I64;
}

/* ---- layout ------------------------------------------------------------------------------------------- */

/* Whether component c's rows may be stored with the group's. */
static bool joins(const j2k_tile_decoder *d, const j2k_group *g, int32_t c)
{
    const j2k_tile_component *const a = &d->tile.components[g->component[0]], *const b =
                                                                                  &d->tile.components[c];

    return g->n < 4 && a->params->coding.reversible == b->params->coding.reversible &&
           memcmp(&g->rect, &b->resolutions[b->top].need, sizeof g->rect) == 0;
}

/* T.800 G.1: the three components of a transform are alike. */
static mtm_status check_transform(const j2k_tile_decoder *d, const j2k_group *g, mtm_error *err)
{
    const j2k_component_size *const size = d->job->plan->header.size.components;

    if (g->n < 3 || g->component[0] != 0 || g->component[2] != 2 || size[0].bits != size[1].bits ||
        size[0].bits != size[2].bits)
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "tile %" PRId64 " has a component transform over components that are not alike",
                        d->tile.index);
    return MTM_OK;
}

static mtm_status groups_new(j2k_tile_decoder *d, mtm_error *err)
{
    const j2k_tile *const t = &d->tile;
    j2k_group *g = NULL;

    d->groups = j2k_arena_take_zero(&d->reader->tile_arena, (size_t)t->n_components, sizeof *d->groups);
    if (!d->groups)
        return MTM_NOMEM(err);
    for (int32_t c = 0; c < t->n_components; c++) {
        const j2k_tile_component *const tc = &t->components[c];

        if (tc->top < 0 || rect_empty(tc->resolutions[tc->top].need))
            continue;
        if (!g || !joins(d, g, c))
            g = &d->groups[d->n_groups++], g->rect = tc->resolutions[tc->top].need;
        g->component[g->n++] = c;
    }
    g = d->groups;
    if (d->n_groups && t->params->mct && g->component[0] < 3) {
        MTM_TRY(check_transform(d, g, err));
        g->store.transform = t->components[0].params->coding.reversible ? MTM_COLOR_RCT : MTM_COLOR_ICT;
    }
    return MTM_OK;
}

static mtm_status tile_new(j2k_tile_decoder **out, j2k_job *job, j2k_reader *r, const j2k_params *params,
                           int64_t index, mtm_error *err)
{
    j2k_arena *const arena = &r->tile_arena;
    const j2k_plan *const plan = job->plan;
    j2k_tile_decoder *const d = j2k_arena_take_zero(arena, 1, sizeof *d);

    if (!d)
        return MTM_NOMEM(err);
    d->type = MTM_COEF_V2, d->job = job, d->reader = r;
    MTM_TRY(j2k_tile_layout(&d->tile, &plan->header.size, params, index, &plan->want, job->in.size_bytes,
                            &job->lim, arena, err));
    d->components = j2k_arena_take_zero(arena, (size_t)d->tile.n_components, sizeof *d->components);
    if (!d->components)
        return MTM_NOMEM(err);
    for (int32_t c = 0; c < d->tile.n_components; c++)
        d->components[c] = (j2k_component_decoder){.tile = d, .tc = &d->tile.components[c]};
    *out = d;
    return groups_new(d, err);
}

/* Adds one tile's counts and notes to the call's. */
static void job_add(j2k_job *job, const j2k_counts *c, const j2k_notes *n)
{
    pthread_mutex_lock(&job->lock);
    job->counts.incomplete |= c->incomplete;
    if (job->counts.reduce >= 0 && (c->reduce < 0 || c->reduce > job->counts.reduce))
        job->counts.reduce = c->reduce;
    if (c->bytes_used > job->counts.bytes_used)
        job->counts.bytes_used = c->bytes_used;
    job->counts.packets += c->packets, job->counts.packets_skipped += c->packets_skipped;
    job->counts.blocks += c->blocks, job->counts.blocks_coded += c->blocks_coded;
    for (int32_t i = 0; i < n->n; i++) {
        if (i < J2K_NOTES && job->notes.n < J2K_NOTES)
            memcpy(job->notes.text[job->notes.n], n->text[i], sizeof n->text[i]);
        job->notes.n++;
    }
    pthread_mutex_unlock(&job->lock);
}

mtm_status j2k_tile_open(j2k_tile_decoder **out, j2k_tile_decoder *kept, j2k_job *job, j2k_reader *r,
                         int64_t index, mtm_error *err)
{
    j2k_counts counts = {.reduce = job->plan->want.reduce};
    const j2k_params *params;
    j2k_notes notes;
    mtm_status s;

    notes.n = 0;
    MTM_TRY(j2k_tile_params(&params, &job->stream, index, &r->packet_arena, &notes, err));
    if (kept && params == kept->tile.params)
        *out = kept, kept->job = job;
    else
        MTM_TRY(tile_new(out, job, r, params, index, err));
    s = j2k_tile_packets(&(*out)->tile, &job->stream, &job->plan->want, &counts, &r->packet_arena, &notes,
                         err);
    job_add(job, &counts, &notes);
    return s;
}

/* ---- rows --------------------------------------------------------------------------------------------- */

/* Types, and on trial what is added to bring unsigned samples near 0. Of components that are transformed only the first
 * gets it: y is the only one that the RCT hands on to all three (T.800 G.2). */
static void choose_component(j2k_tile_decoder *d, int32_t c)
{
    const j2k_component_size *const size = &d->job->plan->header.size.components[c];
    j2k_component_decoder *const k = &d->components[c];
    const bool chrominance = d->tile.params->mct && (c == 1 || c == 2);

    k->type = k->tc->params->coding.reversible ? d->type : MTM_COEF_F32;
    k->offset = k->type == MTM_COEF_I16 && d->check && !chrominance
                    ? j2k_offset16(k->tc, size->bits, size->is_signed)
                    : 0;
}

/* Strips and transforms for the types chosen. */
static mtm_status transforms_new(j2k_tile_decoder *d, mtm_error *err)
{
    for (int32_t c = 0; c < d->tile.n_components; c++)
        choose_component(d, c);
    MTM_TRY(j2k_strips_new(d, err));
    for (int32_t c = 0; c < d->tile.n_components; c++) {
        j2k_component_decoder *const k = &d->components[c];

        if (k->tc->top < 0)
            continue;
        MTM_TRY(j2k_synthesis_new(&k->synthesis, k->tc, k->type, d->check, &d->reader->k.wavelet,
                                  (j2k_synthesis_source){j2k_strip_row, k}, &d->reader->tile_arena, err));
        j2k_synthesis_offset(k->synthesis, k->offset);
    }
    return MTM_OK;
}

mtm_status j2k_tile_begin(j2k_tile_decoder *d, bool proven, mtm_error *err)
{
    const mtm_coef before = d->type;

    choose_type(d, proven);
    d->too_large = false, d->damaged = 0, d->status = MTM_OK;
    if (d->type != before) {
        d->pooled = d->job->pool != NULL;
        MTM_TRY(transforms_new(d, err));
    } else {
        j2k_strips_restart(d);
        for (int32_t c = 0; c < d->tile.n_components; c++)
            if (d->components[c].synthesis)
                j2k_synthesis_restart(d->components[c].synthesis);
    }
    MTM_TRY(j2k_output_begin(d, err));
    return j2k_strips_fill(d, -1, err);
}

/* On trial: whether the component transform of a row stays in int16. The transform's own rows are no sums' inputs, so that
 * the synthesis has not looked at them. */
static bool row_fits(const j2k_tile_decoder *d, const j2k_group *g, const int16_t *row)
{
    mtm_range16 seen = {0, 0};

    if (g->store.transform == MTM_COLOR_RCT)
        d->reader->k.wavelet.range16(row, (size_t)(g->rect.x1 - g->rect.x0), &seen);
    return seen.lo >= -MOST_I16_RCT && seen.hi <= MOST_I16_RCT;
}

mtm_status j2k_tile_row(j2k_tile_decoder *d, const j2k_group *g, int64_t y, mtm_error *err)
{
    const int64_t row = g->rect.y0 + y - d->job->row0;
    const bool trial = d->check && g->store.type == MTM_COEF_I16;
    /* A tile whose trial fails is done again, so the synthesis may be asked now and then, and at the end. */
    const bool ask = trial && (y % TRIAL_ROWS == TRIAL_ROWS - 1 || y + 1 == g->rect.y1 - g->rect.y0);
    const void *rows[4];
    void *dst[4];

    for (int32_t i = 0; i < g->n; i++) {
        const j2k_synthesis *const s = d->components[g->component[i]].synthesis;

        rows[i] = j2k_synthesis_next(d->components[g->component[i]].synthesis);
        if (!rows[i]) {
            if (err)
                *err = d->err;
            return d->status;
        }
        if ((trial && !row_fits(d, g, rows[i])) || (ask && !j2k_synthesis_exact(s))) {
            d->too_large = true;
            return mtm_fail(err, MTM_E_LIMIT, -1, "a coefficient needs more than 16 bits");
        }
        dst[i] = g->base[i] + (row - g->first[i]) * g->row_bytes[i];
    }
    d->reader->k.color.store(&g->store, dst, g->pixel_stride, rows, (size_t)(g->rect.x1 - g->rect.x0));
    if (!g->direct)
        j2k_output_row(d, g, row);
    return MTM_OK;
}

static mtm_status all_rows(j2k_tile_decoder *d, mtm_error *err)
{
    MTM_TRY(j2k_tile_begin(d, false, err));
    for (int32_t i = 0; i < d->n_groups; i++)
        for (int64_t y = 0; y < d->groups[i].rect.y1 - d->groups[i].rect.y0; y++)
            MTM_TRY(j2k_tile_row(d, &d->groups[i], y, err));
    return MTM_OK;
}

mtm_status j2k_tile_decode(j2k_tile_decoder *d, mtm_error *err)
{
    mtm_status s = all_rows(d, err);

    if (d->too_large) {
        atomic_store(&d->job->wide, true);
        s = all_rows(d, err);
    }
    pthread_mutex_lock(&d->job->lock);
    d->job->damaged += d->damaged;
    pthread_mutex_unlock(&d->job->lock);
    return s;
}
