/* op/intensity/contrast.c: intensity operators that change the look: gamma, contrast, brightness, shift, gaussian_noise. Random
 * forms of them stand in random_intensity.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "intensity.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

/* ---- gamma -------------------------------------------------------------------------------------------- */

static void gamma_stats(const void *args, mtm_stats_request *r)
{
    const gamma_args *const a = args;

    r->flags = a->keep_sign ? 0 : MTM_STAT_RANGE | (a->channel_wise ? MTM_STAT_CHANNELS : 0);
}

static mtm_status gamma_emit(const void *args, const mtm_stats *st, int32_t channel, mtm_pointwise *p,
                             mtm_error *err)
{
    const gamma_args *const a = args;
    const double range = st->max - st->min;
    const mtm_step s = {.kind = MTM_STEP_GAMMA,
                        .channel = channel,
                        .a = (float)st->min,
                        .b = (float)(1 / (range + 1e-7)),
                        .c = (float)a->gamma,
                        .d = (float)range};

    return mtm_pointwise_add(p, &s, err);
}

static mtm_status gamma_steps(const void *args, const mtm_spec *in, const mtm_stats *st, mtm_pointwise *p,
                              mtm_error *err)
{
    const gamma_args *const a = args;
    const mtm_step s = {.kind = MTM_STEP_GAMMA_SIGNED, .channel = MTM_ALL_CHANNELS, .c = (float)a->gamma};

    if (a->keep_sign)
        return mtm_pointwise_add(p, &s, err);
    return mtm_steps_from_stats(args, a->channel_wise, in, st, gamma_emit, p, err);
}

static const mtm_param gamma_params[] = {
    {"gamma", MTM_PARAM_FLOAT, offsetof(gamma_args, gamma), NULL, 1e-3, 1000, NULL, "",
     "Exponent; below 1 brightens, above 1 darkens."},
    {"signed", MTM_PARAM_BOOL, offsetof(gamma_args, keep_sign), "False", 0, 0, NULL, "",
     "sign(x) |x|^gamma of the values as they are, without their range."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(gamma_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by its own minimum and range."},
};

const mtm_op mtm_op_gamma = {
    .name = "gamma",
    .doc = "Raise the values, relative to their range, to a power.\n"
           "\n"
           "((x - min) / (range + 1e-7))^gamma * range + min, as MONAI's AdjustContrast, or\n"
           "sign(x) |x|^gamma, as TorchIO's RandomGamma. Voxels that are not finite are left out of min and\n"
           "range; NaN stays, -Inf becomes min. Any shape; gives float32. Errors: no finite voxel.",
    .kind = MTM_OP_POINTWISE,
    .params = gamma_params,
    .n_params = COUNT(gamma_params),
    .args_bytes = sizeof(gamma_args),
    .stats = gamma_stats,
    .steps = gamma_steps,
};

/* ---- contrast ----------------------------------------------------------------------------------------- */

static void contrast_stats(const void *args, mtm_stats_request *r)
{
    const contrast_args *const a = args;

    r->flags =
        MTM_STAT_MOMENTS | (a->keep_range ? MTM_STAT_RANGE : 0) | (a->channel_wise ? MTM_STAT_CHANNELS : 0);
}

static mtm_status contrast_emit(const void *args, const mtm_stats *st, int32_t channel, mtm_pointwise *p,
                                mtm_error *err)
{
    const contrast_args *const a = args;

    MTM_TRY(mtm_step_linear(p, channel, st->mean, a->factor, st->mean, err));
    return a->keep_range ? mtm_step_clamp(p, channel, st->min, st->max, err) : MTM_OK;
}

static mtm_status contrast_steps(const void *args, const mtm_spec *in, const mtm_stats *st, mtm_pointwise *p,
                                 mtm_error *err)
{
    return mtm_steps_from_stats(args, ((const contrast_args *)args)->channel_wise, in, st, contrast_emit, p,
                                err);
}

static const mtm_param contrast_params[] = {
    {"factor", MTM_PARAM_FLOAT, offsetof(contrast_args, factor), NULL, 0, 0, NULL, "",
     "Distance from the mean is multiplied by this."},
    {"keep_range", MTM_PARAM_BOOL, offsetof(contrast_args, keep_range), "False", 0, 0, NULL, "",
     "Clip the result to the range that the input had."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(contrast_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by its own mean and range."},
};

const mtm_op mtm_op_contrast = {
    .name = "contrast",
    .doc = "Stretch or shrink the values about their mean.\n"
           "\n"
           "(x - mean) * factor + mean, as batchgenerators' contrast augmentation. Voxels that are\n"
           "not finite are left out of the statistics. Any shape; gives float32. Errors: no finite voxel.",
    .kind = MTM_OP_POINTWISE,
    .params = contrast_params,
    .n_params = COUNT(contrast_params),
    .args_bytes = sizeof(contrast_args),
    .stats = contrast_stats,
    .steps = contrast_steps,
};

/* ---- brightness, shift -------------------------------------------------------------------------------- */

static mtm_status brightness_steps(const void *args, const mtm_spec *in, const mtm_stats *st,
                                   mtm_pointwise *p, mtm_error *err)
{
    const brightness_args *const a = args;

    return mtm_step_linear(p, MTM_ALL_CHANNELS, 0, a->multiply, a->add, err);
}

static const mtm_param brightness_params[] = {
    {"add", MTM_PARAM_FLOAT, offsetof(brightness_args, add), "0", 0, 0, NULL, "",
     "Added after the multiplication."},
    {"multiply", MTM_PARAM_FLOAT, offsetof(brightness_args, multiply), "1", 0, 0, NULL, "",
     "Every value is multiplied by this."},
};

const mtm_op mtm_op_brightness = {
    .name = "brightness",
    .doc = "Multiply every value and add to it.\n"
           "\n"
           "x * multiply + add. Any shape; gives float32.",
    .kind = MTM_OP_POINTWISE,
    .params = brightness_params,
    .n_params = COUNT(brightness_params),
    .args_bytes = sizeof(brightness_args),
    .steps = brightness_steps,
};

static mtm_status shift_steps(const void *args, const mtm_spec *in, const mtm_stats *st, mtm_pointwise *p,
                              mtm_error *err)
{
    return mtm_step_linear(p, MTM_ALL_CHANNELS, 0, 1, ((const shift_args *)args)->offset, err);
}

static const mtm_param shift_params[] = {
    {"offset", MTM_PARAM_FLOAT, offsetof(shift_args, offset), NULL, 0, 0, NULL, "", "Added to every value."},
};

const mtm_op mtm_op_shift = {
    .name = "shift",
    .doc = "Add a number to every value.\n"
           "\n"
           "x + offset, as MONAI's ShiftIntensity. Any shape; gives float32.",
    .kind = MTM_OP_POINTWISE,
    .params = shift_params,
    .n_params = COUNT(shift_params),
    .args_bytes = sizeof(shift_args),
    .steps = shift_steps,
};

/* ---- gaussian_noise ----------------------------------------------------------------------------------- */

static mtm_status gaussian_noise_steps(const void *args, const mtm_spec *in, const mtm_stats *st,
                                       mtm_pointwise *p, mtm_error *err)
{
    const gaussian_noise_args *const a = args;
    const mtm_step s = {.kind = MTM_STEP_NOISE,
                        .channel = MTM_ALL_CHANNELS,
                        .a = (float)a->sigma,
                        .seed = a->seed,
                        .stream = {0x6E6F6973, 0, 0}}; /* "nois": apart from the streams of drawn arguments */

    return mtm_pointwise_add(p, &s, err);
}

static const mtm_param gaussian_noise_params[] = {
    {"sigma", MTM_PARAM_FLOAT, offsetof(gaussian_noise_args, sigma), NULL, 0, 1e30, NULL, "",
     "Standard deviation of the noise."},
    {"seed", MTM_PARAM_SEED, offsetof(gaussian_noise_args, seed), "0", 0, 0, NULL, "",
     "The noise is a function of this number and the voxel's place."},
};

const mtm_op mtm_op_gaussian_noise = {
    .name = "gaussian_noise",
    .doc = "Add normal noise, independent in every voxel.\n"
           "\n"
           "x + sigma * N(0, 1): Philox 4x32-10 (Salmon et al., SC 2011) by voxel number, Box-Muller;\n"
           "the same bits for any number of threads, any strides and any CPU. |N| is at most 5.77.\n"
           "Any shape; gives float32.",
    .kind = MTM_OP_POINTWISE,
    .params = gaussian_noise_params,
    .n_params = COUNT(gaussian_noise_params),
    .args_bytes = sizeof(gaussian_noise_args),
    .steps = gaussian_noise_steps,
};
