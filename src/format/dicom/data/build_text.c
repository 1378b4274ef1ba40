/* format/dicom/data/build_text.c: text for a data set under construction, which comes as UTF-8 or from data sets in other
 * character sets (PS3.3 C.12.1.1.2), in the one that holds where it stands.
 * SPDX-License-Identifier: Apache-2.0 */
#include <iconv.h>

#include "build.h"

enum { ESCAPE = 0x1B };

void dcm_character_set_of(const mtm_dicom *d, const mtm_dicom_element *e, char *buf, size_t room)
{
    buf[0] = '\0';
    for (int32_t item = e->parent;; item = d->elements[item].parent) {
        const mtm_dicom_element *const in = item >= 0 ? &d->elements[item] : NULL;
        const mtm_dicom_element *set = NULL;

        if (!in || in->tag == DCM_ITEM)
            set = mtm_dicom_find(d, in, DCM_CHARACTER_SET);
        if (set && set->value && set->length_bytes < room) {
            size_t n = (size_t)set->length_bytes;

            while (n > 0 && (set->value[n - 1] == ' ' || set->value[n - 1] == '\0'))
                n--;
            memcpy(buf, set->value, n);
            buf[n] = '\0';
        }
        if (set || !in)
            return;
    }
}

bool dcm_text_is_plain(const uint8_t *s, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (s[i] >= 0x80 || s[i] == ESCAPE)
            return false;
    return true;
}

int64_t dcm_utf8_chars(const char *s, size_t n)
{
    const uint8_t *const p = (const uint8_t *)s;
    int64_t chars = 0;

    for (size_t i = 0; i < n; chars++) {
        const int more = p[i] < 0x80   ? 0
                         : p[i] < 0xC2 ? -1
                         : p[i] < 0xE0 ? 1
                         : p[i] < 0xF0 ? 2
                         : p[i] < 0xF5 ? 3
                                       : -1;

        if (more < 0 || (size_t)more >= n - i)
            return -1;
        for (int k = 1; k <= more; k++)
            if ((p[i + (size_t)k] & 0xC0) != 0x80)
                return -1;
        if ((p[i] == 0xE0 && p[i + 1] < 0xA0) || (p[i] == 0xED && p[i + 1] > 0x9F) ||
            (p[i] == 0xF0 && p[i + 1] < 0x90) || (p[i] == 0xF4 && p[i + 1] > 0x8F))
            return -1; /* overlong, a surrogate, or beyond U+10FFFF */
        i += 1 + (size_t)more;
    }
    return chars;
}

/* Defined terms whose first 256 codes, or whole code, iconv knows by a name of its own. Sets with escapes to several
 * others are read, but not written. */
static const struct {
    const char *term, *iconv;
} written[] = {
    {"ISO_IR 100", "ISO-8859-1"},  {"ISO 2022 IR 100", "ISO-8859-1"},
    {"ISO_IR 101", "ISO-8859-2"},  {"ISO 2022 IR 101", "ISO-8859-2"},
    {"ISO_IR 109", "ISO-8859-3"},  {"ISO 2022 IR 109", "ISO-8859-3"},
    {"ISO_IR 110", "ISO-8859-4"},  {"ISO 2022 IR 110", "ISO-8859-4"},
    {"ISO_IR 144", "ISO-8859-5"},  {"ISO 2022 IR 144", "ISO-8859-5"},
    {"ISO_IR 127", "ISO-8859-6"},  {"ISO 2022 IR 127", "ISO-8859-6"},
    {"ISO_IR 126", "ISO-8859-7"},  {"ISO 2022 IR 126", "ISO-8859-7"},
    {"ISO_IR 138", "ISO-8859-8"},  {"ISO 2022 IR 138", "ISO-8859-8"},
    {"ISO_IR 148", "ISO-8859-9"},  {"ISO 2022 IR 148", "ISO-8859-9"},
    {"ISO_IR 203", "ISO-8859-15"}, {"ISO 2022 IR 203", "ISO-8859-15"},
    {"ISO_IR 166", "TIS-620"},     {"ISO 2022 IR 166", "TIS-620"},
    {"GB18030", "GB18030"},        {"GBK", "GBK"},
};

static const char *iconv_name(const char *charset)
{
    size_t n = strcspn(charset, "\\");

    while (n > 0 && charset[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        if (strlen(written[i].term) == n && !memcmp(written[i].term, charset, n))
            return written[i].iconv;
    return NULL;
}

mtm_status dcm_text_encode(dcm_arena *a, const char *charset, const char *utf8, size_t n, const uint8_t **out,
                           uint64_t *size_bytes, bool *fits, mtm_error *err)
{
    const bool as_is = !strncmp(charset, "ISO_IR 192", 10) || dcm_text_is_plain((const uint8_t *)utf8, n);
    const char *const name = as_is ? NULL : iconv_name(charset);
    const size_t room = 2 * n + 8; /* no set that is written needs more bytes than this */
    char *to = dcm_arena_get(a, room), *from, *at = to;
    size_t left = n, space = room;
    iconv_t cd;

    if (!to)
        return MTM_NOMEM(err);
    *out = (const uint8_t *)to;
    *size_bytes = n;
    *fits = as_is || name;
    memcpy(to, utf8, n);
    if (as_is || !name)
        return MTM_OK;
    cd = iconv_open(name, "UTF-8");
    if (cd == (iconv_t)-1) {
        *fits = false;
        return MTM_OK;
    }
    memcpy(&from, &utf8, sizeof from); /* iconv reads, though its type does not say so */
    *fits = iconv(cd, &from, &left, &at, &space) == 0 && left == 0; /* > 0: it put something similar */
    iconv_close(cd);
    *size_bytes = room - space;
    return MTM_OK;
}
