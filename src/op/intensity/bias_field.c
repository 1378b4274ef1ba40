/* op/intensity/bias_field.c: bias_field, the smooth brightness of a coil, and its random form.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/error.h"
#include "op/intensity/rows.h"
#include "op/random.h"

#define COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

enum { MOST_DEGREE = 6, TERMS = MOST_DEGREE + 1 };

typedef enum bias_basis { BIAS_MONOMIAL, BIAS_LEGENDRE } bias_basis;

typedef struct bias_field_args {
    mtm_floats coefficients;
    int64_t degree;
    int32_t basis;
} bias_field_args;

/* Terms x^i y^j z^k with i + j + k ≤ degree; in planes without z. */
static int64_t terms(int64_t degree, int spatial)
{
    const int64_t plane = (degree + 1) * (degree + 2) / 2;

    return spatial == 2 ? plane : plane * (degree + 3) / 3;
}

/* Whether planes or volumes will come is not known yet: what suits either is right. */
static mtm_status bias_check(const void *args, mtm_error *err)
{
    const bias_field_args *const a = args;
    const int64_t plane = terms(a->degree, 2), volume = terms(a->degree, 3);

    if (a->coefficients.n != plane && a->coefficients.n != volume)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "coefficients has %d numbers; degree %d wants %d (volumes) or %d (planes)",
                        (int)a->coefficients.n, (int)a->degree, (int)volume, (int)plane);
    return MTM_OK;
}

static mtm_status bias_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const bias_field_args *const a = args;

    if (a->coefficients.n != terms(a->degree, in->spatial))
        return mtm_fail(err, MTM_E_INVAL, -1, "coefficients has %d numbers; degree %d wants %d here",
                        (int)a->coefficients.n, (int)a->degree, (int)terms(a->degree, in->spatial));
    return MTM_OK;
}

/* Voxel i of n in [−1, 1]; the only one of an axis lies at 0. */
static double coordinate(int64_t i, int64_t n)
{
    return n == 1 ? 0 : (double)(2 * i - (n - 1)) / (double)(n - 1);
}

/* Values at t of the basis' functions of degree 0 … degree. */
static void basis_at(const bias_field_args *a, double t, double value[TERMS])
{
    value[0] = 1, value[1] = t;
    for (int64_t k = 2; k <= a->degree; k++)
        value[k] =
            a->basis == BIAS_MONOMIAL
                ? value[k - 1] * t
                : ((double)(2 * k - 1) * t * value[k - 1] - (double)(k - 1) * value[k - 2]) / (double)k;
}

/* c as coefficients of 1, t, t², …: Legendre's recursion (k) P_k = (2k − 1) t P_{k−1} − (k − 1) P_{k−2}. */
static void to_monomials(const bias_field_args *a, double c[TERMS])
{
    double p[TERMS][TERMS] = {{1}, {0, 1}}, sum[TERMS] = {0};

    if (a->basis == BIAS_MONOMIAL)
        return;
    for (int k = 2; k < TERMS; k++)
        for (int i = 0; i <= k; i++)
            p[k][i] = ((2 * k - 1) * (i > 0 ? p[k - 1][i - 1] : 0) - (k - 1) * p[k - 2][i]) / k;
    for (int64_t k = 0; k <= a->degree; k++)
        for (int i = 0; i <= k; i++)
            sum[i] += c[k] * p[k][i];
    memcpy(c, sum, sizeof sum);
}

typedef struct bias_job {
    const bias_field_args *a;
    const mtm_bias_kernels *kernels;
    const mtm_array *in;
    mtm_array out;
    int spatial;
    const float *x; /* coordinates of a row */
} bias_job;

/* The polynomial along a row, at y and z. */
static void row_coefficients(const bias_job *j, int64_t y, int64_t z, float c[TERMS])
{
    const bias_field_args *const a = j->a;
    const int64_t deepest = j->spatial == 2 ? 0 : a->degree;
    const double *next = a->coefficients.v;
    double of_y[TERMS], of_z[TERMS], sum[TERMS] = {0};

    basis_at(a, coordinate(y, j->in->shape[2]), of_y);
    basis_at(a, coordinate(z, j->in->shape[1]), of_z);
    for (int64_t i = 0; i <= a->degree; i++)
        for (int64_t k = 0; k <= a->degree - i; k++)
            for (int64_t l = 0; l <= mtm_min_i64(deepest, a->degree - i - k); l++)
                sum[i] += *next++ * of_y[k] * of_z[l];
    to_monomials(a, sum);
    for (int64_t i = 0; i <= a->degree; i++)
        c[i] = (float)sum[i];
}

/* Rows (z, y), of all channels. */
static void bias_some(void *arg, int64_t lo, int64_t hi)
{
    const bias_job *const j = arg;
    const int64_t *const n = j->in->shape, *const is = j->in->stride, *const os = j->out.stride;

    for (int64_t i = lo; i < hi; i++) {
        const int64_t y = i % n[2], z = i / n[2];
        const char *const in = (const char *)j->in->data + z * is[1] + y * is[2];
        char *const out = (char *)j->out.data + z * os[1] + y * os[2];
        float c[TERMS];

        row_coefficients(j, y, z, c);
        for (int64_t channel = 0; channel < n[0]; channel++)
            j->kernels->row((float *)(void *)(out + channel * os[0]),
                            (const float *)(const void *)(in + channel * is[0]), j->x, c,
                            (int32_t)j->a->degree, (size_t)n[3]);
    }
}

static mtm_status bias_rows(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                            mtm_array *out, mtm_error *err)
{
    bias_job j = {.a = args, .kernels = &x->kernels.bias, .in = in, .out = *out, .spatial = spec->spatial};
    void *memory;
    float *row;
    mtm_status s;

    MTM_TRY(mtm_scratch_borrow(x, (size_t)in->shape[3] * sizeof(float), &memory, err));
    row = memory;
    for (int64_t i = 0; i < in->shape[3]; i++)
        row[i] = (float)coordinate(i, in->shape[3]);
    j.x = row;
    s = mtm_pool_for(x->pool, in->shape[1] * in->shape[2], 64, bias_some, &j, x->cancel, err);
    mtm_scratch_return(x, memory);
    return s;
}

static mtm_status bias_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                           mtm_array *out, mtm_error *err)
{
    return mtm_rows_run(x, args, spec, in, out, bias_rows, err);
}

#define DEGREE_PARAM(args)                                                                                   \
    {"degree",                                                                                               \
     MTM_PARAM_INT,                                                                                          \
     offsetof(args, degree),                                                                                 \
     "3",                                                                                                    \
     1,                                                                                                      \
     MOST_DEGREE,                                                                                            \
     NULL,                                                                                                   \
     "",                                                                                                     \
     "Highest degree of a term; with at most 64 coefficients 5 in volumes, 6 in planes."}
#define BASIS_PARAM(args)                                                                                    \
    {"basis",                                                                                                \
     MTM_PARAM_CHOICE,                                                                                       \
     offsetof(args, basis),                                                                                  \
     "monomial",                                                                                             \
     0,                                                                                                      \
     0,                                                                                                      \
     "monomial|legendre",                                                                                    \
     "",                                                                                                     \
     "Powers (TorchIO), or Legendre polynomials (MONAI)."}

static const mtm_param bias_field_params[] = {
    {"coefficients", MTM_PARAM_FLOATS, offsetof(bias_field_args, coefficients), NULL, -1e6, 1e6, NULL, "",
     "One number per term x^i y^j z^k, i + j + k at most degree: i outermost, k innermost; planes: x^i y^j."},
    DEGREE_PARAM(bias_field_args),
    BASIS_PARAM(bias_field_args),
};

const mtm_op mtm_op_bias_field = {
    .name = "bias_field",
    .doc = "Multiply by a smooth field, the uneven brightness of an MR coil.\n"
           "\n"
           "value * exp(sum of c x^i y^j z^k over i + j + k <= degree), x, y, z running from -1 in the first "
           "voxel to 1 in\n"
           "the last (0 where an axis has one voxel): Van Leemput et al., IEEE TMI 1999, with TorchIO's "
           "BiasField's order of\n"
           "terms. basis=\"legendre\" takes P_i(x) P_j(y) P_k(z) in place of the powers, as MONAI's "
           "RandBiasField in volumes\n"
           "(whose planes have terms j <= i instead). The exponent ends at -87 and 88. All channels get the "
           "same field. Any\n"
           "size; gives float32; label maps stay as they are.",
    .kind = MTM_OP_FILTER,
    .params = bias_field_params,
    .n_params = COUNT(bias_field_params),
    .args_bytes = sizeof(bias_field_args),
    .check = bias_check,
    .infer = bias_infer,
    .run = bias_run,
};

/* ---- random_bias_field -------------------------------------------------------------------------------- */

typedef struct random_bias_field_args {
    mtm_random_head head;
    mtm_floats coefficients;
    int64_t degree;
    int32_t basis;
} random_bias_field_args;

static mtm_status random_bias_check(const void *args, mtm_error *err)
{
    return mtm_range_check(&((const random_bias_field_args *)args)->coefficients, "coefficients", err);
}

static mtm_status random_bias_infer(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    const random_bias_field_args *const a = args;
    const int64_t n = terms(a->degree, in->spatial);

    if (n > COUNT(a->coefficients.v))
        return mtm_fail(err, MTM_E_INVAL, -1, "degree %d has %d terms here; %d are most", (int)a->degree,
                        (int)n, COUNT(a->coefficients.v));
    return MTM_OK;
}

static mtm_status random_bias_draw(const void *args, mtm_draw *d, const mtm_spec *in, const mtm_op **target,
                                   void *target_args, mtm_error *err)
{
    const random_bias_field_args *const a = args;
    bias_field_args *const t = target_args;
    const bool acts = mtm_rng_uniform(&d->rng) < a->head.p;

    t->degree = a->degree, t->basis = a->basis;
    t->coefficients.n = (int32_t)terms(a->degree, in->spatial);
    for (int32_t i = 0; i < t->coefficients.n; i++)
        t->coefficients.v[i] = mtm_range_draw(d, &a->coefficients);
    *target = acts ? &mtm_op_bias_field : NULL;
    return MTM_OK;
}

static const mtm_param random_bias_field_params[] = {
    {"coefficients", MTM_PARAM_FLOATS, offsetof(random_bias_field_args, coefficients), "(-0.5, 0.5)", -1e6,
     1e6, NULL, "", "Range of every term's coefficient; one number is all terms' coefficient."},
    DEGREE_PARAM(random_bias_field_args),
    BASIS_PARAM(random_bias_field_args),
    MTM_RANDOM_PARAMS(random_bias_field_args, "0.5"),
};

const mtm_op mtm_op_random_bias_field = {
    .name = "random_bias_field",
    .doc = "Multiply by a random smooth field, with probability p.\n"
           "\n"
           "As bias_field; each coefficient is drawn uniformly from the pair (low, high) by itself, with the "
           "range of\n"
           "TorchIO's RandomBiasField. Gives float32.",
    .kind = MTM_OP_RANDOM,
    .params = random_bias_field_params,
    .n_params = COUNT(random_bias_field_params),
    .args_bytes = sizeof(random_bias_field_args),
    .check = random_bias_check,
    .infer = random_bias_infer,
    .target = &mtm_op_bias_field,
    .draw = random_bias_draw,
};
