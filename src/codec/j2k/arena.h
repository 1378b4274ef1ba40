/* codec/j2k/arena.h: memory of one worker that is given out in order and taken back all at once. After a frame or two it is
 * one block that fits, so that steady state allocates nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_ARENA_H
#define MTM_J2K_ARENA_H

#include "base/mem.h"

typedef struct j2k_arena_block {
    struct j2k_arena_block *next;
    size_t room_bytes, used_bytes; /* of what follows, from a 64-byte boundary */
} j2k_arena_block;

/* Begin with {0}. */
typedef struct j2k_arena {
    j2k_arena_block *blocks; /* newest first */
    size_t used_bytes;       /* since the last reset */
} j2k_arena;

/* 64-byte aligned, 64 readable bytes behind; contents undefined. NULL: out of memory. Lives until reset. */
void *j2k_arena_take(j2k_arena *a, size_t size_bytes);
void *j2k_arena_take_zero(j2k_arena *a, size_t count, size_t size_bytes); /* product checked */
/* Takes everything back. Several blocks are freed and replaced, at the next take, by one of their size together. */
void j2k_arena_reset(j2k_arena *a);
void j2k_arena_free(j2k_arena *a);

#endif
