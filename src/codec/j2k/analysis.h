/* codec/j2k/analysis.h: a tile-component's forward wavelet transform, row by row: rows are pushed in from above,
 * subband rows come out below; memory is a few rows per level. T.800 F.4.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_ANALYSIS_H
#define MTM_J2K_ANALYSIS_H

#include "j2k.h"
#include "kernel/wavelet.h"

/* place: where row v (band coordinates) of the band shall be written, from column full.x0 on, with 64 bytes of
 * room behind its end; NULL stops. done: that row is complete. Rows of a band come in ascending order, each once. */
typedef struct j2k_analysis_sink {
    void *(*place)(void *user, int32_t resolution, int32_t band, int64_t v);
    mtm_status (*done)(void *user, int32_t resolution, int32_t band, int64_t v, mtm_error *err);
    void *user;
} j2k_analysis_sink;

typedef struct j2k_analysis j2k_analysis;

/* type: I16 (the caller proves that it fits), I32, I64 for 5/3, F32 for 9/7. */
mtm_status j2k_analysis_new(j2k_analysis **out, const j2k_tile_component *tc, mtm_coef type,
                            const mtm_wavelet_kernels *k, j2k_analysis_sink sink, j2k_arena *arena,
                            mtm_error *err);
/* Where the next row of the tile-component is to be written, with 64 bytes of room behind, and then: take it.
 * After the last row all band rows have come out. */
void *j2k_analysis_row(j2k_analysis *a);
mtm_status j2k_analysis_push(j2k_analysis *a, mtm_error *err);

/* I16, before the first row: the rows have `offset` added (mtm_color_store.offset, j2k_offset16). It is taken out
 * of the rows of resolution 0 (see j2k_synthesis_offset), which come out as int32. */
void j2k_analysis_offset(j2k_analysis *a, int16_t offset);

#endif
