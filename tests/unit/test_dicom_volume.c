/* tests/unit/test_dicom_volume.c: a series on disk as an image while memory runs out, with any number of threads, and slices that
 * only the sorter sees.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "format/dicom/volume/volume.h"
#include "images.h"

enum { NT = 2, NZ = 3, NY = 4, NX = 5 };

static void put(mtm_dicom_builder *b, uint32_t tag, const char *text)
{
    assert_int_equal(mtm_dicom_put_text(b, tag, NULL, text, NULL), MTM_OK);
}

static void put_number(mtm_dicom_builder *b, uint32_t tag, int64_t v)
{
    assert_int_equal(mtm_dicom_put_i64(b, tag, NULL, &v, 1, NULL), MTM_OK);
}

/* Voxels count up: t 1000, z 100. */
static uint16_t value(int t, int z, int i)
{
    return (uint16_t)(1000 * t + 100 * z + i);
}

/* Slice z of time t; slope by t and z, so that every slice has its own. */
static void write_slice(const char *path, int t, int z)
{
    mtm_dicom_builder *b = NULL;
    mtm_dicom *d = NULL;
    uint16_t pixels[NY * NX];
    char text[64];
    mtm_error err = {0};

    for (int i = 0; i < NY * NX; i++)
        pixels[i] = value(t, z, i);
    assert_int_equal(mtm_dicom_builder_new(&b, NULL), MTM_OK);
    put(b, 0x00080016, "1.2.840.10008.5.1.4.1.1.4");
    snprintf(text, sizeof text, "1.2.3.%d.%d", t + 1, z + 1);
    put(b, 0x00080018, text);
    put(b, 0x00080060, "MR");
    put(b, 0x0020000E, "1.2.4");
    put_number(b, 0x00200100, t + 1);
    snprintf(text, sizeof text, "1\\2\\%d", 3 * z);
    put(b, 0x00200032, text);
    put(b, 0x00200037, "1\\0\\0\\0\\1\\0");
    put(b, 0x00280030, "1\\1");
    put(b, 0x00281052, "0");
    snprintf(text, sizeof text, "%d", 1 + t + z);
    put(b, 0x00281053, text);
    put_number(b, 0x00280002, 1);
    put(b, 0x00280004, "MONOCHROME2");
    put_number(b, 0x00280010, NY);
    put_number(b, 0x00280011, NX);
    put_number(b, 0x00280100, 16);
    put_number(b, 0x00280101, 16);
    put_number(b, 0x00280102, 15);
    put_number(b, 0x00280103, 0);
    assert_int_equal(mtm_dicom_put(b, 0x7FE00010, "OW", pixels, sizeof pixels, NULL), MTM_OK);
    assert_int_equal(mtm_dicom_build(&d, b, NULL), MTM_OK);
    mtm_dicom_builder_free(b);
    const mtm_dicom_write_options opt = {.struct_size = sizeof opt, .transfer_syntax = "1.2.840.10008.1.2.1"};
    if (mtm_dicom_write(path, d, &opt, &err) != MTM_OK)
        fail_msg("%s", err.text);
    mtm_dicom_close(d);
}

static int series_setup(void **state)
{
    if (images_setup(state))
        return -1;
    for (int t = 0; t < NT; t++)
        for (int z = 0; z < NZ; z++) {
            char name[16];

            snprintf(name, sizeof name, "%d%d.dcm", 9 - t, 9 - z);
            write_slice(images_path(name), t, z);
        }
    return 0;
}

static void check_values(const mtm_array *a)
{
    const float *v = a->data;

    assert_int_equal(mtm_array_count(a), NT * NZ * NY * NX);
    for (int t = 0; t < NT; t++)
        for (int z = 0; z < NZ; z++)
            for (int i = 0; i < NY * NX; i++)
                assert_true(*v++ == (float)(value(t, z, i) * (1 + t + z)));
}

static mtm_status open_and_read(mtm_pool *pool, mtm_array *a, mtm_image_stats *stats, mtm_error *err)
{
    const char *const paths[] = {images_folder};
    const mtm_dicom_series_options opt = {.struct_size = sizeof opt, .pool = pool};
    mtm_read_options read = {.struct_size = sizeof read, .pool = pool, .stats = stats};
    mtm_image **images = NULL;
    int64_t n = 0;
    mtm_status s = mtm_dicom_series_open(&images, &n, paths, 1, &opt, err);

    if (s != MTM_OK) {
        assert_null(images);
        return s;
    }
    assert_int_equal(n, 1);
    assert_string_equal(mtm_image_info_get(images[0])->axes, "TZYX");
    s = mtm_image_read(images[0], 0, NULL, &read, a, err);
    mtm_image_close(images[0]);
    mtm_dicom_free(images);
    return s;
}

static void reads_with_any_threads(void **state)
{
    for (int threads = 0; threads < 4; threads++) {
        mtm_pool *pool = NULL;
        mtm_image_stats stats;
        mtm_array a = {0};
        mtm_error err = {0};

        if (threads)
            assert_int_equal(mtm_pool_new(&pool, threads, NULL), MTM_OK);
        if (open_and_read(pool, &a, threads & 1 ? &stats : NULL, &err) != MTM_OK)
            fail_msg("%s", err.text);
        check_values(&a);
        if (threads & 1)
            assert_int_equal(stats.count, NT * NZ * NY * NX);
        mtm_array_drop(&a);
        mtm_pool_free(pool);
    }
}

static void every_allocation_may_fail(void **state)
{
    mtm_status s = MTM_E_NOMEM;
    int64_t n;

    for (n = 0; s != MTM_OK && n < 5000; n++) {
        mtm_image_stats stats;
        mtm_array a = {0};
        mtm_error err = {0};

        mtm_mem_fail_after(n);
        s = open_and_read(NULL, &a, n & 1 ? &stats : NULL, &err);
        mtm_mem_fail_after(-1);
        assert_true(s == MTM_OK || s == MTM_E_NOMEM);
        if (s == MTM_OK)
            check_values(&a);
        mtm_array_drop(&a);
    }
    assert_int_equal(s, MTM_OK);
    assert_true(n > 50);
}

/* ---- the sorter alone ---------------------------------------------------------------------------------- */

/* Slices along z at the places given, one file each. */
static void make_set(dcm_set *set, const double *places, int n)
{
    int32_t first;

    *set = (dcm_set){.limits = mtm_limits_default(), .n_files = n};
    set->files = mtm_alloc_zero((size_t)n, sizeof *set->files);
    assert_non_null(set->files);
    assert_int_equal(dcm_set_grow(set, n, &first, NULL), MTM_OK);
    for (int i = 0; i < n; i++) {
        char name[32];
        dcm_slice *const s = &set->slices[i];

        snprintf(name, sizeof name, "/folder/p%d", i);
        set->files[i].path = mtm_strdup(name);
        set->files[i].first = i, set->files[i].n = 1;
        s->file = i, s->frame = 0;
        s->has = DCM_SLICE_POSITION | DCM_SLICE_ORIENTATION | DCM_SLICE_SPACING;
        s->row[0] = s->column[1] = s->spacing[0] = s->spacing[1] = 1;
        s->position[2] = places[i];
    }
}

/* Numbers of slices in each stack that a split gives; −1 ends. */
static void check_split(const double *places, int n, const int *want)
{
    dcm_stacks stacks = {0};
    dcm_set set;
    int32_t all[32];
    mtm_error err = {0};

    make_set(&set, places, n);
    for (int i = 0; i < n; i++)
        all[i] = i;
    assert_int_equal(dcm_stacks_make(&stacks, &set, all, n, true, &err), MTM_OK);
    for (int i = 0; want[i] >= 0 || i < stacks.n; i++) {
        assert_true(i < stacks.n && want[i] >= 0);
        assert_int_equal(stacks.stacks[i].nz, want[i]);
    }
    const bool one = stacks.n == 1;
    dcm_stacks_clear(&stacks);
    assert_int_equal(dcm_stacks_make(&stacks, &set, all, n, false, &err), one ? MTM_OK : MTM_E_INVAL);
    dcm_stacks_clear(&stacks);
    dcm_set_clear(&set);
}

#define SPLIT(want, ...)                                                                                     \
    do {                                                                                                     \
        const double places[] = {__VA_ARGS__};                                                               \
        check_split(places, sizeof places / sizeof *places, want);                                           \
    } while (0)
#define PARTS(...) ((const int[]){__VA_ARGS__, -1})

static void splits_into_regular_runs(void **state)
{
    SPLIT(PARTS(1), 5);
    SPLIT(PARTS(2), 5, 9);
    SPLIT(PARTS(5), 5, 1, 3, 2, 4);
    SPLIT(PARTS(3, 3), 0, 1, 2, 10, 11, 12);
    SPLIT(PARTS(1, 4), 0, 5, 6, 7, 8);
    SPLIT(PARTS(4, 1), 5, 6, 7, 8, 13);
    SPLIT(PARTS(3, 1), 0, 1, 2, 1);             /* one place twice */
    SPLIT(PARTS(5), 0, 1.004, 1.996, 3.005, 4); /* within the tolerance */
    SPLIT(PARTS(3, 3), -1e8, -1e8 + 1, -1e8 + 2, 1e8, 1e8 + 1, 1e8 + 2);
}

static void names_are_cut_to_the_room(void **state)
{
    const double places[] = {0, 1, 2, 3, 4, 5};
    const int32_t all[] = {0, 1, 2, 3, 4, 5};
    dcm_set set;
    char text[64], small[30];

    make_set(&set, places, 6);
    dcm_names(text, sizeof text, &set, all, 2);
    assert_string_equal(text, "p0, p1");
    dcm_names(text, sizeof text, &set, all, 6);
    assert_string_equal(text, "p0, p1, p2 and 3 more");
    dcm_names(small, sizeof small, &set, all, 6);
    assert_true(strlen(small) < sizeof small && strstr(small, "more"));
    dcm_set_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_with_any_threads),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(splits_into_regular_runs),
        cmocka_unit_test(names_are_cut_to_the_room),
    };

    return cmocka_run_group_tests(tests, series_setup, images_teardown);
}
