/* codec/j2k/lifting.h: the vertical wavelet transform of one level over rolling rows, for synthesis.c and
 * analysis.c: rows arrive from the top into a ring, lifting steps run on them as soon as their neighbours are
 * there, and finished rows can be taken from it. T.800 F.3.5, F.4.3, with the symmetric extension of F.3.7 at the
 * first and the last row.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_LIFTING_H
#define MTM_J2K_LIFTING_H

#include "base/size.h"
#include "j2k.h"
#include "kernel/wavelet.h"

typedef struct j2k_lifting {
    const mtm_wavelet_kernels *k;
    mtm_coef type;
    bool forward;
    mtm_seen16 *seen; /* inverse, I16: what rows reach is recorded here; NULL: it is not */
    int64_t y0, y1;   /* the rows' coordinates */
    size_t n;         /* samples of a row */
    int64_t arrived;  /* rows [y0, arrived) are there */
    int64_t final;    /* rows [y0, final) are finished; the last ones of them are still in the ring */
    int64_t next[MTM_WAVELET_STEPS_97]; /* row that each step changes next */
    char *ring;
    size_t row_bytes;
} j2k_lifting;

/* Rows [y0, y1) of n samples; the ring comes from the arena. */
mtm_status j2k_lifting_init(j2k_lifting *l, const mtm_wavelet_kernels *k, mtm_coef type, bool forward,
                            int64_t y0, int64_t y1, size_t n, j2k_arena *arena, mtm_error *err);
void j2k_lifting_restart(j2k_lifting *l);

/* Row y's place: to be written before it arrives, and, once final, kept until row y + 4 (5/3) or y + 6 (9/7) is
 * written to. 64 bytes of room behind its end. */
static inline void *j2k_lifting_row(const j2k_lifting *l, int64_t y)
{
    return l->ring +
           (size_t)(l->type == MTM_COEF_F32 ? y % (MTM_WAVELET_STEPS_97 + 2) : y & 3) * l->row_bytes;
}

/* Widens *seen by a row. */
void j2k_seen_row(mtm_seen16 *seen, const mtm_wavelet_kernels *k, const int16_t *row, size_t n);

/* Row `arrived` has been written. */
void j2k_lifting_arrive(j2k_lifting *l);

/* What to add to level-shifted samples of a tile-component so that int16 holds small ones and their coefficients:
 * they are then 8192 less than before the level shift. 0 where the level shift is small, or too large for int16,
 * or where the transform does not hand constants on: single odd samples are doubled (T.800 F.4.6). */
int16_t j2k_offset16(const j2k_tile_component *tc, int bits, bool is_signed);

#endif
