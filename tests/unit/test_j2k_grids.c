/* tests/unit/test_j2k_grids.c: JPEG 2000 grids and windows against brute force, progressions
 * against the standard's loops.
 * SPDX-License-Identifier: Apache-2.0 */
#include "j2k_streams.h"

#include "base/size.h"

/* ---- grids -------------------------------------------------------------------------------------------- */

/* One dimension of a resolution: which band coordinates its samples fall to (F.3.2), by stepping. */
static void brute_split(const int64_t *u, int n, int64_t *low, int *n_low, int64_t *high, int *n_high)
{
    *n_low = *n_high = 0;
    for (int i = 0; i < n; i++) {
        if (u[i] % 2 == 0)
            low[(*n_low)++] = u[i] / 2;
        else
            high[(*n_high)++] = (u[i] - 1) / 2;
    }
}

static void brute_axis(int64_t lo, int64_t hi, int64_t d, int levels, int64_t (*res)[2], int64_t (*high)[2])
{
    int64_t u[512], l[512], h[512];
    int n = 0, n_low, n_high;

    for (int64_t x = lo; x < hi; x++) /* samples of the component: reference points divisible by d */
        if (x % d == 0)
            u[n++] = x / d;
    for (int r = levels; r >= 0; r--) {
        res[r][0] = n ? u[0] : 0, res[r][1] = n ? u[n - 1] + 1 : 0;
        brute_split(u, n, l, &n_low, h, &n_high);
        high[r][0] = n_high ? h[0] : 0, high[r][1] = n_high ? h[n_high - 1] + 1 : 0;
        memcpy(u, l, sizeof u), n = n_low;
    }
}

static void same_range(int64_t lo, int64_t hi, const int64_t expected[2])
{
    if (expected[0] == expected[1]) {
        assert_true(hi <= lo);
        return;
    }
    assert_int_equal(lo, expected[0]);
    assert_int_equal(hi, expected[1]);
}

static void test_rectangles(void **state)
{
    mtm_rng r = mtm_rng_at(7, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 300; i++) {
        const w_spec s = w_random_grid(&r);
        w_stream w = {0};
        mtm_error err = {0};

        w_params_of(&w, &s);
        for (int64_t t = 0; t < w.n_tiles; t++) {
            const j2k_rect tile = j2k_tile_rect(&w.size, t);
            j2k_tile layout;

            assert_ok(
                j2k_tile_layout(&layout, &w.size, &w.params, t, NULL, UINT64_MAX, NULL, &w.arena, &err));
            for (int c = 0; c < s.n_components; c++) {
                int64_t rx[33][2], ry[33][2], hx[33][2], hy[33][2];

                brute_axis(tile.x0, tile.x1, s.dx[c], s.levels, rx, hx);
                brute_axis(tile.y0, tile.y1, s.dy[c], s.levels, ry, hy);
                for (int k = 0; k <= s.levels; k++) {
                    const j2k_resolution *const res = &layout.components[c].resolutions[k];

                    same_range(res->full.x0, res->full.x1, rx[k]),
                        same_range(res->full.y0, res->full.y1, ry[k]);
                    if (!k) {
                        same_range(res->bands[0].full.x0, res->bands[0].full.x1, rx[0]);
                        continue;
                    }
                    same_range(res->bands[0].full.x0, res->bands[0].full.x1, hx[k]);
                    same_range(res->bands[0].full.y0, res->bands[0].full.y1, ry[k - 1]);
                    same_range(res->bands[1].full.x0, res->bands[1].full.x1, rx[k - 1]);
                    same_range(res->bands[1].full.y0, res->bands[1].full.y1, hy[k]);
                    same_range(res->bands[2].full.x0, res->bands[2].full.x1, hx[k]);
                    same_range(res->bands[2].full.y0, res->bands[2].full.y1, hy[k]);
                }
            }
        }
        w_stream_free(&w);
    }
}

/* Interleaved positions that one output sample depends on: lifting steps undone, with symmetric extension
 * (F.3.6). */
static void depend(bool *on, int64_t lo, int64_t hi, int steps)
{
    bool before[600];

    for (int step = 0; step < steps; step++) { /* the last lifting step first: it changes odd samples */
        memcpy(before, on, sizeof before);
        for (int64_t x = lo; x < hi; x++) {
            if (!before[x - lo] || (x & 1) != (step % 2 == 0))
                continue;
            for (int d = -1; d <= 1; d += 2) {
                int64_t y = x + d;

                if (hi - lo == 1)
                    continue;
                y = y < lo ? 2 * lo - y : y >= hi ? 2 * (hi - 1) - y : y;
                on[y - lo] = true;
            }
        }
    }
}

/* Windows hold all that reconstruction of the region depends on. */
static void check_windows(const j2k_tile_component *tc, bool horizontal, bool reversible)
{
    bool need[600] = {false};
    const j2k_resolution *res = &tc->resolutions[tc->top];

    for (int64_t x = horizontal ? res->need.x0 : res->need.y0; x < (horizontal ? res->need.x1 : res->need.y1);
         x++)
        need[x - (horizontal ? res->full.x0 : res->full.y0)] = true;
    for (int r = tc->top; r > 0; r--) {
        const int64_t lo = horizontal ? tc->resolutions[r].full.x0 : tc->resolutions[r].full.y0;
        const int64_t hi = horizontal ? tc->resolutions[r].full.x1 : tc->resolutions[r].full.y1;
        const j2k_resolution *const below = &tc->resolutions[r - 1];
        const int64_t below_lo = horizontal ? below->full.x0 : below->full.y0;
        const j2k_band *const b = &tc->resolutions[r].bands[horizontal ? 0 : 1];
        const j2k_rect high = b->win;
        const bool high_empty = b->full.x1 <= b->full.x0 || b->full.y1 <= b->full.y0;
        const bool low_empty = below->full.x1 <= below->full.x0 || below->full.y1 <= below->full.y0;
        bool next[600] = {false};

        depend(need, lo, hi, reversible ? 2 : 4);
        for (int64_t x = lo; x < hi; x++) {
            if (!need[x - lo] ||
                (x & 1 ? high_empty : low_empty)) /* there is nothing in the other direction */
                continue;
            if (x & 1) {
                assert_true((horizontal ? high.x0 : high.y0) <= x >> 1);
                assert_true((horizontal ? high.x1 : high.y1) > x >> 1);
            } else {
                assert_true((horizontal ? below->need.x0 : below->need.y0) <= x >> 1);
                assert_true((horizontal ? below->need.x1 : below->need.y1) > x >> 1);
                next[(x >> 1) - below_lo] = true;
            }
        }
        memcpy(need, next, sizeof need);
    }
}

static void test_windows(void **state)
{
    mtm_rng r = mtm_rng_at(8, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 500; i++) {
        const w_spec s = w_random_grid(&r);
        w_stream w = {0};
        mtm_error err = {0};
        j2k_want want = {.reduce = (int32_t)w_below(&r, s.levels + 1u)};

        w_params_of(&w, &s);
        want.region.x0 = s.image.x0 + w_below(&r, (uint32_t)(s.image.x1 - s.image.x0));
        want.region.y0 = s.image.y0 + w_below(&r, (uint32_t)(s.image.y1 - s.image.y0));
        want.region.x1 = want.region.x0 + 1 + w_below(&r, (uint32_t)(s.image.x1 - want.region.x0));
        want.region.y1 = want.region.y0 + 1 + w_below(&r, (uint32_t)(s.image.y1 - want.region.y0));
        for (int64_t t = 0; t < w.n_tiles; t++) {
            j2k_tile layout;

            assert_ok(j2k_tile_layout(&layout, &w.size, &w.params, t, &want, 1 << 20, NULL, &w.arena, &err));
            for (int c = 0; c < s.n_components; c++) {
                const j2k_tile_component *const tc = &layout.components[c];
                const j2k_rect whole = j2k_component_rect(&w.size, c, want.reduce, want.region);
                const j2k_rect need = tc->resolutions[tc->top].need, full = tc->resolutions[tc->top].full;

                if (need.x1 <= need.x0 || need.y1 <= need.y0) {
                    assert_true(whole.x0 >= full.x1 || whole.x1 <= full.x0 || whole.y0 >= full.y1 ||
                                whole.y1 <= full.y0 || whole.x1 <= whole.x0 || whole.y1 <= whole.y0 ||
                                full.x1 <= full.x0 || full.y1 <= full.y0);
                    continue;
                }
                assert_int_equal(need.x0, mtm_max_i64(whole.x0, full.x0));
                assert_int_equal(need.x1, mtm_min_i64(whole.x1, full.x1));
                assert_int_equal(need.y0, mtm_max_i64(whole.y0, full.y0));
                assert_int_equal(need.y1, mtm_min_i64(whole.y1, full.y1));
                check_windows(tc, true, s.reversible);
                check_windows(tc, false, s.reversible);
            }
        }
        w_stream_free(&w);
    }
}

/* ---- progressions: the loops of B.12.1.1 to B.12.1.5 as they stand ------------------------------------ */

typedef struct listing {
    j2k_packet_id *all;
    int64_t n;
    uint8_t *sent; /* NULL: no POC */
} listing;

enum { SENT_PRECINCTS = 4096 };

static void list_packet(listing *l, int32_t c, int32_t r, int64_t k, int32_t layer)
{
    if (l->sent) {
        uint8_t *const s = &l->sent[((c * 33 + r) * SENT_PRECINCTS + k)];

        if (*s > layer)
            return;
        *s = (uint8_t)(layer + 1);
    }
    l->all = mtm_realloc(l->all, (size_t)(l->n + 1) * sizeof *l->all);
    assert_non_null(l->all);
    l->all[l->n++] = (j2k_packet_id){c, r, layer, k};
}

/* The precinct of resolution r of component c that B.12.1.3 visits at (x, y); −1: none. */
static int64_t precinct_at(const j2k_tile *t, const w_spec *s, int32_t c, int32_t r, int64_t x, int64_t y)
{
    const j2k_tile_component *const tc = &t->components[c];
    const j2k_resolution *const res = &tc->resolutions[r];
    const int32_t n = tc->levels - r, pw = res->precinct_w, ph = res->precinct_h;
    const int64_t dx = s->dx[c], dy = s->dy[c];
    const bool row =
        y % (dy << (ph + n)) == 0 || (y == t->full.y0 && (res->full.y0 << n) % (INT64_C(1) << (ph + n)) != 0);
    const bool column =
        x % (dx << (pw + n)) == 0 || (x == t->full.x0 && (res->full.x0 << n) % (INT64_C(1) << (pw + n)) != 0);

    if (!row || !column || !res->precincts_wide || !res->precincts_high)
        return -1;
    return ((x + (dx << n) - 1) / (dx << n) >> pw) - (res->full.x0 >> pw) +
           res->precincts_wide * (((y + (dy << n) - 1) / (dy << n) >> ph) - (res->full.y0 >> ph));
}

static void list_layers(listing *l, const j2k_order *o, int32_t c, int32_t r, int64_t k)
{
    for (int32_t layer = 0; layer < o->layer1 && k >= 0; layer++)
        list_packet(l, c, r, k, layer);
}

static void list_order(listing *l, const j2k_tile *t, const w_spec *s, const j2k_order *o)
{
    const int32_t c0 = o->comp0, c1 = (int32_t)mtm_min_i64(o->comp1, s->n_components);
    const int32_t r0 = o->res0, r1 = (int32_t)mtm_min_i64(o->res1, s->levels + 1);

#define PRECINCTS(c, r)                                                                                      \
    (t->components[c].resolutions[r].precincts_wide * t->components[c].resolutions[r].precincts_high)
#define EACH(i, lo, hi) for (int64_t i = lo; i < hi; i++)
    switch (o->progression) {
    case 0:
        EACH(layer, 0, o->layer1)
        EACH(r, r0, r1)
        EACH(c, c0, c1) EACH(k, 0, PRECINCTS(c, r)) list_packet(l, (int32_t)c, (int32_t)r, k, (int32_t)layer);
        break;
    case 1:
        EACH(r, r0, r1)
        EACH(layer, 0, o->layer1)
        EACH(c, c0, c1) EACH(k, 0, PRECINCTS(c, r)) list_packet(l, (int32_t)c, (int32_t)r, k, (int32_t)layer);
        break;
    case 2:
        EACH(r, r0, r1)
        EACH(y, t->full.y0, t->full.y1)
        EACH(x, t->full.x0, t->full.x1)
        EACH(c, c0, c1)
        list_layers(l, o, (int32_t)c, (int32_t)r, precinct_at(t, s, (int32_t)c, (int32_t)r, x, y));
        break;
    case 3:
        EACH(y, t->full.y0, t->full.y1)
        EACH(x, t->full.x0, t->full.x1)
        EACH(c, c0, c1)
        EACH(r, r0, r1)
        list_layers(l, o, (int32_t)c, (int32_t)r, precinct_at(t, s, (int32_t)c, (int32_t)r, x, y));
        break;
    default:
        EACH(c, c0, c1)
        EACH(y, t->full.y0, t->full.y1)
        EACH(x, t->full.x0, t->full.x1)
        EACH(r, r0, r1)
        list_layers(l, o, (int32_t)c, (int32_t)r, precinct_at(t, s, (int32_t)c, (int32_t)r, x, y));
    }
#undef EACH
#undef PRECINCTS
}

static void check_progression(const w_spec *s)
{
    w_stream w = {0};
    mtm_error err = {0};

    w_params_of(&w, s);
    for (int64_t i = 0; i < w.n_tiles; i++) {
        const j2k_order whole = {s->progression, 0, 33, 0, s->layers, (uint32_t)s->n_components};
        listing l = {0};
        j2k_packet_id id;
        j2k_walk *walk;
        j2k_tile t;
        int64_t n = 0;

        assert_ok(j2k_tile_layout(&t, &w.size, &w.params, i, NULL, UINT64_MAX, NULL, &w.arena, &err));
        if (s->n_orders)
            l.sent = mtm_alloc_zero((size_t)s->n_components * 33, SENT_PRECINCTS);
        for (int o = 0; o < (s->n_orders ? s->n_orders : 1); o++)
            list_order(&l, &t, s, s->n_orders ? &s->orders[o] : &whole);
        assert_ok(j2k_walk_new(&walk, &t, &w.size, &w.arena, &err));
        for (; j2k_walk_next(walk, &id); n++) {
            assert_true(n < l.n);
            assert_int_equal(id.component, l.all[n].component);
            assert_int_equal(id.resolution, l.all[n].resolution);
            assert_int_equal(id.precinct, l.all[n].precinct);
            assert_int_equal(id.layer, l.all[n].layer);
        }
        assert_int_equal(n, l.n);
        assert_false(j2k_walk_next(walk, &id));
        mtm_free(l.all), mtm_free(l.sent);
    }
    w_stream_free(&w);
}

static void test_progressions(void **state)
{
    mtm_rng r = mtm_rng_at(9, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 200; i++) {
        w_spec s = w_random_grid(&r);

        s.layers = (uint16_t)(1 + w_below(&r, 3));
        check_progression(&s);
        w_random_orders(&s, &r);
        check_progression(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rectangles),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_progressions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
