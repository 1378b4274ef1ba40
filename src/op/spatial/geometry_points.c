/* op/spatial/geometry_points.c: where points go under a geometry, and the geometry that goes back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/field.h"
#include "op/spatial/geometry.h"
#include "op/spatial/matrix.h"

/* The inverse of m, or what makes every point NaN. */
static void inverse_or_nan(const double m[12], double out[12])
{
    if (!mtm_matrix_invert(m, out))
        for (int i = 0; i < 12; i++)
            out[i] = NAN;
}

enum { MOST_STEPS = 200 };

/* The q with q + d(q) = to: q := to − d(q) until it stays; NaN where it does not, which is where the field folds. */
static void undo_displacement(const mtm_field *f, mtm_field_near *near, double q[3])
{
    const double to[3] = {q[0], q[1], q[2]}, enough = 1e-4;
    double moved = isfinite(to[0]) && isfinite(to[1]) && isfinite(to[2]) ? INFINITY : 0;

    for (int step = 0; step < MOST_STEPS && moved > enough; step++) {
        double d[3];

        mtm_field_point(f, near, q, d);
        moved = 0;
        for (int i = 0; i < 3; i++) {
            moved = fmax(moved, fabs(to[i] - d[i] - q[i]));
            q[i] = to[i] - d[i];
        }
    }
    for (int i = 0; moved > enough && i < 3; i++)
        q[i] = NAN;
}

static mtm_status warp_points(const mtm_geometry *g, bool inverse, double *xyz, int64_t n, mtm_error *err)
{
    MTM_AUTO(mtm_exec) x = NULL;
    double m[12], before[12], d[3];
    mtm_field_near near;
    mtm_field field;

    MTM_TRY(mtm_exec_new(&x, NULL, NULL, err));
    MTM_TRY(mtm_field_make(&field, x, g, true, err));
    inverse_or_nan(g->m, m);
    inverse_or_nan(g->before, before);
    for (double *p = xyz; p < xyz + 3 * n; p += 3) {
        mtm_matrix_point(inverse ? m : g->before, p);
        if (inverse) {
            undo_displacement(&field, &near, p);
        } else {
            mtm_field_point(&field, &near, p, d);
            for (int i = 0; i < 3; i++)
                p[i] += d[i];
        }
        mtm_matrix_point(inverse ? before : g->m, p);
    }
    mtm_field_drop(&field);
    return MTM_OK;
}

mtm_status mtm_geometry_points(const mtm_geometry *g, bool inverse, double *xyz, int64_t n, mtm_error *err)
{
    double m[12];

    if (g->kind == MTM_GEOMETRY_WARP)
        return warp_points(g, inverse, xyz, n, err);
    mtm_geometry_matrix(g, m);
    if (inverse)
        inverse_or_nan(m, m);
    for (int64_t i = 0; i < n; i++)
        mtm_matrix_point(m, xyz + 3 * i);
    return MTM_OK;
}

mtm_status mtm_geometry_invert(mtm_geometry *out, const mtm_geometry *g, mtm_interp interp, mtm_border border,
                               double value, mtm_error *err)
{
    mtm_spec from = {.dtype = MTM_F32, .spatial = 3, .channels = 1};
    double m[12];

    if (g->kind == MTM_GEOMETRY_WARP)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "a warp has no geometry that goes back; points can be taken back");
    mtm_geometry_matrix(g, m);
    if (!mtm_matrix_invert(m, m))
        return mtm_fail(err, MTM_E_INVAL, -1, "the map is flat: nothing leads back");
    memcpy(from.size, g->out_size, sizeof from.size);
    mtm_geometry_affine(out, &from, g->in_size, m, interp, border, value);
    return MTM_OK;
}
