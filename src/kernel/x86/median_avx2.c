/* kernel/x86/median_avx2.c: medians of small boxes, eight voxels at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/median.h"

enum { M_LANES = 8 };
typedef __m256i mv;

static inline mv mv_load(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}
static inline void mv_store(int32_t *p, mv v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}
static inline mv mv_min(mv a, mv b)
{
    return _mm256_min_epi32(a, b);
}
static inline mv mv_max(mv a, mv b)
{
    return _mm256_max_epi32(a, b);
}

#include "kernel/median_body.h"

void mtm_median_kernels_avx2(mtm_median_kernels *k)
{
    *k = (mtm_median_kernels){median_keys, median_box27, median_box9, median_slide};
}
