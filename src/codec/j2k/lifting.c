/* codec/j2k/lifting.c: see lifting.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "lifting.h"

static int steps_of(const j2k_lifting *l)
{
    return l->type == MTM_COEF_F32 ? MTM_WAVELET_STEPS_97 : MTM_WAVELET_STEPS_53;
}

/* Whether step s changes odd rows. */
static bool changes_odd(const j2k_lifting *l, int s)
{
    return (s & 1) != (int)l->forward;
}

mtm_status j2k_lifting_init(j2k_lifting *l, const mtm_wavelet_kernels *k, mtm_coef type, bool forward,
                            int64_t y0, int64_t y1, size_t n, j2k_arena *arena, mtm_error *err)
{
    size_t bytes;

    *l = (j2k_lifting){.k = k, .type = type, .forward = forward, .y0 = y0, .y1 = y1, .n = n};
    if (__builtin_mul_overflow(n, mtm_coef_bytes(type), &bytes) || bytes > SIZE_MAX / 16)
        return MTM_NOMEM(err);
    l->row_bytes = (bytes + 127) / 64 * 64;
    l->ring = j2k_arena_take(arena, l->row_bytes * (size_t)(steps_of(l) + 2));
    if (!l->ring)
        return MTM_NOMEM(err);
    j2k_lifting_restart(l);
    return MTM_OK;
}

void j2k_lifting_restart(j2k_lifting *l)
{
    l->arrived = l->final = l->y0;
    for (int s = 0; s < steps_of(l); s++)
        l->next[s] = l->y0 + ((l->y0 & 1) != (int64_t)changes_odd(l, s));
}

void j2k_seen_row(mtm_seen16 *seen, const mtm_wavelet_kernels *k, const int16_t *row, size_t n)
{
    mtm_range16 r = {seen->lo[0], seen->hi[0]};

    k->range16(row, n, &r);
    seen->lo[0] = r.lo, seen->hi[0] = r.hi;
}

static void run_step(j2k_lifting *l, int s, int64_t y)
{
    void *const row = j2k_lifting_row(l, y);
    const void *const a = j2k_lifting_row(l, y > l->y0 ? y - 1 : y + 1);
    const void *const b = j2k_lifting_row(l, y + 1 < l->y1 ? y + 1 : y - 1);

    (l->forward ? l->k->forward_step : l->k->inverse_step)[l->type](row, a, b, l->n, s);
    if (l->seen)
        j2k_seen_row(l->seen, l->k, row, l->n);
}

/* Step s needs its row, and of the neighbours those that exist, with the step before done on them. */
static bool can_run(const j2k_lifting *l, int s, int64_t y)
{
    const int64_t below = y + 1 < l->y1 ? y + 1 : y - 1;

    return y < l->arrived && (s ? below < l->next[s - 1] : below < l->arrived);
}

/* The usual case: the row that arrived lets every step run once, on neighbouring rows. */
static bool run_together(j2k_lifting *l)
{
    const int steps = steps_of(l);
    const int64_t y = l->arrived - 1;
    void *rows[MTM_WAVELET_STEPS_97 + 2];

    if (y - steps - 1 < l->y0 || l->next[0] != y - 1)
        return false;
    for (int s = 1; s < steps; s++)
        if (l->next[s] != y - 1 - s)
            return false;
    for (int i = 0; i < steps + 2; i++)
        rows[i] = j2k_lifting_row(l, y - i);
    if (l->seen)
        l->k->inverse_steps_seen(rows, l->n, l->seen);
    else
        (l->forward ? l->k->forward_steps : l->k->inverse_steps)[l->type](rows, l->n);
    for (int s = 0; s < steps; s++)
        l->next[s] += 2;
    return true;
}

/* A single row is not lifted (T.800 F.3.6): even ones are copied, odd ones halved, inverse, or doubled, forward;
 * that is what the row transform of one sample does. */
static void run_alone(j2k_lifting *l)
{
    const size_t size = mtm_coef_bytes(l->type);
    char *const row = j2k_lifting_row(l, l->y0);
    _Alignas(64) char sample[128];

    for (size_t i = 0; (l->y0 & 1) && i < l->n; i++) {
        memcpy(sample, row + i * size, size);
        if (l->forward)
            l->k->forward_row[l->type](NULL, sample + 64, sample, 1, true, 1);
        else
            l->k->inverse_row[l->type](sample + 64, NULL, sample, 1, true, 1);
        memcpy(row + i * size, sample + 64, size);
    }
    l->final = l->y1;
}

void j2k_lifting_arrive(j2k_lifting *l)
{
    const int steps = steps_of(l);
    int64_t last;

    l->arrived++;
    if (l->y1 - l->y0 == 1) {
        run_alone(l);
        return;
    }
    if (!run_together(l) || l->arrived == l->y1)
        for (int s = 0; s < steps; s++)
            for (; l->next[s] < l->y1 && can_run(l, s, l->next[s]); l->next[s] += 2)
                run_step(l, s, l->next[s]);
    last = mtm_min_i64(l->next[steps - 2], l->next[steps - 1]);
    l->final = mtm_min_i64(last, l->y1);
}

static bool alone_and_odd(int64_t from, int64_t to)
{
    return to - from == 1 && (from & 1);
}

int16_t j2k_offset16(const j2k_tile_component *tc, int bits, bool is_signed)
{
    if (is_signed || bits < 15 || bits > 16)
        return 0;
    for (int32_t r = 1; r <= tc->levels; r++) {
        const j2k_rect *const full = &tc->resolutions[r].full;

        if (alone_and_odd(full->x0, full->x1) || alone_and_odd(full->y0, full->y1))
            return 0;
    }
    return (int16_t)((1 << (bits - 1)) - 8192);
}
