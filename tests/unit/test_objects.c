/* tests/unit/test_objects.c: components and object tables: against a flood fill, out of memory, and drawing from a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "array/array.h"
#include "array/objects.h"
#include "base/rng.h"

enum { Z = 7, Y = 9, X = 67, N = Z * Y * X };
static const int64_t shape[3] = {Z, Y, X};

/* Numbers the component of voxel `at` in v ([Z, Y, X]) by a flood over faces, or over edges and corners too. */
static void flood(const uint8_t *v, int32_t *number, int at, int32_t value, bool full)
{
    static int stack[N];
    int n = 0;

    stack[n++] = at, number[at] = value;
    while (n) {
        const int i = stack[--n], z = i / (Y * X), y = i / X % Y, x = i % X;

        for (int k = 0; k < 27; k++) {
            const int dz = k / 9 - 1, dy = k / 3 % 3 - 1, dx = k % 3 - 1;
            const int j = ((z + dz) * Y + y + dy) * X + x + dx;

            if ((!full && abs(dz) + abs(dy) + abs(dx) != 1) || z + dz < 0 || z + dz >= Z || y + dy < 0 ||
                y + dy >= Y || x + dx < 0 || x + dx >= X || number[j] || v[j] != v[i])
                continue;
            number[j] = value, stack[n++] = j;
        }
    }
}

static void draw_labels(uint8_t *v, uint64_t seed, uint64_t classes, uint64_t zeros)
{
    mtm_rng r = mtm_rng_at(seed, 0, 0, 0);

    for (int i = 0; i < N; i++)
        v[i] = mtm_rng_below(&r, 10) < zeros ? 0 : (uint8_t)(1 + mtm_rng_below(&r, classes));
}

static void test_flood(void **state)
{
    static uint8_t v[N];
    static int32_t expected[N], got[N];

    for (uint64_t seed = 0; seed < 24; seed++) {
        const bool full = seed % 2;
        mtm_array labels = mtm_array_wrap(v, MTM_U8, 3, shape), out = mtm_array_wrap(got, MTM_I32, 3, shape);
        mtm_error err = {0};
        int32_t n = 0;
        int64_t count;

        draw_labels(v, seed, 1 + seed % 3, seed % 9 + 1);
        memset(expected, 0, sizeof expected);
        for (int i = 0; i < N; i++)
            if (v[i] && !expected[i])
                flood(v, expected, i, ++n, full);
        assert_ok(mtm_connected_components(&out, &labels, full ? MTM_FULL : MTM_FACES, true, 0, NULL, &count,
                                           &err));
        assert_int_equal(count, n);
        assert_memory_equal(got, expected, sizeof got);
    }
}

/* Every allocation failing in turn: an ordinary error, and nothing is left behind. */
static void test_no_memory(void **state)
{
    static uint8_t v[N];
    mtm_array labels = mtm_array_wrap(v, MTM_U8, 3, shape);
    mtm_status st = MTM_E_NOMEM;
    mtm_error err = {0};
    int64_t n = 0;

    draw_labels(v, 1, 2, 5);
    for (; st != MTM_OK; n++) {
        mtm_array out = {0};
        int64_t count;

        assert_int_equal(st, MTM_E_NOMEM);
        mtm_mem_fail_after(n);
        st = mtm_connected_components(&out, &labels, MTM_FACES, false, 0, NULL, &count, &err);
        mtm_mem_fail_after(-1);
        mtm_array_drop(&out);
    }
    assert_true(n > 5);
    for (n = 0, st = MTM_E_NOMEM; st != MTM_OK; n++) {
        mtm_object_table *t = NULL;

        assert_int_equal(st, MTM_E_NOMEM);
        mtm_mem_fail_after(n);
        st = mtm_object_table_new(&t, &labels, 0, &err);
        mtm_mem_fail_after(-1);
        mtm_object_table_free(t);
    }
    assert_true(n > 5);
}

/* Four boxes: the two largest of class 2 are of one size, so the lower number stays. */
static void test_draw(void **state)
{
    static const int64_t class_of[] = {1, 2, 2, 2}, number[] = {3, 0, 1, 2}, picture[] = {50, 60},
                         start[] = {0, 0, 1, 1, 10, 10, 20, 20}, size[] = {5, 5, 1, 4, 2, 2, 1, 1};
    const mtm_object_table t = {4, 2, class_of, number, start, size};
    mtm_object_options o = mtm_object_options_default();
    int64_t class_found;
    mtm_error err = {0};
    mtm_box box;

    o.k_largest = 1, o.n_classes = 2, o.classes[0] = 2, o.classes[1] = 8;
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_ok(mtm_object_draw(&t, picture, &o, seed, &box, &class_found, &err));
        assert_int_equal(class_found, 2);
        assert_int_equal(box.start[0], 1);
        assert_int_equal(box.size[1], 4);
    }
    o.threshold[0] = 6;
    assert_ok(mtm_object_draw(&t, picture, &o, 1, &box, &class_found, &err));
    assert_int_equal(class_found, 0);
    assert_int_equal(box.size[1], 60);
    o.foreground_prob = 2;
    assert_int_equal(mtm_object_draw(&t, picture, &o, 1, &box, &class_found, NULL), MTM_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flood), cmocka_unit_test(test_no_memory),
                                       cmocka_unit_test(test_draw)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
