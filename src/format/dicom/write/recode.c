/* format/dicom/write/recode.c: one frame out of the source's syntax and into another. Cells go as they are where the new syntax holds all
 * their bits; codestreams hold the stored bits, and whatever else a cell has is noticed before it is lost.
 * SPDX-License-Identifier: Apache-2.0 */
#include "transcode.h"

#include "base/size.h"

mtm_status dcm_frame_samples(const dcm_decoder *x, dcm_scratch *s, int64_t frame, mtm_array *out,
                             mtm_error *err)
{
    const mtm_dicom_pixels *const p = &x->pixels;
    uint32_t notes = 0;
    int64_t shape[3];
    mtm_dtype type;
    mtm_status status;

    MTM_TRY(dcm_frame_shape(x, s, frame, shape, &type, err));
    if (shape[0] != p->rows || shape[1] != p->columns)
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "frame %" PRId64 " has %" PRId64 " × %" PRId64 " pixels, the header says %" PRId64
                        " × %" PRId64,
                        frame, shape[0], shape[1], p->rows, p->columns);
    shape[2] = p->samples;
    MTM_TRY(mtm_array_new(out, type, p->samples > 1 ? 3 : 2, shape, NULL, err));
    status = dcm_frame_into(x, s, frame, NULL, true, 1, 0, out, &notes, err);
    if (status != MTM_OK)
        mtm_array_drop(out);
    return status;
}

/* ---- cells -------------------------------------------------------------------------------------------- */

/* A frame's cells as unsigned numbers of the whole allocated width, in little endian memory of the scratch: a view [Y, X] or
 * [Y, X, C]. */
static mtm_status native_cells(const dcm_recode *r, dcm_scratch *s, int64_t frame, mtm_array *out,
                               mtm_error *err)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;
    const mtm_dicom_element *const e = mtm_dicom_find(r->d, NULL, DCM_PIXELS);
    const int size = p->bits_allocated / 8;
    const mtm_dtype type = size == 1 ? MTM_U8 : size == 2 ? MTM_U16 : MTM_U32;

    MTM_TRY(dcm_frame_bytes(r->source->frames, frame, &s->bytes, err));
    if (e->flags & MTM_DICOM_BIG_ENDIAN && !r->source->swap_pairs)
        dcm_turn(s->bytes.data, s->bytes.size_bytes, (size_t)size);
    *out = mtm_array_wrap(s->bytes.data, type, p->samples > 1 ? 3 : 2,
                          (const int64_t[]){p->rows, p->columns, p->samples});
    if (p->planar && p->samples > 1) {
        out->stride[0] = p->columns * size;
        out->stride[1] = size;
        out->stride[2] = p->rows * p->columns * size;
    }
    return MTM_OK;
}

static uint32_t cell_at(const uint8_t *p, int size)
{
    uint32_t v = 0;

    memcpy(&v, p, (size_t)size); /* little endian */
    return v;
}

/* Codestreams keep the stored bits: the others must be zeros, or repeat the sign. */
static mtm_status unused_check(const dcm_recode *r, dcm_scratch *s, int64_t frame, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;
    const int low = p->high_bit + 1 - p->bits_stored, size = p->bits_allocated / 8;
    const uint32_t all = size == 4 ? UINT32_MAX : (UINT32_C(1) << 8 * size) - 1;
    const uint32_t stored = p->bits_stored >= 32 ? UINT32_MAX : ((UINT32_C(1) << p->bits_stored) - 1) << low;
    const uint32_t above = all & ~stored & ~((UINT32_C(1) << low) - 1), sign = UINT32_C(1) << p->high_bit;
    mtm_array cells;
    int64_t n;

    MTM_TRY(native_cells(r, s, frame, &cells, err));
    n = mtm_array_count(&cells);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t v = cell_at(s->bytes.data + i * size, size), rest = v & all & ~stored;

        if (rest != 0 && !(p->is_signed && v & sign && rest == above))
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "cells of frame %" PRId64
                            " use more than the %d stored bits (an overlay, perhaps), which %s would lose; "
                            "RLELossless keeps them",
                            frame, p->bits_stored, r->to->keyword);
    }
    return MTM_OK;
}

/* ---- into bytes --------------------------------------------------------------------------------------- */

/* Packed bits, the first lowest; each frame begins a byte (PS3.5 A.4.12). */
static mtm_status put_bits(const mtm_array *a, mtm_bytes *out, mtm_error *err)
{
    const uint8_t *const v = a->data;
    const int64_t n = mtm_array_count(a);
    const size_t size = (size_t)(n + 7) / 8;

    out->size_bytes = 0;
    MTM_TRY(mtm_bytes_reserve(out, size, err));
    memset(out->data, 0, size);
    for (int64_t i = 0; i < n; i++)
        out->data[i >> 3] |= (uint8_t)((v[i] != 0) << (i & 7));
    out->size_bytes = size;
    return MTM_OK;
}

/* Little endian cells of the result's width, samples of a pixel side by side. */
static mtm_status put_cells(const dcm_recode *r, const mtm_array *a, mtm_bytes *out, mtm_error *err)
{
    const bool is_signed = a->dtype == MTM_I8 || a->dtype == MTM_I16 || a->dtype == MTM_I32;
    const mtm_dtype type = r->bits_allocated == 8    ? (is_signed ? MTM_I8 : MTM_U8)
                           : r->bits_allocated == 16 ? (is_signed ? MTM_I16 : MTM_U16)
                                                     : (is_signed ? MTM_I32 : MTM_U32);
    const size_t size = (size_t)mtm_array_count(a) * mtm_dtype_size(type);
    mtm_array to;

    if (r->bits_allocated == 1)
        return put_bits(a, out, err);
    out->size_bytes = 0;
    MTM_TRY(mtm_bytes_reserve(out, size, err));
    to = mtm_array_wrap(out->data, type, a->ndim, a->shape);
    MTM_TRY(mtm_array_convert(&to, a, 1, 0, NULL, err));
    out->size_bytes = size;
    return MTM_OK;
}

/* JPEG and JPEG-LS have no sign: two's complement of the stored bits (PS3.5 8.2.1, 8.2.3). In place. */
static void drop_sign(mtm_array *a, int bits)
{
    const int64_t n = mtm_array_count(a);
    const uint32_t mask = (UINT32_C(1) << bits) - 1; /* bits ≤ 16 */

    if (a->dtype == MTM_I8) {
        uint8_t *const v = a->data;

        for (int64_t i = 0; i < n; i++)
            v[i] &= (uint8_t)mask;
        a->dtype = MTM_U8;
    } else if (a->dtype == MTM_I16) {
        uint16_t *const v = a->data;

        for (int64_t i = 0; i < n; i++)
            v[i] &= (uint16_t)mask;
        a->dtype = MTM_U16;
    }
}

static mtm_status put_codestream(const dcm_recode *r, mtm_array *a, mtm_pool *pool, mtm_bytes *out,
                                 mtm_error *err)
{
    mtm_encode_params p = r->encode;

    p.pool = pool;
    if (!strcmp(r->to->codec, "jpeg") || !strcmp(r->to->codec, "jpegls"))
        drop_sign(a, p.bits);
    if (r->bits_allocated == 1)
        a->dtype = MTM_BOOL;
    out->size_bytes = 0;
    return mtm_encode(r->codec, a, false, &p, out, err);
}

/* The cells as a deflate stream without zlib's header (PS3.5 A.4.13, RFC 1951). */
static mtm_status put_deflated(const dcm_recode *r, const mtm_array *a, mtm_bytes *out, mtm_error *err)
{
    mtm_bytes cells = {0};
    z_stream z = {0};
    mtm_status s = put_cells(r, a, &cells, err);

    out->size_bytes = 0;
    if (s == MTM_OK && cells.size_bytes > UINT32_MAX / 2)
        s = mtm_fail(err, MTM_E_UNSUPPORTED, -1, "a frame of %zu bytes is too long to be deflated",
                     cells.size_bytes);
    if (s == MTM_OK &&
        deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        s = MTM_NOMEM(err);
    if (s == MTM_OK) {
        s = mtm_bytes_reserve(out, deflateBound(&z, cells.size_bytes), err);
        z.next_in = cells.data, z.avail_in = (uInt)cells.size_bytes;
        z.next_out = out->data, z.avail_out = (uInt)out->room_bytes;
        if (s == MTM_OK && deflate(&z, Z_FINISH) != Z_STREAM_END)
            s = mtm_fail(err, MTM_E_IO, -1, "zlib could not deflate a frame");
        out->size_bytes = s == MTM_OK ? z.total_out : 0;
        deflateEnd(&z);
    }
    mtm_bytes_drop(&cells);
    return s;
}

mtm_status dcm_frame_recode(const dcm_recode *r, dcm_scratch *s, int64_t frame, mtm_pool *pool,
                            mtm_bytes *out, mtm_error *err)
{
    mtm_array a = {0};
    mtm_status status;

    if (r->check_unused)
        MTM_TRY(unused_check(r, s, frame, err));
    if (r->native_cells)
        MTM_TRY(native_cells(r, s, frame, &a, err));
    else
        MTM_TRY(dcm_frame_samples(r->source, s, frame, &a, err));
    if (!strcmp(r->to->codec, "none"))
        status = put_cells(r, &a, out, err);
    else if (!strcmp(r->to->codec, "deflate"))
        status = put_deflated(r, &a, out, err);
    else
        status = put_codestream(r, &a, pool, out, err);
    mtm_array_drop(&a);
    return status;
}
