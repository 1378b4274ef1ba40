/* op/parts.h: scratch memory for the tasks of a pool: a part for every thread that may run one, taken and given back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_PARTS_H
#define MTM_OP_PARTS_H

#include "op/exec.h"

typedef struct mtm_parts {
    char *memory;
    size_t each_bytes;
    atomic_bool *taken;
    int n;
} mtm_parts;

/* Parts of each_bytes, 64-byte aligned. End with mtm_scratch_return(x, p->memory). Errors: MTM_E_NOMEM. */
mtm_status mtm_parts_borrow(mtm_exec *x, mtm_parts *p, size_t each_bytes, mtm_error *err);
/* Inside a task; never fails. */
void *mtm_part_take(mtm_parts *p);
void mtm_part_give(mtm_parts *p, void *part);

#endif
