/* kernel/x86/rows_avx2.h: 8 voxels of a row as float32.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_ROWS_AVX2_H
#define MTM_KERNEL_X86_ROWS_AVX2_H

#include <immintrin.h>
#include <stdint.h>

static inline __m256 load_u8(const void *row, int64_t x)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)((const uint8_t *)row + x))));
}

static inline __m256 load_i8(const void *row, int64_t x)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)((const int8_t *)row + x))));
}

static inline __m256 load_u16(const void *row, int64_t x)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)((const uint16_t *)row + x))));
}

static inline __m256 load_i16(const void *row, int64_t x)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)((const int16_t *)row + x))));
}

static inline __m256 load_f32(const void *row, int64_t x)
{
    return _mm256_loadu_ps((const float *)row + x);
}

#endif
