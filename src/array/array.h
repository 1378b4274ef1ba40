/* array/array.h: n-d views inside the library. The public part is microtome/array.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_ARRAY_ARRAY_H
#define MTM_ARRAY_ARRAY_H

#include "base/mem.h"
#include "base/size.h"
#include "microtome/array.h"

/* Bytes of a C-order array of this shape; every stride fits 63 bits even when an extent is 0. Errors: MTM_E_INVAL. */
mtm_status mtm_array_check_shape(int32_t ndim, const int64_t *shape, size_t elem_bytes, uint64_t *bytes,
                                 mtm_error *err);

#endif
