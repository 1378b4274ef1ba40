/* format/dicom/deid/confidentiality.h: what PS3.15 E.1 does to an attribute, as facts (the table) and as rules (rules.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_CONFIDENTIALITY_H
#define MTM_DICOM_CONFIDENTIALITY_H

#include "format/dicom/data/dataset.h"

enum { DCM_DEID_OPTIONS = 9 }; /* columns: the MTM_DEID_ flags but for RETAIN_SAFE_PRIVATE, bit by bit */

typedef struct dcm_confidentiality {
    uint32_t tag;                       /* of the repeating groups 50xx and 60xx: the first one's */
    char basic;                         /* X Z D U */
    char options[DCM_DEID_OPTIONS + 1]; /* K, C or blank per option */
} dcm_confidentiality;

extern const dcm_confidentiality dcm_confidentiality_table[]; /* ascending by tag */
extern const int dcm_confidentiality_rows;

typedef enum dcm_action {
    DCM_KEEP,   /* of a sequence: its items are gone through */
    DCM_REMOVE, /* X */
    DCM_EMPTY,  /* Z */
    DCM_DUMMY,  /* D; of a sequence: all text in its items becomes a dummy */
    DCM_UID,    /* U */
    DCM_CLEAN,  /* C; of a sequence: its items are gone through, text is cleaned */
    DCM_SHIFT   /* dates moved by the patient's number of days */
} dcm_action;

/* The row of a tag; NULL: table E.1-1 does not name it. */
const dcm_confidentiality *dcm_confidentiality_find(uint32_t tag);
/* What becomes of an element that is not private. `hidden`: it lies in a sequence that becomes a dummy. Attributes that the
 * table does not name stay, but for what by its nature tells of people and times: names, dates, UIDs of instances, and tags that
 * the dictionary does not know. */
dcm_action dcm_action_of(const mtm_dicom *d, const mtm_dicom_element *e, uint32_t flags, bool hidden);

#endif
