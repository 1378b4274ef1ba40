/* pipe/window_sum.h: what the sum over windows keeps (window_sum.c), and the work on its rows (window_rows.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_PIPE_WINDOW_SUM_H
#define MTM_PIPE_WINDOW_SUM_H

#include "array/array.h"
#include "kernel/window.h"
#include "pipe/window.h"

struct mtm_window_sum {
    int64_t shape[3], size[3], classes;
    mtm_window_axes weight;
    mtm_window_kernels kernels;
    bool argmax, ordered, in_place, finished;
    bool direct;  /* kernels store means where they belong: the result is float32 with unit stride along x */
    bool stream;  /* sums and result are larger than the caches */
    bool planned; /* windows come as planned */
    mtm_windows plan; /* planned: which */
    int64_t added;    /* planned: how many came */
    int64_t depth;    /* planes in the ring: plane z is at z % depth */
    int64_t base;     /* planes below are stored */
    mtm_array sum;    /* [C, depth, Y, X] float32; in_place: the result's own memory */
    mtm_array
        total; /* [depth, Y, X] float32, sums of the weights; none where a plan tells them, or for labels */
    int32_t
        *filled; /* [depth, Y]: the first so many voxels of the row hold something; the others nothing yet */
    mtm_array out;
    mtm_pool *pool;
    mtm_recycler *recycler;
};

/* A window's part inside the volume. */
typedef struct window_part {
    mtm_array scores; /* [C, z, y, x] float32, unit stride along x; data at the part's first voxel */
    int64_t at[3], from[3], n[3]; /* in the volume; in the window; extents */
} window_part;

/* Windows with one start along z, added in one pass over the sums. What no later window reaches is stored in the same pass:
 * in planes below `done` the rows below whole_y, and of those below part_y the first part_x voxels. */
typedef struct window_group {
    mtm_window_sum *s;
    int32_t n;
    int64_t done, whole_y, part_y, part_x;
    int64_t rows[2]; /* first and last + 1 that a window reaches */
    window_part part[MTM_WINDOW_TERMS];
} window_group;

/* For mtm_pool_for: planes lo … hi, of the group's windows; or of those beyond base, to which no window comes any more. */
void mtm_window_add_planes(void *group, int64_t lo, int64_t hi);
void mtm_window_finish_planes(void *sum, int64_t lo, int64_t hi);

#endif
