/* op/blur.c: gaussian blur of whole pictures, cut into pieces for the pool.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/blur.h"

#include "base/size.h"
#include "kernel/convolve.h"

/* A run over all channels, cut into pieces of plan.rows rows. */
typedef struct blur_job {
    const mtm_convolve_kernels *kernels;
    mtm_convolve_plan plan;
    const mtm_array *in;
    mtm_array out;        /* float32, X contiguous */
    const float *sharpen; /* its amount, or NULL */
    int64_t pieces;       /* per channel */
    char *scratch;        /* one part for each worker, found by `taken` */
    size_t part_bytes;
    atomic_bool *taken;
    int workers;
} blur_job;

static int take_part(blur_job *j)
{
    for (int i = 0;; i = (i + 1) % j->workers)
        if (!atomic_exchange_explicit(&j->taken[i], true, memory_order_acquire))
            return i;
}

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
    const int part = take_part(j);

    for (int64_t i = lo; i < hi; i++) {
        const int64_t channel = i / j->pieces, y0 = i % j->pieces * j->plan.rows;
        const mtm_convolve_source in = {.data = (const char *)j->in->data + channel * j->in->stride[0],
                                        .dtype = j->in->dtype,
                                        .stride = {j->in->stride[1], j->in->stride[2], j->in->stride[3]}};

        const int64_t y1 = mtm_min_i64(y0 + j->plan.rows, j->plan.size[1]);

        mtm_convolve_run(j->kernels, &j->plan, &in, y0, y1,
                         (float *)(void *)((char *)j->out.data + channel * j->out.stride[0]),
                         &j->out.stride[1], j->scratch + (size_t)part * j->part_bytes);
        if (j->sharpen)
            sharpen_rows(j, channel, y0, y1);
    }
    atomic_store_explicit(&j->taken[part], false, memory_order_release);
}

/* Runs the job on the pool with memory for its workers. */
static mtm_status blur_run_pieces(mtm_exec *x, blur_job *j, mtm_error *err)
{
    void *scratch;
    mtm_status s;

    /* The caller works too; a pool's thread that waits inside another task may help as well. */
    j->workers = x->pool ? mtm_pool_threads(x->pool) + 1 : 1;
    j->part_bytes = (j->plan.scratch_bytes + 63) & ~(size_t)63;
    MTM_TRY(mtm_scratch_borrow(x, (size_t)j->workers * (j->part_bytes + sizeof(atomic_bool)), &scratch, err));
    j->scratch = scratch;
    j->taken = (atomic_bool *)(void *)(j->scratch + (size_t)j->workers * j->part_bytes);
    for (int i = 0; i < j->workers; i++)
        atomic_init(&j->taken[i], false);
    s = mtm_pool_for(x->pool, j->in->shape[0] * j->pieces, 1, blur_pieces, j, x->cancel, err);
    mtm_scratch_return(x, scratch);
    return s;
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
    s = blur_run_pieces(x, &j, err);
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
