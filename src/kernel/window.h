/* kernel/window.h: rows of a weighted sum over overlapping windows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_WINDOW_H
#define MTM_KERNEL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MTM_WINDOW_TERMS = 32,                  /* windows of a band at most */
    MTM_WINDOW_SPAN = 1024,                 /* voxels of a row at most */
    MTM_WINDOW_AREA = 16 * MTM_WINDOW_SPAN, /* rows · pitch at most */
    MTM_WINDOW_PIECES = 2 * MTM_WINDOW_TERMS + 4
};

/* One window's rows. The weight of voxel i of row r is max(c · rows[r] · axis[i], floor), multiplied from the left. */
typedef struct mtm_window_term {
    const char *scores;  /* of voxel x in row 0 and class 0; unit stride along x */
    int64_t step, pitch; /* bytes to the next class and the next row */
    const float *rows, *axis;
    float c;
    int64_t x; /* voxel of the band's rows */
} mtm_window_term;

typedef enum mtm_window_end {
    MTM_WINDOW_KEEP,  /* the sums are stored: windows will follow */
    MTM_WINDOW_MEAN,  /* out = sums / total */
    MTM_WINDOW_LABEL, /* label = the first class with the largest sum; NaN is never it */
} mtm_window_end;

/* Voxels [x, x + n) of every row of the band, which the same windows cover. */
typedef struct mtm_window_piece {
    int64_t x, n;
    uint32_t windows; /* bit t for term t */
    bool old;         /* sums holds something already; else they begin with the first term */
    mtm_window_end end;
} mtm_window_piece;

/* Neighbouring rows which the same windows cover. Steps (to the next class) and pitches (to the next row) are numbers. */
typedef struct mtm_window_band {
    int64_t rows, classes;
    float floor;
    bool stream;       /* sums that begin here go past the caches, for they are not read again soon ... */
    bool stream_mean;  /* ... and so do the means */
    float *sums, *out; /* out may be sums */
    int64_t sums_step, sums_pitch, out_step, out_pitch;
    const float *total; /* MEAN: rows of `pitch` numbers */
    float *best;        /* LABEL: likewise, for the kernel's own use ... */
    int32_t *label;     /* ... and its result */
    int64_t pitch;
    int32_t pieces;
    mtm_window_piece piece[MTM_WINDOW_PIECES];
    mtm_window_term term[MTM_WINDOW_TERMS];
} mtm_window_band;

/* Every variant gives the same bits: products are rounded before they are added, in the order of the terms. */
typedef struct mtm_window_kernels {
    void (*blend)(const mtm_window_band *b);
    /* total[i] += max(c · axis[i], floor) for i < old, total[i] = that for the others below n */
    void (*weigh)(float *total, const float *axis, float c, float floor, int64_t old, int64_t n);
} mtm_window_kernels;

void mtm_window_kernels_init(mtm_window_kernels *k, unsigned cpu);
void mtm_window_kernels_avx2(mtm_window_kernels *k);
void mtm_window_kernels_avx512(mtm_window_kernels *k);

#endif
