/* format/dicom/volume/slice.c: place, size and values of one image from the attributes at the top level of its data set
 * (PS3.3 C.7.6.2, C.11.1).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "volume.h"

enum {
    IMAGE_TYPE = 0x00080008,
    SLICE_THICKNESS = 0x00180050,
    SPACING_BETWEEN = 0x00180088,
    IMAGER_SPACING = 0x00181164,
    SCANNED_SPACING = 0x00182010,
    POSITION = 0x00200032,
    ORIENTATION = 0x00200037,
    PIXEL_SPACING = 0x00280030,
    INTERCEPT = 0x00281052,
    SLOPE = 0x00281053,
    GRADIENT = 0x00189089,
    DOSE_SCALING = 0x3004000E
};

/* Beyond this no body reaches, and sums of squares stay finite. */
#define MOST_MM 1e9

bool dcm_position_get(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, dcm_slice *s)
{
    double position[3];

    if ((s->has & DCM_SLICE_POSITION) || !dcm_f64s(d, item, tag, position, 3))
        return false;
    for (int i = 0; i < 3; i++)
        if (!(fabs(position[i]) < MOST_MM))
            return false;
    memcpy(s->position, position, sizeof position);
    s->has |= DCM_SLICE_POSITION;
    return true;
}

void dcm_slice_init(dcm_slice *s)
{
    memset(s, 0, sizeof *s);
    s->slope = 1;
    for (int i = 0; i < DCM_N_VARY; i++)
        s->vary[i] = NAN;
}

void dcm_cross(const double a[3], const double b[3], double out[3])
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

/* Directions are taken as they stand: files hold rounded cosines, and others compute with those too. */
bool dcm_orientation_set(dcm_slice *s, const double cosines[6])
{
    double length[2] = {0}, dot = 0;

    for (int i = 0; i < 3; i++) {
        length[0] += cosines[i] * cosines[i], length[1] += cosines[i + 3] * cosines[i + 3];
        dot += cosines[i] * cosines[i + 3];
    }
    if (!(fabs(length[0] - 1) < 0.02 && fabs(length[1] - 1) < 0.02 && fabs(dot) < 0.01))
        return false;
    memcpy(s->row, cosines, sizeof s->row);
    memcpy(s->column, cosines + 3, sizeof s->column);
    s->has |= DCM_SLICE_ORIENTATION;
    return true;
}

static void vary_set(const mtm_dicom *d, const mtm_dicom_element *item, dcm_slice *s)
{
    for (int i = 0; i < DCM_N_VARY; i++)
        if (dcm_vary_table[i].classic && isnan(s->vary[i]))
            s->vary[i] = dcm_number(d, item, dcm_vary_table[i].classic);
    if (isnan(s->vary[DCM_VARY_IMAGE_TYPE]))
        s->vary[DCM_VARY_IMAGE_TYPE] = dcm_hash(d, item, IMAGE_TYPE);
    if (isnan(s->vary[DCM_VARY_GRADIENT_X]))
        (void)dcm_f64s(d, item, GRADIENT, s->vary + DCM_VARY_GRADIENT_X, 3);
    if (isnan(s->vary[DCM_VARY_B_VALUE]))
        dcm_vendor_diffusion(d, item, s);
}

/* PixelSpacing; of projections the spacing at the detector (ImagerPixelSpacing), of digitised film the scanner's. */
static bool spacing_of(const mtm_dicom *d, const mtm_dicom_element *item, double spacing[2])
{
    static const uint32_t tags[] = {PIXEL_SPACING, IMAGER_SPACING, SCANNED_SPACING};

    for (int i = 0; i < 3; i++)
        if (dcm_f64s(d, item, tags[i], spacing, 2) && spacing[0] > 0 && spacing[1] > 0 &&
            spacing[0] < MOST_MM && spacing[1] < MOST_MM)
            return true;
    return false;
}

void dcm_slice_merge(dcm_slice *s, const dcm_slice *more)
{
    const uint32_t new = more->has & ~s->has;

    if (new & DCM_SLICE_POSITION)
        memcpy(s->position, more->position, sizeof s->position);
    if (new & DCM_SLICE_ORIENTATION) {
        memcpy(s->row, more->row, sizeof s->row);
        memcpy(s->column, more->column, sizeof s->column);
    }
    if (new & DCM_SLICE_SPACING)
        memcpy(s->spacing, more->spacing, sizeof s->spacing);
    if (new & DCM_SLICE_RESCALE)
        s->slope = more->slope, s->inter = more->inter;
    if (s->thickness == 0)
        s->thickness = more->thickness;
    for (int i = 0; i < DCM_N_VARY; i++)
        if (isnan(s->vary[i]))
            s->vary[i] = more->vary[i];
    s->has |= new;
}

void dcm_slice_classic(const mtm_dicom *d, const mtm_dicom_element *item, dcm_slice *s)
{
    const double slope = dcm_f64(d, item, SLOPE, NAN), inter = dcm_f64(d, item, INTERCEPT, NAN),
                 dose = dcm_f64(d, item, DOSE_SCALING, NAN);
    double cosines[6], spacing[2];

    (void)dcm_position_get(d, item, POSITION, s);
    if (!(s->has & DCM_SLICE_ORIENTATION) && dcm_f64s(d, item, ORIENTATION, cosines, 6))
        (void)dcm_orientation_set(s, cosines);
    if (!(s->has & DCM_SLICE_SPACING) && spacing_of(d, item, spacing)) {
        memcpy(s->spacing, spacing, sizeof spacing);
        s->has |= DCM_SLICE_SPACING;
    }
    /* NM allows a negative spacing (PS3.3 C.8.4.15); its magnitude is the distance. */
    const double between = fabs(dcm_f64(d, item, SPACING_BETWEEN, dcm_f64(d, item, SLICE_THICKNESS, 0)));
    if (s->thickness == 0 && between < MOST_MM)
        s->thickness = between;
    if (!(s->has & DCM_SLICE_RESCALE) && (isfinite(slope) || isfinite(inter)) && slope != 0) {
        s->slope = isfinite(slope) ? slope : 1, s->inter = isfinite(inter) ? inter : 0;
        s->has |= DCM_SLICE_RESCALE;
    }
    if (!(s->has & DCM_SLICE_RESCALE) && isfinite(dose) && dose != 0) {
        s->slope = dose, s->inter = 0;
        s->has |= DCM_SLICE_RESCALE;
    }
    vary_set(d, item, s);
}
