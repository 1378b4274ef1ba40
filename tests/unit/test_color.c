/* tests/unit/test_color.c: what color.h promises, written down in doubles after T.800 annex G: component
 * transforms, level shifts, clamping, rounding, rescaling, layouts; and that pixels come back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/rng.h"
#include "kernel/color.h"

static const unsigned tiers[] = {0, MTM_CPU_AVX2, MTM_CPU_AVX2 | MTM_CPU_AVX512,
                                 MTM_CPU_AVX2 | MTM_CPU_AVX512 | MTM_CPU_VBMI2};
enum { TIERS = sizeof tiers / sizeof *tiers, WIDTH = 300, ROOM = WIDTH + 64 };

typedef struct rows {
    union {
        int16_t i16[ROOM];
        int32_t i32[ROOM];
        int64_t i64[ROOM];
        float f32[ROOM];
    } row[4];
} rows;

static double value(const rows *r, int type, int c, int x)
{
    return type == MTM_COEF_I16   ? r->row[c].i16[x]
           : type == MTM_COEF_I32 ? r->row[c].i32[x]
           : type == MTM_COEF_I64 ? (double)r->row[c].i64[x]
                                  : (double)r->row[c].f32[x];
}

static void set_value(rows *r, int type, int c, int x, double v)
{
    if (type == MTM_COEF_I16)
        r->row[c].i16[x] = (int16_t)v;
    else if (type == MTM_COEF_I32)
        r->row[c].i32[x] = (int32_t)v;
    else if (type == MTM_COEF_I64)
        r->row[c].i64[x] = (int64_t)v;
    else
        r->row[c].f32[x] = (float)v;
}

static double pixel(const void *p, mtm_dtype t)
{
    switch (t) {
    case MTM_U8: return *(const uint8_t *)p;
    case MTM_I8: return *(const int8_t *)p;
    case MTM_U16: return *(const uint16_t *)p;
    case MTM_I16: return *(const int16_t *)p;
    case MTM_I32: return *(const int32_t *)p;
    default: return (double)*(const float *)p;
    }
}

/* T.800 equations G-1 … G-3 and G-9 … G-11, of level-shifted samples. */
static void forward(double out[3], const double in[3], int transform)
{
    const double r = in[0], g = in[1], b = in[2];

    if (transform == MTM_COLOR_NONE)
        out[0] = r, out[1] = g, out[2] = b;
    else if (transform == MTM_COLOR_RCT)
        out[0] = floor((r + 2 * g + b) / 4), out[1] = b - g, out[2] = r - g;
    else
        out[0] = 0.299 * r + 0.587 * g + 0.114 * b, out[1] = -0.16875 * r - 0.33126 * g + 0.5 * b,
        out[2] = 0.5 * r - 0.41869 * g - 0.08131 * b;
}

static const struct kind {
    uint8_t n, type, transform, bits;
    bool is_signed;
    mtm_dtype dtype;
} kinds[] = {
    {1, MTM_COEF_I16, MTM_COLOR_NONE, 12, false, MTM_U16},
    {1, MTM_COEF_I32, MTM_COLOR_NONE, 16, true, MTM_I16},
    {1, MTM_COEF_F32, MTM_COLOR_NONE, 16, false, MTM_U16},
    {1, MTM_COEF_I64, MTM_COLOR_NONE, 20, true, MTM_I32},
    {3, MTM_COEF_I16, MTM_COLOR_RCT, 8, false, MTM_U8},
    {3, MTM_COEF_I32, MTM_COLOR_RCT, 8, false, MTM_U8},
    {3, MTM_COEF_I64, MTM_COLOR_RCT, 8, false, MTM_U8},
    {3, MTM_COEF_I32, MTM_COLOR_RCT, 16, false, MTM_U16},
    {3, MTM_COEF_I16, MTM_COLOR_RCT, 12, true, MTM_I16},
    {3, MTM_COEF_F32, MTM_COLOR_ICT, 8, false, MTM_U8},
    {3, MTM_COEF_F32, MTM_COLOR_ICT, 12, false, MTM_U16},
    {4, MTM_COEF_I16, MTM_COLOR_RCT, 7, true, MTM_I8},
    {2, MTM_COEF_I16, MTM_COLOR_NONE, 8, false, MTM_U8},
};

static mtm_color_store how_of(const struct kind *k)
{
    mtm_color_store how = {.n = k->n, .type = k->type, .transform = k->transform, .dtype = k->dtype};

    for (int c = 0; c < how.n; c++)
        how.bits[c] = k->bits, how.is_signed[c] = k->is_signed;
    return how;
}

/* Random pixels within the precision, [WIDTH, n]. */
static void fill(char *pixels, const mtm_color_store *how, mtm_rng *rng)
{
    const size_t size = mtm_dtype_size(how->dtype);
    const int64_t half = (int64_t)1 << (how->bits[0] - 1);

    for (size_t i = 0; i < WIDTH * (size_t)how->n; i++) {
        const int64_t v = (int64_t)mtm_rng_below(rng, 2 * (uint64_t)half) - (how->is_signed[0] ? half : 0);
        memcpy(pixels + i * size, &v, size); /* little-endian */
    }
}

static void there_and_back(void **state)
{
    mtm_rng rng = mtm_rng_at(1, 0, 0, 0);
    mtm_color_kernels k;

    for (size_t i = 0; i < TIERS * sizeof kinds / sizeof *kinds; i++) {
        const mtm_color_store how = how_of(&kinds[i / TIERS]);
        const size_t size = mtm_dtype_size(how.dtype);
        const double shift = how.is_signed[0] ? 0 : ldexp(1, how.bits[0] - 1);
        _Alignas(8) char in[WIDTH * 4 * 4], out[sizeof in];
        const void *src[4], *from[4];
        void *dst[4], *to[4];
        rows r;

        mtm_color_kernels_init(&k, tiers[i % TIERS] & mtm_cpu_flags());
        fill(in, &how, &rng);
        for (int c = 0; c < how.n; c++) {
            src[c] = in + (size_t)c * size, dst[c] = out + (size_t)c * size;
            from[c] = to[c] = &r.row[c];
        }
        k.load(&how, to, src, (ptrdiff_t)(size * how.n), WIDTH);
        for (int x = 0; x < WIDTH; x++) {
            double rgb[4] = {0}, wanted[4];

            for (int c = 0; c < how.n; c++)
                rgb[c] = pixel(in + ((size_t)x * how.n + (size_t)c) * size, how.dtype) - shift;
            memcpy(wanted, rgb, sizeof wanted);
            forward(wanted, rgb, how.transform);
            for (int c = 0; c < how.n; c++)
                assert_true(fabs(value(&r, how.type, c, x) - wanted[c]) <=
                            (how.type == MTM_COEF_F32 ? ldexp(1, how.bits[0] - 20) : 0));
        }
        memset(out, 0, sizeof out);
        k.store(&how, dst, (ptrdiff_t)(size * how.n), from, WIDTH);
        assert_memory_equal(in, out, WIDTH * (size_t)how.n * size);
        for (int c = 0; c < how.n; c++) /* and in planes, from the right */
            dst[c] = out + (size_t)c * WIDTH * size + (WIDTH - 1) * size;
        k.store(&how, dst, -(ptrdiff_t)size, from, WIDTH);
        for (size_t j = 0; j < WIDTH * (size_t)how.n; j++)
            assert_memory_equal(out + (j % how.n * WIDTH + WIDTH - 1 - j / how.n) * size, in + j * size,
                                size);
    }
}

/* One component's row → one pixel each. */
static void expect(const mtm_color_store *how, double v, double wanted)
{
    for (int t = 0; t < TIERS; t++)
        for (int x = 0; x < WIDTH; x += 149) {
            mtm_color_kernels k;
            _Alignas(8) char out[WIDTH * 4];
            void *const dst[1] = {out};
            rows r = {0};
            const void *const from[1] = {&r.row[0]};

            mtm_color_kernels_init(&k, tiers[t] & mtm_cpu_flags());
            set_value(&r, how->type, 0, x, v);
            k.store(how, dst, (ptrdiff_t)mtm_dtype_size(how->dtype), from, WIDTH);
            const double found = pixel(out + (size_t)x * mtm_dtype_size(how->dtype), how->dtype);
            if (found != wanted)
                fail_msg("%g gives %g instead of %g", v, found, wanted);
        }
}

static void limits(void **state)
{
    mtm_color_store h = {.n = 1, .type = MTM_COEF_I32, .bits = {12}, .dtype = MTM_U16};

    expect(&h, -2048, 0), expect(&h, -2049, 0), expect(&h, -2e9, 0), expect(&h, 2047, 4095);
    expect(&h, 2048, 4095), expect(&h, 2e9, 4095), expect(&h, 5, 2053);
    h.type = MTM_COEF_I16;
    expect(&h, -32768, 0), expect(&h, 32767, 4095), expect(&h, -7, 2041);
    h.dtype = MTM_U8; /* too small for the precision */
    expect(&h, 0, 255), expect(&h, -2000, 48), expect(&h, -3000, 0);
    h.is_signed[0] = true, h.dtype = MTM_I16;
    expect(&h, -3000, -2048), expect(&h, 3000, 2047), expect(&h, -1, -1);
    h = (mtm_color_store){.n = 1, .type = MTM_COEF_I16, .bits = {16}, .offset = {24576}, .dtype = MTM_U16};
    expect(&h, -8192, 0), expect(&h, -8193, 0), expect(&h, -8191, 1), expect(&h, 24574, 32766);
    h = (mtm_color_store){.n = 1, .type = MTM_COEF_F32, .bits = {8}, .dtype = MTM_U8};
    expect(&h, 0.5, 128), expect(&h, 1.5, 130), expect(&h, -0.5, 128),
        expect(&h, 0.51, 129); /* half to even */
    expect(&h, (double)NAN, 0), expect(&h, (double)INFINITY, 255), expect(&h, (double)-INFINITY, 0);
    expect(&h, 1e30, 255), expect(&h, -1e30, 0), expect(&h, 126.7, 255), expect(&h, -127.9, 0);
}

static void rescaled(void **state)
{
    mtm_color_store h = {.n = 1, .type = MTM_COEF_I16, .bits = {12}, .dtype = MTM_F32, .rescale = true};

    h.slope = 0.1, h.inter = -1024;
    expect(&h, 952, (double)(3000.0f * 0.1f + -1024.0f));
    h.limit = true, h.least = -900.1, h.most = -800.5;
    expect(&h, 952, (double)-800.5f), expect(&h, -2048, (double)-900.1f);
    expect(&h, -548, (double)(1500.0f * 0.1f + -1024.0f));
    h.dtype = MTM_I16, h.limit = false, h.slope = 0.5, h.inter = 0;
    expect(&h, 3 - 2048, 2), expect(&h, 5 - 2048, 2), expect(&h, 2047, 2048);
    h.dtype = MTM_U8;
    expect(&h, 2047, 255);
    h = (mtm_color_store){.n = 1, .type = MTM_COEF_I16, .bits = {12}, .dtype = MTM_F32};
    expect(&h, -48, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(limits),
        cmocka_unit_test(rescaled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
