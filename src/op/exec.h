/* op/exec.h: the context of one worker: kernels, scratch memory that is reused, timings.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_EXEC_H
#define MTM_OP_EXEC_H

#include <stdatomic.h>

#include "base/pool.h"
#include "kernel/kernels.h"
#include "microtome/op.h"

enum { MTM_SCRATCH_SLOTS = 16, MTM_SCRATCH_KEY = 96 };

typedef struct mtm_scratch {
    void *data;
    size_t room_bytes;
} mtm_scratch;

struct mtm_exec {
    mtm_kernels kernels;
    mtm_pool *pool;            /* NULL: serial */
    mtm_pool *read_pool;       /* where pool is NULL: for reading pictures alone; NULL: serial */
    mtm_recycler *recycler;    /* NULL: plain allocation */
    const atomic_bool *cancel; /* NULL: cannot be cancelled */
    mtm_scratch slots[MTM_SCRATCH_SLOTS];
    uint32_t in_use; /* bit per slot */
    int kept;        /* slot whose contents may be asked for again, by kept_key; −1: none */
    size_t kept_bytes;
    uint8_t kept_key[MTM_SCRATCH_KEY];
    int64_t geometry_ns, intensity_ns;
};

MTM_DEFINE_AUTO(mtm_exec, mtm_exec_free)

/* Borrows a scratch slot of at least size_bytes, 64-byte aligned, contents undefined; it grows and is kept for the next
 * caller. Give it back with mtm_scratch_return. Not for use inside pool tasks: borrow before, split the memory. */
mtm_status mtm_scratch_borrow(mtm_exec *x, size_t size_bytes, void **out, mtm_error *err);
void mtm_scratch_return(mtm_exec *x, void *p);

/* Remembers what the borrowed p holds by a key of at most MTM_SCRATCH_KEY bytes (no padding), in place of what was
 * remembered before: what one field of a sample needed, the next may need as well. p is returned as ever. */
void mtm_scratch_keep(mtm_exec *x, void *p, const void *key, size_t key_bytes);
/* Borrows what was remembered by this key, unchanged; NULL: it is not there, and what was is free. */
void *mtm_scratch_find(mtm_exec *x, const void *key, size_t key_bytes);

#endif
