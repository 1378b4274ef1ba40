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

/* Members of many sizes, empty ones among them, zero padding behind. */
static void test_members(void **state)
{
    static const size_t sizes[] = {0, 1, 0, 70000, 65536, 300000, 2, 0, 1000000, 0};
    const bytes plain = make_plain(1435539, 5);
    bytes gz = {0};
    mtm_gzip_points *p;
    size_t at = 0;

    for (int i = 0; i < 10; i++) {
        if (i & 1)
            add_member(&gz, plain.p + at, sizes[i], 6, Z_DEFAULT_STRATEGY);
        else
            add_member_ld(&gz, plain.p + at, sizes[i], 9);
        at += sizes[i];
    }
    assert_int_equal(at, plain.n);
    for (int padding = 0; padding < 2; padding++) {
        check_whole(gz, plain);
        p = build(gz, plain, 65536);
        assert_in_range(mtm_gzip_points_count(p), 10, 40);
        check_ranges(p, gz, plain, NULL, 300);
        mtm_gzip_points_free(p);
        gz.p = mtm_realloc(gz.p, gz.n + 512);
        memset(gz.p + gz.n, 0, 512);
        gz.n += 512;
    }
    mtm_free(gz.p);
    mtm_free(plain.p);
}

/* Name, comment, extra field and header CRC (RFC 1952 2.3), which zlib writes on request. */
static void test_header_fields(void **state)
{
    const bytes plain = make_plain(200000, 6);
    mtm_error err = {0};
    gz_header head = {.extra = (Bytef *)"0123",
                      .extra_len = 4,
                      .name = (Bytef *)"t1.nii",
                      .comment = (Bytef *)"a scan",
                      .hcrc = 1};
    bytes gz = {mtm_alloc(400000), 0};
    uint8_t *const out = mtm_alloc(plain.n);
    mtm_gzip_points *p;
    z_stream z = {0};
    size_t n;

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflateSetHeader(&z, &head), Z_OK);
    z.next_in = plain.p, z.avail_in = (uInt)plain.n, z.next_out = gz.p, z.avail_out = 400000;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    gz.n = z.total_out;
    deflateEnd(&z);
    check_whole(gz, plain);
    p = build(gz, plain, 0);
    check_ranges(p, gz, plain, NULL, 20);
    mtm_gzip_points_free(p);
    for (size_t at = 0; at < 33; at++) { /* a changed name is found by the header's CRC */
        const mtm_gzip_bytes src = mtm_gzip_memory(gz.p, gz.n);

        gz.p[at] ^= 0x20;
        assert_status(MTM_E_CORRUPT, mtm_gzip_inflate(out, plain.n, &n, gz.p, gz.n, &err));
        assert_in_range(err.offset, 0, gz.n);
        assert_status(MTM_E_CORRUPT, mtm_gzip_points_build(&p, NULL, 0, &src, 0, NULL, &err));
        gz.p[at] ^= 0x20;
    }
    mtm_free(out);
    mtm_free(gz.p);
    mtm_free(plain.p);
}

/* What every way of reading says to a stream that must not be accepted; `at`: about where the fault lies. */
static void check_refused(bytes gz, size_t room, mtm_status expected, int64_t at_least, int64_t at_most)
{
    mtm_error err = {0};
    uint8_t *const out = mtm_alloc(room);
    const mtm_gzip_bytes src = mtm_gzip_memory(gz.p, gz.n);
    mtm_gzip_points *p = NULL;
    mtm_buffer *b = NULL;
    size_t n = 77;

    assert_status(expected, mtm_gzip_inflate(out, room, &n, gz.p, gz.n, &err));
    assert_int_equal(n, 77);
    assert_true(err.offset >= at_least && err.offset <= at_most);
    assert_status(expected, mtm_gzip_points_build(&p, out, room, &src, 65536, NULL, &err));
    assert_true(err.offset >= at_least && err.offset <= at_most);
    assert_null(p);
    if (expected == MTM_E_CORRUPT) {
        assert_status(expected, mtm_gzip_inflate_new(&b, &n, gz.p, gz.n, NULL, NULL, &err));
        assert_null(b);
    }
    mtm_free(out);
}

static void test_refused(void **state)
{
    const bytes plain = make_plain(300000, 7);
    bytes gz = {0}, none = {0};
    uint8_t *const out = mtm_alloc(2 * plain.n);
    int64_t end;
    int accepted = 0;

    add_member(&gz, plain.p, plain.n, 6, Z_DEFAULT_STRATEGY);
    end = (int64_t)gz.n;
    gz.p = mtm_realloc(gz.p, gz.n + 100);
    check_refused(gz, plain.n - 1, MTM_E_LIMIT, 0, end);
    for (size_t n = gz.n; n-- > 0; n -= n > 30 && n + 30 < (size_t)end ? 997 % n : 0) /* cut anywhere */
        check_refused((bytes){gz.p, n}, plain.n, MTM_E_CORRUPT, n < 10 ? 0 : 10, (int64_t)n);
    gz.p[end - 8] ^= 1;
    check_refused(gz, plain.n, MTM_E_CORRUPT, end - 8, end - 8); /* CRC-32 */
    gz.p[end - 8] ^= 1, gz.p[end - 1] ^= 1;
    check_refused(gz, plain.n, MTM_E_CORRUPT, end - 4, end - 4); /* ISIZE */
    gz.p[end - 1] ^= 1;
    memcpy(gz.p + end, "trailing", 8);
    check_refused((bytes){gz.p, gz.n + 8}, plain.n, MTM_E_CORRUPT, end, end);
    memcpy(gz.p + end, "\0\0\0x", 4);
    check_refused((bytes){gz.p, gz.n + 4}, plain.n, MTM_E_CORRUPT, end, end + 3);
    memcpy(gz.p + end, "\x1f\x8b", 2); /* another member that is only begun */
    check_refused((bytes){gz.p, gz.n + 2}, plain.n, MTM_E_CORRUPT, end, end + 2);
    memcpy(gz.p + end, "\x1f\x8c", 2);
    check_refused((bytes){gz.p, gz.n + 2}, plain.n, MTM_E_CORRUPT, end, end + 2);
    check_refused(none, 10, MTM_E_CORRUPT, 0, 0);
    for (int64_t at = 10; at < end - 8;
         at += 701) { /* a flipped bit anywhere: the CRC sees what deflate does not */
        const mtm_gzip_bytes src = mtm_gzip_memory(gz.p, gz.n);
        mtm_error err = {0};
        mtm_gzip_points *p = NULL;
        mtm_status st;
        size_t n;

        gz.p[at] ^= 0x10;
        st = mtm_gzip_inflate(out, 2 * plain.n, &n, gz.p, gz.n, &err);
        if (st == MTM_OK) { /* another distance into equal bytes */
            assert_int_equal(n, plain.n);
            assert_memory_equal(out, plain.p, plain.n);
            accepted++;
        } else {
            assert_true(st == MTM_E_CORRUPT || st == MTM_E_LIMIT);
        }
        assert_int_equal(mtm_gzip_points_build(&p, out, 2 * plain.n, &src, 65536, NULL, &err) == MTM_OK,
                         st == MTM_OK);
        mtm_gzip_points_free(p);
        gz.p[at] ^= 0x10;
    }
    assert_in_range(accepted, 0, end / 701 / 4);
    mtm_free(out);
    mtm_free(gz.p);
    mtm_free(plain.p);
}

/* A stream that grows a thousandfold stops at the limits, and no more than that is allocated. */
static void test_bomb(void **state)
{
    mtm_error err = {0};
    mtm_limits lim = mtm_limits_default();
    const bytes zeros = {mtm_alloc_zero(1, 20000000), 20000000};
    bytes gz = {0};
    mtm_gzip_points *p = NULL;
    mtm_buffer *b = NULL;
    mtm_gzip_bytes src;
    size_t n;

    add_member(&gz, zeros.p, zeros.n, 9, Z_DEFAULT_STRATEGY);
    src = mtm_gzip_memory(gz.p, gz.n);
    lim.max_expansion = 100;
    assert_status(MTM_E_LIMIT, mtm_gzip_inflate_new(&b, &n, gz.p, gz.n, &lim, NULL, &err));
    assert_status(MTM_E_LIMIT, mtm_gzip_points_build(&p, NULL, 0, &src, 0, &lim, &err));
    lim = mtm_limits_default();
    lim.max_bytes = 19999999;
    assert_status(MTM_E_LIMIT, mtm_gzip_inflate_new(&b, &n, gz.p, gz.n, &lim, NULL, &err));
    assert_status(MTM_E_LIMIT, mtm_gzip_points_build(&p, NULL, 0, &src, 0, &lim, &err));
    lim.max_bytes = 20000000;
    assert_ok(mtm_gzip_inflate_new(&b, &n, gz.p, gz.n, &lim, NULL, &err));
    assert_int_equal(n, zeros.n);
    mtm_buffer_unref(b);
    memset(gz.p + gz.n - 4, 0, 4); /* a size that lies */
    lim.max_bytes = 1000;
    assert_status(MTM_E_LIMIT, mtm_gzip_inflate_new(&b, &n, gz.p, gz.n, &lim, NULL, &err));
    mtm_free(gz.p);
    mtm_free(zeros.p);
}

/* Whatever bit of the file or of the points is flipped: an error, or the right bytes. */
static void test_flipped_ranges(void **state)
{
    const bytes plain = make_plain(700000, 8);
    mtm_error err = {0};
    mtm_rng r = mtm_rng_at(4, 0, 0, 0);
    uint8_t *const out = mtm_alloc(plain.n), *blob;
    bytes gz = {0};
    mtm_gzip_points *p;
    int refused[2] = {0};
    size_t n;

    add_member(&gz, plain.p, plain.n, 6, Z_DEFAULT_STRATEGY);
    p = build(gz, plain, 65536);
    assert_ok(mtm_gzip_points_pack(p, &blob, &n, &err));
    for (int i = 0; i < 3000; i++) {
        const bool in_blob = i & 1;
        uint8_t *const victim = in_blob ? blob : gz.p;
        const size_t at =
            in_blob && i % 4 == 1 ? mtm_rng_below(&r, 600) : mtm_rng_below(&r, in_blob ? n : gz.n);
        const uint64_t from = mtm_rng_below(&r, plain.n), size = mtm_rng_below(&r, (plain.n - from) / 2 + 1);
        const mtm_gzip_bytes src = mtm_gzip_memory(gz.p, gz.n);
        mtm_gzip_points *q = NULL;
        mtm_status st;

        victim[at] ^= (uint8_t)(1u << (i / 2 % 8));
        st = mtm_gzip_points_unpack(&q, blob, n, NULL, &err);
        if (st == MTM_OK)
            st = mtm_gzip_read_range(out, q, &src, from, size, NULL, NULL, &err);
        if (st == MTM_OK)
            assert_memory_equal(out, plain.p + from, size);
        refused[in_blob] += st != MTM_OK;
        mtm_gzip_points_free(q);
        victim[at] ^= (uint8_t)(1u << (i / 2 % 8));
    }
    assert_true(refused[0] > 100 && refused[1] > 100); /* the flips did matter */
    mtm_free(blob);
    mtm_gzip_points_free(p);
    mtm_free(out);
    mtm_free(gz.p);
    mtm_free(plain.p);
}

static mtm_status refusing_sink(void *user, const uint8_t *b, uint64_t offset, size_t n, mtm_error *err)
{
    return offset >= 200000 ? mtm_fail(err, MTM_E_CANCELLED, (int64_t)offset, "enough") : MTM_OK;
}

/* Only what a range needs is read of the file; another file's size is noticed; the sink's error comes out. */
static void test_reads_little(void **state)
{
    const bytes plain = make_plain(2000000, 10);
    mtm_error err = {0};
    mtm_pool *pool = NULL;
    bytes gz = {0};
    counted c;
    mtm_gzip_bytes src;
    mtm_gzip_points *p;
    uint8_t out[1000];

    add_member(&gz, plain.p, plain.n, 6, Z_DEFAULT_STRATEGY);
    c = (counted){.b = gz};
    src = (mtm_gzip_bytes){.size_bytes = gz.n, .read = counted_read, .user = &c};
    p = build(gz, plain, 100000);
    assert_ok(mtm_gzip_read_range(out, p, &src, 1500000, 1000, NULL, NULL, &err));
    assert_memory_equal(out, plain.p + 1500000, 1000);
    assert_in_range(atomic_load(&c.read), 1, gz.n / 5);
    atomic_store(&c.read, 0);
    assert_ok(mtm_gzip_prefix(out, 1000, &(size_t){0}, &src, &err));
    assert_in_range(atomic_load(&c.read), 1, 1 << 18);
    src.size_bytes--;
    assert_status(MTM_E_CONFLICT, mtm_gzip_read_range(out, p, &src, 0, 1000, NULL, NULL, &err));
    src.size_bytes++;
    assert_ok(mtm_pool_new(&pool, 2, &err));
    for (int i = 0; i < 2; i++) {
        assert_status(MTM_E_CANCELLED,
                      mtm_gzip_read(p, &src, 0, plain.n, refusing_sink, NULL, i ? pool : NULL, NULL, &err));
        assert_true(err.offset >= 200000);
    }
    c.b.n = gz.n / 2; /* the file was cut behind our back */
    assert_status(MTM_E_IO, mtm_gzip_read_range(out, p, &src, 1500000, 1000, pool, NULL, &err));
    mtm_pool_free(pool);
    mtm_gzip_points_free(p);
    mtm_free(gz.p);
    mtm_free(plain.p);
}

/* libdeflate's way must be the one taken: zlib would allocate its state, a segment has one buffer (a struct and its block). */
static void test_fast_way(void **state)
{
    const bytes plain = make_plain(2000000, 11);
    mtm_error err = {0};
    bytes gz = {0};
    uint8_t *const out = mtm_alloc(plain.n);
    mtm_recycler *rec = NULL;
    mtm_gzip_bytes src;
    mtm_gzip_points *p;

    add_member(&gz, plain.p, plain.n, 6, Z_DEFAULT_STRATEGY);
    src = mtm_gzip_memory(gz.p, gz.n);
    p = build(gz, plain, 100000);
    assert_ok(mtm_recycler_new(&rec, 1 << 26, &err));
    for (int i = 0; i < 3; i++) {
        mtm_mem_fail_after(-1);
        assert_ok(mtm_gzip_read_range(out, p, &src, 0, plain.n, NULL, rec, &err));
    }
    assert_int_equal(mtm_mem_fail_after(-1), 0); /* steady state takes nothing new from the allocator */
    mtm_recycler_free(rec);
    mtm_gzip_points_free(p);
    mtm_free(out);
    mtm_free(gz.p);
    mtm_free(plain.p);
}

/* Where libdeflate's way fails (here: each segment is said to end a byte early), zlib's gives the same bytes. */
static void test_plain_way(void **state)
{
    const bytes plain = make_plain(700000, 14);
    mtm_error err = {0};
    bytes gz = {0};
    uint8_t *const out = mtm_alloc(plain.n), *blob;
    mtm_gzip_bytes src;
    mtm_gzip_points *p, *q = NULL;
    size_t n;

    add_member(&gz, plain.p, plain.n, 6, Z_DEFAULT_STRATEGY);
    src = mtm_gzip_memory(gz.p, gz.n);
    p = build(gz, plain, 65536);
    assert_ok(mtm_gzip_points_pack(p, &blob, &n, &err));
    for (int64_t i = 0; i < mtm_gzip_points_count(p); i++) {
        uint8_t *const at = blob + 48 + 32 * i + 8; /* in_end, see gzip_blob.c */
        uint64_t in_end;

        memcpy(&in_end, at, 8);
        in_end--;
        memcpy(at, &in_end, 8);
    }
    assert_ok(mtm_gzip_points_unpack(&q, blob, n, NULL, &err));
    mtm_mem_fail_after(-1);
    assert_ok(mtm_gzip_read_range(out, q, &src, 1000, plain.n - 1000, NULL, NULL, &err));
    assert_true(mtm_mem_fail_after(-1) > 3 * mtm_gzip_points_count(p)); /* zlib's state, for each segment */
    assert_memory_equal(out, plain.p + 1000, plain.n - 1000);
    mtm_gzip_points_free(p);
    mtm_gzip_points_free(q);
    mtm_free(blob);
    mtm_free(out);
    mtm_free(gz.p);
    mtm_free(plain.p);
}

/* Every allocation failing in turn gives MTM_E_NOMEM and leaks nothing (under ASan), then all is well. */
static void test_no_memory(void **state)
{
    const bytes plain = make_plain(400000, 12);
    bytes gz = {0};
    uint8_t *const out = mtm_alloc(plain.n);
    mtm_gzip_bytes src;

    add_member(&gz, plain.p, plain.n, 6, Z_DEFAULT_STRATEGY);
    src = mtm_gzip_memory(gz.p, gz.n);
    for (int64_t n = 0;; n++) {
        mtm_error err = {0};
        mtm_gzip_points *p = NULL, *q = NULL;
        uint8_t *blob = NULL;
        mtm_buffer *b = NULL;
        size_t size;
        mtm_status st;

        mtm_mem_fail_after(n);
        st = mtm_gzip_points_build(&p, NULL, 0, &src, 65536, NULL, &err);
        if (st == MTM_OK)
            st = mtm_gzip_points_pack(p, &blob, &size, &err);
        if (st == MTM_OK)
            st = mtm_gzip_points_unpack(&q, blob, size, NULL, &err);
        if (st == MTM_OK)
            st = mtm_gzip_read_range(out, q, &src, 0, plain.n, NULL, NULL, &err);
        if (st == MTM_OK)
            st = mtm_gzip_inflate_new(&b, &size, gz.p, gz.n, NULL, NULL, &err);
        if (st == MTM_OK)
            st = mtm_gzip_prefix(out, 1000, &size, &src, &err);
        mtm_mem_fail_after(-1);
        mtm_gzip_points_free(p);
        mtm_gzip_points_free(q);
        mtm_free(blob);
        mtm_buffer_unref(b);
        if (st == MTM_OK) {
            assert_in_range(n, 10, 200);
            break;
        }
        assert_int_equal(st, MTM_E_NOMEM);
        assert_int_equal(err.code, MTM_E_NOMEM);
    }
    assert_memory_equal(out, plain.p, plain.n);
    mtm_free(out);
    mtm_free(gz.p);
    mtm_free(plain.p);
}

/* Blobs that contradict themselves. */
static void test_bad_blobs(void **state)
{
    const bytes plain = make_plain(300000, 13);
    mtm_error err = {0};
    mtm_limits lim = mtm_limits_default();
    bytes gz = {0};
    mtm_gzip_points *p, *q = NULL;
    uint8_t *blob;
    size_t n;

    add_member(&gz, plain.p, plain.n, 6, Z_DEFAULT_STRATEGY);
    p = build(gz, plain, 65536);
    assert_ok(mtm_gzip_points_pack(p, &blob, &n, &err));
    for (size_t cut = 0; cut < n; cut += cut < 300 ? 1 : 1009)
        assert_status(MTM_E_CORRUPT, mtm_gzip_points_unpack(&q, blob, cut, NULL, &err));
    blob[4] = 2;
    assert_status(MTM_E_UNSUPPORTED, mtm_gzip_points_unpack(&q, blob, n, NULL, &err));
    blob[4] = 1;
    lim.max_bytes = plain.n - 1;
    assert_status(MTM_E_LIMIT, mtm_gzip_points_unpack(&q, blob, n, &lim, &err));
    for (int at = 0; at < 48; at++) { /* the head: nothing of it may be changed unnoticed */
        blob[at] ^= 0x40;
        assert_true(mtm_gzip_points_unpack(&q, blob, n, NULL, &err) != MTM_OK || (at >= 8 && at < 16));
        if (q)
            mtm_gzip_points_free(q), q = NULL;
        blob[at] ^= 0x40;
    }
    assert_null(q);
    mtm_gzip_points_free(p);
    mtm_free(blob);
    mtm_free(gz.p);
    mtm_free(plain.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),          cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_members),        cmocka_unit_test(test_header_fields),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_flipped_ranges), cmocka_unit_test(test_reads_little),
        cmocka_unit_test(test_fast_way),       cmocka_unit_test(test_plain_way),
        cmocka_unit_test(test_no_memory),      cmocka_unit_test(test_bad_blobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
