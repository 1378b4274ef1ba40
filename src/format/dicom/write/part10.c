/* format/dicom/write/part10.c: the elements of a data set in a transfer syntax (PS3.5 7, A). Lengths are counted first, from the
 * leaves up; then all is written in one pass, values that lie in a file piece by piece.
 * SPDX-License-Identifier: Apache-2.0 */
#include "part10.h"

#include "base/size.h"
#include "format/dicom/data/vr.h"

enum {
    LENGTH_TO_END = 0x00080001, /* retired, with the group lengths: counts bytes of the file it was in */
    DIRECTORY_RECORDS = 0x00041220,
    BITS_ALLOCATED = 0x00280100,
    PIECE_BYTES = 1 << 20
};
static const uint32_t TRAILING_PADDING = 0xFFFCFFFCu;
static const uint32_t NO_LENGTH = 0xFFFFFFFFu;

mtm_status dcm_line_bytes(const mtm_dicom *d, int32_t i, uint64_t from, void *dst, size_t n, mtm_error *err)
{
    const mtm_dicom_element *const e = &d->elements[i];

    if (n == 0)
        return MTM_OK;
    if (!e->value)
        return mtm_dicom_value_read(d, e, from, dst, n, err);
    memcpy(dst, e->value + from, n);
    return MTM_OK;
}

static bool is_pixels(uint32_t tag)
{
    return tag == DCM_PIXELS || tag == DCM_FLOAT_PIXELS || tag == DCM_DOUBLE_PIXELS;
}

size_t dcm_unit_bytes(const mtm_dicom *d, const mtm_dicom_element *e)
{
    const dcm_vr *const vr = dcm_vr_exact(e->vr);

    if (e->tag == DCM_PIXELS && (!strcmp(e->vr, "OW") || !strcmp(e->vr, "OB"))) {
        const int64_t bits = dcm_i64(d, e->parent < 0 ? NULL : &d->elements[e->parent], BITS_ALLOCATED, 16);

        if (bits == 1 || (bits <= 8 && e->vr[1] == 'B'))
            return 1;
        return bits == 32 ? 4 : bits == 64 ? 8 : 2;
    }
    return vr ? dcm_vr_unit(vr) : 1;
}

void dcm_turn(uint8_t *p, size_t n, size_t unit_bytes)
{
    if (unit_bytes < 2)
        return;
    for (size_t i = 0; i + unit_bytes <= n; i += unit_bytes)
        for (size_t lo = 0, hi = unit_bytes - 1; lo < hi; lo++, hi--) {
            const uint8_t t = p[i + lo];

            p[i + lo] = p[i + hi], p[i + hi] = t;
        }
}

/* ---- lengths ------------------------------------------------------------------------------------------ */

static bool left_out(const dcm_part10 *p, const mtm_dicom_element *e)
{
    const uint32_t tag = e->tag;

    if (tag >> 16 != 0xFFFE && (tag & 0xFFFF) == 0)
        return true; /* a group length */
    if (e->depth > 0)
        return false;
    if (p->pixels && (is_pixels(tag) || (tag >= DCM_OFFSET_TABLE && tag <= DCM_OFFSET_LENGTHS + 1)))
        return true;
    return tag >> 16 < 4 || tag == LENGTH_TO_END || tag == TRAILING_PADDING;
}

static bool has_items(const mtm_dicom_element *e)
{
    return e->tag == DCM_ITEM || e->flags & MTM_DICOM_SEQUENCE;
}

/* Bytes of tag, VR and length. */
static uint64_t head_bytes(const dcm_part10 *p, int32_t i)
{
    const mtm_dicom_element *const e = &p->d->elements[i];
    const dcm_vr *const vr = dcm_vr_exact(e->vr);

    if (e->tag == DCM_ITEM || p->to->implicit || p->plan[i] & DCM_PLAN_IMPLICIT)
        return 8;
    return !vr || vr->long_form || p->plan[i] & DCM_PLAN_AS_UN ? 12 : 8;
}

/* Readers of implicit VR know a sequence by the dictionary; any other, a private one say, by its undefined length alone. */
static bool is_known_sequence(uint32_t tag)
{
    const mtm_dicom_entry *const entry = mtm_dicom_entry_by_tag(tag);

    return entry && !strcmp(entry->vr, "SQ");
}

/* What of line i is decided from above: how it lies inside its parent. */
static void plan_down(dcm_part10 *p, int32_t i)
{
    const mtm_dicom_element *const e = &p->d->elements[i];
    const mtm_dicom_element *const parent = e->parent >= 0 ? &p->d->elements[e->parent] : NULL;
    const dcm_vr *const vr = dcm_vr_exact(e->vr);

    if (parent && (p->plan[e->parent] & DCM_PLAN_IMPLICIT ||
                   (parent->flags & MTM_DICOM_SEQUENCE && !strcmp(parent->vr, "UN"))))
        p->plan[i] |= DCM_PLAN_IMPLICIT; /* PS3.5 6.2.2 note 4 */
    if ((e->flags & MTM_DICOM_UNDEFINED && has_items(e)) || e->flags & MTM_DICOM_ENCAPSULATED)
        p->plan[i] |= DCM_PLAN_UNDEFINED;
    if (p->to->implicit && e->flags & MTM_DICOM_SEQUENCE && !is_known_sequence(e->tag))
        p->plan[i] |= DCM_PLAN_UNDEFINED;
    if (vr && !vr->long_form && !has_items(e) && e->length_bytes > UINT16_MAX - 1)
        p->plan[i] |= DCM_PLAN_AS_UN; /* PS3.5 6.2.2: what a 16-bit length cannot hold */
}

/* Of line i, whose children are counted in size_bytes[i] already. */
static mtm_status count_up(dcm_part10 *p, int32_t i, mtm_error *err)
{
    const mtm_dicom_element *const e = &p->d->elements[i];
    uint64_t n = p->size_bytes[i];

    if (has_items(e)) {
        if (n > NO_LENGTH - 1)
            p->plan[i] |= DCM_PLAN_UNDEFINED;
        if (p->plan[i] & DCM_PLAN_UNDEFINED)
            n += 8;
    } else if (e->flags & MTM_DICOM_ENCAPSULATED) {
        n = e->length_bytes + 8;
    } else {
        n = e->length_bytes + (e->length_bytes & 1);
        if (n > NO_LENGTH - 1)
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                            "(%04x,%04x) has %" PRIu64 " bytes, more than its length field holds",
                            e->tag >> 16, e->tag & 0xFFFF, n);
    }
    p->size_bytes[i] = n + head_bytes(p, i);
    if (e->parent >= 0 && !mtm_add_u64(p->size_bytes[e->parent], p->size_bytes[i], &p->size_bytes[e->parent]))
        return mtm_fail(err, MTM_E_LIMIT, -1, "the data set is longer than 2^64 bytes");
    return MTM_OK;
}

static mtm_status count(dcm_part10 *p, mtm_error *err)
{
    for (int32_t i = 0; i < p->d->n; i++)
        plan_down(p, i);
    for (int32_t i = p->d->n - 1; i >= 0; i--) {
        if (left_out(p, &p->d->elements[i]))
            p->size_bytes[i] = 0;
        else
            MTM_TRY(count_up(p, i, err));
    }
    return MTM_OK;
}

/* ---- elements ----------------------------------------------------------------------------------------- */

static mtm_status put_tag(const dcm_part10 *p, int32_t i, dcm_out *o, bool big, mtm_error *err)
{
    const uint32_t tag = p->d->elements[i].tag;

    MTM_TRY(dcm_out_u16(o, (uint16_t)(tag >> 16), big, err));
    return dcm_out_u16(o, (uint16_t)tag, big, err);
}

static bool is_big(const dcm_part10 *p, int32_t i)
{
    return p->to->big_endian && !(p->plan[i] & DCM_PLAN_IMPLICIT);
}

/* What the element is called in explicit VR. Big endian pixels (PS3.5 A.3): single bits are bytes, as nobody agrees on turned words, and
 * longer cells are words, whatever their source says. */
static const char *vr_written(const dcm_part10 *p, int32_t i)
{
    const mtm_dicom_element *const e = &p->d->elements[i];

    if (p->plan[i] & DCM_PLAN_AS_UN || !dcm_vr_exact(e->vr))
        return "UN";
    if (is_big(p, i) && e->tag == DCM_PIXELS && (!strcmp(e->vr, "OW") || !strcmp(e->vr, "OB")))
        return dcm_unit_bytes(p->d, e) == 1 ? "OB" : "OW";
    return e->vr;
}

static mtm_status put_head(const dcm_part10 *p, int32_t i, dcm_out *o, mtm_error *err)
{
    const mtm_dicom_element *const e = &p->d->elements[i];
    const uint64_t head = head_bytes(p, i);
    const bool big = is_big(p, i), undefined = p->plan[i] & DCM_PLAN_UNDEFINED;
    const uint32_t length = undefined ? NO_LENGTH : (uint32_t)(p->size_bytes[i] - head);

    MTM_TRY(put_tag(p, i, o, big, err));
    if (e->tag == DCM_ITEM || p->to->implicit || p->plan[i] & DCM_PLAN_IMPLICIT)
        return dcm_out_u32(o, length, big, err);
    MTM_TRY(dcm_out_put(o, vr_written(p, i), 2, err));
    if (head == 8)
        return dcm_out_u16(o, (uint16_t)length, big, err);
    MTM_TRY(dcm_out_zeros(o, 2, err));
    return dcm_out_u32(o, length, big, err);
}

static mtm_status put_value(const dcm_part10 *p, int32_t i, dcm_out *o, mtm_error *err)
{
    const mtm_dicom_element *const e = &p->d->elements[i];
    const dcm_vr *const vr = dcm_vr_exact(e->vr);
    const size_t unit = dcm_unit_bytes(p->d, e);
    /* Bytes of UN stay little endian, whatever is around them. */
    const bool to_big = (is_big(p, i) && !(p->plan[i] & DCM_PLAN_AS_UN)) ||
                        (p->to->big_endian_pixels && e->depth == 0 && e->tag == DCM_PIXELS);
    const bool turn = unit > 1 && to_big != ((e->flags & MTM_DICOM_BIG_ENDIAN) != 0);
    MTM_AUTO_MEM uint8_t *piece = NULL;

    if (e->value && !turn)
        MTM_TRY(dcm_out_put(o, e->value, (size_t)e->length_bytes, err));
    else if (e->length_bytes > 0)
        piece = mtm_alloc((size_t)mtm_min_i64(PIECE_BYTES, (int64_t)e->length_bytes));
    if (e->length_bytes > 0 && !piece && !(e->value && !turn))
        return MTM_NOMEM(err);
    for (uint64_t from = 0; piece && from < e->length_bytes; from += PIECE_BYTES) {
        const uint64_t left = e->length_bytes - from;
        const size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

        MTM_TRY(dcm_line_bytes(p->d, i, from, piece, n, err));
        if (turn)
            dcm_turn(piece, n, unit);
        MTM_TRY(dcm_out_put(o, piece, n, err));
    }
    return e->length_bytes & 1 ? dcm_out_put(o, vr && dcm_vr_pad(vr) == ' ' ? " " : "", 1, err) : MTM_OK;
}

static mtm_status put_end(const dcm_part10 *p, int32_t i, dcm_out *o, mtm_error *err)
{
    const bool item = p->d->elements[i].tag == DCM_ITEM;
    const bool big = is_big(p, i);

    MTM_TRY(dcm_out_u16(o, 0xFFFE, big, err));
    MTM_TRY(dcm_out_u16(o, item ? 0xE00D : 0xE0DD, big, err));
    return dcm_out_u32(o, 0, big, err);
}

/* Pixel data in fragments, as it is, once it is seen to be whole: items, each inside the value (PS3.5 A.4). */
static mtm_status put_fragments(const dcm_part10 *p, int32_t i, dcm_out *o, mtm_error *err)
{
    const mtm_dicom_element *const e = &p->d->elements[i];
    MTM_AUTO_MEM uint8_t *piece = mtm_alloc(PIECE_BYTES);

    if (!piece)
        return MTM_NOMEM(err);
    for (uint64_t at = 0, left = 0; at < e->length_bytes || left > 0;) {
        const bool head = left == 0;
        const size_t n = head ? 8 : left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

        if (n <= e->length_bytes - at)
            MTM_TRY(dcm_line_bytes(p->d, i, at, piece, n, err));
        if (n > e->length_bytes - at || (head && memcmp(piece, "\xFE\xFF\x00\xE0", 4)))
            return mtm_fail(
                err, MTM_E_CORRUPT, e->offset_bytes < 0 ? -1 : e->offset_bytes + (int64_t)at,
                "the pixel data ends inside a fragment, or something else stands between its fragments");
        if (head)
            left = (uint32_t)piece[4] | (uint32_t)piece[5] << 8 | (uint32_t)piece[6] << 16 |
                   (uint32_t)piece[7] << 24;
        else
            left -= n;
        MTM_TRY(dcm_out_put(o, piece, n, err));
        at += n;
    }
    return put_end(p, i, o, err);
}

/* Closes what is open and does not hold line i any more; *open: the innermost open line. */
static mtm_status close_until(const dcm_part10 *p, int32_t i, int32_t *open, dcm_out *o, mtm_error *err)
{
    while (*open >= 0 && i > *open + p->d->elements[*open].inside) {
        if (p->plan[*open] & DCM_PLAN_UNDEFINED)
            MTM_TRY(put_end(p, *open, o, err));
        *open = p->d->elements[*open].parent;
    }
    return MTM_OK;
}

static mtm_status put_elements(const dcm_part10 *p, dcm_out *o, mtm_error *err)
{
    bool pixels_wait = p->pixels != NULL;
    int32_t open = -1;

    for (int32_t i = 0; i < p->d->n; i++) {
        const mtm_dicom_element *const e = &p->d->elements[i];

        MTM_TRY(close_until(p, i, &open, o, err));
        if (left_out(p, e)) {
            i += e->inside;
            continue;
        }
        if (pixels_wait && e->depth == 0 && e->tag > DCM_PIXELS) {
            MTM_TRY(p->pixels->put(p->pixels->user, o, err));
            pixels_wait = false;
        }
        MTM_TRY(put_head(p, i, o, err));
        if (p->watch && e->depth == 0 && e->tag == p->watch->tag)
            p->watch->at = o->at, p->watch->size_bytes = e->length_bytes;
        if (has_items(e))
            open = i;
        else if (e->flags & MTM_DICOM_ENCAPSULATED)
            MTM_TRY(put_fragments(p, i, o, err));
        else
            MTM_TRY(put_value(p, i, o, err));
    }
    MTM_TRY(close_until(p, p->d->n, &open, o, err));
    return pixels_wait ? p->pixels->put(p->pixels->user, o, err) : MTM_OK;
}

mtm_status dcm_part10_put(dcm_part10 *p, dcm_out *o, mtm_error *err)
{
    MTM_AUTO_MEM uint64_t *size_bytes = mtm_alloc_zero((size_t)p->d->n + 1, sizeof *size_bytes);
    MTM_AUTO_MEM uint8_t *plan = mtm_alloc_zero((size_t)p->d->n + 1, 1);

    if (!size_bytes || !plan)
        return MTM_NOMEM(err);
    if (mtm_dicom_find(p->d, NULL, DIRECTORY_RECORDS))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "a DICOMDIR holds byte offsets of itself, and is not written anew");
    p->size_bytes = size_bytes, p->plan = plan;
    MTM_TRY(count(p, err));
    MTM_TRY(dcm_meta_put(p, o, err));
    if (p->to->deflated)
        MTM_TRY(dcm_out_deflate(o, err));
    MTM_TRY(put_elements(p, o, err));
    return dcm_out_finish(o, err);
}
