/* tests/unit/test_resample.c: the resample kernels against their definition in SEMANTICS `resize`, written out tap by tap in
 * float64, on random shapes, filters, regions, dtypes, strides and splits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/rng.h"
#include "kernel/kernels.h"

static const unsigned tiers[] = {0, MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512};

/* ---- the definition ----------------------------------------------------------------------------------- */

static double sinc(double x)
{
    return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static double filter_value(mtm_filter f, double d)
{
    d = fabs(d);
    switch (f) {
    case MTM_FILTER_LINEAR:
    case MTM_FILTER_TRIANGULAR: return fmax(0, 1 - d);
    case MTM_FILTER_CUBIC:
        return d <= 1  ? 1.5 * d * d * d - 2.5 * d * d + 1
               : d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2
                       : 0;
    case MTM_FILTER_LANCZOS3: return d < 3 ? sinc(d) * sinc(d / 3) : 0;
    case MTM_FILTER_GAUSSIAN: return d <= 1.5 + 1e-9 ? exp(-d * d / (2 * 0.5 * 0.5)) : 0;
    default: return 0;
    }
}

/* The weights of all input voxels for output i, by going through every tap far and wide. */
static void weights(const mtm_resample_axis *a, int64_t i, int64_t n, double *weight)
{
    const double k = (double)(a->first + i * a->step);
    const double wide = a->antialias && fabs(a->scale) > 1 ? fabs(a->scale) : 1;
    const double centre = a->lo + (k + 0.5) * a->scale - 0.5, e0 = a->lo + k * a->scale, e1 = e0 + a->scale;
    const int64_t reach = (int64_t)(3 * wide + fabs(a->scale)) + 3, middle = (int64_t)floor(centre);
    double total = 0;

    for (int64_t v = 0; v < n; v++)
        weight[v] = 0;
    for (int64_t t = middle - reach; t <= middle + reach; t++) {
        const int64_t end = a->in_start + a->in_size;
        double w;

        if (a->filter == MTM_FILTER_NEAREST)
            w = (double)t == floor(a->lo + (k + 0.5) * a->scale + 1e-9);
        else if (a->filter == MTM_FILTER_AREA)
            w = (double)t >= floor(fmin(e0, e1) + 1e-9) && (double)t < ceil(fmax(e0, e1) - 1e-9);
        else
            w = filter_value(a->filter, ((double)t - centre) / wide);
        total += w;
        weight[t < a->in_start ? a->in_start : t >= end ? end - 1 : t] += w;
    }
    for (int64_t v = 0; v < n; v++)
        weight[v] /= total;
}

/* ---- random cases ------------------------------------------------------------------------------------- */

typedef struct volume {
    int64_t size[3];
    double *values;
    char *memory;
    mtm_resample_source source;
} volume;

static const mtm_dtype dtypes[] = {MTM_U8,  MTM_I8,  MTM_U16, MTM_I16, MTM_U32, MTM_I32,
                                   MTM_U64, MTM_I64, MTM_F16, MTM_F32, MTM_F64, MTM_BOOL};

static double store(char *p, mtm_dtype t, double u)
{
    switch (t) {
#define STORE(type, value)                                                                                   \
    {                                                                                                        \
        const type x = (type)(value);                                                                        \
        memcpy(p, &x, sizeof x);                                                                             \
        return (double)x;                                                                                    \
    }
    case MTM_U8: STORE(uint8_t, 255 * u)
    case MTM_I8: STORE(int8_t, 200 * u - 100)
    case MTM_U16: STORE(uint16_t, 65535 * u)
    case MTM_I16: STORE(int16_t, 60000 * u - 30000)
    case MTM_U32: STORE(uint32_t, 4e5 * u)
    case MTM_I32: STORE(int32_t, 4e5 * u - 2e5)
    case MTM_U64: STORE(uint64_t, 4e5 * u)
    case MTM_I64: STORE(int64_t, 4e5 * u - 2e5)
    case MTM_F32: STORE(float, 2 * u - 1)
    case MTM_F64: STORE(double, 2 * u - 1)
    case MTM_BOOL: STORE(uint8_t, u < 0.5)
#undef STORE
    default: { /* F16: 1 + m/1024 */
        const uint16_t m = (uint16_t)(u * 1023), h = (uint16_t)(0x3c00 | m | (m & 1) << 15);

        memcpy(p, &h, sizeof h);
        return (m & 1 ? -1 : 1) * (1 + m / 1024.0);
    }
    }
}

/* Random values of dtype t, with random strides: packed, spread out, reversed, or X not the fastest axis. */
static void volume_new(volume *v, mtm_rng *r, mtm_dtype t)
{
    const int64_t elem = (int64_t)mtm_dtype_size(t);
    const bool permuted = mtm_rng_below(r, 4) == 0, spread = mtm_rng_below(r, 4) == 0;
    const int64_t gap = spread ? 3 : 1;
    int64_t count, *const stride = v->source.stride, start = 0;

    for (int i = 0; i < 3; i++)
        v->size[i] = 1 + (int64_t)mtm_rng_below(r, mtm_rng_below(r, 3) == 0 ? 90 : 17);
    count = v->size[0] * v->size[1] * v->size[2];
    stride[permuted ? 0 : 2] = elem * gap;
    stride[1] = elem * gap * v->size[permuted ? 0 : 2];
    stride[permuted ? 2 : 0] = stride[1] * v->size[1];
    v->memory = mtm_alloc((size_t)(count * elem * gap));
    v->values = mtm_alloc((size_t)count * sizeof(double));
    for (int i = 0; i < 3; i++)
        if (mtm_rng_below(r, 5) == 0) {
            start += (v->size[i] - 1) * stride[i];
            stride[i] = -stride[i];
        }
    v->source.data = v->memory + start;
    v->source.dtype = t;
    for (int64_t i = 0; i < count; i++) {
        const int64_t z = i / v->size[2] / v->size[1], y = i / v->size[2] % v->size[1], x = i % v->size[2];

        v->values[i] =
            store(v->memory + start + z * stride[0] + y * stride[1] + x * stride[2], t, mtm_rng_uniform(r));
    }
    memset(v->source.start, 0, sizeof v->source.start);
}

static void volume_free(volume *v)
{
    mtm_free(v->memory);
    mtm_free(v->values);
}

/* A random axis over an input of n voxels. */
static mtm_resample_axis random_axis(mtm_rng *r, int64_t n, bool nearest)
{
    mtm_resample_axis a = {.filter = nearest ? MTM_FILTER_NEAREST : (mtm_filter)mtm_rng_below(r, 7),
                           .antialias = mtm_rng_below(r, 2),
                           .in_size = n,
                           .step = 1};

    a.n_out = 1 + (int64_t)mtm_rng_below(r, mtm_rng_below(r, 3) == 0 ? 100 : 20);
    if (mtm_rng_below(r, 4) == 0)
        a.n_out = n;
    a.scale = (double)n / (double)a.n_out;
    if (mtm_rng_below(r, 4) == 0 && n > 2) { /* a crop before */
        a.in_start = 1;
        a.in_size = n - 2;
        a.lo = 1;
        a.scale = (double)a.in_size / (double)a.n_out;
    } else if (mtm_rng_below(r, 4) == 0) { /* a region of interest, perhaps reversed or partly outside */
        a.lo = mtm_rng_range(r, -2, (double)n);
        a.scale = mtm_rng_range(r, -1.5, 1.5) * a.scale;
    }
    a.count = a.n_out;
    if (mtm_rng_below(r, 4) == 0) { /* a crop or a flip behind */
        a.first = (int64_t)mtm_rng_below(r, (uint64_t)a.n_out);
        a.count = a.n_out - a.first;
        if (mtm_rng_below(r, 2)) {
            a.step = -1;
            a.count = a.first + 1;
        }
    }
    return a;
}

/* ---- tests -------------------------------------------------------------------------------------------- */

/* Replaces axis `along` of a [n0, n1, n2] by matrix · axis; frees the old values. */
static double *apply(double *values, int64_t n[3], int along, const double *matrix, int64_t count)
{
    const int64_t inner = along == 2 ? 1 : along == 1 ? n[2] : n[1] * n[2], old = n[along];
    const int64_t outer = n[0] * n[1] * n[2] / inner / old;
    double *const out = mtm_alloc_zero((size_t)(outer * count * inner), sizeof *out);

    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = 0; j < old; j++)
                for (int64_t x = 0; x < inner && matrix[i * old + j] != 0; x++)
                    out[(o * count + i) * inner + x] +=
                        matrix[i * old + j] * values[(o * old + j) * inner + x];
    mtm_free(values);
    n[along] = count;
    return out;
}

static double largest(const volume *v)
{
    double most = 0;

    for (int64_t i = 0; i < v->size[0] * v->size[1] * v->size[2]; i++)
        most = fmax(most, fabs(v->values[i]));
    return most;
}

/* Runs the plan in one tier, in two or more pieces, into a strided output; compares with `want`. */
static void compare_tier(unsigned cpu, const mtm_resample_plan *p, const volume *v, const double *want,
                         mtm_rng *r)
{
    const int64_t n[3] = {p->line[0].count, p->line[1].count, p->line[2].count};
    const int64_t gap = mtm_rng_below(r, 4) == 0 ? 2 : 1, total = n[0] * n[1] * n[2];
    const int64_t stride[3] = {n[1] * n[2] * gap * 4, n[2] * gap * 4, gap * 4};
    const int64_t cut = (int64_t)mtm_rng_below(r, (uint64_t)n[0] + 1);
    const double tolerance = 2e-6 * largest(v);
    MTM_AUTO_MEM void *scratch = mtm_alloc_aligned(p->scratch_bytes + 64);
    MTM_AUTO_MEM float *out = mtm_alloc((size_t)(total * gap) * sizeof(float) + 4);
    mtm_resample_kernels k;

    memset((char *)scratch + p->scratch_bytes, 0x5a, 64);
    out[total * gap] = 77;
    mtm_resample_kernels_init(&k, cpu);
    mtm_resample_run(&k, p, &v->source, cut, n[0], out, stride, scratch);
    mtm_resample_run(&k, p, &v->source, 0, cut, out, stride, scratch);
    for (int i = 0; i < 64; i++)
        assert_int_equal(((uint8_t *)scratch)[p->scratch_bytes + (size_t)i], 0x5a);
    assert_true(out[total * gap] == 77);
    for (int64_t i = 0; i < total; i++)
        if (!(fabs(out[i * gap] - want[i]) <= tolerance))
            fail_msg("tier %u, order %d, output %lld of %lld: %.9g instead of %.9g", cpu, (int)p->order,
                     (long long)i, (long long)total, out[i * gap], want[i]);
}

static void compare_nearest(const mtm_resample_plan *p, const volume *v, const double *want)
{
    const int64_t elem = (int64_t)mtm_dtype_size(v->source.dtype);
    const int64_t n[3] = {p->line[0].count, p->line[1].count, p->line[2].count}, total = n[0] * n[1] * n[2];
    const int64_t stride[3] = {n[1] * n[2] * elem, n[2] * elem, elem};
    MTM_AUTO_MEM char *out = mtm_alloc((size_t)(total * elem) + 1);
    MTM_AUTO_MEM float *row = mtm_alloc((size_t)total * sizeof(float) + 1);

    assert_true(p->nearest);
    mtm_resample_nearest(p, &v->source, 0, n[0], out, stride);
    mtm_row_load(row, out, v->source.dtype, elem, total);
    for (int64_t i = 0; i < total; i++)
        assert_true(row[i] == (float)want[i]);
}

static void one_case(mtm_rng *r, mtm_dtype t, bool nearest)
{
    mtm_error err;
    volume v;
    mtm_resample_axis axis[3];
    mtm_resample_plan p;
    double *want;
    size_t bytes;
    int64_t n[3], count;

    volume_new(&v, r, t);
    count = v.size[0] * v.size[1] * v.size[2];
    memcpy(n, v.size, sizeof n);
    want = mtm_alloc((size_t)count * sizeof *want);
    memcpy(want, v.values, (size_t)count * sizeof *want);
    for (int i = 0; i < 3; i++) {
        axis[i] = random_axis(r, v.size[i], nearest);
        MTM_AUTO_MEM double *w = mtm_alloc((size_t)(axis[i].count * v.size[i]) * sizeof *w);
        for (int64_t j = 0; j < axis[i].count; j++)
            weights(&axis[i], j, v.size[i], w + j * v.size[i]);
        want = apply(want, n, i, w, axis[i].count);
    }
    assert_ok(mtm_resample_plan_bytes(axis, &bytes, &err));
    MTM_AUTO_MEM void *tables = mtm_alloc_aligned(bytes);
    mtm_resample_plan_make(&p, axis, &v.source, tables);
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
        if ((tiers[i] & mtm_cpu_flags()) == tiers[i])
            compare_tier(tiers[i], &p, &v, want, r);
    if (nearest)
        compare_nearest(&p, &v, want);
    mtm_free(want);
    volume_free(&v);
}

static void test_against_definition(void **state)
{
    mtm_rng r = mtm_rng_at(1, 0, 0, 0);

    for (int i = 0; i < 240; i++)
        one_case(&r, dtypes[(size_t)i % (sizeof dtypes / sizeof *dtypes)], i % 5 == 4);
}

/* Every order of the axes gives the definition's result, whatever the cost model would choose. */
static void test_orders(void **state)
{
    const int64_t n[3] = {9, 11, 40};
    mtm_resample_axis axis[3];
    mtm_rng r = mtm_rng_at(2, 0, 0, 0);
    mtm_error err;
    float in[9 * 11 * 40], first[7 * 13 * 35], out[7 * 13 * 35];
    const int64_t out_n[3] = {7, 13, 35}, stride[3] = {13 * 35 * 4, 35 * 4, 4};
    mtm_resample_source s = {.data = in, .dtype = MTM_F32, .stride = {11 * 40 * 4, 40 * 4, 4}};
    mtm_resample_kernels k;
    mtm_resample_plan p;
    size_t bytes;

    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        in[i] = mtm_rng_uniform(&r);
    for (int i = 0; i < 3; i++)
        axis[i] = (mtm_resample_axis){
            MTM_FILTER_CUBIC, true, 0, n[i], out_n[i], 0, out_n[i], 1, 0, (double)n[i] / (double)out_n[i]};
    assert_ok(mtm_resample_plan_bytes(axis, &bytes, &err));
    MTM_AUTO_MEM void *tables = mtm_alloc_aligned(bytes);
    MTM_AUTO_MEM void *scratch = mtm_alloc_aligned(1 << 22);
    mtm_resample_kernels_init(&k, mtm_cpu_flags());
    for (int direct = 0; direct < 2; direct++)
        for (int order = MTM_RESAMPLE_ZYX; order <= MTM_RESAMPLE_XYZ; order++) {
            mtm_resample_plan_make(&p, axis, &s, tables);
            p.order = (mtm_resample_order)order;
            p.direct = direct;
            mtm_resample_run(&k, &p, &s, 0, 7, order || direct ? out : first, stride, scratch);
            for (int i = 0; (order || direct) && i < 7 * 13 * 35; i++)
                assert_true(fabsf(out[i] - first[i]) < 1e-6f);
        }
}

/* A constant stays exactly that; NaN reaches as far as the filter and no further. */
static void test_constant_and_nan(void **state)
{
    mtm_error err;
    float in[50], out[33];
    mtm_resample_source s = {.data = in, .dtype = MTM_F32, .stride = {200, 200, 4}};
    mtm_resample_kernels k;

    for (int f = 0; f < 7; f++)
        for (size_t t = 0; t < sizeof tiers / sizeof *tiers; t++) {
            mtm_resample_axis axis[3] = {{MTM_FILTER_LINEAR, true, 0, 1, 1, 0, 1, 1, 0, 1},
                                         {MTM_FILTER_LINEAR, true, 0, 1, 1, 0, 1, 1, 0, 1},
                                         {(mtm_filter)f, true, 0, 50, 33, 0, 33, 1, 0, 50.0 / 33}};
            mtm_resample_plan p;
            size_t bytes;

            if ((tiers[t] & mtm_cpu_flags()) != tiers[t])
                continue;
            mtm_resample_kernels_init(&k, tiers[t]);
            assert_ok(mtm_resample_plan_bytes(axis, &bytes, &err));
            MTM_AUTO_MEM void *tables = mtm_alloc_aligned(bytes);
            mtm_resample_plan_make(&p, axis, &s, tables);
            MTM_AUTO_MEM void *scratch = mtm_alloc_aligned(p.scratch_bytes);
            for (int i = 0; i < 50; i++)
                in[i] = 3;
            mtm_resample_run(&k, &p, &s, 0, 1, out, (int64_t[3]){132, 132, 4}, scratch);
            for (int i = 0; i < 33; i++)
                assert_true(fabsf(out[i] - 3) <= 5e-7f);
            in[20] = NAN;
            mtm_resample_run(&k, &p, &s, 0, 1, out, (int64_t[3]){132, 132, 4}, scratch);
            for (int i = 0; i < 33; i++) {
                double w[50];

                weights(&axis[2], i, 50, w);
                assert_int_equal(isnan(out[i]) != 0, w[20] != 0);
            }
        }
}

/* floor((i + 0.5)·in/out) on every pair of sizes, where floating point falls short of whole numbers. */
static void test_nearest_positions(void **state)
{
    mtm_error err;

    for (int64_t in = 1; in < 60; in++)
        for (int64_t out = 1; out < 60; out++) {
            const mtm_resample_axis one = {MTM_FILTER_NEAREST, false, 0, 1, 1, 0, 1, 1, 0, 1};
            const mtm_resample_axis axis[3] = {
                one, one, {MTM_FILTER_NEAREST, false, 0, in, out, 0, out, 1, 0, (double)in / (double)out}};
            const mtm_resample_source s = {.dtype = MTM_U8, .stride = {1, 1, 1}};
            mtm_resample_plan p;
            size_t bytes;

            assert_ok(mtm_resample_plan_bytes(axis, &bytes, &err));
            MTM_AUTO_MEM void *tables = mtm_alloc_aligned(bytes);
            mtm_resample_plan_make(&p, axis, &s, tables);
            for (int64_t i = 0; i < out; i++)
                assert_int_equal(p.line[2].first[i] + p.line[2].low, (2 * i + 1) * in / (2 * out));
        }
}

static void test_hostile_axes(void **state)
{
    const mtm_resample_axis good = {MTM_FILTER_LINEAR, true, 0, 5, 5, 0, 5, 1, 0, 1};
    mtm_resample_axis bad[6] = {good, good, good, good, good, good};
    mtm_error err;
    size_t bytes;

    bad[0].in_size = 0;
    bad[1].scale = NAN;
    bad[2].count = 6;
    bad[3].step = 0;
    bad[4].scale = 1e18;
    bad[5].count = bad[5].n_out = INT64_MAX;
    for (int i = 0; i < 6; i++) {
        const mtm_resample_axis axis[3] = {good, bad[i], good};

        assert_status(i < 4 ? MTM_E_INVAL : MTM_E_LIMIT, mtm_resample_plan_bytes(axis, &bytes, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_definition), cmocka_unit_test(test_orders),
        cmocka_unit_test(test_constant_and_nan),   cmocka_unit_test(test_nearest_positions),
        cmocka_unit_test(test_hostile_axes),
    };

    return cmocka_run_group_tests_name("resample", tests, NULL, NULL);
}
