/* codec/j2k/arena.c: see arena.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

enum { ALIGN = 64, LEAST_BYTES = 64 << 10 };

static char *block_bytes(j2k_arena_block *b)
{
    return (char *)b + ALIGN;
}

static j2k_arena_block *block_new(j2k_arena *a, size_t size_bytes)
{
    const size_t wanted = size_bytes > a->used_bytes ? size_bytes : a->used_bytes; /* doubles at the least */
    const size_t room = wanted > LEAST_BYTES ? wanted : LEAST_BYTES;
    j2k_arena_block *const b = room > SIZE_MAX / 2 ? NULL : mtm_alloc_aligned(ALIGN + room);

    if (b)
        *b = (j2k_arena_block){.next = a->blocks, .room_bytes = room}, a->blocks = b;
    return b;
}

void *j2k_arena_take(j2k_arena *a, size_t size_bytes)
{
    /* A cache line more than asked for: kernels read behind the end. */
    const size_t bytes =
        size_bytes > SIZE_MAX / 4 ? SIZE_MAX / 2 + 1 : (size_bytes + 2 * ALIGN - 1) / ALIGN * ALIGN;
    j2k_arena_block *b = a->blocks;
    char *p;

    if ((!b || b->room_bytes - b->used_bytes < bytes) && !(b = block_new(a, bytes)))
        return NULL;
    p = block_bytes(b) + b->used_bytes;
    b->used_bytes += bytes, a->used_bytes += bytes;
    return p;
}

void *j2k_arena_take_zero(j2k_arena *a, size_t count, size_t size_bytes)
{
    size_t bytes;
    void *const p = __builtin_mul_overflow(count, size_bytes, &bytes) ? NULL : j2k_arena_take(a, bytes);

    if (p)
        memset(p, 0, bytes);
    return p;
}

void j2k_arena_reset(j2k_arena *a)
{
    if (a->blocks && a->blocks->next) {
        const size_t used = a->used_bytes;

        j2k_arena_free(a);
        a->used_bytes = used;
        block_new(a, used); /* failing here is no failure: the next take says so */
    }
    if (a->blocks)
        a->blocks->used_bytes = 0;
    a->used_bytes = 0;
}

void j2k_arena_free(j2k_arena *a)
{
    while (a->blocks) {
        j2k_arena_block *const next = a->blocks->next;

        mtm_free(a->blocks);
        a->blocks = next;
    }
    a->used_bytes = 0;
}
