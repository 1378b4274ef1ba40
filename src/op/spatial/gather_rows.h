/* op/spatial/gather_rows.h: gathering along located rows, tile by tile: what AFFINE and WARP share. They differ in where a row's
 * voxels come from, which is what the two functions of a job know.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_GATHER_ROWS_H
#define MTM_OP_GATHER_ROWS_H

#include "op/spatial/field.h"
#include "op/spatial/gather.h"

/* Output tiles [Z, Y, X], measured from 1×8×128 to 32×32×128: whole rows keep the coordinates' overhead low, and few planes
 * the number of pages and cache sets that a rotated read touches. */
enum { MTM_TILE_Z = 2, MTM_TILE_Y = 16, MTM_TILE_X = 128, MTM_TILE = MTM_TILE_Z * MTM_TILE_Y * MTM_TILE_X };

typedef struct mtm_row_gather mtm_row_gather;

/* n ≤ MTM_TILE_X outputs of row (z, y) from x0 on, of every channel of the job. `near`: memory of one tile. */
typedef struct mtm_row_source {
    /* channel c into to + c·pitch */
    void (*floats)(const mtm_row_gather *a, mtm_field_near *near, const int64_t at[3], int32_t n, float *to,
                   int64_t pitch);
    /* The same for elements of any dtype; strides in bytes. */
    void (*elements)(const mtm_row_gather *a, mtm_field_near *near, const int64_t at[3], int32_t n,
                     uint8_t *to, int64_t stride, int64_t pitch);
} mtm_row_source;

struct mtm_row_gather {
    mtm_gather *j;
    const mtm_row_source *source;
    const mtm_field *field; /* WARP */
    mtm_warp_grid grid;
    const void *data;       /* what grid.first counts from, channel 0 */
    int64_t channel_stride; /* bytes */
    int64_t channels;       /* gathered per located row */
    int64_t channel;        /* the first of them */
    double m[12];           /* output → coordinates in the clip box */
    float value;
    bool nothing;           /* all of it is `value`, and nothing is read */
    uint8_t value_bytes[8]; /* NEAREST: `value` as an element of the input's dtype */
    int64_t tiles[3];
};

/* Gathers the whole output. */
mtm_status mtm_gather_rows(mtm_gather *j, const mtm_row_source *source, const mtm_field *field,
                           mtm_error *err);

static inline mtm_warp_row mtm_row_gather_at(const mtm_row_gather *a, const int64_t at[3])
{
    mtm_warp_row row;

    for (int i = 0; i < 3; i++) {
        const double *const m = a->m + 4 * i;

        row.at[i] = m[1] * ((double)at[1] + 0.5) + (m[2] * ((double)at[0] + 0.5) + m[3]);
        row.step[i] = m[0];
    }
    return row;
}

static inline const void *mtm_row_gather_channel(const mtm_row_gather *a, int64_t c)
{
    return (const uint8_t *)a->data + c * a->channel_stride;
}

#endif
