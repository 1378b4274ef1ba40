/* tests/fuzz/fuzz_dicom_pixels.c: pixels of any bytes as a data set, from the header to frames as stored, in colours, for measuring and for
 * the screen, and overlays: arrays of the shape that the attributes tell, or an error; never more memory than the limits allow.
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "microtome/dicom.h"

enum { MOST_FRAMES = 3 };

static void read_frames(const mtm_dicom *d, const mtm_dicom_pixels *p, mtm_codec_ctx *codec, int way)
{
    const mtm_dicom_read_options opt = {
        .struct_size = sizeof opt, .raw = way == 0, .modality = way == 2, .voi = way == 3, .codec = codec};
    const int64_t n = p->frames < MOST_FRAMES ? p->frames : MOST_FRAMES;
    mtm_error err = {0};
    mtm_array a = {0};
    char *warnings = NULL;

    if (mtm_dicom_frames_read(d, 0, n, &opt, &a, &warnings, &err)) {
        FUZZ_CHECK(err.text[0] && !a.data);
        return;
    }
    FUZZ_CHECK(a.shape[0] == n && a.ndim >= 3);
    FUZZ_CHECK(way < 2 || a.dtype == MTM_F32);
    FUZZ_CHECK((a.ndim == 4 ? a.shape[3] : 1) == (way == 0 ? p->samples : p->channels));
    mtm_array_drop(&a);
    mtm_dicom_free(warnings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    mtm_limits lim = mtm_limits_default();
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .limits = &lim, .force = true};
    mtm_codec_ctx *codec = NULL;
    mtm_dicom *d = NULL;
    mtm_error err = {0};
    mtm_dicom_pixels p;

    lim.max_bytes = 4 << 20, lim.max_header_bytes = 1 << 20;
    if (mtm_dicom_open_memory(&d, data, n, "fuzz", &opt, &err) || mtm_codec_ctx_new(&codec, &err)) {
        mtm_dicom_close(d);
        return 0;
    }
    if (mtm_dicom_pixels_get(d, &p, &err) == MTM_OK) {
        FUZZ_CHECK(p.frames > 0 && p.rows > 0 && p.columns > 0 && p.samples > 0 && p.channels > 0);
        for (int way = 0; way < 4; way++)
            read_frames(d, &p, codec, way);
    } else {
        FUZZ_CHECK(err.text[0]);
    }
    for (int32_t i = 0; i < 2; i++) {
        mtm_array a = {0};
        int64_t origin[2];

        if (mtm_dicom_overlay_read(d, i, &a, origin, &err) == MTM_OK)
            FUZZ_CHECK(a.ndim == 3);
        mtm_array_drop(&a);
    }
    mtm_dicom_close(d);
    mtm_codec_ctx_free(codec);
    return 0;
}
