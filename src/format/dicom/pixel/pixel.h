/* format/dicom/pixel/pixel.h: from a data set to samples: where each frame's bytes lie, and a decoder that turns a frame, or a part
 * of one, into a view of the caller's memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_PIXEL_H
#define MTM_DICOM_PIXEL_H

#include "array/array.h"
#include "codec/codec.h"
#include "format/dicom/data/dataset.h"

/* ---- frames (frames.c) -------------------------------------------------------------------------------- */

/* Where the bytes of every frame lie in the value of the pixel data. Constant afterwards, so any thread may read. */
typedef struct dcm_frames {
    int64_t n;
    /* Encapsulated: [n + 1], the items of frame i lie in bytes begin[i] … begin[i + 1] of the value. NULL: native, every frame
     * frame_bits behind the last; 1-bit frames need not begin on a byte. */
    uint64_t *begin;
    uint64_t frame_bits;   /* of native samples, in fragments or not */
    int64_t offset_bytes;  /* of the value in from's file, for reading and for messages; built: −1 */
    uint64_t size_bytes;   /* of the value */
    const mtm_dicom *from; /* whose file: borrowed */
    const uint8_t *memory; /* the value, where it is in memory; else NULL */
    char warning[160];     /* wrong tables that were not needed, padding that is none, missing bytes; "" */
} dcm_frames;

/* By extended offset table, basic offset table, or the fragments themselves (one per frame; all in one; beginnings or ends of
 * codestreams). Tables are believed where items stand at the places that they name. Errors: MTM_E_CORRUPT (fragments cannot be shared
 * out among the frames), MTM_E_NOTFOUND (no pixel data), MTM_E_IO, MTM_E_NOMEM. */
mtm_status dcm_frames_new(dcm_frames **out, const mtm_dicom *d, const mtm_dicom_pixels *p, mtm_error *err);
void dcm_frames_free(dcm_frames *f);
MTM_DEFINE_AUTO(dcm_frames, dcm_frames_free)
/* MTM_E_INVAL: there is no such frame; MTM_E_CORRUPT: the file ends before it does. To be asked before native frames are read from
 * f->memory or the file. */
mtm_status dcm_frame_check(const dcm_frames *f, int64_t frame, mtm_error *err);
/* A frame's bytes, appended to nothing: out->size_bytes is set. One pad byte may follow the codestream; native frames of single bits begin
 * with their first. Errors: as dcm_frame_check, and MTM_E_CORRUPT (no item where a table says one, an item beyond the end). */
mtm_status dcm_frame_bytes(const dcm_frames *f, int64_t frame, mtm_bytes *out, mtm_error *err);

/* ---- decoding (decoder.c) ----------------------------------------------------------------------------- */

/* All that decoding needs to know of a data set, made once; constant afterwards, so any thread may use it. */
typedef struct dcm_decoder {
    const mtm_dicom *d; /* borrowed */
    mtm_dicom_pixels pixels;
    dcm_frames *frames;
    mtm_codec_ctx *codec;         /* borrowed */
    struct dcm_palette *palette;  /* NULL: none, or damaged */
    struct dcm_lut *modality_lut; /* NULL: none, or damaged */
    uint32_t notes;               /* of the header alone */
    bool big_endian;              /* native samples */
    bool swap_pairs;              /* 8-bit samples in big endian words */
} dcm_decoder;

mtm_status dcm_decoder_new(dcm_decoder **out, const mtm_dicom *d, mtm_codec_ctx *codec, mtm_error *err);
void dcm_decoder_free(dcm_decoder *x);
MTM_DEFINE_AUTO(dcm_decoder, dcm_decoder_free)

/* What header and codestream disagree on, and what the header lacks, once each. */
enum {
    DCM_NOTE_SIGN = 1,
    DCM_NOTE_BITS = 2,
    DCM_NOTE_SIZE = 4,
    DCM_NOTE_COLOR = 8,
    DCM_NOTE_FRAMES = 16, /* Number of Frames is 0 or no number */
    DCM_NOTE_HIGH_BIT = 32,
    DCM_NOTE_UNUSED = 128,
    DCM_NOTE_ASSUMED = 64 /* an attribute that must be there is not, and has an obvious value */
};

/* Rows y0 … y1, columns x0 … x1 (region NULL: all) of a frame · slope + inter into dst, [Y, X] or [Y, X, C], any strides and dtype; raw: no
 * palette, no colour conversion. JPEG 2000 decodes only the code-blocks that the region touches; native frames are read row by row.
 * scratch: of the calling thread, reused. *notes is or-ed. */
typedef struct dcm_scratch {
    mtm_bytes bytes;    /* the frame, or rows of it, as stored */
    mtm_bytes unpacked; /* single bits, quadruples, samples below a high bit: as numbers */
    mtm_bytes samples;  /* decoded */
    mtm_bytes index;    /* of a palette */
} dcm_scratch;
void dcm_scratch_drop(dcm_scratch *s);

mtm_status dcm_frame_into(const dcm_decoder *x, dcm_scratch *s, int64_t frame, const int64_t region[4],
                          bool raw, double slope, double inter, mtm_array *dst, uint32_t *notes,
                          mtm_error *err);
/* Rows and columns of frame's codestream (native: of the header), and the type that holds its samples as raw reads give them. */
mtm_status dcm_frame_shape(const dcm_decoder *x, dcm_scratch *s, int64_t frame, int64_t shape[2],
                           mtm_dtype *raw_dtype, mtm_error *err);
/* Values for measuring: gray samples through the modality LUT, or frame's slope and inter; colours as they are. */
mtm_status dcm_frame_modality(const dcm_decoder *x, dcm_scratch *s, int64_t frame, const int64_t region[4],
                              mtm_array *dst, uint32_t *notes, mtm_error *err);
/* RescaleSlope and RescaleIntercept that hold for a frame (−1: for all): of its functional groups, the shared ones, or the data
 * set. False: there are none; 1 and 0. */
bool dcm_frame_rescale(const mtm_dicom *d, int64_t frame, double *slope, double *inter);
/* "the codestream has 12 bits, the header 16", for each note: adds lines to `t`. */
void dcm_notes_text(const dcm_decoder *x, uint32_t notes, char *text, size_t room);

#endif
