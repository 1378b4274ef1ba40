/* array/array.h: n-d views inside the library. The public part is microtome/array.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_ARRAY_ARRAY_H
#define MTM_ARRAY_ARRAY_H

#include "base/mem.h"
#include "base/pool.h"
#include "base/size.h"
#include "kernel/convert.h"
#include "kernel/stats.h"
#include "microtome/array.h"

/* Bytes of a C-order array of this shape; every stride fits 63 bits even when an extent is 0. Errors: MTM_E_INVAL. */
mtm_status mtm_array_check_shape(int32_t ndim, const int64_t *shape, size_t elem_bytes, uint64_t *bytes,
                                 mtm_error *err);

/* As mtm_array_convert, for readers: `swap`: the source has the other byte order. st (may be NULL) receives count,
 * non_finite, min, max, mean, std, nonzero, nonzero_mean and nonzero_std of the converted values, from the same pass; its
 * bytes depend on the shape and the memory order, not on the pool. */
mtm_status mtm_array_convert_stats(mtm_array *dst, const mtm_array *src, double slope, double inter,
                                   bool swap, mtm_stats *st, mtm_pool *pool, mtm_error *err);

/* An array read front to back in its logical order, whatever its strides: neighbouring axes are merged once. */
typedef struct mtm_rows {
    const mtm_convert_kernels *k;
    mtm_dtype dtype;
    const char *data;
    int32_t ndim; /* ≥ 1 */
    int64_t shape[MTM_MAX_DIMS], stride[MTM_MAX_DIMS];
    int64_t count;
} mtm_rows;

enum { MTM_ROWS_BLOCK = 4096 }; /* most elements of one fetch */

mtm_rows mtm_rows_over(const mtm_convert_kernels *k, const mtm_array *a);
/* Elements [first, first + n), n ≤ MTM_ROWS_BLOCK, as `as` (converted exactly or rounded once; only numbers that may be
 * NaN must not be fetched as integers): the array's own memory where that will do, else `stage` (n elements, aligned). */
const void *mtm_rows_fetch(const mtm_rows *r, int64_t first, int64_t n, mtm_dtype as, void *stage);

#endif
