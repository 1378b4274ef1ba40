/* format/dicom/data/build.h: a data set under construction: nodes in the order in which they came. build_values.c checks and adds
 * values, build.c keeps the levels and makes the table, build_text.c brings text into one character set.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_BUILD_H
#define MTM_DICOM_BUILD_H

#include "dataset.h"
#include "vr.h"

typedef struct dcm_node {
    uint32_t tag;
    char vr[4];
    uint16_t flags;
    bool removed; /* takes away what came before it with its tag */
    uint64_t length_bytes;
    int64_t offset_bytes; /* of what is referred to; −1 */
    const uint8_t *value;
    const mtm_dicom *from;     /* BULK, or offset_bytes ≥ 0: whose bytes */
    const mtm_dicom *copied;   /* where the element comes from; NULL: it was put */
    int32_t line;              /* its line there */
    int32_t first, last, next; /* children in order, next sibling; −1 */
} dcm_node;

struct mtm_dicom_builder {
    dcm_node *nodes; /* [0]: the root, an item */
    int32_t n, room;
    int32_t open[2 * DCM_MOST_DEPTH + 2]; /* root, sequence, item, … */
    int32_t depth;                        /* of the innermost open one in `open` */
    mtm_dicom *d; /* whose arena keeps the values; handed out in the end. NULL: nothing was put yet */
};

MTM_DEFINE_AUTO(mtm_dicom_builder, mtm_dicom_builder_free)

/* A node at the end of the open level; its fields are zeros but tag, vr and links. Errors: MTM_E_NOMEM, MTM_E_LIMIT, MTM_E_INVAL (no
 * item is open). */
mtm_status dcm_node_add(mtm_dicom_builder *b, uint32_t tag, const char *vr, dcm_node **out, mtm_error *err);
/* As mtm_dicom_put, of memory that outlives the data set. */
mtm_status dcm_put_borrowed(mtm_dicom_builder *b, uint32_t tag, const char *vr, const void *value,
                            size_t size_bytes, mtm_error *err);
/* x as a DS says it: rounded to what 16 characters hold. */
double dcm_ds_nearest(double x);
/* Copies every element of an item (NULL: the top level), group lengths left out. */
mtm_status dcm_copy_all(mtm_dicom_builder *b, const mtm_dicom *d, const mtm_dicom_element *item,
                        mtm_error *err);

/* ---- text (build_text.c) ------------------------------------------------------------------------------ */

/* The character set of an element as its own (0008,0005), or the nearest above it, says; "" when none does. */
void dcm_character_set_of(const mtm_dicom *d, const mtm_dicom_element *e, char *buf, size_t room);
/* True where the bytes mean the same in every character set. */
bool dcm_text_is_plain(const uint8_t *s, uint64_t n);
/* UTF-8 as bytes of `charset` (of its first value), in the arena. *fits false: it has characters that the set has not, or
 * the set is none that is written. */
mtm_status dcm_text_encode(dcm_arena *a, const char *charset, const char *utf8, size_t n, const uint8_t **out,
                           uint64_t *size_bytes, bool *fits, mtm_error *err);
/* Characters of UTF-8; −1: it is none. */
int64_t dcm_utf8_chars(const char *s, size_t n);

#endif
