/* format/dicom/deid/safe_private.c: safe_private.h. The list holds acquisition parameters that images cannot be computed with otherwise:
 * scale factors of PET and MR, diffusion weighting, table and tube movement (after PS3.15 table E.3.10-1).
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "safe_private.h"

static const struct {
    const char *creator;
    uint16_t group;
    uint8_t element;
} safe[] = {
    {"ELSCINT1", 0x00E1, 0x21},                  /* DLP */
    {"ELSCINT1", 0x01E1, 0x26},                  /* phantom type */
    {"ELSCINT1", 0x01E1, 0x50},                  /* acquisition duration */
    {"ELSCINT1", 0x01F1, 0x01},                  /* acquisition type */
    {"ELSCINT1", 0x01F1, 0x07},                  /* table velocity */
    {"ELSCINT1", 0x01F1, 0x26},                  /* pitch */
    {"ELSCINT1", 0x01F1, 0x27},                  /* rotation time */
    {"GEMS_ACQU_01", 0x0019, 0x23},              /* table speed */
    {"GEMS_ACQU_01", 0x0019, 0x24},              /* mid-scan time */
    {"GEMS_ACQU_01", 0x0019, 0x27},              /* rotation speed */
    {"GEMS_ACQU_01", 0x0019, 0x9E},              /* internal pulse sequence name */
    {"GEMS_SERS_01", 0x0025, 0x07},              /* images in series */
    {"GEMS_PARM_01", 0x0043, 0x27},              /* scan pitch ratio */
    {"GEMS_PARM_01", 0x0043, 0x39},              /* b-value and three more integers */
    {"GEMS_PARM_01", 0x0043, 0x6F},              /* table entry and gantry angles */
    {"GEMS_HELIOS_01", 0x0045, 0x01},            /* macro rows of the detector */
    {"GEMS_HELIOS_01", 0x0045, 0x02},            /* their width */
    {"SIEMENS MR HEADER", 0x0019, 0x0C},         /* b-value */
    {"SIEMENS MR HEADER", 0x0019, 0x0D},         /* diffusion directionality */
    {"SIEMENS MR HEADER", 0x0019, 0x0E},         /* diffusion gradient direction */
    {"SIEMENS MR HEADER", 0x0019, 0x27},         /* b-matrix */
    {"Philips Imaging DD 001", 0x2001, 0x03},    /* diffusion b-factor */
    {"Philips Imaging DD 001", 0x2001, 0x04},    /* diffusion direction */
    {"Philips MR Imaging DD 001", 0x2005, 0x0D}, /* scale intercept */
    {"Philips MR Imaging DD 001", 0x2005, 0x0E}, /* scale slope */
    {"Philips PET Private Group", 0x7053, 0x00}, /* SUV factor */
    {"Philips PET Private Group", 0x7053, 0x09}, /* activity concentration factor */
};

bool dcm_private_is_safe(const char *creator, uint32_t tag, const char *const *more, int32_t n_more)
{
    const uint32_t group = tag >> 16, element = tag & 0xFF;
    char key[8];

    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        if (safe[i].group == group && safe[i].element == element && !strcmp(safe[i].creator, creator))
            return true;
    snprintf(key, sizeof key, "%04x%02x", (unsigned)group, (unsigned)element);
    for (int32_t i = 0; i < n_more; i++) {
        const char *const bar = strrchr(more[i], '|');

        if (bar && (size_t)(bar - more[i]) == strlen(creator) &&
            !strncmp(more[i], creator, strlen(creator)) && !strcasecmp(bar + 1, key))
            return true;
    }
    return false;
}
