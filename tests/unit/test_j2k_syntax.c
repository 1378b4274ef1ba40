/* tests/unit/test_j2k_syntax.c: JPEG 2000 from bytes to code-blocks: headers that lie, grids against brute force, progressions
 * against the standard's loops, packets against a naive writer, byte ranges, boxes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "j2k_write.h"

#include "base/size.h"

static const w_spec plain = {.image = {0, 0, 40, 30},
                             .tile = {0, 0, 40, 30},
                             .n_components = 1,
                             .dx = {1, 1, 1, 1},
                             .dy = {1, 1, 1, 1},
                             .levels = 2,
                             .block_w = 4,
                             .block_h = 4,
                             .precinct = {0xFF, 0xFF, 0xFF},
                             .progression = 2,
                             .layers = 1,
                             .reversible = true,
                             .parts = 1,
                             .guard = 2,
                             .exponent = 12,
                             .seed = 1};

/* All that stands before packets. */
typedef struct opened {
    j2k_arena arena;
    j2k_notes notes;
    j2k_input in;
    j2k_boxes boxes;
    j2k_header header;
    j2k_stream stream;
} opened;

static mtm_status open_status(opened *o, mtm_error *err)
{
    MTM_TRY(j2k_boxes_read(&o->boxes, &o->in, &o->arena, &o->notes, err));
    MTM_TRY(j2k_header_read(&o->header, &o->in, &o->boxes, NULL, &o->arena, &o->notes, err));
    return j2k_stream_open(&o->stream, &o->in, &o->header, false, &o->arena, &o->notes, err);
}

static void opened_free(opened *o)
{
    j2k_arena_free(&o->arena);
}

/* ---- headers ------------------------------------------------------------------------------------------ */

typedef struct header_case {
    const char *what;
    int at, n; /* n bytes at `at` become value */
    uint64_t value;
    mtm_status status;
    int64_t offset;
} header_case;

enum { SIZ = 2, COD = 45, QCD = 62, SOT = 74 }; /* of the plain stream */

static const header_case header_cases[] = {
    {"no SIZ", SIZ, 2, J2K_COM, MTM_E_CORRUPT, SIZ},
    {"a length of 1", SIZ + 2, 2, 1, MTM_E_CORRUPT, SIZ + 2},
    {"a SIZ too short", SIZ + 2, 2, 40, MTM_E_CORRUPT, SIZ + 40},
    {"a SIZ longer than all", SIZ + 2, 2, 0xFFFF, MTM_E_CORRUPT, SIZ + 2},
    {"an image without width", SIZ + 6, 4, 0, MTM_E_CORRUPT, SIZ + 6},
    {"an origin behind the image", SIZ + 18, 4, 30, MTM_E_CORRUPT, SIZ + 6},
    {"tiles without width", SIZ + 22, 4, 0, MTM_E_CORRUPT, SIZ + 22},
    {"2^32 tiles", SIZ + 22, 8, UINT64_C(0x0000000000000001), MTM_E_CORRUPT, SIZ + 22},
    {"more than 65535 tiles", SIZ + 6, 20, 0, MTM_E_CORRUPT, SIZ + 6},
    {"a first tile beside the image", SIZ + 30, 4, 41, MTM_E_CORRUPT, SIZ + 30},
    {"no component", SIZ + 38, 2, 0, MTM_E_CORRUPT, SIZ + 38},
    {"16385 components", SIZ + 38, 2, 16385, MTM_E_CORRUPT, SIZ + 38},
    {"more components than bytes", SIZ + 38, 2, 2, MTM_E_CORRUPT, SIZ + 43},
    {"39 bits", SIZ + 40, 1, 38, MTM_E_CORRUPT, SIZ + 40},
    {"subsampling 0", SIZ + 42, 1, 0, MTM_E_CORRUPT, SIZ + 41},
    {"no marker", COD, 2, 0x1234, MTM_E_CORRUPT, COD},
    {"a second SIZ", COD, 2, J2K_SIZ, MTM_E_CORRUPT, COD},
    {"a marker of tile-parts", COD, 2, J2K_PLT, MTM_E_CORRUPT, COD},
    {"a Part 2 marker", COD, 2, 0xFF74, MTM_E_UNSUPPORTED, COD},
    {"no COD", COD, 2, J2K_COM, MTM_E_CORRUPT, SOT},
    {"a coding style of Part 2", COD + 4, 1, 8, MTM_E_UNSUPPORTED, COD + 4},
    {"progression 5", COD + 5, 1, 5, MTM_E_CORRUPT, COD + 5},
    {"no layers", COD + 6, 2, 0, MTM_E_CORRUPT, COD + 6},
    {"a transform of Part 2", COD + 8, 1, 2, MTM_E_UNSUPPORTED, COD + 8},
    {"33 levels", COD + 9, 1, 33, MTM_E_CORRUPT, COD + 9},
    {"more levels than precincts", COD + 9, 1, 3, MTM_E_CORRUPT, QCD},
    {"blocks too wide", COD + 10, 1, 9, MTM_E_CORRUPT, COD + 10},
    {"blocks too large", COD + 10, 2, 0x0405, MTM_E_CORRUPT, COD + 10},
    {"a style that mixes nothing", COD + 12, 1, 0x80, MTM_E_UNSUPPORTED, COD + 12},
    {"wavelet 2", COD + 13, 1, 2, MTM_E_UNSUPPORTED, COD + 13},
    {"precincts without blocks", COD + 15, 1, 0x0F, MTM_E_CORRUPT, COD + 15},
    {"quantisation style 3", QCD + 4, 1, 0x43, MTM_E_CORRUPT, QCD + 4},
    {"no QCD", QCD, 2, J2K_COM, MTM_E_CORRUPT, SOT},
    {"too few steps", QCD + 4, 1, 0x42, MTM_E_CORRUPT, 0},
    {"a tile that does not exist", SOT + 4, 2, 1, MTM_E_CORRUPT, SOT + 4},
    {"an SOT of another length", SOT + 2, 2, 12, MTM_E_CORRUPT, SOT + 2},
};

static void test_headers_that_lie(void **state)
{
    const w_stream w = w_stream_new(&plain);

    (void)state;
    for (size_t i = 0; i < sizeof header_cases / sizeof *header_cases; i++) {
        const header_case *const c = &header_cases[i];
        uint8_t *const bytes = mtm_alloc(w.out.n);
        w_bytes b = {bytes, w.out.n, w.out.n};
        opened o = {.in = {.data = bytes, .size_bytes = w.out.n}};
        mtm_error err = {0};
        mtm_status status;

        assert_non_null(bytes);
        memcpy(bytes, w.out.p, w.out.n);
        w_set(&b, (size_t)c->at, c->value, c->n < 8 ? c->n : 8);
        status = open_status(&o, &err);
        if (status != c->status || err.offset != c->offset)
            fail_msg("%s: %s at byte %lld: %s", c->what, mtm_status_name(status), (long long)err.offset,
                     err.text);
        opened_free(&o);
        mtm_free(bytes);
    }
    w_stream_free((w_stream *)&w);
}

/* Every beginning of a header is an error with an offset inside it. */
static void test_headers_cut(void **state)
{
    w_stream w = w_stream_new(&plain);

    (void)state;
    for (size_t n = 0; n < w.main_bytes + 2; n++) {
        uint8_t *const bytes = mtm_alloc(n);
        opened o = {.in = {.data = bytes, .size_bytes = n}};
        mtm_error err = {0};

        memcpy(bytes, w.out.p, n);
        assert_status(n < 2 ? MTM_E_UNSUPPORTED : MTM_E_CORRUPT, open_status(&o, &err));
        assert_in_range(err.offset, 0, n);
        opened_free(&o);
        mtm_free(bytes);
    }
    w_stream_free(&w);
}

/* 16384 components of 33 levels from a short file are refused before they are laid out. */
static void test_bombs(void **state)
{
    j2k_component_size *components = mtm_alloc_zero(16384, sizeof *components);
    j2k_component_params *params = mtm_alloc_zero(16384, sizeof *params);
    const j2k_params p = {.layers = 1, .components = params};
    j2k_size size = {.image = {0, 0, INT32_MAX, INT32_MAX}, .tile = {0, 0, INT32_MAX, INT32_MAX}};
    j2k_arena arena = {0};
    mtm_error err = {0};
    j2k_tile t;

    (void)state;
    size.tiles_x = size.tiles_y = 1, size.n_components = 16384, size.components = components;
    for (int c = 0; c < 16384; c++) {
        components[c] = (j2k_component_size){.bits = 8, .dx = 1, .dy = 1};
        params[c].coding.levels = 32, params[c].coding.block_w = params[c].coding.block_h = 2;
        memset(params[c].coding.precinct_w, 15, 33), memset(params[c].coding.precinct_h, 15, 33);
    }
    assert_status(MTM_E_LIMIT, j2k_tile_layout(&t, &size, &p, 0, NULL, 50000, NULL, &arena, &err));
    size.n_components = 1; /* 2^58 blocks */
    assert_status(MTM_E_LIMIT, j2k_tile_layout(&t, &size, &p, 0, NULL, 50000, NULL, &arena, &err));
    j2k_arena_free(&arena);
    mtm_free(components), mtm_free(params);
}

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

static w_spec random_grid(mtm_rng *r)
{
    w_spec s = plain;

    s.image.x0 = w_below(r, 40), s.image.y0 = w_below(r, 40);
    s.image.x1 = s.image.x0 + 1 + w_below(r, 150), s.image.y1 = s.image.y0 + 1 + w_below(r, 100);
    s.tile.x0 = w_below(r, (uint32_t)s.image.x0 + 1), s.tile.y0 = w_below(r, (uint32_t)s.image.y0 + 1);
    s.tile.x1 = s.image.x0 + 1 + w_below(r, 160), s.tile.y1 = s.image.y0 + 1 + w_below(r, 160);
    if (s.tile.x1 - s.tile.x0 < 24)
        s.tile.x1 = s.tile.x0 + 200;
    if (s.tile.y1 - s.tile.y0 < 24)
        s.tile.y1 = s.tile.y0 + 200;
    s.n_components = 1 + (int32_t)w_below(r, 3);
    for (int c = 0; c < 4; c++)
        s.dx[c] = (uint8_t)(1 + w_below(r, 3)), s.dy[c] = (uint8_t)(1 + w_below(r, 3));
    s.levels = (uint8_t)w_below(r, 6);
    s.block_w = (uint8_t)(2 + w_below(r, 4)), s.block_h = (uint8_t)(2 + w_below(r, 4));
    for (int i = 0; i <= s.levels; i++)
        s.precinct[i] = (uint8_t)(w_below(r, 3) ? 0xFF : (3 + w_below(r, 5)) << 4 | (3 + w_below(r, 5)));
    s.progression = (uint8_t)w_below(r, 5);
    s.reversible = w_below(r, 2);
    s.seed = mtm_rng_u64(r);
    return s;
}

static void test_rectangles(void **state)
{
    mtm_rng r = mtm_rng_at(7, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 300; i++) {
        const w_spec s = random_grid(&r);
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

/* Interleaved positions that one output sample depends on: lifting steps undone, with symmetric extension (F.3.6). */
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
        const w_spec s = random_grid(&r);
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

static void random_orders(w_spec *s, mtm_rng *r)
{
    s->n_orders = 2 + (int32_t)w_below(r, 3);
    for (int i = 0; i < s->n_orders; i++) {
        j2k_order *const o = &s->orders[i];

        o->res0 = (uint8_t)w_below(r, s->levels + 1u), o->res1 = (uint8_t)(o->res0 + 1 + w_below(r, 4));
        o->comp0 = (uint16_t)w_below(r, (uint32_t)s->n_components), o->comp1 = o->comp0 + 1u + w_below(r, 3);
        o->layer1 = (uint16_t)(1 + w_below(r, s->layers)), o->progression = (uint8_t)w_below(r, 5);
    }
    s->orders[s->n_orders - 1] = (j2k_order){.progression = (uint8_t)w_below(r, 5),
                                             .res1 = 33,
                                             .comp1 = (uint32_t)s->n_components,
                                             .layer1 = s->layers};
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
        w_spec s = random_grid(&r);

        s.layers = (uint16_t)(1 + w_below(&r, 3));
        check_progression(&s);
        random_orders(&s, &r);
        check_progression(&s);
    }
}

/* ---- packets ------------------------------------------------------------------------------------------ */

static w_spec random_stream(mtm_rng *r)
{
    static const uint8_t styles[] = {0,
                                     0,
                                     MTM_BLOCK_TERMALL,
                                     MTM_BLOCK_BYPASS,
                                     MTM_BLOCK_BYPASS | MTM_BLOCK_TERMALL,
                                     MTM_BLOCK_HT,
                                     MTM_BLOCK_HT,
                                     MTM_BLOCK_HT | MTM_BLOCK_HT_MIXED};
    w_spec s = random_grid(r);

    s.layers = (uint16_t)(1 + w_below(r, 4));
    s.style = styles[w_below(r, sizeof styles)];
    s.sop = w_below(r, 2), s.eph = w_below(r, 2), s.plt = w_below(r, 2), s.tlm = w_below(r, 2);
    s.packed = w_below(r, 3) ? W_IN_PLACE : w_below(r, 2) ? W_PPM : W_PPT;
    s.parts = 1 + (int32_t)w_below(r, 4);
    if (w_below(r, 4) == 0)
        random_orders(&s, r);
    return s;
}

/* The block that the packets gave, against what was written up to `layers`. */
static void check_block(const mtm_block *m, const j2k_codeblock *b, const w_block *k, const w_spec *s,
                        int32_t layers)
{
    const int32_t planes = s->guard + s->exponent - 1;
    const int32_t passes = layers ? k->passes_by_layer[layers - 1] : k->n_passes;
    const bool all = passes == k->n_passes;
    size_t at = 0;

    if (!passes) {
        assert_null(b->first);
        assert_int_equal(m->n_passes, 0);
        return;
    }
    assert_int_equal(b->zero_planes, k->zero_planes);
    assert_int_equal(b->n_passes, passes);
    if (!k->ht) {
        assert_int_equal(m->n_passes, passes);
        assert_int_equal(m->n_planes, planes - k->zero_planes);
    } else if (all && k->n_segments) {
        assert_true(b->ht);
        assert_int_equal(m->n_passes, 1 + k->segments[1].n_passes);
        assert_int_equal(m->n_planes + m->plane, planes);
    }
    if (!all)
        return;
    assert_int_equal(m->n_segments, k->n_segments);
    for (int i = 0; i < m->n_segments; i++) {
        assert_int_equal(m->segments[i].size_bytes, k->segments[i].size_bytes);
        assert_int_equal(m->segments[i].n_passes, k->segments[i].n_passes);
        at += m->segments[i].size_bytes;
    }
    assert_int_equal(at, k->data.n);
    if (at)
        assert_memory_equal(m->data, k->data.p, at);
}

/* Blocks inside the windows of a tile. */
static void check_tile(const j2k_tile *t, const w_tile *written, const w_spec *s, const j2k_input *in,
                       int32_t layers, j2k_arena *arena)
{
    mtm_error err = {0};

    for (int32_t c = 0; c < s->n_components; c++)
        for (int32_t r = 0; r <= t->components[c].top; r++)
            for (int32_t i = 0; i < t->components[c].resolutions[r].n_bands; i++) {
                const j2k_band *const b = &t->components[c].resolutions[r].bands[i];
                const j2k_band *const f = &written->layout.components[c].resolutions[r].bands[i];

                for (int64_t n = 0; n < b->blocks_wide * b->blocks_high; n++) {
                    const int64_t x = n % b->blocks_wide, y = n / b->blocks_wide;
                    const int64_t fx = b->block_x0 + x - f->block_x0, fy = b->block_y0 + y - f->block_y0;
                    mtm_block m;

                    assert_ok(j2k_block_prepare(&m, &t->components[c], b, x, y, in, arena, &err));
                    check_block(&m, &b->blocks[n],
                                &written->blocks[written->base[c][r][i] + fy * f->blocks_wide + fx], s,
                                layers);
                }
            }
}

static void check_stream(const w_stream *w, const w_spec *s, const j2k_want *want,
                         const mtm_byte_range *present, int64_t n_present, j2k_counts *counts)
{
    opened o = {.in = {.data = w->out.p, .size_bytes = w->out.n, .present = present, .n_present = n_present}};
    mtm_error err = {0};

    assert_ok(open_status(&o, &err));
    *counts = (j2k_counts){.reduce = want->reduce};
    for (int64_t t = 0; t < w->n_tiles; t++) {
        const j2k_rect r = j2k_tile_rect(&o.header.size, t);
        const j2k_params *p;
        j2k_tile tile;

        if (r.x1 <= want->region.x0 || r.x0 >= want->region.x1 || r.y1 <= want->region.y0 ||
            r.y0 >= want->region.y1)
            continue;
        assert_ok(j2k_tile_params(&p, &o.stream, t, &o.arena, &o.notes, &err));
        assert_ok(j2k_tile_layout(&tile, &o.header.size, p, t, want, w->out.n, NULL, &o.arena, &err));
        for (int twice = 0; twice < 2; twice++) { /* as for a second frame of one header */
            assert_ok(j2k_tile_packets(&tile, &o.stream, want, counts, &o.arena, &o.notes, &err));
            check_tile(&tile, &w->tiles[t], s, &o.in, want->layers, &o.arena);
            j2k_tile_reset(&tile);
        }
    }
    assert_int_equal(o.notes.n, 0);
    assert_false(counts->incomplete);
    assert_int_equal(counts->reduce, want->reduce);
    opened_free(&o);
}

static j2k_want random_want(const w_spec *s, mtm_rng *r, mtm_decode_params *p)
{
    j2k_want w = {.reduce = (int32_t)w_below(r, s->levels + 1u)};
    const int64_t d = INT64_C(1) << w.reduce; /* such a region as mtm_decode_planes takes */
    const int64_t x = (s->image.x0 + d - 1) / d, y = (s->image.y0 + d - 1) / d;
    const int64_t width = (s->image.x1 + d - 1) / d - x, height = (s->image.y1 + d - 1) / d - y;

    w.layers = (int32_t)w_below(r, s->layers + 1u);
    *p = (mtm_decode_params){.struct_size = sizeof *p, .reduce = w.reduce, .layers = w.layers};
    w.region = s->image, w.whole = true;
    if (width < 1 || height < 1 || w_below(r, 3) == 0)
        return w;
    p->has_region = true;
    p->region[0] = w_below(r, (uint32_t)height),
    p->region[1] = p->region[0] + 1 + w_below(r, (uint32_t)(height - p->region[0]));
    p->region[2] = w_below(r, (uint32_t)width),
    p->region[3] = p->region[2] + 1 + w_below(r, (uint32_t)(width - p->region[2]));
    return w;
}

static void test_packets(void **state)
{
    mtm_rng r = mtm_rng_at(10, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 400; i++) {
        const w_spec s = random_stream(&r);
        w_stream w = w_stream_new(&s);
        const j2k_want whole = {.region = s.image, .whole = true};
        j2k_counts counts;

        check_stream(&w, &s, &whole, NULL, 0, &counts);
        w_stream_free(&w);
    }
}

/* A part of each stream, with only those bytes that the plan names; the rest is made to nonsense. */
static void test_parts_and_plans(void **state)
{
    mtm_rng r = mtm_rng_at(11, 0, 0, 0);
    int64_t skipped = 0, exact = 0;

    (void)state;
    for (int i = 0; i < 400; i++) {
        w_spec s = random_stream(&r);
        mtm_j2k_ranges *plan = NULL;
        mtm_error err = {0};
        mtm_decode_params p;
        j2k_counts counts;
        const j2k_channel channels[4] = {{0, -1, 0}, {1, -1, 0}, {2, -1, 0}, {3, -1, 0}};
        j2k_header h = {0};
        j2k_want want;
        w_stream w;
        uint64_t at = 0;

        for (int c = 1; c < 4; c++) /* mtm_j2k_plan counts pixels of a grid that all share */
            s.dx[c] = s.dx[0], s.dy[c] = s.dy[0];
        s.dx[0] = s.dy[0] = s.dx[1] = s.dy[1] = s.dx[2] = s.dy[2] = 1;
        w = w_stream_new(&s);
        (void)random_want(&s, &r, &p);
        h.size = w.size, h.params = w.params;
        assert_ok(j2k_want_make(&want, &h, channels, s.n_components, &p, true, &w.arena, &err));
        check_stream(&w, &s, &want, NULL, 0, &counts);
        skipped += counts.packets_skipped;
        assert_true(s.plt && !s.packed ? true : counts.packets_skipped == 0);
        assert_ok(mtm_j2k_plan(&plan, w.out.p, w.out.n, w.out.n, &p, &err));
        assert_int_equal(plan->need_bytes, 0);
        if (s.plt || s.packed)
            assert_true(plan->exact);
        exact += plan->exact;
        for (int64_t k = 0; k <= plan->n; k++) {
            const uint64_t end = k < plan->n ? plan->ranges[k].offset : w.out.n;

            assert_true(end >= at);
            memset(w.out.p + at, 0xA5, end - at);
            if (k < plan->n)
                at = end + plan->ranges[k].size_bytes;
        }
        check_stream(&w, &s, &want, plan->ranges, plan->n, &counts);
        mtm_j2k_ranges_free(plan);
        w_stream_free(&w);
    }
    assert_true(skipped > 1000);
    assert_true(exact > 100);
}

/* Cut anywhere: strict reading says so, partial reading gives beginnings of what was written. */
static void test_cut(void **state)
{
    mtm_rng r = mtm_rng_at(12, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 300; i++) {
        const w_spec s = random_stream(&r);
        w_stream w = w_stream_new(&s);
        const uint64_t n = w.main_bytes + 12 + mtm_rng_below(&r, w.out.n - w.main_bytes - 14);
        uint8_t *const bytes = mtm_alloc(n);
        const j2k_want whole = {.region = s.image, .whole = true};
        j2k_counts counts = {0};
        bool failed = false;

        memcpy(bytes, w.out.p, n);
        for (int partial = 0; partial < 2; partial++) {
            opened o = {.in = {.data = bytes, .size_bytes = n, .partial = partial}};
            mtm_error err = {0};

            assert_ok(open_status(&o, &err));
            for (int64_t t = 0; t < w.n_tiles; t++) {
                const j2k_params *p;
                j2k_tile tile;
                mtm_status status;

                assert_ok(j2k_tile_params(&p, &o.stream, t, &o.arena, &o.notes, &err));
                assert_ok(
                    j2k_tile_layout(&tile, &o.header.size, p, t, &whole, w.out.n, NULL, &o.arena, &err));
                status = j2k_tile_packets(&tile, &o.stream, &whole, &counts, &o.arena, &o.notes, &err);
                if (partial)
                    assert_int_equal(status, MTM_OK);
                else if (status != MTM_OK)
                    failed = true, assert_int_equal(status, MTM_E_CORRUPT), assert_in_range(err.offset, 0, n);
            }
            if (partial) { /* only empty packets can be missing unnoticed: none that is read last is */
                assert_int_equal(counts.incomplete, failed);
                assert_true(counts.bytes_used <= n);
            }
            opened_free(&o);
            counts = (j2k_counts){0};
        }
        mtm_free(bytes);
        w_stream_free(&w);
    }
}

/* ---- tile-parts that lie ------------------------------------------------------------------------------ */

static int32_t notes_of(const w_bytes *b, const w_stream *w, const w_spec *s)
{
    opened o = {.in = {.data = b->p, .size_bytes = b->n}};
    const j2k_want whole = {.region = s->image, .whole = true};
    mtm_error err = {0};
    j2k_counts counts = {0};
    int32_t n;

    assert_ok(open_status(&o, &err));
    for (int64_t t = 0; t < w->n_tiles; t++) {
        const j2k_params *p;
        j2k_tile tile;

        assert_ok(j2k_tile_params(&p, &o.stream, t, &o.arena, &o.notes, &err));
        assert_ok(j2k_tile_layout(&tile, &o.header.size, p, t, &whole, b->n, NULL, &o.arena, &err));
        assert_ok(j2k_tile_packets(&tile, &o.stream, &whole, &counts, &o.arena, &o.notes, &err));
        check_tile(&tile, &w->tiles[t], s, &o.in, 0, &o.arena);
    }
    assert_false(counts.incomplete);
    n = o.notes.n;
    opened_free(&o);
    return n;
}

static void test_wrong_lengths(void **state)
{
    w_spec s = plain;
    w_stream w;
    w_bytes b = {0};
    size_t sot[4], at;

    (void)state;
    s.tile = (j2k_rect){0, 0, 20, 15}, s.seed = 5;
    w = w_stream_new(&s);
    at = w.main_bytes;
    for (int i = 0; i < 4; i++) {
        sot[i] = at;
        at += (size_t)w.out.p[at + 6] << 24 | w.out.p[at + 7] << 16 | w.out.p[at + 8] << 8 | w.out.p[at + 9];
    }
    w_add(&b, w.out.p, w.out.n);
    assert_int_equal(notes_of(&b, &w, &s), 0);
    w_put(&b, 0, 1); /* a pad byte behind EOC, as DICOM has it */
    assert_int_equal(notes_of(&b, &w, &s), 0);
    b.n -= 3, w_put(&b, 0, 1); /* no EOC */
    assert_int_equal(notes_of(&b, &w, &s), 0);
    b.n = w.out.n - 2;
    assert_int_equal(notes_of(&b, &w, &s), 1);
    b.n = 0, w_add(&b, w.out.p, w.out.n);
    w_set(&b, sot[3] + 6, 0, 4); /* to the end */
    assert_int_equal(notes_of(&b, &w, &s), 0);
    w_set(&b, sot[3] + 6, 100000, 4);
    assert_int_equal(notes_of(&b, &w, &s), 1);
    w_set(&b, sot[3] + 6, 5, 4);
    w_set(&b, sot[1] + 6, 30, 4);
    assert_int_equal(notes_of(&b, &w, &s), 2);
    mtm_free(b.p);
    w_stream_free(&w);
}

/* A PLT that is wrong is a warning, whether packets were skipped by it or not. */
static void test_wrong_plt(void **state)
{
    w_spec s = plain;
    w_stream w;
    size_t at;

    (void)state;
    s.plt = true, s.seed = 77;
    memset(s.precinct, 0x55, 3);
    w = w_stream_new(&s);
    at = w.main_bytes + 12 + 5;
    assert_int_equal(notes_of(&w.out, &w, &s), 0);
    while (w.out.p[at] >= 127)
        at++;
    w.out.p[at]++;
    assert_int_equal(notes_of(&w.out, &w, &s), 1);
    w_stream_free(&w);
}

/* ---- boxes -------------------------------------------------------------------------------------------- */

static size_t box_begin(w_bytes *b, const char *type)
{
    w_put(b, 0, 4), w_add(b, type, 4);
    return b->n - 8;
}

static void box_end(w_bytes *b, size_t at)
{
    w_set(b, at, b->n - at, 4);
}

static void add_jp2h(w_bytes *b, bool palette)
{
    const size_t super = box_begin(b, "jp2h");
    size_t at = box_begin(b, "ihdr");

    w_put(b, 30, 4), w_put(b, 40, 4), w_put(b, 1, 2), w_put(b, 7, 1), w_put(b, 7, 1), w_put(b, 0, 2);
    box_end(b, at);
    at = box_begin(b, "colr");
    w_put(b, 1, 1), w_put(b, 0, 2), w_put(b, 16, 4);
    box_end(b, at);
    if (palette) {
        at = box_begin(b, "pclr");
        w_put(b, 2, 2), w_put(b, 3, 1), w_put(b, 7, 1), w_put(b, 0x8B, 1), w_put(b, 7, 1);
        w_put(b, 1, 1), w_put(b, 0xF801, 2),
            w_put(b, 3, 1); /* −2047 in 12 bits: its upper four do not count */
        w_put(b, 4, 1), w_put(b, 5, 2), w_put(b, 255, 1);
        box_end(b, at);
        at = box_begin(b, "cmap");
        for (int i = 0; i < 3; i++)
            w_put(b, 0, 2), w_put(b, 1, 1), w_put(b, (uint64_t)i, 1);
        box_end(b, at);
        at = box_begin(b, "cdef"); /* stored B, G, R */
        w_put(b, 3, 2);
        for (int i = 0; i < 3; i++)
            w_put(b, (uint64_t)i, 2), w_put(b, 0, 2), w_put(b, (uint64_t)(3 - i), 2);
        box_end(b, at);
    }
    box_end(b, super);
}

static w_bytes jp2_of(const w_stream *w, const char *brand, bool header_last, bool palette, int length_form)
{
    w_bytes b = {0};
    size_t at = box_begin(&b, "jP  ");

    w_put(&b, 0x0D0A870A, 4), box_end(&b, at);
    at = box_begin(&b, "ftyp");
    w_add(&b, brand, 4), w_put(&b, 0, 4), w_add(&b, brand, 4), box_end(&b, at);
    at = box_begin(&b, "odd "), w_put(&b, 1, 3), box_end(&b, at);
    if (!header_last)
        add_jp2h(&b, palette);
    at = box_begin(&b, "jp2c");
    if (length_form == 8)
        w_put(&b, 0, 8);
    w_add(&b, w->out.p, w->out.n);
    if (length_form == 4)
        box_end(&b, at);
    if (length_form == 8)
        w_set(&b, at, 1, 4), w_set(&b, at + 8, b.n - at, 8);
    if (header_last)
        add_jp2h(&b, palette);
    return b;
}

static void test_boxes(void **state)
{
    w_stream w = w_stream_new(&plain);

    (void)state;
    for (int form = 0; form <= 8; form += 4)
        for (int last = 0; last < 2; last++) {
            w_bytes b = jp2_of(&w, last ? "jph " : "jp2 ", last && form, true, form);
            opened o = {.in = {.data = b.p, .size_bytes = b.n}};
            const j2k_channel *channels;
            mtm_error err = {0};
            int32_t n;

            assert_ok(open_status(&o, &err));
            assert_true(j2k_detect(b.p, b.n));
            assert_int_equal(o.notes.n, 0);
            assert_int_equal(o.boxes.container, last ? J2K_JPH : J2K_JP2);
            assert_int_equal(o.boxes.codestream_bytes, w.out.n);
            assert_int_equal(o.boxes.enum_cs, J2K_CS_SRGB);
            assert_int_equal(o.boxes.palette.n_entries, 2);
            assert_int_equal(o.boxes.palette.values[1], -2047);
            assert_int_equal(o.boxes.palette.values[5], 255);
            assert_ok(j2k_channels_make(&channels, &n, &o.boxes, &o.header, &o.arena, &o.notes, &err));
            assert_int_equal(n, 3);
            for (int i = 0; i < 3; i++) {
                assert_int_equal(channels[i].component, 0);
                assert_int_equal(channels[i].column, 2 - i);
                assert_int_equal(channels[i].kind, J2K_CHANNEL_COLOR);
            }
            opened_free(&o);
            mtm_free(b.p);
        }
    w_stream_free(&w);
}

static void test_boxes_that_lie(void **state)
{
    w_stream w = w_stream_new(&plain);
    w_bytes b = jp2_of(&w, "jp2 ", false, true, 4);
    const size_t jp2h = 12 + 20 + 11, ihdr = jp2h + 8, pclr = ihdr + 22 + 15;
    const struct {
        const char *what;
        size_t at;
        int n;
        uint64_t value;
        mtm_status status;
        int64_t offset;
        int32_t notes;
    } cases[] = {
        {"another size", ihdr + 8, 4, 31, MTM_OK, 0, 1},
        {"another number of components", ihdr + 16, 2, 3, MTM_OK, 0, 1},
        {"no signature", 4, 1, 0, MTM_E_UNSUPPORTED, 0, 0},
        {"a box shorter than its header", jp2h, 4, 7, MTM_E_CORRUPT, (int64_t)jp2h, 0},
        {"a box longer than the file", jp2h, 4, 1 << 20, MTM_E_CORRUPT, (int64_t)jp2h, 0},
        {"a box longer than its parent", ihdr, 4, 1000, MTM_E_CORRUPT, (int64_t)ihdr, 0},
        {"a palette of 2000", pclr + 8, 2, 2000, MTM_E_CORRUPT, (int64_t)pclr + 8, 0},
        {"a palette larger than its box", pclr + 8, 2, 100, MTM_E_CORRUPT, (int64_t)pclr + 8, 0},
        {"a palette of 40 bits", pclr + 11, 1, 39, MTM_E_CORRUPT, (int64_t)pclr + 11, 0},
        {"a colour space of another kind", ihdr + 22 + 8, 1, 9, MTM_OK, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        opened o = {.in = {.data = b.p, .size_bytes = b.n}};
        uint8_t before[8];
        mtm_error err = {0};
        mtm_status status;

        memcpy(before, b.p + cases[i].at, 8);
        w_set(&b, cases[i].at, cases[i].value, cases[i].n);
        status = open_status(&o, &err);
        if (status != cases[i].status || (status != MTM_OK && err.offset != cases[i].offset) ||
            (status == MTM_OK && o.notes.n != cases[i].notes))
            fail_msg("%s: %s at byte %lld: %s; %d notes", cases[i].what, mtm_status_name(status),
                     (long long)err.offset, err.text, o.notes.n);
        memcpy(b.p + cases[i].at, before, 8);
        opened_free(&o);
    }
    mtm_free(b.p);
    w_stream_free(&w);
}

/* ---- info, and plans of a beginning ------------------------------------------------------------------- */

static void test_info(void **state)
{
    w_spec s = plain;
    mtm_codec_info *info = NULL;
    mtm_error err = {0};
    w_stream w;

    (void)state;
    s.n_components = 3, s.dx[1] = s.dx[2] = 2, s.plt = s.tlm = true, s.parts = 2, s.layers = 3;
    s.style = MTM_BLOCK_HT, s.precinct[0] = 0x76;
    w = w_stream_new(&s);
    assert_ok(j2k_info_new(&info, w.out.p, w.out.n, NULL, &err));
    assert_string_equal(info->codec, "htj2k");
    assert_string_equal(info->container, "codestream");
    assert_string_equal(info->progression, "RPCL");
    assert_string_equal(info->color, "sycc");
    assert_int_equal(info->width, 40);
    assert_int_equal(info->components[1].width, 20);
    assert_int_equal(info->components[1].height, 30);
    assert_int_equal(info->components[0].bits, 8);
    assert_int_equal(info->components[0].block[0], 16);
    assert_int_equal(info->layers, 3);
    assert_int_equal(info->min_levels, 2);
    assert_true(info->has_plt && info->has_tlm && info->lossless_capable);
    assert_int_equal(info->precincts[0][0], 7);
    assert_int_equal(info->precincts[0][1], 6);
    assert_int_equal(info->precincts[1][0], 15);
    assert_int_equal(info->n_tile_parts, 2);
    assert_string_equal(info->markers[0].name, "SOC");
    assert_string_equal(info->markers[1].name, "SIZ");
    assert_string_equal(info->markers[info->n_markers - 1].name, "SOD");
    assert_int_equal(info->n_warnings, 0);
    j2k_info_free(info);
    for (size_t n = 0; n < w.main_bytes; n += 7) /* cut: an error, not a crash */
        assert_true(j2k_info_new(&info, w.out.p, n, NULL, &err) != MTM_OK);
    w_stream_free(&w);
}

/* Fetching what a plan asks for, again and again, ends with ranges that suffice. */
static void test_plan_of_beginning(void **state)
{
    mtm_rng r = mtm_rng_at(13, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 100; i++) {
        const w_spec s = random_stream(&r);
        w_stream w = w_stream_new(&s);
        mtm_decode_params p = {.struct_size = sizeof p, .reduce = s.levels};
        uint64_t n = 1 + mtm_rng_below(&r, 40);
        mtm_error err = {0};

        for (int round = 0;; round++) {
            mtm_j2k_ranges *plan = NULL;
            uint8_t *const bytes = mtm_alloc(n);

            assert_true(round < 1000);
            memcpy(bytes, w.out.p, n);
            if (n < 12) { /* not even a signature */
                assert_true(mtm_j2k_plan(&plan, bytes, n, w.out.n, &p, &err) != MTM_OK ||
                            plan->need_bytes > n);
                mtm_j2k_ranges_free(plan);
                mtm_free(bytes), n = 12;
                continue;
            }
            assert_ok(mtm_j2k_plan(&plan, bytes, n, w.out.n, &p, &err));
            mtm_free(bytes);
            if (!plan->need_bytes) {
                const j2k_want want = {.region = s.image, .whole = true, .reduce = s.levels};
                j2k_counts counts;

                check_stream(&w, &s, &want, plan->ranges, plan->n, &counts);
                mtm_j2k_ranges_free(plan);
                break;
            }
            assert_true(plan->need_bytes > n && plan->need_bytes <= w.out.n);
            n = plan->need_bytes;
            mtm_j2k_ranges_free(plan);
        }
        w_stream_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_that_lie),
        cmocka_unit_test(test_headers_cut),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_rectangles),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_progressions),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_parts_and_plans),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_wrong_plt),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_boxes_that_lie),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_plan_of_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
