/* kernel/block.h: what the block coders (ht.h, ebcot.h) take and give: one code-block's coefficients and its bytes.
 * Sits below codec/j2k, which finds the bytes in packets and owns the rows of a subband.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_BLOCK_H
#define MTM_KERNEL_BLOCK_H

#include "base/error.h"

/* Element of a subband's rows. Quantiser indices q have sign and magnitude; a decoder that stopped at bit-plane p knows
 * |q| up to the middle of [m·2^p, (m + 1)·2^p), so v2 = (2m + 1)·2^p holds it in half units (T.800 E.1.1.2, r = ½); a
 * coefficient of which no bit was decoded as 1 is 0. */
typedef enum mtm_coef {
    MTM_COEF_I16, /* v2 >> 1, sign applied: exact for reversible coding at p = 0; the caller proves that it fits */
    MTM_COEF_I32, /* the same; fits for n_planes ≤ 31 */
    MTM_COEF_I64, /* the same, any depth */
    MTM_COEF_F32, /* v2 · 0.5 · step, rounded once from the exact v2 · 0.5 where that fits 24 bits */
    MTM_COEF_V2 /* int64: v2 itself, sign applied; for regions of interest, which shift it (T.800 annex H) */
} mtm_coef;

/* Bytes of a coefficient. */
static inline size_t mtm_coef_bytes(mtm_coef type)
{
    return type == MTM_COEF_I16 ? 2 : type == MTM_COEF_I64 || type == MTM_COEF_V2 ? 8 : 4;
}

enum {
    MTM_BLOCK_MAX_SIDE = 1024,
    MTM_BLOCK_MAX_SAMPLES = 4096, /* T.800 table A.18: xcb + ycb ≤ 12 */
    MTM_BLOCK_PAD = 64, /* readable bytes before and after a block's data; their values do not matter */
    MTM_BLOCK_MAX_PLANES =
        38 /* magnitude bit-planes: T.800 equation E-2 with 7 guard bits and exponent 31, and RCT */
};

/* Code-block style, T.800 table A.19 and T.814 table A.4. */
enum {
    MTM_BLOCK_BYPASS = 1,       /* selective arithmetic coding bypass */
    MTM_BLOCK_RESET = 2,        /* context probabilities reset at each pass */
    MTM_BLOCK_TERMALL = 4,      /* termination on each coding pass */
    MTM_BLOCK_CAUSAL = 8,       /* vertically causal contexts */
    MTM_BLOCK_PREDICTABLE = 16, /* predictable termination */
    MTM_BLOCK_SEGSYM = 32,      /* segmentation symbols */
    MTM_BLOCK_HT = 64,          /* high throughput */
    MTM_BLOCK_HT_MIXED = 128    /* with HT: each block is one or the other */
};

/* Orientation of a subband; the number is also the order in a packet. */
enum { MTM_BAND_LL = 0, MTM_BAND_HL = 1, MTM_BAND_LH = 2, MTM_BAND_HH = 3 };

/* One codeword segment: bytes that its passes share (T.800 D.4, T.814 7.1). */
typedef struct mtm_segment {
    uint32_t size_bytes;
    uint16_t n_passes;
} mtm_segment;

typedef enum mtm_block_status {
    MTM_BLOCK_OK = 0,
    MTM_BLOCK_CORRUPT, /* the bytes break the coding rules; dst holds defined but meaningless values */
    MTM_BLOCK_TOO_LARGE /* a coefficient does not fit dst's type (I16 only); dst as above, so decode into a wider one */
} mtm_block_status;

/* One code-block to decode. Everything outside `status` is input. Decoders are defined on any bytes. */
typedef struct mtm_block {
    const uint8_t
        *data; /* the segments' bytes, one after the other, MTM_BLOCK_PAD more readable on both sides */
    const mtm_segment *segments;
    int32_t n_segments;    /* HT: 1 (cleanup) or 2 (cleanup, then SigProp and MagRef together); 0: all zero */
    int32_t n_passes;      /* of all segments; HT: 1 … 3; 0: all zero */
    int32_t width, height; /* ≥ 1; sides ≤ MTM_BLOCK_MAX_SIDE, product ≤ MTM_BLOCK_MAX_SAMPLES */
    int32_t n_planes;      /* EBCOT: Mb − P: the first pass is the cleanup of bit-plane n_planes − 1.
                            * HT: P + 1: bit-planes that the cleanup pass may give (P with its placeholder passes) */
    int32_t plane;         /* HT: p = Mb − 1 − P, the bit-plane of the cleanup pass, ≥ 0. EBCOT: unused */
    uint8_t style;         /* MTM_BLOCK_… */
    uint8_t band;          /* MTM_BAND_…: EBCOT's contexts depend on it */
    uint8_t type;          /* mtm_coef */
    float step;            /* F32 only: the quantiser's step (T.800 equation E-3) */
    void *dst;             /* element [0, 0]; the whole rectangle is written, zeros included */
    ptrdiff_t stride;      /* elements of dst between rows */
    mtm_block_status status;
} mtm_block;

/* One coded pass, for the encoders' rate control. */
typedef struct mtm_pass {
    uint32_t size_bytes; /* of the codeword up to the end of this pass: a truncation length that decodes it */
    float distortion;    /* squared error, in squared quantiser steps, that the passes so far take away */
} mtm_pass;

/* One code-block to encode. */
typedef struct mtm_block_input {
    const void *src;       /* element [0, 0]: I16, I32, I64 (reversible: coefficients), or F32 */
    ptrdiff_t stride;      /* elements between rows */
    int32_t width, height; /* as in mtm_block */
    uint8_t style, band, type;
    float inverse_step; /* F32: q = sign · floor(|x| · inverse_step) (T.800 equation E-1) */
    int32_t n_planes; /* Mb: bit-planes of the subband; a magnitude that needs more makes status TOO_LARGE */
    uint8_t *out;     /* room_bytes of room; mtm_ht_encode_bound, mtm_ebcot_encode_bound */
    uint32_t room_bytes;
    mtm_pass
        *passes; /* EBCOT: room for 3 · MTM_BLOCK_MAX_PLANES; NULL: neither lengths nor distortions wanted */
    /* Results. A block of zeros has n_passes 0 and size_bytes 0. */
    uint32_t size_bytes;
    int32_t n_passes;
    int32_t zero_planes; /* P, for the packet header */
    mtm_block_status status;
} mtm_block_input;

#endif
