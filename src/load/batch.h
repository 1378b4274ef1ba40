/* load/batch.h: the memory of one batch: laid out from planned samples, filled slot by slot, handed to the consumer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_BATCH_H
#define MTM_LOAD_BATCH_H

#include "load/sample.h"

typedef struct mtm_batch_layout {
    bool pad; /* ragged fields are padded instead of becoming lists */
    double pad_value;
    const bool *integral; /* per field: its numbers are integers in every item */
    mtm_recycler *recycler;
} mtm_batch_layout;

/* Room for n samples; their shapes come from their plans. Numbers and affines are filled in; pictures by
 * mtm_batch_slot. All memory is from the recycler, the struct itself too. */
mtm_status mtm_batch_new(mtm_batch **out, const mtm_batch_layout *how, mtm_sample *const *samples, int32_t n,
                         mtm_error *err);

/* Where picture `field` of sample i goes: [C, Z, Y, X]. */
mtm_array mtm_batch_slot(const mtm_batch *b, int32_t field, int32_t i, const mtm_spec *spec);

/* Takes sample i out; those behind it move up. */
void mtm_batch_remove(mtm_batch *b, int32_t i);

int64_t mtm_batch_bytes(const mtm_batch *b); /* of the arrays */

#endif
