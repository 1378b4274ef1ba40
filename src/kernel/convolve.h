/* kernel/convolve.h: separable symmetric convolution of a volume (gaussian blur), border 'reflect' (d c b a | a b c d | d c
 * b a). Rows are combined along Y, filtered along X, kept in a ring of planes and combined along Z, so the volume is read
 * and written once and what lies between stays in the L2 cache.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_CONVOLVE_H
#define MTM_KERNEL_CONVOLVE_H

#include "kernel/row.h"

/* One axis: out[i] = weight[0] · in[i] + Σ_{j = 1 … radius} weight[j] · (in[i − j] + in[i + j]). */
typedef struct mtm_convolve_axis {
    int32_t radius;
    const float *weight; /* [radius + 1] */
} mtm_convolve_axis;

/* [Z, Y, X], any strides; fastest is stride[2] = the element's size. */
typedef struct mtm_convolve_source {
    const void *data;
    mtm_dtype dtype;
    int64_t stride[3]; /* bytes */
} mtm_convolve_source;

typedef struct mtm_convolve_plan {
    int64_t size[3]; /* [Z, Y, X] */
    mtm_convolve_axis axis[3];
    int64_t rows; /* rows of a slice that one call should do */
    bool direct;  /* input rows are read as they lie in memory; else each is first loaded as float32 */
    size_t scratch_bytes; /* of one mtm_convolve_run */
} mtm_convolve_plan;

/* The sum runs from the centre outwards, each pair added first; the vector variants fuse product and sum (FMA), so that
 * variants differ by at most 2 ulp of Σ|weight · value| per axis. */
typedef struct mtm_convolve_kernels {
    /* Two neighbouring rows at a time, which share all but two of their taps: out[0][x] about rows[radius], out[1][x] about
     * rows[radius + 1], x < n; rows[0 … 2·radius + 1]. */
    void (*pairs[MTM_N_ROW_TYPES])(float *const out[2], const void *const *rows, const float *weight,
                                   int32_t radius, int64_t n);
    /* One row along X. It is 64-byte aligned, mtm_convolve_margin floats before and behind it are readable, and
     * the first `radius` of them count. */
    void (*along)(float *out, const float *row, const float *weight, int32_t radius, int64_t n);
} mtm_convolve_kernels;

/* Floats that must be readable on both sides of a row for `along`, beyond n rounded up to 16. */
static inline int64_t mtm_convolve_margin(int32_t radius)
{
    return (((int64_t)radius + 15) & ~INT64_C(15)) + 64;
}

void mtm_convolve_kernels_init(mtm_convolve_kernels *k, unsigned cpu);

/* SciPy's gaussian_filter with truncate = 4: int(4σ + 0.5) voxels. 0 ≤ sigma ≤ 10⁶. */
int32_t mtm_gaussian_radius(double sigma);
/* w[0 … radius], in float64 until the end; their sum over both sides is 1. */
void mtm_gaussian_weights(double sigma, int32_t radius, float *w);

void mtm_convolve_plan_make(mtm_convolve_plan *p, const int64_t size[3], const mtm_convolve_axis axis[3],
                            const mtm_convolve_source *in);

/* Rows [y0, y1) of every slice; y1 − y0 ≤ p->rows. out: voxel (0, 0, 0), X contiguous, stride[0] and [1] in bytes.
 * `scratch`: 64-byte aligned, of p->scratch_bytes. The result does not depend on how the rows are split. */
void mtm_convolve_run(const mtm_convolve_kernels *k, const mtm_convolve_plan *p,
                      const mtm_convolve_source *in, int64_t y0, int64_t y1, float *out,
                      const int64_t out_stride[2], void *scratch);

#endif
