/* codec/bare.h: what codecs without a header of their own (RLE, deflated frames) share: the picture comes from the parameters.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_BARE_H
#define MTM_CODEC_BARE_H

#include "codec/codec.h"

/* The picture that p->shape and p->stored tell. `expansion`: most bytes that a byte can become. Errors: MTM_E_INVAL (no shape or
 * type given), MTM_E_CORRUPT (n bytes cannot hold so much; not where p->partial). */
mtm_status mtm_bare_picture(mtm_codec_picture *out, const char *codec, size_t n, const mtm_decode_params *p,
                            uint64_t expansion, mtm_error *err);

#endif
