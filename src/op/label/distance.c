/* op/label/distance.c: the exact Euclidean distance transform, one axis after the other: rows by their runs, then for every
 * voxel the best of its column, then of its line along z (Saito & Toriwaki 1994), 16 lines at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "op/label/label.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

enum { LANES = MTM_DISTANCE_LANES, MOST_VOXELS = 1 << 23 };

typedef struct distance_transform_args {
    mtm_floats sampling;
    int64_t background;
} distance_transform_args;

static mtm_status distance_transform_check(const void *args, mtm_error *err)
{
    const distance_transform_args *const a = args;

    for (int32_t i = 0; i < a->sampling.n; i++)
        if (!(a->sampling.v[i] > 0))
            return mtm_fail(err, MTM_E_INVAL, -1, "sampling has %g; spacings are above 0", a->sampling.v[i]);
    return MTM_OK;
}

/* The spacing of Z, Y, X. */
static mtm_status spacing_of(const distance_transform_args *a, const mtm_spec *in, double s[3],
                             mtm_error *err)
{
    const int32_t skip = 3 - in->spatial;

    s[0] = s[1] = s[2] = 1;
    if (a->sampling.n > 1 && a->sampling.n != in->spatial)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "sampling has %d numbers; 1 or %d (one per spatial axis) are wanted", a->sampling.n,
                        in->spatial);
    for (int32_t i = 0; a->sampling.n && i < in->spatial; i++)
        s[i + skip] = a->sampling.v[a->sampling.n == 1 ? 0 : i];
    return MTM_OK;
}

static mtm_status distance_transform_infer(const void *args, const mtm_spec *in, mtm_spec *out,
                                           mtm_error *err)
{
    double s[3];

    MTM_TRY(mtm_label_check(in, err));
    MTM_TRY(spacing_of(args, in, s, err));
    for (int i = 0; i < 3; i++)
        if (in->size[i] > MOST_VOXELS)
            return mtm_fail(err, MTM_E_LIMIT, -1, "an axis of %" PRId64 " voxels", in->size[i]);
    out->dtype = MTM_F32;
    return MTM_OK;
}

/* ---- along x ------------------------------------------------------------------------------------------ */

typedef struct row_job {
    const mtm_label_kernels *k;
    mtm_label_rows rows;
    bool has_background;
    uint64_t background;
    uint8_t *mask;
    int32_t *at;
    double step; /* spacing of x */
} row_job;

static void row_job_close(row_job *j)
{
    mtm_label_rows_close(&j->rows);
    mtm_free(j->mask);
    mtm_free(j->at);
}

static float squared(const row_job *j, int64_t d)
{
    const double x = (double)d * j->step;

    return (float)(x * x);
}

/* Squared distances in the foreground run [lo, hi) of a row: to the background on either side, where there is one. */
static void run_distances(const row_job *j, float *out, int64_t lo, int64_t hi)
{
    const int64_t width = j->rows.width, middle = lo == 0 ? lo : hi == width ? hi : lo + (hi - lo) / 2;

    for (int64_t x = lo; x < hi && lo == 0 && hi == width; x++)
        out[x] = INFINITY;
    for (int64_t x = lo; x < middle; x++)
        out[x] = squared(j, x - lo + 1);
    for (int64_t x = middle; x < hi && hi < width; x++)
        out[x] = squared(j, hi - x);
}

static mtm_status row_distances(row_job *j, int64_t row, float *out, mtm_error *err)
{
    const int64_t width = j->rows.width;
    const void *x;
    size_t n;

    MTM_TRY(mtm_label_rows_get(&j->rows, row, &x, err));
    if (j->has_background)
        j->k->differs[mtm_label_rows_log2(&j->rows)](j->mask, x, j->background, (size_t)width);
    n = j->k->changes[0](j->at, j->mask, (size_t)width);
    j->at[n] = (int32_t)width;
    for (size_t i = 0; i <= n; i++) {
        const int64_t lo = i ? j->at[i - 1] : 0, hi = j->at[i];

        if (j->mask[lo])
            run_distances(j, out, lo, hi);
        else
            memset(out + lo, 0, (size_t)(hi - lo) * sizeof *out);
    }
    return MTM_OK;
}

static mtm_status along_x(mtm_exec *x, const distance_transform_args *a, double step, const mtm_array *in,
                          const mtm_array *out, mtm_error *err)
{
    __attribute__((cleanup(row_job_close))) row_job j = {.k = &x->kernels.label, .step = step};
    const size_t width = (size_t)in->shape[2];

    MTM_TRY(mtm_label_rows_open(&j.rows, in, err));
    j.has_background = mtm_label_rows_bits(&j.rows, a->background, &j.background);
    j.mask = mtm_alloc(width);
    j.at = mtm_alloc((width + 1) * sizeof *j.at);
    if (!j.mask || !j.at)
        return MTM_NOMEM(err);
    memset(j.mask, 1, width);
    for (int64_t row = 0; row < in->shape[0] * in->shape[1]; row++)
        MTM_TRY(row_distances(&j, row,
                              (float *)(void *)((char *)out->data + row / in->shape[1] * out->stride[0] +
                                                row % in->shape[1] * out->stride[1]),
                              err));
    return MTM_OK;
}

/* ---- along y and z ------------------------------------------------------------------------------------ */

/* Lines along one axis; x runs across them. Piece i: block i % blocks of x, line i / blocks of the other axis. */
typedef struct line_job {
    const mtm_distance_kernels *k;
    char *data;
    int64_t n, width, blocks;
    int64_t stride, other_stride; /* bytes: along the line, and from one line to the next */
    float weight;
    bool root;
    float *scratch; /* two blocks for each worker */
    atomic_bool *taken;
    int workers;
} line_job;

static int take_part(line_job *j)
{
    for (int i = 0;; i = (i + 1) % j->workers)
        if (!atomic_exchange_explicit(&j->taken[i], true, memory_order_acquire))
            return i;
}

static void spread_block(const line_job *j, int64_t piece, float *from, float *to)
{
    const int64_t x = piece % j->blocks * LANES;
    const size_t bytes = (size_t)(j->width - x < LANES ? j->width - x : LANES) * sizeof(float);
    char *const at = j->data + piece / j->blocks * j->other_stride + x * (int64_t)sizeof(float);

    for (int64_t i = 0; i < j->n; i++) {
        if (bytes < LANES * sizeof(float))
            memset(from + i * LANES, 0, LANES * sizeof(float));
        memcpy(from + i * LANES, at + i * j->stride, bytes);
    }
    j->k->spread(to, from, (size_t)j->n, j->weight, j->root);
    for (int64_t i = 0; i < j->n; i++)
        memcpy(at + i * j->stride, to + i * LANES, bytes);
}

static void spread_pieces(void *arg, int64_t lo, int64_t hi)
{
    line_job *const j = arg;
    const int part = take_part(j);
    float *const from = j->scratch + 2 * (size_t)part * (size_t)j->n * LANES;

    for (int64_t i = lo; i < hi; i++)
        spread_block(j, i, from, from + j->n * LANES);
    atomic_store_explicit(&j->taken[part], false, memory_order_release);
}

/* axis: 0 (z) or 1 (y) of out, float32 [Z, Y, X] with contiguous rows. */
static mtm_status along(mtm_exec *x, int axis, double step, bool root, const mtm_array *out, mtm_error *err)
{
    line_job j = {.k = &x->kernels.distance,
                  .data = out->data,
                  .n = out->shape[axis],
                  .width = out->shape[2],
                  .blocks = (out->shape[2] + LANES - 1) / LANES,
                  .stride = out->stride[axis],
                  .other_stride = out->stride[1 - axis],
                  .weight = (float)(step * step),
                  .root = root};
    size_t bytes;
    void *scratch;
    mtm_status s;

    j.workers = x->pool ? mtm_pool_threads(x->pool) + 1 : 1;
    bytes = (size_t)j.workers * 2 * (size_t)j.n * LANES * sizeof(float);
    MTM_TRY(mtm_scratch_borrow(x, bytes + (size_t)j.workers * sizeof(atomic_bool), &scratch, err));
    j.scratch = scratch, j.taken = (atomic_bool *)(void *)((char *)scratch + bytes);
    for (int i = 0; i < j.workers; i++)
        atomic_init(&j.taken[i], false);
    s = mtm_pool_for(x->pool, j.blocks * out->shape[1 - axis], 16, spread_pieces, &j, x->cancel, err);
    mtm_scratch_return(x, scratch);
    return s;
}

static mtm_status transform(mtm_exec *x, const distance_transform_args *a, const double step[3],
                            const mtm_array *in, const mtm_array *out, mtm_error *err)
{
    MTM_TRY(along_x(x, a, step[2], in, out, err));
    MTM_TRY(along(x, 1, step[1], in->shape[0] == 1, out, err));
    return in->shape[0] == 1 ? MTM_OK : along(x, 0, step[0], true, out, err);
}

static mtm_status distance_transform_run(mtm_exec *x, const void *args, const mtm_spec *spec,
                                         const mtm_array *in, mtm_array *out, mtm_error *err)
{
    const bool direct = out->dtype == MTM_F32 && out->stride[3] == (int64_t)sizeof(float);
    mtm_array floats = *out;
    double step[3];
    mtm_status st = MTM_OK;

    MTM_TRY(spacing_of(args, spec, step, err));
    if (!direct)
        MTM_TRY(mtm_array_new(&floats, MTM_F32, 4, out->shape, x->recycler, err));
    for (int64_t c = 0; !st && c < spec->channels; c++) {
        const mtm_array from = mtm_label_channel(in, c), to = mtm_label_channel(&floats, c);

        st = transform(x, args, step, &from, &to, err);
    }
    if (direct)
        return st;
    if (!st)
        st = mtm_array_convert(out, &floats, 1, 0, x->pool, err);
    mtm_array_drop(&floats);
    return st;
}

static const mtm_param distance_transform_params[] = {
    {"sampling", MTM_PARAM_FLOATS, offsetof(distance_transform_args, sampling), "None", 0, 0x1p30, NULL, "mm",
     "Spacing of the voxels, one for all spatial axes or one each, in array order; None: 1."},
    {"background", MTM_PARAM_INT, offsetof(distance_transform_args, background), "0", -0x1p53, 0x1p53, NULL,
     "", "Value of the voxels that distances are measured to."},
};

const mtm_op mtm_op_distance_transform = {
    .name = "distance_transform",
    .doc = "Distance from every voxel of a label map to the nearest background voxel.\n"
           "\n"
           "Exact and Euclidean, between voxel centres, float32; 0 in the background, infinite where there "
           "is none. "
           "Equals\n"
           "scipy.ndimage.distance_transform_edt(label != background, sampling). Squared distances are "
           "minimised "
           "axis by\n"
           "axis (Saito and Toriwaki 1994).",
    .kind = MTM_OP_LABEL,
    .params = distance_transform_params,
    .n_params = COUNT(distance_transform_params),
    .args_bytes = sizeof(distance_transform_args),
    .check = distance_transform_check,
    .infer = distance_transform_infer,
    .run = distance_transform_run,
};
