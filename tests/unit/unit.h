/* tests/unit/unit.h: what every cmocka program includes, and checks that print the library's error.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_UNIT_H
#define MTM_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

/* assert_ok(call(…, &err)); needs an mtm_error named err. */
#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        const mtm_status unit_status = (call);                                                               \
        if (unit_status != MTM_OK)                                                                           \
            fail_msg("%s: %s: %s (byte %lld)", mtm_status_name(unit_status), err.where, err.text,            \
                     (long long)err.offset);                                                                 \
    } while (0)

/* The call fails with this status and a sentence. */
#define assert_status(expected, call)                                                                        \
    do {                                                                                                     \
        const mtm_status unit_status = (call);                                                               \
        if (unit_status != (expected))                                                                       \
            fail_msg("%s instead of %s", mtm_status_name(unit_status), mtm_status_name(expected));           \
        assert_int_equal(err.code, (expected));                                                              \
        assert_true(err.text[0] != '\0');                                                                    \
    } while (0)

#endif
