/* image/image.h: the image handle from inside: what a format fills in, and the two calls that a kind of image
 * answers. image.c checks arguments, so a kind sees only boxes that fit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_IMAGE_IMAGE_H
#define MTM_IMAGE_IMAGE_H

#include "array/array.h"
#include "image/index.h"
#include "microtome/image.h"

typedef struct mtm_image_kind {
    /* Fills dst, whose shape is the box's. stats: NULL, or the box is the whole of level 0 and they are wanted. */
    mtm_status (*read)(mtm_image *im, int level, const mtm_box *box, mtm_read_options *opt, mtm_array *dst,
                       mtm_image_stats *stats, mtm_error *err);
    void (*close)(mtm_image *im); /* frees im too */
    /* A box of level 0 as it lies in memory, for one short pass (see mtm_source_map); out->data stays NULL where what a
     * read gives does not lie there. NULL: never. What was looked at counts once `unchanged` is MTM_OK afterwards. */
    mtm_status (*look)(mtm_image *im, const mtm_box *box, mtm_array *out, mtm_error *err);
    mtm_status (*unchanged)(mtm_image *im, mtm_error *err);
} mtm_image_kind;

typedef struct mtm_property {
    char *key, *value;
} mtm_property;

/* Begins every kind of image. Constant after opening, so any thread may use it. */
struct mtm_image {
    const mtm_image_kind *kind;
    mtm_image_info info;
    char *path;
    mtm_limits limits;
    mtm_index *index;        /* NULL: none, or an image in several files */
    mtm_identity identity;   /* of the file; empty without an index */
    mtm_image_level *levels; /* [info.n_levels], from mtm_alloc; NULL: level 0 alone */
    mtm_property *properties;
    int64_t n_properties;
    char **problems;
    int64_t n_problems;
    uint8_t *kept; /* what a writer carries over through `like`: a NIfTI's extensions */
    size_t kept_bytes;
};

/* Fills the common part of a new image from the options; info says one level, slope 1. */
mtm_status mtm_image_init(mtm_image *im, const mtm_image_kind *kind, const char *path,
                          const mtm_open_options *opt, mtm_error *err);
void mtm_image_clear(mtm_image *im); /* frees what the common part holds; for a kind's close */

mtm_status mtm_image_add_property(mtm_image *im, mtm_error *err, const char *key, const char *fmt, ...)
    MTM_PRINTF(4, 5);
mtm_status mtm_image_add_problem(mtm_image *im, mtm_error *err, const char *fmt, ...) MTM_PRINTF(3, 4);
/* dst = convert(src · slope + inter), src's bytes swapped first where `swap`; stats not NULL: those of dst, which is the
 * whole image, with its foreground box. */
mtm_status mtm_image_convert(const mtm_image *im, mtm_array *dst, const mtm_array *src, double slope,
                             double inter, bool swap, mtm_pool *pool, mtm_image_stats *stats, mtm_error *err);
/* The value of a property, or NULL. */
const char *mtm_image_property_find(const mtm_image *im, const char *key);

MTM_DEFINE_AUTO(mtm_image, mtm_image_close)

#endif
