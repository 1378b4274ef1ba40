/* op/pointwise.c: runs a pointwise program over a picture: pieces are converted into the destination (or a small buffer)
 * as float32, changed there while they are in the first-level cache, and stored.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pointwise.h"

#include <stdatomic.h>

enum {
    PIECE = 4096,    /* voxels: 16 KiB of float32 */
    PIECES_TASK = 8, /* pieces per task of the pool */
    ROWS_AHEAD = 4   /* rows that lie apart are asked for before their turn */
};

/* The picture as channels × n[2] × n[1] × n[0] voxels, axes that run on in both arrays merged. */
typedef struct apply_job {
    const mtm_pointwise *program;
    const mtm_pointwise_kernels *kernels;
    mtm_array in, out;
    int64_t n[3], in_stride[3], out_stride[3];      /* innermost first; bytes */
    int64_t rows_piece, pieces_row, pieces_channel; /* several rows per piece, or several pieces per row */
    bool from_float, to_float;                      /* a piece of in, of out is contiguous float32 */
    bool from_rows;    /* the rows of a piece of in are contiguous float32, though not the piece */
    atomic_int failed; /* mtm_status of the first failure, whose text is in `error` */
    mtm_error error;
} apply_job;

static void merge_axes(apply_job *j)
{
    int k = -1;

    for (int axis = 3; axis >= 1; axis--) {
        const int64_t size = j->in.shape[axis], si = j->in.stride[axis], so = j->out.stride[axis];

        if (size == 1)
            continue;
        if (k >= 0 && si == j->in_stride[k] * j->n[k] && so == j->out_stride[k] * j->n[k]) {
            j->n[k] *= size;
            continue;
        }
        k++;
        j->n[k] = size, j->in_stride[k] = si, j->out_stride[k] = so;
    }
    for (k++; k < 3; k++) {
        j->n[k] = 1;
        j->in_stride[k] = (int64_t)mtm_dtype_size(j->in.dtype);
        j->out_stride[k] = (int64_t)mtm_dtype_size(j->out.dtype);
    }
}

/* A piece is contiguous float32. */
static bool is_plain(const apply_job *j, mtm_dtype dtype, const int64_t stride[3])
{
    return dtype == MTM_F32 && (j->n[0] == 1 || stride[0] == 4) &&
           (j->rows_piece == 1 || stride[1] == 4 * j->n[0]);
}

static void cut_pieces(apply_job *j)
{
    const bool long_rows = j->n[0] >= PIECE;

    j->rows_piece = long_rows ? 1 : mtm_min_i64(PIECE / j->n[0], j->n[1]);
    j->pieces_row = long_rows ? (j->n[0] + PIECE - 1) / PIECE : 1;
    j->pieces_channel = j->n[2] * ((j->n[1] + j->rows_piece - 1) / j->rows_piece) * j->pieces_row;
    j->from_float = is_plain(j, j->in.dtype, j->in_stride);
    j->to_float = is_plain(j, j->out.dtype, j->out_stride);
    j->from_rows =
        !j->from_float && j->in.dtype == MTM_F32 && j->in_stride[0] == 4 && j->in_stride[1] % 4 == 0;
}

static mtm_status run_piece(const apply_job *j, int64_t piece, mtm_error *err)
{
    const int64_t channel = piece / j->pieces_channel, in_channel = piece % j->pieces_channel;
    const int64_t bands = (j->n[1] + j->rows_piece - 1) / j->rows_piece, line = in_channel / j->pieces_row;
    const int64_t i0 = in_channel % j->pieces_row * PIECE, i1 = line % bands * j->rows_piece,
                  i2 = line / bands;
    const int64_t shape[2] = {mtm_min_i64(j->rows_piece, j->n[1] - i1),
                              j->pieces_row > 1 ? mtm_min_i64(PIECE, j->n[0] - i0) : j->n[0]};
    const int64_t first = ((channel * j->n[2] + i2) * j->n[1] + i1) * j->n[0] + i0;
    const size_t n = (size_t)(shape[0] * shape[1]);
    float some[PIECE] __attribute__((aligned(64)));
    mtm_array in = mtm_array_wrap((char *)j->in.data + channel * j->in.stride[0] + i2 * j->in_stride[2] +
                                      i1 * j->in_stride[1] + i0 * j->in_stride[0],
                                  j->in.dtype, 2, shape);
    mtm_array out = mtm_array_wrap((char *)j->out.data + channel * j->out.stride[0] + i2 * j->out_stride[2] +
                                       i1 * j->out_stride[1] + i0 * j->out_stride[0],
                                   j->out.dtype, 2, shape);
    mtm_array work = mtm_array_wrap(j->to_float ? out.data : some, MTM_F32, 2, shape);

    in.stride[0] = j->in_stride[1], in.stride[1] = j->in_stride[0];
    out.stride[0] = j->out_stride[1], out.stride[1] = j->out_stride[0];
    if (j->from_rows) {
        for (int64_t r = 0; r < shape[0]; r++) {
            const char *const ahead = (const char *)in.data + (r + ROWS_AHEAD) * in.stride[0];

            for (int64_t b = 0; r + ROWS_AHEAD < shape[0] && b < 4 * shape[1]; b += 64)
                __builtin_prefetch(ahead + b);
            j->kernels->map(j->program, (int32_t)channel, first + r * shape[1],
                            (const float *)(const void *)((const char *)in.data + r * in.stride[0]),
                            (float *)work.data + r * shape[1], (size_t)shape[1]);
        }
        return j->to_float ? MTM_OK : mtm_array_convert(&out, &work, 1, 0, NULL, err);
    }
    if (!j->from_float)
        MTM_TRY(mtm_array_convert(&work, &in, 1, 0, NULL, err));
    j->kernels->map(j->program, (int32_t)channel, first, j->from_float ? in.data : work.data, work.data, n);
    return j->to_float ? MTM_OK : mtm_array_convert(&out, &work, 1, 0, NULL, err);
}

static void run_pieces(void *arg, int64_t lo, int64_t hi)
{
    apply_job *const j = arg;

    for (int64_t i = lo; i < hi && atomic_load_explicit(&j->failed, memory_order_relaxed) == MTM_OK; i++) {
        mtm_error e = {.code = MTM_OK};
        const mtm_status s = run_piece(j, i, &e);
        int none = MTM_OK;

        if (s != MTM_OK && atomic_compare_exchange_strong(&j->failed, &none, (int)s))
            j->error = e;
    }
}

/* Rows of the input that run across memory are read badly piece by piece; the whole conversion does it in tiles. */
static bool runs_across(const apply_job *j)
{
    return j->n[1] > 1 && llabs(j->in_stride[0]) > (int64_t)mtm_dtype_size(j->in.dtype) &&
           llabs(j->in_stride[0]) > llabs(j->in_stride[1]);
}

mtm_status mtm_pointwise_apply(mtm_exec *x, const mtm_pointwise *p, const mtm_array *in, mtm_array *out,
                               mtm_error *err)
{
    apply_job j = {.program = p, .kernels = &x->kernels.pointwise, .in = *in, .out = *out};

    if (mtm_array_count(in) == 0)
        return MTM_OK;
    merge_axes(&j);
    cut_pieces(&j);
    if (j.to_float && !j.from_float && runs_across(&j)) {
        MTM_TRY(mtm_array_convert(out, in, 1, 0, x->pool, err));
        j.in = *out;
        merge_axes(&j);
        cut_pieces(&j);
    }
    MTM_TRY(
        mtm_pool_for(x->pool, in->shape[0] * j.pieces_channel, PIECES_TASK, run_pieces, &j, x->cancel, err));
    if (j.failed != MTM_OK && err)
        *err = j.error;
    return (mtm_status)j.failed;
}
