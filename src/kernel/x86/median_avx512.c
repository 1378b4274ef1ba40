/* kernel/x86/median_avx512.c: medians of small boxes, 16 voxels at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernel/median.h"

enum { M_LANES = 16 };
typedef __m512i mv;

static inline mv mv_load(const int32_t *p)
{
    return _mm512_loadu_si512((const __m512i *)(const void *)p);
}
static inline void mv_store(int32_t *p, mv v)
{
    _mm512_storeu_si512((__m512i *)(void *)p, v);
}
static inline mv mv_min(mv a, mv b)
{
    return _mm512_min_epi32(a, b);
}
static inline mv mv_max(mv a, mv b)
{
    return _mm512_max_epi32(a, b);
}

#include "kernel/median_body.h"

void mtm_median_kernels_avx512(mtm_median_kernels *k)
{
    *k = (mtm_median_kernels){median_keys, median_box27, median_box9, median_slide};
}
