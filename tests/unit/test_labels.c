/* tests/unit/test_labels.c: label tables against a voxel-by-voxel count.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "array/array.h"
#include "base/rng.h"
#include "microtome/image.h"

enum { Z = 21, Y = 37, X = 53, N = Z * Y * X };
static const int64_t shape[3] = {Z, Y, X};

/* Every promise of mtm_label_table, for labels v. */
static void check_table(const mtm_label_table *t, const int64_t *v)
{
    int64_t total = 0;

    assert_int_equal(t->offset[0], 0);
    for (int32_t c = 0; c < t->n_classes; c++) {
        const int64_t n = t->offset[c + 1] - t->offset[c];
        int64_t count = 0;

        for (int64_t i = 0; i < N; i++)
            count += v[i] == t->classes[c];
        assert_true(c == 0 || t->classes[c - 1] < t->classes[c]);
        assert_int_equal(t->counts[c], count);
        assert_int_equal(n, count < 4096 ? count : 4096);
        for (int64_t i = t->offset[c]; i < t->offset[c + 1]; i++) {
            assert_int_equal(v[t->at[i]], t->classes[c]);
            assert_true(i == t->offset[c] || t->at[i - 1] < t->at[i]);
        }
        total += count;
    }
    assert_int_equal(total, N);
}

/* Blobs of labels, with single voxels strewn in. */
static void make_labels(int64_t *v, const int64_t *values, int64_t n_values, int noise)
{
    mtm_rng r = mtm_rng_at(9, 0, 0, 0);

    for (int64_t i = 0; i < N; i++) {
        const int64_t z = i / (X * Y), y = i / X % Y, x = i % X;
        v[i] = values[(z / 8 + y / 13 * 3 + x / 26 * 5) % n_values];
        if (mtm_rng_below(&r, 100) < (uint64_t)noise)
            v[i] = values[mtm_rng_below(&r, (uint64_t)n_values)];
    }
}

static void test_dtypes(void **state)
{
    static const int64_t small[] = {0, 1, 100, 7}, negative[] = {-3, 0, 5}, wide[] = {-70000, 3, 1000000, 0},
                         bits[] = {0, 1};
    static int64_t v[N], stored[N];
    mtm_array values = mtm_array_wrap(v, MTM_I64, 3, shape);
    mtm_error err = {0};

    for (int t = MTM_U8; t < MTM_N_DTYPES; t++)
        for (int noise = 0; noise <= 30; noise += 15) {
            mtm_array a = mtm_array_wrap(stored, (mtm_dtype)t, 3, shape);
            mtm_label_table *table;
            const bool is_wide = t == MTM_I32 || t == MTM_I64 || t == MTM_F32 || t == MTM_F64;

            if (t == MTM_BOOL)
                make_labels(v, bits, 2, noise);
            else if (is_wide)
                make_labels(v, wide, 4, noise);
            else if (t == MTM_I8 || t == MTM_I16 || t == MTM_F16)
                make_labels(v, negative, 3, noise);
            else
                make_labels(v, small, 4, noise);
            assert_ok(mtm_array_convert(&a, &values, 1, 0, NULL, &err));
            assert_ok(mtm_label_table_new(&table, &a, &err));
            check_table(table, v);
            mtm_label_table_free(table);
        }
}

/* The places of a class are a uniform sample: each octant of the volume gets its share (4σ of a binomial). */
static void test_uniform(void **state)
{
    static uint8_t v[1 << 20];
    mtm_array a = mtm_array_wrap(v, MTM_U8, 3, (int64_t[]){64, 128, 128});
    mtm_error err = {0};
    mtm_label_table *t, *again;
    int64_t share[8] = {0};

    memset(v, 3, sizeof v);
    assert_ok(mtm_label_table_new(&t, &a, &err));
    assert_int_equal(t->n_classes, 1);
    assert_int_equal(t->offset[1], 4096);
    for (int64_t i = 0; i < 4096; i++)
        share[t->at[i] >> 17]++;
    for (int i = 0; i < 8; i++)
        assert_true(share[i] > 512 - 85 && share[i] < 512 + 85);
    v[12345] = 0;
    assert_ok(mtm_label_table_new(&again, &a, &err));
    assert_int_equal(again->counts[0], 1);
    assert_int_equal(again->at[0], 12345);
    mtm_label_table_free(again);
    v[12345] = 3;
    assert_ok(mtm_label_table_new(&again, &a, &err));
    assert_memory_equal(t->at, again->at, 4096 * sizeof *t->at); /* the same every time */
    mtm_label_table_free(again);
    mtm_label_table_free(t);
}

static void test_few_missing(void **state)
{
    uint16_t v[4097];
    mtm_array a = mtm_array_wrap(v, MTM_U16, 3, (int64_t[]){1, 1, 4097});
    mtm_error err = {0};
    mtm_label_table *t;

    memset(v, 0, sizeof v);
    assert_ok(mtm_label_table_new(&t, &a, &err)); /* one of 4097 is left out */
    for (int64_t i = 1; i < 4096; i++)
        assert_true(t->at[i] - t->at[i - 1] == 1 || t->at[i] - t->at[i - 1] == 2);
    mtm_label_table_free(t);
    for (int i = 0; i < 4097; i++)
        v[i] = (uint16_t)(i * 13);
    assert_status(MTM_E_LIMIT, mtm_label_table_new(&t, &a, &err));
    a.shape[2] = 4096;
    assert_ok(mtm_label_table_new(&t, &a, &err));
    assert_int_equal(t->n_classes, 4096);
    mtm_label_table_free(t);
    a.shape[2] = 0;
    assert_ok(mtm_label_table_new(&t, &a, &err));
    assert_int_equal(t->n_classes, 0);
    mtm_label_table_free(t);
}

static void test_views(void **state)
{
    static int16_t v[N];
    static int64_t turned[N];
    mtm_array a = mtm_array_wrap(v, MTM_I16, 3, shape), b;
    mtm_error err = {0};
    mtm_label_table *t;

    for (int64_t i = 0; i < N; i++)
        v[i] = (int16_t)(i % 311 == 0 ? -5 : i / 9000);
    b = a;
    b.shape[0] = X, b.shape[2] = Z, b.stride[0] = a.stride[2], b.stride[2] = -a.stride[0];
    b.data = (char *)b.data + (Z - 1) * a.stride[0];
    for (int64_t x = 0; x < X; x++)
        for (int64_t i = 0; i < Y * Z; i++)
            turned[x * Y * Z + i] = v[(Z - 1 - i % Z) * X * Y + i / Z * X + x];
    assert_ok(mtm_label_table_new(&t, &b, &err));
    check_table(t, turned);
    mtm_label_table_free(t);
}

static void test_errors(void **state)
{
    double v[8] = {1, 2, 2.5, 0};
    uint64_t u[2] = {UINT64_MAX, 1};
    int32_t many[4097];
    mtm_array a = mtm_array_wrap(v, MTM_F64, 3, (int64_t[]){2, 2, 2});
    mtm_error err = {0};
    mtm_label_table *t;

    assert_status(MTM_E_INVAL, mtm_label_table_new(&t, &a, &err));
    v[2] = NAN;
    assert_status(MTM_E_INVAL, mtm_label_table_new(&t, &a, &err));
    v[2] = 1e300;
    assert_status(MTM_E_INVAL, mtm_label_table_new(&t, &a, &err));
    v[2] = 2;
    for (int64_t n = 0; n < 9; n++) { /* slots, classes, class_of, table, and find_places' five */
        mtm_mem_fail_after(n);
        assert_status(MTM_E_NOMEM, mtm_label_table_new(&t, &a, &err));
        mtm_mem_fail_after(-1);
    }
    assert_ok(mtm_label_table_new(&t, &a, &err));
    mtm_label_table_free(t);
    a = mtm_array_wrap(u, MTM_U64, 3, (int64_t[]){1, 1, 2});
    assert_status(MTM_E_LIMIT, mtm_label_table_new(&t, &a, &err));
    for (int i = 0; i < 4097; i++)
        many[i] = i * 70000;
    a = mtm_array_wrap(many, MTM_I32, 3, (int64_t[]){1, 1, 4097});
    assert_status(MTM_E_LIMIT, mtm_label_table_new(&t, &a, &err));
    a.dtype = MTM_NONE;
    assert_status(MTM_E_INVAL, mtm_label_table_new(&t, &a, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes), cmocka_unit_test(test_uniform), cmocka_unit_test(test_few_missing),
        cmocka_unit_test(test_views),  cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
