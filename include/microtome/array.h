/* microtome/array.h: n-dimensional views over memory, boxes in them, and tables of a label map's classes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_ARRAY_H
#define MICROTOME_ARRAY_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MTM_MAX_DIMS 8

typedef enum mtm_device { MTM_DEVICE_CPU = 0, MTM_DEVICE_CUDA = 1 } mtm_device;

/* A view; copying the struct copies no pixels and takes no reference. Strides are bytes: 0 repeats, negative
 * runs backwards. `data` points at element [0, 0, …]. */
typedef struct mtm_array {
    void *data;
    int64_t shape[MTM_MAX_DIMS];
    int64_t stride[MTM_MAX_DIMS]; /* bytes */
    int32_t ndim;
    mtm_dtype dtype;
    mtm_device device;
    mtm_buffer *owner; /* one reference, or NULL: borrowed memory */
} mtm_array;

typedef struct mtm_box {
    int32_t ndim;
    int64_t start[MTM_MAX_DIMS], size[MTM_MAX_DIMS];
} mtm_box;

/* A new C-order array with undefined contents; r may be NULL. Errors: MTM_E_INVAL (shape), MTM_E_NOMEM. */
MTM_API mtm_status mtm_array_new(mtm_array *out, mtm_dtype t, int32_t ndim, const int64_t *shape,
                                 mtm_recycler *r, mtm_error *err);
/* A C-order view of foreign memory. */
MTM_API mtm_array mtm_array_wrap(void *data, mtm_dtype t, int32_t ndim, const int64_t *shape);
MTM_API void mtm_array_drop(mtm_array *a); /* drops the reference and clears the view */

MTM_API int64_t mtm_array_count(const mtm_array *a); /* elements */
MTM_API bool mtm_array_is_c_order(const mtm_array *a);
/* The part of `a` in `box` (same ndim), borrowed. Errors: MTM_E_INVAL (box leaves the array). */
MTM_API mtm_status mtm_array_crop(mtm_array *out, const mtm_array *a, const mtm_box *box, mtm_error *err);

/* dst[i] = convert(src[i] · slope + inter), same shapes, any strides. Floats become integers by rounding half
 * to even and clamping; NaN to an integer is MTM_E_INVAL. With slope 1 and inter 0, integers convert
 * integer-exactly (clamped). Overlapping memory is not allowed. pool may be NULL. */
MTM_API mtm_status mtm_array_convert(mtm_array *dst, const mtm_array *src, double slope, double inter,
                                     mtm_pool *pool, mtm_error *err);

/* ---- labels ------------------------------------------------------------------------------------------- */

/* What class-balanced and object crops need to know of a label map, so that drawing a position needs no second
 * full read. Positions are voxel numbers in [Z, Y, X] order; per class up to 4096 of them, a uniform sample
 * drawn once by Philox (key: the class), all of them when there are fewer. */
typedef struct mtm_label_table {
    int32_t n_classes;      /* at most 4096; more is MTM_E_LIMIT */
    const int64_t *classes; /* ascending */
    const int64_t *counts;  /* voxels of each */
    const int64_t *offset; /* n_classes + 1: positions of class i are at[offset[i]] … at[offset[i + 1] − 1] */
    const int64_t *at;
} mtm_label_table;

/* labels: [Z, Y, X], integer values. Free with mtm_label_table_free. */
MTM_API mtm_status mtm_label_table_new(mtm_label_table **out, const mtm_array *labels, mtm_error *err);
MTM_API void mtm_label_table_free(mtm_label_table *t);

/* ---- DLPack ------------------------------------------------------------------------------------------- */

/* The array as a DLPack 1.0 tensor, without a copy; it holds its own reference on a->owner (borrowed memory must outlive
 * it). Its consumer, or mtm_dlpack_drop, deletes it. Errors: MTM_E_INVAL (a stride is no multiple of the element). */
struct DLManagedTensor;
struct DLManagedTensorVersioned;
MTM_API mtm_status mtm_array_to_dlpack(struct DLManagedTensor **out, const mtm_array *a, mtm_error *err);
MTM_API mtm_status mtm_array_to_dlpack_versioned(struct DLManagedTensorVersioned **out, const mtm_array *a,
                                                 bool read_only, mtm_error *err);
MTM_API void mtm_dlpack_drop(struct DLManagedTensor *t); /* calls its deleter; NULL is allowed */
MTM_API void mtm_dlpack_versioned_drop(struct DLManagedTensorVersioned *t);

#ifdef __cplusplus
}
#endif
#endif
