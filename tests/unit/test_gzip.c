/* tests/unit/test_gzip.c: gzip whole, by prefix and by access points.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <libdeflate.h>
#include <zlib.h>

#include "base/rng.h"
#include "codec/gzip.h"

typedef struct bytes {
    uint8_t *p;
    size_t n;
} bytes;

/* Values like a medical volume's: smooth with noise, 16 bits; compresses to about half. */
static bytes make_plain(size_t n, uint64_t seed)
{
    const bytes b = {mtm_alloc(n + 1), n};
    mtm_rng r = mtm_rng_at(seed, 0, 0, 0);

    assert_non_null(b.p);
    for (size_t i = 0; i < n; i++) {
        const uint32_t x = mtm_rng_u32(&r);
        b.p[i] = i & 1 ? (uint8_t)((i >> 12) & 3) : (uint8_t)((i >> 5) + (x & 15) * (x >> 28 == 0));
    }
    return b;
}

/* One member by zlib; strategy as deflateInit2 (Z_FIXED, Z_HUFFMAN_ONLY, …). */
static void add_member(bytes *to, const uint8_t *p, size_t n, int level, int strategy)
{
    z_stream z = {0};
    size_t room;

    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 31, 8, strategy), Z_OK);
    room = deflateBound(&z, n) + 64;
    to->p = mtm_realloc(to->p, to->n + room);
    assert_non_null(to->p);
    z.next_in = (Bytef *)p, z.avail_in = (uInt)n;
    z.next_out = to->p + to->n, z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->n += z.total_out;
    deflateEnd(&z);
}

/* One member by libdeflate. */
static void add_member_ld(bytes *to, const uint8_t *p, size_t n, int level)
{
    struct libdeflate_compressor *const c = libdeflate_alloc_compressor(level);
    const size_t room = libdeflate_gzip_compress_bound(c, n);

    to->p = mtm_realloc(to->p, to->n + room);
    assert_non_null(to->p);
    to->n += libdeflate_gzip_compress(c, p, n, to->p + to->n, room);
    libdeflate_free_compressor(c);
}

static void check_whole(bytes gz, bytes plain)
{
    mtm_error err = {0};
    uint8_t *const out = mtm_alloc(plain.n + 1);
    mtm_buffer *b = NULL;
    size_t n = 7;
    const mtm_gzip_bytes src = mtm_gzip_memory(gz.p, gz.n);

    assert_ok(mtm_gzip_inflate(out, plain.n, &n, gz.p, gz.n, &err));
    assert_int_equal(n, plain.n);
    assert_memory_equal(out, plain.p, plain.n);
    assert_ok(mtm_gzip_inflate_new(&b, &n, gz.p, gz.n, NULL, NULL, &err));
    assert_int_equal(n, plain.n);
    assert_memory_equal(mtm_buffer_data(b), plain.p, plain.n);
    mtm_buffer_unref(b);
    for (size_t want = 0; want <= plain.n + 5; want = 3 * want + 1) {
        memset(out, 0, plain.n);
        assert_ok(mtm_gzip_prefix(out, want < plain.n ? want : plain.n, &n, &src, &err));
        assert_int_equal(n, want < plain.n ? want : plain.n);
        assert_memory_equal(out, plain.p, n);
    }
    mtm_free(out);
}

static void test_whole(void **state)
{
    static const int levels[] = {0, 1, 6, 9};
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE};
    static const size_t sizes[] = {0, 1, 100, 70000, 1000003};

    for (int i = 0; i < 5; i++) {
        const bytes plain = make_plain(sizes[i], 1);
        for (int j = 0; j < 4; j++) {
            for (int k = 0; k < 4; k++) {
                bytes gz = {0};
                add_member(&gz, plain.p, plain.n, levels[j], strategies[k]);
                check_whole(gz, plain);
                mtm_free(gz.p);
            }
        }
        for (int level = 0; level <= 12; level += 3) {
            bytes gz = {0};
            add_member_ld(&gz, plain.p, plain.n, level);
            check_whole(gz, plain);
            mtm_free(gz.p);
        }
        mtm_free(plain.p);
    }
}

/* Reads by callback, as from a file; counts the bytes. */
typedef struct counted {
    bytes b;
    atomic_llong read;
} counted;

static mtm_status counted_read(void *user, uint64_t offset, void *dst, size_t n, mtm_error *err)
{
    counted *const c = user;

    if (offset > c->b.n || n > c->b.n - offset)
        return mtm_fail(err, MTM_E_IO, (int64_t)offset, "read past the end");
    memcpy(dst, c->b.p + offset, n);
    atomic_fetch_add(&c->read, (long long)n);
    return MTM_OK;
}

/* Points built from memory and by callback, with and without keeping the output, are the same; through a blob. */
static mtm_gzip_points *build(bytes gz, bytes plain, uint64_t spacing)
{
    mtm_error err = {0};
    counted c = {.b = gz};
    const mtm_gzip_bytes memory = mtm_gzip_memory(gz.p, gz.n);
    const mtm_gzip_bytes file = {.size_bytes = gz.n, .read = counted_read, .user = &c};
    mtm_gzip_points *p = NULL, *q = NULL;
    uint8_t *const out = mtm_alloc(plain.n), *blob[2];
    size_t n[2];

    assert_ok(mtm_gzip_points_build(&p, out, plain.n, &memory, spacing, NULL, &err));
    assert_memory_equal(out, plain.p, plain.n);
    assert_int_equal(mtm_gzip_points_output_bytes(p), plain.n);
    assert_int_equal(mtm_gzip_points_input_bytes(p), gz.n);
    assert_ok(mtm_gzip_points_build(&q, NULL, 0, &file, spacing, NULL, &err));
    assert_ok(mtm_gzip_points_pack(p, &blob[0], &n[0], &err));
    assert_ok(mtm_gzip_points_pack(q, &blob[1], &n[1], &err));
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(blob[0], blob[1], n[0]);
    mtm_gzip_points_free(p);
    mtm_gzip_points_free(q);
    assert_ok(mtm_gzip_points_unpack(&q, blob[0], n[0], NULL, &err));
    mtm_free(blob[0]);
    mtm_free(blob[1]);
    mtm_free(out);
    return q;
}

static void check_ranges(const mtm_gzip_points *p, bytes gz, bytes plain, mtm_pool *pool, int times)
{
    mtm_error err = {0};
    const mtm_gzip_bytes src = mtm_gzip_memory(gz.p, gz.n);
    mtm_rng r = mtm_rng_at(2, 0, 0, 0);
    uint8_t *const out = mtm_alloc(plain.n + 1);
    mtm_recycler *rec = NULL;

    assert_ok(mtm_recycler_new(&rec, 1 << 26, &err));
    for (int i = 0; i < times; i++) {
        const uint64_t at = i == 0 ? 0 : mtm_rng_below(&r, plain.n + 1);
        const uint64_t n = i == 0   ? plain.n
                           : i == 1 ? plain.n - at
                                    : mtm_rng_below(&r, plain.n - at + 1) >> (i % 5 * 4);

        memset(out, 0xcc, n + 1);
        assert_ok(mtm_gzip_read_range(out, p, &src, at, n, pool, i & 1 ? rec : NULL, &err));
        assert_memory_equal(out, plain.p + at, n);
        assert_int_equal(out[n], 0xcc);
    }
    assert_status(MTM_E_INVAL, mtm_gzip_read_range(out, p, &src, plain.n, 1, NULL, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_gzip_read_range(out, p, &src, UINT64_MAX, 1, NULL, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_gzip_read_range(out, p, &src, 1, UINT64_MAX, NULL, NULL, &err));
    mtm_recycler_free(rec);
    mtm_free(out);
}

static void test_ranges(void **state)
{
    static const int levels[] = {0, 1, 6, 9};
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE};
    const bytes plain = make_plain(3000001, 3);
    mtm_error err = {0};
    mtm_pool *pool = NULL;

    assert_ok(mtm_pool_new(&pool, 3, &err));
    for (int i = 0; i < 16 + 5; i++) {
        bytes gz = {0};
        mtm_gzip_points *p;

        if (i < 16)
            add_member(&gz, plain.p, plain.n, levels[i / 4], strategies[i % 4]);
        else
            add_member_ld(&gz, plain.p, plain.n, (i - 16) * 3);
        p = build(gz, plain, 65536 + (uint64_t)i * 10000);
        assert_true(mtm_gzip_points_count(p) > 3);
        check_ranges(p, gz, plain, i & 1 ? pool : NULL, 40);
        mtm_gzip_points_free(p);
        mtm_free(gz.p);
    }
    mtm_pool_free(pool);
    mtm_free(plain.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_ranges)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
