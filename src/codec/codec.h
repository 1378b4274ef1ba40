/* codec/codec.h: a codec is a const table of functions over bytes in memory. The tables are joined in wire.c;
 * codec.c picks one by name or by its first bytes. Pure: no I/O.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_CODEC_H
#define MTM_CODEC_CODEC_H

#include "array/array.h"
#include "microtome/codec.h"

enum { MTM_CODEC_ENCODE = 1, MTM_CODEC_REGION = 2, MTM_CODEC_REDUCE = 4, MTM_CODEC_BATCH = 8 };

/* What a codec that always decodes the whole picture says of one. */
typedef enum mtm_codec_order {
    MTM_ORDER_INTERLEAVED, /* samples of a pixel side by side, pixels without gaps; rows may have any stride */
    MTM_ORDER_PLANAR,      /* a plane behind the other (stride: height · row stride), pixels without gaps */
    MTM_ORDER_ANY          /* any strides */
} mtm_codec_order;

typedef struct mtm_codec_picture {
    int64_t height, width;
    int32_t channels, bits;
    mtm_dtype dtype; /* of decoded samples: U8, I8, U16, … */
    mtm_codec_order order;
} mtm_codec_picture;

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
    /* Instead of layout, decode and decode_rows, where there is only the whole picture: whole.c crops, picks channels, rescales
     * and converts. picture: the header, checked against p->limits and the number of bytes. decode_picture: dst is [Y, X, C] of
     * `pic`, whose order its strides have; p->to_rgb and p->partial are the codec's affair, mtm_codec_note tells of damage. */
    mtm_status (*picture)(mtm_codec_picture *out, const uint8_t *in, size_t n, const mtm_decode_params *p,
                          mtm_error *err);
    mtm_status (*decode_picture)(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                                 const mtm_codec_picture *pic, const mtm_array *dst, mtm_error *err);
} mtm_codec;

extern const mtm_codec mtm_codec_j2k; /* both "j2k" and "htj2k" */
extern const mtm_codec mtm_codec_jpegls, mtm_codec_rle, mtm_codec_deflate;
extern const mtm_codec mtm_codec_jpeg;

/* By whole.c, for a codec with `picture`: as the table's layout, decode and decode_rows. */
mtm_status mtm_whole_layout(const mtm_codec *codec, const uint8_t *in, size_t n, const mtm_decode_params *p,
                            mtm_array *planes, int32_t room, int32_t *n_planes, mtm_error *err);
mtm_status mtm_whole_decode(const mtm_codec *codec, mtm_codec_ctx *c, const uint8_t *in, size_t n,
                            const mtm_decode_params *p, const mtm_array *planes, int32_t n_planes,
                            mtm_error *err);
mtm_status mtm_whole_decode_rows(const mtm_codec *codec, mtm_codec_ctx *c, const uint8_t *in, size_t n,
                                 const mtm_decode_params *p, mtm_rows_sink sink, void *user, mtm_error *err);
/* The planes of an encoder as one array [Y, X, C] in the order wanted: the caller's memory where it lies so, else a copy.
 * mtm_array_drop it. Errors: MTM_E_INVAL (planes of different sizes or types, or empty). */
mtm_status mtm_whole_gather(mtm_array *out, const mtm_array *planes, int32_t n, mtm_codec_order order,
                            mtm_error *err);
/* Partial decoding met damage: p->report (may be NULL) gets a sentence and is not complete. */
void mtm_codec_note(const mtm_decode_params *p, const char *fmt, ...) MTM_PRINTF(2, 3);
/* DICOM's linear window (PS3.3 C.11.2.1.2.1) of p, in place. low and high both 0: 0 … 1. */
void mtm_codec_window(double *x, size_t n, const mtm_decode_params *p);

/* An info in one piece of memory, for mtm_codec_info_drop: one tile, one layer, a bare codestream of n bytes; components (all of
 * pic's size and bits) and markers are there to be filled through the pointers given. */
mtm_status mtm_codec_info_make(mtm_codec_info **out, const char *codec, const mtm_codec_picture *pic,
                               int32_t n_components, int32_t n_markers, size_t n,
                               mtm_codec_component **components, mtm_codec_marker **markers, mtm_error *err);
void mtm_codec_info_drop(mtm_codec_info *i);

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
