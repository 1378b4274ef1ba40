/* tests/fuzz/fuzz_jp2_boxes.c: the boxes of a JP2 or JPH file, its channels, and what info tells of it. The
 * corpus was written by tests/unit/j2k_streams.h, with boxes around it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "codec/j2k/stream.h"
#include "fuzz.h"

static const mtm_limits limits = {.max_bytes = 1 << 20, .max_expansion = 1100, .max_header_bytes = 1 << 20};

static void boxes_check(const j2k_boxes *b, const j2k_header *h, size_t n, j2k_arena *arena)
{
    const j2k_channel *channels;
    int32_t n_channels;

    FUZZ_CHECK(b->codestream_offset <= n && b->codestream_bytes <= n - b->codestream_offset);
    for (int64_t i = 0; i < (int64_t)b->palette.n_entries * b->palette.n_columns; i++)
        FUZZ_CHECK(b->palette.values[i] < INT64_C(1) << 38 && b->palette.values[i] >= -(INT64_C(1) << 37));
    if (j2k_channels_make(&channels, &n_channels, b, h, arena, NULL, NULL) != MTM_OK)
        return;
    FUZZ_CHECK(n_channels >= 1);
    for (int32_t i = 0; i < n_channels; i++) {
        FUZZ_CHECK(channels[i].component >= 0 && channels[i].component < h->size.n_components);
        FUZZ_CHECK(channels[i].column >= -1 &&
                   channels[i].column < b->palette.n_columns + !b->palette.n_columns);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const j2k_input in = {.data = data, .size_bytes = n};
    mtm_codec_info *info = NULL;
    j2k_arena arena = {0};
    j2k_boxes b;
    j2k_header h;

    if (j2k_boxes_read(&b, &in, &arena, NULL, NULL) == MTM_OK &&
        j2k_header_read(&h, &in, &b, &limits, &arena, NULL, NULL) == MTM_OK)
        boxes_check(&b, &h, n, &arena);
    j2k_arena_free(&arena);
    if (j2k_info_new(&info, data, n, &limits, NULL) == MTM_OK) {
        FUZZ_CHECK(info->n_markers > 0 && info->markers[0].code == 0xFF4F);
        for (int32_t i = 0; i < info->n_markers; i++)
            FUZZ_CHECK(info->markers[i].name && (uint64_t)info->markers[i].offset_bytes < n);
        for (int32_t i = 0; i < info->n_warnings; i++)
            FUZZ_CHECK(strlen(info->warnings[i]) > 0);
        j2k_info_free(info);
    }
    return 0;
}
