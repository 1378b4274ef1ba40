/* base/error.c: filling mtm_error.
 * SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *mtm_version(void)
{
    return "0.1.0";
}

const char *mtm_status_name(mtm_status s)
{
    static const char *const names[] = {
        "MTM_OK",          "MTM_E_NOMEM",       "MTM_E_INVAL",    "MTM_E_IO",
        "MTM_E_CORRUPT",   "MTM_E_UNSUPPORTED", "MTM_E_NOTFOUND", "MTM_E_LIMIT",
        "MTM_E_CANCELLED", "MTM_E_CONFLICT",    "MTM_E_DENIED",   "MTM_E_DEVICE",
    };
    const int i = -(int)s;

    return i >= 0 && i < (int)(sizeof names / sizeof *names) ? names[i] : "MTM_?";
}

mtm_limits mtm_limits_default(void)
{
    return (mtm_limits){.max_bytes = 64ull << 30, .max_expansion = 1100, .max_header_bytes = 64ull << 20};
}

MTM_PRINTF(4, 0)
static void set(mtm_error *err, mtm_status code, int64_t offset, const char *fmt, va_list ap)
{
    err->code = code;
    err->offset = offset;
    err->where[0] = '\0';
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    for (char *p = err->text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

mtm_status mtm_fail(mtm_error *err, mtm_status code, int64_t offset, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    va_start(ap, fmt);
    set(err, code, offset, fmt, ap);
    va_end(ap);
    return code;
}

static mtm_status errno_status(int e)
{
    switch (e) {
    case ENOENT:
    case ENOTDIR: return MTM_E_NOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS: return MTM_E_DENIED;
    case ENOMEM: return MTM_E_NOMEM;
    case EEXIST: return MTM_E_CONFLICT;
    default: return MTM_E_IO;
    }
}

mtm_status mtm_fail_errno(mtm_error *err, int errno_value, const char *fmt, ...)
{
    const mtm_status code = errno_status(errno_value);
    char reason[96] = "";
    va_list ap;
    size_t n;

    if (!err)
        return code;
    va_start(ap, fmt);
    set(err, code, -1, fmt, ap);
    va_end(ap);
    n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, ": %s", strerror_r(errno_value, reason, sizeof reason));
    return code;
}

mtm_status mtm_error_where(mtm_error *err, mtm_status s, const char *where)
{
    const size_t room = err ? sizeof err->where - 1 : 0, n = where ? strlen(where) : 0;

    if (s == MTM_OK || !err || err->where[0] || !n)
        return s;
    if (n <= room)
        memcpy(err->where, where, n + 1);
    else
        snprintf(err->where, sizeof err->where, "...%s", where + n - (room - 3));
    for (char *p = err->where; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return s;
}
