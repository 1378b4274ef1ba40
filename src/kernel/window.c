/* kernel/window.c: window sums in plain C.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/window_body.h"

#include "microtome/base.h"

static void window_put(float *to, const float *from, int64_t n, bool stream)
{
    memcpy(to, from, (size_t)n * sizeof *to);
}

static void window_fence(void)
{
}

void mtm_window_kernels_init(mtm_window_kernels *k, unsigned cpu)
{
    window_kernels_set(k);
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2)
        mtm_window_kernels_avx2(k);
    if (cpu & MTM_CPU_AVX512)
        mtm_window_kernels_avx512(k);
#endif
}
