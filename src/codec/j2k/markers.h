/* codec/j2k/markers.h: marker segments as marker.c, tile_part.c, info.c and ranges.c share them. T.800 annex
 * A.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_MARKERS_H
#define MTM_J2K_MARKERS_H

#include "base/reader.h"
#include "stream.h"

enum { /* T.800 table A.2, T.801 table A.2, T.814 table A.1 */
       J2K_SOC = 0xFF4F,
       J2K_CAP = 0xFF50,
       J2K_SIZ = 0xFF51,
       J2K_COD = 0xFF52,
       J2K_COC = 0xFF53,
       J2K_TLM = 0xFF55,
       J2K_PLM = 0xFF57,
       J2K_PLT = 0xFF58,
       J2K_CPF = 0xFF59,
       J2K_QCD = 0xFF5C,
       J2K_QCC = 0xFF5D,
       J2K_RGN = 0xFF5E,
       J2K_POC = 0xFF5F,
       J2K_PPM = 0xFF60,
       J2K_PPT = 0xFF61,
       J2K_CRG = 0xFF63,
       J2K_COM = 0xFF64,
       J2K_SOT = 0xFF90,
       J2K_SOP = 0xFF91,
       J2K_EPH = 0xFF92,
       J2K_SOD = 0xFF93,
       J2K_EOC = 0xFFD9
};

enum {
    J2K_SOT_BYTES = 12,
    J2K_MAX_ORDERS = 128,  /* progressions of one tile; more than any use, and a bound on work without data */
    J2K_MAX_ROI_SHIFT = 74 /* so that Mb + s stays in one byte: twice the largest Mb */
};

/* What a marker is, by its code. */
typedef struct j2k_marker_rule {
    uint16_t code;
    char name[4];
    uint8_t where;  /* J2K_IN_MAIN, J2K_IN_TILE_PART */
    uint8_t traits; /* J2K_HAS_…, J2K_KEYED, J2K_REFUSED */
} j2k_marker_rule;

enum { J2K_IN_MAIN = 1, J2K_IN_TILE_PART = 2 };
enum {
    J2K_KEYED = 1,  /* the geometry or the coding depends on it: part of the header's key */
    J2K_REFUSED = 2 /* an extension of T.801 that changes samples and is not decoded */
};

/* NULL: no marker that is known. */
const j2k_marker_rule *j2k_marker_rule_of(uint16_t code);

typedef struct j2k_segment {
    uint16_t code;
    uint64_t offset;     /* of the marker, in the input */
    uint32_t size_bytes; /* marker and segment */
    mtm_reader body;     /* behind the length */
} j2k_segment;

/* The marker segment at *at, which moves behind it; markers without a segment (table A.1: FF30 … FF3F,
 * SOD, SOC, EOC) have an empty body. Errors: MTM_E_CORRUPT. */
mtm_status j2k_segment_next(j2k_segment *out, const j2k_input *in, uint64_t *at, uint64_t end,
                            mtm_error *err);

static inline uint16_t j2k_u16_at(const j2k_input *in, uint64_t offset)
{
    return (uint16_t)(in->data[offset] << 8 | in->data[offset + 1]);
}

static inline uint32_t j2k_u32_at(const j2k_input *in, uint64_t offset)
{
    return (uint32_t)j2k_u16_at(in, offset) << 16 | j2k_u16_at(in, offset + 2);
}

/* Parameters while the marker segments of one header, main or tile-part, are applied to them. Tile-part
 * headers: COD and QCD there override COC and QCC of the main header (T.800 A.6.1, A.6.4). */
typedef struct j2k_params_reader {
    const j2k_size *size;
    j2k_params *params;
    uint8_t *seen; /* [n_components]: J2K_KEYED markers seen for a component by itself */
    uint32_t seen_once;
    bool tile;         /* a tile-part header's */
    bool orders_fresh; /* the next POC replaces what the main header said */
    j2k_arena *arena;
    j2k_notes *notes;
} j2k_params_reader;

/* Applies COD, COC, QCD, QCC, RGN or POC; other markers are left alone. */
mtm_status j2k_params_apply(j2k_params_reader *r, j2k_segment *s, mtm_error *err);
/* What can only be checked when all is read: entries of quantisers, precincts, the component transform. */
mtm_status j2k_params_check(j2k_params *p, const j2k_size *s, uint64_t offset, j2k_notes *notes,
                            mtm_error *err);

#endif
