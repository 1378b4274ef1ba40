/* op/random_intensity.c: random intensity operators: each draws whether it acts and with which arguments, and hands them to
 * the operator of the same name without "random_". A range is (low, high), drawn uniformly; one number is fixed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "intensity.h"
#include "op/draw.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

/* The numbers themselves were held against the parameter's declaration. */
static mtm_status check_range(const mtm_floats *r, const char *name, mtm_error *err)
{
    if (r->n < 1 || r->n > 2)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s is a number or a pair (low, high), not %d numbers", name,
                        r->n);
    if (r->v[0] > r->v[r->n - 1])
        return mtm_fail(err, MTM_E_INVAL, -1, "%s runs from %g down to %g", name, r->v[0], r->v[1]);
    return MTM_OK;
}

/* r passed check_range. */
static double draw_range(mtm_draw *d, const mtm_floats *r)
{
    return mtm_rng_range(&d->rng, r->v[0], r->v[r->n - 1]);
}

/* Whether the operator acts this time; always the first draw. */
static bool draw_acts(mtm_draw *d, double p)
{
    return mtm_rng_uniform(&d->rng) < p;
}

/* What comes out has one type whether or not the operator acted. */
static mtm_status infer_float(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    if (!in->label)
        out->dtype = MTM_F32;
    return MTM_OK;
}

/* ---- random_gaussian_noise ---------------------------------------------------------------------------- */

typedef struct random_gaussian_noise_args {
    double p;
    mtm_floats sigma;
} random_gaussian_noise_args;

static mtm_status random_gaussian_noise_check(const void *args, mtm_error *err)
{
    const random_gaussian_noise_args *const a = args;

    return check_range(&a->sigma, "sigma", err);
}

static mtm_status random_gaussian_noise_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                             const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_gaussian_noise_args *const a = args;
    const bool acts = draw_acts(d, a->p);
    gaussian_noise_args *const t = target_args;

    t->sigma = draw_range(d, &a->sigma);
    t->seed = mtm_rng_u64(&d->rng);
    *target = acts ? &mtm_op_gaussian_noise : NULL;
    return MTM_OK;
}

static const mtm_param random_gaussian_noise_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(random_gaussian_noise_args, sigma), "(0, 0.1)", 0, 1e30, NULL, "",
     "Standard deviation of the noise, or its range."},
    {"p", MTM_PARAM_FLOAT, offsetof(random_gaussian_noise_args, p), "0.5", 0, 1, NULL, "",
     "Probability that anything happens."},
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
    .check = random_gaussian_noise_check,
    .infer = infer_float,
    .draw = random_gaussian_noise_draw,
};

/* ---- random_gamma ------------------------------------------------------------------------------------- */

typedef struct random_gamma_args {
    double p;
    mtm_floats gamma;
    bool keep_sign, channel_wise;
} random_gamma_args;

static mtm_status random_gamma_check(const void *args, mtm_error *err)
{
    const random_gamma_args *const a = args;

    return check_range(&a->gamma, "gamma", err);
}

static mtm_status random_gamma_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                    void *target_args, mtm_error *err)
{
    const random_gamma_args *const a = args;
    const bool acts = draw_acts(d, a->p);
    gamma_args *const t = target_args;

    t->gamma = draw_range(d, &a->gamma);
    t->keep_sign = a->keep_sign;
    t->channel_wise = a->channel_wise;
    *target = acts ? &mtm_op_gamma : NULL;
    return MTM_OK;
}

static const mtm_param random_gamma_params[] = {
    {"gamma", MTM_PARAM_FLOATS, offsetof(random_gamma_args, gamma), "(0.7, 1.5)", 1e-3, 1000, NULL, "",
     "Exponent, or its range."},
    {"p", MTM_PARAM_FLOAT, offsetof(random_gamma_args, p), "0.5", 0, 1, NULL, "",
     "Probability that anything happens."},
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
    .check = random_gamma_check,
    .infer = infer_float,
    .draw = random_gamma_draw,
};

/* ---- random_contrast ---------------------------------------------------------------------------------- */

typedef struct random_contrast_args {
    double p;
    mtm_floats factor;
    bool keep_range, channel_wise;
} random_contrast_args;

static mtm_status random_contrast_check(const void *args, mtm_error *err)
{
    const random_contrast_args *const a = args;

    return check_range(&a->factor, "factor", err);
}

static mtm_status random_contrast_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                       const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_contrast_args *const a = args;
    const bool acts = draw_acts(d, a->p);
    contrast_args *const t = target_args;

    t->factor = draw_range(d, &a->factor);
    t->keep_range = a->keep_range;
    t->channel_wise = a->channel_wise;
    *target = acts ? &mtm_op_contrast : NULL;
    return MTM_OK;
}

static const mtm_param random_contrast_params[] = {
    {"factor", MTM_PARAM_FLOATS, offsetof(random_contrast_args, factor), "(0.75, 1.25)", 0, 0, NULL, "",
     "Factor of the distance from the mean, or its range."},
    {"p", MTM_PARAM_FLOAT, offsetof(random_contrast_args, p), "0.5", 0, 1, NULL, "",
     "Probability that anything happens."},
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
    .check = random_contrast_check,
    .infer = infer_float,
    .draw = random_contrast_draw,
};

/* ---- random_brightness -------------------------------------------------------------------------------- */

typedef struct random_brightness_args {
    double p;
    mtm_floats add, multiply;
} random_brightness_args;

static mtm_status random_brightness_check(const void *args, mtm_error *err)
{
    const random_brightness_args *const a = args;

    MTM_TRY(check_range(&a->add, "add", err));
    return check_range(&a->multiply, "multiply", err);
}

static mtm_status random_brightness_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                         const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_brightness_args *const a = args;
    const bool acts = draw_acts(d, a->p);
    brightness_args *const t = target_args;

    t->add = draw_range(d, &a->add);
    t->multiply = draw_range(d, &a->multiply);
    *target = acts ? &mtm_op_brightness : NULL;
    return MTM_OK;
}

static const mtm_param random_brightness_params[] = {
    {"add", MTM_PARAM_FLOATS, offsetof(random_brightness_args, add), "0", 0, 0, NULL, "",
     "Added after the multiplication, or its range."},
    {"multiply", MTM_PARAM_FLOATS, offsetof(random_brightness_args, multiply), "(0.75, 1.25)", 0, 0, NULL, "",
     "Factor of every value, or its range."},
    {"p", MTM_PARAM_FLOAT, offsetof(random_brightness_args, p), "0.5", 0, 1, NULL, "",
     "Probability that anything happens."},
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
    .check = random_brightness_check,
    .infer = infer_float,
    .draw = random_brightness_draw,
};

/* ---- random_shift ------------------------------------------------------------------------------------- */

typedef struct random_shift_args {
    double p;
    mtm_floats offset;
} random_shift_args;

static mtm_status random_shift_check(const void *args, mtm_error *err)
{
    const random_shift_args *const a = args;

    return check_range(&a->offset, "offset", err);
}

static mtm_status random_shift_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                    void *target_args, mtm_error *err)
{
    const random_shift_args *const a = args;
    const bool acts = draw_acts(d, a->p);
    shift_args *const t = target_args;

    t->offset = draw_range(d, &a->offset);
    *target = acts ? &mtm_op_shift : NULL;
    return MTM_OK;
}

static const mtm_param random_shift_params[] = {
    {"offset", MTM_PARAM_FLOATS, offsetof(random_shift_args, offset), "(-0.1, 0.1)", 0, 0, NULL, "",
     "Added to every value, or its range."},
    {"p", MTM_PARAM_FLOAT, offsetof(random_shift_args, p), "0.5", 0, 1, NULL, "",
     "Probability that anything happens."},
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
    .check = random_shift_check,
    .infer = infer_float,
    .draw = random_shift_draw,
};
