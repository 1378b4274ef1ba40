/* op/intensity/random_intensity.c: random intensity operators, each a table: the operator whose arguments it draws, and
 * their ranges. A range is (low, high), drawn uniformly; one number is fixed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/intensity/intensity.h"
#include "op/random.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

/* ---- random_gaussian_noise ---------------------------------------------------------------------------- */

typedef struct random_gaussian_noise_args {
    mtm_random_head head;
    mtm_floats sigma;
} random_gaussian_noise_args;

static const mtm_param random_gaussian_noise_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(random_gaussian_noise_args, sigma), "(0, 0.1)", 0, 1e30, NULL, "",
     "Standard deviation of the noise, or its range."},
    MTM_RANDOM_PARAMS(random_gaussian_noise_args, "0.5"),
};

const mtm_op mtm_op_random_gaussian_noise = {
    .name = "random_gaussian_noise",
    .doc = "Add normal noise of a random strength, with probability p.\n"
           "\n"
           "As gaussian_noise; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_gaussian_noise_params,
    .n_params = COUNT(random_gaussian_noise_params),
    .args_bytes = sizeof(random_gaussian_noise_args),
    .target = &mtm_op_gaussian_noise,
};

/* ---- random_gamma ------------------------------------------------------------------------------------- */

typedef struct random_gamma_args {
    mtm_random_head head;
    mtm_floats gamma;
    bool keep_sign, channel_wise;
} random_gamma_args;

static const mtm_param random_gamma_params[] = {
    {"gamma", MTM_PARAM_FLOATS, offsetof(random_gamma_args, gamma), "(0.7, 1.5)", 1e-3, 1000, NULL, "",
     "Exponent, or its range."},
    MTM_RANDOM_PARAMS(random_gamma_args, "0.5"),
    {"signed", MTM_PARAM_BOOL, offsetof(random_gamma_args, keep_sign), "False", 0, 0, NULL, "",
     "sign(x) |x|^gamma of the values as they are, without their range."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(random_gamma_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by its own minimum and range."},
};

const mtm_op mtm_op_random_gamma = {
    .name = "random_gamma",
    .doc = "Raise the values, relative to their range, to a random power, with probability p.\n"
           "\n"
           "As gamma; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_gamma_params,
    .n_params = COUNT(random_gamma_params),
    .args_bytes = sizeof(random_gamma_args),
    .target = &mtm_op_gamma,
};

/* ---- random_contrast ---------------------------------------------------------------------------------- */

typedef struct random_contrast_args {
    mtm_random_head head;
    mtm_floats factor;
    bool keep_range, channel_wise;
} random_contrast_args;

static const mtm_param random_contrast_params[] = {
    {"factor", MTM_PARAM_FLOATS, offsetof(random_contrast_args, factor), "(0.75, 1.25)", 0, 0, NULL, "",
     "Factor of the distance from the mean, or its range."},
    MTM_RANDOM_PARAMS(random_contrast_args, "0.5"),
    {"keep_range", MTM_PARAM_BOOL, offsetof(random_contrast_args, keep_range), "False", 0, 0, NULL, "",
     "Clip the result to the range that the input had."},
    {"channel_wise", MTM_PARAM_BOOL, offsetof(random_contrast_args, channel_wise), "False", 0, 0, NULL, "",
     "Each channel by its own mean and range."},
};

const mtm_op mtm_op_random_contrast = {
    .name = "random_contrast",
    .doc = "Stretch or shrink the values about their mean by a random factor, with probability p.\n"
           "\n"
           "As contrast; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_contrast_params,
    .n_params = COUNT(random_contrast_params),
    .args_bytes = sizeof(random_contrast_args),
    .target = &mtm_op_contrast,
};

/* ---- random_brightness -------------------------------------------------------------------------------- */

typedef struct random_brightness_args {
    mtm_random_head head;
    mtm_floats add, multiply;
} random_brightness_args;

static const mtm_param random_brightness_params[] = {
    {"add", MTM_PARAM_FLOATS, offsetof(random_brightness_args, add), "0", 0, 0, NULL, "",
     "Added after the multiplication, or its range."},
    {"multiply", MTM_PARAM_FLOATS, offsetof(random_brightness_args, multiply), "(0.75, 1.25)", 0, 0, NULL, "",
     "Factor of every value, or its range."},
    MTM_RANDOM_PARAMS(random_brightness_args, "0.5"),
};

const mtm_op mtm_op_random_brightness = {
    .name = "random_brightness",
    .doc = "Multiply every value by a random factor and add a random number, with probability p.\n"
           "\n"
           "As brightness; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_brightness_params,
    .n_params = COUNT(random_brightness_params),
    .args_bytes = sizeof(random_brightness_args),
    .target = &mtm_op_brightness,
};

/* ---- random_shift ------------------------------------------------------------------------------------- */

typedef struct random_shift_args {
    mtm_random_head head;
    mtm_floats offset;
} random_shift_args;

static const mtm_param random_shift_params[] = {
    {"offset", MTM_PARAM_FLOATS, offsetof(random_shift_args, offset), "(-0.1, 0.1)", 0, 0, NULL, "",
     "Added to every value, or its range."},
    MTM_RANDOM_PARAMS(random_shift_args, "0.5"),
};

const mtm_op mtm_op_random_shift = {
    .name = "random_shift",
    .doc = "Add one random number to every value, with probability p.\n"
           "\n"
           "As shift; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_shift_params,
    .n_params = COUNT(random_shift_params),
    .args_bytes = sizeof(random_shift_args),
    .target = &mtm_op_shift,
};
