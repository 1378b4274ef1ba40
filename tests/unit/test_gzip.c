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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
