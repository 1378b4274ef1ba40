/* kernel/convert.h: rows of numbers from one type to another, and moving elements between memory orders.
 * A conversion is composed of a step into float32, float64 or int64 and a step out of it, in blocks that stay in the
 * first-level cache; where one of the types is the middle one, a single step does it all.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_CONVERT_H
#define MTM_KERNEL_CONVERT_H

#include "base/error.h"

/* Arrays are indexed by mtm_dtype, or by log2 of the element's bytes. Rows are contiguous, in native byte order, aligned to
 * their element; dst and src do not overlap unless said. */
typedef struct mtm_convert_kernels {
    /* x·slope + inter, each rounded once (no fused multiply-add). float32: types that it holds exactly, else NULL. */
    void (*to_f32[MTM_N_DTYPES])(float *dst, const void *src, size_t n, float slope, float inter);
    void (*to_f64[MTM_N_DTYPES])(double *dst, const void *src, size_t n, double slope, double inter);
    void (*to_i64[MTM_N_DTYPES])(int64_t *dst, const void *src, size_t n); /* integers; uint64 saturates */
    /* Half to even, clamped; BOOL: 1 where x ≠ 0. False when a NaN met an integer (which then holds anything). */
    bool (*from_f32[MTM_N_DTYPES])(void *dst, const float *src, size_t n);
    bool (*from_f64[MTM_N_DTYPES])(void *dst, const double *src, size_t n);
    void (*from_i64[MTM_N_DTYPES])(void *dst, const int64_t *src, size_t n); /* integers, clamped */
    void (*copy)(void *dst, const void *src,
                 size_t size_bytes);                       /* glibc's starts slowly at some alignments */
    void (*swap[4])(void *dst, const void *src, size_t n); /* byte order; dst may be src; [0] is NULL */
    void (*gather[4])(void *dst, const void *src, ptrdiff_t stride_bytes, size_t n);
    void (*scatter[4])(void *dst, ptrdiff_t stride_bytes, const void *src, size_t n);
    /* dst row r, column c := src row c, column r. Columns are contiguous, strides (bytes) lie between rows; dst has `rows`
     * rows of `cols`. Source lines are used up eight at a time: power-of-two strides between them do no harm. */
    void (*transpose[4])(void *dst, ptrdiff_t dst_stride, const void *src, ptrdiff_t src_stride, size_t rows,
                         size_t cols);
} mtm_convert_kernels;

void mtm_convert_kernels_init(mtm_convert_kernels *k, unsigned cpu);
#if defined(__x86_64__)
void mtm_convert_kernels_avx2(mtm_convert_kernels *k);
void mtm_convert_kernels_avx512(mtm_convert_kernels *k);
#endif

/* How a row is converted. `swap`: the source has the other byte order. */
typedef struct mtm_conversion {
    mtm_dtype src, dst;
    bool swap;
    double slope, inter;
} mtm_conversion;

/* dst[i] = convert(src[i]·slope + inter). The arithmetic is float32 where dst is float32 and float32 holds every value of
 * src; float64 otherwise; slope 1 and inter 0 leave integers and −0 exact. False: a NaN met an integer. */
bool mtm_convert_row(const mtm_convert_kernels *k, const mtm_conversion *c, void *dst, const void *src,
                     size_t n);

/* The intercept as to_f32 and to_f64 take it: where nothing is scaled, −0, which changes no bit of any number. */
double mtm_convert_inter(const mtm_conversion *c);

/* log2 of an element's bytes: 0 … 3. */
int mtm_convert_log2(mtm_dtype t);

#endif
