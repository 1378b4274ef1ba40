/* kernel/x86/wavelet97_rows.h: the 9/7 transform for one width of vectors. The including file defines V, LANES,
 * and f32_load, f32_store, f32_set, f32_add, f32_mul, f32_fma, f32_carry, f32_join, f32_split.
 *
 * Both directions are the same four recurrences over pairs: b1[i] = b[i] lifted by a[i] and a[i + 1], a1[i] by
 * b1[i − 1] and b1[i], b2[i − 1] by a1[i − 1] and a1[i], a2[i − 1] by b2[i − 2] and b2[i − 1]; a is the high-pass
 * side, inverse, and the even samples, forward. Vectors run behind their input by one pair, and each remembers its
 * last lane for the next. The first pair and the last two are done singly, with their neighbours mirrored.
 *
 * SPDX-License-Identifier: Apache-2.0 */

#define INLINE static inline __attribute__((always_inline))
enum { LEAST_97 = 8 }; /* samples, so that both ends find their neighbours */

/* What the pair before needs to hand on. */
typedef struct state97 {
    float b1, a1, b2; /* b1[i − 1], a1[i − 1], b2[i − 2] */
} state97;

typedef struct vectors97 {
    V b1, a1, b2;
} vectors97;

INLINE V f32_lift(V x, V a, V b, bool forward, int step)
{
    return f32_fma(f32_add(a, b), f32_set(forward ? lifting97[step] : -lifting97[3 - step]), x);
}

/* The state before pair 1. `first`: a row that begins with b has that sample, which becomes b2[−1]; else NULL. */
INLINE state97 begin97(const float *a, const float *b, const float *first, bool forward)
{
    state97 s;

    s.b1 = f32_step(b[0], a[0], a[1], forward, 0);
    if (first) {
        const float b1 = f32_step(*first, a[0], a[0], forward, 0);

        s.a1 = f32_step(a[0], b1, s.b1, forward, 1);
        s.b2 = f32_step(b1, s.a1, s.a1, forward, 2);
    } else {
        const float b1 = f32_step(b[1], a[1], a[2], forward, 0), a1 = f32_step(a[1], s.b1, b1, forward, 1);

        s.a1 = f32_step(a[0], s.b1, s.b1, forward, 1);
        s.b2 = f32_step(s.b1, s.a1, a1, forward, 2);
    }
    return s;
}

/* Pairs i − 1 … of both sides from a[i] …, a[i + 1] … and b[i] …; *b2_before: of b, pairs i − 2 …. */
INLINE void pairs97(V *a2, V *b2, V *b2_before, vectors97 *s, V a, V next, V b, bool forward)
{
    const V b1 = f32_lift(b, a, next, forward, 0), b1_before = f32_carry(s->b1, b1);
    const V a1 = f32_lift(a, b1_before, b1, forward, 1), a1_before = f32_carry(s->a1, a1);

    *b2 = f32_lift(b1_before, a1_before, a1, forward, 2);
    *b2_before = f32_carry(s->b2, *b2);
    *a2 = f32_lift(a1_before, *b2_before, *b2, forward, 3);
    *s = (vectors97){b1, a1, *b2};
}

/* The last two pairs, or pair and a half (`whole` false: the last b is missing), from a[0 … 2], b[0 … 2]: a[2] is
 * the row's last a; b2 of pair 0 is known. out: a2[1], b2[1], a2[2], b2[2]. */
INLINE void end97(float out[4], const float *a, const float *b, float b2, bool whole, bool forward)
{
    const float p = f32_step(b[0], a[0], a[1], forward, 0), q = f32_step(b[1], a[1], a[2], forward, 0);
    const float r = whole ? f32_step(b[2], a[2], a[2], forward, 0) : q;
    const float a1 = f32_step(a[1], p, q, forward, 1), a2 = f32_step(a[2], q, r, forward, 1);

    out[1] = f32_step(q, a1, a2, forward, 2);
    out[0] = f32_step(a1, b2, out[1], forward, 3);
    out[3] = whole ? f32_step(r, a2, a2, forward, 2) : out[1];
    out[2] = f32_step(a2, out[1], out[3], forward, 3);
}

INLINE void inverse_any97(float *x, const float *low, const float *h, size_t n, bool odd, float scale)
{
    const float kl = (float)MTM_WAVELET_K * scale, kh = (float)(1 / MTM_WAVELET_K) * scale;
    const float *const l = low + !odd;
    const size_t pairs = (n + odd) / 2 - 2; /* done by vectors: those with two a behind them */
    const float first = low[0] * kl;
    float a[3], b[3], last[4];

    for (int i = 0; i < 3; i++)
        a[i] = h[i] * kh, b[i] = l[i] * kl;
    const state97 s = begin97(a, b, odd ? NULL : &first, false);
    vectors97 v = {f32_set(s.b1), f32_set(s.a1), f32_set(s.b2)};
    float b2 = s.b2;
    if (!odd)
        x++, n--;
    for (size_t i = 0; i < pairs; i += LANES) {
        float *const to = x + 2 * i - !odd; /* where dst may be aligned */
        V a_new, b_new, b_before, joined[2];

        pairs97(&a_new, &b_new, &b_before, &v, f32_mul(f32_load(h + i + 1), f32_set(kh)),
                f32_mul(f32_load(h + i + 2), f32_set(kh)), f32_mul(f32_load(l + i + 1), f32_set(kl)), false);
        if (odd)
            f32_join(joined, a_new, b_new);
        else
            f32_join(joined, b_before, a_new);
        f32_store(to, joined[0]);
        if (2 * i + LANES < 2 * pairs)
            f32_store(to + LANES, joined[1]);
        if (i + LANES >= pairs)
            b2 = f32_lane(b_new, pairs - 1 - i);
    }
    const bool whole = n == 2 * pairs + 4;
    for (size_t i = 0; i < 3; i++)
        a[i] = h[pairs - 1 + i] * kh, b[i] = i < 2 || whole ? l[pairs - 1 + i] * kl : 0;
    end97(last, a, b, b2, whole, false);
    x[2 * pairs - 1] = b2;
    for (size_t i = 2 * pairs; i < n; i++)
        x[i] = last[i - 2 * pairs];
}

static void f32_inverse_row(void *dst, const void *low, const void *high, size_t n, bool odd, float scale)
{
    if (n < LEAST_97)
        mtm_wavelet_inverse97_c(dst, low, high, n, odd, scale);
    else if (odd)
        inverse_any97(dst, low, high, n, true, scale);
    else
        inverse_any97(dst, low, high, n, false, scale);
}

static void f32_forward_row(void *low, void *high, const void *src, size_t n, bool odd, float scale)
{
    const float kl = (float)(1 / MTM_WAVELET_K) * scale, kh = (float)MTM_WAVELET_K * scale;
    float *const l = low, *h = high, a[3], b[3], last[4];
    const float *const s = (const float *)src + odd;
    const size_t m = n - odd, pairs = (m + 1) / 2 - 2;

    if (n < LEAST_97) {
        mtm_wavelet_forward97_c(low, high, src, n, odd, scale);
        return;
    }
    for (size_t i = 0; i < 3; i++)
        a[i] = s[2 * i], b[i] = s[2 * i + 1];
    const state97 first = begin97(a, b, odd ? src : NULL, true);
    vectors97 v = {f32_set(first.b1), f32_set(first.a1), f32_set(first.b2)};
    float b2 = first.b2;
    if (odd)
        *h++ = b2 * kh;
    for (size_t i = 0; i < pairs; i += LANES) {
        const float *const at = s + 2 * i + 2;
        V now[2], next[2], a2, d2, before;

        f32_split(now, f32_load(at),
                  f32_load(2 * i + 2 + LANES < m ? at + LANES : at)); /* none begins behind the row */
        f32_split(next, f32_load(at + 2), f32_load(2 * i + 4 + LANES < m ? at + LANES + 2 : at));
        pairs97(&a2, &d2, &before, &v, now[0], next[0], now[1], true);
        f32_store(l + i, f32_mul(a2, f32_set(kl)));
        f32_store(h + i, f32_mul(d2, f32_set(kh)));
        if (i + LANES >= pairs)
            b2 = f32_lane(d2, pairs - 1 - i);
    }
    const bool whole = m == 2 * pairs + 4;
    for (size_t i = 0; i < 3; i++)
        a[i] = s[2 * (pairs - 1 + i)], b[i] = i < 2 || whole ? s[2 * (pairs - 1 + i) + 1] : 0;
    end97(last, a, b, b2, whole, true);
    for (size_t i = 0; i < 2; i++)
        l[pairs + i] = last[2 * i] * kl;
    for (size_t i = 0; i < (whole ? 2u : 1u); i++)
        h[pairs + i] = last[2 * i + 1] * kh;
}

/* ---- across rows -------------------------------------------------------------------------------------- */

INLINE void one_step97(float *x, const float *a, const float *b, size_t n, float k)
{
    for (size_t i = 0; i < n; i += LANES)
        f32_store(x + i, f32_fma(f32_add(f32_load(a + i), f32_load(b + i)), f32_set(k), f32_load(x + i)));
}

static void f32_inverse_step(void *row, const void *a, const void *b, size_t n, int step)
{
    one_step97(row, a, b, n, -lifting97[3 - step]);
}

static void f32_forward_step(void *row, const void *a, const void *b, size_t n, int step)
{
    one_step97(row, a, b, n, lifting97[step]);
}

INLINE void all_steps97(void *const *rows, size_t n, bool forward)
{
    const float *const r0 = rows[0], *const r5 = rows[5];
    float *const r1 = rows[1], *const r2 = rows[2], *const r3 = rows[3], *const r4 = rows[4];

    for (size_t i = 0; i < n; i += LANES) {
        const V x2 = f32_load(r2 + i), x3 = f32_load(r3 + i), x4 = f32_load(r4 + i);
        const V y1 = f32_lift(f32_load(r1 + i), f32_load(r0 + i), x2, forward, 0);
        const V y2 = f32_lift(x2, y1, x3, forward, 1);
        const V y3 = f32_lift(x3, y2, x4, forward, 2);

        f32_store(r1 + i, y1), f32_store(r2 + i, y2), f32_store(r3 + i, y3);
        f32_store(r4 + i, f32_lift(x4, y3, f32_load(r5 + i), forward, 3));
    }
}

static void f32_inverse_steps(void *const *rows, size_t n)
{
    all_steps97(rows, n, false);
}

static void f32_forward_steps(void *const *rows, size_t n)
{
    all_steps97(rows, n, true);
}

#undef INLINE
#undef V
#undef LANES
