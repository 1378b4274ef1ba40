/* codec/j2k/boxes.c: the JP2 and JPH containers (T.800 annex I, T.814 annex D; the JP2 boxes of a JPX file):
 * where the codestream lies, and what the boxes say of colour, palette and channels. Boxes may come in any
 * order; unknown ones are passed over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "markers.h"

enum {                             /* table I.2 */
       BOX_SIGNATURE = 0x6A502020, /* "jP  " */
       BOX_FTYP = 0x66747970,
       BOX_JP2H = 0x6A703268,
       BOX_IHDR = 0x69686472,
       BOX_COLR = 0x636F6C72,
       BOX_PCLR = 0x70636C72,
       BOX_CMAP = 0x636D6170,
       BOX_CDEF = 0x63646566,
       BOX_JP2C = 0x6A703263,
       BOX_FTBL = 0x6674626C,  /* T.801 M.11.3 */
       BRAND_JPH = 0x6A706820, /* "jph " */
       SIGNATURE = 0x0D0A870A
};

typedef struct box {
    uint32_t type;
    uint64_t offset, data, end; /* of its header, of its contents, behind it */
} box;

static const uint8_t signature_box[12] = {0, 0, 0, 12, 'j', 'P', ' ', ' ', 0x0D, 0x0A, 0x87, 0x0A};

bool j2k_detect(const uint8_t *in, size_t n)
{
    return (n >= 4 && memcmp(in, "\xFF\x4F\xFF\x51", 4) == 0) ||
           (n >= sizeof signature_box && memcmp(in, signature_box, sizeof signature_box) == 0);
}

static uint64_t total_bytes(const j2k_input *in)
{
    return in->total_bytes > in->size_bytes ? in->total_bytes : in->size_bytes;
}

/* The box at `at` of a run that ends at `end`: T.800 I.4. */
static mtm_status box_next(box *b, const j2k_input *in, uint64_t at, uint64_t end, mtm_error *err)
{
    uint64_t size, head = 8;

    if (end - at < 8 || !j2k_input_has(in, at, 8))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at, "the data ends inside a box's header");
    size = j2k_u32_at(in, at);
    *b = (box){.type = j2k_u32_at(in, at + 4), .offset = at};
    if (size == 1) {
        if (end - at < 16 || !j2k_input_has(in, at, 16))
            return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at + 8, "the data ends inside a box's header");
        size = (uint64_t)j2k_u32_at(in, at + 8) << 32 | j2k_u32_at(in, at + 12), head = 16;
    } else if (size == 0) {
        size = end - at;
    }
    if (size < head)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at, "a box has a length of %" PRIu64, size);
    b->data = at + head;
    b->end = size > end - at ? end : at + size;
    if (size > end - at && b->type != BOX_JP2C)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at,
                        "a box has a length of %" PRIu64 ", but %" PRIu64 " bytes are left", size, end - at);
    return MTM_OK;
}

/* A reader over a box's contents. */
static mtm_status box_open(mtm_reader *r, const box *b, const j2k_input *in, mtm_error *err)
{
    if (!j2k_input_has(in, b->data, b->end - b->data))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)b->offset, "the data ends inside a box");
    *r = mtm_reader_over(in->data + b->data, b->end - b->data, (int64_t)b->data);
    r->big_endian = true;
    return MTM_OK;
}

/* ---- jp2h: T.800 I.5.3 -------------------------------------------------------------------------------- */

static mtm_status ihdr_read(j2k_boxes *out, mtm_reader *r, mtm_error *err)
{
    MTM_TRY(mtm_read_u32(r, &out->ihdr_height, err));
    MTM_TRY(mtm_read_u32(r, &out->ihdr_width, err));
    MTM_TRY(mtm_read_u16(r, &out->ihdr_components, err));
    MTM_TRY(mtm_read_u8(r, &out->ihdr_bits, err));
    out->has_ihdr = true;
    return MTM_OK;
}

/* The first colour specification that says something counts (I.5.3.3). */
static mtm_status colr_read(j2k_boxes *out, mtm_reader *r, mtm_error *err)
{
    uint8_t v[3] = {0};

    if (out->has_color)
        return MTM_OK;
    MTM_TRY(mtm_read_bytes(r, v, 3, err));
    if (v[0] == 1) {
        MTM_TRY(mtm_read_u32(r, &out->enum_cs, err));
        out->has_color = true;
    } else if (v[0] == 2 || v[0] == 3) {
        out->icc = r->data + r->at,
        out->icc_bytes = (uint32_t)mtm_min_i64((int64_t)mtm_reader_left(r), UINT32_MAX);
        out->has_color = true;
    }
    return MTM_OK;
}

static mtm_status palette_values_read(int64_t *values, const j2k_palette *p, mtm_reader *r, mtm_error *err)
{
    for (int32_t i = 0; i < p->n_entries; i++) {
        for (int32_t j = 0; j < p->n_columns; j++) {
            const int32_t bits = p->bits[j], bytes = (bits + 7) / 8;
            uint8_t v[5] = {0};
            uint64_t x = 0;

            MTM_TRY(mtm_read_bytes(r, v, (size_t)bytes, err));
            for (int32_t k = 0; k < bytes; k++)
                x = x << 8 | v[k];
            x &= (UINT64_C(1) << bits) - 1;
            *values++ = (int64_t)x - (p->is_signed[j] && x >> (bits - 1) ? INT64_C(1) << bits : 0);
        }
    }
    return MTM_OK;
}

static mtm_status pclr_read(j2k_boxes *out, mtm_reader *r, j2k_arena *arena, mtm_error *err)
{
    const int64_t offset = mtm_reader_offset(r);
    j2k_palette p = {0};
    uint8_t *bits, columns = 0;
    uint16_t entries = 0;
    int64_t *values;
    bool *is_signed;

    MTM_TRY(mtm_read_u16(r, &entries, err));
    MTM_TRY(mtm_read_u8(r, &columns, err));
    if (!entries || entries > 1024 || !columns)
        return mtm_fail(err, MTM_E_CORRUPT, offset, "a palette of %u entries and %u columns", entries,
                        columns);
    if ((uint64_t)entries * columns > mtm_reader_left(r))
        return mtm_fail(err, MTM_E_CORRUPT, offset,
                        "a palette of %u entries and %u columns in a box of %zu bytes", entries, columns,
                        r->size_bytes);
    bits = j2k_arena_take(arena, columns);
    is_signed = j2k_arena_take(arena, columns * sizeof *is_signed);
    values = j2k_arena_take(arena, (size_t)entries * columns * sizeof *values);
    if (!bits || !is_signed || !values)
        return MTM_NOMEM(err);
    for (int32_t j = 0; j < columns; j++) {
        uint8_t b = 0;

        MTM_TRY(mtm_read_u8(r, &b, err));
        bits[j] = (b & 127) + 1, is_signed[j] = b >> 7;
        if (bits[j] > 38)
            return mtm_fail(err, MTM_E_CORRUPT, offset + 3 + j, "a palette column of %d bits", bits[j]);
    }
    p = (j2k_palette){entries, columns, bits, is_signed, values};
    MTM_TRY(palette_values_read(values, &p, r, err));
    out->palette = p;
    return MTM_OK;
}

static mtm_status cmap_read(j2k_boxes *out, mtm_reader *r, j2k_arena *arena, mtm_error *err)
{
    const size_t n = mtm_reader_left(r) / 4;
    struct j2k_cmap *const map = j2k_arena_take(arena, mtm_reader_left(r) / 4 * sizeof *map);

    if (!map)
        return MTM_NOMEM(err);
    if (n > J2K_MAX_COMPONENTS)
        return mtm_fail(err, MTM_E_CORRUPT, r->base, "%zu channels are more than %d", n, J2K_MAX_COMPONENTS);
    for (size_t i = 0; i < n; i++) {
        MTM_TRY(mtm_read_u16(r, &map[i].component, err));
        MTM_TRY(mtm_read_u8(r, &map[i].type, err));
        MTM_TRY(mtm_read_u8(r, &map[i].column, err));
    }
    out->cmap = map, out->n_cmap = (int32_t)n;
    return MTM_OK;
}

static mtm_status cdef_read(j2k_boxes *out, mtm_reader *r, j2k_arena *arena, mtm_error *err)
{
    struct j2k_cdef *def;
    uint16_t n = 0;

    MTM_TRY(mtm_read_u16(r, &n, err));
    if ((uint64_t)n * 6 > mtm_reader_left(r))
        return mtm_fail(err, MTM_E_CORRUPT, r->base, "%u channel definitions in a box of %zu bytes", n,
                        r->size_bytes);
    if (!(def = j2k_arena_take(arena, n * sizeof *def)))
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n; i++) {
        MTM_TRY(mtm_read_u16(r, &def[i].channel, err));
        MTM_TRY(mtm_read_u16(r, &def[i].type, err));
        MTM_TRY(mtm_read_u16(r, &def[i].association, err));
    }
    out->cdef = def, out->n_cdef = n;
    return MTM_OK;
}

static mtm_status jp2h_read(j2k_boxes *out, const box *super, const j2k_input *in, j2k_arena *arena,
                            mtm_error *err)
{
    box b;

    for (uint64_t at = super->data; at < super->end; at = b.end) {
        mtm_reader r = {0};

        MTM_TRY(box_next(&b, in, at, super->end, err));
        MTM_TRY(box_open(&r, &b, in, err));
        switch (b.type) {
        case BOX_IHDR: MTM_TRY(ihdr_read(out, &r, err)); break;
        case BOX_COLR: MTM_TRY(colr_read(out, &r, err)); break;
        case BOX_PCLR: MTM_TRY(pclr_read(out, &r, arena, err)); break;
        case BOX_CMAP: MTM_TRY(cmap_read(out, &r, arena, err)); break;
        case BOX_CDEF: MTM_TRY(cdef_read(out, &r, arena, err)); break;
        default: break; /* bpcc repeats SIZ; res says nothing of samples */
        }
    }
    return MTM_OK;
}

/* ---- the file ----------------------------------------------------------------------------------------- */

/* ftyp: T.800 I.5.2, T.814 D.2: JPH when the brand or a compatible one says so. */
static mtm_status ftyp_read(j2k_boxes *out, const box *b, const j2k_input *in, mtm_error *err)
{
    mtm_reader r = {0};
    uint32_t brand = 0;

    MTM_TRY(box_open(&r, b, in, err));
    for (size_t i = 0; mtm_reader_left(&r) >= 4; i++) {
        MTM_TRY(mtm_read_u32(&r, &brand, err));
        if (i != 1 && brand == BRAND_JPH) /* number 1 is the version */
            out->container = J2K_JPH;
    }
    return MTM_OK;
}

mtm_status j2k_boxes_read(j2k_boxes *out, const j2k_input *in, j2k_arena *arena, j2k_notes *notes,
                          mtm_error *err)
{
    const uint64_t end = total_bytes(in);
    bool found = false, header = false, fragments = false;
    box b;

    *out = (j2k_boxes){.container = J2K_CODESTREAM, .codestream_bytes = end};
    if (j2k_input_has(in, 0, 2) && j2k_u16_at(in, 0) == J2K_SOC)
        return MTM_OK;
    if (!j2k_input_has(in, 0, sizeof signature_box) ||
        memcmp(in->data, signature_box, sizeof signature_box) != 0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, 0, "neither a JPEG 2000 codestream nor a JP2 or JPH file");
    out->container = J2K_JP2;
    for (uint64_t at = sizeof signature_box; at < end && !(found && header); at = b.end) {
        /* What follows the codestream is not needed when it is damaged or not there. */
        const mtm_status status = box_next(&b, in, at, end, found ? NULL : err);

        if (status != MTM_OK && found)
            break;
        MTM_TRY(status);
        if (b.type == BOX_FTYP)
            MTM_TRY(ftyp_read(out, &b, in, err));
        if (b.type == BOX_JP2H && !header) {
            MTM_TRY(jp2h_read(out, &b, in, arena, err));
            out->header_offset = b.offset, out->header_bytes = b.end - b.offset;
        }
        header |= b.type == BOX_JP2H, fragments |= b.type == BOX_FTBL;
        if (b.type == BOX_JP2C && !found)
            out->codestream_offset = b.data, out->codestream_bytes = b.end - b.data, found = true;
    }
    if (!found && fragments)
        return mtm_fail(err, MTM_E_UNSUPPORTED, (int64_t)end,
                        "the codestream lies in fragments, an extension of Part 2 that is not decoded");
    if (!found)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)end, "the file ends without a codestream box");
    if (!header)
        j2k_note(notes, "there is no JP2 header box");
    return MTM_OK;
}

/* ---- channels: T.800 I.5.3.5, I.5.3.6 ----------------------------------------------------------------- */

/* Whether the component mapping can be obeyed; a note says why not. */
static bool mapping_usable(const j2k_boxes *b, const j2k_header *h, j2k_notes *notes)
{
    if (!b->n_cmap || !b->palette.n_entries) {
        if (b->n_cmap || b->palette.n_entries)
            j2k_note(notes, "a palette without a component mapping, or the reverse, is ignored");
        return false;
    }
    for (int32_t i = 0; i < b->n_cmap; i++) {
        if (b->cmap[i].component >= h->size.n_components || b->cmap[i].type > 1 ||
            (b->cmap[i].type == 1 && b->cmap[i].column >= b->palette.n_columns)) {
            j2k_note(notes, "the component mapping names what is not there: the palette is ignored");
            return false;
        }
    }
    return true;
}

static int key_compare(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof x), memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Orders and names channels by their definitions. */
static mtm_status definitions_apply(j2k_channel *channels, int32_t n, const j2k_boxes *b, j2k_arena *arena,
                                    j2k_notes *notes, mtm_error *err)
{
    uint64_t *const keys = j2k_arena_take(arena, (size_t)n * sizeof *keys);
    j2k_channel *const before = j2k_arena_take(arena, (size_t)n * sizeof *before);

    if (!keys || !before)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n; i++) /* not defined: behind the others */
        keys[i] = (uint64_t)J2K_CHANNEL_OTHER << 48 | UINT64_C(0xFFFF) << 32 | (uint32_t)i;
    for (int32_t i = b->n_cdef - 1; i >= 0; i--) { /* so that a channel's first definition stays */
        const struct j2k_cdef *const d = &b->cdef[i];
        const uint64_t kind = d->type < J2K_CHANNEL_OTHER ? d->type : J2K_CHANNEL_OTHER;

        if (d->channel >= n) {
            j2k_note(notes, "a channel definition of channel %d of %" PRId32 " is ignored", d->channel, n);
            return MTM_OK;
        }
        keys[d->channel] = kind << 48 | (uint64_t)d->association << 32 | d->channel;
    }
    memcpy(before, channels, (size_t)n * sizeof *before);
    qsort(keys, (size_t)n, sizeof *keys, key_compare);
    for (int32_t i = 0; i < n; i++) {
        channels[i] = before[keys[i] & UINT32_MAX];
        channels[i].kind = (j2k_channel_kind)(keys[i] >> 48);
    }
    return MTM_OK;
}

mtm_status j2k_channels_make(const j2k_channel **out, int32_t *n, const j2k_boxes *b, const j2k_header *h,
                             j2k_arena *arena, j2k_notes *notes, mtm_error *err)
{
    const bool mapped = mapping_usable(b, h, notes);
    const int32_t count = mapped ? b->n_cmap : h->size.n_components;
    j2k_channel *const channels = j2k_arena_take(arena, (size_t)count * sizeof *channels);

    if (!channels)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < count; i++)
        channels[i] = (j2k_channel){.component = mapped ? b->cmap[i].component : i,
                                    .column = mapped && b->cmap[i].type == 1 ? b->cmap[i].column : -1,
                                    .kind = J2K_CHANNEL_COLOR};
    if (b->n_cdef)
        MTM_TRY(definitions_apply(channels, count, b, arena, notes, err));
    *out = channels, *n = count;
    return MTM_OK;
}
