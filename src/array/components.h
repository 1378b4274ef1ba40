/* array/components.h: connected components of a label map, found run by run. What they are used for is in objects.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_ARRAY_COMPONENTS_H
#define MTM_ARRAY_COMPONENTS_H

#include "array/array.h"
#include "microtome/objects.h"

typedef struct mtm_run {
    int32_t start, end; /* x, half open */
    int32_t label;      /* provisional; component number[label] */
} mtm_run;

typedef struct mtm_component {
    int64_t value, voxels; /* value: 1 unless by class */
    int32_t lo[3], hi[3];  /* box, [Z, Y, X], half open */
} mtm_component;

/* Begin with {0}. Component k of 1 … n is at[k − 1], in scan order of their first voxels. */
typedef struct mtm_components {
    int64_t size[3]; /* [Z, Y, X] */
    mtm_component *at;
    int64_t n;
    int32_t *number; /* component of each provisional label */
    /* only when runs are kept: those of row r = z·Y + y are run[first[r]] … run[first[r + 1] − 1] */
    mtm_run *run;
    int64_t *first;
} mtm_components;

typedef struct mtm_components_how {
    mtm_connectivity connectivity;
    bool
        by_class; /* touching voxels of different values stay apart; else all that is not background is one class */
    int64_t background;
    bool keep_runs;
} mtm_components_how;

/* labels: [Z, Y, X] or [Y, X]. Two passes over runs with union-find (Wu, Otoo & Suzuki 2009, He, Chao & Suzuki 2008).
 * Memory: 12 bytes a run (of two planes, unless all are kept) and 44 a provisional label. Errors: MTM_E_INVAL (not two or
 * three axes; a value that is no whole number), MTM_E_LIMIT (an axis, or the components, beyond 2³¹ − 2), MTM_E_NOMEM. */
mtm_status mtm_components_find(mtm_components *c, const mtm_array *labels, const mtm_components_how *how,
                               mtm_error *err);
void mtm_components_clear(mtm_components *c);

#define MTM_COMPONENTS_AUTO __attribute__((cleanup(mtm_components_clear))) mtm_components

/* labels as [Z, Y, X], borrowed. Errors: MTM_E_INVAL. */
mtm_status mtm_labels_zyx(mtm_array *out, const mtm_array *labels, mtm_error *err);

/* A row of labels at a time as integers of one width, whatever the array is made of. */
typedef struct mtm_label_rows {
    mtm_convert_kernels convert;
    mtm_rows rows;
    mtm_dtype dtype, as; /* as: of the row's memory: MTM_U8, MTM_U16, MTM_U32 (bits), MTM_I64 or MTM_F64 */
    int64_t width;       /* elements of a row */
    void *stage;         /* room for one */
} mtm_label_rows;

mtm_status mtm_label_rows_open(mtm_label_rows *r, const mtm_array *zyx, mtm_error *err);
void mtm_label_rows_close(mtm_label_rows *r);
/* Row number `row` = z·Y + y, good until the next call; floats have become int64. */
mtm_status mtm_label_rows_get(mtm_label_rows *r, int64_t row, const void **out, mtm_error *err);
/* log2 of the bytes of what get gives; element i of it as the value that the label map has there. */
int mtm_label_rows_log2(const mtm_label_rows *r);
int64_t mtm_label_rows_value(const mtm_label_rows *r, const void *x, int64_t i);
/* Whether a label can have this value, and by which bits. */
bool mtm_label_rows_bits(const mtm_label_rows *r, int64_t value, uint64_t *bits);

#endif
