/* op/intensity/blur.c: gaussian_blur and its random form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/blur.h"
#include "kernel/convolve.h"
#include "op/exec.h"
#include "op/random.h"
#include "op/spatial/spatial.h"

/* ---- gaussian_blur ------------------------------------------------------------------------------------ */

enum { MAX_SIGMA = 1000 }; /* voxels; 4001 taps */

typedef struct gaussian_blur_args {
    mtm_floats sigma;
} gaussian_blur_args;

static mtm_status blur_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const gaussian_blur_args *const a = args;
    double sigma[3];

    MTM_TRY(mtm_axis_floats(&a->sigma, "sigma", in, 0, sigma, err));
    if (!in->label)
        out->dtype = MTM_F32;
    return MTM_OK;
}

static mtm_status blur_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                           mtm_array *out, mtm_error *err)
{
    const gaussian_blur_args *const a = args;
    double sigma[3];
    int32_t radius[3];
    mtm_array rows;
    void *memory;
    mtm_status s;

    MTM_TRY(mtm_axis_floats(&a->sigma, "sigma", spec, 0, sigma, err));
    if (spec->label)
        return mtm_array_convert(out, in, 1, 0, x->pool, err);
    if (mtm_array_count(in) == 0)
        return MTM_OK;
    for (int i = 0; i < 3; i++)
        radius[i] = mtm_gaussian_radius(sigma[i]);
    if (out->dtype == MTM_F32 && out->stride[3] == (int64_t)sizeof(float))
        return mtm_blur_floats(x, sigma, radius, in, out, err);
    MTM_TRY(mtm_scratch_borrow(x, (size_t)mtm_array_count(in) * sizeof(float), &memory, err));
    rows = mtm_array_wrap(memory, MTM_F32, 4, in->shape);
    s = mtm_blur_floats(x, sigma, radius, in, &rows, err);
    if (s == MTM_OK)
        s = mtm_array_convert(out, &rows, 1, 0, x->pool, err);
    mtm_scratch_return(x, memory);
    return s;
}

static const mtm_param gaussian_blur_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(gaussian_blur_args, sigma), NULL, 0, MAX_SIGMA, NULL, "voxels",
     "Standard deviation, one for all spatial axes or one each; 0 leaves an axis as it is."},
};

const mtm_op mtm_op_gaussian_blur = {
    .name = "gaussian_blur",
    .doc = "Blur with a gaussian.\n"
           "\n"
           "The kernel ends at 4 sigma, the border is reflected: SciPy's gaussian_filter. Gives float32; "
           "label maps stay\n"
           "as they are.",
    .kind = MTM_OP_FILTER,
    .params = gaussian_blur_params,
    .n_params = MTM_COUNT(gaussian_blur_params),
    .args_bytes = sizeof(gaussian_blur_args),
    .infer = blur_infer,
    .run = blur_run,
};

/* ---- random_blur -------------------------------------------------------------------------------------- */

typedef struct random_blur_args {
    mtm_random_head head;
    mtm_floats sigma;
} random_blur_args;

static const mtm_param random_blur_params[] = {
    {"sigma", MTM_PARAM_FLOATS, offsetof(random_blur_args, sigma), "(0.5, 1.5)", 0, MAX_SIGMA, NULL, "voxels",
     "Standard deviation on every spatial axis, or its range."},
    MTM_RANDOM_PARAMS(random_blur_args, "0.5"),
};

const mtm_op mtm_op_random_blur = {
    .name = "random_blur",
    .doc = "Blur with a gaussian of random width, with probability p.\n"
           "\n"
           "As gaussian_blur; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_blur_params,
    .n_params = MTM_COUNT(random_blur_params),
    .args_bytes = sizeof(random_blur_args),
    .target = &mtm_op_gaussian_blur,
};
