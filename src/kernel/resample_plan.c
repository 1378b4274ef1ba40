/* kernel/resample_plan.c: turns the axes of a resize into tables of taps and weights, and chooses the order of the axes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "resample.h"

/* Taps of one axis, all outputs together. */
static const double MAX_WORK = 0x1p31;
/* A ring of planes beyond the first is slow, beyond the second it is a last resort. */
static const size_t L2_BYTES = 768 << 10, MAX_RING_BYTES = 256 << 20;

/* ---- filters ------------------------------------------------------------------------------------------ */

static double triangle(double x)
{
    return x < 1 ? 1 - x : 0;
}

/* Keys 1981 with a = −0.5 (Catmull–Rom). */
static double cubic(double x)
{
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

static double lanczos3(double x)
{
    const double p = M_PI * x;

    if (fabs(x - nearbyint(x)) < 1e-12) /* sin(π) is not quite 0 */
        return x < 0.5;
    return x < 3 ? 3 * sin(p) * sin(p / 3) / (p * p) : 0;
}

static double gaussian(double x) /* σ = 0.5 */
{
    return x <= 1.5 + 1e-9 ? exp(-2 * x * x) : 0;
}

/* value(|distance| / widening); NEAREST and AREA have rules of their own. */
static const struct {
    double radius;
    double (*value)(double x);
} filters[] = {
    [MTM_FILTER_NEAREST] = {0.5, NULL},      [MTM_FILTER_LINEAR] = {1, triangle},
    [MTM_FILTER_TRIANGULAR] = {1, triangle}, [MTM_FILTER_CUBIC] = {2, cubic},
    [MTM_FILTER_LANCZOS3] = {3, lanczos3},   [MTM_FILTER_GAUSSIAN] = {1.5 + 1e-9, gaussian},
    [MTM_FILTER_AREA] = {0.5, NULL},
};

static double widening(const mtm_resample_axis *a)
{
    return a->antialias ? fmax(1, fabs(a->scale)) : 1;
}

/* ---- positions ---------------------------------------------------------------------------------------- */

/* floor or ceil of lo + (k + half/2)·scale. A region of whole voxels makes that a fraction of integers, computed exactly:
 * (i + 0.5)·(in/out) in floating point may fall on the wrong side of a whole number. */
static double position(const mtm_resample_axis *a, int64_t k, int half, bool up)
{
    const double region = a->scale * (double)a->n_out, whole = nearbyint(region);
    const double x = a->lo + ((double)k + 0.5 * half) * a->scale;

    if (fabs(region - whole) <= 1e-9 * fabs(whole) && a->lo == floor(a->lo) && fabs(whole) < 0x1p40 &&
        fabs(a->lo) < 0x1p40 && a->n_out < INT64_C(1) << 40) {
        const __int128 numerator = (__int128)(2 * k + half) * (int64_t)whole, denominator = 2 * a->n_out;
        __int128 q = numerator / denominator;

        if (numerator % denominator != 0 && (numerator > 0) == up)
            q += up ? 1 : -1;
        return a->lo + (double)q;
    }
    return up ? ceil(x) : floor(x);
}

/* A position as an integer that later sums cannot overflow. */
static int64_t whole(double x)
{
    return (int64_t)fmin(fmax(x, -0x1p61), 0x1p61);
}

/* Taps of output k before clamping: voxels [*begin, *end). */
static void support(const mtm_resample_axis *a, int64_t k, int64_t *begin, int64_t *end)
{
    if (a->filter == MTM_FILTER_NEAREST) {
        *begin = whole(position(a, k, 1, false));
        *end = *begin + 1;
    } else if (a->filter == MTM_FILTER_AREA) {
        const int back = a->scale < 0 ? 2 : 0;

        *begin = whole(position(a, k, back, false));
        *end = mtm_max_i64(whole(position(a, k, 2 - back, true)), *begin + 1);
    } else {
        const double centre = a->lo + ((double)k + 0.5) * a->scale - 0.5;
        const double radius = filters[a->filter].radius * widening(a);

        *begin = whole(floor(centre - radius)) + 1;
        *end = mtm_max_i64(whole(ceil(centre + radius)), *begin + 1);
    }
}

static void clamped_support(const mtm_resample_axis *a, int64_t k, int64_t *begin, int64_t *end)
{
    const int64_t last = a->in_start + a->in_size - 1;

    support(a, k, begin, end);
    *begin = mtm_clamp_i64(*begin, a->in_start, last);
    *end = mtm_clamp_i64(*end - 1, a->in_start, last) + 1;
}

static int64_t output_number(const mtm_resample_axis *a, int64_t i)
{
    return a->first + i * a->step;
}

void mtm_resample_range(const mtm_resample_axis *a, int64_t *low, int64_t *high)
{
    int64_t begin[2], end[2];

    *low = *high = a->in_start;
    if (a->count <= 0 || a->in_size <= 0)
        return;
    clamped_support(a, output_number(a, 0), &begin[0], &end[0]);
    clamped_support(a, output_number(a, a->count - 1), &begin[1], &end[1]);
    *low = mtm_min_i64(begin[0], begin[1]);
    *high = mtm_max_i64(end[0], end[1]);
}

/* ---- weights ------------------------------------------------------------------------------------------ */

/* Most taps of one output after clamping. */
static int64_t taps_bound(const mtm_resample_axis *a)
{
    const double width =
        a->filter == MTM_FILTER_AREA ? fabs(a->scale) + 1 : 2 * filters[a->filter].radius * widening(a);

    return mtm_clamp_i64(whole(ceil(width)) + 1, 1, mtm_max_i64(a->in_size, 1));
}

/* The weight of voxel v for output k: of all taps that clamp to v. */
static double tap_value(const mtm_resample_axis *a, double centre, double widen, int64_t v)
{
    if (!filters[a->filter].value)
        return 1;
    return filters[a->filter].value(fabs((double)v - centre) / widen);
}

/* Writes the weights of output i into w[0 … taps), gives the first voxel and how many follow it. */
static void weigh(const mtm_resample_axis *a, int64_t i, float *w, int32_t taps, int64_t *first, int32_t *n)
{
    const int64_t k = output_number(a, i);
    const double centre = a->lo + ((double)k + 0.5) * a->scale - 0.5, widen = widening(a);
    const int64_t last = a->in_start + a->in_size - 1;
    int64_t begin, end, low, high;
    double total = 0, before = 0, after = 0, rest = 1;
    int32_t largest = 0, lead = 0, count;

    support(a, k, &begin, &end);
    clamped_support(a, k, &low, &high);
    for (int64_t v = begin; v < end; v++) {
        const double t = tap_value(a, centre, widen, v);

        total += t;
        before += v < low ? t : 0;
        after += v > last && v >= high ? t : 0;
    }
    count = (int32_t)mtm_min_i64(high - low, taps);
    for (int32_t j = 0; j < count; j++) {
        double t = low + j >= begin && low + j < end ? tap_value(a, centre, widen, low + j) : 0;

        t += (j == 0 ? before : 0) + (j == count - 1 ? after : 0);
        w[j] = (float)(t / total);
        rest -= w[j];
        largest = w[j] > w[largest] ? j : largest;
    }
    w[largest] += (float)rest; /* so that a constant stays what it is */
    while (lead < count - 1 && w[lead] == 0)
        lead++;
    while (count > lead + 1 && w[count - 1] == 0)
        count--;
    memmove(w, w + lead, (size_t)(count - lead) * sizeof *w);
    memset(w + (count - lead), 0, (size_t)(taps - (count - lead)) * sizeof *w);
    *first = low + lead;
    *n = count - lead;
}

/* ---- tables ------------------------------------------------------------------------------------------- */

static size_t align64(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

static int64_t blocks_of(int64_t count)
{
    return (count + MTM_RESAMPLE_LANES - 1) / MTM_RESAMPLE_LANES;
}

/* Bytes of one axis' tables, and how many there are of each; the order is that of lay_out. */
static bool line_bytes(const mtm_resample_axis *a, bool x, uint64_t *bytes)
{
    const uint64_t count = (uint64_t)a->count, taps = (uint64_t)taps_bound(a);
    const uint64_t lanes = x ? (uint64_t)blocks_of(a->count) * MTM_RESAMPLE_LANES : 0;

    /* Taps are bounded by MAX_WORK / count, so that none of this overflows. */
    *bytes = align64(count * sizeof(int64_t)) + align64(count * sizeof(int32_t)) +
             align64(count * taps * sizeof(float));
    if (x)
        *bytes += align64(lanes / MTM_RESAMPLE_LANES * sizeof(int64_t)) + align64(lanes * sizeof(int32_t)) +
                  align64(lanes * taps * sizeof(float));
    return *bytes <= SIZE_MAX / 4;
}

static mtm_status axis_check(const mtm_resample_axis *a, mtm_error *err)
{
    const double width = 2 * filters[a->filter].radius * fmax(fabs(a->scale), widening(a)) + 2;

    if (a->count < 0 || a->in_size < 0 || a->n_out < a->count || (a->step != 1 && a->step != -1) ||
        !isfinite(a->lo) || !isfinite(a->scale))
        return mtm_fail(err, MTM_E_INVAL, -1, "an axis of the resize contradicts itself");
    if (a->count > 0 && a->in_size == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "an empty axis cannot be resized to %" PRId64 " voxels",
                        a->count);
    if ((double)a->count * width > MAX_WORK)
        return mtm_fail(err, MTM_E_LIMIT, -1,
                        "%" PRId64 " outputs of %.3g taps each are too many on one axis", a->count, width);
    return MTM_OK;
}

mtm_status mtm_resample_plan_bytes(const mtm_resample_axis axis[3], size_t *table_bytes, mtm_error *err)
{
    uint64_t sum = 0;

    for (int i = 0; i < 3; i++) {
        uint64_t bytes;

        MTM_TRY(axis_check(&axis[i], err));
        if (!line_bytes(&axis[i], i == 2, &bytes))
            return mtm_fail(err, MTM_E_LIMIT, -1, "the weights of the resize do not fit in memory");
        sum += bytes;
    }
    *table_bytes = (size_t)sum;
    return MTM_OK;
}

static void *take(char **at, size_t count, size_t size_bytes)
{
    void *const p = *at;

    *at += align64(count * size_bytes);
    return p;
}

/* The blocks of 16 outputs that `across` works on, from the table of single outputs. */
static void make_blocks(mtm_resample_line *l, char **at)
{
    const int64_t blocks = blocks_of(l->count);
    int64_t *const base = take(at, (size_t)blocks, sizeof *base);
    int32_t *const index = take(at, (size_t)blocks * MTM_RESAMPLE_LANES, sizeof *index);
    float *const weight = take(at, (size_t)(blocks * l->taps) * MTM_RESAMPLE_LANES, sizeof *weight);

    memset(index, 0, (size_t)blocks * MTM_RESAMPLE_LANES * sizeof *index);
    memset(weight, 0, (size_t)(blocks * l->taps) * MTM_RESAMPLE_LANES * sizeof *weight);
    l->base = base, l->index = index, l->lane_weight = weight, l->span = 0;
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t i0 = b * MTM_RESAMPLE_LANES, i1 = mtm_min_i64(i0 + MTM_RESAMPLE_LANES, l->count);
        int64_t low = INT64_MAX, high = 0;

        for (int64_t i = i0; i < i1; i++) {
            low = mtm_min_i64(low, l->first[i]);
            high = mtm_max_i64(high, l->first[i] + l->n[i]);
        }
        base[b] = low;
        l->span = (int32_t)mtm_max_i64(l->span, high - low);
        for (int64_t i = i0; i < i1; i++) {
            index[i] = (int32_t)(l->first[i] - low);
            for (int32_t j = 0; j < l->n[i]; j++)
                weight[(b * l->taps + j) * MTM_RESAMPLE_LANES + (i - i0)] = l->weight[i * l->taps + j];
        }
    }
}

static void make_line(mtm_resample_line *l, const mtm_resample_axis *a, bool x, char **at)
{
    const size_t count = (size_t)a->count;
    const int32_t taps = (int32_t)taps_bound(a);
    int64_t *const first = take(at, count, sizeof *first);
    int32_t *const n = take(at, count, sizeof *n);
    float *const weight = take(at, count * (size_t)taps, sizeof *weight);
    int32_t most = 1;
    int64_t sum = 0;

    *l = (mtm_resample_line){.count = a->count, .first = first, .n = n, .weight = weight};
    mtm_resample_range(a, &l->low, &l->high);
    for (int64_t i = 0; i < a->count; i++) {
        weigh(a, i, weight + i * taps, taps, &first[i], &n[i]);
        first[i] -= x ? l->low : 0;
        most = n[i] > most ? n[i] : most;
        sum += n[i];
    }
    for (int64_t i = 1; i < a->count && most < taps; i++) /* the bound was too wide: closer together */
        memmove(weight + i * most, weight + i * taps, (size_t)most * sizeof *weight);
    l->taps = most;
    l->mean_taps = a->count ? (double)sum / (double)a->count : 1;
    if (x)
        make_blocks(l, at);
}

/* ---- order of the axes -------------------------------------------------------------------------------- */

/* Multiplications of each order. A tap along X costs about three times one along Z or Y, where rows are added. */
static double cost_of(const mtm_resample_plan *p, mtm_resample_order order)
{
    const mtm_resample_line *const z = &p->line[0], *const y = &p->line[1], *const x = &p->line[2];
    const double zi = (double)(z->high - z->low), yi = (double)(y->high - y->low),
                 xi = (double)(x->high - x->low);
    const double zo = (double)z->count, yo = (double)y->count, xo = (double)x->count;
    const double tz = z->mean_taps, ty = y->mean_taps, tx = 3 * x->mean_taps;

    switch (order) {
    case MTM_RESAMPLE_ZYX: return zo * yi * xi * tz + zo * yo * xi * ty + zo * yo * xo * tx;
    case MTM_RESAMPLE_ZXY: return zo * yi * xi * tz + zo * yi * xo * tx + zo * yo * xo * ty;
    case MTM_RESAMPLE_YZX: return zi * yo * xi * ty + zo * yo * xi * tz + zo * yo * xo * tx;
    case MTM_RESAMPLE_YXZ: return zi * yo * xi * ty + zi * yo * xo * tx + zo * yo * xo * tz;
    default: return zi * yi * xi + zi * yi * xo * tx + zi * yo * xo * ty + zo * yo * xo * tz;
    }
}

/* Rows of floats that one run needs beside two temporary rows. */
static size_t ring_bytes(const mtm_resample_plan *p, mtm_resample_order order)
{
    const mtm_resample_line *const z = &p->line[0], *const y = &p->line[1], *const x = &p->line[2];
    const int64_t in = x->high - x->low, out = x->count;
    const int64_t ring = order == MTM_RESAMPLE_ZYX || order == MTM_RESAMPLE_YZX ? in : out;
    const size_t row = mtm_resample_pitch(ring) * sizeof(float);
    const size_t long_row = mtm_resample_pitch(mtm_max_i64(in, out)) * sizeof(float);

    if (order == MTM_RESAMPLE_ZYX || order == MTM_RESAMPLE_ZXY)
        return (size_t)y->taps * row + (p->direct ? 0 : (size_t)z->taps * long_row);
    return (size_t)z->taps * (size_t)y->count * row + (size_t)y->taps * long_row;
}

/* The extents of the whole resize, of which `a` may ask for a part only. */
static mtm_resample_line whole_line(const mtm_resample_axis *a)
{
    mtm_resample_axis whole = *a;
    mtm_resample_line l = {.count = a->n_out, .taps = 1};
    int64_t begin, end, sum = 0;

    whole.first = 0, whole.count = a->n_out, whole.step = 1;
    mtm_resample_range(&whole, &l.low, &l.high);
    for (int64_t k = 0; k < a->n_out; k++) {
        clamped_support(&whole, k, &begin, &end);
        l.taps = (int32_t)mtm_max_i64(l.taps, end - begin);
        sum += end - begin;
    }
    l.mean_taps = a->n_out ? (double)sum / (double)a->n_out : 1;
    return l;
}

/* By the whole resize, so that a part of it has the bits that it has in the whole. */
static mtm_resample_order choose_order(const mtm_resample_axis axis[3], bool direct)
{
    const mtm_resample_plan whole = {
        .direct = direct, .line = {whole_line(&axis[0]), whole_line(&axis[1]), whole_line(&axis[2])}};
    const mtm_resample_plan *const p = &whole;
    mtm_resample_order chosen = MTM_RESAMPLE_ZYX;
    const mtm_resample_line *const z = &p->line[0], *const y = &p->line[1], *const x = &p->line[2];
    double best = INFINITY;

    for (mtm_resample_order order = MTM_RESAMPLE_ZYX; order <= MTM_RESAMPLE_XYZ; order++) {
        const bool planes = order >= MTM_RESAMPLE_YZX;
        double cost = cost_of(p, order);

        if (!p->direct && !planes) /* each row is converted anew for every slice that it is a tap of */
            cost +=
                2 * (double)z->count * (double)(y->high - y->low) * (double)(x->high - x->low) * z->mean_taps;
        if (!p->direct && planes && order != MTM_RESAMPLE_XYZ)
            cost += (double)(z->high - z->low) * (double)(y->high - y->low) * (double)(x->high - x->low);
        if (planes && ring_bytes(p, order) > L2_BYTES)
            cost *= ring_bytes(p, order) > MAX_RING_BYTES ? 1e6 : 1.5;
        if (cost < best)
            best = cost, chosen = order;
    }
    return chosen;
}

void mtm_resample_plan_make(mtm_resample_plan *p, const mtm_resample_axis axis[3],
                            const mtm_resample_source *in, void *tables)
{
    char *at = tables;
    int64_t longest = 0;

    *p = (mtm_resample_plan){0};
    for (int i = 0; i < 3; i++)
        make_line(&p->line[i], &axis[i], i == 2, &at);
    p->nearest = p->line[0].taps == 1 && p->line[1].taps == 1 && p->line[2].taps == 1;
    p->direct =
        mtm_row_type_of(in->dtype) != MTM_N_ROW_TYPES && in->stride[2] == (int64_t)mtm_dtype_size(in->dtype);
    p->order = choose_order(axis, p->direct);
    longest = mtm_max_i64(p->line[2].high - p->line[2].low, p->line[2].count);
    p->scratch_bytes =
        2 * mtm_resample_pitch(longest) * sizeof(float) + ring_bytes(p, p->order) +
        align64((size_t)(p->line[0].taps + p->line[1].taps) * (sizeof(int64_t) + sizeof(void *)));
}
