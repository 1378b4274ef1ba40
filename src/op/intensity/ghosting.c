/* op/intensity/ghosting.c: ghosting, fainter copies of the picture along an axis, and its random form.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/error.h"
#include "op/intensity/fourier.h"
#include "op/intensity/rows.h"
#include "op/random.h"
#include "op/spatial/spatial.h"

enum { MOST_GHOSTS = 1024 };

typedef struct ghosting_args {
    int64_t count, axis;
    double intensity;
    mtm_floats restore;
} ghosting_args;

static mtm_status ghosting_check(const void *args, mtm_error *err)
{
    const ghosting_args *const a = args;

    if (a->restore.n > 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "restore is one number or None, not %d numbers",
                        (int)a->restore.n);
    return MTM_OK;
}

static mtm_status ghosting_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    int axis;

    return mtm_axis_index(((const ghosting_args *)args)->axis, "axis", in, &axis, err);
}

/* The weight of place i of a spectrum of n whose middle, n // 2, is frequency 0. */
static double weight_at(const ghosting_args *a, int64_t i, int64_t n)
{
    const int64_t middle = n / 2;
    const int64_t half = a->restore.n ? (int64_t)nearbyint(a->restore.v[0] * (double)n) / 2 : 0;
    const bool restored = a->restore.n ? i >= middle - half && i < middle + half : i == middle;

    return i % a->count == 0 && !restored ? 1 - a->intensity : 1;
}

static mtm_status ghosting_rows(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                                mtm_array *out, mtm_error *err)
{
    const ghosting_args *const a = args;
    int axis;

    MTM_TRY(mtm_axis_index(a->axis, "axis", spec, &axis, err));
    const int64_t n = spec->size[axis];
    MTM_AUTO_MEM double *weight = mtm_alloc_zero((size_t)n, sizeof *weight);
    if (!weight)
        return MTM_NOMEM(err);
    /* The real part of the inverse: the mean of the weights of a frequency and of its opposite. */
    for (int64_t f = 0; f < n; f++)
        weight[f] = 0.5 * (weight_at(a, (f + n / 2) % n, n) + weight_at(a, (n - f + n / 2) % n, n));
    return mtm_fourier_lines(x, in, out, axis, weight, false, err);
}

static mtm_status ghosting_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                               mtm_array *out, mtm_error *err)
{
    return mtm_rows_run(x, args, spec, in, out, ghosting_rows, err);
}

#define RESTORE_HELP                                                                                         \
    "Share of the axis's frequencies around the middle that keep their weight; None: the middle alone."

static const mtm_param ghosting_params[] = {
    {"count", MTM_PARAM_INT, offsetof(ghosting_args, count), NULL, 1, MOST_GHOSTS, NULL, "",
     "Number of ghosts: every count-th plane of k-space is weakened."},
    {"axis", MTM_PARAM_INT, offsetof(ghosting_args, axis), NULL, -3, 2, NULL, "axes",
     "Spatial axis along which they stand, in array order."},
    {"intensity", MTM_PARAM_FLOAT, offsetof(ghosting_args, intensity), NULL, 0, 1e6, NULL, "",
     "What the planes lose: 0 nothing, 1 all."},
    {"restore", MTM_PARAM_FLOATS, offsetof(ghosting_args, restore), "None", 0, 1, NULL, "", RESTORE_HELP},
};

const mtm_op mtm_op_ghosting = {
    .name = "ghosting",
    .doc =
        "Weaken every count-th plane of k-space: ghosts of the picture along an axis, as from breathing or "
        "pulsation.\n"
        "\n"
        "With the axis's frequencies ordered so that 0 stands at index m = n // 2, planes 0, count, 2 count, "
        "... of each\n"
        "channel's discrete Fourier transform are multiplied by 1 - intensity, except those around the "
        "middle: index m\n"
        "alone, or m - s // 2 to m + s // 2 - 1 with s = round(restore * n); the real part of the inverse is "
        "taken:\n"
        "TorchIO's Ghosting (as there, restore=0 keeps not even the middle). Only lines along the axis are "
        "transformed;\n"
        "a voxel that is not finite spreads over its line and the one that is transformed with it. Gives "
        "float32; "
        "label maps\n"
        "stay as they are.",
    .kind = MTM_OP_FILTER,
    .params = ghosting_params,
    .n_params = MTM_COUNT(ghosting_params),
    .args_bytes = sizeof(ghosting_args),
    .check = ghosting_check,
    .infer = ghosting_infer,
    .run = ghosting_run,
};

/* ---- random_ghosting ---------------------------------------------------------------------------------- */

typedef struct random_ghosting_args {
    mtm_random_head head;
    mtm_ints count, axes;
    mtm_floats intensity, restore;
} random_ghosting_args;

static mtm_status random_ghosting_check(const void *args, mtm_error *err)
{
    const random_ghosting_args *const a = args;

    MTM_TRY(mtm_range_check_ints(&a->count, "count", err));
    MTM_TRY(mtm_range_check(&a->intensity, "intensity", err));
    return a->restore.n ? mtm_range_check(&a->restore, "restore", err) : MTM_OK;
}

static mtm_status random_ghosting_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const random_ghosting_args *const a = args;
    int axis;

    for (int32_t i = 0; i < a->axes.n; i++)
        MTM_TRY(mtm_axis_index(a->axes.v[i], "axes", in, &axis, err));
    return MTM_OK;
}

/* The axes of more than one voxel; all, when none has. */
static mtm_ints wide_axes(const mtm_spec *in)
{
    mtm_ints axes = {.n = 0}, all = {.n = in->spatial};

    for (int i = 0; i < in->spatial; i++) {
        all.v[i] = i;
        if (in->size[3 - in->spatial + i] > 1)
            axes.v[axes.n++] = i;
    }
    return axes.n ? axes : all;
}

static mtm_status random_ghosting_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                       const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_ghosting_args *const a = args;
    ghosting_args *const t = target_args;
    const bool acts = mtm_rng_uniform(&d->rng) < a->head.p;
    const mtm_ints wide = wide_axes(in), *const axes = a->axes.n ? &a->axes : &wide;

    t->axis = axes->v[mtm_rng_below(&d->rng, (uint64_t)axes->n)];
    t->count = mtm_range_draw_int(d, &a->count);
    t->intensity = mtm_range_draw(d, &a->intensity);
    if (a->restore.n)
        t->restore = (mtm_floats){.n = 1, .v = {mtm_range_draw(d, &a->restore)}};
    *target = acts ? &mtm_op_ghosting : NULL;
    return MTM_OK;
}

static const mtm_param random_ghosting_params[] = {
    {"count", MTM_PARAM_INTS, offsetof(random_ghosting_args, count), "(4, 10)", 1, MOST_GHOSTS, NULL, "",
     "Number of ghosts, or its range, both ends included."},
    {"axes", MTM_PARAM_INTS, offsetof(random_ghosting_args, axes), "None", -3, 2, NULL, "axes",
     "Spatial axes, in array order, of which one is chosen; None: any of more than one voxel."},
    {"intensity", MTM_PARAM_FLOATS, offsetof(random_ghosting_args, intensity), "(0.5, 1)", 0, 1e6, NULL, "",
     "What the planes lose, or its range."},
    {"restore", MTM_PARAM_FLOATS, offsetof(random_ghosting_args, restore), "None", 0, 1, NULL, "",
     "Share of the frequencies around the middle that keep their weight, or its range; None: the middle "
     "alone."},
    MTM_RANDOM_PARAMS(random_ghosting_args, "0.5"),
};

const mtm_op mtm_op_random_ghosting = {
    .name = "random_ghosting",
    .doc = "Weaken every n-th plane of k-space along a random axis, with probability p.\n"
           "\n"
           "As ghosting, with the ranges of TorchIO's RandomGhosting. Of a pair (low, high) a number is "
           "drawn uniformly,\n"
           "one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_ghosting_params,
    .n_params = MTM_COUNT(random_ghosting_params),
    .args_bytes = sizeof(random_ghosting_args),
    .check = random_ghosting_check,
    .infer = random_ghosting_infer,
    .target = &mtm_op_ghosting,
    .draw = random_ghosting_draw,
};
