/* kernel/x86/ht_refine_x86.h: SigProp and MagRef of the vector HT decoders (T.814 7.4 and 7.5), over the magnitudes that
 * their cleanup pass left in int32. Significance is 16 bits for 4 columns of a stripe, column by column as both passes
 * scan; a neighbourhood is then a few shifts of 24 bits.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_REFINE_X86_H
#define MTM_KERNEL_HT_REFINE_X86_H

#include <immintrin.h>
#include <string.h>

#include "kernel/ht_decode.h"

enum {
    HT_REFINE_SAMPLES = 6720, /* of a block with both sides rounded up to 4: 8 · 820 are the most */
    HT_REFINE_GROUPS = 2048,  /* with a border */
    HT_REFINE_BYTES = 2048    /* of bits that a pass can take, 2 for each sample, and what is read beyond */
};

/* One block between cleanup and its rows. */
typedef struct ht_refine {
    int32_t mu[HT_REFINE_SAMPLES]; /* [y][stride]: from the cleanup pass, with signs */
    int8_t more
        [HT_REFINE_SAMPLES]; /* what refinement adds, in halves of the bit-plane's unit: ±1 to a magnitude, ±3 anew */
    uint16_t sigma[HT_REFINE_GROUPS]; /* [stripe + 1][group + 1] */
    uint8_t bits[HT_REFINE_BYTES];
    int32_t stride, groups; /* groups: with the border */
} ht_refine;

/* The bits of SigProp: after 0xFF a byte has 7. Zeros follow. */
static inline void ht_refine_forward(uint8_t *out, const uint8_t *d, int64_t n)
{
    uint64_t window = 0;
    uint32_t last = 0, used = 0;
    size_t at = 0;

    memset(out, 0, HT_REFINE_BYTES);
    for (int64_t i = 0; i < n && at < HT_REFINE_BYTES - 16; i++) {
        const uint32_t size = last == 0xFF ? 7 : 8;

        last = d[i];
        window |= (uint64_t)(last & (0xFFu >> (8 - size))) << used;
        used += size;
        memcpy(out + at, &window, sizeof window);
        at += used >> 3, window >>= used & ~7u, used &= 7;
    }
}

/* The bits of MagRef, backward: before a byte above 0x8F, one that ends in 7 ones has 7. Zeros follow. */
static inline void ht_refine_backward(uint8_t *out, const uint8_t *d, int64_t n)
{
    uint64_t window = 0;
    uint32_t last = 0xFF, used = 0;
    size_t at = 0;

    memset(out, 0, HT_REFINE_BYTES);
    for (int64_t i = n - 1; i >= 0 && at < HT_REFINE_BYTES - 16; i--) {
        const uint32_t size = last > 0x8F && (d[i] & 0x7F) == 0x7F ? 7 : 8;

        last = d[i];
        window |= (uint64_t)(last & (0xFFu >> (8 - size))) << used;
        used += size;
        memcpy(out + at, &window, sizeof window);
        at += used >> 3, window >>= used & ~7u, used &= 7;
    }
}

static inline uint32_t ht_refine_peek(const uint8_t *bits, uint32_t at)
{
    uint64_t w;

    memcpy(&w, bits + (at >> 3), sizeof w);
    return (uint32_t)(w >> (at & 7));
}

/* Which of a group's 16 places lie in the block. */
static inline uint32_t ht_refine_valid(const mtm_block *b, int32_t y, int32_t x)
{
    const int32_t rows = b->height - y < 4 ? b->height - y : 4, columns = b->width - x < 4 ? b->width - x : 4;

    return (0x1111u * (0xFu >> (4 - rows))) & (0xFFFFu >> (16 - 4 * columns));
}

/* Significance from the magnitudes. */
static inline void ht_refine_open(ht_refine *r, const mtm_block *b)
{
    memset(r->sigma, 0, sizeof r->sigma);
    memset(r->more, 0, sizeof r->more);
    for (int32_t y = 0; y < b->height; y += 4)
        for (int32_t x = 0; x < b->width; x += 4) {
            uint32_t sigma = 0;

            for (int32_t row = 0; row < 4; row++) {
                const __m128i mu = _mm_loadu_si128((const __m128i *)(r->mu + (y + row) * r->stride + x));
                const uint32_t zero =
                    (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(mu, _mm_setzero_si128())));

                sigma |= _pdep_u32(~zero, 0x1111u << row);
            }
            r->sigma[(y / 4 + 1) * r->groups + x / 4 + 1] = (uint16_t)(sigma & ht_refine_valid(b, y, x));
        }
}

/* Adds to 16 samples: mask's places get `value`, a byte. */
static inline void ht_refine_add(ht_refine *r, int32_t y, int32_t x, uint32_t mask, uint32_t value)
{
    for (int32_t row = 0; row < 4; row++) {
        int8_t *const p = r->more + (y + row) * r->stride + x;
        uint32_t bytes;

        memcpy(&bytes, p, sizeof bytes);
        bytes |= _pdep_u32(_pext_u32(mask, 0x1111u << row), 0x01010101u) * value;
        memcpy(p, &bytes, sizeof bytes);
    }
}

/* The columns beside a group with it: 24 bits. */
static inline uint32_t ht_refine_window(const uint16_t *sigma)
{
    return (uint32_t)sigma[-1] >> 12 | (uint32_t)sigma[0] << 4 | (sigma[1] & 0xFu) << 20;
}

/* Places of a group beside which something is significant; above: the group in the stripe above. */
static inline uint32_t ht_refine_near(const uint16_t *here, const uint16_t *above, const uint16_t *below)
{
    const uint32_t s = ht_refine_window(here);
    uint32_t near = s | (s << 1 & 0xEEEEEE) | (s >> 1 & 0x777777);

    near |= ht_refine_window(above) >> 3 & 0x111111;
    if (below)
        near |= (ht_refine_window(below) & 0x111111) << 3;
    return (near | near << 4 | near >> 4) >> 4 & 0xFFFF;
}

/* T.814 7.4. */
static inline void ht_refine_sigprop(ht_refine *r, const mtm_block *b)
{
    const ptrdiff_t below = b->style & MTM_BLOCK_CAUSAL ? 0 : r->groups;
    uint32_t at = 0;

    for (int32_t y = 0; y < b->height; y += 4)
        for (int32_t x = 0; x < b->width; x += 4) {
            uint16_t *const here = r->sigma + (y / 4 + 1) * r->groups + x / 4 + 1;
            const uint32_t open = ~(uint32_t)*here & ht_refine_valid(b, y, x);
            uint32_t todo = ht_refine_near(here, here - r->groups, below ? here + below : NULL) & open,
                     fresh = 0;

            if (!todo)
                continue;
            for (uint32_t bits = ht_refine_peek(r->bits, at); todo; bits >>= 1, at++) {
                /* the next one in the column, and three in the next column, may follow: as often as not, so no branch */
                const uint32_t bit = todo & -todo, taken = bit & -(bits & 1);
                const uint32_t down = taken << 1 & 0xEEEE, up = taken >> 1 & 0x7777;

                fresh |= taken;
                todo = (todo ^ bit) | ((down | (down | taken | up) << 4) & open);
            }
            const uint32_t n = (uint32_t)__builtin_popcount(fresh);
            const uint32_t negative = _pdep_u32(ht_refine_peek(r->bits, at), fresh);

            at += n, *here |= (uint16_t)fresh;
            ht_refine_add(r, y, x, fresh & ~negative, 3);
            ht_refine_add(r, y, x, negative, 0xFD);
        }
}

/* T.814 7.5; before SigProp changes what is significant. */
static inline void ht_refine_magref(ht_refine *r, const mtm_block *b)
{
    uint32_t at = 0;

    for (int32_t y = 0; y < b->height; y += 4)
        for (int32_t x = 0; x < b->width; x += 4) {
            const uint32_t sigma = r->sigma[(y / 4 + 1) * r->groups + x / 4 + 1];
            const uint32_t ones = _pdep_u32(ht_refine_peek(r->bits, at), sigma);

            at += (uint32_t)__builtin_popcount(sigma);
            ht_refine_add(r, y, x, ones, 1);
            ht_refine_add(r, y, x, sigma & ~ones, 0xFF);
        }
}

/* v2 of each coefficient into the block's rows. False: one does not fit int16. */
static inline bool ht_refine_store(const ht_refine *r, const mtm_block *b)
{
    const int64_t half = (int64_t)1 << (b->plane - 1);
    const float half_step = 0.5f * b->step;
    int64_t most = 0;

    for (int32_t y = 0; y < b->height; y++) {
        const ptrdiff_t row = (ptrdiff_t)y * b->stride;

        for (int32_t x = 0; x < b->width; x++) {
            const int64_t mu = r->mu[y * r->stride + x], more = r->more[y * r->stride + x];
            const int64_t unsign = mu < 0 ? -1 : 0, sized = (4 * ((mu ^ unsign) - unsign) + 2 + more) * half;
            const int64_t v2 = mu ? (sized ^ unsign) - unsign : more * half, whole = v2 / 2;

            switch (b->type) {
            case MTM_COEF_I16:
                ((int16_t *)b->dst)[row + x] = (int16_t)whole;
                most |= whole < 0 ? -whole : whole;
                break;
            case MTM_COEF_I32: ((int32_t *)b->dst)[row + x] = (int32_t)whole; break;
            case MTM_COEF_I64: ((int64_t *)b->dst)[row + x] = whole; break;
            case MTM_COEF_F32: ((float *)b->dst)[row + x] = (float)v2 * half_step; break;
            default: ((int64_t *)b->dst)[row + x] = v2;
            }
        }
    }
    return most <= INT16_MAX;
}

/* The cleanup pass of b alone, into r. */
static inline mtm_block ht_refine_cleanup(ht_refine *r, const mtm_block *b)
{
    mtm_block c = *b;

    r->stride = (b->width + 3) & ~3, r->groups = r->stride / 4 + 2;
    c.n_segments = c.n_passes = 1, c.type = MTM_COEF_I32, c.plane = 0;
    c.dst = r->mu, c.stride = r->stride;
    return c;
}

/* The passes after it. False: for the reference. */
static inline bool ht_refine_finish(ht_refine *r, const mtm_block *b)
{
    const uint8_t *const d = b->data + b->segments[0].size_bytes;
    const int64_t lref = b->n_segments > 1 ? b->segments[1].size_bytes : 0;

    ht_refine_open(r, b);
    if (b->n_passes > 2) {
        ht_refine_backward(r->bits, d, lref);
        ht_refine_magref(r, b);
    }
    ht_refine_forward(r->bits, d, lref);
    ht_refine_sigprop(r, b);
    return ht_refine_store(r, b);
}

#endif
