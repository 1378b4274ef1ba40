/* tests/unit/j2k_streams.h: streams of j2k_write.h to begin with, plain and with everything, and how they are opened.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_J2K_STREAMS_H
#define MTM_TESTS_J2K_STREAMS_H

#include "j2k_write.h"

static const w_spec w_plain = {.image = {0, 0, 40, 30},
                               .tile = {0, 0, 40, 30},
                               .n_components = 1,
                               .dx = {1, 1, 1, 1},
                               .dy = {1, 1, 1, 1},
                               .levels = 2,
                               .block_w = 4,
                               .block_h = 4,
                               .precinct = {0xFF, 0xFF, 0xFF},
                               .progression = 2,
                               .layers = 1,
                               .reversible = true,
                               .parts = 1,
                               .guard = 2,
                               .exponent = 12,
                               .seed = 1};

static inline w_spec w_random_grid(mtm_rng *r)
{
    w_spec s = w_plain;

    s.image.x0 = w_below(r, 40), s.image.y0 = w_below(r, 40);
    s.image.x1 = s.image.x0 + 1 + w_below(r, 150), s.image.y1 = s.image.y0 + 1 + w_below(r, 100);
    s.tile.x0 = w_below(r, (uint32_t)s.image.x0 + 1), s.tile.y0 = w_below(r, (uint32_t)s.image.y0 + 1);
    s.tile.x1 = s.image.x0 + 1 + w_below(r, 160), s.tile.y1 = s.image.y0 + 1 + w_below(r, 160);
    if (s.tile.x1 - s.tile.x0 < 24)
        s.tile.x1 = s.tile.x0 + 200;
    if (s.tile.y1 - s.tile.y0 < 24)
        s.tile.y1 = s.tile.y0 + 200;
    s.n_components = 1 + (int32_t)w_below(r, 3);
    for (int c = 0; c < 4; c++)
        s.dx[c] = (uint8_t)(1 + w_below(r, 3)), s.dy[c] = (uint8_t)(1 + w_below(r, 3));
    s.levels = (uint8_t)w_below(r, 6);
    s.block_w = (uint8_t)(2 + w_below(r, 4)), s.block_h = (uint8_t)(2 + w_below(r, 4));
    for (int i = 0; i <= s.levels; i++)
        s.precinct[i] = (uint8_t)(w_below(r, 3) ? 0xFF : (3 + w_below(r, 5)) << 4 | (3 + w_below(r, 5)));
    s.progression = (uint8_t)w_below(r, 5);
    s.reversible = w_below(r, 2);
    s.seed = mtm_rng_u64(r);
    return s;
}

static inline void w_random_orders(w_spec *s, mtm_rng *r)
{
    s->n_orders = 2 + (int32_t)w_below(r, 3);
    for (int i = 0; i < s->n_orders; i++) {
        j2k_order *const o = &s->orders[i];

        o->res0 = (uint8_t)w_below(r, s->levels + 1u), o->res1 = (uint8_t)(o->res0 + 1 + w_below(r, 4));
        o->comp0 = (uint16_t)w_below(r, (uint32_t)s->n_components), o->comp1 = o->comp0 + 1u + w_below(r, 3);
        o->layer1 = (uint16_t)(1 + w_below(r, s->layers)), o->progression = (uint8_t)w_below(r, 5);
    }
    s->orders[s->n_orders - 1] = (j2k_order){.progression = (uint8_t)w_below(r, 5),
                                             .res1 = 33,
                                             .comp1 = (uint32_t)s->n_components,
                                             .layer1 = s->layers};
}

static inline w_spec w_random_stream(mtm_rng *r)
{
    static const uint8_t styles[] = {0,
                                     0,
                                     MTM_BLOCK_TERMALL,
                                     MTM_BLOCK_BYPASS,
                                     MTM_BLOCK_BYPASS | MTM_BLOCK_TERMALL,
                                     MTM_BLOCK_HT,
                                     MTM_BLOCK_HT,
                                     MTM_BLOCK_HT | MTM_BLOCK_HT_MIXED};
    w_spec s = w_random_grid(r);

    s.layers = (uint16_t)(1 + w_below(r, 4));
    s.style = styles[w_below(r, sizeof styles)];
    s.sop = w_below(r, 2), s.eph = w_below(r, 2), s.plt = w_below(r, 2), s.tlm = w_below(r, 2);
    s.packed = w_below(r, 3) ? W_IN_PLACE : w_below(r, 2) ? W_PPM : W_PPT;
    s.parts = 1 + (int32_t)w_below(r, 4);
    if (w_below(r, 4) == 0)
        w_random_orders(&s, r);
    return s;
}

/* All that stands before packets. */
typedef struct opened {
    j2k_arena arena;
    j2k_notes notes;
    j2k_input in;
    j2k_boxes boxes;
    j2k_header header;
    j2k_stream stream;
} opened;

static inline mtm_status open_status(opened *o, mtm_error *err)
{
    MTM_TRY(j2k_boxes_read(&o->boxes, &o->in, &o->arena, &o->notes, err));
    MTM_TRY(j2k_header_read(&o->header, &o->in, &o->boxes, NULL, &o->arena, &o->notes, err));
    return j2k_stream_open(&o->stream, &o->in, &o->header, false, &o->arena, &o->notes, err);
}

static inline void opened_free(opened *o)
{
    j2k_arena_free(&o->arena);
}

#endif
