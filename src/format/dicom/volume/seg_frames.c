/* format/dicom/volume/seg_frames.c: what a segmentation says of itself (PS3.3 C.8.20): type, segments, and for every frame its segment and
 * position from the functional groups.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/size.h"
#include "format/dicom/volume/seg.h"

enum {
    SEGMENTATION_TYPE = 0x00620001,
    SEGMENT_SEQUENCE = 0x00620002,
    SEGMENT_NUMBER = 0x00620004,
    SEGMENT_IDENTIFICATION = 0x0062000A,
    REFERENCED_SEGMENT = 0x0062000B,
    MAXIMUM_FRACTION = 0x0062000E,
    SHARED_GROUPS = 0x52009229,
    FRAME_GROUPS = 0x52009230,
    PLANE_POSITION = 0x00209113,
    POSITION = 0x00200032,
    PLANE_ORIENTATION = 0x00209116,
    ORIENTATION = 0x00200037,
    PIXEL_MEASURES = 0x00289110,
    PIXEL_SPACING = 0x00280030,
    BETWEEN_SLICES = 0x00180088,
    THICKNESS = 0x00180050,
    SLIDE_POSITION = 0x0048021A,
    SLIDE_COLUMN = 0x0048021E,
    SLIDE_ROW = 0x0048021F,
    TOTAL_COLUMNS = 0x00480006,
    TOTAL_ROWS = 0x00480007,
    ORGANIZATION_TYPE = 0x00209311
};

/* The first item of a functional group: the frame's own, else the shared one. */
static const mtm_dicom_element *group_of(const mtm_dicom *d, const mtm_dicom_element *frame,
                                         const mtm_dicom_element *shared, uint32_t tag)
{
    const mtm_dicom_element *const own = frame ? dcm_first_item(d, frame, tag) : NULL;

    return own || !shared ? own : dcm_first_item(d, shared, tag);
}

static mtm_status segments_read(dcm_seg *s, mtm_error *err)
{
    const mtm_dicom_element *const sq = mtm_dicom_find(s->d, NULL, SEGMENT_SEQUENCE);
    const int32_t n = sq ? mtm_dicom_item_count(s->d, sq) : 0;

    const mtm_dicom_element *item = NULL;

    if (n < 1)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the segmentation describes no segment");
    if (n > UINT16_MAX + 1)
        return mtm_fail(err, MTM_E_CORRUPT, sq->offset_bytes, "%d segments are more than there are numbers",
                        (int)n);
    s->numbers = mtm_alloc_zero((size_t)n, sizeof *s->numbers);
    if (!s->numbers)
        return MTM_NOMEM(err);
    for (; s->n_segments < n; s->n_segments++) {
        item = dcm_item_next(s->d, sq, item);

        const int64_t number = dcm_i64(s->d, item, SEGMENT_NUMBER, -1);

        if (number < 0 || number > UINT16_MAX)
            return mtm_fail(err, MTM_E_CORRUPT, sq->offset_bytes, "segment %d of %d has no number",
                            (int)s->n_segments, (int)n);
        s->numbers[s->n_segments] = number;
    }
    return MTM_OK;
}

static mtm_status type_read(dcm_seg *s, mtm_error *err)
{
    char type[20];

    dcm_ascii(s->d, NULL, SEGMENTATION_TYPE, type, sizeof type);
    s->type = !strcmp(type, "FRACTIONAL") ? DCM_SEG_FRACTIONAL
              : !strcmp(type, "LABELMAP") ? DCM_SEG_LABELMAP
                                          : DCM_SEG_BINARY;
    if (s->type == DCM_SEG_BINARY && strcmp(type, "BINARY"))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "a segmentation of type '%s' is not read", type);
    s->scale = 1 / dcm_f64(s->d, NULL, MAXIMUM_FRACTION, 1);
    if (!isfinite(s->scale) || s->scale <= 0)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "MaximumFractionalValue is no positive number");
    return MTM_OK;
}

/* ---- frames --------------------------------------------------------------------------------------------- */

static mtm_status segment_find(const dcm_seg *s, int64_t number, dcm_seg_frame *f, mtm_error *err)
{
    f->segment = (int32_t)number - 1; /* nearly always they count from 1 */
    if (number > 0 && number <= s->n_segments && s->numbers[f->segment] == number)
        return MTM_OK;
    for (f->segment = 0; f->segment < s->n_segments; f->segment++)
        if (s->numbers[f->segment] == number)
            return MTM_OK;
    return mtm_fail(err, MTM_E_CORRUPT, -1,
                    "frame %" PRId64 " belongs to segment %" PRId64 ", which is not described", f->frame + 1,
                    number);
}

/* Place on a slide (PS3.3 C.8.12.14): pixels of the total matrix, counted from 1. */
static bool slide_place(const dcm_seg *s, const mtm_dicom_element *item, dcm_seg_frame *f)
{
    const int64_t column = dcm_i64(s->d, item, SLIDE_COLUMN, 0), row = dcm_i64(s->d, item, SLIDE_ROW, 0);

    f->r = row - 1, f->c = column - 1;
    return row > 0 && column > 0;
}

static mtm_status frame_read(dcm_seg *s, const mtm_dicom_element *item, const mtm_dicom_element *shared,
                             dcm_seg_frame *f, mtm_error *err)
{
    const mtm_dicom_element *const slide = group_of(s->d, item, shared, SLIDE_POSITION);
    const mtm_dicom_element *const place = group_of(s->d, item, shared, PLANE_POSITION);
    const mtm_dicom_element *const segment = group_of(s->d, item, shared, SEGMENT_IDENTIFICATION);
    bool found = false;

    if (s->type != DCM_SEG_LABELMAP)
        MTM_TRY(segment_find(s, segment ? dcm_i64(s->d, segment, REFERENCED_SEGMENT, -1) : -1, f, err));
    if (s->on_slide && slide)
        found = slide_place(s, slide, f);
    else if (!s->on_slide && place)
        found = dcm_f64s(s->d, place, POSITION, f->position, 3);
    if (!found)
        return mtm_fail(err, MTM_E_CORRUPT, item->offset_bytes, "frame %" PRId64 " has no position",
                        f->frame + 1);
    return MTM_OK;
}

/* Frames of a slide without groups of their own: tile after tile, rows of tiles, segment after segment (PS3.3
 * C.7.6.17.3). */
static mtm_status tiles_place(dcm_seg *s, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &s->decoder->pixels;
    const int64_t across = (s->size[2] - 1) / p->columns + 1, down = (s->size[1] - 1) / p->rows + 1;
    const int64_t per_segment = across * down;
    const int64_t want = s->type == DCM_SEG_LABELMAP ? per_segment : per_segment * s->n_segments;

    if (p->frames != want)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the slide's tiles are %" PRId64 " frames, not %" PRId64,
                        want, p->frames);
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t tile = i % per_segment;

        s->frames[i] = (dcm_seg_frame){.frame = i,
                                       .segment = (int32_t)(i / per_segment),
                                       .r = tile / across * p->rows,
                                       .c = tile % across * p->columns};
    }
    return MTM_OK;
}

static mtm_status groups_read(dcm_seg *s, const mtm_dicom_element *groups, const mtm_dicom_element *shared,
                              mtm_error *err)
{
    const int32_t end = dcm_index(s->d, groups) + 1 + groups->inside;
    int32_t at = dcm_index(s->d, groups) + 1;

    for (int64_t i = 0; i < s->n; i++, at = dcm_next(s->d, at)) {
        if (at >= end)
            return mtm_fail(err, MTM_E_CORRUPT, groups->offset_bytes,
                            "%" PRId64 " of %" PRId64 " frames have functional groups", i, s->n);
        s->frames[i].frame = i;
        MTM_TRY(frame_read(s, &s->d->elements[at], shared, &s->frames[i], err));
    }
    return MTM_OK;
}

/* Directions and distances, which all frames share. */
static mtm_status geometry_read(dcm_seg *s, const mtm_dicom_element *frame, const mtm_dicom_element *shared,
                                mtm_error *err)
{
    const mtm_dicom_element *const measures = group_of(s->d, frame, shared, PIXEL_MEASURES);
    const mtm_dicom_element *const orientation = group_of(s->d, frame, shared, PLANE_ORIENTATION);
    double cosines[6] = {1, 0, 0, 0, 1, 0};

    if (!measures || !dcm_f64s(s->d, measures, PIXEL_SPACING, s->spacing, 2) || !(s->spacing[0] > 0) ||
        !(s->spacing[1] > 0))
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the segmentation has no pixel spacing");
    if (!s->on_slide && (!orientation || !dcm_f64s(s->d, orientation, ORIENTATION, cosines, 6)))
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the segmentation has no image orientation");
    memcpy(s->row, cosines, sizeof s->row);
    memcpy(s->column, cosines + 3, sizeof s->column);
    for (int i = 0; i < 2; i++) {
        double *const v = i ? s->column : s->row, length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);

        if (!(fabs(length - 1) < 1e-2))
            return mtm_fail(err, MTM_E_CORRUPT, orientation->offset_bytes,
                            "the image orientation is no pair of directions");
        for (int k = 0; k < 3; k++)
            v[k] /= length;
    }
    s->between = fabs(dcm_f64(s->d, measures, BETWEEN_SLICES, 0));
    if (!(s->between > 0))
        s->between = fabs(dcm_f64(s->d, measures, THICKNESS, 0));
    return MTM_OK;
}

mtm_status dcm_seg_frames_read(dcm_seg *s, mtm_error *err)
{
    const mtm_dicom_element *const shared = dcm_first_item(s->d, NULL, SHARED_GROUPS);
    const mtm_dicom_element *const groups = mtm_dicom_find(s->d, NULL, FRAME_GROUPS);
    char organization[20];

    s->n = s->decoder->pixels.frames;
    s->size[0] = 1;
    s->size[1] = dcm_i64(s->d, NULL, TOTAL_ROWS, 0), s->size[2] = dcm_i64(s->d, NULL, TOTAL_COLUMNS, 0);
    s->on_slide = s->size[1] > 0 && s->size[2] > 0;
    MTM_TRY(type_read(s, err));
    MTM_TRY(segments_read(s, err));
    MTM_TRY(geometry_read(s, dcm_first_item(s->d, NULL, FRAME_GROUPS), shared, err));
    s->frames = mtm_alloc_zero((size_t)s->n, sizeof *s->frames);
    if (!s->frames)
        return MTM_NOMEM(err);
    dcm_ascii(s->d, NULL, ORGANIZATION_TYPE, organization, sizeof organization);
    if (s->on_slide && !strcmp(organization, "TILED_FULL"))
        return tiles_place(s, err);
    if (!groups)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the segmentation's frames have no functional groups");
    return groups_read(s, groups, shared, err);
}
