/* kernel/x86/distance_avx2.c: distances along one axis, 16 lines in two registers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/distance.h"

enum { LANES = MTM_DISTANCE_LANES };

static void spread(float *out, const float *f, size_t n, float w, bool root)
{
    for (size_t q = 0; q < n; q++) {
        const size_t below = q, above = n - 1 - q;
        const float *const at = f + LANES * q;
        __m256 a = _mm256_load_ps(at), b = _mm256_load_ps(at + 8);

        for (size_t d = 1; d <= below || d <= above; d++) {
            const __m256 d2 = _mm256_set1_ps((float)d * (float)d * w);
            const __m256 gain =
                _mm256_or_ps(_mm256_cmp_ps(a, d2, _CMP_GT_OQ), _mm256_cmp_ps(b, d2, _CMP_GT_OQ));

            if (!_mm256_movemask_ps(gain))
                break;
            if (d <= below) {
                a = _mm256_min_ps(a, _mm256_add_ps(_mm256_load_ps(at - LANES * d), d2));
                b = _mm256_min_ps(b, _mm256_add_ps(_mm256_load_ps(at - LANES * d + 8), d2));
            }
            if (d <= above) {
                a = _mm256_min_ps(a, _mm256_add_ps(_mm256_load_ps(at + LANES * d), d2));
                b = _mm256_min_ps(b, _mm256_add_ps(_mm256_load_ps(at + LANES * d + 8), d2));
            }
        }
        _mm256_store_ps(out + LANES * q, root ? _mm256_sqrt_ps(a) : a);
        _mm256_store_ps(out + LANES * q + 8, root ? _mm256_sqrt_ps(b) : b);
    }
}

void mtm_distance_kernels_avx2(mtm_distance_kernels *k)
{
    k->spread = spread;
}
