/* base/rng.h: counter-based random numbers. A stream is a place in the sample's life, so what it gives depends on
 * nothing but (seed, epoch, sample, operator).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_BASE_RNG_H
#define MTM_BASE_RNG_H

#include "microtome/base.h"

/* Philox 4×32-10; counter = (draw, operator, sample, epoch), each 32 bits; sample's upper bits are mixed into epoch's. */
typedef struct mtm_rng {
    uint64_t key;
    uint32_t counter[4];
    uint32_t word[4]; /* the block in use */
    int used;         /* words of it that are gone; 4: none left */
} mtm_rng;

mtm_rng mtm_rng_at(uint64_t seed, int64_t epoch, int64_t sample, uint32_t op);
uint32_t mtm_rng_u32(mtm_rng *r);
uint64_t mtm_rng_u64(mtm_rng *r);
float mtm_rng_uniform(mtm_rng *r);                      /* [0, 1): top 24 bits · 2⁻²⁴ */
double mtm_rng_range(mtm_rng *r, double lo, double hi); /* lo + u·(hi − lo) */
uint64_t mtm_rng_below(mtm_rng *r, uint64_t n);         /* [0, n), n ≥ 1: Lemire's bounded method, exact */

/* A permutation's value, without the permutation: where item i of n goes under (seed, epoch). Fisher–Yates over a
 * caller's array of n numbers. */
void mtm_rng_shuffle(uint64_t seed, int64_t epoch, int64_t *items, int64_t n);

#endif
