/* tests/unit/test_base.c: errors, memory, text, hashes, random numbers, the thread pool.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/pool.h"
#include "base/reader.h"
#include "base/rng.h"
#include "base/size.h"
#include "base/text.h"

static void test_fail(void **state)
{
    mtm_error err = {0};

    assert_int_equal(mtm_fail(&err, MTM_E_CORRUPT, 12, "bad\n%s", "name"), MTM_E_CORRUPT);
    assert_string_equal(err.text, "bad?name");
    assert_int_equal(err.offset, 12);
    mtm_error_where(&err, MTM_E_CORRUPT,
                    "/a/long/path/that/does/not/fit/into/the/field/of/an/error/t1.nii.gz");
    assert_int_equal(strlen(err.where), sizeof err.where - 1);
    assert_string_equal(err.where + strlen(err.where) - 9, "t1.nii.gz");
    assert_int_equal(mtm_fail(NULL, MTM_E_IO, -1, "nobody listens"), MTM_E_IO);
    assert_string_equal(mtm_status_name(MTM_E_DEVICE), "MTM_E_DEVICE");
    assert_string_equal(mtm_status_name((mtm_status)-99), "MTM_?");
}

static void test_extent(void **state)
{
    mtm_error err = {0};
    uint64_t n = 7;

    assert_ok(mtm_extent_bytes(&n, 3, (int64_t[]){3, 4, 5}, 2, 1000, "box", &err));
    assert_int_equal(n, 120);
    assert_ok(mtm_extent_bytes(&n, 2, (int64_t[]){INT64_MAX, 0}, 8, 1000, "box", &err));
    assert_int_equal(n, 0);
    assert_status(MTM_E_LIMIT,
                  mtm_extent_bytes(&n, 2, (int64_t[]){INT64_MAX, 4}, 8, UINT64_MAX, "box", &err));
    assert_status(MTM_E_LIMIT, mtm_extent_bytes(&n, 1, (int64_t[]){126}, 8, 1000, "box", &err));
    assert_status(MTM_E_INVAL, mtm_extent_bytes(&n, 1, (int64_t[]){-1}, 8, 1000, "box", &err));
}

static void test_reader(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f};
    mtm_reader r = mtm_reader_over(bytes, sizeof bytes, 100);
    mtm_error err = {0};
    uint16_t u;
    int16_t i;
    double d;

    assert_ok(mtm_read_u16(&r, &u, &err));
    assert_int_equal(u, 0x0201);
    r.big_endian = true;
    assert_ok(mtm_read_i16(&r, &i, &err));
    assert_int_equal(i, 0x0304);
    r.big_endian = false;
    assert_ok(mtm_read_f64(&r, &d, &err));
    assert_true(d == 1.0);
    assert_status(MTM_E_CORRUPT, mtm_read_u16(&r, &u, &err));
    assert_int_equal(err.offset, 112);
}

static void test_text(void **state)
{
    mtm_error err = {0};
    mtm_text t = {0};
    size_t used;
    int64_t i;
    double d;
    char *s;

    assert_true(mtm_text_i64("  -42,7", 7, &i, &used));
    assert_int_equal(i, -42);
    assert_int_equal(used, 5);
    assert_false(mtm_text_i64("99999999999999999999", 20, &i, NULL));
    assert_false(mtm_text_f64("   ", 3, &d, NULL));
    assert_true(mtm_text_f64("1.5e3", 5, &d, NULL));
    assert_true(d == 1500);
    mtm_text_add_json(&t, "a\"\\\n");
    mtm_text_add_f64(&t, 0.1);
    mtm_text_add_f64(&t, NAN);
    assert_ok(mtm_text_take(&t, &s, &err));
    assert_string_equal(s, "\"a\\\"\\\\\\u000a\"0.1null");
    mtm_free(s);
}

static void test_hash(void **state)
{
    /* Values of the xxHash specification's own sanity test: XXH64 of "" and of "abc". */
    assert_true(mtm_hash64("", 0, 0) == 0xEF46DB3751D8E999ull);
    assert_true(mtm_hash64("abc", 3, 0) == 0x44BC2CF5AD770999ull);
}

static void test_philox(void **state)
{
    /* Known answers of the Random123 distribution, philox4x32-10. */
    uint32_t out[4];

    mtm_philox(0, (uint32_t[]){0, 0, 0, 0}, out);
    assert_true(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c && out[3] == 0x9b00dbd8);
    mtm_philox(UINT64_MAX, (uint32_t[]){~0u, ~0u, ~0u, ~0u}, out);
    assert_true(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 && out[3] == 0x6d5451fd);
    mtm_philox(0x299f31d0a4093822ull, (uint32_t[]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, out);
    assert_true(out[0] == 0xd16cfe09 && out[1] == 0x94fdcceb && out[2] == 0x5001e420 && out[3] == 0x24126ea1);
}

static void test_bounded(void **state)
{
    mtm_rng r = mtm_rng_at(5, 1, 2, 3);
    int seen[7] = {0};
    int64_t items[100];

    for (int i = 0; i < 7000; i++)
        seen[mtm_rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
    assert_int_equal(mtm_rng_below(&r, 1), 0);
    for (int i = 0; i < 100; i++)
        items[i] = i;
    mtm_rng_shuffle(1, 0, items, 100);
    bool moved = false, present[100] = {0};
    for (int i = 0; i < 100; i++)
        present[items[i]] = true, moved = moved || items[i] != i;
    assert_true(moved);
    for (int i = 0; i < 100; i++)
        assert_true(present[i]);
}

static void test_buffers(void **state)
{
    mtm_error err = {0};
    mtm_recycler *r;
    mtm_buffer *a, *b;
    void *first;

    assert_ok(mtm_recycler_new(&r, 1 << 20, &err));
    assert_ok(mtm_recycler_get(&a, r, 100000, &err));
    first = mtm_buffer_data(a);
    assert_true((uintptr_t)first % 64 == 0);
    mtm_buffer_unref(mtm_buffer_ref(a));
    mtm_buffer_unref(a);
    assert_ok(mtm_recycler_get(&b, r, 99000, &err));
    assert_ptr_equal(mtm_buffer_data(b), first); /* came home, was given again */
    assert_int_equal(mtm_buffer_size(b), 99000);
    mtm_recycler_free(r); /* before its last buffer: allowed */
    memset(mtm_buffer_data(b), 1, 99000);
    mtm_buffer_unref(b);
}

static void test_failing_allocation(void **state)
{
    mtm_error err = {0};
    mtm_buffer *b;
    int64_t n = 0;

    for (; n < 10; n++) {
        mtm_mem_fail_after(n);
        const mtm_status s = mtm_buffer_new(&b, 1000, &err);
        mtm_mem_fail_after(-1);
        if (s == MTM_OK)
            break;
        assert_int_equal(s, MTM_E_NOMEM);
    }
    assert_int_equal(n, 2);
    mtm_buffer_unref(b);
}

typedef struct sum {
    atomic_llong total;
    mtm_pool *pool;
} sum;

static void add_range(void *arg, int64_t lo, int64_t hi)
{
    sum *const s = arg;

    for (int64_t i = lo; i < hi; i++)
        atomic_fetch_add(&s->total, i);
}

static void nested(void *arg, int64_t lo, int64_t hi)
{
    sum *const s = arg;

    for (; lo < hi; lo++)
        mtm_pool_for(s->pool, 100, 7, add_range, s, NULL, NULL);
}

static void test_pool(void **state)
{
    mtm_error err = {0};
    sum s = {0};

    for (int threads = 1; threads <= 5; threads += 2) {
        assert_ok(mtm_pool_new(&s.pool, threads, &err));
        assert_int_equal(mtm_pool_threads(s.pool), threads);
        atomic_store(&s.total, 0);
        assert_ok(mtm_pool_for(s.pool, 1000, 3, add_range, &s, NULL, &err));
        assert_int_equal(atomic_load(&s.total), 499500);
        atomic_store(&s.total, 0);
        assert_ok(mtm_pool_for(s.pool, 40, 1, nested, &s, NULL, &err)); /* waits inside tasks */
        assert_int_equal(atomic_load(&s.total), 40 * 4950);
        mtm_pool_free(s.pool);
    }
    assert_status(MTM_E_INVAL, mtm_pool_new(&s.pool, -1, &err));
}

static void add_one(void *arg)
{
    atomic_fetch_add((atomic_llong *)arg, 1);
}

static void test_pool_queue(void **state)
{
    mtm_error err = {0};
    mtm_group g = {0};
    atomic_llong n = 0;
    atomic_bool cancel = true;
    sum s = {0};
    mtm_pool *p;

    assert_ok(mtm_pool_new(&p, 2, &err));
    for (int i = 0; i < 2000; i++) /* more than the queue holds */
        assert_ok(mtm_pool_submit(p, i % 2 ? MTM_LANE_IO : MTM_LANE_COMPUTE, &g, add_one, &n, &err));
    mtm_pool_wait(p, &g);
    assert_int_equal(atomic_load(&n), 2000);
    assert_status(MTM_E_CANCELLED, mtm_pool_for(p, 100, 1, add_range, &s, &cancel, &err));
    assert_int_equal(atomic_load(&s.total), 0);

    const pid_t child = fork();
    if (child == 0)
        _exit(mtm_pool_submit(p, MTM_LANE_COMPUTE, NULL, add_one, &n, NULL) == MTM_E_INVAL ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    mtm_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_extent),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_philox),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_failing_allocation),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_pool_queue),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
