/* format/dicom/pixel/attributes.c: what the image pixel module (PS3.3 C.7.6.3) says, checked once: everything behind relies on it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "format/dicom/data/syntax.h"

enum { OVERLAY_ROWS = 0x60000010, MOST_SIDE = 65535 };

const mtm_dicom_element *dcm_pixel_element(const mtm_dicom *d)
{
    static const uint32_t tags[] = {DCM_PIXELS, DCM_FLOAT_PIXELS, DCM_DOUBLE_PIXELS};
    const mtm_dicom_element *e = NULL;

    for (size_t i = 0; i < 3 && !e; i++)
        e = mtm_dicom_find(d, NULL, tags[i]);
    return e;
}

/* A number that must be there, in lo … hi. */
static mtm_status required(int64_t *out, const mtm_dicom *d, uint32_t tag, const char *name, int64_t lo,
                           int64_t hi, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, tag);

    if (!e || !mtm_dicom_i64(d, e, 0, out))
        return mtm_fail(err, MTM_E_CORRUPT, e ? e->offset_bytes : -1, "%s (%04X,%04X) is %s", name,
                        (unsigned)(tag >> 16), (unsigned)(tag & 0xFFFF), e ? "empty or no number" : "absent");
    if (*out < lo || *out > hi)
        return mtm_fail(err, MTM_E_CORRUPT, e->offset_bytes, "%s is %" PRId64 ", not %" PRId64 " to %" PRId64,
                        name, *out, lo, hi);
    return MTM_OK;
}

/* One that may be absent, and is then `fallback`, which is noted. */
static mtm_status optional(int64_t *out, const mtm_dicom *d, uint32_t tag, const char *name, int64_t lo,
                           int64_t hi, int64_t fallback, uint32_t *notes, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, tag);

    *out = fallback;
    if (e && mtm_dicom_i64(d, e, 0, out))
        return required(out, d, tag, name, lo, hi, err);
    *notes |= DCM_NOTE_ASSUMED;
    return MTM_OK;
}

/* Absent or 0 is 1, as every reader takes it; text that is no number too. */
static mtm_status read_frames(mtm_dicom_pixels *p, const mtm_dicom *d, uint32_t *notes, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, DCM_FRAMES);
    int64_t n = 0;

    p->frames = 1;
    if (!e)
        return MTM_OK;
    if (!mtm_dicom_i64(d, e, 0, &n) || n == 0) {
        *notes |= DCM_NOTE_FRAMES;
        return MTM_OK;
    }
    if (n < 0)
        return mtm_fail(err, MTM_E_CORRUPT, e->offset_bytes, "Number of Frames is %" PRId64, n);
    p->frames = n;
    return MTM_OK;
}

static mtm_status read_color(mtm_dicom_pixels *p, const mtm_dicom *d, uint32_t *notes, mtm_error *err)
{
    int64_t samples, planar = 0;

    if (dcm_ascii(d, NULL, DCM_PHOTOMETRIC, p->photometric, sizeof p->photometric)) {
        const bool color = !strcmp(p->photometric, "RGB") || !strncmp(p->photometric, "YBR", 3);

        MTM_TRY(optional(&samples, d, DCM_SAMPLES, "Samples per Pixel", 1, 4, color ? 3 : 1, notes, err));
    } else {
        MTM_TRY(optional(&samples, d, DCM_SAMPLES, "Samples per Pixel", 1, 4, 1, notes, err));
        strcpy(p->photometric, samples == 1 ? "MONOCHROME2" : "RGB");
        *notes |= DCM_NOTE_ASSUMED;
    }
    if (samples == 2)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "Samples per Pixel is 2; pictures have 1, 3 or 4");
    if (samples > 1)
        MTM_TRY(optional(&planar, d, DCM_PLANAR, "Planar Configuration", 0, 1, 0, notes, err));
    p->samples = (int32_t)samples, p->planar = planar == 1;
    return MTM_OK;
}

static mtm_status read_bits(mtm_dicom_pixels *p, const mtm_dicom *d, uint32_t tag, uint32_t *notes,
                            mtm_error *err)
{
    int64_t allocated, stored, high, representation;

    MTM_TRY(required(&allocated, d, DCM_BITS_ALLOCATED, "Bits Allocated", 1, 64, err));
    if (allocated != 1 && allocated % 8)
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "Bits Allocated is %" PRId64 ", neither 1 nor a multiple of 8", allocated);
    if (allocated & (allocated - 1))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "samples of %" PRId64 " bits are not read", allocated);
    p->bits_allocated = p->bits_stored = (int32_t)allocated;
    p->high_bit = p->bits_stored - 1;
    if (tag != DCM_PIXELS) {
        p->is_float = true;
        if (allocated == (tag == DCM_FLOAT_PIXELS ? 32 : 64))
            return MTM_OK;
        return mtm_fail(err, MTM_E_CORRUPT, -1, "float pixel data of %" PRId64 " bits allocated", allocated);
    }
    MTM_TRY(optional(&stored, d, DCM_BITS_STORED, "Bits Stored", 1, allocated, allocated, notes, err));
    MTM_TRY(optional(&representation, d, DCM_REPRESENTATION, "Pixel Representation", 0, 1, 0, notes, err));
    p->bits_stored = (int32_t)stored, p->is_signed = representation == 1;
    high = dcm_i64(d, NULL, DCM_HIGH_BIT, stored - 1);
    if (high < stored - 1 || high >= allocated) {
        *notes |= DCM_NOTE_HIGH_BIT;
        high = stored - 1;
    }
    p->high_bit = (int32_t)high;
    return MTM_OK;
}

static mtm_dtype integer_type(int32_t bits, bool is_signed)
{
    switch (bits) {
    case 1:
    case 8: return is_signed && bits == 8 ? MTM_I8 : MTM_U8;
    case 16: return is_signed ? MTM_I16 : MTM_U16;
    case 32: return is_signed ? MTM_I32 : MTM_U32;
    default: return is_signed ? MTM_I64 : MTM_U64;
    }
}

/* What a read gives: a palette's tables decide, which may be damaged: a raw read does not mind. */
static void read_types(mtm_dicom_pixels *p, const mtm_dicom *d)
{
    p->raw_dtype = p->is_float ? (p->bits_allocated == 32 ? MTM_F32 : MTM_F64)
                               : integer_type(p->bits_allocated, p->is_signed);
    p->dtype = p->raw_dtype, p->channels = p->samples;
    if (!strcmp(p->photometric, "PALETTE COLOR")) {
        dcm_palette *palette = NULL;
        const bool good = dcm_palette_new(&palette, d, NULL) == MTM_OK;

        p->dtype = good && palette->bits == 16 ? MTM_U16 : MTM_U8;
        p->channels = good ? palette->channels : 3;
        dcm_palette_free(palette);
    }
}

/* Groups 6000, 6002, … 601E with a plane (PS3.3 C.9.2; PS3.5 7.6 allows up to 60FE). */
static int32_t count_overlays(const mtm_dicom *d)
{
    int32_t n = 0;

    for (uint32_t group = 0; group < 0x100; group += 2)
        n += mtm_dicom_find(d, NULL, OVERLAY_ROWS + (group << 16)) != NULL;
    return n;
}

static mtm_status read_codec(mtm_dicom_pixels *p, const mtm_dicom *d, const mtm_dicom_element *e,
                             mtm_error *err)
{
    const dcm_syntax *const s = dcm_syntax_find(mtm_dicom_transfer_syntax(d));

    p->encapsulated = e->flags & MTM_DICOM_ENCAPSULATED;
    p->codec = s && s->codec ? s->codec : "unknown";
    if (s && s->encapsulated != p->encapsulated)
        return mtm_fail(err, MTM_E_CORRUPT, e->offset_bytes,
                        "the pixel data is %s, against transfer syntax %s",
                        p->encapsulated ? "in fragments" : "not in fragments", s->uid);
    return MTM_OK;
}

/* A native YBR_FULL_422 of full length has three samples for every pixel after all. */
static void check_422(mtm_dicom_pixels *p, const mtm_dicom_element *e, uint32_t *notes)
{
    const uint64_t full = (uint64_t)(p->rows * p->columns) * 3 * (uint64_t)p->bits_allocated / 8;

    if (p->encapsulated || strcmp(p->photometric, "YBR_FULL_422") || p->samples != 3 ||
        e->length_bytes / full < (uint64_t)p->frames)
        return;
    strcpy(p->photometric, "YBR_FULL");
    *notes |= DCM_NOTE_COLOR;
}

mtm_status dcm_pixels_read(const mtm_dicom *d, mtm_dicom_pixels *out, uint32_t *notes, mtm_error *err)
{
    const mtm_dicom_element *const e = dcm_pixel_element(d);
    mtm_dicom_pixels p = {.slope = 1};
    uint64_t bytes;

    if (!e)
        return mtm_fail(err, MTM_E_NOTFOUND, -1, "the data set has no pixel data");
    *notes = 0;
    MTM_TRY(required(&p.rows, d, DCM_ROWS, "Rows", 1, MOST_SIDE, err));
    MTM_TRY(required(&p.columns, d, DCM_COLUMNS, "Columns", 1, MOST_SIDE, err));
    MTM_TRY(read_frames(&p, d, notes, err));
    MTM_TRY(read_color(&p, d, notes, err));
    MTM_TRY(read_bits(&p, d, e->tag, notes, err));
    MTM_TRY(read_codec(&p, d, e, err));
    check_422(&p, e, notes);
    read_types(&p, d);
    MTM_TRY(mtm_extent_bytes(&bytes, 3, (int64_t[]){p.rows, p.columns, p.samples},
                             mtm_dtype_size(p.raw_dtype), d->limits.max_bytes, "a frame", err));
    if (!mtm_mul_u64(bytes, (uint64_t)p.frames, &bytes) || bytes > INT64_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "%" PRId64 " frames of %" PRId64 " × %" PRId64 " are too many",
                        p.frames, p.rows, p.columns);
    p.has_rescale = dcm_frame_rescale(d, -1, &p.slope, &p.inter);
    p.has_modality_lut = dcm_first_item(d, NULL, DCM_MODALITY_LUTS) != NULL;
    p.overlays = count_overlays(d);
    *out = p;
    return MTM_OK;
}

mtm_status mtm_dicom_pixels_get(const mtm_dicom *d, mtm_dicom_pixels *out, mtm_error *err)
{
    uint32_t notes;

    return mtm_error_where(err, dcm_pixels_read(d, out, &notes, err), mtm_dicom_path(d));
}

bool dcm_is_422(const mtm_dicom_pixels *p)
{
    return p->samples == 3 && (!p->encapsulated || strcmp(p->codec, "none") == 0) &&
           (!strcmp(p->photometric, "YBR_FULL_422") || !strcmp(p->photometric, "YBR_PARTIAL_422"));
}
