/* pipe/window.h: windows' places and weights, shared by the plan and the sum. The public part is microtome/window.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_PIPE_WINDOW_H
#define MTM_PIPE_WINDOW_H

#include "base/mem.h"
#include "microtome/window.h"

/* Where windows number i along axis d start. */
int64_t mtm_window_at(const mtm_windows *w, int d, int64_t i);
/* The first window along axis d that reaches beyond voxel `at`; those after it that begin at `at` or before cover it too. */
int64_t mtm_window_covering(const mtm_windows *w, int d, int64_t at);

/* Weights as factors per axis: w(z, y, x) = max(axis[0][z] · axis[1][y] · axis[2][x], floor), multiplied from the left. */
typedef struct mtm_window_axes {
    float *axis[3]; /* one block of memory, axis[0] its beginning */
    float floor;
} mtm_window_axes;

/* Free axis[0] with mtm_free. */
mtm_status mtm_window_axes_new(mtm_window_axes *out, const int64_t size[3], mtm_window_weights weights,
                               double sigma, mtm_error *err);

#endif
