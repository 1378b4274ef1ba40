/* tests/fuzz/fuzz_image.h: what every image format must hold on any bytes: an error, or a picture whose parts are parts
 * of the whole.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_FUZZ_IMAGE_H
#define MTM_TESTS_FUZZ_IMAGE_H

#include "format/format.h"
#include "fuzz.h"

/* The middle of each axis, read alone, equals the same part of the whole. */
static void fuzz_image_box(mtm_image *im, const mtm_array *whole)
{
    const mtm_image_info *const info = mtm_image_info_get(im);
    mtm_box box = {.ndim = info->ndim};
    mtm_array part = {0}, crop, copy = {0};

    for (int32_t i = 0; i < info->ndim; i++)
        box.start[i] = info->shape[i] / 3, box.size[i] = info->shape[i] - info->shape[i] / 3;
    FUZZ_CHECK(mtm_image_read(im, 0, &box, NULL, &part, NULL) == MTM_OK);
    FUZZ_CHECK(mtm_array_crop(&crop, whole, &box, NULL) == MTM_OK);
    FUZZ_CHECK(mtm_array_new(&copy, whole->dtype, box.ndim, box.size, NULL, NULL) == MTM_OK);
    FUZZ_CHECK(mtm_array_convert(&copy, &crop, 1, 0, NULL, NULL) == MTM_OK);
    FUZZ_CHECK(part.dtype == copy.dtype);
    FUZZ_CHECK(memcmp(part.data, copy.data, (size_t)mtm_array_count(&copy) * mtm_dtype_size(copy.dtype)) ==
               0);
    mtm_array_drop(&part);
    mtm_array_drop(&copy);
}

static int fuzz_image(const uint8_t *data, size_t n)
{
    static const mtm_limits limits = {
        .max_bytes = 1 << 22, .max_expansion = 1100, .max_header_bytes = 1 << 20};
    const mtm_open_options open = {.struct_size = sizeof open, .limits = &limits};
    mtm_read_options read = {.struct_size = sizeof read};
    mtm_image_stats stats;
    MTM_AUTO(mtm_image) im = NULL;
    mtm_source *source;
    mtm_array whole = {0};
    mtm_error err = {0};

    if (mtm_source_memory(&source, data, n, "memory", NULL) != MTM_OK)
        return 0;
    if (mtm_image_open_source(&im, source, &open, &err) != MTM_OK) {
        FUZZ_CHECK(err.code != MTM_OK && err.text[0]);
        return 0;
    }
    read.stats = &stats;
    if (mtm_image_read(im, 0, NULL, &read, &whole, &err) == MTM_OK) {
        FUZZ_CHECK(stats.count + stats.non_finite == mtm_array_count(&whole));
        fuzz_image_box(im, &whole);
    }
    mtm_array_drop(&whole);
    return 0;
}

#endif
