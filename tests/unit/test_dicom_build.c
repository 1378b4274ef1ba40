/* tests/unit/test_dicom_build.c: data sets made from parts: order, limits of values, character sets, copies; and as files.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/dicom/data/build.h"

#define CT_IMAGE "1.2.840.10008.5.1.4.1.1.2"
#define LITTLE   "1.2.840.10008.1.2.1"

static void ok(mtm_status s, const mtm_error *err)
{
    if (s != MTM_OK)
        fail_msg("%s: %s", mtm_status_name(s), err->text);
}

static mtm_dicom_builder *begin(void)
{
    mtm_dicom_builder *b;
    mtm_error err;

    ok(mtm_dicom_builder_new(&b, &err), &err);
    return b;
}

static mtm_dicom *end(mtm_dicom_builder *b)
{
    mtm_dicom *d = NULL;
    mtm_error err;

    ok(mtm_dicom_build(&d, b, &err), &err);
    mtm_dicom_builder_free(b);
    return d;
}

static void put(mtm_dicom_builder *b, uint32_t tag, const char *text)
{
    mtm_error err;

    ok(mtm_dicom_put_text(b, tag, NULL, text, &err), &err);
}

static void value_is(const mtm_dicom *d, uint32_t tag, const char *want)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, tag);

    assert_non_null(e);
    assert_int_equal(e->length_bytes, strlen(want));
    if (*want)
        assert_memory_equal(e->value, want, strlen(want));
}

static void sorts_and_replaces(void **state)
{
    mtm_dicom_builder *const b = begin();
    mtm_error err;
    mtm_dicom *d;
    int32_t n;

    put(b, 0x00100020, "second");
    put(b, 0x00080060, "CT");
    put(b, 0x00100010, "away");
    put(b, 0x00100020, "third");
    ok(mtm_dicom_remove(b, 0x00100010, &err), &err);
    ok(mtm_dicom_begin_sequence(b, 0x00081115, &err), &err);
    assert_int_equal(mtm_dicom_put_text(b, 0x00100020, NULL, "x", &err), MTM_E_INVAL);
    for (int i = 0; i < 2; i++) {
        ok(mtm_dicom_begin_item(b, &err), &err);
        put(b, 0x0020000E, i ? "1.2.2" : "1.2.1");
        put(b, 0x00080005, "ISO_IR 100");
        ok(mtm_dicom_end_item(b, &err), &err);
    }
    assert_int_equal(mtm_dicom_build(&d, b, &err), MTM_E_INVAL);
    ok(mtm_dicom_end_sequence(b, &err), &err);
    d = end(b);
    mtm_dicom_elements(d, &n);
    assert_int_equal(n, 9);
    assert_int_equal(d->elements[0].tag, 0x00080060);
    assert_int_equal(d->elements[1].tag, 0x00081115);
    assert_int_equal(d->elements[1].inside, 6);
    assert_int_equal(d->elements[3].tag, 0x00080005);
    assert_int_equal(d->elements[3].parent, 2);
    assert_int_equal(d->elements[3].depth, 2);
    assert_int_equal(d->elements[8].tag, 0x00100020);
    value_is(d, 0x00100020, "third");
    assert_null(mtm_dicom_find(d, NULL, 0x00100010));
    mtm_dicom_close(d);
}

static void numbers(void **state)
{
    static const struct {
        double x;
        const char *text;
    } ds[] = {{0.1, "0.1"},
              {-1234.5, "-1234.5"},
              {1.0 / 3, "0.33333333333333"},
              {-1.0 / 3, "-0.3333333333333"},
              {1e-7, "1e-7"},
              {1e20, "1e20"},
              {-10, "-10"},
              {1000, "1000"},
              {0.000123456789012345, "1.23456789012e-4"},
              {0, "0"},
              {1e300 / 3, "3.3333333333e299"}};
    mtm_dicom_builder *const b = begin();
    mtm_error err;
    mtm_dicom *d;

    for (size_t i = 0; i < sizeof ds / sizeof *ds; i++) {
        mtm_dicom_builder *const one = begin();
        mtm_dicom *x;

        ok(mtm_dicom_put_f64(one, 0x00180050, NULL, &ds[i].x, 1, &err), &err);
        x = end(one);
        value_is(x, 0x00180050, ds[i].text);
        assert_true(mtm_dicom_find(x, NULL, 0x00180050)->length_bytes <= 16);
        mtm_dicom_close(x);
    }
    ok(mtm_dicom_put_i64(b, 0x00280106, NULL, (const int64_t[]){-5}, 1, &err), &err);         /* US or SS */
    ok(mtm_dicom_put_i64(b, 0x00280009, NULL, (const int64_t[]){0x00181063}, 1, &err), &err); /* AT */
    ok(mtm_dicom_put_i64(b, 0x00200013, NULL, (const int64_t[]){1, -22}, 2, &err), &err);     /* IS */
    assert_int_equal(mtm_dicom_put_i64(b, 0x00280010, NULL, (const int64_t[]){65536}, 1, &err), MTM_E_INVAL);
    assert_int_equal(mtm_dicom_put_i64(b, 0x00200013, NULL, (const int64_t[]){INT64_C(1) << 31}, 1, &err),
                     MTM_E_INVAL);
    d = end(b);
    assert_string_equal(mtm_dicom_find(d, NULL, 0x00280106)->vr, "SS");
    value_is(d, 0x00280106, "\xfb\xff");
    value_is(d, 0x00200013, "1\\-22");
    assert_memory_equal(mtm_dicom_find(d, NULL, 0x00280009)->value, "\x18\x00\x63\x10", 4);
    mtm_dicom_close(d);
}

static void refuses_values(void **state)
{
    static const struct {
        uint32_t tag;
        const char *text;
    } bad[] = {
        {0x00080060, "ct"},
        {0x00080060, "ABCDEFGHIJKLMNOPQ"},
        {0x0020000D, "1.02.3"},
        {0x0020000D, "1..3"},
        {0x0020000D, "1.2."},
        {0x0020000D, "1.2345678901234567890123456789012345678901234567890123456789012345"},
        {0x00080020, "2020-01-01"},
        {0x00200010, "12345678901234567"},
        {0x00100010, "\xff"},
        {0x00100010, "\xc0\x80"},
        {0x00100010, "\xed\xa0\x80"},
        {0x00080005, "ISO_IR \xc3\xa9"},
        {0x00280010, "12"},
        {0x00081115, "x"},
        {0xFFFEE000u, "x"},
    };
    mtm_dicom_builder *const b = begin();
    mtm_error err;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(mtm_dicom_put_text(b, bad[i].tag, NULL, bad[i].text, &err), MTM_E_INVAL);
    put(b, 0x00100010, "A^B=\xe5\xb1\xb1\xe7\x94\xb0^\xe5\xa4\xaa\xe9\x83\x8e");
    put(b, 0x00200010,
        "1234567890\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"); /* 16 characters, 22 bytes */
    mtm_dicom_builder_free(b);
}

/* A data set in `charset` with PatientName `name` (its bytes). */
static mtm_dicom *in_charset(const char *charset, const char *name)
{
    static uint8_t file[512];
    static const char pattern[] = "\x08\x00\x16\x00UI\x1a\x00" CT_IMAGE "\0";
    mtm_error err;
    mtm_dicom *d;
    size_t n = 0;

    memset(file, 0, sizeof file);
    if (*charset) {
        memcpy(file + n,
               "\x08\x00\x05\x00"
               "CS",
               6);
        file[n + 6] = (uint8_t)((strlen(charset) + 1) & ~1u);
        memset(file + n + 8, ' ', file[n + 6]);
        memcpy(file + n + 8, charset, strlen(charset));
        n += 8u + file[n + 6];
    }
    memcpy(file + n, pattern, sizeof pattern - 1);
    n += 8 + 26;
    memcpy(file + n, "\x10\x00\x10\x00PN", 6);
    file[n + 6] = (uint8_t)((strlen(name) + 1) & ~1u);
    memset(file + n + 8, ' ', file[n + 6]);
    memcpy(file + n + 8, name, strlen(name));
    n += 8u + file[n + 6];
    ok(mtm_dicom_open_memory(&d, file, n, "memory", NULL, &err), &err);
    return d;
}

static void keeps_character_sets(void **state)
{
    mtm_dicom *const latin = in_charset("ISO_IR 100", "M\xfcller");
    mtm_dicom_builder *b = begin();
    mtm_error err;
    mtm_dicom *d;

    ok(dcm_copy_all(b, latin, NULL, &err), &err);
    put(b, 0x00104000, "caf\xc3\xa9"); /* fits Latin-1 */
    d = end(b);
    value_is(d, 0x00080005, "ISO_IR 100");
    assert_memory_equal(mtm_dicom_find(d, NULL, 0x00100010)->value, "M\xfcller", 6);
    value_is(d, 0x00104000, "caf\xe9");
    mtm_dicom_close(d);

    b = begin();
    ok(dcm_copy_all(b, latin, NULL, &err), &err);
    put(b, 0x00104000, "\xce\xb1"); /* alpha does not: all becomes UTF-8 */
    d = end(b);
    value_is(d, 0x00080005, "ISO_IR 192");
    assert_memory_equal(mtm_dicom_find(d, NULL, 0x00100010)->value, "M\xc3\xbcller", 7);
    value_is(d, 0x00104000, "\xce\xb1");
    mtm_dicom_close(d);

    b = begin(); /* a name alone, into a data set of another character set */
    put(b, 0x00080005, "ISO_IR 192");
    ok(mtm_dicom_copy(b, latin, mtm_dicom_find(latin, NULL, 0x00100010), &err), &err);
    d = end(b);
    assert_memory_equal(mtm_dicom_find(d, NULL, 0x00100010)->value, "M\xc3\xbcller", 7);
    mtm_dicom_close(d);

    b = begin(); /* … and into one of none */
    ok(mtm_dicom_copy(b, latin, mtm_dicom_find(latin, NULL, 0x00100010), &err), &err);
    d = end(b);
    value_is(d, 0x00080005, "ISO_IR 192");
    mtm_dicom_close(d);
    mtm_dicom_close(latin);
}

/* Bytes that no character set covers stay what they are in a copy. */
static void keeps_unknown_bytes(void **state)
{
    mtm_dicom *const bare = in_charset("", "M\xfcller");
    mtm_dicom_builder *const b = begin();
    mtm_error err;
    mtm_dicom *d;

    ok(dcm_copy_all(b, bare, NULL, &err), &err);
    put(b, 0x00100020, "1");
    d = end(b);
    assert_null(mtm_dicom_find(d, NULL, 0x00080005));
    assert_memory_equal(mtm_dicom_find(d, NULL, 0x00100010)->value, "M\xfcller", 6);
    mtm_dicom_close(d);
    mtm_dicom_close(bare);
}

static mtm_dicom *small_image(void)
{
    static const uint8_t pixels[6] = {1, 0, 2, 0, 3, 0};
    mtm_dicom_builder *const b = begin();
    mtm_error err;

    put(b, 0x00080016, CT_IMAGE);
    put(b, 0x00080018, "1.2.3");
    put(b, 0x00100010, "\xc3\xa9");
    put(b, 0x00190010, "OURS");
    ok(mtm_dicom_put(b, 0x00191001, "FD", "\0\0\0\0\0\0\xf0\x3f", 8, &err), &err);
    ok(mtm_dicom_begin_sequence(b, 0x00081115, &err), &err);
    ok(mtm_dicom_begin_item(b, &err), &err);
    put(b, 0x0020000E, "1.2.4");
    ok(mtm_dicom_end_item(b, &err), &err);
    ok(mtm_dicom_end_sequence(b, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280010, NULL, (const int64_t[]){1}, 1, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280011, NULL, (const int64_t[]){3}, 1, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280100, NULL, (const int64_t[]){16}, 1, &err), &err);
    ok(mtm_dicom_put(b, DCM_PIXELS, "OW", pixels, sizeof pixels, &err), &err);
    return end(b);
}

static void goes_through_every_syntax(void **state)
{
    static const char *const syntaxes[] = {"1.2.840.10008.1.2", LITTLE, "1.2.840.10008.1.2.2",
                                           "1.2.840.10008.1.2.1.99"};
    mtm_dicom *const d = small_image();
    char path[] = "/tmp/mtm-test-dicom-XXXXXX";
    mtm_error err;

    assert_true(close(mkstemp(path)) == 0);
    for (size_t i = 0; i < 4; i++) {
        const mtm_dicom_write_options o = {.struct_size = sizeof o, .transfer_syntax = syntaxes[i]};
        uint8_t pixels[6];
        mtm_dicom *back;
        double one = 0;

        ok(mtm_dicom_write(path, d, &o, &err), &err);
        ok(mtm_dicom_open(&back, path, NULL, &err), &err);
        assert_string_equal(mtm_dicom_transfer_syntax(back), syntaxes[i]);
        assert_int_equal(mtm_dicom_warning_count(back), 0);
        assert_non_null(mtm_dicom_find(back, NULL, 0x00081115));
        if (i)
            assert_true(mtm_dicom_f64(back, mtm_dicom_find(back, NULL, 0x00191001), 0, &one) && one == 1);
        ok(mtm_dicom_value_read(back, mtm_dicom_find(back, NULL, DCM_PIXELS), 0, pixels, 6, &err), &err);
        assert_int_equal(pixels[i == 2], 1);
        assert_int_equal(pixels[4 + (i == 2)], 3);
        mtm_dicom_close(back);
    }
    mtm_dicom_close(d);
    unlink(path);
}

static void makes_uids(void **state)
{
    char a[65], b[65];
    mtm_error err;

    ok(mtm_dicom_uid_new(a, NULL, &err), &err);
    ok(mtm_dicom_uid_new(b, "2.25.", &err), &err);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, "2.25.", 5);
    ok(mtm_dicom_uid_new(a, "1.2.826.0.1.3680043.10.1234567890123456.", &err), &err);
    assert_true(strlen(a) <= 64);
    assert_int_equal(mtm_dicom_uid_new(a, "1.2", &err), MTM_E_INVAL);
    assert_int_equal(mtm_dicom_uid_new(a, "1.02.", &err), MTM_E_INVAL);
    assert_int_equal(mtm_dicom_uid_new(a, "1..2.", &err), MTM_E_INVAL);
}

/* Every allocation that fails is an error, and nothing is lost or freed twice. */
static void survives_no_memory(void **state)
{
    mtm_dicom *const latin = in_charset("ISO_IR 100", "M\xfcller");

    for (int64_t n = 0; n < 60; n++) {
        mtm_dicom_builder *b = NULL;
        mtm_dicom *d = NULL;
        mtm_error err;
        mtm_status s;

        mtm_mem_fail_after(n);
        s = mtm_dicom_builder_new(&b, &err);
        if (s == MTM_OK)
            s = dcm_copy_all(b, latin, NULL, &err);
        if (s == MTM_OK)
            s = mtm_dicom_put_text(b, 0x00104000, NULL, "\xce\xb1", &err);
        if (s == MTM_OK)
            s = mtm_dicom_build(&d, b, &err);
        mtm_mem_fail_after(-1);
        assert_true(s == MTM_OK || s == MTM_E_NOMEM);
        mtm_dicom_close(d);
        mtm_dicom_builder_free(b);
    }
    mtm_dicom_close(latin);
}

/* A 4 × 4 picture of 16 bits with a plane in space, as a file. */
static void picture_write(const char *path)
{
    static const int64_t sixteen = 16, fifteen = 15, four = 4, one = 1, zero = 0;
    static const double directions[] = {1, 0, 0, 0, 1, 0}, position[] = {0, 0, 0}, spacing[] = {1, 1};
    const uint16_t pixels[16] = {1, 2, 3, 4, 500};
    mtm_dicom_builder *const b = begin();
    mtm_dicom *d;
    mtm_error err;

    put(b, 0x00080016, CT_IMAGE);
    put(b, 0x00080018, "1.2.3");
    put(b, 0x00080060, "CT");
    put(b, 0x0020000D, "1.2.4");
    put(b, 0x0020000E, "1.2.5");
    put(b, 0x00200052, "1.2.6");
    put(b, 0x00280004, "MONOCHROME2");
    ok(mtm_dicom_put_f64(b, 0x00200032, NULL, position, 3, &err), &err);
    ok(mtm_dicom_put_f64(b, 0x00200037, NULL, directions, 6, &err), &err);
    ok(mtm_dicom_put_f64(b, 0x00280030, NULL, spacing, 2, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280002, NULL, &one, 1, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280010, NULL, &four, 1, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280011, NULL, &four, 1, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280100, NULL, &sixteen, 1, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280101, NULL, &sixteen, 1, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280102, NULL, &fifteen, 1, &err), &err);
    ok(mtm_dicom_put_i64(b, 0x00280103, "US", &zero, 1, &err), &err);
    ok(mtm_dicom_put(b, DCM_PIXELS, "OW", pixels, sizeof pixels, &err), &err);
    d = end(b);
    ok(mtm_dicom_write(path, d, NULL, &err), &err);
    mtm_dicom_close(d);
}

/* One way of writing to `to`, all that it needs included. */
typedef mtm_status (*way)(const char *from, const char *to, mtm_error *err);

static mtm_status transcodes(const char *from, const char *to, mtm_error *err)
{
    static const char *const syntaxes[] = {"RLELossless", "JPEGLSLossless", "ExplicitVRLittleEndian"};
    mtm_dicom_write_options o = {.struct_size = sizeof o};
    mtm_status s = MTM_OK;

    for (size_t i = 0; s == MTM_OK && i < sizeof syntaxes / sizeof *syntaxes; i++) {
        o.transfer_syntax = syntaxes[i];
        s = mtm_dicom_write_files(&from, &to, 1, &o, NULL, NULL, NULL, err);
        if (s == MTM_OK && i + 1 < sizeof syntaxes / sizeof *syntaxes)
            unlink(to);
    }
    return s;
}

static mtm_status draws(const char *from, const char *to, mtm_error *err, bool label_map)
{
    uint8_t labels[16] = {0, 1, 1, 2};
    const mtm_array a = mtm_array_wrap(labels, MTM_U8, 3, (const int64_t[]){1, 4, 4});
    const mtm_dicom_seg_options o = {.struct_size = sizeof o,
                                     .source = &from,
                                     .n_source = 1,
                                     .label_map = label_map,
                                     .write.struct_size = sizeof o.write};

    return mtm_dicom_seg_write(to, &a, &o, err);
}

static mtm_status draws_bits(const char *from, const char *to, mtm_error *err)
{
    return draws(from, to, err, false);
}

static mtm_status draws_labels(const char *from, const char *to, mtm_error *err)
{
    return draws(from, to, err, true);
}

static mtm_status exports(const char *from, const char *to, mtm_error *err)
{
    float voxels[32] = {0.5f, 1, 2};
    const mtm_array a = mtm_array_wrap(voxels, MTM_F32, 3, (const int64_t[]){2, 4, 4});
    const double affine[16] = {-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    const mtm_dicom_series_write_options o = {
        .struct_size = sizeof o, .affine = affine, .quantize = true, .write.struct_size = sizeof o.write};
    char path[300];
    mtm_status s = mtm_dicom_series_write(to, &a, &o, err);

    for (int i = 1; i < 3; i++) { /* a failed export left none of them */
        snprintf(path, sizeof path, "%s/slice_%05d.dcm", to, i);
        assert_int_equal(unlink(path) == 0, s == MTM_OK);
    }
    if (access(to, F_OK) == 0)
        assert_int_equal(rmdir(to), 0);
    return s;
}

/* Whichever allocation fails, nothing is left where the file would have been. */
static void writes_nothing_without_memory(void **state)
{
    static const way ways[] = {transcodes, draws_bits, draws_labels, exports};
    const char *const from = "dicom_build_from.dcm", *const to = "dicom_build_to.dcm";

    picture_write(from);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        mtm_status s = MTM_E_NOMEM;
        int64_t n = 0;

        for (; s != MTM_OK; n++) {
            mtm_error err = {0};

            assert_true(n < 5000);
            mtm_mem_fail_after(n);
            s = ways[w](from, to, &err);
            mtm_mem_fail_after(-1);
            if (s == MTM_OK)
                break;
            if (s != MTM_E_NOMEM)
                fail_msg("way %zu, allocation %d: %s: %s", w, (int)n, mtm_status_name(s), err.text);
            assert_int_not_equal(access(to, F_OK), 0);
        }
        assert_true(n > 20);
        unlink(to);
    }
    unlink(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_and_replaces),
        cmocka_unit_test(numbers),
        cmocka_unit_test(refuses_values),
        cmocka_unit_test(keeps_character_sets),
        cmocka_unit_test(keeps_unknown_bytes),
        cmocka_unit_test(goes_through_every_syntax),
        cmocka_unit_test(makes_uids),
        cmocka_unit_test(survives_no_memory),
        cmocka_unit_test(writes_nothing_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
