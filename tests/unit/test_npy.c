/* tests/unit/test_npy.c: .npy headers as NumPy and others write them, both orders, both byte orders.
 * SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

/* A file from a header's text and data; version 1 or 2. Returns the size. */
static size_t npy(uint8_t *out, int version, const char *text, const void *data, size_t n)
{
    const size_t length = strlen(text), begin = version == 1 ? 10 : 12;

    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version, out[7] = 0;
    out[8] = (uint8_t)(length & 255), out[9] = (uint8_t)(length >> 8), out[10] = out[11] = 0;
    memcpy(out + begin, text, length);
    if (n > 0)
        memcpy(out + begin + length, data, n);
    return begin + length + n;
}

static void assert_values(const char *text, int version, const int16_t *stored, int64_t ndim,
                          const int64_t *shape, const int16_t *want)
{
    static uint8_t bytes[1024];
    MTM_AUTO(mtm_image) im = NULL;
    mtm_array a = {0};
    mtm_error err = {0};

    assert_ok(images_open(&im, bytes, npy(bytes, version, text, stored, 48), &err));
    const mtm_image_info *const info = mtm_image_info_get(im);
    assert_string_equal(info->format, "npy");
    assert_int_equal(info->ndim, ndim);
    assert_memory_equal(info->shape, shape, (size_t)ndim * sizeof *shape);
    assert_false(info->has_affine);
    assert_ok(mtm_image_read(im, 0, NULL, NULL, &a, &err));
    assert_memory_equal(a.data, want, 48);
    mtm_array_drop(&a);
}

static void test_headers(void **state)
{
    static const int64_t shape[] = {4, 3, 2}, one[] = {24};
    int16_t v[24], fortran[24], swapped[24];

    for (int z = 0; z < 4; z++)
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 2; x++) {
                v[(z * 3 + y) * 2 + x] = (int16_t)(100 * z + 10 * y + x);
                fortran[z + 4 * (y + 3 * x)] = (int16_t)(100 * z + 10 * y + x);
            }
    for (int i = 0; i < 24; i++)
        swapped[i] = (int16_t)__builtin_bswap16((uint16_t)v[i]);
    assert_values("{'descr': '<i2', 'fortran_order': False, 'shape': (4, 3, 2), }  \n", 1, v, 3, shape, v);
    assert_values("{'descr': '<i2', 'fortran_order': True, 'shape': (4, 3, 2), }\n", 1, fortran, 3, shape, v);
    assert_values("{'descr': '>i2', 'fortran_order': False, 'shape': (4, 3, 2), }\n", 2, swapped, 3, shape,
                  v);
    assert_values("{'descr':'<i2','fortran_order':False,'shape':(24,)}", 3, v, 1, one, v);
    /* Other writers: other quotes, order of keys, Python 2's long integers. */
    assert_values("{\"shape\": (4L, 3L, 2L), \"fortran_order\": False, \"descr\": \"<i2\"}", 1, v, 3, shape,
                  v);
}

static void test_scalar_and_empty(void **state)
{
    static const char *const texts[] = {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
                                        "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 0, 2), }"};
    static const int64_t counts[] = {1, 0};
    static const float value = 2.5f;
    uint8_t bytes[256];

    for (int i = 0; i < 2; i++) {
        MTM_AUTO(mtm_image) im = NULL;
        mtm_array a = {0};
        mtm_error err = {0};

        assert_ok(images_open(&im, bytes, npy(bytes, 1, texts[i], &value, i ? 0 : sizeof value), &err));
        assert_ok(mtm_image_read(im, 0, NULL, NULL, &a, &err));
        assert_int_equal(mtm_array_count(&a), counts[i]);
        if (i == 0)
            assert_true(*(float *)a.data == value);
        mtm_array_drop(&a);
    }
}

/* A box of a Fortran-order file that is larger than what is read through the mapping: blocks along the file's order. */
static void test_large_fortran(void **state)
{
    enum { NZ = 90, NY = 300, NX = 400 };
    const char *const path = images_path("large.npy");
    const mtm_box box = {.ndim = 3, .start = {3, 0, 1}, .size = {80, 299, 398}};
    uint8_t header[128];
    int16_t *const v = malloc(2 * (size_t)NZ * NY * NX);
    MTM_AUTO(mtm_image) im = NULL;
    MTM_AUTO(mtm_pool) pool = NULL;
    mtm_read_options o = {.struct_size = sizeof o};
    mtm_array a = {0};
    mtm_error err = {0};
    const size_t n =
        npy(header, 1, "{'descr': '<i2', 'fortran_order': True, 'shape': (90, 300, 400)}", NULL, 0);
    FILE *const f = fopen(path, "wb");
    int64_t wrong = 0;

    for (int64_t x = 0, i = 0; x < NX; x++)
        for (int64_t y = 0; y < NY; y++)
            for (int64_t z = 0; z < NZ; z++)
                v[i++] = (int16_t)(x * 7 + y * 31 + z * 101);
    assert_int_equal(fwrite(header, 1, n, f), n);
    assert_int_equal(fwrite(v, 2, (size_t)NZ * NY * NX, f), (size_t)NZ * NY * NX);
    fclose(f);
    free(v);
    assert_ok(mtm_pool_new(&pool, 2, &err));
    assert_ok(mtm_image_open(&im, path, NULL, &err));
    for (int k = 0; k < 2; k++) {
        o.pool = k ? pool : NULL;
        assert_ok(mtm_image_read(im, 0, &box, &o, &a, &err));
        for (int64_t z = 0, i = 0; z < 80; z++)
            for (int64_t y = 0; y < 299; y++)
                for (int64_t x = 0; x < 398; x++)
                    wrong += ((int16_t *)a.data)[i++] != (int16_t)((x + 1) * 7 + y * 31 + (z + 3) * 101);
        mtm_array_drop(&a);
    }
    assert_int_equal(wrong, 0);
    /* Cut while open: an error, and no half-made result. */
    assert_int_equal(truncate(path, 1000000), 0);
    assert_status(MTM_E_CONFLICT, mtm_image_read(im, 0, &box, &o, &a, &err));
    assert_null(a.data);
}

/* A box where it lies in the file, which is found to have changed afterwards; big-endian numbers lie there in no useful way. */
static void test_look(void **state)
{
    static const float v[24] = {[11] = 11, [12] = 12, [19] = 19};
    const char *const path = images_path("look.npy");
    const mtm_box box = {.ndim = 2, .start = {1, 3}, .size = {2, 4}};

    for (int big = 0; big < 2; big++) {
        MTM_AUTO(mtm_image) im = NULL;
        mtm_array a = {0};
        mtm_error err = {0};
        uint8_t bytes[256];
        char text[128];
        FILE *const f = fopen(path, "wb");

        snprintf(text, sizeof text, "%-117s\n", /* numbers begin at byte 128 */
                 big ? "{'descr': '>f4', 'fortran_order': False, 'shape': (3, 8)}"
                     : "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 8)}");
        const size_t n = npy(bytes, 1, text, v, sizeof v);
        assert_int_equal(fwrite(bytes, 1, n, f), n);
        fclose(f);
        assert_ok(mtm_image_open(&im, path, NULL, &err));
        assert_ok(im->kind->look(im, &box, &a, &err));
        assert_int_equal(a.data == NULL, big);
        if (!big) {
            assert_int_equal(a.stride[0], 8 * sizeof *v);
            assert_true(((const float *)a.data)[0] == 11 && ((const float *)a.data)[1] == 12);
            assert_true(((const float *)a.data)[8] == 19);
        }
        assert_ok(im->kind->unchanged(im, &err));
        assert_int_equal(truncate(path, 4), 0);
        assert_status(MTM_E_CONFLICT, im->kind->unchanged(im, &err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_scalar_and_empty),
        cmocka_unit_test(test_large_fortran),
        cmocka_unit_test(test_look),
    };

    return cmocka_run_group_tests(tests, images_setup, images_teardown);
}
