/* codec/jpegls/marker.c: see marker.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "marker.h"

enum { LONGEST_RUN_OF_A_BIT = 1 << 15 /* J[31], T.87 A.2.1 */ };

/* Big-endian, of 1 to 4 bytes. */
static uint32_t number(const uint8_t *p, size_t bytes)
{
    uint32_t x = 0;

    for (size_t i = 0; i < bytes; i++)
        x = x << 8 | p[i];
    return x;
}

/* ---- stepping ----------------------------------------------------------------------------------------- */

/* The marker at s->at, behind fill bytes (T.81 B.1.1.2); s->at is then behind it. */
static mtm_status next_marker(jls_stream *s, uint8_t *code, mtm_error *err)
{
    const size_t at = s->at;

    *code = 0;
    if (s->n - s->at < 2)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->n, "the JPEG-LS stream ends without its end (EOI)");
    if (s->in[s->at] != 0xFF)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at, "there is no marker where one must be");
    while (s->at < s->n && s->in[s->at] == 0xFF)
        s->at++;
    if (s->at >= s->n)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->n, "the JPEG-LS stream ends inside a marker");
    *code = s->in[s->at++];
    if (*code < 0x80 || (*code >= JLS_RST0 && *code <= JLS_SOI))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at - 2, "marker FF%02X has no place here", *code);
    return MTM_OK;
}

/* The body of the segment behind a marker; s->at is then behind the segment. */
static mtm_status segment(jls_stream *s, uint8_t code, const uint8_t **body, size_t *n, mtm_error *err)
{
    const size_t at = s->at - 2;
    size_t length;

    if (s->n - s->at < 2 || (length = number(s->in + s->at, 2)) > s->n - s->at)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at, "the data ends inside the segment of marker FF%02X",
                        code);
    if (length < 2)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at, "the segment of marker FF%02X has length %zu", code,
                        length);
    *body = s->in + s->at + 2, *n = length - 2;
    s->at += length;
    return s->seen ? s->seen(s->user, code, at, length + 2, err) : MTM_OK;
}

bool jls_detect(const uint8_t *in, size_t n)
{
    jls_stream s = {.in = in, .n = n, .at = 2};
    const uint8_t *body;
    uint8_t code;
    size_t bytes;

    if (n < 4 || in[0] != 0xFF || in[1] != JLS_SOI)
        return false;
    while (!next_marker(&s, &code, NULL) && code != JLS_SOS && code >= 0xC0 && code != JLS_EOI &&
           !(code <= 0xC3))
        if (segment(&s, code, &body, &bytes, NULL))
            return false;
        else if (code == JLS_SOF)
            return true;
    return false;
}

/* ---- segments before a scan --------------------------------------------------------------------------- */

/* 0: given elsewhere. */
static mtm_status take_size(jls_stream *s, int64_t height, int64_t width, int64_t at, mtm_error *err)
{
    if ((height && s->height) || (width && s->width))
        return mtm_fail(err, MTM_E_CORRUPT, at, "the picture's size is given twice");
    s->height = height ? height : s->height, s->width = width ? width : s->width;
    return MTM_OK;
}

/* C.2.2 */
static mtm_status read_sof(jls_stream *s, const uint8_t *p, size_t n, mtm_error *err)
{
    const int64_t at = p - s->in - 4;

    if (s->has_frame)
        return mtm_fail(err, MTM_E_CORRUPT, at, "there is a second frame header");
    if (n < 6 || p[5] == 0 || n != 6 + 3 * (size_t)p[5])
        return mtm_fail(err, MTM_E_CORRUPT, at, "the frame header does not fit its components");
    if (p[0] < 2 || p[0] > 16)
        return mtm_fail(err, MTM_E_CORRUPT, at, "the frame header says %d bits per sample, not 2 to 16",
                        p[0]);
    s->bits = p[0], s->n_components = p[5];
    MTM_TRY(take_size(s, number(p + 1, 2), number(p + 3, 2), at, err));
    for (int32_t i = 0; i < s->n_components; i++) {
        s->ids[i] = p[6 + 3 * i];
        if (memchr(s->ids, s->ids[i], (size_t)i))
            return mtm_fail(err, MTM_E_CORRUPT, at, "the frame has component %d twice", s->ids[i]);
        if (p[7 + 3 * i] != 0x11)
            return mtm_fail(err, MTM_E_UNSUPPORTED, at, "subsampled components in JPEG-LS");
    }
    s->has_frame = true;
    return MTM_OK;
}

/* C.2.4.1.4: sizes beyond 16 bits. */
static mtm_status read_oversize(jls_stream *s, const uint8_t *p, size_t n, mtm_error *err)
{
    const int64_t at = p - s->in - 4;

    if (n < 2 || p[1] < 2 || p[1] > 4 || n != 2 + 2 * (size_t)p[1])
        return mtm_fail(err, MTM_E_CORRUPT, at, "the segment with the picture's size is of no known form");
    return take_size(s, number(p + 2, p[1]), number(p + 2 + p[1], p[1]), at, err);
}

/* C.2.4.1; mapping tables (2, 3) are refused by the scan that uses one. */
static mtm_status read_lse(jls_stream *s, const uint8_t *p, size_t n, mtm_error *err)
{
    const int64_t at = p - s->in - 4;

    if (n < 1 || (p[0] == 1 && n != 11))
        return mtm_fail(err, MTM_E_CORRUPT, at, "the preset parameters are cut off");
    if (p[0] == 4)
        return read_oversize(s, p, n, err);
    if (p[0] == 0 || p[0] > 4)
        return mtm_fail(err, MTM_E_UNSUPPORTED, at, "preset parameters of type %d", p[0]);
    if (p[0] == 1)
        s->presets = (jls_presets){
            .most = (int32_t)number(p + 1, 2),
            .t = {(int32_t)number(p + 3, 2), (int32_t)number(p + 5, 2), (int32_t)number(p + 7, 2)},
            .reset = (int32_t)number(p + 9, 2),
            .offset = at};
    return MTM_OK;
}

/* HP's colour transforms, as its own software and CharLS write them: "mrfx", the number. */
static mtm_status read_app8(jls_stream *s, const uint8_t *p, size_t n, mtm_error *err)
{
    if (n != 5 || memcmp(p, "mrfx", 4) != 0)
        return MTM_OK;
    if (p[4] > 3)
        return mtm_fail(err, MTM_E_UNSUPPORTED, p - s->in - 4, "colour transform %d", p[4]);
    s->transform = p[4];
    return MTM_OK;
}

/* Takes one marker segment that is neither SOS nor EOI. */
static mtm_status take_segment(jls_stream *s, uint8_t code, mtm_error *err)
{
    const uint8_t *body;
    size_t n;

    if (code >= 0xC0 && code < 0xD0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, (int64_t)s->at - 2, "this is JPEG, not JPEG-LS");
    if (code < 0xC0 || (code >= 0xF0 && code != JLS_SOF && code != JLS_LSE && code != JLS_COM))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at - 2, "marker FF%02X is unknown to JPEG-LS", code);
    MTM_TRY(segment(s, code, &body, &n, err));
    switch (code) {
    case JLS_SOF: return read_sof(s, body, n, err);
    case JLS_LSE: return read_lse(s, body, n, err);
    case JLS_APP8: return read_app8(s, body, n, err);
    case JLS_DRI:
        if (n < 2 || n > 4)
            return mtm_fail(err, MTM_E_CORRUPT, body - s->in - 4, "the restart interval is cut off");
        s->restart = number(body, n);
        return MTM_OK;
    default: return MTM_OK;
    }
}

/* ---- the picture's size ------------------------------------------------------------------------------- */

/* Steps over coded bytes and restart markers, to the next marker or the end of the data. */
static void skip_coded(jls_stream *s)
{
    while (s->n - s->at >= 2) {
        const uint8_t *const ff = memchr(s->in + s->at, 0xFF, s->n - s->at - 1);

        if (!ff)
            break;
        s->at = (size_t)(ff - s->in);
        if (ff[1] >= 0x80 && ff[1] != 0xFF && !(ff[1] >= JLS_RST0 && ff[1] <= JLS_RST7))
            return;
        s->at += ff[1] == 0xFF ? 1 : 2;
    }
    s->at = s->n;
}

/* A frame without a height: the DNL segment behind its first scan has it (C.2.6). s->at is at the first SOS. */
static mtm_status find_height(jls_stream *s, mtm_error *err)
{
    const size_t at = s->at;
    const uint8_t *body;
    uint8_t code;
    size_t n;

    s->at += 2;
    MTM_TRY(segment(s, JLS_SOS, &body, &n, err));
    skip_coded(s);
    if (next_marker(s, &code, NULL) || code != JLS_DNL)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at,
                        "the frame has no height, and no DNL segment follows its scan");
    MTM_TRY(segment(s, code, &body, &n, err));
    if (n < 2 || n > 4 || number(body, n) == 0)
        return mtm_fail(err, MTM_E_CORRUPT, body - s->in - 4, "the DNL segment gives no height");
    s->height = number(body, n);
    s->at = at;
    return MTM_OK;
}

/* Before anything is allocated: a row is one bit for each of its longest runs, at least (A.7.1.2). */
static mtm_status check_size(const jls_stream *s, mtm_error *err)
{
    const uint64_t least = ((uint64_t)s->width + LONGEST_RUN_OF_A_BIT - 1) / LONGEST_RUN_OF_A_BIT;

    if (s->width == 0)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at, "the frame has no width");
    if ((uint64_t)s->height * least / 8 > s->n) /* 32 bits by 17 */
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->n,
                        "%zu bytes cannot hold %" PRId64 " JPEG-LS rows of %" PRId64, s->n, s->height,
                        s->width);
    return MTM_OK;
}

mtm_status jls_open(jls_stream *s, const uint8_t *in, size_t n, jls_seen seen, void *user, mtm_error *err)
{
    uint8_t code;

    *s = (jls_stream){.in = in, .n = n, .at = 2};
    if (n < 4 || in[0] != 0xFF || in[1] != JLS_SOI)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "the data does not begin with SOI");
    s->seen = seen, s->user = user;
    for (;;) {
        MTM_TRY(next_marker(s, &code, err));
        if (code == JLS_SOS)
            break;
        if (code == JLS_EOI)
            return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at - 2, "the stream ends before the first scan");
        MTM_TRY(take_segment(s, code, err));
    }
    s->at -= 2, s->seen = NULL; /* this SOS is met again */
    if (!s->has_frame)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at, "there is no frame header before the first scan");
    if (s->height == 0)
        MTM_TRY(find_height(s, err));
    s->seen = seen;
    return check_size(s, err);
}

/* ---- scans -------------------------------------------------------------------------------------------- */

/* C.2.3 */
static mtm_status scan_components(const jls_stream *s, jls_scan *scan, const uint8_t *p, mtm_error *err)
{
    for (int32_t i = 0; i < scan->n; i++, p += 2) {
        const uint8_t *const id = memchr(s->ids, p[0], (size_t)s->n_components);

        if (!id)
            return mtm_fail(err, MTM_E_CORRUPT, scan->offset,
                            "the scan has a component %d, the frame has not", p[0]);
        scan->component[i] = (uint8_t)(id - s->ids);
        if (memchr(scan->component, scan->component[i], (size_t)i))
            return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "the scan has component %d twice", p[0]);
        if (p[1])
            return mtm_fail(err, MTM_E_UNSUPPORTED, scan->offset, "JPEG-LS with mapping tables (palettes)");
    }
    return MTM_OK;
}

static mtm_status read_sos(jls_stream *s, jls_scan *scan, mtm_error *err)
{
    const uint8_t *p;
    size_t n;

    *scan = (jls_scan){.offset = (int64_t)s->at - 2, .presets = s->presets, .restart = s->restart};
    MTM_TRY(segment(s, JLS_SOS, &p, &n, err));
    if (n < 1 || p[0] < 1 || p[0] > JLS_MOST_PER_SCAN || p[0] > s->n_components || n != 4 + 2 * (size_t)p[0])
        return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "the scan header does not fit its components");
    scan->n = p[0];
    MTM_TRY(scan_components(s, scan, p + 1, err));
    p += 1 + 2 * scan->n;
    scan->near = p[0], scan->shift = p[2] & 15;
    if (p[1] > JLS_BY_SAMPLE || (p[1] == JLS_BY_PLANE) != (scan->n == 1))
        return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "%d component%s interleaved by mode %d", scan->n,
                        scan->n == 1 ? "" : "s", p[1]);
    scan->interleave = (jls_interleave)p[1];
    if (scan->shift >= s->bits)
        return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "a point transform by %d of %d bits", scan->shift,
                        s->bits);
    return jls_presets_complete(&scan->presets, s->bits, scan->near, err);
}

mtm_status jls_next_scan(jls_stream *s, jls_scan *scan, bool *more, mtm_error *err)
{
    uint8_t code;

    for (;;) {
        MTM_TRY(next_marker(s, &code, err));
        *more = code == JLS_SOS;
        if (code == JLS_SOS)
            return read_sos(s, scan, err);
        if (code == JLS_EOI)
            return MTM_OK;
        MTM_TRY(take_segment(s, code, err));
    }
}

/* ---- presets ------------------------------------------------------------------------------------------ */

/* CLAMP of C.2.4.1.1.1 */
static int32_t within(int32_t i, int32_t least, int32_t most)
{
    return i > most || i < least ? least : i;
}

static void default_thresholds(int32_t t[3], int32_t most, int32_t near)
{
    static const int32_t basic[3] = {3, 7, 21};

    for (int32_t i = 0; i < 3; i++) {
        const int32_t least = i ? t[i - 1] : near + 1, more = (2 * i + 3) * near;
        int32_t x;

        if (most >= 128) {
            const int32_t factor = ((most < 4095 ? most : 4095) + 128) / 256;

            x = factor * (basic[i] - (i + 2)) + (i + 2) + more;
        } else {
            const int32_t scaled = basic[i] / (256 / (most + 1)) + more;

            x = scaled < i + 2 ? i + 2 : scaled;
        }
        t[i] = within(x, least, most);
    }
}

mtm_status jls_presets_complete(jls_presets *p, int32_t bits, int32_t near, mtm_error *err)
{
    const int32_t all = (1 << bits) - 1;
    int32_t t[3], least = near + 1;

    p->most = p->most ? p->most : all;
    p->reset = p->reset ? p->reset : 64;
    if (p->most > all || near > p->most / 2)
        return mtm_fail(err, MTM_E_CORRUPT, p->offset ? p->offset : -1,
                        "samples up to %d with a loss of %d in %d bits", p->most, near, bits);
    default_thresholds(t, p->most, near);
    for (int32_t i = 0; i < 3; i++) {
        p->t[i] = p->t[i] ? p->t[i] : t[i];
        if (p->t[i] < least || p->t[i] > p->most)
            return mtm_fail(err, MTM_E_CORRUPT, p->offset, "threshold %d is %d, not %d to %d", i + 1, p->t[i],
                            least, p->most);
        least = p->t[i];
    }
    if (p->reset < 3 || p->reset > (p->most > 255 ? p->most : 255))
        return mtm_fail(err, MTM_E_CORRUPT, p->offset, "the counters are halved at %d", p->reset);
    return MTM_OK;
}
