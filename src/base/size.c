/* base/size.c: products of extents, checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "size.h"

mtm_status mtm_extent_bytes(uint64_t *out, int32_t ndim, const int64_t *shape, size_t elem_bytes,
                            uint64_t max_bytes, const char *what, mtm_error *err)
{
    uint64_t n = elem_bytes;
    bool fits = true, empty = false;

    for (int32_t i = 0; i < ndim; i++) {
        if (shape[i] < 0)
            return mtm_fail(err, MTM_E_INVAL, -1, "%s: extent %" PRId64 " of axis %d is negative", what,
                            shape[i], i);
        empty = empty || shape[i] == 0;
        fits = fits && mtm_mul_u64(n, shape[i] ? (uint64_t)shape[i] : 1, &n);
    }
    if (!empty && (!fits || n > INT64_MAX || n > max_bytes))
        return mtm_fail(err, MTM_E_LIMIT, -1, "%s: larger than the limit of %" PRIu64 " bytes", what,
                        max_bytes);
    *out = empty ? 0 : n;
    return MTM_OK;
}
