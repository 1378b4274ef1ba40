/* kernel/ebcot_kernels.h: the members of the EBCOT family, which ebcot.c puts into its table.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_EBCOT_KERNELS_H
#define MTM_KERNEL_EBCOT_KERNELS_H

#include "ebcot.h"

void mtm_ebcot_decode_c(mtm_block *blocks, int32_t n, void *scratch);
void mtm_ebcot_decode_avx2(mtm_block *blocks, int32_t n, void *scratch);
void mtm_ebcot_decode_vbmi2(mtm_block *blocks, int32_t n, void *scratch);
void mtm_ebcot_encode_c(mtm_block_input *blocks, int32_t n, void *scratch);
void mtm_ebcot_encode_avx2(mtm_block_input *blocks, int32_t n, void *scratch);

/* Whether the passes and segments agree with each other, with n_planes and with the style. */
bool mtm_ebcot_segments_valid(const mtm_block *b);

/* Whether all bytes of this pass must be there, so that its segmentation symbol proves something: not so for the last pass of a
 * codeword that rate control or a limit of layers cut, as encoders estimate where, and the last decisions may be lost. */
bool mtm_ebcot_pass_secured(const mtm_block *b, int32_t pass);

#endif
