/* kernel/row.h: rows of voxels as the separable filters (resample, convolve) read them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_ROW_H
#define MTM_KERNEL_ROW_H

#include "microtome/base.h"

/* Row types that the vector kernels read directly; other dtypes are converted to float32 row by row. */
typedef enum mtm_row_type {
    MTM_ROW_U8,
    MTM_ROW_I8,
    MTM_ROW_U16,
    MTM_ROW_I16,
    MTM_ROW_F32,
    MTM_N_ROW_TYPES /* none of them */
} mtm_row_type;

mtm_row_type mtm_row_type_of(mtm_dtype dtype);

/* n elements of any dtype, `stride` bytes apart, as float32. */
void mtm_row_load(float *out, const void *src, mtm_dtype dtype, int64_t stride, int64_t n);

#endif
