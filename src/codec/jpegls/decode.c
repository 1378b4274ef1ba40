/* codec/jpegls/decode.c: context modelling, run mode and reconstruction of one scan (ITU-T T.87 annex A).
 *
 * A sample waits for the one before it: gradient, look-up, context, code, reconstruction, some 30 cycles of latency. So everything a context
 * is asked for is made when it is updated (k, the flipped sign), the gradients are a table of all differences, and what goes up or down by
 * the data is computed without branches; run mode is the only branch that a picture decides.
 * SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"
#include "base/size.h"
#include "bits.h"

enum {
    CONTEXTS = 365, /* of regular mode: A.3.4 */
    MOST_K = 16,    /* sound streams have no greater one */
    LEAST_C = -128, /* A.6.2 */
    MOST_C = 127
};

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* A[Q], B[Q], C[Q], N[Q] of A.2.1, and what follows from them. */
typedef struct context {
    uint32_t a;
    int32_t b;
    int16_t c;
    uint16_t n;
    uint8_t k;   /* A.5.1 */
    int8_t flip; /* −1: errors are coded the other way round (A.5.2), else 0 */
} context;

typedef struct run_context { /* A.7.2 */
    uint32_t a;
    uint32_t n, negative; /* N, Nn */
} run_context;

typedef struct model {
    int32_t most, near, step; /* MAXVAL, NEAR, 2 · NEAR + 1 */
    int32_t range;            /* RANGE · step */
    int32_t reset;            /* RESET */
    uint32_t value_bits;      /* qbpp */
    uint32_t limit, zeros;    /* LIMIT; zeros in front of an escape in regular mode */
    const int8_t *level;      /* of differences −MAXVAL … MAXVAL: −4 … 4 */
    context contexts[CONTEXTS];
    run_context runs[2]; /* by RItype */
    uint32_t first_a;    /* of all contexts */
} model;

static const uint8_t run_bits[32] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,  2,  3,  3,  3,  3,
                                     4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15}; /* J, A.2.1 */

/* ---- setting up, A.2.1, A.3.3 -------------------------------------------------------------------------- */

static uint32_t bits_for(uint32_t most) /* of 0 … most */
{
    return most ? 32 - (uint32_t)__builtin_clz(most) : 0;
}

static void model_reset(model *m)
{
    for (int32_t i = 0; i < CONTEXTS; i++)
        m->contexts[i] = (context){.a = m->first_a, .n = 1, .k = (uint8_t)bits_for(m->first_a - 1)};
    for (int32_t i = 0; i < 2; i++)
        m->runs[i] = (run_context){.a = m->first_a, .n = 1};
}

/* level: room for differences −MAXVAL … MAXVAL. */
static void model_make(model *m, const jls_scan *scan, int8_t *level)
{
    const jls_presets *const p = &scan->presets;
    const int32_t first[6] = {0, scan->near + 1, p->t[0], p->t[1], p->t[2], p->most + 1};
    const int32_t range = (p->most + 2 * scan->near) / (2 * scan->near + 1) + 1;
    const uint32_t all = bits_for((uint32_t)p->most), bits = all < 2 ? 2 : all;

    *m = (model){.most = p->most, .near = scan->near, .step = 2 * scan->near + 1, .reset = p->reset};
    m->range = range * m->step;
    m->value_bits = bits_for((uint32_t)range - 1);
    m->limit = 2 * (bits + (bits < 8 ? 8 : bits));
    m->zeros = m->limit - m->value_bits - 1;
    m->first_a = (uint32_t)((range + 32) / 64 < 2 ? 2 : (range + 32) / 64);
    level += p->most;
    for (int32_t i = 0; i < 5; i++) { /* the differences of each level are neighbours */
        const size_t n = (size_t)(first[i + 1] - first[i]);

        memset(level + first[i], i, n);
        memset(level - first[i + 1] + 1, -i, n);
    }
    m->level = level;
    model_reset(m);
}

/* ---- regular mode, A.3 to A.6 --------------------------------------------------------------------------- */

/* The smallest k with n · 2^k ≥ a, at most MOST_K. */
static ALWAYS_INLINE uint32_t golomb_k(uint32_t n, uint32_t a)
{
    const int32_t more = __builtin_clz(n) - __builtin_clz(a | 1);
    const uint32_t least = more < 0 ? 0 : (uint32_t)more, k = least + (((uint64_t)n << least) < a);

    return k < MOST_K ? k : MOST_K;
}

/* A.6.1, A.6.2 */
static ALWAYS_INLINE void update(context *x, int32_t error, int32_t step, int32_t reset)
{
    const uint32_t halve = x->n == reset;
    int32_t b = (x->b + error * step) >> halve, n = (x->n >> halve) + 1;
    const uint32_t a = (x->a + (uint32_t)(error < 0 ? -error : error)) >> halve;
    const int32_t low = b <= -n, high = b > 0;
    const int32_t up = b - n < 0 ? b - n : 0, down = b + n > 1 - n ? b + n : 1 - n;
    const int32_t c = x->c + (high & (x->c < MOST_C)) - (low & (x->c > LEAST_C));

    b = high ? up : b;
    b = low ? down : b;
    x->a = a, x->b = b, x->c = (int16_t)c, x->n = (uint16_t)n;
    x->k = (uint8_t)golomb_k((uint32_t)n, a);
    x->flip = (int8_t)-(x->k == 0 && step == 1 && 2 * b <= -n);
}

static ALWAYS_INLINE int32_t clamp(int32_t x, int32_t most)
{
    x = x < 0 ? 0 : x;
    return x > most ? most : x;
}

/* A.4.5: back into −NEAR … MAXVAL + NEAR, then the samples. masked: lossless with all values of MAXVAL's bits. */
static ALWAYS_INLINE int32_t reconstruct(const model *m, bool masked, int32_t x)
{
    if (masked)
        return x & m->most;
    x += x < -m->near ? m->range : x > m->most + m->near ? -m->range : 0;
    return clamp(x, m->most);
}

/* A sample in context q ≠ 0 (or 0 beside others that are not), −364 … 364. */
static ALWAYS_INLINE int32_t regular(model *m, jls_bits *bits, bool masked, int32_t q, int32_t a, int32_t b,
                                     int32_t c)
{
    const int32_t sign = q >> 31, least = a < b ? a : b, greatest = a < b ? b : a;
    context *const x = &m->contexts[(q ^ sign) - sign];
    const int32_t step = masked ? 1 : m->step;
    int32_t p = a + b - c, e;

    p = p < least ? least : p;
    p = p > greatest ? greatest : p; /* A.4.1: the median */
    p = clamp(p + ((x->c ^ sign) - sign), m->most);
    const uint32_t value = jls_golomb(bits, x->k, m->zeros, m->value_bits);

    e = (int32_t)(value >> 1) ^ -(int32_t)(value & 1) ^ x->flip;
    update(x, e, step, m->reset);
    e *= step;
    return reconstruct(m, masked, p + ((e ^ sign) - sign));
}

/* ---- run mode, A.7 --------------------------------------------------------------------------------------- */

/* The error of the sample that ends a run, A.7.2.2; type: RItype, of one more zero with what it saves (run: its bits). */
static int32_t interruption_error(model *m, jls_bits *bits, uint32_t type, uint32_t run)
{
    run_context *const x = &m->runs[type];
    const uint32_t k = golomb_k(x->n, type ? x->a + (x->n >> 1) : x->a);
    const uint32_t value = jls_golomb(bits, k, m->zeros - run - 1, m->value_bits), v = value + type;
    const bool negative = (k != 0 || 2 * x->negative >= x->n) == (v & 1);
    const int32_t size = (int32_t)((v + 1) >> 1);

    x->negative += negative && size;
    x->a += (value + 1 - type) >> 1;
    if (x->n == (uint32_t)m->reset)
        x->a >>= 1, x->n >>= 1, x->negative >>= 1;
    x->n++;
    return (negative ? -size : size) * m->step;
}

/* How many of `room` samples are a run (A.7.1.2). *ended: a sample follows that is none of them. */
static int64_t run_length(jls_bits *bits, int64_t room, uint32_t *index, bool *ended)
{
    int64_t n = 0, more;

    for (;;) {
        jls_bits_fill(bits);
        more = INT64_C(1) << run_bits[*index];
        if (!jls_bits_take(bits, 1))
            break;
        if (more > room - n) {
            *ended = false;
            return room;
        }
        n += more;
        *index += *index < 31;
        if (n == room) {
            *ended = false;
            return room;
        }
    }
    n += jls_bits_take(bits, run_bits[*index]);
    if (n > room)
        bits->bad = UINT32_MAX;
    *ended = n < room;
    return n < room ? n : room;
}

static int32_t interruption(model *m, jls_bits *bits, bool masked, uint32_t *index, int32_t a, int32_t b)
{
    const bool same = a - b <= m->near && b - a <= m->near;
    const int32_t e = interruption_error(m, bits, same, run_bits[*index]);

    *index -= *index > 0;
    return reconstruct(m, masked, same ? a + e : a > b ? b - e : b + e);
}

/* ---- rows ------------------------------------------------------------------------------------------------ */

/* Rows have `n` samples of each pixel side by side, and one pixel more at each end. */
static ALWAYS_INLINE void guard(uint16_t *row, uint16_t *above, int64_t width, int32_t n)
{
    for (int32_t c = 0; c < n; c++) { /* A.2.1: Ra and Rc at the left, Rd at the right */
        row[c - n] = above[c];
        above[width * n + c] = above[(width - 1) * n + c];
    }
}

/* A row of one component. */
static ALWAYS_INLINE void plane_row(model *m, jls_bits *from, bool masked, uint16_t *row, uint16_t *above,
                                    int64_t width, uint32_t *index)
{
    const int8_t *const level = m->level;
    jls_bits bits = *from;

    guard(row, above, width, 1);
    int32_t a = row[-1], b = above[0], c = above[-1];

    for (int64_t x = 0; x < width;) {
        const int32_t d = above[x + 1];
        const int32_t q = 81 * level[d - b] + 9 * level[b - c] + level[c - a];

        if (q) {
            a = regular(m, &bits, masked, q, a, b, c);
            row[x++] = (uint16_t)a;
            c = b, b = d;
            continue;
        }
        jls_bits copy = bits; /* so that only the copy has to be in memory */
        bool ended;
        const int64_t end = x + run_length(&copy, width - x, index, &ended);

        for (; x < end; x++)
            row[x] = (uint16_t)a;
        if (ended) {
            row[x] = (uint16_t)interruption(m, &copy, masked, index, a, above[x]);
            x++;
        }
        bits = copy;
        a = row[x - 1], b = above[x], c = above[x - 1];
    }
    *from = bits;
}

/* A row of pixels of n samples each: a run is one of pixels (B.3). */
static ALWAYS_INLINE void pixel_row(model *m, jls_bits *from, bool masked, uint16_t *row, uint16_t *above,
                                    int64_t width, int32_t n, uint32_t *index)
{
    const int8_t *const level = m->level;
    jls_bits bits = *from;

    int32_t left[JLS_MOST_PER_SCAN]; /* Ra of each */

    guard(row, above, width, n);
    for (int32_t c = 0; c < n; c++)
        left[c] = above[c];
    for (int64_t x = 0; x < width;) {
        uint16_t *const at = row + x * n, *const up = above + x * n;
        int32_t q[JLS_MOST_PER_SCAN], any = 0;

        for (int32_t c = 0; c < n; c++) {
            q[c] = 81 * level[up[c + n] - up[c]] + 9 * level[up[c] - up[c - n]] + level[up[c - n] - left[c]];
            any |= q[c];
        }
        if (any) {
            for (int32_t c = 0; c < n; c++)
                at[c] = (uint16_t)(left[c] = regular(m, &bits, masked, q[c], left[c], up[c], up[c - n]));
            x++;
            continue;
        }
        jls_bits copy = bits;
        bool ended;
        const int64_t end = x + run_length(&copy, width - x, index, &ended);

        for (int64_t i = x * n; i < end * n; i++)
            row[i] = row[i - n];
        x = end;
        for (int32_t c = 0; ended && c < n; c++) { /* all by RItype 0: A.7.2.1 */
            const int32_t a = row[(x - 1) * n + c], b = above[x * n + c];
            const int32_t e = interruption_error(m, &copy, 0, run_bits[*index]);

            row[x * n + c] = (uint16_t)reconstruct(m, masked, a > b ? b - e : b + e);
        }
        if (ended)
            *index -= *index > 0, x++;
        for (int32_t c = 0; c < n; c++)
            left[c] = row[(x - 1) * n + c];
        bits = copy;
    }
    *from = bits;
}

/* ---- a scan ---------------------------------------------------------------------------------------------- */

/* Samples of a row as they lie in the rows decoded: component i's begin at first + i · apart, `step` apart. */
typedef struct lines {
    const uint16_t *first;
    int64_t apart, step;
} lines;

typedef struct work {
    jls_stream *s;
    const jls_scan *scan;
    const mtm_array *dst;
    bool masked;
    int64_t stride; /* samples of a buffer's row, with both its ends */
    uint16_t *rows; /* two rows; by line: two for each component */
    uint8_t *clean;
    int8_t *level;
    uint32_t index[JLS_MOST_PER_SCAN]; /* RUNindex */
    model model;
} work;

static void work_free(work *w)
{
    mtm_free(w->rows);
    mtm_free(w->clean);
    mtm_free(w->level);
    mtm_free(w);
}
MTM_DEFINE_AUTO(work, work_free)

static mtm_status work_new(work **out, jls_stream *s, const jls_scan *scan, const mtm_array *dst,
                           mtm_error *err)
{
    MTM_AUTO(work) w = mtm_alloc_zero(1, sizeof *w);
    const int32_t most = scan->presets.most;
    const bool pixels = scan->interleave == JLS_BY_SAMPLE;

    if (!w)
        return MTM_NOMEM(err);
    w->s = s, w->scan = scan, w->dst = dst;
    w->masked = scan->near == 0 && (most & (most + 1)) == 0;
    w->stride = (s->width + 2) * (pixels ? scan->n : 1);
    w->rows = mtm_alloc_zero((size_t)w->stride * (pixels ? 2 : 2 * (size_t)scan->n), sizeof *w->rows);
    w->clean = mtm_alloc(s->n - s->at + JLS_PAD);
    w->level = mtm_alloc(2 * (size_t)most + 1);
    if (!w->rows || !w->clean || !w->level)
        return MTM_NOMEM(err);
    model_make(&w->model, scan, w->level);
    *out = work_steal(&w);
    return MTM_OK;
}

/* Row y's buffer of component c (0 by sample), behind its left end. */
static uint16_t *buffer(const work *w, int64_t y, int32_t c)
{
    return w->rows + w->stride * (2 * c + (y & 1)) + (w->scan->interleave == JLS_BY_SAMPLE ? w->scan->n : 1);
}

static ALWAYS_INLINE void any_row(work *w, jls_bits *bits, int64_t y)
{
    const int32_t n = w->scan->n;
    const int64_t width = w->s->width;
    uint16_t *row = buffer(w, y, 0), *above = buffer(w, y + 1, 0);
    model *const m = &w->model;

    if (w->scan->interleave == JLS_BY_SAMPLE) {
        if (w->masked && n == 3)
            pixel_row(m, bits, true, row, above, width, 3, w->index);
        else
            pixel_row(m, bits, w->masked, row, above, width, n, w->index);
        return;
    }
    for (int32_t c = 0; c < n; c++) {
        row = buffer(w, y, c), above = buffer(w, y + 1, c);
        if (w->masked)
            plane_row(m, bits, true, row, above, width, w->index + c);
        else
            plane_row(m, bits, false, row, above, width, w->index + c);
    }
}

/* The same with the instructions for leading zeros and free shifts, which the way from sample to sample is full of. */
static void decode_row(work *w, jls_bits *bits, int64_t y)
{
    any_row(w, bits, y);
}

#if defined(__x86_64__)
__attribute__((target("lzcnt,bmi,bmi2"))) static void decode_row_bmi2(work *w, jls_bits *bits, int64_t y)
{
    any_row(w, bits, y);
}
#endif

static void (*choose_row(void))(work *, jls_bits *, int64_t)
{
#if defined(__x86_64__)
    if (mtm_cpu_flags() & MTM_CPU_AVX2)
        return decode_row_bmi2;
#endif
    return decode_row;
}

/* ---- to the caller --------------------------------------------------------------------------------------- */

static void put_plane(const mtm_array *dst, int64_t y, int32_t c, const lines *l, int32_t i, int64_t width,
                      int32_t shift, uint32_t mask)
{
    const uint16_t *from = l->first + i * l->apart;
    char *to = (char *)dst->data + y * dst->stride[0] + c * dst->stride[2];

    if (dst->dtype == MTM_U16 && dst->stride[1] == 2 && l->step == 1 && shift == 0)
        memcpy(to, from, (size_t)width * 2);
    else if (dst->dtype == MTM_U8 && dst->stride[1] == 1 && l->step == 1 && shift == 0)
        for (int64_t x = 0; x < width; x++)
            to[x] = (char)(uint8_t)from[x];
    else if (dst->dtype == MTM_U16)
        for (int64_t x = 0; x < width; x++, from += l->step, to += dst->stride[1])
            *(uint16_t *)(void *)to = (uint16_t)((uint32_t)*from << shift & mask);
    else
        for (int64_t x = 0; x < width; x++, from += l->step, to += dst->stride[1])
            *(uint8_t *)to = (uint8_t)((uint32_t)*from << shift & mask);
}

/* HP's colour transforms undone, in place: sums are modulo 2^bits. */
static void undo_transform(int32_t transform, uint16_t *row, const lines *l, int64_t width, int32_t bits)
{
    const uint32_t mask = (UINT32_C(1) << bits) - 1, half = UINT32_C(1) << (bits - 1);

    for (int64_t x = 0; x < width; x++, row += l->step) {
        uint16_t *const v = row;
        const uint32_t v1 = v[0], v2 = v[l->apart], v3 = v[2 * l->apart];
        uint32_t r, g, b;

        if (transform == 3) {
            g = v1 - ((v3 + v2) >> 2) + half / 2;
            g &= mask, r = v3 + g - half, b = v2 + g - half;
        } else {
            g = v2, r = (v1 + g - half) & mask;
            b = v3 + (transform == 1 ? g : (r + g) >> 1) - half;
        }
        v[0] = (uint16_t)(r & mask), v[l->apart] = (uint16_t)(g & mask),
        v[2 * l->apart] = (uint16_t)(b & mask);
    }
}

/* Whether dst's pixels are the scan's, side by side. */
static bool whole_pixels(const mtm_array *dst, const jls_scan *scan)
{
    const int64_t size = (int64_t)mtm_dtype_size(dst->dtype);

    for (int32_t i = 0; i < scan->n; i++)
        if (scan->component[i] != i)
            return false;
    return dst->shape[2] == scan->n && dst->stride[2] == size && dst->stride[1] == scan->n * size;
}

static void put_row(work *w, int64_t y, uint16_t *spare)
{
    const jls_scan *const scan = w->scan;
    const bool pixels = scan->interleave == JLS_BY_SAMPLE;
    lines l = {buffer(w, y, 0), pixels ? 1 : 2 * w->stride, pixels ? scan->n : 1};

    if (spare) { /* the row decoded is still needed as it is */
        for (int32_t i = 0; i < (pixels ? 1 : scan->n); i++)
            memcpy(spare + i * l.apart, l.first + i * l.apart, (size_t)(w->s->width * l.step) * 2);
        l.first = spare;
        undo_transform(w->s->transform, spare, &l, w->s->width, w->s->bits);
    }
    if (pixels && whole_pixels(w->dst, scan)) {
        mtm_array all = *w->dst;

        all.stride[1] = all.stride[2], l.step = 1;
        put_plane(&all, y, 0, &l, 0, w->s->width * scan->n, scan->shift, (UINT32_C(1) << w->s->bits) - 1);
        return;
    }
    for (int32_t i = 0; i < scan->n; i++)
        put_plane(w->dst, y, scan->component[i], &l, i, w->s->width, scan->shift,
                  (UINT32_C(1) << w->s->bits) - 1);
}

/* ---- restart intervals, T.87 C.2.5 ------------------------------------------------------------------------ */

/* The RSTm between two intervals, at s->at. */
static mtm_status take_restart(jls_stream *s, int64_t interval, mtm_error *err)
{
    const uint8_t code = (uint8_t)(JLS_RST0 + interval % 8);

    while (s->n - s->at > 2 && s->in[s->at] == 0xFF && s->in[s->at + 1] == 0xFF)
        s->at++;
    if (s->n - s->at < 2 || s->in[s->at] != 0xFF || s->in[s->at + 1] != code)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)s->at, "restart marker FF%02X is not where it must be",
                        code);
    s->at += 2;
    return MTM_OK;
}

/* Rows y … end − 1, which nothing before them has a part in. */
static mtm_status decode_interval(work *w, int64_t y, int64_t end, uint16_t *spare, mtm_error *err)
{
    void (*const row)(work *, jls_bits *, int64_t) = choose_row();
    const bool pixels = w->scan->interleave == JLS_BY_SAMPLE;
    jls_bits bits;

    jls_bits_begin(&bits, w->s, w->clean);
    memset(w->rows, 0, (size_t)w->stride * (pixels ? 2 : 2 * (size_t)w->scan->n) * sizeof *w->rows);
    memset(w->index, 0, sizeof w->index);
    model_reset(&w->model);
    for (; y < end; y++) {
        row(w, &bits, y);
        if (jls_bits_over(&bits)) {
            const bool cut = jls_bits_taken(&bits) > bits.total;

            return mtm_fail(err, MTM_E_CORRUPT, jls_bits_offset(&bits, w->s),
                            cut ? "the coded data ends in row %" PRId64 " of %" PRId64
                                : "the coded data is damaged in row %" PRId64 " of %" PRId64,
                            y, w->s->height);
        }
        put_row(w, y, spare);
    }
    return jls_bits_end(&bits, w->s, err);
}

mtm_status jls_decode_scan(jls_stream *s, const jls_scan *scan, const mtm_array *dst, mtm_error *err)
{
    const int64_t step = scan->restart ? scan->restart : s->height;
    MTM_AUTO_MEM uint16_t *spare = NULL;
    MTM_AUTO(work) w = NULL;

    MTM_TRY(work_new(&w, s, scan, dst, err));
    if (s->transform && scan->n == 3) { /* CharLS, too, leaves the planes of ILV 0 alone */
        spare = mtm_alloc((size_t)w->stride * 2 * 3 * sizeof *spare);
        if (!spare)
            return MTM_NOMEM(err);
    }
    for (int64_t y = 0, interval = 0; y < s->height; y += step, interval++) {
        if (interval)
            MTM_TRY(take_restart(s, interval - 1, err));
        MTM_TRY(decode_interval(w, y, mtm_min_i64(y + step, s->height), spare, err));
    }
    return MTM_OK;
}
