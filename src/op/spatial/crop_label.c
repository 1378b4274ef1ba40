/* op/spatial/crop_label.c: random_balanced_crop: crops whose centre is drawn class by class from a label map, so that small
 * structures are seen as often as large ones.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/crop_draw.h"

typedef struct random_balanced_crop_args {
    char label[64];
    crop_extent extent;
    mtm_ints classes;
    mtm_floats weights;
} random_balanced_crop_args;

/* The row of a class in the table, −1: the map has no voxel of it. */
static int32_t find_class(const mtm_label_table *t, int64_t value)
{
    int32_t lo = 0, hi = t->n_classes;

    while (lo < hi) {
        const int32_t mid = lo + (hi - lo) / 2;

        if (t->classes[mid] < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < t->n_classes && t->classes[lo] == value && t->counts[lo] > 0 ? lo : -1;
}

static mtm_status random_balanced_crop_check(const void *args, mtm_error *err)
{
    const random_balanced_crop_args *const a = args;
    double sum = 0;

    if (a->weights.n && a->classes.n && a->weights.n != a->classes.n)
        return mtm_fail(err, MTM_E_INVAL, -1, "%d weights for %d classes", (int)a->weights.n,
                        (int)a->classes.n);
    for (int32_t i = 0; i < a->weights.n; i++)
        sum += a->weights.v[i];
    if (a->weights.n && !(sum > 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "all weights are 0");
    return mtm_axis_count(a->extent.size.n, "size", err);
}

/* Class number i of those that may be drawn: those listed, else those of the weights (0, 1, 2, …), else all present. */
static int64_t candidate(const random_balanced_crop_args *a, const mtm_label_table *t, int32_t i)
{
    return a->classes.n ? a->classes.v[i] : a->weights.n ? i : t->classes[i];
}

static double weight_of(const random_balanced_crop_args *a, const mtm_label_table *t, int32_t i)
{
    const double w = a->weights.n ? a->weights.v[i] : 1;

    return find_class(t, candidate(a, t, i)) < 0 ? 0 : w;
}

/* A class by weight; classes without a voxel have none. */
static mtm_status draw_class(const random_balanced_crop_args *a, mtm_draw *d, const mtm_label_table *t,
                             int32_t *row, mtm_error *err)
{
    const int32_t n = a->classes.n ? a->classes.n : a->weights.n ? a->weights.n : t->n_classes;
    double sum = 0, at;
    int32_t last = -1;

    for (int32_t i = 0; i < n; i++)
        sum += weight_of(a, t, i);
    if (!(sum > 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "label map '%s' has no voxel of the classes to draw from",
                        a->label);
    at = mtm_rng_range(&d->rng, 0, sum);
    for (int32_t i = 0; i < n; i++) {
        const double w = weight_of(a, t, i);

        if (w <= 0)
            continue;
        last = i;
        if (at < w)
            break;
        at -= w;
    }
    *row = find_class(t, candidate(a, t, last));
    return MTM_OK;
}

/* Checks that hold for every draw: infer runs before a label map is read. */
static mtm_status random_balanced_crop_infer(const void *args, const mtm_spec *in, mtm_spec *out,
                                             mtm_error *err)
{
    return mtm_crop_infer(&((const random_balanced_crop_args *)args)->extent, in, out, err);
}

static mtm_status random_balanced_crop_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                            const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_balanced_crop_args *const a = args;
    const mtm_label_table *t;
    int64_t voxel[3], first, n;
    int32_t row = 0;

    MTM_TRY(d->labels(d, a->label, &t, err));
    MTM_TRY(draw_class(a, d, t, &row, err));
    first = t->offset[row], n = t->offset[row + 1] - first;
    mtm_crop_voxel(in, t->at[first + (int64_t)mtm_rng_below(&d->rng, (uint64_t)n)], voxel);
    *target = &mtm_op_crop;
    return mtm_crop_around(&a->extent, in, voxel, target_args, err);
}

static const mtm_param random_balanced_crop_params[] = {
    {"label", MTM_PARAM_TEXT, offsetof(random_balanced_crop_args, label), NULL, 0, 0, NULL, "",
     "Field that holds the label map."},
    MTM_CROP_SIZE_PARAM(random_balanced_crop_args),
    {"classes", MTM_PARAM_INTS, offsetof(random_balanced_crop_args, classes), "None", 0, 0, NULL, "",
     "Classes to draw from; None: all that the label map has."},
    {"weights", MTM_PARAM_FLOATS, offsetof(random_balanced_crop_args, weights), "None", 0, 1e30, NULL, "",
     "Weight of each class; None: the same for all. Without classes: of the classes 0, 1, 2, ..."},
    MTM_CROP_PAD_PARAMS(random_balanced_crop_args),
};

const mtm_op mtm_op_random_balanced_crop = {
    .name = "random_balanced_crop",
    .doc = "Cut out a box around a voxel of a class that was drawn first.\n"
           "\n"
           "The class is drawn by weight among those that the label map has, then one of its voxels, "
           "uniformly (of up to\n"
           "4096 that stand for the class); the box begins at voxel - size // 2, shifted inside. An image "
           "smaller than\n"
           "the crop (unless pad says how to fill), or without any of the classes, is an error.",
    .kind = MTM_OP_RANDOM,
    .params = random_balanced_crop_params,
    .n_params = MTM_COUNT(random_balanced_crop_params),
    .args_bytes = sizeof(random_balanced_crop_args),
    .check = random_balanced_crop_check,
    .infer = random_balanced_crop_infer,
    .draw = random_balanced_crop_draw,
};
