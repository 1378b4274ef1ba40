/* codec/codec.c: the public calls over the table of codecs: contexts, which codec, arrays to planes and back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include <pthread.h>

enum { FEW_PLANES = 8 }; /* that need no allocation */

/* ---- contexts ----------------------------------------------------------------------------------------- */

struct mtm_codec_ctx {
    pthread_mutex_t lock;   /* guards `idle`; no other lock is taken under it */
    mtm_codec_worker *idle; /* last used first: its memory is warm */
    unsigned cpu;           /* MTM_CPU_ flags of new workers */
};

MTM_DEFINE_AUTO(mtm_codec_ctx, mtm_codec_ctx_free)

mtm_status mtm_codec_ctx_new(mtm_codec_ctx **out, mtm_error *err)
{
    mtm_codec_ctx *const c = mtm_alloc_zero(1, sizeof *c);

    if (!c)
        return MTM_NOMEM(err);
    pthread_mutex_init(&c->lock, NULL);
    c->cpu = mtm_cpu_flags();
    *out = c;
    return MTM_OK;
}

static void drop_workers(mtm_codec_ctx *c)
{
    while (c->idle) {
        mtm_codec_worker *const w = c->idle;

        c->idle = w->next;
        if (w->state)
            w->free_state(w->state);
        mtm_free(w);
    }
}

void mtm_codec_ctx_set_cpu(mtm_codec_ctx *c, unsigned cpu_flags)
{
    drop_workers(c);
    c->cpu = cpu_flags & mtm_cpu_flags();
}

void mtm_codec_ctx_free(mtm_codec_ctx *c)
{
    if (!c)
        return;
    drop_workers(c);
    pthread_mutex_destroy(&c->lock);
    mtm_free(c);
}

mtm_status mtm_codec_worker_take(mtm_codec_ctx *c, void (*free_state)(void *state), mtm_codec_worker **out,
                                 mtm_error *err)
{
    mtm_codec_worker **at = &c->idle, *w;

    pthread_mutex_lock(&c->lock);
    while (*at && (*at)->free_state != free_state)
        at = &(*at)->next;
    w = *at;
    if (w)
        *at = w->next;
    pthread_mutex_unlock(&c->lock);
    if (!w && !(w = mtm_alloc_zero(1, sizeof *w)))
        return MTM_NOMEM(err);
    w->next = NULL, w->free_state = free_state, w->cpu = c->cpu;
    *out = w;
    return MTM_OK;
}

void mtm_codec_worker_give(mtm_codec_ctx *c, mtm_codec_worker *w)
{
    pthread_mutex_lock(&c->lock);
    w->next = c->idle, c->idle = w;
    pthread_mutex_unlock(&c->lock);
}

/* The caller's context, or one for this call alone in *own. */
static mtm_status context(mtm_codec_ctx **c, mtm_codec_ctx **own, mtm_error *err)
{
    if (*c)
        return MTM_OK;
    MTM_TRY(mtm_codec_ctx_new(own, err));
    *c = *own;
    return MTM_OK;
}

/* ---- which codec, which parameters -------------------------------------------------------------------- */

static mtm_status find(const mtm_codec **out, const char *name, const uint8_t *in, size_t n, mtm_error *err)
{
    for (const mtm_codec *const *c = mtm_codec_table(); *c; c++)
        if (name ? strcmp(name, (*c)->name) == 0 || ((*c)->other_name && strcmp(name, (*c)->other_name) == 0)
                 : (*c)->detect && (*c)->detect(in, n)) {
            *out = *c;
            return MTM_OK;
        }
    if (name)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "there is no codec %s", name);
    return mtm_fail(err, MTM_E_UNSUPPORTED, 0, "no codec knows these %zu bytes", n);
}

/* A caller's struct that begins with struct_size, as this version's: what it lacks is 0, what it has more must be 0. */
static mtm_status adopt(void *mine, const void *theirs, size_t size, const char *what, mtm_error *err)
{
    uint32_t given;

    memset(mine, 0, size);
    if (!theirs)
        return MTM_OK;
    memcpy(&given, theirs, sizeof given);
    if (given < sizeof given)
        return mtm_fail(err, MTM_E_INVAL, -1, "struct_size of %s is not set", what);
    for (size_t i = size; i < given; i++)
        if (((const char *)theirs)[i])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "%s is of a newer version and says what this one does not know", what);
    memcpy(mine, theirs, given < size ? given : size);
    memcpy(mine, &(uint32_t){(uint32_t)size}, sizeof given);
    return MTM_OK;
}

/* What every decoding call begins with. */
typedef struct request {
    mtm_codec_ctx *ctx;
    const mtm_codec *codec;
    const uint8_t *in;
    size_t n;
    mtm_decode_params p;
} request;

static mtm_status begin(request *r, mtm_codec_ctx *ctx, mtm_codec_ctx **own, const void *data, size_t n,
                        const mtm_decode_params *p, mtm_error *err)
{
    *r = (request){.ctx = ctx, .in = data, .n = n};
    MTM_TRY(adopt(&r->p, p, sizeof r->p, "mtm_decode_params", err));
    MTM_TRY(find(&r->codec, r->p.codec, r->in, n, err));
    return context(&r->ctx, own, err);
}

/* ---- information -------------------------------------------------------------------------------------- */

mtm_status mtm_codec_info_new(mtm_codec_info **out, const void *data, size_t size_bytes,
                              const mtm_limits *limits, mtm_error *err)
{
    const mtm_limits lim = limits ? *limits : mtm_limits_default();
    const mtm_codec *codec = NULL;

    MTM_TRY(find(&codec, NULL, data, size_bytes, err));
    if (!codec->info)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "codec %s says nothing of itself", codec->name);
    return codec->info(out, data, size_bytes, &lim, err);
}

void mtm_codec_info_free(mtm_codec_info *i)
{
    const mtm_codec *codec = NULL;

    if (i && find(&codec, i->codec, NULL, 0, NULL) == MTM_OK)
        codec->info_free(i);
}

/* ---- planes ------------------------------------------------------------------------------------------- */

/* Room for as many planes as there are channels: the caller's few, or more from *more. */
typedef struct plane_list {
    mtm_array few[FEW_PLANES], *more, *at;
    int32_t n;
} plane_list;

static void plane_list_auto(plane_list *l)
{
    mtm_free(l->more);
}
#define PLANE_LIST __attribute__((cleanup(plane_list_auto))) plane_list

static mtm_status plane_list_room(plane_list *l, int32_t n, mtm_error *err)
{
    l->at = l->few, l->n = n;
    if (n > FEW_PLANES && !(l->at = l->more = mtm_alloc_zero((size_t)n, sizeof *l->more)))
        return MTM_NOMEM(err);
    return MTM_OK;
}

static mtm_status codec_layout(const request *r, bool per_grid, mtm_array *planes, int32_t room, int32_t *n,
                               mtm_error *err)
{
    if (r->codec->picture)
        return mtm_whole_layout(r->codec, r->in, r->n, &r->p, planes, room, n, err);
    return r->codec->layout(r->ctx, r->in, r->n, &r->p, per_grid, planes, room, n, err);
}

static mtm_status codec_decode(const request *r, bool per_grid, const plane_list *l, mtm_error *err)
{
    if (r->codec->picture)
        return mtm_whole_decode(r->codec, r->ctx, r->in, r->n, &r->p, l->at, l->n, err);
    return r->codec->decode(r->ctx, r->in, r->n, &r->p, per_grid, l->at, l->n, err);
}

static mtm_status layout(plane_list *l, const request *r, bool per_grid, mtm_error *err)
{
    int32_t n;

    MTM_TRY(codec_layout(r, per_grid, l->few, FEW_PLANES, &n, err));
    MTM_TRY(plane_list_room(l, n, err));
    if (n > FEW_PLANES)
        return codec_layout(r, per_grid, l->at, n, &n, err);
    return MTM_OK;
}

/* The type that holds every channel's numbers. */
static mtm_dtype common_dtype(const plane_list *l)
{
    static const mtm_dtype of[2][4] = {{MTM_U8, MTM_U16, MTM_U32, MTM_U64},
                                       {MTM_I8, MTM_I16, MTM_I32, MTM_I64}};
    bool any_signed = false, same = true;
    int32_t log2_size = 0;

    for (int32_t i = 0; i < l->n; i++) {
        const mtm_dtype t = l->at[i].dtype;

        same &= t == l->at[0].dtype;
        any_signed |= t == MTM_I8 || t == MTM_I16 || t == MTM_I32 || t == MTM_I64;
    }
    if (same) /* also those that were asked for */
        return l->at[0].dtype;
    for (int32_t i = 0; i < l->n; i++) {
        const mtm_dtype t = l->at[i].dtype;
        const bool wider = any_signed && (t == MTM_U8 || t == MTM_U16 || t == MTM_U32);
        const int32_t log2 = __builtin_ctz((unsigned)mtm_dtype_size(t)) + wider;

        log2_size = log2 > log2_size ? log2 : log2_size;
    }
    return of[any_signed][log2_size];
}

static bool same_size(const plane_list *l)
{
    for (int32_t i = 1; i < l->n; i++)
        if (l->at[i].shape[0] != l->at[0].shape[0] || l->at[i].shape[1] != l->at[0].shape[1])
            return false;
    return true;
}

/* [Y, X] for one channel, else [Y, X, C] or [C, Y, X]. */
static int32_t picture_shape(int64_t shape[3], const plane_list *l, bool planar)
{
    const int64_t y = l->at[0].shape[0], x = l->at[0].shape[1];
    const int64_t c = l->n;

    shape[0] = planar && c > 1 ? c : y;
    shape[1] = planar && c > 1 ? y : x;
    shape[2] = c == 1 ? 1 : planar ? x : c;
    return c == 1 ? 2 : 3;
}

/* The channels of a picture as planes. The codec checks their number and shapes. */
static mtm_status planes_of(plane_list *l, const mtm_array *a, bool planar, mtm_error *err)
{
    const int32_t axis = planar ? 0 : 2, y = planar && a->ndim == 3 ? 1 : 0;
    const int64_t n = a->ndim == 3 ? a->shape[axis] : 1;

    if (a->ndim != 2 && a->ndim != 3)
        return mtm_fail(err, MTM_E_INVAL, -1, "a picture has 2 or 3 axes, not %d", a->ndim);
    if (a->device != MTM_DEVICE_CPU)
        return mtm_fail(err, MTM_E_INVAL, -1, "the array does not lie in the memory of the CPU");
    if (n < 1 || n > INT16_MAX)
        return mtm_fail(err, MTM_E_INVAL, -1, "a picture has 1 to %d channels, not %" PRId64, INT16_MAX, n);
    MTM_TRY(plane_list_room(l, (int32_t)n, err));
    for (int32_t i = 0; i < l->n; i++)
        l->at[i] = (mtm_array){.data = (char *)a->data + (a->ndim == 3 ? i * a->stride[axis] : 0),
                               .shape = {a->shape[y], a->shape[y + 1]},
                               .stride = {a->stride[y], a->stride[y + 1]},
                               .ndim = 2,
                               .dtype = a->dtype};
    return MTM_OK;
}

/* ---- decoding ----------------------------------------------------------------------------------------- */

mtm_status mtm_decode_shape(mtm_codec_ctx *ctx, const void *data, size_t size_bytes,
                            const mtm_decode_params *p, int32_t *ndim, int64_t shape[3], mtm_dtype *dtype,
                            bool *same, mtm_error *err)
{
    MTM_AUTO(mtm_codec_ctx) own = NULL;
    PLANE_LIST l = {.n = 0};
    request r;

    MTM_TRY(begin(&r, ctx, &own, data, size_bytes, p, err));
    MTM_TRY(layout(&l, &r, false, err));
    *same = same_size(&l);
    *dtype = common_dtype(&l);
    *ndim = picture_shape(shape, &l, r.p.planar);
    return MTM_OK;
}

/* A new array for what the request gives, with `lead` frames in front when that is not −1. */
static mtm_status picture_new(mtm_array *out, const request *r, int64_t lead, mtm_dtype dtype, mtm_error *err)
{
    const mtm_limits lim = r->p.limits ? *r->p.limits : mtm_limits_default();
    int64_t shape[4] = {lead};
    int64_t *const frame = shape + (lead >= 0);
    PLANE_LIST l = {.n = 0};
    uint64_t bytes;
    int32_t ndim;

    MTM_TRY(layout(&l, r, false, err));
    if (!same_size(&l))
        return mtm_fail(err, MTM_E_INVAL, -1, "the channels have different sizes; decode them as planes");
    dtype = dtype ? dtype : common_dtype(&l);
    ndim = picture_shape(frame, &l, r->p.planar) + (lead >= 0);
    MTM_TRY(mtm_extent_bytes(&bytes, ndim, shape, mtm_dtype_size(dtype), lim.max_bytes, "the decoded image",
                             err));
    return mtm_array_new(out, dtype, ndim, shape, NULL, err);
}

static mtm_status decode_into(const request *r, const mtm_array *dst, mtm_error *err)
{
    PLANE_LIST l = {.n = 0};

    MTM_TRY(planes_of(&l, dst, r->p.planar, err));
    return codec_decode(r, false, &l, err);
}

mtm_status mtm_decode(mtm_codec_ctx *ctx, const void *data, size_t size_bytes, const mtm_decode_params *p,
                      mtm_array *dst, mtm_error *err)
{
    MTM_AUTO(mtm_codec_ctx) own = NULL;
    mtm_array made;
    mtm_status s;
    request r;

    MTM_TRY(begin(&r, ctx, &own, data, size_bytes, p, err));
    if (dst->data)
        return decode_into(&r, dst, err);
    MTM_TRY(picture_new(&made, &r, -1, dst->dtype, err));
    s = decode_into(&r, &made, err);
    if (s)
        mtm_array_drop(&made);
    else
        *dst = made;
    return s;
}

/* New arrays where there are none; on failure those are dropped again. */
static mtm_status decode_planes(const request *r, plane_list *l, mtm_array *planes, mtm_error *err)
{
    const mtm_limits lim = r->p.limits ? *r->p.limits : mtm_limits_default();
    uint64_t bytes, left = lim.max_bytes;
    mtm_status s = MTM_OK;

    for (int32_t i = 0; i < l->n && !s; i++) {
        mtm_array a = l->at[i];

        if (planes[i].data) {
            l->at[i] = planes[i];
            continue;
        }
        a.dtype = planes[i].dtype ? planes[i].dtype : a.dtype;
        s = mtm_extent_bytes(&bytes, 2, a.shape, mtm_dtype_size(a.dtype), left, "the decoded image", err);
        if (!s && !(s = mtm_array_new(&l->at[i], a.dtype, 2, a.shape, NULL, err)))
            left -= bytes;
    }
    if (!s)
        s = codec_decode(r, true, l, err);
    for (int32_t i = 0; i < l->n; i++) {
        if (planes[i].data)
            continue;
        if (s)
            mtm_array_drop(&l->at[i]);
        else
            planes[i] = l->at[i];
    }
    return s;
}

mtm_status mtm_decode_planes(mtm_codec_ctx *ctx, const void *data, size_t size_bytes,
                             const mtm_decode_params *p, mtm_array *planes, int32_t n, int32_t *n_planes,
                             mtm_error *err)
{
    MTM_AUTO(mtm_codec_ctx) own = NULL;
    PLANE_LIST l = {.n = 0};
    request r;

    MTM_TRY(begin(&r, ctx, &own, data, size_bytes, p, err));
    MTM_TRY(layout(&l, &r, true, err));
    if (l.n > n)
        return mtm_fail(err, MTM_E_INVAL, -1, "room for %d planes, but there are %d channels", n, l.n);
    MTM_TRY(decode_planes(&r, &l, planes, err));
    *n_planes = l.n;
    return MTM_OK;
}

mtm_status mtm_decode_rows(mtm_codec_ctx *ctx, const void *data, size_t size_bytes,
                           const mtm_decode_params *p, mtm_rows_sink sink, void *user, mtm_error *err)
{
    MTM_AUTO(mtm_codec_ctx) own = NULL;
    request r;

    MTM_TRY(begin(&r, ctx, &own, data, size_bytes, p, err));
    if (r.codec->picture)
        return mtm_whole_decode_rows(r.codec, r.ctx, r.in, r.n, &r.p, sink, user, err);
    return r.codec->decode_rows(r.ctx, r.in, r.n, &r.p, sink, user, err);
}

/* ---- many frames -------------------------------------------------------------------------------------- */

typedef struct batch {
    request r; /* but for in, n */
    const mtm_span *frames;
    const mtm_array *dst;
    mtm_status *statuses;
    mtm_error *errors;
    pthread_mutex_t lock;      /* guards what follows */
    int64_t failed;            /* least number of a failed frame; n: none */
    mtm_error first;           /* its error */
    mtm_decode_report *report; /* of all frames; NULL: not wanted */
} batch;

/* Sums up; `levels` is the least. */
static void report_add(mtm_decode_report *to, const mtm_decode_report *r)
{
    const int32_t kept = to->n_warnings < 8 ? to->n_warnings : 8;

    to->complete &= r->complete;
    to->levels = to->levels == INT32_MAX || r->levels < 0   ? r->levels
                 : to->levels < 0 || to->levels > r->levels ? to->levels
                                                            : r->levels; /* a greater reduce is less */
    to->bytes_used += r->bytes_used;
    to->blocks += r->blocks, to->blocks_decoded += r->blocks_decoded, to->blocks_damaged += r->blocks_damaged;
    for (int32_t i = 0; i < r->n_warnings && i < 8 && kept + i < 8; i++)
        memcpy(to->warnings[kept + i], r->warnings[i], sizeof r->warnings[i]);
    to->n_warnings += r->n_warnings;
}

/* Zeros, at any strides. */
static void clear(const mtm_array *a, int32_t axis, char *at)
{
    const size_t size = mtm_dtype_size(a->dtype);

    for (int64_t i = 0; i < a->shape[axis]; i++, at += a->stride[axis]) {
        if (axis + 1 < a->ndim)
            clear(a, axis + 1, at);
        else
            memset(at, 0, size);
    }
}

/* Frame i as an array of its own. */
static mtm_array frame_of(const mtm_array *a, int64_t i)
{
    mtm_array f = {.data = (char *)a->data + i * a->stride[0], .ndim = a->ndim - 1, .dtype = a->dtype};

    f.device = a->device;
    for (int32_t k = 0; k < f.ndim; k++)
        f.shape[k] = a->shape[k + 1], f.stride[k] = a->stride[k + 1];
    return f;
}

static bool needed(batch *b, int64_t i)
{
    bool yes;

    pthread_mutex_lock(&b->lock);
    yes = b->statuses || i < b->failed;
    pthread_mutex_unlock(&b->lock);
    return yes;
}

static void finish(batch *b, int64_t i, mtm_status s, const mtm_error *e, const mtm_decode_report *report)
{
    pthread_mutex_lock(&b->lock);
    if (s && i < b->failed)
        b->failed = i, b->first = *e;
    if (b->report && s)
        b->report->complete = false;
    else if (b->report)
        report_add(b->report, report);
    pthread_mutex_unlock(&b->lock);
    if (b->statuses)
        b->statuses[i] = s;
    if (b->errors)
        b->errors[i] = *e;
}

static void decode_frames(void *arg, int64_t lo, int64_t hi)
{
    batch *const b = arg;

    for (int64_t i = lo; i < hi; i++) {
        const mtm_array dst = frame_of(b->dst, i);
        mtm_error e = {.offset = -1};
        mtm_decode_report report = {0};
        request r = b->r;
        mtm_status s;

        if (!needed(b, i))
            continue;
        r.in = b->frames[i].data, r.n = b->frames[i].size_bytes;
        r.p.report = b->report ? &report : NULL;
        s = find(&r.codec, r.p.codec, r.in, r.n, &e);
        s = s ? s : decode_into(&r, &dst, &e);
        if (s)
            clear(&dst, 0, dst.data);
        finish(b, i, s, &e, &report);
    }
}

/* The array for all frames, by the first of them that can be read; with none, the first one's error. */
static mtm_status batch_new(mtm_array *out, request r, const mtm_span *frames, int64_t n, mtm_dtype dtype,
                            mtm_error *err)
{
    mtm_status s = mtm_fail(err, MTM_E_INVAL, -1, "a batch of no frames has no shape; give an array");

    for (int64_t i = 0; i < n; i++) {
        mtm_status si;

        r.in = frames[i].data, r.n = frames[i].size_bytes;
        si = find(&r.codec, r.p.codec, r.in, r.n, i ? NULL : err);
        si = si ? si : picture_new(out, &r, n, dtype, i ? NULL : err);
        if (!si)
            return MTM_OK;
        s = i ? s : si;
    }
    return s;
}

static mtm_status batch_run(batch *b, int64_t n, mtm_error *err)
{
    mtm_pool *const pool = b->r.p.pool;
    mtm_status s;

    if (n >= mtm_pool_threads(pool)) /* side by side; else each frame is also split */
        b->r.p.pool = NULL;
    pthread_mutex_init(&b->lock, NULL);
    s = mtm_pool_for(pool, n, 1, decode_frames, b, NULL, err);
    pthread_mutex_destroy(&b->lock);
    if (!s && !b->statuses && b->failed < n) {
        if (err)
            *err = b->first;
        return b->first.code;
    }
    return s;
}

mtm_status mtm_decode_batch(mtm_codec_ctx *ctx, const mtm_span *frames, int64_t n, const mtm_decode_params *p,
                            mtm_array *dst, mtm_status *statuses, mtm_error *errors, mtm_error *err)
{
    batch b = {.frames = frames, .statuses = statuses, .errors = errors, .failed = n};
    MTM_AUTO(mtm_codec_ctx) own = NULL;
    mtm_array made = *dst;
    mtm_status s;

    b.r = (request){.ctx = ctx};
    MTM_TRY(adopt(&b.r.p, p, sizeof b.r.p, "mtm_decode_params", err));
    MTM_TRY(context(&b.r.ctx, &own, err));
    if (n < 0 || (dst->data && (dst->ndim < 3 || dst->ndim > 4 || dst->shape[0] != n)))
        return mtm_fail(err, MTM_E_INVAL, -1, "the array's first axis must be the %" PRId64 " frames", n);
    if (!dst->data)
        MTM_TRY(batch_new(&made, b.r, frames, n, dst->dtype, err));
    b.dst = &made, b.report = b.r.p.report;
    if (b.report)
        *b.report = (mtm_decode_report){.complete = true, .levels = INT32_MAX};
    s = batch_run(&b, n, err);
    if (b.report && b.report->levels == INT32_MAX)
        b.report->levels = -1; /* no frame could be read */
    if (!dst->data && s)
        mtm_array_drop(&made);
    else if (!dst->data)
        *dst = made;
    return s;
}

/* ---- encoding ----------------------------------------------------------------------------------------- */

mtm_encode_params mtm_encode_params_default(void)
{
    return (mtm_encode_params){.struct_size = sizeof(mtm_encode_params), .levels = -1, .mct = -1};
}

mtm_status mtm_encode_planes(mtm_codec_ctx *ctx, const mtm_array *planes, int32_t n,
                             const mtm_encode_params *p, mtm_bytes *out, mtm_error *err)
{
    MTM_AUTO(mtm_codec_ctx) own = NULL;
    mtm_encode_params mine = mtm_encode_params_default();
    const mtm_codec *codec = NULL;
    mtm_status s;

    out->size_bytes = 0;
    if (p)
        MTM_TRY(adopt(&mine, p, sizeof mine, "mtm_encode_params", err));
    mine.codec = mine.codec ? mine.codec : "htj2k";
    MTM_TRY(find(&codec, mine.codec, NULL, 0, err));
    if (!(codec->flags & MTM_CODEC_ENCODE))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "codec %s only decodes", mine.codec);
    MTM_TRY(context(&ctx, &own, err));
    s = codec->encode(ctx, planes, n, &mine, out, err);
    if (s)
        out->size_bytes = 0;
    return s;
}

mtm_status mtm_encode(mtm_codec_ctx *ctx, const mtm_array *src, bool planar, const mtm_encode_params *p,
                      mtm_bytes *out, mtm_error *err)
{
    PLANE_LIST l = {.n = 0};

    out->size_bytes = 0;
    MTM_TRY(planes_of(&l, src, planar, err));
    return mtm_encode_planes(ctx, l.at, l.n, p, out, err);
}
