/* kernel/select.c: radix selection of order statistics.
 * SPDX-License-Identifier: Apache-2.0 */
#include "select.h"

#include <math.h>
#include <string.h>

/* Keys: the sign bit is flipped for positive floats, all bits for negative ones (Herf, Radix tricks, 2001). */
static inline uint64_t key_f32(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u ^ ((u >> 31) ? 0xFFFFFFFFu : 0x80000000u);
}

static inline uint64_t key_f64(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u ^ ((u >> 63) ? UINT64_MAX : (uint64_t)1 << 63);
}

mtm_select mtm_select_begin(int32_t n, const int64_t *ranks, int32_t key_bits)
{
    mtm_select s = {.n = n, .key_bits = key_bits, .shift = key_bits - MTM_SELECT_BITS};

    for (int32_t i = 0; i < n; i++)
        s.rank[i] = ranks[i];
    return s;
}

/* Bits of the digit in work: the last one has what is left. */
static int32_t digit_bits(const mtm_select *s)
{
    const int32_t left = s->key_bits % MTM_SELECT_BITS;

    return s->shift == 0 && left ? left : MTM_SELECT_BITS;
}

bool mtm_select_next(mtm_select *s, const int64_t counts[][MTM_SELECT_BINS])
{
    const int32_t bits = digit_bits(s);

    for (int32_t i = 0; i < s->n; i++) {
        const int64_t *const count = counts[s->table[i]];
        uint64_t bin = 0;

        while (bin + 1 < (uint64_t)1 << bits && s->rank[i] >= count[bin])
            s->rank[i] -= count[bin++];
        s->prefix[i] = s->prefix[i] << bits | bin;
    }
    for (int32_t i = 0; i < s->n; i++)
        for (s->table[i] = 0; s->prefix[s->table[i]] != s->prefix[i];)
            s->table[i]++;
    if (s->shift == 0)
        return false;
    s->shift = s->shift > MTM_SELECT_BITS ? s->shift - MTM_SELECT_BITS : 0;
    return true;
}

double mtm_select_value(const mtm_select *s, int32_t i)
{
    const uint64_t key = s->prefix[i];
    const uint32_t u32 = (uint32_t)key ^ (key >> 31 & 1 ? 0x80000000u : 0xFFFFFFFFu);
    const uint64_t u64 = key ^ (key >> 63 ? (uint64_t)1 << 63 : UINT64_MAX);
    double d;
    float f;

    memcpy(&f, &u32, sizeof f);
    memcpy(&d, &u64, sizeof d);
    return s->key_bits == 32 ? (double)f : d;
}

#define COUNT(name, real, key_of)                                                                            \
    static void name(const mtm_select *s, uint32_t counts[][MTM_SELECT_BINS], const real *x,                 \
                     const uint8_t *keep, size_t n)                                                          \
    {                                                                                                        \
        const int32_t bits = digit_bits(s), above = s->shift + bits;                                         \
        const uint64_t mask = ((uint64_t)1 << bits) - 1;                                                     \
                                                                                                             \
        for (int32_t r = 0; r < s->n; r++) { /* once for each prefix */                                      \
            for (size_t i = 0; s->table[r] == r && i < n; i++) {                                             \
                const uint64_t key = key_of(x[i]);                                                           \
                const uint64_t prefix = above < s->key_bits ? key >> above : 0;                              \
                                                                                                             \
                if (prefix == s->prefix[r] && !(keep && !keep[i]) && isfinite(x[i]))                         \
                    counts[r][key >> s->shift & mask]++;                                                     \
            }                                                                                                \
        }                                                                                                    \
    }
COUNT(count_f32, float, key_f32)
COUNT(count_f64, double, key_f64)

#define BRACKET(name, real)                                                                                  \
    static void name(mtm_bracket b[2], const real *x, const uint8_t *keep, size_t n)                         \
    {                                                                                                        \
        for (int k = 0; k < 2; k++) {                                                                        \
            mtm_bracket p = b[k]; /* counters in registers */                                                \
            const real lo = (real)p.lo, hi = (real)p.hi;                                                     \
            real *const found = p.found;                                                                     \
                                                                                                             \
            for (size_t i = 0; i < n; i++) {                                                                 \
                const real v = x[i];                                                                         \
                                                                                                             \
                if ((keep && !keep[i]) || !isfinite(v))                                                      \
                    continue;                                                                                \
                p.below += v < lo, p.at_lo += v == lo;                                                       \
                p.at_hi += v == hi && v > lo;                                                                \
                if (v > lo && v < hi) {                                                                      \
                    if (p.inside < p.room)                                                                   \
                        found[p.inside] = v;                                                                 \
                    p.inside++;                                                                              \
                }                                                                                            \
            }                                                                                                \
            b[k] = p;                                                                                        \
        }                                                                                                    \
    }
BRACKET(bracket_f32, float)
BRACKET(bracket_f64, double)

void mtm_select_kernels_init(mtm_select_kernels *k, unsigned cpu)
{
    *k = (mtm_select_kernels){.count_f32 = count_f32,
                              .count_f64 = count_f64,
                              .bracket_f32 = bracket_f32,
                              .bracket_f64 = bracket_f64};
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    mtm_select_kernels_avx2(k);
    if (!(cpu & MTM_CPU_AVX512))
        return;
    mtm_select_kernels_avx512(k);
#endif
}
