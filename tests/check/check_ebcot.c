/* tests/check/check_ebcot.c: variants of the EBCOT block coder against the C reference: blocks of every style, size,
 * depth and type, whole, cut short and damaged.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

enum { BLOCKS = 5, CASES = 200, MAX_PASSES = 3 * MTM_BLOCK_MAX_PLANES };

typedef struct coded { /* one block, encoded by the reference */
    mtm_block_input in;
    mtm_pass passes[MAX_PASSES];
    mtm_segment segments[MAX_PASSES];
    int32_t n_segments, n_passes;
} coded;

static const size_t coef_bytes[] = {
    [MTM_COEF_I16] = 2, [MTM_COEF_I32] = 4, [MTM_COEF_I64] = 8, [MTM_COEF_F32] = 4, [MTM_COEF_V2] = 8};

/* Rough or smooth, dense or sparse magnitudes of at most `planes` bits. */
static int64_t draw_index(mtm_check *c, int kind, int32_t planes)
{
    const int64_t bits = kind == 0 ? planes : mtm_check_below(c, planes + 1);
    const uint64_t m =
        bits == 0 || (kind == 2 && mtm_check_below(c, 20)) ? 0 : mtm_rng_u64(&c->rng) >> (64 - bits);

    return mtm_check_below(c, 2) ? -(int64_t)m : (int64_t)m;
}

static void draw_block(mtm_check *c, mtm_block_input *b, int i)
{
    static const int types[] = {MTM_COEF_I16, MTM_COEF_I32, MTM_COEF_I64, MTM_COEF_F32};
    const int kind = i % 3;

    *b = (mtm_block_input){.style = (uint8_t)(i % 2 ? mtm_check_below(c, 64) : 0),
                           .band = (uint8_t)mtm_check_below(c, 4),
                           .type = (uint8_t)types[mtm_check_below(c, 4)],
                           .inverse_step = 0.25f};
    b->width = (int32_t)(i % 5 == 4 ? 64 : 1 + mtm_check_below(c, 70));
    b->height =
        (int32_t)(i % 5 == 4 ? 64 : 1 + mtm_check_below(c, MTM_BLOCK_MAX_SAMPLES / b->width > 70 ? 70 : 58));
    b->stride = b->width + (ptrdiff_t)mtm_check_below(c, 3);
    b->n_planes = (int32_t)(1 + mtm_check_below(c, b->type == MTM_COEF_I16   ? 15
                                                   : b->type == MTM_COEF_I64 ? MTM_BLOCK_MAX_PLANES
                                                                             : 24));
    void *const src =
        mtm_check_alloc(c, (size_t)(b->stride * b->height) * coef_bytes[b->type], coef_bytes[b->type]);
    const int32_t planes = b->n_planes - (int32_t)mtm_check_below(c, b->n_planes);
    for (ptrdiff_t k = 0; k < b->stride * b->height; k++) {
        const int64_t q = draw_index(c, kind, planes);

        if (b->type == MTM_COEF_I16)
            ((int16_t *)src)[k] = (int16_t)q;
        else if (b->type == MTM_COEF_I32)
            ((int32_t *)src)[k] = (int32_t)q;
        else if (b->type == MTM_COEF_I64)
            ((int64_t *)src)[k] = q;
        else
            ((float *)src)[k] = 4 * ((float)q + (float)mtm_check_below(c, 8) / 16);
    }
    b->src = src;
    b->room_bytes = mtm_ebcot_encode_bound(b->width, b->height, b->n_planes);
}

static void *scratch(mtm_check *c)
{
    return mtm_check_alloc(c, MTM_EBCOT_SCRATCH_BYTES, 64);
}

static void compare_encoded(mtm_check *c, const mtm_block_input *a, const mtm_block_input *b)
{
    mtm_check_i64(c, "status", a->status, b->status);
    mtm_check_i64(c, "bytes", a->size_bytes, b->size_bytes);
    mtm_check_i64(c, "passes", a->n_passes, b->n_passes);
    mtm_check_i64(c, "zero planes", a->zero_planes, b->zero_planes);
    if (a->size_bytes == b->size_bytes)
        mtm_check_bytes(c, "codeword", a->out, b->out, a->size_bytes);
    for (int32_t k = 0; a->passes && k < a->n_passes && a->n_passes == b->n_passes; k++) {
        mtm_check_i64(c, "length", a->passes[k].size_bytes, b->passes[k].size_bytes);
        mtm_check_f32(c, "distortion", &a->passes[k].distortion, &b->passes[k].distortion, 1, 0, 0);
    }
}

static void check_encode(mtm_check *c)
{
    static mtm_pass passes[2][BLOCKS][MAX_PASSES];

    for (int i = 0; i < CASES; i++) {
        const int n = 1 + i % BLOCKS;
        mtm_block_input b[2][BLOCKS];

        for (int k = 0; k < n; k++) {
            draw_block(c, &b[0][k], i / 2 + k);
            b[1][k] = b[0][k];
            if (i % 11 == 10) /* too few bit-planes */
                b[0][k].n_planes = b[1][k].n_planes = 1;
            for (int v = 0; v < 2; v++) {
                b[v][k].out = mtm_check_alloc(c, b[0][k].room_bytes, 1);
                b[v][k].passes = i % 4 ? passes[v][k] : NULL;
            }
        }
        c->ref.ebcot.encode(b[0], n, scratch(c)), c->now.ebcot.encode(b[1], n, scratch(c));
        for (int k = 0; k < n; k++)
            compare_encoded(c, &b[0][k], &b[1][k]);
        mtm_check_case_end(c);
    }
}

/* The segments of the first n_passes; each as long as the encoder says. */
static void cut(coded *e, int32_t n_passes)
{
    uint32_t before = 0;
    int32_t from = 0;

    e->n_segments = 0, e->n_passes = n_passes;
    for (int32_t pass = 0; pass < n_passes; pass++)
        if (pass + 1 == n_passes || mtm_ebcot_segment_ends(e->in.style, pass)) {
            const uint32_t end = e->passes[pass].size_bytes;

            e->segments[e->n_segments++] = (mtm_segment){end - before, (uint16_t)(pass + 1 - from)};
            before = end, from = pass + 1;
        }
}

/* Bytes, lengths or numbers that no encoder wrote. */
static void damage(mtm_check *c, coded *e, uint8_t *data)
{
    for (int64_t n = mtm_check_below(c, 4); n > 0 && e->in.size_bytes; n--)
        data[mtm_check_below(c, e->in.size_bytes)] =
            (uint8_t)(mtm_check_below(c, 3) ? mtm_check_below(c, 256) : 0xFF);
    if (e->n_segments && mtm_check_below(c, 2)) {
        mtm_segment *const s = e->segments + mtm_check_below(c, e->n_segments);

        s->size_bytes = (uint32_t)mtm_check_below(c, s->size_bytes + 1);
    }
    if (mtm_check_below(c, 4) == 0)
        e->in.n_planes = (int32_t)mtm_check_below(c, 45);
    if (mtm_check_below(c, 8) == 0)
        e->n_passes += (int32_t)mtm_check_below(c, 3) - 1;
}

static mtm_block draw_coded(mtm_check *c, coded *e, int i)
{
    static const int types[] = {MTM_COEF_I16, MTM_COEF_I32, MTM_COEF_I64, MTM_COEF_F32, MTM_COEF_V2};

    draw_block(c, &e->in, i);
    uint8_t *const data = mtm_check_alloc(c, e->in.room_bytes + 2 * MTM_BLOCK_PAD, 1);
    e->in.out = data + MTM_BLOCK_PAD, e->in.passes = e->passes;
    c->ref.ebcot.encode(&e->in, 1, scratch(c));
    cut(e, (int32_t)(i % 3 ? e->in.n_passes : mtm_check_below(c, e->in.n_passes + 1)));
    if (i % 7 == 6)
        damage(c, e, data + MTM_BLOCK_PAD);
    return (mtm_block){.data = data + MTM_BLOCK_PAD,
                       .segments = e->segments,
                       .n_segments = e->n_segments,
                       .n_passes = e->n_passes,
                       .width = e->in.width,
                       .height = e->in.height,
                       .n_planes = e->in.n_planes - e->in.zero_planes,
                       .style = e->in.style,
                       .band = e->in.band,
                       .type = (uint8_t)types[mtm_check_below(c, 5)],
                       .step = 0.3f,
                       .stride = e->in.width + (ptrdiff_t)mtm_check_below(c, 3)};
}

/* Several blocks a call: variants may take them together. */
static void check_decode(mtm_check *c)
{
    static coded e[BLOCKS];

    for (int i = 0; i < CASES; i++) {
        const int n = 1 + i % BLOCKS;
        mtm_block b[2][BLOCKS];

        for (int k = 0; k < n; k++) {
            b[0][k] = b[1][k] = draw_coded(c, e + k, i / 2 + k);
            const size_t elem = coef_bytes[b[0][k].type],
                         size = (size_t)(b[0][k].stride * b[0][k].height) * elem;
            b[0][k].dst = mtm_check_alloc(c, size, elem), b[1][k].dst = mtm_check_alloc(c, size, elem);
            memcpy(b[1][k].dst, b[0][k].dst, size); /* what lies between the rows stays */
        }
        c->ref.ebcot.decode(b[0], n, scratch(c)), c->now.ebcot.decode(b[1], n, scratch(c));
        for (int k = 0; k < n; k++) {
            const mtm_block *const a = &b[0][k];

            mtm_check_i64(c, "status", a->status, b[1][k].status);
            if (a->status != MTM_BLOCK_CORRUPT)
                mtm_check_bytes(c, "coefficients", a->dst, b[1][k].dst,
                                (size_t)(a->stride * a->height) * coef_bytes[a->type]);
        }
        mtm_check_case_end(c);
    }
}

/* 64 × 64 of an encoder's usual fare: two-sided exponential magnitudes. */
static void bench(mtm_check *c)
{
    static int32_t src[MTM_BLOCK_MAX_SAMPLES], dst[MTM_BLOCK_MAX_SAMPLES];
    coded e = {
        .in = {.src = src, .stride = 64, .width = 64, .height = 64, .type = MTM_COEF_I32, .n_planes = 12}};
    void *const room = scratch(c);

    for (int i = 0; i < MTM_BLOCK_MAX_SAMPLES; i++) {
        int32_t m = 0;

        while (m < 4000 && mtm_check_below(c, 16))
            m++;
        src[i] = mtm_check_below(c, 2) ? -m : m;
    }
    e.in.room_bytes = mtm_ebcot_encode_bound(64, 64, 12);
    e.in.out = (uint8_t *)mtm_check_alloc(c, e.in.room_bytes + 2 * MTM_BLOCK_PAD, 1) + MTM_BLOCK_PAD;
    e.in.passes = e.passes;
    mtm_check_bench(c, MTM_BLOCK_MAX_SAMPLES, c->ref.ebcot.encode(&e.in, 1, room),
                    c->now.ebcot.encode(&e.in, 1, room));
    c->ref.ebcot.encode(&e.in, 1, room);
    cut(&e, e.in.n_passes);
    mtm_block b = {.data = e.in.out,
                   .segments = e.segments,
                   .n_segments = e.n_segments,
                   .n_passes = e.n_passes,
                   .width = 64,
                   .height = 64,
                   .n_planes = e.in.n_planes - e.in.zero_planes,
                   .type = MTM_COEF_I32,
                   .dst = dst,
                   .stride = 64};
    mtm_check_bench(c, MTM_BLOCK_MAX_SAMPLES, c->ref.ebcot.decode(&b, 1, room),
                    c->now.ebcot.decode(&b, 1, room));
    mtm_check_case_end(c);
}

void check_ebcot(mtm_check *c)
{
    if (mtm_check_kernel(c, "encode", c->ref.ebcot.encode, c->now.ebcot.encode))
        check_encode(c);
    if (mtm_check_kernel(c, "decode", c->ref.ebcot.decode, c->now.ebcot.decode)) {
        check_decode(c);
        bench(c);
    }
}
