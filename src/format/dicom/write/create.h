/* format/dicom/write/create.h: what new objects of every kind share: patient and study from a source, equipment.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_CREATE_H
#define MTM_DICOM_CREATE_H

#include "format/dicom/data/build.h"
#include "part10.h"

typedef struct dcm_default {
    uint32_t tag;
    const char *value; /* where the source has none; NULL: left out then */
} dcm_default;

extern const dcm_default dcm_patient_study[];
extern const int dcm_n_patient_study;

/* Each element of the list from `like` (NULL: none), else its standard value. */
mtm_status dcm_keep_all(mtm_dicom_builder *b, const mtm_dicom *like, const dcm_default *list, int n,
                        mtm_error *err);
/* Manufacturer, model and version: this library's. */
mtm_status dcm_put_equipment(mtm_dicom_builder *b, mtm_error *err);

#endif
