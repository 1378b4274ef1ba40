/* format/dicom/pixel/palette.c: palette color lookup tables (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6), whole and segmented (C.7.9.2).
 * SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <math.h>

enum {
    RED_DESCRIPTOR = 0x00281101, /* green, blue and alpha follow */
    RED_DATA = 0x00281201,
    RED_SEGMENTS = 0x00281221,
    MOST_ENTRIES = 1 << 16,
    MOST_SEGMENT_BYTES = 4 << 20 /* no table of 65536 entries needs more */
};

static const char *const channel_name[] = {"red", "green", "blue", "alpha"};

/* ---- segments ----------------------------------------------------------------------------------------- */

enum { DISCRETE, LINEAR, INDIRECT };

typedef struct expansion {
    uint16_t *dst;
    int32_t n, room;
    const uint16_t *in;
    size_t n_in;
} expansion;

static mtm_status segment_error(mtm_error *err, const char *what)
{
    return mtm_fail(err, MTM_E_CORRUPT, -1, "a segmented palette %s", what);
}

/* One discrete or linear segment, from *at on. Each makes at least one entry, so at most `room` are done. */
static mtm_status expand_one(expansion *x, size_t *at, mtm_error *err)
{
    const uint16_t *const s = x->in + *at;
    const size_t left = x->n_in - *at;
    const int32_t n = s[1];

    if (n == 0 || n > x->room - x->n)
        return segment_error(err, n ? "makes more entries than its descriptor says" : "has an empty segment");
    if (s[0] == DISCRETE) {
        if (left - 2 < (size_t)n)
            return segment_error(err, "ends inside a segment");
        memcpy(x->dst + x->n, s + 2, (size_t)n * sizeof *s);
        *at += 2 + (size_t)n;
    } else {
        if (left < 3)
            return segment_error(err, "ends inside a segment");
        if (x->n == 0)
            return segment_error(err, "begins with a linear segment");
        const double from = x->dst[x->n - 1], step = ((double)s[2] - from) / n;

        for (int32_t i = 0; i < n; i++)
            x->dst[x->n + i] = i == n - 1 ? s[2] : (uint16_t)rint(from + step * (i + 1));
        *at += 3;
    }
    x->n += n;
    return MTM_OK;
}

/* Segments that stand elsewhere in the table, again; they may not be indirect themselves. */
static mtm_status expand_indirect(expansion *x, size_t *at, int byte_step, mtm_error *err)
{
    const size_t words = byte_step == 1 ? 4 : 2, left = x->n_in - *at - 2;
    const uint16_t *const s = x->in + *at;
    uint64_t offset;
    size_t from;

    if (left < words)
        return segment_error(err, "ends inside a segment");
    offset = byte_step == 1 ? s[2] | (uint64_t)s[3] << 8 | (uint64_t)s[4] << 16 | (uint64_t)s[5] << 24
                            : s[2] | (uint64_t)s[3] << 16;
    from = (size_t)(offset / (uint64_t)byte_step);
    if (x->n == 0)
        return segment_error(err, "begins with an indirect segment");
    for (int32_t i = 0; i < s[1]; i++) {
        if (from + 2 > x->n_in || x->in[from] > LINEAR)
            return segment_error(err, "has an indirect segment that points to no segment");
        MTM_TRY(expand_one(x, &from, err));
    }
    *at += 2 + words;
    return MTM_OK;
}

mtm_status dcm_segments_expand(uint16_t *dst, int32_t entries, const uint16_t *in, size_t n, int byte_step,
                               mtm_error *err)
{
    expansion x = {.dst = dst, .room = entries, .in = in, .n_in = n};
    size_t at = 0;

    while (x.n < entries) {
        if (n - at < 2)
            return segment_error(err, "makes fewer entries than its descriptor says");
        if (in[at] > INDIRECT)
            return segment_error(err, "has a segment of unknown type");
        if (in[at] == INDIRECT)
            MTM_TRY(expand_indirect(&x, &at, byte_step, err));
        else
            MTM_TRY(expand_one(&x, &at, err));
    }
    return MTM_OK;
}

/* ---- tables of a data set ----------------------------------------------------------------------------- */

typedef struct descriptor {
    int32_t entries, first, bits;
} descriptor;

static uint16_t word(const uint8_t *b, bool big_endian)
{
    return (uint16_t)(big_endian ? b[0] << 8 | b[1] : b[1] << 8 | b[0]);
}

/* Number of entries (0: 65536), value of the first, bits of an entry. */
static mtm_status read_descriptor(descriptor *out, const mtm_dicom *d, int channel, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, RED_DESCRIPTOR + (uint32_t)channel);
    const bool big_endian = e && e->flags & MTM_DICOM_BIG_ENDIAN;
    uint8_t b[6];

    if (!e || e->length_bytes < sizeof b)
        return mtm_fail(err, MTM_E_CORRUPT, -1, "the palette has no descriptor for %s",
                        channel_name[channel]);
    MTM_TRY(mtm_dicom_value_read(d, e, 0, b, sizeof b, err));
    out->entries = word(b, big_endian) ? word(b, big_endian) : MOST_ENTRIES;
    out->first = word(b + 2, big_endian);
    if (dcm_i64(d, NULL, DCM_REPRESENTATION, 0) == 1)
        out->first = (int16_t)out->first;
    out->bits = word(b + 4, big_endian);
    if (out->bits != 8 && out->bits != 16)
        return mtm_fail(err, MTM_E_CORRUPT, e->offset_bytes,
                        "the palette's entries have %d bits, not 8 or 16", out->bits);
    return MTM_OK;
}

/* The element's value as 16-bit numbers: of words, or of single bytes widened. */
static mtm_status read_numbers(uint16_t **out, size_t *n, const mtm_dicom *d, const mtm_dicom_element *e,
                               int byte_step, mtm_error *err)
{
    const size_t size = (size_t)e->length_bytes;
    const bool big_endian = e->flags & MTM_DICOM_BIG_ENDIAN, words = strcmp(e->vr, "OW") == 0;
    MTM_AUTO_MEM uint8_t *bytes = mtm_alloc(size + 1);
    uint16_t *v = mtm_alloc((size / (size_t)byte_step + 1) * sizeof *v);

    *out = v;
    if (!bytes || !v)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_dicom_value_read(d, e, 0, bytes, size, err));
    if (byte_step == 1 && big_endian && words)
        dcm_swap_pairs(bytes, bytes, size);
    *n = size / (size_t)byte_step;
    for (size_t i = 0; i < *n; i++)
        v[i] = byte_step == 1 ? bytes[i] : word(bytes + 2 * i, big_endian);
    return MTM_OK;
}

/* One channel's entries. Whole tables of 8-bit entries lie in bytes or, where there are enough of them, in words. */
static mtm_status read_channel(uint16_t *dst, const descriptor *s, const mtm_dicom *d, int channel,
                               mtm_error *err)
{
    const mtm_dicom_element *const whole = mtm_dicom_find(d, NULL, RED_DATA + (uint32_t)channel);
    const mtm_dicom_element *const e =
        whole ? whole : mtm_dicom_find(d, NULL, RED_SEGMENTS + (uint32_t)channel);
    MTM_AUTO_MEM uint16_t *in = NULL;
    int byte_step = s->bits / 8;
    size_t n = 0;

    if (!e || e->length_bytes > MOST_SEGMENT_BYTES)
        return mtm_fail(err, MTM_E_CORRUPT, e ? e->offset_bytes : -1, "the palette has %s table for %s",
                        e ? "an absurdly long" : "no", channel_name[channel]);
    if (whole)
        byte_step = e->length_bytes >= 2 * (uint64_t)s->entries ? 2 : 1;
    MTM_TRY(read_numbers(&in, &n, d, e, byte_step, err));
    if (!whole)
        return dcm_segments_expand(dst, s->entries, in, n, byte_step, err);
    if (n < (size_t)s->entries)
        return mtm_fail(err, MTM_E_CORRUPT, e->offset_bytes,
                        "the palette's %s table has %zu bytes, too few for %d entries", channel_name[channel],
                        (size_t)e->length_bytes, s->entries);
    memcpy(dst, in, (size_t)s->entries * sizeof *dst);
    return MTM_OK;
}

/* Planes of entries to interleaved ones; 8 bits where the descriptor says so and the entries agree. */
static mtm_status join(dcm_palette *p, const uint16_t *planes, int bits, mtm_error *err)
{
    const size_t n = (size_t)p->entries, c = (size_t)p->channels;
    uint16_t most = 0;

    p->data = mtm_alloc(n * c * sizeof *p->data);
    if (!p->data)
        return MTM_NOMEM(err);
    for (size_t k = 0; k < c; k++)
        for (size_t i = 0; i < n; i++) {
            p->data[i * c + k] = planes[k * n + i];
            most = planes[k * n + i] > most ? planes[k * n + i] : most;
        }
    p->bits = bits == 8 && most < 256 ? 8 : 16;
    return MTM_OK;
}

mtm_status dcm_palette_new(dcm_palette **out, const mtm_dicom *d, mtm_error *err)
{
    const bool alpha = mtm_dicom_find(d, NULL, RED_DATA + 3) || mtm_dicom_find(d, NULL, RED_SEGMENTS + 3);
    MTM_AUTO(dcm_palette) p = mtm_alloc_zero(1, sizeof *p);
    MTM_AUTO_MEM uint16_t *planes = NULL;
    descriptor first, s;

    if (!p)
        return MTM_NOMEM(err);
    MTM_TRY(read_descriptor(&first, d, 0, err));
    *p = (dcm_palette){.entries = first.entries, .first = first.first, .channels = alpha ? 4 : 3};
    planes = mtm_alloc_zero((size_t)p->entries * (size_t)p->channels, sizeof *planes);
    if (!planes)
        return MTM_NOMEM(err);
    for (int32_t k = 0; k < p->channels; k++) {
        s = first; /* alpha need not have its own */
        if (k < 3)
            MTM_TRY(read_descriptor(&s, d, k, err));
        if (s.entries != first.entries || s.bits != first.bits)
            return mtm_fail(err, MTM_E_CORRUPT, -1, "the palette's descriptors for red and %s differ",
                            channel_name[k]);
        MTM_TRY(read_channel(planes + (size_t)k * (size_t)p->entries, &s, d, k, err));
    }
    MTM_TRY(join(p, planes, first.bits, err));
    *out = dcm_palette_steal(&p);
    return MTM_OK;
}

void dcm_palette_free(dcm_palette *p)
{
    if (p)
        mtm_free(p->data);
    mtm_free(p);
}

void dcm_palette_apply(const dcm_palette *p, void *dst, const int32_t *index, size_t n)
{
    const int32_t c = p->channels;
    uint8_t *d8 = dst;
    uint16_t *d16 = dst;

    for (size_t i = 0; i < n; i++) {
        const int64_t k = mtm_clamp_i64((int64_t)index[i] - p->first, 0, p->entries - 1);
        const uint16_t *const v = p->data + k * c;

        for (int32_t j = 0; j < c; j++)
            if (p->bits == 8)
                *d8++ = (uint8_t)v[j];
            else
                *d16++ = v[j];
    }
}
