/* tests/unit/ht_refine.h: writes HT code-blocks with refinement passes, which the library reads but does not write:
 * cleanup at bit-plane 1, then SigProp and MagRef at bit-plane 0 (T.814 7.4, 7.5).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_HT_REFINE_H
#define MTM_TESTS_HT_REFINE_H

#include "kernel/ht.h"

typedef struct ht_refined {
    mtm_segment segments[2];
    int32_t zero_planes; /* P */
} ht_refined;

/* Encodes q [height, width], |q| < 2^n_planes, as `passes` passes (1 … 3) of `style` into out, which has room enough for
 * twice what mtm_ht_encode_bound says. v2: what a decoder should give as MTM_COEF_V2; a coefficient ±1 without
 * significant neighbours is not coded. False: nothing is left at bit-plane 1, so there is no such block. */
bool ht_refine_encode(ht_refined *result, int64_t *v2, uint8_t *out, const int64_t *q, int32_t width,
                      int32_t height, int32_t n_planes, int32_t passes, uint8_t style);

#endif
