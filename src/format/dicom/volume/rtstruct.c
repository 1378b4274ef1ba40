/* format/dicom/volume/rtstruct.c: structure sets (PS3.3 A.19, C.8.8.5, C.8.8.6): regions of interest as contours, drawn onto a grid by
 * contour.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/dicom/volume/rtstruct.h"

enum {
    SOP_CLASS = 0x00080016,
    ROI_SEQUENCE = 0x30060020,
    ROI_NUMBER = 0x30060022,
    ROI_NAME = 0x30060026,
    ROI_COLOR = 0x3006002A,
    ROI_CONTOUR_SEQUENCE = 0x30060039,
    CONTOUR_SEQUENCE = 0x30060040,
    CONTOUR_TYPE = 0x30060042,
    CONTOUR_DATA = 0x30060050,
    OBSERVATIONS_SEQUENCE = 0x30060080,
    REFERENCED_ROI = 0x30060084,
    INTERPRETED_TYPE = 0x300600A4
};

static const char structure_set_class[] = "1.2.840.10008.5.1.4.1.1.481.3";

void mtm_dicom_structures_close(mtm_dicom_structures *s)
{
    if (!s)
        return;
    for (int64_t i = 0; s->rois && i < s->n; i++) {
        mtm_free(s->rois[i].name);
        mtm_free(s->rois[i].contours);
    }
    mtm_free(s->rois);
    mtm_dicom_close(s->d);
    mtm_free(s);
}

int64_t mtm_dicom_structures_count(const mtm_dicom_structures *s)
{
    return s->n;
}

const mtm_dicom_roi *mtm_dicom_structures_get(const mtm_dicom_structures *s, int64_t i)
{
    return i >= 0 && i < s->n ? &s->rois[i].base : NULL;
}

/* The item of a sequence that refers to a region; NULL: none. */
static const mtm_dicom_element *item_of(const mtm_dicom *d, uint32_t sequence, int64_t roi)
{
    const mtm_dicom_element *const sq = mtm_dicom_find(d, NULL, sequence);

    const mtm_dicom_element *item = sq ? dcm_item_next(d, sq, NULL) : NULL;

    while (item && dcm_i64(d, item, REFERENCED_ROI, -1) != roi)
        item = dcm_item_next(d, sq, item);
    return item;
}

/* Of a CONTOUR_SEQUENCE's items. */
static mtm_status contours_read(const mtm_dicom *d, const mtm_dicom_element *sq, dcm_roi *r, mtm_error *err)
{
    const int32_t n = sq ? mtm_dicom_item_count(d, sq) : 0;
    const mtm_dicom_element *item = NULL;

    r->contours = mtm_alloc_zero((size_t)n, sizeof *r->contours);
    if (!r->contours)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n; i++) {
        item = dcm_item_next(d, sq, item);

        const mtm_dicom_element *const data = mtm_dicom_find(d, item, CONTOUR_DATA);
        const int64_t numbers = data ? mtm_dicom_value_count(d, data) : 0;
        char type[20];

        if (numbers % 3)
            return mtm_fail(err, MTM_E_CORRUPT, data->offset_bytes,
                            "a contour has %" PRId64 " coordinates, which are no points of three", numbers);
        dcm_ascii(d, item, CONTOUR_TYPE, type, sizeof type);
        if (!numbers)
            continue;
        r->contours[r->base.contours++] =
            (dcm_contour){.data = data,
                          .n = numbers / 3,
                          .closed = !strncmp(type, "CLOSED", 6)}; /* CLOSED_PLANAR, CLOSEDPLANAR_XOR */
        r->base.points += numbers / 3;
    }
    return MTM_OK;
}

static mtm_status roi_read(const mtm_dicom *d, const mtm_dicom_element *item, dcm_roi *r, mtm_error *err)
{
    const mtm_dicom_element *const name = mtm_dicom_find(d, item, ROI_NAME);
    const mtm_dicom_element *shape, *observed;

    r->base.number = dcm_i64(d, item, ROI_NUMBER, -1);
    for (int i = 0; i < 3; i++)
        r->base.color[i] = -1;
    if (name)
        MTM_TRY(mtm_dicom_text(&r->name, d, name, err));
    r->base.name = r->name ? r->name : "";
    observed = item_of(d, OBSERVATIONS_SEQUENCE, r->base.number);
    if (observed)
        dcm_ascii(d, observed, INTERPRETED_TYPE, r->type, sizeof r->type);
    r->base.type = r->type;
    shape = item_of(d, ROI_CONTOUR_SEQUENCE, r->base.number);
    if (!shape)
        return MTM_OK;
    for (int i = 0; i < 3; i++) {
        const mtm_dicom_element *const color = mtm_dicom_find(d, shape, ROI_COLOR);
        int64_t v;

        if (color && mtm_dicom_i64(d, color, i, &v) && v >= 0 && v <= 255)
            r->base.color[i] = (int32_t)v;
    }
    return contours_read(d, mtm_dicom_find(d, shape, CONTOUR_SEQUENCE), r, err);
}

static mtm_status structures_read(mtm_dicom_structures *s, mtm_error *err)
{
    const mtm_dicom_element *const sq = mtm_dicom_find(s->d, NULL, ROI_SEQUENCE);
    const int32_t n = sq ? mtm_dicom_item_count(s->d, sq) : 0;
    const mtm_dicom_element *item = NULL;
    char class_uid[68];

    dcm_ascii(s->d, NULL, SOP_CLASS, class_uid, sizeof class_uid);
    if (strcmp(class_uid, structure_set_class))
        return mtm_fail(err, MTM_E_INVAL, -1, "is no RT structure set, but of SOP class %s",
                        dcm_uid_name(class_uid));
    s->rois = mtm_alloc_zero((size_t)n, sizeof *s->rois);
    if (!s->rois)
        return MTM_NOMEM(err);
    for (; s->n < n; s->n++) {
        item = dcm_item_next(s->d, sq, item);

        const mtm_status st = roi_read(s->d, item, &s->rois[s->n], err);

        if (st) {
            s->n++; /* what it holds is freed too */
            return st;
        }
    }
    return MTM_OK;
}

mtm_status mtm_dicom_structures_open(mtm_dicom_structures **out, const char *path,
                                     const mtm_open_options *opt, mtm_error *err)
{
    const mtm_dicom_options how = {.struct_size = sizeof how, .limits = opt ? opt->limits : NULL};
    MTM_AUTO(mtm_dicom_structures) s = mtm_alloc_zero(1, sizeof *s);

    if (!s)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_dicom_open(&s->d, path, &how, err));
    MTM_TRY(mtm_error_where(err, structures_read(s, err), path));
    *out = mtm_dicom_structures_steal(&s);
    return MTM_OK;
}
