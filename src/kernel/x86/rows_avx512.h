/* kernel/x86/rows_avx512.h: 16 voxels of a row as float32, masked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_ROWS_AVX512_H
#define MTM_KERNEL_X86_ROWS_AVX512_H

#include <immintrin.h>
#include <stdint.h>

static inline __m512 load_u8(const void *row, int64_t x, __mmask16 m)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(m, (const uint8_t *)row + x)));
}

static inline __m512 load_i8(const void *row, int64_t x, __mmask16 m)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(m, (const int8_t *)row + x)));
}

static inline __m512 load_u16(const void *row, int64_t x, __mmask16 m)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, (const uint16_t *)row + x)));
}

static inline __m512 load_i16(const void *row, int64_t x, __mmask16 m)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(m, (const int16_t *)row + x)));
}

static inline __m512 load_f32(const void *row, int64_t x, __mmask16 m)
{
    return _mm512_maskz_loadu_ps(m, (const float *)row + x);
}

#endif
