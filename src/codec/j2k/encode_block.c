/* codec/j2k/encode_block.c: a row of a subband's code-blocks through the block coder, a batch at a time, and their bytes
 * into the tile's arena, which is all that is kept of them until the packets are written.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "encode.h"

enum {
    BATCH = 16,        /* blocks that a coder gets at once */
    POOL_HT_BATCH = 4, /* with a pool, so that the smallest rows are shared too */
    POOL_BATCH = 2,
    PASSES = 3 * MTM_BLOCK_MAX_PLANES,
    CHUNK_BYTES = 256 << 10 /* of coded bytes, taken from the arena at once */
};

/* What one task needs. */
typedef struct scratch {
    struct scratch *next;
    uint8_t *coder, *room;
    mtm_pass *passes;
    mtm_block_input blocks[BATCH];
} scratch;

/* Some code-blocks [first, end) of a row. */
typedef struct batch {
    struct batch *next; /* when idle */
    j2k_block_coder *coder;
    const j2k_encode_component *component;
    const j2k_encode_band *band;
    const j2k_encode_strip *strip;
    int64_t row, first, end;
} batch;

struct j2k_block_coder {
    const j2k_encoder *e;
    int64_t batch_blocks;
    size_t room_bytes; /* of the largest block */
    bool wants_passes;
    j2k_encode_strip *strips; /* that were submitted */
    pthread_mutex_t lock;     /* guards all below and e->coded */
    scratch *idle;
    batch *idle_batches;
    uint8_t *chunk;
    size_t chunk_left;
    mtm_status status;
};

static bool wants_passes(const j2k_encode_plan *plan)
{
    const uint8_t style = plan->params.components[0].coding.style;

    return !plan->ht &&
           (plan->params.layers > 1 || plan->rate > 0 || (style & (MTM_BLOCK_BYPASS | MTM_BLOCK_TERMALL)));
}

static uint32_t block_bound(const j2k_encoder *e, const j2k_encode_tile *t)
{
    uint32_t most = 0;

    for (int32_t c = 0; c < t->tile.n_components; c++)
        for (int32_t r = 0; r <= t->tile.components[c].levels; r++)
            for (int32_t i = 0; i < t->tile.components[c].resolutions[r].n_bands; i++) {
                const j2k_band *const b = &t->tile.components[c].resolutions[r].bands[i];
                const int32_t w = 1 << b->block_w, h = 1 << b->block_h;
                const uint32_t bound = e->plan->ht ? mtm_ht_encode_bound(w, h, b->n_planes)
                                                   : mtm_ebcot_encode_bound(w, h, b->n_planes);

                most = bound > most ? bound : most;
            }
    return most;
}

mtm_status j2k_block_coder_new(j2k_block_coder **out, const j2k_encoder *e, const j2k_encode_tile *t,
                               mtm_error *err)
{
    j2k_block_coder *const c = j2k_arena_take_zero(e->coded, 1, sizeof *c);

    if (!c)
        return MTM_NOMEM(err);
    c->e = e;
    c->room_bytes = (block_bound(e, t) + 63u) & ~(size_t)63;
    c->wants_passes = wants_passes(e->plan);
    c->batch_blocks = !e->pool ? BATCH : e->plan->ht ? POOL_HT_BATCH : POOL_BATCH;
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return MTM_OK;
}

int32_t j2k_block_coder_strips(const j2k_block_coder *c)
{
    return c->e->pool ? 2 : 1;
}

static void wait_all(j2k_block_coder *c)
{
    for (j2k_encode_strip *s = c->strips; s; s = s->next)
        mtm_pool_wait(c->e->pool, &s->group);
}

void j2k_block_coder_end(j2k_block_coder *c)
{
    wait_all(c);
    pthread_mutex_destroy(&c->lock);
}

/* ---- memory, under the lock --------------------------------------------------------------------------- */

static scratch *scratch_new(j2k_block_coder *c)
{
    const size_t coder_bytes =
        c->e->plan->ht ? (size_t)MTM_HT_SCRATCH_BYTES : (size_t)MTM_EBCOT_SCRATCH_BYTES;
    scratch *const s = j2k_arena_take_zero(c->e->coded, 1, sizeof *s);

    if (!s || !(s->coder = j2k_arena_take(c->e->coded, coder_bytes)) ||
        !(s->room = j2k_arena_take(c->e->coded, BATCH * c->room_bytes)) ||
        !(s->passes = j2k_arena_take(c->e->coded, c->wants_passes ? BATCH * PASSES * sizeof *s->passes : 0)))
        return NULL;
    return s;
}

static scratch *scratch_take(j2k_block_coder *c)
{
    scratch *s;

    pthread_mutex_lock(&c->lock);
    s = c->status ? NULL : c->idle;
    if (s)
        c->idle = s->next;
    else if (!c->status && !(s = scratch_new(c)))
        c->status = MTM_E_NOMEM;
    pthread_mutex_unlock(&c->lock);
    return s;
}

/* Room for a batch's bytes; the scratch is given back after them. */
static uint8_t *chunk_take(j2k_block_coder *c, size_t bytes)
{
    uint8_t *at;

    pthread_mutex_lock(&c->lock);
    if (!c->chunk || bytes > c->chunk_left) {
        c->chunk_left = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        c->chunk = j2k_arena_take(c->e->coded, c->chunk_left);
    }
    at = c->chunk;
    if (at)
        c->chunk += bytes, c->chunk_left -= bytes;
    else
        c->status = MTM_E_NOMEM, c->chunk_left = 0;
    pthread_mutex_unlock(&c->lock);
    return at;
}

static void give(j2k_block_coder *c, scratch *s, batch *j, mtm_status status)
{
    pthread_mutex_lock(&c->lock);
    s->next = c->idle, c->idle = s;
    j->next = c->idle_batches, c->idle_batches = j;
    if (status)
        c->status = status;
    pthread_mutex_unlock(&c->lock);
}

static batch *batch_take(j2k_block_coder *c)
{
    batch *j;

    pthread_mutex_lock(&c->lock);
    j = c->idle_batches;
    if (j)
        c->idle_batches = j->next;
    else
        j = j2k_arena_take(c->e->coded, sizeof *j);
    pthread_mutex_unlock(&c->lock);
    return j;
}

/* ---- a batch ------------------------------------------------------------------------------------------ */

static void fill(const batch *j, scratch *s)
{
    const j2k_band *const b = j->band->band;
    const size_t elem_bytes = mtm_coef_bytes(j->band->type);

    for (int64_t i = j->first; i < j->end; i++) {
        const j2k_rect r = j2k_block_rect(b, i, j->row);
        const size_t k = (size_t)(i - j->first);

        s->blocks[k] = (mtm_block_input){
            .src = j->strip->rows + (size_t)(r.y0 - j->strip->first_row) * j->band->stride_bytes +
                   (size_t)(r.x0 - b->full.x0) * elem_bytes,
            .stride = (ptrdiff_t)(j->band->stride_bytes / elem_bytes),
            .width = (int32_t)(r.x1 - r.x0),
            .height = (int32_t)(r.y1 - r.y0),
            .style = j->component->style,
            .band = b->orient,
            .type = (uint8_t)j->band->type,
            .inverse_step = j->band->inverse_step,
            .n_planes = b->n_planes,
            .out = s->room + k * j->coder->room_bytes,
            .room_bytes = (uint32_t)j->coder->room_bytes,
            .passes = j->coder->wants_passes ? s->passes + k * PASSES : NULL,
        };
    }
}

static size_t aligned(size_t bytes) /* for the passes behind a codeword */
{
    return (bytes + 7) / 8 * 8;
}

/* Moves the results of a batch into the arena. */
static mtm_status keep(const batch *j, const scratch *s)
{
    j2k_coded *const coded = j->band->blocks + j->row * j->band->band->blocks_wide + j->first;
    const int64_t n = j->end - j->first;
    size_t bytes = 0;
    uint8_t *at;

    for (const mtm_block_input *in = s->blocks; in < s->blocks + n; in++) {
        if (in->status != MTM_BLOCK_OK)
            return MTM_E_INVAL;
        bytes += aligned(in->size_bytes) + (in->passes ? (size_t)in->n_passes * sizeof *in->passes : 0);
    }
    at = chunk_take(j->coder, bytes);
    if (!at)
        return MTM_E_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        const mtm_block_input *const in = &s->blocks[i];

        coded[i] = (j2k_coded){.data = at,
                               .size_bytes = in->size_bytes,
                               .n_passes = (uint16_t)in->n_passes,
                               .zero_planes = (uint8_t)in->zero_planes};
        memcpy(at, in->out, in->size_bytes);
        at += aligned(in->size_bytes);
        if (!in->passes)
            continue;
        coded[i].passes = memcpy(at, in->passes, (size_t)in->n_passes * sizeof *in->passes);
        at += (size_t)in->n_passes * sizeof *in->passes;
    }
    return MTM_OK;
}

static void code_batch(void *arg)
{
    batch *const j = arg;
    j2k_block_coder *const c = j->coder;
    scratch *const s = scratch_take(c);

    if (!s)
        return;
    fill(j, s);
    if (c->e->plan->ht)
        c->e->kernels->ht.encode(s->blocks, (int32_t)(j->end - j->first), s->coder);
    else
        c->e->kernels->ebcot.encode(s->blocks, (int32_t)(j->end - j->first), s->coder);
    give(c, s, j, keep(j, s));
}

/* ---- a row -------------------------------------------------------------------------------------------- */

static mtm_status failure(j2k_block_coder *c, mtm_error *err)
{
    mtm_status status;

    pthread_mutex_lock(&c->lock);
    status = c->status;
    pthread_mutex_unlock(&c->lock);
    return status == MTM_OK ? MTM_OK
           : status == MTM_E_NOMEM
               ? MTM_NOMEM(err)
               : mtm_fail(err, status, -1, "a coefficient needs more bit-planes than its subband has");
}

mtm_status j2k_block_coder_row(j2k_block_coder *c, const j2k_encode_component *component,
                               j2k_encode_band *band, int64_t row, mtm_error *err)
{
    j2k_encode_strip *const strip = &band->strips[band->filling];
    const int64_t n = band->band->blocks_wide;

    if (!strip->submitted)
        strip->next = c->strips, strip->submitted = true, c->strips = strip;
    for (int64_t first = 0; first < n; first += c->batch_blocks) {
        batch *const j = batch_take(c);

        if (!j)
            return MTM_NOMEM(err);
        *j = (batch){NULL,  c,   component, band,
                     strip, row, first,     first + c->batch_blocks < n ? first + c->batch_blocks : n};
        MTM_TRY(mtm_pool_submit(c->e->pool, MTM_LANE_COMPUTE, &strip->group, code_batch, j, err));
    }
    band->filling = (band->filling + 1) % j2k_block_coder_strips(c);
    mtm_pool_wait(c->e->pool, &band->strips[band->filling].group);
    return failure(c, err);
}

mtm_status j2k_block_coder_finish(j2k_block_coder *c, mtm_error *err)
{
    wait_all(c);
    return failure(c, err);
}
