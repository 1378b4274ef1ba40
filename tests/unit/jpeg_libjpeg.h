/* tests/unit/jpeg_libjpeg.h: DCT streams written by libjpeg, whose names and ours do not go into one file.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_JPEG_LIBJPEG_H
#define MTM_TESTS_JPEG_LIBJPEG_H

#include "microtome/codec.h"

typedef struct dct_kind {
    int n, h, v, quality, restart;
    bool progressive, optimized;
} dct_kind;

/* A gray or YCbCr picture of waves and noise; width ≤ 300. */
mtm_bytes libjpeg_encode(int width, int height, const dct_kind *k);

#endif
