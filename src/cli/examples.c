/* cli/examples.c: the picture that `check` and `bench` code, and the ways to code it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "examples.h"

#include <math.h>

const cli_codec_example cli_codec_examples[] = {
    {"HTJ2K lossless", "htj2k", false},
    {"HTJ2K lossy", "htj2k", true},
    {"JPEG 2000 lossless", "j2k", false},
    {"JPEG 2000 lossy", "j2k", true},
    {NULL, NULL, false},
};

mtm_status cli_codec_picture(mtm_array *out, int64_t height, int64_t width, mtm_error *err)
{
    const mtm_status s = mtm_array_new(out, MTM_U16, 2, (int64_t[]){height, width}, NULL, err);

    for (int64_t i = 0; !s && i < height * width; i++) {
        const double y = (double)(i / width) / (double)height, x = (double)(i % width) / (double)width;
        uint32_t r[4];

        mtm_philox(11, (uint32_t[]){(uint32_t)i, 0, 0, 0}, r);
        ((uint16_t *)out->data)[i] =
            (uint16_t)(1800 + 1400 * sin(9 * x) * cos(7 * y) + (x > y ? 300 : 0) + (double)(r[0] % 40));
    }
    return s;
}

mtm_status cli_codec_encode(mtm_codec_ctx *c, const cli_codec_example *e, const mtm_array *in, mtm_bytes *out,
                            mtm_error *err)
{
    mtm_encode_params p = mtm_encode_params_default();

    p.codec = e->codec, p.lossy = e->lossy, p.bits = 12;
    return mtm_encode(c, in, false, &p, out, err);
}
