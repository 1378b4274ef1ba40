/* format/dicom/data/vr.h: what a value representation means for whoever shows values (PS3.5 6.2).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_VR_H
#define MTM_DICOM_VR_H

#include <stdbool.h>
#include <stdint.h>

typedef enum dcm_vr_kind {
    DCM_KIND_BYTES,   /* OB OD OF OL OV OW UN, and what is no VR */
    DCM_KIND_CODE,    /* AE AS CS DA DT TM UI UR: the default repertoire */
    DCM_KIND_TEXT,    /* LO LT SH ST UC UT: by SpecificCharacterSet */
    DCM_KIND_NAME,    /* PN */
    DCM_KIND_DECIMAL, /* DS */
    DCM_KIND_INTEGER, /* IS */
    DCM_KIND_BINARY,  /* FD FL SL SS SV UL US UV */
    DCM_KIND_TAG,     /* AT */
    DCM_KIND_SEQUENCE /* SQ */
} dcm_vr_kind;

typedef struct dcm_vr {
    char name[3];
    uint8_t kind; /* dcm_vr_kind */
    uint8_t size; /* bytes of one number, of swapped words in BYTES; 0: no binary numbers */
    bool single;  /* '\' is an ordinary character: never more than one value */
    bool leading; /* blanks in front mean nothing either */
    bool is_signed, is_float;
} dcm_vr;

/* Never NULL: what is no VR is as UN. */
const dcm_vr *dcm_vr_find(const char *vr);

#endif
