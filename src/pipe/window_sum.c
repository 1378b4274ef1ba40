/* pipe/window_sum.c: the weighted mean of overlapping windows' scores. Sums are kept in a ring of planes; what no later window
 * can reach is divided (or its arg-max taken) and stored, so memory is a slab and not the volume. Where the result
 * itself is a C-order float32 array and windows may come in any order, the sums are kept in it. The work on rows is
 * window_rows.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pipe/window_sum.h"

enum {
    CACHED = 16 << 20, /* bytes of sums that the caches hold between windows */
    KEPT = 1 << 30     /* bytes of dropped sums and results that wait for the next volume, at most */
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

static mtm_status check(const int64_t shape[3], int64_t classes, const int64_t size[3],
                        const mtm_window_options *opt, mtm_error *err)
{
    const mtm_windows *const w = opt->plan;

    for (int d = 0; d < 3; d++)
        if (shape[d] < 1 || size[d] < 1 || shape[d] > INT32_MAX || size[d] > INT32_MAX)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "a volume of %" PRId64 " and windows of %" PRId64 " voxels along axis %d",
                            shape[d], size[d], d);
    if (classes < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "%" PRId64 " classes; at least one is needed", classes);
    if (w && (memcmp(w->shape, shape, sizeof w->shape) || memcmp(w->size, size, sizeof w->size)))
        return mtm_fail(err, MTM_E_INVAL, -1, "the plan is for another volume or another window");
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
    if (!s->planned && !s->argmax)
        MTM_TRY(mtm_array_new(&s->total, MTM_F32, 3, shape + 1, s->recycler, err));
    s->filled = mtm_alloc_zero((size_t)(s->depth * s->shape[1]), sizeof *s->filled);
    return s->filled ? MTM_OK : MTM_NOMEM(err);
}

/* Fresh pages cost more than the sums: a series of volumes gets those of the one before. */
static void keep_memory(mtm_window_sum *s)
{
    const double plane = (double)(s->shape[1] * s->shape[2]) * sizeof(float) * (double)s->classes;
    const double bytes =
        plane * (double)(s->in_place ? s->shape[0] : s->depth + (s->argmax ? 0 : s->shape[0]));

    s->stream = bytes > CACHED;
    if (s->recycler && 2 * bytes <= KEPT) /* those of this volume, and those of another kind from before */
        mtm_recycler_keep(s->recycler, (size_t)(2 * bytes));
}

static void set_direct(mtm_window_sum *s)
{
    bool whole = s->out.dtype == MTM_F32 && (uintptr_t)s->out.data % sizeof(float) == 0;

    for (int32_t d = 0; d < s->out.ndim; d++)
        whole = whole && s->out.stride[d] % (int64_t)sizeof(float) == 0;
    s->direct = whole && s->out.stride[s->out.ndim - 1] == (int64_t)sizeof(float);
    s->stream = s->stream && (s->direct || !s->in_place);
}

MTM_DEFINE_AUTO(mtm_window_sum, mtm_window_sum_free)

mtm_status mtm_window_sum_new(mtm_window_sum **out, const int64_t shape[3], int64_t classes,
                              const int64_t size[3], const mtm_window_options *opt, mtm_error *err)
{
    static const mtm_window_options defaults = {.struct_size = sizeof defaults};
    MTM_AUTO(mtm_window_sum) s = NULL;

    if (!opt)
        opt = &defaults;
    MTM_TRY(check(shape, classes, size, opt, err));
    if (!(s = mtm_alloc_zero(1, sizeof *s)))
        return MTM_NOMEM(err);
    if (opt->plan)
        s->plan = *opt->plan, s->planned = true;
    memcpy(s->shape, shape, sizeof s->shape);
    memcpy(s->size, size, sizeof s->size);
    s->classes = classes, s->argmax = opt->argmax, s->ordered = opt->ordered;
    s->in_place = same_place(opt);
    s->depth = s->ordered ? mtm_min_i64(size[0], shape[0]) : shape[0];
    mtm_window_kernels_init(&s->kernels, mtm_cpu_flags());
    s->pool = opt->pool, s->recycler = opt->recycler;
    MTM_TRY(mtm_window_axes_new(&s->weight, size, opt->weights, opt->sigma, err));
    keep_memory(s);
    MTM_TRY(make_out(s, opt->out, err));
    MTM_TRY(make_sums(s, err));
    set_direct(s);
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

/* Stores the planes below `upto`; at most a ring of them at a time, for those beyond have no slot of their own yet. */
static mtm_status advance(mtm_window_sum *s, int64_t upto, mtm_error *err)
{
    while (s->base < upto) {
        const int64_t n = mtm_min_i64(upto - s->base, s->depth);

        MTM_TRY(mtm_pool_for(s->pool, n, 1, mtm_window_finish_planes, s, NULL, err));
        s->base += n;
    }
    return MTM_OK;
}

/* ---- adding ------------------------------------------------------------------------------------------- */

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

static mtm_status check_planned(const mtm_window_sum *s, int64_t i, const int64_t start[3], mtm_error *err)
{
    int64_t want[3];

    if (!s->planned)
        return MTM_OK;
    if (i >= mtm_window_count(&s->plan))
        return mtm_fail(err, MTM_E_INVAL, -1, "all windows of the plan came already");
    mtm_window_start(&s->plan, i, want);
    if (!memcmp(want, start, sizeof want))
        return MTM_OK;
    return mtm_fail(err, MTM_E_INVAL, -1,
                    "window %" PRId64 " of the plan begins at %" PRId64 ", %" PRId64 ", %" PRId64
                    ", not at %" PRId64 ", %" PRId64 ", %" PRId64,
                    i, want[0], want[1], want[2], start[0], start[1], start[2]);
}

/* The next windows with one start along z, at most MTM_WINDOW_TERMS; how many. */
static mtm_status gather(window_group *g, int64_t n, const int64_t (*start)[3], const mtm_array *scores,
                         mtm_error *err)
{
    mtm_window_sum *const s = g->s;

    g->rows[0] = s->shape[1], g->rows[1] = 0;
    for (g->n = 0; g->n < MTM_WINDOW_TERMS && g->n < n && start[g->n][0] == start[0][0]; g->n++) {
        window_part *const p = &g->part[g->n];

        MTM_TRY(clip(s, p, start[g->n], err));
        MTM_TRY(check_planned(s, s->added + g->n, start[g->n], err));
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

/* What no window reaches after those of the plan that came up to number `next`. */
static void plan_done(window_group *g, const mtm_windows *w, int64_t next)
{
    const int64_t x = next % w->count[2], y = next / w->count[2] % w->count[1];
    const int64_t z = (next - 1) / (w->count[2] * w->count[1]) + 1; /* the next start along z */

    g->done = z < w->count[0] ? mtm_window_at(w, 0, z) : w->shape[0];
    g->whole_y = g->part_y = w->shape[1], g->part_x = 0;
    if (x == 0 && y == 0)
        return;
    g->whole_y = mtm_window_at(w, 1, y), g->part_x = mtm_max_i64(mtm_window_at(w, 2, x), 0);
    g->part_y = y + 1 < w->count[1] ? mtm_window_at(w, 1, y + 1) : w->shape[1];
}

/* Adds one group and finishes what only it reached; planes below `done` get no window after it. */
static mtm_status add_group(window_group *g, int64_t done, mtm_error *err)
{
    mtm_window_sum *const s = g->s;
    const int64_t first = g->part[0].at[0], end = first + g->part[0].n[0];

    if (s->planned) {
        plan_done(g, &s->plan, s->added + g->n);
    } else {
        MTM_TRY(advance(s, s->ordered ? first : mtm_min_i64(first, done), err));
        g->done = mtm_min_i64(done, end), g->whole_y = s->shape[1];
    }
    MTM_TRY(mtm_pool_for(s->pool, end - first, 1, mtm_window_add_planes, g, NULL, err));
    s->added += g->n;
    if (g->whole_y == s->shape[1])
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
    if (s->planned && s->added < mtm_window_count(&s->plan))
        return mtm_fail(err, MTM_E_INVAL, -1, "%" PRId64 " of the plan's %" PRId64 " windows came", s->added,
                        mtm_window_count(&s->plan));
    MTM_TRY(advance(s, s->shape[0], err));
    s->finished = true;
    *out = s->out;
    s->out = (mtm_array){0};
    mtm_array_drop(&s->sum);
    mtm_array_drop(&s->total);
    return MTM_OK;
}
