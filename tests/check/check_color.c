/* tests/check/check_color.c: rows to pixels and back: every variant against the C reference, to the bit, for
 * random types, transforms, precisions and layouts, on any bits, NaN and infinities among the floats.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <string.h>

enum { SLACK = 64, BENCH = 512, CASES = 6000 };

static size_t coef_bytes(const mtm_color_store *h)
{
    return h->type == MTM_COEF_I16 ? 2 : h->type == MTM_COEF_I64 ? 8 : 4;
}

static mtm_color_store random_how(mtm_check *c, bool loading)
{
    static const mtm_dtype dtypes[] = {MTM_U8,  MTM_U8,  MTM_U16, MTM_I16, MTM_I8,  MTM_U32,
                                       MTM_I32, MTM_U64, MTM_I64, MTM_F32, MTM_F32, MTM_F32};
    mtm_color_store h = {.n = (uint8_t)(1 + mtm_check_below(c, 4)), .type = (uint8_t)mtm_check_below(c, 4)};
    const uint8_t bits = (uint8_t)(1 + mtm_check_below(c, mtm_check_below(c, 4)    ? 16
                                                          : h.type == MTM_COEF_F32 ? 30
                                                                                   : 38));
    const bool is_signed = mtm_check_below(c, 3) == 0;

    if (mtm_check_below(c, 3) == 0) { /* the kind that has ways of its own */
        h.n = 3, h.dtype = MTM_U8, h.transform = h.type == MTM_COEF_F32 ? MTM_COLOR_ICT : MTM_COLOR_RCT;
        for (int i = 0; i < 3; i++)
            h.bits[i] = 8;
        return h;
    }
    h.dtype = dtypes[mtm_check_below(c, loading ? 9 : 12)];
    if (h.n >= 3 && mtm_check_below(c, 3))
        h.transform = h.type == MTM_COEF_F32 ? MTM_COLOR_ICT : MTM_COLOR_RCT;
    for (int i = 0; i < h.n; i++) {
        h.bits[i] = bits, h.is_signed[i] = is_signed;
        h.offset[i] = h.type == MTM_COEF_I16 && bits >= 15 ? (1 << (bits < 17 ? bits - 1 : 16)) - 8192 : 0;
    }
    h.rescale = mtm_check_below(c, 3) == 0, h.limit = mtm_check_below(c, 2);
    h.slope = 0.37, h.inter = -1024.3, h.least = -900.1, h.most = 0x1p33;
    return h;
}

/* Where pixels are: side by side, in planes, or with gaps. */
typedef struct layout {
    size_t bytes, width;
    ptrdiff_t stride;
    size_t first[4]; /* byte of each component's first pixel */
} layout;

static layout random_layout(mtm_check *c, const mtm_color_store *h, int i)
{
    const size_t size = mtm_dtype_size(h->dtype), gap = size * (size_t)mtm_check_below(c, 3);
    const size_t width = mtm_check_size(c, i % MTM_CHECK_SIZES) % 1300;
    const int kind = (int)mtm_check_below(c, 5);
    layout l = {.width = width, .stride = (ptrdiff_t)(kind < 3 ? h->n * size + (kind ? 0 : gap) : size)};

    l.bytes = kind < 3 ? (size_t)l.stride * width : size * width * h->n;
    for (size_t k = 0; k < h->n; k++)
        l.first[k] = k * size * (kind < 3 ? 1 : width);
    return l;
}

static void check_store(mtm_check *c)
{
    for (int i = 0; i < CASES; i++) {
        const mtm_color_store h = random_how(c, false);
        const layout l = random_layout(c, &h, i);
        const void *rows[4];
        void *const a = mtm_check_alloc(c, l.bytes, 8), *const b = mtm_check_alloc(c, l.bytes, 8), *to[2][4];

        memset(a, 7, l.bytes), memset(b, 7, l.bytes);
        for (int k = 0; k < h.n; k++) {
            void *const row = mtm_check_alloc(c, l.width * coef_bytes(&h) + SLACK, coef_bytes(&h));

            if (h.type == MTM_COEF_F32)
                mtm_check_fill_f32(c, row, l.width, -200, 1.5 * (1 << (h.bits[0] < 17 ? h.bits[0] - 1 : 15)),
                                   i % 2);
            rows[k] = row, to[0][k] = (char *)a + l.first[k], to[1][k] = (char *)b + l.first[k];
        }
        c->ref.color.store(&h, to[0], l.stride, rows, l.width);
        c->now.color.store(&h, to[1], l.stride, rows, l.width);
        mtm_check_bytes(c, "pixels", a, b, l.bytes);
        mtm_check_case_end(c);
    }
}

static void check_load(mtm_check *c)
{
    for (int i = 0; i < CASES; i++) {
        const mtm_color_store h = random_how(c, true);
        const layout l = random_layout(c, &h, i);
        const size_t bytes = l.width * coef_bytes(&h);
        const char *const pixels = mtm_check_alloc(c, l.bytes, 8);
        const void *from[4];
        void *to[2][4];

        for (int k = 0; k < h.n; k++) {
            from[k] = pixels + l.first[k];
            for (int j = 0; j < 2; j++)
                to[j][k] = mtm_check_alloc(c, bytes + SLACK, coef_bytes(&h));
        }
        c->ref.color.load(&h, to[0], from, l.stride, l.width);
        c->now.color.load(&h, to[1], from, l.stride, l.width);
        for (int k = 0; k < h.n; k++)
            mtm_check_bytes(c, "row", to[0][k], to[1][k], bytes);
        mtm_check_case_end(c);
    }
}

static const struct bench {
    const char *name;
    mtm_color_store how;
} benches[] = {
    {"gray u16 of int16", {.n = 1, .type = MTM_COEF_I16, .bits = {16}, .dtype = MTM_U16}},
    {"gray i16 of int32",
     {.n = 1, .type = MTM_COEF_I32, .bits = {16}, .is_signed = {true}, .dtype = MTM_I16}},
    {"gray u8 of int16", {.n = 1, .type = MTM_COEF_I16, .bits = {8}, .dtype = MTM_U8}},
    {"gray u8 of float", {.n = 1, .type = MTM_COEF_F32, .bits = {8}, .dtype = MTM_U8}},
    {"gray f32 of int16, rescaled",
     {.n = 1, .type = MTM_COEF_I16, .bits = {12}, .dtype = MTM_F32, .rescale = true, .slope = 2}},
    {"rgb u8 of int16",
     {.n = 3, .type = MTM_COEF_I16, .transform = MTM_COLOR_RCT, .bits = {8, 8, 8}, .dtype = MTM_U8}},
    {"rgb u8 of int32",
     {.n = 3, .type = MTM_COEF_I32, .transform = MTM_COLOR_RCT, .bits = {8, 8, 8}, .dtype = MTM_U8}},
    {"rgb u8 of float",
     {.n = 3, .type = MTM_COEF_F32, .transform = MTM_COLOR_ICT, .bits = {8, 8, 8}, .dtype = MTM_U8}},
    {"rgb u16 of int32",
     {.n = 3, .type = MTM_COEF_I32, .transform = MTM_COLOR_RCT, .bits = {12, 12, 12}, .dtype = MTM_U16}},
};

static void bench(mtm_check *c, bool loading)
{
    for (size_t i = 0; c->bench && i < sizeof benches / sizeof *benches; i++) {
        const mtm_color_store *const h = &benches[i].how;
        const size_t size = mtm_dtype_size(h->dtype), n = h->n;
        char *const pixels = mtm_check_alloc(c, BENCH * n * size, 64);
        void *rows[4], *to[4];

        if (loading && h->dtype == MTM_F32)
            continue;
        for (size_t k = 0; k < n; k++)
            to[k] = pixels + k * size,
            rows[k] = memset(mtm_check_alloc(c, BENCH * 4 + SLACK, 64), 0, BENCH * 4);
        printf("# %s\n", benches[i].name);
        if (loading)
            mtm_check_bench(
                c, BENCH * n,
                c->ref.color.load(h, rows, (const void *const *)to, (ptrdiff_t)(n * size), BENCH),
                c->now.color.load(h, rows, (const void *const *)to, (ptrdiff_t)(n * size), BENCH));
        else
            mtm_check_bench(
                c, BENCH * n,
                c->ref.color.store(h, to, (ptrdiff_t)(n * size), (const void *const *)rows, BENCH),
                c->now.color.store(h, to, (ptrdiff_t)(n * size), (const void *const *)rows, BENCH));
        mtm_check_case_end(c);
    }
}

void check_color(mtm_check *c)
{
    if (mtm_check_kernel(c, "store", c->ref.color.store, c->now.color.store))
        check_store(c), bench(c, false);
    if (mtm_check_kernel(c, "load", c->ref.color.load, c->now.color.load))
        check_load(c), bench(c, true);
}
