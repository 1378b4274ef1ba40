/* op/spatial/gather_rows.c: gathers along located rows, tile by tile so that rotated reads stay in cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/gather_rows.h"
#include "base/size.h"
#include "op/spatial/spline.h"

static void job_init(mtm_row_gather *a, mtm_gather *j, const mtm_row_source *source, const mtm_field *field)
{
    const mtm_geometry *const g = j->g;
    const int64_t tile[3] = {MTM_TILE_Z, MTM_TILE_Y, MTM_TILE_X};

    *a = (mtm_row_gather){
        .j = j, .source = source, .field = field, .channels = j->in.shape[0], .value = (float)g->value};
    a->grid.border = g->border;
    a->grid.interp = j->label ? MTM_NEAREST : g->interp;
    mtm_geometry_matrix(g, a->m);
    for (int i = 0; i < 3; i++) {
        a->grid.size[i] = g->clip_size[2 - i];
        a->m[4 * i + 3] -= (double)g->clip_start[2 - i];
        a->tiles[i] = (g->out_size[i] + tile[i] - 1) / tile[i];
    }
}

/* ---- interpolated -------------------------------------------------------------------------------------- */

static mtm_status float_tile(const mtm_row_gather *a, mtm_field_near *near, const int64_t start[3],
                             const int64_t size[3], mtm_error *err)
{
    _Alignas(64) float buffer[MTM_TILE];
    const mtm_gather *const j = a->j;
    const int64_t groups = mtm_gather_direct(&j->out) ? a->channels : 1;
    mtm_row_gather one = *a; /* without a direct way, channel by channel through the buffer */

    one.channels = groups;
    for (int64_t c = 0; c < a->channels; c += groups) {
        mtm_array out = mtm_gather_part(&j->out, a->channel + c, groups, start, size);
        mtm_array rows = mtm_gather_direct(&j->out) ? out : mtm_array_wrap(buffer, MTM_F32, 4, out.shape);

        one.data = mtm_row_gather_channel(a, c);
        for (int64_t z = 0; z < size[0]; z++)
            for (int64_t y = 0; y < size[1]; y++) {
                const int64_t at[3] = {start[0] + z, start[1] + y, start[2]};

                a->source->floats(&one, near, at, (int32_t)size[2],
                                  (float *)((uint8_t *)rows.data + z * rows.stride[1] + y * rows.stride[2]),
                                  rows.stride[0] / 4);
            }
        for (int64_t k = 0; j->steps && k < groups; k++) {
            mtm_array plane = rows;

            plane.data = (uint8_t *)rows.data + k * rows.stride[0], plane.shape[0] = 1;
            mtm_gather_steps(j, a->channel + c + k, start, &plane);
        }
        if (!mtm_gather_direct(&j->out))
            MTM_TRY(mtm_array_convert(&out, &rows, 1, 0, NULL, err));
    }
    return MTM_OK;
}

/* ---- nearest ------------------------------------------------------------------------------------------- */

/* Channel by channel through a buffer of the input's dtype, then converted (and stepped). */
static mtm_status nearest_tile_converted(const mtm_row_gather *a, mtm_field_near *near,
                                         const int64_t start[3], const int64_t size[3], mtm_error *err)
{
    _Alignas(64) uint8_t raw[MTM_TILE * 8];
    _Alignas(64) float stepped[MTM_TILE];
    const mtm_gather *const j = a->j;
    const int64_t shape[4] = {1, size[0], size[1], size[2]};
    const mtm_array got = mtm_array_wrap(raw, j->in.dtype, 4, shape);
    mtm_array rows = mtm_array_wrap(stepped, MTM_F32, 4, shape);
    mtm_row_gather one = *a;

    one.channels = 1;
    for (int64_t c = 0; c < a->channels; c++) {
        mtm_array out = mtm_gather_part(&j->out, c, 1, start, size);

        one.data = mtm_row_gather_channel(a, c);
        for (int64_t z = 0; z < size[0]; z++)
            for (int64_t y = 0; y < size[1]; y++) {
                const int64_t at[3] = {start[0] + z, start[1] + y, start[2]};

                a->source->elements(&one, near, at, (int32_t)size[2],
                                    raw + z * got.stride[1] + y * got.stride[2], got.stride[3], 0);
            }
        if (!j->steps) {
            MTM_TRY(mtm_array_convert(&out, &got, 1, 0, NULL, err));
            continue;
        }
        MTM_TRY(mtm_array_convert(&rows, &got, 1, 0, NULL, err));
        mtm_gather_steps(j, c, start, &rows);
        MTM_TRY(mtm_array_convert(&out, &rows, 1, 0, NULL, err));
    }
    return MTM_OK;
}

static mtm_status nearest_tile(const mtm_row_gather *a, mtm_field_near *near, const int64_t start[3],
                               const int64_t size[3], mtm_error *err)
{
    const mtm_gather *const j = a->j;

    if (j->steps || j->out.dtype != j->in.dtype)
        return nearest_tile_converted(a, near, start, size, err);
    const mtm_array out = mtm_gather_part(&j->out, 0, a->channels, start, size);
    for (int64_t z = 0; z < size[0]; z++)
        for (int64_t y = 0; y < size[1]; y++) {
            const int64_t at[3] = {start[0] + z, start[1] + y, start[2]};

            a->source->elements(a, near, at, (int32_t)size[2],
                                (uint8_t *)out.data + z * out.stride[1] + y * out.stride[2], out.stride[3],
                                out.stride[0]);
        }
    return MTM_OK;
}

/* ---- tiles --------------------------------------------------------------------------------------------- */

static void run_tiles(void *job, int64_t lo, int64_t hi)
{
    static const int64_t tile[3] = {MTM_TILE_Z, MTM_TILE_Y, MTM_TILE_X};
    const mtm_row_gather *const a = job;
    mtm_error err = {0};
    mtm_field_near near;

    for (int64_t k = lo; k < hi; k++) {
        int64_t rest = k, start[3], size[3];

        mtm_field_near_init(&near);

        for (int i = 2; i >= 0; i--) {
            start[i] = rest % a->tiles[i] * tile[i];
            size[i] = mtm_min_i64(tile[i], a->j->g->out_size[i] - start[i]);
            rest /= a->tiles[i];
        }
        mtm_gather_note(a->j,
                        a->grid.interp == MTM_NEAREST ? nearest_tile(a, &near, start, size, &err)
                                                      : float_tile(a, &near, start, size, &err),
                        &err);
    }
}

static mtm_status all_tiles(mtm_row_gather *a, mtm_error *err)
{
    mtm_warp_grid_fold(&a->grid);
    return mtm_gather_pieces(a->j, a->tiles[0] * a->tiles[1] * a->tiles[2], 2, run_tiles, a, err);
}

static mtm_status run_nearest(mtm_row_gather *a, mtm_error *err)
{
    static const int64_t one_voxel[1] = {1};
    const mtm_gather *const j = a->j;

    if (a->grid.border == MTM_CONSTANT) {
        mtm_array value = mtm_array_wrap(a->value_bytes, j->in.dtype, 1, one_voxel);

        MTM_TRY(mtm_gather_fill(&value, j->g->value, NULL, err));
    }
    a->data = j->in.data, a->channel_stride = j->in.stride[0];
    for (int i = 0; i < 3; i++) {
        a->grid.stride[i] = j->in.stride[3 - i];
        a->grid.first += (j->g->clip_start[2 - i] - j->in_start[2 - i]) * a->grid.stride[i];
    }
    return all_tiles(a, err);
}

/* The part [start, start + …) of the input as float32 with contiguous x: the input itself where it is so, else a converted
 * copy of what is needed, in *scratch. */
static mtm_status float_source(const mtm_gather *j, const mtm_box *need, mtm_array *in, int64_t start[3],
                               void **scratch, mtm_error *err)
{
    const mtm_array *const a = &j->in;
    int64_t rel[3], shape[4] = {a->shape[0]};
    uint64_t bytes;

    *scratch = NULL, *in = *a;
    memcpy(start, j->in_start, sizeof j->in_start);
    if (a->dtype == MTM_F32 && (a->stride[3] == 4 || a->shape[3] == 1) &&
        (a->stride[0] | a->stride[1] | a->stride[2]) % 4 == 0)
        return MTM_OK;
    for (int i = 0; i < 3; i++) {
        rel[i] = need->start[i] - j->in_start[i];
        start[i] = need->start[i];
        shape[i + 1] = need->size[i];
    }
    MTM_TRY(mtm_extent_bytes(&bytes, 4, shape, 4, INT64_MAX, "the interpolated image", err));
    MTM_TRY(mtm_scratch_borrow(j->x, bytes + 64, scratch, err));
    *in = mtm_array_wrap(*scratch, MTM_F32, 4, shape);
    const mtm_array part = mtm_gather_part(a, 0, shape[0], rel, need->size);
    return bytes ? mtm_array_convert(in, &part, 1, 0, j->x->pool, err) : MTM_OK;
}

static mtm_status run_linear(mtm_row_gather *a, const mtm_array *in, const int64_t start[3], mtm_error *err)
{
    a->data = in->data, a->channel_stride = in->stride[0];
    for (int i = 0; i < 3; i++) {
        a->grid.stride[i] = i == 0 ? 1 : in->stride[3 - i] / 4;
        a->grid.first += (a->j->g->clip_start[2 - i] - start[2 - i]) * a->grid.stride[i];
    }
    return all_tiles(a, err);
}

static mtm_status run_cubic(mtm_row_gather *a, const mtm_array *in, const int64_t start[3],
                            const mtm_box *need, mtm_error *err)
{
    void *coefficients;
    mtm_spline s;
    mtm_status status = MTM_OK;

    mtm_spline_plan(&s, a->j->g, need);
    MTM_TRY(mtm_spline_borrow(&s, a->j->x, &coefficients, err));
    a->data = coefficients, a->grid.pad = s.pad, a->grid.first = s.first, a->channels = 1;
    memcpy(a->grid.stride, s.stride, sizeof s.stride);
    for (int64_t c = 0; c < in->shape[0] && status == MTM_OK; c++) {
        a->channel = c;
        status = mtm_spline_filter(&s, a->j->x, in, c, start, coefficients, err);
        if (status == MTM_OK)
            status = all_tiles(a, err);
    }
    mtm_spline_return(&s, a->j->x, coefficients);
    return status;
}

mtm_status mtm_gather_rows(mtm_gather *j, const mtm_row_source *source, const mtm_field *field,
                           mtm_error *err)
{
    mtm_box need, whole = {.ndim = 3};
    void *scratch = NULL;
    mtm_status s;
    mtm_array in;
    mtm_row_gather a;
    int64_t start[3];

    job_init(&a, j, source, field);
    for (int i = 0; i < 3; i++)
        whole.size[i] = j->g->out_size[i];
    mtm_geometry_need(j->g, &whole, &need);
    a.nothing = need.size[0] == 0;
    if (a.grid.interp == MTM_NEAREST)
        return run_nearest(&a, err);
    s = float_source(j, &need, &in, start, &scratch, err);
    if (a.nothing)
        a.grid.interp = MTM_LINEAR;
    if (s == MTM_OK)
        s = a.grid.interp == MTM_LINEAR ? run_linear(&a, &in, start, err)
                                        : run_cubic(&a, &in, start, &need, err);
    mtm_scratch_return(j->x, scratch);
    return s;
}
