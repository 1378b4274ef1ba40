/* kernel/copy.h: copying pictures that are larger than the caches.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_COPY_H
#define MTM_KERNEL_COPY_H

#include "base/error.h"

typedef struct mtm_copy_kernels {
    /* n_rows rows of row_bytes each, strides in bytes. Destination rows are 64-byte aligned and row_bytes is a multiple of
     * 64; source rows lie anywhere. The destination is not brought into the caches, so memory is not read before it is
     * written: for more than what the caches hold. No overlap. */
    void (*stream)(void *dst, int64_t dst_stride, const void *src, int64_t src_stride, size_t row_bytes,
                   int64_t n_rows);
} mtm_copy_kernels;

void mtm_copy_kernels_init(mtm_copy_kernels *k, unsigned cpu);
#if defined(__x86_64__)
void mtm_copy_kernels_avx2(mtm_copy_kernels *k);
#endif

#endif
