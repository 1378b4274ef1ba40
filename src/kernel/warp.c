/* kernel/warp.c: the C reference of the warp family.
 * SPDX-License-Identifier: Apache-2.0 */
#include "warp.h"

#include <math.h>
#include <string.h>

#include "warp_fold.h"

int64_t mtm_border_index(mtm_border border, int64_t i, int64_t n)
{
    int64_t p, m;

    if (i >= 0 && i < n)
        return i;
    switch (border) {
    case MTM_EDGE: return i < 0 ? 0 : n - 1;
    case MTM_CONSTANT: return -1;
    case MTM_WRAP: m = i % n; return m < 0 ? m + n : m;
    case MTM_REFLECT:
        p = 2 * n, m = i % p;
        m = m < 0 ? m + p : m;
        return m < n ? m : p - 1 - m;
    case MTM_MIRROR: break;
    }
    if (n == 1)
        return 0;
    p = 2 * n - 2, m = i % p;
    m = m < 0 ? m + p : m;
    return m < n ? m : p - m;
}

/* Output x of the row along one axis, in numbers of voxels (tap 0 is its floor). A product and a sum, not an fma: every
 * variant must find the same taps. */
static double bent_coordinate(const mtm_warp_grid *g, const mtm_warp_row *row, int axis, int64_t x,
                              double bend)
{
    const double c =
        (row->at[axis] - (g->interp == MTM_NEAREST ? 0 : 0.5)) + ((double)x + 0.5) * row->step[axis] + bend;

    return c > -MTM_WARP_FAR ? c < MTM_WARP_FAR ? c : MTM_WARP_FAR : -MTM_WARP_FAR;
}

static double coordinate(const mtm_warp_grid *g, const mtm_warp_row *row, int axis, int64_t x)
{
    return bent_coordinate(g, row, axis, x, 0);
}

void mtm_warp_grid_fold(mtm_warp_grid *g)
{
    for (int a = 0; a < 3; a++) {
        const double n = (double)g->size[a];
        mtm_warp_fold f = {.lo = 0, .hi = n - 1, .top = n - 1, .last = nextafter(n, 0)};

        if (g->interp == MTM_LINEAR)
            f.top = fmax(n - 2, 0);
        if (g->interp == MTM_CUBIC) /* taps −1 … +2 of the padded coefficients */
            f.lo = -(g->pad - 2), f.hi = n - 1 + (g->pad - 2), f.top = f.hi;
        if (g->border == MTM_REFLECT)
            f.shift = 0.5, f.period = 2 * n, f.mirrors = true;
        else if (g->border == MTM_MIRROR && n > 1)
            f.period = 2 * n - 2, f.mirrors = true;
        else if (g->border == MTM_WRAP && g->interp != MTM_LINEAR)
            f.period = n;
        f.inside_lo = -INFINITY, f.inside_hi = INFINITY;
        if (g->interp != MTM_CUBIC &&
            (g->border == MTM_CONSTANT || (g->border == MTM_WRAP && g->interp == MTM_LINEAR)))
            f.inside_lo = 0, f.inside_hi = g->interp == MTM_LINEAR ? n - 1 : f.last;
        g->fold[a] = f;
    }
}

static double fold_coordinate(const mtm_warp_fold *f, double s)
{
    if (f->period > 0) {
        s += f->shift;
        s -= f->period * floor(s / f->period);
        if (f->mirrors)
            s = s < f->period - s ? s : f->period - s;
        s -= f->shift;
    }
    s = s < f->hi ? s : f->hi;
    return s > f->lo ? s : f->lo;
}

/* An axis' part in tap i. */
static void locate_one(const mtm_warp_grid *g, int axis, double c, int32_t i, mtm_warp_taps *t)
{
    const mtm_warp_fold *const f = &g->fold[axis];
    const double s = fold_coordinate(f, g->interp == MTM_NEAREST ? floor(c) : c), whole = floor(s);
    const double tap = whole < f->top ? whole : f->top;

    t->f[axis][i] = (float)(s - tap);
    t->offset[i] += (int64_t)tap * g->stride[axis];
}

void mtm_warp_locate_c(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                       mtm_warp_taps *t)
{
    for (int32_t i = 0; i < n; i++)
        t->offset[i] = g->first;
    for (int a = 0; a < 3; a++)
        for (int32_t i = 0; i < n; i++)
            locate_one(g, a, coordinate(g, row, a, x0 + i), i, t);
    mtm_warp_taps_pad(t, n);
}

bool mtm_warp_locate_bent_c(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                            const float *const bend[3], mtm_warp_taps *t)
{
    bool inside = true;

    for (int32_t i = 0; i < n; i++)
        t->offset[i] = g->first;
    for (int a = 0; a < 3; a++)
        for (int32_t i = 0; i < n; i++) {
            const double c = bent_coordinate(g, row, a, x0 + i, (double)bend[a][i]);

            inside = inside && c >= g->fold[a].inside_lo && c <= g->fold[a].inside_hi;
            locate_one(g, a, c, i, t);
        }
    mtm_warp_taps_pad(t, n);
    return inside;
}

/* ---- gathering ---------------------------------------------------------------------------------------- */

static float mix(float a, float b, float f)
{
    return a + f * (b - a);
}

void mtm_warp_linear_c(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t pair[3],
                       float *out)
{
    for (int32_t i = 0; i < n; i++) {
        const float *const p = data + t->offset[i], *const q = p + pair[2];
        const float fy = t->f[1][i], fz = t->f[2][i];
        const float a = mix(mix(p[0], p[pair[1]], fy), mix(q[0], q[pair[1]], fy), fz);
        const float b =
            mix(mix(p[pair[0]], p[pair[1] + pair[0]], fy), mix(q[pair[0]], q[pair[1] + pair[0]], fy), fz);

        out[i] = mix(a, b, t->f[0][i]);
    }
}

/* The cubic B-spline's weights of taps −1 … +2 at fraction t (Unser 1999, eq. 1). */
static void cubic_weights(float t, float w[4])
{
    const float u = 1 - t;

    w[0] = u * u * u * (1.0f / 6);
    w[1] = 2.0f / 3 - t * t * (1 - 0.5f * t);
    w[2] = 2.0f / 3 - u * u * (1 - 0.5f * u);
    w[3] = t * t * t * (1.0f / 6);
}

static void cubic_c(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t stride[3], float *out)
{
    for (int32_t i = 0; i < n; i++) {
        const float *const p = data + t->offset[i] - stride[2] - stride[1] - 1;
        float wx[4], wy[4], wz[4], column[4] = {0};

        cubic_weights(t->f[0][i], wx);
        cubic_weights(t->f[1][i], wy);
        cubic_weights(t->f[2][i], wz);
        for (int z = 0; z < 4; z++) {
            float rows[4] = {0};

            for (int y = 0; y < 4; y++)
                for (int x = 0; x < 4; x++)
                    rows[x] += wy[y] * p[z * stride[2] + y * stride[1] + x];
            for (int x = 0; x < 4; x++)
                column[x] += wz[z] * rows[x];
        }
        out[i] = (wx[0] * column[0] + wx[1] * column[1]) + (wx[2] * column[2] + wx[3] * column[3]);
    }
}

/* ---- where borders begin ------------------------------------------------------------------------------ */

/* lo < or ≤ coordinate < or ≤ hi, the ends as `open` says. */
static bool between(double c, double lo, double hi, bool open)
{
    return open ? c > lo && c < hi : c >= lo && c <= hi;
}

/* Shrinks [range[0], range[1]) to the outputs whose coordinate along one axis lies between lo and hi. The coordinate is
 * monotonic in x, so the solution of the linear equation is only corrected for rounding. */
static void cut_range(const mtm_warp_grid *g, const mtm_warp_row *row, int axis, double lo, double hi,
                      bool open, int64_t range[2])
{
    const double step = row->step[axis], at = row->at[axis] - (g->interp == MTM_NEAREST ? 0 : 0.5);
    const int64_t first = range[0], end = range[1];
    double p, q;
    int64_t a, b;

    if (first >= end)
        return;
    const bool begins = between(coordinate(g, row, axis, first), lo, hi, open);
    if (begins && between(coordinate(g, row, axis, end - 1), lo, hi, open))
        return;
    if (step == 0) {
        range[1] = first;
        return;
    }
    p = (lo - at) / step - 0.5, q = (hi - at) / step - 0.5;
    if (step < 0) {
        const double swap = p;
        p = q, q = swap;
    }
    a = p > (double)first ? p < (double)end ? (int64_t)p : end : first;
    b = q > (double)first ? q < (double)end ? (int64_t)q + 1 : end : first;
    while (a > first && between(coordinate(g, row, axis, a - 1), lo, hi, open))
        a--;
    while (a < end && a < b && !between(coordinate(g, row, axis, a), lo, hi, open))
        a++;
    b = b < a ? a : b;
    while (b < end && between(coordinate(g, row, axis, b), lo, hi, open))
        b++;
    while (b > a && !between(coordinate(g, row, axis, b - 1), lo, hi, open))
        b--;
    range[0] = a, range[1] = b;
}

void mtm_warp_split(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n, int64_t touch[2],
                    int64_t inside[2])
{
    const bool linear = g->interp == MTM_LINEAR;

    touch[0] = inside[0] = x0, touch[1] = inside[1] = x0 + n;
    if (g->interp == MTM_CUBIC || (g->border != MTM_CONSTANT && !(g->border == MTM_WRAP && linear)))
        return;
    for (int a = 0; a < 3; a++) {
        const double size = (double)g->size[a];

        if (g->border ==
            MTM_CONSTANT) /* nearest: floor(c) in 0 … n − 1, that is c < n; the next double below n */
            cut_range(g, row, a, linear ? -1 : 0, linear ? size : g->fold[a].last, linear, touch);
        cut_range(g, row, a, 0, linear ? size - 1 : g->fold[a].last, false, inside);
    }
    if (inside[0] >= inside[1])
        inside[0] = inside[1] = touch[0];
}

/* At c (x, y, z), in numbers of voxels. */
static float linear_point(const mtm_warp_grid *g, const double c[3], const float *data, float value)
{
    int64_t tap[3][2];
    float f[3], v[8];

    for (int a = 0; a < 3; a++) {
        const int64_t whole = (int64_t)c[a], low = whole - ((double)whole > c[a]); /* floor, without a call */

        f[a] = (float)(c[a] - (double)low);
        for (int k = 0; k < 2; k++) {
            const int64_t i = low + k;

            tap[a][k] = i >= 0 && i < g->size[a] ? i : mtm_border_index(g->border, i, g->size[a]);
        }
    }
    for (int k = 0; k < 8; k++) {
        const int64_t i = tap[0][k & 1], j = tap[1][k >> 1 & 1], l = tap[2][k >> 2];

        v[k] = i < 0 || j < 0 || l < 0
                   ? value
                   : data[g->first + i * g->stride[0] + j * g->stride[1] + l * g->stride[2]];
    }
    return mix(mix(mix(v[0], v[2], f[1]), mix(v[4], v[6], f[1]), f[2]),
               mix(mix(v[1], v[3], f[1]), mix(v[5], v[7], f[1]), f[2]), f[0]);
}

float mtm_warp_linear_at(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x, const float *data,
                         float value)
{
    const double c[3] = {coordinate(g, row, 0, x), coordinate(g, row, 1, x), coordinate(g, row, 2, x)};

    return linear_point(g, c, data, value);
}

static void bent_point(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x, const float bend[3],
                       double c[3])
{
    for (int a = 0; a < 3; a++)
        c[a] = bent_coordinate(g, row, a, x, (double)bend[a]);
}

bool mtm_warp_bent_inside(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x, const float bend[3])
{
    double c[3];

    bent_point(g, row, x, bend, c);
    for (int a = 0; a < 3; a++)
        if (!(c[a] >= g->fold[a].inside_lo && c[a] <= g->fold[a].inside_hi))
            return false;
    return true;
}

float mtm_warp_bent_linear(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x, const float bend[3],
                           const float *data, float value)
{
    double c[3];

    bent_point(g, row, x, bend, c);
    return linear_point(g, c, data, value);
}

/* ---- B-spline prefilter ------------------------------------------------------------------------------- */

/* Unser, "Splines: a perfect fit for signal and image processing" (1999), box 2: a causal and an anticausal recursion with
 * the pole √3 − 2, gain 6. The samples reach so far beyond what is used that the starting values do not matter; both
 * ends are taken to go on as they are. */
static void spline_c(float *samples, int64_t n)
{
    const float z = MTM_SPLINE_POLE, steady = 1 / (1 - z);
    float state[MTM_SPLINE_LANES];

    for (int j = 0; j < MTM_SPLINE_LANES; j++)
        state[j] = 6 * samples[j] * steady;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < MTM_SPLINE_LANES; j++) {
            state[j] = 6 * samples[i * MTM_SPLINE_LANES + j] + z * state[j];
            samples[i * MTM_SPLINE_LANES + j] = state[j];
        }
    for (int j = 0; j < MTM_SPLINE_LANES; j++)
        state[j] *= -z * steady;
    for (int64_t i = n - 1; i >= 0; i--)
        for (int j = 0; j < MTM_SPLINE_LANES; j++) {
            state[j] = z * (state[j] - samples[i * MTM_SPLINE_LANES + j]);
            samples[i * MTM_SPLINE_LANES + j] = state[j];
        }
}

static void spline_load_c(const float *const rows[MTM_SPLINE_LANES], int32_t lanes, const int32_t *map,
                          int64_t n, float value, float *out)
{
    for (int64_t k = 0; k < n; k++)
        for (int32_t j = 0; j < MTM_SPLINE_LANES; j++)
            out[k * MTM_SPLINE_LANES + j] = j >= lanes ? 0 : map[k] < 0 ? value : rows[j][map[k]];
}

static void spline_store_c(const float *in, int64_t n, float *const rows[MTM_SPLINE_LANES], int32_t lanes)
{
    for (int32_t j = 0; j < lanes; j++)
        for (int64_t k = 0; k < n; k++)
            rows[j][k] = in[k * MTM_SPLINE_LANES + j];
}

void mtm_warp_kernels_init(mtm_warp_kernels *k, unsigned cpu)
{
    *k = (mtm_warp_kernels){.locate = mtm_warp_locate_c,
                            .locate_bent = mtm_warp_locate_bent_c,
                            .linear = mtm_warp_linear_c,
                            .straight = mtm_warp_linear_c,
                            .cubic = cubic_c,
                            .spline = spline_c,
                            .spline_load = spline_load_c,
                            .spline_store = spline_store_c};
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    k->locate = mtm_warp_locate_avx2;
    k->locate_bent = mtm_warp_locate_bent_avx2;
    k->linear = mtm_warp_linear_avx2;
    k->straight = mtm_warp_straight_avx2;
    k->cubic = mtm_warp_cubic_avx2;
    k->spline = mtm_spline_avx2;
    k->spline_load = mtm_spline_load_avx2;
    k->spline_store = mtm_spline_store_avx2;
    if (!(cpu & MTM_CPU_AVX512))
        return;
    k->locate = mtm_warp_locate_avx512;
    k->locate_bent = mtm_warp_locate_bent_avx512;
    k->spline = mtm_spline_avx512;
#endif
}
