/* tests/fuzz/fuzz_dicom_volume.c: DICOM instances as images: functional groups, vectors of multi-frame images, geometry. The corpus has
 * a small file of each kind; the checks are fuzz_image.h's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_image(data, n);
}
