/* format/dicom/write/transcode.h: pixels into another transfer syntax, with proof. transcode.c decides what the new header says and
 * proves the result, recode.c turns frames, store.c lays them into the file, icon.c decodes the small pictures inside.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_TRANSCODE_H
#define MTM_DICOM_TRANSCODE_H

#include "format/dicom/pixel/pixel.h"
#include "part10.h"

/* One transcoding; constant while frames are turned, but for what store.c counts. */
typedef struct dcm_recode {
    const mtm_dicom *d;
    const dcm_syntax *from, *to;
    const mtm_dicom_write_options *options;
    dcm_decoder *source;
    mtm_codec_ctx *codec;
    mtm_encode_params encode; /* of codestreams */
    bool cells;        /* cells travel as they are, unused bits too: RLE, deflated frames, uncompressed */
    bool native_cells; /* … and are taken from native pixel data without decoding */
    bool check_unused; /* the codec keeps stored bits only, and the source's cells have more */
    bool lossy, extended_table;
    int bits_allocated; /* of the result */
    char photometric[20];
    int planar;             /* PlanarConfiguration of the result; −1: one sample per pixel */
    uint64_t encoded_bytes; /* of all codestreams so far */
    dcm_watch *ratio;       /* LossyImageCompressionRatio, filled in when all is encoded; NULL: as it is */
} dcm_recode;

/* ---- recode.c ----------------------------------------------------------------------------------------- */

/* A frame as it will be stored, even or not. pool: for the codec; NULL where frames already run side by side. Errors: MTM_E_CORRUPT,
 * MTM_E_INVAL (bits would be lost). */
mtm_status dcm_frame_recode(const dcm_recode *r, dcm_scratch *s, int64_t frame, mtm_pool *pool,
                            mtm_bytes *out, mtm_error *err);
/* Samples of a frame as raw reads give them, [Y, X] or [Y, X, C], in new memory. */
mtm_status dcm_frame_samples(const dcm_decoder *x, dcm_scratch *s, int64_t frame, mtm_array *out,
                             mtm_error *err);

/* ---- store.c ------------------------------------------------------------------------------------------ */

/* A dcm_new_pixels function; user: dcm_recode. */
mtm_status dcm_pixels_store(void *user, dcm_out *o, mtm_error *err);

/* ---- icon.c ------------------------------------------------------------------------------------------- */

bool dcm_has_compressed_icon(const mtm_dicom *d);
/* A copy of d, which must outlive it, whose icons and other pixel data inside sequences are native: PS3.5 A.4 allows that in every
 * syntax. Errors: MTM_E_UNSUPPORTED, MTM_E_CORRUPT. */
mtm_status dcm_icons_decode(mtm_dicom **out, const mtm_dicom *d, const dcm_syntax *from,
                            const mtm_dicom_write_options *options, mtm_error *err);

/* ---- transcode.c -------------------------------------------------------------------------------------- */

/* Fills in all but d, from, to, options and codec. Errors: MTM_E_UNSUPPORTED, MTM_E_INVAL, those of the source's pixels. */
mtm_status dcm_recode_plan(dcm_recode *r, mtm_error *err);
/* Puts the attributes that the new syntax changes. */
mtm_status dcm_recode_header(mtm_dicom_builder *b, const dcm_recode *r, mtm_error *err);
/* The data set in `to`, with its pixels decoded, encoded and, but for options->no_proof, read back and compared. Errors: as
 * mtm_dicom_write. */
mtm_status dcm_transcode(mtm_writer *w, const mtm_dicom *d, const dcm_syntax *from, const dcm_syntax *to,
                         const mtm_dicom_write_options *options, mtm_error *err);

/* ---- write.c ------------------------------------------------------------------------------------------ */

/* As mtm_dicom_write, into a file that has no name yet. */
mtm_status dcm_write(mtm_writer *w, const mtm_dicom *d, const mtm_dicom_write_options *options,
                     mtm_error *err);

#endif
