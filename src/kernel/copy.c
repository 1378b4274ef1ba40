/* kernel/copy.c: the plain C version of copying, and the choice of variants.
 * SPDX-License-Identifier: Apache-2.0 */
#include "copy.h"

#include <string.h>

static void stream_c(void *dst, int64_t dst_stride, const void *src, int64_t src_stride, size_t row_bytes,
                     int64_t n_rows)
{
    for (int64_t i = 0; i < n_rows; i++)
        memcpy((char *)dst + i * dst_stride, (const char *)src + i * src_stride, row_bytes);
}

void mtm_copy_kernels_init(mtm_copy_kernels *k, unsigned cpu)
{
    k->stream = stream_c;
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2)
        mtm_copy_kernels_avx2(k);
#endif
}
