/* microtome/array.h: n-dimensional views over memory, and boxes in them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_ARRAY_H
#define MICROTOME_ARRAY_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MTM_MAX_DIMS 8

typedef enum mtm_dtype {
    MTM_NONE = 0, /* "not given": let the callee choose */
    MTM_U8,
    MTM_I8,
    MTM_U16,
    MTM_I16,
    MTM_U32,
    MTM_I32,
    MTM_U64,
    MTM_I64,
    MTM_F16,
    MTM_F32,
    MTM_F64,
    MTM_BOOL, /* one byte, 0 or 1 */
    MTM_N_DTYPES
} mtm_dtype;

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

MTM_API size_t mtm_dtype_size(mtm_dtype t);          /* bytes; 0 for MTM_NONE and numbers that are no dtype */
MTM_API const char *mtm_dtype_name(mtm_dtype t);     /* NumPy's name: "uint8", …, "float32", "bool" */
MTM_API mtm_dtype mtm_dtype_parse(const char *name); /* NumPy's name; MTM_NONE when unknown */
MTM_API bool mtm_dtype_is_integer(mtm_dtype t);      /* BOOL counts as integer */

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
