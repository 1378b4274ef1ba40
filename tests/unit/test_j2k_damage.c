/* tests/unit/test_j2k_damage.c: what happens to cut and damaged streams of our encoder, to those that are there only in part,
 * and when memory is out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "j2k_pictures.h"

/* ---- cut and damaged streams -------------------------------------------------------------------------- */

/* For each kind. A decode takes some 30 times as long under ThreadSanitizer. */
#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__
enum { CUTS = 40, CHANGES = 50 };
#else
enum { CUTS = 400, CHANGES = 400 };
#endif

/* Cut anywhere: an error, or partially a picture that is said to be incomplete. */
static void test_truncation(void **state)
{
    for (int i = 0; i < N_KINDS; i++) {
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);
        const size_t header = i < 2 ? 200 : 0; /* of two streams every byte of the headers */

        for (size_t n = 0; n < b.size_bytes - 2; /* EOC may be missing */
             n += n < header ? 1 : b.size_bytes / CUTS + 1) {
            MTM_AUTO_MEM uint8_t *cut =
                mtm_alloc(n); /* of just this size, so that ASan sees a step too far */
            mtm_decode_params q = defaults();
            mtm_decode_report report;
            mtm_array a = {0};
            mtm_error err = {0};

            memcpy(cut, b.data, n);
            assert_true(mtm_decode(NULL, cut, n, NULL, &a, &err) < 0);
            q.partial = true, q.report = &report;
            if (mtm_decode(NULL, cut, n, &q, &a, &err) == MTM_OK) {
                assert_false(report.complete);
                assert_int_equal(a.shape[0], p.a.shape[0]);
                mtm_array_drop(&a);
            }
        }
        mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
}

/* A prefix of an RPCL stream holds its low resolutions whole. */
static void test_prefix_holds_resolutions(void **state)
{
    picture p = make(256, 256, 1, 12, false);
    mtm_bytes b = encode(&p, NULL);
    mtm_decode_params q = defaults();
    mtm_decode_report report;
    mtm_array whole, part;
    size_t n = b.size_bytes;
    int32_t best = 0;

    q.partial = true, q.report = &report;
    while (n > b.size_bytes / 16) {
        mtm_bytes cut = {.data = b.data, .size_bytes = n};

        n = n * 2 / 3, q.reduce = 0;
        part = decode(NULL, &cut, &q);
        mtm_array_drop(&part);
        if (report.levels < 0)
            break;
        best = report.levels > best ? report.levels : best;
        q.reduce = report.levels;
        part = decode(NULL, &cut, &q);
        assert_true(report.complete);
        whole = decode(NULL, &b, &q);
        assert_same(&part, &whole);
        mtm_array_drop(&part), mtm_array_drop(&whole);
    }
    assert_true(best > 0);
    mtm_array_drop(&p.a), mtm_bytes_drop(&b);
}

/* With nothing but the bytes that mtm_j2k_plan names, the part that it was asked for is the same. */
static void test_present_bytes(void **state)
{
    for (int i = 0; i < N_KINDS; i++) {
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);

        for (int reduce = 0; reduce <= kinds[i].levels; reduce++) {
            mtm_decode_params q = defaults();
            MTM_AUTO_MEM uint8_t *sparse = mtm_alloc(b.size_bytes);
            mtm_bytes part = {.data = sparse, .size_bytes = b.size_bytes};
            mtm_j2k_ranges *ranges;
            mtm_error err = {0};
            mtm_array want, got;

            q.reduce = reduce, q.has_region = p.a.shape[0] > 40 && p.a.shape[1] > 40 && reduce < 3;
            memcpy(q.region, (const int64_t[4]){1, 4, 2, 5}, sizeof q.region);
            want = decode(NULL, &b, &q);
            assert_ok(mtm_j2k_plan(&ranges, b.data, b.size_bytes, b.size_bytes, &q, &err));
            memset(sparse, 0xFF, b.size_bytes);
            for (int64_t k = 0; k < ranges->n; k++)
                memcpy(sparse + ranges->ranges[k].offset, b.data + ranges->ranges[k].offset,
                       ranges->ranges[k].size_bytes);
            q.present = ranges->ranges, q.n_present = ranges->n;
            got = decode(NULL, &part, &q);
            assert_same(&got, &want);
            mtm_array_drop(&got), mtm_array_drop(&want);
            mtm_j2k_ranges_free(ranges);
        }
        mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
}

/* Any changed byte: an error or a picture; the same with partial decoding, whose shape is right. */
static void test_changed_bytes(void **state)
{
    for (int i = 0; i < N_KINDS; i++) {
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);
        mtm_limits small = mtm_limits_default();

        small.max_bytes = 1 << 20;
        for (uint32_t t = 0; t < CHANGES; t++) {
            const size_t at = noise(11, t) % (t % 2 ? b.size_bytes : b.size_bytes < 200 ? b.size_bytes : 200);
            const uint8_t before = b.data[at];
            mtm_decode_params q = defaults();
            mtm_array a = {0};

            b.data[at] = (uint8_t)noise(12, t);
            q.partial = t & 4, q.limits = &small;
            if (mtm_decode(NULL, b.data, b.size_bytes, &q, &a, NULL) == MTM_OK)
                mtm_array_drop(&a);
            b.data[at] = before;
        }
        mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
}

/* ---- out of memory ------------------------------------------------------------------------------------ */

/* The n-th allocation fails, for all n until none does. Threads make their number vary, so with a pool it is enough that the
 * outcome is one of two. */
static void fail_allocations(const picture *p, const mtm_bytes *b, mtm_pool *pool)
{
    for (int64_t n = 0;; n++) {
        mtm_decode_params q = defaults();
        mtm_array a = {0};
        mtm_error err = {0};
        mtm_status s;

        q.pool = pool;
        mtm_mem_fail_after(n);
        s = mtm_decode(NULL, b->data, b->size_bytes, &q, &a, &err);
        mtm_mem_fail_after(-1);
        if (s == MTM_OK) {
            assert_same(&a, &p->a);
            mtm_array_drop(&a);
            break;
        }
        assert_int_equal(s, MTM_E_NOMEM);
    }
}

static void test_allocation_failures(void **state)
{
    mtm_error err = {0};
    mtm_pool *pool;

    assert_ok(mtm_pool_new(&pool, 3, &err));
    for (int i = 0; i < N_KINDS; i++) {
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);

        fail_allocations(&p, &b, NULL);
        fail_allocations(&p, &b, pool);
        mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
    mtm_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncation),          cmocka_unit_test(test_prefix_holds_resolutions),
        cmocka_unit_test(test_present_bytes),       cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_allocation_failures),
    };

    return cmocka_run_group_tests_name("j2k_damage", tests, NULL, NULL);
}
