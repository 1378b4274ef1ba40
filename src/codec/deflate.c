/* codec/deflate.c: gzip, zlib and bare deflate by libdeflate.
 * SPDX-License-Identifier: Apache-2.0 */
#include "deflate.h"

#include <libdeflate.h>

#include "base/size.h"

typedef struct libdeflate_compressor compressor;
MTM_DEFINE_AUTO(compressor, libdeflate_free_compressor)
typedef struct libdeflate_decompressor decompressor;
MTM_DEFINE_AUTO(decompressor, libdeflate_free_decompressor)

/* Bounds the output buffer; every gzip reader takes several members as one stream. */
static const size_t MEMBER_BYTES = (size_t)1 << 30;

mtm_status mtm_gzip_deflate(const void *data, size_t size_bytes, int level,
                            mtm_status (*put)(void *user, const void *data, size_t n, mtm_error *err),
                            void *user, mtm_error *err)
{
    const uint8_t *p = data;
    const size_t first = size_bytes < MEMBER_BYTES ? size_bytes : MEMBER_BYTES;
    MTM_AUTO(compressor) c = NULL;
    MTM_AUTO(mtm_buffer) packed = NULL;

    if (level < 1 || level > 12)
        return mtm_fail(err, MTM_E_INVAL, -1, "the compression level is %d, not 1 to 12", level);
    c = libdeflate_alloc_compressor(level);
    if (!c)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_buffer_new(&packed, libdeflate_gzip_compress_bound(c, first), err));
    do {
        const size_t n = size_bytes < MEMBER_BYTES ? size_bytes : MEMBER_BYTES;
        const size_t got =
            libdeflate_gzip_compress(c, p, n, mtm_buffer_data(packed), mtm_buffer_size(packed));

        MTM_TRY(put(user, mtm_buffer_data(packed), got, err));
        p += n, size_bytes -= n;
    } while (size_bytes > 0);
    return MTM_OK;
}

mtm_status mtm_zlib_inflate(void *dst, size_t room_bytes, size_t *size_bytes, const uint8_t *in, size_t n,
                            mtm_error *err)
{
    MTM_AUTO(decompressor) d = libdeflate_alloc_decompressor();

    if (!d)
        return MTM_NOMEM(err);
    switch (libdeflate_zlib_decompress(d, in, n, dst, room_bytes, size_bytes)) {
    case LIBDEFLATE_SUCCESS: return MTM_OK;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
        return mtm_fail(err, MTM_E_LIMIT, -1, "the zlib stream holds more than %zu bytes", room_bytes);
    default: return mtm_fail(err, MTM_E_CORRUPT, -1, "broken zlib stream");
    }
}

mtm_status mtm_raw_inflate(uint8_t **out, size_t *size_bytes, const uint8_t *in, size_t n, size_t guess_bytes,
                           uint64_t most_bytes, uint64_t max_expansion, mtm_error *err)
{
    MTM_AUTO(decompressor) d = libdeflate_alloc_decompressor();
    uint64_t most, room;

    if (!d)
        return MTM_NOMEM(err);
    if (!mtm_mul_u64(n, max_expansion, &most) || most > most_bytes)
        most = most_bytes;
    room = guess_bytes ? guess_bytes : (uint64_t)n * 4 + 1024;
    for (;; room *= 4) {
        MTM_AUTO_MEM uint8_t *bytes = NULL;
        enum libdeflate_result result;

        room = room < most ? room : most;
        bytes = mtm_alloc(room);
        if (!bytes)
            return MTM_NOMEM(err);
        result = libdeflate_deflate_decompress(d, in, n, bytes, room, size_bytes);
        if (result == LIBDEFLATE_SUCCESS) {
            *out = bytes;
            bytes = NULL;
            return MTM_OK;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return mtm_fail(err, MTM_E_CORRUPT, -1, "broken deflate stream");
        if (room == most)
            return mtm_fail(err, MTM_E_LIMIT, -1,
                            "the deflate stream of %zu bytes holds more than %" PRIu64 " bytes", n, most);
    }
}
