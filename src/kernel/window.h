/* kernel/window.h: rows of a weighted sum over overlapping windows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_WINDOW_H
#define MTM_KERNEL_WINDOW_H

#include <stdint.h>

/* Every variant gives the same bits: products are rounded before they are added. */
typedef struct mtm_window_kernels {
    /* w[i] = max(c · axis[i], floor) */
    void (*weights)(float *w, const float *axis, float c, float floor, int64_t n);
    /* sum[i] += v[i] · w[i] for i < old, sum[i] = v[i] · w[i] for the others below n. Memory at v + ahead and beyond may be
     * touched early (prefetched; it need not exist). */
    void (*add)(float *sum, const float *v, const float *w, int64_t old, int64_t n, int64_t ahead);
    /* out[i] = v[i] / w[i]; out may be v */
    void (*divide)(float *out, const float *v, const float *w, int64_t n);
    /* Where v[i] > best[i]: best[i] = v[i], label[i] = c. */
    void (*better)(float *best, int32_t *label, const float *v, int32_t c, int64_t n);
} mtm_window_kernels;

void mtm_window_kernels_init(mtm_window_kernels *k, unsigned cpu);
void mtm_window_kernels_avx2(mtm_window_kernels *k);
void mtm_window_kernels_avx512(mtm_window_kernels *k);

#endif
