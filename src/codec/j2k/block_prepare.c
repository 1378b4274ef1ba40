/* codec/j2k/block_prepare.c: from the pieces that packets brought to a code-block to what its decoder takes:
 * codeword segments (T.800 D.4, T.814 7.1), bit-planes, and bytes in a row with room around them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "stream.h"

/* A run of pieces that make up the wanted segments. */
typedef struct run {
    const j2k_piece *first, *behind; /* behind: the first one that is no longer in it */
    uint64_t size_bytes;
} run;

j2k_rect j2k_block_rect(const j2k_band *b, int64_t column, int64_t row)
{
    const int64_t x = (b->block_x0 + column) << b->block_w, y = (b->block_y0 + row) << b->block_h;

    return (j2k_rect){mtm_max_i64(x, b->full.x0), mtm_max_i64(y, b->full.y0),
                      mtm_min_i64(x + (INT64_C(1) << b->block_w), b->full.x1),
                      mtm_min_i64(y + (INT64_C(1) << b->block_h), b->full.y1)};
}

/* The run's bytes, where they lie if nothing is between them and MTM_BLOCK_PAD bytes of the input are
 * around them. */
static const uint8_t *run_bytes(const run *r, const j2k_input *in, j2k_arena *arena)
{
    const uint8_t *const start = r->first->data, *next = start;
    bool in_row = true;
    uint8_t *copy, *to;

    for (const j2k_piece *p = r->first; p != r->behind; p = p->next) {
        in_row &= !p->size_bytes || p->data == next;
        next += p->size_bytes;
    }
    if (in_row && start - in->data >= MTM_BLOCK_PAD &&
        (uint64_t)(start - in->data) + r->size_bytes + MTM_BLOCK_PAD <= in->size_bytes)
        return start;
    copy = j2k_arena_take(arena, r->size_bytes + 2 * MTM_BLOCK_PAD);
    if (!copy)
        return NULL;
    memset(copy, 0, MTM_BLOCK_PAD);
    to = copy + MTM_BLOCK_PAD;
    for (const j2k_piece *p = r->first; p != r->behind; to += p->size_bytes, p = p->next)
        memcpy(to, p->data, p->size_bytes);
    memset(to, 0, MTM_BLOCK_PAD);
    return copy + MTM_BLOCK_PAD;
}

/* Codeword segments of a Part 1 code-block: T.800 D.4.2. */
static bool segments_ebcot(mtm_block *out, run *r, const j2k_codeblock *b, j2k_arena *arena)
{
    mtm_segment *s;
    int32_t n = 0;

    for (const j2k_piece *p = b->first; p; p = p->next)
        n += p->opens;
    if (!(s = j2k_arena_take(arena, (size_t)n * sizeof *s)))
        return false;
    n = 0;
    for (const j2k_piece *p = b->first; p; p = p->next) {
        if (p->opens)
            s[n++] = (mtm_segment){0};
        s[n - 1].size_bytes += p->size_bytes;
        s[n - 1].n_passes = (uint16_t)(s[n - 1].n_passes + p->n_passes);
    }
    *r = (run){b->first, NULL, b->total_bytes};
    out->segments = s, out->n_segments = n, out->n_passes = b->n_passes;
    return true;
}

/* The last HT set whose cleanup pass has bytes, and its refinement passes (T.814 7.1). Sets before it, and
 * placeholder passes, count as bit-planes that it need not code: *skipped of them. */
static bool segments_ht(mtm_block *out, run *r, const j2k_codeblock *b, int32_t *skipped, j2k_arena *arena)
{
    mtm_segment *const s = j2k_arena_take(arena, 2 * sizeof *s);
    int32_t pass = 0;

    if (!s)
        return false;
    s[0] = s[1] = (mtm_segment){0};
    r->first = NULL, *skipped = 0;
    for (const j2k_piece *p = b->first; p; pass += p->n_passes, p = p->next) {
        const int32_t last = pass + p->n_passes - 1;

        if (last % 3 == 0 && p->opens &&
            p->size_bytes > 1) { /* a cleanup pass, perhaps behind placeholders */
            *r = (run){p, p->next, p->size_bytes};
            s[0] = (mtm_segment){p->size_bytes, 1}, s[1] = (mtm_segment){0};
            *skipped = last / 3;
        } else if (r->first && last / 3 == *skipped) {
            s[1].size_bytes += p->size_bytes, s[1].n_passes = (uint16_t)(s[1].n_passes + p->n_passes);
            r->behind = p->next, r->size_bytes += p->size_bytes;
        }
    }
    out->segments = s;
    out->n_segments = !r->first ? 0 : s[1].size_bytes ? 2 : 1; /* refinement without bytes tells nothing */
    out->n_passes = !r->first ? 0 : 1 + (s[1].size_bytes ? s[1].n_passes : 0);
    return true;
}

/* A block that breaks the rules: an error, or zeros where damage is allowed. */
static mtm_status block_wrong(mtm_block *out, const j2k_codeblock *b, const j2k_input *in, const char *what,
                              mtm_error *err)
{
    if (!in->partial)
        return mtm_fail(err, MTM_E_CORRUPT, b->first->data - in->data,
                        "a code-block has more %s than bit-planes", what);
    out->n_segments = out->n_passes = 0;
    out->status = MTM_BLOCK_CORRUPT;
    return MTM_OK;
}

mtm_status j2k_block_prepare(mtm_block *out, const j2k_tile_component *tc, const j2k_band *band,
                             int64_t column, int64_t row, const j2k_input *in, j2k_arena *arena,
                             mtm_error *err)
{
    const j2k_codeblock *const b = &band->blocks[row * band->blocks_wide + column];
    const j2k_rect rect = j2k_block_rect(band, column, row);
    const uint8_t style = tc->params->coding.style;
    const int32_t planes = band->n_planes + tc->params->roi_shift - b->zero_planes; /* T.800 H.1 */
    int32_t skipped = 0;
    run r = {0};

    out->data = NULL, out->segments = NULL, out->n_segments = out->n_passes = 0;
    out->width = (int32_t)(rect.x1 - rect.x0), out->height = (int32_t)(rect.y1 - rect.y0);
    out->band = band->orient, out->step = band->step;
    out->style = (uint8_t)(b->ht ? style : style & ~(MTM_BLOCK_HT | MTM_BLOCK_HT_MIXED));
    out->n_planes = out->plane = 0;
    out->status = MTM_BLOCK_OK;
    if (!b->first || (!b->ht && (style & MTM_BLOCK_HT) && !b->total_bytes)) /* placeholder passes only */
        return MTM_OK;
    if (!(b->ht ? segments_ht(out, &r, b, &skipped, arena) : segments_ebcot(out, &r, b, arena)))
        return MTM_NOMEM(err);
    if (!out->n_passes)
        return MTM_OK;
    if (planes - skipped < 1)
        return block_wrong(out, b, in, "zero bit-planes", err);
    if ((b->ht ? planes + b->zero_planes : planes) > MTM_BLOCK_MAX_PLANES)
        return in->partial ? block_wrong(out, b, in, "", err)
                           : mtm_fail(err, MTM_E_UNSUPPORTED, b->first->data - in->data,
                                      "a code-block of %" PRId32 " bit-planes; %d are decoded", planes,
                                      MTM_BLOCK_MAX_PLANES);
    if (b->ht) {
        out->n_planes = b->zero_planes + skipped + 1, out->plane = planes - skipped - 1;
        if (!out->plane && out->n_passes > 1) /* there is no bit-plane that refinement could code */
            out->n_passes = out->n_segments = 1;
    } else {
        out->n_planes = planes;
        if (out->n_passes > 3 * planes - 2)
            return block_wrong(out, b, in, "coding passes", err);
    }
    if (!(out->data = run_bytes(&r, in, arena)))
        return MTM_NOMEM(err);
    return MTM_OK;
}
