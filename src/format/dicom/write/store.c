/* format/dicom/write/store.c: new frames into the file: native, one behind the other, or one fragment each with their offset table
 * (PS3.5 A.4, PS3.3 C.7.6.3.1.8). A few frames at a time are in memory; the tables are filled in at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/pool.h"
#include "base/size.h"
#include "transcode.h"

enum { FRAMES_PER_THREAD = 2, MOST_AT_ONCE = 256 };
static const uint64_t BATCH_BYTES = UINT64_C(1) << 28;

/* Frames on their way. */
typedef struct batch {
    dcm_recode *r;
    int64_t first, n, room;
    mtm_bytes *bytes;     /* [room] */
    mtm_status *statuses; /* [room] */
    mtm_error *errors;    /* [room] */
} batch;

static void batch_end(batch *b)
{
    for (int64_t i = 0; b->bytes && i < b->room; i++)
        mtm_bytes_drop(&b->bytes[i]);
    mtm_free(b->bytes);
    mtm_free(b->statuses);
    mtm_free(b->errors);
}

/* How many frames at once: enough for the threads, no more than BATCH_BYTES of samples. */
static mtm_status batch_begin(batch *b, dcm_recode *r, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;
    const uint64_t frame = (uint64_t)(p->rows * p->columns * p->samples) * 4;
    const int64_t threads = r->options->pool ? mtm_pool_threads(r->options->pool) : 1;
    const int64_t fit = (int64_t)(BATCH_BYTES / (frame + 1)) + 1;

    *b = (batch){.r = r};
    b->room =
        mtm_min_i64(mtm_min_i64(threads * FRAMES_PER_THREAD, fit), mtm_min_i64(p->frames, MOST_AT_ONCE));
    b->bytes = mtm_alloc_zero((size_t)b->room, sizeof *b->bytes);
    b->statuses = mtm_alloc_zero((size_t)b->room, sizeof *b->statuses);
    b->errors = mtm_alloc_zero((size_t)b->room, sizeof *b->errors);
    return b->bytes && b->statuses && b->errors ? MTM_OK : MTM_NOMEM(err);
}

static void batch_part(void *user, int64_t lo, int64_t hi)
{
    batch *const b = user;
    dcm_scratch s = {0};

    for (int64_t i = lo; i < hi; i++)
        b->statuses[i] = dcm_frame_recode(b->r, &s, b->first + i, b->n == 1 ? b->r->options->pool : NULL,
                                          &b->bytes[i], &b->errors[i]);
    dcm_scratch_drop(&s);
}

/* Frames first … first + n into b->bytes. The first that fails, by number, gives the error. */
static mtm_status batch_run(batch *b, int64_t first, int64_t n, mtm_error *err)
{
    b->first = first, b->n = n;
    MTM_TRY(mtm_pool_for(n > 1 ? b->r->options->pool : NULL, n, 1, batch_part, b, NULL, err));
    for (int64_t i = 0; i < n; i++)
        if (b->statuses[i] != MTM_OK) {
            if (err)
                *err = b->errors[i];
            return b->statuses[i];
        }
    return MTM_OK;
}

/* ---- native ------------------------------------------------------------------------------------------- */

/* Bits of a frame behind those of the frames before: `held` keeps the last, unfinished byte (PS3.5 8.1.1). */
static mtm_status put_frame_bits(dcm_out *o, const mtm_bytes *b, int64_t n, uint8_t *held, int *used,
                                 mtm_error *err)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int more = (int)mtm_min_i64(8, n - i);
        const unsigned v = b->data[i >> 3] & ((1u << more) - 1);

        *held |= (uint8_t)(v << *used);
        if (*used + more >= 8) {
            MTM_TRY(dcm_out_put(o, held, 1, err));
            *held = (uint8_t)(v >> (8 - *used));
        }
        *used = (*used + more) % 8;
    }
    return MTM_OK;
}

static mtm_status put_native_head(const dcm_recode *r, dcm_out *o, uint64_t length, mtm_error *err)
{
    const bool big = r->to->big_endian;

    MTM_TRY(dcm_out_u16(o, DCM_PIXELS >> 16, big, err));
    MTM_TRY(dcm_out_u16(o, DCM_PIXELS & 0xFFFF, big, err));
    if (!r->to->implicit) {
        MTM_TRY(dcm_out_put(o, r->bits_allocated > 8 ? "OW" : "OB", 2, err));
        MTM_TRY(dcm_out_zeros(o, 2, err));
    }
    return dcm_out_u32(o, (uint32_t)length, big, err);
}

static mtm_status store_native(dcm_recode *r, batch *b, dcm_out *o, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;
    const int64_t samples = p->rows * p->columns * p->samples;
    uint64_t bits, length;
    uint8_t held = 0;
    int used = 0;

    if (!mtm_mul_u64((uint64_t)samples * (uint64_t)r->bits_allocated, (uint64_t)p->frames, &bits) ||
        (length = bits / 8 + (bits % 8 != 0), length > UINT32_MAX - 1))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "uncompressed, the pixel data is longer than 2^32 bytes, which no element holds");
    MTM_TRY(put_native_head(r, o, length + (length & 1), err));
    for (int64_t f = 0; f < p->frames; f += b->n) {
        MTM_TRY(batch_run(b, f, mtm_min_i64(b->room, p->frames - f), err));
        for (int64_t i = 0; i < b->n; i++)
            if (r->bits_allocated == 1) {
                MTM_TRY(put_frame_bits(o, &b->bytes[i], samples, &held, &used, err));
            } else {
                if (r->to->big_endian)
                    dcm_turn(b->bytes[i].data, b->bytes[i].size_bytes, (size_t)r->bits_allocated / 8);
                MTM_TRY(dcm_out_put(o, b->bytes[i].data, b->bytes[i].size_bytes, err));
            }
    }
    if (used > 0)
        MTM_TRY(dcm_out_put(o, &held, 1, err));
    return length & 1 ? dcm_out_zeros(o, 1, err) : MTM_OK;
}

/* ---- fragments ---------------------------------------------------------------------------------------- */

/* Offsets and lengths of the frames' fragments, for whichever table is kept. */
typedef struct table {
    uint64_t *offsets, *lengths;     /* [frames] */
    uint64_t offsets_at, lengths_at; /* in the file */
} table;

static void to_little(uint8_t *out, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint8_t)(v >> 8 * i);
}

/* The extended offset table, empty so far. */
static mtm_status put_extended(dcm_out *o, uint32_t tag, int64_t frames, uint64_t *at, mtm_error *err)
{
    MTM_TRY(dcm_out_u16(o, (uint16_t)(tag >> 16), false, err));
    MTM_TRY(dcm_out_u16(o, (uint16_t)tag, false, err));
    MTM_TRY(dcm_out_put(o, "OV\0", 4, err));
    MTM_TRY(dcm_out_u32(o, (uint32_t)(8 * frames), false, err));
    *at = o->at;
    return dcm_out_zeros(o, 8 * (uint64_t)frames, err);
}

static mtm_status put_item(dcm_out *o, uint32_t length, mtm_error *err)
{
    MTM_TRY(dcm_out_put(o, "\xFE\xFF\x00\xE0", 4, err));
    return dcm_out_u32(o, length, false, err);
}

static mtm_status put_heads(const dcm_recode *r, table *t, dcm_out *o, mtm_error *err)
{
    const int64_t n = r->source->pixels.frames;

    if (r->extended_table) {
        MTM_TRY(put_extended(o, DCM_OFFSET_TABLE, n, &t->offsets_at, err));
        MTM_TRY(put_extended(o, DCM_OFFSET_LENGTHS, n, &t->lengths_at, err));
    }
    MTM_TRY(dcm_out_put(o, "\xE0\x7F\x10\x00OB\0\0\xFF\xFF\xFF\xFF", 12, err));
    MTM_TRY(put_item(o, r->extended_table ? 0 : (uint32_t)(4 * n), err));
    if (r->extended_table)
        return MTM_OK;
    t->offsets_at = o->at;
    return dcm_out_zeros(o, 4 * (uint64_t)n, err);
}

static mtm_status put_fragment(dcm_out *o, const mtm_bytes *b, mtm_error *err)
{
    if (b->size_bytes > UINT32_MAX - 1)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "a frame is longer than 2^32 bytes, which no fragment holds");
    MTM_TRY(put_item(o, (uint32_t)(b->size_bytes + (b->size_bytes & 1)), err));
    MTM_TRY(dcm_out_put(o, b->data, b->size_bytes, err));
    return b->size_bytes & 1 ? dcm_out_zeros(o, 1, err) : MTM_OK;
}

/* Numbers of `width` bytes over the zeros at `at`. */
static mtm_status fill(dcm_out *o, uint64_t at, const uint64_t *v, int64_t n, int width, mtm_error *err)
{
    MTM_AUTO_MEM uint8_t *bytes = mtm_alloc_zero((size_t)n, (size_t)width);

    if (!bytes)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < n; i++) {
        if (width == 4 && v[i] > UINT32_MAX)
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                            "frames lie beyond 2^32 bytes, which the basic offset table cannot say; allow "
                            "the extended one");
        to_little(bytes + i * width, v[i], width);
    }
    return dcm_out_patch(o, at, bytes, (size_t)n * (size_t)width, err);
}

/* 16 characters stand for the ratio since the header was written. */
static mtm_status fill_ratio(const dcm_recode *r, dcm_out *o, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;
    const double raw =
        (double)p->frames * (double)p->rows * (double)p->columns * p->samples * ((p->bits_stored + 7) / 8);
    char text[24];

    if (!r->ratio || r->ratio->size_bytes < 16 || r->encoded_bytes == 0)
        return MTM_OK;
    snprintf(text, sizeof text, "%-16.4f", raw / (double)r->encoded_bytes);
    return dcm_out_patch(o, r->ratio->at + r->ratio->size_bytes - 16, text, 16, err);
}

static mtm_status store_fragments(dcm_recode *r, batch *b, table *t, dcm_out *o, mtm_error *err)
{
    const int64_t n = r->source->pixels.frames;
    uint64_t first;

    MTM_TRY(put_heads(r, t, o, err));
    first = o->at;
    for (int64_t f = 0; f < n; f += b->n) {
        MTM_TRY(batch_run(b, f, mtm_min_i64(b->room, n - f), err));
        for (int64_t i = 0; i < b->n; i++) {
            t->offsets[f + i] = o->at - first;
            MTM_TRY(put_fragment(o, &b->bytes[i], err));
            t->lengths[f + i] = o->at - first - t->offsets[f + i] - 8;
            r->encoded_bytes += b->bytes[i].size_bytes;
        }
    }
    MTM_TRY(dcm_out_put(o, "\xFE\xFF\xDD\xE0\0\0\0", 8, err));
    MTM_TRY(fill(o, t->offsets_at, t->offsets, n, r->extended_table ? 8 : 4, err));
    if (r->extended_table)
        MTM_TRY(fill(o, t->lengths_at, t->lengths, n, 8, err));
    return fill_ratio(r, o, err);
}

mtm_status dcm_pixels_store(void *user, dcm_out *o, mtm_error *err)
{
    dcm_recode *const r = user;
    const size_t n = (size_t)r->source->pixels.frames;
    table t = {0};
    batch b;
    mtm_status s = batch_begin(&b, r, err);

    if (s == MTM_OK && !r->to->encapsulated) {
        s = store_native(r, &b, o, err);
    } else if (s == MTM_OK) {
        t.offsets = mtm_alloc_zero(n, sizeof *t.offsets);
        t.lengths = mtm_alloc_zero(n, sizeof *t.lengths);
        s = t.offsets && t.lengths ? store_fragments(r, &b, &t, o, err) : MTM_NOMEM(err);
        mtm_free(t.offsets);
        mtm_free(t.lengths);
    }
    batch_end(&b);
    return s;
}
