/* op/spatial/crop_object.c: random_object_box: crops that hold a whole object of a label map, so that small objects are seen.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array/objects.h"
#include "op/spatial/crop_draw.h"

typedef struct random_object_box_args {
    char label[64];
    crop_extent extent;
    double foreground_prob;
    mtm_ints classes, threshold, background; /* background: one number, or none */
    mtm_floats class_weights;
    int64_t k_largest;
    bool ignore_class;
} random_object_box_args;

/* threshold stays as given: its axes are known only with a picture. Numbers of classes and weights were checked. */
static mtm_object_options options_of(const random_object_box_args *a)
{
    mtm_object_options o = mtm_object_options_default();

    o.foreground_prob = a->foreground_prob;
    o.n_classes = a->classes.n, o.n_weights = a->class_weights.n;
    memcpy(o.classes, a->classes.v, (size_t)a->classes.n * sizeof *o.classes);
    memcpy(o.class_weights, a->class_weights.v, (size_t)a->class_weights.n * sizeof *o.class_weights);
    o.k_largest = a->k_largest, o.ignore_class = a->ignore_class;
    o.has_background = a->background.n > 0, o.background = a->background.v[0];
    return o;
}

static mtm_status random_object_box_check(const void *args, mtm_error *err)
{
    const random_object_box_args *const a = args;
    mtm_object_options o;

    MTM_TRY(mtm_axis_count(a->extent.size.n, "size", err));
    if (a->background.n > 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "background is one value, not %d", (int)a->background.n);
    if (a->classes.n > MTM_OBJECT_CLASSES || a->class_weights.n > MTM_OBJECT_CLASSES)
        return mtm_fail(err, MTM_E_INVAL, -1, "at most %d classes or weights are possible",
                        MTM_OBJECT_CLASSES);
    o = options_of(a);
    return mtm_object_options_check(&o, err);
}

static mtm_status threshold_of(const random_object_box_args *a, const mtm_spec *in, int64_t out[3],
                               mtm_error *err)
{
    out[0] = out[1] = out[2] = 0;
    return a->threshold.n ? mtm_axis_ints(&a->threshold, "threshold", in, 0, out, err) : MTM_OK;
}

static mtm_status random_object_box_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const random_object_box_args *const a = args;
    int64_t threshold[3];

    MTM_TRY(threshold_of(a, in, threshold, err));
    return mtm_crop_infer(&a->extent, in, out, err);
}

static mtm_status random_object_box_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                         const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_object_box_args *const a = args;
    mtm_object_options o = options_of(a);
    const mtm_object_table *t;
    int64_t class_of;
    mtm_box box;

    MTM_TRY(threshold_of(a, in, o.threshold, err));
    MTM_TRY(d->objects(d, a->label, mtm_object_background(&o), &t, err));
    MTM_TRY(mtm_object_draw_from(t, in->size, &o, &d->rng, &box, &class_of, err));
    MTM_TRY(mtm_crop_with_box(&a->extent, d, in, box.start, box.size, target_args, err));
    *target = &mtm_op_crop;
    return MTM_OK;
}

static const mtm_param random_object_box_params[] = {
    {"label", MTM_PARAM_TEXT, offsetof(random_object_box_args, label), NULL, 0, 0, NULL, "",
     "Field that holds the label map."},
    MTM_CROP_SIZE_PARAM(random_object_box_args),
    {"foreground_prob", MTM_PARAM_FLOAT, offsetof(random_object_box_args, foreground_prob), "1", 0, 1, NULL,
     "", "Probability that the crop is led by an object; else it lies anywhere."},
    {"classes", MTM_PARAM_INTS, offsetof(random_object_box_args, classes), "None", 0, 0, NULL, "",
     "Classes to draw from; None: all but the background."},
    {"class_weights", MTM_PARAM_FLOATS, offsetof(random_object_box_args, class_weights), "None", 0, 1e30,
     NULL, "",
     "Weight of each class; None: the same for all. Without classes: of 0, 1, 2, ... without the "
     "background."},
    {"k_largest", MTM_PARAM_INT, offsetof(random_object_box_args, k_largest), "0", 0, 0x1p53, NULL, "",
     "Only so many objects of a class, of largest box volume; 0: all."},
    {"threshold", MTM_PARAM_INTS, offsetof(random_object_box_args, threshold), "None", 0, 0x1p40, NULL,
     "voxels", "Objects with a smaller extent are left out, one number for all axes or one each."},
    {"ignore_class", MTM_PARAM_BOOL, offsetof(random_object_box_args, ignore_class), "False", 0, 0, NULL, "",
     "Every object is equally likely, whatever its class."},
    {"background", MTM_PARAM_INTS, offsetof(random_object_box_args, background), "None", 0, 0, NULL, "",
     "Value that belongs to no object; None: 0, or min(classes) - 1 when 0 is one of the classes."},
    MTM_CROP_PAD_PARAMS(random_object_box_args),
};

const mtm_op mtm_op_random_object_box = {
    .name = "random_object_box",
    .doc =
        "Cut out a box that holds a whole object of a label map, drawn class by class.\n"
        "\n"
        "With foreground_prob an object's box is drawn as mt.ops.random_object_bbox does (the rule of NVIDIA "
        "DALI's\n"
        "operator): a class by weight, then one of its connected components (by faces), uniformly; else, and "
        "where\n"
        "none is left, the box is the whole image. The crop begins uniformly, both ends included, at the "
        "positions\n"
        "where it contains the box; where the box is larger than the crop, at those where it lies in the "
        "box. "
        "The boxes\n"
        "come from the sidecar index, or are found once and kept by the loader.",
    .kind = MTM_OP_RANDOM,
    .params = random_object_box_params,
    .n_params = MTM_COUNT(random_object_box_params),
    .args_bytes = sizeof(random_object_box_args),
    .check = random_object_box_check,
    .infer = random_object_box_infer,
    .draw = random_object_box_draw,
};
