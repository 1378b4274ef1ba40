/* format/dicom/data/vr.c: the table of value representations (PS3.5 6.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "vr.h"

#include <string.h>

static const dcm_vr vrs[] = {
    {.name = "UN", .kind = DCM_KIND_BYTES},
    {.name = "AE", .kind = DCM_KIND_CODE, .leading = true},
    {.name = "AS", .kind = DCM_KIND_CODE},
    {.name = "AT", .kind = DCM_KIND_TAG, .size = 2},
    {.name = "CS", .kind = DCM_KIND_CODE, .leading = true},
    {.name = "DA", .kind = DCM_KIND_CODE},
    {.name = "DS", .kind = DCM_KIND_DECIMAL, .leading = true},
    {.name = "DT", .kind = DCM_KIND_CODE},
    {.name = "FD", .kind = DCM_KIND_BINARY, .size = 8, .is_float = true},
    {.name = "FL", .kind = DCM_KIND_BINARY, .size = 4, .is_float = true},
    {.name = "IS", .kind = DCM_KIND_INTEGER, .leading = true},
    {.name = "LO", .kind = DCM_KIND_TEXT},
    {.name = "LT", .kind = DCM_KIND_TEXT, .single = true},
    {.name = "OB", .kind = DCM_KIND_BYTES},
    {.name = "OD", .kind = DCM_KIND_BYTES, .size = 8},
    {.name = "OF", .kind = DCM_KIND_BYTES, .size = 4},
    {.name = "OL", .kind = DCM_KIND_BYTES, .size = 4},
    {.name = "OV", .kind = DCM_KIND_BYTES, .size = 8},
    {.name = "OW", .kind = DCM_KIND_BYTES, .size = 2},
    {.name = "PN", .kind = DCM_KIND_NAME},
    {.name = "SH", .kind = DCM_KIND_TEXT},
    {.name = "SL", .kind = DCM_KIND_BINARY, .size = 4, .is_signed = true},
    {.name = "SQ", .kind = DCM_KIND_SEQUENCE},
    {.name = "SS", .kind = DCM_KIND_BINARY, .size = 2, .is_signed = true},
    {.name = "ST", .kind = DCM_KIND_TEXT, .single = true},
    {.name = "SV", .kind = DCM_KIND_BINARY, .size = 8, .is_signed = true},
    {.name = "TM", .kind = DCM_KIND_CODE},
    {.name = "UC", .kind = DCM_KIND_TEXT},
    {.name = "UI", .kind = DCM_KIND_CODE},
    {.name = "UL", .kind = DCM_KIND_BINARY, .size = 4},
    {.name = "UR", .kind = DCM_KIND_CODE, .single = true},
    {.name = "US", .kind = DCM_KIND_BINARY, .size = 2},
    {.name = "UT", .kind = DCM_KIND_TEXT, .single = true},
    {.name = "UV", .kind = DCM_KIND_BINARY, .size = 8},
};

enum { N_VRS = sizeof vrs / sizeof *vrs };

const dcm_vr *dcm_vr_find(const char *vr)
{
    int lo = 1, hi = N_VRS;

    while (lo < hi) {
        const int middle = (lo + hi) / 2, order = strncmp(vr, vrs[middle].name, 2);
        if (order == 0)
            return &vrs[middle];
        if (order < 0)
            hi = middle;
        else
            lo = middle + 1;
    }
    return &vrs[0];
}
