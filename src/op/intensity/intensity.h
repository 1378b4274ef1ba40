/* op/intensity/intensity.h: what the intensity operators' files share: argument structs that random operators fill, and steps.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_INTENSITY_H
#define MTM_OP_INTENSITY_H

#include "kernel/pointwise.h"
#include "kernel/stats.h"
#include "microtome/op.h"

typedef struct gamma_args {
    double gamma;
    bool keep_sign, channel_wise;
} gamma_args;

typedef struct contrast_args {
    double factor;
    bool keep_range, channel_wise;
} contrast_args;

typedef struct brightness_args {
    double add, multiply;
} brightness_args;

typedef struct shift_args {
    double offset;
} shift_args;

typedef struct gaussian_noise_args {
    double sigma;
    uint64_t seed;
} gaussian_noise_args;

extern const mtm_op mtm_op_gamma, mtm_op_contrast, mtm_op_brightness, mtm_op_shift, mtm_op_gaussian_noise;

enum { MTM_ALL_CHANNELS = -1 };

/* Appends (x − center)·slope + offset of every voxel. */
mtm_status mtm_step_linear(mtm_pointwise *p, int32_t channel, double center, double slope, double offset,
                           mtm_error *err);
mtm_status mtm_step_clamp(mtm_pointwise *p, int32_t channel, double low, double high, mtm_error *err);

/* Calls emit once with the statistics of everything, or once per channel with its own. Errors: MTM_E_INVAL (no voxel
 * is finite or in the mask), and emit's. */
typedef mtm_status mtm_emit_fn(const void *args, const mtm_stats *st, int32_t channel, mtm_pointwise *p,
                               mtm_error *err);
mtm_status mtm_steps_from_stats(const void *args, bool channel_wise, const mtm_spec *in, const mtm_stats *st,
                                mtm_emit_fn *emit, mtm_pointwise *p, mtm_error *err);

#endif
