/* op/draw.h: what a random operator may draw from.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_DRAW_H
#define MTM_OP_DRAW_H

#include "base/rng.h"
#include "microtome/array.h"
#include "microtome/objects.h"
#include "microtome/op.h"

typedef struct mtm_draw {
    mtm_rng rng; /* at (seed, epoch, sample, operator) */
    /* The label table of a field on the grid as read, for class-balanced crops; NULL when the chain has changed the grid
     * before (then `labels_now` makes one from the picture itself). */
    mtm_status (*labels)(struct mtm_draw *d, const char *field, const mtm_label_table **out, mtm_error *err);
    /* The objects of a label field on the grid as it stands; from the index where the chain has not moved the grid. Boxes
     * are [Z, Y, X], of a plane too. Borrowed until the next call. */
    mtm_status (*objects)(struct mtm_draw *d, const char *field, int64_t background,
                          const mtm_object_table **out, mtm_error *err);
    /* The box of the voxels above a threshold in any channel of a field, [Z, Y, X]; all sizes 0: there is none. */
    mtm_status (*foreground)(struct mtm_draw *d, const char *field, double threshold, int64_t start[3],
                             int64_t size[3], mtm_error *err);
    /* The voxels of a field as they stand, [C, Z, Y, X] float32 in C order; borrowed until the next call. */
    mtm_status (*voxels)(struct mtm_draw *d, const char *field, mtm_array *out, mtm_error *err);
    void *user;
} mtm_draw;

#endif
