/* kernel/x86/convolve_x86.h: convolve's x86 variants, for kernel/convolve.c's table and their own files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_CONVOLVE_X86_H
#define MTM_KERNEL_X86_CONVOLVE_X86_H

#include "kernel/convolve.h"

#define MTM_PAIRS_DECLARE(name)                                                                              \
    void mtm_pairs_##name(float *const out[2], const void *const *rows, const float *weight, int32_t radius, \
                          int64_t n);
#define MTM_PAIRS_DECLARE_TIER(tier)                                                                         \
    MTM_PAIRS_DECLARE(u8_##tier)                                                                             \
    MTM_PAIRS_DECLARE(i8_##tier)                                                                             \
    MTM_PAIRS_DECLARE(u16_##tier)                                                                            \
    MTM_PAIRS_DECLARE(i16_##tier)                                                                            \
    MTM_PAIRS_DECLARE(f32_##tier)                                                                            \
    void mtm_along_##tier(float *out, const float *row, const float *weight, int32_t radius, int64_t n);

MTM_PAIRS_DECLARE_TIER(avx2)
MTM_PAIRS_DECLARE_TIER(avx512)

#endif
