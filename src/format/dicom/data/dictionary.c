/* format/dicom/data/dictionary.c: look-up in the tables of PS3.6: elements by tag and keyword, UIDs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset.h"
#include "tables.h"

static const mtm_dicom_entry group_length = {0, "UL", "1", "", "Group Length", true};        /* PS3.5 7.2 */
static const mtm_dicom_entry private_creator = {0, "LO", "1", "", "Private Creator", false}; /* PS3.5 7.8.1 */

static const mtm_dicom_entry *plain_entry(uint32_t tag)
{
    for (uint32_t at = dcm_tag_slot(tag);; at = (at + 1) & ((1u << DCM_SLOT_BITS) - 1)) {
        const uint16_t number = dcm_tag_slots[at];

        if (number == DCM_NO_SLOT)
            return NULL;
        if (dcm_entries[number].tag == tag)
            return &dcm_entries[number];
    }
}

static const mtm_dicom_entry *repeating_entry(uint32_t tag)
{
    for (int i = 0; i < dcm_n_repeating; i++)
        if ((tag & dcm_repeating_masks[i]) == dcm_entries[dcm_n_plain + i].tag)
            return &dcm_entries[dcm_n_plain + i];
    return NULL;
}

const mtm_dicom_entry *mtm_dicom_entry_by_tag(uint32_t tag)
{
    const uint32_t element = tag & 0xFFFF;
    const mtm_dicom_entry *e;

    if (tag >> 16 & 1)
        return element >= 0x10 && element <= 0xFF ? &private_creator : element == 0 ? &group_length : NULL;
    e = plain_entry(tag);
    if (!e)
        e = repeating_entry(tag);
    return e || element > 0 ? e : &group_length;
}

const mtm_dicom_entry *mtm_dicom_entry_by_keyword(const char *keyword)
{
    int low = 0, high = dcm_n_keywords;

    while (low < high) {
        const int middle = low + (high - low) / 2;
        const mtm_dicom_entry *const e = &dcm_entries[dcm_by_keyword[middle]];
        const int order = strcmp(keyword, e->keyword);

        if (order == 0)
            return e;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const mtm_dicom_uid *mtm_dicom_uid_find(const char *uid_or_keyword)
{
    const bool is_uid = uid_or_keyword[0] >= '0' && uid_or_keyword[0] <= '9';
    int low = 0, high = is_uid ? dcm_n_uids : dcm_n_uid_keywords;

    while (low < high) {
        const int middle = low + (high - low) / 2;
        const mtm_dicom_uid *const u = &dcm_uids[is_uid ? middle : dcm_uid_by_keyword[middle]];
        const int order = strcmp(uid_or_keyword, is_uid ? u->uid : u->keyword);

        if (order == 0)
            return u;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *dcm_uid_name(const char *uid)
{
    const mtm_dicom_uid *const known = mtm_dicom_uid_find(uid);

    if (known)
        return known->name;
    return uid[0] && !uid[strspn(uid, "0123456789.")] ? uid : "(no UID)";
}
