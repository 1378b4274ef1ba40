/* kernel/median.c: medians tile by tile: the C reference, the sliding bit set, and the choice of the variant.
 * SPDX-License-Identifier: Apache-2.0 */
#include "median.h"

#include "base/size.h"
#include "microtome/base.h"
#include "sort.h"

enum { M_LANES = 1 };
typedef int32_t mv;

static inline mv mv_load(const int32_t *p)
{
    return *p;
}
static inline void mv_store(int32_t *p, mv v)
{
    *p = v;
}
static inline mv mv_min(mv a, mv b)
{
    return a < b ? a : b;
}
static inline mv mv_max(mv a, mv b)
{
    return a > b ? a : b;
}

#include "median_body.h"

void mtm_median_kernels_init(mtm_median_kernels *k, unsigned cpu)
{
    *k = (mtm_median_kernels){median_keys, median_box27, median_box9, median_slide};
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    mtm_median_kernels_avx2(k);
    if (!(cpu & MTM_CPU_AVX512))
        return;
    mtm_median_kernels_avx512(k);
#endif
}

/* ---- plan --------------------------------------------------------------------------------------------- */

enum {
    NETWORK_BYTES = 256 << 10, /* of a tile's keys: they stay in the second-level cache */
    RANK_VOXELS = 1 << 16      /* of a tile with its border, where the box is small */
};

/* Keys of a tile with its border: rows of a pitch, planes of rows. */
typedef struct tile_shape {
    int64_t size[3], padded[3];
    size_t pitch;
} tile_shape;

static tile_shape shape_of(const mtm_median_plan *p, const int64_t start[3])
{
    tile_shape t;

    for (int i = 0; i < 3; i++) {
        t.size[i] = mtm_min_i64(p->tile[i], p->size[i] - start[i]);
        t.padded[i] = t.size[i] + 2 * p->radius[i];
    }
    t.pitch = p->network ? ((size_t)t.padded[2] + 15) / 16 * 16 + MTM_MEDIAN_PAD : (size_t)t.padded[2];
    return t;
}

static int64_t key_count(const tile_shape *t)
{
    return t->padded[0] * t->padded[1] * (int64_t)t->pitch;
}

static size_t block_count(size_t ranks)
{
    return ranks / MTM_MEDIAN_BLOCK + 1;
}

/* Whole rows, and as many of them as fit. */
static void plan_network(mtm_median_plan *p)
{
    int64_t rows;
    tile_shape t;

    p->tile[0] = mtm_min_i64(p->size[0], 8), p->tile[1] = 1, p->tile[2] = p->size[2];
    t = shape_of(p, (const int64_t[3]){0});
    rows = NETWORK_BYTES / (4 * (int64_t)t.pitch * t.padded[0]);
    p->tile[1] = mtm_clamp_i64(rows - 2, 1, p->size[1]);
    t = shape_of(p, (const int64_t[3]){0});
    p->scratch_bytes = ((size_t)key_count(&t) + 9 * t.pitch) * sizeof(int32_t);
}

/* A box so large that its border outweighs the tile gets a larger tile. */
static void plan_ranks(mtm_median_plan *p)
{
    const int64_t box = (2 * p->radius[0] + 1) * (2 * p->radius[1] + 1) * (2 * p->radius[2] + 1);
    const int64_t most = mtm_max_i64(RANK_VOXELS, 8 * box);
    tile_shape t;
    size_t n;

    p->tile[0] = p->size[0], p->tile[1] = p->size[1], p->tile[2] = mtm_min_i64(p->size[2], 64);
    t = shape_of(p, (const int64_t[3]){0});
    while (key_count(&t) > most && (p->tile[0] > 1 || p->tile[1] > 1 || p->tile[2] > 16)) {
        const int axis = p->tile[0] >= p->tile[1] && p->tile[0] > 1 ? 0 : p->tile[1] > 1 ? 1 : 2;

        p->tile[axis] -= (p->tile[axis] + 7) / 8;
        t = shape_of(p, (const int64_t[3]){0});
    }
    n = (size_t)key_count(&t);
    p->scratch_bytes = n * (2 * sizeof(uint64_t) + 2 * sizeof(uint32_t)) +
                       block_count(n) * MTM_MEDIAN_BLOCK / 8 + 3 * MTM_SORT_BINS * sizeof(uint32_t);
}

void mtm_median_plan_make(mtm_median_plan *p, const int64_t size[3], const int64_t radius[3])
{
    memcpy(p->size, size, sizeof p->size);
    memcpy(p->radius, radius, sizeof p->radius);
    p->network = radius[2] == 1 && radius[1] == 1 && radius[0] <= 1;
    if (p->network)
        plan_network(p);
    else
        plan_ranks(p);
}

/* ---- reading ------------------------------------------------------------------------------------------ */

/* Which of n voxels is number i of the reflected axis. */
static int64_t reflect(int64_t i, int64_t n)
{
    const int64_t m = i % (2 * n), k = m < 0 ? m + 2 * n : m;

    return k < n ? k : 2 * n - 1 - k;
}

/* The keys of a tile and its border. */
static void fetch_keys(const mtm_median_kernels *k, const mtm_median_plan *p, const tile_shape *t,
                       const float *in, const int64_t in_stride[2], const int64_t start[3], int32_t *keys)
{
    const int64_t n = p->size[2], x0 = start[2] - p->radius[2], x1 = x0 + t->padded[2];
    const int64_t inner0 = mtm_max_i64(x0, 0), inner1 = mtm_min_i64(x1, n);

    for (int64_t z = 0; z < t->padded[0]; z++)
        for (int64_t y = 0; y < t->padded[1]; y++) {
            const float *const row =
                (const float *)(const void *)((const char *)in +
                                              reflect(start[0] - p->radius[0] + z, p->size[0]) *
                                                  in_stride[0] +
                                              reflect(start[1] - p->radius[1] + y, p->size[1]) *
                                                  in_stride[1]);
            int32_t *const out = keys + (size_t)(z * t->padded[1] + y) * t->pitch;

            k->keys(out + (inner0 - x0), row + inner0, (size_t)(inner1 - inner0));
            for (int64_t x = x0; x < inner0; x++)
                k->keys(out + (x - x0), row + reflect(x, n), 1);
            for (int64_t x = inner1; x < x1; x++)
                k->keys(out + (x - x0), row + reflect(x, n), 1);
        }
}

static float *row_of(float *out, const int64_t stride[2], const int64_t start[3], int64_t z, int64_t y)
{
    char *const at = (char *)out + (start[0] + z) * stride[0] + (start[1] + y) * stride[1];

    return (float *)(void *)at + start[2];
}

/* ---- networks ----------------------------------------------------------------------------------------- */

static void network_tile(const mtm_median_kernels *k, const mtm_median_plan *p, const tile_shape *t,
                         const int64_t start[3], float *out, const int64_t out_stride[2], const int32_t *keys,
                         int32_t *temp)
{
    for (int64_t z = 0; z < t->size[0]; z++)
        for (int64_t y = 0; y < t->size[1]; y++) {
            float *const to = row_of(out, out_stride, start, z, y);
            const int planes = p->radius[0] ? 3 : 1;
            const int32_t *rows[9];

            for (int i = 0; i < 3 * planes; i++)
                rows[i] = keys + (size_t)((z + i / 3) * t->padded[1] + y + i % 3) * t->pitch;
            if (planes == 3)
                k->box27(to, rows, temp, t->pitch, (size_t)t->size[2]);
            else
                k->box9(to, rows, temp, t->pitch, (size_t)t->size[2]);
        }
}

/* ---- ranks ------------------------------------------------------------------------------------------- */

static void rank_tile(const mtm_median_kernels *k, const mtm_median_plan *p, const tile_shape *t,
                      const int64_t start[3], float *out, const int64_t out_stride[2], int32_t *keys,
                      uint64_t *memory)
{
    const size_t n = (size_t)key_count(t), blocks = block_count(n);
    uint64_t *const pairs = memory, *const other = pairs + n, *const bits = other + n;
    uint32_t *const ranks = (uint32_t *)(void *)(bits + blocks * MTM_MEDIAN_BLOCK / 64);
    uint32_t *const counts = ranks + n;
    mtm_median_slide s = {.plane = (size_t)t->padded[1] * t->pitch,
                          .row = t->pitch,
                          .sorted = keys,
                          .bits = bits,
                          .counts = (uint16_t *)(void *)counts,
                          .blocks = blocks};

    for (size_t i = 0; i < n; i++)
        pairs[i] = (uint64_t)((uint32_t)keys[i] ^ 0x80000000u) << 32 | i;
    mtm_sort_pairs(pairs, other, counts, n);
    for (size_t i = 0; i < n; i++) {
        ranks[(uint32_t)pairs[i]] = (uint32_t)i;
        keys[i] = (int32_t)((uint32_t)(pairs[i] >> 32) ^ 0x80000000u);
    }
    for (int i = 0; i < 3; i++)
        s.box[i] = 2 * p->radius[i] + 1;
    for (int64_t z = 0; z < t->size[0]; z++)
        for (int64_t y = 0; y < t->size[1]; y++) {
            s.ranks = ranks + (size_t)z * s.plane + (size_t)y * s.row;
            k->slide(row_of(out, out_stride, start, z, y), &s, (size_t)t->size[2]);
        }
}

void mtm_median_tile(const mtm_median_kernels *k, const mtm_median_plan *p, const float *in,
                     const int64_t in_stride[2], const int64_t start[3], float *out,
                     const int64_t out_stride[2], void *scratch)
{
    const tile_shape t = shape_of(p, start);
    const size_t n = (size_t)key_count(&t);
    int32_t *const keys = scratch;

    if (p->network) {
        fetch_keys(k, p, &t, in, in_stride, start, keys);
        network_tile(k, p, &t, start, out, out_stride, keys, keys + n);
        return;
    }
    uint64_t *const memory = scratch;
    int32_t *const behind =
        (int32_t *)(void *)(memory + 2 * n + block_count(n) * MTM_MEDIAN_BLOCK / 64) + n + 3 * MTM_SORT_BINS;

    fetch_keys(k, p, &t, in, in_stride, start, behind);
    rank_tile(k, p, &t, start, out, out_stride, behind, memory);
}
