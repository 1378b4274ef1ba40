/* op/intensity/fourier_parts.h: memory of the workers that transform, and a plan with its memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_FOURIER_PARTS_H
#define MTM_OP_FOURIER_PARTS_H

#include "base/size.h"
#include "op/exec.h"

/* One equal part of scratch for each thread that may work on a job; whoever begins a piece takes a free one. */
typedef struct fourier_parts {
    char *memory;
    size_t part_bytes;
    atomic_bool *taken;
    int n;
} fourier_parts;

static inline mtm_status fourier_parts_borrow(mtm_exec *x, fourier_parts *p, size_t part_bytes,
                                              mtm_error *err)
{
    void *memory;

    /* The caller works too; a pool's thread that waits inside another task may help as well. */
    p->n = x->pool ? mtm_pool_threads(x->pool) + 1 : 1;
    p->part_bytes = (part_bytes + 63) & ~(size_t)63;
    MTM_TRY(mtm_scratch_borrow(x, (size_t)p->n * (p->part_bytes + sizeof(atomic_bool)), &memory, err));
    p->memory = memory;
    p->taken = (atomic_bool *)(void *)(p->memory + (size_t)p->n * p->part_bytes);
    for (int i = 0; i < p->n; i++)
        atomic_init(&p->taken[i], false);
    return MTM_OK;
}

static inline void *fourier_part_take(fourier_parts *p)
{
    for (int i = 0;; i = (i + 1) % p->n)
        if (!atomic_exchange_explicit(&p->taken[i], true, memory_order_acquire))
            return p->memory + (size_t)i * p->part_bytes;
}

static inline void fourier_part_give(fourier_parts *p, const void *part)
{
    const size_t i = (size_t)((const char *)part - p->memory) / p->part_bytes;

    atomic_store_explicit(&p->taken[i], false, memory_order_release);
}

static inline mtm_status fourier_plan_borrow(mtm_exec *x, mtm_fft_plan *p, int64_t n, void **memory,
                                             mtm_error *err)
{
    MTM_TRY(mtm_scratch_borrow(x, mtm_fft_plan_bytes(n), memory, err));
    mtm_fft_plan_make(p, n, *memory);
    return MTM_OK;
}

/* Bytes of n points of 16 lanes. */
static inline size_t fourier_points_bytes(int64_t n)
{
    return (size_t)n * MTM_FFT_FLOATS * sizeof(float);
}

#endif
