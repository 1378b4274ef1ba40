/* tests/unit/test_intensity.c: the intensity operators by their formulas in double precision; strides, types, threads and
 * places that must not matter; the draws of their random forms.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "op/exec.h"
#include "op/op.h"
#include "op/ops.h"
#include "op/random.h"

enum { NZ = 5, NY = 7, NX = 11, N = NZ * NY * NX };
static const int64_t volume[3] = {NZ, NY, NX};

typedef struct fixture {
    mtm_exec *x;
    mtm_error err;
    float in[2 * N], out[2 * N]; /* room for two channels */
} fixture;

/* Values with a large offset, zeros and a few that are not finite (`special`). */
static void fill(float *x, int n, float offset, float spread, bool special)
{
    mtm_rng r = mtm_rng_at(17, 0, n, 0);

    for (int i = 0; i < n; i++)
        x[i] = i % 9 == 4 ? 0 : offset + spread * (mtm_rng_uniform(&r) - 0.5f);
    if (special)
        x[3] = NAN, x[n / 2] = INFINITY, x[n - 1] = -INFINITY;
}

static int setup(void **state)
{
    fixture *const f = mtm_alloc_zero(1, sizeof *f);

    if (!f || mtm_exec_new(&f->x, NULL, NULL, NULL) != MTM_OK)
        return -1;
    fill(f->in, 2 * N, 40, 100, false);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *const f = *state;

    mtm_exec_free(f->x);
    mtm_free(f);
    return 0;
}

static mtm_arg number(const char *name, const double *v)
{
    return (mtm_arg){.name = name, .kind = MTM_ARG_NUMBERS, .n = 1, .scalar = true, .numbers = v};
}

static mtm_arg word(const char *name, const char *text)
{
    return (mtm_arg){.name = name, .kind = MTM_ARG_TEXT, .text = text};
}

static mtm_status run_arrays(fixture *f, const mtm_op *op, const mtm_arg *given, int32_t n,
                             const mtm_array *in, bool channels, mtm_array *out)
{
    uint64_t args[512];

    assert_true(op->args_bytes <= sizeof args);
    f->err.text[0] = '\0';
    MTM_TRY(mtm_op_args(op, args, given, n, &f->err));
    return mtm_op_run(f->x, op, args, in, channels, NULL, out, NULL, &f->err);
}

static mtm_status run(fixture *f, const mtm_op *op, const mtm_arg *given, int32_t n)
{
    const mtm_array in = mtm_array_wrap(f->in, MTM_F32, 3, volume);
    mtm_array out = mtm_array_wrap(f->out, MTM_F32, 3, volume);

    return run_arrays(f, op, given, n, &in, false, &out);
}

typedef struct summary {
    double min, max, mean, std;
    int count;
} summary;

static summary summarise(const float *x, int n, bool nonzero, const uint8_t *mask)
{
    summary s = {.min = INFINITY, .max = -INFINITY};
    double sum = 0, sum2 = 0;

    for (int i = 0; i < n; i++)
        if (isfinite(x[i]) && !(nonzero && x[i] == 0) && (!mask || mask[i])) {
            s.min = fmin(s.min, x[i]), s.max = fmax(s.max, x[i]);
            sum += x[i], s.count++;
        }
    s.mean = sum / s.count;
    for (int i = 0; i < n; i++)
        if (isfinite(x[i]) && !(nonzero && x[i] == 0) && (!mask || mask[i]))
            sum2 += (x[i] - s.mean) * (x[i] - s.mean);
    s.std = sqrt(sum2 / s.count);
    return s;
}

#define assert_close(value, expected, bound)                                                                 \
    do {                                                                                                     \
        const double close_v = (value), close_e = (expected);                                                \
        if (!(isnan(close_v) && isnan(close_e)) && close_v != close_e &&                                     \
            !(fabs(close_v - close_e) <= (bound)))                                                           \
            fail_msg("voxel %d: %.9g instead of %.9g", i, close_v, close_e);                                 \
    } while (0)

/* ---- formulas ----------------------------------------------------------------------------------------- */

static void test_scale(void **state)
{
    fixture *const f = *state;
    const double ends[][2] = {{0, 1}, {-1, 1}, {5, -3}, {0.1, 0.7}, {2, 2}};

    for (size_t e = 0; e < 5; e++) {
        const double low = ends[e][0], high = ends[e][1];
        const mtm_arg a[] = {number("low", &low), number("high", &high)};
        summary s, r;

        fill(f->in, N, 1000, (float)(3 + e), e == 1);
        s = summarise(f->in, N, false, NULL);
        assert_int_equal(run(f, &mtm_op_scale, a, 2), MTM_OK);
        for (int i = 0; i < N; i++)
            assert_close(f->out[i], (f->in[i] - s.min) / (s.max - s.min) * (high - low) + low, 1e-5);
        r = summarise(f->out, N, false, NULL);
        assert_true(r.min >= (float)fmin(low, high) && r.max <= (float)fmax(low, high));
    }
}

static void test_scale_constant_is_multiplied_by_low(void **state)
{
    fixture *const f = *state;
    const double low = 3, high = 9;
    const mtm_arg a[] = {number("low", &low), number("high", &high)};

    for (int i = 0; i < N; i++)
        f->in[i] = 7;
    assert_int_equal(run(f, &mtm_op_scale, a, 2), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_true(f->out[i] == 21);
}

static void test_normalize(void **state)
{
    fixture *const f = *state;
    const float offsets[] = {0, 40, -1e5f, 1e6f};

    for (int o = 0; o < 4; o++) {
        summary s;

        fill(f->in, N, offsets[o], 100, o == 1);
        for (int i = 0; i < N && o >= 2; i++) /* no zeros: all of it far from 0 */
            f->in[i] = f->in[i] == 0 ? offsets[o] : f->in[i];
        s = summarise(f->in, N, false, NULL);
        assert_int_equal(run(f, &mtm_op_normalize, NULL, 0), MTM_OK);
        for (int i = 0; i < N; i++)
            assert_close(f->out[i], (f->in[i] - s.mean) / s.std,
                         1e-5 * (s.max - s.min) / s.std + fabs(s.mean) * 6e-8 / s.std);
    }
}

static void test_normalize_nonzero_leaves_zeros(void **state)
{
    fixture *const f = *state;
    const double yes = 1;
    const mtm_arg a[] = {number("nonzero", &yes)};
    const summary s = summarise(f->in, N, true, NULL);

    assert_int_equal(run(f, &mtm_op_normalize, a, 1), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_close(f->out[i], f->in[i] == 0 ? 0 : (f->in[i] - s.mean) / s.std, 1e-5);
    memset(f->in, 0, sizeof f->in); /* nothing but zeros */
    assert_int_equal(run(f, &mtm_op_normalize, a, 1), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_true(f->out[i] == 0);
}

static void test_normalize_mask(void **state)
{
    fixture *const f = *state;
    uint8_t inside[N];
    const mtm_array mask = mtm_array_wrap(inside, MTM_U8, 3, volume);
    const double yes = 1;
    const mtm_arg a[] = {{.name = "mask", .kind = MTM_ARG_ARRAY, .array = &mask}, number("nonzero", &yes)};
    summary s;

    for (int i = 0; i < N; i++)
        inside[i] = i % 5 < 2;
    f->in[2] = NAN; /* outside the mask */
    s = summarise(f->in, N, false, inside);
    assert_int_equal(run(f, &mtm_op_normalize, a, 1), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_close(f->out[i], (f->in[i] - s.mean) / s.std, 1e-5);
    assert_int_equal(run(f, &mtm_op_normalize, a, 2), MTM_E_INVAL);
}

static void test_statistics_refuse_nothing_finite(void **state)
{
    static const mtm_op *const ops[] = {&mtm_op_scale, &mtm_op_normalize, &mtm_op_clip_percentile};
    fixture *const f = *state;
    uint8_t none[N] = {0};
    const mtm_array mask = mtm_array_wrap(none, MTM_U8, 3, volume);
    const mtm_arg masked[] = {{.name = "mask", .kind = MTM_ARG_ARRAY, .array = &mask}};

    assert_int_equal(run(f, &mtm_op_normalize, masked, 1), MTM_E_INVAL);
    assert_non_null(strstr(f->err.text, "mask"));
    for (int i = 0; i < N; i++)
        f->in[i] = i % 2 ? NAN : -INFINITY;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run(f, ops[i], NULL, 0), MTM_E_INVAL);
        assert_non_null(strstr(f->err.text, "finite"));
    }
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void test_clip_percentile(void **state)
{
    fixture *const f = *state;
    const double low = 7.3, high = 81;
    const mtm_arg a[] = {number("low", &low), number("high", &high)},
                  swapped[] = {number("low", &high), number("high", &low)};
    double p[2];
    float sorted[N];

    memcpy(sorted, f->in, sizeof sorted);
    qsort(sorted, N, sizeof *sorted, ascending);
    for (int k = 0; k < 2; k++) {
        const double at = (k ? high : low) / 100 * (N - 1);
        const int j = (int)at;

        p[k] = sorted[j] + (at - j) * (sorted[j + 1] - sorted[j]);
    }
    assert_int_equal(run(f, &mtm_op_clip_percentile, a, 2), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_close(f->out[i], fmin(fmax(f->in[i], p[0]), p[1]), 1e-5);
    assert_int_equal(run(f, &mtm_op_clip_percentile, swapped, 2), MTM_E_INVAL);
}

/* PS3.3 C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2 as written there. */
static double window_of(const char *function, double x, double c, double w, double low, double high)
{
    if (!strcmp(function, "sigmoid"))
        return (high - low) / (1 + exp(-4 * (x - c) / w)) + low;
    if (!strcmp(function, "linear"))
        c -= 0.5, w -= 1;
    if (x <= c - w / 2)
        return low;
    if (x > c + w / 2)
        return high;
    return ((x - c) / w + 0.5) * (high - low) + low;
}

static void test_window(void **state)
{
    static const char *const functions[] = {"linear", "linear_exact", "sigmoid"};
    static const double cw[][2] = {{40, 80}, {2048, 4096}, {50, 1}, {0, 100}, {9000, 2}};
    fixture *const f = *state;

    for (int k = 0; k < 3 * 5 * 2; k++) {
        const char *const function = functions[k % 3];
        const double center = cw[k / 3 % 5][0], width = cw[k / 3 % 5][1];
        const double low = k < 15 ? 0 : 255, high = k < 15 ? 1 : -5;
        const mtm_arg a[] = {number("center", &center), number("width", &width), word("function", function),
                             number("low", &low), number("high", &high)};

        for (int i = 0; i < N; i++)
            f->in[i] = i < 200 ? (float)center - 50 + 0.5f * (float)i : f->in[i];
        assert_int_equal(run(f, &mtm_op_window, a, 5), MTM_OK);
        for (int i = 0; i < N; i++)
            assert_close(f->out[i], window_of(function, f->in[i], center, width, low, high),
                         2e-6 * fabs(high - low));
    }
}

static void test_window_refuses_widths(void **state)
{
    fixture *const f = *state;
    const double center = 0, half = 0.5, none = 0;
    const mtm_arg narrow[] = {number("center", &center), number("width", &half), word("function", "linear")};
    const mtm_arg zero[] = {number("center", &center), number("width", &none), word("function", "sigmoid")};

    assert_int_equal(run(f, &mtm_op_window, narrow, 3), MTM_E_INVAL);
    assert_int_equal(run(f, &mtm_op_window, zero, 3), MTM_E_INVAL);
    assert_int_equal(run(f, &mtm_op_window, narrow, 1), MTM_E_INVAL); /* width is required */
}

static void test_gamma(void **state)
{
    static const double gammas[] = {0.3, 0.5, 1, 1.5, 2.2, 5};
    fixture *const f = *state;

    for (int k = 0; k < 12; k++) {
        const double g = gammas[k % 6], keep_sign = k >= 6;
        const mtm_arg a[] = {number("gamma", &g), number("signed", &keep_sign)};
        summary s;

        fill(f->in, N, 1, 5, false);
        f->in[5] = NAN, f->in[6] = INFINITY;
        s = summarise(f->in, N, false, NULL);
        assert_int_equal(run(f, &mtm_op_gamma, a, 2), MTM_OK);
        for (int i = 0; i < N; i++) {
            const double x = f->in[i], range = s.max - s.min;
            const double e = keep_sign ? copysign(pow(fabs(x), g), x)
                                       : pow((x - s.min) / (range + 1e-7), g) * range + s.min;

            assert_close(f->out[i], e, 1e-6 * fmax(range, fabs(e)));
        }
    }
}

static void test_contrast(void **state)
{
    fixture *const f = *state;
    const double factor = 1.7;

    for (int k = 0; k < 2; k++) {
        const double keep = k;
        const mtm_arg a[] = {number("factor", &factor), number("keep_range", &keep)};
        const summary s = summarise(f->in, N, false, NULL);

        assert_int_equal(run(f, &mtm_op_contrast, a, 2), MTM_OK);
        for (int i = 0; i < N; i++) {
            const double e = (f->in[i] - s.mean) * factor + s.mean;

            assert_close(f->out[i], k ? fmin(fmax(e, s.min), s.max) : e, 1e-4);
        }
    }
}

static void test_brightness_and_shift(void **state)
{
    fixture *const f = *state;
    const double add = -3, multiply = 0.25;
    const mtm_arg a[] = {number("add", &add), number("multiply", &multiply)}, b[] = {number("offset", &add)};

    assert_int_equal(run(f, &mtm_op_brightness, a, 2), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_close(f->out[i], f->in[i] * multiply + add, 1e-5);
    assert_int_equal(run(f, &mtm_op_shift, b, 1), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_close(f->out[i], f->in[i] + add, 1e-5);
}

static void test_channel_wise(void **state)
{
    fixture *const f = *state;
    const int64_t shape[4] = {2, NZ, NY, NX};
    const mtm_array in = mtm_array_wrap(f->in, MTM_F32, 4, shape);
    mtm_array out = mtm_array_wrap(f->out, MTM_F32, 4, shape);
    const double yes = 1;
    const mtm_arg a[] = {number("channel_wise", &yes)};

    for (int i = 0; i < N; i++)
        f->in[N + i] = f->in[N + i] * 3 - 500;
    assert_int_equal(run_arrays(f, &mtm_op_normalize, a, 1, &in, true, &out), MTM_OK);
    for (int c = 0; c < 2; c++) {
        const summary s = summarise(f->in + c * N, N, false, NULL);

        for (int i = c * N; i < (c + 1) * N; i++)
            assert_close(f->out[i], (f->in[i] - s.mean) / s.std, 1e-5);
    }
    assert_int_equal(run_arrays(f, &mtm_op_scale, NULL, 0, &in, true, &out), MTM_OK);
    for (int i = 0; i < 2 * N; i++) {
        const summary s = summarise(f->in, 2 * N, false, NULL);

        assert_close(f->out[i], (f->in[i] - s.min) / (s.max - s.min), 1e-6);
    }
}

/* ---- what must not matter ----------------------------------------------------------------------------- */

/* The same voxels behind other strides and types, into other strides: the same bits. */
static void test_strides_types_threads_and_place_do_not_matter(void **state)
{
    fixture *const f = *state;
    const double sigma = 3, seed = 5;
    const mtm_arg a[] = {number("sigma", &sigma), number("seed", &seed)};
    const int64_t turned[3] = {NX, NY, NZ}, wide[3] = {NZ, NY, 2 * NX};
    int16_t numbers[N];
    float other[2 * N];
    mtm_array in, out;

    for (int i = 0; i < N; i++)
        numbers[i] = (int16_t)(i * 37 % 1000 - 500), f->in[i] = numbers[i];
    assert_int_equal(run(f, &mtm_op_gaussian_noise, a, 2), MTM_OK);

    in = mtm_array_wrap(numbers, MTM_I16, 3, volume);
    out = mtm_array_wrap(other, MTM_F32, 3, wide); /* every second column */
    out.shape[2] = NX, out.stride[2] = 2 * sizeof(float);
    assert_int_equal(run_arrays(f, &mtm_op_gaussian_noise, a, 2, &in, false, &out), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_true(other[2 * i] == f->out[i]);

    for (int z = 0; z < NZ; z++) /* x outermost, z backwards */
        for (int y = 0; y < NY; y++)
            for (int x = 0; x < NX; x++)
                other[(x * NY + y) * NZ + NZ - 1 - z] = f->in[(z * NY + y) * NX + x];
    in = mtm_array_wrap(other, MTM_F32, 3, turned);
    in = (mtm_array){.data = other + NZ - 1,
                     .ndim = 3,
                     .dtype = MTM_F32,
                     .shape = {NZ, NY, NX},
                     .stride = {-(int64_t)sizeof(float), in.stride[1], in.stride[0]}};
    out = (mtm_array){0};
    assert_int_equal(run_arrays(f, &mtm_op_gaussian_noise, a, 2, &in, false, &out), MTM_OK);
    assert_memory_equal(out.data, f->out, N * sizeof(float));
    mtm_array_drop(&out);

    out = mtm_array_wrap(f->in, MTM_F32, 3, volume); /* in place */
    assert_int_equal(run_arrays(f, &mtm_op_gaussian_noise, a, 2, &out, false, &out), MTM_OK);
    assert_memory_equal(f->in, f->out, N * sizeof(float));
}

static void test_threads_and_tiers_do_not_matter(void **state)
{
    enum { EDGE = 61, MANY = 3 * EDGE * EDGE * EDGE };
    static const unsigned tiers[] = {0, MTM_CPU_AVX2, ~0u};
    const int64_t shape[4] = {3, EDGE, EDGE, EDGE};
    const double gamma = 1.3, sigma = 2, yes = 1;
    const mtm_arg g[] = {number("gamma", &gamma), number("channel_wise", &yes)},
                  s[] = {number("sigma", &sigma)};
    MTM_AUTO_MEM float *x = mtm_alloc_zero(MANY, sizeof *x);
    mtm_array in, first[2] = {{0}};

    assert_non_null(x);
    fill(x, MANY, 10, 50, false);
    in = mtm_array_wrap(x, MTM_F32, 4, shape);
    for (int k = 0; k < 6; k++) {
        MTM_AUTO(mtm_pool) pool = NULL;
        MTM_AUTO(mtm_exec) exec = NULL;
        fixture other = {0};

        if (k >= 3)
            assert_int_equal(mtm_pool_new(&pool, 3, NULL), MTM_OK);
        assert_int_equal(mtm_exec_new(&exec, pool, NULL, NULL), MTM_OK);
        mtm_exec_set_cpu(exec, tiers[k % 3]);
        other.x = exec;
        for (int o = 0; o < 2; o++) {
            mtm_array out = {0};

            assert_int_equal(run_arrays(&other, o ? &mtm_op_gaussian_noise : &mtm_op_gamma, o ? s : g,
                                        o ? 1 : 2, &in, true, &out),
                             MTM_OK);
            if (k == 0)
                first[o] = out;
            else
                assert_memory_equal(out.data, first[o].data, MANY * sizeof(float));
            if (k > 0)
                mtm_array_drop(&out);
        }
    }
    mtm_array_drop(&first[0]);
    mtm_array_drop(&first[1]);
}

/* Voxels are numbered through all channels, whatever the strides: two channels are a volume of twice the planes. */
static void test_noise_counts_through_channels(void **state)
{
    fixture *const f = *state;
    const int64_t tall[3] = {2 * NZ, NY, NX}, split[4] = {2, NZ, NY, NX};
    const double sigma = 1;
    const mtm_arg a[] = {number("sigma", &sigma)};
    mtm_array in = mtm_array_wrap(f->in, MTM_F32, 3, tall), out = mtm_array_wrap(f->out, MTM_F32, 3, tall);
    float interleaved[2 * N], back[2 * N];

    assert_int_equal(run_arrays(f, &mtm_op_gaussian_noise, a, 1, &in, false, &out), MTM_OK);
    for (int i = 0; i < 2 * N; i++) /* channels last in memory */
        interleaved[2 * (i % N) + i / N] = f->in[i];
    in = mtm_array_wrap(interleaved, MTM_F32, 4, split);
    in.stride[0] = 4, in.stride[3] = 8, in.stride[2] = 8 * NX, in.stride[1] = 8 * NX * NY;
    out = mtm_array_wrap(back, MTM_F32, 4, split);
    assert_int_equal(run_arrays(f, &mtm_op_gaussian_noise, a, 1, &in, true, &out), MTM_OK);
    assert_memory_equal(back, f->out, sizeof back);
    assert_memory_not_equal(back, back + N, N * sizeof(float));
}

/* Any allocation may fail: one clear error, and the next call works. */
static void test_memory_runs_out(void **state)
{
    static const mtm_op *const ops[] = {&mtm_op_scale, &mtm_op_normalize, &mtm_op_clip_percentile};
    const mtm_array in = mtm_array_wrap(((fixture *)*state)->in, MTM_F32, 3, volume);

    for (int o = 0; o < 3; o++)
        for (int64_t n = 0, failed = 1; failed; n++) {
            MTM_AUTO(mtm_exec) x = NULL;
            fixture f = {0};
            mtm_array out = {0};
            mtm_status s;

            assert_int_equal(mtm_exec_new(&x, NULL, NULL, NULL), MTM_OK);
            f.x = x;
            mtm_mem_fail_after(n);
            s = run_arrays(&f, ops[o], NULL, 0, &in, false, &out);
            mtm_mem_fail_after(-1);
            failed = s != MTM_OK;
            if (failed)
                assert_int_equal(s, MTM_E_NOMEM);
            assert_true(!failed || !out.data);
            mtm_array_drop(&out);
            assert_true(n < 50);
        }
}

static void test_into_integers(void **state)
{
    fixture *const f = *state;
    const double multiply = 0.5;
    const mtm_arg a[] = {number("multiply", &multiply)};
    const mtm_array in = mtm_array_wrap(f->in, MTM_F32, 3, volume);
    uint8_t bytes[N];
    mtm_array out = mtm_array_wrap(bytes, MTM_U8, 3, volume);

    for (int i = 0; i < N; i++)
        f->in[i] = (float)(i - 20); /* halves are ties, and both ends clamp */
    f->in[N - 1] = 4000;
    assert_int_equal(run_arrays(f, &mtm_op_brightness, a, 1, &in, false, &out), MTM_OK);
    for (int i = 0; i < N; i++)
        assert_int_equal(bytes[i], (int)fmin(fmax(nearbyint(f->in[i] * 0.5), 0), 255));
    f->in[7] = NAN;
    assert_int_equal(run_arrays(f, &mtm_op_brightness, a, 1, &in, false, &out), MTM_E_INVAL);
}

/* ---- random forms ------------------------------------------------------------------------------------- */

static const mtm_op *draw(const mtm_op *op, const mtm_arg *given, int32_t n, int64_t sample,
                          void *target_args)
{
    const mtm_spec spec = {.dtype = MTM_F32, .spatial = 3, .channels = 1, .size = {NZ, NY, NX}};
    mtm_draw d = {.rng = mtm_rng_at(3, 1, sample, 2)};
    const mtm_op *target = NULL;
    uint64_t args[512];
    mtm_error err;
    mtm_spec out = spec;

    assert_true(op->args_bytes <= sizeof args);
    assert_ok(mtm_op_args(op, args, given, n, &err));
    assert_ok(mtm_op_infer(op, args, &spec, &out, &err));
    assert_ok(mtm_op_draw(op, args, &d, &spec, &target, target_args, &err));
    return target;
}

typedef struct random_case {
    const mtm_op *op, *target;
    const char *range;
} random_case;

static const random_case random_cases[] = {
    {&mtm_op_random_gaussian_noise, &mtm_op_gaussian_noise, "sigma"},
    {&mtm_op_random_gamma, &mtm_op_gamma, "gamma"},
    {&mtm_op_random_contrast, &mtm_op_contrast, "factor"},
    {&mtm_op_random_brightness, &mtm_op_brightness, "multiply"},
    {&mtm_op_random_brightness, &mtm_op_brightness, "add"},
    {&mtm_op_random_shift, &mtm_op_shift, "offset"},
};

static double drawn(const random_case *r, const void *args)
{
    for (int32_t i = 0; i < r->target->n_params; i++)
        if (!strcmp(r->target->params[i].name, r->range)) {
            double v;
            memcpy(&v, (const char *)args + r->target->params[i].offset, sizeof v);
            return v;
        }
    fail_msg("%s has no %s", r->target->name, r->range);
    return 0;
}

static void test_ranges_are_drawn_to_their_ends(void **state)
{
    static const double range[2] = {0.5, 2.5}, always = 1;

    for (size_t k = 0; k < sizeof random_cases / sizeof *random_cases; k++) {
        const random_case *const r = &random_cases[k];
        const mtm_arg a[] = {{.name = r->range, .kind = MTM_ARG_NUMBERS, .n = 2, .numbers = range},
                             number("p", &always)};
        double least = 9, most = 0, sum = 0;

        for (int s = 0; s < 4000; s++) {
            uint64_t args[512], again[512];
            double v;

            assert_ptr_equal(draw(r->op, a, 2, s, args), r->target);
            assert_ptr_equal(draw(r->op, a, 2, s, again), r->target);
            v = drawn(r, args);
            assert_true(v == drawn(r, again) && v >= range[0] && v <= range[1]);
            least = fmin(least, v), most = fmax(most, v), sum += v;
        }
        assert_true(least < 0.51 && most > 2.49);
        assert_true(fabs(sum / 4000 - 1.5) < 3.89 * 2 / sqrt(12 * 4000)); /* p = 1e-4 */
    }
}

static void test_probability_and_fixed_numbers(void **state)
{
    static const double never = 0, always = 1, third = 1.0 / 3, fixed = 0.75;

    for (size_t k = 0; k < sizeof random_cases / sizeof *random_cases; k++) {
        const random_case *const r = &random_cases[k];
        const mtm_arg a[] = {number("p", &never), number(r->range, &fixed)},
                      b[] = {number("p", &third), a[1]};
        const mtm_arg c[] = {number("p", &always), a[1]};
        int acted = 0;

        for (int s = 0; s < 3000; s++) {
            uint64_t args[512];

            assert_null(draw(r->op, a, 2, s, args));
            acted += draw(r->op, b, 2, s, args) != NULL;
            assert_ptr_equal(draw(r->op, c, 2, s, args), r->target);
            assert_true(drawn(r, args) == fixed);
        }
        assert_true(abs(acted - 1000) < 3.89 * sqrt(3000 * 2 / 9.0));
    }
}

static void test_noise_differs_from_sample_to_sample(void **state)
{
    fixture *const f = *state;
    static const double sigma = 1, always = 1;
    const mtm_arg a[] = {number("sigma", &sigma), number("p", &always)};
    uint64_t first[64], second[64];
    const mtm_array in = mtm_array_wrap(f->in, MTM_F32, 3, volume);
    mtm_array out = mtm_array_wrap(f->out, MTM_F32, 3, volume),
              other = mtm_array_wrap(f->out + N, MTM_F32, 3, volume);

    draw(&mtm_op_random_gaussian_noise, a, 2, 0, first);
    draw(&mtm_op_random_gaussian_noise, a, 2, 1, second);
    assert_int_equal(mtm_op_run(f->x, &mtm_op_gaussian_noise, first, &in, false, NULL, &out, NULL, &f->err),
                     MTM_OK);
    assert_int_equal(
        mtm_op_run(f->x, &mtm_op_gaussian_noise, second, &in, false, NULL, &other, NULL, &f->err), MTM_OK);
    assert_memory_not_equal(f->out, f->out + N, N * sizeof(float));
}

static void test_bad_ranges(void **state)
{
    static const double down[2] = {2, 1}, three[3] = {1, 2, 3}, negative = -1;
    const mtm_arg bad[] = {{.name = "sigma", .kind = MTM_ARG_NUMBERS, .n = 2, .numbers = down},
                           {.name = "sigma", .kind = MTM_ARG_NUMBERS, .n = 3, .numbers = three},
                           {.name = "sigma", .kind = MTM_ARG_NONE},
                           number("sigma", &negative)};
    const mtm_spec spec = {.dtype = MTM_F32, .spatial = 3, .channels = 1, .size = {NZ, NY, NX}};

    for (int i = 0; i < 4; i++) {
        const mtm_op *const op = &mtm_op_random_gaussian_noise;
        uint64_t args[512];
        mtm_error err;
        mtm_spec out = spec;
        mtm_status s = mtm_op_args(op, args, &bad[i], 1, &err);

        if (s == MTM_OK)
            s = op->infer(args, &spec, &out, &err);
        assert_status(MTM_E_INVAL, s);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scale),
        TEST(test_scale_constant_is_multiplied_by_low),
        TEST(test_normalize),
        TEST(test_normalize_nonzero_leaves_zeros),
        TEST(test_normalize_mask),
        TEST(test_statistics_refuse_nothing_finite),
        TEST(test_clip_percentile),
        TEST(test_window),
        TEST(test_window_refuses_widths),
        TEST(test_gamma),
        TEST(test_contrast),
        TEST(test_brightness_and_shift),
        TEST(test_channel_wise),
        TEST(test_strides_types_threads_and_place_do_not_matter),
        TEST(test_threads_and_tiers_do_not_matter),
        TEST(test_noise_counts_through_channels),
        TEST(test_memory_runs_out),
        TEST(test_into_integers),
        TEST(test_ranges_are_drawn_to_their_ends),
        TEST(test_probability_and_fixed_numbers),
        TEST(test_noise_differs_from_sample_to_sample),
        TEST(test_bad_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
