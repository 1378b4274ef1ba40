/* tests/unit/test_nifti.c: NIfTI and Analyze: geometry, values, pairs, extensions, boxes. Equality with nibabel over real
 * and generated files is in tests/py/test_nifti.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include <math.h>
#include <sys/stat.h>

#include "image/foreground.h"

enum { ROOM = 1 << 16 };

static void voxels_count(int16_t *v, int n)
{
    for (int i = 0; i < n; i++)
        v[i] = (int16_t)i;
}

/* A [4, 3, 2] image of the header given, opened from memory that stays. */
static mtm_status open_header(mtm_image **out, const nifti_header *h, mtm_error *err)
{
    static uint8_t bytes[ROOM];
    int16_t v[24];

    voxels_count(v, 24);
    return images_open(out, bytes, images_nifti(bytes, h, v, sizeof v), err);
}

static void assert_affine(const double *got, const double *want)
{
    for (int i = 0; i < 16; i++)
        if (!(fabs(got[i] - want[i]) <= 1e-6))
            fail_msg("affine[%d] is %g instead of %g", i, got[i], want[i]);
}

/* The example of SEMANTICS and of nibabel's documentation. */
static void test_base_affine(void **state)
{
    static const double want[16] = {-2, 0, 0, 2, 0, 3, 0, -6, 0, 0, 4, -12, 0, 0, 0, 1};
    nifti_header h = images_header(NIFTI_1);
    const char *problem;
    mtm_error err = {0};
    double a[16];

    h.qform_code = 0;
    memcpy(h.dim, (int64_t[8]){3, 3, 5, 7, 1, 1, 1, 1}, sizeof h.dim);
    memcpy(h.pixdim, (double[8]){1, 2, 3, 4}, sizeof h.pixdim);
    assert_ok(nifti_affine(&h, a, &problem, &err));
    assert_affine(a, want);
    assert_null(problem);
    /* sform wins over qform wins over base; an unknown code counts as none. */
    h.qform_code = 1;
    memcpy(h.qoffset, (double[3]){10, 20, 30}, sizeof h.qoffset);
    assert_ok(nifti_affine(&h, a, &problem, &err));
    assert_affine(a, (double[16]){2, 0, 0, 10, 0, 3, 0, 20, 0, 0, 4, 30, 0, 0, 0, 1});
    h.pixdim[0] = -1;
    assert_ok(nifti_affine(&h, a, &problem, &err));
    assert_affine(a, (double[16]){2, 0, 0, 10, 0, 3, 0, 20, 0, 0, -4, 30, 0, 0, 0, 1});
    h.sform_code = 4;
    memcpy(h.srow, (double[12]){5, 0, 0, 1, 0, 6, 0, 2, 0, 0, 7, 3}, sizeof h.srow);
    assert_ok(nifti_affine(&h, a, &problem, &err));
    assert_affine(a, (double[16]){5, 0, 0, 1, 0, 6, 0, 2, 0, 0, 7, 3, 0, 0, 0, 1});
    h.sform_code = h.qform_code = 77;
    assert_ok(nifti_affine(&h, a, &problem, &err));
    assert_affine(a, want);
    assert_non_null(problem);
}

/* A half turn: the quaternion's first component is 0, and rounding may make the rest a little longer than 1. */
static void test_half_turn(void **state)
{
    nifti_header h = images_header(NIFTI_1);
    const char *problem;
    mtm_error err = {0};
    double a[16];

    h.quatern[1] = 1.0000001;
    assert_ok(nifti_affine(&h, a, &problem, &err));
    assert_affine(a, (double[16]){-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1});
    h.quatern[1] = 1.001;
    assert_status(MTM_E_CORRUPT, nifti_affine(&h, a, &problem, &err));
    assert_int_equal(err.offset, 256);
}

/* What is written as qform and sform reads back, for random rotations, mirrored ones, and every octant. */
static void test_affine_round_trip(void **state)
{
    mtm_error err = {0};
    double angle = 0.1;

    for (int k = 0; k < 200; k++, angle += 0.7) {
        const double c = cos(angle), s = sin(angle), d = cos(2.3 * angle), e = sin(2.3 * angle),
                     f = k % 2 ? -1 : 1;
        const double want[16] = {2 * c * d,
                                 -3 * s,
                                 f * 4 * c * e,
                                 5,
                                 2 * s * d,
                                 3 * c,
                                 f * 4 * s * e,
                                 -6,
                                 -2 * e,
                                 0,
                                 f * 4 * d,
                                 7,
                                 0,
                                 0,
                                 0,
                                 1};
        nifti_header h = images_header(NIFTI_1);
        const char *problem;
        double a[16];

        h.qform_code = 0;
        nifti_set_affine(&h, want);
        assert_int_equal(h.qform_code, 2);
        assert_ok(nifti_affine(&h, a, &problem, &err));
        assert_affine(a, want);
        h.sform_code = 0;
        assert_ok(nifti_affine(&h, a, &problem, &err));
        assert_affine(a, want);
    }
}

static void test_sheared_affine_has_no_qform(void **state)
{
    const double sheared[16] = {1, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, flat[16] = {1, [15] = 1};
    nifti_header h = images_header(NIFTI_1);

    nifti_set_affine(&h, sheared);
    assert_int_equal(h.qform_code, 0);
    assert_int_equal(h.sform_code, 2);
    nifti_set_affine(&h, flat);
    assert_int_equal(h.qform_code, 0);
}

static void test_info(void **state)
{
    nifti_header h = images_header(NIFTI_1);
    MTM_AUTO(mtm_image) im = NULL;
    mtm_error err = {0};

    memcpy(h.dim, (int64_t[8]){4, 2, 3, 2, 2, 1, 1, 1}, sizeof h.dim);
    memcpy(h.pixdim, (double[8]){1, 2, 3, 4, 1500}, sizeof h.pixdim);
    h.xyzt_units = 2 | 16; /* mm, ms */
    strcpy(h.descrip, "a\nb");
    assert_ok(open_header(&im, &h, &err));
    const mtm_image_info *const info = mtm_image_info_get(im);
    assert_string_equal(info->format, "nifti1");
    assert_string_equal(info->codec, "none");
    assert_string_equal(info->axes, "TZYX");
    assert_memory_equal(info->shape, ((int64_t[]){2, 2, 3, 2}), 4 * sizeof(int64_t));
    assert_true(info->spacing[0] == 1.5 && info->spacing[1] == 4 && info->spacing[3] == 2);
    assert_int_equal(info->dtype, MTM_I16);
    assert_string_equal(mtm_image_property_find(im, "nifti.descrip"), "a?b");
    assert_int_equal(mtm_image_problem_count(im), 0);
    assert_null(mtm_image_problem_get(im, 0));
}

static void test_problems(void **state)
{
    nifti_header h = images_header(NIFTI_1);
    MTM_AUTO(mtm_image) im = NULL;
    mtm_error err = {0};

    h.xyzt_units = 3; /* micrometres */
    h.sform_code = 1;
    memcpy(h.srow, (double[12]){5, 0, 0, 0, 0, 6, 0, 0, 0, 0, 7, 0}, sizeof h.srow);
    assert_ok(open_header(&im, &h, &err));
    assert_int_equal(mtm_image_problem_count(im), 2);
    assert_non_null(strstr(mtm_image_problem_get(im, 0), "disagrees"));
    assert_non_null(strstr(mtm_image_problem_get(im, 1), "micrometres"));
}

/* Slope rules of SEMANTICS: 0, NaN, infinite and (1, 0) mean none. */
static void test_scaling(void **state)
{
    static const struct {
        double slope, inter;
        bool scaled;
    } rules[] = {{2, -1, true},   {1, 0, false},        {0, 5, false},
                 {NAN, 1, false}, {INFINITY, 0, false}, {1, 3, true}};

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        nifti_header h = images_header(NIFTI_1);
        MTM_AUTO(mtm_image) im = NULL;
        mtm_read_options raw = {.struct_size = sizeof raw, .raw = true};
        mtm_array a = {0};
        mtm_error err = {0};

        h.scl_slope = rules[i].slope, h.scl_inter = rules[i].inter;
        assert_ok(open_header(&im, &h, &err));
        assert_ok(mtm_image_read(im, 0, NULL, NULL, &a, &err));
        assert_int_equal(a.dtype, rules[i].scaled ? MTM_F32 : MTM_I16);
        if (rules[i].scaled)
            assert_true(((float *)a.data)[7] == (float)(7 * rules[i].slope + rules[i].inter));
        mtm_array_drop(&a);
        assert_ok(mtm_image_read(im, 0, NULL, &raw, &a, &err));
        assert_int_equal(a.dtype, MTM_I16);
        assert_int_equal(((int16_t *)a.data)[7], 7);
        mtm_array_drop(&a);
    }
}

/* Colour and complex voxels are channels, last in the axes. */
static void test_channels(void **state)
{
    static const struct {
        int16_t datatype, bitpix;
        int channels;
        mtm_dtype t;
    } kinds[] = {
        {NIFTI_RGB24, 24, 3, MTM_U8}, {NIFTI_RGBA32, 32, 4, MTM_U8}, {NIFTI_COMPLEX64, 64, 2, MTM_F32}};
    static uint8_t bytes[ROOM], voxels[24 * 8];

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        nifti_header h = images_header(NIFTI_1);
        MTM_AUTO(mtm_image) im = NULL;
        mtm_error err = {0};

        h.datatype = kinds[i].datatype, h.bitpix = kinds[i].bitpix;
        assert_ok(
            images_open(&im, bytes, images_nifti(bytes, &h, voxels, 3 * (size_t)kinds[i].bitpix), &err));
        const mtm_image_info *const info = mtm_image_info_get(im);
        assert_string_equal(info->axes, "ZYXC");
        assert_int_equal(info->shape[3], kinds[i].channels);
        assert_int_equal(info->dtype, kinds[i].t);
    }
}

static void test_box(void **state)
{
    nifti_header h = images_header(NIFTI_1);
    MTM_AUTO(mtm_image) im = NULL;
    mtm_box box = {.ndim = 3, .start = {1, 1, 0}, .size = {2, 2, 1}};
    int32_t there[12];
    mtm_array a = {0}, given = mtm_array_wrap(there, MTM_I32, 3, (int64_t[]){2, 2, 1});
    mtm_error err = {0};

    assert_ok(open_header(&im, &h, &err));
    assert_ok(mtm_image_read(im, 0, &box, NULL, &a, &err));
    assert_memory_equal(a.data, ((int16_t[]){8, 10, 14, 16}), 8);
    mtm_array_drop(&a);
    /* Into a view given by the caller, with another dtype and every third element. */
    for (int i = 0; i < 3; i++)
        given.stride[i] *= 3;
    memset(there, 0xee, sizeof there);
    assert_ok(mtm_image_read(im, 0, &box, NULL, &given, &err));
    assert_int_equal(there[0], 8);
    assert_int_equal(there[9], 16);
    assert_int_equal(there[1], (int32_t)0xeeeeeeee);
    /* An empty box is a box. */
    box.size[1] = 0;
    assert_ok(mtm_image_read(im, 0, &box, NULL, &a, &err));
    assert_int_equal(mtm_array_count(&a), 0);
    mtm_array_drop(&a);
    /* Refused ones; the handle stays good. */
    box.size[1] = 3;
    assert_status(MTM_E_INVAL, mtm_image_read(im, 0, &box, NULL, &a, &err));
    box = (mtm_box){.ndim = 3, .start = {INT64_MAX, 0, 0}, .size = {INT64_MAX, 1, 1}};
    assert_status(MTM_E_INVAL, mtm_image_read(im, 0, &box, NULL, &a, &err));
    box = (mtm_box){.ndim = 2, .size = {1, 1}};
    assert_status(MTM_E_INVAL, mtm_image_read(im, 0, &box, NULL, &a, &err));
    assert_status(MTM_E_INVAL, mtm_image_read(im, 1, NULL, NULL, &a, &err));
    assert_status(MTM_E_INVAL, mtm_image_read(im, 0, NULL, NULL, &given, &err));
    assert_ok(mtm_image_read(im, 0, NULL, NULL, &a, &err));
    mtm_array_drop(&a);
}

static void big_endian_16(uint8_t *p, int n)
{
    for (int i = 0; i < n; i++, p += 2) {
        const uint8_t t = p[0];

        p[0] = p[1], p[1] = t;
    }
}

/* A header in the other byte order: the fields that matter here are turned by hand. */
static void test_big_endian(void **state)
{
    static uint8_t bytes[ROOM];
    const nifti_header h = images_header(NIFTI_1);
    MTM_AUTO(mtm_image) im = NULL;
    mtm_array a = {0};
    mtm_error err = {0};
    int16_t v[24];

    voxels_count(v, 24);
    const size_t n = images_nifti(bytes, &h, v, sizeof v);
    memcpy(bytes, "\0\0\x01\x5c", 4);
    big_endian_16(bytes + 40, 8);
    big_endian_16(bytes + 70, 2);
    big_endian_16(bytes + 252, 2);
    memcpy(bytes + 76, "\x3f\x80\0\0\x3f\x80\0\0\x3f\x80\0\0\x3f\x80\0\0", 16);
    memcpy(bytes + 108, "\x43\xb0\0\0\x3f\x80\0\0", 8);
    big_endian_16(bytes + 352, 24);
    assert_ok(images_open(&im, bytes, n, &err));
    assert_ok(mtm_image_read(im, 0, NULL, NULL, &a, &err));
    assert_memory_equal(a.data, v, sizeof v);
    assert_string_equal(mtm_image_property_find(im, "nifti.byte_order"), "big");
    mtm_array_drop(&a);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static int16_t first_value(const char *path)
{
    MTM_AUTO(mtm_image) im = NULL;
    mtm_array a = {0};
    mtm_error err = {0};
    int16_t v;

    assert_ok(mtm_image_open(&im, path, NULL, &err));
    assert_ok(mtm_image_read(im, 0, NULL, NULL, &a, &err));
    v = *(int16_t *)a.data;
    mtm_array_drop(&a);
    return v;
}

/* SimpleITK asked for a.nii.gz with a.nii beside it reads a.nii; contents, not names, decide here. */
static void test_neighbour_is_not_read(void **state)
{
    static uint8_t bytes[ROOM], packed[ROOM];
    const nifti_header h = images_header(NIFTI_1);
    int16_t v[24] = {111};
    size_t n = images_nifti(bytes, &h, v, sizeof v), n_packed;

    images_put(images_path("a.nii"), bytes, n);
    v[0] = 222;
    n = images_nifti(bytes, &h, v, sizeof v);
    n_packed = images_gzip(packed, ROOM, bytes, n);
    images_put(images_path("a.nii.gz"), packed, n_packed);
    assert_int_equal(first_value(images_path("a.nii")), 111);
    assert_int_equal(first_value(images_path("a.nii.gz")), 222);
    /* A wrong ending does not matter. */
    images_put(images_path("plain.nii.gz"), bytes, n);
    images_put(images_path("packed.nii"), packed, n_packed);
    assert_int_equal(first_value(images_path("plain.nii.gz")), 222);
    assert_int_equal(first_value(images_path("packed.nii")), 222);
}

static void test_pairs(void **state)
{
    static uint8_t bytes[ROOM], packed[ROOM];
    nifti_header h = images_header(NIFTI_1);
    /* Voxels that begin like gzip must still be voxels. */
    int16_t v[24] = {(int16_t)0x8b1f, 8};
    mtm_image *im = NULL;
    mtm_error err = {0};
    size_t n;

    h.pair = true, h.vox_offset = 0;
    memset(bytes, 0, sizeof bytes);
    nifti_header_store(&h, bytes);
    memcpy(bytes + 344, "ni1", 4);
    images_put(images_path("p.hdr"), bytes, 348);
    images_put(images_path("P2.HDR"), bytes, 348);
    images_put(images_path("alone.hdr"), bytes, 348);
    images_put(images_path("p.img"), v, sizeof v);
    images_put(images_path("P2.IMG"), v, sizeof v);
    assert_int_equal(first_value(images_path("p.hdr")), v[0]);
    assert_int_equal(first_value(images_path("p.img")), v[0]);
    assert_int_equal(first_value(images_path("P2.IMG")), v[0]);
    n = images_gzip(packed, ROOM, bytes, 348);
    images_put(images_path("z.hdr.gz"), packed, n);
    n = images_gzip(packed, ROOM, v, sizeof v);
    images_put(images_path("z.img.gz"), packed, n);
    images_put(images_path("m.hdr"), bytes, 348);
    images_put(images_path("m.img.gz"), packed, n);
    assert_int_equal(first_value(images_path("z.hdr.gz")), v[0]);
    assert_int_equal(first_value(images_path("z.img.gz")), v[0]);
    assert_int_equal(first_value(images_path("m.hdr")), v[0]);
    assert_status(MTM_E_NOTFOUND, mtm_image_open(&im, images_path("alone.hdr"), NULL, &err));
    images_put(images_path("orphan.img"), v, sizeof v);
    assert_status(MTM_E_NOTFOUND, mtm_image_open(&im, images_path("orphan.img"), NULL, &err));
    /* Analyze: the same without a magic. */
    memset(bytes + 344, 0, 4);
    images_put(images_path("an.hdr"), bytes, 348);
    images_put(images_path("an.img"), v, sizeof v);
    assert_int_equal(first_value(images_path("an.hdr")), v[0]);
}

static void test_changed_while_read(void **state)
{
    static uint8_t bytes[ROOM];
    const nifti_header h = images_header(NIFTI_1);
    int16_t v[24] = {1};
    const size_t n = images_nifti(bytes, &h, v, sizeof v);
    const char *const path = images_path("changing.nii");
    MTM_AUTO(mtm_image) im = NULL;
    mtm_array a = {0};
    mtm_error err = {0};

    images_put(path, bytes, n);
    assert_ok(mtm_image_open(&im, path, NULL, &err));
    assert_ok(mtm_image_read(im, 0, NULL, NULL, &a, &err));
    mtm_array_drop(&a);
    assert_int_equal(truncate(path, 380), 0);
    assert_status(MTM_E_CONFLICT, mtm_image_read(im, 0, NULL, NULL, &a, &err));
    assert_null(a.data);
}

/* ---- compressed ---------------------------------------------------------------------------------------- */

enum { BIG_Z = 40, BIG_YX = 128 };

/* int16 [40, 128, 128], incompressible enough that several segments arise, plus `trailing` bytes behind the voxels. */
static void big_write(const char *path, size_t trailing, bool gzip)
{
    const size_t count = BIG_Z * BIG_YX * BIG_YX, bytes = 352 + 2 * count + trailing;
    nifti_header h = images_header(NIFTI_1);
    uint8_t *const all = calloc(1, bytes), *const packed = malloc(bytes + 1024);
    int16_t *const v = malloc(2 * count);
    uint32_t seed = 1;

    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525 + 1013904223;
        v[i] = (int16_t)(i % 997 + (seed >> 28));
    }
    memcpy(h.dim, (int64_t[8]){3, BIG_YX, BIG_YX, BIG_Z, 1, 1, 1, 1}, sizeof h.dim);
    h.scl_slope = 0.5, h.scl_inter = -100;
    images_nifti(all, &h, v, 2 * count);
    if (gzip)
        images_put(path, packed, images_gzip(packed, bytes + 1024, all, bytes));
    else
        images_put(path, all, bytes);
    free(all);
    free(packed);
    free(v);
}

static const mtm_box big_box = {.ndim = 3, .start = {30, 7, 100}, .size = {5, 11, 28}};

/* Every way to a box gives the same bytes: plain, prefix, whole, access points, from an index, with threads. */
static void test_ways_to_a_box(void **state)
{
    const char *const names[] = {"big.nii", "big.nii.gz", "trailing.nii.gz"};
    char index_path[160];
    mtm_array want = {.dtype = MTM_F64};
    mtm_error err = {0};
    MTM_AUTO(mtm_pool) pool = NULL;
    MTM_AUTO(mtm_recycler) recycler = NULL;

    strcpy(index_path, images_path("ways.index"));
    assert_ok(mtm_pool_new(&pool, 3, &err));
    assert_ok(mtm_recycler_new(&recycler, 64 << 20, &err));
    big_write(images_path(names[0]), 0, false);
    big_write(images_path(names[1]), 0, true);
    big_write(images_path(names[2]), 100000, true);
    for (int i = 0; i < 12; i++) {
        MTM_AUTO(mtm_index) index = NULL;
        MTM_AUTO(mtm_image) im = NULL;
        mtm_read_options o = {
            .struct_size = sizeof o, .pool = i % 2 ? pool : NULL, .recycler = i % 4 < 2 ? recycler : NULL};
        mtm_open_options open = {.struct_size = sizeof open};

        if (i >= 6)
            assert_ok(mtm_index_open(&index, index_path, &err));
        open.index = index;
        assert_ok(mtm_image_open(&im, images_path(names[i % 3]), &open, &err));
        for (int k = 0; k < 3; k++) { /* no points, building them, using them */
            mtm_array a = {.dtype = MTM_F64}, whole = {.dtype = MTM_F64}, part;

            assert_ok(mtm_image_read(im, 0, &big_box, &o, &a, &err));
            if (!want.data)
                assert_ok(mtm_image_read(im, 0, &big_box, &o, &want, &err));
            assert_memory_equal(a.data, want.data, 5 * 11 * 28 * sizeof(double));
            assert_ok(mtm_image_read(im, 0, NULL, &o, &whole, &err));
            assert_ok(mtm_array_crop(&part, &whole, &big_box, &err));
            assert_ok(mtm_array_convert(&a, &part, 1, 0, NULL, &err));
            assert_memory_equal(a.data, want.data, 5 * 11 * 28 * sizeof(double));
            mtm_array_drop(&a);
            mtm_array_drop(&whole);
        }
    }
    mtm_array_drop(&want);
}

/* Statistics come with the full read, are kept in the index, and are the same from there. */
static void test_stats(void **state)
{
    mtm_image_stats first, again, zero = {0};
    mtm_error err = {0};

    big_write(images_path("stats.nii.gz"), 0, true);
    for (int i = 0; i < 2; i++) {
        MTM_AUTO(mtm_index) index = NULL;
        MTM_AUTO(mtm_image) im = NULL;
        mtm_open_options open = {.struct_size = sizeof open};

        assert_ok(mtm_index_open(&index, images_path("stats.index"), &err));
        open.index = index;
        assert_ok(mtm_image_open(&im, images_path("stats.nii.gz"), &open, &err));
        assert_int_equal(mtm_index_get_stats(index, &im->identity, &zero), i == 1);
        assert_ok(mtm_image_stats_get(im, NULL, i ? &again : &first, &err));
    }
    assert_memory_equal(&first, &again, sizeof first);
    assert_int_equal(first.count, BIG_Z * BIG_YX * BIG_YX);
    assert_true(first.min == -100 && first.max > 390 && first.std > 0);
    assert_int_equal(first.foreground_size[0], BIG_Z);
}

static void test_foreground(void **state)
{
    float v[2][4][5][6] = {0};
    const mtm_array a = mtm_array_wrap(v, MTM_F32, 4, (int64_t[]){2, 4, 5, 6});
    mtm_array turned = a;
    int64_t start[3], size[3];

    v[0][3][0][5] = -0.0f;
    mtm_foreground(&a, "TZYX", start, size);
    assert_true(size[0] == 0 && size[1] == 0 && size[2] == 0);
    v[0][1][3][2] = 1, v[1][2][2][4] = NAN, v[0][2][3][1] = -1;
    mtm_foreground(&a, "TZYX", start, size);
    assert_memory_equal(start, ((int64_t[]){1, 2, 1}), sizeof start);
    assert_memory_equal(size, ((int64_t[]){2, 2, 4}), sizeof size);
    for (int i = 0; i < 4; i++)
        turned.shape[i] = a.shape[3 - i], turned.stride[i] = a.stride[3 - i];
    mtm_foreground(&turned, "XYZT", start, size);
    assert_memory_equal(start, ((int64_t[]){1, 2, 1}), sizeof start);
    assert_memory_equal(size, ((int64_t[]){2, 2, 4}), sizeof size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_affine),
        cmocka_unit_test(test_half_turn),
        cmocka_unit_test(test_affine_round_trip),
        cmocka_unit_test(test_sheared_affine_has_no_qform),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_box),
        cmocka_unit_test(test_big_endian),
        cmocka_unit_test(test_neighbour_is_not_read),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_changed_while_read),
        cmocka_unit_test(test_ways_to_a_box),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_foreground),
    };

    return cmocka_run_group_tests(tests, images_setup, images_teardown);
}
