/* array/array.c: making, measuring and cutting views.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array.h"

mtm_array mtm_array_wrap(void *data, mtm_dtype t, int32_t ndim, const int64_t *shape)
{
    mtm_array a = {.data = data, .ndim = ndim, .dtype = t};
    int64_t stride = (int64_t)mtm_dtype_size(t);

    for (int32_t i = ndim - 1; i >= 0; i--) {
        a.shape[i] = shape[i], a.stride[i] = stride;
        stride *= shape[i] > 0 ? shape[i] : 1;
    }
    return a;
}

mtm_status mtm_array_new(mtm_array *out, mtm_dtype t, int32_t ndim, const int64_t *shape, mtm_recycler *r,
                         mtm_error *err)
{
    mtm_buffer *b;
    uint64_t bytes;

    if (!mtm_dtype_size(t))
        return mtm_fail(err, MTM_E_INVAL, -1, "%d is no dtype", t);
    if (ndim < 0 || ndim > MTM_MAX_DIMS)
        return mtm_fail(err, MTM_E_INVAL, -1, "an array has 0 to %d axes, not %d", MTM_MAX_DIMS, ndim);
    /* Also with an extent of 0 the others must give strides that fit. */
    MTM_TRY(mtm_array_check_shape(ndim, shape, mtm_dtype_size(t), &bytes, err));
    MTM_TRY(mtm_recycler_get(&b, r, (size_t)bytes, err));
    *out = mtm_array_wrap(mtm_buffer_data(b), t, ndim, shape);
    out->owner = b;
    return MTM_OK;
}

mtm_status mtm_array_check_shape(int32_t ndim, const int64_t *shape, size_t elem_bytes, uint64_t *bytes,
                                 mtm_error *err)
{
    int64_t solid[MTM_MAX_DIMS]; /* extents of 0 count as 1: their strides are made the same way */
    bool empty = false;

    for (int32_t i = 0; i < ndim; i++) {
        solid[i] = shape[i] ? shape[i] : 1;
        empty = empty || shape[i] == 0;
    }
    const mtm_status s = mtm_extent_bytes(bytes, ndim, solid, elem_bytes, INT64_MAX, "array", err);
    if (s == MTM_E_LIMIT)
        return mtm_fail(err, MTM_E_INVAL, -1, "the shape has more than 2^63 bytes");
    MTM_TRY(s);
    if (empty)
        *bytes = 0;
    return MTM_OK;
}

void mtm_array_drop(mtm_array *a)
{
    mtm_buffer_unref(a->owner);
    *a = (mtm_array){0};
}

int64_t mtm_array_count(const mtm_array *a)
{
    int64_t n = 1;

    for (int32_t i = 0; i < a->ndim; i++)
        n *= a->shape[i];
    return n;
}

bool mtm_array_is_c_order(const mtm_array *a)
{
    int64_t stride = (int64_t)mtm_dtype_size(a->dtype);

    for (int32_t i = 0; i < a->ndim; i++)
        if (a->shape[i] == 0)
            return true;
    for (int32_t i = a->ndim - 1; i >= 0; i--) {
        if (a->shape[i] == 1)
            continue;
        if (a->stride[i] != stride)
            return false;
        stride *= a->shape[i];
    }
    return true;
}

mtm_status mtm_array_crop(mtm_array *out, const mtm_array *a, const mtm_box *box, mtm_error *err)
{
    mtm_array v = *a;

    if (box->ndim != a->ndim)
        return mtm_fail(err, MTM_E_INVAL, -1, "a box of %d axes does not fit an array of %d", box->ndim,
                        a->ndim);
    v.owner = NULL;
    for (int32_t i = 0; i < a->ndim; i++) {
        if (box->start[i] < 0 || box->size[i] < 0 || box->start[i] > a->shape[i] ||
            box->size[i] > a->shape[i] - box->start[i])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "axis %d: %" PRId64 " voxels from %" PRId64 " on leave an extent of %" PRId64, i,
                            box->size[i], box->start[i], a->shape[i]);
        v.shape[i] = box->size[i];
    }
    if (mtm_array_count(&v) > 0) /* an empty view may begin one past the end: nothing is pointed to */
        for (int32_t i = 0; i < a->ndim; i++)
            v.data = (char *)v.data + box->start[i] * a->stride[i];
    *out = v;
    return MTM_OK;
}
