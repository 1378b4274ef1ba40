/* format/dicom/volume/rtstruct.h: a structure set from inside: reading (rtstruct.c) and drawing (contour.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_RTSTRUCT_H
#define MTM_DICOM_RTSTRUCT_H

#include "format/dicom/data/dataset.h"

typedef struct dcm_contour {
    const mtm_dicom_element *data; /* 3 · n numbers, mm, LPS */
    int64_t n;
    bool closed;
} dcm_contour;

typedef struct dcm_roi {
    mtm_dicom_roi base;
    char *name;
    char type[20];
    dcm_contour *contours; /* [base.contours] */
} dcm_roi;

struct mtm_dicom_structures {
    mtm_dicom *d;
    dcm_roi *rois; /* [n] */
    int64_t n;
};

MTM_DEFINE_AUTO(mtm_dicom_structures, mtm_dicom_structures_close)

#endif
