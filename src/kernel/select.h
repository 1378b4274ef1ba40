/* kernel/select.h: exact order statistics in linear time. Floats become unsigned keys of the same order; the digits of the
 * wanted ranks' keys are found from the highest down by counting (radix selection).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_SELECT_H
#define MTM_KERNEL_SELECT_H

#include "base/error.h"

enum { MTM_SELECT_RANKS = 4, MTM_SELECT_BITS = 11, MTM_SELECT_BINS = 1 << MTM_SELECT_BITS };

/* The search for up to four ranks. Digits are aligned to the key's top; the last one may be shorter. */
typedef struct mtm_select {
    int32_t n;                         /* ranks */
    int32_t key_bits, shift;           /* 32 or 64; bits below the digit in work */
    int64_t rank[MTM_SELECT_RANKS];    /* among the numbers that share the prefix so far; 0 is the least */
    uint64_t prefix[MTM_SELECT_RANKS]; /* key >> (shift + the digit's bits) */
    int32_t
        table[MTM_SELECT_RANKS]; /* which counts serve a rank: those of the first one with the same prefix */
} mtm_select;

mtm_select mtm_select_begin(int32_t n, const int64_t *ranks, int32_t key_bits);
/* After all numbers were counted into counts[table][bin]: fixes one more digit. False: all digits were known. */
bool mtm_select_next(mtm_select *s, const int64_t counts[][MTM_SELECT_BINS]);
double mtm_select_value(const mtm_select *s, int32_t i);

/* Two intervals in which wanted order statistics are expected, each [lo, hi]: how many numbers lie below, at the ends (values
 * may repeat a thousand times) and between, and those between. */
typedef struct mtm_bracket {
    double lo, hi; /* float32 values for bracket_f32 */
    int64_t below, at_lo, inside, at_hi;
    void *
        found; /* float or double: the first `room` of those inside, and up to 15 numbers of rubbish behind */
    int64_t room;
} mtm_bracket;

typedef struct mtm_select_kernels {
    /* Adds the finite, kept numbers of x to both brackets. keep NULL: all. */
    void (*bracket_f32)(mtm_bracket b[2], const float *x, const uint8_t *keep, size_t n);
    void (*bracket_f64)(mtm_bracket b[2], const double *x, const uint8_t *keep, size_t n);
    /* counts[table][digit]++ for every finite, kept number that has a rank's prefix. keep NULL: all. */
    void (*count_f32)(const mtm_select *s, uint32_t counts[][MTM_SELECT_BINS], const float *x,
                      const uint8_t *keep, size_t n);
    void (*count_f64)(const mtm_select *s, uint32_t counts[][MTM_SELECT_BINS], const double *x,
                      const uint8_t *keep, size_t n);
} mtm_select_kernels;

#if defined(__x86_64__)
void mtm_select_kernels_avx2(mtm_select_kernels *k);
void mtm_select_kernels_avx512(mtm_select_kernels *k);
#endif
void mtm_select_kernels_init(mtm_select_kernels *k, unsigned cpu);

#endif
