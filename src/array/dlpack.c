/* array/dlpack.c: an array as a DLPack tensor; it keeps the memory alive until its consumer deletes it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlpack.h"

typedef struct exported { /* one allocation: the tensor of either protocol and what it points to */
    DLManagedTensor plain;
    DLManagedTensorVersioned versioned;
    int64_t shape[MTM_MAX_DIMS], stride[MTM_MAX_DIMS];
    mtm_buffer *owner;
} exported;

static const DLDataType dl_types[MTM_N_DTYPES] = {
    [MTM_U8] = {1, 8, 1},   [MTM_I8] = {0, 8, 1},   [MTM_U16] = {1, 16, 1}, [MTM_I16] = {0, 16, 1},
    [MTM_U32] = {1, 32, 1}, [MTM_I32] = {0, 32, 1}, [MTM_U64] = {1, 64, 1}, [MTM_I64] = {0, 64, 1},
    [MTM_F16] = {2, 16, 1}, [MTM_F32] = {2, 32, 1}, [MTM_F64] = {2, 64, 1}, [MTM_BOOL] = {6, 8, 1},
};

static void release(exported *e)
{
    mtm_buffer_unref(e->owner);
    mtm_free(e);
}

static void delete_plain(DLManagedTensor *self)
{
    release(self->manager_ctx);
}

static void delete_versioned(DLManagedTensorVersioned *self)
{
    release(self->manager_ctx);
}

static mtm_status export(exported **out, DLTensor *(*part)(exported *e), const mtm_array *a, mtm_error *err)
{
    const int64_t size = (int64_t)mtm_dtype_size(a->dtype);
    exported *e = NULL;
    DLTensor *t;

    if (!size || a->ndim < 0 || a->ndim > MTM_MAX_DIMS)
        return mtm_fail(err, MTM_E_INVAL, -1, "not an array: dtype %d, %d axes", a->dtype, a->ndim);
    for (int32_t i = 0; i < a->ndim; i++)
        if (a->stride[i] % size)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "DLPack cannot express a stride of %" PRId64 " bytes with %s", a->stride[i],
                            mtm_dtype_name(a->dtype));
    e = mtm_alloc_zero(1, sizeof *e);
    if (!e)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < a->ndim; i++)
        e->shape[i] = a->shape[i], e->stride[i] = a->stride[i] / size;
    e->owner = mtm_buffer_ref(a->owner);
    t = part(e);
    t->data = a->data;
    t->device = (DLDevice){a->device == MTM_DEVICE_CUDA ? 2 : 1, 0};
    t->ndim = a->ndim;
    t->dtype = dl_types[a->dtype];
    t->shape = e->shape, t->strides = e->stride;
    *out = e;
    return MTM_OK;
}

static DLTensor *plain_part(exported *e)
{
    return &e->plain.dl_tensor;
}

static DLTensor *versioned_part(exported *e)
{
    return &e->versioned.dl_tensor;
}

mtm_status mtm_array_to_dlpack(DLManagedTensor **out, const mtm_array *a, mtm_error *err)
{
    exported *e = NULL;

    MTM_TRY(export(&e, plain_part, a, err));
    e->plain.manager_ctx = e;
    e->plain.deleter = delete_plain;
    *out = &e->plain;
    return MTM_OK;
}

mtm_status mtm_array_to_dlpack_versioned(DLManagedTensorVersioned **out, const mtm_array *a, bool read_only,
                                         mtm_error *err)
{
    exported *e = NULL;

    MTM_TRY(export(&e, versioned_part, a, err));
    e->versioned.version.major = 1;
    e->versioned.manager_ctx = e;
    e->versioned.deleter = delete_versioned;
    e->versioned.flags = read_only;
    *out = &e->versioned;
    return MTM_OK;
}

void mtm_dlpack_drop(DLManagedTensor *t)
{
    if (t && t->deleter)
        t->deleter(t);
}

void mtm_dlpack_versioned_drop(DLManagedTensorVersioned *t)
{
    if (t && t->deleter)
        t->deleter(t);
}
