/* base/rng.c: Philox 4×32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011).
 * SPDX-License-Identifier: Apache-2.0 */
#include "rng.h"

#include <string.h>

void mtm_philox(uint64_t key, const uint32_t counter[4], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);

    for (int i = 0; i < 10; i++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1, c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

mtm_rng mtm_rng_at(uint64_t seed, int64_t epoch, int64_t sample, uint32_t op)
{
    const uint32_t mixed = (uint32_t)epoch ^ (uint32_t)((uint64_t)sample >> 32) * 0x85EBCA6Bu;

    return (mtm_rng){.key = seed, .counter = {0, op, (uint32_t)sample, mixed}, .used = 4};
}

uint32_t mtm_rng_u32(mtm_rng *r)
{
    if (r->used == 4) {
        mtm_philox(r->key, r->counter, r->word);
        r->counter[0]++;
        r->used = 0;
    }
    return r->word[r->used++];
}

uint64_t mtm_rng_u64(mtm_rng *r)
{
    const uint64_t lo = mtm_rng_u32(r);

    return lo | (uint64_t)mtm_rng_u32(r) << 32;
}

float mtm_rng_uniform(mtm_rng *r)
{
    return (float)(mtm_rng_u32(r) >> 8) * 0x1p-24f;
}

double mtm_rng_range(mtm_rng *r, double lo, double hi)
{
    return lo + (double)mtm_rng_uniform(r) * (hi - lo);
}

/* Lemire, Fast random integer generation in an interval (ACM TOMACS 2019), 64-bit form. */
uint64_t mtm_rng_below(mtm_rng *r, uint64_t n)
{
    unsigned __int128 m = (unsigned __int128)mtm_rng_u64(r) * n;

    if ((uint64_t)m < n) {
        const uint64_t least = -n % n;
        while ((uint64_t)m < least)
            m = (unsigned __int128)mtm_rng_u64(r) * n;
    }
    return (uint64_t)(m >> 64);
}

void mtm_rng_shuffle(uint64_t seed, int64_t epoch, int64_t *items, int64_t n)
{
    mtm_rng r = mtm_rng_at(seed, epoch, -1, UINT32_MAX); /* a stream no operator uses */

    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)mtm_rng_below(&r, (uint64_t)i + 1);
        const int64_t t = items[i];

        items[i] = items[j], items[j] = t;
    }
}
