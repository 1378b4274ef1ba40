/* tests/cases/dicom_whole.h: what every opened data set must hold, whatever its bytes were. For unit tests and fuzzing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_CASES_DICOM_WHOLE_H
#define MTM_TESTS_CASES_DICOM_WHOLE_H

#include "format/dicom/data/dataset.h"

/* Parents, depth and `inside` of line i agree with the lines around it. */
static inline const char *line_broken(const mtm_dicom *d, int32_t i)
{
    const mtm_dicom_element *const e = &d->elements[i];
    const mtm_dicom_element *const parent = e->parent >= 0 ? &d->elements[e->parent] : NULL;

    if (e->parent < -1 || e->parent >= i)
        return "a parent does not stand before its child";
    if (e->inside < 0 || e->inside >= d->n - i)
        return "an element reaches beyond the table";
    if (e->depth != (parent ? parent->depth + 1 : 0) || e->depth > 2 * DCM_MOST_DEPTH)
        return "a depth is not its parent's plus one";
    if (parent && i > e->parent + parent->inside)
        return "a child lies outside of its parent";
    if (parent && !(parent->flags & (parent->tag == DCM_ITEM ? MTM_DICOM_ITEM : MTM_DICOM_SEQUENCE)))
        return "a parent is neither sequence nor item";
    if (parent && (e->tag == DCM_ITEM) == (parent->tag == DCM_ITEM))
        return "items and elements do not take turns";
    if (e->inside > 0 && e->value)
        return "a sequence has a value";
    if (e->value && e->flags & MTM_DICOM_BULK)
        return "a bulk value is kept";
    return NULL;
}

/* Every byte that a line claims can be read. */
static inline const char *value_broken(const mtm_dicom *d, int32_t i)
{
    const mtm_dicom_element *const e = &d->elements[i];
    uint8_t b[2] = {0};
    char text[16];
    int64_t whole;
    double x;
    const int64_t n = mtm_dicom_value_count(d, e);

    if (n < 0 || (uint64_t)n > e->length_bytes + 1)
        return "more values than bytes";
    if (e->length_bytes > 0 && (mtm_dicom_value_read(d, e, 0, b, 1, NULL) ||
                                mtm_dicom_value_read(d, e, e->length_bytes - 1, b + 1, 1, NULL)))
        return "a value cannot be read";
    if (e->value && (e->value[0] != b[0] || e->value[e->length_bytes - 1] != b[1]))
        return "a value is not what is read";
    for (int64_t k = 0; k < 3; k++) {
        const bool is_whole = mtm_dicom_i64(d, e, k, &whole), is_number = mtm_dicom_f64(d, e, k, &x);

        mtm_dicom_ascii(d, e, k, text, sizeof text);
        if (is_whole && (!is_number || k >= n))
            return "a whole number that is no number";
    }
    return NULL;
}

/* NULL, or what is wrong. */
static inline const char *dicom_broken(const mtm_dicom *d)
{
    for (int32_t i = 0; i < d->n; i++) {
        const mtm_dicom_element *const e = &d->elements[i];
        const mtm_dicom_element *const item = e->parent >= 0 ? &d->elements[e->parent] : NULL;
        const char *const why = line_broken(d, i);

        if (why)
            return why;
        if (e->tag != DCM_ITEM && i < 1000) { /* look-up is linear where tags do not ascend */
            const mtm_dicom_element *const found = mtm_dicom_find(d, item, e->tag);

            if (!found || found->tag != e->tag || found->parent != e->parent)
                return "an element is not found";
        }
    }
    for (int32_t i = 0; i < d->n; i++)
        if (value_broken(d, i))
            return value_broken(d, i);
    return NULL;
}

#endif
