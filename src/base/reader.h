/* base/reader.h: a bounded reader over bytes that may be hostile. Reads past the end fail; they never touch memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_BASE_READER_H
#define MTM_BASE_READER_H

#include <string.h>

#include "error.h"

typedef struct mtm_reader {
    const uint8_t *data;
    size_t size_bytes, at;
    int64_t base; /* offset of data[0] in the file, for error messages */
    bool big_endian;
} mtm_reader;

static inline mtm_reader mtm_reader_over(const void *data, size_t size_bytes, int64_t base)
{
    return (mtm_reader){.data = data, .size_bytes = size_bytes, .base = base};
}

static inline size_t mtm_reader_left(const mtm_reader *r)
{
    return r->size_bytes - r->at;
}

static inline int64_t mtm_reader_offset(const mtm_reader *r)
{
    return r->base + (int64_t)r->at;
}

static inline mtm_status mtm_read_bytes(mtm_reader *r, void *out, size_t n, mtm_error *err)
{
    if (n > mtm_reader_left(r))
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "%zu bytes wanted, %zu left", n,
                        mtm_reader_left(r));
    memcpy(out, r->data + r->at, n);
    r->at += n;
    return MTM_OK;
}

static inline mtm_status mtm_read_skip(mtm_reader *r, size_t n, mtm_error *err)
{
    if (n > mtm_reader_left(r))
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(r), "%zu bytes wanted, %zu left", n,
                        mtm_reader_left(r));
    r->at += n;
    return MTM_OK;
}

/* mtm_read_u16(r, &x, err) …: in the reader's byte order. */
#define MTM_READ_FN(name, type, bits)                                                                        \
    static inline mtm_status mtm_read_##name(mtm_reader *r, type *out, mtm_error *err)                       \
    {                                                                                                        \
        uint##bits##_t u = 0;                                                                                \
        MTM_TRY(mtm_read_bytes(r, &u, sizeof u, err));                                                       \
        if (r->big_endian)                                                                                   \
            u = (uint##bits##_t)__builtin_bswap##bits(u);                                                    \
        memcpy(out, &u, sizeof u);                                                                           \
        return MTM_OK;                                                                                       \
    }
MTM_READ_FN(u16, uint16_t, 16)
MTM_READ_FN(i16, int16_t, 16)
MTM_READ_FN(u32, uint32_t, 32)
MTM_READ_FN(i32, int32_t, 32)
MTM_READ_FN(u64, uint64_t, 64)
MTM_READ_FN(i64, int64_t, 64)
MTM_READ_FN(f32, float, 32)
MTM_READ_FN(f64, double, 64)
#undef MTM_READ_FN

static inline mtm_status mtm_read_u8(mtm_reader *r, uint8_t *out, mtm_error *err)
{
    return mtm_read_bytes(r, out, 1, err);
}

#endif
