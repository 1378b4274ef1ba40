/* op/intensity/plain.h: where a filter writes: float32 in C order, whatever the caller's array is.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_PLAIN_H
#define MTM_OP_PLAIN_H

#include "array/array.h"
#include "op/exec.h"

typedef struct mtm_plain {
    mtm_array a;  /* [C, Z, Y, X] float32; rows are contiguous */
    void *memory; /* scratch, or NULL: a is the caller's array */
} mtm_plain;

/* out itself where its rows are contiguous float32, else scratch of its shape. */
mtm_status mtm_plain_out(mtm_exec *x, mtm_plain *p, const mtm_array *out, mtm_error *err);
/* Stores scratch into out when `s`, what has happened so far, is well; gives it back; returns the first failure. */
mtm_status mtm_plain_store(mtm_exec *x, mtm_plain *p, mtm_array *out, mtm_status s, mtm_error *err);

/* in itself where its rows are contiguous float32, else a copy. Ends with mtm_scratch_return(x, p->memory). */
mtm_status mtm_plain_in(mtm_exec *x, mtm_plain *p, const mtm_array *in, mtm_error *err);

#endif
