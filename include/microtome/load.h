/* microtome/load.h: chains of operators over samples, and the loader that turns items into batches.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_LOAD_H
#define MICROTOME_LOAD_H

#include "image.h"
#include "op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- items -------------------------------------------------------------------------------------------- */

typedef enum mtm_field_kind {
    MTM_FIELD_IMAGE,  /* a URI, or the files of one picture; read when the sample is made */
    MTM_FIELD_ARRAY,  /* [Z, Y, X] or [C, Z, Y, X], borrowed while the loader lives */
    MTM_FIELD_NUMBER, /* a float64 or int64, batched as [B] */
    MTM_FIELD_OTHER   /* the caller keeps it; batches carry only the item's number */
} mtm_field_kind;

typedef struct mtm_field {
    const char *name;
    mtm_field_kind kind;
    const char *uri;         /* a file, or a folder that holds one DICOM volume */
    const char *const *uris; /* IMAGE in several files, in any order: [n_uris], and uri is NULL */
    int64_t n_uris;
    mtm_array array;
    double number;
    bool integer; /* NUMBER: the number is integral and batches as int64 */
} mtm_field;

typedef struct mtm_item {
    const mtm_field *fields;
    int32_t n_fields;
} mtm_item;

/* ---- chains ------------------------------------------------------------------------------------------- */

typedef struct mtm_chain mtm_chain;

/* A foreign function in a chain. `in` is a C-order [C, Z, Y, X] float32 (labels: their dtype) array; *out is made by
 * the function, with an owner. Called on worker threads. */
typedef mtm_status (*mtm_apply_fn)(void *user, const mtm_array *in, mtm_array *out, mtm_error *err);

MTM_API mtm_status mtm_chain_new(mtm_chain **out, mtm_error *err);
MTM_API void mtm_chain_free(mtm_chain *c);
/* Fields that hold label maps; default "label", "mask", "seg". */
MTM_API mtm_status mtm_chain_set_labels(mtm_chain *c, const char *const *names, int32_t n, mtm_error *err);
/* Fields that hold points: an array [N, 3] of (x, y, z) (of 2-D pictures [N, 2]), voxel numbers, 0 the first voxel's centre,
 * on the grid of the item's first image (without one: label map). Every geometric operator that moves that picture moves them.
 * They become float64; points that end outside stay. Default: none. */
MTM_API mtm_status mtm_chain_set_points(mtm_chain *c, const char *const *names, int32_t n, mtm_error *err);
/* Appends an operator. n_fields 0: geometric operators work on every image and label map with one draw, intensity
 * operators on every image that is no label map. */
MTM_API mtm_status mtm_chain_add(mtm_chain *c, const char *op, const char *const *fields, int32_t n_fields,
                                 const mtm_arg *args, int32_t n_args, mtm_error *err);
/* Takes `user`: release(user) runs when the chain is freed, on failure too. */
MTM_API mtm_status mtm_chain_add_apply(mtm_chain *c, mtm_apply_fn fn, void *user, void (*release)(void *user),
                                       const char *const *fields, int32_t n_fields, mtm_error *err);

/* One sample, eagerly: the same bytes as the loader. out: one array per field of the item, in its order (NUMBER:
 * shape [], OTHER: data NULL); made here, [C, Z, Y, X], dropped by the caller. affines: 16 doubles per field or NULL. */
MTM_API mtm_status mtm_chain_run(const mtm_chain *c, mtm_exec *x, const mtm_item *item, mtm_index *index,
                                 uint64_t seed, int64_t epoch, int64_t sample, mtm_array *out,
                                 double *affines, mtm_error *err);

/* What a chain would draw for a sample: a JSON list of {"op": name, "as": name, "drawn": {…}}; drawn is null where nothing
 * happens, and a list with {…} or null per channel where every channel draws for itself. free() the text. */
MTM_API mtm_status mtm_chain_draw(const mtm_chain *c, const mtm_item *item, mtm_index *index, uint64_t seed,
                                  int64_t epoch, int64_t sample, char **json, mtm_error *err);

/* ---- draws, written down to be run again -------------------------------------------------------------- */

typedef struct mtm_draws mtm_draws;

/* None drawn yet: no random operator acts. The chain is borrowed and must outlive the draws. */
MTM_API mtm_status mtm_draws_new(mtm_draws **out, const mtm_chain *c, mtm_error *err);
MTM_API void mtm_draws_free(mtm_draws *d);
/* Random operator number `step` runs as `op` with these arguments: on every channel alike (channel −1), or on that one of
 * n_channels. Array arguments are those of the chain's own operator. Errors: MTM_E_INVAL (no such step, not a random
 * operator, arguments that op does not take), MTM_E_NOTFOUND (op). */
MTM_API mtm_status mtm_draws_set(mtm_draws *d, int32_t step, int64_t channel, int64_t n_channels,
                                 const char *op, const mtm_arg *args, int32_t n_args, mtm_error *err);
/* mtm_chain_run with what was drawn before: the same bytes as where it was drawn. Foreign functions that draw for
 * themselves are not held to anything. */
MTM_API mtm_status mtm_chain_replay(const mtm_chain *c, mtm_exec *x, const mtm_item *item, mtm_index *index,
                                    const mtm_draws *draws, mtm_array *out, double *affines, mtm_error *err);
/* Brings `in` ([C, Z, Y, X] or [Z, Y, X], on the grid that the chain gives field number `field` of the item with these draws)
 * back to the grid of the field's own picture: through the inverse of every geometric operator, last one first. What a crop
 * took away becomes `value`. interp: 0 nearest, 1 linear, 2 cubic. *out: a new array of in's dtype, [C, Z, Y, X]. Errors:
 * MTM_E_UNSUPPORTED (an elastic operator, or one that changes the grid without being geometric; named), MTM_E_INVAL (shapes). */
MTM_API mtm_status mtm_chain_invert(const mtm_chain *c, mtm_exec *x, const mtm_item *item, mtm_index *index,
                                    const mtm_draws *draws, int32_t field, int32_t interp, double value,
                                    const mtm_array *in, mtm_array *out, mtm_error *err);

/* ---- loader ------------------------------------------------------------------------------------------- */

typedef struct mtm_loader mtm_loader;

/* Which items make up an epoch. An item that comes several times in one is a sample of its own each time, with draws of its own. */
typedef enum mtm_sampling {
    MTM_SAMPLE_ALL,     /* every item once */
    MTM_SAMPLE_EQUAL,   /* as many places as items, as many of each class (up to one) */
    MTM_SAMPLE_UNDER,   /* of each class as many as the smallest has, chosen anew in every epoch */
    MTM_SAMPLE_OVER,    /* of each class as many as the largest has: every item, some again */
    MTM_SAMPLE_WEIGHTED /* as many places as items, each drawn by weight, with replacement */
} mtm_sampling;

typedef struct mtm_loader_options {
    uint32_t struct_size;
    int32_t batch_size; /* default 1 */
    bool shuffle, drop_last;
    bool skip_bad;      /* a bad item is left out and counted instead of ending the epoch */
    int32_t pad_ragged; /* 0: ragged fields become lists; 1: padded at the end with pad_value */
    double pad_value;
    uint64_t seed;
    int32_t threads;          /* 0: one per CPU */
    int32_t prefetch;         /* batches made ahead; default 2 */
    int32_t rank, world;      /* shard; default 0 of 1. Every shard has the same length */
    int32_t samples_per_item; /* crops per loaded volume; default 1 */
    uint64_t cache_bytes;     /* for decoded volumes or the chain's deterministic prefix; 0: no cache */
    const char *index_path;   /* sidecar index; NULL: none */
    const mtm_limits *limits;
    int32_t sampling;       /* mtm_sampling */
    const int64_t *classes; /* per item, from 0 without gaps: EQUAL, UNDER, OVER */
    const double *weights;  /* per item, 0 or more: WEIGHTED */
    int32_t part, parts;    /* of this shard's batches only number part, part + parts, …; default 0 of 1 */
} mtm_loader_options;

MTM_API mtm_loader_options mtm_loader_options_default(void);

/* Items are copied (arrays stay borrowed); the chain is borrowed and must outlive the loader; chain NULL: none. */
MTM_API mtm_status mtm_loader_new(mtm_loader **out, const mtm_item *items, int64_t n_items,
                                  const mtm_chain *chain, const mtm_loader_options *opt, mtm_error *err);
/* Stops the workers. Batches that are still held stay valid. */
MTM_API void mtm_loader_free(mtm_loader *l);

MTM_API int64_t mtm_loader_batches(const mtm_loader *l); /* per epoch of this shard */
/* Begins (or goes to) a place: batch `batch` of `epoch`. What was prefetched for another place is dropped. */
MTM_API mtm_status mtm_loader_seek(mtm_loader *l, int64_t epoch, int64_t batch, mtm_error *err);

typedef struct mtm_batch_field {
    const char *name;
    mtm_field_kind kind;
    bool ragged;
    /* [B, C, Z, Y, X], [B] for numbers; empty when ragged. Samples of different dtypes become float32 together (label
     * maps int32 or int64). */
    mtm_array array;
    const mtm_array *each; /* ragged: one [C, Z, Y, X] per sample */
} mtm_batch_field;

/* Holds its memory until released; the loader never writes into a batch that is held. */
typedef struct mtm_batch {
    int64_t epoch, number; /* number: which batch of the epoch */
    int32_t n;             /* samples */
    /* Sample numbers: item · samples_per_item + crop, and n_items · samples_per_item more each time that sampling has the item
     * come again in the epoch. */
    const int64_t *index;
    int32_t n_fields;
    const mtm_batch_field *fields;
    const double *affines; /* [n, n_fields, 16] */
} mtm_batch;

/* The next batch, or *out NULL: the epoch is over (*timed_out false) or timeout_ms went by (*timed_out true);
 * timeout_ms < 0 waits for ever. Errors: the bad item's own, its name in err->where. */
MTM_API mtm_status mtm_loader_next(mtm_loader *l, int timeout_ms, mtm_batch **out, bool *timed_out,
                                   mtm_error *err);
MTM_API void mtm_batch_release(mtm_batch *b);

typedef struct mtm_loader_stats {
    int64_t samples, skipped, bytes_delivered, cache_hits, cache_bytes;
    int64_t read_ns, inflate_ns, decode_ns, geometry_ns, intensity_ns, apply_ns; /* summed over the workers */
    int64_t wait_ns;     /* the consumer waited for a batch */
    int64_t bound_bytes; /* stated memory bound: threads × scratch + prefetch × batch + cache + tables */
    char last_skip[256]; /* why the last bad item was left out */
} mtm_loader_stats;

MTM_API void mtm_loader_stats_get(mtm_loader *l, mtm_loader_stats *out);

#ifdef __cplusplus
}
#endif
#endif
