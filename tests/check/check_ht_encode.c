/* tests/check/check_ht_encode.c: every variant of the HT block encoder against the C reference, byte for byte.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>
#include <string.h>

enum { BATCH = 3 };

static const uint8_t element_bytes[] = {
    [MTM_COEF_I16] = 2, [MTM_COEF_I32] = 4, [MTM_COEF_I64] = 8, [MTM_COEF_F32] = 4};

/* What coefficients are like. */
typedef enum kind { ZERO, SPARSE, TERNARY, LAPLACE, RAMPED, UNIFORM, EXTREME, KINDS } kind;

static int64_t coefficient(mtm_check *c, kind what, int planes, int x)
{
    const int64_t most = ((int64_t)1 << planes) - 1, sign = mtm_check_below(c, 2) ? 1 : -1;

    switch (what) {
    case ZERO: return 0;
    case SPARSE: return mtm_check_below(c, 60) ? 0 : sign * mtm_check_below(c, most + 1);
    case TERNARY: return mtm_check_below(c, 3) - 1;
    case LAPLACE: return sign * (mtm_check_below(c, most + 1) >> mtm_check_below(c, planes + 1));
    case RAMPED: return sign * (mtm_check_below(c, most + 1) >> (x & 63) * planes / 64);
    case UNIFORM: return sign * mtm_check_below(c, most + 1);
    default: return mtm_check_below(c, 2) ? sign * most : sign * (most / 2 + 1);
    }
}

static void store(const mtm_block_input *b, void *row, int x, int64_t value)
{
    switch (b->type) {
    case MTM_COEF_I16: /* has one more below zero */
        ((int16_t *)row)[x] = (int16_t)(b->n_planes >= 16 && value == -INT16_MAX ? INT16_MIN : value);
        break;
    case MTM_COEF_I32: ((int32_t *)row)[x] = (int32_t)value; break;
    case MTM_COEF_F32: ((float *)row)[x] = (float)value * 0.75f; break;
    default: ((int64_t *)row)[x] = value;
    }
}

/* A block of a type, with random strides; magnitudes of up to `planes` bits, of b->n_planes that may be coded. */
static mtm_block_input draw(mtm_check *c, int type, kind what, int width, int height, int planes)
{
    const int widest[] = {[MTM_COEF_I16] = 15, [MTM_COEF_I32] = 31, [MTM_COEF_I64] = 38, [MTM_COEF_F32] = 31};
    mtm_block_input b = {.type = (uint8_t)type, .width = width, .height = height, .style = MTM_BLOCK_HT};

    planes = planes < widest[type] ? planes : widest[type];
    b.n_planes = planes + (int)mtm_check_below(c, 3);
    b.n_planes = b.n_planes > MTM_BLOCK_MAX_PLANES ? MTM_BLOCK_MAX_PLANES : b.n_planes;
    if (!mtm_check_below(c, 16)) /* too few for some of them */
        b.n_planes = 1 + (int)mtm_check_below(c, planes);
    b.inverse_step = mtm_check_below(c, 2) ? 1.0f : 0.4f;
    b.stride = width + mtm_check_below(c, 9);
    uint8_t *const src = mtm_check_alloc(c, (size_t)((height - 1) * b.stride + width) * element_bytes[type],
                                         element_bytes[type]);
    b.src = src;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            store(&b, src + y * b.stride * element_bytes[type], x, coefficient(c, what, planes, x));
    b.room_bytes = mtm_ht_encode_bound(width, height, b.n_planes);
    return b;
}

/* Encodes the same blocks with both. */
static void compare(mtm_check *c, const mtm_block_input *blocks, int n)
{
    mtm_block_input a[BATCH], b[BATCH];
    void *const scratch = mtm_check_alloc(c, MTM_HT_SCRATCH_BYTES, 64);

    for (int i = 0; i < n; i++) {
        a[i] = b[i] = blocks[i];
        a[i].out = mtm_check_alloc(c, a[i].room_bytes, 1), b[i].out = mtm_check_alloc(c, b[i].room_bytes, 1);
    }
    c->ref.ht.encode(a, n, scratch);
    for (int i = 0; i < MTM_HT_SCRATCH_BYTES; i++)
        ((uint8_t *)scratch)[i] ^= 0x5A;
    c->now.ht.encode(b, n, scratch);
    for (int i = 0; i < n; i++) {
        mtm_check_i64(c, "status", a[i].status, b[i].status);
        mtm_check_i64(c, "size", a[i].size_bytes, b[i].size_bytes);
        mtm_check_i64(c, "passes", a[i].n_passes, b[i].n_passes);
        mtm_check_i64(c, "zero planes", a[i].zero_planes, b[i].zero_planes);
        if (a[i].size_bytes == b[i].size_bytes)
            mtm_check_bytes(c, "segment", a[i].out, b[i].out, a[i].size_bytes);
    }
    mtm_check_case_end(c);
}

static kind some_kind(mtm_check *c)
{
    return (kind)mtm_check_below(c, KINDS);
}

static void check_sizes(mtm_check *c)
{
    mtm_block_input b;

    for (int i = 0; i < 64 * 64;
         i += 1 + (int)mtm_check_below(c, 10)) { /* all sides 1 … 64, some of their pairs */
        b = draw(c, i % 3, some_kind(c), 1 + i / 64, 1 + i % 64, 1 + (int)mtm_check_below(c, 15));
        compare(c, &b, 1);
    }
    for (int i = 0; i < 128; i++) {
        const int longer = i < 4 ? 1024 : 1 + (int)mtm_check_below(c, 1024), shorter = 1 + i % 4;

        b = draw(c, i % 2, some_kind(c), i & 1 ? longer : shorter, i & 1 ? shorter : longer, 12);
        compare(c, &b, 1);
    }
    b = draw(c, MTM_COEF_I16, UNIFORM, 5, 819, 15), compare(c, &b, 1); /* most quads of all */
    b = draw(c, MTM_COEF_I16, UNIFORM, 819, 5, 15), compare(c, &b, 1);
}

static void check_depths(mtm_check *c)
{
    for (int i = 0; i < 3 * KINDS * MTM_BLOCK_MAX_PLANES; i += 2) {
        const int type = i % 3 == 1 ? MTM_COEF_F32 : i % 3 ? MTM_COEF_I64 : MTM_COEF_I32;
        const mtm_block_input b =
            draw(c, type, (kind)(i % KINDS), 64, 2 + (int)mtm_check_below(c, 30), 1 + i / 3 / KINDS);
        compare(c, &b, 1);
    }
    for (int i = 0; i < KINDS * 16; i++) {
        const mtm_block_input b = draw(c, MTM_COEF_I16, (kind)(i % KINDS), 64, 64, 1 + i / KINDS);
        compare(c, &b, 1);
    }
}

static void check_batches(mtm_check *c)
{
    for (int i = 0; i < 50; i++) {
        mtm_block_input b[BATCH];

        for (int k = 0; k < BATCH; k++)
            b[k] = draw(c, (int)mtm_check_below(c, 4), some_kind(c), 1 + (int)mtm_check_below(c, 64),
                        1 + (int)mtm_check_below(c, 64), 1 + (int)mtm_check_below(c, 31));
        compare(c, b, (int)mtm_check_below(c, BATCH + 1));
    }
}

/* Values that no integer holds, and room that is too small. */
static void check_refused(mtm_check *c)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e38f, -5e9f, 3e9f, 0x1p62f};

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        mtm_block_input b = draw(c, MTM_COEF_F32, LAPLACE, 33, 7, 9);

        ((float *)(uintptr_t)b.src)[5] = odd[i];
        compare(c, &b, 1);
    }
    mtm_block_input b = draw(c, MTM_COEF_I16, LAPLACE, 64, 64, 9);
    b.room_bytes--;
    compare(c, &b, 1);
}

static void bench(mtm_check *c)
{
    mtm_block_input a = draw(c, MTM_COEF_I16, RAMPED, 64, 64, 10), b;
    void *const scratch = mtm_check_alloc(c, MTM_HT_SCRATCH_BYTES, 64);

    a.n_planes = 15, a.room_bytes = mtm_ht_encode_bound(64, 64, 15);
    a.out = mtm_check_alloc(c, a.room_bytes, 64), b = a;
    mtm_check_bench(c, 4096, c->ref.ht.encode(&a, 1, scratch), c->now.ht.encode(&b, 1, scratch));
}

void check_ht_encode(mtm_check *c)
{
    if (!mtm_check_kernel(c, "encode", c->ref.ht.encode, c->now.ht.encode))
        return;
    check_sizes(c);
    check_depths(c);
    check_batches(c);
    check_refused(c);
    bench(c);
}
