/* format/dicom/pixel/native.c: samples from bytes as PS3.5 8 packs them: bits below the high bit, single bits, and Y Y Cb Cr
 * quadruples. Pure functions over memory; decoder.c says which bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

/* Loads and stores by memcpy: files put samples at any byte. Shifting up and down again drops what lies above the high bit and
 * extends the sign. */
#define FIX_FN(name, type, bits, swap_fn)                                                                    \
    static void name(uint8_t *dst, const uint8_t *src, size_t n, int up, int down, bool swap)                \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                     \
            uint##bits##_t u;                                                                                \
            type x;                                                                                          \
                                                                                                             \
            memcpy(&u, src + i * sizeof u, sizeof u);                                                        \
            u = swap ? (uint##bits##_t)swap_fn(u) : u;                                                       \
            x = (type)(uint##bits##_t)(u << up);                                                             \
            x = (type)(x >> down);                                                                           \
            memcpy(dst + i * sizeof x, &x, sizeof x);                                                        \
        }                                                                                                    \
    }
#define SAME(u) (u)
FIX_FN(fix_u8, uint8_t, 8, SAME)
FIX_FN(fix_i8, int8_t, 8, SAME)
FIX_FN(fix_u16, uint16_t, 16, __builtin_bswap16)
FIX_FN(fix_i16, int16_t, 16, __builtin_bswap16)
FIX_FN(fix_u32, uint32_t, 32, __builtin_bswap32)
FIX_FN(fix_i32, int32_t, 32, __builtin_bswap32)
FIX_FN(fix_u64, uint64_t, 64, __builtin_bswap64)
FIX_FN(fix_i64, int64_t, 64, __builtin_bswap64)

void dcm_fix_bits(void *dst, const void *src, size_t n, int size_bytes, int stored, int high, bool is_signed,
                  bool swap)
{
    static void (*const fix[2][4])(uint8_t *, const uint8_t *, size_t, int, int, bool) = {
        {fix_u8, fix_u16, fix_u32, fix_u64}, {fix_i8, fix_i16, fix_i32, fix_i64}};
    const int bits = 8 * size_bytes;

    fix[is_signed][__builtin_ctz((unsigned)size_bytes)](dst, src, n, bits - 1 - high, bits - stored, swap);
}

void dcm_unpack_bits(uint8_t *dst, const uint8_t *src, uint64_t from, size_t n)
{
    size_t i = 0;

    src += from / 8;
    for (unsigned bit = from % 8; bit && bit < 8 && i < n; bit++) /* up to the next byte */
        dst[i++] = *src >> bit & 1;
    src += from % 8 != 0;
    for (; i + 8 <= n; i += 8, src++) {
        /* the byte in all eight lanes, one bit kept in each, then 0 or 1 */
        const uint64_t lanes = *src * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201);
        const uint64_t ones = (lanes + UINT64_C(0x7F7F7F7F7F7F7F7F)) >> 7 & UINT64_C(0x0101010101010101);

        for (int k = 0; k < 8; k++)
            dst[i + (size_t)k] = (uint8_t)(ones >> (8 * k));
    }
    for (unsigned bit = 0; i < n; bit++)
        dst[i++] = *src >> bit & 1;
}

void dcm_expand_422(void *dst, const void *src, uint64_t first, size_t n, int size_bytes)
{
    const size_t b = (size_t)size_bytes;
    const uint8_t *quad = src;
    uint8_t *out = dst;

    for (size_t i = 0; i < n; i++, out += 3 * b) {
        const bool second = (first + i) & 1;

        memcpy(out, quad + (second ? b : 0), b);
        memcpy(out + b, quad + 2 * b, 2 * b);
        if (second)
            quad += 4 * b;
    }
}

void dcm_swap_pairs(uint8_t *dst, const uint8_t *src, size_t n)
{
    for (size_t i = 0; i + 2 <= n; i += 2) {
        const uint8_t a = src[i];

        dst[i] = src[i + 1], dst[i + 1] = a;
    }
}
