/* format/dicom/data/charset.h: the bytes of text values as UTF-8, by SpecificCharacterSet (PS3.3 C.12.1.1.2, PS3.5 6.1).
 * Pure: bytes in, text out; json.c and text.c ask it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_CHARSET_H
#define MTM_DICOM_CHARSET_H

#include "base/text.h"

/* What a value begins with: the sets in G0 and G1, numbers of charset.c. {0} is the default repertoire. */
typedef struct dcm_charset {
    uint8_t g0, g1;
    uint8_t whole; /* a set of its own rules, without code extensions: UTF-8, GB18030, GBK; 0: none */
} dcm_charset;

enum { /* what was found while the terms were read */
       DCM_CHARSET_MISSPELT = 1,
       DCM_CHARSET_UNKNOWN = 2, /* taken as the default repertoire */
       DCM_CHARSET_ALONE = 4 /* a term that must stand alone stands among others: they, or it, are ignored */
};

/* value [n]: of (0008,0005). Returns what was found. */
unsigned dcm_charset_parse(dcm_charset *cs, const uint8_t *value, size_t n);

enum { /* what besides control characters brings the first sets back (PS3.5 6.1.2.5.3) */
       DCM_RESET_VALUES = 1, /* '\', where a value may be multiple */
       DCM_RESET_NAMES = 2   /* '^' and '=', in PN */
};

/* Converters of the system, opened when first needed; for one thread. Begin with {0}. */
enum { DCM_CONVERTERS = 8 };
typedef struct dcm_decoder {
    void *iconv[DCM_CONVERTERS];
} dcm_decoder;

void dcm_decoder_close(dcm_decoder *dec);

/* Appends the value s [n] to out in UTF-8. Bytes that are no character, and NUL, become U+FFFD; bytes above 7F without a set for
 * them are read as Latin-1. Errors: MTM_E_NOMEM, MTM_E_UNSUPPORTED (the system cannot convert the set). */
mtm_status dcm_decode(mtm_text *out, dcm_decoder *dec, const dcm_charset *cs, const uint8_t *s, size_t n,
                      unsigned resets, mtm_error *err);
/* True when s [n] is the same in ASCII and in cs: nothing above 7F, no escape, no NUL. */
bool dcm_is_ascii(const uint8_t *s, size_t n);

/* charset_tables.c */
extern const uint16_t dcm_latin2[96], dcm_latin3[96], dcm_latin4[96], dcm_cyrillic[96], dcm_arabic[96],
    dcm_greek[96], dcm_hebrew[96], dcm_latin5[96], dcm_latin9[96], dcm_thai[96];

#endif
