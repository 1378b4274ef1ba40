/* tests/unit/test_dicom_json.c: data sets as JSON and as lines: numbers that read back as they were, escapes, empty values, cut lines,
 * memory that runs out. Equality with pydicom on real files is in tests/py/test_dicom_model.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/rng.h"
#include "dicom_bytes.h"

static dicom_bytes file;

static void put_f64(dicom_bytes *o, double x)
{
    put_raw(o, &x, 8);
}

static char *as_json(bool keywords, int indent)
{
    const mtm_dicom_json_options opt = {
        .struct_size = sizeof opt, .keywords = keywords, .indent = indent, .inline_bytes = 64};
    mtm_dicom *d = NULL;
    mtm_error err = {0};
    char *s = NULL;
    size_t n = 0;

    assert_ok(bytes_open(&d, &file, &err));
    assert_ok(mtm_dicom_to_json(&s, &n, d, &opt, &err));
    assert_int_equal(strlen(s), n);
    mtm_dicom_close(d);
    return s;
}

static void assert_has(const char *s, const char *part)
{
    if (!strstr(s, part))
        fail_msg("%s has no %s", s, part);
}

/* Every double comes back the same, and short ones are short. */
static void test_doubles(void **state)
{
    enum { N = 4000 };
    static double want[N];
    mtm_rng r = mtm_rng_at(7, 0, 0, 0);

    for (int i = 0; i < N; i++) {
        const uint64_t bits = mtm_rng_u64(&r);

        memcpy(&want[i], &bits, 8);
        if (!isfinite(want[i]) || i % 4 == 0)
            want[i] = ((double)mtm_rng_below(&r, 1000000) - 500000) / 1000;
        if (i % 4 == 1)
            want[i] = ldexp(want[i], -ilogb(want[i]) + (int)mtm_rng_below(&r, 60) - 30);
    }
    put_meta(&file, LITTLE_EXPLICIT);
    put_header(&file, 0x00720074, "FD", 8 * N);
    for (int i = 0; i < N; i++)
        put_f64(&file, want[i]);
    char *const s = as_json(false, 0);
    const char *at = strchr(s, '[');
    for (int i = 0; i < N; i++) {
        char *end;
        const double got = strtod(at + 1, &end);

        if (memcmp(&got, &want[i], 8) != 0)
            fail_msg("%.17g came back as %.17g", want[i], got);
        assert_true(*end == (i + 1 < N ? ',' : ']'));
        if (i % 4 == 0)
            assert_true(end - at <= 10);
        at = end;
    }
    mtm_dicom_free(s);
}

static void test_numbers_of_all_kinds(void **state)
{
    static const double doubles[] = {0,    -0.0,       1,     -1,  0.1,      1e15,     1e-5,
                                     1e-7, 123456.789, 1e300, NAN, INFINITY, -INFINITY};
    const float third = 0.1F;
    const int64_t lowest = INT64_MIN;
    const uint64_t highest = UINT64_MAX;

    put_meta(&file, LITTLE_EXPLICIT);
    put_header(&file, 0x00720074, "FD", sizeof doubles);
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        put_f64(&file, doubles[i]);
    put_element(&file, 0x00720076, "FL", &third, 4);
    put_element(&file, 0x00720082, "SV", &lowest, 8);
    put_element(&file, 0x00720083, "UV", &highest, 8);
    char *s = as_json(false, 0);
    assert_has(s, "[0.0,-0.0,1.0,-1.0,0.1,1e+15,0.00001,1e-07,123456.789,1e+300,\"NaN\",\"inf\",\"-inf\"]");
    assert_has(s, "[0.10000000149011612]");
    assert_has(s, "[-9223372036854775808]");
    assert_has(s, "[18446744073709551615]");
    mtm_dicom_free(s);
    s = as_json(true, 0);
    assert_has(s, "\"SelectorFLValue\":0.1,");
    mtm_dicom_free(s);
}

static void texts_put(void)
{
    put_meta(&file, LITTLE_EXPLICIT);
    put_text(&file, 0x00080005, "CS", "ISO_IR 100");
    put_text(&file, 0x00080008, "CS", "A \\ B\\");
    put_text(&file, 0x00080018, "UI", "1.2.3");
    put_header(&file, 0x00081140, "SQ", UNDEFINED_LENGTH);
    put_item(&file, UNDEFINED_LENGTH);
    put_text(&file, 0x00081150, "UI", "1.2.840.10008.1.1");
    put_item_end(&file);
    put_item(&file, 0);
    put_sequence_end(&file);
    put_text(&file, 0x00100010, "PN", "J\xE9r\xF4me==x=");
    put_text(&file, 0x00100030, "DA", "");
    put_text(&file, 0x00104000, "LT", "a\\b\"c\"\r\n\x01\t");
    put_text(&file, 0x00181000, "LO",
             "long long long long long long long long long long long long long long");
    put_element(&file, 0x00282000, "OB", "\1\2\3\4", 4);
}

static void test_texts(void **state)
{
    texts_put();
    char *s = as_json(false, 0);
    assert_string_equal(
        s, "{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 100\"]},"
           "\"00080008\":{\"vr\":\"CS\",\"Value\":[\"A\",\"B\",null]},"
           "\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2.3\"]},"
           "\"00081140\":{\"vr\":\"SQ\",\"Value\":[{\"00081150\":{\"vr\":\"UI\",\"Value\":["
           "\"1.2.840.10008.1.1\"]}},{}]},"
           "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"Jérôme\",\"Ideographic\":\"\","
           "\"Phonetic\":\"x\"}]},"
           "\"00100030\":{\"vr\":\"DA\"},"
           "\"00104000\":{\"vr\":\"LT\",\"Value\":[\"a\\\\b\\\"c\\\"\\r\\n\\u0001\\t\"]},"
           "\"00181000\":{\"vr\":\"LO\",\"Value\":[\"long long long long long long long long long long "
           "long long long long\"]},"
           "\"00282000\":{\"vr\":\"OB\",\"InlineBinary\":\"AQIDBA==\"}}");
    mtm_dicom_free(s);
    s = as_json(true, 1);
    assert_has(s, "\n \"ImageType\": [\"A\", \"B\", null],\n");
    assert_has(s, "\n \"ReferencedImageSequence\": [\n  {\n   \"ReferencedSOPClassUID\": "
                  "\"1.2.840.10008.1.1\"\n  },\n  {}\n ],\n");
    assert_has(s, "\n \"PatientBirthDate\": null,\n");
    mtm_dicom_free(s);
}

static void test_lines(void **state)
{
    mtm_dicom *d = NULL;
    mtm_error err = {0};
    char *s = NULL;

    texts_put();
    assert_ok(bytes_open(&d, &file, &err));
    assert_ok(mtm_dicom_dump(
        &s, d, &(mtm_dicom_dump_options){.struct_size = sizeof(mtm_dicom_dump_options), .width = 70}, &err));
    assert_has(s, "\n(0008,1140) SQ ReferencedImageSequence              2 items\n [0]\n  (0008,1150) UI ");
    assert_has(s, "\n(0010,0030) DA PatientBirthDate\n");
    assert_has(s, "\n(0010,0010) PN PatientName                          Jérôme==x\n");
    assert_has(s, "\n(0018,1000) LO DeviceSerialNumber                   long long long lo…\n");
    assert_has(s, "\n(0028,2000) OB ICCProfile                           01 02 03 04\n");
    mtm_dicom_free(s);
    const mtm_dicom_element *const item = mtm_dicom_item(d, mtm_dicom_find(d, NULL, 0x00081140), 0);
    assert_ok(mtm_dicom_dump(
        &s, d, &(mtm_dicom_dump_options){.struct_size = sizeof(mtm_dicom_dump_options), .item = item}, &err));
    assert_string_equal(
        s,
        "(0008,1150) UI ReferencedSOPClassUID                1.2.840.10008.1.1 (Verification SOP Class)\n");
    mtm_dicom_free(s);
    assert_status(MTM_E_INVAL, mtm_dicom_dump(&s, d, &(mtm_dicom_dump_options){.struct_size = 1}, &err));
    assert_status(MTM_E_INVAL,
                  mtm_dicom_to_json(&s, NULL, d, &(mtm_dicom_json_options){.struct_size = 1}, &err));
    mtm_dicom_close(d);
}

/* The second byte of a character may look like the mark between values. */
static void test_values_of_two_byte_characters(void **state)
{
    mtm_dicom *d = NULL;
    mtm_error err = {0};

    put_meta(&file, LITTLE_EXPLICIT);
    put_text(&file, 0x00080005, "CS", "GB18030");
    put_text(&file, 0x00080008, "CS", "A\\B");
    put_text(&file, 0x00081030, "LO", "\x81\\\\\x81\\");
    put_text(&file, 0x00104000, "LT", "\x81\\\\x");
    assert_ok(bytes_open(&d, &file, &err));
    assert_int_equal(mtm_dicom_value_count(d, mtm_dicom_find(d, NULL, 0x00080008)), 2);
    assert_int_equal(mtm_dicom_value_count(d, mtm_dicom_find(d, NULL, 0x00081030)), 2);
    assert_int_equal(mtm_dicom_value_count(d, mtm_dicom_find(d, NULL, 0x00104000)), 1);
    mtm_dicom_close(d);
}

static void test_out_of_memory(void **state)
{
    mtm_dicom *d = NULL;
    mtm_error err = {0};

    texts_put();
    assert_ok(bytes_open(&d, &file, &err));
    const mtm_dicom_element *const name = mtm_dicom_find(d, NULL, 0x00100010);
    for (int what = 0; what < 3; what++) {
        mtm_status rc = MTM_E_NOMEM;
        for (int64_t n = 0; rc == MTM_E_NOMEM; n++) {
            char *s = NULL;
            mtm_mem_fail_after(n);
            rc = what == 0   ? mtm_dicom_to_json(&s, NULL, d, NULL, &err)
                 : what == 1 ? mtm_dicom_dump(&s, d, NULL, &err)
                             : mtm_dicom_text(&s, d, name, &err);
            mtm_mem_fail_after(-1);
            assert_true(rc == MTM_OK || (rc == MTM_E_NOMEM && !s));
            assert_true(n < 50);
            mtm_dicom_free(s);
        }
        assert_int_equal(rc, MTM_OK);
    }
    mtm_dicom_close(d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_numbers_of_all_kinds),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_values_of_two_byte_characters),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
