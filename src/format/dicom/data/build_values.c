/* format/dicom/data/build_values.c: values on their way into a data set under construction: each as its VR asks for it (PS3.5 6.2),
 * or refused with the tag, never with the value.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "build.h"

#define TAG_FMT     "(%04x,%04x)"
#define TAG_ARGS(t) (t) >> 16, (t) & 0xFFFF

enum { DS_MOST = 16 };

/* ---- which VR ----------------------------------------------------------------------------------------- */

/* PS3.5 7.8: (gggg,0010 … 00FF) of an odd group name creators. */
static bool is_private_creator(uint32_t tag)
{
    return tag >> 16 & 1 && (tag & 0xFFFF) >= 0x10 && (tag & 0xFFFF) <= 0xFF;
}

/* The given VR, else the dictionary's; of "US or SS", "OB or OW" the one that `is_signed`, or width, calls for. */
static mtm_status vr_of(const dcm_vr **out, uint32_t tag, const char *vr, bool is_signed, mtm_error *err)
{
    const mtm_dicom_entry *const entry = vr ? NULL : mtm_dicom_entry_by_tag(tag);
    char name[4] = "UN";

    if (vr)
        snprintf(name, sizeof name, "%.3s", vr);
    else if (is_private_creator(tag))
        snprintf(name, sizeof name, "LO");
    else if (entry && strstr(entry->vr, "US") && strstr(entry->vr, "SS"))
        snprintf(name, sizeof name, "%s", is_signed ? "SS" : "US");
    else if (entry && strstr(entry->vr, "OW"))
        snprintf(name, sizeof name, "OW");
    else if (entry)
        snprintf(name, sizeof name, "%.2s", entry->vr);
    *out = dcm_vr_exact(name);
    if (!*out)
        return mtm_fail(err, MTM_E_INVAL, -1, "\"%s\" for " TAG_FMT " is no value representation", name,
                        TAG_ARGS(tag));
    if ((*out)->kind == DCM_KIND_SEQUENCE)
        return mtm_fail(err, MTM_E_INVAL, -1, TAG_FMT " is a sequence; it holds items, not a value",
                        TAG_ARGS(tag));
    return MTM_OK;
}

/* ---- checks ------------------------------------------------------------------------------------------- */

/* Characters of a VR that has an alphabet of its own (PS3.5 table 6.2-1). */
static bool in_alphabet(const dcm_vr *vr, const char *s, size_t n)
{
    static const struct {
        const char vr[3], *set;
    } sets[] = {
        {"CS", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _"},
        {"DA", "0123456789"},
        {"DS", "0123456789+-Ee. "},
        {"IS", "0123456789+- "},
        {"TM", "0123456789. "},
        {"DT", "0123456789+-. "},
        {"AS", "0123456789DWMY"},
        {"UI", "0123456789."},
    };

    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        if (!strcmp(sets[k].vr, vr->name))
            for (size_t i = 0; i < n; i++)
                if (!memchr(sets[k].set, s[i], strlen(sets[k].set)))
                    return false;
    return true;
}

/* PS3.5 9.1: components without leading zeros, none of them empty. */
static bool is_uid(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const bool begins = i == 0 || s[i - 1] == '.';

        if (begins && (s[i] == '.' || (s[i] == '0' && i + 1 < n && s[i + 1] != '.')))
            return false;
    }
    return n == 0 || s[n - 1] != '.';
}

/* Characters of the longest part that the VR's limit counts: of a PN each component group. */
static int64_t longest(const dcm_vr *vr, const char *s, size_t n)
{
    const bool name = !strcmp(vr->name, "PN");
    int64_t most = 0;

    for (size_t from = 0, i = 0; i <= n; i++)
        if (i == n || (name && s[i] == '=')) {
            const int64_t chars = dcm_utf8_chars(s + from, i - from);

            if (chars < 0)
                return -1;
            most = chars > most ? chars : most;
            from = i + 1;
        }
    return most;
}

static mtm_status check_value(uint32_t tag, const dcm_vr *vr, const char *s, size_t n, mtm_error *err)
{
    const int64_t chars = longest(vr, s, n);

    if (chars < 0 || memchr(s, '\0', n))
        return mtm_fail(err, MTM_E_INVAL, -1, "the text for " TAG_FMT " is not UTF-8, or has a NUL inside",
                        TAG_ARGS(tag));
    if (vr->most_chars && chars > vr->most_chars)
        return mtm_fail(err, MTM_E_INVAL, -1, TAG_FMT " of VR %s holds %d characters, not %" PRId64,
                        TAG_ARGS(tag), vr->name, vr->most_chars, chars);
    if (!in_alphabet(vr, s, n) || (dcm_vr_is_ascii(vr) && !dcm_text_is_plain((const uint8_t *)s, n)))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the value for " TAG_FMT " has characters that VR %s does not allow", TAG_ARGS(tag),
                        vr->name);
    if (!strcmp(vr->name, "UI") && !is_uid(s, n))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the value for " TAG_FMT " is no UID: a component is empty or begins with 0",
                        TAG_ARGS(tag));
    return MTM_OK;
}

static mtm_status check(uint32_t tag, const dcm_vr *vr, const char *s, size_t n, mtm_error *err)
{
    if (dcm_vr_is_bytes(vr)) {
        if (n % dcm_vr_unit(vr))
            return mtm_fail(err, MTM_E_INVAL, -1, "%zu bytes for " TAG_FMT " are no whole numbers of VR %s",
                            n, TAG_ARGS(tag), vr->name);
    } else {
        for (size_t from = 0, i = 0; i <= n; i++)
            if (i == n || (!vr->single && s[i] == '\\')) {
                MTM_TRY(check_value(tag, vr, s + from, i - from, err));
                from = i + 1;
            }
    }
    if (n > (vr->long_form ? UINT32_MAX - 1 : UINT16_MAX - 1))
        return mtm_fail(err, MTM_E_INVAL, -1, "%zu bytes for " TAG_FMT " are more than VR %s holds", n,
                        TAG_ARGS(tag), vr->name);
    return MTM_OK;
}

/* ---- putting ------------------------------------------------------------------------------------------ */

/* `keep`: the value is copied. */
static mtm_status put(mtm_dicom_builder *b, uint32_t tag, const dcm_vr *vr, const void *value, size_t n,
                      bool keep, mtm_error *err)
{
    dcm_node *node;

    MTM_TRY(check(tag, vr, value ? value : "", n, err));
    MTM_TRY(dcm_node_add(b, tag, vr->name, &node, err));
    if (keep && n > 0) {
        uint8_t *const copy = dcm_arena_get(&b->d->arena, n);

        if (!copy)
            return MTM_NOMEM(err);
        memcpy(copy, value, n);
        value = copy;
    }
    node->value = n > 0 ? value : NULL;
    node->length_bytes = n;
    return MTM_OK;
}

mtm_status mtm_dicom_put(mtm_dicom_builder *b, uint32_t tag, const char *vr, const void *value,
                         size_t size_bytes, mtm_error *err)
{
    const dcm_vr *v;

    MTM_TRY(vr_of(&v, tag, vr, false, err));
    return put(b, tag, v, value, size_bytes, true, err);
}

mtm_status dcm_put_borrowed(mtm_dicom_builder *b, uint32_t tag, const char *vr, const void *value,
                            size_t size_bytes, mtm_error *err)
{
    const dcm_vr *v;

    MTM_TRY(vr_of(&v, tag, vr, false, err));
    return put(b, tag, v, value, size_bytes, false, err);
}

mtm_status mtm_dicom_put_text(mtm_dicom_builder *b, uint32_t tag, const char *vr, const char *text,
                              mtm_error *err)
{
    const dcm_vr *v;

    MTM_TRY(vr_of(&v, tag, vr, false, err));
    if (dcm_vr_is_bytes(v))
        return mtm_fail(err, MTM_E_INVAL, -1, TAG_FMT " of VR %s holds no text", TAG_ARGS(tag), v->name);
    return put(b, tag, v, text ? text : "", text ? strlen(text) : 0, true, err);
}

/* ---- numbers ------------------------------------------------------------------------------------------ */

/* x with `digits` places behind the point, or as many significant digits and an exponent without needless sign or zeros. */
static void number_text(double x, int digits, bool exponent, char s[512])
{
    char *e, *from;

    snprintf(s, 512, exponent ? "%.*e" : "%.*f", digits, x);
    for (char *p = s; *p; p++)
        if (*p == ',')
            *p = '.'; /* a decimal comma of the locale */
    e = strchr(s, 'e');
    if (!e)
        return;
    from = e + 1;
    e += *from == '-' ? 2 : 1;
    while (*from == '+' || *from == '-' || (*from == '0' && from[1]))
        from++;
    memmove(e, from, strlen(from) + 1);
}

/* A decimal text of at most 16 characters that reads back as x, the shortest, without an exponent where numbers are of common size;
 * where none does, the nearest that fits (PS3.5 6.2, DS). */
static void ds_text(double x, char out[DS_MOST + 1])
{
    const bool common = x == 0 || (fabs(x) >= 1e-5 && fabs(x) < 1e15);
    double nearest = INFINITY, back;
    char s[512];

    snprintf(out, DS_MOST + 1, "0");
    for (int exponent = !common; exponent < 2; exponent++)
        for (int digits = 0; digits <= 17; digits++) {
            number_text(x, digits, exponent, s);
            if (strlen(s) > DS_MOST || !mtm_text_f64(s, strlen(s), &back, NULL) || fabs(back - x) >= nearest)
                continue;
            nearest = fabs(back - x);
            memcpy(out, s, strlen(s) + 1);
            if (back == x)
                return;
        }
}

double dcm_ds_nearest(double x)
{
    char s[DS_MOST + 1];
    double back = x;

    ds_text(x, s);
    mtm_text_f64(s, strlen(s), &back, NULL);
    return back;
}

static bool holds_integer(const dcm_vr *vr, int64_t v)
{
    const bool is_signed = vr->name[0] == 'S';
    const int bits = 8 * dcm_vr_unit(vr);

    if (!strcmp(vr->name, "AT"))
        return v >= 0 && v <= UINT32_MAX;
    if (bits >= 64)
        return is_signed || v >= 0;
    if (is_signed)
        return v >= -(INT64_C(1) << (bits - 1)) && v < INT64_C(1) << (bits - 1);
    return v >= 0 && v < INT64_C(1) << bits;
}

/* Integers in binary, little endian; an AT is two 16-bit numbers, group first. */
static mtm_status put_binary(mtm_dicom_builder *b, uint32_t tag, const dcm_vr *vr, const int64_t *v,
                             int64_t n, mtm_error *err)
{
    const bool at = !strcmp(vr->name, "AT");
    const size_t width = at ? 4 : dcm_vr_unit(vr);
    MTM_AUTO_MEM uint8_t *bytes = mtm_alloc_zero((size_t)n + 1, width);

    if (!bytes)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < n; i++) {
        const uint64_t x = at ? (uint64_t)v[i] >> 16 | ((uint64_t)v[i] & 0xFFFF) << 16 : (uint64_t)v[i];

        if (!holds_integer(vr, v[i]))
            return mtm_fail(err, MTM_E_INVAL, -1, "number %" PRId64 " for " TAG_FMT " is beyond VR %s", i,
                            TAG_ARGS(tag), vr->name);
        for (size_t k = 0; k < width; k++)
            bytes[(size_t)i * width + k] = (uint8_t)(x >> 8 * k);
    }
    return put(b, tag, vr, bytes, (size_t)n * width, true, err);
}

mtm_status mtm_dicom_put_i64(mtm_dicom_builder *b, uint32_t tag, const char *vr, const int64_t *v, int64_t n,
                             mtm_error *err)
{
    MTM_AUTO_MEM char *s = NULL;
    bool is_signed = false;
    mtm_text t = {0};
    const dcm_vr *r;

    for (int64_t i = 0; i < n; i++)
        is_signed = is_signed || v[i] < 0;
    MTM_TRY(vr_of(&r, tag, vr, is_signed, err));
    if (dcm_vr_is_bytes(r) && !r->is_float)
        return put_binary(b, tag, r, v, n, err);
    if (r->is_float || !strcmp(r->name, "DS")) {
        MTM_AUTO_MEM double *f = mtm_alloc_zero((size_t)n + 1, sizeof *f);

        if (!f)
            return MTM_NOMEM(err);
        for (int64_t i = 0; i < n; i++)
            f[i] = (double)v[i];
        return mtm_dicom_put_f64(b, tag, r->name, f, n, err);
    }
    if (strcmp(r->name, "IS"))
        return mtm_fail(err, MTM_E_INVAL, -1, TAG_FMT " of VR %s holds no integers", TAG_ARGS(tag), r->name);
    for (int64_t i = 0; i < n; i++) {
        if (v[i] < INT32_MIN || v[i] > INT32_MAX) {
            mtm_text_drop(&t);
            return mtm_fail(err, MTM_E_INVAL, -1, "number %" PRId64 " for " TAG_FMT " is beyond VR IS", i,
                            TAG_ARGS(tag));
        }
        mtm_text_add(&t, "%s%" PRId64, i ? "\\" : "", v[i]);
    }
    MTM_TRY(mtm_text_take(&t, &s, err));
    return put(b, tag, r, s, strlen(s), true, err);
}

static mtm_status put_ds(mtm_dicom_builder *b, uint32_t tag, const dcm_vr *vr, const double *v, int64_t n,
                         mtm_error *err)
{
    MTM_AUTO_MEM char *s = NULL;
    char number[DS_MOST + 1];
    mtm_text t = {0};

    for (int64_t i = 0; i < n; i++) {
        ds_text(v[i], number);
        mtm_text_add(&t, "%s%s", i ? "\\" : "", number);
    }
    MTM_TRY(mtm_text_take(&t, &s, err));
    return put(b, tag, vr, s, strlen(s), true, err);
}

mtm_status mtm_dicom_put_f64(mtm_dicom_builder *b, uint32_t tag, const char *vr, const double *v, int64_t n,
                             mtm_error *err)
{
    MTM_AUTO_MEM uint8_t *bytes = mtm_alloc_zero((size_t)n + 1, 8);
    const dcm_vr *r;

    if (!bytes)
        return MTM_NOMEM(err);
    MTM_TRY(vr_of(&r, tag, vr, false, err));
    for (int64_t i = 0; i < n; i++) {
        const float f = (float)v[i];

        if (!isfinite(v[i]) && !r->is_float)
            return mtm_fail(err, MTM_E_INVAL, -1, "number %" PRId64 " for " TAG_FMT " is not finite", i,
                            TAG_ARGS(tag));
        if (dcm_vr_unit(r) == 4)
            memcpy(bytes + 4 * i, &f, 4);
        else
            memcpy(bytes + 8 * i, &v[i], 8);
    }
    if (!strcmp(r->name, "DS"))
        return put_ds(b, tag, r, v, n, err);
    if (!r->is_float)
        return mtm_fail(err, MTM_E_INVAL, -1, TAG_FMT " of VR %s holds no fractions", TAG_ARGS(tag), r->name);
    return put(b, tag, r, bytes, (size_t)n * dcm_vr_unit(r), true, err);
}
