/* format/dicom/pixel/decoder.c: a frame, or a part of one, straight into a view of the caller's memory. Native frames come row block by
 * row block, so that bytes are converted while they are hot; codestreams whole, or by the codec's own regions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <stdio.h>

enum { BLOCK_BYTES = 64 << 10 /* of native rows at a time */, NARROW = 8 /* less of a row: row by row */ };

typedef struct job {
    const dcm_decoder *x;
    dcm_scratch *s;
    int64_t frame, y0, y1, x0, x1;
    dcm_color color;
    int32_t channels; /* of dst */
    int bits;         /* of Y Cb Cr */
    double slope, inter;
    mtm_array *dst;
} job;

/* ---- making ------------------------------------------------------------------------------------------- */

mtm_status dcm_decoder_new(dcm_decoder **out, const mtm_dicom *d, mtm_codec_ctx *codec, mtm_error *err)
{
    const mtm_dicom_element *const e = dcm_pixel_element(d);
    MTM_AUTO(dcm_decoder) x = mtm_alloc_zero(1, sizeof *x);

    if (!x)
        return MTM_NOMEM(err);
    x->d = d, x->codec = codec;
    MTM_TRY(dcm_pixels_read(d, &x->pixels, &x->notes, err));
    MTM_TRY(dcm_frames_new(&x->frames, d, &x->pixels, err));
    x->big_endian = e->flags & MTM_DICOM_BIG_ENDIAN;
    x->swap_pairs = x->big_endian && x->pixels.bits_allocated == 8 && strcmp(e->vr, "OW") == 0;
    /* Damaged tables do not matter to raw reads; others find them missing and say why. */
    if (!strcmp(x->pixels.photometric, "PALETTE COLOR") &&
        dcm_palette_new(&x->palette, d, err) == MTM_E_NOMEM)
        return MTM_E_NOMEM;
    if (x->pixels.has_modality_lut &&
        dcm_lut_new(&x->modality_lut, d, dcm_first_item(d, NULL, DCM_MODALITY_LUTS), err) == MTM_E_NOMEM)
        return MTM_E_NOMEM;
    *out = dcm_decoder_steal(&x);
    return MTM_OK;
}

void dcm_decoder_free(dcm_decoder *x)
{
    if (!x)
        return;
    dcm_frames_free(x->frames);
    dcm_palette_free(x->palette);
    dcm_lut_free(x->modality_lut);
    mtm_free(x);
}

void dcm_scratch_drop(dcm_scratch *s)
{
    mtm_bytes_drop(&s->bytes);
    mtm_bytes_drop(&s->unpacked);
    mtm_bytes_drop(&s->samples);
    mtm_bytes_drop(&s->index);
}

/* n bytes of a scratch buffer, undefined. */
static mtm_status room(mtm_bytes *b, uint64_t n, uint8_t **out, mtm_error *err)
{
    b->size_bytes = 0;
    MTM_TRY(mtm_bytes_reserve(b, (size_t)n, err));
    *out = b->data;
    return MTM_OK;
}

/* ---- from samples to the caller's view ----------------------------------------------------------------- */

/* Rows of [h, w, n] interleaved samples of some type. */
static mtm_array interleaved(void *data, mtm_dtype t, int64_t h, int64_t w, int32_t n)
{
    return mtm_array_wrap(data, t, n > 1 ? 3 : 2, (int64_t[]){h, w, n});
}

static mtm_status from_palette(job *j, const mtm_array *view, bool swap, mtm_array *rgb, mtm_error *err)
{
    const int64_t h = view->shape[0], w = view->shape[1];
    const dcm_palette *const p = j->x->palette;
    uint8_t *index, *out;
    mtm_array as_index;

    MTM_TRY(room(&j->s->index, (uint64_t)(h * w) * sizeof(int32_t), &index, err));
    as_index = interleaved(index, MTM_I32, h, w, 1);
    MTM_TRY(mtm_array_convert_stats(&as_index, view, 1, 0, swap, NULL, NULL, err));
    MTM_TRY(room(&j->s->samples, (uint64_t)(h * w * p->channels) * (p->bits == 8 ? 1 : 2), &out, err));
    dcm_palette_apply(p, out, (const int32_t *)(void *)index, (size_t)(h * w));
    *rgb = interleaved(out, p->bits == 8 ? MTM_U8 : MTM_U16, h, w, p->channels);
    return MTM_OK;
}

static mtm_status from_ybr(job *j, const mtm_array *view, bool swap, mtm_array *rgb, mtm_error *err)
{
    const int64_t h = view->shape[0], w = view->shape[1];
    const mtm_dtype t = mtm_dtype_size(view->dtype) == 1 ? MTM_U8 : MTM_U16;
    mtm_array ybr = *view;
    uint8_t *out = view->data;

    ybr.dtype = t;
    if (out != j->s->samples.data) { /* not decoded there */
        MTM_TRY(room(&j->s->samples, (uint64_t)(h * w * 3) * mtm_dtype_size(t), &out, err));
        *rgb = interleaved(out, t, h, w, 3);
        MTM_TRY(mtm_array_convert_stats(rgb, &ybr, 1, 0, swap, NULL, NULL, err));
    }
    dcm_ybr_to_rgb(out, out, (size_t)(h * w), (int)mtm_dtype_size(t), j->bits, j->color == DCM_COLOR_PARTIAL);
    *rgb = interleaved(out, t, h, w, 3);
    return MTM_OK;
}

/* Samples [h, w] or [h, w, C] as rows `row` and on of dst. */
static mtm_status emit(job *j, const mtm_array *view, bool swap, int64_t row, mtm_error *err)
{
    mtm_array part = *j->dst, rgb;

    part.data = (char *)part.data + row * part.stride[0];
    part.shape[0] = view->shape[0];
    if (j->color == DCM_COLOR_AS_IS)
        return mtm_array_convert_stats(&part, view, j->slope, j->inter, swap, NULL, NULL, err);
    MTM_TRY(j->color == DCM_COLOR_PALETTE ? from_palette(j, view, swap, &rgb, err)
                                          : from_ybr(j, view, swap, &rgb, err));
    return mtm_array_convert_stats(&part, &rgb, j->slope, j->inter, false, NULL, NULL, err);
}

/* The view that the caller gave has the shape of what is decoded. */
static mtm_status check_dst(const job *j, mtm_error *err)
{
    const mtm_array *const a = j->dst;
    const int64_t channels = a->ndim == 3 ? a->shape[2] : 1;

    if (a->ndim != (j->channels > 1 ? 3 : 2) || a->shape[0] != j->y1 - j->y0 ||
        a->shape[1] != j->x1 - j->x0 || channels != j->channels)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "frame %" PRId64 " gives %" PRId64 " × %" PRId64 " × %d samples, not %" PRId64
                        " × %" PRId64 " × %" PRId64,
                        j->frame, j->y1 - j->y0, j->x1 - j->x0, j->channels, a->shape[0], a->shape[1],
                        channels);
    return MTM_OK;
}

/* region (NULL: all) of a frame of rows × columns. */
static mtm_status set_region(job *j, const int64_t region[4], int64_t rows, int64_t columns, mtm_error *err)
{
    const int64_t all[4] = {0, rows, 0, columns};
    const int64_t *const r = region ? region : all;

    j->y0 = r[0], j->y1 = r[1], j->x0 = r[2], j->x1 = r[3];
    if (j->y0 < 0 || j->y0 >= j->y1 || j->y1 > rows || j->x0 < 0 || j->x0 >= j->x1 || j->x1 > columns)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "rows %" PRId64 " to %" PRId64 ", columns %" PRId64 " to %" PRId64
                        " are no part of a frame of %" PRId64 " × %" PRId64,
                        j->y0, j->y1, j->x0, j->x1, rows, columns);
    return MTM_OK;
}

static mtm_status set_color(job *j, dcm_color color, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &j->x->pixels;
    dcm_palette *damaged = NULL;

    j->color = color;
    j->channels = color == DCM_COLOR_AS_IS ? p->samples : 3;
    if ((color == DCM_COLOR_FULL || color == DCM_COLOR_PARTIAL) && p->bits_allocated > 16)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "%s of %d bits is not converted; raw reads give its samples", p->photometric,
                        p->bits_allocated);
    if (color != DCM_COLOR_PALETTE)
        return MTM_OK;
    if (!j->x->palette)
        return dcm_palette_new(&damaged, j->x->d, err);
    j->channels = j->x->palette->channels;
    return MTM_OK;
}

/* ---- native frames ------------------------------------------------------------------------------------- */

/* Bytes of the pixel data: where they lie, or read to `to` (NULL: the start) of the scratch. */
static mtm_status span(const job *j, uint64_t from, uint64_t n, uint8_t *to, const uint8_t **out,
                       mtm_error *err)
{
    const dcm_frames *const f = j->x->frames;
    const uint64_t even = from & ~(uint64_t)1, slack = j->x->swap_pairs ? 2 : 0;
    uint8_t *buffer = to;

    if (f->memory && !slack) {
        *out = f->memory + from;
        return MTM_OK;
    }
    if (!buffer)
        MTM_TRY(room(&j->s->bytes, n + slack, &buffer, err));
    if (!slack) {
        *out = buffer;
        return mtm_source_read(f->from->source, (uint64_t)f->offset_bytes + from, buffer, (size_t)n, err);
    }
    n = (from + n + 1 - even) & ~(uint64_t)1; /* whole words: the pad byte of an odd length is one half */
    if (f->memory)
        memcpy(buffer, f->memory + even, (size_t)n);
    else
        MTM_TRY(mtm_source_read(f->from->source, (uint64_t)f->offset_bytes + even, buffer, (size_t)n, err));
    dcm_swap_pairs(buffer, buffer, (size_t)n);
    if (from != even)
        memmove(buffer, buffer + 1, (size_t)n - 1);
    *out = buffer;
    return MTM_OK;
}

/* Rows y … y + h of the columns wanted, samples of `pixel` bytes: *at and the stride between rows. */
static mtm_status rows_of_plane(const job *j, uint64_t plane, int64_t y, int64_t h, uint64_t pixel,
                                uint8_t *to, const uint8_t **at, int64_t *stride, mtm_error *err)
{
    const uint64_t columns = (uint64_t)j->x->pixels.columns, w = (uint64_t)(j->x1 - j->x0);
    const uint64_t first = plane + ((uint64_t)y * columns + (uint64_t)j->x0) * pixel;

    *stride = (int64_t)(columns * pixel);
    if (j->x->frames->memory || j->x->swap_pairs || w * NARROW >= columns || h == 1)
        return span(j, first, ((uint64_t)(h - 1) * columns + w) * pixel, to, at, err);
    *at = to;
    for (int64_t i = 0; i < h; i++) {
        const uint8_t *row;

        MTM_TRY(span(j, first + (uint64_t)i * columns * pixel, w * pixel, to + (uint64_t)i * w * pixel, &row,
                     err));
    }
    *stride = (int64_t)(w * pixel);
    return MTM_OK;
}

static bool needs_fix(const mtm_dicom_pixels *p)
{
    return !p->is_float && p->bits_allocated > p->bits_stored;
}

/* Samples above whose high bit something else may stand, packed anew. */
static mtm_status fix_rows(const job *j, mtm_array *view, bool *swap, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &j->x->pixels;
    const int64_t h = view->shape[0], w = view->shape[1], n = view->ndim == 3 ? view->shape[2] : 1;
    const int size = p->bits_allocated / 8;
    const bool by_plane = p->planar && n > 1;
    const int64_t run = by_plane ? w : w * n, planes = by_plane ? n : 1;
    mtm_array packed;
    uint8_t *out;

    MTM_TRY(room(&j->s->unpacked, (uint64_t)(h * w * n * size), &out, err));
    packed = interleaved(out, view->dtype, h, w, (int32_t)n);
    if (by_plane)
        packed.stride[0] = w * size, packed.stride[1] = size, packed.stride[2] = h * w * size;
    for (int64_t k = 0; k < planes; k++)
        for (int64_t y = 0; y < h; y++)
            dcm_fix_bits(out + (k * h + y) * run * size,
                         (const char *)view->data + y * view->stride[0] +
                             (by_plane ? k * view->stride[2] : 0),
                         (size_t)run, size, p->bits_stored, p->high_bit, p->is_signed, *swap);
    *view = packed, *swap = false;
    return MTM_OK;
}

/* Samples of whole bytes, one behind the other or plane by plane. */
static mtm_status plain_rows(job *j, int64_t y, int64_t h, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &j->x->pixels;
    const int64_t n = p->samples, size = p->bits_allocated / 8, w = j->x1 - j->x0;
    const int64_t planes = p->planar ? n : 1, pixel = p->planar ? size : size * n;
    const uint64_t base = (uint64_t)j->frame * j->x->frames->frame_bits / 8;
    const uint64_t plane = (uint64_t)(p->rows * p->columns * size),
                   room_plane = (uint64_t)(h * p->columns * pixel) + 2;
    bool swap = j->x->big_endian && size > 1;
    mtm_array view = {.ndim = n > 1 ? 3 : 2, .dtype = p->raw_dtype, .shape = {h, w, n}};
    const uint8_t *at = NULL;
    uint8_t *to = NULL;

    if (!j->x->frames->memory || j->x->swap_pairs)
        MTM_TRY(room(&j->s->bytes, (uint64_t)planes * room_plane, &to, err));
    for (int64_t k = 0; k < planes; k++) {
        MTM_TRY(rows_of_plane(j, base + (uint64_t)k * plane, y, h, (uint64_t)pixel,
                              to ? to + (uint64_t)k * room_plane : NULL, &at, &view.stride[0], err));
        if (k == 0)
            view.data = (void *)(uintptr_t)at; /* only read */
        else
            view.stride[2] = (at - (const uint8_t *)view.data) / k;
    }
    view.stride[1] = pixel;
    if (!p->planar)
        view.stride[2] = size;
    if (needs_fix(p))
        MTM_TRY(fix_rows(j, &view, &swap, err));
    return emit(j, &view, swap, y - j->y0, err);
}

/* Single bits, or quadruples of two pixels: row by row into numbers. */
static mtm_status packed_rows(job *j, int64_t y, int64_t h, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &j->x->pixels;
    const bool quads = dcm_is_422(p);
    const int64_t w = j->x1 - j->x0, n = p->samples;
    const uint64_t size = quads ? (uint64_t)p->bits_allocated / 8 : 1;
    mtm_array view;
    uint8_t *out;

    MTM_TRY(room(&j->s->unpacked, (uint64_t)(h * w * n) * size, &out, err));
    view = interleaved(out, p->raw_dtype, h, w, (int32_t)n);
    for (int64_t i = 0; i < h; i++) {
        const uint64_t pixel = (uint64_t)((y + i) * p->columns + j->x0), end = pixel + (uint64_t)w;
        uint8_t *const row = out + (uint64_t)(i * w * n) * size;
        const uint8_t *in;

        if (quads) {
            const uint64_t base = (uint64_t)j->frame * (j->x->frames->frame_bits / 8);
            const uint64_t left = j->x->frames->frame_bits / 8 - pixel / 2 * 4 * size,
                           want = ((end + 1) / 2 - pixel / 2) * 4 * size;

            if (want > left)
                return mtm_fail(err, MTM_E_CORRUPT, -1, "an odd number of %s pixels ends in half a pair",
                                p->photometric);
            MTM_TRY(span(j, base + pixel / 2 * 4 * size, want, NULL, &in, err));
            dcm_expand_422(row, in, pixel, (size_t)w, (int)size);
        } else {
            const uint64_t from = (uint64_t)j->frame * j->x->frames->frame_bits + pixel * (uint64_t)n;

            MTM_TRY(span(j, from / 8, (from + (uint64_t)(w * n) + 7) / 8 - from / 8, NULL, &in, err));
            dcm_unpack_bits(row, in, from % 8, (size_t)(w * n));
        }
    }
    return emit(j, &view, quads && size > 1 && j->x->big_endian, y - j->y0, err);
}

static mtm_status native(job *j, bool raw, const int64_t region[4], mtm_error *err)
{
    const mtm_dicom_pixels *const p = &j->x->pixels;
    const bool packed = p->bits_allocated == 1 || dcm_is_422(p);
    const int64_t row = (int64_t)j->x->frames->frame_bits / p->rows / 8 + 1;
    const int64_t step = mtm_max_i64(1, BLOCK_BYTES / row);
    dcm_color color = DCM_COLOR_AS_IS;

    MTM_TRY(dcm_frame_check(j->x->frames, j->frame, err));
    MTM_TRY(set_region(j, region, p->rows, p->columns, err));
    if (!raw)
        MTM_TRY(dcm_color_find(p, false, &color, err));
    MTM_TRY(set_color(j, color, err));
    MTM_TRY(check_dst(j, err));
    if (p->bits_allocated == 1 && p->planar)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "planes of single bits are not read");
    j->bits = p->bits_stored;
    for (int64_t y = j->y0; y < j->y1; y += step) {
        const int64_t h = mtm_min_i64(step, j->y1 - y);

        MTM_TRY(packed ? packed_rows(j, y, h, err) : plain_rows(j, y, h, err));
    }
    return MTM_OK;
}

/* Native samples in fragments (PS3.5 A.4.11): the frame alone, in memory. */
static mtm_status native_in_fragments(const job *j, bool raw, const int64_t region[4], mtm_error *err)
{
    dcm_decoder x = *j->x;
    dcm_frames one = *j->x->frames;
    job alone = *j;

    MTM_TRY(dcm_frame_bytes(j->x->frames, j->frame, &j->s->bytes, err));
    if (j->s->bytes.size_bytes < (one.frame_bits + 7) / 8)
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "the fragments of frame %" PRId64 " have %zu bytes, its header asks for %" PRIu64,
                        j->frame, j->s->bytes.size_bytes, (one.frame_bits + 7) / 8);
    one.n = 1, one.begin = NULL;
    one.memory = j->s->bytes.data, one.size_bytes = j->s->bytes.size_bytes;
    x.frames = &one, x.big_endian = x.swap_pairs = false;
    alone.x = &x, alone.frame = 0;
    return native(&alone, raw, region, err);
}

/* ---- codestreams --------------------------------------------------------------------------------------- */

/* Codecs whose bytes are the samples alone: the header says all. */
static bool is_bare(const char *codec)
{
    return strcmp(codec, "rle") == 0 || strcmp(codec, "deflate") == 0;
}

static mtm_dtype type_of(int32_t bits, bool is_signed)
{
    static const mtm_dtype of[2][4] = {{MTM_U8, MTM_U16, MTM_U32, MTM_U64},
                                       {MTM_I8, MTM_I16, MTM_I32, MTM_I64}};

    return of[is_signed][bits <= 8 ? 0 : bits <= 16 ? 1 : bits <= 32 ? 2 : 3];
}

static int32_t most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static void stream_of_header(dcm_stream *st, const mtm_dicom_pixels *p)
{
    *st = (dcm_stream){.rows = p->rows,
                       .columns = p->columns,
                       .components = p->samples,
                       .bits = p->bits_stored,
                       .is_signed = p->is_signed,
                       .lossless = true};
}

/* The frame's bytes in the scratch, and what they say of themselves. */
static mtm_status fetch(const dcm_decoder *x, dcm_scratch *s, int64_t frame, dcm_stream *st, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &x->pixels;

    if (strcmp(p->codec, "unknown") == 0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "pixels in transfer syntax %s are not decoded",
                        mtm_dicom_transfer_syntax(x->d));
    MTM_TRY(dcm_frame_bytes(x->frames, frame, &s->bytes, err));
    stream_of_header(st, p);
    if (is_bare(p->codec))
        return MTM_OK;
    MTM_TRY(dcm_stream_read(st, p->codec, s->bytes.data, s->bytes.size_bytes, err));
    if (st->rows < 1 || st->rows > UINT16_MAX || st->columns < 1 || st->columns > UINT16_MAX)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the codestream claims %" PRId64 " × %" PRId64 " pixels",
                        st->rows, st->columns);
    if (st->components != p->samples)
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "the codestream has %d components, the header %d samples per pixel", st->components,
                        p->samples);
    return MTM_OK;
}

/* The codestream holds whole words in which the samples do not lie lowest (PS3.5 8.1.1): they lie where they did in the native words. */
static bool is_above(const dcm_stream *st, const mtm_dicom_pixels *p)
{
    return p->high_bit > p->bits_stored - 1 && st->bits > p->high_bit && st->bits <= p->bits_allocated;
}

/* The codestream holds whole words, of which Bits Stored may be the sample: lossless JPEG keeps what stands above them; the others are
 * told nothing of a sign, and get signed samples with or without copies of it (PS3.5 8.1.1): words_fit decides. */
static bool may_be_masked(const dcm_stream *st, const mtm_dicom_pixels *p)
{
    const bool same =
        mtm_dtype_size(type_of(most(p->bits_allocated, st->bits), false)) * 8 == (size_t)p->bits_allocated;

    if (st->bits <= p->bits_stored || !same)
        return false;
    if (strcmp(p->codec, "jpeg") == 0)
        return st->lossless;
    return st->bits == p->bits_allocated && p->is_signed && !st->is_signed;
}

static uint32_t disagreements(const dcm_stream *st, const mtm_dicom_pixels *p, bool masked)
{
    const bool j2k = strstr(p->codec, "j2k") != NULL;
    uint32_t notes = 0;

    if (is_bare(p->codec))
        return 0;
    if (j2k && st->is_signed != p->is_signed)
        notes |= DCM_NOTE_SIGN;
    if (st->bits != p->bits_stored && !is_above(st, p))
        notes |= masked ? DCM_NOTE_UNUSED : DCM_NOTE_BITS;
    if (st->rows != p->rows || st->columns != p->columns)
        notes |= DCM_NOTE_SIZE;
    return notes;
}

/* JPEG components are what the stream says they are, where it says so; else what the header does. */
static mtm_status stream_color(job *j, const dcm_stream *st, uint32_t *notes, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &j->x->pixels;
    const bool j2k = strstr(p->codec, "j2k") != NULL, jpeg = strcmp(p->codec, "jpeg") == 0;
    const bool says_ybr = strncmp(p->photometric, "YBR", 3) == 0;
    dcm_color color = DCM_COLOR_AS_IS;

    if (jpeg && st->color != DCM_STREAM_UNSAID) {
        const bool ybr = st->color == DCM_STREAM_YBR,
                   partial = strncmp(p->photometric, "YBR_PARTIAL", 11) == 0;

        color = !ybr ? DCM_COLOR_AS_IS : partial ? DCM_COLOR_PARTIAL : DCM_COLOR_FULL;
        *notes |= ybr != says_ybr ? DCM_NOTE_COLOR : 0;
    } else {
        MTM_TRY(dcm_color_find(p, j2k, &color, err));
    }
    return set_color(j, color, err);
}

/* The bits that are a sample, and the last of them: as pydicom takes them, codec by codec. False: they are right as they are. */
static bool bits_to_fix(const mtm_dicom_pixels *p, const dcm_stream *st, bool masked, int32_t container,
                        int *stored, int *high)
{
    const bool same = container == p->bits_allocated;

    *stored = st->bits, *high = st->bits - 1;
    if (p->is_float || p->bits_allocated == 1)
        return false;
    if (is_bare(p->codec) || is_above(st, p)) {
        *stored = p->bits_stored, *high = p->high_bit;
        return needs_fix(p);
    }
    if (masked) {
        *stored = p->bits_stored, *high = p->bits_stored - 1;
        return true;
    }
    if (strstr(p->codec, "j2k"))
        return st->is_signed != p->is_signed;
    if (strcmp(p->codec, "jpeg") == 0 && same)
        *stored = p->bits_stored, *high = p->bits_stored - 1;
    if (strcmp(p->codec, "jpeg") == 0)
        return *stored < container && p->is_signed;
    return p->is_signed && *stored < container; /* JPEG-LS knows no sign */
}

static mtm_decode_params params_of(const dcm_decoder *x)
{
    const mtm_dicom_pixels *const p = &x->pixels;
    mtm_decode_params dp = {.struct_size = sizeof dp, .codec = p->codec, .limits = &x->d->limits};

    if (is_bare(p->codec)) {
        dp.shape[0] = p->rows, dp.shape[1] = p->columns, dp.shape[2] = p->samples;
        dp.stored = p->bits_allocated == 1 ? MTM_BOOL : p->raw_dtype;
        dp.stored_planar = p->planar;
    }
    return dp;
}

static mtm_status decode(const job *j, const dcm_stream *st, mtm_array *a, mtm_error *err)
{
    mtm_decode_params dp = params_of(j->x);

    dp.has_region = j->y0 > 0 || j->x0 > 0 || j->y1 < st->rows || j->x1 < st->columns;
    dp.region[0] = j->y0, dp.region[1] = j->y1, dp.region[2] = j->x0, dp.region[3] = j->x1;
    return mtm_decode(j->x->codec, j->s->bytes.data, j->s->bytes.size_bytes, &dp, a, err);
}

/* True when no word of the frame has a bit above Bits Stored: then negative samples lie there without copies of their sign. Words that
 * do have such bits are copies of the sign, or a precision that the header does not know: either way the codestream's words are the
 * samples. The whole frame is looked at, so that a part of it reads as it does in the whole. */
static mtm_status words_fit(const job *j, const dcm_stream *st, int32_t container, bool *fit, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &j->x->pixels;
    const uint64_t n = (uint64_t)(st->rows * st->columns * p->samples);
    job whole = *j;
    uint64_t bits = 0;
    uint8_t *out;

    whole.y0 = whole.x0 = 0, whole.y1 = st->rows, whole.x1 = st->columns;
    MTM_TRY(room(&j->s->samples, n * (uint64_t)container / 8, &out, err));
    mtm_array a = interleaved(out, type_of(container, false), st->rows, st->columns, p->samples);
    MTM_TRY(decode(&whole, st, &a, err));
    for (uint64_t i = 0; i < n; i++)
        bits |= container == 8    ? out[i]
                : container == 16 ? ((const uint16_t *)(const void *)out)[i]
                                  : ((const uint32_t *)(const void *)out)[i];
    *fit = bits >> p->bits_stored == 0;
    return MTM_OK;
}

static mtm_status encapsulated(job *j, bool raw, const int64_t region[4], uint32_t *notes, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &j->x->pixels;
    int stored, high;
    dcm_stream st;
    mtm_array a;
    uint8_t *out;

    MTM_TRY(fetch(j->x, j->s, j->frame, &st, err));

    const int32_t container = (int32_t)mtm_dtype_size(type_of(most(p->bits_allocated, st.bits), false)) * 8;
    bool masked = may_be_masked(&st, p);

    if (masked && strcmp(p->codec, "jpeg"))
        MTM_TRY(words_fit(j, &st, container, &masked, err));
    *notes |= disagreements(&st, p, masked);
    MTM_TRY(set_region(j, region, st.rows, st.columns, err));
    MTM_TRY(raw ? set_color(j, DCM_COLOR_AS_IS, err) : stream_color(j, &st, notes, err));
    MTM_TRY(check_dst(j, err));

    const bool fix = bits_to_fix(p, &st, masked, container, &stored, &high);
    const mtm_dtype as_stored = p->is_float ? p->raw_dtype : type_of(container, st.is_signed);
    const mtm_dtype read_as = p->is_float ? p->raw_dtype : type_of(container, p->is_signed);

    j->bits = st.bits;
    if (!fix && as_stored == read_as && j->color == DCM_COLOR_AS_IS && j->dst->dtype == read_as &&
        j->slope == 1 && j->inter == 0)
        return decode(j, &st, j->dst, err);
    MTM_TRY(room(&j->s->samples, (uint64_t)((j->y1 - j->y0) * (j->x1 - j->x0) * p->samples * container / 8),
                 &out, err));
    a = interleaved(out, as_stored, j->y1 - j->y0, j->x1 - j->x0, p->samples);
    MTM_TRY(decode(j, &st, &a, err));
    if (fix)
        dcm_fix_bits(out, out, (size_t)mtm_array_count(&a), container / 8, stored, high, p->is_signed, false);
    a.dtype = read_as;
    return emit(j, &a, false, 0, err);
}

/* ---- frames -------------------------------------------------------------------------------------------- */

static mtm_status check_frame(const dcm_decoder *x, int64_t frame, mtm_error *err)
{
    if (frame < 0 || frame >= x->pixels.frames)
        return mtm_fail(err, MTM_E_INVAL, -1, "there is no frame %" PRId64 "; there are %" PRId64, frame,
                        x->pixels.frames);
    return MTM_OK;
}

mtm_status dcm_frame_into(const dcm_decoder *x, dcm_scratch *s, int64_t frame, const int64_t region[4],
                          bool raw, double slope, double inter, mtm_array *dst, uint32_t *notes,
                          mtm_error *err)
{
    job j = {.x = x, .s = s, .frame = frame, .slope = slope, .inter = inter, .dst = dst};

    MTM_TRY(check_frame(x, frame, err));
    *notes |= x->notes;
    if (!x->pixels.encapsulated)
        return native(&j, raw, region, err);
    if (!strcmp(x->pixels.codec, "none"))
        return native_in_fragments(&j, raw, region, err);
    return encapsulated(&j, raw, region, notes, err);
}

mtm_status dcm_frame_shape(const dcm_decoder *x, dcm_scratch *s, int64_t frame, int64_t shape[2],
                           mtm_dtype *raw_dtype, mtm_error *err)
{
    const mtm_decode_params dp = params_of(x);
    int64_t unused_shape[3];
    mtm_dtype unused;
    dcm_stream st;
    bool same;
    int32_t ndim;

    MTM_TRY(check_frame(x, frame, err));
    stream_of_header(&st, &x->pixels);
    if (x->pixels.encapsulated && strcmp(x->pixels.codec, "none")) {
        MTM_TRY(fetch(x, s, frame, &st, err));
        /* the codec weighs size against bytes and limits before anyone makes room for it */
        MTM_TRY(mtm_decode_shape(x->codec, s->bytes.data, s->bytes.size_bytes, &dp, &ndim, unused_shape,
                                 &unused, &same, err));
    }
    shape[0] = st.rows, shape[1] = st.columns;
    *raw_dtype =
        st.bits > x->pixels.bits_allocated ? type_of(st.bits, x->pixels.is_signed) : x->pixels.raw_dtype;
    return MTM_OK;
}

void dcm_notes_text(const dcm_decoder *x, uint32_t notes, char *text, size_t room_bytes)
{
    static const struct {
        uint32_t note;
        const char *says;
    } table[] = {
        {DCM_NOTE_SIGN, "the codestream's sign differs from Pixel Representation, which decides"},
        {DCM_NOTE_BITS, "the codestream's precision differs from Bits Stored; the codestream decides"},
        {DCM_NOTE_UNUSED, "the codestream's precision is over Bits Stored, which decides: what stands above "
                          "is no part of a sample"},
        {DCM_NOTE_SIZE, "the codestream's size differs from Rows and Columns; the codestream decides"},
        {DCM_NOTE_COLOR, "Photometric Interpretation differs from the pixel data, which decides"},
        {DCM_NOTE_FRAMES, "Number of Frames is 0 or no number; 1 is assumed"},
        {DCM_NOTE_HIGH_BIT,
         "High Bit contradicts Bits Stored and Bits Allocated; Bits Stored − 1 is assumed"},
        {DCM_NOTE_ASSUMED, "a required attribute of the pixel data is absent; the obvious value is assumed"},
    };
    size_t n = 0;

    if (room_bytes)
        text[0] = '\0';
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (notes & table[i].note && n < room_bytes)
            n += (size_t)snprintf(text + n, room_bytes - n, "%s%s", n ? "\n" : "", table[i].says);
    if (x->frames->warning[0] && n < room_bytes)
        snprintf(text + n, room_bytes - n, "%s%s", n ? "\n" : "", x->frames->warning);
}
