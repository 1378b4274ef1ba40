/* kernel/color.c: the C reference of what lies between component rows and pixels, T.800 annex G.
 * SPDX-License-Identifier: Apache-2.0 */
#include "color.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 128 }; /* pixels at a time */

/* Some pixels of every component on their way. */
typedef struct chunk {
    int64_t v[4][CHUNK];
    float f[4][CHUNK];
} chunk;

static int64_t shift_of(const mtm_color_store *how, int c)
{
    return how->is_signed[c] ? 0 : (int64_t)1 << (how->bits[c] - 1);
}

mtm_color_range mtm_color_store_range(const mtm_color_store *how, int c)
{
    static const int64_t least[MTM_N_DTYPES] = {[MTM_I8] = INT8_MIN,
                                                [MTM_I16] = INT16_MIN,
                                                [MTM_I32] = INT32_MIN,
                                                [MTM_I64] = INT64_MIN,
                                                [MTM_F32] = INT64_MIN};
    static const int64_t most[MTM_N_DTYPES] = {
        [MTM_U8] = UINT8_MAX,  [MTM_I8] = INT8_MAX,    [MTM_U16] = UINT16_MAX,
        [MTM_I16] = INT16_MAX, [MTM_U32] = UINT32_MAX, [MTM_I32] = INT32_MAX,
        [MTM_U64] = INT64_MAX, [MTM_I64] = INT64_MAX,  [MTM_F32] = INT64_MAX};
    const int64_t half = (int64_t)1 << (how->bits[c] - 1), shift = shift_of(how, c);
    const int64_t add = shift - how->offset[c];
    int64_t lo = shift - half, hi = shift + half - 1;

    if (!how->rescale && lo < least[how->dtype])
        lo = least[how->dtype];
    if (!how->rescale && hi > most[how->dtype])
        hi = most[how->dtype];
    return (mtm_color_range){lo - add, hi - add, add};
}

/* ---- rows in ------------------------------------------------------------------------------------------ */

static void row_values(chunk *k, const mtm_color_store *how, int c, const void *row, size_t x0, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (how->type == MTM_COEF_I16)
            k->v[c][i] = ((const int16_t *)row)[x0 + i];
        else if (how->type == MTM_COEF_I32)
            k->v[c][i] = ((const int32_t *)row)[x0 + i];
        else if (how->type == MTM_COEF_I64)
            k->v[c][i] = ((const int64_t *)row)[x0 + i];
        else
            k->f[c][i] = ((const float *)row)[x0 + i];
}

/* As the rows' type holds it. */
static int64_t wrapped(uint64_t v, int type)
{
    return type == MTM_COEF_I16 ? (int16_t)v : type == MTM_COEF_I32 ? (int32_t)v : (int64_t)v;
}

/* T.800 G.2.2, equations G-4 … G-6. */
static void rct_inverse(chunk *k, int type, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t y = (uint64_t)k->v[0][i], u = (uint64_t)k->v[1][i], v = (uint64_t)k->v[2][i];
        const uint64_t g = y - (uint64_t)(wrapped(u + v, type) >> 2);

        k->v[0][i] = wrapped(v + g, type), k->v[1][i] = wrapped(g, type), k->v[2][i] = wrapped(u + g, type);
    }
}

/* T.800 G.3.2, equations G-12 … G-14. */
static void ict_inverse(chunk *k, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float y = k->f[0][i], cb = k->f[1][i], cr = k->f[2][i];

        k->f[0][i] = fmaf(cr, 1.402f, y);
        k->f[1][i] = fmaf(cr, -0.71414f, fmaf(cb, -0.34413f, y));
        k->f[2][i] = fmaf(cb, 1.772f, y);
    }
}

/* Clamped while still float, so that every float, infinities included, can be converted; beyond 24 bits the limits
 * are rounded, and clamping again makes up for it. */
static void rounded(chunk *k, int c, mtm_color_range r, size_t n)
{
    const float lo = (float)r.lo, hi = (float)r.hi;

    for (size_t i = 0; i < n; i++) {
        const float above = k->f[c][i] > lo ? k->f[c][i] : lo;
        k->v[c][i] = (int64_t)rintf(above < hi ? above : hi);
    }
}

/* ---- pixels out --------------------------------------------------------------------------------------- */

#define PUT(type, value)                                                                                     \
    for (size_t i = 0; i < n; i++) {                                                                         \
        const type t = (type)(value);                                                                        \
        memcpy(dst + (ptrdiff_t)i * stride, &t, sizeof t);                                                   \
    }                                                                                                        \
    break

static void put_integers(char *dst, ptrdiff_t stride, mtm_dtype dtype, const int64_t *v, size_t n)
{
    switch (dtype) {
    case MTM_U8: PUT(uint8_t, v[i]);
    case MTM_I8: PUT(int8_t, v[i]);
    case MTM_U16: PUT(uint16_t, v[i]);
    case MTM_I16: PUT(int16_t, v[i]);
    case MTM_U32: PUT(uint32_t, v[i]);
    case MTM_I32: PUT(int32_t, v[i]);
    case MTM_U64: PUT(uint64_t, v[i]);
    case MTM_I64: PUT(int64_t, v[i]);
    default: PUT(float, v[i]);
    }
}

/* A NaN becomes lo. */
static double within(double x, double lo, double hi)
{
    const double above = x > lo ? x : lo;

    return above < hi ? above : hi;
}

static uint64_t as_u64(double x)
{
    return x >= 0x1p64 ? UINT64_MAX : x > 0 ? (uint64_t)x : 0;
}

static int64_t as_i64(double x)
{
    return x >= 0x1p63 ? INT64_MAX : x > -0x1p63 ? (int64_t)x : INT64_MIN;
}

static void put_reals(char *dst, ptrdiff_t stride, mtm_dtype dtype, const double *v, size_t n)
{
    switch (dtype) {
    case MTM_U8: PUT(uint8_t, within(rint(v[i]), 0, UINT8_MAX));
    case MTM_I8: PUT(int8_t, within(rint(v[i]), INT8_MIN, INT8_MAX));
    case MTM_U16: PUT(uint16_t, within(rint(v[i]), 0, UINT16_MAX));
    case MTM_I16: PUT(int16_t, within(rint(v[i]), INT16_MIN, INT16_MAX));
    case MTM_U32: PUT(uint32_t, within(rint(v[i]), 0, UINT32_MAX));
    case MTM_I32: PUT(int32_t, within(rint(v[i]), INT32_MIN, INT32_MAX));
    case MTM_U64: PUT(uint64_t, as_u64(rint(v[i])));
    case MTM_I64: PUT(int64_t, as_i64(rint(v[i])));
    default: PUT(float, v[i]);
    }
}

/* pixel · slope + inter, each rounded once: in float32 where dst is and holds every pixel, else in float64. */
static void put_rescaled(char *dst, ptrdiff_t stride, const mtm_color_store *how, int c, const int64_t *v,
                         size_t n)
{
    const bool narrow = how->dtype == MTM_F32 && how->bits[c] <= 16;
    double scaled[CHUNK];

    for (size_t i = 0; i < n; i++)
        scaled[i] = narrow ? (double)((float)v[i] * (float)how->slope + (float)how->inter)
                           : (double)v[i] * how->slope + how->inter;
    for (size_t i = 0; how->limit && i < n; i++)
        scaled[i] = within(scaled[i], how->least, how->most);
    put_reals(dst, stride, how->dtype, scaled, n);
}

void mtm_color_store_c(const mtm_color_store *how, void *const *dst, ptrdiff_t pixel_stride,
                       const void *const *rows, size_t width)
{
    chunk k;

    for (size_t x = 0; x < width; x += CHUNK) {
        const size_t n = width - x < CHUNK ? width - x : CHUNK;

        for (int c = 0; c < how->n; c++)
            row_values(&k, how, c, rows[c], x, n);
        if (how->transform == MTM_COLOR_RCT)
            rct_inverse(&k, how->type, n);
        else if (how->transform == MTM_COLOR_ICT)
            ict_inverse(&k, n);
        for (int c = 0; c < how->n; c++) {
            const mtm_color_range r = mtm_color_store_range(how, c);
            char *const to = (char *)dst[c] + (ptrdiff_t)x * pixel_stride;

            if (how->type == MTM_COEF_F32)
                rounded(&k, c, r, n);
            for (size_t i = 0; i < n; i++) {
                const int64_t above = k.v[c][i] > r.lo ? k.v[c][i] : r.lo;
                k.v[c][i] = (above < r.hi ? above : r.hi) + r.add;
            }
            if (how->rescale)
                put_rescaled(to, pixel_stride, how, c, k.v[c], n);
            else
                put_integers(to, pixel_stride, how->dtype, k.v[c], n);
        }
    }
}

/* ---- and back ----------------------------------------------------------------------------------------- */

#define GET(type)                                                                                            \
    for (size_t i = 0; i < n; i++) {                                                                         \
        type t;                                                                                              \
        memcpy(&t, src + (ptrdiff_t)i * stride, sizeof t);                                                   \
        v[i] = (int64_t)t;                                                                                   \
    }                                                                                                        \
    break

static void get_integers(int64_t *v, const char *src, ptrdiff_t stride, mtm_dtype dtype, size_t n)
{
    switch (dtype) {
    case MTM_U8: GET(uint8_t);
    case MTM_I8: GET(int8_t);
    case MTM_U16: GET(uint16_t);
    case MTM_I16: GET(int16_t);
    case MTM_U32: GET(uint32_t);
    case MTM_I32: GET(int32_t);
    case MTM_U64: GET(uint64_t);
    default: GET(int64_t);
    }
}

/* T.800 G.2.1, equations G-1 … G-3; ⌊(r + 2g + b)/4⌋ is g + ⌊(u + v)/4⌋, which needs fewer bits. */
static void rct_forward(chunk *k, int type, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t r = (uint64_t)k->v[0][i], g = (uint64_t)k->v[1][i], b = (uint64_t)k->v[2][i];
        const uint64_t u = (uint64_t)wrapped(b - g, type), v = (uint64_t)wrapped(r - g, type);

        k->v[0][i] = (int64_t)(g + (uint64_t)(wrapped(u + v, type) >> 2));
        k->v[1][i] = (int64_t)u, k->v[2][i] = (int64_t)v;
    }
}

/* T.800 G.3.1, equations G-9 … G-11. */
static void ict_forward(chunk *k, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float r = k->f[0][i], g = k->f[1][i], b = k->f[2][i];

        k->f[0][i] = fmaf(b, 0.114f, fmaf(g, 0.587f, r * 0.299f));
        k->f[1][i] = fmaf(b, 0.5f, fmaf(g, -0.33126f, r * -0.16875f));
        k->f[2][i] = fmaf(b, -0.08131f, fmaf(g, -0.41869f, r * 0.5f));
    }
}

static void put_row(void *row, const chunk *k, int type, int c, size_t x0, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (type == MTM_COEF_I16)
            ((int16_t *)row)[x0 + i] = (int16_t)k->v[c][i];
        else if (type == MTM_COEF_I32)
            ((int32_t *)row)[x0 + i] = (int32_t)k->v[c][i];
        else if (type == MTM_COEF_I64)
            ((int64_t *)row)[x0 + i] = k->v[c][i];
        else
            ((float *)row)[x0 + i] = k->f[c][i];
}

void mtm_color_load_c(const mtm_color_store *how, void *const *rows, const void *const *src,
                      ptrdiff_t pixel_stride, size_t width)
{
    chunk k;

    for (size_t x = 0; x < width; x += CHUNK) {
        const size_t n = width - x < CHUNK ? width - x : CHUNK;

        for (int c = 0; c < how->n; c++) {
            const uint64_t add = (uint64_t)(how->offset[c] - shift_of(how, c));

            get_integers(k.v[c], (const char *)src[c] + (ptrdiff_t)x * pixel_stride, pixel_stride, how->dtype,
                         n);
            for (size_t i = 0; i < n; i++) {
                k.v[c][i] = (int64_t)((uint64_t)k.v[c][i] + add);
                k.f[c][i] = (float)k.v[c][i];
            }
        }
        if (how->transform == MTM_COLOR_RCT)
            rct_forward(&k, how->type, n);
        else if (how->transform == MTM_COLOR_ICT)
            ict_forward(&k, n);
        for (int c = 0; c < how->n; c++)
            put_row(rows[c], &k, how->type, c, x, n);
    }
}

void mtm_color_kernels_init(mtm_color_kernels *k, unsigned cpu)
{
    *k = (mtm_color_kernels){.store = mtm_color_store_c, .load = mtm_color_load_c};
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    mtm_color_kernels_avx2(k);
    if (!(cpu & MTM_CPU_AVX512))
        return;
    mtm_color_kernels_avx512(k);
    if (!(cpu & MTM_CPU_VBMI2))
        return;
    mtm_color_kernels_vbmi2(k);
#endif
}
