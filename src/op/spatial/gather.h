/* op/spatial/gather.h: what the gathers of the four kinds of geometry share. Called by mtm_geometry_run only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_GATHER_H
#define MTM_OP_GATHER_H

#include <stdatomic.h>

#include "kernel/pointwise.h"
#include "op/exec.h"
#include "op/spatial/geometry.h"

typedef struct mtm_gather {
    mtm_exec *x;
    const mtm_geometry *g;
    mtm_array in;        /* [C, Z, Y, X]; the part that is in memory */
    int64_t in_start[3]; /* where it begins in the input */
    mtm_array out;       /* [C, Z, Y, X] */
    bool label;
    const mtm_pointwise *steps; /* NULL: none */
    atomic_flag failed;
    mtm_error failure; /* of the first piece that failed; read after the last */
} mtm_gather;

/* Voxels of a piece of output that is finished in cache. */
enum { MTM_GATHER_PIECE = 4096 };

mtm_status mtm_gather_view(mtm_gather *j, mtm_error *err);
mtm_status mtm_gather_affine(mtm_gather *j, mtm_error *err);
mtm_status mtm_gather_resample(mtm_gather *j, mtm_error *err);
mtm_status mtm_gather_warp(mtm_gather *j, mtm_error *err);

/* Runs fn over [0, n) pieces on the pool and returns the first failure that a piece noted. */
mtm_status mtm_gather_pieces(mtm_gather *j, int64_t n, int64_t grain,
                             void (*fn)(void *job, int64_t lo, int64_t hi), void *job, mtm_error *err);
void mtm_gather_note(mtm_gather *j, mtm_status s, const mtm_error *err);

/* The box [start, start + size) ([Z, Y, X]) of channels [channel, channel + n) of a picture. */
mtm_array mtm_gather_part(const mtm_array *a, int64_t channel, int64_t n, const int64_t start[3],
                          const int64_t size[3]);

/* Whether float32 rows can be written straight into out. */
static inline bool mtm_gather_direct(const mtm_array *out)
{
    return out->dtype == MTM_F32 && (out->stride[3] == 4 || out->shape[3] == 1);
}

/* Sends float32 rows of one channel ([1, Z, Y, X], x contiguous), which lie at `start` of the output, through the steps in
 * place. */
void mtm_gather_steps(const mtm_gather *j, int64_t channel, const int64_t start[3], const mtm_array *rows);

/* Copies n elements from data + offset[i] to out + i·stride, all in bytes; elements of 1, 2, 4 or 8 bytes. */
void mtm_gather_take(size_t elem_bytes, const uint8_t *data, const int64_t *offset, int32_t n, uint8_t *out,
                     int64_t stride);

/* Sets every voxel of part to value, converted. */
mtm_status mtm_gather_fill(const mtm_array *part, double value, mtm_pool *pool, mtm_error *err);

#endif
