/* tests/fuzz/fuzz_jpegls.c: any bytes as JPEG-LS; the checks are fuzz_codec.h's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_codec("jpegls", data, n);
}
