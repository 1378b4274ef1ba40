/* tests/unit/test_dicom_frames.c: where the frames of pixel data lie: tables right, wrong, wrapped and missing; fragments; native bits;
 * files that end too early.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "format/dicom/pixel/pixel.h"

enum { ROOM = 1 << 16 };

/* A file that grows. */
typedef struct file {
    uint8_t b[ROOM];
    size_t n, base; /* base: of the first item behind the offset table */
} file;

static void put(file *f, const void *data, size_t n)
{
    assert_true(f->n + n <= ROOM);
    if (n) /* data may be NULL then */
        memcpy(f->b + f->n, data, n);
    f->n += n;
}

static void put_u16(file *f, unsigned v)
{
    put(f, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8)}, 2);
}

static void put_u32(file *f, uint32_t v)
{
    put_u16(f, v & 0xFFFF), put_u16(f, v >> 16);
}

/* An explicit element with a long length. */
static void put_long(file *f, uint32_t tag, const char *vr, uint32_t length)
{
    put_u16(f, tag >> 16), put_u16(f, tag & 0xFFFF);
    put(f, vr, 2), put_u16(f, 0), put_u32(f, length);
}

static void begin_file(file *f, const char *syntax)
{
    const size_t n = strlen(syntax);

    *f = (file){.n = 128};
    put(f, "DICM\2\0\0\0UL\4\0", 12);
    put_u32(f, (uint32_t)(8 + n + n % 2));
    put(f, "\2\0\x10\0UI", 6), put_u16(f, (unsigned)(n + n % 2)), put(f, syntax, n + n % 2);
}

static void put_item(file *f, const void *data, size_t n)
{
    put_u16(f, 0xFFFE), put_u16(f, 0xE000), put_u32(f, (uint32_t)n);
    put(f, data, n);
}

static void end_fragments(file *f)
{
    put_u16(f, 0xFFFE), put_u16(f, 0xE0DD), put_u32(f, 0);
}

static const char jpeg[] = "1.2.840.10008.1.2.4.50", rle[] = "1.2.840.10008.1.2.5",
                  native[] = "1.2.840.10008.1.2.1";

/* Pixel data with this offset table; items follow. */
static void begin_fragments(file *f, const char *syntax, const uint32_t *table, size_t n)
{
    begin_file(f, syntax);
    put_long(f, DCM_PIXELS, "OB", 0xFFFFFFFFu);
    put_u16(f, 0xFFFE), put_u16(f, 0xE000), put_u32(f, (uint32_t)n * 4);
    for (size_t i = 0; i < n; i++)
        put_u32(f, table[i]);
    f->base = f->n;
}

typedef struct opened {
    mtm_dicom *d;
    dcm_frames *f;
} opened;

static mtm_status open_frames(opened *o, const file *f, const char *codec, int64_t frames, mtm_error *err)
{
    const mtm_dicom_pixels p = {.frames = frames,
                                .rows = 3,
                                .columns = 5,
                                .samples = 1,
                                .bits_allocated = 8,
                                .codec = codec,
                                .photometric = "MONOCHROME2"};

    *o = (opened){0};
    assert_int_equal(mtm_dicom_open_memory(&o->d, f->b, f->n, "test", NULL, err), MTM_OK);
    return dcm_frames_new(&o->f, o->d, &p, err);
}

static void close_frames(opened *o)
{
    dcm_frames_free(o->f);
    mtm_dicom_close(o->d);
}

/* Every frame has these bytes, and there is this warning: NULL: none. */
static void check(const file *f, const char *codec, int64_t n, const char *const *wanted, const char *warning)
{
    mtm_error err = {0};
    mtm_bytes out = {0};
    opened o;

    assert_ok(open_frames(&o, f, codec, n, &err));
    for (int64_t i = n - 1; i >= 0; i--) {
        assert_ok(dcm_frame_bytes(o.f, i, &out, &err));
        assert_int_equal(out.size_bytes, strlen(wanted[i]));
        assert_memory_equal(out.data, wanted[i], out.size_bytes);
    }
    if (warning ? !strstr(o.f->warning, warning) : o.f->warning[0] != 0)
        fail_msg("\"%s\" instead of \"%s\"", o.f->warning, warning ? warning : "");
    assert_status(MTM_E_INVAL, dcm_frame_bytes(o.f, n, &out, &err));
    assert_status(MTM_E_INVAL, dcm_frame_bytes(o.f, -1, &out, &err));
    close_frames(&o);
    mtm_bytes_drop(&out);
}

static void check_fails(const file *f, const char *codec, int64_t n, mtm_status s, const char *text)
{
    mtm_error err = {0};
    opened o;

    assert_status(s, open_frames(&o, f, codec, n, &err));
    if (!strstr(err.text, text))
        fail_msg("\"%s\" instead of \"%s\"", err.text, text);
    close_frames(&o);
}

static const char *const three[] = {"\xFF\xD8\xFF"
                                    "ab\xFF\xD9",
                                    "\xFF\xD8\xFF"
                                    "cdef",
                                    "\xFF\xD8\xFF"
                                    "gh\xFF\xD9"};

static void put_all(file *f, const char *const *items, int n)
{
    for (int i = 0; i < n; i++)
        put_item(f, items[i], strlen(items[i]));
    end_fragments(f);
}

static void test_basic_table(void **state)
{
    const uint32_t right[] = {0, 15, 30}, wrong[] = {0, 14, 30}, absolute[] = {300, 315, 330},
                   few[] = {0, 15}, still[] = {0, 0, 30};
    file f;

    begin_fragments(&f, jpeg, right, 3), put_all(&f, three, 3);
    check(&f, "jpeg", 3, three, NULL);
    begin_fragments(&f, jpeg, NULL, 0), put_all(&f, three, 3);
    check(&f, "jpeg", 3, three, NULL);
    begin_fragments(&f, jpeg, wrong, 3), put_all(&f, three, 3);
    check(&f, "jpeg", 3, three, "names places");
    begin_fragments(&f, jpeg, absolute, 3), put_all(&f, three, 3);
    check(&f, "jpeg", 3, three, "names places");
    begin_fragments(&f, jpeg, still, 3), put_all(&f, three, 3);
    check(&f, "jpeg", 3, three, "names places");
    begin_fragments(&f, jpeg, few, 2), put_all(&f, three, 3);
    check(&f, "jpeg", 3, three, "2 entries for 3 frames");
}

static void test_extended_table(void **state)
{
    static const uint64_t tables[][4] = {
        {0, 15, 30, 3}, {0, 16, 30, 3}, {0, UINT64_MAX - 7, 30, 3}, {0, 15, 0, 2}};
    static const char *const warnings[] = {NULL, "names places", "names places", "2 entries for 3 frames"};
    file f;

    for (int i = 0; i < 4; i++) {
        const size_t n = (size_t)tables[i][3] * 8;

        begin_file(&f, jpeg);
        put_long(&f, 0x7FE00001, "OV", (uint32_t)n), put(&f, tables[i], n);
        put_long(&f, 0x7FE00002, "OV", (uint32_t)n), put(&f, (uint64_t[]){7, 7, 7}, n);
        put_long(&f, DCM_PIXELS, "OB", 0xFFFFFFFFu);
        put_item(&f, NULL, 0), put_all(&f, three, 3);
        check(&f, "jpeg", 3, three, warnings[i]);
    }
}

/* A frame in several fragments: named by a table, found by its first or its last bytes, or all in one. */
static void test_many_fragments(void **state)
{
    static const char *const parts[] = {"\xFF\xD8\xFF"
                                        "ab",
                                        "cd", "ef\xFF\xD9",
                                        "\xFF\xD8\xFF"
                                        "gh",
                                        "ij\xFF\xD9"};
    static const char *const frames[] = {"\xFF\xD8\xFF"
                                         "abcdef\xFF\xD9",
                                         "\xFF\xD8\xFF"
                                         "ghij\xFF\xD9"};
    static const char *const whole[] = {"\xFF\xD8\xFF"
                                        "abcdef\xFF\xD9\xFF\xD8\xFF"
                                        "ghij\xFF\xD9"};
    static const char *const tails[] = {"ab", "cd\xFF\xD9 ", "ef", "gh\xFF\xD9"};
    static const char *const tail_frames[] = {"abcd\xFF\xD9 ", "efgh\xFF\xD9"};
    const uint32_t table[] = {0, 35};
    file f;

    begin_fragments(&f, jpeg, table, 2), put_all(&f, parts, 5);
    check(&f, "jpeg", 2, frames, NULL);
    begin_fragments(&f, jpeg, NULL, 0), put_all(&f, parts, 5);
    check(&f, "jpeg", 2, frames, NULL);
    check(&f, "jpeg", 1, whole, NULL);
    begin_fragments(&f, jpeg, NULL, 0), put_all(&f, tails, 4);
    check(&f, "jpeg", 2, tail_frames, NULL);
    check_fails(&f, "jpeg", 3, MTM_E_CORRUPT, "4 fragments cannot be shared out among 3 frames");
    check_fails(&f, "jpeg", 5, MTM_E_CORRUPT, "4 fragments cannot be shared out among 5 frames");
    check_fails(&f, "jpeg", 1000, MTM_E_CORRUPT, "cannot hold 1000 frames");
}

static void test_rle_fragments(void **state)
{
    uint8_t header[64] = {1, 0, 0, 0, 64};
    mtm_error err = {0};
    mtm_bytes out = {0};
    opened o;
    file f;

    begin_fragments(&f, rle, NULL, 0);
    for (int i = 0; i < 3; i++)
        put_item(&f, header, sizeof header), put_item(&f, "\1ab\0", 4);
    end_fragments(&f);
    assert_ok(open_frames(&o, &f, "rle", 3, &err));
    assert_ok(dcm_frame_bytes(o.f, 2, &out, &err));
    assert_int_equal(out.size_bytes, 68);
    close_frames(&o);
    mtm_bytes_drop(&out);
}

/* The bytes of a delimiter inside a fragment end nothing. */
static void test_delimiter_inside(void **state)
{
    char inside[] = "ab\xFE\xFF\xDD\xE0____cd";
    const char *const items[] = {inside, "ef"};
    file f;

    begin_fragments(&f, jpeg, NULL, 0), put_all(&f, items, 2);
    check(&f, "jpeg", 2, items, NULL);
}

/* Frames that are there can be read; the others say where the file ends. */
static void test_cut(void **state)
{
    const uint32_t table[] = {0, 15, 30};
    mtm_error err = {0};
    mtm_bytes out = {0};
    opened o;
    file f;

    for (int with_table = 0; with_table < 2; with_table++)
        for (size_t keep = 31; keep < 45; keep++) {
            begin_fragments(&f, jpeg, table, with_table ? 3 : 0), put_all(&f, three, 3);
            f.n = f.base + keep;
            if (!with_table && keep < 38) { /* no header of the third */
                check_fails(&f, "jpeg", 3, MTM_E_CORRUPT, "2 fragments");
                continue;
            }
            assert_ok(open_frames(&o, &f, "jpeg", 3, &err));
            assert_ok(dcm_frame_bytes(o.f, 1, &out, &err));
            assert_memory_equal(out.data, three[1], 7);
            assert_status(MTM_E_CORRUPT, dcm_frame_bytes(o.f, 2, &out, &err));
            assert_int_equal(out.size_bytes, 0);
            assert_true(err.offset >= (int64_t)f.base + 30 && err.offset <= (int64_t)f.n);
            close_frames(&o);
        }
    mtm_bytes_drop(&out);
}

static void test_no_fragments(void **state)
{
    file f;

    begin_file(&f, jpeg);
    put_long(&f, DCM_PIXELS, "OB", 0xFFFFFFFFu), end_fragments(&f);
    check_fails(&f, "jpeg", 1, MTM_E_CORRUPT, "no fragments");
    begin_fragments(&f, jpeg, NULL, 0), end_fragments(&f);
    check_fails(&f, "jpeg", 1, MTM_E_CORRUPT, "cannot hold 1 frames");
    begin_file(&f, jpeg);
    check_fails(&f, "jpeg", 1, MTM_E_NOTFOUND, "no pixel data");
}

static void test_native(void **state)
{
    char bytes[46];
    const char *frames[3];
    char cut[3][16] = {{0}};
    mtm_error err = {0};
    mtm_bytes out = {0};
    opened o;
    file f;

    for (int i = 0; i < 46; i++)
        bytes[i] = (char)(i + 1);
    for (int i = 0; i < 3; i++)
        memcpy(cut[i], bytes + 15 * i, 15), frames[i] = cut[i];
    for (int n = 45; n <= 46; n++) {
        begin_file(&f, native), put_long(&f, DCM_PIXELS, "OB", (uint32_t)n), put(&f, bytes, (size_t)n);
        check(&f, "none", 3, frames, NULL);
        check(&f, "none", 2, frames, "bytes follow");
    }
    begin_file(&f, native), put_long(&f, DCM_PIXELS, "OB", 44), put(&f, bytes, 44);
    assert_ok(open_frames(&o, &f, "none", 3, &err));
    assert_non_null(strstr(o.f->warning, "44 bytes, 45 are needed for 3 frames"));
    assert_ok(dcm_frame_bytes(o.f, 1, &out, &err));
    assert_memory_equal(out.data, bytes + 15, 15);
    assert_status(MTM_E_CORRUPT, dcm_frame_check(o.f, 2, &err));
    assert_status(MTM_E_CORRUPT, dcm_frame_bytes(o.f, 2, &out, &err));
    close_frames(&o);
    mtm_bytes_drop(&out);
}

/* 15 bits a frame, against bits taken one by one. */
static void test_bits(void **state)
{
    const mtm_dicom_pixels p = {.frames = 7,
                                .rows = 3,
                                .columns = 5,
                                .samples = 1,
                                .bits_allocated = 1,
                                .codec = "none",
                                .photometric = "MONOCHROME2"};
    uint8_t bytes[14];
    mtm_error err = {0};
    mtm_bytes out = {0};
    opened o = {0};
    file f;

    for (int i = 0; i < 14; i++)
        bytes[i] = (uint8_t)(i * 73 + 41);
    begin_file(&f, native), put_long(&f, DCM_PIXELS, "OB", 14), put(&f, bytes, 14);
    assert_ok(mtm_dicom_open_memory(&o.d, f.b, f.n, "test", NULL, &err));
    assert_ok(dcm_frames_new(&o.f, o.d, &p, &err));
    for (int frame = 0; frame < 7; frame++) {
        assert_ok(dcm_frame_bytes(o.f, frame, &out, &err));
        assert_int_equal(out.size_bytes, 2);
        for (int i = 0; i < 16; i++) {
            const int at = frame * 15 + i;

            assert_int_equal(out.data[i / 8] >> i % 8 & 1, i < 15 ? bytes[at / 8] >> at % 8 & 1 : 0);
        }
    }
    close_frames(&o);
    mtm_bytes_drop(&out);
}

/* The n-th allocation fails: an ordinary error each time. */
static void test_no_memory(void **state)
{
    const uint32_t wrong[] = {0, 14, 30};
    mtm_error err = {0};
    mtm_status s = MTM_E_NOMEM;
    mtm_bytes out = {0};
    opened o;
    file f;

    begin_fragments(&f, jpeg, wrong, 3), put_all(&f, three, 3);
    assert_ok(open_frames(&o, &f, "jpeg", 3, &err));
    const mtm_dicom_pixels p = {
        .frames = 3, .rows = 3, .columns = 5, .samples = 1, .bits_allocated = 8, .codec = "jpeg"};
    for (int64_t n = 0; s == MTM_E_NOMEM; n++) {
        dcm_frames *again = NULL;

        mtm_mem_fail_after(n);
        s = dcm_frames_new(&again, o.d, &p, &err);
        if (!s)
            s = dcm_frame_bytes(again, 0, &out, &err);
        mtm_mem_fail_after(-1);
        dcm_frames_free(again);
        mtm_bytes_drop(&out);
        assert_true(n < 20);
    }
    assert_int_equal(s, MTM_OK);
    close_frames(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basic_table),
        cmocka_unit_test(test_extended_table),
        cmocka_unit_test(test_many_fragments),
        cmocka_unit_test(test_rle_fragments),
        cmocka_unit_test(test_delimiter_inside),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_no_fragments),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
