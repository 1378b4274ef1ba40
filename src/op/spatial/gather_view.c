/* op/spatial/gather_view.c: gathers of whole voxels: a converting copy of a strided view, and the padding around it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "op/spatial/gather.h"

typedef struct view_job {
    mtm_gather *j;
    mtm_view_axes v;
    int64_t lo[3], hi[3]; /* outputs in here come from existing voxels, [Z, Y, X] */
    int64_t piece[3], pieces[3];
} view_job;

static void find_inside(view_job *b)
{
    const mtm_geometry *const g = b->j->g;

    for (int a = 0; a < 3; a++) {
        const int64_t c0 = g->clip_start[a], c1 = c0 + g->clip_size[a], shift = b->v.shift[a];
        const int o = b->v.axis[a];
        const int64_t lo = b->v.sign[a] > 0 ? c0 - shift : shift - c1 + 1;
        const int64_t hi = b->v.sign[a] > 0 ? c1 - shift : shift - c0 + 1;

        b->lo[o] = mtm_clamp_i64(lo, 0, g->out_size[o]);
        b->hi[o] = mtm_clamp_i64(hi, b->lo[o], g->out_size[o]);
    }
}

/* Existing voxels of output channels [channel, channel + n), box [start, start + size). */
static mtm_array source_part(const view_job *b, int64_t channel, int64_t n, const int64_t start[3],
                             const int64_t size[3])
{
    const mtm_gather *const j = b->j;
    mtm_array s = j->in;

    s.owner = NULL, s.shape[0] = n;
    s.data = (uint8_t *)s.data + channel * s.stride[0];
    for (int a = 0; a < 3; a++) {
        const int o = b->v.axis[a];
        const int64_t i = b->v.shift[a] + b->v.sign[a] * start[o] - j->in_start[a];

        s.data = (uint8_t *)s.data + i * j->in.stride[a + 1];
        s.shape[o + 1] = size[o];
        s.stride[o + 1] = b->v.sign[a] * j->in.stride[a + 1];
    }
    return s;
}

/* ---- padding ------------------------------------------------------------------------------------------ */

/* Byte offset in the input of output index i along output axis o; the border folds it. */
static int64_t folded_offset(const view_job *b, int o, int64_t i)
{
    const mtm_gather *const j = b->j;
    int a = 0;

    while (b->v.axis[a] != o)
        a++;
    i = b->v.shift[a] + b->v.sign[a] * i - j->g->clip_start[a];
    i = mtm_border_index(j->g->border, i, j->g->clip_size[a]) + j->g->clip_start[a];
    return (i - j->in_start[a]) * j->in.stride[a + 1];
}

/* A box of at most MTM_GATHER_PIECE voxels of one channel, folded voxel by voxel. */
static mtm_status pad_piece(const view_job *b, int64_t channel, const int64_t start[3], const int64_t size[3],
                            mtm_array *dst, mtm_error *err)
{
    _Alignas(64) uint8_t raw[MTM_GATHER_PIECE * 8];
    const mtm_array *const in = &b->j->in;
    const size_t bytes = mtm_dtype_size(in->dtype);
    const int64_t shape[4] = {1, size[0], size[1], size[2]};
    const mtm_array src = mtm_array_wrap(raw, in->dtype, 4, shape);
    int64_t column[MTM_GATHER_PIECE];
    uint8_t *to = raw;

    for (int64_t i = 0; i < size[2]; i++)
        column[i] = folded_offset(b, 2, start[2] + i);
    for (int64_t z = 0; z < size[0]; z++)
        for (int64_t y = 0; y < size[1]; y++) {
            const uint8_t *const row = (const uint8_t *)in->data + channel * in->stride[0] +
                                       folded_offset(b, 0, start[0] + z) + folded_offset(b, 1, start[1] + y);

            mtm_gather_take(bytes, row, column, (int32_t)size[2], to, (int64_t)bytes);
            to += bytes * (size_t)size[2];
        }
    return mtm_array_convert(dst, &src, 1, 0, NULL, err);
}

/* Padding in the box [start, start + size), which is part of dst's box beginning at `at`. */
static mtm_status pad_box(const view_job *b, int64_t channel, int64_t n, const int64_t start[3],
                          const int64_t size[3], const mtm_array *dst, const int64_t at[3], mtm_error *err)
{
    const int64_t nx = mtm_min_i64(size[2], MTM_GATHER_PIECE);
    const int64_t ny = nx > 0 ? mtm_clamp_i64(MTM_GATHER_PIECE / nx, 1, mtm_max_i64(size[1], 1)) : 1;
    int64_t rel[3], s[3];
    mtm_array part;

    for (int i = 0; i < 3; i++)
        rel[i] = start[i] - at[i];
    if (size[0] <= 0 || size[1] <= 0 || size[2] <= 0)
        return MTM_OK;
    if (b->j->g->border == MTM_CONSTANT) {
        part = mtm_gather_part(dst, 0, n, rel, size);
        return mtm_gather_fill(&part, b->j->g->value, b->j->x->pool, err);
    }
    for (int64_t c = 0; c < n; c++)
        for (s[0] = start[0]; s[0] < start[0] + size[0]; s[0]++)
            for (s[1] = start[1]; s[1] < start[1] + size[1]; s[1] += ny)
                for (s[2] = start[2]; s[2] < start[2] + size[2]; s[2] += nx) {
                    const int64_t piece[3] = {1, mtm_min_i64(ny, start[1] + size[1] - s[1]),
                                              mtm_min_i64(nx, start[2] + size[2] - s[2])};

                    part = mtm_gather_part(
                        dst, c, 1, (const int64_t[3]){s[0] - at[0], s[1] - at[1], s[2] - at[2]}, piece);
                    MTM_TRY(pad_piece(b, channel + c, s, piece, &part, err));
                }
    return MTM_OK;
}

/* Fills dst, the output's box [start, start + size) of channels [channel, channel + n): the existing voxels, then the
 * slabs before and after them along each axis. */
static mtm_status fill_box(const view_job *b, int64_t channel, int64_t n, const int64_t start[3],
                           const int64_t size[3], mtm_array *dst, mtm_pool *pool, mtm_error *err)
{
    int64_t lo[3], in[3], rel[3], slab_start[3], slab_size[3];
    bool empty = false;

    for (int i = 0; i < 3; i++) {
        lo[i] = mtm_clamp_i64(b->lo[i], start[i], start[i] + size[i]);
        in[i] = mtm_clamp_i64(b->hi[i], lo[i], start[i] + size[i]) - lo[i];
        rel[i] = lo[i] - start[i];
        empty = empty || in[i] == 0;
        slab_start[i] = start[i], slab_size[i] = size[i];
    }
    if (empty)
        return pad_box(b, channel, n, start, size, dst, start, err);
    mtm_array part = mtm_gather_part(dst, 0, n, rel, in);
    const mtm_array src = source_part(b, channel, n, lo, in);
    MTM_TRY(mtm_array_convert(&part, &src, 1, 0, pool, err));
    for (int i = 0; i < 3; i++) {
        slab_start[i] = start[i], slab_size[i] = rel[i];
        MTM_TRY(pad_box(b, channel, n, slab_start, slab_size, dst, start, err));
        slab_start[i] = lo[i] + in[i], slab_size[i] = size[i] - rel[i] - in[i];
        MTM_TRY(pad_box(b, channel, n, slab_start, slab_size, dst, start, err));
        slab_start[i] = lo[i], slab_size[i] = in[i];
    }
    return MTM_OK;
}

/* ---- with steps --------------------------------------------------------------------------------------- */

static mtm_status step_piece(const view_job *b, int64_t channel, const int64_t start[3],
                             const int64_t size[3], mtm_error *err)
{
    _Alignas(64) float buffer[MTM_GATHER_PIECE];
    const mtm_gather *const j = b->j;
    mtm_array out = mtm_gather_part(&j->out, channel, 1, start, size);
    mtm_array rows = mtm_array_wrap(buffer, MTM_F32, 4, out.shape);

    if (mtm_gather_direct(&j->out))
        rows = out;
    MTM_TRY(fill_box(b, channel, 1, start, size, &rows, NULL, err));
    mtm_gather_steps(j, channel, start, &rows);
    return mtm_gather_direct(&j->out) ? MTM_OK : mtm_array_convert(&out, &rows, 1, 0, NULL, err);
}

static void step_pieces(void *job, int64_t lo, int64_t hi)
{
    const view_job *const b = job;
    mtm_error err = {0};

    for (int64_t k = lo; k < hi; k++) {
        int64_t rest = k, start[3], size[3];

        for (int i = 2; i >= 0; i--) {
            start[i] = rest % b->pieces[i] * b->piece[i];
            size[i] = mtm_min_i64(b->piece[i], b->j->g->out_size[i] - start[i]);
            rest /= b->pieces[i];
        }
        mtm_gather_note(b->j, step_piece(b, rest, start, size, &err), &err);
    }
}

mtm_status mtm_gather_view(mtm_gather *j, mtm_error *err)
{
    view_job b = {.j = j};
    const int64_t origin[3] = {0}, *const size = j->g->out_size;
    int64_t n = j->out.shape[0], room = MTM_GATHER_PIECE;

    if (!mtm_geometry_axes(j->g, &b.v))
        return mtm_fail(err, MTM_E_INVAL, -1, "the matrix of a view moves voxels by fractions");
    find_inside(&b);
    if (!j->steps)
        return fill_box(&b, 0, n, origin, size, &j->out, j->x->pool, err);
    for (int i = 2; i >= 0; i--) {
        b.piece[i] = mtm_clamp_i64(room, 1, size[i]);
        b.pieces[i] = (size[i] + b.piece[i] - 1) / b.piece[i];
        room /= b.piece[i];
        n *= b.pieces[i];
    }
    return mtm_gather_pieces(j, n, 4, step_pieces, &b, err);
}
