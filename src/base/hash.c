/* base/hash.c: XXH64 as its specification (xxHash, doc/xxhash_spec) writes it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hash.h"

#include <string.h>

static const uint64_t P1 = 0x9E3779B185EBCA87ull, P2 = 0xC2B2AE3D27D4EB4Full, P3 = 0x165667B19E3779F9ull,
                      P4 = 0x85EBCA77C2B2AE63ull, P5 = 0x27D4EB2F165667C5ull;

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static uint64_t round64(uint64_t acc, uint64_t lane)
{
    return rotl(acc + lane * P2, 31) * P1;
}

uint64_t mtm_hash64(const void *data, size_t size_bytes, uint64_t seed)
{
    const uint8_t *p = data;
    const uint8_t *const end = p + size_bytes;
    uint64_t h = seed + P5;

    if (size_bytes >= 32) {
        uint64_t acc[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};

        for (; end - p >= 32; p += 32)
            for (int i = 0; i < 4; i++)
                acc[i] = round64(acc[i], load64(p + 8 * i));
        h = rotl(acc[0], 1) + rotl(acc[1], 7) + rotl(acc[2], 12) + rotl(acc[3], 18);
        for (int i = 0; i < 4; i++)
            h = (h ^ round64(0, acc[i])) * P1 + P4;
    }
    h += size_bytes;
    for (; end - p >= 8; p += 8)
        h = rotl(h ^ round64(0, load64(p)), 27) * P1 + P4;
    if (end - p >= 4)
        h = rotl(h ^ load32(p) * P1, 23) * P2 + P3, p += 4;
    for (; p < end; p++)
        h = rotl(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}
