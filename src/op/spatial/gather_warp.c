/* op/spatial/gather_warp.c: gathers by an affine map, a field of displacements, an affine map, in one go: every row is located
 * as the whole affine map's, bent by the displacements.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/gather_rows.h"

/* Outputs that the border decides, tap by tap. */
static void linear_borders(const mtm_row_gather *a, const mtm_warp_row *row, const float *const bend[3],
                           int64_t x0, int32_t n, const float *data, float *out)
{
    for (int32_t i = 0; i < n; i++) {
        const float here[3] = {bend[0][i], bend[1][i], bend[2][i]};

        if (!mtm_warp_bent_inside(&a->grid, row, x0 + i, here))
            out[i] = mtm_warp_bent_linear(&a->grid, row, x0 + i, here, data, a->value);
    }
}

static void float_row(const mtm_row_gather *a, mtm_field_near *near, const int64_t at[3], int32_t n,
                      float *to, int64_t pitch)
{
    const mtm_warp_kernels *const k = &a->j->x->kernels.warp;
    const int64_t *const stride = a->grid.stride;
    const int64_t pair[3] = {a->grid.size[0] > 1, a->grid.size[1] > 1 ? stride[1] : 0,
                             a->grid.size[2] > 1 ? stride[2] : 0};
    const mtm_warp_row row = mtm_row_gather_at(a, at);
    const float *bend[3];
    mtm_warp_taps taps;

    if (a->nothing) {
        for (int64_t c = 0; c < a->channels; c++)
            for (int32_t i = 0; i < n; i++)
                to[c * pitch + i] = a->value;
        return;
    }
    mtm_field_row(a->field, near, at, n, bend);
    const bool inside = k->locate_bent(&a->grid, &row, at[2], n, bend, &taps);
    for (int64_t c = 0; c < a->channels; c++) {
        const float *const data = mtm_row_gather_channel(a, c);
        float *const out = to + c * pitch;

        if (a->grid.interp == MTM_LINEAR)
            k->linear(data, &taps, n, pair, out);
        else
            k->cubic(data, &taps, n, stride, out);
        if (!inside)
            linear_borders(a, &row, bend, at[2], n, data, out);
    }
}

/* Where the border is constant its value stands for every voxel outside. */
static void value_borders(const mtm_row_gather *a, const mtm_warp_row *row, const float *const bend[3],
                          int64_t x0, int32_t n, uint8_t *out, int64_t stride)
{
    const size_t bytes = mtm_dtype_size(a->j->in.dtype);

    for (int32_t i = 0; i < n; i++)
        if (!mtm_warp_bent_inside(&a->grid, row, x0 + i,
                                  (const float[3]){bend[0][i], bend[1][i], bend[2][i]}))
            memcpy(out + i * stride, a->value_bytes, bytes);
}

static void nearest_row(const mtm_row_gather *a, mtm_field_near *near, const int64_t at[3], int32_t n,
                        uint8_t *to, int64_t stride, int64_t pitch)
{
    static const int64_t same[MTM_TILE_X] = {0}; /* `value` at every offset */
    const size_t bytes = mtm_dtype_size(a->j->in.dtype);
    const mtm_warp_row row = mtm_row_gather_at(a, at);
    const float *bend[3];
    mtm_warp_taps taps;

    if (a->nothing) {
        for (int64_t c = 0; c < a->channels; c++)
            mtm_gather_take(bytes, a->value_bytes, same, n, to + c * pitch, stride);
        return;
    }
    mtm_field_row(a->field, near, at, n, bend);
    const bool inside = a->j->x->kernels.warp.locate_bent(&a->grid, &row, at[2], n, bend, &taps);
    for (int64_t c = 0; c < a->channels; c++) {
        uint8_t *const out = to + c * pitch;

        mtm_gather_take(bytes, mtm_row_gather_channel(a, c), taps.offset, n, out, stride);
        if (!inside)
            value_borders(a, &row, bend, at[2], n, out, stride);
    }
}

mtm_status mtm_gather_warp(mtm_gather *j, mtm_error *err)
{
    static const mtm_row_source rows = {float_row, nearest_row};
    mtm_field field;
    mtm_status s;

    MTM_TRY(mtm_field_make(&field, j->x, j->g, false, err));
    s = mtm_gather_rows(j, &rows, &field, err);
    mtm_field_drop(&field);
    return s;
}
