/* codec/j2k/encode.h: what the writing stages hand on, in the order of the flow:
 *   encode.c (entry, tile by tile) → encode_plan.c (checked parameters) → encode_quant.c (exponents and steps) →
 *   encode_marker.c (main header) → per tile: encode_fit.c (range of the pixels) → encode_tile.c (rows → subbands) →
 *   encode_block.c (code-blocks) → rate.c (layers) → encode_packet.c (packet headers) → encode_part.c (tile-parts);
 *   encode_boxes.c goes around it all.
 * The geometry, the order of packets and the parameters are j2k.h's, as when reading.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_ENCODE_H
#define MTM_J2K_ENCODE_H

#include "analysis.h"
#include "base/pool.h"
#include "kernel/kernels.h"
#include "stream.h"

/* ---- the plan (encode_plan.c) ------------------------------------------------------------------------- */

/* What a call asks for, checked; lives in the encoder's plan arena. */
typedef struct j2k_encode_plan {
    j2k_size size;
    j2k_params params; /* of all tiles */
    bool ht, lossy;
    bool by_resolution; /* one tile-part per resolution */
    bool plt, tlm;
    int32_t tile_parts;  /* per tile */
    double rate;         /* most bits per pixel; 0: not limited */
    const char *comment; /* "": none */
    j2k_container container;
    uint32_t enum_cs; /* colr: J2K_CS_… */
    const mtm_array *planes;
    const mtm_kernels *kernels;
    const struct j2k_range *ranges; /* of each plane's pixels */
} j2k_encode_plan;

/* The pixels of a plane; or of its precision, where looking closer would change nothing. Empty: lo > hi. */
typedef struct j2k_range {
    int64_t lo, hi;
} j2k_range;

/* The range of n planes together; one without pixels counts as its precision. */
j2k_range j2k_encode_range(const j2k_encode_plan *plan, int32_t first, int32_t n);
/* Errors: MTM_E_INVAL (names the first pixel that its precision does not hold). */
mtm_status j2k_encode_look(j2k_range *seen, const j2k_encode_plan *plan, int32_t plane, mtm_error *err);

/* Checks everything. Errors: MTM_E_INVAL, MTM_E_UNSUPPORTED (element type), MTM_E_NOMEM. */
mtm_status j2k_encode_plan_make(j2k_encode_plan *plan, const mtm_array *planes, int32_t n_planes,
                                const mtm_encode_params *p, const mtm_kernels *k, j2k_arena *arena,
                                mtm_error *err);

/* ---- quantisation (encode_quant.c), T.800 annex E ------------------------------------------------------ */

/* At which levels (1 the finest) some tile-component has a single column or row, with an odd coordinate: its coefficients are
 * twice its samples. */
typedef struct j2k_singles {
    bool x[J2K_MAX_LEVELS + 1], y[J2K_MAX_LEVELS + 1];
} j2k_singles;

void j2k_singles_add(j2k_singles *s, int32_t levels, j2k_rect tile_component);

/* Exponents for the reversible path: the fewest magnitude bit-planes that no image of `bits` (one more where rct) can
 * exceed whose samples differ by less than 2^spread. */
void j2k_quant_reversible(j2k_quant *q, int32_t levels, const j2k_singles *s, int32_t bits, int32_t spread,
                          bool rct);
/* Steps for the irreversible path that make every subband's error weigh the same in the picture: base, a fraction of
 * the nominal range, over the norm of the subband's synthesis. Errors: MTM_E_INVAL (so small or large that an exponent does not
 * hold it). */
mtm_status j2k_quant_irreversible(j2k_quant *q, int32_t levels, const j2k_singles *s, double base,
                                  mtm_error *err);
/* The base step of a quality of 1 … 100 at this precision. */
double j2k_quality_step(double quality, int32_t bits);
/* B of T.814 8.7.3, which bounds the magnitudes, as Ccap15 says it. */
int32_t j2k_magnitude_bound(const j2k_quant *q, int32_t levels, bool reversible);
/* Bound of a coefficient's magnitude over all subbands of this orientation (LL: at all levels, and the samples), for 5/3 and
 * samples in [lo, hi]. */
double j2k_reversible_bound(int32_t levels, int32_t orient, const j2k_singles *s, double lo, double hi);
/* Norm of the synthesis waveform of a subband: the root of the squared error in the picture per squared error in a
 * coefficient. level: 1 the finest. */
double j2k_synthesis_norm(bool reversible, int32_t level, int32_t orient);

/* ---- a tile ------------------------------------------------------------------------------------------- */

/* A code-block behind its coder. */
typedef struct j2k_coded {
    const uint8_t *data;    /* its codewords, in the encoder's `coded` */
    const mtm_pass *passes; /* [n_passes]; NULL where nobody asks (HT; one layer and one codeword) */
    uint16_t *ends;         /* [layers]: passes up to each layer's end; NULL: all in the first */
    uint32_t size_bytes;
    uint16_t n_passes; /* 0: all zero, no data */
    uint8_t zero_planes;
} j2k_coded;

/* One row of a subband's code-blocks, being filled or being coded. */
typedef struct j2k_encode_strip {
    uint8_t *rows; /* row v of the band at (v − first_row) · stride_bytes */
    int64_t first_row;
    mtm_group group;               /* tasks that still read it */
    struct j2k_encode_strip *next; /* encode_block.c's */
    bool submitted;
} j2k_encode_strip;

/* A subband on its way: rows are collected in a strip, which is coded, and its memory used again. */
typedef struct j2k_encode_band {
    const j2k_band *band;
    mtm_coef type;
    float inverse_step;
    double weight; /* squared error of the picture per squared quantiser step */
    size_t stride_bytes;
    j2k_encode_strip *strips; /* two with a pool, so that one is filled while the other one is coded */
    int32_t filling;
    j2k_coded *blocks; /* [blocks_high][blocks_wide] */
} j2k_encode_band;

/* How a tile-component goes through the transform (encode_fit.c). */
typedef struct j2k_fit {
    mtm_coef type;
    int16_t offset; /* I16: is added to the samples; LL is then int32 (j2k_analysis_offset) */
    bool if_hh;     /* I16: only if every HH coefficient is within MTM_WAVELET_LEAST16 … MOST16 */
} j2k_fit;

typedef struct j2k_encode_component {
    const j2k_tile_component *tc;
    j2k_fit fit;
    uint8_t style;
    j2k_encode_band (*bands)[3];             /* by resolution */
    struct j2k_packet_precinct ***precincts; /* by resolution and number: encode_packet.c's */
} j2k_encode_component;

typedef struct j2k_encode_tile {
    j2k_tile tile;
    j2k_encode_component *components;
    struct j2k_packets *packets; /* encode_part.c's */
    int32_t round;               /* of j2k_packets_make */
} j2k_encode_tile;

/* One call. */
typedef struct j2k_encoder {
    const j2k_encode_plan *plan;
    const mtm_kernels *kernels;
    mtm_pool *pool;
    j2k_arena *arena; /* of the tile at hand */
    j2k_arena *coded; /* of its coded blocks; used by tasks in the pool, under encode_block.c's lock */
    mtm_bytes *out;
    size_t codestream_at; /* SOC, in out */
    size_t header_bytes;  /* boxes and main header */
    size_t tlm_at;        /* the first TLM segment, in out */
    int64_t tlm_written;  /* tile-parts */
    struct j2k_block_coder *blocks;
} j2k_encoder;

/* The tile-component's part of plane i (encode_fit.c). */
mtm_array j2k_tile_plane(const j2k_encoder *e, const j2k_tile_component *tc, int32_t i);

/* The narrowest type for n components that are transformed together. */
j2k_fit j2k_encode_fit(const j2k_encode_plan *plan, const j2k_tile *t, int32_t first, int32_t n);

/* Pixels → subbands → coded blocks (encode_tile.c). Errors: MTM_E_INVAL (a pixel beyond its precision), MTM_E_NOMEM. */
mtm_status j2k_encode_tile_blocks(j2k_encoder *e, j2k_encode_tile *t, mtm_error *err);

/* ---- code-blocks (encode_block.c) --------------------------------------------------------------------- */

typedef struct j2k_block_coder j2k_block_coder;

mtm_status j2k_block_coder_new(j2k_block_coder **out, const j2k_encoder *e, const j2k_encode_tile *t,
                               mtm_error *err);
void j2k_block_coder_end(j2k_block_coder *c);             /* waits; before the arena is reset */
int32_t j2k_block_coder_strips(const j2k_block_coder *c); /* that a band needs */
/* Takes row number `row` (counted from block_y0) of the band's code-blocks, whose coefficients fill the strip at hand, and
 * makes a strip free for the next row. Coding may go on in the pool. */
mtm_status j2k_block_coder_row(j2k_block_coder *c, const j2k_encode_component *component,
                               j2k_encode_band *band, int64_t row, mtm_error *err);
/* Returns when all rows are coded. */
mtm_status j2k_block_coder_finish(j2k_block_coder *c, mtm_error *err);

/* ---- layers (rate.c) ---------------------------------------------------------------------------------- */

/* Says which passes of the tile's blocks go into which layer, so that the tile needs at most budget_bytes (0: not limited).
 * Errors: MTM_E_INVAL (not even empty packets fit). */
mtm_status j2k_rate_allocate(j2k_encoder *e, j2k_encode_tile *t, uint64_t budget_bytes, mtm_error *err);

/* ---- packets (encode_packet.c), T.800 B.10 ------------------------------------------------------------- */

/* Bits of packet headers, with a 0 stuffed after each byte 0xFF (T.800 B.10.1), growing in an arena. */
typedef struct j2k_header_bits {
    j2k_arena *arena;
    uint8_t *data;
    size_t size_bytes, room_bytes;
    uint32_t byte; /* being filled, with its bits left to fill */
    int32_t left;
    bool failed; /* memory was out */
} j2k_header_bits;

/* Appends the header of a packet to `bits`; *body_bytes: what the packet's blocks add behind it. Packets of a precinct come
 * in the order of their layers. */
mtm_status j2k_packet_header(j2k_encoder *e, j2k_encode_tile *t, const j2k_packet_id *id,
                             j2k_header_bits *bits, uint64_t *body_bytes, mtm_error *err);
/* Copies the packet's body to `to`; gives its end. */
uint8_t *j2k_packet_body(const j2k_encode_tile *t, const j2k_packet_id *id, uint8_t *to);

/* ---- tile-parts (encode_part.c) and markers (encode_marker.c) ------------------------------------------ */

typedef struct j2k_packets j2k_packets;

/* The tile's packets in the order of the progression, with their headers, by the layers that hold now: may be called again when
 * those changed. */
mtm_status j2k_packets_make(j2k_encoder *e, j2k_encode_tile *t, mtm_error *err);
/* Of all tile-parts as they would be written. */
uint64_t j2k_tile_parts_bytes(const j2k_encoder *e, const j2k_encode_tile *t);
mtm_status j2k_encode_tile_parts(j2k_encoder *e, j2k_encode_tile *t, mtm_error *err);

mtm_status j2k_write_main_header(j2k_encoder *e, mtm_error *err);
void j2k_write_tlm_entry(j2k_encoder *e, int64_t tile, uint32_t bytes); /* of the next tile-part */

/* ---- container (encode_boxes.c), T.800 annex I, T.814 annex D ------------------------------------------- */

/* Everything up to the codestream, and once it is there, its length. */
mtm_status j2k_write_boxes(j2k_encoder *e, mtm_error *err);
void j2k_close_boxes(j2k_encoder *e);

/* Big endian numbers at the end of b, which has room. */
static inline void j2k_put(mtm_bytes *b, uint64_t value, int32_t bytes)
{
    for (int32_t i = bytes - 1; i >= 0; i--)
        b->data[b->size_bytes++] = (uint8_t)(value >> 8 * i);
}

/* ---- entry (encode.c) ---------------------------------------------------------------------------------- */

/* The codec table's encode. */
mtm_status j2k_encode(mtm_codec_ctx *c, const mtm_array *planes, int32_t n_planes, const mtm_encode_params *p,
                      mtm_bytes *out, mtm_error *err);

#endif
