/* tests/fuzz/fuzz_dicom_frames.c: offset tables and fragments of any bytes: as many frames as the file says, each with bytes of the file
 * or an error.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format/dicom/pixel/pixel.h"
#include "fuzz.h"

enum { NUMBER_OF_FRAMES = 0x00280008, BITS_ALLOCATED = 0x00280100, MOST_READ = 64 };

static void read_frames(const mtm_dicom *d, const char *codec, size_t n)
{
    const int64_t frames = dcm_i64(d, NULL, NUMBER_OF_FRAMES, 1), bits = dcm_i64(d, NULL, BITS_ALLOCATED, 8);
    const mtm_dicom_pixels p = {.frames = frames,
                                .rows = 3,
                                .columns = 5,
                                .samples = 1,
                                .bits_allocated = bits > 0 && bits <= 64 ? (int32_t)bits : 8,
                                .codec = codec,
                                .photometric = "MONOCHROME2"};
    MTM_AUTO(dcm_frames) f = NULL;
    mtm_bytes out = {0};
    mtm_error err = {0};

    if (dcm_frames_new(&f, d, &p, &err) != MTM_OK) {
        FUZZ_CHECK(err.text[0]);
        return;
    }
    FUZZ_CHECK(f->n == frames && frames > 0);
    for (int64_t i = 0; i < frames && i < MOST_READ; i++) {
        const mtm_status s = dcm_frame_bytes(f, i, &out, &err);

        FUZZ_CHECK(s ? err.text[0] && out.size_bytes == 0 : out.size_bytes <= n);
    }
    FUZZ_CHECK(dcm_frame_bytes(f, frames, &out, NULL) == MTM_E_INVAL);
    mtm_bytes_drop(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const mtm_limits limits = {
        .max_bytes = 1 << 22, .max_expansion = 1100, .max_header_bytes = 1 << 20};
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .limits = &limits, .force = true};
    MTM_AUTO(mtm_dicom) d = NULL;

    if (mtm_dicom_open_memory(&d, data, n, "memory", &opt, NULL) != MTM_OK)
        return 0;
    read_frames(d, "jpeg", n);
    read_frames(d, "rle", n);
    return 0;
}
