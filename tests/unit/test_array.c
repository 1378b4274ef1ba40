/* tests/unit/test_array.c: dtypes, views, conversion of arrays, DLPack.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "array/dlpack.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes), cmocka_unit_test(test_new),    cmocka_unit_test(test_order),
        cmocka_unit_test(test_crop),   cmocka_unit_test(test_dlpack),
    };

    return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}
