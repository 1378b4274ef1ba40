/* kernel/median_body.h: sorting networks over rows of keys; a template. Whoever includes it defines mv (lanes of int32),
 * M_LANES, mv_load, mv_store, mv_min and mv_max.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_MEDIAN_BODY_H
#define MTM_KERNEL_MEDIAN_BODY_H

#include <string.h>

#include "median.h"

/* The order of the values as that of integers; its own inverse, but for NaN. */
static inline int32_t swap_order(int32_t u)
{
    return u ^ (u >> 31 & 0x7FFFFFFF);
}

static void median_keys(int32_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t u;

        memcpy(&u, x + i, sizeof u);
        out[i] = (u & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC00000 : swap_order(u);
    }
}

static inline void put_in_order(mv *a, mv *b)
{
    const mv low = mv_min(*a, *b);

    *b = mv_max(*a, *b);
    *a = low;
}

static inline mv median3(mv a, mv b, mv c)
{
    return mv_max(mv_min(a, b), mv_min(mv_max(a, b), c));
}

/* Floyd's network of 25 comparators (Knuth, The Art of Computer Programming 3, 5.3.4). */
static inline void sort9(mv v[9])
{
    static const uint8_t pair[25][2] = {{0, 3}, {1, 7}, {2, 5}, {4, 8}, {0, 7}, {2, 4}, {3, 8},
                                        {5, 6}, {0, 2}, {1, 3}, {4, 5}, {7, 8}, {1, 4}, {3, 6},
                                        {5, 7}, {0, 1}, {2, 4}, {3, 5}, {6, 8}, {2, 3}, {4, 5},
                                        {6, 7}, {1, 2}, {3, 4}, {5, 6}};

#pragma GCC unroll 25
    for (int i = 0; i < 25; i++)
        put_in_order(&v[pair[i][0]], &v[pair[i][1]]);
}

/* Batcher's odd-even merge of two ascending quadruples, v[0 … 3] and v[4 … 7]. */
static inline void merge4(mv v[8])
{
    static const uint8_t pair[9][2] = {{0, 4}, {1, 5}, {2, 6}, {3, 7}, {2, 4},
                                       {3, 5}, {1, 2}, {3, 4}, {5, 6}};

#pragma GCC unroll 9
    for (int i = 0; i < 9; i++)
        put_in_order(&v[pair[i][0]], &v[pair[i][1]]);
}

/* The median of three ascending columns of nine. Sorting each rank's three numbers keeps the columns sorted; of the 27 then
 * only 13 can be the median: the least of ranks 5 … 8, the middle of 2 … 6, the greatest of 0 … 3. Two of these three
 * ascending lists are merged, and the seventh of the rest is the least of max(i-th of the one, (7 − i)-th of the other). */
static inline mv median_of_columns(const int32_t *column, size_t pitch)
{
    mv v[8], middle[5], best;

#define M_AT(rank, x) mv_load(column + (size_t)(rank) * pitch + (x))
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        v[i] = mv_min(mv_min(M_AT(5 + i, 0), M_AT(5 + i, 1)), M_AT(5 + i, 2));
        v[4 + i] = mv_max(mv_max(M_AT(i, 0), M_AT(i, 1)), M_AT(i, 2));
    }
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        middle[i] = median3(M_AT(2 + i, 0), M_AT(2 + i, 1), M_AT(2 + i, 2));
#undef M_AT
    merge4(v);
    best = v[6];
#pragma GCC unroll 5
    for (int i = 0; i < 5; i++)
        best = mv_min(best, mv_max(v[5 - i], middle[i]));
    return best;
}

static inline mv median_of_triples(const int32_t *column, size_t pitch)
{
    const int32_t *const low = column, *const mid = column + pitch, *const high = column + 2 * pitch;

    return median3(mv_max(mv_max(mv_load(low), mv_load(low + 1)), mv_load(low + 2)),
                   median3(mv_load(mid), mv_load(mid + 1), mv_load(mid + 2)),
                   mv_min(mv_min(mv_load(high), mv_load(high + 1)), mv_load(high + 2)));
}

/* Stores one vector of keys as values, of which the first n are wanted. */
static inline void store_values(float *out, mv keys, size_t n)
{
    int32_t some[M_LANES];

    mv_store(some, keys);
    for (size_t i = 0; i < M_LANES; i++)
        some[i] = swap_order(some[i]);
    if (n >= M_LANES)
        memcpy(out, some, sizeof some);
    else
        memcpy(out, some, n * sizeof *out);
}

static void median_box27(float *out, const int32_t *const rows[9], int32_t *temp, size_t pitch, size_t n)
{
    for (size_t i = 0; i < n + 2; i += M_LANES) {
        mv v[9];

#pragma GCC unroll 9
        for (int j = 0; j < 9; j++)
            v[j] = mv_load(rows[j] + i);
        sort9(v);
#pragma GCC unroll 9
        for (int j = 0; j < 9; j++)
            mv_store(temp + (size_t)j * pitch + i, v[j]);
    }
    for (size_t i = 0; i < n; i += M_LANES)
        store_values(out + i, median_of_columns(temp + i, pitch), n - i);
}

static void median_box9(float *out, const int32_t *const rows[3], int32_t *temp, size_t pitch, size_t n)
{
    for (size_t i = 0; i < n + 2; i += M_LANES) {
        mv a = mv_load(rows[0] + i), b = mv_load(rows[1] + i), c = mv_load(rows[2] + i);

        put_in_order(&a, &b);
        put_in_order(&b, &c);
        put_in_order(&a, &b);
        mv_store(temp + i, a);
        mv_store(temp + pitch + i, b);
        mv_store(temp + 2 * pitch + i, c);
    }
    for (size_t i = 0; i < n; i += M_LANES)
        store_values(out + i, median_of_triples(temp + i, pitch), n - i);
}

/* ---- a sliding bit set of ranks ----------------------------------------------------------------------- */

/* `below` of the box's voxels lie in blocks before `block`. */
typedef struct rank_walk {
    const mtm_median_slide *s;
    int64_t below;
    uint32_t block;
} rank_walk;

/* sign 1: voxels [x, x + n) of every row of the box come; −1: they go. */
__attribute__((always_inline)) static inline void change_columns(rank_walk *w, size_t x, size_t n, int sign)
{
    const mtm_median_slide *const s = w->s;
    const uint32_t first = w->block * MTM_MEDIAN_BLOCK;
    uint64_t *const bits = s->bits;
    uint16_t *const counts = s->counts;
    int64_t below = 0;

    for (int64_t z = 0; z < s->box[0]; z++)
        for (int64_t y = 0; y < s->box[1]; y++) {
            const uint32_t *const row = s->ranks + (size_t)z * s->plane + (size_t)y * s->row + x;

            for (size_t i = 0; i < n; i++) {
                const uint32_t r = row[i];

                bits[r >> 6] ^= UINT64_C(1) << (r & 63);
                counts[r / MTM_MEDIAN_BLOCK] = (uint16_t)(counts[r / MTM_MEDIAN_BLOCK] + sign);
                below += (int64_t)(r < first);
            }
        }
    w->below += sign * below;
}

/* The rank that has k others of the box below it. */
static inline uint32_t rank_at(rank_walk *w, int64_t k)
{
    const mtm_median_slide *const s = w->s;
    const uint64_t *word;
    uint64_t bits;
    int64_t below;

    while (w->below > k)
        w->below -= s->counts[--w->block];
    while (w->below + s->counts[w->block] <= k)
        w->below += s->counts[w->block++];
    below = w->below;
    word = s->bits + (size_t)w->block * (MTM_MEDIAN_BLOCK / 64);
    for (int64_t n = __builtin_popcountll(*word); below + n <= k; n = __builtin_popcountll(*word))
        below += n, word++;
    bits = *word;
    for (; below < k; below++)
        bits &= bits - 1;
    return (uint32_t)((word - s->bits) * 64 + __builtin_ctzll(bits));
}

static void median_slide(float *out, const mtm_median_slide *s, size_t n)
{
    const size_t wide = (size_t)s->box[2];
    const int64_t half = s->box[0] * s->box[1] * s->box[2] / 2;
    rank_walk w = {.s = s, .block = (uint32_t)s->blocks / 2};

    memset(s->bits, 0, s->blocks * (MTM_MEDIAN_BLOCK / 8));
    memset(s->counts, 0, s->blocks * sizeof *s->counts);
    change_columns(&w, 0, wide, 1);
    for (size_t x = 0; x < n; x++) {
        const int32_t value = swap_order(s->sorted[rank_at(&w, half)]);

        memcpy(out + x, &value, sizeof value);
        if (x + 1 < n) {
            change_columns(&w, x, 1, -1);
            change_columns(&w, x + wide, 1, 1);
        }
    }
}

#endif
