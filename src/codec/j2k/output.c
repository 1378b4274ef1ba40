/* codec/j2k/output.c: from a tile's reconstructed rows to the caller's planes. The color kernel writes straight into them where
 * a group's channels are plain numbers of one type; else it makes whole numbers of a row, which go through the palette,
 * rescaling and window, and conversion, one channel at a time. Last, YCC planes to RGB.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/size.h"
#include "decode.h"

mtm_dtype j2k_dtype(int32_t bits, bool is_signed)
{
    static const mtm_dtype of[2][4] = {{MTM_U8, MTM_U16, MTM_U32, MTM_U64},
                                       {MTM_I8, MTM_I16, MTM_I32, MTM_I64}};

    return of[is_signed][bits <= 8 ? 0 : bits <= 16 ? 1 : bits <= 32 ? 2 : 3];
}

/* ---- finishing a row ---------------------------------------------------------------------------------- */

/* What is still to be done to a channel's whole numbers. */
typedef struct finish {
    const mtm_convert_kernels *k;
    const mtm_decode_params *p;
    bool rescale;
    mtm_dtype src, dst;
    char *spare[2]; /* 8 bytes per sample each */
} finish;

/* n numbers of f->src to dst, of f->dst at any stride and alignment. */
static void finish_row(const finish *f, char *dst, int64_t stride, const void *src, size_t n)
{
    const size_t size = mtm_dtype_size(f->dst);
    const bool loose = stride != (int64_t)size || (uintptr_t)dst % size;
    void *const to = loose ? f->spare[1] : dst;
    mtm_conversion c = {.src = f->src, .dst = f->dst, .slope = 1};

    if (f->rescale)
        c.slope = f->p->slope, c.inter = f->p->inter;
    if (f->rescale && f->p->window_width > 0) {
        double *const x = (double *)(void *)f->spare[0];

        c.dst = MTM_F64;
        mtm_convert_row(f->k, &c, x, src, n);
        mtm_codec_window(x, n, f->p);
        c = (mtm_conversion){.src = MTM_F64, .dst = f->dst, .slope = 1}, src = x;
    }
    if (c.src == c.dst && c.slope == 1 && c.inter == 0)
        memcpy(to, src, n * size);
    else
        mtm_convert_row(f->k, &c, to, src, n);
    if (loose)
        f->k->scatter[mtm_convert_log2(f->dst)](dst, (ptrdiff_t)stride, to, n);
}

/* ---- groups ------------------------------------------------------------------------------------------- */

static bool kernel_stores(mtm_dtype t)
{
    return (t >= MTM_U8 && t <= MTM_I64) || t == MTM_F32;
}

static const j2k_output *output_of(const j2k_tile_decoder *d, const j2k_group *g, int32_t i)
{
    const j2k_plan *const plan = d->job->plan;
    const int32_t o = plan->first_output[g->component[i]];

    return o < 0 ? NULL : &plan->outputs[o];
}

static const mtm_array *plane_of(const j2k_tile_decoder *d, const j2k_output *o)
{
    return &d->job->planes[o - d->job->plan->outputs];
}

/* Whether the kernel can write a group into its planes: each component is one plain channel, all of one type and step. */
static bool is_direct(const j2k_tile_decoder *d, const j2k_group *g)
{
    const j2k_output *const o0 = output_of(d, g, 0);
    const mtm_array *const first = o0 ? plane_of(d, o0) : NULL;

    if (!first || !kernel_stores(first->dtype))
        return false;
    for (int32_t i = 0; i < g->n; i++) {
        const j2k_output *const o = output_of(d, g, i);
        const mtm_array *const a = o ? plane_of(d, o) : NULL;
        const int64_t size = (int64_t)mtm_dtype_size(first->dtype);

        if (!a || o->next >= 0 || o->column >= 0 || a->dtype != first->dtype ||
            a->stride[1] != first->stride[1])
            return false;
        if (d->job->p->rescale && !o->raw && d->job->p->window_width > 0 && d->job->p->window_width <= 1)
            return false; /* a step is no line */
        if (o->raw != o0->raw || (uintptr_t)a->data % (uintptr_t)size || a->stride[0] % size ||
            a->stride[1] % size)
            return false;
    }
    return true;
}

/* Slope and intercept, joined with the window's line. */
static void rescale_of(mtm_color_store *s, const mtm_decode_params *p)
{
    const double low = p->low, high = p->low == 0 && p->high == 0 ? 1 : p->high;
    const double per_unit = (high - low) / (p->window_width - 1);

    s->slope = p->slope, s->inter = p->inter, s->limit = p->window_width > 1;
    if (!s->limit)
        return;
    s->slope = p->slope * per_unit;
    s->inter = (p->inter - (p->window_center - 0.5)) * per_unit + 0.5 * (high - low) + low;
    s->least = fmin(low, high), s->most = fmax(low, high);
}

static void point_direct(const j2k_tile_decoder *d, j2k_group *g)
{
    const j2k_output *const o0 = output_of(d, g, 0);

    g->store.dtype = plane_of(d, o0)->dtype;
    g->store.rescale = d->job->p->rescale && !o0->raw;
    rescale_of(&g->store, d->job->p);
    g->pixel_stride = (ptrdiff_t)plane_of(d, o0)->stride[1];
    for (int32_t i = 0; i < g->n; i++) {
        const j2k_output *const o = output_of(d, g, i);
        const mtm_array *const a = plane_of(d, o);

        g->base[i] = (char *)a->data + (g->rect.x0 - o->rect.x0) * a->stride[1];
        g->row_bytes[i] = a->stride[0], g->first[i] = o->rect.y0;
    }
}

/* The kernel's whole numbers of staged rows. */
static mtm_dtype staged_dtype(const j2k_group *g)
{
    for (int32_t i = 0; i < g->n; i++)
        if (g->store.bits[i] > 31)
            return MTM_I64;
    return MTM_I32;
}

static mtm_status point_staged(j2k_tile_decoder *d, j2k_group *g, mtm_error *err)
{
    const size_t width = (size_t)(g->rect.x1 - g->rect.x0);
    j2k_arena *const arena = &d->reader->tile_arena;

    g->store.dtype = staged_dtype(g), g->store.rescale = false;
    g->pixel_stride = (ptrdiff_t)mtm_dtype_size(g->store.dtype);
    if (!g->staged)
        g->staged = j2k_arena_take(arena, width * 8 * (size_t)g->n);
    for (int i = 0; i < 2 && !d->row[i]; i++) {
        const j2k_rect all = d->tile.full;

        d->row[i] = j2k_arena_take(arena, (size_t)(all.x1 - all.x0 + 1) * 8); /* no component is wider */
        if (!d->row[i])
            return MTM_NOMEM(err);
    }
    if (!g->staged)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < g->n; i++)
        g->base[i] = g->staged + (size_t)i * width * 8, g->row_bytes[i] = g->first[i] = 0;
    return MTM_OK;
}

mtm_status j2k_output_begin(j2k_tile_decoder *d, mtm_error *err)
{
    for (int32_t k = 0; k < d->n_groups; k++) {
        j2k_group *const g = &d->groups[k];

        g->store.n = (uint8_t)g->n;
        g->store.type = (uint8_t)d->components[g->component[0]].type;
        for (int32_t i = 0; i < g->n; i++) {
            const j2k_component_size *const size = &d->job->plan->header.size.components[g->component[i]];

            const bool joined = g->store.transform != MTM_COLOR_NONE && i < 3;

            g->store.bits[i] = size->bits, g->store.is_signed[i] = size->is_signed;
            g->store.offset[i] = d->components[g->component[joined ? 0 : i]].offset;
        }
        g->direct = is_direct(d, g);
        if (g->direct)
            point_direct(d, g);
        else
            MTM_TRY(point_staged(d, g, err));
    }
    return MTM_OK;
}

/* Entries of a palette's column (T.800 I.5.3.4); numbers beyond its ends take the last one. */
static void palette_row(int64_t *dst, const int64_t *src, size_t n, const j2k_palette *p, int32_t column)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = p->values[mtm_clamp_i64(src[i], 0, p->n_entries - 1) * p->n_columns + column];
}

void j2k_output_row(const j2k_tile_decoder *d, const j2k_group *g, int64_t y)
{
    const j2k_plan *const plan = d->job->plan;
    const size_t n = (size_t)(g->rect.x1 - g->rect.x0);
    finish f = {.k = &d->reader->k.convert, .p = d->job->p, .spare = {d->row[0], d->row[1]}};

    for (int32_t i = 0; i < g->n; i++)
        for (int32_t k = plan->first_output[g->component[i]]; k >= 0; k = plan->outputs[k].next) {
            const j2k_output *const o = &plan->outputs[k];
            const mtm_array *const a = plane_of(d, o);
            char *const dst =
                (char *)a->data + (y - o->rect.y0) * a->stride[0] + (g->rect.x0 - o->rect.x0) * a->stride[1];
            const void *src = g->base[i];

            f.src = g->store.dtype, f.dst = a->dtype, f.rescale = d->job->p->rescale && !o->raw;
            if (o->column >= 0) {
                const mtm_conversion widen = {.src = f.src, .dst = MTM_I64, .slope = 1};
                int64_t *const index = (int64_t *)(void *)d->row[1], *const value =
                                                                         (int64_t *)(void *)d->row[0];

                mtm_convert_row(f.k, &widen, index, src, n);
                palette_row(value, index, n, &plan->boxes.palette, o->column);
                f.src = MTM_I64, src = value;
            }
            finish_row(&f, dst, a->stride[1], src, n);
        }
}

/* ---- YCC to RGB --------------------------------------------------------------------------------------- */

/* One pixel, T.800 I.5.3.3 (sYCC: IEC 61966-2-1 amendment 1): y, cb, cr about 0 for the chrominances. */
static void ycc_pixel(int32_t rgb[3], double y, double cb, double cr, double most)
{
    const double v[3] = {y + 1.402 * cr, y - 0.344136286 * cb - 0.714136286 * cr, y + 1.772 * cb};

    for (int i = 0; i < 3; i++)
        rgb[i] = (int32_t)floor(fmin(fmax(v[i], 0), most) + 0.5);
}

/* Sample x of a row, of a type that j2k_dtype gives. */
static double sample(const char *row, mtm_dtype t, int64_t x)
{
    switch (t) {
    case MTM_U8: return ((const uint8_t *)row)[x];
    case MTM_I8: return ((const int8_t *)row)[x];
    case MTM_U16: return ((const uint16_t *)(const void *)row)[x];
    default: return ((const int16_t *)(const void *)row)[x];
    }
}

/* Where the chrominance sample for position `at` of the luminance lies in its plane: the one at or before it. */
static int64_t nearest(int64_t at, int64_t d0, int64_t d, int64_t first, int64_t n)
{
    return mtm_clamp_i64(at * d0 / d - first, 0, n - 1);
}

static void ycc_row(int32_t *rgb, size_t n, const j2k_plan *plan, const mtm_array *ycc, int64_t y)
{
    const j2k_component_size *const size = plan->header.size.components;
    const j2k_output *const o = plan->outputs;
    const double most = (double)((INT64_C(1) << o[0].bits) - 1);
    const char *row[3];

    for (int i = 0; i < 3; i++)
        row[i] = (const char *)ycc[i].data + nearest(o[0].rect.y0 + y, size[o[0].component].dy,
                                                     size[o[i].component].dy, o[i].rect.y0, ycc[i].shape[0]) *
                                                 ycc[i].stride[0];
    for (size_t x = 0; x < n; x++) {
        double v[3];
        int32_t pixel[3];

        for (int i = 0; i < 3; i++) {
            const int64_t at = nearest(o[0].rect.x0 + plan->crop[1] + (int64_t)x, size[o[0].component].dx,
                                       size[o[i].component].dx, o[i].rect.x0, ycc[i].shape[1]);

            v[i] = sample(row[i], ycc[i].dtype, at);
            v[i] -= i > 0 && !o[i].is_signed ? (double)(INT64_C(1) << (o[i].bits - 1)) : 0;
        }
        ycc_pixel(pixel, v[0], v[1], v[2], most);
        for (int i = 0; i < 3; i++)
            rgb[(size_t)i * n + x] = pixel[i];
    }
}

mtm_status j2k_ycc_to_rgb(const j2k_plan *plan, const j2k_kernels *k, const mtm_decode_params *p,
                          const mtm_array *ycc, const mtm_array *dst, mtm_error *err)
{
    const size_t n = (size_t)dst[0].shape[1];
    MTM_AUTO_MEM char *rows =
        n > SIZE_MAX / 64 ? NULL : mtm_alloc_aligned((n + 8) * (3 * sizeof(int32_t) + 16));
    finish f = {.k = &k->convert, .p = p, .rescale = p->rescale, .src = MTM_I32};

    if (!rows)
        return MTM_NOMEM(err);
    f.spare[0] = rows + (n + 8) / 2 * 2 * 3 * sizeof(int32_t), f.spare[1] = f.spare[0] + n * 8;
    for (int64_t y = 0; y < dst[0].shape[0]; y++) {
        int32_t *const rgb = (int32_t *)(void *)rows;

        ycc_row(rgb, n, plan, ycc, plan->crop[0] + y);
        for (int i = 0; i < 3; i++) {
            f.dst = dst[i].dtype;
            finish_row(&f, (char *)dst[i].data + y * dst[i].stride[0], dst[i].stride[1], rgb + (size_t)i * n,
                       n);
        }
    }
    return MTM_OK;
}
