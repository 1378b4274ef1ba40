/* op/spatial/field.c: makes fields of displacements and evaluates their rows. Random numbers are Philox words by number of
 * control point or voxel (x fastest), stream 0, 1, 2 for x, y, z, so a field depends on nothing but its description.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/field.h"

#include <math.h>

#include "base/size.h"
#include "op/blur.h"

/* ---- the domain's axes --------------------------------------------------------------------------------- */

/* q as near as the middle of an outer voxel. */
static double clamp_q(const mtm_displacement *d, int a, double q)
{
    return fmin(fmax(q, 0.5), (double)d->size[2 - a] - 0.5);
}

static int32_t cells_of(const mtm_displacement *d, int a)
{
    return d->control[a] > 3 ? d->control[a] - 3 : 1;
}

/* A single control point stands for as many as the spline reads. */
static int32_t stored_of(const mtm_displacement *d, int a)
{
    return cells_of(d, a) + 3;
}

/* Which domain axis an output axis decides, if each decides one by itself. */
static bool find_axes(mtm_field *f)
{
    bool taken[3] = {false, false, false};

    for (int a = 0; a < 3; a++) {
        int column = -1;

        for (int j = 0; j < 3; j++)
            if (f->before[4 * a + j] != 0) {
                if (column >= 0)
                    return false;
                column = j;
            }
        if (column < 0 || taken[column])
            return false;
        taken[column] = true;
        f->axis[2 - column].domain = a;
    }
    return true;
}

/* The place of voxel i of output axis o along the domain axis that it decides. */
static double place(const mtm_field *f, int o, int64_t i)
{
    const double *const row = f->before + 4 * f->axis[o].domain;

    return row[2 - o] * ((double)i + 0.5) + row[3];
}

/* ---- SPLINE -------------------------------------------------------------------------------------------- */

/* The cubic B-spline's weights of four control points at fraction t (Unser 1999, eq. 1). */
static void cubic_weights(double t, float w[4])
{
    const double u = 1 - t;

    w[0] = (float)(u * u * u / 6);
    w[1] = (float)(2.0 / 3 - t * t * (1 - 0.5 * t));
    w[2] = (float)(2.0 / 3 - u * u * (1 - 0.5 * u));
    w[3] = (float)(t * t * t / 6);
}

/* As SimpleITK's BSplineTransformInitializer lays the grid: the cells reach an eighth of a voxel beyond the outer faces. */
static void lay_cells(mtm_field *f)
{
    for (int a = 0; a < 3; a++) {
        f->rate[a] = cells_of(&f->d, a) / ((double)f->d.size[2 - a] + 0.25);
        f->shift[a] = 0.125 * f->rate[a];
    }
}

static bool is_locked(const mtm_displacement *d, const int32_t at[3])
{
    for (int a = 0; a < 3; a++)
        if (d->control[a] > 1 && (at[a] < d->locked_borders || at[a] >= d->control[a] - d->locked_borders))
            return true;
    return false;
}

/* Control point at (x, y, z), turned. drawn: of the three components, [3][count]. */
static void control_point(const mtm_field *f, const float *drawn, const int32_t at[3], float out[3])
{
    const mtm_displacement *const d = &f->d;
    const int64_t count = (int64_t)d->control[0] * d->control[1] * d->control[2];
    int32_t at_drawn[3];

    for (int a = 0; a < 3; a++)
        at_drawn[a] = at[a] < d->control[a] ? at[a] : d->control[a] - 1;
    const int64_t k = ((int64_t)at_drawn[2] * d->control[1] + at_drawn[1]) * d->control[0] + at_drawn[0];
    for (int a = 0; a < 3; a++) {
        double sum = 0;

        for (int b = 0; b < 3 && !is_locked(d, at_drawn); b++)
            sum += (double)f->turn[3 * a + b] * (double)drawn[b * count + k];
        out[a] = (float)sum;
    }
}

/* The table of one output axis: n voxels. at: room for it. Returns what is left. */
static float *spline_table(mtm_field *f, int o, int64_t n, float *at)
{
    mtm_field_axis *const x = &f->axis[o];
    const int64_t room = n + MTM_DISPLACE_SPARE;
    int32_t *const cell = (int32_t *)(void *)at, *const until = cell + room;
    float *const weight = at + 2 * room;

    x->count = stored_of(&f->d, x->domain);
    x->row = (mtm_displace_row){cell, until, {weight, weight + room, weight + 2 * room, weight + 3 * room}};
    memset(weight, 0, (size_t)(4 * room) * sizeof *weight);
    for (int64_t i = 0; i < n; i++) {
        const double u = clamp_q(&f->d, x->domain, place(f, o, i)) * f->rate[x->domain] + f->shift[x->domain];
        float w[4];

        cell[i] = (int32_t)mtm_min_i64((int64_t)u, cells_of(&f->d, x->domain) - 1);
        cubic_weights(u - cell[i], w);
        for (int k = 0; k < 4; k++)
            weight[k * room + i] = w[k];
    }
    for (int64_t i = n - 1; i >= 0; i--)
        until[i] = i + 1 < n && cell[i + 1] == cell[i] ? until[i + 1] : (int32_t)i + 1;
    return at + 6 * room;
}

/* Places every stored control point; stride: floats along the domain's x, y, z and from component to component. */
static void place_points(const mtm_field *f, const float *drawn, float *out, const int64_t stride[4])
{
    const int32_t n[3] = {stored_of(&f->d, 0), stored_of(&f->d, 1), stored_of(&f->d, 2)};
    int32_t at[3];
    float p[3];

    for (at[2] = 0; at[2] < n[2]; at[2]++)
        for (at[1] = 0; at[1] < n[1]; at[1]++)
            for (at[0] = 0; at[0] < n[0]; at[0]++) {
                control_point(f, drawn, at, p);
                for (int a = 0; a < 3; a++)
                    out[at[0] * stride[0] + at[1] * stride[1] + at[2] * stride[2] + a * stride[3]] = p[a];
            }
}

/* The lattice as a picture whose voxel numbers are cells. */
static void lattice_as_grid(mtm_field *f, const float *points, const int64_t stride[4])
{
    f->grid = (mtm_warp_grid){.interp = MTM_LINEAR, .border = MTM_EDGE};
    for (int a = 0; a < 3; a++) {
        f->grid.size[a] = stored_of(&f->d, a), f->grid.stride[a] = stride[a];
        f->component[a] =
            points + a * stride[3] + stride[0] + stride[1] + stride[2]; /* a cubic tap is the second */
    }
    mtm_warp_grid_fold(&f->grid);
    for (int a = 0; a < 3; a++) {
        f->grid.fold[a].lo = 0.5 * f->rate[a] + f->shift[a];
        f->grid.fold[a].hi = ((double)f->d.size[2 - a] - 0.5) * f->rate[a] + f->shift[a];
        f->grid.fold[a].top = cells_of(&f->d, a) - 1;
    }
}

static mtm_status make_spline(mtm_field *f, const int64_t out_size[3], mtm_error *err)
{
    const int64_t drawn = (int64_t)f->d.control[0] * f->d.control[1] * f->d.control[2];
    const int64_t n[3] = {stored_of(&f->d, 0), stored_of(&f->d, 1), stored_of(&f->d, 2)};
    const int64_t points = n[0] * n[1] * n[2], spare = 3 * MTM_DISPLACE_SPARE;
    const int64_t tables = f->straight ? 6 * (out_size[0] + out_size[1] + out_size[2] + spare) : 0;
    int64_t stride[4] = {1, n[0], n[0] * n[1], points};
    float *at;

    lay_cells(f);
    MTM_TRY(mtm_scratch_borrow(f->x, (size_t)(3 * (drawn + points) + tables + 64) * sizeof *at, &f->scratch,
                               err));
    at = f->scratch;
    for (int a = 0; a < 3; a++)
        f->x->kernels.displace.uniform(f->d.seed, (uint32_t)a, 0, at + a * drawn, drawn);
    if (f->straight) {
        float *rest = at + 3 * (drawn + points);

        for (int o = 0; o < 3; o++)
            rest = spline_table(f, o, out_size[o], rest);
        stride[f->axis[2].domain] = 1, stride[3] = f->axis[2].count;
        stride[f->axis[1].domain] = 3 * stride[3];
        stride[f->axis[0].domain] = stride[f->axis[1].domain] * f->axis[1].count;
        f->lattice = at + 3 * drawn;
    } else {
        lattice_as_grid(f, at + 3 * drawn, stride);
    }
    place_points(f, at, at + 3 * drawn, stride);
    return MTM_OK;
}

/* out[i] = Σ weight[k] · in[(cell + k)·n + i], k < 4. */
static void contract(const mtm_displace_row *t, int64_t i, const float *in, int64_t n, float *restrict out)
{
    const float *const a = in + t->cell[i] * n, *const b = a + n, *const c = b + n, *const d = c + n;
    const float p = t->weight[0][i], q = t->weight[1][i], r = t->weight[2][i], s = t->weight[3][i];

    for (int64_t k = 0; k < n; k++)
        out[k] = (p * a[k] + q * b[k]) + (r * c[k] + s * d[k]);
}

/* The spline along z once for each plane, along y once for each row, then along x. */
static void straight_spline_row(const mtm_field *f, mtm_field_near *near, const int64_t at[3], int32_t n)
{
    const int32_t line = 3 * f->axis[2].count;
    mtm_displace_row x = f->axis[2].row;
    const float *const control[3] = {near->control, near->control + f->axis[2].count,
                                     near->control + 2 * f->axis[2].count};
    float *const out[3] = {near->bend[0], near->bend[1], near->bend[2]};
    int32_t until[MTM_FIELD_ROW];

    if (near->z != at[0])
        contract(&f->axis[0].row, at[0], f->lattice, (int64_t)line * f->axis[1].count, near->plane);
    near->z = at[0];
    contract(&f->axis[1].row, at[1], near->plane, line, near->control);
    for (int k = 0; k < 4; k++)
        x.weight[k] += at[2];
    for (int32_t i = 0; i < n; i++) /* numbers within this part of the row */
        until[i] = x.until[at[2] + i] - (int32_t)at[2];
    x.cell += at[2], x.until = until;
    f->x->kernels.displace.spline(&x, control, n, out);
}

/* ---- SMOOTH -------------------------------------------------------------------------------------------- */

typedef struct drawing {
    const mtm_field *f;
    uint32_t stream;
    float *out;
} drawing;

enum { DRAW_BLOCK = 1 << 16 };

static void draw_blocks(void *job, int64_t lo, int64_t hi)
{
    const drawing *const b = job;
    const int64_t count = b->f->d.size[0] * b->f->d.size[1] * b->f->d.size[2];

    for (int64_t k = lo; k < hi; k++) {
        const int64_t first = k * DRAW_BLOCK;

        b->f->x->kernels.displace.uniform(b->f->d.seed, b->stream, first, b->out + first,
                                          mtm_min_i64(DRAW_BLOCK, count - first));
    }
}

/* One component: drawn into `noise`, blurred into out. */
static mtm_status smooth_component(const mtm_field *f, int a, float *noise, float *out, mtm_error *err)
{
    const int64_t shape[4] = {1, f->d.size[0], f->d.size[1], f->d.size[2]};
    const mtm_array in = mtm_array_wrap(noise, MTM_F32, 4, shape),
                    to = mtm_array_wrap(out, MTM_F32, 4, shape);
    const int64_t blocks = (shape[1] * shape[2] * shape[3] + DRAW_BLOCK - 1) / DRAW_BLOCK;
    drawing b = {f, (uint32_t)a, noise};
    double sigma[3];
    int32_t radius[3];

    for (int i = 0; i < 3; i++) {
        sigma[i] = f->d.sigma[2 - i];
        radius[i] = (int32_t)(3 * sigma[i] + 0.5);
    }
    MTM_TRY(mtm_pool_for(f->x->pool, blocks, 4, draw_blocks, &b, f->x->cancel, err));
    return mtm_blur_floats(f->x, sigma, radius, &in, &to, err);
}

static mtm_status draw_smooth(mtm_field *f, float *out, int64_t count, mtm_error *err)
{
    void *noise;
    mtm_status s = mtm_scratch_borrow(f->x, (size_t)count * sizeof *out, &noise, err);

    if (s != MTM_OK)
        return s;
    for (int a = 0; a < 3 && s == MTM_OK; a++) {
        if (f->d.amplitude[a] != 0)
            s = smooth_component(f, a, noise, out + a * count, err);
        else
            memset(out + a * count, 0, (size_t)count * sizeof *out);
    }
    mtm_scratch_return(f->x, noise);
    return s;
}

/* What a smooth field depends on: the image's and the label map's are one. */
typedef struct smooth_key {
    int64_t size[3];
    double sigma[3];
    uint64_t seed;
    uint64_t moves; /* bit a: component a is not zero */
} smooth_key;

static mtm_status make_smooth(mtm_field *f, mtm_error *err)
{
    smooth_key key = {.seed = f->d.seed};
    uint64_t bytes;
    int64_t count;

    memcpy(key.size, f->d.size, sizeof key.size);
    memcpy(key.sigma, f->d.sigma, sizeof key.sigma);
    for (int a = 0; a < 3; a++)
        key.moves |= (uint64_t)(f->d.amplitude[a] != 0) << a;
    MTM_TRY(mtm_extent_bytes(&bytes, 3, f->d.size, 3 * sizeof(float), INT64_MAX, "the field of displacements",
                             err));
    count = f->d.size[0] * f->d.size[1] * f->d.size[2];
    f->scratch = mtm_scratch_find(f->x, &key, sizeof key);
    if (!f->scratch) {
        MTM_TRY(mtm_scratch_borrow(f->x, bytes + MTM_DISPLACE_SPARE * sizeof(float), &f->scratch, err));
        MTM_TRY(draw_smooth(f, f->scratch, count, err));
        mtm_scratch_keep(f->x, f->scratch, &key, sizeof key);
    }
    f->grid = (mtm_warp_grid){.interp = MTM_LINEAR, .border = MTM_EDGE};
    f->grid.stride[0] = 1, f->grid.stride[1] = f->d.size[2], f->grid.stride[2] = f->d.size[2] * f->d.size[1];
    for (int a = 0; a < 3; a++) {
        f->grid.size[a] = f->d.size[2 - a];
        f->component[a] = (const float *)f->scratch + a * count;
    }
    mtm_warp_grid_fold(&f->grid);
    f->aligned = f->straight;
    for (int o = 0; o < 3; o++)
        f->aligned = f->aligned && f->axis[o].domain == 2 - o && fabs(f->before[5 * (2 - o)]) == 1 &&
                     f->before[4 * (2 - o) + 3] == nearbyint(f->before[4 * (2 - o) + 3]);
    return MTM_OK;
}

/* Voxels of the field as they are. */
static void aligned_row(const mtm_field *f, mtm_field_near *near, const int64_t at[3], int32_t n,
                        const float *d[3])
{
    const int64_t z = mtm_clamp_i64((int64_t)floor(place(f, 0, at[0])), 0, f->grid.size[2] - 1);
    const int64_t y = mtm_clamp_i64((int64_t)floor(place(f, 1, at[1])), 0, f->grid.size[1] - 1);
    const int64_t x = (int64_t)floor(place(f, 2, at[2])), last = f->grid.size[0] - 1;
    const int64_t row = z * f->grid.stride[2] + y * f->grid.stride[1];
    const bool forward = f->before[0] > 0;

    for (int a = 0; a < 3; a++) {
        const float *const from = f->component[a] + row;

        d[a] = forward && x >= 0 && x + n - 1 <= last ? from + x : near->d[a];
        for (int32_t i = 0; d[a] == near->d[a] && i < n; i++)
            near->d[a][i] = from[mtm_clamp_i64(forward ? x + i : x - i, 0, last)];
    }
}

/* ---- GRID ---------------------------------------------------------------------------------------------- */

/* Piecewise linear between nodes that divide the axis from face to face. */
static double grid_at(const mtm_displacement *d, int a, double q)
{
    const double u = clamp_q(d, a, q) * (d->nodes[a] - 1) / (double)d->size[2 - a];
    const int32_t k = (int32_t)mtm_min_i64((int64_t)u, d->nodes[a] - 2);

    return d->node[a][k] + (u - k) * (d->node[a][k + 1] - d->node[a][k]);
}

static mtm_status make_grid(mtm_field *f, const int64_t out_size[3], mtm_error *err)
{
    float *at;

    if (!f->straight)
        return MTM_OK;
    MTM_TRY(mtm_scratch_borrow(
        f->x, (size_t)(out_size[0] + out_size[1] + out_size[2] + MTM_DISPLACE_SPARE) * sizeof *at,
        &f->scratch, err));
    at = f->scratch;
    for (int o = 0; o < 3; at += out_size[o++]) {
        f->axis[o].moved = at;
        for (int64_t i = 0; i < out_size[o]; i++)
            at[i] = (float)grid_at(&f->d, f->axis[o].domain, place(f, o, i));
    }
    return MTM_OK;
}

static void straight_grid_row(const mtm_field *f, mtm_field_near *near, const int64_t at[3], int32_t n,
                              const float *d[3])
{
    for (int o = 0; o < 3; o++) {
        const int a = f->axis[o].domain;

        d[a] = o == 2 ? f->axis[2].moved + at[2] : near->d[a];
        for (int32_t i = 0; o < 2 && i < n; i++)
            near->d[a][i] = f->axis[o].moved[at[o]];
    }
}

/* ---- anywhere ------------------------------------------------------------------------------------------ */

/* Displacements (SPLINE: bends) of domain places along a row. */
static void loose_row(const mtm_field *f, const mtm_warp_row *q, int64_t x0, int32_t n, float *const out[3])
{
    const mtm_warp_kernels *const k = &f->x->kernels.warp;
    const int64_t *const s = f->grid.stride;
    const int64_t pair[3] = {f->grid.size[0] > 1, f->grid.size[1] > 1 ? s[1] : 0,
                             f->grid.size[2] > 1 ? s[2] : 0};
    mtm_warp_row row = *q;
    mtm_warp_taps taps;

    for (int a = 0; f->d.kind == MTM_DISPLACE_GRID && a < 3; a++)
        for (int32_t i = 0; i < n; i++)
            out[a][i] = (float)grid_at(&f->d, a, q->at[a] + ((double)(x0 + i) + 0.5) * q->step[a]);
    if (f->d.kind == MTM_DISPLACE_GRID)
        return;
    for (int a = 0; f->d.kind == MTM_DISPLACE_SPLINE && a < 3; a++) {
        row.at[a] = q->at[a] * f->rate[a] + f->shift[a] + 0.5;
        row.step[a] = q->step[a] * f->rate[a];
    }
    k->locate(&f->grid, &row, x0, n, &taps);
    for (int a = 0; a < 3; a++) {
        if (f->d.kind == MTM_DISPLACE_SPLINE)
            k->cubic(f->component[a], &taps, n, s, out[a]);
        else
            k->linear(f->component[a], &taps, n, pair, out[a]);
    }
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

mtm_status mtm_field_make(mtm_field *f, mtm_exec *x, const mtm_geometry *g, bool points, mtm_error *err)
{
    mtm_status s;

    *f = (mtm_field){.x = x, .d = g->displace};
    memcpy(f->before, g->before, sizeof f->before);
    f->straight = !points && find_axes(f);
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            const double scale = f->d.kind == MTM_DISPLACE_GRID ? 1 : f->d.amplitude[b];

            f->turn[3 * a + b] = (float)((points ? a == b : g->m[4 * a + b]) * scale);
        }
    switch (f->d.kind) {
    case MTM_DISPLACE_SPLINE: s = make_spline(f, g->out_size, err); break;
    case MTM_DISPLACE_SMOOTH: s = make_smooth(f, err); break;
    default: s = make_grid(f, g->out_size, err); break;
    }
    if (s != MTM_OK)
        mtm_field_drop(f);
    return s;
}

void mtm_field_drop(mtm_field *f)
{
    mtm_scratch_return(f->x, f->scratch);
    f->scratch = NULL;
}

void mtm_field_row(const mtm_field *f, mtm_field_near *near, const int64_t at[3], int32_t n,
                   const float *bend[3])
{
    const float *d[3] = {near->d[0], near->d[1], near->d[2]};
    mtm_warp_row q;

    for (int a = 0; a < 3; a++) {
        const double *const m = f->before + 4 * a;

        q.at[a] = m[1] * ((double)at[1] + 0.5) + (m[2] * ((double)at[0] + 0.5) + m[3]), q.step[a] = m[0];
        bend[a] = near->bend[a];
    }
    if (f->d.kind == MTM_DISPLACE_SPLINE) {
        if (f->straight)
            straight_spline_row(f, near, at, n);
        else
            loose_row(f, &q, at[2], n, (float *const[3]){near->bend[0], near->bend[1], near->bend[2]});
        return;
    }
    if (f->aligned)
        aligned_row(f, near, at, n, d);
    else if (f->straight && f->d.kind == MTM_DISPLACE_GRID)
        straight_grid_row(f, near, at, n, d);
    else
        loose_row(f, &q, at[2], n, (float *const[3]){near->d[0], near->d[1], near->d[2]});
    f->x->kernels.displace.turn(f->turn, d, n,
                                (float *const[3]){near->bend[0], near->bend[1], near->bend[2]});
}

void mtm_field_point(const mtm_field *f, mtm_field_near *near, const double q[3], double d[3])
{
    const mtm_warp_row row = {.at = {q[0], q[1], q[2]}};
    float *const out[3] = {near->d[0], near->d[1], near->d[2]};

    loose_row(f, &row, 0, 1, out);
    for (int a = 0; a < 3; a++)
        d[a] = (double)near->d[a][0] * (f->d.kind == MTM_DISPLACE_SMOOTH ? f->d.amplitude[a] : 1);
}
