/* tests/fuzz/fuzz_jpeg8.c: any bytes as 8-bit JPEG behind the wrapper of libjpeg-turbo; the checks are fuzz_codec.h's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return fuzz_codec("jpeg", data, n);
}
