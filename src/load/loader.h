/* load/loader.h: the loader from inside. The consumer and the workers share a ring of batches in the making:
 *
 *   next place in the order → plan every sample → lay the batch out → run every sample into its slot → ready → consumer
 *
 * One lock guards the ring; it is never held while a sample is worked on. What a batch holds depends only on its place in
 * the order, never on which worker made it or when.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_LOADER_H
#define MTM_LOAD_LOADER_H

#include <pthread.h>
#include <sys/types.h>

#include "load/batch.h"
#include "load/cache.h"
#include "load/items.h"
#include "load/sampler.h"

typedef struct mtm_job { /* one sample of a batch in the making */
    mtm_sample *sample;
    mtm_cached *entry; /* held while the sample is; NULL: none */
    int64_t number;    /* of the sample, as mtm_batch.index */
    int32_t slot;      /* in the batch; −1: left out */
    bool hit;          /* came from the cache */
    mtm_status st;
    mtm_error err;
} mtm_job;

typedef enum mtm_phase { MTM_PLANNING, MTM_LAYING_OUT, MTM_RUNNING, MTM_READY } mtm_phase;

typedef struct mtm_making { /* a batch in the making */
    int64_t epoch, number;
    mtm_phase phase;
    int32_t n;                 /* jobs */
    int32_t begun, done, todo; /* of the phase */
    atomic_bool cancel;
    mtm_job *jobs;     /* room for batch_size */
    mtm_sample **good; /* room for batch_size: those that are laid out */
    int64_t scratch_bytes, batch_bytes;
    mtm_batch *batch;
    mtm_status st; /* READY: why there is no batch */
    mtm_error err;
} mtm_making;

typedef struct mtm_worker {
    mtm_loader *loader;
    mtm_exec *x;
    pthread_t thread;
} mtm_worker;

typedef struct mtm_place {
    int64_t epoch, batch;
} mtm_place;

struct mtm_loader {
    /* unchanged after mtm_loader_new */
    mtm_items items;
    const mtm_chain *chain;
    mtm_chain *own_chain; /* an empty one, when none was given */
    mtm_loader_options opt;
    mtm_limits limits;
    mtm_index *index;
    mtm_cache *cache; /* NULL: none */
    mtm_memory *memory;
    mtm_recycler *recycler;
    mtm_pool *
        pool; /* threads that have no sample of their own to work on help to read; NULL: none, or none started */
    mtm_worker *workers;
    int32_t n_threads;
    pid_t owner; /* whose threads the workers are; 0: none started yet */

    pthread_mutex_t lock; /* guards all below. Order: this one, then the cache's or the recycler's */
    pthread_cond_t work;  /* for the workers */
    pthread_cond_t ready; /* for the consumer: a batch is ready, or no worker is in the ring */
    int32_t n_started;
    bool stop;
    mtm_sampler sampler;
    mtm_making *ring; /* opt.prefetch of them */
    int32_t head, n_ring;
    int32_t busy;                     /* workers inside a job */
    mtm_place at, next_in;            /* what the consumer gets next; what enters the ring next */
    int64_t *numbers;                 /* room for a batch's sample numbers */
    int64_t most_scratch, most_batch; /* bytes, for the bound */
    mtm_loader_stats stats;
};

/* load/work.c: one worker's thread; arg is its mtm_worker. */
void *mtm_loader_work(void *arg);

/* Fills the ring with the places that come next. Lock held. */
void mtm_loader_schedule(mtm_loader *l);

#endif
