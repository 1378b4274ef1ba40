/* kernel/distance.h: squared Euclidean distances along one more axis (Saito & Toriwaki 1994: the transform of n axes is a
 * minimum over one axis after the other).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_DISTANCE_H
#define MTM_KERNEL_DISTANCE_H

#include "base/error.h"

enum { MTM_DISTANCE_LANES = 16 };

typedef struct mtm_distance_kernels {
    /* 16 lines beside each other: f[16·i + lane], i < n, each 0 or above, may be infinite, 64-byte aligned.
     * out[q] = min over i of f[i] + (q − i)²·w, by looking outwards from q until the distance alone is no gain; `root`: the
     * square root of that. The same bits from every variant. f and out do not overlap; n ≤ 2²³. */
    void (*spread)(float *out, const float *f, size_t n, float w, bool root);
} mtm_distance_kernels;

void mtm_distance_kernels_init(mtm_distance_kernels *k, unsigned cpu);
void mtm_distance_kernels_avx2(mtm_distance_kernels *k);
void mtm_distance_kernels_avx512(mtm_distance_kernels *k);

#endif
