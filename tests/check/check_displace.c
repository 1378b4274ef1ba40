/* tests/check/check_displace.c: the displace family: every variant gives the bits of the C reference.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

enum { CONTROL = 12, ROW = 300, ROOM = ROW + MTM_DISPLACE_SPARE };

static void check_uniform(mtm_check *c)
{
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        const uint64_t seed = mtm_rng_u64(&c->rng);
        const int64_t first =
            4 * (i % 3 == 0 ? mtm_check_below(c, INT64_C(1) << 40) : mtm_check_below(c, 1000));
        const uint32_t stream = (uint32_t)mtm_check_below(c, 3);
        float *const a = mtm_check_alloc(c, n * sizeof *a, 4), *const b =
                                                                   mtm_check_alloc(c, n * sizeof *b, 4);

        c->ref.displace.uniform(seed, stream, first, a, (int64_t)n);
        c->now.displace.uniform(seed, stream, first, b, (int64_t)n);
        mtm_check_bytes(c, "uniform", a, b, n * sizeof *a);
        for (size_t k = 0; k < n; k++)
            if (!(b[k] >= -1 && b[k] < 1))
                mtm_check_complain(c, "%g is outside [-1, 1)", (double)b[k]);
        mtm_check_case_end(c);
    }
}

/* Cells that run up or down along a row, some of them for one sample only. */
static void random_row(mtm_check *c, int32_t *cell, int32_t *until, int32_t n)
{
    const int64_t longest = 1 + mtm_check_below(c, 70);
    const bool down = mtm_check_below(c, 2);

    for (int32_t i = 0, k = 0; i < n; k++) {
        const int32_t end = i + 1 + (int32_t)mtm_check_below(c, longest);

        for (; i < end && i < n; i++)
            cell[i] = (down ? CONTROL - 4 - k % (CONTROL - 3) : k % (CONTROL - 3)),
            until[i] = end < n ? end : n;
    }
}

static void check_spline(mtm_check *c)
{
    for (int i = 0; i < 100; i++) {
        const int32_t n = 1 + (int32_t)mtm_check_below(c, ROW);
        float *const weight = mtm_check_alloc(c, sizeof(float[4][ROOM]), 4);
        float *const control = mtm_check_alloc(c, sizeof(float[3][CONTROL]), 4);
        float *const a = mtm_check_alloc(c, sizeof(float[3][ROOM]), 4);
        float *const b = mtm_check_alloc(c, sizeof(float[3][ROOM]), 4);
        const mtm_displace_row row = {mtm_check_alloc(c, (size_t)n * sizeof(int32_t), 4),
                                      mtm_check_alloc(c, (size_t)n * sizeof(int32_t), 4),
                                      {weight, weight + ROOM, weight + 2 * ROOM, weight + 3 * ROOM}};
        const float *const of[3] = {control, control + CONTROL, control + 2 * CONTROL};

        random_row(c, (int32_t *)(uintptr_t)row.cell, (int32_t *)(uintptr_t)row.until, n);
        mtm_check_fill_f32(c, weight, 4 * ROOM, 0, 1, false);
        mtm_check_fill_f32(c, control, 3 * CONTROL, -9, 9, false);
        c->ref.displace.spline(&row, of, n, (float *const[3]){a, a + ROOM, a + 2 * ROOM});
        c->now.displace.spline(&row, of, n, (float *const[3]){b, b + ROOM, b + 2 * ROOM});
        for (int k = 0; k < 3; k++)
            mtm_check_bytes(c, "spline", a + k * ROOM, b + k * ROOM, (size_t)n * sizeof *a);
        mtm_check_case_end(c);
    }
}

static void check_turn(mtm_check *c)
{
    for (int32_t n = 1; n < ROW; n += 1 + n / 8) {
        float *const d = mtm_check_alloc(c, sizeof(float[3][ROOM]), 4);
        float *const a = mtm_check_alloc(c, sizeof(float[3][ROOM]), 4);
        float *const b = mtm_check_alloc(c, sizeof(float[3][ROOM]), 4);
        const float *const of[3] = {d, d + ROOM, d + 2 * ROOM};
        float m[9];

        mtm_check_fill_f32(c, d, 3 * ROOM, -9, 9, false);
        mtm_check_fill_f32(c, m, 9, -2, 2, false);
        c->ref.displace.turn(m, of, n, (float *const[3]){a, a + ROOM, a + 2 * ROOM});
        c->now.displace.turn(m, of, n, (float *const[3]){b, b + ROOM, b + 2 * ROOM});
        for (int k = 0; k < 3; k++)
            mtm_check_bytes(c, "turn", a + k * ROOM, b + k * ROOM, (size_t)n * sizeof *a);
        mtm_check_case_end(c);
    }
}

void check_displace(mtm_check *c)
{
    const mtm_displace_kernels *const ref = &c->ref.displace, *const now = &c->now.displace;

    if (mtm_check_kernel(c, "uniform", ref->uniform, now->uniform)) {
        float *const out = mtm_check_alloc(c, 4096 * sizeof *out, 64);

        mtm_check_bench(c, 4096, ref->uniform(1, 2, 0, out, 4096), now->uniform(1, 2, 0, out, 4096));
        mtm_check_case_end(c);
        check_uniform(c);
    }
    if (mtm_check_kernel(c, "spline", ref->spline, now->spline))
        check_spline(c);
    if (mtm_check_kernel(c, "turn", ref->turn, now->turn))
        check_turn(c);
}
