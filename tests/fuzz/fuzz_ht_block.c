/* tests/fuzz/fuzz_ht_block.c: HT code-blocks of any bytes: every variant that this processor runs and the C reference give
 * the same, for the block alone and in lockstep with others of its size.
 * An 8-byte head (type, width, height, planes, plane, passes and causal, bytes of the refinement segment: 2), then bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fuzz.h"
#include "kernel/ht.h"
#include "microtome/base.h"

enum { HEAD = 8, BATCH = 4, DATA_MOST = 1 << 15 };

static _Alignas(64) uint8_t scratch[MTM_HT_SCRATCH_BYTES];
static int64_t values[2][BATCH][MTM_BLOCK_MAX_SAMPLES];

/* The block as it is, twice; with its end cut off; and without its first byte. */
static void draw_batch(mtm_block b[BATCH], mtm_segment s[BATCH][2], const mtm_block *one)
{
    for (int i = 0; i < BATCH; i++) {
        b[i] = *one, b[i].segments = s[i];
        s[i][0] = one->segments[0], s[i][1] = one->segments[1];
    }
    s[2][0].size_bytes /= 2;
    b[3].data += s[3][0].size_bytes > 0, s[3][0].size_bytes -= s[3][0].size_bytes > 0;
}

static void decode(unsigned cpu, const mtm_block drawn[BATCH], mtm_block b[BATCH],
                   int64_t (*dst)[MTM_BLOCK_MAX_SAMPLES])
{
    mtm_ht_kernels k;

    mtm_ht_kernels_init(&k, cpu);
    memset(dst, 0x55, BATCH * sizeof *dst);
    for (int i = 0; i < BATCH; i++)
        b[i] = drawn[i], b[i].dst = dst[i];
    k.decode(b, BATCH, scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const unsigned tiers[] = {MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512, ~0u};
    static uint8_t bytes[DATA_MOST + 2 * MTM_BLOCK_PAD];
    mtm_block ref[BATCH], now[BATCH], drawn[BATCH];
    mtm_segment segments[2], s[BATCH][2];

    if (n < HEAD)
        return 0;
    const size_t size = n - HEAD < DATA_MOST ? n - HEAD : DATA_MOST;
    const size_t wanted = data[6] | (size_t)data[7] << 8, lref = wanted < size ? wanted : size;
    mtm_block b = {
        .data = bytes + MTM_BLOCK_PAD, .segments = segments, .width = data[1] % 80 + 1, .step = 0.75f};

    memset(bytes, 0, sizeof bytes);
    memcpy(bytes + MTM_BLOCK_PAD, data + HEAD, size);
    segments[0] = (mtm_segment){(uint32_t)(size - lref), 1}, segments[1] = (mtm_segment){(uint32_t)lref, 2};
    b.type = data[0] % 5;
    b.height = data[2] % (MTM_BLOCK_MAX_SAMPLES / b.width) + 1, b.stride = b.width;
    b.n_planes = data[3] % 40, b.plane = data[4] % 24;
    if (b.type == MTM_COEF_I32 && b.n_planes + b.plane > 31)
        b.type = MTM_COEF_I64;
    b.n_passes = data[5] & 3, b.n_segments = lref ? 2 : 1;
    b.style = (uint8_t)(MTM_BLOCK_HT | (data[5] & 4 ? MTM_BLOCK_CAUSAL : 0));
    draw_batch(drawn, s, &b);
    decode(0, drawn, ref, values[0]);
    for (size_t t = 0; t < sizeof tiers / sizeof *tiers; t++) {
        decode(tiers[t] & mtm_cpu_flags(), drawn, now, values[1]);
        for (int i = 0; i < BATCH; i++)
            FUZZ_CHECK(ref[i].status == now[i].status);
        FUZZ_CHECK(memcmp(values[0], values[1], sizeof values[0]) == 0);
    }
    return 0;
}
