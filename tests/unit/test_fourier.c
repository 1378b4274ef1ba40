/* tests/unit/test_fourier.c: transforms of any length against their definition in float64, and what MR artefacts do when
 * memory runs out or they are told to stop.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/rng.h"
#include "op/op.h"

static const unsigned tiers[] = {0, MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512};

/* ---- transforms ----------------------------------------------------------------------------------------- */

/* Frequency k of one lane by its definition. */
static void definition(const float *x, int64_t n, int lane, int64_t k, bool inverse, double out[2])
{
    out[0] = out[1] = 0;
    for (int64_t j = 0; j < n; j++) {
        const double t = (inverse ? 2 : -2) * M_PI * (double)(j * k % n) / (double)n;
        const double re = (double)x[j * MTM_FFT_FLOATS + lane],
                     im = (double)x[j * MTM_FFT_FLOATS + MTM_FFT_LANES + lane];

        out[0] += re * cos(t) - im * sin(t);
        out[1] += re * sin(t) + im * cos(t);
    }
}

typedef struct lines {
    mtm_fft_plan plan;
    void *memory;
    float *x, *y, *scratch;
} lines;

static lines lines_new(mtm_rng *r, int64_t n)
{
    const size_t bytes = (size_t)n * MTM_FFT_FLOATS * sizeof(float);
    lines l = {.memory = mtm_alloc_aligned(mtm_fft_plan_bytes(n)),
               .x = mtm_alloc_aligned(bytes),
               .y = mtm_alloc_aligned(bytes),
               .scratch = mtm_alloc_aligned(mtm_fft_scratch_bytes(n))};

    assert_non_null(l.memory), assert_non_null(l.x), assert_non_null(l.y), assert_non_null(l.scratch);
    mtm_fft_plan_make(&l.plan, n, l.memory);
    for (int64_t i = 0; i < n * MTM_FFT_FLOATS; i++)
        l.x[i] = l.y[i] = (float)mtm_rng_range(r, -1, 1);
    return l;
}

static void lines_free(lines *l)
{
    mtm_free(l->memory), mtm_free(l->x), mtm_free(l->y), mtm_free(l->scratch);
}

static void one_length(mtm_rng *r, const mtm_fft_kernels *kernels, int64_t n)
{
    const double bound = 4e-7 * sqrt((double)n) * log2((double)n + 2);
    lines l = lines_new(r, n);
    double wanted[2];

    kernels->forward(&l.plan, l.y, l.scratch);
    for (int64_t at = 0; at < n; at++) {
        const int64_t k = l.plan.frequency[at];
        const int lane = (int)(at % MTM_FFT_LANES);

        assert_int_equal(l.plan.position[k], at);
        definition(l.x, n, lane, k, false, wanted);
        assert_true(fabs((double)l.y[at * MTM_FFT_FLOATS + lane] - wanted[0]) <= bound);
        assert_true(fabs((double)l.y[at * MTM_FFT_FLOATS + MTM_FFT_LANES + lane] - wanted[1]) <= bound);
    }
    kernels->inverse(&l.plan, l.y, l.scratch);
    for (int64_t i = 0; i < n * MTM_FFT_FLOATS; i++)
        assert_true(fabs((double)(l.y[i] / (float)n) - (double)l.x[i]) <= 2e-6);
    lines_free(&l);
}

static void test_lengths(void **state)
{
    static const int64_t more[] = {74,  81,  96,  97,  101, 121, 125, 127, 128,  131, 160,
                                   192, 210, 243, 251, 256, 341, 512, 625, 1009, 1024};
    mtm_rng r = mtm_rng_at(1, 0, 0, 0);

    for (size_t t = 0; t < sizeof tiers / sizeof *tiers; t++) {
        mtm_fft_kernels k;

        mtm_fft_kernels_init(&k, tiers[t] & mtm_cpu_flags());
        for (int64_t n = 1; n <= 70; n++)
            one_length(&r, &k, n);
        for (size_t i = 0; i < sizeof more / sizeof *more; i++)
            one_length(&r, &k, more[i]);
    }
}

/* Two real lines as one: their transforms apart, and together again. */
static void test_pairs(void **state)
{
    mtm_rng r = mtm_rng_at(2, 0, 0, 0);
    mtm_fft_kernels kernels;

    mtm_fft_kernels_init(&kernels, mtm_cpu_flags());
    for (int64_t n = 1; n <= 40; n++) {
        lines l = lines_new(&r, n);
        float half[2][MTM_FFT_FLOATS] __attribute__((aligned(64)));

        kernels.forward(&l.plan, l.y, l.scratch);
        for (int64_t k = 0; k <= n / 2; k++) {
            kernels.split(&l.plan, l.y, k, half[0], half[1]);
            for (int lane = 0; lane < MTM_FFT_LANES; lane++)
                for (int which = 0; which < 2; which++) {
                    double re = 0, im = 0;

                    for (int64_t j = 0; j < n; j++) {
                        const double v = (double)l.x[j * MTM_FFT_FLOATS + which * MTM_FFT_LANES + lane];

                        re += v * cos(2 * M_PI * (double)(j * k) / (double)n);
                        im -= v * sin(2 * M_PI * (double)(j * k) / (double)n);
                    }
                    assert_true(fabs(0.5 * (double)half[which][lane] - re) < 1e-5);
                    assert_true(fabs(0.5 * (double)half[which][MTM_FFT_LANES + lane] - im) < 1e-5);
                }
            kernels.join(&l.plan, l.y, k, half[0], half[1]);
        }
        kernels.inverse(&l.plan, l.y, l.scratch);
        for (int64_t i = 0; i < n * MTM_FFT_FLOATS; i++)
            assert_true(fabs((double)(l.y[i] / (float)(2 * n)) - (double)l.x[i]) <= 2e-6);
        lines_free(&l);
    }
}

/* ---- operators ------------------------------------------------------------------------------------------ */

typedef struct artefact {
    const char *name;
    mtm_arg args[4];
    int32_t n;
} artefact;

#define NUMBERS(name_, ...)                                                                                  \
    {                                                                                                        \
        .name = name_, .kind = MTM_ARG_NUMBERS, .n = sizeof((double[]){__VA_ARGS__}) / sizeof(double),       \
        .scalar = sizeof((double[]){__VA_ARGS__}) == sizeof(double), .numbers = (const double[])             \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

static const artefact artefacts[] = {
    {"gibbs", {NUMBERS("alpha", 0.5)}, 1},
    {"spike", {NUMBERS("position", 0.1, 0.7, 0.4), NUMBERS("intensity", 1.5)}, 2},
    {"ghosting", {NUMBERS("count", 4), NUMBERS("axis", 2), NUMBERS("intensity", 0.5)}, 3},
    {"motion", {NUMBERS("degrees", 1, 2, 3), NUMBERS("translations", 1, 2, 3), NUMBERS("times", 0.4)}, 3},
    {"bias_field", {NUMBERS("coefficients", 0, 0.1, 0.2, 0.3), NUMBERS("degree", 1)}, 2},
};

static const int64_t shape[4] = {2, 13, 17, 37};

static mtm_array picture(mtm_dtype t)
{
    mtm_array a = {.dtype = t};
    mtm_error err;

    assert_ok(mtm_array_new(&a, t, 4, shape, NULL, &err));
    for (int64_t i = 0; t == MTM_F32 && i < mtm_array_count(&a); i++)
        ((float *)a.data)[i] = sinf((float)i);
    for (int64_t i = 0; t == MTM_I16 && i < mtm_array_count(&a); i++)
        ((int16_t *)a.data)[i] = (int16_t)(i % 61 - 30);
    return a;
}

static mtm_status run(mtm_exec *x, const artefact *a, const mtm_array *in, mtm_array *out, mtm_error *err)
{
    const mtm_op *const op = mtm_op_find(a->name);
    MTM_AUTO_MEM void *args = mtm_alloc_zero(1, op->args_bytes);

    if (!args)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_op_args(op, args, a->args, a->n, err));
    return mtm_op_run(x, op, args, in, true, NULL, out, NULL, err);
}

static void test_memory_runs_out(void **state)
{
    mtm_array in = picture(MTM_I16);
    mtm_error err;

    for (size_t i = 0; i < sizeof artefacts / sizeof *artefacts; i++)
        for (int64_t nth = 0;; nth++) {
            mtm_array out = {.dtype = MTM_F64};
            MTM_AUTO(mtm_exec) x = NULL;

            assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
            mtm_mem_fail_after(nth);
            const mtm_status s = run(x, &artefacts[i], &in, &out, &err);
            mtm_mem_fail_after(-1);
            assert_int_equal(x->in_use, 0);
            if (s == MTM_OK) {
                assert_true(nth > 3);
                mtm_array_drop(&out);
                break;
            }
            assert_int_equal(s, MTM_E_NOMEM);
            assert_null(out.data);
        }
    mtm_array_drop(&in);
}

static void test_cancelled(void **state)
{
    mtm_array in = picture(MTM_F32);
    const atomic_bool stop = true;
    mtm_error err;

    for (size_t i = 0; i < sizeof artefacts / sizeof *artefacts; i++) {
        mtm_array out = {.dtype = MTM_NONE};
        MTM_AUTO(mtm_exec) x = NULL;

        assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
        x->cancel = &stop;
        assert_status(MTM_E_CANCELLED, run(x, &artefacts[i], &in, &out, &err));
        assert_int_equal(x->in_use, 0);
    }
    mtm_array_drop(&in);
}

/* The same bytes from any tier and any number of threads. */
static void test_tiers_and_threads(void **state)
{
    mtm_array in = picture(MTM_F32);
    mtm_error err;

    for (size_t i = 0; i < sizeof artefacts / sizeof *artefacts; i++) {
        mtm_array first = {.dtype = MTM_NONE};

        for (int threads = 0; threads < 4; threads++)
            for (size_t t = 0; t < sizeof tiers / sizeof *tiers; t++) {
                mtm_array out = {.dtype = MTM_NONE};
                MTM_AUTO(mtm_pool) pool = NULL;
                MTM_AUTO(mtm_exec) x = NULL;

                if (threads)
                    assert_ok(mtm_pool_new(&pool, threads, &err));
                assert_ok(mtm_exec_new(&x, pool, NULL, &err));
                mtm_exec_set_cpu(x, tiers[t]);
                assert_ok(run(x, &artefacts[i], &in, &out, &err));
                if (!first.data) {
                    first = out;
                    continue;
                }
                /* The gather of motion and the sums of spike differ in the last place between tiers. */
                if (t == 0 || (strcmp(artefacts[i].name, "motion") && strcmp(artefacts[i].name, "spike")))
                    assert_memory_equal(out.data, first.data, (size_t)mtm_array_count(&out) * sizeof(float));
                mtm_array_drop(&out);
            }
        mtm_array_drop(&first);
    }
    mtm_array_drop(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),           cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_memory_runs_out),   cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_tiers_and_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
