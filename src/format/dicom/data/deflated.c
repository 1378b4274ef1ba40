/* format/dicom/data/deflated.c: deflated data sets (PS3.5 A.5): what follows the file meta information is one deflate stream,
 * inflated whole or, for a header alone, only as far as the pixel data.
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/deflate.h"
#include "codec/gzip_stream.h"
#include "parse.h"

enum { RAW_DEFLATE = -15 /* window bits of inflateInit2 */, FIRST_BYTES = 64 << 10, GROWTH = 4 };

static void input_set(dcm_parser *p, const uint8_t *bytes, uint64_t size)
{
    p->memory = p->view = bytes;
    p->view_at = p->at = 0;
    p->view_end = p->end = size;
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static bool has_zlib_header(const uint8_t *in, uint64_t n)
{
    return n > 2 && (in[0] & 0x0F) == 8 && (in[0] << 8 | in[1]) % 31 == 0; /* RFC 1950 2.2 */
}

static mtm_status whole_inflate(dcm_parser *p, mtm_error *err)
{
    mtm_dicom *const d = p->d;
    const uint64_t n = p->end - p->at;
    const uint8_t *in = p->memory ? p->memory + p->at : NULL;
    MTM_AUTO_MEM uint8_t *bytes = NULL;
    size_t size = 0;
    mtm_status s;

    if (n > d->limits.max_bytes)
        return mtm_fail(err, MTM_E_LIMIT, (int64_t)p->at,
                        "the deflated data set of %" PRIu64 " bytes is over max_bytes", n);
    if (!in) {
        bytes = mtm_alloc(n);
        if (!bytes)
            return MTM_NOMEM(err);
        MTM_TRY(mtm_source_read(d->source, p->at, bytes, n, err));
        in = bytes;
    }
    s = mtm_raw_inflate(&d->inflated, &size, in, n, 0, d->limits.max_bytes, d->limits.max_expansion, err);
    if (s == MTM_E_CORRUPT && has_zlib_header(in, n)) {
        s = mtm_raw_inflate(&d->inflated, &size, in + 2, n - 2, 0, d->limits.max_bytes,
                            d->limits.max_expansion, err);
        if (s == MTM_OK)
            dcm_warn(d, "the deflated data set at byte %" PRIu64 " begins with a zlib header", p->at);
    }
    if (s == MTM_E_CORRUPT)
        return mtm_fail(err, s, (int64_t)p->at, "the deflated data set at byte %" PRIu64 " is broken", p->at);
    if (s)
        return s;
    d->inflated_bytes = size;
    input_set(p, d->inflated, size);
    return MTM_OK;
}

/* ---- the header alone --------------------------------------------------------------------------------- */

/* What parsing a part of the data set changes, as it was before. */
typedef struct before {
    uint64_t at, end;
    const uint8_t *memory;
    int64_t last_tag;
    int32_t n, n_warnings;
    bool unsorted, odd_seen;
} before;

static before before_take(const dcm_parser *p)
{
    return (before){.at = p->at,
                    .end = p->end,
                    .memory = p->memory,
                    .last_tag = p->levels[0].last_tag,
                    .n = p->d->n,
                    .n_warnings = p->d->n_warnings,
                    .unsorted = p->d->unsorted,
                    .odd_seen = p->odd_seen};
}

static void before_restore(dcm_parser *p, const before *b)
{
    input_set(p, b->memory, b->end);
    p->view_end = b->memory ? b->end : 0;
    p->at = b->at;
    p->levels[0].last_tag = b->last_tag;
    p->odd_seen = b->odd_seen;
    p->n_unclear = 0, p->no_jump = false;
    p->d->n = b->n, p->d->n_warnings = b->n_warnings;
    p->d->unsorted = b->unsorted, p->d->pixels_left_out = false;
}

static mtm_status source_read(void *user, uint64_t offset, void *dst, size_t n, mtm_error *err)
{
    return mtm_source_read(user, offset, dst, n, err);
}

/* More of the stream, up to room bytes in all; *ended: that is all there is. */
static mtm_status grow(mtm_dicom *d, mtm_gzip_stream *z, size_t room, bool *ended, mtm_error *err)
{
    uint8_t *const bytes = mtm_realloc(d->inflated, room);
    int result = Z_OK;

    if (!bytes)
        return MTM_NOMEM(err);
    d->inflated = bytes;
    z->z.next_out = bytes + d->inflated_bytes;
    z->z.avail_out = (uInt)(room - d->inflated_bytes);
    while (result == Z_OK && z->z.avail_out > 0)
        MTM_TRY(mtm_gzip_stream_step(z, Z_NO_FLUSH, &result, err));
    d->inflated_bytes = room - z->z.avail_out;
    *ended = result == Z_STREAM_END;
    return MTM_OK;
}

/* Each turn inflates more and parses from the start, until the pixel data comes into sight or all is inflated. *read false: neither
 * came to pass within max_header_bytes, or the stream is broken; nothing has changed. */
static mtm_status header_parse(dcm_parser *p, bool implicit, bool *read, mtm_error *err)
{
    mtm_dicom *const d = p->d;
    const before start = before_take(p);
    const mtm_gzip_bytes src = {
        .data = p->memory, .size_bytes = p->end, .read = source_read, .user = d->source};
    const uint64_t most =
        d->limits.max_header_bytes < d->limits.max_bytes ? d->limits.max_header_bytes : d->limits.max_bytes;
    MTM_AUTO_STREAM z = {0};
    mtm_error broken = {0};
    bool ended = false;

    *read = false;
    MTM_TRY(mtm_gzip_stream_open(&z, &src, p->at, RAW_DEFLATE, err));
    for (uint64_t room = FIRST_BYTES; room <= most && room <= INT32_MAX && !ended; room *= GROWTH) {
        const mtm_status s = grow(d, &z, (size_t)room, &ended, &broken);

        if (s == MTM_E_CORRUPT)
            break;
        if (s) {
            if (err)
                *err = broken;
            return s;
        }
        input_set(p, d->inflated, d->inflated_bytes);
        p->partial = !ended;
        MTM_TRY(dcm_parse(p, implicit, false, err));
        p->partial = false;
        *read = ended || d->pixels_left_out;
        if (*read)
            return MTM_OK;
        before_restore(p, &start);
    }
    mtm_free(d->inflated);
    d->inflated = NULL, d->inflated_bytes = 0;
    return MTM_OK;
}

mtm_status dcm_deflated_parse(dcm_parser *p, bool implicit, mtm_error *err)
{
    bool read = false;

    if (p->stop_at_pixels)
        MTM_TRY(header_parse(p, implicit, &read, err));
    if (read)
        return MTM_OK;
    MTM_TRY(whole_inflate(p, err));
    return dcm_parse(p, implicit, false, err);
}
