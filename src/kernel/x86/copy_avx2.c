/* kernel/x86/copy_avx2.c: copying with stores that go past the caches.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/copy.h"

/* A row's source is asked for a few lines ahead: rows are short and the hardware begins anew with each. */
enum { AHEAD_ROWS = 4, LINE = 64 };

static void stream_avx2(void *dst, int64_t dst_stride, const void *src, int64_t src_stride, size_t row_bytes,
                        int64_t n_rows)
{
    for (int64_t i = 0; i < n_rows; i++) {
        char *const d = (char *)dst + i * dst_stride;
        const char *const s = (const char *)src + i * src_stride;
        const char *const later = i + AHEAD_ROWS < n_rows ? s + AHEAD_ROWS * src_stride : s;

        for (size_t k = 0; k < row_bytes; k += LINE) {
            const __m256i a = _mm256_loadu_si256((const __m256i *)(s + k));
            const __m256i b = _mm256_loadu_si256((const __m256i *)(s + k + 32));

            _mm_prefetch(later + k, _MM_HINT_T0);
            _mm256_stream_si256((__m256i *)(d + k), a);
            _mm256_stream_si256((__m256i *)(d + k + 32), b);
        }
    }
    _mm_sfence();
}

void mtm_copy_kernels_avx2(mtm_copy_kernels *k)
{
    k->stream = stream_avx2;
}
