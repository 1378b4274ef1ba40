/* op/spatial/field.h: a field of displacements, made once for a gather and then evaluated row by row.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_FIELD_H
#define MTM_OP_FIELD_H

#include "op/exec.h"
#include "op/spatial/geometry.h"

enum { MTM_FIELD_ROW = 128 }; /* most displacements evaluated at once */

/* Along an output axis that alone decides a domain axis: per voxel, the cell and weights of its B-spline, or its
 * displacement. */
typedef struct mtm_field_axis {
    int domain;           /* x, y, z */
    int32_t count;        /* SPLINE: control points that are stored */
    mtm_displace_row row; /* SPLINE */
    const float *moved;   /* GRID */
} mtm_field_axis;

typedef struct mtm_field {
    mtm_exec *x;
    mtm_displacement d;
    double before[12]; /* output → domain */
    float turn
        [9]; /* displacement → bend: into the input's frame, SMOOTH: · amplitude; SPLINE has it in its points */
    bool straight;             /* `before` moves each axis by itself */
    bool aligned;              /* SMOOTH: whole voxels along the axes */
    mtm_field_axis axis[3];    /* straight: of the output's axes Z, Y, X */
    const float *lattice;      /* SPLINE, straight: control points [axis 0][axis 1][3][axis 2] */
    double rate[3], shift[3];  /* SPLINE: q → u = q·rate + shift, in cells */
    const float *component[3]; /* SMOOTH: [Z, Y, X]; SPLINE, not straight: control points [z][y][x] */
    mtm_warp_grid grid;        /* of the components */
    void *scratch;
} mtm_field;

/* What rows that lie near each other share; one for each worker, on its stack. */
typedef struct mtm_field_near {
    int64_t z; /* whose plane is in `plane`; −1: none */
    _Alignas(64) float plane[MTM_MAX_CONTROL * 3 * MTM_MAX_CONTROL];
    _Alignas(64) float control[3 * MTM_MAX_CONTROL];
    _Alignas(64) float d[3][MTM_FIELD_ROW + MTM_DISPLACE_SPARE];
    _Alignas(64) float bend[3][MTM_FIELD_ROW + MTM_DISPLACE_SPARE];
} mtm_field_near;

static inline void mtm_field_near_init(mtm_field_near *near)
{
    near->z = -1;
}

/* Makes the field of a WARP in scratch memory. `points`: only mtm_field_point will be asked, for displacements in the domain's
 * own frame; else only mtm_field_row. Errors: MTM_E_NOMEM, MTM_E_LIMIT, MTM_E_CANCELLED. */
mtm_status mtm_field_make(mtm_field *f, mtm_exec *x, const mtm_geometry *g, bool points, mtm_error *err);
void mtm_field_drop(mtm_field *f);

/* How far (x, y, z; voxels of the input) the n ≤ MTM_FIELD_ROW outputs from voxel at ([Z, Y, X]) on along x are moved beyond
 * the affine map. *bend points to rows with room for whole vectors, in *near or in the field. */
void mtm_field_row(const mtm_field *f, mtm_field_near *near, const int64_t at[3], int32_t n,
                   const float *bend[3]);

/* d(q) */
void mtm_field_point(const mtm_field *f, mtm_field_near *near, const double q[3], double d[3]);

#endif
