/* kernel/x86/window_avx2.c: window sums with AVX2. Equal to kernel/window.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "base/size.h"
#include "kernel/window_body.h"

/* Past the caches only whole lines: parts of them would be read back. */
static void window_put(float *to, const float *from, int64_t n, bool stream)
{
    int64_t i = 0;

    if (stream) {
        i = mtm_min_i64((int64_t)(-(uintptr_t)to / sizeof *to % 16), n);
        memcpy(to, from, (size_t)i * sizeof *to);
        for (; i + 16 <= n; i += 16) {
            _mm256_stream_ps(to + i, _mm256_loadu_ps(from + i));
            _mm256_stream_ps(to + i + 8, _mm256_loadu_ps(from + i + 8));
        }
    }
    memcpy(to + i, from + i, (size_t)(n - i) * sizeof *to);
}

static void window_fence(void)
{
    _mm_sfence();
}

void mtm_window_kernels_avx2(mtm_window_kernels *k)
{
    window_kernels_set(k);
}
