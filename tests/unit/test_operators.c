/* tests/unit/test_operators.c: every operator of the table that runs on an array, while any of its allocations fails: one clear
 * error, nothing made, nothing leaked (the sanitizers look), and the same bytes again when there is memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/rng.h"
#include "op/exec.h"
#include "op/op.h"

enum { NZ = 5, NY = 7, NX = 11, N = NZ * NY * NX, GIVEN = 3, NUMBERS = 16, MOST_ALLOCATIONS = 400 };

typedef struct given {
    const char *name;
    int n; /* 0: `text`, or the reference picture where there is none */
    double v[NUMBERS];
    const char *text;
} given;

#define NUMS(of, ...)                                                                                        \
    {                                                                                                        \
        .name = of, .n = (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), .v = {__VA_ARGS__}         \
    }
#define WORD(of, what) {.name = of, .text = what}

/* Arguments for the operators that need some; others run on their defaults. An operator that stands twice takes two ways. */
static const struct {
    const char *op;
    given a[GIVEN];
} with[] = {
    {"resize", {NUMS("size", 4, 9, 10)}},
    {"affine", {NUMS("matrix", 0.9, 0.1, 0, 0, 0, 1, 0.2, 0, 0, 0, 1.1, 0), WORD("interp", "cubic")}},
    {"rotate", {NUMS("degrees", 20), NUMS("axis", 0, 0, 1)}},
    {"zoom", {NUMS("factor", 1.3), WORD("interp", "cubic")}},
    {"flip", {NUMS("axis", 1)}},
    {"crop", {NUMS("start", 1, 1, 1), NUMS("size", 2, 2, 2)}},
    {"pad", {NUMS("before", 1), NUMS("after", 2)}},
    {"crop_or_pad", {NUMS("size", 6)}},
    {"spacing", {NUMS("spacing", 1), NUMS("to", 2)}},
    {"elastic", {NUMS("sigma", 2), NUMS("magnitude", 3), WORD("interp", "cubic")}},
    {"elastic", {NUMS("max_displacement", 2)}},
    {"grid_distortion", {NUMS("num_cells", 2), NUMS("distort_steps", 1.1, 0.9, 1, 1.2, 0.8, 1)}},
    {"gaussian_blur", {NUMS("sigma", 1.5)}},
    {"median", {NUMS("radius", 1)}},
    {"median", {NUMS("radius", 1, 2, 3)}},
    {"low_resolution", {NUMS("zoom", 0.5), WORD("interp", "cubic")}},
    {"coarse_dropout", {NUMS("starts", 1, 1, 1), NUMS("size", 2), WORD("fill_with", "mean")}},
    {"histogram_match", {{.name = "reference"}}},
    {"histogram_standardize", {NUMS("landmarks", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)}},
    {"window", {NUMS("center", 40), NUMS("width", 80)}},
    {"gamma", {NUMS("gamma", 2)}},
    {"contrast", {NUMS("factor", 1.5)}},
    {"shift", {NUMS("offset", 1)}},
    {"gaussian_noise", {NUMS("sigma", 0.1)}},
    {"rician_noise", {NUMS("sigma", 0.1)}},
    {"histogram_shift", {NUMS("points", 0, 0.3, 1)}},
    {"bias_field", {NUMS("coefficients", 0.1, 0.2, 0.3, 0.4, 0, 0, 0.5, 0, 0, -0.1), NUMS("degree", 2)}},
    {"gibbs", {NUMS("alpha", 0.5)}},
    {"spike", {NUMS("position", 0.1, 0.2, 0.3), NUMS("intensity", 2)}},
    {"ghosting", {NUMS("count", 3), NUMS("axis", 0), NUMS("intensity", 1)}},
    {"motion", {NUMS("degrees", 5, 0, 3), NUMS("translations", 1, 2, 3), NUMS("times", 0.4)}},
    {"one_hot", {NUMS("num_classes", 4)}},
};

typedef struct picture {
    mtm_array image, label; /* [1, Z, Y, X] */
    float x[N];
    uint8_t labels[N];
} picture;

static int setup(void **state)
{
    static picture p;
    static const int64_t shape[4] = {1, NZ, NY, NX};
    mtm_rng r = mtm_rng_at(3, 0, 0, 0);

    for (int i = 0; i < N; i++) {
        p.x[i] = 100 * mtm_rng_uniform(&r);
        p.labels[i] = (uint8_t)mtm_rng_below(&r, 4);
    }
    p.image = mtm_array_wrap(p.x, MTM_F32, 4, shape);
    p.label = mtm_array_wrap(p.labels, MTM_U8, 4, shape);
    *state = &p;
    return 0;
}

static int arguments(mtm_arg to[GIVEN], const given a[GIVEN], const mtm_array *reference)
{
    int n = 0;

    for (; a && n < GIVEN && a[n].name; n++)
        to[n] = a[n].n      ? (mtm_arg){.name = a[n].name,
                                        .kind = MTM_ARG_NUMBERS,
                                        .n = a[n].n,
                                        .scalar = a[n].n == 1,
                                        .numbers = a[n].v}
                : a[n].text ? (mtm_arg){.name = a[n].name, .kind = MTM_ARG_TEXT, .text = a[n].text}
                            : (mtm_arg){.name = a[n].name, .kind = MTM_ARG_ARRAY, .array = reference};
    return n;
}

/* A new context and one run with it, after n allocations that succeed; n < 0: all do. */
static mtm_status run_once(const mtm_op *op, const void *args, const mtm_array *in, int64_t n, mtm_array *out,
                           mtm_error *err)
{
    MTM_AUTO(mtm_exec) x = NULL;
    static const double affine[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    double moved[16];
    mtm_status s;

    mtm_mem_fail_after(n);
    s = mtm_exec_new(&x, NULL, NULL, err);
    if (!s)
        s = mtm_op_run(x, op, args, in, true, affine, out, moved, err);
    mtm_mem_fail_after(-1);
    return s;
}

static bool same_bytes(const mtm_array *a, const mtm_array *b)
{
    const size_t n = (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype);

    return mtm_array_count(a) == mtm_array_count(b) && a->dtype == b->dtype && !memcmp(a->data, b->data, n);
}

static void fail_each(const mtm_op *op, const given a[GIVEN], const picture *p)
{
    const mtm_array *const in = op->kind == MTM_OP_LABEL ? &p->label : &p->image;
    MTM_AUTO_MEM void *args = mtm_alloc_zero(1, op->args_bytes ? op->args_bytes : 1);
    mtm_array whole = {0};
    mtm_arg g[GIVEN];
    mtm_error err = {0};
    mtm_status s = MTM_E_NOMEM;

    if (mtm_op_args(op, args, g, arguments(g, a, &p->image), &err) ||
        run_once(op, args, in, -1, &whole, &err))
        fail_msg("%s: %s", op->name, err.text);
    for (int64_t n = 0; s; n++) {
        mtm_array out = {0};

        s = run_once(op, args, in, n, &out, &err);
        if (s && (s != MTM_E_NOMEM || out.data || n > MOST_ALLOCATIONS))
            fail_msg("%s, allocation %d: status %d, %s", op->name, (int)n, (int)s, err.text);
        if (!s && !same_bytes(&out, &whole))
            fail_msg("%s: other bytes after errors", op->name);
        mtm_array_drop(&out);
    }
    mtm_array_drop(&whole);
}

static void test_every_allocation_may_fail(void **state)
{
    int32_t n;
    const mtm_op *const *const table = mtm_op_table(&n);

    for (int32_t i = 0; i < n; i++) {
        bool given_some = false;

        if (table[i]->kind == MTM_OP_RANDOM)
            continue;
        for (size_t k = 0; k < sizeof with / sizeof *with; k++)
            if (!strcmp(with[k].op, table[i]->name)) {
                fail_each(table[i], with[k].a, *state);
                given_some = true;
            }
        if (!given_some)
            fail_each(table[i], NULL, *state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_may_fail)};

    return cmocka_run_group_tests(tests, setup, NULL);
}
