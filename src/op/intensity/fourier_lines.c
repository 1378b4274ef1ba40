/* op/intensity/fourier_lines.c: every line of a picture along one axis through a filter that is a weight per frequency.
 * Two real lines travel as one complex line: with even weights they do not mix.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/intensity/fourier.h"
#include "op/intensity/fourier_parts.h"

enum {
    LINES = 2 * MTM_FFT_LANES, /* real lines in one call */
    WIDE = 4                   /* calls whose lines are read together */
};

typedef struct lines_job {
    const mtm_fft_kernels *kernels;
    mtm_fft_plan plan;
    const float *weight; /* by position, divided by n */
    const mtm_array *in;
    mtm_array out;
    int axis;
    bool add;
    fourier_parts parts; /* WIDE times points, then the transform's scratch */
} lines_job;

static void filter(const lines_job *j, float *points, float *scratch)
{
    j->kernels->forward(&j->plan, points, scratch);
    j->kernels->weigh(points, j->weight, j->plan.n);
    j->kernels->inverse(&j->plan, points, scratch);
}

/* ---- across rows: neighbours in x are neighbours in a point ----------------------------------------------- */

/* Points of up to WIDE blocks of x at once: where planes lie a power of two apart, what a row's first block brings into the
 * cache would be gone before its second. */
static void load_blocks(const lines_job *j, const char *in, int64_t n, float *points)
{
    const int64_t stride = j->in->stride[j->axis + 1], length = j->plan.n * MTM_FFT_FLOATS;

    for (int64_t k = 0; k < j->plan.n; k++)
        for (int64_t x = 0; x < n; x += LINES) {
            const int64_t count = mtm_min_i64(LINES, n - x);
            float *const p = points + x / LINES * length + k * MTM_FFT_FLOATS;

            memcpy(p, in + k * stride + x * (int64_t)sizeof *p, (size_t)count * sizeof *p);
            memset(p + count, 0, (size_t)(LINES - count) * sizeof *p);
        }
}

static void store_blocks(const lines_job *j, const float *points, int64_t n, char *out)
{
    const int64_t stride = j->out.stride[j->axis + 1], length = j->plan.n * MTM_FFT_FLOATS;

    for (int64_t k = 0; k < j->plan.n; k++)
        for (int64_t x = 0; x < n; x += LINES) {
            const int64_t count = mtm_min_i64(LINES, n - x);
            const float *const p = points + x / LINES * length + k * MTM_FFT_FLOATS;
            float *const to = (float *)(void *)(out + k * stride) + x;

            if (!j->add)
                memcpy(to, p, (size_t)count * sizeof *p);
            for (int64_t i = 0; j->add && i < count; i++)
                to[i] += p[i];
        }
}

/* Lines lo … hi − 1 of the planes that the axis spans with x: (channel, place on the third axis). */
static void across(void *arg, int64_t lo, int64_t hi)
{
    lines_job *const j = arg;
    const int other = 1 - j->axis; /* Y for Z, Z for Y */
    const int64_t *const is = j->in->stride, *const os = j->out.stride, width = j->in->shape[3];
    const int64_t length = j->plan.n * MTM_FFT_FLOATS;
    float *const points = fourier_part_take(&j->parts), *const scratch = points + WIDE * length;

    for (int64_t i = lo; i < hi; i++) {
        const int64_t c = i / j->in->shape[other + 1], at = i % j->in->shape[other + 1];
        const char *const in = (const char *)j->in->data + c * is[0] + at * is[other + 1];
        char *const out = (char *)j->out.data + c * os[0] + at * os[other + 1];

        for (int64_t x = 0; x < width; x += WIDE * LINES) {
            const int64_t n = mtm_min_i64(WIDE * LINES, width - x);

            load_blocks(j, in + x * 4, n, points);
            for (int64_t b = 0; b * LINES < n; b++)
                filter(j, points + b * length, scratch);
            store_blocks(j, points, n, out + x * 4);
        }
    }
    fourier_part_give(&j->parts, points);
}

/* ---- along rows: 32 rows are turned into lanes ------------------------------------------------------------ */

static float *row(const mtm_array *a, int64_t i)
{
    const int64_t y = i % a->shape[2], z = i / a->shape[2] % a->shape[1], c = i / a->shape[2] / a->shape[1];

    return (float *)(void *)((char *)a->data + c * a->stride[0] + z * a->stride[1] + y * a->stride[2]);
}

/* Groups of rows, never of two channels. */
static void along(void *arg, int64_t lo, int64_t hi)
{
    lines_job *const j = arg;
    const int64_t rows = j->in->shape[1] * j->in->shape[2], groups = (rows + LINES - 1) / LINES,
                  n = j->plan.n;
    float *const points = fourier_part_take(&j->parts), *const scratch = points + WIDE * n * MTM_FFT_FLOATS;

    for (int64_t i = lo; i < hi; i++) {
        const int64_t first = i % groups * LINES, count = mtm_min_i64(LINES, rows - first),
                      base = i / groups * rows + first;

        if (count < LINES)
            memset(points, 0, fourier_points_bytes(n));
        for (int64_t k0 = 0; k0 < n; k0 += MTM_FFT_LANES)
            for (int64_t lane = 0; lane < count; lane++) {
                const float *const src = row(j->in, base + lane);

                for (int64_t k = k0; k < mtm_min_i64(k0 + MTM_FFT_LANES, n); k++)
                    points[k * MTM_FFT_FLOATS + lane] = src[k];
            }
        filter(j, points, scratch);
        for (int64_t k0 = 0; k0 < n; k0 += MTM_FFT_LANES)
            for (int64_t lane = 0; lane < count; lane++) {
                float *const dst = row(&j->out, base + lane);

                for (int64_t k = k0; k < mtm_min_i64(k0 + MTM_FFT_LANES, n); k++)
                    dst[k] = points[k * MTM_FFT_FLOATS + lane] + (j->add ? dst[k] : 0);
            }
    }
    fourier_part_give(&j->parts, points);
}

/* ---- both ------------------------------------------------------------------------------------------------- */

static mtm_status run_lines(mtm_exec *x, lines_job *j, mtm_error *err)
{
    const int64_t *const size = j->in->shape, rows = size[1] * size[2];
    mtm_status s;

    MTM_TRY(fourier_parts_borrow(
        x, &j->parts, WIDE * fourier_points_bytes(j->plan.n) + mtm_fft_scratch_bytes(j->plan.n), err));
    if (j->axis == 2)
        s = mtm_pool_for(x->pool, size[0] * ((rows + LINES - 1) / LINES), 1, along, j, x->cancel, err);
    else
        s = mtm_pool_for(x->pool, size[0] * size[2 - j->axis], 1, across, j, x->cancel, err);
    mtm_scratch_return(x, j->parts.memory);
    return s;
}

mtm_status mtm_fourier_lines(mtm_exec *x, const mtm_array *in, mtm_array *out, int axis, const double *weight,
                             bool add, mtm_error *err)
{
    const int64_t n = in->shape[axis + 1];
    lines_job j = {.kernels = &x->kernels.fft, .in = in, .out = *out, .axis = axis, .add = add};
    void *plan, *memory;
    float *by_position;
    mtm_status s;

    MTM_TRY(fourier_plan_borrow(x, &j.plan, n, &plan, err));
    s = mtm_scratch_borrow(x, (size_t)n * sizeof(float), &memory, err);
    if (s == MTM_OK) {
        by_position = memory;
        for (int64_t i = 0; i < n; i++)
            by_position[i] = (float)(weight[j.plan.frequency[i]] / (double)n);
        j.weight = by_position;
        s = run_lines(x, &j, err);
        mtm_scratch_return(x, memory);
    }
    mtm_scratch_return(x, plan);
    return s;
}
