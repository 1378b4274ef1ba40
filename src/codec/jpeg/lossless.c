/* codec/jpeg/lossless.c: lossless JPEG, SOF3 (T.81 annex H): differences of a row of MCUs, then the row's samples by its predictor.
 *
 * The chain from symbol to symbol bounds the speed: look-up in the first 12 bits (5 cycles, level 1), the shift by what it says (1), the
 * index (1), and every second symbol the refill (about 9); the difference itself and prediction 1, a running sum, hang off that chain.
 * 12 cycles per sample are 300 MSample/s at 3.6 GHz; measured are 290 to 330 with prediction 1, 240 with the others, whose rows are
 * made in a second pass. So that no sample asks whether the data ends, bytes are freed of stuffing before and zeros follow them; every
 * CHUNK symbols the position is compared with the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "jpeg.h"

enum { CHUNK = JPEG_RUN * 8 / JPEG_LONGEST /* symbols */ };

/* A component of a scan. */
typedef struct lane {
    const jpeg_diff_code *code;
    int32_t channel;       /* number in the frame */
    int32_t h, v;          /* samples per MCU; 1 × 1 where it is alone */
    int64_t width, height; /* true size */
    size_t stride;         /* samples of a row: whole MCUs */
    uint16_t *diffs;       /* v rows */
    uint16_t *rows;        /* v + 1 rows: the last of the MCU row before, and this one's */
} lane;

typedef struct lossless_scan {
    jpeg_job *job;
    const jpeg_scan *header;
    int32_t n;
    lane lanes[JPEG_MOST_COMPONENTS];
    int64_t mcus_wide, mcus_high;
    int32_t units;  /* samples per MCU */
    uint16_t first; /* prediction of the first sample */
} lossless_scan;

/* ---- differences -------------------------------------------------------------------------------------- */

/* n ≤ CHUNK differences of a component that is alone; sum: their running sum from `left` instead (prediction 1). */
static inline __attribute__((always_inline)) uint16_t alone(uint16_t *out, int64_t n,
                                                            const jpeg_diff_code *code, jpeg_bits *bits,
                                                            bool sum, uint16_t left)
{
    jpeg_bits b = *bits;
    int64_t i = 0;

    for (; i + 2 <= n; i += 2) {
        jpeg_bits_fill(&b);
        for (int k = 0; k < 2; k++) {
            const int32_t d = jpeg_diff(code, &b);

            left = (uint16_t)(sum ? left + d : d);
            out[i + k] = left;
        }
    }
    if (i < n) {
        jpeg_bits_fill(&b);
        left = (uint16_t)((sum ? left : 0) + jpeg_diff(code, &b));
        out[i] = left;
    }
    *bits = b;
    return left;
}

/* n pixels, from number m of the row, of `lanes` components of one size; n · lanes ≤ CHUNK. */
static inline __attribute__((always_inline)) void pixels(const lossless_scan *s, int64_t m, int64_t n,
                                                         int32_t lanes, jpeg_bits *bits)
{
    const jpeg_diff_code *code[JPEG_MOST_COMPONENTS];
    uint16_t *to[JPEG_MOST_COMPONENTS];
    jpeg_bits b = *bits;

    for (int32_t i = 0; i < lanes; i++)
        code[i] = s->lanes[i].code, to[i] = s->lanes[i].diffs + m;
    for (int64_t k = 0; k < n; k++)
        for (int32_t i = 0; i < lanes; i++) {
            if (i % 2 == 0)
                jpeg_bits_fill(&b);
            to[i][k] = (uint16_t)jpeg_diff(code[i], &b);
        }
    *bits = b;
}

/* n MCUs, from number m of the row, of several components; n · units ≤ CHUNK. */
static void together(const lossless_scan *s, int64_t m, int64_t n, jpeg_bits *bits)
{
    jpeg_bits b = *bits;

    for (; n > 0; n--, m++)
        for (int32_t i = 0; i < s->n; i++) {
            const lane *const l = &s->lanes[i];

            for (int32_t y = 0; y < l->v; y++)
                for (int32_t x = 0; x < l->h; x++) {
                    jpeg_bits_fill(&b);
                    l->diffs[(size_t)y * l->stride + (size_t)(m * l->h + x)] =
                        (uint16_t)jpeg_diff(l->code, &b);
                }
        }
    *bits = b;
}

/* ---- prediction, T.81 H.1.2.1 -------------------------------------------------------------------------- */

/* A row's samples; above: the row before. Every sum is modulo 2^16. */
static void predict(uint16_t *row, const uint16_t *above, const uint16_t *diffs, int64_t n, int predictor)
{
    uint32_t a = row[0] = (uint16_t)(diffs[0] + above[0]);

    switch (predictor) {
    case 1:
        for (int64_t x = 1; x < n; x++)
            row[x] = (uint16_t)(a += diffs[x]);
        break;
    case 2:
        for (int64_t x = 1; x < n; x++)
            row[x] = (uint16_t)(diffs[x] + above[x]);
        break;
    case 3:
        for (int64_t x = 1; x < n; x++)
            row[x] = (uint16_t)(diffs[x] + above[x - 1]);
        break;
    case 4:
        for (int64_t x = 1; x < n; x++)
            row[x] = (uint16_t)(a += diffs[x] + (uint32_t)above[x] - above[x - 1]);
        break;
    case 5:
        for (int64_t x = 1; x < n; x++)
            row[x] = (uint16_t)(a += diffs[x] + (uint32_t)((above[x] - above[x - 1]) >> 1));
        break;
    case 6:
        for (int64_t x = 1; x < n; x++)
            row[x] = (uint16_t)(a = (uint16_t)(diffs[x] + above[x] + (((int32_t)a - above[x - 1]) >> 1)));
        break;
    default:
        for (int64_t x = 1; x < n; x++)
            row[x] = (uint16_t)(a = (uint16_t)(diffs[x] + ((a + above[x]) >> 1)));
        break;
    }
}

/* The first row of a scan or restart interval: from the left, whatever the predictor. */
static void predict_first(uint16_t *row, const uint16_t *diffs, int64_t n, uint16_t first)
{
    uint32_t a = first;

    for (int64_t x = 0; x < n; x++)
        row[x] = (uint16_t)(a += diffs[x]);
}

/* ---- rows --------------------------------------------------------------------------------------------- */

/* Sample rows y of an MCU row of a lane; its row 0 is the last of the MCU row before. */
static uint16_t *row_of(const lane *l, int32_t y)
{
    return l->rows + (size_t)(y + 1) * l->stride;
}

/* Running sums of a component that is alone, straight into its row (prediction 1, and every first row). */
static void summed_row(const lossless_scan *s, uint16_t first, jpeg_bits *bits)
{
    const lane *const l = &s->lanes[0];
    uint16_t left = first;

    for (int64_t x = 0; x < s->mcus_wide && !jpeg_bits_over(bits); x += CHUNK)
        left = alone(row_of(l, 0) + x, mtm_min_i64(CHUNK, s->mcus_wide - x), l->code, bits, true, left);
}

static void differences(const lossless_scan *s, jpeg_bits *bits)
{
    const lane *const l = &s->lanes[0];
    const int64_t chunk = CHUNK / s->units;

    for (int64_t m = 0; m < s->mcus_wide && !jpeg_bits_over(bits); m += chunk) {
        const int64_t n = mtm_min_i64(chunk, s->mcus_wide - m);

        if (s->units == 1)
            alone(l->diffs + m, n, l->code, bits, false, 0);
        else if (s->units == 3 && s->n == 3)
            pixels(s, m, n, 3, bits);
        else if (s->units == s->n)
            pixels(s, m, n, s->n, bits);
        else
            together(s, m, n, bits);
    }
}

/* An MCU row into each lane's rows. restarted: it begins a scan or restart interval. */
static void mcu_row(const lossless_scan *s, bool restarted, jpeg_bits *bits)
{
    const int predictor = s->header->start;

    if (s->units == 1 && (predictor == 1 || restarted)) {
        summed_row(s, restarted ? s->first : *row_of(&s->lanes[0], -1), bits);
        return;
    }
    differences(s, bits);
    for (int32_t i = 0; i < s->n; i++) {
        const lane *const l = &s->lanes[i];

        for (int32_t y = 0; y < l->v; y++) {
            const uint16_t *const diffs = l->diffs + (size_t)y * l->stride;

            if (restarted && y == 0)
                predict_first(row_of(l, y), diffs, (int64_t)l->stride, s->first);
            else
                predict(row_of(l, y), row_of(l, y - 1), diffs, (int64_t)l->stride, predictor);
        }
    }
}

/* Rows of MCU row m go out, and the last one becomes the row before. */
static void mcu_row_out(const lossless_scan *s, int64_t m)
{
    for (int32_t i = 0; i < s->n; i++) {
        const lane *const l = &s->lanes[i];

        for (int32_t y = 0; y < l->v && m * l->v + y < l->height; y++)
            jpeg_put_row(s->job, l->channel, m * l->v + y, row_of(l, y), s->header->low);
        memcpy(row_of(l, -1), row_of(l, l->v - 1), l->stride * sizeof *l->rows);
    }
}

/* Zeros from MCU row m on: what is missing. */
static void blank(const lossless_scan *s, int64_t m)
{
    for (int32_t i = 0; i < s->n; i++) {
        const lane *const l = &s->lanes[i];

        memset(l->rows, 0, l->stride * sizeof *l->rows);
        for (int64_t y = m * l->v; y < l->height; y++)
            jpeg_put_row(s->job, l->channel, y, l->rows, 0);
    }
}

/* ---- scans -------------------------------------------------------------------------------------------- */

static mtm_status check_scan(const jpeg_stream *t, const jpeg_scan *h, mtm_error *err)
{
    if (h->start < 1 || h->start > 7)
        return mtm_fail(err, MTM_E_CORRUPT, h->offset, "a lossless scan cannot have predictor %u", h->start);
    if (h->low >= t->frame.bits)
        return mtm_fail(err, MTM_E_CORRUPT, h->offset, "point transform %u of %d-bit samples leaves none",
                        h->low, t->frame.bits);
    return MTM_OK;
}

/* Sizes of lanes and their memory, and the codes. */
static mtm_status scan_begin(lossless_scan *s, mtm_error *err)
{
    const jpeg_frame *const f = &s->job->stream.frame;
    jpeg_state *const st = s->job->state;
    const bool single = s->header->n == 1;
    size_t samples = 0;
    uint16_t *at;

    s->n = s->header->n;
    s->mcus_wide = (f->width + f->h - 1) / f->h, s->mcus_high = (f->height + f->v - 1) / f->v;
    for (int32_t i = 0; i < s->n; i++) {
        const jpeg_component *const c = &f->components[s->header->component[i]];
        lane *const l = &s->lanes[i];

        *l = (lane){.channel = s->header->component[i], .width = c->width, .height = c->height};
        l->h = single ? 1 : c->h, l->v = single ? 1 : c->v;
        if (single) /* A.2.2 */
            s->mcus_wide = c->width, s->mcus_high = c->height;
        l->stride = (size_t)(s->mcus_wide * l->h);
        samples += (size_t)(2 * l->v + 1) * l->stride;
        s->units += l->h * l->v;
        l->code = &st->diff[i];
        MTM_TRY(jpeg_diff_code_make(&st->diff[i], &s->job->stream.huffman[0][s->header->dc[i]],
                                    s->header->dc[i], 16, s->header->offset, err));
    }
    s->first = (uint16_t)(1u << (f->bits - s->header->low - 1));
    MTM_TRY(jpeg_room_for(&st->samples, samples * sizeof *at, err));
    at = st->samples.data;
    memset(at, 0, samples * sizeof *at);
    for (int32_t i = 0; i < s->n; i++) {
        s->lanes[i].diffs = at, at += (size_t)s->lanes[i].v * s->lanes[i].stride;
        s->lanes[i].rows = at, at += (size_t)(s->lanes[i].v + 1) * s->lanes[i].stride;
    }
    return MTM_OK;
}

static mtm_status restart_rows(const lossless_scan *s, int64_t *rows, mtm_error *err)
{
    const int32_t restart = s->job->stream.restart;

    *rows = restart ? restart / s->mcus_wide : s->mcus_high;
    if (restart % s->mcus_wide)
        return mtm_fail(err, MTM_E_CORRUPT, s->header->offset,
                        "the restart interval of %d samples is no multiple of the row's %" PRId64
                        " (T.81 H.1.1)",
                        restart, s->mcus_wide);
    return MTM_OK;
}

/* MCU rows y0 … y1, one restart interval. *done: rows that went out. */
static mtm_status interval(const lossless_scan *s, int64_t y0, int64_t y1, int64_t *done, mtm_error *err)
{
    jpeg_job *const j = s->job;
    jpeg_bits bits;

    jpeg_bits_begin(&bits, &j->stream, j->state->clean.data);
    for (int64_t y = y0; y < y1; y++) {
        mcu_row(s, y == y0, &bits);
        if (jpeg_bits_over(&bits))
            return mtm_fail(err, MTM_E_CORRUPT, jpeg_bits_offset(&bits, &j->stream),
                            bits.bad ? "row %" PRId64 " of %" PRId64 " has bits that are no Huffman code"
                                     : "the coded data ends in row %" PRId64 " of %" PRId64,
                            y, s->mcus_high);
        mcu_row_out(s, y);
        *done = y + 1;
    }
    return MTM_OK;
}

static mtm_status decode_scan(jpeg_job *j, const jpeg_scan *header, mtm_error *err)
{
    lossless_scan s = {.job = j, .header = header};
    int64_t rows, done = 0;
    mtm_status status = MTM_OK;

    MTM_TRY(check_scan(&j->stream, header, err));
    MTM_TRY(scan_begin(&s, err));
    MTM_TRY(restart_rows(&s, &rows, err));
    for (unsigned number = 0; done < s.mcus_high && !status; number++) {
        if (number)
            status = jpeg_restart(&j->stream, number - 1, err);
        if (!status)
            status = interval(&s, done, mtm_min_i64(done + rows, s.mcus_high), &done, err);
    }
    if (status && jpeg_go_on(j, status, err)) {
        blank(&s, done);
        jpeg_skip_coded(&j->stream);
        return MTM_OK;
    }
    return status;
}

mtm_status jpeg_lossless_decode(jpeg_job *j, mtm_error *err)
{
    return jpeg_each_scan(j, decode_scan, err);
}
