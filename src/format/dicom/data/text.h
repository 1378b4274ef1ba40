/* format/dicom/data/text.h: text values one after the other, decoded.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_TEXT_H
#define MTM_DICOM_TEXT_H

#include "charset.h"
#include "dataset.h"
#include "vr.h"

/* The character set that governs element `e`: of its item, or of what that lies in (PS3.5 7.5.3). */
void dcm_charset_at(dcm_charset *cs, const mtm_dicom *d, const mtm_dicom_element *e);
/* That of an item's own elements, where it names one. */
void dcm_charset_in(dcm_charset *cs, const mtm_dicom *d, const mtm_dicom_element *item);

/* Warns of terms in (0008,0005), in items too, that are misspelt, unknown or not allowed together. */
void dcm_charset_warn(mtm_dicom *d);

/* The bytes of a value: borrowed or, where they were left in the file, in new memory that *own receives (mtm_free). */
mtm_status dcm_value_get(const mtm_dicom *d, const mtm_dicom_element *e, const uint8_t **value, void **own,
                         mtm_error *err);

/* A text value [n] without its padding: as it is where that is UTF-8, else decoded into *scratch, which is emptied first. */
mtm_status dcm_text_get(const char **s, size_t *n, mtm_text *scratch, dcm_decoder *dec, const dcm_charset *cs,
                        const dcm_vr *vr, const uint8_t *value, size_t size_bytes, mtm_error *err);

/* The single values of a text, blanks around them that mean nothing left out. */
typedef struct dcm_split {
    const char *s; /* NULL: no more */
    size_t n;
    const dcm_vr *vr;
} dcm_split;

static inline dcm_split dcm_split_over(const char *s, size_t n, const dcm_vr *vr)
{
    return (dcm_split){n ? s : NULL, n, vr};
}
bool dcm_split_next(dcm_split *t, const char **s, size_t *n);

#endif
