/* kernel/x86/ebcot_decode_body.h: the fast EBCOT block decoder from a block's bytes to its coefficients, two blocks at a
 * time; included by ebcot_decode_avx2.c and ebcot_decode_vbmi2.c after their vectors. The passes: ebcot_passes_avx2.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_X86_EBCOT_DECODE_BODY_H
#define MTM_KERNEL_X86_EBCOT_DECODE_BODY_H

#include "ebcot_block.h"

/* INITDEC: fifteen bits below a 0, and as many of the first four bytes as are left. */
static void mq_begin(fast_block *s, uint32_t bits)
{
    uint32_t first = UINT32_MAX;

    if (bits)
        memcpy(&first, s->plain, 4);
    s->mq = (mq_registers){.a = UINT64_C(1) << 63, .c = (2 * (uint64_t)__builtin_bswap32(first) + 1) << 30};
    s->plain_at = 4, s->plain_bytes = (bits + 7) / 8;
}

/* Bits gone into Chigh. */
static uint32_t mq_taken(const fast_block *s)
{
    return s->plain_at * 8 - (47 - (uint32_t)_tzcnt_u64(s->mq.c));
}

/* D.3.3: nothing that a refinement pass decides changes what comes after. So its contexts are listed first; the decisions
 * follow, of two blocks in turn, whose chains do not wait for each other; and go to their places last. */
static void refine_list(fast_block *s)
{
    const uint32_t *near = s->near + s->stride + GAP;
    uint8_t *to = s->refine;

    for (int32_t at = 0, stripe = 0; stripe < s->stripes; stripe++, near += GAP)
        for (const int32_t end = at + s->words; at < end; at++, near += EBCOT_COLUMNS) {
            const uint64_t again = s->refined[at];
            uint64_t left = s->significant[at] & ~s->visited[at];

            if (!left)
                continue;
            to = list_contexts(to, left, again, left & ~again ? nonzero_bytes(near) & ~again : 0);
            s->refined[at] = again | left;
        }
    s->n_refined = (int32_t)(to - s->refine);
    memset(to, 0, 64); /* read and dropped: by refine_place, 64 at a time; the first, by who decides */
}

static void refine_place(fast_block *s)
{
    const uint8_t *from = s->refine;

    for (int32_t at = 0; at < s->stripes * s->words; at++) {
        const uint64_t left = s->significant[at] & ~s->visited[at];

        if (!left)
            continue;
        s->plane[at] |= _pdep_u64(nonzero_bytes(from), left);
        from += _mm_popcnt_u64(left);
    }
}

/* A block under way. */
typedef struct progress {
    fast_block *s;
    const mtm_block *b;
    const uint8_t *data;
    int32_t segment, pass, end; /* end: the first pass after the segment */
    int32_t plane;
    uint32_t plain_bits;
    bool raw, corrupt;
} progress;

static void begin_segment(progress *p)
{
    const mtm_segment *const g = p->b->segments + p->segment++;

    p->raw = ebcot_pass_raw(p->b->style, p->pass);
    p->end = p->pass + g->n_passes;
    if (g->n_passes) {
        p->plain_bits = mtm_mq_unstuff(p->s->plain, EBCOT_PLAIN_BYTES, p->data, g->size_bytes, p->raw);
        mq_begin(p->s, p->plain_bits);
        if (p->raw) /* no 0 before the bits */
            p->s->mq.c <<= 1;
    }
    p->data += g->size_bytes;
}

static void end_pass(progress *p)
{
    const uint8_t style = p->b->style;

    if (ebcot_pass_kind(p->pass) == EBCOT_CLEANUP && style & MTM_BLOCK_SEGSYM)
        p->corrupt = !mtm_ebcot_segmentation_symbol_avx2(p->s) && mtm_ebcot_pass_secured(p->b, p->pass);
    if (style & MTM_BLOCK_RESET)
        fast_contexts_reset(p->s);
    if (++p->pass == p->end && style & MTM_BLOCK_PREDICTABLE && !p->raw &&
        mtm_ebcot_segment_ends(style, p->pass - 1) && mtm_mq_bits_left(mq_taken(p->s), p->plain_bits))
        p->corrupt = true;
}

/* Up to the next refinement pass, which is listed, or to the end (false). */
static bool advance(progress *p)
{
    while (!p->corrupt && p->pass < p->b->n_passes) {
        const int kind = ebcot_pass_kind(p->pass);

        while (p->pass == p->end)
            begin_segment(p);
        p->plane = ebcot_pass_plane(p->b->n_planes, p->pass);
        p->s->plane = p->s->planes[p->plane];
        if (kind == EBCOT_REFINEMENT && !p->raw) {
            refine_list(p->s);
            return true;
        }
        if (kind == EBCOT_CLEANUP)
            mtm_ebcot_clean_up_avx2(p->s);
        else if (kind == EBCOT_PROPAGATION)
            p->raw ? mtm_ebcot_propagate_raw_avx2(p->s) : mtm_ebcot_propagate_avx2(p->s);
        else
            mtm_ebcot_refine_raw_avx2(p->s);
        end_pass(p);
    }
    return false;
}

/* What the block's passes leave known: its coefficients' last bit-plane, and which of them have come so far; the others
 * lack that plane. */
typedef struct known {
    int32_t plane;
    int kind; /* of the last pass */
} known;

static uint64_t word_known(const fast_block *s, int32_t at, known k)
{
    return k.kind == EBCOT_CLEANUP       ? UINT64_MAX
           : k.kind == EBCOT_PROPAGATION ? s->visited[at]
                                         : s->visited[at] | s->significant[at];
}

/* The same for any depth, in 64 bits. */
static void twice_64(int64_t twice[EBCOT_COLUMNS], const fast_block *s, int32_t at, int row, uint32_t has,
                     uint32_t negative, int32_t top, int32_t last)
{
    for (int x = 0; x < EBCOT_COLUMNS; x++) {
        const int bit = 4 * x + row;
        uint64_t m = 0;

        for (int32_t p = top; p >= last; p--)
            m = 2 * m + (s->planes[p][at] >> bit & 1);
        const int64_t v2 = m ? (int64_t)((2 * m + 2 - (has >> x & 1)) << last) : 0;
        twice[x] = negative >> x & 1 ? -v2 : v2;
    }
}

#define STORE(name, twice_type)                                                                              \
    static inline mtm_block_status name(const mtm_block *b, ptrdiff_t at,                                    \
                                        const twice_type twice[EBCOT_COLUMNS], int32_t n)                    \
    {                                                                                                        \
        twice_type misfit = 0;                                                                               \
                                                                                                             \
        switch ((mtm_coef)b->type) {                                                                         \
        case MTM_COEF_I16:                                                                                   \
            for (int32_t x = 0; x < n; x++) {                                                                \
                ((int16_t *)b->dst)[at + x] = (int16_t)(twice[x] / 2);                                       \
                misfit |= twice[x] / 2 ^ (int16_t)(twice[x] / 2);                                            \
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
        return misfit ? MTM_BLOCK_TOO_LARGE : MTM_BLOCK_OK;                                                  \
    }
STORE(store_32, int32_t)
STORE(store_64, int64_t)
#undef STORE

/* Sixteen of v2 without their halves, as two times eight of 32 bits. */
static inline __m256i whole_of(const int32_t *twice)
{
    const __m256i v = _mm256_load_si256((const __m256i *)twice);

    return _mm256_srai_epi32(_mm256_sub_epi32(v, _mm256_srai_epi32(v, 31)), 1); /* towards 0 */
}

static inline mtm_block_status store_16_as_i16(int16_t *to, const int32_t twice[EBCOT_COLUMNS])
{
    const __m256i low = whole_of(twice), high = whole_of(twice + 8);
    const __m256i ends = _mm256_set1_epi32(0xFFFF);
    const __m256i packed =
        _mm256_packus_epi32(_mm256_and_si256(low, ends), _mm256_and_si256(high, ends)); /* modulo 2¹⁶ */
    const __m256i misfit =
        _mm256_or_si256(_mm256_xor_si256(low, _mm256_srai_epi32(_mm256_slli_epi32(low, 16), 16)),
                        _mm256_xor_si256(high, _mm256_srai_epi32(_mm256_slli_epi32(high, 16), 16)));

    _mm256_storeu_si256((__m256i *)to, _mm256_permute4x64_epi64(packed, 0xD8));
    return _mm256_testz_si256(misfit, misfit) ? MTM_BLOCK_OK : MTM_BLOCK_TOO_LARGE;
}

static inline mtm_block_status store_16(const mtm_block *b, ptrdiff_t at, const int32_t twice[EBCOT_COLUMNS])
{
    if (b->type == MTM_COEF_I16)
        return store_16_as_i16((int16_t *)b->dst + at, twice);
    return store_32(b, at, twice, EBCOT_COLUMNS);
}

/* v2 of up to this many bit-planes fits 32 bits and a sign. */
enum { NARROW_PLANES = 30 };

static mtm_block_status store_word(const fast_block *s, const mtm_block *b, int32_t at, known last)
{
    const int32_t stripe = at / s->words, k = at % s->words, left = s->width - k * EBCOT_COLUMNS;
    const int32_t n = left < EBCOT_COLUMNS ? left : EBCOT_COLUMNS, top = b->n_planes - 1;
    const uint64_t known_bits = word_known(s, at, last);
    mtm_block_status status = MTM_BLOCK_OK;

    for (int row = 0; row < EBCOT_STRIPE && stripe * EBCOT_STRIPE + row < s->height; row++) {
        const uint32_t has = (uint32_t)_pext_u64(known_bits, ROW << row);
        const uint32_t negative = (uint32_t)_pext_u64(s->negative[at], ROW << row);
        const ptrdiff_t to = (stripe * EBCOT_STRIPE + row) * b->stride + k * EBCOT_COLUMNS;
        _Alignas(64) int32_t narrow[EBCOT_COLUMNS];
        int64_t wide[EBCOT_COLUMNS];
        mtm_block_status stored;

        if (b->n_planes <= NARROW_PLANES) {
            twice_32(narrow, s->planes[0] + at, row, has, negative, top, last.plane);
            stored = n == EBCOT_COLUMNS ? store_16(b, to, narrow) : store_32(b, to, narrow, n);
        } else {
            twice_64(wide, s, at, row, has, negative, top, last.plane);
            stored = store_64(b, to, wide, n);
        }
        status = stored == MTM_BLOCK_OK ? status : stored;
    }
    return status;
}

static known known_after(const mtm_block *b)
{
    const int32_t pass = b->n_passes - 1;

    return pass < 0 ? (known){b->n_planes, EBCOT_CLEANUP}
                    : (known){ebcot_pass_plane(b->n_planes, pass), ebcot_pass_kind(pass)};
}

static progress begin(fast_block *s, const mtm_block *b)
{
    progress p = {.s = s, .b = b, .data = b->data, .corrupt = !mtm_ebcot_segments_valid(b)};

    if (!p.corrupt)
        fast_block_begin(s, b->width, b->height, b->style, b->band, known_after(b).plane, b->n_planes);
    return p;
}

/* Writes the block's coefficients; of one whose segments make no sense, zeros. */
static mtm_block_status finish(const progress *p, bool begun)
{
    static const mtm_segment none;
    const fast_block *const s = p->s;
    mtm_block_status status = MTM_BLOCK_OK;
    mtm_block b = *p->b;

    if (!begun) {
        b.segments = &none, b.n_segments = b.n_passes = b.n_planes = 0;
        fast_block_begin(p->s, b.width, b.height, b.style, b.band, 0, 0);
    }
    for (int32_t at = 0; at < s->stripes * s->words; at++) {
        const mtm_block_status stored = store_word(s, &b, at, known_after(&b));

        status = status == MTM_BLOCK_OK ? stored : status;
    }
    return p->corrupt ? MTM_BLOCK_CORRUPT : status;
}

static void decode_pair(mtm_block *b, int32_t n, fast_block *s)
{
    progress p[PAIR];
    bool begun[PAIR], wait[PAIR] = {false, false};

    for (int32_t i = 0; i < n; i++)
        p[i] = begin(s + i, b + i), begun[i] = !p[i].corrupt;
    for (;;) {
        for (int32_t i = 0; i < n; i++)
            wait[i] = wait[i] || advance(p + i);
        const bool both = wait[0] && wait[1] && p[0].plane == p[1].plane;
        const int32_t one = wait[0] && wait[1] ? p[1].plane > p[0].plane : wait[1]; /* who is behind */

        if (!wait[0] && !wait[1])
            break;
        if (both)
            mtm_ebcot_refine_two_avx2(s, s + 1);
        else
            mtm_ebcot_refine_from_avx2(s + one, 0);
        for (int32_t i = both ? 0 : one; i < (both ? n : one + 1); i++)
            refine_place(s + i), end_pass(p + i), wait[i] = false;
    }
    for (int32_t i = 0; i < n; i++)
        b[i].status = finish(p + i, begun[i]);
}

static void decode_blocks(mtm_block *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i += PAIR)
        decode_pair(blocks + i, n - i < PAIR ? n - i : PAIR, scratch);
}

#endif
