/* codec/jpeg/turbo.h: 8-bit DCT streams (SOF0, SOF1, SOF2) by libjpeg-turbo, and writing baseline.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEG_TURBO_H
#define MTM_JPEG_TURBO_H

#include "codec/codec.h"

/* Decodes into dst, U8 [Y, X, C] of the stream's size: pixels without gaps, rows at any stride. Components as stored, subsampled ones
 * brought to full size (by libjpeg's triangular filter); p->to_rgb: YCbCr to RGB and YCCK to CMYK. p->partial: what is missing is gray or
 * 0, and noted. Errors: MTM_E_CORRUPT (damage, missing data; a missing EOI behind whole data is none), MTM_E_UNSUPPORTED (arithmetic
 * coding, odd sampling), MTM_E_INVAL (dst of another size), MTM_E_NOMEM. */
mtm_status mtm_jpeg_turbo_decode(const mtm_array *dst, const uint8_t *in, size_t n,
                                 const mtm_decode_params *p, mtm_error *err);

/* Appends a baseline stream (SOF0) of U8 [Y, X, C], C 1, 3 or 4, pixels without gaps. p: quality (0: 90); subsampling (NULL: none); mct:
 * −1 and 1: three channels are RGB and become YCbCr, 0: they are coded as they are, as YCbCr where color is "sycc", else as RGB.
 * Errors: MTM_E_UNSUPPORTED (type, channels, sampling, size), MTM_E_INVAL (quality), MTM_E_NOMEM. */
mtm_status mtm_jpeg_turbo_encode(mtm_bytes *out, const mtm_array *src, const mtm_encode_params *p,
                                 mtm_error *err);

#endif
