/* op/spatial/spatial.c: operators that move whole voxels: flip, rot90, crop, pad, crop_or_pad, and their random forms.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/spatial.h"

#include "base/size.h"

/* ---- shared ------------------------------------------------------------------------------------------- */

mtm_status mtm_axis_ints(const mtm_ints *given, const char *name, const mtm_spec *in, int64_t z,
                         int64_t out[3], mtm_error *err)
{
    const int skip = 3 - in->spatial;

    if (given->n != 1 && given->n != in->spatial)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s has %d numbers; 1 or %d (one per spatial axis) are wanted",
                        name, given->n, in->spatial);
    out[0] = z;
    for (int i = 0; i < in->spatial; i++)
        out[i + skip] = given->v[given->n == 1 ? 0 : i];
    return MTM_OK;
}

mtm_status mtm_axis_floats(const mtm_floats *given, const char *name, const mtm_spec *in, double z,
                           double out[3], mtm_error *err)
{
    const int skip = 3 - in->spatial;

    if (given->n != 1 && given->n != in->spatial)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s has %d numbers; 1 or %d (one per spatial axis) are wanted",
                        name, given->n, in->spatial);
    out[0] = z;
    for (int i = 0; i < in->spatial; i++)
        out[i + skip] = given->v[given->n == 1 ? 0 : i];
    return MTM_OK;
}

mtm_status mtm_axis_count(int32_t n, const char *name, mtm_error *err)
{
    if (n > 3)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s has %d numbers; there are at most 3 spatial axes", name, n);
    return MTM_OK;
}

mtm_status mtm_axis_index(int64_t axis, const char *name, const mtm_spec *in, int *out, mtm_error *err)
{
    if (axis < -in->spatial || axis >= in->spatial)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s %" PRId64 " is none of the %d spatial axes", name, axis,
                        in->spatial);
    *out = (int)(axis < 0 ? axis + 3 : axis + 3 - in->spatial);
    return MTM_OK;
}

void mtm_view_set(double m[12], int a, int o, int sign, int64_t first)
{
    double *const row = m + 4 * (2 - a);

    memset(row, 0, 4 * sizeof *row);
    row[2 - o] = sign;
    row[3] = (double)(sign > 0 ? first : first + 1); /* voxel i covers [i, i + 1), also backwards */
}

void mtm_view_make(mtm_geometry *g, const mtm_spec *in, const int64_t size[3], const double m[12])
{
    mtm_geometry_affine(g, in, size, m, MTM_LINEAR, MTM_EDGE, 0);
}

/* A view that takes output index i of each axis from input index start + i. */
static void shifted_view(mtm_geometry *g, const mtm_spec *in, const int64_t start[3], const int64_t size[3])
{
    double m[12];

    for (int i = 0; i < 3; i++)
        mtm_view_set(m, i, i, 1, start[i]);
    mtm_view_make(g, in, size, m);
}

static mtm_status check_size(const int64_t size[3], mtm_error *err)
{
    for (int i = 0; i < 3; i++) {
        if (size[i] < 1)
            return mtm_fail(err, MTM_E_INVAL, -1, "the result would have %" PRId64 " voxels on an axis",
                            size[i]);
        if (size[i] > MTM_MAX_EXTENT)
            return mtm_fail(err, MTM_E_LIMIT, -1, "the result would have %" PRId64 " voxels on an axis",
                            size[i]);
    }
    return MTM_OK;
}

/* ---- flip --------------------------------------------------------------------------------------------- */

/* What is wrong with axes in planes and in volumes; a negative and a positive number may be one axis in the one only. */
static mtm_status distinct_axes(const mtm_ints *axes, const char *name, mtm_error *err)
{
    for (int32_t i = 0; i < axes->n; i++)
        for (int32_t j = 0; j < i; j++)
            if (axes->v[i] == axes->v[j])
                return mtm_fail(err, MTM_E_INVAL, -1, "%s names %" PRId64 " twice", name, axes->v[i]);
    return MTM_OK;
}

static mtm_status flip_check(const void *args, mtm_error *err)
{
    return distinct_axes(&((const flip_args *)args)->axis, "axis", err);
}

static mtm_status flip_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const flip_args *const a = args;
    bool flipped[3] = {false, false, false};
    double m[12];

    for (int32_t i = 0; i < a->axis.n; i++) {
        int axis = 0;

        MTM_TRY(mtm_axis_index(a->axis.v[i], "axis", in, &axis, err));
        if (flipped[axis])
            return mtm_fail(err, MTM_E_INVAL, -1, "axis %" PRId64 " is named twice", a->axis.v[i]);
        flipped[axis] = true;
    }
    for (int i = 0; i < 3; i++)
        mtm_view_set(m, i, i, flipped[i] ? -1 : 1, flipped[i] ? in->size[i] - 1 : 0);
    mtm_view_make(g, in, in->size, m);
    return MTM_OK;
}

static const mtm_param flip_params[] = {
    {"axis", MTM_PARAM_INTS, offsetof(flip_args, axis), NULL, -3, 2, NULL, "axes",
     "Spatial axis, or axes, in array order; negative from the end."},
};

const mtm_op mtm_op_flip = {
    .name = "flip",
    .doc =
        "Reverse spatial axes.\n"
        "\n"
        "As numpy.flip, the channel axis not counted. The affine follows: every voxel keeps its place in mm.",
    .kind = MTM_OP_GEOMETRY,
    .params = flip_params,
    .n_params = MTM_COUNT(flip_params),
    .args_bytes = sizeof(flip_args),
    .check = flip_check,
    .geometry = flip_geometry,
};

/* ---- rot90 -------------------------------------------------------------------------------------------- */

static mtm_status plane_check(const mtm_ints *axes, mtm_error *err)
{
    if (axes->n != 2)
        return mtm_fail(err, MTM_E_INVAL, -1, "axes has %d numbers; two axes make a plane", axes->n);
    return distinct_axes(axes, "axes", err);
}

static mtm_status rot90_check(const void *args, mtm_error *err)
{
    return plane_check(&((const rot90_args *)args)->axes, err);
}

static mtm_status plane_axes(const mtm_ints *axes, const mtm_spec *in, int out[2], mtm_error *err)
{
    for (int i = 0; i < 2; i++)
        MTM_TRY(mtm_axis_index(axes->v[i], "axis", in, &out[i], err));
    if (out[0] == out[1])
        return mtm_fail(err, MTM_E_INVAL, -1, "axes names one axis twice");
    return MTM_OK;
}

static mtm_status rot90_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const rot90_args *const r = args;
    const int k = (int)(r->k % 4 + 4) % 4;
    int64_t size[3];
    double m[12];
    int p[2];

    MTM_TRY(plane_axes(&r->axes, in, p, err));
    for (int i = 0; i < 3; i++) {
        size[i] = in->size[i];
        mtm_view_set(m, i, i, 1, 0);
    }
    const int64_t last0 = in->size[p[0]] - 1, last1 = in->size[p[1]] - 1;
    if (k == 2) {
        mtm_view_set(m, p[0], p[0], -1, last0);
        mtm_view_set(m, p[1], p[1], -1, last1);
    } else if (k != 0) { /* numpy.rot90: 1 = transpose(flip(a, p1)), 3 = flip(transpose(a), p1) */
        mtm_view_set(m, p[0], p[1], k == 1 ? 1 : -1, k == 1 ? 0 : last0);
        mtm_view_set(m, p[1], p[0], k == 1 ? -1 : 1, k == 1 ? last1 : 0);
        size[p[0]] = in->size[p[1]], size[p[1]] = in->size[p[0]];
    }
    mtm_view_make(g, in, size, m);
    return MTM_OK;
}

static const mtm_param rot90_params[] = {
    {"k", MTM_PARAM_INT, offsetof(rot90_args, k), "1", 0, 0, NULL, "quarter turns",
     "How many quarter turns."},
    {"axes", MTM_PARAM_INTS, offsetof(rot90_args, axes), "(0, 1)", -3, 2, NULL, "axes",
     "The plane: the turn goes from the first spatial axis towards the second."},
};

const mtm_op mtm_op_rot90 = {
    .name = "rot90",
    .doc = "Rotate by quarter turns in a plane of two spatial axes.\n"
           "\n"
           "As numpy.rot90, the channel axis not counted.",
    .kind = MTM_OP_GEOMETRY,
    .params = rot90_params,
    .n_params = MTM_COUNT(rot90_params),
    .args_bytes = sizeof(rot90_args),
    .check = rot90_check,
    .geometry = rot90_geometry,
};

/* ---- crop --------------------------------------------------------------------------------------------- */

static mtm_status crop_check(const void *args, mtm_error *err)
{
    const crop_args *const a = args;

    MTM_TRY(mtm_axis_count(a->start.n, "start", err));
    return mtm_axis_count(a->size.n, "size", err);
}

static mtm_status crop_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const crop_args *const a = args;
    int64_t start[3], size[3];

    MTM_TRY(mtm_axis_ints(&a->start, "start", in, 0, start, err));
    MTM_TRY(mtm_axis_ints(&a->size, "size", in, 1, size, err));
    for (int i = 0; i < 3; i++)
        if (!a->beyond &&
            (start[i] < 0 || size[i] < 1 || size[i] > in->size[i] || start[i] > in->size[i] - size[i]))
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "the crop from %" PRId64 " of %" PRId64 " voxels leaves an axis of %" PRId64,
                            start[i], size[i], in->size[i]);
    MTM_TRY(check_size(size, err));
    shifted_view(g, in, start, size);
    if (a->beyond)
        g->border = (mtm_border)a->border, g->value = a->value;
    return MTM_OK;
}

static const mtm_param crop_params[] = {
    {"start", MTM_PARAM_INTS, offsetof(crop_args, start), NULL, -0x1p40, 0x1p40, NULL, "voxels",
     "First voxel per spatial axis, in array order."},
    {"size", MTM_PARAM_INTS, offsetof(crop_args, size), NULL, 1, 0x1p40, NULL, "voxels",
     "Size per spatial axis, or one for all."},
    {"beyond", MTM_PARAM_BOOL, offsetof(crop_args, beyond), "False", 0, 0, NULL, "",
     "The box may leave the image; what lies there is the border's."},
    {"border", MTM_PARAM_CHOICE, offsetof(crop_args, border), "constant", 0, 0, MTM_BORDER_CHOICES, "",
     MTM_BORDER_HELP},
    {"value", MTM_PARAM_FLOAT, offsetof(crop_args, value), "0", 0, 0, NULL, "",
     "Value of a constant border."},
};

const mtm_op mtm_op_crop = {
    .name = "crop",
    .doc = "Cut out a box.\n"
           "\n"
           "A box that leaves the image is an error unless beyond is set (see crop_or_pad). At the front of "
           "a chain the box is "
           "all that is\n"
           "read from disk.",
    .kind = MTM_OP_GEOMETRY,
    .params = crop_params,
    .n_params = MTM_COUNT(crop_params),
    .args_bytes = sizeof(crop_args),
    .check = crop_check,
    .geometry = crop_geometry,
};

/* ---- pad, crop_or_pad ---------------------------------------------------------------------------------- */

typedef struct pad_args {
    mtm_ints before, after;
    int32_t border;
    double value;
} pad_args;

static mtm_status pad_check(const void *args, mtm_error *err)
{
    const pad_args *const a = args;

    MTM_TRY(mtm_axis_count(a->before.n, "before", err));
    return mtm_axis_count(a->after.n, "after", err);
}

static mtm_status pad_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const pad_args *const a = args;
    int64_t before[3], after[3], size[3];

    MTM_TRY(mtm_axis_ints(&a->before, "before", in, 0, before, err));
    MTM_TRY(mtm_axis_ints(&a->after, "after", in, 0, after, err));
    for (int i = 0; i < 3; i++) {
        size[i] = in->size[i] + before[i] + after[i];
        before[i] = -before[i];
    }
    MTM_TRY(check_size(size, err));
    shifted_view(g, in, before, size);
    g->border = (mtm_border)a->border, g->value = a->value;
    return MTM_OK;
}

static const mtm_param pad_params[] = {
    {"before", MTM_PARAM_INTS, offsetof(pad_args, before), NULL, 0, MTM_MAX_EXTENT, NULL, "voxels",
     "Voxels added before the first, per spatial axis or one for all."},
    {"after", MTM_PARAM_INTS, offsetof(pad_args, after), NULL, 0, MTM_MAX_EXTENT, NULL, "voxels",
     "Voxels added after the last."},
    {"border", MTM_PARAM_CHOICE, offsetof(pad_args, border), "constant", 0, 0, MTM_BORDER_CHOICES, "",
     MTM_BORDER_HELP},
    {"value", MTM_PARAM_FLOAT, offsetof(pad_args, value), "0", 0, 0, NULL, "", "Value of a constant border."},
};

const mtm_op mtm_op_pad = {
    .name = "pad",
    .doc = "Add voxels around the image.\n"
           "\n"
           "As numpy.pad with edge, symmetric (here: reflect), reflect (here: mirror), wrap, constant.",
    .kind = MTM_OP_GEOMETRY,
    .params = pad_params,
    .n_params = MTM_COUNT(pad_params),
    .args_bytes = sizeof(pad_args),
    .check = pad_check,
    .geometry = pad_geometry,
};

typedef struct crop_or_pad_args {
    mtm_ints size;
    int32_t border;
    double value;
} crop_or_pad_args;

static mtm_status crop_or_pad_check(const void *args, mtm_error *err)
{
    return mtm_axis_count(((const crop_or_pad_args *)args)->size.n, "size", err);
}

static mtm_status crop_or_pad_geometry(const void *args, const mtm_spec *in, mtm_geometry *g, mtm_error *err)
{
    const crop_or_pad_args *const a = args;
    int64_t size[3], start[3];

    MTM_TRY(mtm_axis_ints(&a->size, "size", in, 1, size, err));
    MTM_TRY(check_size(size, err));
    for (int i = 0; i < 3; i++) /* halves rounded down, of what is cut off and of what is added */
        start[i] = size[i] <= in->size[i] ? (in->size[i] - size[i]) / 2 : -((size[i] - in->size[i]) / 2);
    shifted_view(g, in, start, size);
    g->border = (mtm_border)a->border, g->value = a->value;
    return MTM_OK;
}

static const mtm_param crop_or_pad_params[] = {
    {"size", MTM_PARAM_INTS, offsetof(crop_or_pad_args, size), NULL, 1, MTM_MAX_EXTENT, NULL, "voxels",
     "Size of the result per spatial axis, or one for all."},
    {"border", MTM_PARAM_CHOICE, offsetof(crop_or_pad_args, border), "constant", 0, 0, MTM_BORDER_CHOICES, "",
     MTM_BORDER_HELP},
    {"value", MTM_PARAM_FLOAT, offsetof(crop_or_pad_args, value), "0", 0, 0, NULL, "",
     "Value of a constant border."},
};

const mtm_op mtm_op_crop_or_pad = {
    .name = "crop_or_pad",
    .doc = "Bring every axis to a size by cropping or padding around the centre.\n"
           "\n"
           "Before the first voxel goes, or comes, floor(difference / 2).",
    .kind = MTM_OP_GEOMETRY,
    .params = crop_or_pad_params,
    .n_params = MTM_COUNT(crop_or_pad_params),
    .args_bytes = sizeof(crop_or_pad_args),
    .check = crop_or_pad_check,
    .geometry = crop_or_pad_geometry,
};

/* ---- random forms -------------------------------------------------------------------------------------- */

typedef struct random_flip_args {
    double p;
    mtm_ints axes;
} random_flip_args;

static mtm_status random_flip_check(const void *args, mtm_error *err)
{
    return distinct_axes(&((const random_flip_args *)args)->axes, "axes", err);
}

static mtm_status random_flip_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                   void *target_args, mtm_error *err)
{
    const random_flip_args *const a = args;
    flip_args *const t = target_args;
    mtm_ints all = {.n = in->spatial, .v = {0, 1, 2}};
    const mtm_ints *const axes = a->axes.n ? &a->axes : &all;

    *t = (flip_args){0};
    for (int32_t i = 0; i < axes->n; i++)
        if (mtm_draw_acts(d, a->p))
            t->axis.v[t->axis.n++] = axes->v[i];
    *target = t->axis.n ? &mtm_op_flip : NULL;
    return MTM_OK;
}

static const mtm_param random_flip_params[] = {
    {"p", MTM_PARAM_FLOAT, offsetof(random_flip_args, p), "0.5", 0, 1, NULL, "", "Probability of each axis."},
    {"axes", MTM_PARAM_INTS, offsetof(random_flip_args, axes), "None", -3, 2, NULL, "axes",
     "Spatial axes that may be flipped; None: all."},
};

const mtm_op mtm_op_random_flip = {
    .name = "random_flip",
    .doc = "Flip each of the axes by itself with probability p.",
    .kind = MTM_OP_RANDOM,
    .params = random_flip_params,
    .n_params = MTM_COUNT(random_flip_params),
    .args_bytes = sizeof(random_flip_args),
    .check = random_flip_check,
    .draw = random_flip_draw,
};

typedef struct random_rot90_args {
    double p;
    mtm_ints axes;
} random_rot90_args;

static mtm_status random_rot90_check(const void *args, mtm_error *err)
{
    return plane_check(&((const random_rot90_args *)args)->axes, err);
}

/* Leaves the size alone: an odd turn of a plane that is not square changes it, and what is planned follows the draw. The plane
 * is checked for turns that do not happen too. */
static mtm_status random_rot90_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const random_rot90_args *const a = args;
    int plane[2];

    (void)out;
    return plane_axes(&a->axes, in, plane, err);
}

static mtm_status random_rot90_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                    void *target_args, mtm_error *err)
{
    const random_rot90_args *const a = args;
    rot90_args *const t = target_args;
    const bool acts = mtm_draw_acts(d, a->p);

    *t = (rot90_args){.k = 1 + (int64_t)mtm_rng_below(&d->rng, 3), .axes = a->axes};
    *target = acts ? &mtm_op_rot90 : NULL;
    return MTM_OK;
}

static const mtm_param random_rot90_params[] = {
    {"p", MTM_PARAM_FLOAT, offsetof(random_rot90_args, p), "0.1", 0, 1, NULL, "", "Probability of a turn."},
    {"axes", MTM_PARAM_INTS, offsetof(random_rot90_args, axes), "(0, 1)", -3, 2, NULL, "axes",
     "The plane, two spatial axes."},
};

const mtm_op mtm_op_random_rot90 = {
    .name = "random_rot90",
    .doc = "Rotate by one, two or three quarter turns, each as likely, with probability p.\n"
           "\n"
           "One and three turns of a plane that is not square exchange its sizes: batches then hold lists, "
           "or are padded.",
    .kind = MTM_OP_RANDOM,
    .params = random_rot90_params,
    .n_params = MTM_COUNT(random_rot90_params),
    .args_bytes = sizeof(random_rot90_args),
    .check = random_rot90_check,
    .infer = random_rot90_infer,
    .draw = random_rot90_draw,
};

typedef struct random_crop_args {
    mtm_ints size;
} random_crop_args;

static mtm_status random_crop_check(const void *args, mtm_error *err)
{
    return mtm_axis_count(((const random_crop_args *)args)->size.n, "size", err);
}

static mtm_status random_crop_size(const void *args, const mtm_spec *in, int64_t size[3], mtm_error *err)
{
    const random_crop_args *const a = args;

    MTM_TRY(mtm_axis_ints(&a->size, "size", in, 1, size, err));
    for (int i = 0; i < 3; i++)
        if (size[i] > in->size[i])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "a crop of %" PRId64 " voxels does not fit an axis of %" PRId64, size[i],
                            in->size[i]);
    return MTM_OK;
}

static mtm_status random_crop_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    int64_t size[3];

    MTM_TRY(random_crop_size(args, in, size, err));
    memcpy(out->size, size, sizeof size);
    return MTM_OK;
}

static mtm_status random_crop_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                   void *target_args, mtm_error *err)
{
    crop_args *const t = target_args;
    const int skip = 3 - in->spatial;
    int64_t size[3];

    MTM_TRY(random_crop_size(args, in, size, err));
    *t = (crop_args){.start.n = in->spatial, .size.n = in->spatial};
    for (int i = 0; i < in->spatial; i++) {
        t->size.v[i] = size[i + skip];
        t->start.v[i] = (int64_t)mtm_rng_below(&d->rng, (uint64_t)(in->size[i + skip] - size[i + skip]) + 1);
    }
    *target = &mtm_op_crop;
    return MTM_OK;
}

static const mtm_param random_crop_params[] = {
    {"size", MTM_PARAM_INTS, offsetof(random_crop_args, size), NULL, 1, 0x1p40, NULL, "voxels",
     "Size per spatial axis, or one for all."},
};

const mtm_op mtm_op_random_crop = {
    .name = "random_crop",
    .doc = "Cut out a box at a uniformly drawn place, the last one included.\n"
           "\n"
           "An image smaller than the box is an error.",
    .kind = MTM_OP_RANDOM,
    .params = random_crop_params,
    .n_params = MTM_COUNT(random_crop_params),
    .args_bytes = sizeof(random_crop_args),
    .check = random_crop_check,
    .infer = random_crop_infer,
    .draw = random_crop_draw,
};
