/* codec/gzip.h: gzip (RFC 1952) and deflate (RFC 1951): whole files by libdeflate, prefixes by zlib, and random
 * access by access points. Pure: bytes come from memory or from a callback, and nothing here opens a file.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_GZIP_H
#define MTM_CODEC_GZIP_H

#include "base/mem.h"
#include "base/pool.h"

/* ---- where compressed bytes come from ----------------------------------------------------------------- */

/* In memory (data), or by positional reads (data NULL): read fills exactly n bytes from `offset` or fails, and may be
 * called by several threads at a time. */
typedef struct mtm_gzip_bytes {
    const uint8_t *data;
    uint64_t size_bytes;
    mtm_status (*read)(void *user, uint64_t offset, void *dst, size_t n, mtm_error *err);
    void *user;
} mtm_gzip_bytes;

static inline mtm_gzip_bytes mtm_gzip_memory(const void *data, size_t size_bytes)
{
    return (mtm_gzip_bytes){.data = data, .size_bytes = size_bytes};
}

/* The first two bytes say gzip (1f 8b). */
bool mtm_gzip_detect(const void *data, size_t size_bytes);

/* ---- whole files -------------------------------------------------------------------------------------- */

/* Inflates all members of in[0 … n) one after the other into dst; *size receives the bytes written. CRC-32 and ISIZE of
 * every member are checked; zero bytes after the last member are skipped.
 * Errors, with the byte of the input: MTM_E_CORRUPT (bad header, broken data, wrong CRC or size, truncated, something
 * else after the last member), MTM_E_LIMIT (more than room_bytes come out; dst is then undefined). */
mtm_status mtm_gzip_inflate(void *dst, size_t room_bytes, size_t *size_bytes, const uint8_t *in, size_t n,
                            mtm_error *err);

/* The same when the size is not known: the buffer has at least *size_bytes. Errors: as above; MTM_E_LIMIT is above
 * lim->max_bytes, or lim->max_expansion bytes per input byte. lim NULL: defaults. recycler may be NULL. */
mtm_status mtm_gzip_inflate_new(mtm_buffer **out, size_t *size_bytes, const uint8_t *in, size_t n,
                                const mtm_limits *lim, mtm_recycler *recycler, mtm_error *err);

/* Only the first `want` bytes of the output, by zlib, reading no more input than that needs; *got < want only when the
 * whole output is shorter. Nothing is verified but the deflate structure (and CRC and ISIZE of members that end within).
 * Errors: MTM_E_CORRUPT, and what src->read gives. */
mtm_status mtm_gzip_prefix(void *dst, size_t want, size_t *got, const mtm_gzip_bytes *src, mtm_error *err);

/* ---- access points ------------------------------------------------------------------------------------ */

/* Places from which inflating can begin, with the checksums of what lies between them. Immutable once built, so any
 * thread may use it. */
typedef struct mtm_gzip_points mtm_gzip_points;

/* Output bytes between points: see gzip_points.c for the measurement behind it. */
enum { MTM_GZIP_SPACING = 1 << 20 };

/* Reads the whole stream once (zlib, all checks as mtm_gzip_inflate). dst not NULL: the output is also kept there, and
 * must be exactly dst_bytes or fewer bytes (else MTM_E_LIMIT). spacing_bytes 0: MTM_GZIP_SPACING. lim NULL: defaults.
 * Errors: as mtm_gzip_inflate_new. */
mtm_status mtm_gzip_points_build(mtm_gzip_points **out, void *dst, size_t dst_bytes,
                                 const mtm_gzip_bytes *src, uint64_t spacing_bytes, const mtm_limits *lim,
                                 mtm_error *err);
void mtm_gzip_points_free(mtm_gzip_points *p);
MTM_DEFINE_AUTO(mtm_gzip_points, mtm_gzip_points_free)

int64_t mtm_gzip_points_count(const mtm_gzip_points *p);
uint64_t mtm_gzip_points_output_bytes(const mtm_gzip_points *p); /* of the whole stream */
uint64_t mtm_gzip_points_input_bytes(const mtm_gzip_points *p);

/* To and from bytes, for the sidecar index. The blob may be hostile: what unpack accepts is safe to read with, and
 * wrong contents are found by the checksums. Free the blob with mtm_free. Errors: MTM_E_CORRUPT, MTM_E_UNSUPPORTED
 * (another version), MTM_E_LIMIT. */
mtm_status mtm_gzip_points_pack(const mtm_gzip_points *p, uint8_t **blob, size_t *n, mtm_error *err);
mtm_status mtm_gzip_points_unpack(mtm_gzip_points **out, const uint8_t *blob, size_t n, const mtm_limits *lim,
                                  mtm_error *err);

/* ---- random access ------------------------------------------------------------------------------------ */

/* Receives output bytes [offset, offset + n), verified, cache-hot and 64 bytes readable past their end. Each byte of the
 * range comes exactly once, in no particular order, from several threads at a time. A failure ends the read. */
typedef mtm_status (*mtm_gzip_sink)(void *user, const uint8_t *bytes, uint64_t offset, size_t n,
                                    mtm_error *err);

/* Hands output bytes [offset, offset + size) to the sink, inflating only the segments between points that meet them,
 * in parallel over the pool (NULL: on the calling thread). Temporaries come from the recycler (NULL: plain allocation).
 * Errors: MTM_E_INVAL (range outside the output), MTM_E_CONFLICT (src has another size than the points were made of),
 * MTM_E_CORRUPT (data or points do not give the recorded checksum), what src->read and sink give. */
mtm_status mtm_gzip_read(const mtm_gzip_points *p, const mtm_gzip_bytes *src, uint64_t offset,
                         uint64_t size_bytes, mtm_gzip_sink sink, void *user, mtm_pool *pool,
                         mtm_recycler *recycler, mtm_error *err);

/* The same into contiguous memory. */
mtm_status mtm_gzip_read_range(void *dst, const mtm_gzip_points *p, const mtm_gzip_bytes *src,
                               uint64_t offset, uint64_t size_bytes, mtm_pool *pool, mtm_recycler *recycler,
                               mtm_error *err);

#endif
