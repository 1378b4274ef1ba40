/* tests/unit/test_loader.c: order, shards, determinism over threads and prefetch, resuming, sampling, ragged fields, bad
 * items, wrong use.
 * SPDX-License-Identifier: Apache-2.0 */
#include "loader_set.h"

/* ---- what comes out ----------------------------------------------------------------------------------- */

static void test_plain(void **state)
{
    data_set *const d = data_new();
    mtm_loader_options o = options();
    mtm_loader *l;
    mtm_batch *b;

    o.shuffle = false;
    l = loader_new(d, NULL, &o);
    assert_int_equal(mtm_loader_batches(l), 4);
    for (int k = 0; k < 4; k++) {
        b = next(l);
        assert_int_equal(b->n, k < 3 ? 3 : 2);
        assert_int_equal(b->number, k);
        assert_int_equal(b->fields[0].array.ndim, 5);
        assert_int_equal(b->fields[0].array.shape[0], b->n);
        assert_int_equal(b->fields[0].array.shape[1], 1);
        assert_int_equal(b->fields[0].array.shape[4], X);
        assert_int_equal(b->fields[0].array.dtype, MTM_F32);
        assert_int_equal(b->fields[1].array.dtype, MTM_U8);
        for (int i = 0; i < b->n; i++) {
            const char *const at = b->fields[0].array.data;

            assert_int_equal(b->index[i], 3 * k + i);
            assert_memory_equal(at + (size_t)i * sizeof d->image[0], d->image[3 * k + i], sizeof d->image[0]);
            assert_int_equal(((int64_t *)b->fields[2].array.data)[i], 40 + 3 * k + i);
        }
        mtm_batch_release(b);
    }
    assert_null(next(l));
    b = next(l);
    assert_int_equal(b->epoch, 1); /* the next epoch begins by itself */
    mtm_batch_release(b);
    mtm_loader_free(l);
    free(d);
}

static void test_any_threads(void **state)
{
    static const int threads[] = {1, 2, 3, 7}, prefetch[] = {1, 2, 5};
    data_set *const d = data_new();
    mtm_chain *const c = chain_new();
    uint64_t first[3] = {0};

    for (int t = 0; t < 4; t++)
        for (int p = 0; p < 3; p++)
            for (int cached = 0; cached < 3; cached++) { /* none, all, room for a few items */
                mtm_loader_options o = options();
                mtm_loader *l;

                o.threads = threads[t], o.prefetch = prefetch[p];
                o.cache_bytes = cached == 0 ? 0 : cached == 1 ? 1 << 20 : 20000;
                l = loader_new(d, c, &o);
                for (int e = 0; e < 3; e++) {
                    const uint64_t h = epoch_digest(l, NULL);

                    first[e] = first[e] ? first[e] : h;
                    assert_true(h == first[e]);
                }
                mtm_loader_free(l);
            }
    assert_true(first[0] != first[1] && first[1] != first[2]);
    mtm_chain_free(c);
    free(d);
}

static void test_eager_equals_loader(void **state)
{
    data_set *const d = data_new();
    mtm_chain *const c = chain_new();
    const mtm_loader_options o = options();
    mtm_loader *const l = loader_new(d, c, &o);
    mtm_error err = {0};
    mtm_pool *pool;
    mtm_exec *x;

    assert_ok(mtm_pool_new(&pool, 3, &err));
    assert_ok(mtm_exec_new(&x, pool, NULL, &err));
    for (mtm_batch *b; (b = next(l)); mtm_batch_release(b))
        for (int32_t i = 0; i < b->n; i++) {
            mtm_array out[3];
            double affines[48];

            assert_ok(mtm_chain_run(c, x, &d->items[b->index[i]], NULL, o.seed, b->epoch, b->index[i], out,
                                    affines, &err));
            assert_memory_equal(affines, b->affines + (size_t)i * 48, 32 * sizeof(double));
            for (int f = 0; f < 2; f++) {
                const size_t size = (size_t)mtm_array_count(&out[f]) * mtm_dtype_size(out[f].dtype);

                assert_int_equal(out[f].dtype, b->fields[f].array.dtype);
                assert_memory_equal(out[f].data, (char *)b->fields[f].array.data + (size_t)i * size, size);
            }
            assert_int_equal(*(int64_t *)out[2].data, 40 + b->index[i]);
            for (int f = 0; f < 3; f++)
                mtm_array_drop(&out[f]);
        }
    mtm_exec_free(x);
    mtm_pool_free(pool);
    mtm_loader_free(l);
    mtm_chain_free(c);
    free(d);
}

static void test_seek(void **state)
{
    data_set *const d = data_new();
    mtm_chain *const c = chain_new();
    const mtm_loader_options o = options();
    mtm_loader *const l = loader_new(d, c, &o);
    mtm_error err = {0};
    uint64_t want[2][4];
    mtm_batch *b;

    for (int e = 0; e < 2; e++) {
        for (int k = 0; (b = next(l)); k++) {
            want[e][k] = digest(b, 0);
            mtm_batch_release(b);
        }
    }
    for (int e = 1; e >= 0; e--)
        for (int k = 3; k >= 0; k--) {
            assert_ok(mtm_loader_seek(l, e, k, &err));
            b = next(l);
            assert_int_equal(b->epoch, e);
            assert_true(digest(b, 0) == want[e][k]);
            mtm_batch_release(b);
        }
    assert_ok(mtm_loader_seek(l, 0, 4, &err));
    assert_null(next(l));
    assert_status(MTM_E_INVAL, mtm_loader_seek(l, 0, 5, &err));
    assert_status(MTM_E_INVAL, mtm_loader_seek(l, -1, 0, &err));
    mtm_loader_free(l);
    mtm_chain_free(c);
    free(d);
}

static void test_shards(void **state)
{
    data_set *const d = data_new();

    for (int drop = 0; drop < 2; drop++) {
        int seen[N] = {0}, total = 0, length = -1;

        for (int rank = 0; rank < 3; rank++) {
            mtm_loader_options o = options();
            int samples = 0;

            o.rank = rank, o.world = 3, o.batch_size = 1, o.drop_last = drop;
            mtm_loader *const l = loader_new(d, NULL, &o);
            for (mtm_batch *b; (b = next(l)); mtm_batch_release(b), samples++)
                seen[b->index[0]]++;
            assert_true(length < 0 || samples == length);
            length = samples;
            total += samples;
            mtm_loader_free(l);
        }
        assert_int_equal(length, drop ? 3 : 4); /* of 11: 9 without the tail, 12 with one item twice */
        for (int i = 0; i < N; i++) {
            assert_true(seen[i] <= 2 && (drop || seen[i] >= 1));
            total -= seen[i];
        }
        assert_int_equal(total, 0);
    }
    free(d);
}

/* How often each item comes in an epoch of all shards and parts; every sample number once. */
static int64_t count_items(const data_set *d, mtm_loader_options o, int64_t epoch, int count[N])
{
    int64_t total = 0, length = -1;

    memset(count, 0, N * sizeof *count);
    for (o.rank = 0; o.rank < o.world; o.rank++) {
        int64_t samples = 0;

        for (o.part = 0; o.part < o.parts; o.part++) {
            mtm_error err = {0};
            mtm_loader *const l = loader_new(d, NULL, &o);

            assert_ok(mtm_loader_seek(l, epoch, 0, &err));
            for (mtm_batch *b; (b = next(l)); mtm_batch_release(b))
                for (int i = 0; i < b->n; i++, samples++) {
                    assert_true(b->index[i] / N < o.world + 9);
                    count[b->index[i] % N]++;
                }
            mtm_loader_free(l);
        }
        assert_true(length < 0 || samples == length);
        length = samples;
        total += samples;
    }
    return total;
}

static void test_sampling(void **state)
{
    static const int64_t classes[N] = {0, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0}; /* 8, 2, 1 */
    static const double weights[N] = {0, 1, 0, 3};
    static const struct {
        mtm_sampling sampling;
        int total, least[3], most[3];
    } cases[] = {{MTM_SAMPLE_ALL, 11, {8, 2, 1}, {8, 2, 1}},
                 {MTM_SAMPLE_EQUAL, 11, {3, 3, 3}, {4, 4, 4}},
                 {MTM_SAMPLE_UNDER, 3, {1, 1, 1}, {1, 1, 1}},
                 {MTM_SAMPLE_OVER, 24, {8, 8, 8}, {8, 8, 8}}};
    data_set *const d = data_new();
    mtm_loader_options o = options();
    int count[N];

    o.classes = classes, o.weights = weights, o.parts = 2;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int64_t epoch = 0; epoch < 4; epoch++) {
            int of[3] = {0};

            o.sampling = cases[k].sampling;
            assert_int_equal(count_items(d, o, epoch, count), cases[k].total);
            for (int i = 0; i < N; i++)
                of[classes[i]] += count[i];
            for (int c = 0; c < 3; c++)
                assert_in_range(of[c], cases[k].least[c], cases[k].most[c]);
            for (int i = 0; i < N && cases[k].sampling == MTM_SAMPLE_OVER; i++)
                assert_true(count[i] >= 1 && (classes[i] != 1 || count[i] == 4));
        }
    o.sampling = MTM_SAMPLE_WEIGHTED;
    assert_int_equal(count_items(d, o, 1, count), N);
    for (int i = 0; i < N; i++)
        assert_true(weights[i] > 0 || count[i] == 0);
    o.sampling = MTM_SAMPLE_OVER, o.world = 3,
    o.batch_size = 2; /* shards are as long as each other, and make up the epoch */
    assert_int_equal(count_items(d, o, 0, count), 24);
    free(d);
}

static void test_bad_sampling(void **state)
{
    static const int64_t beyond[N] = {0, 1, N}, gap[N] = {0, 2};
    static const double negative[N] = {1, -1}, none[N] = {0}, nan[N] = {NAN};
    const struct {
        int32_t sampling;
        const int64_t *classes;
        const double *weights;
    } cases[] = {{MTM_SAMPLE_OVER, beyond, NULL},       {MTM_SAMPLE_OVER, gap, NULL},
                 {MTM_SAMPLE_EQUAL, NULL, NULL},        {MTM_SAMPLE_WEIGHTED, NULL, NULL},
                 {MTM_SAMPLE_WEIGHTED, NULL, negative}, {MTM_SAMPLE_WEIGHTED, NULL, none},
                 {MTM_SAMPLE_WEIGHTED, NULL, nan},      {17, NULL, NULL}};
    data_set *const d = data_new();

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        mtm_loader_options o = options();
        mtm_error err = {0};
        mtm_loader *l;

        o.sampling = cases[k].sampling, o.classes = cases[k].classes, o.weights = cases[k].weights;
        assert_status(MTM_E_INVAL, mtm_loader_new(&l, d->items, N, NULL, &o, &err));
    }
    free(d);
}

static void test_several_crops(void **state)
{
    data_set *const d = data_new();
    mtm_chain *const c = chain_new();
    uint64_t first = 0;

    for (int cached = 0; cached < 2; cached++)
        for (int threads = 1; threads < 4; threads++) {
            mtm_loader_options o = options();

            o.samples_per_item = 5, o.threads = threads, o.cache_bytes = cached ? 1 << 20 : 0;
            mtm_loader *const l = loader_new(d, c, &o);
            int64_t last = -1;
            uint64_t h = 1;

            assert_int_equal(mtm_loader_batches(l), (N * 5 + 2) / 3);
            for (mtm_batch *b; (b = next(l)); mtm_batch_release(b)) {
                h = digest(b, h);
                for (int i = 0; i < b->n; i++, last = b->index[i - 1])
                    assert_true(last < 0 || last % 5 == 4 || b->index[i] == last + 1);
            }
            first = first ? first : h;
            assert_true(first == h);
            mtm_loader_free(l);
        }
    mtm_chain_free(c);
    free(d);
}

/* ---- shapes and bad items ----------------------------------------------------------------------------- */

static void test_ragged(void **state)
{
    data_set *const d = data_new();
    mtm_loader_options o = options();
    mtm_loader *l;
    mtm_batch *b;

    make_ragged(d);
    o.shuffle = false;
    l = loader_new(d, NULL, &o);
    b = next(l);
    assert_true(b->fields[0].ragged);
    assert_false(b->fields[1].ragged);
    assert_null(b->fields[0].array.data);
    for (int i = 0; i < 3; i++) {
        const mtm_array *const e = &b->fields[0].each[i];

        assert_int_equal(e->shape[1], Z - i);
        assert_memory_equal(e->data, d->image[i], (size_t)(Z - i) * Y * X * sizeof(float));
    }
    mtm_batch_release(b);
    mtm_loader_free(l);

    o.pad_ragged = 1, o.pad_value = -3.5;
    l = loader_new(d, NULL, &o);
    b = next(l);
    assert_false(b->fields[0].ragged);
    assert_int_equal(b->fields[0].array.shape[2], Z);
    for (int i = 0; i < 3; i++) {
        const float *const v = (float *)b->fields[0].array.data + (size_t)i * VOXELS;

        assert_memory_equal(v, d->image[i], (size_t)(Z - i) * Y * X * sizeof(float));
        for (int k = (Z - i) * Y * X; k < VOXELS; k++)
            assert_true(v[k] == -3.5f);
    }
    mtm_batch_release(b);
    mtm_loader_free(l);
    free(d);
}

/* A batch has one dtype per field. */
static void test_mixed_dtypes(void **state)
{
    data_set *const d = data_new();
    mtm_loader_options o = options();
    int16_t image[VOXELS], label[VOXELS];
    mtm_loader *l;
    mtm_batch *b;

    for (int v = 0; v < VOXELS; v++)
        image[v] = (int16_t)(v - 500), label[v] = (int16_t)(v % 7);
    d->fields[1][0].array = mtm_array_wrap(image, MTM_I16, 3, (int64_t[]){Z, Y, X});
    d->fields[1][1].array = mtm_array_wrap(label, MTM_I16, 3, (int64_t[]){Z, Y, X});
    o.shuffle = false;
    l = loader_new(d, NULL, &o);
    b = next(l);
    assert_int_equal(b->fields[0].array.dtype, MTM_F32);
    assert_int_equal(b->fields[1].array.dtype, MTM_I32);
    for (int v = 0; v < VOXELS; v++) {
        assert_true(((float *)b->fields[0].array.data)[VOXELS + v] == image[v]);
        assert_int_equal(((int32_t *)b->fields[1].array.data)[VOXELS + v], label[v]);
        assert_int_equal(((int32_t *)b->fields[1].array.data)[v], d->label[0][v]);
    }
    mtm_batch_release(b);
    mtm_loader_free(l);
    free(d);
}

static void test_bad_item(void **state)
{
    data_set *const d = data_new();
    mtm_loader_options o = options();
    mtm_loader_stats stats;
    mtm_error err = {0};
    mtm_loader *l;
    mtm_batch *b;

    o.shuffle = false;
    for (int i = 0; i < N; i++)
        d->fields[i][0] = d->fields[i][0];
    d->fields[4][0] = (mtm_field){.name = "image", .kind = MTM_FIELD_IMAGE, .uri = "/nowhere/t1.nii.gz"};
    l = loader_new(d, NULL, &o);
    mtm_batch_release(next(l));
    for (int twice = 0; twice < 2; twice++) { /* it stays where it failed */
        err = (mtm_error){0};
        assert_status(MTM_E_NOTFOUND, mtm_loader_next(l, -1, &b, NULL, &err));
        assert_string_equal(err.where, "/nowhere/t1.nii.gz");
    }
    assert_ok(mtm_loader_seek(l, 0, 2, &err));
    b = next(l);
    assert_int_equal(b->index[0], 6);
    mtm_batch_release(b);
    mtm_loader_free(l);

    o.skip_bad = true;
    l = loader_new(d, NULL, &o);
    mtm_batch_release(next(l));
    b = next(l);
    assert_int_equal(b->n, 2);
    assert_int_equal(b->index[0], 3);
    assert_int_equal(b->index[1], 5);
    assert_memory_equal((float *)b->fields[0].array.data + VOXELS, d->image[5], sizeof d->image[5]);
    mtm_batch_release(b);
    mtm_loader_stats_get(l, &stats);
    assert_int_equal(stats.skipped, 1);
    assert_int_equal(stats.samples, 5);
    assert_non_null(strstr(stats.last_skip, "t1.nii.gz"));
    mtm_loader_free(l);
    free(d);
}

/* Fails while running, after the batch was laid out: one voxel is NaN, and becomes an integer. */
static mtm_status poison(void *user, const mtm_array *in, mtm_array *out, mtm_error *err)
{
    const float first = *(const float *)in->data;

    if (first == *(const float *)user)
        return mtm_fail(err, MTM_E_CORRUPT, 17, "this one is poisoned");
    MTM_TRY(mtm_array_new(out, MTM_F32, in->ndim, in->shape, NULL, err));
    return mtm_array_convert(out, in, 2, 0, NULL, err);
}

static void test_foreign_function(void **state)
{
    data_set *const d = data_new();
    mtm_loader_options o = options();
    mtm_error err = {0};
    mtm_chain *c;
    mtm_loader *l;
    mtm_batch *b;

    o.shuffle = false;
    assert_ok(mtm_chain_new(&c, &err));
    assert_ok(mtm_chain_add_apply(c, poison, d->image[7], NULL, NULL, 0, &err));
    l = loader_new(d, c, &o);
    b = next(l);
    for (int v = 0; v < VOXELS; v++)
        assert_true(((float *)b->fields[0].array.data)[v] == 2 * d->image[0][v]);
    assert_memory_equal(b->fields[1].array.data, d->label[0], VOXELS); /* no image: left alone */
    mtm_batch_release(b);
    mtm_batch_release(next(l));
    assert_status(MTM_E_CORRUPT, mtm_loader_next(l, -1, &b, NULL, &err));
    assert_string_equal(err.where, "item 7");
    assert_non_null(strstr(err.text, "poisoned"));
    mtm_loader_free(l);
    mtm_chain_free(c);
    free(d);
}

static void test_wrong_use(void **state)
{
    data_set *const d = data_new();
    mtm_loader_options o = options();
    const char *const names[] = {"imgae"};
    mtm_error err = {0};
    mtm_chain *c;
    mtm_loader *l;

    o.batch_size = 0;
    assert_status(MTM_E_INVAL, mtm_loader_new(&l, d->items, N, NULL, &o, &err));
    o = options(), o.rank = 2, o.world = 2;
    assert_status(MTM_E_INVAL, mtm_loader_new(&l, d->items, N, NULL, &o, &err));
    o = options(), d->items[3].n_fields = 2;
    assert_status(MTM_E_INVAL, mtm_loader_new(&l, d->items, N, NULL, &o, &err));
    d->items[3].n_fields = 3;
    assert_ok(mtm_chain_new(&c, &err));
    assert_status(MTM_E_NOTFOUND, mtm_chain_add(c, "sclae", NULL, 0, NULL, 0, &err));
    assert_ok(mtm_chain_add(c, "scale", names, 1, NULL, 0, &err));
    assert_status(MTM_E_INVAL, mtm_loader_new(&l, d->items, N, c, &o, &err));
    assert_non_null(strstr(err.text, "imgae"));
    assert_non_null(strstr(err.text, "scale"));
    mtm_chain_free(c);
    assert_ok(mtm_loader_new(&l, NULL, 0, NULL, &o, &err));
    assert_int_equal(mtm_loader_batches(l), 0);
    assert_null(next(l));
    mtm_loader_free(l);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_any_threads),
        cmocka_unit_test(test_eager_equals_loader),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_bad_sampling),
        cmocka_unit_test(test_several_crops),
        cmocka_unit_test(test_ragged),
        cmocka_unit_test(test_mixed_dtypes),
        cmocka_unit_test(test_bad_item),
        cmocka_unit_test(test_foreign_function),
        cmocka_unit_test(test_wrong_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
