/* codec/j2k/encode_marker.c: the main header, SOC … TLM: T.800 annex A, T.814 annex A.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

enum { /* T.800 table A.2 */
       SOC = 0xFF4F,
       CAP = 0xFF50,
       SIZ = 0xFF51,
       COD = 0xFF52,
       TLM = 0xFF55,
       QCD = 0xFF5C,
       QCC = 0xFF5D,
       COM = 0xFF64
};

enum {
    TLM_HEAD_BYTES = 6,           /* marker, Ltlm, Ztlm, Stlm */
    TLM_ENTRIES = (65535 - 4) / 6 /* per segment; an entry has Ttlm of 0 to 2 bytes and Ptlm of 4 */
};

static void write_siz(mtm_bytes *b, const j2k_encode_plan *plan) /* T.800 A.5.1 */
{
    const j2k_size *const s = &plan->size;

    j2k_put(b, SIZ, 2), j2k_put(b, 38 + 3 * (uint64_t)s->n_components, 2);
    j2k_put(b, plan->ht ? 0x4000 : 0, 2); /* Rsiz: capabilities are in CAP */
    j2k_put(b, (uint64_t)s->image.x1, 4), j2k_put(b, (uint64_t)s->image.y1, 4);
    j2k_put(b, (uint64_t)s->image.x0, 4), j2k_put(b, (uint64_t)s->image.y0, 4);
    j2k_put(b, (uint64_t)(s->tile.x1 - s->tile.x0), 4), j2k_put(b, (uint64_t)(s->tile.y1 - s->tile.y0), 4);
    j2k_put(b, (uint64_t)s->tile.x0, 4), j2k_put(b, (uint64_t)s->tile.y0, 4);
    j2k_put(b, (uint64_t)s->n_components, 2);
    for (int32_t i = 0; i < s->n_components; i++) {
        const j2k_component_size *const c = &s->components[i];

        j2k_put(b, (uint64_t)(c->bits - 1) | (c->is_signed ? 0x80 : 0), 1), j2k_put(b, c->dx, 1),
            j2k_put(b, c->dy, 1);
    }
}

/* T.800 A.5.2, T.814 A.3: only high-throughput blocks, one set, no regions of interest, one set of parameters, and how
 * large coefficients may be. */
static void write_cap(mtm_bytes *b, const j2k_encode_plan *plan)
{
    int32_t bound = 0, p;

    for (int32_t i = 0; i < plan->size.n_components; i++) {
        const j2k_component_params *const c = &plan->params.components[i];
        const int32_t one = j2k_magnitude_bound(&c->quant, c->coding.levels, c->coding.reversible);

        bound = one > bound ? one : bound;
    }
    /* B = 8 for P = 0, P + 8 below 20, 4 (P − 19) + 27 below 31, 74 for 31 */
    p = bound <= 8 ? 0 : bound <= 27 ? bound - 8 : bound <= 71 ? 19 + (bound - 27 + 3) / 4 : 31;
    j2k_put(b, CAP, 2), j2k_put(b, 8, 2);
    j2k_put(b, 0x00020000, 4); /* Part 15 */
    j2k_put(b, (uint64_t)(plan->lossy ? 0x20 : 0) | (uint64_t)p, 2);
}

static bool largest_precincts(const j2k_coding *c)
{
    for (int32_t r = 0; r <= c->levels; r++)
        if (c->precinct_w[r] != 15 || c->precinct_h[r] != 15)
            return false;
    return true;
}

static void write_cod(mtm_bytes *b, const j2k_encode_plan *plan) /* T.800 A.6.1 */
{
    const j2k_coding *const c = &plan->params.components[0].coding;
    const bool precincts = !largest_precincts(c);

    j2k_put(b, COD, 2), j2k_put(b, 12 + (precincts ? c->levels + 1u : 0), 2);
    j2k_put(b, (uint64_t)precincts | (plan->params.sop ? 2 : 0) | (plan->params.eph ? 4 : 0), 1);
    j2k_put(b, plan->params.progression, 1), j2k_put(b, plan->params.layers, 2),
        j2k_put(b, plan->params.mct, 1);
    j2k_put(b, c->levels, 1), j2k_put(b, c->block_w - 2u, 1), j2k_put(b, c->block_h - 2u, 1);
    j2k_put(b, c->style, 1), j2k_put(b, c->reversible, 1);
    for (int32_t r = 0; precincts && r <= c->levels; r++)
        j2k_put(b, (uint64_t)c->precinct_w[r] | (uint64_t)c->precinct_h[r] << 4, 1);
}

static void write_quant(mtm_bytes *b, const j2k_quant *q)
{
    j2k_put(b, (uint64_t)q->guard << 5 | q->style, 1);
    for (int32_t i = 0; i < q->n; i++)
        if (q->style == 0)
            j2k_put(b, (uint64_t)q->exponent[i] << 3, 1);
        else
            j2k_put(b, (uint64_t)q->exponent[i] << 11 | q->mantissa[i], 2);
}

static uint64_t quant_bytes(const j2k_quant *q)
{
    return 1 + (uint64_t)q->n * (q->style == 0 ? 1 : 2);
}

static bool quant_equal(const j2k_quant *a, const j2k_quant *b)
{
    return a->guard == b->guard && !memcmp(a->exponent, b->exponent, a->n) &&
           !memcmp(a->mantissa, b->mantissa, a->n * sizeof *a->mantissa);
}

/* QCD for most components, QCC for those that differ from the first (T.800 A.6.4, A.6.5). */
static mtm_status write_quants(mtm_bytes *b, const j2k_encode_plan *plan, mtm_error *err)
{
    const j2k_quant *const first = &plan->params.components[0].quant;
    const int32_t index_bytes = plan->size.n_components < 257 ? 1 : 2;

    j2k_put(b, QCD, 2), j2k_put(b, 2 + quant_bytes(first), 2), write_quant(b, first);
    for (int32_t i = 1; i < plan->size.n_components; i++) {
        const j2k_quant *const q = &plan->params.components[i].quant;

        if (quant_equal(first, q))
            continue;
        MTM_TRY(mtm_bytes_reserve(b, 512, err));
        j2k_put(b, QCC, 2), j2k_put(b, 2 + (uint64_t)index_bytes + quant_bytes(q), 2);
        j2k_put(b, (uint64_t)i, index_bytes), write_quant(b, q);
    }
    return MTM_OK;
}

static void write_comment(mtm_bytes *b, const char *text) /* T.800 A.9.2; Rcom 1: ISO/IEC 8859-15 text */
{
    const size_t n = strlen(text);

    if (n == 0)
        return;
    j2k_put(b, COM, 2), j2k_put(b, 4 + n, 2), j2k_put(b, 1, 2);
    memcpy(b->data + b->size_bytes, text, n);
    b->size_bytes += n;
}

/* ---- TLM (T.800 A.7.1) -------------------------------------------------------------------------------- */

/* Bytes of Ttlm: tiles of one part each come in order and need none. */
static int32_t tlm_index_bytes(const j2k_encode_plan *plan)
{
    return plan->tile_parts == 1 ? 0 : plan->size.tiles_x * plan->size.tiles_y <= 255 ? 1 : 2;
}

/* Room for an entry per tile-part, as many segments as it takes: at most 65535 tiles of 33 parts, so below 256. */
static mtm_status reserve_tlm(j2k_encoder *e, mtm_error *err)
{
    const int64_t n = e->plan->size.tiles_x * e->plan->size.tiles_y * e->plan->tile_parts;
    const int64_t segments = (n + TLM_ENTRIES - 1) / TLM_ENTRIES;
    const int32_t index_bytes = tlm_index_bytes(e->plan);
    const uint64_t entry_bytes = (uint64_t)index_bytes + 4;

    MTM_TRY(mtm_bytes_reserve(e->out, (size_t)(n * (int64_t)entry_bytes + segments * TLM_HEAD_BYTES), err));
    e->tlm_at = e->out->size_bytes;
    for (int64_t i = 0; i < segments; i++) {
        const uint64_t entries =
            (uint64_t)(n - i * TLM_ENTRIES < TLM_ENTRIES ? n - i * TLM_ENTRIES : TLM_ENTRIES);

        j2k_put(e->out, TLM, 2), j2k_put(e->out, 4 + entries * entry_bytes, 2);
        j2k_put(e->out, (uint64_t)i, 1), j2k_put(e->out, 0x40 | (uint64_t)index_bytes << 4, 1);
        memset(e->out->data + e->out->size_bytes, 0, (size_t)(entries * entry_bytes));
        e->out->size_bytes += (size_t)(entries * entry_bytes);
    }
    return MTM_OK;
}

void j2k_write_tlm_entry(j2k_encoder *e, int64_t tile, uint32_t bytes)
{
    const int64_t i = e->tlm_written++;
    const int32_t index_bytes = tlm_index_bytes(e->plan);
    mtm_bytes at = {.data = e->out->data,
                    .size_bytes =
                        e->tlm_at + (size_t)(i * (index_bytes + 4) + (i / TLM_ENTRIES + 1) * TLM_HEAD_BYTES)};

    j2k_put(&at, (uint64_t)tile, index_bytes), j2k_put(&at, bytes, 4);
}

mtm_status j2k_write_main_header(j2k_encoder *e, mtm_error *err)
{
    const j2k_encode_plan *const plan = e->plan;
    mtm_bytes *const b = e->out;

    e->codestream_at = b->size_bytes;
    MTM_TRY(mtm_bytes_reserve(b, 1024 + 3 * (size_t)plan->size.n_components, err));
    j2k_put(b, SOC, 2);
    write_siz(b, plan);
    if (plan->ht)
        write_cap(b, plan);
    write_cod(b, plan);
    MTM_TRY(write_quants(b, plan, err));
    MTM_TRY(mtm_bytes_reserve(b, 6 + strlen(plan->comment), err));
    write_comment(b, plan->comment);
    return plan->tlm ? reserve_tlm(e, err) : MTM_OK;
}
