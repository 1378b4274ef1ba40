/* op/parts.c: scratch memory for the tasks of a pool.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/parts.h"

mtm_status mtm_parts_borrow(mtm_exec *x, mtm_parts *p, size_t each_bytes, mtm_error *err)
{
    void *memory;

    /* The caller works too; a pool's thread that waits inside another task may help as well. */
    p->n = x->pool ? mtm_pool_threads(x->pool) + 1 : 1;
    p->each_bytes = (each_bytes + 63) & ~(size_t)63;
    MTM_TRY(mtm_scratch_borrow(x, (size_t)p->n * (p->each_bytes + sizeof(atomic_bool)), &memory, err));
    p->memory = memory;
    p->taken = (atomic_bool *)(void *)(p->memory + (size_t)p->n * p->each_bytes);
    for (int i = 0; i < p->n; i++)
        atomic_init(&p->taken[i], false);
    return MTM_OK;
}

void *mtm_part_take(mtm_parts *p)
{
    for (int i = 0;; i = (i + 1) % p->n)
        if (!atomic_exchange_explicit(&p->taken[i], true, memory_order_acquire))
            return p->memory + (size_t)i * p->each_bytes;
}

void mtm_part_give(mtm_parts *p, void *part)
{
    atomic_store_explicit(&p->taken[(size_t)((char *)part - p->memory) / p->each_bytes], false,
                          memory_order_release);
}
