/* kernel/pointwise.h: a program of voxel-by-voxel steps, run in one pass over cache-sized blocks of float32.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_POINTWISE_H
#define MTM_KERNEL_POINTWISE_H

#include "base/error.h"

typedef enum mtm_step_kind {
    MTM_STEP_LINEAR,         /* (x − c)·a + b */
    MTM_STEP_LINEAR_NONZERO, /* x ≠ 0: (x − c)·a + b, else x */
    MTM_STEP_CLAMP,          /* min(max(x, a), b); NaN stays */
    MTM_STEP_GAMMA,          /* (max(x − a, 0)·b)^c · d + a; 0 ≤ c ≤ 1000 */
    MTM_STEP_GAMMA_SIGNED,   /* sign(x)·|x|^c; 0 ≤ c ≤ 1000 */
    MTM_STEP_SIGMOID,        /* a / (1 + exp(b·(x − c))) + d */
    /* Drawn by (seed, stream, logical voxel number): */
    MTM_STEP_NOISE,       /* x + a·N(0, 1) */
    MTM_STEP_RICIAN,      /* sqrt((x + a·N)² + (a·N')²) */
    MTM_STEP_SHOT,        /* a·Poisson(max(x / a, 0)), a > 0; NaN and +Inf stay */
    MTM_STEP_SALT_PEPPER, /* u < a: c; else u < b: d; else x */
    /* A piecewise linear curve over the `knots` KNOT steps that follow it, which have the same channel. With the first knot's
     * numbers, and those of every later one whose c ≤ x: (x − c)·a + b; NaN stays. KNOT by itself does nothing. */
    MTM_STEP_CURVE,
    MTM_STEP_KNOT
} mtm_step_kind;

/* Whether what the step does to a voxel depends on the voxel's number. */
static inline bool mtm_step_is_drawn(mtm_step_kind kind)
{
    return kind >= MTM_STEP_NOISE && kind <= MTM_STEP_SALT_PEPPER;
}

typedef struct mtm_step {
    mtm_step_kind kind;
    int32_t channel; /* −1: every channel */
    float a, b, c, d;
    uint64_t seed;      /* drawn: Philox key */
    uint32_t stream[3]; /* drawn: counter words 1…3; word 0 and word 1's upper bits: voxel number / 4 */
    int64_t origin;     /* drawn: the voxel that counts as number 0 */
    int32_t knots;      /* CURVE */
} mtm_step;

enum { MTM_MAX_STEPS = 256 };

typedef struct mtm_pointwise {
    int32_t n;
    mtm_step steps[MTM_MAX_STEPS];
} mtm_pointwise;

typedef struct mtm_pointwise_kernels {
    /* x[0…n) in place; `first` is the logical voxel number of x[0] in its [C, Z, Y, X] image (for what is drawn), `channel` the
     * channel all of it belongs to. The result does not depend on how an image is cut into calls. */
    void (*run)(const mtm_pointwise *p, int32_t channel, int64_t first, float *x, size_t n);
    /* The same from src to dst, which may be one but not overlap otherwise. */
    void (*map)(const mtm_pointwise *p, int32_t channel, int64_t first, const float *src, float *dst,
                size_t n);
} mtm_pointwise_kernels;

/* Appends a step. Errors: MTM_E_LIMIT (program full). */
mtm_status mtm_pointwise_add(mtm_pointwise *p, const mtm_step *s, mtm_error *err);

void mtm_pointwise_kernels_init(mtm_pointwise_kernels *k, unsigned cpu);

#if defined(__x86_64__) /* the variants, for the table alone */
void mtm_pointwise_map_avx2(const mtm_pointwise *p, int32_t channel, int64_t first, const float *src,
                            float *dst, size_t n);
void mtm_pointwise_run_avx2(const mtm_pointwise *p, int32_t channel, int64_t first, float *x, size_t n);
void mtm_pointwise_map_avx512(const mtm_pointwise *p, int32_t channel, int64_t first, const float *src,
                              float *dst, size_t n);
void mtm_pointwise_run_avx512(const mtm_pointwise *p, int32_t channel, int64_t first, float *x, size_t n);
#endif

#endif
