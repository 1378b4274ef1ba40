/* codec/jpeg/coefficients.c: DCT frames, SOF0, SOF1 and SOF2 (T.81 annexes F and G): every scan adds to the quantised coefficients of its
 * components, which are kept whole; behind the last scan they become samples.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "dct.h"
#include "jpeg.h"

/* A component of a scan. */
typedef struct lane {
    jpeg_plane *plane;
    int32_t h, v; /* blocks per MCU; 1 × 1 where it is alone */
    const jpeg_diff_code *dc;
    const jpeg_run_code *ac;
    int32_t last; /* DC of the block before */
} lane;

typedef struct dct_scan {
    jpeg_job *job;
    const jpeg_scan *header;
    int32_t n;
    lane lanes[JPEG_MOST_COMPONENTS];
    int64_t mcus_wide, mcus_high;
    uint32_t skip; /* blocks of an end-of-band run that are left (G.1.2.2) */
    void (*block)(struct dct_scan *s, lane *l, int16_t *c, jpeg_bits *b);
} dct_scan;

/* ---- blocks ------------------------------------------------------------------------------------------- */

/* A run and category; the bits of the category are left. Fills before. */
static inline uint32_t run_and_size(const jpeg_run_code *ac, jpeg_bits *b)
{
    uint32_t e, length;

    jpeg_bits_fill(b);
    e = ac->fast[b->buf >> (64 - JPEG_LOOK)];
    if (__builtin_expect(e == 0, 0)) {
        jpeg_bits copy = *b;
        const int symbol = jpeg_code_long(&ac->code, &copy, &length);

        *b = copy, e = symbol < 0 ? 0 : (uint32_t)symbol;
    } else
        length = e >> 8, e &= 255;
    jpeg_bits_drop(b, length);
    return e;
}

static inline int32_t signed_bits(jpeg_bits *b, uint32_t n)
{
    const int32_t x = jpeg_extend(b->buf, n);

    jpeg_bits_drop(b, n);
    return x;
}

static int16_t shifted(int32_t x, uint32_t by)
{
    return (int16_t)((uint32_t)x << by);
}

/* F.2.2: a whole block. */
static void block_sequential(dct_scan *s, lane *l, int16_t *c, jpeg_bits *bits)
{
    jpeg_bits b = *bits;
    uint32_t k;

    jpeg_bits_fill(&b);
    l->last = (int16_t)(l->last + jpeg_diff(l->dc, &b));
    c[0] = (int16_t)l->last;
    for (k = 1; k < 64; k++) {
        const uint32_t e = run_and_size(l->ac, &b), size = e & 15;

        if (size == 0 && e != 0xF0)
            break;
        k += e >> 4;
        if (size)
            c[jpeg_natural[k]] = (int16_t)signed_bits(&b, size);
    }
    b.bad |= k > 64;
    *bits = b;
}

/* G.1.2.1 */
static void block_dc_first(dct_scan *s, lane *l, int16_t *c, jpeg_bits *b)
{
    jpeg_bits_fill(b);
    l->last = (int16_t)(l->last + jpeg_diff(l->dc, b));
    c[0] = shifted(l->last, s->header->low);
}

static void block_dc_more(dct_scan *s, lane *l, int16_t *c, jpeg_bits *b)
{
    jpeg_bits_fill(b);
    c[0] = (int16_t)(c[0] | (int16_t)(jpeg_bits_take(b, 1) << s->header->low));
}

/* Blocks of an end-of-band run, this one included, for a symbol of size 0 and a run below 15. */
static uint32_t band_run(jpeg_bits *b, uint32_t run)
{
    return (1u << run) + jpeg_bits_take(b, run);
}

/* G.1.2.2 */
static void block_ac_first(dct_scan *s, lane *l, int16_t *c, jpeg_bits *b)
{
    uint32_t k;

    if (s->skip) {
        s->skip--;
        return;
    }
    for (k = s->header->start; k <= s->header->end; k++) {
        const uint32_t e = run_and_size(l->ac, b), size = e & 15, run = e >> 4;

        if (size == 0 && run < 15) {
            s->skip = band_run(b, run) - 1;
            break;
        }
        k += run;
        if (size)
            c[jpeg_natural[k]] = shifted(signed_bits(b, size), s->header->low);
    }
    b->bad |= k > s->header->end + 1u;
}

/* A bit for a coefficient that is not zero: one more step away from zero, unless it is there already. */
static void correct(int16_t *c, int16_t step, jpeg_bits *b)
{
    jpeg_bits_fill(b);
    if (jpeg_bits_take(b, 1) && !(*c & step))
        *c = (int16_t)(*c + (*c > 0 ? step : -step));
}

/* G.1.2.3: from k on, over `zeros` zero coefficients, correcting the others; gives where it stopped. */
static uint32_t pass_zeros(const dct_scan *s, int16_t *c, uint32_t k, uint32_t zeros, jpeg_bits *b)
{
    const int16_t step = shifted(1, s->header->low);

    for (; k <= s->header->end; k++) {
        int16_t *const at = &c[jpeg_natural[k]];

        if (*at)
            correct(at, step, b);
        else if (zeros-- == 0)
            break;
    }
    return k;
}

static void block_ac_more(dct_scan *s, lane *l, int16_t *c, jpeg_bits *b)
{
    const int16_t step = shifted(1, s->header->low);
    uint32_t k = s->header->start;

    for (; k <= s->header->end && !s->skip; k++) {
        const uint32_t e = run_and_size(l->ac, b), size = e & 15, run = e >> 4;
        int16_t value = 0;

        if (size == 0 && run < 15) {
            s->skip = band_run(b, run);
            break;
        }
        b->bad |= size > 1;
        if (size)
            value = jpeg_bits_take(b, 1) ? step : (int16_t)-step;
        k = pass_zeros(s, c, k, run, b);
        if (size && k <= s->header->end)
            c[jpeg_natural[k]] = value;
        b->bad |= size && k > s->header->end;
    }
    if (s->skip) {
        pass_zeros(s, c, k, 64, b);
        s->skip--;
    }
}

/* ---- scans -------------------------------------------------------------------------------------------- */

static mtm_status check_scan(const jpeg_stream *t, const jpeg_scan *h, mtm_error *err)
{
    const bool dc = h->start == 0;

    if (t->frame.sof != JPEG_SOF2)
        return MTM_OK;
    if (h->start > h->end || h->end > 63 || (dc && h->end) || (!dc && h->n > 1) || h->low > 13 ||
        (h->high && h->high != h->low + 1))
        return mtm_fail(
            err, MTM_E_CORRUPT, h->offset,
            "a progressive scan of coefficients %u … %u, bits %u to %u, of %d components cannot be", h->start,
            h->end, h->high, h->low, h->n);
    return MTM_OK;
}

static void choose_block(dct_scan *s)
{
    const jpeg_scan *const h = s->header;

    if (s->job->stream.frame.sof != JPEG_SOF2)
        s->block = block_sequential;
    else if (h->start == 0)
        s->block = h->high ? block_dc_more : block_dc_first;
    else
        s->block = h->high ? block_ac_more : block_ac_first;
}

/* The quantiser that holds for a component is the one that is there when its first scan begins. */
static mtm_status latch_quant(jpeg_stream *t, const jpeg_scan *h, mtm_error *err)
{
    for (int32_t i = 0; i < h->n; i++) {
        jpeg_component *const c = &t->frame.components[h->component[i]];

        if (c->has_quant)
            continue;
        if (!t->has_quant[c->table])
            return mtm_fail(err, MTM_E_CORRUPT, h->offset, "quantisation table %u was not given", c->table);
        memcpy(c->quant, t->quant[c->table], sizeof c->quant);
        c->has_quant = true;
    }
    return MTM_OK;
}

static mtm_status lane_codes(dct_scan *s, int32_t i, mtm_error *err)
{
    const jpeg_scan *const h = s->header;
    jpeg_stream *const t = &s->job->stream;
    jpeg_state *const st = s->job->state;
    const bool sequential = t->frame.sof != JPEG_SOF2;

    s->lanes[i].dc = &st->diff[i], s->lanes[i].ac = &st->run[i];
    if (sequential || (h->start == 0 && h->high == 0))
        MTM_TRY(jpeg_diff_code_make(&st->diff[i], &t->huffman[0][h->dc[i]], h->dc[i], 15, h->offset, err));
    if (sequential || h->start)
        MTM_TRY(jpeg_run_code_make(&st->run[i], &t->huffman[1][h->ac[i]], h->ac[i], h->offset, err));
    return MTM_OK;
}

static mtm_status scan_begin(dct_scan *s, mtm_error *err)
{
    jpeg_stream *const t = &s->job->stream;
    const jpeg_frame *const f = &t->frame;

    MTM_TRY(check_scan(t, s->header, err));
    MTM_TRY(latch_quant(t, s->header, err));
    s->n = s->header->n;
    s->mcus_wide = (f->width + 8 * f->h - 1) / (8 * f->h),
    s->mcus_high = (f->height + 8 * f->v - 1) / (8 * f->v);
    for (int32_t i = 0; i < s->n; i++) {
        const jpeg_component *const c = &f->components[s->header->component[i]];

        s->lanes[i] = (lane){.plane = &s->job->planes[s->header->component[i]], .h = c->h, .v = c->v};
        if (s->n == 1) { /* A.2.2: its own blocks only */
            s->lanes[i].h = s->lanes[i].v = 1;
            s->mcus_wide = (c->width + 7) / 8, s->mcus_high = (c->height + 7) / 8;
        }
        MTM_TRY(lane_codes(s, i, err));
    }
    choose_block(s);
    return MTM_OK;
}

static void mcu(dct_scan *s, int64_t x, int64_t y, jpeg_bits *b)
{
    for (int32_t i = 0; i < s->n; i++) {
        lane *const l = &s->lanes[i];

        for (int32_t v = 0; v < l->v; v++)
            for (int32_t h = 0; h < l->h; h++) {
                const int64_t at = (y * l->v + v) * l->plane->blocks_wide + x * l->h + h;

                if (jpeg_bits_over(b))
                    return;
                s->block(s, l, l->plane->coefs + 64 * at, b);
            }
    }
}

/* MCUs first … end, one restart interval. */
static mtm_status interval(dct_scan *s, int64_t first, int64_t end, mtm_error *err)
{
    jpeg_job *const j = s->job;
    int64_t x = first % s->mcus_wide, y = first / s->mcus_wide;
    jpeg_bits b;

    jpeg_bits_begin(&b, &j->stream, j->state->clean.data);
    s->skip = 0;
    for (int32_t i = 0; i < s->n; i++)
        s->lanes[i].last = 0;
    for (int64_t m = first; m < end; m++) {
        mcu(s, x, y, &b);
        if (jpeg_bits_over(&b))
            return mtm_fail(err, MTM_E_CORRUPT, jpeg_bits_offset(&b, &j->stream),
                            b.bad ? "MCU %" PRId64 " of %" PRId64 " breaks the rules of its code"
                                  : "the coded data ends in MCU %" PRId64 " of %" PRId64,
                            m, s->mcus_wide * s->mcus_high);
        if (++x == s->mcus_wide)
            x = 0, y++;
    }
    return MTM_OK;
}

static mtm_status decode_scan(jpeg_job *j, const jpeg_scan *header, mtm_error *err)
{
    dct_scan s = {.job = j, .header = header};
    int64_t all, step;
    mtm_status status = MTM_OK;

    MTM_TRY(scan_begin(&s, err));
    all = s.mcus_wide * s.mcus_high, step = j->stream.restart ? j->stream.restart : all;
    for (int64_t m = 0; m < all && !status; m += step) {
        if (m)
            status = jpeg_restart(&j->stream, (unsigned)(m / step - 1), err);
        if (!status)
            status = interval(&s, m, mtm_min_i64(m + step, all), err);
    }
    if (status && jpeg_go_on(j, status, err)) {
        jpeg_skip_coded(&j->stream);
        return MTM_OK;
    }
    return status;
}

/* ---- frames ------------------------------------------------------------------------------------------- */

static mtm_status make_planes(jpeg_job *j, mtm_error *err)
{
    const jpeg_frame *const f = &j->stream.frame;
    uint64_t blocks = 0;
    uint16_t *samples;
    int16_t *coefs;

    for (int32_t i = 0; i < f->n; i++) {
        const jpeg_component *const c = &f->components[i];
        jpeg_plane *const p = &j->planes[i];

        p->blocks_wide = (f->width + 8 * f->h - 1) / (8 * f->h) * c->h;
        p->blocks_high = (f->height + 8 * f->v - 1) / (8 * f->v) * c->v;
        blocks += (uint64_t)p->blocks_wide * (uint64_t)p->blocks_high;
    }
    MTM_TRY(jpeg_room_for(&j->state->coefficients, blocks * 64 * sizeof *coefs, err));
    MTM_TRY(jpeg_room_for(&j->state->samples, blocks * 64 * sizeof *samples, err));
    coefs = j->state->coefficients.data, samples = j->state->samples.data;
    memset(coefs, 0, blocks * 64 * sizeof *coefs);
    for (int32_t i = 0; i < f->n; i++) {
        const size_t n = (size_t)(j->planes[i].blocks_wide * j->planes[i].blocks_high) * 64;

        j->planes[i].coefs = coefs, coefs += n;
        j->planes[i].samples = samples, samples += n;
    }
    return MTM_OK;
}

/* Where no scan said anything, coefficients of 0 and any quantiser are mid-gray. */
static void make_samples(jpeg_job *j)
{
    for (int32_t i = 0; i < j->stream.frame.n; i++) {
        const jpeg_plane *const p = &j->planes[i];
        const int64_t stride = 8 * p->blocks_wide;
        float scales[64];

        jpeg_idct_scales(scales, j->stream.frame.components[i].quant);
        for (int64_t y = 0; y < p->blocks_high; y++)
            for (int64_t x = 0; x < p->blocks_wide; x++)
                jpeg_idct(p->samples + 8 * y * stride + 8 * x, stride,
                          p->coefs + 64 * (y * p->blocks_wide + x), scales, j->stream.frame.bits);
    }
}

mtm_status jpeg_dct_decode(jpeg_job *j, mtm_error *err)
{
    MTM_TRY(make_planes(j, err));
    MTM_TRY(jpeg_each_scan(j, decode_scan, err));
    make_samples(j);
    return jpeg_upsample(j, err);
}
