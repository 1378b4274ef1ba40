/* kernel/displace_body.h: the displace family over lanes; a template on top of lanes_c.h, x86/lanes_avx2.h or
 * x86/lanes_avx512.h. Whoever includes it defines uniform_words.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_DISPLACE_BODY_H
#define MTM_KERNEL_DISPLACE_BODY_H

#include "displace.h"

/* One counter is four numbers, so the plain version makes four lanes at a time, the others two vectors. */
enum { WORDS_GROUP = V_LANES == 1 ? 4 : 2 * V_LANES, WORDS_VECTORS = WORDS_GROUP / V_LANES };

/* The words of the counters block … block + WORDS_GROUP / 4 − 1, in their order. */
static inline void uniform_words(uint64_t seed, uint32_t stream, uint64_t block, vu out[WORDS_VECTORS]);

static inline vf uniform_signed(vu words)
{
    return v_sub(v_mul(v_from_int(vu_shr(words, 8)), v_set1(0x1p-23f)), v_set1(1));
}

static inline void displace_uniform(uint64_t seed, uint32_t stream, int64_t first, float *out, int64_t n)
{
    const uint64_t block = (uint64_t)first / 4;
    vu words[WORDS_VECTORS];
    float some[WORDS_GROUP];
    int64_t i = 0;

    for (; n - i >= WORDS_GROUP; i += WORDS_GROUP) {
        uniform_words(seed, stream, block + (uint64_t)i / 4, words);
        for (int j = 0; j < WORDS_VECTORS; j++)
            v_store(out + i + j * V_LANES, uniform_signed(words[j]));
    }
    if (i < n) {
        uniform_words(seed, stream, block + (uint64_t)i / 4, words);
        for (int j = 0; j < WORDS_VECTORS; j++)
            v_store(some + j * V_LANES, uniform_signed(words[j]));
        memcpy(out + i, some, (size_t)(n - i) * sizeof *out);
    }
}

/* One run of samples that share their control points; what is stored beyond its end is stored again by the next. */
static inline void displace_run(const mtm_displace_row *row, const float *const control[3], int32_t from,
                                int32_t end, float *const out[3])
{
    const int32_t cell = row->cell[from];
    vf c[3][4];

    for (int a = 0; a < 3; a++)
        for (int k = 0; k < 4; k++)
            c[a][k] = v_set1(control[a][cell + k]);
    for (int32_t i = from; i < end; i += V_LANES) {
        const vf w0 = v_load(row->weight[0] + i), w1 = v_load(row->weight[1] + i);
        const vf w2 = v_load(row->weight[2] + i), w3 = v_load(row->weight[3] + i);

        for (int a = 0; a < 3; a++)
            v_store(out[a] + i,
                    v_fma(w3, c[a][3], v_fma(w2, c[a][2], v_fma(w1, c[a][1], v_mul(w0, c[a][0])))));
    }
}

static inline void displace_spline(const mtm_displace_row *row, const float *const control[3], int32_t n,
                                   float *const out[3])
{
    for (int32_t i = 0; i < n;) {
        const int32_t end = row->until[i] < n ? row->until[i] : n;

        displace_run(row, control, i, end, out);
        i = end;
    }
}

static inline void displace_turn(const float m[9], const float *const d[3], int32_t n, float *const out[3])
{
    for (int32_t i = 0; i < n; i += V_LANES) {
        const vf x = v_load(d[0] + i), y = v_load(d[1] + i), z = v_load(d[2] + i);

        for (int a = 0; a < 3; a++)
            v_store(out[a] + i, v_fma(v_set1(m[3 * a]), x,
                                      v_fma(v_set1(m[3 * a + 1]), y, v_mul(v_set1(m[3 * a + 2]), z))));
    }
}

#endif
