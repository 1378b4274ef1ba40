/* kernel/displace.h: rows of displacement fields: the random numbers they are made of, cubic B-splines along a row, and their
 * turning into the input's frame. op/spatial/field.c puts them together.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_DISPLACE_H
#define MTM_KERNEL_DISPLACE_H

#include <stddef.h>

#include "base/error.h"

/* Floats that rows of displacements and of weights have to spare behind their end: kernels store whole vectors. */
enum { MTM_DISPLACE_SPARE = 32 };

/* A row of a cubic B-spline: sample i lies in cell[i], whose four control points are cell[i] … cell[i] + 3, and the next
 * sample of another cell is until[i]. */
typedef struct mtm_displace_row {
    const int32_t *cell, *until;
    const float *weight[4];
} mtm_displace_row;

/* All variants give the same bits. */
typedef struct mtm_displace_kernels {
    /* out[i] = 2·u − 1 for number `first + i` of a stream: u in [0, 1) from word (number mod 4) of Philox 4×32-10 with key
     * seed and counter (number div 4, stream, 0, 0), its top 24 bits · 2⁻²⁴. first is a multiple of 4. */
    void (*uniform)(uint64_t seed, uint32_t stream, int64_t first, float *out, int64_t n);
    /* out[a][i] = Σ weight[k][i] · control[a][cell[i] + k], k = 0 first, then fused; samples 0 … n − 1 of the row. */
    void (*spline)(const mtm_displace_row *row, const float *const control[3], int32_t n,
                   float *const out[3]);
    /* out[a][i] = m[3a]·d[0][i] + m[3a + 1]·d[1][i] + m[3a + 2]·d[2][i], fused from the right; out is not d. */
    void (*turn)(const float m[9], const float *const d[3], int32_t n, float *const out[3]);
} mtm_displace_kernels;

void mtm_displace_kernels_init(mtm_displace_kernels *k, unsigned cpu);

#endif
