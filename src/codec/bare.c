/* codec/bare.c: RLE and deflated frames in the table of codecs: streams that do not say their shape.
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/bare.h"

#include "base/size.h"
#include "codec/rle.h"

enum { RLE_EXPANSION = 64 /* two bytes become 128 */ };

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
