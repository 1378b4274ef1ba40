/* kernel/x86/color_rgb8.h: rows to interleaved 8-bit RGB and back without leaving the registers, the pictures of
 * endoscopes, ultrasound and slides. A part of color_rows.h; with byte permutes (VBMI) 64 pixels at a time, else
 * 32, and back as color_rows.h does.
 *
 * SPDX-License-Identifier: Apache-2.0 */

/* ---- rows to 8-bit RGB, in registers ------------------------------------------------------------------ */

static bool is_rgb8(const mtm_color_store *how, const mtm_color_range ranges[4])
{
    bool yes = how->n == 3 && how->dtype == MTM_U8 && !how->rescale;

    for (int c = 0; c < how->n; c++)
        yes &= ranges[c].lo == -128 && ranges[c].hi == 127;
    return yes;
}

#if defined(__AVX512VBMI__)
/* 64 pixels: three vectors of bytes in the order that packing leaves them in, gathered from all 64 places at once.
 * Output byte j of vector k is number 64 k + j of the pixels': its place in its component, + 64 for the second
 * component; the third one is put where the masks say. of_i16: 32 + 32 samples packed; of_i32: 16 + 16 + 16 + 16. */
static const uint8_t spread_of_i16[3][64] = {
    {0,  64, 0,  1,  65, 1,  2,  66, 2,  3,  67, 3,  4,  68, 4,  5,  69, 5,   6,  70, 6,  7,
     71, 7,  16, 80, 16, 17, 81, 17, 18, 82, 18, 19, 83, 19, 20, 84, 20, 21,  85, 21, 22, 86,
     22, 23, 87, 23, 32, 96, 32, 33, 97, 33, 34, 98, 34, 35, 99, 35, 36, 100, 36, 37},
    {101, 37, 38,  102, 38, 39,  103, 39, 48,  112, 48, 49, 113, 49, 50, 114, 50, 51, 115, 51, 52, 116,
     52,  53, 117, 53,  54, 118, 54,  55, 119, 55,  8,  72, 8,   9,  73, 9,   10, 74, 10,  11, 75, 11,
     12,  76, 12,  13,  77, 13,  14,  78, 14,  15,  79, 15, 24,  88, 24, 25,  89, 25, 26,  90},
    {26,  27,  91, 27,  28,  92, 28,  29,  93, 29,  30,  94, 30,  31,  95, 31,  40,  104, 40,  41,  105, 41,
     42,  106, 42, 43,  107, 43, 44,  108, 44, 45,  109, 45, 46,  110, 46, 47,  111, 47,  56,  120, 56,  57,
     121, 57,  58, 122, 58,  59, 123, 59,  60, 124, 60,  61, 125, 61,  62, 126, 62,  63,  127, 63}};
static const uint8_t spread_of_i32[3][64] = {
    {0,  64, 0,   1,  65, 1,  2,  66, 2,  3,  67, 3,  16, 80, 16, 17,  81, 17, 18,  82, 18, 19,
     83, 19, 32,  96, 32, 33, 97, 33, 34, 98, 34, 35, 99, 35, 48, 112, 48, 49, 113, 49, 50, 114,
     50, 51, 115, 51, 4,  68, 4,  5,  69, 5,  6,  70, 6,  7,  71, 7,   20, 84, 20,  21},
    {85, 21, 22,  86, 22, 23,  87, 23, 36,  100, 36, 37, 101, 37,  38, 102, 38,  39, 103, 39, 52, 116,
     52, 53, 117, 53, 54, 118, 54, 55, 119, 55,  8,  72, 8,   9,   73, 9,   10,  74, 10,  11, 75, 11,
     24, 88, 24,  25, 89, 25,  26, 90, 26,  27,  91, 27, 40,  104, 40, 41,  105, 41, 42,  106},
    {42,  43, 107, 43,  56, 120, 56,  57, 121, 57,  58, 122, 58,  59, 123, 59,  12, 76, 12,  13,  77, 13,
     14,  78, 14,  15,  79, 15,  28,  92, 28,  29,  93, 29,  30,  94, 30,  31,  95, 31, 44,  108, 44, 45,
     109, 45, 46,  110, 46, 47,  111, 47, 60,  124, 60, 61,  125, 61, 62,  126, 62, 63, 127, 63}};
static const uint64_t thirds_of_64[3] = {0x4924924924924924, 0x2492492492492492, 0x9249249249249249};

static inline void join64(char *dst, const __m512i x[3], const uint8_t (*from)[64])
{
    for (int k = 0; k < 3; k++) {
        const __m512i at = _mm512_loadu_si512(from[k]);
        const __m512i two = _mm512_permutex2var_epi8(x[0], at, x[1]);

        _mm512_storeu_si512(dst + 64 * k, _mm512_mask_permutexvar_epi8(two, thirds_of_64[k], at, x[2]));
    }
}

enum { RGB8_PIXELS = 64 };

static inline __m512i load512(const void *p)
{
    return _mm512_loadu_si512(p);
}

static inline void rgb8_of_i16(char *dst, const void *const *rows, size_t at)
{
    __m512i v[3][2], x[3];

    for (int i = 0; i < 2; i++) {
        for (int c = 0; c < 3; c++)
            v[c][i] = load512((const int16_t *)rows[c] + at + 32 * (size_t)i);
        const __m512i u = v[1][i];
        v[1][i] = _mm512_sub_epi16(v[0][i], _mm512_srai_epi16(_mm512_add_epi16(u, v[2][i]), 2));
        v[0][i] = _mm512_add_epi16(v[2][i], v[1][i]), v[2][i] = _mm512_add_epi16(u, v[1][i]);
    }
    for (int c = 0; c < 3; c++)
        x[c] = _mm512_xor_si512(_mm512_packs_epi16(v[c][0], v[c][1]), _mm512_set1_epi8(-128));
    join64(dst, x, spread_of_i16);
}

static inline void join_i32(char *dst, __m512i v[3][4])
{
    __m512i x[3];

    for (int c = 0; c < 3; c++)
        x[c] = _mm512_xor_si512(
            _mm512_packs_epi16(_mm512_packs_epi32(v[c][0], v[c][1]), _mm512_packs_epi32(v[c][2], v[c][3])),
            _mm512_set1_epi8(-128));
    join64(dst, x, spread_of_i32);
}

static inline void rgb8_of_i32(char *dst, const void *const *rows, size_t at)
{
    __m512i v[3][4];

    for (int i = 0; i < 4; i++) {
        for (int c = 0; c < 3; c++)
            v[c][i] = load512((const int32_t *)rows[c] + at + 16 * (size_t)i);
        const __m512i u = v[1][i];
        v[1][i] = _mm512_sub_epi32(v[0][i], _mm512_srai_epi32(_mm512_add_epi32(u, v[2][i]), 2));
        v[0][i] = _mm512_add_epi32(v[2][i], v[1][i]), v[2][i] = _mm512_add_epi32(u, v[1][i]);
    }
    join_i32(dst, v);
}

/* NaN and what is too small become INT32_MIN. */
static inline __m512i clamped(__m512 v)
{
    return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(127), v));
}

static inline void rgb8_of_f32(char *dst, const void *const *rows, size_t at)
{
    __m512i v[3][4];

    for (int i = 0; i < 4; i++) {
        const __m512 y = _mm512_loadu_ps((const float *)rows[0] + at + 16 * (size_t)i);
        const __m512 cb = _mm512_loadu_ps((const float *)rows[1] + at + 16 * (size_t)i);
        const __m512 cr = _mm512_loadu_ps((const float *)rows[2] + at + 16 * (size_t)i);

        v[0][i] = clamped(_mm512_fmadd_ps(cr, _mm512_set1_ps(1.402f), y));
        v[1][i] = clamped(_mm512_fmadd_ps(cr, _mm512_set1_ps(-0.71414f),
                                          _mm512_fmadd_ps(cb, _mm512_set1_ps(-0.34413f), y)));
        v[2][i] = clamped(_mm512_fmadd_ps(cb, _mm512_set1_ps(1.772f), y));
    }
    join_i32(dst, v);
}
/* ---- and back ----------------------------------------------------------------------------------------- */

/* Byte 3 i + c of 192: its place in the first 128, or, where the masks say, in the last 64. */
static const uint8_t collect_64[3][64] = {
    {0,  3,  6,  9,  12, 15, 18, 21, 24, 27, 30, 33, 36,  39,  42,  45,  48,  51,  54,  57,  60,  63,
     66, 69, 72, 75, 78, 81, 84, 87, 90, 93, 96, 99, 102, 105, 108, 111, 114, 117, 120, 123, 126, 1,
     4,  7,  10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40,  43,  46,  49,  52,  55,  58,  61},
    {1,  4,  7,  10, 13, 16, 19, 22, 25, 28, 31, 34,  37,  40,  43,  46,  49,  52,  55,  58,  61,  64,
     67, 70, 73, 76, 79, 82, 85, 88, 91, 94, 97, 100, 103, 106, 109, 112, 115, 118, 121, 124, 127, 2,
     5,  8,  11, 14, 17, 20, 23, 26, 29, 32, 35, 38,  41,  44,  47,  50,  53,  56,  59,  62},
    {2,  5,  8,  11, 14, 17, 20, 23, 26, 29, 32, 35,  38,  41,  44,  47,  50,  53,  56,  59,  62, 65,
     68, 71, 74, 77, 80, 83, 86, 89, 92, 95, 98, 101, 104, 107, 110, 113, 116, 119, 122, 125, 0,  3,
     6,  9,  12, 15, 18, 21, 24, 27, 30, 33, 36, 39,  42,  45,  48,  51,  54,  57,  60,  63}};
static const uint64_t last_of_192[3] = {0xFFFFF80000000000, 0xFFFFF80000000000, 0xFFFFFC0000000000};

static inline void part64(__m512i x[3], const char *src)
{
    for (int c = 0; c < 3; c++) {
        const __m512i at = load512(collect_64[c]);
        const __m512i two = _mm512_permutex2var_epi8(load512(src), at, load512(src + 64));

        x[c] = _mm512_mask_permutexvar_epi8(two, last_of_192[c], at, load512(src + 128));
    }
}

/* The level shift of all three components is that of the luminance: differences do not have it. */
static inline void i16_of_rgb8(void *const *rows, size_t at, const __m512i x[3])
{
    for (int i = 0; i < 2; i++) {
        __m512i v[3];

        for (int c = 0; c < 3; c++)
            v[c] =
                _mm512_cvtepu8_epi16(i ? _mm512_extracti64x4_epi64(x[c], 1) : _mm512_castsi512_si256(x[c]));
        const __m512i cb = _mm512_sub_epi16(v[2], v[1]), cr = _mm512_sub_epi16(v[0], v[1]);
        const __m512i y = _mm512_add_epi16(v[1], _mm512_srai_epi16(_mm512_add_epi16(cb, cr), 2));
        _mm512_storeu_si512((int16_t *)rows[0] + at + 32 * i, _mm512_sub_epi16(y, _mm512_set1_epi16(128)));
        _mm512_storeu_si512((int16_t *)rows[1] + at + 32 * i, cb);
        _mm512_storeu_si512((int16_t *)rows[2] + at + 32 * i, cr);
    }
}

static inline __m512i quarter(__m512i x, int i)
{
    const __m256i half = i < 2 ? _mm512_castsi512_si256(x) : _mm512_extracti64x4_epi64(x, 1);

    return _mm512_cvtepu8_epi32(i & 1 ? _mm256_extracti128_si256(half, 1) : _mm256_castsi256_si128(half));
}

static inline void f32_of_rgb8(void *const *rows, size_t at, const __m512i x[3])
{
    for (int i = 0; i < 4; i++) {
        __m512 v[3];

        for (int c = 0; c < 3; c++)
            v[c] = _mm512_cvtepi32_ps(_mm512_sub_epi32(quarter(x[c], i), _mm512_set1_epi32(128)));
        for (int c = 0; c < 3; c++)
            _mm512_storeu_ps(
                (float *)rows[c] + at + 16 * i,
                _mm512_fmadd_ps(v[2], _mm512_set1_ps(ict_weights[c][2]),
                                _mm512_fmadd_ps(v[1], _mm512_set1_ps(ict_weights[c][1]),
                                                _mm512_mul_ps(v[0], _mm512_set1_ps(ict_weights[c][0])))));
    }
}

/* As many pixels as whole vectors hold; 0 where it is another kind of pixels. */
static inline size_t load_rgb8(const mtm_color_store *how, void *const *rows, const char *src, size_t width)
{
    const size_t whole = width / 64 * 64;
    bool mine =
        how->n == 3 && how->dtype == MTM_U8 &&
        ((how->transform == MTM_COLOR_RCT && how->type == MTM_COEF_I16) || how->transform == MTM_COLOR_ICT);

    for (int c = 0; c < 3; c++)
        mine = mine && how->bits[c] == 8 && !how->is_signed[c] && how->offset[c] == 0;
    for (size_t at = 0; mine && at < whole; at += 64) {
        __m512i x[3];

        part64(x, src + 3 * at);
        if (how->type == MTM_COEF_I16)
            i16_of_rgb8(rows, at, x);
        else
            f32_of_rgb8(rows, at, x);
    }
    return mine ? whole : 0;
}
#else
/* 32 samples as int8, clamped, in order; a, b, … are 8 or 16 samples each. */
static inline __m256i bytes_of_i16(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xD8);
}

static inline __m256i bytes_of_i32(const __m256i v[4])
{
    const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));

    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static inline __m256i bytes_of_f32(const __m256 v[4])
{
    __m256i w[4];

    for (int i = 0; i < 4; i++) /* NaN and what is too small become INT32_MIN */
        w[i] = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_set1_ps(127), v[i]));
    return bytes_of_i32(w);
}

enum { RGB8_PIXELS = 32 };

static inline void join32(char *dst, __m256i x[3])
{
    for (int c = 0; c < 3; c++)
        x[c] = _mm256_xor_si256(x[c], _mm256_set1_epi8(-128));
    join3(dst, x, spread[0]);
}

static inline void rgb8_of_i16(char *dst, const void *const *rows, size_t at)
{
    __m256i v[3][2], x[3];

    for (int i = 0; i < 2; i++) {
        for (int c = 0; c < 3; c++)
            v[c][i] = load256((const int16_t *)rows[c] + at + 16 * (size_t)i);
        const __m256i u = v[1][i];
        v[1][i] = _mm256_sub_epi16(v[0][i], _mm256_srai_epi16(_mm256_add_epi16(u, v[2][i]), 2));
        v[0][i] = _mm256_add_epi16(v[2][i], v[1][i]), v[2][i] = _mm256_add_epi16(u, v[1][i]);
    }
    for (int c = 0; c < 3; c++)
        x[c] = bytes_of_i16(v[c][0], v[c][1]);
    join32(dst, x);
}

static inline void rgb8_of_i32(char *dst, const void *const *rows, size_t at)
{
    __m256i v[3][4], x[3];

    for (int i = 0; i < 4; i++) {
        for (int c = 0; c < 3; c++)
            v[c][i] = load256((const int32_t *)rows[c] + at + 8 * (size_t)i);
        const __m256i u = v[1][i];
        v[1][i] = _mm256_sub_epi32(v[0][i], _mm256_srai_epi32(_mm256_add_epi32(u, v[2][i]), 2));
        v[0][i] = _mm256_add_epi32(v[2][i], v[1][i]), v[2][i] = _mm256_add_epi32(u, v[1][i]);
    }
    for (int c = 0; c < 3; c++)
        x[c] = bytes_of_i32(v[c]);
    join32(dst, x);
}

static inline void rgb8_of_f32(char *dst, const void *const *rows, size_t at)
{
    __m256 v[3][4];
    __m256i x[3];

    for (int i = 0; i < 4; i++) {
        for (int c = 0; c < 3; c++)
            v[c][i] = _mm256_loadu_ps((const float *)rows[c] + at + 8 * (size_t)i);
        const __m256 y = v[0][i], cb = v[1][i], cr = v[2][i];
        v[0][i] = _mm256_fmadd_ps(cr, _mm256_set1_ps(1.402f), y);
        v[1][i] =
            _mm256_fmadd_ps(cr, _mm256_set1_ps(-0.71414f), _mm256_fmadd_ps(cb, _mm256_set1_ps(-0.34413f), y));
        v[2][i] = _mm256_fmadd_ps(cb, _mm256_set1_ps(1.772f), y);
    }
    for (int c = 0; c < 3; c++)
        x[c] = bytes_of_f32(v[c]);
    join32(dst, x);
}
static inline size_t load_rgb8(const mtm_color_store *how, void *const *rows, const char *src, size_t width)
{
    return 0;
}
#endif

/* A macro, so that each type and transform has a loop of its own. Rows end 64 readable bytes further, so that the
 * last pixels are taken from a copy. */
#define RGB8(name, of, coef)                                                                                 \
    static void name(char *dst, const void *const *rows, size_t width)                                       \
    {                                                                                                        \
        const size_t whole = width / RGB8_PIXELS * RGB8_PIXELS;                                              \
                                                                                                             \
        for (size_t at = 0; at < whole; at += RGB8_PIXELS)                                                   \
            of(dst + 3 * at, rows, at);                                                                      \
        if (whole < width) {                                                                                 \
            coef copy[3][RGB8_PIXELS] = {{0}};                                                               \
            const void *const copies[3] = {copy[0], copy[1], copy[2]};                                       \
            char last[3 * RGB8_PIXELS];                                                                      \
                                                                                                             \
            for (int c = 0; c < 3; c++)                                                                      \
                memcpy(copy[c], (const coef *)rows[c] + whole, (width - whole) * sizeof(coef));              \
            of(last, copies, 0);                                                                             \
            memcpy(dst + 3 * whole, last, 3 * (width - whole));                                              \
        }                                                                                                    \
    }
RGB8(rgb8_rct_i16, rgb8_of_i16, int16_t)
RGB8(rgb8_rct_i32, rgb8_of_i32, int32_t)
RGB8(rgb8_ict, rgb8_of_f32, float)
