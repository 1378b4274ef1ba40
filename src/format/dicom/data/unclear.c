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

/* What deciding asks for. */
enum { ASK_SIGN, ASK_LUT, ASK_BITS, ASK_WAVEFORM, N_ASKS };
static const uint32_t ask_tags[N_ASKS] = {PIXEL_REPRESENTATION, LUT_DESCRIPTOR, BITS_ALLOCATED,
                                          WAVEFORM_BITS_ALLOCATED};

/* Answers per depth, for the item there in which the walk is: each item is asked once, however many elements want to know. */
typedef struct answers {
    const mtm_dicom *d;
    struct {
        int32_t item; /* −1: the top level; −2: none */
        bool asked[N_ASKS];
        int32_t value[N_ASKS]; /* −1: absent */
    } at[DCM_MOST_LEVELS];
} answers;

static int32_t answer_of(answers *a, int32_t item, int ask)
{
    const mtm_dicom *const d = a->d;
    const int depth = item < 0 ? 0 : d->elements[item].depth;
    const mtm_dicom_element *e;

    if (a->at[depth].item != item) {
        memset(&a->at[depth], 0, sizeof a->at[depth]);
        a->at[depth].item = item;
    }
    if (!a->at[depth].asked[ask]) {
        e = mtm_dicom_find(d, item < 0 ? NULL : &d->elements[item], ask_tags[ask]);
        a->at[depth].asked[ask] = true;
        a->at[depth].value[ask] =
            e && e->value && e->length_bytes >= 2 ? dcm_u16(e->value, e->flags & MTM_DICOM_BIG_ENDIAN) : -1;
    }
    return a->at[depth].value[ask];
}

/* An unsigned short of the data set that holds line i, or of the next one outwards that has it. */
static int32_t nearest(answers *a, int32_t i, int ask, int32_t fallback)
{
    for (;;) {
        const int32_t item = a->d->elements[i].parent;
        const int32_t value = answer_of(a, item, ask);

        if (value >= 0)
            return value;
        if (item < 0)
            return fallback;
        i = a->d->elements[item].parent; /* the sequence */
    }
}

/* PS3.5 A.1: all of implicit VR is OW, but for encapsulated values; else by the width of the samples (A.2). */
static const char *bytes_or_words(answers *a, int32_t i)
{
    const mtm_dicom_element *const e = &a->d->elements[i];

    if (e->flags & MTM_DICOM_ENCAPSULATED)
        return "OB";
    if ((e->flags & MTM_DICOM_IMPLICIT) || (e->tag & 0xFF00FFFFu) == OVERLAY_DATA)
        return "OW";
    if (e->tag >> 16 == WAVEFORM_GROUP)
        return nearest(a, i, ASK_WAVEFORM, 8) > 8 ? "OW" : "OB";
    return nearest(a, i, ASK_BITS, 8) > 8 ? "OW" : "OB";
}

void dcm_unclear_decide(mtm_dicom *d)
{
    answers a;

    a.d = d;
    for (int depth = 0; depth < DCM_MOST_LEVELS; depth++)
        a.at[depth].item = -2;
    for (int32_t i = 0; i < d->n; i++) {
        mtm_dicom_element *const e = &d->elements[i];
        const char *vr = NULL;

        switch (e->vr[3]) {
        case US_OR_SS: vr = nearest(&a, i, ASK_SIGN, 0) ? "SS" : "US"; break;
        /* A LUT of one entry is a number (PS3.3 C.11.1.1.1). */
        case US_OR_OW: vr = nearest(&a, i, ASK_LUT, 0) == 1 ? "US" : "OW"; break;
        case OB_OR_OW: vr = bytes_or_words(&a, i); break;
        default: continue;
        }
        memcpy(e->vr, vr, 2);
        e->vr[3] = 0;
    }
}
