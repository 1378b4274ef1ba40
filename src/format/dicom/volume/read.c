/* format/dicom/volume/read.c: boxes of a DICOM volume: every plane that the box touches goes straight into its place, several
 * side by side. Uncompressed planes are read from their files without the data set; of others the decoder is kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>

#include "format/dicom/pixel/samples.h"
#include "volume_image.h"

enum {
    MOST_OPEN = 64,         /* files whose decoder is kept */
    CHUNK_BYTES = 256 << 10 /* of one pread: half of a small level-2 cache */
};

/* ---- files --------------------------------------------------------------------------------------------- */

static bool same_id(mtm_source_id a, mtm_source_id b)
{
    return a.size_bytes == b.size_bytes && a.mtime_ns == b.mtime_ns && a.device == b.device &&
           a.inode == b.inode;
}

static mtm_status changed(const dcm_file *f, mtm_error *err)
{
    return mtm_error_where(
        err, mtm_fail(err, MTM_E_CONFLICT, -1, "the file changed since the series was opened"), f->path);
}

static mtm_status gone(const dcm_file *f, mtm_status s, mtm_error *err)
{
    if (s != MTM_E_NOTFOUND)
        return mtm_error_where(err, s, f->path);
    return mtm_error_where(
        err, mtm_fail(err, MTM_E_CONFLICT, -1, "the file vanished since the series was opened"), f->path);
}

static void close_file(dcm_open_file *o)
{
    dcm_decoder_free(o->decoder);
    mtm_dicom_close(o->d);
    *o = (dcm_open_file){0};
}

/* Data set and decoder of a file; o->d may be there already. */
static mtm_status open_file(const dcm_image *im, const dcm_file *f, dcm_open_file *o, mtm_error *err)
{
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .limits = &im->base.limits};

    if (!o->d) {
        const mtm_status s = mtm_dicom_open(&o->d, f->path, &opt, err);

        if (s != MTM_OK)
            return gone(f, s, err);
        if (!o->d->source || !same_id(mtm_source_id_get(o->d->source), f->id))
            return changed(f, err);
    }
    return mtm_error_where(err, dcm_decoder_new(&o->decoder, o->d, im->codec, err), f->path);
}

/* The decoder of file i: a kept one, or one that the caller closes (*own). */
static mtm_status decoder_of(dcm_image *im, int32_t i, const dcm_decoder **out, dcm_open_file *own,
                             mtm_error *err)
{
    dcm_open_file *const kept = &im->open[i];
    mtm_status s = MTM_OK;

    pthread_mutex_lock(&im->lock);
    const bool keep = kept->d || im->n_open < MOST_OPEN;
    if (keep && !kept->decoder) {
        const bool new = !kept->d;

        s = open_file(im, &im->files[i], kept, err);
        if (s != MTM_OK && new)
            close_file(kept);
        else if (s == MTM_OK)
            im->n_open += new;
    }
    *out = kept->decoder;
    pthread_mutex_unlock(&im->lock);
    if (keep)
        return s;
    s = open_file(im, &im->files[i], own, err);
    *out = own->decoder;
    return s;
}

/* ---- one plane ----------------------------------------------------------------------------------------- */

/* A read under way. */
typedef struct read_job {
    dcm_image *im;
    const mtm_box *box;
    const mtm_read_options *opt;
    mtm_array dst;
    bool stored; /* no slope and inter */
    atomic_bool failed;
    pthread_mutex_t lock; /* guards what follows */
    mtm_status status;
    mtm_error error;
    int64_t read_ns, convert_ns;
} read_job;

/* Of one thread. */
typedef struct reader {
    dcm_scratch scratch;
    mtm_buffer *chunk;
    int64_t ns[2];
} reader;

/* Whether unsigned samples in the machine's order have a bit above those stored: most files have none, and looking costs a third of
 * writing. */
static bool bits_above(const uint8_t *bytes, size_t size_bytes, int sample_bytes, int stored)
{
    const int bits = 8 * sample_bytes;
    uint64_t mask = 0, any = 0, word;
    size_t i = 0;

    for (int b = stored; b < bits; b++)
        for (int k = 0; k < 64; k += bits)
            mask |= UINT64_C(1) << (b + k);
    for (; i + sizeof word <= size_bytes; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        any |= word;
    }
    word = 0;
    memcpy(&word, bytes + i, size_bytes - i);
    return (any | word) & mask;
}

/* Rows [y, y + rows) of a native plane, in whole rows of the file. */
static mtm_status native_rows(read_job *j, reader *r, const mtm_source *source, const dcm_file *f,
                              const dcm_plane *plane, int64_t y, int64_t rows, mtm_array *dst, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &f->pixels;
    const int64_t sample = (int64_t)mtm_dtype_size(p->raw_dtype), pitch = p->columns * sample;
    const int64_t x = plane->x + j->box->start[j->im->outer + 1];
    uint8_t *const bytes = mtm_buffer_data(r->chunk);
    const uint64_t at =
        f->offset_bytes + (uint64_t)plane->frame * (uint64_t)(p->rows * pitch) + (uint64_t)(y * pitch);
    const int64_t begin = mtm_now_ns();
    bool swap = f->flags & DCM_FILE_SWAP;

    MTM_TRY(mtm_source_read(source, at, bytes, (size_t)(rows * pitch), err));
    const int64_t middle = mtm_now_ns();
    if (p->bits_stored < p->bits_allocated &&
        (swap || p->is_signed || bits_above(bytes, (size_t)(rows * pitch), (int)sample, p->bits_stored))) {
        dcm_fix_bits(bytes, bytes, (size_t)(rows * p->columns), (int)sample, p->bits_stored, p->high_bit,
                     p->is_signed, swap);
        swap = false;
    }
    const mtm_array src = {.data = bytes + x * sample,
                           .shape = {rows, dst->shape[1]},
                           .stride = {pitch, sample},
                           .ndim = 2,
                           .dtype = p->raw_dtype};
    const mtm_status s = mtm_array_convert_stats(dst, &src, j->stored ? 1 : plane->slope,
                                                 j->stored ? 0 : plane->inter, swap, NULL, NULL, err);
    r->ns[0] += middle - begin, r->ns[1] += mtm_now_ns() - middle;
    return s;
}

static mtm_status native_plane(read_job *j, reader *r, const dcm_plane *plane, const mtm_array *dst,
                               mtm_error *err)
{
    const dcm_file *const f = &j->im->files[plane->file];
    const int64_t pitch = f->pixels.columns * (int64_t)mtm_dtype_size(f->pixels.raw_dtype);
    const int64_t most = mtm_max_i64(CHUNK_BYTES / pitch, 1), y0 = plane->y + j->box->start[j->im->outer];
    MTM_AUTO(mtm_source) opened = NULL;
    const mtm_source *source = j->im->open[plane->file].d ? j->im->open[plane->file].d->source : NULL;
    mtm_status s = source ? MTM_OK : mtm_source_open(&opened, f->path, err);

    if (s != MTM_OK)
        return gone(f, s, err);
    source = source ? source : opened;
    if (!same_id(mtm_source_id_get(source), f->id))
        return changed(f, err);
    if (!r->chunk)
        MTM_TRY(mtm_recycler_get(&r->chunk, j->opt->recycler, (size_t)mtm_max_i64(CHUNK_BYTES, pitch), err));
    if (mtm_buffer_size(r->chunk) < (size_t)pitch)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "a row of %" PRId64 " bytes", pitch);
    for (int64_t y = 0; y < dst->shape[0] && s == MTM_OK; y += most) {
        mtm_array part = *dst;

        part.owner = NULL;
        part.data = (uint8_t *)dst->data + y * dst->stride[0];
        part.shape[0] = mtm_min_i64(most, dst->shape[0] - y);
        s = native_rows(j, r, source, f, plane, y0 + y, part.shape[0], &part, err);
    }
    if (s == MTM_OK)
        s = mtm_source_check(source, err);
    return mtm_error_where(err, s, f->path);
}

/* All channels go through the decoder; a part of them by way of new memory. */
static mtm_status decode_plane(read_job *j, reader *r, const dcm_decoder *x, const dcm_plane *plane,
                               mtm_array *dst, mtm_error *err)
{
    const int32_t o = j->im->outer;
    const int64_t *const start = j->box->start + o, *const size = j->box->size + o;
    const int64_t y = plane->y + start[0], x0 = plane->x + start[1];
    const int64_t region[4] = {y, y + size[0], x0, x0 + size[1]};
    const int64_t channels = j->im->files[plane->file].pixels.channels;
    const double slope = j->stored ? 1 : plane->slope, inter = j->stored ? 0 : plane->inter;
    uint32_t notes = 0;
    mtm_array all = {0}, part;

    if ((j->im->files[plane->file].flags & DCM_FILE_LUT) && !j->stored)
        return dcm_frame_modality(x, &r->scratch, plane->frame, region, dst, &notes, err);
    if (dst->ndim == 2 || dst->shape[2] == channels)
        return dcm_frame_into(x, &r->scratch, plane->frame, region, false, slope, inter, dst, &notes, err);
    MTM_TRY(mtm_array_new(&all, x->pixels.dtype, 3, (int64_t[]){size[0], size[1], channels}, j->opt->recycler,
                          err));
    mtm_status s =
        dcm_frame_into(x, &r->scratch, plane->frame, region, false, slope, inter, &all, &notes, err);
    const mtm_box box = {.ndim = 3, .start = {0, 0, start[2]}, .size = {size[0], size[1], size[2]}};
    if (s == MTM_OK)
        s = mtm_array_crop(&part, &all, &box, err);
    if (s == MTM_OK)
        s = mtm_array_convert(dst, &part, 1, 0, NULL, err);
    mtm_array_drop(&all);
    return s;
}

static mtm_status plane_read(read_job *j, reader *r, const dcm_plane *plane, mtm_array *dst, mtm_error *err)
{
    const dcm_file *const f = &j->im->files[plane->file];
    const dcm_decoder *x;
    dcm_open_file own = {0};

    if (f->flags & DCM_FILE_NATIVE)
        return native_plane(j, r, plane, dst, err);
    mtm_status s = decoder_of(j->im, plane->file, &x, &own, err);
    if (s == MTM_OK)
        s = mtm_error_where(err, decode_plane(j, r, x, plane, dst, err), f->path);
    /* Bytes of two files in one look damaged: that the file changed is the reason to tell. */
    if ((s == MTM_OK || s == MTM_E_CORRUPT) && x && x->d->source) {
        mtm_error conflict;

        if (mtm_source_check(x->d->source, &conflict) != MTM_OK)
            s = changed(f, err);
    }
    close_file(&own);
    return s;
}

/* ---- boxes --------------------------------------------------------------------------------------------- */

/* The i-th plane of the box, and its place in dst. */
static const dcm_plane *plane_at(const read_job *j, int64_t i, mtm_array *to)
{
    const int32_t o = j->im->outer;
    const int64_t *const shape = j->im->base.info.shape;
    int64_t number = 0, scale = 1;

    *to = j->dst;
    to->owner = NULL;
    for (int32_t a = o - 1; a >= 0; a--) {
        const int64_t k = i % j->box->size[a];

        i /= j->box->size[a];
        to->data = (uint8_t *)to->data + k * to->stride[a];
        number += (j->box->start[a] + k) * scale;
        scale *= shape[a];
    }
    to->ndim -= o;
    memmove(to->shape, to->shape + o, (size_t)to->ndim * sizeof *to->shape);
    memmove(to->stride, to->stride + o, (size_t)to->ndim * sizeof *to->stride);
    return &j->im->planes[number];
}

static void planes_read(void *arg, int64_t lo, int64_t hi)
{
    read_job *const j = arg;
    reader r = {0};
    mtm_error err = {0};
    mtm_status s = MTM_OK;

    for (int64_t i = lo; i < hi && s == MTM_OK && !atomic_load(&j->failed); i++) {
        mtm_array to;
        const dcm_plane *const plane = plane_at(j, i, &to);

        s = plane_read(j, &r, plane, &to, &err);
    }
    dcm_scratch_drop(&r.scratch);
    mtm_buffer_unref(r.chunk);
    pthread_mutex_lock(&j->lock);
    j->read_ns += r.ns[0], j->convert_ns += r.ns[1];
    if (s != MTM_OK && j->status == MTM_OK)
        j->status = s, j->error = err;
    pthread_mutex_unlock(&j->lock);
    if (s != MTM_OK)
        atomic_store(&j->failed, true);
}

static mtm_status read_planes(dcm_image *im, const mtm_box *box, mtm_read_options *opt, bool stored,
                              mtm_array *dst, mtm_error *err)
{
    read_job j = {.im = im, .box = box, .opt = opt, .dst = *dst, .stored = stored};
    const int64_t threads = opt->pool ? mtm_pool_threads(opt->pool) : 1;
    int64_t n = 1;

    for (int32_t a = 0; a < im->outer; a++)
        n *= box->size[a];
    if (pthread_mutex_init(&j.lock, NULL))
        return MTM_NOMEM(err);
    const mtm_status s = mtm_pool_for(n > 1 ? opt->pool : NULL, n, mtm_max_i64(1, n / (4 * threads)),
                                      planes_read, &j, NULL, err);
    pthread_mutex_destroy(&j.lock);
    opt->timing_ns[0] += j.read_ns, opt->timing_ns[2] += j.convert_ns;
    if (j.status != MTM_OK && err)
        *err = j.error;
    return j.status != MTM_OK ? j.status : s;
}

/* Statistics take one pass over the whole image, so everything lies in one piece first. */
static mtm_status read_with_stats(dcm_image *im, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                                  mtm_image_stats *stats, mtm_error *err)
{
    const mtm_image_info *const info = &im->base.info;
    const bool stored = opt->raw || !im->own_scale;
    mtm_array all = {0};

    MTM_TRY(mtm_array_new(&all, stored ? info->stored_dtype : info->dtype, box->ndim, box->size,
                          opt->recycler, err));
    mtm_status s = read_planes(im, box, opt, stored, &all, err);
    if (s == MTM_OK)
        s = mtm_image_convert(&im->base, dst, &all, opt->raw ? 1 : info->slope, opt->raw ? 0 : info->inter,
                              false, opt->pool, stats, err);
    mtm_array_drop(&all);
    return s;
}

mtm_status dcm_image_read(mtm_image *base, int level, const mtm_box *box, mtm_read_options *opt,
                          mtm_array *dst, mtm_image_stats *stats, mtm_error *err)
{
    dcm_image *const im = (dcm_image *)base;

    (void)level; /* there is one */
    if (stats)
        *stats = (mtm_image_stats){0};
    if (mtm_array_count(dst) == 0)
        return MTM_OK;
    return stats ? read_with_stats(im, box, opt, dst, stats, err)
                 : read_planes(im, box, opt, opt->raw, dst, err);
}
