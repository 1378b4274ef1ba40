/* format/dicom/pixel/samples.h: the steps between a frame's bytes and what a caller gets, each a function over memory: samples from
 * stored bytes (native.c), colours (photometric.c, palette.c), values for measuring and for the screen (lut.c), and what
 * a codestream says of itself (stream.c). decoder.c and read.c join them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_SAMPLES_H
#define MTM_DICOM_SAMPLES_H

#include "pixel.h"

enum { /* PS3.3 C.7.6.3, C.11 */
       DCM_SAMPLES = 0x00280002,
       DCM_PHOTOMETRIC = 0x00280004,
       DCM_PLANAR = 0x00280006,
       DCM_FRAMES = 0x00280008,
       DCM_ROWS = 0x00280010,
       DCM_COLUMNS = 0x00280011,
       DCM_BITS_ALLOCATED = 0x00280100,
       DCM_BITS_STORED = 0x00280101,
       DCM_HIGH_BIT = 0x00280102,
       DCM_REPRESENTATION = 0x00280103,
       DCM_WINDOW_CENTER = 0x00281050,
       DCM_WINDOW_WIDTH = 0x00281051,
       DCM_INTERCEPT = 0x00281052,
       DCM_SLOPE = 0x00281053,
       DCM_VOI_FUNCTION = 0x00281056,
       DCM_MODALITY_LUTS = 0x00283000,
       DCM_LUT_DESCRIPTOR = 0x00283002,
       DCM_LUT_DATA = 0x00283006,
       DCM_VOI_LUTS = 0x00283010,
       DCM_FRAME_VOI = 0x00289132,
       DCM_VALUE_TRANSFORMATION = 0x00289145,
       DCM_SHARED_GROUPS = 0x52009229,
       DCM_FRAME_GROUPS = 0x52009230
};

/* ---- attributes.c ------------------------------------------------------------------------------------- */

/* As mtm_dicom_pixels_get; *notes receives DCM_NOTE_ASSUMED and DCM_NOTE_FRAMES. */
mtm_status dcm_pixels_read(const mtm_dicom *d, mtm_dicom_pixels *p, uint32_t *notes, mtm_error *err);
/* The pixel data element, whichever of the three it is; NULL: none. */
const mtm_dicom_element *dcm_pixel_element(const mtm_dicom *d);
/* Native Y Y Cb Cr quadruples. */
bool dcm_is_422(const mtm_dicom_pixels *p);

/* ---- native.c ----------------------------------------------------------------------------------------- */

/* n samples of size_bytes (1, 2, 4, 8), any alignment, dst may be src: the `stored` bits that end at `high` moved to the bottom and
 * sign- or zero-extended (PS3.5 8.1.1). swap: the source has the other byte order. */
void dcm_fix_bits(void *dst, const void *src, size_t n, int size_bytes, int stored, int high, bool is_signed,
                  bool swap);
/* n bits from bit number `from` (the least significant of a byte first, PS3.5 8.1.1) as bytes 0 and 1. */
void dcm_unpack_bits(uint8_t *dst, const uint8_t *src, uint64_t from, size_t n);
/* Pixels [first, first + n) of a row of Y Y Cb Cr quadruples (PS3.3 C.7.6.3.1.2) as Y Cb Cr; src is the quadruple of `first`. */
void dcm_expand_422(void *dst, const void *src, uint64_t first, size_t n, int size_bytes);
/* Bytes of 16-bit words turned (8-bit samples as OW, big endian); dst may be src. */
void dcm_swap_pairs(uint8_t *dst, const uint8_t *src, size_t n);

/* ---- photometric.c ------------------------------------------------------------------------------------ */

typedef enum dcm_color { DCM_COLOR_AS_IS, DCM_COLOR_PALETTE, DCM_COLOR_FULL, DCM_COLOR_PARTIAL } dcm_color;

/* What turns the samples of this photometric interpretation into gray or RGB. from_j2k: the codec has undone the codestream's
 * own transform. Errors: MTM_E_UNSUPPORTED. */
mtm_status dcm_color_find(const mtm_dicom_pixels *p, bool from_j2k, dcm_color *out, mtm_error *err);
/* n interleaved Y Cb Cr pixels of `bits` bits in U8 or U16 to RGB; dst may be src. */
void dcm_ybr_to_rgb(void *dst, const void *src, size_t n, int size_bytes, int bits, bool partial);

/* ---- palette.c ---------------------------------------------------------------------------------------- */

typedef struct dcm_palette {
    int32_t entries, first; /* value of the first entry */
    int32_t channels;       /* 3, or 4 with alpha */
    int32_t bits;           /* 8 or 16 */
    uint16_t *data;         /* [entries, channels] */
} dcm_palette;

/* Errors: MTM_E_CORRUPT (no, short or contradicting tables), MTM_E_NOMEM. */
mtm_status dcm_palette_new(dcm_palette **out, const mtm_dicom *d, mtm_error *err);
void dcm_palette_free(dcm_palette *p);
MTM_DEFINE_AUTO(dcm_palette, dcm_palette_free)
/* n indices as colours, U8 or U16 by p->bits, interleaved. Below the first and beyond the last: those (PS3.3 C.7.6.3.1.5). */
void dcm_palette_apply(const dcm_palette *p, void *dst, const int32_t *index, size_t n);
/* A segmented table (PS3.3 C.7.9.2), already words or bytes widened, to exactly `entries` values; byte_step: bytes of a value. */
mtm_status dcm_segments_expand(uint16_t *dst, int32_t entries, const uint16_t *in, size_t n, int byte_step,
                               mtm_error *err);

/* ---- lut.c -------------------------------------------------------------------------------------------- */

typedef struct dcm_lut {
    int32_t entries, first, bits;
    uint16_t data[];
} dcm_lut;

/* Of an item of the Modality or VOI LUT Sequence. Errors: MTM_E_CORRUPT, MTM_E_NOMEM. */
mtm_status dcm_lut_new(dcm_lut **out, const mtm_dicom *d, const mtm_dicom_element *item, mtm_error *err);
void dcm_lut_free(dcm_lut *l);
MTM_DEFINE_AUTO(dcm_lut, dcm_lut_free)
void dcm_lut_apply(const dcm_lut *l, float *v, size_t n, double scale); /* entry · scale, in place */

typedef struct dcm_window {
    enum { DCM_LINEAR, DCM_LINEAR_EXACT, DCM_SIGMOID } function;
    double center, width;
} dcm_window;

/* To 0 … 255, in place (PS3.3 C.11.2.1.2, C.11.2.1.3). */
void dcm_window_apply(const dcm_window *w, float *v, size_t n);

/* Values of interest of one frame: the item-th of its VOI LUTs, else of its windows. *lut NULL and *has_window false: the data set has
 * none. Errors: MTM_E_INVAL (no such item), MTM_E_CORRUPT. */
mtm_status dcm_voi_find(const mtm_dicom *d, int64_t frame, int32_t item, dcm_lut **lut, dcm_window *w,
                        bool *has_window, mtm_error *err);

/* ---- stream.c ----------------------------------------------------------------------------------------- */

typedef struct dcm_stream {
    int64_t rows, columns;
    int32_t components, bits;
    bool is_signed;
    bool lossless; /* JPEG: SOF3 */
    enum {
        DCM_STREAM_UNSAID,
        DCM_STREAM_RGB,
        DCM_STREAM_YBR
    } color; /* JPEG: by component ids, APP14, JFIF */
} dcm_stream;

/* codec "jpeg", "jpegls", "j2k", "htj2k". Errors: MTM_E_CORRUPT (no frame or size marker). */
mtm_status dcm_stream_read(dcm_stream *out, const char *codec, const uint8_t *in, size_t n, mtm_error *err);

#endif
