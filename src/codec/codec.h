/* codec/codec.h: a codec is a const table of functions over bytes in memory. The tables are joined in wire.c;
 * codec.c picks one by name or by its first bytes. Pure: no I/O.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_CODEC_H
#define MTM_CODEC_CODEC_H

#include "array/array.h"
#include "microtome/codec.h"

enum { MTM_CODEC_ENCODE = 1, MTM_CODEC_REGION = 2, MTM_CODEC_REDUCE = 4, MTM_CODEC_BATCH = 8 };

typedef struct mtm_codec {
    const char *name, *other_name; /* other_name: also known as; NULL: one name only */
    uint32_t flags;
    bool (*detect)(const uint8_t *in, size_t n);
    mtm_status (*info)(mtm_codec_info **out, const uint8_t *in, size_t n, const mtm_limits *lim,
                       mtm_error *err);
    void (*info_free)(mtm_codec_info *i);
    /* Shapes and types of the channels that decoding gives, in order; *n of them, into planes (at most `room`; 0: only
     * counted). per_grid: a region counts pixels of the reference grid (mtm_decode_planes). */
    mtm_status (*layout)(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                         bool per_grid, mtm_array *planes, int32_t room, int32_t *n_planes, mtm_error *err);
    /* planes[i]: [Y, X] views of the caller's memory for channel i, of any number type. Their number and shapes are checked
     * here. */
    mtm_status (*decode)(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                         bool per_grid, const mtm_array *planes, int32_t n_planes, mtm_error *err);
    mtm_status (*decode_rows)(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                              mtm_rows_sink sink, void *user, mtm_error *err);
    mtm_status (*encode)(mtm_codec_ctx *c, const mtm_array *planes, int32_t n_planes,
                         const mtm_encode_params *p, mtm_bytes *out, mtm_error *err);
} mtm_codec;

extern const mtm_codec mtm_codec_j2k; /* both "j2k" and "htj2k" */

/* NULL-terminated; defined in wire.c. */
const mtm_codec *const *mtm_codec_table(void);

/* A worker's reusable scratch, and what it knows of the header before, kept by the context between calls. */
typedef struct mtm_codec_worker mtm_codec_worker;
struct mtm_codec_worker {
    mtm_codec_worker *next;          /* in the context's list of idle workers */
    unsigned cpu;                    /* MTM_CPU_ flags of its kernels */
    void *state;                     /* NULL in a new worker: its taker makes it */
    void (*free_state)(void *state); /* also says whose state it is */
};

/* An idle worker with a state that this function frees, or a new one without a state. Errors: MTM_E_NOMEM. */
mtm_status mtm_codec_worker_take(mtm_codec_ctx *c, void (*free_state)(void *state), mtm_codec_worker **out,
                                 mtm_error *err);
void mtm_codec_worker_give(mtm_codec_ctx *c, mtm_codec_worker *w);

/* Grows `b` so that n more bytes fit behind size_bytes. Errors: MTM_E_NOMEM; b is then as before. */
mtm_status mtm_bytes_reserve(mtm_bytes *b, size_t more_bytes, mtm_error *err);

#endif
