/* kernel/x86/convert_avx2.c: row conversions as the compiler vectorises them for AVX2, and transposes in registers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/convert_rows.h"

#include <immintrin.h>

/* A plain loop: glibc's memcpy takes `rep movsb` from 2 KiB on, which on Zen 4 is several times slower for blocks of this
 * size when source and destination lie close in their pages. */
static void copy(void *dst, const void *src, size_t size_bytes)
{
    char *d = dst;
    const char *s = src;

    for (; size_bytes >= 64; size_bytes -= 64, d += 64, s += 64) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)s);
        const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(s + 32));

        _mm256_storeu_si256((__m256i *)(void *)d, a);
        _mm256_storeu_si256((__m256i *)(void *)(d + 32), b);
    }
    for (; size_bytes; size_bytes--)
        *d++ = *s++;
}

/* Columns left over on the right, and rows left over below. */
static void edge(char *dst, ptrdiff_t dst_stride, const char *src, ptrdiff_t src_stride, size_t r0, size_t r1,
                 size_t c0, size_t c1, size_t size)
{
    for (size_t c = c0; c < c1; c++)
        for (size_t r = r0; r < r1; r++)
            memcpy(dst + (ptrdiff_t)r * dst_stride + (ptrdiff_t)(c * size),
                   src + (ptrdiff_t)c * src_stride + (ptrdiff_t)(r * size), size);
}

/* 8 source lines of 16 bytes → 16 rows of 8 bytes. */
static inline void block_8(char *d, ptrdiff_t ds, const char *s, ptrdiff_t ss)
{
    __m128i a[8], b[8];

    for (int i = 0; i < 8; i++)
        a[i] = _mm_loadu_si128((const __m128i *)(s + i * ss));
    for (int i = 0; i < 4; i++) { /* pairs of lines: (0,1), (2,3), … */
        b[i] = _mm_unpacklo_epi8(a[2 * i], a[2 * i + 1]);
        b[i + 4] = _mm_unpackhi_epi8(a[2 * i], a[2 * i + 1]);
    }
    for (int h = 0; h < 2; h++) { /* rows 0 … 7, 8 … 15 */
        const __m128i p = _mm_unpacklo_epi16(b[4 * h], b[4 * h + 1]);
        const __m128i q = _mm_unpackhi_epi16(b[4 * h], b[4 * h + 1]);
        const __m128i u = _mm_unpacklo_epi16(b[4 * h + 2], b[4 * h + 3]);
        const __m128i v = _mm_unpackhi_epi16(b[4 * h + 2], b[4 * h + 3]);
        const __m128i out[4] = {_mm_unpacklo_epi32(p, u), _mm_unpackhi_epi32(p, u), _mm_unpacklo_epi32(q, v),
                                _mm_unpackhi_epi32(q, v)};

        for (int i = 0; i < 4; i++, d += 2 * ds) {
            _mm_storel_epi64((__m128i *)d, out[i]);
            _mm_storel_epi64((__m128i *)(d + ds), _mm_unpackhi_epi64(out[i], out[i]));
        }
    }
}

/* 8 source lines of 8 numbers of 16 bits → 8 rows. */
static inline void block_16(char *d, ptrdiff_t ds, const char *s, ptrdiff_t ss)
{
    __m128i a[8], b[8];

    for (int i = 0; i < 8; i++)
        a[i] = _mm_loadu_si128((const __m128i *)(s + i * ss));
    for (int i = 0; i < 4; i++) {
        b[i] = _mm_unpacklo_epi16(a[2 * i], a[2 * i + 1]);
        b[i + 4] = _mm_unpackhi_epi16(a[2 * i], a[2 * i + 1]);
    }
    for (int h = 0; h < 2; h++) {
        const __m128i p = _mm_unpacklo_epi32(b[4 * h], b[4 * h + 1]);
        const __m128i q = _mm_unpackhi_epi32(b[4 * h], b[4 * h + 1]);
        const __m128i u = _mm_unpacklo_epi32(b[4 * h + 2], b[4 * h + 3]);
        const __m128i v = _mm_unpackhi_epi32(b[4 * h + 2], b[4 * h + 3]);

        _mm_storeu_si128((__m128i *)d, _mm_unpacklo_epi64(p, u));
        _mm_storeu_si128((__m128i *)(d + ds), _mm_unpackhi_epi64(p, u));
        _mm_storeu_si128((__m128i *)(d + 2 * ds), _mm_unpacklo_epi64(q, v));
        _mm_storeu_si128((__m128i *)(d + 3 * ds), _mm_unpackhi_epi64(q, v));
        d += 4 * ds;
    }
}

/* 8 source lines of 4 numbers of 32 bits → 4 rows of 8: two 4×4 blocks side by side in 256-bit registers. */
static inline void block_32(char *d, ptrdiff_t ds, const char *s, ptrdiff_t ss)
{
    __m256i a[4];

    for (int i = 0; i < 4; i++)
        a[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(s + i * ss))),
                                       _mm_loadu_si128((const __m128i *)(s + (i + 4) * ss)), 1);
    const __m256i p = _mm256_unpacklo_epi32(a[0], a[1]), q = _mm256_unpackhi_epi32(a[0], a[1]);
    const __m256i u = _mm256_unpacklo_epi32(a[2], a[3]), v = _mm256_unpackhi_epi32(a[2], a[3]);
    _mm256_storeu_si256((__m256i *)d, _mm256_unpacklo_epi64(p, u));
    _mm256_storeu_si256((__m256i *)(d + ds), _mm256_unpackhi_epi64(p, u));
    _mm256_storeu_si256((__m256i *)(d + 2 * ds), _mm256_unpacklo_epi64(q, v));
    _mm256_storeu_si256((__m256i *)(d + 3 * ds), _mm256_unpackhi_epi64(q, v));
}

/* 8 source lines of 2 numbers of 64 bits → 2 rows of 8. */
static inline void block_64(char *d, ptrdiff_t ds, const char *s, ptrdiff_t ss)
{
    for (int i = 0; i < 8; i += 2) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(s + i * ss));
        const __m128i b = _mm_loadu_si128((const __m128i *)(s + (i + 1) * ss));

        _mm_storeu_si128((__m128i *)(d + i * 8), _mm_unpacklo_epi64(a, b));
        _mm_storeu_si128((__m128i *)(d + ds + i * 8), _mm_unpackhi_epi64(a, b));
    }
}

/* Lines of the next eight columns are asked for while these are worked on, each after its place in the set has become free:
 * with strides of a power of two all eight compete for one set of the cache. */
static inline void ask_ahead(const char *s, ptrdiff_t ss, size_t columns)
{
    for (size_t i = 0; i < columns && i < 8; i++)
        _mm_prefetch(s + (ptrdiff_t)i * ss, _MM_HINT_T0);
}

#define TRANSPOSE(bits)                                                                                      \
    static void transpose_##bits(void *dst, ptrdiff_t dst_stride, const void *src, ptrdiff_t src_stride,     \
                                 size_t rows, size_t cols)                                                   \
    {                                                                                                        \
        enum { SIZE = bits / 8, STEP = 16 / SIZE, LINE = 64 / SIZE };                                        \
        const size_t r1 = rows & ~(size_t)(STEP - 1), c1 = cols & ~(size_t)7;                                \
                                                                                                             \
        for (size_t c = 0; c < c1; c += 8) {                                                                 \
            const char *const s = (const char *)src + (ptrdiff_t)c * src_stride;                             \
            char *const d = (char *)dst + c * SIZE;                                                          \
                                                                                                             \
            for (size_t r = 0; r < r1; r += STEP) {                                                          \
                if (r % LINE == 0 && r > 0)                                                                  \
                    ask_ahead(s + 8 * src_stride + (r - LINE) * SIZE, src_stride, cols - c - 8);             \
                block_##bits(d + (ptrdiff_t)r * dst_stride, dst_stride, s + r * SIZE, src_stride);           \
            }                                                                                                \
            edge(d, dst_stride, s, src_stride, r1, rows, 0, 8, SIZE);                                        \
        }                                                                                                    \
        edge(dst, dst_stride, src, src_stride, 0, rows, c1, cols, SIZE);                                     \
    }
TRANSPOSE(8)
TRANSPOSE(16)
TRANSPOSE(32)
TRANSPOSE(64)

/* ---- rows that run backwards: flipped pictures ------------------------------------------------------------ */

/* 32 bytes in the other order, as elements of 1, 2, 4 or 8 bytes. */
static inline __m256i reversed(__m256i v, size_t size)
{
    static const uint8_t order[4][16] = {{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
                                         {14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1},
                                         {12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3},
                                         {8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7}};
    const __m128i o = _mm_loadu_si128((const __m128i *)(const void *)order[__builtin_ctzll(size)]);

    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(o)), 0x4E);
}

static inline void gather(void *dst, const void *src, ptrdiff_t stride, size_t n, size_t size)
{
    char *d = dst;
    const char *s = src;

    if (stride == -(ptrdiff_t)size)
        for (; n >= 32 / size; n -= 32 / size, d += 32, s -= 32) {
            const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(s + size - 32));

            _mm256_storeu_si256((__m256i *)(void *)d, reversed(v, size));
        }
    for (; n; n--, d += size, s += stride)
        memcpy(d, s, size);
}

#define GATHER(size)                                                                                         \
    static void gather_##size(void *dst, const void *src, ptrdiff_t stride, size_t n)                        \
    {                                                                                                        \
        gather(dst, src, stride, n, size);                                                                   \
    }
GATHER(1)
GATHER(2)
GATHER(4)
GATHER(8)
#undef GATHER

void mtm_convert_kernels_avx2(mtm_convert_kernels *k)
{
    fill_rows(k);
    k->copy = copy;
    k->gather[0] = gather_1, k->gather[1] = gather_2, k->gather[2] = gather_4, k->gather[3] = gather_8;
    k->transpose[0] = transpose_8, k->transpose[1] = transpose_16;
    k->transpose[2] = transpose_32, k->transpose[3] = transpose_64;
}
