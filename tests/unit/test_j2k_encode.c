/* tests/unit/test_j2k_encode.c: the JPEG 2000 encoder: there and back over images and parameters of every kind, what it
 * writes (markers, lengths, sizes), what it refuses and with which sentence, and memory that runs out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "j2k_coding.h"

/* ---- there and back ----------------------------------------------------------------------------------- */

static void decode(picture *p, const fixture *f)
{
    mtm_error err;

    *p = (picture){.n = 0};
    assert_ok(
        mtm_decode_planes(f->ctx, f->out.data, f->out.size_bytes, NULL, p->planes, MOST_PLANES, &p->n, &err));
}

static void there_and_back(fixture *f, const picture *p, const mtm_encode_params *params)
{
    mtm_error err;
    picture back;

    assert_ok(mtm_encode_planes(f->ctx, p->planes, p->n, params, &f->out, &err));
    decode(&back, f);
    assert_int_equal(back.n, p->n);
    for (int32_t i = 0; i < p->n; i++) {
        assert_int_equal(back.planes[i].dtype, p->planes[i].dtype);
        assert_planes_equal(&p->planes[i], &back.planes[i]);
    }
    picture_drop(&back);
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int32_t pick(mtm_rng *r, const int32_t *from, int32_t n)
{
    return from[mtm_rng_below(r, (uint64_t)n)];
}
#define PICK(r, ...)                                                                                         \
    pick(r, (const int32_t[]){__VA_ARGS__}, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

typedef struct draw {
    mtm_encode_params p;
    int32_t precincts[3][2], subsampling[MOST_PLANES][2];
} draw;

static void draw_coding(draw *d, mtm_rng *r, bool ht)
{
    mtm_encode_params *const p = &d->p;
    static const char *const orders[] = {"LRCP", "RLCP", "RPCL", "PCRL", "CPRL", NULL};
    const int32_t log2_h = (int32_t)mtm_rng_below(r, 9);

    p->codec = ht ? "htj2k" : "j2k";
    p->levels = PICK(r, -1, 0, 1, 2, 3, 5, 7);
    p->block[0] = 4 << log2_h;
    p->block[1] = 4 << mtm_rng_below(r, (uint64_t)(9 - log2_h));
    p->progression = orders[mtm_rng_below(r, 6)];
    if (mtm_rng_below(r, 3) == 0)
        p->tile_parts = "";
    p->n_precincts = (int32_t)mtm_rng_below(r, p->levels > 1 ? 4 : 2);
    for (int32_t i = 0; i < 3; i++)
        d->precincts[i][0] = 4 << mtm_rng_below(r, 7), d->precincts[i][1] = 4 << mtm_rng_below(r, 7);
    p->precincts = p->n_precincts ? d->precincts : NULL;
    p->sop = mtm_rng_below(r, 2), p->eph = mtm_rng_below(r, 2);
    p->no_plt = mtm_rng_below(r, 2), p->no_tlm = mtm_rng_below(r, 2);
    if (mtm_rng_below(r, 4) == 0)
        p->container = ht ? "jph" : "jp2";
    if (ht)
        return;
    p->layers = PICK(r, 0, 1, 2, 5);
    p->style = mtm_rng_below(r, 2) ? (int32_t)mtm_rng_below(r, 64) : 0;
}

static void draw_grid(draw *d, mtm_rng *r)
{
    mtm_encode_params *const p = &d->p;

    if (mtm_rng_below(r, 2))
        p->origin[0] = (int64_t)mtm_rng_below(r, 40), p->origin[1] = (int64_t)mtm_rng_below(r, 40);
    if (mtm_rng_below(r, 2))
        p->tile_origin[0] = p->origin[0] / 2, p->tile_origin[1] = p->origin[1] / 3;
    if (mtm_rng_below(r, 2)) {
        p->tile[0] = p->origin[0] - p->tile_origin[0] + PICK(r, 1, 7, 32, 65);
        p->tile[1] = p->origin[1] - p->tile_origin[1] + PICK(r, 3, 16, 31, 100);
    }
    p->subsampling = d->subsampling;
}

static void test_random(void **state)
{
    fixture *const f = *state;

    for (int i = 0; i < 400; i++) {
        mtm_rng r = mtm_rng_at(20, 0, i, 0);
        const bool is_signed = mtm_rng_below(&r, 3) == 0, alike = mtm_rng_below(&r, 2);
        const int32_t bits = 1 + (int32_t)mtm_rng_below(&r, mtm_rng_below(&r, 4) ? 16 : 28);
        const int64_t h = PICK(&r, 1, 2, 3, 7, 31, 64, 97, 131), w = PICK(&r, 1, 2, 5, 16, 65, 101, 149);
        draw d = {.p = mtm_encode_params_default()};
        picture p = {.n = PICK(&r, 1, 1, 2, 3, 4)};
        bool empty = false;

        draw_coding(&d, &r, i & 1);
        draw_grid(&d, &r);
        d.p.bits = bits, d.p.mct = alike ? -1 : 0;
        d.p.pool = mtm_rng_below(&r, 2) ? f->pool : NULL;
        if (d.p.container) /* no colour space but gray fits two channels */
            d.p.color = "gray";
        for (int32_t c = 0; c < p.n; c++) {
            const int32_t dy = alike ? 1 : 1 + (int32_t)mtm_rng_below(&r, 3), dx = alike ? 1 : 1 + c;
            const int64_t y1 = d.p.origin[0] + h, x1 = d.p.origin[1] + w;

            d.subsampling[c][0] = dy, d.subsampling[c][1] = dx;
            p.planes[c] =
                plane_new(ceil_div(y1, dy) - ceil_div(d.p.origin[0], dy),
                          ceil_div(x1, dx) - ceil_div(d.p.origin[1], dx), dtype_for(bits, is_signed));
            fill(&p.planes[c], bits, (int)mtm_rng_below(&r, 5), &r);
            empty = empty || p.planes[c].shape[0] == 0 || p.planes[c].shape[1] == 0;
        }
        if (!empty)
            there_and_back(f, &p, &d.p);
        picture_drop(&p);
    }
}

/* Every depth, with pictures that drive each kind of subband to its greatest coefficients: bars, and checks of 1 … 16
 * pixels. */
static void test_depths(void **state)
{
    fixture *const f = *state;

    for (int32_t bits = 1; bits <= 32; bits++)
        for (int is_signed = 0; is_signed < 2; is_signed++)
            for (int kind = 0; kind < 15; kind++) {
                mtm_encode_params params = mtm_encode_params_default();
                picture p = {.planes = {plane_new(67, 70, dtype_for(bits, is_signed))}, .n = 1};
                const int64_t lo = is_signed ? -(INT64_C(1) << (bits - 1)) : 0,
                              hi = lo + (INT64_C(1) << bits) - 1;

                for (int64_t y = 0; y < 67; y++)
                    for (int64_t x = 0; x < 70; x++) {
                        const int64_t on = kind % 3 == 0   ? x >> kind / 3
                                           : kind % 3 == 1 ? y >> kind / 3
                                                           : (x >> kind / 3) ^ (y >> kind / 3);

                        put(&p.planes[0], y, x, on & 1 ? hi : lo);
                    }
                params.bits = bits, params.codec = kind & 1 ? "j2k" : "htj2k";
                there_and_back(f, &p, &params);
                picture_drop(&p);
            }
}

/* Ranges around which int16 is proven, is speculated for HH, or is not tried: from `lo` up, smooth or with the signs of
 * the taps of HH's filter, for which the speculation fails. */
static void test_ranges(void **state)
{
    static const struct {
        mtm_dtype dtype;
        int64_t lo, range;
    } cases[] = {
        {MTM_I16, -3300, 6600},  {MTM_I16, -2000, 4000},   {MTM_I16, 20000, 6600},
        {MTM_I16, -32768, 1000}, {MTM_U16, 0, 600},        {MTM_U16, 0, 6600},
        {MTM_U16, 30000, 6600},  {MTM_U16, 60000, 5535},   {MTM_U16, 0, 65535},
        {MTM_U32, 40000, 6600},  {MTM_I32, -100000, 6600}, {MTM_U32, 0, INT64_C(1) << 31},
        {MTM_U16, 0, 0},         {MTM_U16, 65535, 0},      {MTM_U32, (INT64_C(1) << 31) + 40000, 600},
    };
    static const int8_t taps[8] = {1, 1, 1, 1, -1, -1, -1, -1};
    fixture *const f = *state;

    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        mtm_encode_params params = mtm_encode_params_default();
        picture p = {.planes = {plane_new(64, 71, cases[i / 2].dtype)}, .n = 1};
        const int64_t lo = cases[i / 2].lo, range = cases[i / 2].range;

        for (int64_t y = 0; y < 64; y++)
            for (int64_t x = 0; x < 71; x++)
                put(&p.planes[0], y, x,
                    i & 1 ? lo + (taps[(x + 2) & 7] * taps[(y + 2) & 7] > 0 ? range : 0)
                          : lo + x * y % (range + 1));
        there_and_back(f, &p, &params);
        params.pool = f->pool;
        there_and_back(f, &p, &params);
        picture_drop(&p);
    }
}

/* One picture behind any strides, and planes of one array. */
static void test_strides(void **state)
{
    fixture *const f = *state;
    mtm_rng r = mtm_rng_at(21, 0, 0, 0);
    mtm_error err;
    mtm_array rgb, back = {.data = NULL}, flipped;
    picture p = {.n = 3};

    assert_ok(mtm_array_new(&rgb, MTM_U16, 3, (int64_t[]){37, 41, 3}, NULL, &err));
    for (int c = 0; c < 3; c++) {
        p.planes[c] = mtm_array_wrap((char *)rgb.data + 2 * c, MTM_U16, 2, (int64_t[]){37, 41});
        p.planes[c].stride[0] = rgb.stride[0], p.planes[c].stride[1] = rgb.stride[1];
        fill(&p.planes[c], 16, 0, &r);
    }
    assert_ok(mtm_encode(f->ctx, &rgb, false, NULL, &f->out, &err));
    assert_ok(mtm_decode(f->ctx, f->out.data, f->out.size_bytes, NULL, &back, &err));
    assert_memory_equal(back.data, rgb.data, 37 * 41 * 6);
    mtm_array_drop(&back);

    /* the same, upside down and mirrored, one plane copied so that strides differ */
    flipped = plane_new(37, 41, MTM_U16);
    for (int64_t y = 0; y < 37; y++)
        for (int64_t x = 0; x < 41; x++)
            put(&flipped, y, x, get(&p.planes[1], 36 - y, 40 - x));
    p.planes[1] = flipped;
    for (int c = 0; c < 3; c += 2) {
        p.planes[c].data = (char *)p.planes[c].data + 36 * p.planes[c].stride[0] + 40 * p.planes[c].stride[1];
        p.planes[c].stride[0] *= -1, p.planes[c].stride[1] *= -1;
    }
    there_and_back(f, &p, NULL);
    mtm_array_drop(&flipped);
    mtm_array_drop(&rgb);
}

/* ---- lossy and rate ----------------------------------------------------------------------------------- */

static double squared_error(const mtm_array *a, const mtm_array *b)
{
    double sum = 0;

    for (int64_t y = 0; y < a->shape[0]; y++)
        for (int64_t x = 0; x < a->shape[1]; x++)
            sum += (double)(get(a, y, x) - get(b, y, x)) * (double)(get(a, y, x) - get(b, y, x));
    return sum / (double)(a->shape[0] * a->shape[1]);
}

static double error_of(fixture *f, const picture *p, const mtm_encode_params *params)
{
    mtm_error err;
    picture back;
    double sum = 0;

    assert_ok(mtm_encode_planes(f->ctx, p->planes, p->n, params, &f->out, &err));
    decode(&back, f);
    for (int32_t i = 0; i < p->n; i++)
        sum += squared_error(&p->planes[i], &back.planes[i]) / p->n;
    picture_drop(&back);
    return sum;
}

static picture smooth_picture(int32_t n, int64_t h, int64_t w)
{
    mtm_rng r = mtm_rng_at(22, 0, 0, 0);
    picture p = {.n = n};

    for (int32_t c = 0; c < n; c++) {
        p.planes[c] = plane_new(h, w, MTM_U8);
        fill(&p.planes[c], 8, 1, &r);
        for (int64_t y = 0; y < h; y++)
            for (int64_t x = 0; x < w; x++)
                put(&p.planes[c], y, x, get(&p.planes[c], y, x) / 2 + (int64_t)mtm_rng_below(&r, 9));
    }
    return p;
}

/* A uniform quantiser of step Δ in every subband, weighed by its synthesis norm, leaves Δ²/12 outside its dead zone. */
static void test_step(void **state)
{
    fixture *const f = *state;

    for (int i = 0; i < 4; i++) {
        mtm_encode_params params = mtm_encode_params_default();
        picture p = smooth_picture(i & 1 ? 3 : 1, 200, 180);
        double error;

        params.codec = i & 2 ? "j2k" : "htj2k";
        params.lossy = true, params.step = 1.0 / 128;
        error = error_of(f, &p, &params);
        /* Δ²/12 = 0.33 to Δ²/3 = 1.33 in the dead zone, and three of them through the ICT */
        assert_in_range((int)(1000 * error), 300, p.n * 1400);
        picture_drop(&p);
    }
}

static void test_quality(void **state)
{
    fixture *const f = *state;
    static const double qualities[] = {1, 25, 50, 65, 80, 97, 100};

    for (int i = 0; i < 2; i++) {
        mtm_encode_params params = mtm_encode_params_default();
        picture p = smooth_picture(3, 150, 140);
        double last = INFINITY;

        params.codec = i ? "j2k" : "htj2k", params.lossy = true;
        for (size_t q = 0; q < sizeof qualities / sizeof *qualities; q++) {
            double error;

            params.quality = qualities[q];
            error = error_of(f, &p, &params);
            assert_true(error < last);
            last = error;
        }
        assert_true(last < 0.3);
        picture_drop(&p);
    }
}

/* No more bytes than asked for, not far fewer, and better with more; layers and styles do not change that. */
static void test_rate(void **state)
{
    fixture *const f = *state;

    for (int i = 0; i < 8; i++) {
        mtm_encode_params params = mtm_encode_params_default();
        picture p = smooth_picture(i & 1 ? 3 : 1, 200, 180);
        double last = INFINITY;

        params.codec = "j2k", params.lossy = i & 2, params.layers = i & 4 ? 4 : 1;
        params.step = params.lossy ? 1.0 / 4096 : 0;
        params.style = i & 4 ? MTM_J2K_STYLE_TERMALL | MTM_J2K_STYLE_BYPASS : 0;
        for (params.rate = 0.25; params.rate <= 2; params.rate *= 2) {
            const double error = error_of(f, &p, &params), most = params.rate * 200 * 180 / 8;

            assert_true((double)f->out.size_bytes <= most);
            assert_true((double)f->out.size_bytes > 0.95 * most - 32);
            assert_true(error < last);
            last = error;
        }
        picture_drop(&p);
    }
}

/* Fewer layers decoded: a worse picture; all of them: the lossless one. */
static void test_layers(void **state)
{
    fixture *const f = *state;
    mtm_encode_params params = mtm_encode_params_default();
    picture p = smooth_picture(1, 200, 180);
    double last = INFINITY;
    mtm_error err;

    params.codec = "j2k", params.layers = 5, params.progression = "LRCP";
    assert_ok(mtm_encode_planes(f->ctx, p.planes, 1, &params, &f->out, &err));
    for (int32_t layers = 1; layers <= 5; layers++) {
        mtm_decode_params how = {.struct_size = sizeof how, .layers = layers};
        mtm_array back = {.data = NULL};
        double error;

        assert_ok(mtm_decode(f->ctx, f->out.data, f->out.size_bytes, &how, &back, &err));
        error = squared_error(&p.planes[0], &back);
        assert_true(error < last);
        last = error;
        mtm_array_drop(&back);
    }
    assert_true(last == 0);
    picture_drop(&p);
}

/* ---- what is written ---------------------------------------------------------------------------------- */

static uint32_t be(const uint8_t *at, int bytes)
{
    uint32_t v = 0;

    for (int i = 0; i < bytes; i++)
        v = v << 8 | at[i];
    return v;
}

/* The first segment of this marker in [from, to) of marker segments; NULL: none. */
static const uint8_t *marker_find(const uint8_t *from, const uint8_t *to, uint32_t code)
{
    while (from < to && be(from, 2) != code)
        from += 2 + be(from + 2, 2);
    return from < to ? from : NULL;
}

/* The archived form: RPCL, a tile-part per resolution, TLM that lists them, PLT whose lengths are their packets'. */
static void test_archived_form(void **state)
{
    fixture *const f = *state;
    picture p = smooth_picture(1, 300, 290);
    mtm_encode_params params = mtm_encode_params_default();
    mtm_error err;
    const uint8_t *at, *tlm, *cod, *cap;

    params.tile_parts = "R";
    assert_ok(mtm_encode_planes(f->ctx, p.planes, 1, &params, &f->out, &err));
    at = f->out.data + 2;
    cod = marker_find(at, f->out.data + f->out.size_bytes, 0xFF52);
    tlm = marker_find(at, f->out.data + f->out.size_bytes, 0xFF55);
    assert_non_null(cod);
    assert_non_null(tlm);
    assert_int_equal(cod[5], 2);                          /* RPCL */
    assert_true(290 >> cod[9] <= 64);                     /* base */
    assert_int_equal(cod[10] << 8 | cod[11], 4 << 8 | 4); /* 64 × 64 */
    assert_int_equal(cod[13], 1);                         /* 5/3 */
    assert_int_equal(be(tlm + 2, 2), 4 + 5 * (cod[9] + 1));
    cap = marker_find(at, f->out.data + f->out.size_bytes, 0xFF50);
    assert_non_null(cap);
    assert_int_equal(be(cap + 4, 4), 0x00020000); /* Part 15 */
    assert_int_equal(be(cap + 8, 2), 3);          /* HT only, one set, 5/3, magnitudes of at most 11 bits */
    at = marker_find(at, f->out.data + f->out.size_bytes, 0xFF90);
    for (int32_t r = 0; r <= cod[9]; r++) {
        const uint32_t bytes = be(at + 6, 4);
        const uint8_t *const plt = marker_find(at, at + bytes, 0xFF58);
        uint32_t packets = 0, one = 0;

        assert_int_equal(be(at, 2), 0xFF90);
        assert_int_equal(at[10], r);
        assert_int_equal(at[11], cod[9] + 1);
        assert_int_equal(be(tlm + 6 + 5 * r + 1, 4), bytes);
        for (const uint8_t *l = plt + 5; l < plt + 2 + be(plt + 2, 2); l++) {
            one = one << 7 | (*l & 127);
            if (!(*l & 128))
                packets += one, one = 0;
        }
        assert_int_equal(12 + 2 + be(plt + 2, 2) + 2 + packets, bytes);
        at += bytes;
    }
    assert_int_equal(be(at, 2), 0xFFD9);
    assert_ptr_equal(at + 2, f->out.data + f->out.size_bytes);
    picture_drop(&p);
}

/* TLM takes more than one segment, and PLT too. */
static void test_many_parts(void **state)
{
    fixture *const f = *state;
    mtm_encode_params params = mtm_encode_params_default();
    picture p = smooth_picture(1, 130, 120);

    params.tile[0] = params.tile[1] = 2, params.levels = 2; /* 3900 tiles of 3 parts */
    there_and_back(f, &p, &params);
    picture_drop(&p);
    p = smooth_picture(1, 300, 300);
    params = mtm_encode_params_default();
    params.levels = 0, params.precincts = (const int32_t[][2]){{1, 1}},
    params.n_precincts = 1; /* 90000 packets */
    there_and_back(f, &p, &params);
    picture_drop(&p);
}

/* Brand, enumerated colour space, and a codestream box that ends with the file. */
static void assert_box_names(const fixture *f, const char *brand, uint32_t color)
{
    const uint8_t *at = f->out.data, *const end = at + f->out.size_bytes;

    assert_memory_equal(at + 4, "jP  ", 4);
    at += be(at, 4);
    assert_memory_equal(at + 4, "ftyp", 4);
    assert_memory_equal(at + 8, brand, 4);
    at += be(at, 4);
    assert_memory_equal(at + 4, "jp2h", 4);
    for (const uint8_t *box = at + 8; box < at + be(at, 4); box += be(box, 4))
        if (!memcmp(box + 4, "colr", 4))
            assert_int_equal(be(box + 11, 4), color);
    at += be(at, 4);
    assert_memory_equal(at + 4, "jp2c", 4);
    assert_ptr_equal(at + be(at, 4), end);
}

static void test_boxes(void **state)
{
    fixture *const f = *state;

    for (int i = 0; i < 6; i++) {
        mtm_encode_params params = mtm_encode_params_default();
        picture p = smooth_picture(i < 3 ? i + 1 : 3, 20, 30);
        params.codec = i & 1 ? "j2k" : "htj2k", params.container = i & 1 ? "jp2" : "jph";
        params.color = i == 4 ? "sycc" : NULL;
        there_and_back(f, &p, &params);
        assert_box_names(f, i & 1 ? "jp2 " : "jph ", i == 4 ? 18 : p.n == 3 ? 16 : 17);
        picture_drop(&p);
    }
}

/* ---- what is refused ---------------------------------------------------------------------------------- */

typedef void change(mtm_encode_params *p);

#define CHANGE(name, code)                                                                                   \
    static void name(mtm_encode_params *p)                                                                   \
    {                                                                                                        \
        code;                                                                                                \
    }
static const int32_t coarse_subsampling[][2] = {{255, 255}, {255, 255}, {255, 255}};
static const int32_t odd_precincts[][2] = {{8, 24}}, small_precincts[][2] = {{1, 8}};
static const int32_t odd_subsampling[][2] = {{0, 1}, {1, 1}, {1, 1}},
                     other_subsampling[][2] = {{2, 1}, {1, 1}, {1, 1}};

CHANGE(bad_levels, p->levels = 33)
CHANGE(bad_levels_low, p->levels = -2)
CHANGE(bad_block, p->block[0] = 48)
CHANGE(bad_block_small, p->block[1] = 2)
CHANGE(bad_block_area, p->block[0] = 128)
CHANGE(bad_progression, p->progression = "RPLC")
CHANGE(bad_tile_parts, p->tile_parts = "L")
CHANGE(bad_tile_parts_order, (p->tile_parts = "R", p->progression = "LRCP"))
CHANGE(bad_precincts, (p->precincts = odd_precincts, p->n_precincts = 1))
CHANGE(bad_precincts_small, (p->precincts = small_precincts, p->n_precincts = 1, p->levels = 1))
CHANGE(bad_precincts_many, (p->precincts = small_precincts, p->n_precincts = 3, p->levels = 1))
CHANGE(bad_precincts_null, p->n_precincts = 1)
CHANGE(bad_tile, p->tile[0] = -1)
CHANGE(bad_tile_origin, p->tile_origin[0] = 1)
CHANGE(bad_tile_empty, (p->origin[0] = 10, p->tile[0] = 10))
CHANGE(bad_tile_count, (p->tile[0] = 1, p->tile[1] = 1, p->subsampling = coarse_subsampling))
CHANGE(bad_origin, p->origin[1] = -1)
CHANGE(bad_origin_far, p->origin[1] = INT64_C(1) << 33)
CHANGE(bad_subsampling, p->subsampling = odd_subsampling)
CHANGE(bad_planes, p->subsampling = other_subsampling)
CHANGE(bad_bits, p->bits = 33)
CHANGE(bad_mct, p->mct = 2)
CHANGE(bad_quality_lossless, p->quality = 50)
CHANGE(bad_quality, (p->lossy = true, p->quality = 101))
CHANGE(bad_quality_nan, (p->lossy = true, p->quality = NAN))
CHANGE(bad_step, (p->lossy = true, p->step = -1))
CHANGE(bad_step_fine, (p->lossy = true, p->step = 1e-12))
CHANGE(bad_both, (p->lossy = true, p->step = 0.1, p->quality = 5))
CHANGE(bad_rate, (p->codec = "j2k", p->rate = INFINITY))
CHANGE(bad_rate_small, (p->codec = "j2k", p->rate = 0.001))
CHANGE(bad_rate_ht, p->rate = 1)
CHANGE(bad_layers_ht, p->layers = 2)
CHANGE(bad_style_ht, p->style = MTM_J2K_STYLE_CAUSAL)
CHANGE(bad_layers, (p->codec = "j2k", p->layers = 65536))
CHANGE(bad_style, (p->codec = "j2k", p->style = 64))
CHANGE(bad_container, p->container = "jpx")
CHANGE(bad_container_codec, p->container = "jp2")
CHANGE(bad_color, p->color = "cmyk")

static void test_refusals(void **state)
{
    static const struct {
        change *change;
        const char *sentence; /* a part of it */
    } cases[] = {
        {bad_levels, "33 decomposition levels"},
        {bad_levels_low, "-2 decomposition levels"},
        {bad_block, "code-blocks of 48 x 64"},
        {bad_block_small, "code-blocks of 64 x 2"},
        {bad_block_area, "code-blocks of 128 x 64"},
        {bad_progression, "progression \"RPLC\""},
        {bad_tile_parts, "tile-parts \"L\""},
        {bad_tile_parts_order, "need progression RPCL or RLCP"},
        {bad_precincts, "precincts of 8 x 24"},
        {bad_precincts_small, "precincts of 1 x 8"},
        {bad_precincts_many, "3 precinct sizes for 2 resolutions"},
        {bad_precincts_null, "1 precinct sizes"},
        {bad_tile, "tiles of -1 x 0"},
        {bad_tile_origin, "tiles' origin (1, 0)"},
        {bad_tile_empty, "first tile holds no pixel"},
        {bad_tile_count, "more than 65535"},
        {bad_origin, "image's origin (0, -1)"},
        {bad_origin_far, "image's origin"},
        {bad_subsampling, "subsampling 0, 1 of plane 0"},
        {bad_planes, "plane 1 of 20 x 30 pixels fits no image"},
        {bad_bits, "33 bits"},
        {bad_mct, "mct 2"},
        {bad_quality_lossless, "quality is given without lossy"},
        {bad_quality, "quality 101"},
        {bad_quality_nan, "quality nan"},
        {bad_step, "step -1"},
        {bad_step_fine, "base step of 1e-12"},
        {bad_both, "both given"},
        {bad_rate, "rate of inf"},
        {bad_rate_small, "0.001 bits per pixel"},
        {bad_rate_ht, "a rate needs codec \"j2k\""},
        {bad_layers_ht, "layers needs codec \"j2k\""},
        {bad_style_ht, "a code-block style needs codec \"j2k\""},
        {bad_layers, "65536 quality layers"},
        {bad_style, "style 64"},
        {bad_container, "container \"jpx\""},
        {bad_container_codec, "container \"jp2\" holds codec \"j2k\""},
        {bad_color, "color \"cmyk\""},
    };
    fixture *const f = *state;
    picture p = smooth_picture(3, 20, 30);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mtm_encode_params params = mtm_encode_params_default();
        mtm_error err;

        cases[i].change(&params);
        assert_status(MTM_E_INVAL, mtm_encode_planes(f->ctx, p.planes, 3, &params, &f->out, &err));
        if (!strstr(err.text, cases[i].sentence))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].sentence);
        assert_int_equal(f->out.size_bytes, 0);
    }
    picture_drop(&p);
}

/* Element types, sizes and values; *out keeps its memory. */
static void test_bad_pixels(void **state)
{
    fixture *const f = *state;
    mtm_encode_params params = mtm_encode_params_default();
    picture p = smooth_picture(1, 20, 30);
    mtm_array floats, wide;
    mtm_error err;
    uint8_t *memory;

    assert_ok(mtm_encode_planes(f->ctx, p.planes, 1, NULL, &f->out, &err));
    memory = f->out.data;
    for (int64_t y = 0; y < 20; y++)
        for (int64_t x = 0; x < 30; x++)
            put(&p.planes[0], y, x, get(&p.planes[0], y, x) / 4);
    put(&p.planes[0], 7, 11, 200), put(&p.planes[0], 8, 20, 255);
    params.bits = 7, params.tile[0] = 6, params.tile[1] = 9;
    assert_status(MTM_E_INVAL, mtm_encode_planes(f->ctx, p.planes, 1, &params, &f->out, &err));
    assert_string_equal(err.text, "value 200 at row 7, column 11 of plane 0 does not fit 7 bits, unsigned");
    assert_ptr_equal(f->out.data, memory);
    assert_int_equal(f->out.size_bytes, 0);
    floats = plane_new(4, 4, MTM_F32);
    assert_status(MTM_E_UNSUPPORTED, mtm_encode_planes(f->ctx, &floats, 1, NULL, &f->out, &err));
    wide = plane_new(4, 4, MTM_I64);
    assert_status(MTM_E_UNSUPPORTED, mtm_encode_planes(f->ctx, &wide, 1, NULL, &f->out, &err));
    assert_status(MTM_E_INVAL, mtm_encode_planes(f->ctx, p.planes, 0, NULL, &f->out, &err));
    p.planes[0].shape[0] = 0;
    assert_status(MTM_E_INVAL, mtm_encode_planes(f->ctx, p.planes, 1, NULL, &f->out, &err));
    mtm_array_drop(&floats), mtm_array_drop(&wide);
    picture_drop(&p);
}

/* ---- memory ------------------------------------------------------------------------------------------- */

static void test_out_of_memory(void **state)
{
    fixture *const f = *state;
    mtm_encode_params params[3] = {mtm_encode_params_default(), mtm_encode_params_default(),
                                   mtm_encode_params_default()};
    picture p = smooth_picture(3, 150, 140);

    params[1].codec = "j2k", params[1].layers = 3, params[1].tile[0] = params[1].tile[1] = 100;
    params[2].container = "jph", params[2].pool = f->pool;
    for (int i = 0; i < 3; i++) {
        int64_t n = 0;
        mtm_status s = MTM_E_NOMEM;

        for (; s == MTM_E_NOMEM; n++) {
            mtm_codec_ctx *ctx;
            mtm_bytes out = {0};
            mtm_error err;

            assert_ok(mtm_codec_ctx_new(&ctx, &err));
            mtm_mem_fail_after(n);
            s = mtm_encode_planes(ctx, p.planes, p.n, &params[i], &out, &err);
            mtm_mem_fail_after(-1);
            assert_true(s == MTM_OK || (s == MTM_E_NOMEM && out.size_bytes == 0));
            mtm_bytes_drop(&out);
            mtm_codec_ctx_free(ctx);
        }
        assert_int_equal(s, MTM_OK);
        assert_true(n > 5);
    }
    picture_drop(&p);
}

static void test_steady_state(void **state)
{
    fixture *const f = *state;
    mtm_encode_params params[2] = {mtm_encode_params_default(), mtm_encode_params_default()};
    picture p = smooth_picture(3, 200, 300);
    mtm_error err;

    params[1].codec = "j2k", params[1].layers = 2;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 3; k++)
            assert_ok(mtm_encode_planes(f->ctx, p.planes, p.n, &params[i], &f->out, &err));
        mtm_mem_fail_after(-1);
        assert_ok(mtm_encode_planes(f->ctx, p.planes, p.n, &params[i], &f->out, &err));
        assert_int_equal(mtm_mem_fail_after(-1), 0);
    }
    picture_drop(&p);
}

/* The same bytes with any number of threads and in every CPU tier's context. */
static void test_threads(void **state)
{
    fixture *const f = *state;
    mtm_encode_params params = mtm_encode_params_default();
    picture p = smooth_picture(3, 280, 290);
    mtm_bytes other = {0};
    mtm_error err;

    for (int i = 0; i < 4; i++) {
        params.codec = i & 1 ? "j2k" : "htj2k", params.lossy = i & 2;
        params.pool = NULL;
        assert_ok(mtm_encode_planes(f->ctx, p.planes, p.n, &params, &f->out, &err));
        params.pool = f->pool;
        assert_ok(mtm_encode_planes(f->ctx, p.planes, p.n, &params, &other, &err));
        assert_int_equal(other.size_bytes, f->out.size_bytes);
        assert_memory_equal(other.data, f->out.data, other.size_bytes);
    }
    mtm_bytes_drop(&other);
    picture_drop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),        cmocka_unit_test(test_depths),
        cmocka_unit_test(test_ranges),        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_step),          cmocka_unit_test(test_quality),
        cmocka_unit_test(test_rate),          cmocka_unit_test(test_layers),
        cmocka_unit_test(test_archived_form), cmocka_unit_test(test_many_parts),
        cmocka_unit_test(test_boxes),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_pixels),    cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_steady_state),  cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests_name("j2k_encode", tests, setup, teardown);
}
