/* kernel/wavelet_step.h: lifting steps on one sample, which wavelet.c's rows are made of, and the ends of the rows
 * in its variants. T.800 annex F.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_WAVELET_STEP_H
#define MTM_KERNEL_WAVELET_STEP_H

#include <math.h>

#include "wavelet.h"

/* T.800 table F.4: α, β, γ, δ in the order of the forward steps. */
static const float lifting97[4] = {-1.586134342059924f, -0.052980118572961f, 0.882911075530934f,
                                   0.443506852043971f};

/* Steps change the samples of one parity by their neighbours a and b; `even`: the low-pass side. T.800 equations
 * F-5, F-6, F-9, F-10; unsigned arithmetic wraps without undefined behaviour. */
#define STEP53(name, type, bits)                                                                             \
    static inline type name##_step(type x, type a, type b, bool forward, int step)                           \
    {                                                                                                        \
        const bool even = (step & 1) == (int)forward;                                                        \
        const type sum = (type)((bits)a + (bits)b + (even ? 2u : 0u));                                       \
        const type by = (type)(sum >> (even ? 2 : 1));                                                       \
                                                                                                             \
        return even == forward ? (type)((bits)x + (bits)by) : (type)((bits)x - (bits)by);                    \
    }                                                                                                        \
    static inline type name##_scaled(type x, bool odd, bool forward, float scale)                            \
    {                                                                                                        \
        return x;                                                                                            \
    }                                                                                                        \
    static inline type name##_alone(type x, bool odd, bool forward, float scale)                             \
    {                                                                                                        \
        return !odd ? x : forward ? (type)((bits)x + (bits)x) : (type)(x >> 1);                              \
    }
STEP53(i16, int16_t, uint16_t)
STEP53(i32, int32_t, uint32_t)
STEP53(i64, int64_t, uint64_t)

/* T.800 equations F-7 and F-11. */
static inline float f32_step(float x, float a, float b, bool forward, int step)
{
    return fmaf(forward ? lifting97[step] : -lifting97[3 - step], a + b, x);
}

static inline float f32_scaled(float x, bool odd, bool forward, float scale)
{
    const float k = (float)MTM_WAVELET_K, inverse_k = (float)(1 / MTM_WAVELET_K);

    return x * ((odd == forward ? k : inverse_k) * scale);
}

static inline float f32_alone(float x, bool odd, bool forward, float scale)
{
    return x * (!odd ? scale : forward ? 2 * scale : 0.5f * scale);
}

/* The references, for rows too short for the variants. */
void mtm_wavelet_inverse97_c(float *dst, const float *low, const float *high, size_t n, bool odd,
                             float scale);
void mtm_wavelet_forward97_c(float *low, float *high, const float *src, size_t n, bool odd, float scale);

#endif
