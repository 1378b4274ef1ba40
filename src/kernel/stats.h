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

/* Sums over some numbers, about a shift that lies among them: a large offset does not cancel. Begin with
 * mtm_moments_none(). Finite numbers only; the others are counted. */
typedef struct mtm_moments {
    int64_t count, non_finite;
    double min, max;         /* +inf, −inf while count is 0 */
    double shift, sum, sum2; /* of x − shift and its square; the shift is set by the first number */
} mtm_moments;

mtm_moments mtm_moments_none(void);
double mtm_moments_mean(const mtm_moments *m); /* 0 when nothing was counted */
double mtm_moments_std(const mtm_moments *m);  /* population */
/* a := both. Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm (1979). */
void mtm_moments_merge(mtm_moments *a, const mtm_moments *b);
/* The sums over `elements` numbers from those over the ones that are not 0: the zeros are known by their number. */
mtm_moments mtm_moments_with_zeros(const mtm_moments *nonzero, int64_t elements);
/* Fills count, non_finite, min, max, mean and std, and the non-zero part from nz (NULL: left alone). */
void mtm_moments_store(mtm_stats *out, const mtm_moments *all, const mtm_moments *nz);

typedef struct mtm_stats_kernels {
    /* Adds x[0…n). keep (NULL: all): numbers whose byte is 0 are left out. skip_zero: and those that are 0. Float64
     * sums; variants add in another order and agree within 1e-12 of the sums of magnitudes. */
    void (*moments_f32)(mtm_moments *m, const float *x, const uint8_t *keep, bool skip_zero, size_t n);
    void (*moments_f64)(mtm_moments *m, const double *x, const uint8_t *keep, bool skip_zero, size_t n);
    /* Only count, non_finite, min and max of x[0…n), for those who want no more: a third of the time. */
    void (*range_f32)(mtm_moments *m, const float *x, size_t n);
} mtm_stats_kernels;

#if defined(__x86_64__)
void mtm_stats_kernels_avx2(mtm_stats_kernels *k);
void mtm_stats_kernels_avx512(mtm_stats_kernels *k);
#endif
void mtm_stats_kernels_init(mtm_stats_kernels *k, unsigned cpu);

#endif
