/* op/intensity/median.c: median and its random form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/median.h"
#include "op/intensity/plain.h"
#include "op/parts.h"
#include "op/random.h"
#include "op/spatial/spatial.h"

enum { MAX_RADIUS = 127 };

typedef struct median_args {
    mtm_ints radius;
} median_args;

static mtm_status radius_of(const void *args, const mtm_spec *in, int64_t radius[3], mtm_error *err)
{
    int64_t box = 1;

    MTM_TRY(mtm_axis_ints(&((const median_args *)args)->radius, "radius", in, 0, radius, err));
    for (int i = 0; i < 3; i++)
        box *= 2 * radius[i] + 1;
    if (box > MTM_MEDIAN_BOX)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "radius: a box of %" PRId64 " x %" PRId64 " x %" PRId64 " has more than %d voxels",
                        2 * radius[0] + 1, 2 * radius[1] + 1, 2 * radius[2] + 1, MTM_MEDIAN_BOX);
    return MTM_OK;
}

/* What is too large in a plane already; one number is at least a square's. */
static mtm_status median_check(const void *args, mtm_error *err)
{
    const mtm_ints *const r = &((const median_args *)args)->radius;
    int64_t box = r->n == 1 ? 2 * r->v[0] + 1 : 1;

    MTM_TRY(mtm_axis_count(r->n, "radius", err));
    for (int32_t i = 0; i < r->n; i++)
        box *= 2 * r->v[i] + 1;
    if (box > MTM_MEDIAN_BOX)
        return mtm_fail(err, MTM_E_INVAL, -1, "radius: a box of %" PRId64 " voxels has more than %d", box,
                        MTM_MEDIAN_BOX);
    return MTM_OK;
}

static mtm_status median_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    int64_t radius[3];

    return radius_of(args, in, radius, err);
}

typedef struct median_job {
    const mtm_median_kernels *kernels;
    mtm_median_plan plan;
    mtm_parts parts;
    mtm_array in, out;          /* float32, rows contiguous */
    int64_t tiles[3], each_all; /* of an axis, of a channel */
} median_job;

static void median_tiles(void *arg, int64_t lo, int64_t hi)
{
    median_job *const j = arg;
    void *const scratch = mtm_part_take(&j->parts);

    for (int64_t i = lo; i < hi; i++) {
        const int64_t channel = i / j->each_all, tile = i % j->each_all;
        const int64_t start[3] = {tile / (j->tiles[1] * j->tiles[2]) * j->plan.tile[0],
                                  tile / j->tiles[2] % j->tiles[1] * j->plan.tile[1],
                                  tile % j->tiles[2] * j->plan.tile[2]};

        mtm_median_tile(j->kernels, &j->plan,
                        (const float *)(const void *)((const char *)j->in.data + channel * j->in.stride[0]),
                        &j->in.stride[1], start,
                        (float *)(void *)((char *)j->out.data + channel * j->out.stride[0]),
                        &j->out.stride[1], scratch);
    }
    mtm_part_give(&j->parts, scratch);
}

static mtm_status median_floats(mtm_exec *x, const int64_t radius[3], const mtm_array *in,
                                const mtm_array *out, mtm_error *err)
{
    median_job j = {.kernels = &x->kernels.median, .in = *in, .out = *out, .each_all = 1};
    mtm_status s;

    mtm_median_plan_make(&j.plan, in->shape + 1, radius);
    for (int i = 0; i < 3; i++) {
        j.tiles[i] = (in->shape[1 + i] + j.plan.tile[i] - 1) / j.plan.tile[i];
        j.each_all *= j.tiles[i];
    }
    MTM_TRY(mtm_parts_borrow(x, &j.parts, j.plan.scratch_bytes, err));
    s = mtm_pool_for(x->pool, in->shape[0] * j.each_all, 1, median_tiles, &j, x->cancel, err);
    mtm_scratch_return(x, j.parts.memory);
    return s;
}

static mtm_status median_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                             mtm_array *out, mtm_error *err)
{
    mtm_plain from, to;
    int64_t radius[3];
    mtm_status s;

    MTM_TRY(radius_of(args, spec, radius, err));
    if (spec->label)
        return mtm_array_convert(out, in, 1, 0, x->pool, err);
    MTM_TRY(mtm_plain_in(x, &from, in, err));
    s = mtm_plain_out(x, &to, out, err);
    if (s == MTM_OK) {
        s = median_floats(x, radius, &from.a, &to.a, err);
        s = mtm_plain_store(x, &to, out, s, err);
    }
    mtm_scratch_return(x, from.memory);
    return s;
}

static const mtm_param median_params[] = {
    {"radius", MTM_PARAM_INTS, offsetof(median_args, radius), "1", 0, MAX_RADIUS, NULL, "voxels",
     "Half the box without its middle, one for all spatial axes or one each; 0 leaves an axis out."},
};

const mtm_op mtm_op_median = {
    .name = "median",
    .doc = "Replace every voxel by the median of the box around it.\n"
           "\n"
           "A box of 2 * radius + 1 voxels on each axis and of at most 32768 in all, the border reflected:\n"
           "SciPy's median_filter(mode='reflect'). NaN counts as greater than every number. Gives float32;\n"
           "label maps stay as they are. Errors: a box that is too large.",
    .kind = MTM_OP_FILTER,
    .params = median_params,
    .n_params = MTM_COUNT(median_params),
    .args_bytes = sizeof(median_args),
    .check = median_check,
    .infer = median_infer,
    .run = median_run,
};

/* ---- random_median: one radius for all axes ------------------------------------------------------------- */

typedef struct random_median_args {
    mtm_random_head head;
    mtm_ints radius;
} random_median_args;

static mtm_status random_median_check(const void *args, mtm_error *err)
{
    return mtm_range_check_ints(&((const random_median_args *)args)->radius, "radius", err);
}

static mtm_status random_median_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                     void *target_args, mtm_error *err)
{
    const random_median_args *const a = args;
    const bool acts = mtm_rng_uniform(&d->rng) < a->head.p;

    *(median_args *)target_args = (median_args){.radius = {.n = 1, .v = {mtm_range_draw_int(d, &a->radius)}}};
    *target = acts ? &mtm_op_median : NULL;
    return MTM_OK;
}

enum { MAX_RANDOM_RADIUS = 15 }; /* 31³ voxels are the most */

static const mtm_param random_median_params[] = {
    {"radius", MTM_PARAM_INTS, offsetof(random_median_args, radius), "1", 0, MAX_RANDOM_RADIUS, NULL,
     "voxels", "Half the box without its middle, on every spatial axis, or its range."},
    MTM_RANDOM_PARAMS(random_median_args, "0.5"),
};

const mtm_op mtm_op_random_median = {
    .name = "random_median",
    .doc = "Replace every voxel by the median of a box of random size, with probability p.\n"
           "\n"
           "As median; a pair (low, high) is drawn uniformly, both ends included. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_median_params,
    .n_params = MTM_COUNT(random_median_params),
    .args_bytes = sizeof(random_median_args),
    .target = &mtm_op_median,
    .check = random_median_check,
    .draw = random_median_draw,
};
