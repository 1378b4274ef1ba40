/* codec/jpegls.c: JPEG-LS (ITU-T T.87 | ISO/IEC 14495-1) by CharLS: lossless and near-lossless, 2 to 16 bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <charls/charls.h>

#include "base/size.h"
#include "codec.h"

enum { SOI = 0xD8, SOF_LS = 0xF7, SOS = 0xDA };

typedef charls_jpegls_decoder decoder;
MTM_DEFINE_AUTO(decoder, charls_jpegls_decoder_destroy)
typedef charls_jpegls_encoder encoder;
MTM_DEFINE_AUTO(encoder, charls_jpegls_encoder_destroy)

/* CharLS's answer as ours; `offset`: −1 where it says none. */
static mtm_status fail_of(charls_jpegls_errc e, bool encoding, mtm_error *err)
{
    switch (e) {
    case CHARLS_JPEGLS_ERRC_SUCCESS: return MTM_OK;
    case CHARLS_JPEGLS_ERRC_NOT_ENOUGH_MEMORY: return MTM_NOMEM(err);
    case CHARLS_JPEGLS_ERRC_PARAMETER_VALUE_NOT_SUPPORTED:
    case CHARLS_JPEGLS_ERRC_BIT_DEPTH_FOR_TRANSFORM_NOT_SUPPORTED:
    case CHARLS_JPEGLS_ERRC_COLOR_TRANSFORM_NOT_SUPPORTED:
    case CHARLS_JPEGLS_ERRC_ENCODING_NOT_SUPPORTED:
    case CHARLS_JPEGLS_ERRC_JPEGLS_PRESET_EXTENDED_PARAMETER_TYPE_NOT_SUPPORTED:
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "JPEG-LS: %s", charls_get_error_message(e));
    case CHARLS_JPEGLS_ERRC_SOURCE_BUFFER_TOO_SMALL:
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the JPEG-LS stream ends too early");
    default:
        return mtm_fail(err, encoding ? MTM_E_INVAL : MTM_E_CORRUPT, -1, "JPEG-LS: %s",
                        charls_get_error_message(e));
    }
}
#define TRY_LS(call, encoding, err) MTM_TRY(fail_of((call), (encoding), (err)))

/* ---- markers ------------------------------------------------------------------------------------------ */

typedef struct segment {
    uint8_t code;
    size_t at, size_bytes; /* marker and segment */
} segment;

/* The marker segment at s->at + s->size_bytes; false: none that fits into the bytes. */
static bool next_segment(segment *s, const uint8_t *in, size_t n)
{
    size_t at = s->at + s->size_bytes;

    while (at + 1 < n && in[at] == 0xFF && in[at + 1] == 0xFF) /* fill bytes, T.81 B.1.1.2 */
        at++;
    if (at + 4 > n || in[at] != 0xFF || in[at + 1] < 0xC0)
        return false;
    *s = (segment){in[at + 1], at, (size_t)2 + ((size_t)in[at + 2] << 8 | in[at + 3])};
    return s->size_bytes >= 4 && s->size_bytes <= n - at;
}

static bool detect(const uint8_t *in, size_t n)
{
    segment s = {.size_bytes = 2};

    if (n < 4 || in[0] != 0xFF || in[1] != SOI)
        return false;
    while (next_segment(&s, in, n))
        if (s.code == SOF_LS)
            return true;
        else if (s.code == SOS || (s.code >= 0xC0 && s.code <= 0xC3))
            return false;
    return false;
}

/* ---- headers ------------------------------------------------------------------------------------------ */

typedef struct header {
    charls_frame_info frame;
    charls_interleave_mode interleave;
    int32_t near;
} header;

static mtm_status header_read(decoder **out, header *h, const uint8_t *in, size_t n, mtm_error *err)
{
    MTM_AUTO(decoder) d = charls_jpegls_decoder_create();
    charls_spiff_header spiff;
    int32_t found;

    if (!d)
        return MTM_NOMEM(err);
    if (!n)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "a JPEG-LS stream of no bytes");
    TRY_LS(charls_jpegls_decoder_set_source_buffer(d, in, n), false, err);
    TRY_LS(charls_jpegls_decoder_read_spiff_header(d, &spiff, &found), false, err);
    TRY_LS(charls_jpegls_decoder_read_header(d), false, err);
    TRY_LS(charls_jpegls_decoder_get_frame_info(d, &h->frame), false, err);
    TRY_LS(charls_jpegls_decoder_get_interleave_mode(d, &h->interleave), false, err);
    TRY_LS(charls_jpegls_decoder_get_near_lossless(d, 0, &h->near), false, err);
    *out = decoder_steal(&d);
    return MTM_OK;
}

static mtm_status picture_of(mtm_codec_picture *out, const header *h, size_t n, mtm_error *err)
{
    *out = (mtm_codec_picture){.height = h->frame.height,
                               .width = h->frame.width,
                               .channels = h->frame.component_count,
                               .bits = h->frame.bits_per_sample,
                               .dtype = h->frame.bits_per_sample <= 8 ? MTM_U8 : MTM_U16,
                               .order = h->interleave == CHARLS_INTERLEAVE_MODE_NONE ? MTM_ORDER_PLANAR
                                                                                     : MTM_ORDER_INTERLEAVED};
    /* A row is at least one bit: a run that reaches its end (T.87 A.7.1.2). */
    if ((uint64_t)out->height / 8 > n)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)n, "%zu bytes cannot hold %" PRId64 " JPEG-LS rows", n,
                        out->height);
    return MTM_OK;
}

static mtm_status info(mtm_codec_info **out, const uint8_t *in, size_t n, const mtm_limits *lim,
                       mtm_error *err)
{
    static const char *const modes[] = {"none", "line", "sample"};
    MTM_AUTO(decoder) d = NULL;
    mtm_codec_component *components;
    mtm_codec_marker *markers;
    mtm_codec_picture pic;
    segment s = {.size_bytes = 2};
    int32_t n_markers = 0;
    header h;

    MTM_TRY(header_read(&d, &h, in, n, err));
    MTM_TRY(picture_of(&pic, &h, n, err));
    while (next_segment(&s, in, n) && s.code != SOS)
        n_markers++;
    MTM_TRY(mtm_codec_info_make(out, "jpegls", &pic, pic.channels, n_markers, n, &components, &markers, err));
    s = (segment){.size_bytes = 2};
    for (int32_t i = 0; i < n_markers && next_segment(&s, in, n); i++)
        markers[i] = (mtm_codec_marker){.code = (uint16_t)(0xFF00 | s.code),
                                        .name = s.code == SOF_LS                  ? "SOF55"
                                                : s.code == 0xF8                  ? "LSE"
                                                : s.code == 0xFE                  ? "COM"
                                                : s.code == 0xDD                  ? "DRI"
                                                : s.code >= 0xE0 && s.code < 0xF0 ? "APP"
                                                                                  : "?",
                                        .offset_bytes = (int64_t)s.at,
                                        .size_bytes = (int64_t)s.size_bytes};
    (*out)->near_lossless = h.near;
    (*out)->reversible = (*out)->lossless_capable = h.near == 0;
    (*out)->progression = modes[h.interleave];
    for (int32_t i = 0; i < pic.channels; i++)
        components[i].reversible = h.near == 0;
    return MTM_OK;
}

/* ---- decoding ----------------------------------------------------------------------------------------- */

static mtm_status picture(mtm_codec_picture *out, const uint8_t *in, size_t n, const mtm_decode_params *p,
                          mtm_error *err)
{
    MTM_AUTO(decoder) d = NULL;
    header h;

    MTM_TRY(header_read(&d, &h, in, n, err));
    return picture_of(out, &h, n, err);
}

static charls_jpegls_errc decode_once(const mtm_array *dst, int64_t planes, const uint8_t *in, size_t n,
                                      mtm_status *s, mtm_error *err)
{
    MTM_AUTO(decoder) d = NULL;
    header h;

    *s = header_read(&d, &h, in, n, err);
    return *s ? CHARLS_JPEGLS_ERRC_SUCCESS
              : charls_jpegls_decoder_decode_to_buffer(d, dst->data,
                                                       (size_t)(dst->stride[0] * dst->shape[0] * planes),
                                                       (uint32_t)dst->stride[0]);
}

/* Some encoders put a zero in front of EOI (as in NEMA's WG04 images), which CharLS 2.3 and later refuse: once more without it. */
static charls_jpegls_errc decode_unpadded(const mtm_array *dst, int64_t planes, const uint8_t *in, size_t n,
                                          mtm_status *s, mtm_error *err)
{
    MTM_AUTO_MEM uint8_t *copy = NULL;

    while (n > 0 && in[n - 1] == 0)
        n--;
    if (n < 4 || in[n - 1] != 0xD9 || in[n - 2] != 0xFF || in[n - 3] != 0)
        return CHARLS_JPEGLS_ERRC_JPEG_MARKER_START_BYTE_NOT_FOUND;
    copy = mtm_alloc(n - 1);
    if (!copy) {
        *s = MTM_NOMEM(err);
        return CHARLS_JPEGLS_ERRC_SUCCESS;
    }
    memcpy(copy, in, n - 3);
    copy[n - 3] = 0xFF, copy[n - 2] = 0xD9;
    return decode_once(dst, planes, copy, n - 1, s, err);
}

/* CharLS 2.4 never comes back from coded data that ends without a marker (a run of zero bits goes on for ever): where the data does not
 * end with EOI, *copy is the data with one. */
static mtm_status end_with_marker(uint8_t **copy, const uint8_t *in, size_t n, mtm_error *err)
{
    size_t used = n;

    while (used > 0 && in[used - 1] == 0)
        used--;
    if (used >= 2 && in[used - 2] == 0xFF && in[used - 1] == 0xD9)
        return MTM_OK;
    *copy = mtm_alloc(n + 2);
    if (!*copy)
        return MTM_NOMEM(err);
    memcpy(*copy, in, n);
    (*copy)[n] = 0xFF, (*copy)[n + 1] = 0xD9;
    return MTM_OK;
}

/* Whether EOI stands behind the first scan's header: what comes before it was decoded up to a marker of the stream's own. */
static bool has_end(const uint8_t *in, size_t n)
{
    segment s = {.size_bytes = 2};

    while (next_segment(&s, in, n))
        if (s.code == SOS)
            return memmem(in + s.at, n - s.at, "\xFF\xD9", 2);
    return false;
}

static mtm_status decode(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                         const mtm_codec_picture *pic, const mtm_array *dst, mtm_error *err)
{
    const int64_t planes = pic->order == MTM_ORDER_PLANAR ? pic->channels : 1;
    MTM_AUTO_MEM uint8_t *ended = NULL;
    mtm_error why = {0};
    charls_jpegls_errc rc;
    mtm_status s;

    if (dst->stride[0] > UINT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "rows of %" PRId64 " bytes", dst->stride[0]);
    for (int64_t y = 0; p->partial && y < pic->height * planes; y++) /* what is missing stays 0 */
        memset((char *)dst->data + y * dst->stride[0], 0,
               (size_t)(pic->width * (pic->channels / planes)) * mtm_dtype_size(pic->dtype));
    MTM_TRY(end_with_marker(&ended, in, n, err));
    if (ended)
        in = ended, n += 2;
    rc = decode_once(dst, planes, in, n, &s, &why);
    if (!s && rc == CHARLS_JPEGLS_ERRC_JPEG_MARKER_START_BYTE_NOT_FOUND)
        rc = decode_unpadded(dst, planes, in, n, &s, &why);
    s = s ? s : fail_of(rc, false, &why);
    if (!s && ended && !has_end(in, n - 2))
        s = mtm_fail(&why, MTM_E_CORRUPT, (int64_t)n - 2,
                     "the JPEG-LS stream has no end (EOI), so its last samples may be missing");
    if (s == MTM_E_CORRUPT && p->partial) {
        mtm_codec_note(p, "%.100s", why.text);
        return MTM_OK;
    }
    if (s && err)
        *err = why;
    return s;
}

/* ---- encoding ----------------------------------------------------------------------------------------- */

typedef struct task {
    mtm_array a; /* [Y, X, C], in the order of the interleave mode, U8 or U16 */
    charls_frame_info frame;
    charls_interleave_mode interleave;
    int32_t near;
} task;

static mtm_status task_fill(task *t, const mtm_array *planes, int32_t n, const mtm_encode_params *p,
                            mtm_error *err)
{
    const mtm_dtype type = planes[0].dtype;
    const int32_t all = (int32_t)mtm_dtype_size(type) * 8, bits = p->bits ? p->bits : all;
    const char *const mode = p->interleave ? p->interleave : n == 3 || n == 4 ? "sample" : "none";

    if (type != MTM_U8 && type != MTM_I8 && type != MTM_U16 && type != MTM_I16)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "JPEG-LS holds 8 and 16-bit integers, not %s",
                        mtm_dtype_name(type));
    if (bits < 2 || bits > all)
        return mtm_fail(err, MTM_E_INVAL, -1, "bits is %d, not 2 to %d", bits, all);
    if (n > 255)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "JPEG-LS holds up to 255 components, not %d", n);
    if (p->lossy && !p->near_lossless)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "JPEG-LS loses by a largest error (near_lossless), not by quality");
    if (p->near_lossless < 0 || p->near_lossless > mtm_min_i64(255, ((INT64_C(1) << bits) - 1) / 2))
        return mtm_fail(err, MTM_E_INVAL, -1, "near_lossless is %d, not 0 to %" PRId64, p->near_lossless,
                        mtm_min_i64(255, ((INT64_C(1) << bits) - 1) / 2));
    t->interleave = strcmp(mode, "none") == 0     ? CHARLS_INTERLEAVE_MODE_NONE
                    : strcmp(mode, "line") == 0   ? CHARLS_INTERLEAVE_MODE_LINE
                    : strcmp(mode, "sample") == 0 ? CHARLS_INTERLEAVE_MODE_SAMPLE
                                                  : (charls_interleave_mode)-1;
    if ((int)t->interleave < 0 || (t->interleave && n != 3 && n != 4)) /* CharLS reads back no others */
        return mtm_fail(err, MTM_E_INVAL, -1, "%d component%s cannot be interleaved by \"%s\"", n,
                        n == 1 ? "" : "s", mode);
    t->near = p->near_lossless;
    t->frame = (charls_frame_info){.width = (uint32_t)planes[0].shape[1],
                                   .height = (uint32_t)planes[0].shape[0],
                                   .bits_per_sample = bits,
                                   .component_count = n};
    if (planes[0].shape[0] > 65535 || planes[0].shape[1] > 65535)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "JPEG-LS pictures have up to 65535 rows and columns");
    return mtm_whole_gather(&t->a, planes, n, t->interleave ? MTM_ORDER_INTERLEAVED : MTM_ORDER_PLANAR, err);
}

/* Signed samples are coded as their lowest bits (as PS3.5 8.2.3 has it); the others must fit. */
static mtm_status fit(task *t, mtm_error *err)
{
    const mtm_dtype type = t->a.dtype;
    const bool is_signed = type == MTM_I8 || type == MTM_I16, wide = mtm_dtype_size(type) == 2;
    const int32_t all = wide ? 16 : 8, bits = t->frame.bits_per_sample;
    const uint32_t mask = (UINT32_C(1) << bits) - 1;
    const int64_t least = is_signed ? -(INT64_C(1) << (bits - 1)) : 0, most = least + (int64_t)mask;
    mtm_array copy;

    if (bits == all)
        return MTM_OK;
    MTM_TRY(mtm_array_new(&copy, wide ? MTM_U16 : MTM_U8, 3,
                          (int64_t[]){t->a.shape[0], t->a.shape[1], t->a.shape[2]}, NULL, err));
    memcpy(copy.stride, t->a.stride, sizeof copy.stride);
    copy.stride[0] = t->a.shape[1] * copy.stride[1];
    if (t->interleave == CHARLS_INTERLEAVE_MODE_NONE)
        copy.stride[2] = copy.stride[0] * copy.shape[0];
    for (int64_t y = 0; y < copy.shape[0]; y++)
        for (int64_t x = 0; x < copy.shape[1]; x++)
            for (int64_t c = 0; c < copy.shape[2]; c++) {
                const char *const from =
                    (const char *)t->a.data + y * t->a.stride[0] + x * t->a.stride[1] + c * t->a.stride[2];
                char *const to =
                    (char *)copy.data + y * copy.stride[0] + x * copy.stride[1] + c * copy.stride[2];
                const int64_t v = type == MTM_U8    ? *(const uint8_t *)from
                                  : type == MTM_I8  ? *(const int8_t *)from
                                  : type == MTM_U16 ? *(const uint16_t *)(const void *)from
                                                    : *(const int16_t *)(const void *)from;

                if (v < least || v > most) {
                    mtm_array_drop(&copy);
                    return mtm_fail(err, MTM_E_INVAL, -1, "a sample is %" PRId64 ", beyond %d bits", v, bits);
                }
                if (wide)
                    *(uint16_t *)(void *)to = (uint16_t)((uint64_t)v & mask);
                else
                    *(uint8_t *)to = (uint8_t)((uint64_t)v & mask);
            }
    mtm_array_drop(&t->a);
    t->a = copy;
    return MTM_OK;
}

/* One try with as much room as there is; *small: it was too little. */
static mtm_status encode_once(const task *t, mtm_bytes *out, size_t *room, bool *small, mtm_error *err)
{
    const size_t planes = t->interleave == CHARLS_INTERLEAVE_MODE_NONE ? (size_t)t->a.shape[2] : 1;
    MTM_AUTO(encoder) e = charls_jpegls_encoder_create();
    charls_jpegls_errc rc;
    size_t size;

    if (!e)
        return MTM_NOMEM(err);
    TRY_LS(charls_jpegls_encoder_set_frame_info(e, &t->frame), true, err);
    TRY_LS(charls_jpegls_encoder_set_near_lossless(e, t->near), true, err);
    TRY_LS(charls_jpegls_encoder_set_interleave_mode(e, t->interleave), true, err);
    TRY_LS(charls_jpegls_encoder_get_estimated_destination_size(e, &size), true, err);
    *room = *room ? *room : size;
    MTM_TRY(mtm_bytes_reserve(out, *room, err));
    TRY_LS(charls_jpegls_encoder_set_destination_buffer(e, out->data + out->size_bytes, *room), true, err);
    rc = charls_jpegls_encoder_encode_from_buffer(
        e, t->a.data, (size_t)t->a.stride[0] * (size_t)t->a.shape[0] * planes, (uint32_t)t->a.stride[0]);
    *small = rc == CHARLS_JPEGLS_ERRC_DESTINATION_BUFFER_TOO_SMALL;
    if (*small)
        return MTM_OK;
    TRY_LS(rc, true, err);
    TRY_LS(charls_jpegls_encoder_get_bytes_written(e, &size), true, err);
    out->size_bytes += size;
    return MTM_OK;
}

static mtm_status encode_fitting(task *t, mtm_bytes *out, mtm_error *err)
{
    bool small = true;
    size_t room = 0;

    MTM_TRY(fit(t, err));
    if (t->a.stride[0] > UINT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "rows of %" PRId64 " bytes", t->a.stride[0]);
    while (small) { /* CharLS's estimate is too small for noise */
        MTM_TRY(encode_once(t, out, &room, &small, err));
        room *= 2;
    }
    return MTM_OK;
}

static mtm_status encode(mtm_codec_ctx *c, const mtm_array *planes, int32_t n, const mtm_encode_params *p,
                         mtm_bytes *out, mtm_error *err)
{
    task t = {.near = 0};
    mtm_status s = task_fill(&t, planes, n, p, err);

    if (!s)
        s = encode_fitting(&t, out, err);
    mtm_array_drop(&t.a);
    return s;
}

const mtm_codec mtm_codec_jpegls = {
    .name = "jpegls",
    .flags = MTM_CODEC_ENCODE,
    .detect = detect,
    .info = info,
    .info_free = mtm_codec_info_drop,
    .picture = picture,
    .decode_picture = decode,
    .encode = encode,
};
