/* format/dicom/pixel/read.c: frames of a data set as arrays: which type and shape, values for measuring and for the screen, frames side by
 * side.
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <float.h>
#include <math.h>
#include <pthread.h>

MTM_DEFINE_AUTO(mtm_codec_ctx, mtm_codec_ctx_free)

/* ---- values -------------------------------------------------------------------------------------------- */

/* A float32 image of dst's shape: dst itself, where it is one, else new. */
static mtm_status stage_of(mtm_array *stage, const mtm_array *dst, mtm_error *err)
{
    *stage = *dst;
    stage->owner = NULL;
    if (dst->dtype == MTM_F32 && mtm_array_is_c_order(dst))
        return MTM_OK;
    return mtm_array_new(stage, MTM_F32, dst->ndim, dst->shape, NULL, err);
}

static mtm_status modality_values(const dcm_decoder *x, dcm_scratch *s, int64_t frame,
                                  const int64_t region[4], mtm_array *dst, uint32_t *notes, mtm_error *err)
{
    dcm_lut *damaged = NULL;

    MTM_TRY(dcm_frame_into(x, s, frame, region, false, 1, 0, dst, notes, err));
    if (!x->modality_lut)
        return dcm_lut_new(&damaged, x->d, dcm_first_item(x->d, NULL, DCM_MODALITY_LUTS), err);
    dcm_lut_apply(x->modality_lut, dst->data, (size_t)mtm_array_count(dst), 1);
    return MTM_OK;
}

mtm_status dcm_frame_modality(const dcm_decoder *x, dcm_scratch *s, int64_t frame, const int64_t region[4],
                              mtm_array *dst, uint32_t *notes, mtm_error *err)
{
    const bool gray = x->pixels.channels == 1;
    double slope = 1, inter = 0;
    mtm_array stage;
    mtm_status status;

    if (!gray || !x->pixels.has_modality_lut) {
        if (gray)
            dcm_frame_rescale(x->d, frame, &slope, &inter);
        return dcm_frame_into(x, s, frame, region, false, slope, inter, dst, notes, err);
    }
    MTM_TRY(stage_of(&stage, dst, err));
    status = modality_values(x, s, frame, region, &stage, notes, err);
    if (status == MTM_OK && stage.data != dst->data)
        status = mtm_array_convert(dst, &stage, 1, 0, NULL, err);
    mtm_array_drop(&stage);
    return status;
}

/* No window: from the smallest value to the largest. */
static void stretch(float *v, size_t n)
{
    float lo = FLT_MAX, hi = -FLT_MAX;

    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i]))
            lo = fminf(lo, v[i]), hi = fmaxf(hi, v[i]);
    for (size_t i = 0; i < n; i++)
        v[i] = hi > lo ? (float)(((double)v[i] - lo) / ((double)hi - lo) * 255) : 0;
}

static mtm_status gray_to_screen(const dcm_decoder *x, int64_t frame, int32_t item, float *v, size_t n,
                                 mtm_error *err)
{
    MTM_AUTO(dcm_lut) lut = NULL;
    bool has_window;
    dcm_window w;

    MTM_TRY(dcm_voi_find(x->d, frame, item, &lut, &w, &has_window, err));
    if (lut)
        dcm_lut_apply(lut, v, n, 255 / (ldexp(1, lut->bits) - 1));
    else if (has_window)
        dcm_window_apply(&w, v, n);
    else
        stretch(v, n);
    if (strcmp(x->pixels.photometric, "MONOCHROME1") == 0) /* its smallest value is white */
        for (size_t i = 0; i < n; i++)
            v[i] = 255 - v[i];
    return MTM_OK;
}

static mtm_status screen_values(const dcm_decoder *x, dcm_scratch *s, int64_t frame, int32_t item,
                                mtm_array *dst, uint32_t *notes, mtm_error *err)
{
    const bool gray = x->pixels.channels == 1;
    mtm_array stage;
    mtm_status status;

    if (!gray) { /* colours have no window: 0 … 255 of their depth */
        const bool palette = strcmp(x->pixels.photometric, "PALETTE COLOR") == 0;
        const int bits = palette ? (int)(8 * mtm_dtype_size(x->pixels.dtype)) : x->pixels.bits_stored;

        return dcm_frame_into(x, s, frame, NULL, false, 255 / (ldexp(1, bits) - 1), 0, dst, notes, err);
    }
    MTM_TRY(stage_of(&stage, dst, err));
    status = dcm_frame_modality(x, s, frame, NULL, &stage, notes, err);
    if (status == MTM_OK)
        status = gray_to_screen(x, frame, item, stage.data, (size_t)mtm_array_count(&stage), err);
    if (status == MTM_OK && stage.data != dst->data)
        status = mtm_array_convert(dst, &stage, 1, 0, NULL, err);
    mtm_array_drop(&stage);
    return status;
}

/* ---- frames side by side ------------------------------------------------------------------------------- */

typedef struct reading {
    const dcm_decoder *x;
    const mtm_dicom_read_options *opt;
    const mtm_array *dst; /* [F, …] */
    int64_t first;
    pthread_mutex_t lock; /* guards what follows */
    uint32_t notes;
    int64_t failed; /* lowest frame that failed, or INT64_MAX */
    mtm_status status;
    mtm_error error;
} reading;

static mtm_status read_one(const reading *r, dcm_scratch *s, int64_t i, uint32_t *notes, mtm_error *err)
{
    const mtm_dicom_read_options *const o = r->opt;
    mtm_array frame = *r->dst;

    frame.ndim--;
    frame.data = (char *)r->dst->data + i * r->dst->stride[0];
    memmove(frame.shape, frame.shape + 1, (size_t)frame.ndim * sizeof *frame.shape);
    memmove(frame.stride, frame.stride + 1, (size_t)frame.ndim * sizeof *frame.stride);
    if (o->voi)
        return screen_values(r->x, s, r->first + i, o->voi_item, &frame, notes, err);
    if (o->modality)
        return dcm_frame_modality(r->x, s, r->first + i, NULL, &frame, notes, err);
    return dcm_frame_into(r->x, s, r->first + i, NULL, o->raw, 1, 0, &frame, notes, err);
}

static void read_some(void *arg, int64_t lo, int64_t hi)
{
    reading *const r = arg;
    dcm_scratch s = {0};
    uint32_t notes = 0;
    mtm_status status = MTM_OK;
    mtm_error err = {0};
    int64_t i = lo;

    while (i < hi && (status = read_one(r, &s, i, &notes, &err)) == MTM_OK)
        i++;
    dcm_scratch_drop(&s);
    pthread_mutex_lock(&r->lock);
    r->notes |= notes;
    if (status && i < r->failed)
        r->failed = i, r->status = status, r->error = err;
    pthread_mutex_unlock(&r->lock);
}

static mtm_status read_all(reading *r, int64_t n, mtm_error *err)
{
    const int threads = r->opt->pool ? mtm_pool_threads(r->opt->pool) : 1;
    const int64_t grain = mtm_max_i64(1, n / (4 * threads)); /* scratch is made once per piece */
    mtm_status s;

    pthread_mutex_init(&r->lock, NULL);
    s = mtm_pool_for(r->opt->pool, n, threads == 1 ? n : grain, read_some, r, NULL, err);
    pthread_mutex_destroy(&r->lock);
    if (s == MTM_OK && r->status) {
        if (err)
            *err = r->error;
        return r->status;
    }
    return s;
}

/* ---- the call ------------------------------------------------------------------------------------------ */

/* [F, Y, X] or [F, Y, X, C]: size and raw type of the first frame's codestream hold for all. */
static mtm_status new_array(const dcm_decoder *x, int64_t first, int64_t n, const mtm_dicom_read_options *o,
                            mtm_dtype wanted, mtm_array *dst, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &x->pixels;
    const int32_t channels = o->raw ? p->samples : p->channels;
    const bool palette = strcmp(p->photometric, "PALETTE COLOR") == 0;
    int64_t shape[4] = {n, 0, 0, channels};
    dcm_scratch s = {0};
    mtm_dtype raw, t;
    mtm_status status;
    uint64_t bytes;

    status = dcm_frame_shape(x, &s, first, shape + 1, &raw, err);
    dcm_scratch_drop(&s);
    MTM_TRY(status);
    t = wanted ? wanted : o->voi || o->modality ? MTM_F32 : palette && !o->raw ? p->dtype : raw;
    MTM_TRY(mtm_extent_bytes(&bytes, channels > 1 ? 4 : 3, shape, mtm_dtype_size(t), x->d->limits.max_bytes,
                             "the array of frames", err));
    return mtm_array_new(dst, t, channels > 1 ? 4 : 3, shape, o->recycler, err);
}

static mtm_status tell(const reading *r, char **warnings, mtm_error *err)
{
    char text[1024];

    *warnings = NULL;
    dcm_notes_text(r->x, r->notes, text, sizeof text);
    if (text[0] && !(*warnings = mtm_strdup(text)))
        return MTM_NOMEM(err);
    return MTM_OK;
}

static mtm_status frames_read(const mtm_dicom *d, int64_t first, int64_t n, const mtm_dicom_read_options *o,
                              mtm_array *dst, char **warnings, mtm_error *err)
{
    MTM_AUTO(mtm_codec_ctx) own = NULL;
    MTM_AUTO(dcm_decoder) x = NULL;
    mtm_array made = *dst;
    reading r = {.opt = o, .dst = &made, .first = first, .failed = INT64_MAX};
    mtm_status s;

    if (!o->codec)
        MTM_TRY(mtm_codec_ctx_new(&own, err));
    MTM_TRY(dcm_decoder_new(&x, d, o->codec ? o->codec : own, err));
    r.x = x;
    if (first < 0 || n < 1 || n > x->pixels.frames - first)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "there are no frames %" PRId64 " to %" PRId64 "; there are %" PRId64, first,
                        first + n - 1, x->pixels.frames);
    if (!x->pixels.encapsulated) /* before there is room for more than the file can have */
        MTM_TRY(dcm_frame_check(x->frames, first + n - 1, err));
    if (!dst->data)
        MTM_TRY(new_array(x, first, n, o, dst->dtype, &made, err));
    s = made.ndim < 3 || made.shape[0] != n
            ? mtm_fail(err, MTM_E_INVAL, -1,
                       "the array for %" PRId64 " frames must be [F, Y, X] or [F, Y, X, C]", n)
            : read_all(&r, n, err);
    if (s == MTM_OK && warnings)
        s = tell(&r, warnings, err);
    if (s == MTM_OK)
        *dst = made;
    else if (!dst->data)
        mtm_array_drop(&made);
    return s;
}

mtm_status mtm_dicom_frames_read(const mtm_dicom *d, int64_t first, int64_t n,
                                 const mtm_dicom_read_options *opt, mtm_array *dst, char **warnings,
                                 mtm_error *err)
{
    mtm_dicom_read_options mine = {.struct_size = sizeof mine};

    if (opt && opt->struct_size < sizeof opt->struct_size)
        return mtm_fail(err, MTM_E_INVAL, -1, "struct_size of mtm_dicom_read_options is not set");
    if (opt)
        memcpy(&mine, opt, opt->struct_size < sizeof mine ? opt->struct_size : sizeof mine);
    return mtm_error_where(err, frames_read(d, first, n, &mine, dst, warnings, err), mtm_dicom_path(d));
}

mtm_status mtm_dicom_frame_bytes(const mtm_dicom *d, int64_t frame, mtm_bytes *out, mtm_error *err)
{
    MTM_AUTO(dcm_frames) frames = NULL;
    mtm_dicom_pixels p;
    mtm_status s;

    out->size_bytes = 0;
    s = mtm_dicom_pixels_get(d, &p, err);
    if (s == MTM_OK)
        s = dcm_frames_new(&frames, d, &p, err);
    if (s == MTM_OK && (frame < 0 || frame >= p.frames))
        s = mtm_fail(err, MTM_E_INVAL, -1, "there is no frame %" PRId64 "; there are %" PRId64, frame,
                     p.frames);
    if (s == MTM_OK)
        s = dcm_frame_bytes(frames, frame, out, err);
    return mtm_error_where(err, s, mtm_dicom_path(d));
}
