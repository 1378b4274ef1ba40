/* op/intensity/low_resolution.c: low_resolution and its random form: two geometries, one behind the other.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/random.h"
#include "op/spatial/spatial.h"
#include "op/stats.h"

typedef struct low_resolution_args {
    mtm_floats zoom;
    int32_t interp;
} low_resolution_args;

static mtm_status low_resolution_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    double zoom[3];

    return mtm_axis_floats(&((const low_resolution_args *)args)->zoom, "zoom", in, 1, zoom, err);
}

/* One axis of n_out voxels from n_in, the whole of it, without antialiasing. */
static mtm_resample_axis whole_axis(mtm_filter filter, int64_t n_in, int64_t n_out)
{
    return (mtm_resample_axis){.filter = filter,
                               .in_size = n_in,
                               .n_out = n_out,
                               .count = n_out,
                               .step = 1,
                               .scale = (double)n_in / (double)n_out};
}

static void resample(mtm_geometry *g, const mtm_spec *from, const int64_t to[3], mtm_filter filter)
{
    mtm_geometry_identity(g, from);
    g->kind = MTM_GEOMETRY_RESAMPLE;
    for (int i = 0; i < 3; i++) {
        g->out_size[i] = to[i];
        g->axis[i] = whole_axis(filter, from->size[i], to[i]);
    }
}

/* Back to the size that it had, by B-splines of order 3. */
static void enlarge_cubic(mtm_geometry *g, const mtm_spec *from, const int64_t to[3])
{
    double m[12] = {0};

    for (int i = 0; i < 3; i++) /* row 0 is x, axis 2 */
        m[5 * i] = (double)from->size[2 - i] / (double)to[2 - i];
    mtm_geometry_affine(g, from, to, m, MTM_CUBIC, MTM_EDGE, 0);
}

static mtm_status enlarge(mtm_exec *x, const mtm_spec *small_spec, const mtm_array *small, mtm_interp interp,
                          mtm_array *out, mtm_error *err)
{
    const int64_t origin[3] = {0};
    const mtm_stats_request range = {.flags = MTM_STAT_RANGE};
    mtm_pointwise p = {0};
    mtm_geometry g;
    mtm_stats st;

    if (interp != MTM_CUBIC) {
        resample(&g, small_spec, out->shape + 1,
                 interp == MTM_LINEAR ? MTM_FILTER_LINEAR : MTM_FILTER_NEAREST);
        return mtm_geometry_run(x, &g, small, origin, false, NULL, out, err);
    }
    MTM_TRY(mtm_op_stats(x, small, &range, &st, err));
    p.steps[p.n++] =
        (mtm_step){.kind = MTM_STEP_CLAMP, .channel = -1, .a = (float)st.min, .b = (float)st.max};
    enlarge_cubic(&g, small_spec, out->shape + 1);
    return mtm_geometry_run(x, &g, small, origin, false, &p, out, err);
}

static mtm_status low_resolution_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                                     mtm_array *out, mtm_error *err)
{
    const low_resolution_args *const a = args;
    const int64_t origin[3] = {0};
    int64_t shape[4] = {spec->channels};
    mtm_spec small_spec = *spec;
    mtm_geometry g;
    mtm_array small;
    double zoom[3];
    void *memory;
    mtm_status s;

    MTM_TRY(mtm_axis_floats(&a->zoom, "zoom", spec, 1, zoom, err));
    if (spec->label)
        return mtm_array_convert(out, in, 1, 0, x->pool, err);
    for (int i = 0; i < 3; i++)
        small_spec.size[i] = shape[i + 1] = mtm_max_i64(1, llrint((double)spec->size[i] * zoom[i]));
    small_spec.dtype = MTM_F32, small_spec.has_affine = false;
    MTM_TRY(mtm_scratch_borrow(x, (size_t)(shape[0] * shape[1] * shape[2] * shape[3]) * sizeof(float),
                               &memory, err));
    small = mtm_array_wrap(memory, MTM_F32, 4, shape);
    resample(&g, spec, small_spec.size, MTM_FILTER_NEAREST);
    s = mtm_geometry_run(x, &g, in, origin, false, NULL, &small, err);
    if (s == MTM_OK)
        s = enlarge(x, &small_spec, &small, (mtm_interp)a->interp, out, err);
    mtm_scratch_return(x, memory);
    return s;
}

#define INTERP_PARAM(args)                                                                                   \
    {"interp",                                                                                               \
     MTM_PARAM_CHOICE,                                                                                       \
     offsetof(args, interp),                                                                                 \
     "linear",                                                                                               \
     0,                                                                                                      \
     0,                                                                                                      \
     MTM_INTERP_CHOICES,                                                                                     \
     "",                                                                                                     \
     "How it is enlarged again; cubic: B-spline of order 3, clipped to the small image's range."}

static const mtm_param low_resolution_params[] = {
    {"zoom", MTM_PARAM_FLOATS, offsetof(low_resolution_args, zoom), NULL, 1e-3, 1, NULL, "",
     "Factor of the size in between, one for all spatial axes or one each."},
    INTERP_PARAM(low_resolution_args),
};

const mtm_op mtm_op_low_resolution = {
    .name = "low_resolution",
    .doc = "Make the image as coarse as if it had been taken at a lower resolution.\n"
           "\n"
           "Each axis of n voxels is sampled by nearest neighbour to max(1, round half even(n * zoom)), "
           "without\n"
           "antialiasing, and enlarged to n again, both with half-pixel centres: batchgenerators'\n"
           "SimulateLowResolutionTransform (nnU-Net), with interp='cubic' its orders 0 and 3 by\n"
           "scikit-image's resize; with 'linear' as batchgeneratorsv2 and MONAI's RandSimulateLowResolution\n"
           "(nearest-exact, then trilinear). Gives float32; label maps stay as they are.",
    .kind = MTM_OP_FILTER,
    .params = low_resolution_params,
    .n_params = MTM_COUNT(low_resolution_params),
    .args_bytes = sizeof(low_resolution_args),
    .infer = low_resolution_infer,
    .run = low_resolution_run,
};

typedef struct random_low_resolution_args {
    mtm_random_head head;
    mtm_floats zoom;
    int32_t interp;
} random_low_resolution_args;

static const mtm_param random_low_resolution_params[] = {
    {"zoom", MTM_PARAM_FLOATS, offsetof(random_low_resolution_args, zoom), "(0.5, 1)", 1e-3, 1, NULL, "",
     "Factor of the size in between on every spatial axis, or its range."},
    MTM_RANDOM_PARAMS(random_low_resolution_args, "0.5"),
    INTERP_PARAM(random_low_resolution_args),
};

const mtm_op mtm_op_random_low_resolution = {
    .name = "random_low_resolution",
    .doc = "Make the image coarser by a random factor, with probability p.\n"
           "\n"
           "As low_resolution; a pair (low, high) is drawn uniformly, one number is fixed. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_low_resolution_params,
    .n_params = MTM_COUNT(random_low_resolution_params),
    .args_bytes = sizeof(random_low_resolution_args),
    .target = &mtm_op_low_resolution,
};
