/* codec/j2k/j2k.h: the structures that the stages of the JPEG 2000 codec hand on, in the order of the flow:
 *   boxes.c → marker.c (main header) → tile_part.c → geometry.c → progression.c → packet.c → decode*.c
 * and, writing, encode*.c over the same geometry. Coordinates are T.800 annex B's; rectangles are half open.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_J2K_H
#define MTM_J2K_J2K_H

#include "arena.h"
#include "codec/codec.h"
#include "kernel/block.h"

enum { J2K_MAX_LEVELS = 32, J2K_MAX_COMPONENTS = 16384, J2K_MAX_TILES = 65535, J2K_MAX_LAYERS = 65535 };

typedef struct j2k_rect {
    int64_t x0, y0, x1, y1; /* empty: x1 ≤ x0 or y1 ≤ y0 */
} j2k_rect;

/* ---- main header (marker.c) --------------------------------------------------------------------------- */

typedef struct j2k_component_size { /* SIZ, T.800 A.5.1 */
    uint8_t bits, dx, dy;
    bool is_signed;
} j2k_component_size;

typedef struct j2k_size {
    uint16_t rsiz;
    j2k_rect image, tile; /* tile: the first one, unclipped: XTOsiz … */
    int64_t tiles_x, tiles_y;
    int32_t n_components;
    j2k_component_size *components;
} j2k_size;

typedef struct j2k_coding {           /* SPcod, SPcoc: T.800 A.6.1, T.814 A.3 */
    uint8_t levels, block_w, block_h; /* log2 of the nominal code-block */
    uint8_t style;                    /* MTM_BLOCK_… */
    bool reversible;
    uint8_t precinct_w[J2K_MAX_LEVELS + 1], precinct_h[J2K_MAX_LEVELS + 1]; /* log2, by resolution */
} j2k_coding;

typedef struct j2k_quant { /* QCD, QCC: T.800 A.6.4 */
    uint8_t style, guard;  /* style 0: none (reversible), 1: derived, 2: expounded */
    uint8_t n;             /* entries given */
    uint8_t exponent[3 * J2K_MAX_LEVELS + 1];
    uint16_t mantissa[3 * J2K_MAX_LEVELS + 1];
} j2k_quant;

typedef struct j2k_component_params {
    j2k_coding coding;
    j2k_quant quant;
    uint8_t roi_shift; /* RGN, T.800 A.6.3; 0: none */
} j2k_component_params;

typedef struct j2k_order { /* one progression: COD's, or one of POC's (T.800 A.6.6) */
    uint8_t progression;   /* 0 LRCP, 1 RLCP, 2 RPCL, 3 PCRL, 4 CPRL */
    uint8_t res0, res1;    /* [res0, res1) */
    uint16_t comp0, layer1;
    uint32_t comp1;
} j2k_order;

typedef struct j2k_params { /* what holds for a tile; the main header's is the default */
    uint8_t progression;
    bool sop, eph, mct;
    uint16_t layers;
    int32_t n_orders; /* from POC; 0: one, of COD */
    j2k_order *orders;
    j2k_component_params *components;
} j2k_params;

/* ---- geometry (geometry.c), T.800 annex B ------------------------------------------------------------- */

/* One contribution of a packet to a code-block. */
typedef struct j2k_piece {
    struct j2k_piece *next;
    const uint8_t *data; /* into the codestream */
    uint32_t size_bytes;
    uint16_t n_passes;
    bool opens; /* begins a codeword segment */
} j2k_piece;

/* A code-block inside its band's window, and what the packets said of it. */
typedef struct j2k_codeblock {
    j2k_piece *first, *last; /* NULL: not included, all zero */
    uint16_t n_passes;
    uint8_t zero_planes;  /* P */
    bool ht;              /* else EBCOT */
    bool damaged;         /* its packets broke the rules (partial decoding) */
    uint32_t total_bytes; /* of its pieces */
} j2k_codeblock;

typedef struct j2k_band {
    uint8_t orient;   /* MTM_BAND_… */
    uint8_t n_planes; /* Mb, T.800 equation E-2; regions of interest not counted */
    float step;       /* Δb, T.800 equation E-3; reversible: 1 */
    j2k_rect full;    /* tbx0 … in band coordinates, T.800 equation B-15 */
    j2k_rect win;     /* the part that is reconstructed */
    /* Blocks that meet win: columns [block_x0, block_x0 + blocks_wide) and rows … of the grid anchored at 0; row by row. */
    int64_t block_x0, block_y0, blocks_wide, blocks_high;
    uint8_t block_w,
        block_h; /* log2 of the code-block, after clipping by the precinct (equations B-17, B-18) */
    j2k_codeblock *blocks;
} j2k_band;

typedef struct j2k_resolution {
    j2k_rect full; /* trx0 …, T.800 equation B-14 */
    j2k_rect need; /* what the next level, or the caller, asks for */
    j2k_rect
        made; /* what synthesis makes to have `need` right: wider by the filter's reach, inside full. r = 0: need */
    uint8_t precinct_w, precinct_h;         /* log2 */
    int64_t precincts_wide, precincts_high; /* T.800 equation B-16; 0 where empty */
    int32_t n_bands;                        /* 1 (r = 0: LL) or 3 (HL, LH, HH) */
    j2k_band bands[3];
    struct j2k_precinct **precincts; /* packet.c's; made when first met */
} j2k_resolution;

typedef struct j2k_tile_component {
    j2k_rect full; /* tcx0 …, T.800 equation B-12 */
    const j2k_component_params *params;
    int32_t levels; /* NL */
    int32_t top;    /* resolution that is reconstructed: levels − reduce; −1: component not wanted */
    bool wanted;
    j2k_resolution *resolutions; /* [levels + 1] */
} j2k_tile_component;

typedef struct j2k_tile {
    int64_t index;
    j2k_rect full; /* on the reference grid */
    const j2k_params *params;
    int32_t n_components;
    j2k_tile_component *components;
} j2k_tile;

/* What is wanted of an image. */
typedef struct j2k_want {
    j2k_rect region; /* on the reference grid; what covers it in a component follows from equation B-12 */
    bool whole;      /* the region is the image */
    int32_t reduce, layers; /* layers 0: all */
    const bool *components; /* [n_components], NULL: all */
} j2k_want;

/* Window of component c, at reduce, that `region` covers: ⌈x / (dx · 2^reduce)⌉ (equations B-12, B-14). */
j2k_rect j2k_component_rect(const j2k_size *s, int32_t c, int32_t reduce, j2k_rect region);
j2k_rect j2k_tile_rect(const j2k_size *s, int64_t index); /* equations B-7 … B-11 */

/* The geometry of a tile: rectangles, windows, bands, precinct counts; arrays from the arena, blocks zeroed. `want` NULL:
 * all, as the encoder needs it. Errors: MTM_E_LIMIT (more code-blocks or precincts than `bytes`, the codestream's length,
 * can fill, or lim allows), MTM_E_NOMEM. */
mtm_status j2k_tile_layout(j2k_tile *t, const j2k_size *s, const j2k_params *p, int64_t index,
                           const j2k_want *want, uint64_t bytes, const mtm_limits *lim, j2k_arena *arena,
                           mtm_error *err);

/* ---- progression (progression.c), T.800 B.12 ---------------------------------------------------------- */

typedef struct j2k_packet_id {
    int32_t component, resolution, layer;
    int64_t precinct; /* k: number in raster order */
} j2k_packet_id;

/* Walks a tile's packets in the order of its progressions, each packet once. */
typedef struct j2k_walk j2k_walk;
mtm_status j2k_walk_new(j2k_walk **out, const j2k_tile *t, const j2k_size *s, j2k_arena *arena,
                        mtm_error *err);
bool j2k_walk_next(j2k_walk *w, j2k_packet_id *id); /* false: that was the last one */

#endif
