/* base/hash.h: a fast 64-bit hash (XXH64, Collet) for headers, keys and tables; not for secrets.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_BASE_HASH_H
#define MTM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t mtm_hash64(const void *data, size_t size_bytes, uint64_t seed);

#endif
