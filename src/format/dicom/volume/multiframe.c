/* format/dicom/volume/multiframe.c: frames of multi-frame images without functional groups: radiotherapy dose (PS3.3 C.8.8.3),
 * nuclear medicine (C.8.4), cine (C.7.6.5), and stacks that only tell the distance of their frames.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "volume.h"

enum {
    FRAME_INCREMENT = 0x00280009,
    FRAME_TIME = 0x00181063,
    FRAME_TIME_VECTOR = 0x00181065,
    SLICE_VECTOR = 0x00540080,
    DETECTOR_INFORMATION = 0x00540022,
    GRID_OFFSETS = 0x3004000C,
    POSITION = 0x00200032,
    ORIENTATION = 0x00200037
};

#define MOST_OFFSET 1e9 /* mm */

/* Vectors of FrameIncrementPointer that count one number per frame. */
static const struct {
    uint32_t tag;
    dcm_vary vary;
} vectors[] = {{0x00540010, DCM_VARY_ENERGY_WINDOW}, {0x00540020, DCM_VARY_DETECTOR},
               {0x00540030, DCM_VARY_PHASE},         {0x00540050, DCM_VARY_ROTATION},
               {0x00540060, DCM_VARY_RR_INTERVAL},   {0x00540070, DCM_VARY_TIME_SLOT},
               {0x00540090, DCM_VARY_ANGULAR_VIEW},  {0x00540100, DCM_VARY_TIME_SLICE}};

/* Slices of nuclear medicine have their place in the first detector's item. */
static void detector_set(const mtm_dicom *d, dcm_slice *s)
{
    const mtm_dicom_element *const item = dcm_first_item(d, NULL, DETECTOR_INFORMATION);
    double cosines[6];

    if (!item)
        return;
    (void)dcm_position_get(d, item, POSITION, s);
    if (!(s->has & DCM_SLICE_ORIENTATION) && dcm_f64s(d, item, ORIENTATION, cosines, 6))
        (void)dcm_orientation_set(s, cosines);
}

static bool placed(const dcm_slice *s)
{
    return (s->has & DCM_SLICE_POSITION) && (s->has & DCM_SLICE_ORIENTATION);
}

/* The frame lies `distance` along the normal from where the header's position says. */
static void move(dcm_slice *s, double distance)
{
    double normal[3];

    dcm_cross(s->row, s->column, normal);
    for (int i = 0; i < 3; i++)
        s->position[i] += distance * normal[i];
}

/* GridFrameOffsetVector: relative when it begins with 0, else the patient's z itself (C.8.8.3.2, transverse frames only). */
static void dose_set(const mtm_dicom *d, const mtm_dicom_element *offsets, dcm_slice *s, int64_t frame)
{
    double first, offset;

    if (!mtm_dicom_f64(d, offsets, 0, &first) || !mtm_dicom_f64(d, offsets, frame, &offset) || !placed(s))
        s->has &= ~(uint32_t)DCM_SLICE_POSITION;
    else if (!(fabs(first) < MOST_OFFSET && fabs(offset) < MOST_OFFSET))
        s->has &= ~(uint32_t)DCM_SLICE_POSITION;
    else if (first == 0)
        move(s, offset);
    else
        s->position[2] = offset;
}

static void frame_time_set(const mtm_dicom *d, dcm_slice *slices, int64_t n)
{
    const mtm_dicom_element *const steps = mtm_dicom_find(d, NULL, FRAME_TIME_VECTOR);
    const double step = dcm_f64(d, NULL, FRAME_TIME, NAN);
    double at = 0, x;

    for (int64_t i = 0; i < n; i++) {
        if (steps && mtm_dicom_f64(d, steps, i, &x) && isfinite(x))
            at += x;
        else if (i && isfinite(step))
            at += step;
        slices[i].vary[DCM_VARY_FRAME_TIME] = at;
    }
}

static void vectors_set(const mtm_dicom *d, dcm_slice *s, int64_t frame)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, vectors[i].tag);
        double x;

        if (e && mtm_dicom_f64(d, e, frame, &x))
            s->vary[vectors[i].vary] = x;
    }
}

void dcm_slices_multiframe(const mtm_dicom *d, dcm_slice *slices, int64_t n)
{
    const mtm_dicom_element *const offsets = mtm_dicom_find(d, NULL, GRID_OFFSETS);
    const mtm_dicom_element *const order = mtm_dicom_find(d, NULL, SLICE_VECTOR);
    const bool cine = mtm_dicom_find(d, NULL, FRAME_TIME) || mtm_dicom_find(d, NULL, FRAME_TIME_VECTOR);

    for (int64_t i = 0; i < n; i++) {
        dcm_slice *const s = &slices[i];
        double k = (double)(i + 1);

        detector_set(d, s);
        vectors_set(d, s, i);
        if (offsets)
            dose_set(d, offsets, s, i);
        else if (placed(s) && !cine && (!order || mtm_dicom_f64(d, order, i, &k)) && fabs(k) < MOST_OFFSET)
            move(s, (k - 1) * s->thickness);
    }
    if (cine)
        frame_time_set(d, slices, n);
}
