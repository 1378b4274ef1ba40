/* format/dicom/data/rules.h: what each value representation asks of who writes it (PS3.5 6.2).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_RULES_H
#define MTM_DICOM_RULES_H

#include <stdbool.h>
#include <stdint.h>

typedef enum dcm_rule_kind {
    DCM_RULE_BYTES,   /* OB, UN, and numbers in binary */
    DCM_RULE_ASCII,   /* text of the default repertoire: codes, dates, numbers, UIDs */
    DCM_RULE_TEXT,    /* text in the data set's character set */
    DCM_RULE_SEQUENCE /* SQ */
} dcm_rule_kind;

typedef struct dcm_rule {
    char name[4];
    dcm_rule_kind kind;
    uint8_t unit_bytes;  /* of one number, which byte order turns; 1: nothing to turn */
    uint8_t pad;         /* what makes the length even */
    bool long_form;      /* explicit VR: two reserved bytes and a 32-bit length (PS3.5 table 7.1-1) */
    bool several;        /* '\' separates values */
    bool is_float;       /* of unit_bytes > 1 */
    uint16_t most_chars; /* of one value; 0: as long as it likes */
} dcm_rule;

/* By its two letters; NULL: no VR of this edition. */
const dcm_rule *dcm_rule_find(const char *name);

#endif
