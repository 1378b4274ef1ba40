/* format/dicom/data/build.c: data sets made from parts: the builder's levels, copies of other data sets' elements, and the table
 * that comes of it all. An element is a node in the order it was given; sorting, and which of two wins, waits for mtm_dicom_build.
 * SPDX-License-Identifier: Apache-2.0 */
#include "build.h"

#include <stdio.h>

enum { REFER_FROM_BYTES = 1 << 16 /* longer values of another data set are not copied */ };

mtm_status mtm_dicom_builder_new(mtm_dicom_builder **out, mtm_error *err)
{
    mtm_dicom_builder *const b = mtm_alloc_zero(1, sizeof *b);

    *out = NULL;
    if (!b)
        return MTM_NOMEM(err);
    *out = b;
    return MTM_OK;
}

static void empty(mtm_dicom_builder *b)
{
    mtm_free(b->nodes);
    mtm_dicom_close(b->d);
    *b = (mtm_dicom_builder){0};
}

void mtm_dicom_builder_free(mtm_dicom_builder *b)
{
    if (!b)
        return;
    empty(b);
    mtm_free(b);
}

/* ---- levels ------------------------------------------------------------------------------------------- */

static mtm_status reserve(mtm_dicom_builder *b, mtm_error *err)
{
    const int32_t room = b->room ? b->room * 2 : 64;
    const mtm_limits limits = mtm_limits_default();
    dcm_node *nodes;

    if (!b->d)
        MTM_TRY(dcm_new(&b->d, "", &limits, err));
    if (b->n < b->room)
        return MTM_OK;
    if (b->room > INT32_MAX / 2)
        return mtm_fail(err, MTM_E_LIMIT, -1, "a data set of more than %d elements", b->room);
    nodes = mtm_realloc(b->nodes, (size_t)room * sizeof *nodes);
    if (!nodes)
        return MTM_NOMEM(err);
    b->nodes = nodes, b->room = room;
    if (b->n == 0)
        nodes[b->n++] = (dcm_node){.tag = DCM_ITEM, .offset_bytes = -1, .first = -1, .last = -1, .next = -1};
    return MTM_OK;
}

/* Under any parent: dcm_node_add, copies and items. */
static mtm_status append(mtm_dicom_builder *b, int32_t parent, uint32_t tag, const char *vr, int32_t *out,
                         mtm_error *err)
{
    dcm_node *node;

    MTM_TRY(reserve(b, err)); /* may make the root */
    MTM_TRY(reserve(b, err));
    *out = b->n++;
    node = &b->nodes[*out];
    *node = (dcm_node){.tag = tag, .offset_bytes = -1, .first = -1, .last = -1, .next = -1};
    memcpy(node->vr, vr, strnlen(vr, 2));
    if (b->nodes[parent].last < 0)
        b->nodes[parent].first = *out;
    else
        b->nodes[b->nodes[parent].last].next = *out;
    b->nodes[parent].last = *out;
    return MTM_OK;
}

/* Even depths of `open` are items. */
static bool in_item(const mtm_dicom_builder *b)
{
    return b->depth % 2 == 0;
}

mtm_status dcm_node_add(mtm_dicom_builder *b, uint32_t tag, const char *vr, dcm_node **out, mtm_error *err)
{
    int32_t i;

    if (!in_item(b))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "element (%04x,%04x) stands in a sequence, but in none of its items", tag >> 16,
                        tag & 0xFFFF);
    if (tag >> 16 == 0xFFFE)
        return mtm_fail(err, MTM_E_INVAL, -1, "(%04x,%04x) is a delimiter, not an element", tag >> 16,
                        tag & 0xFFFF);
    MTM_TRY(append(b, b->open[b->depth], tag, vr, &i, err));
    *out = &b->nodes[i];
    return MTM_OK;
}

mtm_status mtm_dicom_begin_sequence(mtm_dicom_builder *b, uint32_t tag, mtm_error *err)
{
    dcm_node *node = NULL;

    if (b->depth + 2 >= 2 * DCM_MOST_DEPTH)
        return mtm_fail(err, MTM_E_LIMIT, -1, "sequences more than %d deep", DCM_MOST_DEPTH);
    MTM_TRY(dcm_node_add(b, tag, "SQ", &node, err));
    node->flags = MTM_DICOM_SEQUENCE;
    b->open[++b->depth] = (int32_t)(node - b->nodes);
    return MTM_OK;
}

mtm_status mtm_dicom_begin_item(mtm_dicom_builder *b, mtm_error *err)
{
    int32_t i;

    if (in_item(b))
        return mtm_fail(err, MTM_E_INVAL, -1, "an item was begun outside a sequence");
    MTM_TRY(append(b, b->open[b->depth], DCM_ITEM, "", &i, err));
    b->nodes[i].flags = MTM_DICOM_ITEM;
    b->open[++b->depth] = i;
    return MTM_OK;
}

mtm_status mtm_dicom_end_item(mtm_dicom_builder *b, mtm_error *err)
{
    if (!in_item(b) || b->depth == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "an item was ended, but none is open");
    b->depth--;
    return MTM_OK;
}

mtm_status mtm_dicom_end_sequence(mtm_dicom_builder *b, mtm_error *err)
{
    if (in_item(b))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "a sequence was ended, but none is open, or one of its items still is");
    b->depth--;
    return MTM_OK;
}

mtm_status mtm_dicom_remove(mtm_dicom_builder *b, uint32_t tag, mtm_error *err)
{
    dcm_node *node = NULL;

    MTM_TRY(dcm_node_add(b, tag, "", &node, err));
    node->removed = true;
    return MTM_OK;
}

/* ---- copies ------------------------------------------------------------------------------------------- */

static bool is_pixels(uint32_t tag)
{
    return tag == DCM_PIXELS || tag == DCM_FLOAT_PIXELS || tag == DCM_DOUBLE_PIXELS;
}

/* One line of d as a node. Short values are copied; long ones and pixel data stay where they are. */
static mtm_status copy_line(mtm_dicom_builder *b, const mtm_dicom *d, int32_t line, int32_t parent,
                            int32_t *out, mtm_error *err)
{
    const mtm_dicom_element *const e = &d->elements[line];
    const mtm_dicom *const owner = d->from && d->from[line] ? d->from[line] : d;
    dcm_node *node;

    MTM_TRY(append(b, parent, e->tag, e->vr, out, err));
    node = &b->nodes[*out];
    node->flags = e->flags;
    node->length_bytes = e->length_bytes;
    node->copied = d, node->line = line;
    if (e->flags & MTM_DICOM_BULK || is_pixels(e->tag)) {
        node->offset_bytes = e->offset_bytes;
        node->from = owner;
        node->value = e->value;
    } else if (e->value && e->length_bytes > REFER_FROM_BYTES) {
        node->value = e->value;
    } else if (e->value && e->length_bytes > 0) {
        uint8_t *const value = dcm_arena_get(&b->d->arena, (size_t)e->length_bytes);

        if (!value)
            return MTM_NOMEM(err);
        memcpy(value, e->value, (size_t)e->length_bytes);
        node->value = value;
    }
    return MTM_OK;
}

/* Group lengths count bytes of the file they were in (PS3.5 7.2), so they do not travel. */
static bool is_group_length(const mtm_dicom_element *e)
{
    return (e->tag & 0xFFFF) == 0;
}

/* Lines line … line + inside, whose parents are found by depth. */
static mtm_status copy_tree(mtm_dicom_builder *b, const mtm_dicom *d, int32_t line, int32_t parent,
                            mtm_error *err)
{
    const int32_t end = line + 1 + d->elements[line].inside;
    int32_t at[2 * DCM_MOST_DEPTH + 4];
    const int base = d->elements[line].depth;

    for (int32_t i = line; i < end; i++) {
        const mtm_dicom_element *const e = &d->elements[i];
        const int level = e->depth - base;

        if (level + b->depth >= 2 * DCM_MOST_DEPTH + 2)
            return mtm_fail(err, MTM_E_LIMIT, -1, "sequences more than %d deep", DCM_MOST_DEPTH);
        if (is_group_length(e) && e->tag >> 16 != 0xFFFE && i > line)
            continue;
        MTM_TRY(copy_line(b, d, i, level == 0 ? parent : at[level - 1], &at[level], err));
    }
    return MTM_OK;
}

mtm_status mtm_dicom_copy(mtm_dicom_builder *b, const mtm_dicom *d, const mtm_dicom_element *e,
                          mtm_error *err)
{
    if ((e->tag == DCM_ITEM) == in_item(b))
        return mtm_fail(err, MTM_E_INVAL, -1, "(%04x,%04x) is copied to where %s stand", e->tag >> 16,
                        e->tag & 0xFFFF, in_item(b) ? "elements" : "items");
    return copy_tree(b, d, dcm_index(d, e), b->open[b->depth], err);
}

mtm_status dcm_copy_all(mtm_dicom_builder *b, const mtm_dicom *d, const mtm_dicom_element *item,
                        mtm_error *err)
{
    int32_t i = item ? dcm_index(d, item) + 1 : 0;
    const int32_t end = item ? i + item->inside : d->n;

    for (; i < end; i = dcm_next(d, i))
        if (!is_group_length(&d->elements[i]))
            MTM_TRY(mtm_dicom_copy(b, d, &d->elements[i], err));
    return MTM_OK;
}

/* ---- the table ---------------------------------------------------------------------------------------- */

typedef struct making {
    const mtm_dicom_builder *b;
    mtm_dicom *d;
    bool utf8;  /* all text becomes UTF-8 */
    bool unfit; /* some text does not fit the character set where it stands */
} making;

typedef struct child {
    uint32_t tag;
    int32_t node;
} child;

static int by_tag(const void *pa, const void *pb)
{
    const child *const a = pa, *const b = pb;

    return a->tag != b->tag ? (a->tag < b->tag ? -1 : 1) : a->node - b->node;
}

/* Children of an item sorted by tag, the last of each kept; of a sequence as they came. In new memory (mtm_free). */
static mtm_status children(const mtm_dicom_builder *b, int32_t parent, bool items, child **out, int32_t *n,
                           mtm_error *err)
{
    int32_t count = 0, kept = 0;
    child *c;

    for (int32_t i = b->nodes[parent].first; i >= 0; i = b->nodes[i].next)
        count++;
    c = mtm_alloc_zero((size_t)count + 1, sizeof *c);
    if (!c)
        return MTM_NOMEM(err);
    for (int32_t i = b->nodes[parent].first, k = 0; i >= 0; i = b->nodes[i].next)
        c[k++] = (child){b->nodes[i].tag, i};
    if (!items)
        qsort(c, (size_t)count, sizeof *c, by_tag);
    for (int32_t k = 0; k < count; k++) {
        const bool last = items || k + 1 == count || c[k + 1].tag != c[k].tag;

        if (last && !b->nodes[c[k].node].removed)
            c[kept++] = c[k];
    }
    *out = c, *n = kept;
    return MTM_OK;
}

/* The node's bytes as text of `charset`: as they are where that is what they are in already. */
static mtm_status place_text(making *m, const dcm_node *node, const char *charset, mtm_dicom_element *e,
                             mtm_error *err)
{
    MTM_AUTO_MEM char *utf8 = NULL;
    const uint8_t *bytes = NULL;
    char own[128];
    bool fits = true;
    size_t n;

    if (node->copied) {
        dcm_character_set_of(node->copied, &node->copied->elements[node->line], own, sizeof own);
        if (!strcmp(own, charset))
            return MTM_OK;
        MTM_TRY(mtm_dicom_text(&utf8, node->copied, &node->copied->elements[node->line], err));
    }
    n = utf8 ? strlen(utf8) : (size_t)node->length_bytes;
    MTM_TRY(dcm_text_encode(&m->d->arena, charset, utf8 ? utf8 : (const char *)node->value, n, &bytes,
                            &e->length_bytes, &fits, err));
    if (!fits)
        m->unfit = true;
    e->value = bytes;
    e->flags &= (uint16_t)~MTM_DICOM_BULK;
    e->offset_bytes = -1;
    return MTM_OK;
}

static bool wants_charset(const dcm_node *node)
{
    const dcm_vr *const vr = dcm_vr_exact(node->vr);

    return vr && dcm_vr_is_text(vr) && node->length_bytes > 0 &&
           (!node->value || !dcm_text_is_plain(node->value, node->length_bytes));
}

/* The character set of the elements of an item: its own, else the one around it. */
static void level_charset(const making *m, const child *c, int32_t n, const char *outer, char *buf,
                          size_t room)
{
    snprintf(buf, room, "%s", outer);
    if (m->utf8) {
        snprintf(buf, room, "ISO_IR 192");
        return;
    }
    for (int32_t k = 0; k < n; k++) {
        const dcm_node *const node = &m->b->nodes[c[k].node];
        size_t used = (size_t)node->length_bytes < room ? (size_t)node->length_bytes : room - 1;

        if (node->tag != DCM_CHARACTER_SET)
            continue;
        if (used)
            memcpy(buf, node->value, used);
        while (used > 0 && (buf[used - 1] == ' ' || buf[used - 1] == '\0'))
            used--;
        buf[used] = '\0';
    }
}

/* Adds the lines of one level. depth counts sequences and items; it is bounded by DCM_MOST_DEPTH. */
static mtm_status place(making *m, int32_t parent_node, int32_t parent_line, int depth, const char *outer,
                        mtm_error *err)
{
    const dcm_node *const nodes = m->b->nodes;
    const bool items = depth % 2 == 1;
    MTM_AUTO_MEM child *c = NULL;
    char charset[128];
    int32_t n = 0;

    MTM_TRY(children(m->b, parent_node, items, &c, &n, err));
    level_charset(m, c, items ? 0 : n, outer, charset, sizeof charset);
    for (int32_t k = 0; k < n; k++) {
        const dcm_node *const node = &nodes[c[k].node];
        const int32_t line = m->d->n;
        mtm_dicom_element *const e = &m->d->elements[line];

        if (m->utf8 && node->tag == DCM_CHARACTER_SET && depth > 0)
            continue;
        m->d->n++;
        *e = (mtm_dicom_element){.tag = node->tag,
                                 .flags = node->flags,
                                 .depth = (uint16_t)depth,
                                 .parent = parent_line,
                                 .length_bytes = node->length_bytes,
                                 .offset_bytes = node->offset_bytes,
                                 .value = node->value};
        memcpy(e->vr, node->vr, sizeof e->vr);
        m->d->from[line] = node->from;
        if (wants_charset(node))
            MTM_TRY(place_text(m, node, charset, e, err));
        if (node->first >= 0)
            MTM_TRY(place(m, c[k].node, line, depth + 1, charset, err));
        e->inside = m->d->n - 1 - line;
    }
    return MTM_OK;
}

/* What the data set will be written in: what (0002,0010) says, else what its pixel data is in. */
static void choose_syntax(mtm_dicom *d)
{
    const char *uid = "1.2.840.10008.1.2.1";

    for (int32_t i = 0; i < d->n; i = dcm_next(d, i))
        if (d->elements[i].tag == DCM_PIXELS && d->elements[i].flags & MTM_DICOM_ENCAPSULATED && d->from[i])
            uid = d->from[i]->transfer_syntax;
    snprintf(d->transfer_syntax, sizeof d->transfer_syntax, "%s", uid);
    for (int32_t i = 0; i < d->n; i = dcm_next(d, i))
        if (d->elements[i].tag == DCM_TRANSFER_SYNTAX && d->elements[i].length_bytes > 0)
            dcm_ascii(d, NULL, DCM_TRANSFER_SYNTAX, d->transfer_syntax, sizeof d->transfer_syntax);
}

static mtm_status make(making *m, mtm_error *err)
{
    m->d->n = 0;
    m->unfit = false;
    return place(m, 0, -1, 0, "", err);
}

mtm_status mtm_dicom_build(mtm_dicom **out, mtm_dicom_builder *b, mtm_error *err)
{
    making m = {.b = b};
    mtm_dicom *d;

    if (b->depth != 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "a sequence was left open");
    MTM_TRY(reserve(b, err));
    m.d = d = b->d;
    mtm_free(d->elements); /* of a build that failed */
    mtm_free(d->from);
    d->elements = mtm_alloc_zero((size_t)b->n + 2, sizeof *d->elements);
    d->from = mtm_alloc_zero((size_t)b->n + 2, sizeof *d->from);
    if (!d->elements || !d->from)
        return MTM_NOMEM(err);
    MTM_TRY(make(&m, err));
    if (m.unfit) { /* one set that holds everything (PS3.3 C.12.1.1.2) */
        MTM_TRY(mtm_dicom_put(b, DCM_CHARACTER_SET, "CS", "ISO_IR 192", 10, err));
        m.utf8 = true;
        MTM_TRY(make(&m, err));
    }
    choose_syntax(d);
    b->d = NULL;
    empty(b);
    *out = d;
    return MTM_OK;
}
