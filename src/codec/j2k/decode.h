/* codec/j2k/decode.h: what the decoding stages hand on: decode.c (a call: plan, checks, tiles) → tile.c (one tile: types,
 * transforms, rows) → strip.c (rows of code-blocks) and output.c (rows into the caller's arrays). Reading bytes is stream.h's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_DECODE_H
#define MTM_J2K_DECODE_H

#include <pthread.h>
#include <stdatomic.h>

#include "kernel/color.h"
#include "kernel/convert.h"
#include "kernel/ebcot.h"
#include "kernel/ht.h"
#include "stream.h"
#include "synthesis.h"

/* ---- a call ------------------------------------------------------------------------------------------- */

enum { J2K_ASK_COMPONENTS = 16 };
/* What of a call's parameters the plan depends on. Begin with all bytes 0: compared as bytes. */
typedef struct j2k_ask {
    int64_t region[4];
    int32_t reduce, layers, n_components, components[J2K_ASK_COMPONENTS];
    bool has_region, per_grid, to_rgb, known; /* known: nothing was left out */
} j2k_ask;

/* One channel of the answer. */
typedef struct j2k_output {
    int32_t component, column; /* column of the palette; −1: the component itself */
    int32_t next;              /* output of the same component; −1: none */
    uint8_t bits;
    bool is_signed, raw; /* raw: not rescaled when it is stored, for it is YCC yet */
    j2k_rect rect;       /* of the component at this reduce: the plane */
} j2k_output;

/* What follows from a main header and a call's parameters. */
typedef struct j2k_plan {
    bool valid;
    uint64_t boxes_key; /* hash of the boxes before the codestream */
    j2k_ask ask;
    j2k_boxes boxes;
    j2k_header header;
    j2k_want want;
    bool
        ycc; /* outputs 0 … 2 become RGB, of the size of the first, without its crop[0] rows and crop[1] columns */
    int64_t crop[2];
    int32_t n_outputs;
    j2k_output *outputs;
    int32_t *first_output;                      /* of each component; −1: none */
    int64_t tile_x0, tile_x1, tile_y0, tile_y1; /* tiles that the region meets */
    bool wide;                                  /* int16 was tried for this header and was too small */
    j2k_notes notes;                            /* of the header */
} j2k_plan;

typedef struct j2k_job {
    mtm_codec_ctx *ctx;
    const mtm_decode_params *p;
    mtm_limits lim;
    j2k_input in;
    const j2k_plan *plan;
    j2k_stream stream;
    const mtm_array *planes; /* [plan->n_outputs] */
    int64_t row0;            /* row of the outputs that the planes begin with */
    mtm_pool *pool;          /* that shares a tile's code-blocks */
    atomic_bool wide;        /* some tile needed more than int16 */
    pthread_mutex_t lock;    /* guards what follows; no other lock is taken under it */
    j2k_counts counts;
    j2k_notes notes;
    int64_t damaged; /* code-blocks */
} j2k_job;

/* The codec table's functions, see mtm_codec. */
mtm_status j2k_layout(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                      bool per_grid, mtm_array *planes, int32_t room, int32_t *n_planes, mtm_error *err);
mtm_status j2k_decode(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                      bool per_grid, const mtm_array *planes, int32_t n_planes, mtm_error *err);
mtm_status j2k_decode_rows(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                           mtm_rows_sink sink, void *user, mtm_error *err);

/* ---- a worker ----------------------------------------------------------------------------------------- */

typedef struct j2k_kernels {
    mtm_ht_kernels ht;
    mtm_ebcot_kernels ebcot;
    mtm_wavelet_kernels wavelet;
    mtm_color_kernels color;
    mtm_convert_kernels convert;
} j2k_kernels;

struct j2k_tile_decoder;

/* One worker's memory: nothing is allocated once it has seen a few frames of one kind. */
typedef struct j2k_reader {
    j2k_kernels k;
    j2k_plan plan;
    struct j2k_tile_decoder
        *kept; /* laid out for `plan`, of its only tile; NULL: none. Lives in tile_arena */
    j2k_arena plan_arena, call_arena, tile_arena, packet_arena, block_arena;
    void *scratch; /* of the block decoders */
    int64_t *v2;   /* a code-block with a region of interest */
} j2k_reader;

/* A worker of the context with its reader. Given back by mtm_codec_worker_give. */
mtm_status j2k_reader_take(mtm_codec_ctx *c, mtm_codec_worker **w, mtm_error *err);

static inline j2k_reader *j2k_reader_of(const mtm_codec_worker *w)
{
    return w->state;
}

/* ---- a tile ------------------------------------------------------------------------------------------- */

/* Rows of code-blocks of one band, decoded together: band rows [y0, y1) are held. */
typedef struct j2k_strip {
    const j2k_band *band;
    mtm_coef type;
    char *rows;           /* band row y0, column x0 */
    int64_t x0;           /* left edge of the first code-block's place on its grid */
    size_t stride_bytes;  /* between rows */
    size_t left_bytes;    /* from x0 to the window */
    int64_t y0, y1, last; /* last: the row that was asked for last */
    int64_t next_row;     /* of code-blocks, not yet decoded */
    bool zero;            /* all of them: `rows` is not filled */
} j2k_strip;

typedef struct j2k_component_decoder {
    struct j2k_tile_decoder *tile;
    const j2k_tile_component *tc;
    j2k_strip (*strips)[3]; /* [top + 1], as the bands */
    j2k_synthesis *synthesis;
    mtm_coef type;
    int16_t offset; /* I16 on trial only: see j2k_synthesis_offset */
} j2k_component_decoder;

/* Components whose rows are stored together. */
typedef struct j2k_group {
    int32_t n, component[4];
    j2k_rect rect; /* of the tile-components at this reduce */
    bool direct;   /* the kernel writes into the planes; else into staged rows, one per component */
    mtm_color_store store;
    ptrdiff_t pixel_stride;
    char *base[4];        /* direct: row 0 of the plane, at this tile's left edge; else the staged row */
    int64_t row_bytes[4]; /* between rows of the plane; 0 where staged */
    int64_t first[4];     /* the component's row that is row 0 of the plane */
    char *staged;         /* memory of staged rows; NULL: none yet */
} j2k_group;

/* A code-block to decode. */
typedef struct j2k_item {
    const j2k_component_decoder *component;
    const j2k_strip *strip;
    const j2k_codeblock *block;
    int32_t column, row; /* among the band's blocks */
} j2k_item;

typedef struct j2k_tile_decoder {
    j2k_job *job;
    j2k_reader *reader;
    j2k_tile tile;
    j2k_component_decoder *components; /* [tile.n_components] */
    int32_t n_groups;
    j2k_group *groups;
    mtm_coef type;   /* of the reversible components; V2: not begun */
    bool check;      /* whether int16 sufficed is to be asked */
    bool pooled;     /* strips are made for a pool */
    int64_t depth;   /* rows of code-blocks in a strip */
    void *zeros;     /* as long as the longest row */
    j2k_item *items; /* room for all that one filling may decode */
    int64_t n_items;
    char *row[2];      /* rows between stages of output.c; NULL: none yet */
    bool too_large;    /* int16 was too small: to be begun again */
    int64_t damaged;   /* code-blocks */
    mtm_status status; /* why a row could not be had */
    mtm_error err;
} j2k_tile_decoder;

/* Lays the tile out in the reader's tile arena, or takes up `kept` (of the same geometry, forgotten by j2k_tile_reset), and reads
 * its packets. */
mtm_status j2k_tile_open(j2k_tile_decoder **out, j2k_tile_decoder *kept, j2k_job *job, j2k_reader *r,
                         int64_t index, mtm_error *err);
/* Makes transforms and strips ready to give rows from the top. proven: only types that cannot be too small. Fails with
 * too_large set when int16 was. */
mtm_status j2k_tile_begin(j2k_tile_decoder *d, bool proven, mtm_error *err);
/* The next row of a group, `y` counted from rect.y0, into the planes. */
mtm_status j2k_tile_row(j2k_tile_decoder *d, const j2k_group *g, int64_t y, mtm_error *err);
/* Begins, and stores all rows into the planes. */
mtm_status j2k_tile_decode(j2k_tile_decoder *d, mtm_error *err);

/* ---- strips ------------------------------------------------------------------------------------------- */

mtm_status j2k_strips_new(j2k_tile_decoder *d, mtm_error *err);
void j2k_strips_restart(j2k_tile_decoder *d);
/* Decodes the next code-blocks of all strips of resolution r that are used up; r −1: of all resolutions. */
mtm_status j2k_strips_fill(j2k_tile_decoder *d, int32_t r, mtm_error *err);
/* j2k_synthesis_source.row; user: a j2k_component_decoder. */
const void *j2k_strip_row(void *user, int32_t resolution, int32_t band, int64_t v);

/* ---- output ------------------------------------------------------------------------------------------- */

/* Points the tile's groups at the planes, or at staged rows. Errors: MTM_E_NOMEM. */
mtm_status j2k_output_begin(j2k_tile_decoder *d, mtm_error *err);
/* Brings a group's staged row y (from rect.y0) into the planes. */
void j2k_output_row(const j2k_tile_decoder *d, const j2k_group *g, int64_t y);
/* The smallest type for precision and sign. */
mtm_dtype j2k_dtype(int32_t bits, bool is_signed);
/* Makes RGB (in dst[3]) of YCC planes in the types j2k_dtype gives, each on its own grid. Errors: MTM_E_NOMEM. */
mtm_status j2k_ycc_to_rgb(const j2k_plan *plan, const j2k_kernels *k, const mtm_decode_params *p,
                          const mtm_array *ycc, const mtm_array *dst, mtm_error *err);

#endif
