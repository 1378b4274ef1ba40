/* format/dicom/pixel/frames.c: where the bytes of each frame lie. Native frames follow each other bit by bit; encapsulated ones
 * (PS3.5 A.4) are runs of whole items, which an offset table names or which are shared out among the frames here. Nothing is read of
 * an item but its header until its frame is wanted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pixel.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/size.h"
#include "codec/rle.h"

enum {
    EXTENDED_OFFSETS = 0x7FE00001, /* PS3.3 C.7.6.3.1.8 */
    ITEM_HEADER = 8,
    PEEK_BYTES = 4096,
    MOST_CHECKED = 1024, /* entries of a table that are looked up in the file */
    HEAD_BYTES = MTM_RLE_HEADER_BYTES,
    TAIL_BYTES = 10 /* in which a codestream's end marker is looked for: padding follows it */
};

/* ---- the value ---------------------------------------------------------------------------------------- */

static mtm_status value_read(const dcm_frames *f, uint64_t at, void *dst, size_t n, mtm_error *err)
{
    if (f->memory) {
        memcpy(dst, f->memory + at, n);
        return MTM_OK;
    }
    return mtm_error_where(err, mtm_source_read(f->from->source, (uint64_t)f->offset_bytes + at, dst, n, err),
                           f->from->path);
}

/* Byte `at` of the value, for messages. */
static int64_t file_offset(const dcm_frames *f, uint64_t at)
{
    return f->offset_bytes < 0 ? -1 : f->offset_bytes + (int64_t)at;
}

static void warn(dcm_frames *f, const char *fmt, ...) MTM_PRINTF(2, 3);
static void warn(dcm_frames *f, const char *fmt, ...)
{
    va_list args;

    if (f->warning[0]) /* the first is the cause of others */
        return;
    va_start(args, fmt);
    vsnprintf(f->warning, sizeof f->warning, fmt, args);
    va_end(args);
}

static uint32_t u32_at(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* An item's header; fragments are always little endian (PS3.5 A.4). */
typedef struct item {
    bool is_item; /* else something else stands there */
    uint32_t length;
} item;

static item item_at(const uint8_t *b)
{
    return (item){u32_at(b) == 0xE000FFFEu, u32_at(b + 4)};
}

/* A look at headers that keeps the bytes around them: short items lie side by side. */
typedef struct peek {
    const dcm_frames *f;
    uint64_t at, end;
    uint8_t bytes[PEEK_BYTES];
} peek;

/* The item at `at`, at least ITEM_HEADER bytes before the value's end. */
static mtm_status peek_item(peek *k, uint64_t at, item *out, mtm_error *err)
{
    if (at < k->at || at + ITEM_HEADER > k->end) {
        const uint64_t left = k->f->size_bytes - at;
        const size_t n = left < PEEK_BYTES ? (size_t)left : PEEK_BYTES;

        MTM_TRY(value_read(k->f, at, k->bytes, n, err));
        k->at = at, k->end = at + n;
    }
    *out = item_at(k->bytes + (at - k->at));
    return MTM_OK;
}

/* ---- tables ------------------------------------------------------------------------------------------- */

/* Whether the value ends with the file, so that what a table names behind it may just be missing. */
static bool is_cut(const dcm_frames *f)
{
    return !f->memory && (uint64_t)f->offset_bytes + f->size_bytes >= mtm_source_size(f->from->source);
}

/* Whether items stand where the table says: all of them, or as many, evenly spread, the first and last among them. */
static mtm_status table_check(const dcm_frames *f, const uint64_t *begin, bool *good, mtm_error *err)
{
    const int64_t checked = mtm_min_i64(f->n, MOST_CHECKED);
    peek k = {.f = f};
    item it;

    *good = false;
    for (int64_t i = 1; i < f->n; i++)
        if (begin[i] < begin[i - 1] + ITEM_HEADER)
            return MTM_OK;
    for (int64_t i = 0; i < checked; i++) {
        const uint64_t at =
            begin[checked == 1 ? 0 : (int64_t)((double)i * (double)(f->n - 1) / (double)(checked - 1))];

        if (at > f->size_bytes || f->size_bytes - at < ITEM_HEADER) {
            if (i == 0 || !is_cut(f))
                return MTM_OK;
            break; /* and all that follow */
        }
        MTM_TRY(peek_item(&k, at, &it, err));
        if (!it.is_item)
            return MTM_OK;
    }
    *good = true;
    return MTM_OK;
}

/* Takes a table of n + 1 places, if it is right. */
static mtm_status table_take(dcm_frames *f, uint64_t **begin, const char *name, mtm_error *err)
{
    bool good;

    (*begin)[f->n] = f->size_bytes;
    if ((*begin)[f->n - 1] + ITEM_HEADER > f->size_bytes) /* beyond a cut file's end: reading tells */
        (*begin)[f->n] = (*begin)[f->n - 1] + ITEM_HEADER;
    MTM_TRY(table_check(f, *begin, &good, err));
    if (good)
        f->begin = *begin, *begin = NULL;
    else
        warn(f, "the %s offset table names places where no fragment begins; it was not used", name);
    return MTM_OK;
}

static mtm_status extended_read(dcm_frames *f, const mtm_dicom *d, uint64_t first, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, EXTENDED_OFFSETS);
    MTM_AUTO_MEM uint64_t *begin = NULL;

    if (!e || e->length_bytes == 0)
        return MTM_OK;
    if (e->length_bytes != (uint64_t)f->n * 8) {
        warn(f, "the extended offset table has %" PRIu64 " entries for %" PRId64 " frames; it was not used",
             e->length_bytes / 8, f->n);
        return MTM_OK;
    }
    begin = mtm_alloc((size_t)(f->n + 1) * sizeof *begin);
    if (!begin)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_dicom_value_read(d, e, 0, begin, (size_t)e->length_bytes, err));
    for (int64_t i = 0; i < f->n; i++)
        if (!mtm_add_u64(begin[i], first, &begin[i]))
            begin[i] = UINT64_MAX - ITEM_HEADER;
    return table_take(f, &begin, "extended", err);
}

/* Offsets of 32 bits, those beyond 4 GiB wrapped round. */
static mtm_status basic_read(dcm_frames *f, uint64_t first, mtm_error *err)
{
    const uint64_t bytes = first - ITEM_HEADER;
    MTM_AUTO_MEM uint64_t *begin = NULL;
    MTM_AUTO_MEM uint8_t *table = NULL;
    uint64_t high = 0;

    if (bytes == 0)
        return MTM_OK;
    if (bytes != (uint64_t)f->n * 4) {
        warn(f, "the basic offset table has %" PRIu64 " entries for %" PRId64 " frames; it was not used",
             bytes / 4, f->n);
        return MTM_OK;
    }
    begin = mtm_alloc((size_t)(f->n + 1) * sizeof *begin);
    table = mtm_alloc((size_t)bytes);
    if (!begin || !table)
        return MTM_NOMEM(err);
    MTM_TRY(value_read(f, ITEM_HEADER, table, (size_t)bytes, err));
    for (int64_t i = 0; i < f->n; i++) {
        const uint64_t low = u32_at(table + 4 * i);

        high += i > 0 && low < u32_at(table + 4 * i - 4) ? UINT64_C(1) << 32 : 0;
        begin[i] = first + high + low;
    }
    if (high > f->size_bytes) { /* descends more often than it can wrap */
        warn(f, "the basic offset table does not ascend; it was not used");
        return MTM_OK;
    }
    return table_take(f, &begin, "basic", err);
}

/* ---- without a table ---------------------------------------------------------------------------------- */

typedef struct fragments {
    uint64_t *begin; /* [n + 1]: of the items */
    int64_t n, room;
} fragments;

static mtm_status fragment_add(fragments *l, uint64_t at, mtm_error *err)
{
    if (l->n == l->room) {
        const int64_t room = l->room ? 2 * l->room : 64;
        uint64_t *const more = mtm_realloc(l->begin, (size_t)room * sizeof *more);

        if (!more)
            return MTM_NOMEM(err);
        l->begin = more, l->room = room;
    }
    l->begin[l->n++] = at;
    return MTM_OK;
}

/* Every item behind the table. One that reaches beyond the end is kept, for its frame to tell. */
static mtm_status walk(dcm_frames *f, uint64_t at, fragments *l, mtm_error *err)
{
    peek k = {.f = f};
    item it;

    while (f->size_bytes - at >= ITEM_HEADER) {
        MTM_TRY(peek_item(&k, at, &it, err));
        if (!it.is_item) {
            warn(f, "no fragment begins at byte %" PRId64 ", where the one before it ends",
                 file_offset(f, at));
            break;
        }
        MTM_TRY(fragment_add(l, at, err));
        if (it.length > f->size_bytes - at - ITEM_HEADER) {
            at = f->size_bytes;
            break;
        }
        at += ITEM_HEADER + (uint64_t)it.length;
    }
    MTM_TRY(fragment_add(l, at, err));
    l->n--;
    return MTM_OK;
}

/* Whether a codestream of any kind begins with these bytes of a fragment; left: of all fragments from there on, among which one frame's
 * may be shared out, so that RLE segments begin behind this one. */
static bool begins_codestream(const uint8_t *b, size_t n, uint64_t left, const char *codec)
{
    static const uint8_t jp2[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};

    if (strcmp(codec, "rle") == 0)
        return n == HEAD_BYTES && mtm_rle_detect(b, left < SIZE_MAX ? (size_t)left : SIZE_MAX);
    if (n >= sizeof jp2 && memcmp(b, jp2, sizeof jp2) == 0)
        return true;
    return n >= 4 && b[0] == 0xFF &&
           ((b[1] == 0xD8 && b[2] == 0xFF) || (b[1] == 0x4F && b[2] == 0xFF && b[3] == 0x51));
}

/* EOI of JPEG and JPEG-LS, EOC of JPEG 2000: the same two bytes, with padding behind them. */
static bool ends_codestream(const uint8_t *b, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (b[i] == 0xFF && b[i + 1] == 0xD9)
            return true;
    return false;
}

/* starts: a frame begins with the fragment; else with the one behind it, as this one ends a codestream. */
static mtm_status is_border(const dcm_frames *f, const fragments *l, int64_t i, bool starts,
                            const char *codec, bool *yes, mtm_error *err)
{
    const uint64_t at = l->begin[i] + ITEM_HEADER, size = l->begin[i + 1] - at;
    const size_t n = (size_t)(size < (starts ? HEAD_BYTES : TAIL_BYTES) ? size
                              : starts                                  ? HEAD_BYTES
                                                                        : TAIL_BYTES);
    uint8_t b[HEAD_BYTES];

    MTM_TRY(value_read(f, starts ? at : at + size - n, b, n, err));
    *yes = starts ? begins_codestream(b, n, l->begin[l->n] - at, codec) : ends_codestream(b, n);
    return MTM_OK;
}

/* Borders by one of the two signs; *good: there are as many frames as there should be. */
static mtm_status share_by(dcm_frames *f, const fragments *l, bool starts, const char *codec, uint64_t *begin,
                           bool *good, mtm_error *err)
{
    int64_t found = 0;
    bool border = !starts; /* the first fragment begins a frame in any case */

    for (int64_t i = 0; i < l->n; i++) {
        bool yes;

        MTM_TRY(is_border(f, l, i, starts, codec, &yes, err));
        if (starts ? yes : border) {
            if (found < f->n)
                begin[found] = l->begin[i];
            found++;
        }
        border = yes;
    }
    begin[f->n] = l->begin[l->n];
    *good = found == f->n && begin[0] == l->begin[0];
    return MTM_OK;
}

static mtm_status share(dcm_frames *f, fragments *l, const char *codec, mtm_error *err)
{
    MTM_AUTO_MEM uint64_t *begin = NULL;
    bool good = false;

    if (l->n == f->n) {
        f->begin = l->begin, l->begin = NULL;
        return MTM_OK;
    }
    if (l->n > f->n) {
        begin = mtm_alloc_zero((size_t)f->n + 1, sizeof *begin);
        if (!begin)
            return MTM_NOMEM(err);
        begin[0] = l->begin[0], begin[f->n] = l->begin[l->n], good = f->n == 1;
        for (int starts = 1; starts >= 0 && !good; starts--)
            MTM_TRY(share_by(f, l, starts, codec, begin, &good, err));
    }
    if (!good)
        return mtm_fail(err, MTM_E_CORRUPT, file_offset(f, 0),
                        "%" PRId64 " fragment%s cannot be shared out among %" PRId64 " frame%s", l->n,
                        l->n == 1 ? "" : "s", f->n, f->n == 1 ? "" : "s");
    f->begin = begin, begin = NULL;
    return MTM_OK;
}

static mtm_status encapsulated(dcm_frames *f, const mtm_dicom *d, const char *codec, mtm_error *err)
{
    peek k = {.f = f};
    fragments l = {.n = 0};
    uint64_t first;
    mtm_status s;
    item table;

    if (f->size_bytes < ITEM_HEADER)
        return mtm_fail(err, MTM_E_CORRUPT, file_offset(f, 0), "the pixel data has no fragments");
    MTM_TRY(peek_item(&k, 0, &table, err));
    if (!table.is_item || table.length > f->size_bytes - ITEM_HEADER)
        return mtm_fail(err, MTM_E_CORRUPT, file_offset(f, 0),
                        "the pixel data does not begin with an offset table");
    first = ITEM_HEADER + (uint64_t)table.length;
    if ((uint64_t)f->n > (f->size_bytes - first) / ITEM_HEADER && !is_cut(f))
        return mtm_fail(err, MTM_E_CORRUPT, file_offset(f, 0),
                        "%" PRIu64 " bytes of fragments cannot hold %" PRId64 " frames",
                        f->size_bytes - first, f->n);
    MTM_TRY(extended_read(f, d, first, err));
    if (!f->begin)
        MTM_TRY(basic_read(f, first, err));
    if (f->begin)
        return MTM_OK;
    s = walk(f, first, &l, err);
    if (!s)
        s = share(f, &l, codec, err);
    mtm_free(l.begin);
    return s;
}

/* ---- native ------------------------------------------------------------------------------------------- */

/* Bits from one frame to the next: quadruples of YBR_FULL_422 have two thirds (PS3.3 C.7.6.3.1.2). */
static uint64_t native_bits(const mtm_dicom_pixels *p)
{
    const uint64_t n =
        (uint64_t)p->rows * (uint64_t)p->columns * (uint64_t)p->samples * (uint64_t)p->bits_allocated;
    const bool half = p->samples == 3 && (strcmp(p->photometric, "YBR_FULL_422") == 0 ||
                                          strcmp(p->photometric, "YBR_PARTIAL_422") == 0);

    return half ? n / 3 * 2 : n;
}

static mtm_status native(dcm_frames *f, const mtm_dicom_pixels *p, mtm_error *err)
{
    uint64_t bits, bytes;

    if (!f->frame_bits || !mtm_mul_u64(f->frame_bits, (uint64_t)f->n, &bits))
        return mtm_fail(err, MTM_E_LIMIT, -1, "%" PRId64 " frames of %" PRId64 " × %" PRId64 " pixels", f->n,
                        p->rows, p->columns);
    bytes = bits / 8 + (bits % 8 > 0);
    if (f->size_bytes < bytes)
        warn(f, "the pixel data has %" PRIu64 " bytes, %" PRIu64 " are needed for %" PRId64 " frame%s",
             f->size_bytes, bytes, f->n, f->n == 1 ? "" : "s");
    else if (f->size_bytes > bytes + bytes % 2)
        warn(f, "%" PRIu64 " bytes follow the %" PRIu64 " of the pixel data", f->size_bytes - bytes, bytes);
    return MTM_OK;
}

/* ---- frames ------------------------------------------------------------------------------------------- */

void dcm_frames_free(dcm_frames *f)
{
    if (!f)
        return;
    mtm_free(f->begin);
    mtm_free(f);
}

static const mtm_dicom_element *pixel_data(const mtm_dicom *d)
{
    static const uint32_t tags[] = {DCM_PIXELS, DCM_FLOAT_PIXELS, DCM_DOUBLE_PIXELS};
    const mtm_dicom_element *e = NULL;

    for (size_t i = 0; i < sizeof tags / sizeof *tags && !e; i++)
        e = mtm_dicom_find(d, NULL, tags[i]);
    return e;
}

mtm_status dcm_frames_new(dcm_frames **out, const mtm_dicom *d, const mtm_dicom_pixels *p, mtm_error *err)
{
    const mtm_dicom_element *const e = pixel_data(d);
    MTM_AUTO(dcm_frames) f = mtm_alloc_zero(1, sizeof *f);

    if (!f)
        return MTM_NOMEM(err);
    if (!e)
        return mtm_fail(err, MTM_E_NOTFOUND, -1, "the data set has no pixel data");
    if (p->frames < 1 || p->rows < 1 || p->columns < 1 || p->samples < 1 || p->bits_allocated < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "frames without pixels");
    f->n = p->frames;
    f->from = d->from && d->from[dcm_index(d, e)] ? d->from[dcm_index(d, e)] : d;
    f->offset_bytes = e->offset_bytes, f->size_bytes = e->length_bytes;
    f->memory = e->value ? e->value : f->from->inflated ? f->from->inflated + e->offset_bytes : NULL;
    f->frame_bits = native_bits(p);
    if (!f->memory && !f->from->source)
        return mtm_fail(err, MTM_E_NOTFOUND, -1, "the pixel data is empty");
    if (e->flags & MTM_DICOM_ENCAPSULATED)
        MTM_TRY(encapsulated(f, d, p->codec ? p->codec : "", err));
    else
        MTM_TRY(native(f, p, err));
    *out = dcm_frames_steal(&f);
    return MTM_OK;
}

mtm_status dcm_frame_check(const dcm_frames *f, int64_t frame, mtm_error *err)
{
    if (frame < 0 || frame >= f->n)
        return mtm_fail(err, MTM_E_INVAL, -1, "there is no frame %" PRId64 ", but %" PRId64 " of them", frame,
                        f->n);
    if (f->begin ? f->begin[frame] + ITEM_HEADER > f->size_bytes
                 : f->frame_bits * (uint64_t)(frame + 1) > f->size_bytes * 8)
        return mtm_fail(err, MTM_E_CORRUPT, file_offset(f, f->size_bytes),
                        "the pixel data ends before frame %" PRId64 " of %" PRId64 " does", frame, f->n);
    return MTM_OK;
}

/* The items in out's bytes from `header` on without their headers. begin: of the first in the value. */
static mtm_status join_items(const dcm_frames *f, int64_t frame, uint64_t begin, size_t n, mtm_bytes *out,
                             mtm_error *err)
{
    uint8_t *const b = out->data;
    size_t at = 0, to = 0;

    while (n - at >= ITEM_HEADER) {
        const item it = item_at(b + at);

        if (!it.is_item)
            return mtm_fail(err, MTM_E_CORRUPT, file_offset(f, begin + at),
                            "no fragment of frame %" PRId64 " begins here", frame);
        if (it.length > n - at - ITEM_HEADER)
            return mtm_fail(err, MTM_E_CORRUPT, file_offset(f, begin + at),
                            "a fragment of %" PRIu32 " bytes of frame %" PRId64 " reaches beyond %s",
                            it.length, frame, begin + n >= f->size_bytes ? "the end" : "the next frame");
        memmove(b + to, b + at + ITEM_HEADER, it.length);
        to += it.length, at += ITEM_HEADER + (size_t)it.length;
    }
    out->size_bytes = to;
    return MTM_OK;
}

static mtm_status encapsulated_bytes(const dcm_frames *f, int64_t frame, mtm_bytes *out, mtm_error *err)
{
    const uint64_t begin = f->begin[frame];
    const uint64_t end = f->begin[frame + 1] < f->size_bytes ? f->begin[frame + 1] : f->size_bytes;

    if (end - begin > SIZE_MAX / 2)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_bytes_reserve(out, (size_t)(end - begin), err));
    MTM_TRY(value_read(f, begin, out->data, (size_t)(end - begin), err));
    return join_items(f, frame, begin, (size_t)(end - begin), out, err);
}

/* Single bits that do not begin on a byte, moved there; the rest of the last byte is 0. */
static void shift_bits(uint8_t *b, size_t n, unsigned shift, uint64_t bits)
{
    const size_t kept = (size_t)((bits + 7) / 8);

    for (size_t i = 0; shift && i < kept; i++)
        b[i] = (uint8_t)(b[i] >> shift | (i + 1 < n ? b[i + 1] << (8 - shift) : 0));
    if (bits % 8)
        b[kept - 1] &= (uint8_t)((1u << bits % 8) - 1);
}

static mtm_status native_bytes(const dcm_frames *f, int64_t frame, mtm_bytes *out, mtm_error *err)
{
    const uint64_t from = f->frame_bits * (uint64_t)frame, to = from + f->frame_bits;
    const uint64_t n = (to + 7) / 8 - from / 8;

    if (n > SIZE_MAX / 2)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_bytes_reserve(out, (size_t)n, err));
    MTM_TRY(value_read(f, from / 8, out->data, (size_t)n, err));
    shift_bits(out->data, (size_t)n, (unsigned)(from % 8), f->frame_bits);
    out->size_bytes = (size_t)((f->frame_bits + 7) / 8);
    return MTM_OK;
}

mtm_status dcm_frame_bytes(const dcm_frames *f, int64_t frame, mtm_bytes *out, mtm_error *err)
{
    out->size_bytes = 0;
    MTM_TRY(dcm_frame_check(f, frame, err));
    return f->begin ? encapsulated_bytes(f, frame, out, err) : native_bytes(f, frame, out, err);
}
