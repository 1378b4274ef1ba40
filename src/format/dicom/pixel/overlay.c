/* format/dicom/pixel/overlay.c: overlay planes (PS3.3 C.9.2): single bits in groups 60xx, or (retired) in bits of the
 * pixel data that the samples leave unused.
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

enum { /* of group 6000 */
       ROWS = 0x60000010,
       COLUMNS = 0x60000011,
       FRAMES = 0x60000015,
       ORIGIN = 0x60000050,
       BIT_POSITION = 0x60000102,
       DATA = 0x60003000
};

typedef struct overlay {
    uint32_t group; /* to be added to a tag of group 6000 */
    int64_t shape[3];
    const mtm_dicom_element *data; /* NULL: in the pixel data */
    int64_t bit;
} overlay;

static mtm_status find(overlay *o, const mtm_dicom *d, int32_t i, mtm_error *err)
{
    int32_t left = i;
    uint32_t group;

    for (group = 0; group < 0x100; group += 2)
        if (mtm_dicom_find(d, NULL, ROWS + (group << 16)) && left-- == 0)
            break;
    if (i < 0 || group == 0x100)
        return mtm_fail(err, MTM_E_INVAL, -1, "there is no overlay %d", i);
    o->group = group << 16;
    o->shape[0] = dcm_i64(d, NULL, FRAMES + o->group, 1);
    o->shape[1] = dcm_i64(d, NULL, ROWS + o->group, 0);
    o->shape[2] = dcm_i64(d, NULL, COLUMNS + o->group, 0);
    o->data = mtm_dicom_find(d, NULL, DATA + o->group);
    o->bit = dcm_i64(d, NULL, BIT_POSITION + o->group, 0);
    if (o->shape[0] < 1 || o->shape[1] < 1 || o->shape[2] < 1)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "overlay %d is empty", i);
    return MTM_OK;
}

/* Packed bits, planes one behind the other without gaps. */
static mtm_status read_packed(const overlay *o, const mtm_dicom *d, uint8_t *dst, mtm_error *err)
{
    const size_t n = (size_t)(o->shape[0] * o->shape[1] * o->shape[2]), bytes = (n + 7) / 8;
    const bool swap = o->data->flags & MTM_DICOM_BIG_ENDIAN && !strcmp(o->data->vr, "OW");
    const size_t have = bytes + (swap && bytes % 2);
    MTM_AUTO_MEM uint8_t *packed = NULL;

    if (o->data->length_bytes < have)
        return mtm_fail(err, MTM_E_CORRUPT, o->data->offset_bytes,
                        "an overlay of %zu points has %" PRIu64 " bytes", n, o->data->length_bytes);
    packed = mtm_alloc(have);
    if (!packed)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_dicom_value_read(d, o->data, 0, packed, have, err));
    if (swap)
        dcm_swap_pairs(packed, packed, have);
    dcm_unpack_bits(dst, packed, 0, n);
    return MTM_OK;
}

/* One bit of every sample as it is stored (retired, PS3.3-2004 C.9.2.1.1). */
static mtm_status read_embedded(const overlay *o, const mtm_dicom *d, uint8_t *dst, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, DCM_PIXELS);
    const size_t n = (size_t)(o->shape[0] * o->shape[1] * o->shape[2]);
    MTM_AUTO_MEM uint8_t *words = NULL;
    mtm_dicom_pixels p;
    uint32_t notes;
    size_t byte;

    MTM_TRY(dcm_pixels_read(d, &p, &notes, err));
    if (p.encapsulated || p.bits_allocated != 16 || p.samples != 1 || o->bit < 0 || o->bit > 15)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "an overlay in bit %" PRId64 " of this pixel data is not read", o->bit);
    if (o->shape[0] != p.frames || o->shape[1] != p.rows || o->shape[2] != p.columns || !e ||
        e->length_bytes < 2 * n)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "an overlay inside the pixel data has another size than it");
    words = mtm_alloc(2 * n);
    if (!words)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_dicom_value_read(d, e, 0, words, 2 * n, err));
    byte = (o->bit >= 8) ^ ((e->flags & MTM_DICOM_BIG_ENDIAN) != 0);
    for (size_t i = 0; i < n; i++)
        dst[i] = words[2 * i + byte] >> (o->bit & 7) & 1;
    return MTM_OK;
}

static mtm_status read_overlay(const mtm_dicom *d, int32_t i, mtm_array *dst, int64_t origin[2],
                               mtm_error *err)
{
    mtm_array bits = {0};
    overlay o;
    uint64_t bytes;
    mtm_status s;

    MTM_TRY(find(&o, d, i, err));
    MTM_TRY(mtm_extent_bytes(&bytes, 3, o.shape, 1, d->limits.max_bytes, "an overlay", err));
    if (o.data && bytes / 8 > o.data->length_bytes)
        return mtm_fail(err, MTM_E_CORRUPT, o.data->offset_bytes,
                        "an overlay of %" PRIu64 " points has %" PRIu64 " bytes", bytes,
                        o.data->length_bytes);
    MTM_TRY(mtm_array_new(&bits, MTM_U8, 3, o.shape, NULL, err));
    s = o.data ? read_packed(&o, d, bits.data, err) : read_embedded(&o, d, bits.data, err);
    if (s == MTM_OK && dst->data)
        s = mtm_array_convert(dst, &bits, 1, 0, NULL, err);
    if (s || dst->data)
        mtm_array_drop(&bits);
    else
        *dst = bits;
    MTM_TRY(s);
    const mtm_dicom_element *const at = mtm_dicom_find(d, NULL, ORIGIN + o.group);

    for (int k = 0; k < 2; k++)
        if (!at || !mtm_dicom_i64(d, at, k, &origin[k]))
            origin[k] = 1;
    return MTM_OK;
}

mtm_status mtm_dicom_overlay_read(const mtm_dicom *d, int32_t i, mtm_array *dst, int64_t origin[2],
                                  mtm_error *err)
{
    return mtm_error_where(err, read_overlay(d, i, dst, origin, err), mtm_dicom_path(d));
}
