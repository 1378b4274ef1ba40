/* array/rows.c: reading an array of any strides front to back, in blocks that stay in cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array.h"

mtm_rows mtm_rows_over(const mtm_convert_kernels *k, const mtm_array *a)
{
    mtm_rows r = {.k = k, .dtype = a->dtype, .data = a->data, .count = mtm_array_count(a)};

    for (int32_t i = 0; i < a->ndim; i++) {
        if (a->shape[i] == 1)
            continue;
        if (r.ndim && r.stride[r.ndim - 1] == a->stride[i] * a->shape[i]) {
            r.shape[r.ndim - 1] *= a->shape[i];
            r.stride[r.ndim - 1] = a->stride[i];
        } else {
            r.shape[r.ndim] = a->shape[i], r.stride[r.ndim++] = a->stride[i];
        }
    }
    if (r.ndim == 0)
        r.shape[0] = 1, r.stride[0] = (int64_t)mtm_dtype_size(a->dtype), r.ndim = 1;
    return r;
}

const void *mtm_rows_fetch(const mtm_rows *r, int64_t first, int64_t n, mtm_dtype as, void *stage)
{
    const mtm_conversion c = {.src = r->dtype, .dst = as, .slope = 1};
    const int64_t size = (int64_t)mtm_dtype_size(r->dtype), row = r->shape[r->ndim - 1];
    const int64_t step = r->stride[r->ndim - 1];
    const size_t out = mtm_dtype_size(as);
    char *d = stage;

    while (n > 0) {
        const int64_t x = first % row, m = mtm_min_i64(n, row - x);
        const char *p = r->data + x * step;
        _Alignas(64) uint64_t packed[MTM_ROWS_BLOCK];

        for (int64_t i = r->ndim - 2, rest = first / row; i >= 0; rest /= r->shape[i--])
            p += rest % r->shape[i] * r->stride[i];
        if ((step != size && m > 1) || (uintptr_t)p % (uintptr_t)size) { /* not where kernels want it */
            r->k->gather[mtm_convert_log2(r->dtype)](packed, p, (ptrdiff_t)step, (size_t)m);
            p = (const char *)packed;
        } else if (m == n && d == (char *)stage && as == r->dtype) {
            return p; /* in one piece already */
        }
        mtm_convert_row(r->k, &c, d, p, (size_t)m);
        d += (size_t)m * out, first += m, n -= m;
    }
    return stage;
}
