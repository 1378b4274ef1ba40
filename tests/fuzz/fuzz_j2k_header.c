/* tests/fuzz/fuzz_j2k_header.c: a JPEG 2000 file from its bytes to prepared code-blocks, strictly and
 * leniently, whole and in part; what a plan asks for is inside the file. The corpus was written by
 * tests/unit/j2k_streams.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/j2k/stream.h"
#include "fuzz.h"

enum { TILES_MOST = 8, BYTES_MOST = 1 << 20 };

static const mtm_limits limits = {
    .max_bytes = BYTES_MOST, .max_expansion = 1100, .max_header_bytes = 1 << 20};

/* Every piece and every prepared block lies inside the input or the arena; a sanitizer sees what does not. */
static void blocks_read(const j2k_tile_component *tc, const j2k_band *b, const j2k_input *in,
                        j2k_arena *arena)
{
    for (int64_t i = 0; i < b->blocks_wide * b->blocks_high; i++) {
        mtm_block m;
        uint64_t bytes = 0, sum = 0;
        int32_t passes = 0;

        if (j2k_block_prepare(&m, tc, b, i % b->blocks_wide, i / b->blocks_wide, in, arena, NULL) != MTM_OK)
            continue;
        FUZZ_CHECK(m.width >= 1 && m.height >= 1 && m.width * m.height <= MTM_BLOCK_MAX_SAMPLES);
        FUZZ_CHECK(m.n_planes <= MTM_BLOCK_MAX_PLANES + 128);
        for (int32_t k = 0; k < m.n_segments; k++)
            bytes += m.segments[k].size_bytes, passes += m.segments[k].n_passes;
        for (uint64_t k = 0; m.data && k < bytes + 2 * MTM_BLOCK_PAD; k++)
            sum += (m.data - MTM_BLOCK_PAD)[k];
        FUZZ_CHECK(passes >= m.n_passes && sum < UINT64_MAX);
    }
}

static void tile_read(const j2k_stream *s, int64_t index, const j2k_want *want, j2k_arena *arena)
{
    const uint64_t bytes = s->in->size_bytes;
    j2k_counts counts = {.reduce = want->reduce};
    const j2k_params *p;
    j2k_tile t;

    if (j2k_tile_params(&p, s, index, arena, NULL, NULL) != MTM_OK ||
        j2k_tile_layout(&t, &s->header->size, p, index, want, bytes, &limits, arena, NULL) != MTM_OK ||
        j2k_tile_packets(&t, s, want, &counts, arena, NULL, NULL) != MTM_OK)
        return;
    FUZZ_CHECK(counts.blocks_coded <= counts.blocks && counts.bytes_used <= bytes);
    FUZZ_CHECK(s->in->partial || !counts.incomplete);
    for (int32_t c = 0; c < t.n_components; c++)
        for (int32_t r = 0; r <= t.components[c].top; r++)
            for (int32_t i = 0; i < t.components[c].resolutions[r].n_bands; i++)
                blocks_read(&t.components[c], &t.components[c].resolutions[r].bands[i], s->in, arena);
}

static void file_read(const uint8_t *data, size_t n, bool partial, bool whole)
{
    const j2k_input in = {.data = data, .size_bytes = n, .partial = partial};
    const mtm_decode_params p = {.struct_size = sizeof p,
                                 .reduce = !whole,
                                 .has_region = !whole,
                                 .region = {1, 4, 0, 3},
                                 .limits = &limits};
    const j2k_channel *channels;
    j2k_arena arena = {0};
    int32_t n_channels;
    j2k_boxes b;
    j2k_header h;
    j2k_stream s;
    j2k_want want;

    if (j2k_boxes_read(&b, &in, &arena, NULL, NULL) == MTM_OK &&
        j2k_header_read(&h, &in, &b, &limits, &arena, NULL, NULL) == MTM_OK &&
        j2k_channels_make(&channels, &n_channels, &b, &h, &arena, NULL, NULL) == MTM_OK &&
        j2k_want_make(&want, &h, channels, n_channels, &p, true, &arena, NULL) == MTM_OK &&
        j2k_stream_open(&s, &in, &h, false, &arena, NULL, NULL) == MTM_OK)
        for (int64_t t = 0; t < s.n_tiles && t < TILES_MOST; t++)
            tile_read(&s, t, &want, &arena);
    j2k_arena_free(&arena);
}

static void plan_read(const uint8_t *data, size_t n)
{
    const mtm_decode_params p = {.struct_size = sizeof p, .reduce = 1, .limits = &limits};
    mtm_j2k_ranges *r = NULL;
    uint64_t at = 0;

    if (mtm_j2k_plan(&r, data, n, n + 100, &p, NULL) != MTM_OK)
        return;
    for (int64_t i = 0; i < r->n; i++) {
        FUZZ_CHECK(r->ranges[i].size_bytes > 0 && r->ranges[i].offset >= at);
        at = r->ranges[i].offset + r->ranges[i].size_bytes;
    }
    FUZZ_CHECK(at <= n + 100 && r->need_bytes <= n + 100);
    mtm_j2k_ranges_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    for (int i = 0; i < 4; i++)
        file_read(data, n, i & 1, i & 2);
    plan_read(data, n);
    return 0;
}
