/* format/png_read.c: reads PNG, by libpng: gray, colour, alpha and palettes of 8 or 16 bits (fewer bits become 8), interlaced or
 * not. A picture is inflated whole at each read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <png.h>
#include <setjmp.h>

#include "format.h"

typedef struct png_image_file {
    mtm_image base;
    mtm_source *source;
} png_image_file;

/* libpng calls back for input and leaves by longjmp on failure; everything it may change lies here. */
typedef struct png_job {
    const mtm_source *source;
    uint64_t at; /* bytes read */
    mtm_error *err;
    mtm_status status;
    png_structp png;
    png_infop info;
    jmp_buf out;
} png_job;

static mtm_status png_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                           mtm_array *dst, mtm_image_stats *stats, mtm_error *err);

static void png_close(mtm_image *im)
{
    mtm_source_close(((png_image_file *)im)->source);
    mtm_image_clear(im);
    mtm_free(im);
}

static const mtm_image_kind png_kind = {.read = png_read, .close = png_close};

static void png_get(png_structp png, png_bytep data, size_t n)
{
    png_job *const job = png_get_io_ptr(png);

    job->status = mtm_source_read(job->source, job->at, data, n, job->err);
    if (job->status != MTM_OK)
        longjmp(job->out, 1);
    job->at += n;
}

static void png_failed(png_structp png, png_const_charp text)
{
    png_job *const job = png_get_error_ptr(png);

    job->status = mtm_fail(job->err, MTM_E_CORRUPT, (int64_t)job->at, "not read as PNG: %s", text);
    longjmp(job->out, 1);
}

static void png_silent(png_structp png, png_const_charp text)
{
}

/* Up to the first row, with every pixel to come as 1 to 4 channels of 8 or 16 bits. */
static void header_run(png_job *job)
{
    if (setjmp(job->out))
        return;
    png_set_read_fn(job->png, job, png_get);
    png_set_chunk_malloc_max(job->png, 8 << 20);
    png_read_info(job->png, job->info);
    png_set_expand(job->png);
    png_set_swap(job->png); /* 16 bits from PNG's big-endian order */
    (void)png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
}

static void rows_run(png_job *job, uint8_t *rows, size_t row_bytes)
{
    if (setjmp(job->out))
        return;
    const int passes = png_get_interlace_type(job->png, job->info) == PNG_INTERLACE_NONE ? 1 : 7;
    const png_uint_32 height = png_get_image_height(job->png, job->info);

    for (int pass = 0; pass < passes; pass++)
        for (png_uint_32 y = 0; y < height; y++)
            png_read_row(job->png, rows + (size_t)y * row_bytes, NULL);
    png_read_end(job->png, NULL);
}

static mtm_status job_begin(png_job *job, const mtm_source *source, mtm_error *err)
{
    *job = (png_job){.source = source, .err = err};
    job->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, png_failed, png_silent);
    job->info = job->png ? png_create_info_struct(job->png) : NULL;
    if (!job->info)
        return MTM_NOMEM(err);
    header_run(job);
    return job->status;
}

static void job_end(png_job *job)
{
    png_destroy_read_struct(&job->png, &job->info, NULL);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static mtm_status png_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                           mtm_array *dst, mtm_image_stats *stats, mtm_error *err)
{
    png_image_file *const f = (png_image_file *)im;
    const mtm_image_info *const info = &im->info;
    mtm_array whole = {0}, part;
    png_job job;
    mtm_status s;

    if (mtm_array_count(dst) == 0)
        return MTM_OK;
    s = job_begin(&job, f->source, err);
    if (s == MTM_OK)
        s = mtm_source_check(f->source, err);
    if (s == MTM_OK)
        s = mtm_array_new(&whole, info->stored_dtype, info->ndim, info->shape, opt->recycler, err);
    if (s == MTM_OK && png_get_rowbytes(job.png, job.info) != (size_t)whole.stride[0])
        s = mtm_fail(err, MTM_E_CONFLICT, -1, "the file has changed since it was opened");
    if (s == MTM_OK)
        rows_run(&job, whole.data, (size_t)whole.stride[0]), s = job.status;
    job_end(&job);
    if (s == MTM_OK)
        s = mtm_array_crop(&part, &whole, box, err);
    if (s == MTM_OK)
        s = mtm_image_convert(&f->base, dst, &part, 1, 0, false, opt->pool, stats, err);
    mtm_array_drop(&whole);
    return s;
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static bool png_detect(const mtm_probe *p)
{
    return !p->gzip && p->head_bytes >= 8 && !png_sig_cmp(p->head, 0, 8);
}

static mtm_status layout_set(png_image_file *f, const png_job *job, mtm_error *err)
{
    mtm_image_info *const info = &f->base.info;
    const int channels = png_get_channels(job->png, job->info);
    const uint64_t file = mtm_source_size(f->source);
    uint64_t bytes;

    info->format = "png", info->codec = "deflate";
    info->file_bytes = (int64_t)file;
    info->stored_dtype = info->dtype = png_get_bit_depth(job->png, job->info) == 16 ? MTM_U16 : MTM_U8;
    info->ndim = channels == 1 ? 2 : 3;
    memcpy(info->axes, "YXC", (size_t)info->ndim);
    info->shape[0] = png_get_image_height(job->png, job->info);
    info->shape[1] = png_get_image_width(job->png, job->info);
    info->shape[2] = channels == 1 ? 0 : channels;
    for (int32_t i = 0; i < info->ndim; i++)
        info->spacing[i] = 1;
    MTM_TRY(mtm_extent_bytes(&bytes, info->ndim, info->shape, mtm_dtype_size(info->dtype),
                             f->base.limits.max_bytes, "the image", err));
    /* A row of 1-bit pixels becomes eight times its bytes, and colours of a palette four times more. */
    if (bytes / 32 > file * f->base.limits.max_expansion)
        return mtm_fail(err, MTM_E_LIMIT, -1, "%" PRIu64 " bytes are announced by a file of %" PRIu64, bytes,
                        file);
    return MTM_OK;
}

static mtm_status png_open(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    png_image_file *const f = mtm_alloc_zero(1, sizeof *f);
    png_job job = {0};
    mtm_status s;

    if (!f)
        return MTM_NOMEM(err);
    s = mtm_image_init(&f->base, &png_kind, mtm_source_path(p->source), p->options, err);
    f->source = p->source;
    if (s == MTM_OK)
        s = job_begin(&job, f->source, err);
    if (s == MTM_OK)
        s = layout_set(f, &job, err);
    job_end(&job);
    if (s != MTM_OK) {
        f->source = NULL; /* the caller's still */
        png_close(&f->base);
        return s;
    }
    p->source = NULL;
    *out = &f->base;
    return MTM_OK;
}

const mtm_format mtm_format_png = {.name = "png", .detect = png_detect, .open = png_open};
