/* tests/fuzz/fuzz_codec.h: what every codec of whole pictures must hold on any bytes: an error, or a picture whose region is its crop, and
 * which partial decoding gives too.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_FUZZ_CODEC_H
#define MTM_TESTS_FUZZ_CODEC_H

#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "microtome/codec.h"

static inline bool fuzz_same(const mtm_array *a, const mtm_array *b)
{
    return mtm_array_count(a) == mtm_array_count(b) && a->dtype == b->dtype &&
           memcmp(a->data, b->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype)) == 0;
}

static inline void fuzz_region(const mtm_array *whole, const uint8_t *data, size_t n, mtm_decode_params p)
{
    const mtm_box box = {.ndim = whole->ndim,
                         .start = {whole->shape[0] / 3, whole->shape[1] / 2},
                         .size = {whole->shape[0] - whole->shape[0] / 3,
                                  whole->shape[1] - whole->shape[1] / 2, whole->shape[2]}};
    mtm_array part = {0}, crop, copy = {0};

    p.has_region = true;
    p.region[0] = box.start[0], p.region[1] = whole->shape[0];
    p.region[2] = box.start[1], p.region[3] = whole->shape[1];
    FUZZ_CHECK(mtm_decode(NULL, data, n, &p, &part, NULL) == MTM_OK);
    FUZZ_CHECK(mtm_array_crop(&crop, whole, &box, NULL) == MTM_OK);
    FUZZ_CHECK(mtm_array_new(&copy, whole->dtype, box.ndim, box.size, NULL, NULL) == MTM_OK);
    FUZZ_CHECK(mtm_array_convert(&copy, &crop, 1, 0, NULL, NULL) == MTM_OK);
    FUZZ_CHECK(fuzz_same(&part, &copy));
    mtm_array_drop(&part);
    mtm_array_drop(&copy);
}

static inline int fuzz_codec(const char *codec, const uint8_t *data, size_t n)
{
    static const mtm_limits limits = {
        .max_bytes = 1 << 20, .max_expansion = 1100, .max_header_bytes = 1 << 20};
    mtm_decode_report report;
    mtm_decode_params p = {.struct_size = sizeof p, .codec = codec, .limits = &limits, .report = &report};
    mtm_array whole = {0}, again = {0};
    mtm_codec_info *info;
    mtm_error err = {0};
    const mtm_status s = mtm_decode(NULL, data, n, &p, &whole, &err);

    if (mtm_codec_info_new(&info, data, n, &limits, NULL) == MTM_OK)
        mtm_codec_info_free(info);
    FUZZ_CHECK(s == MTM_OK || err.text[0]);
    p.partial = true;
    if (mtm_decode(NULL, data, n, &p, &again, NULL) == MTM_OK && s == MTM_OK)
        FUZZ_CHECK(report.complete && fuzz_same(&whole, &again));
    p.partial = false;
    if (s == MTM_OK)
        fuzz_region(&whole, data, n, p);
    mtm_array_drop(&whole);
    mtm_array_drop(&again);
    return 0;
}

#endif
