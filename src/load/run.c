/* load/run.c: runs one field of a planned sample through its chain, as lazily as the operators allow. What is pending is
 * kept in the order source → geometry → pointwise steps: geometric operators fuse into one map, pointwise ones into one
 * program, and both happen in one pass (a flush) that reads of the file only the box that the map touches. The result
 * equals running the operators one by one, up to the fusion of interpolations and float32 rounding; it does not depend on
 * whether the chain's deterministic prefix came from a cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "image/image.h"
#include "image/index.h"
#include "load/items.h"
#include "load/sample.h"
#include "op/op.h"
#include "op/pointwise.h"
#include "op/spatial/geometry.h"
#include "op/stats.h"

enum {
    PHANTOM = 1 << 30,
    PREFIX_STEPS =
        16 /* that may stay pending behind the prefix: the others must find room whether or not they do */
};

typedef struct running {
    mtm_sample *s;
    mtm_field_plan *f;
    mtm_exec *x;
    mtm_spec spec; /* of the picture as it stands, what is pending included */
    bool in_file;  /* nothing was read yet */
    bool whole;    /* the picture is the source itself, so its file's statistics are those of the picture */
    mtm_array now; /* not in_file: what the map reads, [C, Z, Y, X] */
    mtm_geometry g;
    mtm_pointwise p;
    int32_t fixed; /* so many of the pending steps are of the chain's deterministic prefix */
    bool plain; /* what is pending of the geometry behind the prefix moves whole voxels inside the picture */
} running;

/* ---- what commutes ------------------------------------------------------------------------------------ */

/* A one-channel picture that is never looked at, to ask what a map would make of it. */
static mtm_array phantom(const mtm_geometry *g)
{
    return (mtm_array){.data = (void *)(uintptr_t)PHANTOM,
                       .ndim = 4,
                       .dtype = MTM_U8,
                       .shape = {1, g->in_size[0], g->in_size[1], g->in_size[2]}};
}

/* The map moves whole voxels and never leaves its input. */
static bool is_inside_view(const mtm_geometry *g)
{
    const mtm_array in = phantom(g);
    mtm_array out;

    return g->kind == MTM_GEOMETRY_VIEW && mtm_geometry_view(g, &in, &out);
}

static bool gathers_nearest(const mtm_geometry *g)
{
    if (g->kind == MTM_GEOMETRY_AFFINE || g->kind == MTM_GEOMETRY_WARP)
        return g->interp == MTM_NEAREST;
    for (int i = 0; g->kind == MTM_GEOMETRY_RESAMPLE && i < 3; i++)
        if (g->axis[i].filter != MTM_FILTER_NEAREST)
            return false;
    return true;
}

/* Moving voxels after the steps equals the steps after moving voxels. What is drawn belongs to the voxel's number; a constant
 * border would be changed by the steps; interpolation weights sum to 1, so only linear steps pass through them. */
static bool steps_commute(const mtm_pointwise *p, const mtm_geometry *next)
{
    const bool nearest = gathers_nearest(next);

    if (p->n && next->kind != MTM_GEOMETRY_RESAMPLE && next->border == MTM_CONSTANT && !is_inside_view(next))
        return false;
    for (int32_t i = 0; i < p->n; i++)
        if (mtm_step_is_drawn(p->steps[i].kind) || (!nearest && p->steps[i].kind != MTM_STEP_LINEAR))
            return false;
    return true;
}

static bool pending(const running *r)
{
    return r->p.n || r->g.kind != MTM_GEOMETRY_VIEW || !is_inside_view(&r->g);
}

/* ---- flushing ----------------------------------------------------------------------------------------- */

/* `part` holds a box of the map's input that begins at start: the input itself, of which nothing else may be touched. */
static mtm_array as_whole(const mtm_array *part, const int64_t start[3], const int64_t size[3])
{
    mtm_array a = *part;
    uintptr_t at = (uintptr_t)a.data;

    for (int i = 0; i < 3; i++) {
        at -= (uintptr_t)(start[i] * a.stride[1 + i]);
        a.shape[1 + i] = size[i];
    }
    a.data = (void *)at;
    return a;
}

static void replace_now(running *r, const mtm_array *a)
{
    if (r->now.data != a->data || r->now.owner != a->owner)
        mtm_array_drop(&r->now);
    r->now = *a;
    r->in_file = false;
    r->p.n = r->fixed = 0;
    r->plain = true;
    mtm_geometry_identity(&r->g, &r->spec);
}

/* What the map needs of its input. */
static mtm_box need_of(const mtm_geometry *g)
{
    mtm_box out = {.ndim = 3}, need = {.ndim = 3};

    memcpy(out.size, g->out_size, sizeof g->out_size);
    mtm_geometry_need(g, &out, &need);
    for (int i = 0; i < 3; i++)
        if (need.size[i] < 1) /* only the border shows: any voxel will do */
            need.start[i] = 0, need.size[i] = 1;
    return need;
}

/* Reads what the map needs. *start: where in the map's input it begins. */
static mtm_status read_need(running *r, mtm_array *part, int64_t start[3], mtm_error *err)
{
    const mtm_box need = need_of(&r->g);

    memcpy(start, need.start, 3 * sizeof *start);
    *part = (mtm_array){0};
    return mtm_error_where(err, mtm_picture_read(&r->f->source, &need, r->x, &r->s->times, NULL, part, err),
                           mtm_field_place(r->f->item));
}

/* The same for one pass over it: where it lies in the file, if it does so (*looked), else read. */
static mtm_status look_need(running *r, mtm_array *part, int64_t start[3], bool *looked, mtm_error *err)
{
    const mtm_box need = need_of(&r->g);

    memcpy(start, need.start, 3 * sizeof *start);
    MTM_TRY(
        mtm_error_where(err, mtm_picture_look(&r->f->source, &need, part, err), mtm_field_place(r->f->item)));
    *looked = part->data != NULL;
    return *looked ? MTM_OK : read_need(r, part, start, err);
}

/* After the pass: a file that changed meanwhile is an error, whatever came of it. */
static mtm_status end_look(running *r, bool looked, mtm_status st, mtm_error *err)
{
    return looked && !st
               ? mtm_error_where(err, mtm_picture_looked(&r->f->source, err), mtm_field_place(r->f->item))
               : st;
}

/* Turns an inside view into strides. Nothing else may be pending. looked NULL: what `now` then is shall last; else it may lie
 * in the file (*looked) and serves for one pass. */
static mtm_status settle_view(running *r, bool *looked, mtm_error *err)
{
    int64_t start[3] = {0};
    mtm_array part = r->now, whole, view;

    if (r->in_file)
        MTM_TRY(looked ? look_need(r, &part, start, looked, err) : read_need(r, &part, start, err));
    whole = as_whole(&part, start, r->g.in_size);
    mtm_geometry_view(&r->g, &whole, &view);
    view.owner = part.owner;
    r->now = view;
    r->in_file = false;
    mtm_geometry_identity(&r->g, &r->spec);
    return MTM_OK;
}

/* An inside view that only crops and flips: the box can be read straight into its destination, `to` of which is *dst with
 * the flipped axes turned. */
static bool is_plain_move(const mtm_geometry *g, const mtm_array *to, mtm_box *box, mtm_array *dst)
{
    mtm_array in = phantom(g), out;

    *box = (mtm_box){.ndim = 3};
    *dst = *to;
    for (int i = 0; i < 3; i++) { /* one axis at a time, so that the offset tells the start */
        memset(in.stride, 0, sizeof in.stride);
        in.stride[1 + i] = 1;
        if (g->kind != MTM_GEOMETRY_VIEW || !mtm_geometry_view(g, &in, &out) || llabs(out.stride[1 + i]) != 1)
            return false;
        box->start[i] = (int64_t)((uintptr_t)out.data - PHANTOM);
        box->size[i] = g->out_size[i];
        if (out.stride[1 + i] > 0)
            continue;
        box->start[i] -= box->size[i] - 1;
        dst->data = (char *)dst->data + (box->size[i] - 1) * dst->stride[1 + i];
        dst->stride[1 + i] = -dst->stride[1 + i];
    }
    return true;
}

static mtm_status new_picture(running *r, mtm_array *out, mtm_error *err)
{
    const int64_t shape[4] = {r->spec.channels, r->spec.size[0], r->spec.size[1], r->spec.size[2]};

    return mtm_array_new(out, r->spec.dtype, 4, shape, r->x->recycler, err);
}

enum { STREAM_BYTES = 4 << 20 }; /* pictures from here on leave the caches before the network sees them */

/* Rows of whole cache lines on both sides, and many of them. */
static bool can_stream(const mtm_array *dst, const mtm_array *src)
{
    const int64_t size = (int64_t)mtm_dtype_size(dst->dtype), row = dst->shape[3] * size;

    return dst->dtype == src->dtype && dst->stride[3] == size && src->stride[3] == size && row % 64 == 0 &&
           (uintptr_t)dst->data % 64 == 0 && dst->stride[0] % 64 == 0 && dst->stride[1] % 64 == 0 &&
           dst->stride[2] % 64 == 0 && mtm_array_count(dst) * size >= STREAM_BYTES;
}

static mtm_status copy_picture(mtm_exec *x, mtm_array *dst, const mtm_array *src, mtm_error *err)
{
    const size_t row = (size_t)dst->shape[3] * mtm_dtype_size(dst->dtype);

    if (!can_stream(dst, src))
        return mtm_array_convert(dst, src, 1, 0, x->pool, err);
    for (int64_t c = 0; c < dst->shape[0]; c++)
        for (int64_t z = 0; z < dst->shape[1]; z++)
            x->kernels.copy.stream((char *)dst->data + c * dst->stride[0] + z * dst->stride[1],
                                   dst->stride[2],
                                   (const char *)src->data + c * src->stride[0] + z * src->stride[1],
                                   src->stride[2], row, dst->shape[2]);
    return MTM_OK;
}

/* Nothing but whole voxels that move, or steps besides: one pass over a view of the source. */
static mtm_status run_view(running *r, mtm_array *out, mtm_error *err)
{
    const bool steps = r->p.n > 0;
    const mtm_pointwise p = r->p;
    bool looked = false;
    int64_t began;
    mtm_status st;

    MTM_TRY(settle_view(r, &looked, err));
    began = mtm_now_ns();
    st = steps ? mtm_pointwise_apply(r->x, &p, &r->now, out, err) : copy_picture(r->x, out, &r->now, err);
    *(steps ? &r->x->intensity_ns : &r->x->geometry_ns) += mtm_now_ns() - began;
    return end_look(r, looked, st, err);
}

/* The pending work, into `out`. */
static mtm_status run_pending(running *r, mtm_array *out, mtm_error *err)
{
    int64_t start[3] = {0}, began;
    bool looked = false;
    mtm_array part = r->now, to;
    mtm_box box;
    mtm_status st;

    if (r->in_file && !r->p.n && is_plain_move(&r->g, out, &box, &to))
        return mtm_error_where(err, mtm_picture_read(&r->f->source, &box, r->x, &r->s->times, NULL, &to, err),
                               mtm_field_place(r->f->item));
    if (is_inside_view(&r->g))
        return run_view(r, out, err);
    if (r->in_file)
        MTM_TRY(look_need(r, &part, start, &looked, err));
    began = mtm_now_ns();
    st = mtm_geometry_run(r->x, &r->g, &part, start, r->spec.label, r->p.n ? &r->p : NULL, out, err);
    r->x->geometry_ns += mtm_now_ns() - began;
    if (r->in_file)
        mtm_array_drop(&part);
    return end_look(r, looked, st, err);
}

/* Makes the picture real: afterwards nothing is pending and `now` holds it. dst (may be NULL): where it shall lie. */
static mtm_status flush(running *r, mtm_array *dst, mtm_error *err)
{
    mtm_array out = {0};
    mtm_status st;

    if (!dst && !pending(r))
        return settle_view(r, NULL, err);
    if (dst)
        return run_pending(r, dst, err);
    MTM_TRY(new_picture(r, &out, err));
    st = run_pending(r, &out, err);
    if (st)
        mtm_array_drop(&out);
    else
        replace_now(r, &out);
    return st;
}

/* ---- the four kinds of steps -------------------------------------------------------------------------- */

static mtm_status step_geometry(running *r, const mtm_drawn *d, const mtm_spec *after, mtm_error *err)
{
    mtm_geometry next;

    MTM_TRY(d->op->geometry(d->args, &r->spec, &next, err));
    if (!steps_commute(&r->p, &next) || !mtm_geometry_fuse(&r->g, &next)) {
        MTM_TRY(flush(r, NULL, err));
        r->g = next;
    }
    r->plain = r->plain && is_inside_view(&next);
    r->whole = false;
    r->spec = *after;
    return MTM_OK;
}

static mtm_status from_image_stats(mtm_stats *st, const mtm_image_stats *s, mtm_error *err)
{
    if (!s->count && s->non_finite)
        return mtm_fail(err, MTM_E_INVAL, -1, "all %" PRId64 " voxels are NaN or infinite", s->non_finite);
    *st = (mtm_stats){.count = s->count,
                      .non_finite = s->non_finite,
                      .nonzero = s->nonzero,
                      .min = s->min,
                      .max = s->max,
                      .mean = s->mean,
                      .std = s->std,
                      .nonzero_mean = s->nonzero_mean,
                      .nonzero_std = s->nonzero_std};
    return MTM_OK;
}

/* Statistics of an untouched file: from what is known of it or the index remembers, else fused into reading the whole. */
static mtm_status file_stats(running *r, mtm_stats *st, mtm_error *err)
{
    const mtm_picture_source *const src = &r->f->source;
    mtm_box all = {.ndim = 3};
    mtm_image_stats s;
    mtm_array a = {0};

    if (src->stats)
        return from_image_stats(st, src->stats, err);
    if (!mtm_index_get_stats(src->image->index, &src->image->identity, &s)) {
        memcpy(all.size, src->spec.size, sizeof src->spec.size);
        MTM_TRY(mtm_error_where(err, mtm_picture_read(src, &all, r->x, &r->s->times, &s, &a, err),
                                mtm_field_place(r->f->item)));
        replace_now(r, &a);
    }
    return from_image_stats(st, &s, err);
}

/* Percentiles of an untouched file, with its other statistics: remembered by the index for the next time. */
static mtm_status file_percentiles(running *r, const mtm_stats_request *q, mtm_stats *st, mtm_error *err)
{
    const mtm_image *const im = r->f->source.image;
    const mtm_stats_request only = {.flags = MTM_STAT_PERCENTILES, .q = {q->q[0], q->q[1]}};
    mtm_stats found = {0};

    MTM_TRY(file_stats(r, st, err));
    if (mtm_index_get_percentiles(im->index, &im->identity, q->q, st->percentile))
        return MTM_OK;
    MTM_TRY(flush(r, NULL, err));
    MTM_TRY(mtm_op_stats(r->x, &r->now, &only, &found, err));
    st->percentile[0] = found.percentile[0], st->percentile[1] = found.percentile[1];
    mtm_index_put_percentiles(im->index, &im->identity, q->q, st->percentile);
    return MTM_OK;
}

static mtm_status statistics(running *r, const mtm_stats_request *q, mtm_stats *st, mtm_error *err)
{
    const uint32_t of_files = MTM_STAT_RANGE | MTM_STAT_MOMENTS | MTM_STAT_NONZERO;
    const uint32_t flags = r->spec.channels == 1 ? q->flags & ~(uint32_t)MTM_STAT_CHANNELS : q->flags;
    const mtm_picture_source *const src = &r->f->source;

    /* A range is the same by any way, and quickest by itself, unless an index may spare the next reading. */
    if (r->whole && !q->mask && !(flags & ~of_files) &&
        (src->stats || (r->in_file && (flags != MTM_STAT_RANGE || src->image->index))))
        return file_stats(r, st, err);
    if (r->whole && !q->mask && r->in_file && src->image->index &&
        !(flags & ~(of_files | MTM_STAT_PERCENTILES)))
        return file_percentiles(r, q, st, err);
    MTM_TRY(flush(r, NULL, err));
    return mtm_op_stats(r->x, &r->now, q, st, err);
}

/* ---- statistics of what linear steps will make of a picture, without making it -------------------------- */

/* Whether it may be so is a matter of the steps behind the prefix alone, so that a cache changes nothing. */
static bool sees_through(const running *r, const mtm_stats_request *q)
{
    const uint32_t flags = r->spec.channels == 1 ? q->flags & ~(uint32_t)MTM_STAT_CHANNELS : q->flags;

    if (!flags || q->mask || flags & ~(uint32_t)(MTM_STAT_RANGE | MTM_STAT_MOMENTS) || !r->plain ||
        r->p.n == r->fixed)
        return false;
    for (int32_t i = r->fixed; i < r->p.n; i++)
        if (r->p.steps[i].kind != MTM_STEP_LINEAR || r->p.steps[i].channel >= 0)
            return false;
    return true;
}

/* The prefix and the geometry become real; the steps behind the prefix stay pending. */
static mtm_status settle_prefix(running *r, mtm_error *err)
{
    const mtm_pointwise all = r->p;
    const int32_t fixed = r->fixed;

    r->p.n = fixed;
    MTM_TRY(flush(r, NULL, err));
    r->p.n = all.n - fixed;
    memcpy(r->p.steps, all.steps + fixed, (size_t)r->p.n * sizeof *r->p.steps);
    r->fixed = 0;
    return MTM_OK;
}

/* As the kernel computes it, so that the ends of the range are those voxels' values to the bit. */
static double linear_at(const mtm_step *s, double x)
{
    return ((float)x - s->c) * s->a + s->b;
}

static void stats_after(mtm_stats *st, const mtm_step *s)
{
    const double lo = linear_at(s, st->min), hi = linear_at(s, st->max);

    st->min = lo < hi ? lo : hi, st->max = lo < hi ? hi : lo;
    st->mean = (st->mean - (double)s->c) * (double)s->a + (double)s->b;
    st->std *= s->a < 0 ? -(double)s->a : (double)s->a;
}

static mtm_status stats_through(running *r, const mtm_stats_request *q, mtm_stats *st, mtm_error *err)
{
    mtm_stats_request all = *q;

    all.flags = (q->flags & ~(uint32_t)MTM_STAT_CHANNELS) | MTM_STAT_RANGE;
    MTM_TRY(settle_prefix(r, err));
    MTM_TRY(mtm_op_stats(r->x, &r->now, &all, st, err));
    for (int32_t i = 0; st->count && i < r->p.n; i++)
        stats_after(st, &r->p.steps[i]);
    if (isfinite(st->min) && isfinite(st->max))
        return MTM_OK;
    MTM_TRY(flush(r, NULL, err)); /* too large for float32 */
    return mtm_op_stats(r->x, &r->now, q, st, err);
}

static mtm_status step_pointwise(running *r, const mtm_drawn *d, const mtm_spec *after, mtm_error *err)
{
    const bool rounds = r->g.kind != MTM_GEOMETRY_VIEW && !r->p.n && r->spec.dtype != MTM_F32;
    mtm_stats_request q = {0};
    MTM_AUTO_MEM mtm_stats *many = NULL;
    mtm_stats one = {0};

    bool through;

    if (d->op->stats)
        d->op->stats(d->args, &q);
    through = !rounds && sees_through(r, &q);
    if (q.flags & MTM_STAT_CHANNELS && r->spec.channels > 1) {
        many = mtm_alloc_zero((size_t)r->spec.channels, sizeof *many);
        if (!many)
            return MTM_NOMEM(err);
    }
    /* A picture that is not float32 is rounded by its interpolation before its values are changed. */
    if (rounds || (q.flags && pending(r) && !through) || r->p.n - r->fixed > MTM_MAX_STEPS / 2)
        MTM_TRY(flush(r, NULL, err));
    if (q.flags)
        MTM_TRY(through ? stats_through(r, &q, &one, err) : statistics(r, &q, many ? many : &one, err));
    MTM_TRY(d->op->steps(d->args, &r->spec, many ? many : &one, &r->p, err));
    r->whole = false;
    r->spec = *after;
    return MTM_OK;
}

/* A random operator that does not act: only the dtype may change. */
static mtm_status step_idle(running *r, const mtm_op *op, const void *args, mtm_error *err)
{
    mtm_spec after;

    MTM_TRY(mtm_op_infer(op, args, &r->spec, &after, err));
    if (after.dtype != r->spec.dtype && pending(r)) /* rounded to what it was */
        MTM_TRY(flush(r, NULL, err));
    r->spec.dtype = after.dtype;
    return MTM_OK;
}

/* dst: where the result shall lie; NULL: in new memory. */
static mtm_status step_filter(running *r, const mtm_drawn *d, const mtm_spec *after, mtm_array *dst,
                              mtm_error *err)
{
    const mtm_spec before = r->spec;
    mtm_array out = {0};
    int64_t began;
    mtm_status st;

    MTM_TRY(flush(r, NULL, err));
    r->spec = *after;
    if (!dst)
        MTM_TRY(new_picture(r, &out, err));
    began = mtm_now_ns();
    st = d->op->run(r->x, d->args, &before, &r->now, dst ? dst : &out, err);
    r->x->intensity_ns += mtm_now_ns() - began;
    if (dst)
        return st;
    if (st)
        mtm_array_drop(&out);
    else
        replace_now(r, &out);
    r->whole = false;
    return st;
}

/* ---- steps drawn for every channel by itself: each sees its channel as a picture of one ------------------ */

static mtm_array channel_of(const mtm_array *a, int64_t c)
{
    mtm_array v = *a;

    v.owner = NULL, v.shape[0] = 1;
    v.data = (char *)v.data + c * a->stride[0];
    return v;
}

/* Appends what one channel runs to the program. Nothing of that channel is pending when statistics are wanted. */
static mtm_status channel_steps(running *r, const mtm_op *op, const void *args, int64_t c, mtm_error *err)
{
    const mtm_array part = channel_of(&r->now, c);
    mtm_spec one = r->spec;
    mtm_stats_request q = {0};
    mtm_stats st = {0};
    mtm_pointwise p;

    one.channels = 1, p.n = 0;
    if (op->stats)
        op->stats(args, &q);
    q.flags &= ~(uint32_t)MTM_STAT_CHANNELS;
    if (q.flags)
        MTM_TRY(mtm_op_stats(r->x, &part, &q, &st, err));
    MTM_TRY(op->steps(args, &one, &st, &p, err));
    if (r->p.n - r->fixed + p.n > MTM_MAX_STEPS - PREFIX_STEPS)
        MTM_TRY(flush(r, NULL, err));
    for (int32_t i = 0; i < p.n; i++) {
        p.steps[i].channel = (int32_t)c;
        p.steps[i].origin += c * one.size[0] * one.size[1] * one.size[2];
        MTM_TRY(mtm_pointwise_add(&r->p, &p.steps[i], err));
    }
    return MTM_OK;
}

static mtm_status pointwise_channels(running *r, const mtm_drawn *d, mtm_error *err)
{
    const bool rounds = r->g.kind != MTM_GEOMETRY_VIEW && !r->p.n && r->spec.dtype != MTM_F32;

    if (rounds || d->op->stats || r->p.n - r->fixed > MTM_MAX_STEPS / 2)
        MTM_TRY(flush(r, NULL, err));
    for (int64_t c = 0; c < r->spec.channels; c++)
        if (mtm_drawn_channel(d, c))
            MTM_TRY(channel_steps(r, d->op, mtm_drawn_channel(d, c), c, err));
    r->whole = false;
    r->spec.dtype = r->f->label ? r->spec.dtype : MTM_F32;
    return MTM_OK;
}

static mtm_status run_channels(running *r, const mtm_drawn *d, const mtm_spec *before, mtm_array *out,
                               mtm_error *err)
{
    mtm_spec one = *before;

    one.channels = 1;
    for (int64_t c = 0; c < before->channels; c++) {
        const mtm_array in = channel_of(&r->now, c);
        const void *const args = mtm_drawn_channel(d, c);
        mtm_array to = channel_of(out, c);

        MTM_TRY(args ? d->op->run(r->x, args, &one, &in, &to, err)
                     : mtm_array_convert(&to, &in, 1, 0, r->x->pool, err));
    }
    return MTM_OK;
}

static mtm_status filter_channels(running *r, const mtm_drawn *d, mtm_array *dst, mtm_error *err)
{
    const mtm_spec before = r->spec;
    mtm_array out = {0};
    mtm_status st;

    MTM_TRY(flush(r, NULL, err));
    if (dst)
        return run_channels(r, d, &before, dst, err);
    r->spec.dtype = r->f->label ? r->spec.dtype : MTM_F32;
    MTM_TRY(new_picture(r, &out, err));
    st = run_channels(r, d, &before, &out, err);
    if (st)
        mtm_array_drop(&out);
    else
        replace_now(r, &out);
    r->whole = false;
    return st;
}

/* ---- walking the chain -------------------------------------------------------------------------------- */

/* Between the prefix and the rest, what is pending may be kept lazy only where that gives the bytes that a stored prefix (a
 * cache's) gives. Moving whole voxels of a resampled picture does; coordinates of a fused affine map round differently. */
static mtm_status leave_prefix(running *r, mtm_error *err)
{
    bool real = r->g.kind == MTM_GEOMETRY_AFFINE || r->g.kind == MTM_GEOMETRY_WARP || r->f->warped ||
                r->p.n > PREFIX_STEPS;

    for (int32_t i = 0; i < r->p.n;
         i++) /* noise stays with its voxels: a move behind it would end the program */
        real |= mtm_step_is_drawn(r->p.steps[i].kind);
    if (real)
        MTM_TRY(flush(r, NULL, err));
    r->fixed = r->p.n;
    r->plain = true;
    return MTM_OK;
}

/* The last step before `end` that changes the field; −1: none. */
static int32_t last_step(const mtm_sample *s, const mtm_field_plan *f, int32_t end)
{
    int32_t i = end - 1;

    while (i >= f->first && !(s->drawn[i].op && mtm_chain_applies(&s->chain->steps[i], s->drawn[i].op,
                                                                  f->item->name, f->label)))
        i--;
    return i;
}

/* *done: the step has written into dst itself. */
static mtm_status take_step(running *r, int32_t i, mtm_array *dst, bool *done, mtm_error *err)
{
    const mtm_drawn *const d = &r->s->drawn[i];
    const mtm_chain_step *const step = &r->s->chain->steps[i];
    mtm_spec after;

    if (!step->op || !mtm_chain_applies(step, d->op, r->f->item->name, r->f->label))
        return MTM_OK;
    if (!d->op)
        return step_idle(r, step->op, step->args, err);
    if (d->n_channels) {
        *done = dst && d->op->kind == MTM_OP_FILTER;
        return d->op->kind == MTM_OP_POINTWISE ? pointwise_channels(r, d, err)
                                               : filter_channels(r, d, dst, err);
    }
    MTM_TRY(mtm_op_infer(d->op, d->args, &r->spec, &after, err));
    if (d->op->kind == MTM_OP_GEOMETRY)
        return step_geometry(r, d, &after, err);
    if (d->op->kind == MTM_OP_POINTWISE)
        return step_pointwise(r, d, &after, err);
    *done = dst != NULL;
    return step_filter(r, d, &after, dst, err);
}

static mtm_status walk(running *r, int32_t end, mtm_array *dst, bool *done, mtm_error *err)
{
    const mtm_sample *const s = r->s;
    const int32_t prefix = mtm_chain_prefix(s->chain), last = last_step(s, r->f, end);

    for (int32_t i = r->f->first; i < end; i++) {
        if (r->x->cancel && atomic_load_explicit(r->x->cancel, memory_order_relaxed))
            return mtm_fail(err, MTM_E_CANCELLED, -1, "cancelled");
        if (i == prefix && i > r->f->first)
            MTM_TRY(leave_prefix(r, err));
        MTM_TRY(mtm_error_where(err, take_step(r, i, i == last ? dst : NULL, done, err),
                                s->chain->steps[i].op ? s->chain->steps[i].op->name : "function"));
    }
    return MTM_OK;
}

static mtm_status run_to(running *r, int32_t end, mtm_array *dst, mtm_error *err)
{
    bool done = false;

    mtm_geometry_identity(&r->g, &r->spec);
    MTM_TRY(walk(r, end, dst && dst->data ? dst : NULL, &done, err));
    if (done)
        return MTM_OK;
    return flush(r, dst && dst->data ? dst : NULL, err);
}

mtm_status mtm_sample_run(mtm_sample *s, int32_t field, int32_t end, mtm_array *dst, mtm_error *err)
{
    mtm_field_plan *const f = &s->fields[field];
    running r = {.s = s,
                 .f = f,
                 .x = s->x,
                 .spec = f->source.spec,
                 .in_file = f->source.image != NULL,
                 .whole = true,
                 .plain = true,
                 .now = f->source.array};
    mtm_status st;

    r.now.owner = NULL;
    st = run_to(&r, end, dst, err);
    if (st || dst->data)
        mtm_array_drop(&r.now);
    else
        *dst = r.now;
    return st;
}

/* ---- foreign functions -------------------------------------------------------------------------------- */

/* The result of a function becomes the field's source. */
static mtm_status adopt(mtm_field_plan *f, const mtm_array *made, int32_t step, mtm_error *err)
{
    mtm_array view;

    if (!made->data)
        return mtm_fail(err, MTM_E_INVAL, -1, "the function returned no array");
    MTM_TRY(mtm_as_czyx(&view, made, err));
    mtm_image_close(f->source.image);
    mtm_array_drop(&f->held);
    f->held = *made;
    f->source.image = NULL, f->source.stats = NULL, f->source.array = view;
    f->spec.dtype = made->dtype, f->spec.channels = view.shape[0];
    memcpy(f->spec.size, &view.shape[1], sizeof f->spec.size);
    f->source.spec = f->spec;
    f->first = step + 1;
    f->moved = true;
    return MTM_OK;
}

mtm_status mtm_sample_apply(mtm_sample *s, int32_t field, int32_t step, mtm_error *err)
{
    const mtm_chain_step *const c = &s->chain->steps[step];
    mtm_field_plan *const f = &s->fields[field];
    const int64_t shape[4] = {f->spec.channels, f->spec.size[0], f->spec.size[1], f->spec.size[2]};
    mtm_array in = {0}, made = {0};
    int64_t began;
    mtm_status st;

    MTM_TRY(mtm_array_new(&in, f->label ? f->spec.dtype : MTM_F32, 4, shape, s->x->recycler, err));
    st = mtm_sample_run(s, field, step, &in, err);
    began = mtm_now_ns();
    if (!st)
        st = mtm_error_where(err, c->fn(c->user, &in, &made, err), "function");
    s->times.apply_ns += mtm_now_ns() - began;
    mtm_array_drop(&in);
    if (!st)
        st = mtm_error_where(err, adopt(f, &made, step, err), "function");
    if (st)
        mtm_array_drop(&made);
    return st;
}
