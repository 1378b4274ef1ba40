/* tests/unit/test_j2k_decode.c: decoding by its own laws, on streams of our encoder: lossless round trips, a region is a crop, a
 * batch is a loop, rows are the whole, threads and processors change nothing; and what happens to wrong arguments. Damaged
 * streams are test_j2k_damage.c's, foreign ones tests/py's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "j2k_pictures.h"

/* ---- whole pictures ----------------------------------------------------------------------------------- */

static void test_round_trip(void **state)
{
    for (int i = 0; i < N_KINDS; i++) {
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);
        mtm_array a = decode(NULL, &b, NULL);

        assert_same(&a, &p.a);
        mtm_array_drop(&a), mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
}

/* Any region of any reduction is the same as that part of the whole; with and without a pool. */
static void test_region_is_crop(void **state)
{
    mtm_codec_ctx *ctx;
    mtm_error err = {0};

    assert_ok(mtm_codec_ctx_new(&ctx, &err));
    for (int i = 0; i < N_KINDS; i++) {
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);

        for (int reduce = 0; reduce <= kinds[i].levels; reduce++) {
            mtm_decode_params q = defaults();
            mtm_array whole;

            q.reduce = reduce;
            whole = decode(ctx, &b, &q);
            q.has_region = true;
            for (uint32_t t = 0; t < 12; t++) {
                const int64_t h = whole.shape[0], w = whole.shape[1];
                mtm_array part;

                if (h == 0 || w == 0)
                    break;
                q.region[0] = noise(1, t) % h,
                q.region[1] = q.region[0] + 1 + noise(2, t) % (h - q.region[0]);
                q.region[2] = noise(3, t) % w,
                q.region[3] = q.region[2] + 1 + noise(4, t) % (w - q.region[2]);
                part = decode(ctx, &b, &q);
                assert_crop(&part, &whole, q.region);
                mtm_array_drop(&part);
            }
            mtm_array_drop(&whole);
        }
        mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
    mtm_codec_ctx_free(ctx);
}

static void test_reduce_beyond_levels(void **state)
{
    picture p;
    mtm_bytes b = encode_kind(&p, &kinds[0]);
    mtm_decode_params q = defaults();
    mtm_array a = {0};
    mtm_error err = {0};

    q.reduce = kinds[0].levels + 1;
    assert_status(MTM_E_INVAL, mtm_decode(NULL, b.data, b.size_bytes, &q, &a, &err));
    assert_non_null(strchr(err.text, '0' + kinds[0].levels)); /* names the maximum */
    mtm_array_drop(&p.a), mtm_bytes_drop(&b);
}

/* ---- the same by other ways --------------------------------------------------------------------------- */

typedef struct gathered {
    mtm_array a;
    int64_t next;
} gathered;

static mtm_status gather(void *user, const mtm_array *rows, int64_t y, mtm_error *err)
{
    gathered *const g = user;

    assert_int_equal(y, g->next);
    assert_int_equal(rows->shape[1], g->a.shape[1]);
    for (int64_t i = 0; i < rows->shape[0]; i++)
        memcpy((char *)g->a.data + (y + i) * g->a.stride[0], (const char *)rows->data + i * rows->stride[0],
               (size_t)g->a.stride[0]);
    g->next = y + rows->shape[0];
    return MTM_OK;
}

static void test_rows_are_the_whole(void **state)
{
    for (int i = 0; i < N_KINDS; i++) {
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);
        gathered g = {.a = decode(NULL, &b, NULL)};
        mtm_error err = {0};

        memset(g.a.data, 0xA5, (size_t)(g.a.shape[0] * g.a.stride[0]));
        assert_ok(mtm_decode_rows(NULL, b.data, b.size_bytes, NULL, gather, &g, &err));
        assert_int_equal(g.next, p.a.shape[0]);
        assert_same(&g.a, &p.a);
        mtm_array_drop(&g.a), mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
}

/* Also of a reduced region. */
static void test_rows_of_a_region(void **state)
{
    for (int i = 0; i < N_KINDS; i++) {
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);
        mtm_decode_params q = defaults();
        gathered g = {0};
        mtm_error err = {0};
        mtm_array part;

        q.reduce = kinds[i].levels > 1, q.has_region = true;
        memcpy(q.region, (const int64_t[4]){0, 1, 0, 1}, sizeof q.region);
        if (p.a.shape[0] > 30 && p.a.shape[1] > 30)
            memcpy(q.region, (const int64_t[4]){3, 20, 5, 19}, sizeof q.region);
        part = decode(NULL, &b, &q), g.a = decode(NULL, &b, &q);
        memset(g.a.data, 0xA5, (size_t)(g.a.shape[0] * g.a.stride[0]));
        assert_ok(mtm_decode_rows(NULL, b.data, b.size_bytes, &q, gather, &g, &err));
        assert_same(&g.a, &part);
        mtm_array_drop(&g.a), mtm_array_drop(&part), mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
}

static mtm_status refuse(void *user, const mtm_array *rows, int64_t y, mtm_error *err)
{
    err->code = MTM_E_CANCELLED;
    memcpy(err->text, "enough", 7);
    return MTM_E_CANCELLED;
}

static void test_sink_ends_decoding(void **state)
{
    picture p;
    mtm_bytes b = encode_kind(&p, &kinds[0]);
    mtm_error err = {0};

    assert_status(MTM_E_CANCELLED, mtm_decode_rows(NULL, b.data, b.size_bytes, NULL, refuse, NULL, &err));
    mtm_array_drop(&p.a), mtm_bytes_drop(&b);
}

/* Every processor tier, and any number of threads, gives the same bytes; lossy too. */
static void test_tiers_and_threads_agree(void **state)
{
    static const char *const tiers[] = {"0", "avx2", "avx512"};
    mtm_error err = {0};
    mtm_pool *pool;

    assert_ok(mtm_pool_new(&pool, 3, &err));
    for (int i = 0; i < 2 * N_KINDS; i++) {
        const kind *const k = &kinds[i / 2];
        mtm_encode_params e = mtm_encode_params_default();
        picture p = make(k->h, k->w, k->c, k->bits, k->is_signed);
        mtm_decode_params q = defaults();
        mtm_array first, a;
        mtm_bytes b;

        e.codec = k->codec, e.levels = k->levels, e.lossy = i & 1;
        memcpy(e.tile, k->tile, sizeof e.tile);
        b = encode(&p, &e);
        first = decode(NULL, &b, NULL);
        for (size_t t = 0; t < sizeof tiers / sizeof *tiers; t++) {
            setenv("MTM_CPU", tiers[t], 1);
            a = decode(NULL, &b, NULL);
            assert_same(&a, &first);
            mtm_array_drop(&a);
        }
        unsetenv("MTM_CPU");
        q.pool = pool;
        a = decode(NULL, &b, &q);
        assert_same(&a, &first);
        mtm_array_drop(&a), mtm_array_drop(&first), mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
    mtm_pool_free(pool);
}

/* A batch is a loop; a damaged frame is zeros and has its own status. */
static void test_batch(void **state)
{
    enum { N = 7, BAD = 4 };
    mtm_status statuses[N];
    mtm_error errors[N], err = {0};
    mtm_decode_params q = defaults();
    mtm_decode_report report;
    mtm_array dst = {0};
    mtm_span frames[N];
    mtm_bytes b[N];
    picture p[N];

    assert_ok(mtm_pool_new(&q.pool, 2, &err));
    for (int i = 0; i < N; i++) {
        p[i] = make(48, 40, 1, 9 + i % 2, false);
        put((char *)p[i].a.data + 2 * i, MTM_U16, i); /* so that frames differ */
        b[i] = encode(&p[i], NULL);
        frames[i] = (mtm_span){b[i].data, b[i].size_bytes};
    }
    assert_ok(mtm_decode_batch(NULL, frames, N, &q, &dst, NULL, NULL, &err));
    assert_int_equal(dst.shape[0], N);
    for (int i = 0; i < N; i++)
        assert_memory_equal((char *)dst.data + i * dst.stride[0], p[i].a.data, 48 * 40 * 2);
    frames[BAD].size_bytes /= 2;
    q.report = &report;
    assert_status(MTM_E_CORRUPT, mtm_decode_batch(NULL, frames, N, &q, &dst, NULL, NULL, &err));
    assert_false(report.complete);
    assert_ok(mtm_decode_batch(NULL, frames, N, &q, &dst, statuses, errors, &err));
    for (int i = 0; i < N; i++) {
        assert_int_equal(statuses[i], i == BAD ? MTM_E_CORRUPT : MTM_OK);
        for (int64_t k = 0; k < 48 * 40 && i == BAD; k++)
            assert_int_equal(get((char *)dst.data + i * dst.stride[0] + 2 * k, MTM_U16), 0);
        assert_int_equal(errors[i].text[0] != '\0', i == BAD);
    }
    mtm_array_drop(&dst);
    for (int i = 0; i < N; i++)
        mtm_array_drop(&p[i].a), mtm_bytes_drop(&b[i]);
    mtm_pool_free(q.pool);
}

/* A context that has seen a kind of frame allocates nothing for the next one. */
static void test_steady_state_allocates_nothing(void **state)
{
    for (int i = 0; i < N_KINDS; i++) {
        mtm_error err = {0};
        mtm_codec_ctx *ctx;
        mtm_array a;
        picture p;
        mtm_bytes b = encode_kind(&p, &kinds[i]);

        assert_ok(mtm_codec_ctx_new(&ctx, &err));
        a = decode(ctx, &b, NULL);
        for (int k = 0; k < 2; k++)
            assert_ok(mtm_decode(ctx, b.data, b.size_bytes, NULL, &a, &err));
        mtm_mem_fail_after(-1);
        assert_ok(mtm_decode(ctx, b.data, b.size_bytes, NULL, &a, &err));
        assert_int_equal(mtm_mem_fail_after(-1), 0);
        assert_same(&a, &p.a);
        mtm_array_drop(&a), mtm_array_drop(&p.a), mtm_bytes_drop(&b);
        mtm_codec_ctx_free(ctx);
    }
}

/* ---- into any array ----------------------------------------------------------------------------------- */

static void test_strides_and_types(void **state)
{
    static const mtm_dtype types[] = {MTM_U8, MTM_I8, MTM_U16, MTM_I16, MTM_U32, MTM_I32, MTM_F32, MTM_F64};
    picture p = make(33, 45, 3, 8, false);
    mtm_bytes b = encode(&p, NULL);
    mtm_error err = {0};

    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        const int64_t shape[3] = {3, 45, 33}; /* [C, X, Y] in memory, upside down */
        mtm_array memory, view;

        assert_ok(mtm_array_new(&memory, types[t], 3, shape, NULL, &err));
        view = memory;
        view.shape[0] = 33, view.shape[1] = 45, view.shape[2] = 3;
        view.stride[0] = -memory.stride[2], view.stride[1] = memory.stride[1],
        view.stride[2] = memory.stride[0];
        view.data = (char *)memory.data + 32 * memory.stride[2];
        assert_ok(mtm_decode(NULL, b.data, b.size_bytes, NULL, &view, &err));
        for (int64_t i = 0; i < 33 * 45 * 3; i++) {
            const char *const at = (char *)view.data + i / 135 * view.stride[0] +
                                   i / 3 % 45 * view.stride[1] + i % 3 * view.stride[2];
            const int64_t v = get((char *)p.a.data + i, MTM_U8);

            if (types[t] == MTM_F32)
                assert_true(*(const float *)(const void *)at == (float)v);
            else if (types[t] == MTM_F64)
                assert_true(*(const double *)(const void *)at == (double)v);
            else
                assert_int_equal(get(at, types[t]), types[t] == MTM_I8 && v > 127 ? 127 : v);
        }
        mtm_array_drop(&memory);
    }
    mtm_array_drop(&p.a), mtm_bytes_drop(&b);
}

static void test_channels(void **state)
{
    static const int32_t order[2] = {2, 0};
    picture p = make(20, 30, 3, 8, false);
    mtm_bytes b = encode(&p, NULL);
    mtm_decode_params q = defaults();
    mtm_array a;

    q.components = order, q.n_components = 2, q.planar = true;
    a = decode(NULL, &b, &q);
    assert_int_equal(a.shape[0], 2);
    for (int64_t i = 0; i < 2 * 20 * 30; i++)
        assert_int_equal(((uint8_t *)a.data)[i], ((uint8_t *)p.a.data)[i % 600 * 3 + order[i / 600]]);
    mtm_array_drop(&a), mtm_array_drop(&p.a), mtm_bytes_drop(&b);
}

static void test_rescale_and_window(void **state)
{
    picture p = make(30, 40, 1, 12, true);
    mtm_bytes b = encode(&p, NULL);
    mtm_decode_params q = defaults();
    mtm_array a, w;

    q.rescale = true, q.slope = 2, q.inter = -1024;
    a = decode(NULL, &b, &q);
    assert_int_equal(a.dtype, MTM_F32);
    q.window_center = 40, q.window_width = 400, q.low = 0, q.high = 255, q.dtype = MTM_U8;
    w = decode(NULL, &b, &q);
    for (int64_t i = 0; i < 30 * 40; i++) {
        const double v = (double)get((char *)p.a.data + 2 * i, MTM_I16) * 2 - 1024;
        double shown = ((v - 39.5) / 399 + 0.5) * 255; /* PS3.3 C.11.2.1.2.1 */

        shown = shown < 0 ? 0 : shown > 255 ? 255 : shown;
        assert_true(((float *)a.data)[i] == (float)v);
        assert_in_range(((uint8_t *)w.data)[i], (int)(shown - 0.501 < 0 ? 0 : shown - 0.501),
                        (int)(shown + 0.501));
    }
    mtm_array_drop(&a), mtm_array_drop(&w), mtm_array_drop(&p.a), mtm_bytes_drop(&b);
}

static void test_wrong_arguments(void **state)
{
    picture p = make(20, 30, 1, 8, false);
    mtm_bytes b = encode(&p, NULL);
    mtm_decode_params q = defaults();
    mtm_array a = {0}, wrong = p.a;
    mtm_limits small = mtm_limits_default();
    mtm_error err = {0};
    static const int64_t bad[][4] = {
        {0, 21, 0, 30}, {5, 5, 0, 30}, {-1, 5, 0, 30}, {0, 20, 30, 31}, {9, 3, 0, 1}};

    wrong.shape[1] = 29;
    assert_status(MTM_E_INVAL, mtm_decode(NULL, b.data, b.size_bytes, NULL, &wrong, &err));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        q.has_region = true;
        memcpy(q.region, bad[i], sizeof q.region);
        assert_status(MTM_E_INVAL, mtm_decode(NULL, b.data, b.size_bytes, &q, &a, &err));
    }
    q = defaults(), q.components = (const int32_t[]){1}, q.n_components = 1;
    assert_status(MTM_E_INVAL, mtm_decode(NULL, b.data, b.size_bytes, &q, &a, &err));
    q = defaults(), q.codec = "jpeg";
    assert_status(MTM_E_CORRUPT, mtm_decode(NULL, b.data, b.size_bytes, &q, &a, &err));
    q = defaults(), q.codec = "jpegxl";
    assert_status(MTM_E_UNSUPPORTED, mtm_decode(NULL, b.data, b.size_bytes, &q, &a, &err));
    assert_status(MTM_E_UNSUPPORTED, mtm_decode(NULL, "nothing known", 13, NULL, &a, &err));
    assert_status(MTM_E_UNSUPPORTED, mtm_decode(NULL, NULL, 0, NULL, &a, &err));
    q.codec = "htj2k";
    assert_true(mtm_decode(NULL, NULL, 0, &q, &a, &err) < 0);
    q = defaults(), q.limits = &small, small.max_bytes = 599;
    assert_status(MTM_E_LIMIT, mtm_decode(NULL, b.data, b.size_bytes, &q, &a, &err));
    q = defaults(), q.struct_size = 0;
    assert_status(MTM_E_INVAL, mtm_decode(NULL, b.data, b.size_bytes, &q, &a, &err));
    mtm_array_drop(&p.a), mtm_bytes_drop(&b);
}

/* ---- what boxes say ----------------------------------------------------------------------------------- */

static void bytes_add(mtm_bytes *b, const void *p, size_t n)
{
    b->data = mtm_realloc(b->data, b->size_bytes + n);
    assert_non_null(b->data);
    memcpy(b->data + b->size_bytes, p, n);
    b->size_bytes += n;
}

static void box_add(mtm_bytes *b, const char *type, const void *p, size_t n)
{
    const uint32_t size = __builtin_bswap32((uint32_t)(8 + n));

    bytes_add(b, &size, 4), bytes_add(b, type, 4), bytes_add(b, p, n);
}

/* A JP2 file around a codestream: `header` holds the boxes of the header box, ihdr first. */
static mtm_bytes jp2(const mtm_bytes *header, const mtm_bytes *stream)
{
    mtm_bytes b = {0};

    box_add(&b, "jP  ", "\r\n\x87\n", 4);
    box_add(&b, "ftyp", "jp2 \0\0\0\0jp2 ", 12);
    box_add(&b, "jp2h", header->data, header->size_bytes);
    box_add(&b, "jp2c", stream->data, stream->size_bytes);
    return b;
}

/* Indices become the palette's columns, in the order of cmap; beyond the last entry they are the last. */
static void test_palette(void **state)
{
    static const uint8_t ihdr[14] = {0, 0, 0, 5, 0, 0, 0, 4, 0, 1, 7, 7, 0, 0};
    static const uint8_t colr[7] = {1, 0, 0, 0, 0, 0, 16};
    static const uint8_t pclr[] = {0,  3,  3, 7,  7,  15,        /* 3 entries, 3 columns: 8, 8 and 16 bits */
                                   10, 20, 1, 44, 11, 21, 2, 44, /* 10 20 300; 11 21 556 */
                                   12, 22, 3, 44};               /* 12 22 812 */
    static const uint8_t cmap[] = {0, 0, 1, 2, 0, 0, 1, 1, 0, 0, 1, 0}; /* columns 2, 1, 0 */
    picture p = make(5, 4, 1, 8, false);
    mtm_decode_params q = defaults();
    mtm_bytes header = {0}, b, file;
    mtm_array a;

    for (int i = 0; i < 20; i++)
        ((uint8_t *)p.a.data)[i] = (uint8_t)(i % 4);
    b = encode(&p, NULL);
    box_add(&header, "ihdr", ihdr, sizeof ihdr), box_add(&header, "colr", colr, sizeof colr);
    box_add(&header, "pclr", pclr, sizeof pclr), box_add(&header, "cmap", cmap, sizeof cmap);
    file = jp2(&header, &b);
    for (int region = 0; region < 2; region++) {
        if (region)
            q.has_region = true, memcpy(q.region, (const int64_t[4]){1, 5, 0, 4}, sizeof q.region);
        a = decode(NULL, &file, &q);
        assert_int_equal(a.dtype, MTM_U16);
        assert_int_equal(a.shape[2], 3);
        for (int i = 0; i < 20 - 4 * region; i++) {
            const int k = i % 4 < 3 ? i % 4 : 2;
            const uint16_t *const at = (const uint16_t *)a.data + 3 * i;

            assert_int_equal(at[0], 300 + 256 * k);
            assert_int_equal(at[1], 20 + k);
            assert_int_equal(at[2], 10 + k);
        }
        mtm_array_drop(&a);
    }
    mtm_array_drop(&p.a), mtm_bytes_drop(&b), mtm_bytes_drop(&header), mtm_bytes_drop(&file);
}

/* cdef puts the colours in order, wherever they lie in the codestream (T.800 I.5.3.6). */
static void test_channel_definitions(void **state)
{
    static const uint8_t ihdr[14] = {0, 0, 0, 5, 0, 0, 0, 4, 0, 3, 7, 7, 0, 0};
    static const uint8_t colr[7] = {1, 0, 0, 0, 0, 0, 16};
    static const uint8_t cdef[] = {0, 3, 0, 0, 0, 0, 0, 3, 0, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 1}; /* B, G, R */
    picture p = make(5, 4, 3, 8, false);
    mtm_bytes header = {0}, b = encode(&p, NULL), file;
    mtm_array a;

    box_add(&header, "ihdr", ihdr, sizeof ihdr), box_add(&header, "colr", colr, sizeof colr);
    box_add(&header, "cdef", cdef, sizeof cdef);
    file = jp2(&header, &b);
    a = decode(NULL, &file, NULL);
    for (int i = 0; i < 60; i++)
        assert_int_equal(((uint8_t *)a.data)[i], ((uint8_t *)p.a.data)[i / 3 * 3 + 2 - i % 3]);
    mtm_array_drop(&a), mtm_array_drop(&p.a);
    mtm_bytes_drop(&b), mtm_bytes_drop(&header), mtm_bytes_drop(&file);
}

/* ---- components of their own sizes -------------------------------------------------------------------- */

static mtm_bytes encode_420(mtm_array planes[3])
{
    static const int32_t subsampling[3][2] = {{1, 1}, {2, 2}, {2, 2}};
    mtm_encode_params q = mtm_encode_params_default();
    mtm_bytes out = {0};
    mtm_error err = {0};

    for (int i = 0; i < 3; i++) {
        picture p = make(i ? 12 : 23, i ? 16 : 31, 1, 8, false);

        planes[i] = p.a;
    }
    q.subsampling = subsampling, q.levels = 2, q.mct = 0;
    assert_ok(mtm_encode_planes(NULL, planes, 3, &q, &out, &err));
    return out;
}

static void test_planes(void **state)
{
    mtm_array planes[3], got[4] = {0}, whole = {0};
    mtm_bytes b = encode_420(planes);
    mtm_decode_params q = defaults();
    mtm_error err = {0};
    int32_t n;

    assert_status(MTM_E_INVAL, mtm_decode(NULL, b.data, b.size_bytes, NULL, &whole, &err));
    assert_status(MTM_E_INVAL, mtm_decode_planes(NULL, b.data, b.size_bytes, NULL, got, 2, &n, &err));
    assert_ok(mtm_decode_planes(NULL, b.data, b.size_bytes, NULL, got, 4, &n, &err));
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) {
        assert_same(&got[i], &planes[i]);
        mtm_array_drop(&got[i]);
    }
    q.has_region = true, memcpy(q.region, (const int64_t[4]){5, 20, 6, 29}, sizeof q.region);
    assert_ok(mtm_decode_planes(NULL, b.data, b.size_bytes, &q, got, 4, &n, &err));
    for (int i = 0; i < 3; i++) {
        assert_crop(&got[i], &planes[i], i ? (const int64_t[4]){3, 10, 3, 15} : q.region); /* rounded up */
        mtm_array_drop(&got[i]), mtm_array_drop(&planes[i]);
    }
    mtm_bytes_drop(&b);
}

/* sYCC with subsampled chrominances: each takes the nearest sample at or before it; a region is a crop of that. */
static void test_to_rgb(void **state)
{
    mtm_array planes[3], whole, part;
    mtm_bytes b = encode_420(planes);
    mtm_decode_params q = defaults();

    q.to_rgb = true;
    whole = decode(NULL, &b, &q);
    assert_int_equal(whole.shape[2], 3);
    for (int64_t i = 0; i < 23 * 31; i++) {
        const int64_t y = i / 31, x = i % 31;
        const double l = ((uint8_t *)planes[0].data)[i];
        const double cb = ((uint8_t *)planes[1].data)[y / 2 * 16 + x / 2] - 128.0;
        const double cr = ((uint8_t *)planes[2].data)[y / 2 * 16 + x / 2] - 128.0;
        const double rgb[3] = {l + 1.402 * cr, l - 0.344136 * cb - 0.714136 * cr, l + 1.772 * cb};

        for (int k = 0; k < 3; k++) {
            const double v = rgb[k] < 0 ? 0 : rgb[k] > 255 ? 255 : rgb[k];

            assert_in_range(((uint8_t *)whole.data)[3 * i + k], (int)(v < 0.51 ? 0 : v - 0.51),
                            (int)(v + 0.51));
        }
    }
    q.has_region = true;
    for (uint32_t t = 0; t < 30; t++) {
        q.region[0] = noise(1, t) % 23, q.region[1] = q.region[0] + 1 + noise(2, t) % (23 - q.region[0]);
        q.region[2] = noise(3, t) % 31, q.region[3] = q.region[2] + 1 + noise(4, t) % (31 - q.region[2]);
        part = decode(NULL, &b, &q);
        assert_crop(&part, &whole, q.region);
        mtm_array_drop(&part);
    }
    mtm_array_drop(&whole), mtm_bytes_drop(&b);
    for (int i = 0; i < 3; i++)
        mtm_array_drop(&planes[i]);
}

/* ---- int16 on trial ----------------------------------------------------------------------------------- */

/* Samples of 16 bits that use few of them, all of them, or all of them in some tiles only. */
static void test_number_types(void **state)
{
    for (int i = 0; i < 6; i++) {
        mtm_encode_params e = mtm_encode_params_default();
        picture p = make(96, 100, 1 + 2 * (i & 1), 16, false);
        const int64_t n = mtm_array_count(&p.a);
        mtm_error err = {0};
        mtm_codec_ctx *ctx;
        mtm_bytes b;

        for (int64_t k = 0; k < n; k++) {
            uint16_t *const v = (uint16_t *)p.a.data + k;

            *v = i / 2 == 0 ? *v >> 4 : i / 2 == 1 ? (k * 7919 & 64 ? 65535 : 0) : k < n / 2 ? *v >> 4 : *v;
        }
        e.levels = 3, e.block[0] = e.block[1] = 16;
        e.tile[0] = e.tile[1] = i / 2 == 2 ? 40 : 0;
        b = encode(&p, &e);
        assert_ok(mtm_codec_ctx_new(&ctx, &err));
        for (int k = 0; k < 3; k++) {
            mtm_array a = decode(ctx, &b, NULL);

            assert_same(&a, &p.a);
            mtm_array_drop(&a);
        }
        mtm_codec_ctx_free(ctx);
        mtm_array_drop(&p.a), mtm_bytes_drop(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_region_is_crop),
        cmocka_unit_test(test_reduce_beyond_levels),
        cmocka_unit_test(test_rows_are_the_whole),
        cmocka_unit_test(test_rows_of_a_region),
        cmocka_unit_test(test_sink_ends_decoding),
        cmocka_unit_test(test_tiers_and_threads_agree),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_steady_state_allocates_nothing),
        cmocka_unit_test(test_strides_and_types),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_rescale_and_window),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_palette),
        cmocka_unit_test(test_channel_definitions),
        cmocka_unit_test(test_planes),
        cmocka_unit_test(test_to_rgb),
        cmocka_unit_test(test_number_types),
    };

    return cmocka_run_group_tests_name("j2k_decode", tests, NULL, NULL);
}
