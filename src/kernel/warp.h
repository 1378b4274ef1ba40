/* kernel/warp.h: gathering voxels at the coordinates of an affine map: nearest, linear, cubic B-spline.
 * A row of outputs is first located (offsets and fractions, shared by all channels), then gathered per channel.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_WARP_H
#define MTM_KERNEL_WARP_H

#include "base/error.h"

typedef enum mtm_interp {
    MTM_NEAREST,
    MTM_LINEAR,
    MTM_CUBIC
} mtm_interp; /* cubic: B-spline with prefilter */
typedef enum mtm_border { MTM_EDGE, MTM_REFLECT, MTM_MIRROR, MTM_WRAP, MTM_CONSTANT } mtm_border;

/* Index i outside [0, n) under a border, n ≥ 1; −1: missing (MTM_CONSTANT). */
int64_t mtm_border_index(mtm_border border, int64_t i, int64_t n);

/* How an axis brings a coordinate back: s += shift, modulo period (0: not), mirrored about period / 2, s −= shift, then
 * clamped to [lo, hi]; the first tap is at most `top`. `last`: the greatest double below the size. */
typedef struct mtm_warp_fold {
    double shift, period, lo, hi, top, last;
    double inside_lo, inside_hi; /* coordinates that bent rows need not look up in the border; ±∞: all */
    bool mirrors;
} mtm_warp_fold;

/* The voxels that exist, in the order x, y, z. */
typedef struct mtm_warp_grid {
    int64_t size[3];
    int64_t stride[3]; /* nearest: bytes; linear and cubic: floats, stride[0] = 1 */
    int64_t
        first; /* offset of voxel (0, 0, 0) from the data pointer, same unit; < 0 when only a part is in memory */
    mtm_border border;
    mtm_interp interp;
    int32_t pad;           /* CUBIC: coefficients that exist on each side beyond the size */
    mtm_warp_fold fold[3]; /* by mtm_warp_grid_fold, once the fields above are set */
} mtm_warp_grid;

/* Output x of a row lies at at + (x + 0.5)·step, continuous (voxel i covers [i, i + 1)), x, y, z. */
typedef struct mtm_warp_row {
    double at[3], step[3];
} mtm_warp_row;

enum {
    MTM_WARP_CHUNK = 128, /* most voxels located at once */
    MTM_WARP_SPAN = 2 * MTM_WARP_CHUNK
};

typedef struct mtm_warp_taps {
    _Alignas(64) int64_t offset[MTM_WARP_CHUNK]; /* of the first tap of each axis, in the grid's unit */
    _Alignas(64) float f[3][MTM_WARP_CHUNK];     /* fraction along x, y, z; not for NEAREST */
} mtm_warp_taps;

/* A B-spline line: 32 lines side by side, in place: samples[n][32] → coefficients, the state outside taken as constant. */
enum { MTM_SPLINE_LANES = 32 };

typedef struct mtm_warp_kernels {
    /* Taps of outputs x0 … x0 + n − 1, n ≤ MTM_WARP_CHUNK; coordinates are folded into the grid by its border (CONSTANT, and
     * WRAP when LINEAR: only for outputs that mtm_warp_split calls inside). offset is padded to a multiple of 8. */
    void (*locate)(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n, mtm_warp_taps *t);
    /* The same for coordinates bend[axis][i] away from the row's; the bends have room up to a multiple of 8. Coordinates
     * outside are clamped, and the answer says whether there are none: mtm_warp_bent_inside tells which. */
    bool (*locate_bent)(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                        const float *const bend[3], mtm_warp_taps *t);
    /* pair: floats from a tap to the next along x, y, z; 0 where the grid is one voxel thick. */
    void (*linear)(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t pair[3], float *out);
    /* The same bits for a row that runs along x: f[1] and f[2] are f[1][0] and f[2][0] throughout, the offsets rise or fall and
     * span at most MTM_WARP_SPAN, pair[0] is 1. The four rows are mixed once, before the voxels are looked up. */
    void (*straight)(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t pair[3], float *out);
    void (*cubic)(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t stride[3], float *out);
    void (*spline)(float *samples, int64_t n);
    /* out[k][lane] = rows[lane][map[k]], map[k] < 0: value; lanes ≤ 32, the others are set to 0. */
    void (*spline_load)(const float *const rows[MTM_SPLINE_LANES], int32_t lanes, const int32_t *map,
                        int64_t n, float value, float *out);
    void (*spline_store)(const float *in, int64_t n, float *const rows[MTM_SPLINE_LANES], int32_t lanes);
} mtm_warp_kernels;

void mtm_warp_kernels_init(mtm_warp_kernels *k, unsigned cpu);

void mtm_warp_grid_fold(mtm_warp_grid *g);

/* Cuts outputs [x0, x0 + n): inside[0…1): every tap exists; touch[0…1) ⊇ inside: some tap exists. Both may be empty, and
 * inside lies in touch. */
void mtm_warp_split(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n, int64_t touch[2],
                    int64_t inside[2]);

/* One LINEAR output at any place, tap by tap: what borders need. */
float mtm_warp_linear_at(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x, const float *data,
                         float value);

/* Whether every tap of output x, `bend` voxels (x, y, z) away from its row, exists or is brought back by folding. */
bool mtm_warp_bent_inside(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x, const float bend[3]);

/* mtm_warp_linear_at for such an output. */
float mtm_warp_bent_linear(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x, const float bend[3],
                           const float *data, float value);

#endif
