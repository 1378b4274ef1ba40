/* tests/unit/test_dicom_hostile.c: DICOM bytes that lie: about lengths, depth, sizes and groups. Each case opens with a warning
 * or gives the error that is named here; the table is whole in any case, and nothing is lost when memory runs out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dicom_bytes.h"

#include <libdeflate.h>
#include <unistd.h>

#include "../cases/dicom_whole.h"
#include "base/rng.h"

static dicom_bytes file;

static void check_whole(const mtm_dicom *d)
{
    const char *const why = dicom_broken(d);

    if (why)
        fail_msg("%s", why);
}

/* ---- cases -------------------------------------------------------------------------------------------- */

static void nest(dicom_bytes *o, int depth)
{
    put_meta(o, LITTLE_EXPLICIT);
    for (int i = 0; i < depth; i++) {
        put_header(o, 0x00081140, "SQ", UNDEFINED_LENGTH);
        put_item(o, UNDEFINED_LENGTH);
    }
    put_us(o, 0x00280010, 1);
}

static void deepest(dicom_bytes *o)
{
    nest(o, DCM_MOST_DEPTH);
}

static void too_deep(dicom_bytes *o)
{
    nest(o, DCM_MOST_DEPTH + 1);
}

/* Sequences alone, with UN among them, as deep as the bytes allow. */
static void only_openings(dicom_bytes *o)
{
    put_meta(o, LITTLE_EXPLICIT);
    while (o->n < 100000) {
        put_header(o, 0x00291001, "UN", UNDEFINED_LENGTH);
        put_item(o, UNDEFINED_LENGTH);
    }
}

static void length_beyond(dicom_bytes *o)
{
    put_meta(o, LITTLE_EXPLICIT);
    put_header(o, 0x7FE00010, "OW", 0xFFFFFFFEu);
    put_raw(o, "abcd", 4);
}

static void item_beyond(dicom_bytes *o)
{
    put_meta(o, LITTLE_EXPLICIT);
    put_header(o, 0x00081140, "SQ", 16);
    put_item(o, 0xFFFFFFF0u);
    put_us(o, 0x00280010, 1);
}

static void value_without_end(dicom_bytes *o)
{
    put_meta(o, LITTLE_EXPLICIT);
    put_header(o, 0x00420011, "OB", UNDEFINED_LENGTH);
    for (int i = 0; i < 20000; i++)
        put_raw(o, "no delimiter", 12);
}

static void fragments_without_end(dicom_bytes *o)
{
    put_meta(o, JPEG_BASELINE);
    put_header(o, 0x7FE00010, "OB", UNDEFINED_LENGTH);
    while (o->n < 200000)
        put_item(o, 0);
}

static void fragment_beyond(dicom_bytes *o)
{
    put_meta(o, JPEG_BASELINE);
    put_header(o, 0x7FE00010, "OB", UNDEFINED_LENGTH);
    put_item(o, 0);
    put_item(o, 0xFFFFFFFEu);
    put_raw(o, "abcd", 4);
}

/* Offset tables that name each other's last fragment: the second is not followed again. */
static void tables_that_lie(dicom_bytes *o)
{
    put_meta(o, JPEG_BASELINE);
    while (o->n < 100000) {
        put_header(o, 0x00420011, "OB", UNDEFINED_LENGTH);
        put_item(o, 4);
        put_u32(o, 120000 - (uint32_t)o->n / 8 * 8);
        put_raw(o, "\1\2\3\4", 4);
        put_sequence_end(o);
    }
    while (o->n < 240000)
        put_item(o, 0);
    put_raw(o, "junk that is no item", 20);
}

static void empty_items(dicom_bytes *o)
{
    put_meta(o, LITTLE_EXPLICIT);
    put_header(o, 0x00081140, "SQ", 160000);
    for (int i = 0; i < 20000; i++)
        put_item(o, 0);
}

static void empty_elements(dicom_bytes *o)
{
    put_meta(o, LITTLE_EXPLICIT);
    while (o->n < 250000)
        put_header(o, 0x00100020, "LO", 0);
}

static void only_delimiters(dicom_bytes *o)
{
    put_meta(o, LITTLE_EXPLICIT);
    put_us(o, 0x00280010, 1);
    while (o->n < 100000) {
        put_item_end(o);
        put_sequence_end(o);
        put_item(o, UNDEFINED_LENGTH);
    }
}

/* Elements that all ask for a PixelRepresentation that is not there, in a table that is searched line by line. */
static void unclear_unsorted(dicom_bytes *o)
{
    put_meta(o, LITTLE_IMPLICIT);
    while (o->n < 250000)
        put_us(o, 0x00280106, 0);
}

/* Group 2 with VRs that do not belong there (CVE-2026-3650): each length is one of the file, or cut. */
static void meta_odd_vrs(dicom_bytes *o)
{
    *o = (dicom_bytes){.n = 128};
    put_raw(o, "DICM", 4);
    put_header(o, 0x00020000, "ZZ", 4);
    put_u32(o, 0x7FFFFFFF);
    put_element(o, 0x00020001, "??", "ab", 2);
    put_header(o, 0x00020002, "SQ", UNDEFINED_LENGTH);
    put_item(o, UNDEFINED_LENGTH);
    put_item_end(o);
    put_sequence_end(o);
    put_header(o, 0x00020003, "UN", 0xFFFFFFFEu);
    put_raw(o, "abcd", 4);
}

static void meta_undefined(dicom_bytes *o)
{
    *o = (dicom_bytes){.n = 128};
    put_raw(o, "DICM", 4);
    put_header(o, 0x00020001, "OB", UNDEFINED_LENGTH);
    put_raw(o, "abcdefgh", 8);
}

static void meta_alone(dicom_bytes *o)
{
    put_meta(o, LITTLE_EXPLICIT);
}

static void prefix_alone(dicom_bytes *o)
{
    *o = (dicom_bytes){.n = 128};
    put_raw(o, "DICM", 4);
}

static void deflate_put(dicom_bytes *o, const uint8_t *bytes, size_t n)
{
    struct libdeflate_compressor *const c = libdeflate_alloc_compressor(9);
    const size_t got = libdeflate_deflate_compress(c, bytes, n, o->b + o->n, sizeof o->b - o->n);

    libdeflate_free_compressor(c);
    assert_true(got > 0);
    o->n += got;
}

/* 64 MiB of zeros in 64 KiB. */
static void bomb(dicom_bytes *o)
{
    const size_t n = (size_t)64 << 20;
    uint8_t *const zeros = calloc(n, 1);

    assert_non_null(zeros);
    put_meta(o, DEFLATED);
    deflate_put(o, zeros, n);
    free(zeros);
}

static void deflate_nothing(dicom_bytes *o)
{
    put_meta(o, DEFLATED);
}

static void deflate_cut(dicom_bytes *o)
{
    static uint8_t noise[1000];

    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * i * 31 >> 3);
    put_meta(o, DEFLATED);
    deflate_put(o, noise, sizeof noise);
    o->n -= 10;
}

static const struct hostile {
    const char *name;
    void (*make)(dicom_bytes *o);
    mtm_status status;
    const char *told; /* part of the error, or of a warning; NULL: none needed */
} cases[] = {
    {"deepest", deepest, MTM_OK, "inside a sequence"},
    {"too deep", too_deep, MTM_E_LIMIT, "deeper than 64"},
    {"only openings", only_openings, MTM_E_LIMIT, "deeper than 64"},
    {"length beyond the file", length_beyond, MTM_OK, "(7FE0,0010)"},
    {"item beyond the file", item_beyond, MTM_OK, "(FFFE,E000)"},
    {"value without end", value_without_end, MTM_OK, "no delimiter before the end"},
    {"fragments without end", fragments_without_end, MTM_OK, "inside the fragments"},
    {"fragment beyond the file", fragment_beyond, MTM_OK, "inside the fragments"},
    {"tables that lie", tables_that_lie, MTM_OK, "no fragment stands"},
    {"empty items", empty_items, MTM_OK, NULL},
    {"empty elements", empty_elements, MTM_E_LIMIT, "data elements"},
    {"only delimiters", only_delimiters, MTM_OK, "outside of a sequence"},
    {"unclear and unsorted", unclear_unsorted, MTM_E_LIMIT, "data elements"},
    {"odd VRs in group 2", meta_odd_vrs, MTM_OK, "(0002,0003)"},
    {"undefined length in group 2", meta_undefined, MTM_OK, "no delimiter"},
    {"group 2 alone", meta_alone, MTM_OK, NULL},
    {"prefix alone", prefix_alone, MTM_E_CORRUPT, "no data element"},
    {"deflate bomb", bomb, MTM_E_LIMIT, "more than"},
    {"deflated nothing", deflate_nothing, MTM_E_CORRUPT, "deflated data set at byte"},
    {"deflate cut", deflate_cut, MTM_E_CORRUPT, "deflated data set at byte"},
};

/* Tight: 20 000 lines of the table, and less than a bomb holds. */
static const mtm_limits tight = {.max_bytes = 4 << 20,
                                 .max_expansion = 1100,
                                 .max_header_bytes = (uint64_t)20000 * sizeof(mtm_dicom_element) / 4};

static void test_cases(void **state)
{
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .limits = &tight};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct hostile *const c = &cases[i];
        MTM_AUTO(mtm_dicom) d = NULL;
        mtm_error err = {0};
        mtm_status s;

        c->make(&file);
        s = mtm_dicom_open_memory(&d, file.b, file.n, "hostile.dcm", &opt, &err);
        if (s != c->status)
            fail_msg("%s: %s (%s)", c->name, mtm_status_name(s), err.text);
        if (c->told && !(s ? strstr(err.text, c->told) != NULL : was_told(d, c->told)))
            fail_msg("%s: says '%s'", c->name, s ? err.text : mtm_dicom_warning_get(d, 0));
        if (s)
            assert_true(err.offset >= -1 && !strcmp(err.where, "hostile.dcm"));
        else
            check_whole(d);
    }
}

/* The expansion alone stops the bomb, however much memory is allowed. */
static void test_bomb_ratio(void **state)
{
    const mtm_limits limits = {
        .max_bytes = (uint64_t)1 << 36, .max_expansion = 100, .max_header_bytes = 1 << 26};
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .limits = &limits};
    mtm_dicom *d = NULL;
    mtm_error err = {0};

    bomb(&file);
    assert_status(MTM_E_LIMIT, mtm_dicom_open_memory(&d, file.b, file.n, "bomb.dcm", &opt, &err));
}

/* ---- headers of deflated data sets ---------------------------------------------------------------------- */

/* A data set with `before` bytes of a private value and `pixels` bytes of pixel data (0: none), deflated; returns how many bytes
 * stand before the pixels. */
static size_t put_deflated_picture(dicom_bytes *o, size_t before, size_t pixels)
{
    static dicom_bytes plain;
    struct libdeflate_compressor *const c = libdeflate_alloc_compressor(1);
    uint8_t *whole;

    plain = (dicom_bytes){0};
    put_text(&plain, 0x00080060, "CS", "MR");
    put_header(&plain, 0x00430010, "UN", (uint32_t)before);
    plain.n += before;
    if (pixels)
        put_header(&plain, DCM_PIXELS, "OW", (uint32_t)pixels);
    whole = calloc(plain.n + pixels, 1);
    assert_non_null(whole);
    memcpy(whole, plain.b, plain.n);
    put_meta(o, DEFLATED);
    o->n += libdeflate_deflate_compress(c, whole, plain.n + pixels, o->b + o->n, sizeof o->b - o->n);
    libdeflate_free_compressor(c);
    free(whole);
    return plain.n;
}

static const mtm_dicom_options header = {.struct_size = sizeof header, .stop_at_pixels = true};

static void check_header(const mtm_dicom *d, size_t before)
{
    char modality[8];

    assert_true(dcm_ascii(d, NULL, 0x00080060, modality, sizeof modality) && !strcmp(modality, "MR"));
    assert_int_equal(mtm_dicom_find(d, NULL, 0x00430010)->length_bytes, before);
    assert_int_equal(mtm_dicom_warning_count(d), 0);
    check_whole(d);
}

/* Headers alone take no more memory than they need, however much the stream holds. */
static void test_deflated_header(void **state)
{
    const struct {
        size_t before, most;
    } sizes[] = {{8, 64 << 10}, {(64 << 10) - 20, 256 << 10}, {200000, 256 << 10}};
    char path[] = "/tmp/mtm_dicom_XXXXXX";
    const int fd = mkstemp(path);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t want = put_deflated_picture(&file, sizes[i].before, (size_t)48 << 20);

        assert_int_equal(pwrite(fd, file.b, file.n, 0), (ssize_t)file.n);
        for (int in_file = 0; in_file < 2; in_file++) {
            MTM_AUTO(mtm_dicom) d = NULL;
            mtm_error err = {0};

            assert_ok(in_file ? mtm_dicom_open(&d, path, &header, &err)
                              : mtm_dicom_open_memory(&d, file.b, file.n, "deflated", &header, &err));
            check_header(d, sizes[i].before);
            assert_true(d->pixels_left_out);
            assert_true(d->inflated_bytes >= want && d->inflated_bytes <= sizes[i].most);
        }
    }
    close(fd);
    unlink(path);
}

/* What is wrong with the stream behind the header does not matter to it; within it, it does. */
static void test_deflated_header_cut(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {0};

    put_deflated_picture(&file, 8, (size_t)48 << 20);
    assert_ok(mtm_dicom_open_memory(&d, file.b, file.n / 2, "cut", &header, &err));
    check_header(d, 8);
    mtm_dicom_close(mtm_dicom_steal(&d));
    put_deflated_picture(&file, 100000, 0);
    assert_ok(mtm_dicom_open_memory(&d, file.b, file.n, "no pixels", &header, &err));
    check_header(d, 100000);
    assert_false(d->pixels_left_out);
    mtm_dicom_close(mtm_dicom_steal(&d));
    assert_status(MTM_E_CORRUPT, mtm_dicom_open_memory(&d, file.b, file.n - 3, "cut", &header, &err));
    assert_non_null(strstr(err.text, "deflated data set"));
}

/* ---- every cut, every byte ---------------------------------------------------------------------------- */

static void put_all(dicom_bytes *o, const char *syntax)
{
    put_meta(o, syntax);
    put_text(o, 0x00080060, "CS", "MR");
    put_header(o, 0x00081140, "SQ", UNDEFINED_LENGTH);
    put_item(o, UNDEFINED_LENGTH);
    put_text(o, 0x00081155, "UI", "1.2.3");
    put_item_end(o);
    put_item(o, 0);
    put_sequence_end(o);
    put_us(o, 0x00280103, 1);
    put_us(o, 0x00280106, 3);
    put_header(o, 0x00283010, "SQ", 26);
    put_item(o, 18);
    put_header(o, 0x00281050, "DS", 10);
    put_raw(o, "1\\2\\ -3e1 ", 10);
    put_header(o, 0x7FE00010, "OB", UNDEFINED_LENGTH);
    put_item(o, 4);
    put_u32(o, 0);
    put_item(o, 4);
    put_raw(o, "abcd", 4);
    put_sequence_end(o);
}

static const char *const syntaxes[] = {LITTLE_EXPLICIT, LITTLE_IMPLICIT, BIG_EXPLICIT, JPEG_BASELINE};

static void open_any(const uint8_t *bytes, size_t n)
{
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .limits = &tight, .force = true};
    mtm_dicom *d = NULL;
    mtm_error err = {0};

    if (mtm_dicom_open_memory(&d, bytes, n, "any.dcm", &opt, &err)) {
        assert_true(err.code == MTM_E_CORRUPT || err.code == MTM_E_LIMIT || err.code == MTM_E_UNSUPPORTED);
        assert_true(err.text[0]);
        return;
    }
    check_whole(d);
    mtm_dicom_close(d);
}

static void test_cut_everywhere(void **state)
{
    for (int i = 0; i < 4; i++) {
        put_all(&file, syntaxes[i]);
        for (size_t n = 0; n <= file.n; n++) {
            /* A copy of its own, so that a sanitizer sees a byte too far. */
            uint8_t *const copy = malloc(n ? n : 1);

            assert_non_null(copy);
            memcpy(copy, file.b, n);
            open_any(copy, n);
            if (n > 132)
                open_any(copy + 132, n - 132);
            free(copy);
        }
    }
}

static void test_every_byte(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, 'S', 'Q', 'U', 'N'};

    for (int i = 0; i < 4; i++) {
        put_all(&file, syntaxes[i]);
        for (size_t at = 128; at < file.n; at++) {
            const uint8_t was = file.b[at];

            for (size_t k = 0; k < sizeof values; k++) {
                file.b[at] = values[k];
                open_any(file.b, file.n);
            }
            file.b[at] = was;
        }
    }
}

static void test_noise(void **state)
{
    for (uint64_t run = 0; run < 300; run++) {
        mtm_rng r = mtm_rng_at(run, 0, 0, 0);

        put_meta(&file, syntaxes[run % 4]);
        for (int i = 0; i < 500; i++)
            put_u16(&file, run & 4 ? mtm_rng_u32(&r) & 0xFFFF : (uint32_t)mtm_rng_below(&r, 300));
        open_any(file.b, file.n);
    }
}

/* ---- memory ------------------------------------------------------------------------------------------- */

static void open_failing(const char *path, const dicom_bytes *o)
{
    for (int64_t n = 0; n < 100; n++) {
        mtm_dicom *d = NULL;
        mtm_error err = {0};
        mtm_status s;

        mtm_mem_fail_after(n);
        s = path ? mtm_dicom_open(&d, path, NULL, &err) : bytes_open(&d, o, &err);
        mtm_mem_fail_after(-1);
        if (s == MTM_OK) {
            check_whole(d);
            mtm_dicom_close(d);
            assert_true(n > 2); /* something was made to fail */
            return;
        }
        assert_int_equal(s, MTM_E_NOMEM);
    }
    fail_msg("opening never ends");
}

static void header_failing(const dicom_bytes *o)
{
    mtm_status s = MTM_E_NOMEM;

    for (int64_t n = 0; n < 100 && s; n++) {
        mtm_dicom *d = NULL;
        mtm_error err = {0};

        mtm_mem_fail_after(n);
        s = mtm_dicom_open_memory(&d, o->b, o->n, "header", &header, &err);
        mtm_mem_fail_after(-1);
        assert_true(s == MTM_OK || s == MTM_E_NOMEM);
        mtm_dicom_close(d);
    }
    assert_int_equal(s, MTM_OK);
}

static void test_memory_runs_out(void **state)
{
    static uint8_t plain[DCM_ROOM];
    char path[] = "/tmp/mtm_dicom_XXXXXX";
    const int fd = mkstemp(path);
    size_t from;

    put_all(&file, LITTLE_IMPLICIT);
    open_failing(NULL, &file);
    put_meta(&file, DEFLATED);
    from = file.n;
    put_us(&file, 0x00280010, 1);
    memcpy(plain, file.b + from, file.n - from);
    file.n = from;
    deflate_put(&file, plain, 10);
    open_failing(NULL, &file);
    header_failing(&file);
    put_meta(&file, LITTLE_EXPLICIT);
    for (uint32_t i = 0; i < 500; i++) /* the table grows, a second block comes */
        put_element(&file, 0x00091000 + i, "OB", plain, 100);
    put_header(&file, 0x00420011, "OB", UNDEFINED_LENGTH);
    put_raw(&file, "abcdefgh", 8);
    assert_int_equal(write(fd, file.b, file.n), (ssize_t)file.n);
    close(fd);
    open_failing(path, NULL);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),           cmocka_unit_test(test_bomb_ratio),
        cmocka_unit_test(test_cut_everywhere),  cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_noise),           cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_deflated_header), cmocka_unit_test(test_deflated_header_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
