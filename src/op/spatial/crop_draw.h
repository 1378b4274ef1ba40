/* op/spatial/crop_draw.h: what the crops that are drawn by a label map or another field share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_CROP_DRAW_H
#define MTM_OP_CROP_DRAW_H

#include "op/spatial/spatial.h"

/* How such an operator's args begin, behind the field's name. */
typedef struct crop_extent {
    mtm_ints size;
    int32_t pad; /* 0: None, else the border + 1 */
    double value;
} crop_extent;

#define MTM_CROP_SIZE_PARAM(args)                                                                            \
    {"size",                                                                                                 \
     MTM_PARAM_INTS,                                                                                         \
     offsetof(args, extent.size),                                                                            \
     NULL,                                                                                                   \
     1,                                                                                                      \
     0x1p40,                                                                                                 \
     NULL,                                                                                                   \
     "voxels",                                                                                               \
     "Extent of the crop, in array order; one number for all axes."}
#define MTM_CROP_PAD_PARAMS(args)                                                                            \
    {"pad",                                                                                                  \
     MTM_PARAM_CHOICE,                                                                                       \
     offsetof(args, extent.pad),                                                                             \
     "None",                                                                                                 \
     0,                                                                                                      \
     0,                                                                                                      \
     "None|" MTM_BORDER_CHOICES,                                                                             \
     "",                                                                                                     \
     "How axes shorter than the crop are filled, as crop_or_pad does; None: they are an error."},            \
        {"value",                                                                                            \
         MTM_PARAM_FLOAT,                                                                                    \
         offsetof(args, extent.value),                                                                       \
         "0",                                                                                                \
         0,                                                                                                  \
         0,                                                                                                  \
         NULL,                                                                                               \
         "",                                                                                                 \
         "Value of a constant border."}

/* The crop's extent as [Z, Y, X]. Errors: MTM_E_INVAL (larger than the picture, without pad), MTM_E_LIMIT. */
mtm_status mtm_crop_extent(const crop_extent *e, const mtm_spec *in, int64_t size[3], mtm_error *err);

/* infer of such an operator. */
mtm_status mtm_crop_infer(const crop_extent *e, const mtm_spec *in, mtm_spec *out, mtm_error *err);

/* The crop that begins at voxel − size / 2, shifted inside; voxel: [Z, Y, X]. */
mtm_status mtm_crop_around(const crop_extent *e, const mtm_spec *in, const int64_t voxel[3], crop_args *crop,
                           mtm_error *err);

/* A crop whose start is uniform, both ends included, among those that contain the box; where the box is larger than the
 * crop, among those that lie in it (NVIDIA DALI's roi_random_crop). */
mtm_status mtm_crop_with_box(const crop_extent *e, mtm_draw *d, const mtm_spec *in, const int64_t start[3],
                             const int64_t size[3], crop_args *crop, mtm_error *err);

/* Voxel number `at` of a [Z, Y, X] grid. */
void mtm_crop_voxel(const mtm_spec *in, int64_t at, int64_t voxel[3]);

#endif
