/* format/dicom/write/seg_source.c: the grid that labels lie on, as the headers of its series tell it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "seg.h"

enum {
    SERIES_UID = 0x0020000E,
    FRAME_OF_REFERENCE = 0x00200052,
    ROWS = 0x00280010,
    COLUMNS = 0x00280011,
    FRAMES = 0x00280008,
    POSITION = 0x00200032,
    DIRECTIONS = 0x00200037,
    SPACING = 0x00280030,
    THICKNESS = 0x00180050,
    BETWEEN = 0x00180088,
    SHARED_GROUPS = 0x52009229u,
    FRAME_GROUPS = 0x52009230u,
    PLANE_POSITION = 0x00209113,
    PLANE_DIRECTIONS = 0x00209116,
    PIXEL_MEASURES = 0x00289110
};

void dcm_seg_source_drop(seg_source *s)
{
    mtm_dicom_close(s->first);
    mtm_free(s->slices);
    *s = (seg_source){0};
}

/* The item that holds an attribute of frame f: of the functional group `group`, the frame's own or the shared one; classic: the
 * top level. */
static bool place_of(const mtm_dicom *d, int32_t f, uint32_t group, const mtm_dicom_element **item)
{
    const mtm_dicom_element *const frames = mtm_dicom_find(d, NULL, FRAME_GROUPS);
    const mtm_dicom_element *const own = frames ? mtm_dicom_item(d, frames, f) : NULL;
    const mtm_dicom_element *const shared = dcm_first_item(d, NULL, SHARED_GROUPS);

    *item = NULL;
    if (!frames && !shared)
        return true;
    *item = own ? dcm_first_item(d, own, group) : NULL;
    if (!*item && shared)
        *item = dcm_first_item(d, shared, group);
    return *item != NULL;
}

/* The plane of frame f of d. */
static mtm_status plane_read(const mtm_dicom *d, int32_t f, double position[3], double directions[6],
                             double spacing[2], mtm_error *err)
{
    const mtm_dicom_element *at, *towards, *measures;

    if (!place_of(d, f, PLANE_POSITION, &at) || !place_of(d, f, PLANE_DIRECTIONS, &towards) ||
        !place_of(d, f, PIXEL_MEASURES, &measures) || !dcm_f64s(d, at, POSITION, position, 3) ||
        !dcm_f64s(d, towards, DIRECTIONS, directions, 6) || !dcm_f64s(d, measures, SPACING, spacing, 2))
        return mtm_fail(
            err, MTM_E_INVAL, -1,
            "the source has no plane in space (position, orientation, pixel spacing) for every slice");
    return MTM_OK;
}

static bool near(const double *a, const double *b, int n)
{
    for (int i = 0; i < n; i++)
        if (fabs(a[i] - b[i]) > 1e-4 * (1 + fabs(a[i])))
            return false;
    return true;
}

/* Adds the n frames of d as slices from number `to` on. */
static mtm_status slices_add(seg_source *s, const mtm_dicom *d, int64_t to, int64_t n, bool multi,
                             mtm_error *err)
{
    double directions[6], spacing[2];
    char series[SEG_UID_ROOM];

    for (int64_t f = 0; f < n; f++) {
        seg_slice *const slice = &s->slices[to + f];

        MTM_TRY(plane_read(d, (int32_t)f, slice->position, directions, spacing, err));
        if (!dcm_ascii(d, NULL, DCM_SOP_CLASS, slice->sop_class, SEG_UID_ROOM) ||
            !dcm_ascii(d, NULL, DCM_SOP_INSTANCE, slice->sop_uid, SEG_UID_ROOM) ||
            !dcm_ascii(d, NULL, SERIES_UID, series, SEG_UID_ROOM))
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "the source has no SOP class, SOP instance or series UID to refer to");
        slice->frame = multi ? (int32_t)f + 1 : 0;
        if (to + f == 0) {
            memcpy(s->directions, directions, sizeof directions);
            memcpy(s->spacing, spacing, sizeof spacing);
            memcpy(s->series_uid, series, sizeof series);
        }
        if (!near(s->directions, directions, 6) || !near(s->spacing, spacing, 2) ||
            strcmp(s->series_uid, series) || dcm_i64(d, NULL, ROWS, 0) != s->rows ||
            dcm_i64(d, NULL, COLUMNS, 0) != s->columns)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "the source's slices differ in series, size, orientation or pixel spacing");
    }
    return MTM_OK;
}

/* The distance along the normal, where all neighbours keep the same. */
static void between_find(seg_source *s)
{
    double normal[3], first = 0;
    const double *const r = s->directions, *const c = s->directions + 3;

    for (int i = 0; i < 3; i++)
        normal[i] = r[(i + 1) % 3] * c[(i + 2) % 3] - r[(i + 2) % 3] * c[(i + 1) % 3];
    for (int64_t z = 1; z < s->n; z++) {
        double step = 0;

        for (int i = 0; i < 3; i++)
            step += normal[i] * (s->slices[z].position[i] - s->slices[z - 1].position[i]);
        if (z == 1)
            first = fabs(step);
        else if (fabs(fabs(step) - first) > 1e-3 * first)
            first = 0;
    }
    s->between = first;
}

static mtm_status open_header(mtm_dicom **out, const char *path, mtm_error *err)
{
    const mtm_dicom_options options = {.struct_size = sizeof options, .stop_at_pixels = true};

    return mtm_error_where(err, mtm_dicom_open(out, path, &options, err), path);
}

static mtm_status first_read(seg_source *s, const char *path, int64_t n_paths, bool *multi, mtm_error *err)
{
    const mtm_dicom_element *measures;

    MTM_TRY(open_header(&s->first, path, err));
    *multi = mtm_dicom_find(s->first, NULL, FRAME_GROUPS) != NULL;
    if (*multi && n_paths > 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "a multi-frame source stands alone");
    s->n = *multi ? dcm_i64(s->first, NULL, FRAMES, 1) : n_paths;
    s->rows = dcm_i64(s->first, NULL, ROWS, 0), s->columns = dcm_i64(s->first, NULL, COLUMNS, 0);
    if (s->n < 1 || s->n > INT32_MAX || s->rows < 1 || s->columns < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "the source has no rows, columns or frames");
    if (!mtm_dicom_find(s->first, NULL, FRAME_OF_REFERENCE))
        return mtm_fail(err, MTM_E_INVAL, -1, "the source has no FrameOfReferenceUID");
    if (place_of(s->first, 0, PIXEL_MEASURES, &measures))
        s->thickness = dcm_f64(s->first, measures, THICKNESS, 0);
    s->slices = mtm_alloc_zero((size_t)s->n, sizeof *s->slices);
    return s->slices ? MTM_OK : MTM_NOMEM(err);
}

mtm_status dcm_seg_source_read(seg_source *out, const char *const *paths, int64_t n, mtm_error *err)
{
    seg_source s = {0};
    bool multi = false;
    mtm_status status =
        n < 1 ? mtm_fail(err, MTM_E_INVAL, -1, "a segmentation wants the series that it lies on")
              : first_read(&s, paths[0], n, &multi, err);

    if (status == MTM_OK)
        status = mtm_error_where(err, slices_add(&s, s.first, 0, multi ? s.n : 1, multi, err), paths[0]);
    for (int64_t i = 1; status == MTM_OK && i < n; i++) {
        MTM_AUTO(mtm_dicom) d = NULL;

        status = open_header(&d, paths[i], err);
        if (status == MTM_OK)
            status = mtm_error_where(err, slices_add(&s, d, i, 1, false, err), paths[i]);
    }
    if (status != MTM_OK) {
        dcm_seg_source_drop(&s);
        return status;
    }
    between_find(&s);
    *out = s;
    return MTM_OK;
}
