/* format/dicom/data/input.c: where the parser's bytes come from: memory, or a file in blocks. Values point into the blocks,
 * so these stay as long as the data set.
 * SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

enum {
    FIRST_BLOCK_BYTES = 16 << 10, /* holds the header of nearly every CT and MR image */
    NEXT_BLOCK_BYTES = 64 << 10,
    MOST_BLOCK_BYTES = 1 << 20,
    FAR_BLOCK_BYTES = 4 << 10 /* behind a value that was stepped over: often there is little more */
};

static size_t block_bytes(const dcm_parser *p, uint64_t at, size_t n)
{
    uint64_t size = p->loaded_bytes;

    if (p->loaded_bytes == 0)
        size = FIRST_BLOCK_BYTES;
    else if (at > p->view_end)
        size = FAR_BLOCK_BYTES;
    else if (size < NEXT_BLOCK_BYTES)
        size = NEXT_BLOCK_BYTES;
    if (size > MOST_BLOCK_BYTES)
        size = MOST_BLOCK_BYTES;
    return size > n ? (size_t)size : n;
}

static mtm_status block_load(dcm_parser *p, uint64_t at, size_t n, mtm_error *err)
{
    const uint64_t left = p->end - at;
    size_t size = block_bytes(p, at, n);
    uint8_t *block;

    if (size > left)
        size = (size_t)left;
    if (size > p->d->limits.max_header_bytes - p->loaded_bytes) {
        size = n;
        if (size > p->d->limits.max_header_bytes - p->loaded_bytes)
            return mtm_fail(err, MTM_E_LIMIT, (int64_t)at,
                            "the header up to byte %" PRIu64 " is longer than %" PRIu64
                            " bytes (max_header_bytes)",
                            at, p->d->limits.max_header_bytes);
    }
    block = dcm_arena_get(&p->d->arena, size);
    if (!block)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_source_read(p->d->source, at, block, size, err));
    p->loaded_bytes += size;
    p->view = block, p->view_at = at, p->view_end = at + size;
    return MTM_OK;
}

mtm_status dcm_input_get(dcm_parser *p, uint64_t at, size_t n, const uint8_t **bytes, mtm_error *err)
{
    if (at < p->view_at || at + n > p->view_end)
        MTM_TRY(block_load(p, at, n, err));
    *bytes = p->view + (at - p->view_at);
    return MTM_OK;
}

mtm_status dcm_input_read(const dcm_parser *p, uint64_t at, void *dst, size_t n, mtm_error *err)
{
    if (!p->memory)
        return mtm_source_read(p->d->source, at, dst, n, err);
    memcpy(dst, p->memory + at, n);
    return MTM_OK;
}
