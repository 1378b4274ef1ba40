/* tests/unit/dicom_bytes.h: DICOM files written byte by byte, as the tests need them: right ones and wrong ones.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_DICOM_BYTES_H
#define MTM_TESTS_DICOM_BYTES_H

#include <string.h>

#include "microtome/dicom.h"
#include "unit.h"

#define LITTLE_IMPLICIT "1.2.840.10008.1.2"
#define LITTLE_EXPLICIT "1.2.840.10008.1.2.1"
#define DEFLATED        "1.2.840.10008.1.2.1.99"
#define BIG_EXPLICIT    "1.2.840.10008.1.2.2"
#define JPEG_BASELINE   "1.2.840.10008.1.2.4.50"

enum { DCM_ROOM = 1 << 18 };
#define UNDEFINED_LENGTH 0xFFFFFFFFu

/* Grows at the end; what follows is written as implicit and big_endian say. */
typedef struct dicom_bytes {
    uint8_t b[DCM_ROOM];
    size_t n;
    bool implicit, big_endian;
} dicom_bytes;

static inline void put_raw(dicom_bytes *o, const void *p, size_t n)
{
    assert_true(n <= sizeof o->b - o->n);
    memcpy(o->b + o->n, p, n);
    o->n += n;
}

static inline void put_u16(dicom_bytes *o, uint32_t x)
{
    const uint8_t little[2] = {(uint8_t)x, (uint8_t)(x >> 8)}, big[2] = {(uint8_t)(x >> 8), (uint8_t)x};

    put_raw(o, o->big_endian ? big : little, 2);
}

static inline void put_u32(dicom_bytes *o, uint32_t x)
{
    put_u16(o, o->big_endian ? x >> 16 : x & 0xFFFF);
    put_u16(o, o->big_endian ? x & 0xFFFF : x >> 16);
}

static inline void put_tag(dicom_bytes *o, uint32_t tag)
{
    put_u16(o, tag >> 16);
    put_u16(o, tag & 0xFFFF);
}

/* vr NULL: an item or delimiter. */
static inline void put_header(dicom_bytes *o, uint32_t tag, const char *vr, uint32_t length)
{
    put_tag(o, tag);
    if (!vr || o->implicit) {
        put_u32(o, length);
        return;
    }
    put_raw(o, vr, 2);
    if (strstr("OB OD OF OL OV OW SQ SV UC UN UR UT UV", vr)) {
        put_u16(o, 0);
        put_u32(o, length);
    } else {
        put_u16(o, length);
    }
}

static inline void put_element(dicom_bytes *o, uint32_t tag, const char *vr, const void *value, size_t n)
{
    put_header(o, tag, vr, (uint32_t)n);
    put_raw(o, value, n);
}

/* Padded to an even length as PS3.5 6.2 says. */
static inline void put_text(dicom_bytes *o, uint32_t tag, const char *vr, const char *text)
{
    const size_t n = strlen(text);

    put_header(o, tag, vr, (uint32_t)(n + n % 2));
    put_raw(o, text, n);
    if (n % 2)
        put_raw(o, vr[0] == 'U' && vr[1] == 'I' ? "" : " ", 1);
}

static inline void put_us(dicom_bytes *o, uint32_t tag, uint16_t x)
{
    put_header(o, tag, "US", 2);
    put_u16(o, x);
}

static inline void put_item(dicom_bytes *o, uint32_t length)
{
    put_header(o, 0xFFFEE000u, NULL, length);
}

static inline void put_item_end(dicom_bytes *o)
{
    put_header(o, 0xFFFEE00Du, NULL, 0);
}

static inline void put_sequence_end(dicom_bytes *o)
{
    put_header(o, 0xFFFEE0DDu, NULL, 0);
}

/* Preamble, prefix, group 2; the data set follows in the syntax's own order. */
static inline void put_meta(dicom_bytes *o, const char *syntax)
{
    const size_t n = strlen(syntax);

    *o = (dicom_bytes){.n = 128};
    put_raw(o, "DICM", 4);
    put_header(o, 0x00020000, "UL", 4);
    put_u32(o, (uint32_t)(8 + n + n % 2));
    put_text(o, 0x00020010, "UI", syntax);
    o->implicit = !strcmp(syntax, LITTLE_IMPLICIT);
    o->big_endian = !strcmp(syntax, BIG_EXPLICIT);
}

static inline mtm_status bytes_open(mtm_dicom **d, const dicom_bytes *o, mtm_error *err)
{
    return mtm_dicom_open_memory(d, o->b, o->n, "test.dcm", NULL, err);
}

/* A warning holds this. */
static inline bool was_told(const mtm_dicom *d, const char *part)
{
    for (int32_t i = 0; i < mtm_dicom_warning_count(d); i++)
        if (strstr(mtm_dicom_warning_get(d, i), part))
            return true;
    return false;
}

#endif
