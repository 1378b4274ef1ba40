/* op/spatial/geometry.h: where each output voxel of a geometric operator comes from, and how two such maps become one, so that a
 * chain of them is a single gather. The algebra is in geometry.c, the gathering in gather*.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_GEOMETRY_H
#define MTM_OP_GEOMETRY_H

#include "array/array.h"
#include "kernel/resample.h"
#include "kernel/warp.h"
#include "microtome/op.h"

typedef enum mtm_geometry_kind {
    MTM_GEOMETRY_VIEW, /* signed axis permutation + whole voxels: flip, rot90, crop, pad, orient. No interpolation */
    MTM_GEOMETRY_AFFINE,   /* any matrix, interpolated */
    MTM_GEOMETRY_RESAMPLE, /* separable filters, with views folded in before and behind */
    MTM_GEOMETRY_WARP /* an affine map, a field of displacements, an affine map: elastic fused with its neighbours */
} mtm_geometry_kind;

/* ---- displacements: described here by value, made when they are gathered -------------------------------- */

typedef enum mtm_displacement_kind {
    MTM_DISPLACE_SPLINE, /* uniform(−1, 1)·amplitude at control points, cubic B-spline between them */
    MTM_DISPLACE_SMOOTH, /* uniform(−1, 1) per voxel, gaussian σ (cut at 3σ, 'reflect'), ·amplitude */
    MTM_DISPLACE_GRID    /* each axis by itself: piecewise linear between the nodes of a grid */
} mtm_displacement_kind;

enum { MTM_GRID_NODES = 32, MTM_MAX_CONTROL = 32 };

/* d(q) in voxels for a point q of the domain, continuous (x, y, z); outside the domain as at its nearest voxel centre. */
typedef struct mtm_displacement {
    mtm_displacement_kind kind;
    int64_t size[3];     /* of the domain, [Z, Y, X] voxels */
    double amplitude[3]; /* x, y, z, voxels */
    int32_t control[3]; /* SPLINE: control points, x, y, z: 4 … MTM_MAX_CONTROL; 1: constant along the axis */
    int32_t locked_borders; /* SPLINE: so many outer layers of control points stay where they are */
    double sigma[3];        /* SMOOTH: x, y, z, voxels */
    int32_t nodes[3];       /* GRID: x, y, z, at most MTM_GRID_NODES */
    double node[3]
               [MTM_GRID_NODES]; /* GRID: displacement at equidistant nodes from edge to edge of the domain */
    uint64_t seed;               /* SPLINE, SMOOTH: Philox key */
} mtm_displacement;

/* Coordinates are continuous: voxel i of an axis covers [i, i + 1). Ties of nearest go half up in the input's grid. */
typedef struct mtm_geometry {
    mtm_geometry_kind kind;
    int64_t in_size[3], out_size[3]; /* [Z, Y, X] */
    int64_t clip_start[3],
        clip_size[3]; /* [Z, Y, X]: the part of the input that exists for borders (earlier crops) */
    /* VIEW, AFFINE: row-major 3×4, output (x, y, z) → input (x, y, z). WARP: domain → input; the whole is
     * input = m · (q + d(q)), q = before · output */
    double m[12];
    double before[12];         /* WARP: output → domain */
    mtm_displacement displace; /* WARP */
    mtm_interp interp;
    mtm_border border;
    double value; /* CONSTANT */
    bool cut;     /* AFFINE: a crop behind it took voxels away, so no other interpolation may follow in it */
    mtm_resample_axis axis[3]; /* RESAMPLE: of the input's axes Z, Y, X */
    int32_t from[3];           /* RESAMPLE: output axis i (Z, Y, X) is the resampled input axis from[i] */
} mtm_geometry;

/* The most that a displacement moves along axis a (x, y, z), voxels of the domain. */
double mtm_displacement_bound(const mtm_displacement *d, int a);

/* A field of displacements on a picture of this spec; without any, the identity. */
void mtm_geometry_warp(mtm_geometry *g, const mtm_spec *spec, const mtm_displacement *d, mtm_interp interp,
                       mtm_border border, double value);

/* The identity on a picture of this spec. */
void mtm_geometry_identity(mtm_geometry *g, const mtm_spec *spec);

/* A geometry on a picture of this spec by its matrix (row-major 3×4, continuous output (x, y, z) → input (x, y, z)); a
 * matrix that only moves whole voxels gives a VIEW. */
void mtm_geometry_affine(mtm_geometry *g, const mtm_spec *spec, const int64_t out_size[3], const double m[12],
                         mtm_interp interp, mtm_border border, double value);

/* g := first g, then next. False, and g untouched: the two need two gathers. */
bool mtm_geometry_fuse(mtm_geometry *g, const mtm_geometry *next);

/* The continuous map output → input as a matrix, of any kind; a WARP's without its displacements. */
void mtm_geometry_matrix(const mtm_geometry *g, double m[12]);

/* How far the displacements of a WARP take a point from where that matrix takes it, along the input's axis a (x, y, z), at
 * most; 0 for the others. */
double mtm_geometry_reach(const mtm_geometry *g, int a);

/* The affine of the output grid, from the input's (row-major 4×4, voxel centre (x, y, z) → mm). */
void mtm_geometry_move_affine(const mtm_geometry *g, const double in[16], double out[16]);

/* Takes n points (x, y, z; continuous) of the output grid to the input grid, or back when `inverse`, in place. The inverse
 * of a WARP is found by fixed-point iteration, to 1e-3 voxels. Points whose inverse does not exist (a flat axis, a warp
 * that folds) become NaN. Errors: MTM_E_NOMEM. */
mtm_status mtm_geometry_points(const mtm_geometry *g, bool inverse, double *xyz, int64_t n, mtm_error *err);

/* The geometry that brings a picture on g's output grid back to g's input grid: what a crop cut away is filled by `border`
 * and `value`. Errors: MTM_E_UNSUPPORTED (a WARP), MTM_E_INVAL (a matrix without an inverse). */
mtm_status mtm_geometry_invert(mtm_geometry *out, const mtm_geometry *g, mtm_interp interp, mtm_border border,
                               double value, mtm_error *err);

/* The input voxels that the output box (both [Z, Y, X], ndim 3) touches, clipped to the input; may be empty. */
void mtm_geometry_need(const mtm_geometry *g, const mtm_box *out, mtm_box *in);

/* VIEW whose output lies inside the input: the same voxels as a strided view of `in` ([C, Z, Y, X]); else false. */
bool mtm_geometry_view(const mtm_geometry *g, const mtm_array *in, mtm_array *out);

/* A VIEW's input axis a ([Z, Y, X]) runs along output axis axis[a]; its index is shift[a] + sign[a]·(output index). False:
 * not a VIEW. */
typedef struct mtm_view_axes {
    int axis[3], sign[3];
    int64_t shift[3];
} mtm_view_axes;
bool mtm_geometry_axes(const mtm_geometry *g, mtm_view_axes *v);

/* Fills out ([C, Z, Y, X], g->out_size, any strides and dtype) from in. `in` may be only a part of the input: the box
 * that begins at in_start ([Z, Y, X]) and covers mtm_geometry_need of the whole output. Labels are gathered nearest by
 * value. When `steps` is not NULL the values pass through it as float32 on the way (cache-hot), before conversion. */
struct mtm_pointwise;
mtm_status mtm_geometry_run(mtm_exec *x, const mtm_geometry *g, const mtm_array *in,
                            const int64_t in_start[3], bool label, const struct mtm_pointwise *steps,
                            mtm_array *out, mtm_error *err);

#endif
