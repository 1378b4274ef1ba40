/* image/foreground.h: the box of the values that are not 0.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_IMAGE_FOREGROUND_H
#define MTM_IMAGE_FOREGROUND_H

#include "array/array.h"

/* Box [Z, Y, X] of the elements of `a` that are not 0 (NaN is not 0), over all other axes; `axes` names a's axes. All 0
 * where there are none. An axis that the array lacks counts as one voxel. */
void mtm_foreground(const mtm_array *a, const char *axes, int64_t start[3], int64_t size[3]);

#endif
