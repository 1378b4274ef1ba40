/* format/dicom/data/lookup.c: elements by tag, items by number, and paths.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "dataset.h"

/* ---- by tag and number -------------------------------------------------------------------------------- */

/* Tags that do not ascend: every line of the level, and of two the last, as an overwriting reader has it. */
static const mtm_dicom_element *find_linear(const mtm_dicom *d, int32_t low, int32_t high, uint32_t tag)
{
    const mtm_dicom_element *found = NULL;

    for (int32_t i = low; i < high; i = dcm_next(d, i))
        if (d->elements[i].tag == tag)
            found = &d->elements[i];
    return found;
}

const mtm_dicom_element *mtm_dicom_find(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag)
{
    const int32_t parent = item ? dcm_index(d, item) : -1;
    int32_t low = parent + 1, high = item ? parent + 1 + item->inside : d->n;

    if (item && !(item->flags & MTM_DICOM_ITEM))
        return NULL;
    if (d->unsorted)
        return find_linear(d, low, high, tag);
    /* Lines in the middle belong to some element of this level: its tag decides. */
    while (low < high) {
        int32_t i = low + (high - low) / 2;

        while (d->elements[i].parent != parent)
            i = d->elements[i].parent;
        if (d->elements[i].tag == tag)
            return &d->elements[i];
        if (d->elements[i].tag < tag)
            low = dcm_next(d, i);
        else
            high = i;
    }
    return NULL;
}

int32_t mtm_dicom_item_count(const mtm_dicom *d, const mtm_dicom_element *sequence)
{
    int32_t n = 0;

    if (!sequence || !(sequence->flags & MTM_DICOM_SEQUENCE))
        return 0;
    for (int32_t i = dcm_index(d, sequence) + 1, end = dcm_next(d, i - 1); i < end; i = dcm_next(d, i))
        n++;
    return n;
}

const mtm_dicom_element *mtm_dicom_item(const mtm_dicom *d, const mtm_dicom_element *sequence, int32_t i)
{
    int32_t at, end;

    if (!sequence || !(sequence->flags & MTM_DICOM_SEQUENCE) || i < 0)
        return NULL;
    at = dcm_index(d, sequence) + 1;
    end = dcm_next(d, at - 1);
    while (at < end && i-- > 0)
        at = dcm_next(d, at);
    return at < end ? &d->elements[at] : NULL;
}

const mtm_dicom_element *dcm_first_item(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag)
{
    return mtm_dicom_item(d, mtm_dicom_find(d, item, tag), 0);
}

/* ---- paths -------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly n hexadecimal digits. */
static bool hex_take(const char **s, int n, uint32_t *out)
{
    uint32_t x = 0;

    for (int i = 0; i < n; i++) {
        const int digit = hex_digit((*s)[i]);

        if (digit < 0)
            return false;
        x = x << 4 | (uint32_t)digit;
    }
    *s += n;
    *out = x;
    return true;
}

static mtm_status malformed(const char *path, const char *at, const char *why, mtm_error *err)
{
    return mtm_fail(err, MTM_E_INVAL, -1, "path '%s', character %d: %s", path, (int)(at - path) + 1, why);
}

/* The tag of element `low` in the block that `creator` has reserved in `group` (PS3.5 7.8.1); 0: none has. */
static uint32_t private_tag(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t group,
                            const char *creator, size_t n, uint32_t low)
{
    for (uint32_t block = 0x10; block <= 0xFF; block++) {
        const mtm_dicom_element *const e = mtm_dicom_find(d, item, DCM_TAG(group, block));
        char name[72];

        if (e && mtm_dicom_ascii(d, e, 0, name, sizeof name) && strlen(name) == n &&
            !memcmp(name, creator, n))
            return DCM_TAG(group, block << 8 | low);
    }
    return 0;
}

/* "(gggg,eeee)" or "(gggg,[creator]ee)", behind its parenthesis. */
static mtm_status tag_in_parentheses(const char **s, const char *path, const mtm_dicom *d,
                                     const mtm_dicom_element *item, uint32_t *tag, mtm_error *err)
{
    const char *p = *s, *creator, *end;
    uint32_t group, element;

    if (!hex_take(&p, 4, &group) || *p++ != ',')
        return malformed(path, p, "a tag is written (gggg,eeee)", err);
    if (*p != '[') {
        if (!hex_take(&p, 4, &element) || *p != ')')
            return malformed(path, p, "a tag is written (gggg,eeee)", err);
        *tag = DCM_TAG(group, element);
        *s = p + 1;
        return MTM_OK;
    }
    creator = p + 1;
    end = strchr(creator, ']');
    if (!end || !(group & 1))
        return malformed(path, p, "a private tag is written (gggg,[creator]ee) and has an odd group", err);
    p = end + 1;
    if (!hex_take(&p, 2, &element) || *p != ')')
        return malformed(path, p, "a private tag is written (gggg,[creator]ee)", err);
    *tag = private_tag(d, item, group, creator, (size_t)(end - creator), element);
    *s = p + 1;
    if (*tag == 0)
        return mtm_fail(err, MTM_E_NOTFOUND, -1, "no block of group %04X is reserved by '%.*s'", group,
                        (int)(end - creator), creator);
    return MTM_OK;
}

/* A keyword, or eight digits. */
static mtm_status tag_in_word(const char **s, const char *path, uint32_t *tag, mtm_error *err)
{
    const char *const begin = *s;
    const size_t n = strcspn(begin, ".[");
    const mtm_dicom_entry *entry;
    const char *p = begin;
    char word[80];

    *s = begin + n;
    if (n == 8 && hex_take(&p, 8, tag))
        return MTM_OK;
    if (n == 0)
        return malformed(path, begin, "a keyword or tag is missing", err);
    snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : (int)sizeof word - 1, begin);
    entry = mtm_dicom_entry_by_keyword(word);
    if (!entry)
        return mtm_fail(err, MTM_E_INVAL, -1, "the dictionary has no keyword '%s'", word);
    *tag = entry->tag;
    return MTM_OK;
}

/* "[3]" behind a sequence. */
static mtm_status item_take(const char **s, const char *path, const mtm_dicom *d,
                            const mtm_dicom_element *sequence, const mtm_dicom_element **out, mtm_error *err)
{
    const char *p = *s + 1;
    int64_t i = 0;

    if (*p < '0' || *p > '9')
        return malformed(path, p, "an item's number was expected", err);
    for (; *p >= '0' && *p <= '9'; p++)
        i = i > INT32_MAX ? i : i * 10 + (*p - '0');
    if (*p != ']')
        return malformed(path, p, "']' was expected", err);
    *out = i > INT32_MAX ? NULL : mtm_dicom_item(d, sequence, (int32_t)i);
    if (!*out)
        return mtm_fail(err, MTM_E_NOTFOUND, -1, "path '%.*s': (%04X,%04X) has %" PRId32 " items",
                        (int)(p + 1 - path), path, sequence->tag >> 16, sequence->tag & 0xFFFF,
                        mtm_dicom_item_count(d, sequence));
    *s = p + 1;
    return MTM_OK;
}

mtm_status mtm_dicom_find_path(const mtm_dicom_element **out, const mtm_dicom *d, const char *path,
                               mtm_error *err)
{
    const mtm_dicom_element *item = NULL, *e;
    const char *s = path;

    for (;;) {
        uint32_t tag = 0;

        if (*s == '(') {
            s++;
            MTM_TRY(tag_in_parentheses(&s, path, d, item, &tag, err));
        } else {
            MTM_TRY(tag_in_word(&s, path, &tag, err));
        }
        e = mtm_dicom_find(d, item, tag);
        if (!e)
            return mtm_fail(err, MTM_E_NOTFOUND, -1, "path '%.*s': there is no (%04X,%04X)", (int)(s - path),
                            path, tag >> 16, tag & 0xFFFF);
        item = NULL;
        if (*s == '[') {
            MTM_TRY(item_take(&s, path, d, e, &item, err));
            e = item;
        }
        if (!*s) {
            *out = e;
            return MTM_OK;
        }
        if (*s != '.' || !item)
            return malformed(path, s, item ? "'.' was expected" : "only an item, like [0], has elements",
                             err);
        s++;
    }
}
