/* kernel/x86/color_rows.h: rows to pixels and back, for the types and layouts that matter; the rest is color.c's.
 * Included by color_avx2.c, color_avx512.c and color_vbmi2.c: plain loops become vectors of either width, only
 * what is interleaved by three is written as shuffles. Work goes in chunks that stay in the first-level cache:
 * transform, convert, interleave.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernel/color.h"

enum { CHUNK = 512, PAD = 64 }; /* pixels; bytes behind a chunk that may be overwritten */

/* Up to four rows of up to four bytes. */
typedef struct rows4 {
    _Alignas(64) char row[4][CHUNK * 4 + PAD];
} rows4;

/* ---- component transforms, T.800 annex G -------------------------------------------------------------- */

#define RCT(name, type, bits)                                                                                \
    static void rct_inverse_##name(rows4 *restrict out, const void *const *in, size_t n)                     \
    {                                                                                                        \
        const type *restrict const y = in[0], *restrict const u = in[1], *restrict const v = in[2];          \
        type *restrict const r = (type *)(void *)out->row[0],                                                \
                             *restrict const g = (type *)(void *)out->row[1],                                \
                             *restrict const b = (type *)(void *)out->row[2];                                \
                                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const type sum = (type)((bits)u[i] + (bits)v[i]);                                                \
            const type middle = (type)((bits)y[i] - (bits)(sum >> 2));                                       \
            r[i] = (type)((bits)v[i] + (bits)middle), g[i] = middle,                                         \
            b[i] = (type)((bits)u[i] + (bits)middle);                                                        \
        }                                                                                                    \
    }                                                                                                        \
    static void rct_forward_##name(void *const *rows, size_t n)                                              \
    {                                                                                                        \
        type *restrict const r = rows[0], *restrict const g = rows[1], *restrict const b = rows[2];          \
                                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const type u = (type)((bits)b[i] - (bits)g[i]), v = (type)((bits)r[i] - (bits)g[i]);             \
            const type sum = (type)((bits)u + (bits)v);                                                      \
            r[i] = (type)((bits)g[i] + (bits)(sum >> 2)), g[i] = u, b[i] = v;                                \
        }                                                                                                    \
    }
RCT(i16, int16_t, uint16_t)
RCT(i32, int32_t, uint32_t)

static void ict_inverse(rows4 *restrict out, const void *const *in, size_t n)
{
    const float *restrict const y = in[0], *restrict const cb = in[1], *restrict const cr = in[2];
    float *restrict const r = (float *)(void *)out->row[0], *restrict const g = (float *)(void *)out->row[1],
                          *restrict const b = (float *)(void *)out->row[2];

    for (size_t i = 0; i < n; i++) {
        r[i] = fmaf(cr[i], 1.402f, y[i]);
        g[i] = fmaf(cr[i], -0.71414f, fmaf(cb[i], -0.34413f, y[i]));
        b[i] = fmaf(cb[i], 1.772f, y[i]);
    }
}

/* Of red, green, blue: Y, Cb, Cr. */
static const float ict_weights[3][3] = {
    {0.299f, 0.587f, 0.114f}, {-0.16875f, -0.33126f, 0.5f}, {0.5f, -0.41869f, -0.08131f}};

static void ict_forward(void *const *rows, size_t n)
{
    float *restrict const x = rows[0], *restrict const y = rows[1], *restrict const z = rows[2];

    for (size_t i = 0; i < n; i++) {
        const float r = x[i], g = y[i], b = z[i];

        x[i] = fmaf(b, ict_weights[0][2], fmaf(g, ict_weights[0][1], r * ict_weights[0][0]));
        y[i] = fmaf(b, ict_weights[1][2], fmaf(g, ict_weights[1][1], r * ict_weights[1][0]));
        z[i] = fmaf(b, ict_weights[2][2], fmaf(g, ict_weights[2][1], r * ict_weights[2][0]));
    }
}

/* ---- three interleaved components --------------------------------------------------------------------- */

/* Byte shuffles for three interleaved components of 1 and 2 bytes: [log2 size][16 bytes of the 48][component]:
 * where they come from in 16 bytes of the component; −1: not from it. */
static const int8_t spread[2][3][3][16] = {
    {{{0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5},
      {-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1},
      {-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1}},
     {{-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1},
      {5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10},
      {-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1}},
     {{-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1},
      {-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1},
      {10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15}}},
    {{{0, 1, -1, -1, -1, -1, 2, 3, -1, -1, -1, -1, 4, 5, -1, -1},
      {-1, -1, 0, 1, -1, -1, -1, -1, 2, 3, -1, -1, -1, -1, 4, 5},
      {-1, -1, -1, -1, 0, 1, -1, -1, -1, -1, 2, 3, -1, -1, -1, -1}},
     {{-1, -1, 6, 7, -1, -1, -1, -1, 8, 9, -1, -1, -1, -1, 10, 11},
      {-1, -1, -1, -1, 6, 7, -1, -1, -1, -1, 8, 9, -1, -1, -1, -1},
      {4, 5, -1, -1, -1, -1, 6, 7, -1, -1, -1, -1, 8, 9, -1, -1}},
     {{-1, -1, -1, -1, 12, 13, -1, -1, -1, -1, 14, 15, -1, -1, -1, -1},
      {10, 11, -1, -1, -1, -1, 12, 13, -1, -1, -1, -1, 14, 15, -1, -1},
      {-1, -1, 10, 11, -1, -1, -1, -1, 12, 13, -1, -1, -1, -1, 14, 15}}},
};

/* And back: [log2 size][component][16 bytes of the 48]: where in them the component's bytes are. */
static const int8_t collect[2][3][3][16] = {
    {{{0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13}},
     {{1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14}},
     {{2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15}}},
    {{{0, 1, 6, 7, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, 2, 3, 8, 9, 14, 15, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 4, 5, 10, 11}},
     {{2, 3, 8, 9, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, 4, 5, 10, 11, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 6, 7, 12, 13}},
     {{4, 5, 10, 11, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, 0, 1, 6, 7, 12, 13, -1, -1, -1, -1, -1, -1},
      {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 3, 8, 9, 14, 15}}},
};

static inline __m256i twice16(const int8_t *p)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline __m256i any3(__m256i a, __m256i b, __m256i c)
{
    return _mm256_or_si256(_mm256_or_si256(a, b), c);
}

static inline __m256i load256(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* Which lane of 16 bytes, and which third of its 48, the lower and the upper lane of output k come from. */
static inline __m256i thirds(const int8_t (*masks)[3][16], int k, int c)
{
    const __m128i lower = _mm_loadu_si128((const __m128i *)(const void *)masks[2 * k % 3][c]);
    const __m128i upper = _mm_loadu_si128((const __m128i *)(const void *)masks[(2 * k + 1) % 3][c]);

    return _mm256_inserti128_si256(_mm256_castsi128_si256(lower), upper, 1);
}

/* 32 bytes of each component → 96. */
static inline void join3(char *dst, const __m256i x[3], const int8_t (*masks)[3][16])
{
    __m256i out[3];

    for (int k = 0; k < 3; k++) {
        __m256i part[3];

        for (int c = 0; c < 3; c++) {
            const __m256i from = k == 1   ? x[c]
                                 : k == 0 ? _mm256_permute4x64_epi64(x[c], 0x44)
                                          : _mm256_permute4x64_epi64(x[c], 0xEE);
            part[c] = _mm256_shuffle_epi8(from, thirds(masks, k, c));
        }
        out[k] = any3(part[0], part[1], part[2]);
    }
    memcpy(dst, out, sizeof out);
}

static inline void interleave3(char *dst, const rows4 *in, size_t n, int log2_size)
{
    const int8_t (*const masks)[3][16] = spread[log2_size];
    const size_t bytes = n << log2_size;
    char last[96];
    size_t at = 0;

    for (; at < bytes; at += 32) {
        const __m256i x[3] = {load256(in->row[0] + at), load256(in->row[1] + at), load256(in->row[2] + at)};

        join3(at + 32 <= bytes ? dst + 3 * at : last, x, masks);
    }
    if (bytes % 32)
        memcpy(dst + bytes / 32 * 96, last, bytes % 32 * 3);
}

/* 96 bytes → 32 of each component. */
static inline void part3(rows4 *out, size_t at, const char *src, const int8_t (*masks)[3][16])
{
    const __m256i a = load256(src), b = load256(src + 32), c = load256(src + 64);
    const __m256i x[3] = {_mm256_permute2x128_si256(a, b, 0x30), _mm256_permute2x128_si256(a, c, 0x21),
                          _mm256_permute2x128_si256(b, c, 0x30)};

    for (int k = 0; k < 3; k++) {
        __m256i from[3];

        for (int p = 0; p < 3; p++)
            from[p] = _mm256_shuffle_epi8(x[p], twice16(masks[k][p]));
        _mm256_storeu_si256((__m256i *)(void *)(out->row[k] + at), any3(from[0], from[1], from[2]));
    }
}

static inline void separate3(rows4 *out, const char *src, size_t n, int log2_size)
{
    const int8_t (*const masks)[3][16] = collect[log2_size];
    const size_t bytes = n << log2_size;
    char last[96] = {0};
    size_t at = 0;

    for (; at + 32 <= bytes; at += 32)
        part3(out, at, src + 3 * at, masks);
    if (at < bytes) {
        memcpy(last, src + 3 * at, 3 * (bytes - at));
        part3(out, at, last, masks);
    }
}

/* Any number of components, of 1 … 4 bytes, whatever was written as what. */
typedef uint8_t any8 __attribute__((may_alias));
typedef uint16_t any16 __attribute__((may_alias));
typedef uint32_t any32 __attribute__((may_alias));
typedef float any_float __attribute__((may_alias));

#define MOVES(bits)                                                                                          \
    static void interleave_##bits(void *dst, const rows4 *in, size_t n, int components)                      \
    {                                                                                                        \
        for (int c = 0; c < components; c++) {                                                               \
            const any##bits *const s = (const any##bits *)(const void *)in->row[c];                          \
            any##bits *const d = (any##bits *)dst + c;                                                       \
            for (size_t i = 0; i < n; i++)                                                                   \
                d[i * (size_t)components] = s[i];                                                            \
        }                                                                                                    \
    }                                                                                                        \
    static void separate_##bits(rows4 *out, const void *src, size_t n, int components)                       \
    {                                                                                                        \
        for (int c = 0; c < components; c++) {                                                               \
            const any##bits *const s = (const any##bits *)src + c;                                           \
            any##bits *const d = (any##bits *)(void *)out->row[c];                                           \
            for (size_t i = 0; i < n; i++)                                                                   \
                d[i] = s[i * (size_t)components];                                                            \
        }                                                                                                    \
    }
MOVES(8)
MOVES(16)
MOVES(32)

static void interleave(void *dst, const rows4 *in, size_t n, int components, size_t size)
{
    if (components == 3 && size < 4)
        interleave3(dst, in, n, size == 2);
    else if (size == 1)
        interleave_8(dst, in, n, components);
    else if (size == 2)
        interleave_16(dst, in, n, components);
    else
        interleave_32(dst, in, n, components);
}

static void separate(rows4 *out, const void *src, size_t n, int components, size_t size)
{
    if (components == 3 && size < 4)
        separate3(out, src, n, size == 2);
    else if (size == 1)
        separate_8(out, src, n, components);
    else if (size == 2)
        separate_16(out, src, n, components);
    else
        separate_32(out, src, n, components);
}

/* ---- rows to pixels ----------------------------------------------------------------------------------- */

/* Clamp, add, and as many bytes as the pixel has: the sum is right modulo the pixel's range, and the pixel fits. */
#define FROM_INTEGERS(name, type, work, unsigned_work, least, most, pixel)                                   \
    static void name(void *restrict dst, const void *restrict row, mtm_color_range r, size_t n)              \
    {                                                                                                        \
        const work lo = (work)mtm_clamp_i64(r.lo, least, most), hi = (work)mtm_clamp_i64(r.hi, least, most); \
        const unsigned_work add = (unsigned_work)r.add;                                                      \
        const type *restrict const s = row;                                                                  \
        pixel *restrict const d = dst;                                                                       \
                                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                     \
            work v = s[i];                                                                                   \
            v = v > lo ? v : lo;                                                                             \
            v = v < hi ? v : hi;                                                                             \
            d[i] = (pixel)(unsigned_work)((unsigned_work)v + add);                                           \
        }                                                                                                    \
    }
#define FROM_FLOATS(name, pixel)                                                                             \
    static void name(void *restrict dst, const void *restrict row, mtm_color_range r, size_t n)              \
    {                                                                                                        \
        const float lo = (float)r.lo, hi = (float)r.hi;                                                      \
        const uint32_t add = (uint32_t)r.add;                                                                \
        const float *restrict const s = row;                                                                 \
        pixel *restrict const d = dst;                                                                       \
                                                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                     \
            float v = s[i];                                                                                  \
            v = v > lo ? v : lo;                                                                             \
            v = v < hi ? v : hi;                                                                             \
            d[i] = (pixel)((uint32_t)(int32_t)rintf(v) + add);                                               \
        }                                                                                                    \
    }
FROM_INTEGERS(u8_from_i16, int16_t, int16_t, uint16_t, INT16_MIN, INT16_MAX, uint8_t)
FROM_INTEGERS(u16_from_i16, int16_t, int16_t, uint16_t, INT16_MIN, INT16_MAX, uint16_t)
FROM_INTEGERS(u32_from_i16, int16_t, int32_t, uint32_t, INT32_MIN, INT32_MAX, uint32_t)
FROM_INTEGERS(u8_from_i32, int32_t, int32_t, uint32_t, INT32_MIN, INT32_MAX, uint8_t)
FROM_INTEGERS(u16_from_i32, int32_t, int32_t, uint32_t, INT32_MIN, INT32_MAX, uint16_t)
FROM_INTEGERS(u32_from_i32, int32_t, int32_t, uint32_t, INT32_MIN, INT32_MAX, uint32_t)
FROM_FLOATS(u8_from_f32, uint8_t)
FROM_FLOATS(u16_from_f32, uint16_t)
FROM_FLOATS(u32_from_f32, uint32_t)

typedef void (*convert_fn)(void *dst, const void *row, mtm_color_range r, size_t n);

/* By the rows' type and half the pixel's bytes. */
static const convert_fn from_rows[MTM_COEF_F32 + 1][3] = {
    [MTM_COEF_I16] = {u8_from_i16, u16_from_i16, u32_from_i16},
    [MTM_COEF_I32] = {u8_from_i32, u16_from_i32, u32_from_i32},
    [MTM_COEF_F32] = {u8_from_f32, u16_from_f32, u32_from_f32},
};

/* Pixels as int32 to float32, in place; rescaled on the way. Clamping in float32 to the limits rounded to float32
 * gives what clamping before rounding does. */
static void to_floats(const mtm_color_store *how, void *row, size_t n)
{
    const float slope = (float)how->slope, inter = (float)how->inter;
    const float least = how->limit ? (float)how->least : -INFINITY,
                most = how->limit ? (float)how->most : INFINITY;
    const int32_t *const s = row;
    any_float *const d = row;

    if (!how->rescale)
        for (size_t i = 0; i < n; i++)
            d[i] = (float)s[i];
    else
        for (size_t i = 0; i < n; i++) {
            float v = (float)s[i] * slope + inter;
            v = v > least ? v : least;
            d[i] = v < most ? v : most;
        }
}

/* Whether all pixels lie side by side (*together), or each component's do, aligned. */
static bool is_dense(const void *const *planes, ptrdiff_t pixel_stride, int n, size_t size, bool *together)
{
    bool aligned = true;

    *together = n > 1 && pixel_stride == (ptrdiff_t)(size * (size_t)n);
    for (int c = 0; c < n; c++) {
        *together &= planes[c] == (const char *)planes[0] + (size_t)c * size;
        aligned &= (uintptr_t)planes[c] % size == 0;
    }
    return aligned && (*together || pixel_stride == (ptrdiff_t)size);
}

static bool can_store(const mtm_color_store *how, const mtm_color_range ranges[4])
{
    const bool floats = how->dtype == MTM_F32;

    if (how->type != MTM_COEF_I16 && how->type != MTM_COEF_I32 && how->type != MTM_COEF_F32)
        return false;
    if (mtm_dtype_size(how->dtype) > 4 || (how->rescale && !floats))
        return false;
    for (int c = 0; c < how->n; c++) {
        const mtm_color_range r = ranges[c];
        const int64_t half = how->type == MTM_COEF_I16 ? INT16_MAX : INT32_MAX; /* of the rows' type */

        if (how->type == MTM_COEF_F32 ? r.lo < -(1 << 24) || r.hi > 1 << 24 : r.lo > half || r.hi < -half)
            return false;
        if (how->bits[c] > (how->rescale ? 16 : floats ? 31 : 32))
            return false;
    }
    return true;
}

static void store_chunk(const mtm_color_store *how, char *const *dst, bool together, const void *const *in,
                        const mtm_color_range ranges[4], size_t n)
{
    const size_t size = mtm_dtype_size(how->dtype);
    rows4 lifted, pixels;

    if (how->transform == MTM_COLOR_RCT)
        (how->type == MTM_COEF_I16 ? rct_inverse_i16 : rct_inverse_i32)(&lifted, in, n);
    else if (how->transform == MTM_COLOR_ICT)
        ict_inverse(&lifted, in, n);
    for (int c = 0; c < how->n; c++) {
        const void *const from = how->transform && c < 3 ? lifted.row[c] : in[c];
        void *const to = together ? pixels.row[c] : dst[c];

        from_rows[how->type][size / 2](to, from, ranges[c], n);
        if (how->dtype == MTM_F32)
            to_floats(how, to, n);
    }
    if (together)
        interleave(dst[0], &pixels, n, how->n, size);
}

#include "color_rgb8.h"

static void store(const mtm_color_store *how, void *const *dst, ptrdiff_t pixel_stride,
                  const void *const *rows, size_t width)
{
    const size_t size = mtm_dtype_size(how->dtype), coef = how->type == MTM_COEF_I16 ? 2 : 4;
    mtm_color_range ranges[4];
    bool together;

    for (int c = 0; c < how->n; c++)
        ranges[c] = mtm_color_store_range(how, c);
    if (!can_store(how, ranges) ||
        !is_dense((const void *const *)dst, pixel_stride, how->n, size, &together)) {
        mtm_color_store_c(how, dst, pixel_stride, rows, width);
        return;
    }
    if (together && how->transform && is_rgb8(how, ranges)) {
        (how->type == MTM_COEF_I16   ? rgb8_rct_i16
         : how->type == MTM_COEF_I32 ? rgb8_rct_i32
                                     : rgb8_ict)(dst[0], rows, width);
        return;
    }
    for (size_t x = 0; x < width; x += CHUNK) {
        const void *in[4];
        char *out[4];

        for (int c = 0; c < how->n; c++) {
            in[c] = (const char *)rows[c] + x * coef;
            out[c] = (char *)dst[c] + x * size * (together ? how->n : 1);
        }
        store_chunk(how, out, together, in, ranges, width - x < CHUNK ? width - x : CHUNK);
    }
}

/* ---- and back ----------------------------------------------------------------------------------------- */

#define TO_ROW(name, pixel, bits, type, wide)                                                                \
    static void name(void *restrict row, const void *restrict src, int64_t add, size_t n)                    \
    {                                                                                                        \
        const pixel *restrict const s = src;                                                                 \
        type *restrict const d = row;                                                                        \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            d[i] = (type)(wide)((bits)s[i] + (bits)add);                                                     \
    }
#define TO_ROWS(pixel_name, pixel)                                                                           \
    TO_ROW(pixel_name##_to_i16, pixel, uint16_t, int16_t, int16_t)                                           \
    TO_ROW(pixel_name##_to_i32, pixel, uint32_t, int32_t, int32_t)                                           \
    TO_ROW(pixel_name##_to_f32, pixel, uint32_t, float, int32_t)
TO_ROWS(u8, uint8_t)
TO_ROWS(i8, int8_t)
TO_ROWS(u16, uint16_t)
TO_ROWS(i16, int16_t)

typedef void (*read_fn)(void *row, const void *src, int64_t add, size_t n);

#define BY_TYPE(pixel_name)                                                                                  \
    {[MTM_COEF_I16] = pixel_name##_to_i16,                                                                   \
     [MTM_COEF_I32] = pixel_name##_to_i32,                                                                   \
     [MTM_COEF_F32] = pixel_name##_to_f32}
static const read_fn to_rows[MTM_I16 + 1][MTM_COEF_F32 + 1] = {
    [MTM_U8] = BY_TYPE(u8), [MTM_I8] = BY_TYPE(i8), [MTM_U16] = BY_TYPE(u16), [MTM_I16] = BY_TYPE(i16)};

static void load(const mtm_color_store *how, void *const *rows, const void *const *src,
                 ptrdiff_t pixel_stride, size_t width)
{
    const size_t size = mtm_dtype_size(how->dtype), coef = how->type == MTM_COEF_I16 ? 2 : 4;
    bool together;
    rows4 pixels;

    if (how->dtype > MTM_I16 || how->type == MTM_COEF_I64 ||
        !is_dense(src, pixel_stride, how->n, size, &together)) {
        mtm_color_load_c(how, rows, src, pixel_stride, width);
        return;
    }
    for (size_t x = together ? load_rgb8(how, rows, src[0], width) : 0; x < width; x += CHUNK) {
        const size_t n = width - x < CHUNK ? width - x : CHUNK;
        void *out[4];

        if (together)
            separate(&pixels, (const char *)src[0] + x * size * how->n, n, how->n, size);
        for (int c = 0; c < how->n; c++) {
            const int64_t shift = how->is_signed[c] ? 0 : (int64_t)1 << (how->bits[c] - 1);
            const void *const from = together ? pixels.row[c] : (const char *)src[c] + x * size;

            out[c] = (char *)rows[c] + x * coef;
            to_rows[how->dtype][how->type](out[c], from, how->offset[c] - shift, n);
        }
        if (how->transform == MTM_COLOR_RCT)
            (how->type == MTM_COEF_I16 ? rct_forward_i16 : rct_forward_i32)(out, n);
        else if (how->transform == MTM_COLOR_ICT)
            ict_forward(out, n);
    }
}
