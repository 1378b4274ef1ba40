/* codec/codec.h: a codec is a const table of functions over bytes in memory. The tables are joined in wire.c;
 * codec.c picks one by name or by its first bytes. Pure: no I/O.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_CODEC_H
#define MTM_CODEC_CODEC_H

#include "array/array.h"
#include "microtome/codec.h"

enum { MTM_CODEC_ENCODE = 1, MTM_CODEC_REGION = 2, MTM_CODEC_REDUCE = 4, MTM_CODEC_BATCH = 8 };

typedef struct mtm_codec {
    const char *name;
    uint32_t flags;
    bool (*detect)(const uint8_t *in, size_t n);
    mtm_status (*info)(mtm_codec_info **out, const uint8_t *in, size_t n, const mtm_limits *lim,
                       mtm_error *err);
    /* Shapes and types of the channels that decoding gives, in order; *n of them, into shapes (NULL: only counted). */
    mtm_status (*layout)(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                         mtm_array *planes, int32_t room, int32_t *n_planes, mtm_error *err);
    /* planes[i]: [Y, X] views of the caller's memory for channel i. */
    mtm_status (*decode)(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                         const mtm_array *planes, int32_t n_planes, mtm_error *err);
    mtm_status (*decode_rows)(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                              mtm_rows_sink sink, void *user, mtm_error *err);
    mtm_status (*encode)(mtm_codec_ctx *c, const mtm_array *planes, int32_t n_planes,
                         const mtm_encode_params *p, mtm_bytes *out, mtm_error *err);
} mtm_codec;

extern const mtm_codec mtm_codec_j2k; /* both "j2k" and "htj2k" */

/* NULL-terminated; defined in wire.c. */
const mtm_codec *const *mtm_codec_table(void);

/* A worker's reusable scratch, kept by the context between calls: codec-specific, made on first use. */
typedef struct mtm_codec_worker mtm_codec_worker;
struct mtm_codec_worker {
    mtm_codec_worker *next; /* in the context's list of idle workers */
    void *state;            /* of the codec */
    void (*free_state)(void *state);
};

/* Plans, by the hash of what they were made from; never evicted while referenced, at most MTM_CODEC_PLANS kept. */
enum { MTM_CODEC_PLANS = 64 };
typedef struct mtm_codec_plan {
    uint64_t key[2];
    int64_t refs; /* guarded by the context's lock */
    void (*free_plan)(struct mtm_codec_plan *p);
} mtm_codec_plan;

/* An idle worker, or a new empty one. */
mtm_status mtm_codec_worker_take(mtm_codec_ctx *c, mtm_codec_worker **out, mtm_error *err);
void mtm_codec_worker_give(mtm_codec_ctx *c, mtm_codec_worker *w);
/* The plan of this key with one more reference, or NULL. */
mtm_codec_plan *mtm_codec_plan_find(mtm_codec_ctx *c, const uint64_t key[2]);
/* Adds a plan with one reference for the caller (and one for the cache); another thread may have been first: then *p is
 * freed and replaced by that one. */
void mtm_codec_plan_add(mtm_codec_ctx *c, mtm_codec_plan **p);
void mtm_codec_plan_drop(mtm_codec_ctx *c, mtm_codec_plan *p);

/* dst.data + y·stride … grows to hold n more bytes. Errors: MTM_E_NOMEM. */
mtm_status mtm_bytes_reserve(mtm_bytes *b, size_t more_bytes, mtm_error *err);

#endif
