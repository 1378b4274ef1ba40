/* kernel/x86/ebcot_passes_avx2.c: the coding passes of the fast EBCOT block decoder. Also for the tiers above AVX2: with
 * their registers at hand compilers move general ones there and back, within the chain that everything waits for.
 *
 * Measured (Zen 4, a 12-bit CT, lossless, 33 ns a coefficient of the whole file; shares by sampling, instructions and
 * wrong guesses by callgrind, whose predictor is simpler than the CPU's), per coefficient:
 *     propagation  15.5 ns, 178 instructions, 0.9 wrong guesses
 *     cleanup       8.2 ns,  74 instructions, 0.5; most of its decisions are runs, skipped together
 *     refinement    5.6 ns,  93 instructions, 0.1; two blocks in turn
 *     the rest of the block decoder 1.6 ns
 * Estimated, not counted: 7.2 decisions a coefficient, 2.4 each in propagation and refinement, 2.5 in cleanup.
 * Tried without gain: propagation of two blocks in turn; propagation without jumps by significance, over windows of 10 by 6
 * bits in registers, cleanup over windows too (78 instructions a decision, and presumably a wrong guess at each window's
 * end: 0 to 20 % slower in all); the state at hand in propagation as it is in refinement (1 to 9 % slower).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ebcot_block.h"

static inline void mq_refill(fast_block *s, mq_registers *q)
{
    const uint64_t end = _blsi_u64(q->c); /* 2³² or more */
    uint32_t next = UINT32_MAX;

    if (s->plain_at < s->plain_bytes)
        memcpy(&next, s->plain + s->plain_at, 4);
    s->plain_at += 4;
    q->c += (2 * (uint64_t)__builtin_bswap32(next) + 1) * (end >> 32) - end;
}

static inline void mq_take(fast_block *s, mq_registers *q, int64_t n)
{
    q->a <<= n, q->c <<= n;
    if (__builtin_expect((uint32_t)q->c == 0, 0))
        mq_refill(s, q);
}

/* DECODE without branches on what it decides (T.800 C.3.2): the symbol is the less probable one if (C < Qe) xor
 * (A < Qe). The one piece of assembly keeps the choice by C < Qe, which nobody can predict, from becoming a jump. */
static inline uint8_t mq_decide(fast_block *s, mq_registers *q, uint64_t *next)
{
    const uint64_t state = *next;
    const uint64_t id = state >> 8 & 0xFF, if_0 = s->steps[0][id], if_1 = s->steps[1][id];
    const uint64_t qe = state & QE, before = q->c;
    uint64_t a = q->a - qe, c = before;
    uint8_t d = (uint8_t)(a < qe) ^ (uint8_t)state;
    bool low;

    __asm__("subq %[qe], %[c]\n\tcmovcq %[before], %[c]\n\tcmovcq %[qe], %[a]"
            : [c] "+&r"(c), [a] "+&r"(a), "=@ccc"(low)
            : [qe] "r"(qe), [before] "r"(before));
    d ^= low;
    const uint64_t after = d ? if_1 : if_0;

    *next = (int64_t)a < 0 ? state : after;
    q->a = a, q->c = c;
    mq_take(s, q, __builtin_clzll(a));
    return d;
}

static inline uint8_t mq_step(fast_block *s, mq_registers *q, unsigned context)
{
    uint64_t state = s->contexts[context];
    const uint8_t d = mq_decide(s, q, &state);

    s->contexts[context] = state;
    return d;
}

/* The same where the state is at hand, and the next context is known: then its state is read before this one's is
 * written, and a context that follows itself does not wait for the way through memory. */
static inline uint8_t mq_step_on(fast_block *s, mq_registers *q, uint64_t *state, unsigned context,
                                 unsigned then)
{
    const uint64_t other = s->contexts[then];
    const uint8_t d = mq_decide(s, q, state);

    s->contexts[context] = *state;
    __asm__("cmpl %[context], %[then]\n\tcmovneq %[other], %[state]"
            : [state] "+&r"(*state)
            : [context] "r"(context), [then] "r"(then), [other] "r"(other)
            : "cc");
    return d;
}

/* Coefficient i is significant; its sign (D.3.2) goes into `negative`. */
static inline void decode_sign(fast_block *s, mq_registers *q, uint32_t *near, unsigned i, uint64_t *negative)
{
    const unsigned neighbours = sign_neighbours(near, i);

    spread_near(s, near, i);
    const uint8_t sign = mq_step(s, q, s->sign[neighbours]) ^ s->flip[neighbours];

    *negative |= (uint64_t)sign << i;
    spread_minus(s, minus_of(near), i, sign);
}

/* What coefficient i of a row, now significant, adds to the first byte of the later one `ahead` of it in coding order. */
static inline unsigned told_by(unsigned i, unsigned ahead)
{
    static const uint8_t told[4][72] = {{0, 0x10, 0, 0, 0x40, 0x01},    /* N, W, NW */
                                        {0, 0x10, 0, 0x04, 0x40, 0x01}, /* and SW */
                                        {0, 0x10, 0, 0x04, 0x40, 0x01},
                                        {0, 0, 0, 0x04, 0x40}};

    return told[i % 4][ahead];
}

/* What is known of a coefficient's neighbours: its byte of near, and of minus. */
typedef struct surroundings {
    unsigned near, minus;
} surroundings;

static inline surroundings surroundings_of(const uint32_t *near, unsigned i)
{
    return (surroundings){byte_at(near, i), byte_at(minus_of(near), i)};
}

/* The surroundings of the next coefficient are read before it is known what becomes of this one, and before that is
 * written down: what a wrong guess or a write would make it wait for, it has already. */
static inline void propagate_word(fast_block *s, mq_registers *q, uint32_t *near, int32_t at)
{
    const uint64_t open = ~s->significant[at] & s->valid[at];
    uint64_t left = nonzero_bytes(near) & open, visited = left, found = 0, negative = s->negative[at];
    unsigned i = (unsigned)_tzcnt_u64(left);
    surroundings now = surroundings_of(near, i);
    unsigned context = s->zero[now.near];

    while (left) {
        const unsigned neighbours = now.near >> 4 | now.minus;
        const uint64_t bit = _blsi_u64(left);
        uint64_t state = s->contexts[s->sign[neighbours]];

        left ^= bit;
        const unsigned then = (unsigned)_tzcnt_u64(left);
        const surroundings after = surroundings_of(near, then);
        const unsigned after_context = s->zero[after.near];
        if (mq_step(s, q, context)) {
            const uint64_t more = later_neighbours(i) & open;

            left |= more, visited |= more, found |= bit;
            const unsigned next = (unsigned)_tzcnt_u64(left), told = told_by(i, next - i);
            now = surroundings_of(near, next);
            spread_near(s, near, i);
            const uint8_t sign = mq_decide(s, q, &state) ^ s->flip[neighbours];
            s->contexts[s->sign[neighbours]] = state;
            now.near |= told, context = s->zero[now.near], now.minus |= told & 0xF0 & (0 - (unsigned)sign);
            negative |= (uint64_t)sign << i;
            spread_minus(s, minus_of(near), i, sign);
            i = next;
        } else {
            i = then, now = after, context = after_context;
        }
    }
    s->significant[at] |= found, s->negative[at] = negative;
    s->visited[at] = visited;
    s->plane[at] = found;
}

/* Columns from coefficient i on that are all runs of zeros, as far as Qe of the context decides that they are without
 * a renormalisation: they take n · Qe at once. Returns the coefficients. */
static inline uint64_t skip_runs(mq_registers *q, uint64_t state, uint64_t runs, unsigned i)
{
    const uint64_t n = _tzcnt_u64(~(runs >> i) & ROW) / 4, qe = n * (state >> 48), take = qe << 48;

    if (state & 1 || qe >= 0x8000 || q->c < take || (int64_t)(q->a - take) >= 0)
        return 0;
    q->a -= take, q->c -= take;
    return (n < EBCOT_COLUMNS ? (UINT64_C(1) << 4 * n) - 1 : UINT64_MAX) << i;
}

static inline void clean_up_word(fast_block *s, mq_registers *q, uint32_t *near, int32_t at)
{
    uint64_t left = ~(s->significant[at] | s->visited[at]) & s->valid[at];

    if (!left)
        return;
    const uint64_t lone = left & ~nonzero_bytes(near);
    uint64_t runs = lone & lone >> 1 & lone >> 2 & lone >> 3 & ROW, found = 0, negative = s->negative[at];

    while (left) {
        unsigned i = (unsigned)_tzcnt_u64(left);

        if (runs >> i & 1) {
            const uint64_t zeros = skip_runs(q, s->contexts[EBCOT_RUN], runs, i);

            if (zeros || !mq_step(s, q, EBCOT_RUN)) {
                left &= ~(zeros | UINT64_C(15) << i);
                continue;
            }
            uint64_t uniform = s->contexts[EBCOT_UNIFORM]; /* never another (table C.2, 46) */

            i += 2 * (unsigned)mq_decide(s, q, &uniform);
            i += (unsigned)mq_decide(s, q, &uniform);
            left = left >> i >> 1 << i << 1;
        } else {
            const unsigned byte = byte_at(near, i);

            left = _blsr_u64(left);
            if (!mq_step(s, q, s->zero[byte]))
                continue;
        }
        decode_sign(s, q, near, i, &negative);
        found |= UINT64_C(1) << i;
        runs &= ~(UINT64_C(2) << (i | 3));
    }
    s->significant[at] |= found, s->negative[at] = negative;
    s->plane[at] |= found;
}

/* Raw bits in place of the MQ coder (D.6), read through the same registers. */
static inline uint8_t raw_bit(fast_block *s, mq_registers *q)
{
    const uint64_t bit = q->c >> 63;

    mq_take(s, q, 1);
    return (uint8_t)bit;
}

static inline void propagate_word_raw(fast_block *s, mq_registers *q, uint32_t *near, int32_t at)
{
    const uint64_t open = ~s->significant[at] & s->valid[at];
    uint64_t left = nonzero_bytes(near) & open, visited = left, found = 0;

    for (; left; left = _blsr_u64(left)) {
        const unsigned i = (unsigned)_tzcnt_u64(left);

        if (raw_bit(s, q)) {
            const uint64_t more = later_neighbours(i) & open;
            const uint8_t sign = raw_bit(s, q);

            s->negative[at] |= (uint64_t)sign << i;
            spread_near(s, near, i), spread_minus(s, minus_of(near), i, sign);
            found |= UINT64_C(1) << i;
            left |= more, visited |= more;
        }
    }
    s->significant[at] |= found, s->visited[at] = visited;
    s->plane[at] = found;
}

static inline void refine_word_raw(fast_block *s, mq_registers *q, uint32_t *near, int32_t at)
{
    uint64_t left = s->significant[at] & ~s->visited[at], bits = 0;

    s->refined[at] |= left;
    for (; left; left = _blsr_u64(left))
        bits |= raw_bit(s, q) * _blsi_u64(left);
    s->plane[at] |= bits;
}

/* A pass over the words of a block. */
#define PASS(name, of_word)                                                                                  \
    void name(fast_block *s)                                                                                 \
    {                                                                                                        \
        mq_registers q = s->mq;                                                                              \
        uint32_t *near = s->near + s->stride + GAP;                                                          \
                                                                                                             \
        for (int32_t at = 0, stripe = 0; stripe < s->stripes; stripe++, near += GAP)                         \
            for (const int32_t end = at + s->words; at < end; at++, near += EBCOT_COLUMNS)                   \
                of_word(s, &q, near, at);                                                                    \
        s->mq = q;                                                                                           \
    }
PASS(mtm_ebcot_propagate_avx2, propagate_word)         /* D.3.1 */
PASS(mtm_ebcot_clean_up_avx2, clean_up_word)           /* D.3.4 */
PASS(mtm_ebcot_propagate_raw_avx2, propagate_word_raw) /* D.6 */
PASS(mtm_ebcot_refine_raw_avx2, refine_word_raw)
#undef PASS

/* Decision number i, and the state for the next. */
static inline void refine_one(fast_block *s, mq_registers *q, uint64_t *state, int32_t i)
{
    s->refine[i] = mq_step_on(s, q, state, s->refine[i], s->refine[i + 1]);
}

void mtm_ebcot_refine_from_avx2(fast_block *s, int32_t from)
{
    mq_registers q = s->mq;
    uint64_t state = s->contexts[s->refine[from]];

    for (int32_t i = from; i < s->n_refined; i++)
        refine_one(s, &q, &state, i);
    s->mq = q;
}

void mtm_ebcot_refine_two_avx2(fast_block *s, fast_block *t)
{
    const int32_t both = s->n_refined < t->n_refined ? s->n_refined : t->n_refined;
    mq_registers q = s->mq, r = t->mq;
    uint64_t of_s = s->contexts[s->refine[0]], of_t = t->contexts[t->refine[0]];

    for (int32_t i = 0; i < both; i++)
        refine_one(s, &q, &of_s, i), refine_one(t, &r, &of_t, i);
    s->mq = q, t->mq = r;
    mtm_ebcot_refine_from_avx2(s, both), mtm_ebcot_refine_from_avx2(t, both);
}

bool mtm_ebcot_segmentation_symbol_avx2(fast_block *s)
{
    mq_registers q = s->mq;
    unsigned symbol = 0;

    for (int i = 0; i < 4; i++)
        symbol = symbol << 1 | mq_step(s, &q, EBCOT_UNIFORM);
    s->mq = q;
    return symbol == 0xA;
}
