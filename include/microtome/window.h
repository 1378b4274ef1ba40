/* microtome/window.h: windows over a volume, for networks that see a part of it at a time: where they lie, what their
 * voxels weigh, and the weighted mean of what the network said, accumulated window by window.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_WINDOW_H
#define MICROTOME_WINDOW_H

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- where -------------------------------------------------------------------------------------------- */

/* A grid of windows, z outermost. A plane has Z = 1. */
typedef struct mtm_windows {
    int64_t shape[3]; /* [Z, Y, X] of the volume, voxels */
    int64_t size[3];  /* of a window */
    int64_t step[3], count[3];
    int64_t
        first[3]; /* start of window 0: 0, or −floor((size − shape) / 2) where the window is the larger one */
    bool exact;
} mtm_windows;

/* size 0: the volume's extent. overlap: 0 … below 1, the share of a window that the next one covers too; step =
 * trunc(size · (1 − overlap)), at least 1; the last window is shifted back to end with the volume (MONAI's rule). exact:
 * windows stay on multiples of the step, and the last one may reach beyond the volume. Errors: MTM_E_INVAL,
 * MTM_E_LIMIT (2³¹ windows). */
MTM_API mtm_status mtm_window_plan(mtm_windows *out, const int64_t shape[3], const int64_t size[3],
                                   const double overlap[3], bool exact, mtm_error *err);
MTM_API int64_t mtm_window_count(const mtm_windows *w);
/* Start of window i, [Z, Y, X]; negative where the volume is smaller than the window. */
MTM_API void mtm_window_start(const mtm_windows *w, int64_t i, int64_t start[3]);

/* ---- weights ------------------------------------------------------------------------------------------ */

typedef enum mtm_window_weights {
    MTM_WINDOW_CONSTANT, /* 1 */
    MTM_WINDOW_GAUSSIAN, /* exp(−d² / 2σ²) from the centre (n − 1) / 2, σ = sigma · n per axis, at least
                          * max(smallest, 1e-3): MONAI's importance map */
    MTM_WINDOW_HANN      /* ½ (1 − cos 2π (i + 1) / (n + 1)) per axis: TorchIO's */
} mtm_window_weights;

/* The weights of a window of a->shape ([z, y, x] float32, any strides) are stored in a. sigma 0: 1/8. */
MTM_API mtm_status mtm_window_weights_fill(mtm_array *a, mtm_window_weights weights, double sigma,
                                           mtm_error *err);

/* ---- the weighted mean -------------------------------------------------------------------------------- */

typedef struct mtm_window_sum mtm_window_sum;

typedef struct mtm_window_options {
    uint32_t struct_size;
    mtm_window_weights weights;
    double sigma; /* of the gaussian, in windows; 0: 1/8 */
    bool argmax;  /* the result is the class of the highest mean (of equal ones the first; NaN never) */
    bool ordered; /* windows come with ascending start along z: finished planes are stored at once, and only
                     * min(size[0], Z) planes of sums are kept */
    mtm_array *
        out; /* borrowed; data NULL or out NULL: made. [C, Z, Y, X] of any floating dtype; with argmax [Z, Y, X]
                     * of any integer dtype that holds C − 1. Any strides */
    mtm_pool *pool;         /* borrowed; NULL: serial. The result does not depend on it */
    mtm_recycler *recycler; /* borrowed, for what is allocated */
    const mtm_windows *
        plan; /* borrowed, for the call; NULL: windows anywhere. Windows come each once in the plan's order: then
                              * every voxel is finished with its last window, and no sums of weights are kept */
} mtm_window_options;

/* shape: [Z, Y, X] of the volume; size: of every window. opt NULL: constant weights. Sums are float32.
 * Errors: MTM_E_INVAL, MTM_E_NOMEM. Used by one thread at a time. */
MTM_API mtm_status mtm_window_sum_new(mtm_window_sum **out, const int64_t shape[3], int64_t classes,
                                      const int64_t size[3], const mtm_window_options *opt, mtm_error *err);
MTM_API void mtm_window_sum_free(mtm_window_sum *s);
/* Adds n windows: scores [n, C, z, y, x] (any dtype, any strides, 0 for scores of a whole window), window i at start[i]; what
 * lies outside the volume is left out. Neighbours with one start along z share a pass over the sums. done: planes below it
 * get no window after these, and are finished in the same pass; 0: not known (with a plan it is known anyway). Errors:
 * MTM_E_INVAL (shape; a window outside the volume, on a finished plane, or not the plan's next), MTM_E_NOMEM. After an error
 * part of the windows may have been added. */
MTM_API mtm_status mtm_window_add(mtm_window_sum *s, int64_t n, const int64_t (*start)[3],
                                  const mtm_array *scores, int64_t done, mtm_error *err);
/* Divides what is left and hands the result out (one reference, where it was made here). A voxel that no window covered is
 * 0. Nothing can be added afterwards. */
MTM_API mtm_status mtm_window_finish(mtm_window_sum *s, mtm_array *out, mtm_error *err);

#ifdef __cplusplus
}
#endif
#endif
