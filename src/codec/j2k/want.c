/* codec/j2k/want.c: from what the caller asks for to what that is on the reference grid.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "stream.h"

/* The codestream's components that the channels wanted are made of. */
static mtm_status components_make(j2k_want *w, const j2k_header *h, const j2k_channel *channels,
                                  int32_t n_channels, const mtm_decode_params *p, j2k_arena *arena,
                                  mtm_error *err)
{
    bool *components;

    if (!p->components && p->n_components)
        return mtm_fail(err, MTM_E_INVAL, -1, "n_components is %" PRId32 ", but there are no components",
                        p->n_components);
    if (p->components && p->n_components < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "components are given, but n_components is %" PRId32,
                        p->n_components);
    components = j2k_arena_take_zero(arena, (size_t)h->size.n_components, sizeof *components);
    if (!components)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < (p->components ? p->n_components : n_channels); i++) {
        const int32_t channel = p->components ? p->components[i] : i;

        if (channel < 0 || channel >= n_channels)
            return mtm_fail(err, MTM_E_INVAL, -1, "component %" PRId32 " is not one of 0 to %" PRId32,
                            channel, n_channels - 1);
        components[channels[channel].component] = true;
    }
    w->components = components;
    return MTM_OK;
}

static mtm_status reduce_check(const j2k_want *w, const j2k_header *h, mtm_error *err)
{
    int32_t most = J2K_MAX_LEVELS;

    for (int32_t c = 0; c < h->size.n_components; c++)
        if (!w->components || w->components[c])
            most = (int32_t)mtm_min_i64(most, h->params.components[c].coding.levels);
    if (w->reduce < 0 || w->reduce > most)
        return mtm_fail(err, MTM_E_INVAL, -1, "reduce is %" PRId32 ", but must be 0 to %" PRId32, w->reduce,
                        most);
    return MTM_OK;
}

/* Subsampling that all wanted components share. */
static mtm_status grid_find(const j2k_want *w, const j2k_size *s, int64_t *dx, int64_t *dy, mtm_error *err)
{
    const j2k_component_size *first = NULL;

    for (int32_t c = 0; c < s->n_components; c++) {
        if (w->components && !w->components[c])
            continue;
        if (first && (first->dx != s->components[c].dx || first->dy != s->components[c].dy))
            return mtm_fail(err, MTM_E_INVAL, -1, "a region of channels that have different subsampling");
        first = first ? first : &s->components[c];
    }
    *dx = first->dx, *dy = first->dy;
    return MTM_OK;
}

/* A byte for each sample is the least that decoding gives. */
static mtm_status area_priced(const j2k_want *w, const j2k_header *h, const mtm_limits *lim, mtm_error *err)
{
    const mtm_limits limits = lim ? *lim : mtm_limits_default();
    uint64_t samples = 0, area;

    for (int32_t c = 0; c < h->size.n_components; c++) {
        const j2k_rect r = j2k_component_rect(&h->size, c, w->reduce, w->region);

        if (w->components && !w->components[c])
            continue;
        if (!mtm_mul_u64((uint64_t)(r.x1 - r.x0), (uint64_t)(r.y1 - r.y0), &area) ||
            !mtm_add_u64(samples, area, &samples) || samples > limits.max_bytes)
            return mtm_fail(err, MTM_E_LIMIT, -1,
                            "%" PRId64 " × %" PRId64 " pixels are more than the limit of %" PRIu64 " bytes",
                            r.y1 - r.y0, r.x1 - r.x0, limits.max_bytes);
    }
    return MTM_OK;
}

mtm_status j2k_want_make(j2k_want *w, const j2k_header *h, const j2k_channel *channels, int32_t n_channels,
                         const mtm_decode_params *p, bool per_grid, j2k_arena *arena, mtm_error *err)
{
    static const mtm_decode_params none;
    const j2k_rect image = h->size.image;
    int64_t dx = 1, dy = 1, x, y, width, height;
    const int64_t *g;

    p = p ? p : &none;
    *w = (j2k_want){.region = image, .whole = true, .reduce = p->reduce, .layers = p->layers};
    if (p->layers < 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "layers is %" PRId32 ", but must not be negative", p->layers);
    MTM_TRY(components_make(w, h, channels, n_channels, p, arena, err));
    MTM_TRY(reduce_check(w, h, err));
    if (!p->has_region)
        return area_priced(w, h, p->limits, err);
    if (!per_grid)
        MTM_TRY(grid_find(w, &h->size, &dx, &dy, err));
    dx <<= p->reduce, dy <<= p->reduce;
    x = (image.x0 + dx - 1) / dx, y = (image.y0 + dy - 1) / dy; /* T.800 equation B-14 */
    width = (image.x1 + dx - 1) / dx - x, height = (image.y1 + dy - 1) / dy - y;
    g = p->region;
    if (g[0] < 0 || g[1] <= g[0] || g[1] > height || g[2] < 0 || g[3] <= g[2] || g[3] > width)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "region ((%" PRId64 ", %" PRId64 "), (%" PRId64 ", %" PRId64
                        ")) is empty or not inside [%" PRId64 ", %" PRId64 "]",
                        g[0], g[1], g[2], g[3], height, width);
    w->whole = g[0] == 0 && g[1] == height && g[2] == 0 && g[3] == width;
    if (!w->whole)
        w->region =
            (j2k_rect){g[2] ? (x + g[2]) * dx : image.x0, g[0] ? (y + g[0]) * dy : image.y0,
                       mtm_min_i64((x + g[3]) * dx, image.x1), mtm_min_i64((y + g[1]) * dy, image.y1)};
    return area_priced(w, h, p->limits, err);
}
