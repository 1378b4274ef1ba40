/* tests/unit/test_write.c: what is written reads back; what cannot be written leaves no file and no leftovers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

static const double affine[16] = {-1.5, 0, 0, 20, 0, 2, 0, -30, 0, 0, 3, 40, 0, 0, 0, 1};

static int count_files(void)
{
    DIR *const d = opendir(images_folder);
    int n = -2; /* . and .. */

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static mtm_write_options options(const char *axes)
{
    return (mtm_write_options){.struct_size = sizeof(mtm_write_options), .axes = axes, .affine = affine};
}

/* Writes a count of each dtype, reads it back raw, compares values as float64. */
static void round_trip(const char *name, mtm_dtype t, int32_t ndim, const int64_t *shape, const char *axes)
{
    const mtm_write_options o = options(axes);
    const char *const path = images_path(name);
    MTM_AUTO(mtm_image) im = NULL;
    double count[120];
    mtm_array a, src = mtm_array_wrap(count, MTM_F64, ndim, shape), back = {.dtype = MTM_F64};
    mtm_error err = {0};

    for (int i = 0; i < 120; i++)
        count[i] = t == MTM_BOOL ? i % 2 : i;
    assert_ok(mtm_array_new(&a, t, ndim, shape, NULL, &err));
    assert_ok(mtm_array_convert(&a, &src, 1, 0, NULL, &err));
    assert_ok(mtm_image_write(path, &a, &o, &err));
    mtm_array_drop(&a);
    assert_ok(mtm_image_open(&im, path, NULL, &err));
    assert_ok(mtm_image_read(im, 0, NULL, NULL, &back, &err));
    assert_int_equal(mtm_array_count(&back), mtm_array_count(&src));
    assert_memory_equal(back.data, count, (size_t)mtm_array_count(&src) * sizeof(double));
    mtm_array_drop(&back);
}

static void test_round_trip(void **state)
{
    static const int64_t shape[] = {2, 3, 4, 5};
    static const char *const names[] = {"r.nii", "r.nii.gz", "r.npy"};

    for (int n = 0; n < 3; n++)
        for (int t = MTM_U8; t < MTM_N_DTYPES; t++)
            for (int32_t ndim = 1; ndim <= 4; ndim++)
                round_trip(names[n], (mtm_dtype)t, ndim, shape + 4 - ndim, NULL);
}

/* Channels in front become dim 5, whatever lies between. */
static void test_axes(void **state)
{
    static const int64_t shape[] = {2, 3, 4, 5};
    const mtm_write_options o = options("CZYX");
    MTM_AUTO(mtm_image) im = NULL;
    mtm_array a;
    mtm_error err = {0};

    assert_ok(mtm_array_new(&a, MTM_F32, 4, shape, NULL, &err));
    memset(a.data, 0, 480);
    assert_ok(mtm_image_write(images_path("c.nii"), &a, &o, &err));
    mtm_array_drop(&a);
    assert_ok(mtm_image_open(&im, images_path("c.nii"), NULL, &err));
    assert_string_equal(mtm_image_info_get(im)->axes, "CTZYX");
    assert_memory_equal(mtm_image_info_get(im)->shape, ((int64_t[]){2, 1, 3, 4, 5}), 5 * sizeof(int64_t));
}

/* A view that runs backwards and permuted is written as it looks. */
static void test_strided(void **state)
{
    const mtm_write_options o = options(NULL);
    uint8_t v[24], want[24];
    mtm_array a = mtm_array_wrap(v, MTM_U8, 3, (int64_t[]){2, 3, 4}), back = {0};
    mtm_error err = {0};

    for (int i = 0; i < 24; i++)
        v[i] = (uint8_t)i;
    a = (mtm_array){.data = v + 23, .shape = {4, 3, 2}, .stride = {-1, -4, -12}, .ndim = 3, .dtype = MTM_U8};
    for (int z = 0, i = 0; z < 4; z++)
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 2; x++)
                want[i++] = (uint8_t)(23 - z - 4 * y - 12 * x);
    for (int k = 0; k < 3; k++) {
        const char *const path = images_path(k == 0 ? "s.nii" : k == 1 ? "s.nii.gz" : "s.npy");
        MTM_AUTO(mtm_image) im = NULL;

        assert_ok(mtm_image_write(path, &a, &o, &err));
        assert_ok(mtm_image_open(&im, path, NULL, &err));
        assert_ok(mtm_image_read(im, 0, NULL, NULL, &back, &err));
        assert_memory_equal(back.data, want, 24);
        mtm_array_drop(&back);
    }
}

static void test_geometry_and_slope(void **state)
{
    mtm_write_options o = options(NULL);
    MTM_AUTO(mtm_image) im = NULL;
    int16_t v[24] = {4};
    const mtm_array a = mtm_array_wrap(v, MTM_I16, 3, (int64_t[]){2, 3, 4});
    mtm_array back = {0};
    mtm_error err = {0};

    o.slope = 0.25, o.inter = -2;
    assert_ok(mtm_image_write(images_path("g.nii"), &a, &o, &err));
    assert_ok(mtm_image_open(&im, images_path("g.nii"), NULL, &err));
    assert_memory_equal(mtm_image_info_get(im)->affine, affine, sizeof affine);
    assert_int_equal(mtm_image_problem_count(im), 0);
    assert_ok(mtm_image_read(im, 0, NULL, NULL, &back, &err));
    assert_true(((float *)back.data)[0] == -1);
    mtm_array_drop(&back);
    o.slope = 0;
    assert_status(MTM_E_INVAL, mtm_image_write(images_path("g.nii"), &a, &o, &err));
}

/* 40000 voxels along x do not fit NIfTI-1. */
static void test_nifti2(void **state)
{
    const mtm_write_options o = options("X");
    MTM_AUTO(mtm_image) im = NULL;
    static uint8_t v[40000];
    const mtm_array a = mtm_array_wrap(v, MTM_U8, 1, (int64_t[]){40000});
    mtm_error err = {0};

    assert_ok(mtm_image_write(images_path("n2.nii"), &a, &o, &err));
    assert_ok(mtm_image_open(&im, images_path("n2.nii"), NULL, &err));
    assert_string_equal(mtm_image_info_get(im)->format, "nifti2");
    assert_int_equal(mtm_image_info_get(im)->shape[0], 40000);
}

/* Description, units and extensions travel through `like`. */
static void test_like(void **state)
{
    static uint8_t bytes[1024];
    nifti_header h = images_header(NIFTI_1);
    int16_t v[24] = {0};
    const mtm_array a = mtm_array_wrap(v, MTM_I16, 3, (int64_t[]){2, 3, 4});
    mtm_write_options o = options(NULL);
    MTM_AUTO(mtm_image) like = NULL;
    MTM_AUTO(mtm_image) im = NULL;
    mtm_error err = {0};

    strcpy(h.descrip, "who made it");
    h.xyzt_units = 2 | 24, h.cal_max = 7, h.qform_code = 3, h.vox_offset = 352 + 32;
    images_nifti(bytes, &h, v, sizeof v);
    bytes[348] = 1;
    memcpy(bytes + 352, "\x20\0\0\0\x06\0\0\0a comment, 24 bytes.....", 32);
    assert_ok(images_open(&like, bytes, 352 + 32 + 48, &err));
    o.like = like;
    assert_ok(mtm_image_write(images_path("like.nii.gz"), &a, &o, &err));
    assert_ok(mtm_image_open(&im, images_path("like.nii.gz"), NULL, &err));
    assert_string_equal(mtm_image_property_find(im, "nifti.descrip"), "who made it");
    assert_string_equal(mtm_image_property_find(im, "nifti.xyzt_units"), "26");
    assert_string_equal(mtm_image_property_find(im, "nifti.cal_max"), "0");
    assert_string_equal(mtm_image_property_find(im, "nifti.qform_code"), "3");
    assert_string_equal(mtm_image_property_find(im, "nifti.extension"), "code 6, 24 bytes");
    assert_int_equal(im->kept_bytes, like->kept_bytes);
    assert_memory_equal(im->kept + sizeof h, like->kept + sizeof h, 32);
    assert_memory_equal(mtm_image_info_get(im)->affine, affine, sizeof affine);
}

static void test_png(void **state)
{
    uint8_t v[2 * 3 * 3] = {255}, head[26];
    mtm_array a = mtm_array_wrap(v, MTM_U8, 3, (int64_t[]){2, 3, 3});
    mtm_error err = {0};
    FILE *f;

    assert_ok(mtm_image_write(images_path("p.png"), &a, NULL, &err));
    f = fopen(images_path("p.png"), "rb");
    assert_int_equal(fread(head, 1, sizeof head, f), sizeof head);
    fclose(f);
    assert_memory_equal(head, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02", 26);
    a.dtype = MTM_I8;
    assert_status(MTM_E_UNSUPPORTED, mtm_image_write(images_path("p.png"), &a, NULL, &err));
}

static void test_refused(void **state)
{
    static uint8_t v[16];
    mtm_array a = mtm_array_wrap(v, MTM_U8, 2, (int64_t[]){4, 4});
    mtm_write_options o = options("QX");
    mtm_error err = {0};
    const int before = count_files();

    assert_status(MTM_E_UNSUPPORTED, mtm_image_write(images_path("x.tif"), &a, NULL, &err));
    assert_status(MTM_E_UNSUPPORTED, mtm_image_write(images_path("x.nii"), &a, &o, &err));
    o.axes = "X";
    assert_status(MTM_E_INVAL, mtm_image_write(images_path("x.nii"), &a, &o, &err));
    o.axes = NULL, o.level = 13;
    assert_status(MTM_E_INVAL, mtm_image_write(images_path("x.nii.gz"), &a, &o, &err));
    a.shape[0] = 0;
    assert_status(MTM_E_UNSUPPORTED, mtm_image_write(images_path("x.nii"), &a, NULL, &err));
    assert_status(MTM_E_NOTFOUND, mtm_image_write(images_path("no/x.npy"), &a, NULL, &err));
    assert_int_equal(count_files(), before);
}

/* A file size limit stands for a full disk, and failing allocations for little memory: the old file stays. */
static void test_failures_keep_the_old_file(void **state)
{
    static const char *const names[] = {"old.nii", "old.nii.gz", "old.npy", "old.png"};
    static uint8_t v[300 * 300];
    const mtm_array small = mtm_array_wrap(v, MTM_U8, 2, (int64_t[]){2, 2});
    const mtm_array large = mtm_array_wrap(v, MTM_U8, 2, (int64_t[]){300, 300});
    const struct rlimit limit = {4096, RLIM_INFINITY};
    struct rlimit old;
    uint32_t seed = 1;
    mtm_error err = {0};

    for (size_t i = 0; i < sizeof v; i++)
        v[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (int k = 0; k < 4; k++) {
        const char *const path = images_path(names[k]);
        mtm_status s;
        int before;

        assert_ok(mtm_image_write(path, &small, NULL, &err));
        before = count_files();
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        s = mtm_image_write(path, &large, NULL, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(s, MTM_E_IO);
        for (int64_t n = 0; s != MTM_OK; n++) {
            mtm_mem_fail_after(n);
            s = mtm_image_write(path, &large, NULL, &err);
            mtm_mem_fail_after(-1);
            assert_true(s == MTM_OK || s == MTM_E_NOMEM);
            assert_int_equal(count_files(), before);
            assert_true(n < 1000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_strided),
        cmocka_unit_test(test_geometry_and_slope),
        cmocka_unit_test(test_nifti2),
        cmocka_unit_test(test_like),
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_failures_keep_the_old_file),
    };

    return cmocka_run_group_tests(tests, images_setup, images_teardown);
}
