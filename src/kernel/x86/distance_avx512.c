/* kernel/x86/distance_avx512.c: distances along one axis, 16 lines in one register.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/distance.h"

enum { LANES = MTM_DISTANCE_LANES };

static void spread(float *out, const float *f, size_t n, float w, bool root)
{
    for (size_t q = 0; q < n; q++) {
        const size_t below = q, above = n - 1 - q;
        const float *const at = f + LANES * q;
        __m512 a = _mm512_load_ps(at);

        for (size_t d = 1; d <= below || d <= above; d++) {
            const __m512 d2 = _mm512_set1_ps((float)d * (float)d * w);

            if (!_mm512_cmp_ps_mask(a, d2, _CMP_GT_OQ))
                break;
            if (d <= below)
                a = _mm512_min_ps(a, _mm512_add_ps(_mm512_load_ps(at - LANES * d), d2));
            if (d <= above)
                a = _mm512_min_ps(a, _mm512_add_ps(_mm512_load_ps(at + LANES * d), d2));
        }
        _mm512_store_ps(out + LANES * q, root ? _mm512_sqrt_ps(a) : a);
    }
}

void mtm_distance_kernels_avx512(mtm_distance_kernels *k)
{
    k->spread = spread;
}
