/* tests/unit/test_convolve.c: the separable convolution against its definition (SciPy's gaussian_filter, truncate 4, border
 * 'reflect') in float64, on random shapes, widths, dtypes, strides and splits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/rng.h"
#include "kernel/kernels.h"

static const unsigned tiers[] = {0, MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512};

/* Walks to the border and back until i lies inside. */
static int64_t reflect(int64_t i, int64_t n)
{
    while (i < 0 || i >= n)
        i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
}

/* One axis of [outer, n, inner], in place. */
static void blur_axis(double *v, int64_t outer, int64_t n, int64_t inner, double sigma)
{
    const int radius = (int)(4 * sigma + 0.5);
    MTM_AUTO_MEM double *line = mtm_alloc((size_t)n * sizeof *line);

    for (int64_t o = 0; o < outer * inner; o++) {
        double *const at = v + o / inner * n * inner + o % inner;

        for (int64_t i = 0; i < n; i++)
            line[i] = at[i * inner];
        for (int64_t i = 0; i < n; i++) {
            double sum = 0, total = 0;

            for (int j = -radius; j <= radius; j++) {
                const double w = j ? exp(-j * j / (2 * sigma * sigma)) : 1;

                sum += w * line[reflect(i + j, n)];
                total += w;
            }
            at[i * inner] = sum / total;
        }
    }
}

static const mtm_dtype dtypes[] = {MTM_U8, MTM_I8, MTM_U16, MTM_I16, MTM_F32, MTM_F64, MTM_I32};

static void store(char *p, mtm_dtype t, int64_t i)
{
    const float f = (float)i;
    const double d = (double)i;
    const int32_t w = (int32_t)i;

    if (t == MTM_F32)
        memcpy(p, &f, sizeof f);
    else if (t == MTM_F64)
        memcpy(p, &d, sizeof d);
    else
        memcpy(p, &w, mtm_dtype_size(t)); /* little-endian */
}

static void one_case(mtm_rng *r, mtm_dtype t)
{
    const int64_t elem = (int64_t)mtm_dtype_size(t), gap = mtm_rng_below(r, 3) == 0 ? 2 : 1;
    mtm_convolve_axis axis[3];
    float weights[3][64];
    int64_t n[3], count, cut, offset = 0;
    double sigma[3];
    mtm_convolve_source in = {.dtype = t};
    mtm_convolve_plan p;

    for (int i = 0; i < 3; i++) {
        n[i] = 1 + (int64_t)mtm_rng_below(r, i == 2 ? 140 : 40);
        sigma[i] = mtm_rng_below(r, 4) == 0 ? 0 : mtm_rng_range(r, 0.05, mtm_rng_below(r, 4) == 0 ? 8 : 2);
        axis[i] = (mtm_convolve_axis){mtm_gaussian_radius(sigma[i]), weights[i]};
        mtm_gaussian_weights(sigma[i], axis[i].radius, weights[i]);
    }
    count = n[0] * n[1] * n[2];
    in.stride[2] = elem * gap, in.stride[1] = in.stride[2] * n[2], in.stride[0] = in.stride[1] * n[1];
    MTM_AUTO_MEM char *memory = mtm_alloc((size_t)(count * elem * gap));
    MTM_AUTO_MEM double *want = mtm_alloc((size_t)count * sizeof *want);
    for (int i = 0; i < 3; i++)
        if (mtm_rng_below(r, 4) == 0) {
            offset += (n[i] - 1) * in.stride[i];
            in.stride[i] = -in.stride[i];
        }
    in.data = memory + offset;
    for (int64_t i = 0; i < count; i++) {
        const int64_t value = (int64_t)mtm_rng_below(r, 100);

        want[i] = (double)value;
        store(memory + offset + i / n[2] / n[1] * in.stride[0] + i / n[2] % n[1] * in.stride[1] +
                  i % n[2] * in.stride[2],
              t, value);
    }
    blur_axis(want, 1, n[0], n[1] * n[2], sigma[0]);
    blur_axis(want, n[0], n[1], n[2], sigma[1]);
    blur_axis(want, n[0] * n[1], n[2], 1, sigma[2]);
    mtm_convolve_plan_make(&p, n, axis, &in);
    MTM_AUTO_MEM char *scratch = mtm_alloc_aligned(p.scratch_bytes + 64);
    MTM_AUTO_MEM float *out = mtm_alloc((size_t)(count + 1) * sizeof *out);
    memset(scratch + p.scratch_bytes, 0x5a, 64);
    out[count] = 77;
    for (size_t k = 0; k < sizeof tiers / sizeof *tiers; k++) {
        mtm_convolve_kernels kernels;

        if ((tiers[k] & mtm_cpu_flags()) != tiers[k])
            continue;
        mtm_convolve_kernels_init(&kernels, tiers[k]);
        memset(out, 0xff, (size_t)count * sizeof *out);
        for (int64_t y = 0; y < n[1]; y = cut) {
            cut = y + 1 + (int64_t)mtm_rng_below(r, (uint64_t)p.rows);
            cut = cut < n[1] ? cut : n[1];
            mtm_convolve_run(&kernels, &p, &in, y, cut, out, (int64_t[2]){n[1] * n[2] * 4, n[2] * 4},
                             scratch);
        }
        for (int64_t i = 0; i < count; i++)
            if (!(fabs(out[i] - want[i]) < 1e-4))
                fail_msg("tier %zu: voxel %lld is %.9g instead of %.9g", k, (long long)i, out[i], want[i]);
    }
    for (int i = 0; i < 64; i++)
        assert_int_equal((uint8_t)scratch[p.scratch_bytes + (size_t)i], 0x5a);
    assert_true(out[count] == 77);
}

static void test_against_definition(void **state)
{
    mtm_rng r = mtm_rng_at(3, 0, 0, 0);

    for (int i = 0; i < 140; i++)
        one_case(&r, dtypes[(size_t)i % (sizeof dtypes / sizeof *dtypes)]);
}

static void test_weights(void **state)
{
    float w[4001];

    assert_int_equal(mtm_gaussian_radius(0), 0);
    assert_int_equal(mtm_gaussian_radius(0.12), 0);
    assert_int_equal(mtm_gaussian_radius(0.125), 1);
    assert_int_equal(mtm_gaussian_radius(3), 12);
    for (int i = 0; i < 40; i++) {
        const double sigma = i < 39 ? 0.2 * i : 1000;
        const int32_t radius = mtm_gaussian_radius(sigma);
        double sum;

        mtm_gaussian_weights(sigma, radius, w);
        sum = w[0];
        for (int32_t j = 1; j <= radius; j++)
            sum += 2 * (double)w[j];
        assert_true(fabs(sum - 1) < 6e-8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_definition),
                                       cmocka_unit_test(test_weights)};

    return cmocka_run_group_tests_name("convolve", tests, NULL, NULL);
}
