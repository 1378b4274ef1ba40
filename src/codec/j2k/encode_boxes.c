/* codec/j2k/encode_boxes.c: JP2 and JPH files around a codestream: T.800 annex I, T.814 annex D.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

enum { BOX_HEAD_BYTES = 8, CDEF_OTHER = 65535 /* of no type, with no colour: T.800 tables I.16, I.17 */ };

static void put_name(mtm_bytes *b, const char name[5])
{
    memcpy(b->data + b->size_bytes, name, 4);
    b->size_bytes += 4;
}

/* Begins a box; box_end fills in its length. */
static size_t box_begin(mtm_bytes *b, const char name[5])
{
    const size_t at = b->size_bytes;

    j2k_put(b, 0, 4), put_name(b, name);
    return at;
}

static void box_end(mtm_bytes *b, size_t at)
{
    mtm_bytes head = {.data = b->data, .size_bytes = at};

    j2k_put(&head, b->size_bytes - at, 4);
}

static uint64_t bits_field(const j2k_component_size *c)
{
    return (uint64_t)(c->bits - 1) | (c->is_signed ? 0x80 : 0);
}

static bool bits_vary(const j2k_size *s)
{
    for (int32_t i = 1; i < s->n_components; i++)
        if (bits_field(&s->components[i]) != bits_field(&s->components[0]))
            return true;
    return false;
}

static void write_ihdr(mtm_bytes *b, const j2k_size *s) /* T.800 I.5.3.1, I.5.3.2 */
{
    const bool vary = bits_vary(s);
    size_t at = box_begin(b, "ihdr");

    j2k_put(b, (uint64_t)(s->image.y1 - s->image.y0), 4),
        j2k_put(b, (uint64_t)(s->image.x1 - s->image.x0), 4);
    j2k_put(b, (uint64_t)s->n_components, 2), j2k_put(b, vary ? 255 : bits_field(&s->components[0]), 1);
    j2k_put(b, 7, 1), j2k_put(b, 0, 2); /* compression type; colour space known; no rights */
    box_end(b, at);
    if (!vary)
        return;
    at = box_begin(b, "bpcc");
    for (int32_t i = 0; i < s->n_components; i++)
        j2k_put(b, bits_field(&s->components[i]), 1);
    box_end(b, at);
}

static void write_colr(mtm_bytes *b, uint32_t enum_cs) /* T.800 I.5.3.3 */
{
    const size_t at = box_begin(b, "colr");

    j2k_put(b, 1, 1), j2k_put(b, 0, 2), j2k_put(b, enum_cs, 4);
    box_end(b, at);
}

/* Which channels are not the colour space's (T.800 I.5.3.6). */
static void write_cdef(mtm_bytes *b, int32_t n_channels, int32_t n_colors)
{
    size_t at;

    if (n_channels == n_colors)
        return;
    at = box_begin(b, "cdef");
    j2k_put(b, (uint64_t)n_channels, 2);
    for (int32_t i = 0; i < n_channels; i++) {
        j2k_put(b, (uint64_t)i, 2), j2k_put(b, i < n_colors ? 0 : CDEF_OTHER, 2);
        j2k_put(b, i < n_colors ? (uint64_t)i + 1 : CDEF_OTHER, 2);
    }
    box_end(b, at);
}

mtm_status j2k_write_boxes(j2k_encoder *e, mtm_error *err)
{
    const j2k_encode_plan *const plan = e->plan;
    const char *const brand = plan->container == J2K_JPH ? "jph " : "jp2 ";
    mtm_bytes *const b = e->out;
    size_t at;

    if (plan->container == J2K_CODESTREAM)
        return MTM_OK;
    MTM_TRY(mtm_bytes_reserve(b, 256 + 7 * (size_t)plan->size.n_components, err));
    at = box_begin(b, "jP  "), j2k_put(b, 0x0D0A870A, 4), box_end(b, at); /* T.800 I.5.1 */
    at = box_begin(b, "ftyp"), put_name(b, brand), j2k_put(b, 0, 4), put_name(b, brand), box_end(b, at);
    at = box_begin(b, "jp2h");
    write_ihdr(b, &plan->size);
    write_colr(b, plan->enum_cs);
    write_cdef(b, plan->size.n_components, plan->enum_cs == J2K_CS_GRAY ? 1 : 3);
    box_end(b, at);
    box_begin(b, "jp2c");
    return MTM_OK;
}

/* A codestream too long for the 32-bit length reaches to the end of the file (length 0: T.800 I.4). */
void j2k_close_boxes(j2k_encoder *e)
{
    const size_t at = e->codestream_at - BOX_HEAD_BYTES;

    if (e->plan->container != J2K_CODESTREAM && e->out->size_bytes - at <= UINT32_MAX)
        box_end(e->out, at);
}
