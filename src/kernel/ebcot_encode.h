/* kernel/ebcot_encode.h: what the EBCOT block encoders share: their input's magnitudes, the codeword with the lengths to
 * which it may be cut, and the gain in quality of each pass. Between mq.h and ebcot_encode.c with its variants.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_EBCOT_ENCODE_H
#define MTM_KERNEL_EBCOT_ENCODE_H

#include "ebcot_model.h"
#include "mq.h"

/* A codeword may grow to EBCOT_PLAIN_BYTES, more than mtm_ebcot_encode_bound of any block; and since that is looked at after
 * each pass, by one more of 11 decisions for 4 coefficients, of 15 bits at the very most, stuffed. */
enum { EBCOT_MAX_PASSES = 3 * MTM_BLOCK_MAX_PLANES, EBCOT_CODEWORD_BYTES = EBCOT_PLAIN_BYTES + (24 << 10) };

/* Where the coder stood after a pass. at NULL: a raw pass, which ends at `end`. */
typedef struct ebcot_snapshot {
    const uint8_t *at, *end;
    uint64_t low, top; /* the interval: from low, to below top; the lowest bit of *at is 2²⁷ */
    double gain;       /* of this pass */
    uint32_t size_bytes;
} ebcot_snapshot;

typedef struct ebcot_codeword {
    uint8_t *first; /* of the segment; first[-1] is the byte before, 0 while the segment is open */
    uint8_t before; /* its value */
    int32_t open;   /* the segment's first pass */
    int32_t n_passes;
    ebcot_snapshot passes[EBCOT_MAX_PASSES];
    uint8_t bytes[EBCOT_CODEWORD_BYTES]; /* bytes[0] is none */
} ebcot_codeword;

typedef struct ebcot_encode_scratch {
    uint64_t magnitude[MTM_BLOCK_MAX_SAMPLES];
    uint8_t map[EBCOT_MAP_BYTES];
    ebcot_codeword codeword;
} ebcot_encode_scratch;

_Static_assert(sizeof(ebcot_encode_scratch) <= MTM_EBCOT_SCRATCH_BYTES, "the encoder's scratch");

/* Quantiser index of the element, T.800 equation E-1. Not a number, or 2⁶³ and more: UINT64_MAX. */
static inline uint64_t ebcot_input_magnitude(const mtm_block_input *b, ptrdiff_t at, bool *negative)
{
    int64_t v = 0;

    switch ((mtm_coef)b->type) {
    case MTM_COEF_I16: v = ((const int16_t *)b->src)[at]; break;
    case MTM_COEF_I32: v = ((const int32_t *)b->src)[at]; break;
    case MTM_COEF_I64:
    case MTM_COEF_V2: v = ((const int64_t *)b->src)[at]; break;
    case MTM_COEF_F32: {
        const float x = ((const float *)b->src)[at], m = (x < 0 ? -x : x) * b->inverse_step;

        *negative = x < 0;
        return m < 0x1p63f ? (uint64_t)m : UINT64_MAX;
    }
    }
    *negative = v < 0;
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

/* The squared error that decisions take away (T.800 J.13), exactly, in units of 2^(plane − 2) squared steps. A
 * coefficient is taken for the middle of its quantiser interval, a reversible one for itself. */
typedef struct ebcot_gain {
    int64_t sum;
    int64_t exact; /* at plane 0 of reversible coefficients no error is left, which is a unit more each */
    int half;      /* 1 where the middle lies half a step up */
} ebcot_gain;

static inline ebcot_gain ebcot_gain_begin(uint8_t type, int32_t plane)
{
    return (ebcot_gain){.exact = type != MTM_COEF_F32 && plane == 0, .half = type == MTM_COEF_F32};
}

/* From 0 to 1.5·2^p: x² − (x − 1.5·2^p)². */
static inline void ebcot_gain_significant(ebcot_gain *g, uint64_t magnitude, int32_t plane)
{
    const int64_t twice = (int64_t)(2 * magnitude) + g->half;

    g->sum += 6 * twice - (INT64_C(9) << plane) + g->exact;
}

/* From the middle of 2^(p + 1) to that of the half: with t = x mod 2^(p + 1), (t − 2^p)² − (t − (bit + ½)·2^p)². */
static inline void ebcot_gain_refined(ebcot_gain *g, uint64_t magnitude, int32_t plane)
{
    const int64_t twice = (int64_t)(2 * magnitude & ((UINT64_C(4) << plane) - 1)) + g->half;
    const int64_t change =
        magnitude >> plane & 1 ? 2 * twice - (INT64_C(5) << plane) : (INT64_C(3) << plane) - 2 * twice;

    g->sum += change + g->exact;
}

static inline double ebcot_gain_total(const ebcot_gain *g, int32_t plane)
{
    return (double)g->sum * (double)(UINT64_C(1) << plane) * 0.25;
}

static inline void ebcot_codeword_init(ebcot_codeword *w)
{
    w->first = w->bytes + 1, w->before = 0;
    w->open = w->n_passes = 0;
}

static inline void ebcot_codeword_begin(ebcot_codeword *w)
{
    w->before = w->first[-1], w->first[-1] = 0;
    w->open = w->n_passes;
}

/* A pass is coded. q NULL: into raw bits, of which end is the end; else end is NULL. */
static inline void ebcot_codeword_pass(ebcot_codeword *w, const mtm_mq_encoder *q, const uint8_t *end,
                                       double gain)
{
    ebcot_snapshot *const s = w->passes + w->n_passes++;

    *s = (ebcot_snapshot){.end = end, .gain = gain};
    if (!q)
        return;
    s->at = q->at;
    s->low = ((uint64_t)*q->at << 27) + ((uint64_t)q->c << q->ct);
    s->top = s->low + ((uint64_t)q->a << q->ct);
}

/* Too long after the pass just coded: only coefficients made up to that end get there. */
static inline bool ebcot_codeword_full(const ebcot_codeword *w)
{
    const ebcot_snapshot *const s = w->passes + w->n_passes - 1;

    return (s->at ? s->at : s->end) - w->bytes > EBCOT_PLAIN_BYTES;
}

/* How few of the segment's bytes, 1s after them, lead a decoder through this pass: those that so stay in its interval.
 * (They may fall below it where a carry stopped after 0xFF.) */
static inline const uint8_t *ebcot_codeword_cut(const ebcot_codeword *w, const ebcot_snapshot *s,
                                                const uint8_t *end)
{
    const int scale = 24; /* bits, for the bytes after *at */
    const uint64_t low = s->low << scale, top = s->top << scale;
    const uint8_t *at = s->at;
    uint64_t value = 0;                              /* of the bytes from s->at on */
    int bit = 27 + scale + (at[-1] == 0xFF ? 7 : 8); /* the last byte's lowest */

    if (at < w->first) /* no byte yet, and nothing to carry into */
        at = w->first, bit = 27 + scale;
    for (; at < end; value += (uint64_t)*at++ << bit) {
        const uint64_t above = value + (UINT64_C(1) << bit); /* all that 1s can reach */

        if (low < above && above <= top)
            return at;
        if (bit < 8)
            return end;
        bit -= at[-1] == 0xFF ? 7 : 8;
    }
    return end;
}

/* Whether a decision was coded in the segment up to this pass: each one narrows the interval. */
static inline bool ebcot_codeword_used(const ebcot_snapshot *s)
{
    return s->at && s->top - s->low != UINT64_C(0x8000) << 12;
}

/* The segment is closed and ends at end, or, if `tight`, before it, at the least length that serves its last pass. */
static inline void ebcot_codeword_end(ebcot_codeword *w, uint8_t *end, bool tight)
{
    uint32_t least = (uint32_t)(w->first - (w->bytes + 1));

    for (int32_t i = w->open; i < w->n_passes; i++) {
        ebcot_snapshot *const s = w->passes + i;
        const bool last = i + 1 == w->n_passes;
        const uint8_t *cut = s->at ? ebcot_codeword_cut(w, s, end) : s->end < end ? s->end : end;

        if (last && !tight)
            cut = end;
        if (cut == w->first && cut < end && ebcot_codeword_used(s))
            cut++; /* no bytes at all would do, but not every decoder takes what it gets then for a codeword */
        s->size_bytes = (uint32_t)(cut - (w->bytes + 1));
        s->size_bytes = s->size_bytes > least ? s->size_bytes : least;
        least = s->size_bytes;
    }
    w->first[-1] = w->before;
    w->first = w->bytes + 1 + least;
}

/* Fills what is known before coding. Returns the bit-planes to code; 0: none, and the results are complete. */
static inline int32_t ebcot_result_begin(mtm_block_input *b, uint64_t any)
{
    const int32_t n_planes = any ? 64 - __builtin_clzll(any) : 0;

    b->size_bytes = 0, b->n_passes = 0, b->zero_planes = b->n_planes;
    b->status = MTM_BLOCK_OK;
    if (n_planes > b->n_planes || n_planes > MTM_BLOCK_MAX_PLANES) {
        b->status = MTM_BLOCK_TOO_LARGE;
        return 0;
    }
    b->zero_planes = b->n_planes - n_planes;
    return n_planes;
}

static inline void ebcot_result_end(mtm_block_input *b, const ebcot_codeword *w)
{
    const uint32_t size = (uint32_t)(w->first - (w->bytes + 1));
    double gain = 0;

    if (size > b->room_bytes || ebcot_codeword_full(w)) {
        b->status = MTM_BLOCK_TOO_LARGE;
        return;
    }
    memcpy(b->out, w->bytes + 1, size);
    b->size_bytes = size, b->n_passes = w->n_passes;
    for (int32_t i = 0; b->passes && i < w->n_passes; i++) {
        gain += w->passes[i].gain;
        b->passes[i] = (mtm_pass){w->passes[i].size_bytes, (float)gain};
    }
}

#endif
