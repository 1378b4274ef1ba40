/* kernel/convert_rows.h: the row conversions as plain loops, written once. convert.c includes it for the reference; the x86
 * variants include it again under their own instruction sets, whose vector code the compiler makes. Every operation in it is
 * exact or rounded once, so that all variants are equal to the bit.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "kernel/convert.h"

#if defined(__F16C__)
#include <immintrin.h>

static inline float f16_value(uint16_t h)
{
    return _cvtsh_ss(h);
}

static inline uint16_t f16_bits(float x)
{
    return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
}
#else
/* IEEE 754 binary16 → binary32, exact. */
static inline float f16_value(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, fraction = h & 0x3FFu;
    uint32_t bits;
    float x;

    if (exponent == 0) { /* zero or denormal: fraction · 2⁻²⁴ */
        x = (float)fraction * 0x1p-24f;
        memcpy(&bits, &x, sizeof bits);
        bits |= sign;
    } else {
        bits = sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | fraction << 13;
    }
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* binary32 → binary16, half to even; NaN stays NaN. */
static inline uint16_t f16_bits(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    const uint32_t a = bits & 0x7FFFFFFFu;
    if (a > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00u | (a >> 13 & 0x3FFu));
    if (a >= 0x477FF000u) /* 65520 and more */
        return (uint16_t)(sign | 0x7C00u);
    if (a < 0x38800000u) { /* below 2⁻¹⁴: a multiple of 2⁻²⁴, rounded by the addition */
        float f;
        memcpy(&f, &a, sizeof f);
        return (uint16_t)(sign | (uint32_t)rintf(f * 0x1p24f));
    }
    return (uint16_t)(sign | ((a - 0x38000000u + 0xFFFu + (a >> 13 & 1u)) >> 13));
}
#endif

/* binary64 → binary32 rounded to odd: a second rounding to binary16 then rounds as if it were the only one (Boldo and
 * Melquiond, When double rounding is odd, 2005). */
static inline float odd_f32(double x)
{
    const float f = (float)x;
    uint32_t bits;
    float y = f;

    if ((double)f == x || x != x)
        return f;
    memcpy(&bits, &f, sizeof bits);
    bits -= fabs((double)f) > fabs(x); /* towards zero; from infinity to the largest */
    bits |= 1u;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* ---- in ------------------------------------------------------------------------------------------------ */

#define TO_FLOAT(name, type, to, real, value)                                                                \
    static void name##_##to(real *restrict dst, const void *restrict src, size_t n, real slope, real inter)  \
    {                                                                                                        \
        const type *restrict const s = src;                                                                  \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            dst[i] = (real)value(s[i]) * slope + inter;                                                      \
    }
#define TO_I64(name, type, value)                                                                            \
    static void name##_to_i64(int64_t *restrict dst, const void *restrict src, size_t n)                     \
    {                                                                                                        \
        const type *restrict const s = src;                                                                  \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            dst[i] = (int64_t)value(s[i]);                                                                   \
    }
#define SAME(x)     (x)
#define TRUTH(x)    ((x) != 0)
#define SATURATE(x) ((x) < (uint64_t)INT64_MAX ? (x) : (uint64_t)INT64_MAX)

TO_FLOAT(u8, uint8_t, to_f32, float, SAME)
TO_FLOAT(i8, int8_t, to_f32, float, SAME)
TO_FLOAT(u16, uint16_t, to_f32, float, SAME)
TO_FLOAT(i16, int16_t, to_f32, float, SAME)
TO_FLOAT(f32, float, to_f32, float, SAME)
TO_FLOAT(flag, uint8_t, to_f32, float, TRUTH)
TO_FLOAT(u8, uint8_t, to_f64, double, SAME)
TO_FLOAT(i8, int8_t, to_f64, double, SAME)
TO_FLOAT(u16, uint16_t, to_f64, double, SAME)
TO_FLOAT(i16, int16_t, to_f64, double, SAME)
TO_FLOAT(u32, uint32_t, to_f64, double, SAME)
TO_FLOAT(i32, int32_t, to_f64, double, SAME)
TO_FLOAT(u64, uint64_t, to_f64, double, SAME)
TO_FLOAT(i64, int64_t, to_f64, double, SAME)
TO_FLOAT(f16, uint16_t, to_f64, double, f16_value)
TO_FLOAT(f32, float, to_f64, double, SAME)
TO_FLOAT(f64, double, to_f64, double, SAME)
TO_FLOAT(flag, uint8_t, to_f64, double, TRUTH)
TO_I64(u8, uint8_t, SAME)
TO_I64(i8, int8_t, SAME)
TO_I64(u16, uint16_t, SAME)
TO_I64(i16, int16_t, SAME)
TO_I64(u32, uint32_t, SAME)
TO_I64(i32, int32_t, SAME)
TO_I64(u64, uint64_t, SATURATE)
TO_I64(i64, int64_t, SAME)
TO_I64(flag, uint8_t, TRUTH)

static void f16_to_f32(float *restrict dst, const void *restrict src, size_t n, float slope, float inter)
{
    const uint16_t *restrict const s = src;
    size_t i = 0;

#if defined(__F16C__)
    for (; i + 8 <= n; i += 8) {
        const __m256 x = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(s + i)));
        _mm256_storeu_ps(dst + i,
                         _mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(slope)), _mm256_set1_ps(inter)));
    }
#endif
    for (; i < n; i++)
        dst[i] = f16_value(s[i]) * slope + inter;
}

/* ---- out ----------------------------------------------------------------------------------------------- */

/* `wide` holds lo and hi exactly. A NaN fails both comparisons and becomes lo. */
#define FROM_FLOAT(name, type, from, real, wide, round, lo, hi)                                              \
    static bool name##_##from(void *restrict dst, const real *restrict src, size_t n)                        \
    {                                                                                                        \
        type *restrict const d = dst;                                                                        \
        int bad = 0;                                                                                         \
                                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                     \
            wide x = round((wide)src[i]);                                                                    \
            bad |= src[i] != src[i];                                                                         \
            x = x > (wide)(lo) ? x : (wide)(lo);                                                             \
            x = x < (wide)(hi) ? x : (wide)(hi);                                                             \
            d[i] = (type)x;                                                                                  \
        }                                                                                                    \
        return !bad;                                                                                         \
    }
/* 64-bit integers: hi + 1 (`above`) is a power of two, hi itself no float64. */
#define FROM_FLOAT_64(name, type, from, real, lo, above, hi)                                                 \
    static bool name##_##from(void *restrict dst, const real *restrict src, size_t n)                        \
    {                                                                                                        \
        type *restrict const d = dst;                                                                        \
        int bad = 0;                                                                                         \
                                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const double x = rint((double)src[i]);                                                           \
            bad |= src[i] != src[i];                                                                         \
            d[i] = x >= (above) ? (hi) : x > (lo) ? (type)x : (type)(lo);                                    \
        }                                                                                                    \
        return !bad;                                                                                         \
    }
#define FROM_FLOAT_BOOL(from, real)                                                                          \
    static bool flag_##from(void *restrict dst, const real *restrict src, size_t n)                          \
    {                                                                                                        \
        uint8_t *restrict const d = dst;                                                                     \
        int bad = 0;                                                                                         \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            bad |= src[i] != src[i], d[i] = src[i] != 0;                                                     \
        return !bad;                                                                                         \
    }
#define FROM_I64(name, type, lo, hi)                                                                         \
    static void name##_from_i64(void *restrict dst, const int64_t *restrict src, size_t n)                   \
    {                                                                                                        \
        type *restrict const d = dst;                                                                        \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            d[i] = (type)(src[i]<(lo) ? (lo) : src[i]>(hi) ? (hi) : src[i]);                                 \
    }

FROM_FLOAT(u8, uint8_t, from_f32, float, float, rintf, 0, UINT8_MAX)
FROM_FLOAT(i8, int8_t, from_f32, float, float, rintf, INT8_MIN, INT8_MAX)
FROM_FLOAT(u16, uint16_t, from_f32, float, float, rintf, 0, UINT16_MAX)
FROM_FLOAT(i16, int16_t, from_f32, float, float, rintf, INT16_MIN, INT16_MAX)
FROM_FLOAT(u32, uint32_t, from_f32, float, double, rint, 0, UINT32_MAX)
FROM_FLOAT(i32, int32_t, from_f32, float, double, rint, INT32_MIN, INT32_MAX)
FROM_FLOAT_64(u64, uint64_t, from_f32, float, 0.0, 0x1p64, UINT64_MAX)
FROM_FLOAT_64(i64, int64_t, from_f32, float, -0x1p63, 0x1p63, INT64_MAX)
FROM_FLOAT_BOOL(from_f32, float)
FROM_FLOAT(u8, uint8_t, from_f64, double, double, rint, 0, UINT8_MAX)
FROM_FLOAT(i8, int8_t, from_f64, double, double, rint, INT8_MIN, INT8_MAX)
FROM_FLOAT(u16, uint16_t, from_f64, double, double, rint, 0, UINT16_MAX)
FROM_FLOAT(i16, int16_t, from_f64, double, double, rint, INT16_MIN, INT16_MAX)
FROM_FLOAT(u32, uint32_t, from_f64, double, double, rint, 0, UINT32_MAX)
FROM_FLOAT(i32, int32_t, from_f64, double, double, rint, INT32_MIN, INT32_MAX)
FROM_FLOAT_64(u64, uint64_t, from_f64, double, 0.0, 0x1p64, UINT64_MAX)
FROM_FLOAT_64(i64, int64_t, from_f64, double, -0x1p63, 0x1p63, INT64_MAX)
FROM_FLOAT_BOOL(from_f64, double)
FROM_I64(u8, uint8_t, 0, UINT8_MAX)
FROM_I64(i8, int8_t, INT8_MIN, INT8_MAX)
FROM_I64(u16, uint16_t, 0, UINT16_MAX)
FROM_I64(i16, int16_t, INT16_MIN, INT16_MAX)
FROM_I64(u32, uint32_t, 0, (int64_t)UINT32_MAX)
FROM_I64(i32, int32_t, INT32_MIN, INT32_MAX)
FROM_I64(u64, uint64_t, 0, INT64_MAX)
FROM_I64(i64, int64_t, INT64_MIN, INT64_MAX)

static void flag_from_i64(void *restrict dst, const int64_t *restrict src, size_t n)
{
    uint8_t *restrict const d = dst;

    for (size_t i = 0; i < n; i++)
        d[i] = src[i] != 0;
}

static bool f16_from_f32(void *restrict dst, const float *restrict src, size_t n)
{
    uint16_t *restrict const d = dst;
    size_t i = 0;

#if defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(d + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i < n; i++)
        d[i] = f16_bits(src[i]);
    return true;
}

static bool f16_from_f64(void *restrict dst, const double *restrict src, size_t n)
{
    uint16_t *restrict const d = dst;

    for (size_t i = 0; i < n; i++)
        d[i] = f16_bits(odd_f32(src[i]));
    return true;
}

static bool f32_from_f32(void *restrict dst, const float *restrict src, size_t n)
{
    memcpy(dst, src, n * sizeof *src);
    return true;
}

static bool f64_from_f32(void *restrict dst, const float *restrict src, size_t n)
{
    double *restrict const d = dst;

    for (size_t i = 0; i < n; i++)
        d[i] = (double)src[i];
    return true;
}

static bool f32_from_f64(void *restrict dst, const double *restrict src, size_t n)
{
    float *restrict const d = dst;

    for (size_t i = 0; i < n; i++)
        d[i] = (float)src[i];
    return true;
}

static bool f64_from_f64(void *restrict dst, const double *restrict src, size_t n)
{
    memcpy(dst, src, n * sizeof *src);
    return true;
}

/* ---- byte order ---------------------------------------------------------------------------------------- */

#define SWAP(bits)                                                                                           \
    static void swap_##bits(void *dst, const void *src, size_t n)                                            \
    {                                                                                                        \
        uint##bits##_t *const d = dst;                                                                       \
        const uint##bits##_t *const s = src;                                                                 \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            d[i] = __builtin_bswap##bits(s[i]);                                                              \
    }
SWAP(16)
SWAP(32)
SWAP(64)

static void fill_rows(mtm_convert_kernels *k)
{
#define TO_FROM(T, name)                                                                                     \
    k->to_f64[T] = name##_to_f64, k->from_f32[T] = name##_from_f32, k->from_f64[T] = name##_from_f64
#define TO_FROM_INT(T, name) TO_FROM(T, name), k->to_i64[T] = name##_to_i64, k->from_i64[T] = name##_from_i64
    TO_FROM_INT(MTM_U8, u8), k->to_f32[MTM_U8] = u8_to_f32;
    TO_FROM_INT(MTM_I8, i8), k->to_f32[MTM_I8] = i8_to_f32;
    TO_FROM_INT(MTM_U16, u16), k->to_f32[MTM_U16] = u16_to_f32;
    TO_FROM_INT(MTM_I16, i16), k->to_f32[MTM_I16] = i16_to_f32;
    TO_FROM_INT(MTM_BOOL, flag), k->to_f32[MTM_BOOL] = flag_to_f32;
    TO_FROM_INT(MTM_U32, u32);
    TO_FROM_INT(MTM_I32, i32);
    TO_FROM_INT(MTM_U64, u64);
    TO_FROM_INT(MTM_I64, i64);
    TO_FROM(MTM_F16, f16), k->to_f32[MTM_F16] = f16_to_f32;
    TO_FROM(MTM_F32, f32), k->to_f32[MTM_F32] = f32_to_f32;
    TO_FROM(MTM_F64, f64);
    k->swap[1] = swap_16, k->swap[2] = swap_32, k->swap[3] = swap_64;
}
