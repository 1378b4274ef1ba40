/* tests/fuzz/fuzz_ebcot_block.c: one EBCOT code-block of any bytes: the variant of this processor and the C reference
 * give the same, and what decodes is encoded and decoded to itself again.
 * A 6-byte head (style, band, type, width, height, planes), then per segment its passes and its length, 255: the rest.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fuzz.h"
#include "kernel/ebcot.h"
#include "microtome/base.h"

enum { HEAD = 6, MAX_SEGMENTS = 3 * MTM_BLOCK_MAX_PLANES, DATA_MOST = 1 << 15 };

static _Alignas(64) uint8_t scratch[MTM_EBCOT_SCRATCH_BYTES];
static int64_t values[2][MTM_BLOCK_MAX_SAMPLES];

/* Segments as the head's bytes say; returns how many bytes of data they took. */
static size_t read_segments(mtm_block *b, mtm_segment *s, const uint8_t *data, size_t n)
{
    size_t at = 0, left = n;

    b->segments = s;
    while (at + 2 <= n && b->n_segments < MAX_SEGMENTS) {
        const size_t size = data[at + 1] < 255 ? data[at + 1] : DATA_MOST;

        s[b->n_segments++] = (mtm_segment){(uint32_t)size, data[at]};
        b->n_passes += data[at];
        at += 2;
        if (data[at - 1] == 255)
            break;
    }
    left = n - at < DATA_MOST ? n - at : DATA_MOST;
    for (int32_t i = 0; i < b->n_segments; i++) {
        s[i].size_bytes = s[i].size_bytes < left ? s[i].size_bytes : (uint32_t)left;
        left -= s[i].size_bytes;
    }
    return at;
}

/* I64 coefficients at full depth are coded to the same again. */
static void there_and_back(const mtm_ebcot_kernels *k, const mtm_block *b)
{
    static uint8_t bytes[DATA_MOST + 2 * MTM_BLOCK_PAD + (1 << 16)];
    static int64_t back[MTM_BLOCK_MAX_SAMPLES];
    static mtm_pass passes[MAX_SEGMENTS];
    mtm_segment s[MAX_SEGMENTS];
    mtm_block_input in = {.src = b->dst,
                          .stride = b->stride,
                          .width = b->width,
                          .height = b->height,
                          .style = b->style,
                          .band = b->band,
                          .type = MTM_COEF_I64,
                          .n_planes = MTM_BLOCK_MAX_PLANES,
                          .out = bytes + MTM_BLOCK_PAD,
                          .passes = passes};
    mtm_block out = *b;
    uint32_t before = 0;

    in.room_bytes = mtm_ebcot_encode_bound(in.width, in.height, in.n_planes);
    FUZZ_CHECK(in.room_bytes <= sizeof bytes - 2 * MTM_BLOCK_PAD);
    k->encode(&in, 1, scratch);
    FUZZ_CHECK(in.status == MTM_BLOCK_OK);
    out.data = in.out, out.segments = s, out.n_segments = 0, out.n_passes = in.n_passes, out.dst = back;
    out.n_planes = MTM_BLOCK_MAX_PLANES - in.zero_planes;
    for (int32_t pass = 0, from = 0; pass < in.n_passes; pass++)
        if (pass + 1 == in.n_passes || mtm_ebcot_segment_ends(in.style, pass)) {
            s[out.n_segments++] =
                (mtm_segment){passes[pass].size_bytes - before, (uint16_t)(pass + 1 - from)};
            before = passes[pass].size_bytes, from = pass + 1;
        }
    k->decode(&out, 1, scratch);
    FUZZ_CHECK(out.status == MTM_BLOCK_OK);
    for (int32_t y = 0; y < b->height; y++)
        FUZZ_CHECK(memcmp((int64_t *)b->dst + y * b->stride, back + y * b->stride, (size_t)b->width * 8) ==
                   0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const size_t coef_bytes[] = {2, 4, 8, 4, 8};
    static uint8_t bytes[DATA_MOST + 2 * MTM_BLOCK_PAD];
    mtm_ebcot_kernels k[2];
    mtm_segment segments[MAX_SEGMENTS];
    mtm_block b[2];

    if (n < HEAD)
        return 0;
    b[0] = (mtm_block){.style = data[0] & 63,
                       .band = data[1] & 3,
                       .type = data[2] % 5,
                       .width = data[3] % 80 + 1,
                       .n_planes = data[5] % 48,
                       .step = 0.75f};
    b[0].height = data[4] % (MTM_BLOCK_MAX_SAMPLES / b[0].width) + 1;
    b[0].stride = b[0].width;
    const size_t at = HEAD + read_segments(&b[0], segments, data + HEAD, n - HEAD);
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes + MTM_BLOCK_PAD, data + at, n - at < DATA_MOST ? n - at : DATA_MOST);
    b[0].data = bytes + MTM_BLOCK_PAD;
    b[1] = b[0];
    for (int i = 0; i < 2; i++) {
        mtm_ebcot_kernels_init(&k[i], i ? mtm_cpu_flags() : 0);
        b[i].dst = values[i];
        k[i].decode(&b[i], 1, scratch);
    }
    FUZZ_CHECK(b[0].status == b[1].status);
    if (b[0].status == MTM_BLOCK_CORRUPT)
        return 0;
    FUZZ_CHECK(memcmp(values[0], values[1], (size_t)(b[0].width * b[0].height) * coef_bytes[b[0].type]) == 0);
    if (b[1].status == MTM_BLOCK_OK && b[1].type == MTM_COEF_I64)
        there_and_back(&k[1], &b[1]);
    return 0;
}
