/* codec/gzip_blob.c: access points to and from bytes. Little-endian:
 *
 *     "MTGZ", u32 version, u64 input bytes, u64 output bytes, u32 grain, u32 segments, u64 checksums, u64 window bytes
 *     per segment: u64 in, u64 in_end, u64 output bytes, u32 window bytes, u8 in_bit, u8 end_bit, u8 flags, u8 0
 *     u32 CRC-32 of each grain, the deflated windows
 *
 * Everything else follows from these, and is checked when read: such a blob may come from anywhere.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/reader.h"
#include "base/size.h"
#include "gzip_points.h"

enum {
    VERSION = 1,
    HEAD_BYTES = 48,
    SEGMENT_BYTES = 32,
    HAS_WINDOW = 1,
    ENDS_MEMBER = 2,
    EXPANSION = 1032 /* deflate's most output bytes per input byte */
};

static uint8_t *put(uint8_t *p, uint64_t value, int size_bytes)
{
    for (int i = 0; i < size_bytes; i++)
        *p++ = (uint8_t)(value >> (8 * i));
    return p;
}

static uint8_t *put_segment(uint8_t *p, const gzip_segment *s)
{
    p = put(p, s->in, 8);
    p = put(p, s->in_end, 8);
    p = put(p, s->size_bytes, 8);
    p = put(p, s->window_bytes, 4);
    p = put(p, s->in_bit, 1);
    p = put(p, s->end_bit, 1);
    return put(p, (s->has_window ? HAS_WINDOW : 0) | (s->ends_member ? ENDS_MEMBER : 0), 2);
}

mtm_status mtm_gzip_points_pack(const mtm_gzip_points *p, uint8_t **blob, size_t *n, mtm_error *err)
{
    const size_t bytes = HEAD_BYTES + p->n_segments * SEGMENT_BYTES + p->n_crcs * 4 + p->n_windows_bytes;
    uint8_t *const begin = mtm_alloc(bytes), *at = begin;

    if (!begin)
        return MTM_NOMEM(err);
    memcpy(at, "MTGZ", 4);
    at = put(at + 4, VERSION, 4);
    at = put(at, p->input_bytes, 8);
    at = put(at, p->output_bytes, 8);
    at = put(at, MTM_GZIP_GRAIN, 4);
    at = put(at, p->n_segments, 4);
    at = put(at, p->n_crcs, 8);
    at = put(at, p->n_windows_bytes, 8);
    for (size_t i = 0; i < p->n_segments; i++)
        at = put_segment(at, &p->segment[i]);
    for (size_t i = 0; i < p->n_crcs; i++)
        at = put(at, p->crc[i], 4);
    if (p->n_windows_bytes)
        memcpy(at, p->windows, p->n_windows_bytes);
    *blob = begin, *n = bytes;
    return MTM_OK;
}

static mtm_status read_head(mtm_reader *r, mtm_gzip_points *p, mtm_error *err)
{
    char magic[4];
    uint32_t version, grain, segments;
    uint64_t crcs, windows, rest;

    MTM_TRY(mtm_read_bytes(r, magic, sizeof magic, err));
    MTM_TRY(mtm_read_u32(r, &version, err));
    if (memcmp(magic, "MTGZ", 4))
        return mtm_fail(err, MTM_E_CORRUPT, 0, "these are no access points");
    MTM_TRY(mtm_read_u64(r, &p->input_bytes, err));
    MTM_TRY(mtm_read_u64(r, &p->output_bytes, err));
    MTM_TRY(mtm_read_u32(r, &grain, err));
    MTM_TRY(mtm_read_u32(r, &segments, err));
    MTM_TRY(mtm_read_u64(r, &crcs, err));
    MTM_TRY(mtm_read_u64(r, &windows, err));
    if (version != VERSION || grain != MTM_GZIP_GRAIN)
        return mtm_fail(err, MTM_E_UNSUPPORTED, 4, "access points of version %u with grain %u are not read",
                        version, grain);
    rest = mtm_reader_left(r);
    if (rest / SEGMENT_BYTES < segments || (rest - (uint64_t)segments * SEGMENT_BYTES) / 4 < crcs ||
        rest - (uint64_t)segments * SEGMENT_BYTES - crcs * 4 != windows)
        return mtm_fail(err, MTM_E_CORRUPT, 28,
                        "%u access points with %" PRIu64 " checksums are not %" PRIu64 " bytes", segments,
                        crcs, rest);
    p->n_segments = segments, p->n_crcs = (size_t)crcs, p->n_windows_bytes = (size_t)windows;
    return MTM_OK;
}

static mtm_status read_segment(mtm_reader *r, gzip_segment *s, mtm_error *err)
{
    uint16_t flags;

    MTM_TRY(mtm_read_u64(r, &s->in, err));
    MTM_TRY(mtm_read_u64(r, &s->in_end, err));
    MTM_TRY(mtm_read_u64(r, &s->size_bytes, err));
    MTM_TRY(mtm_read_u32(r, &s->window_bytes, err));
    MTM_TRY(mtm_read_u8(r, &s->in_bit, err));
    MTM_TRY(mtm_read_u8(r, &s->end_bit, err));
    MTM_TRY(mtm_read_u16(r, &flags, err));
    if (flags & ~(HAS_WINDOW | ENDS_MEMBER))
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r) - 2, "unknown flags %#x of an access point",
                        flags);
    s->has_window = flags & HAS_WINDOW, s->ends_member = flags & ENDS_MEMBER;
    return MTM_OK;
}

/* A segment that can be read without harm, whatever it gives: inside the file, after the one before, no more output than
 * deflate can make of its bytes, checksums and window inside the blob. */
static bool plausible(const mtm_gzip_points *p, const gzip_segment *s, const gzip_segment *before)
{
    const uint64_t from = before ? before->in_end : 0;

    return s->in_bit < 8 && s->end_bit < 8 && s->in >= from && s->in <= s->in_end &&
           s->in_end < p->input_bytes && (s->in < s->in_end || s->in_bit < s->end_bit) &&
           (s->has_window || !s->in_bit) && (!s->ends_member || !s->end_bit) && s->size_bytes &&
           s->size_bytes / EXPANSION <= s->in_end - s->in + 1 && s->size_bytes <= p->output_bytes - s->out &&
           gzip_grains(s->size_bytes) <= p->n_crcs - s->crc_at &&
           s->window_bytes <= p->n_windows_bytes - s->window_at && !s->window_bytes == !s->has_window;
}

static mtm_status read_segments(mtm_reader *r, mtm_gzip_points *p, mtm_error *err)
{
    uint64_t out = 0, crc = 0, window = 0;

    for (size_t i = 0; i < p->n_segments; i++) {
        gzip_segment *const s = &p->segment[i];

        s->out = out, s->crc_at = crc, s->window_at = window;
        MTM_TRY(read_segment(r, s, err));
        if (!plausible(p, s, i ? s - 1 : NULL))
            return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r) - SEGMENT_BYTES,
                            "access point %zu is damaged", i);
        out += s->size_bytes, crc += gzip_grains(s->size_bytes), window += s->window_bytes;
    }
    if (out != p->output_bytes || crc != p->n_crcs || window != p->n_windows_bytes)
        return mtm_fail(err, MTM_E_CORRUPT, 16, "the access points do not cover %" PRIu64 " bytes",
                        p->output_bytes);
    return MTM_OK;
}

mtm_status mtm_gzip_points_unpack(mtm_gzip_points **out, const uint8_t *blob, size_t n, const mtm_limits *lim,
                                  mtm_error *err)
{
    const mtm_limits limits = lim ? *lim : mtm_limits_default();
    mtm_reader r = mtm_reader_over(blob, n, 0);
    MTM_AUTO(mtm_gzip_points) p = mtm_alloc_zero(1, sizeof *p);

    if (!p)
        return MTM_NOMEM(err);
    MTM_TRY(read_head(&r, p, err));
    if (p->output_bytes > limits.max_bytes)
        return mtm_fail(err, MTM_E_LIMIT, 16, "access points for %" PRIu64 " bytes, %" PRIu64 " are allowed",
                        p->output_bytes, limits.max_bytes);
    p->segment = mtm_alloc_zero(p->n_segments, sizeof *p->segment);
    p->crc = mtm_alloc_zero(p->n_crcs, sizeof *p->crc);
    p->windows = mtm_alloc(p->n_windows_bytes);
    if (!p->segment || !p->crc || !p->windows)
        return MTM_NOMEM(err);
    MTM_TRY(read_segments(&r, p, err));
    for (size_t i = 0; i < p->n_crcs; i++)
        MTM_TRY(mtm_read_u32(&r, &p->crc[i], err));
    MTM_TRY(mtm_read_bytes(&r, p->windows, p->n_windows_bytes, err));
    *out = mtm_gzip_points_steal(&p);
    return MTM_OK;
}
