/* tests/unit/j2k_pictures.h: pictures, our streams of them in every kind, and how results are compared; for the tests of
 * decoding.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_J2K_PICTURES_H
#define MTM_TESTS_J2K_PICTURES_H

#include "unit.h"

#include "base/rng.h"
#include "microtome/codec.h"

typedef struct picture {
    mtm_array a; /* [Y, X] or [Y, X, C] */
    int bits;
} picture;

static inline uint32_t noise(uint32_t seed, uint32_t i)
{
    uint32_t out[4];

    mtm_philox(seed, (const uint32_t[4]){i}, out);
    return out[0];
}

static inline void put(char *p, mtm_dtype t, int64_t v)
{
    memcpy(p, &v, mtm_dtype_size(t)); /* little-endian */
}

static inline int64_t get(const char *p, mtm_dtype t)
{
    switch (t) {
    case MTM_U8: return *(const uint8_t *)p;
    case MTM_I8: return *(const int8_t *)p;
    case MTM_U16: return *(const uint16_t *)(const void *)p;
    case MTM_I16: return *(const int16_t *)(const void *)p;
    case MTM_U32: return *(const uint32_t *)(const void *)p;
    case MTM_I32: return *(const int32_t *)(const void *)p;
    default: fail(); return 0;
    }
}

/* Slopes, a disc and noise that together use the whole range of the bits. */
static inline picture make(int64_t h, int64_t w, int64_t c, int bits, bool is_signed)
{
    const mtm_dtype t = bits <= 8    ? (is_signed ? MTM_I8 : MTM_U8)
                        : bits <= 16 ? (is_signed ? MTM_I16 : MTM_U16)
                                     : (is_signed ? MTM_I32 : MTM_U32);
    const int64_t shape[3] = {h, w, c}, span = INT64_C(1) << bits;
    picture p = {.bits = bits};
    mtm_error err = {0};

    assert_ok(mtm_array_new(&p.a, t, c > 1 ? 3 : 2, shape, NULL, &err));
    for (int64_t i = 0; i < h * w * c; i++) {
        const int64_t y = i / c / w, x = i / c % w, k = i % c;
        int64_t v = (x * 3 + y * 2 + k * 40) * span / (3 * w + 2 * h + 160);

        v += (int64_t)(noise(7, (uint32_t)i) & 31) * span / 512;
        if ((x - w / 2) * (x - w / 2) + (y - h / 3) * (y - h / 3) < w * h / 16)
            v += span / 3;
        v = v % span - (is_signed ? span / 2 : 0);
        put((char *)p.a.data + i * (int64_t)mtm_dtype_size(t), t, v);
    }
    return p;
}

static inline mtm_bytes encode(const picture *p, const mtm_encode_params *q)
{
    mtm_encode_params params = q ? *q : mtm_encode_params_default();
    mtm_bytes out = {0};
    mtm_error err = {0};

    params.bits = p->bits;
    assert_ok(mtm_encode(NULL, &p->a, false, &params, &out, &err));
    return out;
}

static inline mtm_decode_params defaults(void)
{
    return (mtm_decode_params){.struct_size = sizeof(mtm_decode_params)};
}

static inline mtm_array decode(mtm_codec_ctx *ctx, const mtm_bytes *b, const mtm_decode_params *p)
{
    mtm_array a = {0};
    mtm_error err = {0};

    assert_ok(mtm_decode(ctx, b->data, b->size_bytes, p, &a, &err));
    return a;
}

static inline void assert_same(const mtm_array *a, const mtm_array *b)
{
    assert_int_equal(a->ndim, b->ndim);
    assert_int_equal(a->dtype, b->dtype);
    for (int32_t i = 0; i < a->ndim; i++)
        assert_int_equal(a->shape[i], b->shape[i]);
    assert_true(mtm_array_is_c_order(a) && mtm_array_is_c_order(b));
    assert_memory_equal(a->data, b->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype));
}

/* part is whole's [y0, y1) × [x0, x1). */
static inline void assert_crop(const mtm_array *part, const mtm_array *whole, const int64_t region[4])
{
    const int64_t pixel = whole->stride[1];

    assert_int_equal(part->shape[0], region[1] - region[0]);
    assert_int_equal(part->shape[1], region[3] - region[2]);
    for (int64_t y = region[0]; y < region[1]; y++)
        assert_memory_equal((const char *)part->data + (y - region[0]) * part->stride[0],
                            (const char *)whole->data + y * whole->stride[0] + region[2] * pixel,
                            (size_t)((region[3] - region[2]) * pixel));
}

/* ---- streams of every kind ----------------------------------------------------------------------------- */

typedef struct kind {
    int64_t h, w, c;
    int bits;
    bool is_signed;
    const char *codec;
    int levels, block[2];
    int64_t tile[2], origin[2];
    const char *progression;
    int style;
} kind;

static const kind kinds[] = {
    {67, 93, 1, 12, true, "htj2k", 3, {16, 16}, {0}, {0}, "RPCL", 0},
    {67, 93, 1, 12, false, "j2k", 3, {16, 16}, {0}, {0}, "LRCP", 0},
    {64, 64, 3, 8, false, "htj2k", 5, {64, 64}, {0}, {0}, "RPCL", 0},
    {50, 71, 3, 8, false, "j2k", 2, {32, 8}, {0}, {0}, "RLCP", 0},
    {131, 117, 1, 16, false, "htj2k", 4, {32, 32}, {0}, {0}, "RPCL", 0},
    {131, 117, 1, 16, true, "j2k", 4, {32, 32}, {0}, {0}, "CPRL", MTM_J2K_STYLE_CAUSAL},
    {100, 120, 1, 10, false, "htj2k", 3, {16, 32}, {40, 48}, {0}, "PCRL", 0},
    {100, 120, 3, 8, false, "htj2k", 3, {16, 16}, {33, 47}, {5, 11}, "RPCL", 0},
    {90, 80, 4, 8, false, "htj2k", 2, {16, 16}, {0}, {3, 7}, "RPCL", 0},
    {90, 80, 2, 9, true, "htj2k", 1, {16, 16}, {0}, {0}, "RPCL", 0},
    {1, 1, 1, 8, false, "htj2k", 0, {64, 64}, {0}, {0}, "RPCL", 0},
    {1, 37, 1, 16, true, "htj2k", 2, {4, 4}, {0}, {0}, "RPCL", 0},
    {37, 1, 3, 8, false, "j2k", 2, {4, 4}, {0}, {0}, "RPCL", 0},
    {40, 40, 1, 1, false, "htj2k", 2, {16, 16}, {0}, {0}, "RPCL", 0},
    {60, 60, 1, 20, true, "htj2k", 2, {16, 16}, {0}, {0}, "RPCL", 0},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static inline mtm_bytes encode_kind(picture *p, const kind *k)
{
    mtm_encode_params q = mtm_encode_params_default();

    *p = make(k->h, k->w, k->c, k->bits, k->is_signed);
    q.codec = k->codec, q.levels = k->levels, q.progression = k->progression, q.style = k->style;
    memcpy(q.block, k->block, sizeof q.block);
    memcpy(q.tile, k->tile, sizeof q.tile);
    memcpy(q.origin, k->origin, sizeof q.origin);
    return encode(p, &q);
}

#endif
