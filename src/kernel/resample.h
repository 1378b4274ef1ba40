/* kernel/resample.h: separable resampling of a volume, one filter per axis.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_RESAMPLE_H
#define MTM_KERNEL_RESAMPLE_H

#include "base/error.h"

typedef enum mtm_filter { /* the order is that of `interp` in resize's parameters */
                          MTM_FILTER_NEAREST,
                          MTM_FILTER_LINEAR,
                          MTM_FILTER_TRIANGULAR,
                          MTM_FILTER_CUBIC,
                          MTM_FILTER_LANCZOS3,
                          MTM_FILTER_GAUSSIAN,
                          MTM_FILTER_AREA
} mtm_filter;

/* One axis of a resize, after crops and flips before and behind it were folded in. Output i (0 ≤ i < count) is number
 * k = first + i·step of the whole resize's n_out; its centre is src = lo + (k + 0.5)·scale − 0.5 in input voxels, taps are
 * clamped to [in_start, in_start + in_size). AREA: mean over [floor(k·in/out), ceil((k+1)·in/out)) + in_start. */
typedef struct mtm_resample_axis {
    mtm_filter filter;
    bool antialias; /* widens the filter when |scale| > 1 */
    int64_t in_start, in_size;
    int64_t n_out, first, count;
    int32_t step;     /* 1 or −1 */
    double lo, scale; /* voxels; scale < 0: a reversed region */
} mtm_resample_axis;

#endif
