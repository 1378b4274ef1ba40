/* op/blur.c: gaussian blur of whole pictures, cut into pieces for the pool.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/blur.h"

#include "base/size.h"
#include "kernel/convolve.h"
#include "op/parts.h"

/* A run over all channels, cut into pieces of plan.rows rows. */
typedef struct blur_job {
    const mtm_convolve_kernels *kernels;
    mtm_convolve_plan plan;
    const mtm_array *in;
    mtm_array out;        /* float32, X contiguous */
    const float *sharpen; /* its amount, or NULL */
    int64_t pieces;       /* per channel */
    mtm_parts parts;
} blur_job;

/* out := in + amount · (in − out) for rows [y0, y1) of every slice. */
static void sharpen_rows(const blur_job *j, int64_t channel, int64_t y0, int64_t y1)
{
    const float amount = *j->sharpen;

    for (int64_t z = 0; z < j->in->shape[1]; z++)
        for (int64_t y = y0; y < y1; y++) {
            const float *const a =
                (const float *)(const void *)((const char *)j->in->data + channel * j->in->stride[0] +
                                              z * j->in->stride[1] + y * j->in->stride[2]);
            float *const b = (float *)(void *)((char *)j->out.data + channel * j->out.stride[0] +
                                               z * j->out.stride[1] + y * j->out.stride[2]);

            for (int64_t i = 0; i < j->in->shape[3]; i++)
                b[i] = a[i] + amount * (a[i] - b[i]);
        }
}

static void blur_pieces(void *arg, int64_t lo, int64_t hi)
{
    blur_job *const j = arg;
    void *const scratch = mtm_part_take(&j->parts);

    for (int64_t i = lo; i < hi; i++) {
        const int64_t channel = i / j->pieces, y0 = i % j->pieces * j->plan.rows;
        const mtm_convolve_source in = {.data = (const char *)j->in->data + channel * j->in->stride[0],
                                        .dtype = j->in->dtype,
                                        .stride = {j->in->stride[1], j->in->stride[2], j->in->stride[3]}};

        const int64_t y1 = mtm_min_i64(y0 + j->plan.rows, j->plan.size[1]);

        mtm_convolve_run(j->kernels, &j->plan, &in, y0, y1,
                         (float *)(void *)((char *)j->out.data + channel * j->out.stride[0]),
                         &j->out.stride[1], scratch);
        if (j->sharpen)
            sharpen_rows(j, channel, y0, y1);
    }
    mtm_part_give(&j->parts, scratch);
}

/* Weights of the three axes, in one piece of scratch. */
static mtm_status make_axes(mtm_exec *x, const double sigma[3], const int32_t radius[3],
                            mtm_convolve_axis axis[3], void **weights, mtm_error *err)
{
    size_t n = 0;
    float *w;

    for (int i = 0; i < 3; i++) {
        axis[i].radius = radius[i];
        n += (size_t)axis[i].radius + 1;
    }
    MTM_TRY(mtm_scratch_borrow(x, n * sizeof *w, weights, err));
    w = *weights;
    for (int i = 0; i < 3; i++) {
        mtm_gaussian_weights(sigma[i], axis[i].radius, w);
        axis[i].weight = w;
        w += axis[i].radius + 1;
    }
    return MTM_OK;
}

static mtm_status run_filter(mtm_exec *x, const double sigma[3], const int32_t radius[3],
                             const float *sharpen, const mtm_array *in, const mtm_array *out, mtm_error *err)
{
    const mtm_convolve_source source = {.dtype = in->dtype,
                                        .stride = {in->stride[1], in->stride[2], in->stride[3]}};
    blur_job j = {.kernels = &x->kernels.convolve, .in = in, .out = *out, .sharpen = sharpen};
    mtm_convolve_axis axis[3];
    void *weights;
    mtm_status s;

    MTM_TRY(make_axes(x, sigma, radius, axis, &weights, err));
    mtm_convolve_plan_make(&j.plan, in->shape + 1, axis, &source);
    j.pieces = (in->shape[2] + j.plan.rows - 1) / j.plan.rows;
    s = mtm_parts_borrow(x, &j.parts, j.plan.scratch_bytes, err);
    if (s == MTM_OK) {
        s = mtm_pool_for(x->pool, in->shape[0] * j.pieces, 1, blur_pieces, &j, x->cancel, err);
        mtm_scratch_return(x, j.parts.memory);
    }
    mtm_scratch_return(x, weights);
    return s;
}

mtm_status mtm_blur_floats(mtm_exec *x, const double sigma[3], const int32_t radius[3], const mtm_array *in,
                           const mtm_array *out, mtm_error *err)
{
    return run_filter(x, sigma, radius, NULL, in, out, err);
}

mtm_status mtm_sharpen_floats(mtm_exec *x, const double sigma[3], const int32_t radius[3], float amount,
                              const mtm_array *in, const mtm_array *out, mtm_error *err)
{
    return run_filter(x, sigma, radius, &amount, in, out, err);
}
