/* kernel/window_body.h: the loops of kernel/window.h. Each variant includes this, and the compiler turns the plain loops into
 * vectors of its instruction set.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/window.h"

static void window_weights(float *restrict w, const float *restrict axis, float c, float floor, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float v = c * axis[i];
        w[i] = v > floor ? v : floor;
    }
}

static void window_add(float *restrict sum, const float *restrict v, const float *restrict w, int64_t old,
                       int64_t n, int64_t ahead)
{
    for (int64_t i = 0; i < n; i += 16)
        __builtin_prefetch(v + ahead + i);
    for (int64_t i = 0; i < old; i++)
        sum[i] += v[i] * w[i];
    for (int64_t i = old; i < n; i++)
        sum[i] = v[i] * w[i];
}

static void window_divide(float *out, const float *v, const float *restrict w, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = v[i] / w[i];
}

static void window_better(float *restrict best, int32_t *restrict label, const float *restrict v, int32_t c,
                          int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        label[i] = v[i] > best[i] ? c : label[i];
        best[i] = v[i] > best[i] ? v[i] : best[i];
    }
}

static void window_kernels_set(mtm_window_kernels *k)
{
    k->weights = window_weights;
    k->add = window_add;
    k->divide = window_divide;
    k->better = window_better;
}
