/* tests/unit/test_malformed.c: every damaged file of tests/cases gives its error, at opening or at reading, and nothing
 * that fails to be allocated or read on the way is lost or crashes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include "../cases/malformed.h"

enum { ROOM = 4096 };

static size_t base_bytes(uint8_t *out, base b)
{
    int16_t voxels[24];
    nifti_header h;
    mtm_error err = {0};
    size_t n;

    for (int i = 0; i < 24; i++)
        voxels[i] = (int16_t)i;
    if (b == BASE_NPY) {
        const mtm_array a = mtm_array_wrap(voxels, MTM_I16, 3, (int64_t[]){4, 3, 2});

        assert_ok(mtm_npy_header(out, &n, &a, &err));
        memcpy(out + n, voxels, sizeof voxels);
        return n + sizeof voxels;
    }
    h = images_header(b == BASE_NIFTI1 ? NIFTI_1 : NIFTI_2);
    return images_nifti(out, &h, voxels, sizeof voxels);
}

static size_t case_bytes(uint8_t *out, const malformed *m)
{
    uint8_t plain[ROOM];
    size_t n = base_bytes(plain, m->base);

    if (m->n > 0)
        memcpy(plain + m->at, m->bytes, (size_t)m->n);
    if (m->cut >= 0)
        n = (size_t)m->cut;
    if (!m->gzip) {
        memcpy(out, plain, n);
        return n;
    }
    n = images_gzip(out, ROOM, plain, n);
    if (m->gz_flip)
        out[n - (size_t)m->gz_flip] ^= 0xff;
    return n;
}

static mtm_status open_and_read(const uint8_t *bytes, size_t n, mtm_error *err)
{
    MTM_AUTO(mtm_image) im = NULL;
    mtm_array a = {0};

    MTM_TRY(images_open(&im, bytes, n, err));
    MTM_TRY(mtm_image_read(im, 0, NULL, NULL, &a, err));
    mtm_array_drop(&a);
    return MTM_OK;
}

static void test_cases(void **state)
{
    uint8_t bytes[ROOM];

    for (size_t i = 0; i < sizeof malformed_cases / sizeof *malformed_cases; i++) {
        const malformed *const m = &malformed_cases[i];
        const size_t n = case_bytes(bytes, m);
        mtm_error err = {0};
        const mtm_status s = open_and_read(bytes, n, &err);

        if (s != m->status || !strstr(err.text, m->text) || (m->offset != -2 && err.offset != m->offset))
            fail_msg("%s: %s at %lld: %s", m->name, mtm_status_name(s), (long long)err.offset, err.text);
        assert_string_equal(err.where, "memory");
    }
}

/* The bases themselves are good, so that each case fails for its change alone. */
static void test_bases(void **state)
{
    uint8_t bytes[ROOM];
    mtm_error err = {0};

    for (int b = 0; b < N_BASES; b++) {
        const size_t n = base_bytes(bytes, (base)b);

        assert_ok(open_and_read(bytes, n, &err));
    }
}

/* Every byte of the header set to every of a few values: an error or a picture, never a crash (the sanitizer runs see
 * more than the plain ones). */
static void test_every_byte(void **state)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    uint8_t bytes[ROOM];

    for (int b = 0; b < N_BASES; b++) {
        const size_t n = base_bytes(bytes, (base)b);

        for (size_t i = 0; i < n; i++) {
            const uint8_t old = bytes[i];

            for (size_t k = 0; k < sizeof values; k++) {
                mtm_error err = {0};

                bytes[i] = values[k];
                if (open_and_read(bytes, n, &err) != MTM_OK)
                    assert_true(err.text[0] != '\0');
            }
            bytes[i] = old;
        }
    }
}

static void test_no_memory(void **state)
{
    uint8_t plain[ROOM], packed[ROOM];
    const size_t n = base_bytes(plain, BASE_NIFTI1), n_packed = images_gzip(packed, ROOM, plain, n);
    const struct {
        const uint8_t *bytes;
        size_t n;
    } files[] = {{plain, n}, {packed, n_packed}};

    for (int f = 0; f < 2; f++) {
        mtm_status s = MTM_E_NOMEM;

        for (int64_t k = 0; s == MTM_E_NOMEM; k++) {
            mtm_error err = {0};

            mtm_mem_fail_after(k);
            s = open_and_read(files[f].bytes, files[f].n, &err);
            mtm_mem_fail_after(-1);
            assert_true(k < 1000);
        }
        assert_int_equal(s, MTM_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bases),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
