/* kernel/x86/resample_x86.h: resample's x86 variants, for kernel/resample.c's table and their own files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_RESAMPLE_X86_H
#define MTM_KERNEL_X86_RESAMPLE_X86_H

#include "kernel/resample.h"

#define MTM_COMBINE_DECLARE(name)                                                                            \
    void mtm_combine_##name(float *out, const void *const *rows, const float *weight, int32_t taps,          \
                            int64_t n);
#define MTM_COMBINES_DECLARE(tier)                                                                           \
    MTM_COMBINE_DECLARE(u8_##tier)                                                                           \
    MTM_COMBINE_DECLARE(i8_##tier)                                                                           \
    MTM_COMBINE_DECLARE(u16_##tier)                                                                          \
    MTM_COMBINE_DECLARE(i16_##tier)                                                                          \
    MTM_COMBINE_DECLARE(f32_##tier)                                                                          \
    void mtm_across_##tier(float *out, const float *row, const mtm_resample_line *x);

MTM_COMBINES_DECLARE(avx2)
MTM_COMBINES_DECLARE(avx512)

#endif
