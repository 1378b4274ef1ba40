/* format/dicom/volume/vary.c: the attributes in which images of one place may differ, and reading them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "volume.h"

/* In order of preference where several tell the same. Functional groups: PS3.3 C.7.6.16.2, C.8.13.5, C.8.15.3. What scanners
 * measure or compute differs a little from slice to slice; what counts, and times, does not. */
const dcm_vary_entry dcm_vary_table[DCM_N_VARY] = {
    [DCM_VARY_TEMPORAL] = {"TemporalPositionIdentifier", DCM_VARY_SET, 1, 0, 0x00200100, 0x00209111,
                           0x00209128},
    [DCM_VARY_TRIGGER] = {"TriggerTime", DCM_VARY_RANK, 1, 1e-3, 0x00181060, 0x00189118, 0x00209153, 1e-6, 0},
    [DCM_VARY_FRAME_REFERENCE] = {"FrameReferenceTime", DCM_VARY_RANK, 1, 1e-3, 0x00541300, 0, 0, 1e-6, 0},
    [DCM_VARY_B_VALUE] = {"DiffusionBValue", DCM_VARY_SET, 4, 0, 0x00189087, 0x00189117, 0x00189087, 0.5,
                          1e-3},
    [DCM_VARY_GRADIENT_X] = {"", DCM_VARY_PART, 0, 0, 0, 0, 0, 1e-3, 0},
    [DCM_VARY_GRADIENT_Y] = {"", DCM_VARY_PART, 0, 0, 0, 0, 0, 1e-3, 0},
    [DCM_VARY_GRADIENT_Z] = {"", DCM_VARY_PART, 0, 0, 0, 0, 0, 1e-3, 0},
    [DCM_VARY_ECHO_TIME] = {"EchoTime", DCM_VARY_SET, 1, 0, 0x00180081, 0x00189114, 0x00189082, 0, 1e-3},
    [DCM_VARY_ECHO_NUMBER] = {"EchoNumbers", DCM_VARY_SET, 1, 0, 0x00180086, 0, 0},
    [DCM_VARY_INVERSION_TIME] = {"InversionTime", DCM_VARY_SET, 1, 0, 0x00180082, 0x00189115, 0x00189079, 0,
                                 1e-3},
    [DCM_VARY_FLIP_ANGLE] = {"FlipAngle", DCM_VARY_SET, 1, 0, 0x00181314, 0x00189112, 0x00181314, 0, 1e-3},
    [DCM_VARY_REPETITION_TIME] = {"RepetitionTime", DCM_VARY_SET, 1, 0, 0x00180080, 0x00189112, 0x00180080, 0,
                                  1e-3},
    [DCM_VARY_KVP] = {"KVP", DCM_VARY_SET, 1, 0, 0x00180060, 0x00189325, 0x00180060, 0, 1e-3},
    [DCM_VARY_ENERGY_WINDOW] = {"EnergyWindowVector", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_DETECTOR] = {"DetectorVector", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_PHASE] = {"PhaseVector", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_ROTATION] = {"RotationVector", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_RR_INTERVAL] = {"RRIntervalVector", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_TIME_SLOT] = {"TimeSlotVector", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_ANGULAR_VIEW] = {"AngularViewVector", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_TIME_SLICE] = {"TimeSliceVector", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_FRAME_TIME] = {"FrameTime", DCM_VARY_SET, 1, 1e-3, 0, 0, 0, 1e-6, 0},
    [DCM_VARY_DIMENSION] = {"DimensionIndexValues", DCM_VARY_SET, 1, 0, 0, 0, 0},
    [DCM_VARY_STACK] = {"StackID", DCM_VARY_SEPARATE, 1, 0, 0, 0, 0},
    [DCM_VARY_IMAGE_TYPE] = {"ImageType", DCM_VARY_SEPARATE, 1, 0, 0, 0, 0},
    [DCM_VARY_ACQUISITION_NUMBER] = {"AcquisitionNumber", DCM_VARY_CLOCK, 1, 0, 0x00200012, 0x00209111,
                                     0x00209156},
    [DCM_VARY_ACQUISITION_TIME] = {"AcquisitionTime", DCM_VARY_CLOCK, 1, 1, 0x00080032, 0x00209111,
                                   0x00189074, 1e-6, 0},
    [DCM_VARY_CONTENT_TIME] = {"ContentTime", DCM_VARY_CLOCK, 1, 1, 0x00080033, 0, 0, 1e-6, 0},
};

/* n digits at s, or −1. */
static int digits(const char *s, int n)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = 10 * v + (s[i] - '0');
    }
    return v;
}

/* "HHMMSS.ffffff" and its shorter forms (PS3.5 6.2), in seconds. */
static double time_of(const char *s)
{
    const int h = digits(s, 2), m = h < 0 ? -1 : digits(s + 2, 2), sec = m < 0 ? -1 : digits(s + 4, 2);
    double fraction = 0;
    size_t used;

    if (h < 0)
        return NAN;
    if (sec >= 0 && s[6] == '.' && !mtm_text_f64(s + 6, strlen(s + 6), &fraction, &used))
        fraction = 0;
    return h * 3600.0 + (m < 0 ? 0 : m * 60.0) + (sec < 0 ? 0 : sec) + fraction;
}

/* Days since 1 March of year 0, so that leap days come last. */
static double days_of(const char *s)
{
    const int y = digits(s, 4), m = y < 0 ? -1 : digits(s + 4, 2), d = m < 0 ? -1 : digits(s + 6, 2);

    if (d < 0)
        return NAN;
    const int year = m > 2 ? y : y - 1, month = (m + 9) % 12;
    return 365.0 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + d;
}

double dcm_number(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, item, tag);
    char text[32];
    double x;

    if (!e)
        return NAN;
    if (!strcmp(e->vr, "TM"))
        return mtm_dicom_ascii(d, e, 0, text, sizeof text) ? time_of(text) : NAN;
    if (!strcmp(e->vr, "DT"))
        return mtm_dicom_ascii(d, e, 0, text, sizeof text) && strlen(text) >= 10
                   ? days_of(text) * 86400 + time_of(text + 8)
                   : NAN;
    return mtm_dicom_f64(d, e, 0, &x) && isfinite(x) ? x : NAN;
}

/* All values of a text as a number that is the same for the same text. */
double dcm_hash(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, item, tag);
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    if (!e || !e->value)
        return NAN;
    for (uint64_t i = 0; i < e->length_bytes; i++)
        if (e->value[i] != ' ' && e->value[i] != 0)
            h = (h ^ e->value[i]) * 0x100000001b3u;
    return (double)(h >> 11);
}
