/* kernel/x86/wavelet_avx2.c: the wavelet transforms, 16 int16, 8 int32 or 8 floats at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/wavelet_step.h"

static inline __m256i load256(const void *p)
{
    return _mm256_loadu_si256(p);
}

static inline void store256(void *p, __m256i v)
{
    _mm256_storeu_si256(p, v);
}

/* The upper half of before and the lower half of now. */
static inline __m256i between(__m256i before, __m256i now)
{
    return _mm256_permute2x128_si256(before, now, 0x21);
}

/* Halves of 128 bits: both lower ones, both upper ones. */
static inline void put_halves(__m256i out[2], __m256i a, __m256i b)
{
    out[0] = _mm256_permute2x128_si256(a, b, 0x20), out[1] = _mm256_permute2x128_si256(a, b, 0x31);
}

/* ---- int16 -------------------------------------------------------------------------------------------- */

static inline __m256i i16_lift(__m256i x, __m256i a, __m256i b, bool forward, int step)
{
    const bool even = (step & 1) == (int)forward;
    const __m256i sum = _mm256_add_epi16(a, b);
    const __m256i by =
        even ? _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2) : _mm256_srai_epi16(sum, 1);

    return even == forward ? _mm256_add_epi16(x, by) : _mm256_sub_epi16(x, by);
}

/* now, moved up by one lane, behind the last lane of before. */
static inline __m256i i16_carry(__m256i before, __m256i now)
{
    return _mm256_alignr_epi8(now, between(before, now), 14);
}

static inline void i16_join(__m256i out[2], __m256i first, __m256i second)
{
    put_halves(out, _mm256_unpacklo_epi16(first, second), _mm256_unpackhi_epi16(first, second));
}

static inline void i16_split(__m256i out[2], __m256i a, __m256i b)
{
    const __m256i sort = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5, 8,
                                          9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const __m256i c = _mm256_shuffle_epi8(a, sort), d = _mm256_shuffle_epi8(b, sort);

    out[0] = _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(c, d), 0xD8);
    out[1] = _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(c, d), 0xD8);
}

typedef struct i16_range {
    __m256i lo, hi;
} i16_range;

static inline i16_range i16_range_begin(const mtm_seen16 *seen)
{
    return seen ? (i16_range){load256(seen->lo), load256(seen->hi)}
                : (i16_range){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

/* The first n lanes of v. */
static inline void i16_range_add(i16_range *r, __m256i v, size_t n)
{
    if (n < 16) {
        const __m256i lanes = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

        v = _mm256_blendv_epi8(_mm256_broadcastw_epi16(_mm256_castsi256_si128(v)), v,
                               _mm256_cmpgt_epi16(_mm256_set1_epi16((int16_t)n), lanes));
    }
    r->lo = _mm256_min_epi16(r->lo, v), r->hi = _mm256_max_epi16(r->hi, v);
}

static inline void i16_range_ends(i16_range *r, int16_t a, int16_t b, int16_t c, int16_t d, int16_t e,
                                  int16_t f)
{
    const __m256i v = _mm256_broadcastsi128_si256(_mm_setr_epi16(a, b, c, d, e, f, a, a));

    r->lo = _mm256_min_epi16(r->lo, v), r->hi = _mm256_max_epi16(r->hi, v);
}

static inline void i16_range_end(const i16_range *r, mtm_seen16 *seen)
{
    store256(seen->lo, r->lo), store256(seen->hi, r->hi);
}

#define N(name)   i16_##name
#define T         int16_t
#define V         __m256i
#define LANES     16
#define SEEN      1
#define i16_load  load256
#define i16_store store256
#define i16_set   _mm256_set1_epi16
#include "wavelet53_rows.h"

#include "wavelet16_seen.h"

static inline int16_t least16(__m256i v)
{
    return least8(_mm_min_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}

static void range16(const int16_t *row, size_t n, mtm_range16 *seen)
{
    i16_range r = {_mm256_set1_epi16(seen->lo), _mm256_set1_epi16(seen->hi)};

    for (size_t i = 0; i < n; i += 16)
        i16_range_add(&r, load256(row + i), n - i);
    seen->lo = least16(r.lo), seen->hi = (int16_t)~least16(_mm256_xor_si256(r.hi, _mm256_set1_epi16(-1)));
}

/* ---- int32 -------------------------------------------------------------------------------------------- */

static inline __m256i i32_lift(__m256i x, __m256i a, __m256i b, bool forward, int step)
{
    const bool even = (step & 1) == (int)forward;
    const __m256i sum = _mm256_add_epi32(a, b);
    const __m256i by =
        even ? _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(2)), 2) : _mm256_srai_epi32(sum, 1);

    return even == forward ? _mm256_add_epi32(x, by) : _mm256_sub_epi32(x, by);
}

static inline __m256i i32_carry(__m256i before, __m256i now)
{
    return _mm256_alignr_epi8(now, between(before, now), 12);
}

static inline void i32_join(__m256i out[2], __m256i first, __m256i second)
{
    put_halves(out, _mm256_unpacklo_epi32(first, second), _mm256_unpackhi_epi32(first, second));
}

static inline void i32_split(__m256i out[2], __m256i a, __m256i b)
{
    const __m256 c = _mm256_castsi256_ps(a), d = _mm256_castsi256_ps(b);

    out[0] = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(c, d, 0x88)), 0xD8);
    out[1] = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(c, d, 0xDD)), 0xD8);
}

#define N(name)   i32_##name
#define T         int32_t
#define V         __m256i
#define LANES     8
#define i32_load  load256
#define i32_store store256
#define i32_set   _mm256_set1_epi32
#include "wavelet53_rows.h"

/* ---- floats ------------------------------------------------------------------------------------------- */

#define V         __m256
#define LANES     8
#define f32_load  _mm256_loadu_ps
#define f32_store _mm256_storeu_ps
#define f32_set   _mm256_set1_ps
#define f32_add   _mm256_add_ps
#define f32_mul   _mm256_mul_ps
#define f32_fma   _mm256_fmadd_ps

static inline __m256 f32_carry(__m256 before, __m256 now)
{
    return _mm256_castsi256_ps(i32_carry(_mm256_castps_si256(before), _mm256_castps_si256(now)));
}

static inline void f32_join(__m256 out[2], __m256 first, __m256 second)
{
    __m256i bits[2];

    i32_join(bits, _mm256_castps_si256(first), _mm256_castps_si256(second));
    out[0] = _mm256_castsi256_ps(bits[0]), out[1] = _mm256_castsi256_ps(bits[1]);
}

static inline void f32_split(__m256 out[2], __m256 a, __m256 b)
{
    __m256i bits[2];

    i32_split(bits, _mm256_castps_si256(a), _mm256_castps_si256(b));
    out[0] = _mm256_castsi256_ps(bits[0]), out[1] = _mm256_castsi256_ps(bits[1]);
}

static inline float f32_lane(__m256 v, size_t i)
{
    return _mm256_cvtss_f32(_mm256_permutevar8x32_ps(v, _mm256_set1_epi32((int32_t)i)));
}

#include "wavelet97_rows.h"

void mtm_wavelet_kernels_avx2(mtm_wavelet_kernels *k)
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
