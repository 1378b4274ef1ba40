/* format/dicom/volume/seg.c: a segmentation (PS3.3 A.51) as an image: a label map where no two segments share a voxel, else one channel
 * per segment. Frames are decoded when a box needs them; slices side by side.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/dicom/volume/seg.h"

#include <pthread.h>
#include <stdio.h>

#include "base/pool.h"
#include "base/size.h"
#include "base/text.h"

enum { SOP_CLASS = 0x00080016, OVERLAP = 0x00620013, SEGMENTS = 0x00620002, LABEL = 0x00620005 };
enum { CATEGORY = 0x00620003, TYPE = 0x0062000F, ALGORITHM_TYPE = 0x00620008, ALGORITHM_NAME = 0x00620009 };
enum { CODE_VALUE = 0x00080100, CODE_SCHEME = 0x00080102, CODE_MEANING = 0x00080104 };

static const char seg_class[] = "1.2.840.10008.5.1.4.1.1.66.4";
static const char labelmap_class[] = "1.2.840.10008.5.1.4.1.1.66.7";

bool dcm_is_seg_class(const char *uid)
{
    return !strcmp(uid, seg_class) || !strcmp(uid, labelmap_class);
}

bool dcm_is_seg(const mtm_dicom *d)
{
    char uid[68];

    return dcm_ascii(d, NULL, SOP_CLASS, uid, sizeof uid) && dcm_is_seg_class(uid);
}

/* ---- reading -------------------------------------------------------------------------------------------- */

/* A box of the stack that is being read. */
typedef struct seg_read {
    const dcm_seg *s;
    int64_t lo[3], size[3];  /* K, R, C */
    int64_t first, channels; /* channels read; 0, 1 of a label map */
    mtm_array view;          /* [channels, K, R, C] of the result */
    atomic_bool stop, overlap;
    pthread_mutex_t lock; /* guards the two below */
    mtm_status st;
    mtm_error err;
} seg_read;

/* The part of a frame that the box holds, in pixels of the frame: y0, y1, x0, x1. False: none. */
static bool part_of(const seg_read *r, const dcm_seg_frame *f, int64_t region[4])
{
    const mtm_dicom_pixels *const p = &r->s->decoder->pixels;

    region[0] = mtm_max_i64(r->lo[1] - f->r, 0);
    region[1] = mtm_min_i64(r->lo[1] + r->size[1] - f->r, p->rows);
    region[2] = mtm_max_i64(r->lo[2] - f->c, 0);
    region[3] = mtm_min_i64(r->lo[2] + r->size[2] - f->c, p->columns);
    return region[0] < region[1] && region[2] < region[3];
}

/* Where that part goes: [Y, X]. */
static mtm_array place_of(const seg_read *r, const dcm_seg_frame *f, const int64_t region[4])
{
    const mtm_array *const v = &r->view;
    const int64_t channel = r->s->channels ? f->segment - r->first : 0;

    return (mtm_array){
        .data = (uint8_t *)v->data + channel * v->stride[0] + (f->k - r->lo[0]) * v->stride[1] +
                (f->r + region[0] - r->lo[1]) * v->stride[2] + (f->c + region[2] - r->lo[2]) * v->stride[3],
        .shape = {region[1] - region[0], region[3] - region[2]},
        .stride = {v->stride[2], v->stride[3]},
        .ndim = 2,
        .dtype = v->dtype};
}

/* Writes the segment's number where mask is set; true: another number stood there. */
static bool number_put(mtm_array *dst, const uint8_t *mask, int64_t number)
{
    const size_t size = mtm_dtype_size(dst->dtype);
    bool overlap = false;

    for (int64_t y = 0; y < dst->shape[0]; y++)
        for (int64_t x = 0; x < dst->shape[1]; x++) {
            uint8_t *const p = (uint8_t *)dst->data + y * dst->stride[0] + x * dst->stride[1];
            uint16_t was = 0;

            if (!*mask++)
                continue;
            memcpy(&was, p, size);
            overlap |= was && was != number;
            memcpy(p, &(uint16_t){(uint16_t)number}, size);
        }
    return overlap;
}

static mtm_status mask_read(seg_read *r, dcm_scratch *scratch, const dcm_seg_frame *f,
                            const int64_t region[4], mtm_bytes *mask, mtm_error *err)
{
    mtm_array dst = place_of(r, f, region);
    const int64_t rows = dst.shape[0], columns = dst.shape[1];
    mtm_array plane = {.shape = {rows, columns}, .stride = {columns, 1}, .ndim = 2, .dtype = MTM_U8};
    uint32_t notes = 0;

    MTM_TRY(mtm_bytes_reserve(mask, (size_t)(rows * columns), err));
    plane.data = mask->data;
    MTM_TRY(dcm_frame_into(r->s->decoder, scratch, f->frame, region, true, 1, 0, &plane, &notes, err));
    if (number_put(&dst, mask->data, r->s->numbers[f->segment]))
        atomic_store(&r->overlap, true);
    return MTM_OK;
}

static mtm_status frame_put(seg_read *r, dcm_scratch *scratch, const dcm_seg_frame *f, mtm_bytes *mask,
                            mtm_error *err)
{
    int64_t region[4];
    uint32_t notes = 0;

    if (!part_of(r, f, region) ||
        (r->s->channels && (f->segment < r->first || f->segment >= r->first + r->channels)))
        return MTM_OK;
    if (r->s->type == DCM_SEG_BINARY && !r->s->channels)
        return mask_read(r, scratch, f, region, mask, err);
    mtm_array dst = place_of(r, f, region);
    return dcm_frame_into(r->s->decoder, scratch, f->frame, region, true,
                          r->s->type == DCM_SEG_FRACTIONAL ? r->s->scale : 1, 0, &dst, &notes, err);
}

/* The first frame of plane k or later. */
static int64_t frame_from(const dcm_seg *s, int64_t k)
{
    int64_t lo = 0, hi = s->n;

    while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;

        if (s->frames[mid].k < k)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Planes lo … hi of the box. */
static void planes_read(void *arg, int64_t lo, int64_t hi)
{
    seg_read *const r = arg;
    const dcm_seg *const s = r->s;
    dcm_scratch scratch = {0};
    mtm_bytes mask = {0};
    mtm_error err = {.offset = -1};
    mtm_status st = MTM_OK;

    for (int64_t i = frame_from(s, r->lo[0] + lo); i < s->n && s->frames[i].k < r->lo[0] + hi && !st; i++)
        st = frame_put(r, &scratch, &s->frames[i], &mask, &err);
    dcm_scratch_drop(&scratch);
    mtm_bytes_drop(&mask);
    if (!st)
        return;
    pthread_mutex_lock(&r->lock);
    if (!r->st)
        r->st = st, r->err = err;
    pthread_mutex_unlock(&r->lock);
    atomic_store(&r->stop, true);
}

static mtm_status stack_read(seg_read *r, mtm_pool *pool, mtm_error *err)
{
    mtm_status st;

    atomic_init(&r->stop, false);
    atomic_init(&r->overlap, false);
    if (pthread_mutex_init(&r->lock, NULL))
        return MTM_NOMEM(err);
    st = mtm_pool_for(pool, r->size[0], 1, planes_read, r, &r->stop, err);
    pthread_mutex_destroy(&r->lock);
    if (r->st && err)
        *err = r->err;
    return r->st ? r->st : st;
}

/* The image's box, [C,] Z, Y, X, as a box of the stack, and the result seen along the stack's axes. */
static void along_stack(const dcm_seg *s, const mtm_box *box, const mtm_array *a, seg_read *r)
{
    const int c = s->channels;

    r->first = c ? box->start[0] : 0, r->channels = c ? box->size[0] : 1;
    r->view = *a;
    r->view.ndim = 4, r->view.owner = NULL;
    r->view.shape[0] = r->channels, r->view.stride[0] = c ? a->stride[0] : 0;
    for (int i = 0; i < 3; i++) {
        const int from = c + s->axis[i];
        const int64_t start = box->start[from], n = box->size[from];

        r->lo[i] = s->flip[i] ? s->size[i] - start - n : start;
        r->size[i] = n;
        r->view.shape[1 + i] = n;
        r->view.stride[1 + i] = s->flip[i] ? -a->stride[from] : a->stride[from];
        if (s->flip[i])
            r->view.data = (uint8_t *)r->view.data + (n - 1) * a->stride[from];
    }
}

/* There is one level. */
static mtm_status seg_image_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                                 mtm_array *dst, mtm_image_stats *stats, mtm_error *err)
{
    dcm_seg *const s = (dcm_seg *)im;
    seg_read r = {.s = s};
    mtm_array made = {0};
    mtm_status st;

    MTM_TRY(mtm_array_new(&made, im->info.dtype, box->ndim, box->size, opt->recycler, err));
    memset(made.data, 0, mtm_buffer_size(made.owner));
    along_stack(s, box, &made, &r);
    st = stack_read(&r, opt->pool, err);
    if (!st && atomic_load(&r.overlap))
        st = mtm_fail(err, MTM_E_CORRUPT, -1, "segments overlap, which the segmentation denies");
    if (!st)
        st = mtm_image_convert(im, dst, &made, 1, 0, false, opt->pool, stats, err);
    mtm_array_drop(&made);
    return st;
}

static void seg_close(mtm_image *im)
{
    dcm_seg *const s = (dcm_seg *)im;

    dcm_decoder_free(s->decoder);
    mtm_codec_ctx_free(s->codec);
    mtm_dicom_close(s->d);
    mtm_free(s->numbers);
    mtm_free(s->frames);
    mtm_image_clear(im);
    mtm_free(s);
}

static const mtm_image_kind seg_kind = {.read = seg_image_read, .close = seg_close};

/* ---- opening -------------------------------------------------------------------------------------------- */

static int by_plane(const void *a, const void *b)
{
    const dcm_seg_frame *const p = a, *const q = b;

    if (p->k != q->k)
        return p->k < q->k ? -1 : 1;
    return (p->frame > q->frame) - (p->frame < q->frame);
}

/* Whether two frames of plane k are of different segments. */
static bool shared_plane(const dcm_seg *s, int64_t i)
{
    return i > 0 && s->frames[i].k == s->frames[i - 1].k && s->frames[i].segment != s->frames[i - 1].segment;
}

/* Reads the planes that several segments share: their voxels alone tell whether segments overlap (PS3.3 C.8.20.2). */
static mtm_status overlap_find(dcm_seg *s, mtm_error *err)
{
    uint64_t bytes;
    int64_t done = INT64_MIN; /* plane */
    MTM_AUTO_MEM uint8_t *plane = NULL;

    MTM_TRY(mtm_extent_bytes(&bytes, 2, &s->size[1], 2, s->base.limits.max_bytes, "a plane", err));
    for (int64_t i = 0; i < s->n && !s->channels; i++) {
        seg_read r = {.s = s, .lo = {s->frames[i].k}, .size = {1, s->size[1], s->size[2]}, .channels = 1};

        if (!shared_plane(s, i) || s->frames[i].k == done)
            continue;
        done = s->frames[i].k;
        if (!plane)
            plane = mtm_alloc((size_t)bytes);
        if (!plane)
            return MTM_NOMEM(err);
        memset(plane, 0, (size_t)bytes);
        r.view = (mtm_array){.data = plane,
                             .shape = {1, 1, s->size[1], s->size[2]},
                             .stride = {0, 0, s->size[2] * 2, 2},
                             .ndim = 4,
                             .dtype = MTM_U16};
        MTM_TRY(stack_read(&r, NULL, err));
        s->channels = atomic_load(&r.overlap);
    }
    return MTM_OK;
}

static mtm_status channels_find(dcm_seg *s, mtm_error *err)
{
    char overlap[20];

    dcm_ascii(s->d, NULL, OVERLAP, overlap, sizeof overlap);
    s->channels = s->type == DCM_SEG_FRACTIONAL;
    if (s->type != DCM_SEG_BINARY || s->n_segments < 2 || !strcmp(overlap, "NO"))
        return MTM_OK;
    return overlap_find(s, err);
}

static mtm_dtype dtype_of(const dcm_seg *s)
{
    int64_t most = 0;

    for (int32_t i = 0; i < s->n_segments; i++)
        most = mtm_max_i64(most, s->numbers[i]);
    if (s->type == DCM_SEG_FRACTIONAL)
        return MTM_F32;
    if (s->type == DCM_SEG_LABELMAP)
        return s->decoder->pixels.raw_dtype;
    return s->channels || most <= UINT8_MAX ? MTM_U8 : MTM_U16;
}

static mtm_status info_set(dcm_seg *s, mtm_error *err)
{
    mtm_image_info *const f = &s->base.info;
    const int c = s->channels;
    uint64_t bytes;

    f->format = "dicom", f->codec = s->decoder->pixels.codec;
    strcpy(f->axes, c ? "CZYX" : "ZYX");
    f->ndim = 3 + c;
    f->dtype = f->stored_dtype = dtype_of(s);
    f->slope = 1, f->inter = 0;
    f->shape[0] = s->n_segments, f->spacing[0] = 1;
    for (int i = 0; i < 3; i++)
        f->shape[c + s->axis[i]] = s->size[i];
    for (int i = 0; i < 3; i++) {
        const double *const a = &f->affine[2 - i];

        f->spacing[c + i] = f->has_affine ? __builtin_sqrt(a[0] * a[0] + a[4] * a[4] + a[8] * a[8])
                            : i           ? s->spacing[i - 1]
                                          : 1;
    }
    f->n_levels = 1;
    f->file_bytes = (int64_t)s->d->file_bytes;
    return mtm_extent_bytes(&bytes, f->ndim, f->shape, mtm_dtype_size(f->dtype), s->base.limits.max_bytes,
                            "the segmentation", err);
}

static mtm_status text_property(dcm_seg *s, const mtm_dicom_element *item, uint32_t tag, int64_t number,
                                const char *key, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(s->d, item, tag);
    char name[64], *text = NULL;

    if (!e || !e->length_bytes)
        return MTM_OK;
    MTM_TRY(mtm_dicom_text(&text, s->d, e, err));
    snprintf(name, sizeof name, "segment.%" PRId64 ".%s", number, key);
    const mtm_status st = mtm_image_add_property(&s->base, err, name, "%s", text);
    mtm_dicom_free(text);
    return st;
}

/* "Liver (SCT 10200004)" */
static mtm_status code_property(dcm_seg *s, const mtm_dicom_element *item, uint32_t tag, int64_t number,
                                const char *key, mtm_error *err)
{
    const mtm_dicom_element *const code = dcm_first_item(s->d, item, tag);
    const mtm_dicom_element *const e = code ? mtm_dicom_find(s->d, code, CODE_MEANING) : NULL;
    char name[64], value[68], scheme[20], *meaning = NULL;

    if (!e)
        return MTM_OK;
    MTM_TRY(mtm_dicom_text(&meaning, s->d, e, err));
    dcm_ascii(s->d, code, CODE_VALUE, value, sizeof value);
    dcm_ascii(s->d, code, CODE_SCHEME, scheme, sizeof scheme);
    snprintf(name, sizeof name, "segment.%" PRId64 ".%s", number, key);
    const mtm_status st = mtm_image_add_property(&s->base, err, name, "%s (%s %s)", meaning, scheme, value);
    mtm_dicom_free(meaning);
    return st;
}

static mtm_status properties_set(dcm_seg *s, mtm_error *err)
{
    static const char *const types[] = {"BINARY", "FRACTIONAL", "LABELMAP"};
    const mtm_dicom_element *const sq = mtm_dicom_find(s->d, NULL, SEGMENTS), *item = NULL;
    mtm_text list = {0};
    char *text = NULL;

    for (int32_t i = 0; i < s->n_segments; i++)
        mtm_text_add(&list, "%s%" PRId64, i ? "," : "", s->numbers[i]);
    MTM_TRY(mtm_text_take(&list, &text, err));
    mtm_status st = mtm_image_add_property(&s->base, err, "segments", "%s", text);
    mtm_free(text);
    MTM_TRY(st);
    MTM_TRY(mtm_image_add_property(&s->base, err, "segmentation.type", "%s", types[s->type]));
    for (int32_t i = 0; i < s->n_segments; i++) {
        item = dcm_item_next(s->d, sq, item);

        const int64_t number = s->numbers[i];

        MTM_TRY(text_property(s, item, LABEL, number, "label", err));
        MTM_TRY(code_property(s, item, CATEGORY, number, "category", err));
        MTM_TRY(code_property(s, item, TYPE, number, "type", err));
        MTM_TRY(text_property(s, item, ALGORITHM_TYPE, number, "algorithm", err));
        MTM_TRY(text_property(s, item, ALGORITHM_NAME, number, "algorithm.name", err));
    }
    return MTM_OK;
}

static mtm_status seg_fill(dcm_seg *s, const mtm_dicom_grid *grid, mtm_error *err)
{
    if (!dcm_is_seg(s->d))
        return mtm_fail(err, MTM_E_INVAL, -1, "is no DICOM segmentation");
    MTM_TRY(mtm_codec_ctx_new(&s->codec, err));
    MTM_TRY(dcm_decoder_new(&s->decoder, s->d, s->codec, err));
    if (s->decoder->pixels.samples != 1 || s->decoder->pixels.is_signed || s->decoder->pixels.is_float)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "a segmentation's pixels are one unsigned sample each");
    MTM_TRY(dcm_seg_frames_read(s, err));
    MTM_TRY(dcm_seg_place(s, grid, err));
    qsort(s->frames, (size_t)s->n, sizeof *s->frames, by_plane);
    MTM_TRY(info_set(s, err)); /* the sizes are checked before pixels are read */
    MTM_TRY(channels_find(s, err));
    MTM_TRY(info_set(s, err));
    return properties_set(s, err);
}

mtm_status dcm_seg_open(mtm_image **out, mtm_dicom *d, const mtm_dicom_grid *grid,
                        const mtm_open_options *opt, mtm_error *err)
{
    dcm_seg *const s = mtm_alloc_zero(1, sizeof *s);
    mtm_status st;

    if (!s)
        return MTM_NOMEM(err);
    st = mtm_image_init(&s->base, &seg_kind, mtm_dicom_path(d), opt, err);
    if (!st) {
        s->d = d;
        st = seg_fill(s, grid, err);
    }
    if (st) {
        s->d = NULL; /* stays the caller's */
        seg_close(&s->base);
        return st;
    }
    *out = &s->base;
    return MTM_OK;
}

mtm_status mtm_dicom_seg_open(mtm_image **out, const char *path, const mtm_dicom_grid *grid,
                              const mtm_open_options *opt, mtm_error *err)
{
    const mtm_dicom_options how = {.struct_size = sizeof how, .limits = opt ? opt->limits : NULL};
    MTM_AUTO(mtm_dicom) d = NULL;

    MTM_TRY(mtm_dicom_open(&d, path, &how, err));
    MTM_TRY(mtm_error_where(err, dcm_seg_open(out, d, grid, opt, err), path));
    (void)mtm_dicom_steal(&d);
    return MTM_OK;
}
