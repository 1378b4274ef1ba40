/* codec/j2k/codec.c: JPEG 2000 and HTJ2K in the table of codecs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"
#include "encode.h"

const mtm_codec mtm_codec_j2k = {
    .name = "j2k",
    .other_name = "htj2k",
    .flags = MTM_CODEC_ENCODE | MTM_CODEC_REGION | MTM_CODEC_REDUCE | MTM_CODEC_BATCH,
    .detect = j2k_detect,
    .info = j2k_info_new,
    .info_free = j2k_info_free,
    .layout = j2k_layout,
    .decode = j2k_decode,
    .decode_rows = j2k_decode_rows,
    .encode = j2k_encode,
};
