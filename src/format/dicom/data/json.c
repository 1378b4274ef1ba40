/* format/dicom/data/json.c: data sets as JSON: the DICOM JSON model (PS3.18 F.2), and values by keyword. One pass over the table
 * of elements into one growing buffer.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "text.h"

typedef struct writer {
    const mtm_dicom *d;
    const mtm_dicom_json_options *opt;
    mtm_text out, scratch; /* scratch: decoded text */
    dcm_decoder dec;
    mtm_error *err;
} writer;

/* ---- pieces ------------------------------------------------------------------------------------------- */

static void put(writer *w, const char *s, size_t n)
{
    mtm_text_put(&w->out, s, n);
}
#define PUT(w, literal) put((w), (literal), sizeof(literal) - 1)

static const char hex[] = "0123456789ABCDEF";

/* In quotes. s is UTF-8. */
static void put_string(writer *w, const char *s, size_t n)
{
    size_t from = 0;

    PUT(w, "\"");
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        char code[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        const char *const plain = strchr("\"\"\\\\\nn\rr\tt", c); /* pairs: character, letter */

        put(w, s + from, i - from);
        if (plain && c) {
            code[1] = plain[1];
            put(w, code, 2);
        } else {
            put(w, code, 6);
        }
        from = i + 1;
    }
    put(w, s + from, n - from);
    PUT(w, "\"");
}

static void put_tag(writer *w, uint32_t tag)
{
    char s[8];

    for (int i = 0; i < 8; i++)
        s[i] = hex[tag >> (28 - 4 * i) & 15];
    put(w, s, 8);
}

static void put_u64(writer *w, uint64_t x)
{
    char s[20];
    int at = 20;

    do
        s[--at] = (char)('0' + x % 10);
    while (x /= 10);
    put(w, s + at, (size_t)(20 - at));
}

static void put_i64(writer *w, int64_t x)
{
    if (x < 0)
        PUT(w, "-");
    put_u64(w, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);
}

/* The fewest decimals that read back as x, where 15 digits are enough: a whole number over a power of ten, both exact, whose
 * quotient is rounded once as a reader's is. */
static bool put_short_decimal(writer *w, double x)
{
    double power = 1;

    if (!(fabs(x) < 1e15) || (x != 0 && fabs(x) < 1e-5))
        return false;
    for (int decimals = 0; decimals <= 15; decimals++, power *= 10) {
        const double whole = rint(fabs(x) * power);
        char s[24];
        int at = sizeof s;

        if (whole >= 1e15)
            return false;
        if (whole / power != fabs(x))
            continue;
        uint64_t m = (uint64_t)whole;
        if (decimals == 0)
            s[--at] = '0', s[--at] = '.';
        for (int i = 0; i <= decimals || m; i++, m /= 10) {
            if (i == decimals && decimals)
                s[--at] = '.';
            s[--at] = (char)('0' + m % 10);
        }
        if (signbit(x))
            s[--at] = '-';
        put(w, s + at, sizeof s - (size_t)at);
        return true;
    }
    return false;
}

/* Numbers that JSON lacks are the strings of PS3.18 F.2.3. */
static void put_f64(writer *w, double x)
{
    char s[40];
    double back;

    if (isnan(x)) {
        PUT(w, "\"NaN\"");
    } else if (isinf(x)) {
        put_string(w, x < 0 ? "-inf" : "inf", x < 0 ? 4 : 3);
    } else if (!put_short_decimal(w, x)) {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(s, sizeof s, "%.*g", digits, x);
            for (char *p = s; *p; p++)
                if (*p == ',')
                    *p = '.'; /* a decimal comma of the locale */
            if (mtm_text_f64(s, sizeof s, &back, NULL) && back == x)
                break;
        }
        put(w, s, strlen(s));
    }
}

/* The double that a 32-bit number looks like: 0.1 for 0.1f. */
static double short_f32(float x)
{
    double power = 1;

    if (!(fabsf(x) < 1e7f) || fabsf(x) < 1e-5f)
        return x;
    for (int decimals = 0; decimals <= 9; decimals++, power *= 10) {
        const double y = rint((double)x * power) / power;
        if ((float)y == x)
            return y;
    }
    return x;
}

static void put_base64(writer *w, const uint8_t *s, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    PUT(w, "\"");
    if (!mtm_text_reserve(&w->out, n / 3 * 4 + 8))
        return;
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t v =
            (uint32_t)s[i] << 16 | (i + 1 < n ? (uint32_t)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0);
        const char four[4] = {digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=',
                              i + 2 < n ? digits[v & 63] : '='};
        put(w, four, 4);
    }
    PUT(w, "\"");
}

/* A new line of the level, where lines are wanted. */
static void put_line(writer *w, int level)
{
    if (w->opt->indent <= 0)
        return;
    PUT(w, "\n");
    for (int i = 0; i < level * w->opt->indent; i++)
        PUT(w, " ");
}

static void put_comma(writer *w)
{
    if (w->opt->indent > 0)
        PUT(w, ", ");
    else
        PUT(w, ",");
}

static void put_key(writer *w, const char *s, size_t n)
{
    PUT(w, "\"");
    put(w, s, n);
    if (w->opt->indent > 0)
        PUT(w, "\": ");
    else
        PUT(w, "\":");
}
#define KEY(w, literal) put_key((w), (literal), sizeof(literal) - 1)

/* ---- single values ------------------------------------------------------------------------------------ */

typedef struct decimal {
    const char *whole, *fraction, *exponent; /* exponent: with its sign */
    size_t n_whole, n_fraction, n_exponent;
    bool negative;
} decimal;

static size_t digits_at(const char *s, size_t n)
{
    size_t k = 0;

    while (k < n && s[k] >= '0' && s[k] <= '9')
        k++;
    return k;
}

/* [sign] digits [. digits] [E [sign] digits], as PS3.5 6.2 has DS and IS. */
static bool decimal_parse(decimal *x, const char *s, size_t n)
{
    size_t at = 0;

    *x = (decimal){0};
    if (at < n && (s[at] == '+' || s[at] == '-'))
        x->negative = s[at++] == '-';
    x->whole = s + at, x->n_whole = digits_at(s + at, n - at);
    at += x->n_whole;
    if (at < n && s[at] == '.') {
        x->fraction = s + at + 1, x->n_fraction = digits_at(s + at + 1, n - at - 1);
        at += 1 + x->n_fraction;
    }
    if (x->n_whole + x->n_fraction == 0)
        return false;
    if (at < n && (s[at] == 'e' || s[at] == 'E')) {
        const size_t sign = at + 1 < n && (s[at + 1] == '+' || s[at + 1] == '-');
        const size_t k = digits_at(s + at + 1 + sign, n - at - 1 - sign);
        if (!k)
            return false;
        x->exponent = s + at + 1, x->n_exponent = sign + k;
        at += 1 + x->n_exponent;
    }
    return at == n;
}

/* Text numbers keep their digits; only what JSON forbids ('+', leading zeros, a bare point) goes. What is no number stays a text. */
static void put_decimal(writer *w, const char *s, size_t n)
{
    decimal x;

    if (!decimal_parse(&x, s, n)) {
        put_string(w, s, n);
        return;
    }
    while (x.n_whole > 1 && *x.whole == '0')
        x.whole++, x.n_whole--;
    if (x.negative)
        PUT(w, "-");
    if (x.n_whole)
        put(w, x.whole, x.n_whole);
    else
        PUT(w, "0");
    if (x.n_fraction) {
        PUT(w, ".");
        put(w, x.fraction, x.n_fraction);
    }
    if (x.n_exponent) {
        PUT(w, "E");
        put(w, x.exponent, x.n_exponent);
    }
}

/* Alphabetic, ideographic and phonetic groups (PS3.18 F.2.2). */
static void put_name(writer *w, const char *s, size_t n)
{
    static const char *const groups[] = {"Alphabetic", "Ideographic", "Phonetic"};
    bool first = true;

    PUT(w, "{");
    for (int i = 0; i < 3 && s; i++) {
        const char *const end = n ? memchr(s, '=', n) : NULL;
        const size_t size = end ? (size_t)(end - s) : n;

        if (!first)
            put_comma(w);
        put_key(w, groups[i], strlen(groups[i]));
        put_string(w, s, size);
        first = false;
        n -= end ? size + 1 : size;
        s = end ? end + 1 : NULL;
    }
    PUT(w, "}");
}

static void put_text_value(writer *w, const dcm_vr *vr, const char *s, size_t n)
{
    if (n == 0)
        PUT(w, "null");
    else if (vr->kind == DCM_KIND_DECIMAL || vr->kind == DCM_KIND_INTEGER)
        put_decimal(w, s, n);
    else if (vr->kind == DCM_KIND_NAME && !w->opt->keywords)
        put_name(w, s, n);
    else
        put_string(w, s, n);
}

static uint64_t load(const uint8_t *p, int size, bool big_endian)
{
    uint64_t x = 0;

    for (int i = 0; i < size; i++)
        x |= (uint64_t)p[big_endian ? size - 1 - i : i] << 8 * i;
    return x;
}

static void put_binary_value(writer *w, const dcm_vr *vr, const uint8_t *p, bool big_endian)
{
    const uint64_t bits = load(p, vr->size, big_endian);

    if (vr->is_float && vr->size == 8) {
        double x;
        memcpy(&x, &bits, 8);
        put_f64(w, x);
    } else if (vr->is_float) {
        const uint32_t half = (uint32_t)bits;
        float x;
        memcpy(&x, &half, 4);
        put_f64(w, w->opt->keywords ? short_f32(x) : (double)x);
    } else if (vr->is_signed) {
        const int unused = 64 - 8 * vr->size;
        put_i64(w, (int64_t)(bits << unused) >> unused);
    } else {
        put_u64(w, bits);
    }
}

/* ---- elements ----------------------------------------------------------------------------------------- */

/* "file:" and the path as a URI, or what the caller said; then where the value lies. */
static void put_uri(writer *w, const mtm_dicom_element *e, uint64_t length_bytes)
{
    PUT(w, "\"");
    if (w->opt->bulk_uri) {
        put(w, w->opt->bulk_uri, strlen(w->opt->bulk_uri));
    } else {
        PUT(w, "file:");
        for (const char *p = mtm_dicom_path(w->d); *p; p++) {
            const unsigned char c = (unsigned char)*p;
            const char code[3] = {'%', hex[c >> 4], hex[c & 15]};
            if (c > ' ' && c < 0x7F && !strchr("\"#%<>?[\\]^`{|}", c))
                put(w, p, 1);
            else
                put(w, code, 3);
        }
    }
    if (e->offset_bytes >= 0) {
        PUT(w, "?offset=");
        put_i64(w, e->offset_bytes);
        PUT(w, "&length=");
        put_u64(w, length_bytes);
    }
    PUT(w, "\"");
}

/* Words in little endian order (PS3.18 F.2.7). */
static mtm_status put_words(writer *w, const mtm_dicom_element *e, const dcm_vr *vr, const uint8_t *value)
{
    const size_t n = (size_t)e->length_bytes, size = vr->size;

    if (!(e->flags & MTM_DICOM_BIG_ENDIAN) || size < 2) {
        put_base64(w, value, n);
        return MTM_OK;
    }
    MTM_AUTO_MEM uint8_t *s = mtm_alloc(n);
    if (!s)
        return MTM_NOMEM(w->err);
    memcpy(s, value, n);
    for (size_t i = 0; i + size <= n; i += size)
        for (size_t k = 0; k < size; k++)
            s[i + k] = value[i + size - 1 - k];
    put_base64(w, s, n);
    return MTM_OK;
}

static mtm_status put_bytes(writer *w, const mtm_dicom_element *e, const dcm_vr *vr)
{
    const uint64_t size = e->length_bytes;
    const uint64_t most = w->opt->inline_bytes || !w->opt->keywords
                              ? w->opt->inline_bytes
                              : 64; /* short ones are read at a glance */
    const bool here = !(e->flags & MTM_DICOM_ENCAPSULATED) && size <= most;
    const uint8_t *value = NULL;
    MTM_AUTO_MEM void *own = NULL;

    if (here)
        MTM_TRY(dcm_value_get(w->d, e, &value, &own, w->err));
    if (w->opt->keywords && !value) {
        PUT(w, "{");
        KEY(w, "bytes");
        put_u64(w, size);
        if (e->offset_bytes >= 0) {
            put_comma(w);
            KEY(w, "offset");
            put_i64(w, e->offset_bytes);
        }
        PUT(w, "}");
        return MTM_OK;
    }
    if (!w->opt->keywords) {
        put_comma(w);
        put_key(w, value ? "InlineBinary" : "BulkDataURI", value ? 12 : 11);
    }
    if (value)
        return put_words(w, e, vr, value);
    put_uri(w, e, size);
    return MTM_OK;
}

static bool is_text(const dcm_vr *vr)
{
    return vr->kind >= DCM_KIND_CODE && vr->kind <= DCM_KIND_INTEGER;
}

/* All values of an element that has some, with commas between. *n: how many. */
static mtm_status put_values(writer *w, const mtm_dicom_element *e, const dcm_vr *vr, const dcm_charset *cs,
                             const uint8_t *value, int64_t *n)
{
    const bool big_endian = e->flags & MTM_DICOM_BIG_ENDIAN;
    const char *s;
    size_t size;

    *n = 0;
    if (is_text(vr)) {
        MTM_TRY(
            dcm_text_get(&s, &size, &w->scratch, &w->dec, cs, vr, value, (size_t)e->length_bytes, w->err));
        for (dcm_split t = dcm_split_over(s, size, vr); dcm_split_next(&t, &s, &size); ++*n) {
            if (*n)
                put_comma(w);
            put_text_value(w, vr, s, size);
        }
        return MTM_OK;
    }
    const uint64_t step = vr->kind == DCM_KIND_TAG ? 4 : vr->size;
    for (uint64_t at = 0; at + step <= e->length_bytes; at += step, ++*n) {
        if (*n)
            put_comma(w);
        if (vr->kind == DCM_KIND_BINARY) {
            put_binary_value(w, vr, value + at, big_endian);
            continue;
        }
        PUT(w, "\"");
        put_tag(w, (uint32_t)(load(value + at, 2, big_endian) << 16 | load(value + at + 2, 2, big_endian)));
        PUT(w, "\"");
    }
    return MTM_OK;
}

/* Text, numbers and tags. In the model: , "Value": […], nothing where there is none; by keyword: a value, a list, or null. */
static mtm_status put_value(writer *w, const mtm_dicom_element *e, const dcm_vr *vr, const dcm_charset *cs)
{
    const size_t before = w->out.n;
    const uint8_t *value;
    int64_t n = 0;
    MTM_AUTO_MEM void *own = NULL;

    MTM_TRY(dcm_value_get(w->d, e, &value, &own, w->err));
    if (!w->opt->keywords) {
        put_comma(w);
        KEY(w, "Value");
    }
    PUT(w, "[");
    const size_t list = w->out.n;
    if (value)
        MTM_TRY(put_values(w, e, vr, cs, value, &n));
    if (w->out.failed)
        return MTM_NOMEM(w->err);
    if (n == 0) {
        w->out.n = before;
        if (w->opt->keywords)
            PUT(w, "null");
    } else if (n == 1 && w->opt->keywords) { /* without its bracket */
        memmove(w->out.s + list - 1, w->out.s + list, w->out.n - list);
        w->out.n--;
    } else {
        PUT(w, "]");
    }
    return MTM_OK;
}

static mtm_status put_level(writer *w, const mtm_dicom_element *item, const dcm_charset *cs, int level);

/* The items of a sequence as a list of objects. */
static mtm_status put_items(writer *w, const mtm_dicom_element *e, const dcm_charset *cs, int level)
{
    const int32_t at = dcm_index(w->d, e), end = dcm_next(w->d, at);

    PUT(w, "[");
    for (int32_t i = at + 1; i < end; i = dcm_next(w->d, i)) {
        dcm_charset inside = *cs;

        if (i > at + 1)
            PUT(w, ",");
        put_line(w, level + 1);
        dcm_charset_in(&inside, w->d, &w->d->elements[i]);
        MTM_TRY(put_level(w, &w->d->elements[i], &inside, level + 1));
    }
    if (end > at + 1)
        put_line(w, level);
    PUT(w, "]");
    return MTM_OK;
}

static void put_element_key(writer *w, const mtm_dicom_element *e)
{
    const mtm_dicom_entry *const entry =
        w->opt->keywords && !(e->tag >> 16 & 1) ? mtm_dicom_entry_by_tag(e->tag) : NULL;

    /* Members of repeating groups but the first, and group lengths, have no keyword of their own. */
    if (entry && entry->tag == e->tag && *entry->keyword && (e->tag & 0xFFFF)) {
        put_key(w, entry->keyword, strlen(entry->keyword));
        return;
    }
    char s[8];
    for (int i = 0; i < 8; i++)
        s[i] = hex[e->tag >> (28 - 4 * i) & 15];
    put_key(w, s, 8);
}

static mtm_status put_element(writer *w, const mtm_dicom_element *e, const dcm_charset *cs, int level)
{
    const bool sequence = (e->flags & MTM_DICOM_SEQUENCE) || !strcmp(e->vr, "SQ");
    const dcm_vr *const vr = dcm_vr_find(sequence ? "SQ" : e->vr);
    const bool empty = !e->length_bytes && !e->inside;

    put_element_key(w, e);
    if (!w->opt->keywords) {
        PUT(w, "{");
        KEY(w, "vr");
        put_string(w, vr->name, 2);
    }
    if (sequence) {
        if (!w->opt->keywords) {
            put_comma(w);
            KEY(w, "Value");
        }
        MTM_TRY(put_items(w, e, cs, level));
    } else if (vr->kind != DCM_KIND_BYTES) {
        MTM_TRY(put_value(w, e, vr, cs));
    } else if (!empty) {
        MTM_TRY(put_bytes(w, e, vr));
    } else if (w->opt->keywords) {
        PUT(w, "null");
    }
    if (!w->opt->keywords)
        PUT(w, "}");
    return w->out.failed ? MTM_NOMEM(w->err) : MTM_OK;
}

static bool left_out(const writer *w, const mtm_dicom_element *e)
{
    const uint32_t group = e->tag >> 16;

    if (group == 2 && !w->opt->meta)
        return true;
    if (w->opt->skip_pixels &&
        (e->tag == DCM_PIXELS || e->tag == DCM_FLOAT_PIXELS || e->tag == DCM_DOUBLE_PIXELS))
        return true;
    /* Group lengths say nothing about the patient, the image or the study, and are retired. */
    return w->opt->keywords && (e->tag & 0xFFFF) == 0;
}

/* The elements of an item, or (NULL) of the top level, as an object. */
static mtm_status put_level(writer *w, const mtm_dicom_element *item, const dcm_charset *cs, int level)
{
    const int32_t at = item ? dcm_index(w->d, item) : -1, end = item ? dcm_next(w->d, at) : w->d->n;
    bool first = true;

    PUT(w, "{");
    for (int32_t i = at + 1; i < end; i = dcm_next(w->d, i)) {
        const mtm_dicom_element *const e = &w->d->elements[i];

        if (left_out(w, e))
            continue;
        if (!first)
            PUT(w, ",");
        first = false;
        put_line(w, level + 1);
        MTM_TRY(put_element(w, e, cs, level + 1));
    }
    if (!first)
        put_line(w, level);
    PUT(w, "}");
    return MTM_OK;
}

mtm_status mtm_dicom_to_json(char **out, size_t *size_bytes, const mtm_dicom *d,
                             const mtm_dicom_json_options *opt, mtm_error *err)
{
    static const mtm_dicom_json_options standard = {.struct_size = sizeof standard};
    writer w = {.d = d, .opt = opt ? opt : &standard, .err = err};
    dcm_charset cs = {0};

    if (w.opt->struct_size != sizeof *opt)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_json_options.struct_size is %u instead of %zu",
                        (unsigned)w.opt->struct_size, sizeof *opt);
    dcm_charset_in(&cs, d, NULL);
    mtm_text_reserve(&w.out, 64 + 64 * (size_t)d->n);
    mtm_status rc = put_level(&w, NULL, &cs, 0);
    dcm_decoder_close(&w.dec);
    mtm_text_drop(&w.scratch);
    const size_t n = w.out.n;
    if (rc)
        mtm_text_drop(&w.out);
    else
        rc = mtm_text_take(&w.out, out, err);
    if (rc == MTM_OK && size_bytes)
        *size_bytes = n;
    return rc;
}
