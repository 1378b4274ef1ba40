/* tests/check/check_stream.c: copying rows past the caches, against memcpy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

/* Rows of `lines` cache lines, the destination's further apart than the row, the source's at any address and stride. */
static void check_rows(mtm_check *c, int64_t lines, int64_t n_rows, int64_t dst_gap, int64_t src_gap)
{
    const size_t row = (size_t)lines * 64;
    const int64_t ds = (int64_t)row + 64 * dst_gap, ss = (int64_t)row + src_gap;
    const size_t dst_bytes = (size_t)(ds * n_rows), src_bytes = (size_t)(ss * n_rows);
    char *const src = mtm_check_alloc(c, src_bytes, 1);
    char *const a = mtm_check_alloc(c, dst_bytes, 64), *const b = mtm_check_alloc(c, dst_bytes, 64);

    memcpy(b, a, dst_bytes);
    c->ref.copy.stream(a, ds, src, ss, row, n_rows);
    c->now.copy.stream(b, ds, src, ss, row, n_rows);
    mtm_check_bytes(c, "stream", a, b, dst_bytes);
    if (n_rows > 1) { /* and backwards */
        c->ref.copy.stream(a, ds, src + (n_rows - 1) * ss, -ss, row, n_rows);
        c->now.copy.stream(b, ds, src + (n_rows - 1) * ss, -ss, row, n_rows);
        mtm_check_bytes(c, "stream", a, b, dst_bytes);
    }
    mtm_check_case_end(c);
}

void check_stream(mtm_check *c)
{
    enum { BENCH_BYTES = 32 << 20 };

    if (!mtm_check_kernel(c, "stream", c->ref.copy.stream, c->now.copy.stream))
        return;
    for (int i = 0; i < MTM_CHECK_SIZES; i++)
        check_rows(c, 1 + mtm_check_below(c, 40), 1 + (int64_t)mtm_check_size(c, i) % 70,
                   mtm_check_below(c, 3), mtm_check_below(c, 100));
    if (!c->bench)
        return;
    char *const src = mtm_check_alloc(c, BENCH_BYTES, 64), *const dst = mtm_check_alloc(c, BENCH_BYTES, 64);
    mtm_check_bench(c, BENCH_BYTES, c->ref.copy.stream(dst, 512, src, 1024, 512, BENCH_BYTES / 1024),
                    c->now.copy.stream(dst, 512, src, 1024, 512, BENCH_BYTES / 1024));
    mtm_check_case_end(c);
}
