/* format/dicom/deid/rules.c: the action for an attribute: table E.1-1 with the options asked for (PS3.15 E.1, E.3), and what is done
 * with attributes that the table does not name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "confidentiality.h"

const dcm_confidentiality *dcm_confidentiality_find(uint32_t tag)
{
    const uint32_t group = tag >> 16;
    const bool repeating = (group & 0xFF00) == 0x5000 || (group & 0xFF00) == 0x6000;
    int lo = 0, hi = dcm_confidentiality_rows;

    if (repeating) /* 50xx, 60xx: the first group stands for all; 50xx as a whole */
        tag = (group & 0xFF00) == 0x5000 ? 0x50000000 : 0x60000000 | (tag & 0xFFFF);
    while (lo < hi) {
        const int mid = (lo + hi) / 2;

        if (dcm_confidentiality_table[mid].tag < tag)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < dcm_confidentiality_rows && dcm_confidentiality_table[lo].tag == tag
               ? &dcm_confidentiality_table[lo]
               : NULL;
}

static dcm_action by_row(const dcm_confidentiality *row, uint32_t flags)
{
    dcm_action cleaned = DCM_KEEP;

    for (int i = 0; i < DCM_DEID_OPTIONS; i++) {
        if (!(flags >> i & 1) || row->options[i] == ' ')
            continue;
        if (row->options[i] == 'K')
            return DCM_KEEP;
        cleaned = 1u << i == MTM_DEID_SHIFT_DATES ? DCM_SHIFT : DCM_CLEAN;
    }
    if (cleaned != DCM_KEEP)
        return cleaned;
    switch (row->basic) {
    case 'D': return DCM_DUMMY;
    case 'U': return DCM_UID;
    case 'Z': return DCM_EMPTY;
    default: return DCM_REMOVE;
    }
}

/* UIDs that name no instance: coding schemes, templates and their makers (PS3.3 8, PS3.16 6). */
static bool names_no_instance(uint32_t tag)
{
    static const uint32_t tags[] = {0x0008010C, 0x0008010D, 0x00080117, 0x00080118, 0x0040DB0D, 0x00020012};

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

static bool uids_are_well_known(const mtm_dicom *d, const mtm_dicom_element *e)
{
    const int64_t n = mtm_dicom_value_count(d, e);
    char uid[68];

    for (int64_t i = 0; i < n; i++)
        if (!mtm_dicom_ascii(d, e, i, uid, sizeof uid) || !mtm_dicom_uid_find(uid))
            return false;
    return true;
}

static dcm_action unnamed(const mtm_dicom *d, const mtm_dicom_element *e, uint32_t flags)
{
    if (!mtm_dicom_entry_by_tag(e->tag))
        return DCM_REMOVE;
    if (dcm_vr_in(e, "PN "))
        return DCM_EMPTY;
    if (dcm_vr_in(e, "UI ") && !(flags & MTM_DEID_RETAIN_UIDS))
        return names_no_instance(e->tag) || uids_are_well_known(d, e) ? DCM_KEEP : DCM_UID;
    if (dcm_vr_in(e, "DA DT TM ") && !(flags & MTM_DEID_RETAIN_DATES))
        return flags & MTM_DEID_SHIFT_DATES ? DCM_SHIFT : DCM_EMPTY;
    return DCM_KEEP;
}

dcm_action dcm_action_of(const mtm_dicom *d, const mtm_dicom_element *e, uint32_t flags, bool hidden)
{
    const dcm_confidentiality *const row = dcm_confidentiality_find(e->tag);

    if (row)
        return by_row(row, flags);
    if (hidden && dcm_vr_in(e, "LO SH ST LT UT UC UR PN AE AS OB UN DA DT TM "))
        return DCM_DUMMY;
    return unnamed(d, e, flags);
}
