/* load/items.c: copying and checking items, naming them in errors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/items.h"

#include <stdio.h>

#include "base/size.h"

void mtm_items_clear(mtm_items *items)
{
    for (int64_t i = 0; items->uris && i < items->n * items->n_fields; i++) {
        for (int64_t k = 0; k < items->uris[i].n; k++)
            mtm_free(items->uris[i].at[k]);
        mtm_free(items->uris[i].at);
    }
    for (int32_t i = 0; items->names && i < items->n_fields; i++)
        mtm_free(items->names[i]);
    mtm_free(items->uris);
    mtm_free(items->names);
    mtm_free(items->fields);
    mtm_free(items->integral);
    mtm_free(items->at);
    *items = (mtm_items){0};
}

static bool is_picture(mtm_field_kind kind)
{
    return kind == MTM_FIELD_IMAGE || kind == MTM_FIELD_ARRAY;
}

static bool has_files(const mtm_field *f)
{
    bool whole = f->uri || (f->uris && f->n_uris > 0);

    for (int64_t i = 0; !f->uri && whole && i < f->n_uris; i++)
        whole = f->uris[i] != NULL;
    return whole;
}

const char *mtm_field_place(const mtm_field *f)
{
    return f->kind != MTM_FIELD_IMAGE ? f->name : f->uri ? f->uri : f->uris[0];
}

/* The item has the fields of the first one. */
static mtm_status check_item(const mtm_item *first, const mtm_item *item, int64_t number, mtm_error *err)
{
    if (item->n_fields != first->n_fields)
        return mtm_fail(err, MTM_E_INVAL, -1, "item %" PRId64 " has %d fields, the first item %d", number,
                        (int)item->n_fields, (int)first->n_fields);
    for (int32_t i = 0; i < item->n_fields; i++) {
        const mtm_field *const f = &item->fields[i], *const g = &first->fields[i];

        if (!f->name || (unsigned)f->kind > MTM_FIELD_OTHER)
            return mtm_fail(err, MTM_E_INVAL, -1, "field %d of item %" PRId64 " has no name or kind", (int)i,
                            number);
        if (strcmp(f->name, g->name) || (f->kind != g->kind && !(is_picture(f->kind) && is_picture(g->kind))))
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "field %d of item %" PRId64
                            " is '%s', but '%s' in the first item (or of another kind)",
                            (int)i, number, f->name, g->name);
        if (f->kind == MTM_FIELD_IMAGE && !has_files(f))
            return mtm_fail(err, MTM_E_INVAL, -1, "field '%s' of item %" PRId64 " has no file", f->name,
                            number);
        if (f->kind == MTM_FIELD_ARRAY && !f->array.data)
            return mtm_fail(err, MTM_E_INVAL, -1, "field '%s' of item %" PRId64 " has no array", f->name,
                            number);
    }
    return MTM_OK;
}

static mtm_status copy_uris(mtm_uri_list *to, const mtm_field *from, mtm_error *err)
{
    const int64_t n = from->uri ? 1 : from->n_uris;

    to->at = mtm_alloc_zero((size_t)n, sizeof *to->at);
    if (!to->at)
        return MTM_NOMEM(err);
    for (; to->n < n; to->n++) {
        to->at[to->n] = mtm_strdup(from->uri ? from->uri : from->uris[to->n]);
        if (!to->at[to->n])
            return MTM_NOMEM(err);
    }
    return MTM_OK;
}

static mtm_status copy_field(mtm_items *out, int64_t i, int32_t f, const mtm_field *from, mtm_error *err)
{
    const int64_t at = i * out->n_fields + f;

    out->fields[at] = *from;
    out->fields[at].name = out->names[f];
    out->integral[f] &= from->integer;
    if (from->kind != MTM_FIELD_IMAGE)
        return MTM_OK;
    MTM_TRY(copy_uris(&out->uris[at], from, err));
    if (from->uri)
        out->fields[at].uri = out->uris[at].at[0];
    else
        out->fields[at].uris = (const char *const *)out->uris[at].at;
    return MTM_OK;
}

static mtm_status copy_items(mtm_items *out, const mtm_item *items, mtm_error *err)
{
    for (int32_t f = 0; f < out->n_fields; f++) {
        out->names[f] = items->fields[f].name ? mtm_strdup(items->fields[f].name) : NULL;
        out->integral[f] = true;
        if (!out->names[f])
            return MTM_NOMEM(err);
    }
    for (int64_t i = 0; i < out->n; i++) {
        for (int32_t f = 0; f < out->n_fields; f++)
            MTM_TRY(copy_field(out, i, f, &items[i].fields[f], err));
        out->at[i] = (mtm_item){.fields = &out->fields[i * out->n_fields], .n_fields = out->n_fields};
    }
    return MTM_OK;
}

mtm_status mtm_items_copy(mtm_items *out, const mtm_item *items, int64_t n, mtm_error *err)
{
    mtm_items c = {.n = n, .n_fields = n ? items[0].n_fields : 0};
    uint64_t count;
    mtm_status st;

    if (n && (c.n_fields < 1 || !items[0].fields))
        return mtm_fail(err, MTM_E_INVAL, -1, "the first item has no fields");
    for (int64_t i = 0; i < n; i++)
        MTM_TRY(check_item(&items[0], &items[i], i, err));
    if (!mtm_mul_u64((uint64_t)n, (uint64_t)c.n_fields, &count) || count > SIZE_MAX / sizeof *c.fields)
        return mtm_fail(err, MTM_E_LIMIT, -1, "too many items");
    c.at = mtm_alloc_zero((size_t)n, sizeof *c.at);
    c.fields = mtm_alloc_zero((size_t)count, sizeof *c.fields);
    c.uris = mtm_alloc_zero((size_t)count, sizeof *c.uris);
    c.names = mtm_alloc_zero((size_t)c.n_fields, sizeof *c.names);
    c.integral = mtm_alloc_zero((size_t)c.n_fields, sizeof *c.integral);
    st = c.at && c.fields && c.uris && c.names && c.integral ? copy_items(&c, items, err) : MTM_NOMEM(err);
    if (st)
        mtm_items_clear(&c);
    else
        *out = c;
    return st;
}

static bool ends_with(const char *s, const char *tail, size_t n)
{
    const size_t length = strlen(s);

    return length >= n && !strcmp(s + length - n, tail);
}

static bool is_file_of(const char *where, const mtm_item *item)
{
    const char *const tail = strncmp(where, "...", 3) ? where : where + 3;
    const size_t n = strlen(tail);

    for (int32_t i = 0; n && i < item->n_fields; i++) {
        const mtm_field *const f = &item->fields[i];

        for (int64_t k = 0; f->kind == MTM_FIELD_IMAGE && k < (f->uri ? 1 : f->n_uris); k++)
            if (ends_with(f->uri ? f->uri : f->uris[k], tail, n))
                return true;
    }
    return false;
}

void mtm_items_blame(mtm_error *err, const mtm_item *item, int64_t number)
{
    mtm_error named = *err;
    char name[32];

    if (is_file_of(err->where, item))
        return;
    snprintf(name, sizeof name, "item %" PRId64, number);
    named.where[0] = '\0';
    if (err->where[0])
        snprintf(named.text, sizeof named.text, "%s: %.170s", err->where, err->text);
    for (int32_t i = 0; i < item->n_fields && !named.where[0]; i++)
        if (item->fields[i].kind == MTM_FIELD_IMAGE)
            mtm_error_where(&named, named.code, mtm_field_place(&item->fields[i]));
    mtm_error_where(&named, named.code, name);
    *err = named;
}
