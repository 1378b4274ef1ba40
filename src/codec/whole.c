/* codec/whole.c: decoding for codecs that only know the whole picture: straight into the caller's memory where its order allows,
 * else into a worker's scratch, from where the region and the channels wanted are cropped, rescaled and converted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "base/size.h"
#include "codec.h"

enum { ROWS_OF_A_BAND = 64, WINDOW_CHUNK = 4096 };

/* ---- what is wanted ----------------------------------------------------------------------------------- */

typedef struct want {
    mtm_codec_picture pic;
    int64_t y0, y1, x0, x1;
    int32_t n; /* channels */
    mtm_dtype dtype;
} want;

static mtm_status check_params(const mtm_codec *codec, const mtm_decode_params *p, mtm_error *err)
{
    if (p->reduce)
        return mtm_fail(err, MTM_E_INVAL, -1, "reduce may be 0 to 0, as codec %s has one resolution, not %d",
                        codec->name, p->reduce);
    if (p->n_present || p->present)
        return mtm_fail(err, MTM_E_INVAL, -1, "codec %s needs all bytes", codec->name);
    if (p->dtype && !mtm_dtype_size(p->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "%d is no dtype", p->dtype);
    if (p->n_components < 0 || (p->components && p->n_components == 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "no components, or fewer");
    return MTM_OK;
}

static mtm_status want_get(want *w, const mtm_codec *codec, const uint8_t *in, size_t n,
                           const mtm_decode_params *p, mtm_error *err)
{
    const mtm_limits lim = p->limits ? *p->limits : mtm_limits_default();
    uint64_t bytes;

    MTM_TRY(check_params(codec, p, err));
    MTM_TRY(codec->picture(&w->pic, in, n, p, err));
    const int64_t shape[3] = {w->pic.height, w->pic.width, w->pic.channels};
    MTM_TRY(mtm_extent_bytes(&bytes, 3, shape, mtm_dtype_size(w->pic.dtype), lim.max_bytes,
                             "the decoded image", err));
    w->y0 = w->x0 = 0, w->y1 = w->pic.height, w->x1 = w->pic.width;
    if (p->has_region) {
        w->y0 = p->region[0], w->y1 = p->region[1], w->x0 = p->region[2], w->x1 = p->region[3];
        if (w->y0 < 0 || w->y0 > w->y1 || w->y1 > w->pic.height || w->x0 < 0 || w->x0 > w->x1 ||
            w->x1 > w->pic.width)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "region (%" PRId64 ":%" PRId64 ", %" PRId64 ":%" PRId64
                            ") leaves the image of %" PRId64 " × %" PRId64 " pixels",
                            w->y0, w->y1, w->x0, w->x1, w->pic.height, w->pic.width);
    }
    for (int32_t i = 0; p->components && i < p->n_components; i++)
        if (p->components[i] < 0 || p->components[i] >= w->pic.channels)
            return mtm_fail(err, MTM_E_INVAL, -1, "there is no component %d, but 0 to %d", p->components[i],
                            w->pic.channels - 1);
    w->n = p->components ? p->n_components : w->pic.channels;
    w->dtype = p->dtype ? p->dtype : p->rescale ? MTM_F32 : w->pic.dtype;
    return MTM_OK;
}

mtm_status mtm_whole_layout(const mtm_codec *codec, const uint8_t *in, size_t n, const mtm_decode_params *p,
                            mtm_array *planes, int32_t room, int32_t *n_planes, mtm_error *err)
{
    want w;

    MTM_TRY(want_get(&w, codec, in, n, p, err));
    const int64_t shape[2] = {w.y1 - w.y0, w.x1 - w.x0};
    for (int32_t i = 0; i < w.n && i < room; i++)
        planes[i] = mtm_array_wrap(NULL, w.dtype, 2, shape);
    *n_planes = w.n;
    return MTM_OK;
}

static mtm_status check_planes(const want *w, const mtm_array *planes, int32_t n, mtm_error *err)
{
    if (n != w->n)
        return mtm_fail(err, MTM_E_INVAL, -1, "the array has %d channels, the image %d", n, w->n);
    for (int32_t i = 0; i < n; i++) {
        if (planes[i].shape[0] != w->y1 - w->y0 || planes[i].shape[1] != w->x1 - w->x0)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "channel %d is %" PRId64 " × %" PRId64 " pixels, the array %" PRId64
                            " × %" PRId64,
                            i, w->y1 - w->y0, w->x1 - w->x0, planes[i].shape[0], planes[i].shape[1]);
        if (planes[i].ndim != 2 || planes[i].device != MTM_DEVICE_CPU || !mtm_dtype_size(planes[i].dtype))
            return mtm_fail(err, MTM_E_INVAL, -1, "channel %d is no picture in the memory of the CPU", i);
    }
    return MTM_OK;
}

/* ---- where it is decoded to --------------------------------------------------------------------------- */

/* Planes of one type and size as one array [Y, X, C]; false when their distances differ. */
static bool joined(mtm_array *out, const mtm_array *planes, int32_t n)
{
    const int64_t step = n > 1 ? (char *)planes[1].data - (char *)planes[0].data : 0;

    for (int32_t i = 1; i < n; i++)
        if (planes[i].dtype != planes[0].dtype ||
            (char *)planes[i].data != (char *)planes[0].data + i * step ||
            planes[i].stride[0] != planes[0].stride[0] || planes[i].stride[1] != planes[0].stride[1])
            return false;
    *out = (mtm_array){.data = planes[0].data, .ndim = 3, .dtype = planes[0].dtype};
    out->shape[0] = planes[0].shape[0], out->shape[1] = planes[0].shape[1], out->shape[2] = n;
    out->stride[0] = planes[0].stride[0], out->stride[1] = planes[0].stride[1];
    out->stride[2] = n > 1 ? step : (int64_t)mtm_dtype_size(planes[0].dtype);
    return true;
}

/* Whether an array [Y, X, C] lies in this order, aligned to its elements. */
static bool in_order(const mtm_array *a, mtm_codec_order order)
{
    const int64_t size = (int64_t)mtm_dtype_size(a->dtype), n = a->shape[2];

    if ((uintptr_t)a->data % (uintptr_t)size || a->stride[0] % size || a->stride[1] % size ||
        a->stride[2] % size)
        return false; /* odd memory: by way of a copy */
    switch (order) {
    case MTM_ORDER_INTERLEAVED:
        return a->stride[1] == n * size && a->stride[2] == size && a->stride[0] >= a->shape[1] * n * size;
    case MTM_ORDER_PLANAR:
        return a->stride[1] == size && a->stride[0] >= a->shape[1] * size &&
               (n == 1 || a->stride[2] == a->shape[0] * a->stride[0]);
    default: return true;
    }
}

/* The planes as one array, when they are the whole picture in an order that the codec can write. */
static bool direct(mtm_array *dst, const want *w, const mtm_decode_params *p, const mtm_array *planes)
{
    const mtm_codec_picture *const pic = &w->pic;

    if (p->components || p->rescale || w->y0 || w->x0 || w->y1 < pic->height || w->x1 < pic->width)
        return false;
    return planes[0].dtype == pic->dtype && joined(dst, planes, pic->channels) && in_order(dst, pic->order);
}

/* [Y, X, C] over memory, without gaps. */
static mtm_array view_in_order(void *data, const mtm_codec_picture *pic)
{
    const int64_t size = (int64_t)mtm_dtype_size(pic->dtype);
    const bool planar = pic->order == MTM_ORDER_PLANAR;
    mtm_array a = {.data = data, .ndim = 3, .dtype = pic->dtype};

    a.shape[0] = pic->height, a.shape[1] = pic->width, a.shape[2] = pic->channels;
    a.stride[1] = planar ? size : size * pic->channels;
    a.stride[0] = a.stride[1] * pic->width;
    a.stride[2] = planar ? a.stride[0] * pic->height : size;
    return a;
}

mtm_status mtm_whole_gather(mtm_array *out, const mtm_array *planes, int32_t n, mtm_codec_order order,
                            mtm_error *err)
{
    const mtm_codec_picture pic = {.height = planes[0].shape[0],
                                   .width = planes[0].shape[1],
                                   .channels = n,
                                   .dtype = planes[0].dtype,
                                   .order = order};
    const int64_t shape[3] = {pic.height, pic.width, n};
    mtm_array copy;

    for (int32_t i = 0; i < n; i++)
        if (planes[i].dtype != pic.dtype || planes[i].shape[0] != pic.height ||
            planes[i].shape[1] != pic.width)
            return mtm_fail(err, MTM_E_INVAL, -1, "the planes are not of one size and type");
    if (pic.height < 1 || pic.width < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "a picture without pixels");
    if (joined(out, planes, n) && in_order(out, order))
        return MTM_OK;
    MTM_TRY(mtm_array_new(&copy, pic.dtype, 3, shape, NULL, err));
    *out = view_in_order(copy.data, &pic);
    out->owner = copy.owner;
    for (int32_t i = 0; i < n; i++) {
        mtm_array to = *out;

        to.ndim = 2, to.data = (char *)out->data + i * out->stride[2];
        MTM_TRY(mtm_array_convert(&to, &planes[i], 1, 0, NULL, err));
    }
    return MTM_OK;
}

/* A worker's memory for the whole picture. */
typedef struct scratch {
    uint8_t *data;
    size_t room_bytes;
} scratch;

static void scratch_free(void *state)
{
    scratch *const s = state;

    mtm_free(s->data);
    mtm_free(s);
}

static mtm_status scratch_reserve(scratch *s, size_t size_bytes, mtm_error *err)
{
    if (size_bytes <= s->room_bytes)
        return MTM_OK;
    mtm_free(s->data);
    s->room_bytes = 0;
    s->data = mtm_alloc_aligned(size_bytes);
    if (!s->data)
        return MTM_NOMEM(err);
    s->room_bytes = size_bytes;
    return MTM_OK;
}

/* ---- from the scratch to the caller ------------------------------------------------------------------- */

void mtm_codec_window(double *x, size_t n, const mtm_decode_params *p)
{
    const double low = p->low, high = p->low == 0 && p->high == 0 ? 1 : p->high;
    const double c = p->window_center - 0.5, w = p->window_width > 1 ? p->window_width - 1 : 0;

    for (size_t i = 0; i < n; i++)
        x[i] = x[i] <= c - w / 2  ? low
               : x[i] > c + w / 2 ? high
                                  : ((x[i] - c) / w + 0.5) * (high - low) + low;
}

/* value · slope + inter through the window, row by row in pieces. */
static mtm_status window_plane(mtm_array dst, mtm_array src, const mtm_decode_params *p, mtm_error *err)
{
    double x[WINDOW_CHUNK];
    const int64_t width = dst.shape[1];

    for (int64_t y = 0; y < dst.shape[0]; y++)
        for (int64_t at = 0; at < width; at += WINDOW_CHUNK) {
            const int64_t shape[1] = {mtm_min_i64(width - at, WINDOW_CHUNK)};
            mtm_array row = mtm_array_wrap(x, MTM_F64, 1, shape), from = row, to = row;

            from.data = (char *)src.data + y * src.stride[0] + at * src.stride[1];
            from.stride[0] = src.stride[1], from.dtype = src.dtype;
            to.data = (char *)dst.data + y * dst.stride[0] + at * dst.stride[1];
            to.stride[0] = dst.stride[1], to.dtype = dst.dtype;
            MTM_TRY(mtm_array_convert(&row, &from, p->slope, p->inter, NULL, err));
            mtm_codec_window(x, (size_t)shape[0], p);
            MTM_TRY(mtm_array_convert(&to, &row, 1, 0, NULL, err));
        }
    return MTM_OK;
}

static mtm_status deliver(const want *w, const mtm_decode_params *p, const mtm_array *all,
                          const mtm_array *planes, mtm_error *err)
{
    for (int32_t i = 0; i < w->n; i++) {
        const int32_t c = p->components ? p->components[i] : i;
        mtm_array src = *all, dst = planes[i];

        src.ndim = 2, src.shape[0] = w->y1 - w->y0, src.shape[1] = w->x1 - w->x0;
        src.data = (char *)all->data + w->y0 * all->stride[0] + w->x0 * all->stride[1] + c * all->stride[2];
        if (p->rescale && p->window_width > 0)
            MTM_TRY(window_plane(dst, src, p, err));
        else
            MTM_TRY(mtm_array_convert(&dst, &src, p->rescale ? p->slope : 1, p->rescale ? p->inter : 0,
                                      p->pool, err));
    }
    return MTM_OK;
}

static mtm_status decode_by_scratch(const mtm_codec *codec, mtm_codec_ctx *c, scratch *s, const uint8_t *in,
                                    size_t n, const mtm_decode_params *p, const want *w,
                                    const mtm_array *planes, mtm_error *err)
{
    const size_t bytes = (size_t)(w->pic.height * w->pic.width * w->pic.channels) *
                         mtm_dtype_size(w->pic.dtype); /* checked by want_get */

    MTM_TRY(scratch_reserve(s, bytes, err));
    const mtm_array all = view_in_order(s->data, &w->pic);
    MTM_TRY(codec->decode_picture(c, in, n, p, &w->pic, &all, err));
    return deliver(w, p, &all, planes, err);
}

static void report_begin(const mtm_decode_params *p, size_t n)
{
    if (p->report)
        *p->report =
            (mtm_decode_report){.complete = true, .bytes_used = (int64_t)n, .blocks = 1, .blocks_decoded = 1};
}

void mtm_codec_note(const mtm_decode_params *p, const char *fmt, ...)
{
    mtm_decode_report *const r = p->report;
    va_list args;

    if (!r)
        return;
    r->complete = false, r->levels = -1, r->blocks_damaged = 1;
    if (r->n_warnings < 8) {
        va_start(args, fmt);
        vsnprintf(r->warnings[r->n_warnings], sizeof r->warnings[0], fmt, args);
        va_end(args);
    }
    r->n_warnings++;
}

mtm_status mtm_whole_decode(const mtm_codec *codec, mtm_codec_ctx *c, const uint8_t *in, size_t n,
                            const mtm_decode_params *p, const mtm_array *planes, int32_t n_planes,
                            mtm_error *err)
{
    mtm_codec_worker *worker;
    mtm_array dst;
    mtm_status s = MTM_OK;
    want w;

    MTM_TRY(want_get(&w, codec, in, n, p, err));
    MTM_TRY(check_planes(&w, planes, n_planes, err));
    report_begin(p, n);
    if (direct(&dst, &w, p, planes))
        return codec->decode_picture(c, in, n, p, &w.pic, &dst, err);
    MTM_TRY(mtm_codec_worker_take(c, scratch_free, &worker, err));
    if (!worker->state)
        worker->state = mtm_alloc_zero(1, sizeof(scratch));
    s = worker->state ? decode_by_scratch(codec, c, worker->state, in, n, p, &w, planes, err)
                      : MTM_NOMEM(err);
    mtm_codec_worker_give(c, worker);
    return s;
}

mtm_status mtm_whole_decode_rows(const mtm_codec *codec, mtm_codec_ctx *c, const uint8_t *in, size_t n,
                                 const mtm_decode_params *p, mtm_rows_sink sink, void *user, mtm_error *err)
{
    MTM_AUTO(mtm_buffer) memory = NULL;
    MTM_AUTO_MEM mtm_array *planes = NULL;
    uint64_t bytes;
    mtm_array rows;
    want w;

    MTM_TRY(want_get(&w, codec, in, n, p, err));
    const bool planar = p->planar && w.n > 1;
    const int64_t h = w.y1 - w.y0, width = w.x1 - w.x0;
    const int64_t flat[3] = {h, width, w.n}, split[3] = {w.n, h, width};
    MTM_TRY(mtm_extent_bytes(&bytes, 3, flat, mtm_dtype_size(w.dtype), UINT64_MAX >> 1, "the decoded image",
                             err));
    MTM_TRY(mtm_buffer_new(&memory, bytes, err));
    planes = mtm_alloc_zero((size_t)w.n, sizeof *planes);
    if (!planes)
        return MTM_NOMEM(err);
    rows = mtm_array_wrap(mtm_buffer_data(memory), w.dtype, w.n == 1 ? 2 : 3, planar ? split : flat);
    for (int32_t i = 0; i < w.n; i++) {
        planes[i] = mtm_array_wrap(rows.data, w.dtype, 2, flat);
        planes[i].data = (char *)rows.data + (w.n > 1 ? i * rows.stride[planar ? 0 : 2] : 0);
        planes[i].stride[0] = rows.stride[planar], planes[i].stride[1] = rows.stride[planar + 1];
    }
    MTM_TRY(mtm_whole_decode(codec, c, in, n, p, planes, w.n, err));
    for (int64_t y = 0; y < h; y += ROWS_OF_A_BAND) {
        mtm_array band = rows;

        band.data = (char *)rows.data + y * rows.stride[planar];
        band.shape[planar] = mtm_min_i64(ROWS_OF_A_BAND, h - y);
        MTM_TRY(sink(user, &band, y, err));
    }
    return MTM_OK;
}

/* ---- information -------------------------------------------------------------------------------------- */

mtm_status mtm_codec_info_make(mtm_codec_info **out, const char *codec, const mtm_codec_picture *pic,
                               int32_t n_components, int32_t n_markers, size_t n,
                               mtm_codec_component **components, mtm_codec_marker **markers, mtm_error *err)
{
    const size_t info_bytes = (sizeof(mtm_codec_info) + 15) / 16 * 16;
    const size_t list_bytes = (size_t)n_components * sizeof **components;
    mtm_codec_info *const i =
        mtm_alloc_zero(1, info_bytes + list_bytes + (size_t)n_markers * sizeof **markers);

    if (!i)
        return MTM_NOMEM(err);
    *components = (mtm_codec_component *)(void *)((char *)i + info_bytes);
    *markers = (mtm_codec_marker *)(void *)((char *)i + info_bytes + list_bytes);
    i->codec = codec, i->container = "codestream", i->progression = "";
    i->width = i->tile_width = pic->width, i->height = i->tile_height = pic->height;
    i->tiles_x = i->tiles_y = 1, i->layers = 1, i->n_tile_parts = 1;
    i->n_components = n_components, i->components = *components;
    i->n_markers = n_markers, i->markers = *markers;
    i->n_channels = pic->channels, i->color = pic->channels < 3 ? "gray" : "unknown";
    i->codestream_bytes = (int64_t)n;
    for (int32_t c = 0; c < n_components; c++)
        (*components)[c] = (mtm_codec_component){
            .width = pic->width, .height = pic->height, .dx = 1, .dy = 1, .bits = pic->bits, .block = {1, 1}};
    *out = i;
    return MTM_OK;
}

void mtm_codec_info_drop(mtm_codec_info *i)
{
    mtm_free(i);
}
