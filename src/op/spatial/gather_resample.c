/* op/spatial/gather_resample.c: gathers by separable filters; kernel/resample.h does the work, slice by slice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "op/spatial/gather.h"

/* Slices that are finished together when they still have to be converted, stepped or shared out: enough that planes which
 * two such groups both need cost little. */
enum { SLICES = 8 };

typedef struct resample_job {
    mtm_gather *j;
    mtm_resample_plan plan;
    mtm_resample_source in; /* channel 0, axes in the kernel's order */
    int axis[3];            /* kernel axis k is input axis axis[k], the last the nearest in memory */
    int out_axis[3];        /* and runs along output axis out_axis[k] */
    int64_t slices, groups; /* per group; groups per channel */
    int64_t grain;          /* groups per piece */
    size_t scratch_bytes, raw_bytes, rows_bytes; /* per piece: of the kernel, copied elements, float32 rows */
    uint8_t *scratch;
} resample_job;

/* The kernel reads rows along its last axis: the one whose voxels lie closest. */
static void order_axes(resample_job *b)
{
    const mtm_gather *const j = b->j;
    int near = 2;

    for (int a = 1; a >= 0; a--) {
        const int64_t s = j->in.stride[a + 1], t = j->in.stride[near + 1];

        if (j->in.shape[a + 1] > 1 && (s < 0 ? -s : s) < (t < 0 ? -t : t))
            near = a;
    }
    b->axis[2] = near;
    b->axis[1] = near == 1 ? 2 : 1;
    b->axis[0] = near == 0 ? 2 : 0;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 3; i++)
            if (j->g->from[i] == b->axis[k])
                b->out_axis[k] = i;
}

static bool copies(const resample_job *b)
{
    return b->plan.nearest && (b->j->label || b->j->in.dtype != MTM_F32);
}

/* One channel's slices [z0, z1) into `to`, whose strides are those of the output's axes. */
static void run_slices(const resample_job *b, int64_t c, int64_t z0, int64_t z1, const mtm_array *to,
                       void *scratch)
{
    mtm_resample_source in = b->in;
    int64_t stride[3];
    uint8_t *first = to->data;

    in.data = (const uint8_t *)in.data + c * b->j->in.stride[0];
    for (int k = 0; k < 3; k++)
        stride[k] = to->stride[b->out_axis[k] + 1];
    first -= z0 * stride[0];
    if (copies(b))
        mtm_resample_nearest(&b->plan, &in, z0, z1, first, stride);
    else
        mtm_resample_run(&b->j->x->kernels.resample, &b->plan, &in, z0, z1, (float *)(void *)first, stride,
                         scratch);
}

static mtm_status resample_group(const resample_job *b, int64_t c, int64_t z0, int64_t z1, uint8_t *scratch,
                                 mtm_error *err)
{
    const mtm_gather *const j = b->j;
    int64_t start[3] = {0}, size[3] = {j->g->out_size[0], j->g->out_size[1], j->g->out_size[2]};

    start[b->out_axis[0]] = z0, size[b->out_axis[0]] = z1 - z0;
    mtm_array out = mtm_gather_part(&j->out, c, 1, start, size);
    const mtm_dtype made = copies(b) ? j->in.dtype : MTM_F32;
    if (made == out.dtype && (!j->steps || mtm_gather_direct(&out))) {
        run_slices(b, c, z0, z1, &out, scratch);
        if (j->steps)
            mtm_gather_steps(j, c, start, &out);
        return MTM_OK;
    }
    mtm_array raw = mtm_array_wrap(scratch + b->scratch_bytes, made, 4, out.shape);
    run_slices(b, c, z0, z1, &raw, scratch);
    if (!j->steps)
        return mtm_array_convert(&out, &raw, 1, 0, NULL, err);
    mtm_array rows = made == MTM_F32
                         ? raw
                         : mtm_array_wrap(scratch + b->scratch_bytes + b->raw_bytes, MTM_F32, 4, out.shape);
    if (made != MTM_F32)
        MTM_TRY(mtm_array_convert(&rows, &raw, 1, 0, NULL, err));
    mtm_gather_steps(j, c, start, &rows);
    return mtm_array_convert(&out, &rows, 1, 0, NULL, err);
}

static void run_groups(void *job, int64_t lo, int64_t hi)
{
    const resample_job *const b = job;
    const int64_t count = b->plan.line[0].count;
    uint8_t *const scratch = b->scratch + lo / b->grain * (b->scratch_bytes + b->raw_bytes + b->rows_bytes);
    mtm_error err = {0};

    for (int64_t k = lo; k < hi; k++) {
        const int64_t z = k % b->groups * b->slices;

        mtm_gather_note(b->j,
                        resample_group(b, k / b->groups, z, mtm_min_i64(z + b->slices, count), scratch, &err),
                        &err);
    }
}

/* Plans into *tables (scratch memory). */
static mtm_status plan(resample_job *b, void **tables, mtm_error *err)
{
    const mtm_gather *const j = b->j;
    mtm_resample_axis axis[3];
    size_t bytes;

    order_axes(b);
    b->in = (mtm_resample_source){.data = j->in.data, .dtype = j->in.dtype};
    for (int k = 0; k < 3; k++) {
        axis[k] = j->g->axis[b->axis[k]];
        if (j->label)
            axis[k].filter = MTM_FILTER_NEAREST;
        b->in.stride[k] = j->in.stride[b->axis[k] + 1];
        b->in.start[k] = j->in_start[b->axis[k]];
    }
    MTM_TRY(mtm_resample_plan_bytes(axis, &bytes, err));
    MTM_TRY(mtm_scratch_borrow(j->x, bytes, tables, err));
    mtm_resample_plan_make(&b->plan, axis, &b->in, *tables);
    return MTM_OK;
}

static size_t round_64(uint64_t bytes)
{
    return (size_t)((bytes + 63) & ~(uint64_t)63);
}

/* How the slices are shared out, and what each piece needs. */
static mtm_status divide(resample_job *b, mtm_error *err)
{
    const mtm_gather *const j = b->j;
    const int64_t count = b->plan.line[0].count, pieces = j->x->pool ? mtm_pool_threads(j->x->pool) : 1;
    const mtm_dtype made = copies(b) ? j->in.dtype : MTM_F32;
    const bool direct = made == j->out.dtype && (!j->steps || mtm_gather_direct(&j->out));
    uint64_t voxels;

    b->slices = direct && !j->steps && pieces == 1 ? count : mtm_min_i64(SLICES, count);
    b->groups = (count + b->slices - 1) / b->slices;
    b->grain = (b->groups * j->out.shape[0] + pieces - 1) / pieces;
    b->scratch_bytes = round_64(copies(b) ? 0 : b->plan.scratch_bytes);
    if (!direct) {
        const int64_t shape[3] = {b->slices, b->plan.line[1].count, b->plan.line[2].count};

        MTM_TRY(mtm_extent_bytes(&voxels, 3, shape, 1, INT64_MAX / 64, "the slices in work", err));
        b->raw_bytes = round_64(voxels * mtm_dtype_size(made));
        b->rows_bytes = j->steps && made != MTM_F32 ? round_64(voxels * 4) : 0;
    }
    return MTM_OK;
}

mtm_status mtm_gather_resample(mtm_gather *j, mtm_error *err)
{
    resample_job b = {.j = j};
    void *tables = NULL, *scratch = NULL;
    mtm_status s = plan(&b, &tables, err);

    if (s == MTM_OK)
        s = divide(&b, err);
    if (s == MTM_OK) {
        const int64_t n = b.groups * j->out.shape[0], pieces = (n + b.grain - 1) / b.grain;

        s = mtm_scratch_borrow(j->x, (size_t)pieces * (b.scratch_bytes + b.raw_bytes + b.rows_bytes),
                               &scratch, err);
        b.scratch = scratch;
        if (s == MTM_OK)
            s = mtm_gather_pieces(j, n, b.grain, run_groups, &b, err);
    }
    mtm_scratch_return(j->x, scratch);
    mtm_scratch_return(j->x, tables);
    return s;
}
