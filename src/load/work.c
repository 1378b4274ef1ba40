/* load/work.c: what the loader's workers do: plan samples, lay batches out, run samples into their slots.
 * SPDX-License-Identifier: Apache-2.0 */
#include "load/loader.h"

#include "base/size.h"

enum { KEPT_BESIDES = 4 << 20 }; /* bytes of small things that are recycled: compressed blocks, batch heads */

/* ---- one sample --------------------------------------------------------------------------------------- */

static const mtm_item *item_of(const mtm_loader *l, const mtm_job *j, int64_t *item)
{
    *item = j->number / l->opt.samples_per_item % l->items.n;
    return &l->items.at[*item];
}

/* Opens the sources: from the cache where the item is or can be kept, else the item's files. */
static mtm_status open_sources(mtm_loader *l, mtm_job *j, mtm_error *err)
{
    int64_t number;
    const mtm_item *const item = item_of(l, j, &number);
    const mtm_cache_answer answer = l->cache ? mtm_cache_get(l->cache, number, &j->entry) : MTM_CACHE_NONE;
    mtm_status st;

    j->hit = answer == MTM_CACHE_HIT;
    if (j->hit)
        return mtm_cache_open(j->entry, j->sample, item, err);
    st = mtm_sample_open(j->sample, item, l->index, &l->limits, err);
    if (answer == MTM_CACHE_MAKE) {
        if (st)
            mtm_cache_give_up(l->cache, number);
        else
            st = mtm_cache_fill(l->cache, j->sample, number, &j->entry, err);
        if (!st && j->entry)
            st = mtm_cache_open(j->entry, j->sample, item, err);
    }
    return st;
}

static mtm_status plan_job(mtm_loader *l, mtm_making *m, mtm_job *j, mtm_error *err)
{
    mtm_sample *const s = j->sample;

    s->seed = l->opt.seed, s->epoch = m->epoch, s->number = j->number;
    s->memory = l->memory;
    item_of(l, j, &s->item);
    MTM_TRY(open_sources(l, j, err));
    return mtm_sample_plan(s, l->chain->n, err);
}

static mtm_status run_job(mtm_loader *l, mtm_making *m, mtm_job *j, mtm_error *err)
{
    mtm_sample *const s = j->sample;

    for (int32_t f = 0; f < s->n_fields; f++) {
        mtm_array slot;

        if (!s->fields[f].picture)
            continue;
        slot = mtm_batch_slot(m->batch, f, j->slot, &s->fields[f].spec);
        MTM_TRY(mtm_sample_run(s, f, l->chain->n, &slot, err));
    }
    return MTM_OK;
}

/* The sample is done with, well or not: its files, memory and hold on the cache go. */
static void close_job(mtm_loader *l, mtm_job *j)
{
    mtm_sample_close(j->sample);
    if (j->entry)
        mtm_cache_leave(l->cache, j->entry);
    j->entry = NULL;
}

/* ---- one batch ---------------------------------------------------------------------------------------- */

/* Out of memory or told to stop: not the item's fault. */
static bool is_items_fault(mtm_status st)
{
    return st != MTM_E_NOMEM && st != MTM_E_CANCELLED;
}

static bool leaves_out(const mtm_loader *l, const mtm_job *j)
{
    return j->st && l->opt.skip_bad && is_items_fault(j->st);
}

/* The failure that the consumer will see: the first in the order of the batch, whichever came first in time. */
static bool failed(const mtm_loader *l, mtm_making *m)
{
    for (int32_t i = 0; i < m->n; i++)
        if (m->jobs[i].st && !leaves_out(l, &m->jobs[i])) {
            m->st = m->jobs[i].st, m->err = m->jobs[i].err;
            return true;
        }
    return false;
}

static int64_t scratch_of(const mtm_sample *s)
{
    int64_t most = 0;

    for (int32_t i = 0; i < s->n_fields; i++)
        most = mtm_max_i64(most, s->fields[i].scratch_bytes);
    return most;
}

/* All samples are planned: their shapes make the batch. Only the calling worker touches the batch meanwhile. */
static void lay_out(mtm_loader *l, mtm_making *m)
{
    const mtm_batch_layout how = {.pad = l->opt.pad_ragged,
                                  .pad_value = l->opt.pad_value,
                                  .integral = l->items.integral,
                                  .recycler = l->recycler};
    mtm_sample **const good = m->good;
    int32_t n = 0;

    if (failed(l, m))
        return;
    for (int32_t i = 0; i < m->n; i++) {
        mtm_job *const j = &m->jobs[i];

        j->slot = j->st ? -1 : n;
        if (!j->st)
            good[n++] = j->sample;
    }
    if (n)
        m->st = mtm_batch_new(&m->batch, &how, good, n, &m->err);
    if (!m->batch)
        return;
    m->batch->epoch = m->epoch, m->batch->number = m->number;
    for (int32_t i = 0; i < n; i++)
        m->scratch_bytes = mtm_max_i64(m->scratch_bytes, scratch_of(good[i]));
    m->batch_bytes = mtm_batch_bytes(m->batch);
    /* one batch more than the ring holds: the consumer's */
    mtm_recycler_keep(l->recycler, (size_t)(m->scratch_bytes * l->n_threads +
                                            m->batch_bytes * (l->opt.prefetch + 1) + KEPT_BESIDES));
}

/* All samples have run: those that failed leave the batch. */
static void finish(mtm_loader *l, mtm_making *m)
{
    for (int32_t i = 0; i < m->n; i++)
        close_job(l, &m->jobs[i]);
    if ((!m->st && failed(l, m)) || m->st) {
        mtm_batch_release(m->batch);
        m->batch = NULL;
        return;
    }
    for (int32_t i = m->n - 1; m->batch && i >= 0; i--)
        if (m->jobs[i].st && m->jobs[i].slot >= 0)
            mtm_batch_remove(m->batch, m->jobs[i].slot);
    if (m->batch && !m->batch->n) {
        mtm_batch_release(m->batch);
        m->batch = NULL;
    }
}

/* ---- the ring ----------------------------------------------------------------------------------------- */

static void begin(mtm_loader *l, mtm_making *m, int64_t n)
{
    m->epoch = l->next_in.epoch, m->number = l->next_in.batch;
    m->phase = MTM_PLANNING;
    m->n = m->todo = (int32_t)n;
    m->begun = m->done = 0;
    m->batch = NULL, m->st = MTM_OK, m->scratch_bytes = m->batch_bytes = 0;
    atomic_store(&m->cancel, false);
    for (int32_t i = 0; i < m->n; i++) {
        m->jobs[i].number = l->numbers[i];
        m->jobs[i].slot = -1;
        m->jobs[i].st = MTM_OK;
    }
}

void mtm_loader_schedule(mtm_loader *l)
{
    while (l->sampler.batches && l->n_ring < l->opt.prefetch) {
        if (l->next_in.batch == l->sampler.batches)
            l->next_in = (mtm_place){l->next_in.epoch + 1, 0};
        begin(l, &l->ring[(l->head + l->n_ring++) % l->opt.prefetch],
              mtm_sampler_batch(&l->sampler, l->next_in.epoch, l->next_in.batch, l->numbers));
        l->next_in.batch++;
        pthread_cond_broadcast(&l->work);
    }
}

/* The oldest batch that has something to do. Lock held. */
static mtm_making *pick(mtm_loader *l, mtm_job **job)
{
    for (int32_t i = 0; i < l->n_ring; i++) {
        mtm_making *const m = &l->ring[(l->head + i) % l->opt.prefetch];

        while ((m->phase == MTM_PLANNING || m->phase == MTM_RUNNING) && m->begun < m->n) {
            *job = &m->jobs[m->begun++];
            if (m->phase == MTM_PLANNING || (*job)->slot >= 0) /* others were left out while planning */
                return m;
        }
    }
    return NULL;
}

/* Works on one sample; the lock is not held. */
static void do_job(mtm_loader *l, mtm_exec *x, mtm_making *m, mtm_job *j)
{
    int64_t item;

    x->cancel = &m->cancel;
    j->sample->x = x;
    j->err = (mtm_error){.offset = -1};
    if (atomic_load(&m->cancel))
        j->st = mtm_fail(&j->err, MTM_E_CANCELLED, -1, "cancelled");
    else
        j->st = m->phase == MTM_PLANNING ? plan_job(l, m, j, &j->err) : run_job(l, m, j, &j->err);
    if (j->st) {
        const mtm_item *const of = item_of(l, j, &item);

        j->err.code = j->st;
        mtm_items_blame(&j->err, of, item);
    }
    if (j->st || m->phase == MTM_RUNNING)
        close_job(l, j);
}

/* Adds what a sample took to the sums. Lock held. */
static void count_times(mtm_loader *l, mtm_exec *x, mtm_sample *s)
{
    l->stats.read_ns += s->times.read_ns[0];
    l->stats.inflate_ns += s->times.read_ns[1];
    l->stats.decode_ns += s->times.read_ns[2];
    l->stats.apply_ns += s->times.apply_ns;
    l->stats.geometry_ns += x->geometry_ns;
    l->stats.intensity_ns += x->intensity_ns;
    s->times = (mtm_sample_times){0};
    x->geometry_ns = x->intensity_ns = 0;
}

static void become_ready(mtm_loader *l, mtm_making *m)
{
    pthread_mutex_unlock(&l->lock);
    finish(l, m);
    pthread_mutex_lock(&l->lock);
    l->most_scratch = mtm_max_i64(l->most_scratch, m->scratch_bytes);
    l->most_batch = mtm_max_i64(l->most_batch, m->batch_bytes);
    m->phase = MTM_READY;
    pthread_cond_broadcast(&l->ready);
}

/* The last sample of a phase ends it. Lock held on entry and return. */
static void after_job(mtm_loader *l, mtm_making *m)
{
    if (++m->done < m->todo)
        return;
    if (m->phase == MTM_PLANNING) {
        m->phase = MTM_LAYING_OUT;
        pthread_mutex_unlock(&l->lock);
        lay_out(l, m);
        pthread_mutex_lock(&l->lock);
        if (m->batch) {
            m->begun = m->done = 0;
            m->todo = m->batch->n;
            m->phase = MTM_RUNNING;
            pthread_cond_broadcast(&l->work);
            return;
        }
    }
    become_ready(l, m);
}

void *mtm_loader_work(void *arg)
{
    const mtm_worker *const w = arg;
    mtm_loader *const l = w->loader;
    mtm_exec *const x = w->x;
    mtm_job *j = NULL;

    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        mtm_making *const m = pick(l, &j);

        if (!m) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        l->busy++;
        pthread_mutex_unlock(&l->lock);
        do_job(l, x, m, j);
        pthread_mutex_lock(&l->lock);
        count_times(l, x, j->sample);
        after_job(l, m);
        if (!--l->busy)
            pthread_cond_broadcast(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}
