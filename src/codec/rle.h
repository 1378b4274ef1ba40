/* codec/rle.h: DICOM's run-length coding (PS3.5 G): up to 15 segments, each the bytes of one significance of one sample, packed
 * row by row. It has no shape of its own. Pure: memory to memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_RLE_H
#define MTM_CODEC_RLE_H

#include "codec/codec.h"

enum { MTM_RLE_HEADER_BYTES = 64, MTM_RLE_MOST_SEGMENTS = 15 };

/* Where the segments lie. */
typedef struct mtm_rle_segments {
    int32_t n;
    uint32_t begin[MTM_RLE_MOST_SEGMENTS], end[MTM_RLE_MOST_SEGMENTS];
} mtm_rle_segments;

/* Errors: MTM_E_CORRUPT (no header, 0 or more than 15 segments, one that begins outside the frame). */
mtm_status mtm_rle_segments_read(mtm_rle_segments *s, const uint8_t *in, size_t n, mtm_error *err);
/* True for bytes that begin with a plausible header. */
bool mtm_rle_detect(const uint8_t *in, size_t n);

/* Decodes into dst [Y, X, C], any strides that are multiples of the element. The segments of a sample are its bytes, the most
 * significant first (PS3.5 G.2), or the other way round where little_endian; bits: one segment per sample of packed bits, the
 * first lowest, running on over the ends of rows, into U8 or BOOL 0 and 1. partial: what is missing is 0, and noted in p. Errors:
 * MTM_E_CORRUPT (wrong number of segments; a segment that ends too early). */
typedef struct mtm_rle_params {
    bool bits, little_endian;
    const mtm_decode_params *decode; /* NULL: strict */
} mtm_rle_params;
mtm_status mtm_rle_decode(const mtm_array *dst, const uint8_t *in, size_t n, const mtm_rle_params *p,
                          mtm_error *err);

/* Appends the frame [Y, X, C] to out: runs end with their row (PS3.5 G.3.1), segments have even lengths. bits: as above.
 * Errors: MTM_E_UNSUPPORTED (more than 15 segments, a dtype without bytes), MTM_E_LIMIT (beyond 32-bit offsets). */
mtm_status mtm_rle_encode(mtm_bytes *out, const mtm_array *src, bool bits, mtm_error *err);

#endif
