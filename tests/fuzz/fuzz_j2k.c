/* tests/fuzz/fuzz_j2k.c: codestreams, JP2 and JPH as images. The corpus decides which format is tried; the checks are fuzz_image.h's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_image(data, n);
}
