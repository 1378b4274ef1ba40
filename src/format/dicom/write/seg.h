/* format/dicom/write/seg.h: a segmentation object under way: segments, the grid of the source, and the frames that are kept.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_SEG_WRITE_H
#define MTM_DICOM_SEG_WRITE_H

#include "array/array.h"
#include "create.h"

enum { SEG_UID_ROOM = 65 };

/* Where one slice lies, and which instance, or frame of one, it was drawn on. */
typedef struct seg_slice {
    double position[3];
    char sop_class[SEG_UID_ROOM], sop_uid[SEG_UID_ROOM];
    int32_t frame; /* of a multi-frame, from 1; 0: an instance of its own */
} seg_slice;

typedef struct seg_source {
    mtm_dicom *first; /* patient, study and frame of reference */
    int64_t n, rows, columns;
    seg_slice *slices;                                    /* [n] */
    double directions[6], spacing[2], thickness, between; /* thickness, between: 0 where unknown */
    char series_uid[SEG_UID_ROOM];
} seg_source;

/* The files of a series, slice by slice, or one multi-frame. Errors: those of opening, MTM_E_INVAL (no plane in space, slices of
 * several grids or series). */
mtm_status dcm_seg_source_read(seg_source *out, const char *const *paths, int64_t n, mtm_error *err);
void dcm_seg_source_drop(seg_source *s);

typedef struct seg_frame {
    int32_t segment; /* from 0; of a label map: 0 */
    int64_t slice;
} seg_frame;

/* Everything but the pixels, into b. bits: of a cell. */
mtm_status dcm_seg_header(mtm_dicom_builder *b, const seg_source *src, const mtm_dicom_segment *segments,
                          int32_t n_segments, const seg_frame *frames, int64_t n_frames, int bits,
                          const mtm_dicom_seg_options *opt, mtm_error *err);

#endif
