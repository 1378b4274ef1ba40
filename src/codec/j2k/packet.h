/* codec/j2k/packet.h: a packet's header, between packet_header.c (bits) and packet.c (which packets, which
 * bytes).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_PACKET_H
#define MTM_J2K_PACKET_H

#include "stream.h"

/* Tag trees of one shape (T.800 B.10.2): level 0 is the code-blocks, the last one the root. */
enum { J2K_TREE_LEVELS = 15 }; /* precincts of 2^15 samples, code-blocks of 2^2: 2^13 on a side */
typedef struct j2k_tree_shape {
    int32_t levels;
    int32_t wide[J2K_TREE_LEVELS], offset[J2K_TREE_LEVELS];
    int32_t n_nodes;
} j2k_tree_shape;

typedef struct j2k_tree_node {
    uint16_t low; /* the value is at least this */
    bool known;   /* and no more */
} j2k_tree_node;

/* What a code-block's packets so far leave for the next one. */
typedef struct j2k_block_state {
    uint16_t n_passes;
    uint8_t lblock;
    uint8_t mode; /* J2K_BLOCK_… */
} j2k_block_state;

enum {
    J2K_BLOCK_NEW = 0,   /* not included yet */
    J2K_BLOCK_UNDECIDED, /* HT style: placeholder passes only, so far (T.814 annex B) */
    J2K_BLOCK_HT,
    J2K_BLOCK_EBCOT
};

typedef struct j2k_precinct_band {
    int64_t block_x, block_y; /* number of the first code-block in the band's grid */
    int32_t wide, high;       /* code-blocks; 0: none */
    j2k_tree_shape shape;
    j2k_tree_node *inclusion, *zero_planes;
    j2k_block_state *blocks;
} j2k_precinct_band;

typedef struct j2k_precinct {
    bool broken; /* a packet of it was missing or damaged, so later ones cannot be read */
    int32_t n_bands;
    int64_t n_blocks;  /* code-blocks of all bands */
    size_t size_bytes; /* of the memory that j2k_precinct_begin needs */
    j2k_precinct_band bands[3];
} j2k_precinct;

/* The shape of precinct k. */
void j2k_precinct_shape(j2k_precinct *s, const j2k_resolution *res, int64_t k);
/* Gives a shaped precinct its memory, as before its first packet. */
void j2k_precinct_begin(j2k_precinct *s, void *memory);

/* Bytes that a packet brings to a code-block, all within one codeword segment. */
typedef struct j2k_contribution {
    j2k_codeblock *block; /* NULL: not wanted */
    uint32_t size_bytes;
    uint16_t n_passes;
    uint8_t mode;
    bool opens;
} j2k_contribution;

typedef struct j2k_packet_header {
    j2k_contribution *list; /* in the order of the body; grows */
    int64_t n, room;
    uint64_t body_bytes;
    const uint8_t *end; /* behind the header, EPH included */
    j2k_arena *arena;
    bool out_of_memory;
} j2k_packet_header;

/* Reads the header in [p, end) of the packet of `layer` and precinct s (T.800 B.10). keep: contributions
 * name the code-blocks of the window. s may be NULL where the first bit says that the packet is empty.
 * NULL: read; else what is wrong, and *overrun: the bytes ended. */
const char *j2k_packet_header_read(j2k_packet_header *h, const j2k_tile_component *tc,
                                   const j2k_resolution *res, j2k_precinct *s, int32_t layer, bool keep,
                                   const uint8_t *p, const uint8_t *end, bool *overrun);

#endif
