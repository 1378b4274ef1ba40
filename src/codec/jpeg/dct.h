/* codec/jpeg/dct.h: from a block's quantised coefficients to samples.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEG_DCT_H
#define MTM_JPEG_DCT_H

#include <stddef.h>
#include <stdint.h>

/* quant (natural order) with the transform's scale factors. */
void jpeg_idct_scales(float scales[64], const uint16_t quant[64]);
/* 8 × 8 samples of `bits` bits, clamped, rows `stride` samples apart. coefs: natural order. Within 0.01 of the real inverse transform
 * (T.81 A.3.3) before rounding, for coefficients that a picture can have; any others are safe. */
void jpeg_idct(uint16_t *out, ptrdiff_t stride, const int16_t coefs[64], const float scales[64], int bits);

#endif
