/* load/sample.h: one sample on its way through a chain. First it is planned (headers are read, random numbers drawn, the
 * shape of every field known), then each field is run by itself, straight into its place in a batch.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_SAMPLE_H
#define MTM_LOAD_SAMPLE_H

#include "load/draws.h"
#include "load/memory.h"
#include "op/exec.h"

/* Where a field's voxels come from: a picture that nothing was read of, or an array in memory. */
typedef struct mtm_picture_source {
    mtm_image *image; /* owned; NULL: array */
    mtm_array array;  /* [C, Z, Y, X], borrowed */
    const mtm_image_stats
        *stats; /* of the file that `array` is the whole of; NULL: it is none, or not known */
    mtm_spec spec;
    int8_t axis[4]; /* image: which of its axes are the last of the channels (−1: none), Z, Y, X (−1: none) */
} mtm_picture_source;

typedef struct mtm_field_plan {
    const mtm_field *item; /* borrowed */
    bool picture, label;   /* picture: an image or array; all below is unused for the others */
    bool points;           /* points on a picture's grid: of all below, `spec` is that picture's */
    int32_t point_axes;    /* 2 or 3 numbers each */
    mtm_array xyz;         /* points: [N, 3] float64 of its own, x, y, z */
    bool moved;            /* no longer the voxels of the source, or not on its grid */
    bool warped;           /* a step behind the chain's prefix interpolates */
    int32_t first;         /* the source is what the steps before this one made */
    mtm_picture_source source;
    mtm_array held;        /* memory of the source, where a foreign function made it */
    mtm_spec spec;         /* after the steps planned so far */
    int64_t scratch_bytes; /* what running it may take at most: the source, and a step's input and output */
} mtm_field_plan;

/* What a sample took, in nanoseconds: [0] read, [1] inflate, [2] convert; foreign functions. */
typedef struct mtm_sample_times {
    int64_t read_ns[3], apply_ns;
} mtm_sample_times;

struct mtm_sample;

/* The label table of a field's source; *owned true: the caller frees it. */
typedef mtm_status (*mtm_tables_fn)(void *user, int32_t field, mtm_exec *x, const mtm_label_table **out,
                                    bool *owned, mtm_error *err);

typedef struct mtm_sample {
    const mtm_chain *chain;
    mtm_exec *x; /* of the thread that works on it now */
    int32_t n_fields;
    mtm_field_plan *fields;
    mtm_draws *draws;        /* its own */
    mtm_drawn *drawn;        /* draws->drawn */
    const mtm_draws *replay; /* what random operators take instead of drawing; NULL: they draw */
    int32_t planned;         /* steps planned so far */
    uint64_t seed;
    int64_t epoch, number;
    mtm_tables_fn tables; /* NULL: from the sources */
    void *tables_user;
    mtm_memory *memory; /* of the loader, where `item` is the item's number; NULL: none */
    int64_t item;
    mtm_sample_times times;
} mtm_sample;

mtm_status mtm_sample_new(mtm_sample **out, const mtm_chain *c, int32_t n_fields, mtm_error *err);
void mtm_sample_free(mtm_sample *s);
MTM_DEFINE_AUTO(mtm_sample, mtm_sample_free)

/* The sources are the item's own fields; reads headers. Errors name the file. */
mtm_status mtm_sample_open(mtm_sample *s, const mtm_item *item, mtm_index *index, const mtm_limits *limits,
                           mtm_error *err);
/* Drops what the sample holds; it is ready for the next mtm_sample_open. */
void mtm_sample_close(mtm_sample *s);

/* Plans the steps up to `end` (exclusive). A foreign function is run here, as only it knows its result's shape. */
mtm_status mtm_sample_plan(mtm_sample *s, int32_t end, mtm_error *err);
/* The source of the field becomes what foreign function number `step` makes of it. */
mtm_status mtm_sample_apply(mtm_sample *s, int32_t field, int32_t step, mtm_error *err);

/* Runs the planned steps before `end` on one field. dst->data set: into that view ([C, Z, Y, X], any strides and dtype);
 * else *dst becomes the result with any strides, in memory of its own or, without an owner, a view of the source's. */
mtm_status mtm_sample_run(mtm_sample *s, int32_t field, int32_t end, mtm_array *dst, mtm_error *err);

/* load/plan.c: what can be told of an item before anything is opened: every field that a step names is a picture, label maps in
 * memory are integers. Errors: MTM_E_INVAL, naming the operator and the field. */
mtm_status mtm_chain_check_item(const mtm_chain *c, const mtm_item *item, mtm_error *err);
mtm_status mtm_label_dtype_check(mtm_dtype t, const char *field, mtm_error *err);

/* load/points.c: fields that hold points. Opening converts them; then they follow field `field`, if it is the picture that they
 * lie on, through one step (d NULL: a function, which must leave the grid alone); settling gives them that picture's spec. */
mtm_status mtm_points_open(mtm_sample *s, mtm_error *err);
mtm_status mtm_points_follow(mtm_sample *s, int32_t field, const mtm_drawn *d, const mtm_spec *before,
                             mtm_error *err);
void mtm_points_settle(mtm_sample *s);
/* Points as they stand into dst: float64 [N, f->point_axes], any strides. */
void mtm_points_store(const mtm_field_plan *f, mtm_array *dst);

/* load/picture.c: the parts of opening and reading. */
mtm_status mtm_picture_open(mtm_picture_source *src, const mtm_field *f, bool label, mtm_index *index,
                            const mtm_limits *limits, mtm_error *err);
mtm_status mtm_picture_read(const mtm_picture_source *src, const mtm_box *zyx, mtm_exec *x,
                            mtm_sample_times *times, mtm_image_stats *stats, mtm_array *dst, mtm_error *err);
/* The same box where it lies in memory, for one pass; out->data NULL: it has to be read. After the pass, mtm_picture_looked. */
mtm_status mtm_picture_look(const mtm_picture_source *src, const mtm_box *zyx, mtm_array *out,
                            mtm_error *err);
/* MTM_E_CONFLICT: the file changed meanwhile. */
mtm_status mtm_picture_looked(const mtm_picture_source *src, mtm_error *err);
/* A [Z, Y, X] or [C, Z, Y, X] (or [Y, X]) array as [C, Z, Y, X]. */
mtm_status mtm_as_czyx(mtm_array *out, const mtm_array *in, mtm_error *err);

#endif
