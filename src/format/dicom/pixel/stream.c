/* format/dicom/pixel/stream.c: what a codestream says of its pictures: size, components, precision, sign, and for JPEG the colours it
 * holds. The few bytes up to the frame header; no memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "base/reader.h"

enum {
    SOI = 0xFFD8,
    SOS = 0xFFDA,
    EOI = 0xFFD9,
    APP0 = 0xFFE0,
    APP14 = 0xFFEE,
    SOF3 = 0xFFC3,
    SOF55 = 0xFFF7, /* JPEG-LS */
    SOC_SIZ = 0xFF4F,
    SIZ = 0xFF51,
    MOST_SKIPPED = 4096 /* boxes before a codestream */
};

static mtm_status truncated(mtm_error *err, const char *codec)
{
    return mtm_fail(err, MTM_E_CORRUPT, -1, "the frame is no %s codestream",
                    strcmp(codec, "jpegls") == 0         ? "JPEG-LS"
                    : codec[0] == 'j' && codec[1] == 'p' ? "JPEG"
                                                         : "JPEG 2000");
}

/* ---- JPEG, JPEG-LS (T.81 B.2, T.87 C.2) ---------------------------------------------------------------- */

static bool is_frame_header(uint16_t m)
{
    return m == SOF55 || (m >= 0xFFC0 && m <= 0xFFCF && m != 0xFFC4 && m != 0xFFC8 && m != 0xFFCC);
}

/* Component ids "RGB" say it outright; then Adobe's transform (T.872 6.5.3), then JFIF, which is always Y Cb Cr. */
static void find_color(dcm_stream *s, const uint8_t *ids, int adobe, bool jfif)
{
    const bool upper = ids[0] == 'R' && ids[3] == 'G' && ids[6] == 'B';
    const bool lower = ids[0] == 'r' && ids[3] == 'g' && ids[6] == 'b';

    if (s->components != 3)
        return;
    if (upper || lower || adobe == 0)
        s->color = DCM_STREAM_RGB;
    else if (adobe > 0 || jfif)
        s->color = DCM_STREAM_YBR;
}

static mtm_status read_jpeg(dcm_stream *out, const char *codec, const uint8_t *in, size_t n, mtm_error *err)
{
    mtm_reader r = mtm_reader_over(in, n, 0);
    dcm_stream s = {.rows = 0};
    bool jfif = false;
    int adobe = -1;
    uint16_t marker, length;

    r.big_endian = true;
    if (mtm_read_u16(&r, &marker, NULL) || marker != SOI)
        return truncated(err, codec);
    for (;;) {
        if (mtm_read_u16(&r, &marker, NULL) || marker < 0xFF00 || marker == SOS || marker == EOI)
            return truncated(err, codec);
        if (marker == 0xFFFF) { /* fill bytes (B.1.1.2) */
            r.at--;
            continue;
        }
        if (mtm_read_u16(&r, &length, NULL) || length < 2 || mtm_reader_left(&r) < length - 2u)
            return truncated(err, codec);
        const uint8_t *const body = in + r.at;

        if (is_frame_header(marker)) {
            if (length < 8 || length < 8u + 3u * body[5])
                return truncated(err, codec);
            s.bits = body[0], s.rows = body[1] << 8 | body[2], s.columns = body[3] << 8 | body[4];
            s.components = body[5], s.lossless = marker == SOF3;
            if (s.components == 3)
                find_color(&s, body + 6, adobe, jfif);
            *out = s;
            return MTM_OK;
        }
        jfif |= marker == APP0 && length >= 7 && memcmp(body, "JFIF", 4) == 0;
        if (marker == APP14 && length >= 14 && memcmp(body, "Adobe", 5) == 0)
            adobe = body[11];
        r.at += length - 2u;
    }
}

/* ---- JPEG 2000 (T.800 A.5.1) --------------------------------------------------------------------------- */

static mtm_status read_j2k(dcm_stream *out, const char *codec, const uint8_t *in, size_t n, mtm_error *err)
{
    mtm_reader r = mtm_reader_over(in, n, 0);
    uint32_t box[4] = {0};
    uint16_t soc = 0, siz = 0, length, capabilities, components = 0;
    uint8_t depth = 0;

    r.big_endian = true;
    while (r.at < n && r.at < MOST_SKIPPED && !(siz == SIZ && soc == SOC_SIZ)) { /* past the boxes of a JP2 */
        const size_t at = r.at;

        if (mtm_read_u16(&r, &soc, NULL) || mtm_read_u16(&r, &siz, NULL))
            return truncated(err, codec);
        if (soc != SOC_SIZ || siz != SIZ)
            r.at = at + 1;
    }
    if (soc != SOC_SIZ || siz != SIZ || mtm_read_u16(&r, &length, NULL) ||
        mtm_read_u16(&r, &capabilities, NULL))
        return truncated(err, codec);
    for (int i = 0; i < 4; i++)
        if (mtm_read_u32(&r, &box[i], NULL))
            return truncated(err, codec);
    if (mtm_read_skip(&r, 16, NULL) || mtm_read_u16(&r, &components, NULL) || mtm_read_u8(&r, &depth, NULL) ||
        box[0] <= box[2] || box[1] <= box[3])
        return truncated(err, codec);
    *out = (dcm_stream){.rows = (int64_t)box[1] - box[3],
                        .columns = (int64_t)box[0] - box[2],
                        .components = components,
                        .bits = (depth & 0x7F) + 1,
                        .is_signed = depth >> 7};
    return MTM_OK;
}

mtm_status dcm_stream_read(dcm_stream *out, const char *codec, const uint8_t *in, size_t n, mtm_error *err)
{
    if (strcmp(codec, "jpeg") == 0 || strcmp(codec, "jpegls") == 0)
        return read_jpeg(out, codec, in, n, err);
    return read_j2k(out, codec, in, n, err);
}
