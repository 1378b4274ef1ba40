/* op/pointwise.h: a pointwise program over a whole picture.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_POINTWISE_H
#define MTM_OP_POINTWISE_H

#include "array/array.h"
#include "op/exec.h"

/* out = p(in) in one pass over cache-sized pieces: both [C, Z, Y, X] of one shape, any strides and dtype; computed in
 * float32. in and out may be the same view, but may not overlap otherwise. Parallel over x->pool, with the same bits for
 * any number of threads. Errors: MTM_E_INVAL (NaN to an integer dtype), MTM_E_CANCELLED. */
mtm_status mtm_pointwise_apply(mtm_exec *x, const mtm_pointwise *p, const mtm_array *in, mtm_array *out,
                               mtm_error *err);

#endif
