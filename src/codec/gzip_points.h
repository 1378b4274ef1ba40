/* codec/gzip_points.h: what an access point is, between the files that make points and the one that reads with them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_GZIP_POINTS_H
#define MTM_CODEC_GZIP_POINTS_H

#include "gzip_stream.h"

/* Checksums stand for this many output bytes of a segment (its last one for fewer), so that a read that ends inside a
 * segment need not inflate all of it. */
enum { MTM_GZIP_GRAIN = 64 << 10 };

/* A segment of the output: from an access point to the next one, or to the end of its member. Its compressed bits are
 * [8 · in + in_bit, 8 · in_end + end_bit) of the file, whole deflate blocks. */
typedef struct gzip_segment {
    uint64_t in, in_end;
    uint64_t out, size_bytes; /* of the output; size_bytes ≥ 1 */
    uint8_t in_bit, end_bit;  /* 0 … 7 */
    bool has_window;          /* false: a member begins here */
    bool ends_member;         /* its last block is the member's last block */
    uint32_t window_bytes;    /* deflated, at windows + window_at */
    uint64_t window_at;
    uint64_t crc_at; /* its first checksum in crc[] */
} gzip_segment;

struct mtm_gzip_points {
    uint64_t input_bytes, output_bytes;
    gzip_segment *segment;
    uint32_t *crc;    /* CRC-32 of each grain */
    uint8_t *windows; /* the 32 KiB before each point, deflated */
    size_t n_segments, n_crcs, n_windows_bytes;
};

static inline uint64_t gzip_grains(uint64_t size_bytes)
{
    return (size_bytes + MTM_GZIP_GRAIN - 1) / MTM_GZIP_GRAIN;
}

#endif
