/* codec/j2k/stream.h: from bytes to code-blocks: what the reading stages offer to decode*.c, in order:
 *   once per main header:  j2k_boxes_read → j2k_header_read → j2k_channels_make → j2k_want_make
 *   per frame:             j2k_stream_open
 *   per tile:              j2k_tile_params → j2k_tile_layout → j2k_tile_packets
 *   per code-block:        j2k_block_prepare
 * Nothing here allocates but from the arenas passed in. A worker that meets a header with the key of the one
 * before keeps header, want and tiles, resets the tiles (j2k_tile_reset) and begins at j2k_stream_open.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_STREAM_H
#define MTM_J2K_STREAM_H

#include "j2k.h"

/* ---- input and warnings ------------------------------------------------------------------------------- */

typedef struct j2k_input {
    const uint8_t *data; /* the whole of what was given; offsets in errors and structures count from here */
    uint64_t size_bytes;
    uint64_t total_bytes;          /* of the file, when data is only its beginning; else 0 */
    const mtm_byte_range *present; /* what is there of it, ascending; NULL: all */
    int64_t n_present;
    bool partial; /* missing or damaged packets are left out and counted; else they are MTM_E_CORRUPT */
} j2k_input;

/* Up to where bytes are present from `offset` on; `offset` itself: not even that one. */
uint64_t j2k_input_run(const j2k_input *in, uint64_t offset);
/* Whether the bytes [offset, offset + size_bytes) are inside the input and present. */
bool j2k_input_has(const j2k_input *in, uint64_t offset, uint64_t size_bytes);

/* Warnings: the first few are kept, all are counted. Begin with {0}. NULL is allowed. */
enum { J2K_NOTES = 8, J2K_NOTE_BYTES = 120 };
typedef struct j2k_notes {
    int32_t n; /* given; min(n, J2K_NOTES) are kept */
    char text[J2K_NOTES][J2K_NOTE_BYTES];
} j2k_notes;

void j2k_note(j2k_notes *n, const char *fmt, ...) MTM_PRINTF(2, 3);

/* ---- container (boxes.c), T.800 annex I, T.814 annex D ------------------------------------------------ */

typedef enum j2k_container { J2K_CODESTREAM, J2K_JP2, J2K_JPH } j2k_container;

enum {
    J2K_CS_UNKNOWN = 0,
    J2K_CS_CMYK = 12,
    J2K_CS_CIELAB = 14,
    J2K_CS_SRGB = 16,
    J2K_CS_GRAY = 17,
    J2K_CS_SYCC = 18
};

typedef struct j2k_palette {      /* pclr, T.800 I.5.3.4 */
    int32_t n_entries, n_columns; /* n_entries 0: none */
    const uint8_t *bits;          /* [n_columns], 1 … 38 */
    const bool *is_signed;        /* [n_columns] */
    const int64_t *values;        /* [n_entries][n_columns] */
} j2k_palette;

typedef enum j2k_channel_kind {
    J2K_CHANNEL_COLOR,
    J2K_CHANNEL_OPACITY,
    J2K_CHANNEL_PREMULTIPLIED,
    J2K_CHANNEL_OTHER
} j2k_channel_kind;

typedef struct j2k_channel { /* one channel that decoding gives */
    int32_t component;       /* of the codestream */
    int32_t column;          /* of the palette; −1: the component itself */
    j2k_channel_kind kind;
} j2k_channel;

typedef struct j2k_boxes {
    j2k_container container;
    uint64_t codestream_offset, codestream_bytes; /* in the input */
    uint64_t header_offset, header_bytes;         /* jp2h; 0: none */
    uint32_t enum_cs;   /* colr: J2K_CS_… or another number of table I.10; 0: not enumerated */
    const uint8_t *icc; /* restricted or any ICC profile; NULL: none */
    uint32_t icc_bytes;
    bool has_color, has_ihdr;
    uint32_t ihdr_width, ihdr_height;
    uint16_t ihdr_components;
    uint8_t ihdr_bits; /* as stored: bits − 1, sign in bit 7; 255: they vary */
    j2k_palette palette;
    int32_t n_cmap; /* cmap, T.800 I.5.3.5 */
    const struct j2k_cmap {
        uint16_t component;
        uint8_t type, column; /* type 1: through the palette */
    } *cmap;
    int32_t n_cdef; /* cdef, T.800 I.5.3.6 */
    const struct j2k_cdef {
        uint16_t channel, type, association;
    } *cdef;
} j2k_boxes;

/* Finds the codestream: the input itself when it begins with SOC, else the first contiguous codestream
 * box. Errors: MTM_E_UNSUPPORTED (neither), MTM_E_CORRUPT. */
mtm_status j2k_boxes_read(j2k_boxes *b, const j2k_input *in, j2k_arena *arena, j2k_notes *notes,
                          mtm_error *err);
bool j2k_detect(const uint8_t *in, size_t n);

/* ---- main header (marker.c), T.800 annex A, T.814 annex A --------------------------------------------- */

typedef struct j2k_header {
    uint64_t key
        [2]; /* hash of SIZ, CAP, COD, COC, QCD, QCC, RGN, POC: what the geometry and the coding depend on */
    uint64_t offset; /* SOC */
    uint64_t end;    /* of the codestream by the container; the input's end when that is unknown */
    uint64_t sot;    /* the first SOT: end of the main header */
    bool ht;         /* some code-block may be HT (CAP) */
    j2k_size size;
    j2k_params params; /* the main header's */
    bool has_tlm, has_plm, has_ppm;
} j2k_header;

/* Only the extent and the key, without reading parameters. Errors: as j2k_header_read's. */
mtm_status j2k_header_scan(j2k_header *h, const j2k_input *in, const j2k_boxes *b, mtm_error *err);
/* Reads and checks everything. Errors: MTM_E_CORRUPT with the offset, MTM_E_UNSUPPORTED (extensions of
 * Part 2), MTM_E_LIMIT. */
mtm_status j2k_header_read(j2k_header *h, const j2k_input *in, const j2k_boxes *b, const mtm_limits *lim,
                           j2k_arena *arena, j2k_notes *notes, mtm_error *err);

/* Channels in the order of the picture: colours by association, then opacity, then the rest (cmap, cdef;
 * else the components as they are). Contradictions are warnings and the components are used. */
mtm_status j2k_channels_make(const j2k_channel **out, int32_t *n, const j2k_boxes *b, const j2k_header *h,
                             j2k_arena *arena, j2k_notes *notes, mtm_error *err);

/* Checks params' region, reduce, layers and components (channels) and says what they want of the
 * codestream. per_grid: the region counts pixels of the reference grid over 2^reduce (mtm_decode_planes);
 * else of the grid that all wanted channels share. Errors: MTM_E_INVAL. */
mtm_status j2k_want_make(j2k_want *w, const j2k_header *h, const j2k_channel *channels, int32_t n_channels,
                         const mtm_decode_params *p, bool per_grid, j2k_arena *arena, mtm_error *err);

/* ---- tile-parts (tile_part.c), T.800 A.4 -------------------------------------------------------------- */

typedef struct j2k_tile_part {
    struct j2k_tile_part *next; /* of the same tile, in the order of the codestream */
    uint64_t offset, end;       /* SOT; behind the tile-part, by what it says of itself */
    uint32_t number;            /* in the codestream */
    const uint8_t *ppm, *plm;   /* its packet headers and lengths in the main header; NULL: none there */
    uint64_t ppm_bytes, plm_bytes;
    /* From the tile-part's header, by j2k_tile_params. */
    uint64_t data_offset;   /* behind SOD; 0: the header is missing or damaged */
    const uint8_t *lengths; /* of its packets: Iplt, or Iplm; NULL: not given */
    uint64_t lengths_bytes;
    const uint8_t *
        headers; /* packed packet headers (PPT, PPM): in the first tile-part, those of the whole tile; NULL: they
                             * are in the packets */
    uint64_t headers_bytes;
} j2k_tile_part;

typedef struct j2k_stream {
    const j2k_input *in;
    const j2k_header *header;
    int64_t n_tiles;
    j2k_tile_part **tiles; /* [n_tiles], the first tile-part of each; NULL: none was there */
    int32_t n_tile_parts;
    bool truncated; /* ended inside a tile-part */
    bool has_plt, has_tlm;
    int32_t n_markers; /* kept for info only; main header and the first 4096 of the tile-parts */
    mtm_codec_marker *markers;
    uint64_t need_bytes; /* bytes of the start that would show the next tile-part, when truncated; else 0 */
} j2k_stream;

/* Finds all tile-parts, by TLM or from SOT to SOT. with_markers: also lists the markers. Errors:
 * MTM_E_CORRUPT (not when in->partial, once one tile-part was found). */
mtm_status j2k_stream_open(j2k_stream *s, const j2k_input *in, const j2k_header *h, bool with_markers,
                           j2k_arena *arena, j2k_notes *notes, mtm_error *err);

/* Reads the headers of the tile's tile-parts; before j2k_tile_packets, from an arena that lives as long.
 * *out: what holds for the tile: the main header's params themselves when no tile-part header changes
 * them, else a changed copy. A tile-part whose header is not there is left out (its packets are then
 * missing). Errors: MTM_E_CORRUPT (in->partial: left out, too), MTM_E_UNSUPPORTED. */
mtm_status j2k_tile_params(const j2k_params **out, const j2k_stream *s, int64_t index, j2k_arena *arena,
                           j2k_notes *notes, mtm_error *err);

/* ---- packets (packet.c), T.800 B.9, B.10, T.814 annex B ----------------------------------------------- */

/* What the packets of the wanted part were like; added up over tiles. Begin with {.reduce = want.reduce}. */
typedef struct j2k_counts {
    bool incomplete;     /* something wanted was missing or damaged */
    int32_t reduce;      /* reduce at which all was there; −1: not even the lowest resolution */
    uint64_t bytes_used; /* up to the last byte that was used (an offset in the input) */
    int64_t packets, packets_skipped;
    int64_t blocks, blocks_coded; /* code-blocks inside the windows; with data */
} j2k_counts;

/* Reads the tile's packets and hangs their bytes onto its code-blocks. `arena` may be reset once the
 * tile's blocks are no longer used, and need not be the layout's. Errors: MTM_E_CORRUPT with the offset
 * unless in->partial. */
mtm_status j2k_tile_packets(j2k_tile *t, const j2k_stream *s, const j2k_want *want, j2k_counts *counts,
                            j2k_arena *arena, j2k_notes *notes, mtm_error *err);
/* Instead of reading: which bytes j2k_tile_packets would need of the tile. add: false: out of memory. */
typedef struct j2k_range_sink {
    bool (*add)(void *user, uint64_t offset, uint64_t end);
    void *user;
    bool exact;          /* in and out: as mtm_j2k_ranges */
    uint64_t need_bytes; /* in and out: the largest of all tiles */
} j2k_range_sink;
mtm_status j2k_tile_ranges(j2k_tile *t, const j2k_stream *s, const j2k_want *want, j2k_range_sink *sink,
                           j2k_arena *arena, mtm_error *err);
/* Forgets what packets said, so that the same geometry can be read again: for a frame with the same
 * header. */
void j2k_tile_reset(j2k_tile *t);

/* Code-block `column`, `row` of the band's blocks (counted from block_x0, block_y0): its rectangle in band
 * coordinates, which may reach beyond the window but not beyond the band. */
j2k_rect j2k_block_rect(const j2k_band *b, int64_t column, int64_t row);

/* Fills *out for the block decoders but for type, dst and stride: segments, passes, planes (regions of
 * interest included), placeholder passes folded in, the last whole HT set picked, width and height of
 * j2k_block_rect. Bytes are used where they lie, or gathered when they are in pieces or too near to the
 * input's ends. out->n_passes 0: all zero. The arena may be reset once the block is decoded. partial: what
 * breaks the rules makes a block of zeros with status CORRUPT; else it is MTM_E_CORRUPT. */
mtm_status j2k_block_prepare(mtm_block *out, const j2k_tile_component *tc, const j2k_band *b, int64_t column,
                             int64_t row, const j2k_input *in, j2k_arena *arena, mtm_error *err);

/* ---- info (info.c) ------------------------------------------------------------------------------------ */

/* The codec table's info. */
mtm_status j2k_info_new(mtm_codec_info **out, const uint8_t *data, size_t size_bytes, const mtm_limits *lim,
                        mtm_error *err);
void j2k_info_free(mtm_codec_info *i);

#endif
