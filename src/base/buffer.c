/* base/buffer.c: reference-counted buffers, and the recycler that keeps dropped ones.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>

#include "mem.h"

struct mtm_buffer {
    atomic_int refs;
    void *data;
    size_t size_bytes, room_bytes; /* asked for; really there */
    void (*release)(void *user);   /* foreign memory only */
    void *user;
    mtm_recycler *home; /* NULL: freed when dropped */
    mtm_buffer *next;   /* in the recycler's list of free buffers */
};

struct mtm_recycler {
    pthread_mutex_t lock;  /* guards all below; no other lock is taken under it */
    mtm_buffer *free_list; /* most recently dropped first */
    size_t kept_bytes, keep_bytes;
    int64_t out; /* buffers that will come home */
    bool closed; /* the handle was freed; the last buffer frees the recycler */
};

static mtm_status buffer_alloc(mtm_buffer **out, size_t size_bytes, size_t room_bytes, mtm_error *err)
{
    mtm_buffer *const b = mtm_alloc_zero(1, sizeof *b);

    if (!b)
        return MTM_NOMEM(err);
    b->data = mtm_alloc_aligned(room_bytes);
    if (!b->data) {
        mtm_free(b);
        return mtm_fail(err, MTM_E_NOMEM, -1, "out of memory for %zu bytes", size_bytes);
    }
    atomic_init(&b->refs, 1);
    b->size_bytes = size_bytes, b->room_bytes = room_bytes;
    *out = b;
    return MTM_OK;
}

mtm_status mtm_buffer_new(mtm_buffer **out, size_t size_bytes, mtm_error *err)
{
    return buffer_alloc(out, size_bytes, size_bytes, err);
}

mtm_status mtm_buffer_wrap(mtm_buffer **out, void *data, size_t size_bytes, void (*release)(void *user),
                           void *user, mtm_error *err)
{
    mtm_buffer *const b = mtm_alloc_zero(1, sizeof *b);

    if (!b)
        return MTM_NOMEM(err);
    atomic_init(&b->refs, 1);
    b->data = data, b->size_bytes = b->room_bytes = size_bytes, b->release = release, b->user = user;
    *out = b;
    return MTM_OK;
}

mtm_buffer *mtm_buffer_ref(mtm_buffer *b)
{
    if (b)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

static void buffer_destroy(mtm_buffer *b)
{
    if (b->release)
        b->release(b->user);
    else
        mtm_free(b->data);
    mtm_free(b);
}

static void recycler_destroy(mtm_recycler *r)
{
    pthread_mutex_destroy(&r->lock);
    mtm_free(r);
}

/* Takes a dropped buffer home, or destroys it when the recycler is full or closed. */
static void come_home(mtm_recycler *r, mtm_buffer *b)
{
    bool keep, last;

    pthread_mutex_lock(&r->lock);
    keep = !r->closed && b->room_bytes <= r->keep_bytes - r->kept_bytes;
    if (keep)
        b->next = r->free_list, r->free_list = b, r->kept_bytes += b->room_bytes;
    r->out--;
    last = r->closed && r->out == 0;
    pthread_mutex_unlock(&r->lock);
    if (!keep)
        buffer_destroy(b);
    if (last)
        recycler_destroy(r);
}

void mtm_buffer_unref(mtm_buffer *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (b->home)
        come_home(b->home, b);
    else
        buffer_destroy(b);
}

void *mtm_buffer_data(const mtm_buffer *b)
{
    return b ? b->data : NULL;
}

size_t mtm_buffer_size(const mtm_buffer *b)
{
    return b ? b->size_bytes : 0;
}

mtm_status mtm_recycler_new(mtm_recycler **out, size_t keep_bytes, mtm_error *err)
{
    mtm_recycler *const r = mtm_alloc_zero(1, sizeof *r);

    if (!r)
        return MTM_NOMEM(err);
    if (pthread_mutex_init(&r->lock, NULL)) {
        mtm_free(r);
        return MTM_NOMEM(err);
    }
    r->keep_bytes = keep_bytes;
    *out = r;
    return MTM_OK;
}

void mtm_recycler_keep(mtm_recycler *r, size_t keep_bytes)
{
    pthread_mutex_lock(&r->lock);
    if (keep_bytes > r->keep_bytes)
        r->keep_bytes = keep_bytes;
    pthread_mutex_unlock(&r->lock);
}

void mtm_recycler_free(mtm_recycler *r)
{
    mtm_buffer *list;
    bool last;

    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    list = r->free_list;
    r->free_list = NULL, r->kept_bytes = 0, r->closed = true;
    last = r->out == 0;
    pthread_mutex_unlock(&r->lock);
    while (list) {
        mtm_buffer *const next = list->next;
        buffer_destroy(list);
        list = next;
    }
    if (last)
        recycler_destroy(r);
}

/* Unlinks the kept buffer with the least waste that holds size_bytes; at most an eighth and 64 KiB are wasted, so
 * that a small request does not pin a large block. Lock held. */
static mtm_buffer *take_fitting(mtm_recycler *r, size_t size_bytes)
{
    mtm_buffer **best = NULL;

    for (mtm_buffer **p = &r->free_list; *p; p = &(*p)->next)
        if ((*p)->room_bytes >= size_bytes && (*p)->room_bytes - size_bytes <= size_bytes / 8 + 65536 &&
            (!best || (*p)->room_bytes < (*best)->room_bytes))
            best = p;
    if (!best)
        return NULL;
    mtm_buffer *const b = *best;
    *best = b->next;
    r->kept_bytes -= b->room_bytes;
    return b;
}

mtm_status mtm_recycler_get(mtm_buffer **out, mtm_recycler *r, size_t size_bytes, mtm_error *err)
{
    mtm_buffer *b;

    if (!r)
        return mtm_buffer_new(out, size_bytes, err);
    pthread_mutex_lock(&r->lock);
    b = take_fitting(r, size_bytes);
    if (b)
        r->out++;
    pthread_mutex_unlock(&r->lock);
    if (b) {
        atomic_store(&b->refs, 1);
        b->size_bytes = size_bytes, b->next = NULL;
        *out = b;
        return MTM_OK;
    }
    MTM_TRY(buffer_alloc(&b, size_bytes, size_bytes, err));
    b->home = r;
    pthread_mutex_lock(&r->lock);
    r->out++;
    pthread_mutex_unlock(&r->lock);
    *out = b;
    return MTM_OK;
}
