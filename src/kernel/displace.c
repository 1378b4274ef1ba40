/* kernel/displace.c: the C reference of the displace family.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "lanes_c.h"

#include "displace_body.h"
#include "x86/displace_x86.h"

static inline void uniform_words(uint64_t seed, uint32_t stream, uint64_t block, vu out[WORDS_VECTORS])
{
    mtm_philox(seed, (const uint32_t[4]){(uint32_t)block, stream ^ (uint32_t)(block >> 32) << 16, 0, 0}, out);
}

static void uniform_c(uint64_t seed, uint32_t stream, int64_t first, float *out, int64_t n)
{
    displace_uniform(seed, stream, first, out, n);
}

static void spline_c(const mtm_displace_row *row, const float *const control[3], int32_t n,
                     float *const out[3])
{
    displace_spline(row, control, n, out);
}

static void turn_c(const float m[9], const float *const d[3], int32_t n, float *const out[3])
{
    displace_turn(m, d, n, out);
}

void mtm_displace_kernels_init(mtm_displace_kernels *k, unsigned cpu)
{
    *k = (mtm_displace_kernels){.uniform = uniform_c, .spline = spline_c, .turn = turn_c};
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2)
        *k = (mtm_displace_kernels){mtm_displace_uniform_avx2, mtm_displace_spline_avx2,
                                    mtm_displace_turn_avx2};
    if (cpu & MTM_CPU_AVX512)
        *k = (mtm_displace_kernels){mtm_displace_uniform_avx512, mtm_displace_spline_avx512,
                                    mtm_displace_turn_avx512};
#endif
}
