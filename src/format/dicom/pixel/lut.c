/* format/dicom/pixel/lut.c: modality and VOI lookup tables and windows (PS3.3 C.11.1, C.11.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <math.h>

static uint16_t word(const uint8_t *b, bool big_endian)
{
    return (uint16_t)(big_endian ? b[0] << 8 | b[1] : b[1] << 8 | b[0]);
}

/* ---- tables ------------------------------------------------------------------------------------------- */

static mtm_status read_descriptor(dcm_lut *l, const mtm_dicom *d, const mtm_dicom_element *item,
                                  mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, item, DCM_LUT_DESCRIPTOR);
    const bool big_endian = e && e->flags & MTM_DICOM_BIG_ENDIAN;
    uint8_t b[6];

    if (!e || e->length_bytes < sizeof b)
        return mtm_fail(err, MTM_E_CORRUPT, item->offset_bytes, "a lookup table has no LUT Descriptor");
    MTM_TRY(mtm_dicom_value_read(d, e, 0, b, sizeof b, err));
    l->entries = word(b, big_endian) ? word(b, big_endian) : 1 << 16;
    l->first = word(b + 2, big_endian);
    if (strcmp(e->vr, "SS") == 0)
        l->first = (int16_t)l->first;
    l->bits = word(b + 4, big_endian);
    if (l->bits < 1 || l->bits > 16)
        return mtm_fail(err, MTM_E_CORRUPT, e->offset_bytes, "a lookup table's entries have %d bits",
                        l->bits);
    return MTM_OK;
}

mtm_status dcm_lut_new(dcm_lut **out, const mtm_dicom *d, const mtm_dicom_element *item, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, item, DCM_LUT_DATA);
    dcm_lut head;

    MTM_TRY(read_descriptor(&head, d, item, err));
    const size_t n = (size_t)head.entries;
    /* words, or bytes that fill the words (8 bits per entry, C.11.1.1) */
    const size_t step = e && e->length_bytes >= 2 * n ? 2 : 1;
    MTM_AUTO(dcm_lut) l = mtm_alloc(sizeof *l + n * sizeof *l->data);
    MTM_AUTO_MEM uint8_t *bytes = mtm_alloc(step * n);

    if (!l || !bytes)
        return MTM_NOMEM(err);
    if (!e || e->length_bytes < n || (step == 1 && head.bits > 8))
        return mtm_fail(err, MTM_E_CORRUPT, e ? e->offset_bytes : item->offset_bytes,
                        "a lookup table of %zu entries has %" PRIu64 " bytes of data", n,
                        e ? e->length_bytes : 0);
    MTM_TRY(mtm_dicom_value_read(d, e, 0, bytes, step * n, err));
    *l = head;
    for (size_t i = 0; i < n; i++)
        l->data[i] = step == 1 ? bytes[i] : word(bytes + 2 * i, e->flags & MTM_DICOM_BIG_ENDIAN);
    *out = dcm_lut_steal(&l);
    return MTM_OK;
}

void dcm_lut_free(dcm_lut *l)
{
    mtm_free(l);
}

void dcm_lut_apply(const dcm_lut *l, float *v, size_t n, double scale)
{
    const float last = (float)(l->entries - 1);

    for (size_t i = 0; i < n; i++) {
        const float x = v[i] - (float)l->first;

        v[i] = (float)(l->data[x > 0 ? (int32_t)(x < last ? x : last) : 0] * scale); /* NaN: the first */
    }
}

/* ---- windows ------------------------------------------------------------------------------------------ */

void dcm_window_apply(const dcm_window *w, float *v, size_t n)
{
    const bool linear = w->function == DCM_LINEAR;
    const double center = w->center - (linear ? 0.5 : 0), width = w->width - (linear ? 1 : 0);

    for (size_t i = 0; i < n; i++) {
        const double x = v[i];

        if (w->function == DCM_SIGMOID)
            v[i] = (float)(255 / (1 + exp(-4 * (x - center) / width)));
        else if (x <= center - width / 2)
            v[i] = 0;
        else if (x > center + width / 2)
            v[i] = 255;
        else
            v[i] = (float)(((x - center) / width + 0.5) * 255);
    }
}

/* Where the attributes of one functional group stand for a frame: its own item, the shared one, or the data set. */
static const mtm_dicom_element *group_item(const mtm_dicom *d, int64_t frame, uint32_t group)
{
    const mtm_dicom_element *const per_frame = mtm_dicom_find(d, NULL, DCM_FRAME_GROUPS);
    const mtm_dicom_element *const own =
        per_frame && frame >= 0 && frame <= INT32_MAX ? mtm_dicom_item(d, per_frame, (int32_t)frame) : NULL;
    const mtm_dicom_element *item = own ? dcm_first_item(d, own, group) : NULL;

    if (!item) {
        const mtm_dicom_element *const shared = dcm_first_item(d, NULL, DCM_SHARED_GROUPS);

        item = shared ? dcm_first_item(d, shared, group) : NULL;
    }
    return item;
}

bool dcm_frame_rescale(const mtm_dicom *d, int64_t frame, double *slope, double *inter)
{
    const mtm_dicom_element *const item = group_item(d, frame, DCM_VALUE_TRANSFORMATION);
    const double s = dcm_f64(d, item, DCM_SLOPE, NAN), i = dcm_f64(d, item, DCM_INTERCEPT, NAN);

    *slope = isfinite(s) ? s : 1, *inter = isfinite(i) ? i : 0;
    return isfinite(s) || isfinite(i);
}

static mtm_status window_function(const mtm_dicom *d, const mtm_dicom_element *item, dcm_window *w,
                                  mtm_error *err)
{
    static const char *const names[] = {"LINEAR", "LINEAR_EXACT", "SIGMOID"};
    char name[20];
    int i = 0;

    w->function = DCM_LINEAR;
    if (!dcm_ascii(d, item, DCM_VOI_FUNCTION, name, sizeof name))
        return MTM_OK;
    while (i < 3 && strcmp(name, names[i]))
        i++;
    if (i == 3)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "VOI LUT function \"%s\" is not known", name);
    w->function = i;
    return MTM_OK;
}

static mtm_status read_window(const mtm_dicom *d, const mtm_dicom_element *item, int32_t i, dcm_window *w,
                              bool *has, mtm_error *err)
{
    const mtm_dicom_element *const c = mtm_dicom_find(d, item, DCM_WINDOW_CENTER);
    const mtm_dicom_element *const width = mtm_dicom_find(d, item, DCM_WINDOW_WIDTH);

    *has = false;
    if (!c || !width || mtm_dicom_value_count(d, c) == 0 || mtm_dicom_value_count(d, width) == 0)
        return MTM_OK;
    if (!mtm_dicom_f64(d, c, i, &w->center) || !mtm_dicom_f64(d, width, i, &w->width))
        return mtm_fail(err, MTM_E_INVAL, -1, "there is no window %d", i);
    MTM_TRY(window_function(d, item, w, err));
    if (!isfinite(w->center) || !isfinite(w->width) || w->width < (w->function == DCM_LINEAR ? 1 : 1e-30))
        return mtm_fail(err, MTM_E_CORRUPT, width->offset_bytes, "the window's width, %g, is too small",
                        w->width);
    *has = true;
    return MTM_OK;
}

mtm_status dcm_voi_find(const mtm_dicom *d, int64_t frame, int32_t item, dcm_lut **lut, dcm_window *w,
                        bool *has_window, mtm_error *err)
{
    const mtm_dicom_element *const tables = mtm_dicom_find(d, NULL, DCM_VOI_LUTS);
    const int32_t n = tables ? mtm_dicom_item_count(d, tables) : 0;

    *lut = NULL, *has_window = false;
    if (item < 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "there is no window %d", item);
    if (item < n)
        return dcm_lut_new(lut, d, mtm_dicom_item(d, tables, item), err);
    MTM_TRY(read_window(d, group_item(d, frame, DCM_FRAME_VOI), item - n, w, has_window, err));
    if (!*has_window && item > 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "there is no window %d", item);
    return MTM_OK;
}
