/* kernel/sort.h: sorting voxels by value, with their places.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_SORT_H
#define MTM_KERNEL_SORT_H

#include <stdint.h>
#include <string.h>

/* A float32 as an unsigned number of the same order: −Inf … −0, 0 … Inf, and then NaN of either sign. */
static inline uint32_t mtm_sort_key(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    if ((u & 0x7FFFFFFF) > 0x7F800000)
        return 0xFFFFFFFF;
    return u >> 31 ? ~u : u | 0x80000000;
}

static inline float mtm_sort_value(uint32_t key) /* NaN: the positive quiet one of all bits set */
{
    const uint32_t u = key >> 31 ? key & 0x7FFFFFFF : ~key;
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

enum { MTM_SORT_BITS = 11, MTM_SORT_BINS = 1 << MTM_SORT_BITS };

/* Sorts n pairs (upper half: key, lower half: anything) by key, equal keys in the order they had; the result is in a. other:
 * n pairs of room; counts: 3·MTM_SORT_BINS. Radix sort from the low digit up; n < 2³². */
void mtm_sort_pairs(uint64_t *a, uint64_t *other, uint32_t *counts, size_t n);

#endif
