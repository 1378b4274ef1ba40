/* kernel/pointwise_body.h: pointwise programs over lanes; a template on top of noise.h. Steps are never merged, so a chain
 * in one program equals the same operators one by one, to the bit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_POINTWISE_BODY_H
#define MTM_KERNEL_POINTWISE_BODY_H

#include "noise.h"
#include "pointwise.h"

typedef struct step_values {
    vf a, b, c, d;
    v_power power;
} step_values;

static inline vf step_linear(const step_values *k, vf x)
{
    return v_add(v_mul(v_sub(x, k->c), k->a), k->b);
}

static inline vf step_linear_nonzero(const step_values *k, vf x)
{
    return v_select(v_eq(x, v_set1(0)), x, step_linear(k, x));
}

static inline vf step_clamp(const step_values *k, vf x)
{
    return v_min(k->b, v_max(k->a, x));
}

static inline vf before_gamma(const step_values *k, vf x)
{
    return v_mul(v_max(v_set1(0), v_sub(x, k->a)), k->b);
}

static inline vf after_gamma(const step_values *k, vf x, vf power)
{
    (void)x;
    return v_fma(power, k->d, k->a);
}

static inline vf before_gamma_signed(const step_values *k, vf x)
{
    (void)k;
    return v_float(vu_and(v_bits(x), vu_set1(0x7FFFFFFFu)));
}

static inline vf after_gamma_signed(const step_values *k, vf x, vf power)
{
    (void)k;
    return v_float(vu_or(v_bits(power), vu_and(v_bits(x), vu_set1(0x80000000u))));
}

static inline vf step_sigmoid(const step_values *k, vf x)
{
    const vf e = v_exp(v_mul(k->b, v_sub(x, k->c)));

    return v_add(v_div(k->a, v_add(v_set1(1), e)), k->d);
}

/* Inlined with a constant `step`, so each use is one tight loop. */
__attribute__((always_inline)) static inline void
each(vf (*step)(const step_values *, vf), const step_values *k, const float *src, float *dst, size_t n)
{
    size_t i = 0;

    for (; n - i >= V_LANES; i += V_LANES)
        v_store(dst + i, step(k, v_load(src + i)));
    if (i < n) {
        float some[V_LANES] = {0};

        memcpy(some, src + i, (n - i) * sizeof *src);
        v_store(some, step(k, v_load(some)));
        memcpy(dst + i, some, (n - i) * sizeof *dst);
    }
}

/* As `each`, with a power between two halves of a step. Vectors with something unusual leave the inner loop: a call inside
 * it, however seldom, would keep the constants out of the registers. */
__attribute__((always_inline)) static inline void each_power(vf (*before)(const step_values *, vf),
                                                             vf (*after)(const step_values *, vf, vf),
                                                             const step_values *k, const float *src,
                                                             float *dst, size_t n)
{
    size_t i = 0;

    while (n - i >= V_LANES) {
        for (; n - i >= V_LANES; i += V_LANES) {
            const vf x = v_load(src + i), t = before(k, x);

            if (__builtin_expect(v_any_unusual(t), 0))
                break;
            v_store(dst + i, after(k, x, v_pow_usual(&k->power, t)));
        }
        if (n - i >= V_LANES) {
            const vf x = v_load(src + i);

            v_store(dst + i, after(k, x, v_pow_unusual(&k->power, before(k, x))));
            i += V_LANES;
        }
    }
    if (i < n) {
        float some[V_LANES] = {0};

        memcpy(some, src + i, (n - i) * sizeof *src);
        v_store(some, after(k, v_load(some), v_pow(&k->power, before(k, v_load(some)))));
        memcpy(dst + i, some, (n - i) * sizeof *dst);
    }
}

/* Knots are looked through for every vector: there are few, and most lie behind it. */
static inline vf step_curve(const mtm_step *s, vf x)
{
    vf a = v_set1(s[1].a), b = v_set1(s[1].b), c = v_set1(s[1].c);

    for (int32_t i = 2; i <= s->knots; i++) {
        const vf start = v_set1(s[i].c);
        const vm before = v_lt(x, start);

        if (v_all(before))
            break;
        a = v_select(before, a, v_set1(s[i].a));
        b = v_select(before, b, v_set1(s[i].b));
        c = v_select(before, c, start);
    }
    return v_add(v_mul(v_sub(x, c), a), b);
}

static inline void run_curve(const mtm_step *s, const float *src, float *dst, size_t n)
{
    size_t i = 0;

    for (; n - i >= V_LANES; i += V_LANES)
        v_store(dst + i, step_curve(s, v_load(src + i)));
    if (i < n) {
        float some[V_LANES] = {0};

        memcpy(some, src + i, (n - i) * sizeof *src);
        v_store(some, step_curve(s, v_load(some)));
        memcpy(dst + i, some, (n - i) * sizeof *dst);
    }
}

static inline void run_drawn(const mtm_step *s, uint64_t first, const float *src, float *dst, size_t n)
{
    const noise_values k = {{s->seed, {s->stream[0], s->stream[1], s->stream[2]}},
                            v_set1(s->a),
                            v_set1(s->b),
                            v_set1(s->c),
                            v_set1(s->d)};

    switch (s->kind) {
    case MTM_STEP_NOISE: noise_each(noise_normal, &k, first, src, dst, n); break;
    case MTM_STEP_RICIAN: noise_each(noise_rician, &k, first, src, dst, n); break;
    case MTM_STEP_SHOT: noise_each(noise_shot, &k, first, src, dst, n); break;
    default: noise_each(noise_salt_pepper, &k, first, src, dst, n); break;
    }
}

static inline void run_step(const mtm_step *s, int64_t first, const float *src, float *dst, size_t n)
{
    const step_values k = {v_set1(s->a), v_set1(s->b), v_set1(s->c), v_set1(s->d), v_power_of(s->c)};

    switch (s->kind) {
    case MTM_STEP_LINEAR: each(step_linear, &k, src, dst, n); break;
    case MTM_STEP_LINEAR_NONZERO: each(step_linear_nonzero, &k, src, dst, n); break;
    case MTM_STEP_CLAMP: each(step_clamp, &k, src, dst, n); break;
    case MTM_STEP_GAMMA: each_power(before_gamma, after_gamma, &k, src, dst, n); break;
    case MTM_STEP_GAMMA_SIGNED: each_power(before_gamma_signed, after_gamma_signed, &k, src, dst, n); break;
    case MTM_STEP_SIGMOID: each(step_sigmoid, &k, src, dst, n); break;
    case MTM_STEP_CURVE: run_curve(s, src, dst, n); break;
    case MTM_STEP_KNOT: break;
    default: run_drawn(s, (uint64_t)(first - s->origin), src, dst, n); break;
    }
}

/* All steps over one piece that stays in the first-level cache, then the next piece. The first step reads src, so that
 * the memory's latency hides behind its arithmetic. */
static inline void run_program(const mtm_pointwise *p, int32_t channel, int64_t first, const float *src,
                               float *dst, size_t n)
{
    enum { PIECE = 4096 }; /* voxels */

    for (size_t i = 0; i < n; i += PIECE) {
        const size_t m = n - i < PIECE ? n - i : PIECE;
        const float *from = src + i;

        for (int32_t s = 0; s < p->n; s++)
            if (p->steps[s].kind != MTM_STEP_KNOT &&
                (p->steps[s].channel < 0 || p->steps[s].channel == channel)) {
                run_step(&p->steps[s], first + (int64_t)i, from, dst + i, m);
                from = dst + i;
            }
        if (from != dst + i)
            memcpy(dst + i, from, m * sizeof *dst);
    }
}

#endif
