/* pipe/window_rows.c: windows' scores added to rows of sums, and rows divided (or their arg-max taken) and stored as soon as no
 * window comes any more. A row is cut into pieces which the same windows cover; each is read and written once per group of
 * windows, begun by storing and not by adding to zeros, and finished in the pass that adds its last window.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pipe/window_sum.h"

/* What the pieces of a row follow from: neighbouring rows mostly have the same. */
typedef struct row_state {
    uint32_t windows;      /* of the group: bit i for part i */
    int64_t filled, final; /* voxels that hold something before; that no later window reaches */
} row_state;

typedef struct row_layout {
    int64_t reach; /* voxels that hold something after */
    int32_t n;
    mtm_window_piece piece[MTM_WINDOW_PIECES];
} row_layout;

/* A task's scratch rows. */
typedef struct row_scratch {
    _Alignas(64) float total[MTM_WINDOW_AREA];
    _Alignas(64) float best[MTM_WINDOW_AREA];
    _Alignas(64) int32_t label[MTM_WINDOW_AREA];
} row_scratch;

/* ---- pieces of a row ---------------------------------------------------------------------------------- */

static int32_t insert(int64_t *cut, int32_t n, int64_t x)
{
    int32_t i = n;

    for (; i > 0 && cut[i - 1] >= x; i--)
        if (cut[i - 1] == x)
            return n;
    memmove(cut + i + 1, cut + i, (size_t)(n - i) * sizeof *cut);
    cut[i] = x;
    return n + 1;
}

static uint32_t covering(const window_group *g, uint32_t of, int64_t x)
{
    uint32_t windows = 0;

    for (int32_t i = 0; i < g->n; i++)
        if (of >> i & 1 && g->part[i].at[2] <= x && x < g->part[i].at[2] + g->part[i].n[2])
            windows |= UINT32_C(1) << i;
    return windows;
}

static row_layout lay_out(const window_group *g, const row_state *r)
{
    const mtm_window_end end = g->s->argmax ? MTM_WINDOW_LABEL : MTM_WINDOW_MEAN;
    row_layout l = {.reach = r->filled};
    int64_t cut[MTM_WINDOW_PIECES] = {0};
    int32_t n = 1;

    n = insert(cut, n, r->filled);
    n = insert(cut, n, r->final);
    n = insert(cut, n, g->s->shape[2]);
    for (int32_t i = 0; i < g->n; i++)
        if (r->windows >> i & 1) {
            const int64_t to = g->part[i].at[2] + g->part[i].n[2];

            n = insert(cut, n, g->part[i].at[2]);
            n = insert(cut, n, to);
            l.reach = mtm_max_i64(l.reach, to);
        }
    for (int32_t i = 0; i + 1 < n; i++) {
        const bool final = cut[i] < r->final;
        const mtm_window_piece p = {.x = cut[i],
                                    .n = cut[i + 1] - cut[i],
                                    .windows = covering(g, r->windows, cut[i]),
                                    .old = cut[i] < r->filled,
                                    .end = final ? end : MTM_WINDOW_KEEP};
        const bool gap = !final && !p.old && p.x < l.reach;

        if (p.windows || gap ||
            (final && !g->s->planned)) /* planned: what has no window here was stored before */
            l.piece[l.n++] = p;
    }
    return l;
}

/* ---- sums of weights ---------------------------------------------------------------------------------- */

/* Of the voxels [x, end) by the plan, in the order in which its windows come. */
static void planned_total(const mtm_window_sum *s, float *total, int64_t z, int64_t y, int64_t x, int64_t end)
{
    const mtm_windows *const w = &s->plan;
    const int64_t at[3] = {z, y, x};
    int64_t first[3], filled = x;

    for (int d = 0; d < 3; d++)
        first[d] = mtm_window_covering(w, d, at[d]);
    for (int64_t i = first[0]; i < w->count[0] && mtm_window_at(w, 0, i) <= z; i++)
        for (int64_t j = first[1]; j < w->count[1] && mtm_window_at(w, 1, j) <= y; j++) {
            const float c =
                s->weight.axis[0][z - mtm_window_at(w, 0, i)] * s->weight.axis[1][y - mtm_window_at(w, 1, j)];

            for (int64_t k = first[2]; k < w->count[2] && mtm_window_at(w, 2, k) < end; k++) {
                const int64_t start = mtm_window_at(w, 2, k), lo = mtm_max_i64(start, x);
                const int64_t hi = mtm_min_i64(start + w->size[2], end);

                s->kernels.weigh(total + lo - x, s->weight.axis[2] + lo - start, c, s->weight.floor,
                                 mtm_max_i64(mtm_min_i64(filled, hi) - lo, 0), hi - lo);
                filled = mtm_max_i64(filled, hi);
            }
        }
}

/* Adds the terms' weights to those kept for a row's piece; what no window covered weighs 1 in the end: 0 / 1 is its mean. */
static void kept_total(const mtm_window_sum *s, const mtm_window_band *b, const mtm_window_piece *p,
                       int64_t r, float *total)
{
    bool old = p->old;

    if (!p->windows && !p->old)
        memset(total, 0, (size_t)p->n * sizeof *total);
    for (uint32_t w = p->windows; w; w &= w - 1, old = true) {
        const mtm_window_term *const t = &b->term[__builtin_ctz(w)];

        s->kernels.weigh(total, t->axis + (p->x - t->x), t->c * t->rows[r], b->floor, old ? p->n : 0, p->n);
    }
    for (int64_t i = 0; p->end != MTM_WINDOW_KEEP && i < p->n; i++)
        total[i] = total[i] > 0 ? total[i] : 1;
}

/* ---- bands of rows ------------------------------------------------------------------------------------ */

static void store_bytes(uint8_t *restrict to, const int32_t *restrict from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (uint8_t)from[i];
}

/* Stores n numbers in the result's row. */
static void store(const mtm_window_sum *s, char *row, int64_t x, const void *values, mtm_dtype t, int64_t n)
{
    const int64_t stride = s->out.stride[s->out.ndim - 1];

    if (t == MTM_I32 && s->out.dtype == MTM_U8 && stride == 1) {
        store_bytes((uint8_t *)row + x, values, n);
        return;
    }
    const mtm_array from = mtm_array_wrap((void *)values, t, 1, &n);
    mtm_array to = mtm_array_wrap(row + x * stride, s->out.dtype, 1, &n);

    to.stride[0] = stride;
    (void)mtm_array_convert(&to, &from, 1, 0, NULL, NULL); /* the dtypes were checked: it cannot fail */
}

/* The result's row of class c (of labels: 0). */
static char *out_row(const mtm_window_sum *s, int64_t c, int64_t z, int64_t y)
{
    const int64_t *const step = s->out.stride + s->out.ndim - 3;

    return (char *)s->out.data + (s->argmax ? 0 : c * s->out.stride[0]) + z * step[0] + y * step[1];
}

/* What the kernels did not store in the result themselves: labels, and means of another dtype or stride. */
static void store_band(const mtm_window_sum *s, const mtm_window_band *b, int64_t z, int64_t y, int64_t x)
{
    for (int32_t i = 0; i < b->pieces; i++) {
        const mtm_window_piece *const p = &b->piece[i];

        for (int64_t r = 0; r < b->rows && p->end == MTM_WINDOW_LABEL; r++)
            store(s, out_row(s, 0, z, y + r), x + p->x, b->label + r * b->pitch + p->x, MTM_I32, p->n);
        for (int64_t c = 0; c < s->classes && p->end == MTM_WINDOW_MEAN && !s->direct; c++)
            for (int64_t r = 0; r < b->rows; r++)
                store(s, out_row(s, c, z, y + r), x + p->x,
                      b->sums + c * b->sums_step + r * b->sums_pitch + p->x, MTM_F32, p->n);
    }
}

static void set_terms(const window_group *g, mtm_window_band *b, uint32_t windows, int64_t z, int64_t y,
                      int64_t x)
{
    const mtm_window_axes *const a = &g->s->weight;

    for (int32_t i = 0; i < g->n; i++) {
        const window_part *const w = &g->part[i];

        if (windows >> i & 1)
            b->term[i] = (mtm_window_term){.scores = (const char *)w->scores.data +
                                                     (z - w->at[0]) * w->scores.stride[1] +
                                                     (y - w->at[1]) * w->scores.stride[2],
                                           .step = w->scores.stride[0],
                                           .pitch = w->scores.stride[2],
                                           .rows = a->axis[1] + w->from[1] + (y - w->at[1]),
                                           .axis = a->axis[2] + w->from[2],
                                           .c = a->axis[0][w->from[0] + (z - w->at[0])],
                                           .x = w->at[2] - x};
    }
}

static void set_places(const mtm_window_sum *s, mtm_window_band *b, int64_t z, int64_t y, int64_t x)
{
    const int64_t plane = s->shape[1] * s->shape[2], size = sizeof(float);

    b->sums = (float *)s->sum.data + z % s->depth * plane + y * s->shape[2] + x;
    b->sums_step = s->depth * plane, b->sums_pitch = s->shape[2];
    b->out = b->sums, b->out_step = b->sums_step, b->out_pitch = b->sums_pitch;
    if (s->direct)
        b->out = (float *)out_row(s, 0, z, y) + x, b->out_step = s->out.stride[0] / size,
        b->out_pitch = s->out.stride[2] / size;
}

/* The pieces' parts among the span's n voxels from x on; how many. */
static int32_t clip_pieces(const row_layout *l, int64_t x, int64_t n, mtm_window_piece *to)
{
    int32_t k = 0;

    for (int32_t i = 0; i < l->n; i++) {
        const int64_t lo = mtm_max_i64(l->piece[i].x, x),
                      hi = mtm_min_i64(l->piece[i].x + l->piece[i].n, x + n);

        if (lo < hi)
            to[k] = l->piece[i], to[k].x = lo - x, to[k++].n = hi - lo;
    }
    return k;
}

static void set_totals(const mtm_window_sum *s, mtm_window_band *b, float *total, int64_t z, int64_t y,
                       int64_t x)
{
    for (int64_t r = 0; r < b->rows && !s->argmax; r++)
        for (int32_t i = 0; i < b->pieces; i++) {
            const mtm_window_piece *const p = &b->piece[i];
            const int64_t at = x + p->x;
            float *const row = total + r * b->pitch + p->x;

            if (!s->planned)
                kept_total(s, b, p, r, row);
            else if (p->end == MTM_WINDOW_MEAN)
                planned_total(s, row, z, y + r, at, at + p->n);
        }
}

/* The span of n voxels from x on of the rows y … end, which have this layout. */
static void work_span(const window_group *g, const row_layout *l, uint32_t windows, int64_t z,
                      const int64_t rows[2], int64_t x, int64_t n, row_scratch *scratch)
{
    const mtm_window_sum *const s = g->s;
    mtm_window_band b;

    b.classes = s->classes, b.floor = s->weight.floor;
    b.stream = s->stream, b.stream_mean = s->stream && !s->in_place;
    b.pitch = s->total.data ? s->shape[2] : n;
    b.best = scratch->best, b.label = s->argmax ? scratch->label : NULL;
    b.pieces = clip_pieces(l, x, n, b.piece);
    for (int64_t y = rows[0]; b.pieces && y < rows[1]; y += b.rows) {
        float *const total = s->total.data
                                 ? (float *)s->total.data + (z % s->depth * s->shape[1] + y) * s->shape[2] + x
                                 : scratch->total;

        b.rows = mtm_min_i64(MTM_WINDOW_AREA / n, rows[1] - y), b.total = total;
        set_terms(g, &b, windows, z, y, x);
        set_places(s, &b, z, y, x);
        set_totals(s, &b, total, z, y, x);
        s->kernels.blend(&b);
        store_band(s, &b, z, y, x);
    }
}

/* ---- planes ------------------------------------------------------------------------------------------- */

static row_state state_of(const window_group *g, int64_t z, int64_t y)
{
    const mtm_window_sum *const s = g->s;
    row_state r = {.filled = s->filled[z % s->depth * s->shape[1] + y]};

    for (int32_t i = 0; i < g->n; i++)
        if (y >= g->part[i].at[1] && y < g->part[i].at[1] + g->part[i].n[1])
            r.windows |= UINT32_C(1) << i;
    if (z < g->done)
        r.final = y < g->whole_y ? s->shape[2] : y < g->part_y ? g->part_x : 0;
    return r;
}

static bool same_state(const row_state *a, const row_state *b)
{
    return a->windows == b->windows && a->filled == b->filled && a->final == b->final;
}

/* Rows y … end of a plane. */
static void work_rows(const window_group *g, int64_t z, int64_t y, int64_t end, row_scratch *scratch)
{
    mtm_window_sum *const s = g->s;
    int32_t *const filled = &s->filled[z % s->depth * s->shape[1]];

    for (row_state now = state_of(g, z, y), next; y < end; now = next) {
        const row_layout l = lay_out(g, &now);
        int64_t rows[2] = {y, y};

        for (next = now; y < end && same_state(&next, &now); next = y < end ? state_of(g, z, y) : now)
            rows[1] = ++y;
        for (int64_t x = 0; x < s->shape[2]; x += MTM_WINDOW_SPAN)
            work_span(g, &l, now.windows, z, rows, x, mtm_min_i64(MTM_WINDOW_SPAN, s->shape[2] - x), scratch);
        for (int64_t i = rows[0]; i < rows[1]; i++)
            filled[i] =
                now.final == s->shape[2] ? 0 : (int32_t)l.reach; /* a plane to come finds empty rows */
    }
}

static void work_planes(const window_group *g, int64_t lo, int64_t hi)
{
    row_scratch scratch;

    for (int64_t z = lo; z < hi; z++) {
        const bool all = z < g->done && !g->s->planned;
        const int64_t first = all ? 0 : g->rows[0], end = all ? g->s->shape[1] : g->rows[1];

        if (first < end)
            work_rows(g, z, first, end, &scratch);
    }
}

void mtm_window_add_planes(void *group, int64_t lo, int64_t hi)
{
    const window_group *const g = group;

    work_planes(g, g->part[0].at[0] + lo, g->part[0].at[0] + hi);
}

void mtm_window_finish_planes(void *sum, int64_t lo, int64_t hi)
{
    mtm_window_sum *const s = sum;
    const window_group g = {.s = s, .done = s->shape[0], .whole_y = s->shape[1]};

    work_planes(&g, s->base + lo, s->base + hi);
}
