/* codec/jpegls/jpegls.c: JPEG-LS (ITU-T T.87 | ISO/IEC 14495-1) in the table of codecs: lossless and near-lossless, 2 to 16 bits. Our own
 * decoder; the encoder is CharLS.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "decode.h"
#include "encode.h"

static mtm_status picture_of(mtm_codec_picture *out, const jls_stream *s, mtm_error *err)
{
    if (s->transform && s->n_components == 3 && s->bits != 8 && s->bits != 16)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "JPEG-LS colour transform %d of %d bits", s->transform,
                        s->bits);
    *out = (mtm_codec_picture){.height = s->height,
                               .width = s->width,
                               .channels = s->n_components,
                               .bits = s->bits,
                               .dtype = s->bits <= 8 ? MTM_U8 : MTM_U16,
                               .order = MTM_ORDER_ANY};
    return MTM_OK;
}

static mtm_status picture(mtm_codec_picture *out, const uint8_t *in, size_t n, const mtm_decode_params *p,
                          mtm_error *err)
{
    jls_stream s;

    MTM_TRY(jls_open(&s, in, n, NULL, NULL, err));
    return picture_of(out, &s, err);
}

/* ---- what info says ------------------------------------------------------------------------------------ */

typedef struct seen {
    mtm_codec_marker *markers; /* NULL: only counted */
    int32_t n;
} seen;

static mtm_status note_marker(void *user, uint8_t code, size_t offset, size_t bytes, mtm_error *err)
{
    seen *const to = user;

    if (to->markers)
        to->markers[to->n] = (mtm_codec_marker){.code = (uint16_t)(0xFF00 | code),
                                                .name = code == JLS_SOF                         ? "SOF55"
                                                        : code == JLS_LSE                       ? "LSE"
                                                        : code == JLS_COM                       ? "COM"
                                                        : code == JLS_DRI                       ? "DRI"
                                                        : code >= JLS_APP0 && code <= JLS_APP15 ? "APP"
                                                                                                : "?",
                                                .offset_bytes = (int64_t)offset,
                                                .size_bytes = (int64_t)bytes};
    to->n++;
    return MTM_OK;
}

static mtm_status info(mtm_codec_info **out, const uint8_t *in, size_t n, const mtm_limits *lim,
                       mtm_error *err)
{
    static const char *const modes[] = {"none", "line", "sample"};
    seen met = {.n = 0};
    mtm_codec_component *components;
    mtm_codec_picture pic;
    jls_scan scan;
    jls_stream s;
    bool more;

    MTM_TRY(jls_open(&s, in, n, note_marker, &met, err));
    s.seen = NULL;
    MTM_TRY(picture_of(&pic, &s, err));
    MTM_TRY(jls_next_scan(&s, &scan, &more, err));
    MTM_TRY(mtm_codec_info_make(out, "jpegls", &pic, pic.channels, met.n, n, &components, &met.markers, err));
    met.n = 0;
    (void)jls_open(&s, in, n, note_marker, &met, NULL); /* as before */
    (*out)->near_lossless = scan.near;
    (*out)->reversible = (*out)->lossless_capable = scan.near == 0;
    (*out)->progression = modes[scan.interleave];
    for (int32_t i = 0; i < pic.channels; i++)
        components[i].reversible = scan.near == 0;
    return MTM_OK;
}

/* ---- decoding ------------------------------------------------------------------------------------------ */

static mtm_status decode_scans(const uint8_t *in, size_t n, const mtm_array *dst, mtm_error *err)
{
    bool done[JLS_MOST_COMPONENTS] = {false};
    int32_t left;
    jls_scan scan;
    jls_stream s;
    bool more;

    MTM_TRY(jls_open(&s, in, n, NULL, NULL, err));
    for (left = s.n_components;;) {
        MTM_TRY(jls_next_scan(&s, &scan, &more, err));
        if (!more)
            break;
        for (int32_t i = 0; i < scan.n; i++, left--) {
            if (done[scan.component[i]])
                return mtm_fail(err, MTM_E_CORRUPT, scan.offset, "a second scan of component %d",
                                s.ids[scan.component[i]]);
            done[scan.component[i]] = true;
        }
        MTM_TRY(jls_decode_scan(&s, &scan, dst, err));
    }
    return left ? mtm_fail(err, MTM_E_CORRUPT, (int64_t)s.at,
                           "the stream ends before %d of its %d components", left, s.n_components)
                : MTM_OK;
}

static mtm_status decode(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                         const mtm_codec_picture *pic, const mtm_array *dst, mtm_error *err)
{
    const size_t size = mtm_dtype_size(pic->dtype);
    mtm_error why = {0};
    mtm_status s;

    for (int64_t y = 0; p->partial && y < pic->height; y++) /* what is missing stays 0 */
        for (int64_t x = 0; x < pic->width; x++)
            for (int64_t i = 0; i < pic->channels; i++)
                memset((char *)dst->data + y * dst->stride[0] + x * dst->stride[1] + i * dst->stride[2], 0,
                       size);
    s = decode_scans(in, n, dst, &why);
    if (s == MTM_E_CORRUPT && p->partial) {
        mtm_codec_note(p, "%.100s", why.text);
        return MTM_OK;
    }
    if (s && err)
        *err = why;
    return s;
}

const mtm_codec mtm_codec_jpegls = {
    .name = "jpegls",
    .flags = MTM_CODEC_ENCODE,
    .detect = jls_detect,
    .info = info,
    .info_free = mtm_codec_info_drop,
    .picture = picture,
    .decode_picture = decode,
    .encode = jls_encode,
};
