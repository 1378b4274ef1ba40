/* kernel/pointwise.c: the C reference of pointwise programs, and the choice of the variant.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pointwise.h"

#include "lanes_c.h"

#include "pointwise_body.h"

static inline void noise_words(const noise_key *k, uint64_t block, vu out[NOISE_VECTORS])
{
    const uint32_t counter[4] = {(uint32_t)block, noise_word1(k, block), k->stream[1], k->stream[2]};

    mtm_philox(k->seed, counter, out);
}

static inline void noise_group(const noise_key *k, uint64_t block, vf out[NOISE_VECTORS])
{
    uint32_t w[4];

    noise_words(k, block, w);
    noise_pair(w[0], w[1], &out[0], &out[1]);
    noise_pair(w[2], w[3], &out[2], &out[3]);
}

static void pointwise_map_c(const mtm_pointwise *p, int32_t channel, int64_t first, const float *src,
                            float *dst, size_t n)
{
    run_program(p, channel, first, src, dst, n);
}

static void pointwise_run_c(const mtm_pointwise *p, int32_t channel, int64_t first, float *x, size_t n)
{
    pointwise_map_c(p, channel, first, x, x, n);
}

mtm_status mtm_pointwise_add(mtm_pointwise *p, const mtm_step *s, mtm_error *err)
{
    if (p->n >= MTM_MAX_STEPS)
        return mtm_fail(err, MTM_E_LIMIT, -1, "more than %d pointwise steps in one program", MTM_MAX_STEPS);
    p->steps[p->n++] = *s;
    return MTM_OK;
}

void mtm_pointwise_kernels_init(mtm_pointwise_kernels *k, unsigned cpu)
{
    k->run = pointwise_run_c;
    k->map = pointwise_map_c;
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    k->run = mtm_pointwise_run_avx2;
    k->map = mtm_pointwise_map_avx2;
    if (!(cpu & MTM_CPU_AVX512))
        return;
    k->run = mtm_pointwise_run_avx512;
    k->map = mtm_pointwise_map_avx512;
#endif
}
