/* tests/unit/test_ht_decode.c: what the HT block decoder says of bytes that break the coding rules, of coefficients that
 * do not fit, and what it leaves then; in every tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "unit.h"

#include "base/rng.h"
#include "kernel/ht.h"

enum { SIDE = 32, ROOM = 16 << 10, PLANES = 9 };

typedef struct fixture {
    mtm_ht_kernels kernels;
    mtm_segment segments[2];
    mtm_block block; /* good, of magnitudes below 2^9 */
    int32_t src[SIDE * SIDE];
    int16_t dst[SIDE * SIDE];
    uint8_t bytes[ROOM + 2 * MTM_BLOCK_PAD];
    _Alignas(64) uint8_t scratch[MTM_HT_SCRATCH_BYTES];
} fixture;

/* Encodes f->src, of which no magnitude needs more than n_planes bits, into the block. */
static void encode(fixture *f, int n_planes)
{
    uint8_t *const data = f->bytes + MTM_BLOCK_PAD;
    mtm_block_input in = {.src = f->src,
                          .stride = SIDE,
                          .width = SIDE,
                          .height = SIDE,
                          .style = MTM_BLOCK_HT,
                          .type = MTM_COEF_I32,
                          .n_planes = n_planes,
                          .out = data,
                          .room_bytes = ROOM};

    f->kernels.encode(&in, 1, f->scratch);
    assert_int_equal(in.status, MTM_BLOCK_OK);
    f->segments[0] = (mtm_segment){in.size_bytes, 1}, f->segments[1] = (mtm_segment){0, 2};
    f->block = (mtm_block){.data = data,
                           .segments = f->segments,
                           .n_segments = 1,
                           .n_passes = 1,
                           .width = SIDE,
                           .height = SIDE,
                           .n_planes = n_planes,
                           .style = MTM_BLOCK_HT,
                           .type = MTM_COEF_I16,
                           .dst = f->dst,
                           .stride = SIDE};
}

static void begin(fixture *f)
{
    mtm_rng rng = mtm_rng_at(3, 0, 0, 0);

    for (int i = 0; i < SIDE * SIDE; i++)
        f->src[i] = (int32_t)mtm_rng_below(&rng, 1023) - 511;
    encode(f, PLANES);
}

/* Decodes; what is not OK leaves zeros. */
static void expect(fixture *f, const mtm_block *b, mtm_block_status status)
{
    mtm_block d = *b;

    memset(f->dst, 0x55, sizeof f->dst);
    f->kernels.decode(&d, 1, f->scratch);
    assert_int_equal(d.status, status);
    for (int i = 0; i < SIDE * SIDE; i++)
        assert_int_equal(f->dst[i], status == MTM_BLOCK_OK ? f->src[i] : 0);
}

static void set_scup(fixture *f, uint32_t scup)
{
    uint8_t *const end = f->bytes + MTM_BLOCK_PAD + f->segments[0].size_bytes;

    end[-1] = (uint8_t)(scup >> 4), end[-2] = (uint8_t)((end[-2] & 0xF0) | (scup & 0xF));
}

static void lengths(fixture *f)
{
    begin(f);
    const uint32_t lcup = f->segments[0].size_bytes;

    expect(f, &f->block, MTM_BLOCK_OK);
    set_scup(f, 1), expect(f, &f->block, MTM_BLOCK_CORRUPT);
    set_scup(f, lcup + 1), expect(f, &f->block, MTM_BLOCK_CORRUPT);
    begin(f);
    for (uint32_t n = 0; n < 2; n++) {
        f->segments[0].size_bytes = n;
        expect(f, &f->block, MTM_BLOCK_CORRUPT);
    }
    memset(f->bytes, 0, sizeof f->bytes);
    f->segments[0].size_bytes = 8000;
    set_scup(f, 4080), expect(f, &f->block, MTM_BLOCK_CORRUPT); /* Scup may not be so large */
}

/* Takes n bytes out of MagSgn, or out of the front of VLC. */
static void missing(fixture *f)
{
    begin(f);
    uint8_t *const data = f->bytes + MTM_BLOCK_PAD;
    const uint32_t lcup = f->segments[0].size_bytes;
    const uint32_t scup = (uint32_t)data[lcup - 1] << 4 | (data[lcup - 2] & 0xFu), pcup = lcup - scup;
    mtm_block b = f->block;

    b.data += 40, f->segments[0].size_bytes -= 40; /* MagSgn is short, though it says something else too */
    expect(f, &b, MTM_BLOCK_CORRUPT);
    begin(f);
    memmove(data + pcup, data + pcup + 60, scup - 60), f->segments[0].size_bytes -= 60;
    set_scup(f, scup - 60), expect(f, &f->block, MTM_BLOCK_CORRUPT);
    begin(f);
    for (uint32_t i = 0; i + 1 < pcup; i++)
        if (data[i] == 0xFF) {
            data[i + 1] |= 0x80; /* the stuffed bit */
            expect(f, &f->block, MTM_BLOCK_CORRUPT);
            return;
        }
    fail_msg("no 0xFF in the bytes");
}

static void planes(fixture *f)
{
    mtm_block b;

    begin(f);
    for (int n = -1; n < PLANES; n++) { /* 511 needs them all */
        b = f->block, b.n_planes = n;
        expect(f, &b, MTM_BLOCK_CORRUPT);
    }
    b = f->block, b.n_planes = MTM_BLOCK_MAX_PLANES, expect(f, &b, MTM_BLOCK_OK);
    b.n_planes++, expect(f, &b, MTM_BLOCK_CORRUPT);
    b = f->block, b.plane = -1, expect(f, &b, MTM_BLOCK_CORRUPT);
    b = f->block, b.n_passes = 2, expect(f, &b, MTM_BLOCK_CORRUPT); /* below bit-plane 0 */
    b = f->block, b.plane = 1, b.n_passes = 4, expect(f, &b, MTM_BLOCK_CORRUPT);
    b = f->block, b.plane = 1, b.n_segments = 3, expect(f, &b, MTM_BLOCK_CORRUPT);
}

static void fitting(fixture *f)
{
    mtm_block b;

    begin(f);
    memset(f->src, 0, sizeof f->src);
    f->src[77] = -INT16_MAX, f->src[500] = INT16_MAX;
    encode(f, 20), expect(f, &f->block, MTM_BLOCK_OK);
    b = f->block, b.plane = 1, expect(f, &b, MTM_BLOCK_TOO_LARGE);
    f->src[500]++;
    encode(f, 20), expect(f, &f->block, MTM_BLOCK_TOO_LARGE);
    f->src[500] = 0, f->src[77]--;
    encode(f, 20), expect(f, &f->block, MTM_BLOCK_TOO_LARGE); /* one size of magnitude for both signs */
}

static void nothing(fixture *f)
{
    mtm_block b;

    begin(f);
    memset(f->src, 0, sizeof f->src);
    b = f->block, b.n_passes = 0, expect(f, &b, MTM_BLOCK_OK);
    b = f->block, b.n_segments = 0, expect(f, &b, MTM_BLOCK_OK);
    f->kernels.decode(NULL, 0, f->scratch);
}

static void over_tiers(void **state, void (*test)(fixture *f))
{
    const unsigned tiers[] = {0, MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512,
                              MTM_CPU_AVX2 | MTM_CPU_AVX512 | MTM_CPU_VBMI2};
    fixture *const f = *state;

    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
        if ((tiers[i] & mtm_cpu_flags()) == tiers[i]) {
            mtm_ht_kernels_init(&f->kernels, tiers[i]);
            test(f);
        }
}

#define TEST(name)                                                                                           \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        over_tiers(state, name);                                                                             \
    }
TEST(lengths)
TEST(missing)
TEST(planes)
TEST(fitting)
TEST(nothing)

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
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_missing), cmocka_unit_test(test_planes),
        cmocka_unit_test(test_fitting), cmocka_unit_test(test_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
