/* kernel/x86/wavelet_avx512.c: the wavelet transforms, 32 int16, 16 int32 or 16 floats at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/wavelet_step.h"

static inline __m512i load512(const void *p)
{
    return _mm512_loadu_si512(p);
}

static inline void store512(void *p, __m512i v)
{
    _mm512_storeu_si512(p, v);
}

/* ---- int16 -------------------------------------------------------------------------------------------- */

static inline __m512i i16_lift(__m512i x, __m512i a, __m512i b, bool forward, int step)
{
    const bool even = (step & 1) == (int)forward;
    const __m512i sum = _mm512_add_epi16(a, b);
    const __m512i by =
        even ? _mm512_srai_epi16(_mm512_add_epi16(sum, _mm512_set1_epi16(2)), 2) : _mm512_srai_epi16(sum, 1);

    return even == forward ? _mm512_add_epi16(x, by) : _mm512_sub_epi16(x, by);
}

/* 0, 1, 2 … as int16, plus `first`. */
static inline __m512i counted16(int first)
{
    const __m512i low = _mm512_setr_epi32(
        0x00010000, 0x00030002, 0x00050004, 0x00070006, 0x00090008, 0x000B000A, 0x000D000C, 0x000F000E,
        0x00110010, 0x00130012, 0x00150014, 0x00170016, 0x00190018, 0x001B001A, 0x001D001C, 0x001F001E);

    return _mm512_add_epi16(low, _mm512_set1_epi16((int16_t)first));
}

/* now, moved up by one lane, behind the last lane of before. */
static inline __m512i i16_carry(__m512i before, __m512i now)
{
    return _mm512_permutex2var_epi16(before, counted16(31), now);
}

static inline void i16_join(__m512i out[2], __m512i first, __m512i second)
{
    const __m512i half = _mm512_srli_epi16(counted16(0), 1); /* 0 0 1 1 … */
    const __m512i at = _mm512_mask_add_epi16(half, 0xAAAAAAAAu, half, _mm512_set1_epi16(32));

    out[0] = _mm512_permutex2var_epi16(first, at, second);
    out[1] = _mm512_permutex2var_epi16(first, _mm512_add_epi16(at, _mm512_set1_epi16(16)), second);
}

static inline void i16_split(__m512i out[2], __m512i a, __m512i b)
{
    const __m512i at = _mm512_slli_epi16(counted16(0), 1);

    out[0] = _mm512_permutex2var_epi16(a, at, b);
    out[1] = _mm512_permutex2var_epi16(a, _mm512_add_epi16(at, _mm512_set1_epi16(1)), b);
}

typedef struct i16_range {
    __m512i lo, hi;
} i16_range;

static inline i16_range i16_range_begin(const mtm_seen16 *seen)
{
    return seen ? (i16_range){load512(seen->lo), load512(seen->hi)}
                : (i16_range){_mm512_setzero_si512(), _mm512_setzero_si512()};
}

/* The first n lanes of v. */
static inline void i16_range_add(i16_range *r, __m512i v, size_t n)
{
    if (n < 32)
        v = _mm512_mask_mov_epi16(_mm512_broadcastw_epi16(_mm512_castsi512_si128(v)), (1u << n) - 1, v);
    r->lo = _mm512_min_epi16(r->lo, v), r->hi = _mm512_max_epi16(r->hi, v);
}

static inline void i16_range_ends(i16_range *r, int16_t a, int16_t b, int16_t c, int16_t d, int16_t e,
                                  int16_t f)
{
    const __m512i v = _mm512_broadcast_i32x4(_mm_setr_epi16(a, b, c, d, e, f, a, a));

    r->lo = _mm512_min_epi16(r->lo, v), r->hi = _mm512_max_epi16(r->hi, v);
}

static inline void i16_range_end(const i16_range *r, mtm_seen16 *seen)
{
    store512(seen->lo, r->lo), store512(seen->hi, r->hi);
}

#define N(name)   i16_##name
#define T         int16_t
#define V         __m512i
#define LANES     32
#define SEEN      1
#define i16_load  load512
#define i16_store store512
#define i16_set   _mm512_set1_epi16
#include "wavelet53_rows.h"

#include "wavelet16_seen.h"

static inline int16_t least32(__m512i v)
{
    const __m256i h = _mm256_min_epi16(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));

    return least8(_mm_min_epi16(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1)));
}

static void range16(const int16_t *row, size_t n, mtm_range16 *seen)
{
    i16_range r = {_mm512_set1_epi16(seen->lo), _mm512_set1_epi16(seen->hi)};

    for (size_t i = 0; i < n; i += 32)
        i16_range_add(&r, load512(row + i), n - i);
    seen->lo = least32(r.lo), seen->hi = (int16_t)~least32(_mm512_xor_si512(r.hi, _mm512_set1_epi16(-1)));
}

/* ---- int32 -------------------------------------------------------------------------------------------- */

static inline __m512i i32_lift(__m512i x, __m512i a, __m512i b, bool forward, int step)
{
    const bool even = (step & 1) == (int)forward;
    const __m512i sum = _mm512_add_epi32(a, b);
    const __m512i by =
        even ? _mm512_srai_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(2)), 2) : _mm512_srai_epi32(sum, 1);

    return even == forward ? _mm512_add_epi32(x, by) : _mm512_sub_epi32(x, by);
}

static inline __m512i i32_carry(__m512i before, __m512i now)
{
    return _mm512_alignr_epi32(now, before, 15);
}

static inline void i32_join(__m512i out[2], __m512i first, __m512i second)
{
    const __m512i at = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);

    out[0] = _mm512_permutex2var_epi32(first, at, second);
    out[1] = _mm512_permutex2var_epi32(first, _mm512_add_epi32(at, _mm512_set1_epi32(8)), second);
}

static inline void i32_split(__m512i out[2], __m512i a, __m512i b)
{
    const __m512i at = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);

    out[0] = _mm512_permutex2var_epi32(a, at, b);
    out[1] = _mm512_permutex2var_epi32(a, _mm512_add_epi32(at, _mm512_set1_epi32(1)), b);
}

#define N(name)   i32_##name
#define T         int32_t
#define V         __m512i
#define LANES     16
#define i32_load  load512
#define i32_store store512
#define i32_set   _mm512_set1_epi32
#include "wavelet53_rows.h"

/* ---- floats ------------------------------------------------------------------------------------------- */

#define V         __m512
#define LANES     16
#define f32_load  _mm512_loadu_ps
#define f32_store _mm512_storeu_ps
#define f32_set   _mm512_set1_ps
#define f32_add   _mm512_add_ps
#define f32_mul   _mm512_mul_ps
#define f32_fma   _mm512_fmadd_ps

static inline __m512 f32_carry(__m512 before, __m512 now)
{
    return _mm512_castsi512_ps(i32_carry(_mm512_castps_si512(before), _mm512_castps_si512(now)));
}

static inline void f32_join(__m512 out[2], __m512 first, __m512 second)
{
    __m512i bits[2];

    i32_join(bits, _mm512_castps_si512(first), _mm512_castps_si512(second));
    out[0] = _mm512_castsi512_ps(bits[0]), out[1] = _mm512_castsi512_ps(bits[1]);
}

static inline void f32_split(__m512 out[2], __m512 a, __m512 b)
{
    __m512i bits[2];

    i32_split(bits, _mm512_castps_si512(a), _mm512_castps_si512(b));
    out[0] = _mm512_castsi512_ps(bits[0]), out[1] = _mm512_castsi512_ps(bits[1]);
}

static inline float f32_lane(__m512 v, size_t i)
{
    return _mm512_cvtss_f32(_mm512_permutexvar_ps(_mm512_set1_epi32((int32_t)i), v));
}

#include "wavelet97_rows.h"

void mtm_wavelet_kernels_avx512(mtm_wavelet_kernels *k)
{
#define SET_TYPE(type, prefix)                                                                               \
    k->inverse_row[type] = prefix##_inverse_row, k->forward_row[type] = prefix##_forward_row;                \
    k->inverse_step[type] = prefix##_inverse_step, k->forward_step[type] = prefix##_forward_step;            \
    k->inverse_steps[type] = prefix##_inverse_steps, k->forward_steps[type] = prefix##_forward_steps
    SET_TYPE(MTM_COEF_I16, i16);
    SET_TYPE(MTM_COEF_I32, i32);
    SET_TYPE(MTM_COEF_F32, f32);
    k->inverse_row_seen = inverse_row_seen, k->inverse_steps_seen = inverse_steps_seen, k->range16 = range16;
}
