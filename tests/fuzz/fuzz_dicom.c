/* tests/fuzz/fuzz_dicom.c: data sets of any encoding: opening with and without its options, the table's order, look-up, values.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../cases/dicom_whole.h"
#include "fuzz.h"

static void try_open(const uint8_t *data, size_t n, bool force, bool stop_at_pixels)
{
    const mtm_limits limits = {.max_bytes = 1 << 24, .max_expansion = 1100, .max_header_bytes = 1 << 20};
    const mtm_dicom_options options = {
        .struct_size = sizeof options, .limits = &limits, .force = force, .stop_at_pixels = stop_at_pixels};
    MTM_AUTO(mtm_dicom) d = NULL;
    const mtm_dicom_element *found;
    mtm_error err = {0};
    const char *why;

    if (mtm_dicom_open_memory(&d, data, n, "fuzz.dcm", &options, &err)) {
        FUZZ_CHECK(err.code != MTM_OK && err.text[0]);
        return;
    }
    why = dicom_broken(d);
    if (why)
        fprintf(stderr, "%s\n", why);
    FUZZ_CHECK(!why);
    FUZZ_CHECK(mtm_dicom_transfer_syntax(d)[0]);
    for (int32_t i = 0; i < mtm_dicom_warning_count(d); i++)
        FUZZ_CHECK(mtm_dicom_warning_get(d, i)[0]);
    if (!mtm_dicom_find_path(&found, d, "ReferencedImageSequence[0].ReferencedSOPInstanceUID", &err))
        FUZZ_CHECK(found->tag == 0x00081155);
    if (!mtm_dicom_find_path(&found, d, "(0029,[ACME]01)", &err))
        FUZZ_CHECK((found->tag & 0xFFFF00FFu) == 0x00290001);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    try_open(data, n, false, false);
    try_open(data, n, true, true);
    return 0;
}
