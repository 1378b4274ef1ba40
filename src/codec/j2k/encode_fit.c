/* codec/j2k/encode_fit.c: looks at the pixels: do they fit their precision, and which is the narrowest type that their
 * coefficients fit. 16-bit containers mostly hold 10 to 13 bits, and int16 halves the work of the wavelet.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/size.h"
#include "encode.h"

/* ---- range of the pixels ------------------------------------------------------------------------------ */

/* Widens [*lo, *hi] by n pixels, a stride of bytes apart. */
#define RANGE_ROW(T)                                                                                         \
    static void range_row_##T(const char *row, ptrdiff_t stride, int64_t n, int64_t *lo, int64_t *hi)        \
    {                                                                                                        \
        T least, most;                                                                                       \
                                                                                                             \
        memcpy(&least, row, sizeof least);                                                                   \
        most = least;                                                                                        \
        if (stride == (ptrdiff_t)sizeof(T))                                                                  \
            for (int64_t i = 0; i < n; i++) {                                                                \
                T v;                                                                                         \
                                                                                                             \
                memcpy(&v, row + i * (int64_t)sizeof v, sizeof v);                                           \
                least = v < least ? v : least, most = v > most ? v : most;                                   \
            }                                                                                                \
        else                                                                                                 \
            for (int64_t i = 0; i < n; i++) {                                                                \
                T v;                                                                                         \
                                                                                                             \
                memcpy(&v, row + i * stride, sizeof v);                                                      \
                least = v < least ? v : least, most = v > most ? v : most;                                   \
            }                                                                                                \
        *lo = mtm_min_i64(*lo, least), *hi = mtm_max_i64(*hi, most);                                         \
    }
RANGE_ROW(uint8_t)
RANGE_ROW(int8_t)
RANGE_ROW(uint16_t)
RANGE_ROW(int16_t)
RANGE_ROW(uint32_t)
RANGE_ROW(int32_t)

static void range_pixels(j2k_range *seen, const mtm_array *a, int64_t y, int64_t x, int64_t n)
{
    static void (*const by_dtype[])(const char *row, ptrdiff_t stride, int64_t n, int64_t *lo,
                                    int64_t *hi) = {
        [MTM_U8] = range_row_uint8_t,  [MTM_I8] = range_row_int8_t,    [MTM_U16] = range_row_uint16_t,
        [MTM_I16] = range_row_int16_t, [MTM_U32] = range_row_uint32_t, [MTM_I32] = range_row_int32_t,
    };

    by_dtype[a->dtype]((const char *)a->data + y * a->stride[0] + x * a->stride[1], a->stride[1], n,
                       &seen->lo, &seen->hi);
}

enum { WHOLE = 32 }; /* pixels: kernels read whole vectors, which must not reach behind the caller's memory */

/* Row y. Dense 16-bit rows go through the kernel for int16, which also tells the range of unsigned ones that lie on one side of
 * 2^15. */
static void range_row(j2k_range *seen, const mtm_kernels *k, const mtm_array *a, int64_t y)
{
    const char *const row = (const char *)a->data + y * a->stride[0];
    const bool is_unsigned = a->dtype == MTM_U16;
    int64_t whole = a->shape[1] / WHOLE * WHOLE;
    mtm_range16 r = {INT16_MAX, INT16_MIN};

    if ((a->dtype != MTM_I16 && !is_unsigned) || a->stride[1] != 2 || (uintptr_t)row % 2)
        whole = 0;
    if (whole)
        k->wavelet.range16((const int16_t *)(const void *)row, (size_t)whole, &r);
    if (is_unsigned && r.lo < 0 && r.hi >= 0)
        whole = 0;
    if (whole) {
        seen->lo = mtm_min_i64(seen->lo, is_unsigned ? (uint16_t)r.lo : r.lo);
        seen->hi = mtm_max_i64(seen->hi, is_unsigned ? (uint16_t)r.hi : r.hi);
    }
    if (whole < a->shape[1])
        range_pixels(seen, a, y, whole, a->shape[1] - whole);
}

mtm_array j2k_tile_plane(const j2k_encoder *e, const j2k_tile_component *tc, int32_t i)
{
    const j2k_size *const size = &e->plan->size;
    const j2k_rect image = j2k_component_rect(size, i, 0, size->image);
    mtm_array a = e->plan->planes[i];

    a.data = (char *)a.data + (tc->full.y0 - image.y0) * a.stride[0] + (tc->full.x0 - image.x0) * a.stride[1];
    a.shape[0] = tc->full.y1 - tc->full.y0, a.shape[1] = tc->full.x1 - tc->full.x0;
    return a;
}

static j2k_range precision_range(const j2k_component_size *c)
{
    const int64_t half = (int64_t)1 << (c->bits - 1);

    return c->is_signed ? (j2k_range){-half, half - 1} : (j2k_range){0, 2 * half - 1};
}

/* Names the first pixel of row y that is beyond `allowed`. */
static mtm_status refuse_row(const j2k_encode_plan *plan, int32_t i, int64_t y, j2k_range allowed,
                             mtm_error *err)
{
    const j2k_component_size *const c = &plan->size.components[i];
    int64_t x = -1;
    j2k_range pixel;

    do {
        x++, pixel = (j2k_range){INT64_MAX, INT64_MIN};
        range_pixels(&pixel, &plan->planes[i], y, x, 1);
    } while (pixel.lo >= allowed.lo && pixel.lo <= allowed.hi);
    return mtm_fail(err, MTM_E_INVAL, -1,
                    "value %" PRId64 " at row %" PRId64 ", column %" PRId64
                    " of plane %d does not fit %d bits, %s",
                    pixel.lo, y, x, (int)i, (int)c->bits, c->is_signed ? "signed" : "unsigned");
}

j2k_range j2k_encode_range(const j2k_encode_plan *plan, int32_t first, int32_t n)
{
    j2k_range all = plan->ranges[first];

    for (int32_t i = first + 1; i < first + n; i++) {
        all.lo = mtm_min_i64(all.lo, plan->ranges[i].lo);
        all.hi = mtm_max_i64(all.hi, plan->ranges[i].hi);
    }
    return all.lo <= all.hi ? all : precision_range(&plan->size.components[first]);
}

mtm_status j2k_encode_look(j2k_range *seen, const j2k_encode_plan *plan, int32_t plane, mtm_error *err)
{
    const j2k_component_size *const c = &plan->size.components[plane];
    const mtm_array *const a = &plan->planes[plane];
    const j2k_range allowed = precision_range(c);

    *seen = allowed;
    if (8 * mtm_dtype_size(a->dtype) <= c->bits && (plan->lossy || c->bits <= 8))
        return MTM_OK; /* every pixel is fine, and int16 holds all that 8 bits give */
    *seen = (j2k_range){INT64_MAX, INT64_MIN};
    for (int64_t y = 0; y < a->shape[0] && a->shape[1] > 0; y++) {
        range_row(seen, plan->kernels, a, y);
        if (seen->lo < allowed.lo || seen->hi > allowed.hi)
            return refuse_row(plan, plane, y, allowed, err);
    }
    return MTM_OK;
}

/* ---- the narrowest type ------------------------------------------------------------------------------- */

/* For level-shifted samples in [lo, hi]. int16 is exact while no number that a lifting step adds to another exceeds
 * MTM_WAVELET_MOST16: samples and LL, what is high-pass along one axis, and HH. Of these only HH may be larger than proven: it
 * is stored as it is, and can be looked at. */
static j2k_fit fit_samples(const j2k_tile_component *tc, const j2k_singles *s, double lo, double hi)
{
    const double hh = j2k_reversible_bound(tc->levels, MTM_BAND_HH, s, lo, hi);
    double most = 0;

    for (int32_t orient = MTM_BAND_LL; orient < MTM_BAND_HH; orient++)
        most = fmax(most, j2k_reversible_bound(tc->levels, orient, s, lo, hi));
    if (most <= MTM_WAVELET_MOST16 && hh <= INT16_MAX)
        return (j2k_fit){.type = MTM_COEF_I16, .if_hh = hh > MTM_WAVELET_MOST16};
    return (j2k_fit){.type = fmax(most, hh) <= INT32_MAX / 2 - 1 ? MTM_COEF_I32 : MTM_COEF_I64};
}

/* Samples far from 0 are brought there by an offset, which only LL keeps, unless single samples are doubled. */
static j2k_fit fit_offset(const j2k_tile_component *tc, const j2k_singles *s, j2k_range r)
{
    const int64_t offset = mtm_min_i64(-((r.lo + r.hi) / 2), INT16_MAX);
    j2k_fit fit;

    for (int32_t level = 1; level <= tc->levels; level++)
        if (s->x[level] || s->y[level])
            return (j2k_fit){.type = MTM_COEF_I32};
    if (offset < INT16_MIN)
        return (j2k_fit){.type = MTM_COEF_I32};
    fit = fit_samples(tc, s, (double)(r.lo + offset), (double)(r.hi + offset));
    fit.offset = (int16_t)offset;
    return fit;
}

/* Chroma of the RCT are differences of two samples, luma is between them (T.800 G.2). */
static j2k_fit fit_range(const j2k_tile_component *tc, j2k_range r, bool rct)
{
    j2k_singles s = {.x = {false}};
    j2k_fit fit, moved;

    if (!tc->params->coding.reversible)
        return (j2k_fit){.type = MTM_COEF_F32};
    if (rct)
        r = (j2k_range){mtm_min_i64(r.lo, r.lo - r.hi), mtm_max_i64(r.hi, r.hi - r.lo)};
    j2k_singles_add(&s, tc->levels, tc->full);
    fit = fit_samples(tc, &s, (double)r.lo, (double)r.hi);
    if (rct || fit.type == MTM_COEF_I16)
        return fit;
    moved = fit_offset(tc, &s, r);
    return moved.type == MTM_COEF_I16 ? moved : fit;
}

j2k_fit j2k_encode_fit(const j2k_encode_plan *plan, const j2k_tile *t, int32_t first, int32_t n)
{
    const j2k_component_size *const c = &plan->size.components[first];
    const int64_t shift = c->is_signed ? 0 : (int64_t)1 << (c->bits - 1);
    const j2k_range seen = j2k_encode_range(plan, first, n);

    return fit_range(&t->components[first], (j2k_range){seen.lo - shift, seen.hi - shift}, n > 1);
}
