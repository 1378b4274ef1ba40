/* format/dicom/deid/clean.h: cleaning of free text (PS3.15 E.3.5): only words of a list of imaging terms stay, and short measures.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_CLEAN_H
#define MTM_DICOM_CLEAN_H

#include "base/text.h"

/* True for a word of the list (any case), and for numbers of up to three digits with or without a unit ("5mm", "1.5", "b800"). */
bool dcm_word_is_safe(const char *word, size_t n);
/* The safe words of a text that do not occur in `known` (words of the patient's own names and numbers, each between blanks, in lower
 * case; NULL: none), joined by single blanks. */
void dcm_clean_text(mtm_text *out, const char *text, const char *known);

#endif
