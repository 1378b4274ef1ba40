/* codec/j2k/decode.c: one decoding call: the reader and its plan of the header, checks, and the tiles, one after the other, on a
 * pool, or a row of them in step.
 * SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"

#include "base/hash.h"
#include "base/pool.h"
#include "base/size.h"

enum {
    /* Tile-components before the input's length must account for them: each that is not empty has a packet. */
    FREE_TILE_COMPONENTS = 1 << 20,
    TILE_COMPONENTS_PER_BYTE = 16,
    ROWS_MOST = 64,        /* rows that a sink is given at a time */
    ROWS_BYTES = 256 << 10 /* of them, about */
};

/* ---- readers ------------------------------------------------------------------------------------------ */

static void reader_free(void *state)
{
    j2k_reader *const r = state;

    j2k_arena_free(&r->plan_arena);
    j2k_arena_free(&r->call_arena);
    j2k_arena_free(&r->tile_arena);
    j2k_arena_free(&r->packet_arena);
    j2k_arena_free(&r->block_arena);
    mtm_free(r->scratch);
    mtm_free(r->v2);
    mtm_free(r);
}

MTM_DEFINE_AUTO(j2k_reader, reader_free)

static mtm_status reader_new(j2k_reader **out, unsigned cpu, mtm_error *err)
{
    MTM_AUTO(j2k_reader) r = mtm_alloc_zero(1, sizeof *r);

    if (!r)
        return MTM_NOMEM(err);
    r->scratch = mtm_alloc_aligned((size_t)mtm_max_i64(MTM_HT_SCRATCH_BYTES, MTM_EBCOT_SCRATCH_BYTES));
    r->v2 = mtm_alloc_aligned(MTM_BLOCK_MAX_SAMPLES * sizeof *r->v2);
    if (!r->scratch || !r->v2)
        return MTM_NOMEM(err);
    mtm_ht_kernels_init(&r->k.ht, cpu);
    mtm_ebcot_kernels_init(&r->k.ebcot, cpu);
    mtm_wavelet_kernels_init(&r->k.wavelet, cpu);
    mtm_color_kernels_init(&r->k.color, cpu);
    mtm_convert_kernels_init(&r->k.convert, cpu);
    *out = j2k_reader_steal(&r);
    return MTM_OK;
}

mtm_status j2k_reader_take(mtm_codec_ctx *c, mtm_codec_worker **w, mtm_error *err)
{
    j2k_reader *r = NULL;
    mtm_status s;

    MTM_TRY(mtm_codec_worker_take(c, reader_free, w, err));
    if ((*w)->state)
        return MTM_OK;
    s = reader_new(&r, (*w)->cpu, err);
    if (s)
        mtm_codec_worker_give(c, *w);
    else
        (*w)->state = r;
    return s;
}

/* ---- the plan ----------------------------------------------------------------------------------------- */

static j2k_ask ask_of(const mtm_decode_params *p, bool per_grid)
{
    j2k_ask a;

    memset(&a, 0, sizeof a);
    a.has_region = p->has_region, a.per_grid = per_grid, a.to_rgb = p->to_rgb;
    a.reduce = p->reduce, a.layers = p->layers;
    if (p->has_region)
        memcpy(a.region, p->region, sizeof a.region);
    a.known = p->n_components <= J2K_ASK_COMPONENTS;
    if (p->components) {
        a.n_components = p->n_components;
        for (int32_t i = 0; i < p->n_components && a.known; i++)
            a.components[i] = p->components[i];
    }
    return a;
}

/* Hash of the boxes before the codestream, but for the length in the codestream's own box, which changes with each frame. */
static uint64_t boxes_key(const j2k_input *in, const j2k_boxes *b)
{
    const uint8_t *const p = in->data + b->codestream_offset;
    const uint64_t n = b->codestream_offset;
    const bool extended = n >= 16 && memcmp(p - 16, "\0\0\0\1jp2c", 8) == 0; /* XLBox, T.800 I.4 */
    const uint64_t own = extended ? 16 : 8;

    return n > own ? mtm_hash64(in->data, (size_t)(n - own), 0) : 0;
}

/* Whether the picture's first three channels are YCC: said by the boxes, or, as a raw codestream cannot say it, guessed of
 * three components with subsampled chrominances. */
static bool is_ycc(const j2k_plan *p, const j2k_channel *channels, int32_t n)
{
    const j2k_component_size *const s = p->header.size.components;

    if (n < 3 || channels[0].column >= 0 || channels[1].column >= 0 || channels[2].column >= 0)
        return false;
    if (p->boxes.has_color)
        return p->boxes.enum_cs == J2K_CS_SYCC;
    return n == 3 && s[0].dx == 1 && s[0].dy == 1 && s[1].dx == s[2].dx && s[1].dy == s[2].dy &&
           s[1].dx * s[1].dy > 1;
}

static mtm_status check_ycc(const j2k_plan *p, const mtm_decode_params *q, const j2k_channel *channels,
                            mtm_error *err)
{
    const j2k_component_size *const y = &p->header.size.components[channels[0].component];

    if (q->components)
        return mtm_fail(err, MTM_E_INVAL, -1, "conversion to RGB needs all channels");
    if (y->is_signed || y->dx != 1 || y->dy != 1)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "the luminance is signed or subsampled");
    for (int i = 0; i < 3; i++)
        if (p->header.size.components[channels[i].component].bits > 16)
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "YCC of more than 16 bits is not converted to RGB");
    return MTM_OK;
}

/* Decides on the conversion to RGB, and widens the region so that the chrominance samples of its first row and column are
 * in it. q: the parameters, changed. */
static mtm_status plan_rgb(j2k_plan *p, const j2k_channel *channels, int32_t n, mtm_decode_params *q,
                           bool *per_grid, mtm_error *err)
{
    const j2k_rect *const image = &p->header.size.image;
    const uint32_t cs = p->boxes.enum_cs;

    p->ycc = q->to_rgb && is_ycc(p, channels, n);
    if (q->to_rgb && cs != J2K_CS_UNKNOWN && cs != J2K_CS_SRGB && cs != J2K_CS_GRAY && cs != J2K_CS_SYCC)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "colour space %" PRIu32 " is not converted to RGB", cs);
    if (!p->ycc)
        return MTM_OK;
    MTM_TRY(check_ycc(p, q, channels, err));
    *per_grid = true; /* the luminance's grid is the reference grid */
    for (int axis = 0; axis < 2 && q->has_region && q->reduce >= 0 && q->reduce <= J2K_MAX_LEVELS; axis++) {
        const j2k_component_size *const cb = &p->header.size.components[channels[1].component];
        const j2k_component_size *const cr = &p->header.size.components[channels[2].component];
        const int64_t d = axis ? (int64_t)cb->dx * cr->dx : (int64_t)cb->dy * cr->dy;
        const int64_t first = axis ? image->x0 : image->y0;
        const int64_t start = (first + (INT64_C(1) << q->reduce) - 1) >> q->reduce;
        int64_t *const at = &q->region[2 * axis];

        if (*at > 0 && *at <= UINT32_MAX) {
            const int64_t to = mtm_max_i64((start + *at) / d * d - start, 0);

            p->crop[axis] = *at - to, *at = to;
        }
    }
    return MTM_OK;
}

static mtm_status plan_outputs(j2k_plan *p, const j2k_channel *channels, int32_t n_channels,
                               const mtm_decode_params *q, j2k_arena *arena, mtm_error *err)
{
    const j2k_size *const size = &p->header.size;

    p->n_outputs = q->components ? q->n_components : n_channels;
    p->outputs = j2k_arena_take_zero(arena, (size_t)p->n_outputs, sizeof *p->outputs);
    p->first_output = j2k_arena_take(arena, (size_t)size->n_components * sizeof *p->first_output);
    if (!p->outputs || !p->first_output)
        return MTM_NOMEM(err);
    for (int32_t c = 0; c < size->n_components; c++)
        p->first_output[c] = -1;
    for (int32_t i = p->n_outputs - 1; i >= 0; i--) {
        const j2k_channel *const c = &channels[q->components ? q->components[i] : i];
        const j2k_component_size *const s = &size->components[c->component];
        const bool palette = c->column >= 0;

        p->outputs[i] =
            (j2k_output){.component = c->component,
                         .column = c->column,
                         .next = p->first_output[c->component],
                         .bits = palette ? p->boxes.palette.bits[c->column] : s->bits,
                         .is_signed = palette ? p->boxes.palette.is_signed[c->column] : s->is_signed,
                         .raw = p->ycc && i < 3,
                         .rect = j2k_component_rect(size, c->component, p->want.reduce, p->want.region)};
        p->first_output[c->component] = i;
    }
    return MTM_OK;
}

/* Tiles that the region meets, T.800 equation B-6 turned round. */
static void plan_tiles(j2k_plan *p)
{
    const j2k_size *const s = &p->header.size;
    const j2k_rect *const r = &p->want.region;
    const int64_t w = s->tile.x1 - s->tile.x0, h = s->tile.y1 - s->tile.y0;

    p->tile_x0 = (r->x0 - s->tile.x0) / w, p->tile_x1 = (r->x1 - 1 - s->tile.x0) / w + 1;
    p->tile_y0 = (r->y0 - s->tile.y0) / h, p->tile_y1 = (r->y1 - 1 - s->tile.y0) / h + 1;
    if (r->x1 <= r->x0 || r->y1 <= r->y0)
        p->tile_x1 = p->tile_x0, p->tile_y1 = p->tile_y0;
}

static mtm_status plan_new(j2k_reader *r, const j2k_input *in, const mtm_decode_params *p, bool per_grid,
                           const mtm_limits *lim, mtm_error *err)
{
    j2k_plan *const plan = &r->plan;
    j2k_arena *const arena = &r->plan_arena;
    mtm_decode_params q = *p;
    const j2k_channel *channels;
    int32_t n;

    r->kept = NULL, plan->valid = false, plan->notes.n = 0;
    plan->crop[0] = plan->crop[1] = 0;
    j2k_arena_reset(arena);
    MTM_TRY(j2k_boxes_read(&plan->boxes, in, arena, &plan->notes, err));
    MTM_TRY(j2k_header_read(&plan->header, in, &plan->boxes, lim, arena, &plan->notes, err));
    MTM_TRY(j2k_channels_make(&channels, &n, &plan->boxes, &plan->header, arena, &plan->notes, err));
    MTM_TRY(plan_rgb(plan, channels, n, &q, &per_grid, err));
    MTM_TRY(j2k_want_make(&plan->want, &plan->header, channels, n, &q, per_grid, arena, err));
    MTM_TRY(plan_outputs(plan, channels, n, p, arena, err));
    plan_tiles(plan);
    plan->boxes_key = boxes_key(in, &plan->boxes);
    return MTM_OK;
}

/* The reader's plan for this input: the one before when header and parameters are the same. */
static mtm_status plan_get(j2k_reader *r, const j2k_input *in, const mtm_decode_params *p, bool per_grid,
                           const mtm_limits *lim, mtm_error *err)
{
    const j2k_ask ask = ask_of(p, per_grid);
    j2k_plan *const plan = &r->plan;
    j2k_header h = {0};
    j2k_boxes b;

    j2k_arena_reset(&r->call_arena);
    MTM_TRY(j2k_boxes_read(&b, in, &r->call_arena, NULL, err));
    MTM_TRY(j2k_header_scan(&h, in, &b, err));
    if (plan->valid && ask.known && memcmp(&ask, &plan->ask, sizeof ask) == 0 &&
        memcmp(h.key, plan->header.key, sizeof h.key) == 0 && plan->boxes_key == boxes_key(in, &b)) {
        plan->header.offset = h.offset, plan->header.end = h.end, plan->header.sot = h.sot;
        plan->header.has_tlm = h.has_tlm, plan->header.has_plm = h.has_plm;
        plan->header.has_ppm = h.has_ppm;
        return MTM_OK;
    }
    plan->wide &= memcmp(h.key, plan->header.key, sizeof h.key) == 0;
    MTM_TRY(plan_new(r, in, p, per_grid, lim, err));
    plan->ask = ask, plan->valid = true;
    return MTM_OK;
}

/* Height and width of output i as the caller sees it. */
static void output_size(const j2k_plan *p, int32_t i, int64_t size[2])
{
    const j2k_rect *const r = &p->outputs[p->ycc && i < 3 ? 0 : i].rect;
    const bool cropped = p->ycc && i < 3;

    size[0] = mtm_max_i64(r->y1 - r->y0 - (cropped ? p->crop[0] : 0), 0);
    size[1] = mtm_max_i64(r->x1 - r->x0 - (cropped ? p->crop[1] : 0), 0);
}

static mtm_dtype output_dtype(const j2k_plan *p, int32_t i, const mtm_decode_params *q)
{
    const j2k_output *const o = &p->outputs[p->ycc && i < 3 ? 0 : i];

    return q->dtype ? q->dtype : q->rescale ? MTM_F32 : j2k_dtype(o->bits, o->is_signed);
}

/* ---- checks ------------------------------------------------------------------------------------------- */

static mtm_status check_planes(const j2k_plan *p, const mtm_array *planes, int32_t n, const mtm_limits *lim,
                               mtm_error *err)
{
    uint64_t left = lim->max_bytes, bytes;

    if (n != p->n_outputs)
        return mtm_fail(err, MTM_E_INVAL, -1, "the array has %d channels, the image %d", n, p->n_outputs);
    for (int32_t i = 0; i < n; i++) {
        int64_t size[2];

        output_size(p, i, size);
        if (planes[i].shape[0] != size[0] || planes[i].shape[1] != size[1])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "channel %d is %" PRId64 " × %" PRId64 " pixels, the array %" PRId64
                            " × %" PRId64,
                            i, size[0], size[1], planes[i].shape[0], planes[i].shape[1]);
        if (planes[i].ndim != 2 || planes[i].device != MTM_DEVICE_CPU || !mtm_dtype_size(planes[i].dtype))
            return mtm_fail(err, MTM_E_INVAL, -1, "channel %d is no picture in the memory of the CPU", i);
        MTM_TRY(mtm_extent_bytes(&bytes, 2, size, mtm_dtype_size(planes[i].dtype), left, "the decoded image",
                                 err));
        left -= bytes;
    }
    return MTM_OK;
}

static mtm_status check_params(const mtm_decode_params *p, mtm_error *err)
{
    if (p->dtype && !mtm_dtype_size(p->dtype))
        return mtm_fail(err, MTM_E_INVAL, -1, "%d is no dtype", p->dtype);
    if (p->n_present < 0 || p->n_components < 0 || (p->components && p->n_components == 0))
        return mtm_fail(err, MTM_E_INVAL, -1, "no components, or fewer");
    return MTM_OK;
}

/* ---- tiles -------------------------------------------------------------------------------------------- */

static int64_t tiles_wide(const j2k_plan *p)
{
    return p->tile_x1 - p->tile_x0;
}

static int64_t tile_count(const j2k_plan *p)
{
    return tiles_wide(p) * (p->tile_y1 - p->tile_y0);
}

/* Index in the image of the n-th tile that the region meets. */
static int64_t tile_index(const j2k_plan *p, int64_t n)
{
    return (p->tile_y0 + n / tiles_wide(p)) * p->header.size.tiles_x + p->tile_x0 + n % tiles_wide(p);
}

/* So that a short input cannot make tiles without end. */
static mtm_status check_tiles(const j2k_job *job, mtm_error *err)
{
    const uint64_t n = (uint64_t)tile_count(job->plan) * (uint64_t)job->plan->header.size.n_components;

    if (n > FREE_TILE_COMPONENTS &&
        (n - FREE_TILE_COMPONENTS) / TILE_COMPONENTS_PER_BYTE > job->in.size_bytes)
        return mtm_fail(err, MTM_E_LIMIT, -1,
                        "%" PRIu64 " components of tiles are more than %" PRIu64 " bytes can fill", n,
                        job->in.size_bytes);
    return MTM_OK;
}

static mtm_status decode_tile(j2k_job *job, j2k_reader *r, int64_t index, mtm_error *err)
{
    const bool keep = job->plan == &r->plan && tile_count(job->plan) == 1;
    j2k_tile_decoder *d = keep ? r->kept : NULL;
    mtm_status s;

    if (d && d->pooled != (job->pool != NULL))
        d = NULL;
    r->kept = NULL;
    if (d)
        j2k_tile_reset(&d->tile);
    else
        j2k_arena_reset(&r->tile_arena);
    j2k_arena_reset(&r->packet_arena);
    MTM_TRY(j2k_tile_open(&d, d, job, r, index, err));
    s = j2k_tile_decode(d, err);
    if (keep && !s && d->tile.params == &job->plan->header.params)
        r->kept = d;
    return s;
}

/* Tiles side by side. */
typedef struct crowd {
    j2k_job *job;
    int64_t failed; /* the first tile, by number, that failed; −1: none. Guarded by the job's lock */
    mtm_status status;
    mtm_error err;
} crowd;

static void decode_share(void *arg, int64_t lo, int64_t hi)
{
    crowd *const c = arg;
    mtm_codec_worker *w;
    mtm_error err = {.offset = -1};
    mtm_status s = j2k_reader_take(c->job->ctx, &w, &err);
    const bool taken = !s;
    int64_t i = lo;

    for (; i < hi && !s; i++)
        s = decode_tile(c->job, j2k_reader_of(w), tile_index(c->job->plan, i), &err);
    if (taken)
        mtm_codec_worker_give(c->job->ctx, w);
    if (!s)
        return;
    pthread_mutex_lock(&c->job->lock);
    if (c->failed < 0 || i < c->failed)
        c->failed = i, c->status = s, c->err = err;
    pthread_mutex_unlock(&c->job->lock);
}

static mtm_status decode_tiles(j2k_job *job, j2k_reader *r, mtm_pool *pool, mtm_error *err)
{
    const int64_t n = tile_count(job->plan);
    crowd c = {.job = job, .failed = -1};

    if (!pool || n == 1) {
        for (int64_t i = 0; i < n; i++)
            MTM_TRY(decode_tile(job, r, tile_index(job->plan, i), err));
        return MTM_OK;
    }
    if (n >= mtm_pool_threads(pool))
        job->pool = NULL; /* enough work without sharing code-blocks */
    MTM_TRY(mtm_pool_for(pool, n, 1, decode_share, &c, NULL, err));
    if (c.failed >= 0 && err)
        *err = c.err;
    return c.failed >= 0 ? c.status : MTM_OK;
}

/* ---- the calls ---------------------------------------------------------------------------------------- */

static void job_begin(j2k_job *job, mtm_codec_ctx *ctx, const uint8_t *in, size_t n,
                      const mtm_decode_params *p)
{
    job->ctx = ctx, job->p = p, job->row0 = 0, job->damaged = 0, job->planes = NULL;
    job->lim = p->limits ? *p->limits : mtm_limits_default();
    job->in = (j2k_input){.data = in, .size_bytes = n, .present = p->present, .n_present = p->n_present};
    job->in.partial = p->partial;
    job->pool = mtm_pool_threads(p->pool) > 1 ? p->pool : NULL;
    job->notes.n = 0;
    atomic_init(&job->wide, false);
    pthread_mutex_init(&job->lock, NULL);
}

static void job_end(j2k_job *job)
{
    pthread_mutex_destroy(&job->lock);
}

static void report_notes(mtm_decode_report *out, const j2k_notes *n)
{
    for (int32_t i = 0; i < n->n && i < J2K_NOTES; i++)
        if (out->n_warnings + i < (int32_t)(sizeof out->warnings / sizeof *out->warnings))
            memcpy(out->warnings[out->n_warnings + i], n->text[i], sizeof n->text[i]);
    out->n_warnings += n->n;
}

static void report(const j2k_job *job)
{
    mtm_decode_report *const out = job->p->report;

    if (!out)
        return;
    *out = (mtm_decode_report){.complete = !job->counts.incomplete && !job->damaged,
                               .levels = job->counts.reduce,
                               .bytes_used = (int64_t)job->counts.bytes_used,
                               .blocks = job->counts.blocks,
                               .blocks_decoded = job->counts.blocks_coded - job->damaged,
                               .blocks_damaged = job->damaged};
    report_notes(out, &job->plan->notes);
    report_notes(out, &job->notes);
}

/* Everything up to the first tile. */
static mtm_status job_plan(j2k_job *job, j2k_reader *r, bool per_grid, mtm_error *err)
{
    MTM_TRY(check_params(job->p, err));
    MTM_TRY(plan_get(r, &job->in, job->p, per_grid, &job->lim, err));
    job->plan = &r->plan;
    job->counts = (j2k_counts){.reduce = r->plan.want.reduce};
    atomic_store(&job->wide, r->plan.wide);
    return MTM_OK;
}

/* Planes for YCC as it is coded; the caller's for the others. */
static mtm_status ycc_planes(const j2k_plan *p, mtm_array *out, mtm_buffer **memory, const mtm_limits *lim,
                             mtm_error *err)
{
    int64_t at[4] = {0};

    for (int i = 0; i < 3; i++) {
        const j2k_output *const o = &p->outputs[i];
        const int64_t shape[2] = {o->rect.y1 - o->rect.y0, o->rect.x1 - o->rect.x0};
        uint64_t bytes;

        out[i] = mtm_array_wrap(NULL, j2k_dtype(o->bits, o->is_signed), 2, shape);
        MTM_TRY(mtm_extent_bytes(&bytes, 2, shape, mtm_dtype_size(out[i].dtype), lim->max_bytes / 3,
                                 "the image before its conversion to RGB", err));
        at[i + 1] = at[i] + (int64_t)((bytes + 63) / 64 * 64);
    }
    MTM_TRY(mtm_buffer_new(memory, (size_t)at[3], err));
    for (int i = 0; i < 3; i++)
        out[i].data = (char *)mtm_buffer_data(*memory) + at[i];
    return MTM_OK;
}

static mtm_status decode_ycc(j2k_job *job, j2k_reader *r, const mtm_array *planes, int32_t n, mtm_error *err)
{
    MTM_AUTO(mtm_buffer) memory = NULL;
    mtm_array *const all = j2k_arena_take(&r->call_arena, (size_t)n * sizeof *all);

    if (!all)
        return MTM_NOMEM(err);
    memcpy(all, planes, (size_t)n * sizeof *all);
    MTM_TRY(ycc_planes(job->plan, all, &memory, &job->lim, err));
    for (int i = 0; i < 3; i++)
        if (all[i].shape[0] < 1 || all[i].shape[1] < 1)
            return mtm_fail(err, MTM_E_CORRUPT, -1, "a chrominance has no samples");
    job->planes = all;
    MTM_TRY(decode_tiles(job, r, job->p->pool, err));
    return j2k_ycc_to_rgb(job->plan, &r->k, job->p, all, planes, err);
}

static mtm_status decode(j2k_job *job, j2k_reader *r, bool per_grid, const mtm_array *planes, int32_t n,
                         mtm_error *err)
{
    mtm_status s;

    MTM_TRY(job_plan(job, r, per_grid, err));
    MTM_TRY(check_planes(job->plan, planes, n, &job->lim, err));
    MTM_TRY(check_tiles(job, err));
    MTM_TRY(
        j2k_stream_open(&job->stream, &job->in, &job->plan->header, false, &r->call_arena, &job->notes, err));
    job->planes = planes;
    s = job->plan->ycc ? decode_ycc(job, r, planes, n, err) : decode_tiles(job, r, job->p->pool, err);
    r->plan.wide |= atomic_load(&job->wide);
    if (!s)
        report(job);
    return s;
}

mtm_status j2k_decode(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                      bool per_grid, const mtm_array *planes, int32_t n_planes, mtm_error *err)
{
    mtm_codec_worker *w;
    mtm_status s;
    j2k_job job;

    MTM_TRY(j2k_reader_take(c, &w, err));
    job_begin(&job, c, in, n, p);
    s = decode(&job, j2k_reader_of(w), per_grid, planes, n_planes, err);
    job_end(&job);
    mtm_codec_worker_give(c, w);
    return s;
}

static mtm_status layout(j2k_job *job, j2k_reader *r, bool per_grid, mtm_array *planes, int32_t room,
                         int32_t *n_planes, mtm_error *err)
{
    MTM_TRY(job_plan(job, r, per_grid, err));
    *n_planes = job->plan->n_outputs;
    for (int32_t i = 0; i < job->plan->n_outputs && i < room; i++) {
        int64_t size[2];

        output_size(job->plan, i, size);
        planes[i] = mtm_array_wrap(NULL, output_dtype(job->plan, i, job->p), 2, size);
    }
    return MTM_OK;
}

mtm_status j2k_layout(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                      bool per_grid, mtm_array *planes, int32_t room, int32_t *n_planes, mtm_error *err)
{
    mtm_codec_worker *w;
    mtm_status s;
    j2k_job job;

    MTM_TRY(j2k_reader_take(c, &w, err));
    job_begin(&job, c, in, n, p);
    s = layout(&job, j2k_reader_of(w), per_grid, planes, room, n_planes, err);
    job_end(&job);
    mtm_codec_worker_give(c, w);
    return s;
}

/* ---- row by row --------------------------------------------------------------------------------------- */

typedef struct row_writer {
    mtm_rows_sink sink;
    void *user;
    mtm_array rows;    /* ndim, shape for `room` rows */
    mtm_array *planes; /* views of it, one per output */
    int32_t y_axis;
    int64_t room, n; /* rows it has room for, holds */
} row_writer;

/* The type that holds every output. */
static mtm_dtype rows_dtype(const j2k_plan *p, const mtm_decode_params *q)
{
    bool any = false;
    int32_t bits = 0;

    for (int32_t i = 0; i < p->n_outputs; i++)
        any |= p->outputs[i].is_signed;
    for (int32_t i = 0; i < p->n_outputs; i++) {
        const int32_t b = p->outputs[i].bits + (any && !p->outputs[i].is_signed);

        bits = b > bits ? b : bits;
    }
    return q->dtype ? q->dtype : q->rescale ? MTM_F32 : j2k_dtype(bits, any);
}

static bool same_grid(const j2k_plan *p, const j2k_output *a, const j2k_output *b)
{
    const j2k_component_size *const sa = &p->header.size.components[a->component];
    const j2k_component_size *const sb = &p->header.size.components[b->component];

    return sa->dx == sb->dx && sa->dy == sb->dy;
}

static mtm_status row_writer_begin(row_writer *w, j2k_job *job, j2k_reader *r, mtm_error *err)
{
    const j2k_plan *const p = job->plan;
    const mtm_dtype t = rows_dtype(p, job->p);
    const int64_t c = p->n_outputs;
    int64_t size[2], shape[3], bytes;
    char *data;

    output_size(p, 0, size);
    for (int32_t i = 1; i < c; i++)
        if (!same_grid(p, &p->outputs[i], &p->outputs[0]))
            return mtm_fail(err, MTM_E_INVAL, -1, "the channels have different sizes; decode them as planes");
    if (size[1] > INT64_MAX / 64 / c)
        return mtm_fail(err, MTM_E_LIMIT, -1, "a row has %" PRId64 " pixels", size[1]);
    bytes = size[1] * c * (int64_t)mtm_dtype_size(t);
    w->room = mtm_clamp_i64(bytes ? ROWS_BYTES / bytes : ROWS_MOST, 1, ROWS_MOST), w->n = 0;
    data = j2k_arena_take(&r->call_arena, (size_t)(w->room * bytes));
    w->planes = j2k_arena_take(&r->call_arena, (size_t)c * sizeof *w->planes);
    if (!data || !w->planes)
        return MTM_NOMEM(err);
    w->y_axis = job->p->planar && c > 1;
    shape[0] = w->y_axis ? c : w->room, shape[1] = w->y_axis ? w->room : size[1];
    shape[2] = w->y_axis ? size[1] : c;
    w->rows = mtm_array_wrap(data, t, c > 1 ? 3 : 2, shape);
    for (int32_t i = 0; i < c; i++) {
        const int64_t step = c == 1 ? 0 : w->y_axis ? w->rows.stride[0] : w->rows.stride[2];

        w->planes[i] = (mtm_array){.data = data + i * step,
                                   .shape = {w->room, size[1]},
                                   .stride = {w->rows.stride[w->y_axis], w->rows.stride[w->y_axis + 1]},
                                   .ndim = 2,
                                   .dtype = t};
    }
    return MTM_OK;
}

/* Counts a row that is complete, and hands all on when there is no more room or nothing more comes. */
static mtm_status row_writer_add(row_writer *w, j2k_job *job, bool last, mtm_error *err)
{
    mtm_array a = w->rows;

    if (++w->n < w->room && !last)
        return MTM_OK;
    a.shape[w->y_axis] = w->n;
    MTM_TRY(w->sink(w->user, &a, job->row0, err));
    job->row0 += w->n, w->n = 0;
    return MTM_OK;
}

/* A row of tiles side by side. */
static mtm_status tile_row(j2k_job *job, j2k_reader *r, int64_t ty, row_writer *w, mtm_error *err)
{
    const j2k_plan *const p = job->plan;
    const int64_t n = tiles_wide(p), height = p->outputs[0].rect.y1 - p->outputs[0].rect.y0;
    j2k_tile_decoder **d;
    j2k_rect rows;

    j2k_arena_reset(&r->tile_arena);
    j2k_arena_reset(&r->packet_arena);
    d = j2k_arena_take(&r->tile_arena, (size_t)n * sizeof(j2k_tile_decoder *));
    if (!d)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < n; i++) {
        MTM_TRY(j2k_tile_open(&d[i], NULL, job, r, ty * p->header.size.tiles_x + p->tile_x0 + i, err));
        MTM_TRY(j2k_tile_begin(d[i], true, err));
    }
    rows = j2k_tile_rect(&p->header.size, ty * p->header.size.tiles_x + p->tile_x0);
    rows = (j2k_rect){p->want.region.x0, mtm_max_i64(rows.y0, p->want.region.y0), p->want.region.x1,
                      mtm_min_i64(rows.y1, p->want.region.y1)};
    rows = j2k_component_rect(&p->header.size, p->outputs[0].component, p->want.reduce, rows);
    for (int64_t y = 0; y < rows.y1 - rows.y0; y++) {
        for (int64_t i = 0; i < n; i++)
            for (int32_t g = 0; g < d[i]->n_groups; g++)
                MTM_TRY(j2k_tile_row(d[i], &d[i]->groups[g], y, err));
        MTM_TRY(row_writer_add(w, job, job->row0 + w->n + 1 == height, err));
    }
    for (int64_t i = 0; i < n; i++)
        job->damaged += d[i]->damaged;
    return MTM_OK;
}

static mtm_status decode_rows(j2k_job *job, j2k_reader *r, mtm_rows_sink sink, void *user, mtm_error *err)
{
    row_writer w = {.sink = sink, .user = user};

    MTM_TRY(job_plan(job, r, false, err));
    if (job->plan->ycc)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "YCC is not converted to RGB row by row");
    r->kept = NULL;
    MTM_TRY(check_tiles(job, err));
    MTM_TRY(
        j2k_stream_open(&job->stream, &job->in, &job->plan->header, false, &r->call_arena, &job->notes, err));
    MTM_TRY(row_writer_begin(&w, job, r, err));
    job->planes = w.planes;
    for (int64_t ty = job->plan->tile_y0; ty < job->plan->tile_y1; ty++)
        MTM_TRY(tile_row(job, r, ty, &w, err));
    report(job);
    return MTM_OK;
}

mtm_status j2k_decode_rows(mtm_codec_ctx *c, const uint8_t *in, size_t n, const mtm_decode_params *p,
                           mtm_rows_sink sink, void *user, mtm_error *err)
{
    mtm_codec_worker *w;
    mtm_status s;
    j2k_job job;

    MTM_TRY(j2k_reader_take(c, &w, err));
    job_begin(&job, c, in, n, p);
    s = decode_rows(&job, j2k_reader_of(w), sink, user, err);
    job_end(&job);
    mtm_codec_worker_give(c, w);
    return s;
}
