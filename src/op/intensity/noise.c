/* op/intensity/noise.c: noise other than normal, and the random forms: rician_noise, shot, salt_and_pepper. What is drawn is a
 * function of the seed and of the voxel's number in [C, Z, Y, X] (kernel/noise.h), so it depends on nothing else.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/intensity/intensity.h"
#include "op/random.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

#define SEED_PARAM(args)                                                                                     \
    {"seed",                                                                                                 \
     MTM_PARAM_SEED,                                                                                         \
     offsetof(args, seed),                                                                                   \
     "0",                                                                                                    \
     0,                                                                                                      \
     0,                                                                                                      \
     NULL,                                                                                                   \
     "",                                                                                                     \
     "The noise is a function of this number and the voxel's place."}

/* ---- rician_noise --------------------------------------------------------------------------------------- */

typedef struct rician_noise_args {
    double sigma;
    uint64_t seed;
} rician_noise_args;

static mtm_status rician_noise_steps(const void *args, const mtm_spec *in, const mtm_stats *st,
                                     mtm_pointwise *p, mtm_error *err)
{
    const rician_noise_args *const a = args;
    const mtm_step s = {.kind = MTM_STEP_RICIAN,
                        .channel = MTM_ALL_CHANNELS,
                        .a = (float)a->sigma,
                        .seed = a->seed,
                        .stream = {0x72696369, 0, 0}}; /* "rici" */

    return mtm_pointwise_add(p, &s, err);
}

static const mtm_param rician_noise_params[] = {
    {"sigma", MTM_PARAM_FLOAT, offsetof(rician_noise_args, sigma), NULL, 0, 1e18, NULL, "",
     "Standard deviation of the noise in the real and in the imaginary part."},
    SEED_PARAM(rician_noise_args),
};

const mtm_op mtm_op_rician_noise = {
    .name = "rician_noise",
    .doc = "Make the noise of a magnitude image of magnetic resonance.\n"
           "\n"
           "sqrt((x + n1)^2 + n2^2) with independent normal n1, n2 of standard deviation sigma\n"
           "(Gudbjartsson, Patz: The Rician distribution of noisy MRI data, MRM 1995), as MONAI's\n"
           "RandRicianNoise. Numbers as in gaussian_noise: the same bits for any number of threads, any\n"
           "strides and any CPU. NaN stays. Any shape; gives float32.",
    .kind = MTM_OP_POINTWISE,
    .params = rician_noise_params,
    .n_params = COUNT(rician_noise_params),
    .args_bytes = sizeof(rician_noise_args),
    .steps = rician_noise_steps,
};

typedef struct random_rician_noise_args {
    mtm_random_head head;
    mtm_floats sigma;
} random_rician_noise_args;

static const mtm_param random_rician_noise_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(random_rician_noise_args, sigma), "(0, 0.1)", 0, 1e18, NULL, "",
     "Standard deviation of the noise in both parts, or its range."},
    MTM_RANDOM_PARAMS(random_rician_noise_args, "0.5"),
};

const mtm_op mtm_op_random_rician_noise = {
    .name = "random_rician_noise",
    .doc = "Make the noise of a magnitude image, of a random strength, with probability p.\n"
           "\n"
           "As rician_noise; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_rician_noise_params,
    .n_params = COUNT(random_rician_noise_params),
    .args_bytes = sizeof(random_rician_noise_args),
    .target = &mtm_op_rician_noise,
};

/* ---- shot ----------------------------------------------------------------------------------------------- */

typedef struct shot_args {
    double factor;
    uint64_t seed;
} shot_args;

static mtm_status shot_steps(const void *args, const mtm_spec *in, const mtm_stats *st, mtm_pointwise *p,
                             mtm_error *err)
{
    const shot_args *const a = args;
    const mtm_step s = {.kind = MTM_STEP_SHOT,
                        .channel = MTM_ALL_CHANNELS,
                        .a = (float)a->factor,
                        .seed = a->seed,
                        .stream = {0x73686F74, 0, 0}}; /* "shot" */

    return s.a > 0 ? mtm_pointwise_add(p, &s, err) : MTM_OK;
}

static const mtm_param shot_params[] = {
    {"factor", MTM_PARAM_FLOAT, offsetof(shot_args, factor), "20", 0, 1e18, NULL, "",
     "How much one event adds to the value; 0 leaves the image as it is."},
    SEED_PARAM(shot_args),
};

const mtm_op mtm_op_shot = {
    .name = "shot",
    .doc =
        "Count events instead of their expectation: shot noise.\n"
        "\n"
        "factor * Poisson(max(x / factor, 0)), as DALI's noise.shot: negative values become 0, all others\n"
        "multiples of factor whose mean is x and whose variance is factor * x. Means below 16 events by\n"
        "inversion of a uniform number; larger ones by the quantile's expansion at a normal number\n"
        "(M. B. Giles, Algorithm 955, ACM TOMS 2016), its result rounded down below 2^22 events. The same "
        "bits for any\n"
        "number of threads, any strides and any CPU. NaN and Inf stay. Any shape; gives float32.",
    .kind = MTM_OP_POINTWISE,
    .params = shot_params,
    .n_params = COUNT(shot_params),
    .args_bytes = sizeof(shot_args),
    .steps = shot_steps,
};

typedef struct random_shot_args {
    mtm_random_head head;
    mtm_floats factor;
} random_shot_args;

static const mtm_param random_shot_params[] = {
    {"factor", MTM_PARAM_FLOATS, offsetof(random_shot_args, factor), "(1, 20)", 0, 1e18, NULL, "",
     "How much one event adds to the value, or its range."},
    MTM_RANDOM_PARAMS(random_shot_args, "0.5"),
};

const mtm_op mtm_op_random_shot = {
    .name = "random_shot",
    .doc = "Make shot noise of a random strength, with probability p.\n"
           "\n"
           "As shot; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_shot_params,
    .n_params = COUNT(random_shot_params),
    .args_bytes = sizeof(random_shot_args),
    .target = &mtm_op_shot,
};

/* ---- salt_and_pepper ------------------------------------------------------------------------------------ */

typedef struct salt_and_pepper_args {
    double p, salt_vs_pepper;
    mtm_floats salt, pepper;
    uint64_t seed;
} salt_and_pepper_args;

static mtm_status check_value(const mtm_floats *v, const char *name, mtm_error *err)
{
    if (v->n > 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s is one number or None, not %d numbers", name, (int)v->n);
    return MTM_OK;
}

static mtm_status salt_and_pepper_check(const void *args, mtm_error *err)
{
    const salt_and_pepper_args *const a = args;

    MTM_TRY(check_value(&a->salt, "salt", err));
    return check_value(&a->pepper, "pepper", err);
}

static void salt_and_pepper_stats(const void *args, mtm_stats_request *r)
{
    const salt_and_pepper_args *const a = args;

    r->flags = a->salt.n && a->pepper.n ? 0 : MTM_STAT_RANGE;
}

static mtm_status salt_and_pepper_steps(const void *args, const mtm_spec *in, const mtm_stats *st,
                                        mtm_pointwise *p, mtm_error *err)
{
    const salt_and_pepper_args *const a = args;
    const mtm_step s = {.kind = MTM_STEP_SALT_PEPPER,
                        .channel = MTM_ALL_CHANNELS,
                        .a = (float)(a->p * a->salt_vs_pepper),
                        .b = (float)a->p,
                        .c = (float)(a->salt.n ? a->salt.v[0] : st->max),
                        .d = (float)(a->pepper.n ? a->pepper.v[0] : st->min),
                        .seed = a->seed,
                        .stream = {0x73616C74, 0, 0}}; /* "salt" */

    return mtm_pointwise_add(p, &s, err);
}

#define SALT_AND_PEPPER_VALUES(args)                                                                         \
    {"salt_vs_pepper",                                                                                       \
     MTM_PARAM_FLOAT,                                                                                        \
     offsetof(args, salt_vs_pepper),                                                                         \
     "0.5",                                                                                                  \
     0,                                                                                                      \
     1,                                                                                                      \
     NULL,                                                                                                   \
     "",                                                                                                     \
     "Share of the changed voxels that become salt."},                                                       \
        {"salt",                                                                                             \
         MTM_PARAM_FLOATS,                                                                                   \
         offsetof(args, salt),                                                                               \
         "None",                                                                                             \
         0,                                                                                                  \
         0,                                                                                                  \
         NULL,                                                                                               \
         "",                                                                                                 \
         "Value of salt; None: the greatest of the image."},                                                 \
        {"pepper",                                                                                           \
         MTM_PARAM_FLOATS,                                                                                   \
         offsetof(args, pepper),                                                                             \
         "None",                                                                                             \
         0,                                                                                                  \
         0,                                                                                                  \
         NULL,                                                                                               \
         "",                                                                                                 \
         "Value of pepper; None: the least of the image."}

static const mtm_param salt_and_pepper_params[] = {
    {"p", MTM_PARAM_FLOAT, offsetof(salt_and_pepper_args, p), "0.05", 0, 1, NULL, "",
     "Probability of a voxel to be changed."},
    SALT_AND_PEPPER_VALUES(salt_and_pepper_args),
    SEED_PARAM(salt_and_pepper_args),
};

const mtm_op mtm_op_salt_and_pepper = {
    .name = "salt_and_pepper",
    .doc =
        "Set some voxels to the greatest or to the least value.\n"
        "\n"
        "Each voxel by itself, channels too: with u uniform in [0, 1), salt where u < p * salt_vs_pepper,\n"
        "pepper where u < p otherwise. As DALI's noise.salt_and_pepper with per_channel, except for the\n"
        "values that stand in when none are given. The same bits for any number of threads, any strides\n"
        "and any CPU. Any shape; gives float32. Errors: no finite voxel where the range is asked for.",
    .kind = MTM_OP_POINTWISE,
    .params = salt_and_pepper_params,
    .n_params = COUNT(salt_and_pepper_params),
    .args_bytes = sizeof(salt_and_pepper_args),
    .check = salt_and_pepper_check,
    .stats = salt_and_pepper_stats,
    .steps = salt_and_pepper_steps,
};

/* ---- random_salt_and_pepper: p is whether it acts, so the share of voxels has another name ---------------- */

typedef struct random_salt_and_pepper_args {
    mtm_random_head head;
    mtm_floats share, salt, pepper;
    double salt_vs_pepper;
} random_salt_and_pepper_args;

static mtm_status random_salt_and_pepper_check(const void *args, mtm_error *err)
{
    const random_salt_and_pepper_args *const a = args;

    MTM_TRY(mtm_range_check(&a->share, "share", err));
    MTM_TRY(check_value(&a->salt, "salt", err));
    return check_value(&a->pepper, "pepper", err);
}

static mtm_status random_salt_and_pepper_draw(const void *args, mtm_draw *d, const mtm_spec *in,
                                              const mtm_op **target, void *target_args, mtm_error *err)
{
    const random_salt_and_pepper_args *const a = args;
    const bool acts = mtm_rng_uniform(&d->rng) < a->head.p;
    salt_and_pepper_args *const t = target_args;

    *t = (salt_and_pepper_args){.salt_vs_pepper = a->salt_vs_pepper, .salt = a->salt, .pepper = a->pepper};
    t->p = mtm_range_draw(d, &a->share);
    t->seed = mtm_rng_u64(&d->rng);
    *target = acts ? &mtm_op_salt_and_pepper : NULL;
    return MTM_OK;
}

static const mtm_param random_salt_and_pepper_params[] = {
    {"share", MTM_PARAM_FLOATS, offsetof(random_salt_and_pepper_args, share), "(0, 0.05)", 0, 1, NULL, "",
     "Probability of a voxel to be changed (salt_and_pepper's p), or its range."},
    MTM_RANDOM_PARAMS(random_salt_and_pepper_args, "0.5"),
    SALT_AND_PEPPER_VALUES(random_salt_and_pepper_args),
};

const mtm_op mtm_op_random_salt_and_pepper = {
    .name = "random_salt_and_pepper",
    .doc = "Set a random share of the voxels to the greatest or to the least value, with probability p.\n"
           "\n"
           "As salt_and_pepper; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_salt_and_pepper_params,
    .n_params = COUNT(random_salt_and_pepper_params),
    .args_bytes = sizeof(random_salt_and_pepper_args),
    .check = random_salt_and_pepper_check,
    .target = &mtm_op_salt_and_pepper,
    .draw = random_salt_and_pepper_draw,
};
