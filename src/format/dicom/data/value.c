/* format/dicom/data/value.c: values of elements as numbers, codes and bytes (PS3.5 6.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/size.h"
#include "base/text.h"
#include "parse.h"
#include "text.h"

/* ---- what a VR holds ---------------------------------------------------------------------------------- */

typedef enum hold { /* what stands in a value */
                    BYTES,
                    TEXT,  /* one value */
                    TEXTS, /* values between backslashes */
                    TEXT_NUMBERS,
                    TAGS,
                    U16,
                    I16,
                    U32,
                    I32,
                    U64,
                    I64,
                    F32,
                    F64
} hold;

static const uint8_t hold_bytes[] = {1, 1, 1, 1, 4, 2, 2, 4, 4, 8, 8, 4, 8};

#define VR(a, b) ((a) << 8 | (b))

static hold hold_of(const char vr[4])
{
    switch (VR((uint8_t)vr[0], (uint8_t)vr[1])) {
    case VR('A', 'E'):
    case VR('A', 'S'):
    case VR('C', 'S'):
    case VR('D', 'A'):
    case VR('D', 'T'):
    case VR('L', 'O'):
    case VR('P', 'N'):
    case VR('S', 'H'):
    case VR('T', 'M'):
    case VR('U', 'C'):
    case VR('U', 'I'): return TEXTS;
    case VR('L', 'T'):
    case VR('S', 'T'):
    case VR('U', 'R'):
    case VR('U', 'T'): return TEXT;
    case VR('D', 'S'):
    case VR('I', 'S'): return TEXT_NUMBERS;
    case VR('A', 'T'): return TAGS;
    case VR('U', 'S'):
    case VR('O', 'W'): return U16;
    case VR('S', 'S'): return I16;
    case VR('U', 'L'):
    case VR('O', 'L'): return U32;
    case VR('S', 'L'): return I32;
    case VR('U', 'V'):
    case VR('O', 'V'): return U64;
    case VR('S', 'V'): return I64;
    case VR('F', 'L'):
    case VR('O', 'F'): return F32;
    case VR('F', 'D'):
    case VR('O', 'D'): return F64;
    default: return BYTES;
    }
}

/* ---- bytes -------------------------------------------------------------------------------------------- */

mtm_status mtm_dicom_value_read(const mtm_dicom *d, const mtm_dicom_element *e, uint64_t from_bytes,
                                void *dst, size_t size_bytes, mtm_error *err)
{
    const mtm_dicom *const holder = d->from && d->from[dcm_index(d, e)] ? d->from[dcm_index(d, e)] : d;
    const bool is_meta = e->tag >> 16 == 2 && e->depth == 0;
    uint64_t at;

    if (from_bytes > e->length_bytes || size_bytes > e->length_bytes - from_bytes)
        return mtm_fail(err, MTM_E_INVAL, e->offset_bytes,
                        "%zu bytes from byte %" PRIu64 " wanted of a value of %" PRIu64, size_bytes,
                        from_bytes, e->length_bytes);
    if (size_bytes == 0)
        return MTM_OK;
    if (e->value) {
        memcpy(dst, e->value + from_bytes, size_bytes);
        return MTM_OK;
    }
    if (e->offset_bytes < 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "(%04X,%04X) of a new data set has no bytes of its own",
                        e->tag >> 16, e->tag & 0xFFFF);
    at = (uint64_t)e->offset_bytes + from_bytes;
    if (!holder->inflated || is_meta)
        return mtm_error_where(err, mtm_source_read(holder->source, at, dst, size_bytes, err), holder->path);
    memcpy(dst, holder->inflated + at, size_bytes);
    return MTM_OK;
}

/* Bytes of a value, where they are or copied into `room`; NULL: cannot be read. */
static const uint8_t *peek(const mtm_dicom *d, const mtm_dicom_element *e, uint64_t from, size_t n,
                           uint8_t *room)
{
    if (from > e->length_bytes || n > e->length_bytes - from)
        return NULL;
    if (e->value)
        return e->value + from;
    return mtm_dicom_value_read(d, e, from, room, n, NULL) ? NULL : room;
}

/* ---- text --------------------------------------------------------------------------------------------- */

typedef struct span {
    const char *s;
    size_t n;
} span;

static bool is_pad(char c)
{
    return c == ' ' || c == 0;
}

/* Value i of n bytes; one: backslashes are no separators. */
static bool span_of(const char *s, size_t n, bool one, int64_t i, span *out)
{
    const char *const end = s + n;

    if (one && i > 0)
        return false;
    for (;;) {
        const char *const stop = one ? NULL : memchr(s, '\\', (size_t)(end - s));

        if (i-- == 0) {
            *out = (span){s, (size_t)((stop ? stop : end) - s)};
            break;
        }
        if (!stop)
            return false;
        s = stop + 1;
    }
    while (out->n > 0 && is_pad(out->s[out->n - 1]))
        out->n--;
    return true;
}

static void blanks_skip(span *t)
{
    while (t->n > 0 && is_pad(*t->s))
        t->s++, t->n--;
}

/* The whole of a text value; *copy is freed by the caller. */
static const char *text_get(const mtm_dicom *d, const mtm_dicom_element *e, void **copy)
{
    if (e->value)
        return (const char *)e->value;
    if (e->length_bytes > d->limits.max_header_bytes)
        return NULL;
    *copy = mtm_alloc((size_t)e->length_bytes);
    if (!*copy || mtm_dicom_value_read(d, e, 0, *copy, (size_t)e->length_bytes, NULL))
        return NULL;
    return *copy;
}

/* A decimal number and nothing else; blanks around it, and "+5" or "1." are tolerated. */
static bool number_parse(span t, double *out)
{
    size_t used, digits;

    blanks_skip(&t);
    if (t.n == 0)
        return false;
    digits = *t.s == '+' || *t.s == '-';
    if (digits >= t.n || !((t.s[digits] >= '0' && t.s[digits] <= '9') || t.s[digits] == '.'))
        return false; /* "nan", "inf" */
    if (*t.s == '+')
        t.s++, t.n--;
    return mtm_text_f64(t.s, t.n, out, &used) && used == t.n;
}

static bool text_number(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, double *out)
{
    MTM_AUTO_MEM void *copy = NULL;
    const char *const s = text_get(d, e, &copy);
    span t;

    return s && span_of(s, (size_t)e->length_bytes, false, i, &t) && number_parse(t, out);
}

bool mtm_dicom_ascii(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, char *buf, size_t room)
{
    MTM_AUTO_MEM void *copy = NULL;
    const char *s;
    hold h;
    span t;

    if (room > 0)
        *buf = 0;
    if (!e || room == 0 || e->length_bytes == 0 || i < 0 || e->flags & (MTM_DICOM_SEQUENCE | MTM_DICOM_ITEM))
        return false;
    h = hold_of(e->vr);
    if (h > TEXT_NUMBERS || (h == BYTES && memcmp(e->vr, "UN", 2) != 0))
        return false;
    s = text_get(d, e, &copy);
    if (!s || !span_of(s, (size_t)e->length_bytes, h == TEXT, i, &t))
        return false;
    if (h != TEXT)
        blanks_skip(&t);
    t.n = strnlen(t.s, t.n); /* a zero in the midst ends it, as it would end buf */
    if (t.n == 0)
        return false;
    memcpy(buf, t.s, t.n < room ? t.n : room - 1);
    buf[t.n < room ? t.n : room - 1] = 0;
    return t.n < room;
}

/* A '\\' may be a byte of a character where there are others than ASCII's (GB18030, ISO 2022): counted in UTF-8. */
static int64_t text_count(const mtm_dicom *d, const mtm_dicom_element *e, const char *s)
{
    MTM_AUTO_MEM char *text = NULL;
    const char *end = s + e->length_bytes;
    int64_t n = 1;

    if (!dcm_is_ascii((const uint8_t *)s, (size_t)e->length_bytes) && !mtm_dicom_text(&text, d, e, NULL))
        s = text, end = s + strlen(s);
    for (; (s = memchr(s, '\\', (size_t)(end - s))); s++)
        n++;
    return n;
}

/* ---- numbers ------------------------------------------------------------------------------------------ */

int64_t mtm_dicom_value_count(const mtm_dicom *d, const mtm_dicom_element *e)
{
    MTM_AUTO_MEM void *copy = NULL;
    const char *s;
    hold h;

    if (!e || e->flags & MTM_DICOM_ITEM)
        return 0;
    if (e->flags & MTM_DICOM_SEQUENCE)
        return mtm_dicom_item_count(d, e);
    h = hold_of(e->vr);
    if (h == TEXT)
        return e->length_bytes > 0;
    if (h != TEXTS && h != TEXT_NUMBERS)
        return (int64_t)(e->length_bytes / hold_bytes[h]);
    s = e->length_bytes ? text_get(d, e, &copy) : NULL;
    return s ? text_count(d, e, s) : 0;
}

static bool whole(double x, int64_t *out)
{
    if (!(fabs(x) < 9223372036854775808.0) || x != trunc(x))
        return false;
    *out = (int64_t)x;
    return true;
}

/* Number i of a binary value: an integer, or *is_real. False: unsigned and beyond int64. */
static bool binary_number(const uint8_t *b, hold h, bool big, int64_t *i, double *x, bool *is_real)
{
    const uint64_t u64 = hold_bytes[h] == 8 ? dcm_u64(b, big) : 0;
    const uint32_t u32 = hold_bytes[h] == 4 ? dcm_u32(b, big) : 0;
    const uint16_t u16 = hold_bytes[h] == 2 ? dcm_u16(b, big) : 0;
    float f;

    *is_real = h == F32 || h == F64;
    switch (h) {
    case TAGS: *i = dcm_tag_at(b, big); break;
    case U16: *i = u16; break;
    case I16: *i = (int16_t)u16; break;
    case U32: *i = u32; break;
    case I32: *i = (int32_t)u32; break;
    case U64: *i = (int64_t)u64, *x = (double)u64; return u64 <= INT64_MAX;
    case I64: *i = (int64_t)u64; break;
    case F32:
        memcpy(&f, &u32, sizeof f);
        *x = (double)f;
        return true;
    case F64: memcpy(x, &u64, sizeof *x); return true;
    default: *i = *b; break;
    }
    *x = (double)*i;
    return true;
}

/* Either form of number i. *fits: *out_i holds it. */
static bool number_get(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, int64_t *out_i,
                       double *out_x, bool *fits)
{
    uint8_t room[8];
    const uint8_t *b;
    bool is_real;
    hold h;

    if (!e || i < 0 || e->length_bytes == 0 || e->flags & (MTM_DICOM_SEQUENCE | MTM_DICOM_ITEM))
        return false;
    h = hold_of(e->vr);
    if (h == TEXT || h == TEXTS)
        return false;
    if (h == TEXT_NUMBERS) {
        if (!text_number(d, e, i, out_x))
            return false;
        *fits = whole(*out_x, out_i);
        return true;
    }
    if ((uint64_t)i >= e->length_bytes / hold_bytes[h])
        return false;
    b = peek(d, e, (uint64_t)i * hold_bytes[h], hold_bytes[h], room);
    if (!b)
        return false;
    *fits = binary_number(b, h, e->flags & MTM_DICOM_BIG_ENDIAN, out_i, out_x, &is_real);
    if (is_real)
        *fits = whole(*out_x, out_i);
    return true;
}

bool mtm_dicom_i64(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, int64_t *out)
{
    int64_t got;
    double x;
    bool fits;

    if (!number_get(d, e, i, &got, &x, &fits) || !fits)
        return false;
    *out = got;
    return true;
}

bool mtm_dicom_f64(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, double *out)
{
    int64_t whole_part;
    double x;
    bool fits;

    if (!number_get(d, e, i, &whole_part, &x, &fits))
        return false;
    *out = x;
    return true;
}

/* All text numbers in one pass. */
static void text_numbers(const char *s, size_t n, double *out)
{
    const char *const end = s + n;

    for (;; out++) {
        const char *const stop = memchr(s, '\\', (size_t)(end - s));
        span t;

        span_of(s, (size_t)((stop ? stop : end) - s), true, 0, &t);
        if (!number_parse(t, out))
            *out = (double)NAN;
        if (!stop)
            return;
        s = stop + 1;
    }
}

mtm_status dcm_numbers(const mtm_dicom *d, const mtm_dicom_element *e, double **out, int64_t *n,
                       mtm_error *err)
{
    const hold h = hold_of(e->vr);
    const bool big = e->flags & MTM_DICOM_BIG_ENDIAN;
    MTM_AUTO_MEM uint8_t *copy = NULL;
    MTM_AUTO_MEM double *numbers = NULL;
    const uint8_t *bytes = e->value;
    const int64_t count = mtm_dicom_value_count(d, e);

    if (h == TEXT || h == TEXTS || e->flags & (MTM_DICOM_SEQUENCE | MTM_DICOM_ITEM))
        return mtm_fail(err, MTM_E_INVAL, e->offset_bytes, "(%04X,%04X) has no numbers", e->tag >> 16,
                        e->tag & 0xFFFF);
    if (e->length_bytes > d->limits.max_bytes / sizeof *numbers)
        return mtm_fail(err, MTM_E_LIMIT, e->offset_bytes, "a value of %" PRIu64 " bytes is over max_bytes",
                        e->length_bytes);
    if (!bytes && e->length_bytes > 0) {
        bytes = copy = mtm_alloc((size_t)e->length_bytes);
        if (!copy)
            return MTM_NOMEM(err);
        MTM_TRY(mtm_dicom_value_read(d, e, 0, copy, (size_t)e->length_bytes, err));
    }
    numbers = mtm_alloc((size_t)count * sizeof *numbers);
    if (!numbers)
        return MTM_NOMEM(err);
    if (h == TEXT_NUMBERS && count > 0)
        text_numbers((const char *)bytes, (size_t)e->length_bytes, numbers);
    for (int64_t i = 0; h != TEXT_NUMBERS && i < count; i++) {
        int64_t whole_part;
        bool is_real;

        binary_number(bytes + i * hold_bytes[h], h, big, &whole_part, &numbers[i], &is_real);
    }
    *out = numbers;
    numbers = NULL;
    *n = count;
    return MTM_OK;
}

/* ---- straight to the value ---------------------------------------------------------------------------- */

int64_t dcm_i64(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, int64_t fallback)
{
    mtm_dicom_i64(d, mtm_dicom_find(d, item, tag), 0, &fallback);
    return fallback;
}

double dcm_f64(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, double fallback)
{
    mtm_dicom_f64(d, mtm_dicom_find(d, item, tag), 0, &fallback);
    return fallback;
}

bool dcm_f64s(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, double *out, int n)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, item, tag);

    for (int i = 0; i < n; i++)
        if (!mtm_dicom_f64(d, e, i, &out[i]) || !isfinite(out[i]))
            return false;
    return mtm_dicom_value_count(d, e) == n;
}

bool dcm_ascii(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, char *buf, size_t room)
{
    return mtm_dicom_ascii(d, mtm_dicom_find(d, item, tag), 0, buf, room);
}
