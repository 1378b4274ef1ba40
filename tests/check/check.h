/* tests/check/check.h: the kernel checker. Every variant of a kernel (AVX2, AVX-512) against its C reference, on random
 * and edge sizes with guarded memory, and timed in the same loop. One file per family, check_FAMILY.c:
 *
 *     void check_convert(mtm_check *c)
 *     {
 *         if (mtm_check_kernel(c, "row", c->ref.convert.row, c->now.convert.row))
 *             for (int i = 0; i < MTM_CHECK_SIZES; i++) {
 *                 const size_t n = mtm_check_size(c, i);
 *                 float *const x = mtm_check_alloc(c, n * sizeof *x, sizeof *x); // one of each per case: in, a, b
 *                 …
 *                 c->ref.convert.row(a, x, n), c->now.convert.row(b, x, n);
 *                 mtm_check_f32(c, "row", a, b, n, 2, 0);
 *                 mtm_check_case_end(c); // checks the guards, frees the case's memory
 *             }
 *     }
 *
 * To add a family: one X(name) in MTM_CHECKS below, one name in check_families in meson.build.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_CHECK_H
#define MTM_TESTS_CHECK_H

#include <stdio.h>

#include "base/pool.h"
#include "base/rng.h"
#include "kernel/kernels.h"

#define MTM_CHECKS(X)                                                                                        \
    X(convert)                                                                                               \
    X(convolve)                                                                                              \
    X(displace)                                                                                              \
    X(ebcot)                                                                                                 \
    X(ht_decode)                                                                                             \
    X(ht_encode)                                                                                             \
    X(median)                                                                                                \
    X(pointwise)                                                                                             \
    X(resample)                                                                                              \
    X(stats)                                                                                                 \
    X(stream)                                                                                                \
    X(warp)                                                                                                  \
    X(wavelet)                                                                                               \
    X(color)                                                                                                 \
    X(bias)                                                                                                  \
    X(fft)                                                                                                   \
    X(distance)                                                                                              \
    X(label)                                                                                                 \
    X(window)

enum {
    MTM_CHECK_SIZES = 80, /* cases that mtm_check_size knows: 0 … 67, then a dozen larger ones */
    MTM_CHECK_BUFFERS = 32
};

typedef struct mtm_check_buffer {
    uint8_t *block, *data; /* block: guard, data, guard */
    size_t size_bytes, block_bytes;
} mtm_check_buffer;

typedef struct mtm_check {
    mtm_kernels ref, now; /* C, and the tier under test */
    unsigned cpu;
    const char *tier; /* "c", "avx2", "avx512", "vbmi2" */
    bool bench;
    mtm_rng rng;

    const char *family;
    char kernel[96];  /* being checked; "" before the first */
    int64_t compared; /* comparisons of this kernel */
    int complaints;   /* of this kernel; the first few are printed */
    int passed, failed, skipped;
    mtm_check_buffer buffers[MTM_CHECK_BUFFERS];
    int n_buffers;
} mtm_check;

#define MTM_CHECK_DECLARE(name) void check_##name(mtm_check *c);
MTM_CHECKS(MTM_CHECK_DECLARE)
#undef MTM_CHECK_DECLARE

/* Begins a kernel (and ends the one before). False, and counted as skipped: this tier has no variant of its own. In the
 * tier "c" every kernel runs, against itself: that checks the reference's own guards. */
#define mtm_check_kernel(c, name, ref_fn, now_fn)                                                            \
    mtm_check_begin((c), (name), (void (*)(void))(ref_fn), (void (*)(void))(now_fn))
bool mtm_check_begin(mtm_check *c, const char *name, void (*ref_fn)(void), void (*now_fn)(void));

/* Case i's size: 0 … 67 for the first 68, then random up to 5000 with multiples of 64 among them. */
size_t mtm_check_size(mtm_check *c, int i);

/* Guarded memory, with random contents, aligned to align_bytes (1 … 64) and on purpose to no more. Lives until
 * mtm_check_case_end. */
void *mtm_check_alloc(mtm_check *c, size_t size_bytes, size_t align_bytes);
void mtm_check_case_end(mtm_check *c);

/* Random values. `special`: a few NaN, ±Inf, ±0, denormals and huge values among them. */
int64_t mtm_check_below(mtm_check *c, int64_t n); /* 0 … n − 1 */
void mtm_check_fill_f32(mtm_check *c, float *x, size_t n, double lo, double hi, bool special);
void mtm_check_fill_f64(mtm_check *c, double *x, size_t n, double lo, double hi, bool special);

/* Comparisons; each counts. NaN equals NaN. A float passes when it is within max_ulp units in the last place or within
 * max_abs of the reference. */
void mtm_check_bytes(mtm_check *c, const char *what, const void *ref, const void *now, size_t size_bytes);
void mtm_check_i64(mtm_check *c, const char *what, int64_t ref, int64_t now);
void mtm_check_f32(mtm_check *c, const char *what, const float *ref, const float *now, size_t n,
                   int64_t max_ulp, double max_abs);
void mtm_check_f64(mtm_check *c, const char *what, const double *ref, const double *now, size_t n,
                   int64_t max_ulp, double max_abs);
void mtm_check_complain(mtm_check *c, const char *fmt, ...) MTM_PRINTF(2, 3);

/* With --bench: times both calls in turn and prints the best of each, their ratio and the new one's elements per
 * nanosecond. Not run otherwise. */
#define mtm_check_bench(c, n, ref_call, now_call)                                                            \
    do {                                                                                                     \
        int64_t bench_ref = INT64_MAX, bench_now = INT64_MAX;                                                \
        for (int bench_i = 0; (c)->bench && bench_i < 25; bench_i++) {                                       \
            const int64_t bench_t0 = mtm_now_ns();                                                           \
            ref_call;                                                                                        \
            const int64_t bench_t1 = mtm_now_ns();                                                           \
            now_call;                                                                                        \
            const int64_t bench_t2 = mtm_now_ns();                                                           \
            bench_ref = bench_t1 - bench_t0 < bench_ref ? bench_t1 - bench_t0 : bench_ref;                   \
            bench_now = bench_t2 - bench_t1 < bench_now ? bench_t2 - bench_t1 : bench_now;                   \
        }                                                                                                    \
        if ((c)->bench)                                                                                      \
            mtm_check_report((c), (n), bench_ref, bench_now);                                                \
    } while (0)
void mtm_check_report(const mtm_check *c, size_t n, int64_t ref_ns, int64_t now_ns);

#endif
