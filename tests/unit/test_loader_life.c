/* tests/unit/test_loader_life.c: a loader's life: batches that are held, stopping, time-outs, fork, memory that runs out, what is cached and what
 * steady state allocates.
 * SPDX-License-Identifier: Apache-2.0 */
#include "loader_set.h"

/* ---- holding, stopping, failing ----------------------------------------------------------------------- */

static void test_held_batches(void **state)
{
    data_set *const d = data_new();
    mtm_chain *const c = chain_new();
    mtm_loader_options o = options();
    mtm_loader *const l = loader_new(d, c, &o);
    mtm_batch *held[4];
    uint64_t want[4];

    for (int k = 0; k < 4; k++)
        held[k] = next(l), want[k] = digest(held[k], 0);
    for (int e = 0; e < 3; e++)
        epoch_digest(l, NULL);
    mtm_loader_free(l); /* held batches outlive the loader */
    for (int k = 0; k < 4; k++) {
        assert_true(digest(held[k], 0) == want[k]);
        assert_string_equal(held[k]->fields[0].name, "image");
        mtm_batch_release(held[k]);
    }
    mtm_chain_free(c);
    free(d);
}

static mtm_status dawdle(void *user, const mtm_array *in, mtm_array *out, mtm_error *err)
{
    const struct timespec t = {.tv_nsec = 20000000};

    nanosleep(&t, NULL);
    MTM_TRY(mtm_array_new(out, MTM_F32, in->ndim, in->shape, NULL, err));
    return mtm_array_convert(out, in, 1, 0, NULL, err);
}

static void count_release(void *user)
{
    ++*(int *)user;
}

static void test_stop_and_timeout(void **state)
{
    data_set *const d = data_new();
    const mtm_loader_options o = options();
    mtm_error err = {0};
    int released = 0;
    mtm_chain *c;
    mtm_loader *l;
    mtm_batch *b;
    bool late;

    assert_ok(mtm_chain_new(&c, &err));
    assert_ok(mtm_chain_add_apply(c, dawdle, &released, count_release, NULL, 0, &err));
    l = loader_new(d, c, &o);
    assert_ok(mtm_loader_next(l, 1, &b, &late, &err));
    assert_true(late);
    assert_null(b);
    assert_ok(mtm_loader_seek(l, 3, 1, &err)); /* what is under way is dropped */
    b = next(l);
    assert_int_equal(b->epoch, 3);
    assert_int_equal(b->number, 1);
    mtm_batch_release(b);
    mtm_loader_free(l); /* in mid-epoch, workers busy */
    l = loader_new(d, c, &o);
    mtm_loader_free(l); /* never begun */
    mtm_chain_free(c);
    assert_int_equal(released, 1);
    free(d);
}

static void test_fork(void **state)
{
    data_set *const d = data_new();
    const mtm_loader_options o = options();
    mtm_loader *const l = loader_new(d, NULL, &o), *const fresh = loader_new(d, NULL, &o);
    pid_t child;
    int status;

    mtm_batch_release(next(l));
    child = fork();
    if (child == 0) { /* the workers are not here; a loader that has none yet works */
        mtm_error err = {0};
        mtm_batch *b = NULL;
        bool late;
        const bool refused = mtm_loader_next(l, 0, &b, &late, &err) == MTM_E_INVAL;
#ifdef __SANITIZE_THREAD__ /* refuses threads in a forked child */
        const bool works = true;
#else
        const bool works = mtm_loader_next(fresh, -1, &b, &late, &err) == MTM_OK && b;
#endif

        mtm_batch_release(b);
        mtm_loader_free(fresh);
        mtm_loader_free(l);
        _exit(refused && works ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    mtm_loader_free(fresh);
    mtm_loader_free(l);
    free(d);
}

/* Every allocation fails once; what is reported is a lack of memory, and nothing leaks (under ASan). */
static void test_failing_memory(void **state)
{
    data_set *const d = data_new();
    mtm_chain *const c = chain_new();
    mtm_loader_options o = options();
    bool done = false;

    o.threads = 1, o.cache_bytes = 1 << 20, o.samples_per_item = 2;
    make_ragged(d);
    for (int i = 0; i < N; i++)
        d->fields[i][1].array.shape[0] = Z - i % 3;
    for (int64_t n = 0; !done; n++) {
        mtm_error err = {0};
        mtm_loader *l = NULL;
        mtm_batch *b = NULL;
        mtm_status st;

        mtm_mem_fail_after(n);
        st = mtm_loader_new(&l, d->items, 4, c, &o, &err);
        for (int k = 0; !st && k < 3; k++) {
            st = mtm_loader_next(l, -1, &b, NULL, &err);
            if (!st)
                mtm_batch_release(b);
        }
        mtm_mem_fail_after(-1);
        mtm_loader_free(l);
        done = st == MTM_OK;
        if (!done && (st != MTM_E_NOMEM || err.code != MTM_E_NOMEM))
            fail_msg("allocation %d: %s (%s: %s)", (int)n, mtm_status_name(st), err.where, err.text);
        assert_true(n < 5000);
    }
    mtm_chain_free(c);
    free(d);
}

static void test_cache_counts(void **state)
{
    data_set *const d = data_new();
    mtm_chain *const c = chain_new();
    mtm_loader_options o = options();
    mtm_loader_stats stats;
    mtm_loader *l;

    o.cache_bytes = 5 * sizeof d->image[0]; /* five scaled images; the label maps stay the caller's */
    l = loader_new(d, c, &o);
    for (int e = 0; e < 3; e++)
        epoch_digest(l, NULL);
    mtm_loader_stats_get(l, &stats);
    assert_int_equal(stats.samples, 3 * N);
    assert_int_equal(stats.cache_hits, 2 * 5);
    assert_int_equal(stats.cache_bytes, o.cache_bytes);
    assert_true(stats.bound_bytes >= stats.cache_bytes);
    assert_int_equal(stats.bytes_delivered, 3 * N * (4 * 5 * 6 * 5 + 8));
    mtm_loader_free(l);
    mtm_chain_free(c);
    free(d);
}

/* After the first epochs nothing is allocated. */
static void test_steady_state(void **state)
{
    data_set *const d = data_new();
    mtm_chain *const c = chain_new();
    mtm_loader_options o = options();
    mtm_loader *l;
    int64_t made;

    o.threads = 1;
    l = loader_new(d, c, &o);
    for (int e = 0; e < 4; e++)
        epoch_digest(l, NULL);
    mtm_mem_fail_after(-1);
    for (int e = 0; e < 3; e++)
        epoch_digest(l, NULL);
    made = mtm_mem_fail_after(-1);
    assert_true(made <= 3 * N); /* an operator may take a little for its statistics */
    mtm_loader_free(l);
    mtm_chain_free(c);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_batches), cmocka_unit_test(test_stop_and_timeout),
        cmocka_unit_test(test_fork),         cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_cache_counts), cmocka_unit_test(test_steady_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
