/* format/dicom/volume/grid.h: points of the patient as voxels of a grid.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_GRID_H
#define MTM_DICOM_GRID_H

#include "microtome/dicom.h"

/* Points in mm, LPS+ as DICOM has them, → voxels (x, y, z) of a grid. */
typedef struct dcm_to_voxel {
    double m[3][4];
} dcm_to_voxel;

/* Errors: MTM_E_INVAL (sizes, or an affine that has no inverse). */
mtm_status dcm_to_voxel_make(dcm_to_voxel *out, const mtm_dicom_grid *grid, mtm_error *err);
void dcm_to_voxel_run(const dcm_to_voxel *t, const double lps[3], double voxel[3]);
/* The same of a direction: without the origin. */
void dcm_to_voxel_turn(const dcm_to_voxel *t, const double lps[3], double voxel[3]);

#endif
