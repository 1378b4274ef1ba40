/* codec/jpeg/info.c: what a JPEG stream says of itself, for mtm_codec_info. Coded bytes are stepped over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jpeg.h"

enum { MOST_MARKERS = 4096, MOST_WARNINGS = 2 };

typedef struct jpeg_info {
    mtm_codec_info base; /* first: the handle is a pointer to it */
    mtm_codec_component components[JPEG_MOST_COMPONENTS];
    mtm_codec_marker *markers;
    size_t room;
    const char *warnings[MOST_WARNINGS];
} jpeg_info;

void jpeg_info_free(mtm_codec_info *i)
{
    jpeg_info *const own = (jpeg_info *)(void *)i;

    if (!own)
        return;
    mtm_free(own->markers);
    mtm_free(own);
}

static void info_drop(jpeg_info *i)
{
    jpeg_info_free(&i->base);
}

MTM_DEFINE_AUTO(jpeg_info, info_drop)

static const char *marker_name(uint8_t code)
{
    static const char *const sof[16] = {"SOF0", "SOF1", "SOF2",  "SOF3",  "DHT", "SOF5",  "SOF6",  "SOF7",
                                        "JPG",  "SOF9", "SOF10", "SOF11", "DAC", "SOF13", "SOF14", "SOF15"};
    static const char *const app[16] = {"APP0", "APP1", "APP2",  "APP3",  "APP4",  "APP5",  "APP6",  "APP7",
                                        "APP8", "APP9", "APP10", "APP11", "APP12", "APP13", "APP14", "APP15"};
    static const char *const high[6] = {"SOS", "DQT", "DNL", "DRI", "DHP", "EXP"};

    if (code >= JPEG_SOF0 && code <= JPEG_SOF15)
        return sof[code - JPEG_SOF0];
    if (code >= JPEG_APP0 && code <= JPEG_APP15)
        return app[code - JPEG_APP0];
    if (code >= JPEG_SOS && code <= JPEG_EXP)
        return high[code - JPEG_SOS];
    return code == JPEG_COM ? "COM" : "unknown";
}

static mtm_status seen(void *user, uint8_t code, size_t offset, size_t bytes, mtm_error *err)
{
    jpeg_info *const i = user;
    const size_t n = (size_t)i->base.n_markers;

    if (n >= MOST_MARKERS)
        return MTM_OK;
    if (n == i->room) {
        const size_t room = n ? 2 * n : 32;
        mtm_codec_marker *const more = mtm_realloc(i->markers, room * sizeof *more);

        if (!more)
            return MTM_NOMEM(err);
        i->markers = more, i->room = room;
    }
    i->markers[i->base.n_markers++] = (mtm_codec_marker){.code = (uint16_t)(0xFF00 | code),
                                                         .name = marker_name(code),
                                                         .offset_bytes = (int64_t)offset,
                                                         .size_bytes = (int64_t)bytes};
    return MTM_OK;
}

static void fill_frame(jpeg_info *i, const jpeg_stream *s)
{
    static const char *const colors[] = {"gray", "sycc", "srgb", "cmyk", "ycck", "unknown"};
    const jpeg_frame *const f = &s->frame;
    mtm_codec_info *const b = &i->base;
    const bool lossless = f->sof == JPEG_SOF3;

    b->codec = "jpeg", b->container = s->has_jfif ? "jfif" : "codestream";
    b->width = b->tile_width = f->width, b->height = b->tile_height = f->height;
    b->tiles_x = b->tiles_y = 1, b->layers = 1;
    b->n_components = b->n_channels = f->n, b->components = i->components;
    b->color = colors[jpeg_color(s)], b->progression = jpeg_process_name(f->sof);
    b->reversible = lossless;
    for (int32_t c = 0; c < f->n; c++) {
        const jpeg_component *const k = &f->components[c];

        i->components[c] = (mtm_codec_component){.width = k->width,
                                                 .height = k->height,
                                                 .dx = f->h / k->h,
                                                 .dy = f->v / k->v,
                                                 .bits = f->bits,
                                                 .block = {lossless ? 1 : 8, lossless ? 1 : 8},
                                                 .reversible = lossless};
    }
}

static void warn(jpeg_info *i, const char *text)
{
    if (i->base.n_warnings < MOST_WARNINGS)
        i->warnings[i->base.n_warnings++] = text;
}

/* Damage behind the frame header is told of, not refused. */
static void walk_scans(jpeg_info *i, jpeg_stream *s)
{
    bool more = true, exact = true;

    while (more) {
        jpeg_scan scan;

        if (jpeg_next_scan(s, &scan, &more, NULL)) {
            warn(i, "a marker segment is damaged");
            break;
        }
        if (!more)
            break;
        i->base.n_tile_parts++;
        exact &= scan.low == 0;
        if (s->frame.sof == JPEG_SOF3 && !i->base.predictor)
            i->base.predictor = scan.start;
        jpeg_skip_coded(s);
    }
    i->base.lossless_capable = s->frame.sof == JPEG_SOF3 && exact;
    if (s->at < 2 || s->in[s->at - 2] != 0xFF || s->in[s->at - 1] != JPEG_EOI)
        warn(i, "there is no EOI");
    i->base.codestream_bytes = (int64_t)s->at;
}

mtm_status jpeg_info_new(mtm_codec_info **out, const uint8_t *in, size_t n, const mtm_limits *lim,
                         mtm_error *err)
{
    MTM_AUTO(jpeg_info) i = mtm_alloc_zero(1, sizeof *i);
    jpeg_stream s;

    if (!i)
        return MTM_NOMEM(err);
    MTM_TRY(jpeg_open(&s, in, n, seen, i, err));
    fill_frame(i, &s);
    walk_scans(i, &s);
    i->base.markers = i->markers, i->base.warnings = i->warnings;
    *out = &jpeg_info_steal(&i)->base;
    return MTM_OK;
}
