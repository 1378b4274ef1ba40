/* tests/unit/test_dicom_pixels.c: the pure steps of format/dicom/pixel: bits, quadruples, colours, palettes, windows, and what
 * codestreams say of themselves. Whole files are compared with other decoders in tests/py/test_dicom_pixels.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/dicom/pixel/samples.h"
#include "unit.h"

#include <math.h>

/* ---- bits ----------------------------------------------------------------------------------------------- */

static void test_bits_above_the_high_bit_go_and_signs_extend(void **state)
{
    const uint16_t in[] = {0xF800, 0x07FF, 0x0FFF, 0xFFFF};
    int16_t s[4];
    uint16_t u[4];

    dcm_fix_bits(s, in, 4, 2, 12, 11, true, false);
    assert_int_equal(s[0], -2048);
    assert_int_equal(s[1], 2047);
    assert_int_equal(s[2], -1);
    assert_int_equal(s[3], -1);
    dcm_fix_bits(u, in, 4, 2, 12, 11, false, false);
    assert_int_equal(u[0], 0x800);
    assert_int_equal(u[3], 0xFFF);
    dcm_fix_bits(u, in, 4, 2, 12, 15, false, false); /* left-aligned samples */
    assert_int_equal(u[0], 0xF80);
    assert_int_equal(u[1], 0x07F);
}

static void test_fixing_turns_the_byte_order(void **state)
{
    const uint8_t in[] = {0x0F, 0xFF, 0xF8, 0x00};
    int16_t s[2];

    dcm_fix_bits(s, in, 2, 2, 12, 11, true, true);
    assert_int_equal(s[0], -1);
    assert_int_equal(s[1], -2048);
}

static void test_bits_unpack_from_any_bit(void **state)
{
    uint8_t packed[9], out[64];

    for (size_t i = 0; i < sizeof packed; i++)
        packed[i] = (uint8_t)(37 * i + 11);
    for (uint64_t from = 0; from < 9; from++)
        for (size_t n = 0; n <= 63 - from; n++) {
            memset(out, 7, sizeof out);
            dcm_unpack_bits(out, packed, from, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(out[i], packed[(from + i) / 8] >> ((from + i) % 8) & 1);
            assert_int_equal(out[n], 7);
        }
}

static void test_quadruples_expand_from_either_half(void **state)
{
    const uint8_t in[] = {1, 2, 100, 200, 3, 4, 101, 201};
    const uint8_t even[] = {1, 100, 200, 2, 100, 200, 3, 101, 201}, odd[] = {2, 100, 200, 3, 101, 201};
    uint8_t out[9];

    dcm_expand_422(out, in, 0, 3, 1);
    assert_memory_equal(out, even, 9);
    dcm_expand_422(out, in, 5, 2, 1);
    assert_memory_equal(out, odd, 6);
}

/* ---- colours -------------------------------------------------------------------------------------------- */

/* The formula of PS3.3 C.7.6.3.1.2 in double, rounded half up. */
static void ybr_by_formula(uint8_t rgb[3], int y, int b, int r)
{
    const double v[3] = {y + 1.402 * (r - 128),
                         y - (0.114 * 1.772 * (b - 128) + 0.299 * 1.402 * (r - 128)) / 0.587,
                         y + 1.772 * (b - 128)};

    for (int k = 0; k < 3; k++)
        rgb[k] = (uint8_t)mtm_clamp_i64((int64_t)floor(v[k] + 0.5 + 1e-9), 0, 255);
}

static void test_every_chroma_pair_converts_as_the_formula_says(void **state)
{
    for (int y = 0; y < 256; y += 51)
        for (int b = 0; b < 256; b++)
            for (int r = 0; r < 256; r++) {
                const uint8_t in[3] = {(uint8_t)y, (uint8_t)b, (uint8_t)r};
                uint8_t out[3], want[3];

                dcm_ybr_to_rgb(out, in, 1, 1, 8, false);
                ybr_by_formula(want, y, b, r);
                assert_memory_equal(out, want, 3);
            }
}

static void test_partial_range_reaches_black_and_white(void **state)
{
    uint8_t px[] = {16, 128, 128, 235, 128, 128, 41, 240, 110}; /* black, white, blue */
    uint16_t deep[] = {16 << 8, 128 << 8, 128 << 8};

    dcm_ybr_to_rgb(px, px, 3, 1, 8, true);
    assert_memory_equal(px, ((uint8_t[]){0, 0, 0, 255, 255, 255}), 6);
    assert_true(px[6] <= 2 && px[7] <= 2 && px[8] >= 253);
    dcm_ybr_to_rgb(deep, deep, 1, 2, 16, true);
    assert_true(deep[0] == 0 && deep[1] == 0 && deep[2] == 0);
}

static void test_photometric_interpretations_are_told_apart(void **state)
{
    static const struct {
        const char *name;
        int samples;
        bool j2k;
        mtm_status status;
        dcm_color color;
    } cases[] = {
        {"MONOCHROME1", 1, false, MTM_OK, DCM_COLOR_AS_IS},
        {"RGB", 3, true, MTM_OK, DCM_COLOR_AS_IS},
        {"PALETTE COLOR", 1, false, MTM_OK, DCM_COLOR_PALETTE},
        {"YBR_FULL", 3, false, MTM_OK, DCM_COLOR_FULL},
        {"YBR_PARTIAL_420", 3, false, MTM_OK, DCM_COLOR_PARTIAL},
        {"YBR_ICT", 3, true, MTM_OK, DCM_COLOR_AS_IS},
        {"YBR_RCT", 3, false, MTM_E_UNSUPPORTED, 0},
        {"RGB", 1, false, MTM_E_CORRUPT, 0},
        {"XYB", 3, false, MTM_E_UNSUPPORTED, 0},
        {"ARGB", 4, false, MTM_E_UNSUPPORTED, 0},
        {"SEPIA", 3, false, MTM_E_UNSUPPORTED, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mtm_dicom_pixels p = {.samples = cases[i].samples};
        dcm_color color = DCM_COLOR_AS_IS;
        mtm_error err = {0};

        strcpy(p.photometric, cases[i].name);
        assert_int_equal(dcm_color_find(&p, cases[i].j2k, &color, &err), cases[i].status);
        assert_int_equal(color, cases[i].color);
    }
}

/* ---- palettes ------------------------------------------------------------------------------------------- */

static void test_indices_outside_take_the_nearest_entry(void **state)
{
    uint16_t entries[] = {1, 2, 3, 4, 5, 6};
    const dcm_palette p = {.entries = 2, .first = -1, .channels = 3, .bits = 8, .data = entries};
    const int32_t index[] = {-1000000, -1, 0, 2000000000};
    uint8_t out[12];

    dcm_palette_apply(&p, out, index, 4);
    assert_memory_equal(out, ((uint8_t[]){1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}), 12);
}

static void test_segments_expand(void **state)
{
    /* discrete 10 20; linear to 60 in 4; the first two segments again (indirect, words 0 and on) */
    const uint16_t in[] = {0, 2, 10, 20, 1, 4, 60, 2, 2, 0, 0};
    const uint16_t want[] = {10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60};
    uint16_t out[12];
    mtm_error err;

    assert_ok(dcm_segments_expand(out, 12, in, 11, 2, &err));
    assert_memory_equal(out, want, sizeof want);
}

static void test_an_indirect_offset_counts_bytes(void **state)
{
    const uint16_t words[] = {0, 1, 7, 0, 1, 9, 2, 1, 6, 0}; /* byte 6: the second segment */
    const uint16_t bytes[] = {0, 1, 7, 0, 1, 9, 2, 1, 3, 0, 0, 0};
    uint16_t out[3];
    mtm_error err;

    assert_ok(dcm_segments_expand(out, 3, words, 10, 2, &err));
    assert_int_equal(out[2], 9);
    assert_ok(dcm_segments_expand(out, 3, bytes, 12, 1, &err));
    assert_int_equal(out[2], 9);
}

static void test_hostile_segments_are_refused(void **state)
{
    static const struct {
        size_t n;
        uint16_t in[8];
    } cases[] = {
        {0, {0}},                             /* nothing */
        {2, {0, 4}},                          /* ends at once */
        {4, {0, 9, 1, 2}},                    /* more entries than asked for */
        {3, {1, 4, 9}},                       /* linear from nowhere */
        {4, {2, 1, 0, 0}},                    /* indirect from nowhere */
        {6, {0, 0, 0, 0, 0, 0}},              /* empty segments for ever */
        {7, {0, 1, 5, 2, 1, 6, 0}},           /* indirect to an indirect one */
        {7, {0, 1, 5, 2, 1, 0xFFFF, 0xFFFF}}, /* far outside */
        {3, {9, 1, 1}},                       /* unknown type */
        {5, {0, 1, 5, 1, 2}},                 /* linear without its end */
    };
    uint16_t out[4];
    mtm_error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t *const in = mtm_alloc(cases[i].n * sizeof *in); /* exact, for the address sanitizer */

        memcpy(in, cases[i].in, cases[i].n * sizeof *in);
        assert_status(MTM_E_CORRUPT, dcm_segments_expand(out, 4, in, cases[i].n, 2, &err));
        mtm_free(in);
    }
}

/* ---- values --------------------------------------------------------------------------------------------- */

static void test_windows_follow_the_standards_formulas(void **state)
{
    const dcm_window linear = {DCM_LINEAR, 2048, 4096}, one = {DCM_LINEAR, 100, 1};
    const dcm_window exact = {DCM_LINEAR_EXACT, 50, 100}, sigmoid = {DCM_SIGMOID, 0, 4};
    float v[] = {-1, 0, 4095, 5000}, t[] = {99, 100}, e[] = {0, 25, 100, 101}, s[] = {0, 1};

    dcm_window_apply(&linear, v, 4); /* the example of C.11.2.1.2.1 */
    assert_true(v[0] == 0 && v[1] == 0 && v[2] == 255 && v[3] == 255);
    dcm_window_apply(&one, t, 2); /* a threshold */
    assert_true(t[0] == 0 && t[1] == 255);
    dcm_window_apply(&exact, e, 4);
    assert_true(e[0] == 0 && fabsf(e[1] - 63.75f) < 1e-4f && e[2] == 255 && e[3] == 255);
    dcm_window_apply(&sigmoid, s, 2);
    assert_true(fabsf(s[0] - 127.5f) < 1e-4f && fabsf(s[1] - (float)(255 / (1 + exp(-1)))) < 1e-4f);
}

static void test_a_table_clamps_what_lies_outside(void **state)
{
    dcm_lut *const l = mtm_alloc(sizeof *l + 3 * sizeof *l->data);
    float v[] = {-1e30f, -5, -4, -3, 1e30f, NAN};

    *l = (dcm_lut){.entries = 3, .first = -5, .bits = 16};
    l->data[0] = 10, l->data[1] = 20, l->data[2] = 30;
    dcm_lut_apply(l, v, 6, 0.5);
    assert_true(v[0] == 5 && v[1] == 5 && v[2] == 10 && v[3] == 15 && v[4] == 15 && v[5] == 5);
    dcm_lut_free(l);
}

/* ---- codestreams ---------------------------------------------------------------------------------------- */

static void test_jpeg_headers_say_size_and_color(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int color;
    } cases[] = {
#define SOF(a, b, c) "\xFF\xC0\0\x11\x08\0\x10\0\x20\x03" a "\x11\0" b "\x11\0" c "\x11\0"
        {"\xFF\xD8" SOF("\x01", "\x02", "\x03"), 21, DCM_STREAM_UNSAID},
        {"\xFF\xD8" SOF("R", "G", "B"), 21, DCM_STREAM_RGB},
        {"\xFF\xD8\xFF\xFF\xE0\0\x07JFIF\0" SOF("\x01", "\x02", "\x03"), 31, DCM_STREAM_YBR},
        {"\xFF\xD8\xFF\xEE\0\x0E"
         "Adobe\0\x64\0\0\0\0\0" SOF("\x01", "\x02", "\x03"),
         37, DCM_STREAM_RGB},
        {"\xFF\xD8\xFF\xEE\0\x0E"
         "Adobe\0\x64\0\0\0\0\x01" SOF("\x01", "\x02", "\x03"),
         37, DCM_STREAM_YBR},
    };
    dcm_stream s;
    mtm_error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(dcm_stream_read(&s, "jpeg", (const uint8_t *)cases[i].bytes, cases[i].n, &err));
        assert_true(s.rows == 16 && s.columns == 32 && s.components == 3 && s.bits == 8);
        assert_int_equal(s.color, cases[i].color);
        for (size_t n = 0; n < cases[i].n; n++) { /* cut anywhere */
            uint8_t *const cut = mtm_alloc(n);

            memcpy(cut, cases[i].bytes, n);
            assert_status(MTM_E_CORRUPT, dcm_stream_read(&s, "jpeg", cut, n, &err));
            mtm_free(cut);
        }
    }
}

static void test_j2k_headers_say_sign_and_precision(void **state)
{
    uint8_t jp2[60] = {0, 0, 0, 12, 'j', 'P', ' ', ' ', 13, 10, 0x87, 10};
    const uint8_t siz[] = {0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0, 0, 0, 0, 40, 0,    0, 0,
                           30,   0,    0,    0,    8, 0,  0, 0, 6, 0, 0, 0,  64,   0, 0,
                           0,    64,   0,    0,    0, 0,  0, 0, 0, 0, 0, 1,  0x8B, 1, 1};
    dcm_stream s;
    mtm_error err;

    assert_ok(dcm_stream_read(&s, "j2k", siz, sizeof siz, &err));
    assert_true(s.rows == 24 && s.columns == 32 && s.components == 1 && s.bits == 12 && s.is_signed);
    memcpy(jp2 + 12, siz, sizeof siz);
    assert_ok(dcm_stream_read(&s, "j2k", jp2, sizeof jp2, &err));
    assert_int_equal(s.columns, 32);
    assert_status(MTM_E_CORRUPT, dcm_stream_read(&s, "j2k", siz, 20, &err));
    assert_status(MTM_E_CORRUPT, dcm_stream_read(&s, "htj2k", siz, 0, &err));
}

/* ---- memory that runs out -------------------------------------------------------------------------------- */

static void put_words(mtm_dicom_builder *b, uint32_t tag, const char *vr, const int64_t *v, int64_t n)
{
    mtm_error err;

    assert_ok(mtm_dicom_put_i64(b, tag, vr, v, n, &err));
}
#define PUT(tag, vr, ...)                                                                                    \
    put_words(b, tag, vr, (const int64_t[]){__VA_ARGS__},                                                    \
              sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* 2 × 4 pixels: a palette of 4 entries, or gray with a window. */
static mtm_dicom *small_picture(bool palette)
{
    const uint8_t table[8] = {1, 2, 3, 4, 5, 6, 7, 8}, pixels[8] = {0, 1, 2, 3, 4, 5, 6, 255};
    mtm_dicom_builder *b = NULL;
    mtm_dicom *d = NULL;
    mtm_error err;

    assert_ok(mtm_dicom_builder_new(&b, &err));
    PUT(DCM_SAMPLES, "US", 1);
    assert_ok(mtm_dicom_put_text(b, DCM_PHOTOMETRIC, "CS", palette ? "PALETTE COLOR" : "MONOCHROME1", &err));
    PUT(DCM_ROWS, "US", 2);
    PUT(DCM_COLUMNS, "US", 4);
    PUT(DCM_BITS_ALLOCATED, "US", 8);
    PUT(DCM_BITS_STORED, "US", 7);
    PUT(DCM_HIGH_BIT, "US", 6);
    PUT(DCM_REPRESENTATION, "US", 0);
    for (uint32_t k = 0; k < 3 && palette; k++) {
        PUT(0x00281101 + k, "US", 4, 0, 16);
        assert_ok(mtm_dicom_put(b, 0x00281201 + k, "OW", table, 8, &err));
    }
    if (!palette) {
        assert_ok(mtm_dicom_put_text(b, DCM_WINDOW_CENTER, "DS", "4", &err));
        assert_ok(mtm_dicom_put_text(b, DCM_WINDOW_WIDTH, "DS", "4", &err));
    }
    assert_ok(mtm_dicom_put(b, DCM_PIXELS, "OB", pixels, 8, &err));
    assert_ok(mtm_dicom_build(&d, b, &err));
    mtm_dicom_builder_free(b);
    return d;
}

static void test_every_allocation_may_fail(void **state)
{
    for (int palette = 0; palette < 2; palette++) {
        mtm_dicom *const d = small_picture(palette);
        const mtm_dicom_read_options opt = {.struct_size = sizeof opt, .voi = true};
        mtm_status s = MTM_E_NOMEM;
        int64_t n = 0;

        for (; s != MTM_OK; n++) {
            mtm_error err = {0};
            mtm_array a = {0};
            char *warnings = NULL;

            assert_true(n < 200);
            mtm_mem_fail_after(n);
            s = mtm_dicom_frames_read(d, 0, 1, &opt, &a, &warnings, &err);
            mtm_mem_fail_after(-1);
            if (s)
                assert_true(s == MTM_E_NOMEM && !a.data && !warnings);
            else
                assert_true(a.ndim == (palette ? 4 : 3) && a.dtype == MTM_F32);
            mtm_array_drop(&a);
            mtm_dicom_free(warnings);
        }
        assert_true(n > 5);
        mtm_dicom_close(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_above_the_high_bit_go_and_signs_extend),
        cmocka_unit_test(test_fixing_turns_the_byte_order),
        cmocka_unit_test(test_bits_unpack_from_any_bit),
        cmocka_unit_test(test_quadruples_expand_from_either_half),
        cmocka_unit_test(test_every_chroma_pair_converts_as_the_formula_says),
        cmocka_unit_test(test_partial_range_reaches_black_and_white),
        cmocka_unit_test(test_photometric_interpretations_are_told_apart),
        cmocka_unit_test(test_indices_outside_take_the_nearest_entry),
        cmocka_unit_test(test_segments_expand),
        cmocka_unit_test(test_an_indirect_offset_counts_bytes),
        cmocka_unit_test(test_hostile_segments_are_refused),
        cmocka_unit_test(test_windows_follow_the_standards_formulas),
        cmocka_unit_test(test_a_table_clamps_what_lies_outside),
        cmocka_unit_test(test_jpeg_headers_say_size_and_color),
        cmocka_unit_test(test_j2k_headers_say_sign_and_precision),
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
