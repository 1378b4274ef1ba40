/* kernel/ebcot_model.h: the context model of the C reference (T.800 D.1 … D.3): one byte of state per coefficient, with
 * a border of zeros. Shared by ebcot_decode.c and ebcot_encode.c; the tables are in mq_tables.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_EBCOT_MODEL_H
#define MTM_KERNEL_EBCOT_MODEL_H

#include <string.h>

#include "ebcot.h"

/* Context labels, T.800 tables D.1 … D.5: 0 … 8 zero coding, 9 … 13 sign, 14 … 16 refinement. */
enum { EBCOT_REFINE = 14, EBCOT_RUN = 17, EBCOT_UNIFORM = 18, EBCOT_CONTEXTS = 19 };

/* State of a coefficient. */
enum { EBCOT_SIGNIFICANT = 1, EBCOT_NEGATIVE = 2, EBCOT_VISITED = 4, EBCOT_REFINED = 8 };

/* Kinds of coding pass; pass 0 of a block is a cleanup pass (D.3). */
enum { EBCOT_PROPAGATION = 0, EBCOT_REFINEMENT = 1, EBCOT_CLEANUP = 2 };

enum { EBCOT_STRIPE = 4, EBCOT_MAP_BYTES = 6 * (MTM_BLOCK_MAX_SIDE + 2) };

/* More than mtm_ebcot_encode_bound of any block: bytes of one segment that decoders look at. */
enum { EBCOT_PLAIN_BYTES = 48 << 10 };

typedef struct mtm_ebcot_sign_context {
    uint8_t context, flip;
} mtm_ebcot_sign_context;

extern const uint8_t mtm_ebcot_zero[4][3][3][5];
extern const mtm_ebcot_sign_context mtm_ebcot_sign[3][3];

typedef struct ebcot_map {
    uint8_t *at; /* coefficient [0, 0] */
    ptrdiff_t stride;
    int32_t width, height;
    bool causal;
    const uint8_t (*zero)[3][5]; /* of the band */
} ebcot_map;

static inline int ebcot_pass_kind(int32_t pass)
{
    return (int)((pass + 2) % 3);
}

static inline int32_t ebcot_pass_plane(int32_t n_planes, int32_t pass)
{
    return n_planes - 1 - (pass + 2) / 3;
}

/* Raw bits take the place of the MQ coder from the fifth bit-plane's first two passes on (table D.9). */
static inline bool ebcot_pass_raw(uint8_t style, int32_t pass)
{
    return (style & MTM_BLOCK_BYPASS) && pass >= 10 && ebcot_pass_kind(pass) != EBCOT_CLEANUP;
}

/* Initial states, table D.7; an index into mtm_mq_states. */
static inline void ebcot_contexts_reset(uint8_t contexts[EBCOT_CONTEXTS])
{
    memset(contexts, 0, EBCOT_CONTEXTS);
    contexts[0] = 2 * 4, contexts[EBCOT_RUN] = 2 * 3, contexts[EBCOT_UNIFORM] = 2 * 46;
}

/* room: EBCOT_MAP_BYTES. */
static inline void ebcot_map_begin(ebcot_map *m, uint8_t *room, int32_t width, int32_t height, uint8_t style,
                                   uint8_t band)
{
    *m = (ebcot_map){room + width + 3,         width + 2,           width, height,
                     style & MTM_BLOCK_CAUSAL, mtm_ebcot_zero[band]};
    memset(room, 0, (size_t)(width + 2) * (size_t)(height + 2));
}

/* The row below; for the last row of a stripe with causal contexts (D.7) a row of zeros, the border above. */
static inline const uint8_t *ebcot_below(const ebcot_map *m, int32_t x, int32_t y)
{
    return m->at + x + (m->causal && y % EBCOT_STRIPE == EBCOT_STRIPE - 1 ? -1 : y + 1) * m->stride;
}

/* Table D.1. */
static inline unsigned ebcot_zero_context(const ebcot_map *m, int32_t x, int32_t y)
{
    const uint8_t *const s = m->at + y * m->stride + x, *const above = s - m->stride;
    const uint8_t *const below = ebcot_below(m, x, y);
    const unsigned h = (s[-1] & 1) + (s[1] & 1), v = (above[0] & 1) + (below[0] & 1);

    return m->zero[h][v][(above[-1] & 1) + (above[1] & 1) + (below[-1] & 1) + (below[1] & 1)];
}

static inline bool ebcot_has_neighbour(const ebcot_map *m, int32_t x, int32_t y)
{
    return ebcot_zero_context(m, x, y) != 0;
}

static inline int ebcot_sign_of(uint8_t state)
{
    return !(state & EBCOT_SIGNIFICANT) ? 0 : state & EBCOT_NEGATIVE ? -1 : 1;
}

static inline int ebcot_clip_sign(int sum)
{
    return sum < -1 ? -1 : sum > 1 ? 1 : sum;
}

/* Tables D.2 and D.3. */
static inline mtm_ebcot_sign_context ebcot_sign_context(const ebcot_map *m, int32_t x, int32_t y)
{
    const uint8_t *const s = m->at + y * m->stride + x;
    const int h = ebcot_sign_of(s[-1]) + ebcot_sign_of(s[1]);
    const int v = ebcot_sign_of(s[-m->stride]) + ebcot_sign_of(*ebcot_below(m, x, y));

    return mtm_ebcot_sign[1 + ebcot_clip_sign(h)][1 + ebcot_clip_sign(v)];
}

/* Table D.4. */
static inline unsigned ebcot_refine_context(const ebcot_map *m, int32_t x, int32_t y)
{
    if (m->at[y * m->stride + x] & EBCOT_REFINED)
        return EBCOT_REFINE + 2;
    return EBCOT_REFINE + ebcot_has_neighbour(m, x, y);
}

/* Whether a cleanup pass takes this column of a stripe as a run: four coefficients, all still to come, and no
 * significant neighbour of any (D.3.4). */
static inline bool ebcot_is_run(const ebcot_map *m, int32_t x, int32_t y)
{
    if (m->height - y < EBCOT_STRIPE)
        return false;
    for (int32_t i = y; i < y + EBCOT_STRIPE; i++)
        if (m->at[i * m->stride + x] & (EBCOT_SIGNIFICANT | EBCOT_VISITED) || ebcot_has_neighbour(m, x, i))
            return false;
    return true;
}

#endif
