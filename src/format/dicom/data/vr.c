/* format/dicom/data/vr.c: the table of value representations (PS3.5 6.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "vr.h"

#include <string.h>

static const dcm_vr vrs[] = {
    {.name = "UN", .kind = DCM_KIND_BYTES, .long_form = true},
    {.name = "AE", .kind = DCM_KIND_CODE, .leading = true, .most_chars = 16},
    {.name = "AS", .kind = DCM_KIND_CODE, .most_chars = 4},
    {.name = "AT", .kind = DCM_KIND_TAG, .size = 2},
    {.name = "CS", .kind = DCM_KIND_CODE, .leading = true, .most_chars = 16},
    {.name = "DA", .kind = DCM_KIND_CODE, .most_chars = 8},
    {.name = "DS", .kind = DCM_KIND_DECIMAL, .leading = true, .most_chars = 16},
    {.name = "DT", .kind = DCM_KIND_CODE, .most_chars = 26},
    {.name = "FD", .kind = DCM_KIND_BINARY, .size = 8, .is_float = true},
    {.name = "FL", .kind = DCM_KIND_BINARY, .size = 4, .is_float = true},
    {.name = "IS", .kind = DCM_KIND_INTEGER, .leading = true, .most_chars = 12},
    {.name = "LO", .kind = DCM_KIND_TEXT, .most_chars = 64},
    {.name = "LT", .kind = DCM_KIND_TEXT, .single = true, .most_chars = 10240},
    {.name = "OB", .kind = DCM_KIND_BYTES, .long_form = true},
    {.name = "OD", .kind = DCM_KIND_BYTES, .size = 8, .long_form = true, .is_float = true},
    {.name = "OF", .kind = DCM_KIND_BYTES, .size = 4, .long_form = true, .is_float = true},
    {.name = "OL", .kind = DCM_KIND_BYTES, .size = 4, .long_form = true},
    {.name = "OV", .kind = DCM_KIND_BYTES, .size = 8, .long_form = true},
    {.name = "OW", .kind = DCM_KIND_BYTES, .size = 2, .long_form = true},
    {.name = "PN", .kind = DCM_KIND_NAME, .most_chars = 64},
    {.name = "SH", .kind = DCM_KIND_TEXT, .most_chars = 16},
    {.name = "SL", .kind = DCM_KIND_BINARY, .size = 4, .is_signed = true},
    {.name = "SQ", .kind = DCM_KIND_SEQUENCE, .long_form = true},
    {.name = "SS", .kind = DCM_KIND_BINARY, .size = 2, .is_signed = true},
    {.name = "ST", .kind = DCM_KIND_TEXT, .single = true, .most_chars = 1024},
    {.name = "SV", .kind = DCM_KIND_BINARY, .size = 8, .is_signed = true, .long_form = true},
    {.name = "TM", .kind = DCM_KIND_CODE, .most_chars = 16},
    {.name = "UC", .kind = DCM_KIND_TEXT, .long_form = true},
    {.name = "UI", .kind = DCM_KIND_CODE, .most_chars = 64},
    {.name = "UL", .kind = DCM_KIND_BINARY, .size = 4},
    {.name = "UR", .kind = DCM_KIND_CODE, .single = true, .long_form = true},
    {.name = "US", .kind = DCM_KIND_BINARY, .size = 2},
    {.name = "UT", .kind = DCM_KIND_TEXT, .single = true, .long_form = true},
    {.name = "UV", .kind = DCM_KIND_BINARY, .size = 8, .long_form = true},
};

enum { N_VRS = sizeof vrs / sizeof *vrs };

const dcm_vr *dcm_vr_exact(const char *vr)
{
    int lo = 1, hi = N_VRS;

    while (lo < hi) {
        const int middle = (lo + hi) / 2, order = strncmp(vr, vrs[middle].name, 3);

        if (order == 0)
            return &vrs[middle];
        if (order < 0)
            hi = middle;
        else
            lo = middle + 1;
    }
    return strncmp(vr, vrs[0].name, 3) ? NULL : &vrs[0];
}

const dcm_vr *dcm_vr_find(const char *vr)
{
    const dcm_vr *const known = dcm_vr_exact(vr);

    return known ? known : &vrs[0];
}
