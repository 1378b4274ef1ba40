/* tests/fuzz/fuzz_png.c: PNG. The corpus decides which format is tried; the checks are fuzz_image.h's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_image(data, n);
}
