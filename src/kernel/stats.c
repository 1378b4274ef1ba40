/* kernel/stats.c: the C reference of statistics.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <math.h>

mtm_moments mtm_moments_none(void)
{
    return (mtm_moments){.min = INFINITY, .max = -INFINITY};
}

double mtm_moments_mean(const mtm_moments *m)
{
    return m->count ? m->shift + m->sum / (double)m->count : 0;
}

/* Σ(x − mean)² */
static double deviation2(const mtm_moments *m)
{
    const double d = m->count ? m->sum2 - m->sum * (m->sum / (double)m->count) : 0;

    return d > 0 ? d : 0; /* rounding may leave −ε for a constant */
}

double mtm_moments_std(const mtm_moments *m)
{
    return m->count && m->min < m->max ? sqrt(deviation2(m) / (double)m->count) : 0;
}

void mtm_moments_merge(mtm_moments *a, const mtm_moments *b)
{
    const int64_t non_finite = a->non_finite + b->non_finite;

    if (a->count == 0) {
        *a = *b;
    } else if (b->count > 0) {
        const double na = (double)a->count, nb = (double)b->count;
        /* The difference of the means, without adding the shifts to anything small first. */
        const double d = (b->shift - a->shift) + (b->sum / nb - a->sum / na);
        const double m2 = deviation2(a) + deviation2(b) + d * d * (na / (na + nb)) * nb;

        a->count += b->count;
        a->min = fmin(a->min, b->min), a->max = fmax(a->max, b->max);
        a->shift += a->sum / na + d * (nb / (na + nb)); /* the new mean: sum is then 0 */
        a->sum = 0, a->sum2 = m2;
    }
    a->non_finite = non_finite;
}

mtm_moments mtm_moments_with_zeros(const mtm_moments *nonzero, int64_t elements)
{
    const mtm_moments zeros = {.count = elements - nonzero->count - nonzero->non_finite};
    mtm_moments all = *nonzero;

    mtm_moments_merge(&all, &zeros);
    return all;
}

void mtm_moments_store(mtm_stats *out, const mtm_moments *all, const mtm_moments *nz)
{
    out->count = all->count, out->non_finite = all->non_finite;
    out->min = all->count ? all->min : 0, out->max = all->count ? all->max : 0;
    out->mean = mtm_moments_mean(all), out->std = mtm_moments_std(all);
    if (nz) {
        out->nonzero = nz->count;
        out->nonzero_mean = mtm_moments_mean(nz), out->nonzero_std = mtm_moments_std(nz);
    }
}

#define MOMENTS(name, real)                                                                                  \
    static void name(mtm_moments *m, const real *x, const uint8_t *keep, bool skip_zero, size_t n)           \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const double v = (double)x[i];                                                                   \
                                                                                                             \
            if ((keep && !keep[i]) || (skip_zero && v == 0))                                                 \
                continue;                                                                                    \
            if (!isfinite(v)) {                                                                              \
                m->non_finite++;                                                                             \
                continue;                                                                                    \
            }                                                                                                \
            if (m->count++ == 0)                                                                             \
                m->shift = v;                                                                                \
            const double d = v - m->shift;                                                                   \
            m->sum += d, m->sum2 += d * d;                                                                   \
            m->min = v < m->min ? v : m->min, m->max = v > m->max ? v : m->max;                              \
        }                                                                                                    \
    }
MOMENTS(moments_f32, float)
MOMENTS(moments_f64, double)

static void range_f32(mtm_moments *m, const float *x, size_t n)
{
    float lo = INFINITY, hi = -INFINITY;
    int64_t count = 0;

    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i])) {
            lo = x[i] < lo ? x[i] : lo, hi = x[i] > hi ? x[i] : hi;
            count++;
        }
    m->count += count, m->non_finite += (int64_t)n - count;
    m->min = fmin(m->min, (double)lo), m->max = fmax(m->max, (double)hi);
}

void mtm_stats_kernels_init(mtm_stats_kernels *k, unsigned cpu)
{
    *k = (mtm_stats_kernels){.moments_f32 = moments_f32, .moments_f64 = moments_f64, .range_f32 = range_f32};
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    mtm_stats_kernels_avx2(k);
    if (!(cpu & MTM_CPU_AVX512))
        return;
    mtm_stats_kernels_avx512(k);
#endif
}
