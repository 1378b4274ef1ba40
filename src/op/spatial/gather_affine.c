/* op/spatial/gather_affine.c: gathers by an affine map, tile by tile so that rotated reads stay in cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "op/spatial/gather.h"
#include "op/spatial/spline.h"

/* Output tiles [Z, Y, X], measured from 1×8×128 to 32×32×128: whole rows keep the coordinates' overhead low, and few planes
 * the number of pages and cache sets that a rotated read touches. */
enum { TILE_Z = 2, TILE_Y = 16, TILE_X = 128, TILE = TILE_Z * TILE_Y * TILE_X };

typedef struct affine_job {
    mtm_gather *j;
    mtm_warp_grid grid;
    const void *data;       /* what grid.first counts from, channel 0 */
    int64_t channel_stride; /* bytes */
    int64_t channels;       /* gathered per located row */
    int64_t channel;        /* the first of them */
    double m[12];           /* output → coordinates in the clip box */
    float value;
    uint8_t value_bytes[8]; /* NEAREST: `value` as an element of the input's dtype */
    int64_t tiles[3];
} affine_job;

static void job_init(affine_job *a, mtm_gather *j)
{
    const mtm_geometry *const g = j->g;
    const int64_t tile[3] = {TILE_Z, TILE_Y, TILE_X};

    *a = (affine_job){.j = j, .channels = j->in.shape[0], .value = (float)g->value};
    a->grid.border = g->border;
    a->grid.interp = j->label ? MTM_NEAREST : g->interp;
    memcpy(a->m, g->m, sizeof a->m);
    for (int i = 0; i < 3; i++) {
        a->grid.size[i] = g->clip_size[2 - i];
        a->m[4 * i + 3] -= (double)g->clip_start[2 - i];
        a->tiles[i] = (g->out_size[i] + tile[i] - 1) / tile[i];
    }
}

static void row_at(const affine_job *a, int64_t z, int64_t y, mtm_warp_row *row)
{
    for (int i = 0; i < 3; i++) {
        const double *const m = a->m + 4 * i;

        row->at[i] = m[1] * ((double)y + 0.5) + (m[2] * ((double)z + 0.5) + m[3]);
        row->step[i] = m[0];
    }
}

static const void *channel_data(const affine_job *a, int64_t c)
{
    return (const uint8_t *)a->data + c * a->channel_stride;
}

/* ---- interpolated -------------------------------------------------------------------------------------- */

/* n ≤ TILE_X outputs of one row, of every channel c into to + c·pitch. */
static void float_row(const affine_job *a, const mtm_warp_row *row, int64_t x0, int32_t n, float *to,
                      int64_t pitch)
{
    const mtm_warp_kernels *const k = &a->j->x->kernels.warp;
    const int64_t *const stride = a->grid.stride;
    const int64_t pair[3] = {a->grid.size[0] > 1, a->grid.size[1] > 1 ? stride[1] : 0,
                             a->grid.size[2] > 1 ? stride[2] : 0};
    int64_t touch[2], inside[2];
    mtm_warp_taps taps;

    mtm_warp_split(&a->grid, row, x0, n, touch, inside);
    const int32_t count = (int32_t)(inside[1] - inside[0]);
    if (count > 0)
        k->locate(&a->grid, row, inside[0], count, &taps);
    for (int64_t c = 0; c < a->channels; c++) {
        const float *const data = channel_data(a, c);
        float *const out = to + c * pitch - x0;

        for (int64_t x = x0; x < touch[0]; x++)
            out[x] = a->value;
        for (int64_t x = touch[1]; x < x0 + n; x++)
            out[x] = a->value;
        for (int64_t x = touch[0]; x < inside[0]; x++)
            out[x] = mtm_warp_linear_at(&a->grid, row, x, data, a->value);
        for (int64_t x = inside[1]; x < touch[1]; x++)
            out[x] = mtm_warp_linear_at(&a->grid, row, x, data, a->value);
        if (count > 0 && a->grid.interp == MTM_LINEAR)
            k->linear(data, &taps, count, pair, out + inside[0]);
        else if (count > 0)
            k->cubic(data, &taps, count, stride, out + inside[0]);
    }
}

static mtm_status float_tile(const affine_job *a, const int64_t start[3], const int64_t size[3],
                             mtm_error *err)
{
    _Alignas(64) float buffer[TILE];
    const mtm_gather *const j = a->j;
    const int64_t groups = mtm_gather_direct(&j->out) ? a->channels : 1;
    affine_job one = *a; /* without a direct way, channel by channel through the buffer */
    mtm_warp_row row;

    one.channels = groups;
    for (int64_t c = 0; c < a->channels; c += groups) {
        mtm_array out = mtm_gather_part(&j->out, a->channel + c, groups, start, size);
        mtm_array rows = mtm_gather_direct(&j->out) ? out : mtm_array_wrap(buffer, MTM_F32, 4, out.shape);

        one.data = channel_data(a, c);
        for (int64_t z = 0; z < size[0]; z++)
            for (int64_t y = 0; y < size[1]; y++) {
                row_at(a, start[0] + z, start[1] + y, &row);
                float_row(&one, &row, start[2], (int32_t)size[2],
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

/* The same as float_row for elements of any dtype; strides in bytes. */
static void nearest_row(const affine_job *a, const mtm_warp_row *row, int64_t x0, int32_t n, uint8_t *to,
                        int64_t stride, int64_t pitch)
{
    static const int64_t same[TILE_X] = {0}; /* `value` at every offset */
    const size_t bytes = mtm_dtype_size(a->j->in.dtype);
    int64_t touch[2], inside[2];
    mtm_warp_taps taps;

    mtm_warp_split(&a->grid, row, x0, n, touch, inside);
    const int32_t count = (int32_t)(inside[1] - inside[0]);
    if (count > 0)
        a->j->x->kernels.warp.locate(&a->grid, row, inside[0], count, &taps);
    for (int64_t c = 0; c < a->channels; c++) {
        uint8_t *const out = to + c * pitch;

        mtm_gather_take(bytes, a->value_bytes, same, (int32_t)(inside[0] - x0), out, stride);
        mtm_gather_take(bytes, a->value_bytes, same, (int32_t)(x0 + n - inside[1]),
                        out + (inside[1] - x0) * stride, stride);
        if (count > 0)
            mtm_gather_take(bytes, channel_data(a, c), taps.offset, count, out + (inside[0] - x0) * stride,
                            stride);
    }
}

/* Channel by channel through a buffer of the input's dtype, then converted (and stepped). */
static mtm_status nearest_tile_converted(const affine_job *a, const int64_t start[3], const int64_t size[3],
                                         mtm_error *err)
{
    _Alignas(64) uint8_t raw[TILE * 8];
    _Alignas(64) float stepped[TILE];
    const mtm_gather *const j = a->j;
    const int64_t shape[4] = {1, size[0], size[1], size[2]};
    const mtm_array got = mtm_array_wrap(raw, j->in.dtype, 4, shape);
    mtm_array rows = mtm_array_wrap(stepped, MTM_F32, 4, shape);
    affine_job one = *a;
    mtm_warp_row row;

    one.channels = 1;
    for (int64_t c = 0; c < a->channels; c++) {
        mtm_array out = mtm_gather_part(&j->out, c, 1, start, size);

        one.data = channel_data(a, c);
        for (int64_t z = 0; z < size[0]; z++)
            for (int64_t y = 0; y < size[1]; y++) {
                row_at(a, start[0] + z, start[1] + y, &row);
                nearest_row(&one, &row, start[2], (int32_t)size[2],
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

static mtm_status nearest_tile(const affine_job *a, const int64_t start[3], const int64_t size[3],
                               mtm_error *err)
{
    const mtm_gather *const j = a->j;
    mtm_warp_row row;

    if (j->steps || j->out.dtype != j->in.dtype)
        return nearest_tile_converted(a, start, size, err);
    const mtm_array out = mtm_gather_part(&j->out, 0, a->channels, start, size);
    for (int64_t z = 0; z < size[0]; z++)
        for (int64_t y = 0; y < size[1]; y++) {
            row_at(a, start[0] + z, start[1] + y, &row);
            nearest_row(a, &row, start[2], (int32_t)size[2],
                        (uint8_t *)out.data + z * out.stride[1] + y * out.stride[2], out.stride[3],
                        out.stride[0]);
        }
    return MTM_OK;
}

/* ---- tiles --------------------------------------------------------------------------------------------- */

static void run_tiles(void *job, int64_t lo, int64_t hi)
{
    static const int64_t tile[3] = {TILE_Z, TILE_Y, TILE_X};
    const affine_job *const a = job;
    mtm_error err = {0};

    for (int64_t k = lo; k < hi; k++) {
        int64_t rest = k, start[3], size[3];

        for (int i = 2; i >= 0; i--) {
            start[i] = rest % a->tiles[i] * tile[i];
            size[i] = mtm_min_i64(tile[i], a->j->g->out_size[i] - start[i]);
            rest /= a->tiles[i];
        }
        mtm_gather_note(a->j,
                        a->grid.interp == MTM_NEAREST ? nearest_tile(a, start, size, &err)
                                                      : float_tile(a, start, size, &err),
                        &err);
    }
}

static mtm_status all_tiles(affine_job *a, mtm_error *err)
{
    mtm_warp_grid_fold(&a->grid);
    return mtm_gather_pieces(a->j, a->tiles[0] * a->tiles[1] * a->tiles[2], 2, run_tiles, a, err);
}

static mtm_status run_nearest(affine_job *a, mtm_error *err)
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

static mtm_status run_linear(affine_job *a, const mtm_array *in, const int64_t start[3], mtm_error *err)
{
    a->data = in->data, a->channel_stride = in->stride[0];
    for (int i = 0; i < 3; i++) {
        a->grid.stride[i] = i == 0 ? 1 : in->stride[3 - i] / 4;
        a->grid.first += (a->j->g->clip_start[2 - i] - start[2 - i]) * a->grid.stride[i];
    }
    return all_tiles(a, err);
}

static mtm_status run_cubic(affine_job *a, const mtm_array *in, const int64_t start[3], const mtm_box *need,
                            mtm_error *err)
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

mtm_status mtm_gather_affine(mtm_gather *j, mtm_error *err)
{
    mtm_box need, whole = {.ndim = 3};
    void *scratch = NULL;
    affine_job a;
    mtm_status s;
    mtm_array in;
    int64_t start[3];

    job_init(&a, j);
    if (a.grid.interp == MTM_NEAREST)
        return run_nearest(&a, err);
    for (int i = 0; i < 3; i++)
        whole.size[i] = j->g->out_size[i];
    mtm_geometry_need(j->g, &whole, &need);
    s = float_source(j, &need, &in, start, &scratch, err);
    if (need.size[0] == 0)
        a.grid.interp = MTM_LINEAR; /* all of it is `value`, and nothing is read */
    if (s == MTM_OK)
        s = a.grid.interp == MTM_LINEAR ? run_linear(&a, &in, start, err)
                                        : run_cubic(&a, &in, start, &need, err);
    mtm_scratch_return(j->x, scratch);
    return s;
}
