/* base/pool.c: fixed workers over two bounded queues.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE_ROOM = 256, MAX_THREADS = 512 };

typedef struct task {
    void (*fn)(void *arg);
    void *arg;
    mtm_group *group;
} task;

typedef struct queue { /* a ring */
    task at[QUEUE_ROOM];
    int head, n;
} queue;

struct mtm_pool {
    pthread_mutex_t lock;   /* guards all below; no other lock is taken under it */
    pthread_cond_t changed; /* a task came, a group ended, room came, or the pool closes */
    queue lanes[MTM_N_LANES];
    int io_running, io_most;
    bool closing;
    int n_threads;
    pid_t owner; /* a forked child has no workers */
    pthread_t threads[];
};

int64_t mtm_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static task queue_pop(queue *q)
{
    const task t = q->at[q->head];

    q->head = (q->head + 1) % QUEUE_ROOM, q->n--;
    return t;
}

static void queue_push(queue *q, task t)
{
    q->at[(q->head + q->n++) % QUEUE_ROOM] = t;
}

/* Takes the next task that may run now. Lock held. */
static bool pick(mtm_pool *p, task *t, mtm_lane *lane)
{
    if (p->lanes[MTM_LANE_IO].n && p->io_running < p->io_most) {
        *lane = MTM_LANE_IO, p->io_running++;
        *t = queue_pop(&p->lanes[MTM_LANE_IO]);
        return true;
    }
    if (p->lanes[MTM_LANE_COMPUTE].n) {
        *lane = MTM_LANE_COMPUTE;
        *t = queue_pop(&p->lanes[MTM_LANE_COMPUTE]);
        return true;
    }
    return false;
}

/* Runs one task; the lock is held on entry and on return, not in between. */
static void run(mtm_pool *p, task t, mtm_lane lane)
{
    pthread_mutex_unlock(&p->lock);
    t.fn(t.arg);
    pthread_mutex_lock(&p->lock);
    if (lane == MTM_LANE_IO)
        p->io_running--;
    if (t.group)
        t.group->pending--;
    pthread_cond_broadcast(&p->changed);
}

static void *work(void *arg)
{
    mtm_pool *const p = arg;
    mtm_lane lane;
    task t;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        if (pick(p, &t, &lane))
            run(p, t, lane);
        else if (p->closing && !p->lanes[MTM_LANE_IO].n && !p->lanes[MTM_LANE_COMPUTE].n)
            break;
        else
            pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static int cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

mtm_status mtm_pool_new(mtm_pool **out, int threads, mtm_error *err)
{
    mtm_pool *p;

    if (threads < 0 || threads > MAX_THREADS)
        return mtm_fail(err, MTM_E_INVAL, -1, "threads must lie in 0 … %d, not %d", MAX_THREADS, threads);
    if (threads == 0)
        threads = cpus() < MAX_THREADS ? cpus() : MAX_THREADS;
    p = mtm_alloc_zero(1, sizeof *p + (size_t)threads * sizeof *p->threads);
    if (!p)
        return MTM_NOMEM(err);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->io_most = threads > 1 ? threads / 2 : 1;
    p->owner = getpid();
    for (; p->n_threads < threads; p->n_threads++) {
        const int e = pthread_create(&p->threads[p->n_threads], NULL, work, p);
        if (e) {
            mtm_pool_free(p);
            return mtm_fail_errno(err, e, "a worker thread could not be started");
        }
    }
    *out = p;
    return MTM_OK;
}

void mtm_pool_free(mtm_pool *p)
{
    if (!p)
        return;
    if (p->owner != getpid()) /* the workers live in the parent; their locks may be held for ever here */
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    mtm_free(p);
}

int mtm_pool_threads(const mtm_pool *p)
{
    return p ? p->n_threads : 1;
}

mtm_status mtm_pool_submit(mtm_pool *p, mtm_lane lane, mtm_group *g, void (*fn)(void *arg), void *arg,
                           mtm_error *err)
{
    mtm_lane other;
    task t;

    if (!p) {
        fn(arg);
        return MTM_OK;
    }
    if (p->owner != getpid())
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "this thread pool belongs to the parent process; make a new one after fork");
    pthread_mutex_lock(&p->lock);
    while (p->lanes[lane].n == QUEUE_ROOM) {
        if (pick(p, &t, &other))
            run(p, t, other);
        else
            pthread_cond_wait(&p->changed, &p->lock);
    }
    if (g)
        g->pending++;
    queue_push(&p->lanes[lane], (task){fn, arg, g});
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return MTM_OK;
}

void mtm_pool_wait(mtm_pool *p, mtm_group *g)
{
    mtm_lane lane;
    task t;

    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    while (g->pending) {
        if (pick(p, &t, &lane))
            run(p, t, lane);
        else
            pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

typedef struct split { /* one mtm_pool_for */
    void (*fn)(void *arg, int64_t lo, int64_t hi);
    void *arg;
    int64_t n, grain;
    atomic_llong next; /* first index that no thread has taken */
    const atomic_bool *cancel;
} split;

static void split_work(void *arg)
{
    split *const s = arg;

    while (!(s->cancel && atomic_load_explicit(s->cancel, memory_order_relaxed))) {
        const int64_t lo = atomic_fetch_add(&s->next, s->grain);
        if (lo >= s->n)
            return;
        s->fn(s->arg, lo, lo + s->grain < s->n ? lo + s->grain : s->n);
    }
}

mtm_status mtm_pool_for(mtm_pool *p, int64_t n, int64_t grain, void (*fn)(void *arg, int64_t lo, int64_t hi),
                        void *arg, const atomic_bool *cancel, mtm_error *err)
{
    split s = {.fn = fn, .arg = arg, .n = n, .grain = grain > 0 ? grain : 1, .cancel = cancel};
    const int64_t pieces = n > 0 ? (n - 1) / s.grain + 1 : 0;
    mtm_group g = {0};

    atomic_init(&s.next, 0);
    for (int64_t i = 1; p && i < p->n_threads && i < pieces; i++) {
        const mtm_status st = mtm_pool_submit(p, MTM_LANE_COMPUTE, &g, split_work, &s, err);
        if (st) {
            mtm_pool_wait(p, &g);
            return st;
        }
    }
    split_work(&s);
    mtm_pool_wait(p, &g);
    if (cancel && atomic_load(cancel))
        return mtm_fail(err, MTM_E_CANCELLED, -1, "cancelled");
    return MTM_OK;
}
