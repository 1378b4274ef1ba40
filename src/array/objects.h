/* array/objects.h: drawing objects, inside the library. The public part is microtome/objects.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_ARRAY_OBJECTS_H
#define MTM_ARRAY_OBJECTS_H

#include "base/mem.h"
#include "base/rng.h"
#include "microtome/objects.h"

MTM_DEFINE_AUTO(mtm_object_table, mtm_object_table_free)

/* A table and its arrays in one block of mtm_alloc, to be filled. NULL: out of memory. */
mtm_object_table *mtm_object_table_make(int64_t n, int32_t ndim, int64_t **class_of, int64_t **number,
                                        int64_t **start, int64_t **size);

/* mtm_object_draw from a stream; the options were checked. box->ndim is t->ndim. */
mtm_status mtm_object_draw_from(const mtm_object_table *t, const int64_t *shape, const mtm_object_options *o,
                                mtm_rng *rng, mtm_box *box, int64_t *class_of, mtm_error *err);

#endif
