/* format/dicom/volume/seg.h: a segmentation object from inside: its frames' places (seg_frames.c, seg_grid.c), and the image (seg.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_SEG_H
#define MTM_DICOM_SEG_H

#include "format/dicom/pixel/pixel.h"
#include "format/dicom/volume/grid.h"
#include "image/image.h"

typedef enum dcm_seg_type { DCM_SEG_BINARY, DCM_SEG_FRACTIONAL, DCM_SEG_LABELMAP } dcm_seg_type;

/* One frame: a rectangle of pixels of one segment (of all: a label map) in the stack [K, R, C]. */
typedef struct dcm_seg_frame {
    int64_t frame;
    int32_t segment;    /* its place in dcm_seg.numbers; label maps: 0 */
    int64_t k, r, c;    /* of its first pixel; r, c may lie outside of the stack */
    double position[3]; /* mm, LPS; slides: r and c are known already */
} dcm_seg_frame;

typedef struct dcm_seg {
    mtm_image base;
    mtm_dicom *d;
    mtm_codec_ctx *codec;
    dcm_decoder *decoder;
    dcm_seg_type type;
    double scale;     /* of fractional values */
    int64_t *numbers; /* [n_segments]: segment numbers, in file order */
    int32_t n_segments;
    dcm_seg_frame *frames; /* [n], by k, then by their place in the file */
    int64_t n;
    bool on_slide; /* places are pixels of a slide, and there is one plane */
    double row[3], column[3], spacing[2],
        between; /* LPS directions in which columns, rows count; mm between rows, columns; slices, 0: not said */
    int64_t size[3]; /* of the stack: K, R, C */
    int axis[3];     /* which of the image's Z, Y, X each of the stack's axes is */
    bool flip[3];    /* and whether it runs against it */
    bool channels;   /* one per segment: they overlap, or are fractional */
} dcm_seg;

/* seg_frames.c: type, segments and frames of s->d. Errors: MTM_E_CORRUPT, MTM_E_UNSUPPORTED. */
mtm_status dcm_seg_frames_read(dcm_seg *s, mtm_error *err);
/* seg_grid.c: every frame's place on the frames' own grid, or on the given one; the image's geometry. */
mtm_status dcm_seg_place(dcm_seg *s, const mtm_dicom_grid *grid, mtm_error *err);

/* Takes the data set on success only. */
mtm_status dcm_seg_open(mtm_image **out, mtm_dicom *d, const mtm_dicom_grid *grid,
                        const mtm_open_options *opt, mtm_error *err);
/* Whether the data set is a segmentation (its SOP class). */
bool dcm_is_seg(const mtm_dicom *d);
bool dcm_is_seg_class(const char *uid);

#endif
