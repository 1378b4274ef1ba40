/* tests/check/check_bias.c: rows times the exponential of a polynomial: every variant gives the reference's bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

void check_bias(mtm_check *c)
{
    enum { N = 1024 };

    if (!mtm_check_kernel(c, "row", c->ref.bias.row, c->now.bias.row))
        return;
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i);
        float *const src = mtm_check_alloc(c, n * sizeof *src, 4), *const x =
                                                                       mtm_check_alloc(c, n * sizeof *x, 4);
        float *const a = mtm_check_alloc(c, n * sizeof *a, 4), *const b =
                                                                   mtm_check_alloc(c, n * sizeof *b, 4);
        const double most = i % 5 ? 3 : 100; /* beyond the exponent's ends */
        float w[7];

        mtm_check_fill_f32(c, src, n, -1000, 1000, true);
        mtm_check_fill_f32(c, x, n, -1, 1, false);
        mtm_check_fill_f32(c, w, 7, -most, most, false);
        c->ref.bias.row(a, src, x, w, i % 7, n), c->now.bias.row(b, src, x, w, i % 7, n);
        mtm_check_f32(c, "row", a, b, n, 0, 0);
        c->now.bias.row(src, src, x, w, i % 7, n);
        mtm_check_f32(c, "in place", a, src, n, 0, 0);
        mtm_check_case_end(c);
    }
    float *const a = mtm_check_alloc(c, N * sizeof *a, 64), *const x = mtm_check_alloc(c, N * sizeof *x, 64);
    const float w[4] = {0.1f, 0.2f, -0.3f, 0.1f};

    mtm_check_fill_f32(c, x, N, -1, 1, false);
    mtm_check_bench(c, N, c->ref.bias.row(a, x, x, w, 3, N), c->now.bias.row(a, x, x, w, 3, N));
    mtm_check_case_end(c);
}
