/* format/dicom/volume/instance.c: what is kept of one instance: who it is, how its pixels lie, and its frames.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "format/dicom/data/syntax.h"
#include "volume.h"

enum {
    IMAGE_TYPE = 0x00080008,
    SOP_CLASS = 0x00080016,
    SOP_INSTANCE = 0x00080018,
    MODALITY = 0x00080060,
    SERIES_UID = 0x0020000E,
    INSTANCE_NUMBER = 0x00200013,
    FRAME_OF_REFERENCE = 0x00200052,
    FRAME_INCREMENT = 0x00280009,
    FRAME_TIME = 0x00181063,
    FRAME_TIME_VECTOR = 0x00181065
};

void dcm_file_clear(dcm_file *f)
{
    mtm_free(f->path);
    f->path = NULL;
}

void dcm_set_clear(dcm_set *s)
{
    for (int32_t i = 0; i < s->n_files; i++)
        dcm_file_clear(&s->files[i]);
    mtm_free(s->files);
    mtm_free(s->slices);
    *s = (dcm_set){.limits = s->limits};
}

mtm_status dcm_set_grow(dcm_set *s, int64_t n, int32_t *first, mtm_error *err)
{
    const int64_t most = mtm_min_i64(INT32_MAX / 2, (int64_t)(s->limits.max_bytes / sizeof *s->slices));
    int64_t room = s->room_slices;

    /* Their number is only a text in the header, so one file may not ask for more than metadata may take. */
    if ((uint64_t)n > s->limits.max_header_bytes / sizeof *s->slices || n > most - s->n_slices)
        return mtm_fail(err, MTM_E_LIMIT, -1, "%" PRId64 " frames are more than the limit on headers allows",
                        n);
    if (s->n_slices + n > room) {
        room = mtm_max_i64(s->n_slices + n, mtm_min_i64(2 * room, most));
        dcm_slice *const grown = mtm_realloc(s->slices, (size_t)room * sizeof *grown);

        if (!grown)
            return MTM_NOMEM(err);
        s->slices = grown, s->room_slices = (int32_t)room;
    }
    *first = s->n_slices;
    for (int64_t i = 0; i < n; i++) {
        dcm_slice *const x = &s->slices[s->n_slices++];

        dcm_slice_init(x);
        x->frame = i;
    }
    return MTM_OK;
}

/* Fills the n slices of the file. */
static void slices_read(const mtm_dicom *d, dcm_slice *slices, int32_t n)
{
    const bool grouped = dcm_slices_groups(d, slices, n);
    dcm_slice top;

    dcm_slice_init(&top);
    dcm_slice_classic(d, NULL, &top);
    for (int32_t i = 0; i < n; i++)
        dcm_slice_merge(&slices[i], &top);
    if (!grouped && n > 1)
        dcm_slices_multiframe(d, slices, n);
}

static uint32_t flags_of(const mtm_dicom *d, int64_t frames)
{
    const mtm_dicom_element *const type = mtm_dicom_find(d, NULL, IMAGE_TYPE);
    const int64_t increment = dcm_i64(d, NULL, FRAME_INCREMENT, 0);
    char text[20];
    uint32_t flags = 0;

    for (int64_t i = 2; type && i < mtm_dicom_value_count(d, type); i++) {
        (void)mtm_dicom_ascii(d, type, i, text, sizeof text);
        if (i == 2 && !strcmp(text, "LOCALIZER"))
            flags |= DCM_FILE_LOCALIZER;
        if (!strcmp(text, "MOSAIC"))
            flags |= DCM_FILE_MOSAIC;
    }
    if (frames > 1 && (mtm_dicom_find(d, NULL, FRAME_TIME) || mtm_dicom_find(d, NULL, FRAME_TIME_VECTOR) ||
                       increment == FRAME_TIME || increment == FRAME_TIME_VECTOR))
        flags |= DCM_FILE_CINE;
    return flags;
}

/* Whether frames can be read without the data set again: uncompressed, one whole sample per pixel, in the file itself. */
static void native_set(dcm_file *f, const mtm_dicom *d)
{
    const dcm_syntax *const syntax = dcm_syntax_find(mtm_dicom_transfer_syntax(d));
    const mtm_dicom_pixels *const p = &f->pixels;
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, DCM_PIXELS);
    const uint64_t sample = mtm_dtype_size(p->raw_dtype);
    const bool big_endian = e && e->flags & MTM_DICOM_BIG_ENDIAN;

    if (!e || !syntax || syntax->encapsulated || syntax->deflated || !d->source || d->from ||
        p->samples != 1 || p->is_float || (uint64_t)p->bits_allocated != 8 * sample ||
        p->high_bit != p->bits_stored - 1 || strncmp(p->photometric, "MONOCHROME", 10) ||
        p->dtype != p->raw_dtype || p->channels != 1 || (big_endian && !strcmp(e->vr, "OW") && sample == 1) ||
        (f->flags & DCM_FILE_LUT) ||
        e->length_bytes / sample / (uint64_t)p->columns / (uint64_t)p->rows < (uint64_t)p->frames)
        return;
    f->offset_bytes = (uint64_t)e->offset_bytes;
    f->flags |= DCM_FILE_NATIVE | (big_endian && sample > 1 ? DCM_FILE_SWAP : 0);
}

static bool has_pixels(const mtm_dicom *d)
{
    return mtm_dicom_find(d, NULL, DCM_PIXELS) || mtm_dicom_find(d, NULL, DCM_FLOAT_PIXELS) ||
           mtm_dicom_find(d, NULL, DCM_DOUBLE_PIXELS);
}

/* The slices of a mosaic, or the mosaic as it stands where the header does not say enough of them. */
static mtm_status mosaic_read(dcm_set *s, dcm_file *f, const mtm_dicom *d, mtm_error *err)
{
    dcm_mosaic m = {0};
    dcm_slice whole;

    dcm_slice_init(&whole);
    slices_read(d, &whole, 1);
    if (dcm_mosaic_get(&m, d, &f->pixels, &whole)) {
        f->n = m.n, f->mosaic = m;
        f->flags &= ~(uint32_t)DCM_FILE_MOSAIC;
        MTM_TRY(dcm_set_grow(s, f->n, &f->first, err));
        dcm_mosaic_place(&m, &f->pixels, &whole, s->slices + f->first);
        return MTM_OK;
    }
    f->n = (int32_t)mtm_min_i64(f->pixels.frames, INT32_MAX);
    MTM_TRY(dcm_set_grow(s, f->pixels.frames, &f->first, err));
    slices_read(d, s->slices + f->first, f->n);
    return MTM_OK;
}

mtm_status dcm_file_read(dcm_set *s, dcm_file *f, const mtm_dicom *d, bool *image, mtm_error *err)
{
    *image = has_pixels(d);
    if (!*image)
        return MTM_OK;
    MTM_TRY(mtm_dicom_pixels_get(d, &f->pixels, err));
    f->id = d->source ? mtm_source_id_get(d->source) : (mtm_source_id){0};
    (void)dcm_ascii(d, NULL, SERIES_UID, f->series_uid, sizeof f->series_uid);
    (void)dcm_ascii(d, NULL, SOP_INSTANCE, f->sop_uid, sizeof f->sop_uid);
    (void)dcm_ascii(d, NULL, SOP_CLASS, f->sop_class, sizeof f->sop_class);
    (void)dcm_ascii(d, NULL, FRAME_OF_REFERENCE, f->frame_of_reference, sizeof f->frame_of_reference);
    (void)dcm_ascii(d, NULL, MODALITY, f->modality, sizeof f->modality);
    f->instance_number = dcm_i64(d, NULL, INSTANCE_NUMBER, INT64_MAX);
    f->flags = flags_of(d, f->pixels.frames);
    if (f->pixels.has_modality_lut && f->pixels.channels == 1)
        f->flags |= DCM_FILE_LUT;
    native_set(f, d);
    if (f->flags & DCM_FILE_MOSAIC)
        return mosaic_read(s, f, d, err);
    f->n = (int32_t)mtm_min_i64(f->pixels.frames, INT32_MAX);
    MTM_TRY(dcm_set_grow(s, f->pixels.frames, &f->first, err));
    slices_read(d, s->slices + f->first, f->n);
    return MTM_OK;
}
