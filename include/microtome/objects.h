/* microtome/objects.h: the objects of a label map: connected components, their boxes, one of them drawn.
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

/* ---- components --------------------------------------------------------------------------------------- */

/* Numbers the connected components of labels ≠ background, 1 … *count, in scan order of their first voxels; the rest is 0.
 * labels: [Z, Y, X] or [Y, X], any integer dtype (or whole floats), any strides. by_class: touching voxels of different
 * values stay apart; else everything but the background is one class, as scipy.ndimage.label takes it. out: of the same
 * shape, int32, any strides; data NULL: a new C-order array (r may be NULL). Errors: MTM_E_INVAL (shape; a value that is no
 * whole number), MTM_E_LIMIT (2³¹ − 1 components), MTM_E_NOMEM. */
MTM_API mtm_status mtm_connected_components(mtm_array *out, const mtm_array *labels,
                                            mtm_connectivity connectivity, bool by_class, int64_t background,
                                            mtm_recycler *r, int64_t *count, mtm_error *err);

/* ---- boxes -------------------------------------------------------------------------------------------- */

/* Every component of a label map: voxels of one class that touch by their faces (NVIDIA DALI's rule for object boxes). */
typedef struct mtm_object_table {
    int64_t n;
    int32_t ndim;
    const int64_t *class_of; /* n: value of its voxels; ascending, and within a class in scan order */
    const int64_t *number;   /* n: its place in the scan order of all */
    const int64_t *start;    /* n × ndim, [Z, Y, X]: the object's box begins here */
    const int64_t *size;     /* n × ndim */
} mtm_object_table;

/* labels: [Z, Y, X] or [Y, X], any integer dtype (or whole floats), any strides. Voxels of `background` belong to no
 * object. One pass for all classes. Errors: MTM_E_INVAL, MTM_E_LIMIT (2³¹ − 1 objects), MTM_E_NOMEM. */
MTM_API mtm_status mtm_object_table_new(mtm_object_table **out, const mtm_array *labels, int64_t background,
                                        mtm_error *err);
MTM_API void mtm_object_table_free(mtm_object_table *t);

/* ---- one object, drawn -------------------------------------------------------------------------------- */

enum { MTM_OBJECT_CLASSES = 32 };

/* How an object is drawn, as DALI's random_object_bbox does. Start from mtm_object_options_default. */
typedef struct mtm_object_options {
    uint32_t struct_size;
    double foreground_prob;              /* else the whole picture is the box; default 1 */
    int32_t n_classes, n_weights;        /* 0: not given */
    int64_t classes[MTM_OBJECT_CLASSES]; /* to draw from; default: all but the background */
    double class_weights
        [MTM_OBJECT_CLASSES]; /* ≥ 0, of the classes; without these, of 0, 1, 2, … without the background */
    int64_t k_largest; /* only so many, of largest box volume, ties to the first in scan order; 0: all */
    int64_t threshold[MTM_MAX_DIMS]; /* boxes with a smaller extent are left out, per axis, voxels; 0: none */
    bool has_background;
    int64_t background; /* not given: 0, or min(classes) − 1 when 0 is one of the classes */
    bool ignore_class;  /* every box is equally likely, whatever its class */
} mtm_object_options;

MTM_API mtm_object_options mtm_object_options_default(void);
/* Errors: MTM_E_INVAL: a probability outside [0, 1], negative or only zero weights, as many weights as there are not classes,
 * the background among the classes, ignore_class with classes or weights. */
MTM_API mtm_status mtm_object_options_check(const mtm_object_options *o, mtm_error *err);
/* The background that these options mean: what the object table must be made with. */
MTM_API int64_t mtm_object_background(const mtm_object_options *o);

/* Draws a box from a table of a picture of this shape ([Z, Y, X] or [Y, X], t->ndim). *class_of: the class drawn; the
 * background where the box is the whole picture. The same seed gives the same box. Errors: MTM_E_INVAL (options),
 * MTM_E_NOMEM. */
MTM_API mtm_status mtm_object_draw(const mtm_object_table *t, const int64_t *shape,
                                   const mtm_object_options *o, uint64_t seed, mtm_box *box,
                                   int64_t *class_of, mtm_error *err);

#ifdef __cplusplus
}
#endif
#endif
