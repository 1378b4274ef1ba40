/* format/dicom/data/dataset.h: a data set from inside: one table of elements in file order, and the memory their values
 * point into. parse.c fills it, build.c makes one from parts; all others only read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_DATASET_H
#define MTM_DICOM_DATASET_H

#include "base/mem.h"
#include "io/source.h"
#include "microtome/dicom.h"

#define DCM_TAG(group, element) ((uint32_t)(group) << 16 | (uint32_t)(element))

enum { /* the tags that the library itself looks at */
       DCM_TRANSFER_SYNTAX = 0x00020010,
       DCM_CHARACTER_SET = 0x00080005,
       DCM_FLOAT_PIXELS = 0x7FE00008,
       DCM_DOUBLE_PIXELS = 0x7FE00009,
       DCM_PIXELS = 0x7FE00010,
       DCM_ITEM = 0xFFFEE000u,
       DCM_ITEM_END = 0xFFFEE00Du,
       DCM_SEQUENCE_END = 0xFFFEE0DDu
};

enum { DCM_MOST_DEPTH = 64 /* sequences inside sequences */, DCM_MOST_WARNINGS = 64 };

/* Memory that is only given back as a whole. */
typedef struct dcm_arena {
    struct dcm_block *blocks; /* newest first */
    size_t used, room;        /* of the newest */
} dcm_arena;

void *dcm_arena_get(dcm_arena *a, size_t size_bytes); /* 8-byte aligned; NULL: out of memory */
void dcm_arena_free(dcm_arena *a);
void dcm_arena_reset(dcm_arena *a); /* empty again, with its largest block */

struct mtm_dicom {
    mtm_dicom_element *elements; /* [n] */
    int32_t n, room;
    char transfer_syntax
        [68];           /* of the data set as it lies in the file or, of a built one, as it will be written */
    mtm_source *source; /* NULL: built */
    uint8_t *inflated;  /* a deflated data set (offsets count from its first byte); NULL: none */
    uint64_t inflated_bytes;
    const mtm_dicom **from; /* [n], built: whose file a BULK value's offset_bytes means; NULL: own */
    char *path;
    mtm_limits limits;
    bool unsorted;             /* somewhere tags do not ascend, or occur twice: look-up is then linear */
    bool implicit, big_endian; /* how the data set (without its meta information) is written */
    int64_t data_at;           /* first byte of the data set, behind the file meta information */
    dcm_arena arena;           /* values, names, warnings */
    const char *warnings[DCM_MOST_WARNINGS];
    int32_t n_warnings;
    uint64_t file_bytes;  /* of the file it was read from */
    bool pixels_left_out; /* stop_at_pixels: the file has pixel data */
};

MTM_DEFINE_AUTO(mtm_dicom, mtm_dicom_close)

/* A new one without elements. */
mtm_status dcm_new(mtm_dicom **out, const char *path, const mtm_limits *limits, mtm_error *err);
/* Kept until DCM_MOST_WARNINGS are there. No patient data: tags, lengths and offsets only. */
void dcm_warn(mtm_dicom *d, const char *fmt, ...) MTM_PRINTF(2, 3);

/* The same over a source, which is taken in any case. */
mtm_status dcm_open_source(mtm_dicom **out, mtm_source *source, const mtm_dicom_options *opt, mtm_error *err);
/* mtm_dicom_open into the memory of *d, opened before and no longer needed (NULL: a new one): scans of many headers. After a failure
 * *d is good for another dcm_reopen and mtm_dicom_close only. */
mtm_status dcm_reopen(mtm_dicom **d, const char *path, const mtm_dicom_options *opt, mtm_error *err);
/* True when the first bytes are those of a Part 10 file, or plausibly of a data set without one. */
bool dcm_detect(const uint8_t *head, size_t n);

/* Element by tag, straight to its value: `fallback` where it is absent, empty, or no number. */
int64_t dcm_i64(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, int64_t fallback);
double dcm_f64(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, double fallback);
/* Exactly n numbers; false: fewer, or not finite. */
bool dcm_f64s(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, double *out, int n);
/* All numbers of an element, BULK ones too, in new memory (mtm_free); text that is no number: NaN. Errors: MTM_E_NOMEM, MTM_E_IO,
 * MTM_E_LIMIT, MTM_E_INVAL (a VR without numbers). */
mtm_status dcm_numbers(const mtm_dicom *d, const mtm_dicom_element *e, double **out, int64_t *n,
                       mtm_error *err);
/* First value; buf "" when absent. */
bool dcm_ascii(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag, char *buf, size_t room);
/* For messages: the UID's name, else itself; what is no UID may be anything, a patient's name too, and is not shown. */
const char *dcm_uid_name(const char *uid);
/* First item of the sequence `tag`; NULL: none. */
const mtm_dicom_element *dcm_first_item(const mtm_dicom *d, const mtm_dicom_element *item, uint32_t tag);

/* e's VR is one of a list like "PN DA ". */
static inline bool dcm_vr_in(const mtm_dicom_element *e, const char *list)
{
    for (; *list; list += 3)
        if (!memcmp(e->vr, list, 2))
            return true;
    return false;
}

static inline int32_t dcm_index(const mtm_dicom *d, const mtm_dicom_element *e)
{
    return (int32_t)(e - d->elements);
}

/* Walks siblings: for (i = dcm_child(d, parent); i < end; i = dcm_next(d, i)). */
static inline int32_t dcm_next(const mtm_dicom *d, int32_t i)
{
    return i + 1 + d->elements[i].inside;
}

/* The item after `item` (NULL: the first) of a sequence; NULL: none. mtm_dicom_item counts from the first each time. */
static inline const mtm_dicom_element *dcm_item_next(const mtm_dicom *d, const mtm_dicom_element *sequence,
                                                     const mtm_dicom_element *item)
{
    const int32_t at = item ? dcm_next(d, dcm_index(d, item)) : dcm_index(d, sequence) + 1;

    return at < dcm_next(d, dcm_index(d, sequence)) ? &d->elements[at] : NULL;
}

#endif
