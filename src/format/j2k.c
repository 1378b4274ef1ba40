/* format/j2k.c: JPEG 2000 and HTJ2K files as images: raw codestreams (.j2c, .j2k), JP2 and JPH. Levels are the wavelet's
 * resolutions; a box is the codec's region. Of a large file only the bytes that a box needs are read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "codec/codec.h"
#include "format.h"

enum { KEPT_BYTES = 32 << 20 /* a file up to this size is kept in memory once it was read */ };

typedef struct j2k_image {
    mtm_image base;
    mtm_source *source;
    mtm_codec_ctx *ctx;
    pthread_mutex_t lock; /* guards kept_whole while it is filled */
    uint8_t *kept_whole;  /* the file; NULL: not read yet, or too large. Constant once set */
    bool to_rgb;          /* sYCC, whose channels may differ in size: as RGB they make one array */
} j2k_image;

static mtm_status j2k_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                           mtm_array *dst, mtm_image_stats *stats, mtm_error *err);

static void j2k_close(mtm_image *im)
{
    j2k_image *const j = (j2k_image *)im;

    mtm_source_close(j->source);
    mtm_codec_ctx_free(j->ctx);
    mtm_free(j->kept_whole);
    pthread_mutex_destroy(&j->lock);
    mtm_image_clear(im);
    mtm_free(j);
}

static const mtm_image_kind j2k_kind = {.read = j2k_read, .close = j2k_close};

static void j2k_image_close(j2k_image *j)
{
    if (j)
        j2k_close(&j->base);
}
MTM_DEFINE_AUTO(j2k_image, j2k_image_close)

/* ---- bytes --------------------------------------------------------------------------------------------- */

/* The whole file, for the life of the image; *data NULL: it is too large for that. */
static mtm_status whole_file(j2k_image *j, const uint8_t **data, mtm_error *err)
{
    const uint64_t n = mtm_source_size(j->source);
    mtm_status s = MTM_OK;

    *data = NULL;
    if (mtm_source_in_memory(j->source))
        return mtm_source_map(j->source, data, err);
    if (n > KEPT_BYTES)
        return MTM_OK;
    pthread_mutex_lock(&j->lock);
    if (!j->kept_whole) {
        uint8_t *const bytes = mtm_alloc((size_t)n);

        s = bytes ? mtm_source_read(j->source, 0, bytes, (size_t)n, err) : MTM_NOMEM(err);
        if (s == MTM_OK)
            s = mtm_source_check(j->source, err);
        if (s == MTM_OK)
            j->kept_whole = bytes;
        else
            mtm_free(bytes);
    }
    *data = j->kept_whole;
    pthread_mutex_unlock(&j->lock);
    return s;
}

/* For short looks at headers: the whole file, or its mapping. */
static mtm_status look(j2k_image *j, const uint8_t **data, mtm_error *err)
{
    MTM_TRY(whole_file(j, data, err));
    if (*data)
        return MTM_OK;
    MTM_TRY(mtm_source_check(j->source, err));
    return mtm_source_map(j->source, data, err);
}

/* The bytes that p needs, each at its place in memory as long as the file; *ranges says which. */
static mtm_status fetch(j2k_image *j, const mtm_decode_params *p, uint8_t **bytes, mtm_j2k_ranges **ranges,
                        mtm_error *err)
{
    const uint64_t n = mtm_source_size(j->source);
    const uint8_t *mapped;

    MTM_TRY(look(j, &mapped, err));
    MTM_TRY(mtm_j2k_plan(ranges, mapped, (size_t)n, n, p, err));
    *bytes = mtm_alloc((size_t)n);
    if (!*bytes)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < (*ranges)->n; i++) {
        const mtm_byte_range *const r = &(*ranges)->ranges[i];

        MTM_TRY(mtm_source_read(j->source, r->offset, *bytes + r->offset, (size_t)r->size_bytes, err));
    }
    return mtm_source_check(j->source, err);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static mtm_status decode(j2k_image *j, mtm_decode_params *p, mtm_array *dst, mtm_error *err)
{
    const size_t n = (size_t)mtm_source_size(j->source);
    const uint8_t *data;

    MTM_TRY(whole_file(j, &data, err));
    if (data)
        return mtm_decode(j->ctx, data, n, p, dst, err);
    MTM_AUTO_MEM uint8_t *bytes = NULL;
    mtm_j2k_ranges *ranges = NULL;
    mtm_status s = fetch(j, p, &bytes, &ranges, err);

    if (s == MTM_OK) {
        p->present = ranges->ranges, p->n_present = ranges->n;
        s = mtm_decode(j->ctx, bytes, n, p, dst, err);
    }
    mtm_j2k_ranges_free(ranges);
    return s;
}

static mtm_status params_of(const j2k_image *j, int level, const mtm_box *box, const mtm_read_options *opt,
                            mtm_decode_params *p, int32_t **channels, mtm_error *err)
{
    *p = (mtm_decode_params){
        .struct_size = sizeof *p,
        .has_region = true,
        .region = {box->start[0], box->start[0] + box->size[0], box->start[1], box->start[1] + box->size[1]},
        .reduce = level,
        .to_rgb = j->to_rgb,
        .limits = &j->base.limits,
        .pool = opt->pool};
    if (box->ndim < 3 || box->size[2] == j->base.info.shape[2])
        return MTM_OK;
    *channels = mtm_alloc((size_t)box->size[2] * sizeof **channels);
    if (!*channels)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < box->size[2]; i++)
        (*channels)[i] = (int32_t)(box->start[2] + i);
    p->components = *channels, p->n_components = (int32_t)box->size[2];
    return MTM_OK;
}

/* Into new memory of the stored type, then converted. */
static mtm_status read_by_way(j2k_image *j, int level, const mtm_box *box, mtm_read_options *opt,
                              mtm_array *dst, mtm_image_stats *stats, mtm_error *err)
{
    MTM_AUTO_MEM int32_t *channels = NULL;
    mtm_box decoded = *box, kept = {.ndim = box->ndim};
    mtm_array stored = {0}, part;
    mtm_decode_params p;
    mtm_status s;

    memcpy(kept.size, box->size, sizeof kept.size);
    if (j->to_rgb && box->ndim == 3) /* the conversion needs all channels */
        kept.start[2] = box->start[2], decoded.start[2] = 0, decoded.size[2] = j->base.info.shape[2];
    MTM_TRY(params_of(j, level, &decoded, opt, &p, &channels, err));
    MTM_TRY(mtm_array_new(&stored, j->base.info.stored_dtype, box->ndim, decoded.size, opt->recycler, err));
    s = decode(j, &p, &stored, err);
    if (s == MTM_OK)
        s = mtm_array_crop(&part, &stored, &kept, err);
    if (s == MTM_OK)
        s = mtm_image_convert(&j->base, dst, &part, 1, 0, false, opt->pool, stats, err);
    mtm_array_drop(&stored);
    return s;
}

/* Straight into dst where the codec writes its type and channels. */
static mtm_status j2k_read(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt,
                           mtm_array *dst, mtm_image_stats *stats, mtm_error *err)
{
    j2k_image *const j = (j2k_image *)im;
    const bool all = box->ndim < 3 || box->size[2] == im->info.shape[2];
    MTM_AUTO_MEM int32_t *channels = NULL;
    mtm_decode_params p;

    if (stats)
        *stats = (mtm_image_stats){0};
    if (mtm_array_count(dst) == 0)
        return MTM_OK;
    if (stats || dst->dtype != im->info.stored_dtype || (j->to_rgb && !all))
        return read_by_way(j, level, box, opt, dst, stats, err);
    MTM_TRY(params_of(j, level, box, opt, &p, &channels, err));
    return decode(j, &p, dst, err);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static bool j2k_detect(const mtm_probe *p)
{
    return !p->gzip && mtm_codec_j2k.detect(p->head, p->head_bytes);
}

static mtm_status add_facts(mtm_image *im, const mtm_codec_info *f, mtm_error *err)
{
    const mtm_codec_component *const c = &f->components[0];

    MTM_TRY(mtm_image_add_property(im, err, "j2k.container", "%s", f->container));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.bits", "%d", c->bits));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.signed", "%s", c->is_signed ? "yes" : "no"));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.components", "%d", f->n_components));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.color", "%s", f->color));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.wavelet", "%s", c->reversible ? "5/3" : "9/7"));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.levels", "%d", f->levels));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.layers", "%d", f->layers));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.progression", "%s", f->progression));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.block", "%d,%d", c->block[0], c->block[1]));
    MTM_TRY(
        mtm_image_add_property(im, err, "j2k.tile", "%" PRId64 ",%" PRId64, f->tile_height, f->tile_width));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.tiles", "%d,%d", f->tiles_y, f->tiles_x));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.plt", "%s", f->has_plt ? "yes" : "no"));
    MTM_TRY(mtm_image_add_property(im, err, "j2k.tlm", "%s", f->has_tlm ? "yes" : "no"));
    for (int32_t i = 0; i < f->n_warnings; i++)
        MTM_TRY(mtm_image_add_problem(im, err, "%s", f->warnings[i]));
    return MTM_OK;
}

/* Shape and type of the picture at one resolution. */
static mtm_status level_layout(j2k_image *j, const uint8_t *data, int level, mtm_image_level *l,
                               mtm_dtype *dtype, int32_t *ndim, mtm_error *err)
{
    mtm_decode_params p = {
        .struct_size = sizeof p, .reduce = level, .to_rgb = j->to_rgb, .limits = &j->base.limits};
    bool same_size = false;

    MTM_TRY(mtm_decode_shape(j->ctx, data, (size_t)mtm_source_size(j->source), &p, ndim, l->shape, dtype,
                             &same_size, err));
    if (!same_size)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "the channels have sizes of their own; the codec's planes read them");
    l->downsample = (double)(INT64_C(1) << level);
    return MTM_OK;
}

static mtm_status set_layout(j2k_image *j, const uint8_t *data, const mtm_codec_info *f, mtm_error *err)
{
    mtm_image_info *const info = &j->base.info;

    info->n_levels = f->min_levels + 1;
    j->to_rgb = !strcmp(f->color, "sycc");
    j->base.levels = mtm_alloc_zero((size_t)info->n_levels, sizeof *j->base.levels);
    if (!j->base.levels)
        return MTM_NOMEM(err);
    for (int32_t r = 0; r < info->n_levels; r++)
        MTM_TRY(level_layout(j, data, r, &j->base.levels[r], &info->stored_dtype, &info->ndim, err));
    info->dtype = info->stored_dtype;
    memcpy(info->shape, j->base.levels[0].shape, sizeof info->shape);
    memcpy(info->axes, "YXC", (size_t)info->ndim);
    for (int32_t i = 0; i < info->ndim; i++)
        info->spacing[i] = 1;
    return MTM_OK;
}

static mtm_status j2k_image_new(j2k_image **out, mtm_probe *p, mtm_error *err)
{
    j2k_image *const bare = mtm_alloc_zero(1, sizeof *bare);

    if (!bare)
        return MTM_NOMEM(err);
    if (pthread_mutex_init(&bare->lock, NULL)) {
        mtm_free(bare);
        return MTM_NOMEM(err);
    }
    MTM_AUTO(j2k_image) j = bare;
    MTM_TRY(mtm_image_init(&j->base, &j2k_kind, mtm_source_path(p->source), p->options, err));
    MTM_TRY(mtm_codec_ctx_new(&j->ctx, err));
    *out = j2k_image_steal(&j);
    return MTM_OK;
}

static mtm_status j2k_fill(j2k_image *j, mtm_error *err)
{
    const uint64_t n = mtm_source_size(j->source);
    mtm_codec_info *f = NULL;
    const uint8_t *data;
    mtm_status s;

    MTM_TRY(look(j, &data, err));
    MTM_TRY(mtm_codec_info_new(&f, data, (size_t)n, &j->base.limits, err));
    j->base.info.format = !strcmp(f->container, "codestream") ? "j2c"
                          : !strcmp(f->container, "jph")      ? "jph"
                                                              : "jp2";
    j->base.info.codec = f->ht ? "htj2k" : "j2k";
    j->base.info.file_bytes = (int64_t)n;
    s = set_layout(j, data, f, err);
    if (s == MTM_OK)
        s = add_facts(&j->base, f, err);
    mtm_codec_info_free(f);
    return s;
}

static mtm_status j2k_open(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    MTM_AUTO(j2k_image) j = NULL;
    mtm_status s;

    MTM_TRY(j2k_image_new(&j, p, err));
    j->source = p->source;
    s = j2k_fill(j, err);
    if (s != MTM_OK) {
        j->source = NULL; /* the caller's still */
        return s;
    }
    p->source = NULL;
    *out = &j2k_image_steal(&j)->base;
    return MTM_OK;
}

const mtm_format mtm_format_j2k = {.name = "j2k", .detect = j2k_detect, .open = j2k_open};
