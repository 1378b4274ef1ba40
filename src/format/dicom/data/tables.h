/* format/dicom/data/tables.h: the generated tables of PS3.6, read by dictionary.c only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_TABLES_H
#define MTM_DICOM_TABLES_H

#include "microtome/dicom.h"

enum { DCM_SLOT_BITS = 14, DCM_NO_SLOT = 0xFFFF };

/* Elements of one tag, ascending, then the repeating ones, whose varying digits are 0. */
extern const int dcm_n_plain, dcm_n_repeating;
extern const mtm_dicom_entry dcm_entries[];
extern const uint32_t dcm_repeating_masks[]; /* digits that do not vary are F */
/* Numbers of plain elements by dcm_tag_slot, or in the next free slot; DCM_NO_SLOT: free. */
extern const uint16_t dcm_tag_slots[1 << DCM_SLOT_BITS];
extern const int dcm_n_keywords;
extern const uint16_t dcm_by_keyword[]; /* numbers of elements, keywords ascending */

extern const int dcm_n_uids;
extern const mtm_dicom_uid dcm_uids[]; /* ascending */
extern const int dcm_n_uid_keywords;
extern const uint16_t dcm_uid_by_keyword[];

static inline uint32_t dcm_tag_slot(uint32_t tag)
{
    return tag * 2654435761u >> (32 - DCM_SLOT_BITS);
}

#endif
