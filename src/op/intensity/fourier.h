/* op/intensity/fourier.h: pictures through filters that are simple in k-space, without going there as a whole: a weight
 * that depends on one axis's frequency needs transforms along that axis alone, and outside a sphere nothing is transformed
 * that will be zero.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_FOURIER_H
#define MTM_OP_FOURIER_H

#include "array/array.h"
#include "op/exec.h"

/* All pictures: [C, Z, Y, X] float32 with contiguous rows, not empty; out may be in. What is not finite spreads over all
 * that is transformed with it. Errors: MTM_E_NOMEM, MTM_E_CANCELLED. */

/* Multiplies the spectrum by weight[f] (f = 0 … n − 1 along axis 0, 1 or 2 of [Z, Y, X]; weight[f] = weight[n − f], so that
 * real lines stay real). add: the result is added to what out holds. */
mtm_status mtm_fourier_lines(mtm_exec *x, const mtm_array *in, mtm_array *out, int axis, const double *weight,
                             bool add, mtm_error *err);

/* Keeps the frequencies (kz, ky, kx), each counted from 0 in both directions, with kz² + ky² + kx² ≤ radius², and sets the
 * others to zero. */
mtm_status mtm_fourier_sphere(mtm_exec *x, const mtm_array *in, mtm_array *out, double radius,
                              mtm_error *err);

/* The greatest magnitude in the spectrum (not normalised) of one channel of `in`. */
mtm_status mtm_fourier_peak(mtm_exec *x, const mtm_array *in, int64_t channel, double *peak, mtm_error *err);

#endif
