/* microtome/codec.h: compressed bytes ↔ arrays, in memory: JPEG 2000 (T.800), HTJ2K (T.814), JPEG
 * (T.81), JPEG-LS (T.87), and DICOM's RLE (PS3.5 G) and deflated frames (PS3.5 A.4.13).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_CODEC_H
#define MICROTOME_CODEC_H

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- contexts ----------------------------------------------------------------------------------------- */

/* Keeps, for as many workers as ran at once, the geometry of the last header and the scratch memory, so that steady state
 * allocates nothing. Thread-safe; any number of calls may share one. Not usable across fork by running calls. */
typedef struct mtm_codec_ctx mtm_codec_ctx;

MTM_API mtm_status mtm_codec_ctx_new(mtm_codec_ctx **out, mtm_error *err);
MTM_API void mtm_codec_ctx_free(mtm_codec_ctx *c);
/* Kernels of another tier from the next call on, for tests: MTM_CPU_ flags, masked by what the CPU has. Not while calls run. */
MTM_API void mtm_codec_ctx_set_cpu(mtm_codec_ctx *c, unsigned cpu_flags);

/* ---- what a codestream is ----------------------------------------------------------------------------- */

typedef struct mtm_codec_component {
    int64_t width, height; /* on its own grid */
    int32_t dx, dy;        /* subsampling: reference grid points per sample */
    int32_t bits;          /* precision, 1 … 38 */
    bool is_signed;
    int32_t levels;   /* wavelet decompositions (main header; the least over all tiles is min_levels below) */
    int32_t block[2]; /* code-block height, width */
    bool reversible;  /* 5/3; else 9/7 */
} mtm_codec_component;

typedef struct mtm_codec_marker {
    uint16_t code;        /* 0xFF4F … */
    const char *name;     /* "SIZ" */
    int64_t offset_bytes; /* in the data given */
    int64_t size_bytes;   /* marker and segment */
} mtm_codec_marker;

/* All pointers live as long as the info. */
typedef struct mtm_codec_info {
    const char *codec;             /* "htj2k", "j2k", "jpeg", "jpegls", "rle" */
    const char *container;         /* "codestream", "jp2", "jph" */
    int64_t width, height, x0, y0; /* image area on the reference grid: size and upper left corner */
    int64_t tile_width, tile_height;
    int32_t tiles_x, tiles_y;
    int32_t n_components; /* of the codestream */
    const mtm_codec_component *components;
    int32_t n_channels;      /* that decoding gives: after a palette and channel definitions */
    const char *color;       /* "gray", "srgb", "sycc", "icc", "unknown", … : the container's, or guessed */
    int32_t palette_entries; /* 0: none */
    int32_t levels,
        min_levels; /* decompositions: main header's default; least over all tile-components seen */
    int32_t layers;
    const char
        *progression; /* "LRCP", "RLCP", "RPCL", "PCRL", "CPRL"; "jpeg": the process, "baseline", "extended",
                              * "progressive", "lossless"; "jpegls": "none", "line", "sample" interleaved; else "" */
    bool mct, reversible, ht,
        lossless_capable; /* lossless_capable: every component reversible, no quantiser */
    const int32_t (
        *precincts)[2]; /* log2 height, log2 width per resolution of component 0; NULL: the largest */
    int32_t n_markers;
    const mtm_codec_marker *markers; /* main header and the first 4096 of the tile-parts */
    int32_t n_tile_parts;
    bool has_plt, has_tlm;
    int64_t codestream_offset, codestream_bytes; /* inside the container */
    int32_t n_warnings;
    const char *const *warnings;
    int32_t near_lossless; /* "jpegls": largest error of a sample; 0: lossless */
    int32_t predictor;     /* lossless JPEG: 1 … 7 (T.81 table H.1); 0: other coding */
} mtm_codec_info;

/* Reads headers only (boxes, main header, tile-part headers). limits NULL: defaults. Free with mtm_codec_info_free. Errors:
 * MTM_E_UNSUPPORTED (no codec knows the bytes), MTM_E_CORRUPT, MTM_E_LIMIT. */
MTM_API mtm_status mtm_codec_info_new(mtm_codec_info **out, const void *data, size_t size_bytes,
                                      const mtm_limits *limits, mtm_error *err);
MTM_API void mtm_codec_info_free(mtm_codec_info *i);

/* ---- decoding ----------------------------------------------------------------------------------------- */

typedef struct mtm_span {
    const void *data;
    size_t size_bytes;
} mtm_span;

typedef struct mtm_byte_range {
    uint64_t offset, size_bytes;
} mtm_byte_range;

/* What was there, when partial decoding was asked for. */
typedef struct mtm_decode_report {
    bool complete;      /* nothing was missing or damaged */
    int32_t levels;     /* reduce at which all data was there; −1: not even at the lowest resolution */
    int64_t bytes_used; /* up to the last byte that was used */
    int64_t blocks, blocks_decoded,
        blocks_damaged; /* code-blocks of the wanted part; that had data; that broke the rules */
    int32_t n_warnings; /* of warnings[], the rest is counted only */
    char warnings[8][120];
} mtm_decode_report;

typedef struct mtm_decode_params {
    uint32_t struct_size; /* sizeof(mtm_decode_params) */
    const char *codec;    /* NULL: by the bytes */
    bool has_region;
    int64_t
        region[4];  /* y0, y1, x0, x1: pixels of the reduced image, half open, from its upper left corner */
    int32_t reduce; /* resolutions left out: 0 … min_levels; more is MTM_E_INVAL and names the maximum */
    int32_t layers; /* quality layers used; 0: all */
    const int32_t *components; /* channels wanted, in this order; NULL: all */
    int32_t n_components;
    mtm_dtype dtype; /* MTM_NONE: the smallest that holds precision and sign; F32 with rescale */
    bool to_rgb;     /* sYCC and enumerated colour spaces to RGB */
    bool planar;     /* [C, Y, X]; else [Y, X, C] */
    bool rescale; /* value · slope + inter, then the window if window_width > 0: low … high (DICOM linear) */
    double slope, inter, window_center, window_width, low, high;
    bool partial; /* missing or damaged data leaves zeros (mid-gray where unsigned) and is reported */
    const mtm_byte_range
        *present; /* the only bytes that are there, ascending (from mtm_j2k_plan); NULL: all */
    int64_t n_present;
    mtm_decode_report *report; /* filled when not NULL */
    const mtm_limits *limits;  /* NULL: defaults */
    mtm_pool *pool;            /* NULL: on the calling thread alone */
    /* "rle" and "deflate" do not say what they hold: height, width, channels (0: 1) and type of the stored samples; BOOL: packed
     * bits, the first lowest. Others: 0. stored_planar: of "deflate", a plane behind the other. */
    int64_t shape[3];
    mtm_dtype stored;
    bool stored_planar;
} mtm_decode_params;

/* Shape and type of what mtm_decode gives: [Y, X] for one channel, else [Y, X, C] or [C, Y, X]. same_size false: channels
 * have sizes of their own, so ask per channel through params->components, or use mtm_decode_planes. Errors: as mtm_decode. */
MTM_API mtm_status mtm_decode_shape(mtm_codec_ctx *ctx, const void *data, size_t size_bytes,
                                    const mtm_decode_params *p, int32_t *ndim, int64_t shape[3],
                                    mtm_dtype *dtype, bool *same_size, mtm_error *err);

/* Decodes into dst: data NULL: a new C-order array of dst->dtype, or params->dtype; else the given view of that shape (a
 * single channel may also be [Y, X, 1]), any strides, is filled. ctx NULL: a context for this call alone. params NULL:
 * defaults. Errors: MTM_E_CORRUPT with the offset (dst is then undefined), MTM_E_UNSUPPORTED, MTM_E_LIMIT, MTM_E_INVAL
 * (region, reduce, components, shape, channels of different sizes). */
MTM_API mtm_status mtm_decode(mtm_codec_ctx *ctx, const void *data, size_t size_bytes,
                              const mtm_decode_params *p, mtm_array *dst, mtm_error *err);
/* One [Y, X] array per channel, each on its own grid; a region is scaled to each grid (its pixels are the reference grid's
 * over 2^reduce; corners rounded up as T.800 B-12). n: room in planes; *n_planes: channels. */
MTM_API mtm_status mtm_decode_planes(mtm_codec_ctx *ctx, const void *data, size_t size_bytes,
                                     const mtm_decode_params *p, mtm_array *planes, int32_t n,
                                     int32_t *n_planes, mtm_error *err);

/* Many frames of one shape into dst [N, …] (data NULL: made from the first frame that can be read). statuses[N] and
 * errors[N] (each may be NULL) receive every frame's outcome. With statuses NULL the first failing frame, by number, ends the call with its
 * error; else MTM_OK is returned and a failed frame's part of dst is zeros. params->pool decodes frames side by side. */
MTM_API mtm_status mtm_decode_batch(mtm_codec_ctx *ctx, const mtm_span *frames, int64_t n,
                                    const mtm_decode_params *p, mtm_array *dst, mtm_status *statuses,
                                    mtm_error *errors, mtm_error *err);

/* Row by row, from the top, with memory of O(width): rows holds `count` rows from row y, of the whole width of the region,
 * valid during the call. A failure of the sink ends decoding. */
typedef mtm_status (*mtm_rows_sink)(void *user, const mtm_array *rows, int64_t y, mtm_error *err);
MTM_API mtm_status mtm_decode_rows(mtm_codec_ctx *ctx, const void *data, size_t size_bytes,
                                   const mtm_decode_params *p, mtm_rows_sink sink, void *user,
                                   mtm_error *err);

/* ---- which bytes a part needs ------------------------------------------------------------------------- */

typedef struct mtm_j2k_ranges {
    int64_t n;
    mtm_byte_range *ranges; /* ascending, disjoint, neighbours joined; headers included */
    bool exact; /* false: some packets had no lengths (PLT), so whole tile-parts are in the ranges */
    uint64_t
        need_bytes; /* when the data given ends too early to tell: bytes of the start that would do; else 0 */
} mtm_j2k_ranges;

/* The byte ranges that mtm_decode touches for params' region, reduce, components and layers. `data` is the file or its
 * beginning; total_bytes the file's size. From TLM and PLT where there are any, else by a scan of packet headers, which
 * needs the bytes. Free with mtm_j2k_ranges_free. */
MTM_API mtm_status mtm_j2k_plan(mtm_j2k_ranges **out, const void *data, size_t size_bytes,
                                uint64_t total_bytes, const mtm_decode_params *p, mtm_error *err);
MTM_API void mtm_j2k_ranges_free(mtm_j2k_ranges *r);

/* ---- encoding ----------------------------------------------------------------------------------------- */

/* Memory that an encoder fills, and reuses when given again. Begin with {0}. */
typedef struct mtm_bytes {
    uint8_t *data;
    size_t size_bytes, room_bytes;
} mtm_bytes;

MTM_API void mtm_bytes_drop(mtm_bytes *b);

typedef struct mtm_encode_params {
    uint32_t struct_size; /* sizeof(mtm_encode_params) */
    const char *codec;    /* "htj2k" (default), "j2k", "jpeg", "jpegls", "rle", "deflate" */
    bool lossy;     /* 9/7 and quantisation; else 5/3, lossless. "jpeg": baseline; else lossless, SOF3 */
    double quality; /* lossy: 1 … 100, as JPEG's, of the nominal range (bits); 0: not given */
    double step;    /* lossy: base quantiser step, as a fraction of the nominal range; 0: not given (1/256
                             * when nothing is; 2^−bits with a rate) */
    double rate;    /* "j2k": most bits per pixel, by truncating passes; 0: not limited */
    int32_t layers; /* "j2k": quality layers; 0: 1 */
    int32_t levels; /* 0 … 32; −1: 5; more until the shorter side of the base is ≤ 64, fewer once it is ≤ 8 */
    int32_t block[2];        /* height, width: powers of two, 4 … 1024, product ≤ 4096; 0: 64 */
    const char *progression; /* NULL: "RPCL" */
    const int32_t (
        *precincts)[2]; /* height, width (powers of two) from the highest resolution down; the last repeats */
    int32_t n_precincts;
    int64_t tile[2];                 /* height, width; 0: one tile */
    const char *tile_parts;          /* "R": one per resolution (RPCL, RLCP); NULL or "": one per tile */
    int32_t mct;                     /* −1: when there are 3 or more channels of one kind; 0, 1 */
    int32_t bits;                    /* precision; 0: the dtype's */
    int32_t style;                   /* "j2k": MTM_J2K_STYLE_… */
    const int32_t (*subsampling)[2]; /* per plane: dy, dx; NULL: 1 */
    int64_t origin[2];               /* image offset y, x on the reference grid */
    int64_t tile_origin[2];
    bool sop, eph, no_plt, no_tlm;
    const char *container; /* "codestream" (default), "jp2", "jph" */
    const char *color;     /* boxes: "gray", "srgb", "sycc"; NULL: by the channels */
    const char *comment;   /* COM marker; NULL or "": none */
    mtm_pool *pool;
    int32_t near_lossless;  /* "jpegls": largest error of a sample; 0: lossless */
    const char *interleave; /* "jpegls": "none", "line", "sample"; NULL: sample for 3, line for 4 channels */
    int32_t predictor;      /* "jpeg", lossless: 1 … 7; 0: 1 */
} mtm_encode_params;

enum { /* T.800 table A.19 */
       MTM_J2K_STYLE_BYPASS = 1,
       MTM_J2K_STYLE_RESET = 2,
       MTM_J2K_STYLE_TERMALL = 4,
       MTM_J2K_STYLE_CAUSAL = 8,
       MTM_J2K_STYLE_PREDICTABLE = 16,
       MTM_J2K_STYLE_SEGSYM = 32
};

MTM_API mtm_encode_params mtm_encode_params_default(void);

/* Encodes [Y, X], [Y, X, C], or planes [C, Y, X] (planar), any strides, U8 … I32. Errors: MTM_E_INVAL (params, shape, a
 * value beyond `bits`), MTM_E_UNSUPPORTED (dtype). On failure *out keeps its memory, with size 0. */
MTM_API mtm_status mtm_encode(mtm_codec_ctx *ctx, const mtm_array *src, bool planar,
                              const mtm_encode_params *p, mtm_bytes *out, mtm_error *err);
/* One [Y, X] array per component, with sizes that fit params->subsampling. */
MTM_API mtm_status mtm_encode_planes(mtm_codec_ctx *ctx, const mtm_array *planes, int32_t n,
                                     const mtm_encode_params *p, mtm_bytes *out, mtm_error *err);

#ifdef __cplusplus
}
#endif
#endif
