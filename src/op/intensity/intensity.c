/* op/intensity/intensity.c: intensity operators that normalise: scale, normalize, clip_percentile, window. Each turns its arguments
 * and the input's statistics into steps of a pointwise program (kernel/pointwise.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "intensity.h"

#include <float.h>
#include <math.h>

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

mtm_status mtm_step_linear(mtm_pointwise *p, int32_t channel, double center, double slope, double offset,
                           mtm_error *err)
{
    const mtm_step s = {.kind = MTM_STEP_LINEAR,
                        .channel = channel,
                        .a = (float)slope,
                        .b = (float)offset,
                        .c = (float)center};

    return mtm_pointwise_add(p, &s, err);
}

mtm_status mtm_step_clamp(mtm_pointwise *p, int32_t channel, double low, double high, mtm_error *err)
{
    const mtm_step s = {.kind = MTM_STEP_CLAMP, .channel = channel, .a = (float)low, .b = (float)high};

    return mtm_pointwise_add(p, &s, err);
}

mtm_status mtm_steps_from_stats(const void *args, bool channel_wise, const mtm_spec *in, const mtm_stats *st,
                                mtm_emit_fn *emit, mtm_pointwise *p, mtm_error *err)
{
    const int64_t n = channel_wise ? in->channels : 1;

    for (int64_t i = 0; i < n; i++) {
        if (st[i].count == 0)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            st[i].non_finite > 0 ? "no voxel is finite" : "the mask is 0 everywhere");
        MTM_TRY(emit(args, &st[i], channel_wise ? (int32_t)i : MTM_ALL_CHANNELS, p, err));
    }
    return MTM_OK;
}

/* ---- scale -------------------------------------------------------------------------------------------- */

typedef struct scale_args {
    double low, high;
    bool channel_wise;
} scale_args;

static void scale_stats(const void *args, mtm_stats_request *r)
{
    const scale_args *const a = args;

    r->flags = MTM_STAT_RANGE | (a->channel_wise ? MTM_STAT_CHANNELS : 0);
}

static mtm_status scale_emit(const void *args, const mtm_stats *st, int32_t channel, mtm_pointwise *p,
                             mtm_error *err)
{
    const scale_args *const a = args;
    const float low = (float)a->low, high = (float)a->high, range = (float)st->max - (float)st->min;
    float slope = (float)((a->high - a->low) / (st->max - st->min));

    if (st->max == st->min)
        return mtm_step_linear(p, channel, 0, a->low, 0, err);
    for (int i = 0; i < 4; i++) /* the maximum must not land above `high` by rounding */
        if (high > low ? range * slope + low > high : range * slope + low < high)
            slope = nextafterf(slope, 0);
    return mtm_step_linear(p, channel, st->min, slope, a->low, err);
}

static mtm_status scale_steps(const void *args, const mtm_spec *in, const mtm_stats *st, mtm_pointwise *p,
                              mtm_error *err)
{
    return mtm_steps_from_stats(args, ((const scale_args *)args)->channel_wise, in, st, scale_emit, p, err);
}

static const mtm_param scale_params[] = {
    {"low", MTM_PARAM_FLOAT, offsetof(scale_args, low), "0", 0, 0, NULL, "", "What the minimum becomes."},
    {"high", MTM_PARAM_FLOAT, offsetof(scale_args, high), "1", 0, 0, NULL, "", "What the maximum becomes."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(scale_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by its own minimum and maximum."},
};

const mtm_op mtm_op_scale = {
    .name = "scale",
    .doc =
        "Map the range of the values linearly to [low, high].\n"
        "\n"
        "(x - min) / (max - min) * (high - low) + low, as MONAI's ScaleIntensity; a constant image becomes\n"
        "x * low. Voxels that are not finite are left out of min and max. Any shape; gives float32.\n"
        "Errors: no finite voxel.",
    .kind = MTM_OP_POINTWISE,
    .params = scale_params,
    .n_params = COUNT(scale_params),
    .args_bytes = sizeof(scale_args),
    .stats = scale_stats,
    .steps = scale_steps,
};

/* ---- normalize ---------------------------------------------------------------------------------------- */

typedef struct normalize_args {
    bool nonzero, channel_wise;
    const mtm_array *mask;
} normalize_args;

static mtm_status normalize_check(const void *args, mtm_error *err)
{
    const normalize_args *const a = args;

    if (a->mask && a->nonzero)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "nonzero and mask are two ways to choose voxels; give one of them");
    return MTM_OK;
}

static void normalize_stats(const void *args, mtm_stats_request *r)
{
    const normalize_args *const a = args;

    r->flags = (a->nonzero ? MTM_STAT_NONZERO : MTM_STAT_MOMENTS) | (a->channel_wise ? MTM_STAT_CHANNELS : 0);
    r->mask = a->mask;
}

static mtm_status normalize_emit(const void *args, const mtm_stats *st, int32_t channel, mtm_pointwise *p,
                                 mtm_error *err)
{
    const normalize_args *const a = args;
    const double mean = a->nonzero ? st->nonzero_mean : st->mean,
                 std = a->nonzero ? st->nonzero_std : st->std;
    const mtm_step s = {.kind = a->nonzero ? MTM_STEP_LINEAR_NONZERO : MTM_STEP_LINEAR,
                        .channel = channel,
                        .a = std > 0 ? (float)(1 / std) : 1,
                        .c = (float)mean};

    return mtm_pointwise_add(p, &s, err);
}

static mtm_status normalize_steps(const void *args, const mtm_spec *in, const mtm_stats *st, mtm_pointwise *p,
                                  mtm_error *err)
{
    return mtm_steps_from_stats(args, ((const normalize_args *)args)->channel_wise, in, st, normalize_emit, p,
                                err);
}

static const mtm_param normalize_params[] = {
    {"nonzero", MTM_PARAM_BOOL, offsetof(normalize_args, nonzero), "False", 0, 0, NULL, "",
     "Mean and deviation of the voxels that are not 0, applied to those only."},
    {"mask", MTM_PARAM_ARRAY, offsetof(normalize_args, mask), "None", 0, 0, NULL, "",
     "Mean and deviation of the voxels where the mask is not 0, applied everywhere."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(normalize_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by its own mean and deviation."},
};

const mtm_op mtm_op_normalize = {
    .name = "normalize",
    .doc = "Subtract the mean and divide by the standard deviation.\n"
           "\n"
           "(x - mean) / std with the population's deviation (ddof 0), as NumPy's mean and std and\n"
           "MONAI's NormalizeIntensity; a constant image becomes 0. Voxels that are not finite are\n"
           "left out of the statistics. Any shape; gives float32. Errors: no finite voxel, an empty\n"
           "mask, nonzero and mask at once.",
    .kind = MTM_OP_POINTWISE,
    .params = normalize_params,
    .n_params = COUNT(normalize_params),
    .args_bytes = sizeof(normalize_args),
    .check = normalize_check,
    .stats = normalize_stats,
    .steps = normalize_steps,
};

/* ---- clip_percentile ---------------------------------------------------------------------------------- */

typedef struct clip_args {
    double low, high;
    bool channel_wise;
} clip_args;

static mtm_status clip_check(const void *args, mtm_error *err)
{
    const clip_args *const a = args;

    if (a->low > a->high)
        return mtm_fail(err, MTM_E_INVAL, -1, "low is %g percent, above high, %g percent", a->low, a->high);
    return MTM_OK;
}

static void clip_stats(const void *args, mtm_stats_request *r)
{
    const clip_args *const a = args;

    r->flags = MTM_STAT_PERCENTILES | (a->channel_wise ? MTM_STAT_CHANNELS : 0);
    r->q[0] = a->low, r->q[1] = a->high;
}

static mtm_status clip_emit(const void *args, const mtm_stats *st, int32_t channel, mtm_pointwise *p,
                            mtm_error *err)
{
    return mtm_step_clamp(p, channel, st->percentile[0], st->percentile[1], err);
}

static mtm_status clip_steps(const void *args, const mtm_spec *in, const mtm_stats *st, mtm_pointwise *p,
                             mtm_error *err)
{
    return mtm_steps_from_stats(args, ((const clip_args *)args)->channel_wise, in, st, clip_emit, p, err);
}

static const mtm_param clip_params[] = {
    {"low", MTM_PARAM_FLOAT, offsetof(clip_args, low), "0.5", 0, 100, NULL, "percent",
     "Values below this percentile become it."},
    {"high", MTM_PARAM_FLOAT, offsetof(clip_args, high), "99.5", 0, 100, NULL, "percent",
     "Values above this percentile become it."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(clip_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by its own percentiles."},
};

const mtm_op mtm_op_clip_percentile = {
    .name = "clip_percentile",
    .doc = "Clip the values to two of their percentiles.\n"
           "\n"
           "Percentiles as numpy.percentile(method='linear'), of the finite voxels; NaN stays. Any\n"
           "shape; gives float32. Errors: no finite voxel, low above high.",
    .kind = MTM_OP_POINTWISE,
    .params = clip_params,
    .n_params = COUNT(clip_params),
    .args_bytes = sizeof(clip_args),
    .check = clip_check,
    .stats = clip_stats,
    .steps = clip_steps,
};

/* ---- window ------------------------------------------------------------------------------------------- */

typedef struct window_args {
    double center, width, low, high;
    int32_t function;
} window_args;

enum { WINDOW_LINEAR, WINDOW_LINEAR_EXACT, WINDOW_SIGMOID };

static mtm_status window_check(const void *args, mtm_error *err)
{
    const window_args *const a = args;

    if (a->function == WINDOW_LINEAR && a->width < 1)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "a linear window has a width of at least 1, not %g (PS3.3 C.11.2.1.2.1); "
                        "linear_exact takes any above 0",
                        a->width);
    if (!(a->width > 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "the window's width is %g, not above 0", a->width);
    return MTM_OK;
}

/* The slope of a window of no width: anything above the centre overshoots the clamp that follows. */
static double window_slope(double span, double width)
{
    const double slope = span / width;

    return slope > FLT_MAX ? FLT_MAX : slope < -FLT_MAX ? -FLT_MAX : slope;
}

static mtm_status window_steps(const void *args, const mtm_spec *in, const mtm_stats *st, mtm_pointwise *p,
                               mtm_error *err)
{
    const window_args *const a = args;
    const double span = a->high - a->low, middle = (a->low + a->high) / 2;

    switch (a->function) {
    case WINDOW_LINEAR: /* C.11.2.1.2.1: centre c − ½, width w − 1; of no width: a step above c − ½ */
        if (a->width == 1)
            MTM_TRY(
                mtm_step_linear(p, MTM_ALL_CHANNELS, a->center - 0.5, copysign(FLT_MAX, span), a->low, err));
        else
            MTM_TRY(mtm_step_linear(p, MTM_ALL_CHANNELS, a->center - 0.5, window_slope(span, a->width - 1),
                                    middle, err));
        break;
    case WINDOW_LINEAR_EXACT: /* C.11.2.1.3.2 */
        MTM_TRY(mtm_step_linear(p, MTM_ALL_CHANNELS, a->center, window_slope(span, a->width), middle, err));
        break;
    default: { /* C.11.2.1.3.1 */
        const mtm_step s = {.kind = MTM_STEP_SIGMOID,
                            .channel = MTM_ALL_CHANNELS,
                            .a = (float)span,
                            .b = (float)(-4 / a->width),
                            .c = (float)a->center,
                            .d = (float)a->low};
        return mtm_pointwise_add(p, &s, err);
    }
    }
    return mtm_step_clamp(p, MTM_ALL_CHANNELS, fmin(a->low, a->high), fmax(a->low, a->high), err);
}

static const mtm_param window_params[] = {
    {"center", MTM_PARAM_FLOAT, offsetof(window_args, center), NULL, 0, 0, NULL, "",
     "Value at the middle of the window."},
    {"width", MTM_PARAM_FLOAT, offsetof(window_args, width), NULL, 0, 0, NULL, "",
     "Width of the window in values, above 0; at least 1 for linear."},
    {"function", MTM_PARAM_CHOICE, offsetof(window_args, function), "linear", 0, 0,
     "linear|linear_exact|sigmoid", "", "Shape of the window, DICOM's VOI LUT Function."},
    {"low", MTM_PARAM_FLOAT, offsetof(window_args, low), "0", 0, 0, NULL, "",
     "Output for values below the window."},
    {"high", MTM_PARAM_FLOAT, offsetof(window_args, high), "1", 0, 0, NULL, "",
     "Output for values above the window."},
};

const mtm_op mtm_op_window = {
    .name = "window",
    .doc = "Map a window of values to [low, high], and what lies outside to its ends.\n"
           "\n"
           "linear, linear_exact and sigmoid as DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3. Any shape;\n"
           "gives float32. Errors: a width of 0 or less, or below 1 for linear.",
    .kind = MTM_OP_POINTWISE,
    .params = window_params,
    .n_params = COUNT(window_params),
    .args_bytes = sizeof(window_args),
    .check = window_check,
    .steps = window_steps,
};
