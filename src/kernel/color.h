/* kernel/color.h: between rows of reconstructed components and the caller's pixels: component transforms (T.800 annex G),
 * level shift, clamping, rescaling, and interleaving, in one pass.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_COLOR_H
#define MTM_KERNEL_COLOR_H

#include "block.h"

typedef enum mtm_color_transform { MTM_COLOR_NONE, MTM_COLOR_RCT, MTM_COLOR_ICT } mtm_color_transform;

/* How up to 4 rows become pixels: transform of the first three (RCT: integers; ICT: floats), + 2^(bits−1) where unsigned,
 * floats rounded half away from zero to integers, clamp to the precision, then either the integer itself, clamped to
 * dst's type, or pixel · slope + inter, rounded as mtm_array_convert does. */
typedef struct mtm_color_store {
    uint8_t n;         /* components: 1 … 4 */
    uint8_t type;      /* of the rows: mtm_coef but V2 */
    uint8_t transform; /* mtm_color_transform; not NONE: n ≥ 3, and the first three have one precision */
    uint8_t bits[4];   /* precision, 1 … 38 */
    bool is_signed[4];
    mtm_dtype dtype; /* U8, I8, U16, I16, U32, I32, I64, U64, F32 */
    bool rescale;
    double slope, inter;
} mtm_color_store;

typedef struct mtm_color_kernels {
    /* rows[c][0 … width) → dst[c] + x · pixel_stride (bytes). Interleaved: dst[c] = base + c · element size and pixel_stride
     * = n · element size; planar: the element size. Any other stride works, more slowly. */
    void (*store)(const mtm_color_store *how, void *const *dst, ptrdiff_t pixel_stride,
                  const void *const *rows, size_t width);
    /* The way back, for the encoder: pixels − 2^(bits−1) where unsigned, then the forward transform. Values outside the
     * precision are the caller's to refuse. rescale is not used. */
    void (*load)(const mtm_color_store *how, void *const *rows, const void *const *src,
                 ptrdiff_t pixel_stride, size_t width);
} mtm_color_kernels;

void mtm_color_kernels_init(mtm_color_kernels *k, unsigned cpu);

#endif
