/* kernel/median.h: the median of a box around every voxel, border 'reflect' (d c b a | a b c d | d c b a), in tiles. Values
 * are compared as integers of the same order: −0 lies below 0, NaN above Inf. Boxes of 3×3×3 and 1×3×3 by sorting networks
 * over whole rows; any other by a bit set over the tile's ranks that slides along X (J. Suomela, Median filtering is
 * equivalent to sorting, 2014).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_MEDIAN_H
#define MTM_KERNEL_MEDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows of keys are readable MTM_MEDIAN_PAD beyond what counts. */
enum { MTM_MEDIAN_PAD = 48, MTM_MEDIAN_BOX = 1 << 15 /* most voxels of a box */ };

/* One row of medians by ranks. */
typedef struct mtm_median_slide {
    const uint32_t *ranks; /* of the tile's voxels; the first box begins here */
    size_t plane, row;     /* ranks from one to the next */
    int64_t box[3];        /* [Z, Y, X], odd */
    const int32_t *sorted; /* the tile's keys, by rank */
    uint64_t *bits;        /* scratch: a bit for every rank, `blocks` of MTM_MEDIAN_BLOCK */
    uint16_t *counts;      /* scratch: how many bits of a block are set */
    size_t blocks;
} mtm_median_slide;

enum { MTM_MEDIAN_BLOCK = 512 };

typedef struct mtm_median_kernels {
    /* Keys of n values. */
    void (*keys)(int32_t *out, const float *x, size_t n);
    /* out[i] = the median of rows[…][i … i + 2], i < n; temp: room for sorted columns, 9 or 3 rows of `pitch` ≥ n +
     * MTM_MEDIAN_PAD numbers. */
    void (*box27)(float *out, const int32_t *const rows[9], int32_t *temp, size_t pitch, size_t n);
    void (*box9)(float *out, const int32_t *const rows[3], int32_t *temp, size_t pitch, size_t n);
    /* out[i] = the median of the box that is moved by i voxels along X, i < n. */
    void (*slide)(float *out, const mtm_median_slide *s, size_t n);
} mtm_median_kernels;

#if defined(__x86_64__)
void mtm_median_kernels_avx2(mtm_median_kernels *k);
void mtm_median_kernels_avx512(mtm_median_kernels *k);
#endif
void mtm_median_kernels_init(mtm_median_kernels *k, unsigned cpu);

typedef struct mtm_median_plan {
    int64_t size[3];   /* [Z, Y, X] of the volume */
    int64_t radius[3]; /* Π(2·radius + 1) ≤ MTM_MEDIAN_BOX */
    bool network;
    int64_t tile[3]; /* voxels of one call; ends of the volume have fewer */
    size_t scratch_bytes;
} mtm_median_plan;

void mtm_median_plan_make(mtm_median_plan *p, const int64_t size[3], const int64_t radius[3]);

/* The tile that begins at `start`. in, out: voxel (0, 0, 0) of the volume, X contiguous, strides of Z and Y in bytes; they
 * share no memory. scratch: 64-byte aligned. */
void mtm_median_tile(const mtm_median_kernels *k, const mtm_median_plan *p, const float *in,
                     const int64_t in_stride[2], const int64_t start[3], float *out,
                     const int64_t out_stride[2], void *scratch);

#endif
