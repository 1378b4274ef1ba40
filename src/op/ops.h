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
    X(zoom)                                                                                                  \
    X(flip)                                                                                                  \
    X(rot90)                                                                                                 \
    X(crop)                                                                                                  \
    X(pad)                                                                                                   \
    X(crop_or_pad)                                                                                           \
    X(spacing)                                                                                               \
    X(orient)                                                                                                \
    X(elastic)                                                                                               \
    X(grid_distortion)                                                                                       \
    X(gaussian_blur)                                                                                         \
    X(sharpen)                                                                                               \
    X(median)                                                                                                \
    X(low_resolution)                                                                                        \
    X(coarse_dropout)                                                                                        \
    X(histogram_match)                                                                                       \
    X(histogram_standardize)                                                                                 \
    X(scale)                                                                                                 \
    X(normalize)                                                                                             \
    X(clip_percentile)                                                                                       \
    X(window)                                                                                                \
    X(gamma)                                                                                                 \
    X(contrast)                                                                                              \
    X(brightness)                                                                                            \
    X(shift)                                                                                                 \
    X(gaussian_noise)                                                                                        \
    X(rician_noise)                                                                                          \
    X(shot)                                                                                                  \
    X(salt_and_pepper)                                                                                       \
    X(histogram_shift)                                                                                       \
    X(bias_field)                                                                                            \
    X(gibbs)                                                                                                 \
    X(spike)                                                                                                 \
    X(ghosting)                                                                                              \
    X(motion)                                                                                                \
    X(connected_components)                                                                                  \
    X(keep_largest)                                                                                          \
    X(distance_transform)                                                                                    \
    X(one_hot)                                                                                               \
    X(random_flip)                                                                                           \
    X(random_rot90)                                                                                          \
    X(random_affine)                                                                                         \
    X(random_zoom)                                                                                           \
    X(random_elastic)                                                                                        \
    X(random_grid_distortion)                                                                                \
    X(random_crop)                                                                                           \
    X(random_balanced_crop)                                                                                  \
    X(random_object_box)                                                                                     \
    X(random_pos_neg_crop)                                                                                   \
    X(random_weighted_crop)                                                                                  \
    X(random_foreground_crop)                                                                                \
    X(crop_foreground)                                                                                       \
    X(random_gaussian_noise)                                                                                 \
    X(random_rician_noise)                                                                                   \
    X(random_shot)                                                                                           \
    X(random_salt_and_pepper)                                                                                \
    X(random_blur)                                                                                           \
    X(random_sharpen)                                                                                        \
    X(random_median)                                                                                         \
    X(random_low_resolution)                                                                                 \
    X(random_coarse_dropout)                                                                                 \
    X(random_gamma)                                                                                          \
    X(random_histogram_shift)                                                                                \
    X(random_contrast)                                                                                       \
    X(random_brightness)                                                                                     \
    X(random_bias_field)                                                                                     \
    X(random_gibbs)                                                                                          \
    X(random_spike)                                                                                          \
    X(random_ghosting)                                                                                       \
    X(random_motion)                                                                                         \
    X(random_shift)

#define MTM_OP_DECLARE(name) extern const mtm_op mtm_op_##name;
MTM_OPS(MTM_OP_DECLARE)
#undef MTM_OP_DECLARE

#endif
