/* kernel/resample.h: separable resampling of a volume, one filter per axis. Planned once into tables (weights computed in
 * float64), then run over any range of output slices, so that a caller can parallelise and go on with cache-hot rows.
 * Reads the input's own dtype, writes float32 rows; keeps no more than a few rows or planes in between.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_RESAMPLE_H
#define MTM_KERNEL_RESAMPLE_H

#include "base/error.h"
#include "kernel/row.h"

typedef enum mtm_filter { /* the order is that of `interp` in resize's parameters */
                          MTM_FILTER_NEAREST,
                          MTM_FILTER_LINEAR,
                          MTM_FILTER_TRIANGULAR, /* the same as linear, as in DALI */
                          MTM_FILTER_CUBIC,      /* Keys, a = −0.5 */
                          MTM_FILTER_LANCZOS3,
                          MTM_FILTER_GAUSSIAN, /* σ = 0.5 · widening, |distance| ≤ 3σ */
                          MTM_FILTER_AREA
} mtm_filter;

/* One axis of a resize, after crops and flips before and behind it were folded in. Output i (0 ≤ i < count) is number
 * k = first + i·step of the whole resize's n_out; its centre is src = lo + (k + 0.5)·scale − 0.5 in input voxels, taps are
 * clamped to [in_start, in_start + in_size). AREA: mean over [floor(lo + k·scale), ceil(lo + (k + 1)·scale)), the two
 * exchanged when scale < 0. Where lo and n_out·scale are whole numbers, floor and ceil are taken of the exact fraction. */
typedef struct mtm_resample_axis {
    mtm_filter filter;
    bool antialias; /* widens the filter when |scale| > 1 */
    int64_t in_start, in_size;
    int64_t n_out, first, count;
    int32_t step;     /* 1 or −1 */
    double lo, scale; /* voxels; scale < 0: a reversed region */
} mtm_resample_axis;

/* The input: `data` is voxel `start` ([Z, Y, X], in the axes' coordinates); it must hold mtm_resample_range of each axis.
 * Any strides work; fastest is stride[2] = the element's size, so a caller passes the axes of a permuted array in the
 * order that makes the last stride the smallest, and permutes out_stride alike. */
typedef struct mtm_resample_source {
    const void *data;
    mtm_dtype dtype;
    int64_t stride[3]; /* bytes */
    int64_t start[3];
} mtm_resample_source;

enum { MTM_RESAMPLE_LANES = 16, MTM_RESAMPLE_PAD = 64 };

/* Floats from one row of n to the next: 64-byte aligned, with the room behind it that `across` may read. */
static inline size_t mtm_resample_pitch(int64_t n)
{
    return (((size_t)n + 15) & ~(size_t)15) + MTM_RESAMPLE_PAD;
}

/* One axis, planned. Output i = Σ weight[i · taps + j] · input[first[i] + j], j < n[i]; a tap of weight 0 is not read,
 * so that NaN does not spread further than the filter reaches. */
typedef struct mtm_resample_line {
    int64_t count;
    int64_t low, high; /* input voxels touched: [low, high) */
    int32_t taps;      /* most of any output */
    double mean_taps;
    const int64_t *first; /* axis X: relative to low */
    const int32_t *n;
    const float *weight;
    /* Axis X again, in blocks of 16 outputs: lane l of block b = Σ_j lane_weight[(b · taps + j) · 16 + l]
     * · row[base[b] + index[b · 16 + l] + j]; weight 0: no tap. */
    const int64_t *base;
    const int32_t *index;
    const float *lane_weight;
    int32_t span; /* voxels that the widest block touches */
} mtm_resample_line;

typedef enum mtm_resample_order { /* which axis is resampled first, second, third */
                                  MTM_RESAMPLE_ZYX,
                                  MTM_RESAMPLE_ZXY,
                                  MTM_RESAMPLE_YZX,
                                  MTM_RESAMPLE_YXZ,
                                  MTM_RESAMPLE_XYZ
} mtm_resample_order;

typedef struct mtm_resample_plan {
    mtm_resample_line line[3]; /* Z, Y, X */
    mtm_resample_order order;
    bool nearest; /* all three axes: mtm_resample_nearest copies values of any dtype */
    bool direct;  /* input rows are read as they lie in memory; else each is first loaded as float32 */
    size_t scratch_bytes; /* of one mtm_resample_run */
} mtm_resample_plan;

/* Every sum runs over the taps in ascending order, in float32, begun with the first product; C rounds each product, the
 * vector variants fuse it (FMA). So variants differ by at most 2 ulp of Σ|weight · value| per pass. */
typedef struct mtm_resample_kernels {
    /* out[x] = Σ_j weight[j] · rows[j][x], x < n, 1 ≤ taps. */
    void (*combine[MTM_N_ROW_TYPES])(float *out, const void *const *rows, const float *weight, int32_t taps,
                                     int64_t n);
    /* One row along X. `row` is readable 64 floats past its last tap. */
    void (*across)(float *out, const float *row, const mtm_resample_line *x);
} mtm_resample_kernels;

void mtm_resample_kernels_init(mtm_resample_kernels *k, unsigned cpu);

/* Input voxels [*low, *high) that the axis touches; low = high when count is 0. */
void mtm_resample_range(const mtm_resample_axis *a, int64_t *low, int64_t *high);

/* Bytes of the tables that mtm_resample_plan_make writes. Errors: MTM_E_INVAL (an axis contradicts itself), MTM_E_LIMIT. */
mtm_status mtm_resample_plan_bytes(const mtm_resample_axis axis[3], size_t *table_bytes, mtm_error *err);

/* Plans for inputs of in's dtype and strides (its data is not read). `tables`: 64-byte aligned, of plan_bytes, kept as
 * long as the plan is used; the plan is then read-only and shared between threads. */
void mtm_resample_plan_make(mtm_resample_plan *p, const mtm_resample_axis axis[3],
                            const mtm_resample_source *in, void *tables);

/* Output slices [z0, z1): out + z·out_stride[0] + … is voxel (z, y, x) (out: slice 0, even if z0 > 0); strides in bytes.
 * `scratch`: 64-byte aligned, of p->scratch_bytes, one per call at a time. The result does not depend on the split. */
void mtm_resample_run(const mtm_resample_kernels *k, const mtm_resample_plan *p,
                      const mtm_resample_source *in, int64_t z0, int64_t z1, float *out,
                      const int64_t out_stride[3], void *scratch);

/* The same for a plan whose `nearest` is true: copies elements of in->dtype. No scratch. */
void mtm_resample_nearest(const mtm_resample_plan *p, const mtm_resample_source *in, int64_t z0, int64_t z1,
                          void *out, const int64_t out_stride[3]);

#endif
