/* tests/unit/test_noise.c: normal noise: its distribution, its independence of how a picture is cut, its ends.
 * All seeds are fixed; every bound is the two-sided 1e-4 quantile of its statistic.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "kernel/pointwise.h"

#include "kernel/lanes_c.h"

#include "kernel/noise.h"

enum { N = 1 << 19 };
#define NORMAL_BOUND     3.89 /* |N(0, 1)| exceeds it with probability 1e-4 */
#define KOLMOGOROV_BOUND 2.23 /* sqrt(n)·D */

static inline void noise_group(const noise_key *k, uint64_t block, vf out[NOISE_VECTORS])
{
    for (int i = 0; i < NOISE_VECTORS; i++)
        out[i] = 0;
}

static inline void noise_words(const noise_key *k, uint64_t block, vu out[NOISE_VECTORS])
{
    for (int i = 0; i < NOISE_VECTORS; i++)
        out[i] = 0;
}

static float *make(uint64_t seed, uint32_t stream, int64_t first, size_t n)
{
    const mtm_pointwise p = {
        .n = 1,
        .steps = {{.kind = MTM_STEP_NOISE, .channel = -1, .a = 1, .seed = seed, .stream = {stream, 2, 3}}}};
    float *const x = mtm_alloc_zero(n, sizeof *x);
    mtm_pointwise_kernels k;

    assert_non_null(x);
    mtm_pointwise_kernels_init(&k, mtm_cpu_flags());
    k.run(&p, 0, first, x, n);
    return x;
}

static void moments_of(const float *x, double m[4])
{
    double mean = 0, m2 = 0, m3 = 0, m4 = 0;

    for (int i = 0; i < N; i++)
        mean += x[i];
    mean /= N;
    for (int i = 0; i < N; i++) {
        const double d = x[i] - mean;
        m2 += d * d, m3 += d * d * d, m4 += d * d * d * d;
    }
    m2 /= N, m3 /= N, m4 /= N;
    m[0] = mean * sqrt(N);
    m[1] = (m2 - 1) * sqrt(N / 2.0);
    m[2] = m3 / pow(m2, 1.5) * sqrt(N / 6.0);
    m[3] = (m4 / (m2 * m2) - 3) * sqrt(N / 24.0);
}

static void test_moments(void **state)
{
    static const struct {
        uint64_t seed;
        uint32_t stream;
        int64_t first;
    } runs[] = {{0, 0, 0}, {1, 0, 0}, {UINT64_MAX, 5, 3}, {42, 1, INT64_C(1) << 36}};

    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        MTM_AUTO_MEM float *x = make(runs[r].seed, runs[r].stream, runs[r].first, N);
        double m[4];

        moments_of(x, m);
        for (int i = 0; i < 4; i++)
            if (!(fabs(m[i]) < NORMAL_BOUND))
                fail_msg("run %zu: moment %d is %g standard errors off", r, i + 1, m[i]);
    }
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void test_kolmogorov_smirnov(void **state)
{
    MTM_AUTO_MEM float *x = make(2026, 0, 0, N);
    double d = 0;

    qsort(x, N, sizeof *x, ascending);
    for (int i = 0; i < N; i++) {
        const double f = 0.5 * erfc(-x[i] / sqrt(2));

        d = fmax(d, fmax(f - (double)i / N, (double)(i + 1) / N - f));
    }
    assert_true(d * sqrt(N) < KOLMOGOROV_BOUND);
    assert_true(d * sqrt(N) > 0.25); /* and not suspiciously regular */
}

/* The tails beyond 4 hold what they should: 2·Q(4)·N = 33 voxels of half a million. */
static void test_tails(void **state)
{
    MTM_AUTO_MEM float *x = make(7, 0, 0, N);
    int beyond = 0;

    for (int i = 0; i < N; i++) {
        assert_true(fabsf(x[i]) < 5.78f);
        beyond += fabsf(x[i]) > 4;
    }
    assert_in_range(beyond, 13, 58);
}

static double correlation(const float *x, const float *y, int n)
{
    double s = 0;

    for (int i = 0; i < n; i++)
        s += (double)x[i] * y[i];
    return s / sqrt(n);
}

static void test_neighbours_and_streams_are_independent(void **state)
{
    MTM_AUTO_MEM float *x = make(11, 0, 0, N);
    MTM_AUTO_MEM float *seed = make(12, 0, 0, N);
    MTM_AUTO_MEM float *stream = make(11, 1, 0, N);

    for (int lag = 1; lag < 9; lag++)
        assert_true(fabs(correlation(x, x + lag, N - lag)) < NORMAL_BOUND);
    assert_true(fabs(correlation(x, seed, N)) < NORMAL_BOUND);
    assert_true(fabs(correlation(x, stream, N)) < NORMAL_BOUND);
}

/* Voxel numbers above 2³⁴ use the bits of the counter's second word. */
static void test_far_voxels_do_not_repeat_near_ones(void **state)
{
    MTM_AUTO_MEM float *near = make(11, 0, 0, 64);
    MTM_AUTO_MEM float *far = make(11, 0, INT64_C(1) << 34, 64);
    int same = 0;

    for (int i = 0; i < 64; i++)
        same += near[i] == far[i];
    assert_true(same < 4);
}

static void test_any_cut_gives_the_same(void **state)
{
    enum { WHOLE = 1000 };
    MTM_AUTO_MEM float *whole = make(5, 0, (INT64_C(1) << 34) - 500, WHOLE);

    for (size_t cut = 0; cut <= WHOLE; cut += 7) {
        MTM_AUTO_MEM float *a = make(5, 0, (INT64_C(1) << 34) - 500, cut);
        MTM_AUTO_MEM float *b = make(5, 0, (INT64_C(1) << 34) - 500 + (int64_t)cut, WHOLE - cut);

        assert_memory_equal(a, whole, cut * sizeof *a);
        assert_memory_equal(b, whole + cut, (WHOLE - cut) * sizeof *b);
    }
}

/* Every voxel of a few counters against Box–Muller in double precision, below and across 2³² counters. */
static void test_against_double_precision(void **state)
{
    enum { BLOCKS = 5000 };
    static const uint64_t begins[] = {0, (UINT64_C(3) << 32) - BLOCKS / 2};

    for (int k = 0; k < 2; k++) {
        MTM_AUTO_MEM float *x = make(99, 1, (int64_t)begins[k] * 4, (size_t)4 * BLOCKS);

        for (uint32_t i = 0; i < BLOCKS; i++) {
            const uint64_t b = begins[k] + i;
            const uint32_t counter[4] = {(uint32_t)b, 1 ^ (uint32_t)(b >> 32) << 16, 2, 3};
            uint32_t w[4];

            mtm_philox(99, counter, w);
            for (int j = 0; j < 2; j++) {
                const double u1 = 1 - (w[2 * j] >> 8) * 0x1p-24;
                const double angle = (w[2 * j + 1] >> 8) * 0x1p-24 * 2 * M_PI;
                const double r = sqrt(-2 * log(u1)), bound = 2.5e-7 * fmax(1, r);

                assert_true(fabs(x[4 * i + 2 * j] - r * cos(angle)) <= bound);
                assert_true(fabs(x[4 * i + 2 * j + 1] - r * sin(angle)) <= bound);
            }
        }
    }
}

static void test_ends_of_the_uniforms(void **state)
{
    const double most = sqrt(48 * log(2));
    float c, s;

    noise_pair(0, 0x12345678, &c, &s); /* u1 = 1 */
    assert_true(c == 0 && s == 0);
    noise_pair(UINT32_MAX, 0, &c, &s); /* u1 = 2⁻²⁴ */
    assert_true(fabs(c - most) < 1e-6 && s == 0);
    noise_pair(UINT32_MAX, 1u << 30, &c, &s); /* quarter turns are exact */
    assert_true(c == 0 && fabs(s - most) < 1e-6);
    noise_pair(UINT32_MAX, 1u << 31, &c, &s);
    assert_true(fabs(c + most) < 1e-6 && s == 0);
    noise_pair(UINT32_MAX, 3u << 30, &c, &s);
    assert_true(c == 0 && fabs(s + most) < 1e-6);
    noise_pair(UINT32_MAX, UINT32_MAX, &c, &s); /* the last angle is just short of a whole turn */
    assert_true(fabs(c - most) < 1e-6 && s < 0 && s > -1e-5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_kolmogorov_smirnov),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_neighbours_and_streams_are_independent),
        cmocka_unit_test(test_far_voxels_do_not_repeat_near_ones),
        cmocka_unit_test(test_any_cut_gives_the_same),
        cmocka_unit_test(test_against_double_precision),
        cmocka_unit_test(test_ends_of_the_uniforms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
