/* op/exec.c: a worker's context and its scratch memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "exec.h"

mtm_status mtm_exec_new(mtm_exec **out, mtm_pool *pool, mtm_recycler *recycler, mtm_error *err)
{
    mtm_exec *const x = mtm_alloc_zero(1, sizeof *x);

    if (!x)
        return MTM_NOMEM(err);
    mtm_kernels_init(&x->kernels, mtm_cpu_flags());
    x->pool = pool, x->recycler = recycler, x->kept = -1;
    *out = x;
    return MTM_OK;
}

void mtm_exec_free(mtm_exec *x)
{
    if (!x)
        return;
    for (int i = 0; i < MTM_SCRATCH_SLOTS; i++)
        mtm_free(x->slots[i].data);
    mtm_free(x);
}

void mtm_exec_set_cpu(mtm_exec *x, unsigned cpu_flags)
{
    mtm_kernels_init(&x->kernels, cpu_flags & mtm_cpu_flags());
}

/* The free slot with the least room that is enough; else the free slot with the most room, to be grown; −1: all are in
 * use. What is kept goes last. */
static int find_slot(const mtm_exec *x, size_t size_bytes)
{
    int fits = -1, largest = -1;

    for (int i = 0; i < MTM_SCRATCH_SLOTS; i++) {
        const size_t room = x->slots[i].room_bytes;

        if (x->in_use & 1u << i || i == x->kept)
            continue;
        if (room >= size_bytes && (fits < 0 || room < x->slots[fits].room_bytes))
            fits = i;
        if (largest < 0 || room > x->slots[largest].room_bytes)
            largest = i;
    }
    if (largest < 0 && x->kept >= 0 && !(x->in_use & 1u << x->kept))
        return x->kept;
    return fits >= 0 ? fits : largest;
}

mtm_status mtm_scratch_borrow(mtm_exec *x, size_t size_bytes, void **out, mtm_error *err)
{
    const int i = find_slot(x, size_bytes);
    mtm_scratch *s;

    if (i < 0)
        return mtm_fail(err, MTM_E_NOMEM, -1, "all %d scratch slots are in use", MTM_SCRATCH_SLOTS);
    if (i == x->kept)
        x->kept = -1;
    s = &x->slots[i];
    if (s->room_bytes < size_bytes || !s->data) {
        mtm_free(s->data);
        s->room_bytes = 0;
        s->data = mtm_alloc_aligned(size_bytes);
        if (!s->data)
            return mtm_fail(err, MTM_E_NOMEM, -1, "out of memory for %zu bytes of scratch", size_bytes);
        s->room_bytes = size_bytes;
    }
    x->in_use |= 1u << i;
    *out = s->data;
    return MTM_OK;
}

void mtm_scratch_return(mtm_exec *x, void *p)
{
    for (int i = 0; p && i < MTM_SCRATCH_SLOTS; i++)
        if (x->slots[i].data == p)
            x->in_use &= ~(1u << i);
}

void mtm_scratch_keep(mtm_exec *x, void *p, const void *key, size_t key_bytes)
{
    x->kept = -1;
    for (int i = 0; key_bytes <= MTM_SCRATCH_KEY && i < MTM_SCRATCH_SLOTS; i++)
        if (x->slots[i].data == p)
            x->kept = i;
    x->kept_bytes = key_bytes;
    if (x->kept >= 0)
        memcpy(x->kept_key, key, key_bytes);
}

void *mtm_scratch_find(mtm_exec *x, const void *key, size_t key_bytes)
{
    if (x->kept < 0 || x->in_use & 1u << x->kept)
        return NULL;
    if (x->kept_bytes != key_bytes || memcmp(x->kept_key, key, key_bytes) != 0) {
        x->kept = -1; /* something else takes its place */
        return NULL;
    }
    x->in_use |= 1u << x->kept;
    return x->slots[x->kept].data;
}
