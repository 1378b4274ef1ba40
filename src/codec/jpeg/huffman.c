/* codec/jpeg/huffman.c: see huffman.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "huffman.h"

/* ---- bits ---------------------------------------------------------------------------------------------- */

void jpeg_bits_begin(jpeg_bits *b, jpeg_stream *s, uint8_t *clean)
{
    uint8_t *to = clean;

    *b = (jpeg_bits){.p = clean, .start = clean, .from = s->at};
    while (s->at < s->n) {
        const uint8_t *const from = s->in + s->at, *const ff = memchr(from, 0xFF, s->n - s->at);
        const size_t n = ff ? (size_t)(ff - from) : s->n - s->at;

        memcpy(to, from, n);
        to += n, s->at += n;
        if (s->n - s->at < 2) { /* a lone FF at the end is nothing */
            s->at = s->n;
            break;
        }
        if (ff[1] == 0)
            *to++ = 0xFF, s->at += 2;
        else if (ff[1] == 0xFF) /* fill byte */
            s->at++;
        else
            break;
    }
    memset(to, 0, JPEG_PAD);
    b->end = to;
}

int64_t jpeg_bits_offset(const jpeg_bits *b, const jpeg_stream *s)
{
    const int64_t taken = (b->p - b->start) - (int64_t)(b->count / 8);
    const int64_t all = b->end - b->start;
    int64_t left = taken < all ? taken : all;
    size_t at = b->from;

    for (; left > 0 && at < s->n; left--)
        at += s->in[at] == 0xFF ? 2 : 1;
    return (int64_t)(at < s->n ? at : s->n);
}

/* ---- codes --------------------------------------------------------------------------------------------- */

/* T.81 annex C, over the lengths that DHT was checked for. */
static void code_make(jpeg_code *c, const jpeg_huffman *h)
{
    uint32_t code = 0;
    int32_t index = 0;

    c->limit[0] = 0, c->offset[0] = 0;
    for (unsigned l = 1; l <= 16; l++) {
        code <<= 1;
        c->offset[l] = index - (int32_t)code;
        code += h->count[l], index += h->count[l];
        c->limit[l] = code << (16 - l);
    }
    memcpy(c->values, h->values, sizeof c->values);
}

int jpeg_code_long(const jpeg_code *c, jpeg_bits *b, uint32_t *length)
{
    const uint32_t peek = (uint32_t)(b->buf >> 48);

    for (uint32_t l = 1; l <= 16; l++)
        if (peek < c->limit[l]) {
            *length = l;
            return c->values[(c->offset[l] + (int32_t)(peek >> (16 - l))) & 255];
        }
    b->bad = true, *length = 1;
    return -1;
}

static mtm_status check_there(const jpeg_huffman *h, const char *what, unsigned number, int64_t scan_offset,
                              mtm_error *err)
{
    if (h->there)
        return MTM_OK;
    return mtm_fail(err, MTM_E_CORRUPT, scan_offset,
                    "the scan uses Huffman table %u for %s, which was not given", number, what);
}

mtm_status jpeg_diff_code_make(jpeg_diff_code *d, const jpeg_huffman *h, unsigned number, unsigned most,
                               int64_t scan_offset, mtm_error *err)
{
    unsigned index = 0;
    uint32_t code = 0;

    MTM_TRY(check_there(h, "differences", number, scan_offset, err));
    code_make(&d->code, h);
    memset(d->fast, 0, sizeof d->fast);
    for (unsigned l = 1; l <= 16; l++, code <<= 1)
        for (unsigned k = 0; k < h->count[l]; k++, index++, code++) {
            const unsigned category = h->values[index];
            const uint16_t entry = (uint16_t)(l << 8 | (l + category));

            if (category > most)
                return mtm_fail(err, MTM_E_CORRUPT, h->offset,
                                "Huffman table %u has category %u; %u is the most", number, category, most);
            for (uint32_t i = 0; l <= JPEG_LOOK && category < 16 && i < 1u << (JPEG_LOOK - l); i++)
                d->fast[(code << (JPEG_LOOK - l)) + i] = entry;
        }
    return MTM_OK;
}

mtm_status jpeg_run_code_make(jpeg_run_code *d, const jpeg_huffman *h, unsigned number, int64_t scan_offset,
                              mtm_error *err)
{
    unsigned index = 0;
    uint32_t code = 0;

    MTM_TRY(check_there(h, "AC coefficients", number, scan_offset, err));
    code_make(&d->code, h);
    memset(d->fast, 0, sizeof d->fast);
    for (unsigned l = 1; l <= JPEG_LOOK; l++, code <<= 1)
        for (unsigned k = 0; k < h->count[l]; k++, index++, code++)
            for (uint32_t i = 0; i < 1u << (JPEG_LOOK - l); i++)
                d->fast[(code << (JPEG_LOOK - l)) + i] = (uint16_t)(l << 8 | h->values[index]);
    return MTM_OK;
}

int32_t jpeg_diff_long(const jpeg_diff_code *d, jpeg_bits *b)
{
    int32_t diff = 0, category;
    uint32_t length;

    jpeg_bits_fill(b);
    category = jpeg_code_long(&d->code, b, &length);
    jpeg_bits_drop(b, length);
    if (category == 16) /* no bits follow: H.1.2.2 */
        diff = 32768;
    else if (category > 0) {
        diff = jpeg_extend(b->buf, (uint32_t)category);
        jpeg_bits_drop(b, (uint32_t)category);
    }
    jpeg_bits_fill(b);
    return diff;
}
