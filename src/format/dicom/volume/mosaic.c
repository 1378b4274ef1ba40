/* format/dicom/volume/mosaic.c: Siemens mosaics: the slices of a volume as tiles of one image, row by row. What a tile needs beyond the
 * standard's attributes is in the vendor's CSA header, whose layout ("SV10") is public.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "volume.h"

enum {
    CSA_HEAD = 16, /* "SV10", 4 bytes, number of elements, 77 */
    CSA_NAME = 64,
    CSA_ELEMENT = 84, /* name, VM, VR, type, number of items, 77 */
    CSA_ITEM = 16,    /* four words; the second is the length of the text that follows, padded to 4 */
    MOST_CSA_BYTES = 1 << 20
};

static uint32_t word(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Numbers of the element's first items; *at: its header, and behind it afterwards. False: the bytes end before it does. */
static bool csa_element(const uint8_t *b, size_t n, size_t *at, double *out, int room, int *found)
{
    const uint32_t items = word(b + *at + CSA_ELEMENT - 8);

    *found = 0;
    *at += CSA_ELEMENT;
    for (uint32_t i = 0; i < items; i++) {
        size_t used;

        if (n - *at < CSA_ITEM)
            return false;
        const size_t length = word(b + *at + 4), padded = (length + 3) & ~(size_t)3;
        *at += CSA_ITEM;
        if (length > n - *at || padded > n - *at)
            return false;
        const char *s = (const char *)b + *at;
        size_t left = length;
        while (left && *s == ' ')
            s++, left--;
        if (*found < room && left && mtm_text_f64(s, left, &out[*found], &used) && isfinite(out[*found]))
            ++*found;
        *at += padded;
    }
    return true;
}

/* How many of `room` numbers the CSA element `name` has. */
static int csa_numbers(const uint8_t *b, size_t n, const char *name, double *out, int room)
{
    size_t at = CSA_HEAD;
    int found;

    if (n < CSA_HEAD || memcmp(b, "SV10", 4))
        return 0;
    for (uint32_t left = word(b + 8); left && n - at >= CSA_ELEMENT; left--) {
        const bool wanted = !strncmp((const char *)b + at, name, CSA_NAME);

        if (!csa_element(b, n, &at, out, wanted ? room : 0, &found))
            return 0;
        if (wanted)
            return found;
    }
    return 0;
}

/* The direction in which tiles follow each other, and their number. */
static bool csa_read(const mtm_dicom *d, double normal[3], double *tiles)
{
    const mtm_dicom_element *const e = dcm_private_find(d, NULL, 0x0029, "SIEMENS CSA HEADER", 0x10);
    const mtm_dicom_element *const count = dcm_private_find(d, NULL, 0x0019, "SIEMENS MR HEADER", 0x0A);
    MTM_AUTO_MEM uint8_t *bytes = NULL;

    if (!e || e->length_bytes > MOST_CSA_BYTES)
        return false;
    const size_t n = (size_t)e->length_bytes;
    bytes = mtm_alloc(n + 1);
    if (!bytes || mtm_dicom_value_read(d, e, 0, bytes, n, NULL) != MTM_OK)
        return false;
    return csa_numbers(bytes, n, "SliceNormalVector", normal, 3) == 3 &&
           (csa_numbers(bytes, n, "NumberOfImagesInMosaic", tiles, 1) == 1 ||
            (count && !strcmp(count->vr, "US") && mtm_dicom_f64(d, count, 0, tiles)));
}

bool dcm_mosaic_get(dcm_mosaic *m, const mtm_dicom *d, const mtm_dicom_pixels *p, const dcm_slice *whole)
{
    const uint32_t needed = DCM_SLICE_POSITION | DCM_SLICE_ORIENTATION | DCM_SLICE_SPACING;
    double normal[3], across[3], tiles;

    if (p->frames != 1 || (whole->has & needed) != needed || !(whole->thickness > 0) ||
        !csa_read(d, normal, &tiles) || !(tiles >= 1 && tiles <= 65536))
        return false;
    dcm_cross(whole->row, whole->column, across);
    const double along = across[0] * normal[0] + across[1] * normal[1] + across[2] * normal[2];
    m->n = (int32_t)tiles;
    m->across = (int32_t)ceil(sqrt((double)m->n));
    m->rows = p->rows / m->across, m->columns = p->columns / m->across;
    m->backwards = along < 0;
    return fabs(fabs(along) - 1) < 0.01 && m->rows > 0 && m->columns > 0 && p->rows % m->across == 0 &&
           p->columns % m->across == 0;
}

/* The header places the mosaic as if it were one slice around the tiles' common centre. */
void dcm_mosaic_place(const dcm_mosaic *m, const mtm_dicom_pixels *p, const dcm_slice *whole,
                      dcm_slice *slices)
{
    const double right = (double)(p->columns - m->columns) / 2 * whole->spacing[1],
                 down = (double)(p->rows - m->rows) / 2 * whole->spacing[0];
    double across[3];

    dcm_cross(whole->row, whole->column, across);
    for (int32_t i = 0; i < m->n; i++) {
        const double by = (m->backwards ? -i : i) * whole->thickness;

        slices[i] = *whole;
        slices[i].frame = i;
        for (int k = 0; k < 3; k++)
            slices[i].position[k] += whole->row[k] * right + whole->column[k] * down + across[k] * by;
    }
}
