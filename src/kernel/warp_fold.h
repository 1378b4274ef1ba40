/* kernel/warp_fold.h: what the variants of the warp family share with its C reference.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_WARP_FOLD_H
#define MTM_KERNEL_WARP_FOLD_H

#include "kernel/warp.h"

/* √3 − 2 */
#define MTM_SPLINE_POLE (-0.267949192431122706f)

/* How an axis brings a coordinate back: s += shift, modulo period (0: not), mirrored about period / 2, s −= shift, then
 * clamped to [lo, hi]; the first tap is at most `top`. */
typedef struct mtm_warp_fold {
    double shift, period, lo, hi, top;
    bool mirrors;
} mtm_warp_fold;

void mtm_warp_folds(const mtm_warp_grid *g, mtm_warp_fold fold[3]);

#endif
