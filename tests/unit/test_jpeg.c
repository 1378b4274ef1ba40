/* tests/unit/test_jpeg.c: our JPEG: lossless streams of a naive writer and of our own encoder, DCT streams of libjpeg against libjpeg's
 * own decoding, the inverse transform against its definition, hostile streams, and memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "jpeg_libjpeg.h"
#include "jpeg_write.h"

#include "codec/codec.h"
#include "codec/jpeg/dct.h"
#include "codec/jpeg/jpeg.h"

static mtm_decode_params defaults(void)
{
    return (mtm_decode_params){.struct_size = sizeof(mtm_decode_params)};
}

/* ---- lossless: the naive writer ------------------------------------------------------------------------ */

static void make_samples(w_jpeg *w, uint64_t seed)
{
    mtm_rng r = mtm_rng_at(seed, 0, 0, 0);

    for (int c = 0; c < w->n; c++) {
        const int32_t n = wj_width(w, c) * wj_height(w, c);

        w->samples[c] = mtm_alloc((size_t)n * 2);
        assert_non_null(w->samples[c]);
        for (int32_t i = 0; i < n; i++) /* all differences, and runs of one value */
            w->samples[c][i] =
                (uint16_t)(mtm_rng_below(&r, 4) && i ? w->samples[c][i - 1]
                                                     : mtm_rng_below(&r, UINT64_C(1) << w->bits));
    }
}

static void drop(w_jpeg *w)
{
    for (int c = 0; c < w->n; c++)
        mtm_free(w->samples[c]);
    mtm_free(w->p);
}

/* What is decoded is what was written, repeated where subsampled. */
static void check_decoded(const w_jpeg *w)
{
    mtm_array a = {0};
    mtm_error err = {0};

    assert_ok(mtm_decode(NULL, w->p, w->n_bytes, NULL, &a, &err));
    assert_int_equal(a.dtype, w->bits <= 8 ? MTM_U8 : MTM_U16);
    assert_int_equal(a.shape[0], w->height);
    assert_int_equal(a.shape[1], w->width);
    for (int c = 0; c < w->n; c++)
        for (int32_t y = 0; y < w->height; y++)
            for (int32_t x = 0; x < w->width; x++) {
                const char *const at =
                    (char *)a.data + y * a.stride[0] + x * a.stride[1] + (w->n > 1 ? c * a.stride[2] : 0);
                const int got =
                    a.dtype == MTM_U8 ? *(const uint8_t *)at : *(const uint16_t *)(const void *)at;
                const int32_t sy = y * wj_v(w, c) / wj_most(w, true), sx = x * wj_h(w, c) / wj_most(w, false);

                if (got != wj_at(w, c, sy, sx) << w->low)
                    fail_msg("component %d, row %d, column %d is %d, not %d", c, y, x, got,
                             wj_at(w, c, sy, sx) << w->low);
            }
    mtm_array_drop(&a);
}

static void check(w_jpeg w)
{
    make_samples(&w, (uint64_t)(w.bits * 100 + w.predictor));
    wj_write(&w);
    check_decoded(&w);
    drop(&w);
}

static void test_lossless_matrix(void **state)
{
    for (int bits = 2; bits <= 16; bits++)
        for (int predictor = 1; predictor <= 7; predictor++)
            for (int kind = 0; kind < 4; kind++)
                check((w_jpeg){.width = 37,
                               .height = 11,
                               .n = 1,
                               .bits = bits,
                               .predictor = predictor,
                               .table = kind & 1,
                               .low = kind == 2 ? bits / 2 : 0,
                               .restart_rows = kind == 3 ? 2 : 0});
}

static void test_lossless_shapes(void **state)
{
    static const int32_t sizes[][2] = {{1, 1},   {1, 9},   {9, 1},   {2, 3},
                                       {255, 2}, {256, 2}, {257, 3}, {600, 4}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int n = 1; n <= 4; n++)
            for (int predictor = 1; predictor <= 7; predictor += 3)
                for (int kind = 0; kind < 4; kind++)
                    check((w_jpeg){.width = sizes[i][0],
                                   .height = sizes[i][1],
                                   .n = n,
                                   .bits = kind < 2 ? 8 : 12,
                                   .predictor = predictor,
                                   .separate = kind & 1,
                                   .restart_rows = kind == 2,
                                   .table = 1,
                                   .fill = kind == 3,
                                   .dnl = kind == 3});
}

static void test_lossless_subsampled(void **state)
{
    for (int predictor = 1; predictor <= 7; predictor++)
        for (int kind = 0; kind < 4; kind++)
            check((w_jpeg){.width = 21,
                           .height = 14,
                           .n = 3,
                           .bits = 10,
                           .predictor = predictor,
                           .h = {2, 1, 1},
                           .v = {kind & 1 ? 2 : 1, 1, 1},
                           .separate = kind & 2,
                           .restart_rows = 3});
}

/* More than eight restart intervals: their numbers go round. */
static void test_many_restarts(void **state)
{
    check((w_jpeg){.width = 5, .height = 40, .n = 1, .bits = 16, .predictor = 4, .restart_rows = 1});
}

/* ---- lossless: our encoder ----------------------------------------------------------------------------- */

static mtm_bytes encode(const mtm_array *a, int bits, int predictor)
{
    mtm_encode_params p = mtm_encode_params_default();
    mtm_bytes b = {0};
    mtm_error err = {0};

    p.codec = "jpeg", p.bits = bits, p.predictor = predictor;
    assert_ok(mtm_encode(NULL, a, false, &p, &b, &err));
    return b;
}

static mtm_array random_array(int64_t y, int64_t x, int64_t c, int bits, int kind)
{
    const int64_t shape[3] = {y, x, c};
    mtm_rng r = mtm_rng_at((uint64_t)(bits + kind), 0, y, 0);
    mtm_array a;

    assert_int_equal(mtm_array_new(&a, bits <= 8 ? MTM_U8 : MTM_U16, c > 1 ? 3 : 2, shape, NULL, NULL),
                     MTM_OK);
    for (int64_t i = 0; i < y * x * c; i++) {
        const uint64_t v = kind == 0   ? mtm_rng_below(&r, UINT64_C(1) << bits)
                           : kind == 1 ? 0
                                       : mtm_rng_below(&r, 2) << (bits - 1); /* differences of 32768 */

        if (bits <= 8)
            ((uint8_t *)a.data)[i] = (uint8_t)v;
        else
            ((uint16_t *)a.data)[i] = (uint16_t)v;
    }
    return a;
}

static void test_round_trip(void **state)
{
    static const int64_t shapes[][3] = {{1, 1, 1},   {1, 300, 1}, {300, 1, 1},
                                        {23, 31, 1}, {17, 19, 3}, {9, 8, 4}};

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int bits = 2; bits <= 16; bits++)
            for (int kind = 0; kind < 3; kind++) {
                mtm_array a = random_array(shapes[s][0], shapes[s][1], shapes[s][2], bits, kind), got = {0};
                mtm_bytes b = encode(&a, bits, 1 + (bits + kind) % 7);
                mtm_error err = {0};

                assert_ok(mtm_decode(NULL, b.data, b.size_bytes, NULL, &got, &err));
                assert_int_equal(got.dtype, a.dtype);
                assert_memory_equal(got.data, a.data, (size_t)mtm_array_count(&a) * mtm_dtype_size(a.dtype));
                mtm_array_drop(&a), mtm_array_drop(&got), mtm_bytes_drop(&b);
            }
}

/* The rarest category's code would be 17 bits: counts that grow as Fibonacci's. */
static void test_longest_codes(void **state)
{
    const int64_t shape[2] = {1, 17000};
    mtm_array a, got = {0};
    uint16_t *x, at = 32768;
    mtm_bytes b;
    mtm_error err = {0};
    int64_t i = 0;

    assert_int_equal(mtm_array_new(&a, MTM_U16, 2, shape, NULL, NULL), MTM_OK);
    x = a.data;
    for (int64_t k = 16, f = 1, g = 1; k >= 0; k--) {
        const int64_t next = f + g;

        for (int64_t n = 0; n < f && i < shape[1]; n++)
            x[i++] = at = (uint16_t)(at + (k ? 1 << (k - 1) : 0));
        f = g, g = next;
    }
    while (i < shape[1])
        x[i++] = at;
    b = encode(&a, 16, 1);
    assert_ok(mtm_decode(NULL, b.data, b.size_bytes, NULL, &got, &err));
    assert_memory_equal(got.data, a.data, (size_t)shape[1] * 2);
    mtm_array_drop(&a), mtm_array_drop(&got), mtm_bytes_drop(&b);
}

static void test_encode_refusals(void **state)
{
    mtm_array a = random_array(4, 4, 1, 12, 0), wide = random_array(1, 65536, 1, 8, 1);
    mtm_encode_params p = mtm_encode_params_default();
    mtm_bytes b = {0};
    mtm_error err = {0};

    p.codec = "jpeg", p.bits = 8;
    assert_status(MTM_E_INVAL, mtm_encode(NULL, &a, false, &p, &b, &err));
    p.bits = 17;
    assert_status(MTM_E_INVAL, mtm_encode(NULL, &a, false, &p, &b, &err));
    p.bits = 0, p.predictor = 8;
    assert_status(MTM_E_INVAL, mtm_encode(NULL, &a, false, &p, &b, &err));
    p.predictor = 0;
    assert_status(MTM_E_UNSUPPORTED, mtm_encode(NULL, &wide, false, &p, &b, &err));
    a.dtype = MTM_I16;
    assert_status(MTM_E_UNSUPPORTED, mtm_encode(NULL, &a, false, &p, &b, &err));
    a.dtype = MTM_U16;
    mtm_array_drop(&a), mtm_array_drop(&wide), mtm_bytes_drop(&b);
}

/* ---- DCT ----------------------------------------------------------------------------------------------- */

/* T.81 A.3.3, as it is written. */
static double inverse(const int16_t c[64], const uint16_t q[64], int x, int y)
{
    double sum = 0;

    for (int v = 0; v < 8; v++)
        for (int u = 0; u < 8; u++)
            sum += (u ? 1 : sqrt(0.5)) * (v ? 1 : sqrt(0.5)) * c[8 * v + u] * q[8 * v + u] *
                   cos((2 * x + 1) * u * M_PI / 16) * cos((2 * y + 1) * v * M_PI / 16);
    return sum / 4;
}

static void test_inverse_transform(void **state)
{
    mtm_rng r = mtm_rng_at(5, 0, 0, 0);

    for (int round = 0; round < 400; round++) {
        const int bits = round & 1 ? 12 : 8, many = round % 5 ? 64 : 1;
        int16_t c[64] = {0};
        uint16_t q[64], out[64];
        float scales[64];

        for (int i = 0; i < 64; i++) {
            q[i] = (uint16_t)(1 + mtm_rng_below(&r, 16));
            if (i < many)
                c[i] = (int16_t)((int)mtm_rng_below(&r, (1u << bits) / (1 + (unsigned)i)) -
                                 (1 << bits) / (2 + 2 * i));
        }
        jpeg_idct_scales(scales, q);
        jpeg_idct(out, 8, c, scales, bits);
        for (int i = 0; i < 64; i++) {
            const double most = (1 << bits) - 1, want = inverse(c, q, i % 8, i / 8) + (1 << (bits - 1));

            assert_true(fabs(out[i] - fmin(fmax(want, 0), most)) < 0.51);
        }
    }
}

/* Any coefficients and quantisers are safe. */
static void test_inverse_transform_extremes(void **state)
{
    int16_t c[64];
    uint16_t q[64], out[64];
    float scales[64];

    for (int round = 0; round < 64; round++) {
        for (int i = 0; i < 64; i++)
            c[i] = (round + i * round) & 1 ? INT16_MIN : INT16_MAX, q[i] = UINT16_MAX;
        jpeg_idct_scales(scales, q);
        jpeg_idct(out, 8, c, scales, 12);
        for (int i = 0; i < 64; i++)
            assert_in_range(out[i], 0, 4095);
    }
}

static const dct_kind dct_kinds[] = {
    {1, 1, 1, 90, 0, false, false}, {1, 1, 1, 90, 0, true, true},  {1, 1, 1, 100, 3, true, true},
    {3, 1, 1, 75, 0, false, true},  {3, 2, 1, 75, 0, false, true}, {3, 2, 2, 75, 5, false, false},
    {3, 1, 2, 60, 0, true, true},   {3, 2, 2, 95, 0, true, true},  {3, 2, 1, 30, 2, true, true},
    {3, 4, 1, 80, 0, true, true},
};

/* libjpeg's integer transform may round otherwise, by 1, and a filter over such samples likewise. */
static void test_dct_against_libjpeg(void **state)
{
    static const int sizes[][2] = {{67, 45}, {8, 8}, {1, 1}, {3, 17}, {130, 9}};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t i = 0; i < sizeof dct_kinds / sizeof *dct_kinds; i++) {
            const dct_kind *const k = &dct_kinds[i];
            const int64_t shape[3] = {sizes[s][1], sizes[s][0], k->n};
            mtm_bytes b = libjpeg_encode(sizes[s][0], sizes[s][1], k);
            MTM_AUTO_MEM uint8_t *ours = mtm_alloc((size_t)(shape[0] * shape[1] * shape[2]));
            mtm_array a = mtm_array_wrap(ours, MTM_U8, 3, shape), theirs = {0};
            const mtm_decode_params p = defaults();
            mtm_codec_ctx *ctx;
            mtm_error err = {0};
            int64_t off = 0;

            assert_ok(mtm_codec_ctx_new(&ctx, &err));
            assert_ok(jpeg_decode_own(ctx, b.data, b.size_bytes, &p, &a, &err));
            assert_ok(mtm_decode(ctx, b.data, b.size_bytes, &p, &theirs, &err));
            for (int64_t x = 0; x < shape[0] * shape[1] * shape[2]; x++) {
                const int d = abs(ours[x] - ((const uint8_t *)theirs.data)[x]);

                assert_true(d <= 1);
                off += d;
            }
            assert_true(off * 10 <= shape[0] * shape[1] * shape[2] || shape[0] * shape[1] < 100);
            mtm_array_drop(&theirs), mtm_bytes_drop(&b), mtm_codec_ctx_free(ctx);
        }
}

/* ---- damage -------------------------------------------------------------------------------------------- */

/* Every stream that our own decoders take, small. */
static mtm_bytes stream_of(int kind)
{
    if (kind < 3) {
        w_jpeg w = {.width = 19, .height = 7, .n = 1 + kind, .bits = 8 + 4 * kind, .predictor = 4};
        mtm_bytes b = {0};

        w.restart_rows = kind, w.separate = kind == 1, w.table = kind & 1, w.dnl = kind == 1;
        make_samples(&w, 3);
        wj_write(&w);
        assert_int_equal(mtm_bytes_reserve(&b, w.n_bytes, NULL), MTM_OK);
        memcpy(b.data, w.p, w.n_bytes);
        b.size_bytes = w.n_bytes;
        drop(&w);
        return b;
    }
    return libjpeg_encode(19, 17, &dct_kinds[kind == 3 ? 5 : 7]);
}

static mtm_status decode_exact(mtm_codec_ctx *ctx, const uint8_t *data, size_t n, const mtm_decode_params *p,
                               mtm_error *err)
{
    MTM_AUTO_MEM uint8_t *copy = mtm_alloc(n); /* of just this size, so that ASan sees a step too far */
    MTM_AUTO_MEM uint16_t *out = NULL;
    mtm_codec_picture pic;
    int64_t shape[3];
    mtm_array dst;

    memcpy(copy, data, n);
    MTM_TRY(mtm_codec_jpeg.picture(&pic, copy, n, p, err));
    shape[0] = pic.height, shape[1] = pic.width, shape[2] = pic.channels;
    if (pic.height * pic.width > 1 << 22)
        return MTM_OK;
    out = mtm_alloc((size_t)(pic.height * pic.width * pic.channels) * 2);
    dst = mtm_array_wrap(out, pic.dtype, 3, shape);
    return jpeg_decode_own(ctx, copy, n, p, &dst, err);
}

/* Cut anywhere but behind the last coded byte: an error, or, partially, a picture that is said to be incomplete. */
static void test_truncation(void **state)
{
    mtm_codec_ctx *ctx;

    assert_int_equal(mtm_codec_ctx_new(&ctx, NULL), MTM_OK);
    for (int kind = 0; kind < 5; kind++) {
        mtm_bytes b = stream_of(kind);
        mtm_decode_report report;
        mtm_error err = {0};

        for (size_t n = 0; n < b.size_bytes - 3; n++) {
            mtm_decode_params p = defaults();
            const mtm_status strict = decode_exact(ctx, b.data, n, &p, &err);

            /* A progressive stream cut between scans is a worse picture, and nobody can tell. */
            if (kind < 4)
                assert_int_not_equal(strict, MTM_OK);
            assert_true(strict == MTM_OK || strict == MTM_E_CORRUPT);
            report = (mtm_decode_report){.complete = true};
            p.partial = true, p.report = &report;
            if (decode_exact(ctx, b.data, n, &p, &err) == MTM_OK && strict)
                assert_false(report.complete);
        }
        mtm_bytes_drop(&b);
    }
    mtm_codec_ctx_free(ctx);
}

static void test_missing_eoi(void **state)
{
    for (int kind = 0; kind < 5; kind++) {
        mtm_bytes b = stream_of(kind);
        const mtm_decode_params p = defaults();
        mtm_codec_ctx *ctx;
        mtm_error err = {0};

        assert_ok(mtm_codec_ctx_new(&ctx, &err));
        assert_ok(decode_exact(ctx, b.data, b.size_bytes - 2, &p, &err));
        mtm_bytes_drop(&b), mtm_codec_ctx_free(ctx);
    }
}

/* Any byte changed in any way: an answer, and no step outside memory. */
static void test_changes(void **state)
{
    mtm_codec_ctx *ctx;

    assert_int_equal(mtm_codec_ctx_new(&ctx, NULL), MTM_OK);
    for (int kind = 0; kind < 5; kind++) {
        mtm_bytes b = stream_of(kind);

        for (size_t at = 0; at < b.size_bytes; at++)
            for (int change = 0; change < 4; change++) {
                static const uint8_t with[4] = {0x00, 0xFF, 0x80, 0x01};
                const uint8_t kept = b.data[at];
                mtm_decode_params p = defaults();
                mtm_error err = {0};

                b.data[at] = change < 2 ? with[change] : kept ^ with[change];
                decode_exact(ctx, b.data, b.size_bytes, &p, &err);
                p.partial = true;
                decode_exact(ctx, b.data, b.size_bytes, &p, &err);
                b.data[at] = kept;
            }
        mtm_bytes_drop(&b);
    }
    mtm_codec_ctx_free(ctx);
}

/* ---- hostile headers ----------------------------------------------------------------------------------- */

#define SOI    "\xFF\xD8"
#define DHT    "\xFF\xC4\0\x15\0\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" /* two codes, categories 0 and 1 */
#define SOF(n) "\xFF\xC3\0\x0B\x08\0\4\0\4" n "\1\x11\0"
#define SOS    "\xFF\xDA\0\x08\1\1\0\1\0\0"
#define DATA   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xFF\xD9"

static const struct {
    const char *what;
    const char *bytes;
    size_t n;
    mtm_status expected;
} hostile[] = {
#define CASE(what, bytes, expected) {what, bytes, sizeof(bytes) - 1, expected}
    CASE("plain", SOI DHT SOF("\1") SOS DATA, MTM_OK),
    CASE("no components", SOI DHT SOF("\0") SOS DATA, MTM_E_CORRUPT),
    CASE("more components than bytes", SOI DHT SOF("\2") SOS DATA, MTM_E_CORRUPT),
    CASE("200 components", SOI DHT SOF("\xC8") SOS DATA, MTM_E_UNSUPPORTED),
    CASE("one name twice", SOI DHT "\xFF\xC3\0\x0E\x08\0\4\0\4\2\1\x11\0\1\x11\0" SOS DATA, MTM_E_CORRUPT),
    CASE("sampling 0", SOI DHT "\xFF\xC3\0\x0B\x08\0\4\0\4\1\1\x01\0" SOS DATA, MTM_E_CORRUPT),
    CASE("sampling 5", SOI DHT "\xFF\xC3\0\x0B\x08\0\4\0\4\1\1\x51\0" SOS DATA, MTM_E_CORRUPT),
    CASE("sampling 3 and 2", SOI DHT "\xFF\xC3\0\x0E\x08\0\4\0\4\2\1\x31\0\2\x21\0" SOS DATA,
         MTM_E_UNSUPPORTED),
    CASE("17 bits", SOI DHT "\xFF\xC3\0\x0B\x11\0\4\0\4\1\1\x11\0" SOS DATA, MTM_E_CORRUPT),
    CASE("1 bit", SOI DHT "\xFF\xC3\0\x0B\x01\0\4\0\4\1\1\x11\0" SOS DATA, MTM_E_CORRUPT),
    CASE("width 0", SOI DHT "\xFF\xC3\0\x0B\x08\0\4\0\0\1\1\x11\0" SOS DATA, MTM_E_CORRUPT),
    CASE("65535 squared", SOI DHT "\xFF\xC3\0\x0B\x08\xFF\xFF\xFF\xFF\1\1\x11\0" SOS DATA, MTM_E_CORRUPT),
    CASE("no height, no DNL", SOI DHT "\xFF\xC3\0\x0B\x08\0\0\0\4\1\1\x11\0" SOS DATA, MTM_E_CORRUPT),
    CASE("DNL of 0", SOI DHT "\xFF\xC3\0\x0B\x08\0\0\0\4\1\1\x11\0" SOS "\0\0\0\0\xFF\xDC\0\4\0\0\xFF\xD9",
         MTM_E_CORRUPT),
    CASE("DNL of 65535",
         SOI DHT "\xFF\xC3\0\x0B\x08\0\0\0\4\1\1\x11\0" SOS "\0\0\0\0\xFF\xDC\0\4\xFF\xFF\xFF\xD9",
         MTM_E_CORRUPT),
    CASE("DNL cut off", SOI DHT "\xFF\xC3\0\x0B\x08\0\0\0\4\1\1\x11\0" SOS "\0\0\0\0\xFF\xDC\0\3\0",
         MTM_E_CORRUPT),
    CASE("two frames", SOI DHT SOF("\1") SOF("\1") SOS DATA, MTM_E_CORRUPT),
    CASE("no frame", SOI DHT SOS DATA, MTM_E_CORRUPT),
    CASE("a segment of length 1", SOI "\xFF\xFE\0\1" DHT SOF("\1") SOS DATA, MTM_E_CORRUPT),
    CASE("a segment beyond the end", SOI "\xFF\xFE\xFF\xFF" DHT SOF("\1") SOS DATA, MTM_E_CORRUPT),
    CASE("no table", SOI SOF("\1") SOS DATA, MTM_E_CORRUPT),
    CASE("a table too full", SOI "\xFF\xC4\0\x16\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\2" SOF("\1") SOS DATA,
         MTM_E_CORRUPT),
    CASE("a table of 16 full lengths",
         SOI "\xFF\xC4\0\x13\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF" SOF("\1")
             SOS DATA,
         MTM_E_CORRUPT),
    CASE("a table with more codes than bytes",
         SOI "\xFF\xC4\0\x14\0\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" SOF("\1") SOS DATA, MTM_E_CORRUPT),
    CASE("table 4", SOI "\xFF\xC4\0\x15\4\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" SOF("\1") SOS DATA,
         MTM_E_CORRUPT),
    CASE("category 17", SOI "\xFF\xC4\0\x15\0\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x11" SOF("\1") SOS DATA,
         MTM_E_CORRUPT),
    CASE("a scan of table 5", SOI DHT SOF("\1") "\xFF\xDA\0\x08\1\1\x50\1\0\0" DATA, MTM_E_CORRUPT),
    CASE("a scan of another component", SOI DHT SOF("\1") "\xFF\xDA\0\x08\1\7\0\1\0\0" DATA, MTM_E_CORRUPT),
    CASE("a scan of nothing", SOI DHT SOF("\1") "\xFF\xDA\0\x08\0\1\0\1\0\0" DATA, MTM_E_CORRUPT),
    CASE("a scan of more than there is", SOI DHT SOF("\1") "\xFF\xDA\0\x0A\2\1\0\1\0\1\0\0" DATA,
         MTM_E_CORRUPT),
    CASE("predictor 0", SOI DHT SOF("\1") "\xFF\xDA\0\x08\1\1\0\0\0\0" DATA, MTM_E_CORRUPT),
    CASE("predictor 8", SOI DHT SOF("\1") "\xFF\xDA\0\x08\1\1\0\x08\0\0" DATA, MTM_E_CORRUPT),
    CASE("point transform of all bits", SOI DHT SOF("\1") "\xFF\xDA\0\x08\1\1\0\1\0\x08" DATA, MTM_E_CORRUPT),
    CASE("restart inside a row", SOI DHT "\xFF\xDD\0\4\0\3" SOF("\1") SOS DATA, MTM_E_CORRUPT),
    CASE("restart that does not come", SOI DHT "\xFF\xDD\0\4\0\4" SOF("\1") SOS DATA, MTM_E_CORRUPT),
    CASE("bits that are no code", SOI DHT SOF("\1") SOS "\xF0\xF0\xF0\xFF\xD9", MTM_E_CORRUPT),
    CASE("no coded data", SOI DHT SOF("\1") SOS "\xFF\xD9", MTM_E_CORRUPT),
    CASE("arithmetic", SOI "\xFF\xC9\0\x0B\x08\0\4\0\4\1\1\x11\0" SOS DATA, MTM_E_UNSUPPORTED),
    CASE("hierarchical", SOI "\xFF\xC5\0\x0B\x08\0\4\0\4\1\1\x11\0" SOS DATA, MTM_E_UNSUPPORTED),
    CASE("12 bits in a baseline frame", SOI "\xFF\xC0\0\x0B\x0C\0\4\0\4\1\1\x11\0" SOS DATA, MTM_E_CORRUPT),
    CASE("no quantiser", SOI DHT "\xFF\xC1\0\x0B\x0C\0\4\0\4\1\1\x11\0" SOS DATA, MTM_E_CORRUPT),
    CASE("quantiser 4", SOI "\xFF\xDB\0\x43\4" SOF("\1") SOS DATA DATA DATA DATA DATA, MTM_E_CORRUPT),
    CASE("an empty stream", SOI "\xFF\xD9", MTM_E_CORRUPT),
};

static void test_hostile(void **state)
{
    mtm_codec_ctx *ctx;

    assert_int_equal(mtm_codec_ctx_new(&ctx, NULL), MTM_OK);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        const mtm_decode_params p = defaults();
        mtm_error err = {0};
        const mtm_status s = decode_exact(ctx, (const uint8_t *)hostile[i].bytes, hostile[i].n, &p, &err);

        if (s != hostile[i].expected || (s && !err.text[0]) || err.offset > (int64_t)hostile[i].n)
            fail_msg("%s: %s (%s, byte %lld)", hostile[i].what, mtm_status_name(s), err.text,
                     (long long)err.offset);
    }
    mtm_codec_ctx_free(ctx);
}

/* ---- memory -------------------------------------------------------------------------------------------- */

static void test_every_allocation_fails_once(void **state)
{
    for (int kind = 0; kind < 5; kind++) {
        mtm_bytes b = stream_of(kind);
        mtm_status s = MTM_E_NOMEM;

        for (int64_t n = 0; s; n++) {
            mtm_array a = {0};
            mtm_error err = {0};

            mtm_mem_fail_after(n);
            s = mtm_decode(NULL, b.data, b.size_bytes, NULL, &a, &err);
            mtm_mem_fail_after(-1);
            if (s)
                assert_int_equal(s, MTM_E_NOMEM);
            mtm_array_drop(&a);
        }
        mtm_bytes_drop(&b);
    }
}

static void test_steady_state_allocates_nothing(void **state)
{
    mtm_codec_ctx *ctx;

    assert_int_equal(mtm_codec_ctx_new(&ctx, NULL), MTM_OK);
    for (int kind = 0; kind < 5; kind++) {
        mtm_bytes b = stream_of(kind);
        uint16_t out[19 * 17 * 3];
        const mtm_decode_params p = defaults();
        mtm_codec_picture pic;
        mtm_array dst;
        mtm_error err = {0};

        assert_ok(mtm_codec_jpeg.picture(&pic, b.data, b.size_bytes, &p, &err));
        const int64_t shape[3] = {pic.height, pic.width, pic.channels};
        dst = mtm_array_wrap(out, pic.dtype, 3, shape);
        assert_ok(jpeg_decode_own(ctx, b.data, b.size_bytes, &p, &dst, &err));
        mtm_mem_fail_after(0);
        assert_ok(jpeg_decode_own(ctx, b.data, b.size_bytes, &p, &dst, &err));
        mtm_mem_fail_after(-1);
        mtm_bytes_drop(&b);
    }
    mtm_codec_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lossless_matrix),
        cmocka_unit_test(test_lossless_shapes),
        cmocka_unit_test(test_lossless_subsampled),
        cmocka_unit_test(test_many_restarts),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_longest_codes),
        cmocka_unit_test(test_encode_refusals),
        cmocka_unit_test(test_inverse_transform),
        cmocka_unit_test(test_inverse_transform_extremes),
        cmocka_unit_test(test_dct_against_libjpeg),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_missing_eoi),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_steady_state_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
