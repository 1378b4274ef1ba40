/* load/picture.c: a field's picture seen as [C, Z, Y, X], whatever axes its file has, and reading boxes of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"
#include "load/items.h"
#include "load/sample.h"

mtm_status mtm_as_czyx(mtm_array *out, const mtm_array *in, mtm_error *err)
{
    const int32_t missing = 4 - in->ndim;

    if (in->ndim < 2 || in->ndim > 4)
        return mtm_fail(err, MTM_E_INVAL, -1, "an array of %d dimensions is no [Z, Y, X] or [C, Z, Y, X]",
                        in->ndim);
    if (in->device != MTM_DEVICE_CPU || !mtm_dtype_size(in->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "the array is not in this machine's memory, or has no dtype");
    mtm_array a = *in;
    a.ndim = 4, a.owner = NULL;
    for (int32_t i = 3; i >= 0; i--) {
        a.shape[i] = i >= missing ? in->shape[i - missing] : 1;
        a.stride[i] = i >= missing ? in->stride[i - missing] : 0;
        if (a.shape[i] < 1)
            return mtm_fail(err, MTM_E_INVAL, -1, "the array is empty");
    }
    *out = a;
    return MTM_OK;
}

static mtm_status array_source(mtm_picture_source *src, const mtm_field *f, mtm_error *err)
{
    MTM_TRY(mtm_as_czyx(&src->array, &f->array, err));
    src->spec.dtype = f->array.dtype;
    src->spec.spatial = f->array.ndim == 2 ? 2 : 3;
    src->spec.channels = src->array.shape[0];
    memcpy(src->spec.size, &src->array.shape[1], sizeof src->spec.size);
    return MTM_OK;
}

/* Finds Z, Y and X among a file's axes; all others are channels, which must lie together so that one stride walks
 * through them. */
static mtm_status map_axes(mtm_picture_source *src, const mtm_image_info *info, mtm_error *err)
{
    int32_t last = -1;

    memset(src->axis, -1, sizeof src->axis);
    src->spec.channels = 1;
    for (int32_t i = 0; i < info->ndim; i++) {
        const char *const spatial = strchr("ZYX", info->axes[i]);

        if (info->axes[i] && spatial) {
            src->axis[1 + (spatial - "ZYX")] = (int8_t)i;
            continue;
        }
        if (last >= 0 && last != i - 1)
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "axes %s hold channels in two places", info->axes);
        last = i;
        src->axis[0] = (int8_t)i;
        if (__builtin_mul_overflow(src->spec.channels, info->shape[i], &src->spec.channels))
            return mtm_fail(err, MTM_E_LIMIT, -1, "too many channels");
    }
    if (src->axis[2] < 0 || src->axis[3] < 0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "axes %s have no Y and X", info->axes);
    return MTM_OK;
}

static mtm_status image_source(mtm_picture_source *src, const mtm_field *f, mtm_index *index,
                               const mtm_limits *limits, mtm_error *err)
{
    const mtm_open_options opt = {.struct_size = sizeof opt, .limits = limits, .index = index};
    const mtm_image_info *info;
    mtm_status st;

    if (!f->uri && (!f->uris || f->n_uris < 1))
        return mtm_fail(err, MTM_E_INVAL, -1, "field '%s' has no file", f->name);
    st = f->uri ? mtm_image_open(&src->image, f->uri, &opt, err)
                : mtm_image_open_files(&src->image, f->uris, f->n_uris, &opt, err);
    MTM_TRY(mtm_error_where(err, st, mtm_field_place(f)));
    info = mtm_image_info_get(src->image);
    MTM_TRY(mtm_error_where(err, map_axes(src, info, err), mtm_field_place(f)));
    src->spec.dtype = info->dtype;
    src->spec.spatial = src->axis[1] < 0 ? 2 : 3;
    for (int i = 0; i < 3; i++)
        src->spec.size[i] = src->axis[1 + i] < 0 ? 1 : info->shape[src->axis[1 + i]];
    src->spec.has_affine = info->has_affine;
    memcpy(src->spec.affine, info->affine, sizeof src->spec.affine);
    return MTM_OK;
}

mtm_status mtm_picture_open(mtm_picture_source *src, const mtm_field *f, bool label, mtm_index *index,
                            const mtm_limits *limits, mtm_error *err)
{
    *src = (mtm_picture_source){.spec.label = label};
    if (f->kind == MTM_FIELD_IMAGE)
        MTM_TRY(image_source(src, f, index, limits, err));
    else
        MTM_TRY(mtm_error_where(err, array_source(src, f, err), f->name));
    if (!src->spec.has_affine) /* unit voxels at the origin */
        for (int i = 0; i < 16; i++)
            src->spec.affine[i] = i % 5 == 0;
    return MTM_OK;
}

/* The n-d box of the file for a [Z, Y, X] box of all channels. */
static void file_box(const mtm_picture_source *src, const mtm_image_info *info, const mtm_box *zyx,
                     mtm_box *out)
{
    *out = (mtm_box){.ndim = info->ndim};
    memcpy(out->size, info->shape, (size_t)info->ndim * sizeof *out->size);
    for (int i = 0; i < 3; i++)
        if (src->axis[1 + i] >= 0) {
            out->start[src->axis[1 + i]] = zyx->start[i];
            out->size[src->axis[1 + i]] = zyx->size[i];
        }
}

/* [C, Z, Y, X] seen with the axes of the file: the view to read into. */
static void as_file(const mtm_picture_source *src, const mtm_image_info *info, const mtm_array *czyx,
                    mtm_array *out)
{
    int64_t step = czyx->stride[0];

    *out = *czyx;
    out->ndim = info->ndim, out->owner = NULL;
    for (int32_t i = src->axis[0]; i >= 0 && !strchr("ZYX", info->axes[i]); i--) {
        out->shape[i] = info->shape[i], out->stride[i] = step;
        step *= info->shape[i];
    }
    for (int i = 0; i < 3; i++)
        if (src->axis[1 + i] >= 0) {
            out->shape[src->axis[1 + i]] = czyx->shape[1 + i];
            out->stride[src->axis[1 + i]] = czyx->stride[1 + i];
        }
}

/* An array with the axes of the file seen as [C, Z, Y, X]; owned as a is. */
static mtm_array from_file(const mtm_picture_source *src, const mtm_array *a)
{
    mtm_array v = *a;

    v.ndim = 4;
    v.shape[0] = src->spec.channels;
    v.stride[0] = src->axis[0] < 0 ? 0 : a->stride[src->axis[0]];
    for (int i = 0; i < 3; i++) {
        v.shape[1 + i] = src->axis[1 + i] < 0 ? 1 : a->shape[src->axis[1 + i]];
        v.stride[1 + i] = src->axis[1 + i] < 0 ? 0 : a->stride[src->axis[1 + i]];
    }
    return v;
}

/* In the file's own order, so that reading is a straight copy. */
static mtm_status new_in_file_order(const mtm_picture_source *src, const mtm_image_info *info,
                                    const mtm_box *box, mtm_recycler *r, mtm_array *out, mtm_error *err)
{
    mtm_array a;

    MTM_TRY(mtm_array_new(&a, info->dtype, info->ndim, box->size, r, err));
    *out = from_file(src, &a);
    return MTM_OK;
}

/* Whether one stride walks through the channels of the file, which may be several axes of it. */
static bool one_channel_stride(const mtm_image_info *info)
{
    int32_t n = 0;

    for (int32_t i = 0; i < info->ndim; i++)
        n += !strchr("ZYX", info->axes[i]);
    return n <= 1;
}

mtm_status mtm_picture_look(const mtm_picture_source *src, const mtm_box *zyx, mtm_array *out, mtm_error *err)
{
    const mtm_image_info *const info = mtm_image_info_get(src->image);
    mtm_array a = {0};
    mtm_box box;

    *out = a;
    if (!src->image->kind->look || !one_channel_stride(info))
        return MTM_OK;
    file_box(src, info, zyx, &box);
    MTM_TRY(src->image->kind->look(src->image, &box, &a, err));
    if (a.data)
        *out = from_file(src, &a);
    return MTM_OK;
}

mtm_status mtm_picture_looked(const mtm_picture_source *src, mtm_error *err)
{
    return src->image->kind->unchanged(src->image, err);
}

/* Reads a box ([Z, Y, X]) of an image: into dst ([C, Z, Y, X]) when it has data, else into a new array whose strides
 * follow the file. stats (may be NULL) is filled when the box is the whole image. */
mtm_status mtm_picture_read(const mtm_picture_source *src, const mtm_box *zyx, mtm_exec *x,
                            mtm_sample_times *times, mtm_image_stats *stats, mtm_array *dst, mtm_error *err)
{
    const mtm_image_info *const info = mtm_image_info_get(src->image);
    mtm_read_options opt = {.struct_size = sizeof opt,
                            .pool = x->pool ? x->pool : x->read_pool,
                            .recycler = x->recycler,
                            .stats = stats};
    mtm_array made = {0}, view;
    mtm_box box;
    mtm_status st;

    file_box(src, info, zyx, &box);
    if (!dst->data)
        MTM_TRY(new_in_file_order(src, info, &box, x->recycler, &made, err));
    as_file(src, info, dst->data ? dst : &made, &view);
    st = mtm_image_read(src->image, 0, &box, &opt, &view, err);
    for (int i = 0; i < 3; i++)
        times->read_ns[i] += opt.timing_ns[i];
    if (st) {
        mtm_array_drop(&made);
        return st;
    }
    if (!dst->data)
        *dst = made;
    return MTM_OK;
}
