/* format/dicom/data/parse.c: data elements (PS3.5 7) to lines of the table. One loop without recursion; each turn reads an
 * element's or item's header and steps over its value, or closes a level.
 * SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

/* ---- value representations ---------------------------------------------------------------------------- */

typedef enum vr_kind {
    VR_OTHER = 0, /* no VR of the standard: 16-bit length */
    VR_SHORT,     /* 16-bit length */
    VR_LONG,      /* two bytes reserved, 32-bit length (PS3.5 table 7.1-1) */
    VR_SQ,
    VR_UN
} vr_kind;

#define VR(a, b) ((a) - 'A') * 26 + (b) - 'A'

static const uint8_t vr_kinds[26 * 26] = {
    [VR('A', 'E')] = VR_SHORT, [VR('A', 'S')] = VR_SHORT, [VR('A', 'T')] = VR_SHORT,
    [VR('C', 'S')] = VR_SHORT, [VR('D', 'A')] = VR_SHORT, [VR('D', 'S')] = VR_SHORT,
    [VR('D', 'T')] = VR_SHORT, [VR('F', 'D')] = VR_SHORT, [VR('F', 'L')] = VR_SHORT,
    [VR('I', 'S')] = VR_SHORT, [VR('L', 'O')] = VR_SHORT, [VR('L', 'T')] = VR_SHORT,
    [VR('P', 'N')] = VR_SHORT, [VR('S', 'H')] = VR_SHORT, [VR('S', 'L')] = VR_SHORT,
    [VR('S', 'S')] = VR_SHORT, [VR('S', 'T')] = VR_SHORT, [VR('T', 'M')] = VR_SHORT,
    [VR('U', 'I')] = VR_SHORT, [VR('U', 'L')] = VR_SHORT, [VR('U', 'S')] = VR_SHORT,
    [VR('O', 'B')] = VR_LONG,  [VR('O', 'D')] = VR_LONG,  [VR('O', 'F')] = VR_LONG,
    [VR('O', 'L')] = VR_LONG,  [VR('O', 'V')] = VR_LONG,  [VR('O', 'W')] = VR_LONG,
    [VR('S', 'V')] = VR_LONG,  [VR('U', 'C')] = VR_LONG,  [VR('U', 'R')] = VR_LONG,
    [VR('U', 'T')] = VR_LONG,  [VR('U', 'V')] = VR_LONG,  [VR('S', 'Q')] = VR_SQ,
    [VR('U', 'N')] = VR_UN,
};

static inline bool two_capitals(const uint8_t vr[2])
{
    return (uint8_t)(vr[0] - 'A') < 26 && (uint8_t)(vr[1] - 'A') < 26;
}

static inline vr_kind kind_of(const uint8_t vr[2])
{
    return vr_kinds[VR(vr[0], vr[1])];
}

bool dcm_vr_known(const uint8_t vr[2])
{
    return two_capitals(vr) && kind_of(vr) != VR_OTHER;
}

static bool is_pixels(uint32_t tag)
{
    return tag == DCM_PIXELS || tag == DCM_FLOAT_PIXELS || tag == DCM_DOUBLE_PIXELS;
}

/* ---- lines and levels --------------------------------------------------------------------------------- */

/* A header as it was read. */
typedef struct header {
    uint32_t tag, length; /* length DCM_UNDEFINED: a delimiter ends the value */
    char vr[4];
    vr_kind kind;
    uint16_t flags;
    uint8_t bytes;       /* 8 or 12 */
    const char *unclear; /* "US or SS": the context decides */
} header;

static dcm_level *top_of(dcm_parser *p)
{
    return &p->levels[p->depth];
}

static mtm_status lines_grow(dcm_parser *p, mtm_error *err)
{
    const int32_t first = 384;
    const int64_t room = p->d->room ? (int64_t)p->d->room * 2 : first;
    mtm_dicom_element *lines;

    /* A line may be worth 8 bytes of the file: the table is priced too. */
    if ((uint64_t)p->d->room * sizeof *lines > p->d->limits.max_header_bytes * 4 || room > INT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, (int64_t)p->at,
                        "more than %" PRId32 " data elements for a header of %" PRIu64
                        " bytes (max_header_bytes)",
                        p->d->room, p->d->limits.max_header_bytes);
    lines = mtm_realloc(p->d->elements, (size_t)room * sizeof *lines);
    if (!lines)
        return MTM_NOMEM(err);
    p->d->elements = lines;
    p->d->room = (int32_t)room;
    return MTM_OK;
}

static inline mtm_status line_add(dcm_parser *p, const header *h, uint64_t value_at, uint64_t length,
                                  mtm_error *err)
{
    const dcm_level *const l = top_of(p);
    mtm_dicom_element *e;

    if (p->d->n == p->d->room)
        MTM_TRY(lines_grow(p, err));
    e = &p->d->elements[p->d->n++];
    e->tag = h->tag;
    memcpy(e->vr, h->vr, sizeof e->vr);
    e->flags = h->flags;
    e->depth = (uint16_t)p->depth;
    e->parent = l->line;
    e->inside = 0;
    e->length_bytes = length;
    e->offset_bytes = (int64_t)value_at;
    e->value = NULL;
    return MTM_OK;
}

static mtm_status level_open(dcm_parser *p, bool is_sequence, uint64_t end, mtm_error *err)
{
    const dcm_level *const l = top_of(p);

    if (p->depth + 1 >= DCM_MOST_LEVELS)
        return mtm_fail(err, MTM_E_LIMIT, (int64_t)p->at, "sequences are nested deeper than %d levels",
                        DCM_MOST_DEPTH);
    p->levels[++p->depth] = (dcm_level){.end = end,
                                        .last_tag = -1,
                                        .line = p->d->n - 1,
                                        .is_sequence = is_sequence,
                                        .implicit = l->implicit,
                                        .big_endian = l->big_endian,
                                        .fresh = !is_sequence};
    return MTM_OK;
}

/* Everything since the level's line lies inside it; its value ends here. */
static void level_close(dcm_parser *p)
{
    mtm_dicom_element *const e = &p->d->elements[top_of(p)->line];

    e->inside = p->d->n - top_of(p)->line - 1;
    if (e->flags & MTM_DICOM_UNDEFINED)
        e->length_bytes = p->at - (uint64_t)e->offset_bytes;
    p->depth--;
}

/* ---- headers ------------------------------------------------------------------------------------------ */

static void vr_set(header *h, const char *vr)
{
    memcpy(h->vr, vr, 2);
    h->kind = vr[0] == 'S' && vr[1] == 'Q' ? VR_SQ : vr[0] == 'U' && vr[1] == 'N' ? VR_UN : VR_LONG;
}

/* The VR that the dictionary gives; "UN" stays where it has none. */
static void vr_look_up(header *h)
{
    const mtm_dicom_entry *const entry = mtm_dicom_entry_by_tag(h->tag);

    vr_set(h, "UN");
    if (!entry || !entry->vr[0])
        return;
    vr_set(h, entry->vr);
    h->unclear = entry->vr[2] ? entry->vr : NULL;
}

static void header_implicit(header *h, const uint8_t *b, bool big_endian)
{
    h->length = dcm_u32(b + 4, big_endian);
    h->bytes = 8;
    h->flags |= MTM_DICOM_IMPLICIT;
    vr_look_up(h);
}

/* UN of an element that the dictionary knows, or that holds items (PS3.5 6.2.2; CP-246): as implicit VR little endian. */
static void header_unknown(header *h)
{
    const uint32_t longest =
        0xFFFE; /* a writer that had to give up the VR only because of its 16-bit length is left alone */

    if (h->length == DCM_UNDEFINED) {
        vr_set(h, "SQ");
    } else if (h->length <= longest) {
        vr_look_up(h);
        if (h->kind == VR_UN)
            return;
    } else {
        return;
    }
    h->flags = (uint16_t)((h->flags & ~MTM_DICOM_BIG_ENDIAN) | MTM_DICOM_UN);
}

/* Bytes that a value here may have. */
static inline uint64_t room_from(const dcm_parser *p, uint64_t at)
{
    return p->partial ? UINT64_MAX : p->end - at;
}

/* No other group was asked for. */
static inline bool is_wanted(const dcm_parser *p, uint32_t tag)
{
    return p->group == DCM_ANY_GROUP || (int32_t)(tag >> 16) == p->group;
}

static void header_odd_vr(dcm_parser *p, header *h, uint16_t length)
{
    dcm_warn(p->d, "(%04X,%04X) at byte %" PRIu64 " has a VR that is none; it is read as UN", h->tag >> 16,
             h->tag & 0xFFFF, p->at);
    vr_set(h, "UN");
    h->unclear = NULL;
    h->flags &= (uint16_t)~MTM_DICOM_IMPLICIT;
    h->length = length;
}

static inline mtm_status header_read(dcm_parser *p, header *h, mtm_error *err)
{
    const dcm_level *const l = top_of(p);
    const uint8_t *b;

    MTM_TRY(dcm_input_get(p, p->at, 8, &b, err));
    *h = (header){
        .tag = dcm_tag_at(b, l->big_endian), .flags = l->big_endian ? MTM_DICOM_BIG_ENDIAN : 0, .bytes = 8};
    if (h->tag >> 16 == 0xFFFE) { /* items and delimiters have no VR */
        h->length = dcm_u32(b + 4, l->big_endian);
        return MTM_OK;
    }
    /* Bytes that are no capitals are a length: some writers leave out VRs in the midst of a data set. Where that length is not
     * there, they are a VR that nobody knows ("??", "--"). */
    if (l->implicit || !two_capitals(b + 4)) {
        header_implicit(h, b, l->big_endian);
        if (!l->implicit && is_wanted(p, h->tag) && h->length != DCM_UNDEFINED &&
            h->length > room_from(p, p->at + 8) && dcm_u16(b + 6, l->big_endian) <= p->end - p->at - 8)
            header_odd_vr(p, h, dcm_u16(b + 6, l->big_endian));
        return MTM_OK;
    }
    h->vr[0] = (char)b[4], h->vr[1] = (char)b[5];
    h->kind = kind_of(b + 4);
    if (h->kind <= VR_SHORT) {
        h->length = dcm_u16(b + 6, l->big_endian);
        return MTM_OK;
    }
    if (p->end - p->at < 12) {
        h->length = 0, h->bytes = (uint8_t)(p->end - p->at);
        return MTM_OK;
    }
    MTM_TRY(dcm_input_get(p, p->at, 12, &b, err));
    h->length = dcm_u32(b + 8, l->big_endian);
    h->bytes = 12;
    if (h->kind == VR_UN)
        header_unknown(h);
    return MTM_OK;
}

/* In an implicit data set, capitals may be a length of 16 KiB and more. They are a VR where the dictionary has the same, or where
 * so much is not left. */
static bool vr_meant(const dcm_parser *p, const uint8_t *b)
{
    const dcm_level *const l = &p->levels[p->depth];
    const uint64_t in_level = l->end - p->at, in_file = room_from(p, p->at);
    const mtm_dicom_entry *const entry = mtm_dicom_entry_by_tag(dcm_tag_at(b, l->big_endian));

    if (kind_of(b + 4) == VR_OTHER)
        return false;
    return (entry && !memcmp(entry->vr, b + 4, 2)) ||
           dcm_u32(b + 4, l->big_endian) > (in_level < in_file ? in_level : in_file);
}

/* The first element tells whether VRs stand in the data set (or item), whatever the transfer syntax says. */
static mtm_status vr_presence(dcm_parser *p, mtm_error *err)
{
    dcm_level *const l = top_of(p);
    const uint8_t *b;
    bool capitals;

    l->fresh = false;
    MTM_TRY(dcm_input_get(p, p->at, 8, &b, err));
    if (dcm_tag_at(b, l->big_endian) >> 16 == 0xFFFE)
        return MTM_OK;
    capitals = two_capitals(b + 4);
    if (capitals != l->implicit)
        return MTM_OK;
    if (p->depth == 0) {
        l->implicit = !l->implicit;
        dcm_warn(p->d, "the data set at byte %" PRIu64 " has %s VR, not %s as its transfer syntax says",
                 p->at, capitals ? "explicit" : "implicit", capitals ? "implicit" : "explicit");
        return MTM_OK;
    }
    if (!capitals) {
        l->implicit = true;
        return MTM_OK;
    }
    l->implicit = !vr_meant(p, b);
    return MTM_OK;
}

/* ---- values ------------------------------------------------------------------------------------------- */

/* What the file still holds of a value. */
static uint64_t length_in_file(dcm_parser *p, const header *h)
{
    const uint64_t left = p->end - p->at - h->bytes;

    if (h->length & 1 && !p->odd_seen) {
        p->odd_seen = true;
        dcm_warn(p->d, "(%04X,%04X) at byte %" PRIu64 " has an odd length of %" PRIu32 " bytes", h->tag >> 16,
                 h->tag & 0xFFFF, p->at, h->length);
    }
    if (h->length <= left)
        return h->length;
    dcm_warn(p->d,
             "(%04X,%04X) at byte %" PRIu64 " has a length of %" PRIu32
             " bytes, but the file ends after %" PRIu64,
             h->tag >> 16, h->tag & 0xFFFF, p->at, h->length, left);
    return left;
}

static mtm_status sequence_begin(dcm_parser *p, header *h, mtm_error *err)
{
    const uint64_t value_at = p->at + h->bytes;
    const bool undefined = h->length == DCM_UNDEFINED;
    const uint64_t length = undefined ? 0 : length_in_file(p, h);
    const uint8_t *b;

    h->flags |= (uint16_t)(MTM_DICOM_SEQUENCE | (undefined ? MTM_DICOM_UNDEFINED : 0));
    MTM_TRY(line_add(p, h, value_at, length, err));
    p->at = value_at;
    if (!undefined && length == 0)
        return MTM_OK;
    MTM_TRY(level_open(p, true, undefined ? UINT64_MAX : value_at + length, err));
    if (h->flags & MTM_DICOM_UN && top_of(p)->big_endian && p->end - p->at >= 4) {
        MTM_TRY(dcm_input_get(p, p->at, 4, &b, err));
        top_of(p)->big_endian = dcm_tag_at(b, true) >> 16 == 0xFFFE;
    }
    return MTM_OK;
}

/* A value of undefined length that is no sequence: fragments (PS3.5 A.4), or bytes up to a delimiter. */
static mtm_status fragments_add(dcm_parser *p, header *h, mtm_error *err)
{
    const uint64_t value_at = p->at + h->bytes;
    const bool big_endian = top_of(p)->big_endian;
    uint64_t items_end, after;
    uint32_t first = 0;

    if (p->end - value_at >= 4) {
        uint8_t b[4];

        MTM_TRY(dcm_input_read(p, value_at, b, 4, err));
        first = dcm_tag_at(b, big_endian);
    }
    h->flags |= MTM_DICOM_UNDEFINED | MTM_DICOM_BULK;
    p->at = value_at;
    if (first == DCM_ITEM || first == DCM_SEQUENCE_END) {
        h->flags |= MTM_DICOM_ENCAPSULATED;
        MTM_TRY(dcm_fragments_end(p, big_endian, &items_end, &after, err));
    } else {
        MTM_TRY(dcm_delimiter_find(p, value_at, big_endian, &items_end, &after, err));
    }
    MTM_TRY(line_add(p, h, value_at, items_end - value_at, err));
    p->at = after;
    return MTM_OK;
}

static mtm_status undefined_add(dcm_parser *p, header *h, mtm_error *err)
{
    const uint64_t value_at = p->at + h->bytes;

    if (h->kind == VR_UN &&
        p->end - value_at >= 4) { /* implicit and not in the dictionary: items tell a sequence */
        uint8_t b[4];

        MTM_TRY(dcm_input_read(p, value_at, b, 4, err));
        if (dcm_tag_at(b, top_of(p)->big_endian) == DCM_ITEM)
            vr_set(h, "SQ");
    }
    if (h->kind == VR_SQ)
        return sequence_begin(p, h, err);
    return fragments_add(p, h, err);
}

/* Fragments in a value that has a length: the offset table and all else is there, only its frame is wrong (PS3.5 A.4). */
static mtm_status fragments_look(dcm_parser *p, header *h, uint64_t value_at, mtm_error *err)
{
    uint8_t b[4];

    MTM_TRY(dcm_input_read(p, value_at, b, 4, err));
    if (dcm_tag_at(b, top_of(p)->big_endian) != DCM_ITEM)
        return MTM_OK;
    dcm_warn(p->d, "the fragments of (%04X,%04X) at byte %" PRIu64 " have a length instead of a delimiter",
             h->tag >> 16, h->tag & 0xFFFF, p->at);
    h->flags |= MTM_DICOM_ENCAPSULATED;
    return MTM_OK;
}

static inline mtm_status value_add(dcm_parser *p, header *h, mtm_error *err)
{
    const uint64_t value_at = p->at + h->bytes;
    const uint64_t length = length_in_file(p, h);
    mtm_dicom_element *e;

    if (length > DCM_KEPT_BYTES || (p->depth == 0 && is_pixels(h->tag))) {
        h->flags |= MTM_DICOM_BULK;
        if (p->encapsulated && p->depth == 0 && h->tag == DCM_PIXELS && length >= 8)
            MTM_TRY(fragments_look(p, h, value_at, err));
    }
    MTM_TRY(line_add(p, h, value_at, length, err));
    p->at = value_at + length;
    if (h->flags & MTM_DICOM_BULK || length == 0)
        return MTM_OK;
    e = &p->d->elements[p->d->n - 1];
    return dcm_input_get(p, value_at, (size_t)length, &e->value, err);
}

/* ---- the loop ----------------------------------------------------------------------------------------- */

static void delimiter_warn(dcm_parser *p, uint32_t tag, const char *what)
{
    dcm_warn(p->d, "(%04X,%04X) at byte %" PRIu64 ": %s", tag >> 16, tag & 0xFFFF, p->at, what);
}

/* An item, or what ends the sequence. */
static mtm_status item_step(dcm_parser *p, mtm_error *err)
{
    const dcm_level *const l = top_of(p);
    header h;
    uint64_t length;
    bool undefined;

    MTM_TRY(header_read(p, &h, err));
    if (h.tag == DCM_SEQUENCE_END) {
        level_close(p);
        p->at += 8;
        return MTM_OK;
    }
    if (h.tag == DCM_ITEM_END) {
        delimiter_warn(p, h.tag, "an item delimiter without an item");
        p->at += 8;
        return MTM_OK;
    }
    if (h.tag != DCM_ITEM) {
        delimiter_warn(p, h.tag, "an item was expected; the sequence ends here");
        if (l->end != UINT64_MAX)
            p->at = l->end;
        level_close(p);
        return MTM_OK;
    }
    undefined = h.length == DCM_UNDEFINED;
    length = undefined ? 0 : length_in_file(p, &h);
    h.flags |= (uint16_t)(MTM_DICOM_ITEM | (undefined ? MTM_DICOM_UNDEFINED : 0) |
                          (l->implicit ? MTM_DICOM_IMPLICIT : 0));
    p->at += 8;
    MTM_TRY(line_add(p, &h, p->at, length, err));
    if (!undefined && length == 0)
        return MTM_OK;
    return level_open(p, false, undefined ? UINT64_MAX : p->at + length, err);
}

/* An item or delimiter where an element was expected. */
static void stray_step(dcm_parser *p, const header *h)
{
    const bool in_item = p->depth > 0;
    const bool open = in_item && (top_of(p)->end == UINT64_MAX || p->levels[p->depth - 1].end == UINT64_MAX);

    if (in_item && h->tag == DCM_ITEM_END) {
        level_close(p);
        p->at += 8;
        return;
    }
    if (open && (h->tag == DCM_SEQUENCE_END || h->tag == DCM_ITEM)) {
        delimiter_warn(p, h->tag, "the item before it has no delimiter");
        level_close(p); /* the sequence reads it again */
        return;
    }
    delimiter_warn(p, h->tag, "stands outside of a sequence and is left out");
    p->at += 8;
    if (!in_item && h->tag == DCM_ITEM && h->length <= p->end - p->at)
        p->at += h->length;
}

/* Zeros behind the last element, or bytes that cannot be one: the file was filled up. */
static bool is_padding(dcm_parser *p, const header *h)
{
    if (p->depth > 0 || (int64_t)h->tag > top_of(p)->last_tag || p->group != DCM_ANY_GROUP)
        return false;
    if (h->tag == 0 && h->length == 0)
        return true;
    return h->length != DCM_UNDEFINED && h->length > room_from(p, p->at + h->bytes) &&
           !mtm_dicom_entry_by_tag(h->tag);
}

static inline mtm_status element_step(dcm_parser *p, mtm_error *err)
{
    dcm_level *const l = top_of(p);
    header h;

    if (l->fresh)
        MTM_TRY(vr_presence(p, err));
    MTM_TRY(header_read(p, &h, err));
    if (p->depth == 0 && (!is_wanted(p, h.tag) || (p->stop_at_pixels && is_pixels(h.tag)))) {
        p->d->pixels_left_out = p->stop_at_pixels && is_pixels(h.tag);
        p->done = true;
        return MTM_OK;
    }
    if (h.tag >> 16 == 0xFFFE) {
        stray_step(p, &h);
        return MTM_OK;
    }
    if ((int64_t)h.tag <= l->last_tag) {
        if (is_padding(p, &h)) {
            dcm_warn(p->d, "%" PRIu64 " bytes behind the data set, from byte %" PRIu64 " on, are left out",
                     p->end - p->at, p->at);
            p->at = p->end;
            return MTM_OK;
        }
        if (!p->d->unsorted)
            dcm_warn(p->d, "(%04X,%04X) at byte %" PRIu64 " is out of order or there twice", h.tag >> 16,
                     h.tag & 0xFFFF, p->at);
        p->d->unsorted = true;
    }
    l->last_tag = h.tag;
    if (h.length == DCM_UNDEFINED)
        MTM_TRY(undefined_add(p, &h, err));
    else if (h.kind == VR_SQ)
        return sequence_begin(p, &h, err);
    else
        MTM_TRY(value_add(p, &h, err));
    if (h.unclear) {
        dcm_unclear_mark(&p->d->elements[p->d->n - 1], h.unclear);
        p->n_unclear++;
    }
    return MTM_OK;
}

/* The input is at its end: what is still open ends too. */
static void levels_close(dcm_parser *p)
{
    if (p->depth > 0 && top_of(p)->end == UINT64_MAX)
        dcm_warn(p->d, "the file ends after %" PRIu64 " bytes inside a sequence", p->end);
    while (p->depth > 0)
        level_close(p);
}

mtm_status dcm_parse(dcm_parser *p, bool implicit, bool big_endian, mtm_error *err)
{
    dcm_level *const bottom = &p->levels[0];

    bottom->end = UINT64_MAX;
    bottom->line = -1;
    bottom->is_sequence = false;
    bottom->implicit = implicit, bottom->big_endian = big_endian, bottom->fresh = true;
    p->depth = 0, p->done = false;
    while (!p->done && (p->end - p->at >= 8 || p->depth > 0)) {
        if (p->depth > 0 && p->at >= top_of(p)->end)
            level_close(p);
        else if (p->end - p->at < 8)
            break;
        else if (top_of(p)->is_sequence)
            MTM_TRY(item_step(p, err));
        else
            MTM_TRY(element_step(p, err));
    }
    if (!p->done && p->at < p->end && p->end - p->at < 8 && p->group == DCM_ANY_GROUP) {
        dcm_warn(p->d, "%" PRIu64 " bytes at the end, from byte %" PRIu64 " on, are no element",
                 p->end - p->at, p->at);
        p->at = p->end;
    }
    levels_close(p);
    return MTM_OK;
}
