/* tests/fuzz/fuzz_rle.c: any bytes as a frame of DICOM's RLE, of every size of sample. What decodes strictly decodes the same partially, and comes
 * back from its own encoding.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "microtome/codec.h"

static const mtm_limits limits = {.max_bytes = 1 << 20, .max_expansion = 1100, .max_header_bytes = 1 << 20};

static bool same(const mtm_array *a, const mtm_array *b)
{
    return mtm_array_count(a) == mtm_array_count(b) &&
           memcmp(a->data, b->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype)) == 0;
}

static void round_trip(const mtm_array *a, mtm_decode_params p)
{
    mtm_encode_params e = mtm_encode_params_default();
    mtm_bytes bytes = {0};
    mtm_array again = {0};

    e.codec = "rle", p.partial = false;
    FUZZ_CHECK(mtm_encode(NULL, a, false, &e, &bytes, NULL) == MTM_OK);
    FUZZ_CHECK(mtm_decode(NULL, bytes.data, bytes.size_bytes, &p, &again, NULL) == MTM_OK && same(a, &again));
    mtm_array_drop(&again);
    mtm_bytes_drop(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const mtm_dtype types[] = {MTM_U8, MTM_U16, MTM_U32, MTM_F64, MTM_BOOL};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int channels = 1; channels <= 3; channels += 2) {
            mtm_decode_report report;
            mtm_decode_params p = {.struct_size = sizeof p,
                                   .codec = "rle",
                                   .limits = &limits,
                                   .report = &report,
                                   .shape = {7, 13, channels},
                                   .stored = types[i]};
            mtm_array whole = {0}, part = {0};
            const mtm_status s = mtm_decode(NULL, data, n, &p, &whole, NULL);

            p.partial = true;
            if (mtm_decode(NULL, data, n, &p, &part, NULL) == MTM_OK) {
                FUZZ_CHECK(report.complete == (s == MTM_OK));
                FUZZ_CHECK(s != MTM_OK || same(&whole, &part));
                round_trip(&part, p);
            }
            mtm_array_drop(&whole);
            mtm_array_drop(&part);
        }
    return 0;
}
