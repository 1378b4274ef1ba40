/* format/dicom/volume/to_voxel.c: the inverse of a grid's affine, with DICOM's axes (left, posterior, up) turned to right, anterior, up.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/error.h"
#include "format/dicom/volume/grid.h"

mtm_status dcm_to_voxel_make(dcm_to_voxel *out, const mtm_dicom_grid *grid, mtm_error *err)
{
    const double *const a = grid->affine;
    double inverse[3][3], det = 0;

    for (int i = 0; i < 3; i++)
        if (grid->size[i] < 1)
            return mtm_fail(err, MTM_E_INVAL, -1, "the grid has no voxels");
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) { /* cofactors, transposed */
            const int r1 = (c + 1) % 3, r2 = (c + 2) % 3, c1 = (r + 1) % 3, c2 = (r + 2) % 3;

            inverse[r][c] = a[4 * r1 + c1] * a[4 * r2 + c2] - a[4 * r1 + c2] * a[4 * r2 + c1];
        }
    for (int c = 0; c < 3; c++)
        det += a[c] * inverse[c][0];
    if (!isfinite(det) || det == 0)
        return mtm_fail(err, MTM_E_INVAL, -1, "the grid's affine has no inverse");
    for (int r = 0; r < 3; r++) {
        out->m[r][3] = 0;
        for (int c = 0; c < 3; c++) {
            out->m[r][c] = inverse[r][c] / det * (c < 2 ? -1 : 1); /* LPS: x and y turned */
            out->m[r][3] -= inverse[r][c] / det * a[4 * c + 3];
        }
    }
    return MTM_OK;
}

void dcm_to_voxel_turn(const dcm_to_voxel *t, const double lps[3], double voxel[3])
{
    for (int r = 0; r < 3; r++)
        voxel[r] = t->m[r][0] * lps[0] + t->m[r][1] * lps[1] + t->m[r][2] * lps[2];
}

void dcm_to_voxel_run(const dcm_to_voxel *t, const double lps[3], double voxel[3])
{
    dcm_to_voxel_turn(t, lps, voxel);
    for (int r = 0; r < 3; r++)
        voxel[r] += t->m[r][3];
}
