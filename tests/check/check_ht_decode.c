/* tests/check/check_ht_decode.c: every variant of the HT block decoder against the C reference, value for value and
 * status for status: on what the encoder writes, with refinement passes of random bytes behind it, and on damaged bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

enum { BATCH = 7, ROOM = 128 << 10, TYPES = MTM_COEF_V2 + 1 };

static const uint8_t element_bytes[TYPES] = {2, 4, 8, 4, 8};

/* One block as it is drawn, and the encoder's work. */
typedef struct drawing {
    int64_t coefficients[MTM_BLOCK_MAX_SAMPLES];
    uint8_t out[ROOM];
    _Alignas(64) uint8_t scratch[MTM_HT_SCRATCH_BYTES];
    mtm_segment segments[BATCH][2];
    mtm_block blocks[BATCH];
} drawing;

/* Magnitudes of up to `planes` bits, few of them long; most are 0 in some blocks. */
static void fill(mtm_check *c, drawing *d, int n, int planes)
{
    const int64_t usual = 1 + mtm_check_below(c, planes),
                  zeros = mtm_check_below(c, 3) ? 0 : mtm_check_below(c, 40);

    for (int i = 0; i < n; i++) {
        const int64_t bits = mtm_check_below(c, 30) ? mtm_check_below(c, usual + 1) : planes;
        const int64_t mu = (int64_t)(mtm_rng_u64(&c->rng) & (((uint64_t)1 << bits) - 1));

        d->coefficients[i] = mtm_check_below(c, zeros + 1) ? 0 : mtm_check_below(c, 2) ? mu : -mu;
    }
}

/* Makes bytes wrong: a few changed, the end cut off, or all of them drawn. */
static void damage(mtm_check *c, uint8_t *data, mtm_segment *cleanup)
{
    const int64_t n = cleanup->size_bytes;

    switch (mtm_check_below(c, 5)) {
    case 0: cleanup->size_bytes = (uint32_t)mtm_check_below(c, n + 1); break;
    case 1: /* any bytes, and lengths that go together more often than not */
        for (int64_t i = 0; i < n; i++)
            data[i] = (uint8_t)(mtm_check_below(c, 4) ? mtm_check_below(c, 256) : 0xFF);
        if (n >= 2) {
            const int64_t scup = mtm_check_below(c, n + 2);

            data[n - 1] = (uint8_t)(scup >> 4), data[n - 2] = (uint8_t)((data[n - 2] & 0xF0) | (scup & 0xF));
        }
        break;
    default:
        for (int64_t k = 1 + mtm_check_below(c, 4); n && k > 0; k--)
            data[mtm_check_below(c, n)] = (uint8_t)(mtm_check_below(c, 2) ? mtm_check_below(c, 256) : 0xFF);
    }
}

/* Block i: the encoder's bytes, perhaps with refinement passes, perhaps damaged. */
static void draw(mtm_check *c, drawing *d, int i, int width, int height, int planes, bool broken)
{
    mtm_block *const b = &d->blocks[i];
    mtm_segment *const s = d->segments[i];

    fill(c, d, width * height, planes);
    mtm_block_input in = {.src = d->coefficients,
                          .stride = width,
                          .width = width,
                          .height = height,
                          .style = MTM_BLOCK_HT,
                          .type = MTM_COEF_I64,
                          .n_planes = planes + (int)mtm_check_below(c, 20),
                          .out = d->out,
                          .room_bytes = ROOM};

    in.n_planes = in.n_planes < MTM_BLOCK_MAX_PLANES ? in.n_planes : MTM_BLOCK_MAX_PLANES;
    c->ref.ht.encode(&in, 1, d->scratch);
    s[0] = (mtm_segment){in.size_bytes, 1}, s[1] = (mtm_segment){(uint32_t)mtm_check_below(c, 400), 2};
    uint8_t *const data = mtm_check_alloc(c, in.size_bytes + s[1].size_bytes + 2 * MTM_BLOCK_PAD, 1);

    memcpy(data + MTM_BLOCK_PAD, d->out, in.size_bytes);
    if (broken)
        damage(c, data + MTM_BLOCK_PAD, &s[0]);
    *b = (mtm_block){.data = data + MTM_BLOCK_PAD,
                     .segments = s,
                     .n_passes = in.n_passes,
                     .width = width,
                     .height = height,
                     .n_planes = in.zero_planes + 1};
    b->plane = mtm_check_below(c, 2) ? 0 : (int)mtm_check_below(c, 12);
    if (b->plane && b->n_passes && mtm_check_below(c, 2))
        b->n_passes += (int)mtm_check_below(c, 3);
    b->n_segments = b->n_passes > 1 ? 2 : b->n_passes;
    b->style = MTM_BLOCK_HT | (mtm_check_below(c, 2) ? MTM_BLOCK_CAUSAL : 0);
    b->type = (uint8_t)mtm_check_below(c, TYPES);
    if (b->type == MTM_COEF_I32 && b->plane + b->n_planes > 31)
        b->type = MTM_COEF_I64;
    b->step = 0.37f, b->stride = width + mtm_check_below(c, 5);
}

/* Decodes blocks[0 … n) with both. Gives how many were not OK. */
static int compare(mtm_check *c, drawing *d, int n)
{
    mtm_block a[BATCH], b[BATCH];
    void *const scratch = mtm_check_alloc(c, MTM_HT_SCRATCH_BYTES, 64);
    int bad = 0;

    for (int i = 0; i < n; i++) {
        const size_t size = element_bytes[d->blocks[i].type];
        const size_t bytes =
            (size_t)((d->blocks[i].height - 1) * d->blocks[i].stride + d->blocks[i].width) * size;

        a[i] = b[i] = d->blocks[i];
        a[i].dst = mtm_check_alloc(c, bytes, size), b[i].dst = mtm_check_alloc(c, bytes, size);
        memset(a[i].dst, 0x55, bytes), memset(b[i].dst, 0x55, bytes);
    }
    c->ref.ht.decode(a, n, scratch);
    for (int i = 0; i < MTM_HT_SCRATCH_BYTES; i++)
        ((uint8_t *)scratch)[i] ^= 0x5A;
    c->now.ht.decode(b, n, scratch);
    for (int i = 0; i < n; i++) {
        const size_t size = element_bytes[a[i].type];

        mtm_check_i64(c, "status", a[i].status, b[i].status);
        mtm_check_bytes(c, "coefficients", a[i].dst, b[i].dst,
                        (size_t)((a[i].height - 1) * a[i].stride + a[i].width) * size);
        bad += a[i].status != MTM_BLOCK_OK;
    }
    mtm_check_case_end(c);
    return bad;
}

static void check_shapes(mtm_check *c, drawing *d, bool broken)
{
    int bad = 0;

    for (int i = 0; i < 4096;
         i += 1 + (int)mtm_check_below(c, 8)) { /* all sides 1 … 64, some of their pairs */
        draw(c, d, 0, 1 + i / 64, 1 + i % 64, 1 + (int)mtm_check_below(c, 15), broken);
        bad += compare(c, d, 1);
    }
    for (int i = 0; i < 100; i++) {
        const int longer = i < 10 ? 1024 : 1 + (int)mtm_check_below(c, 1024), shorter = 1 + i % 4;

        draw(c, d, 0, i & 1 ? longer : shorter, i & 1 ? shorter : longer, 1 + (int)mtm_check_below(c, 13),
             broken);
        bad += compare(c, d, 1);
    }
    draw(c, d, 0, 5, 819, 14, broken), bad += compare(c, d, 1); /* most quads of all */
    draw(c, d, 0, 819, 5, 14, broken), bad += compare(c, d, 1);
    if (broken && bad < 100)
        mtm_check_complain(c, "only %d blocks were found damaged", bad);
}

static void check_depths(mtm_check *c, drawing *d)
{
    for (int planes = 1; planes <= MTM_BLOCK_MAX_PLANES; planes++)
        for (int i = 0; i < 8; i++) {
            draw(c, d, 0, 1 + (int)mtm_check_below(c, 64), 1 + (int)mtm_check_below(c, 64), planes, false);
            compare(c, d, 1);
        }
}

/* Blocks of one size among others, as a strip of a subband has them. */
static void check_batches(mtm_check *c, drawing *d, bool broken)
{
    for (int i = 0; i < 60; i++) {
        const int width = 1 + (int)mtm_check_below(c, 64), height = 1 + (int)mtm_check_below(c, 64);
        const int n = (int)mtm_check_below(c, BATCH + 1);

        for (int k = 0; k < n; k++)
            draw(c, d, k, mtm_check_below(c, 5) ? width : 1 + (int)mtm_check_below(c, 64), height,
                 1 + (int)mtm_check_below(c, 16), broken && mtm_check_below(c, 2));
        compare(c, d, n);
    }
}

static void bench(mtm_check *c, drawing *d, int planes)
{
    for (int k = 0; k < 4; k++) {
        do
            draw(c, d, k, 64, 64, planes, false);
        while (d->blocks[k].n_passes != 1 || d->blocks[k].type != MTM_COEF_I16);
        d->blocks[k].plane = 0, d->blocks[k].stride = 64;
        d->blocks[k].dst = mtm_check_alloc(c, 8192, 64);
    }
    void *const scratch = mtm_check_alloc(c, MTM_HT_SCRATCH_BYTES, 64);

    mtm_check_bench(c, 4 * 4096, c->ref.ht.decode(d->blocks, 4, scratch),
                    c->now.ht.decode(d->blocks, 4, scratch));
    mtm_check_case_end(c);
}

void check_ht_decode(mtm_check *c)
{
    if (!mtm_check_kernel(c, "decode", c->ref.ht.decode, c->now.ht.decode))
        return;
    drawing *const d = mtm_alloc_aligned(sizeof *d);

    if (!d) {
        mtm_check_complain(c, "out of memory");
        return;
    }
    for (int broken = 0; broken < 2; broken++) {
        check_shapes(c, d, broken);
        check_batches(c, d, broken);
    }
    check_depths(c, d);
    if (c->bench)
        bench(c, d, 9);
    mtm_free(d);
}
