/* op/spatial/spline.c: the prefilter of cubic B-spline interpolation, axis by axis, 32 lines at once.
 * Every line is extended by its border until the recursion's start no longer matters, so that all borders share one filter
 * and the coefficients beyond the picture, which taps near its edge read, come out of it as well. SciPy does the same
 * for 'nearest' and 'grid-constant' (12 voxels); its closed forms for the others agree to rounding, but for short
 * reflected lines (scipy_excess).
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/spline.h"

#include <math.h>

#include "base/size.h"

enum {
    LANES = MTM_SPLINE_LANES,
    SETTLE = 12,     /* samples until the start is forgotten: |pole|¹² = 1.4·10⁻⁷ */
    PAD_SMOOTH = 12, /* EDGE, CONSTANT: the spline still rings this far beyond the picture */
    SHORT = 4,       /* voxels of a reflected line that SciPy treats otherwise, noticeably */
    PAD_FOLDED = 3   /* the others: coordinates are folded back, taps reach so far */
};

void mtm_spline_plan(mtm_spline *s, const mtm_geometry *g, const mtm_box *need)
{
    double matrix[12];

    mtm_geometry_matrix(g, matrix);
    *s = (mtm_spline){.border = g->border, .value = (float)g->value};
    s->pad = g->border == MTM_EDGE || g->border == MTM_CONSTANT ? PAD_SMOOTH : PAD_FOLDED;
    for (int i = 0; i < 3; i++) {
        const double *const m = matrix + 4 * i;
        const bool still = m[0] * m[0] + m[1] * m[1] + m[2] * m[2] == m[i] * m[i] &&
                           0.5 * m[i] + m[3] == (double)g->clip_start[2 - i] + 0.5 &&
                           g->out_size[2 - i] == 1 && mtm_geometry_reach(g, i) == 0;

        s->clip_start[i] = g->clip_start[2 - i], s->clip_size[i] = g->clip_size[2 - i];
        s->box_start[i] = need->start[2 - i], s->box_size[i] = need->size[2 - i];
        s->flat[i] = i > 0 && s->clip_size[i] == 1 && (g->border != MTM_CONSTANT || still);
        s->size[i] = s->flat[i] ? 1 : s->box_size[i] + 2 * s->pad;
        if (!s->flat[i])
            s->longest = mtm_max_i64(s->longest, s->size[i] + 2 * SETTLE);
    }
    const int64_t pitch = (s->size[0] + LANES - 1) / LANES * LANES;
    s->stride[0] = 1;
    s->stride[1] = s->flat[1] ? 0 : pitch;
    s->stride[2] = s->flat[2] ? 0 : pitch * s->size[1] + 16; /* + 16: planes not a power of two apart */
    for (int i = 0; i < 3; i++)
        s->first += s->flat[i] ? 0 : (s->clip_start[i] - s->box_start[i] + s->pad) * s->stride[i];
}

/* Sample number k of the extended line → sample of the box. What was cut off the picture beyond the box is too far away to
 * matter; the box's edge stands for it. */
static void fill_map(const mtm_spline *s, int i)
{
    for (int64_t k = 0; k < s->size[i] + 2 * SETTLE; k++) {
        const int64_t voxel = k - s->pad - SETTLE + s->box_start[i] - s->clip_start[i];
        const int64_t folded = mtm_border_index(s->border, voxel, s->clip_size[i]);

        s->map[i][k] = folded < 0 ? -1
                                  : (int32_t)mtm_clamp_i64(folded + s->clip_start[i] - s->box_start[i], 0,
                                                           s->box_size[i] - 1);
    }
}

mtm_status mtm_spline_borrow(mtm_spline *s, mtm_exec *x, void **coefficients, mtm_error *err)
{
    const int64_t planes[3] = {s->size[2], s->size[1] + 1, (s->size[0] + LANES - 1) / LANES * LANES};
    const int64_t maps[2] = {3, s->longest};
    uint64_t bytes, line_bytes, map_bytes;
    mtm_status status;

    s->pieces = x->pool ? mtm_pool_threads(x->pool) : 1;
    MTM_TRY(mtm_extent_bytes(&bytes, 3, planes, 4, INT64_MAX / 2, "the image of B-spline coefficients", err));
    MTM_TRY(mtm_extent_bytes(&line_bytes, 1, &s->longest, LANES * 4 * (size_t)s->pieces, INT64_MAX / 2,
                             "the lines of a B-spline", err));
    MTM_TRY(mtm_extent_bytes(&map_bytes, 2, maps, 4, INT64_MAX / 2, "the lines of a B-spline", err));
    if (s->longest > INT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "an axis is too long for cubic interpolation");
    MTM_TRY(mtm_scratch_borrow(x, bytes, coefficients, err));
    status = mtm_scratch_borrow(x, line_bytes + map_bytes, &s->lines, err);
    if (status != MTM_OK) {
        mtm_scratch_return(x, *coefficients);
        return status;
    }
    for (int i = 0; i < 3; i++) {
        s->map[i] = (int32_t *)((uint8_t *)s->lines + line_bytes) + i * s->longest;
        if (!s->flat[i])
            fill_map(s, i);
    }
    return MTM_OK;
}

void mtm_spline_return(mtm_spline *s, mtm_exec *x, void *coefficients)
{
    mtm_scratch_return(x, s->lines);
    mtm_scratch_return(x, coefficients);
}

/* ---- the three passes ---------------------------------------------------------------------------------- */

typedef struct pass {
    const mtm_spline *s;
    const mtm_warp_kernels *k;
    const float *in; /* the box's voxel (0, 0, 0) */
    int64_t in_stride[3];
    float *out;
    int64_t grain;
} pass;

/* Row r of the box, counted over y, then z: where it is read and where its coefficients go. */
static void row_places(const pass *p, int64_t r, const float **from, float **to)
{
    const mtm_spline *const s = p->s;
    const int64_t y = r % s->box_size[1], z = r / s->box_size[1];
    const int64_t py = s->flat[1] ? 0 : y + s->pad, pz = s->flat[2] ? 0 : z + s->pad;

    *from = p->in + y * p->in_stride[1] + z * p->in_stride[2];
    *to = p->out + py * s->stride[1] + pz * s->stride[2];
}

static float *line_buffer(const pass *p, int64_t lo)
{
    return (float *)p->s->lines + lo / p->grain * p->s->longest * LANES;
}

/* What SciPy's coefficients of a reflected line of n voxels have beyond the exact ones, for LANES lines: its
 * _init_causal_reflect (ni_splines.c) adds up the start in place of the first sample and reads that again in its last term.
 * Below 5 voxels this exceeds what may differ from SciPy, whose results these are to be. */
static void scipy_excess(const float *sample, int64_t n, float excess[][LANES])
{
    const double z = sqrt(3) - 2, zn = pow(z, (double)n);

    for (int l = 0; l < LANES; l++) {
        double sum = zn * (double)sample[(n - 1) * LANES + l], causal[SHORT];

        for (int64_t i = 1; i < n - 1; i++)
            sum += pow(z, (double)i) *
                   ((double)sample[i * LANES + l] + zn * (double)sample[(n - 1 - i) * LANES + l]);
        causal[0] = 6 * sum * pow(z, (double)(2 * n)) / (1 - zn * zn);
        for (int64_t i = 1; i < n; i++)
            causal[i] = z * causal[i - 1];
        causal[n - 1] *= z / (z - 1);
        for (int64_t i = n - 2; i >= 0; i--)
            causal[i] = z * (causal[i + 1] - causal[i]);
        for (int64_t i = 0; i < n; i++)
            excess[i][l] = (float)causal[i];
    }
}

/* Samples → coefficients of LANES extended lines along axis i. */
static void filter_line(const pass *p, int i, float *line)
{
    const mtm_spline *const s = p->s;
    const int64_t n = s->clip_size[i], skip = s->pad + SETTLE;
    const bool brief = s->border == MTM_REFLECT && n > 1 && n <= SHORT && s->box_size[i] == n;
    float excess[SHORT][LANES];

    if (brief)
        scipy_excess(line + skip * LANES, n, excess);
    p->k->spline(line, s->size[i] + 2 * SETTLE);
    for (int64_t k = 0; brief && k < s->size[i] + 2 * SETTLE; k++)
        for (int l = 0; l < LANES; l++)
            line[k * LANES + l] += excess[mtm_border_index(MTM_REFLECT, k - skip, n)][l];
}

/* Along x: 32 rows at once. */
static void filter_x(void *arg, int64_t lo, int64_t hi)
{
    const pass *const p = arg;
    const mtm_spline *const s = p->s;
    const int64_t n = s->size[0] + 2 * SETTLE, rows = s->box_size[1] * s->box_size[2];
    const int64_t tail = (s->size[0] + LANES - 1) / LANES * LANES - s->size[0];
    float *const line = line_buffer(p, lo);

    for (int64_t b = lo; b < hi; b++) {
        const int32_t lanes = (int32_t)mtm_min_i64(LANES, rows - b * LANES);
        const float *from[LANES];
        float *to[LANES];

        for (int32_t i = 0; i < lanes; i++)
            row_places(p, b * LANES + i, &from[i], &to[i]);
        p->k->spline_load(from, lanes, s->map[0], n, s->value, line);
        filter_line(p, 0, line);
        p->k->spline_store(line + SETTLE * LANES, s->size[0], to, lanes);
        for (int32_t i = 0; i < lanes;
             i++) /* columns up to the pitch are filtered along y and z, then not read */
            memset(to[i] + s->size[0], 0, (size_t)tail * sizeof(float));
    }
}

/* Along axis i, y or z: 32 neighbouring columns at once, in place. */
static void filter_columns(const pass *p, int i, float *first, float *line)
{
    const mtm_spline *const s = p->s;
    const int64_t n = s->size[i] + 2 * SETTLE, stride = s->stride[i];

    for (int64_t k = 0; k < n; k++) {
        const int32_t from = s->map[i][k];
        float *const to = line + k * LANES;

        if (from >= 0)
            memcpy(to, first + (from + s->pad) * stride, LANES * sizeof(float));
        for (int l = 0; from < 0 && l < LANES; l++)
            to[l] = s->value;
    }
    filter_line(p, i, line);
    for (int64_t k = 0; k < s->size[i]; k++)
        memcpy(first + k * stride, line + (k + SETTLE) * LANES, LANES * sizeof(float));
}

static int64_t blocks_of(const mtm_spline *s)
{
    return (s->size[0] + LANES - 1) / LANES;
}

static void filter_y(void *arg, int64_t lo, int64_t hi)
{
    const pass *const p = arg;
    const mtm_spline *const s = p->s;

    for (int64_t b = lo; b < hi; b++) { /* block of x fastest, then the box's planes */
        const int64_t z = b / blocks_of(s) + (s->flat[2] ? 0 : s->pad);

        filter_columns(p, 1, p->out + z * s->stride[2] + b % blocks_of(s) * LANES, line_buffer(p, lo));
    }
}

static void filter_z(void *arg, int64_t lo, int64_t hi)
{
    const pass *const p = arg;
    const mtm_spline *const s = p->s;

    for (int64_t b = lo; b < hi; b++)
        filter_columns(p, 2, p->out + b / blocks_of(s) * s->stride[1] + b % blocks_of(s) * LANES,
                       line_buffer(p, lo));
}

mtm_status mtm_spline_filter(const mtm_spline *s, mtm_exec *x, const mtm_array *in, int64_t c,
                             const int64_t in_start[3], float *coefficients, mtm_error *err)
{
    const int64_t rows = (s->box_size[1] * s->box_size[2] + LANES - 1) / LANES;
    const int64_t n[3] = {rows, blocks_of(s) * s->box_size[2], blocks_of(s) * s->size[1]};
    static void (*const fn[3])(void *, int64_t, int64_t) = {filter_x, filter_y, filter_z};
    pass p = {.s = s, .k = &x->kernels.warp, .out = coefficients};

    p.in = (const float *)((const uint8_t *)in->data + c * in->stride[0]);
    for (int i = 0; i < 3; i++) {
        p.in_stride[i] = in->stride[3 - i] / 4;
        p.in += (s->box_start[i] - in_start[2 - i]) * (i == 0 ? 1 : p.in_stride[i]);
    }
    for (int i = 0; i < 3; i++) {
        if (s->flat[i])
            continue;
        p.grain = (n[i] + s->pieces - 1) / s->pieces;
        MTM_TRY(mtm_pool_for(x->pool, n[i], p.grain, fn[i], &p, x->cancel, err));
    }
    return MTM_OK;
}
