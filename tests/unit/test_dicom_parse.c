/* tests/unit/test_dicom_parse.c: data sets from bytes: encodings, sequences, fragments, and the violations that are tolerated.
 * Hostile bytes are in test_dicom_hostile.c; equality with pydicom over real files is in tests/py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dicom_bytes.h"

#include <libdeflate.h>
#include <unistd.h>

#include "format/dicom/data/dataset.h"
#include "format/dicom/data/syntax.h"
#include "format/dicom/data/tables.h"

static dicom_bytes file; /* the one under test: too large for the stack */

/* ---- dictionary --------------------------------------------------------------------------------------- */

static void test_dictionary(void **state)
{
    const mtm_dicom_entry *e = mtm_dicom_entry_by_keyword("PixelSpacing");

    assert_non_null(e);
    assert_int_equal(e->tag, 0x00280030);
    assert_string_equal(e->vr, "DS");
    assert_string_equal(e->vm, "2");
    assert_string_equal(e->name, "Pixel Spacing");
    assert_false(e->retired);
    assert_ptr_equal(mtm_dicom_entry_by_tag(0x00280030), e);
    assert_string_equal(mtm_dicom_entry_by_tag(0x60023000)->keyword, "OverlayData");
    assert_string_equal(mtm_dicom_entry_by_tag(0x50FE0010)->keyword, "NumberOfPoints");
    assert_string_equal(mtm_dicom_entry_by_tag(0x00203142)->keyword, "SourceImageIDs");
    assert_string_equal(mtm_dicom_entry_by_tag(0x7FE00010)->keyword, "PixelData");
    assert_string_equal(mtm_dicom_entry_by_tag(0x7F040010)->keyword, "VariablePixelData");
    assert_string_equal(mtm_dicom_entry_by_tag(0x00281200)->vr, "US or SS or OW");
    assert_string_equal(mtm_dicom_entry_by_tag(0x00180000)->vr, "UL");
    assert_string_equal(mtm_dicom_entry_by_tag(0x00290010)->vr, "LO");
    assert_null(mtm_dicom_entry_by_tag(0x00291010));
    assert_null(mtm_dicom_entry_by_tag(0x00089999));
    assert_null(mtm_dicom_entry_by_keyword("pixelspacing"));
    assert_null(mtm_dicom_entry_by_keyword(""));
}

/* Every keyword and tag finds itself: the hash and the index are whole. */
static void test_dictionary_whole(void **state)
{
    for (int i = 0; i < dcm_n_plain + dcm_n_repeating; i++) {
        const mtm_dicom_entry *const e = &dcm_entries[i];

        assert_int_equal(mtm_dicom_entry_by_tag(e->tag)->tag, e->tag);
        if (i < dcm_n_plain) /* the first of a repeating group may be an element of its own: (0028,0400) */
            assert_ptr_equal(mtm_dicom_entry_by_tag(e->tag), e);
        if (e->keyword[0])
            assert_ptr_equal(mtm_dicom_entry_by_keyword(e->keyword), e);
    }
    for (int i = 0; i < dcm_n_uids; i++) {
        assert_ptr_equal(mtm_dicom_uid_find(dcm_uids[i].uid), &dcm_uids[i]);
        if (!strcmp(dcm_uids[i].type, "Transfer Syntax"))
            assert_string_equal(dcm_syntax_find(dcm_uids[i].uid)->keyword, dcm_uids[i].keyword);
    }
    assert_true(dcm_n_plain > 5000 && dcm_n_uids > 400);
}

static void test_uids(void **state)
{
    const mtm_dicom_uid *const u = mtm_dicom_uid_find("CTImageStorage");
    const dcm_syntax *s;

    assert_non_null(u);
    assert_string_equal(u->uid, "1.2.840.10008.5.1.4.1.1.2");
    assert_ptr_equal(mtm_dicom_uid_find("1.2.840.10008.5.1.4.1.1.2"), u);
    assert_null(mtm_dicom_uid_find("1.2.3"));
    assert_null(mtm_dicom_uid_find(""));
    s = dcm_syntax_find("HTJ2KLosslessRPCL");
    assert_ptr_equal(dcm_syntax_find("1.2.840.10008.1.2.4.202"), s);
    assert_string_equal(s->codec, "htj2k");
    assert_true(s->encapsulated && s->lossless && s->encode);
    assert_true(dcm_syntax_find(LITTLE_IMPLICIT)->implicit);
    assert_true(dcm_syntax_find(BIG_EXPLICIT)->big_endian);
    assert_true(dcm_syntax_find(DEFLATED)->deflated);
    assert_string_equal(dcm_syntax_find("1.2.840.10008.1.2.8.1")->codec, "deflate");
    assert_null(dcm_syntax_find("1.2.840.10008.1.2.4.102")->codec);
    assert_null(dcm_syntax_find("1.2.3"));
}

/* ---- encodings ---------------------------------------------------------------------------------------- */

/* One of everything that the order of bytes or the presence of VRs changes. */
static void put_sample(dicom_bytes *o)
{
    put_text(o, 0x00080060, "CS", "MR");
    put_header(o, 0x00081140, "SQ", UNDEFINED_LENGTH);
    put_item(o, UNDEFINED_LENGTH);
    put_text(o, 0x00081155, "UI", "1.2.3");
    put_item_end(o);
    put_item(o, 0);
    put_sequence_end(o);
    put_text(o, 0x00180050, "DS", "1.5");
    put_us(o, 0x00280010, 2);
    put_us(o, 0x00280103, 1);
    put_header(o, 0x00280106, "SS", 2);
    put_u16(o, 0xFFFE);
    put_text(o, 0x00290010, "LO", "SIEMENS CSA HEADER");
    put_text(o, 0x00291008, "LO", "x");
    put_header(o, 0x7FE00010, "OW", 4);
    put_u16(o, 7);
    put_u16(o, 8);
}

static void check_sample(const mtm_dicom *d)
{
    const mtm_dicom_element *const sequence = mtm_dicom_find(d, NULL, 0x00081140), *e;
    const mtm_dicom_element *const item = mtm_dicom_item(d, sequence, 0);
    char text[32];

    assert_int_equal(mtm_dicom_item_count(d, sequence), 2);
    assert_int_equal(sequence->inside, 3);
    assert_int_equal(mtm_dicom_item(d, sequence, 1)->inside, 0);
    assert_null(mtm_dicom_item(d, sequence, 2));
    assert_int_equal(item->depth, 1);
    assert_ptr_equal(d->elements + item->parent, sequence);
    e = mtm_dicom_find(d, item, 0x00081155);
    assert_int_equal(e->depth, 2);
    assert_true(mtm_dicom_ascii(d, e, 0, text, sizeof text));
    assert_string_equal(text, "1.2.3");
    assert_null(mtm_dicom_find(d, NULL, 0x00081155));
    assert_true(dcm_f64(d, NULL, 0x00180050, 0) == 1.5);
    assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 2);
    assert_int_equal(dcm_i64(d, NULL, 0x00280106, 0), -2);
    assert_string_equal(mtm_dicom_find(d, NULL, 0x00280106)->vr, "SS");
    e = mtm_dicom_find(d, NULL, DCM_PIXELS);
    assert_string_equal(e->vr, "OW");
    assert_true(e->flags & MTM_DICOM_BULK);
    assert_null(e->value);
    assert_int_equal(mtm_dicom_value_count(d, e), 2);
    assert_true(dcm_i64(d, NULL, DCM_PIXELS, 0) == 7);
    assert_false(d->unsorted);
}

static void test_encodings(void **state)
{
    static const char *const syntaxes[] = {LITTLE_IMPLICIT, LITTLE_EXPLICIT, BIG_EXPLICIT};
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {0};

    for (int i = 0; i < 3; i++) {
        put_meta(&file, syntaxes[i]);
        put_sample(&file);
        assert_ok(bytes_open(&d, &file, &err));
        assert_string_equal(mtm_dicom_transfer_syntax(d), syntaxes[i]);
        assert_int_equal(mtm_dicom_warning_count(d), 0);
        assert_int_equal(d->implicit, i == 0);
        assert_int_equal(d->big_endian, i == 2);
        check_sample(d);
        mtm_dicom_close(mtm_dicom_steal(&d));
    }
}

/* What stands behind `from` becomes one stream. */
static void deflate_rest(dicom_bytes *o, size_t from)
{
    static uint8_t packed[DCM_ROOM];
    struct libdeflate_compressor *const c = libdeflate_alloc_compressor(6);
    const size_t n = libdeflate_deflate_compress(c, o->b + from, o->n - from, packed, sizeof packed);

    libdeflate_free_compressor(c);
    assert_true(n > 0);
    o->n = from;
    put_raw(o, packed, n);
}

static void test_deflated(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {0};
    size_t from;

    put_meta(&file, DEFLATED);
    from = file.n;
    put_sample(&file);
    deflate_rest(&file, from);
    put_raw(&file, "", 1); /* PS3.5 A.5: padded to an even length */
    assert_ok(bytes_open(&d, &file, &err));
    check_sample(d);
    assert_int_equal(mtm_dicom_find(d, NULL, 0x00080060)->offset_bytes, 8);
    mtm_dicom_close(mtm_dicom_steal(&d));
    file.b[from] ^= 0x06; /* another kind of block */
    assert_status(MTM_E_CORRUPT, bytes_open(&d, &file, &err));
    assert_int_equal(err.offset, (int64_t)from);
}

/* What no file meta information announces. */
static void test_without_meta(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {0};

    for (int i = 0; i < 3; i++) {
        file = (dicom_bytes){.implicit = i == 0, .big_endian = i == 2};
        put_sample(&file);
        assert_true(dcm_detect(file.b, file.n));
        assert_ok(bytes_open(&d, &file, &err));
        check_sample(d);
        assert_true(was_told(d, i == 0   ? "implicit VR little"
                                : i == 1 ? "explicit VR little"
                                         : "explicit VR big"));
        mtm_dicom_close(mtm_dicom_steal(&d));
    }
    /* Group 2 at byte 0, and the prefix at byte 0. */
    put_meta(&file, LITTLE_EXPLICIT);
    put_sample(&file);
    for (int cut = 132; cut >= 128; cut -= 4) {
        assert_ok(mtm_dicom_open_memory(&d, file.b + cut, file.n - (size_t)cut, "cut", NULL, &err));
        check_sample(d);
        assert_true(was_told(d, cut == 132 ? "neither preamble nor prefix" : "no preamble"));
        mtm_dicom_close(mtm_dicom_steal(&d));
    }
}

static void test_not_dicom(void **state)
{
    static const char text[] =
        "{\"patient\": \"not one of ours\", \"and\": \"some more text so that it is long\"}";
    const mtm_dicom_options force = {.struct_size = sizeof force, .force = true};
    mtm_dicom *d = NULL;
    mtm_error err = {0};

    assert_false(dcm_detect((const uint8_t *)text, sizeof text));
    assert_status(MTM_E_UNSUPPORTED, mtm_dicom_open_memory(&d, text, sizeof text, "a.json", NULL, &err));
    assert_string_equal(err.where, "a.json");
    assert_status(MTM_E_UNSUPPORTED, mtm_dicom_open_memory(&d, text, 0, "empty", NULL, &err));
    assert_status(MTM_E_UNSUPPORTED, mtm_dicom_open_memory(&d, "\x08", 1, "one byte", NULL, &err));
    assert_status(MTM_E_CORRUPT, mtm_dicom_open_memory(&d, text, 7, "short", &force, &err));
    assert_ok(mtm_dicom_open_memory(&d, text, sizeof text, "forced", &force, &err));
    assert_true(mtm_dicom_warning_count(d) > 0);
    mtm_dicom_close(d);
    assert_status(MTM_E_NOTFOUND, mtm_dicom_open(&d, "/nonexistent/file.dcm", NULL, &err));
    assert_status(MTM_E_INVAL,
                  mtm_dicom_open_memory(&d, text, 7, "x", &(mtm_dicom_options){.struct_size = 3}, &err));
}

/* ---- file meta information ---------------------------------------------------------------------------- */

static void test_meta_violations(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {0};

    /* A wrong group length, then none, then implicit VR. */
    put_meta(&file, LITTLE_EXPLICIT);
    put_sample(&file);
    file.b[140] = 99;
    assert_ok(bytes_open(&d, &file, &err));
    check_sample(d);
    assert_true(was_told(d, "28 bytes long, not 99"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    file = (dicom_bytes){.n = 128};
    put_raw(&file, "DICM", 4);
    put_text(&file, DCM_TRANSFER_SYNTAX, "UI", LITTLE_EXPLICIT);
    put_sample(&file);
    assert_ok(bytes_open(&d, &file, &err));
    check_sample(d);
    assert_true(was_told(d, "no group length"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    file = (dicom_bytes){.n = 128, .implicit = true};
    put_raw(&file, "DICM", 4);
    put_text(&file, DCM_TRANSFER_SYNTAX, "UI", LITTLE_EXPLICIT);
    file.implicit = false;
    put_sample(&file);
    assert_ok(bytes_open(&d, &file, &err));
    check_sample(d);
    mtm_dicom_close(mtm_dicom_steal(&d));

    /* A prefix and nothing else of group 2; a syntax that nobody knows; one that the data set is not in. */
    file = (dicom_bytes){.n = 128};
    put_raw(&file, "DICM", 4);
    put_sample(&file);
    assert_ok(bytes_open(&d, &file, &err));
    check_sample(d);
    assert_true(was_told(d, "no file meta information"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    put_meta(&file, "1.2.3.4");
    put_sample(&file);
    assert_ok(bytes_open(&d, &file, &err));
    check_sample(d);
    assert_true(was_told(d, "transfer syntax is not known"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    /* What is no UID is none. */
    put_meta(&file, "1.2\n840");
    put_sample(&file);
    assert_ok(bytes_open(&d, &file, &err));
    check_sample(d);
    assert_string_equal(mtm_dicom_transfer_syntax(d), LITTLE_EXPLICIT);
    assert_true(was_told(d, "names no transfer syntax"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    for (int i = 0; i < 2; i++) {
        put_meta(&file, i ? LITTLE_IMPLICIT : LITTLE_EXPLICIT);
        file.implicit = !i;
        put_sample(&file);
        assert_ok(bytes_open(&d, &file, &err));
        check_sample(d);
        assert_true(was_told(d, i ? "has explicit VR, not implicit" : "has implicit VR, not explicit"));
        mtm_dicom_close(mtm_dicom_steal(&d));
    }
}

/* A message that was kept: command elements stand in implicit VR before the data set (PS3.7 6.3.1). */
static void test_command_group(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {0};

    put_meta(&file, LITTLE_EXPLICIT);
    file.implicit = true;
    put_us(&file, 0x00000100, 1);
    file.implicit = false;
    put_sample(&file);
    assert_ok(bytes_open(&d, &file, &err));
    assert_int_equal(dcm_i64(d, NULL, 0x00000100, 0), 1);
    assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 2);
}

/* ---- sequences ---------------------------------------------------------------------------------------- */

static void open_explicit(mtm_dicom **d)
{
    mtm_error err = {0};

    assert_ok(bytes_open(d, &file, &err));
}

/* UN of undefined length is an implicit sequence (PS3.5 6.2.2), also in big endian; UN that the dictionary knows is what it says. */
static void test_unknown_vr(void **state)
{
    for (int big = 0; big < 2; big++) {
        MTM_AUTO(mtm_dicom) d = NULL;
        const mtm_dicom_element *e;

        put_meta(&file, big ? BIG_EXPLICIT : LITTLE_EXPLICIT);
        put_header(&file, 0x00280010, "UN", 2);
        file.big_endian = false;
        put_u16(&file, 512);
        file.big_endian = big;
        put_text(&file, 0x00290010, "UN", "ACME");
        put_header(&file, 0x00291001, "UN", UNDEFINED_LENGTH);
        file.big_endian = false, file.implicit = true;
        put_item(&file, UNDEFINED_LENGTH);
        put_us(&file, 0x00280011, 3);
        put_item_end(&file);
        put_sequence_end(&file);
        file.big_endian = big, file.implicit = false;
        put_header(&file, 0x00291002, "UN", 4);
        put_raw(&file, "abcd", 4);
        open_explicit(&d);
        e = mtm_dicom_find(d, NULL, 0x00280010);
        assert_string_equal(e->vr, "US");
        assert_true(e->flags & MTM_DICOM_UN);
        assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 512);
        assert_string_equal(mtm_dicom_find(d, NULL, 0x00290010)->vr, "LO");
        e = mtm_dicom_find(d, NULL, 0x00291001);
        assert_string_equal(e->vr, "SQ");
        assert_true(e->flags & MTM_DICOM_UN && e->flags & MTM_DICOM_SEQUENCE);
        assert_int_equal(dcm_i64(d, mtm_dicom_item(d, e, 0), 0x00280011, 0), 3);
        assert_string_equal(mtm_dicom_find(d, NULL, 0x00291002)->vr, "UN");
        assert_int_equal(mtm_dicom_warning_count(d), 0);
    }
}

/* Private sequences in implicit VR have no dictionary: the items tell. */
static void test_private_implicit(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;

    put_meta(&file, LITTLE_IMPLICIT);
    put_text(&file, 0x00290010, "LO", "ACME");
    put_header(&file, 0x00291001, "SQ", UNDEFINED_LENGTH);
    put_item(&file, 10);
    put_us(&file, 0x00280011, 3);
    put_sequence_end(&file);
    put_us(&file, 0x00291002, 5);
    open_explicit(&d);
    assert_string_equal(mtm_dicom_find(d, NULL, 0x00290010)->vr, "LO");
    assert_int_equal(dcm_i64(d, dcm_first_item(d, NULL, 0x00291001), 0x00280011, 0), 3);
    assert_string_equal(mtm_dicom_find(d, NULL, 0x00291002)->vr, "UN");
    assert_int_equal(dcm_i64(d, NULL, 0x00291002, 0), 5); /* its first byte */
}

/* Items that are written without VRs in an explicit data set, with them in an implicit one, and one element without. */
static void test_vr_switch(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    const mtm_dicom_element *e;

    for (int implicit = 0; implicit < 2; implicit++) {
        put_meta(&file, implicit ? LITTLE_IMPLICIT : LITTLE_EXPLICIT);
        put_header(&file, 0x00081140, "SQ", UNDEFINED_LENGTH);
        put_item(&file, UNDEFINED_LENGTH);
        file.implicit = !implicit;
        put_text(&file, 0x00081155, "UI", "1.2");
        put_us(&file, 0x00280010, 9);
        file.implicit = implicit;
        put_item_end(&file);
        put_sequence_end(&file);
        put_us(&file, 0x00280010, 8);
        file.implicit = true;
        put_us(&file, 0x00280011, 7);
        file.implicit = implicit;
        put_us(&file, 0x00280100, 16);
        open_explicit(&d);
        e = dcm_first_item(d, NULL, 0x00081140);
        assert_int_equal(dcm_i64(d, e, 0x00280010, 0), 9);
        assert_string_equal(mtm_dicom_find(d, e, 0x00081155)->vr, "UI");
        assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 8);
        assert_int_equal(dcm_i64(d, NULL, 0x00280011, 0), 7);
        assert_int_equal(dcm_i64(d, NULL, 0x00280100, 0), 16);
        mtm_dicom_close(mtm_dicom_steal(&d));
    }
}

/* "US or SS" by the PixelRepresentation of the item, else of what it lies in; "OB or OW" by the width of samples. */
static void test_unclear_vr(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    const mtm_dicom_element *e;

    put_meta(&file, LITTLE_IMPLICIT);
    put_header(&file, 0x00081140, "SQ", UNDEFINED_LENGTH);
    put_item(&file, UNDEFINED_LENGTH);
    put_us(&file, 0x00280103, 0);
    put_us(&file, 0x00280106, 0xFFFF);
    put_item_end(&file);
    put_item(&file, UNDEFINED_LENGTH);
    put_us(&file, 0x00280106, 0xFFFF);
    put_item_end(&file);
    put_sequence_end(&file);
    put_us(&file, 0x00280103, 1);
    put_us(&file, 0x00280107, 0xFFFF);
    put_header(&file, 0x00283002, "US", 6);
    put_u16(&file, 1), put_u16(&file, 0), put_u16(&file, 16);
    put_us(&file, 0x00283006, 5);
    put_us(&file, 0x60003000, 0);
    put_us(&file, 0x7FE00010, 0);
    open_explicit(&d);
    e = mtm_dicom_find(d, NULL, 0x00081140);
    assert_string_equal(mtm_dicom_find(d, mtm_dicom_item(d, e, 0), 0x00280106)->vr, "US");
    assert_int_equal(dcm_i64(d, mtm_dicom_item(d, e, 0), 0x00280106, 0), 65535);
    assert_string_equal(mtm_dicom_find(d, mtm_dicom_item(d, e, 1), 0x00280106)->vr, "SS");
    assert_int_equal(dcm_i64(d, mtm_dicom_item(d, e, 1), 0x00280106, 0), -1);
    assert_int_equal(dcm_i64(d, NULL, 0x00280107, 0), -1);
    assert_string_equal(mtm_dicom_find(d, NULL, 0x00283006)->vr, "US"); /* a LUT of one entry */
    assert_string_equal(mtm_dicom_find(d, NULL, 0x60003000)->vr, "OW");
    assert_string_equal(mtm_dicom_find(d, NULL, DCM_PIXELS)->vr, "OW");
}

/* ---- violations of delimiters and lengths ------------------------------------------------------------- */

static void test_delimiters(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    const mtm_dicom_element *e;

    /* An item without its delimiter before the next, and before the sequence's; one too many at the top. */
    put_meta(&file, LITTLE_EXPLICIT);
    put_header(&file, 0x00081140, "SQ", UNDEFINED_LENGTH);
    put_item(&file, UNDEFINED_LENGTH);
    put_us(&file, 0x00280010, 1);
    put_item(&file, UNDEFINED_LENGTH);
    put_us(&file, 0x00280010, 2);
    put_sequence_end(&file);
    put_sequence_end(&file);
    put_us(&file, 0x00280010, 3);
    open_explicit(&d);
    e = mtm_dicom_find(d, NULL, 0x00081140);
    assert_int_equal(mtm_dicom_item_count(d, e), 2);
    assert_int_equal(dcm_i64(d, mtm_dicom_item(d, e, 1), 0x00280010, 0), 2);
    assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 3);
    assert_true(was_told(d, "has no delimiter") && was_told(d, "outside of a sequence"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    /* No delimiter at all: the next element ends the sequence. */
    put_meta(&file, LITTLE_EXPLICIT);
    put_header(&file, 0x00081140, "SQ", UNDEFINED_LENGTH);
    put_item(&file, 10);
    put_us(&file, 0x00280010, 1);
    put_us(&file, 0x00280010, 3);
    open_explicit(&d);
    assert_int_equal(mtm_dicom_find(d, NULL, 0x00081140)->inside, 2);
    assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 3);
    assert_true(was_told(d, "an item was expected"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    /* The file ends inside. */
    put_meta(&file, LITTLE_EXPLICIT);
    put_header(&file, 0x00081140, "SQ", UNDEFINED_LENGTH);
    put_item(&file, UNDEFINED_LENGTH);
    put_us(&file, 0x00280010, 1);
    open_explicit(&d);
    assert_int_equal(mtm_dicom_find(d, NULL, 0x00081140)->inside, 2);
    assert_int_equal(mtm_dicom_find(d, NULL, 0x00081140)->length_bytes, 18);
    assert_true(was_told(d, "inside a sequence"));
}

static void test_lengths(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;

    /* Odd, then longer than the file. */
    put_meta(&file, LITTLE_EXPLICIT);
    put_element(&file, 0x00080060, "CS", "MRX", 3);
    put_header(&file, 0x00100020, "LO", 100);
    put_raw(&file, "short", 5);
    open_explicit(&d);
    assert_int_equal(mtm_dicom_find(d, NULL, 0x00080060)->length_bytes, 3);
    assert_int_equal(mtm_dicom_find(d, NULL, 0x00100020)->length_bytes, 5);
    assert_true(was_told(d, "odd length"));
    assert_true(was_told(d, "(0010,0020)") && was_told(d, "ends after 5"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    /* Zeros behind the data set, and something else. */
    for (int i = 0; i < 2; i++) {
        put_meta(&file, LITTLE_EXPLICIT);
        put_sample(&file);
        put_raw(&file, i ? "\x01\x00\x99\x99zzzz and more" : "\0\0\0\0\0\0\0\0\0\0\0", 11);
        open_explicit(&d);
        check_sample(d);
        assert_true(was_told(d, "11 bytes behind the data set"));
        mtm_dicom_close(mtm_dicom_steal(&d));
    }
    put_meta(&file, LITTLE_EXPLICIT);
    put_sample(&file);
    put_raw(&file, "\0\0\0", 3);
    open_explicit(&d);
    check_sample(d);
    assert_true(was_told(d, "3 bytes at the end"));
}

/* A VR of two letters that is none has a 16-bit length; other bytes are no VR, or nobody's. */
static void test_bad_vr(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;

    put_meta(&file, LITTLE_EXPLICIT);
    put_element(&file, 0x00080060, "ZZ", "MR", 2);
    put_element(&file, 0x00080070, "??", "ACME", 4);
    put_us(&file, 0x00280010, 3);
    open_explicit(&d);
    assert_string_equal(mtm_dicom_find(d, NULL, 0x00080060)->vr, "ZZ");
    assert_string_equal(mtm_dicom_find(d, NULL, 0x00080070)->vr, "UN");
    assert_int_equal(mtm_dicom_find(d, NULL, 0x00080070)->length_bytes, 4);
    assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 3);
    assert_true(was_told(d, "VR that is none"));
}

/* Of elements out of order or there twice the last counts, as for a reader that overwrites. */
static void test_order(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;

    put_meta(&file, LITTLE_EXPLICIT);
    put_us(&file, 0x00280011, 1);
    put_us(&file, 0x00280010, 2);
    put_us(&file, 0x00280010, 3);
    open_explicit(&d);
    assert_true(d->unsorted);
    assert_true(was_told(d, "out of order"));
    assert_int_equal(dcm_i64(d, NULL, 0x00280011, 0), 1);
    assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 3);
}

/* ---- pixel data --------------------------------------------------------------------------------------- */

/* Three fragments of 4, 0 and 5000 bytes behind a table; what is not wanted is left out. */
static size_t put_fragments(dicom_bytes *o, bool table, uint32_t last_offset, bool delimiter)
{
    static const uint8_t zeros[5000];
    size_t at;

    put_header(o, DCM_PIXELS, "OB", UNDEFINED_LENGTH);
    at = o->n;
    put_item(o, table ? 8 : 0);
    if (table)
        put_u32(o, 0), put_u32(o, last_offset);
    put_item(o, 4);
    put_raw(o, "\xFE\xFF\xDD\xE0", 4); /* looks like a delimiter, is none */
    put_item(o, 0);
    put_item(o, sizeof zeros);
    put_raw(o, zeros, sizeof zeros);
    at = o->n - at;
    if (delimiter)
        put_sequence_end(o);
    return at;
}

static void test_fragments(void **state)
{
    static const uint32_t last[] = {20, 12, 13, 0, 0xFFFFFFF0u}; /* the second frame's item; wrong ones */
    MTM_AUTO(mtm_dicom) d = NULL;
    const mtm_dicom_element *e;
    size_t n;

    for (int i = -1; i < 5; i++) {
        put_meta(&file, JPEG_BASELINE);
        n = put_fragments(&file, i >= 0, i >= 0 ? last[i] : 0, true);
        put_text(&file, 0xFFFCFFFCu, "OB", "padding ");
        open_explicit(&d);
        e = mtm_dicom_find(d, NULL, DCM_PIXELS);
        assert_int_equal(e->flags, MTM_DICOM_UNDEFINED | MTM_DICOM_ENCAPSULATED | MTM_DICOM_BULK);
        assert_int_equal(e->length_bytes, n);
        assert_int_equal(e->inside, 0);
        assert_int_equal(mtm_dicom_item_count(d, e), 0);
        assert_non_null(mtm_dicom_find(d, NULL, 0xFFFCFFFCu));
        assert_int_equal(mtm_dicom_warning_count(d), 0);
        mtm_dicom_close(mtm_dicom_steal(&d));
    }
    /* No delimiter; then bytes between the fragments; then a length of the whole. */
    put_meta(&file, JPEG_BASELINE);
    n = put_fragments(&file, true, 20, false);
    open_explicit(&d);
    assert_int_equal(mtm_dicom_find(d, NULL, DCM_PIXELS)->length_bytes, n);
    assert_true(was_told(d, "inside the fragments"));
    mtm_dicom_close(mtm_dicom_steal(&d));

    put_meta(&file, JPEG_BASELINE);
    n = put_fragments(&file, false, 0, false);
    put_raw(&file, "\x01\x02\x03", 3);
    put_sequence_end(&file);
    put_text(&file, 0xFFFCFFFCu, "OB", "padding ");
    open_explicit(&d);
    assert_int_equal(mtm_dicom_find(d, NULL, DCM_PIXELS)->length_bytes, n + 3);
    assert_true(was_told(d, "no fragment stands at byte"));
    assert_non_null(mtm_dicom_find(d, NULL, 0xFFFCFFFCu));
    mtm_dicom_close(mtm_dicom_steal(&d));

    put_meta(&file, JPEG_BASELINE);
    n = file.n;
    put_fragments(&file, false, 0, true);
    memcpy(file.b + n + 8, &(uint32_t){(uint32_t)(file.n - n - 12)}, 4);
    open_explicit(&d);
    assert_true(mtm_dicom_find(d, NULL, DCM_PIXELS)->flags & MTM_DICOM_ENCAPSULATED);
    assert_true(was_told(d, "a length instead of a delimiter"));
}

/* The extended offset table names the last frame, so that a slide is not walked. */
static void test_extended_table(void **state)
{
    MTM_AUTO(mtm_dicom) d = NULL;
    size_t n;

    put_meta(&file, JPEG_BASELINE);
    put_header(&file, 0x7FE00001, "OV", 16);
    put_u32(&file, 0), put_u32(&file, 0), put_u32(&file, 12), put_u32(&file, 0);
    put_header(&file, 0x7FE00002, "OV", 16);
    put_u32(&file, 4), put_u32(&file, 0), put_u32(&file, 5000), put_u32(&file, 0);
    n = put_fragments(&file, false, 0, true);
    open_explicit(&d);
    assert_int_equal(mtm_dicom_find(d, NULL, DCM_PIXELS)->length_bytes, n);
    assert_int_equal(mtm_dicom_warning_count(d), 0);
}

static void test_stop_at_pixels(void **state)
{
    const mtm_dicom_options stop = {.struct_size = sizeof stop, .stop_at_pixels = true};
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {0};

    put_meta(&file, LITTLE_EXPLICIT);
    put_sample(&file);
    put_text(&file, 0xFFFCFFFCu, "OB", "padding ");
    assert_ok(mtm_dicom_open_memory(&d, file.b, file.n, "x", &stop, &err));
    assert_null(mtm_dicom_find(d, NULL, DCM_PIXELS));
    assert_null(mtm_dicom_find(d, NULL, 0xFFFCFFFCu));
    assert_true(d->pixels_left_out);
    assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 2);
    assert_int_equal(mtm_dicom_warning_count(d), 0);
}

/* ---- files -------------------------------------------------------------------------------------------- */

static void file_write(char *path, const dicom_bytes *o)
{
    const int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, o->b, o->n), (ssize_t)o->n);
    close(fd);
}

/* A header over several blocks, with values across their borders and one too large to be kept. */
static void test_blocks(void **state)
{
    static uint8_t large[70000];
    char path[] = "/tmp/mtm_dicom_XXXXXX";
    MTM_AUTO(mtm_dicom) d = NULL;
    MTM_AUTO(mtm_dicom) same = NULL;
    mtm_error err = {0};
    uint8_t some[5];

    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 7);
    put_meta(&file, LITTLE_EXPLICIT);
    for (uint32_t i = 0; i < 90; i++)
        put_element(&file, 0x00091000 + i, "OB", large + i, 1000 + i % 2);
    put_element(&file, 0x000910F0, "OB", large, sizeof large);
    put_us(&file, 0x00280010, 77);
    file_write(path, &file);
    assert_ok(mtm_dicom_open(&d, path, NULL, &err));
    unlink(path);
    assert_ok(bytes_open(&same, &file, &err));
    assert_int_equal(d->n, same->n);
    for (int32_t i = 0; i < d->n; i++) {
        const mtm_dicom_element *const e = &d->elements[i], *const f = &same->elements[i];

        assert_true(e->tag == f->tag && e->offset_bytes == f->offset_bytes &&
                    e->length_bytes == f->length_bytes);
        assert_int_equal(e->flags, f->flags);
        if (e->value)
            assert_memory_equal(e->value, f->value, e->length_bytes);
    }
    assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 77);
    assert_true(mtm_dicom_find(d, NULL, 0x000910F0)->flags & MTM_DICOM_BULK);
    assert_ok(mtm_dicom_value_read(d, mtm_dicom_find(d, NULL, 0x000910F0), 69995, some, 5, &err));
    assert_memory_equal(some, large + 69995, 5);
    assert_status(MTM_E_INVAL,
                  mtm_dicom_value_read(d, mtm_dicom_find(d, NULL, 0x000910F0), 69996, some, 5, &err));
    assert_int_equal(dcm_i64(d, NULL, 0x000910F0, 0), large[0]);
}

static void test_reopen(void **state)
{
    char a[] = "/tmp/mtm_dicom_XXXXXX", b[] = "/tmp/mtm_dicom_XXXXXX";
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {0};

    put_meta(&file, LITTLE_EXPLICIT);
    put_sample(&file);
    put_sequence_end(&file); /* a warning */
    file_write(a, &file);
    put_meta(&file, LITTLE_IMPLICIT);
    put_us(&file, 0x00280010, 5);
    file_write(b, &file);
    for (int i = 0; i < 3; i++) {
        assert_ok(dcm_reopen(&d, a, NULL, &err));
        check_sample(d);
        assert_int_equal(mtm_dicom_warning_count(d), 1);
        assert_string_equal(mtm_dicom_path(d), a);
        assert_status(MTM_E_NOTFOUND, dcm_reopen(&d, "/nonexistent", NULL, &err));
        assert_ok(dcm_reopen(&d, b, NULL, &err));
        assert_int_equal(d->n, 3);
        assert_int_equal(dcm_i64(d, NULL, 0x00280010, 0), 5);
        assert_int_equal(mtm_dicom_warning_count(d), 0);
    }
    unlink(a);
    unlink(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dictionary),
        cmocka_unit_test(test_dictionary_whole),
        cmocka_unit_test(test_uids),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_deflated),
        cmocka_unit_test(test_without_meta),
        cmocka_unit_test(test_not_dicom),
        cmocka_unit_test(test_meta_violations),
        cmocka_unit_test(test_command_group),
        cmocka_unit_test(test_unknown_vr),
        cmocka_unit_test(test_private_implicit),
        cmocka_unit_test(test_vr_switch),
        cmocka_unit_test(test_unclear_vr),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_bad_vr),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_extended_table),
        cmocka_unit_test(test_stop_at_pixels),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_reopen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
