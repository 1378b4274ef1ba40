/* op/intensity/sharpen.c: sharpen and its random form. The filter is op/blur.c's; what it takes away is added in its pieces, while
 * they are in the cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/blur.h"

#include "kernel/convolve.h"
#include "op/intensity/plain.h"
#include "op/random.h"
#include "op/spatial/spatial.h"

enum { MAX_SIGMA = 1000 }; /* voxels */

typedef struct sharpen_args {
    mtm_floats sigma;
    double amount;
} sharpen_args;

static mtm_status sharpen_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    double sigma[3];

    return mtm_axis_floats(&((const sharpen_args *)args)->sigma, "sigma", in, 0, sigma, err);
}

static mtm_status sharpen_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                              mtm_array *out, mtm_error *err)
{
    const sharpen_args *const a = args;
    const float amount = (float)a->amount;
    mtm_plain from, to;
    double sigma[3];
    int32_t radius[3];
    mtm_status s;

    MTM_TRY(mtm_axis_floats(&a->sigma, "sigma", spec, 0, sigma, err));
    if (spec->label)
        return mtm_array_convert(out, in, 1, 0, x->pool, err);
    for (int i = 0; i < 3; i++)
        radius[i] = mtm_gaussian_radius(sigma[i]);
    MTM_TRY(mtm_plain_in(x, &from, in, err));
    s = mtm_plain_out(x, &to, out, err);
    if (s == MTM_OK) {
        s = mtm_sharpen_floats(x, sigma, radius, amount, &from.a, &to.a, err);
        s = mtm_plain_store(x, &to, out, s, err);
    }
    mtm_scratch_return(x, from.memory);
    return s;
}

static const mtm_param sharpen_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(sharpen_args, sigma), "1", 0, MAX_SIGMA, NULL, "voxels",
     "Standard deviation of the blur that is taken away, one for all spatial axes or one each."},
    {"amount", MTM_PARAM_FLOAT, offsetof(sharpen_args, amount), "1", 0, 1e6, NULL, "",
     "How much of the difference from the blurred image is added."},
};

const mtm_op mtm_op_sharpen = {
    .name = "sharpen",
    .doc =
        "Sharpen by adding the difference from a blurred image: unsharp masking.\n"
        "\n"
        "x + amount * (x - gaussian_blur(x, sigma)), as scikit-image's unsharp_mask without its clipping;\n"
        "gaussian_blur(sigma1) and then sharpen(sigma2, alpha) is the formula of MONAI's GaussianSharpen.\n"
        "Kernel and border are gaussian_blur's. NaN spreads as far as the kernel. Gives float32; label maps\n"
        "stay as they are.",
    .kind = MTM_OP_FILTER,
    .params = sharpen_params,
    .n_params = MTM_COUNT(sharpen_params),
    .args_bytes = sizeof(sharpen_args),
    .infer = sharpen_infer,
    .run = sharpen_run,
};

typedef struct random_sharpen_args {
    mtm_random_head head;
    mtm_floats sigma, amount;
} random_sharpen_args;

static const mtm_param random_sharpen_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(random_sharpen_args, sigma), "(0.5, 1.5)", 0, MAX_SIGMA, NULL,
     "voxels", "Standard deviation of the blur on every spatial axis, or its range."},
    {"amount", MTM_PARAM_FLOATS, offsetof(random_sharpen_args, amount), "(0.5, 2)", 0, 1e6, NULL, "",
     "How much of the difference is added, or its range."},
    MTM_RANDOM_PARAMS(random_sharpen_args, "0.5"),
};

const mtm_op mtm_op_random_sharpen = {
    .name = "random_sharpen",
    .doc = "Sharpen by a random amount, with probability p.\n"
           "\n"
           "As sharpen; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_sharpen_params,
    .n_params = MTM_COUNT(random_sharpen_params),
    .args_bytes = sizeof(random_sharpen_args),
    .target = &mtm_op_sharpen,
};
