/* format/dicom/volume/image.c: a stack as an image: axes, geometry, and which frame of which file is where.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "volume_image.h"

/* ---- life ---------------------------------------------------------------------------------------------- */

static void image_close(mtm_image *base)
{
    dcm_image *const im = (dcm_image *)base;

    for (int32_t i = 0; i < im->n_files; i++) {
        if (im->open) {
            dcm_decoder_free(im->open[i].decoder);
            mtm_dicom_close(im->open[i].d);
        }
        dcm_file_clear(&im->files[i]);
    }
    mtm_free(im->open);
    mtm_free(im->files);
    mtm_free(im->planes);
    mtm_codec_ctx_free(im->codec);
    pthread_mutex_destroy(&im->lock);
    mtm_image_clear(base);
    mtm_free(im);
}

static const mtm_image_kind dicom_kind = {.read = dcm_image_read, .close = image_close};

static void dcm_image_free(dcm_image *im)
{
    image_close(&im->base);
}
MTM_DEFINE_AUTO(dcm_image, dcm_image_free)

static mtm_status image_begin(dcm_image **out, const char *path, const mtm_open_options *opt, mtm_error *err)
{
    mtm_open_options plain = opt ? *opt : (mtm_open_options){.struct_size = sizeof plain};
    dcm_image *const bare = mtm_alloc_zero(1, sizeof *bare);

    plain.index = NULL; /* it remembers single files */
    if (!bare)
        return MTM_NOMEM(err);
    if (pthread_mutex_init(&bare->lock, NULL)) {
        mtm_free(bare);
        return MTM_NOMEM(err);
    }
    MTM_AUTO(dcm_image) im = bare;
    MTM_TRY(mtm_image_init(&im->base, &dicom_kind, path, &plain, err));
    MTM_TRY(mtm_codec_ctx_new(&im->codec, err));
    *out = dcm_image_steal(&im);
    return MTM_OK;
}

/* ---- planes -------------------------------------------------------------------------------------------- */

/* A mosaic's slices are parts of its one frame. */
static void tile_set(dcm_plane *plane, const dcm_mosaic *m)
{
    if (!m->n)
        return;
    plane->y = plane->frame / m->across * m->rows, plane->x = plane->frame % m->across * m->columns;
    plane->frame = 0;
}

/* Copies the files that the stack refers to, numbered anew. */
static mtm_status copy_files(dcm_image *im, const dcm_set *set, const dcm_stack *stack, mtm_error *err)
{
    MTM_AUTO_MEM int32_t *number = mtm_alloc_zero((size_t)set->n_files, sizeof *number);
    const int64_t n = stack->nt * stack->nz;

    im->files = mtm_alloc_zero((size_t)mtm_min_i64(n, set->n_files), sizeof *im->files);
    im->planes = mtm_alloc_zero((size_t)n, sizeof *im->planes);
    if (!number || !im->files || !im->planes)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < n; i++) {
        const dcm_slice *const s = &set->slices[stack->slices[i]];

        if (!number[s->file]) {
            dcm_file *const f = &im->files[im->n_files];

            *f = set->files[s->file];
            f->path = mtm_strdup(f->path);
            if (!f->path)
                return MTM_NOMEM(err);
            im->base.info.file_bytes += f->id.size_bytes;
            number[s->file] = ++im->n_files;
        }
        im->planes[i] =
            (dcm_plane){.file = number[s->file] - 1, .frame = s->frame, .slope = s->slope, .inter = s->inter};
        tile_set(&im->planes[i], &set->files[s->file].mosaic);
    }
    im->n_planes = n;
    im->open = mtm_alloc_zero((size_t)im->n_files, sizeof *im->open);
    return im->open ? MTM_OK : MTM_NOMEM(err);
}

static bool same_scale(const dcm_plane *a, const dcm_plane *b)
{
    return a->slope == b->slope && a->inter == b->inter;
}

static void set_scale(dcm_image *im)
{
    mtm_image_info *const info = &im->base.info;
    bool any = false;

    for (int64_t i = 0; i < im->n_planes; i++) {
        im->own_scale = im->own_scale || !same_scale(&im->planes[0], &im->planes[i]);
        any = any || im->planes[i].slope != 1 || im->planes[i].inter != 0;
    }
    for (int32_t i = 0; i < im->n_files; i++)
        if (im->files[i].flags & DCM_FILE_LUT)
            im->own_scale = any = true;
    if (im->files[0].pixels.channels != 1) /* colours have no rescale */
        for (int64_t i = 0; i < im->n_planes; i++)
            im->planes[i].slope = 1, im->planes[i].inter = 0, any = im->own_scale = false;
    info->stored_dtype = im->files[0].pixels.dtype;
    info->dtype = info->stored_dtype;
    if (any && info->dtype != MTM_F64)
        info->dtype = MTM_F32;
    if (!im->own_scale)
        info->slope = im->planes[0].slope, info->inter = im->planes[0].inter;
}

/* ---- geometry ------------------------------------------------------------------------------------------ */

static double column_length(const double a[16], int c)
{
    return sqrt(a[c] * a[c] + a[4 + c] * a[4 + c] + a[8 + c] * a[8 + c]);
}

/* Voxel (x, y, z) → RAS: DICOM's first two axes are turned. */
static void set_affine(mtm_image_info *info, const dcm_slice *first, const dcm_stack *stack,
                       const double spacing[2])
{
    double *const a = info->affine;

    info->has_affine = true;
    for (int i = 0; i < 3; i++) {
        const double sign = i < 2 ? -1 : 1;

        a[4 * i] = sign * first->row[i] * spacing[1];
        a[4 * i + 1] = sign * first->column[i] * spacing[0];
        a[4 * i + 2] = sign * stack->step[i];
        a[4 * i + 3] = sign * first->position[i];
    }
    for (int i = 0; i < 12; i++)
        a[i] += 0.0; /* no −0 */
    a[12] = a[13] = a[14] = 0, a[15] = 1;
}

/* Axis T where there are several T or a cine, Z where there is a geometry or several images, then Y, X, and C of colours. */
static void set_layout(dcm_image *im, const dcm_set *set, const dcm_stack *stack)
{
    mtm_image_info *const info = &im->base.info;
    const dcm_slice *const first = &set->slices[stack->slices[0]];
    const mtm_dicom_pixels *const p = &im->files[0].pixels;
    const dcm_mosaic *const m = &im->files[0].mosaic;
    const bool known = first->has & DCM_SLICE_SPACING;
    const double spacing[2] = {known ? first->spacing[0] : 1, known ? first->spacing[1] : 1};
    int32_t n = 0;

    if (stack->geometry)
        set_affine(info, first, stack, spacing);
#define AXIS(name, size, step) (info->axes[n] = (name), info->shape[n] = (size), info->spacing[n++] = (step))
    if (stack->nt > 1 || stack->cine)
        AXIS('T', stack->nt, stack->seconds > 0 ? stack->seconds : 1);
    if (stack->geometry || (stack->nz > 1 && !stack->cine))
        AXIS('Z', stack->nz, stack->geometry ? column_length(info->affine, 2) : 1);
    im->outer = n;
    AXIS('Y', m->n ? m->rows : p->rows, stack->geometry ? column_length(info->affine, 1) : spacing[0]);
    AXIS('X', m->n ? m->columns : p->columns, stack->geometry ? column_length(info->affine, 0) : spacing[1]);
    if (p->channels > 1)
        AXIS('C', p->channels, 1);
#undef AXIS
    info->ndim = n;
}

mtm_status dcm_image_new(mtm_image **out, const dcm_set *set, const dcm_stack *stack, const char *where,
                         mtm_dicom **only, const mtm_open_options *opt, mtm_error *err)
{
    MTM_AUTO(dcm_image) im = NULL;
    MTM_AUTO(mtm_dicom) again = NULL;
    uint64_t bytes;

    MTM_TRY(image_begin(&im, where, opt, err));
    MTM_TRY(copy_files(im, set, stack, err));
    im->base.info.format = "dicom";
    im->base.info.codec = im->files[0].pixels.codec;
    set_scale(im);
    set_layout(im, set, stack);
    MTM_TRY(mtm_extent_bytes(&bytes, im->base.info.ndim, im->base.info.shape,
                             mtm_dtype_size(im->base.info.dtype), im->base.limits.max_bytes, "the image",
                             err));
    if (!only)
        MTM_TRY(mtm_dicom_open(
            &again, im->files[im->planes[0].file].path,
            &(mtm_dicom_options){.struct_size = sizeof(mtm_dicom_options), .limits = &im->base.limits}, err));
    MTM_TRY(dcm_image_describe(im, only ? *only : again, set, stack, err));
    if (only)
        im->open[0].d = *only, *only = NULL, im->n_open = 1;
    *out = &dcm_image_steal(&im)->base;
    return MTM_OK;
}
