/* kernel/row.c: loads a row of any dtype and stride as float32.
 * SPDX-License-Identifier: Apache-2.0 */
#include "row.h"

#include <string.h>

mtm_row_type mtm_row_type_of(mtm_dtype dtype)
{
    switch (dtype) {
    case MTM_U8:
    case MTM_BOOL: return MTM_ROW_U8;
    case MTM_I8: return MTM_ROW_I8;
    case MTM_U16: return MTM_ROW_U16;
    case MTM_I16: return MTM_ROW_I16;
    case MTM_F32: return MTM_ROW_F32;
    default: return MTM_N_ROW_TYPES;
    }
}

/* IEEE 754 binary16, exactly: the exponent is moved by a multiplication, which also handles subnormals. */
static float half_to_float(uint16_t h)
{
    const uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
    const bool special = (h & 0x7c00) == 0x7c00; /* Inf, NaN */
    uint32_t bits = special ? magnitude | 0x7f800000u : magnitude;
    float f;

    memcpy(&f, &bits, sizeof f);
    if (!special)
        f *= 0x1p112f;
    memcpy(&bits, &f, sizeof bits);
    bits |= sign;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#define LOAD_ROW(type, convert)                                                                              \
    for (int64_t i = 0; i < n; i++) {                                                                        \
        type v;                                                                                              \
                                                                                                             \
        memcpy(&v, from + i * stride, sizeof v);                                                             \
        out[i] = convert(v);                                                                                 \
    }                                                                                                        \
    break

void mtm_row_load(float *out, const void *src, mtm_dtype dtype, int64_t stride, int64_t n)
{
    const char *const from = src;

    if (dtype == MTM_F32 &&
        stride == -(int64_t)sizeof(float)) { /* of a flipped picture: a loop for vectors */
        const char *const last = from + (n - 1) * stride;

        for (int64_t i = 0; i < n; i++)
            memcpy(&out[i], last + (n - 1 - i) * (int64_t)sizeof(float), sizeof *out);
        return;
    }
    switch (dtype) {
    case MTM_U8:
    case MTM_BOOL: LOAD_ROW(uint8_t, (float));
    case MTM_I8: LOAD_ROW(int8_t, (float));
    case MTM_U16: LOAD_ROW(uint16_t, (float));
    case MTM_I16: LOAD_ROW(int16_t, (float));
    case MTM_U32: LOAD_ROW(uint32_t, (float));
    case MTM_I32: LOAD_ROW(int32_t, (float));
    case MTM_U64: LOAD_ROW(uint64_t, (float));
    case MTM_I64: LOAD_ROW(int64_t, (float));
    case MTM_F16: LOAD_ROW(uint16_t, half_to_float);
    case MTM_F32: LOAD_ROW(float, (float));
    case MTM_F64: LOAD_ROW(double, (float));
    default: break;
    }
}
