/* op/intensity/rows.h: runs what wants a picture as float32 rows on pictures of any type and strides.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_ROWS_H
#define MTM_OP_ROWS_H

#include "array/array.h"
#include "op/exec.h"

/* in, out: [C, Z, Y, X] float32, rows contiguous, not empty. */
typedef mtm_status mtm_rows_fn(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                               mtm_array *out, mtm_error *err);

/* Calls fn with in and out, or with scratch in their place. Label maps are copied as they are, without a call. */
mtm_status mtm_rows_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                        mtm_array *out, mtm_rows_fn *fn, mtm_error *err);

#endif
