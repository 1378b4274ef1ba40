/* format/dicom/data/parse.h: from bytes to the table of elements: the parser's state, shared by input.c (where its bytes
 * come from), parse.c (elements), fragments.c (values in fragments) deflated.c and file.c (what stands before the data set).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_DICOM_PARSE_H
#define MTM_DICOM_PARSE_H

#include "dataset.h"

enum {
    DCM_KEPT_BYTES = 64 << 10, /* longest value that is kept; longer ones are BULK */
    DCM_MOST_LEVELS = 2 * DCM_MOST_DEPTH + 1,
    DCM_ANY_GROUP = -1
};

#define DCM_UNDEFINED 0xFFFFFFFFu

/* An open sequence (its lines are items) or data set (its lines are elements). */
typedef struct dcm_level {
    uint64_t end;     /* UINT64_MAX: a delimiter ends it */
    int64_t last_tag; /* −1: none yet */
    int32_t line;     /* of the sequence or item; −1: the top level */
    bool is_sequence;
    bool implicit, big_endian;
    bool fresh; /* whether VRs stand in the file is still to be seen at its first element */
} dcm_level;

typedef struct dcm_parser {
    mtm_dicom *d;
    uint64_t at, end;      /* next byte; size of the input */
    const uint8_t *memory; /* the whole input; NULL: read from d->source */
    const uint8_t *view;   /* input bytes [view_at, view_end) */
    uint64_t view_at, view_end, loaded_bytes;
    int32_t n_unclear; /* elements whose VR the context decides */
    int32_t group;     /* only elements of this group are read; DCM_ANY_GROUP: all */
    bool stop_at_pixels, done;
    bool encapsulated; /* by the transfer syntax the pixel data lies in fragments */
    bool no_jump;      /* an offset table was wrong: the next one is not believed */
    bool odd_seen;     /* an odd length was told */
    bool partial;      /* the data set goes on behind the end of the input: no length is too long */
    int depth;
    dcm_level levels[DCM_MOST_LEVELS];
} dcm_parser;

/* input.c. n bytes at `at` as memory that lives as long as the data set; [at, at + n) lies in the input. */
mtm_status dcm_input_get(dcm_parser *p, uint64_t at, size_t n, const uint8_t **bytes, mtm_error *err);
/* Copies instead, and leaves the view where it is. */
mtm_status dcm_input_read(const dcm_parser *p, uint64_t at, void *dst, size_t n, mtm_error *err);

/* parse.c. Elements from p->at on, until the input ends, another group than p->group comes, or pixel data at which to stop.
 * implicit, big_endian: as the transfer syntax says. Errors: MTM_E_LIMIT (depth, header size), MTM_E_IO, MTM_E_NOMEM. */
mtm_status dcm_parse(dcm_parser *p, bool implicit, bool big_endian, mtm_error *err);
/* True when the two bytes are a VR of PS3.5 table 6.2-1. */
bool dcm_vr_known(const uint8_t vr[2]);

/* deflated.c. dcm_parse of a deflate stream from p->at on, which is then the input. Offsets count from its first inflated byte. Errors:
 * MTM_E_CORRUPT (broken stream), MTM_E_LIMIT, MTM_E_IO, MTM_E_NOMEM. */
mtm_status dcm_deflated_parse(dcm_parser *p, bool implicit, mtm_error *err);

/* fragments.c. The end of the items from p->at on, and the byte after the delimiter. */
mtm_status dcm_fragments_end(dcm_parser *p, bool big_endian, uint64_t *items_end, uint64_t *after,
                             mtm_error *err);
/* The next sequence delimiter from `from` on; without one the end of the input. */
mtm_status dcm_delimiter_find(const dcm_parser *p, uint64_t from, bool big_endian, uint64_t *items_end,
                              uint64_t *after, mtm_error *err);

/* unclear.c. Decides "US or SS", "OB or OW" and the like, which dcm_parse marked. */
void dcm_unclear_mark(mtm_dicom_element *e, const char *vr);
void dcm_unclear_decide(mtm_dicom *d);

static inline uint16_t dcm_u16(const uint8_t *b, bool big_endian)
{
    uint16_t x;

    memcpy(&x, b, sizeof x);
    return big_endian ? __builtin_bswap16(x) : x;
}

static inline uint32_t dcm_u32(const uint8_t *b, bool big_endian)
{
    uint32_t x;

    memcpy(&x, b, sizeof x);
    return big_endian ? __builtin_bswap32(x) : x;
}

static inline uint64_t dcm_u64(const uint8_t *b, bool big_endian)
{
    uint64_t x;

    memcpy(&x, b, sizeof x);
    return big_endian ? __builtin_bswap64(x) : x;
}

static inline uint32_t dcm_tag_at(const uint8_t *b, bool big_endian)
{
    return DCM_TAG(dcm_u16(b, big_endian), dcm_u16(b + 2, big_endian));
}

#endif
