/* codec/j2k/strip.c: strips of code-blocks. Each band of a tile keeps a row of code-blocks as rows of coefficients, which the
 * inverse transform pulls; when it asks for a row behind them, the next code-blocks of all bands of that resolution, of all
 * components, are decoded in one go, because the block decoders work on several at a time, and threads share them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"
#include "base/size.h"
#include "decode.h"

enum {
    ALIGN = 64,
    CHUNK = 32, /* code-blocks that a worker prepares and decodes at a time */
    GRAIN = 8,  /* code-blocks of a task */
    SHARE = 32  /* code-blocks per thread that a filling of the highest resolution should have */
};

/* ---- making ------------------------------------------------------------------------------------------- */

/* Rows of code-blocks in a strip: enough for all threads, and no more, so that rows are still in a cache when they are pulled. */
static int64_t strip_depth(const j2k_tile_decoder *d)
{
    const int64_t wanted = (int64_t)SHARE * mtm_pool_threads(d->job->pool);
    int64_t n = 1;

    for (int32_t c = 0; c < d->tile.n_components && d->pooled; c++) {
        const j2k_tile_component *const tc = d->components[c].tc;

        for (int32_t i = 0; tc->top >= 0 && i < tc->resolutions[tc->top].n_bands; i++)
            n += tc->resolutions[tc->top].bands[i].blocks_wide;
    }
    return d->pooled ? (wanted - 1) / n + 1 : 1;
}

static void strip_restart(j2k_strip *s)
{
    s->y0 = s->y1 = mtm_max_i64(s->band->block_y0 << s->band->block_h, s->band->full.y0);
    s->last = s->y0 - 1, s->next_row = 0;
}

/* Elements between the left edge of the first code-block and the right edge of the last. */
static int64_t strip_width(const j2k_band *b)
{
    return mtm_min_i64((b->block_x0 + b->blocks_wide) << b->block_w, b->full.x1) -
           (b->block_x0 << b->block_w);
}

static mtm_status strip_new(j2k_strip *s, const j2k_band *b, mtm_coef type, int64_t depth, j2k_arena *arena,
                            mtm_error *err)
{
    const int64_t rows =
        mtm_min_i64(mtm_min_i64(depth, b->blocks_high) << b->block_h, b->full.y1 - b->full.y0);
    uint64_t bytes;

    *s = (j2k_strip){.band = b, .type = type, .x0 = b->block_x0 << b->block_w};
    s->left_bytes = (size_t)(b->win.x0 - s->x0) * mtm_coef_bytes(type);
    s->stride_bytes = ((size_t)strip_width(b) * mtm_coef_bytes(type) + ALIGN - 1) / ALIGN * ALIGN + ALIGN;
    if (!mtm_mul_u64(s->stride_bytes, (uint64_t)rows, &bytes) || bytes > SIZE_MAX / 4 ||
        !(s->rows = j2k_arena_take(arena, (size_t)bytes)))
        return MTM_NOMEM(err);
    strip_restart(s);
    return MTM_OK;
}

static mtm_status component_strips(j2k_tile_decoder *d, j2k_component_decoder *c, size_t *longest,
                                   mtm_error *err)
{
    j2k_arena *const arena = &d->reader->tile_arena;

    c->strips = j2k_arena_take_zero(arena, (size_t)c->tc->top + 1, sizeof *c->strips);
    if (!c->strips)
        return MTM_NOMEM(err);
    for (int32_t r = 0; r <= c->tc->top; r++)
        for (int32_t i = 0; i < c->tc->resolutions[r].n_bands; i++) {
            const j2k_band *const b = &c->tc->resolutions[r].bands[i];

            if (b->blocks_wide * b->blocks_high == 0)
                continue;
            MTM_TRY(strip_new(&c->strips[r][i], b, r == 0 && c->offset ? MTM_COEF_I32 : c->type, d->depth,
                              arena, err));
            d->n_items += b->blocks_wide * mtm_min_i64(d->depth, b->blocks_high);
            *longest = c->strips[r][i].stride_bytes > *longest ? c->strips[r][i].stride_bytes : *longest;
        }
    return MTM_OK;
}

mtm_status j2k_strips_new(j2k_tile_decoder *d, mtm_error *err)
{
    j2k_arena *const arena = &d->reader->tile_arena;
    size_t longest = 0;

    d->depth = strip_depth(d), d->n_items = 0;
    for (int32_t c = 0; c < d->tile.n_components; c++)
        if (d->components[c].tc->top >= 0)
            MTM_TRY(component_strips(d, &d->components[c], &longest, err));
    d->items = j2k_arena_take_zero(arena, (size_t)d->n_items, sizeof *d->items);
    d->zeros = j2k_arena_take_zero(arena, 1, longest);
    d->n_items = 0;
    return d->items && d->zeros ? MTM_OK : MTM_NOMEM(err);
}

void j2k_strips_restart(j2k_tile_decoder *d)
{
    for (int32_t c = 0; c < d->tile.n_components; c++)
        for (int32_t r = 0; r <= d->components[c].tc->top; r++)
            for (int32_t i = 0; i < 3; i++)
                if (d->components[c].strips[r][i].band)
                    strip_restart(&d->components[c].strips[r][i]);
}

/* ---- decoding code-blocks ----------------------------------------------------------------------------- */

/* One filling; threads share it. */
typedef struct filling {
    j2k_tile_decoder *d;
    pthread_mutex_t lock; /* guards what follows */
    bool too_large;
    int64_t damaged;
    int64_t failed; /* number of the first item that failed; −1: none */
    mtm_status status;
    mtm_error err;
} filling;

/* Code-blocks that wait to be decoded together, all HT or all EBCOT. */
typedef struct queue {
    mtm_block blocks[CHUNK];
    int64_t item[CHUNK];
    int32_t n;
} queue;

static void fail_item(filling *f, int64_t item, mtm_status s, const mtm_error *err)
{
    pthread_mutex_lock(&f->lock);
    if (f->failed < 0 || item < f->failed)
        f->failed = item, f->status = s, f->err = *err;
    pthread_mutex_unlock(&f->lock);
}

static void clear_block(const mtm_block *b)
{
    const size_t size = mtm_coef_bytes(b->type);

    for (int32_t y = 0; y < b->height; y++)
        memset((char *)b->dst + (ptrdiff_t)size * y * b->stride, 0, size * (size_t)b->width);
}

/* A code-block that breaks the coding rules: an error, or zeros. */
static void damaged_block(filling *f, int64_t item, const mtm_block *b)
{
    const j2k_input *const in = &f->d->job->in;
    const j2k_item *const it = &f->d->items[item];
    mtm_error err = {.offset = -1};

    clear_block(b);
    if (in->partial) {
        pthread_mutex_lock(&f->lock);
        f->damaged++;
        pthread_mutex_unlock(&f->lock);
        return;
    }
    mtm_fail(&err, MTM_E_CORRUPT, it->block->first ? it->block->first->data - in->data : -1,
             "a code-block of component %d breaks the coding rules", (int)(it->component - f->d->components));
    fail_item(f, item, MTM_E_CORRUPT, &err);
}

static void decode_queue(filling *f, queue *q, bool ht, j2k_reader *r)
{
    (ht ? r->k.ht.decode : r->k.ebcot.decode)(q->blocks, q->n, r->scratch);
    for (int32_t i = 0; i < q->n; i++) {
        const mtm_block_status status = q->blocks[i].status;

        if (status == MTM_BLOCK_TOO_LARGE && f->d->check) {
            pthread_mutex_lock(&f->lock);
            f->too_large = true;
            pthread_mutex_unlock(&f->lock);
        } else if (status != MTM_BLOCK_OK) { /* too large for its own bit-planes is corrupt too */
            damaged_block(f, q->item[i], &q->blocks[i]);
        }
    }
    q->n = 0;
}

/* Values with a region of interest: of Mb + s bit-planes, what reaches into the upper Mb was scaled up by 2^s (T.800 H.1); s may be
 * less than Mb where a whole component was shifted. In half units, whose last bit says "and a half" once the shift has cut
 * known zeros off. */
static int64_t unshift(int64_t v2, int32_t s)
{
    const int64_t m = v2 < 0 ? -v2 : v2;
    int64_t u = m;

    if (s < 62 && m >> (s + 1))
        u = (m >> s) | ((m & ((INT64_C(1) << s) - 1)) != 0);
    return v2 < 0 ? -u : u;
}

/* As the block decoders store it, see mtm_coef. */
static void store_v2(const mtm_block *b, int64_t at, int64_t v2)
{
    const int64_t q = v2 < 0 ? -(-v2 >> 1) : v2 >> 1;

    switch (b->type) {
    case MTM_COEF_I16: ((int16_t *)b->dst)[at] = (int16_t)q; break;
    case MTM_COEF_I32: ((int32_t *)b->dst)[at] = (int32_t)q; break;
    case MTM_COEF_I64: ((int64_t *)b->dst)[at] = q; break;
    default: ((float *)b->dst)[at] = (float)((double)v2 * 0.5 * (double)b->step);
    }
}

/* A code-block of a component with a region of interest, on its own. */
static void decode_roi(filling *f, int64_t item, mtm_block *b, bool ht, j2k_reader *r)
{
    const j2k_item *const it = &f->d->items[item];
    const int32_t s = it->component->tc->params->roi_shift;
    mtm_block v2 = *b;

    v2.type = MTM_COEF_V2, v2.dst = r->v2, v2.stride = b->width;
    (ht ? r->k.ht.decode : r->k.ebcot.decode)(&v2, 1, r->scratch);
    if (v2.status != MTM_BLOCK_OK) {
        damaged_block(f, item, b);
        return;
    }
    for (int32_t y = 0; y < b->height; y++)
        for (int32_t x = 0; x < b->width; x++)
            store_v2(b, y * b->stride + x, unshift(r->v2[y * b->width + x], s));
}

/* Where a code-block's coefficients go. */
static void place_block(mtm_block *b, const j2k_strip *s, j2k_rect rect)
{
    const size_t size = mtm_coef_bytes(s->type);

    b->type = (uint8_t)s->type;
    b->width = (int32_t)(rect.x1 - rect.x0), b->height = (int32_t)(rect.y1 - rect.y0);
    b->dst = s->rows + (size_t)(rect.y0 - s->y0) * s->stride_bytes + (size_t)(rect.x0 - s->x0) * size;
    b->stride = (ptrdiff_t)(s->stride_bytes / size);
}

/* A cleanup pass goes through the rows of quads from the top and needs none below (T.814 7.3), so that nothing below the window
 * is decoded. */
static void cut_below(mtm_block *b, const j2k_band *band, int64_t row)
{
    const int64_t top = mtm_max_i64((band->block_y0 + row) << band->block_h, band->full.y0);
    const int64_t rows = (band->win.y1 - top + 1) / 2 * 2;

    b->height = (int32_t)mtm_min_i64(b->height, rows);
}

/* A frame's bytes mostly come from memory, and lines asked for together take hardly longer than one. */
static void fetch_ahead(const mtm_block *b)
{
    uint64_t bytes = 0;

    for (int32_t i = 0; i < b->n_segments; i++)
        bytes += b->segments[i].size_bytes;
    for (uint64_t at = 0; at < bytes; at += 64)
        __builtin_prefetch(b->data + at, 0, 2);
}

static void decode_items(filling *f, j2k_reader *r, int64_t lo, int64_t hi)
{
    const j2k_input *const in = &f->d->job->in;
    queue q[2]; /* EBCOT, HT */
    mtm_error err = {.offset = -1};

    q[0].n = q[1].n = 0;
    j2k_arena_reset(&r->block_arena);
    for (int64_t i = lo; i < hi; i++) {
        const j2k_item *const it = &f->d->items[i];
        const j2k_component_decoder *const c = it->component;
        const j2k_band *const band = it->strip->band;
        const bool ht = it->block->ht;
        mtm_block *const b = &q[ht].blocks[q[ht].n];
        const mtm_status s =
            j2k_block_prepare(b, c->tc, band, it->column, it->row, in, &r->block_arena, &err);

        if (s) {
            fail_item(f, i, s, &err);
            break;
        }
        place_block(b, it->strip, j2k_block_rect(band, it->column, it->row));
        if (ht && b->n_passes == 1)
            cut_below(b, band, it->row);
        if (ht)
            fetch_ahead(b);
        if (b->status == MTM_BLOCK_CORRUPT)
            damaged_block(f, i, b);
        else if (c->tc->params->roi_shift)
            decode_roi(f, i, b, ht, r);
        else
            q[ht].item[q[ht].n++] = i;
        if (q[ht].n == CHUNK || i == hi - 1) {
            decode_queue(f, &q[0], false, r);
            decode_queue(f, &q[1], true, r);
            j2k_arena_reset(&r->block_arena);
        }
    }
}

static void decode_share(void *arg, int64_t lo, int64_t hi)
{
    filling *const f = arg;
    mtm_codec_worker *w;
    mtm_error err = {.offset = -1};
    const mtm_status s = j2k_reader_take(f->d->job->ctx, &w, &err);

    if (s) {
        fail_item(f, lo, s, &err);
        return;
    }
    decode_items(f, j2k_reader_of(w), lo, hi);
    mtm_codec_worker_give(f->d->job->ctx, w);
}

static mtm_status run(j2k_tile_decoder *d, mtm_error *err)
{
    filling f = {.d = d, .failed = -1};
    mtm_status s = MTM_OK;

    pthread_mutex_init(&f.lock, NULL);
    if (d->job->pool && d->n_items > GRAIN)
        s = mtm_pool_for(d->job->pool, d->n_items, GRAIN, decode_share, &f, NULL, err);
    else
        decode_items(&f, d->reader, 0, d->n_items);
    pthread_mutex_destroy(&f.lock);
    MTM_TRY(s);
    d->damaged += f.damaged;
    if (f.failed >= 0) {
        if (err)
            *err = f.err;
        return f.status;
    }
    d->too_large = f.too_large;
    if (d->too_large)
        return mtm_fail(err, MTM_E_LIMIT, -1, "a coefficient needs more than 16 bits");
    return MTM_OK;
}

/* ---- filling ------------------------------------------------------------------------------------------ */

/* Moves a strip on by its depth, notes which of its code-blocks are to be decoded, and clears the others. */
static void advance(j2k_tile_decoder *d, const j2k_component_decoder *c, j2k_strip *s)
{
    const j2k_band *const b = s->band;
    const int64_t row0 = s->next_row, row1 = mtm_min_i64(row0 + d->depth, b->blocks_high);
    const int64_t before = d->n_items;

    s->y0 = s->y1;
    s->y1 = mtm_min_i64((b->block_y0 + row1) << b->block_h, b->full.y1);
    s->next_row = row1;
    for (int64_t row = row0; row < row1; row++)
        for (int64_t column = 0; column < b->blocks_wide; column++) {
            const j2k_codeblock *const cb = &b->blocks[row * b->blocks_wide + column];

            if (cb->first || cb->damaged)
                d->items[d->n_items++] = (j2k_item){c, s, cb, (int32_t)column, (int32_t)row};
        }
    s->zero = d->n_items == before;
    if (s->zero || d->n_items - before == (row1 - row0) * b->blocks_wide)
        return;
    for (int64_t row = row0; row < row1; row++)
        for (int64_t column = 0; column < b->blocks_wide; column++) {
            const j2k_codeblock *const cb = &b->blocks[row * b->blocks_wide + column];
            mtm_block empty;

            if (cb->first || cb->damaged)
                continue;
            place_block(&empty, s, j2k_block_rect(b, column, row));
            clear_block(&empty);
        }
}

mtm_status j2k_strips_fill(j2k_tile_decoder *d, int32_t r, mtm_error *err)
{
    d->n_items = 0;
    for (int32_t c = 0; c < d->tile.n_components; c++) {
        const j2k_component_decoder *const k = &d->components[c];

        for (int32_t q = r < 0 ? 0 : r; q <= (r < 0 ? k->tc->top : mtm_min_i64(r, k->tc->top)); q++)
            for (int32_t i = 0; i < k->tc->resolutions[q].n_bands; i++) {
                j2k_strip *const s = &k->strips[q][i];

                if (s->band && s->last == s->y1 - 1 && s->next_row < s->band->blocks_high)
                    advance(d, k, s);
            }
    }
    return run(d, err);
}

const void *j2k_strip_row(void *user, int32_t resolution, int32_t band, int64_t v)
{
    j2k_component_decoder *const c = user;
    j2k_tile_decoder *const d = c->tile;
    j2k_strip *const s = &c->strips[resolution][band];

    while (v >= s->y1) {
        s->last = s->y1 - 1; /* not all rows need have been asked for */
        d->status = j2k_strips_fill(d, resolution, &d->err);
        if (d->status)
            return NULL;
    }
    s->last = v;
    return s->zero ? d->zeros : s->rows + (size_t)(v - s->y0) * s->stride_bytes + s->left_bytes;
}
