/* tests/unit/test_ht.c: HT code-blocks: what is encoded decodes to itself, in every tier, type, size and depth.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/rng.h"
#include "ht_refine.h"
#include "kernel/ht.h"

enum { ROOM = 64 << 10 };

typedef struct fixture {
    mtm_ht_kernels kernels;
    mtm_rng rng;
    int64_t in[MTM_BLOCK_MAX_SAMPLES];
    uint8_t src[MTM_BLOCK_MAX_SAMPLES * 8], dst[MTM_BLOCK_MAX_SAMPLES * 8];
    uint8_t bytes[ROOM + 2 * MTM_BLOCK_PAD];
    _Alignas(64) uint8_t scratch[MTM_HT_SCRATCH_BYTES];
} fixture;

static int64_t get(const void *p, int type, int i)
{
    switch (type) {
    case MTM_COEF_I16: return ((const int16_t *)p)[i];
    case MTM_COEF_I32: return ((const int32_t *)p)[i];
    case MTM_COEF_F32: return (int64_t)((const float *)p)[i];
    default: return ((const int64_t *)p)[i];
    }
}

static void set(void *p, int type, int i, int64_t x)
{
    switch (type) {
    case MTM_COEF_I16: ((int16_t *)p)[i] = (int16_t)x; break;
    case MTM_COEF_I32: ((int32_t *)p)[i] = (int32_t)x; break;
    case MTM_COEF_F32: ((float *)p)[i] = (float)x; break;
    default: ((int64_t *)p)[i] = x;
    }
}

static mtm_block_input encode(fixture *f, int type, int width, int height, int n_planes)
{
    mtm_block_input b = {.src = f->src,
                         .stride = width,
                         .width = width,
                         .height = height,
                         .style = MTM_BLOCK_HT,
                         .type = (uint8_t)type,
                         .inverse_step = 1,
                         .n_planes = n_planes,
                         .out = f->bytes + MTM_BLOCK_PAD,
                         .room_bytes = mtm_ht_encode_bound(width, height, n_planes)};

    assert_true(b.room_bytes <= ROOM);
    for (int i = 0; i < width * height; i++)
        set(f->src, type, i, f->in[i]);
    f->kernels.encode(&b, 1, f->scratch);
    return b;
}

static mtm_block decode(fixture *f, int type, const mtm_block_input *b)
{
    const mtm_segment segment = {b->size_bytes, 1};
    mtm_block d = {.data = b->out,
                   .segments = &segment,
                   .n_segments = b->n_passes,
                   .n_passes = b->n_passes,
                   .width = b->width,
                   .height = b->height,
                   .n_planes = b->zero_planes + 1,
                   .plane = b->n_planes - 1 - b->zero_planes,
                   .style = MTM_BLOCK_HT,
                   .type = (uint8_t)type,
                   .step = 1,
                   .dst = f->dst,
                   .stride = b->width};

    memset(f->dst, 0xA5, sizeof f->dst);
    f->kernels.decode(&d, 1, f->scratch);
    d.segments = NULL;
    return d;
}

static void round_trip(fixture *f, int type, int width, int height, int n_planes)
{
    const mtm_block_input b = encode(f, type, width, height, n_planes);

    assert_int_equal(b.status, MTM_BLOCK_OK);
    const mtm_block d = decode(f, type, &b);
    assert_int_equal(d.status, MTM_BLOCK_OK);
    for (int i = 0; i < width * height; i++)
        if (get(f->dst, type, i) != f->in[i])
            fail_msg("%d × %d, %d planes, type %d: coefficient %d is %lld, not %lld", width, height, n_planes,
                     type, i, (long long)get(f->dst, type, i), (long long)f->in[i]);
}

/* Magnitudes of up to `planes` bits: all of them likely, some rare, or none but the greatest. */
static void draw(fixture *f, int n, int planes, int sparse)
{
    const int64_t most = ((int64_t)1 << planes) - 1;

    for (int i = 0; i < n; i++) {
        int64_t x =
            (int64_t)(mtm_rng_u64(&f->rng) & (uint64_t)most) >> mtm_rng_below(&f->rng, (uint64_t)planes + 1);

        if (mtm_rng_below(&f->rng, 5) == 0)
            x = most;
        if (sparse && mtm_rng_below(&f->rng, (uint64_t)sparse))
            x = 0;
        f->in[i] = mtm_rng_below(&f->rng, 2) ? x : -x;
    }
}

static void over_tiers(fixture *f, void (*test)(fixture *f))
{
    const unsigned tiers[] = {0, MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512,
                              MTM_CPU_AVX2 | MTM_CPU_AVX512 | MTM_CPU_VBMI2};

    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
        if ((tiers[i] & mtm_cpu_flags()) == tiers[i]) {
            mtm_ht_kernels_init(&f->kernels, tiers[i]);
            f->rng = mtm_rng_at(7, i, 0, 0);
            test(f);
        }
}

static void sizes(fixture *f)
{
    for (int i = 0; i < 400; i++) {
        const int wide = 1 + (int)mtm_rng_below(&f->rng, i % 4 ? 64 : 1024);
        const int high = 1 + (int)mtm_rng_below(&f->rng, i % 4 ? 64 : 4);
        const int planes = 1 + (int)mtm_rng_below(&f->rng, 15);

        draw(f, wide * high, planes, i % 3 * 20);
        round_trip(f, i % 2 ? MTM_COEF_I16 : MTM_COEF_I32, i % 8 ? wide : high, i % 8 ? high : wide, planes);
    }
    draw(f, 5 * 819, 15, 0);
    round_trip(f, MTM_COEF_I16, 5, 819, 15); /* the most quads */
    round_trip(f, MTM_COEF_I16, 819, 5, 15);
}

static void depths(fixture *f)
{
    for (int planes = 1; planes <= MTM_BLOCK_MAX_PLANES; planes++)
        for (int sparse = 0; sparse <= 100; sparse += 50) {
            draw(f, 64 * 17, planes, sparse);
            round_trip(f, MTM_COEF_I64, 64, 17, planes);
            if (planes < MTM_BLOCK_MAX_PLANES)
                round_trip(f, MTM_COEF_I64, 17, 64, planes + 1);
            if (planes < 32)
                round_trip(f, MTM_COEF_I32, 64, 17, planes);
            if (planes < 16)
                round_trip(f, MTM_COEF_I16, 64, 17, planes);
        }
}

/* Only one coefficient is not 0, in every place of its quads' neighbourhood. */
static void single(fixture *f)
{
    memset(f->in, 0, sizeof f->in);
    for (int i = 0; i < 9 * 7; i++) {
        f->in[i] = i % 2 ? 1 : -300;
        round_trip(f, MTM_COEF_I16, 9, 7, 9);
        f->in[i] = 0;
    }
}

static void test_sizes(void **state)
{
    over_tiers(*state, sizes);
}

static void test_depths(void **state)
{
    over_tiers(*state, depths);
}

static void test_single(void **state)
{
    over_tiers(*state, single);
}

static void zeros(fixture *f)
{
    memset(f->in, 0, sizeof f->in);
    const mtm_block_input b = encode(f, MTM_COEF_I16, 33, 5, 9);

    assert_int_equal(b.status, MTM_BLOCK_OK);
    assert_int_equal(b.n_passes, 0);
    assert_int_equal(b.size_bytes, 0);
    round_trip(f, MTM_COEF_I32, 33, 5, 9);
}

static void test_zeros(void **state)
{
    over_tiers(*state, zeros);
}

/* T.800 equation E-1: towards zero, sign kept. */
static void quantiser(fixture *f)
{
    static const float x[] = {0.99f, 1.0f, -2.49f, 2.5f, -0.4f, 1000.1f, -1000.9f, 0};
    static const int q[] = {1, 2, -4, 5, 0, 2000, -2001, 0};
    mtm_block_input b = encode(f, MTM_COEF_F32, 8, 1, 11);

    memcpy(f->src, x, sizeof x);
    b.inverse_step = 2;
    f->kernels.encode(&b, 1, f->scratch);
    assert_int_equal(b.status, MTM_BLOCK_OK);
    assert_int_equal(decode(f, MTM_COEF_I32, &b).status, MTM_BLOCK_OK);
    for (int i = 0; i < 8; i++)
        assert_int_equal(get(f->dst, MTM_COEF_I32, i), q[i]);
}

static void test_quantiser(void **state)
{
    over_tiers(*state, quantiser);
}

/* A magnitude that needs more bit-planes than the subband has is no block, and none is written. */
static void too_large(fixture *f)
{
    for (int planes = 1; planes < 15; planes++) {
        draw(f, 64 * 64, planes, 0);
        f->in[64 * 63 + 62] = (int64_t)1 << planes;
        const mtm_block_input b = encode(f, MTM_COEF_I16, 64, 64, planes);

        assert_int_equal(b.status, MTM_BLOCK_TOO_LARGE);
        assert_int_equal(b.size_bytes, 0);
        assert_int_equal(encode(f, MTM_COEF_I16, 64, 64, planes + 1).status, MTM_BLOCK_OK);
    }
}

static void test_too_large(void **state)
{
    over_tiers(*state, too_large);
}

/* Cleanup at bit-plane 1, then `passes` − 1 refinement passes at bit-plane 0, into every type that they fit. */
static void refined_block(fixture *f, int width, int height, int n_planes, int passes, uint8_t style)
{
    static const uint8_t types[] = {MTM_COEF_V2, MTM_COEF_I64, MTM_COEF_I32, MTM_COEF_F32, MTM_COEF_I16};
    static int64_t v2[MTM_BLOCK_MAX_SAMPLES];
    ht_refined r;

    if (!ht_refine_encode(&r, v2, f->bytes + MTM_BLOCK_PAD, f->in, width, height, n_planes, passes, style))
        return;
    const int last = n_planes < 15 ? 5 : n_planes < 31 ? 4 : 2;
    for (int k = 0; k < last; k++) {
        mtm_block d = {.data = f->bytes + MTM_BLOCK_PAD,
                       .segments = r.segments,
                       .n_segments = passes > 1 ? 2 : 1,
                       .n_passes = passes,
                       .width = width,
                       .height = height,
                       .n_planes = r.zero_planes + 1,
                       .plane = n_planes - 1 - r.zero_planes,
                       .style = style,
                       .type = types[k],
                       .step = 2,
                       .dst = f->dst,
                       .stride = width};

        memset(f->dst, 0xA5, sizeof f->dst);
        f->kernels.decode(&d, 1, f->scratch);
        assert_int_equal(d.status, MTM_BLOCK_OK);
        for (int i = 0; i < width * height; i++) {
            const int64_t magnitude = v2[i] < 0 ? -v2[i] : v2[i],
                          whole = v2[i] < 0 ? -(magnitude >> 1) : magnitude >> 1;
            const int64_t expected = types[k] == MTM_COEF_V2    ? v2[i]
                                     : types[k] == MTM_COEF_F32 ? (int64_t)(float)v2[i]
                                                                : whole;

            if (get(f->dst, types[k], i) != expected)
                fail_msg("%d × %d, %d planes, %d passes, style %d, type %d: coefficient %d is %lld, not %lld",
                         width, height, n_planes, passes, style, types[k], i,
                         (long long)get(f->dst, types[k], i), (long long)expected);
        }
    }
}

static void refined(fixture *f)
{
    for (int i = 0; i < 400; i++) {
        const int wide = 1 + (int)mtm_rng_below(&f->rng, i % 4 ? 64 : 1024);
        const int high = 1 + (int)mtm_rng_below(&f->rng, i % 4 ? 64 : 4);
        const int planes = 2 + (int)mtm_rng_below(&f->rng, i % 3 ? 13 : 36);

        draw(f, wide * high, i % 5 ? 2 + (int)mtm_rng_below(&f->rng, (uint64_t)planes - 1) : 2, i % 3 * 10);
        refined_block(f, i % 8 ? wide : high, i % 8 ? high : wide, planes, 1 + i % 3,
                      i % 7 ? MTM_BLOCK_HT : MTM_BLOCK_HT | MTM_BLOCK_CAUSAL);
    }
}

static void test_refined(void **state)
{
    over_tiers(*state, refined);
}

static int set_up(void **state)
{
    return (*state = aligned_alloc(64, (sizeof(fixture) + 63) & ~(size_t)63)) ? 0 : -1;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_depths), cmocka_unit_test(test_single),
        cmocka_unit_test(test_refined),   cmocka_unit_test(test_zeros),  cmocka_unit_test(test_quantiser),
        cmocka_unit_test(test_too_large),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
