/* codec/deflate.h: writing gzip (RFC 1952), reading zlib (RFC 1950) and bare deflate streams (RFC 1951), by libdeflate. Pure:
 * memory to memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_DEFLATE_H
#define MTM_CODEC_DEFLATE_H

#include "base/mem.h"

/* Compresses `size_bytes` into one gzip member per GiB, at level 1 … 12, and hands each to `put` in order. Errors:
 * MTM_E_INVAL (level), MTM_E_NOMEM, and what put gives. */
mtm_status mtm_gzip_deflate(const void *data, size_t size_bytes, int level,
                            mtm_status (*put)(void *user, const void *data, size_t n, mtm_error *err),
                            void *user, mtm_error *err);

/* Inflates one zlib stream (RFC 1950) of n bytes into dst; *size receives the bytes written. Errors: MTM_E_CORRUPT,
 * MTM_E_LIMIT (more than room_bytes come out). */
mtm_status mtm_zlib_inflate(void *dst, size_t room_bytes, size_t *size_bytes, const uint8_t *in, size_t n,
                            mtm_error *err);

/* Inflates one bare stream (RFC 1951) of n bytes into new memory (mtm_free) that grows as needed, up to most_bytes and
 * max_expansion bytes per byte; what follows the stream is ignored. guess_bytes: the size to begin with (0: a multiple of n).
 * Errors: MTM_E_CORRUPT, MTM_E_LIMIT, MTM_E_NOMEM. */
mtm_status mtm_raw_inflate(uint8_t **out, size_t *size_bytes, const uint8_t *in, size_t n, size_t guess_bytes,
                           uint64_t most_bytes, uint64_t max_expansion, mtm_error *err);

#endif
