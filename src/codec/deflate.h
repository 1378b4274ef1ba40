/* codec/deflate.h: writing gzip (RFC 1952) by libdeflate. Pure: memory to memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CODEC_DEFLATE_H
#define MTM_CODEC_DEFLATE_H

#include "base/mem.h"

/* Compresses `size_bytes` into one gzip member per GiB, at level 1 … 12, and hands each to `put` in order. Errors:
 * MTM_E_INVAL (level), MTM_E_NOMEM, and what put gives. */
mtm_status mtm_gzip_deflate(const void *data, size_t size_bytes, int level,
                            mtm_status (*put)(void *user, const void *data, size_t n, mtm_error *err),
                            void *user, mtm_error *err);

#endif
