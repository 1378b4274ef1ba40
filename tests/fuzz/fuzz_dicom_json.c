/* tests/fuzz/fuzz_dicom_json.c: what is said of a data set, whatever its bytes: both forms of JSON are JSON (RFC 8259), the lines for
 * people and all texts are UTF-8 of bounded length.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "microtome/dicom.h"

enum { MOST_DEPTH = 400 };

/* ---- a reader of JSON that only says whether it is some ------------------------------------------------ */

static const char *blanks(const char *s)
{
    return s + strspn(s, " \n");
}

/* NULL: no string. Bytes are UTF-8 without control characters. */
static const char *string_end(const char *s)
{
    if (*s++ != '"')
        return NULL;
    while (*s != '"') {
        const unsigned char c = (unsigned char)*s;
        const int more = c < 0x80 ? 0 : c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC2 ? 1 : -1;

        if (c < 0x20 || more < 0 || (c == '\\' && !s[1]))
            return NULL;
        for (int i = 1; i <= more; i++)
            if (((unsigned char)s[i] & 0xC0) != 0x80)
                return NULL;
        s += c == '\\' ? 2 : 1 + more;
    }
    return s + 1;
}

static const char *number_end(const char *s)
{
    s += *s == '-';
    if (*s == '0' && s[1] >= '0' && s[1] <= '9')
        return NULL;
    const size_t whole = strspn(s, "0123456789");
    if (!whole)
        return NULL;
    s += whole;
    if (*s == '.') {
        const size_t n = strspn(s + 1, "0123456789");
        if (!n)
            return NULL;
        s += 1 + n;
    }
    if (*s == 'e' || *s == 'E') {
        s += 1 + (s[1] == '+' || s[1] == '-');
        const size_t n = strspn(s, "0123456789");
        if (!n)
            return NULL;
        s += n;
    }
    return s;
}

static const char *value_end(const char *s, int depth);

/* Members or values between brackets. */
static const char *list_end(const char *s, bool object, int depth)
{
    const char close = object ? '}' : ']';

    s = blanks(s + 1);
    if (*s == close)
        return s + 1;
    for (;;) {
        if (object) {
            s = string_end(s);
            if (!s || *s != ':')
                return NULL;
            s = blanks(s + 1);
        }
        s = value_end(s, depth + 1);
        if (!s)
            return NULL;
        s = blanks(s);
        if (*s == close)
            return s + 1;
        if (*s != ',')
            return NULL;
        s = blanks(s + 1);
    }
}

static const char *value_end(const char *s, int depth)
{
    if (depth > MOST_DEPTH)
        return NULL;
    if (*s == '{' || *s == '[')
        return list_end(s, *s == '{', depth);
    if (*s == '"')
        return string_end(s);
    return !strncmp(s, "null", 4) ? s + 4 : number_end(s);
}

/* ---- the target --------------------------------------------------------------------------------------- */

static void check_json(const mtm_dicom *d, const mtm_dicom_json_options *opt, size_t n)
{
    char *s = NULL;
    size_t size = 0;

    if (mtm_dicom_to_json(&s, &size, d, opt, NULL))
        return;
    const char *const end = value_end(s, 0);
    FUZZ_CHECK(end && end == s + size && !*end);
    FUZZ_CHECK(opt->indent || size < 4096 + 256 * n); /* an element of 8 bytes is less than 2000 of JSON */
    mtm_dicom_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .force = true};
    mtm_dicom *d = NULL;
    char *s = NULL;
    int32_t elements;

    if (mtm_dicom_open_memory(&d, data, n, "memory", &opt, NULL))
        return 0;
    for (int form = 0; form < 4; form++)
        check_json(d,
                   &(mtm_dicom_json_options){.struct_size = sizeof(mtm_dicom_json_options),
                                             .keywords = form & 1,
                                             .meta = true,
                                             .indent = form & 2,
                                             .inline_bytes = form == 0 ? 0 : 1000},
                   n);
    if (!mtm_dicom_dump(&s, d, NULL, NULL))
        FUZZ_CHECK(strlen(s) < 4096 + 256 * n);
    mtm_dicom_free(s);
    const mtm_dicom_element *const e = mtm_dicom_elements(d, &elements);
    for (int32_t i = 0; i < elements; i++) {
        s = NULL;
        if (!mtm_dicom_text(&s, d, &e[i], NULL))
            FUZZ_CHECK(strlen(s) <= 4 * e[i].length_bytes);
        mtm_dicom_free(s);
    }
    mtm_dicom_close(d);
    return 0;
}
