/* codec/jpegls/encode.c: JPEG-LS encoding by CharLS: lossless and near-lossless, 2 to 16 bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <charls/charls.h>

#include "base/size.h"
#include "encode.h"

typedef charls_jpegls_encoder encoder;
MTM_DEFINE_AUTO(encoder, charls_jpegls_encoder_destroy)

/* CharLS's answer as ours. */
static mtm_status fail_of(charls_jpegls_errc e, mtm_error *err)
{
    switch (e) {
    case CHARLS_JPEGLS_ERRC_SUCCESS: return MTM_OK;
    case CHARLS_JPEGLS_ERRC_NOT_ENOUGH_MEMORY: return MTM_NOMEM(err);
    default: return mtm_fail(err, MTM_E_INVAL, -1, "JPEG-LS: %s", charls_get_error_message(e));
    }
}
#define TRY_LS(call, err) MTM_TRY(fail_of((call), (err)))

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
    const char *const mode = p->interleave ? p->interleave : n == 3 ? "sample" : n == 4 ? "line" : "none";

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
    if (t->interleave == CHARLS_INTERLEAVE_MODE_SAMPLE && n == 4 && bits == 8 && p->near_lossless == 0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, /* what CharLS 2.4.1 writes is not what it was given */
                        "4 components of 8 bits are not coded by \"sample\", but by \"line\" or \"none\"");
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
    TRY_LS(charls_jpegls_encoder_set_frame_info(e, &t->frame), err);
    TRY_LS(charls_jpegls_encoder_set_near_lossless(e, t->near), err);
    TRY_LS(charls_jpegls_encoder_set_interleave_mode(e, t->interleave), err);
    TRY_LS(charls_jpegls_encoder_get_estimated_destination_size(e, &size), err);
    *room = *room ? *room : size;
    MTM_TRY(mtm_bytes_reserve(out, *room, err));
    TRY_LS(charls_jpegls_encoder_set_destination_buffer(e, out->data + out->size_bytes, *room), err);
    rc = charls_jpegls_encoder_encode_from_buffer(
        e, t->a.data, (size_t)t->a.stride[0] * (size_t)t->a.shape[0] * planes, (uint32_t)t->a.stride[0]);
    *small = rc == CHARLS_JPEGLS_ERRC_DESTINATION_BUFFER_TOO_SMALL;
    if (*small)
        return MTM_OK;
    TRY_LS(rc, err);
    TRY_LS(charls_jpegls_encoder_get_bytes_written(e, &size), err);
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

mtm_status jls_encode(mtm_codec_ctx *c, const mtm_array *planes, int32_t n, const mtm_encode_params *p,
                      mtm_bytes *out, mtm_error *err)
{
    task t = {.near = 0};
    mtm_status s = task_fill(&t, planes, n, p, err);

    if (!s)
        s = encode_fitting(&t, out, err);
    mtm_array_drop(&t.a);
    return s;
}
