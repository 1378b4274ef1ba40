/* op/intensity/curve.c: operators that send the values through a piecewise linear curve: histogram_standardize,
 * histogram_shift and its random form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/intensity/intensity.h"
#include "op/pointwise.h"
#include "op/random.h"
#include "op/stats.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

/* Appends the curve through n ≥ 2 points, x ascending; before the first and behind the last its pieces go on. Pieces
 * narrower than `least` are flat. */
static mtm_status add_curve(mtm_pointwise *p, int32_t channel, const double *x, const double *y, int32_t n,
                            double least, mtm_error *err)
{
    const mtm_step curve = {.kind = MTM_STEP_CURVE, .channel = channel, .knots = n - 1};

    MTM_TRY(mtm_pointwise_add(p, &curve, err));
    for (int32_t i = 0; i + 1 < n; i++) {
        const double width = x[i + 1] - x[i];
        const mtm_step knot = {.kind = MTM_STEP_KNOT,
                               .channel = channel,
                               .a = width < least ? 0 : (float)((y[i + 1] - y[i]) / width),
                               .b = (float)y[i],
                               .c = (float)x[i]};

        MTM_TRY(mtm_pointwise_add(p, &knot, err));
    }
    return MTM_OK;
}

/* ---- histogram_standardize -------------------------------------------------------------------------------- */

enum { LANDMARKS = 13, USED = 11 };

typedef struct standardize_args {
    mtm_floats landmarks, cutoff;
    const mtm_array *mask;
} standardize_args;

/* The landmarks are those of the cutoffs, the deciles and the quartiles; the quartiles take no part in the mapping. */
static const int used[USED] = {0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 12};

static mtm_status standardize_check(const void *args, mtm_error *err)
{
    const standardize_args *const a = args;

    if (a->landmarks.n != LANDMARKS)
        return mtm_fail(err, MTM_E_INVAL, -1, "landmarks has %d numbers; %d are wanted", (int)a->landmarks.n,
                        LANDMARKS);
    for (int i = 1; i < LANDMARKS; i++)
        if (a->landmarks.v[i] < a->landmarks.v[i - 1])
            return mtm_fail(err, MTM_E_INVAL, -1, "landmarks descend from %g to %g", a->landmarks.v[i - 1],
                            a->landmarks.v[i]);
    if (a->cutoff.n != 2 || !(a->cutoff.v[0] < 0.1 && a->cutoff.v[1] > 0.9))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "cutoff is a pair of shares, the first below 0.1 and the second above 0.9");
    return MTM_OK;
}

static mtm_status standardize_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                                  mtm_array *out, mtm_error *err)
{
    const standardize_args *const a = args;
    const double q[USED] = {100 * a->cutoff.v[0], 10, 20, 30, 40, 50, 60, 70, 80, 90, 100 * a->cutoff.v[1]};
    double from[USED], to[USED];
    mtm_pointwise p = {0};

    if (spec->label)
        return mtm_array_convert(out, in, 1, 0, x->pool, err);
    MTM_TRY(mtm_op_percentiles(x, in, a->mask, q, USED, from, err));
    for (int i = 0; i < USED; i++)
        to[i] = a->landmarks.v[used[i]];
    MTM_TRY(add_curve(&p, MTM_ALL_CHANNELS, from, to, USED, 1e-5, err));
    return mtm_pointwise_apply(x, &p, in, out, err);
}

static const mtm_param standardize_params[] = {
    {"landmarks", MTM_PARAM_FLOATS, offsetof(standardize_args, landmarks), NULL, 0, 0, NULL, "",
     "13 ascending values, as mt.histogram.train gives them."},
    {"mask", MTM_PARAM_ARRAY, offsetof(standardize_args, mask), "None", 0, 0, NULL, "",
     "The image's percentiles are those where the mask is not 0; the mapping is applied everywhere."},
    {"cutoff", MTM_PARAM_FLOATS, offsetof(standardize_args, cutoff), "(0.01, 0.99)", 0, 1, NULL, "",
     "Shares of the voxels at the first and the last landmark, as in the training."},
};

const mtm_op mtm_op_histogram_standardize = {
    .name = "histogram_standardize",
    .doc =
        "Map the image's percentiles to trained landmarks, linearly in between.\n"
        "\n"
        "Nyul, Udupa, Zhang: New variants of a method of MRI scale standardization (IEEE TMI 2000), as\n"
        "TorchIO's HistogramStandardization: the percentiles of the cutoffs and the deciles go to the\n"
        "landmarks of the same rank, the outer pieces go on beyond the cutoffs, pieces narrower than 1e-5\n"
        "are flat. Voxels that are not finite are left out of the percentiles. Any shape; gives float32.\n"
        "Errors: landmarks that descend, no finite voxel, an empty mask.",
    .kind = MTM_OP_FILTER,
    .params = standardize_params,
    .n_params = COUNT(standardize_params),
    .args_bytes = sizeof(standardize_args),
    .check = standardize_check,
    .run = standardize_run,
};

/* ---- histogram_shift -------------------------------------------------------------------------------------- */

enum { MOST_POINTS = 32 };

typedef struct histogram_shift_args {
    mtm_floats points;
    bool channel_wise;
} histogram_shift_args;

static mtm_status histogram_shift_check(const void *args, mtm_error *err)
{
    const mtm_floats *const v = &((const histogram_shift_args *)args)->points;

    if (v->n < 2)
        return mtm_fail(err, MTM_E_INVAL, -1, "points has %d numbers; 2 at least are wanted", (int)v->n);
    for (int32_t i = 1; i < v->n; i++)
        if (v->v[i] < v->v[i - 1])
            return mtm_fail(err, MTM_E_INVAL, -1, "points descend from %g to %g", v->v[i - 1], v->v[i]);
    return MTM_OK;
}

static void histogram_shift_stats(const void *args, mtm_stats_request *r)
{
    r->flags = MTM_STAT_RANGE | (((const histogram_shift_args *)args)->channel_wise ? MTM_STAT_CHANNELS : 0);
}

static mtm_status histogram_shift_emit(const void *args, const mtm_stats *st, int32_t channel,
                                       mtm_pointwise *p, mtm_error *err)
{
    const mtm_floats *const v = &((const histogram_shift_args *)args)->points;
    const double range = st->max - st->min;
    double x[MOST_POINTS], y[MOST_POINTS];

    if (!(range > 0))
        return MTM_OK;
    for (int32_t i = 0; i < v->n; i++) {
        x[i] = st->min + range * i / (v->n - 1);
        y[i] = st->min + range * v->v[i];
    }
    MTM_TRY(mtm_step_clamp(p, channel, st->min, st->max, err)); /* infinite voxels go to the ends */
    return add_curve(p, channel, x, y, v->n, 0, err);
}

static mtm_status histogram_shift_steps(const void *args, const mtm_spec *in, const mtm_stats *st,
                                        mtm_pointwise *p, mtm_error *err)
{
    return mtm_steps_from_stats(args, ((const histogram_shift_args *)args)->channel_wise, in, st,
                                histogram_shift_emit, p, err);
}

static const mtm_param histogram_shift_params[] = {
    {"points", MTM_PARAM_FLOATS, offsetof(histogram_shift_args, points), NULL, 0, 1, NULL, "",
     "Where equidistant points of the range, its ends included, go to: 2 to 32 shares of the range."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(histogram_shift_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by its own range."},
};

const mtm_op mtm_op_histogram_shift = {
    .name = "histogram_shift",
    .doc =
        "Bend the histogram: a piecewise linear curve over the range of the values.\n"
        "\n"
        "With n points, min + range * i / (n - 1) becomes min + range * points[i], linearly in between, as\n"
        "MONAI's RandHistogramShift. A constant image stays; infinite voxels become the ends of the\n"
        "curve, NaN stays. Any shape; gives float32. Errors: points that descend, no finite voxel.",
    .kind = MTM_OP_POINTWISE,
    .params = histogram_shift_params,
    .n_params = COUNT(histogram_shift_params),
    .args_bytes = sizeof(histogram_shift_args),
    .check = histogram_shift_check,
    .stats = histogram_shift_stats,
    .steps = histogram_shift_steps,
};

typedef struct random_histogram_shift_args {
    mtm_random_head head;
    mtm_ints points;
    bool channel_wise;
} random_histogram_shift_args;

static mtm_status random_histogram_shift_check(const void *args, mtm_error *err)
{
    return mtm_range_check_ints(&((const random_histogram_shift_args *)args)->points, "points", err);
}

/* From the left, each inner point between its left neighbour and where its right one was, so that they never descend. */
static mtm_status random_histogram_shift_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                              const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_histogram_shift_args *const a = args;
    const bool acts = mtm_rng_uniform(&d->rng) < a->head.p;
    histogram_shift_args *const t = target_args;
    const int32_t n = (int32_t)mtm_range_draw_int(d, &a->points);

    *t = (histogram_shift_args){.points.n = n, .channel_wise = a->channel_wise};
    t->points.v[n - 1] = 1;
    for (int32_t i = 1; i + 1 < n; i++)
        t->points.v[i] = mtm_rng_range(&d->rng, t->points.v[i - 1], (double)(i + 1) / (n - 1));
    *target = acts ? &mtm_op_histogram_shift : NULL;
    return MTM_OK;
}

static const mtm_param random_histogram_shift_params[] = {
    {"points", MTM_PARAM_INTS, offsetof(random_histogram_shift_args, points), "10", 3, MOST_POINTS, NULL, "",
     "Number of points of the curve, its ends included, or its range; fewer bend it more."},
    MTM_RANDOM_PARAMS(random_histogram_shift_args, "0.5"),
    {"channel_wise", MTM_PARAM_BOOL, offsetof(random_histogram_shift_args, channel_wise), "False", 0, 0, NULL,
     "", "Each channel by its own range."},
};

const mtm_op mtm_op_random_histogram_shift = {
    .name = "random_histogram_shift",
    .doc =
        "Bend the histogram by a random curve, with probability p.\n"
        "\n"
        "As histogram_shift; from the left, each inner point is drawn uniformly between its left neighbour\n"
        "and where its right one was: MONAI's RandHistogramShift. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_histogram_shift_params,
    .n_params = COUNT(random_histogram_shift_params),
    .args_bytes = sizeof(random_histogram_shift_args),
    .check = random_histogram_shift_check,
    .target = &mtm_op_histogram_shift,
    .draw = random_histogram_shift_draw,
};
