/* op/spatial/crop_field.c: crops led by positive and negative voxels, by a map of weights, or by what is not air.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/size.h"
#include "op/spatial/crop_draw.h"

/* ---- random_pos_neg_crop ------------------------------------------------------------------------------ */

typedef struct random_pos_neg_crop_args {
    char label[64];
    crop_extent extent;
    double pos, neg;
    int64_t background;
} random_pos_neg_crop_args;

static mtm_status random_pos_neg_crop_check(const void *args, mtm_error *err)
{
    const random_pos_neg_crop_args *const a = args;

    if (!(a->pos + a->neg > 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "pos and neg are both 0");
    return mtm_axis_count(a->extent.size.n, "size", err);
}

static mtm_status random_pos_neg_crop_infer(const void *args, const mtm_spec *in, mtm_spec *out,
                                            mtm_error *err)
{
    return mtm_crop_infer(&((const random_pos_neg_crop_args *)args)->extent, in, out, err);
}

/* A voxel of the background, or of anything else: a class by its voxels, then one of its places. */
static int64_t draw_place(mtm_draw *d, const mtm_label_table *t, int64_t background, bool positive)
{
    int64_t total = 0, at;
    int32_t c = 0;

    for (int32_t i = 0; i < t->n_classes; i++)
        total += (t->classes[i] != background) == positive ? t->counts[i] : 0;
    if (!total)
        return -1;
    at = (int64_t)mtm_rng_below(&d->rng, (uint64_t)total);
    for (;; c++) {
        if ((t->classes[c] != background) != positive)
            continue;
        if (at < t->counts[c])
            break;
        at -= t->counts[c];
    }
    return t->at[t->offset[c] + (int64_t)mtm_rng_below(&d->rng, (uint64_t)(t->offset[c + 1] - t->offset[c]))];
}

static mtm_status random_pos_neg_crop_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                           const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_pos_neg_crop_args *const a = args;
    const bool positive = mtm_rng_range(&d->rng, 0, a->pos + a->neg) < a->pos;
    const mtm_label_table *t;
    int64_t at, voxel[3];

    MTM_TRY(d->labels(d, a->label, &t, err));
    at = draw_place(d, t, a->background, positive);
    if (at < 0)
        at = draw_place(d, t, a->background, !positive);
    mtm_crop_voxel(in, at, voxel);
    *target = &mtm_op_crop;
    return mtm_crop_around(&a->extent, in, voxel, target_args, err);
}

static const mtm_param random_pos_neg_crop_params[] = {
    {"label", MTM_PARAM_TEXT, offsetof(random_pos_neg_crop_args, label), NULL, 0, 0, NULL, "",
     "Field that holds the label map."},
    MTM_CROP_SIZE_PARAM(random_pos_neg_crop_args),
    {"pos", MTM_PARAM_FLOAT, offsetof(random_pos_neg_crop_args, pos), "1", 0, 1e30, NULL, "",
     "The crop's centre is a positive voxel with probability pos / (pos + neg)."},
    {"neg", MTM_PARAM_FLOAT, offsetof(random_pos_neg_crop_args, neg), "1", 0, 1e30, NULL, "",
     "... and a negative one otherwise."},
    {"background", MTM_PARAM_INT, offsetof(random_pos_neg_crop_args, background), "0", -0x1p53, 0x1p53, NULL,
     "", "Value of negative voxels; all others are positive."},
    MTM_CROP_PAD_PARAMS(random_pos_neg_crop_args),
};

const mtm_op mtm_op_random_pos_neg_crop = {
    .name = "random_pos_neg_crop",
    .doc = "Cut out a box around a positive or a negative voxel of a label map, in a given ratio.\n"
           "\n"
           "As MONAI's RandCropByPosNegLabel, but for the voxels: of up to 4096 uniformly sampled ones that "
           "stand "
           "for each\n"
           "class. The box begins at voxel - size // 2, shifted inside. Without a voxel of one kind, the "
           "other is "
           "taken.",
    .kind = MTM_OP_RANDOM,
    .params = random_pos_neg_crop_params,
    .n_params = MTM_COUNT(random_pos_neg_crop_params),
    .args_bytes = sizeof(random_pos_neg_crop_args),
    .check = random_pos_neg_crop_check,
    .infer = random_pos_neg_crop_infer,
    .draw = random_pos_neg_crop_draw,
};

/* ---- random_weighted_crop ----------------------------------------------------------------------------- */

typedef struct random_weighted_crop_args {
    char weights[64];
    crop_extent extent;
} random_weighted_crop_args;

static mtm_status random_weighted_crop_check(const void *args, mtm_error *err)
{
    return mtm_axis_count(((const random_weighted_crop_args *)args)->extent.size.n, "size", err);
}

static mtm_status random_weighted_crop_infer(const void *args, const mtm_spec *in, mtm_spec *out,
                                             mtm_error *err)
{
    return mtm_crop_infer(&((const random_weighted_crop_args *)args)->extent, in, out, err);
}

static mtm_status sum_weights(const float *w, int64_t n, double *sum, mtm_error *err)
{
    double s = 0;

    for (int64_t i = 0; i < n; i++) {
        if (!(w[i] >= 0 && w[i] < INFINITY))
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "voxel %" PRId64 " of the weights is %g; weights are 0 or above", i,
                            (double)w[i]);
        s += (double)w[i];
    }
    if (!(s > 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "all weights are 0");
    *sum = s;
    return MTM_OK;
}

/* Uniform in [0, 1) to 53 bits: a volume has more voxels than a float has values. */
static double fine_uniform(mtm_rng *r)
{
    return (double)(mtm_rng_u64(r) >> 11) * 0x1p-53;
}

static mtm_status random_weighted_crop_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                            const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_weighted_crop_args *const a = args;
    int64_t n, voxel[3], last = 0;
    double sum = 0, at;
    const float *w;
    mtm_array map;

    MTM_TRY(d->voxels(d, a->weights, &map, err));
    n = in->size[0] * in->size[1] * in->size[2], w = map.data;
    if (mtm_array_count(&map) != n || memcmp(map.shape + 1, in->size, sizeof in->size))
        return mtm_fail(err, MTM_E_INVAL, -1, "the weights '%s' are not one channel on the image's grid",
                        a->weights);
    MTM_TRY(sum_weights(w, n, &sum, err));
    at = fine_uniform(&d->rng) * sum;
    for (int64_t i = 0; i < n; i++) {
        last = w[i] > 0 ? i : last;
        at -= (double)w[i];
        if (at < 0)
            break;
    }
    mtm_crop_voxel(in, last, voxel);
    *target = &mtm_op_crop;
    return mtm_crop_around(&a->extent, in, voxel, target_args, err);
}

static const mtm_param random_weighted_crop_params[] = {
    {"weights", MTM_PARAM_TEXT, offsetof(random_weighted_crop_args, weights), NULL, 0, 0, NULL, "",
     "Field that holds a weight for every voxel, 0 or above, in one channel."},
    MTM_CROP_SIZE_PARAM(random_weighted_crop_args),
    MTM_CROP_PAD_PARAMS(random_weighted_crop_args),
};

const mtm_op mtm_op_random_weighted_crop = {
    .name = "random_weighted_crop",
    .doc = "Cut out a box around a voxel that is drawn by a map of weights.\n"
           "\n"
           "A voxel is drawn with probability weight / sum of the weights (summed in float64); the box "
           "begins at "
           "voxel -\n"
           "size // 2, shifted inside. As MONAI's RandWeightedCrop, but every voxel may be drawn, those near "
           "the "
           "border\n"
           "too; negative or only zero weights are an error.",
    .kind = MTM_OP_RANDOM,
    .params = random_weighted_crop_params,
    .n_params = MTM_COUNT(random_weighted_crop_params),
    .args_bytes = sizeof(random_weighted_crop_args),
    .check = random_weighted_crop_check,
    .infer = random_weighted_crop_infer,
    .draw = random_weighted_crop_draw,
};

/* ---- crop_foreground, random_foreground_crop ---------------------------------------------------------- */

typedef struct crop_foreground_args {
    char source[64];
    double threshold;
    mtm_ints margin;
} crop_foreground_args;

static mtm_status crop_foreground_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const crop_foreground_args *const a = args;
    int64_t margin[3];

    return mtm_axis_ints(&a->margin, "margin", in, 0, margin, err);
}

static mtm_status crop_foreground_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                       const mtm_op **target, void *target_args, mtm_error *err)
{
    const crop_foreground_args *const a = args;
    const int skip = 3 - in->spatial;
    crop_args *const crop = target_args;
    int64_t start[3], size[3], margin[3];

    MTM_TRY(mtm_axis_ints(&a->margin, "margin", in, 0, margin, err));
    MTM_TRY(d->foreground(d, a->source, a->threshold, start, size, err));
    if (!size[0])
        return MTM_OK; /* no voxel is foreground: the image stays as it is */
    *crop = (crop_args){.start.n = in->spatial, .size.n = in->spatial};
    for (int i = skip; i < 3; i++) {
        const int64_t lo = mtm_max_i64(start[i] - margin[i], 0);

        crop->start.v[i - skip] = lo;
        crop->size.v[i - skip] = mtm_min_i64(start[i] + size[i] + margin[i], in->size[i]) - lo;
    }
    *target = &mtm_op_crop;
    return MTM_OK;
}

#define FOREGROUND_PARAMS(args)                                                                              \
    {"source",                                                                                               \
     MTM_PARAM_TEXT,                                                                                         \
     offsetof(args, source),                                                                                 \
     NULL,                                                                                                   \
     0,                                                                                                      \
     0,                                                                                                      \
     NULL,                                                                                                   \
     "",                                                                                                     \
     "Field that tells the foreground."}
#define THRESHOLD_PARAM(args)                                                                                \
    {"threshold",                                                                                            \
     MTM_PARAM_FLOAT,                                                                                        \
     offsetof(args, threshold),                                                                              \
     "0",                                                                                                    \
     0,                                                                                                      \
     0,                                                                                                      \
     NULL,                                                                                                   \
     "",                                                                                                     \
     "Voxels above it, in any channel, are foreground."}

static const mtm_param crop_foreground_params[] = {
    FOREGROUND_PARAMS(crop_foreground_args),
    THRESHOLD_PARAM(crop_foreground_args),
    {"margin", MTM_PARAM_INTS, offsetof(crop_foreground_args, margin), "0", 0, 0x1p40, NULL, "voxels",
     "Voxels that are kept around the foreground, as far as there are any; one number for all axes or one "
     "each."},
};

const mtm_op mtm_op_crop_foreground = {
    .name = "crop_foreground",
    .doc = "Cut out the bounding box of the voxels above a threshold.\n"
           "\n"
           "Nothing is drawn by chance: it is found per sample, so it runs where random operators do. As "
           "MONAI's\n"
           "CropForeground(select_fn=lambda x: x > threshold, margin=margin, allow_smaller=True); an image "
           "without "
           "such a\n"
           "voxel stays as it is. The box comes from the sidecar index (threshold 0, no negative value), or "
           "is found "
           "once and\n"
           "kept by the loader.",
    .kind = MTM_OP_RANDOM,
    .params = crop_foreground_params,
    .n_params = MTM_COUNT(crop_foreground_params),
    .args_bytes = sizeof(crop_foreground_args),
    .infer = crop_foreground_infer,
    .draw = crop_foreground_draw,
};

typedef struct random_foreground_crop_args {
    char source[64];
    crop_extent extent;
    double threshold;
} random_foreground_crop_args;

static mtm_status random_foreground_crop_check(const void *args, mtm_error *err)
{
    return mtm_axis_count(((const random_foreground_crop_args *)args)->extent.size.n, "size", err);
}

static mtm_status random_foreground_crop_infer(const void *args, const mtm_spec *in, mtm_spec *out,
                                               mtm_error *err)
{
    return mtm_crop_infer(&((const random_foreground_crop_args *)args)->extent, in, out, err);
}

static mtm_status random_foreground_crop_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                              const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_foreground_crop_args *const a = args;
    const int64_t origin[3] = {0};
    int64_t start[3], size[3];

    MTM_TRY(d->foreground(d, a->source, a->threshold, start, size, err));
    *target = &mtm_op_crop;
    return size[0] ? mtm_crop_with_box(&a->extent, d, in, start, size, target_args, err)
                   : mtm_crop_with_box(&a->extent, d, in, origin, in->size, target_args, err);
}

static const mtm_param random_foreground_crop_params[] = {
    FOREGROUND_PARAMS(random_foreground_crop_args),
    MTM_CROP_SIZE_PARAM(random_foreground_crop_args),
    THRESHOLD_PARAM(random_foreground_crop_args),
    MTM_CROP_PAD_PARAMS(random_foreground_crop_args),
};

const mtm_op mtm_op_random_foreground_crop = {
    .name = "random_foreground_crop",
    .doc =
        "Cut out a box of a given size within the bounding box of the voxels above a threshold.\n"
        "\n"
        "The crop begins uniformly, both ends included, where it lies in the foreground's box, or where it "
        "contains that,\n"
        "axis by axis. An image without foreground is cut anywhere.",
    .kind = MTM_OP_RANDOM,
    .params = random_foreground_crop_params,
    .n_params = MTM_COUNT(random_foreground_crop_params),
    .args_bytes = sizeof(random_foreground_crop_args),
    .check = random_foreground_crop_check,
    .infer = random_foreground_crop_infer,
    .draw = random_foreground_crop_draw,
};
