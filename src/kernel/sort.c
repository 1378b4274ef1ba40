/* kernel/sort.c: radix sort of pairs of a key and a place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sort.h"

enum { DIGITS = 3 };

static inline uint32_t digit_of(uint64_t pair, int d)
{
    return (uint32_t)(pair >> (32 + MTM_SORT_BITS * d)) & (MTM_SORT_BINS - 1);
}

/* One pass; false: all have the same digit, and nothing was moved. */
static int scatter(const uint64_t *from, uint64_t *to, uint32_t *count, int d, size_t n)
{
    uint32_t at = 0;

    if (count[digit_of(from[0], d)] == n)
        return 0;
    for (int i = 0; i < MTM_SORT_BINS; i++) {
        const uint32_t here = count[i];

        count[i] = at;
        at += here;
    }
    for (size_t i = 0; i < n; i++)
        to[count[digit_of(from[i], d)]++] = from[i];
    return 1;
}

void mtm_sort_pairs(uint64_t *a, uint64_t *other, uint32_t *counts, size_t n)
{
    uint64_t *from = a, *to = other;

    if (n < 2)
        return;
    memset(counts, 0, DIGITS * MTM_SORT_BINS * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        for (int d = 0; d < DIGITS; d++)
            counts[d * MTM_SORT_BINS + (int)digit_of(a[i], d)]++;
    for (int d = 0; d < DIGITS; d++)
        if (scatter(from, to, counts + d * MTM_SORT_BINS, d, n)) {
            uint64_t *const t = from;

            from = to, to = t;
        }
    if (from != a)
        memcpy(a, from, n * sizeof *a);
}
