/* kernel/x86/wavelet16_seen.h: the int16 rows and steps that also note the range of what they made, by the i16_ functions of
 * wavelet53_rows.h, whatever their width. Included once per variant, behind those.
 * SPDX-License-Identifier: Apache-2.0 */

/* The least of eight; the greatest is the complement of the complements' least. */
static inline int16_t least8(__m128i v)
{
    const __m128i bias = _mm_set1_epi16(INT16_MIN);

    return (int16_t)(_mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(v, bias)), 0) ^ 0x8000);
}

static void inverse_row_seen(int16_t *dst, const int16_t *low, const int16_t *high, size_t n, bool odd,
                             mtm_seen16 *seen)
{
    if (n == 1) {
        i16_range r = i16_range_begin(seen);

        i16_inverse_row(dst, low, high, 1, odd, 1);
        i16_range_ends(&r, odd ? *high : *low, *dst, *dst, *dst, *dst, *dst);
        i16_range_end(&r, seen);
    } else if (odd) {
        i16_inverse_any(dst, low, high, n, true, seen);
    } else {
        i16_inverse_any(dst, low, high, n, false, seen);
    }
}

static void inverse_steps_seen(void *const *rows, size_t n, mtm_seen16 *seen)
{
    i16_all_steps(rows, n, false, seen);
}
