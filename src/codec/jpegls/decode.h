/* codec/jpegls/decode.h: one scan (ITU-T T.87 annexes A and B). SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_JPEGLS_DECODE_H
#define MTM_JPEGLS_DECODE_H

#include "marker.h"

/* The scan whose coded bytes are at s->at, into its components of dst, [Y, X, C] with any strides; s->at is then at the marker behind.
 * Rows that are not whole stay as they were. Errors: MTM_E_CORRUPT, MTM_E_NOMEM. */
mtm_status jls_decode_scan(jls_stream *s, const jls_scan *scan, const mtm_array *dst, mtm_error *err);

#endif
