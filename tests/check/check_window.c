/* tests/check/check_window.c: rows of window sums: every variant gives the reference's bits.
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

static void weights(mtm_check *c, size_t n)
{
    const float *const axis = row(c, n, true);
    float *const a = row(c, n, false), *const b = row(c, n, false);

    c->ref.window.weights(a, axis, 0.7f, 0.25f, (int64_t)n);
    c->now.window.weights(b, axis, 0.7f, 0.25f, (int64_t)n);
    mtm_check_f32(c, "weights", a, b, n, 0, 0);
}

static void add(mtm_check *c, size_t n)
{
    const float *const v = row(c, n, true), *const w = row(c, n, false);
    const int64_t old = mtm_check_below(c, (int64_t)n + 1);
    float *const a = row(c, n, false), *const b = row(c, n, false);

    memcpy(b, a, n * sizeof *a);
    c->ref.window.add(a, v, w, old, (int64_t)n, 64);
    c->now.window.add(b, v, w, old, (int64_t)n, 64);
    mtm_check_f32(c, "add", a, b, n, 0, 0);
}

static void divide(mtm_check *c, size_t n)
{
    const float *const v = row(c, n, true), *const w = row(c, n, false);
    float *const a = row(c, n, false), *const b = row(c, n, false);

    c->ref.window.divide(a, v, w, (int64_t)n);
    memcpy(b, v, n * sizeof *b);
    c->now.window.divide(b, b, w, (int64_t)n); /* in place */
    mtm_check_f32(c, "divide", a, b, n, 0, 0);
}

static void better(mtm_check *c, size_t n)
{
    const float *const v = row(c, n, true);
    float *const a = row(c, n, true), *const b = row(c, n, true);
    int32_t *const i = mtm_check_alloc(c, n * sizeof *i, 4), *const j = mtm_check_alloc(c, n * sizeof *j, 4);

    memcpy(b, a, n * sizeof *a);
    memcpy(j, i, n * sizeof *i);
    c->ref.window.better(a, i, v, 7, (int64_t)n);
    c->now.window.better(b, j, v, 7, (int64_t)n);
    mtm_check_f32(c, "better", a, b, n, 0, 0);
    mtm_check_bytes(c, "better's labels", i, j, n * sizeof *i);
}

void check_window(mtm_check *c)
{
    if (mtm_check_kernel(c, "weights", c->ref.window.weights, c->now.window.weights))
        check_rows(c, weights);
    if (mtm_check_kernel(c, "add", c->ref.window.add, c->now.window.add))
        check_rows(c, add);
    if (mtm_check_kernel(c, "divide", c->ref.window.divide, c->now.window.divide))
        check_rows(c, divide);
    if (mtm_check_kernel(c, "better", c->ref.window.better, c->now.window.better))
        check_rows(c, better);
}
