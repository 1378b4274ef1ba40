/* op/spatial/spline.h: B-spline coefficients of the part of a picture that a cubic gather needs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_SPLINE_H
#define MTM_OP_SPLINE_H

#include "op/exec.h"
#include "op/spatial/geometry.h"

/* Layout of the coefficients: the box `need` of the input with `pad` more on every side, x fastest. All in x, y, z. */
typedef struct mtm_spline {
    mtm_border border;
    float value;
    int64_t clip_start[3], clip_size[3], box_start[3], box_size[3];
    bool flat[3];      /* one voxel thick: nothing to filter, stride 0 */
    int32_t pad;       /* coefficients kept beyond the box */
    int64_t size[3];   /* of the coefficients */
    int64_t stride[3]; /* floats */
    int64_t first;     /* of the clip box's voxel (0, 0, 0) */
    int64_t longest;   /* samples of the longest extended line */
    int pieces;        /* lines are filtered in so many pieces, each with its own buffer */
    void *lines;       /* those buffers */
    int32_t *map[3];   /* sample of the box for each sample of an extended line; −1: missing */
} mtm_spline;

void mtm_spline_plan(mtm_spline *s, const mtm_geometry *g, const mtm_box *need);

/* Scratch memory for one channel. Errors: MTM_E_NOMEM, MTM_E_LIMIT. */
mtm_status mtm_spline_borrow(mtm_spline *s, mtm_exec *x, void **coefficients, mtm_error *err);
void mtm_spline_return(mtm_spline *s, mtm_exec *x, void *coefficients);

/* Channel c of in (float32, [C, Z, Y, X], contiguous x, beginning at in_start) to coefficients. */
mtm_status mtm_spline_filter(const mtm_spline *s, mtm_exec *x, const mtm_array *in, int64_t c,
                             const int64_t in_start[3], float *coefficients, mtm_error *err);

#endif
