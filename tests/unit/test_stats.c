/* tests/unit/test_stats.c: statistics of pictures against sums in long double and sorting.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/rng.h"
#include "op/stats.h"

enum { ALL_FLAGS = MTM_STAT_RANGE | MTM_STAT_MOMENTS | MTM_STAT_NONZERO | MTM_STAT_PERCENTILES };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double percentile(const double *sorted, int64_t n, double q)
{
    const double at = q / 100 * (double)(n - 1);
    const int64_t i = (int64_t)at;

    return i + 1 < n ? sorted[i] + (sorted[i + 1] - sorted[i]) * (at - (double)i) : sorted[n - 1];
}

/* The same from a list of values. */
static mtm_stats naive(const double *x, const uint8_t *keep, int64_t n, const double q[2])
{
    double *const v = malloc((size_t)(n + 1) * sizeof *v);
    long double sum = 0, dev = 0, nz_sum = 0, nz_dev = 0;
    mtm_stats s = {0};

    for (int64_t i = 0; i < n; i++)
        if (!keep || keep[i]) {
            if (!isfinite(x[i]))
                s.non_finite++;
            else
                v[s.count++] = x[i], sum += x[i], nz_sum += x[i], s.nonzero += x[i] != 0;
        }
    s.mean = (double)(s.count ? sum / s.count : 0),
    s.nonzero_mean = (double)(s.nonzero ? nz_sum / s.nonzero : 0);
    for (int64_t i = 0; i < s.count; i++) {
        dev += ((long double)v[i] - sum / s.count) * ((long double)v[i] - sum / s.count);
        if (v[i] != 0)
            nz_dev += ((long double)v[i] - nz_sum / s.nonzero) * ((long double)v[i] - nz_sum / s.nonzero);
    }
    s.std = (double)(s.count ? sqrtl(dev / s.count) : 0);
    s.nonzero_std = (double)(s.nonzero ? sqrtl(nz_dev / s.nonzero) : 0);
    qsort(v, (size_t)s.count, sizeof *v, by_value);
    if (s.count) {
        s.min = v[0], s.max = v[s.count - 1];
        s.percentile[0] = percentile(v, s.count, q[0]), s.percentile[1] = percentile(v, s.count, q[1]);
    }
    free(v);
    return s;
}

static void near(const char *what, double got, double want, double scale)
{
    if (!(fabs(got - want) <= 1e-11 * scale + 1e-300))
        fail_msg("%s: %.17g, not %.17g", what, got, want);
}

static void compare(const mtm_stats *a, const mtm_stats *b)
{
    const double range = b->max - b->min, size = fabs(b->mean) + range;

    assert_int_equal(a->count, b->count);
    assert_int_equal(a->non_finite, b->non_finite);
    assert_int_equal(a->nonzero, b->nonzero);
    assert_true(a->min == b->min && a->max == b->max);
    near("mean", a->mean, b->mean, size);
    near("std", a->std, b->std, range);
    near("nonzero mean", a->nonzero_mean, b->nonzero_mean, size);
    near("nonzero std", a->nonzero_std, b->nonzero_std, size);
    near("percentile", a->percentile[0], b->percentile[0], range * 1e-4);
    near("percentile", a->percentile[1], b->percentile[1], range * 1e-4);
}

/* One random number of a kind: 0 uniform, 1 mostly zero, 2 large offset, 3 few values, 4 heavy tails with NaN and Inf. */
static double draw(mtm_rng *r, int kind)
{
    const double u = mtm_rng_range(r, -1, 1);

    switch (kind) {
    case 0: return 100 * u;
    case 1: return mtm_rng_below(r, 10) ? 0 : 50 + 50 * u;
    case 2: return 100000 + u;
    case 3: return (double)mtm_rng_below(r, 3);
    default:
        return mtm_rng_below(r, 9) ? u / (1e-6 + u * u)
                                   : (double[]){NAN, INFINITY, -INFINITY}[mtm_rng_below(r, 3)];
    }
}

/* Random values stored as a's dtype in a; x receives what was stored. */
static void fill(mtm_rng *r, int kind, mtm_array *a, double *x)
{
    const int64_t n = mtm_array_count(a);
    mtm_array values = mtm_array_wrap(x, MTM_F64, a->ndim, a->shape);

    for (int64_t i = 0; i < n; i++) {
        x[i] = draw(r, kind);
        if (mtm_dtype_is_integer(a->dtype) && !isfinite(x[i]))
            x[i] = 7;
    }
    assert_int_equal(mtm_array_convert(a, &values, 1, 0, NULL, NULL), MTM_OK);
    assert_int_equal(mtm_array_convert(&values, a, 1, 0, NULL, NULL), MTM_OK);
}

static void run_case(mtm_exec *x, mtm_rng *r, mtm_dtype t, int kind, const int64_t shape[4], bool masked)
{
    const int64_t n = shape[0] * shape[1] * shape[2] * shape[3];
    const size_t size = mtm_dtype_size(t);
    const double q[2] = {mtm_rng_range(r, 0, 40), kind % 2 ? 100 : mtm_rng_range(r, 60, 100)};
    double *const values = malloc((size_t)n * sizeof *values);
    uint8_t *const keep = malloc((size_t)n);
    char *const data = malloc((size_t)n * size);
    mtm_array in = mtm_array_wrap(data, t, 4, shape), mask = mtm_array_wrap(keep, MTM_BOOL, 4, shape);
    mtm_stats_request req = {ALL_FLAGS, {q[0], q[1]}, masked ? &mask : NULL};
    mtm_error err = {0};
    mtm_stats got, want;

    fill(r, kind, &in, values);
    for (int64_t i = 0; i < n; i++)
        keep[i] = mtm_rng_below(r, 4) > 0;
    want = naive(values, masked ? keep : NULL, n, q);
    if (want.count == 0 && want.non_finite > 0) {
        assert_status(MTM_E_INVAL, mtm_op_stats(x, &in, &req, &got, &err));
    } else {
        assert_ok(mtm_op_stats(x, &in, &req, &got, &err));
        compare(&got, &want);
    }
    free(values), free(keep), free(data);
}

static void test_against_sorting(void **state)
{
    static const int64_t shapes[][4] = {
        {1, 1, 1, 1}, {1, 1, 1, 2}, {2, 3, 5, 7}, {1, 2, 41, 53}, {3, 20, 30, 50}};
    static const unsigned tiers[] = {0, MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512};
    mtm_rng r = mtm_rng_at(1, 0, 0, 0);
    mtm_error err = {0};
    mtm_pool *pool;
    mtm_exec *x;

    assert_ok(mtm_pool_new(&pool, 2, &err));
    assert_ok(mtm_exec_new(&x, pool, NULL, &err));
    for (int tier = 0; tier < 3; tier++) {
        mtm_exec_set_cpu(x, tiers[tier]);
        for (int t = MTM_U8; t < MTM_N_DTYPES; t++)
            for (int kind = 0; kind < 5; kind++)
                for (int s = 0; s < 5; s++)
                    run_case(x, &r, (mtm_dtype)t, kind, shapes[s], (kind + s) % 2);
    }
    mtm_exec_free(x);
    mtm_pool_free(pool);
}

/* Strides and threads change no bit. */
static void test_layouts(void **state)
{
    const int64_t shape[4] = {2, 30, 41, 67};
    const int64_t n = shape[0] * shape[1] * shape[2] * shape[3];
    float *const data = malloc((size_t)n * sizeof *data), *const turned = malloc((size_t)n * sizeof *data);
    mtm_array a = mtm_array_wrap(data, MTM_F32, 4, shape), b = a;
    mtm_stats_request req = {ALL_FLAGS, {3, 97}, NULL};
    mtm_rng r = mtm_rng_at(2, 0, 0, 0);
    mtm_error err = {0};
    mtm_stats one, two, per[2], alone;
    mtm_pool *pool;
    mtm_exec *serial, *threads;

    assert_ok(mtm_pool_new(&pool, 3, &err));
    assert_ok(mtm_exec_new(&serial, NULL, NULL, &err));
    assert_ok(mtm_exec_new(&threads, pool, NULL, &err));
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)draw(&r, (int)(i % 5));
    b.data = turned + (shape[3] - 1); /* x runs backwards, z is outermost */
    b.stride[3] = -4, b.stride[2] = 4 * shape[3], b.stride[0] = b.stride[2] * shape[2],
    b.stride[1] = b.stride[0] * 2;
    assert_ok(mtm_array_convert(&b, &a, 1, 0, NULL, &err));
    assert_ok(mtm_op_stats(serial, &a, &req, &one, &err));
    assert_ok(mtm_op_stats(threads, &b, &req, &two, &err));
    assert_memory_equal(&one, &two, sizeof one);
    req.flags |= MTM_STAT_CHANNELS;
    assert_ok(mtm_op_stats(threads, &b, &req, per, &err));
    a.shape[0] = 1, a.data = data + n / 2;
    req.flags &= ~(uint32_t)MTM_STAT_CHANNELS;
    assert_ok(mtm_op_stats(serial, &a, &req, &alone, &err));
    assert_memory_equal(&per[1], &alone, sizeof alone);
    mtm_exec_free(serial), mtm_exec_free(threads);
    mtm_pool_free(pool);
    free(data), free(turned);
}

static void test_masks(void **state)
{
    float v[2][8] = {{1, 2, 3, 4, 5, 6, 7, 8}, {10, 20, 30, 40, 50, 60, 70, 80}};
    int16_t keep[8] = {0, 256, 0, -1, 0, 0, 0, 0};
    mtm_array in = mtm_array_wrap(v, MTM_F32, 4, (int64_t[]){2, 2, 2, 2});
    mtm_array mask = mtm_array_wrap(keep, MTM_I16, 3, (int64_t[]){2, 2, 2});
    mtm_stats_request req = {MTM_STAT_MOMENTS | MTM_STAT_CHANNELS, {0}, &mask};
    mtm_error err = {0};
    mtm_stats st[2];
    mtm_exec *x;

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    assert_ok(mtm_op_stats(x, &in, &req, st, &err));
    assert_true(st[0].mean == 3 && st[1].mean == 30 && st[1].std == 10 && st[0].count == 2);
    req.flags = MTM_STAT_MOMENTS;
    assert_ok(mtm_op_stats(x, &in, &req, st, &err));
    assert_int_equal(st->count, 4);
    assert_true(st->mean == 16.5);
    memset(keep, 0, sizeof keep);
    req.flags |= MTM_STAT_PERCENTILES;
    assert_ok(mtm_op_stats(x, &in, &req, st, &err)); /* nothing kept */
    assert_int_equal(st->count, 0);
    assert_true(st->mean == 0 && st->std == 0 && st->min == 0);
    keep[5] = 0x3400; /* 0.25: floats keep where they are not 0 */
    mask.dtype = MTM_F16;
    assert_ok(mtm_op_stats(x, &in, &req, st, &err));
    assert_true(st->count == 2 && st->mean == 33);
    mask.dtype = MTM_I16, mask.shape[2] = 1;
    assert_status(MTM_E_INVAL, mtm_op_stats(x, &in, &req, st, &err));
    req.mask = NULL, req.q[0] = NAN;
    assert_status(MTM_E_INVAL, mtm_op_stats(x, &in, &req, st, &err));
    req.q[0] = 101;
    assert_status(MTM_E_INVAL, mtm_op_stats(x, &in, &req, st, &err));
    in.ndim = 3;
    assert_status(MTM_E_INVAL, mtm_op_stats(x, &in, &req, st, &err));
    mtm_exec_free(x);
}

static void test_bad_values(void **state)
{
    float v[4] = {NAN, INFINITY, NAN, -INFINITY};
    mtm_array in = mtm_array_wrap(v, MTM_F32, 4, (int64_t[]){1, 1, 2, 2});
    mtm_stats_request req = {ALL_FLAGS, {1, 99}, NULL};
    mtm_error err = {0};
    mtm_stats st;
    mtm_exec *x;

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_op_stats(x, &in, &req, &st, &err));
    v[2] = 5;
    assert_ok(mtm_op_stats(x, &in, &req, &st, &err));
    assert_true(st.count == 1 && st.non_finite == 3 && st.mean == 5 && st.std == 0 && st.percentile[0] == 5);
    in.shape[2] = 0;
    assert_ok(mtm_op_stats(x, &in, &req, &st, &err));
    assert_int_equal(st.count, 0);
    mtm_exec_free(x);
    in.shape[2] = 2;
    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    for (int64_t n = 0; n < 2; n++) { /* each scratch allocation refused in turn */
        mtm_mem_fail_after(n);
        assert_status(MTM_E_NOMEM, mtm_op_stats(x, &in, &req, &st, &err));
        mtm_mem_fail_after(-1);
    }
    assert_ok(mtm_op_stats(x, &in, &req, &st, &err)); /* and the context is still good */
    mtm_exec_free(x);
}

/* Pictures that defeat the one-pass percentiles: a sample that shows one value only, and a sorted picture whose candidates all
 * lie in one task's piece. Both must be noticed and counted again. */
static void test_misleading(void **state)
{
    enum { SAMPLES = 2048, STEP = 8, SORTED = 1 << 18 };
    static float v[SORTED];
    static double values[SORTED];
    mtm_array in = mtm_array_wrap(v, MTM_F32, 4, (int64_t[]){1, 1, SAMPLES, STEP});
    mtm_rng r = mtm_rng_at(6, 0, 0, 0);
    mtm_error err = {0};
    mtm_stats got, want;
    mtm_exec *x;

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    for (int i = 0; i < SAMPLES * STEP; i++)
        v[i] = (float)draw(&r, 0);
    for (uint64_t i = 0; i < SAMPLES; i++) /* where draw_sample of op/stats.c looks */
        v[i * STEP + i * UINT64_C(0x9E3779B97F4A7C15) % STEP] = 0.5f;
    for (int trial = 0; trial < 4; trial++) {
        const double q[2] = {trial == 0 ? 50 : trial == 1 ? 10 : 37.5, trial % 2 ? 50 : 90};
        const mtm_stats_request req = {ALL_FLAGS, {q[0], q[1]}, NULL};

        if (trial == 2) {
            in = mtm_array_wrap(v, MTM_F32, 4, (int64_t[]){1, 64, 64, 64});
            for (int i = 0; i < SORTED; i++)
                v[i] = (float)i * 0.25f - 1000;
        }
        for (int64_t i = 0; i < mtm_array_count(&in); i++)
            values[i] = (double)v[i];
        want = naive(values, NULL, mtm_array_count(&in), q);
        assert_ok(mtm_op_stats(x, &in, &req, &got, &err));
        compare(&got, &want);
    }
    mtm_exec_free(x);
}

/* Every scratch allocation of a large picture's percentiles refused in turn: sums, candidates, counts. */
static void test_failing_allocation(void **state)
{
    const int64_t shape[4] = {1, 40, 41, 43};
    float *const v = malloc(40 * 41 * 43 * sizeof *v);
    mtm_array in = mtm_array_wrap(v, MTM_F32, 4, shape);
    mtm_stats_request req = {ALL_FLAGS, {1, 99}, NULL};
    mtm_rng r = mtm_rng_at(5, 0, 0, 0);
    mtm_error err = {0};
    mtm_stats st;

    for (int i = 0; i < 40 * 41 * 43; i++)
        v[i] = (float)draw(&r, 0);
    for (int64_t n = 0; n < 3; n++) {
        mtm_exec *x;

        assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
        mtm_mem_fail_after(n);
        assert_status(MTM_E_NOMEM, mtm_op_stats(x, &in, &req, &st, &err));
        mtm_mem_fail_after(-1);
        assert_ok(mtm_op_stats(x, &in, &req, &st, &err));
        mtm_exec_free(x);
    }
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_sorting), cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_masks),           cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_misleading),      cmocka_unit_test(test_failing_allocation),
    };

    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
