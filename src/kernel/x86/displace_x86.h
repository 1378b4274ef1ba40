/* kernel/x86/displace_x86.h: displace's x86 variants, for kernel/displace.c's table and their own files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_DISPLACE_X86_H
#define MTM_KERNEL_X86_DISPLACE_X86_H

#include "kernel/displace.h"

void mtm_displace_uniform_avx2(uint64_t seed, uint32_t stream, int64_t first, float *out, int64_t n);
void mtm_displace_spline_avx2(const mtm_displace_row *row, const float *const control[3], int32_t n,
                              float *const out[3]);
void mtm_displace_turn_avx2(const float m[9], const float *const d[3], int32_t n, float *const out[3]);
void mtm_displace_uniform_avx512(uint64_t seed, uint32_t stream, int64_t first, float *out, int64_t n);
void mtm_displace_spline_avx512(const mtm_displace_row *row, const float *const control[3], int32_t n,
                                float *const out[3]);
void mtm_displace_turn_avx512(const float m[9], const float *const d[3], int32_t n, float *const out[3]);

#endif
