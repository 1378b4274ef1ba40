/* base/text.h: text to numbers without the locale, and growing text.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_BASE_TEXT_H
#define MTM_BASE_TEXT_H

#include "error.h"

/* Parses a number at s (at most n bytes, leading blanks skipped); *end receives the bytes used. False: no number
 * there, or one that does not fit. Decimal point only; "inf" and "nan" are accepted by mtm_text_f64. */
bool mtm_text_i64(const char *s, size_t n, int64_t *out, size_t *used);
bool mtm_text_f64(const char *s, size_t n, double *out, size_t *used);

/* Text that grows. Begin with {0}; an allocation that fails is remembered and reported by mtm_text_take. */
typedef struct mtm_text {
    char *s;
    size_t n, room;
    bool failed;
} mtm_text;

void mtm_text_add(mtm_text *t, const char *fmt, ...) MTM_PRINTF(2, 3);
bool mtm_text_reserve(mtm_text *t, size_t more); /* room for `more` bytes and a zero; false: out of memory */
void mtm_text_put(mtm_text *t, const void *s, size_t n); /* n bytes as they are */
void mtm_text_add_json(mtm_text *t, const char *s);      /* quoted and escaped */
void mtm_text_add_f64(mtm_text *t, double x); /* shortest that reads back; JSON has no inf and nan: null */
mtm_status mtm_text_take(mtm_text *t, char **out, mtm_error *err); /* mtm_free() it; t is empty again */
void mtm_text_drop(mtm_text *t);

#endif
