/* kernel/ebcot.c: the table of the EBCOT family, and what packets need to know of codeword segments.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ebcot_kernels.h"
#include "ebcot_model.h"

bool mtm_ebcot_segment_ends(uint8_t style, int32_t pass)
{
    if (style & MTM_BLOCK_TERMALL)
        return true;
    /* Table D.9: the MQ coder ends with each cleanup pass from the fourth bit-plane's on, the raw bits with each
     * refinement pass. */
    return (style & MTM_BLOCK_BYPASS) && pass >= 9 && ebcot_pass_kind(pass) != EBCOT_PROPAGATION;
}

bool mtm_ebcot_pass_secured(const mtm_block *b, int32_t pass)
{
    return pass + 1 < b->n_passes || pass + 1 == 3 * b->n_planes - 2 ||
           mtm_ebcot_segment_ends(b->style, pass);
}

bool mtm_ebcot_segments_valid(const mtm_block *b)
{
    int32_t pass = 0;

    if (b->n_passes && (b->n_planes > MTM_BLOCK_MAX_PLANES || b->n_passes > 3 * (int64_t)b->n_planes - 2))
        return false;
    for (int32_t i = 0; i < b->n_segments; i++)
        for (int32_t left = b->segments[i].n_passes; left > 0; left--, pass++) {
            const bool last = pass + 1 == b->n_passes;

            if (pass >= b->n_passes || (!last && mtm_ebcot_segment_ends(b->style, pass) != (left == 1)))
                return false;
        }
    return pass == b->n_passes;
}

/* A coefficient takes one decision a bit-plane, its sign, and its part of at most one broken run. Noise takes a bit for
 * each; the costliest endless run of decisions in one context 1.34 (the heaviest cycle of the graph of states and interval
 * widths), and stuffing adds a fifteenth. Contexts played against each other could take more: coefficients made up to that
 * end are refused. */
uint32_t mtm_ebcot_encode_bound(int32_t width, int32_t height, int32_t n_planes)
{
    const uint32_t samples = (uint32_t)width * (uint32_t)height, planes = (uint32_t)n_planes;

    return samples * (planes + 2) / 5 + planes * 3 * 64 + 256;
}

void mtm_ebcot_kernels_init(mtm_ebcot_kernels *k, unsigned cpu)
{
    *k = (mtm_ebcot_kernels){.decode = mtm_ebcot_decode_c, .encode = mtm_ebcot_encode_c};
#if defined(__x86_64__)
    if (!(cpu & MTM_CPU_AVX2))
        return;
    k->decode = mtm_ebcot_decode_avx2;
    k->encode = mtm_ebcot_encode_avx2;
    if (!(cpu & MTM_CPU_VBMI2))
        return;
    k->decode = mtm_ebcot_decode_vbmi2;
#endif
}
