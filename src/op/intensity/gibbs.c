/* op/intensity/gibbs.c: gibbs, the ringing of a k-space that was cut off, and its random form.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/intensity/fourier.h"
#include "op/intensity/rows.h"
#include "op/random.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

typedef struct gibbs_args {
    double alpha;
} gibbs_args;

static mtm_status gibbs_rows(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                             mtm_array *out, mtm_error *err)
{
    const double alpha = ((const gibbs_args *)args)->alpha;
    const int64_t *const n = spec->size;
    const double longest = (double)mtm_max_i64(n[0], mtm_max_i64(n[1], n[2]));

    if (alpha == 0)
        return mtm_array_convert(out, in, 1, 0, x->pool, err);
    return mtm_fourier_sphere(x, in, out, (1 - alpha) * longest * M_SQRT1_2, err);
}

static mtm_status gibbs_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                            mtm_array *out, mtm_error *err)
{
    return mtm_rows_run(x, args, spec, in, out, gibbs_rows, err);
}

static const mtm_param gibbs_params[] = {
    {"alpha", MTM_PARAM_FLOAT, offsetof(gibbs_args, alpha), NULL, 0, 1, NULL, "",
     "How much of k-space is cut off: 0 nothing, 1 all but the mean."},
};

const mtm_op mtm_op_gibbs = {
    .name = "gibbs",
    .doc =
        "Cut k-space off outside a sphere: the ringing along edges of a scan with too few lines (Gibbs).\n"
        "\n"
        "Each channel's discrete Fourier transform is set to zero where sqrt(kz^2 + ky^2 + kx^2) > r,\n"
        "r = (1 - alpha) * max(size) / sqrt(2), frequencies k counted from 0 in both directions, and "
        "transformed back:\n"
        "MONAI's GibbsNoise, but for its sphere, which for even sizes lies half a step off the middle of "
        "k-space, and\n"
        "for alpha 0, which in volumes takes the corners away there and is the identity here. A voxel that "
        "is not finite\n"
        "makes its channel NaN. Any size; gives float32; label maps stay as they are.",
    .kind = MTM_OP_FILTER,
    .params = gibbs_params,
    .n_params = COUNT(gibbs_params),
    .args_bytes = sizeof(gibbs_args),
    .run = gibbs_run,
};

/* ---- random_gibbs ------------------------------------------------------------------------------------- */

typedef struct random_gibbs_args {
    mtm_random_head head;
    mtm_floats alpha;
} random_gibbs_args;

static const mtm_param random_gibbs_params[] = {
    {"alpha", MTM_PARAM_FLOATS, offsetof(random_gibbs_args, alpha), "(0, 0.6)", 0, 1, NULL, "",
     "How much of k-space is cut off, or its range."},
    MTM_RANDOM_PARAMS(random_gibbs_args, "0.5"),
};

const mtm_op mtm_op_random_gibbs = {
    .name = "random_gibbs",
    .doc = "Cut k-space off outside a sphere of random size, with probability p.\n"
           "\n"
           "As gibbs; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_gibbs_params,
    .n_params = COUNT(random_gibbs_params),
    .args_bytes = sizeof(random_gibbs_args),
    .target = &mtm_op_gibbs,
};
