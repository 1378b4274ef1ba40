/* kernel/ht.c: fills the table of the HT block coder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht.h"

#include "ht_decode.h"
#include "ht_encode.h"

void mtm_ht_kernels_init(mtm_ht_kernels *k, unsigned cpu)
{
    *k = (mtm_ht_kernels){.decode = mtm_ht_decode_c, .encode = mtm_ht_encode_c};
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2)
        k->decode = mtm_ht_decode_avx2, k->encode = mtm_ht_encode_avx2;
    if (cpu & MTM_CPU_AVX512)
        k->decode = mtm_ht_decode_avx512, k->encode = mtm_ht_encode_avx512;
    if (cpu & MTM_CPU_VBMI2)
        k->decode = mtm_ht_decode_vbmi2, k->encode = mtm_ht_encode_vbmi2;
#endif
}
