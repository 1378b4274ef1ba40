/* op/ops.h: the operators' tables, one line each, in the order of the reference (doc/operators.md).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_OPS_H
#define MTM_OP_OPS_H

#include "microtome/op.h"

/* X(name): const mtm_op mtm_op_NAME is defined in one of op/'s files. */
#define MTM_OPS(X)                                                                                           \
    X(resize)                                                                                                \
    X(affine)                                                                                                \
    X(rotate)                                                                                                \
    X(flip)                                                                                                  \
    X(rot90)                                                                                                 \
    X(crop)                                                                                                  \
    X(pad)                                                                                                   \
    X(crop_or_pad)                                                                                           \
    X(spacing)                                                                                               \
    X(orient)                                                                                                \
    X(gaussian_blur)                                                                                         \
    X(scale)                                                                                                 \
    X(normalize)                                                                                             \
    X(clip_percentile)                                                                                       \
    X(window)                                                                                                \
    X(gamma)                                                                                                 \
    X(contrast)                                                                                              \
    X(brightness)                                                                                            \
    X(shift)                                                                                                 \
    X(gaussian_noise)                                                                                        \
    X(random_flip)                                                                                           \
    X(random_rot90)                                                                                          \
    X(random_affine)                                                                                         \
    X(random_zoom)                                                                                           \
    X(random_crop)                                                                                           \
    X(random_balanced_crop)                                                                                  \
    X(random_gaussian_noise)                                                                                 \
    X(random_blur)                                                                                           \
    X(random_gamma)                                                                                          \
    X(random_contrast)                                                                                       \
    X(random_brightness)                                                                                     \
    X(random_shift)

#define MTM_OP_DECLARE(name) extern const mtm_op mtm_op_##name;
MTM_OPS(MTM_OP_DECLARE)
#undef MTM_OP_DECLARE

#endif
