/* load/cache.c: the items' entries, single-flight, within a byte limit.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/cache.h"
#include "load/items.h"

#include <pthread.h>

#include "base/size.h"

typedef enum item_state { UNKNOWN, MAKING, READY, NO_ROOM } item_state;

typedef struct item_slot {
    mtm_cached *entry;
    item_state state;
} item_slot;

struct mtm_cache {
    pthread_mutex_t lock;   /* guards all below; no other lock is taken under it */
    pthread_cond_t changed; /* an item is no longer being made */
    uint64_t limit_bytes, kept_bytes, held_bytes;
    int64_t n_items, uses;
    int32_t n_fields;
    mtm_cached *passing; /* entries that are not kept, the newest first */
    item_slot items[];
};

mtm_status mtm_cache_new(mtm_cache **out, int64_t n_items, int32_t n_fields, uint64_t limit_bytes,
                         int64_t uses, mtm_error *err)
{
    mtm_cache *const c = mtm_alloc_zero(1, sizeof *c + (size_t)n_items * sizeof *c->items);

    if (!c)
        return MTM_NOMEM(err);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->limit_bytes = limit_bytes, c->n_items = n_items, c->n_fields = n_fields, c->uses = uses;
    *out = c;
    return MTM_OK;
}

static void entry_free(mtm_cached *e)
{
    for (int32_t i = 0; e->arrays && i < e->n_fields; i++)
        mtm_array_drop(&e->arrays[i]);
    for (int32_t i = 0; e->tables && i < e->n_fields; i++)
        mtm_label_table_free(e->tables[i]);
    mtm_free(e->arrays);
    mtm_free(e->specs);
    mtm_free(e->stats);
    mtm_free(e->stats_known);
    mtm_free(e->point_axes);
    mtm_free(e->tables);
    mtm_free(e);
}

MTM_DEFINE_AUTO(mtm_cached, entry_free)

void mtm_cache_free(mtm_cache *c)
{
    if (!c)
        return;
    for (int64_t i = 0; i < c->n_items; i++)
        if (c->items[i].entry)
            entry_free(c->items[i].entry);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    mtm_free(c);
}

/* ---- looking up --------------------------------------------------------------------------------------- */

/* Drops an entry without room that nobody uses. Lock held. */
static void drop_passing(mtm_cache *c, mtm_cached *e)
{
    mtm_cached **p = &c->passing;

    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    c->held_bytes -= e->bytes;
    c->items[e->item] = (item_slot){0};
    entry_free(e);
}

mtm_cache_answer mtm_cache_get(mtm_cache *c, int64_t item, mtm_cached **out)
{
    item_slot *const slot = &c->items[item];
    mtm_cache_answer answer = MTM_CACHE_NONE;

    pthread_mutex_lock(&c->lock);
    while (slot->state == MAKING)
        pthread_cond_wait(&c->changed, &c->lock);
    if (slot->state == READY) {
        slot->entry->users++;
        *out = slot->entry;
        answer = MTM_CACHE_HIT;
    } else if (slot->state == UNKNOWN) {
        slot->state = MAKING;
        answer = MTM_CACHE_MAKE;
    }
    pthread_mutex_unlock(&c->lock);
    return answer;
}

static void set_state(mtm_cache *c, int64_t item, item_state state, mtm_cached *e)
{
    pthread_mutex_lock(&c->lock);
    c->items[item] = (item_slot){.entry = e, .state = state};
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void mtm_cache_give_up(mtm_cache *c, int64_t item)
{
    set_state(c, item, UNKNOWN, NULL);
}

void mtm_cache_leave(mtm_cache *c, mtm_cached *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&c->lock);
    e->users--, e->left--;
    if (!e->keep && !e->users && e->left <= 0)
        drop_passing(c, e);
    pthread_mutex_unlock(&c->lock);
}

void mtm_cache_forget(mtm_cache *c)
{
    pthread_mutex_lock(&c->lock);
    for (mtm_cached *e = c->passing, *next; e; e = next) {
        next = e->next;
        if (!e->users)
            drop_passing(c, e);
    }
    pthread_mutex_unlock(&c->lock);
}

uint64_t mtm_cache_bytes(mtm_cache *c, uint64_t *held)
{
    uint64_t kept;

    pthread_mutex_lock(&c->lock);
    kept = c->kept_bytes, *held = c->held_bytes;
    pthread_mutex_unlock(&c->lock);
    return kept;
}

/* ---- filling ------------------------------------------------------------------------------------------ */

static bool touched(const mtm_sample *s, int32_t field)
{
    const mtm_field_plan *const f = &s->fields[field];

    for (int32_t i = f->first; i < s->planned; i++)
        if (s->drawn[i].op && mtm_chain_applies(&s->chain->steps[i], s->drawn[i].op, f->item->name, f->label))
            return true;
    return false;
}

/* Memory that the entry will take: nothing where the item's own array stays as it is. */
static uint64_t entry_bytes(const mtm_sample *s)
{
    uint64_t sum = 0;

    for (int32_t i = 0; i < s->n_fields; i++) {
        const mtm_field_plan *const f = &s->fields[i];
        uint64_t bytes = mtm_dtype_size(f->spec.dtype);

        if (f->points && !mtm_add_u64(sum, (uint64_t)f->xyz.shape[0] * 3 * sizeof(double), &sum))
            return UINT64_MAX;
        if (!f->picture || (!f->source.image && !touched(s, i)))
            continue;
        for (int k = 0; k < 3; k++)
            if (!mtm_mul_u64(bytes, (uint64_t)f->spec.size[k], &bytes))
                return UINT64_MAX;
        if (!mtm_mul_u64(bytes, (uint64_t)f->spec.channels, &bytes) || !mtm_add_u64(sum, bytes, &sum))
            return UINT64_MAX;
    }
    return sum;
}

/* Counts the bytes as kept, if there is room. */
static bool reserve(mtm_cache *c, uint64_t bytes)
{
    bool fits;

    pthread_mutex_lock(&c->lock);
    fits = bytes <= c->limit_bytes - c->kept_bytes;
    c->kept_bytes += fits ? bytes : 0;
    pthread_mutex_unlock(&c->lock);
    return fits;
}

static mtm_status entry_new(mtm_cached **out, int32_t n, mtm_error *err)
{
    MTM_AUTO(mtm_cached) e = mtm_alloc_zero(1, sizeof *e);

    if (!e)
        return MTM_NOMEM(err);
    e->n_fields = n;
    e->arrays = mtm_alloc_zero((size_t)n, sizeof *e->arrays);
    e->specs = mtm_alloc_zero((size_t)n, sizeof *e->specs);
    e->stats = mtm_alloc_zero((size_t)n, sizeof *e->stats);
    e->stats_known = mtm_alloc_zero((size_t)n, sizeof *e->stats_known);
    e->tables = mtm_alloc_zero((size_t)n, sizeof *e->tables);
    e->point_axes = mtm_alloc_zero((size_t)n, sizeof *e->point_axes);
    if (!e->point_axes || !e->arrays || !e->specs || !e->stats || !e->stats_known || !e->tables)
        return MTM_NOMEM(err);
    *out = mtm_cached_steal(&e);
    return MTM_OK;
}

static mtm_status fill_field(mtm_cached *e, mtm_sample *s, int32_t i, mtm_recycler *r, mtm_error *err)
{
    mtm_field_plan *const f = &s->fields[i];
    const int64_t shape[4] = {f->spec.channels, f->spec.size[0], f->spec.size[1], f->spec.size[2]};
    const bool same = !touched(s, i);
    mtm_box all = {.ndim = 3};

    e->specs[i] = f->spec;
    if (same && !f->source.image) {
        e->arrays[i] = f->source.array;
        e->arrays[i].owner = NULL;
        return MTM_OK;
    }
    MTM_TRY(mtm_array_new(&e->arrays[i], f->spec.dtype, 4, shape, r, err));
    if (!same)
        return mtm_sample_run(s, i, s->planned, &e->arrays[i], err);
    /* The whole file: its statistics cost nothing in the same pass, and a later step may want them. */
    memcpy(all.size, f->spec.size, sizeof f->spec.size);
    e->stats_known[i] = !f->label;
    return mtm_error_where(err,
                           mtm_picture_read(&f->source, &all, s->x, &s->times,
                                            e->stats_known[i] ? &e->stats[i] : NULL, &e->arrays[i], err),
                           mtm_field_place(f->item));
}

/* Points in memory of their own, as they will go on moving. */
static mtm_status copy_points(mtm_array *out, const mtm_array *xyz, mtm_recycler *r, mtm_error *err)
{
    MTM_TRY(mtm_array_new(out, MTM_F64, 2, xyz->shape, r, err));
    memcpy(out->data, xyz->data, (size_t)mtm_array_count(xyz) * sizeof(double));
    return MTM_OK;
}

static mtm_status fill(mtm_cached **out, mtm_sample *s, bool keep, mtm_error *err)
{
    MTM_AUTO(mtm_cached) e = NULL;

    MTM_TRY(entry_new(&e, s->n_fields, err));
    for (int32_t i = 0; i < s->n_fields; i++) {
        mtm_recycler *const r = keep ? NULL : s->x->recycler;

        if (s->fields[i].picture)
            MTM_TRY(fill_field(e, s, i, r, err));
        if (s->fields[i].points)
            MTM_TRY(copy_points(&e->arrays[i], &s->fields[i].xyz, r, err));
        e->point_axes[i] = s->fields[i].point_axes;
    }
    *out = mtm_cached_steal(&e);
    return MTM_OK;
}

/* Entries without room are held for crops to come; only the newest can still have any that are not begun. */
static void publish(mtm_cache *c, mtm_cached *e)
{
    pthread_mutex_lock(&c->lock);
    if (!e->keep) {
        for (mtm_cached *old = c->passing ? c->passing->next : NULL, *next; old; old = next) {
            next = old->next;
            if (!old->users)
                drop_passing(c, old);
        }
        e->next = c->passing, c->passing = e;
        c->held_bytes += e->bytes;
    }
    c->items[e->item] = (item_slot){.entry = e, .state = READY};
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

mtm_status mtm_cache_fill(mtm_cache *c, mtm_sample *s, int64_t item, mtm_cached **out, mtm_error *err)
{
    const int32_t prefix = mtm_chain_prefix(s->chain);
    mtm_status st = mtm_sample_plan(s, prefix, err);
    const uint64_t bytes = st ? 0 : entry_bytes(s);
    const bool keep = !st && reserve(c, bytes);
    mtm_cached *e = NULL;

    *out = NULL;
    if (!st && !keep && c->uses == 1) {
        set_state(c, item, NO_ROOM, NULL);
        return MTM_OK;
    }
    if (!st)
        st = fill(&e, s, keep, err);
    if (st) {
        pthread_mutex_lock(&c->lock);
        c->kept_bytes -= keep ? bytes : 0;
        pthread_mutex_unlock(&c->lock);
        mtm_cache_give_up(c, item);
        return st;
    }
    e->cache = c, e->item = item, e->bytes = bytes, e->keep = keep, e->users = 1, e->left = c->uses;
    publish(c, e);
    *out = e;
    return MTM_OK;
}

/* ---- using -------------------------------------------------------------------------------------------- */

/* Made once per entry where there is room; two workers may make it at the same time, one of them in vain. */
static mtm_status entry_table(void *user, int32_t field, mtm_exec *x, const mtm_label_table **out,
                              bool *owned, mtm_error *err)
{
    mtm_cached *const e = user;
    mtm_cache *const c = e->cache;
    mtm_label_table *made;
    mtm_array zyx = e->arrays[field];
    uint64_t bytes;

    pthread_mutex_lock(&c->lock);
    *out = e->tables[field];
    pthread_mutex_unlock(&c->lock);
    *owned = false;
    if (*out)
        return MTM_OK;
    zyx.ndim = 3, zyx.owner = NULL;
    memmove(zyx.shape, zyx.shape + 1, 3 * sizeof *zyx.shape);
    memmove(zyx.stride, zyx.stride + 1, 3 * sizeof *zyx.stride);
    MTM_TRY(mtm_label_table_new(&made, &zyx, err));
    bytes = (uint64_t)(made->offset[made->n_classes] + 3 * (int64_t)made->n_classes + 1) * sizeof *made->at;
    *out = made;
    pthread_mutex_lock(&c->lock);
    *owned = e->tables[field] || (e->keep && bytes > c->limit_bytes - c->kept_bytes);
    if (!*owned) {
        e->tables[field] = made;
        e->bytes += bytes;
        c->kept_bytes += e->keep ? bytes : 0;
        c->held_bytes += e->keep ? 0 : bytes;
    }
    pthread_mutex_unlock(&c->lock);
    return MTM_OK;
}

static void open_picture(mtm_cached *e, mtm_field_plan *f, int32_t i)
{
    f->source = (mtm_picture_source){
        .array = e->arrays[i], .spec = e->specs[i], .stats = e->stats_known[i] ? &e->stats[i] : NULL};
    f->spec = e->specs[i];
}

mtm_status mtm_cache_open(mtm_cached *e, mtm_sample *s, const mtm_item *item, mtm_error *err)
{
    const int32_t prefix = mtm_chain_prefix(s->chain);

    mtm_sample_close(s);
    for (int32_t i = 0; i < s->n_fields; i++) {
        mtm_field_plan *const f = &s->fields[i];

        f->item = &item->fields[i];
        f->points = mtm_chain_is_points(s->chain, f->item->name);
        f->picture = f->item->kind <= MTM_FIELD_ARRAY && !f->points;
        f->label = f->picture && mtm_chain_is_label(s->chain, f->item->name);
        f->first = prefix;
        if (f->picture)
            open_picture(e, f, i);
    }
    s->planned = prefix;
    s->tables = entry_table, s->tables_user = e;
    for (int32_t i = 0; i < s->n_fields; i++)
        if (s->fields[i].points) {
            MTM_TRY(copy_points(&s->fields[i].xyz, &e->arrays[i], s->x->recycler, err));
            s->fields[i].point_axes = e->point_axes[i];
        }
    mtm_points_settle(s);
    return MTM_OK;
}
