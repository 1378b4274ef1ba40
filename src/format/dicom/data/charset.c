/* format/dicom/data/charset.c: SpecificCharacterSet to UTF-8. Single-byte sets by tables, multi-byte ones by the system's
 * iconv, character by character, so that escapes and delimiters (PS3.5 6.1.2.5) are seen here and nowhere else.
 * SPDX-License-Identifier: Apache-2.0 */
#include "charset.h"

#include <iconv.h>

#include "base/mem.h"

enum { /* numbers of sets; NONE in G0 is ASCII, in G1 nothing */
       NONE,
       LATIN1,
       LATIN2,
       LATIN3,
       LATIN4,
       CYRILLIC,
       ARABIC,
       GREEK,
       HEBREW,
       LATIN5,
       LATIN9,
       THAI,
       KATAKANA, /* JIS X 0201; with the two-byte characters of Shift JIS, which many files have under this name */
       JISX0208,
       JISX0212,
       KSX1001,
       GB2312,
       UTF8,
       GB18030,
       GBK
};

enum { REPLACEMENT = 0xFFFD, ESC = 0x1B, FIRST_CONVERTED = KATAKANA, MOST_TERMS = 32 };

static const uint16_t *const tables[] = {
    [LATIN2] = dcm_latin2, [LATIN3] = dcm_latin3, [LATIN4] = dcm_latin4, [CYRILLIC] = dcm_cyrillic,
    [ARABIC] = dcm_arabic, [GREEK] = dcm_greek,   [HEBREW] = dcm_hebrew, [LATIN5] = dcm_latin5,
    [LATIN9] = dcm_latin9, [THAI] = dcm_thai,     [GBK] = NULL};

/* Names of iconv's; both Japanese sets are planes of EUC-JP. */
static const char *const converters[] = {[KATAKANA] = "SJIS",   [JISX0208] = "EUC-JP", [JISX0212] = "EUC-JP",
                                         [KSX1001] = "EUC-KR",  [GB2312] = "EUC-CN",   [UTF8] = NULL,
                                         [GB18030] = "GB18030", [GBK] = "GBK"};

/* ---- defined terms ------------------------------------------------------------------------------------ */

typedef struct term {
    const char *name;  /* as the standard writes it */
    const char *plain; /* capitals and digits of it, and of what else is found in files */
    uint8_t g0, g1, whole;
} term;

/* PS3.3 tables C.12-2 to C.12-5. The same set has one entry per ISO-IR number: "ISO 2022 IR 100" differs from "ISO_IR 100" in
 * that other sets may follow, which is seen from their being there. */
static const term terms[] = {
    {"ISO_IR 6", "ISOIR6", NONE, NONE, NONE},
    {"ISO 2022 IR 6", "ISO2022IR6", NONE, NONE, NONE},
    {"ISO_IR 100", "ISOIR100", NONE, LATIN1, NONE},
    {"ISO 2022 IR 100", "ISO2022IR100", NONE, LATIN1, NONE},
    {"ISO_IR 101", "ISOIR101", NONE, LATIN2, NONE},
    {"ISO 2022 IR 101", "ISO2022IR101", NONE, LATIN2, NONE},
    {"ISO_IR 109", "ISOIR109", NONE, LATIN3, NONE},
    {"ISO 2022 IR 109", "ISO2022IR109", NONE, LATIN3, NONE},
    {"ISO_IR 110", "ISOIR110", NONE, LATIN4, NONE},
    {"ISO 2022 IR 110", "ISO2022IR110", NONE, LATIN4, NONE},
    {"ISO_IR 126", "ISOIR126", NONE, GREEK, NONE},
    {"ISO 2022 IR 126", "ISO2022IR126", NONE, GREEK, NONE},
    {"ISO_IR 127", "ISOIR127", NONE, ARABIC, NONE},
    {"ISO 2022 IR 127", "ISO2022IR127", NONE, ARABIC, NONE},
    {"ISO_IR 138", "ISOIR138", NONE, HEBREW, NONE},
    {"ISO 2022 IR 138", "ISO2022IR138", NONE, HEBREW, NONE},
    {"ISO_IR 144", "ISOIR144", NONE, CYRILLIC, NONE},
    {"ISO 2022 IR 144", "ISO2022IR144", NONE, CYRILLIC, NONE},
    {"ISO_IR 148", "ISOIR148", NONE, LATIN5, NONE},
    {"ISO 2022 IR 148", "ISO2022IR148", NONE, LATIN5, NONE},
    {"ISO_IR 166", "ISOIR166", NONE, THAI, NONE},
    {"ISO 2022 IR 166", "ISO2022IR166", NONE, THAI, NONE},
    {"ISO_IR 203", "ISOIR203", NONE, LATIN9, NONE},
    {"ISO 2022 IR 203", "ISO2022IR203", NONE, LATIN9, NONE},
    {"ISO_IR 13", "ISOIR13", NONE, KATAKANA, NONE},
    {"ISO 2022 IR 13", "ISO2022IR13", NONE, KATAKANA, NONE},
    {"ISO 2022 IR 87", "ISO2022IR87", NONE, NONE, NONE},
    {"ISO 2022 IR 159", "ISO2022IR159", NONE, NONE, NONE},
    {"ISO 2022 IR 149", "ISO2022IR149", NONE, KSX1001, NONE},
    {"ISO 2022 IR 58", "ISO2022IR58", NONE, GB2312, NONE},
    {"ISO 2022 58", "ISO202258", NONE, GB2312, NONE}, /* CP-1234 */
    {"ISO_IR 192", "ISOIR192", NONE, NONE, UTF8},
    {"GB18030", "GB18030", NONE, NONE, GB18030},
    {"GBK", "GBK", NONE, NONE, GBK},
    {"ISO 2022 GBK", "ISO2022GBK", NONE, NONE, GBK}, /* CP-1234 */
    /* What files have instead. */
    {NULL, "ISOIR87", NONE, NONE, NONE},
    {NULL, "ISOIR159", NONE, NONE, NONE},
    {NULL, "ISOIR149", NONE, KSX1001, NONE},
    {NULL, "ISOIR58", NONE, GB2312, NONE},
    {NULL, "ISO2022IR192", NONE, NONE, UTF8},
    {NULL, "ISO2022IR14", NONE, KATAKANA, NONE},
    {NULL, "ISOIR14", NONE, KATAKANA, NONE},
    {NULL, "ASCII", NONE, NONE, NONE},
    {NULL, "LATIN1", NONE, LATIN1, NONE},
    {NULL, "ISO88591", NONE, LATIN1, NONE},
    {NULL, "ISO88592", NONE, LATIN2, NONE},
    {NULL, "ISO88593", NONE, LATIN3, NONE},
    {NULL, "ISO88594", NONE, LATIN4, NONE},
    {NULL, "ISO88595", NONE, CYRILLIC, NONE},
    {NULL, "ISO88596", NONE, ARABIC, NONE},
    {NULL, "ISO88597", NONE, GREEK, NONE},
    {NULL, "ISO88598", NONE, HEBREW, NONE},
    {NULL, "ISO88599", NONE, LATIN5, NONE},
    {NULL, "ISO885915", NONE, LATIN9, NONE},
    {NULL, "UTF8", NONE, NONE, UTF8},
    {NULL, "SHIFTJIS", NONE, KATAKANA, NONE},
    {NULL, "EUCKR", NONE, KSX1001, NONE},
    {NULL, "GB2312", NONE, GB2312, NONE},
};

static const term *term_find(const uint8_t *s, size_t n, unsigned *found)
{
    char plain[24];
    size_t k = 0;

    for (size_t i = 0; i < n && k < sizeof plain - 1; i++) {
        const uint8_t c = s[i] >= 'a' && s[i] <= 'z' ? (uint8_t)(s[i] - 32) : s[i];
        if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
            plain[k++] = (char)c;
    }
    plain[k] = '\0';
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        const term *const t = &terms[i];
        if (strcmp(t->plain, plain))
            continue;
        if (!t->name || strlen(t->name) != n || memcmp(t->name, s, n) != 0)
            *found |= DCM_CHARSET_MISSPELT;
        return t;
    }
    *found |= DCM_CHARSET_UNKNOWN;
    return NULL;
}

unsigned dcm_charset_parse(dcm_charset *cs, const uint8_t *value, size_t n)
{
    unsigned found = 0;
    size_t at = 0;

    *cs = (dcm_charset){0};
    for (int number = 0; at <= n && number < MOST_TERMS; number++) {
        const uint8_t *const s = value + at, *const end = at < n ? memchr(s, '\\', n - at) : NULL;
        size_t size = end ? (size_t)(end - s) : n - at, from = 0;

        at += size + 1;
        while (from < size && s[from] == ' ')
            from++;
        while (size > from && (s[size - 1] == ' ' || s[size - 1] == '\0'))
            size--;
        if (size == from)
            continue;
        const term *const t = term_find(s + from, size - from, &found);
        if (!t)
            continue;
        if (number > 0 && (t->whole || cs->whole))
            found |= DCM_CHARSET_ALONE;
        else if (number == 0)
            *cs = (dcm_charset){.g0 = t->g0, .g1 = t->g1, .whole = t->whole};
    }
    return found;
}

/* ---- characters --------------------------------------------------------------------------------------- */

typedef struct state {
    mtm_text *out;
    dcm_decoder *dec;
    const uint8_t *s; /* [n] */
    size_t n;
    uint8_t g0, g1;
} state;

void dcm_decoder_close(dcm_decoder *dec)
{
    for (int i = 0; i < DCM_CONVERTERS; i++)
        if (dec->iconv[i])
            iconv_close((iconv_t)dec->iconv[i]);
    *dec = (dcm_decoder){0};
}

static void put_code(mtm_text *t, uint32_t c)
{
    uint8_t u[4];
    size_t k = 0;

    if (c < 0x80) {
        u[k++] = (uint8_t)c;
    } else if (c < 0x800) {
        u[k++] = (uint8_t)(0xC0 | c >> 6);
        u[k++] = (uint8_t)(0x80 | (c & 63));
    } else {
        u[k++] = (uint8_t)(0xE0 | c >> 12);
        u[k++] = (uint8_t)(0x80 | (c >> 6 & 63));
        u[k++] = (uint8_t)(0x80 | (c & 63));
    }
    mtm_text_put(t, u, k);
}

/* One character of a multi-byte set: c [n] as iconv wants it. False: there is none of that code. */
static mtm_status convert(state *st, uint8_t set, const uint8_t *c, size_t n, bool *done, mtm_error *err)
{
    void **const at = &st->dec->iconv[set - FIRST_CONVERTED];
    char u[16], *to = u, from[4], *in = from;
    size_t left = n, room = sizeof u;

    if (!*at) {
        const iconv_t opened = iconv_open("UTF-8", converters[set]);
        if (opened == (iconv_t)-1)
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "this system's iconv has no converter for %s",
                            converters[set]);
        *at = (void *)opened;
    }
    memcpy(from, c, n);
    iconv((iconv_t)*at, NULL, NULL, NULL, NULL);
    *done = iconv((iconv_t)*at, &in, &left, &to, &room) != (size_t)-1 && left == 0;
    if (*done)
        mtm_text_put(st->out, u, sizeof u - room);
    return MTM_OK;
}

/* A character of `size` bytes at st->s[at], given to iconv as c [n]. What is none is replaced, and its first byte consumed. */
static mtm_status put_converted(state *st, uint8_t set, const uint8_t *c, size_t n, size_t size, size_t *used,
                                mtm_error *err)
{
    bool done = false;

    MTM_TRY(convert(st, set, c, n, &done, err));
    *used = done ? size : 1;
    if (!done)
        put_code(st->out, REPLACEMENT);
    return MTM_OK;
}

static size_t bad_byte(state *st)
{
    put_code(st->out, REPLACEMENT);
    return 1;
}

/* Two bytes of a 94 × 94 set, from G0 (21 … 7E) or G1 (A1 … FE). */
static mtm_status put_pair(state *st, uint8_t set, size_t at, size_t *used, mtm_error *err)
{
    const uint8_t high = st->s[at] & 0x80, a = st->s[at], b = at + 1 < st->n ? st->s[at + 1] : 0;
    const uint8_t euc[3] = {0x8F, a | 0x80, b | 0x80};

    if ((a & 0x7F) < 0x21 || (a & 0x7F) > 0x7E || (b & 0x80) != high || (b & 0x7F) < 0x21 ||
        (b & 0x7F) > 0x7E) {
        *used = bad_byte(st);
        return MTM_OK;
    }
    const bool three = set == JISX0212;
    return put_converted(st, set, three ? euc : euc + 1, three ? 3 : 2, 2, used, err);
}

/* JIS X 0201, right half, and Shift JIS. */
static mtm_status put_katakana(state *st, size_t at, size_t *used, mtm_error *err)
{
    const uint8_t a = st->s[at];

    if (a >= 0xA1 && a <= 0xDF) {
        put_code(st->out, 0xFF61u + (a - 0xA1u));
        *used = 1;
        return MTM_OK;
    }
    if (a == 0x80 || a == 0xA0 || a > 0xFC || at + 1 >= st->n || st->s[at + 1] < 0x40) {
        *used = bad_byte(st);
        return MTM_OK;
    }
    return put_converted(st, KATAKANA, st->s + at, 2, 2, used, err);
}

/* GBK: two bytes; GB18030: also four. */
static mtm_status put_gb(state *st, uint8_t set, size_t at, size_t *used, mtm_error *err)
{
    const uint8_t *const s = st->s + at;
    const size_t left = st->n - at;

    if (s[0] < 0x81 || s[0] == 0xFF || left < 2) {
        *used = bad_byte(st);
        return MTM_OK;
    }
    if (set == GB18030 && s[1] >= 0x30 && s[1] <= 0x39 && left >= 4)
        return put_converted(st, set, s, 4, 4, used, err);
    if (s[1] < 0x40 || s[1] == 0x7F || s[1] == 0xFF) {
        *used = bad_byte(st);
        return MTM_OK;
    }
    return put_converted(st, set, s, 2, 2, used, err);
}

/* Length of the well-formed UTF-8 sequence at s, or minus the bytes that one replacement stands for (Unicode 3.9, table 3-7). */
static int utf8_size(const uint8_t *s, size_t n)
{
    const int size = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    uint8_t lo = 0x80, hi = 0xBF;

    if (s[0] < 0xC2 || s[0] > 0xF4)
        return -1;
    if (s[0] == 0xE0)
        lo = 0xA0;
    if (s[0] == 0xED)
        hi = 0x9F;
    if (s[0] == 0xF0)
        lo = 0x90;
    if (s[0] == 0xF4)
        hi = 0x8F;
    for (int i = 1; i < size; i++, lo = 0x80, hi = 0xBF)
        if ((size_t)i >= n || s[i] < lo || s[i] > hi)
            return -i;
    return size;
}

static size_t put_utf8(state *st, size_t at)
{
    const int size = utf8_size(st->s + at, st->n - at);

    if (size > 0)
        mtm_text_put(st->out, st->s + at, (size_t)size);
    else
        put_code(st->out, REPLACEMENT);
    return (size_t)(size > 0 ? size : -size);
}

static uint32_t single_byte(uint8_t set, uint8_t c)
{
    if (c < 0xA0 || set == LATIN1 || set == NONE)
        return c;
    const uint16_t u = tables[set][c - 0xA0];
    return u ? u : REPLACEMENT;
}

/* The character at `at`, which is neither a control character nor an escape, by the sets in use. */
static mtm_status put_character(state *st, size_t at, size_t *used, mtm_error *err)
{
    const uint8_t c = st->s[at];

    if (c < 0x80 && st->g0 >= JISX0208 && c != ' ' && c != 0x7F)
        return put_pair(st, st->g0, at, used, err);
    if (c < 0x80 && st->g0 == KATAKANA && c >= 0x21 && c <= 0x5F) { /* ESC ( I, in G0 */
        put_code(st->out, 0xFF61u + (c - 0x21u));
        *used = 1;
        return MTM_OK;
    }
    if (c >= 0x80 && st->g1 == KATAKANA)
        return put_katakana(st, at, used, err);
    if (c >= 0x80 && st->g1 >= JISX0208)
        return put_pair(st, st->g1, at, used, err);
    put_code(st->out, c < 0x80 ? c : single_byte(st->g1, c));
    *used = 1;
    return MTM_OK;
}

/* ---- escapes ------------------------------------------------------------------------------------------ */

/* PS3.3 tables C.12-3 and C.12-4, and the forms of JIS X 0208 and others that occur besides. */
static const struct escape {
    char code[4]; /* after ESC */
    bool g1;
    uint8_t set;
} escapes[] = {
    {"(B", false, NONE},     {"(J", false, NONE},      {")I", true, KATAKANA},  {"(I", false, KATAKANA},
    {"-A", true, LATIN1},    {"-B", true, LATIN2},     {"-C", true, LATIN3},    {"-D", true, LATIN4},
    {"-F", true, GREEK},     {"-G", true, ARABIC},     {"-H", true, HEBREW},    {"-L", true, CYRILLIC},
    {"-M", true, LATIN5},    {"-T", true, THAI},       {"-b", true, LATIN9},    {"$B", false, JISX0208},
    {"$@", false, JISX0208}, {"$(D", false, JISX0212}, {"$(C", false, KSX1001}, {"$)C", true, KSX1001},
    {"$)A", true, GB2312},   {"$A", false, GB2312},
};

/* Bytes of the escape sequence at `at`, which is obeyed; 0: not known. */
static size_t obey_escape(state *st, size_t at)
{
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        const size_t size = strlen(escapes[i].code);
        if (st->n - at <= size || memcmp(st->s + at + 1, escapes[i].code, size) != 0)
            continue;
        *(escapes[i].g1 ? &st->g1 : &st->g0) = escapes[i].set;
        return 1 + size;
    }
    return 0;
}

/* A control character or, where only one-byte characters can be meant, a delimiter. */
static bool resets_here(const state *st, uint8_t c, unsigned resets)
{
    if (c < 0x20)
        return true;
    if (st->g0 >= JISX0208)
        return false;
    return (c == '\\' && (resets & DCM_RESET_VALUES)) ||
           ((c == '^' || c == '=') && (resets & DCM_RESET_NAMES));
}

/* Values with code extensions. A reset keeps what lies in G1 when nothing lies there at first: files that leave out the escape
 * after a delimiter mean it so, and others have no byte above 7F there. */
static mtm_status decode_extended(state *st, const dcm_charset *cs, unsigned resets, mtm_error *err)
{
    for (size_t at = 0, used; at < st->n; at += used) {
        const uint8_t c = st->s[at];

        if (c == ESC && (used = obey_escape(st, at)) > 0)
            continue;
        if (resets_here(st, c, resets)) {
            st->g0 = cs->g0, st->g1 = cs->g1 ? cs->g1 : st->g1;
            put_code(st->out, c ? c : REPLACEMENT);
            used = 1;
            continue;
        }
        MTM_TRY(put_character(st, at, &used, err));
    }
    return MTM_OK;
}

static mtm_status decode_whole(state *st, uint8_t set, mtm_error *err)
{
    for (size_t at = 0, used; at < st->n; at += used) {
        const uint8_t c = st->s[at];

        if (c < 0x80) {
            put_code(st->out, c ? c : REPLACEMENT);
            used = 1;
        } else if (set == UTF8) {
            used = put_utf8(st, at);
        } else {
            MTM_TRY(put_gb(st, set, at, &used, err));
        }
    }
    return MTM_OK;
}

bool dcm_is_ascii(const uint8_t *s, size_t n)
{
    /* Bit 7 of a byte of `bad` is set where the byte is above 7F or, by the borrow, NUL or ESC. */
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    uint64_t bad = 0;

    for (; n >= 8; s += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, s, 8);
        bad |= (w | (w - ones) | ((w ^ ones * ESC) - ones)) & tops;
    }
    for (; n > 0; s++, n--)
        bad |= *s >= 0x80 || *s == ESC || *s == 0;
    return bad == 0;
}

mtm_status dcm_decode(mtm_text *out, dcm_decoder *dec, const dcm_charset *cs, const uint8_t *s, size_t n,
                      unsigned resets, mtm_error *err)
{
    state st = {.out = out, .dec = dec, .s = s, .n = n, .g0 = cs->g0, .g1 = cs->g1};

    if (dcm_is_ascii(s, n))
        mtm_text_put(out, s, n);
    else if (cs->whole)
        MTM_TRY(decode_whole(&st, cs->whole, err));
    else
        MTM_TRY(decode_extended(&st, cs, resets, err));
    return out->failed ? MTM_NOMEM(err) : MTM_OK;
}
