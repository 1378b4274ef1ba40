/* tests/check/check_label.c: the ends of runs of labels, of every variant against the C reference.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

/* n elements of 1 << log2 bytes: stretches of one value, some of which differ in their upper byte only. */
static void *draw(mtm_check *c, int log2, size_t n)
{
    const size_t size = (size_t)1 << log2;
    uint8_t *const x = mtm_check_alloc(c, n * size, size);
    int64_t left = 0, low = 0, high = 0;

    for (size_t i = 0; i < n; i++) {
        if (left-- == 0) {
            left = mtm_check_below(c, mtm_check_below(c, 2) ? 3 : 90);
            low = mtm_check_below(c, 2), high = mtm_check_below(c, 2);
        }
        for (size_t k = 0; k < size; k++)
            x[i * size + k] = (uint8_t)(k + 1 == size ? 2 * high + low : low);
    }
    return x;
}

void check_label(mtm_check *c)
{
    static const char *const names[] = {"changes_u8", "changes_u16", "changes_u32", "changes_u64"};

    for (int log2 = 0; log2 < 4; log2++)
        if (mtm_check_kernel(c, names[log2], c->ref.label.changes[log2], c->now.label.changes[log2]))
            for (int i = 0; i < MTM_CHECK_SIZES; i++) {
                const size_t n = mtm_check_size(c, i);
                const void *const x = draw(c, log2, n);
                int32_t *const a = mtm_check_alloc(c, n * sizeof *a, sizeof *a);
                int32_t *const b = mtm_check_alloc(c, n * sizeof *b, sizeof *b);
                const size_t found = c->ref.label.changes[log2](a, x, n);

                mtm_check_i64(c, "how many", (int64_t)found, (int64_t)c->now.label.changes[log2](b, x, n));
                mtm_check_bytes(c, "where", a, b, found * sizeof *a);
                if (i == MTM_CHECK_SIZES - 1)
                    mtm_check_bench(c, n, c->ref.label.changes[log2](a, x, n),
                                    c->now.label.changes[log2](b, x, n));
                mtm_check_case_end(c);
            }
}
