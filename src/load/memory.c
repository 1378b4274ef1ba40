/* load/memory.c: a hash table that only grows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/memory.h"

#include <pthread.h>

enum { CHAINS = 4096 };

typedef struct entry {
    struct entry *next;
    mtm_memory_key key;
    void *value;
} entry;

struct mtm_memory {
    pthread_mutex_t lock; /* guards all below; no other lock is taken under it */
    uint64_t room_bytes, kept_bytes;
    entry *chain[CHAINS];
};

mtm_status mtm_memory_new(mtm_memory **out, uint64_t room_bytes, mtm_error *err)
{
    mtm_memory *const m = mtm_alloc_zero(1, sizeof *m);

    if (!m)
        return MTM_NOMEM(err);
    pthread_mutex_init(&m->lock, NULL);
    m->room_bytes = room_bytes;
    *out = m;
    return MTM_OK;
}

void mtm_memory_free(mtm_memory *m)
{
    if (!m)
        return;
    for (int i = 0; i < CHAINS; i++)
        for (entry *e = m->chain[i], *next; e; e = next) {
            next = e->next;
            mtm_free(e->value);
            mtm_free(e);
        }
    pthread_mutex_destroy(&m->lock);
    mtm_free(m);
}

static entry **place_of(mtm_memory *m, const mtm_memory_key *k)
{
    const uint64_t mixed =
        ((uint64_t)k->item * 64 + (uint64_t)k->field * 4 + (uint64_t)k->kind) ^ (uint64_t)k->parameter;
    entry **e = &m->chain[mixed * UINT64_C(0x9E3779B97F4A7C15) >> 52];

    while (*e && ((*e)->key.item != k->item || (*e)->key.field != k->field || (*e)->key.kind != k->kind ||
                  (*e)->key.parameter != k->parameter))
        e = &(*e)->next;
    return e;
}

const void *mtm_memory_find(mtm_memory *m, const mtm_memory_key *key)
{
    const entry *e;

    if (!m)
        return NULL;
    pthread_mutex_lock(&m->lock);
    e = *place_of(m, key);
    pthread_mutex_unlock(&m->lock);
    return e ? e->value : NULL;
}

bool mtm_memory_keep(mtm_memory *m, const mtm_memory_key *key, void *value, uint64_t bytes)
{
    entry *const e = m ? mtm_alloc(sizeof *e) : NULL;
    entry **at;
    bool kept = false;

    if (!e)
        return false;
    bytes += sizeof *e;
    pthread_mutex_lock(&m->lock);
    at = place_of(m, key);
    if (!*at && bytes <= m->room_bytes - m->kept_bytes) {
        *e = (entry){.key = *key, .value = value};
        *at = e;
        m->kept_bytes += bytes;
        kept = true;
    }
    pthread_mutex_unlock(&m->lock);
    if (!kept)
        mtm_free(e);
    return kept;
}

uint64_t mtm_memory_bytes(mtm_memory *m)
{
    uint64_t bytes;

    pthread_mutex_lock(&m->lock);
    bytes = m->kept_bytes;
    pthread_mutex_unlock(&m->lock);
    return bytes;
}
