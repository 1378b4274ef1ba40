/* codec/j2k/synthesis.c: the inverse wavelet transform of a tile-component, pulled row by row from the top
 * resolution. Each resolution joins its bands' rows along x (HOR_SR), and lifts the joined rows along y (VER_SR):
 * T.800 F.3.2, F.3.4, F.3.5.
 *
 * Zen 4 with AVX-512, 512² pixels, five levels, rows in the first-level cache, with the store: int16 0.8 cycles a
 * sample (0.9 on trial, where the range is recorded), int32 1.2, float 1.8.
 * SPDX-License-Identifier: Apache-2.0 */
#include "synthesis.h"

#include "lifting.h"

typedef struct level {
    const j2k_resolution *r;
    j2k_lifting lift; /* over r->made */
    size_t low, high; /* samples of a joined row that are low-pass, high-pass */
    int64_t low_x0, high_x0;
} level;

struct j2k_synthesis {
    const j2k_tile_component *tc;
    mtm_coef type;
    size_t coef_bytes;
    const mtm_wavelet_kernels *k;
    j2k_synthesis_source source;
    int64_t y; /* row of the top resolution that is asked for next */
    bool check;
    mtm_seen16 seen;
    int16_t offset, *shifted; /* a row of resolution 0 with the offset */
    level *levels;            /* [top + 1]; [0] has no lifting */
};

static mtm_status level_init(j2k_synthesis *s, level *l, const j2k_resolution *r, j2k_arena *arena,
                             mtm_error *err)
{
    const j2k_rect *const made = &r->made;
    const int64_t n = mtm_max_i64(made->x1 - made->x0, 0);

    l->r = r;
    l->low_x0 = (made->x0 + 1) >> 1, l->high_x0 = made->x0 >> 1;
    l->low = (size_t)(n + !(made->x0 & 1)) / 2, l->high = (size_t)n - l->low;
    MTM_TRY(j2k_lifting_init(&l->lift, s->k, s->type, false, made->y0, mtm_max_i64(made->y0, made->y1),
                             (size_t)n, arena, err));
    if (s->check)
        l->lift.seen = &s->seen;
    return MTM_OK;
}

mtm_status j2k_synthesis_new(j2k_synthesis **out, const j2k_tile_component *tc, mtm_coef type, bool check,
                             const mtm_wavelet_kernels *k, j2k_synthesis_source source, j2k_arena *arena,
                             mtm_error *err)
{
    j2k_synthesis *const s = j2k_arena_take_zero(arena, 1, sizeof *s);

    if (!s || !(s->levels = j2k_arena_take_zero(arena, (size_t)tc->top + 1, sizeof *s->levels)))
        return MTM_NOMEM(err);
    const j2k_rect *const base = &tc->resolutions[0].need;
    if (type == MTM_COEF_I16 && check &&
        !(s->shifted =
              j2k_arena_take(arena, (size_t)mtm_max_i64(base->x1 - base->x0, 0) * sizeof *s->shifted)))
        return MTM_NOMEM(err);
    s->tc = tc, s->type = type, s->coef_bytes = mtm_coef_bytes(type), s->k = k, s->source = source;
    s->check = check && type == MTM_COEF_I16;
    s->levels[0].r = &tc->resolutions[0];
    for (int32_t r = 1; r <= tc->top; r++)
        MTM_TRY(level_init(s, &s->levels[r], &tc->resolutions[r], arena, err));
    j2k_synthesis_restart(s);
    *out = s;
    return MTM_OK;
}

void j2k_synthesis_restart(j2k_synthesis *s)
{
    s->y = s->tc->resolutions[s->tc->top].need.y0;
    memset(&s->seen, 0, sizeof s->seen);
    for (int32_t r = 1; r <= s->tc->top; r++)
        j2k_lifting_restart(&s->levels[r].lift);
}

void j2k_synthesis_offset(j2k_synthesis *s, int16_t offset)
{
    s->offset = offset;
}

/* Row v of a band from column x0 on; any pointer where nothing is wanted of it. */
static const void *band_row(j2k_synthesis *s, int32_t r, int32_t band, int64_t v, int64_t x0, size_t n)
{
    const j2k_band *const b = &s->levels[r].r->bands[band];
    const size_t size = r == 0 && s->offset ? sizeof(int32_t) : s->coef_bytes;
    const char *const row = n ? s->source.row(s->source.user, r, band, v) : (const char *)s;

    return row && n ? row + (size_t)(x0 - b->win.x0) * size : row;
}

/* Row y of resolution 0. */
static const void *base_row(j2k_synthesis *s, int64_t y, int64_t x0, size_t n)
{
    const void *const row = band_row(s, 0, 0, y, x0, n);
    const int32_t *const wide = row;

    if (!row || !s->offset)
        return row;
    for (size_t i = 0; i < n; i++)
        s->shifted[i] = (int16_t)mtm_clamp_i64((int64_t)wide[i] + s->offset, INT16_MIN, INT16_MAX);
    j2k_seen_row(&s->seen, s->k, s->shifted, n);
    return s->shifted;
}

static const void *resolution_row(j2k_synthesis *s, int32_t r, int64_t y, int64_t x0, size_t n);

/* HOR_SR: row y of resolution r before it is lifted along y. The 9/7's scaling along y is done here, with the one
 * along x. */
static bool join_row(j2k_synthesis *s, int32_t r)
{
    level *const l = &s->levels[r];
    const int64_t y = l->lift.arrived, v = y >> 1;
    const bool odd = y & 1, odd_x = l->r->made.x0 & 1;
    const float k = (float)MTM_WAVELET_K, inverse_k = (float)(1 / MTM_WAVELET_K);
    const void *const low =
        odd ? band_row(s, r, 1, v, l->low_x0, l->low) : resolution_row(s, r - 1, v, l->low_x0, l->low);
    const void *const high = low ? band_row(s, r, odd ? 2 : 0, v, l->high_x0, l->high) : NULL;
    void *const dst = j2k_lifting_row(&l->lift, y);

    if (!high)
        return false;
    if (s->check)
        s->k->inverse_row_seen(dst, low, high, l->lift.n, odd_x, &s->seen);
    else
        s->k->inverse_row[s->type](dst, low, high, l->lift.n, odd_x,
                                   l->lift.y1 - l->lift.y0 == 1 ? 1
                                   : odd                        ? inverse_k
                                                                : k);
    return true;
}

/* Row y of resolution r from column x0 on, n samples, or NULL: the source failed. */
static const void *resolution_row(j2k_synthesis *s, int32_t r, int64_t y, int64_t x0, size_t n)
{
    level *const l = &s->levels[r];

    if (n == 0)
        return s; /* nothing is read */
    if (r == 0)
        return base_row(s, y, x0, n);
    for (; l->lift.final <= y; j2k_lifting_arrive(&l->lift))
        if (!join_row(s, r))
            return NULL;
    return (const char *)j2k_lifting_row(&l->lift, y) + (size_t)(x0 - l->r->made.x0) * s->coef_bytes;
}

const void *j2k_synthesis_next(j2k_synthesis *s)
{
    const j2k_rect *const need = &s->tc->resolutions[s->tc->top].need;

    return resolution_row(s, s->tc->top, s->y++, need->x0, (size_t)mtm_max_i64(need->x1 - need->x0, 0));
}

bool j2k_synthesis_exact(const j2k_synthesis *s)
{
    int16_t beyond = 0;

    for (int i = 0; i < MTM_SEEN_LANES; i++)
        beyond |=
            (int16_t)(s->seen.lo[i] < MTM_WAVELET_LEAST16) | (int16_t)(s->seen.hi[i] > MTM_WAVELET_MOST16);
    return !beyond;
}
