/* tests/unit/test_window.c: windows and their weighted mean, against sums in double; any strides; memory that runs out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "array/array.h"
#include "microtome/window.h"

enum { Z = 9, Y = 11, X = 1300, C = 3, WZ = 4, WY = 5, WX = 1100, N = Z * Y * X };
static const int64_t shape[3] = {Z, Y, X}, size[3] = {WZ, WY, WX};
static const double half[3] = {0.5, 0.5, 0.5};

/* A score for class c of window i at (z, y, x): nothing that repeats. */
static float score(int64_t i, int64_t c, int64_t z, int64_t y, int64_t x)
{
    return (float)((i * 31 + c * 17 + z * 7 + y * 5 + x * 3) % 101) / 10 - 5;
}

static void fill(mtm_array *scores, int64_t i)
{
    float *v = scores->data;

    for (int64_t c = 0; c < C; c++)
        for (int64_t z = 0; z < WZ; z++)
            for (int64_t y = 0; y < WY; y++)
                for (int64_t x = 0; x < WX; x++)
                    *v++ = score(i, c, z, y, x);
}

/* The mean in double: [C, Z, Y, X]. */
static double *reference(const mtm_windows *w, const mtm_array *weights)
{
    double *const sum = mtm_alloc_zero(C * N, sizeof *sum), *const total = mtm_alloc_zero(N, sizeof *total);

    for (int64_t i = 0; i < mtm_window_count(w); i++) {
        int64_t at[3];
        const float *v = weights->data;

        mtm_window_start(w, i, at);
        for (int64_t z = at[0]; z < at[0] + WZ; z++)
            for (int64_t y = at[1]; y < at[1] + WY; y++)
                for (int64_t x = at[2]; x < at[2] + WX; x++, v++) {
                    total[(z * Y + y) * X + x] += *v;
                    for (int64_t c = 0; c < C; c++)
                        sum[((c * Z + z) * Y + y) * X + x] +=
                            *v * (double)score(i, c, z - at[0], y - at[1], x - at[2]);
                }
    }
    for (int64_t k = 0; k < C * N; k++)
        sum[k] /= total[k % N];
    mtm_free(total);
    return sum;
}

static void check_mean(const double *want, const mtm_array *got, bool argmax)
{
    for (int64_t k = 0; k < N; k++) {
        double best = -INFINITY, second = -INFINITY;
        int label = 0;

        for (int c = 0; c < C; c++) {
            const double v = want[c * N + k];

            if (!argmax)
                assert_true(fabs(((const float *)got->data)[c * N + k] - v) < 1e-5);
            second = v > best ? best : v > second ? v : second;
            label = v > best ? c : label;
            best = v > best ? v : best;
        }
        if (argmax && best - second > 1e-4)
            assert_int_equal(((const uint8_t *)got->data)[k], label);
    }
}

/* Every way of keeping sums gives the mean. */
static void mean(void **state)
{
    const int64_t scores_shape[5] = {1, C, WZ, WY, WX};
    mtm_window_options opt = {.struct_size = sizeof opt};
    mtm_array scores = {0}, weights = {0};
    mtm_windows w;
    mtm_error err;

    assert_ok(mtm_array_new(&scores, MTM_F32, 5, scores_shape, NULL, &err));
    assert_ok(mtm_array_new(&weights, MTM_F32, 3, size, NULL, &err));
    assert_ok(mtm_window_plan(&w, shape, size, half, false, &err));
    assert_int_equal(mtm_window_count(&w), 4 * 4 * 2);
    for (int way = 0; way < 12; way++) {
        mtm_window_sum *s;
        mtm_array got;

        opt.weights = (mtm_window_weights)(way % 3), opt.argmax = way / 3 % 2, opt.ordered = way / 6;
        assert_ok(mtm_window_weights_fill(&weights, opt.weights, 0, &err));
        double *const want = reference(&w, &weights);
        assert_ok(mtm_window_sum_new(&s, shape, C, size, &opt, &err));
        for (int64_t i = 0; i < mtm_window_count(&w); i++) {
            int64_t at[2][3] = {0};

            mtm_window_start(&w, i, at[0]);
            if (way % 2 && i + 1 < mtm_window_count(&w))
                mtm_window_start(&w, i + 1, at[1]); /* what is finished early changes nothing */
            fill(&scores, i);
            assert_ok(mtm_window_add(s, 1, at, &scores, at[1][0], &err));
        }
        assert_ok(mtm_window_finish(s, &got, &err));
        check_mean(want, &got, opt.argmax);
        mtm_array_drop(&got);
        mtm_window_sum_free(s);
        mtm_free(want);
    }
    mtm_array_drop(&scores);
    mtm_array_drop(&weights);
}

/* Windows that come as planned, n at a time: the same mean, without sums of weights. */
static void check_planned(const mtm_windows *w, const mtm_window_options *opt, int64_t n, const double *want)
{
    const int64_t one[5] = {1, C, WZ, WY, WX}, some[5] = {n, C, WZ, WY, WX}, count = mtm_window_count(w);
    mtm_array scores = {0}, got;
    mtm_window_sum *s;
    mtm_error err;

    assert_ok(mtm_array_new(&scores, MTM_F32, 5, some, NULL, &err));
    assert_ok(mtm_window_sum_new(&s, shape, C, size, opt, &err));
    for (int64_t i = 0; i < count; i += n) {
        const int64_t now[5] = {mtm_min_i64(n, count - i), C, WZ, WY, WX};
        mtm_array part = mtm_array_wrap(scores.data, MTM_F32, 5, now);
        int64_t at[5][3];

        for (int64_t k = 0; k < now[0]; k++) {
            mtm_array window = mtm_array_wrap((char *)scores.data + k * scores.stride[0], MTM_F32, 5, one);

            mtm_window_start(w, i + k, at[k]);
            fill(&window, i + k);
        }
        assert_ok(mtm_window_add(s, now[0], at, &part, 0, &err));
    }
    assert_ok(mtm_window_finish(s, &got, &err));
    check_mean(want, &got, opt->argmax);
    mtm_array_drop(&got);
    mtm_array_drop(&scores);
    mtm_window_sum_free(s);
}

static void planned(void **state)
{
    mtm_window_options opt = {.struct_size = sizeof opt, .weights = MTM_WINDOW_GAUSSIAN};
    mtm_array weights = {0};
    mtm_windows w;
    mtm_error err;

    assert_ok(mtm_array_new(&weights, MTM_F32, 3, size, NULL, &err));
    assert_ok(mtm_window_weights_fill(&weights, opt.weights, 0, &err));
    assert_ok(mtm_window_plan(&w, shape, size, half, false, &err));
    double *const want = reference(&w, &weights);
    opt.plan = &w;
    for (int way = 0; way < 8; way++) {
        opt.argmax = way % 2, opt.ordered = way / 2 % 2;
        check_planned(&w, &opt, way / 4 ? 5 : 1, want);
    }
    mtm_array_drop(&weights);
    mtm_free(want);
}

/* What is not the plan's next window is refused, and so is a result without all of them. */
static void not_as_planned(void **state)
{
    static const int64_t volume[3] = {4, 5, 6}, window[3] = {4, 5, 4}, other[3] = {4, 5, 7};
    static const int64_t scores_shape[5] = {1, 1, 4, 5, 4};
    float v[80] = {0};
    const mtm_array scores = mtm_array_wrap(v, MTM_F32, 5, scores_shape);
    mtm_windows w;
    mtm_window_options opt = {.struct_size = sizeof opt, .plan = &w};
    mtm_window_sum *s = NULL;
    mtm_array got = {0};
    mtm_error err;

    assert_ok(mtm_window_plan(&w, volume, window, half, false, &err));
    assert_int_equal(mtm_window_count(&w), 2);
    assert_status(MTM_E_INVAL, mtm_window_sum_new(&s, other, 1, window, &opt, &err));
    assert_ok(mtm_window_sum_new(&s, volume, 1, window, &opt, &err));
    assert_status(MTM_E_INVAL, mtm_window_add(s, 1, (const int64_t[1][3]){{0, 0, 2}}, &scores, 0, &err));
    assert_ok(mtm_window_add(s, 1, (const int64_t[1][3]){{0, 0, 0}}, &scores, 0, &err));
    assert_status(MTM_E_INVAL, mtm_window_finish(s, &got, &err));
    assert_ok(mtm_window_add(s, 1, (const int64_t[1][3]){{0, 0, 2}}, &scores, 0, &err));
    assert_status(MTM_E_INVAL, mtm_window_add(s, 1, (const int64_t[1][3]){{0, 0, 2}}, &scores, 0, &err));
    assert_ok(mtm_window_finish(s, &got, &err));
    mtm_array_drop(&got);
    mtm_window_sum_free(s);
}

/* Scores of any dtype and strides: the same as their C-order float32 copy. */
static void strides(void **state)
{
    static const int64_t volume[3] = {4, 5, 6}, window[3] = {3, 3, 4};
    const int64_t turned[5] = {1, 4, 3, 3, 2}, plain[5] = {1, 2, 3, 3, 4};
    double v[4 * 3 * 3 * 2];
    mtm_array in = mtm_array_wrap(v, MTM_F64, 5, turned), copy = {0}, got[2];
    mtm_error err;

    for (int i = 0; i < 72; i++)
        v[i] = i * 0.25 - 3;
    in.shape[1] = 2, in.shape[4] = 4;
    const int64_t swap = in.stride[1];
    in.stride[1] = in.stride[4], in.stride[4] = swap; /* [1, 2, 3, 3, 4] of float64, x slowest */
    assert_ok(mtm_array_new(&copy, MTM_F32, 5, plain, NULL, &err));
    assert_ok(mtm_array_convert(&copy, &in, 1, 0, NULL, &err));
    for (int i = 0; i < 2; i++) {
        mtm_window_sum *s;

        assert_ok(mtm_window_sum_new(&s, volume, 2, window, NULL, &err));
        assert_ok(mtm_window_add(s, 1, (const int64_t[1][3]){{2, -1, 3}}, i ? &copy : &in, 0, &err));
        assert_ok(mtm_window_finish(s, &got[i], &err));
        mtm_window_sum_free(s);
    }
    assert_memory_equal(got[0].data, got[1].data, 2 * 4 * 5 * 6 * sizeof(float));
    assert_true(((float *)got[0].data)[((2 * 5) + 0) * 6 + 3] == ((float *)copy.data)[4]);
    mtm_array_drop(&got[0]);
    mtm_array_drop(&got[1]);
    mtm_array_drop(&copy);
}

static void bad_input(void **state)
{
    const double one[3] = {0.5, 1, 0.5};
    const int64_t none[3] = {4, 0, 4}, minus[3] = {4, -1, 4};
    mtm_window_options opt = {.struct_size = sizeof opt, .sigma = -1, .weights = MTM_WINDOW_GAUSSIAN};
    mtm_window_sum *s = NULL;
    mtm_windows w;
    mtm_error err;

    assert_status(MTM_E_INVAL, mtm_window_plan(&w, shape, size, one, false, &err));
    assert_status(MTM_E_INVAL, mtm_window_plan(&w, none, size, half, false, &err));
    assert_status(MTM_E_INVAL, mtm_window_plan(&w, shape, minus, half, false, &err));
    assert_status(MTM_E_INVAL, mtm_window_sum_new(&s, shape, 0, size, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_window_sum_new(&s, none, 1, size, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_window_sum_new(&s, shape, 1, none, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_window_sum_new(&s, shape, 1, size, &opt, &err));
    opt.sigma = NAN;
    assert_status(MTM_E_INVAL, mtm_window_sum_new(&s, shape, 1, size, &opt, &err));
    const int64_t huge[3] = {INT32_MAX, INT32_MAX, INT32_MAX};
    assert_true(mtm_window_sum_new(&s, huge, 1 << 20, size, NULL, &err) != MTM_OK);
    assert_null(s);
}

/* Each allocation fails once: an error, nothing lost (the sanitizers watch), and the next try works. */
static void memory_runs_out(void **state)
{
    static const int64_t volume[3] = {4, 5, 6}, window[3] = {3, 3, 4}, scores_shape[5] = {1, 2, 3, 3, 4};
    double v[72] = {0};
    const mtm_array scores = mtm_array_wrap(v, MTM_F64, 5, scores_shape); /* float64: a copy is made */
    mtm_error err;
    int failed = 0;

    for (int64_t n = 0;; n++) {
        mtm_window_sum *s = NULL;
        mtm_array got = {0};

        mtm_mem_fail_after(n);
        mtm_status rc = mtm_window_sum_new(&s, volume, 2, window, NULL, &err);
        if (!rc)
            rc = mtm_window_add(s, 1, (const int64_t[1][3]){{0}}, &scores, 0, &err);
        if (!rc)
            rc = mtm_window_finish(s, &got, &err);
        mtm_mem_fail_after(-1);
        mtm_array_drop(&got);
        mtm_window_sum_free(s);
        if (!rc)
            break;
        assert_int_equal(rc, MTM_E_NOMEM);
        failed++;
    }
    assert_true(failed >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mean),           cmocka_unit_test(planned),
                                       cmocka_unit_test(not_as_planned), cmocka_unit_test(strides),
                                       cmocka_unit_test(bad_input),      cmocka_unit_test(memory_runs_out)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
