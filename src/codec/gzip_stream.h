/* codec/gzip_stream.h: zlib over a byte source, for what must stop in the middle: prefixes and access points.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_GZIP_STREAM_H
#define MTM_CODEC_GZIP_STREAM_H

#include <zlib.h>

#include "codec/gzip.h"

enum { MTM_GZIP_WINDOW = 32768, MTM_GZIP_TRAILER = 8 };

typedef struct mtm_gzip_stream {
    z_stream z;
    bool open;
    const mtm_gzip_bytes *src;
    uint64_t fed;   /* bytes of src that zlib was given; those it has not used are z.avail_in */
    uint8_t *chunk; /* input, where src is not memory */
} mtm_gzip_stream;

/* window_bits as inflateInit2: 31 for gzip, −15 for raw deflate. Close it also after a failure. */
mtm_status mtm_gzip_stream_open(mtm_gzip_stream *s, const mtm_gzip_bytes *src, uint64_t offset,
                                int window_bits, mtm_error *err);
void mtm_gzip_stream_close(mtm_gzip_stream *s);
/* Passes over the first n bytes, before the first step. */
void mtm_gzip_stream_skip(mtm_gzip_stream *s, size_t n);
/* Offset in src of the next byte that zlib has not used. */
uint64_t mtm_gzip_stream_at(const mtm_gzip_stream *s);
/* Calls inflate(flush) after making sure of input. *z receives Z_OK or Z_STREAM_END. Errors: MTM_E_CORRUPT (broken or
 * truncated), MTM_E_NOMEM, what src->read gives. */
mtm_status mtm_gzip_stream_step(mtm_gzip_stream *s, int flush, int *z, mtm_error *err);
/* After Z_STREAM_END: *more tells whether another member begins (zlib is then ready for it); zero bytes up to the end
 * are skipped. Errors: MTM_E_CORRUPT (neither). */
mtm_status mtm_gzip_stream_next(mtm_gzip_stream *s, bool *more, mtm_error *err);
/* Fills exactly n bytes from src. */
mtm_status mtm_gzip_bytes_read(const mtm_gzip_bytes *src, uint64_t offset, void *dst, size_t n,
                               mtm_error *err);

static inline void mtm_gzip_stream_auto(mtm_gzip_stream *s)
{
    mtm_gzip_stream_close(s);
}
#define MTM_AUTO_STREAM __attribute__((cleanup(mtm_gzip_stream_auto))) mtm_gzip_stream

#endif
