/* kernel/stats.h: statistics of voxels. Reductions run in float64 over blocks of fixed size in a fixed order, so a
 * result depends neither on threads nor on the CPU beyond the bound in doc/numerics.md.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_STATS_H
#define MTM_KERNEL_STATS_H

#include "base/error.h"

enum {
    MTM_STAT_RANGE = 1u << 0,       /* min, max */
    MTM_STAT_MOMENTS = 1u << 1,     /* mean, std */
    MTM_STAT_NONZERO = 1u << 2,     /* nonzero, nonzero_mean, nonzero_std */
    MTM_STAT_PERCENTILES = 1u << 3, /* percentile[0…1] for q[0…1] */
    MTM_STAT_CHANNELS = 1u << 4     /* each channel by itself */
};

struct mtm_array;

/* What an operator wants to know of its input. */
typedef struct mtm_stats_request {
    uint32_t flags;
    double q[2];      /* percents, 0 … 100 */
    const void *mask; /* const mtm_array * or NULL: only voxels where it is not 0 */
} mtm_stats_request;

/* Non-finite voxels are counted and otherwise left out. */
typedef struct mtm_stats {
    int64_t count, non_finite, nonzero;
    double min, max, mean, std, nonzero_mean, nonzero_std; /* population */
    double percentile[2];                                  /* NumPy's 'linear' */
} mtm_stats;

#endif
