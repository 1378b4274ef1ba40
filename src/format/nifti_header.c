/* format/nifti_header.c: NIfTI headers between bytes and struct, driven by one table of fields.
 * SPDX-License-Identifier: Apache-2.0 */
#include "nifti.h"

#include <stddef.h>

/* ---- fields -------------------------------------------------------------------------------------------- */

typedef enum file_type { ABSENT, U8, I16, I32, I64, F32, F64, TEXT } file_type;

typedef struct place {
    int16_t at; /* bytes from the header's beginning */
    int8_t type;
} place;

typedef struct field {
    uint16_t member; /* offset in nifti_header: int64_t, double, or char[] for TEXT */
    uint8_t count;
    bool real; /* the member is double */
    place analyze, v1, v2;
} field;

#define MEMBER(name) offsetof(nifti_header, name)
static const field fields[] = {
    /* member, count, double, Analyze 7.5, NIfTI-1, NIfTI-2 */
    {MEMBER(dim), 8, false, {40, I16}, {40, I16}, {16, I64}},
    {MEMBER(datatype), 1, false, {70, I16}, {70, I16}, {12, I16}},
    {MEMBER(bitpix), 1, false, {72, I16}, {72, I16}, {14, I16}},
    {MEMBER(pixdim), 8, true, {76, F32}, {76, F32}, {104, F64}},
    {MEMBER(vox_offset), 1, true, {108, F32}, {108, F32}, {168, I64}},
    {MEMBER(scl_slope), 1, true, {112, F32}, {112, F32}, {176, F64}},
    {MEMBER(scl_inter), 1, true, {116, F32}, {116, F32}, {184, F64}},
    {MEMBER(cal_max), 1, true, {124, F32}, {124, F32}, {192, F64}},
    {MEMBER(cal_min), 1, true, {128, F32}, {128, F32}, {200, F64}},
    {MEMBER(glmax), 1, false, {140, I32}, {140, I32}, {0, ABSENT}},
    {MEMBER(glmin), 1, false, {144, I32}, {144, I32}, {0, ABSENT}},
    {MEMBER(descrip), 80, false, {148, TEXT}, {148, TEXT}, {240, TEXT}},
    {MEMBER(aux_file), 24, false, {228, TEXT}, {228, TEXT}, {320, TEXT}},
    {MEMBER(dim_info), 1, false, {0, ABSENT}, {39, U8}, {524, U8}},
    {MEMBER(intent_p), 3, true, {0, ABSENT}, {56, F32}, {80, F64}},
    {MEMBER(intent_code), 1, false, {0, ABSENT}, {68, I16}, {504, I32}},
    {MEMBER(slice_start), 1, false, {0, ABSENT}, {74, I16}, {224, I64}},
    {MEMBER(slice_end), 1, false, {0, ABSENT}, {120, I16}, {232, I64}},
    {MEMBER(slice_code), 1, false, {0, ABSENT}, {122, U8}, {496, I32}},
    {MEMBER(xyzt_units), 1, false, {0, ABSENT}, {123, U8}, {500, I32}},
    {MEMBER(slice_duration), 1, true, {0, ABSENT}, {132, F32}, {208, F64}},
    {MEMBER(toffset), 1, true, {0, ABSENT}, {136, F32}, {216, F64}},
    {MEMBER(qform_code), 1, false, {0, ABSENT}, {252, I16}, {344, I32}},
    {MEMBER(sform_code), 1, false, {0, ABSENT}, {254, I16}, {348, I32}},
    {MEMBER(quatern), 3, true, {0, ABSENT}, {256, F32}, {352, F64}},
    {MEMBER(qoffset), 3, true, {0, ABSENT}, {268, F32}, {376, F64}},
    {MEMBER(srow), 12, true, {0, ABSENT}, {280, F32}, {400, F64}},
    {MEMBER(intent_name), 16, false, {0, ABSENT}, {328, TEXT}, {508, TEXT}},
};
#undef MEMBER

static place place_of(const field *f, nifti_version v)
{
    return v == NIFTI_2 ? f->v2 : v == NIFTI_1 ? f->v1 : f->analyze;
}

static int size_of(int8_t type)
{
    static const int8_t bytes[] = {0, 1, 2, 4, 8, 4, 8, 1};

    return bytes[type];
}

int64_t nifti_field_at(const nifti_header *h, size_t member, int i)
{
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        if (fields[k].member == member) {
            const place p = place_of(&fields[k], h->version);

            return p.at + (int64_t)i * size_of(p.type);
        }
    return -1;
}

int64_t nifti_header_bytes(const nifti_header *h)
{
    return h->version == NIFTI_2 ? NIFTI2_BYTES : NIFTI1_BYTES;
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

static uint64_t bits_load(const uint8_t *p, int bytes, bool big_endian)
{
    uint64_t u = 0;

    for (int i = 0; i < bytes; i++)
        u |= (uint64_t)p[big_endian ? bytes - 1 - i : i] << (8 * i);
    return u;
}

static int64_t integer_load(const uint8_t *p, int8_t type, bool big_endian)
{
    const uint64_t u = bits_load(p, size_of(type), big_endian);

    switch (type) {
    case I16: return (int16_t)u;
    case I32: return (int32_t)u;
    default: return (int64_t)u;
    }
}

static double real_load(const uint8_t *p, int8_t type, bool big_endian)
{
    const uint64_t u = bits_load(p, size_of(type), big_endian);
    const uint32_t u32 = (uint32_t)u;
    float f;
    double d;

    memcpy(&f, &u32, sizeof f);
    memcpy(&d, &u, sizeof d);
    return type == F32 ? f : type == F64 ? d : (double)(int64_t)u;
}

void nifti_header_parse(nifti_header *h, const uint8_t *bytes)
{
    uint8_t *const base = (uint8_t *)h;

    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        const field *const f = &fields[k];
        const place p = place_of(f, h->version);

        for (int i = 0; i < f->count && p.type != ABSENT; i++) {
            const uint8_t *const at = bytes + p.at + i * size_of(p.type);

            if (p.type == TEXT)
                base[f->member + i] = *at;
            else if (f->real)
                ((double *)(base + f->member))[i] = real_load(at, p.type, h->big_endian);
            else
                ((int64_t *)(base + f->member))[i] = integer_load(at, p.type, h->big_endian);
        }
    }
    if (h->version == NIFTI_ANALYZE) /* SPM99 keeps its origin in `originator` */
        for (int i = 0; i < 3; i++)
            h->origin[i] = (int16_t)bits_load(bytes + 253 + 2 * i, 2, h->big_endian);
}

/* ---- storing ------------------------------------------------------------------------------------------- */

static void number_store(uint8_t *to, int8_t type, double real, int64_t integer, bool is_real)
{
    const float f = (float)real;
    const int64_t i = !is_real ? integer : type < F32 ? (int64_t)real : 0; /* NaN goes to F32 and F64 only */
    const int16_t i16 = (int16_t)i;
    const int32_t i32 = (int32_t)i;

    switch (type) {
    case U8: *to = (uint8_t)i; break;
    case I16: memcpy(to, &i16, sizeof i16); break;
    case I32: memcpy(to, &i32, sizeof i32); break;
    case I64: memcpy(to, &i, sizeof i); break;
    case F32: memcpy(to, &f, sizeof f); break;
    default: memcpy(to, &real, sizeof real); break;
    }
}

void nifti_header_store(const nifti_header *h, uint8_t *bytes)
{
    const uint8_t *const base = (const uint8_t *)h;
    const int32_t size = (int32_t)nifti_header_bytes(h);

    memset(bytes, 0, (size_t)size);
    memcpy(bytes, &size, sizeof size);
    if (h->version == NIFTI_2) /* the tail tells when a transfer changed line ends */
        memcpy(bytes + 4, "n+2\0\r\n\032\n", 8);
    else
        memcpy(bytes + 344, "n+1", 4);
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        const field *const f = &fields[k];
        const place p = place_of(f, h->version);

        for (int i = 0; i < f->count && p.type != ABSENT; i++) {
            uint8_t *const at = bytes + p.at + i * size_of(p.type);

            if (p.type == TEXT)
                *at = base[f->member + i];
            else if (f->real)
                number_store(at, p.type, ((const double *)(base + f->member))[i], 0, true);
            else
                number_store(at, p.type, 0, ((const int64_t *)(base + f->member))[i], false);
        }
    }
}

/* ---- detection ----------------------------------------------------------------------------------------- */

/* The byte order in which the first word is the header's size, or, where that word is damaged, dim[0] is 1…7. */
static bool order_find(nifti_header *h, const uint8_t *head, uint32_t size)
{
    const place dim = place_of(&fields[0], h->version);

    for (int order = 0; order < 2; order++)
        if (bits_load(head, 4, order) == size) {
            h->big_endian = order;
            return true;
        }
    h->big_endian = false;
    for (int order = 0; order < 2; order++) {
        const int64_t n = integer_load(head + dim.at, dim.type, order);

        if (n >= 1 && n <= 7)
            h->big_endian = order;
    }
    return false;
}

bool nifti_header_detect(nifti_header *h, const uint8_t *head, size_t n)
{
    *h = (nifti_header){0};
    if (n >= NIFTI1_BYTES && (!memcmp(head + 344, "n+1", 4) || !memcmp(head + 344, "ni1", 4))) {
        h->version = NIFTI_1, h->pair = head[345] == 'i';
        order_find(h, head, NIFTI1_BYTES);
        return true;
    }
    if (n >= 12 && (!memcmp(head + 4, "n+2", 4) || !memcmp(head + 4, "ni2", 4))) {
        h->version = NIFTI_2, h->pair = head[5] == 'i';
        if (n >= 24)
            order_find(h, head, NIFTI2_BYTES);
        return true;
    }
    h->version = NIFTI_ANALYZE, h->pair = true;
    if (n >= NIFTI1_BYTES)
        return order_find(h, head, NIFTI1_BYTES);
    /* A header that was cut off: its size stands at the beginning. */
    return n >= 4 && (bits_load(head, 4, false) == NIFTI1_BYTES || bits_load(head, 4, true) == NIFTI1_BYTES);
}

/* ---- datatypes ----------------------------------------------------------------------------------------- */

static const nifti_type types[] = {
    {NIFTI_BINARY, 1, MTM_NONE, 1, false, "1-bit"},
    {NIFTI_UINT8, 8, MTM_U8, 1, false, "uint8"},
    {NIFTI_INT16, 16, MTM_I16, 1, false, "int16"},
    {NIFTI_INT32, 32, MTM_I32, 1, false, "int32"},
    {NIFTI_FLOAT32, 32, MTM_F32, 1, false, "float32"},
    {NIFTI_COMPLEX64, 64, MTM_F32, 2, true, "complex64"},
    {NIFTI_FLOAT64, 64, MTM_F64, 1, false, "float64"},
    {NIFTI_RGB24, 24, MTM_U8, 3, false, "RGB24"},
    {NIFTI_INT8, 8, MTM_I8, 1, false, "int8"},
    {NIFTI_UINT16, 16, MTM_U16, 1, false, "uint16"},
    {NIFTI_UINT32, 32, MTM_U32, 1, false, "uint32"},
    {NIFTI_INT64, 64, MTM_I64, 1, false, "int64"},
    {NIFTI_UINT64, 64, MTM_U64, 1, false, "uint64"},
    {NIFTI_FLOAT128, 128, MTM_NONE, 1, false, "float128"},
    {NIFTI_COMPLEX128, 128, MTM_F64, 2, true, "complex128"},
    {NIFTI_COMPLEX256, 256, MTM_NONE, 2, true, "complex256"},
    {NIFTI_RGBA32, 32, MTM_U8, 4, false, "RGBA32"},
};

const nifti_type *nifti_type_find(int64_t code)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].code == code)
            return &types[i];
    return NULL;
}

const nifti_type *nifti_type_for(mtm_dtype t, int channels)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == t && types[i].channels == channels && !types[i].complex)
            return &types[i];
    return NULL;
}
