/* kernel/bias_body.h: the row of kernel/bias.h. A template: include one of lanes_c.h, x86/lanes_avx2.h and
 * x86/lanes_avx512.h first. All variants give the same bits.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_BIAS_BODY_H
#define MTM_KERNEL_BIAS_BODY_H

#include "kernel/bias.h"
#include "kernel/vmath.h"

static inline vf bias_at(vf value, vf x, const float *c, int32_t degree)
{
    vf p = v_set1(c[degree]);

    for (int32_t k = degree - 1; k >= 0; k--)
        p = v_fma(p, x, v_set1(c[k]));
    return v_mul(value, v_exp(p));
}

static void bias_row(float *dst, const float *src, const float *x, const float *c, int32_t degree, size_t n)
{
    float rest[2][V_LANES] = {{0}};
    size_t i = 0;

    for (; i + V_LANES <= n; i += V_LANES)
        v_store(dst + i, bias_at(v_load(src + i), v_load(x + i), c, degree));
    if (i == n)
        return;
    memcpy(rest[0], src + i, (n - i) * sizeof *src);
    memcpy(rest[1], x + i, (n - i) * sizeof *x);
    v_store(rest[0], bias_at(v_load(rest[0]), v_load(rest[1]), c, degree));
    memcpy(dst + i, rest[0], (n - i) * sizeof *dst);
}

#endif
