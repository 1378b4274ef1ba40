/* tests/fuzz/fuzz.h: what every fuzz target defines. Such a file says which parser gets the bytes, and stops the
 * process (FUZZ_CHECK) when an answer contradicts itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_FUZZ_H
#define MTM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define FUZZ_CHECK(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                    \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
