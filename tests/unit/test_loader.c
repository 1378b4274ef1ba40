/* tests/unit/test_loader.c: order, shards, determinism over threads and prefetch, resuming, the cache, ragged fields, bad
 * items, held batches, stopping, failing memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/rng.h"
#include "microtome/load.h"

/* ---- a small data set in memory ------------------------------------------------------------------------- */

enum { N = 11, Z = 9, Y = 10, X = 13, VOXELS = Z * Y * X };

typedef struct data_set {
    float image[N][VOXELS];
    uint8_t label[N][VOXELS];
    mtm_field fields[N][3];
    mtm_item items[N];
} data_set;

static data_set *data_new(void)
{
    data_set *const d = calloc(1, sizeof *d);
    const int64_t shape[3] = {Z, Y, X};

    for (int i = 0; i < N; i++) {
        mtm_rng r = mtm_rng_at(7, 0, i, 0);

        for (int v = 0; v < VOXELS; v++) {
            d->image[i][v] = mtm_rng_uniform(&r) * 100;
            d->label[i][v] = (uint8_t)mtm_rng_below(&r, 3);
        }
        d->fields[i][0] = (mtm_field){.name = "image",
                                      .kind = MTM_FIELD_ARRAY,
                                      .array = mtm_array_wrap(d->image[i], MTM_F32, 3, shape)};
        d->fields[i][1] = (mtm_field){
            .name = "label", .kind = MTM_FIELD_ARRAY, .array = mtm_array_wrap(d->label[i], MTM_U8, 3, shape)};
        d->fields[i][2] =
            (mtm_field){.name = "age", .kind = MTM_FIELD_NUMBER, .number = 40 + i, .integer = true};
        d->items[i] = (mtm_item){.fields = d->fields[i], .n_fields = 3};
    }
    return d;
}

static mtm_arg number(const char *name, const double *v, int n)
{
    return (mtm_arg){.name = name, .kind = MTM_ARG_NUMBERS, .n = n, .scalar = n == 1, .numbers = v};
}

/* scale, then a crop, a flip and noise. */
static mtm_chain *chain_new(void)
{
    static const double size[3] = {4, 5, 6}, half = 0.5, sigma[2] = {0.1, 0.2}, one = 1;
    const mtm_arg crop[] = {number("size", size, 3)}, flip[] = {number("p", &half, 1)},
                  noise[] = {number("sigma", sigma, 2), number("p", &one, 1)};
    mtm_error err = {0};
    mtm_chain *c;

    assert_ok(mtm_chain_new(&c, &err));
    assert_ok(mtm_chain_add(c, "scale", NULL, 0, NULL, 0, &err));
    assert_ok(mtm_chain_add(c, "random_crop", NULL, 0, crop, 1, &err));
    assert_ok(mtm_chain_add(c, "random_flip", NULL, 0, flip, 1, &err));
    assert_ok(mtm_chain_add(c, "random_gaussian_noise", NULL, 0, noise, 2, &err));
    return c;
}

static mtm_loader_options options(void)
{
    mtm_loader_options o = mtm_loader_options_default();

    o.batch_size = 3, o.shuffle = true, o.seed = 42, o.threads = 2;
    return o;
}

static mtm_loader *loader_new(const data_set *d, const mtm_chain *c, const mtm_loader_options *o)
{
    mtm_error err = {0};
    mtm_loader *l;

    assert_ok(mtm_loader_new(&l, d->items, N, c, o, &err));
    return l;
}

static mtm_batch *next(mtm_loader *l)
{
    mtm_error err = {0};
    mtm_batch *b;
    bool late;

    assert_ok(mtm_loader_next(l, -1, &b, &late, &err));
    assert_false(late);
    return b;
}

/* All that a batch says, in one number. */
static uint64_t digest(const mtm_batch *b, uint64_t h)
{
    h = mtm_hash64(b->index, (size_t)b->n * sizeof *b->index, h + (uint64_t)b->number);
    h = mtm_hash64(b->affines, (size_t)b->n * (size_t)b->n_fields * 16 * sizeof(double), h);
    for (int32_t f = 0; f < b->n_fields; f++) {
        const mtm_array *const a = &b->fields[f].array;

        for (int32_t i = 0; b->fields[f].ragged && i < b->n; i++) {
            const mtm_array *const e = &b->fields[f].each[i];
            h = mtm_hash64(e->data, (size_t)mtm_array_count(e) * mtm_dtype_size(e->dtype), h);
        }
        if (a->data)
            h = mtm_hash64(a->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype), h);
    }
    return h;
}

/* The rest of an epoch. */
static uint64_t epoch_digest(mtm_loader *l, int *batches)
{
    uint64_t h = 1;
    int n = 0;

    for (mtm_batch *b; (b = next(l)); n++) {
        h = digest(b, h);
        mtm_batch_release(b);
    }
    if (batches)
        *batches = n;
    return h;
}

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

static void make_ragged(data_set *d)
{
    for (int i = 0; i < N; i++)
        d->fields[i][0].array.shape[0] = Z - i % 3;
}

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
        cmocka_unit_test(test_held_batches),
        cmocka_unit_test(test_stop_and_timeout),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_cache_counts),
        cmocka_unit_test(test_steady_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
