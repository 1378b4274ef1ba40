/* tests/fuzz/fuzz_j2k_encode.c: the JPEG 2000 encoder under any parameters: it refuses them, or writes what decodes to the same
 * pixels (lossless) or at all (lossy). A head of 32 bytes says the parameters, the rest are pixels, repeated.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fuzz.h"
#include "microtome/codec.h"

enum { HEAD = 32, SIDE = 80, PLANES = 4 };

static int32_t pixels[PLANES][SIDE * SIDE];
static int32_t precincts[2][2], subsampling[PLANES][2];

static void draw_planes(mtm_array *planes, int32_t n, const uint8_t *head, const uint8_t *data, size_t size)
{
    const mtm_dtype dtype = (mtm_dtype)(MTM_U8 + head[0] % 6);
    const size_t elem_bytes = mtm_dtype_size(dtype);

    for (int32_t c = 0; c < n; c++) {
        const int32_t dy = subsampling[c][0] > 0 ? subsampling[c][0] : 1,
                      dx = subsampling[c][1] > 0 ? subsampling[c][1] : 1;
        const int64_t shape[2] = {(head[1] % SIDE + dy) / dy, (head[2] % SIDE + dx) / dx};
        uint8_t *const to = (uint8_t *)pixels[c];

        for (size_t i = 0; i < (size_t)(shape[0] * shape[1]) * elem_bytes; i++)
            to[i] = i % elem_bytes < (size_t)(head[3] & 3) + 1 && size ? data[(i + (size_t)c) % size] : 0;
        planes[c] = mtm_array_wrap(pixels[c], dtype, 2, shape);
    }
}

static void draw_coding(mtm_encode_params *p, const uint8_t *head)
{
    static const char *const orders[] = {NULL, "LRCP", "RLCP", "RPCL", "PCRL", "CPRL", "", "RPCL"};
    static const char *const containers[] = {NULL, "codestream", "jp2", "jph"};

    p->codec = head[5] & 1 ? "j2k" : "htj2k";
    p->lossy = head[5] & 2, p->quality = head[5] & 4 ? head[6] : 0,
    p->step = head[5] & 8 ? head[6] / 255.0 : 0;
    p->rate = head[5] & 16 ? head[7] / 16.0 : 0, p->layers = head[5] & 32 ? (int8_t)head[8] : 0;
    p->levels = (int8_t)head[9] % 36, p->mct = (int8_t)head[10] % 3, p->bits = head[11] % 40;
    p->block[0] = 1 << head[12] % 12, p->block[1] = head[12] & 128 ? head[13] : 1 << head[13] % 12;
    p->progression = orders[head[14] & 7], p->tile_parts = head[14] & 8 ? "R" : head[14] & 16 ? "" : NULL;
    p->container = containers[head[14] >> 5 & 3];
    p->style = head[15];
    p->sop = head[16] & 1, p->eph = head[16] & 2, p->no_plt = head[16] & 4, p->no_tlm = head[16] & 8;
    p->n_precincts = head[17] % 3;
    for (int i = 0; i < 2; i++)
        precincts[i][0] = 1 << head[18 + i] % 17, precincts[i][1] = 1 << head[20 + i] % 17;
    p->precincts = precincts;
}

static void draw_grid(mtm_encode_params *p, const uint8_t *head)
{
    for (int i = 0; i < 2; i++) {
        p->origin[i] = (int8_t)head[22 + i], p->tile_origin[i] = (int8_t)head[24 + i] % 32;
        p->tile[i] = head[26 + i] < 8 ? 0 : head[26 + i];
    }
    for (int c = 0; c < PLANES; c++)
        subsampling[c][0] = head[28] >> 2 * c & 3, subsampling[c][1] = head[29] >> 2 * c & 3;
    p->subsampling = head[30] & 1 ? subsampling : NULL;
    if (!p->subsampling)
        memset(subsampling, 0, sizeof subsampling);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    mtm_encode_params p = mtm_encode_params_default();
    mtm_array planes[PLANES], back[PLANES] = {{.data = NULL}};
    mtm_bytes out = {0};
    mtm_error err = {0};
    int32_t n_back = 0;

    if (n < HEAD)
        return 0;
    draw_coding(&p, data);
    draw_grid(&p, data);
    draw_planes(planes, 1 + data[4] % PLANES, data, data + HEAD, n - HEAD);
    if (mtm_encode_planes(NULL, planes, 1 + data[4] % PLANES, &p, &out, &err)) {
        FUZZ_CHECK(out.size_bytes == 0 && err.text[0]);
    } else {
        FUZZ_CHECK(mtm_decode_planes(NULL, out.data, out.size_bytes, NULL, back, PLANES, &n_back, &err) ==
                   MTM_OK);
        FUZZ_CHECK(n_back == 1 + data[4] % PLANES);
        for (int32_t c = 0; c < n_back; c++) {
            FUZZ_CHECK(back[c].shape[0] == planes[c].shape[0] && back[c].shape[1] == planes[c].shape[1]);
            if (!p.lossy && p.rate == 0 && back[c].dtype == planes[c].dtype)
                FUZZ_CHECK(!memcmp(back[c].data, planes[c].data,
                                   (size_t)mtm_array_count(&planes[c]) * mtm_dtype_size(planes[c].dtype)));
            mtm_array_drop(&back[c]);
        }
    }
    mtm_bytes_drop(&out);
    return 0;
}
