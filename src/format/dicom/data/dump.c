/* format/dicom/data/dump.c: a data set for people, one line per element.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "text.h"

enum { WIDTH = 110, KEYWORD_WIDTH = 36, FEW_BYTES = 16 };

typedef struct dump {
    const mtm_dicom *d;
    mtm_text out, scratch;
    dcm_decoder dec;
    size_t width, line; /* line: where it begins in out */
    mtm_error *err;
} dump;

/* Characters of the line so far. */
static size_t column(const dump *u)
{
    size_t n = 0;

    for (size_t i = u->line; i < u->out.n; i++)
        n += ((unsigned char)u->out.s[i] & 0xC0) != 0x80;
    return n;
}

/* s [n] as far as the line has room for it; control characters (C1 too, which UTF-8 writes as C2 80 … C2 9F) as blanks. False: it was cut. */
static bool put_cut(dump *u, const char *s, size_t n)
{
    size_t at = column(u);

    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        const bool first = (c & 0xC0) != 0x80;

        if (first && at + 1 >= u->width && i + 1 < n) {
            mtm_text_put(&u->out, "…", sizeof "…" - 1);
            return false;
        }
        if (c == 0xC2 && i + 1 < n && (unsigned char)s[i + 1] < 0xA0)
            i++, mtm_text_put(&u->out, " ", 1);
        else
            mtm_text_put(&u->out, c < 0x20 || c == 0x7F ? " " : s + i, 1);
        at += first;
    }
    return true;
}

static bool put_plain(dump *u, const char *s)
{
    return put_cut(u, s, strlen(s));
}

static void put_uid_name(dump *u, const char *s, size_t n)
{
    char uid[68] = "", name[256];

    if (n < sizeof uid)
        memcpy(uid, s, n);
    const mtm_dicom_uid *const known = *uid ? mtm_dicom_uid_find(uid) : NULL;
    if (known && snprintf(name, sizeof name, " (%s)", known->name) > 0)
        put_plain(u, name);
}

static mtm_status put_texts(dump *u, const mtm_dicom_element *e, const dcm_vr *vr, const dcm_charset *cs,
                            const uint8_t *value)
{
    bool first = true, room = true;
    const char *s;
    size_t n;

    MTM_TRY(dcm_text_get(&s, &n, &u->scratch, &u->dec, cs, vr, value, (size_t)e->length_bytes, u->err));
    for (dcm_split t = dcm_split_over(s, n, vr); room && dcm_split_next(&t, &s, &n); first = false) {
        room = (first || put_plain(u, " \\ ")) && put_cut(u, s, n);
        if (room && !strcmp(vr->name, "UI"))
            put_uid_name(u, s, n);
    }
    return MTM_OK;
}

/* UV: above 2^63 − 1 too, which mtm_dicom_i64 does not have. */
static bool u64_get(const mtm_dicom *d, const mtm_dicom_element *e, int64_t i, int64_t *bits)
{
    uint8_t b[8];
    uint64_t x = 0;

    if (mtm_dicom_value_read(d, e, (uint64_t)i * 8, b, 8, NULL))
        return false;
    for (int k = 0; k < 8; k++)
        x |= (uint64_t)b[e->flags & MTM_DICOM_BIG_ENDIAN ? 7 - k : k] << 8 * k;
    *bits = (int64_t)x;
    return true;
}

static void put_numbers(dump *u, const mtm_dicom_element *e, const dcm_vr *vr)
{
    const int64_t count = mtm_dicom_value_count(u->d, e);
    char s[48];

    for (int64_t i = 0; i < count; i++) {
        int64_t x = 0;
        double f = 0;

        if (vr->is_float && mtm_dicom_f64(u->d, e, i, &f))
            snprintf(s, sizeof s, vr->size == 4 ? "%.7g" : "%.15g", f);
        else if (vr->size == 8 && !vr->is_signed && u64_get(u->d, e, i, &x))
            snprintf(s, sizeof s, "%" PRIu64, (uint64_t)x);
        else if (!mtm_dicom_i64(u->d, e, i, &x))
            snprintf(s, sizeof s, "?");
        else if (vr->kind == DCM_KIND_TAG)
            snprintf(s, sizeof s, "(%04X,%04X)", (unsigned)(x >> 16 & 0xFFFF), (unsigned)(x & 0xFFFF));
        else
            snprintf(s, sizeof s, "%" PRId64, x);
        if (column(u) + strlen(s) + 24 > u->width && i + 1 < count) {
            snprintf(s, sizeof s, "… (%" PRId64 " values)", count);
            mtm_text_put(&u->out, s, strlen(s));
            return;
        }
        mtm_text_put(&u->out, s, strlen(s));
        if (i + 1 < count)
            mtm_text_put(&u->out, ", ", 2);
    }
}

static void put_bytes(dump *u, const mtm_dicom_element *e)
{
    char s[64] = "";

    if (e->flags & MTM_DICOM_ENCAPSULATED) {
        snprintf(s, sizeof s, "%" PRIu64 " bytes in fragments", e->length_bytes);
    } else if (e->value && e->length_bytes <= FEW_BYTES) {
        for (uint64_t i = 0; i < e->length_bytes; i++)
            snprintf(s + 3 * i, sizeof s - 3 * (size_t)i, "%02X ", e->value[i]);
    } else if (e->length_bytes) {
        snprintf(s, sizeof s, "%" PRIu64 " bytes", e->length_bytes);
    }
    put_plain(u, s);
}

/* "[CREATOR]" of a private element (PS3.5 7.8.1), cut to the column. */
static void private_name(const dump *u, const mtm_dicom_element *e, char name[KEYWORD_WIDTH])
{
    const mtm_dicom_element *const item = e->parent < 0 ? NULL : &u->d->elements[e->parent];
    const uint32_t block = e->tag >> 8 & 0xFF;
    char creator[KEYWORD_WIDTH - 12] = "";

    if (block == 0 || (e->tag & 0xFFFF) < 0x1000)
        (void)snprintf(name, KEYWORD_WIDTH, "%s",
                       (e->tag & 0xFFFF) < 0x10 ? "(private)" : "(private creator)");
    else if (mtm_dicom_ascii(u->d, mtm_dicom_find(u->d, item, (e->tag & 0xFFFF0000u) | block), 0, creator,
                             sizeof creator) ||
             *creator)
        (void)snprintf(name, KEYWORD_WIDTH, "[%s]", creator);
    else
        (void)snprintf(name, KEYWORD_WIDTH, "(private)");
    for (char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7E)
            *p = '?';
}

/* "(0010,0010) PN PatientName …"; private elements are named by their creator. */
static void put_head(dump *u, const mtm_dicom_element *e, const char *vr, int indent)
{
    const mtm_dicom_entry *const entry = mtm_dicom_entry_by_tag(e->tag);
    const char *name = entry ? entry->keyword : "(unknown)";
    char s[256], own[KEYWORD_WIDTH];

    if (e->tag >> 16 & 1) {
        private_name(u, e, own);
        name = own;
    }
    snprintf(s, sizeof s, "%*s(%04X,%04X) %s %-*s ", 2 * indent, "", (unsigned)(e->tag >> 16),
             (unsigned)(e->tag & 0xFFFF), vr, indent < 8 ? KEYWORD_WIDTH - 2 * indent : KEYWORD_WIDTH - 16,
             name);
    mtm_text_put(&u->out, s, strlen(s));
}

static mtm_status put_level(dump *u, int32_t at, int32_t end, const dcm_charset *cs, int indent);

static mtm_status put_items(dump *u, const mtm_dicom_element *e, const dcm_charset *cs, int indent)
{
    const int32_t at = dcm_index(u->d, e), end = dcm_next(u->d, at);
    int n = 0;

    for (int32_t i = at + 1; i < end; i = dcm_next(u->d, i), n++) {
        dcm_charset inside = *cs;

        mtm_text_add(&u->out, "%*s[%d]\n", 2 * indent + 1, "", n);
        dcm_charset_in(&inside, u->d, &u->d->elements[i]);
        MTM_TRY(put_level(u, i + 1, dcm_next(u->d, i), &inside, indent + 1));
    }
    return MTM_OK;
}

static mtm_status put_element(dump *u, const mtm_dicom_element *e, const dcm_charset *cs, int indent)
{
    const bool sequence = (e->flags & MTM_DICOM_SEQUENCE) || !strcmp(e->vr, "SQ");
    const dcm_vr *const vr = dcm_vr_find(sequence ? "SQ" : e->vr);
    const uint8_t *value = NULL;
    MTM_AUTO_MEM void *own = NULL;

    u->line = u->out.n;
    put_head(u, e, vr->name, indent);
    if (sequence) {
        const int32_t n = mtm_dicom_item_count(u->d, e);
        mtm_text_add(&u->out, "%d item%s\n", (int)n, n == 1 ? "" : "s");
        return put_items(u, e, cs, indent);
    }
    if (vr->kind == DCM_KIND_BYTES) {
        put_bytes(u, e);
    } else if (vr->kind == DCM_KIND_BINARY || vr->kind == DCM_KIND_TAG) {
        put_numbers(u, e, vr);
    } else {
        MTM_TRY(dcm_value_get(u->d, e, &value, &own, u->err));
        if (value)
            MTM_TRY(put_texts(u, e, vr, cs, value));
    }
    while (u->out.n > u->line && u->out.s[u->out.n - 1] == ' ')
        u->out.n--;
    mtm_text_put(&u->out, "\n", 1);
    return MTM_OK;
}

static mtm_status put_level(dump *u, int32_t at, int32_t end, const dcm_charset *cs, int indent)
{
    for (int32_t i = at; i < end; i = dcm_next(u->d, i)) {
        MTM_TRY(put_element(u, &u->d->elements[i], cs, indent));
        if (u->out.failed)
            return MTM_NOMEM(u->err);
    }
    return MTM_OK;
}

mtm_status mtm_dicom_dump(char **out, const mtm_dicom *d, const mtm_dicom_dump_options *opt, mtm_error *err)
{
    const mtm_dicom_element *const item = opt ? opt->item : NULL;
    const int32_t at = item ? dcm_index(d, item) : -1, end = item ? dcm_next(d, at) : d->n;
    dump u = {.d = d, .width = opt && opt->width > 0 ? (size_t)opt->width : WIDTH, .err = err};
    dcm_charset cs = {0};

    if (opt && opt->struct_size != sizeof *opt)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_dump_options.struct_size is %u instead of %zu",
                        (unsigned)opt->struct_size, sizeof *opt);
    if (item)
        dcm_charset_at(&cs, d, item);
    dcm_charset_in(&cs, d, item);
    const mtm_status rc = put_level(&u, at + 1, end, &cs, 0);
    dcm_decoder_close(&u.dec);
    mtm_text_drop(&u.scratch);
    if (rc) {
        mtm_text_drop(&u.out);
        return rc;
    }
    return mtm_text_take(&u.out, out, err);
}
