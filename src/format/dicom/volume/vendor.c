/* format/dicom/volume/vendor.c: diffusion as scanners told it before the standard had attributes for it: private elements of
 * Siemens, GE and Philips, whose meaning their conformance statements publish.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "volume.h"

/* How a value is stored; files without value representations say UN of private elements. */
typedef enum form { TEXT, SINGLE, DOUBLE } form;

typedef struct vendor {
    const char *creator, *direction_creator; /* private creators of the two blocks */
    uint16_t group, direction_group;
    uint8_t b_value,
        direction[3]; /* elements in their blocks; direction[1] 0: all three numbers in direction[0] */
    form b_form, direction_form;
} vendor;

static const vendor vendors[] = {
    {"SIEMENS MR HEADER", "SIEMENS MR HEADER", 0x0019, 0x0019, 0x0C, {0x0E, 0, 0}, TEXT, DOUBLE},
    {"GEMS_PARM_01", "GEMS_ACQU_01", 0x0043, 0x0019, 0x39, {0xBB, 0xBC, 0xBD}, TEXT, TEXT},
    {"Philips Imaging DD 001",
     "Philips MR Imaging DD 001",
     0x2001,
     0x2005,
     0x03,
     {0xB0, 0xB1, 0xB2},
     SINGLE,
     SINGLE},
};

const mtm_dicom_element *dcm_private_find(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t group,
                                          const char *creator, uint32_t low)
{
    int32_t i = item ? dcm_index(d, item) + 1 : 0;
    const int32_t end = item ? dcm_next(d, dcm_index(d, item)) : d->n;
    char name[32];

    for (; i < end && d->elements[i].tag <= (group << 16 | 0xFF); i = dcm_next(d, i)) {
        const mtm_dicom_element *const e = &d->elements[i];

        if (e->tag >= (group << 16 | 0x10) && mtm_dicom_ascii(d, e, 0, name, sizeof name) &&
            !strcmp(name, creator))
            return mtm_dicom_find(d, item, group << 16 | (e->tag & 0xFF) << 8 | low);
    }
    return NULL;
}

/* Value i. */
static bool number(const mtm_dicom *d, const mtm_dicom_element *e, form as, int i, double *out)
{
    const size_t size = as == SINGLE ? 4 : 8, at = (size_t)i * size;
    size_t used;
    float x;

    if (!e || !e->value)
        return false;
    if (strcmp(e->vr, "UN"))
        return mtm_dicom_f64(d, e, i, out) && isfinite(*out);
    if (as == TEXT)
        return i == 0 && mtm_text_f64((const char *)e->value, e->length_bytes, out, &used) && isfinite(*out);
    if (e->length_bytes < at + size) /* UN is little endian (PS3.5 6.2.2) */
        return false;
    if (as == DOUBLE)
        memcpy(out, e->value + at, size);
    else
        memcpy(&x, e->value + at, size), *out = (double)x;
    return isfinite(*out);
}

static void direction_set(const mtm_dicom *d, const mtm_dicom_element *item, const vendor *v, dcm_slice *s)
{
    const bool one = v->direction[1] == 0;
    double g[3];

    for (int i = 0; i < 3; i++) {
        const mtm_dicom_element *const e =
            dcm_private_find(d, item, v->direction_group, v->direction_creator, v->direction[one ? 0 : i]);

        if (!number(d, e, v->direction_form, one ? i : 0, &g[i]))
            return;
    }
    memcpy(s->vary + DCM_VARY_GRADIENT_X, g, sizeof g);
}

void dcm_vendor_diffusion(const mtm_dicom *d, const mtm_dicom_element *item, dcm_slice *s)
{
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++) {
        const vendor *const v = &vendors[i];
        double b;

        if (!number(d, dcm_private_find(d, item, v->group, v->creator, v->b_value), v->b_form, 0, &b) ||
            b < 0)
            continue;
        s->vary[DCM_VARY_B_VALUE] = fmod(b, 1e9); /* GE adds 1e9 to say that the number is exact */
        if (b > 0 && isnan(s->vary[DCM_VARY_GRADIENT_X]))
            direction_set(d, item, v, s);
        return;
    }
}
