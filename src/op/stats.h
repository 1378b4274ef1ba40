/* op/stats.h: statistics of a picture's voxels, as operators and chains ask for them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_STATS_H
#define MTM_OP_STATS_H

#include "array/array.h"
#include "kernel/stats.h"
#include "op/exec.h"

/* Fills out from in ([C, Z, Y, X], any strides and dtype): one entry, or C with MTM_STAT_CHANNELS. r->mask (a const
 * mtm_array *, any dtype, [Z, Y, X] or [C or 1, Z, Y, X]; Z may be missing where it is 1) leaves out the voxels where
 * it is 0. count and non_finite are always filled, the rest as r->flags ask. Nothing to count (an empty picture or mask): count 0 and zeros. Errors:
 * MTM_E_INVAL (all voxels non-finite; a mask of another shape), MTM_E_NOMEM, MTM_E_CANCELLED. */
mtm_status mtm_op_stats(mtm_exec *x, const mtm_array *in, const mtm_stats_request *r, mtm_stats *out,
                        mtm_error *err);

/* Percentiles q[0 … n) of all channels together, as numpy.percentile(method='linear'); mask as above, or NULL. Errors as
 * above, and MTM_E_INVAL (nothing to count). */
mtm_status mtm_op_percentiles(mtm_exec *x, const mtm_array *in, const mtm_array *mask, const double *q,
                              int32_t n, double *out, mtm_error *err);

#endif
