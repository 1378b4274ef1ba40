/* tests/unit/test_dicom_labels.c: scans, segmentations and structure sets when memory runs out, when they are stopped, and
 * side by side.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <unistd.h>

#include "array/array.h"
#include "microtome/dicom.h"

enum { NZ = 4, NY = 6, NX = 5, MOST_ALLOCATIONS = 5000 };

static char top[64], seg_path[96], rt_path[96], series_path[96];
static const double affine[16] = {-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1};

static void make_series(void)
{
    const char *slices[NZ];
    char names[NZ][128];
    mtm_dicom_series_write_options how = {.struct_size = sizeof how, .affine = affine};
    mtm_dicom_seg_options seg = {.struct_size = sizeof seg, .source = slices, .n_source = NZ};
    mtm_dicom_listing *l = NULL;
    const char *folder = series_path;
    mtm_array a = {0};
    mtm_error err = {0};

    how.write.struct_size = sizeof how.write;
    seg.write.struct_size = sizeof seg.write;
    assert_ok(mtm_array_new(&a, MTM_U8, 3, (int64_t[]){NZ, NY, NX}, NULL, &err));
    for (int i = 0; i < NZ * NY * NX; i++)
        ((uint8_t *)a.data)[i] = (uint8_t)(i % 3);
    assert_ok(mtm_dicom_series_write(series_path, &a, &how, &err));
    assert_ok(mtm_dicom_scan(&l, &folder, 1, NULL, &err));
    assert_int_equal(l->n, NZ);
    for (int i = 0; i < NZ; i++) {
        snprintf(names[i], sizeof names[i], "%s", l->instances[i].path);
        slices[i] = names[i];
    }
    mtm_dicom_listing_free(l);
    assert_ok(mtm_dicom_seg_write(seg_path, &a, &seg, &err));
    mtm_array_drop(&a);
}

static void make_structures(void)
{
    const double square[12] = {0.5, 0.5, 2, 3.5, 0.5, 2, 3.5, 4.5, 2, 0.5, 4.5, 2};
    const int64_t one = 1;
    const mtm_dicom_write_options how = {.struct_size = sizeof how};
    mtm_dicom_builder *b = NULL;
    mtm_dicom *d = NULL;
    mtm_error err = {0};

    assert_ok(mtm_dicom_builder_new(&b, &err));
    assert_ok(mtm_dicom_put_text(b, 0x00080016, NULL, "1.2.840.10008.5.1.4.1.1.481.3", &err));
    assert_ok(mtm_dicom_put_text(b, 0x00080018, NULL, "1.2.3", &err));
    assert_ok(mtm_dicom_begin_sequence(b, 0x30060020, &err));
    assert_ok(mtm_dicom_begin_item(b, &err));
    assert_ok(mtm_dicom_put_i64(b, 0x30060022, NULL, &one, 1, &err));
    assert_ok(mtm_dicom_put_text(b, 0x30060026, NULL, "box", &err));
    assert_ok(mtm_dicom_end_item(b, &err));
    assert_ok(mtm_dicom_end_sequence(b, &err));
    assert_ok(mtm_dicom_begin_sequence(b, 0x30060039, &err));
    assert_ok(mtm_dicom_begin_item(b, &err));
    assert_ok(mtm_dicom_put_i64(b, 0x30060084, NULL, &one, 1, &err));
    assert_ok(mtm_dicom_begin_sequence(b, 0x30060040, &err));
    assert_ok(mtm_dicom_begin_item(b, &err));
    assert_ok(mtm_dicom_put_text(b, 0x30060042, NULL, "CLOSED_PLANAR", &err));
    assert_ok(mtm_dicom_put_f64(b, 0x30060050, NULL, square, 12, &err));
    assert_ok(mtm_dicom_end_item(b, &err));
    assert_ok(mtm_dicom_end_sequence(b, &err));
    assert_ok(mtm_dicom_end_item(b, &err));
    assert_ok(mtm_dicom_end_sequence(b, &err));
    assert_ok(mtm_dicom_build(&d, b, &err));
    assert_ok(mtm_dicom_write(rt_path, d, &how, &err));
    mtm_dicom_close(d);
    mtm_dicom_builder_free(b);
}

static int make_files(void **state)
{
    strcpy(top, "/tmp/mtm-labels-XXXXXX");
    if (!mkdtemp(top))
        return -1;
    snprintf(series_path, sizeof series_path, "%s/series", top);
    snprintf(seg_path, sizeof seg_path, "%s/seg.dcm", top);
    snprintf(rt_path, sizeof rt_path, "%s/rt.dcm", top);
    make_series();
    make_structures();
    return 0;
}

static int drop_files(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", top);
    return system(command);
}

static mtm_status scan_all(mtm_error *err)
{
    const char *folder = top;
    mtm_dicom_listing *l = NULL;
    const mtm_status st = mtm_dicom_scan(&l, &folder, 1, NULL, err);

    if (!st) {
        assert_int_equal(l->n, NZ + 2);
        assert_int_equal(l->n_skipped, 0);
    }
    mtm_dicom_listing_free(l);
    return st;
}

static mtm_status read_seg(mtm_error *err)
{
    const mtm_dicom_grid grid = {.size = {NZ, NY, NX},
                                 .affine = {-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1}};
    mtm_read_options how = {.struct_size = sizeof how};
    mtm_image *im = NULL;
    mtm_array a = {0};
    mtm_status st = mtm_dicom_seg_open(&im, seg_path, &grid, NULL, err);

    if (!st)
        st = mtm_image_read(im, 0, NULL, &how, &a, err);
    for (int i = 0; !st && i < NZ * NY * NX; i++)
        assert_int_equal(((uint8_t *)a.data)[i], i % 3);
    mtm_array_drop(&a);
    mtm_image_close(im);
    return st;
}

static mtm_status draw(mtm_error *err)
{
    const mtm_dicom_grid grid = {.size = {NZ, NY, NX},
                                 .affine = {-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1}};
    uint8_t voxels[NZ * NY * NX] = {0};
    mtm_array a = {
        .data = voxels, .shape = {NZ, NY, NX}, .stride = {NY * NX, NX, 1}, .ndim = 3, .dtype = MTM_U8};
    mtm_dicom_structures *s = NULL;
    int64_t outside = -1, sum = 0;
    mtm_status st = mtm_dicom_structures_open(&s, rt_path, NULL, err);

    if (!st)
        st = mtm_dicom_structures_draw(s, 0, &grid, 7, &a, &outside, err);
    for (int i = 0; i < NZ * NY * NX; i++)
        sum += voxels[i];
    if (!st) {
        assert_int_equal(sum, 7 * 3 * 4);
        assert_int_equal(voxels[NY * NX + NX + 1], 7);
        assert_int_equal(outside, 0);
    }
    mtm_dicom_structures_close(s);
    return st;
}

/* Each call, with the n-th allocation failing: an error without a leak, until there is enough memory. */
static void test_no_memory(void **state)
{
    mtm_status (*const calls[])(mtm_error *) = {scan_all, read_seg, draw};

    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        mtm_status st = MTM_E_NOMEM;
        mtm_error err = {0};

        for (int64_t n = 0; st == MTM_E_NOMEM; n++) {
            mtm_mem_fail_after(n);
            st = calls[c](&err);
            mtm_mem_fail_after(-1);
            assert_true(n < MOST_ALLOCATIONS);
        }
        assert_ok(st);
    }
}

static void count_progress(void *user, int64_t done, int64_t files)
{
    int64_t *const last = user;

    assert_true(done > *last && done <= files);
    *last = done;
}

static void test_progress_and_cancel(void **state)
{
    const char *folder = top;
    const volatile bool stop = true;
    int64_t last = 0;
    mtm_dicom_scan_options how = {.struct_size = sizeof how, .progress = count_progress, .user = &last};
    mtm_dicom_listing *l = NULL;
    mtm_error err = {0};

    assert_ok(mtm_pool_new(&how.pool, 3, &err));
    assert_ok(mtm_dicom_scan(&l, &folder, 1, &how, &err));
    assert_int_equal(last, NZ + 2);
    mtm_dicom_listing_free(l);
    l = NULL;
    how.cancel = &stop;
    assert_status(MTM_E_CANCELLED, mtm_dicom_scan(&l, &folder, 1, &how, &err));
    assert_null(l);
    how.struct_size = 3;
    assert_status(MTM_E_INVAL, mtm_dicom_scan(&l, &folder, 1, &how, &err));
    mtm_pool_free(how.pool);
}

static void test_draw_refused(void **state)
{
    const mtm_dicom_grid grid = {.size = {1, 2, 2},
                                 .affine = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}};
    float voxels[4] = {0};
    mtm_array a = {.data = voxels, .shape = {1, 2, 2}, .stride = {16, 8, 4}, .ndim = 3, .dtype = MTM_F32};
    mtm_dicom_structures *s = NULL;
    mtm_error err = {0};

    assert_ok(mtm_dicom_structures_open(&s, rt_path, NULL, &err));
    assert_int_equal(mtm_dicom_structures_count(s), 1);
    assert_null(mtm_dicom_structures_get(s, 1));
    assert_status(MTM_E_INVAL, mtm_dicom_structures_draw(s, 0, &grid, 1, &a, NULL, &err));
    a.dtype = MTM_I8, a.stride[2] = 1, a.stride[1] = 2;
    assert_status(MTM_E_INVAL, mtm_dicom_structures_draw(s, 0, &grid, 128, &a, NULL, &err));
    assert_ok(mtm_dicom_structures_draw(s, 0, &grid, 127, &a, NULL, &err));
    a.shape[0] = 2;
    assert_status(MTM_E_INVAL, mtm_dicom_structures_draw(s, 0, &grid, 1, &a, NULL, &err));
    assert_status(MTM_E_INVAL, mtm_dicom_structures_draw(s, 5, &grid, 1, &a, NULL, &err));
    mtm_dicom_structures_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_progress_and_cancel),
        cmocka_unit_test(test_draw_refused),
    };

    return cmocka_run_group_tests(tests, make_files, drop_files);
}
