/* format/dicom/volume/functional_groups.c: frames of enhanced multi-frame images (PS3.3 C.7.6.16): every macro is looked for
 * among the frame's own groups, then among the shared ones, then, as legacy converted images have it, among unassigned attributes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "volume.h"

enum {
    SHARED = 0x52009229,
    PER_FRAME = 0x52009230,
    UNASSIGNED_SHARED = 0x00209170,
    UNASSIGNED_PER_FRAME = 0x00209171,
    PLANE_POSITION = 0x00209113,
    PLANE_ORIENTATION = 0x00209116,
    PIXEL_MEASURES = 0x00289110,
    VALUE_TRANSFORMATION = 0x00289145,
    PLANE_POSITION_VOLUME = 0x0020930E,
    PLANE_ORIENTATION_VOLUME = 0x0020930F,
    POSITION_VOLUME = 0x00209301,
    ORIENTATION_VOLUME = 0x00209302,
    DIFFUSION = 0x00189117,
    GRADIENT_SEQUENCE = 0x00189076,
    GRADIENT = 0x00189089,
    FRAME_CONTENT = 0x00209111,
    STACK_ID = 0x00209056,
    IN_STACK = 0x00209057,
    IMAGE_POSITION = 0x00200032,
    IMAGE_ORIENTATION = 0x00200037,
    DIMENSION_INDEX = 0x00209222,
    DIMENSION_POINTER = 0x00209165,
    DIMENSION_VALUES = 0x00209157,
    FRAME_TYPE = 0x00089007,
    COMPLEX_COMPONENT = 0x00089208,
    MOST_DIMENSIONS = 16
};

typedef struct groups {
    const mtm_dicom *d;
    const mtm_dicom_element *shared, *frame; /* items */
} groups;

static const mtm_dicom_element *group_find(const groups *g, uint32_t sequence)
{
    const mtm_dicom_element *const own = g->frame ? dcm_first_item(g->d, g->frame, sequence) : NULL;

    return own ? own : g->shared ? dcm_first_item(g->d, g->shared, sequence) : NULL;
}

/* ---- geometry ------------------------------------------------------------------------------------------ */

static void place_set(const groups *g, dcm_slice *s)
{
    static const uint32_t places[][2] = {{PLANE_POSITION, IMAGE_POSITION},
                                         {PLANE_POSITION_VOLUME, POSITION_VOLUME}};
    static const uint32_t turns[][2] = {{PLANE_ORIENTATION, IMAGE_ORIENTATION},
                                        {PLANE_ORIENTATION_VOLUME, ORIENTATION_VOLUME}};
    double cosines[6];

    for (int i = 0; i < 2; i++) {
        const mtm_dicom_element *const place = group_find(g, places[i][0]), *const turn =
                                                                                group_find(g, turns[i][0]);

        if (place)
            (void)dcm_position_get(g->d, place, places[i][1], s);
        if (turn && !(s->has & DCM_SLICE_ORIENTATION) && dcm_f64s(g->d, turn, turns[i][1], cosines, 6))
            (void)dcm_orientation_set(s, cosines);
    }
}

/* ---- what varies --------------------------------------------------------------------------------------- */

/* Which of DimensionIndexValues say neither the place nor the stack (PS3.3 C.7.6.17). */
typedef struct dimensions {
    int32_t n, at[MOST_DIMENSIONS];
} dimensions;

static dimensions dimensions_of(const mtm_dicom *d)
{
    const mtm_dicom_element *const sequence = mtm_dicom_find(d, NULL, DIMENSION_INDEX);
    const int32_t n = sequence ? mtm_dicom_item_count(d, sequence) : 0;
    dimensions out = {0};

    for (int32_t i = 0; i < n && out.n < MOST_DIMENSIONS; i++) {
        const uint32_t tag = (uint32_t)dcm_i64(d, mtm_dicom_item(d, sequence, i), DIMENSION_POINTER, 0);

        if (tag && tag != STACK_ID && tag != IN_STACK && tag != IMAGE_POSITION && tag != IMAGE_ORIENTATION &&
            tag != POSITION_VOLUME && tag != ORIENTATION_VOLUME)
            out.at[out.n++] = i;
    }
    return out;
}

static void vary_set(const groups *g, const dimensions *dims, dcm_slice *s)
{
    static const uint32_t types[] = {0x00189226, 0x00189329,
                                     0x00189751}; /* MR, CT, PET frame type sequences */
    const mtm_dicom_element *const content = group_find(g, FRAME_CONTENT), *const diffusion =
                                                                               group_find(g, DIFFUSION);
    const mtm_dicom_element *const values = content ? mtm_dicom_find(g->d, content, DIMENSION_VALUES) : NULL;
    const mtm_dicom_element *item;
    int64_t v;

    for (int i = 0; i < DCM_N_VARY; i++)
        if (dcm_vary_table[i].group && (item = group_find(g, dcm_vary_table[i].group)))
            s->vary[i] = dcm_number(g->d, item, dcm_vary_table[i].inside);
    item = diffusion ? dcm_first_item(g->d, diffusion, GRADIENT_SEQUENCE) : NULL;
    if (item)
        (void)dcm_f64s(g->d, item, GRADIENT, s->vary + DCM_VARY_GRADIENT_X, 3);
    if (content)
        s->vary[DCM_VARY_STACK] = dcm_hash(g->d, content, STACK_ID);
    for (int i = 0; i < 3; i++)
        if ((item = group_find(g, types[i]))) {
            const double type = dcm_hash(g->d, item, FRAME_TYPE),
                         part = dcm_hash(g->d, item, COMPLEX_COMPONENT);

            s->vary[DCM_VARY_IMAGE_TYPE] = isnan(part) ? type : type + part;
        }
    for (int i = 0; values && i < dims->n; i++)
        if (mtm_dicom_i64(g->d, values, dims->at[i], &v)) {
            double *const x = &s->vary[DCM_VARY_DIMENSION];

            *x = (isnan(*x) ? 0 : ldexp(*x, 52 / dims->n)) +
                 (double)v; /* all of them fit into a double exactly */
        }
}

/* ---- frames -------------------------------------------------------------------------------------------- */

static void frame_set(const groups *g, const dimensions *dims, dcm_slice *s)
{
    static const uint32_t parts[] = {PIXEL_MEASURES, VALUE_TRANSFORMATION, UNASSIGNED_PER_FRAME,
                                     UNASSIGNED_SHARED};
    const mtm_dicom_element *item;

    place_set(g, s);
    vary_set(g, dims, s);
    for (int i = 0; i < 4; i++)
        if ((item = group_find(g, parts[i])))
            dcm_slice_classic(g->d, item, s);
}

bool dcm_slices_groups(const mtm_dicom *d, dcm_slice *slices, int64_t n)
{
    const mtm_dicom_element *const sequence = mtm_dicom_find(d, NULL, PER_FRAME);
    groups g = {.d = d, .shared = dcm_first_item(d, NULL, SHARED)};
    const dimensions dims = dimensions_of(d);
    int32_t at, end;

    if (!sequence && !g.shared)
        return false;
    at = sequence ? dcm_index(d, sequence) + 1 : 0;
    end = sequence ? dcm_next(d, dcm_index(d, sequence)) : 0;
    for (int64_t i = 0; i < n; i++) {
        g.frame = at < end ? &d->elements[at] : NULL;
        at = at < end ? dcm_next(d, at) : at;
        frame_set(&g, &dims, &slices[i]);
    }
    return true;
}
