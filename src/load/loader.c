/* load/loader.c: the loader's life: made, moved to a place in the order, asked for batches, freed. What the workers do is
 * in load/work.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/loader.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/size.h"

enum { MEMORY_BYTES = 64 << 20 }; /* most that is remembered of the items, in small tables */
enum { MOST_THREADS = 512, MOST_PREFETCH = 1024, MOST_BATCH = 1 << 20 };

mtm_loader_options mtm_loader_options_default(void)
{
    return (mtm_loader_options){.struct_size = sizeof(mtm_loader_options),
                                .batch_size = 1,
                                .prefetch = 2,
                                .world = 1,
                                .parts = 1,
                                .samples_per_item = 1};
}

/* ---- making ------------------------------------------------------------------------------------------- */

static mtm_status check_options(const mtm_loader_options *o, mtm_error *err)
{
    if (o->batch_size < 1 || o->batch_size > MOST_BATCH)
        return mtm_fail(err, MTM_E_INVAL, -1, "batch_size must lie in 1 … %d, not %d", MOST_BATCH,
                        o->batch_size);
    if (o->threads < 0 || o->threads > MOST_THREADS)
        return mtm_fail(err, MTM_E_INVAL, -1, "threads must lie in 0 … %d, not %d", MOST_THREADS, o->threads);
    if (o->prefetch < 1 || o->prefetch > MOST_PREFETCH)
        return mtm_fail(err, MTM_E_INVAL, -1, "prefetch must lie in 1 … %d, not %d", MOST_PREFETCH,
                        o->prefetch);
    if (o->world < 1 || o->rank < 0 || o->rank >= o->world)
        return mtm_fail(err, MTM_E_INVAL, -1, "shard %d of %d does not exist", o->rank, o->world);
    if (o->parts < 1 || o->part < 0 || o->part >= o->parts)
        return mtm_fail(err, MTM_E_INVAL, -1, "part %d of %d does not exist", o->part, o->parts);
    if (o->samples_per_item < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "samples_per_item must be at least 1, not %d",
                        o->samples_per_item);
    return MTM_OK;
}

static int32_t usable_cpus(void)
{
    cpu_set_t set;
    const int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);

    return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : n;
}

static mtm_status new_ring(mtm_loader *l, mtm_error *err)
{
    l->numbers = mtm_alloc_zero((size_t)l->opt.batch_size, sizeof *l->numbers);
    l->ring = mtm_alloc_zero((size_t)l->opt.prefetch, sizeof *l->ring);
    if (!l->numbers || !l->ring)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < l->opt.prefetch; i++) {
        mtm_making *const m = &l->ring[i];

        m->jobs = mtm_alloc_zero((size_t)l->opt.batch_size, sizeof *m->jobs);
        m->good = mtm_alloc_zero((size_t)l->opt.batch_size, sizeof(mtm_sample *));
        if (!m->jobs || !m->good)
            return MTM_NOMEM(err);
        for (int32_t k = 0; k < l->opt.batch_size; k++)
            MTM_TRY(mtm_sample_new(&m->jobs[k].sample, l->chain, l->items.n_fields, err));
    }
    return MTM_OK;
}

static mtm_status new_workers(mtm_loader *l, mtm_error *err)
{
    l->n_threads = l->opt.threads ? l->opt.threads : usable_cpus();
    l->workers = mtm_alloc_zero((size_t)l->n_threads, sizeof *l->workers);
    if (!l->workers)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < l->n_threads; i++) {
        l->workers[i].loader = l;
        MTM_TRY(mtm_exec_new(&l->workers[i].x, NULL, l->recycler, err));
    }
    return MTM_OK;
}

static void new_locks(mtm_loader *l)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static mtm_status fill_loader(mtm_loader *l, const mtm_item *items, int64_t n_items, mtm_error *err)
{
    const bool shares = l->opt.cache_bytes || l->opt.samples_per_item > 1;

    if (!l->chain) {
        MTM_TRY(mtm_chain_new(&l->own_chain, err));
        l->chain = l->own_chain;
    }
    MTM_TRY(mtm_items_copy(&l->items, items, n_items, err));
    for (int64_t i = 0; i < n_items; i++) {
        const mtm_status st = mtm_chain_check_item(l->chain, &l->items.at[i], err);

        if (st && err)
            mtm_items_blame(err, &l->items.at[i], i);
        MTM_TRY(st);
    }
    MTM_TRY(mtm_sampler_init(&l->sampler, n_items, &l->opt, err));
    MTM_TRY(
        mtm_recycler_new(&l->recycler, (size_t)16 << 20, err)); /* raised when the first batch is laid out */
    if (l->opt.index_path)
        MTM_TRY(mtm_index_open(&l->index, l->opt.index_path, err));
    if (shares)
        MTM_TRY(mtm_cache_new(&l->cache, n_items, l->items.n_fields, l->opt.cache_bytes,
                              l->opt.samples_per_item, err));
    MTM_TRY(mtm_memory_new(&l->memory, MEMORY_BYTES, err));
    MTM_TRY(new_workers(l, err));
    return new_ring(l, err);
}

mtm_status mtm_loader_new(mtm_loader **out, const mtm_item *items, int64_t n_items, const mtm_chain *chain,
                          const mtm_loader_options *opt, mtm_error *err)
{
    mtm_loader_options o = mtm_loader_options_default();
    mtm_loader *l;
    mtm_status st;

    if (opt)
        memcpy(&o, opt, opt->struct_size && opt->struct_size < sizeof o ? opt->struct_size : sizeof o);
    MTM_TRY(check_options(&o, err));
    if (n_items < 0 || (n_items && !items))
        return mtm_fail(err, MTM_E_INVAL, -1, "items must be a list");
    l = mtm_alloc_zero(1, sizeof *l);
    if (!l)
        return MTM_NOMEM(err);
    new_locks(l);
    l->chain = chain, l->opt = o;
    l->limits = o.limits ? *o.limits : mtm_limits_default();
    st = fill_loader(l, items, n_items, err);
    l->opt.limits = NULL, l->opt.index_path = NULL, l->opt.classes = NULL,
    l->opt.weights = NULL; /* the caller's */
    if (st)
        mtm_loader_free(l);
    else
        *out = l;
    return st;
}

/* ---- stopping ----------------------------------------------------------------------------------------- */

static void cancel_all(mtm_loader *l)
{
    for (int32_t i = 0; l->ring && i < l->opt.prefetch; i++)
        atomic_store(&l->ring[i].cancel, true);
}

/* Closes what the ring holds. No worker is in it. */
static void empty_ring(mtm_loader *l)
{
    for (int32_t i = 0; l->ring && i < l->opt.prefetch; i++) {
        mtm_making *const m = &l->ring[i];

        for (int32_t k = 0; m->jobs && k < m->n; k++) {
            mtm_sample_close(m->jobs[k].sample);
            mtm_cache_leave(l->cache, m->jobs[k].entry);
            m->jobs[k].entry = NULL;
        }
        mtm_batch_release(m->batch);
        m->batch = NULL, m->n = 0;
    }
}

static void free_ring(mtm_loader *l)
{
    for (int32_t i = 0; l->ring && i < l->opt.prefetch; i++) {
        for (int32_t k = 0; l->ring[i].jobs && k < l->opt.batch_size; k++)
            mtm_sample_free(l->ring[i].jobs[k].sample);
        mtm_free(l->ring[i].jobs);
        mtm_free(l->ring[i].good);
    }
    mtm_free(l->ring);
    mtm_free(l->numbers);
}

void mtm_loader_free(mtm_loader *l)
{
    if (!l ||
        (l->owner && l->owner != getpid())) /* the workers live in the parent; their locks may be held here */
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    cancel_all(l);
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int32_t i = 0; i < l->n_started; i++)
        pthread_join(l->workers[i].thread, NULL);
    mtm_pool_free(l->pool);
    empty_ring(l);
    free_ring(l);
    for (int32_t i = 0; l->workers && i < l->n_threads; i++)
        mtm_exec_free(l->workers[i].x);
    mtm_free(l->workers);
    mtm_cache_free(l->cache);
    mtm_memory_free(l->memory);
    mtm_index_close(l->index);
    mtm_recycler_free(l->recycler);
    mtm_sampler_clear(&l->sampler);
    mtm_items_clear(&l->items);
    mtm_chain_free(l->own_chain);
    pthread_cond_destroy(&l->ready);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    mtm_free(l);
}

/* ---- places ------------------------------------------------------------------------------------------- */

static mtm_status check_process(const mtm_loader *l, mtm_error *err)
{
    if (l->owner && l->owner != getpid())
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "this loader's workers belong to the parent process; make a new loader after fork");
    return MTM_OK;
}

int64_t mtm_loader_batches(const mtm_loader *l)
{
    return l->sampler.batches;
}

/* Lock held on entry and return. */
static void go_to(mtm_loader *l, mtm_place place)
{
    cancel_all(l);
    l->n_ring = 0; /* nothing more is begun */
    while (l->busy)
        pthread_cond_wait(&l->ready, &l->lock);
    empty_ring(l);
    if (l->cache)
        mtm_cache_forget(l->cache);
    l->head = 0;
    l->at = l->next_in = place;
}

mtm_status mtm_loader_seek(mtm_loader *l, int64_t epoch, int64_t batch, mtm_error *err)
{
    bool there;

    MTM_TRY(check_process(l, err));
    if (epoch < 0 || batch < 0 || batch > l->sampler.batches)
        return mtm_fail(err, MTM_E_INVAL, -1, "batch %" PRId64 " of epoch %" PRId64 " does not exist", batch,
                        epoch);
    pthread_mutex_lock(&l->lock);
    there = l->at.epoch == epoch && l->at.batch == batch &&
            !(l->n_ring && l->ring[l->head].phase == MTM_READY && l->ring[l->head].st);
    if (!there)
        go_to(l, (mtm_place){epoch, batch});
    pthread_mutex_unlock(&l->lock);
    return MTM_OK;
}

/* ---- batches ------------------------------------------------------------------------------------------ */

/* Fewer samples in the making than threads: the others read slices of the samples' volumes side by side. Without memory or
 * threads for that the workers read alone, the same bytes. */
static void start_helpers(mtm_loader *l)
{
    const int64_t samples = (int64_t)l->opt.prefetch * l->opt.batch_size;

    if (samples >= l->n_threads || mtm_pool_new(&l->pool, (int)(l->n_threads - samples), NULL))
        return;
    for (int32_t i = 0; i < l->n_threads; i++)
        l->workers[i].x->read_pool = l->pool;
}

/* Workers begin with the first batch that is asked for, so that a loader may be made before a fork. Signals are the
 * program's own threads' business. Lock held. */
static mtm_status start_workers(mtm_loader *l, mtm_error *err)
{
    sigset_t all, before;
    int e = 0;

    l->owner = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    start_helpers(l);
    while (!e && l->n_started < l->n_threads) {
        mtm_worker *const w = &l->workers[l->n_started];

        e = pthread_create(&w->thread, NULL, mtm_loader_work, w);
        l->n_started += !e;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!l->n_started) /* fewer workers than asked for give the same batches */
        return mtm_fail_errno(err, e, "a worker thread could not be started");
    return MTM_OK;
}

/* Waits for the oldest batch. False: the time is over. Lock held. */
static bool wait_ready(mtm_loader *l, int timeout_ms)
{
    const int64_t began = mtm_now_ns(), end = began + (int64_t)timeout_ms * 1000000;
    const struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
    const mtm_making *const m = &l->ring[l->head];
    int e = 0;

    while (m->phase != MTM_READY && e != ETIMEDOUT)
        e = timeout_ms < 0 ? pthread_cond_wait(&l->ready, &l->lock)
                           : pthread_cond_timedwait(&l->ready, &l->lock, &until);
    l->stats.wait_ns += mtm_now_ns() - began;
    return m->phase == MTM_READY;
}

static void count_delivered(mtm_loader *l, const mtm_making *m)
{
    for (int32_t i = 0; i < m->n; i++) {
        const mtm_job *const j = &m->jobs[i];

        if (!j->st) {
            l->stats.cache_hits += j->hit;
            continue;
        }
        l->stats.skipped++;
        snprintf(l->stats.last_skip, sizeof l->stats.last_skip, "%s: %.190s", j->err.where, j->err.text);
    }
    if (!m->batch)
        return;
    l->stats.samples += m->batch->n;
    l->stats.bytes_delivered += mtm_batch_bytes(m->batch);
}

/* Takes the oldest batch, which is ready, out of the ring; NULL: all its samples were left out. Lock held. */
static mtm_batch *take_oldest(mtm_loader *l)
{
    mtm_making *const m = &l->ring[l->head];
    mtm_batch *const b = m->batch;

    count_delivered(l, m);
    m->batch = NULL;
    l->head = (l->head + 1) % l->opt.prefetch;
    l->n_ring--;
    l->at.batch++;
    mtm_loader_schedule(l);
    return b;
}

/* Lock held. */
static mtm_status next_batch(mtm_loader *l, int timeout_ms, mtm_batch **out, bool *timed_out, mtm_error *err)
{
    *out = NULL, *timed_out = false;
    if (l->n_started == 0)
        MTM_TRY(start_workers(l, err));
    mtm_loader_schedule(l);
    while (!*out) {
        if (l->at.batch >= l->sampler.batches) {
            l->at = (mtm_place){l->at.epoch + 1, 0};
            return MTM_OK;
        }
        if (!wait_ready(l, timeout_ms)) {
            *timed_out = true;
            return MTM_OK;
        }
        if (l->ring[l->head].st) {
            if (err)
                *err = l->ring[l->head].err;
            return l->ring[l->head].st;
        }
        *out = take_oldest(l);
    }
    return MTM_OK;
}

mtm_status mtm_loader_next(mtm_loader *l, int timeout_ms, mtm_batch **out, bool *timed_out, mtm_error *err)
{
    bool unused;
    mtm_status st;

    MTM_TRY(check_process(l, err));
    pthread_mutex_lock(&l->lock);
    st = next_batch(l, timeout_ms, out, timed_out ? timed_out : &unused, err);
    pthread_mutex_unlock(&l->lock);
    return st;
}

void mtm_loader_stats_get(mtm_loader *l, mtm_loader_stats *out)
{
    uint64_t held = 0;
    const int64_t kept = l->cache ? (int64_t)mtm_cache_bytes(l->cache, &held) : 0;

    pthread_mutex_lock(&l->lock);
    *out = l->stats;
    out->bound_bytes = l->n_threads * l->most_scratch + (l->opt.prefetch + 1) * l->most_batch;
    pthread_mutex_unlock(&l->lock);
    out->cache_bytes = kept;
    out->bound_bytes += (int64_t)mtm_max_i64((int64_t)l->opt.cache_bytes, kept) + (int64_t)held;
    out->bound_bytes += (int64_t)mtm_memory_bytes(l->memory);
}
