/* codec/j2k/synthesis.h: a tile-component's inverse wavelet transform, row by row: the top resolution's rows are
 * pulled from above, subband rows are asked for from below; memory is a few rows per level. T.800 F.3.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_J2K_SYNTHESIS_H
#define MTM_J2K_SYNTHESIS_H

#include "j2k.h"
#include "kernel/wavelet.h"

/* Row v (band coordinates, inside the band's window) from column win.x0 on; valid until the same band is asked again.
 * Asked for in ascending order. NULL: it could not be had, and synthesis stops. */
typedef struct j2k_synthesis_source {
    const void *(*row)(void *user, int32_t resolution, int32_t band,
                       int64_t v); /* band: index in resolution.bands */
    void *user;
} j2k_synthesis_source;

typedef struct j2k_synthesis j2k_synthesis;

/* For resolutions 0 … tc->top. type: I16, I32, I64 for 5/3, F32 for 9/7. check: with I16, whether every
 * intermediate value fitted is recorded. May be begun again for the next frame of the same geometry:
 * j2k_synthesis_restart. */
mtm_status j2k_synthesis_new(j2k_synthesis **out, const j2k_tile_component *tc, mtm_coef type, bool check,
                             const mtm_wavelet_kernels *k, j2k_synthesis_source source, j2k_arena *arena,
                             mtm_error *err);
void j2k_synthesis_restart(j2k_synthesis *s);
/* I16 with check, before the first row and until changed: adds `offset` to the rows of resolution 0, which the
 * source then gives as int32. The 5/3 hands a constant on unchanged (equations F-5, F-6: each sample gains what
 * its neighbours' mean gains, and high-pass samples nothing), so all rows come out larger by it; what does not fit
 * makes them inexact. j2k_offset16 brings unsigned samples of 15 and 16 bits, of which most use few, near 0;
 * mtm_color_store.offset takes it out again. */
void j2k_synthesis_offset(j2k_synthesis *s, int16_t offset);
/* The next row of resolutions[top].need, from its top, at column need.x0; valid until the next call. NULL: the source
 * failed. */
const void *j2k_synthesis_next(j2k_synthesis *s);
/* Whether no int16 value came near the end of its range so far (then all rows are exact). Always true for other
 * types. */
bool j2k_synthesis_exact(const j2k_synthesis *s);

#endif
