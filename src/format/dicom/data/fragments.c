/* format/dicom/data/fragments.c: where a value in fragments ends (PS3.5 A.4), without its bytes. A slide has hundred
 * thousands of fragments: where an offset table says where the last frame begins, only what follows is walked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

enum {
    CHUNK_BYTES = 4096,
    FAR_BYTES = 64, /* between long fragments only their headers are worth a look */
    SCAN_BYTES = 64 << 10
};

/* A look at the input that keeps the bytes around it: short fragments lie side by side. */
typedef struct peek {
    const dcm_parser *p;
    uint64_t at, end; /* of `bytes` */
    uint8_t bytes[CHUNK_BYTES];
} peek;

static mtm_status peek_header(peek *k, uint64_t at, bool big_endian, uint32_t *tag, uint32_t *length,
                              mtm_error *err)
{
    if (at < k->at || at + 8 > k->end) {
        const uint64_t left = k->p->end - at;
        const size_t wanted = at < k->end + CHUNK_BYTES ? CHUNK_BYTES : FAR_BYTES;
        const size_t n = left < wanted ? (size_t)left : wanted;

        MTM_TRY(dcm_input_read(k->p, at, k->bytes, n, err));
        k->at = at, k->end = at + n;
    }
    *tag = dcm_tag_at(k->bytes + (at - k->at), big_endian);
    *length = dcm_u32(k->bytes + (at - k->at) + 4, big_endian);
    return MTM_OK;
}

/* From item to item. *ok: a delimiter came; else *items_end is where no item stands, or the end of the input. */
static mtm_status items_walk(peek *k, uint64_t at, bool big_endian, uint64_t *items_end, bool *ok,
                             mtm_error *err)
{
    uint32_t tag, length;

    *ok = false;
    while (k->p->end - at >= 8) {
        MTM_TRY(peek_header(k, at, big_endian, &tag, &length, err));
        *items_end = at;
        if (tag == DCM_SEQUENCE_END) {
            *ok = true;
            return MTM_OK;
        }
        if (tag != DCM_ITEM)
            return MTM_OK;
        if (length > k->p->end - at - 8) {
            *items_end = k->p->end;
            return MTM_OK;
        }
        at += 8 + (uint64_t)length;
    }
    *items_end = k->p->end;
    return MTM_OK;
}

/* The last offset of the extended offset table (PS3.3 C.7.6.3.1.8), which stands right before the pixel data. */
static mtm_status extended_last(const dcm_parser *p, uint64_t *offset, mtm_error *err)
{
    const uint32_t extended_offset_table = 0x7FE00001;

    for (int32_t i = p->d->n - 1; i >= 0 && i >= p->d->n - 3; i--) {
        const mtm_dicom_element *const e = &p->d->elements[i];
        uint8_t b[8];

        if (e->tag != extended_offset_table || e->length_bytes < 8)
            continue;
        MTM_TRY(
            dcm_input_read(p, (uint64_t)e->offset_bytes + (e->length_bytes & ~(uint64_t)7) - 8, b, 8, err));
        *offset = dcm_u64(b, e->flags & MTM_DICOM_BIG_ENDIAN);
        return MTM_OK;
    }
    return MTM_OK;
}

/* The item that an offset table names as the last frame's first; 0: none, or a table that is wrong. */
static mtm_status last_frame(peek *k, uint64_t at, bool big_endian, uint64_t *last, mtm_error *err)
{
    const dcm_parser *const p = k->p;
    uint64_t offset = 0, first;
    uint32_t tag, length;
    uint8_t b[4];

    *last = 0;
    if (p->end - at < 8)
        return MTM_OK;
    MTM_TRY(peek_header(k, at, big_endian, &tag, &length, err));
    if (tag != DCM_ITEM || length > p->end - at - 8)
        return MTM_OK;
    first = at + 8 + length;
    if (length >= 4 && length % 4 == 0) {
        MTM_TRY(dcm_input_read(p, first - 4, b, 4, err));
        offset = dcm_u32(b, big_endian);
    } else {
        MTM_TRY(extended_last(p, &offset, err));
    }
    if (offset == 0 || p->end - first < 8 || offset > p->end - first - 8)
        return MTM_OK;
    MTM_TRY(peek_header(k, first + offset, big_endian, &tag, &length, err));
    if (tag == DCM_ITEM)
        *last = first + offset;
    return MTM_OK;
}

mtm_status dcm_fragments_end(dcm_parser *p, bool big_endian, uint64_t *items_end, uint64_t *after,
                             mtm_error *err)
{
    peek k = {.p = p};
    uint64_t last = 0;
    bool ok = false;

    if (!p->no_jump)
        MTM_TRY(last_frame(&k, p->at, big_endian, &last, err));
    if (last > 0) {
        MTM_TRY(items_walk(&k, last, big_endian, items_end, &ok, err));
        p->no_jump = !ok;
    }
    if (!ok)
        MTM_TRY(items_walk(&k, p->at, big_endian, items_end, &ok, err));
    if (ok) {
        *after = *items_end + 8;
        return MTM_OK;
    }
    if (*items_end < p->end) {
        dcm_warn(p->d, "no fragment stands at byte %" PRIu64 ", where the one before it ends", *items_end);
        return dcm_delimiter_find(p, *items_end, big_endian, items_end, after, err);
    }
    dcm_warn(p->d, "the file ends after %" PRIu64 " bytes inside the fragments that begin at byte %" PRIu64,
             p->end, p->at);
    *after = p->end;
    return MTM_OK;
}

mtm_status dcm_delimiter_find(const dcm_parser *p, uint64_t from, bool big_endian, uint64_t *items_end,
                              uint64_t *after, mtm_error *err)
{
    static const uint8_t little[4] = {0xFE, 0xFF, 0xDD, 0xE0}, big[4] = {0xFF, 0xFE, 0xE0, 0xDD};
    const uint8_t *const wanted = big_endian ? big : little;
    MTM_AUTO_MEM uint8_t *bytes = mtm_alloc(SCAN_BYTES);

    if (!bytes)
        return MTM_NOMEM(err);
    while (p->end - from >= 8) {
        const size_t n = p->end - from < SCAN_BYTES ? (size_t)(p->end - from) : SCAN_BYTES;
        const uint8_t *found;

        MTM_TRY(dcm_input_read(p, from, bytes, n, err));
        found = memmem(bytes, n - 4, wanted, 4);
        if (found) {
            *items_end = from + (uint64_t)(found - bytes);
            *after = *items_end + 8;
            return MTM_OK;
        }
        from += n - 7;
    }
    dcm_warn(p->d,
             "the value of undefined length has no delimiter before the end of the file, after %" PRIu64
             " bytes",
             p->end);
    *items_end = *after = p->end;
    return MTM_OK;
}
