/* kernel/convert.c: the C reference of row conversions, and how a row's conversion is put together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"

#include "convert_rows.h"

static void copy(void *dst, const void *src, size_t size_bytes)
{
    memcpy(dst, src, size_bytes);
}

enum { BLOCK = 512 }; /* elements of the middle type: 4 KiB */

#define MOVES(bits)                                                                                          \
    static void gather_##bits(void *restrict dst, const void *restrict src, ptrdiff_t stride, size_t n)      \
    {                                                                                                        \
        uint##bits##_t *restrict const d = dst;                                                              \
        const char *s = src;                                                                                 \
                                                                                                             \
        for (size_t i = 0; i < n; i++, s += stride)                                                          \
            memcpy(&d[i], s, sizeof *d);                                                                     \
    }                                                                                                        \
    static void scatter_##bits(void *restrict dst, ptrdiff_t stride, const void *restrict src, size_t n)     \
    {                                                                                                        \
        const uint##bits##_t *restrict const s = src;                                                        \
        char *d = dst;                                                                                       \
                                                                                                             \
        for (size_t i = 0; i < n; i++, d += stride)                                                          \
            memcpy(d, &s[i], sizeof *s);                                                                     \
    }                                                                                                        \
    static void transpose_##bits(void *restrict dst, ptrdiff_t dst_stride, const void *restrict src,         \
                                 ptrdiff_t src_stride, size_t rows, size_t cols)                             \
    {                                                                                                        \
        const ptrdiff_t size = bits / 8;                                                                     \
                                                                                                             \
        for (size_t c0 = 0; c0 < cols; c0 += 8) /* eight source lines at a time */                           \
            for (size_t r = 0; r < rows; r++)                                                                \
                for (size_t c = c0; c < c0 + 8 && c < cols; c++)                                             \
                    memcpy((char *)dst + (ptrdiff_t)r * dst_stride + (ptrdiff_t)c * size,                    \
                           (const char *)src + (ptrdiff_t)c * src_stride + (ptrdiff_t)r * size, size);       \
    }
MOVES(8)
MOVES(16)
MOVES(32)
MOVES(64)

void mtm_convert_kernels_init(mtm_convert_kernels *k, unsigned cpu)
{
    *k = (mtm_convert_kernels){
        .copy = copy,
        .gather = {gather_8, gather_16, gather_32, gather_64},
        .scatter = {scatter_8, scatter_16, scatter_32, scatter_64},
        .transpose = {transpose_8, transpose_16, transpose_32, transpose_64},
    };
    fill_rows(k);
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    mtm_convert_kernels_avx2(k);
    if (!(cpu & MTM_CPU_AVX512))
        return;
    mtm_convert_kernels_avx512(k);
#endif
}

int mtm_convert_log2(mtm_dtype t)
{
    static const uint8_t log2_bytes[MTM_N_DTYPES] = {0, 0, 0, 1, 1, 2, 2, 3, 3, 1, 2, 3, 0};

    return log2_bytes[t];
}

double mtm_convert_inter(const mtm_conversion *c)
{
    return c->slope == 1 && c->inter == 0 ? -0.0 : c->inter;
}

/* One block from native bytes. Which middle type: see mtm_convert_row. */
static bool convert_block(const mtm_convert_kernels *k, const mtm_conversion *c, void *dst, const void *src,
                          size_t n)
{
    _Alignas(64) union {
        float f32[BLOCK];
        double f64[BLOCK];
        int64_t i64[BLOCK];
    } middle;
    const bool plain = c->slope == 1 && c->inter == 0;
    const double inter = mtm_convert_inter(c);

    if (plain && c->src == c->dst) {
        k->copy(dst, src, n << mtm_convert_log2(c->src));
        return true;
    }
    if (plain && k->to_i64[c->src] && k->from_i64[c->dst]) {
        k->to_i64[c->src](middle.i64, src, n);
        k->from_i64[c->dst](dst, middle.i64, n);
        return true;
    }
    if (c->dst == MTM_F32 && k->to_f32[c->src]) {
        k->to_f32[c->src](dst, src, n, (float)c->slope, (float)inter);
        return true;
    }
    if (plain && c->src == MTM_F32)
        return k->from_f32[c->dst](dst, src, n);
    if (plain && c->src == MTM_F64)
        return k->from_f64[c->dst](dst, src, n);
    if (c->dst == MTM_F64) {
        k->to_f64[c->src](dst, src, n, c->slope, inter);
        return true;
    }
    if (plain && k->to_f32[c->src]) {
        k->to_f32[c->src](middle.f32, src, n, 1, -0.0f);
        return k->from_f32[c->dst](dst, middle.f32, n);
    }
    k->to_f64[c->src](middle.f64, src, n, c->slope, inter);
    return k->from_f64[c->dst](dst, middle.f64, n);
}

bool mtm_convert_row(const mtm_convert_kernels *k, const mtm_conversion *c, void *dst, const void *src,
                     size_t n)
{
    const int from = mtm_convert_log2(c->src), to = mtm_convert_log2(c->dst);
    bool good = true;

    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t m = n - i < BLOCK ? n - i : BLOCK;
        const void *s = (const char *)src + (i << from);
        _Alignas(64) uint64_t native[BLOCK];

        if (c->swap && from) {
            k->swap[from](native, s, m);
            s = native;
        }
        good &= convert_block(k, c, (char *)dst + (i << to), s, m);
    }
    return good;
}
