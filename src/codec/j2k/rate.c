/* codec/j2k/rate.c: which coding passes go into which quality layer (T.800 annex J.13): each block's passes lie on a curve of
 * squared error against bytes, whose convex hull has slopes; a layer takes of all blocks what is at least as steep as its
 * threshold, and the thresholds are searched so that the bytes fit.
 * SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>

#include "encode.h"

enum {
    SEARCH_STEPS = 32,
    MOST_OCTAVES = 10,
    MOST_ADDED = 64, /* points behind the threshold */
    HEADER_BYTES = 4 /* that one more contribution of a block may take */
};

/* A truncation point on the hull. */
typedef struct point {
    float slope; /* squared error taken away per byte, since the point before; falling from point to point */
    uint16_t passes;
} point;

/* The hull of one block. */
typedef struct curve {
    j2k_coded *block;
    point *points;
    int32_t n;
} curve;

typedef struct curves {
    curve *all;
    int64_t n;
    int32_t layers;
    float *lower; /* thresholds of all layers but the last */
} curves;

/* ---- hulls -------------------------------------------------------------------------------------------- */

static float slope_between(const j2k_coded *k, double weight, int32_t from, int32_t to)
{
    const double bytes = k->passes[to - 1].size_bytes - (from ? (double)k->passes[from - 1].size_bytes : 0);
    const double gain = k->passes[to - 1].distortion - (from ? (double)k->passes[from - 1].distortion : 0);

    if (gain <= 0)
        return 0;
    return bytes > 0 ? (float)fmin(gain * weight / bytes, FLT_MAX) : FLT_MAX;
}

/* Points of rising passes and falling slopes: a pass as steep as the point before swallows it. */
static void hull_make(curve *c, double weight)
{
    const j2k_coded *const k = c->block;

    for (int32_t pass = 1; pass <= k->n_passes; pass++) {
        float slope = slope_between(k, weight, c->n ? c->points[c->n - 1].passes : 0, pass);

        while (c->n && slope >= c->points[c->n - 1].slope) {
            c->n--;
            slope = slope_between(k, weight, c->n ? c->points[c->n - 1].passes : 0, pass);
        }
        if (slope > 0)
            c->points[c->n++] = (point){slope, (uint16_t)pass};
    }
}

/* Squared error of the picture per squared error of a component: columns of the inverse transforms (T.800 G.2, G.3). */
static double color_weight(const j2k_encode_plan *plan, int32_t component)
{
    static const double ict[3] = {3, 3.2584, 2.4755}, rct[3] = {3, 0.6875, 0.6875};

    return !plan->params.mct || component > 2 ? 1 : plan->lossy ? ict[component] : rct[component];
}

static mtm_status band_curves(curves *c, j2k_encode_band *eb, double weight, j2k_arena *arena, mtm_error *err)
{
    const int64_t n = eb->blocks ? eb->band->blocks_wide * eb->band->blocks_high : 0;

    for (int64_t i = 0; i < n; i++) {
        curve *const one = &c->all[c->n];

        if (eb->blocks[i].n_passes == 0)
            continue;
        *one = (curve){.block = &eb->blocks[i]};
        one->points = j2k_arena_take(arena, one->block->n_passes * sizeof *one->points);
        one->block->ends = j2k_arena_take_zero(arena, (size_t)c->layers, sizeof *one->block->ends);
        if (!one->points || !one->block->ends)
            return MTM_NOMEM(err);
        hull_make(one, eb->weight * weight);
        c->n++;
    }
    return MTM_OK;
}

static int64_t count_blocks(const j2k_tile *t)
{
    int64_t n = 0;

    for (int32_t c = 0; c < t->n_components; c++)
        for (int32_t r = 0; r <= t->components[c].levels; r++)
            for (int32_t i = 0; i < t->components[c].resolutions[r].n_bands; i++)
                n += t->components[c].resolutions[r].bands[i].blocks_wide *
                     t->components[c].resolutions[r].bands[i].blocks_high;
    return n;
}

static mtm_status curves_make(curves *c, const j2k_encoder *e, j2k_encode_tile *t, mtm_error *err)
{
    *c = (curves){.layers = e->plan->params.layers};
    c->all = j2k_arena_take(e->arena, (size_t)count_blocks(&t->tile) * sizeof *c->all);
    if (!c->all)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < t->tile.n_components; i++)
        for (int32_t r = 0; r <= t->components[i].tc->levels; r++)
            for (int32_t k = 0; k < t->components[i].tc->resolutions[r].n_bands; k++)
                MTM_TRY(
                    band_curves(c, &t->components[i].bands[r][k], color_weight(e->plan, i), e->arena, err));
    return MTM_OK;
}

/* ---- thresholds --------------------------------------------------------------------------------------- */

/* Passes of a block that are at least as steep; threshold 0: all, also those that lie under the hull. */
static uint16_t passes_at(const curve *c, float threshold)
{
    int32_t n = c->n;

    if (threshold <= 0)
        return c->block->n_passes;
    while (n > 0 && c->points[n - 1].slope < threshold)
        n--;
    return n ? c->points[n - 1].passes : 0;
}

static void layer_set(const curves *c, int32_t layer, float threshold)
{
    for (int64_t i = 0; i < c->n; i++)
        c->all[i].block->ends[layer] = passes_at(&c->all[i], threshold);
}

static double body_bytes(const curves *c, float threshold)
{
    double bytes = 0;

    for (int64_t i = 0; i < c->n; i++) {
        const uint16_t n = passes_at(&c->all[i], threshold);

        bytes += n ? (double)c->all[i].block->passes[n - 1].size_bytes : 0;
    }
    return bytes;
}

/* Positive floats are ordered as their bits are, so thresholds are halved by their bits. */
static float float_of(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static const uint32_t INFINITE = 0x7F800000; /* nothing is as steep */

static float threshold_for_body(const curves *c, double most)
{
    uint32_t lo = 0, hi = INFINITE; /* too much; fits */

    if (body_bytes(c, 0) <= most)
        return 0;
    while (hi - lo > 1) {
        const uint32_t middle = lo + (hi - lo) / 2;

        if (body_bytes(c, float_of(middle)) <= most)
            hi = middle;
        else
            lo = middle;
    }
    return float_of(hi);
}

/* All layers but the last get shares of `bytes` that double from layer to layer, over at most ten doublings. */
static mtm_status lower_thresholds(curves *c, double bytes, j2k_arena *arena, mtm_error *err)
{
    const double octave = c->layers - 1 > MOST_OCTAVES ? (double)MOST_OCTAVES / (c->layers - 1) : 1;

    c->lower = j2k_arena_take(arena, (size_t)c->layers * sizeof *c->lower);
    if (!c->lower)
        return MTM_NOMEM(err);
    for (int32_t layer = 0; layer < c->layers - 1; layer++)
        c->lower[layer] = threshold_for_body(c, bytes * exp2(-octave * (c->layers - 1 - layer)));
    return MTM_OK;
}

static void layers_set(const curves *c, float last)
{
    for (int32_t layer = 0; layer < c->layers - 1; layer++)
        layer_set(c, layer, fmaxf(c->lower[layer], last));
    layer_set(c, c->layers - 1, last);
}

/* The tile's bytes, headers and all, with its last layer at this threshold. */
static mtm_status tile_bytes(uint64_t *bytes, j2k_encoder *e, j2k_encode_tile *t, const curves *c,
                             float threshold, mtm_error *err)
{
    layers_set(c, threshold);
    MTM_TRY(j2k_packets_make(e, t, err));
    *bytes = j2k_tile_parts_bytes(e, t);
    return MTM_OK;
}

static uint32_t bytes_at(const curve *k, uint16_t passes)
{
    return passes ? k->block->passes[passes - 1].size_bytes : 0;
}

/* The point behind what the last layer takes of a block; NULL: none. */
static const point *next_point(const curve *k, int32_t last_layer)
{
    for (int32_t i = 0; i < k->n; i++)
        if (k->points[i].passes > k->block->ends[last_layer])
            return &k->points[i];
    return NULL;
}

/* One threshold for all blocks leaves bytes over: they go to the steepest points that still fit, with what their headers may
 * take. */
static void fill_up(const curves *c, double left)
{
    const int32_t last = c->layers - 1;

    for (int32_t added = 0; added < MOST_ADDED; added++) {
        const point *best = NULL;
        const curve *to = NULL;

        for (int64_t i = 0; i < c->n; i++) {
            const curve *const k = &c->all[i];
            const point *const p = next_point(k, last);

            if (p && (!best || p->slope > best->slope) &&
                bytes_at(k, p->passes) - bytes_at(k, k->block->ends[last]) + HEADER_BYTES <= left)
                best = p, to = k;
        }
        if (!best)
            return;
        left -= bytes_at(to, best->passes) - bytes_at(to, to->block->ends[last]) + HEADER_BYTES;
        to->block->ends[last] = best->passes;
    }
}

mtm_status j2k_rate_allocate(j2k_encoder *e, j2k_encode_tile *t, uint64_t budget_bytes, mtm_error *err)
{
    const double most = budget_bytes ? (double)budget_bytes : INFINITY;
    uint32_t lo = 0, hi = INFINITE;
    uint64_t bytes;
    curves c;

    if (budget_bytes == 0 && e->plan->params.layers == 1)
        return MTM_OK;
    MTM_TRY(curves_make(&c, e, t, err));
    MTM_TRY(lower_thresholds(&c, fmin(body_bytes(&c, 0), most), e->arena, err));
    layers_set(&c, 0);
    if (budget_bytes == 0)
        return MTM_OK;
    MTM_TRY(tile_bytes(&bytes, e, t, &c, 0, err));
    if (bytes <= budget_bytes)
        return MTM_OK;
    MTM_TRY(tile_bytes(&bytes, e, t, &c, float_of(INFINITE), err));
    if (bytes > budget_bytes)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "%g bits per pixel leave %" PRIu64 " bytes for tile %" PRId64
                        ", but its empty packets and headers have %" PRIu64,
                        e->plan->rate, budget_bytes, t->tile.index, bytes);
    for (int32_t i = 0; i < SEARCH_STEPS && hi - lo > 1 && bytes < budget_bytes - budget_bytes / 4096; i++) {
        const uint32_t middle = lo + (hi - lo) / 2;
        uint64_t tried;

        MTM_TRY(tile_bytes(&tried, e, t, &c, float_of(middle), err));
        if (tried <= budget_bytes)
            hi = middle, bytes = tried;
        else
            lo = middle;
    }
    layers_set(&c, float_of(hi));
    fill_up(&c, (double)(budget_bytes - bytes));
    MTM_TRY(j2k_packets_make(e, t, err));
    if (j2k_tile_parts_bytes(e, t) > budget_bytes)
        layers_set(&c, float_of(hi));
    return MTM_OK;
}
