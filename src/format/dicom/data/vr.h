/* format/dicom/data/vr.h: the one table of value representations, for whoever shows values and whoever writes them (PS3.5 6.2).
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
    bool long_form;      /* explicit VR: two reserved bytes and a 32-bit length (table 7.1-1) */
    uint16_t most_chars; /* of one value, of PN of one component group; 0: as long as it likes */
} dcm_vr;

/* Never NULL: what is no VR is as UN. */
const dcm_vr *dcm_vr_find(const char *vr);
/* NULL: no VR of this edition. */
const dcm_vr *dcm_vr_exact(const char *vr);

/* Text of the default repertoire alone: codes, dates, numbers, UIDs. */
static inline bool dcm_vr_is_ascii(const dcm_vr *vr)
{
    return vr->kind == DCM_KIND_CODE || vr->kind == DCM_KIND_DECIMAL || vr->kind == DCM_KIND_INTEGER;
}

/* Text in the data set's character set. */
static inline bool dcm_vr_is_text(const dcm_vr *vr)
{
    return vr->kind == DCM_KIND_TEXT || vr->kind == DCM_KIND_NAME;
}

/* Bytes, and numbers in binary. */
static inline bool dcm_vr_is_bytes(const dcm_vr *vr)
{
    return vr->kind == DCM_KIND_BYTES || vr->kind == DCM_KIND_BINARY || vr->kind == DCM_KIND_TAG;
}

/* Bytes of what byte order turns; 1: nothing. */
static inline uint8_t dcm_vr_unit(const dcm_vr *vr)
{
    return vr->size ? vr->size : 1;
}

/* What makes the length even. */
static inline uint8_t dcm_vr_pad(const dcm_vr *vr)
{
    const bool is_uid = vr->name[0] == 'U' && vr->name[1] == 'I';

    return !is_uid && (dcm_vr_is_ascii(vr) || dcm_vr_is_text(vr)) ? ' ' : 0;
}

#endif
