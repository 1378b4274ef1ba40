/* kernel/window_body.h: the loops of kernel/window.h. Each variant says how numbers are stored past the caches (window_put,
 * window_fence) and includes this; the compiler turns the plain loops into vectors of its instruction set.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "kernel/window.h"

static void window_put(float *to, const float *from, int64_t n, bool stream);
static void window_fence(void); /* other threads see what was put */

static inline float window_weight(float c, float axis, float floor)
{
    const float w = c * axis;

    return w > floor ? w : floor;
}

static void window_weigh(float *restrict total, const float *restrict axis, float c, float floor, int64_t old,
                         int64_t n)
{
    for (int64_t i = 0; i < old; i++)
        total[i] += window_weight(c, axis[i], floor);
    for (int64_t i = old; i < n; i++)
        total[i] = window_weight(c, axis[i], floor);
}

/* to = scores · weights, on top of `from` where that is not NULL; to may be from. */
static inline void window_term(float *to, const float *from, const float *v, const float *axis, float c,
                               float floor, int64_t n)
{
    if (!from) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; i++)
            to[i] = v[i] * window_weight(c, axis[i], floor);
        return;
    }
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        to[i] = from[i] + v[i] * window_weight(c, axis[i], floor);
}

static inline void window_mean(float *restrict sum, const float *restrict total, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] /= total[i];
}

static inline void window_better(float *restrict best, int32_t *restrict label, const float *restrict v,
                                 int32_t c, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        label[i] = v[i] > best[i] ? c : label[i];
        best[i] = v[i] > best[i] ? v[i] : best[i];
    }
}

/* Rows of sums that are fetched early: pieces of rows are too short for the processor to see them coming. */
enum { AHEAD = 8 };

static inline void window_label_begin(float *restrict best, int32_t *restrict label, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        best[i] = -INFINITY, label[i] = 0;
}

/* The sums of class k of a piece of row r: in acc; or, where they only grow, in their place. */
static inline void window_sums(const mtm_window_band *b, const mtm_window_piece *p, int64_t k, int64_t r,
                               float *acc, float *sums)
{
    const float *from = p->old ? sums : NULL;

    if (p->old)
        for (int64_t i = 0; i < p->n; i += 16)
            __builtin_prefetch(sums + AHEAD * b->sums_pitch + i, 1);
    for (uint32_t w = p->windows; w; w &= w - 1) {
        const mtm_window_term *const t = &b->term[__builtin_ctz(w)];
        const int64_t at = p->x - t->x;
        const float *const v = (const float *)(t->scores + k * t->step + r * t->pitch) + at;
        float *const to = !(w & (w - 1)) && p->old && p->end == MTM_WINDOW_KEEP ? sums : acc;

        window_term(to, from, v, t->axis + at, t->c * t->rows[r], b->floor, p->n);
        from = to;
    }
    if (p->windows)
        return;
    if (from)
        memcpy(acc, from, (size_t)p->n * sizeof *acc);
    else
        memset(acc, 0, (size_t)p->n * sizeof *acc);
}

static inline void window_row(const mtm_window_band *b, int64_t k, int64_t r, float *acc)
{
    for (int32_t i = 0; i < b->pieces; i++) {
        const mtm_window_piece *const p = &b->piece[i];
        const int64_t at = r * b->pitch + p->x;
        float *const sums = b->sums + k * b->sums_step + r * b->sums_pitch + p->x;

        window_sums(b, p, k, r, acc, sums);
        if (p->end == MTM_WINDOW_LABEL) {
            if (k == 0)
                window_label_begin(b->best + at, b->label + at, p->n);
            window_better(b->best + at, b->label + at, acc, (int32_t)k, p->n);
        } else if (p->end == MTM_WINDOW_MEAN) {
            window_mean(acc, b->total + at, p->n);
            window_put(b->out + k * b->out_step + r * b->out_pitch + p->x, acc, p->n, b->stream_mean);
        } else if (!p->old) {
            window_put(sums, acc, p->n, b->stream);
        }
    }
}

static void window_blend(const mtm_window_band *b)
{
    _Alignas(64) float acc[MTM_WINDOW_SPAN];

    for (int64_t k = 0; k < b->classes; k++)
        for (int64_t r = 0; r < b->rows; r++)
            window_row(b, k, r, acc);
    if (b->stream || b->stream_mean)
        window_fence();
}

static void window_kernels_set(mtm_window_kernels *k)
{
    k->blend = window_blend;
    k->weigh = window_weigh;
}
