/* tests/fuzz/fuzz_jpeg.c: any bytes as JPEG, by our own decoders and by libjpeg-turbo where it is asked. What decodes strictly decodes
 * the same partially when that finds nothing amiss, and what decodes lossless is the same after our encoder.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "codec/jpeg/jpeg.h"
#include "fuzz.h"

enum { MOST_SAMPLES = 1 << 20 };

static const mtm_limits limits = {.max_bytes = 1 << 21, .max_expansion = 1100, .max_header_bytes = 1 << 20};

static bool same(const mtm_array *a, const mtm_array *b)
{
    return mtm_array_count(a) == mtm_array_count(b) && a->dtype == b->dtype &&
           memcmp(a->data, b->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype)) == 0;
}

static void round_trip(mtm_codec_ctx *ctx, const mtm_array *a)
{
    mtm_encode_params p = mtm_encode_params_default();
    mtm_array again = {0};
    mtm_bytes b = {0};

    p.codec = "jpeg";
    if (mtm_encode(ctx, a, false, &p, &b, NULL) == MTM_OK) {
        FUZZ_CHECK(mtm_decode(ctx, b.data, b.size_bytes, NULL, &again, NULL) == MTM_OK);
        FUZZ_CHECK(same(a, &again));
        mtm_array_drop(&again);
    }
    mtm_bytes_drop(&b);
}

/* Also 8-bit DCT streams by our decoders. */
static mtm_status own(mtm_codec_ctx *ctx, const uint8_t *data, size_t n, const mtm_decode_params *p,
                      mtm_array *out)
{
    mtm_codec_picture pic;
    mtm_status s;

    MTM_TRY(mtm_codec_jpeg.picture(&pic, data, n, p, NULL));
    const int64_t shape[3] = {pic.height, pic.width, pic.channels};
    if (shape[0] * shape[1] * shape[2] > MOST_SAMPLES)
        return MTM_E_LIMIT;
    MTM_TRY(mtm_array_new(out, pic.dtype, 3, shape, NULL, NULL));
    s = jpeg_decode_own(ctx, data, n, p, out, NULL);
    if (s)
        mtm_array_drop(out);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    mtm_decode_report report = {.complete = true};
    mtm_decode_params p = {.struct_size = sizeof p, .limits = &limits, .codec = "jpeg"};
    mtm_array strict = {0}, partial = {0}, called = {0};
    mtm_codec_info *info = NULL;
    mtm_codec_ctx *ctx;

    if (mtm_codec_ctx_new(&ctx, NULL) != MTM_OK)
        return 0;
    const mtm_status s = own(ctx, data, n, &p, &strict);

    p.partial = true, p.report = &report;
    if (own(ctx, data, n, &p, &partial) == MTM_OK && s == MTM_OK)
        FUZZ_CHECK(!report.complete || same(&strict, &partial));
    p.partial = false, p.to_rgb = true;
    if (mtm_decode(ctx, data, n, &p, &called, NULL) == MTM_OK)
        mtm_array_drop(&called);
    if (mtm_codec_info_new(&info, data, n, &limits, NULL) == MTM_OK)
        mtm_codec_info_free(info);
    if (s == MTM_OK)
        round_trip(ctx, &strict);
    mtm_array_drop(&strict), mtm_array_drop(&partial);
    mtm_codec_ctx_free(ctx);
    return 0;
}
