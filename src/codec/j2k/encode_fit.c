/* codec/j2k/encode_fit.c: looks at a tile's pixels: do they fit their precision, and which is the narrowest type that their
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

static void range_row(const mtm_array *a, int64_t y, int64_t x, int64_t n, int64_t *lo, int64_t *hi)
{
    static void (*const by_dtype[])(const char *row, ptrdiff_t stride, int64_t n, int64_t *lo,
                                    int64_t *hi) = {
        [MTM_U8] = range_row_uint8_t,  [MTM_I8] = range_row_int8_t,    [MTM_U16] = range_row_uint16_t,
        [MTM_I16] = range_row_int16_t, [MTM_U32] = range_row_uint32_t, [MTM_I32] = range_row_int32_t,
    };

    by_dtype[a->dtype]((const char *)a->data + y * a->stride[0] + x * a->stride[1], a->stride[1], n, lo, hi);
}

static j2k_rect plane_rect(const j2k_encoder *e, int32_t i)
{
    return j2k_component_rect(&e->plan->size, i, 0, e->plan->size.image);
}

mtm_array j2k_tile_plane(const j2k_encoder *e, const j2k_tile_component *tc, int32_t i)
{
    const j2k_rect image = plane_rect(e, i);
    mtm_array a = e->plan->planes[i];

    a.data = (char *)a.data + (tc->full.y0 - image.y0) * a.stride[0] + (tc->full.x0 - image.x0) * a.stride[1];
    a.shape[0] = tc->full.y1 - tc->full.y0, a.shape[1] = tc->full.x1 - tc->full.x0;
    return a;
}

typedef struct range {
    int64_t lo, hi; /* empty: lo > hi */
} range;

static range precision_range(const j2k_component_size *c)
{
    const int64_t half = (int64_t)1 << (c->bits - 1);

    return c->is_signed ? (range){-half, half - 1} : (range){0, 2 * half - 1};
}

/* Names the first pixel of row y that is beyond `allowed`. */
static mtm_status refuse_row(const j2k_encoder *e, const j2k_tile_component *tc, int32_t i, int64_t y,
                             range allowed, mtm_error *err)
{
    const j2k_component_size *const c = &e->plan->size.components[i];
    const mtm_array a = j2k_tile_plane(e, tc, i);
    const j2k_rect image = plane_rect(e, i);
    int64_t value, hi, x = -1;

    do {
        x++, value = INT64_MAX, hi = INT64_MIN;
        range_row(&a, y, x, 1, &value, &hi);
    } while (value >= allowed.lo && value <= allowed.hi);
    return mtm_fail(err, MTM_E_INVAL, -1,
                    "value %" PRId64 " at row %" PRId64 ", column %" PRId64
                    " of plane %d does not fit %d bits, %s",
                    value, y + tc->full.y0 - image.y0, x + tc->full.x0 - image.x0, (int)i, (int)c->bits,
                    c->is_signed ? "signed" : "unsigned");
}

/* Widens *seen by the tile-component's pixels, which must be within the component's precision. */
static mtm_status range_check(range *seen, const j2k_encoder *e, const j2k_tile_component *tc, int32_t i,
                              mtm_error *err)
{
    const range allowed = precision_range(&e->plan->size.components[i]);
    const mtm_array a = j2k_tile_plane(e, tc, i);

    for (int64_t y = 0; y < a.shape[0] && a.shape[1] > 0; y++) {
        range_row(&a, y, 0, a.shape[1], &seen->lo, &seen->hi);
        if (seen->lo < allowed.lo || seen->hi > allowed.hi)
            return refuse_row(e, tc, i, y, allowed, err);
    }
    return MTM_OK;
}

/* ---- the narrowest type ------------------------------------------------------------------------------- */

/* For level-shifted samples in `r`. Chroma of the RCT are differences of two samples, luma is between them (T.800 G.2).
 * int16 is exact while no number that a lifting step adds to another exceeds MTM_WAVELET_MOST16: samples and LL, what is
 * high-pass along one axis, and HH. Of these only HH may be larger than proven: it is stored as it is, and can be looked at. */
static j2k_fit fit_range(const j2k_tile_component *tc, range r, bool rct)
{
    const double lo = (double)(rct ? mtm_min_i64(r.lo, r.lo - r.hi) : r.lo);
    const double hi = (double)(rct ? mtm_max_i64(r.hi, r.hi - r.lo) : r.hi);
    j2k_singles s = {.x = {false}};
    double bound[4], most = 0;

    j2k_singles_add(&s, tc->levels, tc->full);
    for (int32_t orient = MTM_BAND_LL; orient <= MTM_BAND_HH; orient++) {
        bound[orient] = j2k_reversible_bound(tc->levels, orient, &s, lo, hi);
        if (orient != MTM_BAND_HH)
            most = fmax(most, bound[orient]);
    }

    if (!tc->params->coding.reversible)
        return (j2k_fit){.type = MTM_COEF_F32};
    if (most <= MTM_WAVELET_MOST16 && bound[MTM_BAND_HH] <= INT16_MAX)
        return (j2k_fit){.type = MTM_COEF_I16, .if_hh = bound[MTM_BAND_HH] > MTM_WAVELET_MOST16};
    most = fmax(most, bound[MTM_BAND_HH]);
    return (j2k_fit){.type = most <= INT32_MAX / 2 - 1 ? MTM_COEF_I32 : MTM_COEF_I64};
}

mtm_status j2k_encode_fit(j2k_fit *fit, const j2k_encoder *e, const j2k_tile *t, int32_t first, int32_t n,
                          mtm_error *err)
{
    const j2k_component_size *const c = &e->plan->size.components[first];
    const j2k_tile_component *const tc = &t->components[first];
    const range allowed = precision_range(c);
    const int64_t shift = c->is_signed ? 0 : (int64_t)1 << (c->bits - 1);
    range seen = {INT64_MAX, INT64_MIN};

    *fit = fit_range(tc, (range){allowed.lo - shift, allowed.hi - shift}, n > 1);
    if (8 * mtm_dtype_size(e->plan->planes[first].dtype) <= c->bits &&
        (fit->type == MTM_COEF_F32 || (fit->type == MTM_COEF_I16 && !fit->if_hh)))
        return MTM_OK; /* every pixel is fine */
    for (int32_t i = first; i < first + n; i++)
        MTM_TRY(range_check(&seen, e, &t->components[i], i, err));
    if (seen.lo <= seen.hi)
        *fit = fit_range(tc, (range){seen.lo - shift, seen.hi - shift}, n > 1);
    return MTM_OK;
}
