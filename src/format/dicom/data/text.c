/* format/dicom/data/text.c: text values in UTF-8: which character set holds, padding, single values.
 * SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

/* ---- which character set ------------------------------------------------------------------------------ */

void dcm_charset_in(dcm_charset *cs, const mtm_dicom *d, const mtm_dicom_element *item)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, item, DCM_CHARACTER_SET);

    if (e && e->value)
        (void)dcm_charset_parse(cs, e->value, e->length_bytes);
    else if (e)
        *cs = (dcm_charset){0};
}

void dcm_charset_at(dcm_charset *cs, const mtm_dicom *d, const mtm_dicom_element *e)
{
    int32_t item = e->parent;

    /* The nearest enclosing item that has one; parents alternate between sequences and items. */
    while (item >= 0) {
        if (d->elements[item].tag == DCM_ITEM && mtm_dicom_find(d, &d->elements[item], DCM_CHARACTER_SET))
            break;
        item = d->elements[item].parent;
    }
    *cs = (dcm_charset){0};
    dcm_charset_in(cs, d, item < 0 ? NULL : &d->elements[item]);
}

void dcm_charset_warn(mtm_dicom *d)
{
    dcm_charset cs;

    for (int32_t i = 0; i < d->n; i++) {
        const mtm_dicom_element *const e = &d->elements[i];

        if (e->tag != DCM_CHARACTER_SET || !e->value)
            continue;
        const unsigned found = dcm_charset_parse(&cs, e->value, e->length_bytes);
        if (found & DCM_CHARSET_UNKNOWN)
            dcm_warn(d,
                     "(0008,0005) at byte %" PRId64
                     " names a character set that is not known: the default is used",
                     e->offset_bytes);
        if (found & DCM_CHARSET_MISSPELT)
            dcm_warn(d,
                     "(0008,0005) at byte %" PRId64
                     " has a character set's name that the standard writes otherwise",
                     e->offset_bytes);
        if (found & DCM_CHARSET_ALONE)
            dcm_warn(d, "(0008,0005) at byte %" PRId64 " joins a character set that stands alone with others",
                     e->offset_bytes);
    }
}

/* ---- values ------------------------------------------------------------------------------------------- */

mtm_status dcm_value_get(const mtm_dicom *d, const mtm_dicom_element *e, const uint8_t **value, void **own,
                         mtm_error *err)
{
    *own = NULL, *value = e->value;
    if (e->value || !(e->flags & MTM_DICOM_BULK) || !e->length_bytes)
        return MTM_OK;
    if (e->length_bytes > d->limits.max_bytes)
        return mtm_fail(err, MTM_E_LIMIT, e->offset_bytes,
                        "a value of %" PRIu64 " bytes is more than the limit of %" PRIu64, e->length_bytes,
                        d->limits.max_bytes);
    uint8_t *const p = mtm_alloc((size_t)e->length_bytes);
    if (!p)
        return MTM_NOMEM(err);
    *value = p, *own = p;
    const mtm_status rc = mtm_dicom_value_read(d, e, 0, p, (size_t)e->length_bytes, err);
    if (rc) {
        mtm_free(p);
        *value = NULL, *own = NULL;
    }
    return rc;
}

mtm_status dcm_text_get(const char **s, size_t *n, mtm_text *scratch, dcm_decoder *dec, const dcm_charset *cs,
                        const dcm_vr *vr, const uint8_t *value, size_t size_bytes, mtm_error *err)
{
    static const dcm_charset standard = {0};
    const bool by_charset = vr->kind == DCM_KIND_TEXT || vr->kind == DCM_KIND_NAME;
    const unsigned resets =
        (vr->single ? 0 : DCM_RESET_VALUES) | (vr->kind == DCM_KIND_NAME ? DCM_RESET_NAMES : 0);

    while (size_bytes > 0 && (value[size_bytes - 1] == ' ' || value[size_bytes - 1] == '\0'))
        size_bytes--;
    *s = (const char *)value, *n = size_bytes;
    if (dcm_is_ascii(value, size_bytes))
        return MTM_OK;
    scratch->n = 0;
    MTM_TRY(dcm_decode(scratch, dec, by_charset ? cs : &standard, value, size_bytes, resets, err));
    *s = scratch->s, *n = scratch->n;
    return MTM_OK;
}

bool dcm_split_next(dcm_split *t, const char **s, size_t *n)
{
    if (!t->s)
        return false;
    const char *const end = t->vr->single || !t->n ? NULL : memchr(t->s, '\\', t->n);

    *s = t->s, *n = end ? (size_t)(end - t->s) : t->n;
    t->n -= end ? *n + 1 : t->n;
    t->s = end ? end + 1 : NULL;
    while (*n > 0 && (*s)[*n - 1] == ' ')
        --*n;
    while (t->vr->kind == DCM_KIND_NAME && *n > 0 && (*s)[*n - 1] == '=')
        --*n; /* groups that are not there (PS3.5 6.2.1.1) */
    while (t->vr->leading && *n > 0 && **s == ' ')
        ++*s, --*n;
    return true;
}

mtm_status mtm_dicom_text(char **out, const mtm_dicom *d, const mtm_dicom_element *e, mtm_error *err)
{
    const dcm_vr *const vr = dcm_vr_find(e->vr);
    mtm_text text = {0}, scratch = {0};
    dcm_decoder dec = {0};
    dcm_charset cs = {0};
    const uint8_t *value;
    const char *s = NULL;
    size_t n = 0;
    MTM_AUTO_MEM void *own = NULL;

    MTM_TRY(dcm_value_get(d, e, &value, &own, err));
    if (vr->kind == DCM_KIND_TEXT || vr->kind == DCM_KIND_NAME)
        dcm_charset_at(&cs, d, e);
    const mtm_status rc =
        value ? dcm_text_get(&s, &n, &scratch, &dec, &cs, vr, value, e->length_bytes, err) : MTM_OK;
    dcm_decoder_close(&dec);
    dcm_split values = dcm_split_over(s, n, vr);
    bool first = true;
    while (rc == MTM_OK && dcm_split_next(&values, &s, &n)) {
        if (!first)
            mtm_text_put(&text, "\\", 1);
        mtm_text_put(&text, s, n);
        first = false;
    }
    mtm_text_drop(&scratch);
    return rc ? rc : mtm_text_take(&text, out, err);
}
