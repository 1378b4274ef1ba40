/* tests/check/check_window.c: bands of window sums: every variant gives the reference's bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

#include "base/size.h"

static float *row(mtm_check *c, size_t n, bool special)
{
    float *const x = mtm_check_alloc(c, n * sizeof *x, sizeof *x);

    mtm_check_fill_f32(c, x, n, -3, 3, special);
    return x;
}

static void check_rows(mtm_check *c, void (*one)(mtm_check *c, size_t n))
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        one(c, mtm_check_size(c, i));
        mtm_check_case_end(c);
    }
}

static void weigh(mtm_check *c, size_t n)
{
    const float *const axis = row(c, n, true);
    const int64_t old = mtm_check_below(c, (int64_t)n + 1);
    float *const a = row(c, n, false), *const b = row(c, n, false);

    memcpy(b, a, n * sizeof *a);
    c->ref.window.weigh(a, axis, 0.7f, 0.25f, old, (int64_t)n);
    c->now.window.weigh(b, axis, 0.7f, 0.25f, old, (int64_t)n);
    mtm_check_f32(c, "weigh", a, b, n, 0, 0);
}

enum { ROWS = 2, CLASSES = 3 };

/* Three pieces of random extents; any of three windows, which all begin at voxel 0. */
static void fill_band(mtm_check *c, mtm_window_band *b, int64_t way)
{
    const int64_t n = b->pitch;
    const size_t all = (size_t)(n * ROWS);

    for (int32_t t = 0; t < 3; t++)
        b->term[t] = (mtm_window_term){.scores = (const char *)row(c, all * CLASSES, true),
                                       .step = (int64_t)(all * sizeof(float)),
                                       .pitch = n * (int64_t)sizeof(float),
                                       .rows = row(c, ROWS, false),
                                       .axis = row(c, (size_t)n, false),
                                       .c = 0.5f + (float)t};
    b->pieces = 3;
    for (int64_t i = 0, x = 0; i < 3; x += b->piece[i++].n)
        b->piece[i] = (mtm_window_piece){.x = x,
                                         .n = i < 2 ? mtm_check_below(c, n - x + 1) : n - x,
                                         .windows = (uint32_t)mtm_check_below(c, 8),
                                         .old = (way >> i) & 1,
                                         .end = mtm_check_below(c, 2)
                                                    ? (way >> 3 & 1 ? MTM_WINDOW_MEAN : MTM_WINDOW_LABEL)
                                                    : MTM_WINDOW_KEEP};
}

static void blend(mtm_check *c, size_t n)
{
    const int64_t way = mtm_check_below(c, 64);
    const size_t width = (size_t)mtm_min_i64((int64_t)n, MTM_WINDOW_SPAN), all = width * ROWS * CLASSES;
    mtm_window_band b = {.rows = ROWS, .classes = CLASSES, .floor = 0.25f, .pitch = (int64_t)width};
    float *sums[2], *out[2], *best[2];
    int32_t *label[2];

    b.stream = b.stream_mean = way >> 5 & 1, b.total = row(c, width * ROWS, false);
    b.sums_pitch = b.out_pitch = (int64_t)width, b.sums_step = b.out_step = (int64_t)width * ROWS;
    fill_band(c, &b, way);
    for (int i = 0; i < 2; i++) {
        sums[i] = row(c, all, false), out[i] = way >> 4 & 1 ? sums[i] : row(c, all, false);
        best[i] = row(c, width * ROWS, false);
        label[i] = mtm_check_alloc(c, width * ROWS * sizeof **label, 4);
    }
    memcpy(sums[1], sums[0], all * sizeof **sums);
    memcpy(out[1], out[0], all * sizeof **out);
    memcpy(label[1], label[0],
           width * ROWS * sizeof **label); /* where no label is asked for, none is stored */
    for (int i = 0; i < 2; i++) {
        b.sums = sums[i], b.out = out[i], b.best = best[i], b.label = label[i];
        (i ? c->now : c->ref).window.blend(&b);
    }
    mtm_check_f32(c, "blend's sums", sums[0], sums[1], all, 0, 0);
    mtm_check_f32(c, "blend's means", out[0], out[1], all, 0, 0);
    mtm_check_bytes(c, "blend's labels", label[0], label[1], width * ROWS * sizeof **label);
}

void check_window(mtm_check *c)
{
    if (mtm_check_kernel(c, "weigh", c->ref.window.weigh, c->now.window.weigh))
        check_rows(c, weigh);
    if (mtm_check_kernel(c, "blend", c->ref.window.blend, c->now.window.blend))
        for (int i = 0; i < 3; i++)
            check_rows(c, blend);
}
