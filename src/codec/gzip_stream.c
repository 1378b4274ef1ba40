/* codec/gzip_stream.c: zlib fed from memory or from positional reads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gzip_stream.h"

enum { CHUNK = 256 << 10, MEMORY_CHUNK = 1 << 30 /* zlib counts in 32 bits */ };

static voidpf zlib_alloc(voidpf user, uInt items, uInt size)
{
    return mtm_alloc((size_t)items * size);
}

static void zlib_free(voidpf user, voidpf p)
{
    mtm_free(p);
}

mtm_status mtm_gzip_bytes_read(const mtm_gzip_bytes *src, uint64_t offset, void *dst, size_t n,
                               mtm_error *err)
{
    if (offset > src->size_bytes || n > src->size_bytes - offset)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)src->size_bytes, "the gzip stream ends too early");
    if (!src->data)
        return src->read(src->user, offset, dst, n, err);
    memcpy(dst, src->data + offset, n);
    return MTM_OK;
}

mtm_status mtm_gzip_stream_open(mtm_gzip_stream *s, const mtm_gzip_bytes *src, uint64_t offset,
                                int window_bits, mtm_error *err)
{
    *s = (mtm_gzip_stream){.src = src, .fed = offset, .z = {.zalloc = zlib_alloc, .zfree = zlib_free}};
    if (!src->data) {
        s->chunk = mtm_alloc(CHUNK);
        if (!s->chunk)
            return MTM_NOMEM(err);
    }
    if (inflateInit2(&s->z, window_bits) != Z_OK)
        return MTM_NOMEM(err);
    s->open = true;
    return MTM_OK;
}

void mtm_gzip_stream_close(mtm_gzip_stream *s)
{
    if (s->open)
        inflateEnd(&s->z);
    mtm_free(s->chunk);
    *s = (mtm_gzip_stream){0};
}

uint64_t mtm_gzip_stream_at(const mtm_gzip_stream *s)
{
    return s->fed - s->z.avail_in;
}

void mtm_gzip_stream_skip(mtm_gzip_stream *s, size_t n)
{
    s->fed += n;
}

/* Gives zlib more input when it has none; leaves it without at the end of src. */
static mtm_status feed(mtm_gzip_stream *s, mtm_error *err)
{
    const uint64_t left = s->src->size_bytes - s->fed;
    const uint64_t most = s->src->data ? MEMORY_CHUNK : CHUNK;
    const size_t n = (size_t)(left < most ? left : most);

    if (s->z.avail_in || !n)
        return MTM_OK;
    if (!s->src->data)
        MTM_TRY(s->src->read(s->src->user, s->fed, s->chunk, n, err));
    s->z.next_in = (Bytef *)(s->src->data ? s->src->data + s->fed : s->chunk);
    s->z.avail_in = (uInt)n;
    s->fed += n;
    return MTM_OK;
}

mtm_status mtm_gzip_stream_step(mtm_gzip_stream *s, int flush, int *z, mtm_error *err)
{
    MTM_TRY(feed(s, err));
    *z = inflate(&s->z, flush);
    switch (*z) {
    case Z_OK:
    case Z_STREAM_END: return MTM_OK;
    case Z_BUF_ERROR: /* no progress: all input is used, and zlib keeps no output back */
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)mtm_gzip_stream_at(s), "the gzip stream ends too early");
    case Z_MEM_ERROR: return MTM_NOMEM(err);
    default:
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)mtm_gzip_stream_at(s), "broken gzip stream: %s",
                        s->z.msg ? s->z.msg : "it needs a dictionary");
    }
}

mtm_status mtm_gzip_stream_next(mtm_gzip_stream *s, bool *more, mtm_error *err)
{
    bool zeros = false;

    for (;;) {
        MTM_TRY(feed(s, err));
        if (!s->z.avail_in) {
            *more = false;
            return MTM_OK;
        }
        if (*s->z.next_in)
            break;
        zeros = true;
        s->z.next_in++, s->z.avail_in--;
    }
    if (zeros || *s->z.next_in != 0x1f)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)mtm_gzip_stream_at(s),
                        "something that is not gzip follows the last member");
    if (inflateReset(&s->z) != Z_OK)
        return mtm_fail(err, MTM_E_INVAL, -1, "zlib refused to begin again");
    *more = true;
    return MTM_OK;
}
