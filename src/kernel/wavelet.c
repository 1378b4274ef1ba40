/* kernel/wavelet.c: the C reference of the 5/3 and 9/7 wavelet transforms, T.800 annex F.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wavelet_step.h"

/* ---- rows --------------------------------------------------------------------------------------------- */

/* Along a row, position p of the joined row is number p / 2 of its own kind, and its neighbours at the ends are
 * mirrored (T.800 F.3.7): one step reaches one sample far. */
#define ROWS(name, type, steps)                                                                              \
    static void name##_inverse_row(void *restrict dst, const void *restrict low, const void *restrict high,  \
                                   size_t n, bool odd, float scale)                                          \
    {                                                                                                        \
        type *restrict const x = dst;                                                                        \
        const type *restrict const side[2] = {low, high};                                                    \
                                                                                                             \
        for (size_t p = 0; p < n; p++) {                                                                     \
            const bool is_odd = (p & 1) != odd;                                                              \
            const type v = side[is_odd][p / 2];                                                              \
            x[p] = n == 1 ? name##_alone(v, is_odd, false, scale) : name##_scaled(v, is_odd, false, scale);  \
        }                                                                                                    \
        for (int s = 0; n > 1 && s < (steps); s++)                                                           \
            for (size_t p = (s & 1) != odd; p < n; p += 2)                                                   \
                x[p] = name##_step(x[p], x[p ? p - 1 : 1], x[p + 1 < n ? p + 1 : p - 1], false, s);          \
    }                                                                                                        \
    static void name##_forward_row(void *restrict low, void *restrict high, const void *restrict src,        \
                                   size_t n, bool odd, float scale)                                          \
    {                                                                                                        \
        const type *restrict const x = src;                                                                  \
        type *const side[2] = {low, high};                                                                   \
                                                                                                             \
        for (size_t p = 0; p < n; p++)                                                                       \
            side[(p & 1) != odd][p / 2] = x[p];                                                              \
        for (int s = 0; n > 1 && s < (steps); s++) {                                                         \
            type *const own = side[!(s & 1)];                                                                \
            const type *const other = side[s & 1];                                                           \
                                                                                                             \
            for (size_t p = !(s & 1) != odd; p < n; p += 2)                                                  \
                own[p / 2] = name##_step(own[p / 2], other[(p ? p - 1 : 1) / 2],                             \
                                         other[(p + 1 < n ? p + 1 : p - 1) / 2], true, s);                   \
        }                                                                                                    \
        for (size_t p = 0; p < n; p++) {                                                                     \
            const bool is_odd = (p & 1) != odd;                                                              \
            type *const v = &side[is_odd][p / 2];                                                            \
            *v = n == 1 ? name##_alone(*v, is_odd, true, scale) : name##_scaled(*v, is_odd, true, scale);    \
        }                                                                                                    \
    }                                                                                                        \
    static void name##_inverse_step(void *row, const void *a, const void *b, size_t n, int step)             \
    {                                                                                                        \
        type *const x = row;                                                                                 \
        const type *const above = a, *const below = b;                                                       \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            x[i] = name##_step(x[i], above[i], below[i], false, step);                                       \
    }                                                                                                        \
    static void name##_forward_step(void *row, const void *a, const void *b, size_t n, int step)             \
    {                                                                                                        \
        type *const x = row;                                                                                 \
        const type *const above = a, *const below = b;                                                       \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            x[i] = name##_step(x[i], above[i], below[i], true, step);                                        \
    }                                                                                                        \
    static void name##_inverse_steps(void *const *rows, size_t n)                                            \
    {                                                                                                        \
        for (int s = 0; s < (steps); s++)                                                                    \
            name##_inverse_step(rows[s + 1], rows[s], rows[s + 2], n, s);                                    \
    }                                                                                                        \
    static void name##_forward_steps(void *const *rows, size_t n)                                            \
    {                                                                                                        \
        for (int s = 0; s < (steps); s++)                                                                    \
            name##_forward_step(rows[s + 1], rows[s], rows[s + 2], n, s);                                    \
    }
ROWS(i16, int16_t, MTM_WAVELET_STEPS_53)
ROWS(i32, int32_t, MTM_WAVELET_STEPS_53)
ROWS(i64, int64_t, MTM_WAVELET_STEPS_53)
ROWS(f32, float, MTM_WAVELET_STEPS_97)

void mtm_wavelet_inverse97_c(float *dst, const float *low, const float *high, size_t n, bool odd, float scale)
{
    f32_inverse_row(dst, low, high, n, odd, scale);
}

void mtm_wavelet_forward97_c(float *low, float *high, const float *src, size_t n, bool odd, float scale)
{
    f32_forward_row(low, high, src, n, odd, scale);
}

/* ---- what int16 rows reach ---------------------------------------------------------------------------- */

static void range16(const int16_t *row, size_t n, mtm_range16 *seen)
{
    for (size_t i = 0; i < n; i++) {
        seen->lo = row[i] < seen->lo ? row[i] : seen->lo;
        seen->hi = row[i] > seen->hi ? row[i] : seen->hi;
    }
}

static void see(const int16_t *row, size_t n, mtm_seen16 *seen)
{
    mtm_range16 r = {seen->lo[0], seen->hi[0]};

    range16(row, n, &r);
    seen->lo[0] = r.lo, seen->hi[0] = r.hi;
}

static void inverse_row_seen(int16_t *dst, const int16_t *low, const int16_t *high, size_t n, bool odd,
                             mtm_seen16 *seen)
{
    i16_inverse_row(dst, low, high, n, odd, 1);
    see(low, (n + !odd) / 2, seen);
    see(high, (n + odd) / 2, seen);
    see(dst, n, seen);
}

static void inverse_steps_seen(void *const *rows, size_t n, mtm_seen16 *seen)
{
    i16_inverse_steps(rows, n);
    see(rows[1], n, seen);
    see(rows[2], n, seen);
}

void mtm_wavelet_kernels_init(mtm_wavelet_kernels *k, unsigned cpu)
{
#define ALL_TYPES(field) {i16_##field, i32_##field, i64_##field, f32_##field}
    *k = (mtm_wavelet_kernels){.inverse_row = ALL_TYPES(inverse_row),
                               .forward_row = ALL_TYPES(forward_row),
                               .inverse_step = ALL_TYPES(inverse_step),
                               .forward_step = ALL_TYPES(forward_step),
                               .inverse_steps = ALL_TYPES(inverse_steps),
                               .forward_steps = ALL_TYPES(forward_steps),
                               .inverse_row_seen = inverse_row_seen,
                               .inverse_steps_seen = inverse_steps_seen,
                               .range16 = range16};
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    mtm_wavelet_kernels_avx2(k);
    if (!(cpu & MTM_CPU_AVX512))
        return;
    mtm_wavelet_kernels_avx512(k);
#endif
}
