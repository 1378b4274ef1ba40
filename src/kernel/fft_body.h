/* kernel/fft_body.h: the transform's arithmetic. A template: define FFT_VECTOR, the bytes of the target's vectors (16, 32 or
 * 64), and include it once; it gives the functions of mtm_fft_kernels. No product is fused with a sum, so the bits do not
 * depend on the target.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_FFT_BODY_H
#define MTM_KERNEL_FFT_BODY_H

#include <string.h>

#include "kernel/fft.h"

typedef float vf __attribute__((vector_size(FFT_VECTOR), may_alias)); /* some of a point's lanes */

typedef struct cv {
    vf re, im;
} cv;

enum { V_FLOATS = FFT_VECTOR / 4, MOST_HALF = MTM_FFT_MOST_RADIX / 2 };

#define INLINE static inline __attribute__((always_inline))

/* Lanes v … v + V_FLOATS − 1 of point i. */
INLINE cv get(const float *x, int64_t i, int v)
{
    const float *const p = x + i * MTM_FFT_FLOATS + v;

    return (cv){*(const vf *)(const void *)p, *(const vf *)(const void *)(p + MTM_FFT_LANES)};
}
INLINE void put(float *x, int64_t i, int v, cv a)
{
    float *const p = x + i * MTM_FFT_FLOATS + v;

    *(vf *)(void *)p = a.re;
    *(vf *)(void *)(p + MTM_FFT_LANES) = a.im;
}
INLINE cv plus(cv a, cv b)
{
    return (cv){a.re + b.re, a.im + b.im};
}
INLINE cv minus(cv a, cv b)
{
    return (cv){a.re - b.re, a.im - b.im};
}
/* a·exp(∓it), − forwards; t by its cosine and sine. */
INLINE cv turn(cv a, const float *cs, bool inverse)
{
    const float c = cs[0], s = inverse ? -cs[1] : cs[1];

    return (cv){a.re * c + a.im * s, a.im * c - a.re * s};
}
/* a·(∓i), − forwards. */
INLINE cv quarter(cv a, bool inverse)
{
    return inverse ? (cv){-a.im, a.re} : (cv){a.im, -a.re};
}

/* ---- transforms of the first few points, in registers -------------------------------------------------- */

INLINE void transform2(cv *y)
{
    const cv a = y[0];

    y[0] = plus(a, y[1]);
    y[1] = minus(a, y[1]);
}

INLINE void transform4(cv *y, bool inverse)
{
    const cv a = plus(y[0], y[2]), b = minus(y[0], y[2]);
    const cv c = plus(y[1], y[3]), d = quarter(minus(y[1], y[3]), inverse);

    y[0] = plus(a, c), y[2] = minus(a, c);
    y[1] = plus(b, d), y[3] = minus(b, d);
}

/* Odd lengths: y[k] and y[r − k] always come as their sum and their difference. */
INLINE void transform_odd(cv *y, int r, const float *trig, bool inverse)
{
    const float *const cosine = trig, *const sine = trig + r;
    const int half = r / 2;
    const cv first = y[0];
    cv sum[MOST_HALF], difference[MOST_HALF];

    for (int k = 1; k <= half; k++) {
        sum[k - 1] = plus(y[k], y[r - k]);
        difference[k - 1] = minus(y[k], y[r - k]);
        y[0] = plus(y[0], sum[k - 1]);
    }
    for (int j = 1; j <= half; j++) {
        cv a = first, b = {0};

        for (int k = 1, at = j; k <= half; k++, at = at + j >= r ? at + j - r : at + j) {
            a.re += sum[k - 1].re * cosine[at], a.im += sum[k - 1].im * cosine[at];
            b.re += difference[k - 1].re * sine[at], b.im += difference[k - 1].im * sine[at];
        }
        b = quarter(b, inverse);
        y[j] = plus(a, b);
        y[r - j] = minus(a, b);
    }
}

INLINE void transform(cv *y, int r, const float *trig, bool inverse)
{
    if (r == 2)
        transform2(y);
    else if (r == 4)
        transform4(y, inverse);
    else
        transform_odd(y, r, trig, inverse);
}

/* ---- stages --------------------------------------------------------------------------------------------- */

/* Point j of the r blocks that begin at x. The twiddles of j = 0 are 1. */
INLINE void butterfly(float *x, const mtm_fft_stage *s, int r, int64_t j, int v, bool inverse)
{
    const float *const t = s->twiddle + 2 * (r - 1) * j;
    cv y[MTM_FFT_MOST_RADIX];

    for (int k = 0; k < r; k++)
        y[k] = get(x, j + k * s->m, v);
    for (int k = 1; inverse && j > 0 && k < r; k++)
        y[k] = turn(y[k], t + 2 * (k - 1), true);
    transform(y, r, s->trig, inverse);
    for (int k = 1; !inverse && j > 0 && k < r; k++)
        y[k] = turn(y[k], t + 2 * (k - 1), false);
    for (int k = 0; k < r; k++)
        put(x, j + k * s->m, v, y[k]);
}

INLINE void stage_of(float *x, const mtm_fft_stage *s, int r, int64_t length, bool inverse)
{
    for (int64_t block = 0; block < length; block += r * s->m)
        for (int64_t j = 0; j < s->m; j++)
            for (int v = 0; v < MTM_FFT_LANES; v += V_FLOATS)
                butterfly(x + block * MTM_FFT_FLOATS, s, r, j, v, inverse);
}

INLINE void stage(float *x, const mtm_fft_stage *s, int64_t length, bool inverse)
{
    switch (s->radix) {
    case 2: stage_of(x, s, 2, length, inverse); break;
    case 3: stage_of(x, s, 3, length, inverse); break;
    case 4: stage_of(x, s, 4, length, inverse); break;
    case 5: stage_of(x, s, 5, length, inverse); break;
    default: stage_of(x, s, (int)s->radix, length, inverse); break;
    }
}

static void stages_forward(const mtm_fft_plan *p, float *x)
{
    for (int64_t i = 0; i < p->n_stages; i++)
        stage(x, &p->stages[i], p->length, false);
}

static void stages_inverse(const mtm_fft_plan *p, float *x)
{
    for (int64_t i = p->n_stages - 1; i >= 0; i--)
        stage(x, &p->stages[i], p->length, true);
}

/* ---- any length by a longer one: j·k = (j² + k² − (k − j)²) / 2 ------------------------------------------- */

INLINE cv conjugate_if(cv a, bool yes)
{
    return yes ? (cv){a.re, -a.im} : a;
}

/* dst[j] = src[j]·w[j], w pairs of real and imaginary parts; src before it, or dst after it, conjugated. */
INLINE void multiply(float *dst, const float *src, const float *w, int64_t n, bool conjugate_src,
                     bool conjugate_dst)
{
    for (int64_t j = 0; j < n; j++)
        for (int v = 0; v < MTM_FFT_LANES; v += V_FLOATS)
            put(dst, j, v,
                conjugate_if(turn(conjugate_if(get(src, j, v), conjugate_src), w + 2 * j, true),
                             conjugate_dst));
}

/* The inverse is the conjugate of the transform of the conjugate. */
static void by_chirp(const mtm_fft_plan *p, float *x, float *scratch, bool inverse)
{
    multiply(scratch, x, p->chirp, p->n, inverse, false);
    memset(scratch + p->n * MTM_FFT_FLOATS, 0, (size_t)(p->length - p->n) * MTM_FFT_FLOATS * sizeof *scratch);
    stages_forward(p, scratch);
    multiply(scratch, scratch, p->chirp_transform, p->length, false, false);
    stages_inverse(p, scratch);
    multiply(x, scratch, p->chirp, p->n, false, inverse);
}

/* ---- the table's functions ------------------------------------------------------------------------------ */

static void forward(const mtm_fft_plan *p, float *x, float *scratch)
{
    if (p->chirp)
        by_chirp(p, x, scratch, false);
    else
        stages_forward(p, x);
}

static void inverse(const mtm_fft_plan *p, float *x, float *scratch)
{
    if (p->chirp)
        by_chirp(p, x, scratch, true);
    else
        stages_inverse(p, x);
}

static void weigh(float *x, const float *w, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        for (int v = 0; v < MTM_FFT_FLOATS; v += V_FLOATS) {
            vf *const p = (vf *)(void *)(x + j * MTM_FFT_FLOATS + v);

            *p = *p * w[j];
        }
}

/* C = A + iB, and A, B of real lines: A(−k) is A(k)'s conjugate. */
static void split(const mtm_fft_plan *p, const float *x, int64_t k, float *a, float *b)
{
    const int64_t at = p->position[k], opposite = p->position[k ? p->n - k : 0];

    for (int v = 0; v < MTM_FFT_LANES; v += V_FLOATS) {
        const cv c = get(x, at, v), d = get(x, opposite, v);

        put(a, 0, v, (cv){c.re + d.re, c.im - d.im});
        put(b, 0, v, (cv){c.im + d.im, d.re - c.re});
    }
}

static void join(const mtm_fft_plan *p, float *x, int64_t k, const float *a, const float *b)
{
    const int64_t at = p->position[k], opposite = p->position[k ? p->n - k : 0];

    for (int v = 0; v < MTM_FFT_LANES; v += V_FLOATS) {
        const cv c = get(a, 0, v), d = get(b, 0, v);

        put(x, opposite, v, (cv){c.re + d.im, d.re - c.im});
        put(x, at, v, (cv){c.re - d.im, c.im + d.re});
    }
}

static void fill_table(mtm_fft_kernels *k)
{
    *k = (mtm_fft_kernels){
        .forward = forward, .inverse = inverse, .weigh = weigh, .split = split, .join = join};
}

#endif
