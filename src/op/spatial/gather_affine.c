/* op/spatial/gather_affine.c: gathers by an affine map: rows are straight, so borders cut them into parts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/gather_rows.h"

/* A row that stays on one line of the input, at no more than two of its voxels per output. */
static bool is_straight(const mtm_row_gather *a, const mtm_warp_row *row)
{
    return row->step[1] == 0 && row->step[2] == 0 && row->step[0] >= -1.9 && row->step[0] <= 1.9 &&
           (a->grid.border == MTM_EDGE || a->grid.border == MTM_CONSTANT) && a->grid.size[0] > 1;
}

static void float_row(const mtm_row_gather *a, mtm_field_near *near, const int64_t at[3], int32_t n,
                      float *to, int64_t pitch)
{
    const mtm_warp_row row = mtm_row_gather_at(a, at);
    const int64_t x0 = at[2];
    const mtm_warp_kernels *const k = &a->j->x->kernels.warp;
    const int64_t *const stride = a->grid.stride;
    const int64_t pair[3] = {a->grid.size[0] > 1, a->grid.size[1] > 1 ? stride[1] : 0,
                             a->grid.size[2] > 1 ? stride[2] : 0};
    int64_t touch[2], inside[2];
    mtm_warp_taps taps;

    mtm_warp_split(&a->grid, &row, x0, n, touch, inside);
    const int32_t count = (int32_t)(inside[1] - inside[0]);
    if (count > 0)
        k->locate(&a->grid, &row, inside[0], count, &taps);
    for (int64_t c = 0; c < a->channels; c++) {
        const float *const data = mtm_row_gather_channel(a, c);
        float *const out = to + c * pitch - x0;

        for (int64_t x = x0; x < touch[0]; x++)
            out[x] = a->value;
        for (int64_t x = touch[1]; x < x0 + n; x++)
            out[x] = a->value;
        for (int64_t x = touch[0]; x < inside[0]; x++)
            out[x] = mtm_warp_linear_at(&a->grid, &row, x, data, a->value);
        for (int64_t x = inside[1]; x < touch[1]; x++)
            out[x] = mtm_warp_linear_at(&a->grid, &row, x, data, a->value);
        if (count > 0 && a->grid.interp == MTM_LINEAR)
            (is_straight(a, &row) ? k->straight : k->linear)(data, &taps, count, pair, out + inside[0]);
        else if (count > 0)
            k->cubic(data, &taps, count, stride, out + inside[0]);
    }
}

static void nearest_row(const mtm_row_gather *a, mtm_field_near *near, const int64_t at[3], int32_t n,
                        uint8_t *to, int64_t stride, int64_t pitch)
{
    const mtm_warp_row row = mtm_row_gather_at(a, at);
    const int64_t x0 = at[2];
    static const int64_t same[MTM_TILE_X] = {0}; /* `value` at every offset */
    const size_t bytes = mtm_dtype_size(a->j->in.dtype);
    int64_t touch[2], inside[2];
    mtm_warp_taps taps;

    mtm_warp_split(&a->grid, &row, x0, n, touch, inside);
    const int32_t count = (int32_t)(inside[1] - inside[0]);
    if (count > 0)
        a->j->x->kernels.warp.locate(&a->grid, &row, inside[0], count, &taps);
    for (int64_t c = 0; c < a->channels; c++) {
        uint8_t *const out = to + c * pitch;

        mtm_gather_take(bytes, a->value_bytes, same, (int32_t)(inside[0] - x0), out, stride);
        mtm_gather_take(bytes, a->value_bytes, same, (int32_t)(x0 + n - inside[1]),
                        out + (inside[1] - x0) * stride, stride);
        if (count > 0)
            mtm_gather_take(bytes, mtm_row_gather_channel(a, c), taps.offset, count,
                            out + (inside[0] - x0) * stride, stride);
    }
}

mtm_status mtm_gather_affine(mtm_gather *j, mtm_error *err)
{
    static const mtm_row_source rows = {float_row, nearest_row};

    return mtm_gather_rows(j, &rows, NULL, err);
}
