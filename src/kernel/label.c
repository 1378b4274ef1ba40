/* kernel/label.c: counting and finding labels, and runs of them. What counts and finds has one version: its fast path compares
 * eight bytes at a time, which the compiler widens on its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "label.h"

#include <string.h>

enum { CHUNK_BYTES = 64 };

/* Whether the 64 bytes at x repeat the pattern. */
static inline bool uniform(const void *x, uint64_t pattern)
{
    uint64_t w[CHUNK_BYTES / 8], differ = 0;

    memcpy(w, x, sizeof w);
    for (int i = 0; i < CHUNK_BYTES / 8; i++)
        differ |= w[i] ^ pattern;
    return differ == 0;
}

/* The wanted places among m voxels of class c that follow each other from p->at + i on. */
static inline void pick_run(mtm_label_pick *p, int32_t c, int64_t i, int64_t m)
{
    while (*p->wanted[c] < p->seen[c] + m)
        *p->found[c]++ = p->at + i + (*p->wanted[c]++ - p->seen[c]);
    p->seen[c] += m;
}

#define LABELS(bits, spread)                                                                                 \
    static void count_u##bits(int64_t *counts, const uint##bits##_t *x, size_t n)                            \
    {                                                                                                        \
        enum { CHUNK = CHUNK_BYTES / sizeof *x };                                                            \
        size_t i = 0;                                                                                        \
                                                                                                             \
        for (; i + CHUNK <= n; i += CHUNK) {                                                                 \
            if (uniform(x + i, x[i] * (spread)))                                                             \
                counts[x[i]] += CHUNK;                                                                       \
            else                                                                                             \
                for (size_t j = i; j < i + CHUNK; j++)                                                       \
                    counts[x[j]]++;                                                                          \
        }                                                                                                    \
        for (; i < n; i++)                                                                                   \
            counts[x[i]]++;                                                                                  \
    }                                                                                                        \
    static void pick_u##bits(mtm_label_pick *p, const uint##bits##_t *x, size_t n)                           \
    {                                                                                                        \
        enum { CHUNK = CHUNK_BYTES / sizeof *x };                                                            \
                                                                                                             \
        for (size_t i = 0; i < n;) {                                                                         \
            const size_t m = n - i >= CHUNK ? CHUNK : n - i;                                                 \
                                                                                                             \
            if (m == CHUNK && uniform(x + i, x[i] * (spread))) {                                             \
                if (p->class_of[x[i]] >= 0)                                                                  \
                    pick_run(p, p->class_of[x[i]], (int64_t)i, CHUNK);                                       \
                i += CHUNK;                                                                                  \
                continue;                                                                                    \
            }                                                                                                \
            for (const size_t end = i + m; i < end; i++)                                                     \
                if (p->class_of[x[i]] >= 0)                                                                  \
                    pick_run(p, p->class_of[x[i]], (int64_t)i, 1);                                           \
        }                                                                                                    \
        p->at += (int64_t)n;                                                                                 \
    }
LABELS(8, UINT64_C(0x0101010101010101))
LABELS(16, UINT64_C(0x0001000100010001))

#define RUNS(bits)                                                                                           \
    static size_t changes_u##bits(int32_t *at, const void *p, size_t n)                                      \
    {                                                                                                        \
        const uint##bits##_t *const x = p;                                                                   \
        size_t m = 0;                                                                                        \
                                                                                                             \
        for (size_t i = 1; i < n; i++) {                                                                     \
            at[m] = (int32_t)i;                                                                              \
            m += x[i] != x[i - 1];                                                                           \
        }                                                                                                    \
        return m;                                                                                            \
    }                                                                                                        \
    static void differs_u##bits(uint8_t *out, const void *p, uint64_t value, size_t n)                       \
    {                                                                                                        \
        const uint##bits##_t *const x = p;                                                                   \
        const uint##bits##_t v = (uint##bits##_t)value;                                                      \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            out[i] = x[i] != v;                                                                              \
    }
RUNS(8)
RUNS(16)
RUNS(32)
RUNS(64)

void mtm_label_kernels_init(mtm_label_kernels *k, unsigned cpu)
{
    *k = (mtm_label_kernels){.count_u8 = count_u8,
                             .count_u16 = count_u16,
                             .pick_u8 = pick_u8,
                             .pick_u16 = pick_u16,
                             .changes = {changes_u8, changes_u16, changes_u32, changes_u64},
                             .differs = {differs_u8, differs_u16, differs_u32, differs_u64}};
#if defined(__x86_64__)
    if (cpu & MTM_CPU_AVX2)
        mtm_label_kernels_avx2(k);
#endif
}
