/* base/error.h: how functions fail. Every fallible function returns mtm_status and takes mtm_error *err last.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_BASE_ERROR_H
#define MTM_BASE_ERROR_H

#include <inttypes.h>

#include "microtome/base.h"

/* Passes a failure on. */
#define MTM_TRY(call)                                                                                        \
    do {                                                                                                     \
        const mtm_status mtm_try_status = (call);                                                            \
        if (mtm_try_status != MTM_OK)                                                                        \
            return mtm_try_status;                                                                           \
    } while (0)

/* Fills err (NULL is allowed) and returns code. offset: the input byte at fault, or -1. Control characters in the
 * text (names from hostile files) become '?'. */
mtm_status mtm_fail(mtm_error *err, mtm_status code, int64_t offset, const char *fmt, ...) MTM_PRINTF(4, 5);

/* As mtm_fail for a refused system call: the status and the sentence's end come from errno_value. */
mtm_status mtm_fail_errno(mtm_error *err, int errno_value, const char *fmt, ...) MTM_PRINTF(3, 4);

/* Names the file or part at fault unless something nearer already did; keeps the end of a long name. Returns err's
 * code, so that a caller can write: return mtm_error_where(err, status, path). */
mtm_status mtm_error_where(mtm_error *err, mtm_status s, const char *where);

#endif
