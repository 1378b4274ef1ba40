/* tests/unit/test_array.c: dtypes, views, conversion of arrays, DLPack.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "array/dlpack.h"
#include "base/rng.h"

static void test_dtypes(void **state)
{
    static const size_t sizes[MTM_N_DTYPES] = {0, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8, 1};

    for (int t = 0; t < MTM_N_DTYPES; t++) {
        assert_int_equal(mtm_dtype_size((mtm_dtype)t), sizes[t]);
        if (t)
            assert_int_equal(mtm_dtype_parse(mtm_dtype_name((mtm_dtype)t)), t);
    }
    assert_string_equal(mtm_dtype_name(MTM_F32), "float32");
    assert_int_equal(mtm_dtype_size((mtm_dtype)99), 0);
    assert_int_equal(mtm_dtype_size((mtm_dtype)-1), 0);
    assert_int_equal(mtm_dtype_parse("none"), MTM_NONE);
    assert_int_equal(mtm_dtype_parse("complex64"), MTM_NONE);
    assert_int_equal(mtm_dtype_parse(NULL), MTM_NONE);
    assert_true(mtm_dtype_is_integer(MTM_BOOL));
    assert_false(mtm_dtype_is_integer(MTM_F16));
}

static void test_new(void **state)
{
    mtm_error err = {0};
    mtm_array a;

    assert_ok(mtm_array_new(&a, MTM_I16, 3, (int64_t[]){3, 5, 7}, NULL, &err));
    assert_int_equal(a.stride[0], 70);
    assert_int_equal(a.stride[1], 14);
    assert_int_equal(a.stride[2], 2);
    assert_int_equal(mtm_array_count(&a), 105);
    assert_true(mtm_array_is_c_order(&a));
    a.stride[1] = 16;
    assert_false(mtm_array_is_c_order(&a));
    mtm_array_drop(&a);
    assert_null(a.data);
    assert_ok(mtm_array_new(&a, MTM_F64, 0, NULL, NULL, &err));
    assert_int_equal(mtm_array_count(&a), 1);
    mtm_array_drop(&a);
    assert_ok(mtm_array_new(&a, MTM_F64, 2, (int64_t[]){0, 4}, NULL, &err));
    assert_int_equal(mtm_array_count(&a), 0);
    mtm_array_drop(&a);
    assert_status(MTM_E_INVAL, mtm_array_new(&a, MTM_NONE, 1, (int64_t[]){1}, NULL, &err));
    assert_status(MTM_E_INVAL,
                  mtm_array_new(&a, MTM_U8, 9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_array_new(&a, MTM_U8, 1, (int64_t[]){-1}, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_array_new(&a, MTM_U8, 2, (int64_t[]){INT64_MAX, 3}, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_array_new(&a, MTM_U8, 3, (int64_t[]){0, INT64_MAX, 3}, NULL, &err));
    mtm_mem_fail_after(0);
    assert_status(MTM_E_NOMEM, mtm_array_new(&a, MTM_U8, 1, (int64_t[]){10}, NULL, &err));
    mtm_mem_fail_after(-1);
}

static void test_order(void **state)
{
    uint8_t bytes[24];
    mtm_array a = mtm_array_wrap(bytes, MTM_U8, 3, (int64_t[]){2, 1, 12});

    a.stride[1] = -99; /* an extent of 1 has no stride to speak of */
    assert_true(mtm_array_is_c_order(&a));
    a.stride[2] = -1;
    assert_false(mtm_array_is_c_order(&a));
    a.shape[0] = 0;
    assert_true(mtm_array_is_c_order(&a));
}

static void test_crop(void **state)
{
    int32_t v[4 * 5];
    mtm_array a = mtm_array_wrap(v, MTM_I32, 2, (int64_t[]){4, 5}), part;
    mtm_error err = {0};

    assert_ok(mtm_array_crop(&part, &a, &(mtm_box){2, {1, 2}, {3, 3}}, &err));
    assert_ptr_equal(part.data, v + 7);
    assert_int_equal(part.shape[0], 3);
    assert_false(mtm_array_is_c_order(&part));
    assert_ok(mtm_array_crop(&part, &a, &(mtm_box){2, {4, 0}, {0, 5}}, &err));
    assert_int_equal(mtm_array_count(&part), 0);
    assert_status(MTM_E_INVAL, mtm_array_crop(&part, &a, &(mtm_box){2, {1, 0}, {4, 5}}, &err));
    assert_status(MTM_E_INVAL, mtm_array_crop(&part, &a, &(mtm_box){2, {-1, 0}, {1, 5}}, &err));
    assert_status(MTM_E_INVAL, mtm_array_crop(&part, &a, &(mtm_box){2, {1, 0}, {INT64_MAX, 5}}, &err));
    assert_status(MTM_E_INVAL, mtm_array_crop(&part, &a, &(mtm_box){1, {1}, {1}}, &err));
    assert_status(MTM_E_INVAL, mtm_array_crop(&part, &a, &(mtm_box){2, {1, 0}, {1, -1}}, &err));
}

static int released;

static void count_release(void *user)
{
    released += *(int *)user;
}

static void test_dlpack(void **state)
{
    float v[12];
    int one = 1;
    mtm_error err = {0};
    mtm_array a = mtm_array_wrap(v, MTM_F32, 2, (int64_t[]){3, 4});
    DLManagedTensor *t;
    DLManagedTensorVersioned *tv;

    released = 0;
    assert_ok(mtm_buffer_wrap(&a.owner, v, sizeof v, count_release, &one, &err));
    a.stride[0] = -16;
    a.data = v + 8;
    assert_ok(mtm_array_to_dlpack(&t, &a, &err));
    assert_ok(mtm_array_to_dlpack_versioned(&tv, &a, true, &err));
    a.stride[0] = 18;
    assert_status(MTM_E_INVAL, mtm_array_to_dlpack(&t, &a, &err));
    mtm_array_drop(&a);
    assert_int_equal(released, 0);
    assert_ptr_equal(t->dl_tensor.data, v + 8);
    assert_int_equal(t->dl_tensor.strides[0], -4);
    assert_int_equal(t->dl_tensor.strides[1], 1);
    assert_int_equal(t->dl_tensor.shape[1], 4);
    assert_int_equal(t->dl_tensor.dtype.code, 2);
    assert_int_equal(t->dl_tensor.dtype.bits, 32);
    assert_int_equal(t->dl_tensor.device.device_type, 1);
    mtm_dlpack_drop(t);
    assert_int_equal(released, 0);
    assert_int_equal(tv->version.major, 1);
    assert_int_equal(tv->flags, 1);
    assert_int_equal(tv->dl_tensor.shape[0], 3);
    tv->deleter(tv);
    assert_int_equal(released, 1);
    mtm_dlpack_drop(NULL);
    mtm_dlpack_versioned_drop(NULL);
    a = mtm_array_wrap(v, MTM_F32, 2, (int64_t[]){3, 4});
    mtm_mem_fail_after(0);
    assert_status(MTM_E_NOMEM, mtm_array_to_dlpack(&t, &a, &err));
    mtm_mem_fail_after(-1);
}

/* ---- conversion, against one voxel at a time in long double -------------------------------------------- */

enum { SIDE = 5, LONG = 67, VOXELS = 3 * SIDE * LONG };

static const long double least[MTM_N_DTYPES] = {
    [MTM_I8] = -128, [MTM_I16] = -32768, [MTM_I32] = -2147483648.0L, [MTM_I64] = -0x1p63L};
static const long double most[MTM_N_DTYPES] = {[MTM_U8] = 255,
                                               [MTM_I8] = 127,
                                               [MTM_U16] = 65535,
                                               [MTM_I16] = 32767,
                                               [MTM_U32] = 4294967295.0L,
                                               [MTM_I32] = 2147483647.0L,
                                               [MTM_U64] = 0x1p64L - 1,
                                               [MTM_I64] = 0x1p63L - 1,
                                               [MTM_BOOL] = 1};

static long double half_value(uint16_t h)
{
    const int e = h >> 10 & 31, f = h & 1023;
    const long double x = e == 31 ? (f ? NAN : INFINITY) : e ? ldexpl(1024 + f, e - 25) : ldexpl(f, -24);

    return h >> 15 ? -x : x;
}

static long double load(mtm_dtype t, const void *p)
{
    switch (t) {
    case MTM_U8: return *(const uint8_t *)p;
    case MTM_I8: return *(const int8_t *)p;
    case MTM_U16: return *(const uint16_t *)p;
    case MTM_I16: return *(const int16_t *)p;
    case MTM_U32: return *(const uint32_t *)p;
    case MTM_I32: return *(const int32_t *)p;
    case MTM_U64: return *(const uint64_t *)p;
    case MTM_I64: return *(const int64_t *)p;
    case MTM_F16: return half_value(*(const uint16_t *)p);
    case MTM_F32: return *(const float *)p;
    case MTM_F64: return *(const double *)p;
    default: return *(const uint8_t *)p != 0;
    }
}

/* x rounded to what dtype t holds. */
static long double rounded(mtm_dtype t, long double x)
{
    if (t == MTM_F64)
        return (double)x;
    if (t == MTM_F32)
        return (float)x;
    if (t == MTM_BOOL)
        return x != 0;
    if (t == MTM_F16) {
        int e;
        if (!isfinite(x) || x == 0)
            return x;
        frexpl(x, &e);
        e = e < -13 ? -13 : e;
        x = ldexpl(rintl(ldexpl(x, 11 - e)), e - 11);
        return fabsl(x) > 65504 ? copysignl(INFINITY, x) : x;
    }
    x = rintl(x) + 0.0L; /* an integer has no −0 */
    return x < least[t] ? least[t] : x > most[t] ? most[t] : x;
}

/* What the documented arithmetic gives. */
static long double expected(mtm_dtype from, mtm_dtype to, long double x, double slope, double inter)
{
    if (slope == 1 && inter == 0)
        return rounded(to, x);
    if (to == MTM_F32 && (mtm_dtype_size(from) <= 2 || from == MTM_F32)) {
        volatile float product = (float)x * (float)slope;
        return product + (float)inter;
    }
    volatile double product = (double)x * slope;
    volatile double sum = product + inter;
    return rounded(to, sum);
}

/* Random values of dtype t: any bits for integers, moderate numbers with ties and extremes for floats. */
static void fill(mtm_rng *r, mtm_dtype t, void *p, int64_t n)
{
    static const float some[] = {0.5f,  1.5f,  2.5f,  -0.5f,  -1.5f, 255.5f,
                                 70000, -3e9f, 1e30f, -1e30f, -0.0f, 1e-6f};

    for (int64_t i = 0; i < n; i++) {
        const uint64_t u = mtm_rng_u64(r);
        const float x = u % 5 ? (float)(int32_t)(u >> 32) * 0x1p-20f : some[u / 5 % 12];
        char *const d = (char *)p + i * (int64_t)mtm_dtype_size(t);

        if (t == MTM_F32)
            *(float *)d = x;
        else if (t == MTM_F64)
            *(double *)d = (double)x * (1 + 1e-9 * (double)(u >> 40 & 3));
        else if (t == MTM_F16) /* no NaN: their exponent is 31 */
            *(uint16_t *)d = (uint16_t)(u >> 48) & ((u >> 58 & 31) == 31 ? 0x83FF : 0xFFFF);
        else
            memcpy(d, &u, mtm_dtype_size(t));
    }
}

/* Layout number `how` of a [3, SIDE, LONG] array: axis orders, with some axes backwards. */
static mtm_array layout(void *data, mtm_dtype t, int how)
{
    static const int orders[6][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 2, 1}, {2, 0, 1}, {1, 2, 0}};
    const int64_t shape[3] = {3, SIDE, LONG};
    mtm_array a = mtm_array_wrap(data, t, 3, shape);
    int64_t stride = (int64_t)mtm_dtype_size(t);

    for (int i = 2; i >= 0; i--) {
        const int axis = orders[how % 6][i];
        a.stride[axis] = stride, stride *= shape[axis];
        if (how / 6 >> axis & 1) {
            a.data = (char *)a.data + (shape[axis] - 1) * a.stride[axis];
            a.stride[axis] = -a.stride[axis];
        }
    }
    return a;
}

static const void *voxel(const mtm_array *a, int64_t z, int64_t y, int64_t x)
{
    return (const char *)a->data + z * a->stride[0] + y * a->stride[1] + x * a->stride[2];
}

static void compare(const mtm_array *dst, const mtm_array *src, double slope, double inter)
{
    for (int64_t i = 0; i < VOXELS; i++) {
        const int64_t z = i / (SIDE * LONG), y = i / LONG % SIDE, x = i % LONG;
        const long double v = load(src->dtype, voxel(src, z, y, x)),
                          got = load(dst->dtype, voxel(dst, z, y, x));
        const long double want = expected(src->dtype, dst->dtype, v, slope, inter);

        if (got != want || signbit(got) != signbit(want))
            fail_msg("%s → %s, ·%g + %g: %Lg gives %Lg, not %Lg", mtm_dtype_name(src->dtype),
                     mtm_dtype_name(dst->dtype), slope, inter, v, got, want);
    }
}

static void test_convert(void **state)
{
    static const double scales[][2] = {{1, 0}, {0.37, -12.5}, {-2, 0}, {1, 0.5}};
    static double in[VOXELS], out[VOXELS];
    mtm_rng r = mtm_rng_at(3, 0, 0, 0);
    mtm_error err = {0};

    for (int s = MTM_U8; s < MTM_N_DTYPES; s++)
        for (int d = MTM_U8; d < MTM_N_DTYPES; d++)
            for (int trial = 0; trial < 24; trial++) {
                const double *const scale = scales[trial & 3];
                const mtm_array src = layout(in, (mtm_dtype)s, (int)mtm_rng_below(&r, 48));
                mtm_array dst = layout(out, (mtm_dtype)d, trial < 12 ? 0 : (int)mtm_rng_below(&r, 48));

                fill(&r, (mtm_dtype)s, in, VOXELS);
                assert_ok(mtm_array_convert(&dst, &src, scale[0], scale[1], NULL, &err));
                compare(&dst, &src, scale[0], scale[1]);
            }
}

static void test_convert_swapped(void **state)
{
    static uint32_t in[VOXELS], native[VOXELS];
    static float out[VOXELS], plain[VOXELS];
    mtm_rng r = mtm_rng_at(4, 0, 0, 0);
    mtm_error err = {0};
    mtm_array dst = layout(out, MTM_F32, 0), want = layout(plain, MTM_F32, 0);

    for (int64_t i = 0; i < VOXELS; i++)
        in[i] = mtm_rng_u32(&r), native[i] = __builtin_bswap32(in[i]);
    for (int how = 0; how < 48; how++) {
        const mtm_array src = layout(in, MTM_I32, how), other = layout(native, MTM_I32, how);

        assert_ok(mtm_array_convert_stats(&dst, &src, 2, 1, true, NULL, NULL, &err));
        assert_ok(mtm_array_convert(&want, &other, 2, 1, NULL, &err));
        assert_memory_equal(out, plain, sizeof out);
    }
}

/* Numbers at odd addresses, as in files and packed records. */
static void test_convert_unaligned(void **state)
{
    static char in[VOXELS * 8 + 1], out[VOXELS * 8 + 1];
    static float want[VOXELS];
    static int32_t values[VOXELS];
    mtm_error err = {0};
    mtm_array a = layout(values, MTM_I32, 0), plain = layout(want, MTM_F32, 0);

    for (int32_t i = 0; i < VOXELS; i++)
        values[i] = i * 77;
    memcpy(in + 1, values, sizeof values);
    for (int how = 0; how < 12; how++) {
        mtm_array src = layout(in + 1, MTM_I32, how), dst = layout(out + 1, MTM_F32, how / 6);

        a = layout(values, MTM_I32, how), plain = layout(want, MTM_F32, how / 6);
        assert_ok(mtm_array_convert(&dst, &src, 3, 1, NULL, &err));
        assert_ok(mtm_array_convert(&plain, &a, 3, 1, NULL, &err));
        assert_memory_equal(out + 1, want, sizeof want);
    }
}

static void test_convert_large(void **state)
{
    const int64_t shape[3] = {70, 90, 110}, n = 70 * 90 * 110;
    mtm_error err = {0};
    mtm_array src, dst, again;
    mtm_stats st, st2;
    mtm_pool *pool;
    int64_t nonzero = 0;
    double sum = 0, sum2 = 0;

    assert_ok(mtm_array_new(&src, MTM_I16, 3, shape, NULL, &err));
    assert_ok(mtm_array_new(&dst, MTM_F32, 3, shape, NULL, &err));
    assert_ok(mtm_array_new(&again, MTM_F32, 3, shape, NULL, &err));
    assert_ok(mtm_pool_new(&pool, 3, &err));
    for (int64_t i = 0; i < n; i++)
        ((int16_t *)src.data)[i] = (int16_t)(i % 4 ? i * 7919 % 3001 - 1000 : 0);
    for (int f_order = 0; f_order < 2; f_order++) {
        mtm_array view = src;
        if (f_order)
            view.stride[0] = 2, view.stride[1] = 140, view.stride[2] = 140 * 90;
        assert_ok(mtm_array_convert_stats(&dst, &view, 0.5, 0, false, &st, NULL, &err));
        assert_ok(mtm_array_convert_stats(&again, &view, 0.5, 0, false, &st2, pool, &err));
        assert_memory_equal(dst.data, again.data, (size_t)n * 4);
        assert_memory_equal(&st, &st2, sizeof st); /* threads change nothing */
        assert_true(*(float *)voxel(&dst, 69, 88, 107) == *(const int16_t *)voxel(&view, 69, 88, 107) * 0.5f);
        assert_true(*(float *)voxel(&dst, 31, 2, 109) == *(const int16_t *)voxel(&view, 31, 2, 109) * 0.5f);
        assert_int_equal(st.count, n);
    }
    for (int64_t i = 0; i < n; i++) {
        const double v = ((int16_t *)src.data)[i] * 0.5;
        nonzero += v != 0, sum += v, sum2 += v * v;
    }
    assert_true(st.min == -500 && st.max == 1000);
    assert_int_equal(st.nonzero, nonzero);
    assert_true(fabs(st.mean - sum / (double)n) < 1e-9);
    assert_true(fabs(st.std - sqrt(sum2 / (double)n - sum / (double)n * sum / (double)n)) < 1e-9);
    assert_true(fabs(st.nonzero_mean - sum / (double)nonzero) < 1e-9);
    mtm_mem_fail_after(0);
    assert_status(MTM_E_NOMEM, mtm_array_convert_stats(&dst, &src, 1, 0, false, &st, NULL, &err));
    mtm_mem_fail_after(-1);
    mtm_pool_free(pool);
    mtm_array_drop(&src);
    mtm_array_drop(&dst);
    mtm_array_drop(&again);
}

/* Zeros are left out of the sums and put back by their number. */
static void test_convert_zeros(void **state)
{
    static const float some[5] = {0, NAN, -3, -0.0f, INFINITY}, none[5] = {0}, only[5] = {-2, -2, -2, -2, -2};
    static const mtm_stats want[3] = {
        {.count = 3, .non_finite = 2, .nonzero = 1, .min = -3, .mean = -1, .nonzero_mean = -3},
        {.count = 5},
        {.count = 5, .nonzero = 5, .min = -2, .max = -2, .mean = -2, .nonzero_mean = -2}};
    const float *const in[3] = {some, none, only};
    float out[5];
    mtm_error err = {0};
    mtm_stats st;

    for (int i = 0; i < 3; i++) {
        const mtm_array src = mtm_array_wrap((void *)(uintptr_t)in[i], MTM_F32, 1, (const int64_t[]){5});
        mtm_array dst = mtm_array_wrap(out, MTM_F32, 1, (const int64_t[]){5});

        assert_ok(mtm_array_convert_stats(&dst, &src, 1, 0, false, &st, NULL, &err));
        assert_memory_equal(out, in[i], sizeof out);
        assert_true(st.count == want[i].count && st.non_finite == want[i].non_finite);
        assert_true(st.nonzero == want[i].nonzero && st.min == want[i].min && st.max == want[i].max);
        assert_true(st.mean == want[i].mean && st.nonzero_mean == want[i].nonzero_mean);
        assert_true(st.nonzero_std == 0 && fabs(st.std - (i ? 0 : sqrt(2))) < 1e-15);
    }
}

/* A box of a volume: rows of a few numbers, pieces that begin amid a plane, axes backwards. */
static void test_convert_box(void **state)
{
    enum { Z = 61, Y = 67, X = 131, LINE = 150, PLANE = LINE * 83, N = Z * Y * X };
    const int64_t shape[3] = {Z, Y, X};
    mtm_error err = {0};
    mtm_array whole, dst, again;
    mtm_pool *pool;

    assert_ok(mtm_array_new(&whole, MTM_I16, 1, (const int64_t[]){70 * PLANE}, NULL, &err));
    assert_ok(mtm_array_new(&dst, MTM_F32, 3, shape, NULL, &err));
    assert_ok(mtm_array_new(&again, MTM_F32, 3, shape, NULL, &err));
    assert_ok(mtm_pool_new(&pool, 3, &err));
    for (int64_t i = 0; i < 70 * PLANE; i++)
        ((int16_t *)whole.data)[i] = (int16_t)(i * 7919 % 65521);
    for (int way = 0; way < 4; way++) {
        mtm_array box = mtm_array_wrap((int16_t *)whole.data + 5 * PLANE + 9 * LINE + 13, MTM_I16, 3, shape);

        box.stride[0] = 2 * PLANE, box.stride[1] = 2 * LINE, box.stride[2] = 2;
        for (int axis = 0; axis < 2; axis++)
            if (way >> axis & 1) {
                box.data = (char *)box.data + (shape[axis] - 1) * box.stride[axis];
                box.stride[axis] = -box.stride[axis];
            }
        memset(dst.data, 0xAA, (size_t)N * 4);
        assert_ok(mtm_array_convert(&dst, &box, 1, 0, NULL, &err));
        assert_ok(mtm_array_convert(&again, &box, 1, 0, pool, &err));
        assert_memory_equal(dst.data, again.data, (size_t)N * 4);
        for (int64_t i = 0; i < N; i++) {
            const int64_t z = i / (Y * X), y = i / X % Y, x = i % X;

            if (*(const float *)voxel(&dst, z, y, x) != (float)*(const int16_t *)voxel(&box, z, y, x))
                fail_msg("voxel %d of way %d differs", (int)i, way);
        }
    }
    mtm_pool_free(pool);
    mtm_array_drop(&whole);
    mtm_array_drop(&dst);
    mtm_array_drop(&again);
}

static void test_convert_errors(void **state)
{
    float f[12] = {[7] = NAN};
    int32_t v[12];
    mtm_error err = {0};
    mtm_array src = mtm_array_wrap(f, MTM_F32, 2, (int64_t[]){3, 4});
    mtm_array dst = mtm_array_wrap(v, MTM_I32, 2, (int64_t[]){3, 4});

    assert_status(MTM_E_INVAL, mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_array_convert(&dst, &src, 2, 0, NULL, &err));
    dst.dtype = MTM_BOOL, dst.stride[1] = 1;
    assert_status(MTM_E_INVAL, mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    dst = mtm_array_wrap(v, MTM_F32, 2, (int64_t[]){3, 4});
    assert_ok(mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    assert_true(isnan(((float *)(void *)v)[7]));
    dst.stride[0] = 0; /* the destination may not repeat */
    assert_status(MTM_E_INVAL, mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    dst = mtm_array_wrap(v, MTM_F32, 2, (int64_t[]){4, 3});
    assert_status(MTM_E_INVAL, mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    dst = mtm_array_wrap(v, MTM_F32, 1, (int64_t[]){12});
    assert_status(MTM_E_INVAL, mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    dst.dtype = MTM_NONE;
    assert_status(MTM_E_INVAL, mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    src.shape[1] = 0, dst = mtm_array_wrap(NULL, MTM_I8, 2, (int64_t[]){3, 0});
    assert_ok(mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    src = mtm_array_wrap(f + 3, MTM_F32, 2, (int64_t[]){3, 4}),
    dst = mtm_array_wrap(v, MTM_I32, 2, (int64_t[]){3, 4});
    src.stride[0] = src.stride[1] = 0; /* the source may */
    f[3] = 42;
    assert_ok(mtm_array_convert(&dst, &src, 1, 0, NULL, &err));
    assert_int_equal(v[11], 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes),          cmocka_unit_test(test_new),
        cmocka_unit_test(test_order),           cmocka_unit_test(test_crop),
        cmocka_unit_test(test_dlpack),          cmocka_unit_test(test_convert),
        cmocka_unit_test(test_convert_swapped), cmocka_unit_test(test_convert_unaligned),
        cmocka_unit_test(test_convert_large),   cmocka_unit_test(test_convert_zeros),
        cmocka_unit_test(test_convert_box),     cmocka_unit_test(test_convert_errors),
    };

    return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}
