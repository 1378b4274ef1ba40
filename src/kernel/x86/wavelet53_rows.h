/* kernel/x86/wavelet53_rows.h: the 5/3 transform for one element type and one width of vectors. The including file
 * defines N(name) (the type's prefix), T, V, LANES, and N(load), N(store), N(set), N(lift), N(carry), N(join),
 * N(split); SEEN when int16 rows shall be able to say what they reach, with N(range), N(range_begin),
 * N(range_add), N(range_ends), N(range_end).
 *
 * Both directions are the same two recurrences over pairs: b[i] lifts by a[i] and a[i + 1], then a[i] by b[i − 1]
 * and b[i]; a is the high-pass side, inverse, and the even samples, forward. A row that begins with a b is that b
 * and then a row that begins with an a. Vectors handle the pairs that have an a[i + 1]; the last one or two
 * samples, mirrored, are done singly.
 *
 * SPDX-License-Identifier: Apache-2.0 */

#define INLINE static inline __attribute__((always_inline))

INLINE void N(inverse_any)(T *x, const T *low, const T *high, size_t n, bool odd, mtm_seen16 *seen)
{
    const size_t pairs = (n + odd) / 2 - 1; /* whose high[i + 1] there is */
    const T *const l = low + !odd;
    const T h = high[pairs];
    T e = N(step)(low[0], high[0], odd && pairs ? high[1] : high[0], false, 0);
    V before = N(set)(e);
#ifdef SEEN
    N(range) range = N(range_begin)(seen);
#endif

    if (!odd)
        *x++ = e, n--;
    for (size_t i = 0; i < pairs; i += LANES) {
        const V h0 = N(load)(high + i), low_pass = N(load)(l + i);
        const V even = N(lift)(low_pass, h0, N(load)(high + i + 1), false, 0),
                even_before = N(carry)(before, even);
        const V odds = N(lift)(h0, even_before, even, false, 1);
        T *const to = x + 2 * i - !odd; /* where dst may be aligned */
        V joined[2];

        before = even;
        if (odd)
            N(join)(joined, odds, even);
        else
            N(join)(joined, even_before, odds);
        N(store)(to, joined[0]);
        if (2 * i + LANES < 2 * pairs)
            N(store)(to + LANES, joined[1]);
#ifdef SEEN
        if (seen) {
            const size_t left = pairs - i;

            N(range_add)(&range, h0, left), N(range_add)(&range, low_pass, left);
            N(range_add)(&range, even, left), N(range_add)(&range, odds, left);
        }
#endif
    }
    if (pairs)
        x[2 * pairs - 1] = e = N(step)(l[pairs - 1], high[pairs - 1], h, false, 0);
    x[2 * pairs] = N(step)(h, e, e, false, 1);
    if (n == 2 * pairs + 2) {
        const T last = N(step)(l[pairs], h, h, false, 0);

        x[2 * pairs] = N(step)(h, e, last, false, 1), x[2 * pairs + 1] = last;
    }
#ifdef SEEN
    if (seen) { /* what vectors have not: both ends */
        N(range_ends)(&range, h, low[0], x[2 * pairs], x[n - 1], x[-!odd], n == 2 * pairs + 2 ? l[pairs] : h);
        N(range_end)(&range, seen);
    }
#endif
}

static void N(inverse_row)(void *dst, const void *low, const void *high, size_t n, bool odd, float scale)
{
    if (n == 1)
        *(T *)dst = N(alone)(odd ? *(const T *)high : *(const T *)low, odd, false, 1);
    else if (odd)
        N(inverse_any)(dst, low, high, n, true, NULL);
    else
        N(inverse_any)(dst, low, high, n, false, NULL);
}

static void N(forward_row)(void *low, void *high, const void *src, size_t n, bool odd, float scale)
{
    T *const l = low, *h = high;
    const T *s = src;
    T d;

    if (n == 1) {
        *(odd ? h : l) = N(alone)(*s, odd, true, 1);
        return;
    }
    if (odd)
        *h++ = d = N(step)(s[0], s[1], s[1], true, 0), s++, n--;
    else
        d = N(step)(s[1], s[0], s[n > 2 ? 2 : 0], true, 0);
    const size_t pairs = (n - 1) / 2; /* that have an even sample behind them */
    V before = N(set)(d);

    for (size_t i = 0; i < pairs; i += LANES) {
        const T *const at = s + 2 * i;
        V now[2], next[2];

        N(split)(now, N(load)(at),
                 N(load)(2 * i + LANES < n ? at + LANES : at)); /* none begins behind the row */
        N(split)(next, N(load)(at + 2), N(load)(2 * i + LANES + 2 < n ? at + LANES + 2 : at));
        const V high_pass = N(lift)(now[1], now[0], next[0], true, 0);
        N(store)(h + i, high_pass);
        N(store)(l + i, N(lift)(now[0], N(carry)(before, high_pass), high_pass, true, 1));
        before = high_pass;
    }
    d = pairs ? h[pairs - 1] : d;
    l[pairs] = N(step)(s[2 * pairs], d, d, true, 1);
    if (n == 2 * pairs + 2) {
        const T last = N(step)(s[n - 1], s[n - 2], s[n - 2], true, 0);

        l[pairs] = N(step)(s[n - 2], d, last, true, 1), h[pairs] = last;
    }
}

/* ---- across rows -------------------------------------------------------------------------------------- */

INLINE void N(one_step)(T *x, const T *a, const T *b, size_t n, bool forward, int step)
{
    for (size_t i = 0; i < n; i += LANES)
        N(store)(x + i, N(lift)(N(load)(x + i), N(load)(a + i), N(load)(b + i), forward, step));
}

static void N(inverse_step)(void *row, const void *a, const void *b, size_t n, int step)
{
    if (step)
        N(one_step)(row, a, b, n, false, 1);
    else
        N(one_step)(row, a, b, n, false, 0);
}

static void N(forward_step)(void *row, const void *a, const void *b, size_t n, int step)
{
    if (step)
        N(one_step)(row, a, b, n, true, 1);
    else
        N(one_step)(row, a, b, n, true, 0);
}

INLINE void N(all_steps)(void *const *rows, size_t n, bool forward, mtm_seen16 *seen)
{
    const T *const r0 = rows[0], *const r3 = rows[3];
    T *const r1 = rows[1], *const r2 = rows[2];
#ifdef SEEN
    N(range) range = N(range_begin)(seen);
#endif

    for (size_t i = 0; i < n; i += LANES) {
        const V x2 = N(load)(r2 + i), x1 = N(lift)(N(load)(r1 + i), N(load)(r0 + i), x2, forward, 0);
        const V above = N(lift)(x2, x1, N(load)(r3 + i), forward, 1);

        N(store)(r1 + i, x1);
        N(store)(r2 + i, above);
#ifdef SEEN
        if (seen)
            N(range_add)(&range, x1, n - i), N(range_add)(&range, above, n - i);
#endif
    }
#ifdef SEEN
    if (seen)
        N(range_end)(&range, seen);
#endif
}

static void N(inverse_steps)(void *const *rows, size_t n)
{
    N(all_steps)(rows, n, false, NULL);
}

static void N(forward_steps)(void *const *rows, size_t n)
{
    N(all_steps)(rows, n, true, NULL);
}

#undef INLINE
#undef N
#undef T
#undef V
#undef LANES
#undef SEEN
