/* tests/unit/test_wavelet.c: the rolling wavelet transforms against T.800 annex F written down over whole planes:
 * every row and column extended symmetrically, then lifted. All sizes up to 40 × 40, parities of the origin,
 * levels; parts of planes; int16 that must notice when it does not suffice; failing sources and sinks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/rng.h"
#include "base/size.h"
#include "codec/j2k/analysis.h"
#include "codec/j2k/lifting.h"
#include "codec/j2k/synthesis.h"
#include "kernel/kernels.h"

static const unsigned tiers[] = {0, MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512};
/* Transforms of random shapes; one thread's work takes 30 times as long under ThreadSanitizer, and tells it nothing. */
#if defined __SANITIZE_THREAD__
enum { DRAWN = 100 };
#else
enum { DRAWN = 3500 };
#endif
enum { TIERS = sizeof tiers / sizeof *tiers, MOST = 48, MOST_LEVELS = 6, TYPES = 4 };

/* ---- annex F, plainly ---------------------------------------------------------------------------------- */

/* T.800 equation F-4 (PSE_O): the sample of [i0, i1) that extended coordinate i shows. */
static int64_t extended(int64_t i, int64_t i0, int64_t i1)
{
    const int64_t period = 2 * (i1 - i0 - 1);
    int64_t at = (i - i0) % period;

    at += at < 0 ? period : 0;
    return i0 + mtm_min_i64(at, period - at);
}

/* 1D_SD, 1D_SR over coordinates [i0, i1), in doubles: exact for integers. Five extended samples on each side. */
static void transform_1d(double *x, int64_t i0, int64_t i1, bool reversible, bool forward)
{
    static const double step97[4] = {-1.586134342059924, -0.052980118572961, 0.882911075530934,
                                     0.443506852043971};
    const double k = 1.230174104914001;
    const int steps = reversible ? 2 : 4;
    double line[MOST + 16], *const e = line + 8 - i0; /* e[i]: coordinate i */

    if (i1 - i0 <= 0)
        return;
    if (i1 - i0 == 1) {
        x[0] = !(i0 & 1) ? x[0] : forward ? 2 * x[0] : reversible ? floor(x[0] / 2) : x[0] / 2;
        return;
    }
    for (int64_t i = i0 - 5; i < i1 + 5; i++) {
        e[i] = x[extended(i, i0, i1) - i0];
        if (!reversible && !forward)
            e[i] *= i & 1 ? 1 / k : k;
    }
    for (int s = 0; s < steps; s++)
        for (int64_t i = i0 - 4 + s; i < i1 + 4 - s; i++) {
            const double sum = e[i - 1] + e[i + 1];

            if (((i & 1) == 0) != ((s & 1) == (int)forward))
                continue;
            if (reversible)
                e[i] += (!(i & 1) == forward ? 1 : -1) * floor(i & 1 ? sum / 2 : (sum + 2) / 4);
            else
                e[i] += (forward ? step97[s] : -step97[3 - s]) * sum;
        }
    for (int64_t i = i0; i < i1; i++)
        x[i - i0] = e[i] * (reversible || !forward ? 1 : i & 1 ? k : 1 / k);
}

static double *at(double *plane, int64_t y, int64_t x)
{
    return plane + y * MOST + x;
}

/* 2D_SD or 2D_SR of a rectangle (without separation): columns first, forward; rows first, inverse. */
static void transform_2d(double *plane, j2k_rect r, bool reversible, bool forward)
{
    for (int pass = 0; pass < 2; pass++)
        if ((pass == 0) == forward)
            for (int64_t x = 0; x < r.x1 - r.x0; x++) {
                double column[MOST];

                for (int64_t y = 0; y < r.y1 - r.y0; y++)
                    column[y] = *at(plane, y, x);
                transform_1d(column, r.y0, r.y1, reversible, forward);
                for (int64_t y = 0; y < r.y1 - r.y0; y++)
                    *at(plane, y, x) = column[y];
            }
        else
            for (int64_t y = 0; y < r.y1 - r.y0; y++)
                transform_1d(at(plane, y, 0), r.x0, r.x1, reversible, forward);
}

/* ---- a tile-component ---------------------------------------------------------------------------------- */

typedef struct picture {
    j2k_tile_component tc;
    j2k_resolution resolutions[MOST_LEVELS + 1];
    double *bands[MOST_LEVELS + 1][3]; /* whole planes, MOST wide; [0][0]: LL */
    double *plane;
    j2k_arena arena;
} picture;

static int64_t up(int64_t x, int shift)
{
    return (x + ((int64_t)1 << shift) - 1) >> shift;
}

static j2k_rect shrunk(j2k_rect r, int64_t ox, int64_t oy, int shift)
{
    return (j2k_rect){up(r.x0 - ox, shift), up(r.y0 - oy, shift), up(r.x1 - ox, shift), up(r.y1 - oy, shift)};
}

static j2k_rect widened(j2k_rect r, int64_t by, j2k_rect inside)
{
    return (j2k_rect){mtm_max_i64(r.x0 - by, inside.x0), mtm_max_i64(r.y0 - by, inside.y0),
                      mtm_min_i64(r.x1 + by, inside.x1), mtm_min_i64(r.y1 + by, inside.y1)};
}

/* T.800 equations B-14 and B-15, and the windows that `need` of the top resolution makes necessary. */
static void lay_out(picture *p, j2k_rect full, int levels, int top, j2k_rect need, bool reversible)
{
    p->tc = (j2k_tile_component){
        .full = full, .levels = levels, .top = top, .wanted = true, .resolutions = p->resolutions};
    for (int r = top; r >= 0; r--) {
        j2k_resolution *const s = &p->resolutions[r];
        j2k_rect m;

        *s = (j2k_resolution){.full = shrunk(full, 0, 0, levels - r), .need = need, .n_bands = r ? 3 : 1};
        s->made = m = r ? widened(need, reversible ? 2 : 4, s->full) : need;
        if (r == 0) {
            s->bands[0] = (j2k_band){.full = s->full, .win = need};
            continue;
        }
        need = (j2k_rect){(m.x0 + 1) >> 1, (m.y0 + 1) >> 1, (m.x1 + 1) >> 1, (m.y1 + 1) >> 1};
        for (int b = 0; b < 3; b++) {
            const int ox = b != 1, oy = b != 0, nb = levels - r + 1;

            s->bands[b].full = shrunk(full, (int64_t)ox << (nb - 1), (int64_t)oy << (nb - 1), nb);
            s->bands[b].win =
                (j2k_rect){(m.x0 + !ox) >> 1, (m.y0 + !oy) >> 1, (m.x1 + !ox) >> 1, (m.y1 + !oy) >> 1};
        }
    }
}

static double *new_plane(picture *p)
{
    double *const plane = j2k_arena_take_zero(&p->arena, MOST * MOST, sizeof *plane);

    assert_non_null(plane);
    return plane;
}

/* A random plane and its bands, in doubles. */
static void make(picture *p, j2k_rect full, int levels, bool reversible, double amplitude, mtm_rng *rng)
{
    double *ll;

    lay_out(p, full, levels, levels, full, reversible);
    p->plane = new_plane(p), ll = new_plane(p);
    for (int64_t i = 0; i < MOST * MOST; i++) {
        const double noise = floor((mtm_rng_uniform(rng) * 2 - 1) * amplitude);

        ll[i] = p->plane[i] = noise;
    }
    for (int r = levels; r > 0; r--) {
        const j2k_rect rect = p->resolutions[r].full;
        double *const next = new_plane(p);

        transform_2d(ll, rect, reversible, true);
        for (int b = 0; b < 3; b++)
            p->bands[r][b] = new_plane(p);
        for (int64_t y = rect.y0; y < rect.y1; y++)
            for (int64_t x = rect.x0; x < rect.x1; x++) {
                const int odd_x = x & 1, odd_y = y & 1, b = odd_x + 2 * odd_y - 1;
                const int64_t u0 = (rect.x0 + !odd_x) >> 1, v0 = (rect.y0 + !odd_y) >> 1;

                *at(b < 0 ? next : p->bands[r][b], (y >> 1) - v0, (x >> 1) - u0) =
                    *at(ll, y - rect.y0, x - rect.x0);
            }
        ll = next;
    }
    p->bands[0][0] = ll;
}

/* ---- rows of any type ---------------------------------------------------------------------------------- */

static void put(void *row, mtm_coef t, int64_t i, double v)
{
    if (t == MTM_COEF_I16)
        ((int16_t *)row)[i] = (int16_t)v;
    else if (t == MTM_COEF_I32)
        ((int32_t *)row)[i] = (int32_t)v;
    else if (t == MTM_COEF_I64)
        ((int64_t *)row)[i] = (int64_t)v;
    else
        ((float *)row)[i] = (float)v;
}

static double get(const void *row, mtm_coef t, int64_t i)
{
    return t == MTM_COEF_I16   ? ((const int16_t *)row)[i]
           : t == MTM_COEF_I32 ? ((const int32_t *)row)[i]
           : t == MTM_COEF_I64 ? (double)((const int64_t *)row)[i]
                               : (double)((const float *)row)[i];
}

static size_t bytes_of(mtm_coef t)
{
    return t == MTM_COEF_I16 ? 2 : t == MTM_COEF_I64 ? 8 : 4;
}

static bool same(double a, double b, mtm_coef t, double amplitude)
{
    return t == MTM_COEF_F32 ? fabs(a - b) <= 2e-6 * amplitude : a == b;
}

/* Gives and takes rows; each band has one row's memory, exactly as large as promised. */
typedef struct rows {
    picture *p;
    mtm_coef type;
    void *row[MOST_LEVELS + 1][3];
    int64_t next[MOST_LEVELS + 1][3]; /* v that must come next, when writing; that is least, when reading */
    double amplitude;
    int left;       /* calls until failure; negative: never */
    bool wide_base; /* resolution 0 is int32 */
} rows;

static void rows_begin(rows *s, picture *p, mtm_coef type, double amplitude)
{
    *s = (rows){.p = p, .type = type, .amplitude = amplitude, .left = -1};
    for (int r = 0; r <= p->tc.top; r++)
        for (int b = 0; b < p->resolutions[r].n_bands; b++) {
            const j2k_band *const band = &p->resolutions[r].bands[b];

            s->row[r][b] = mtm_alloc(
                (size_t)mtm_max_i64(band->win.x1 - band->win.x0, 0) * bytes_of(r ? type : MTM_COEF_I64) + 64);
            assert_non_null(s->row[r][b]);
            s->next[r][b] = band->win.y0;
        }
}

static void rows_end(rows *s)
{
    for (int r = 0; r <= MOST_LEVELS; r++)
        for (int b = 0; b < 3; b++)
            mtm_free(s->row[r][b]);
}

static mtm_coef type_of(const rows *s, int32_t r)
{
    return r == 0 && s->wide_base ? MTM_COEF_I32 : s->type;
}

static const void *source_row(void *user, int32_t r, int32_t b, int64_t v)
{
    rows *const s = user;
    const j2k_band *const band = &s->p->resolutions[r].bands[b];

    assert_true(v >= s->next[r][b] && v < band->win.y1 && band->win.x0 < band->win.x1);
    s->next[r][b] = v + 1;
    if (s->left >= 0 && s->left-- == 0)
        return NULL;
    memset(s->row[r][b], 0x5A, (size_t)(band->win.x1 - band->win.x0) * bytes_of(type_of(s, r)) + 64);
    for (int64_t u = band->win.x0; u < band->win.x1; u++)
        put(s->row[r][b], type_of(s, r), u - band->win.x0,
            *at(s->p->bands[r][b], v - band->full.y0, u - band->full.x0));
    return s->row[r][b];
}

static void *sink_place(void *user, int32_t r, int32_t b, int64_t v)
{
    rows *const s = user;

    assert_int_equal(v, s->next[r][b]);
    return s->left == 0 ? NULL : s->row[r][b];
}

static mtm_status sink_done(void *user, int32_t r, int32_t b, int64_t v, mtm_error *err)
{
    rows *const s = user;
    const j2k_rect full = s->p->resolutions[r].bands[b].full;

    assert_int_equal(v, s->next[r][b]);
    s->next[r][b]++;
    for (int64_t u = 0; u < full.x1 - full.x0; u++) {
        const double expected = *at(s->p->bands[r][b], v - full.y0, u),
                     found = get(s->row[r][b], type_of(s, r), u);

        if (!same(expected, found, s->type, s->amplitude))
            fail_msg("resolution %d band %d row %d column %d: %g instead of %g", (int)r, (int)b, (int)v,
                     (int)u, found, expected);
    }
    return s->left >= 0 && s->left-- == 0 ? mtm_fail(err, MTM_E_IO, -1, "the sink is full") : MTM_OK;
}

/* ---- the tests ----------------------------------------------------------------------------------------- */

static void push_plane(j2k_analysis *a, picture *p, mtm_coef type, double offset)
{
    mtm_error err;

    for (int64_t y = 0; y < p->tc.full.y1 - p->tc.full.y0; y++) {
        void *const row = j2k_analysis_row(a);

        for (int64_t x = 0; x < p->tc.full.x1 - p->tc.full.x0; x++)
            put(row, type, x, *at(p->plane, y, x) + offset);
        assert_ok(j2k_analysis_push(a, &err));
    }
}

static void check_analysis(picture *p, mtm_coef type, const mtm_wavelet_kernels *k, double amplitude)
{
    j2k_analysis *a;
    j2k_arena arena = {0};
    mtm_error err;
    rows s;

    rows_begin(&s, p, type, amplitude);
    assert_ok(
        j2k_analysis_new(&a, &p->tc, type, k, (j2k_analysis_sink){sink_place, sink_done, &s}, &arena, &err));
    push_plane(a, p, type, 0);
    for (int r = 0; r <= p->tc.levels; r++)
        for (int b = 0; b < p->resolutions[r].n_bands; b++) {
            const j2k_rect f = p->resolutions[r].bands[b].full;

            if (f.x1 > f.x0 && f.y1 > f.y0)
                assert_int_equal(s.next[r][b], f.y1);
        }
    rows_end(&s);
    j2k_arena_free(&arena);
}

/* The part `need` of resolution `top`, which is `expected`, row by row; twice, the second time begun again. */
static void check_synthesis(picture *p, int top, j2k_rect need, double *expected, mtm_coef type, bool check,
                            const mtm_wavelet_kernels *k, double amplitude)
{
    const j2k_rect full = p->tc.full;
    j2k_synthesis *s;
    j2k_arena arena = {0};
    mtm_error err;
    rows source;

    lay_out(p, full, p->tc.levels, top, need, type != MTM_COEF_F32);
    rows_begin(&source, p, type, amplitude);
    assert_ok(j2k_synthesis_new(&s, &p->tc, type, check, k, (j2k_synthesis_source){source_row, &source},
                                &arena, &err));
    const j2k_rect all = p->resolutions[top].full;
    for (int run = 0; run < 2; run++) {
        for (int64_t y = need.y0; y < need.y1; y++) {
            const void *const row = j2k_synthesis_next(s);

            assert_non_null(row);
            for (int64_t x = need.x0; x < need.x1; x++) {
                const double wanted = *at(expected, y - all.y0, x - all.x0);

                if (!same(wanted, get(row, type, x - need.x0), type, amplitude))
                    fail_msg("row %d column %d: %g instead of %g (%d…%d × %d…%d of %d…%d × %d…%d, resolution "
                             "%d of %d)",
                             (int)y, (int)x, get(row, type, x - need.x0), wanted, (int)need.y0, (int)need.y1,
                             (int)need.x0, (int)need.x1, (int)all.y0, (int)all.y1, (int)all.x0, (int)all.x1,
                             top, p->tc.levels);
            }
        }
        assert_true(j2k_synthesis_exact(s));
        j2k_synthesis_restart(s);
        memset(source.next, 0, sizeof source.next);
    }
    rows_end(&source);
    j2k_arena_free(&arena);
    lay_out(p, full, p->tc.levels, p->tc.levels, full, type != MTM_COEF_F32);
}

static const double amplitudes[TYPES] = {2000, 1e6, 1e11, 1000};

/* Where there is a row beyond 53 bits, doubles would not be exact. */
static void all_sizes(void **state)
{
    mtm_wavelet_kernels k[TIERS];
    mtm_rng rng = mtm_rng_at(4, 0, 0, 0);

    for (int t = 0; t < TIERS; t++)
        mtm_wavelet_kernels_init(&k[t], tiers[t] & mtm_cpu_flags());
    for (int64_t i = 0; i < 40 * 40 * 4; i++) {
        const int64_t w = i % 40 + 1, h = i / 40 % 40 + 1, parity = i / 1600;
        const int64_t x0 = (parity & 1) + 2 * (int64_t)(mtm_rng_uniform(&rng) * 20),
                      y0 = (parity >> 1) + (w & 14);
        const int levels = (int)((3 * w + 5 * h + i / 1600) % (MOST_LEVELS + 1));
        const j2k_rect full = {x0, y0, x0 + w, y0 + h};

        for (int type = 0; type < TYPES; type++) {
            const bool reversible = type != MTM_COEF_F32;
            const mtm_wavelet_kernels *const kernels = &k[(i + type) % TIERS];
            picture p = {.arena = {0}};

            make(&p, full, levels, reversible, amplitudes[type], &rng);
            check_analysis(&p, (mtm_coef)type, kernels, amplitudes[type]);
            check_synthesis(&p, levels, full, p.plane, (mtm_coef)type, i & 1, kernels, amplitudes[type]);
            j2k_arena_free(&p.arena);
        }
    }
}

static int64_t below(mtm_rng *rng, int64_t n)
{
    return mtm_min_i64((int64_t)(mtm_rng_uniform(rng) * (float)n), n - 1);
}

/* A part of a resolution is what the whole has there. */
static void windows(void **state)
{
    mtm_wavelet_kernels k[TIERS];
    mtm_rng rng = mtm_rng_at(5, 0, 0, 0);

    for (int t = 0; t < TIERS; t++)
        mtm_wavelet_kernels_init(&k[t], tiers[t] & mtm_cpu_flags());
    for (int i = 0; i < DRAWN; i++) {
        const mtm_coef type = (mtm_coef)(i % TYPES);
        const bool reversible = type != MTM_COEF_F32;
        const int64_t x0 = below(&rng, 100), y0 = below(&rng, 100);
        const j2k_rect full = {x0, y0, x0 + 1 + below(&rng, MOST), y0 + 1 + below(&rng, MOST)};
        const int levels = (int)below(&rng, MOST_LEVELS + 1), top = (int)below(&rng, levels + 1);
        picture p = {.arena = {0}};
        double *expected;

        make(&p, full, levels, reversible, amplitudes[type], &rng);
        const j2k_rect all = p.resolutions[top].full;
        expected = new_plane(&p);
        memcpy(expected, p.plane, MOST * MOST * sizeof *expected);
        for (int r = levels; r > top; r--) { /* what resolution `top` looks like */
            double *const next = new_plane(&p);
            const j2k_rect rect = p.resolutions[r].full;

            transform_2d(expected, rect, reversible, true);
            for (int64_t y = (rect.y0 + 1) & ~1; y < rect.y1; y += 2)
                for (int64_t x = (rect.x0 + 1) & ~1; x < rect.x1; x += 2)
                    *at(next, y / 2 - (rect.y0 + 1) / 2, x / 2 - (rect.x0 + 1) / 2) =
                        *at(expected, y - rect.y0, x - rect.x0);
            expected = next;
        }
        if (all.x1 > all.x0 && all.y1 > all.y0) {
            j2k_rect need = {all.x0 + below(&rng, all.x1 - all.x0), all.y0 + below(&rng, all.y1 - all.y0), 0,
                             0};

            need.x1 = need.x0 + 1 + below(&rng, all.x1 - need.x0);
            need.y1 = need.y0 + 1 + below(&rng, all.y1 - need.y0);
            check_synthesis(&p, top, need, expected, type, i & 1, &k[i / TYPES % TIERS], amplitudes[type]);
        }
        j2k_arena_free(&p.arena);
    }
}

/* Whether int16 synthesis calls itself exact; when it does, it is. */
static bool int16_exact(picture *p, double amplitude, const mtm_wavelet_kernels *k)
{
    const j2k_rect full = p->tc.full;
    j2k_synthesis *s;
    j2k_arena arena = {0};
    mtm_error err;
    bool right = true, exact;
    rows source;

    rows_begin(&source, p, MTM_COEF_I16, amplitude);
    assert_ok(j2k_synthesis_new(&s, &p->tc, MTM_COEF_I16, true, k,
                                (j2k_synthesis_source){source_row, &source}, &arena, &err));
    for (int64_t y = 0; y < full.y1 - full.y0; y++) {
        const int16_t *const row = j2k_synthesis_next(s);

        assert_non_null(row);
        for (int64_t x = 0; x < full.x1 - full.x0; x++)
            right &= row[x] == *at(p->plane, y, x);
    }
    exact = j2k_synthesis_exact(s);
    if (exact)
        assert_true(right);
    rows_end(&source);
    j2k_arena_free(&arena);
    return exact;
}

static void int16_notices(void **state)
{
    mtm_wavelet_kernels k;
    mtm_rng rng = mtm_rng_at(6, 0, 0, 0);
    int exact = 0, inexact = 0;

    for (int i = 0; i < DRAWN; i++) {
        const double amplitude = i % 3 ? 3000 + below(&rng, 9000) : 16000 + below(&rng, 1000);
        const int64_t x0 = below(&rng, 2), y0 = below(&rng, 2);
        const j2k_rect full = {x0, y0, x0 + 1 + below(&rng, 45), y0 + 1 + below(&rng, 45)};
        picture p = {.arena = {0}};
        double most = 0;

        mtm_wavelet_kernels_init(&k, tiers[i % TIERS] & mtm_cpu_flags());
        make(&p, full, 1 + i % 5, true, 1, &rng);
        for (int64_t y = 0; y < full.y1 - full.y0;
             y++) /* smooth, with a few steps: between always and never */
            for (int64_t x = 0; x < full.x1 - full.x0; x++)
                *at(p.plane, y, x) =
                    floor(amplitude * sin((double)(x * (i % 7) + y) / 9) * (below(&rng, 40) ? 1 : -1));
        double *const plane = p.plane, *const work = new_plane(&p);
        memcpy(work, plane, MOST * MOST * sizeof *work);
        for (int r = p.tc.levels; r > 0; r--) {
            const j2k_rect rect = p.resolutions[r].full;
            double *const copy = new_plane(&p);

            transform_2d(work, rect, true, true);
            memcpy(copy, work, MOST * MOST * sizeof *copy);
            for (int64_t y = rect.y0; y < rect.y1; y++)
                for (int64_t x = rect.x0; x < rect.x1; x++) {
                    const int odd_x = x & 1, odd_y = y & 1, b = odd_x + 2 * odd_y - 1;
                    const int64_t u = (x >> 1) - ((rect.x0 + !odd_x) >> 1),
                                  v = (y >> 1) - ((rect.y0 + !odd_y) >> 1);
                    const double c = *at(copy, y - rect.y0, x - rect.x0);

                    *at(b < 0 ? work : p.bands[r][b], v, u) = c;
                    most = fabs(c) > most ? fabs(c) : most;
                }
        }
        memcpy(p.bands[0][0], work, MOST * MOST * sizeof *work);
        if (most < 32767) /* as the block decoders promise */
            *(int16_exact(&p, amplitude, &k) ? &exact : &inexact) += 1;
        j2k_arena_free(&p.arena);
    }
    assert_in_range(exact, DRAWN / 10, DRAWN - DRAWN / 30);
    assert_in_range(inexact, DRAWN / 10, DRAWN - DRAWN / 30);
}

static mtm_range16 seen_range(const mtm_seen16 *seen)
{
    mtm_range16 r = {seen->lo[0], seen->hi[0]};

    for (int i = 0; i < MTM_SEEN_LANES; i++) {
        r.lo = seen->lo[i] < r.lo ? seen->lo[i] : r.lo;
        r.hi = seen->hi[i] > r.hi ? seen->hi[i] : r.hi;
    }
    return r;
}

/* The last sample before values that are not the row's, at and beyond the limit. */
static void int16_extremes(void **state)
{
    for (int t = 0; t < TIERS; t++)
        for (int16_t extreme = MTM_WAVELET_MOST16; extreme <= MTM_WAVELET_MOST16 + 1; extreme++)
            for (size_t n = 2; n < 200; n += 7) {
                mtm_wavelet_kernels k;
                int16_t x[4][256] = {{0}}, low[256] = {0}, high[256] = {0}, dst[256];
                void *const four[4] = {x[0], x[1], x[2], x[3]};
                mtm_seen16 seen = {{0}, {0}};
                mtm_range16 r;

                mtm_wavelet_kernels_init(&k, tiers[t] & mtm_cpu_flags());
                for (size_t i = 0; i < 256; i++)
                    for (int j = 0; j < 4; j++)
                        x[j][i] = i < n ? 0 : INT16_MIN;
                for (size_t i = 0; i < 256; i++)
                    low[i] = i < n - n / 2 ? 0 : INT16_MIN, high[i] = i < n / 2 ? 0 : INT16_MIN;
                high[n / 2 - 1] = extreme;
                k.inverse_row_seen(dst, low, high, n, false, &seen);
                r = seen_range(&seen);
                assert_in_range(r.hi, extreme, extreme + 8192);
                assert_true(r.lo >= -8193);
                memset(&seen, 0, sizeof seen);
                x[1][n - 1] = extreme;
                k.inverse_steps_seen(four, n, &seen);
                r = seen_range(&seen);
                assert_int_equal(r.hi, extreme);
                assert_int_equal(r.lo, 0);
            }
}

/* Unsigned samples of 16 bits that are small: with the level shift they are far from 0, and overshoot int16 where
 * they are near −32768; with the offset they are near 0. */
static void int16_offset(void **state)
{
    const double shift = 32768;
    mtm_wavelet_kernels k;
    mtm_rng rng = mtm_rng_at(8, 0, 0, 0);
    mtm_error err;
    int without = 0;

    mtm_wavelet_kernels_init(&k, mtm_cpu_flags());
    for (int i = 0; i < 60; i++) {
        const j2k_rect full = {i % 2, i % 3, i % 2 + 1 + i % 43, i % 3 + 1 + i % 41};
        j2k_arena arena = {0};
        j2k_synthesis *s;
        j2k_analysis *a;
        picture p = {.arena = {0}};
        rows band;

        make(&p, full, i % 6, true, 1500, &rng);
        const j2k_rect base = p.resolutions[0].full;
        for (int64_t at0 = 0; at0 < MOST * MOST; at0++)
            p.plane[at0] += 1500 - shift, p.bands[0][0][at0] += 1500 - shift;
        const int16_t offset = j2k_offset16(&p.tc, 16, false);
        rows_begin(&band, &p, MTM_COEF_I16, 1500);
        band.wide_base = true;
        without += !offset; /* a single odd row or column at some level */
        if (offset) {
            assert_ok(j2k_analysis_new(&a, &p.tc, MTM_COEF_I16, &k,
                                       (j2k_analysis_sink){sink_place, sink_done, &band}, &arena, &err));
            j2k_analysis_offset(a, offset);
            push_plane(a, &p, MTM_COEF_I16, offset);
            assert_int_equal(band.next[0][0], base.y1);
            memset(band.next, 0, sizeof band.next);
            assert_ok(j2k_synthesis_new(&s, &p.tc, MTM_COEF_I16, true, &k,
                                        (j2k_synthesis_source){source_row, &band}, &arena, &err));
            j2k_synthesis_offset(s, offset);
            for (int64_t y = 0; y < full.y1 - full.y0; y++) {
                const int16_t *const row = j2k_synthesis_next(s);

                for (int64_t x = 0; x < full.x1 - full.x0; x++)
                    assert_int_equal(row[x], (int16_t)(*at(p.plane, y, x) + offset));
            }
            assert_true(j2k_synthesis_exact(s));
            j2k_synthesis_offset(s, 1), j2k_synthesis_restart(s), memset(band.next, 0, sizeof band.next);
            assert_non_null(j2k_synthesis_next(s));
            assert_false(j2k_synthesis_exact(s));
        }
        rows_end(&band);
        j2k_arena_free(&arena);
        j2k_arena_free(&p.arena);
    }
    assert_in_range(without, 1, 30);
}

static void failures(void **state)
{
    const j2k_rect full = {3, 5, 40, 41};
    mtm_wavelet_kernels k;
    mtm_rng rng = mtm_rng_at(7, 0, 0, 0);
    mtm_error err;
    picture p = {.arena = {0}};

    mtm_wavelet_kernels_init(&k, mtm_cpu_flags());
    make(&p, full, 3, true, 100, &rng);
    for (int left = 0; left < 40; left++) {
        j2k_arena arena = {0};
        j2k_synthesis *s;
        j2k_analysis *a;
        mtm_status status = MTM_OK;
        bool failed = false;
        rows source;

        rows_begin(&source, &p, MTM_COEF_I32, 100);
        source.left = left;
        assert_ok(j2k_synthesis_new(&s, &p.tc, MTM_COEF_I32, false, &k,
                                    (j2k_synthesis_source){source_row, &source}, &arena, &err));
        for (int64_t y = full.y0; !failed && y < full.y1; y++)
            failed = !j2k_synthesis_next(s);
        assert_true(failed);
        rows_end(&source);
        rows_begin(&source, &p, MTM_COEF_I32, 100);
        source.left = left;
        assert_ok(j2k_analysis_new(&a, &p.tc, MTM_COEF_I32, &k,
                                   (j2k_analysis_sink){sink_place, sink_done, &source}, &arena, &err));
        for (int64_t y = 0; status == MTM_OK && y < full.y1 - full.y0; y++) {
            int32_t *const row = j2k_analysis_row(a);

            for (int64_t x = 0; x < full.x1 - full.x0; x++)
                row[x] = (int32_t)*at(p.plane, y, x);
            status = j2k_analysis_push(a, &err);
        }
        assert_int_not_equal(status, MTM_OK);
        rows_end(&source);
        j2k_arena_free(&arena);
    }
    j2k_arena_free(&p.arena);
}

/* The 9/7's low-pass has gain 1 at zero frequency, its high-pass 2 at the highest: what equation E-3's gains count
 * on. */
static void gains(void **state)
{
    mtm_wavelet_kernels k;
    float flat[64], fast[64], low[64], high[64];

    mtm_wavelet_kernels_init(&k, mtm_cpu_flags());
    for (int i = 0; i < 64; i++)
        flat[i] = 100, fast[i] = i % 2 ? -100 : 100;
    k.forward_row[MTM_COEF_F32](low, high, flat, 32, false, 1);
    for (int i = 0; i < 16; i++)
        assert_true(fabsf(low[i] - 100) < 1e-3f && fabsf(high[i]) < 1e-3f);
    k.forward_row[MTM_COEF_F32](low, high, fast, 32, false, 1);
    for (int i = 0; i < 16; i++)
        assert_true(fabsf(low[i]) < 1e-3f && fabsf(high[i] + 200) < 1e-3f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sizes),      cmocka_unit_test(windows),      cmocka_unit_test(int16_notices),
        cmocka_unit_test(int16_extremes), cmocka_unit_test(int16_offset), cmocka_unit_test(failures),
        cmocka_unit_test(gains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
