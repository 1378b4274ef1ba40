/* tests/fuzz/fuzz_j2k_decode.c: whole decoding of any bytes as JPEG 2000. What decodes strictly decodes the same partially, when that
 * finds nothing amiss, and by a region of everything.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "microtome/codec.h"

static const mtm_limits limits = {.max_bytes = 1 << 20, .max_expansion = 1100, .max_header_bytes = 1 << 20};

static bool same(const mtm_array *a, const mtm_array *b)
{
    return mtm_array_count(a) == mtm_array_count(b) && a->dtype == b->dtype &&
           memcmp(a->data, b->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype)) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    mtm_decode_report report;
    mtm_decode_params p = {.struct_size = sizeof p, .limits = &limits, .report = &report};
    mtm_array whole = {0}, again = {0};
    mtm_codec_ctx *ctx;

    if (mtm_codec_ctx_new(&ctx, NULL) != MTM_OK)
        return 0;
    const mtm_status s = mtm_decode(ctx, data, n, &p, &whole, NULL);

    p.partial = true;
    if (mtm_decode(ctx, data, n, &p, &again, NULL) == MTM_OK && s == MTM_OK)
        FUZZ_CHECK(!report.complete || same(&whole, &again));
    mtm_array_drop(&again);
    if (s == MTM_OK) {
        p.partial = false, p.has_region = true;
        p.region[1] = whole.shape[0], p.region[3] = whole.shape[1];
        const mtm_status part = mtm_decode(ctx, data, n, &p, &again, NULL);

        FUZZ_CHECK(part == MTM_E_INVAL || part == MTM_OK); /* INVAL: equal sizes on different grids */
        FUZZ_CHECK(part != MTM_OK || same(&whole, &again));
        mtm_array_drop(&again);
    }
    mtm_array_drop(&whole);
    mtm_codec_ctx_free(ctx);
    return 0;
}
