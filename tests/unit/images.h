/* tests/unit/images.h: small image files in memory and on disk for the image tests.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_IMAGES_H
#define MTM_TESTS_IMAGES_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libdeflate.h>

#include "format/format.h"
#include "format/nifti.h"
#include "format/npy.h"
#include "unit.h"

static char images_folder[64];

__attribute__((unused)) static int images_setup(void **state)
{
    strcpy(images_folder, "/tmp/mtm-image-XXXXXX");
    return mkdtemp(images_folder) ? 0 : -1;
}

__attribute__((unused)) static int images_teardown(void **state)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf %s", images_folder);
    return system(command);
}

/* One of four static paths in turn. */
__attribute__((unused)) static const char *images_path(const char *name)
{
    static char path[4][160];
    static int next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", images_folder, name);
    return path[next];
}

__attribute__((unused)) static void images_put(const char *path, const void *data, size_t n)
{
    FILE *const f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* A little-endian header of [4, 3, 2] int16 with a qform of the identity, voxel sizes 1; slope 1. */
__attribute__((unused)) static nifti_header images_header(nifti_version version)
{
    nifti_header h = {.version = version,
                      .dim = {3, 2, 3, 4, 1, 1, 1, 1},
                      .datatype = NIFTI_INT16,
                      .bitpix = 16,
                      .pixdim = {1, 1, 1, 1, 1, 1, 1, 1},
                      .scl_slope = 1,
                      .qform_code = 1,
                      .xyzt_units = 10};

    h.vox_offset = (double)nifti_header_bytes(&h) + 4;
    return h;
}

/* Header, then `n` bytes of voxels; returns the size. `out` has room for it. */
__attribute__((unused)) static size_t images_nifti(uint8_t *out, const nifti_header *h, const void *voxels,
                                                   size_t n)
{
    const size_t offset = (size_t)h->vox_offset;

    memset(out, 0, offset);
    nifti_header_store(h, out);
    memcpy(out + offset, voxels, n);
    return offset + n;
}

/* gzip of n bytes; returns the size. */
__attribute__((unused)) static size_t images_gzip(uint8_t *out, size_t room, const void *data, size_t n)
{
    struct libdeflate_compressor *const c = libdeflate_alloc_compressor(6);
    const size_t got = libdeflate_gzip_compress(c, data, n, out, room);

    libdeflate_free_compressor(c);
    assert_true(got > 0);
    return got;
}

/* Opens bytes in memory. */
__attribute__((unused)) static mtm_status images_open(mtm_image **out, const void *data, size_t n,
                                                      mtm_error *err)
{
    mtm_source *source;

    MTM_TRY(mtm_source_memory(&source, data, n, "memory", err));
    return mtm_image_open_source(out, source, NULL, err);
}

#endif
