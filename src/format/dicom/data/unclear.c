/* format/dicom/data/unclear.c: VRs that the dictionary leaves to the context ("US or SS", "OB or OW": PS3.6 6, PS3.5 A).
 * SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

enum { UNCLEAR_NONE, US_OR_SS, US_OR_OW, OB_OR_OW }; /* stands in vr[3] until it is decided */

enum {
    BITS_ALLOCATED = 0x00280100,
    PIXEL_REPRESENTATION = 0x00280103,
    LUT_DESCRIPTOR = 0x00283002,
    WAVEFORM_BITS_ALLOCATED = 0x54001004,
    OVERLAY_DATA = 0x60003000,
    WAVEFORM_GROUP = 0x5400
};

void dcm_unclear_mark(mtm_dicom_element *e, const char *vr)
{
    if (!strcmp(vr, "US or SS"))
        e->vr[3] = US_OR_SS;
    else if (!strncmp(vr, "US or", 5)) /* "US or OW", "US or SS or OW" */
        e->vr[3] = US_OR_OW;
    else
        e->vr[3] = OB_OR_OW;
}

/* An unsigned short of the data set that holds line i, or of the next one outwards that has it. */
static int64_t nearest(const mtm_dicom *d, int32_t i, uint32_t tag, int64_t fallback)
{
    for (;;) {
        const int32_t item = d->elements[i].parent;
        const mtm_dicom_element *const e = mtm_dicom_find(d, item < 0 ? NULL : &d->elements[item], tag);

        if (e && e->value && e->length_bytes >= 2)
            return dcm_u16(e->value, e->flags & MTM_DICOM_BIG_ENDIAN);
        if (item < 0)
            return fallback;
        i = d->elements[item].parent; /* the sequence */
    }
}

/* PS3.5 A.1: all of implicit VR is OW, but for encapsulated values; else by the width of the samples (A.2). */
static const char *bytes_or_words(const mtm_dicom *d, int32_t i)
{
    const mtm_dicom_element *const e = &d->elements[i];

    if (e->flags & MTM_DICOM_ENCAPSULATED)
        return "OB";
    if ((e->flags & MTM_DICOM_IMPLICIT) || (e->tag & 0xFF00FFFFu) == OVERLAY_DATA)
        return "OW";
    if (e->tag >> 16 == WAVEFORM_GROUP)
        return nearest(d, i, WAVEFORM_BITS_ALLOCATED, 8) > 8 ? "OW" : "OB";
    return nearest(d, i, BITS_ALLOCATED, 8) > 8 ? "OW" : "OB";
}

void dcm_unclear_decide(mtm_dicom *d)
{
    for (int32_t i = 0; i < d->n; i++) {
        mtm_dicom_element *const e = &d->elements[i];
        const char *vr = NULL;

        switch (e->vr[3]) {
        case US_OR_SS: vr = nearest(d, i, PIXEL_REPRESENTATION, 0) ? "SS" : "US"; break;
        /* A LUT of one entry is a number (PS3.3 C.11.1.1.1). */
        case US_OR_OW: vr = nearest(d, i, LUT_DESCRIPTOR, 0) == 1 ? "US" : "OW"; break;
        case OB_OR_OW: vr = bytes_or_words(d, i); break;
        default: continue;
        }
        memcpy(e->vr, vr, 2);
        e->vr[3] = 0;
    }
}
