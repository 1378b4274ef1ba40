/* codec/rle.c: DICOM's run-length coding (PS3.5 G). Decoding goes through the picture in chunks: every segment unpacks the bytes of
 * the next few thousand samples into a buffer that stays in the first-level cache, from where they are put together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/rle.h"

#include "base/size.h"

enum {
    CHUNK = 4096,     /* bytes that a segment unpacks at a time */
    MOST_RUN = 128,   /* bytes of a run */
    BLOCK = 32,       /* bytes of a copy */
    NO_OP = 128,      /* PS3.5 G.3.2: the header byte −128 */
    MOST_PACKET = 129 /* bytes of a packet */
};

/* ---- the header --------------------------------------------------------------------------------------- */

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

mtm_status mtm_rle_segments_read(mtm_rle_segments *s, const uint8_t *in, size_t n, mtm_error *err)
{
    uint32_t count;

    if (n < MTM_RLE_HEADER_BYTES)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)n, "an RLE frame of %zu bytes has no header", n);
    count = u32_at(in);
    if (count < 1 || count > MTM_RLE_MOST_SEGMENTS)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "the RLE header says %" PRIu32 " segments, not 1 to %d", count,
                        MTM_RLE_MOST_SEGMENTS);
    s->n = (int32_t)count;
    n = n < UINT32_MAX ? n : UINT32_MAX;
    for (int32_t i = 0; i < s->n; i++) {
        s->begin[i] = u32_at(in + 4 + 4 * i);
        if (s->begin[i] < MTM_RLE_HEADER_BYTES || s->begin[i] > n)
            return mtm_fail(err, MTM_E_CORRUPT, 4 + 4 * i,
                            "RLE segment %d begins at byte %" PRIu32 " of a frame of %zu bytes", i,
                            s->begin[i], n);
    }
    for (int32_t i = 0; i < s->n;
         i++) { /* a segment ends where the next in the file begins, in whatever order they are */
        s->end[i] = (uint32_t)n;
        for (int32_t k = 0; k < s->n; k++)
            if (s->begin[k] > s->begin[i] && s->begin[k] < s->end[i])
                s->end[i] = s->begin[k];
    }
    return MTM_OK;
}

bool mtm_rle_detect(const uint8_t *in, size_t n)
{
    mtm_rle_segments s;

    if (mtm_rle_segments_read(&s, in, n, NULL) || s.begin[0] != MTM_RLE_HEADER_BYTES)
        return false;
    for (int32_t i = 1; i < s.n; i++)
        if (s.begin[i] <= s.begin[i - 1])
            return false;
    for (int32_t i = s.n; i < MTM_RLE_MOST_SEGMENTS; i++)
        if (u32_at(in + 4 + 4 * i))
            return false;
    return true;
}

/* ---- unpacking ---------------------------------------------------------------------------------------- */

/* A segment on its way. The last packet of a chunk may run over its end: the rest is moved to the front of the next. */
typedef struct unpacker {
    const uint8_t *at, *end;
    size_t have; /* bytes in buf */
    uint8_t buf[CHUNK + MOST_RUN + BLOCK];
} unpacker;

/* Writes up to BLOCK bytes more than n; from may be read as far. */
static void copy_block(uint8_t *to, const uint8_t *from, size_t n)
{
    memcpy(to, from, BLOCK);
    for (size_t i = BLOCK; i < n; i += BLOCK)
        memcpy(to + i, from + i, BLOCK);
}

static void fill_block(uint8_t *to, uint8_t value, size_t n)
{
    memset(to, value, BLOCK);
    for (size_t i = BLOCK; i < n; i += BLOCK)
        memset(to + i, value, BLOCK);
}

/* At least `want` ≤ CHUNK bytes in buf, if the segment holds so many. */
static void unpack(unpacker *u, size_t want)
{
    const uint8_t *at = u->at;
    const uint8_t *const end = u->end;
    uint8_t *const buf = u->buf;
    size_t have = u->have;

    while (have < want && end - at >= MOST_PACKET + BLOCK) {
        const unsigned h = *at;

        if (h < NO_OP) {
            copy_block(buf + have, at + 1, h + 1);
            have += h + 1, at += h + 2;
        } else {
            fill_block(buf + have, at[1], 257 - h);
            have += h == NO_OP ? 0 : 257 - h, at += h == NO_OP ? 1 : 2;
        }
    }
    while (have < want && end - at >= 2) { /* the same, with little left to read */
        const unsigned h = *at;
        const size_t run = h < NO_OP ? h + 1 : 257 - h;

        if (h == NO_OP) {
            at++;
            continue;
        }
        if (h < NO_OP && (size_t)(end - at) - 1 < run) {
            const size_t left = (size_t)(end - at) - 1;

            memcpy(buf + have, at + 1, left);
            have += left, at = end;
            break;
        }
        if (h < NO_OP)
            memcpy(buf + have, at + 1, run);
        else
            memset(buf + have, at[1], run);
        have += run, at += h < NO_OP ? run + 1 : 2;
    }
    u->at = at, u->have = have;
}

static void drop(unpacker *u, size_t n)
{
    u->have -= n;
    if (u->have)
        memmove(u->buf, u->buf + n, u->have);
}

/* ---- putting samples together ------------------------------------------------------------------------- */

/* b: the bytes of n samples, the most significant first. One loop per size and for neighbours, which compilers vectorise. */
static void join_1(uint8_t *dst, ptrdiff_t step, const uint8_t *b, size_t n)
{
    if (step == 1)
        memcpy(dst, b, n);
    else
        for (size_t i = 0; i < n; i++)
            dst[(ptrdiff_t)i * step] = b[i];
}

static void join_2(uint16_t *restrict dst, ptrdiff_t step, const uint8_t *restrict hi,
                   const uint8_t *restrict lo, size_t n)
{
    if (step == 1)
        for (size_t i = 0; i < n; i++)
            dst[i] = (uint16_t)(hi[i] << 8 | lo[i]);
    else
        for (size_t i = 0; i < n; i++)
            dst[(ptrdiff_t)i * step] = (uint16_t)(hi[i] << 8 | lo[i]);
}

static void join_4(uint32_t *restrict dst, ptrdiff_t step, const uint8_t *const b[], size_t n)
{
    const uint8_t *restrict const b0 = b[0], *restrict const b1 = b[1], *restrict const b2 = b[2],
                                  *restrict const b3 = b[3];

    for (size_t i = 0; i < n; i++)
        dst[(ptrdiff_t)i * step] =
            (uint32_t)b0[i] << 24 | (uint32_t)b1[i] << 16 | (uint32_t)b2[i] << 8 | b3[i];
}

static void join_8(uint64_t *dst, ptrdiff_t step, const uint8_t *const b[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t v = 0;

        for (int k = 0; k < 8; k++)
            v = v << 8 | b[k][i];
        dst[(ptrdiff_t)i * step] = v;
    }
}

static void join(char *dst, int64_t stride_bytes, const uint8_t *const b[], int32_t size, size_t n)
{
    const ptrdiff_t step = (ptrdiff_t)(stride_bytes / size);

    switch (size) {
    case 1: join_1((uint8_t *)dst, step, b[0], n); break;
    case 2: join_2((uint16_t *)(void *)dst, step, b[0], b[1], n); break;
    case 4: join_4((uint32_t *)(void *)dst, step, b, n); break;
    default: join_8((uint64_t *)(void *)dst, step, b, n); break;
    }
}

/* ---- decoding ----------------------------------------------------------------------------------------- */

typedef struct rle_job {
    const uint8_t *in;
    const mtm_rle_params *p;
    mtm_rle_segments segments;
    unpacker *u;                         /* [segments.n], in the order of join's bytes */
    int32_t from[MTM_RLE_MOST_SEGMENTS]; /* which segment u[i] reads */
    bool noted;
} rle_job;

static mtm_status job_begin(rle_job *j, int32_t bytes_per_sample, int32_t channels, size_t n, mtm_error *err)
{
    const int64_t wanted = (int64_t)bytes_per_sample * channels;

    MTM_TRY(mtm_rle_segments_read(&j->segments, j->in, n, err));
    if (wanted != j->segments.n)
        return mtm_fail(err, MTM_E_CORRUPT, 0,
                        "%d RLE segments, but %" PRId64 " are needed for %d sample%s of %d byte%s",
                        j->segments.n, wanted, channels, channels == 1 ? "" : "s", bytes_per_sample,
                        bytes_per_sample == 1 ? "" : "s");
    j->u = mtm_alloc((size_t)j->segments.n * sizeof *j->u);
    if (!j->u)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < j->segments.n; i++) {
        const int32_t k = i % bytes_per_sample;

        j->from[i] = j->p->little_endian ? i - k + bytes_per_sample - 1 - k : i;
        j->u[i].at = j->in + j->segments.begin[j->from[i]];
        j->u[i].end = j->in + j->segments.end[j->from[i]];
        j->u[i].have = 0;
    }
    return MTM_OK;
}

/* `want` bytes of segment i, or the error; partial: zeros for what is missing. */
static mtm_status need(rle_job *j, int32_t i, size_t want, mtm_error *err)
{
    unpacker *const u = &j->u[i];
    const mtm_decode_params *const p = j->p->decode;

    if (u->have < want)
        unpack(u, want);
    if (u->have >= want)
        return MTM_OK;
    if (!p || !p->partial)
        return mtm_fail(err, MTM_E_CORRUPT, u->end - j->in,
                        "RLE segment %d ends before the picture is complete", j->from[i]);
    if (!j->noted)
        mtm_codec_note(p, "RLE segment %d ends before the picture is complete", j->from[i]);
    j->noted = true;
    memset(u->buf + u->have, 0, want - u->have);
    u->have = want;
    return MTM_OK;
}

/* n samples of every channel to dst, at x_stride. */
static mtm_status decode_run(rle_job *j, char *dst, const mtm_array *a, int64_t n, mtm_error *err)
{
    const int32_t size = (int32_t)mtm_dtype_size(a->dtype);
    const uint8_t *bytes[8];

    for (int64_t at = 0; at < n; at += CHUNK) {
        const size_t m = (size_t)mtm_min_i64(CHUNK, n - at);

        for (int32_t c = 0; c < a->shape[2]; c++) {
            for (int32_t k = 0; k < size; k++) {
                MTM_TRY(need(j, c * size + k, m, err));
                bytes[k] = j->u[c * size + k].buf;
            }
            join(dst + at * a->stride[1] + c * a->stride[2], a->stride[1], bytes, size, m);
            for (int32_t k = 0; k < size; k++)
                drop(&j->u[c * size + k], m);
        }
    }
    return MTM_OK;
}

static mtm_status decode_bytes(rle_job *j, const mtm_array *a, mtm_error *err)
{
    if (a->stride[0] == a->shape[1] * a->stride[1]) /* rows without gaps are one */
        return decode_run(j, a->data, a, a->shape[0] * a->shape[1], err);
    for (int64_t y = 0; y < a->shape[0]; y++)
        MTM_TRY(decode_run(j, (char *)a->data + y * a->stride[0], a, a->shape[1], err));
    return MTM_OK;
}

/* Eight bits of b, the lowest first, as eight bytes 0 or 1. */
static void spread(uint8_t *to, uint8_t b)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t apart = (b * ones) & UINT64_C(0x8040201008040201);
    const uint64_t v = ((apart + 0x7f * ones) >> 7) & ones;

    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(v >> 8 * i);
}

static mtm_status decode_bits(rle_job *j, const mtm_array *a, mtm_error *err)
{
    const int64_t width = a->shape[1], count = a->shape[0] * width;
    uint8_t samples[8 * 64];

    for (int32_t c = 0; c < a->shape[2]; c++) {
        int64_t y = 0, x = 0;

        for (int64_t at = 0; at < count; at += (int64_t)sizeof samples) {
            const size_t n = (size_t)mtm_min_i64((int64_t)sizeof samples, count - at), bytes = (n + 7) / 8;

            MTM_TRY(need(j, c, bytes, err));
            for (size_t i = 0; i < bytes; i++)
                spread(samples + 8 * i, j->u[c].buf[i]);
            drop(&j->u[c], bytes);
            for (size_t i = 0; i < n; i++) {
                ((uint8_t *)a->data)[y * a->stride[0] + x * a->stride[1] + c * a->stride[2]] = samples[i];
                y += ++x == width, x = x == width ? 0 : x;
            }
        }
    }
    return MTM_OK;
}

mtm_status mtm_rle_decode(const mtm_array *dst, const uint8_t *in, size_t n, const mtm_rle_params *p,
                          mtm_error *err)
{
    const size_t size = mtm_dtype_size(dst->dtype);
    rle_job j = {.in = in, .p = p};
    mtm_status s;

    if (size < 1 || (p->bits && size != 1) || dst->shape[2] < 1 || dst->shape[2] > MTM_RLE_MOST_SEGMENTS)
        return mtm_fail(err, MTM_E_INVAL, -1, "RLE holds no %" PRId64 " samples of %s", dst->shape[2],
                        mtm_dtype_name(dst->dtype));
    s = job_begin(&j, (int32_t)size, (int32_t)dst->shape[2], n, err);
    if (!s)
        s = (p->bits ? decode_bits : decode_bytes)(&j, dst, err);
    mtm_free(j.u);
    return s;
}

/* ---- encoding ----------------------------------------------------------------------------------------- */

/* Bytes that n bytes take at most: a header byte for every 128. */
static size_t packed_most(size_t n)
{
    return n + (n + MOST_RUN - 1) / MOST_RUN;
}

static size_t run_length(const uint8_t *row, size_t at, size_t n)
{
    const size_t most = n - at < MOST_RUN ? n - at : MOST_RUN;
    size_t run = 1;

    while (run < most && row[at + run] == row[at])
        run++;
    return run;
}

/* One row (PS3.5 G.3.1): runs of three and more are repeated; two alike only where no literal run is open. */
static uint8_t *pack_row(uint8_t *out, const uint8_t *row, size_t n)
{
    for (size_t at = 0; at < n;) {
        const size_t run = run_length(row, at, n);
        size_t end = at;

        if (run >= 2) {
            *out++ = (uint8_t)(257 - run), *out++ = row[at], at += run;
            continue;
        }
        while (end < n && end - at < MOST_RUN &&
               !(end + 2 < n && row[end] == row[end + 1] && row[end] == row[end + 2]))
            end++;
        *out++ = (uint8_t)(end - at - 1);
        memcpy(out, row + at, end - at);
        out += end - at, at = end;
    }
    return out;
}

/* Byte k (0: the most significant) of n samples. */
static void split(uint8_t *row, const char *src, int64_t stride, int32_t size, int32_t k, size_t n)
{
    const char *from = src + size - 1 - k; /* the machine is little endian */

    for (size_t i = 0; i < n; i++, from += stride)
        row[i] = (uint8_t)*from;
}

static void gather_bits(uint8_t *row, const mtm_array *a, int32_t c)
{
    int64_t at = 0;

    memset(row, 0, (size_t)(a->shape[0] * a->shape[1] + 7) / 8);
    for (int64_t y = 0; y < a->shape[0]; y++)
        for (int64_t x = 0; x < a->shape[1]; x++, at++)
            if (((const char *)a->data)[y * a->stride[0] + x * a->stride[1] + c * a->stride[2]])
                row[at / 8] |= (uint8_t)(1 << at % 8);
}

/* One segment, padded to an even length (PS3.5 G.3.1), its offset entered in the header of the frame, which begins at `head`. */
static mtm_status encode_segment(mtm_bytes *out, size_t head, const mtm_array *a, int32_t segment, bool bits,
                                 uint8_t *row, mtm_error *err)
{
    const int32_t size = (int32_t)mtm_dtype_size(a->dtype), c = segment / size, k = segment % size;
    const size_t width = (size_t)a->shape[1], offset = out->size_bytes - head;
    const size_t packed_bits = bits ? (size_t)(a->shape[0] * a->shape[1] + 7) / 8 : 0;

    if (offset > UINT32_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "the RLE frame is longer than its 32-bit offsets can say");
    for (int i = 0; i < 4; i++)
        out->data[head + 4 + 4 * (size_t)segment + (size_t)i] = (uint8_t)(offset >> 8 * i);
    if (bits) {
        gather_bits(row, a, c);
        MTM_TRY(mtm_bytes_reserve(out, packed_most(packed_bits) + 1, err));
        out->size_bytes = (size_t)(pack_row(out->data + out->size_bytes, row, packed_bits) - out->data);
    }
    for (int64_t y = 0; !bits && y < a->shape[0]; y++) {
        split(row, (const char *)a->data + y * a->stride[0] + c * a->stride[2], a->stride[1], size, k, width);
        MTM_TRY(mtm_bytes_reserve(out, packed_most(width) + 1, err));
        out->size_bytes = (size_t)(pack_row(out->data + out->size_bytes, row, width) - out->data);
    }
    if ((out->size_bytes - head) % 2)
        out->data[out->size_bytes++] = 0;
    return MTM_OK;
}

mtm_status mtm_rle_encode(mtm_bytes *out, const mtm_array *src, bool bits, mtm_error *err)
{
    const size_t size = mtm_dtype_size(src->dtype), head = out->size_bytes;
    const int64_t n = (int64_t)size * src->shape[2];
    MTM_AUTO_MEM uint8_t *row = NULL;

    if (n < 1 || n > MTM_RLE_MOST_SEGMENTS || (bits && size != 1))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "RLE holds up to %d bytes of a pixel, not %" PRId64 " samples of %s",
                        MTM_RLE_MOST_SEGMENTS, src->shape[2], mtm_dtype_name(src->dtype));
    row = mtm_alloc((size_t)(bits ? src->shape[0] * src->shape[1] / 8 + 1 : src->shape[1]));
    if (!row)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_bytes_reserve(out, MTM_RLE_HEADER_BYTES, err));
    memset(out->data + head, 0, MTM_RLE_HEADER_BYTES);
    out->data[head] = (uint8_t)n;
    out->size_bytes += MTM_RLE_HEADER_BYTES;
    for (int32_t i = 0; i < (int32_t)n; i++)
        MTM_TRY(encode_segment(out, head, src, i, bits, row, err));
    return MTM_OK;
}
