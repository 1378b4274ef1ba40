/* format/npy.h: the header that .npy files begin with, for write.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_FORMAT_NPY_H
#define MTM_FORMAT_NPY_H

#include "array/array.h"

enum { MTM_NPY_HEADER_BYTES = 384 }; /* eight 19-digit extents fit */

/* A version 1 header for a C-order array of a's dtype and shape; *n bytes, a multiple of 64. */
mtm_status mtm_npy_header(uint8_t out[MTM_NPY_HEADER_BYTES], size_t *n, const mtm_array *a, mtm_error *err);

#endif
