/* format/dicom/pixel/photometric.c: from the photometric interpretation (PS3.3 C.7.6.3.1.2) to gray or RGB.
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <math.h>

typedef struct photometric {
    const char *name;
    int32_t samples;
    dcm_color color;
    bool j2k_only;   /* the transform that the codec of JPEG 2000 undoes */
    const char *not; /* why it is not converted; NULL: it is */
} photometric;

static const photometric table[] = {
    {"MONOCHROME1", 1, DCM_COLOR_AS_IS, false, NULL},
    {"MONOCHROME2", 1, DCM_COLOR_AS_IS, false, NULL},
    {"PALETTE COLOR", 1, DCM_COLOR_PALETTE, false, NULL},
    {"RGB", 3, DCM_COLOR_AS_IS, false, NULL},
    {"YBR_FULL", 3, DCM_COLOR_FULL, false, NULL},
    {"YBR_FULL_422", 3, DCM_COLOR_FULL, false, NULL},
    {"YBR_PARTIAL_422", 3, DCM_COLOR_PARTIAL, false, NULL},
    {"YBR_PARTIAL_420", 3, DCM_COLOR_PARTIAL, false, NULL},
    {"YBR_ICT", 3, DCM_COLOR_AS_IS, true, NULL},
    {"YBR_RCT", 3, DCM_COLOR_AS_IS, true, NULL},
    {"XYB", 3, DCM_COLOR_AS_IS, false, "belongs to JPEG XL"},
    {"HSV", 3, DCM_COLOR_AS_IS, false, "is retired"},
    {"ARGB", 4, DCM_COLOR_AS_IS, false, "is retired"},
    {"CMYK", 4, DCM_COLOR_AS_IS, false, "is retired"},
};

mtm_status dcm_color_find(const mtm_dicom_pixels *p, bool from_j2k, dcm_color *out, mtm_error *err)
{
    const size_t n = sizeof table / sizeof *table;
    size_t i = 0;

    while (i < n && strcmp(table[i].name, p->photometric))
        i++;
    if (i == n)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "photometric interpretation \"%s\" is not known; raw reads give its samples",
                        p->photometric);
    if (table[i].not)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "photometric interpretation %s %s and not converted; raw reads give its samples",
                        p->photometric, table[i].not);
    if (table[i].samples != p->samples)
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "photometric interpretation %s has %d samples per pixel, not %d", p->photometric,
                        table[i].samples, p->samples);
    if (table[i].j2k_only && !from_j2k)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "photometric interpretation %s outside of JPEG 2000; raw reads give its samples",
                        p->photometric);
    *out = table[i].color;
    return MTM_OK;
}

static inline uint8_t clamp_u8(int32_t x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

/* Coefficients in 2⁻²². The half that rounds is a little more than one, so that ties go up however a factor was rounded. */
enum { ONE = 1 << 22, HALF = ONE / 2 + 128 };

static void full_u8(uint8_t *dst, const uint8_t *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int32_t y = src[3 * i] * ONE + HALF, b = src[3 * i + 1] - 128, r = src[3 * i + 2] - 128;

        dst[3 * i] = clamp_u8((y + 5880414 * r) >> 22); /* 1.402 */
        dst[3 * i + 1] =
            clamp_u8((y - 1443412 * b - 2995305 * r) >> 22); /* 0.114·1.772/0.587, 0.299·1.402/0.587 */
        dst[3 * i + 2] = clamp_u8((y + 7432307 * b) >> 22);  /* 1.772 */
    }
}

/* The inverse of the 601 matrix at any depth: middle and range scale with it. */
static inline void convert(double *rgb, double y, double b, double r, int bits, bool partial)
{
    const double step = ldexp(1, bits - 8);

    if (partial) {
        const double luma = 255.0 / 219 * (y - 16 * step), chroma = 255.0 / 224;

        y = luma, b *= chroma, r *= chroma;
    }
    rgb[0] = y + 1.402 * r;
    rgb[1] = y - 0.114 * 1.772 / 0.587 * b - 0.299 * 1.402 / 0.587 * r;
    rgb[2] = y + 1.772 * b;
}

static void any(void *dst, const void *src, size_t n, int size_bytes, int bits, bool partial)
{
    const double middle = ldexp(1, bits - 1), top = ldexp(1, bits) - 1;
    const uint8_t *const s8 = src;
    const uint16_t *const s16 = src;

    for (size_t i = 0; i < 3 * n; i += 3) {
        double c[3], rgb[3];

        for (int k = 0; k < 3; k++)
            c[k] = size_bytes == 1 ? s8[i + (size_t)k] : s16[i + (size_t)k];
        convert(rgb, c[0], c[1] - middle, c[2] - middle, bits, partial);
        for (int k = 0; k < 3; k++) {
            const double x = floor(rgb[k] + 0.5), v = x < 0 ? 0 : x > top ? top : x;

            if (size_bytes == 1)
                ((uint8_t *)dst)[i + (size_t)k] = (uint8_t)v;
            else
                ((uint16_t *)dst)[i + (size_t)k] = (uint16_t)v;
        }
    }
}

void dcm_ybr_to_rgb(void *dst, const void *src, size_t n, int size_bytes, int bits, bool partial)
{
    if (size_bytes == 1 && bits == 8 && !partial)
        full_u8(dst, src, n);
    else
        any(dst, src, n, size_bytes, bits, partial);
}
