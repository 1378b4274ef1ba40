/* image/image.c: the public calls on an image handle: argument checks, the destination, properties, and statistics and
 * label tables by way of the sidecar index.
 * SPDX-License-Identifier: Apache-2.0 */
#include "image.h"
#include "foreground.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- life ---------------------------------------------------------------------------------------------- */

mtm_status mtm_image_init(mtm_image *im, const mtm_image_kind *kind, const char *path,
                          const mtm_open_options *opt, mtm_error *err)
{
    im->kind = kind;
    im->limits = opt && opt->limits ? *opt->limits : mtm_limits_default();
    im->index = opt ? opt->index : NULL;
    im->info.slope = 1;
    im->info.n_levels = 1;
    im->path = mtm_strdup(path);
    if (!im->path)
        return MTM_NOMEM(err);
    /* Before anything is read, so that a file that changes meanwhile gets no entry that looks current. */
    return im->index ? mtm_identity_get(&im->identity, path, err) : MTM_OK;
}

void mtm_image_clear(mtm_image *im)
{
    for (int64_t i = 0; i < im->n_properties; i++) {
        mtm_free(im->properties[i].key);
        mtm_free(im->properties[i].value);
    }
    for (int64_t i = 0; i < im->n_problems; i++)
        mtm_free(im->problems[i]);
    mtm_free(im->levels);
    mtm_free(im->properties);
    mtm_free(im->problems);
    mtm_free(im->kept);
    mtm_free(im->path);
    mtm_identity_clear(&im->identity);
}

void mtm_image_close(mtm_image *im)
{
    if (im)
        im->kind->close(im);
}

/* ---- facts --------------------------------------------------------------------------------------------- */

const mtm_image_info *mtm_image_info_get(const mtm_image *im)
{
    return &im->info;
}

mtm_status mtm_image_level_get(const mtm_image *im, int level, mtm_image_level *out, mtm_error *err)
{
    if (level < 0 || level >= im->info.n_levels)
        return mtm_fail(err, MTM_E_INVAL, -1, "level %d does not exist; the image has %d", level,
                        im->info.n_levels);
    if (im->levels) {
        *out = im->levels[level];
        return MTM_OK;
    }
    *out = (mtm_image_level){.downsample = 1};
    memcpy(out->shape, im->info.shape, sizeof out->shape);
    return MTM_OK;
}

/* Room for one more element of a list that only grows while an image is opened. */
static mtm_status list_grow(void *list, int64_t n, size_t elem_bytes, mtm_error *err)
{
    void *old, *grown;

    memcpy(&old, list, sizeof old);
    grown = mtm_realloc(old, ((size_t)n + 1) * elem_bytes);
    if (!grown)
        return MTM_NOMEM(err);
    memcpy(list, &grown, sizeof grown);
    return MTM_OK;
}

static char *text_new(const char *fmt, va_list ap) MTM_PRINTF(1, 0);

/* Text from files may hold anything; control characters become '?', as in errors. */
static char *text_new(const char *fmt, va_list ap)
{
    char text[512];

    vsnprintf(text, sizeof text, fmt, ap);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return mtm_strdup(text);
}

mtm_status mtm_image_add_property(mtm_image *im, mtm_error *err, const char *key, const char *fmt, ...)
{
    mtm_property p;
    va_list ap;

    MTM_TRY(list_grow(&im->properties, im->n_properties, sizeof p, err));
    va_start(ap, fmt);
    p = (mtm_property){.key = mtm_strdup(key), .value = text_new(fmt, ap)};
    va_end(ap);
    im->properties[im->n_properties++] = p;
    return p.key && p.value ? MTM_OK : MTM_NOMEM(err);
}

mtm_status mtm_image_add_problem(mtm_image *im, mtm_error *err, const char *fmt, ...)
{
    va_list ap;

    MTM_TRY(list_grow(&im->problems, im->n_problems, sizeof *im->problems, err));
    va_start(ap, fmt);
    im->problems[im->n_problems] = text_new(fmt, ap);
    va_end(ap);
    return im->problems[im->n_problems++] ? MTM_OK : MTM_NOMEM(err);
}

const char *mtm_image_property_find(const mtm_image *im, const char *key)
{
    for (int64_t i = 0; i < im->n_properties; i++)
        if (!strcmp(im->properties[i].key, key))
            return im->properties[i].value;
    return NULL;
}

int64_t mtm_image_property_count(const mtm_image *im)
{
    return im->n_properties;
}

void mtm_image_property_get(const mtm_image *im, int64_t i, const char **key, const char **value)
{
    const bool there = i >= 0 && i < im->n_properties;

    *key = there ? im->properties[i].key : NULL;
    *value = there ? im->properties[i].value : NULL;
}

int64_t mtm_image_problem_count(const mtm_image *im)
{
    return im->n_problems;
}

const char *mtm_image_problem_get(const mtm_image *im, int64_t i)
{
    return i >= 0 && i < im->n_problems ? im->problems[i] : NULL;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* *out: the box given, or all of the level. */
static mtm_status box_check(mtm_box *out, const mtm_image *im, int level, const mtm_box *box, mtm_error *err)
{
    const mtm_image_info *const info = &im->info;
    mtm_image_level l;

    MTM_TRY(mtm_image_level_get(im, level, &l, err));
    *out = (mtm_box){.ndim = info->ndim};
    memcpy(out->size, l.shape, sizeof out->size);
    if (!box)
        return MTM_OK;
    if (box->ndim != info->ndim)
        return mtm_fail(err, MTM_E_INVAL, -1, "the box has %d axes, the image has %d (%s)", box->ndim,
                        info->ndim, info->axes);
    for (int32_t i = 0; i < box->ndim; i++)
        if (box->start[i] < 0 || box->size[i] < 0 || box->start[i] > l.shape[i] ||
            box->size[i] > l.shape[i] - box->start[i])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "the box leaves the image: start %" PRId64 ", size %" PRId64
                            " on axis %c of %" PRId64,
                            box->start[i], box->size[i], info->axes[i], l.shape[i]);
    *out = *box;
    return MTM_OK;
}

static bool box_is_all(const mtm_box *box, const mtm_image_info *info)
{
    return !memcmp(box->size, info->shape, (size_t)box->ndim * sizeof *box->size);
}

/* A destination given by the caller is checked; else *made (and *dst, which borrows it) is new. */
static mtm_status destination(mtm_array *dst, mtm_array *made, const mtm_image *im, const mtm_box *box,
                              const mtm_read_options *opt, mtm_error *err)
{
    const mtm_dtype natural = opt->raw ? im->info.stored_dtype : im->info.dtype;
    const mtm_dtype t = dst->dtype == MTM_NONE ? natural : dst->dtype;
    uint64_t bytes;

    if (!dst->data) {
        MTM_TRY(mtm_extent_bytes(&bytes, box->ndim, box->size, mtm_dtype_size(t), im->limits.max_bytes,
                                 "the box", err));
        return mtm_array_new(made, t, box->ndim, box->size, opt->recycler, err);
    }
    if (dst->ndim != box->ndim || memcmp(dst->shape, box->size, (size_t)box->ndim * sizeof *box->size))
        return mtm_fail(err, MTM_E_INVAL, -1, "the destination's shape is not the box's");
    if (mtm_dtype_size(dst->dtype) == 0 || dst->device != MTM_DEVICE_CPU)
        return mtm_fail(err, MTM_E_INVAL, -1, "the destination has no dtype or is not in main memory");
    *made = *dst;
    made->owner = NULL;
    return MTM_OK;
}

/* Whether a conversion loses nothing, so that statistics of the result are those of the image. */
static bool holds_all(mtm_dtype dst, mtm_dtype src)
{
    const bool small = mtm_dtype_size(src) <= 2;

    return dst == src || (dst == MTM_F32 && small) || (dst == MTM_F64 && (small || src == MTM_F32));
}

static mtm_status image_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                             mtm_array *dst, mtm_error *err)
{
    mtm_image_stats stats, *want = NULL;
    mtm_array made = {0};
    mtm_box b;
    mtm_status s;

    MTM_TRY(box_check(&b, im, level, box, err));
    if (opt->stats && level == 0 && box_is_all(&b, &im->info))
        want = &stats;
    MTM_TRY(destination(dst, &made, im, &b, opt, err));
    s = im->kind->read(im, level, &b, opt, &made, want, err);
    if (s != MTM_OK) {
        mtm_array_drop(&made); /* a caller's memory has no owner here and stays */
        return s;
    }
    if (!dst->data)
        *dst = made;
    if (want) {
        *opt->stats = stats;
        if (!opt->raw && holds_all(made.dtype, im->info.dtype))
            mtm_index_put_stats(im->index, &im->identity, &stats);
    }
    return MTM_OK;
}

/* The caller's options, whose struct may be older and shorter than ours. */
static mtm_status options_check(const mtm_read_options *opt, mtm_error *err)
{
    if (opt && opt->struct_size != sizeof *opt)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_read_options has %u bytes instead of %zu",
                        (unsigned)opt->struct_size, sizeof *opt);
    return MTM_OK;
}

mtm_status mtm_image_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                          mtm_error *err)
{
    mtm_read_options plain = {.struct_size = sizeof plain};

    MTM_TRY(options_check(opt, err));
    return mtm_error_where(err, image_read(im, level, box, opt ? opt : &plain, dst, err), im->path);
}

/* ---- what is learnt once ------------------------------------------------------------------------------- */

mtm_status mtm_image_stats_get(mtm_image *im, mtm_read_options *opt, mtm_image_stats *out, mtm_error *err)
{
    mtm_read_options full = {.struct_size = sizeof full};
    mtm_image_stats stats;
    mtm_array all = {0};
    mtm_status s;

    MTM_TRY(options_check(opt, err));
    if (mtm_index_get_stats(im->index, &im->identity, out))
        return MTM_OK;
    if (opt)
        full = *opt;
    full.raw = false, full.stats = &stats;
    s = mtm_image_read(im, 0, NULL, &full, &all, err);
    mtm_array_drop(&all);
    if (opt)
        memcpy(opt->timing_ns, full.timing_ns, sizeof full.timing_ns);
    if (s == MTM_OK)
        *out = stats;
    return s;
}

/* Leading axes of one entry are left out: a label map is [Z, Y, X]. */
static void without_leading_ones(mtm_array *a)
{
    while (a->ndim > 3 && a->shape[0] == 1) {
        a->ndim--;
        memmove(a->shape, a->shape + 1, (size_t)a->ndim * sizeof *a->shape);
        memmove(a->stride, a->stride + 1, (size_t)a->ndim * sizeof *a->stride);
    }
}

/* The whole label map in its own type: floats that are no whole numbers are told from labels by who looks at them. Drop it. */
static mtm_status read_labels(mtm_image *im, mtm_read_options *opt, mtm_array *all, mtm_error *err)
{
    mtm_read_options full = {.struct_size = sizeof full};

    if (opt)
        full = *opt;
    full.stats = NULL, full.raw = false;
    *all = (mtm_array){0};
    MTM_TRY(mtm_image_read(im, 0, NULL, &full, all, err));
    if (opt)
        memcpy(opt->timing_ns, full.timing_ns, sizeof full.timing_ns);
    without_leading_ones(all);
    return MTM_OK;
}

mtm_status mtm_image_labels_get(mtm_image *im, mtm_read_options *opt, mtm_label_table **out, mtm_error *err)
{
    mtm_array all;
    mtm_status s;

    MTM_TRY(options_check(opt, err));
    if (mtm_index_get_labels(im->index, &im->identity, out))
        return MTM_OK;
    MTM_TRY(read_labels(im, opt, &all, err));
    s = mtm_error_where(err, mtm_label_table_new(out, &all, err), im->path);
    mtm_array_drop(&all);
    if (s == MTM_OK)
        mtm_index_put_labels(im->index, &im->identity, *out);
    return s;
}

/* [Z, Y, X] of a label map: the last three axes, a missing Z as 1. False: more axes count. */
static bool label_shape(const mtm_image_info *info, int64_t shape[3])
{
    shape[0] = shape[1] = shape[2] = 1;
    for (int32_t i = 0; i < info->ndim; i++) {
        const int32_t axis = i - (info->ndim - 3);

        if (axis < 0 && info->shape[i] != 1)
            return false;
        if (axis >= 0)
            shape[axis] = info->shape[i];
    }
    return true;
}

mtm_status mtm_image_objects_get(mtm_image *im, int64_t background, mtm_read_options *opt,
                                 mtm_object_table **out, mtm_error *err)
{
    int64_t shape[3];
    mtm_array all, volume;
    mtm_status s;

    MTM_TRY(options_check(opt, err));
    if (!label_shape(&im->info, shape))
        return mtm_error_where(
            err, mtm_fail(err, MTM_E_INVAL, -1, "a label map has two or three axes, not %d", im->info.ndim),
            im->path);
    if (mtm_index_get_objects(im->index, &im->identity, background, shape, out))
        return MTM_OK;
    MTM_TRY(read_labels(im, opt, &all,
                        err)); /* new memory in C order, whatever its axes of one entry are called */
    volume = mtm_array_wrap(all.data, all.dtype, 3, shape);
    s = mtm_error_where(err, mtm_object_table_new(out, &volume, background, err), im->path);
    mtm_array_drop(&all);
    if (s == MTM_OK)
        mtm_index_put_objects(im->index, &im->identity, background, *out);
    return s;
}

mtm_status mtm_image_convert(const mtm_image *im, mtm_array *dst, const mtm_array *src, double slope,
                             double inter, bool swap, mtm_pool *pool, mtm_image_stats *stats, mtm_error *err)
{
    mtm_stats s;

    MTM_TRY(mtm_array_convert_stats(dst, src, slope, inter, swap, stats ? &s : NULL, pool, err));
    if (!stats)
        return MTM_OK;
    *stats = (mtm_image_stats){.count = s.count,
                               .non_finite = s.non_finite,
                               .nonzero = s.nonzero,
                               .min = s.min,
                               .max = s.max,
                               .mean = s.mean,
                               .std = s.std,
                               .nonzero_mean = s.nonzero_mean,
                               .nonzero_std = s.nonzero_std};
    mtm_foreground(dst, im->info.axes, stats->foreground_start, stats->foreground_size);
    return MTM_OK;
}
