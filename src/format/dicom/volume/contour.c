/* format/dicom/volume/contour.c: contours of a region onto the voxels of a grid. Every edge of a closed contour marks, in each row that it
 * crosses, the first voxel to the right of the crossing; a running parity along the row is then the even-odd rule for all
 * contours of the plane at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "format/dicom/volume/grid.h"
#include "format/dicom/volume/rtstruct.h"

/* A contour in voxels of the grid. */
typedef struct outline {
    double *xy; /* [n, 2] */
    int64_t n;
    double z;      /* of its plane, mean */
    int64_t slice; /* nearest; −1: beyond the grid */
    bool closed;
} outline;

typedef struct drawing {
    outline *outlines; /* [n] */
    int64_t n;
    double *xy;      /* the outlines' points */
    uint8_t *parity; /* [Y, X] of one slice: flips, then inside */
    int64_t size[3]; /* Z, Y, X */
    int64_t value;
    mtm_array *dst;
} drawing;

static const double same_plane = 1e-2; /* voxels between contours that count as one plane */
static const double farthest = 1e12;   /* voxels */
static const double across = 0.5;      /* voxels that a contour may leave its plane */

/* ---- contours in voxels --------------------------------------------------------------------------------- */

/* Numbers of a contour as voxels; the plane is their mean. */
static mtm_status outline_read(const mtm_dicom *d, const dcm_contour *c, const dcm_to_voxel *t, outline *o,
                               mtm_error *err)
{
    double lowest = INFINITY, highest = -INFINITY;
    MTM_AUTO_MEM double *numbers = NULL; /* all at once: a contour may have a million points */
    int64_t n;

    MTM_TRY(dcm_numbers(d, c->data, &numbers, &n, err));
    for (int64_t i = 0; i < c->n; i++) {
        double v[3];

        for (int64_t k = 3 * i; k < 3 * i + 3; k++)
            if (k >= n || !isfinite(numbers[k]))
                return mtm_fail(err, MTM_E_CORRUPT, c->data->offset_bytes,
                                "coordinate %" PRId64 " of a contour is no number", k);
        dcm_to_voxel_run(t, numbers + 3 * i, v);
        if (!(fabs(v[0]) < farthest && fabs(v[1]) < farthest && fabs(v[2]) < farthest))
            return mtm_fail(err, MTM_E_CORRUPT, c->data->offset_bytes,
                            "point %" PRId64 " of a contour lies far from every grid", i);
        o->xy[2 * i] = v[0], o->xy[2 * i + 1] = v[1];
        o->z += v[2] / (double)c->n;
        lowest = fmin(lowest, v[2]), highest = fmax(highest, v[2]);
    }
    if (o->closed && highest - lowest > 2 * across)
        return mtm_fail(err, MTM_E_UNSUPPORTED, c->data->offset_bytes,
                        "a contour runs across %.1f slices of the grid", highest - lowest);
    return MTM_OK;
}

static mtm_status outlines_read(drawing *g, const mtm_dicom *d, const dcm_roi *r, const dcm_to_voxel *t,
                                mtm_error *err)
{
    double *at;

    g->outlines = mtm_alloc_zero((size_t)r->base.contours, sizeof *g->outlines);
    g->xy = mtm_alloc_zero((size_t)r->base.points, 2 * sizeof *g->xy);
    g->parity = mtm_alloc_zero((size_t)g->size[1], (size_t)g->size[2]);
    if (!g->outlines || !g->xy || !g->parity)
        return MTM_NOMEM(err);
    at = g->xy;
    for (g->n = 0; g->n < r->base.contours; g->n++) {
        const dcm_contour *const c = &r->contours[g->n];
        outline *const o = &g->outlines[g->n];

        *o = (outline){.xy = at, .n = c->n, .closed = c->closed, .slice = -1};
        MTM_TRY(outline_read(d, c, t, o, err));
        if (o->z >= -0.5 && o->z < (double)g->size[0] - 0.5)
            o->slice = (int64_t)floor(o->z + 0.5);
        at += 2 * c->n;
    }
    return MTM_OK;
}

/* By slice, open ones first; then the planes from the slice's middle outwards. */
static int by_plane(const void *a, const void *b)
{
    const outline *const p = a, *const q = b;
    const double dp = fabs(p->z - (double)p->slice), dq = fabs(q->z - (double)q->slice);

    if (p->slice != q->slice)
        return p->slice < q->slice ? -1 : 1;
    if (p->closed != q->closed)
        return p->closed ? 1 : -1;
    if (dp != dq)
        return dp < dq ? -1 : 1;
    return (p->z > q->z) - (p->z < q->z);
}

/* ---- marks ---------------------------------------------------------------------------------------------- */

static void set_voxel(drawing *g, int64_t z, int64_t y, int64_t x)
{
    uint8_t *const p =
        (uint8_t *)g->dst->data + z * g->dst->stride[0] + y * g->dst->stride[1] + x * g->dst->stride[2];

    memcpy(p, &g->value, mtm_dtype_size(g->dst->dtype)); /* little endian: the low bytes */
}

static void edge_mark(drawing *g, const double a[2], const double b[2])
{
    const double *const low = a[1] <= b[1] ? a : b, *const high = a[1] <= b[1] ? b : a;
    const double last = (double)(g->size[1] - 1);
    const int64_t nx = g->size[2];

    if (!(high[1] > 0) || !(low[1] <= last))
        return;
    /* rows y with low ≤ y < high */
    const int64_t from = low[1] <= 0 ? 0 : (int64_t)ceil(low[1]);
    const int64_t to = high[1] > last ? g->size[1] : (int64_t)ceil(high[1]);
    for (int64_t y = from; y < to; y++) {
        const double x = low[0] + ((double)y - low[1]) * (high[0] - low[0]) / (high[1] - low[1]);

        if (x <= (double)(nx - 1))
            g->parity[y * nx + (x <= 0 ? 0 : (int64_t)ceil(x))] ^= 1;
    }
}

static void outline_mark(drawing *g, const outline *o)
{
    for (int64_t i = 0; i < o->n; i++)
        edge_mark(g, &o->xy[2 * i], &o->xy[2 * ((i + 1) % o->n)]);
}

static void slice_fill(drawing *g, int64_t z)
{
    for (int64_t y = 0; y < g->size[1]; y++) {
        uint8_t *const row = g->parity + y * g->size[2];
        uint8_t inside = 0;

        for (int64_t x = 0; x < g->size[2]; x++) {
            inside ^= row[x];
            row[x] = 0;
            if (inside)
                set_voxel(g, z, y, x);
        }
    }
}

static void point_set(drawing *g, int64_t z, double x, double y)
{
    const double i = floor(x + 0.5), j = floor(y + 0.5);

    if (i >= 0 && i < (double)g->size[2] && j >= 0 && j < (double)g->size[1])
        set_voxel(g, z, (int64_t)j, (int64_t)i);
}

/* Part of a line from a to b that lies within the slice, as [*t0, *t1] of its length. */
static bool line_clip(const drawing *g, const double *a, const double *b, double *t0, double *t1)
{
    *t0 = 0, *t1 = 1;
    for (int k = 0; k < 2; k++) {
        const double lo = -0.5, hi = (double)g->size[2 - k] - 0.5, d = b[k] - a[k];

        if (d == 0 && (a[k] < lo || a[k] > hi))
            return false;
        if (d == 0)
            continue;
        *t0 = fmax(*t0, fmin((lo - a[k]) / d, (hi - a[k]) / d));
        *t1 = fmin(*t1, fmax((lo - a[k]) / d, (hi - a[k]) / d));
    }
    return *t0 <= *t1;
}

/* Points, and the lines of an open contour by steps of half a voxel. */
static void open_draw(drawing *g, const outline *o)
{
    for (int64_t i = 0; i < o->n; i++) {
        const double *const a = &o->xy[2 * i], *const b = &o->xy[2 * i + 2];
        double t0, t1;

        point_set(g, o->slice, a[0], a[1]);
        if (i + 1 == o->n || !line_clip(g, a, b, &t0, &t1))
            continue;
        const double length = fmax(fabs(b[0] - a[0]), fabs(b[1] - a[1])) * (t1 - t0);
        const int64_t steps = (int64_t)ceil(2 * length);
        for (int64_t k = 0; k <= steps; k++) {
            const double t = t0 + (t1 - t0) * (double)k / (double)(steps ? steps : 1);

            point_set(g, o->slice, a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]));
        }
    }
}

/* ---- all slices ----------------------------------------------------------------------------------------- */

static int64_t draw(drawing *g)
{
    int64_t outside = 0;

    qsort(g->outlines, (size_t)g->n, sizeof *g->outlines, by_plane);
    for (int64_t lo = 0, hi; lo < g->n; lo = hi) {
        const outline *const first = &g->outlines[lo];

        hi = lo + 1;
        if (first->slice < 0) {
            outside++;
            continue;
        }
        if (!first->closed) {
            open_draw(g, first);
            continue;
        }
        outline_mark(g, first);
        for (; hi < g->n && g->outlines[hi].slice == first->slice; hi++) /* of the nearest plane only */
            if (fabs(g->outlines[hi].z - first->z) <= same_plane)
                outline_mark(g, &g->outlines[hi]);
        slice_fill(g, first->slice);
    }
    return outside;
}

static int64_t largest(mtm_dtype t)
{
    const size_t bits = 8 * mtm_dtype_size(t);
    const bool is_signed = t == MTM_I8 || t == MTM_I16 || t == MTM_I32 || t == MTM_I64;

    if (t == MTM_BOOL)
        return 1;
    return bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - is_signed)) - 1;
}

static mtm_status check(const mtm_dicom_grid *grid, const mtm_array *dst, int64_t value, mtm_error *err)
{
    if (!dst->data || dst->ndim != 3 || memcmp(dst->shape, grid->size, sizeof grid->size))
        return mtm_fail(err, MTM_E_INVAL, -1, "the array is not of the grid's size");
    if (!mtm_dtype_is_integer(dst->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "regions are drawn into integers or bool, not %s",
                        mtm_dtype_name(dst->dtype));
    if (value < 0 || value > largest(dst->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "%s does not hold the value %" PRId64,
                        mtm_dtype_name(dst->dtype), value);
    return MTM_OK;
}

mtm_status mtm_dicom_structures_draw(const mtm_dicom_structures *s, int64_t i, const mtm_dicom_grid *grid,
                                     int64_t value, mtm_array *dst, int64_t *outside, mtm_error *err)
{
    drawing g = {.value = value, .dst = dst};
    dcm_to_voxel t;
    mtm_status st;

    if (i < 0 || i >= s->n)
        return mtm_fail(err, MTM_E_INVAL, -1, "there is no region %" PRId64 " of %" PRId64, i, s->n);
    MTM_TRY(check(grid, dst, value, err));
    MTM_TRY(dcm_to_voxel_make(&t, grid, err));
    memcpy(g.size, grid->size, sizeof g.size);
    st = outlines_read(&g, s->d, &s->rois[i], &t, err);
    if (!st && outside)
        *outside = draw(&g);
    else if (!st)
        (void)draw(&g);
    mtm_free(g.outlines);
    mtm_free(g.xy);
    mtm_free(g.parity);
    return mtm_error_where(err, st, mtm_dicom_path(s->d));
}
