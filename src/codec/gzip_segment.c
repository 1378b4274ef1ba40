/* codec/gzip_segment.c: random access into gzip at libdeflate's speed. libdeflate can only begin at a stream's beginning,
 * on a byte, without a past; so each segment is made into such a stream of its own:
 *
 *     a stored block with the 32 KiB window | empty blocks up to the segment's bit offset | its bits | an empty last block
 *
 * An empty fixed block has 10 bits and moves the offset by 2 (mod 8); an empty dynamic block of 97 bits makes it odd.
 * The output is the window, skipped, and the segment, whose CRC-32 says that nothing went wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include <libdeflate.h>
#include <pthread.h>
#include <zlib.h>

#include "gzip_points.h"

enum {
    STORED_HEADER = 5,                             /* RFC 1951 3.2.4: three bits and padding, LEN, NLEN */
    PREFIX = STORED_HEADER + MTM_GZIP_WINDOW + 32, /* the empty blocks take 16 bytes at most */
    SUFFIX = 16,
    TAIL_SLACK = 65536, /* libdeflate writes a stored block (65535) or a match (258) wholly or not at all */
    SCRATCH_STEP = 1 << 18 /* scratch sizes are rounded up to this, so that recycled buffers fit */
};

typedef struct libdeflate_decompressor inflater;
MTM_DEFINE_AUTO(inflater, libdeflate_free_decompressor)

typedef struct range_read {
    const mtm_gzip_points *p;
    const mtm_gzip_bytes *src;
    uint64_t lo, hi; /* output bytes wanted */
    size_t first;    /* segment */
    mtm_gzip_sink sink;
    void *user;
    uint8_t *dst; /* instead of a sink: where output byte lo goes; NULL: none */
    mtm_recycler *recycler;
    atomic_bool failed;
    pthread_mutex_t lock; /* guards status and error; no other lock is taken under it */
    mtm_status status;
    mtm_error error;
} range_read;

/* What one segment needs: parts of one buffer. */
typedef struct work {
    inflater *d;
    uint8_t *in, *out;     /* out: the window, then the segment's output */
    const uint8_t *window; /* where it is known already; NULL: to be unpacked */
    uint64_t want;         /* output bytes needed of the segment, whole grains or all */
    uint64_t room;         /* output bytes that fit: want and TAIL_SLACK, or all */
    uint64_t comp;         /* compressed bytes, the last one perhaps shared with the next segment */
} work;

/* Appends `count` bits of `value`, least significant first (RFC 1951 3.1.1). Bytes from p on begin as zero. */
static unsigned put_bits(uint8_t *p, unsigned at, unsigned value, unsigned count)
{
    for (unsigned i = 0; i < count; i++, at++)
        p[at / 8] |= (uint8_t)(((value >> i) & 1u) << (at % 8));
    return at;
}

static unsigned put_empty_fixed(uint8_t *p, unsigned at, bool final)
{
    return put_bits(p, at, final | 1u << 1, 10); /* BFINAL, BTYPE 01, end of block: seven zeros */
}

/* 97 bits: 1 mod 8. A dynamic block (RFC 1951 3.2.7) whose code has two literals, 255 and end of block, and no distances.
 * Code lengths: 18 has the code 0, 0 has 10, 1 has 11; codes go in with their first bit first. */
static unsigned put_empty_dynamic(uint8_t *p, unsigned at)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

    at = put_bits(p, at, 0 | 2u << 1, 3); /* not the last; BTYPE 10 */
    at = put_bits(p, at, 0, 5);           /* HLIT: 257 */
    at = put_bits(p, at, 0, 5);           /* HDIST: 1 */
    at = put_bits(p, at, 19 - 4, 4);      /* HCLEN: all 19, which is what makes the length odd */
    for (int i = 0; i < 19; i++)
        at = put_bits(p, at, order[i] == 18 ? 1 : order[i] <= 1 ? 2 : 0, 3);
    at = put_bits(p, at, 0 | (138u - 11) << 1, 8);
    at = put_bits(p, at, 0 | (117u - 11) << 1, 8); /* 138 + 117: lengths of 0 … 254 are zero */
    at = put_bits(p, at, 3 | 3u << 2, 4);          /* 255 and 256 have one bit each */
    at = put_bits(p, at, 1, 2);                    /* the distance code is empty */
    return put_bits(p, at, 1, 1);                  /* end of block, the second of the two codes */
}

/* Zero-output blocks up to a bit offset of `bit`; p is zeroed here. Returns whole bytes; the bits of a byte begun stay in
 * p[that]. */
static size_t put_shift(uint8_t *p, unsigned bit)
{
    unsigned at = 0;

    memset(p, 0, PREFIX - STORED_HEADER - MTM_GZIP_WINDOW);
    if (bit & 1)
        at = put_empty_dynamic(p, at);
    while (at % 8 != bit)
        at = put_empty_fixed(p, at, false);
    return at / 8;
}

static mtm_status unpack_window(uint8_t *dst, const work *w, const mtm_gzip_points *p, const gzip_segment *s,
                                mtm_error *err)
{
    size_t n;

    if (libdeflate_deflate_decompress(w->d, p->windows + s->window_at, s->window_bytes, dst, MTM_GZIP_WINDOW,
                                      &n) != LIBDEFLATE_SUCCESS ||
        n != MTM_GZIP_WINDOW)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->in,
                        "the access point at output byte %" PRIu64 " is damaged", s->out);
    return MTM_OK;
}

/* Builds the stream of the head comment at w->in. */
static mtm_status make_stream(size_t *n, const work *w, const range_read *r, const gzip_segment *s,
                              mtm_error *err)
{
    uint8_t *p = w->in, begun;

    if (s->has_window) {
        memcpy(p, (const uint8_t[]){0, 0x00, 0x80, 0xff, 0x7f},
               STORED_HEADER); /* LEN 32768 and its complement */
        if (w->window)
            memcpy(p + STORED_HEADER, w->window, MTM_GZIP_WINDOW);
        else
            MTM_TRY(unpack_window(p + STORED_HEADER, w, r->p, s, err));
        p += STORED_HEADER + MTM_GZIP_WINDOW;
        p += put_shift(p, s->in_bit);
    } else {
        *p = 0;
    }
    begun = *p;
    MTM_TRY(mtm_gzip_bytes_read(r->src, s->in, p, w->comp, err));
    *p = (uint8_t)(begun | (*p & (0xffu << s->in_bit)));
    p += w->comp;
    if (!s->ends_member) {
        memset(p, 0, SUFFIX);
        if (s->end_bit)
            *--p &= (uint8_t)((1u << s->end_bit) - 1);
        p += (put_empty_fixed(p, s->end_bit, true) + 7) / 8;
    }
    *n = (size_t)(p - w->in);
    return MTM_OK;
}

/* The grains of the segment's output that meet the wanted range are what was recorded. */
static bool sums_match(const work *w, const range_read *r, const gzip_segment *s)
{
    const uint64_t from = r->lo > s->out ? (r->lo - s->out) / MTM_GZIP_GRAIN : 0;

    for (uint64_t g = from; g * MTM_GZIP_GRAIN < w->want; g++) {
        const uint64_t at = g * MTM_GZIP_GRAIN;
        const uint64_t n = w->want - at < MTM_GZIP_GRAIN ? w->want - at : MTM_GZIP_GRAIN;

        if (libdeflate_crc32(0, w->out + MTM_GZIP_WINDOW + at, n) != r->p->crc[s->crc_at + g])
            return false;
    }
    return true;
}

/* The way of the head comment. False: it did not give the recorded checksums. */
static bool inflate_fast(const work *w, const range_read *r, const gzip_segment *s, size_t n)
{
    const size_t skip = s->has_window ? MTM_GZIP_WINDOW : 0;
    size_t got;
    const enum libdeflate_result z = libdeflate_deflate_decompress(
        w->d, w->in, n, w->out + MTM_GZIP_WINDOW - skip, (size_t)(skip + w->room), &got);

    if (z == LIBDEFLATE_SUCCESS ? got != skip + s->size_bytes
                                : z != LIBDEFLATE_INSUFFICIENT_SPACE || w->room == s->size_bytes)
        return false;
    return sums_match(w, r, s);
}

/* The plain way by zlib, from the file's own bytes: for a stream that libdeflate refuses, and to say what is wrong with
 * a broken one, and where. */
static mtm_status inflate_plain(work *w, const range_read *r, const gzip_segment *s, mtm_error *err)
{
    MTM_AUTO_STREAM z = {.open = false};
    uint64_t done = 0;
    int state = Z_OK;

    MTM_TRY(mtm_gzip_stream_open(&z, r->src, s->in, -15, err));
    if (s->in_bit) {
        uint8_t first;

        MTM_TRY(mtm_gzip_bytes_read(r->src, s->in, &first, 1, err));
        mtm_gzip_stream_skip(&z, 1);
        inflatePrime(&z.z, 8 - s->in_bit, first >> s->in_bit);
    }
    if (s->has_window) {
        MTM_TRY(unpack_window(w->out, w, r->p, s, err));
        inflateSetDictionary(&z.z, w->out, MTM_GZIP_WINDOW);
    }
    while (done < w->want && state != Z_STREAM_END) {
        const uint64_t n = w->want - done < 1u << 30 ? w->want - done : 1u << 30;

        z.z.next_out = w->out + MTM_GZIP_WINDOW + done, z.z.avail_out = (uInt)n;
        MTM_TRY(mtm_gzip_stream_step(&z, Z_NO_FLUSH, &state, err));
        done += n - z.z.avail_out;
    }
    if (done < w->want || !sums_match(w, r, s))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->in,
                        "output bytes %" PRIu64 " to %" PRIu64 " have not the recorded CRC-32", s->out,
                        s->out + w->want);
    return MTM_OK;
}

/* Whether the segment may be inflated straight into the destination: all of it is wanted, and its window is there, written
 * by the present thread, since the stream writes it once more. begun: output byte from which on that is so. */
static bool fits_dst(const range_read *r, const gzip_segment *s, uint64_t begun)
{
    const uint64_t from = begun > r->lo ? begun : r->lo;

    return r->dst && s->out >= r->lo && s->size_bytes <= r->hi - s->out &&
           (!s->has_window || (s->out >= from && s->out - from >= MTM_GZIP_WINDOW));
}

/* Sizes the work, and takes one buffer for it. */
static mtm_status work_open(work *w, mtm_buffer **b, const range_read *r, const gzip_segment *s, bool direct,
                            mtm_error *err)
{
    const uint64_t wanted = r->hi - s->out < s->size_bytes ? r->hi - s->out : s->size_bytes;
    const uint64_t grains = gzip_grains(wanted) * MTM_GZIP_GRAIN;
    uint64_t in_room, bytes;

    w->want = grains < s->size_bytes ? grains : s->size_bytes;
    w->room = s->size_bytes - w->want < TAIL_SLACK ? s->size_bytes : w->want + TAIL_SLACK;
    w->comp = s->in_end - s->in + (s->end_bit != 0);
    in_room = (PREFIX + w->comp + SUFFIX + 63) & ~(uint64_t)63;
    bytes = in_room + (direct ? 0 : MTM_GZIP_WINDOW + w->room);
    bytes = (bytes + SCRATCH_STEP - 1) & ~(uint64_t)(SCRATCH_STEP - 1);
    MTM_TRY(mtm_recycler_get(b, r->recycler, bytes, err));
    w->in = mtm_buffer_data(*b);
    w->out = direct ? r->dst + (s->out - r->lo) - MTM_GZIP_WINDOW : w->in + in_room;
    w->window = direct ? w->out : NULL;
    return MTM_OK;
}

static mtm_status deliver(const range_read *r, const work *w, const gzip_segment *s, mtm_error *err)
{
    const uint64_t lo = r->lo > s->out ? r->lo : s->out;
    const uint64_t hi = r->hi < s->out + s->size_bytes ? r->hi : s->out + s->size_bytes;
    const uint8_t *const bytes = w->out + MTM_GZIP_WINDOW + (lo - s->out);

    if (!r->dst)
        return r->sink(r->user, bytes, lo, (size_t)(hi - lo), err);
    memcpy(r->dst + (lo - r->lo), bytes, (size_t)(hi - lo));
    return MTM_OK;
}

static mtm_status read_segment(const range_read *r, const gzip_segment *s, bool direct, mtm_error *err)
{
    MTM_AUTO(inflater) d = libdeflate_alloc_decompressor(); /* 12 KiB; nothing beside what a segment costs */
    MTM_AUTO(mtm_buffer) b = NULL;
    work w = {.d = d};
    size_t n;

    if (!d)
        return MTM_NOMEM(err);
    MTM_TRY(work_open(&w, &b, r, s, direct, err));
    MTM_TRY(make_stream(&n, &w, r, s, err));
    if (inflate_fast(&w, r, s, n))
        return direct ? MTM_OK : deliver(r, &w, s, err);
    if (direct)
        return read_segment(r, s, false, err);
    MTM_TRY(inflate_plain(&w, r, s, err));
    return deliver(r, &w, s, err);
}

static void read_segments(void *arg, int64_t from, int64_t to)
{
    range_read *const r = arg;

    for (int64_t i = from; i < to; i++) {
        const gzip_segment *const s = &r->p->segment[r->first + (size_t)i];
        mtm_error err = {0};
        const mtm_status st =
            read_segment(r, s, fits_dst(r, s, r->p->segment[r->first + (size_t)from].out), &err);

        if (st == MTM_OK)
            continue;
        pthread_mutex_lock(&r->lock);
        if (r->status == MTM_OK)
            r->status = st, r->error = err;
        pthread_mutex_unlock(&r->lock);
        atomic_store(&r->failed, true);
        return;
    }
}

/* The segment that holds output byte `at`. */
static size_t find_segment(const mtm_gzip_points *p, uint64_t at)
{
    size_t lo = 0, hi = p->n_segments;

    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;

        if (p->segment[mid].out <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Fills in where the range lies, and runs it. Neighbouring segments are best read by one thread, many pieces share out
 * well: about eight a thread. */
static mtm_status read_range(range_read *r, uint64_t offset, uint64_t size_bytes, mtm_pool *pool,
                             mtm_error *err)
{
    const mtm_gzip_points *const p = r->p;
    int64_t n;
    mtm_status st;

    if (offset > p->output_bytes || size_bytes > p->output_bytes - offset)
        return mtm_fail(err, MTM_E_INVAL, -1, "%" PRIu64 " bytes from %" PRIu64 " wanted of %" PRIu64,
                        size_bytes, offset, p->output_bytes);
    if (r->src->size_bytes != p->input_bytes)
        return mtm_fail(err, MTM_E_CONFLICT, -1,
                        "the access points belong to a file of %" PRIu64 " bytes, this one has %" PRIu64,
                        p->input_bytes, r->src->size_bytes);
    if (!size_bytes)
        return MTM_OK;
    r->lo = offset, r->hi = offset + size_bytes;
    r->first = find_segment(p, offset);
    n = (int64_t)(find_segment(p, r->hi - 1) - r->first + 1);
    atomic_init(&r->failed, false);
    pthread_mutex_init(&r->lock, NULL);
    st =
        mtm_pool_for(pool, n, pool ? n / (8 * mtm_pool_threads(pool)) : n, read_segments, r, &r->failed, err);
    pthread_mutex_destroy(&r->lock);
    if (r->status == MTM_OK)
        return st;
    if (err)
        *err = r->error;
    return r->status;
}

mtm_status mtm_gzip_read(const mtm_gzip_points *p, const mtm_gzip_bytes *src, uint64_t offset,
                         uint64_t size_bytes, mtm_gzip_sink sink, void *user, mtm_pool *pool,
                         mtm_recycler *recycler, mtm_error *err)
{
    range_read r = {.p = p, .src = src, .sink = sink, .user = user, .recycler = recycler};

    return read_range(&r, offset, size_bytes, pool, err);
}

mtm_status mtm_gzip_read_range(void *dst, const mtm_gzip_points *p, const mtm_gzip_bytes *src,
                               uint64_t offset, uint64_t size_bytes, mtm_pool *pool, mtm_recycler *recycler,
                               mtm_error *err)
{
    range_read r = {.p = p, .src = src, .dst = dst, .recycler = recycler};

    return read_range(&r, offset, size_bytes, pool, err);
}
