/* tests/unit/test_ebcot.c: the EBCOT block coder against the example of T.800 J.10, and there and back over every style,
 * band, type and depth, whole and cut short.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/rng.h"
#include "kernel/ebcot.h"

enum { SAMPLES = MTM_BLOCK_MAX_SAMPLES, BYTES = 64 << 10, STYLES = 64 };

typedef struct bench { /* one block on its way there and back */
    mtm_ebcot_kernels k;
    void *scratch;
    int64_t q[SAMPLES], back[SAMPLES];
    uint8_t bytes[BYTES + 2 * MTM_BLOCK_PAD];
    mtm_pass passes[3 * MTM_BLOCK_MAX_PLANES];
    mtm_segment segments[3 * MTM_BLOCK_MAX_PLANES];
    mtm_block_input in;
    mtm_block out;
} bench;

static int setup(void **state)
{
    bench *const b = calloc(1, sizeof *b);

    mtm_ebcot_kernels_init(&b->k, mtm_cpu_flags());
    b->scratch = mtm_alloc_aligned(MTM_EBCOT_SCRATCH_BYTES);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench *const b = *state;

    mtm_free(b->scratch);
    free(b);
    return 0;
}

/* Laplacian-like indices of at most `planes` bits, at least one of them with all. */
static void draw(bench *b, mtm_rng *r, int32_t w, int32_t h, int32_t planes)
{
    const int kind = (int)mtm_rng_below(r, 4);

    for (int32_t i = 0; i < w * h; i++) {
        const int32_t bits = kind == 0   ? planes
                             : kind == 1 ? (int32_t)mtm_rng_below(r, (uint64_t)planes + 1)
                                         : planes - (int32_t)mtm_rng_below(r, (uint64_t)planes + 1) / 2;
        const uint64_t m =
            bits < 1 || (kind == 3 && mtm_rng_below(r, 30)) ? 0 : mtm_rng_u64(r) >> (64 - bits);

        b->q[i] = mtm_rng_below(r, 2) ? -(int64_t)m : (int64_t)m;
    }
    b->q[mtm_rng_below(r, (uint64_t)(w * h))] = INT64_C(1) << (planes - 1);
}

static void encode(bench *b, int32_t w, int32_t h, int style, int band, int32_t planes)
{
    b->in = (mtm_block_input){.src = b->q,
                              .stride = w,
                              .width = w,
                              .height = h,
                              .style = (uint8_t)style,
                              .band = (uint8_t)band,
                              .type = MTM_COEF_I64,
                              .n_planes = planes,
                              .out = b->bytes + MTM_BLOCK_PAD,
                              .passes = b->passes};
    b->in.room_bytes = mtm_ebcot_encode_bound(w, h, planes);
    assert_true(b->in.room_bytes <= BYTES);
    b->k.encode(&b->in, 1, b->scratch);
    assert_int_equal(b->in.status, MTM_BLOCK_OK);
    memset(b->bytes + MTM_BLOCK_PAD + b->in.size_bytes, 0x5A, MTM_BLOCK_PAD);
}

/* Decodes the first n_passes, of which the last segment's bytes are cut where the encoder says. */
static void decode(bench *b, int32_t n_passes, mtm_coef type, void *dst, float step)
{
    uint32_t before = 0;
    int32_t from = 0, n = 0;

    for (int32_t pass = 0; pass < n_passes; pass++)
        if (pass + 1 == n_passes || mtm_ebcot_segment_ends(b->in.style, pass)) {
            b->segments[n++] =
                (mtm_segment){b->passes[pass].size_bytes - before, (uint16_t)(pass + 1 - from)};
            before = b->passes[pass].size_bytes, from = pass + 1;
        }
    b->out = (mtm_block){.data = b->in.out,
                         .segments = b->segments,
                         .n_segments = n,
                         .n_passes = n_passes,
                         .width = b->in.width,
                         .height = b->in.height,
                         .style = b->in.style,
                         .band = b->in.band,
                         .n_planes = b->in.n_planes - b->in.zero_planes,
                         .type = type,
                         .step = step,
                         .dst = dst,
                         .stride = b->in.width};
    b->k.decode(&b->out, 1, b->scratch);
}

static void check_back(bench *b, mtm_rng *r, int32_t w, int32_t h, int style, int band, int32_t planes)
{
    draw(b, r, w, h, planes);
    encode(b, w, h, style, band, planes + (int32_t)mtm_rng_below(r, 3));
    assert_int_equal(b->in.n_passes, 3 * planes - 2);
    assert_int_equal(b->in.size_bytes, b->passes[b->in.n_passes - 1].size_bytes);
    decode(b, b->in.n_passes, MTM_COEF_I64, b->back, 0);
    assert_int_equal(b->out.status, MTM_BLOCK_OK);
    assert_memory_equal(b->back, b->q, (size_t)(w * h) * sizeof *b->q);
}

static void test_every_style(void **state)
{
    mtm_rng r = mtm_rng_at(1, 2, 3, 4);

    for (int style = 0; style < STYLES; style++)
        for (int band = 0; band < 4; band++) {
            check_back(*state, &r, 13, 11, style, band, 1 + (style + 5 * band) % 17);
            check_back(*state, &r, 64, 64, style, band, 3 + (style + band) % 12);
        }
}

static void test_every_depth(void **state)
{
    mtm_rng r = mtm_rng_at(2, 2, 3, 4);

    for (int32_t planes = 1; planes <= MTM_BLOCK_MAX_PLANES - 2; planes++)
        for (int style = 0; style < STYLES; style += 7)
            check_back(*state, &r, 17, 9, style, planes % 4, planes);
}

static void test_every_size(void **state)
{
    static const int32_t long_sides[][2] = {{1024, 4}, {4, 1024}, {1, 1024}, {1024, 1},
                                            {512, 8},  {3, 1000}, {128, 32}};
    mtm_rng r = mtm_rng_at(3, 2, 3, 4);

    for (int32_t w = 1; w <= 20; w++)
        for (int32_t h = 1; h <= 20; h++)
            check_back(*state, &r, w, h, (w * 20 + h) % STYLES, (w + h) % 4, 1 + (w + 3 * h) % 14);
    for (size_t i = 0; i < sizeof long_sides / sizeof *long_sides; i++)
        check_back(*state, &r, long_sides[i][0], long_sides[i][1], (int)i * 9 % STYLES, (int)i % 4, 9);
}

/* What is known of |q| after the first n_passes: v2 (kernel/block.h). Slow, and by the definition of the passes. */
static bool has_neighbour(const bool *significant, int32_t w, int32_t h, int32_t x, int32_t y, bool causal)
{
    for (int32_t j = y - 1; j <= y + 1; j++)
        for (int32_t i = x - 1; i <= x + 1; i++)
            if (i >= 0 && j >= 0 && i < w && j < h && (i != x || j != y) &&
                !(causal && y % 4 == 3 && j > y) && significant[j * w + i])
                return true;
    return false;
}

static void expect(int64_t *v2, const int64_t *q, int32_t w, int32_t h, int32_t planes, int32_t n_passes,
                   bool causal)
{
    static bool significant[SAMPLES], seen[SAMPLES];

    memset(significant, 0, sizeof significant), memset(v2, 0, (size_t)(w * h) * sizeof *v2);
    for (int32_t pass = 0; pass < n_passes; pass++) {
        const int kind = (pass + 2) % 3;
        const int32_t p = planes - 1 - (pass + 2) / 3;

        if (kind == 0 || pass == 0)
            memset(seen, 0, sizeof seen);
        for (int32_t at = 0; at < (h + 3) / 4 * 4 * w; at++) {
            const int32_t x = at % (4 * w) / 4, y = at / (4 * w) * 4 + at % 4, i = y * w + x;

            if (y >= h || seen[i] || (kind == 1 && !significant[i]) ||
                (kind == 0 && (significant[i] || !has_neighbour(significant, w, h, x, y, causal))))
                continue;
            const int64_t m = (q[i] < 0 ? -q[i] : q[i]) >> p;

            seen[i] = true;
            significant[i] = m > 0;
            v2[i] = m == 0     ? 0
                    : q[i] < 0 ? -((2 * m + 1) * (INT64_C(1) << p))
                               : (2 * m + 1) * (INT64_C(1) << p);
        }
    }
}

/* Every prefix of the passes, at the length that the encoder gives, decodes to the middle of what is known. */
static void test_cut_short(void **state)
{
    static int64_t known[SAMPLES];
    bench *const b = *state;
    mtm_rng r = mtm_rng_at(4, 2, 3, 4);

    for (int style = 0; style < STYLES; style++) {
        const int32_t w = 1 + (int32_t)mtm_rng_below(&r, 24), h = 1 + (int32_t)mtm_rng_below(&r, 24);
        const int32_t planes = 1 + (int32_t)mtm_rng_below(&r, 12);

        check_back(b, &r, w, h, style, style % 4, planes);
        for (int32_t n = 0; n <= b->in.n_passes; n++) {
            decode(b, n, MTM_COEF_V2, b->back, 0);
            assert_int_equal(b->out.status, MTM_BLOCK_OK);
            expect(known, b->q, w, h, planes, n, style & MTM_BLOCK_CAUSAL);
            assert_memory_equal(b->back, known, (size_t)(w * h) * sizeof *known);
        }
    }
}

/* Distortions are what the squared errors of such prefixes say. */
static void test_distortion(void **state)
{
    bench *const b = *state;
    mtm_rng r = mtm_rng_at(5, 2, 3, 4);

    for (int turn = 0; turn < 20; turn++) {
        double zero = 0;

        check_back(b, &r, 20, 15, 0, turn % 4, 1 + turn);
        for (int32_t i = 0; i < 300; i++)
            zero += (double)b->q[i] * (double)b->q[i];
        for (int32_t n = 1; n <= b->in.n_passes; n++) {
            double left = 0;

            decode(b, n, MTM_COEF_V2, b->back, 0);
            for (int32_t i = 0; i < 300; i++) { /* exact where the last bit is known */
                const double v = (double)b->back[i] / 2, e = b->back[i] & 1 ? 0 : v - (double)b->q[i];
                left += e * e;
            }
            assert_true(fabs(zero - left - (double)b->passes[n - 1].distortion) <= 1e-6 * zero);
        }
    }
}

static void test_types(void **state)
{
    static int16_t i16[SAMPLES];
    static int32_t i32[SAMPLES];
    static float f32[SAMPLES];
    bench *const b = *state;
    mtm_rng r = mtm_rng_at(6, 2, 3, 4);

    check_back(b, &r, 40, 30, 0, 1, 15);
    decode(b, b->in.n_passes, MTM_COEF_I16, i16, 0);
    assert_int_equal(b->out.status, MTM_BLOCK_OK);
    decode(b, b->in.n_passes, MTM_COEF_I32, i32, 0);
    decode(b, b->in.n_passes, MTM_COEF_F32, f32, 0.37f);
    for (int32_t i = 0; i < 40 * 30; i++) {
        assert_int_equal(i16[i], b->q[i]);
        assert_int_equal(i32[i], b->q[i]);
        const float m = (float)b->q[i] + (b->q[i] > 0 ? 0.5f : b->q[i] < 0 ? -0.5f : 0);
        assert_true(f32[i] == m * 0.37f);
    }
    check_back(b, &r, 40, 30, 0, 1, 20);
    decode(b, b->in.n_passes, MTM_COEF_I16, i16, 0);
    assert_int_equal(b->out.status, MTM_BLOCK_TOO_LARGE);
}

/* All types of input give the same bytes. */
static void test_input_types(void **state)
{
    static int16_t i16[SAMPLES];
    static int32_t i32[SAMPLES];
    static float f32[SAMPLES];
    static uint8_t bytes[BYTES];
    const void *const src[] = {[MTM_COEF_I16] = i16, [MTM_COEF_I32] = i32, [MTM_COEF_F32] = f32};
    bench *const b = *state;
    mtm_rng r = mtm_rng_at(7, 2, 3, 4);

    check_back(b, &r, 40, 30, 0, 1, 12);
    for (int32_t i = 0; i < 40 * 30; i++) {
        i16[i] = (int16_t)b->q[i], i32[i] = (int32_t)b->q[i];
        f32[i] = ((float)b->q[i] + (b->q[i] < 0 ? -0.75f : 0.75f)) / 4;
    }
    for (int type = MTM_COEF_I16; type <= MTM_COEF_F32; type++)
        if (src[type]) {
            mtm_block_input in = b->in;

            in.src = src[type], in.type = (uint8_t)type, in.inverse_step = 4, in.out = bytes,
            in.passes = NULL;
            b->k.encode(&in, 1, b->scratch);
            assert_int_equal(in.status, MTM_BLOCK_OK);
            assert_int_equal(in.size_bytes, b->in.size_bytes);
            assert_memory_equal(bytes, b->in.out, in.size_bytes);
        }
    mtm_block_input in = b->in;
    in.n_planes = 11;
    b->k.encode(&in, 1, b->scratch);
    assert_int_equal(in.status, MTM_BLOCK_TOO_LARGE);
}

static void test_zeros(void **state)
{
    bench *const b = *state;

    memset(b->q, 0, sizeof b->q);
    encode(b, 8, 8, 0, 0, 10);
    assert_int_equal(b->in.n_passes, 0);
    assert_int_equal(b->in.size_bytes, 0);
    assert_int_equal(b->in.zero_planes, 10);
    memset(b->back, 1, sizeof b->back);
    decode(b, 0, MTM_COEF_I64, b->back, 0);
    assert_int_equal(b->out.status, MTM_BLOCK_OK);
    assert_memory_equal(b->back, b->q, 64 * sizeof *b->q);
}

/* The two code-blocks of the example in T.800 J.10, as OpenJPEG 2.5.4 writes them. */
static void test_example(void **state)
{
    static const struct {
        int32_t height, planes;
        int band;
        uint8_t size, bytes[6];
        int64_t q[5];
    } cases[] = {{5, 6, MTM_BAND_LL, 6, {0x01, 0x8F, 0x0D, 0xC8, 0x75, 0x7F}, {-26, -22, -30, -32, -19}},
                 {4, 3, MTM_BAND_LH, 3, {0x0F, 0xB1, 0x7F}, {1, 5, 1, 0}}};
    bench *const b = *state;

    for (int i = 0; i < 2; i++) {
        const size_t q_bytes = (size_t)cases[i].height * sizeof *b->q;

        memcpy(b->q, cases[i].q, q_bytes);
        encode(b, 1, cases[i].height, 0, cases[i].band, 9);
        assert_int_equal(b->in.zero_planes, 9 - cases[i].planes);
        assert_int_equal(b->in.size_bytes, cases[i].size);
        assert_memory_equal(b->in.out, cases[i].bytes, cases[i].size);
        decode(b, b->in.n_passes, MTM_COEF_I64, b->back, 0);
        assert_int_equal(b->out.status, MTM_BLOCK_OK);
        assert_memory_equal(b->back, cases[i].q, q_bytes);
    }
}

/* What breaks the rules for certain is said to. */
static void test_corrupt(void **state)
{
    bench *const b = *state;
    mtm_rng r = mtm_rng_at(8, 2, 3, 4);
    int found = 0;

    check_back(b, &r, 32, 32, 0, 0, 5);
    b->out.n_planes = 4; /* more passes than its bit-planes have */
    b->k.decode(&b->out, 1, b->scratch);
    assert_int_equal(b->out.status, MTM_BLOCK_CORRUPT);
    check_back(b, &r, 32, 32, MTM_BLOCK_TERMALL, 0, 5);
    b->segments[0].n_passes = 2, b->segments[1].n_passes = 0; /* a segment for two passes */
    b->k.decode(&b->out, 1, b->scratch);
    assert_int_equal(b->out.status, MTM_BLOCK_CORRUPT);
    for (int turn = 0; turn < 50; turn++) {
        check_back(b, &r, 32, 32, MTM_BLOCK_SEGSYM, 0, 5);
        b->in.out[mtm_rng_below(&r, b->in.size_bytes / 2)] ^= 0x10;
        b->k.decode(&b->out, 1, b->scratch);
        found += b->out.status == MTM_BLOCK_CORRUPT;
    }
    assert_true(found >= 45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),     cmocka_unit_test(test_every_style),
        cmocka_unit_test(test_every_depth), cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_cut_short),   cmocka_unit_test(test_distortion),
        cmocka_unit_test(test_types),       cmocka_unit_test(test_input_types),
        cmocka_unit_test(test_zeros),       cmocka_unit_test(test_corrupt),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
