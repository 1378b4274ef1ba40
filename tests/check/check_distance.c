/* tests/check/check_distance.c: distances along one axis, of every variant against the C reference: the same bits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>

enum { LANES = MTM_DISTANCE_LANES };

void check_distance(mtm_check *c)
{
    if (!mtm_check_kernel(c, "spread", c->ref.distance.spread, c->now.distance.spread))
        return;
    for (int i = 0; i < MTM_CHECK_SIZES; i++) {
        const size_t n = mtm_check_size(c, i) / (i < 68 ? 1 : 4), bytes = n * LANES * sizeof(float);
        const float w = i % 3 ? 1 : 0.37f;
        const int64_t zeros = 1 + mtm_check_below(c, 60);
        float *const f = mtm_check_alloc(c, bytes, 64), *const a = mtm_check_alloc(c, bytes, 64);
        float *const b = mtm_check_alloc(c, bytes, 64);

        for (size_t k = 0; k < n * LANES; k++)
            f[k] = mtm_check_below(c, zeros) == 0 ? 0
                   : mtm_check_below(c, 3) == 0   ? INFINITY
                                                  : (float)mtm_check_below(c, 400);
        c->ref.distance.spread(a, f, n, w, i % 2);
        c->now.distance.spread(b, f, n, w, i % 2);
        mtm_check_bytes(c, "spread", a, b, bytes);
        if (i == MTM_CHECK_SIZES - 1)
            mtm_check_bench(c, n * LANES, c->ref.distance.spread(a, f, n, w, 0),
                            c->now.distance.spread(b, f, n, w, 0));
        mtm_check_case_end(c);
    }
}
