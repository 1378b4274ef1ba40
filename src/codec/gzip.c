/* codec/gzip.c: whole gzip files by libdeflate, and prefixes by zlib.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gzip.h"

#include <libdeflate.h>

#include "base/reader.h"
#include "base/size.h"
#include "gzip_stream.h"

/* RFC 1952, 2.3.1 */
enum { FLAG_HEADER_CRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_RESERVED = 0xe0 };

typedef struct libdeflate_decompressor inflater;
MTM_DEFINE_AUTO(inflater, libdeflate_free_decompressor)

bool mtm_gzip_detect(const void *data, size_t size_bytes)
{
    const uint8_t *const p = data;

    return size_bytes >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

static mtm_status skip_text(mtm_reader *r, mtm_error *err)
{
    const uint8_t *const end = memchr(r->data + r->at, 0, mtm_reader_left(r));

    if (!end)
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "the gzip header ends too early");
    r->at = (size_t)(end - r->data) + 1;
    return MTM_OK;
}

/* A member's header, RFC 1952 2.3; leaves the reader at the deflate data. */
static mtm_status skip_header(mtm_reader *r, mtm_error *err)
{
    const size_t begin = r->at;
    uint8_t fixed[10];
    uint16_t n;

    if (mtm_reader_left(r) < sizeof fixed)
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "the gzip header ends too early");
    MTM_TRY(mtm_read_bytes(r, fixed, sizeof fixed, err));
    if (fixed[0] != 0x1f || fixed[1] != 0x8b)
        return mtm_fail(err, MTM_E_CORRUPT, r->base + (int64_t)begin, "no gzip member begins here");
    if (fixed[2] != 8 || (fixed[3] & FLAGS_RESERVED))
        return mtm_fail(err, MTM_E_CORRUPT, r->base + (int64_t)begin + 2,
                        "unknown gzip method %u with flags %#x", fixed[2], fixed[3]);
    if (fixed[3] & FLAG_EXTRA) {
        MTM_TRY(mtm_read_u16(r, &n, err));
        MTM_TRY(mtm_read_skip(r, n, err));
    }
    if (fixed[3] & FLAG_NAME)
        MTM_TRY(skip_text(r, err));
    if (fixed[3] & FLAG_COMMENT)
        MTM_TRY(skip_text(r, err));
    if (fixed[3] & FLAG_HEADER_CRC) {
        const uint32_t crc = libdeflate_crc32(0, r->data + begin, r->at - begin);

        MTM_TRY(mtm_read_u16(r, &n, err));
        if (n != (crc & 0xffff))
            return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r) - 2, "the gzip header has a wrong CRC");
    }
    return MTM_OK;
}

/* CRC-32 and ISIZE, RFC 1952 2.3.1. */
static mtm_status check_trailer(mtm_reader *r, const uint8_t *out, size_t n, mtm_error *err)
{
    const int64_t at = mtm_reader_offset(r);
    uint32_t crc, isize;

    if (mtm_reader_left(r) < MTM_GZIP_TRAILER)
        return mtm_fail(err, MTM_E_CORRUPT, at, "the gzip stream ends too early");
    MTM_TRY(mtm_read_u32(r, &crc, err));
    MTM_TRY(mtm_read_u32(r, &isize, err));
    if (isize != (uint32_t)n)
        return mtm_fail(err, MTM_E_CORRUPT, at + 4, "the gzip member gives %zu bytes, its trailer says %u", n,
                        isize);
    if (crc != libdeflate_crc32(0, out, n))
        return mtm_fail(err, MTM_E_CORRUPT, at, "the gzip member has a wrong CRC-32");
    return MTM_OK;
}

/* Only zero bytes are left: padding of tapes and block devices, skipped as gzip does. */
static bool only_zeros(const mtm_reader *r)
{
    for (size_t i = r->at; i < r->size_bytes; i++)
        if (r->data[i])
            return false;
    return true;
}

/* libdeflate does not say where it stopped, and beyond the end of a cut stream it may make bytes up until the room is
 * full: finds with zlib what is wrong, and where. room_bytes: for the output from here on. */
static mtm_status explain(const mtm_reader *r, uint64_t room_bytes, mtm_error *err)
{
    const mtm_gzip_bytes src = mtm_gzip_memory(r->data, r->size_bytes);
    MTM_AUTO_STREAM s = {.open = false};
    uint8_t sink[8192];
    uint64_t made = 0;
    int z = Z_OK;

    MTM_TRY(mtm_gzip_stream_open(&s, &src, r->at, -15, err));
    while (z != Z_STREAM_END && made <= room_bytes) {
        s.z.next_out = sink, s.z.avail_out = sizeof sink;
        MTM_TRY(mtm_gzip_stream_step(&s, Z_NO_FLUSH, &z, err));
        made += sizeof sink - s.z.avail_out;
    }
    if (made > room_bytes)
        return mtm_fail(err, MTM_E_LIMIT, (int64_t)mtm_gzip_stream_at(&s),
                        "more than the expected bytes come out of the gzip stream");
    return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "broken deflate data");
}

mtm_status mtm_gzip_inflate(void *dst, size_t room_bytes, size_t *size_bytes, const uint8_t *in, size_t n,
                            mtm_error *err)
{
    mtm_reader r = mtm_reader_over(in, n, 0);
    size_t used, got, total = 0;
    MTM_AUTO(inflater) d = libdeflate_alloc_decompressor();

    if (!d)
        return MTM_NOMEM(err);
    do {
        MTM_TRY(skip_header(&r, err));
        if (libdeflate_deflate_decompress_ex(d, in + r.at, n - r.at, (uint8_t *)dst + total,
                                             room_bytes - total, &used, &got) != LIBDEFLATE_SUCCESS)
            return explain(&r, room_bytes - total, err);
        r.at += used;
        MTM_TRY(check_trailer(&r, (uint8_t *)dst + total, got, err));
        total += got;
    } while (mtm_gzip_detect(in + r.at, n - r.at));
    if (!only_zeros(&r))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)r.at,
                        "something that is not gzip follows the last member");
    *size_bytes = total;
    return MTM_OK;
}

/* The trailer of the last member tells the output's size modulo 2³², if there is one member and no padding. */
static uint64_t first_guess(const uint8_t *in, size_t n, uint64_t cap)
{
    uint32_t isize = 0;

    if (n >= 18)
        memcpy(&isize, in + n - 4, 4);
    return isize && isize <= cap ? isize : (4 * (uint64_t)n < cap ? 4 * (uint64_t)n : cap);
}

static uint64_t output_cap(size_t n, const mtm_limits *lim)
{
    uint64_t cap;

    return mtm_mul_u64(n, lim->max_expansion, &cap) && cap < lim->max_bytes ? cap : lim->max_bytes;
}

mtm_status mtm_gzip_inflate_new(mtm_buffer **out, size_t *size_bytes, const uint8_t *in, size_t n,
                                const mtm_limits *lim, mtm_recycler *recycler, mtm_error *err)
{
    const mtm_limits limits = lim ? *lim : mtm_limits_default();
    const uint64_t cap = output_cap(n, &limits);
    uint64_t room = first_guess(in, n, cap);

    for (;;) {
        MTM_AUTO(mtm_buffer) b = NULL;
        mtm_status st;

        MTM_TRY(mtm_recycler_get(&b, recycler, (size_t)room, err));
        st = mtm_gzip_inflate(mtm_buffer_data(b), (size_t)room, size_bytes, in, n, err);
        if (st == MTM_OK)
            *out = mtm_buffer_steal(&b);
        if (st != MTM_E_LIMIT || room == cap)
            return st;
        room = room < cap / 2 ? 2 * room + 1 : cap;
    }
}

mtm_status mtm_gzip_prefix(void *dst, size_t want, size_t *got, const mtm_gzip_bytes *src, mtm_error *err)
{
    MTM_AUTO_STREAM s = {.open = false};
    size_t done = 0;
    int z = Z_OK;

    MTM_TRY(mtm_gzip_stream_open(&s, src, 0, 31, err));
    while (done < want) {
        const size_t n = want - done < 1u << 30 ? want - done : 1u << 30;

        s.z.next_out = (Bytef *)dst + done, s.z.avail_out = (uInt)n;
        MTM_TRY(mtm_gzip_stream_step(&s, Z_NO_FLUSH, &z, err));
        done += n - s.z.avail_out;
        if (z == Z_STREAM_END) {
            bool more;

            MTM_TRY(mtm_gzip_stream_next(&s, &more, err));
            if (!more)
                break;
        }
    }
    *got = done;
    return MTM_OK;
}
