/* base/pool.h: tasks on the thread pool.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_BASE_POOL_H
#define MTM_BASE_POOL_H

#include <stdatomic.h>

#include "mem.h"

typedef enum mtm_lane { MTM_LANE_COMPUTE, MTM_LANE_IO, MTM_N_LANES } mtm_lane;

/* Tasks that are waited for together. Begin with {0}; lives until mtm_pool_wait returned. */
typedef struct mtm_group {
    int64_t pending; /* guarded by the pool's lock */
} mtm_group;

/* Queues fn(arg). When the queue is full the caller runs a queued task first (back-pressure). pool NULL: runs at once. */
mtm_status mtm_pool_submit(mtm_pool *p, mtm_lane lane, mtm_group *g, void (*fn)(void *arg), void *arg,
                           mtm_error *err);
/* Returns when all tasks of the group have run; helps meanwhile. */
void mtm_pool_wait(mtm_pool *p, mtm_group *g);

/* Splits [0, n) into pieces of `grain` and calls fn(arg, lo, hi) for each, on the caller and the pool's threads; returns
 * when all are done. The split does not depend on the threads. *cancel (may be NULL) true: pieces not yet begun are
 * left out, and MTM_E_CANCELLED is returned. pool NULL: serial. */
mtm_status mtm_pool_for(mtm_pool *p, int64_t n, int64_t grain, void (*fn)(void *arg, int64_t lo, int64_t hi),
                        void *arg, const atomic_bool *cancel, mtm_error *err);

/* Nanoseconds of the monotonic clock. */
int64_t mtm_now_ns(void);

#endif
