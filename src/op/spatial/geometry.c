/* op/spatial/geometry.c: the algebra of geometric maps: composing, what part of the input they need, what they do to the affine.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/geometry.h"

#include "base/size.h"
#include "op/spatial/matrix.h"

/* Arrays are [Z, Y, X], matrices (x, y, z): axis a of the one is row 2 − a of the other. */

void mtm_geometry_identity(mtm_geometry *g, const mtm_spec *spec)
{
    *g = (mtm_geometry){.kind = MTM_GEOMETRY_VIEW, .interp = MTM_LINEAR, .border = MTM_EDGE};
    for (int i = 0; i < 3; i++) {
        g->in_size[i] = g->out_size[i] = g->clip_size[i] = spec->size[i];
        g->from[i] = i;
        g->m[5 * i] = 1;
    }
}

/* Whole voxels are exact in float64 only up to here. */
#define WHOLE_VOXELS_MAX 0x1p52

static bool matrix_axes(const double m[12], mtm_view_axes *v)
{
    bool taken[3] = {false, false, false};

    for (int a = 0; a < 3; a++) {
        const double *const row = m + 4 * (2 - a), t = row[3];
        int column = -1;

        for (int j = 0; j < 3; j++) {
            if (row[j] == 0)
                continue;
            if (column >= 0 || fabs(row[j]) != 1)
                return false;
            column = j;
        }
        if (column < 0 || taken[column] || t != nearbyint(t) || fabs(t) > WHOLE_VOXELS_MAX)
            return false;
        taken[column] = true;
        v->axis[a] = 2 - column;
        v->sign[a] = row[column] > 0 ? 1 : -1;
        v->shift[a] = (int64_t)t - (row[column] < 0); /* [i, i + 1) reversed is (t − i − 1, t − i] */
    }
    return true;
}

bool mtm_geometry_axes(const mtm_geometry *g, mtm_view_axes *v)
{
    return g->kind == MTM_GEOMETRY_VIEW && matrix_axes(g->m, v);
}

void mtm_geometry_affine(mtm_geometry *g, const mtm_spec *spec, const int64_t out_size[3], const double m[12],
                         mtm_interp interp, mtm_border border, double value)
{
    mtm_view_axes v;

    mtm_geometry_identity(g, spec);
    memcpy(g->m, m, sizeof g->m);
    for (int i = 0; i < 3; i++)
        g->out_size[i] = out_size[i];
    g->kind = matrix_axes(m, &v) ? MTM_GEOMETRY_VIEW : MTM_GEOMETRY_AFFINE;
    g->interp = interp, g->border = border, g->value = value;
}

double mtm_displacement_bound(const mtm_displacement *d, int a)
{
    double most = 0;

    if (d->kind != MTM_DISPLACE_GRID) /* the weights of both sum to 1 */
        return fabs(d->amplitude[a]);
    for (int k = 0; k < d->nodes[a]; k++)
        most = fmax(most, fabs(d->node[a][k]));
    return most;
}

void mtm_geometry_warp(mtm_geometry *g, const mtm_spec *spec, const mtm_displacement *d, mtm_interp interp,
                       mtm_border border, double value)
{
    mtm_geometry_identity(g, spec);
    g->interp = interp, g->border = border, g->value = value;
    memcpy(g->before, g->m, sizeof g->before);
    g->displace = *d;
    for (int a = 0; a < 3; a++)
        if (mtm_displacement_bound(d, a) > 0)
            g->kind = MTM_GEOMETRY_WARP;
}

/* The input's part that a VIEW's output grid lies on, borders not regarded. */
static void view_box(const mtm_geometry *g, const mtm_view_axes *v, const mtm_box *out, mtm_box *in)
{
    in->ndim = 3;
    for (int a = 0; a < 3; a++) {
        const int64_t first = out ? out->start[v->axis[a]] : 0;
        const int64_t n = out ? out->size[v->axis[a]] : g->out_size[v->axis[a]];

        in->start[a] = v->shift[a] + (v->sign[a] > 0 ? first : 1 - first - n);
        in->size[a] = n;
    }
}

static bool in_clip(const mtm_geometry *g, const mtm_box *b)
{
    for (int a = 0; a < 3; a++)
        if (b->start[a] < g->clip_start[a] || b->start[a] + b->size[a] > g->clip_start[a] + g->clip_size[a])
            return false;
    return true;
}

/* A VIEW that reads existing voxels only. */
static bool is_plain_view(const mtm_geometry *g)
{
    mtm_view_axes v;
    mtm_box b;

    if (!mtm_geometry_axes(g, &v))
        return false;
    view_box(g, &v, NULL, &b);
    return in_clip(g, &b);
}

static bool covers_clip(const mtm_geometry *g)
{
    mtm_view_axes v;
    mtm_box b;

    if (!mtm_geometry_axes(g, &v))
        return false;
    view_box(g, &v, NULL, &b);
    for (int a = 0; a < 3; a++)
        if (b.start[a] > g->clip_start[a] || b.start[a] + b.size[a] < g->clip_start[a] + g->clip_size[a])
            return false;
    return true;
}

static bool same_border(const mtm_geometry *a, const mtm_geometry *b)
{
    return a->border == b->border && (a->border != MTM_CONSTANT || a->value == b->value);
}

/* ---- fusing ------------------------------------------------------------------------------------------- */

static void set_out(mtm_geometry *g, const mtm_geometry *next)
{
    for (int i = 0; i < 3; i++)
        g->out_size[i] = next->out_size[i];
}

/* At most one of the two is a WARP. */
static void compose(mtm_geometry *g, const mtm_geometry *next)
{
    double *const m = g->kind == MTM_GEOMETRY_WARP ? g->before : g->m;

    mtm_matrix_multiply(m, next->m, m);
    set_out(g, next);
    if (next->kind == MTM_GEOMETRY_WARP) {
        memcpy(g->before, next->before, sizeof g->before);
        g->displace = next->displace;
    }
    if (g->kind == MTM_GEOMETRY_VIEW || next->kind == MTM_GEOMETRY_WARP)
        g->kind = next->kind;
}

static void adopt_border(mtm_geometry *g, const mtm_geometry *next)
{
    g->interp = next->interp, g->border = next->border, g->value = next->value;
}

/* A plain view before: the borders of `next` lie at the edge of what the view shows. */
static void fuse_after_plain_view(mtm_geometry *g, const mtm_geometry *next, const mtm_view_axes *v)
{
    mtm_box shown, clip = {.ndim = 3};

    for (int a = 0; a < 3; a++)
        clip.start[a] = next->clip_start[a], clip.size[a] = next->clip_size[a];
    view_box(g, v, &clip, &shown);
    for (int a = 0; a < 3; a++)
        g->clip_start[a] = shown.start[a], g->clip_size[a] = shown.size[a];
    compose(g, next);
    adopt_border(g, next);
    g->cut = next->cut;
}

static void flip_axis(mtm_resample_axis *r, int64_t end)
{
    r->in_start = end - r->in_start - r->in_size;
    r->lo = (double)end - r->lo;
    r->scale = -r->scale;
}

static void fuse_resample_after_view(mtm_geometry *g, const mtm_geometry *next, const mtm_view_axes *v)
{
    mtm_geometry r = *next;

    for (int a = 0; a < 3; a++) { /* input axis a is axis v->axis[a] of what `next` sees */
        r.axis[a] = next->axis[v->axis[a]];
        if (v->sign[a] > 0)
            r.axis[a].in_start += v->shift[a], r.axis[a].lo += (double)v->shift[a];
        else
            flip_axis(&r.axis[a], v->shift[a] + 1);
        for (int i = 0; i < 3; i++)
            if (next->from[i] == v->axis[a])
                r.from[i] = a;
    }
    for (int a = 0; a < 3; a++) {
        r.in_size[a] = g->in_size[a];
        r.clip_start[a] = r.axis[a].in_start, r.clip_size[a] = r.axis[a].in_size;
    }
    *g = r;
}

static bool fuse_view_after_resample(mtm_geometry *g, const mtm_geometry *next, const mtm_view_axes *v)
{
    mtm_geometry r = *g;

    if (!is_plain_view(next))
        return false;
    for (int a = 0; a < 3; a++) {
        mtm_resample_axis *const x = &r.axis[g->from[a]];

        r.from[v->axis[a]] = g->from[a];
        x->first += x->step * v->shift[a];
        x->step *= v->sign[a];
        x->count = next->out_size[v->axis[a]];
    }
    set_out(&r, next);
    *g = r;
    return true;
}

/* An axis that only moves whole voxels is the same under every filter. */
static bool is_whole(const mtm_resample_axis *r)
{
    return fabs(r->scale) == 1 && r->lo == nearbyint(r->lo);
}

/* Linear and nearest filters that do not widen are an affine map with its border at the edge. */
static bool affine_from_resample(const mtm_geometry *g, mtm_geometry *out)
{
    mtm_geometry r = *g;
    bool linear = false, nearest = false;

    for (int a = 0; a < 3; a++) {
        const mtm_resample_axis *const x = &g->axis[a];
        const bool wide = x->antialias && fabs(x->scale) > 1;

        r.clip_start[a] = x->in_start, r.clip_size[a] = x->in_size;
        r.cut = r.cut || x->count != x->n_out;
        if (is_whole(x))
            continue;
        if (x->filter != MTM_FILTER_NEAREST && (x->filter != MTM_FILTER_LINEAR || wide))
            return false;
        linear = linear || x->filter == MTM_FILTER_LINEAR;
        nearest = nearest || x->filter == MTM_FILTER_NEAREST;
    }
    if (linear && nearest)
        return false;
    mtm_geometry_matrix(g, r.m);
    r.kind = MTM_GEOMETRY_AFFINE, r.border = MTM_EDGE, r.value = 0;
    r.interp = nearest ? MTM_NEAREST : MTM_LINEAR;
    *out = r;
    return true;
}

static bool covers_input(const mtm_geometry *g)
{
    for (int a = 0; a < 3; a++)
        if (g->clip_start[a] > 0 || g->clip_size[a] < g->in_size[a])
            return false;
    return true;
}

/* Of AFFINE and WARP. */
static bool fuse_affine_affine(mtm_geometry *g, const mtm_geometry *next)
{
    if (g->interp != next->interp || !same_border(g, next) || g->cut || !covers_input(next) ||
        (g->kind == MTM_GEOMETRY_WARP && next->kind == MTM_GEOMETRY_WARP))
        return false;
    compose(g, next);
    g->cut = next->cut;
    return true;
}

static bool fuse_view_view(mtm_geometry *g, const mtm_geometry *next)
{
    mtm_view_axes v;

    if (mtm_geometry_axes(g, &v) && is_plain_view(g)) {
        fuse_after_plain_view(g, next, &v);
        return true;
    }
    if (is_plain_view(next)) { /* voxels of the padded picture are moved: its border stays */
        compose(g, next);
        return true;
    }
    /* Padding around padding, or around an interpolated picture: the same when nothing was cropped between. */
    if (!same_border(g, next) || !covers_clip(g) || !covers_input(next) ||
        (g->border != MTM_EDGE && g->border != MTM_CONSTANT))
        return false;
    compose(g, next);
    return true;
}

static bool fuse_affine_after_view(mtm_geometry *g, const mtm_geometry *next)
{
    mtm_view_axes v;

    if (mtm_geometry_axes(g, &v) && is_plain_view(g)) {
        fuse_after_plain_view(g, next, &v);
        return true;
    }
    /* A padded picture: its padding is what the border gives, except to a B-spline, which sees where it begins. */
    if (!same_border(g, next) || !covers_clip(g) || !covers_input(next) || next->interp == MTM_CUBIC ||
        (g->border != MTM_EDGE && g->border != MTM_CONSTANT))
        return false;
    compose(g, next);
    g->interp = next->interp, g->cut = next->cut;
    return true;
}

static bool fuse_view_after_affine(mtm_geometry *g, const mtm_geometry *next)
{
    mtm_view_axes v;

    if (!mtm_geometry_axes(next, &v) || !is_plain_view(next))
        return false;
    compose(g, next);
    for (int a = 0; a < 3; a++) /* fewer voxels than before: a crop */
        g->cut = g->cut || next->out_size[v.axis[a]] != next->in_size[a];
    return true;
}

static bool fuse_with_resample(mtm_geometry *g, const mtm_geometry *next)
{
    mtm_geometry a = *g, b = *next;
    mtm_view_axes v;

    if (next->kind == MTM_GEOMETRY_VIEW)
        return mtm_geometry_axes(next, &v) && fuse_view_after_resample(g, next, &v);
    if (g->kind == MTM_GEOMETRY_VIEW) {
        if (!mtm_geometry_axes(g, &v) || !is_plain_view(g))
            return false;
        fuse_resample_after_view(g, next, &v);
        return true;
    }
    if (g->kind == next->kind)
        return false;
    if ((g->kind == MTM_GEOMETRY_RESAMPLE && !affine_from_resample(g, &a)) ||
        (next->kind == MTM_GEOMETRY_RESAMPLE && !affine_from_resample(next, &b)))
        return false;
    if (!fuse_affine_affine(&a, &b))
        return false;
    *g = a;
    return true;
}

bool mtm_geometry_fuse(mtm_geometry *g, const mtm_geometry *next)
{
    if (g->kind == MTM_GEOMETRY_RESAMPLE || next->kind == MTM_GEOMETRY_RESAMPLE)
        return fuse_with_resample(g, next);
    if (g->kind == MTM_GEOMETRY_VIEW)
        return next->kind == MTM_GEOMETRY_VIEW ? fuse_view_view(g, next) : fuse_affine_after_view(g, next);
    return next->kind == MTM_GEOMETRY_VIEW ? fuse_view_after_affine(g, next) : fuse_affine_affine(g, next);
}

/* ---- matrix, affine ----------------------------------------------------------------------------------- */

void mtm_geometry_matrix(const mtm_geometry *g, double m[12])
{
    if (g->kind != MTM_GEOMETRY_RESAMPLE) {
        memcpy(m, g->m, sizeof g->m);
        if (g->kind == MTM_GEOMETRY_WARP)
            mtm_matrix_multiply(g->m, g->before, m);
        return;
    }
    memset(m, 0, 12 * sizeof *m);
    for (int i = 0; i < 3; i++) {
        const int a = g->from[i];
        const mtm_resample_axis *const r = &g->axis[a];

        m[4 * (2 - a) + 2 - i] = r->step * r->scale;
        m[4 * (2 - a) + 3] = r->lo + ((double)r->first + 0.5 - 0.5 * r->step) * r->scale;
    }
}

void mtm_geometry_move_affine(const mtm_geometry *g, const double in[16], double out[16])
{
    double m[12], r[12];

    mtm_geometry_matrix(g, m);
    for (int i = 0; i < 3; i++) /* from continuous coordinates to numbers of voxels */
        m[4 * i + 3] += 0.5 * (m[4 * i] + m[4 * i + 1] + m[4 * i + 2]) - 0.5;
    mtm_matrix_multiply(in, m, r);
    memcpy(out, r, sizeof r);
    memcpy(out + 12, (const double[4]){0, 0, 0, 1}, 4 * sizeof *out);
}

/* ---- need --------------------------------------------------------------------------------------------- */

/* How far a cubic tap's prefilter reaches: the pole's 20th power is 4·10⁻¹². */
enum { SPLINE_HALO = 20 };

/* Voxels [lo, hi] of an axis, cut to the clip [start, start + n) as the border folds them. least: taps side by side that
 * are read even where a coordinate is clamped. */
static void fold_range(mtm_border border, int64_t lo, int64_t hi, int64_t start, int64_t n, int64_t least,
                       int64_t *first, int64_t *size)
{
    const int64_t last = start + n - 1;

    if (border == MTM_CONSTANT && (hi < start || lo > last)) {
        *first = start, *size = 0;
        return;
    }
    if ((lo < start || hi > last) && border != MTM_EDGE && border != MTM_CONSTANT)
        lo = start, hi = last;
    lo = mtm_clamp_i64(lo, start, mtm_max_i64(last - least + 1, start));
    hi = mtm_clamp_i64(hi, mtm_min_i64(start + least - 1, last), last);
    *first = lo, *size = hi - lo + 1;
}

static int64_t to_voxel(double c)
{
    return c > -WHOLE_VOXELS_MAX ? c < WHOLE_VOXELS_MAX ? (int64_t)floor(c) : (int64_t)WHOLE_VOXELS_MAX
                                 : -(int64_t)WHOLE_VOXELS_MAX;
}

double mtm_geometry_reach(const mtm_geometry *g, int a)
{
    double sum = 0;

    for (int j = 0; g->kind == MTM_GEOMETRY_WARP && j < 3; j++)
        sum += fabs(g->m[4 * a + j]) * mtm_displacement_bound(&g->displace, j);
    return sum * (1 + 1e-6); /* the field is float32 */
}

static void need_affine(const mtm_geometry *g, const mtm_box *out, mtm_box *in)
{
    const double shift = g->interp == MTM_NEAREST ? 0 : 0.5, slack = g->kind == MTM_GEOMETRY_VIEW ? 0 : 1e-6;
    const int64_t before = g->kind == MTM_GEOMETRY_VIEW || g->interp != MTM_CUBIC ? 0 : SPLINE_HALO;
    const int64_t after = g->kind == MTM_GEOMETRY_VIEW || g->interp == MTM_NEAREST ? 0
                          : g->interp == MTM_LINEAR                                ? 1
                                                                                   : SPLINE_HALO + 1;

    double m[12];

    mtm_geometry_matrix(g, m);
    for (int a = 0; a < 3; a++) {
        const double *const row = m + 4 * (2 - a);
        double lo = row[3], hi = row[3];

        for (int j = 0; j < 3; j++) {
            const double p = row[j] * ((double)out->start[2 - j] + 0.5);
            const double q = row[j] * ((double)(out->start[2 - j] + out->size[2 - j]) - 0.5);

            lo += fmin(p, q), hi += fmax(p, q);
        }
        lo -= mtm_geometry_reach(g, 2 - a), hi += mtm_geometry_reach(g, 2 - a);
        if (g->kind != MTM_GEOMETRY_VIEW)
            lo -= shift + slack * (1 + fabs(lo) * 1e-6), hi += -shift + slack * (1 + fabs(hi) * 1e-6);
        fold_range(g->border, to_voxel(lo) - before, to_voxel(hi) + after, g->clip_start[a], g->clip_size[a],
                   1 + after, &in->start[a], &in->size[a]);
    }
}

static void need_resample(const mtm_geometry *g, const mtm_box *out, mtm_box *in)
{
    for (int i = 0; i < 3; i++) {
        const int a = g->from[i];
        mtm_resample_axis part = g->axis[a];
        int64_t low, high;

        part.first += part.step * out->start[i];
        part.count = out->size[i];
        mtm_resample_range(&part, &low, &high);
        in->start[a] = low, in->size[a] = high - low;
    }
}

void mtm_geometry_need(const mtm_geometry *g, const mtm_box *out, mtm_box *in)
{
    mtm_box b = {.ndim = 3};
    bool empty = false;

    for (int a = 0; a < 3; a++)
        empty = empty || out->size[a] <= 0;
    if (!empty && g->kind == MTM_GEOMETRY_RESAMPLE)
        need_resample(g, out, &b);
    else if (!empty)
        need_affine(g, out, &b);
    for (int a = 0; a < 3; a++)
        empty = empty || b.size[a] <= 0;
    for (int a = 0; empty && a < 3; a++)
        b.start[a] = g->clip_start[a], b.size[a] = 0;
    *in = b;
}

bool mtm_geometry_view(const mtm_geometry *g, const mtm_array *in, mtm_array *out)
{
    mtm_view_axes v;
    mtm_array r = *in;

    if (!is_plain_view(g) || !mtm_geometry_axes(g, &v))
        return false;
    r.owner = NULL;
    for (int a = 0; a < 3; a++) {
        r.data = (uint8_t *)r.data + v.shift[a] * in->stride[a + 1];
        r.shape[v.axis[a] + 1] = g->out_size[v.axis[a]];
        r.stride[v.axis[a] + 1] = v.sign[a] * in->stride[a + 1];
    }
    *out = r;
    return true;
}
