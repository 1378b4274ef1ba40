/* kernel/warp_fold.h: what the variants of the warp family share with its C reference.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_WARP_FOLD_H
#define MTM_KERNEL_WARP_FOLD_H

#include "kernel/warp.h"

/* √3 − 2 */
#define MTM_SPLINE_POLE (-0.267949192431122706f)

/* Beyond this a coordinate is as good as infinite: its taps are those of the border alone. */
#define MTM_WARP_FAR 0x1p50

/* The C reference's locate: what a variant calls where coordinates leave ±MTM_WARP_FAR; and its linear, for rows one voxel
 * long. */
void mtm_warp_locate_c(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                       mtm_warp_taps *t);
bool mtm_warp_locate_bent_c(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                            const float *const bend[3], mtm_warp_taps *t);
void mtm_warp_linear_c(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t pair[3],
                       float *out);

/* Repeats the last tap up to a whole vector, so that a gather reads nothing else in its spare lanes. */
static inline void mtm_warp_taps_pad(mtm_warp_taps *t, int32_t n)
{
    for (int32_t i = n; i % 8; i++)
        t->offset[i] = t->offset[n - 1];
}

/* Whether all coordinates of a row's part are within ±MTM_WARP_FAR (they are monotonic in x). */
static inline bool mtm_warp_row_is_near(const mtm_warp_row *row, int64_t x0, int32_t n)
{
    for (int a = 0; a < 3; a++) {
        const double p = row->at[a] + ((double)x0 - 8) * row->step[a];
        const double q = row->at[a] + ((double)(x0 + n) + 8) * row->step[a];

        if (!(p > -MTM_WARP_FAR && p < MTM_WARP_FAR && q > -MTM_WARP_FAR && q < MTM_WARP_FAR))
            return false;
    }
    return true;
}

bool mtm_warp_locate_bent_avx2(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                               const float *const bend[3], mtm_warp_taps *t);
void mtm_warp_locate_avx2(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                          mtm_warp_taps *t);
void mtm_warp_linear_avx2(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t pair[3],
                          float *out);
void mtm_warp_straight_avx2(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t pair[3],
                            float *out);
void mtm_warp_cubic_avx2(const float *data, const mtm_warp_taps *t, int32_t n, const int64_t stride[3],
                         float *out);
void mtm_spline_avx2(float *samples, int64_t n);
void mtm_spline_load_avx2(const float *const rows[MTM_SPLINE_LANES], int32_t lanes, const int32_t *map,
                          int64_t n, float value, float *out);
void mtm_spline_store_avx2(const float *in, int64_t n, float *const rows[MTM_SPLINE_LANES], int32_t lanes);
bool mtm_warp_locate_bent_avx512(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                                 const float *const bend[3], mtm_warp_taps *t);
void mtm_warp_locate_avx512(const mtm_warp_grid *g, const mtm_warp_row *row, int64_t x0, int32_t n,
                            mtm_warp_taps *t);
void mtm_spline_avx512(float *samples, int64_t n);

#endif
