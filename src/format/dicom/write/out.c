/* format/dicom/write/out.c: buffered and deflated output.
 * SPDX-License-Identifier: Apache-2.0 */
#include "out.h"

mtm_status dcm_out_new(dcm_out **out, mtm_writer *w, mtm_error *err)
{
    dcm_out *const o = mtm_alloc(sizeof *o);

    if (!o)
        return MTM_NOMEM(err);
    o->w = w, o->at = 0, o->used = 0, o->deflated_bytes = 0, o->deflating = false;
    o->z = (z_stream){0};
    *out = o;
    return MTM_OK;
}

void dcm_out_free(dcm_out *o)
{
    if (!o)
        return;
    if (o->deflating)
        deflateEnd(&o->z);
    mtm_free(o);
}

/* Runs the deflater over n bytes and hands on what it gives. */
static mtm_status squeeze(dcm_out *o, uint8_t *data, size_t n, int flush, mtm_error *err)
{
    int code;

    o->z.next_in = data;
    o->z.avail_in = (uInt)n;
    do {
        o->z.next_out = o->packed;
        o->z.avail_out = DCM_OUT_BYTES;
        code = deflate(&o->z, flush);
        if (code == Z_STREAM_ERROR)
            return mtm_fail(err, MTM_E_IO, -1, "zlib could not deflate the data set");
        o->deflated_bytes += DCM_OUT_BYTES - o->z.avail_out;
        MTM_TRY(mtm_writer_put(o->w, o->packed, DCM_OUT_BYTES - o->z.avail_out, err));
    } while (flush == Z_FINISH ? code != Z_STREAM_END : o->z.avail_out == 0);
    return MTM_OK;
}

mtm_status dcm_out_flush(dcm_out *o, mtm_error *err)
{
    const size_t n = o->used;

    o->used = 0;
    if (n == 0)
        return MTM_OK;
    return o->deflating ? squeeze(o, o->buffer, n, Z_NO_FLUSH, err) : mtm_writer_put(o->w, o->buffer, n, err);
}

mtm_status dcm_out_put(dcm_out *o, const void *data, size_t n, mtm_error *err)
{
    const uint8_t *p = data;

    o->at += n;
    if (!o->deflating && n >= DCM_OUT_BYTES) { /* nothing is won by the buffer */
        MTM_TRY(dcm_out_flush(o, err));
        return mtm_writer_put(o->w, p, n, err);
    }
    while (n > 0) {
        const size_t take = n < DCM_OUT_BYTES - o->used ? n : DCM_OUT_BYTES - o->used;

        memcpy(o->buffer + o->used, p, take);
        o->used += take, p += take, n -= take;
        if (o->used == DCM_OUT_BYTES)
            MTM_TRY(dcm_out_flush(o, err));
    }
    return MTM_OK;
}

mtm_status dcm_out_zeros(dcm_out *o, uint64_t n, mtm_error *err)
{
    static const uint8_t zeros[512];

    for (; n > 0; n -= n < sizeof zeros ? n : sizeof zeros)
        MTM_TRY(dcm_out_put(o, zeros, n < sizeof zeros ? (size_t)n : sizeof zeros, err));
    return MTM_OK;
}

mtm_status dcm_out_u16(dcm_out *o, uint16_t v, bool big_endian, mtm_error *err)
{
    const uint8_t b[2] = {(uint8_t)(big_endian ? v >> 8 : v), (uint8_t)(big_endian ? v : v >> 8)};

    return dcm_out_put(o, b, 2, err);
}

mtm_status dcm_out_u32(dcm_out *o, uint32_t v, bool big_endian, mtm_error *err)
{
    MTM_TRY(dcm_out_u16(o, (uint16_t)(big_endian ? v >> 16 : v), big_endian, err));
    return dcm_out_u16(o, (uint16_t)(big_endian ? v : v >> 16), big_endian, err);
}

mtm_status dcm_out_deflate(dcm_out *o, mtm_error *err)
{
    MTM_TRY(dcm_out_flush(o, err));
    /* −15: a deflate stream without zlib's header (RFC 1951) */
    if (deflateInit2(&o->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return MTM_NOMEM(err);
    o->deflating = true;
    return MTM_OK;
}

mtm_status dcm_out_finish(dcm_out *o, mtm_error *err)
{
    MTM_TRY(dcm_out_flush(o, err));
    if (!o->deflating)
        return MTM_OK;
    MTM_TRY(squeeze(o, o->buffer, 0, Z_FINISH, err));
    return o->deflated_bytes % 2 ? mtm_writer_put(o->w, "", 1, err) : MTM_OK;
}

mtm_status dcm_out_patch(dcm_out *o, uint64_t offset_bytes, const void *data, size_t n, mtm_error *err)
{
    MTM_TRY(dcm_out_flush(o, err));
    return mtm_writer_patch(o->w, offset_bytes, data, n, err);
}
