/* tests/unit/test_j2k_syntax.c: JPEG 2000 headers and boxes that lie, that are cut, or that
 * say what they should.
 * SPDX-License-Identifier: Apache-2.0 */
#include "j2k_streams.h"

/* ---- headers ------------------------------------------------------------------------------------------ */

typedef struct header_case {
    const char *what;
    int at, n; /* n bytes at `at` become value */
    uint64_t value;
    mtm_status status;
    int64_t offset;
} header_case;

enum { SIZ = 2, COD = 45, QCD = 62, SOT = 74 }; /* of the plain stream */

static const header_case header_cases[] = {
    {"no SIZ", SIZ, 2, J2K_COM, MTM_E_CORRUPT, SIZ},
    {"a length of 1", SIZ + 2, 2, 1, MTM_E_CORRUPT, SIZ + 2},
    {"a SIZ too short", SIZ + 2, 2, 40, MTM_E_CORRUPT, SIZ + 40},
    {"a SIZ longer than all", SIZ + 2, 2, 0xFFFF, MTM_E_CORRUPT, SIZ + 2},
    {"an image without width", SIZ + 6, 4, 0, MTM_E_CORRUPT, SIZ + 6},
    {"an origin behind the image", SIZ + 18, 4, 30, MTM_E_CORRUPT, SIZ + 6},
    {"tiles without width", SIZ + 22, 4, 0, MTM_E_CORRUPT, SIZ + 22},
    {"2^32 tiles", SIZ + 22, 8, UINT64_C(0x0000000000000001), MTM_E_CORRUPT, SIZ + 22},
    {"more than 65535 tiles", SIZ + 6, 20, 0, MTM_E_CORRUPT, SIZ + 6},
    {"a first tile beside the image", SIZ + 30, 4, 41, MTM_E_CORRUPT, SIZ + 30},
    {"no component", SIZ + 38, 2, 0, MTM_E_CORRUPT, SIZ + 38},
    {"16385 components", SIZ + 38, 2, 16385, MTM_E_CORRUPT, SIZ + 38},
    {"more components than bytes", SIZ + 38, 2, 2, MTM_E_CORRUPT, SIZ + 43},
    {"39 bits", SIZ + 40, 1, 38, MTM_E_CORRUPT, SIZ + 40},
    {"subsampling 0", SIZ + 42, 1, 0, MTM_E_CORRUPT, SIZ + 41},
    {"no marker", COD, 2, 0x1234, MTM_E_CORRUPT, COD},
    {"a second SIZ", COD, 2, J2K_SIZ, MTM_E_CORRUPT, COD},
    {"a marker of tile-parts", COD, 2, J2K_PLT, MTM_E_CORRUPT, COD},
    {"a Part 2 marker", COD, 2, 0xFF74, MTM_E_UNSUPPORTED, COD},
    {"no COD", COD, 2, J2K_COM, MTM_E_CORRUPT, SOT},
    {"a coding style of Part 2", COD + 4, 1, 8, MTM_E_UNSUPPORTED, COD + 4},
    {"progression 5", COD + 5, 1, 5, MTM_E_CORRUPT, COD + 5},
    {"no layers", COD + 6, 2, 0, MTM_E_CORRUPT, COD + 6},
    {"a transform of Part 2", COD + 8, 1, 2, MTM_E_UNSUPPORTED, COD + 8},
    {"33 levels", COD + 9, 1, 33, MTM_E_CORRUPT, COD + 9},
    {"more levels than precincts", COD + 9, 1, 3, MTM_E_CORRUPT, QCD},
    {"blocks too wide", COD + 10, 1, 9, MTM_E_CORRUPT, COD + 10},
    {"blocks too large", COD + 10, 2, 0x0405, MTM_E_CORRUPT, COD + 10},
    {"a style that mixes nothing", COD + 12, 1, 0x80, MTM_E_UNSUPPORTED, COD + 12},
    {"wavelet 2", COD + 13, 1, 2, MTM_E_UNSUPPORTED, COD + 13},
    {"precincts without blocks", COD + 15, 1, 0x0F, MTM_E_CORRUPT, COD + 15},
    {"quantisation style 3", QCD + 4, 1, 0x43, MTM_E_CORRUPT, QCD + 4},
    {"no QCD", QCD, 2, J2K_COM, MTM_E_CORRUPT, SOT},
    {"too few steps", QCD + 4, 1, 0x42, MTM_E_CORRUPT, 0},
    {"a tile that does not exist", SOT + 4, 2, 1, MTM_E_CORRUPT, SOT + 4},
    {"an SOT of another length", SOT + 2, 2, 12, MTM_E_CORRUPT, SOT + 2},
};

static void test_headers_that_lie(void **state)
{
    const w_stream w = w_stream_new(&w_plain);

    (void)state;
    for (size_t i = 0; i < sizeof header_cases / sizeof *header_cases; i++) {
        const header_case *const c = &header_cases[i];
        uint8_t *const bytes = mtm_alloc(w.out.n);
        w_bytes b = {bytes, w.out.n, w.out.n};
        opened o = {.in = {.data = bytes, .size_bytes = w.out.n}};
        mtm_error err = {0};
        mtm_status status;

        assert_non_null(bytes);
        memcpy(bytes, w.out.p, w.out.n);
        w_set(&b, (size_t)c->at, c->value, c->n < 8 ? c->n : 8);
        status = open_status(&o, &err);
        if (status != c->status || err.offset != c->offset)
            fail_msg("%s: %s at byte %lld: %s", c->what, mtm_status_name(status), (long long)err.offset,
                     err.text);
        opened_free(&o);
        mtm_free(bytes);
    }
    w_stream_free((w_stream *)&w);
}

/* Every beginning of a header is an error with an offset inside it. */
static void test_headers_cut(void **state)
{
    w_stream w = w_stream_new(&w_plain);

    (void)state;
    for (size_t n = 0; n < w.main_bytes + 2; n++) {
        uint8_t *const bytes = mtm_alloc(n);
        opened o = {.in = {.data = bytes, .size_bytes = n}};
        mtm_error err = {0};

        memcpy(bytes, w.out.p, n);
        assert_status(n < 2 ? MTM_E_UNSUPPORTED : MTM_E_CORRUPT, open_status(&o, &err));
        assert_in_range(err.offset, 0, n);
        opened_free(&o);
        mtm_free(bytes);
    }
    w_stream_free(&w);
}

/* 16384 components of 33 levels from a short file are refused before they are laid out. */
static void test_bombs(void **state)
{
    j2k_component_size *components = mtm_alloc_zero(16384, sizeof *components);
    j2k_component_params *params = mtm_alloc_zero(16384, sizeof *params);
    const j2k_params p = {.layers = 1, .components = params};
    j2k_size size = {.image = {0, 0, INT32_MAX, INT32_MAX}, .tile = {0, 0, INT32_MAX, INT32_MAX}};
    j2k_arena arena = {0};
    mtm_error err = {0};
    j2k_tile t;

    (void)state;
    size.tiles_x = size.tiles_y = 1, size.n_components = 16384, size.components = components;
    for (int c = 0; c < 16384; c++) {
        components[c] = (j2k_component_size){.bits = 8, .dx = 1, .dy = 1};
        params[c].coding.levels = 32, params[c].coding.block_w = params[c].coding.block_h = 2;
        memset(params[c].coding.precinct_w, 15, 33), memset(params[c].coding.precinct_h, 15, 33);
    }
    assert_status(MTM_E_LIMIT, j2k_tile_layout(&t, &size, &p, 0, NULL, 50000, NULL, &arena, &err));
    size.n_components = 1; /* 2^58 blocks */
    assert_status(MTM_E_LIMIT, j2k_tile_layout(&t, &size, &p, 0, NULL, 50000, NULL, &arena, &err));
    j2k_arena_free(&arena);
    mtm_free(components), mtm_free(params);
}

/* ---- which marker segment holds ----------------------------------------------------------------------- */

static void add_coc(w_bytes *b, int component, int levels)
{
    const size_t at = w_begin(b, J2K_COC);

    w_put(b, (uint64_t)component, 1), w_put(b, 0, 1), w_put(b, (uint64_t)levels, 1);
    w_put(b, 1, 1), w_put(b, 2, 1), w_put(b, MTM_BLOCK_CAUSAL, 1), w_put(b, 1, 1);
    w_end(b, at);
}

static void add_qcc(w_bytes *b, int component, int exponent, int n)
{
    const size_t at = w_begin(b, J2K_QCC);

    w_put(b, (uint64_t)component, 1), w_put(b, 3 << 5, 1);
    for (int i = 0; i < n; i++)
        w_put(b, (uint64_t)exponent << 3, 1);
    w_end(b, at);
}

static void add_rgn(w_bytes *b, int component, int shift)
{
    const size_t at = w_begin(b, J2K_RGN);

    w_put(b, (uint64_t)component, 1), w_put(b, 0, 1), w_put(b, (uint64_t)shift, 1);
    w_end(b, at);
}

static size_t sot_begin(w_bytes *b, int tile, int part)
{
    w_put(b, J2K_SOT, 2), w_put(b, 10, 2), w_put(b, (uint64_t)tile, 2), w_put(b, 0, 4);
    w_put(b, (uint64_t)part, 1), w_put(b, 2, 1);
    return b->n - 12;
}

static void sot_end(w_bytes *b, size_t at)
{
    w_put(b, J2K_SOD, 2);
    w_set(b, at + 6, b->n - at, 4);
}

/* T.800 A.6.1, A.6.4: COC of a tile-part before COD there before COC of the main header before COD there;
 * so QCC and QCD; A.6.6: POC of a tile-part before POC of the main header, and more of it in later
 * tile-parts. */
static void test_which_holds(void **state)
{
    w_spec s = w_plain, in_tile;
    w_bytes b = {0};
    opened o = {0};
    const j2k_params *p;
    mtm_error err = {0};
    size_t at;

    (void)state;
    s.n_components = 3, s.tile = (j2k_rect){0, 0, 20, 30};
    s.n_orders = 1, s.orders[0] = (j2k_order){.progression = 1, .res1 = 3, .comp1 = 3, .layer1 = 1};
    in_tile = s, in_tile.levels = 1, in_tile.exponent = 9, in_tile.layers = 5;
    w_main_header(&b, &s);
    add_coc(&b, 1, 2), add_qcc(&b, 2, 20, 7), add_rgn(&b, 0, 3);
    at = sot_begin(&b, 0, 0);
    w_cod(&b, &in_tile), w_qcd(&b, &in_tile);
    add_coc(&b, 2, 0), add_qcc(&b, 1, 15, 4), add_rgn(&b, 2, 7);
    in_tile.orders[0].progression = 3, w_poc(&b, &in_tile);
    sot_end(&b, at);
    at = sot_begin(&b, 1, 0), sot_end(&b, at);
    at = sot_begin(&b, 0, 1);
    in_tile.orders[0].progression = 4, w_poc(&b, &in_tile);
    sot_end(&b, at);
    w_put(&b, J2K_EOC, 2);

    o.in = (j2k_input){.data = b.p, .size_bytes = b.n};
    assert_ok(open_status(&o, &err));
    assert_ok(j2k_tile_params(&p, &o.stream, 1, &o.arena, &o.notes, &err));
    assert_ptr_equal(p, &o.header.params);
    assert_int_equal(p->components[0].coding.levels, 2);
    assert_int_equal(p->components[0].roi_shift, 3);
    assert_int_equal(p->components[1].coding.style, MTM_BLOCK_CAUSAL);
    assert_int_equal(p->components[2].coding.style, 0);
    assert_int_equal(p->components[1].quant.exponent[0], 12);
    assert_int_equal(p->components[2].quant.exponent[0], 20);
    assert_int_equal(p->components[2].quant.guard, 3);
    assert_int_equal(p->n_orders, 1);
    assert_int_equal(p->orders[0].progression, 1);

    assert_ok(j2k_tile_params(&p, &o.stream, 0, &o.arena, &o.notes, &err));
    assert_int_equal(p->layers, 5);
    assert_int_equal(p->components[0].coding.levels, 1);
    assert_int_equal(p->components[1].coding.levels, 1);
    assert_int_equal(p->components[1].coding.style, 0);
    assert_int_equal(p->components[2].coding.levels, 0);
    assert_int_equal(p->components[2].coding.style, MTM_BLOCK_CAUSAL);
    assert_int_equal(p->components[0].quant.exponent[0], 9);
    assert_int_equal(p->components[1].quant.exponent[0], 15);
    assert_int_equal(p->components[2].quant.exponent[0], 9);
    assert_int_equal(p->components[0].roi_shift, 3);
    assert_int_equal(p->components[2].roi_shift, 7);
    assert_int_equal(p->n_orders, 2);
    assert_int_equal(p->orders[0].progression, 3);
    assert_int_equal(p->orders[1].progression, 4);
    assert_int_equal(o.notes.n, 0);
    opened_free(&o);
    mtm_free(b.p);
}

/* Mb and Δb by equations E-2, E-3 and E-5, for derived and expounded steps. */
static void test_quantisers(void **state)
{
    j2k_component_size component = {.bits = 12, .dx = 1, .dy = 1};
    j2k_component_params k = {.coding = {.levels = 3, .block_w = 6, .block_h = 6}};
    const j2k_params p = {.layers = 1, .components = &k};
    const j2k_size s = {.image = {0, 0, 64, 64},
                        .tile = {0, 0, 64, 64},
                        .tiles_x = 1,
                        .tiles_y = 1,
                        .n_components = 1,
                        .components = &component};
    j2k_arena arena = {0};
    mtm_error err = {0};
    j2k_tile t;

    (void)state;
    memset(k.coding.precinct_w, 15, 33), memset(k.coding.precinct_h, 15, 33);
    k.quant = (j2k_quant){.style = 1, .guard = 2, .n = 1, .exponent = {13}, .mantissa = {1024}};
    assert_ok(j2k_tile_layout(&t, &s, &p, 0, NULL, 1000, NULL, &arena, &err));
    for (int r = 0; r <= 3; r++) {
        const int n = r ? 3 - r + 1 : 3, e = 13 - 3 + n;

        for (int i = 0; i < t.components[0].resolutions[r].n_bands; i++) {
            const j2k_band *const b = &t.components[0].resolutions[r].bands[i];
            const int gain = b->orient == MTM_BAND_LL ? 0 : b->orient == MTM_BAND_HH ? 2 : 1;

            assert_int_equal(b->n_planes, 2 + e - 1);
            assert_true((double)b->step == 1.5 * (double)(1 << (12 + gain)) / (double)(1 << e));
        }
    }
    k.quant = (j2k_quant){.style = 2, .guard = 1, .n = 10};
    for (int i = 0; i < 10; i++)
        k.quant.exponent[i] = (uint8_t)(8 + i), k.quant.mantissa[i] = 512;
    assert_ok(j2k_tile_layout(&t, &s, &p, 0, NULL, 1000, NULL, &arena, &err));
    assert_int_equal(t.components[0].resolutions[0].bands[0].n_planes, 8);
    assert_int_equal(t.components[0].resolutions[2].bands[1].n_planes, 13);
    assert_true((double)t.components[0].resolutions[2].bands[1].step == 1.25); /* 2^(12 + 1 − 13) · 1.25 */
    k.coding.reversible = true, k.quant.style = 0;
    assert_ok(j2k_tile_layout(&t, &s, &p, 0, NULL, 1000, NULL, &arena, &err));
    assert_true((double)t.components[0].resolutions[2].bands[1].step == 1.0);
    j2k_arena_free(&arena);
}

/* ---- boxes -------------------------------------------------------------------------------------------- */

static size_t box_begin(w_bytes *b, const char *type)
{
    w_put(b, 0, 4), w_add(b, type, 4);
    return b->n - 8;
}

static void box_end(w_bytes *b, size_t at)
{
    w_set(b, at, b->n - at, 4);
}

static void add_jp2h(w_bytes *b, bool palette)
{
    const size_t super = box_begin(b, "jp2h");
    size_t at = box_begin(b, "ihdr");

    w_put(b, 30, 4), w_put(b, 40, 4), w_put(b, 1, 2), w_put(b, 7, 1), w_put(b, 7, 1), w_put(b, 0, 2);
    box_end(b, at);
    at = box_begin(b, "colr");
    w_put(b, 1, 1), w_put(b, 0, 2), w_put(b, 16, 4);
    box_end(b, at);
    if (palette) {
        at = box_begin(b, "pclr");
        w_put(b, 2, 2), w_put(b, 3, 1), w_put(b, 7, 1), w_put(b, 0x8B, 1), w_put(b, 7, 1);
        w_put(b, 1, 1), w_put(b, 0xF801, 2),
            w_put(b, 3, 1); /* −2047 in 12 bits: its upper four do not count */
        w_put(b, 4, 1), w_put(b, 5, 2), w_put(b, 255, 1);
        box_end(b, at);
        at = box_begin(b, "cmap");
        for (int i = 0; i < 3; i++)
            w_put(b, 0, 2), w_put(b, 1, 1), w_put(b, (uint64_t)i, 1);
        box_end(b, at);
        at = box_begin(b, "cdef"); /* stored B, G, R */
        w_put(b, 3, 2);
        for (int i = 0; i < 3; i++)
            w_put(b, (uint64_t)i, 2), w_put(b, 0, 2), w_put(b, (uint64_t)(3 - i), 2);
        box_end(b, at);
    }
    box_end(b, super);
}

static w_bytes jp2_of(const w_stream *w, const char *brand, bool header_last, bool palette, int length_form)
{
    w_bytes b = {0};
    size_t at = box_begin(&b, "jP  ");

    w_put(&b, 0x0D0A870A, 4), box_end(&b, at);
    at = box_begin(&b, "ftyp");
    w_add(&b, brand, 4), w_put(&b, 0, 4), w_add(&b, brand, 4), box_end(&b, at);
    at = box_begin(&b, "odd "), w_put(&b, 1, 3), box_end(&b, at);
    if (!header_last)
        add_jp2h(&b, palette);
    at = box_begin(&b, "jp2c");
    if (length_form == 8)
        w_put(&b, 0, 8);
    w_add(&b, w->out.p, w->out.n);
    if (length_form == 4)
        box_end(&b, at);
    if (length_form == 8)
        w_set(&b, at, 1, 4), w_set(&b, at + 8, b.n - at, 8);
    if (header_last)
        add_jp2h(&b, palette);
    return b;
}

static void test_boxes(void **state)
{
    w_stream w = w_stream_new(&w_plain);

    (void)state;
    for (int form = 0; form <= 8; form += 4)
        for (int last = 0; last < 2; last++) {
            w_bytes b = jp2_of(&w, last ? "jph " : "jp2 ", last && form, true, form);
            opened o = {.in = {.data = b.p, .size_bytes = b.n}};
            const j2k_channel *channels;
            mtm_error err = {0};
            int32_t n;

            assert_ok(open_status(&o, &err));
            assert_true(j2k_detect(b.p, b.n));
            assert_int_equal(o.notes.n, 0);
            assert_int_equal(o.boxes.container, last ? J2K_JPH : J2K_JP2);
            assert_int_equal(o.boxes.codestream_bytes, w.out.n);
            assert_int_equal(o.boxes.enum_cs, J2K_CS_SRGB);
            assert_int_equal(o.boxes.palette.n_entries, 2);
            assert_int_equal(o.boxes.palette.values[1], -2047);
            assert_int_equal(o.boxes.palette.values[5], 255);
            assert_ok(j2k_channels_make(&channels, &n, &o.boxes, &o.header, &o.arena, &o.notes, &err));
            assert_int_equal(n, 3);
            for (int i = 0; i < 3; i++) {
                assert_int_equal(channels[i].component, 0);
                assert_int_equal(channels[i].column, 2 - i);
                assert_int_equal(channels[i].kind, J2K_CHANNEL_COLOR);
            }
            opened_free(&o);
            mtm_free(b.p);
        }
    w_stream_free(&w);
}

static void test_boxes_that_lie(void **state)
{
    w_stream w = w_stream_new(&w_plain);
    w_bytes b = jp2_of(&w, "jp2 ", false, true, 4);
    const size_t jp2h = 12 + 20 + 11, ihdr = jp2h + 8, pclr = ihdr + 22 + 15;
    const struct {
        const char *what;
        size_t at;
        int n;
        uint64_t value;
        mtm_status status;
        int64_t offset;
        int32_t notes;
    } cases[] = {
        {"another size", ihdr + 8, 4, 31, MTM_OK, 0, 1},
        {"another number of components", ihdr + 16, 2, 3, MTM_OK, 0, 1},
        {"no signature", 4, 1, 0, MTM_E_UNSUPPORTED, 0, 0},
        {"a box shorter than its header", jp2h, 4, 7, MTM_E_CORRUPT, (int64_t)jp2h, 0},
        {"a box longer than the file", jp2h, 4, 1 << 20, MTM_E_CORRUPT, (int64_t)jp2h, 0},
        {"a box longer than its parent", ihdr, 4, 1000, MTM_E_CORRUPT, (int64_t)ihdr, 0},
        {"a palette of 2000", pclr + 8, 2, 2000, MTM_E_CORRUPT, (int64_t)pclr + 8, 0},
        {"a palette larger than its box", pclr + 8, 2, 100, MTM_E_CORRUPT, (int64_t)pclr + 8, 0},
        {"a palette of 40 bits", pclr + 11, 1, 39, MTM_E_CORRUPT, (int64_t)pclr + 11, 0},
        {"a colour space of another kind", ihdr + 22 + 8, 1, 9, MTM_OK, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        opened o = {.in = {.data = b.p, .size_bytes = b.n}};
        uint8_t before[8];
        mtm_error err = {0};
        mtm_status status;

        memcpy(before, b.p + cases[i].at, 8);
        w_set(&b, cases[i].at, cases[i].value, cases[i].n);
        status = open_status(&o, &err);
        if (status != cases[i].status || (status != MTM_OK && err.offset != cases[i].offset) ||
            (status == MTM_OK && o.notes.n != cases[i].notes))
            fail_msg("%s: %s at byte %lld: %s; %d notes", cases[i].what, mtm_status_name(status),
                     (long long)err.offset, err.text, o.notes.n);
        memcpy(b.p + cases[i].at, before, 8);
        opened_free(&o);
    }
    mtm_free(b.p);
    w_stream_free(&w);
}

/* ---- info, and plans of a beginning ------------------------------------------------------------------- */

static void test_info(void **state)
{
    w_spec s = w_plain;
    mtm_codec_info *info = NULL;
    mtm_error err = {0};
    w_stream w;

    (void)state;
    s.n_components = 3, s.dx[1] = s.dx[2] = 2, s.plt = s.tlm = true, s.parts = 2, s.layers = 3;
    s.style = MTM_BLOCK_HT, s.precinct[0] = 0x76;
    w = w_stream_new(&s);
    assert_ok(j2k_info_new(&info, w.out.p, w.out.n, NULL, &err));
    assert_string_equal(info->codec, "htj2k");
    assert_string_equal(info->container, "codestream");
    assert_string_equal(info->progression, "RPCL");
    assert_string_equal(info->color, "sycc");
    assert_int_equal(info->width, 40);
    assert_int_equal(info->components[1].width, 20);
    assert_int_equal(info->components[1].height, 30);
    assert_int_equal(info->components[0].bits, 8);
    assert_int_equal(info->components[0].block[0], 16);
    assert_int_equal(info->layers, 3);
    assert_int_equal(info->min_levels, 2);
    assert_true(info->has_plt && info->has_tlm && info->lossless_capable);
    assert_int_equal(info->precincts[0][0], 7);
    assert_int_equal(info->precincts[0][1], 6);
    assert_int_equal(info->precincts[1][0], 15);
    assert_int_equal(info->n_tile_parts, 2);
    assert_string_equal(info->markers[0].name, "SOC");
    assert_string_equal(info->markers[1].name, "SIZ");
    assert_string_equal(info->markers[info->n_markers - 1].name, "SOD");
    assert_int_equal(info->n_warnings, 0);
    j2k_info_free(info);
    for (size_t n = 0; n < w.main_bytes; n += 7) /* cut: an error, not a crash */
        assert_true(j2k_info_new(&info, w.out.p, n, NULL, &err) != MTM_OK);
    w_stream_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_that_lie),
        cmocka_unit_test(test_headers_cut),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_which_holds),
        cmocka_unit_test(test_quantisers),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_boxes_that_lie),
        cmocka_unit_test(test_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
