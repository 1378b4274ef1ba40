/* pipe/window_sum.c: the weighted mean of overlapping windows' scores. Sums are kept in a ring of planes; a plane that no later
 * window can reach is divided (or its arg-max taken) and stored, so memory is a slab and not the volume. Where the result
 * itself is a C-order float32 array and windows may come in any order, the sums are kept in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "array/array.h"
#include "kernel/window.h"
#include "pipe/window.h"

enum { CHUNK = 1024 }; /* voxels of a row that are finished together; on the stack */

struct mtm_window_sum {
    int64_t shape[3], size[3], classes;
    mtm_window_axes weight;
    mtm_window_kernels kernels;
    bool argmax, ordered, in_place, finished;
    int64_t depth;   /* planes in the ring: plane z is at z % depth */
    int64_t base;    /* planes below are stored */
    mtm_array sum;   /* [C, depth, Y, X] float32; in_place: the result's own memory */
    mtm_array total; /* [depth, Y, X] float32, sums of the weights */
    int32_t
        *filled; /* [depth, Y]: the first so many voxels of the row hold something; the others nothing yet */
    mtm_array out;
    mtm_pool *pool;
    mtm_recycler *recycler;
};

/* ---- making ------------------------------------------------------------------------------------------- */

static bool same_place(const mtm_window_options *opt)
{
    return !opt->argmax && !opt->ordered &&
           (!opt->out || !opt->out->data || (opt->out->dtype == MTM_F32 && mtm_array_is_c_order(opt->out)));
}

static int64_t largest(mtm_dtype t)
{
    const int bits = 8 * (int)mtm_dtype_size(t);
    const bool is_signed = t == MTM_I8 || t == MTM_I16 || t == MTM_I32 || t == MTM_I64;

    return t == MTM_BOOL ? 1 : bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - is_signed)) - 1;
}

static mtm_status check(const int64_t shape[3], int64_t classes, const int64_t size[3], mtm_error *err)
{
    for (int d = 0; d < 3; d++)
        if (shape[d] < 1 || size[d] < 1 || shape[d] > INT32_MAX || size[d] > INT32_MAX)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "a volume of %" PRId64 " and windows of %" PRId64 " voxels along axis %d",
                            shape[d], size[d], d);
    if (classes < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "%" PRId64 " classes; at least one is needed", classes);
    return MTM_OK;
}

static mtm_status check_out(const mtm_window_sum *s, const mtm_array *out, mtm_error *err)
{
    const int64_t want[4] = {s->classes, s->shape[0], s->shape[1], s->shape[2]};
    const int64_t *const shape = s->argmax ? want + 1 : want;

    if (out->ndim != (s->argmax ? 3 : 4) || memcmp(out->shape, shape, (size_t)out->ndim * sizeof *shape))
        return mtm_fail(err, MTM_E_INVAL, -1, "out must be [%s%" PRId64 ", %" PRId64 ", %" PRId64 "]",
                        s->argmax ? "" : "C, ", want[1], want[2], want[3]);
    if (s->argmax != mtm_dtype_is_integer(out->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "out is %s; %s is needed", mtm_dtype_name(out->dtype),
                        s->argmax ? "an integer dtype" : "a floating dtype");
    if (s->argmax && largest(out->dtype) < s->classes - 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "out is %s, which does not hold class %" PRId64,
                        mtm_dtype_name(out->dtype), s->classes - 1);
    return MTM_OK;
}

static mtm_status make_out(mtm_window_sum *s, const mtm_array *given, mtm_error *err)
{
    const int64_t shape[4] = {s->classes, s->shape[0], s->shape[1], s->shape[2]};

    if (given && given->data) {
        MTM_TRY(check_out(s, given, err));
        s->out = *given;
        s->out.owner = mtm_buffer_ref(given->owner);
        return MTM_OK;
    }
    if (!s->argmax)
        return mtm_array_new(&s->out, MTM_F32, 4, shape, s->recycler, err);
    const mtm_dtype t = s->classes <= 256 ? MTM_U8 : s->classes <= 65536 ? MTM_U16 : MTM_I32;
    return mtm_array_new(&s->out, t, 3, shape + 1, s->recycler, err);
}

static mtm_status make_sums(mtm_window_sum *s, mtm_error *err)
{
    const int64_t shape[4] = {s->classes, s->depth, s->shape[1], s->shape[2]};

    if (s->in_place) {
        s->sum = s->out;
        s->sum.owner = mtm_buffer_ref(s->out.owner);
    } else {
        MTM_TRY(mtm_array_new(&s->sum, MTM_F32, 4, shape, s->recycler, err));
    }
    MTM_TRY(mtm_array_new(&s->total, MTM_F32, 3, shape + 1, s->recycler, err));
    s->filled = mtm_alloc_zero((size_t)(s->depth * s->shape[1]), sizeof *s->filled);
    return s->filled ? MTM_OK : MTM_NOMEM(err);
}

MTM_DEFINE_AUTO(mtm_window_sum, mtm_window_sum_free)

mtm_status mtm_window_sum_new(mtm_window_sum **out, const int64_t shape[3], int64_t classes,
                              const int64_t size[3], const mtm_window_options *opt, mtm_error *err)
{
    static const mtm_window_options defaults = {.struct_size = sizeof defaults};
    MTM_AUTO(mtm_window_sum) s = NULL;

    MTM_TRY(check(shape, classes, size, err));
    if (!opt)
        opt = &defaults;
    if (!(s = mtm_alloc_zero(1, sizeof *s)))
        return MTM_NOMEM(err);
    memcpy(s->shape, shape, sizeof s->shape);
    memcpy(s->size, size, sizeof s->size);
    s->classes = classes, s->argmax = opt->argmax, s->ordered = opt->ordered;
    s->in_place = same_place(opt);
    s->depth = s->ordered ? mtm_min_i64(size[0], shape[0]) : shape[0];
    mtm_window_kernels_init(&s->kernels, mtm_cpu_flags());
    s->pool = opt->pool, s->recycler = opt->recycler;
    MTM_TRY(mtm_window_axes_new(&s->weight, size, opt->weights, opt->sigma, err));
    MTM_TRY(make_out(s, opt->out, err));
    MTM_TRY(make_sums(s, err));
    *out = mtm_window_sum_steal(&s);
    return MTM_OK;
}

void mtm_window_sum_free(mtm_window_sum *s)
{
    if (!s)
        return;
    mtm_array_drop(&s->sum);
    mtm_array_drop(&s->total);
    mtm_array_drop(&s->out);
    mtm_free(s->filled);
    mtm_free(s->weight.axis[0]);
    mtm_free(s);
}

/* ---- finishing planes --------------------------------------------------------------------------------- */

static float *sum_row(const mtm_window_sum *s, int64_t c, int64_t slot, int64_t y)
{
    return (float *)s->sum.data + ((c * s->depth + slot) * s->shape[1] + y) * s->shape[2];
}

static float *total_row(const mtm_window_sum *s, int64_t slot, int64_t y)
{
    return (float *)s->total.data + (slot * s->shape[1] + y) * s->shape[2];
}

/* Stores n numbers in the result's row at x. */
static void store(const mtm_window_sum *s, char *row, int64_t x, const void *values, mtm_dtype t, int64_t n)
{
    const int32_t last = s->out.ndim - 1;
    const mtm_array from = mtm_array_wrap((void *)values, t, 1, &n);
    mtm_array to = mtm_array_wrap(row + x * s->out.stride[last], s->out.dtype, 1, &n);

    to.stride[0] = s->out.stride[last];
    (void)mtm_array_convert(&to, &from, 1, 0, NULL, NULL); /* the dtypes were checked: it cannot fail */
}

static void argmax_row(const mtm_window_sum *s, int64_t z, int64_t y)
{
    char *const row = (char *)s->out.data + z * s->out.stride[0] + y * s->out.stride[1];
    float best[CHUNK];
    int32_t label[CHUNK];

    for (int64_t x = 0; x < s->shape[2]; x += CHUNK) {
        const int64_t n = mtm_min_i64(CHUNK, s->shape[2] - x);

        for (int64_t i = 0; i < n; i++)
            best[i] = -INFINITY, label[i] = 0;
        for (int32_t c = 0; c < s->classes; c++) {
            const float *const v = sum_row(s, c, z % s->depth, y) + x;

            s->kernels.better(best, label, v, c, n);
        }
        store(s, row, x, label, MTM_I32, n);
    }
}

static void mean_row(const mtm_window_sum *s, int64_t c, int64_t z, int64_t y)
{
    char *const row =
        (char *)s->out.data + c * s->out.stride[0] + z * s->out.stride[1] + y * s->out.stride[2];
    const float *const w = total_row(s, z % s->depth, y);
    float *const v = sum_row(s, c, z % s->depth, y);
    float mean[CHUNK];

    if (s->in_place) {
        s->kernels.divide(v, v, w, s->shape[2]);
        return;
    }
    for (int64_t x = 0; x < s->shape[2]; x += CHUNK) {
        const int64_t n = mtm_min_i64(CHUNK, s->shape[2] - x);

        s->kernels.divide(mean, v + x, w + x, n);
        store(s, row, x, mean, MTM_F32, n);
    }
}

static void finish_row(mtm_window_sum *s, int64_t z, int64_t y)
{
    const int64_t slot = z % s->depth, nx = s->shape[2];
    int32_t *const filled = &s->filled[slot * s->shape[1] + y];
    float *const w = total_row(s, slot, y);

    for (int64_t c = 0; c < s->classes && *filled < nx; c++)
        memset(sum_row(s, c, slot, y) + *filled, 0, (size_t)(nx - *filled) * sizeof(float));
    memset(w + *filled, 0, (size_t)(nx - *filled) * sizeof(float));
    *filled = 0;
    for (int64_t i = 0; i < nx; i++)
        w[i] = w[i] > 0 ? w[i] : 1; /* no window: 0 / 1 */
    for (int64_t c = 0; c < s->classes && !s->argmax; c++)
        mean_row(s, c, z, y);
    if (s->argmax)
        argmax_row(s, z, y);
}

static void finish_planes(void *arg, int64_t lo, int64_t hi)
{
    mtm_window_sum *const s = arg;

    for (int64_t z = s->base + lo; z < s->base + hi; z++)
        for (int64_t y = 0; y < s->shape[1]; y++)
            finish_row(s, z, y);
}

/* Stores the planes below `upto`; at most a ring of them at a time, for those beyond have no slot of their own yet. */
static mtm_status advance(mtm_window_sum *s, int64_t upto, mtm_error *err)
{
    while (s->base < upto) {
        const int64_t n = mtm_min_i64(upto - s->base, s->depth);

        MTM_TRY(mtm_pool_for(s->pool, n, 1, finish_planes, s, NULL, err));
        s->base += n;
    }
    return MTM_OK;
}

/* ---- adding ------------------------------------------------------------------------------------------- */

enum { GROUP = 32 }; /* windows that are added in one pass over the sums */

/* A window's part inside the volume. */
typedef struct window_part {
    mtm_array scores; /* [C, z, y, x] float32, unit stride along x; data at the part's first voxel */
    int64_t at[3], from[3], n[3]; /* in the volume; in the window; extents */
} window_part;

/* Windows with one start along z; each row of sums is in the cache while all of them are added to it. */
typedef struct window_group {
    mtm_window_sum *s;
    int32_t n;
    int64_t done;    /* planes below are finished at once */
    int64_t rows[2]; /* first and last + 1 that a window reaches */
    window_part part[GROUP];
} window_group;

/* Voxels [x, x + n) of one row; the first `old` of them hold sums already. */
static void add_piece(const mtm_window_sum *s, const window_part *p, int64_t z, int64_t y, int64_t x,
                      int64_t n, int64_t old)
{
    const mtm_window_axes *const a = &s->weight;
    const int64_t slot = (p->at[0] + z) % s->depth, row = p->at[1] + y, first = p->at[2] + x;
    const int64_t ahead = 2 * p->scores.stride[2] / (int64_t)sizeof(float); /* the row after next */
    float *const total = total_row(s, slot, row) + first;
    float w[CHUNK];

    s->kernels.weights(w, a->axis[2] + p->from[2] + x,
                       a->axis[0][p->from[0] + z] * a->axis[1][p->from[1] + y], a->floor, n);
    for (int64_t c = 0; c < s->classes; c++) {
        const char *const line = (const char *)p->scores.data + c * p->scores.stride[0] +
                                 z * p->scores.stride[1] + y * p->scores.stride[2];

        s->kernels.add(sum_row(s, c, slot, row) + first, (const float *)line + x, w, old, n, ahead);
    }
    for (int64_t i = 0; i < old; i++)
        total[i] += w[i];
    memcpy(total + old, w + old, (size_t)(n - old) * sizeof *w);
}

static void add_row(const mtm_window_sum *s, const window_part *p, int64_t z, int64_t y)
{
    const int64_t slot = (p->at[0] + z) % s->depth, row = p->at[1] + y;
    const int64_t begin = p->at[2], end = begin + p->n[2];
    int32_t *const filled = &s->filled[slot * s->shape[1] + row];

    if (*filled < begin) { /* a gap before this window */
        const size_t gap = (size_t)(begin - *filled) * sizeof(float);

        for (int64_t c = 0; c < s->classes; c++)
            memset(sum_row(s, c, slot, row) + *filled, 0, gap);
        memset(total_row(s, slot, row) + *filled, 0, gap);
        *filled = (int32_t)begin;
    }
    for (int64_t x = 0; x < p->n[2]; x += CHUNK) {
        const int64_t n = mtm_min_i64(CHUNK, p->n[2] - x);

        add_piece(s, p, z, y, x, n, mtm_clamp_i64(*filled - begin - x, 0, n));
    }
    *filled = (int32_t)mtm_max_i64(*filled, end);
}

static void add_planes(void *arg, int64_t lo, int64_t hi)
{
    const window_group *const g = arg;
    mtm_window_sum *const s = g->s;

    for (int64_t z = lo; z < hi; z++) {
        const bool last = g->part[0].at[0] + z < g->done;

        for (int64_t y = last ? 0 : g->rows[0]; y < (last ? s->shape[1] : g->rows[1]); y++) {
            for (int32_t i = 0; i < g->n; i++) {
                const window_part *const p = &g->part[i];

                if (y >= p->at[1] && y < p->at[1] + p->n[1])
                    add_row(s, p, z, y - p->at[1]);
            }
            if (last)
                finish_row(s, g->part[0].at[0] + z, y);
        }
    }
}

static mtm_status clip(const mtm_window_sum *s, window_part *p, const int64_t start[3], mtm_error *err)
{
    for (int d = 0; d < 3; d++) {
        const int64_t n = s->shape[d], size = s->size[d];

        if (start[d] <= -size || start[d] >= n)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "a window of %" PRId64 " voxels at %" PRId64
                            " along axis %d lies outside the volume of %" PRId64,
                            size, start[d], d, n);
        p->at[d] = mtm_max_i64(start[d], 0);
        p->from[d] = p->at[d] - start[d];
        p->n[d] = mtm_min_i64(start[d] + size, n) - p->at[d];
    }
    if (p->at[0] < s->base)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "a window begins at plane %" PRId64 ", but those below %" PRId64
                        " are finished: in order, please",
                        p->at[0], s->base);
    return MTM_OK;
}

/* The next windows with one start along z, at most GROUP; how many. */
static mtm_status gather(window_group *g, int64_t n, const int64_t (*start)[3], const mtm_array *scores,
                         mtm_error *err)
{
    mtm_window_sum *const s = g->s;

    g->rows[0] = s->shape[1], g->rows[1] = 0;
    for (g->n = 0; g->n < GROUP && g->n < n && start[g->n][0] == start[0][0]; g->n++) {
        window_part *const p = &g->part[g->n];

        MTM_TRY(clip(s, p, start[g->n], err));
        p->scores.data = (char *)scores->data + g->n * scores->stride[0];
        for (int d = 0; d < 4; d++)
            p->scores.stride[d] = scores->stride[d + 1];
        for (int d = 0; d < 3; d++)
            p->scores.data = (char *)p->scores.data + p->from[d] * p->scores.stride[d + 1];
        g->rows[0] = mtm_min_i64(g->rows[0], p->at[1]);
        g->rows[1] = mtm_max_i64(g->rows[1], p->at[1] + p->n[1]);
    }
    return MTM_OK;
}

/* Adds one group and finishes the planes below `done` that it reaches. */
static mtm_status add_group(window_group *g, int64_t done, mtm_error *err)
{
    mtm_window_sum *const s = g->s;
    const int64_t first = g->part[0].at[0], end = first + g->part[0].n[0];

    MTM_TRY(advance(s, s->ordered ? first : mtm_min_i64(first, done), err));
    g->done = mtm_min_i64(done, end);
    MTM_TRY(mtm_pool_for(s->pool, end - first, 1, add_planes, g, NULL, err));
    s->base = mtm_max_i64(s->base, g->done);
    return MTM_OK;
}

static mtm_status add_all(mtm_window_sum *s, int64_t n, const int64_t (*start)[3], const mtm_array *scores,
                          int64_t done, mtm_error *err)
{
    window_group g = {.s = s};
    mtm_array rest = *scores;

    while (n > 0) {
        MTM_TRY(gather(&g, n, start, &rest, err));
        n -= g.n, start += g.n;
        rest.data = (char *)rest.data + g.n * rest.stride[0];
        MTM_TRY(add_group(&g, n ? mtm_min_i64(done, mtm_max_i64(start[0][0], 0)) : done, err));
    }
    return MTM_OK;
}

mtm_status mtm_window_add(mtm_window_sum *s, int64_t n, const int64_t (*start)[3], const mtm_array *scores,
                          int64_t done, mtm_error *err)
{
    const int64_t want[5] = {n, s->classes, s->size[0], s->size[1], s->size[2]};
    mtm_array copy = {0};

    if (s->finished)
        return mtm_fail(err, MTM_E_INVAL, -1, "the result was taken already; nothing can be added");
    if (n < 1 || scores->ndim != 5 || memcmp(scores->shape, want, sizeof want))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the scores of %" PRId64 " windows must be [%" PRId64 ", %" PRId64 ", %" PRId64
                        ", %" PRId64 ", %" PRId64 "]",
                        n, want[0], want[1], want[2], want[3], want[4]);
    if (scores->dtype == MTM_F32 && scores->stride[4] == (int64_t)sizeof(float))
        return add_all(s, n, start, scores, done, err);
    MTM_TRY(mtm_array_new(&copy, MTM_F32, 5, want, s->recycler, err));
    mtm_status rc = mtm_array_convert(&copy, scores, 1, 0, s->pool, err);
    if (!rc)
        rc = add_all(s, n, start, &copy, done, err);
    mtm_array_drop(&copy);
    return rc;
}

mtm_status mtm_window_finish(mtm_window_sum *s, mtm_array *out, mtm_error *err)
{
    if (s->finished)
        return mtm_fail(err, MTM_E_INVAL, -1, "the result was taken already");
    MTM_TRY(advance(s, s->shape[0], err));
    s->finished = true;
    *out = s->out;
    s->out = (mtm_array){0};
    mtm_array_drop(&s->sum);
    mtm_array_drop(&s->total);
    return MTM_OK;
}
