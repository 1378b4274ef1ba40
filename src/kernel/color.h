/* kernel/color.h: between rows of reconstructed components and the caller's pixels: component transforms (T.800
 * annex G), level shift, clamping, rescaling, and interleaving, in one pass.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_COLOR_H
#define MTM_KERNEL_COLOR_H

#include "block.h"

typedef enum mtm_color_transform { MTM_COLOR_NONE, MTM_COLOR_RCT, MTM_COLOR_ICT } mtm_color_transform;

/* How up to 4 rows become pixels: transform of the first three (RCT: integers, which wrap around in the rows'
 * type; ICT: floats), floats rounded half to even to integers (NaN: the least pixel), + 2^(bits−1) where unsigned,
 * clamp to the precision, then either the integer itself, clamped to dst's type, or pixel · slope + inter,
 * limited, rounded as mtm_array_convert does. */
typedef struct mtm_color_store {
    uint8_t n;         /* components: 1 … 4 */
    uint8_t type;      /* of the rows: mtm_coef but V2 */
    uint8_t transform; /* mtm_color_transform; not NONE: n ≥ 3, and the first three have one precision */
    uint8_t bits[4];   /* precision, 1 … 38 */
    bool is_signed[4];
    int32_t
        offset[4];   /* is in the rows (after the transform) already, and not added again; see synthesis.h */
    mtm_dtype dtype; /* U8, I8, U16, I16, U32, I32, I64, U64, F32 */
    bool rescale;    /* pixel · slope + inter … */
    double slope, inter;
    bool limit; /* … clamped to [least, most] */
    double least, most;
} mtm_color_store;

typedef struct mtm_color_kernels {
    /* rows[c][0 … width) → dst[c] + x · pixel_stride (bytes). Interleaved: dst[c] = base + c · element size and
     * pixel_stride = n · element size; planar: the element size. Any other stride works, more slowly. Nothing but
     * pixels is written; rows have 64 readable bytes behind their end. */
    void (*store)(const mtm_color_store *how, void *const *dst, ptrdiff_t pixel_stride,
                  const void *const *rows, size_t width);
    /* The way back, for the encoder: pixels − 2^(bits−1) where unsigned, + offset, then the forward transform.
     * Values outside the precision are the caller's to refuse. dtype: an integer; rescaling and limits are not
     * used. Nothing but pixels is read; rows have 64 bytes behind their end that may be written. */
    void (*load)(const mtm_color_store *how, void *const *rows, const void *const *src,
                 ptrdiff_t pixel_stride, size_t width);
} mtm_color_kernels;

/* What happens to component c of integer rows, and of rounded float rows: clamped to [lo, hi], then + add, it is
 * the pixel (dst's type included unless rescaled). */
typedef struct mtm_color_range {
    int64_t lo, hi, add;
} mtm_color_range;

mtm_color_range mtm_color_store_range(const mtm_color_store *how, int c);

#if defined(__x86_64__)
void mtm_color_kernels_avx2(mtm_color_kernels *k);
void mtm_color_kernels_avx512(mtm_color_kernels *k);
void mtm_color_kernels_vbmi2(mtm_color_kernels *k);
#endif
void mtm_color_kernels_init(mtm_color_kernels *k, unsigned cpu);
/* The references, for what the variants have no fast way for. */
void mtm_color_store_c(const mtm_color_store *how, void *const *dst, ptrdiff_t pixel_stride,
                       const void *const *rows, size_t width);
void mtm_color_load_c(const mtm_color_store *how, void *const *rows, const void *const *src,
                      ptrdiff_t pixel_stride, size_t width);

#endif
