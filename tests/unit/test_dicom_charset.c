/* tests/unit/test_dicom_charset.c: SpecificCharacterSet to UTF-8: the examples of PS3.5 H to K, escapes and what takes them back,
 * multi-byte characters with a '\' inside, names that files have instead of the standard's, bytes that are no characters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/mem.h"
#include "format/dicom/data/charset.h"

typedef struct sample {
    const char *terms, *bytes, *want;
    unsigned resets;
} sample;

static char *decode(const char *terms, const char *bytes, size_t n, unsigned resets)
{
    mtm_text out = {0};
    dcm_decoder dec = {0};
    dcm_charset cs;
    mtm_error err = {0};
    char *s = NULL;

    (void)dcm_charset_parse(&cs, (const uint8_t *)terms, strlen(terms));
    assert_ok(dcm_decode(&out, &dec, &cs, (const uint8_t *)bytes, n, resets, &err));
    dcm_decoder_close(&dec);
    assert_ok(mtm_text_take(&out, &s, &err));
    return s;
}

static void check(const sample *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *const got = decode(list[i].terms, list[i].bytes, strlen(list[i].bytes), list[i].resets);

        assert_string_equal(got, list[i].want);
        mtm_free(got);
    }
}
#define CHECK(list) check((list), sizeof(list) / sizeof *(list))

enum { NAME = DCM_RESET_VALUES | DCM_RESET_NAMES };

static void test_examples_of_the_standard(void **state)
{
    static const sample list[] = {
        /* PS3.5 H.3.1, H.3.2, I.2, J.3, K.2 (GB18030 and UTF-8: J.1, J.2) */
        {"\\ISO 2022 IR 87",
         "Yamada^Tarou=\033$B;3ED\033(B^\033$BB@O:\033(B=\033$B$d$^$@\033(B^\033$B$?$m$&\033(B",
         "Yamada^Tarou=山田^太郎=やまだ^たろう", NAME},
        {"ISO 2022 IR 13\\ISO 2022 IR 87",
         "\xD4\xCF\xC0\xDE^\xC0\xDB\xB3=\033$B;3ED\033(J^\033$BB@O:\033(J=\033$B$d$^$@\033(J^\033$B$?$m$&"
         "\033(J",
         "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", NAME},
        {"\\ISO 2022 IR 149",
         "Hong^Gildong=\033$)C\xFB\xF3^\033$)C\xD1\xCE\xD4\xD7=\033$)C\xC8\xAB^\033$)C\xB1\xE6\xB5\xBF",
         "Hong^Gildong=洪^吉洞=홍^길동", NAME},
        {"ISO_IR 192", "Wang^XiaoDong=\xE7\x8E\x8B^\xE5\xB0\x8F\xE6\x9D\xB1", "Wang^XiaoDong=王^小東", NAME},
        {"GB18030", "Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB", "Wang^XiaoDong=王^小东", NAME},
        {"\\ISO 2022 IR 58", "Zhang^XiaoDong=\033$)A\xD5\xC5^\033$)A\xD0\xA1\xB6\xAB",
         "Zhang^XiaoDong=张^小东", NAME},
        {"\\ISO 2022 IR 87\\ISO 2022 IR 159", "\033$(D0!\033(B", "丂", NAME},
    };
    CHECK(list);
}

static void test_single_byte_sets(void **state)
{
    static const sample list[] = {
        {"ISO_IR 100", "Buc^J\xE9r\xF4me", "Buc^Jérôme", NAME},
        {"ISO_IR 101",
         "\xA3\xF3"
         "d\xBC",
         "Łódź", NAME},
        {"ISO_IR 109", "\xA1\xFE", "Ħŝ", NAME},
        {"ISO_IR 110", "\xA1\xBF", "Ąŋ", NAME},
        {"ISO_IR 126", "\xC4\xE9\xEF\xED\xF5\xF3\xE9\xEF\xF2", "Διονυσιος", NAME},
        {"ISO_IR 127", "\xE2\xC8\xC7\xE6\xEA", "قباني", NAME},
        {"ISO_IR 138", "\xF9\xF8\xE5\xEF", "שרון", NAME},
        {"ISO_IR 144", "\xBB\xEE\xDA\xDE\xE7", "Люкоч", NAME},
        {"ISO_IR 148",
         "\xC7"
         "avu\xFEo\xF0lu",
         "Çavuşoğlu", NAME},
        {"ISO_IR 166", "\xB9\xD2\xC2", "นาย", NAME},
        {"ISO_IR 203", "\xA4 \xBC", "€ Œ", NAME},
        {"ISO_IR 13", "\xD4\xCF", "ﾔﾏ", NAME},
        {"ISO_IR 109", "\xA5", "\xEF\xBF\xBD", NAME}, /* not assigned */
        {"", "J\xE9r\xF4me", "Jérôme", NAME},         /* no set for these bytes: read as Latin-1 */
    };
    CHECK(list);
}

/* PS3.5 6.1.2.5.3: the first set is back after '\', after '^' and '=' in names, and after control characters. */
static void test_resets(void **state)
{
    static const sample list[] = {
        {"ISO 2022 IR 100\\ISO 2022 IR 144", "\033-L\xBB^\xE9", "Л^é", NAME},
        {"ISO 2022 IR 100\\ISO 2022 IR 144", "\033-L\xBB^\xE9", "Л^щ", DCM_RESET_VALUES},
        {"ISO 2022 IR 100\\ISO 2022 IR 144", "\033-L\xBB\\\xE9", "Л\\é", DCM_RESET_VALUES},
        {"ISO 2022 IR 100\\ISO 2022 IR 144", "\033-L\xBB\\\xE9", "Л\\щ", 0},
        {"ISO 2022 IR 100\\ISO 2022 IR 144", "\033-L\xBB\r\n\xE9", "Л\r\né", 0},
        {"ISO 2022 IR 100\\ISO 2022 IR 144", "\033-L\xBB\f\xE9\t\xE9", "Л\fé\té", 0},
        /* Nothing stands above 7F at first: what was there stays, since the file can mean nothing else. */
        {"\\ISO 2022 IR 149", "\033$)C\xB1\xE8^\xC8\xF1", "김^희", NAME},
        /* Two-byte characters hold the codes of delimiters. */
        {"\\ISO 2022 IR 87", "\033$B\x21\x5C\x30\x5E\x25\x3D\033(B^A", "＋緯ソ^A", NAME},
        {"GB18030", "\x81\x5C\\\x94\x39\xDA\x33", "乗\\💩", DCM_RESET_VALUES},
        {"GBK",
         "\x84\x5C"
         "A",
         "刓"
         "A",
         DCM_RESET_VALUES},
        {"ISO_IR 13", "\x83\x5C\\\xB1", "ソ\\ｱ",
         DCM_RESET_VALUES}, /* Shift JIS under the name of JIS X 0201 */
    };
    CHECK(list);
}

static void test_what_is_no_character(void **state)
{
    static const sample list[] = {
        {"ISO_IR 192",
         "a\xFF"
         "b",
         "a\xEF\xBF\xBD"
         "b",
         0},
        {"ISO_IR 192", "\xE7\x8E", "\xEF\xBF\xBD", 0},
        {"ISO_IR 192", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 0}, /* a surrogate */
        {"ISO_IR 192", "\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD", 0},                 /* longer than needed */
        {"GB18030", "\x81", "\xEF\xBF\xBD", 0},
        {"GB18030", "\xFF", "\xEF\xBF\xBD", 0},
        {"\\ISO 2022 IR 149", "\033$)C\xB1", "\xEF\xBF\xBD", 0},
        {"\\ISO 2022 IR 149", "\033$)C\xB1 \xB1\xE8", "\xEF\xBF\xBD 김", 0},
        {"\\ISO 2022 IR 87", "\033$B;", "\xEF\xBF\xBD", 0},
        {"\\ISO 2022 IR 87", "\033$ZA", "\033$ZA", 0}, /* an escape of no set */
        {"ISO_IR 192", "\033(B", "\033(B", 0},         /* no code extensions here */
    };
    CHECK(list);
    char *const got = decode("ISO_IR 100", "a\0b", 3, 0);
    assert_string_equal(got, "a\xEF\xBF\xBD"
                             "b");
    mtm_free(got);
}

static void test_terms(void **state)
{
    static const struct {
        const char *terms;
        unsigned found;
    } list[] = {
        {"ISO_IR 100", 0},
        {"ISO_IR 100 ", 0},
        {"", 0},
        {"\\ISO 2022 IR 87", 0},
        {"ISO 2022 IR 6\\ISO 2022 IR 58", 0},
        {"ISO IR 100", DCM_CHARSET_MISSPELT},
        {"ISO_IR_100", DCM_CHARSET_MISSPELT},
        {"ISO-IR 100", DCM_CHARSET_MISSPELT},
        {"ISO 2022_IR 100", DCM_CHARSET_MISSPELT},
        {"latin-1", DCM_CHARSET_MISSPELT},
        {"utf-8", DCM_CHARSET_MISSPELT},
        {"Klingon", DCM_CHARSET_UNKNOWN},
        {"ISO_IR 192\\ISO 2022 IR 87", DCM_CHARSET_ALONE},
        {"ISO 2022 IR 100\\GB18030", DCM_CHARSET_ALONE},
    };
    static const sample names[] = {{"ISO-IR 144", "\xBB", "Л", 0},
                                   {"iso8859-5", "\xBB", "Л", 0},
                                   {"utf8", "\xE7\x8E\x8B", "王", 0},
                                   {"Klingon", "\xE9", "é", 0},
                                   {"ISO_IR 192\\ISO_IR 100", "\xE7\x8E\x8B", "王", 0}};
    dcm_charset cs;

    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        assert_int_equal(dcm_charset_parse(&cs, (const uint8_t *)list[i].terms, strlen(list[i].terms)),
                         list[i].found);
    CHECK(names);
}

/* Every byte at every place of the words that dcm_is_ascii looks at. */
static void test_ascii(void **state)
{
    uint8_t s[40];

    for (size_t n = 0; n < sizeof s; n++) {
        memset(s, 'x', sizeof s);
        assert_true(dcm_is_ascii(s, n));
        for (size_t at = 0; at < n; at++) {
            for (int c = 1; c < 256; c++) {
                s[at] = (uint8_t)c;
                if (c >= 0x80 || c == 0x1B)
                    assert_false(dcm_is_ascii(s, n));
                else if (c != 0x1B)
                    assert_true(dcm_is_ascii(s, n));
            }
            s[at] = 0;
            assert_false(dcm_is_ascii(s, n));
            s[at] = 'x';
        }
    }
}

static void test_out_of_memory(void **state)
{
    static uint8_t s[2000];
    dcm_decoder dec = {0};
    dcm_charset cs;
    mtm_error err = {0};

    memset(s, 0xE9, sizeof s);
    (void)dcm_charset_parse(&cs, (const uint8_t *)"ISO_IR 100", 10);
    for (int64_t n = 0; n < 3; n++) {
        mtm_text out = {0};
        mtm_mem_fail_after(n);
        const mtm_status rc = dcm_decode(&out, &dec, &cs, s, sizeof s, 0, &err);
        mtm_mem_fail_after(-1);
        mtm_text_drop(&out);
        assert_int_equal(rc, MTM_E_NOMEM);
    }
    dcm_decoder_close(&dec);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_standard),
        cmocka_unit_test(test_single_byte_sets),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_what_is_no_character),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
