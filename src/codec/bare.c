/* codec/bare.c: RLE and deflated frames in the table of codecs: streams that do not say their shape.
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/bare.h"

#include "base/size.h"
#include "codec/deflate.h"
#include "codec/rle.h"

enum { RLE_EXPANSION = 64 /* two bytes become 128 */, DEFLATE_EXPANSION = 1032 };

mtm_status mtm_bare_picture(mtm_codec_picture *out, const char *codec, size_t n, const mtm_decode_params *p,
                            uint64_t expansion, mtm_error *err)
{
    const int64_t channels = p->shape[2] ? p->shape[2] : 1;
    const int64_t shape[3] = {p->shape[0], p->shape[1], channels};
    const bool bits = p->stored == MTM_BOOL;
    uint64_t bytes;

    if (!mtm_dtype_size(p->stored) || p->shape[0] < 1 || p->shape[1] < 1 || channels < 1 ||
        channels > INT16_MAX)
        return mtm_fail(
            err, MTM_E_INVAL, -1,
            "codec %s does not say what it holds: shape (height, width, channels) and type are needed",
            codec);
    MTM_TRY(mtm_extent_bytes(&bytes, 3, shape, mtm_dtype_size(p->stored), UINT64_MAX >> 1,
                             "the decoded image", err));
    if (!p->partial && (bits ? bytes / 8 : bytes) / expansion > n)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)n,
                        "%zu bytes cannot hold the %" PRIu64 " of the picture", n, bits ? bytes / 8 : bytes);
    *out = (mtm_codec_picture){.height = p->shape[0],
                               .width = p->shape[1],
                               .channels = (int32_t)channels,
                               .bits = bits ? 1 : (int32_t)mtm_dtype_size(p->stored) * 8,
                               .dtype = p->stored,
                               .order = MTM_ORDER_ANY};
    return MTM_OK;
}

/* ---- RLE ---------------------------------------------------------------------------------------------- */

static mtm_status rle_info(mtm_codec_info **out, const uint8_t *in, size_t n, const mtm_limits *lim,
                           mtm_error *err)
{
    const mtm_codec_picture unknown = {.bits = 8};
    mtm_codec_component *components;
    mtm_codec_marker *markers;
    mtm_rle_segments s;

    MTM_TRY(mtm_rle_segments_read(&s, in, n, err));
    MTM_TRY(mtm_codec_info_make(out, "rle", &unknown, 0, s.n, n, &components, &markers, err));
    (*out)->color = "unknown", (*out)->lossless_capable = (*out)->reversible = true;
    for (int32_t i = 0; i < s.n; i++)
        markers[i] = (mtm_codec_marker){.code = (uint16_t)i,
                                        .name = "segment",
                                        .offset_bytes = s.begin[i],
                                        .size_bytes = (int64_t)s.end[i] - s.begin[i]};
    return MTM_OK;
}

static mtm_status rle_picture(mtm_codec_picture *out, const uint8_t *in, size_t n, const mtm_decode_params *p,
                              mtm_error *err)
{
    return mtm_bare_picture(out, "rle", n, p, RLE_EXPANSION, err);
}

static mtm_status rle_decode(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                             const mtm_codec_picture *pic, const mtm_array *dst, mtm_error *err)
{
    const mtm_rle_params rle = {.bits = pic->dtype == MTM_BOOL, .decode = p};

    return mtm_rle_decode(dst, in, n, &rle, err);
}

static mtm_status rle_encode(mtm_codec_ctx *c, const mtm_array *planes, int32_t n_planes,
                             const mtm_encode_params *p, mtm_bytes *out, mtm_error *err)
{
    mtm_array a = {0};
    mtm_status s;

    if (p->lossy)
        return mtm_fail(err, MTM_E_INVAL, -1, "RLE is lossless");
    s = mtm_whole_gather(&a, planes, n_planes, MTM_ORDER_ANY, err);
    if (!s)
        s = mtm_rle_encode(out, &a, a.dtype == MTM_BOOL, err);
    mtm_array_drop(&a);
    return s;
}

const mtm_codec mtm_codec_rle = {
    .name = "rle",
    .flags = MTM_CODEC_ENCODE,
    .detect = mtm_rle_detect,
    .info = rle_info,
    .info_free = mtm_codec_info_drop,
    .picture = rle_picture,
    .decode_picture = rle_decode,
    .encode = rle_encode,
};

/* ---- deflated frames (PS3.5 A.4.13) ------------------------------------------------------------------- */

static mtm_status deflate_picture(mtm_codec_picture *out, const uint8_t *in, size_t n,
                                  const mtm_decode_params *p, mtm_error *err)
{
    return mtm_bare_picture(out, "deflate", n, p, DEFLATE_EXPANSION, err);
}

/* Bits, the first lowest, sample by sample of every pixel. */
static void put_bits(const mtm_array *dst, const uint8_t *bits)
{
    uint64_t at = 0;

    for (int64_t y = 0; y < dst->shape[0]; y++)
        for (int64_t x = 0; x < dst->shape[1]; x++)
            for (int64_t c = 0; c < dst->shape[2]; c++, at++)
                ((char *)dst->data)[y * dst->stride[0] + x * dst->stride[1] + c * dst->stride[2]] =
                    bits[at / 8] >> at % 8 & 1;
}

static mtm_status put_samples(const mtm_array *dst, const uint8_t *samples, bool planar, mtm_error *err)
{
    const int64_t size = (int64_t)mtm_dtype_size(dst->dtype);
    mtm_array to = *dst, from = *dst;

    from.data = (void *)(uintptr_t)samples; /* only read */
    from.stride[1] = planar ? size : size * dst->shape[2];
    from.stride[0] = from.stride[1] * dst->shape[1];
    from.stride[2] = planar ? from.stride[0] * dst->shape[0] : size;
    return mtm_array_convert(&to, &from, 1, 0, NULL, err);
}

static mtm_status deflate_decode(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                                 const mtm_codec_picture *pic, const mtm_array *dst, mtm_error *err)
{
    const mtm_limits lim = p->limits ? *p->limits : mtm_limits_default();
    const bool bits = pic->dtype == MTM_BOOL;
    const uint64_t count = (uint64_t)pic->height * (uint64_t)pic->width * (uint64_t)pic->channels;
    const uint64_t wanted = bits ? (count + 7) / 8 : count * mtm_dtype_size(pic->dtype);
    MTM_AUTO_MEM uint8_t *samples = NULL;
    size_t got;

    MTM_TRY(mtm_raw_inflate(&samples, &got, in, n, (size_t)wanted + 2, wanted + 2, lim.max_expansion, err));
    if (got < wanted)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)n,
                        "the deflated frame holds %zu bytes, %" PRIu64 " are needed", got, wanted);
    if (!bits)
        return put_samples(dst, samples, p->stored_planar, err);
    put_bits(dst, samples);
    return MTM_OK;
}

const mtm_codec mtm_codec_deflate = {
    .name = "deflate",
    .picture = deflate_picture,
    .decode_picture = deflate_decode,
};
