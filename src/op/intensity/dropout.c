/* op/intensity/dropout.c: coarse_dropout and its random form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/random.h"
#include "op/spatial/gather.h"
#include "op/spatial/spatial.h"
#include "op/stats.h"

enum { MOST_HOLES = 16 }; /* 48 numbers say where they begin */

enum { FILL_VALUE, FILL_MEAN, FILL_MIN, FILL_MAX };

typedef struct coarse_dropout_args {
    mtm_ints starts, size;
    double fill;
    int32_t fill_with;
} coarse_dropout_args;

/* ---- coarse_dropout --------------------------------------------------------------------------------------- */

/* Hole i as a box of [Z, Y, X], cut to the image. */
static mtm_status hole_box(const coarse_dropout_args *a, int32_t i, const mtm_spec *in, int64_t start[3],
                           int64_t size[3], mtm_error *err)
{
    const int n = in->spatial;

    start[0] = 0, size[0] = in->size[0];
    for (int k = 0; k < n; k++) {
        const int axis = 3 - n + k;

        start[axis] = a->starts.v[i * n + k];
        size[axis] = a->size.v[a->size.n == 1 ? 0 : a->size.n == n ? k : i * n + k];
        if (start[axis] >= in->size[axis])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "starts: hole %d begins at %" PRId64 " on an axis of %" PRId64 " voxels", (int)i,
                            start[axis], in->size[axis]);
        size[axis] = mtm_min_i64(size[axis], in->size[axis] - start[axis]);
    }
    return MTM_OK;
}

/* That the numbers make holes in a plane or in a volume. */
static mtm_status coarse_dropout_check(const void *args, mtm_error *err)
{
    const coarse_dropout_args *const a = args;

    if (a->starts.n % 2 != 0 && a->starts.n % 3 != 0)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "starts has %d numbers; 2 (planes) or 3 (volumes) for every hole are wanted",
                        (int)a->starts.n);
    if (a->size.n > 3 && a->size.n != a->starts.n)
        return mtm_fail(err, MTM_E_INVAL, -1, "size has %d numbers and starts %d", (int)a->size.n,
                        (int)a->starts.n);
    return MTM_OK;
}

static mtm_status coarse_dropout_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const coarse_dropout_args *const a = args;
    const int32_t n = in->spatial;
    int64_t start[3], size[3];

    if (a->starts.n % n != 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "starts has %d numbers; %d for every hole are wanted",
                        (int)a->starts.n, (int)n);
    if (a->size.n != 1 && a->size.n != n && a->size.n != a->starts.n)
        return mtm_fail(err, MTM_E_INVAL, -1, "size has %d numbers; 1, %d or as many as starts are wanted",
                        (int)a->size.n, (int)n);
    for (int32_t i = 0; i < a->starts.n / n; i++)
        MTM_TRY(hole_box(a, i, in, start, size, err));
    return MTM_OK;
}

static mtm_status fill_value(mtm_exec *x, const coarse_dropout_args *a, const mtm_array *in, double *value,
                             mtm_error *err)
{
    const mtm_stats_request r = {.flags = a->fill_with == FILL_MEAN ? MTM_STAT_MOMENTS : MTM_STAT_RANGE};
    mtm_stats st;

    *value = a->fill;
    if (a->fill_with == FILL_VALUE)
        return MTM_OK;
    MTM_TRY(mtm_op_stats(x, in, &r, &st, err));
    *value = a->fill_with == FILL_MEAN ? st.mean : a->fill_with == FILL_MIN ? st.min : st.max;
    return MTM_OK;
}

static mtm_status coarse_dropout_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                                     mtm_array *out, mtm_error *err)
{
    const coarse_dropout_args *const a = args;
    const int32_t holes = a->starts.n / spec->spatial;
    double value = 0;

    if (!spec->label && holes > 0)
        MTM_TRY(fill_value(x, a, in, &value, err));
    MTM_TRY(mtm_array_convert(out, in, 1, 0, x->pool, err));
    for (int32_t i = 0; !spec->label && i < holes; i++) {
        int64_t start[3], size[3];
        mtm_array part;

        MTM_TRY(hole_box(a, i, spec, start, size, err));
        part = mtm_gather_part(out, 0, spec->channels, start, size);
        MTM_TRY(mtm_gather_fill(&part, value, x->pool, err));
    }
    return MTM_OK;
}

#define FILL_PARAMS(args)                                                                                    \
    {"fill", MTM_PARAM_FLOAT, offsetof(args, fill), "0", 0, 0, NULL, "", "Value of the holes."},             \
        {"fill_with",                                                                                        \
         MTM_PARAM_CHOICE,                                                                                   \
         offsetof(args, fill_with),                                                                          \
         "value",                                                                                            \
         0,                                                                                                  \
         0,                                                                                                  \
         "value|mean|min|max",                                                                               \
         "",                                                                                                 \
         "value: `fill`; else the mean, least or greatest value of the whole image."}

static const mtm_param coarse_dropout_params[] = {
    {"starts", MTM_PARAM_INTS, offsetof(coarse_dropout_args, starts), NULL, 0, MTM_MAX_EXTENT, NULL, "voxels",
     "Where the holes begin, in array order, one hole after the other; up to 48 numbers."},
    {"size", MTM_PARAM_INTS, offsetof(coarse_dropout_args, size), NULL, 1, MTM_MAX_EXTENT, NULL, "voxels",
     "Their size: one number, one for each spatial axis, or as many as starts."},
    FILL_PARAMS(coarse_dropout_args),
};

const mtm_op mtm_op_coarse_dropout = {
    .name = "coarse_dropout",
    .doc =
        "Fill boxes of the image with one value.\n"
        "\n"
        "DeVries, Taylor: Improved regularization of convolutional neural networks with cutout (2017), as\n"
        "MONAI's RandCoarseDropout with a number to fill with. All channels have the same holes; what\n"
        "lies outside of the image is cut off. Gives float32; label maps stay as they are. Errors: a\n"
        "hole that begins outside of the image.",
    .kind = MTM_OP_FILTER,
    .params = coarse_dropout_params,
    .n_params = MTM_COUNT(coarse_dropout_params),
    .args_bytes = sizeof(coarse_dropout_args),
    .check = coarse_dropout_check,
    .infer = coarse_dropout_infer,
    .run = coarse_dropout_run,
};

/* ---- random_coarse_dropout -------------------------------------------------------------------------------- */

typedef struct random_coarse_dropout_args {
    mtm_random_head head;
    mtm_ints holes, size;
    double fill;
    int32_t fill_with;
} random_coarse_dropout_args;

static mtm_status random_coarse_dropout_check(const void *args, mtm_error *err)
{
    const random_coarse_dropout_args *const a = args;

    MTM_TRY(mtm_range_check_ints(&a->holes, "holes", err));
    return mtm_range_check_ints(&a->size, "size", err);
}

/* Every hole draws its size on each axis, then a place where it lies inside. */
static mtm_status random_coarse_dropout_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                             const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_coarse_dropout_args *const a = args;
    const bool acts = mtm_rng_uniform(&d->rng) < a->head.p;
    const int64_t holes = mtm_range_draw_int(d, &a->holes);
    coarse_dropout_args *const t = target_args;

    *t = (coarse_dropout_args){.fill = a->fill, .fill_with = a->fill_with};
    for (int64_t i = 0; i < holes; i++)
        for (int axis = 3 - in->spatial; axis < 3; axis++) {
            const int64_t size = mtm_min_i64(mtm_range_draw_int(d, &a->size), in->size[axis]);

            t->size.v[t->size.n++] = size;
            t->starts.v[t->starts.n++] =
                (int64_t)mtm_rng_below(&d->rng, (uint64_t)(in->size[axis] - size) + 1);
        }
    *target = acts ? &mtm_op_coarse_dropout : NULL;
    return MTM_OK;
}

static const mtm_param random_coarse_dropout_params[] = {
    {"holes", MTM_PARAM_INTS, offsetof(random_coarse_dropout_args, holes), "(1, 8)", 1, MOST_HOLES, NULL, "",
     "Number of holes, or its range; at most 16."},
    {"size", MTM_PARAM_INTS, offsetof(random_coarse_dropout_args, size), "(8, 32)", 1, MTM_MAX_EXTENT, NULL,
     "voxels",
     "Size of a hole on each axis, or its range, drawn for every hole and axis; at most the image's."},
    MTM_RANDOM_PARAMS(random_coarse_dropout_args, "0.5"),
    FILL_PARAMS(random_coarse_dropout_args),
};

const mtm_op mtm_op_random_coarse_dropout = {
    .name = "random_coarse_dropout",
    .doc = "Fill random boxes of the image with one value, with probability p.\n"
           "\n"
           "As coarse_dropout; every hole draws its size and lies inside of the image, at a uniform place.\n"
           "Pairs (low, high) are drawn uniformly, both ends included. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_coarse_dropout_params,
    .n_params = MTM_COUNT(random_coarse_dropout_params),
    .args_bytes = sizeof(random_coarse_dropout_args),
    .check = random_coarse_dropout_check,
    .target = &mtm_op_coarse_dropout,
    .draw = random_coarse_dropout_draw,
};
