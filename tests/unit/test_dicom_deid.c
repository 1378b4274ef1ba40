/* tests/unit/test_dicom_deid.c: the parts of de-identification that need no data set: pseudonyms, dates, cleaned text, table E.1-1.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "format/dicom/deid/clean.h"
#include "format/dicom/deid/confidentiality.h"
#include "format/dicom/deid/pseudonym.h"
#include "format/dicom/deid/safe_private.h"

static const dcm_secret secret = {.key = "0123456789abcdef", .key_bytes = 16};

static void uids_are_valid_and_depend_on_secret_and_uid(void **state)
{
    static const char *const roots[] = {"2.25.", "1.2.826.0.1.3680043.10.54321.", "0.1."};
    const dcm_secret other = {.key = "fedcba9876543210", .key_bytes = 16};
    char a[DCM_UID_ROOM], b[DCM_UID_ROOM], c[DCM_UID_ROOM], d[DCM_UID_ROOM];

    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        assert_int_equal(dcm_pseudo_uid(a, &secret, roots[i], "1.2.3", NULL), MTM_OK);
        assert_int_equal(dcm_pseudo_uid(b, &secret, roots[i], "1.2.3", NULL), MTM_OK);
        assert_int_equal(dcm_pseudo_uid(c, &secret, roots[i], "1.2.4", NULL), MTM_OK);
        assert_int_equal(dcm_pseudo_uid(d, &other, roots[i], "1.2.3", NULL), MTM_OK);
        assert_string_equal(a, b);
        assert_string_not_equal(a, c);
        assert_string_not_equal(a, d);
        assert_int_equal(strncmp(a, roots[i], strlen(roots[i])), 0);
        assert_true(strlen(a) <= 64 && strlen(a) >= strlen(roots[i]) + 20);
        assert_int_equal(strspn(a, "0123456789."), strlen(a));
        assert_int_not_equal(a[strlen(roots[i])], '0');
    }
}

static void bad_roots_are_refused(void **state)
{
    static const char *const roots[] = {
        "",       ".",    "2.25",   "2..25.",
        "2.025.", "a.b.", "2.25. ", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20."};
    mtm_error err;
    char a[DCM_UID_ROOM];

    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        assert_int_equal(dcm_pseudo_uid(a, &secret, roots[i], "1.2.3", &err), MTM_E_INVAL);
}

static void an_endless_identifier_is_refused(void **state)
{
    char text[2000], out[DCM_PSEUDONYM_ROOM];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(dcm_pseudo_id(out, &secret, text, NULL), MTM_E_LIMIT);
}

static void days_lie_in_their_range(void **state)
{
    char id[16];
    int64_t days, least = 100, most = 0;

    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_int_equal(dcm_pseudo_days(&days, &secret, id, 7, NULL), MTM_OK);
        assert_in_range(days, 1, 7);
        least = days < least ? days : least, most = days > most ? days : most;
    }
    assert_int_equal(least, 1);
    assert_int_equal(most, 7);
}

static void dates_move_by_the_calendar(void **state)
{
    static const struct {
        const char *from;
        int64_t days;
        const char *to; /* NULL: no date */
    } cases[] = {{"20240301", 1, "20240229"},
                 {"20230301", 1, "20230228"},
                 {"20000301", 1, "20000229"},
                 {"19000301", 1, "19000228"},
                 {"20240101", 366, "20221231"},
                 {"20201231", 146097, "16201231"},
                 {"20240301123015.123456+0100", 1, "20240229123015.123456+0100"},
                 {"202403", 1, "202402"},
                 {"2024", 1, "2023"},
                 {"2024-0301", 1, "2023-0301"}, /* a year with a zone, as PS3.5 reads it */
                 {"20241301", 1, NULL},
                 {"20240001", 1, NULL},
                 {"2024.03.01", 1, NULL},
                 {"2024-03-01", 1, NULL},
                 {"202", 1, NULL},
                 {"20243", 1, NULL},
                 {"", 1, NULL},
                 {"unknown", 1, NULL},
                 {"00000101", 1, NULL}};
    char out[64];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool moved = dcm_shift_date(out, cases[i].from, strlen(cases[i].from), cases[i].days);

        assert_int_equal(moved, cases[i].to != NULL);
        if (moved)
            assert_string_equal(out, cases[i].to);
    }
}

static void text_keeps_imaging_words_only(void **state)
{
    static const struct {
        const char *text, *known, *clean;
    } cases[] = {{"T1w MPRAGE sag 1mm", NULL, "T1w MPRAGE sag 1mm"},
                 {"Chest CT for Mrs. Smith, 12.03.1970, ID 4711", NULL, "Chest CT for"},
                 {"CT Hand left, Dr Hand", "hand ", "CT left"},
                 {"3D FLAIR 0.9mm b1000", NULL, "3D FLAIR 0.9mm b1000"},
                 {"M\303\274ller Knie knee", NULL, "knee"},
                 {"20240301 2024 123 1234", NULL, "123"},
                 {"...,,;;", NULL, ""},
                 {"", NULL, ""},
                 {"85y", NULL, ""}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mtm_text t = {0};
        char *clean;

        dcm_clean_text(&t, cases[i].text, cases[i].known);
        assert_int_equal(mtm_text_take(&t, &clean, NULL), MTM_OK);
        assert_string_equal(clean, cases[i].clean);
        mtm_free(clean);
    }
}

static void every_word_of_the_list_is_found(void **state)
{
    static const char *const some[] = {"abd", "T2", "b1000", "zygomatic", "Mandible", "neck", "y"};

    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        assert_true(dcm_word_is_safe(some[i], strlen(some[i])));
    assert_false(dcm_word_is_safe("smith", 5));
    assert_false(dcm_word_is_safe("", 0));
}

static void the_table_is_sorted_and_repeating_groups_are_found(void **state)
{
    for (int i = 1; i < dcm_confidentiality_rows; i++)
        assert_true(dcm_confidentiality_table[i - 1].tag < dcm_confidentiality_table[i].tag);
    assert_int_equal(dcm_confidentiality_find(0x00100010)->basic, 'Z');
    assert_int_equal(dcm_confidentiality_find(0x00080018)->basic, 'U');
    assert_int_equal(dcm_confidentiality_find(0x60023000)->basic, 'X');
    assert_int_equal(dcm_confidentiality_find(0x50043000)->basic, 'X');
    assert_null(dcm_confidentiality_find(0x00280010));
    assert_null(dcm_confidentiality_find(0x60000010));
}

static void safe_private_elements_go_by_creator_and_place(void **state)
{
    static const char *const more[] = {"ACME 1.0|0029a1"};

    assert_true(dcm_private_is_safe("SIEMENS MR HEADER", 0x0019100C, NULL, 0));
    assert_true(dcm_private_is_safe("SIEMENS MR HEADER", 0x0019AB0C, NULL, 0));
    assert_false(dcm_private_is_safe("SIEMENS MR HEADER", 0x0019100F, NULL, 0));
    assert_false(dcm_private_is_safe("siemens", 0x0019100C, NULL, 0));
    assert_true(dcm_private_is_safe("ACME 1.0", 0x002910A1, more, 1));
    assert_false(dcm_private_is_safe("ACME 1.0", 0x002910A2, more, 1));
    assert_false(dcm_private_is_safe("ACME", 0x002910A1, more, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(uids_are_valid_and_depend_on_secret_and_uid),
                                       cmocka_unit_test(bad_roots_are_refused),
                                       cmocka_unit_test(an_endless_identifier_is_refused),
                                       cmocka_unit_test(days_lie_in_their_range),
                                       cmocka_unit_test(dates_move_by_the_calendar),
                                       cmocka_unit_test(text_keeps_imaging_words_only),
                                       cmocka_unit_test(every_word_of_the_list_is_found),
                                       cmocka_unit_test(the_table_is_sorted_and_repeating_groups_are_found),
                                       cmocka_unit_test(safe_private_elements_go_by_creator_and_place)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
