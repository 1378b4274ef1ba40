/* kernel/distance.c: distances along one axis, in plain C.
 * SPDX-License-Identifier: Apache-2.0 */
#include "distance.h"

#include <math.h>
#include <string.h>

enum { LANES = MTM_DISTANCE_LANES };

static void improve(float *best, const float *f, float d2)
{
    for (int k = 0; k < LANES; k++) {
        const float v = f[k] + d2;

        best[k] = v < best[k] ? v : best[k];
    }
}

static bool can_improve(const float *best, float d2)
{
    int any = 0;

    for (int k = 0; k < LANES; k++)
        any |= best[k] > d2;
    return any;
}

static void spread_c(float *out, const float *f, size_t n, float w, bool root)
{
    for (size_t q = 0; q < n; q++) {
        const size_t below = q, above = n - 1 - q;
        float best[LANES];

        memcpy(best, f + LANES * q, sizeof best);
        for (size_t d = 1; d <= below || d <= above; d++) {
            const float d2 = (float)d * (float)d * w;

            if (!can_improve(best, d2))
                break;
            if (d <= below)
                improve(best, f + LANES * (q - d), d2);
            if (d <= above)
                improve(best, f + LANES * (q + d), d2);
        }
        for (int k = 0; k < LANES; k++)
            out[LANES * q + (size_t)k] = root ? sqrtf(best[k]) : best[k];
    }
}

void mtm_distance_kernels_init(mtm_distance_kernels *k, unsigned cpu)
{
    k->spread = spread_c;
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2)
        mtm_distance_kernels_avx2(k);
    if (cpu & MTM_CPU_AVX512)
        mtm_distance_kernels_avx512(k);
#endif
}
