/* kernel/x86/ebcot_decode_body.h: the EBCOT block decoder over masks (kernel/ebcot_columns.h), included by
 * ebcot_decode_avx2.c and ebcot_decode_avx512.c with their has_neighbours. Equals ebcot_decode.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_EBCOT_DECODE_BODY_H
#define MTM_KERNEL_X86_EBCOT_DECODE_BODY_H

#include <immintrin.h>

#include "kernel/ebcot_columns.h"
#include "kernel/ebcot_kernels.h"

enum {
    GAP = 16, /* words between the columns of one stripe and those of the next */
    MAX_COLUMN_WORDS = 258 * (EBCOT_COLUMNS + GAP) +
        GAP /* and a stripe above and below; 256 stripes are the most */
};

static const uint64_t ROW = UINT64_C(0x1111111111111111); /* of a stripe in a word of bits */
static const uint64_t QE = UINT64_C(0xFFFF) << 48;

typedef struct fast_scratch {
    uint32_t near[MAX_COLUMN_WORDS], minus[MAX_COLUMN_WORDS];
    uint64_t significant[EBCOT_MAX_WORDS], visited[EBCOT_MAX_WORDS], refined[EBCOT_MAX_WORDS],
        negative[EBCOT_MAX_WORDS];
    uint64_t planes[MTM_BLOCK_MAX_PLANES][EBCOT_MAX_WORDS]; /* the magnitudes' bits */
    uint8_t plain[EBCOT_PLAIN_BYTES + MTM_MQ_PLAIN_PAD];
} fast_scratch;

_Static_assert(sizeof(fast_scratch) <= MTM_EBCOT_SCRATCH_BYTES, "the decoder's scratch");

/* The MQ decoder's registers: A and Chigh in the upper 16 bits, and below Chigh `ahead` bits more. */
typedef struct fast_mq {
    uint64_t a, c;
    int64_t ahead;
    const uint8_t *plain;
    uint32_t at, n_bytes; /* of plain */
} fast_mq;

typedef struct fast_decoder {
    fast_scratch *s;
    int32_t width, height, stripes, words; /* words of bits in a stripe */
    ptrdiff_t stride;                      /* words of `near` and `minus` from stripe to stripe */
    const uint8_t *zero;                   /* contexts of the band */
    const mtm_ebcot_spread *spread;        /* [row] */
    uint64_t *plane;                       /* bits of the bit-plane */
    fast_mq mq;
    uint64_t contexts[EBCOT_CONTEXTS];
} fast_decoder;

/* A word of bits and its surroundings. */
typedef struct fast_word {
    uint32_t *near, *minus; /* of its first column */
    uint64_t valid;         /* coefficients within the block */
    int32_t at;             /* among the words of bits */
} fast_word;

static inline fast_word word_at(const fast_decoder *d, int32_t stripe, int32_t k)
{
    const int32_t columns = d->width - k * EBCOT_COLUMNS, rows = d->height - stripe * EBCOT_STRIPE;
    uint64_t valid = columns >= EBCOT_COLUMNS ? UINT64_MAX : (UINT64_C(1) << 4 * columns) - 1;

    if (rows < EBCOT_STRIPE)
        valid &= ROW * ((1u << rows) - 1);
    const ptrdiff_t column = (stripe + 1) * d->stride + GAP + k * EBCOT_COLUMNS;
    return (fast_word){d->s->near + column, d->s->minus + column, valid, stripe * d->words + k};
}

static inline void mq_refill(fast_mq *q)
{
    uint32_t next = UINT32_MAX;

    if (q->at < q->n_bytes)
        memcpy(&next, q->plain + q->at, 4);
    q->at += 4;
    q->c |= (uint64_t)__builtin_bswap32(next) << (16 - q->ahead);
    q->ahead += 32;
}

/* INITDEC: fifteen bits below a 0, and as many of the first four bytes as are left. */
static void mq_begin(fast_mq *q, const uint8_t *plain, uint32_t bits)
{
    uint32_t first = UINT32_MAX;

    if (bits)
        memcpy(&first, plain, 4);
    *q = (fast_mq){.a = UINT64_C(1) << 63, .ahead = 17, .plain = plain, .at = 4, .n_bytes = (bits + 7) / 8};
    q->c = (uint64_t)__builtin_bswap32(first) << 31;
}

static inline void mq_take(fast_mq *q, int64_t n)
{
    q->a <<= n, q->c <<= n;
    q->ahead -= n;
    if (__builtin_expect(q->ahead < 16, 0))
        mq_refill(q);
}

/* DECODE without branches on what it decides (T.800 C.3.2): both exchanges are less = (C < Qe) xor (A < Qe). The one
 * piece of assembly keeps the choice by C < Qe, which nobody can predict, from becoming a jump. */
static inline uint64_t mq_decide(fast_mq *q, uint64_t e, uint64_t *state)
{
    const uint64_t more = mtm_ebcot_steps[e & 0xFF], less = mtm_ebcot_steps[e >> 8 & 0xFF];
    const uint64_t qe = e & QE, before = q->c;
    uint64_t a = q->a - qe, c = before;
    const bool narrow = a < qe;
    bool low;

    __asm__("subq %[qe], %[c]\n\tcmovcq %[before], %[c]\n\tcmovcq %[qe], %[a]"
            : [c] "+&r"(c), [a] "+&r"(a), "=@ccc"(low)
            : [qe] "r"(qe), [before] "r"(before));
    const bool is_less = low ^ narrow;
    const uint64_t next = is_less ? less : more;

    *state = (int64_t)a < 0 ? e : next;
    q->a = a, q->c = c;
    mq_take(q, __builtin_clzll(a));
    return (e >> 16 & 1) ^ is_less;
}

static inline uint64_t mq_step(fast_mq *q, uint64_t *context)
{
    return mq_decide(q, *context, context);
}

static inline unsigned byte_at(const uint32_t *columns, unsigned i)
{
    return ((const uint8_t *)columns)[i];
}

/* Tells the neighbours of coefficient i that it became significant. This does not wait for its sign. */
static inline void spread_near(const fast_decoder *d, const fast_word *w, unsigned i)
{
    const mtm_ebcot_spread *const s = d->spread + i % 4;
    uint32_t *const own = w->near + i / 4, *const beyond = own + s->beyond * d->stride;

    own[-1] |= s->near[0], own[0] |= s->near[1], own[1] |= s->near[2];
    beyond[-1] |= s->near_beyond[0], beyond[0] |= s->near_beyond[1], beyond[1] |= s->near_beyond[2];
}

static inline void spread_minus(const fast_decoder *d, const fast_word *w, unsigned i, uint64_t sign)
{
    const mtm_ebcot_spread *const s = d->spread + i % 4;
    const uint32_t all = 0 - (uint32_t)sign;
    uint32_t *const own = w->minus + i / 4;

    own[-1] |= s->minus[0] & all, own[0] |= s->minus[1] & all, own[1] |= s->minus[2] & all;
    own[s->beyond * d->stride] |= s->minus_beyond & all;
}

/* What decoding the sign of coefficient i takes (D.3.2); read early, since where its significance is no sure guess, its
 * sign waits for that. */
typedef struct sign_context {
    uint64_t *context, state;
    unsigned flip;
} sign_context;

static inline sign_context sign_context_of(fast_decoder *d, const fast_word *w, unsigned i, unsigned near)
{
    const unsigned c = mtm_ebcot_sign_columns[near >> 4 | byte_at(w->minus, i)];
    uint64_t *const context = d->contexts + (c & 0x7F);

    return (sign_context){context, *context, c >> 7};
}

/* Coefficient i is significant; its sign goes into `negative`. */
static inline void decode_sign(fast_decoder *d, fast_mq *q, const fast_word *w, unsigned i, sign_context s,
                               uint64_t *negative)
{
    spread_near(d, w, i);
    const uint64_t sign = mq_decide(q, s.state, s.context) ^ s.flip;

    *negative |= sign << i;
    spread_minus(d, w, i, sign);
}

/* Coefficients after number i in coding order beside which it lies. */
static inline uint64_t later_neighbours(unsigned i)
{
    static const uint64_t after[4] = {0x32, 0x3A, 0x3A, 0x18};

    return after[i % 4] << i;
}

static inline void propagate_word(fast_decoder *d, fast_mq *q, const fast_word *w)
{
    const uint64_t open = ~d->s->significant[w->at] & w->valid;
    uint64_t left = has_neighbours(w->near) & open, visited = left, found = 0;
    uint64_t negative = d->s->negative[w->at];

    while (left) {
        const unsigned i = (unsigned)__builtin_ctzll(left), near = byte_at(w->near, i);
        const sign_context sign = sign_context_of(d, w, i, near);

        left &= left - 1;
        if (mq_step(q, d->contexts + d->zero[near])) {
            const uint64_t more = later_neighbours(i) & open;

            decode_sign(d, q, w, i, sign, &negative);
            found |= UINT64_C(1) << i;
            left |= more, visited |= more;
        }
    }
    d->s->significant[w->at] |= found, d->s->negative[w->at] = negative;
    d->s->visited[w->at] = visited;
    d->plane[w->at] = found;
}

/* D.3.1. */
static __attribute__((noinline)) void propagate(fast_decoder *d)
{
    fast_mq q = d->mq;

    for (int32_t stripe = 0; stripe < d->stripes; stripe++)
        for (int32_t k = 0; k < d->words; k++) {
            const fast_word w = word_at(d, stripe, k);

            propagate_word(d, &q, &w);
        }
    d->mq = q;
}

static inline uint64_t refine_word(fast_decoder *d, fast_mq *q, const fast_word *w, uint64_t left)
{
    const uint64_t again = d->s->refined[w->at], beside = has_neighbours(w->near) & ~again;
    uint64_t bits = 0;

    for (; left; left &= left - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(left);

        bits |= mq_step(q, d->contexts + EBCOT_REFINE + 2 * (again >> i & 1) + (beside >> i & 1)) << i;
    }
    return bits;
}

/* All have been refined before: one context, whose state stays in a register. */
static inline uint64_t refine_again(fast_decoder *d, fast_mq *q, uint64_t left)
{
    uint64_t state = d->contexts[EBCOT_REFINE + 2], bits = 0;

    for (; left; left &= left - 1)
        bits |= (left & (0 - left)) & (0 - mq_decide(q, state, &state));
    d->contexts[EBCOT_REFINE + 2] = state;
    return bits;
}

/* D.3.3. Nothing that it decides changes what comes after. */
static __attribute__((noinline)) void refine(fast_decoder *d)
{
    fast_mq q = d->mq;

    for (int32_t stripe = 0; stripe < d->stripes; stripe++)
        for (int32_t k = 0; k < d->words; k++) {
            const fast_word w = word_at(d, stripe, k);
            const uint64_t left = d->s->significant[w.at] & ~d->s->visited[w.at];

            if (!left)
                continue;
            d->plane[w.at] |=
                left & ~d->s->refined[w.at] ? refine_word(d, &q, &w, left) : refine_again(d, &q, left);
            d->s->refined[w.at] |= left;
        }
    d->mq = q;
}

/* Columns from coefficient i on that are all runs of zeros, as far as Qe of the context decides that they are without
 * a renormalisation: they take n · Qe at once. Returns the coefficients. */
static inline uint64_t skip_runs(fast_mq *q, uint64_t state, uint64_t runs, unsigned i)
{
    const uint64_t n = _tzcnt_u64(~(runs >> i) & ROW) / 4, qe = n * (state >> 48);
    const uint64_t take = qe << 48;

    if (state & 1 << 16 || qe >= 0x8000 || q->c < take || (int64_t)(q->a - take) >= 0)
        return 0;
    q->a -= take, q->c -= take;
    return (n < EBCOT_COLUMNS ? (UINT64_C(1) << 4 * n) - 1 : UINT64_MAX) << i;
}

static inline void clean_up_word(fast_decoder *d, fast_mq *q, const fast_word *w, uint64_t left)
{
    const uint64_t lone = left & ~has_neighbours(w->near);
    uint64_t runs = lone & lone >> 1 & lone >> 2 & lone >> 3 & ROW, found = 0,
             negative = d->s->negative[w->at];

    while (left) {
        unsigned i = (unsigned)__builtin_ctzll(left), near = 0;
        sign_context sign;

        if (runs >> i & 1) {
            const uint64_t zeros = skip_runs(q, d->contexts[EBCOT_RUN], runs, i);

            if (zeros || !mq_step(q, d->contexts + EBCOT_RUN)) {
                left &= ~(zeros | UINT64_C(15) << i);
                continue;
            }
            i += 2 * (unsigned)mq_step(q, d->contexts + EBCOT_UNIFORM);
            i += (unsigned)mq_step(q, d->contexts + EBCOT_UNIFORM);
            left = left >> i >> 1 << i << 1;
            sign = sign_context_of(d, w, i, 0);
        } else {
            near = byte_at(w->near, i);
            sign = sign_context_of(d, w, i, near);
            left &= left - 1;
            if (!mq_step(q, d->contexts + d->zero[near]))
                continue;
        }
        decode_sign(d, q, w, i, sign, &negative);
        found |= UINT64_C(1) << i;
        runs &= ~(UINT64_C(2) << (i | 3));
    }
    d->s->significant[w->at] |= found, d->s->negative[w->at] = negative;
    d->plane[w->at] |= found;
}

/* D.3.4. */
static __attribute__((noinline)) void clean_up(fast_decoder *d)
{
    fast_mq q = d->mq;

    for (int32_t stripe = 0; stripe < d->stripes; stripe++)
        for (int32_t k = 0; k < d->words; k++) {
            const fast_word w = word_at(d, stripe, k);
            const uint64_t left = ~(d->s->significant[w.at] | d->s->visited[w.at]) & w.valid;

            if (left)
                clean_up_word(d, &q, &w, left);
        }
    d->mq = q;
}

/* Raw bits in place of the MQ coder (D.6), read through the same registers. */
static inline uint64_t raw_bit(fast_mq *q)
{
    const uint64_t bit = q->c >> 63;

    mq_take(q, 1);
    return bit;
}

static void propagate_raw(fast_decoder *d)
{
    for (int32_t stripe = 0; stripe < d->stripes; stripe++)
        for (int32_t k = 0; k < d->words; k++) {
            const fast_word w = word_at(d, stripe, k);
            const uint64_t significant = d->s->significant[w.at];
            uint64_t left = has_neighbours(w.near) & ~significant & w.valid, visited = 0, found = 0;

            while (left) {
                const unsigned i = (unsigned)__builtin_ctzll(left);
                const uint64_t bit = left & (0 - left);

                left ^= bit, visited |= bit;
                if (raw_bit(&d->mq)) {
                    const uint64_t sign = raw_bit(&d->mq);

                    d->s->negative[w.at] |= sign << i;
                    spread_near(d, &w, i), spread_minus(d, &w, i, sign);
                    found |= bit;
                    left |= later_neighbours(i) & ~significant & w.valid;
                }
            }
            d->s->significant[w.at] |= found, d->s->visited[w.at] = visited;
            d->plane[w.at] = found;
        }
}

static void refine_raw(fast_decoder *d)
{
    for (int32_t at = 0; at < d->stripes * d->words; at++) {
        uint64_t left = d->s->significant[at] & ~d->s->visited[at], bits = 0;

        d->s->refined[at] |= left;
        for (; left; left &= left - 1)
            bits |= raw_bit(&d->mq) * (left & (0 - left));
        d->plane[at] |= bits;
    }
}

static void contexts_reset(fast_decoder *d)
{
    uint8_t states[EBCOT_CONTEXTS];

    ebcot_contexts_reset(states);
    for (int i = 0; i < EBCOT_CONTEXTS; i++)
        d->contexts[i] = mtm_ebcot_steps[states[i]];
}

static bool segmentation_symbol(fast_decoder *d)
{
    uint64_t symbol = 0;

    for (int i = 0; i < 4; i++)
        symbol = symbol << 1 | mq_step(&d->mq, d->contexts + EBCOT_UNIFORM);
    return symbol == 0xA;
}

static void decode_pass(fast_decoder *d, int kind, bool raw)
{
    if (kind == EBCOT_CLEANUP)
        clean_up(d);
    else if (kind == EBCOT_PROPAGATION)
        raw ? propagate_raw(d) : propagate(d);
    else
        raw ? refine_raw(d) : refine(d);
}

static bool decode_segment(fast_decoder *d, const mtm_block *b, const uint8_t *data, uint32_t size,
                           int32_t pass, int32_t end)
{
    const bool raw = ebcot_pass_raw(b->style, pass), complete = mtm_ebcot_segment_ends(b->style, end - 1);
    const uint32_t n = mtm_mq_unstuff(d->s->plain, EBCOT_PLAIN_BYTES, data, size, raw);

    mq_begin(&d->mq, d->s->plain, n);
    if (raw) /* all bits from the first on, not after fifteen */
        d->mq.c <<= 1, d->mq.ahead--;
    for (; pass < end; pass++) {
        const int kind = ebcot_pass_kind(pass);

        d->plane = d->s->planes[ebcot_pass_plane(b->n_planes, pass)];
        decode_pass(d, kind, raw);
        if (kind == EBCOT_CLEANUP && b->style & MTM_BLOCK_SEGSYM && !segmentation_symbol(d))
            return false;
        if (b->style & MTM_BLOCK_RESET)
            contexts_reset(d);
    }
    return !(b->style & MTM_BLOCK_PREDICTABLE && complete && !raw &&
             mtm_mq_bits_left(d->mq.at * 8 - (uint32_t)d->mq.ahead, n));
}

static bool decode_passes(fast_decoder *d, const mtm_block *b)
{
    const uint8_t *data = b->data;
    int32_t pass = 0;

    for (int32_t i = 0; i < b->n_segments; i++) {
        const mtm_segment *const s = b->segments + i;

        if (s->n_passes && !decode_segment(d, b, data, s->size_bytes, pass, pass + s->n_passes))
            return false;
        data += s->size_bytes, pass += s->n_passes;
    }
    return true;
}

static void begin_block(fast_decoder *d, const mtm_block *b, int32_t last_plane)
{
    d->width = b->width, d->height = b->height;
    d->stripes = (b->height + EBCOT_STRIPE - 1) / EBCOT_STRIPE;
    d->words = (b->width + EBCOT_COLUMNS - 1) / EBCOT_COLUMNS;
    d->stride = d->words * EBCOT_COLUMNS + GAP;
    d->zero = mtm_ebcot_zero_columns[b->band];
    d->spread = mtm_ebcot_spreads[!!(b->style & MTM_BLOCK_CAUSAL)];
    contexts_reset(d);

    const size_t n = (size_t)(d->stripes * d->words) * sizeof(uint64_t);
    const size_t columns = (size_t)((d->stripes + 2) * d->stride + GAP) * sizeof(uint32_t);
    memset(d->s->near, 0, columns), memset(d->s->minus, 0, columns);
    memset(d->s->significant, 0, n), memset(d->s->visited, 0, n);
    memset(d->s->refined, 0, n), memset(d->s->negative, 0, n);
    for (int32_t p = last_plane; p < b->n_planes; p++)
        memset(d->s->planes[p], 0, n);
}

/* One row of a word's columns, as unsigned magnitudes of 16 lanes: bit-planes from the top down. */
#define MAGNITUDES(name, type)                                                                               \
    static inline void name(type m[EBCOT_COLUMNS], const fast_scratch *s, int32_t at, int row, int32_t top,  \
                            int32_t last)                                                                    \
    {                                                                                                        \
        for (int x = 0; x < EBCOT_COLUMNS; x++)                                                              \
            m[x] = 0;                                                                                        \
        for (int32_t p = top; p >= last; p--) {                                                              \
            const uint32_t bits = (uint32_t)_pext_u64(s->planes[p][at], ROW << row);                         \
                                                                                                             \
            for (int x = 0; x < EBCOT_COLUMNS; x++)                                                          \
                m[x] = 2 * m[x] + (bits >> x & 1);                                                           \
        }                                                                                                    \
    }
MAGNITUDES(magnitudes_32, uint32_t)
MAGNITUDES(magnitudes_64, uint64_t)
#undef MAGNITUDES

/* What the block's passes leave known: its coefficients' last bit-plane, and which of them have come so far; the others
 * lack that plane. */
typedef struct known {
    int32_t plane;
    int kind; /* of the last pass */
} known;

static uint64_t word_known(const fast_scratch *s, int32_t at, known k)
{
    return k.kind == EBCOT_CLEANUP       ? UINT64_MAX
           : k.kind == EBCOT_PROPAGATION ? s->visited[at]
                                         : s->visited[at] | s->significant[at];
}

/* Sixteen coefficients of a row as v2 (kernel/block.h), signs applied. */
#define TWICE(name, type, utype)                                                                             \
    static inline void name(type twice[EBCOT_COLUMNS], const utype m[EBCOT_COLUMNS], uint32_t has,           \
                            uint32_t negative, int32_t plane)                                                \
    {                                                                                                        \
        for (int x = 0; x < EBCOT_COLUMNS; x++) {                                                            \
            const utype v2 = m[x] ? (2 * m[x] + 2 - (has >> x & 1)) << plane : 0;                            \
                                                                                                             \
            twice[x] = negative >> x & 1 ? -(type)v2 : (type)v2;                                             \
        }                                                                                                    \
    }
TWICE(twice_32, int32_t, uint32_t)
TWICE(twice_64, int64_t, uint64_t)
#undef TWICE

#define STORE(name, twice_type)                                                                              \
    static inline mtm_block_status name(const mtm_block *b, ptrdiff_t at,                                    \
                                        const twice_type twice[EBCOT_COLUMNS], int32_t n)                    \
    {                                                                                                        \
        bool fits = true;                                                                                    \
                                                                                                             \
        switch ((mtm_coef)b->type) {                                                                         \
        case MTM_COEF_I16:                                                                                   \
            for (int32_t x = 0; x < n; x++) {                                                                \
                ((int16_t *)b->dst)[at + x] = (int16_t)(twice[x] / 2);                                       \
                fits = fits && twice[x] / 2 == (int16_t)(twice[x] / 2);                                      \
            }                                                                                                \
            break;                                                                                           \
        case MTM_COEF_I32:                                                                                   \
            for (int32_t x = 0; x < n; x++)                                                                  \
                ((int32_t *)b->dst)[at + x] = (int32_t)(twice[x] / 2);                                       \
            break;                                                                                           \
        case MTM_COEF_I64:                                                                                   \
            for (int32_t x = 0; x < n; x++)                                                                  \
                ((int64_t *)b->dst)[at + x] = twice[x] / 2;                                                  \
            break;                                                                                           \
        case MTM_COEF_F32:                                                                                   \
            for (int32_t x = 0; x < n; x++)                                                                  \
                ((float *)b->dst)[at + x] = (float)twice[x] * 0.5f * b->step;                                \
            break;                                                                                           \
        case MTM_COEF_V2:                                                                                    \
            for (int32_t x = 0; x < n; x++)                                                                  \
                ((int64_t *)b->dst)[at + x] = twice[x];                                                      \
            break;                                                                                           \
        }                                                                                                    \
        return fits ? MTM_BLOCK_OK : MTM_BLOCK_TOO_LARGE;                                                    \
    }
STORE(store_32, int32_t)
STORE(store_64, int64_t)
#undef STORE

/* v2 of up to this many bit-planes fits 32 bits and a sign. */
enum { NARROW_PLANES = 30 };

static __attribute__((noinline)) mtm_block_status store_word(const fast_decoder *d, const mtm_block *b,
                                                             int32_t stripe, int32_t k, known last)
{
    const fast_word w = word_at(d, stripe, k);
    const uint64_t known_bits = word_known(d->s, w.at, last), negative_bits = d->s->negative[w.at];
    const int32_t left = d->width - k * EBCOT_COLUMNS, n = left < EBCOT_COLUMNS ? left : EBCOT_COLUMNS;
    mtm_block_status status = MTM_BLOCK_OK, stored;

    for (int row = 0; row < EBCOT_STRIPE && stripe * EBCOT_STRIPE + row < d->height; row++) {
        const uint32_t has = (uint32_t)_pext_u64(known_bits, ROW << row);
        const uint32_t negative = (uint32_t)_pext_u64(negative_bits, ROW << row);
        const ptrdiff_t at = (stripe * EBCOT_STRIPE + row) * b->stride + k * EBCOT_COLUMNS;

        if (b->n_planes <= NARROW_PLANES) {
            uint32_t m[EBCOT_COLUMNS];
            int32_t twice[EBCOT_COLUMNS];

            magnitudes_32(m, d->s, w.at, row, b->n_planes - 1, last.plane);
            twice_32(twice, m, has, negative, last.plane);
            stored = store_32(b, at, twice, n);
        } else {
            uint64_t m[EBCOT_COLUMNS];
            int64_t twice[EBCOT_COLUMNS];

            magnitudes_64(m, d->s, w.at, row, b->n_planes - 1, last.plane);
            twice_64(twice, m, has, negative, last.plane);
            stored = store_64(b, at, twice, n);
        }
        status = stored == MTM_BLOCK_OK ? status : stored;
    }
    return status;
}

static mtm_block_status decode_block(const mtm_block *b, fast_scratch *scratch)
{
    const int32_t pass = b->n_passes - 1;
    const bool valid = mtm_ebcot_segments_valid(b), any = valid && b->n_passes > 0;
    const known last = any ? (known){ebcot_pass_plane(b->n_planes, pass), ebcot_pass_kind(pass)}
                           : (known){b->n_planes, EBCOT_CLEANUP};
    fast_decoder d = {.s = scratch};
    mtm_block_status status = MTM_BLOCK_OK;

    begin_block(&d, b, last.plane);
    if (!valid || (any && !decode_passes(&d, b)))
        status = MTM_BLOCK_CORRUPT;
    for (int32_t stripe = 0; stripe < d.stripes; stripe++)
        for (int32_t k = 0; k < d.words; k++) {
            const mtm_block_status stored = store_word(&d, b, stripe, k, last);

            status = status == MTM_BLOCK_OK ? stored : status;
        }
    return status;
}

#endif
