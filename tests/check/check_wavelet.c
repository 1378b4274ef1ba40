/* tests/check/check_wavelet.c: the wavelet transforms' rows and steps: every variant against the C reference, to
 * the bit, on any bits (integers wrap alike) and, for floats, on ordinary numbers. Rows are guarded behind the 64
 * bytes that they may touch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

#define KERNEL(c, name, field) mtm_check_kernel(c, name, (c)->ref.wavelet.field, (c)->now.wavelet.field)
enum { SLACK = 64, BENCH = 512 };

static const char *const type_names[MTM_WAVELET_TYPES] = {"int16", "int32", "int64", "float32"};
static const size_t sizes[MTM_WAVELET_TYPES] = {2, 4, 8, 4};

/* n samples and what may be touched behind them. */
static void *row_of(mtm_check *c, mtm_coef t, size_t n)
{
    void *const p = mtm_check_alloc(c, n * sizes[t] + SLACK, sizes[t]);

    if (t == MTM_COEF_F32)
        mtm_check_fill_f32(c, p, n + SLACK / 4, -1000, 1000, false);
    return p;
}

static void *copy_of(mtm_check *c, mtm_coef t, size_t n, const void *row)
{
    return memcpy(row_of(c, t, n), row, n * sizes[t] + SLACK);
}

/* Row lengths from 1 on: all small ones twice, for both parities. */
static size_t length_of(mtm_check *c, int i)
{
    const size_t n = mtm_check_size(c, i % MTM_CHECK_SIZES);

    return n ? n : 1;
}

static void check_inverse_row(mtm_check *c, mtm_coef t)
{
    for (int i = 0; i < 2 * MTM_CHECK_SIZES; i++) {
        const size_t n = length_of(c, i);
        const bool odd = i >= MTM_CHECK_SIZES;
        const void *const low = row_of(c, t, (n + !odd) / 2), *const high = row_of(c, t, (n + odd) / 2);
        void *const a = row_of(c, t, n), *const b = row_of(c, t, n);

        c->ref.wavelet.inverse_row[t](a, low, high, n, odd, 1.25f);
        c->now.wavelet.inverse_row[t](b, low, high, n, odd, 1.25f);
        mtm_check_bytes(c, "row", a, b, n * sizes[t]);
        mtm_check_case_end(c);
    }
    const void *const low = row_of(c, t, BENCH), *const high = row_of(c, t, BENCH);
    void *const a = row_of(c, t, BENCH);
    mtm_check_bench(c, BENCH, c->ref.wavelet.inverse_row[t](a, low, high, BENCH, false, 1),
                    c->now.wavelet.inverse_row[t](a, low, high, BENCH, false, 1));
}

static void check_forward_row(mtm_check *c, mtm_coef t)
{
    for (int i = 0; i < 2 * MTM_CHECK_SIZES; i++) {
        const size_t n = length_of(c, i);
        const bool odd = i >= MTM_CHECK_SIZES;
        const size_t n_low = (n + !odd) / 2, n_high = (n + odd) / 2;
        const void *const src = row_of(c, t, n);
        void *const a = row_of(c, t, n_low), *const b = row_of(c, t, n_low);
        void *const d = row_of(c, t, n_high), *const e = row_of(c, t, n_high);

        c->ref.wavelet.forward_row[t](a, d, src, n, odd, 1.25f);
        c->now.wavelet.forward_row[t](b, e, src, n, odd, 1.25f);
        mtm_check_bytes(c, "low", a, b, n_low * sizes[t]);
        mtm_check_bytes(c, "high", d, e, n_high * sizes[t]);
        mtm_check_case_end(c);
    }
    const void *const src = row_of(c, t, BENCH);
    void *const low = row_of(c, t, BENCH), *const high = row_of(c, t, BENCH);
    mtm_check_bench(c, BENCH, c->ref.wavelet.forward_row[t](low, high, src, BENCH, false, 1),
                    c->now.wavelet.forward_row[t](low, high, src, BENCH, false, 1));
}

static void check_step(mtm_check *c, mtm_coef t, bool forward)
{
    const int steps = t == MTM_COEF_F32 ? MTM_WAVELET_STEPS_97 : MTM_WAVELET_STEPS_53;

    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = length_of(c, i);
        const void *const above = row_of(c, t, n), *const below = i % 3 ? row_of(c, t, n) : above;
        void *const a = row_of(c, t, n), *const b = copy_of(c, t, n, a);

        (forward ? c->ref.wavelet.forward_step : c->ref.wavelet.inverse_step)[t](a, above, below, n,
                                                                                 i % steps);
        (forward ? c->now.wavelet.forward_step : c->now.wavelet.inverse_step)[t](b, above, below, n,
                                                                                 i % steps);
        mtm_check_bytes(c, "row", a, b, n * sizes[t]);
        mtm_check_case_end(c);
    }
}

static void check_steps(mtm_check *c, mtm_coef t, bool forward)
{
    const int rows = 2 + (t == MTM_COEF_F32 ? MTM_WAVELET_STEPS_97 : MTM_WAVELET_STEPS_53);
    void *a[6], *b[6];

    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = length_of(c, i);

        for (int r = 0; r < rows; r++)
            a[r] = row_of(c, t, n), b[r] = copy_of(c, t, n, a[r]);
        (forward ? c->ref.wavelet.forward_steps : c->ref.wavelet.inverse_steps)[t](a, n);
        (forward ? c->now.wavelet.forward_steps : c->now.wavelet.inverse_steps)[t](b, n);
        for (int r = 0; r < rows; r++)
            mtm_check_bytes(c, "row", a[r], b[r], n * sizes[t]);
        mtm_check_case_end(c);
    }
    for (int r = 0; r < rows; r++)
        a[r] = memset(row_of(c, t, BENCH), 0, BENCH * sizes[t]);
    mtm_check_bench(c, 2 * BENCH,
                    (forward ? c->ref.wavelet.forward_steps : c->ref.wavelet.inverse_steps)[t](a, BENCH),
                    (forward ? c->now.wavelet.forward_steps : c->now.wavelet.inverse_steps)[t](a, BENCH));
}

static void check_range(mtm_check *c, const mtm_range16 *a, const mtm_range16 *b)
{
    mtm_check_i64(c, "least", a->lo, b->lo);
    mtm_check_i64(c, "greatest", a->hi, b->hi);
}

/* Something was seen before. */
static mtm_seen16 begun(void)
{
    mtm_seen16 s;

    for (int i = 0; i < MTM_SEEN_LANES; i++)
        s.lo[i] = 100, s.hi[i] = 110;
    return s;
}

static mtm_range16 joined(const mtm_seen16 *seen)
{
    mtm_range16 r = {seen->lo[0], seen->hi[0]};

    for (int i = 0; i < MTM_SEEN_LANES; i++) {
        r.lo = seen->lo[i] < r.lo ? seen->lo[i] : r.lo;
        r.hi = seen->hi[i] > r.hi ? seen->hi[i] : r.hi;
    }
    return r;
}

static void check_seen16(mtm_check *c, const mtm_seen16 *a, const mtm_seen16 *b)
{
    const mtm_range16 r = joined(a), s = joined(b);

    check_range(c, &r, &s);
}

/* Rows with one extreme among small numbers, so that every place counts. */
static int16_t *row_with_extreme(mtm_check *c, size_t n)
{
    int16_t *const row = row_of(c, MTM_COEF_I16, n);

    for (size_t i = 0; i < n; i++)
        row[i] = (int16_t)(row[i] % 50 + 100);
    if (n)
        row[mtm_check_below(c, (int64_t)n)] = (int16_t)(mtm_check_below(c, 30000) - 15000);
    return row;
}

static void check_seen(mtm_check *c)
{
    for (int i = 0; i < 8 * MTM_CHECK_SIZES; i++) {
        const size_t n = length_of(c, i);
        const bool odd = i / MTM_CHECK_SIZES % 2;
        const int16_t *const low = row_with_extreme(c, (n + !odd) / 2), *const high = row_with_extreme(
                                                                            c, (n + odd) / 2);
        int16_t *const a = row_of(c, MTM_COEF_I16, n), *const b = row_of(c, MTM_COEF_I16, n);
        mtm_seen16 r = begun(), s = r;

        c->ref.wavelet.inverse_row_seen(a, low, high, n, odd, &r);
        c->now.wavelet.inverse_row_seen(b, low, high, n, odd, &s);
        mtm_check_bytes(c, "row", a, b, n * 2);
        check_seen16(c, &r, &s);
        mtm_check_case_end(c);
    }
    const int16_t *const low = row_of(c, MTM_COEF_I16, BENCH), *const high = row_of(c, MTM_COEF_I16, BENCH);
    int16_t *const a = row_of(c, MTM_COEF_I16, BENCH);
    mtm_seen16 r = begun();
    mtm_check_bench(c, BENCH, c->ref.wavelet.inverse_row_seen(a, low, high, BENCH, false, &r),
                    c->now.wavelet.inverse_row_seen(a, low, high, BENCH, false, &r));
}

static void check_steps_seen(mtm_check *c)
{
    for (int i = 0; i < 4 * MTM_CHECK_SIZES; i++) {
        const size_t n = length_of(c, i);
        mtm_seen16 r = begun(), s = r;
        mtm_range16 p = {100, 110}, q = p;
        void *a[4], *b[4];

        for (int k = 0; k < 4; k++)
            a[k] = row_with_extreme(c, n), b[k] = copy_of(c, MTM_COEF_I16, n, a[k]);
        c->ref.wavelet.inverse_steps_seen(a, n, &r);
        c->now.wavelet.inverse_steps_seen(b, n, &s);
        mtm_check_bytes(c, "even row", a[1], b[1], n * 2);
        mtm_check_bytes(c, "odd row", a[2], b[2], n * 2);
        check_seen16(c, &r, &s);
        c->ref.wavelet.range16(a[0], n, &p);
        c->now.wavelet.range16(b[0], n, &q);
        check_range(c, &p, &q);
        mtm_check_case_end(c);
    }
    void *a[4];
    mtm_seen16 r = begun();
    for (int k = 0; k < 4; k++)
        a[k] = memset(row_of(c, MTM_COEF_I16, BENCH), 0, BENCH * 2);
    mtm_check_bench(c, 2 * BENCH, c->ref.wavelet.inverse_steps_seen(a, BENCH, &r),
                    c->now.wavelet.inverse_steps_seen(a, BENCH, &r));
}

void check_wavelet(mtm_check *c)
{
    char name[64];

#define EACH(what, field, check)                                                                             \
    snprintf(name, sizeof name, what " %s", type_names[t]);                                                  \
    if (KERNEL(c, name, field[t]))                                                                           \
    check
    for (int i = 0; i < MTM_WAVELET_TYPES; i++) {
        const mtm_coef t = (mtm_coef)i;

        EACH("inverse row", inverse_row, check_inverse_row(c, t));
        EACH("forward row", forward_row, check_forward_row(c, t));
        EACH("inverse step", inverse_step, check_step(c, t, false));
        EACH("forward step", forward_step, check_step(c, t, true));
        EACH("inverse steps", inverse_steps, check_steps(c, t, false));
        EACH("forward steps", forward_steps, check_steps(c, t, true));
    }
    if (KERNEL(c, "inverse row seen", inverse_row_seen))
        check_seen(c);
    if (KERNEL(c, "inverse steps seen", inverse_steps_seen))
        check_steps_seen(c);
}
