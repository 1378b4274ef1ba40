/* kernel/label.h: label maps: voxels per class, the places of chosen voxels, where runs of one value end. Label maps are
 * mostly of one value for long stretches, which are taken 64 bytes at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_LABEL_H
#define MTM_KERNEL_LABEL_H

#include "base/error.h"

/* Finds the voxels whose number among their class's voxels is wanted. */
typedef struct mtm_label_pick {
    const int32_t *class_of; /* class number by value; −1: a class nobody asks for */
    int64_t *seen;           /* per class: voxels met so far */
    const int64_t **wanted;  /* per class: the next wanted number, ascending; ends with INT64_MAX */
    int64_t **found;         /* per class: where the next place is written */
    int64_t at;              /* voxel number of x[0]; moves on by n */
} mtm_label_pick;

typedef struct mtm_label_kernels {
    void (*count_u8)(int64_t counts[256], const uint8_t *x, size_t n); /* counts[x[i]]++ */
    void (*count_u16)(int64_t counts[65536], const uint16_t *x, size_t n);
    void (*pick_u8)(mtm_label_pick *p, const uint8_t *x, size_t n);
    void (*pick_u16)(mtm_label_pick *p, const uint16_t *x, size_t n);
    /* By log2 of the element's bytes. The i in 1 … n − 1 with x[i] ≠ x[i − 1], ascending, into `at`, which has room for n;
     * returns how many. n < 2³¹. */
    size_t (*changes[4])(int32_t *at, const void *x, size_t n);
    void (*differs[4])(uint8_t *out, const void *x, uint64_t bits, size_t n); /* out[i] = x[i] ≠ bits */
} mtm_label_kernels;

void mtm_label_kernels_avx2(mtm_label_kernels *k);
void mtm_label_kernels_init(mtm_label_kernels *k, unsigned cpu);

#endif
