/* codec/jpeg/marker.c: see marker.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "marker.h"

const uint8_t jpeg_natural[64 + 16] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                                       12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                                       35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                                       58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
                                       63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63};

static unsigned u16_at(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static bool is_sof(uint8_t code)
{
    return code >= JPEG_SOF0 && code <= JPEG_SOF15 && code != JPEG_DHT && code != JPEG_JPG &&
           code != JPEG_DAC;
}

/* Markers without a segment. */
static bool stands_alone(uint8_t code)
{
    return (code >= JPEG_RST0 && code <= JPEG_EOI) || code == JPEG_TEM;
}

/* ---- stepping ----------------------------------------------------------------------------------------- */

/* The next marker: fill bytes (B.1.1.2), and bytes that belong to nothing, are stepped over. *code 0: the data ends. s->at is then
 * behind the marker. */
static void next_marker(jpeg_stream *s, uint8_t *code)
{
    *code = 0;
    while (s->at < s->n) {
        const uint8_t *const ff = memchr(s->in + s->at, 0xFF, s->n - s->at);

        s->at = ff ? (size_t)(ff - s->in) : s->n;
        while (s->at < s->n && s->in[s->at] == 0xFF)
            s->at++;
        if (s->at >= s->n)
            return;
        *code = s->in[s->at++];
        if (*code)
            return;
    }
}

/* The body of the segment behind a marker; s->at is then behind the segment. */
static mtm_status segment(jpeg_stream *s, uint8_t code, const uint8_t **body, size_t *n, mtm_error *err)
{
    const size_t at = s->at - 2;
    size_t length;

    if (s->n - s->at < 2 || (length = u16_at(s->in + s->at)) > s->n - s->at)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at, "the data ends inside the segment of marker FF%02X",
                        code);
    if (length < 2)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at, "the segment of marker FF%02X has length %zu", code,
                        length);
    *body = s->in + s->at + 2, *n = length - 2;
    s->at += length;
    return s->seen ? s->seen(s->user, code, at, length + 2, err) : MTM_OK;
}

void jpeg_skip_coded(jpeg_stream *s)
{
    while (s->at < s->n) {
        const uint8_t *const ff = memchr(s->in + s->at, 0xFF, s->n - s->at);
        uint8_t next;

        s->at = ff ? (size_t)(ff - s->in) : s->n;
        if (s->n - s->at < 2) {
            s->at = s->n;
            return;
        }
        next = s->in[s->at + 1];
        if (next != 0 && next != 0xFF && !(next >= JPEG_RST0 && next <= JPEG_RST7))
            return;
        s->at += next == 0xFF ? 1 : 2;
    }
}

bool jpeg_detect(const uint8_t *in, size_t n, uint8_t *sof)
{
    jpeg_stream s = {.in = in, .n = n, .at = 2};
    uint8_t code;

    *sof = 0;
    if (n < 4 || in[0] != 0xFF || in[1] != JPEG_SOI || in[2] != 0xFF)
        return false;
    for (next_marker(&s, &code); code && code != JPEG_SOS && code != JPEG_EOI; next_marker(&s, &code)) {
        if (code == JPEG_SOF55)
            return false;
        if (is_sof(code)) {
            *sof = code;
            return true;
        }
        if (stands_alone(code))
            continue;
        if (s.n - s.at < 2 || u16_at(in + s.at) > s.n - s.at)
            break;
        s.at += u16_at(in + s.at);
    }
    return true; /* by SOI alone: what is wrong is said when it is read */
}

/* ---- tables ------------------------------------------------------------------------------------------- */

static mtm_status read_dqt(jpeg_stream *s, const uint8_t *p, size_t n, mtm_error *err)
{
    const int64_t at = p - s->in;

    while (n) {
        const unsigned wide = p[0] >> 4, id = p[0] & 15;
        const size_t bytes = 1 + (wide ? 128 : 64);

        if (wide > 1 || id > 3)
            return mtm_fail(err, MTM_E_CORRUPT, at, "a quantisation table says precision %u, number %u", wide,
                            id);
        if (n < bytes)
            return mtm_fail(err, MTM_E_CORRUPT, at, "quantisation table %u is cut off", id);
        for (unsigned k = 0; k < 64; k++)
            s->quant[id][jpeg_natural[k]] = (uint16_t)(wide ? u16_at(p + 1 + 2 * k) : p[1 + k]);
        s->has_quant[id] = true;
        p += bytes, n -= bytes;
    }
    return MTM_OK;
}

static mtm_status read_dht(jpeg_stream *s, const uint8_t *p, size_t n, mtm_error *err)
{
    while (n) {
        const int64_t at = p - s->in;
        const unsigned class = p[0] >> 4, id = p[0] & 15;
        uint32_t total = 0, room = 1; /* room: codes that are left at a length */
        jpeg_huffman *h;

        if (class > 1 || id > 3)
            return mtm_fail(err, MTM_E_CORRUPT, at, "a Huffman table says class %u, number %u", class, id);
        h = &s->huffman[class][id];
        if (n < 17)
            return mtm_fail(err, MTM_E_CORRUPT, at, "Huffman table %u is cut off", id);
        *h = (jpeg_huffman){.offset = at};
        for (unsigned l = 1; l <= 16; l++) {
            h->count[l] = p[l];
            total += p[l];
            room = 2 * room;
            if (p[l] > room)
                return mtm_fail(err, MTM_E_CORRUPT, at,
                                "Huffman table %u has more codes of %u bits than there are", id, l);
            room -= p[l];
        }
        if (total > 256 || total > n - 17)
            return mtm_fail(err, MTM_E_CORRUPT, at, "Huffman table %u has %u codes", id, total);
        memcpy(h->values, p + 17, total);
        h->there = true;
        p += 17 + total, n -= 17 + total;
    }
    return MTM_OK;
}

static void read_app(jpeg_stream *s, uint8_t code, const uint8_t *p, size_t n)
{
    if (code == JPEG_APP0 && n >= 5 && memcmp(p, "JFIF", 5) == 0)
        s->has_jfif = true;
    if (code == JPEG_APP14 && n >= 12 && memcmp(p, "Adobe", 5) == 0)
        s->has_adobe = true, s->adobe = p[11];
}

/* ---- frame header, T.81 B.2.2 ------------------------------------------------------------------------- */

static mtm_status check_frame(const jpeg_frame *f, int64_t at, mtm_error *err)
{
    const bool lossless = f->sof == JPEG_SOF3;
    const bool bits_ok = lossless              ? f->bits >= 2 && f->bits <= 16
                         : f->sof == JPEG_SOF0 ? f->bits == 8
                                               : f->bits == 8 || f->bits == 12;

    if (f->sof > JPEG_SOF3)
        return mtm_fail(err, MTM_E_UNSUPPORTED, at, "JPEG with marker FF%02X (%s coding) is not decoded",
                        f->sof, jpeg_process_name(f->sof));
    if (!bits_ok)
        return mtm_fail(err, MTM_E_CORRUPT, at, "a frame of %d bits per sample cannot be %s", f->bits,
                        jpeg_process_name(f->sof));
    if (f->width == 0 || f->n == 0)
        return mtm_fail(err, MTM_E_CORRUPT, at, "the frame has width %" PRId64 " and %d components", f->width,
                        f->n);
    if (f->n > JPEG_MOST_COMPONENTS)
        return mtm_fail(err, MTM_E_UNSUPPORTED, at, "the frame has %d components, more than %d", f->n,
                        JPEG_MOST_COMPONENTS);
    return MTM_OK;
}

static mtm_status read_component(jpeg_frame *f, int32_t i, const uint8_t *p, int64_t at, mtm_error *err)
{
    jpeg_component *const c = &f->components[i];

    *c = (jpeg_component){.id = p[0], .h = p[1] >> 4, .v = p[1] & 15, .table = p[2]};
    if (c->h < 1 || c->h > 4 || c->v < 1 || c->v > 4 || c->table > 3)
        return mtm_fail(err, MTM_E_CORRUPT, at,
                        "component %d has sampling factors %u × %u and quantisation table %u", i, c->h, c->v,
                        c->table);
    for (int32_t k = 0; k < i; k++)
        if (f->components[k].id == c->id)
            return mtm_fail(err, MTM_E_CORRUPT, at, "components %d and %d have the same name %u", k, i,
                            c->id);
    f->h = c->h > f->h ? c->h : f->h, f->v = c->v > f->v ? c->v : f->v;
    return MTM_OK;
}

/* Samples of each component: A.1.1. */
static void size_components(jpeg_frame *f)
{
    for (int32_t i = 0; i < f->n; i++) {
        jpeg_component *const c = &f->components[i];

        c->width = (f->width * c->h + f->h - 1) / f->h, c->height = (f->height * c->v + f->v - 1) / f->v;
    }
}

static mtm_status read_sof(jpeg_stream *s, uint8_t code, const uint8_t *p, size_t n, mtm_error *err)
{
    const int64_t at = p - s->in - 4;
    jpeg_frame f = {.sof = code};

    if (s->frame.sof)
        return mtm_fail(err, MTM_E_CORRUPT, at, "there is a second frame header");
    if (n < 6)
        return mtm_fail(err, MTM_E_CORRUPT, at, "the frame header is cut off");
    f.bits = p[0], f.height = (int64_t)u16_at(p + 1), f.width = (int64_t)u16_at(p + 3), f.n = p[5];
    MTM_TRY(check_frame(&f, at, err));
    if (n < 6 + 3 * (size_t)f.n)
        return mtm_fail(err, MTM_E_CORRUPT, at, "the frame header is too short for %d components", f.n);
    for (int32_t i = 0; i < f.n; i++)
        MTM_TRY(read_component(&f, i, p + 6 + 3 * i, at, err));
    s->frame = f;
    return MTM_OK;
}

/* A frame without a height: the DNL segment behind its first scan has it (B.2.5). s->at is at the first SOS. */
static mtm_status find_height(jpeg_stream *s, mtm_error *err)
{
    const size_t at = s->at;
    const uint8_t *body;
    uint8_t code;
    size_t n;

    s->at += 2;
    MTM_TRY(segment(s, JPEG_SOS, &body, &n, err));
    jpeg_skip_coded(s);
    next_marker(s, &code);
    if (code != JPEG_DNL)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at,
                        "the frame has no height, and no DNL segment follows its scan");
    MTM_TRY(segment(s, code, &body, &n, err));
    if (n < 2 || u16_at(body) == 0)
        return mtm_fail(err, MTM_E_CORRUPT, body - s->in - 4, "the DNL segment gives no height");
    s->frame.height = (int64_t)u16_at(body);
    s->at = at;
    return MTM_OK;
}

/* ---- the flow of segments ----------------------------------------------------------------------------- */

/* Takes one marker segment that is neither SOS nor EOI. */
static mtm_status take_segment(jpeg_stream *s, uint8_t code, mtm_error *err)
{
    const uint8_t *body;
    size_t n;

    if (stands_alone(code))
        return MTM_OK;
    MTM_TRY(segment(s, code, &body, &n, err));
    if (is_sof(code))
        return read_sof(s, code, body, n, err);
    if (code == JPEG_SOF55)
        return mtm_fail(err, MTM_E_UNSUPPORTED, body - s->in - 4, "this is JPEG-LS, not JPEG");
    if (code == JPEG_DQT)
        return read_dqt(s, body, n, err);
    if (code == JPEG_DHT)
        return read_dht(s, body, n, err);
    if (code == JPEG_DRI && n < 2)
        return mtm_fail(err, MTM_E_CORRUPT, body - s->in - 4, "the restart interval is cut off");
    if (code == JPEG_DRI)
        s->restart = (int32_t)u16_at(body);
    if (code >= JPEG_APP0 && code <= JPEG_APP15)
        read_app(s, code, body, n);
    return MTM_OK;
}

mtm_status jpeg_open(jpeg_stream *s, const uint8_t *in, size_t n, jpeg_seen seen, void *user, mtm_error *err)
{
    uint8_t code;

    *s = (jpeg_stream){.in = in, .n = n, .at = 2};
    if (n < 4 || in[0] != 0xFF || in[1] != JPEG_SOI)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "the data does not begin with SOI");
    s->seen = seen, s->user = user;
    for (next_marker(s, &code); code != JPEG_SOS; next_marker(s, &code)) {
        if (!code || code == JPEG_EOI)
            return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at, "the data ends before the first scan");
        MTM_TRY(take_segment(s, code, err));
    }
    s->at -= 2;
    if (!s->frame.sof)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at, "there is no frame header before the first scan");
    s->seen = NULL; /* this SOS is met again */
    if (s->frame.height == 0)
        MTM_TRY(find_height(s, err));
    s->seen = seen;
    size_components(&s->frame);
    return MTM_OK;
}

/* ---- scan header, T.81 B.2.3 -------------------------------------------------------------------------- */

static mtm_status scan_component(jpeg_stream *s, jpeg_scan *scan, int32_t i, const uint8_t *p, mtm_error *err)
{
    const jpeg_frame *const f = &s->frame;
    int32_t c = 0;

    while (c < f->n && f->components[c].id != p[0])
        c++;
    if (c == f->n)
        return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "the scan has a component %u, the frame has not",
                        p[0]);
    for (int32_t k = 0; k < i; k++)
        if (scan->component[k] == c)
            return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "the scan has component %u twice", p[0]);
    scan->component[i] = (uint8_t)c, scan->dc[i] = p[1] >> 4, scan->ac[i] = p[1] & 15;
    if (scan->dc[i] > 3 || scan->ac[i] > 3)
        return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "the scan uses Huffman tables %u and %u",
                        scan->dc[i], scan->ac[i]);
    return MTM_OK;
}

static mtm_status read_sos(jpeg_stream *s, jpeg_scan *scan, mtm_error *err)
{
    const uint8_t *p;
    int32_t blocks = 0;
    size_t n;

    *scan = (jpeg_scan){.offset = (int64_t)s->at - 2};
    MTM_TRY(segment(s, JPEG_SOS, &p, &n, err));
    if (n < 1 || p[0] < 1 || p[0] > s->frame.n || n < 4 + 2 * (size_t)p[0])
        return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "the scan header does not fit its components");
    scan->n = p[0];
    for (int32_t i = 0; i < scan->n; i++) {
        MTM_TRY(scan_component(s, scan, i, p + 1 + 2 * i, err));
        blocks += s->frame.components[scan->component[i]].h * s->frame.components[scan->component[i]].v;
    }
    if (scan->n > 1 && blocks > JPEG_MOST_BLOCKS_PER_MCU)
        return mtm_fail(err, MTM_E_CORRUPT, scan->offset, "the scan has %d blocks per MCU, more than %d",
                        blocks, JPEG_MOST_BLOCKS_PER_MCU);
    p += 1 + 2 * scan->n;
    scan->start = p[0], scan->end = p[1], scan->high = p[2] >> 4, scan->low = p[2] & 15;
    return MTM_OK;
}

mtm_status jpeg_next_scan(jpeg_stream *s, jpeg_scan *scan, bool *more, mtm_error *err)
{
    uint8_t code;

    *more = false;
    for (next_marker(s, &code); code && code != JPEG_EOI && code != JPEG_SOI; next_marker(s, &code)) {
        if (code == JPEG_SOS) {
            *more = true;
            return read_sos(s, scan, err);
        }
        MTM_TRY(take_segment(s, code, err));
    }
    return MTM_OK;
}

/* ---- names -------------------------------------------------------------------------------------------- */

int jpeg_color(const jpeg_stream *s)
{
    const jpeg_frame *const f = &s->frame;
    const jpeg_component *const c = f->components;

    if (f->n == 1)
        return JPEG_COLOR_GRAY;
    if (f->n == 4)
        return s->has_adobe && s->adobe == 2 ? JPEG_COLOR_YCCK : JPEG_COLOR_CMYK;
    if (f->n != 3)
        return JPEG_COLOR_UNKNOWN;
    if (s->has_adobe)
        return s->adobe ? JPEG_COLOR_YCC : JPEG_COLOR_RGB;
    if (s->has_jfif)
        return JPEG_COLOR_YCC;
    if (f->sof == JPEG_SOF3 || (c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B'))
        return JPEG_COLOR_RGB;
    return JPEG_COLOR_YCC;
}

const char *jpeg_process_name(uint8_t sof)
{
    static const char *const names[16] = {[0] = "baseline",
                                          [1] = "extended",
                                          [2] = "progressive",
                                          [3] = "lossless",
                                          [5] = "hierarchical extended",
                                          [6] = "hierarchical progressive",
                                          [7] = "hierarchical lossless",
                                          [9] = "extended arithmetic",
                                          [10] = "progressive arithmetic",
                                          [11] = "lossless arithmetic",
                                          [13] = "hierarchical extended arithmetic",
                                          [14] = "hierarchical progressive arithmetic",
                                          [15] = "hierarchical lossless arithmetic"};

    return is_sof(sof) ? names[sof - JPEG_SOF0] : "unknown";
}
