/* tests/check/check_resample.c: resample's row kernels: every variant against the C reference, within the rounding of fused
 * products.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>

#include "base/mem.h"
#include "base/size.h"

static const size_t row_bytes[] = {
    [MTM_ROW_U8] = 1, [MTM_ROW_I8] = 1, [MTM_ROW_U16] = 2, [MTM_ROW_I16] = 2, [MTM_ROW_F32] = 4};
static const double row_most[] = {
    [MTM_ROW_U8] = 255, [MTM_ROW_I8] = 128, [MTM_ROW_U16] = 65535, [MTM_ROW_I16] = 32768, [MTM_ROW_F32] = 1};

/* 2 ulp of Σ|weight · value|. */
static double bound(const float *w, int32_t taps, double most)
{
    double sum = 0;

    for (int32_t j = 0; j < taps; j++)
        sum += fabs(w[j]);
    return 2 * sum * most * 0x1p-23;
}

static void check_combine(mtm_check *c, mtm_row_type t)
{
    enum { TAPS = 9 };

    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        const int32_t taps = 1 + (int32_t)mtm_check_below(c, TAPS);
        float *const a = mtm_check_alloc(c, n * sizeof *a, sizeof *a);
        float *const b = mtm_check_alloc(c, n * sizeof *b, sizeof *b);
        const void *rows[TAPS];
        float w[TAPS];

        mtm_check_fill_f32(c, w, TAPS, -1, 1, false);
        for (int32_t j = 0; j < taps; j++) {
            void *const row = mtm_check_alloc(c, n * row_bytes[t], row_bytes[t]);

            if (t == MTM_ROW_F32)
                mtm_check_fill_f32(c, row, n, -1, 1, false);
            rows[j] = row;
        }
        c->ref.resample.combine[t](a, rows, w, taps, (int64_t)n);
        c->now.resample.combine[t](b, rows, w, taps, (int64_t)n);
        mtm_check_f32(c, "combine", a, b, n, 0, bound(w, taps, row_most[t]));
        mtm_check_case_end(c);
    }
}

/* A line of n outputs from `in` voxels. The shrink factors let blocks of 16 outputs span up to 32, 64 and more voxels. */
static void *make_line(mtm_check *c, mtm_resample_plan *p, int64_t in, int64_t n)
{
    const mtm_resample_axis one = {MTM_FILTER_NEAREST, false, 0, 1, 1, 0, 1, 1, 0, 1};
    const mtm_filter filter = (mtm_filter)mtm_check_below(c, 7);
    const int32_t back = mtm_check_below(c, 2) ? -1 : 1;
    const mtm_resample_axis axis[3] = {
        one,
        one,
        {filter, mtm_check_below(c, 2), 0, in, n, back < 0 ? n - 1 : 0, n, back, 0, (double)in / (double)n}};
    const mtm_resample_source source = {.dtype = MTM_F32, .stride = {4, 4, 4}};
    size_t bytes;
    void *tables;

    if (mtm_resample_plan_bytes(axis, &bytes, NULL) != MTM_OK || !(tables = mtm_alloc_aligned(bytes))) {
        mtm_check_complain(c, "%lld outputs of %lld voxels cannot be planned", (long long)n, (long long)in);
        return NULL;
    }
    mtm_resample_plan_make(p, axis, &source, tables);
    return tables;
}

static void check_across(mtm_check *c)
{
    static const double factors[] = {0.3, 0.9, 1, 1.4, 2.2, 3.3, 7};

    for (int i = 1; i < MTM_CHECK_SIZES; i++) {
        const int64_t n = (int64_t)mtm_check_size(c, i);
        const int64_t in = mtm_max_i64((int64_t)((double)n * factors[mtm_check_below(c, 7)]), 1);
        const size_t room = mtm_resample_pitch(in);
        float *const a = mtm_check_alloc(c, (size_t)n * sizeof *a, sizeof *a);
        float *const b = mtm_check_alloc(c, (size_t)n * sizeof *b, sizeof *b);
        MTM_AUTO_MEM float *row = mtm_alloc_aligned(room * sizeof *row);
        mtm_resample_plan p;
        MTM_AUTO_MEM void *tables = make_line(c, &p, in, n);

        if (!tables)
            continue;
        for (size_t j = 0; j < room; j++) /* what `across` may read but not use */
            row[j] = NAN;
        mtm_check_fill_f32(c, row, (size_t)in, -1, 1, false);
        c->ref.resample.across(a, row, &p.line[2]);
        c->now.resample.across(b, row, &p.line[2]);
        mtm_check_f32(c, "across", a, b, (size_t)n, 0, 2 * 2.5 * 0x1p-23);
        mtm_check_case_end(c);
    }
}

static void bench_across(mtm_check *c)
{
    enum { IN = 1024, OUT = 768 };
    float *const row = mtm_check_alloc(c, mtm_resample_pitch(IN) * sizeof *row, 64);
    float *const out = mtm_check_alloc(c, OUT * sizeof *out, 64);
    mtm_resample_plan p;
    MTM_AUTO_MEM void *tables = make_line(c, &p, IN, OUT);

    mtm_check_fill_f32(c, row, mtm_resample_pitch(IN), -1, 1, false);
    if (tables)
        mtm_check_bench(c, OUT, c->ref.resample.across(out, row, &p.line[2]),
                        c->now.resample.across(out, row, &p.line[2]));
    mtm_check_case_end(c);
}

void check_resample(mtm_check *c)
{
    static const char *const names[] = {"combine_u8", "combine_i8", "combine_u16", "combine_i16",
                                        "combine_f32"};

    for (int t = 0; t < MTM_N_ROW_TYPES; t++)
        if (mtm_check_kernel(c, names[t], c->ref.resample.combine[t], c->now.resample.combine[t]))
            check_combine(c, (mtm_row_type)t);
    if (mtm_check_kernel(c, "across", c->ref.resample.across, c->now.resample.across)) {
        check_across(c);
        bench_across(c);
    }
}
