/* op/spatial/spatial.h: what the geometric operators' files share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_SPATIAL_H
#define MTM_OP_SPATIAL_H

#include "op/draw.h"
#include "op/spatial/geometry.h"

#define MTM_COUNT(a) ((int32_t)(sizeof(a) / sizeof *(a)))

/* The words of these parameters, in the order of their enums. */
#define MTM_INTERP_CHOICES "nearest|linear|cubic"
#define MTM_BORDER_CHOICES "edge|reflect|mirror|wrap|constant"
#define MTM_BORDER_HELP                                                                                      \
    "What lies beyond the image, in SciPy's words: edge (nearest), reflect, mirror, wrap (grid-wrap), or "   \
    "constant (grid-constant): `value`."

/* The three parameters of every operator that interpolates. */
#define MTM_INTERP_PARAM(args)                                                                               \
    {"interp",                                                                                               \
     MTM_PARAM_CHOICE,                                                                                       \
     offsetof(args, interp),                                                                                 \
     "linear",                                                                                               \
     0,                                                                                                      \
     0,                                                                                                      \
     MTM_INTERP_CHOICES,                                                                                     \
     "",                                                                                                     \
     "cubic: B-spline of order 3 with prefilter; label maps are always nearest."}
#define MTM_BORDER_PARAM(args)                                                                               \
    {"border", MTM_PARAM_CHOICE, offsetof(args, border), "edge", 0, 0, MTM_BORDER_CHOICES,                   \
     "",       MTM_BORDER_HELP}
#define MTM_VALUE_PARAM(args)                                                                                \
    {"value", MTM_PARAM_FLOAT, offsetof(args, value), "0", 0, 0, NULL, "", "Value of a constant border."}

enum { MTM_MAX_EXTENT = 1 << 30 }; /* voxels of an axis that an operator may ask for */

typedef struct flip_args {
    mtm_ints axis;
} flip_args;

typedef struct rot90_args {
    int64_t k;
    mtm_ints axes;
} rot90_args;

typedef struct crop_args {
    mtm_ints start, size;
    bool beyond; /* the box may leave the image */
    int32_t border;
    double value;
} crop_args;

typedef struct affine_args {
    mtm_floats matrix;
    mtm_ints size;
    int32_t interp, border;
    double value;
    bool inverse;
} affine_args;

extern const mtm_op mtm_op_flip, mtm_op_rot90, mtm_op_crop, mtm_op_affine;

/* One number for every spatial axis, or one each in array order, as [Z, Y, X] (2-D: Z gets z). */
mtm_status mtm_axis_ints(const mtm_ints *given, const char *name, const mtm_spec *in, int64_t z,
                         int64_t out[3], mtm_error *err);
mtm_status mtm_axis_floats(const mtm_floats *given, const char *name, const mtm_spec *in, double z,
                           double out[3], mtm_error *err);

/* For a table's check: at most as many numbers as a volume has axes. */
mtm_status mtm_axis_count(int32_t n, const char *name, mtm_error *err);

/* mm per voxel along [Z, Y, X]: the lengths of the affine's columns. Errors: MTM_E_INVAL (no affine, or a flat one). */
mtm_status mtm_axis_mm(const mtm_spec *in, double mm[3], mtm_error *err);

/* A spatial axis's number (negative: from the end) as an index into [Z, Y, X]. */
mtm_status mtm_axis_index(int64_t axis, const char *name, const mtm_spec *in, int *out, mtm_error *err);

/* Begins a map of whole voxels; mtm_view_set says where the input's axis a comes from: index i of output axis o gives
 * input index first + i, or first − i. */
void mtm_view_set(double m[12], int a, int o, int sign, int64_t first);
void mtm_view_make(mtm_geometry *g, const mtm_spec *in, const int64_t size[3], const double m[12]);

/* Whether a random operator acts this time. */
static inline bool mtm_draw_acts(mtm_draw *d, double p)
{
    return mtm_rng_uniform(&d->rng) < p;
}

#endif
