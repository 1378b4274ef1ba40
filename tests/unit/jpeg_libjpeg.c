/* tests/unit/jpeg_libjpeg.c: see jpeg_libjpeg.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jpeg_libjpeg.h"

#include <math.h>

#include "base/rng.h"
#include "codec/codec.h"
#include "unit.h"

#include <jpeglib.h>

mtm_bytes libjpeg_encode(int width, int height, const dct_kind *k)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    mtm_rng r = mtm_rng_at(7, 0, 0, 0);
    unsigned char *data = NULL, row[3 * 300];
    unsigned long n = 0;
    mtm_bytes b = {0};

    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, &n);
    c.image_width = (JDIMENSION)width, c.image_height = (JDIMENSION)height;
    c.input_components = k->n, c.in_color_space = k->n == 1 ? JCS_GRAYSCALE : JCS_YCbCr;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, k->quality, TRUE);
    c.comp_info[0].h_samp_factor = k->h, c.comp_info[0].v_samp_factor = k->v;
    c.optimize_coding = k->optimized, c.restart_interval = (unsigned)k->restart;
    if (k->progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < height; y++) {
        JSAMPROW rows[1] = {row};

        for (int x = 0; x < width * k->n; x++)
            row[x] = (unsigned char)(128 + 80 * sin(x / 17. + y / 9.) + (double)mtm_rng_below(&r, 20));
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    assert_int_equal(mtm_bytes_reserve(&b, n, NULL), MTM_OK);
    memcpy(b.data, data, n);
    b.size_bytes = n;
    free(data);
    return b;
}
