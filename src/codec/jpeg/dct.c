/* codec/jpeg/dct.c: the inverse transform in float32, by Arai, Agui and Nakajima's factorisation (Trans. IEICE E71, 1988): what it leaves
 * to scale is joined with the quantiser. Float32 has 24 bits, so 12-bit samples come out as by real arithmetic; rows or columns are done
 * four at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dct.h"

#include <stdbool.h>
#include <string.h>

typedef float v4 __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));

void jpeg_idct_scales(float scales[64], const uint16_t quant[64])
{
    /* 1, and √2 · cos(k · π / 16) */
    static const double scale[8] = {1, 1.3870398453221475, 1.3065629648763766, 1.1758756024193588,
                                    1, 0.7856949583871022, 0.5411961001461970, 0.2758993792829431};

    for (int i = 0; i < 64; i++)
        scales[i] = (float)(quant[i] * scale[i / 8] * scale[i % 8] / 8);
}

/* Eight points each of four independent transforms. */
static inline void points(v4 x[8])
{
    const v4 a = x[0] + x[4], b = x[0] - x[4], c = x[2] + x[6], d = (x[2] - x[6]) * 1.414213562f - c;
    const v4 e0 = a + c, e3 = a - c, e1 = b + d, e2 = b - d;
    const v4 p = x[5] + x[3], q = x[5] - x[3], r = x[1] + x[7], s = x[1] - x[7];
    const v4 o0 = r + p, t = (q + s) * 1.847759065f;
    const v4 o1 = t - q * 2.613125930f - o0, o2 = (r - p) * 1.414213562f - o1;
    const v4 o3 = t - s * 1.082392200f - o2;

    x[0] = e0 + o0, x[7] = e0 - o0;
    x[1] = e1 + o1, x[6] = e1 - o1;
    x[2] = e2 + o2, x[5] = e2 - o2;
    x[3] = e3 + o3, x[4] = e3 - o3;
}

static inline void transpose(v4 x[4])
{
    const v4 a = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5),
             b = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
    const v4 c = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5),
             d = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);

    x[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5), x[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    x[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5), x[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

static inline v4i quarter(v4 x, float middle, float most)
{
    const v4 lo = {0}, hi = lo + most;

    x += middle + 0.5f; /* so that truncation rounds */
    x = (v4)(((v4i)x & (x > lo)) | ((v4i)lo & ~(x > lo)));
    x = (v4)(((v4i)x & (x < hi)) | ((v4i)hi & ~(x < hi)));
    return __builtin_convertvector(x, v4i);
}

static bool only_dc(const int16_t c[64])
{
    uint64_t w[16], any;

    memcpy(w, c, sizeof w);
    any = w[0] & ~(uint64_t)(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0xFFFF : UINT64_C(0xFFFF) << 48);
    for (int i = 1; i < 16; i++)
        any |= w[i];
    return !any;
}

static void flat(uint16_t *out, ptrdiff_t stride, float dc, float middle, float most)
{
    const v4i v = quarter((v4){dc, dc, dc, dc}, middle, most);
    uint16_t row[8];

    for (int i = 0; i < 8; i++)
        row[i] = (uint16_t)v[0];
    for (int y = 0; y < 8; y++)
        memcpy(out + y * stride, row, sizeof row);
}

/* Rows 4 … of a half block of columns that were transformed both ways; x[i]: column i of four rows, transposed here. */
static inline void store(uint16_t *out, ptrdiff_t stride, v4 x[8], float middle, float most)
{
    transpose(x), transpose(x + 4);
    for (int y = 0; y < 4; y++)
        for (int half = 0; half < 2; half++) {
            const v4i v = quarter(x[4 * half + y], middle, most);

            for (int i = 0; i < 4; i++)
                out[y * stride + 4 * half + i] = (uint16_t)v[i];
        }
}

void jpeg_idct(uint16_t *out, ptrdiff_t stride, const int16_t coefs[64], const float scales[64], int bits)
{
    const float middle = (float)(1 << (bits - 1)), most = (float)((1 << bits) - 1);
    v4 x[2][8]; /* half of the columns each; then half of the rows each */

    if (only_dc(coefs)) {
        flat(out, stride, (float)coefs[0] * scales[0], middle, most);
        return;
    }
    for (int half = 0; half < 2; half++) {
        for (int y = 0; y < 8; y++)
            for (int i = 0; i < 4; i++)
                x[half][y][i] = (float)coefs[8 * y + 4 * half + i] * scales[8 * y + 4 * half + i];
        points(x[half]);
        transpose(x[half]), transpose(x[half] + 4);
    }
    for (int half = 0; half < 2; half++) { /* rows 0 … 3, 4 … 7: columns 0 … 3 lie in x[0], 4 … 7 in x[1] */
        v4 row[8];

        for (int i = 0; i < 4; i++)
            row[i] = x[0][4 * half + i], row[4 + i] = x[1][4 * half + i];
        points(row);
        store(out + 4 * half * stride, stride, row, middle, most);
    }
}
