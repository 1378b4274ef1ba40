/* codec/jpeg/jpeg.h: what the stages of the JPEG codec share, in the order of the flow:
 *   marker.c (structure) → huffman.c (bits) → lossless.c (SOF3) or coefficients.c and dct.c (SOF0 … 2) → upsample.c → the picture, which codec/whole.c crops
 * and converts; and, writing, encode.c. 8-bit DCT streams may be another decoder's: jpeg.c chooses.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEG_JPEG_H
#define MTM_JPEG_JPEG_H

#include "huffman.h"
#include "marker.h"

/* Memory that grows, kept by a worker. */
typedef struct jpeg_room {
    void *data; /* 64-byte aligned */
    size_t bytes;
} jpeg_room;

/* At least `bytes` bytes with undefined contents. Errors: MTM_E_NOMEM. */
mtm_status jpeg_room_for(jpeg_room *r, uint64_t bytes, mtm_error *err);

/* A worker's scratch. */
typedef struct jpeg_state {
    jpeg_bits bits;
    jpeg_room clean;        /* entropy-coded bytes without stuffing */
    jpeg_room samples;      /* rows or planes */
    jpeg_room coefficients; /* of DCT frames: all of them */
    jpeg_diff_code diff[JPEG_MOST_COMPONENTS];
    jpeg_run_code run[JPEG_MOST_COMPONENTS];
} jpeg_state;

/* A component of a DCT frame: whole MCUs. */
typedef struct jpeg_plane {
    int64_t blocks_wide, blocks_high;
    int16_t *coefs;    /* 64 of a block, in natural order, block by block */
    uint16_t *samples; /* 8 · blocks_wide of a row */
} jpeg_plane;

/* One decoding call. */
typedef struct jpeg_job {
    jpeg_state *state;
    jpeg_stream stream;
    const mtm_array *dst; /* [Y, X, C], U8 or U16 */
    const mtm_decode_params *p;
    jpeg_plane planes[JPEG_MOST_COMPONENTS];
    unsigned seen; /* components that had a scan, a bit each */
} jpeg_job;

/* Whether decoding may go on after `s`, which err tells of: partial decoding of damaged data, which is noted. */
bool jpeg_go_on(const jpeg_job *j, mtm_status s, const mtm_error *err);

/* Calls `scan` for every scan of the stream, which takes its coded bytes; then every component must have had one. A lossless or
 * sequential frame has one for each component (A.2.3). Errors: MTM_E_CORRUPT. */
mtm_status jpeg_each_scan(jpeg_job *j,
                          mtm_status (*scan)(jpeg_job *j, const jpeg_scan *header, mtm_error *err),
                          mtm_error *err);
/* Steps over the number-th restart marker, from 0, where s must stand. Errors: MTM_E_CORRUPT. */
mtm_status jpeg_restart(jpeg_stream *s, unsigned number, mtm_error *err);

mtm_status jpeg_info_new(mtm_codec_info **out, const uint8_t *in, size_t n, const mtm_limits *lim,
                         mtm_error *err);
void jpeg_info_free(mtm_codec_info *i);

/* Decodes without libjpeg-turbo: dst is [Y, X, C] of the stream's size, U8 or U16, any strides. */
mtm_status jpeg_decode_own(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                           const mtm_array *dst, mtm_error *err);
/* All scans into j->dst (SOF3; SOF0, 1, 2). Errors: MTM_E_CORRUPT with the offset, MTM_E_NOMEM. */
/* Row y of component c, of its own size, to where it belongs in dst: each sample repeated where the component is subsampled, and shifted
 * up by `low` bits. */
void jpeg_put_row(const jpeg_job *j, int32_t c, int64_t y, const uint16_t *row, uint32_t low);

/* Row y of the picture, of component c, to dst. */
void jpeg_put_line(const jpeg_job *j, int32_t c, int64_t y, const uint16_t *row);
/* From the planes' samples to dst, in the picture's size. Errors: MTM_E_NOMEM. */
mtm_status jpeg_upsample(jpeg_job *j, mtm_error *err);
/* YCC to RGB in place: [Y, X, 3], U8 or U16. */
void jpeg_to_rgb(const mtm_array *a, int32_t bits);

mtm_status jpeg_lossless_decode(jpeg_job *j, mtm_error *err);
mtm_status jpeg_dct_decode(jpeg_job *j, mtm_error *err);

/* Appends SOF3 of U8 or U16 [Y, X, C], pixels without gaps. p: bits (0: the type's), predictor (0: 1). Errors: MTM_E_UNSUPPORTED (type,
 * channels, size), MTM_E_INVAL (predictor, bits, a value beyond them), MTM_E_NOMEM. */
mtm_status jpeg_lossless_encode(jpeg_state *s, const mtm_array *a, const mtm_encode_params *p, mtm_bytes *out,
                                mtm_error *err);

#endif
