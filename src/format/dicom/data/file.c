/* format/dicom/data/file.c: opening: preamble and file meta information (PS3.10 7), files that have none, the transfer
 * syntax.
 * SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"
#include "syntax.h"
#include "text.h"

enum { PREAMBLE_BYTES = 128, PREFIX_BYTES = 4, META_GROUP = 2, COMMAND_GROUP = 0, HEAD_BYTES = 1024 };

static const char IMPLICIT_LITTLE[] = "1.2.840.10008.1.2", EXPLICIT_LITTLE[] = "1.2.840.10008.1.2.1",
                  EXPLICIT_BIG[] = "1.2.840.10008.1.2.2";

/* ---- what kind of file -------------------------------------------------------------------------------- */

static bool has_prefix(const uint8_t *head, size_t n, size_t at)
{
    return n >= at + PREFIX_BYTES && !memcmp(head + at, "DICM", PREFIX_BYTES);
}

/* How the bytes at the start of a data set look that nothing announces. */
typedef struct guess {
    bool implicit, big_endian;
    bool
        plausible; /* a tag of the dictionary from the groups that data sets begin with, and a length that can be */
} guess;

static guess guess_at(const uint8_t *b, size_t n)
{
    const uint16_t last_first_group = 0x0010, longest = 1024;
    const mtm_dicom_entry *entry;
    uint32_t tag, length;
    guess g = {.implicit = true};

    if (n < 8)
        return g;
    if (dcm_vr_known(b + 4)) {
        g.implicit = false;
        /* Groups below 0100 read in the wrong order are 0400 and more. */
        g.big_endian = dcm_u16(b, false) >= 0x0400;
    }
    tag = dcm_tag_at(b, g.big_endian);
    entry = mtm_dicom_entry_by_tag(tag);
    length = g.implicit ? dcm_u32(b + 4, false) : dcm_u16(b + 6, g.big_endian);
    g.plausible = entry && tag >> 16 <= last_first_group && !(tag >> 16 & 1) && length <= longest &&
                  (tag & 0xFFFF || length == 4) && tag != 0x00000001;
    if (!g.implicit && entry)
        g.plausible = g.plausible && (entry->vr[0] == (char)b[4] || b[4] == 'U');
    /* Without a VR there is little to go by: text VRs are printable, and another known tag follows. */
    if (g.implicit && g.plausible && n >= 8 + (size_t)length + 4) {
        const uint32_t next = dcm_tag_at(b + 8 + length, false);

        g.plausible = next > tag && (mtm_dicom_entry_by_tag(next) || next >> 16 & 1);
    }
    return g;
}

bool dcm_detect(const uint8_t *head, size_t n)
{
    if (has_prefix(head, n, PREAMBLE_BYTES) || has_prefix(head, n, 0))
        return true;
    return guess_at(head, n).plausible;
}

/* ---- file meta information ---------------------------------------------------------------------------- */

/* The group of the next element, little endian; −1 at the end. */
static mtm_status next_group(dcm_parser *p, int32_t *group, mtm_error *err)
{
    const uint8_t *b;

    *group = -1;
    if (p->end - p->at < 8)
        return MTM_OK;
    MTM_TRY(dcm_input_get(p, p->at, 8, &b, err));
    *group = dcm_u16(b, false);
    return MTM_OK;
}

/* Elements of one group that stands before the data set in its own encoding. */
static mtm_status group_read(dcm_parser *p, int32_t group, bool implicit, mtm_error *err)
{
    int32_t next;

    MTM_TRY(next_group(p, &next, err));
    if (next != group)
        return MTM_OK;
    p->group = group;
    MTM_TRY(dcm_parse(p, implicit, false, err));
    p->group = DCM_ANY_GROUP;
    return MTM_OK;
}

/* (0002,0000) is only compared: writers get it wrong, and the group's end can be seen. */
static void meta_length_check(const dcm_parser *p)
{
    const mtm_dicom_element *const e = p->d->n > 0 ? p->d->elements : NULL;
    uint64_t stated, actual;

    if (!e || e->tag != 0x00020000 || !e->value || e->length_bytes != 4) {
        dcm_warn(p->d, "the file meta information has no group length");
        return;
    }
    stated = dcm_u32(e->value, false);
    actual = p->at - (uint64_t)e->offset_bytes - e->length_bytes;
    if (stated != actual)
        dcm_warn(p->d,
                 "the file meta information is %" PRIu64 " bytes long, not %" PRIu64
                 " as its group length says",
                 actual, stated);
}

/* Preamble, prefix, group 2. *is_part10: there is something of them. */
static mtm_status meta_read(dcm_parser *p, const uint8_t *head, size_t n, bool *is_part10, mtm_error *err)
{
    int32_t group;

    if (has_prefix(head, n, PREAMBLE_BYTES))
        p->at = PREAMBLE_BYTES + PREFIX_BYTES;
    else if (has_prefix(head, n, 0))
        p->at = PREFIX_BYTES;
    *is_part10 = p->at > 0;
    if (p->at == PREFIX_BYTES)
        dcm_warn(p->d, "the file has no preamble: its prefix stands at byte 0");
    MTM_TRY(next_group(p, &group, err));
    if (group != META_GROUP) {
        if (*is_part10)
            dcm_warn(p->d, "the file has no file meta information");
        return MTM_OK;
    }
    if (!*is_part10 && !guess_at(head, n).plausible)
        return MTM_OK;
    if (!*is_part10)
        dcm_warn(p->d,
                 "the file has neither preamble nor prefix: its file meta information stands at byte 0");
    *is_part10 = true;
    MTM_TRY(group_read(p, META_GROUP, false, err));
    meta_length_check(p);
    return MTM_OK;
}

/* ---- the data set ------------------------------------------------------------------------------------- */

/* From the file meta information, or by the first element's looks. */
static mtm_status syntax_decide(dcm_parser *p, const dcm_syntax **syntax, mtm_error *err)
{
    mtm_dicom *const d = p->d;
    const uint8_t *b = NULL;
    guess g;

    if (dcm_ascii(d, NULL, DCM_TRANSFER_SYNTAX, d->transfer_syntax, sizeof d->transfer_syntax) &&
        !d->transfer_syntax[strspn(d->transfer_syntax, "0123456789.")]) {
        *syntax = dcm_syntax_find(d->transfer_syntax);
        if (!*syntax) {
            dcm_warn(d,
                     "the transfer syntax is not known; the data set is read as explicit VR little endian");
            *syntax = dcm_syntax_find(EXPLICIT_LITTLE);
        }
        return MTM_OK;
    }
    if (p->end - p->at >= 8)
        MTM_TRY(dcm_input_get(p, p->at, 8, &b, err));
    g = guess_at(b, b ? 8 : 0);
    strcpy(d->transfer_syntax, g.implicit ? IMPLICIT_LITTLE : g.big_endian ? EXPLICIT_BIG : EXPLICIT_LITTLE);
    *syntax = dcm_syntax_find(d->transfer_syntax);
    dcm_warn(d, "the file names no transfer syntax; by its first element the data set is %s",
             g.implicit     ? "implicit VR little endian"
             : g.big_endian ? "explicit VR big endian"
                            : "explicit VR little endian");
    return MTM_OK;
}

/* Pixel data of the top level alone is big endian. */
static void pixels_turn(mtm_dicom *d)
{
    for (int32_t i = 0; i < d->n; i++)
        if (d->elements[i].tag == DCM_PIXELS && d->elements[i].depth == 0)
            d->elements[i].flags |= MTM_DICOM_BIG_ENDIAN;
}

static mtm_status data_set_read(dcm_parser *p, mtm_error *err)
{
    const dcm_syntax *syntax;

    MTM_TRY(syntax_decide(p, &syntax, err));
    p->encapsulated = syntax->encapsulated;
    MTM_TRY(group_read(p, COMMAND_GROUP, true, err)); /* PS3.7 6.3.1: implicit VR little endian */
    p->d->data_at = (int64_t)p->at;
    if (syntax->deflated)
        MTM_TRY(dcm_deflated_parse(p, syntax->implicit, err));
    else
        MTM_TRY(dcm_parse(p, syntax->implicit, syntax->big_endian, err));
    p->d->implicit = p->levels[0].implicit;
    p->d->big_endian = syntax->big_endian;
    if (syntax->big_endian_pixels)
        pixels_turn(p->d);
    if (p->n_unclear > 0)
        dcm_unclear_decide(p->d);
    dcm_charset_warn(p->d);
    return MTM_OK;
}

static mtm_status input_begin(dcm_parser *p, mtm_error *err)
{
    mtm_dicom *const d = p->d;

    p->end = mtm_source_size(d->source);
    p->group = DCM_ANY_GROUP;
    p->levels[0].last_tag = -1;
    if (!mtm_source_in_memory(d->source) || p->end == 0)
        return MTM_OK;
    MTM_TRY(mtm_source_map(d->source, &p->memory, err));
    p->view = p->memory, p->view_end = p->end;
    return MTM_OK;
}

static mtm_status source_parse(mtm_dicom *d, const mtm_dicom_options *opt, mtm_error *err)
{
    dcm_parser p;
    const uint8_t *head = NULL;
    size_t n;
    bool is_part10;

    /* The levels are written before they are read. */
    memset(&p, 0, offsetof(dcm_parser, levels));
    p.d = d;
    p.stop_at_pixels = opt && opt->stop_at_pixels;
    MTM_TRY(input_begin(&p, err));
    if (p.end == 0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, 0, "no DICOM: the file is empty");
    n = p.end < HEAD_BYTES ? (size_t)p.end : HEAD_BYTES;
    MTM_TRY(dcm_input_get(&p, 0, n, &head, err));
    MTM_TRY(meta_read(&p, head, n, &is_part10, err));
    if (!is_part10 && !(opt && opt->force) && !guess_at(head, n).plausible)
        return mtm_fail(err, MTM_E_UNSUPPORTED, 0,
                        "no DICOM: neither the prefix 'DICM' at byte 128 nor a data element at byte 0");
    MTM_TRY(data_set_read(&p, err));
    if (d->n == 0)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)p.at, "the file has no data element");
    return MTM_OK;
}

/* Fills a data set that has nothing but its memory. The source is taken in any case. */
static mtm_status data_set_open(mtm_dicom *d, mtm_source *source, const mtm_dicom_options *opt,
                                mtm_error *err)
{
    mtm_status s;

    d->source = source;
    d->file_bytes = mtm_source_size(source);
    if (opt && opt->struct_size != sizeof *opt)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_options.struct_size is %u instead of %zu",
                        (unsigned)opt->struct_size, sizeof *opt);
    s = source_parse(d, opt, err);
    return s ? mtm_error_where(err, s, d->path) : MTM_OK;
}

mtm_status dcm_open_source(mtm_dicom **out, mtm_source *source, const mtm_dicom_options *opt, mtm_error *err)
{
    MTM_AUTO(mtm_source) taken = source;
    MTM_AUTO(mtm_dicom) d = NULL;

    MTM_TRY(dcm_new(&d, mtm_source_path(source), opt ? opt->limits : NULL, err));
    MTM_TRY(data_set_open(d, mtm_source_steal(&taken), opt, err));
    *out = mtm_dicom_steal(&d);
    return MTM_OK;
}

/* Empty, but for the table's and the arena's memory. */
static void data_set_reset(mtm_dicom *d, const mtm_dicom_options *opt)
{
    const mtm_limits limits = opt && opt->limits ? *opt->limits : mtm_limits_default();
    dcm_arena arena = d->arena;

    mtm_source_close(d->source);
    mtm_free(d->inflated);
    mtm_free(d->path);
    dcm_arena_reset(&arena);
    *d = (mtm_dicom){.elements = d->elements, .room = d->room, .arena = arena, .limits = limits};
}

mtm_status dcm_reopen(mtm_dicom **d, const char *path, const mtm_dicom_options *opt, mtm_error *err)
{
    mtm_source *source;

    if (!*d)
        return mtm_dicom_open(d, path, opt, err);
    data_set_reset(*d, opt);
    (*d)->path = mtm_strdup(path);
    if (!(*d)->path)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_source_open(&source, path, err));
    return data_set_open(*d, source, opt, err);
}

mtm_status mtm_dicom_open(mtm_dicom **out, const char *path, const mtm_dicom_options *opt, mtm_error *err)
{
    mtm_source *source;

    MTM_TRY(mtm_source_open(&source, path, err));
    return dcm_open_source(out, source, opt, err);
}

mtm_status mtm_dicom_open_memory(mtm_dicom **out, const void *data, size_t size_bytes, const char *name,
                                 const mtm_dicom_options *opt, mtm_error *err)
{
    mtm_source *source;

    MTM_TRY(mtm_source_memory(&source, data, size_bytes, name ? name : "memory", err));
    return dcm_open_source(out, source, opt, err);
}
