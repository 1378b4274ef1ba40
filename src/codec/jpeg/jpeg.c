/* codec/jpeg/jpeg.c: JPEG (ITU-T T.81) in the table of codecs: the call's plan from the headers, the worker's memory, and which decoder a
 * process goes to.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jpeg.h"

#include "base/size.h"
#include "turbo.h"

enum { MOST_SCANS = 512 /* of a progressive stream, each of which may touch every block */ };

/* ---- a worker's memory -------------------------------------------------------------------------------- */

mtm_status jpeg_room_for(jpeg_room *r, uint64_t bytes, mtm_error *err)
{
    void *data;

    if (bytes <= r->bytes)
        return MTM_OK;
    if (bytes > SIZE_MAX / 4 || !(data = mtm_alloc_aligned((size_t)bytes)))
        return MTM_NOMEM(err);
    mtm_free(r->data);
    r->data = data, r->bytes = (size_t)bytes;
    return MTM_OK;
}

static void state_free(void *state)
{
    jpeg_state *const s = state;

    mtm_free(s->clean.data);
    mtm_free(s->samples.data);
    mtm_free(s->coefficients.data);
    mtm_free(s);
}

static mtm_status take(mtm_codec_ctx *c, mtm_codec_worker **w, mtm_error *err)
{
    jpeg_state *s;

    MTM_TRY(mtm_codec_worker_take(c, state_free, w, err));
    if ((*w)->state)
        return MTM_OK;
    if (!(s = mtm_alloc_zero(1, sizeof *s))) {
        mtm_codec_worker_give(c, *w);
        return MTM_NOMEM(err);
    }
    (*w)->state = s;
    return MTM_OK;
}

/* ---- the plan ----------------------------------------------------------------------------------------- */

/* A stream of n bytes has at least a bit for every sample of a lossless frame, and for every block of another one. Partial decoding
 * fills up what is missing, as far as the limit of expansion goes. */
static mtm_status check_price(const jpeg_stream *s, const mtm_decode_params *p, mtm_error *err)
{
    const mtm_limits lim = p->limits ? *p->limits : mtm_limits_default();
    uint64_t units = 0, samples = 0, most;

    for (int32_t i = 0; i < s->frame.n; i++) {
        const jpeg_component *const c = &s->frame.components[i];

        samples += (uint64_t)c->width * (uint64_t)c->height;
        units += s->frame.sof == JPEG_SOF3 ? (uint64_t)c->width * (uint64_t)c->height
                                           : (uint64_t)((c->width + 7) / 8) * (uint64_t)((c->height + 7) / 8);
    }
    if (!p->partial && units / 8 > s->n)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->n,
                        "%zu bytes cannot hold %" PRId64 " × %" PRId64 " samples of %d components", s->n,
                        s->frame.height, s->frame.width, s->frame.n);
    if (!mtm_mul_u64(s->n, lim.max_expansion, &most))
        most = UINT64_MAX;
    if (samples > most || samples > lim.max_bytes)
        return mtm_fail(err, MTM_E_LIMIT, -1,
                        "the image of %" PRId64 " × %" PRId64 " is more than the limits allow",
                        s->frame.height, s->frame.width);
    return MTM_OK;
}

/* 8-bit DCT streams are libjpeg-turbo's. */
static bool is_turbo(const jpeg_frame *f)
{
    return f->bits == 8 && f->sof <= JPEG_SOF2;
}

/* Components are brought to one size by repeating or interpolating whole numbers of times. */
static mtm_status check_sampling(const jpeg_frame *f, mtm_error *err)
{
    for (int32_t i = 0; i < f->n; i++)
        if (f->h % f->components[i].h || f->v % f->components[i].v)
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "component %d is sampled %u × %u of %d × %d", i,
                            f->components[i].h, f->components[i].v, f->h, f->v);
    return MTM_OK;
}

static mtm_status picture_of(mtm_codec_picture *pic, jpeg_stream *s, const uint8_t *in, size_t n,
                             const mtm_decode_params *p, mtm_error *err)
{
    MTM_TRY(jpeg_open(s, in, n, NULL, NULL, err));
    MTM_TRY(check_sampling(&s->frame, err));
    MTM_TRY(check_price(s, p, err));
    *pic = (mtm_codec_picture){.height = s->frame.height,
                               .width = s->frame.width,
                               .channels = s->frame.n,
                               .bits = s->frame.bits,
                               .dtype = s->frame.bits <= 8 ? MTM_U8 : MTM_U16,
                               .order = is_turbo(&s->frame) ? MTM_ORDER_INTERLEAVED : MTM_ORDER_ANY};
    return MTM_OK;
}

static mtm_status picture(mtm_codec_picture *pic, const uint8_t *in, size_t n, const mtm_decode_params *p,
                          mtm_error *err)
{
    jpeg_stream s;

    return picture_of(pic, &s, in, n, p, err);
}

/* ---- scans -------------------------------------------------------------------------------------------- */

bool jpeg_go_on(const jpeg_job *j, mtm_status s, const mtm_error *err)
{
    if (s != MTM_E_CORRUPT || !j->p->partial)
        return false;
    mtm_codec_note(j->p, "byte %" PRId64 ": %s", err->offset, err->text);
    return true;
}

mtm_status jpeg_restart(jpeg_stream *s, unsigned number, mtm_error *err)
{
    const unsigned want = JPEG_RST0 + (number & 7);

    if (s->n - s->at < 2)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at,
                        "the data ends where restart marker FF%02X should be", want);
    if (s->in[s->at] != 0xFF || s->in[s->at + 1] != want)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at,
                        "restart marker FF%02X should be here, not %02X%02X", want, s->in[s->at],
                        s->in[s->at + 1]);
    s->at += 2;
    return MTM_OK;
}

/* A scan may come now: none of its components is complete. */
static mtm_status check_order(const jpeg_job *j, const jpeg_scan *h, unsigned seen, int32_t scans,
                              mtm_error *err)
{
    const bool progressive = j->stream.frame.sof == JPEG_SOF2;

    for (int32_t i = 0; i < h->n && !progressive; i++)
        if (seen >> h->component[i] & 1)
            return mtm_fail(err, MTM_E_CORRUPT, h->offset, "component %d has a second scan", h->component[i]);
    if (scans >= MOST_SCANS)
        return mtm_fail(err, MTM_E_LIMIT, h->offset, "there are more than %d scans", MOST_SCANS);
    return MTM_OK;
}

mtm_status jpeg_each_scan(jpeg_job *j,
                          mtm_status (*scan)(jpeg_job *j, const jpeg_scan *header, mtm_error *err),
                          mtm_error *err)
{
    const unsigned all = (1u << j->stream.frame.n) - 1;
    const bool progressive = j->stream.frame.sof == JPEG_SOF2;
    unsigned seen = 0;
    mtm_status s = MTM_OK;

    MTM_TRY(jpeg_room_for(&j->state->clean, (uint64_t)j->stream.n + JPEG_PAD, err));
    for (int32_t scans = 0; (progressive || seen != all) && !s; scans++) {
        jpeg_scan header;
        bool more;

        s = jpeg_next_scan(&j->stream, &header, &more, err);
        if (!s && !more)
            break;
        s = s ? s : check_order(j, &header, seen, scans, err);
        s = s ? s : scan(j, &header, err);
        for (int32_t i = 0; i < header.n && !s; i++)
            seen |= 1u << header.component[i];
    }
    if (!s && seen != all)
        s = mtm_fail(err, MTM_E_CORRUPT, (int64_t)j->stream.at,
                     "the data ends before component %d had a scan", __builtin_ctz(~seen));
    j->seen = seen;
    return jpeg_go_on(j, s, err) ? MTM_OK : s;
}

/* ---- decoding ----------------------------------------------------------------------------------------- */

/* Every sample `up` times. */
static void put_u8(uint8_t *dst, int64_t step, int64_t width, const uint16_t *row, uint32_t low, int32_t up)
{
    if (step == 1 && up == 1)
        for (int64_t x = 0; x < width; x++)
            dst[x] = (uint8_t)(row[x] << low);
    else if (up == 1)
        for (int64_t x = 0; x < width; x++)
            dst[x * step] = (uint8_t)(row[x] << low);
    else
        for (int64_t x = 0; x < width; x++)
            dst[x * step] = (uint8_t)(row[x / up] << low);
}

static void put_u16(uint16_t *dst, int64_t step, int64_t width, const uint16_t *row, uint32_t low, int32_t up)
{
    if (step == 1 && up == 1 && low == 0)
        memcpy(dst, row, (size_t)width * sizeof *dst);
    else if (up == 1)
        for (int64_t x = 0; x < width; x++)
            dst[x * step] = (uint16_t)(row[x] << low);
    else
        for (int64_t x = 0; x < width; x++)
            dst[x * step] = (uint16_t)(row[x / up] << low);
}

void jpeg_put_row(const jpeg_job *j, int32_t c, int64_t y, const uint16_t *row, uint32_t low)
{
    const jpeg_frame *const f = &j->stream.frame;
    const jpeg_component *const k = &f->components[c];
    const mtm_array *const a = j->dst;
    const int32_t up_x = f->h / k->h, up_y = f->v / k->v;

    for (int64_t at = y * up_y; at < (y + 1) * up_y && at < a->shape[0]; at++) {
        char *const dst = (char *)a->data + at * a->stride[0] + c * a->stride[2];

        if (a->dtype == MTM_U8)
            put_u8((uint8_t *)dst, a->stride[1], a->shape[1], row, low, up_x);
        else
            put_u16((uint16_t *)(void *)dst, a->stride[1] / 2, a->shape[1], row, low, up_x);
    }
}

void jpeg_put_line(const jpeg_job *j, int32_t c, int64_t y, const uint16_t *row)
{
    const mtm_array *const a = j->dst;
    char *const dst = (char *)a->data + y * a->stride[0] + c * a->stride[2];

    if (a->dtype == MTM_U8)
        put_u8((uint8_t *)dst, a->stride[1], a->shape[1], row, 0, 1);
    else
        put_u16((uint16_t *)(void *)dst, a->stride[1] / 2, a->shape[1], row, 0, 1);
}

static mtm_status decode_process(jpeg_job *j, mtm_error *err)
{
    MTM_TRY(j->stream.frame.sof == JPEG_SOF3 ? jpeg_lossless_decode(j, err) : jpeg_dct_decode(j, err));
    if (j->p->to_rgb && jpeg_color(&j->stream) == JPEG_COLOR_YCC)
        jpeg_to_rgb(j->dst, j->stream.frame.bits);
    return MTM_OK;
}

mtm_status jpeg_decode_own(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                           const mtm_array *dst, mtm_error *err)
{
    jpeg_job j = {.dst = dst, .p = p};
    mtm_codec_picture pic;
    mtm_error own = {0}; /* notes need the sentence */
    mtm_codec_worker *w;
    mtm_status s;

    MTM_TRY(picture_of(&pic, &j.stream, in, n, p, err));
    MTM_TRY(take(c, &w, err));
    j.state = w->state;
    s = decode_process(&j, err ? err : &own);
    mtm_codec_worker_give(c, w);
    return s;
}

static mtm_status decode_picture(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                                 const mtm_codec_picture *pic, const mtm_array *dst, mtm_error *err)
{
    if (pic->order == MTM_ORDER_INTERLEAVED)
        return mtm_jpeg_turbo_decode(dst, in, n, p, err);
    return jpeg_decode_own(c, in, n, p, dst, err);
}

/* ---- encoding ----------------------------------------------------------------------------------------- */

static mtm_status encode(mtm_codec_ctx *c, const mtm_array *planes, int32_t n, const mtm_encode_params *p,
                         mtm_bytes *out, mtm_error *err)
{
    mtm_codec_worker *w = NULL;
    mtm_array a = {0};
    mtm_status s;

    MTM_TRY(mtm_whole_gather(&a, planes, n, MTM_ORDER_INTERLEAVED, err));
    s = p->lossy ? mtm_jpeg_turbo_encode(out, &a, p, err) : take(c, &w, err);
    if (!s && w) {
        s = jpeg_lossless_encode(w->state, &a, p, out, err);
        mtm_codec_worker_give(c, w);
    }
    mtm_array_drop(&a);
    return s;
}

/* ---- the codec table's entry -------------------------------------------------------------------------- */

static bool detect(const uint8_t *in, size_t n)
{
    uint8_t sof;

    return jpeg_detect(in, n, &sof);
}

const mtm_codec mtm_codec_jpeg = {
    .name = "jpeg",
    .flags = MTM_CODEC_ENCODE,
    .detect = detect,
    .info = jpeg_info_new,
    .info_free = jpeg_info_free,
    .picture = picture,
    .decode_picture = decode_picture,
    .encode = encode,
};
