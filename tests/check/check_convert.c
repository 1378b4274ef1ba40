/* tests/check/check_convert.c: row conversions of every pair of types, and moves between memory orders.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

#define KERNEL(c, name, field) mtm_check_kernel(c, name, (c)->ref.convert.field, (c)->now.convert.field)

/* n numbers of dtype t: any bits for integers, some special values among floats. */
static void *numbers(mtm_check *c, mtm_dtype t, size_t n)
{
    const size_t size = mtm_dtype_size(t);
    void *const p = mtm_check_alloc(c, n * size, size);

    if (t == MTM_F32)
        mtm_check_fill_f32(c, p, n, -300, 70000, true);
    if (t == MTM_F64)
        mtm_check_fill_f64(c, p, n, -300, 70000, true);
    return p;
}

static void check_to_f32(mtm_check *c, mtm_dtype t)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        const void *const x = numbers(c, t, n);
        float *const a = mtm_check_alloc(c, n * 4, 4), *const b = mtm_check_alloc(c, n * 4, 4);

        c->ref.convert.to_f32[t](a, x, n, 0.37f, -2.5f);
        c->now.convert.to_f32[t](b, x, n, 0.37f, -2.5f);
        mtm_check_f32(c, "scaled", a, b, n, 0, 0);
        mtm_check_case_end(c);
    }
    const size_t n = 20000;
    const void *const x = numbers(c, t, n);
    float *const a = mtm_check_alloc(c, n * 4, 4), *const b = mtm_check_alloc(c, n * 4, 4);
    mtm_check_bench(c, n, c->ref.convert.to_f32[t](a, x, n, 2, 1), c->now.convert.to_f32[t](b, x, n, 2, 1));
}

static void check_to_f64(mtm_check *c, mtm_dtype t)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        const void *const x = numbers(c, t, n);
        double *const a = mtm_check_alloc(c, n * 8, 8), *const b = mtm_check_alloc(c, n * 8, 8);

        c->ref.convert.to_f64[t](a, x, n, 0.37, -2.5);
        c->now.convert.to_f64[t](b, x, n, 0.37, -2.5);
        mtm_check_f64(c, "scaled", a, b, n, 0, 0);
        mtm_check_case_end(c);
    }
}

static void check_to_i64(mtm_check *c, mtm_dtype t)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        const void *const x = numbers(c, t, n);
        int64_t *const a = mtm_check_alloc(c, n * 8, 8), *const b = mtm_check_alloc(c, n * 8, 8);

        c->ref.convert.to_i64[t](a, x, n);
        c->now.convert.to_i64[t](b, x, n);
        mtm_check_bytes(c, "values", a, b, n * 8);
        mtm_check_case_end(c);
    }
}

/* Results out of the middle type m: equal to the bit, save what a NaN leaves in an integer; the verdict on NaN is equal. */
static void check_from(mtm_check *c, mtm_dtype m, mtm_dtype t)
{
    const size_t size = mtm_dtype_size(t);

    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        void *const x = numbers(c, m, n);
        void *const a = mtm_check_alloc(c, n * size, size), *const b = mtm_check_alloc(c, n * size, size);
        bool good_a = true, good_b = true;

        for (size_t k = 0; i % 2 && m == MTM_F32 && k < n; k++) /* every second case without NaN */
            ((float *)x)[k] = ((float *)x)[k] == ((float *)x)[k] ? ((float *)x)[k] : 2.5f;
        for (size_t k = 0; i % 2 && m == MTM_F64 && k < n; k++)
            ((double *)x)[k] = ((double *)x)[k] == ((double *)x)[k] ? ((double *)x)[k] : 2.5;
        if (m == MTM_F32)
            good_a = c->ref.convert.from_f32[t](a, x, n), good_b = c->now.convert.from_f32[t](b, x, n);
        else if (m == MTM_F64)
            good_a = c->ref.convert.from_f64[t](a, x, n), good_b = c->now.convert.from_f64[t](b, x, n);
        else
            c->ref.convert.from_i64[t](a, x, n), c->now.convert.from_i64[t](b, x, n);
        mtm_check_i64(c, "NaN seen", good_a, good_b);
        if (t == MTM_F32)
            mtm_check_f32(c, "values", a, b, n, 0, 0);
        else if (t == MTM_F64)
            mtm_check_f64(c, "values", a, b, n, 0, 0);
        else if (t != MTM_F16 || i % 2) /* a NaN has many half-precision forms */
            mtm_check_bytes(c, "values", a, b, n * size);
        mtm_check_case_end(c);
    }
}

static void check_rows(mtm_check *c)
{
    char name[64];

    for (int i = MTM_U8; i < MTM_N_DTYPES; i++) {
        const mtm_dtype t = (mtm_dtype)i;

        snprintf(name, sizeof name, "%s to float32", mtm_dtype_name(t));
        if (c->ref.convert.to_f32[t] && KERNEL(c, name, to_f32[t]))
            check_to_f32(c, t);
        snprintf(name, sizeof name, "%s to float64", mtm_dtype_name(t));
        if (KERNEL(c, name, to_f64[t]))
            check_to_f64(c, t);
        snprintf(name, sizeof name, "%s to int64", mtm_dtype_name(t));
        if (c->ref.convert.to_i64[t] && KERNEL(c, name, to_i64[t]))
            check_to_i64(c, t);
        snprintf(name, sizeof name, "float32 to %s", mtm_dtype_name(t));
        if (KERNEL(c, name, from_f32[t]))
            check_from(c, MTM_F32, t);
        snprintf(name, sizeof name, "float64 to %s", mtm_dtype_name(t));
        if (KERNEL(c, name, from_f64[t]))
            check_from(c, MTM_F64, t);
        snprintf(name, sizeof name, "int64 to %s", mtm_dtype_name(t));
        if (c->ref.convert.from_i64[t] && KERNEL(c, name, from_i64[t]))
            check_from(c, MTM_I64, t);
    }
}

static void check_transpose(mtm_check *c, int log2)
{
    const size_t size = (size_t)1 << log2;

    for (int i = 0; i < 3 * MTM_CHECK_SIZES; i++) {
        const size_t rows = i < 68 ? (size_t)i : (size_t)mtm_check_below(c, 300),
                     cols = (size_t)mtm_check_below(c, 70);
        const size_t ss = rows * size + (size_t)mtm_check_below(c, 3) * size,
                     ds = cols * size + (size_t)(i % 4) * size;
        const void *const x = mtm_check_alloc(c, cols * ss, size);
        void *const a = mtm_check_alloc(c, rows * ds, size), *const b = mtm_check_alloc(c, rows * ds, size);

        if (rows && ds)
            memcpy(b, a, rows * ds);
        c->ref.convert.transpose[log2](a, (ptrdiff_t)ds, x, (ptrdiff_t)ss, rows, cols);
        c->now.convert.transpose[log2](b, (ptrdiff_t)ds, x, (ptrdiff_t)ss, rows, cols);
        mtm_check_bytes(c, "numbers and gaps", a, b, rows * ds);
        mtm_check_case_end(c);
    }
    const size_t n = 128;
    const void *const x = mtm_check_alloc(c, n * n * size, 64);
    void *const a = mtm_check_alloc(c, n * n * size, 64), *const b = mtm_check_alloc(c, n * n * size, 64);
    const ptrdiff_t s = (ptrdiff_t)(n * size);
    mtm_check_bench(c, n * n, c->ref.convert.transpose[log2](a, s, x, s, n, n),
                    c->now.convert.transpose[log2](b, s, x, s, n, n));
}

static void check_moves(mtm_check *c, int log2)
{
    const size_t size = (size_t)1 << log2;
    char name[64];

    snprintf(name, sizeof name, "swap %zu bits", 8 * size);
    if (log2 && KERNEL(c, name, swap[log2]))
        for (int i = 0; i < MTM_CHECK_SIZES; i++) {
            const size_t n = mtm_check_size(c, i);
            void *const x = mtm_check_alloc(c, n * size, size);
            void *const a = mtm_check_alloc(c, n * size, size);

            c->ref.convert.swap[log2](a, x, n);
            c->now.convert.swap[log2](x, x, n);
            mtm_check_bytes(c, "in place", a, x, n * size);
            mtm_check_case_end(c);
        }
    snprintf(name, sizeof name, "transpose %zu bits", 8 * size);
    if (KERNEL(c, name, transpose[log2]))
        check_transpose(c, log2);
    snprintf(name, sizeof name, "gather and scatter %zu bits", 8 * size);
    if (!KERNEL(c, name, gather[log2]))
        return;
    for (int i = 0; i < MTM_CHECK_SIZES; i++) { /* there and back, backwards too */
        const size_t n = mtm_check_size(c, i) % 512, step = size * (size_t)(1 + mtm_check_below(c, 5));
        char *const x = mtm_check_alloc(c, n * step, size), *const b = mtm_check_alloc(c, n * step, size);
        void *const a = mtm_check_alloc(c, n * size, size);
        const size_t last = n && i % 2 ? (n - 1) * step : 0;
        const ptrdiff_t s = i % 2 ? -(ptrdiff_t)step : (ptrdiff_t)step;

        if (n)
            memcpy(b, x, n * step);
        for (size_t k = 0; k < n; k++)
            memset(b + k * step, 0, size);
        c->now.convert.gather[log2](a, x + last, s, n);
        c->now.convert.scatter[log2](b + last, s, a, n);
        mtm_check_bytes(c, "there and back", x, b, n * step);
        mtm_check_case_end(c);
    }
}

static void check_copy(mtm_check *c)
{
    for (int i = 0; i < 3 * MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i % MTM_CHECK_SIZES);
        const void *const x = mtm_check_alloc(c, n, 1);
        void *const a = mtm_check_alloc(c, n, 1);

        c->now.convert.copy(a, x, n);
        mtm_check_bytes(c, "copy", x, a, n);
        mtm_check_case_end(c);
    }
}

void check_convert(mtm_check *c)
{
    check_rows(c);
    for (int log2 = 0; log2 < 4; log2++)
        check_moves(c, log2);
    if (KERNEL(c, "copy", copy))
        check_copy(c);
}
