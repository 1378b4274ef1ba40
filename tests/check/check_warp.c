/* tests/check/check_warp.c: the warp family: taps and copies equal to the bit, interpolated values within a few ulp of the
 * largest value in reach.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

enum { SIDE = 12, PITCH = 16, VOXELS = SIDE * SIDE * PITCH };

static double number(mtm_check *c, double lo, double hi)
{
    return lo + (hi - lo) * (double)mtm_check_below(c, 1 << 20) / (1 << 20);
}

static void random_grid(mtm_check *c, mtm_warp_grid *g, int i)
{
    *g = (mtm_warp_grid){.interp = (mtm_interp)(i % 3), .border = (mtm_border)(i % 5), .pad = 3};
    for (int a = 0; a < 3; a++)
        g->size[a] = 1 + mtm_check_below(c, 9);
    g->stride[0] = 1, g->stride[1] = mtm_check_below(c, 1000) - 500,
    g->stride[2] = mtm_check_below(c, 100000);
    g->first = mtm_check_below(c, 1000) - 500;
    mtm_warp_grid_fold(g);
}

static void random_row(mtm_check *c, mtm_warp_row *row, int i)
{
    const double wide = i % 7 == 0 ? 1e60 : i % 5 == 0 ? 1e4 : 20;

    for (int a = 0; a < 3; a++) {
        row->at[a] = i % 4 == 0 ? (double)(mtm_check_below(c, 20) - 10) : number(c, -wide, wide);
        row->step[a] = i % 4 == 0 ? (double)(mtm_check_below(c, 5) - 2) : number(c, -2, 2) * wide / 20;
    }
}

static void check_locate(mtm_check *c)
{
    for (int i = 0; i < 900; i++) {
        const int32_t n = 1 + (int32_t)mtm_check_below(c, MTM_WARP_CHUNK);
        mtm_warp_taps *const a = mtm_check_alloc(c, sizeof *a, 64), *const b =
                                                                        mtm_check_alloc(c, sizeof *b, 64);
        const int64_t x0 = mtm_check_below(c, 100);
        mtm_warp_grid g;
        mtm_warp_row row;

        random_grid(c, &g, i);
        random_row(c, &row, i);
        if (i / 3 % 3 == 1) /* along a line of the input */
            row.step[1] = row.step[2] = 0;
        c->ref.warp.locate(&g, &row, x0, n, a);
        c->now.warp.locate(&g, &row, x0, n, b);
        for (int32_t k = 0; k < (n + 7) / 8 * 8; k++)
            mtm_check_i64(c, "offset", a->offset[k], b->offset[k]);
        for (int k = 0; k < 3 && g.interp != MTM_NEAREST; k++)
            mtm_check_f32(c, "fraction", a->f[k], b->f[k], (size_t)n, 0, 0);
        mtm_check_case_end(c);
    }
}

static void check_locate_bent(mtm_check *c)
{
    for (int i = 0; i < 600; i++) {
        const int32_t n = 1 + (int32_t)mtm_check_below(c, MTM_WARP_CHUNK);
        mtm_warp_taps *const a = mtm_check_alloc(c, sizeof *a, 64), *const b =
                                                                        mtm_check_alloc(c, sizeof *b, 64);
        float *const room = mtm_check_alloc(c, sizeof(float[3][MTM_WARP_CHUNK]), 4);
        const float *const bend[3] = {room, room + MTM_WARP_CHUNK, room + 2 * MTM_WARP_CHUNK};
        const int64_t x0 = mtm_check_below(c, 100);
        bool every = true;
        mtm_warp_grid g;
        mtm_warp_row row;

        random_grid(c, &g, i);
        random_row(c, &row, i);
        mtm_check_fill_f32(c, room, 3 * MTM_WARP_CHUNK, -4, 4, false);
        mtm_check_i64(c, "inside", c->ref.warp.locate_bent(&g, &row, x0, n, bend, a),
                      c->now.warp.locate_bent(&g, &row, x0, n, bend, b));
        for (int32_t k = 0; k < n; k++)
            every = every &&
                    mtm_warp_bent_inside(&g, &row, x0 + k, (float[3]){bend[0][k], bend[1][k], bend[2][k]});
        mtm_check_i64(c, "each inside", every, c->now.warp.locate_bent(&g, &row, x0, n, bend, b));
        for (int32_t k = 0; k < (n + 7) / 8 * 8; k++)
            mtm_check_i64(c, "offset", a->offset[k], b->offset[k]);
        for (int k = 0; k < 3 && g.interp != MTM_NEAREST; k++)
            mtm_check_f32(c, "fraction", a->f[k], b->f[k], (size_t)n, 0, 0);
        mtm_check_case_end(c);
    }
}

/* Taps anywhere in a small volume, whose margin cubic taps need. */
static void random_taps(mtm_check *c, mtm_warp_taps *t, int32_t n)
{
    for (int32_t i = 0; i < MTM_WARP_CHUNK; i++) {
        const int64_t x = 1 + mtm_check_below(c, SIDE - 3), y = 1 + mtm_check_below(c, SIDE - 3);

        t->offset[i] = ((1 + mtm_check_below(c, SIDE - 3)) * SIDE + y) * PITCH + x;
    }
    for (int a = 0; a < 3; a++)
        mtm_check_fill_f32(c, t->f[a], MTM_WARP_CHUNK, 0, 1, false);
    for (int32_t i = n; i % 8; i++)
        t->offset[i] = t->offset[n - 1];
}

typedef void gather_fn(const float *, const mtm_warp_taps *, int32_t, const int64_t[3], float *);

static void check_gather(mtm_check *c, const char *name, gather_fn *ref, gather_fn *now,
                         const int64_t stride[3])
{
    float *const volume = mtm_check_alloc(c, VOXELS * sizeof *volume, 4);

    mtm_check_fill_f32(c, volume, VOXELS, -1, 1, false);
    for (int32_t n = 1; n <= MTM_WARP_CHUNK; n += n < 40 ? 1 : 11) {
        mtm_warp_taps taps;
        float a[MTM_WARP_CHUNK + 8], b[MTM_WARP_CHUNK + 8];

        random_taps(c, &taps, n);
        memset(a, 0xa5, sizeof a), memset(b, 0xa5, sizeof b);
        ref(volume, &taps, n, stride, a);
        now(volume, &taps, n, stride, b);
        mtm_check_f32(c, name, a, b, (size_t)n, 2, 1e-6);
        mtm_check_bytes(c, "beyond the end", a + n, b + n, (MTM_WARP_CHUNK + 8 - (size_t)n) * sizeof *a);
    }
    mtm_check_case_end(c);
}

/* Taps along a line of the volume, and the general gather of the same tier, whose bits it must give. */
static void check_straight(mtm_check *c)
{
    static const int64_t pair[3] = {1, 300, 700}; /* of a volume with long rows */
    float *const volume = mtm_check_alloc(c, VOXELS * sizeof *volume, 4);

    mtm_check_fill_f32(c, volume, VOXELS, -1, 1, false);
    for (int32_t n = 1; n <= MTM_WARP_CHUNK; n += n < 40 ? 1 : 11) {
        mtm_warp_taps taps;
        float a[MTM_WARP_CHUNK + 8], b[MTM_WARP_CHUNK + 8];
        const int64_t most = 1 + mtm_check_below(c, MTM_WARP_SPAN), back = n % 2 ? most - 1 : 0;
        const int64_t line = mtm_check_below(c, VOXELS - 1000 - most);

        random_taps(c, &taps, n);
        for (int32_t i = 0; i < MTM_WARP_CHUNK; i++) {
            const int64_t k = (i < n ? i : n - 1) * most / n;

            taps.offset[i] = line + (back ? back - k : k);
            taps.f[1][i] = taps.f[1][0], taps.f[2][i] = taps.f[2][0];
        }
        memset(a, 0xa5, sizeof a), memset(b, 0xa5, sizeof b);
        c->now.warp.linear(volume, &taps, n, pair, a);
        c->now.warp.straight(volume, &taps, n, pair, b);
        mtm_check_bytes(c, "straight", a, b, sizeof a);
        c->ref.warp.straight(volume, &taps, n, pair, a);
        mtm_check_f32(c, "straight", a, b, (size_t)n, 2, 1e-6);
    }
    mtm_check_case_end(c);
}

static void check_spline(mtm_check *c)
{
    for (int64_t n = 1; n < 70; n++) {
        const size_t room = (size_t)n * MTM_SPLINE_LANES;
        float *const a = mtm_check_alloc(c, room * sizeof *a, 4), *const b =
                                                                      mtm_check_alloc(c, room * sizeof *b, 4);

        mtm_check_fill_f32(c, a, room, -1, 1, false);
        memcpy(b, a, room * sizeof *a);
        c->ref.warp.spline(a, n);
        c->now.warp.spline(b, n);
        mtm_check_f32(c, "spline", a, b, room, 2, 5e-6); /* coefficients reach 6 times the samples */
        mtm_check_case_end(c);
    }
}

static void check_load_store(mtm_check *c, bool store)
{
    for (int32_t lanes = 1; lanes <= MTM_SPLINE_LANES; lanes += lanes < 9 ? 1 : 5)
        for (int64_t n = 1; n < 60; n += 1 + n / 8) {
            const size_t room = (size_t)n * MTM_SPLINE_LANES;
            float *const a = mtm_check_alloc(c, room * sizeof *a, 4);
            float *const b = mtm_check_alloc(c, room * sizeof *b, 4);
            float *const in = mtm_check_alloc(c, room * sizeof *in, 4);
            float *to_a[MTM_SPLINE_LANES], *to_b[MTM_SPLINE_LANES];
            const float *from[MTM_SPLINE_LANES];
            int32_t map[64];

            mtm_check_fill_f32(c, in, room, -1, 1, false);
            memset(a, 0, room * sizeof *a), memset(b, 0, room * sizeof *b);
            for (int32_t j = 0; j < MTM_SPLINE_LANES; j++)
                from[j] = in + j * n, to_a[j] = a + j * n, to_b[j] = b + j * n;
            for (int64_t k = 0; k < n; k++) /* a border before and after some middle */
                map[k] = (int32_t)mtm_border_index((mtm_border)(n % 5), k - n / 3, n - n / 2);
            if (store) {
                c->ref.warp.spline_store(in, n, to_a, lanes);
                c->now.warp.spline_store(in, n, to_b, lanes);
            } else {
                c->ref.warp.spline_load(from, lanes, map, n, 7, a);
                c->now.warp.spline_load(from, lanes, map, n, 7, b);
            }
            mtm_check_bytes(c, "transposed", a, b, room * sizeof *a);
            mtm_check_case_end(c);
        }
}

static void bench_gather(mtm_check *c, gather_fn *ref, gather_fn *now, const int64_t stride[3])
{
    float *const volume = mtm_check_alloc(c, VOXELS * sizeof *volume, 64);
    mtm_warp_taps taps;
    float out[MTM_WARP_CHUNK];

    mtm_check_fill_f32(c, volume, VOXELS, -1, 1, false);
    random_taps(c, &taps, MTM_WARP_CHUNK);
    mtm_check_bench(c, MTM_WARP_CHUNK, ref(volume, &taps, MTM_WARP_CHUNK, stride, out),
                    now(volume, &taps, MTM_WARP_CHUNK, stride, out));
    mtm_check_case_end(c);
}

void check_warp(mtm_check *c)
{
    static const int64_t stride[3] = {1, PITCH, SIDE * PITCH}, flat[3] = {0, PITCH, 0};
    const mtm_warp_kernels *const ref = &c->ref.warp, *const now = &c->now.warp;

    if (mtm_check_kernel(c, "locate", ref->locate, now->locate))
        check_locate(c);
    if (mtm_check_kernel(c, "locate_bent", ref->locate_bent, now->locate_bent))
        check_locate_bent(c);
    if (mtm_check_kernel(c, "linear", ref->linear, now->linear)) {
        check_gather(c, "linear", ref->linear, now->linear, stride);
        check_gather(c, "linear, one voxel thick", ref->linear, now->linear, flat);
        bench_gather(c, ref->linear, now->linear, stride);
    }
    if (mtm_check_kernel(c, "straight", ref->straight, now->straight))
        check_straight(c);
    if (mtm_check_kernel(c, "cubic", ref->cubic, now->cubic)) {
        check_gather(c, "cubic", ref->cubic, now->cubic, stride);
        bench_gather(c, ref->cubic, now->cubic, stride);
    }
    if (mtm_check_kernel(c, "spline", ref->spline, now->spline))
        check_spline(c);
    if (mtm_check_kernel(c, "spline_load", ref->spline_load, now->spline_load))
        check_load_store(c, false);
    if (mtm_check_kernel(c, "spline_store", ref->spline_store, now->spline_store))
        check_load_store(c, true);
}
