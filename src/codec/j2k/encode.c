/* codec/j2k/encode.c: entry: parameters → plan → boxes, main header, tile by tile, EOC.
 * SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

enum { EOC = 0xFFD9 };

/* Bytes that a tile may take: its share of the rate, by area, less the main header's share. 0: not limited. */
static uint64_t tile_budget(const j2k_encoder *e, const j2k_tile *t)
{
    const j2k_rect im = e->plan->size.image;
    const double area = (double)(t->full.x1 - t->full.x0) * (double)(t->full.y1 - t->full.y0);
    const double all = (double)(im.x1 - im.x0) * (double)(im.y1 - im.y0);
    const double header = (double)(e->header_bytes + 2) * area / all;
    const double bytes = e->plan->rate * area / 8 - header;

    if (e->plan->rate <= 0 || bytes > 0x1p62)
        return 0;
    return bytes < 1 ? 1 : (uint64_t)bytes;
}

static mtm_status encode_tile(j2k_encoder *e, int64_t index, mtm_error *err)
{
    j2k_encode_tile t = {.components = NULL};
    mtm_status s;

    j2k_arena_reset(e->arena);
    j2k_arena_reset(e->coded);
    MTM_TRY(j2k_tile_layout(&t.tile, &e->plan->size, &e->plan->params, index, NULL, UINT64_MAX, NULL,
                            e->arena, err));
    MTM_TRY(j2k_block_coder_new(&e->blocks, e, &t, err));
    s = j2k_encode_tile_blocks(e, &t, err);
    j2k_block_coder_end(e->blocks);
    MTM_TRY(s);
    MTM_TRY(j2k_rate_allocate(e, &t, tile_budget(e, &t.tile), err));
    MTM_TRY(j2k_packets_make(e, &t, err));
    return j2k_encode_tile_parts(e, &t, err);
}

static mtm_status encode_all(j2k_encoder *e, mtm_error *err)
{
    const int64_t n_tiles = e->plan->size.tiles_x * e->plan->size.tiles_y;

    MTM_TRY(j2k_write_boxes(e, err));
    MTM_TRY(j2k_write_main_header(e, err));
    e->header_bytes = e->out->size_bytes;
    for (int64_t i = 0; i < n_tiles; i++)
        MTM_TRY(encode_tile(e, i, err));
    MTM_TRY(mtm_bytes_reserve(e->out, 2, err));
    j2k_put(e->out, EOC, 2);
    j2k_close_boxes(e);
    return MTM_OK;
}

/* ---- the codec table's entry -------------------------------------------------------------------------- */

/* What a worker keeps between calls. */
typedef struct encode_state {
    mtm_kernels kernels;
    j2k_arena plan, tile, coded;
} encode_state;

static void state_free(void *state)
{
    encode_state *const s = state;

    j2k_arena_free(&s->plan);
    j2k_arena_free(&s->tile);
    j2k_arena_free(&s->coded);
    mtm_free(s);
}

static mtm_status encode_with(encode_state *s, const mtm_array *planes, int32_t n_planes,
                              const mtm_encode_params *p, mtm_bytes *out, mtm_error *err)
{
    j2k_encode_plan plan;
    j2k_encoder e = {.plan = &plan,
                     .kernels = &s->kernels,
                     .pool = p->pool,
                     .arena = &s->tile,
                     .coded = &s->coded,
                     .out = out};

    j2k_arena_reset(&s->plan);
    MTM_TRY(j2k_encode_plan_make(&plan, planes, n_planes, p, &s->kernels, &s->plan, err));
    return encode_all(&e, err);
}

mtm_status j2k_encode(mtm_codec_ctx *c, const mtm_array *planes, int32_t n_planes, const mtm_encode_params *p,
                      mtm_bytes *out, mtm_error *err)
{
    mtm_codec_worker *w;
    mtm_status status = MTM_OK;

    out->size_bytes = 0;
    MTM_TRY(mtm_codec_worker_take(c, state_free, &w, err));
    if (!w->state && (w->state = mtm_alloc_zero(1, sizeof(encode_state))))
        mtm_kernels_init(&((encode_state *)w->state)->kernels, w->cpu);
    status = w->state ? encode_with(w->state, planes, n_planes, p, out, err) : MTM_NOMEM(err);
    mtm_codec_worker_give(c, w);
    if (status)
        out->size_bytes = 0;
    return status;
}
