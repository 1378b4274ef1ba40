/* codec/j2k/marker.c: the main header, from SOC to the first SOT, and the marker segments that tile-part
 * headers share with it (T.800 annex A; CAP and HT code-blocks: T.814 annex A). Every field is checked where
 * it is read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/size.h"
#include "markers.h"

enum { FREE_TILE_COMPONENTS = 1 << 22 };

static const j2k_marker_rule rules[] = {
    {J2K_SOC, "SOC", J2K_IN_MAIN, 0},
    {J2K_CAP, "CAP", J2K_IN_MAIN, J2K_KEYED},
    {J2K_SIZ, "SIZ", J2K_IN_MAIN, J2K_KEYED},
    {J2K_COD, "COD", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_KEYED},
    {J2K_COC, "COC", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_KEYED},
    {J2K_TLM, "TLM", J2K_IN_MAIN, 0},
    {J2K_PLM, "PLM", J2K_IN_MAIN, 0},
    {J2K_PLT, "PLT", J2K_IN_TILE_PART, 0},
    {J2K_CPF, "CPF", J2K_IN_MAIN, 0},
    {J2K_QCD, "QCD", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_KEYED},
    {J2K_QCC, "QCC", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_KEYED},
    {J2K_RGN, "RGN", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_KEYED},
    {J2K_POC, "POC", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_KEYED},
    {J2K_PPM, "PPM", J2K_IN_MAIN, 0},
    {J2K_PPT, "PPT", J2K_IN_TILE_PART, 0},
    {J2K_CRG, "CRG", J2K_IN_MAIN, 0},
    {J2K_COM, "COM", J2K_IN_MAIN | J2K_IN_TILE_PART, 0},
    {0xFF70, "DCO", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_REFUSED},
    {0xFF71, "VMS", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_REFUSED},
    {0xFF72, "DFS", J2K_IN_MAIN, J2K_REFUSED},
    {0xFF73, "ADS", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_REFUSED},
    {0xFF74, "MCT", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_REFUSED},
    {0xFF75, "MCC", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_REFUSED},
    {0xFF76, "NLT", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_REFUSED},
    {0xFF77, "MCO", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_REFUSED},
    {0xFF78, "CBD", J2K_IN_MAIN, J2K_REFUSED},
    {0xFF79, "ATK", J2K_IN_MAIN | J2K_IN_TILE_PART, J2K_REFUSED},
    {J2K_SOT, "SOT", J2K_IN_TILE_PART, 0},
    {J2K_SOD, "SOD", J2K_IN_TILE_PART, 0},
    {J2K_EOC, "EOC", 0, 0},
};

const j2k_marker_rule *j2k_marker_rule_of(uint16_t code)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].code == code)
            return &rules[i];
    return NULL;
}

void j2k_note(j2k_notes *n, const char *fmt, ...)
{
    va_list args;

    if (!n)
        return;
    if (n->n < J2K_NOTES) {
        va_start(args, fmt);
        vsnprintf(n->text[n->n], J2K_NOTE_BYTES, fmt, args);
        va_end(args);
    }
    if (n->n < INT32_MAX)
        n->n++;
}

uint64_t j2k_input_run(const j2k_input *in, uint64_t offset)
{
    int64_t lo = 0, hi = in->n_present;
    uint64_t end;

    if (offset >= in->size_bytes)
        return offset;
    if (!in->present)
        return in->size_bytes;
    while (hi - lo > 1) { /* the last range that begins at or before offset */
        const int64_t mid = (lo + hi) / 2;

        if (in->present[mid].offset <= offset)
            lo = mid;
        else
            hi = mid;
    }
    if (lo >= hi || in->present[lo].offset > offset ||
        offset - in->present[lo].offset >= in->present[lo].size_bytes)
        return offset;
    end = in->present[lo].offset + in->present[lo].size_bytes;
    return end < in->size_bytes && end > offset ? end : in->size_bytes;
}

bool j2k_input_has(const j2k_input *in, uint64_t offset, uint64_t size_bytes)
{
    return !size_bytes ? offset <= in->size_bytes : j2k_input_run(in, offset) - offset >= size_bytes;
}

mtm_status j2k_segment_next(j2k_segment *out, const j2k_input *in, uint64_t *at, uint64_t end, mtm_error *err)
{
    const uint64_t offset = *at;
    uint16_t code, length;

    if (end - offset < 2 || !j2k_input_has(in, offset, 2))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset, "the data ends where a marker should be");
    code = j2k_u16_at(in, offset);
    if (code < 0xFF01 || code == 0xFFFF)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset, "0x%04X is where a marker should be", code);
    *out = (j2k_segment){.code = code, .offset = offset, .size_bytes = 2};
    *at = offset + 2;
    if ((code >= 0xFF30 && code <= 0xFF3F) || code == J2K_SOC || code == J2K_SOD || code == J2K_EOC)
        return MTM_OK;
    if (end - offset < 4 || !j2k_input_has(in, offset, 4))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset + 2, "the data ends inside marker 0x%04X", code);
    length = j2k_u16_at(in, offset + 2);
    if (length < 2)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset + 2, "marker 0x%04X has a length of %u", code,
                        length);
    if (end - offset - 2 < length || !j2k_input_has(in, offset + 2, length))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset + 2,
                        "marker 0x%04X has a length of %u, but %" PRIu64 " bytes are left", code, length,
                        end - offset - 2);
    out->size_bytes = 2 + (uint32_t)length;
    out->body = mtm_reader_over(in->data + offset + 4, (size_t)length - 2, (int64_t)offset + 4);
    out->body.big_endian = true;
    *at = offset + 2 + length;
    return MTM_OK;
}

/* ---- SIZ, T.800 A.5.1 --------------------------------------------------------------------------------- */

static mtm_status size_check(const j2k_size *s, uint64_t offset, mtm_error *err)
{
    const int64_t tile_w = s->tile.x1 - s->tile.x0, tile_h = s->tile.y1 - s->tile.y0;

    if (s->image.x1 <= s->image.x0 || s->image.y1 <= s->image.y0)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset + 6, "SIZ gives an image area without pixels");
    if (!tile_w || !tile_h)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset + 22, "SIZ gives tiles without pixels");
    if (s->tile.x0 > s->image.x0 || s->tile.y0 > s->image.y0 || s->tile.x1 <= s->image.x0 ||
        s->tile.y1 <= s->image.y0)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset + 30,
                        "SIZ gives a first tile that does not meet the image");
    return MTM_OK;
}

static mtm_status components_read(j2k_size *s, j2k_segment *seg, j2k_arena *arena, mtm_error *err)
{
    s->components = j2k_arena_take(arena, (size_t)s->n_components * sizeof *s->components);
    if (!s->components)
        return MTM_NOMEM(err);
    for (int32_t c = 0; c < s->n_components; c++) {
        const int64_t offset = mtm_reader_offset(&seg->body);
        uint8_t v[3] = {0};

        MTM_TRY(mtm_read_bytes(&seg->body, v, 3, err));
        s->components[c] = (j2k_component_size){
            .bits = (uint8_t)((v[0] & 127) + 1), .is_signed = v[0] >> 7, .dx = v[1], .dy = v[2]};
        if (s->components[c].bits > 38)
            return mtm_fail(err, MTM_E_CORRUPT, offset, "component %" PRId32 " has %d bits, more than 38", c,
                            s->components[c].bits);
        if (!v[1] || !v[2])
            return mtm_fail(err, MTM_E_CORRUPT, offset + 1, "component %" PRId32 " has a subsampling of 0",
                            c);
    }
    return MTM_OK;
}

static mtm_status size_read(j2k_size *s, j2k_segment *seg, j2k_arena *arena, mtm_error *err)
{
    uint32_t v[8] = {0};
    uint16_t n = 0;

    MTM_TRY(mtm_read_u16(&seg->body, &s->rsiz, err));
    for (int i = 0; i < 8; i++)
        MTM_TRY(mtm_read_u32(&seg->body, &v[i], err));
    MTM_TRY(mtm_read_u16(&seg->body, &n, err));
    s->image = (j2k_rect){v[2], v[3], v[0], v[1]};
    s->tile = (j2k_rect){v[6], v[7], (int64_t)v[6] + v[4], (int64_t)v[7] + v[5]};
    MTM_TRY(size_check(s, seg->offset, err));
    s->tiles_x = (s->image.x1 - s->tile.x0 + v[4] - 1) / v[4]; /* equation B-5 */
    s->tiles_y = (s->image.y1 - s->tile.y0 + v[5] - 1) / v[5];
    if (s->tiles_x > J2K_MAX_TILES || s->tiles_y > J2K_MAX_TILES || s->tiles_x * s->tiles_y > J2K_MAX_TILES)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)seg->offset + 22,
                        "SIZ gives %" PRId64 " × %" PRId64 " tiles, more than 65535", s->tiles_y, s->tiles_x);
    if (n < 1 || n > J2K_MAX_COMPONENTS)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)seg->offset + 38, "SIZ gives %u components", n);
    s->n_components = n;
    return components_read(s, seg, arena, err);
}

/* ---- COD and COC, T.800 A.6.1, A.6.2 ------------------------------------------------------------------ */

/* SPcod, SPcoc: T.800 table A.15. */
static mtm_status coding_read(j2k_coding *k, mtm_reader *b, bool precincts, mtm_error *err)
{
    const int64_t offset = mtm_reader_offset(b);
    uint8_t v[5] = {0}, p;

    MTM_TRY(mtm_read_bytes(b, v, 5, err));
    if (v[0] > J2K_MAX_LEVELS)
        return mtm_fail(err, MTM_E_CORRUPT, offset, "%d decomposition levels are more than 32", v[0]);
    if (v[1] > 8 || v[2] > 8 || v[1] + v[2] > 8)
        return mtm_fail(err, MTM_E_CORRUPT, offset + 1,
                        "code-blocks of 2^%d × 2^%d samples are larger than the standard allows", v[2] + 2,
                        v[1] + 2);
    if ((v[3] & MTM_BLOCK_HT_MIXED) && !(v[3] & MTM_BLOCK_HT))
        return mtm_fail(err, MTM_E_UNSUPPORTED, offset + 3, "code-block style 0x%02X is not known", v[3]);
    if (v[4] > 1)
        return mtm_fail(err, MTM_E_UNSUPPORTED, offset + 4,
                        "wavelet %d needs extensions of Part 2, which are not decoded", v[4]);
    *k = (j2k_coding){.levels = v[0],
                      .block_w = (uint8_t)(v[1] + 2),
                      .block_h = (uint8_t)(v[2] + 2),
                      .style = v[3],
                      .reversible = v[4] == 1};
    for (int32_t r = 0; r <= k->levels; r++) {
        p = 0xFF;
        if (precincts)
            MTM_TRY(mtm_read_u8(b, &p, err));
        k->precinct_w[r] = p & 15, k->precinct_h[r] = p >> 4;
        if (r > 0 && (!k->precinct_w[r] || !k->precinct_h[r]))
            return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(b) - 1,
                            "precincts of resolution %" PRId32 " have no room for code-blocks", r);
    }
    return MTM_OK;
}

enum { SEEN_COC = 1, SEEN_QCC = 2, SEEN_RGN = 4 };

static mtm_status cod_read(j2k_params_reader *r, mtm_reader *b, mtm_error *err)
{
    const int64_t offset = mtm_reader_offset(b);
    j2k_coding k;
    uint8_t v[5] = {0};

    MTM_TRY(mtm_read_bytes(b, v, 5, err));
    if (v[0] & ~7)
        return mtm_fail(err, MTM_E_UNSUPPORTED, offset, "coding style 0x%02X needs extensions of Part 2",
                        v[0]);
    if (v[1] > 4)
        return mtm_fail(err, MTM_E_CORRUPT, offset + 1, "progression order %d is not known", v[1]);
    if (!(v[2] | v[3]))
        return mtm_fail(err, MTM_E_CORRUPT, offset + 2, "COD gives no quality layer");
    if (v[4] > 1)
        return mtm_fail(err, MTM_E_UNSUPPORTED, offset + 4,
                        "component transform %d needs extensions of Part 2, which are not decoded", v[4]);
    MTM_TRY(coding_read(&k, b, v[0] & 1, err));
    r->params->sop = v[0] >> 1 & 1, r->params->eph = v[0] >> 2 & 1;
    r->params->progression = v[1], r->params->layers = (uint16_t)(v[2] << 8 | v[3]), r->params->mct = v[4];
    for (int32_t c = 0; c < r->size->n_components; c++)
        if (!(r->seen[c] & SEEN_COC))
            r->params->components[c].coding = k;
    return MTM_OK;
}

/* Ccoc, Cqcc, Crgn: one byte below 257 components, else two. */
static mtm_status component_read(const j2k_params_reader *r, j2k_segment *s, uint16_t *c, mtm_error *err)
{
    uint8_t one = 0;

    if (r->size->n_components < 257) {
        MTM_TRY(mtm_read_u8(&s->body, &one, err));
        *c = one;
    } else {
        MTM_TRY(mtm_read_u16(&s->body, c, err));
    }
    if (*c >= r->size->n_components)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->offset + 4, "%s names component %d of %" PRId32,
                        j2k_marker_rule_of(s->code)->name, *c, r->size->n_components);
    return MTM_OK;
}

static mtm_status coc_read(j2k_params_reader *r, j2k_segment *s, mtm_error *err)
{
    uint16_t c;
    uint8_t style = 0;

    MTM_TRY(component_read(r, s, &c, err));
    MTM_TRY(mtm_read_u8(&s->body, &style, err));
    if (style & ~1)
        return mtm_fail(err, MTM_E_CORRUPT, mtm_reader_offset(&s->body) - 1, "COC has coding style 0x%02X",
                        style);
    MTM_TRY(coding_read(&r->params->components[c].coding, &s->body, style & 1, err));
    r->seen[c] |= SEEN_COC;
    return MTM_OK;
}

/* ---- QCD and QCC, T.800 A.6.4, A.6.5 ------------------------------------------------------------------ */

static mtm_status quant_read(j2k_quant *q, mtm_reader *b, mtm_error *err)
{
    const int64_t offset = mtm_reader_offset(b);
    uint8_t style = 0, byte = 0;
    uint16_t step = 0;
    size_t n;

    MTM_TRY(mtm_read_u8(b, &style, err));
    if ((style & 31) > 2)
        return mtm_fail(err, MTM_E_CORRUPT, offset, "quantisation style %d is not known", style & 31);
    *q = (j2k_quant){.style = style & 31, .guard = style >> 5};
    n = q->style == 0 ? mtm_reader_left(b) : q->style == 1 ? 1 : mtm_reader_left(b) / 2;
    if (n < 1 || n > sizeof q->exponent)
        return mtm_fail(err, MTM_E_CORRUPT, offset, "%zu quantiser steps are not 1 to 97", n);
    q->n = (uint8_t)n;
    for (size_t i = 0; i < n; i++) {
        if (q->style == 0) {
            MTM_TRY(mtm_read_u8(b, &byte, err));
            q->exponent[i] = byte >> 3;
        } else {
            MTM_TRY(mtm_read_u16(b, &step, err));
            q->exponent[i] = (uint8_t)(step >> 11), q->mantissa[i] = step & 2047;
        }
    }
    return MTM_OK;
}

static mtm_status qcd_read(j2k_params_reader *r, j2k_segment *s, mtm_error *err)
{
    j2k_quant q;

    MTM_TRY(quant_read(&q, &s->body, err));
    for (int32_t c = 0; c < r->size->n_components; c++)
        if (!(r->seen[c] & SEEN_QCC))
            r->params->components[c].quant = q;
    return MTM_OK;
}

static mtm_status qcc_read(j2k_params_reader *r, j2k_segment *s, mtm_error *err)
{
    uint16_t c;

    MTM_TRY(component_read(r, s, &c, err));
    MTM_TRY(quant_read(&r->params->components[c].quant, &s->body, err));
    r->seen[c] |= SEEN_QCC;
    return MTM_OK;
}

/* ---- RGN and POC, T.800 A.6.3, A.6.6 ------------------------------------------------------------------ */

static mtm_status rgn_read(j2k_params_reader *r, j2k_segment *s, mtm_error *err)
{
    uint16_t c;
    uint8_t v[2] = {0};

    MTM_TRY(component_read(r, s, &c, err));
    MTM_TRY(mtm_read_bytes(&s->body, v, 2, err));
    if (v[0])
        return mtm_fail(err, MTM_E_UNSUPPORTED, mtm_reader_offset(&s->body) - 2,
                        "region of interest style %d needs extensions of Part 2", v[0]);
    if (v[1] > J2K_MAX_ROI_SHIFT)
        return mtm_fail(err, MTM_E_UNSUPPORTED, mtm_reader_offset(&s->body) - 1,
                        "a region of interest is shifted by %d bit-planes, more than %d", v[1],
                        J2K_MAX_ROI_SHIFT);
    r->params->components[c].roi_shift = v[1];
    return MTM_OK;
}

static mtm_status order_read(const j2k_params_reader *r, mtm_reader *b, j2k_order *o, mtm_error *err)
{
    const int64_t offset = mtm_reader_offset(b);
    const bool wide = r->size->n_components >= 257;
    uint8_t v[9] = {0};
    uint32_t comp1;

    MTM_TRY(mtm_read_bytes(b, v, wide ? 9 : 7, err));
    o->res0 = v[0];
    o->comp0 = wide ? (uint16_t)(v[1] << 8 | v[2]) : v[1];
    o->layer1 = (uint16_t)(v[2 + wide] << 8 | v[3 + wide]);
    o->res1 = v[4 + wide];
    comp1 = wide ? (uint32_t)(v[6] << 8 | v[7]) : v[5];
    o->comp1 = comp1 ? comp1 : wide ? J2K_MAX_COMPONENTS : 256;
    o->progression = v[6 + 2 * wide];
    if (o->progression > 4)
        return mtm_fail(err, MTM_E_CORRUPT, offset + 6 + 2 * wide, "progression order %d is not known",
                        o->progression);
    if (o->res0 > J2K_MAX_LEVELS || o->res1 <= o->res0 || o->comp1 <= o->comp0 || !o->layer1)
        return mtm_fail(err, MTM_E_CORRUPT, offset, "POC gives a progression of nothing");
    o->res1 = o->res1 > J2K_MAX_LEVELS + 1 ? J2K_MAX_LEVELS + 1 : o->res1;
    return MTM_OK;
}

static mtm_status poc_read(j2k_params_reader *r, j2k_segment *s, mtm_error *err)
{
    j2k_params *const p = r->params;
    const size_t entry_bytes = r->size->n_components < 257 ? 7 : 9;
    const int32_t n = (int32_t)(mtm_reader_left(&s->body) / entry_bytes);
    const int32_t before = r->orders_fresh ? 0 : p->n_orders;
    j2k_order *const all = j2k_arena_take(r->arena, (size_t)(before + n) * sizeof *all);

    if (!n || mtm_reader_left(&s->body) % entry_bytes)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->offset + 2, "POC does not hold whole progressions");
    if (before + n > J2K_MAX_ORDERS)
        return mtm_fail(err, MTM_E_LIMIT, (int64_t)s->offset,
                        "%" PRId32 " progressions in one tile are more than %d", before + n, J2K_MAX_ORDERS);
    if (!all)
        return MTM_NOMEM(err);
    if (before)
        memcpy(all, p->orders, (size_t)before * sizeof *all);
    for (int32_t i = 0; i < n; i++)
        MTM_TRY(order_read(r, &s->body, &all[before + i], err));
    p->orders = all, p->n_orders = before + n;
    r->orders_fresh = false;
    return MTM_OK;
}

mtm_status j2k_params_apply(j2k_params_reader *r, j2k_segment *s, mtm_error *err)
{
    const uint32_t once = s->code == J2K_COD ? 1 : s->code == J2K_QCD ? 2 : 0;

    if (r->seen_once & once)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->offset, "a second %s in one header",
                        j2k_marker_rule_of(s->code)->name);
    r->seen_once |= once;
    switch (s->code) {
    case J2K_COD: return cod_read(r, &s->body, err);
    case J2K_COC: return coc_read(r, s, err);
    case J2K_QCD: return qcd_read(r, s, err);
    case J2K_QCC: return qcc_read(r, s, err);
    case J2K_RGN: return rgn_read(r, s, err);
    case J2K_POC: return poc_read(r, s, err);
    default: return MTM_OK;
    }
}

/* ---- what holds for all of them together -------------------------------------------------------------- */

/* The component transform needs three components on one grid with one wavelet (T.800 G.1). */
static mtm_status transform_check(j2k_params *p, const j2k_size *s, uint64_t offset, j2k_notes *notes,
                                  mtm_error *err)
{
    if (!p->mct)
        return MTM_OK;
    if (s->n_components < 3) {
        j2k_note(notes, "a component transform of %" PRId32 " components is ignored", s->n_components);
        p->mct = false;
        return MTM_OK;
    }
    for (int32_t c = 1; c < 3; c++)
        if (s->components[c].dx != s->components[0].dx || s->components[c].dy != s->components[0].dy ||
            p->components[c].coding.reversible != p->components[0].coding.reversible)
            return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset,
                            "the component transform joins components of different size or wavelet");
    return MTM_OK;
}

mtm_status j2k_params_check(j2k_params *p, const j2k_size *s, uint64_t offset, j2k_notes *notes,
                            mtm_error *err)
{
    for (int32_t c = 0; c < s->n_components; c++) {
        const j2k_component_params *const k = &p->components[c];

        if (k->quant.style != 1 && k->quant.n < 3 * k->coding.levels + 1)
            return mtm_fail(err, MTM_E_CORRUPT, (int64_t)offset,
                            "component %" PRId32 " has %d quantiser steps for %d subbands", c, k->quant.n,
                            3 * k->coding.levels + 1);
        if (k->coding.reversible && k->quant.style != 0 && c == 0)
            j2k_note(notes, "reversible coding with quantiser steps: they are taken as 1");
    }
    for (int32_t i = 0; i < p->n_orders; i++)
        if (p->orders[i].layer1 > p->layers)
            p->orders[i].layer1 = p->layers;
    return transform_check(p, s, offset, notes, err);
}

/* ---- the main header ---------------------------------------------------------------------------------- */

/* Passes by one marker segment of the main header: order, key, what is refused. */
static mtm_status main_segment_pass(j2k_header *h, const j2k_input *in, const j2k_segment *s, bool first,
                                    j2k_notes *notes, mtm_error *err)
{
    const j2k_marker_rule *const rule = j2k_marker_rule_of(s->code);

    if (first != (s->code == J2K_SIZ))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->offset,
                        first ? "SIZ does not follow SOC, but marker 0x%04X" : "a second SIZ (0x%04X)",
                        s->code);
    if (!rule) {
        for (int i = 0; i < 2;
             i++) /* a warning belongs to this header, not to one that is like it but for the marker */
            h->key[i] = mtm_hash64(in->data + s->offset, 2, h->key[i]);
        j2k_note(notes, "marker 0x%04X is not known and passed over", s->code);
        return MTM_OK;
    }
    if (rule->traits & J2K_REFUSED)
        return mtm_fail(err, MTM_E_UNSUPPORTED, (int64_t)s->offset,
                        "%s is an extension of Part 2 that is not decoded", rule->name);
    if (!(rule->where & J2K_IN_MAIN))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->offset, "%s does not belong into the main header",
                        rule->name);
    h->has_tlm |= s->code == J2K_TLM, h->has_plm |= s->code == J2K_PLM, h->has_ppm |= s->code == J2K_PPM;
    if (rule->traits & J2K_KEYED)
        for (int i = 0; i < 2; i++)
            h->key[i] = mtm_hash64(in->data + s->offset, s->size_bytes, h->key[i]);
    return MTM_OK;
}

/* CAP: T.814 A.3: bit 14 of Pcap's upper half says that Ccap15 is there. */
static mtm_status cap_read(j2k_header *h, j2k_segment *s, mtm_error *err)
{
    uint32_t parts = 0;

    MTM_TRY(mtm_read_u32(&s->body, &parts, err));
    h->ht |= parts >> (32 - 15) & 1;
    return mtm_read_skip(&s->body, 2 * (size_t)__builtin_popcount(parts), err);
}

/* Walks the main header; with r also reads it. */
static mtm_status main_header_walk(j2k_header *h, const j2k_input *in, const j2k_boxes *b,
                                   j2k_params_reader *r, mtm_error *err)
{
    uint64_t at = b->codestream_offset;
    j2k_segment s;

    *h = (j2k_header){.key = {1, 2}, .offset = at, .end = b->codestream_offset + b->codestream_bytes};
    MTM_TRY(j2k_segment_next(&s, in, &at, h->end, err));
    if (s.code != J2K_SOC)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)h->offset, "the codestream does not begin with SOC");
    for (bool first = true;; first = false) {
        MTM_TRY(j2k_segment_next(&s, in, &at, h->end, err));
        if (s.code == J2K_SOT)
            break;
        MTM_TRY(main_segment_pass(h, in, &s, first, r ? r->notes : NULL, err));
        if (!r)
            continue;
        if (s.code == J2K_SIZ) {
            MTM_TRY(size_read(&h->size, &s, r->arena, err));
            r->seen = j2k_arena_take_zero(r->arena, (size_t)h->size.n_components, 1);
            r->params->components =
                j2k_arena_take_zero(r->arena, (size_t)h->size.n_components, sizeof *r->params->components);
            if (!r->seen || !r->params->components)
                return MTM_NOMEM(err);
        } else if (s.code == J2K_CAP) {
            MTM_TRY(cap_read(h, &s, err));
        } else {
            MTM_TRY(j2k_params_apply(r, &s, err));
        }
    }
    h->sot = s.offset;
    return MTM_OK;
}

mtm_status j2k_header_scan(j2k_header *h, const j2k_input *in, const j2k_boxes *b, mtm_error *err)
{
    return main_header_walk(h, in, b, NULL, err);
}

/* Every component of every tile has packets, each of a byte at least; a few million are free, so that what
 * is cut can be read. */
static mtm_status tiles_priced(const j2k_header *h, mtm_error *err)
{
    const uint64_t n = (uint64_t)(h->size.tiles_x * h->size.tiles_y) * (uint64_t)h->size.n_components;

    if (n > FREE_TILE_COMPONENTS && n - FREE_TILE_COMPONENTS > h->end - h->offset)
        return mtm_fail(err, MTM_E_LIMIT, (int64_t)h->offset + 2,
                        "%" PRIu64 " components of tiles are more than %" PRIu64 " bytes can fill", n,
                        h->end - h->offset);
    return MTM_OK;
}

/* What the box and the codestream both say; the codestream holds. */
static void compare_with_boxes(const j2k_header *h, const j2k_boxes *b, j2k_notes *notes)
{
    if (b->has_ihdr && (b->ihdr_width != h->size.image.x1 - h->size.image.x0 ||
                        b->ihdr_height != h->size.image.y1 - h->size.image.y0))
        j2k_note(notes,
                 "the image header box says %" PRIu32 " × %" PRIu32 " pixels, the codestream %" PRId64
                 " × %" PRId64,
                 b->ihdr_height, b->ihdr_width, h->size.image.y1 - h->size.image.y0,
                 h->size.image.x1 - h->size.image.x0);
    if (b->has_ihdr && b->ihdr_components != h->size.n_components)
        j2k_note(notes, "the image header box says %d components, the codestream %" PRId32,
                 b->ihdr_components, h->size.n_components);
    if (b->has_ihdr && b->ihdr_bits != 255 &&
        b->ihdr_bits != h->size.components[0].bits - 1 + 128 * h->size.components[0].is_signed)
        j2k_note(notes, "the image header box says %d bits, %s, the codestream %d, %s",
                 (b->ihdr_bits & 127) + 1, b->ihdr_bits >> 7 ? "signed" : "unsigned",
                 h->size.components[0].bits, h->size.components[0].is_signed ? "signed" : "unsigned");
}

mtm_status j2k_header_read(j2k_header *h, const j2k_input *in, const j2k_boxes *b, const mtm_limits *lim,
                           j2k_arena *arena, j2k_notes *notes, mtm_error *err)
{
    const mtm_limits limits = lim ? *lim : mtm_limits_default();
    j2k_params params = {0};
    j2k_params_reader r = {.size = &h->size, .params = &params, .arena = arena, .notes = notes};
    bool ht = false;

    MTM_TRY(main_header_walk(h, in, b, &r, err));
    if (!(r.seen_once & 1) || !(r.seen_once & 2))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)h->sot, "the main header ends without %s",
                        r.seen_once & 1 ? "QCD" : "COD");
    if (h->sot - h->offset > limits.max_header_bytes)
        return mtm_fail(err, MTM_E_LIMIT, (int64_t)h->sot,
                        "the main header has %" PRIu64 " bytes, more than %" PRIu64, h->sot - h->offset,
                        limits.max_header_bytes);
    MTM_TRY(tiles_priced(h, err));
    h->params = params;
    MTM_TRY(j2k_params_check(&h->params, &h->size, h->offset, notes, err));
    for (int32_t c = 0; c < h->size.n_components; c++)
        ht |= h->params.components[c].coding.style & MTM_BLOCK_HT;
    if (ht && !h->ht)
        j2k_note(notes, "high-throughput code-blocks without a CAP marker that says so");
    h->ht |= ht;
    compare_with_boxes(h, b, notes);
    return MTM_OK;
}
