/* kernel/x86/ebcot_encode_avx2.c: the EBCOT block encoder over masks (kernel/ebcot_columns.h). A pass lists its contexts and
 * decisions, which nothing the MQ coder does can change; then the coder takes the lists of two blocks in turn, whose chains
 * do not wait for each other, without branches on what they hold.
 * Equals ebcot_encode.c, which codes blocks of more than 31 bit-planes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel/ebcot_encode.h"

#include "ebcot_block.h"

/* A listed byte: a context and its DECISION, or RUNS and one less than a number of columns that are runs of zeros. */
enum { NARROW_PLANES = 31, DECISION = 0x80, RUNS = 0x60 };

/* Raw bits of the segment so far. */
typedef struct raw_bits {
    uint8_t *at;
    uint32_t byte;
    int32_t left, room;
} raw_bits;

/* A block under way. */
typedef struct fast_encoder {
    fast_block block; /* `plain` holds the list */
    ebcot_codeword codeword;
    mtm_mq_encoder mq;
    uint32_t n_listed;
    mtm_block_input *input;
    int32_t n_planes, pass;
    bool open, raw; /* a segment; it is without the MQ coder */
    raw_bits bits;
    uint64_t before[EBCOT_MAX_WORDS]; /* which coefficients were significant before the pass */
} fast_encoder;

enum { PAIR_OF_ENCODERS = 2 };

_Static_assert(PAIR_OF_ENCODERS * sizeof(fast_encoder) <= MTM_EBCOT_SCRATCH_BYTES, "the encoder's scratch");

/* ENCODE of a listed decision (T.800 C.2.2 … C.2.6), without branches but for the bytes that leave. */
static inline void encode_one(fast_block *s, mtm_mq_encoder *q, unsigned listed)
{
    uint64_t *const context = s->contexts + (listed & ~DECISION);
    const uint64_t state = *context, decision = listed >> 7, after = s->steps[decision][state >> 8 & 0xFF];
    const uint32_t qe = (uint32_t)(state >> 48), a = q->a - qe;
    const uint32_t upper =
        0 - (uint32_t)((a < qe) == ((decision ^ state) & 1)); /* the upper interval: all bits */

    q->c += qe & upper;
    q->a = qe ^ ((a ^ qe) & upper);
    *context = q->a & 0x8000 ? state : after;
    int32_t n = __builtin_clz(q->a) - 16;
    q->a <<= n;
    for (; __builtin_expect(n >= q->ct, 0); mtm_mq_byte_out(q))
        q->c <<= q->ct, n -= q->ct;
    q->c <<= n, q->ct -= n;
}

/* n decisions 0 in the context of runs: at once if that takes no renormalisation. */
static void encode_runs(fast_block *s, mtm_mq_encoder *q, uint32_t n)
{
    const uint64_t state = s->contexts[EBCOT_RUN];
    const uint32_t take = n * (uint32_t)(state >> 48);

    if (!(state & 1) && q->a >= 0x8000 + take) {
        q->a -= take, q->c += take;
        return;
    }
    for (; n > 0; n--)
        encode_one(s, q, EBCOT_RUN);
}

static inline void encode_listed(fast_block *s, mtm_mq_encoder *q, unsigned listed)
{
    if (__builtin_expect((listed & RUNS) == RUNS, 0)) {
        mtm_mq_encoder copy = *q; /* so that q itself may stay in registers */

        encode_runs(s, &copy, (listed & 0xF) + 1);
        *q = copy;
    } else {
        encode_one(s, q, listed);
    }
}

static __attribute__((noinline)) void encode_from(fast_encoder *e, uint32_t from)
{
    mtm_mq_encoder q = e->mq;

    for (uint32_t i = from, n = e->n_listed; i < n; i++)
        encode_listed(&e->block, &q, e->block.plain[i]);
    e->mq = q;
}

static __attribute__((noinline)) void encode_two(fast_encoder *e, fast_encoder *f)
{
    const uint32_t both = e->n_listed < f->n_listed ? e->n_listed : f->n_listed;
    mtm_mq_encoder q = e->mq, r = f->mq;

    for (uint32_t i = 0; i < both; i++) {
        encode_listed(&e->block, &q, e->block.plain[i]);
        encode_listed(&f->block, &r, f->block.plain[i]);
    }
    e->mq = q, f->mq = r;
    encode_from(e, both), encode_from(f, both);
}

static void write_raw(raw_bits *w, const uint8_t *listed, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        w->byte |= (uint32_t)(listed[i] >> 7) << --w->left;
        if (w->left)
            continue;
        *w->at++ = (uint8_t)w->byte;
        w->left = w->room = w->byte == 0xFF ? 7 : 8;
        w->byte = 0;
    }
}

/* Lists the sign of coefficient i, and tells its neighbours. */
static inline uint8_t *list_sign(fast_block *s, uint32_t *near, int32_t at, unsigned i, uint8_t *to)
{
    const unsigned neighbours = sign_neighbours(near, i);
    const uint8_t sign = s->negative[at] >> i & 1;

    *to++ = s->sign[neighbours] | (uint8_t)((sign ^ s->flip[neighbours]) << 7);
    spread_near(s, near, i), spread_minus(s, minus_of(near), i, sign);
    return to;
}

/* D.3.1. */
static inline uint8_t *propagate_word(fast_block *s, uint32_t *near, int32_t at, uint8_t *to)
{
    const uint64_t open = ~s->significant[at] & s->valid[at], bits = s->plane[at];
    uint64_t left = nonzero_bytes(near) & open, visited = left;

    for (; left; left = _blsr_u64(left)) {
        const unsigned i = (unsigned)_tzcnt_u64(left);
        const uint8_t bit = bits >> i & 1;

        *to++ = s->zero[byte_at(near, i)] | (uint8_t)(bit << 7);
        if (bit) {
            const uint64_t more = later_neighbours(i) & open;

            to = list_sign(s, near, at, i, to);
            left |= more, visited |= more;
        }
    }
    s->significant[at] |= visited & bits, s->visited[at] = visited;
    return to;
}

/* The same without context (D.6). */
static inline uint8_t *propagate_word_raw(fast_block *s, uint32_t *near, int32_t at, uint8_t *to)
{
    const uint64_t open = ~s->significant[at] & s->valid[at], bits = s->plane[at];
    uint64_t left = nonzero_bytes(near) & open, visited = left;

    for (; left; left = _blsr_u64(left)) {
        const unsigned i = (unsigned)_tzcnt_u64(left);
        const uint8_t bit = bits >> i & 1;

        *to++ = (uint8_t)(bit << 7);
        if (bit) {
            const uint64_t more = later_neighbours(i) & open;

            list_sign(s, near, at, i, to);
            *to++ = (uint8_t)((s->negative[at] >> i & 1) << 7);
            left |= more, visited |= more;
        }
    }
    s->significant[at] |= visited & bits, s->visited[at] = visited;
    return to;
}

/* D.3.3; as raw bits the contexts are not looked at. */
static inline uint8_t *refine_word(fast_block *s, uint32_t *near, int32_t at, uint8_t *to)
{
    const uint64_t again = s->refined[at], bits = s->plane[at];
    uint64_t left = s->significant[at] & ~s->visited[at];
    const uint64_t beside = left & ~again ? nonzero_bytes(near) & ~again : 0;

    s->refined[at] |= left;
    for (; left; left = _blsr_u64(left)) {
        const uint64_t i = _tzcnt_u64(left);

        *to++ = (uint8_t)((EBCOT_REFINE + 2 * (again >> i & 1) + (beside >> i & 1)) | (bits >> i & 1) << 7);
    }
    return to;
}

/* D.3.4. */
static inline uint8_t *clean_up_word(fast_block *s, uint32_t *near, int32_t at, uint8_t *to)
{
    const uint64_t all = ~(s->significant[at] | s->visited[at]) & s->valid[at], bits = s->plane[at];
    const uint64_t lone = all & ~nonzero_bytes(near), some = bits | bits >> 1 | bits >> 2 | bits >> 3;
    uint64_t left = all, runs = lone & lone >> 1 & lone >> 2 & lone >> 3 & ROW;

    while (left) {
        unsigned i = (unsigned)_tzcnt_u64(left);
        uint8_t bit = bits >> i & 1;

        if (runs >> i & 1) {
            const unsigned columns = (unsigned)_tzcnt_u64(~((runs & ~some) >> i) & ROW) / 4;

            if (columns) {
                *to++ = (uint8_t)(RUNS + columns - 1);
                left &= ~((columns < EBCOT_COLUMNS ? (UINT64_C(1) << 4 * columns) - 1 : UINT64_MAX) << i);
                continue;
            }
            const unsigned zeros = (unsigned)_tzcnt_u64(bits >> i);

            *to++ = EBCOT_RUN | DECISION;
            *to++ = (uint8_t)(EBCOT_UNIFORM | zeros >> 1 << 7),
            *to++ = (uint8_t)(EBCOT_UNIFORM | (zeros & 1) << 7);
            i += zeros, bit = 1;
            left = left >> i >> 1 << i << 1;
        } else {
            *to++ = s->zero[byte_at(near, i)] | (uint8_t)(bit << 7);
            left = _blsr_u64(left);
        }
        if (bit) {
            to = list_sign(s, near, at, i, to);
            runs &= ~(UINT64_C(2) << (i | 3));
        }
    }
    s->significant[at] |= all & bits;
    return to;
}

#define PASS(name, of_word)                                                                                  \
    static __attribute__((noinline)) uint8_t *name(fast_block *s)                                            \
    {                                                                                                        \
        uint32_t *near = s->near + s->stride + GAP;                                                          \
        uint8_t *to = s->plain;                                                                              \
                                                                                                             \
        for (int32_t at = 0, stripe = 0; stripe < s->stripes; stripe++, near += GAP)                         \
            for (const int32_t end = at + s->words; at < end; at++, near += EBCOT_COLUMNS)                   \
                to = of_word(s, near, at, to);                                                               \
        return to;                                                                                           \
    }
PASS(list_propagation, propagate_word)
PASS(list_propagation_raw, propagate_word_raw)
PASS(list_refinement, refine_word)
PASS(list_cleanup, clean_up_word)
#undef PASS

/* The sum of 2|q| over some coefficients of a word, from its bit-planes 0 … top. */
static int64_t twice_sum(const fast_block *s, int32_t at, uint64_t of, int32_t top)
{
    int64_t sum = 0;

    for (int32_t p = 0; p <= top; p++)
        sum += (int64_t)_mm_popcnt_u64(s->planes[p][at] & of) << (p + 1);
    return sum;
}

/* What ebcot_gain_significant and ebcot_gain_refined add up to over a pass. */
static double pass_gain(const fast_block *s, int kind, uint8_t type, int32_t plane, const uint64_t *before)
{
    ebcot_gain g = ebcot_gain_begin(type, plane);

    for (int32_t at = 0; at < s->stripes * s->words; at++) {
        const uint64_t bits = s->planes[plane][at];

        if (kind == EBCOT_REFINEMENT) {
            const uint64_t one = before[at] & ~s->visited[at] & bits,
                           zero = before[at] & ~s->visited[at] & ~bits;
            const int64_t ones = (int64_t)_mm_popcnt_u64(one), zeros = (int64_t)_mm_popcnt_u64(zero);

            g.sum += 2 * (twice_sum(s, at, one, plane) + g.half * ones) - 5 * ones * (INT64_C(1) << plane);
            g.sum += 3 * zeros * (INT64_C(1) << plane) - 2 * (twice_sum(s, at, zero, plane) + g.half * zeros);
            g.sum += g.exact * (ones + zeros);
        } else {
            const uint64_t found = s->significant[at] & ~before[at];
            const int64_t n = (int64_t)_mm_popcnt_u64(found);

            if (n)
                g.sum += 6 * (twice_sum(s, at, found, plane) + g.half * n) - 9 * n * (INT64_C(1) << plane) +
                         g.exact * n;
        }
    }
    return ebcot_gain_total(&g, plane);
}

static void list_pass(fast_encoder *e)
{
    fast_block *const s = &e->block;
    const int kind = ebcot_pass_kind(e->pass);
    uint8_t *end;

    s->plane = s->planes[ebcot_pass_plane(e->n_planes, e->pass)];
    if (e->input->passes)
        memcpy(e->before, s->significant, (size_t)(s->stripes * s->words) * sizeof *e->before);
    end = kind == EBCOT_CLEANUP      ? list_cleanup(s)
          : kind == EBCOT_REFINEMENT ? list_refinement(s)
          : e->raw                   ? list_propagation_raw(s)
                                     : list_propagation(s);
    if (kind == EBCOT_CLEANUP && e->input->style & MTM_BLOCK_SEGSYM)
        for (unsigned i = 0; i < 4; i++)
            *end++ = (uint8_t)(EBCOT_UNIFORM | (0xA >> (3 - i) & 1) << 7);
    e->n_listed = (uint32_t)(end - s->plain);
}

/* Closes a raw segment as D.6 says: 0, 1, 0 … to the end of the byte; a last 0xFF is left away. */
static uint8_t *end_raw(const fast_encoder *e, raw_bits *w)
{
    static const uint8_t fill[8] = {0, DECISION, 0, DECISION, 0, DECISION, 0, DECISION};

    if (w->left < w->room)
        write_raw(w, fill, (uint32_t)w->left);
    return w->at - (w->at > e->codeword.first && w->at[-1] == 0xFF);
}

/* The pass is coded. */
static void end_pass(fast_encoder *e)
{
    const uint8_t style = e->input->style;
    const int32_t plane = ebcot_pass_plane(e->n_planes, e->pass);
    ebcot_codeword *const w = &e->codeword;

    ebcot_codeword_pass(w, e->raw ? NULL : &e->mq, e->raw ? e->bits.at + (e->bits.left < e->bits.room) : NULL,
                        e->input->passes
                            ? pass_gain(&e->block, ebcot_pass_kind(e->pass), e->input->type, plane, e->before)
                            : 0);
    if (ebcot_codeword_full(w)) {
        e->pass = 3 * e->n_planes - 2;
        return;
    }
    e->open = e->pass + 1 < 3 * e->n_planes - 2 && !mtm_ebcot_segment_ends(style, e->pass);
    if (!e->open && e->raw)
        ebcot_codeword_end(w, end_raw(e, &e->bits), false);
    else if (!e->open && style & MTM_BLOCK_PREDICTABLE)
        ebcot_codeword_end(w, mtm_mq_encode_end_predictable(&e->mq), false);
    else if (!e->open)
        ebcot_codeword_end(w, mtm_mq_encode_end(&e->mq), true);
    if (style & MTM_BLOCK_RESET)
        fast_contexts_reset(&e->block);
    e->pass++;
}

/* Up to the next pass for the MQ coder, which is listed, or to the end (false). */
static bool advance(fast_encoder *e)
{
    while (e->pass < 3 * e->n_planes - 2) {
        if (!e->open) {
            ebcot_codeword_begin(&e->codeword);
            e->raw = ebcot_pass_raw(e->input->style, e->pass);
            e->bits = (raw_bits){.at = e->codeword.first, .left = 8, .room = 8};
            mtm_mq_encode_begin(&e->mq, e->codeword.first - 1);
        }
        list_pass(e);
        if (!e->raw)
            return true;
        write_raw(&e->bits, e->block.plain, e->n_listed);
        end_pass(e);
    }
    return false;
}

/* Up to 16 coefficients of a row as quantiser indices of at most 31 bits, 0 after them. */
static inline void load_row(const mtm_block_input *b, ptrdiff_t at, int32_t n, int32_t q[EBCOT_COLUMNS])
{
    memset(q, 0, EBCOT_COLUMNS * sizeof *q);
    switch ((mtm_coef)b->type) {
    case MTM_COEF_I16:
        for (int32_t x = 0; x < n; x++)
            q[x] = ((const int16_t *)b->src)[at + x];
        break;
    case MTM_COEF_I32: memcpy(q, (const int32_t *)b->src + at, (size_t)n * sizeof *q); break;
    case MTM_COEF_I64:
    case MTM_COEF_V2:
        for (int32_t x = 0; x < n; x++)
            q[x] = (int32_t)((const int64_t *)b->src)[at + x];
        break;
    case MTM_COEF_F32:
        for (int32_t x = 0; x < n; x++) {
            const float f = ((const float *)b->src)[at + x];
            const int32_t m = (int32_t)((f < 0 ? -f : f) * b->inverse_step);

            q[x] = f < 0 ? -m : m;
        }
        break;
    }
}

/* A row of a word into its bit-planes. */
static inline void split_row(fast_block *s, int32_t at, int row, const int32_t q[EBCOT_COLUMNS],
                             int32_t n_planes)
{
    const __m256i a = _mm256_loadu_si256((const __m256i *)q),
                  b = _mm256_loadu_si256((const __m256i *)(q + 8));
    const uint32_t negative = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(a)) |
                              (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(b)) << 8;
    const __m128i top = _mm_cvtsi32_si128(32 - n_planes);
    __m256i c = _mm256_sll_epi32(_mm256_abs_epi32(a), top), d = _mm256_sll_epi32(_mm256_abs_epi32(b), top);

    s->negative[at] |= _pdep_u64(negative, ROW << row);
    for (int32_t p = n_planes - 1; p >= 0; p--) {
        const uint32_t bits = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(c)) |
                              (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(d)) << 8;

        s->planes[p][at] |= _pdep_u64(bits, ROW << row);
        c = _mm256_add_epi32(c, c), d = _mm256_add_epi32(d, d);
    }
}

static void load(fast_block *s, const mtm_block_input *b, int32_t n_planes)
{
    fast_block_begin(s, b->width, b->height, b->style, b->band, 0, n_planes);
    for (int32_t y = 0; y < b->height; y++)
        for (int32_t k = 0; k < s->words; k++) {
            const int32_t left = b->width - k * EBCOT_COLUMNS,
                          n = left < EBCOT_COLUMNS ? left : EBCOT_COLUMNS;
            int32_t q[EBCOT_COLUMNS];

            if (n == EBCOT_COLUMNS)
                load_row(b, y * b->stride + k * EBCOT_COLUMNS, EBCOT_COLUMNS, q);
            else
                load_row(b, y * b->stride + k * EBCOT_COLUMNS, n, q);
            split_row(s, y / EBCOT_STRIPE * s->words + k, y % EBCOT_STRIPE, q, n_planes);
        }
}

/* All magnitudes OR-ed, as ebcot_result_begin wants it. */
static uint64_t any_magnitude(const mtm_block_input *b)
{
    uint64_t any = 0;
    uint32_t any_32 = 0;
    bool negative;

    for (int32_t y = 0; y < b->height; y++) {
        const ptrdiff_t at = y * b->stride;

        if (b->type == MTM_COEF_I32)
            for (int32_t x = 0; x < b->width; x++) {
                const int32_t v = ((const int32_t *)b->src)[at + x];

                any_32 |= v < 0 ? 0 - (uint32_t)v : (uint32_t)v;
            }
        else if (b->type == MTM_COEF_I16)
            for (int32_t x = 0; x < b->width; x++) {
                const int32_t v = ((const int16_t *)b->src)[at + x];

                any_32 |= (uint32_t)(v < 0 ? -v : v);
            }
        else
            for (int32_t x = 0; x < b->width; x++)
                any |= ebcot_input_magnitude(b, at + x, &negative);
    }
    return any | any_32;
}

/* Whether there is something to code here. */
static bool begin(fast_encoder *e, mtm_block_input *b)
{
    const int32_t n_planes = ebcot_result_begin(b, any_magnitude(b));

    e->input = b, e->n_planes = 0, e->pass = 0, e->open = false;
    if (n_planes > NARROW_PLANES)
        mtm_ebcot_encode_c(b, 1, e);
    if (n_planes == 0 || n_planes > NARROW_PLANES)
        return false;
    e->n_planes = n_planes;
    load(&e->block, b, n_planes);
    ebcot_codeword_init(&e->codeword);
    return true;
}

/* Blocks in pairs, at the same bit-plane where they can be: passes of like lengths. */
static void encode_pair(mtm_block_input *b, int32_t n, fast_encoder *e)
{
    bool begun[PAIR_OF_ENCODERS] = {false, false}, wait[PAIR_OF_ENCODERS] = {false, false};

    for (int32_t i = 0; i < n; i++)
        begun[i] = begin(e + i, b + i);
    for (;;) {
        for (int32_t i = 0; i < n; i++)
            wait[i] = wait[i] || (begun[i] && advance(e + i));
        if (!wait[0] && !wait[1])
            break;
        const int32_t behind = wait[0] && wait[1]
                                   ? (e[0].n_planes * 3 - e[0].pass) - (e[1].n_planes * 3 - e[1].pass)
                                   : (wait[0] ? 1 : -1);

        if (behind == 0)
            encode_two(e, e + 1);
        else
            encode_from(behind > 0 ? e : e + 1, 0);
        if (behind >= 0)
            end_pass(e), wait[0] = false;
        if (behind <= 0)
            end_pass(e + 1), wait[1] = false;
    }
    for (int32_t i = 0; i < n; i++)
        if (begun[i])
            ebcot_result_end(b + i, &e[i].codeword);
}

void mtm_ebcot_encode_avx2(mtm_block_input *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i += PAIR_OF_ENCODERS)
        encode_pair(blocks + i, n - i < PAIR_OF_ENCODERS ? n - i : PAIR_OF_ENCODERS, scratch);
}
