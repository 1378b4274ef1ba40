/* format/png.c: writes pictures [Y, X] and [Y, X, 3] of 8 or 16 bits as PNG, by libpng.
 * SPDX-License-Identifier: Apache-2.0 */
#include <png.h>
#include <setjmp.h>
#include <stddef.h>

#include "write.h"

/* libpng calls back for output and leaves by longjmp on failure; everything it may change lies here. */
typedef struct png_job {
    mtm_writer *w;
    mtm_error *err;
    mtm_status status;
    png_structp png;
    png_infop info;
    jmp_buf out;
} png_job;

static void png_put(png_structp png, png_bytep data, size_t n)
{
    png_job *const job = png_get_io_ptr(png);

    job->status = mtm_writer_put(job->w, data, n, job->err);
    if (job->status != MTM_OK)
        longjmp(job->out, 1);
}

static void png_no_flush(png_structp png)
{
}

static void png_failed(png_structp png, png_const_charp text)
{
    png_job *const job = png_get_error_ptr(png);

    job->status = mtm_fail(job->err, MTM_E_IO, -1, "cannot write PNG: %s", text);
    longjmp(job->out, 1);
}

static void png_silent(png_structp png, png_const_charp text)
{
}

static void png_run(png_job *job, const mtm_array *a)
{
    if (setjmp(job->out))
        return;
    png_set_write_fn(job->png, job, png_put, png_no_flush);
    png_set_IHDR(job->png, job->info, (png_uint_32)a->shape[1], (png_uint_32)a->shape[0],
                 a->dtype == MTM_U16 ? 16 : 8, a->ndim == 2 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    if (a->dtype == MTM_U16)
        png_set_swap(job->png); /* to PNG's big-endian order; ours is a little-endian machine's */
    for (int64_t y = 0; y < a->shape[0]; y++)
        png_write_row(job->png, (png_const_bytep)a->data + y * a->stride[0]);
    png_write_end(job->png, job->info);
}

static mtm_status shape_check(const mtm_array *a, mtm_error *err)
{
    const bool plane = a->ndim == 2 || (a->ndim == 3 && a->shape[2] == 3);

    if ((a->dtype != MTM_U8 && a->dtype != MTM_U16) || !plane)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "PNG takes uint8 or uint16 of [Y, X] or [Y, X, 3]");
    for (int i = 0; i < 2; i++)
        if (a->shape[i] < 1 || a->shape[i] > PNG_USER_WIDTH_MAX || a->shape[i] > PNG_USER_HEIGHT_MAX)
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "PNG cannot have %" PRId64 " rows or columns",
                            a->shape[i]);
    return MTM_OK;
}

mtm_status mtm_png_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    png_job job = {.w = w, .err = err};
    mtm_array a;

    MTM_TRY(shape_check(p->a, err));
    MTM_TRY(mtm_c_order(&a, p->a, p->a->dtype, 0, err));
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, png_failed, png_silent);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (job.info)
        png_run(&job, &a);
    else
        job.status = MTM_NOMEM(err);
    png_destroy_write_struct(&job.png, &job.info);
    mtm_array_drop(&a);
    return job.status;
}
