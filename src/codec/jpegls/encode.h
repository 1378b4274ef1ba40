/* codec/jpegls/encode.h: the codec's encoder (codec.h). SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEGLS_ENCODE_H
#define MTM_JPEGLS_ENCODE_H

#include "codec/codec.h"

mtm_status jls_encode(mtm_codec_ctx *c, const mtm_array *planes, int32_t n, const mtm_encode_params *p,
                      mtm_bytes *out, mtm_error *err);

#endif
