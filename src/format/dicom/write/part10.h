/* format/dicom/write/part10.h: a data set as a Part 10 file (PS3.10 7): meta.c writes its head, part10.c the elements, write.c
 * decides what happens to the pixels, transcode.c brings them into another syntax.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_PART10_H
#define MTM_DICOM_PART10_H

#include "format/dicom/data/dataset.h"
#include "format/dicom/data/syntax.h"
#include "out.h"

enum {
    DCM_SOP_CLASS = 0x00080016,
    DCM_SOP_INSTANCE = 0x00080018,
    DCM_OFFSET_TABLE = 0x7FE00001,
    DCM_OFFSET_LENGTHS = 0x7FE00002
};

/* What takes the place of the data set's own pixel data, and of its extended offset table. */
typedef struct dcm_new_pixels {
    mtm_status (*put)(void *user, dcm_out *o, mtm_error *err);
    void *user;
} dcm_new_pixels;

/* Where the value of a top-level element came to lie, so that it can be written again. */
typedef struct dcm_watch {
    uint32_t tag;
    uint64_t at, size_bytes; /* of the value in the file, without padding; 0: not written */
} dcm_watch;

typedef struct dcm_part10 {
    const mtm_dicom *d;
    const dcm_syntax *to;
    const char *uid_root;         /* NULL: "2.25." */
    const dcm_new_pixels *pixels; /* NULL: its own */
    dcm_watch *watch;             /* NULL: none */
    uint64_t
        *size_bytes; /* [n] of each line as it will be written with headers and delimiters; 0: left out */
    uint8_t *plan;   /* [n] DCM_PLAN_… */
} dcm_part10;

enum {
    DCM_PLAN_IMPLICIT = 1 /* inside UN: implicit little endian */,
    DCM_PLAN_UNDEFINED = 2,
    DCM_PLAN_AS_UN = 4
};

/* The data set, with `pixels` in place of its own where not NULL, into a writer; then a dcm_part10_put. */
mtm_status dcm_write_to(mtm_writer *w, const mtm_dicom *d, const dcm_syntax *to, const char *uid_root,
                        const dcm_new_pixels *pixels, dcm_watch *watch, mtm_error *err);
/* Preamble, "DICM" and group 2. Errors: MTM_E_INVAL (no SOP class). */
mtm_status dcm_meta_put(const dcm_part10 *p, dcm_out *o, mtm_error *err);
/* The whole file. Errors: MTM_E_INVAL, MTM_E_UNSUPPORTED (a DICOMDIR; a value longer than its length field), MTM_E_IO, and those of
 * reading the source. */
mtm_status dcm_part10_put(dcm_part10 *p, dcm_out *o, mtm_error *err);

/* Bytes of line i, wherever they lie. */
mtm_status dcm_line_bytes(const mtm_dicom *d, int32_t i, uint64_t from, void *dst, size_t n, mtm_error *err);
/* Bytes of the units that a value's byte order turns; pixel data: of a sample. */
size_t dcm_unit_bytes(const mtm_dicom *d, const mtm_dicom_element *e);
void dcm_turn(uint8_t *p, size_t n, size_t unit_bytes);

/* The UID that stands for this implementation (PS3.7 D.3.3.2). out: 65 bytes. */
mtm_status dcm_implementation_uid(char out[65], const char *root, mtm_error *err);

#endif
