/* format/dicom/data/rules.c: the table of value representations (PS3.5 table 6.2-1).
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <stddef.h>
#include <string.h>

/* Sorted by name. */
static const dcm_rule vrs[] = {
    {"AE", DCM_RULE_ASCII, 1, ' ', false, true, false, 16},
    {"AS", DCM_RULE_ASCII, 1, ' ', false, true, false, 4},
    {"AT", DCM_RULE_BYTES, 2, 0, false, true, false, 0},
    {"CS", DCM_RULE_ASCII, 1, ' ', false, true, false, 16},
    {"DA", DCM_RULE_ASCII, 1, ' ', false, true, false, 8},
    {"DS", DCM_RULE_ASCII, 1, ' ', false, true, false, 16},
    {"DT", DCM_RULE_ASCII, 1, ' ', false, true, false, 26},
    {"FD", DCM_RULE_BYTES, 8, 0, false, true, true, 0},
    {"FL", DCM_RULE_BYTES, 4, 0, false, true, true, 0},
    {"IS", DCM_RULE_ASCII, 1, ' ', false, true, false, 12},
    {"LO", DCM_RULE_TEXT, 1, ' ', false, true, false, 64},
    {"LT", DCM_RULE_TEXT, 1, ' ', false, false, false, 10240},
    {"OB", DCM_RULE_BYTES, 1, 0, true, false, false, 0},
    {"OD", DCM_RULE_BYTES, 8, 0, true, false, true, 0},
    {"OF", DCM_RULE_BYTES, 4, 0, true, false, true, 0},
    {"OL", DCM_RULE_BYTES, 4, 0, true, false, false, 0},
    {"OV", DCM_RULE_BYTES, 8, 0, true, false, false, 0},
    {"OW", DCM_RULE_BYTES, 2, 0, true, false, false, 0},
    {"PN", DCM_RULE_TEXT, 1, ' ', false, true, false, 64}, /* of one component group */
    {"SH", DCM_RULE_TEXT, 1, ' ', false, true, false, 16},
    {"SL", DCM_RULE_BYTES, 4, 0, false, true, false, 0},
    {"SQ", DCM_RULE_SEQUENCE, 1, 0, true, false, false, 0},
    {"SS", DCM_RULE_BYTES, 2, 0, false, true, false, 0},
    {"ST", DCM_RULE_TEXT, 1, ' ', false, false, false, 1024},
    {"SV", DCM_RULE_BYTES, 8, 0, true, true, false, 0},
    {"TM", DCM_RULE_ASCII, 1, ' ', false, true, false, 16},
    {"UC", DCM_RULE_TEXT, 1, ' ', true, true, false, 0},
    {"UI", DCM_RULE_ASCII, 1, 0, false, true, false, 64},
    {"UL", DCM_RULE_BYTES, 4, 0, false, true, false, 0},
    {"UN", DCM_RULE_BYTES, 1, 0, true, false, false, 0},
    {"UR", DCM_RULE_ASCII, 1, ' ', true, false, false, 0},
    {"US", DCM_RULE_BYTES, 2, 0, false, true, false, 0},
    {"UT", DCM_RULE_TEXT, 1, ' ', true, false, false, 0},
    {"UV", DCM_RULE_BYTES, 8, 0, true, true, false, 0},
};

const dcm_rule *dcm_rule_find(const char *name)
{
    size_t lo = 0, hi = sizeof vrs / sizeof *vrs;

    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        const int c = strncmp(name, vrs[mid].name, 3);

        if (c == 0)
            return &vrs[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}
