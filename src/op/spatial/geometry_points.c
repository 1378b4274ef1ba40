/* op/spatial/geometry_points.c: where points go under a geometry, and the geometry that goes back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/geometry.h"
#include "op/spatial/matrix.h"

mtm_status mtm_geometry_points(const mtm_geometry *g, bool inverse, double *xyz, int64_t n, mtm_error *err)
{
    double m[12];

    if (g->kind == MTM_GEOMETRY_WARP)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "points of a warp");
    mtm_geometry_matrix(g, m);
    if (inverse && !mtm_matrix_invert(m, m))
        for (int i = 0; i < 12; i++)
            m[i] = NAN;
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
