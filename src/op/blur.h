/* op/blur.h: gaussian blur of whole pictures, for the operators that need one on the way.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_BLUR_H
#define MTM_OP_BLUR_H

#include "array/array.h"
#include "op/exec.h"

/* in ([C, Z, Y, X], any dtype and strides) → out (the same shape, float32, X contiguous, other memory): a gaussian of σ
 * voxels along Z, Y, X, cut after `radius` voxels on each side, border 'reflect' (SciPy's gaussian_filter; its truncate = t
 * is radius int(t·σ + 0.5)). No axis is empty. The same bytes for any pool. Errors: MTM_E_NOMEM, MTM_E_CANCELLED. */
mtm_status mtm_blur_floats(mtm_exec *x, const double sigma[3], const int32_t radius[3], const mtm_array *in,
                           const mtm_array *out, mtm_error *err);

/* The same, and then in + amount·(in − blurred); in's rows are contiguous float32. */
mtm_status mtm_sharpen_floats(mtm_exec *x, const double sigma[3], const int32_t radius[3], float amount,
                              const mtm_array *in, const mtm_array *out, mtm_error *err);

#endif
