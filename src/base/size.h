/* base/size.h: 64-bit sizes that cannot overflow unnoticed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_BASE_SIZE_H
#define MTM_BASE_SIZE_H

#include "error.h"

static inline bool mtm_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool mtm_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* Bytes of an array of `ndim` extents (each ≥ 0) and elements of elem_bytes; fails with MTM_E_INVAL on a negative
 * extent and MTM_E_LIMIT above max_bytes or 2⁶³. `what` begins the sentence. */
mtm_status mtm_extent_bytes(uint64_t *out, int32_t ndim, const int64_t *shape, size_t elem_bytes,
                            uint64_t max_bytes, const char *what, mtm_error *err);

static inline int64_t mtm_min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t mtm_max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t mtm_clamp_i64(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

#endif
