/* tests/check/check_pointwise.c: pointwise programs: every variant gives the bits of the C reference, in any cut.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

typedef struct step_case {
    const char *name;
    mtm_step step;
    double lo, hi; /* of the values */
} step_case;

static const step_case cases[] = {
    {"linear", {MTM_STEP_LINEAR, -1, 1.7f, -0.3f, 100.25f, 0, 0, {0}, 0, 0}, -500, 500},
    {"linear_nonzero", {MTM_STEP_LINEAR_NONZERO, -1, 1.7f, -0.3f, 2, 0, 0, {0}, 0, 0}, -2, 2},
    {"clamp", {MTM_STEP_CLAMP, -1, -0.5f, 0.75f, 0, 0, 0, {0}, 0, 0}, -2, 2},
    {"gamma", {MTM_STEP_GAMMA, -1, -3, 1.0f / 7, 0.7f, 7, 0, {0}, 0, 0}, -4, 5},
    {"gamma_0", {MTM_STEP_GAMMA, -1, 0, 1, 0, 1, 0, {0}, 0, 0}, -1, 1},
    {"gamma_signed", {MTM_STEP_GAMMA_SIGNED, -1, 0, 0, 2.3f, 0, 0, {0}, 0, 0}, -1e4, 1e4},
    {"gamma_signed_steep", {MTM_STEP_GAMMA_SIGNED, -1, 0, 0, 900, 0, 0, {0}, 0, 0}, -1.2, 1.2},
    {"sigmoid", {MTM_STEP_SIGMOID, -1, 2, -0.01f, 0.4f, -1, 0, {0}, 0, 0}, -20000, 20000},
    {"noise", {MTM_STEP_NOISE, -1, 0.5f, 0, 0, 0, 0x123456789ABCDEFull, {7, 8, 9}, 13, 0}, -1, 1},
    {"rician", {MTM_STEP_RICIAN, -1, 0.5f, 0, 0, 0, 0x123456789ABCDEFull, {7, 8, 9}, 13, 0}, -1, 1},
    {"shot_few", {MTM_STEP_SHOT, -1, 0.5f, 0, 0, 0, 0x123456789ABCDEFull, {7, 8, 9}, 13, 0}, -1, 7},
    {"shot_many", {MTM_STEP_SHOT, -1, 0.01f, 0, 0, 0, 0x123456789ABCDEFull, {7, 8, 9}, 13, 0}, 0.1, 1e3},
    {"shot_mixed", {MTM_STEP_SHOT, -1, 0.5f, 0, 0, 0, 0x123456789ABCDEFull, {7, 8, 9}, 13, 0}, -3, 30},
    {"salt_pepper",
     {MTM_STEP_SALT_PEPPER, -1, 0.2f, 0.5f, 2, -3, 0x123456789ABCDEFull, {7, 8, 9}, 13, 0},
     -1,
     1},
    {"curve", {MTM_STEP_CURVE, -1, 0, 0, 0, 0, 0, {0}, 0, 4}, -5, 5},
};

static const mtm_step knots[] = {{MTM_STEP_KNOT, -1, 2, 0.5f, -3, 0, 0, {0}, 0, 0},
                                 {MTM_STEP_KNOT, -1, 0, 2.5f, -2, 0, 0, {0}, 0, 0},
                                 {MTM_STEP_KNOT, -1, 0.3f, 2.5f, -2, 0, 0, {0}, 0, 0},
                                 {MTM_STEP_KNOT, -1, 1.7f, 3, 2.25f, 0, 0, {0}, 0, 0}};

static void check_step(mtm_check *c, const step_case *s, const mtm_pointwise *p)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i), cut = n ? (size_t)mtm_check_below(c, (int64_t)n) : 0;
        float *const a = mtm_check_alloc(c, n * sizeof *a, sizeof *a);
        float *const b = mtm_check_alloc(c, n * sizeof *b, sizeof *b);
        float *const x = mtm_check_alloc(c, n * sizeof *x, sizeof *x);
        const int64_t first = mtm_check_below(c, i % 3 ? 1000 : INT64_C(1) << 40);

        mtm_check_fill_f32(c, a, n, s->lo, s->hi, true);
        if (n)
            memcpy(b, a, n * sizeof *a), memcpy(x, a, n * sizeof *a);
        c->ref.pointwise.run(p, 0, first, a, n);
        c->now.pointwise.run(p, 0, first, b, cut);
        c->now.pointwise.run(p, 0, first + (int64_t)cut, b + cut, n - cut);
        mtm_check_f32(c, s->name, a, b, n, 0, 0);
        c->now.pointwise.map(p, 0, first, x, b, n);
        mtm_check_f32(c, s->name, a, b, n, 0, 0);
        mtm_check_case_end(c);
    }
}

static void bench_step(mtm_check *c, const mtm_pointwise *p)
{
    enum { N = 1 << 16 };
    float *const a = mtm_check_alloc(c, N * sizeof *a, 64);

    mtm_check_fill_f32(c, a, N, 0, 1, false);
    mtm_check_bench(c, N, c->ref.pointwise.run(p, 0, 0, a, N), c->now.pointwise.run(p, 0, 0, a, N));
    mtm_check_case_end(c);
}

void check_pointwise(mtm_check *c)
{
    mtm_pointwise all = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mtm_pointwise p = {.n = 1, .steps = {cases[i].step}};

        for (int32_t k = 0; k < cases[i].step.knots; k++)
            p.steps[p.n++] = knots[k];
        if (i < 4)
            all.steps[all.n++] = cases[i].step;
        if (!mtm_check_kernel(c, cases[i].name, c->ref.pointwise.run, c->now.pointwise.run))
            continue;
        check_step(c, &cases[i], &p);
        bench_step(c, &p);
    }
    if (mtm_check_kernel(c, "four steps", c->ref.pointwise.run, c->now.pointwise.run)) {
        const step_case s = {"four steps", {0}, -10, 10};

        all.steps[2].channel = 1; /* not this channel's */
        check_step(c, &s, &all);
    }
}
