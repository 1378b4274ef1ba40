/* op/op.h: running operators inside the library.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_OP_H
#define MTM_OP_OP_H

#include "array/array.h"
#include "op/exec.h"

/* `in` as the operators see it: [C, Z, Y, X], 2-D as Z = 1. Errors: MTM_E_INVAL (neither two nor three spatial axes, or
 * an empty one). */
mtm_status mtm_op_canonical(mtm_array *view, mtm_spec *spec, const mtm_array *in, bool channels,
                            mtm_error *err);

/* The output's spec, by op->infer or what the kind implies. */
mtm_status mtm_op_infer(const mtm_op *op, const void *args, const mtm_spec *in, mtm_spec *out,
                        mtm_error *err);

/* Runs on canonical arrays; out has data, and the shape of the inferred spec. Not for MTM_OP_RANDOM. */
mtm_status mtm_op_run_canonical(mtm_exec *x, const mtm_op *op, const void *args, const mtm_spec *spec,
                                const mtm_array *in, mtm_array *out, mtm_error *err);

#endif
