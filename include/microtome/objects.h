/* microtome/objects.h: the objects of a label map: connected components, their boxes, one of them drawn, distances.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_OBJECTS_H
#define MICROTOME_OBJECTS_H

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mtm_connectivity {
    MTM_FACES, /* neighbours share a face: 4 in a plane, 6 in a volume */
    MTM_FULL   /* or an edge or a corner: 8, 26 */
} mtm_connectivity;

/* Every component of a label map: voxels of one class that touch by their faces (NVIDIA DALI's rule for object boxes). */
typedef struct mtm_object_table {
    int64_t n;
    int32_t ndim;
    const int64_t *class_of; /* n: value of its voxels; ascending, and within a class in scan order */
    const int64_t *start;    /* n × ndim, [Z, Y, X]: the object's box begins here */
    const int64_t *size;     /* n × ndim */
} mtm_object_table;

/* labels: [Z, Y, X] or [Y, X], any integer dtype (or whole floats), any strides. Voxels of `background` belong to no
 * object. pool may be NULL. Errors: MTM_E_INVAL, MTM_E_LIMIT (more than 2³¹ − 1 objects), MTM_E_NOMEM. */
MTM_API mtm_status mtm_object_table_new(mtm_object_table **out, const mtm_array *labels, int64_t background,
                                        mtm_pool *pool, mtm_error *err);
MTM_API void mtm_object_table_free(mtm_object_table *t);

#ifdef __cplusplus
}
#endif
#endif
